//! What a service says of a queue that it consumes from.

use settings::{Duration, Name, Problem, Problems, Setting, Spanned};
use sim_core::Span;
use sim_core::time::SECOND;

use super::manner::Manner;
use crate::policies::network::NetworkSettings;
use crate::policies::not_yet::NotYet;

/// When a message counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum AckSettings {
    /// When its handler has ended well: at least once. A message whose consumer dies is delivered again.
    After,
    /// When it arrives, before its handler begins: at most once. A message whose consumer dies is lost.
    Before,
}

/// What becomes of a message whose handler ends in another way than ok, accepted or degraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum FailureSettings {
    /// It goes back to its place in the queue and is delivered again.
    Requeue,
    /// It is acknowledged as if it had gone well.
    Skip,
    /// It stays invisible until `visibility_timeout` is over, and is then delivered again.
    Wait,
    /// It moves to the `dead_letter` of its queue.
    DeadLetter,
    /// The consumer tries again itself.
    Retry(NotYet),
}

/// A queue that a service consumes from.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "from")]
pub struct ConsumeSettings {
    /// The queue.
    pub from: Spanned<Name>,
    /// The handler that messages are delivered to; without it the one for the operation that was published.
    pub op: Option<Spanned<Name>>,
    /// Messages at work at once in each replica, or receives whose messages are worked on one after the other. Defaults to the
    /// workers of its runtime.
    #[setting(range = "1..=1000000")]
    pub concurrency: Option<u32>,
    /// Unacknowledged messages that each replica holds at most, those at work included; only of a queue that sends them. Defaults
    /// to the queue's.
    #[setting(range = "1..=65535")]
    pub prefetch: Option<u32>,
    /// Messages that one receive brings at most. They are worked on one after the other in one worker, and acknowledged
    /// together at the end. Defaults to 1.
    #[setting(range = "1..=10000")]
    pub batch: Option<u32>,
    /// How long a receive waits for a message; only of a queue that is polled. Defaults to 20s.
    #[setting(range = "1s..=20s")]
    pub wait: Option<Duration>,
    /// When a message is acknowledged.
    #[setting(default = "after")]
    pub ack: AckSettings,
    /// Whether the time for which messages stay invisible begins anew again and again while they are at work, each time that
    /// half of it is over. Defaults to false.
    pub extend_visibility: Option<bool>,
    /// Whether the failure of a message concerns only that one of a batch, and for a queue in order those after it about the same
    /// key. Otherwise the batch ends there and none of it is acknowledged. Defaults to true.
    pub partial_failures: Option<bool>,
    /// Whether a message that is done already, or another one made of the same call, is acknowledged without being worked on.
    #[setting(default = false)]
    pub idempotent: bool,
    /// What becomes of a message whose handler fails. Defaults to `requeue`, and to `wait` for a queue with
    /// `visibility_timeout`.
    pub on_failure: Option<FailureSettings>,
    /// The network between consumer and queue: receives, messages and acknowledgements cross it.
    pub network: Option<NetworkSettings>,
    /// Consumers that share the messages.
    pub group: Option<NotYet>,
    /// How often offsets are committed.
    pub commit: Option<NotYet>,
    /// After how long without a heartbeat a consumer is given up.
    pub session: Option<NotYet>,
    /// How often a consumer says that it is there.
    pub heartbeat: Option<NotYet>,
    /// Within what time the next poll must come.
    pub poll_interval: Option<NotYet>,
    /// How partitions move between consumers.
    pub rebalance: Option<NotYet>,
    /// Who gets which partition.
    pub assignor: Option<NotYet>,
    /// Whether a consumer that comes back keeps its partitions.
    pub r#static: Option<NotYet>,
}

/// How long a receive of SQS waits at most, which is what is recommended (SQS Developer Guide, long polling).
const WAIT: Span = 20 * SECOND;

impl ConsumeSettings {
    /// What becomes of a message whose handler fails.
    pub fn failure(&self, manner: &Manner) -> FailureSettings {
        let usual = if manner.visibility.is_some() { FailureSettings::Wait } else { FailureSettings::Requeue };
        self.on_failure.unwrap_or(usual)
    }

    /// Messages that come with one receive, at most.
    pub fn batch(&self) -> u32 {
        self.batch.unwrap_or(1)
    }

    /// How long a poll stands.
    pub fn wait(&self) -> Span {
        self.wait.map_or(WAIT, |wait| wait.0)
    }

    /// Whether one message of a batch can fail alone.
    pub fn fails_partially(&self) -> bool {
        self.partial_failures.unwrap_or(true)
    }

    /// Unacknowledged messages that a replica holds at most, where it is sent them and that is bounded.
    pub fn prefetch(&self, manner: &Manner) -> Option<u32> {
        self.prefetch.or(manner.prefetch).filter(|_| manner.pushes)
    }

    /// What is wrong with it, given how the queue hands out messages.
    pub fn check(&self, manner: &Manner, problems: &mut Problems) {
        let (from, style) = (&self.from, manner.style);
        let mut at = from.path.clone();
        if at.segments().last().is_some_and(|last| last == "from") {
            at.pop();
        }
        let mut error = |code: &'static str, key: &str, message: String, help: &str| {
            problems.push(Problem::error(code, from.span, message).path(at.clone().join(key)).help(help));
        };
        let polls = manner.visibility.is_some();
        let of_polls = [
            ("wait", self.wait.is_some()),
            ("extend_visibility", self.extend_visibility.is_some()),
            ("batch", self.batch.is_some_and(|batch| batch > 1) && manner.batch_max == 1),
        ];
        for (key, _) in of_polls.into_iter().filter(|(_, is_written)| *is_written && !polls) {
            let message = format!("`{key}` has no effect: `{}` has the style `{style}`, which is not polled", from.as_str());
            error("no_effect", key, message, "remove it, or consume from a queue of the style `sqs` or `sqs_fifo`");
        }
        if polls && self.batch() > manner.batch_max {
            let message = format!("a receive from a queue of the style `{style}` brings at most {} messages", manner.batch_max);
            error("out_of_range", "batch", message, "write a smaller `batch`");
        }
        if self.partial_failures.is_some() && self.batch() == 1 {
            let message = "`partial_failures` has no effect: a receive brings one message".to_string();
            error("no_effect", "partial_failures", message, "remove it, or write a larger `batch`");
        }
        if self.prefetch.is_some() && !manner.pushes {
            let message =
                format!("`prefetch` has no effect: `{}` has the style `{style}`, which hands out what is asked for", from.as_str());
            error("no_effect", "prefetch", message, "remove it, or consume from a queue of the style `rabbitmq`");
        }
        if self.ack == AckSettings::Before && self.extend_visibility == Some(true) {
            let message = "`extend_visibility` has no effect: with `ack: before` a message is done before its handler begins";
            error("no_effect", "extend_visibility", message.to_string(), "remove it, or write `ack: after`");
        }
        match self.on_failure {
            Some(FailureSettings::Wait) if !polls => {
                let message =
                    format!("`wait` has no effect: in a queue of the style `{style}` no message becomes visible again by itself");
                error("no_effect", "on_failure", message, "write `on_failure: requeue`");
            }
            Some(FailureSettings::DeadLetter) if !manner.has_dead_letter => {
                let message = format!("`{}` has no `dead_letter` to which messages could go", from.as_str());
                error("no_dead_letter", "on_failure", message, "write `dead_letter: NAME` in the queue");
            }
            Some(
                FailureSettings::Wait
                | FailureSettings::DeadLetter
                | FailureSettings::Requeue
                | FailureSettings::Skip
                | FailureSettings::Retry(_),
            )
            | None => {}
        }
    }
}

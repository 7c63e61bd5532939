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

/// What happens to a message whose handler does not end ok, accepted or degraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum FailureSettings {
    /// The message returns to its place in the queue and is delivered again, up to the queue's limit.
    Requeue,
    /// The message is acknowledged as if it had succeeded.
    Skip,
    /// The message stays invisible until its `visibility_timeout` expires and is then delivered again.
    Wait,
    /// The message moves to the queue's `dead_letter`.
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
    /// Handler that receives the messages. Defaults to the one for the published operation.
    pub op: Option<Spanned<Name>>,
    /// Messages processed concurrently by each replica; with `batch`, batches. Defaults to the workers of its runtime.
    #[setting(range = "1..=1000000")]
    pub concurrency: Option<u32>,
    /// Unacknowledged messages that each replica may hold, those being processed included. Defaults to the queue's `prefetch`. For
    /// `rabbitmq` queues only.
    #[setting(range = "1..=65535")]
    pub prefetch: Option<u32>,
    /// Maximum messages per receive. They are processed one after another and acknowledged together at the end. Defaults to 1. For
    /// `sqs` and `sqs_fifo` queues only.
    #[setting(range = "1..=10000")]
    pub batch: Option<u32>,
    /// Long-poll time of a receive. Defaults to 20s. For `sqs` and `sqs_fifo` queues only.
    #[setting(range = "1s..=20s")]
    pub wait: Option<Duration>,
    /// When a message is acknowledged.
    #[setting(default = "after")]
    pub ack: AckSettings,
    /// Whether the consumer extends the visibility of the messages it is processing, each time half of the timeout has passed.
    /// Defaults to false. For `sqs` and `sqs_fifo` queues only.
    pub extend_visibility: Option<bool>,
    /// Whether the messages of a batch fail individually; in FIFO queues, later messages of the same group fail with it. If false, one
    /// failure ends the batch and none of it is acknowledged. Defaults to true.
    pub partial_failures: Option<bool>,
    /// Whether a message whose processing has succeeded before is acknowledged without running the handler. Copies of a message, stored
    /// by retries of the same publish, count as the same.
    #[setting(default = false)]
    pub idempotent: bool,
    /// Handling of a message whose handler fails. Defaults to `wait` for `sqs` and `sqs_fifo` queues and to `requeue` for the others.
    pub on_failure: Option<FailureSettings>,
    /// The network between consumer and queue: receives, messages and acknowledgements cross it.
    pub network: Option<NetworkSettings>,
    /// Consumers that share the messages.
    pub group: Option<NotYet>,
    /// How often offsets are committed.
    pub commit: Option<NotYet>,
    /// Time without a heartbeat after which a consumer is considered dead.
    pub session: Option<NotYet>,
    /// Heartbeat interval of a consumer.
    pub heartbeat: Option<NotYet>,
    /// Longest time between polls.
    pub poll_interval: Option<NotYet>,
    /// How partitions move between consumers.
    pub rebalance: Option<NotYet>,
    /// Assignment of partitions to consumers.
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
            let message = format!("`{key}` does not apply to `{}`, a queue of `style: {style}`", from.as_str());
            error("no_effect", key, message, "remove it, or use a queue of `style: sqs` or `sqs_fifo`");
        }
        if polls && self.batch() > manner.batch_max {
            let message =
                format!("a receive from a queue of `style: {style}` returns at most {} messages", manner.batch_max);
            error("out_of_range", "batch", message, "use a smaller `batch`");
        }
        if self.partial_failures.is_some() && self.batch() == 1 {
            let message = "`partial_failures` has no effect with batches of one message".to_string();
            error("no_effect", "partial_failures", message, "remove it, or use a larger `batch`");
        }
        if self.prefetch.is_some() && !manner.pushes {
            let message = format!("`prefetch` does not apply to `{}`, a queue of `style: {style}`", from.as_str());
            error("no_effect", "prefetch", message, "remove it, or use a queue of `style: rabbitmq`");
        }
        if self.ack == AckSettings::Before && self.extend_visibility == Some(true) {
            let message =
                "`extend_visibility` has no effect: with `ack: before` messages are deleted before processing";
            error("no_effect", "extend_visibility", message.to_string(), "remove it, or write `ack: after`");
        }
        match self.on_failure {
            Some(FailureSettings::Wait) if !polls => {
                let message = format!("`wait` does not apply: queues of `style: {style}` have no visibility timeout");
                error("no_effect", "on_failure", message, "use `on_failure: requeue`");
            }
            Some(FailureSettings::DeadLetter) if !manner.has_dead_letter => {
                let message = format!("`{}` has no `dead_letter`", from.as_str());
                error("no_dead_letter", "on_failure", message, "add `dead_letter: NAME` to the queue");
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

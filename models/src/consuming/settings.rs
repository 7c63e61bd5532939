//! What a service says of a queue that it consumes from.

use settings::{Name, Setting, Spanned};

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
    /// The message returns to its place in the queue and is delivered again, without limit.
    Requeue,
    /// The message is acknowledged as if it had succeeded.
    Skip,
    /// It stays invisible until its time runs out.
    Wait(NotYet),
    /// It moves to another queue.
    DeadLetter(NotYet),
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
    /// Messages processed concurrently by each replica. Defaults to the workers of its runtime.
    #[setting(range = "1..=1000000")]
    pub concurrency: Option<u32>,
    /// When a message is acknowledged.
    #[setting(default = "after")]
    pub ack: AckSettings,
    /// Handling of a message whose handler fails. Defaults to `requeue`.
    pub on_failure: Option<FailureSettings>,
    /// The network between consumer and queue: receives, messages and acknowledgements cross it.
    pub network: Option<NetworkSettings>,
    /// Consumers that share the messages.
    pub group: Option<NotYet>,
    /// Messages held in advance.
    pub prefetch: Option<NotYet>,
    /// Messages taken at once.
    pub batch: Option<NotYet>,
    /// Time that a receive waits for a message (long polling).
    pub wait: Option<NotYet>,
    /// Whether visibility is extended while a message is being processed.
    pub extend_visibility: Option<NotYet>,
    /// Whether the members of a batch fail one by one.
    pub partial_failures: Option<NotYet>,
    /// Whether duplicates are acknowledged without being processed.
    pub idempotent: Option<NotYet>,
    /// How often offsets are committed.
    pub commit: Option<NotYet>,
    /// Time without a heartbeat after which a consumer is considered dead.
    pub session: Option<NotYet>,
    /// How often a consumer says that it is there.
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

impl ConsumeSettings {
    /// What becomes of a message whose handler fails.
    pub fn failure(&self) -> FailureSettings {
        self.on_failure.unwrap_or(FailureSettings::Requeue)
    }
}

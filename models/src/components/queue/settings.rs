//! What can be said of a queue, and what follows from that and its style.

use settings::values::Scalar;
use settings::{Count, Duration, DurationDist, Name, Rate, Setting, Span as Place, Spanned};
use sim_core::Span;
use sim_core::time::{HOUR, MINUTE, SECOND};

use crate::components::kind::Checks;
use crate::consuming::Manner;
use crate::policies::not_yet::NotYet;

/// The system whose behaviour it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum StyleSettings {
    /// A plain queue: first in, first out, with acknowledgements, bounded or not. Unacknowledged messages are requeued as soon as
    /// their consumer's connection ends.
    Plain,
    /// An Amazon SQS standard queue: at-least-once delivery, order only by best effort. A received message stays invisible until it
    /// is deleted or its visibility timeout expires.
    Sqs,
    /// An Amazon SQS FIFO queue. The data key of a message is its message group: groups are delivered in order, and a group is blocked
    /// while one of its messages is in flight.
    SqsFifo,
    /// Apache Kafka.
    Kafka(NotYet),
    /// Redis streams.
    RedisStream(NotYet),
    /// A RabbitMQ quorum queue: messages are pushed to consumers up to their prefetch, and requeued when a consumer's connection ends.
    Rabbitmq,
}

impl StyleSettings {
    /// The word of the language.
    pub(super) fn word(self) -> &'static str {
        match self {
            StyleSettings::Plain => "plain",
            StyleSettings::Sqs => "sqs",
            StyleSettings::SqsFifo => "sqs_fifo",
            StyleSettings::Rabbitmq => "rabbitmq",
            StyleSettings::Kafka(never) | StyleSettings::RedisStream(never) => match never {},
        }
    }

    fn is_sqs(self) -> bool {
        match self {
            StyleSettings::Sqs | StyleSettings::SqsFifo => true,
            StyleSettings::Plain | StyleSettings::Rabbitmq => false,
            StyleSettings::Kafka(never) | StyleSettings::RedisStream(never) => match never {},
        }
    }

    fn is_fifo(self) -> bool {
        match self {
            StyleSettings::SqsFifo => true,
            StyleSettings::Plain | StyleSettings::Sqs | StyleSettings::Rabbitmq => false,
            StyleSettings::Kafka(never) | StyleSettings::RedisStream(never) => match never {},
        }
    }

    fn is_rabbitmq(self) -> bool {
        match self {
            StyleSettings::Rabbitmq => true,
            StyleSettings::Plain | StyleSettings::Sqs | StyleSettings::SqsFifo => false,
            StyleSettings::Kafka(never) | StyleSettings::RedisStream(never) => match never {},
        }
    }

    fn is_plain(self) -> bool {
        match self {
            StyleSettings::Plain => true,
            StyleSettings::Sqs | StyleSettings::SqsFifo | StyleSettings::Rabbitmq => false,
            StyleSettings::Kafka(never) | StyleSettings::RedisStream(never) => match never {},
        }
    }
}

/// What happens to a publish that finds the queue full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum FullSettings {
    /// It is answered `overload` at once.
    Reject,
    /// It waits for room, and its producer with it.
    Block,
    /// It takes the place of the oldest message that waits, which is lost.
    DropOldest,
}

/// A rate limit, or none.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
#[setting(bare = "At")]
pub enum RateSettings {
    /// No limit.
    None,
    /// Calls per second.
    At(Rate),
}

/// A limit on a count, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
#[setting(bare = "Number")]
pub enum BoundSettings {
    /// No limit.
    None,
    /// The limit.
    Number(u32),
}

impl BoundSettings {
    /// The number, where there is one.
    fn number(self) -> Option<u32> {
        match self {
            BoundSettings::None => None,
            BoundSettings::Number(number) => Some(number),
        }
    }
}

/// A message queue between producers and consumers.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The system whose behaviour it follows.
    #[setting(default = "plain")]
    pub style: StyleSettings,
    /// Messages that may wait; delivered but unacknowledged ones do not count. Unbounded without it. Style `plain` only.
    #[setting(live)]
    pub capacity: Option<Count>,
    /// Handling of a publish to a full queue, with `capacity`. Defaults to `reject`.
    pub full: Option<FullSettings>,
    /// Time to store a published message.
    #[setting(default = "0s", live)]
    pub publish: DurationDist,
    /// Time from a receive to the message being sent.
    #[setting(default = "0s", live)]
    pub receive: DurationDist,
    /// Limit on publishes and, separately, on receives, with bursts of up to one second's worth. Publishes beyond it are
    /// `rate_limited`; receives are delayed. Defaults to 300/s for `sqs_fifo` and to `none` for the other styles.
    #[setting(live)]
    pub rate: Option<RateSettings>,
    /// Region.
    pub region: Option<Spanned<Name>>,
    /// Dead-letter queue: takes messages that exceed `max_receives` or `delivery_limit`, and those that a consumer rejects with
    /// `on_failure: dead_letter`. It must have the same style.
    pub dead_letter: Option<Spanned<Name>>,
    /// Time for which a received message stays invisible. If it is not deleted by then, it is received again. Defaults to 30s. Styles
    /// `sqs` and `sqs_fifo` only.
    #[setting(range = "1ms..=12h", live)]
    pub visibility_timeout: Option<Duration>,
    /// Receives of a message before it moves to `dead_letter`. Defaults to 10. Styles `sqs` and `sqs_fifo` only.
    #[setting(range = "1..=1000", live)]
    pub max_receives: Option<u32>,
    /// Time before a published message becomes visible. Defaults to 0s. Styles `sqs` and `sqs_fifo` only.
    #[setting(range = "0s..=15m")]
    pub delay: Option<Duration>,
    /// Time after which an unreceived message expires. Defaults to 96h. Styles `sqs` and `sqs_fifo` only.
    #[setting(range = "1m..=336h", live)]
    pub retention: Option<Duration>,
    /// Time for which further publishes of the same message – retries and hedges of the same call – are accepted but not stored.
    /// Defaults to 5m. Style `sqs_fifo` only.
    #[setting(range = ">0s")]
    pub dedup_window: Option<Duration>,
    /// Limit on messages in flight, that is received and not yet deleted. At the limit, receives return nothing. Defaults to 120k.
    /// Styles `sqs` and `sqs_fifo` only.
    #[setting(live)]
    pub in_flight_max: Option<Count>,
    /// Default prefetch of consumers: the unacknowledged messages that each may hold. Defaults to `none`. Style `rabbitmq` only.
    pub prefetch: Option<BoundSettings>,
    /// How often a message may be requeued. Beyond that it moves to `dead_letter`, or is dropped without one. Defaults to 20. Style
    /// `rabbitmq` only.
    #[setting(live)]
    pub delivery_limit: Option<BoundSettings>,
    /// Whether messages survive a crash of the queue. Defaults to true. Style `rabbitmq` only.
    pub durable: Option<bool>,
    /// Parts, each in order.
    pub partitions: Option<NotYet>,
    /// Brokers.
    pub brokers: Option<NotYet>,
    /// Copies of each part.
    pub replication: Option<NotYet>,
    /// Copies that must store a message.
    pub min_insync: Option<NotYet>,
    /// Copies that a publish waits for.
    pub acks: Option<NotYet>,
    /// Messages that are kept.
    pub max_length: Option<NotYet>,
    /// Persistence of messages on disk.
    pub persistence: Option<NotYet>,
}

/// How long SQS keeps a message invisible (SQS Developer Guide, visibility timeout).
const VISIBILITY: Span = 30 * SECOND;
/// How often SQS's console lets a message be received where a dead-letter queue is set up.
const MAX_RECEIVES: u32 = 10;
/// How long SQS keeps messages (SQS Developer Guide, message quotas).
const RETENTION: Span = 96 * HOUR;
/// How long SQS remembers deduplication IDs (SQS Developer Guide, exactly-once processing).
const DEDUP_WINDOW: Span = 5 * MINUTE;
/// Messages in flight in SQS, standard and (since November 2024) FIFO queues (SQS Developer Guide, message quotas).
const IN_FLIGHT_MAX: u64 = 120_000;
/// Messages that one receive of SQS brings at most.
const BATCH_MAX: u32 = 10;
/// Calls of one action a second of a FIFO queue (SQS Developer Guide, message quotas).
const FIFO_RATE: f64 = 300.0;
/// How often a quorum queue lets a message come back (RabbitMQ 4.0, quorum queues).
const DELIVERY_LIMIT: u32 = 20;

/// What a queue goes by: its settings, with what its style makes of those that are not written.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// How long a publish takes.
    pub(super) publish: DurationDist,
    /// How long handing out takes.
    pub(super) receive: DurationDist,
    /// How many messages may wait.
    pub(super) places: Option<u32>,
    /// How many publishes may wait for room.
    pub(super) blocked_max: Option<u32>,
    /// Whether a message makes room for a newer one.
    pub(super) drops_oldest: bool,
    /// Publishes a second, and receives a second.
    pub(super) rate: Option<f64>,
    /// Whether consumers keep a connection, at whose end their messages come back.
    pub(super) connects: bool,
    /// Whether messages are sent to consumers that have not asked for each.
    pub(super) pushes: bool,
    /// For how long a message that was handed out stays invisible.
    pub(super) visibility: Option<Span>,
    /// For how long a new one does.
    pub(super) delay: Span,
    /// For how long messages are kept.
    pub(super) retention: Option<Span>,
    /// How many may be handed out and not acknowledged.
    pub(super) in_flight_max: u64,
    /// Whether messages about the same key are handed out one after the other.
    pub(super) is_grouped: bool,
    /// For how long a second publish of the same message is dropped.
    pub(super) dedup: Option<Span>,
    /// How often a message is handed out, at most.
    pub(super) receives_max: Option<u32>,
    /// Whether messages go down with the queue.
    pub(super) is_volatile: bool,
}

impl Settings {
    /// What it goes by.
    pub(super) fn terms(&self) -> Terms {
        let style = self.style;
        let full = self.full.unwrap_or(FullSettings::Reject);
        let sqs = |span: Option<Duration>, usual: Span| style.is_sqs().then(|| span.map_or(usual, |span| span.0));
        Terms {
            publish: self.publish.clone(),
            receive: self.receive.clone(),
            places: self.places(),
            blocked_max: match full {
                FullSettings::Block => None,
                FullSettings::Reject | FullSettings::DropOldest => Some(0),
            },
            drops_oldest: match full {
                FullSettings::DropOldest => true,
                FullSettings::Reject | FullSettings::Block => false,
            },
            rate: self.rate_per_s(),
            connects: !style.is_sqs(),
            pushes: style.is_rabbitmq(),
            visibility: self.visibility(),
            delay: sqs(self.delay, 0).unwrap_or(0),
            retention: sqs(self.retention, RETENTION),
            in_flight_max: match style.is_sqs() {
                true => self.in_flight_max.map_or(IN_FLIGHT_MAX, |count| count.0),
                false => u64::MAX,
            },
            is_grouped: style.is_fifo(),
            dedup: style.is_fifo().then(|| self.dedup_window.map_or(DEDUP_WINDOW, |span| span.0)),
            receives_max: self.receives_max(),
            is_volatile: style.is_rabbitmq() && self.durable == Some(false),
        }
    }

    /// How many messages may wait.
    pub(super) fn places(&self) -> Option<u32> {
        self.capacity.map(|capacity| capacity.0.min(u64::from(u32::MAX)) as u32)
    }

    fn rate_per_s(&self) -> Option<f64> {
        match self.rate {
            Some(RateSettings::None) => None,
            Some(RateSettings::At(rate)) => Some(rate.0),
            None => self.style.is_fifo().then_some(FIFO_RATE),
        }
    }

    fn visibility(&self) -> Option<Span> {
        self.style.is_sqs().then(|| self.visibility_timeout.map_or(VISIBILITY, |span| span.0))
    }

    /// How often a message is handed out, at most.
    fn receives_max(&self) -> Option<u32> {
        if self.style.is_rabbitmq() {
            // It may come back so often, after the first time.
            let limit = self.delivery_limit.map_or(Some(DELIVERY_LIMIT), BoundSettings::number);
            return limit.map(|limit| limit.saturating_add(1));
        }
        self.dead_letter.as_ref().filter(|_| self.style.is_sqs())?;
        Some(self.max_receives.unwrap_or(MAX_RECEIVES))
    }

    /// What consumers need to know of it.
    pub(super) fn manner(&self) -> Manner {
        Manner {
            style: self.style.word(),
            connects: !self.style.is_sqs(),
            pushes: self.style.is_rabbitmq(),
            visibility: self.visibility(),
            batch_max: if self.style.is_sqs() { BATCH_MAX } else { 1 },
            prefetch: self.prefetch.and_then(BoundSettings::number),
            receives_max: self.receives_max(),
            can_be_bounded: self.style.is_plain(),
            blocks: matches!(self.full, Some(FullSettings::Block)),
            has_dead_letter: self.dead_letter.is_some(),
            is_ordered: self.style.is_fifo(),
        }
    }

    /// The keys that are written and belong to some styles only, with these.
    fn belonging(&self) -> [(&'static str, bool, &'static [&'static str]); 11] {
        const PLAIN: &[&str] = &["plain"];
        const SQS: &[&str] = &["sqs", "sqs_fifo"];
        const FIFO: &[&str] = &["sqs_fifo"];
        const RABBITMQ: &[&str] = &["rabbitmq"];
        [
            ("capacity", self.capacity.is_some(), PLAIN),
            ("full", self.full.is_some(), PLAIN),
            ("visibility_timeout", self.visibility_timeout.is_some(), SQS),
            ("max_receives", self.max_receives.is_some(), SQS),
            ("delay", self.delay.is_some(), SQS),
            ("retention", self.retention.is_some(), SQS),
            ("dedup_window", self.dedup_window.is_some(), FIFO),
            ("in_flight_max", self.in_flight_max.is_some(), SQS),
            ("prefetch", self.prefetch.is_some(), RABBITMQ),
            ("delivery_limit", self.delivery_limit.is_some(), RABBITMQ),
            ("durable", self.durable.is_some(), RABBITMQ),
        ]
    }

    /// What makes no sense.
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        let at: Place = checks.span();
        let style = self.style.word();
        for (key, _, styles) in self.belonging().into_iter().filter(|(_, is_written, _)| *is_written) {
            if !styles.contains(&style) {
                let message = format!("`{key}` does not apply to `style: {style}`");
                let styles: Vec<String> = styles.iter().map(|style| format!("`style: {style}`")).collect();
                let help = format!("remove it, or write {}", styles.join(" or "));
                checks.error("no_effect", at, key, &message, Some(&help));
            }
        }
        for (key, count) in [("capacity", self.capacity), ("in_flight_max", self.in_flight_max)] {
            if count.is_some_and(|count| !(1..=1_000_000_000).contains(&count.0)) {
                let message = format!("`{key}` must be at least 1 and at most 1000000000");
                checks.error("out_of_range", at, key, &message, None);
            }
        }
        if self.style.is_plain() && self.capacity.is_none() && self.full.is_some() {
            let message = "`full` has no effect: without `capacity` the queue is never full";
            let help = "write `capacity: 10k`, or remove it";
            checks.error("no_effect", at, "full", message, Some(help));
        }
        if self.style.is_sqs() && self.max_receives.is_some() && self.dead_letter.is_none() {
            let message = "`max_receives` has no effect without `dead_letter`";
            let help = "add `dead_letter: NAME`, or remove it";
            checks.error("no_effect", at, "max_receives", message, Some(help));
        }
        if self.prefetch == Some(BoundSettings::Number(0)) {
            let message = "`prefetch` must be at least 1";
            let help = "for AMQP's 0, no limit, write `prefetch: none`";
            checks.error("out_of_range", at, "prefetch", message, Some(help));
        }
        if let Some(RateSettings::At(rate)) = self.rate
            && (rate.0 <= 0.0 || rate.0 > 1e9)
        {
            let message = format!("`rate` is {}; it must be more than 0 and at most 1G/s", rate.format());
            checks.error("out_of_range", at, "rate", &message, Some("write `rate: none` for no limit"));
        }
        if let (Some(delay), Some(retention)) = (self.delay, self.terms().retention)
            && self.style.is_sqs()
            && delay.0 >= retention
        {
            let message = format!(
                "every message expires before it becomes visible: `delay` is {} and `retention` {}",
                delay.format(),
                Duration(retention).format()
            );
            checks.error("contradiction", at, "delay", &message, Some("`retention` must be longer than `delay`"));
        }
    }
}

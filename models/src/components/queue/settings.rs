//! What can be said of a queue, and what follows from that and its style.

use settings::values::Scalar;
use settings::{Count, Duration, DurationDist, Name, Rate, Setting, Span as Place, Spanned};
use sim_core::Span;
use sim_core::time::{HOUR, MINUTE, SECOND};

use crate::components::kind::Checks;
use crate::consuming::Manner;
use crate::policies::not_yet::NotYet;

/// Which system it behaves as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum StyleSettings {
    /// A queue with acknowledgements and nothing else: bounded or not, first in, first out. A consumer's messages come back as
    /// soon as its connection ends.
    Plain,
    /// Amazon SQS, a standard queue: at least once, mostly in order. A message that was received stays invisible until it is
    /// deleted or `visibility_timeout` is over.
    Sqs,
    /// Amazon SQS, a FIFO queue. Messages about the same key are a group: they are received in order, and none of them while
    /// one of them is in flight.
    SqsFifo,
    /// Apache Kafka.
    Kafka(NotYet),
    /// Redis streams.
    RedisStream(NotYet),
    /// RabbitMQ, a quorum queue: messages are sent to consumers as they come, and come back when a consumer's connection ends.
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

/// A bound on calls a second, or none.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
#[setting(bare = "At")]
pub enum RateSettings {
    /// No bound.
    None,
    /// So many a second.
    At(Rate),
}

/// A bound on a number, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
#[setting(bare = "Number")]
pub enum BoundSettings {
    /// No bound.
    None,
    /// So many.
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

/// Asynchronous hand-over.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Which system it behaves as.
    #[setting(default = "plain")]
    pub style: StyleSettings,
    /// Messages that may wait; those handed out and not yet acknowledged do not count. Without it the queue is unbounded. Only
    /// in the style `plain`.
    #[setting(live)]
    pub capacity: Option<Count>,
    /// What happens to a publish that finds the queue full; only with `capacity`. Defaults to `reject`.
    pub full: Option<FullSettings>,
    /// How long a publish takes until its message is stored.
    #[setting(default = "0s", live)]
    pub publish: DurationDist,
    /// How long it takes until a message is on its way to a receive that asks for one.
    #[setting(default = "0s", live)]
    pub receive: DurationDist,
    /// Publishes a second, and receives a second, that it takes; a publish beyond that is `rate_limited`, and a receive waits.
    /// Bursts of a second's worth pass. Defaults to `none`, and to 300/s in the style `sqs_fifo`.
    #[setting(live)]
    pub rate: Option<RateSettings>,
    /// Where it is.
    pub region: Option<Spanned<Name>>,
    /// The queue to which messages go that were received too often, or that a consumer gives up (`on_failure: dead_letter`). It
    /// must be of the same style.
    pub dead_letter: Option<Spanned<Name>>,
    /// For how long a message that was received stays invisible to others. What has not been deleted by then is received
    /// again. Defaults to 30s. Only in the styles `sqs` and `sqs_fifo`.
    #[setting(range = "1ms..=12h", live)]
    pub visibility_timeout: Option<Duration>,
    /// How often a message is received before it goes to `dead_letter`. Defaults to 10. Only in the styles `sqs` and `sqs_fifo`.
    #[setting(range = "1..=1000", live)]
    pub max_receives: Option<u32>,
    /// Time from the publish of a message until it can be received. Defaults to 0s. Only in the styles `sqs` and `sqs_fifo`.
    #[setting(range = "0s..=15m")]
    pub delay: Option<Duration>,
    /// For how long messages are kept. Defaults to 96h. Only in the styles `sqs` and `sqs_fifo`.
    #[setting(range = "1m..=336h", live)]
    pub retention: Option<Duration>,
    /// For how long a second publish of the same message is accepted and dropped: another attempt of the same call, after a
    /// timeout or as a hedge. Defaults to 5m. Only in the style `sqs_fifo`.
    #[setting(range = ">0s")]
    pub dedup_window: Option<Duration>,
    /// Messages that may be received and not yet deleted; while there are as many, none is received. Defaults to 120k. Only in
    /// the styles `sqs` and `sqs_fifo`.
    #[setting(live)]
    pub in_flight_max: Option<Count>,
    /// Unacknowledged messages that each consumer holds at most, where it does not say so itself: `basic.qos`. Defaults to
    /// `none`. Only in the style `rabbitmq`.
    pub prefetch: Option<BoundSettings>,
    /// How often a message may come back before it goes to `dead_letter`, or is dropped where there is none. Defaults to 20.
    /// Only in the style `rabbitmq`.
    #[setting(live)]
    pub delivery_limit: Option<BoundSettings>,
    /// Whether messages outlive a crash of the queue. Defaults to true. Only in the style `rabbitmq`.
    pub durable: Option<bool>,
    /// Parts, each in order.
    pub partitions: Option<NotYet>,
    /// Brokers.
    pub brokers: Option<NotYet>,
    /// Copies of each part.
    pub replication: Option<NotYet>,
    /// Copies that must have a message.
    pub min_insync: Option<NotYet>,
    /// Copies that a publish waits for.
    pub acks: Option<NotYet>,
    /// Messages that are kept.
    pub max_length: Option<NotYet>,
    /// What is written to disk.
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
                let message = format!("`{key}` has no effect: a queue of the style `{style}` has none");
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
            let message = "`max_receives` has no effect: there is no `dead_letter` to which messages could go";
            let help = "write `dead_letter: NAME` for another queue, or remove it";
            checks.error("no_effect", at, "max_receives", message, Some(help));
        }
        if self.prefetch == Some(BoundSettings::Number(0)) {
            let message = "`prefetch` must be at least 1";
            let help = "AMQP's 0 is no bound: write `prefetch: none`";
            checks.error("out_of_range", at, "prefetch", message, Some(help));
        }
        if let Some(RateSettings::At(rate)) = self.rate
            && (rate.0 <= 0.0 || rate.0 > 1e9)
        {
            let message = format!("`rate` must be more than 0 and at most 1G/s, and is {}", rate.format());
            checks.error("out_of_range", at, "rate", &message, Some("write `rate: none` for no bound"));
        }
        if let (Some(delay), Some(retention)) = (self.delay, self.terms().retention)
            && self.style.is_sqs()
            && delay.0 >= retention
        {
            let message = format!(
                "messages expire before they can be received: `delay` is {}, and `retention` {}",
                delay.format(),
                Duration(retention).format()
            );
            checks.error("contradiction", at, "delay", &message, Some("make `retention` longer than `delay`"));
        }
    }
}

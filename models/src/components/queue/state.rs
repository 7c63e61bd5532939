//! A queue: what it is made of, what it remembers, and what it reports.

use std::collections::{BTreeMap, VecDeque};

use sim_core::calendar::AlarmId;
use sim_core::figures::Set;
use sim_core::gauge::Gauge;
use sim_core::slots;
use sim_core::{CallId, ChoreId, Cx, Figure, Figures, Happens, NodeId, Record, RecordId, Span, Time};

use super::groups::Groups;
use super::leases::Leases;
use super::recent::Recent;
use super::settings::Terms;
use crate::door::Door;
use crate::policies::limiters::TokenBucket;

const PUBLISHES: Figure =
    Figure::count("published", "Messages stored, including those moved here from another queue.").kept();
const RECEIVES: Figure = Figure::count("receives", "Deliveries to consumers, redeliveries included.").kept();
const RECEIVES_MAX: Figure = Figure::max("receives_max", "Most deliveries of a single message.");
const REDELIVERED: Figure = Figure::count(
    "redelivered",
    "Messages delivered again because their handler failed or outlasted the visibility timeout, or because their consumer died or lost \
     its connection.",
)
.kept();
const ACKNOWLEDGED: Figure = Figure::count("acknowledged", "Messages acknowledged by consumers.").kept();
const DROPPED: Figure = Figure::count(
    "dropped",
    "Messages discarded: to make room for newer ones, beyond the delivery limit without a `dead_letter`, or by `discard`.",
)
.kept();
const DEAD_LETTERS: Figure = Figure::count("dead_letters", "Messages moved to the dead-letter queue.").kept();
const EXPIRED: Figure = Figure::count("expired", "Messages that expired after `retention`.").kept();
const LOST: Figure = Figure::count("lost", "Messages lost in a crash of the queue.").kept();
const MOVED: Figure = Figure::count("redriven", "Messages moved to another queue by `redrive`.");
const DEDUPLICATED: Figure =
    Figure::count("deduplicated", "Publishes accepted but not stored, as duplicates within `dedup_window`.");
const GROWTH: Figure = Figure::growth(
    "growth",
    "Growth of the number of messages in the queue, waiting or in flight, per second; negative while a backlog drains.",
);
const UNACKNOWLEDGED: Figure =
    Figure::gauge("unacknowledged", "Messages delivered and not yet acknowledged, time average.").kept();
const DELAYED: Figure = Figure::gauge("delayed", "Messages that are not visible yet because of `delay`, time average.");
const BLOCKED: Figure =
    Figure::gauge("blocked", "Publishes blocked by a full queue, with `full: block`, time average.");

/// What it reports of the messages that wait, under the names that lines have.
pub(super) const OF_DEPTH: Set = &[
    &slots::QUEUE_BOUND,
    &slots::QUEUE_DEPTH,
    &slots::QUEUE_DEPTH_MAX,
    &slots::QUEUE_DEPTH_END,
    &slots::QUEUE_OLDEST_AGE,
];
pub(super) const OWN: Set = &[
    &PUBLISHES,
    &RECEIVES,
    &RECEIVES_MAX,
    &REDELIVERED,
    &ACKNOWLEDGED,
    &UNACKNOWLEDGED,
    &DELAYED,
    &DROPPED,
    &DEAD_LETTERS,
    &EXPIRED,
    &LOST,
    &MOVED,
    &DEDUPLICATED,
    &BLOCKED,
    &GROWTH,
];

pub(super) static FULL: Happens = Happens {
    name: "queue_full",
    doc: "A publish found the queue full. Recorded again only after a later publish has found room.",
};
pub(super) static DEAD: Happens = Happens {
    name: "message_dead",
    doc: "A message exceeded its receives or was rejected: it moved to the dead-letter queue, or was dropped without one.",
};
pub(super) static LAPSED: Happens = Happens {
    name: "visibility_expired",
    doc: "The visibility timeout of a message expired before it was deleted: it can be received again.",
};
pub(super) static IN_FLIGHT_FULL: Happens = Happens {
    name: "in_flight_full",
    doc: "The limit `in_flight_max` is reached: receives return nothing until messages are deleted or expire.",
};
pub(super) static CAME_BACK_EMPTY: Happens = Happens {
    name: "queue_came_back_empty",
    doc: "The queue restarted without the messages it held, which are not `durable`.",
};

pub(super) const HAPPENS: &[&Happens] = &[&FULL, &DEAD, &LAPSED, &IN_FLIGHT_FULL, &CAME_BACK_EMPTY];

/// A connection of a consumer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    /// The call that stands as long as it does.
    pub(super) call: CallId,
    /// The consumer's number for it.
    pub(super) number: u64,
    /// How many messages it may still be sent; `None` for any number.
    pub(super) credit: Option<u32>,
}

/// Somebody waits for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receive {
    pub(super) consumer: NodeId,
    /// The call that stands; `None` where it has ended without the queue's knowledge.
    pub(super) call: Option<CallId>,
    /// When it came.
    pub(super) since: Time,
    /// How long it waits, if not for ever.
    pub(super) waits: Option<Span>,
    /// How many messages it takes.
    pub(super) batch: u32,
}

/// What goes off at an instant that changes with what the queue holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarm {
    id: AlarmId,
    at: Option<Time>,
}

impl Alarm {
    pub(super) fn new(id: AlarmId) -> Alarm {
        Alarm { id, at: None }
    }

    /// It goes off at this instant, or not at all.
    pub(super) fn set(&mut self, cx: &mut Cx<'_>, at: Option<Time>, class: sim_core::Class) {
        if self.at == at {
            return;
        }
        match at {
            Some(at) => cx.set_alarm(self.id, at.max(cx.now()), class),
            None => {
                cx.clear_alarm(self.id);
            }
        }
        self.at = at;
    }

    /// It has gone off.
    pub(super) fn went_off(&mut self) {
        self.at = None;
    }
}

/// The alarms of a queue that is up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarms {
    /// The next message becomes visible that is delayed.
    pub(super) matures: Alarm,
    /// The next message becomes visible again that was handed out.
    pub(super) lapses: Alarm,
    /// A receive is let through that came too fast.
    pub(super) passes: Alarm,
}

/// Everything counted since the end of the warm-up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) published: u64,
    pub(super) receives: u64,
    pub(super) receives_max: u32,
    pub(super) redelivered: u64,
    pub(super) acknowledged: u64,
    pub(super) dropped: u64,
    pub(super) dead_letters: u64,
    pub(super) expired: u64,
    pub(super) lost: u64,
    pub(super) moved: u64,
    pub(super) deduplicated: u64,
}

impl Counts {
    /// How many messages have left the queue, in any way.
    fn left(&self) -> u64 {
        self.acknowledged + self.dropped + self.dead_letters + self.expired + self.lost + self.moved
    }
}

/// The queue.
#[derive(Clone, Debug)]
pub struct Queue {
    pub(super) terms: Terms,
    pub(super) changes: Vec<(u32, Terms)>,
    /// What tells the first attempts of the links apart that lead here, by the link's node.
    pub(super) links: BTreeMap<NodeId, u32>,
    /// Where dead messages go.
    pub(super) dead_letter: Option<NodeId>,
    /// Whether messages may wait here for ever.
    pub(super) is_final: bool,
    /// Whether it can be known what messages are about.
    pub(super) has_keys: bool,
    /// Before the room for messages: who holds a place there is a message that waits.
    pub(super) door: Door<false>,
    pub(super) connections: BTreeMap<NodeId, Connection>,
    /// Those with a connection that may be sent more, in turn.
    pub(super) turns: VecDeque<NodeId>,
    /// Receives that stand: who came first is first.
    pub(super) standing: VecDeque<Receive>,
    /// Of those who do not connect: when what they have becomes visible again.
    pub(super) leases: Leases,
    pub(super) groups: Option<Box<Groups>>,
    /// The last message in which a group is looked for, where there are more.
    pub(super) edge: Option<RecordId>,
    /// What was published lately, where it is not to be published twice.
    pub(super) recent: Option<Box<Recent>>,
    /// The first of the messages that cannot be received yet; those behind it are later still.
    pub(super) first_delayed: Option<RecordId>,
    pub(super) alarms: Option<Alarms>,
    /// The look at whether messages have become too old.
    pub(super) expires: Option<ChoreId>,
    pub(super) publish_rate: Option<TokenBucket>,
    pub(super) receive_rate: Option<TokenBucket>,
    /// Whether it was full when somebody last published.
    pub(super) is_full: bool,
    /// Whether as many messages are in flight as may be.
    pub(super) is_in_flight_full: bool,
    /// Messages that went down with it last.
    pub(super) lost_lately: u64,
    /// Since when the oldest message that waits has been there.
    pub(super) oldest: Option<Time>,
    /// The greatest age of an oldest message that is no longer the oldest, since the end of the warm-up.
    pub(super) oldest_age_ever: Span,
    pub(super) unacknowledged: Gauge,
    pub(super) delayed: Gauge,
    pub(super) counts: Counts,
}

impl Queue {
    /// What a message is about, where that is known.
    pub(super) fn group_of(&self, cx: &Cx<'_>, record: RecordId) -> u64 {
        if self.has_keys { cx.baggage_of(record).data_key } else { 0 }
    }

    /// Whether a lease is the one under which its message is in flight.
    pub(super) fn is_current(cx: &Cx<'_>, (record, nth): (RecordId, u32)) -> bool {
        cx.record(record).is_some_and(|record: Record| record.holder.is_some() && record.receives == nth)
    }

    /// The warm-up is over.
    pub(super) fn restart_counts(&mut self, now: Time) {
        self.door.begin_measuring(now);
        self.unacknowledged.reset(now);
        self.delayed.reset(now);
        self.oldest_age_ever = 0;
        self.counts = Counts::default();
    }

    /// The oldest message that waits may be another one.
    pub(super) fn note_oldest(&mut self, cx: &Cx<'_>) {
        let first = cx.first_record().filter(|first| self.first_delayed != Some(*first));
        let oldest = first.and_then(|record| cx.record(record)).map(|record| record.stored);
        if let Some(since) = self.oldest.filter(|_| oldest != self.oldest) {
            self.oldest_age_ever = self.oldest_age_ever.max(cx.now() - since);
        }
        self.oldest = oldest;
    }

    /// Reports what it has counted and what there is.
    pub(super) fn report(&self, now: Time, figures: &mut Figures) {
        let depth = self.door.places().held_over_time();
        if let Some(places) = self.terms.places {
            figures.level(&slots::QUEUE_BOUND, u64::from(places));
        }
        figures.gauge(&slots::QUEUE_DEPTH, depth, now);
        figures.level(&slots::QUEUE_DEPTH_MAX, depth.max());
        figures.level(&slots::QUEUE_DEPTH_END, self.door.held());
        let age = self.oldest.map(|since| now - since);
        figures.peak(&slots::QUEUE_OLDEST_AGE, age, self.oldest_age_ever.max(age.unwrap_or(0)));
        let counts = &self.counts;
        figures.count(&PUBLISHES, counts.published);
        figures.count(&RECEIVES, counts.receives);
        figures.max(&RECEIVES_MAX, (counts.receives > 0).then_some(u64::from(counts.receives_max)));
        figures.count(&REDELIVERED, counts.redelivered);
        figures.count(&ACKNOWLEDGED, counts.acknowledged);
        figures.gauge(&UNACKNOWLEDGED, &self.unacknowledged, now);
        figures.gauge(&DELAYED, &self.delayed, now);
        figures.count(&DROPPED, counts.dropped);
        figures.count(&DEAD_LETTERS, counts.dead_letters);
        figures.count(&EXPIRED, counts.expired);
        figures.count(&LOST, counts.lost);
        figures.count(&MOVED, counts.moved);
        figures.count(&DEDUPLICATED, counts.deduplicated);
        figures.gauge(&BLOCKED, self.door.places().waiting_over_time(), now);
        figures.net(&GROWTH, counts.published, counts.left());
        // Its consumers add theirs.
        crate::consuming::report_none(now, figures);
    }
}

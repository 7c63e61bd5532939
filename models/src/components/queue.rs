//! A queue: messages wait in it until a consumer takes them.
//!
//! A publish is a call that ends `accepted` once its message is stored; the message is a record that outlives its producer
//! and its consumers ([`sim_core::records`]). Consumers connect and keep receives standing ([`crate::consuming`]); the oldest
//! message goes to the receive that has stood longest. Until it is acknowledged, a message is that consumer's; when the
//! consumer's connection ends, what it has not acknowledged takes its place in the queue again.
//!
//! ```text
//!   publish ─▶ [room?] ─▶ stored ─▶ handed out ─▶ acknowledged
//!                │ full      ▲           │
//!                ▼           └───────────┘ requeued, refused, or the connection ended
//!     reject · block · drop the oldest
//! ```
//!
//! `plain` is a queue that keeps its messages in its own crash and hears of a consumer's death at once, as the other end of
//! the connection does.

use std::collections::{BTreeMap, VecDeque};

use settings::{Count, DurationDist, Name, Setting, Spanned};
use sim_core::figures::Set;
use sim_core::gauge::Gauge;
use sim_core::line::{Discipline, Line};
use sim_core::random::{Key, hash};
use sim_core::slots::{self, Admission};
use sim_core::{
    Answer, CallId, Component, Cx, Ended, Figure, Figures, Next, NodeId, Outcome, RecordId, Span, Time, Timer,
};

use super::kind::{Checks, Kind};
use super::site::Site;
use crate::consuming::talk::{Say, Word};
use crate::demand::{Demand, Limits, Outcomes, Surroundings, Waiting};
use crate::directory::WORKLOAD_LINK;
use crate::door::Door;
use crate::law::Law;
use crate::link::sample;
use crate::policies::not_yet::NotYet;

/// The system whose behaviour it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum StyleSettings {
    /// A plain queue: first in, first out, with acknowledgements, bounded or not.
    Plain,
    /// Amazon SQS.
    Sqs(NotYet),
    /// Amazon SQS, first in, first out.
    SqsFifo(NotYet),
    /// Apache Kafka.
    Kafka(NotYet),
    /// Redis streams.
    RedisStream(NotYet),
    /// RabbitMQ.
    Rabbitmq(NotYet),
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

/// A message queue between producers and consumers.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The system whose behaviour it follows.
    #[setting(default = "plain")]
    pub style: StyleSettings,
    /// Messages that may wait; delivered but unacknowledged ones do not count. Unbounded without it.
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
    /// Region.
    pub region: Option<Spanned<Name>>,
    /// Destination of messages that keep failing.
    pub dead_letter: Option<NotYet>,
    /// Limits the call rate.
    pub rate: Option<NotYet>,
    /// Time that a received message stays invisible.
    pub visibility_timeout: Option<NotYet>,
    /// How often a message is received at most.
    pub max_receives: Option<NotYet>,
    /// Time before a message becomes visible.
    pub delay: Option<NotYet>,
    /// Time that messages are kept.
    pub retention: Option<NotYet>,
    /// Time within which duplicates are dropped.
    pub dedup_window: Option<NotYet>,
    /// Messages that may be received and not acknowledged.
    pub in_flight_max: Option<NotYet>,
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
    /// What is written to disk.
    pub persistence: Option<NotYet>,
    /// Messages sent to a consumer in advance.
    pub prefetch: Option<NotYet>,
    /// How often a message is delivered at most.
    pub delivery_limit: Option<NotYet>,
    /// Whether messages survive a crash of the queue.
    pub durable: Option<NotYet>,
}

impl Settings {
    /// How many messages may wait.
    fn places(&self) -> Option<u32> {
        self.capacity.map(|capacity| capacity.0.min(u64::from(u32::MAX)) as u32)
    }

    /// How many publishes may wait for room.
    fn blocked_max(&self) -> Option<u32> {
        match self.full.unwrap_or(FullSettings::Reject) {
            FullSettings::Block => None,
            FullSettings::Reject | FullSettings::DropOldest => Some(0),
        }
    }

    /// Whether a message makes room for a newer one.
    fn drops_oldest(&self) -> bool {
        match self.full.unwrap_or(FullSettings::Reject) {
            FullSettings::DropOldest => true,
            FullSettings::Reject | FullSettings::Block => false,
        }
    }
}

const EXAMPLE: &str = "\
kind: queue
style: plain
capacity: 10k
full: reject
publish: 1ms
";

// Timers of calls.
const PUBLISHED: u8 = 0;
const HANDED_OUT: u8 = 1;

const PURPOSE_PUBLISH: u32 = 0x7075;
const PURPOSE_RECEIVE: u32 = 0x7265;

const PUBLISHES: Figure = Figure::count("published", "Messages published.").kept();
const RECEIVES: Figure = Figure::count("receives", "Deliveries to consumers, redeliveries included.").kept();
const REDELIVERED: Figure = Figure::count(
    "redelivered",
    "Messages delivered again because their handler failed or their consumer died or lost its connection.",
)
.kept();
const ACKNOWLEDGED: Figure = Figure::count("acknowledged", "Messages acknowledged by consumers.").kept();
const DROPPED: Figure =
    Figure::count("dropped", "Messages discarded to make room for newer ones, with `full: drop_oldest`.");
const UNACKNOWLEDGED: Figure =
    Figure::gauge("unacknowledged", "Messages delivered and not yet acknowledged, time average.").kept();
const BLOCKED: Figure =
    Figure::gauge("blocked", "Publishes blocked by a full queue, with `full: block`, time average.");

/// What it reports of the messages that wait, under the names that lines have.
const OF_DEPTH: Set = &[
    &slots::QUEUE_BOUND,
    &slots::QUEUE_DEPTH,
    &slots::QUEUE_DEPTH_MAX,
    &slots::QUEUE_DEPTH_END,
    &slots::QUEUE_OLDEST_AGE,
];
const OWN: Set = &[&PUBLISHES, &RECEIVES, &REDELIVERED, &ACKNOWLEDGED, &UNACKNOWLEDGED, &DROPPED, &BLOCKED];

/// A connection of a consumer.
#[derive(Clone, Copy, Debug)]
struct Connection {
    /// The call that stands as long as it does.
    call: CallId,
    /// The consumer's number for it.
    number: u64,
}

/// The queue.
#[derive(Clone, Debug)]
pub struct Queue {
    settings: Settings,
    changes: Vec<(u32, Settings)>,
    /// What tells the first attempts of the links apart that lead here, by the link's node.
    links: BTreeMap<NodeId, u32>,
    /// Before the room for messages: who holds a place there is a message that waits.
    door: Door<false>,
    connections: BTreeMap<NodeId, Connection>,
    /// Receives that stand, and whose they are: who came first is first.
    standing: VecDeque<(NodeId, CallId)>,
    /// Since when the oldest message that waits has been there.
    oldest: Option<Time>,
    /// The greatest age of an oldest message that is no longer the oldest, since the end of the warm-up.
    oldest_age_ever: Span,
    unacknowledged: Gauge,
    published: u64,
    receives: u64,
    redelivered: u64,
    acknowledged: u64,
    dropped: u64,
}

impl Kind for Queue {
    const NAME: &'static str = "queue";
    const EXAMPLE: &'static str = EXAMPLE;
    const FIGURES: &'static [Set] = &[OF_DEPTH, OWN];
    const HANDS_OUT: bool = true;
    type Settings = Settings;

    fn region(settings: &Settings) -> Option<&Spanned<Name>> {
        settings.region.as_ref()
    }

    fn limits(settings: &Settings) -> Limits {
        let waiting = settings.places().map_or(Waiting::Unbounded, Waiting::UpTo);
        Limits { waiting, ..Limits::default() }
    }

    fn demand(settings: &Settings, _op: &str, _around: &mut Surroundings<'_>) -> Demand {
        Demand {
            answer: Outcomes::always(Outcome::Accepted, Law::of_durations(&settings.publish.0)),
            ..Demand::default()
        }
    }

    fn check(settings: &Settings, checks: &mut Checks<'_>) {
        if settings.capacity.is_some_and(|capacity| !(1..=1_000_000_000).contains(&capacity.0)) {
            let message = "`capacity` must be at least 1 and at most 1000000000";
            checks.error("out_of_range", checks.span(), "capacity", message, None);
        }
        if settings.capacity.is_none() && settings.full.is_some() {
            let message = "`full` has no effect: without `capacity` the queue is never full";
            let help = "write `capacity: 10k`, or remove it";
            checks.error("no_effect", checks.span(), "full", message, Some(help));
        }
    }

    fn build(settings: &Settings, site: &mut Site<'_>) -> Queue {
        Queue {
            door: Door::untimed(settings.places(), Line::new(Discipline::Fifo, settings.blocked_max())),
            links: links_to(site),
            settings: settings.clone(),
            changes: Vec::new(),
            connections: BTreeMap::new(),
            standing: VecDeque::new(),
            oldest: None,
            oldest_age_ever: 0,
            unacknowledged: Gauge::new(0, 0),
            published: 0,
            receives: 0,
            redelivered: 0,
            acknowledged: 0,
            dropped: 0,
        }
    }

    fn prepare(&mut self, change: u32, settings: &Settings) {
        self.changes.push((change, settings.clone()));
    }
}

/// The nodes of the links that lead to a component, and what tells their draws apart.
fn links_to(site: &Site<'_>) -> BTreeMap<NodeId, u32> {
    let directory = site.directory;
    let leads_here = |link: &crate::directory::LinkEntry| link.targets.iter().any(|t| t.nodes.contains(&site.node));
    let mut links = BTreeMap::new();
    for workload in directory.workloads.iter().filter(|workload| leads_here(&workload.link)) {
        links.insert(NodeId(workload.node.0 + 1), hash(0, WORKLOAD_LINK) as u32);
    }
    for (component, place) in directory.components.iter().enumerate() {
        for link in place.links.iter().filter(|link| leads_here(link)) {
            links.extend((0..place.replicas).map(|replica| directory.link_of(component, replica, &link.name)));
        }
    }
    links
}

impl Queue {
    /// The key of a message: that of the first attempt of the logical call that publishes it, so that another attempt of the
    /// same call makes the same message.
    fn key_of(&self, cx: &Cx<'_>, call: CallId) -> Key {
        let link = if cx.is_own_attempt(call) { None } else { cx.caller(call) };
        match link.and_then(|link| self.links.get(&link)) {
            Some(salt) => cx.callers_key(call).child(*salt, 0),
            None => cx.key(call),
        }
    }

    /// A publish has been worked on: there is room for its message, or there is not.
    fn publish(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if self.settings.drops_oldest() && !self.door.has_room() {
            self.drop_oldest(cx);
        }
        match self.door.enter(cx, call, cx.priority(call)) {
            Admission::Granted => {
                let then = self.keep(cx, call);
                self.settle(cx);
                then
            }
            Admission::Queued => Next::WAIT,
            Admission::Full => Next::reply(call, cx.answer(Outcome::Overload)),
        }
    }

    /// A message is stored where there is room for it.
    fn keep(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let key = self.key_of(cx, call);
        cx.store(call, key);
        self.published += 1;
        Next::reply(call, cx.answer(Outcome::Accepted))
    }

    fn drop_oldest(&mut self, cx: &mut Cx<'_>) {
        if let Some(record) = cx.first_record() {
            cx.end_record(record, Ended::Dropped);
            self.door.give_back(cx.now(), cx.now(), None);
            self.dropped += 1;
        }
    }

    /// Messages go to receives, and the room to publishes that wait for it, until there is nothing left to do.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        if !self.door.open() {
            return;
        }
        loop {
            self.hand_out(cx);
            if !self.door.lets_in() {
                break;
            }
            let Some(next) = self.door.next(cx) else { continue };
            let then = self.keep(cx, next.call);
            cx.post(then);
        }
        self.door.shut();
        let oldest = cx.first_record().and_then(|record| cx.record(record)).map(|record| record.stored);
        if let Some(since) = self.oldest.filter(|_| oldest != self.oldest) {
            self.oldest_age_ever = self.oldest_age_ever.max(cx.now() - since);
        }
        self.oldest = oldest;
    }

    fn hand_out(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        while let Some(record) = cx.first_record() {
            let Some((_, receive)) = self.standing.pop_front() else { return };
            cx.lease(receive, record);
            self.door.give_back(now, now, None);
            self.unacknowledged.up(now);
            self.receives += 1;
            let Some(found) = cx.record(record) else { return };
            if found.receives == 1 {
                cx.measure().waited(found.stored, now - found.stored);
            } else {
                self.redelivered += 1;
            }
            let mut draw = Key::from_bits(found.key).draw(PURPOSE_RECEIVE, found.receives);
            match self.settings.receive.0.sample_span(&mut draw) {
                0 => {
                    let answer = cx.answer(Outcome::Ok);
                    cx.post(Next::reply(receive, answer));
                }
                takes => {
                    cx.work(takes, Timer::of(HANDED_OUT, receive));
                }
            }
        }
    }

    /// A message that was handed out waits again.
    fn put_back(&mut self, cx: &mut Cx<'_>, record: RecordId, counts: bool) {
        cx.put_back(record, counts);
        self.door.take(cx.now());
        self.unacknowledged.down(cx.now());
    }

    /// A consumer says something.
    fn hear(&mut self, cx: &mut Cx<'_>, call: CallId, say: Say) -> Next {
        let consumer = cx.beginner(call);
        match say {
            Say::Connect(number) => {
                self.disconnect(cx, consumer);
                self.connections.insert(consumer, Connection { call, number });
                self.settle(cx);
                Next::WAIT
            }
            Say::Receive(number) => {
                if self.connections.get(&consumer).is_none_or(|connection| connection.number != number) {
                    return Next::reply(call, cx.answer(Outcome::Reset));
                }
                self.standing.push_back((consumer, call));
                self.settle(cx);
                Next::WAIT
            }
            Say::Of(word, record, nth) => {
                let is_theirs = |r: sim_core::Record| r.holder == Some(consumer) && r.receives == nth;
                if cx.record(record).is_some_and(is_theirs) {
                    match word {
                        Word::Acknowledge => {
                            cx.end_record(record, Ended::Acknowledged);
                            self.unacknowledged.down(cx.now());
                            self.acknowledged += 1;
                        }
                        Word::Requeue => self.put_back(cx, record, true),
                        Word::Refuse => self.put_back(cx, record, false),
                    }
                    self.settle(cx);
                }
                Next::reply(call, cx.answer(Outcome::Ok))
            }
        }
    }

    /// A consumer's connection has ended, if it had one: its receives are void, and what it has not acknowledged waits again.
    fn disconnect(&mut self, cx: &mut Cx<'_>, consumer: NodeId) {
        let Some(connection) = self.connections.remove(&consumer) else { return };
        let answer = cx.answer(Outcome::Reset);
        cx.post(Next::reply(connection.call, answer));
        self.standing.retain(|(whose, receive)| {
            if *whose == consumer {
                cx.post(Next::reply(*receive, answer));
            }
            *whose != consumer
        });
        for record in cx.leased_to(Some(consumer)) {
            self.put_back(cx, record, true);
        }
    }
}

impl Component for Queue {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        // After a crash no connection is left, and nobody's acknowledgement is to come.
        for record in cx.leased_to(None) {
            self.put_back(cx, record, true);
        }
        self.settle(cx);
        Next::WAIT
    }

    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if let Some(say) = Say::of(cx, call) {
            return self.hear(cx, call, say);
        }
        match sample(&self.settings.publish.0, cx, call, PURPOSE_PUBLISH) {
            0 => self.publish(cx, call),
            takes => {
                cx.work(takes, Timer::of(PUBLISHED, call));
                Next::WAIT
            }
        }
    }

    fn on_reply(&mut self, _cx: &mut Cx<'_>, _call: CallId, _child: CallId, _answer: Answer) -> Next {
        unreachable!("a queue calls nobody")
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let call = timer.call();
        if !cx.is_open(call) {
            return Next::WAIT;
        }
        if timer.what == PUBLISHED { self.publish(cx, call) } else { Next::reply(call, cx.answer(Outcome::Ok)) }
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let Some(say) = Say::of(cx, call) else {
            // A publish that waits for room leaves; one that is being worked on is stored.
            return match self.door.leave_line(cx.now(), call) {
                true => Next::reply(call, cx.answer(Outcome::Cancelled)),
                false => Next::WAIT,
            };
        };
        let consumer = cx.beginner(call);
        if let Say::Connect(_) = say
            && self.connections.get(&consumer).is_some_and(|connection| connection.call == call)
        {
            self.disconnect(cx, consumer);
            self.settle(cx);
            return Next::WAIT;
        }
        self.standing.retain(|(_, receive)| *receive != call);
        Next::reply(call, cx.answer(Outcome::Cancelled))
    }

    fn rebuild(&mut self, now: Time) {
        // The messages that wait are still there.
        let waiting = self.door.held();
        self.door.clear(now);
        (0..waiting).for_each(|_| self.door.take(now));
        self.connections.clear();
        self.standing.clear();
    }

    fn begin_measuring(&mut self, now: Time) {
        self.door.begin_measuring(now);
        self.unacknowledged.reset(now);
        self.oldest_age_ever = 0;
        (self.published, self.receives, self.redelivered) = (0, 0, 0);
        (self.acknowledged, self.dropped) = (0, 0);
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        let depth = self.door.places().held_over_time();
        if let Some(places) = self.settings.places() {
            figures.level(&slots::QUEUE_BOUND, u64::from(places));
        }
        figures.gauge(&slots::QUEUE_DEPTH, depth, now);
        figures.level(&slots::QUEUE_DEPTH_MAX, depth.max());
        figures.level(&slots::QUEUE_DEPTH_END, self.door.held());
        let age = self.oldest.map(|since| now - since);
        figures.peak(&slots::QUEUE_OLDEST_AGE, age, self.oldest_age_ever.max(age.unwrap_or(0)));
        figures.count(&PUBLISHES, self.published);
        figures.count(&RECEIVES, self.receives);
        figures.count(&REDELIVERED, self.redelivered);
        figures.count(&ACKNOWLEDGED, self.acknowledged);
        figures.gauge(&UNACKNOWLEDGED, &self.unacknowledged, now);
        figures.count(&DROPPED, self.dropped);
        figures.gauge(&BLOCKED, self.door.places().waiting_over_time(), now);
    }

    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        let Some((_, settings)) = self.changes.iter().find(|(number, _)| *number == change).cloned() else {
            return false;
        };
        self.settings = settings;
        self.door.adopt(cx.now(), self.settings.places(), self.settings.blocked_max());
        self.settle(cx);
        true
    }
}

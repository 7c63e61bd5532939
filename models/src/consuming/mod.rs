//! Consuming: how the replicas of a service take messages from a queue.
//!
//! A consumer is one node for each (replica, queue that it consumes from), and dies with its replica. It gets messages as the
//! queue hands them out: it keeps a connection and as many receives standing as messages may still be taken on; or it polls,
//! without a connection; or it keeps a connection over which it is sent what it has room for. Each message is delivered to
//! the replica as a call without a caller, which its admission lets in as any other call; when that has ended, the consumer
//! tells the queue what becomes of the message and goes on to the next.
//!
//! ```text
//!   queue ──messages──▶ consumer ──delivery──▶ [admission] ─▶ worker ─▶ handler
//!     ▲                    │                                              │
//!     └── acknowledge ─────┴──────────────── outcome ◀────────────────────┘
//! ```
//!
//! What comes with one receive is worked on one after the other (`work.rs`), and acknowledged together at the end. A consumer
//! that cannot reach the queue tries again after [`RECONNECT`]. After a refusal, and after a delivery that failed in no time
//! at all, the place that the message had stays empty for [`PAUSE`], so that nothing goes round at one instant.

mod manner;
mod settings;
pub mod talk;
mod work;

use std::collections::VecDeque;
use std::sync::Arc;

use sim_core::figures::Set;
use sim_core::gauge::Gauge;
use sim_core::random::Key;
use sim_core::slab::Slab;
use sim_core::time::{MILLISECOND, SECOND};
use sim_core::{
    Answer, Begin, CallId, ChoreId, Component, Cx, Figure, Figures, Message, Next, NodeId, Outcome, RecordId, Span,
    Time, Timer,
};

pub use manner::Manner;
pub use settings::{AckSettings, ConsumeSettings, FailureSettings};
use talk::{ACKNOWLEDGE_ALL, Say};

/// After how long a consumer that has lost its connection tries to connect again.
pub const RECONNECT: Span = SECOND;

/// For how long a place for a message stays empty after a refusal or a failure that took no time.
pub const PAUSE: Span = 100 * MILLISECOND;

const DUPLICATES: Figure = Figure::count(
    "duplicates",
    "Messages processed successfully although they had been processed successfully before or had left the queue meanwhile.",
)
.kept();
const OUT_OF_ORDER: Figure =
    Figure::count("out_of_order", "Messages processed after a later message of the same key; 0 without data keys.");
const SKIPPED: Figure =
    Figure::count("skipped", "Duplicates acknowledged without running the handler, with `idempotent`.");
const HELD: Figure = Figure::gauge(
    "prefetched",
    "Messages waiting in the consumers' prefetch buffers, time average; always 0 where messages are not pushed.",
);

/// What consumers report, as a part of the queue that they consume from.
pub const FIGURES: Set = &[&DUPLICATES, &OUT_OF_ORDER, &SKIPPED, &HELD];

fn report(counts: &Counts, held: &Gauge, now: Time, figures: &mut Figures) {
    figures.count(&DUPLICATES, counts.duplicates);
    figures.count(&OUT_OF_ORDER, counts.out_of_order);
    figures.count(&SKIPPED, counts.skipped);
    figures.gauge(&HELD, held, now);
}

/// Reports what there is to say of consumers where there are none.
pub fn report_none(now: Time, figures: &mut Figures) {
    report(&Counts::default(), &Gauge::new(now, 0), now, figures);
}

/// What one consumer is made of; fixed.
#[derive(Clone, Debug)]
pub struct ConsumerPlan {
    /// The replica that works on the messages.
    pub replica: NodeId,
    /// The component that hands them out.
    pub queue: NodeId,
    /// Row of the path table for the way there.
    pub path: u16,
    /// How it hands them out.
    pub manner: Manner,
    /// Messages, or batches of them, at work at once.
    pub concurrency: u32,
    /// Unacknowledged messages that are held at most, where that is bounded.
    pub prefetch: Option<u32>,
    /// Messages that come with one receive, at most.
    pub batch: u32,
    /// How long a poll stands.
    pub wait: Span,
    /// When a message is acknowledged.
    pub ack: AckSettings,
    /// What becomes of one whose handler fails.
    pub on_failure: FailureSettings,
    /// Whether one of a batch can fail alone.
    pub fails_partially: bool,
    /// After how long a message at work is asked for to stay invisible for longer.
    pub extends_after: Option<Span>,
    /// Whether what is done already is not worked on again.
    pub is_idempotent: bool,
    /// Whether messages say what they are about.
    pub has_keys: bool,
    /// What is asked of the replica, where that is not what was published.
    pub op: Option<u16>,
    /// The key of what this consumer says, which no other has.
    pub key: Key,
}

/// A message that has come.
#[derive(Clone, Copy, Debug)]
struct Held {
    record: RecordId,
    nth: u32,
    message: Message,
}

/// A message at work, and what came with it.
#[derive(Clone, Debug)]
struct AtWork {
    record: RecordId,
    nth: u32,
    /// The key of the call that it was made of.
    key: Key,
    /// What it is about, where that is known.
    about: Option<u64>,
    /// The connection over which it came.
    connection: u64,
    begun: Time,
    /// When it is next asked for to stay invisible for longer.
    extends: Option<ChoreId>,
    rest: Option<Box<Rest>>,
}

/// What came with the same receive as a message.
#[derive(Clone, Debug, Default)]
struct Rest {
    /// Yet to be worked on.
    left: VecDeque<Held>,
    /// To be acknowledged.
    done: Vec<(RecordId, u32)>,
    /// What those are about that failed.
    failed: Vec<u64>,
}

/// Something that has to be said again.
#[derive(Clone, Debug)]
struct Unsaid {
    say: Say,
    enclosed: Vec<(RecordId, u32)>,
    connection: u64,
}

// What a call is, in its note; for a delivery, the place of the message is in the bits above.
const CONNECTION: u64 = 1;
const RECEIVES: u64 = 2;
const SAID: u64 = 3;
const DELIVERY: u64 = 4;
const BITS: u32 = 3;

// Timers.
const CONNECTS: u8 = 0;
const GOES_ON: u8 = 1;
const SAYS_AGAIN: u8 = 2;
const EXTENDS: u8 = 3;

/// Everything counted since the end of the warm-up.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    duplicates: u64,
    out_of_order: u64,
    skipped: u64,
}

/// The consumer of one replica.
#[derive(Clone, Debug)]
pub struct Consumer {
    plan: Arc<ConsumerPlan>,
    /// Connections begun and things said so far; both go on after a crash.
    connections: u64,
    said: u32,
    /// The connection, while there is one.
    connection: Option<CallId>,
    /// Receives that stand, by what their calls have noted.
    standing: Slab<CallId>,
    /// Messages that were sent and wait for a place.
    held: VecDeque<Held>,
    held_over_time: Gauge,
    /// Whether messages that were sent are being begun further up the stack.
    is_going_on: bool,
    at_work: Slab<AtWork>,
    /// Places for messages that stay empty for a while.
    pausing: u32,
    unsaid: Slab<Unsaid>,
    counts: Counts,
}

impl Consumer {
    /// The consumer of a plan.
    pub fn new(plan: ConsumerPlan) -> Consumer {
        Consumer {
            plan: Arc::new(plan),
            connections: 0,
            said: 0,
            connection: None,
            standing: Slab::new(),
            held: VecDeque::new(),
            held_over_time: Gauge::new(0, 0),
            is_going_on: false,
            at_work: Slab::new(),
            pausing: 0,
            unsaid: Slab::new(),
            counts: Counts::default(),
        }
    }

    fn say(&mut self, cx: &mut Cx<'_>, say: Say, note: u64) -> CallId {
        let call = self.begin_to_say(cx, say, note);
        cx.post(Next::call(call));
        call
    }

    fn begin_to_say(&mut self, cx: &mut Cx<'_>, say: Say, note: u64) -> CallId {
        let (ticket, memo) = say.pack();
        let key = self.plan.key.child(0, self.said);
        self.said = self.said.wrapping_add(1);
        let call = cx.begin(Begin { to: self.plan.queue, path: self.plan.path, key, ticket, memo });
        cx.set_note(call, note);
        call
    }

    fn acknowledge_all(&mut self, cx: &mut Cx<'_>, records: Vec<(RecordId, u32)>) {
        let call = self.begin_to_say(cx, Say::AcknowledgeAll, SAID);
        cx.enclose(call, ACKNOWLEDGE_ALL, records);
        cx.post(Next::call(call));
    }

    /// Whether what is said of a message still concerns the queue: over a connection only as long as that lasts.
    fn is_heard(&self, connection: u64) -> bool {
        !self.plan.manner.connects || self.connection.is_some() && connection == self.connections
    }

    fn connect(&mut self, cx: &mut Cx<'_>) {
        if self.plan.manner.connects {
            self.connections += 1;
            let connect = Say::Connect { number: self.connections, prefetch: self.plan.prefetch };
            self.connection = Some(self.say(cx, connect, CONNECTION));
        }
        self.ask(cx);
    }

    /// Asks for as many messages as can be taken on.
    fn ask(&mut self, cx: &mut Cx<'_>) {
        let manner = &self.plan.manner;
        if manner.pushes || manner.connects && self.connection.is_none() {
            return;
        }
        let say = match manner.connects {
            true => Say::Receive(self.connections),
            false => Say::Poll { waits: self.plan.wait, batch: self.plan.batch },
        };
        let taken = |c: &Consumer| c.standing.len() + c.at_work.len() + c.pausing as usize;
        while taken(self) < self.plan.concurrency as usize {
            let place = self.standing.next_index();
            let call = self.say(cx, say, RECEIVES | u64::from(place) << BITS);
            self.standing.insert(call);
        }
    }

    /// The connection has ended, and with it all that was said over it; `answered` is the call that says so. What is at work
    /// goes on.
    fn disconnect(&mut self, cx: &mut Cx<'_>, answered: CallId) {
        let Some(connection) = self.connection.take() else { return };
        if connection != answered {
            cx.hang_up(connection);
        }
        for (_, receive) in std::mem::take(&mut self.standing).iter() {
            cx.hang_up(*receive);
        }
        self.held.clear();
        self.held_over_time.set(cx.now(), 0);
        cx.chore_to_talk_after(RECONNECT, Timer { what: CONNECTS, data: 0 });
    }

    /// A place for a message stays empty for a while.
    fn pause(&mut self, cx: &mut Cx<'_>, span: Span) {
        self.pausing += 1;
        cx.chore_to_talk_after(span, Timer { what: GOES_ON, data: 0 });
    }

    /// There may be room for more messages.
    fn go_on(&mut self, cx: &mut Cx<'_>) {
        if !self.plan.manner.pushes {
            return self.ask(cx);
        }
        // What needs no work ends while it is begun, and leads back here.
        if std::mem::replace(&mut self.is_going_on, true) {
            return;
        }
        while self.at_work.len() + (self.pausing as usize) < self.plan.concurrency as usize {
            let Some(held) = self.held.pop_front() else { break };
            self.held_over_time.set(cx.now(), self.held.len() as u64);
            let then = self.begin(cx, held, VecDeque::new());
            cx.post(then);
        }
        self.is_going_on = false;
    }

    /// A receive is answered.
    fn received(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let (record, nth) = cx.leased(call);
        let enclosed = if nth > 0 { Vec::new() } else { cx.take_out(call) };
        let records = (nth > 0).then_some((record, nth)).into_iter().chain(enclosed);
        let held = |(record, nth): (RecordId, u32)| cx.message(record).map(|message| Held { record, nth, message });
        // Of what has gone meanwhile nobody knows what it was.
        let mut messages = records.filter_map(held);
        let Some(first) = messages.next() else {
            self.go_on(cx);
            return Next::WAIT;
        };
        let left = messages.collect();
        self.begin(cx, first, left)
    }

    /// Something that was said was not heard.
    fn say_again(&mut self, cx: &mut Cx<'_>, call: CallId, after: Span) {
        let Some(say) = Say::of(cx, call) else { return };
        let enclosed = if say == Say::AcknowledgeAll { cx.take_out(call) } else { Vec::new() };
        let place = self.unsaid.insert(Unsaid { say, enclosed, connection: self.connections });
        cx.chore_to_talk_after(after, Timer { what: SAYS_AGAIN, data: u64::from(place) });
    }
}

impl Component for Consumer {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        if self.plan.is_idempotent {
            cx.remember_done(self.plan.queue);
        }
        self.connect(cx);
        Next::WAIT
    }

    /// A message is sent.
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let Some(Say::Message(record, nth)) = Say::of(cx, call) else { unreachable!("only messages are sent here") };
        let is_its = cx.record(record).is_some_and(|found| found.holder == Some(cx.node()) && found.receives == nth);
        if is_its
            && self.connection.is_some()
            && let Some(message) = cx.message(record)
        {
            self.held.push_back(Held { record, nth, message });
            self.held_over_time.set(cx.now(), self.held.len() as u64);
            self.go_on(cx);
        }
        Next::reply(call, cx.answer(Outcome::Ok))
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        Next::reply(call, cx.answer(Outcome::Cancelled))
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        let (note, outcome) = (cx.note(call), answer.outcome());
        let is_lost = matches!(outcome, Outcome::Reset | Outcome::Unavailable);
        match note & ((1 << BITS) - 1) {
            CONNECTION => self.disconnect(cx, call),
            RECEIVES => {
                self.standing.remove((note >> BITS) as u32);
                match outcome {
                    Outcome::Ok => return self.received(cx, call),
                    _ if is_lost && self.plan.manner.connects => self.disconnect(cx, call),
                    _ if is_lost => self.pause(cx, RECONNECT),
                    _ => self.pause(cx, PAUSE),
                }
            }
            SAID if outcome == Outcome::Ok => {
                if Say::of(cx, call) == Some(Say::AcknowledgeAll) {
                    cx.take_out(call);
                }
            }
            SAID if is_lost && self.plan.manner.connects => self.disconnect(cx, call),
            SAID => self.say_again(cx, call, if is_lost { RECONNECT } else { PAUSE }),
            _ => return self.ended(cx, call, outcome),
        }
        Next::WAIT
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        match timer.what {
            CONNECTS => self.connect(cx),
            GOES_ON => {
                self.pausing -= 1;
                self.go_on(cx);
            }
            EXTENDS => self.extend(cx, timer.data as u32),
            _ => {
                let unsaid = self.unsaid.remove(timer.data as u32).expect("it waits to be said");
                if self.is_heard(unsaid.connection) {
                    match unsaid.say {
                        Say::AcknowledgeAll => self.acknowledge_all(cx, unsaid.enclosed),
                        say => drop(self.say(cx, say, SAID)),
                    }
                }
            }
        }
        Next::WAIT
    }

    fn rebuild(&mut self, now: Time) {
        self.connection = None;
        self.standing.clear();
        self.held.clear();
        self.held_over_time.set(now, 0);
        self.is_going_on = false;
        self.at_work = Slab::new();
        self.pausing = 0;
        self.unsaid = Slab::new();
    }

    fn begin_measuring(&mut self, now: Time) {
        self.counts = Counts::default();
        self.held_over_time.reset(now);
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        report(&self.counts, &self.held_over_time, now, figures);
    }
}

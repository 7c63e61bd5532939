//! Consuming: how the replicas of a service take messages from a queue.
//!
//! A consumer is one node for each (replica, queue that it consumes from), and dies with its replica. It keeps a connection
//! to the queue and as many receives standing as messages may still be taken on. What a receive brings is delivered to the
//! replica as a call without a caller, which its admission lets in as any other call; when that has ended, the consumer
//! tells the queue what becomes of the message and asks for the next one.
//!
//! ```text
//!   queue ──message──▶ consumer ──delivery──▶ [admission] ─▶ worker ─▶ handler
//!     ▲                    │                                             │
//!     └── acknowledge ─────┴──────────────── outcome ◀───────────────────┘
//! ```
//!
//! A consumer that cannot reach the queue tries again after [`RECONNECT`]. After a refusal, and after a delivery that failed
//! in no time at all, the place that the message had stays empty for [`PAUSE`], so that nothing goes round at one instant.

mod settings;
pub mod talk;

use std::collections::BTreeMap;
use std::sync::Arc;

use sim_core::random::{Key, hash};
use sim_core::slab::Slab;
use sim_core::time::{MILLISECOND, SECOND};
use sim_core::{Answer, Begin, CallId, Component, Cx, Figures, Next, NodeId, Outcome, RecordId, Span, Time, Timer};

pub use settings::{AckSettings, ConsumeSettings, FailureSettings};
use talk::{Say, Word};

/// After how long a consumer that has lost its connection tries to connect again.
pub const RECONNECT: Span = SECOND;

/// For how long a place for a message stays empty after a refusal or a failure that took no time.
pub const PAUSE: Span = 100 * MILLISECOND;

/// The group of consumers that share the messages of a queue. There is one so far.
const GROUP: &str = "default";

/// What one consumer is made of; fixed.
#[derive(Clone, Debug)]
pub struct ConsumerPlan {
    /// The replica that works on the messages.
    pub replica: NodeId,
    /// The component that hands them out.
    pub queue: NodeId,
    /// Row of the path table for the way there.
    pub path: u16,
    /// Messages at work at once.
    pub concurrency: u32,
    /// When a message is acknowledged.
    pub ack: AckSettings,
    /// What becomes of one whose handler fails.
    pub on_failure: FailureSettings,
    /// What is asked of the replica, where that is not what was published.
    pub op: Option<u16>,
    /// The key of what this consumer says, which no other has.
    pub key: Key,
}

/// A message at work.
#[derive(Clone, Copy, Debug)]
struct AtWork {
    record: RecordId,
    nth: u32,
    /// The connection over which it came.
    connection: u64,
    begun: Time,
}

/// Something about a message that has to be said again.
#[derive(Clone, Copy, Debug)]
struct Unsaid {
    say: Say,
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

/// The consumer of one replica.
#[derive(Clone, Debug)]
pub struct Consumer {
    plan: Arc<ConsumerPlan>,
    /// Connections begun and things said so far; both go on after a crash.
    connections: u64,
    said: u32,
    /// The connection, while there is one.
    connection: Option<CallId>,
    /// Receives that stand, by index of the call.
    standing: BTreeMap<u32, CallId>,
    at_work: Slab<AtWork>,
    /// Places for messages that stay empty for a while.
    pausing: u32,
    unsaid: Slab<Unsaid>,
}

impl Consumer {
    /// The consumer of a plan.
    pub fn new(plan: ConsumerPlan) -> Consumer {
        Consumer {
            plan: Arc::new(plan),
            connections: 0,
            said: 0,
            connection: None,
            standing: BTreeMap::new(),
            at_work: Slab::new(),
            pausing: 0,
            unsaid: Slab::new(),
        }
    }

    fn say(&mut self, cx: &mut Cx<'_>, say: Say, note: u64) -> CallId {
        let (ticket, memo) = say.pack();
        let key = self.plan.key.child(0, self.said);
        self.said = self.said.wrapping_add(1);
        let call = cx.begin(Begin { to: self.plan.queue, path: self.plan.path, key, ticket, memo });
        cx.set_note(call, note);
        cx.post(Next::call(call));
        call
    }

    fn connect(&mut self, cx: &mut Cx<'_>) {
        self.connections += 1;
        self.connection = Some(self.say(cx, Say::Connect(self.connections), CONNECTION));
        self.ask(cx);
    }

    /// Asks for as many messages as can be taken on.
    fn ask(&mut self, cx: &mut Cx<'_>) {
        if self.connection.is_none() {
            return;
        }
        let taken = |c: &Consumer| c.standing.len() + c.at_work.len() + c.pausing as usize;
        while taken(self) < self.plan.concurrency as usize {
            let call = self.say(cx, Say::Receive(self.connections), RECEIVES);
            self.standing.insert(call.index(), call);
        }
    }

    /// The connection has ended, and with it all that was said over it; `answered` is the call that says so. What is at work
    /// goes on.
    fn disconnect(&mut self, cx: &mut Cx<'_>, answered: CallId) {
        let Some(connection) = self.connection.take() else { return };
        if connection != answered {
            cx.hang_up(connection);
        }
        for receive in std::mem::take(&mut self.standing).into_values() {
            cx.hang_up(receive);
        }
        cx.chore_to_talk_after(RECONNECT, Timer { what: CONNECTS, data: 0 });
    }

    /// A place for a message stays empty for a while.
    fn pause(&mut self, cx: &mut Cx<'_>) {
        self.pausing += 1;
        cx.chore_to_talk_after(PAUSE, Timer { what: GOES_ON, data: 0 });
    }

    /// A message has come.
    fn take_on(&mut self, cx: &mut Cx<'_>, record: RecordId, nth: u32) -> Next {
        let plan = self.plan.clone();
        let key = cx.record(record).map(|record| Key::from_bits(record.key).child(hash(0, GROUP) as u32, nth));
        let delivery = key.and_then(|key| cx.deliver(plan.replica, record, key, plan.op, nth > 1));
        let Some(delivery) = delivery else {
            // The queue has heard that the connection ended, and others have been quick.
            self.ask(cx);
            return Next::WAIT;
        };
        let place = self.at_work.insert(AtWork { record, nth, connection: self.connections, begun: cx.now() });
        cx.set_note(delivery, DELIVERY | u64::from(place) << BITS);
        match plan.ack {
            AckSettings::After => {}
            AckSettings::Before => {
                self.say(cx, Say::Of(Word::Acknowledge, record, nth), SAID);
            }
        }
        Next::call(delivery)
    }

    /// A delivery has ended; `has_begun` says whether a worker ever took it up.
    fn ended(&mut self, cx: &mut Cx<'_>, place: u32, outcome: Outcome, has_begun: bool) {
        let AtWork { record, nth, connection, begun } = self.at_work.remove(place).expect("it was at work");
        let word = if outcome.is_good() {
            Word::Acknowledge
        } else if outcome == Outcome::Overload && !has_begun {
            Word::Refuse
        } else {
            match self.plan.on_failure {
                FailureSettings::Requeue => Word::Requeue,
                FailureSettings::Skip => Word::Acknowledge,
                FailureSettings::Wait(never) | FailureSettings::DeadLetter(never) | FailureSettings::Retry(never) => {
                    match never {}
                }
            }
        };
        // A message of a connection that has ended is not this consumer's any more.
        let is_heard = self.connection.is_some() && connection == self.connections;
        match self.plan.ack {
            AckSettings::After if is_heard => {
                self.say(cx, Say::Of(word, record, nth), SAID);
            }
            AckSettings::After | AckSettings::Before => {}
        }
        if word == Word::Refuse || !outcome.is_good() && begun == cx.now() {
            self.pause(cx);
        }
        self.ask(cx);
    }
}

impl Component for Consumer {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        self.connect(cx);
        Next::WAIT
    }

    fn on_call(&mut self, _cx: &mut Cx<'_>, _call: CallId) -> Next {
        unreachable!("nobody calls a consumer")
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        let (note, outcome) = (cx.note(call), answer.outcome());
        let is_lost = matches!(outcome, Outcome::Reset | Outcome::Unavailable);
        match note & ((1 << BITS) - 1) {
            CONNECTION => self.disconnect(cx, call),
            RECEIVES => {
                self.standing.remove(&call.index());
                if outcome == Outcome::Ok {
                    let (record, nth) = cx.leased(call);
                    return self.take_on(cx, record, nth);
                }
                if is_lost { self.disconnect(cx, call) } else { self.pause(cx) }
            }
            SAID if outcome == Outcome::Ok => {}
            SAID if is_lost => self.disconnect(cx, call),
            SAID => {
                let say = Say::of(cx, call).expect("it said something");
                let place = self.unsaid.insert(Unsaid { say, connection: self.connections });
                cx.chore_to_talk_after(PAUSE, Timer { what: SAYS_AGAIN, data: u64::from(place) });
            }
            _ => self.ended(cx, (note >> BITS) as u32, outcome, cx.ticket(call) != 0),
        }
        Next::WAIT
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        match timer.what {
            CONNECTS => self.connect(cx),
            GOES_ON => {
                self.pausing -= 1;
                self.ask(cx);
            }
            _ => {
                let Unsaid { say, connection } = self.unsaid.remove(timer.data as u32).expect("it waits to be said");
                if self.connection.is_some() && connection == self.connections {
                    self.say(cx, say, SAID);
                }
            }
        }
        Next::WAIT
    }

    fn rebuild(&mut self, _now: Time) {
        self.connection = None;
        self.standing.clear();
        self.at_work = Slab::new();
        self.pausing = 0;
        self.unsaid = Slab::new();
    }

    fn begin_measuring(&mut self, _now: Time) {}

    fn figures(&self, _now: Time, _figures: &mut Figures) {}
}

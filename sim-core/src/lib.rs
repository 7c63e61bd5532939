//! A deterministic discrete-event engine for systems in which components call each other.
//!
//! The engine contains no components: a model supplies its own type that implements [`Component`] and connects nodes of
//! it into a network. A request is a tree of calls; an entry of a component returns what happens next, so that calls
//! run inline until something must wait. Time is integer nanoseconds, the order of events is total, every random draw
//! about a request is keyed by that request, and the whole world is plain data: a clone is a checkpoint.
//!
//! # A bank with three clerks
//!
//! Four customers arrive a minute apart and each needs a clerk for five minutes, so the fourth waits two minutes.
//! (`examples/bank.rs` models the same bank with random arrivals and checks it against Erlang's formula.)
//!
//! ```
//! use sim_core::line::{Discipline, Line};
//! use sim_core::slots::{Admission, Slots};
//! use sim_core::time::MINUTE;
//! use sim_core::*;
//!
//! #[derive(Clone)]
//! enum Node {
//!     Street { bank: NodeId },
//!     Bank { clerks: Slots },
//! }
//!
//! impl Component for Node {
//!     fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
//!         if let Node::Street { .. } = self {
//!             for minute in 0..4 {
//!                 cx.after(minute * MINUTE, Class::First, Timer { what: 0, data: minute });
//!             }
//!         }
//!         Next::WAIT
//!     }
//!
//!     // A customer enters the bank: a free clerk starts serving, otherwise the customer waits.
//!     fn on_call(&mut self, cx: &mut Cx<'_>, customer: CallId) -> Next {
//!         let Node::Bank { clerks } = self else { unreachable!("nobody calls the street") };
//!         if clerks.ask(cx.now(), customer.index(), 0) == Admission::Granted {
//!             cx.work(5 * MINUTE, Timer::of(0, customer));
//!         }
//!         Next::WAIT
//!     }
//!
//!     fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
//!         let now = cx.now();
//!         match self {
//!             // A request: target, key, intended send time, operation, priority.
//!             Node::Street { bank } => Next::call(cx.request(*bank, timer.data, now, 0, 0, Baggage::EMPTY)),
//!             // A clerk is done: the customer leaves and the clerk serves the next one.
//!             Node::Bank { clerks } => {
//!                 let customer = timer.call();
//!                 clerks.give_back(now, cx.since(customer), None);
//!                 if let Some(next) = clerks.next(now, &mut Vec::new()) {
//!                     let next = cx.open_call(next.call);
//!                     cx.work(5 * MINUTE, Timer::of(0, next));
//!                 }
//!                 Next::reply(customer, cx.answer(Outcome::Ok))
//!             }
//!         }
//!     }
//!
//!     fn on_reply(&mut self, _: &mut Cx<'_>, _: CallId, _: CallId, _: Answer) -> Next {
//!         Next::WAIT
//!     }
//!     fn rebuild(&mut self, _: Time) {}
//!     fn begin_measuring(&mut self, _: Time) {}
//!     fn figures(&self, _: Time, _: &mut Figures) {}
//! }
//!
//! let mut engine = Engine::new(1);
//! let inside = engine.add_group("bank");
//! let outside = engine.add_group("street");
//! let clerks = Slots::new(Some(3), Line::new(Discipline::Fifo, None));
//! let bank = engine.add_node(Node::Bank { clerks }, inside, None);
//! engine.add_node(Node::Street { bank }, outside, None);
//! engine.start();
//! assert_eq!(engine.run_until_idle(60 * MINUTE), Ok(true));
//!
//! let visits = &engine.group(inside).latency.histogram();
//! assert_eq!((visits.min(), visits.max()), (Some(5 * MINUTE), Some(7 * MINUTE)));
//! assert_eq!(engine.check_laws(), Ok(()));
//! ```

mod alarms;
pub mod attempts;
mod baggage;
pub mod breakdown;
pub mod calendar;
pub mod calls;
pub mod conditions;
mod connections;
mod cores;
pub mod cpu;
pub mod credits;
mod deliveries;
pub mod dist;
pub mod engine;
pub mod figures;
pub mod gauge;
pub mod happening;
pub mod heap;
pub mod histogram;
pub mod housekeeping;
pub mod keys;
mod lanes;
pub mod line;
pub mod measure;
pub mod memory;
mod near;
pub mod news;
pub mod normal;
mod order;
pub mod outcome;
mod parameter;
mod parcels;
pub mod prefetch;
pub mod quota;
pub mod random;
pub mod recorder;
pub mod records;
pub mod sharing;
pub mod slab;
pub mod slots;
pub mod sockets;
pub mod table;
mod ties;
pub mod time;
pub mod timer;
mod tournament;
pub mod trace;
pub mod turns;
pub mod undertakings;
mod wheel;
pub mod ziggurat;

pub use attempts::{AttemptCounts, Attempts};
pub use baggage::{Baggage, Carried, NO_CONNECTION, NO_TIE, NO_UNDERTAKING};
pub use breakdown::Spent;
pub use calendar::{Class, TimerId};
pub use calls::{CallId, GroupId, NodeId};
pub use conditions::Death;
pub use cpu::{ContainerNow, CpuId, CpuJob, MachineNow, Machines};
pub use engine::{
    Ahead, Begin, Breach, Coming, Component, Cx, Endless, Engine, Look, Message, Next, Open, Order, Profile, Reach,
    Sight, Stuck, To,
};
pub use figures::{Figure, Figures};
pub use happening::{About, Happens};
pub use housekeeping::ChoreId;
pub use measure::{Counts, Measure, OfOp};
pub use memory::{Commit, Memories, MemoryId, MemoryNow, MemoryUse};
pub use news::{Hearing, News};
pub use order::TIME_MAX;
pub use outcome::{Answer, Outcome};
pub use records::{Done, Ended, Record, RecordId};
pub use sockets::Sockets;
pub use time::{Span, Time};
pub use timer::Timer;
pub use undertakings::{Settled, UnderWay};

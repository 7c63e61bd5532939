//! A deterministic discrete-event engine for systems in which components call each other.
//!
//! The engine knows no component: a model brings its own type that implements [`Component`] and wires nodes of it into
//! a network. A request is a tree of calls; an entry of a component returns what happens next, so that calls run inline
//! until something must wait. Time is integer nanoseconds, the order of events is total, every random draw about a
//! request is keyed by that request, and the whole world is plain data: a clone is a checkpoint.

pub mod calendar;
pub mod calls;
pub mod conditions;
pub mod cpu;
pub mod dist;
pub mod engine;
pub mod gauge;
pub mod heap;
pub mod histogram;
pub mod keys;
mod lanes;
pub mod line;
pub mod measure;
pub mod normal;
pub mod outcome;
pub mod random;
pub mod sharing;
pub mod slab;
pub mod slots;
pub mod time;
mod wheel;
pub mod ziggurat;

pub use calendar::{Class, TimerId};
pub use calls::{Baggage, CallId, NodeId};
pub use cpu::{CpuId, CpuJob};
pub use engine::{Breach, Component, Cx, Engine, Next, Order, Profile, Stuck, Timer, To, Trace};
pub use measure::{Counts, Figures, GroupId, Measure, Merge};
pub use outcome::{Answer, Outcome};
pub use time::{Span, Time};

//! A gate: a policy of a link that lets an attempt pass, makes it wait, or refuses it.
//!
//! Throttles, breakers, rate limits and limits of concurrency are gates. A gate is a pure structure: it knows no engine,
//! is told the time, and is tested on traces. The link asks its gates in the order of the language, holds their permits
//! for as long as the attempt lasts, and gives them back at the one exit of all attempts.

use std::fmt::Debug;

use sim_core::{Figures, Happens, Outcome, Span, Time};

/// An attempt that asks to pass.
pub struct Asking<'a> {
    /// Its number; no other attempt has the same at the same time.
    pub id: u32,
    /// The number of its operation.
    pub op: u16,
    /// The data that it is about.
    pub key: u64,
    /// The client that the request came from.
    pub client: u64,
    /// How important it is; 0 first.
    pub priority: u8,
    /// Whether it repeats another attempt, here or further up.
    pub is_retry: bool,
    /// Draws a number from 0 to 1 for this attempt; a gate that draws none moves nobody's draws.
    pub chance: &'a mut dyn FnMut() -> f64,
}

/// The right to pass. The number is the gate's own, which gets it back when the attempt ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permit(pub u32);

/// Why an attempt may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// How it ends.
    pub outcome: Outcome,
    /// When to come again at the earliest, counted from now; 0 where that is not known.
    pub retry_after: Span,
}

/// What a gate says to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Pass(Permit),
    /// It waits until [`Gate::next`] names it.
    Wait,
    /// It may not.
    Refuse(Refusal),
}

/// How an attempt with a permit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The callee answered, or the network did in its place.
    Answered(Outcome),
    /// This link refused it further in: a later gate, or the pool.
    Refused(Outcome),
    /// The caller stopped waiting: `timeout`.
    GivenUp(Outcome),
    /// Nobody wants it any more, and that says nothing of the callee: it was cancelled, or another copy was faster.
    Dropped,
}

/// A policy that lets attempts pass, makes them wait or refuses them.
pub trait Gate: Clone + Debug {
    /// What the scenario says of it.
    type Settings;

    /// At the start of a run.
    fn new(settings: &Self::Settings, now: Time) -> Self;

    /// Where its random numbers come from that are about no attempt; before the run begins.
    fn seed(&mut self, now: Time, key: u64) {
        let _ = (now, key);
    }

    /// An attempt asks to pass.
    fn ask(&mut self, now: Time, who: &mut Asking<'_>) -> Verdict;

    /// An attempt that got a permit at `passed` has ended.
    fn ended(&mut self, now: Time, permit: Permit, passed: Time, end: End) {
        let _ = (now, permit, passed, end);
    }

    /// An attempt that waits gives up.
    fn leave(&mut self, now: Time, id: u32) {
        let _ = (now, id);
        unreachable!("a gate at which attempts wait lets them leave")
    }

    /// When the gate will do something by itself: let the next one pass, refuse a waiter, change its state. The link
    /// then calls [`Gate::came_due`] and [`Gate::next`].
    fn due(&self) -> Option<Time> {
        None
    }

    /// The instant that [`Gate::due`] named has come, and whatever else ends at this instant has ended.
    fn came_due(&mut self, now: Time) {
        let _ = now;
    }

    /// The next waiter that may pass, or is refused, at this instant. Called until there is none: after every end and
    /// change of settings, and when the gate is due.
    fn next(&mut self, now: Time) -> Option<(u32, Result<Permit, Refusal>)> {
        let _ = now;
        None
    }

    /// Other settings take effect. Permits that are out stay valid.
    fn adopt(&mut self, now: Time, settings: &Self::Settings);

    /// The replica that it belongs to has crashed: the state is that of the start, nobody waits, all permits are void.
    /// Measures live on.
    fn rebuild(&mut self, now: Time);

    /// The warm-up is over: measures start anew.
    fn begin_measuring(&mut self, now: Time);

    /// Reports its figures, each against its declaration.
    fn figures(&self, now: Time, figures: &mut Figures);

    /// What has happened in it since it was last asked, one at a time.
    fn told(&mut self) -> Option<&'static Happens> {
        None
    }
}

//! Look-ahead: prefetches the memory that upcoming events will touch, before anything waits for it.
//!
//! In a large system each event touches a dozen cold places, and each is only known from the one before: the timer
//! names a call, the call its caller, the caller its record, and so on. One after the other, they cost a dozen cache
//! misses. So whenever the wheel opens a bucket, the chains of all its events are followed side by side in rounds: each
//! round requests the next link of every chain and reads what the previous round requested. Nothing is changed or
//! decided here; a wrong or late prefetch only costs time.

use super::{Component, Core, Engine, Event, Kind};
use crate::calendar::TimerId;
use crate::calls::*;
use crate::timer::Timer;

/// Maximum events followed per bucket. A larger bucket was set for a single instant, in which case little is cold.
const EVENTS: usize = 64;
/// Open-call frames below which everything fits in the cache anyway.
pub(super) const CALLS_FROM: usize = 24_000;
/// Maximum links of a chain.
const ROUNDS: usize = 6;

/// An upcoming event of a node. Two words, so that it fits in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coming {
    /// The timer's `what`, or [`ANSWER`].
    what: u32,
    /// The timer's data, or the call's index.
    data: u64,
}

/// Marks an answer, in place of a timer's `what`.
const ANSWER: u32 = u32::MAX;

impl Coming {
    fn of(timer: Timer) -> Coming {
        Coming { what: u32::from(timer.what), data: timer.data }
    }

    /// An answer to the node that made, or began, the call of this index.
    fn answer(call: u32) -> Coming {
        Coming { what: ANSWER, data: u64::from(call) }
    }

    /// Whether this is the answer to a call that this node made on behalf of [`Coming::call`], or to a request that it
    /// began.
    #[inline(always)]
    pub fn is_answer(self) -> bool {
        self.what == ANSWER
    }

    /// Whether this is a timer with this `what`.
    #[inline(always)]
    pub fn is_timer(self, what: u8) -> bool {
        self.what == u32::from(what)
    }

    /// The index of the call concerned ([`Timer::of`]).
    #[inline(always)]
    pub fn call(self) -> u32 {
        self.data as u32
    }
}

/// A node's response to an upcoming event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nothing more to prefetch.
    Done,
    /// The data just requested leads to more: call again in the next round.
    Again,
    /// The event will answer the call of this index.
    Answers(u32),
}

/// The data that a component may prefetch when it looks ahead.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    core: &'a Core,
    /// 0 when a node is first asked about an event, incremented each time it is asked again.
    pub round: u32,
}

impl Ahead<'_> {
    /// Prefetches a call.
    #[inline(always)]
    pub fn prefetch_call(&self, index: u32) {
        self.core.calls.prefetch(index);
    }

    /// Prefetches a timer.
    #[inline(always)]
    pub fn prefetch_timer(&self, timer: TimerId) {
        self.core.calendar.prefetch(timer);
    }

    /// Prefetches the note of a request ([`super::Cx::set_note`]).
    #[inline(always)]
    pub fn prefetch_note(&self, index: u32) {
        self.core.calls.prefetch_note(index);
    }

    /// The ticket of a call prefetched in the previous round ([`super::Cx::set_ticket`]). The call may have ended since
    /// its timer was set; then the ticket is meaningless.
    #[inline(always)]
    pub fn ticket(&self, index: u32) -> u32 {
        self.core.calls.frame(index).map_or(NONE, |frame| frame.ticket)
    }
}

/// A chain being followed.
#[derive(Clone, Copy)]
struct Chain {
    /// The node reached; [`NONE`] if it must be read from the prefetched call.
    node: u32,
    round: u32,
    coming: Coming,
}

impl<C: Component> Engine<C> {
    /// Follows the chains of the events just made ready, including `first`, which has already been popped.
    #[cold]
    #[inline(never)]
    pub(super) fn look_ahead(&self, first: Event) {
        let core = &self.core;
        let mut chains = [Chain { node: NONE, round: 0, coming: Coming::answer(0) }; EVENTS];
        let mut count = 0;
        core.calendar.prefetch_ready(EVENTS);
        for Event { kind, what, node, data, .. } in std::iter::once(first).chain(core.calendar.ready(EVENTS - 1)) {
            if kind <= Kind::Work {
                chains[count] = Chain { node, round: 0, coming: Coming::of(Timer { what, data: data.get() }) };
                count += 1;
            }
        }
        for _ in 0..ROUNDS {
            let mut left = 0;
            for at in 0..count {
                let Chain { mut node, round, coming } = chains[at];
                if node == NONE {
                    node = core.calls.frame(coming.call()).map_or(NONE, |frame| frame.node);
                }
                let Some(component) = self.nodes.get(node as usize) else { continue };
                chains[left] = match component.look_ahead(Ahead { core, round }, coming) {
                    Sight::Done => continue,
                    Sight::Again => Chain { node, round: round + 1, coming },
                    Sight::Answers(call) => {
                        let Some(frame) = core.calls.frame(call) else { continue };
                        if frame.flags & ABANDONED != 0 || frame.parent == NONE {
                            continue;
                        }
                        if frame.flags & LENT != 0 {
                            core.calls.prefetch_note(call);
                            if let Some(timer) = frame.timer {
                                core.calendar.prefetch(timer);
                            }
                            continue;
                        }
                        if frame.flags & ROOT != 0 {
                            Chain { node: frame.parent, round: 0, coming: Coming::answer(call) }
                        } else {
                            core.calls.prefetch(frame.parent);
                            Chain { node: NONE, round: 0, coming: Coming::answer(frame.parent) }
                        }
                    }
                };
                left += 1;
            }
            count = left;
        }
    }
}

//! Looking ahead: what the events to come will touch is asked for from memory while nothing waits for it yet.
//!
//! In a large system each event touches a dozen places that have not been touched for long, and each of them is known only
//! from the one before: the timer names a call, the call its caller, the caller its record, and so on. One after the other
//! they cost a dozen journeys to memory. So whenever the wheel opens a bucket, the chains of all events in it are followed
//! side by side, link by link, in rounds: a round asks for the next link of each chain and finds what the round before asked
//! for. Nothing is changed and nothing is decided here: where this is wrong or late, an event takes longer, that is all.

use super::{Component, Core, Engine, Event, Kind};
use crate::calendar::TimerId;
use crate::calls::*;
use crate::timer::Timer;

/// As many events of a bucket are followed; one that holds more was set for one instant, where nothing is far away.
const EVENTS: usize = 64;
/// With fewer calls than this, everything is near anyway.
pub(super) const CALLS_FROM: usize = 24_000;
/// As many links a chain may have.
const ROUNDS: usize = 6;

/// What a node will have to do with soon. Two words, so that it travels in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coming {
    /// The timer's, or [`ANSWER`].
    what: u32,
    /// The timer's, or the call's index.
    data: u64,
}

/// In the place of a timer's `what`: an answer.
const ANSWER: u32 = u32::MAX;

impl Coming {
    fn of(timer: Timer) -> Coming {
        Coming { what: u32::from(timer.what), data: timer.data }
    }

    /// An answer to whoever made, or began, the call of this index.
    fn answer(call: u32) -> Coming {
        Coming { what: ANSWER, data: u64::from(call) }
    }

    /// True where a call of this node's making is answered, on behalf of [`Coming::call`], or a request that it began.
    #[inline(always)]
    pub fn is_answer(self) -> bool {
        self.what == ANSWER
    }

    /// True for a timer that was set for this.
    #[inline(always)]
    pub fn is_timer(self, what: u8) -> bool {
        self.what == u32::from(what)
    }

    /// The index of the call that it is about ([`Timer::of`]).
    #[inline(always)]
    pub fn call(self) -> u32 {
        self.data as u32
    }
}

/// What a node says of something that is coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// There is no more to ask for.
    Done,
    /// What was asked for now leads to more: ask again.
    Again,
    /// The call of this index will then be answered.
    Answers(u32),
}

/// What a component may ask for when it looks ahead.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    core: &'a Core,
    /// 0 when a node is asked for the first time about what is coming, and one more each time that it is asked again.
    pub round: u32,
}

impl Ahead<'_> {
    /// Asks for a call.
    #[inline(always)]
    pub fn prefetch_call(&self, index: u32) {
        self.core.calls.prefetch(index);
    }

    /// Asks for a timer.
    #[inline(always)]
    pub fn prefetch_timer(&self, timer: TimerId) {
        self.core.calendar.prefetch(timer);
    }

    /// Asks for the note of a request ([`super::Cx::set_note`]).
    #[inline(always)]
    pub fn prefetch_note(&self, index: u32) {
        self.core.calls.prefetch_note(index);
    }

    /// The note of a call that was asked for in the round before ([`super::Cx::set_ticket`]). The call may have ended since
    /// its timer was set: then it is a note of no meaning.
    #[inline(always)]
    pub fn ticket(&self, index: u32) -> u32 {
        self.core.calls.frame(index).map_or(NONE, |frame| frame.ticket)
    }
}

/// A chain that is being followed.
#[derive(Clone, Copy)]
struct Chain {
    /// Whom it has reached; [`NONE`] where that stands in the call that was asked for.
    node: u32,
    round: u32,
    coming: Coming,
}

impl<C: Component> Engine<C> {
    /// Follows the chains of the events that were just made ready, of which `first` has been taken already.
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

//! What ends a stretch of a run: enough events, and what would go on for ever, which is calls that go round without time
//! passing, and calls inside each other without end.
//!
//! Neither of these is counted call by call. Activations of one instant are, and a chain of calls can only be deep where there are
//! many frames; so both are looked at where the one or the other has grown, which costs the loop a comparison.

use super::{Component, Core, Engine};
use crate::calls::CallId;
use crate::time::Time;

/// One instant may not take so many activations: there, calls go round in a circle without time passing.
pub const ACTIVATIONS_AT_ONE_INSTANT: u32 = 20_000_000;

/// So many calls may wait for each other, each made on behalf of the one before.
pub const CALLS_INSIDE_EACH_OTHER: u32 = 1_000_000;

/// After so many activations of one instant it is looked how deep the calls are.
const PATIENCE: u32 = 1_000_000;

/// Calls that never come to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The instant at which this was noticed.
    pub at: Time,
    /// The group in which the last of these calls was seen.
    pub group: String,
    /// How they go on for ever.
    pub how: Endless,
}

/// How calls go on for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endless {
    /// Round and round at one instant, [`ACTIVATIONS_AT_ONE_INSTANT`] times.
    Round,
    /// Each inside the one before, deeper than [`CALLS_INSIDE_EACH_OTHER`].
    Inside,
}

/// How many events have happened, and how many more may before the loop is left. They are counted down, so that the loop has one
/// number to change and to look at.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    /// How many will have happened at the end.
    total: u64,
    /// How many of them are to come.
    left: u64,
}

impl Stretch {
    pub(super) fn new() -> Stretch {
        Stretch { total: 0, left: 0 }
    }

    /// Events so far.
    pub(super) fn events(&self) -> u64 {
        self.total - self.left
    }

    /// Another stretch of so many events, one at least.
    pub(super) fn begin(&mut self, events: u64) {
        let so_far = self.events();
        self.total = so_far.saturating_add(events.max(1));
        self.left = self.total - so_far;
    }

    /// One more event has happened; whether it was the last.
    #[inline(always)]
    pub(super) fn is_over(&mut self) -> bool {
        self.left -= 1;
        self.left == 0
    }

    /// It ends with the event that is happening.
    fn end(&mut self) {
        // Where nothing is happening, it has ended already.
        self.total -= self.left.saturating_sub(1);
        self.left = self.left.min(1);
    }
}

/// When to look next.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// After so many more activations of this instant; 0 once it is known to be endless.
    pub(super) patience: u32,
    /// Beyond so many frames.
    pub(super) frames: usize,
    /// The instant of the last look, and how often it has been looked at.
    looked_at: Time,
    looks: u32,
}

impl Watch {
    pub(super) fn new() -> Watch {
        Watch { patience: PATIENCE, frames: CALLS_INSIDE_EACH_OTHER as usize, looked_at: 0, looks: 0 }
    }

    /// Time goes forward.
    #[inline(always)]
    pub(super) fn next_instant(&mut self) {
        self.patience = PATIENCE;
    }

    /// One more activation; true where it has to be looked whether this instant is endless.
    #[inline(always)]
    pub(super) fn is_due(&mut self) -> bool {
        // Saturating, since somebody may go on with what is known to be endless.
        self.patience = self.patience.saturating_sub(1);
        self.patience == 0
    }
}

impl Core {
    /// Whether this instant has gone on for too long, now that it has gone on for longer than one at a glance.
    #[cold]
    pub(super) fn is_endless(&mut self, next: CallId) -> bool {
        if let Some(frame) = self.calls.get(next) {
            self.last_node = frame.node;
        }
        if self.watch.looked_at != self.now {
            (self.watch.looked_at, self.watch.looks) = (self.now, 0);
        }
        self.watch.looks += 1;
        if self.watch.looks * PATIENCE >= ACTIVATIONS_AT_ONE_INSTANT || self.calls.deepest().0 > CALLS_INSIDE_EACH_OTHER
        {
            self.stretch.end();
            return true;
        }
        self.watch.patience = PATIENCE;
        false
    }
}

impl<C: Component> Engine<C> {
    /// Looks how deep the calls are, now that there are more than when it was looked last.
    #[cold]
    pub(super) fn look_at_depth(&mut self) -> Result<(), Stuck> {
        self.core.watch.frames = 2 * self.core.calls.frames();
        if self.core.calls.deepest().0 > CALLS_INSIDE_EACH_OTHER { Err(self.stuck()) } else { Ok(()) }
    }

    #[cold]
    pub(super) fn stuck(&self) -> Stuck {
        let (depth, deepest) = self.core.calls.deepest();
        let (how, node) = if depth > CALLS_INSIDE_EACH_OTHER {
            (Endless::Inside, self.core.calls.at(deepest).node)
        } else {
            (Endless::Round, self.core.last_node)
        };
        let group = self.core.nodes[node as usize].group;
        Stuck { at: self.core.now, group: self.core.group_names[group.0 as usize].clone(), how }
    }
}

//! Limits of a stretch of a run: the number of events, and detection of endless loops (calls that go round without time
//! passing, and calls nested without end).
//!
//! Neither loop is detected call by call. The engine counts activations within one instant, and deep nesting requires
//! many frames. Nesting is checked only when one of the two numbers has grown, which costs the loop one comparison.

use super::{Component, Core, Engine};
use crate::calls::CallId;
use crate::time::Time;

/// Maximum activations at one instant; beyond this, calls go round in a circle without time passing.
pub const ACTIVATIONS_AT_ONE_INSTANT: u32 = 20_000_000;

/// Maximum depth of nested calls, each made on behalf of the one before.
pub const CALLS_INSIDE_EACH_OTHER: u32 = 1_000_000;

/// Activations of one instant after which the nesting depth is checked.
const PATIENCE: u32 = 1_000_000;

/// An endless loop of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The instant at which it was detected.
    pub at: Time,
    /// The group in which the last of these calls was seen.
    pub group: String,
    /// The kind of loop.
    pub how: Endless,
}

/// The kind of an endless loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endless {
    /// Round and round at one instant, [`ACTIVATIONS_AT_ONE_INSTANT`] times.
    Round,
    /// Nested deeper than [`CALLS_INSIDE_EACH_OTHER`].
    Inside,
}

/// Counts events so far and events left in this stretch. The latter counts down, so that the loop updates and tests a
/// single number.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    /// Total events at the end of the stretch.
    total: u64,
    /// Events left in the stretch.
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

    /// Begins another stretch of at most `events` events, but at least one.
    pub(super) fn begin(&mut self, events: u64) {
        let so_far = self.events();
        self.total = so_far.saturating_add(events.max(1));
        self.left = self.total - so_far;
    }

    /// Counts one event; returns whether it was the last.
    #[inline(always)]
    pub(super) fn is_over(&mut self) -> bool {
        self.left -= 1;
        self.left == 0
    }

    /// Ends the stretch with the current event.
    fn end(&mut self) {
        // If no event is being processed, the stretch has already ended.
        self.total -= self.left.saturating_sub(1);
        self.left = self.left.min(1);
    }
}

/// Thresholds for the next check.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// Activations left at this instant before the check; 0 once the loop is known to be endless.
    pub(super) patience: u32,
    /// Number of frames that triggers the check.
    pub(super) frames: usize,
    /// The instant of the last check, and the number of checks at it.
    looked_at: Time,
    looks: u32,
}

impl Watch {
    pub(super) fn new() -> Watch {
        Watch { patience: PATIENCE, frames: CALLS_INSIDE_EACH_OTHER as usize, looked_at: 0, looks: 0 }
    }

    /// Resets the counter when time advances.
    #[inline(always)]
    pub(super) fn next_instant(&mut self) {
        self.patience = PATIENCE;
    }

    /// Counts one activation; returns whether a check is due.
    #[inline(always)]
    pub(super) fn is_due(&mut self) -> bool {
        // Saturating, because a run may be continued after an endless loop was detected.
        self.patience = self.patience.saturating_sub(1);
        self.patience == 0
    }
}

impl Core {
    /// Checks for an endless loop after many activations at one instant.
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
    /// Checks the nesting depth, because the number of frames exceeds the threshold, and sets the next threshold to twice
    /// that number.
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

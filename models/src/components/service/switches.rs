//! Switching between tasks: how often, and what it takes of the cores.

use sim_core::figures::Set;
use sim_core::{Figure, Figures, Span};

/// How often a task went on that had waited.
const SWITCHES: Figure = Figure::count(
    "switches",
    "Times that a task resumed after waiting or being preempted. Only where switching costs CPU or code can be preempted.",
)
.kept();
/// What that takes of the cores.
const SWITCH_CPU: Figure = Figure::gauge(
    "switch_cpu",
    "Cores that switching between tasks keeps busy, time average. Only where switching costs CPU or code can be preempted.",
);

/// What is reported of switching.
pub(super) const FIGURES: Set = &[&SWITCHES, &SWITCH_CPU];

/// Switches since the end of the warm-up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Switches {
    count: u64,
    spent: u128,
}

impl Switches {
    /// There is another one, which takes so long of a core.
    #[inline]
    pub(super) fn note(&mut self, takes: Span) {
        self.count += 1;
        self.spent += u128::from(takes);
    }

    /// The same goes on: it takes so long more.
    pub(super) fn add(&mut self, takes: Span) {
        self.spent += u128::from(takes);
    }

    pub(super) fn figures(&self, figures: &mut Figures) {
        figures.count(&SWITCHES, self.count);
        figures.spent(&SWITCH_CPU, self.spent);
    }
}

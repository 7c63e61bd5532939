//! Threads beside the workers, on which blocking calls run, and the line of those who wait for one.

use sim_core::figures::Set;
use sim_core::line::{Discipline, Line};
use sim_core::slots::Slots;
use sim_core::{Figure, Figures, Time};

/// Threads that may run blocking calls at once.
const SIZE: Figure =
    Figure::level("blocking.size", "Threads that `block` steps may run on at once. Only where the runtime has them.");
/// Threads that run one.
const ACTIVE: Figure =
    Figure::gauge("blocking.active", "Threads that run a `block` step, time average. Only where the runtime has them.");
/// Steps that wait for one.
const WAITING: Figure = Figure::gauge(
    "blocking.waiting",
    "Steps `block` that wait for a thread, time average. Only where the runtime has them.",
);

/// What the threads report.
pub(super) const FIGURES: Set = &[&SIZE, &ACTIVE, &WAITING];

/// Threads for blocking calls.
#[derive(Clone, Debug)]
pub(super) struct Threads {
    pub(super) slots: Slots,
}

impl Threads {
    pub(super) fn new(count: u32) -> Threads {
        Threads { slots: Slots::new(Some(count), Line::new(Discipline::Fifo, None)) }
    }

    /// All of them are gone with what they ran, and made anew as they are needed.
    pub(super) fn clear(&mut self, now: Time) {
        self.slots.clear(now);
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        self.slots.begin_measuring(now);
    }

    pub(super) fn figures(&self, now: Time, figures: &mut Figures) {
        figures.level(&SIZE, self.slots.capacity().map_or(0, u64::from));
        figures.gauge(&ACTIVE, self.slots.held_over_time(), now);
        figures.gauge(&WAITING, self.slots.waiting_over_time(), now);
    }
}

//! How many replicas are in which part of their lives, over time: kept of components whose replicas come and go on purpose.

use sim_core::figures::Set;
use sim_core::gauge::Gauge;
use sim_core::{Figure, Figures, Time};

const WANTED: Figure = Figure::gauge("replicas_wanted", "Replicas that are wanted, time average.").kept().sampled();
const READY: Figure =
    Figure::gauge("replicas_ready", "Replicas that are ready and whose process lives, time average.").kept().sampled();
const STARTING: Figure = Figure::gauge("replicas_starting", "Replicas that come up, time average.").kept().sampled();
const DRAINING: Figure =
    Figure::gauge("replicas_draining", "Replicas that are shut down, time average.").kept().sampled();
const REVERSALS: Figure =
    Figure::count("autoscale.reversals", "How often `autoscale` took back a change: up after down, or down after up.");

/// What components report whose replicas come and go: by `scale`, `deploy` or `autoscale`.
pub const FIGURES: Set = &[&WANTED, &READY, &STARTING, &DRAINING, &REVERSALS];

/// Counts over time.
#[derive(Clone, Debug)]
pub(super) struct Presence {
    wanted: Gauge,
    ready: Gauge,
    starting: Gauge,
    draining: Gauge,
    /// Whether it autoscales, and whether that went up the last time.
    autoscaled: Option<Option<bool>>,
    reversals: u64,
}

impl Presence {
    /// With so many that are ready.
    pub(super) fn new(ready: u32, is_autoscaled: bool) -> Presence {
        let (count, none) = (Gauge::new(0, u64::from(ready)), Gauge::new(0, 0));
        let autoscaled = is_autoscaled.then_some(None);
        Presence {
            wanted: count.clone(),
            ready: count,
            starting: none.clone(),
            draining: none,
            autoscaled,
            reversals: 0,
        }
    }

    /// There are so many from now on.
    pub(super) fn note(&mut self, now: Time, wanted: u32, (ready, starting, draining): (u32, u32, u32)) {
        let all = [&mut self.wanted, &mut self.ready, &mut self.starting, &mut self.draining];
        for (gauge, count) in all.into_iter().zip([wanted, ready, starting, draining]) {
            if gauge.value() != u64::from(count) {
                gauge.set(now, u64::from(count));
            }
        }
    }

    /// It scales by itself.
    pub(super) fn scales(&mut self, up: bool) {
        let Some(last) = &mut self.autoscaled else { return };
        self.reversals += u64::from(last.is_some_and(|last| last != up));
        *last = Some(up);
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        let all = [&mut self.wanted, &mut self.ready, &mut self.starting, &mut self.draining];
        all.into_iter().for_each(|gauge| gauge.reset(now));
        self.reversals = 0;
    }

    pub(super) fn figures(&self, now: Time, figures: &mut Figures) {
        figures.gauge(&WANTED, &self.wanted, now);
        figures.gauge(&READY, &self.ready, now);
        figures.gauge(&STARTING, &self.starting, now);
        figures.gauge(&DRAINING, &self.draining, now);
        if self.autoscaled.is_some() {
            figures.count(&REVERSALS, self.reversals);
        }
    }
}

//! Instances of a function: those that are idle, and whether one more may be started.

use std::collections::VecDeque;

use sim_core::figures::Set;
use sim_core::gauge::Gauge;
use sim_core::{Figure, Figures, Time};

use crate::runtimes;

/// Instances over time.
const INSTANCES: Figure =
    Figure::gauge("instances", "Instances, idle ones included, time average. Only with `single`.");
/// The most of them.
const INSTANCES_MAX: Figure = Figure::peak("instances_max", "Maximum instances at any time. Only with `single`.");
/// Calls that had to wait for a new one.
const COLD_STARTS: Figure =
    Figure::count("cold_starts", "Calls that started a new instance. Only with `single`.").kept();
/// The share of them.
const COLD_SHARE: Figure =
    Figure::share("cold_start_share", "Share of the served calls that started a new instance. Only with `single`.");

/// What instances report.
pub(super) const FIGURES: Set = &[&INSTANCES, &INSTANCES_MAX, &COLD_STARTS, &COLD_SHARE];

/// How a call gets an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It takes one that is idle.
    Warm,
    /// One is started for it.
    Cold,
}

/// The instances of a function.
#[derive(Clone, Debug)]
pub(super) struct Instances {
    terms: runtimes::Instances,
    /// Since when each idle one is so; the last one that became so is taken first.
    idle: VecDeque<Time>,
    /// All that there are.
    there: Gauge,
    /// How many may be started at once, and since when that has been so.
    tokens: u32,
    counted: Time,
    cold: u64,
    begun: u64,
}

impl Instances {
    pub(super) fn new(terms: runtimes::Instances) -> Instances {
        Instances {
            terms,
            idle: VecDeque::new(),
            there: Gauge::new(0, 0),
            tokens: terms.burst,
            counted: 0,
            cold: 0,
            begun: 0,
        }
    }

    /// Those go that have been idle for too long.
    fn expire(&mut self, now: Time) {
        while let Some(gone) = self.idle.front().map(|since| since.saturating_add(self.terms.keep)) {
            if gone > now {
                break;
            }
            self.idle.pop_front();
            self.there.down(gone);
        }
    }

    /// A call takes an instance, if one is idle or `may_grow` and one may be started.
    pub(super) fn take(&mut self, now: Time, may_grow: bool) -> Option<Start> {
        self.expire(now);
        if self.idle.pop_back().is_some() {
            self.begun += 1;
            return Some(Start::Warm);
        }
        if !may_grow {
            return None;
        }
        let more = (now - self.counted) / self.terms.every;
        let full = u64::from(self.tokens) + more >= u64::from(self.terms.burst);
        self.counted = if full { now } else { self.counted + more * self.terms.every };
        self.tokens = if full { self.terms.burst } else { self.tokens + more as u32 };
        self.tokens = self.tokens.checked_sub(1)?;
        self.there.up(now);
        self.begun += 1;
        self.cold += 1;
        Some(Start::Cold)
    }

    /// How many are idle.
    pub(super) fn idle(&mut self, now: Time) -> u64 {
        self.expire(now);
        self.idle.len() as u64
    }

    /// A call is over.
    pub(super) fn give_back(&mut self, now: Time) {
        self.expire(now);
        self.idle.push_back(now);
    }

    /// All are gone.
    pub(super) fn clear(&mut self, now: Time) {
        self.idle.clear();
        self.there.set(now, 0);
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        self.expire(now);
        self.there.reset(now);
        (self.cold, self.begun) = (0, 0);
    }

    pub(super) fn figures(&self, now: Time, figures: &mut Figures) {
        let mut so_far = self.clone();
        so_far.expire(now);
        figures.gauge(&INSTANCES, &so_far.there, now);
        figures.peak(&INSTANCES_MAX, Some(so_far.there.value()), so_far.there.max());
        figures.count(&COLD_STARTS, self.cold);
        figures.ratio(&COLD_SHARE, self.cold, self.begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keep: u64, burst: u32, every: u64) -> Instances {
        Instances::new(runtimes::Instances { keep, burst, every })
    }

    #[test]
    fn the_one_that_was_last_in_use_is_taken_first() {
        let mut there = of(100, 10, 1);
        assert_eq!([there.take(0, true), there.take(0, true)], [Some(Start::Cold); 2]);
        there.give_back(10);
        there.give_back(50);
        assert_eq!(there.take(60, true), Some(Start::Warm));
        there.give_back(120);
        // The other one, idle since 10, went at 110; this one stays until 220.
        assert_eq!(there.idle(219), 1);
        assert_eq!(there.idle(220), 0);
        assert_eq!(there.take(220, true), Some(Start::Cold));
        // 2 until 110, 1 until 220.
        assert_eq!(there.there.integral(220), 2 * 110 + 110);
    }

    #[test]
    fn so_many_start_at_once_and_then_one_after_the_other() {
        let mut there = of(1_000, 2, 10);
        let mut starts = |now| there.take(now, true);
        assert_eq!([starts(0), starts(0), starts(0)], [Some(Start::Cold), Some(Start::Cold), None]);
        assert_eq!([starts(9), starts(10), starts(19), starts(20)], [None, Some(Start::Cold), None, Some(Start::Cold)]);
        // A pause saves up for no more than the burst.
        assert_eq!([starts(500), starts(500), starts(500)], [Some(Start::Cold), Some(Start::Cold), None]);
    }
}

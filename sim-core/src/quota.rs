//! Quotas: a container runs for a certain core-time in each period, and is then throttled until the next one.
//!
//! Models the bandwidth control of Linux' fair scheduler (`cpu.max` of cgroups; Turner, Rao and Rao, "CPU bandwidth
//! control for CFS", 2010): periods follow one another from the first use on, each grants the whole quota, and unused
//! quota is lost. Not modelled: the quota is handed to the cores in slices of 5 ms, some of which stay unused.

use crate::time::{Span, Time};

/// Linux' period (`cpu.cfs_period_us`).
pub const PERIOD: Span = 100_000_000;

/// Throttling statistics since the end of the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Periods in which the container ran.
    pub periods: u64,
    /// Periods in which it was throttled.
    pub throttled: u64,
    /// Total time throttled.
    pub stood: Span,
}

/// The quota of one container.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    /// Core-nanoseconds per period.
    quota: u64,
    /// Start of the current period; `None` before the first use.
    begun: Option<Time>,
    /// Total use at that time, in core-nanoseconds.
    before: u128,
    /// Since when the container is throttled.
    since: Option<Time>,
    /// Whether the current period has been counted.
    is_counted: bool,
    so_far: Throttling,
}

impl Quota {
    /// A quota of `cores` cores.
    pub(crate) fn new(cores: f64) -> Quota {
        let quota = (cores.clamp(0.0, 65_536.0) * PERIOD as f64).round() as u64;
        Quota {
            quota: quota.max(1),
            begun: None,
            before: 0,
            since: None,
            is_counted: false,
            so_far: Throttling::default(),
        }
    }

    pub(crate) fn is_throttled(&self) -> bool {
        self.since.is_some()
    }

    /// A job begins to run at `now`; total use so far is `used`.
    pub(crate) fn begin(&mut self, now: Time, used: u128) {
        if self.begun.is_none() {
            (self.begun, self.before) = (Some(now), used);
        }
        self.count();
    }

    fn count(&mut self) {
        if !std::mem::replace(&mut self.is_counted, true) {
            self.so_far.periods += 1;
        }
    }

    /// Advances to `now`, where nothing has changed since the last call: `used` returns the total use at an instant
    /// until then, and `runs` is whether any job ran. True if throttling has ended.
    pub(crate) fn advance(&mut self, now: Time, runs: bool, used: impl Fn(Time) -> u128) -> bool {
        let Some(begun) = self.begun else { return false };
        let passed = (now - begun) / PERIOD;
        if passed == 0 {
            return false;
        }
        let begins = begun + passed * PERIOD;
        self.begun = Some(begins);
        self.before = used(begins);
        self.is_counted = false;
        if runs {
            // The periods passed since, without the one that was in progress, plus the current one.
            self.so_far.periods += passed;
            self.is_counted = true;
        }
        match self.since.take() {
            Some(since) => {
                // Throttling lasts until the end of its own period.
                self.so_far.stood += begun + PERIOD - since;
                true
            }
            None => false,
        }
    }

    /// The total use at which the container must be throttled.
    pub(crate) fn bound(&self) -> u128 {
        self.before + u128::from(self.quota)
    }

    /// Throttles the container: the quota is spent.
    pub(crate) fn throttle(&mut self, now: Time) {
        self.since = Some(now);
        self.so_far.throttled += 1;
    }

    /// When the next action is due: `spent` is when the quota would be spent at the current use, `binds` whether that use
    /// exceeds the quota over a whole period.
    pub(crate) fn next(&self, spent: Option<Time>, binds: bool) -> Option<Time> {
        let ends = self.begun? + PERIOD;
        if self.since.is_some() {
            return Some(ends);
        }
        match spent {
            Some(at) if at < ends => Some(at),
            _ => binds.then_some(ends),
        }
    }

    /// Core-nanoseconds per period.
    pub(crate) fn of_a_period(&self) -> u64 {
        self.quota
    }

    pub(crate) fn throttling(&self, now: Time) -> Throttling {
        let standing = self.since.map_or(0, |since| now.saturating_sub(since));
        Throttling { stood: self.so_far.stood + standing, ..self.so_far }
    }

    pub(crate) fn begin_measuring(&mut self, now: Time) {
        self.so_far = Throttling { periods: u64::from(self.is_counted), ..Throttling::default() };
        if let Some(since) = &mut self.since {
            *since = now;
            self.so_far.throttled = 1;
        }
    }
}

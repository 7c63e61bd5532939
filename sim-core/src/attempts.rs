//! How the attempts over a link ended.

use crate::outcome::Outcome;
use crate::time::Time;

/// Attempts as their caller saw them.
#[derive(Clone, Debug, Default)]
pub struct AttemptCounts {
    /// Attempts made.
    pub attempts: u64,
    /// Those that were not the first of their call, one after the other.
    pub retries: u64,
    /// Those that were copies of another, side by side.
    pub hedges: u64,
    /// Retries and hedges that the budget refused.
    pub retries_refused: u64,
    /// Attempts by how they ended.
    pub outcomes: [u64; Outcome::COUNT],
}

impl AttemptCounts {
    /// Attempts that have ended.
    pub fn ended(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Attempts that ended, and not well.
    pub fn failed(&self) -> u64 {
        self.outcomes[Outcome::Degraded as usize + 1..].iter().sum()
    }

    /// Adds another replica's.
    pub fn merge(&mut self, other: &AttemptCounts) {
        self.attempts += other.attempts;
        self.retries += other.retries;
        self.hedges += other.hedges;
        self.retries_refused += other.retries_refused;
        for (a, b) in self.outcomes.iter_mut().zip(other.outcomes) {
            *a += b;
        }
    }

    /// What has been added since `earlier`.
    pub fn since(&self, earlier: &AttemptCounts) -> AttemptCounts {
        let mut outcomes = self.outcomes;
        for (a, b) in outcomes.iter_mut().zip(earlier.outcomes) {
            *a -= b;
        }
        AttemptCounts {
            attempts: self.attempts - earlier.attempts,
            retries: self.retries - earlier.retries,
            hedges: self.hedges - earlier.hedges,
            retries_refused: self.retries_refused - earlier.retries_refused,
            outcomes,
        }
    }
}

/// Who counts attempts: every one at its own instant, and apart from that those that do not count for the totals,
/// because they were begun before the end of the warm-up.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    /// Every attempt at its own instant.
    pub all: AttemptCounts,
    early: AttemptCounts,
    measured_from: Time,
}

impl Attempts {
    /// Totals begin at `measured_from`.
    pub fn new(measured_from: Time) -> Attempts {
        Attempts { measured_from, ..Attempts::default() }
    }

    /// An attempt is begun.
    #[inline]
    pub fn begin(&mut self, is_retry: bool) {
        self.all.attempts += 1;
        self.all.retries += is_retry as u64;
    }

    /// A copy of an attempt under way is begun.
    pub fn begin_hedge(&mut self) {
        self.all.attempts += 1;
        self.all.hedges += 1;
    }

    /// An attempt that was begun at `begun` has ended.
    #[inline]
    pub fn end(&mut self, begun: Time, outcome: Outcome) {
        self.all.outcomes[outcome as usize] += 1;
        if begun < self.measured_from {
            self.early.outcomes[outcome as usize] += 1;
        }
    }

    /// Attempts begun at or after the end of the warm-up.
    pub fn measured(&self) -> AttemptCounts {
        self.all.since(&self.early)
    }

    /// When the totals begin.
    pub fn measured_from(&self) -> Time {
        self.measured_from
    }

    /// The warm-up is over.
    pub fn begin_measuring(&mut self, now: Time) {
        self.measured_from = now;
        self.early = self.all.clone();
    }
}

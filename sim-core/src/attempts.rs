//! Counts of the attempts over a link and their outcomes.

use crate::outcome::Outcome;
use crate::time::Time;

/// Attempts, as seen by their caller.
#[derive(Clone, Debug, Default)]
pub struct AttemptCounts {
    /// Attempts made.
    pub attempts: u64,
    /// Sequential attempts after the first one of a call.
    pub retries: u64,
    /// Parallel copies of another attempt.
    pub hedges: u64,
    /// Retries and hedges rejected by the budget.
    pub retries_refused: u64,
    /// Attempts by outcome.
    pub outcomes: [u64; Outcome::COUNT],
}

impl AttemptCounts {
    /// Attempts that have ended.
    pub fn ended(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Attempts that ended without success.
    pub fn failed(&self) -> u64 {
        self.outcomes[Outcome::Degraded as usize + 1..].iter().sum()
    }

    /// Adds the counts of another replica.
    pub fn merge(&mut self, other: &AttemptCounts) {
        self.attempts += other.attempts;
        self.retries += other.retries;
        self.hedges += other.hedges;
        self.retries_refused += other.retries_refused;
        for (a, b) in self.outcomes.iter_mut().zip(other.outcomes) {
            *a += b;
        }
    }

    /// The counts added since `earlier`.
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

/// Counts attempts: each at its own instant, plus a separate count of those excluded from the totals because they began
/// before the end of the warm-up.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    /// All attempts, each at its own instant.
    pub all: AttemptCounts,
    early: AttemptCounts,
    measured_from: Time,
}

impl Attempts {
    /// Totals begin at `measured_from`.
    pub fn new(measured_from: Time) -> Attempts {
        Attempts { measured_from, ..Attempts::default() }
    }

    /// Counts the start of an attempt.
    #[inline]
    pub fn begin(&mut self, is_retry: bool) {
        self.all.attempts += 1;
        self.all.retries += is_retry as u64;
    }

    /// Counts the start of a parallel copy of an attempt.
    pub fn begin_hedge(&mut self) {
        self.all.attempts += 1;
        self.all.hedges += 1;
    }

    /// Counts the end of an attempt that was begun at `begun`.
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

    /// Start of the totals.
    pub fn measured_from(&self) -> Time {
        self.measured_from
    }

    /// Starts the totals at the end of the warm-up.
    pub fn begin_measuring(&mut self, now: Time) {
        self.measured_from = now;
        self.early = self.all.clone();
    }
}

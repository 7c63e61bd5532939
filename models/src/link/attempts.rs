//! How the attempts over a link ended.

use sim_core::Outcome;

/// Attempts as their caller saw them.
#[derive(Clone, Debug, Default)]
pub struct AttemptCounts {
    /// Attempts made.
    pub attempts: u64,
    /// Those that were not the first of their call.
    pub retries: u64,
    /// Retries that the budget refused.
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
        self.retries_refused += other.retries_refused;
        for (a, b) in self.outcomes.iter_mut().zip(other.outcomes) {
            *a += b;
        }
    }
}

//! What is wrong with a policy's settings beyond a single value: two that contradict each other, one without effect.

/// An error in a policy's settings. Whoever checks the policy reports it at the policy's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The code of the problem.
    pub code: &'static str,
    /// The key below the policy's own, `count_window.minimum` for one; empty for the policy itself.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

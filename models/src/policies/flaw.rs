//! What is wrong with a policy's settings beyond a single value: two that contradict each other, one without effect.

/// An error in a policy's settings. The check of the policy reports it at the policy's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The code of the problem.
    pub code: &'static str,
    /// The path below the policy, such as `count_window.minimum`; empty for the policy itself.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

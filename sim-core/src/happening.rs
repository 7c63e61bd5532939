//! What happens in a run and is worth telling: a breaker opens, a replica is replaced, a limit is reached.

/// A kind of happening.
#[derive(Debug, PartialEq, Eq)]
pub struct Happens {
    /// Its name, as in `breaker_opened`.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub doc: &'static str,
}

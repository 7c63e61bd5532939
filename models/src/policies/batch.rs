//! Batching: many calls become one.
//!
//! The first item starts the timer; the batch goes when it is full or when the timer is up, whichever is first. An item
//! that arrives exactly at the deadline joins.

use settings::{Duration, Setting};

/// Many calls become one.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct BatchSettings {
    /// Items at which it goes at once.
    #[setting(range = "1..=100000", live)]
    pub max: u32,
    /// How long the first item waits for others at most.
    #[setting(live)]
    pub wait: Duration,
}

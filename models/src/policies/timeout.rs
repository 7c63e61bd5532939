//! Timeouts: of one attempt, and of a call with everything that is done for it.

use settings::Duration;
use settings::values::Scalar;

use super::policy::{Described, Policy, Way};

/// Bounds one attempt, from the moment it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Timeout;

impl Policy for Timeout {
    type Settings = Duration;

    fn way(_: &Duration) -> Way {
        Way::Plain
    }

    fn brief(timeout: &Duration) -> Option<String> {
        Some(format!("timeout {}", timeout.format()))
    }

    fn described(timeout: &Duration) -> Option<Described> {
        Some(Described { words: timeout.format(), has_state: false })
    }
}

/// Bounds a call: its waits, attempts and back-offs together.
#[derive(Clone, Copy, Debug)]
pub struct TotalTimeout;

impl Policy for TotalTimeout {
    type Settings = Duration;

    fn brief(total: &Duration) -> Option<String> {
        Some(format!("total_timeout {}", total.format()))
    }

    fn described(total: &Duration) -> Option<Described> {
        Some(Described { words: total.format(), has_state: false })
    }
}

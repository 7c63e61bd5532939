//! The payload of a timer.

use crate::calls::CallId;

/// The payload of a timer, as it was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The purpose, in the component's own numbering.
    pub what: u8,
    /// The call or record concerned, in the component's own encoding ([`CallId::to_bits`] for a call).
    pub data: u64,
}

impl Timer {
    /// A timer for a call.
    pub fn of(what: u8, call: CallId) -> Timer {
        Timer { what, data: call.to_bits() }
    }

    /// The call that the timer is for.
    pub fn call(self) -> CallId {
        CallId::from_bits(self.data)
    }
}

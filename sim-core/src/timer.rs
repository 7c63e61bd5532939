//! What a timer says when it goes off.

use crate::calls::CallId;

/// A timer that went off, as it was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// What for; the component's own numbering.
    pub what: u8,
    /// Which call or record; the component's own meaning ([`CallId::to_bits`] for a call).
    pub data: u64,
}

impl Timer {
    /// A timer for a call.
    pub fn of(what: u8, call: CallId) -> Timer {
        Timer { what, data: call.to_bits() }
    }

    /// The call it is for.
    pub fn call(self) -> CallId {
        CallId::from_bits(self.data)
    }
}

//! The order of events as a number: time, then class, then sequence.

use crate::time::Time;

// The layout of a key, from its highest bit: 63 bits of time (at most 59 of them used), 1 of class, 36 of sequence, 28
// of slot.
pub(crate) const SLOT_BITS: u32 = 28;
pub(crate) const CLASS_SHIFT: u32 = u64::BITS;
pub(crate) const TIME_SHIFT: u32 = CLASS_SHIFT + 1;

/// The last instant that a calendar distinguishes, about 18 years; later events are moved to it. This leaves room to
/// add an instant and a span without overflow checks, and no key has all bits set.
pub const TIME_MAX: Time = (1 << 59) - 1;

/// The two classes of events at one instant: a reply that arrives exactly at the timeout is in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Arrivals, completions, replies, faults, changes of settings, ends of backoff.
    First = 0,
    /// Timeouts, batch flushes, hedges: events that a first-class event at the same instant can prevent.
    GivingUp = 1,
}

/// The instant of a key.
#[inline]
pub(crate) fn time_of(key: u128) -> Time {
    (key >> TIME_SHIFT) as Time
}

//! The order of events as a number: time, then class, then the order of setting.

use crate::time::Time;

// The layout of a key, from its highest bit: 63 bits of time (of which no more than 59 are used), 1 of class, 36 of sequence,
// 28 of slot.
pub(crate) const SLOT_BITS: u32 = 28;
pub(crate) const CLASS_SHIFT: u32 = u64::BITS;
pub(crate) const TIME_SHIFT: u32 = CLASS_SHIFT + 1;

/// The last instant that a calendar tells apart, about 18 years: what is set later happens then. So an instant and a span
/// can be added without a second thought, and no key has all bits set.
pub const TIME_MAX: Time = (1 << 59) - 1;

/// The two classes of events of one instant: a reply that comes at exactly the timeout is in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Arrivals, completions, replies, faults, changes of settings, ends of back-off.
    First = 0,
    /// Timeouts, flushes of batches, hedges: what happens unless something of the first class prevents it.
    GivingUp = 1,
}

/// The instant of a key.
#[inline]
pub(crate) fn time_of(key: u128) -> Time {
    (key >> TIME_SHIFT) as Time
}

//! Changes that nodes adopt while the system runs, by number.
//!
//! What is known before the run is prepared in every node under a number of its own: a `set` fault has two, one for its
//! beginning and one for its end. A fault that strikes only says the number.

/// What a component that remembers something is told when it is to forget it; prepared changes have smaller numbers.
pub const FORGET: u32 = u32::MAX;

/// The number under which what fault number `fault` sets is prepared.
pub fn change_of(fault: u32) -> u32 {
    2 * fault + 1
}

/// The number under which what was before it is prepared.
pub fn undo_of(fault: u32) -> u32 {
    2 * fault + 2
}

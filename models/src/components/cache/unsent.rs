//! Writes that were answered before they were passed on.

use std::collections::BTreeMap;

use sim_core::CallId;

use crate::caching::Data;

/// Writes of a key that were answered and not passed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dirty {
    /// What goes on with the last of them.
    pub(super) twin: CallId,
    pub(super) data: Data,
    pub(super) writes: u64,
    /// How often that has been tried.
    pub(super) tried: u32,
}

/// Writes that were answered and are not known to be passed on.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsent {
    /// Those that wait for the next flush, by key.
    pub(super) dirty: BTreeMap<u64, Dirty>,
    /// How many are on their way.
    pub(super) on_their_way: u64,
    /// Whether a flush is to come: of what came first, and of what is sent again.
    pub(super) is_set: [bool; 2],
}

impl Unsent {
    /// How many there are.
    pub(super) fn writes(&self) -> u64 {
        self.dirty.values().map(|dirty| dirty.writes).sum::<u64>() + self.on_their_way
    }

    /// Whether the newest value of a key waits here.
    pub(super) fn holds(&self, key: u64) -> bool {
        !self.dirty.is_empty() && self.dirty.contains_key(&key)
    }

    /// All are lost; how many there were.
    pub(super) fn clear(&mut self) -> u64 {
        let lost = self.writes();
        *self = Unsent::default();
        lost
    }
}

//! Coalescing (singleflight): identical calls under way share one.
//!
//! The first caller of a key runs; those who come before it is answered wait for and share its answer, good or bad. The
//! entry goes with the answer. (golang.org/x/sync/singleflight.)

use std::collections::BTreeMap;

use settings::Setting;

/// What makes two calls the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum SameBy {
    /// The same operation on the same data key.
    Key,
    /// The same operation.
    Op,
}

/// Identical calls under way share one.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct CoalesceSettings {
    /// What makes two calls the same.
    #[setting(default = "key")]
    pub by: SameBy,
}

/// Who leads each call under way, and who follows.
#[derive(Clone, Debug, Default)]
pub struct Coalescing {
    leaders: BTreeMap<(u16, u64), u32>,
    /// Calls that joined another.
    pub coalesced: u64,
}

impl Coalescing {
    /// The leader under way for this call; where there is none, `record` leads from now on.
    pub fn join(&mut self, op: u16, key: u64, record: u32) -> Option<u32> {
        match self.leaders.get(&(op, key)) {
            Some(leader) => {
                self.coalesced += 1;
                Some(*leader)
            }
            None => {
                self.leaders.insert((op, key), record);
                None
            }
        }
    }

    /// The call of `record` is over; if it led, the next one of its key leads anew.
    pub fn answered(&mut self, op: u16, key: u64, record: u32) {
        if self.leaders.get(&(op, key)) == Some(&record) {
            self.leaders.remove(&(op, key));
        }
    }
}

//! Sticky sessions: whoever was sent to a target once is sent there again as long as it can be called.
//!
//! The choice is remembered where the caller keeps it (in a cookie), so that it outlives the balancer. A client whose target can no longer be
//! called gets another one by the algorithm, and stays with that one, also when the first is back.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use settings::Setting;

/// Whose calls go to one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum StickyBy {
    /// Those of the same client: of the same one of a workload's `clients`, or of the same user. A request that comes from no known client is free.
    Client,
    /// Those with the same data key.
    Key,
}

/// Where each client or key was sent last.
#[derive(Clone, Debug)]
pub struct Sticky {
    /// What decides.
    pub by: StickyBy,
    places: BTreeMap<u64, u32>,
    moved: u64,
}

impl Sticky {
    /// Nobody has been sent anywhere.
    pub fn new(by: StickyBy) -> Sticky {
        Sticky { by, places: BTreeMap::new(), moved: 0 }
    }

    /// The target to which `who` was sent last.
    pub fn place(&self, who: u64) -> Option<usize> {
        self.places.get(&who).map(|target| *target as usize)
    }

    /// From now on `who` is sent to a target.
    pub fn settle(&mut self, who: u64, target: usize) {
        match self.places.entry(who) {
            Entry::Occupied(mut place) => self.moved += u64::from(place.insert(target as u32) != target as u32),
            Entry::Vacant(place) => {
                place.insert(target as u32);
            }
        }
    }

    /// How many of them have moved to another target since measuring began.
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// Measuring begins.
    pub fn begin_measuring(&mut self) {
        self.moved = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_moves_stays_there() {
        let mut sticky = Sticky::new(StickyBy::Client);
        assert_eq!(sticky.place(7), None);
        sticky.settle(7, 2);
        sticky.settle(8, 2);
        sticky.settle(7, 1);
        sticky.settle(7, 1);
        assert_eq!((sticky.place(7), sticky.place(8), sticky.moved()), (Some(1), Some(2), 1));
    }
}

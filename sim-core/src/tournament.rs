//! The minimum of a few keys, of which one changes at a time.
//!
//! Each holder of a key has a number. The holders form a small tournament tree: when a key changes, only the games on
//! its path are replayed.

/// Greater than any key: the holder has no key.
pub(crate) const NO_KEY: u128 = u128::MAX;

/// The keys of the holders, and their minimum.
#[derive(Clone, Debug)]
pub(crate) struct Tournament {
    /// The key of each holder, padded to a power of two.
    keys: Vec<u128>,
    /// Winners by node: node 1 is the final, node n is played by the winners of 2n and 2n + 1, and the last half are
    /// the holders.
    winners: Vec<u32>,
    least: u128,
}

impl Tournament {
    /// Capacity for one holder, without a key.
    pub(crate) fn new() -> Self {
        Tournament { keys: vec![NO_KEY], winners: vec![0, 0], least: NO_KEY }
    }

    /// The least key.
    #[inline(always)]
    pub(crate) fn least(&self) -> u128 {
        self.least
    }

    /// The holder of the least key.
    #[inline(always)]
    pub(crate) fn first(&self) -> usize {
        self.winners[1] as usize
    }

    /// The key of a holder.
    pub(crate) fn key(&self, holder: usize) -> u128 {
        self.keys[holder]
    }

    /// Sets a holder's key.
    #[inline(always)]
    pub(crate) fn set(&mut self, holder: usize, key: u128) {
        let keys = self.keys.as_mut_slice();
        let winners = self.winners.as_mut_slice();
        keys[holder] = key;
        // The winner is carried along in registers; reading back the halves just written would stall.
        let (mut winner, mut least) = (holder as u32, key);
        let mut node = holder + keys.len();
        while node > 1 {
            let rival = winners[node ^ 1];
            let rivals = keys[rival as usize];
            if rivals < least {
                (winner, least) = (rival, rivals);
            }
            node /= 2;
            winners[node] = winner;
        }
        self.least = least;
    }

    /// Grows to at least this many holders.
    pub(crate) fn make_room(&mut self, holders: usize) {
        let width = holders.next_power_of_two();
        if width <= self.keys.len() {
            return;
        }
        self.keys.resize(width, NO_KEY);
        self.winners = vec![0; 2 * width];
        for holder in 0..width {
            self.winners[width + holder] = holder as u32;
        }
        for holder in 0..width {
            self.set(holder, self.keys[holder]);
        }
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.capacity() * size_of::<u128>() + self.winners.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_has_the_least_key(changes in prop::collection::vec((0usize..40, 0u128..1000), 1..200)) {
            let mut tournament = Tournament::new();
            let mut twin: Vec<u128> = Vec::new();
            for (nth, (holder, key)) in changes.into_iter().enumerate() {
                if holder >= twin.len() {
                    twin.resize(holder + 1, NO_KEY);
                    tournament.make_room(holder + 1);
                }
                // Keys are distinct, and occasionally one is removed.
                let key = if key < 100 { NO_KEY } else { key << 32 | nth as u128 };
                tournament.set(holder, key);
                twin[holder] = key;
                let least = *twin.iter().min().expect("there is one");
                prop_assert_eq!(tournament.least(), least);
                prop_assert!(least == NO_KEY || twin[tournament.first()] == least);
                prop_assert_eq!(tournament.key(holder), key);
            }
        }
    }
}

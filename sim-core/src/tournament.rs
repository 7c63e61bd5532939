//! The least of a few keys of which one changes at a time.
//!
//! Each holder of a key has a number. A small tournament is played between them: when a key changes, only its games are
//! played again.

/// More than any key: the holder has none.
pub(crate) const NO_KEY: u128 = u128::MAX;

/// The keys of some holders, and the least of them.
#[derive(Clone, Debug)]
pub(crate) struct Tournament {
    /// The key of each holder, padded to a power of two.
    keys: Vec<u128>,
    /// Node 1 is the final, node n is played by the winners of 2n and 2n + 1, the last half are the holders.
    winners: Vec<u32>,
    least: u128,
}

impl Tournament {
    /// With room for one holder, who has no key.
    pub(crate) fn new() -> Self {
        Tournament { keys: vec![NO_KEY], winners: vec![0, 0], least: NO_KEY }
    }

    /// The least key.
    #[inline(always)]
    pub(crate) fn least(&self) -> u128 {
        self.least
    }

    /// Whose it is.
    #[inline(always)]
    pub(crate) fn first(&self) -> usize {
        self.winners[1] as usize
    }

    /// The key of a holder.
    pub(crate) fn key(&self, holder: usize) -> u128 {
        self.keys[holder]
    }

    /// A holder's key is this from now on.
    #[inline(always)]
    pub(crate) fn set(&mut self, holder: usize, key: u128) {
        let keys = self.keys.as_mut_slice();
        let winners = self.winners.as_mut_slice();
        keys[holder] = key;
        // The winner so far is carried along. To read back what was just written, in two halves, would take long.
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

    /// Makes room for so many holders.
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
                // Keys are distinct, and every so often one is taken away.
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

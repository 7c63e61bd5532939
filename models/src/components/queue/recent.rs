//! What was published within the last while, so that the same message is not stored twice.
//!
//! The keys stand in a list in the order in which they were published, and in chains by their last bits, each from the newest to the
//! oldest. What is too old leaves the list at its front, and nothing has to be taken out of a chain: it ends where the list begins.

use std::collections::VecDeque;

use sim_core::{Span, Time};

const CHAINS_MIN: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Published {
    at: Time,
    key: u64,
    /// The one before it in its chain, by its place among all that were ever published; only the last bits are kept.
    before: u32,
}

/// The keys of messages by when they were first published.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    in_order: VecDeque<Published>,
    /// The place of the first among all that were ever published.
    first: u32,
    /// The newest of each chain; a power of two, or none yet.
    chains: Vec<u32>,
}

impl Recent {
    /// A message is published; false where it was published less than `window` ago.
    pub(super) fn is_new(&mut self, now: Time, window: Span, key: u64) -> bool {
        while self.in_order.front().is_some_and(|old| old.at.saturating_add(window) <= now) {
            self.in_order.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        if self.in_order.len() >= self.chains.len() {
            self.grow();
        }
        let chain = key as usize & (self.chains.len() - 1);
        let newest = self.chains[chain];
        let older = std::iter::successors(self.published(newest), |one| self.published(one.before));
        let is_new = older.map(|one| one.key).all(|known| known != key);
        if is_new {
            self.chains[chain] = self.first.wrapping_add(self.in_order.len() as u32);
            self.in_order.push_back(Published { at: now, key, before: newest });
        }
        is_new
    }

    /// What was published at a place, if it is still in the list.
    fn published(&self, place: u32) -> Option<&Published> {
        self.in_order.get(place.wrapping_sub(self.first) as usize)
    }

    fn grow(&mut self) {
        let chains = (self.chains.len() * 2).max(CHAINS_MIN);
        // The place before the first is in no list.
        let nothing = self.first.wrapping_sub(1);
        self.chains.clear();
        self.chains.resize(chains, nothing);
        for (nth, one) in self.in_order.iter_mut().enumerate() {
            let newest = &mut self.chains[one.key as usize & (chains - 1)];
            one.before = std::mem::replace(newest, self.first.wrapping_add(nth as u32));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    #[test]
    fn a_message_is_new_again_after_the_window() {
        let mut recent = Recent::default();
        let mut is_new = |now, key| recent.is_new(now, 10, key);
        assert!(is_new(0, 7) && is_new(1, 8) && !is_new(9, 7));
        // The window runs from the first publish, whatever came since.
        assert!(is_new(10, 7) && !is_new(10, 8) && is_new(11, 8) && !is_new(19, 7) && is_new(20, 7));
    }

    #[test]
    fn what_is_new_is_what_a_plain_list_does_not_have() {
        for run in 0..100 {
            let mut stream = Stream::named(run, "recent");
            let (mut recent, mut twin) = (Recent { first: u32::MAX - 100, ..Recent::default() }, Vec::new());
            let (mut now, keys) = (0, 2 + stream.below(300));
            for _ in 0..1000 {
                now += stream.below(3);
                let key = stream.below(keys);
                let is_new = !twin.iter().any(|(at, known)| *known == key && now < at + 100);
                if is_new {
                    twin.push((now, key));
                }
                assert_eq!(recent.is_new(now, 100, key), is_new);
            }
        }
    }
}

//! SIEVE (Zhang, Yang, Yue, Vigfusson and Rashmi, *SIEVE is Simpler than LRU*, NSDI 2024, algorithm 1): a queue that is never
//! reordered and a hand that goes from the oldest to the newest, spares what was used and evicts what was not. It goes on
//! where it stopped, and from the newest back to the oldest.

use super::super::entries::{Entries, List};
use super::Eviction;

/// First in, first out, with a hand that spares what was used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sieve {
    list: List,
    /// Where the hand stands; at the oldest where that is nowhere.
    hand: Option<u32>,
}

impl Eviction for Sieve {
    fn added(&mut self, entries: &mut Entries, index: u32) {
        self.list.push(entries, index);
    }

    fn used(&mut self, entries: &mut Entries, index: u32) {
        entries.at_mut(index).mark = 1;
    }

    fn evict(&mut self, entries: &mut Entries) {
        while let Some(at) = self.hand.or(self.list.oldest()) {
            if entries.at(at).mark == 0 {
                self.taken_at(entries, at);
                entries.evict(at);
                return;
            }
            entries.at_mut(at).mark = 0;
            self.hand = List::after(entries, at);
        }
    }

    fn taken(&mut self, entries: &mut Entries, index: u32) {
        if self.hand == Some(index) {
            self.taken_at(entries, index);
        } else {
            self.list.take(entries, index);
        }
    }

    fn clear(&mut self) {
        *self = Sieve::default();
    }
}

impl Sieve {
    /// The hand moves on from an entry that goes.
    fn taken_at(&mut self, entries: &mut Entries, at: u32) {
        self.hand = List::after(entries, at);
        self.list.take(entries, at);
    }
}

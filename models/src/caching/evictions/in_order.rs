//! Policies with one queue: FIFO, LRU, and CLOCK, which gives what was used a second chance (Corbató, *A Paging Experiment
//! with the Multics System*, 1968). What comes in is not marked as used, as in libCacheSim.

use super::super::entries::{Entries, List};
use super::Eviction;

/// First in, first out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fifo(List);

/// Least recently used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lru(List);

/// First in, first out, but what was used since it came, or came again, comes again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(List);

fn evict_oldest(list: &mut List, entries: &mut Entries) {
    if let Some(oldest) = list.oldest() {
        list.take(entries, oldest);
        entries.evict(oldest);
    }
}

impl Eviction for Fifo {
    fn added(&mut self, entries: &mut Entries, index: u32) {
        self.0.push(entries, index);
    }

    fn used(&mut self, _entries: &mut Entries, _index: u32) {}

    fn evict(&mut self, entries: &mut Entries) {
        evict_oldest(&mut self.0, entries);
    }

    fn taken(&mut self, entries: &mut Entries, index: u32) {
        self.0.take(entries, index);
    }

    fn clear(&mut self) {
        self.0 = List::default();
    }
}

impl Eviction for Lru {
    fn added(&mut self, entries: &mut Entries, index: u32) {
        self.0.push(entries, index);
    }

    fn used(&mut self, entries: &mut Entries, index: u32) {
        self.0.renew(entries, index);
    }

    fn evict(&mut self, entries: &mut Entries) {
        evict_oldest(&mut self.0, entries);
    }

    fn taken(&mut self, entries: &mut Entries, index: u32) {
        self.0.take(entries, index);
    }

    fn clear(&mut self) {
        self.0 = List::default();
    }
}

impl Eviction for Clock {
    fn added(&mut self, entries: &mut Entries, index: u32) {
        self.0.push(entries, index);
    }

    fn used(&mut self, entries: &mut Entries, index: u32) {
        entries.at_mut(index).mark = 1;
    }

    fn evict(&mut self, entries: &mut Entries) {
        while let Some(oldest) = self.0.oldest() {
            if entries.at(oldest).mark == 0 {
                return evict_oldest(&mut self.0, entries);
            }
            entries.at_mut(oldest).mark = 0;
            self.0.renew(entries, oldest);
        }
    }

    fn taken(&mut self, entries: &mut Entries, index: u32) {
        self.0.take(entries, index);
    }

    fn clear(&mut self) {
        self.0 = List::default();
    }
}

//! Policies that count uses: LFU counts those since an entry came in, perfect LFU all requests of each key there ever were,
//! whether or not it is kept (Breslau, Cao, Fan, Phillips and Shenker, *Web Caching and Zipf-like Distributions*, 1999).
//! Among equals the least recently used goes.
//!
//! Under perfect LFU something new does not come in while everything that is kept has been asked for more often.

use std::collections::BTreeMap;

use sim_core::slab::Slab;

use super::super::entries::{Entries, List, NONE};
use super::super::table::{Data, Table};
use super::Eviction;

/// Entries with the same number of uses.
#[derive(Clone, Debug)]
struct Level {
    uses: u64,
    list: List,
    below: u32,
    above: u32,
}

/// Least frequently used since it came in.
#[derive(Clone, Debug)]
pub(crate) struct Lfu {
    levels: Slab<Level>,
    lowest: u32,
}

impl Default for Lfu {
    fn default() -> Lfu {
        Lfu { levels: Slab::new(), lowest: NONE }
    }
}

impl Lfu {
    /// Hangs an entry on the level of its uses, which lies just above `below` (or is the lowest) and is made if need be.
    fn hang(&mut self, entries: &mut Entries, index: u32, uses: u64, below: u32) {
        let above = if below == NONE { self.lowest } else { self.levels[below].above };
        let level = if above != NONE && self.levels[above].uses == uses {
            above
        } else {
            let level = self.levels.insert(Level { uses, list: List::default(), below, above });
            match below {
                NONE => self.lowest = level,
                _ => self.levels[below].above = level,
            }
            if above != NONE {
                self.levels[above].below = level;
            }
            level
        };
        self.levels[level].list.push(entries, index);
        entries.at_mut(index).place = level;
    }

    fn drop_if_empty(&mut self, level: u32) {
        let Level { list, below, above, .. } = self.levels[level];
        if list.len() > 0 {
            return;
        }
        match below {
            NONE => self.lowest = above,
            _ => self.levels[below].above = above,
        }
        if above != NONE {
            self.levels[above].below = below;
        }
        self.levels.remove(level);
    }
}

impl Eviction for Lfu {
    fn added(&mut self, entries: &mut Entries, index: u32) {
        self.hang(entries, index, 1, NONE);
    }

    fn used(&mut self, entries: &mut Entries, index: u32) {
        let level = entries.at(index).place;
        let uses = self.levels[level].uses + 1;
        self.levels[level].list.take(entries, index);
        self.hang(entries, index, uses, level);
        self.drop_if_empty(level);
    }

    fn evict(&mut self, entries: &mut Entries) {
        let Some(level) = self.levels.get(self.lowest) else { return };
        if let Some(oldest) = level.list.oldest() {
            self.taken(entries, oldest);
            entries.evict(oldest);
        }
    }

    fn taken(&mut self, entries: &mut Entries, index: u32) {
        let level = entries.at(index).place;
        self.levels[level].list.take(entries, index);
        self.drop_if_empty(level);
    }

    fn clear(&mut self) {
        *self = Lfu::default();
    }
}

/// Least frequently asked for at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct PerfectLfu {
    /// How often each was asked for.
    counts: Table,
    /// What is kept, by that.
    kept: BTreeMap<u32, List>,
}

impl PerfectLfu {
    fn count(&mut self, data: Data) -> u32 {
        let count = self.counts.get(data).unwrap_or(0).saturating_add(1);
        self.counts.insert(data, count);
        count
    }

    fn hang(&mut self, entries: &mut Entries, index: u32, count: u32) {
        entries.at_mut(index).place = count;
        self.kept.entry(count).or_default().push(entries, index);
    }
}

impl Eviction for PerfectLfu {
    fn missed(&mut self, data: Data) {
        self.count(data);
    }

    fn admits(&self, data: Data, is_full: bool) -> bool {
        let least = self.kept.first_key_value().map_or(0, |(least, _)| *least);
        !is_full || self.counts.get(data).unwrap_or(0) >= least
    }

    fn added(&mut self, entries: &mut Entries, index: u32) {
        let count = self.counts.get(entries.at(index).data()).unwrap_or(0);
        self.hang(entries, index, count);
    }

    fn used(&mut self, entries: &mut Entries, index: u32) {
        self.taken(entries, index);
        let count = self.count(entries.at(index).data());
        self.hang(entries, index, count);
    }

    fn put_again(&mut self, _entries: &mut Entries, _index: u32) {}

    fn evict(&mut self, entries: &mut Entries) {
        let oldest = self.kept.first_key_value().and_then(|(_, list)| list.oldest());
        if let Some(oldest) = oldest {
            self.taken(entries, oldest);
            entries.evict(oldest);
        }
    }

    fn taken(&mut self, entries: &mut Entries, index: u32) {
        let count = entries.at(index).place;
        let Some(list) = self.kept.get_mut(&count) else { return };
        list.take(entries, index);
        if list.len() == 0 {
            self.kept.remove(&count);
        }
    }

    fn clear(&mut self) {
        *self = PerfectLfu::default();
    }
}

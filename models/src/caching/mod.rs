//! Caching: what a cache remembers and what it forgets first.
//!
//! A [`Store`] is pure and knows no engine. Looking up, inserting and evicting take constant time whatever the number
//! of entries: entries are found through a hash table and hang in doubly linked lists, one for the order of use or of
//! arrival, or one for each number of uses.

pub mod hit_ratio;
mod table;

use settings::Setting;
use sim_core::Time;
use sim_core::slab::Slab;

use crate::policies::not_yet::NotYet;
pub use table::{Data, Table};

/// Eviction policy: which entry is evicted when the cache is full.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum EvictionSettings {
    /// Least recently used.
    Lru,
    /// Least frequently used; the least recently used among equals.
    Lfu,
    /// First in, first out.
    Fifo,
    /// Anything.
    Random(NotYet),
    /// First in, first out, with a hand that spares what was used.
    Sieve(NotYet),
    /// S3-FIFO: three queues.
    S3Fifo(NotYet),
    /// By an estimate of how often each was asked for.
    TinyLfu(NotYet),
}

#[derive(Clone, Debug)]
struct Entry {
    data: Data,
    expires: Time,
    older: Option<u32>,
    newer: Option<u32>,
    /// The level on which it hangs, where uses are counted.
    level: u32,
}

/// Entries from the oldest to the newest.
#[derive(Clone, Copy, Debug, Default)]
struct List {
    oldest: Option<u32>,
    newest: Option<u32>,
}

impl List {
    fn push(&mut self, entries: &mut Slab<Entry>, index: u32) {
        entries[index].older = self.newest;
        entries[index].newer = None;
        match self.newest {
            Some(newest) => entries[newest].newer = Some(index),
            None => self.oldest = Some(index),
        }
        self.newest = Some(index);
    }

    fn take(&mut self, entries: &mut Slab<Entry>, index: u32) {
        let (older, newer) = (entries[index].older, entries[index].newer);
        match older {
            Some(older) => entries[older].newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => entries[newer].older = older,
            None => self.newest = older,
        }
    }
}

/// Entries with the same number of uses.
#[derive(Clone, Debug)]
struct Level {
    uses: u64,
    list: List,
    below: Option<u32>,
    above: Option<u32>,
}

#[derive(Clone, Debug)]
enum Order {
    Arrival(List),
    Use(List),
    Uses { levels: Slab<Level>, lowest: Option<u32> },
}

/// What a cache remembers.
#[derive(Clone, Debug)]
pub struct Store {
    capacity: usize,
    entries: Slab<Entry>,
    table: Table,
    order: Order,
    /// Entries that had to make room for others.
    pub evictions: u64,
}

impl Store {
    /// An empty one with room for so many entries.
    pub fn new(eviction: &EvictionSettings, capacity: usize) -> Store {
        let order = match eviction {
            EvictionSettings::Lru => Order::Use(List::default()),
            EvictionSettings::Fifo => Order::Arrival(List::default()),
            EvictionSettings::Lfu => Order::Uses { levels: Slab::new(), lowest: None },
            EvictionSettings::Random(never)
            | EvictionSettings::Sieve(never)
            | EvictionSettings::S3Fifo(never)
            | EvictionSettings::TinyLfu(never) => match *never {},
        };
        Store { capacity, entries: Slab::new(), table: Table::default(), order, evictions: 0 }
    }

    /// How many entries there are, those that have expired unnoticed included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether it is there and has not expired; that is a use of it. What has expired is forgotten now.
    pub fn look_up(&mut self, data: Data, now: Time) -> bool {
        let Some(index) = self.table.get(data) else { return false };
        if self.entries[index].expires <= now {
            self.remove(index);
            return false;
        }
        self.used(index);
        true
    }

    /// Puts it in, or anew if it is there; makes room for it if need be.
    pub fn insert(&mut self, data: Data, expires: Time) {
        if let Some(index) = self.table.get(data) {
            self.entries[index].expires = expires;
            self.used(index);
            return;
        }
        if self.capacity == 0 {
            return;
        }
        while self.entries.len() >= self.capacity {
            self.evict();
        }
        let index = self.entries.insert(Entry { data, expires, older: None, newer: None, level: 0 });
        self.table.insert(data, index);
        match &mut self.order {
            Order::Arrival(list) | Order::Use(list) => list.push(&mut self.entries, index),
            Order::Uses { .. } => self.hang(index, 1, None),
        }
    }

    /// Forgets one entry, if it is there.
    pub fn forget(&mut self, data: Data) {
        if let Some(index) = self.table.get(data) {
            self.remove(index);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.table.clear();
        match &mut self.order {
            Order::Arrival(list) | Order::Use(list) => *list = List::default(),
            Order::Uses { levels, lowest } => {
                levels.clear();
                *lowest = None;
            }
        }
    }

    /// Has room for so many from now on.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        while self.entries.len() > capacity {
            self.evict();
        }
    }

    fn used(&mut self, index: u32) {
        match &mut self.order {
            Order::Arrival(_) => {}
            Order::Use(list) => {
                list.take(&mut self.entries, index);
                list.push(&mut self.entries, index);
            }
            Order::Uses { levels, .. } => {
                let level = self.entries[index].level;
                let uses = levels[level].uses + 1;
                levels[level].list.take(&mut self.entries, index);
                self.hang(index, uses, Some(level));
                self.drop_if_empty(level);
            }
        }
    }

    /// Hangs an entry on the level of its uses, which lies just above `below` (or is the lowest) and is made if need be.
    fn hang(&mut self, index: u32, uses: u64, below: Option<u32>) {
        let Order::Uses { levels, lowest } = &mut self.order else { return };
        let above = match below {
            Some(below) => levels[below].above,
            None => *lowest,
        };
        let level = match above {
            Some(above) if levels[above].uses == uses => above,
            _ => {
                let level = levels.insert(Level { uses, list: List::default(), below, above });
                match below {
                    Some(below) => levels[below].above = Some(level),
                    None => *lowest = Some(level),
                }
                if let Some(above) = above {
                    levels[above].below = Some(level);
                }
                level
            }
        };
        levels[level].list.push(&mut self.entries, index);
        self.entries[index].level = level;
    }

    fn drop_if_empty(&mut self, level: u32) {
        let Order::Uses { levels, lowest } = &mut self.order else { return };
        if levels[level].list.oldest.is_some() {
            return;
        }
        let (below, above) = (levels[level].below, levels[level].above);
        match below {
            Some(below) => levels[below].above = above,
            None => *lowest = above,
        }
        if let Some(above) = above {
            levels[above].below = below;
        }
        levels.remove(level);
    }

    fn evict(&mut self) {
        let first = match &self.order {
            Order::Arrival(list) | Order::Use(list) => list.oldest,
            Order::Uses { levels, lowest } => lowest.and_then(|l| levels[l].list.oldest),
        };
        if let Some(index) = first {
            self.evictions += 1;
            self.remove(index);
        }
    }

    fn remove(&mut self, index: u32) {
        match &mut self.order {
            Order::Arrival(list) | Order::Use(list) => list.take(&mut self.entries, index),
            Order::Uses { levels, .. } => {
                let level = self.entries[index].level;
                levels[level].list.take(&mut self.entries, index);
                self.drop_if_empty(level);
            }
        }
        if let Some(entry) = self.entries.remove(index) {
            self.table.remove(entry.data);
        }
    }
}

#[cfg(test)]
mod tests;

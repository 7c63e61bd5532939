//! The entries of a cache, how they are found, and the lists in which they hang.
//!
//! An entry takes 32 bytes and its place in the index from 8 to 16 more.

use sim_core::Time;
use sim_core::slab::Slab;

use super::index::Index;
use super::table::Data;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// Which of the lists of an eviction policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum In {
    First,
    Second,
    Third,
}

/// Something that is kept.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    key: u64,
    pub(super) expires: Time,
    older: u32,
    newer: u32,
    /// Where it stands in what an eviction policy keeps beside lists.
    pub(super) place: u32,
    op: u16,
    /// What an eviction policy remembers of its use.
    pub(super) mark: u8,
    /// In which of the lists of an eviction policy it hangs.
    pub(super) list: In,
}

impl Entry {
    /// What it is.
    pub(super) fn data(&self) -> Data {
        Data { op: self.op, key: self.key }
    }
}

/// The entries.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    slab: Slab<Entry>,
    index: Index,
    /// How many there is room for.
    pub(super) capacity: usize,
    /// How many have made room for others.
    pub(super) evictions: u64,
}

impl Entries {
    pub(super) fn new(capacity: usize) -> Entries {
        Entries { slab: Slab::new(), index: Index::default(), capacity, evictions: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.slab.len() >= self.capacity
    }

    pub(super) fn find(&self, data: Data) -> Option<u32> {
        self.index.find(data, |at| self.slab[at].data())
    }

    pub(super) fn at(&self, index: u32) -> &Entry {
        &self.slab[index]
    }

    pub(super) fn at_mut(&mut self, index: u32) -> &mut Entry {
        &mut self.slab[index]
    }

    pub(super) fn add(&mut self, data: Data, expires: Time) -> u32 {
        let Data { op, key } = data;
        let entry = Entry { key, expires, older: NONE, newer: NONE, place: 0, op, mark: 0, list: In::First };
        let index = self.slab.insert(entry);
        let slab = &self.slab;
        self.index.insert(data, index, |at| slab[at].data());
        index
    }

    /// Takes out an entry that hangs nowhere any more.
    pub(super) fn remove(&mut self, index: u32) {
        let data = self.slab[index].data();
        let slab = &self.slab;
        self.index.remove(data, |at| slab[at].data());
        self.slab.remove(index);
    }

    /// The same, of one that makes room for others.
    pub(super) fn evict(&mut self, index: u32) {
        self.evictions += 1;
        self.remove(index);
    }

    pub(super) fn clear(&mut self) {
        self.slab.clear();
        self.index.clear();
    }

    /// Where entries are, in the order of their places.
    pub(super) fn places(&self) -> impl Iterator<Item = u32> + '_ {
        self.slab.iter().map(|(at, _)| at)
    }
}

/// Entries from the oldest to the newest.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    oldest: u32,
    newest: u32,
    len: usize,
}

impl Default for List {
    fn default() -> List {
        List { oldest: NONE, newest: NONE, len: 0 }
    }
}

impl List {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// The one that came after it.
    pub(super) fn after(entries: &Entries, index: u32) -> Option<u32> {
        let newer = entries.slab[index].newer;
        (newer != NONE).then_some(newer)
    }

    pub(super) fn push(&mut self, entries: &mut Entries, index: u32) {
        let newest = std::mem::replace(&mut self.newest, index);
        let entry = &mut entries.slab[index];
        (entry.older, entry.newer) = (newest, NONE);
        match newest {
            NONE => self.oldest = index,
            _ => entries.slab[newest].newer = index,
        }
        self.len += 1;
    }

    pub(super) fn take(&mut self, entries: &mut Entries, index: u32) {
        let (older, newer) = (entries.slab[index].older, entries.slab[index].newer);
        match older {
            NONE => self.oldest = newer,
            _ => entries.slab[older].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            _ => entries.slab[newer].older = older,
        }
        self.len -= 1;
    }

    /// Makes it the newest.
    pub(super) fn renew(&mut self, entries: &mut Entries, index: u32) {
        if self.newest != index {
            self.take(entries, index);
            self.push(entries, index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_half_a_line_of_the_cache() {
        // The slab tells free places from others by a value that no list has.
        assert_eq!((size_of::<Entry>(), size_of::<Option<Entry>>()), (32, 32));
    }
}

//! Policies that keep no order: whatever chance says, and whatever was placed there.

use sim_core::random::Stream;

use super::super::entries::Entries;
use super::super::table::Data;
use super::Eviction;

/// Anything, drawn anew each time.
#[derive(Clone, Debug)]
pub(crate) struct Anything {
    stream: Stream,
    /// Entries, in no order; each knows where it stands.
    all: Vec<u32>,
}

impl Anything {
    pub(crate) fn new(stream: Stream) -> Anything {
        Anything { stream, all: Vec::new() }
    }
}

impl Eviction for Anything {
    fn added(&mut self, entries: &mut Entries, index: u32) {
        entries.at_mut(index).place = self.all.len() as u32;
        self.all.push(index);
    }

    fn used(&mut self, _entries: &mut Entries, _index: u32) {}

    fn evict(&mut self, entries: &mut Entries) {
        if self.all.is_empty() {
            return;
        }
        let drawn = self.all[self.stream.below(self.all.len() as u64) as usize];
        self.taken(entries, drawn);
        entries.evict(drawn);
    }

    fn taken(&mut self, entries: &mut Entries, index: u32) {
        let place = entries.at(index).place;
        self.all.swap_remove(place as usize);
        if let Some(moved) = self.all.get(place as usize) {
            entries.at_mut(*moved).place = place;
        }
    }

    fn clear(&mut self) {
        self.all.clear();
    }
}

/// The keys with the smallest numbers, which are those asked for most where the choice of keys is skewed; for each
/// operation equally many. Nothing else ever comes in.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// Operations that read.
    readers: u64,
    /// How many keys of each.
    keys: u64,
}

impl Placed {
    pub(crate) fn new(readers: usize, capacity: usize) -> Placed {
        let readers = readers.max(1) as u64;
        Placed { readers, keys: capacity as u64 / readers }
    }
}

impl Eviction for Placed {
    fn admits(&self, data: Data, _is_full: bool) -> bool {
        data.key < self.keys
    }

    fn make_room(&mut self, _entries: &mut Entries, _coming: Data) {}

    fn added(&mut self, _entries: &mut Entries, _index: u32) {}

    fn used(&mut self, _entries: &mut Entries, _index: u32) {}

    fn evict(&mut self, _entries: &mut Entries) {}

    fn taken(&mut self, _entries: &mut Entries, _index: u32) {}

    fn resized(&mut self, entries: &mut Entries) {
        self.keys = entries.capacity as u64 / self.readers;
        let gone: Vec<u32> = entries.places().filter(|at| entries.at(*at).data().key >= self.keys).collect();
        gone.into_iter().for_each(|index| entries.evict(index));
    }

    fn clear(&mut self) {}
}

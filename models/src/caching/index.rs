//! Finds entries by what they are: a hash table of places, which knows nothing of the entries themselves.
//!
//! Open addressing with linear probing, at most half full; what is removed leaves no mark, those behind it move up. Four
//! bytes a place, the same on every machine and in every run.

use super::table::Data;

/// A free place.
const FREE: u32 = u32::MAX;

/// From what an entry is to where it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    places: Vec<u32>,
    len: usize,
}

impl Index {
    fn home(&self, data: Data) -> usize {
        data.hash() as usize & (self.places.len() - 1)
    }

    fn find_place(&self, data: Data, what: impl Fn(u32) -> Data) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let mut place = self.home(data);
        while self.places[place] != FREE {
            if what(self.places[place]) == data {
                return Some(place);
            }
            place = (place + 1) & (self.places.len() - 1);
        }
        None
    }

    /// Where it is; `what` says what is where.
    pub(super) fn find(&self, data: Data, what: impl Fn(u32) -> Data) -> Option<u32> {
        self.find_place(data, what).map(|place| self.places[place])
    }

    /// Notes that something new is there.
    pub(super) fn insert(&mut self, data: Data, at: u32, what: impl Fn(u32) -> Data) {
        if (self.len + 1) * 2 > self.places.len() {
            let more = (self.places.len() * 2).max(16);
            let old = std::mem::replace(&mut self.places, vec![FREE; more]);
            for at in old.into_iter().filter(|at| *at != FREE) {
                self.put(what(at), at);
            }
        }
        self.put(data, at);
        self.len += 1;
    }

    fn put(&mut self, data: Data, at: u32) {
        let mut place = self.home(data);
        while self.places[place] != FREE {
            place = (place + 1) & (self.places.len() - 1);
        }
        self.places[place] = at;
    }

    /// Forgets where it is.
    pub(super) fn remove(&mut self, data: Data, what: impl Fn(u32) -> Data) {
        let Some(mut hole) = self.find_place(data, &what) else { return };
        self.places[hole] = FREE;
        self.len -= 1;
        let mask = self.places.len() - 1;
        let mut place = hole;
        loop {
            place = (place + 1) & mask;
            let at = self.places[place];
            if at == FREE {
                return;
            }
            // Whoever is not reached any more because of the hole moves into it.
            let home = self.home(what(at));
            if (place.wrapping_sub(home) & mask) >= (place.wrapping_sub(hole) & mask) {
                self.places[hole] = at;
                self.places[place] = FREE;
                hole = place;
            }
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.len = 0;
    }
}

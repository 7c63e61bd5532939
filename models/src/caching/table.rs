//! A hash table from what is asked for to the number of its entry; the same on every machine and in every run.
//!
//! Open addressing with linear probing, at most half full; what is removed leaves no mark, those behind it move up.

use sim_core::random::Key;

/// What is asked for: an operation on a data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Data {
    /// The operation.
    pub op: u16,
    /// The data key.
    pub key: u64,
}

impl Data {
    /// A number that looks like a random one and is always the same for the same data.
    #[inline(always)]
    pub(super) fn hash(self) -> u64 {
        Key::from_bits(self.key).child(u32::from(self.op), 0).bits()
    }
}

/// From what is asked for to a number.
#[derive(Clone, Debug, Default)]
pub struct Table {
    places: Vec<Option<(Data, u32)>>,
    len: usize,
}

impl Table {
    fn home(&self, data: Data) -> usize {
        data.hash() as usize & (self.places.len() - 1)
    }

    fn find(&self, data: Data) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let mut at = self.home(data);
        while let Some((other, _)) = self.places[at] {
            if other == data {
                return Some(at);
            }
            at = (at + 1) & (self.places.len() - 1);
        }
        None
    }

    /// The number of it.
    pub fn get(&self, data: Data) -> Option<u32> {
        self.find(data).and_then(|at| self.places[at]).map(|(_, number)| number)
    }

    /// Gives it a number, another if it has one.
    pub fn insert(&mut self, data: Data, number: u32) {
        if let Some(at) = self.find(data) {
            self.places[at] = Some((data, number));
            return;
        }
        if (self.len + 1) * 2 > self.places.len() {
            let more = (self.places.len() * 2).max(16);
            let old = std::mem::replace(&mut self.places, vec![None; more]);
            for (data, number) in old.into_iter().flatten() {
                self.put(data, number);
            }
        }
        self.put(data, number);
        self.len += 1;
    }

    fn put(&mut self, data: Data, number: u32) {
        let mut at = self.home(data);
        while self.places[at].is_some() {
            at = (at + 1) & (self.places.len() - 1);
        }
        self.places[at] = Some((data, number));
    }

    /// Forgets it; the number that it had.
    pub fn remove(&mut self, data: Data) -> Option<u32> {
        let mut hole = self.find(data)?;
        let number = self.places[hole].take().map(|(_, number)| number);
        self.len -= 1;
        let mask = self.places.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let Some((other, _)) = self.places[at] else { return number };
            // Whoever is not reached any more because of the hole moves into it.
            let home = self.home(other);
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.places[hole] = self.places[at].take();
                hole = at;
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.places.clear();
        self.len = 0;
    }
}

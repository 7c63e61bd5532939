//! How often something was asked for of late, in two bytes a key: a count-min sketch of counters of four bits, all of which are
//! halved after so many requests (Einziger, Friedman and Manes, *TinyLFU*, 2017; Cormode and Muthukrishnan, 2005).

use super::super::table::Data;

const ROWS: u64 = 4;
const MOST: u64 = 15;
/// Counters in a word.
const EACH: u64 = 16;
/// Requests after which the counters are halved, for each key that there is room for.
const SAMPLE: u64 = 10;

/// Estimates that are never too low, up to 15, until the counters are halved.
#[derive(Clone, Debug)]
pub(crate) struct Sketch {
    words: Vec<u64>,
    /// Counters of a row, less one: a power of two less one.
    mask: u64,
    additions: u64,
    sample: u64,
}

impl Sketch {
    /// For a cache with room for so many.
    pub(crate) fn new(capacity: usize) -> Sketch {
        let width = (capacity as u64).next_power_of_two().max(EACH);
        Sketch {
            words: vec![0; (ROWS * width / EACH) as usize],
            mask: width - 1,
            additions: 0,
            sample: SAMPLE * (capacity as u64).max(1),
        }
    }

    /// Where the counter of some data in a row is: the word, and by how much it is shifted there.
    fn place(&self, hash: u64, row: u64) -> (usize, u64) {
        let (low, high) = (hash & 0xffff_ffff, hash >> 32 | 1);
        let counter = row * (self.mask + 1) + ((low.wrapping_add(row.wrapping_mul(high))) & self.mask);
        ((counter / EACH) as usize, counter % EACH * 4)
    }

    /// How often it was asked for, about.
    pub(crate) fn count(&self, data: Data) -> u64 {
        let hash = data.hash();
        let of_row = |row| {
            let (word, shift) = self.place(hash, row);
            self.words[word] >> shift & MOST
        };
        (0..ROWS).map(of_row).min().unwrap_or(0)
    }

    /// It was asked for.
    pub(crate) fn add(&mut self, data: Data) {
        let hash = data.hash();
        let mut added = false;
        for row in 0..ROWS {
            let (word, shift) = self.place(hash, row);
            if self.words[word] >> shift & MOST < MOST {
                self.words[word] += 1 << shift;
                added = true;
            }
        }
        self.additions += u64::from(added);
        if self.additions >= self.sample {
            self.halve();
        }
    }

    fn halve(&mut self) {
        let mut odd = 0;
        for word in &mut self.words {
            odd += u64::from((*word & 0x1111_1111_1111_1111).count_ones());
            *word = *word >> 1 & 0x7777_7777_7777_7777;
        }
        self.additions = (self.additions - odd / ROWS) / 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;
    use std::collections::BTreeMap;

    #[test]
    fn estimates_are_never_too_low_and_seldom_too_high() {
        let mut stream = Stream::named(4, "sketch");
        let mut sketch = Sketch::new(1_000);
        let mut exact = BTreeMap::new();
        for _ in 0..5_000 {
            let data = Data { op: 0, key: stream.below(1_000).min(stream.below(1_000)) };
            sketch.add(data);
            *exact.entry(data).or_insert(0u64) += 1;
        }
        let wrong = exact.iter().filter(|(data, count)| {
            assert!(sketch.count(**data) >= **count.min(&&MOST));
            sketch.count(**data) > **count
        });
        // About 5,000 additions in 1,024 counters a row; the least of four is hardly ever shared by many.
        assert!(wrong.count() < exact.len() / 2);
    }

    #[test]
    fn counts_are_halved_after_ten_requests_for_each_place() {
        let mut sketch = Sketch::new(2);
        let of = |key| Data { op: 0, key };
        (0..12).for_each(|_| sketch.add(of(1)));
        assert_eq!(sketch.count(of(1)), 12);
        (0..7).for_each(|_| sketch.add(of(2)));
        let before = sketch.count(of(2));
        sketch.add(of(2));
        assert_eq!((sketch.count(of(1)), sketch.count(of(2))), (6, before.div_ceil(2)));
    }
}

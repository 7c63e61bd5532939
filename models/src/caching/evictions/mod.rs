//! Which entry is evicted when a cache is full: one policy a file.

mod by_count;
mod in_order;
mod s3_fifo;
mod sieve;
pub(super) mod sketch;
mod tiny_lfu;
mod unordered;

use super::entries::Entries;
use super::table::Data;

pub(super) use by_count::{Lfu, PerfectLfu};
pub(super) use in_order::{Clock, Fifo, Lru};
pub(super) use s3_fifo::S3Fifo;
pub(super) use sieve::Sieve;
pub(super) use tiny_lfu::TinyLfu;
pub(super) use unordered::{Anything, Placed};

/// What an eviction policy decides. It hangs entries where it likes, and takes them from there before they go.
pub(super) trait Eviction {
    /// Something was asked for that is not there.
    fn missed(&mut self, data: Data) {
        let _ = data;
    }

    /// Whether something new may come in at all.
    fn admits(&self, data: Data, is_full: bool) -> bool {
        let _ = (data, is_full);
        true
    }

    /// Something new is about to come in: makes room for it.
    fn make_room(&mut self, entries: &mut Entries, coming: Data) {
        let _ = coming;
        while entries.is_full() {
            self.evict(entries);
        }
    }

    /// It has come in.
    fn added(&mut self, entries: &mut Entries, index: u32);

    /// An entry was used.
    fn used(&mut self, entries: &mut Entries, index: u32);

    /// An entry was put in anew, which nobody has asked for.
    fn put_again(&mut self, entries: &mut Entries, index: u32) {
        self.used(entries, index);
    }

    /// One must go; nothing happens where there is none.
    fn evict(&mut self, entries: &mut Entries);

    /// An entry is about to go for another reason.
    fn taken(&mut self, entries: &mut Entries, index: u32);

    /// There is room for so many from now on.
    fn resized(&mut self, entries: &mut Entries) {
        while entries.len() > entries.capacity {
            self.evict(entries);
        }
    }

    /// All is forgotten.
    fn clear(&mut self);
}

//! Prefetching: requests memory before it is needed, to avoid waiting for it later. Affects speed only.
//!
//! Only the owner of the data knows what to prefetch and when: see `engine/ahead.rs`.

use prefetch_index::prefetch_index;

/// Prefetches an entry of a table. Harmless if the index is out of range.
#[inline(always)]
pub fn prefetch<T>(table: &[T], index: usize) {
    prefetch_index(table, index);
}

/// Prefetches a single value.
#[inline(always)]
pub fn prefetch_one<T>(thing: &T) {
    prefetch(std::slice::from_ref(thing), 0);
}

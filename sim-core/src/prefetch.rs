//! Prefetching: asking for memory before it is needed, so that nothing waits for it then. Changes nothing but the speed.
//!
//! What is worth asking for, and when, only its owner knows: see `engine/ahead.rs`.

use prefetch_index::prefetch_index;

/// Asks for a place of a table. Harmless where there is no such place.
#[inline(always)]
pub fn prefetch<T>(table: &[T], index: usize) {
    prefetch_index(table, index);
}

/// Asks for a thing.
#[inline(always)]
pub fn prefetch_one<T>(thing: &T) {
    prefetch(std::slice::from_ref(thing), 0);
}

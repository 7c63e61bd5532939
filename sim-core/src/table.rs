//! Tables that grow with the work in progress and then keep their size.
//!
//! A vector that doubles leaves up to half of its memory unused for the rest of a run, and in a large system these
//! tables are most of the memory. They grow by a sixteenth instead: each entry is moved a few more times while the
//! table fills, and never again.

use std::collections::VecDeque;

/// Minimum number of entries to reserve.
const LEAST: usize = 4;

/// Adds an entry.
#[inline(always)]
pub fn push<T>(table: &mut Vec<T>, value: T) {
    if table.len() < table.capacity() {
        table.push(value);
    } else {
        push_with_room(table, value);
    }
}

#[cold]
#[inline(never)]
fn push_with_room<T>(table: &mut Vec<T>, value: T) {
    make_room(table, 1);
    table.push(value);
}

/// Adds an entry at the back of a ring.
#[inline(always)]
pub fn push_back<T>(ring: &mut VecDeque<T>, value: T) {
    if ring.len() < ring.capacity() {
        ring.push_back(value);
    } else {
        push_back_with_room(ring, value);
    }
}

/// Extends the table with `value` up to and including `index`, if necessary.
#[inline]
pub fn reach<T: Clone>(table: &mut Vec<T>, index: usize, value: T) {
    if index >= table.len() {
        make_room(table, index + 1 - table.len());
        table.resize(index + 1, value);
    }
}

#[cold]
fn make_room<T>(table: &mut Vec<T>, more: usize) {
    if table.capacity() - table.len() < more {
        table.reserve_exact(more.max(table.len() / 16).max(LEAST));
    }
}

#[cold]
#[inline(never)]
fn push_back_with_room<T>(ring: &mut VecDeque<T>, value: T) {
    ring.reserve_exact((ring.len() / 16).max(LEAST));
    ring.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_never_much_larger_than_what_is_in_it() {
        let (mut pushed, mut reached, mut ring, mut moves) = (Vec::new(), Vec::new(), VecDeque::new(), 0);
        for at in 0..100_000_usize {
            moves += usize::from(pushed.len() == pushed.capacity());
            push(&mut pushed, at);
            reach(&mut reached, at, 7);
            push_back(&mut ring, at);
            let most = at + 1 + at / 16 + LEAST;
            assert!(pushed.capacity() <= most && reached.capacity() <= most && ring.capacity() <= most);
        }
        assert!(pushed.iter().eq(&ring) && ring.into_iter().eq(0..100_000) && reached.len() == 100_000);
        assert!(moves < 220, "{moves}");
        reach(&mut reached, 10, 8);
        assert!(reached.len() == 100_000 && reached.iter().all(|value| *value == 7));
    }
}

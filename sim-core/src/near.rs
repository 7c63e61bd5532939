//! The earliest timers: a short sorted run, popped from its end, and a heap for the overflow.
//!
//! In a run of a few dozen keys, inserting means finding the position and shifting the earlier keys a few at a time,
//! and the least key is available for free. That is cheaper than a heap. Keys later than the run wait in the heap, and
//! the run is refilled from it when it is used up.
//!
//! ```text
//!   next ◀─ run ─│ edge │─ heap ─│ end
//! ```

use crate::heap::Heap;

/// The maximum length of the run.
const RUN_MAX: usize = 128;
/// Keys moved at a time.
const STRIDE: usize = 4;

/// A priority queue of keys before a certain end.
#[derive(Clone, Debug)]
pub(crate) struct Near {
    /// The keys before the edge, the least of them last. Empty only if there are no keys at all.
    run: Vec<u128>,
    /// The length of a full run.
    run_max: usize,
    /// The keys from the edge on.
    rest: Heap<u128>,
    edge: u128,
    end: u128,
}

impl Near {
    /// A queue for keys before `end`, with runs of at most `run_max` keys, but at least two.
    pub(crate) fn new(run_max: usize, end: u128) -> Self {
        let run_max = run_max.clamp(2, RUN_MAX);
        Near { run: Vec::with_capacity(run_max), run_max, rest: Heap::new(), edge: end, end }
    }

    /// The number of keys.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.run.len() + self.rest.len()
    }

    /// Whether there are no keys.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.run.is_empty()
    }

    /// The least key.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u128> {
        self.run.last().copied()
    }

    /// The end; keys from here on do not belong in this queue.
    #[inline]
    pub(crate) fn end(&self) -> u128 {
        self.end
    }

    /// Adds a key if it belongs in the run and the run has space, which is nearly always the case. Otherwise returns
    /// false; the key needs [`push`](Self::push), or does not belong here.
    #[inline(always)]
    pub(crate) fn insert(&mut self, key: u128) -> bool {
        let has_place = key < self.edge && self.run.len() < self.run_max;
        if has_place {
            self.put(key);
        }
        has_place
    }

    /// Inserts a key at its position in the run.
    #[inline(always)]
    fn put(&mut self, key: u128) {
        let mut place = self.run.len();
        self.run.push(key);
        let run = self.run.as_mut_slice();
        while let Some(keys) = run[..=place].last_chunk_mut::<{ STRIDE + 1 }>()
            && keys[0] < key
        {
            keys.copy_within(..STRIDE, 1);
            place -= STRIDE;
        }
        while place > 0 && run[place - 1] < key {
            run[place] = run[place - 1];
            place -= 1;
        }
        run[place] = key;
    }

    /// Adds a key before the end.
    pub(crate) fn push(&mut self, key: u128) {
        debug_assert!(key < self.end);
        if key < self.edge && self.run.len() == self.run_max {
            self.run.drain(..self.run_max / 2).for_each(|later| self.rest.push(later));
            self.set_edge();
        }
        if !self.insert(key) {
            self.rest.push(key);
        }
    }

    /// Removes the least key.
    #[inline(always)]
    pub(crate) fn drop_least(&mut self) {
        self.run.pop();
        if self.run.is_empty() && !self.rest.is_empty() {
            self.fill();
        }
    }

    /// Appends keys without ordering them, while the queue is empty; [`order`](Self::order) must follow.
    pub(crate) fn append(&mut self, keys: &[u128]) {
        self.run.extend_from_slice(keys);
    }

    /// Orders the appended keys, all of which are before the new `end`.
    pub(crate) fn order(&mut self, end: u128) {
        debug_assert!(self.rest.is_empty(), "keys are appended where there are none");
        (self.edge, self.end) = (end, end);
        if self.run.len() > self.run_max {
            self.rest.extend(self.run.drain(..));
            self.run.shrink_to(self.run_max);
            self.fill();
        } else {
            sort(&mut self.run);
        }
    }

    /// Fills the run with the first keys of the heap.
    #[cold]
    #[inline(never)]
    fn fill(&mut self) {
        self.run.extend(std::iter::from_fn(|| self.rest.pop()).take(self.run_max / 2));
        self.run.reverse();
        self.set_edge();
    }

    /// Sets the edge to the first key of the heap, or to the end if the heap is empty; later keys must not go into the
    /// run.
    fn set_edge(&mut self) {
        self.edge = self.rest.peek().unwrap_or(self.end);
    }

    /// All keys: first those of the run, in ascending order, then those of the heap.
    pub(crate) fn keys(&self) -> impl Iterator<Item = u128> {
        self.run.iter().rev().chain(self.rest.as_slice()).copied()
    }

    /// Drops the keys for which `keep` is false.
    pub(crate) fn retain(&mut self, keep: impl Fn(u128) -> bool) {
        self.run.retain(|&key| keep(key));
        self.rest.retain(|&key| keep(key));
        if self.run.is_empty() {
            self.fill();
        } else {
            self.set_edge();
        }
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.run.capacity() * size_of::<u128>() + self.rest.bytes()
    }
}

/// The maximum number of keys sorted by counting.
const COUNTED: usize = 64;
/// Keys compared with one key at a time.
const LANES: usize = 8;

/// Sorts keys in descending order.
fn sort(keys: &mut [u128]) {
    if !sort_by_counting(keys) {
        keys.sort_unstable_by(|a, b| b.cmp(a));
    }
}

/// Sorts a few keys by counting, for each key, how many are greater. This makes more comparisons than necessary, but
/// eight at a time and without unpredictable branches. Returns false and changes nothing if there are too few or too
/// many keys, two with the same instant, or instants too far apart.
fn sort_by_counting(keys: &mut [u128]) -> bool {
    let len = keys.len();
    if !(3..=COUNTED).contains(&len) {
        return false;
    }
    // Time and class, which nearly always determine the order.
    let high = |key: u128| (key >> 64) as u64;
    let (mut first, mut last) = (u64::MAX, 0);
    for key in &*keys {
        (first, last) = (first.min(high(*key)), last.max(high(*key)));
    }
    if last - first > i32::MAX as u64 {
        return false;
    }
    let mut times = [-1_i32; COUNTED];
    for (time, key) in times.iter_mut().zip(&*keys) {
        *time = (high(*key) - first) as i32;
    }
    let padded = &times[..len.next_multiple_of(LANES)];
    let (mut sorted, mut sum) = ([0_u128; COUNTED], 0);
    for (key, time) in keys.iter().zip(&times) {
        let mut greater = [0_i32; LANES];
        for others in padded.chunks_exact(LANES) {
            for (count, other) in greater.iter_mut().zip(others) {
                *count += i32::from(other > time);
            }
        }
        let rank = greater.iter().sum::<i32>() as usize;
        sorted[rank % COUNTED] = *key;
        sum += rank;
    }
    // Keys with equal times get the same rank, which is too low for one of them.
    let are_distinct = sum == len * (len - 1) / 2;
    if are_distinct {
        keys.copy_from_slice(&sorted[..len]);
    }
    are_distinct
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Clone, Debug)]
    enum Step {
        Push(u16),
        DropLeast(usize),
        DropMultiplesOf(u128),
        Refill(Vec<u16>),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            9 => any::<u16>().prop_map(Step::Push),
            2 => (1usize..8).prop_map(Step::DropLeast),
            1 => (2u128..5).prop_map(Step::DropMultiplesOf),
            1 => prop::collection::vec(any::<u16>(), 0..60).prop_map(Step::Refill),
        ]
    }

    proptest! {
        #[test]
        fn counting_sorts(
            times in prop::collection::vec(prop_oneof![0u64..200, any::<u32>().prop_map(u64::from), Just(1 << 40)], 0..70),
        ) {
            let key = |(number, time): (usize, &u64)| u128::from(*time) << 64 | (number as u128 * 7919 % 101);
            let keys: Vec<u128> = times.iter().enumerate().map(key).collect();
            let (mut counted, mut sorted) = (keys.clone(), keys.clone());
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            let is_done = sort_by_counting(&mut counted);
            prop_assert_eq!(&counted, if is_done { &sorted } else { &keys });
            let distinct: BTreeSet<u64> = times.iter().copied().collect();
            let spread = times.iter().max().zip(times.iter().min()).map_or(0, |(last, first)| last - first);
            let can_be = (3..=COUNTED).contains(&keys.len()) && distinct.len() == keys.len() && spread < 1 << 31;
            prop_assert_eq!(is_done, can_be);
            let mut by_either = keys.clone();
            sort(&mut by_either);
            prop_assert_eq!(by_either, sorted);
        }

        #[test]
        fn keys_leave_as_from_a_sorted_set(run_max in 2usize..20, steps in prop::collection::vec(step(), 0..200)) {
            let end = 1 << 16;
            let (mut near, mut twin) = (Near::new(run_max, end), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Push(key) => {
                        let key = u128::from(key);
                        if twin.insert(key) && !near.insert(key) {
                            near.push(key);
                        }
                    }
                    Step::DropLeast(times) => {
                        for least in std::iter::from_fn(|| twin.pop_first()).take(times) {
                            prop_assert_eq!(near.peek(), Some(least));
                            near.drop_least();
                        }
                    }
                    Step::DropMultiplesOf(divisor) => {
                        near.retain(|key| key % divisor != 0);
                        twin.retain(|key| key % divisor != 0);
                    }
                    Step::Refill(keys) => {
                        twin = keys.into_iter().map(u128::from).collect();
                        near = Near::new(run_max, 0);
                        twin.iter().for_each(|&key| near.append(&[key]));
                        near.order(end);
                    }
                }
                prop_assert_eq!((near.len(), near.is_empty(), near.end()), (twin.len(), twin.is_empty(), end));
                prop_assert_eq!(near.peek(), twin.first().copied());
                prop_assert!(near.run.len() <= run_max, "a run has a bound");
                prop_assert_eq!(near.edge, near.rest.peek().unwrap_or(end), "the edge is where the heap begins");
            }
            prop_assert_eq!(near.keys().collect::<BTreeSet<_>>(), twin);
        }
    }
}

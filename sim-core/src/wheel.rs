//! The timers that are in no lane: kept sorted ([`crate::near`]) while they are few, with a wheel on top when they are
//! many.
//!
//! The cost of keeping timers sorted grows with every doubling of their number, mostly through cache misses. A wheel
//! chooses a bucket for a timer by its instant alone: four levels of 256 buckets, where a bucket of the lowest level
//! covers one tick and a bucket of each further level 256 times as much, and a heap for timers beyond the last level.
//! Only timers due up to the *horizon*, the end of the current tick, are near, that is sorted. The next timer is always
//! taken from there, so the order is exact for any tick.
//!
//! ```text
//!            horizon
//!     near      |  256 ticks  |  256 × 256 ticks  |  256³  |  256⁴  |  far heap
//! ```
//!
//! The tick is derived from the mean gap between the earliest timers. When too many or too few timers come near at a
//! time, the wheel is rebuilt, at a cost amortised over the timers moved since the last rebuild.

use crate::heap::Heap;
use crate::near::Near;
use crate::order::{TIME_SHIFT, time_of};
use crate::table::push;
use crate::time::Time;

/// Greater than any key.
const NO_KEY: u128 = u128::MAX;
const LEVELS: usize = 4;
const LEVEL_BITS: usize = 8;
const BUCKETS: usize = 1 << LEVEL_BITS;
/// Keys per chunk, chosen so that a chunk takes 256 bytes.
const CHUNK: usize = 15;
/// Number of pending timers above which a wheel pays off.
const WHEEL_FROM: usize = 256;
/// The wheel is dropped when fewer than its threshold divided by this are pending.
const NO_WHEEL_BELOW_SHARE: usize = 4;
/// Idle chunks below which rebuilding the wheel at a smaller size is not worthwhile.
const IDLE_TOLERATED: usize = 1024;
/// Target number of mean gaps per tick.
const TICK_GAPS: u64 = 32;
/// Mean number of timers per step above which a smaller tick would be better.
const CROWDED: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Chunk {
    keys: [u128; CHUNK],
    len: u32,
    /// The next chunk of the bucket, or of the free list.
    next: Option<ChunkId>,
}

/// A chunk's index plus one.
type ChunkId = std::num::NonZeroU32;

/// Buckets beyond the horizon.
#[derive(Clone, Debug)]
struct Wheel {
    /// A tick is two to this power nanoseconds.
    shift: u32,
    /// The current tick; timers due in it or earlier are not in the wheel.
    tick: u64,
    len: usize,
    occupied: [[u64; BUCKETS / 64]; LEVELS],
    buckets: Vec<Option<ChunkId>>,
    chunks: Vec<Chunk>,
    free: Option<ChunkId>,
    /// Number of chunks on the free list.
    idle: usize,
    far: Heap<u128>,
    /// Timers that have come near, and steps that moved them there, since the wheel was built.
    moved: usize,
    steps: usize,
}

impl Wheel {
    fn new(shift: u32, start: Time) -> Self {
        Wheel {
            shift,
            tick: start >> shift,
            len: 0,
            occupied: [[0; BUCKETS / 64]; LEVELS],
            buckets: vec![None; LEVELS * BUCKETS],
            chunks: Vec::new(),
            free: None,
            idle: 0,
            far: Heap::new(),
            moved: 0,
            steps: 0,
        }
    }

    /// The first key that belongs in the wheel.
    fn horizon(&self) -> u128 {
        let end = u128::from(self.tick + 1) << self.shift;
        if end >= 1 << (128 - TIME_SHIFT) { NO_KEY } else { end << TIME_SHIFT }
    }

    /// Adds a key beyond the horizon.
    #[inline(always)]
    fn push(&mut self, key: u128) {
        self.len += 1;
        let tick = time_of(key) >> self.shift;
        debug_assert!(tick > self.tick);
        let level = (u64::BITS - 1 - (tick ^ self.tick).leading_zeros()) as usize / LEVEL_BITS;
        if level >= LEVELS {
            return self.push_far(key);
        }
        let bucket = (tick >> (level * LEVEL_BITS)) as usize % BUCKETS;
        self.occupied[level][bucket / 64] |= 1 << (bucket % 64);
        let head = &mut self.buckets[level * BUCKETS + bucket];
        if let Some(id) = *head {
            let chunk = &mut self.chunks[id.get() as usize - 1];
            if let Some(place) = chunk.keys.get_mut(chunk.len as usize) {
                *place = key;
                chunk.len += 1;
                return;
            }
        }
        self.begin_chunk(level * BUCKETS + bucket, key);
    }

    /// Adds a key beyond the highest level.
    #[cold]
    #[inline(never)]
    fn push_far(&mut self, key: u128) {
        self.far.push(key);
    }

    /// Adds a key to a bucket whose first chunk is full or missing.
    #[inline(never)]
    fn begin_chunk(&mut self, bucket: usize, key: u128) {
        let head = &mut self.buckets[bucket];
        let next = *head;
        *head = match self.free {
            Some(id) => {
                let chunk = &mut self.chunks[id.get() as usize - 1];
                self.free = chunk.next;
                self.idle -= 1;
                // The remaining keys of the chunk are stale and never read.
                (chunk.keys[0], chunk.len, chunk.next) = (key, 1, next);
                Some(id)
            }
            None => {
                let mut chunk = Chunk { keys: [0; CHUNK], len: 1, next };
                chunk.keys[0] = key;
                push(&mut self.chunks, chunk);
                ChunkId::new(self.chunks.len() as u32)
            }
        };
    }

    /// Advances the horizon until the next timers are near; `near` must be empty before, and sorted afterwards by the
    /// caller.
    fn advance(&mut self, near: &mut Near) {
        while near.is_empty() && self.len > 0 {
            self.steps += 1;
            match self.first_bucket() {
                Some((level, bucket)) => self.open(level, bucket, near),
                None => self.turn(near),
            }
            self.moved += near.len();
        }
    }

    fn first_bucket(&self) -> Option<(usize, usize)> {
        for level in 0..LEVELS {
            let from = (self.tick >> (level * LEVEL_BITS)) as usize % BUCKETS + 1;
            let mut mask = u64::MAX.checked_shl(from as u32 % 64).unwrap_or(0);
            for (word, bits) in self.occupied[level].iter().enumerate().skip(from / 64) {
                let hit = bits & mask;
                if hit != 0 {
                    return Some((level, word * 64 + hit.trailing_zeros() as usize));
                }
                mask = u64::MAX;
            }
        }
        None
    }

    /// Advances the horizon to the first tick of a bucket and redistributes the timers of the bucket.
    fn open(&mut self, level: usize, bucket: usize, near: &mut Near) {
        let low = level * LEVEL_BITS;
        self.tick = ((self.tick >> (low + LEVEL_BITS)) << (low + LEVEL_BITS)) | ((bucket as u64) << low);
        self.occupied[level][bucket / 64] &= !(1 << (bucket % 64));
        let mut next = self.buckets[level * BUCKETS + bucket].take();
        while let Some(id) = next {
            let number = id.get() as usize - 1;
            let len = self.chunks[number].len as usize;
            self.len -= len;
            if level == 0 {
                near.append(&self.chunks[number].keys[..len]);
            } else {
                for at in 0..len {
                    let key = self.chunks[number].keys[at];
                    self.place(key, near);
                }
            }
            let chunk = &mut self.chunks[number];
            next = chunk.next;
            chunk.next = self.free;
            self.free = Some(id);
            self.idle += 1;
        }
    }

    /// Begins the next turn of the highest level, at the first timer of the far heap.
    fn turn(&mut self, near: &mut Near) {
        let shift = self.shift;
        let tick_of = |key: u128| time_of(key) >> shift;
        let Some(first) = self.far.peek() else { return };
        self.tick = tick_of(first);
        let turn = self.tick >> (LEVELS * LEVEL_BITS);
        while let Some(key) = self.far.peek().filter(|&key| tick_of(key) >> (LEVELS * LEVEL_BITS) == turn) {
            self.far.pop();
            self.len -= 1;
            self.place(key, near);
        }
    }

    /// Puts a key near, to be sorted later, or into a bucket.
    fn place(&mut self, key: u128, near: &mut Near) {
        if time_of(key) >> self.shift <= self.tick {
            near.append(&[key]);
        } else {
            self.push(key);
        }
    }

    /// Memory held, in bytes.
    fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Option<ChunkId>>()
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.far.bytes()
    }

    /// All keys of the wheel.
    fn keys(&self) -> impl Iterator<Item = u128> {
        let heads = self.buckets.iter().filter_map(|head| *head);
        let chunks = heads.flat_map(|head| {
            std::iter::successors(Some(&self.chunks[head.get() as usize - 1]), |chunk| {
                chunk.next.map(|next| &self.chunks[next.get() as usize - 1])
            })
        });
        let near = chunks.flat_map(|chunk| chunk.keys[..chunk.len as usize].iter().copied());
        near.chain(self.far.as_slice().iter().copied())
    }
}

/// A priority queue of pending timers.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// Timers before the horizon; all timers while there is no wheel.
    near: Near,
    /// Whether the wheel has opened a bucket since the last query.
    pub(crate) has_opened: bool,
    /// Maximum number of near timers without a wheel; unbounded with one.
    near_max: usize,
    wheel: Option<Box<Wheel>>,
    wheel_from: usize,
}

impl Pending {
    pub(crate) fn new() -> Self {
        Self::with_wheel_from(WHEEL_FROM)
    }

    /// With a wheel above this number of timers.
    pub(crate) fn with_wheel_from(wheel_from: usize) -> Self {
        let near = Near::new(wheel_from, NO_KEY);
        Pending { near, has_opened: false, near_max: wheel_from, wheel: None, wheel_from }
    }

    /// The number of keys.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.near.len() + self.wheel.as_ref().map_or(0, |wheel| wheel.len)
    }

    /// Adds a key.
    #[inline(always)]
    pub(crate) fn push(&mut self, key: u128) {
        if !self.near.insert(key) {
            self.push_apart(key);
        }
    }

    /// Adds a key that is not among the nearest.
    #[inline(never)]
    fn push_apart(&mut self, key: u128) {
        if key < self.near.end() {
            self.near.push(key);
            if self.near.len() > self.near_max {
                self.rebuild();
            }
        } else if let Some(wheel) = &mut self.wheel {
            wheel.push(key);
        }
    }

    /// The least key; greater than any key if there is none.
    #[inline]
    pub(crate) fn least(&mut self) -> u128 {
        match self.near.peek() {
            Some(key) => key,
            None if self.wheel.is_none() => NO_KEY,
            None => self.advance(),
        }
    }

    /// Removes the least key, as just returned by [`least`](Self::least).
    #[inline(always)]
    pub(crate) fn drop_least(&mut self) {
        self.near.drop_least();
    }

    /// The keys before the horizon, starting with the next ones.
    pub(crate) fn ready(&self) -> impl Iterator<Item = u128> {
        self.near.keys()
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.near.bytes() + self.wheel.as_ref().map_or(0, |wheel| wheel.bytes())
    }

    /// All keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = u128> {
        self.near.keys().chain(self.wheel.iter().flat_map(|wheel| wheel.keys()))
    }

    /// Drops the keys for which `keep` is false.
    #[cold]
    #[inline(never)]
    pub(crate) fn retain(&mut self, keep: impl Fn(u128) -> bool) {
        if self.wheel.is_none() {
            return self.near.retain(keep);
        }
        let keys = self.keys().filter(|&key| keep(key)).collect();
        self.build(keys);
    }

    #[cold]
    #[inline(never)]
    fn advance(&mut self) -> u128 {
        if let Some(wheel) = &mut self.wheel {
            let pending = wheel.len;
            let spread = wheel.moved + wheel.steps > pending / 2 + self.wheel_from;
            let (crowded, sparse) = (wheel.moved > CROWDED * wheel.steps, wheel.steps > 2 * wheel.moved);
            let roomy = wheel.idle > IDLE_TOLERATED && 2 * wheel.idle > wheel.chunks.len();
            if pending < self.wheel_from / NO_WHEEL_BELOW_SHARE || (spread && (crowded || sparse)) || roomy {
                self.rebuild();
            } else {
                if spread {
                    (wheel.moved, wheel.steps) = (0, 0);
                }
                wheel.advance(&mut self.near);
                self.near.order(wheel.horizon());
                self.has_opened = true;
            }
        }
        self.near.peek().unwrap_or(NO_KEY)
    }

    #[cold]
    #[inline(never)]
    fn rebuild(&mut self) {
        let keys = self.keys().collect();
        self.build(keys);
    }

    /// Rebuilds from these keys, without a wheel or with one and a suitable tick.
    fn build(&mut self, keys: Vec<u128>) {
        let few = if self.wheel.is_some() { self.wheel_from / NO_WHEEL_BELOW_SHARE } else { self.wheel_from };
        if keys.len() <= few {
            (self.wheel, self.near_max) = (None, self.wheel_from);
            self.near = Near::new(self.wheel_from, NO_KEY);
            self.near.append(&keys);
            self.near.order(NO_KEY);
            return;
        }
        let mut times: Vec<Time> = keys.iter().map(|&key| time_of(key)).collect();
        let (start, shift) = (times.iter().copied().min().unwrap_or(0), tick_shift(&mut times));
        let mut wheel = Box::new(Wheel::new(shift, start));
        (self.near, self.near_max) = (Near::new(usize::MAX, wheel.horizon()), usize::MAX);
        for key in keys {
            wheel.place(key, &mut self.near);
        }
        self.near.order(wheel.horizon());
        self.wheel = Some(wheel);
    }
}

/// The exponent of the greatest power of two up to the target tick, derived from the gaps between the earliest
/// instants.
fn tick_shift(times: &mut [Time]) -> u32 {
    let Some(least) = times.iter().copied().min() else { return 0 };
    for quarters in 1..=4 {
        let rank = (times.len() * quarters / 4).clamp(1, times.len()) - 1;
        let (_, &mut at, _) = times.select_nth_unstable(rank);
        // Many timers at one instant say nothing about the gaps, so look further.
        if at > least {
            return (TICK_GAPS * (at - least) / (rank as u64).max(1)).max(1).ilog2();
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn key(at: Time, number: u64) -> u128 {
        (u128::from(at) << TIME_SHIFT) | u128::from(number)
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(Vec<Time>),
        Pop(usize),
        DropEven,
    }

    /// Delays of every magnitude, so that all levels and the far heap are used, and many zero delays.
    fn delay() -> impl Strategy<Value = Time> {
        prop_oneof![Just(0), 0u64..4, (0u32..50, 0u64..256).prop_map(|(magnitude, x)| x << magnitude)]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => prop::collection::vec(delay(), 1..60).prop_map(Step::Push),
            5 => (1usize..60).prop_map(Step::Pop),
            1 => Just(Step::DropEven),
        ]
    }

    proptest! {
        #[test]
        fn keys_leave_in_order_whatever_holds_them(wheel_from in 4usize..64, steps in prop::collection::vec(step(), 1..60)) {
            let mut pending = Pending::with_wheel_from(wheel_from);
            let mut twin = BTreeSet::new();
            let (mut now, mut number) = (0, 0);
            for step in steps {
                match step {
                    Step::Push(delays) => {
                        for delay in delays {
                            number += 1;
                            let key = key((now + delay).min((1 << 59) - 1), number);
                            pending.push(key);
                            twin.insert(key);
                        }
                    }
                    Step::Pop(times) => {
                        for _ in 0..times {
                            let least = pending.least();
                            prop_assert_eq!(least, twin.pop_first().unwrap_or(NO_KEY));
                            if least != NO_KEY {
                                now = time_of(least);
                                pending.drop_least();
                            }
                        }
                    }
                    Step::DropEven => {
                        pending.retain(|key| key % 2 == 1);
                        twin.retain(|key| key % 2 == 1);
                    }
                }
                prop_assert_eq!(pending.len(), twin.len());
            }
            let mut keys: Vec<u128> = pending.keys().collect();
            keys.sort_unstable();
            prop_assert_eq!(keys, twin.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_wheel_comes_with_many_timers_and_goes_with_them() {
        let mut pending = Pending::new();
        for number in 0..=WHEEL_FROM as u64 {
            assert!(pending.wheel.is_none());
            pending.push(key(1000 * number, number));
        }
        assert!(pending.wheel.is_some());
        for number in 0..=WHEEL_FROM as u64 {
            assert_eq!(pending.least(), key(1000 * number, number));
            pending.drop_least();
        }
        assert_eq!((pending.least(), pending.len()), (NO_KEY, 0));
        assert!(pending.wheel.is_none());
    }

    #[test]
    fn the_tick_follows_the_gap_when_it_changes() {
        let mut pending = Pending::new();
        let mut number = 0;
        let mut push = |pending: &mut Pending, at| {
            number += 1;
            pending.push(key(at, number));
        };
        // A timer every millisecond, then a thousand times as many.
        for at in 0..5000 {
            push(&mut pending, at * 1_000_000);
        }
        let coarse = pending.wheel.as_ref().map(|wheel| wheel.shift);
        for at in 0..500_000 {
            push(&mut pending, at * 1_000);
        }
        for _ in 0..300_000 {
            assert_ne!(pending.least(), NO_KEY);
            pending.drop_least();
        }
        let fine = pending.wheel.as_ref().map(|wheel| wheel.shift);
        assert_eq!((coarse, fine), (Some(24), Some(14)));
        assert!(pending.near.len() < CROWDED);
    }

    #[test]
    fn a_million_timers_of_one_instant_leave_in_the_order_of_setting() {
        let mut pending = Pending::new();
        for number in 0..1_000_000 {
            pending.push(key(7, number));
        }
        for number in 0..1_000_000 {
            assert_eq!(pending.least(), key(7, number));
            pending.drop_least();
        }
    }
}

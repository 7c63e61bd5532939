//! Timers with the same constant delay, as plain first-in-first-out rings.
//!
//! Timers with a constant delay expire in the order in which they are set, so they need no sorting: each distinct
//! (delay, class) has a lane of its own, setting is a push at the back, and only the head of each lane competes with
//! the rest of the calendar. Cancelling is one subtraction; the entry stays until its turn comes or, in a longer lane,
//! until there is one dead entry for every four live ones and the lane is compacted. A small tournament over the lanes
//! maintains the least head.

use crate::order::Class;
use crate::table::push_back;
use crate::time::{Span, Time};
use crate::tournament::{NO_KEY, Tournament};
use std::collections::VecDeque;

/// Number of delays that get a lane; timers with further delays go to the general queue.
pub(crate) const LANES_MAX: usize = 64;

/// Slots of the directory: twice the number of lanes, so that probe sequences stay short.
const DIRECTORY: usize = 2 * LANES_MAX;
/// When all lanes are taken, an empty lane to reuse is searched for once per this many rejected delays.
const REFUSALS_BETWEEN_SEARCHES: u32 = 1024;
/// How many entries ahead an entry's timer is prefetched.
const LOOK_AHEAD: usize = 16;
/// A compaction may leave one dead entry per this many dead ones, and one per this many live ones.
const DEAD_LEFT: usize = 4;
/// Number of entries up to which a lane is never compacted: 4 KiB.
const NEVER_COMPACTED: usize = 256;

/// The timers of one delay and class.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    delay: Span,
    class: Class,
    /// Entries that have been neither cancelled nor taken.
    live: usize,
    /// The instant of the latest entry; an earlier one would break the order of the ring.
    last: Time,
    ring: VecDeque<u128>,
}

impl Lane {
    /// Adds a key not less than the previous ones. Returns whether it is the first, in which case the caller must set
    /// the head.
    #[inline(always)]
    pub(crate) fn push(&mut self, at: Time, key: u128) -> bool {
        let is_first = self.ring.is_empty();
        self.last = at;
        self.live += 1;
        push_back(&mut self.ring, key);
        is_first
    }
}

/// The lanes of a calendar. Entries are the calendar's keys; only the calendar knows which of them are dead.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// The first key of each lane.
    heads: Tournament,
    /// By hash of (delay, class): the lane's number plus one.
    directory: [u8; DIRECTORY],
    refusals: u32,
    /// Buffer for live entries encountered during a compaction.
    spared: Vec<u128>,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        Lanes {
            lanes: Vec::new(),
            heads: Tournament::new(),
            directory: [0; DIRECTORY],
            refusals: 0,
            spared: Vec::new(),
        }
    }

    /// The least key of all lanes, dead or alive; greater than any key if all are empty.
    #[inline]
    pub(crate) fn least(&self) -> u128 {
        self.heads.least()
    }

    /// The lane for timers with this delay that are set to `at`, with its number; `None` if there is no free lane or
    /// the order of the lane would be violated.
    #[inline(always)]
    pub(crate) fn lane_for(&mut self, delay: Span, class: Class, at: Time) -> Option<(usize, &mut Lane)> {
        let mut probe = hash(delay, class);
        let number = loop {
            let Some(number) = usize::from(self.directory[probe]).checked_sub(1) else {
                break self.open(delay, class)?;
            };
            let lane = &self.lanes[number];
            if lane.delay == delay && lane.class == class {
                break number;
            }
            probe = (probe + 1) % DIRECTORY;
        };
        let lane = &mut self.lanes[number];
        if lane.last <= at { Some((number, lane)) } else { None }
    }

    /// Sets the first key of a lane.
    #[inline]
    pub(crate) fn set_head(&mut self, number: usize, head: u128) {
        self.heads.set(number, head);
    }

    /// Removes the least key, which was alive.
    #[inline]
    pub(crate) fn drop_least(&mut self) {
        let number = self.heads.first();
        let lane = &mut self.lanes[number];
        lane.ring.pop_front();
        lane.live -= 1;
        let head = lane.ring.front().copied().unwrap_or(NO_KEY);
        self.set_head(number, head);
    }

    /// Removes the least key and the dead ones behind it in its lane.
    #[inline]
    pub(crate) fn drop_dead(&mut self, is_alive: impl Fn(u128) -> bool, prefetch: impl Fn(u128)) {
        let number = self.heads.first();
        let lane = &mut self.lanes[number];
        if lane.live == 0 {
            lane.ring.clear();
        } else {
            let ring = &lane.ring;
            let dead = if ring.len() <= NEVER_COMPACTED {
                ring.iter().take_while(|&&key| !is_alive(key)).count()
            } else {
                let is_dead = |&at: &usize| {
                    if let Some(&key) = ring.get(at + LOOK_AHEAD) {
                        prefetch(key);
                    }
                    !is_alive(ring[at])
                };
                (0..ring.len()).take_while(is_dead).count()
            };
            lane.ring.drain(..dead);
        }
        let head = lane.ring.front().copied().unwrap_or(NO_KEY);
        self.set_head(number, head);
    }

    /// Records that one entry of a lane has died.
    #[inline(always)]
    pub(crate) fn cancelled(&mut self, number: usize, is_alive: impl Fn(u128) -> bool, prefetch: impl Fn(u128)) {
        let lane = &mut self.lanes[number];
        lane.live -= 1;
        let entries = lane.ring.len();
        if entries > NEVER_COMPACTED && entries > lane.live + lane.live / 4 {
            self.compact(number, is_alive, prefetch);
        }
    }

    #[cold]
    #[inline(never)]
    fn compact(&mut self, number: usize, is_alive: impl Fn(u128) -> bool, prefetch: impl Fn(u128)) {
        // Dead entries are usually old, so nearly all of them are found without visiting the recent ones. The liveness
        // of an entry is stored elsewhere and is prefetched in time.
        let lane = &mut self.lanes[number];
        let dead = lane.ring.len() - lane.live;
        let enough = dead - dead.min(lane.live) / DEAD_LEFT;
        let (mut seen, mut found) = (0, 0);
        while found < enough
            && let Some(&key) = lane.ring.get(seen)
        {
            if let Some(&key) = lane.ring.get(seen + LOOK_AHEAD) {
                prefetch(key);
            }
            seen += 1;
            if is_alive(key) {
                self.spared.push(key);
            } else {
                found += 1;
            }
        }
        lane.ring.drain(..seen);
        self.spared.drain(..).rev().for_each(|key| lane.ring.push_front(key));
        // Frees memory after a burst, but keeps enough that a steady load does not reallocate.
        if lane.ring.capacity() > 1024 && lane.ring.capacity() / 8 > lane.ring.len() {
            lane.ring.shrink_to(4 * lane.ring.len());
        }
        let head = lane.ring.front().copied().unwrap_or(NO_KEY);
        self.set_head(number, head);
    }

    /// All keys, dead or alive, each with the number of its lane.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (usize, u128)> {
        let numbered = self.lanes.iter().enumerate();
        numbered.flat_map(|(number, lane)| lane.ring.iter().map(move |&key| (number, key)))
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let rings: usize = self.lanes.iter().map(|lane| lane.ring.capacity()).sum();
        (rings + self.spared.capacity()) * size_of::<u128>()
            + self.heads.bytes()
            + self.lanes.capacity() * size_of::<Lane>()
    }

    /// Whether the number of dead entries in a lane is within its bound, right after a cancellation.
    #[cfg(test)]
    pub(crate) fn is_compact(&self, number: usize) -> bool {
        let Lane { live, ring, .. } = &self.lanes[number];
        ring.len() <= NEVER_COMPACTED.max(live + live / 4)
    }

    /// All entries, dead or alive.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> usize {
        self.lanes.iter().map(|lane| lane.ring.len()).sum()
    }

    #[cold]
    #[inline(never)]
    fn open(&mut self, delay: Span, class: Class) -> Option<usize> {
        let lane = Lane { delay, class, live: 0, last: 0, ring: VecDeque::new() };
        if self.lanes.len() < LANES_MAX {
            self.lanes.push(lane);
            self.heads.make_room(self.lanes.len());
            self.enter(self.lanes.len() - 1);
            return Some(self.lanes.len() - 1);
        }
        // All lanes are taken. An empty one may belong to a setting that is no longer in force; searching for it at
        // every rejection would make random delays expensive.
        self.refusals = (self.refusals + 1) % REFUSALS_BETWEEN_SEARCHES;
        if self.refusals != 1 {
            return None;
        }
        let number = self.lanes.iter().position(|lane| lane.ring.is_empty())?;
        self.lanes[number] = lane;
        self.directory = [0; DIRECTORY];
        for each in 0..self.lanes.len() {
            self.enter(each);
        }
        Some(number)
    }

    fn enter(&mut self, number: usize) {
        let mut probe = hash(self.lanes[number].delay, self.lanes[number].class);
        while self.directory[probe] != 0 {
            probe = (probe + 1) % DIRECTORY;
        }
        self.directory[probe] = number as u8 + 1;
    }
}

/// Multiplicative hashing: the high bits of the product with 2⁶⁴ divided by the golden ratio.
#[inline]
fn hash(delay: Span, class: Class) -> usize {
    let mixed = (delay ^ ((class as u64) << 63)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> (64 - DIRECTORY.ilog2())) as usize
}

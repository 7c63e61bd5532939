//! Timers that all have the same delay, as plain first-in-first-out rings.
//!
//! A constant delay expires in the order in which it was set, so its timers need no sorting: each distinct
//! (delay, class) has a lane of its own, setting is a push at the back, and only the head of each lane competes with
//! the rest of the calendar. Cancelling is one subtraction; the entry stays until its turn comes or, in a lane of some
//! length, until there is a dead entry for every four live ones and it is compacted. The least head is kept by a small
//! tournament over the lanes.

use crate::order::Class;
use crate::table::push_back;
use crate::time::{Span, Time};
use crate::tournament::{NO_KEY, Tournament};
use std::collections::VecDeque;

/// Delays that get a lane; timers of any further one are kept by the general queue.
pub(crate) const LANES_MAX: usize = 64;

/// Slots of the directory: twice the lanes, so that probing ends soon.
const DIRECTORY: usize = 2 * LANES_MAX;
/// A full set of lanes looks for an empty lane to take over once in so many refusals.
const REFUSALS_BETWEEN_SEARCHES: u32 = 1024;
/// So many entries before it is looked at, an entry's timer is asked for from memory.
const LOOK_AHEAD: usize = 16;
/// A compaction may leave one in so many of the dead entries, and one for so many live ones.
const DEAD_LEFT: usize = 4;
/// Entries that are not worth a compaction, however many of them are dead: 4 KiB.
const NEVER_COMPACTED: usize = 256;

/// The timers of one delay and class.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    delay: Span,
    class: Class,
    /// Entries that have been neither cancelled nor taken.
    live: usize,
    /// The instant of the entry set last; an earlier one would break the order of the ring.
    last: Time,
    ring: VecDeque<u128>,
}

impl Lane {
    /// Adds a key, not less than those before it; whether it is the first, which the lanes must then be told.
    #[inline(always)]
    pub(crate) fn push(&mut self, at: Time, key: u128) -> bool {
        let is_first = self.ring.is_empty();
        self.last = at;
        self.live += 1;
        push_back(&mut self.ring, key);
        is_first
    }
}

/// The lanes of a calendar. Entries are the calendar's keys; which of them are dead only the calendar can tell.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// The first key of each lane.
    heads: Tournament,
    /// By hash of (delay, class): the lane's number plus one.
    directory: [u8; DIRECTORY],
    refusals: u32,
    /// Room for the entries that a compaction meets and keeps.
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

    /// The least key of all lanes, dead or alive; more than any key if all are empty.
    #[inline]
    pub(crate) fn least(&self) -> u128 {
        self.heads.least()
    }

    /// The lane for timers of this delay that are set to `at`, with its number; `None` if there is no room for another lane
    /// or the order of the lane would suffer.
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

    /// The first key of a lane is another one.
    #[inline]
    pub(crate) fn set_head(&mut self, number: usize, head: u128) {
        self.heads.set(number, head);
    }

    /// Drops the least key, which was alive.
    #[inline]
    pub(crate) fn drop_least(&mut self) {
        let number = self.heads.first();
        let lane = &mut self.lanes[number];
        lane.ring.pop_front();
        lane.live -= 1;
        let head = lane.ring.front().copied().unwrap_or(NO_KEY);
        self.set_head(number, head);
    }

    /// Drops the least key and those behind it in its lane up to the first that is alive.
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

    /// Notes that one entry of a lane has died.
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
        // The dead are mostly old, so that nearly all of them are found without a look at the young: whether an entry is alive
        // stands far away, and is asked for in good time.
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
        // A burst must not keep its memory for ever, and a steady load must not keep asking for it.
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

    /// Whether a lane has no more dead entries than it may when one has just been cancelled.
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
        // All lanes are taken. One that has run empty may belong to a setting that no longer holds; searching for it
        // at every refusal would make delays that are all different expensive.
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

/// Multiplicative hashing: the highest bits of a product with 2⁶⁴ divided by the golden ratio.
#[inline]
fn hash(delay: Span, class: Class) -> usize {
    let mixed = (delay ^ ((class as u64) << 63)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> (64 - DIRECTORY.ilog2())) as usize
}

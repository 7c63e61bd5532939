//! What has been written, and which copies of the data have it: a structure that knows no engine.
//!
//! Writes are numbered in the order in which they were carried out. A copy's version of a key is the newest write of that key that it
//! has. A read is stale if some newer write of its key had been acknowledged before the read began.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sim_core::Time;
use sim_core::random::Key;

/// The number of a write; 0 is what was there before the first.
pub(super) type Number = u64;

/// A write that may still matter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Write {
    /// Whose data it is.
    pub(super) key: u64,
    /// When it was carried out.
    pub(super) since: Time,
    /// When its client was told that it was carried out; `Time::MAX` while that has not happened.
    pub(super) acknowledged: Time,
    /// What its draws are made from.
    pub(super) draws: Key,
    /// What its client had seen last: a key and the number of the write that it saw.
    pub(super) after: Option<(u64, Number)>,
    /// The copies that have it, one bit each.
    copies: u64,
    /// No copy has it, nor ever will.
    is_lost: bool,
}

/// The writes of data of which there are several copies.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    everywhere: u64,
    last: Number,
    writes: BTreeMap<Number, Write>,
    /// The writes of each key that may matter, oldest first.
    of_key: BTreeMap<u64, VecDeque<Number>>,
    /// The newest write of each key that each copy has.
    versions: Vec<BTreeMap<u64, Number>>,
    /// The newest write of each key that all copies have.
    settled: BTreeMap<u64, Number>,
    /// What each copy does not have yet.
    missing: Vec<BTreeSet<Number>>,
}

impl Ledger {
    /// Of data of which there are so many copies, at most 64.
    pub(super) fn new(copies: u32) -> Ledger {
        debug_assert!((1..=64).contains(&copies), "each copy has a bit");
        Ledger {
            everywhere: u64::MAX >> (64 - copies),
            last: 0,
            writes: BTreeMap::new(),
            of_key: BTreeMap::new(),
            versions: vec![BTreeMap::new(); copies as usize],
            settled: BTreeMap::new(),
            missing: vec![BTreeSet::new(); copies as usize],
        }
    }

    /// A copy has carried out a write, which the others do not have yet.
    pub(super) fn write(
        &mut self,
        (since, key): (Time, u64),
        copy: u32,
        draws: Key,
        after: Option<(u64, Number)>,
    ) -> Number {
        self.last += 1;
        let number = self.last;
        let (acknowledged, copies) = (Time::MAX, 1 << copy);
        let write = Write { key, since, acknowledged, draws, after, copies, is_lost: false };
        self.writes.insert(number, write);
        self.of_key.entry(key).or_default().push_back(number);
        self.versions[copy as usize].insert(key, number);
        for (other, missing) in self.missing.iter_mut().enumerate() {
            if other != copy as usize {
                missing.insert(number);
            }
        }
        self.prune(number);
        number
    }

    /// Its client has been told of a write.
    pub(super) fn acknowledge(&mut self, number: Number, now: Time) {
        if let Some(write) = self.writes.get_mut(&number) {
            write.acknowledged = now;
        }
    }

    /// A copy now has a write; false if it had it before or never will.
    pub(super) fn arrive(&mut self, number: Number, copy: u32) -> bool {
        if !self.missing[copy as usize].remove(&number) {
            return false;
        }
        if let Some(write) = self.writes.get_mut(&number) {
            write.copies |= 1 << copy;
            let version = self.versions[copy as usize].entry(write.key).or_default();
            *version = number.max(*version);
        }
        self.prune(number);
        true
    }

    /// How many copies have a write. All have one that is not kept any more.
    pub(super) fn copies_of(&self, number: Number) -> u32 {
        self.writes.get(&number).map_or(self.everywhere, |write| write.copies).count_ones()
    }

    /// A write that may still matter.
    pub(super) fn get(&self, number: Number) -> Option<&Write> {
        self.writes.get(&number)
    }

    /// What a copy does not have yet, oldest first.
    pub(super) fn missing_at(&self, copy: u32) -> Vec<Number> {
        self.missing[copy as usize].iter().copied().collect()
    }

    /// The oldest write that a copy does not have yet.
    pub(super) fn first_missing(&self, copy: u32) -> Option<Number> {
        self.missing[copy as usize].first().copied()
    }

    /// How many writes a copy does not have yet.
    pub(super) fn behind(&self, copy: u32) -> u64 {
        self.missing[copy as usize].len() as u64
    }

    /// Whether a copy has every write up to this one.
    pub(super) fn has_all_up_to(&self, copy: u32, number: Number) -> bool {
        self.first_missing(copy).is_none_or(|first| first > number)
    }

    /// All copies have every write up to this one.
    pub(super) fn everywhere_up_to(&self) -> Number {
        self.missing.iter().filter_map(BTreeSet::first).min().map_or(self.last, |first| first - 1)
    }

    /// A copy's version of a key.
    pub(super) fn version(&self, key: u64, copy: u32) -> Number {
        self.versions[copy as usize].get(&key).copied().unwrap_or(0)
    }

    /// Since when a version of a key has been replaced by one that had been acknowledged before the instant; `None` if it has not.
    pub(super) fn outdated(&self, key: u64, version: Number, before: Time) -> Option<Time> {
        let numbers = self.of_key.get(&key)?;
        let first = numbers.partition_point(|number| *number <= version);
        let mut replaced: Option<Time> = None;
        for write in numbers.range(first..).filter_map(|number| self.writes.get(number)) {
            // What was carried out later was acknowledged later.
            if replaced.is_some_and(|at| write.since >= at) {
                break;
            }
            if write.acknowledged < before {
                replaced = Some(replaced.map_or(write.acknowledged, |at| at.min(write.acknowledged)));
            }
        }
        replaced
    }

    /// Of these copies, the one that has most: whose first missing write is the newest, or else the first.
    pub(super) fn most_complete(&self, copies: impl Iterator<Item = u32>) -> Option<u32> {
        let reach = |copy: u32| self.first_missing(copy).unwrap_or(Number::MAX);
        copies.max_by_key(|copy| (reach(*copy), std::cmp::Reverse(*copy)))
    }

    /// A copy becomes the one that all follow: it takes over what any of these has, itself included, and all other writes are lost.
    /// How many of those had been acknowledged.
    pub(super) fn take_over(&mut self, by: u32, reachable: u64) -> u64 {
        let (mut lost_acknowledged, mut lost_keys) = (0, BTreeSet::new());
        for number in self.missing_at(by) {
            let is_there = self.writes.get(&number).is_some_and(|write| write.copies & reachable != 0);
            if is_there {
                self.arrive(number, by);
                continue;
            }
            self.missing.iter_mut().for_each(|missing| {
                missing.remove(&number);
            });
            if let Some(write) = self.writes.get_mut(&number) {
                (write.copies, write.is_lost) = (0, true);
                lost_acknowledged += u64::from(write.acknowledged != Time::MAX);
                lost_keys.insert(write.key);
            }
        }
        lost_keys.into_iter().for_each(|key| self.find_versions(key));
        lost_acknowledged
    }

    /// Finds anew which version of a key each copy has.
    fn find_versions(&mut self, key: u64) {
        let Some(numbers) = self.of_key.get(&key) else { return };
        for (copy, versions) in self.versions.iter_mut().enumerate() {
            let has = |number: &&Number| self.writes.get(number).is_some_and(|write| write.copies & 1 << copy != 0);
            versions.insert(key, numbers.iter().rev().find(has).copied().unwrap_or(0));
        }
    }

    /// Forgets the writes of the same key that nothing can show any more, since every copy has a newer one.
    fn prune(&mut self, number: Number) {
        let everywhere = self.everywhere;
        let Some(write) = self.writes.get(&number).filter(|write| write.copies == everywhere) else { return };
        let (Some(numbers), settled) = (self.of_key.get_mut(&write.key), self.settled.entry(write.key).or_default())
        else {
            return;
        };
        let before = (*settled).max(number);
        *settled = before;
        // Whatever is older than the newest that all have, and is not under way any more.
        let older = numbers.partition_point(|older| *older < before);
        let kept: Vec<Number> = numbers
            .drain(..older)
            .filter(|older| {
                let is_over = |write: &Write| write.is_lost || write.copies == everywhere;
                let goes = self.writes.get(older).is_none_or(is_over);
                if goes {
                    self.writes.remove(older);
                }
                !goes
            })
            .collect();
        kept.into_iter().rev().for_each(|older| numbers.push_front(older));
    }
}

#[cfg(test)]
mod tests {
    use sim_core::random::Stream;

    use super::*;

    /// The same, obviously: everything is kept, and every question answered by looking at all of it.
    #[derive(Default)]
    struct Twin {
        writes: Vec<(u64, Time, BTreeSet<u32>, bool)>,
    }

    impl Twin {
        fn version(&self, key: u64, copy: u32) -> Number {
            let has =
                |(_, write): &(usize, &(u64, Time, BTreeSet<u32>, bool))| write.0 == key && write.2.contains(&copy);
            self.writes.iter().enumerate().filter(has).map(|(at, _)| at as u64 + 1).max().unwrap_or(0)
        }

        fn outdated(&self, key: u64, version: Number, before: Time) -> Option<Time> {
            let newer = self.writes.iter().enumerate().filter(|(at, write)| write.0 == key && *at as u64 + 1 > version);
            newer.map(|(_, write)| write.1).filter(|at| *at < before).min()
        }
    }

    #[test]
    fn it_knows_what_each_copy_has_as_one_does_that_forgets_nothing() {
        for seed in 0..60 {
            let mut stream = Stream::named(seed, "ledger");
            let copies = 1 + stream.below(4) as u32;
            let (mut ledger, mut twin) = (Ledger::new(copies), Twin::default());
            let mut leader = 0;
            for now in 1..400 {
                let number = 1 + stream.below(twin.writes.len().max(1) as u64);
                match stream.below(12) {
                    0..=3 => {
                        let key = stream.below(3);
                        let found = ledger.write((now, key), leader, Key::from_bits(now), None);
                        twin.writes.push((key, Time::MAX, BTreeSet::from([leader]), false));
                        assert_eq!(found, twin.writes.len() as u64);
                    }
                    4 | 5 if !twin.writes.is_empty() => {
                        let write = &mut twin.writes[number as usize - 1];
                        if write.1 == Time::MAX {
                            ledger.acknowledge(number, now);
                            write.1 = now;
                        }
                    }
                    6 if copies > 1 && stream.below(10) == 0 => {
                        let by = stream.below(u64::from(copies)) as u32;
                        let reachable = 1 << by | 1 << stream.below(u64::from(copies));
                        let lost = ledger.take_over(by, reachable);
                        let mut expected = 0;
                        for write in twin.writes.iter_mut().filter(|write| !write.3 && !write.2.contains(&by)) {
                            if write.2.iter().any(|copy| reachable & 1 << copy != 0) {
                                write.2.insert(by);
                            } else {
                                expected += u64::from(write.1 != Time::MAX);
                                (write.2, write.3) = (BTreeSet::new(), true);
                            }
                        }
                        assert_eq!(lost, expected);
                        leader = by;
                    }
                    _ if !twin.writes.is_empty() => {
                        let copy = stream.below(u64::from(copies)) as u32;
                        let write = &mut twin.writes[number as usize - 1];
                        let is_new = !write.3 && write.2.insert(copy);
                        assert_eq!(ledger.arrive(number, copy), is_new);
                    }
                    _ => {}
                }
                for (key, copy) in (0..3).flat_map(|key| (0..copies).map(move |copy| (key, copy))) {
                    let version = ledger.version(key, copy);
                    assert_eq!(version, twin.version(key, copy), "seed {seed}, key {key}, copy {copy}, at {now}");
                    let before = stream.below(now + 2);
                    assert_eq!(ledger.outdated(key, version, before), twin.outdated(key, version, before));
                    let missing = twin.writes.iter().filter(|write| !write.3 && !write.2.contains(&copy)).count();
                    assert_eq!(ledger.behind(copy), missing as u64);
                }
            }
            assert!(copies > 1 || ledger.writes.len() <= 3, "what nobody can miss any more is forgotten");
        }
    }

    #[test]
    fn the_most_complete_copy_is_the_one_with_the_newest_gap() {
        let mut ledger = Ledger::new(3);
        let first = ledger.write((0, 1), 0, Key::from_bits(1), None);
        ledger.write((0, 2), 0, Key::from_bits(2), None);
        assert_eq!(ledger.most_complete([1, 2].into_iter()), Some(1), "both have nothing");
        ledger.arrive(first, 2);
        assert_eq!(ledger.most_complete([1, 2].into_iter()), Some(2));
        assert_eq!(ledger.most_complete([0, 1, 2].into_iter()), Some(0));
        assert_eq!(ledger.most_complete(std::iter::empty()), None);
        assert!(ledger.has_all_up_to(2, first) && !ledger.has_all_up_to(1, first));
        assert_eq!((ledger.everywhere_up_to(), ledger.copies_of(first)), (0, 2));
    }
}

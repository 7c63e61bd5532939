//! Stores against slow and obvious ones, and against Che's approximation.

use std::collections::BTreeMap;

use sim_core::keys::Keys;
use sim_core::random::Stream;

use super::*;

/// The obvious way: a list that is searched.
struct Slow {
    policy: &'static str,
    capacity: usize,
    /// Data, when it expires, when it came, when it was last used, how often.
    entries: Vec<(Data, Time, u64, u64, u64)>,
    clock: u64,
}

impl Slow {
    fn look_up(&mut self, data: Data, now: Time) -> bool {
        self.entries.retain(|e| e.0 != data || e.1 > now);
        self.clock += 1;
        let clock = self.clock;
        match self.entries.iter_mut().find(|e| e.0 == data) {
            Some(entry) => {
                entry.3 = clock;
                entry.4 += 1;
                true
            }
            None => false,
        }
    }

    fn insert(&mut self, data: Data, expires: Time) {
        self.clock += 1;
        let clock = self.clock;
        if let Some(entry) = self.entries.iter_mut().find(|e| e.0 == data) {
            (entry.1, entry.3, entry.4) = (expires, clock, entry.4 + 1);
            return;
        }
        if self.entries.len() == self.capacity {
            let first = self.entries.iter().enumerate().min_by_key(|(_, e)| match self.policy {
                "lru" => (0, e.3),
                "fifo" => (0, e.2),
                _ => (e.4, e.3),
            });
            let index = first.expect("a full store has entries").0;
            self.entries.remove(index);
        }
        self.entries.push((data, expires, clock, clock, 1));
    }
}

fn eviction(word: &str) -> EvictionSettings {
    settings::notation::read(word).expect("an eviction")
}

#[test]
fn stores_agree_with_searching_a_list() {
    for policy in ["lru", "fifo", "lfu"] {
        for capacity in [1, 2, 7, 40] {
            let mut stream = Stream::named(5, policy);
            let mut store = Store::new(&eviction(policy), capacity);
            let mut slow = Slow { policy, capacity, entries: Vec::new(), clock: 0 };
            for now in 0..4_000u64 {
                let data = Data { op: stream.below(2) as u16, key: stream.below(40).min(stream.below(40)) };
                let hit = store.look_up(data, now);
                assert_eq!(hit, slow.look_up(data, now), "{policy} {capacity} at {now}");
                if !hit || stream.below(20) == 0 {
                    let expires = if stream.below(3) == 0 { now + stream.below(100) } else { Time::MAX };
                    store.insert(data, expires);
                    slow.insert(data, expires);
                }
                assert_eq!(store.len(), slow.entries.len());
                if stream.below(500) == 0 {
                    store.clear();
                    slow.entries.clear();
                }
            }
        }
    }
}

#[test]
fn a_table_agrees_with_an_ordered_map() {
    let mut stream = Stream::named(6, "table");
    let mut table = Table::default();
    let mut map = BTreeMap::new();
    for step in 0..20_000u32 {
        let data = Data { op: stream.below(3) as u16, key: stream.below(200) };
        match stream.below(3) {
            0 => assert_eq!(table.remove(data), map.remove(&data)),
            1 => {
                table.insert(data, step);
                map.insert(data, step);
            }
            _ => assert_eq!(table.get(data), map.get(&data).copied()),
        }
    }
}

#[test]
fn a_smaller_capacity_evicts_at_once() {
    let mut store = Store::new(&EvictionSettings::Lru, 10);
    (0..10).for_each(|key| store.insert(Data { op: 0, key }, Time::MAX));
    store.set_capacity(3);
    assert_eq!((store.len(), store.evictions), (3, 7));
    assert!(store.look_up(Data { op: 0, key: 9 }, 0));
    assert!(!store.look_up(Data { op: 0, key: 6 }, 0));
}

/// The hit ratio under independent references: entry i stays with probability `stays(p_i · T)`, and T is such that as
/// many stay as there is room for (Che, Tung and Wang; Fricker, Robert and Roberts for FIFO).
fn approximation(shares: &[f64], capacity: f64, stays: fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        let held: f64 = shares.iter().map(|p| stays(p * middle)).sum();
        if held < capacity { low = middle } else { high = middle }
    }
    shares.iter().map(|p| p * stays(p * low)).sum()
}

#[test]
fn hit_ratios_agree_with_the_approximation_of_che() {
    // 300,000 references after 60,000: the standard error of a ratio near one half is at most 0.001 for independent
    // hits; they are hardly dependent, and the approximation is off by less than 0.003 at this size.
    let keys = 5_000u64;
    let zipf = Keys::zipf(keys, 0.9).expect("a zipf");
    let weights: Vec<f64> = (1..=keys).map(|rank| libm::pow(rank as f64, -0.9)).collect();
    let total: f64 = weights.iter().sum();
    let shares: Vec<f64> = weights.iter().map(|w| w / total).collect();
    let lru: fn(f64) -> f64 = |x| 1.0 - libm::exp(-x);
    let fifo: fn(f64) -> f64 = |x| x / (1.0 + x);
    for (policy, stays) in [("lru", lru), ("fifo", fifo)] {
        let mut store = Store::new(&eviction(policy), 500);
        let (mut stream, mut cursor, mut hits) = (Stream::named(9, policy), 0, 0u32);
        for nth in 0..360_000 {
            let data = Data { op: 0, key: zipf.sample(&mut cursor, &mut stream) };
            if store.look_up(data, 0) {
                hits += (nth >= 60_000) as u32;
            } else {
                store.insert(data, Time::MAX);
            }
        }
        let (found, expected) = (hits as f64 / 300_000.0, approximation(&shares, 500.0, stays));
        assert!((found - expected).abs() < 0.008, "{policy}: {found} against {expected}");
    }
}

#[test]
fn what_is_used_most_outlives_a_scan_only_where_uses_are_counted() {
    let survives = |policy: &str| {
        let mut store = Store::new(&eviction(policy), 10);
        let hot = Data { op: 0, key: 1_000 };
        store.insert(hot, Time::MAX);
        (0..5).for_each(|_| assert!(store.look_up(hot, 0)));
        (0..100).for_each(|key| store.insert(Data { op: 0, key }, Time::MAX));
        store.look_up(hot, 0)
    };
    assert_eq!([survives("lfu"), survives("lru"), survives("fifo")], [true, false, false]);
}

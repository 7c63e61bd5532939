//! How often a cache hits, from the rates at which its keys are asked for.
//!
//! Requests of a key are taken to come at random (independent reference model). Where all entries fit, only the TTL
//! makes misses, and each key renews itself: a fetch, the time in which the entry is good, and the wait for the next
//! request. Where they do not fit, Che's characteristic time says how long an entry survives without being used (LRU;
//! Che, Tung and Wang 2002) or at all (FIFO and random; Fricker, Robert and Roberts 2012), and what counts requests keeps the
//! most popular. Where both the TTL and the room are short, and of CLOCK, SIEVE, S3-FIFO and W-TinyLFU, nothing simple is known.

use sim_core::keys::GivenKeys;

use super::EvictionSettings;

/// Keys that are asked for equally often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyGroup {
    /// How many; not always whole.
    pub keys: f64,
    /// Requests a second of each.
    pub rate_per_s: f64,
}

/// What becomes of the requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hits {
    /// Share of the requests that are answered from the cache.
    pub ratio: f64,
    /// Share of the requests that fetch; less than the misses where some of them share a fetch.
    pub fetches: f64,
}

/// Ranks that are kept apart; beyond them neighbours are taken together, which changes the result by less than 10⁻⁴.
const RANKS_APART: u64 = 1_000;

/// Key groups of requests that choose their keys so, at `rate_per_s` in all; `None` where they do not come at random.
pub fn groups(keys: GivenKeys, rate_per_s: f64) -> Option<Vec<KeyGroup>> {
    let group = |keys: f64, share: f64| KeyGroup { keys, rate_per_s: rate_per_s * share / keys };
    Some(match keys {
        GivenKeys::Uniform { keys } => vec![group(keys as f64, 1.0)],
        GivenKeys::Constant { .. } => vec![group(1.0, 1.0)],
        GivenKeys::Hot { keys, hot_keys, hot_share } => {
            let cold = (keys - hot_keys) as f64;
            let mut groups = vec![group(hot_keys as f64, hot_share)];
            if cold > 0.0 && hot_share < 1.0 {
                groups.push(group(cold, 1.0 - hot_share));
            }
            groups
        }
        GivenKeys::Zipf { keys, s } => {
            let weight = |rank: f64| libm::pow(rank, -s);
            let mut groups = Vec::new();
            let (mut rank, mut total) = (1, 0.0);
            while rank <= keys {
                let width = if rank <= RANKS_APART { 1 } else { (rank / 50).min(keys - rank + 1) };
                // The mean of the weights of a block by Simpson's rule.
                let (first, last) = (rank as f64, (rank + width - 1) as f64);
                let each = (weight(first) + 4.0 * weight((first + last) / 2.0) + weight(last)) / 6.0;
                total += each * width as f64;
                groups.push(KeyGroup { keys: width as f64, rate_per_s: each });
                rank += width;
            }
            groups.iter_mut().for_each(|group| group.rate_per_s *= rate_per_s / total);
            groups
        }
        GivenKeys::Sequential { .. } => return None,
    })
}

/// A cache as far as its hits depend on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// Entries that there is room for.
    pub capacity: f64,
    /// What is forgotten first.
    pub eviction: EvictionSettings,
    /// How long an entry is good, s, on average.
    pub ttl_s: Option<f64>,
    /// Whether misses of the same entry under way share one fetch.
    pub coalesce: bool,
    /// How long a fetch takes, s.
    pub fetch_s: f64,
}

/// What becomes of requests at these rates, in the long run; `None` where that is not known.
pub fn hits(groups: &[KeyGroup], room: &Room) -> Option<Hits> {
    let total: f64 = groups.iter().map(|g| g.keys * g.rate_per_s).sum();
    let keys: f64 = groups.iter().map(|g| g.keys).sum();
    if total <= 0.0 {
        return None;
    }
    let average = |of: &dyn Fn(&KeyGroup) -> Hits| {
        groups.iter().fold(Hits { ratio: 0.0, fetches: 0.0 }, |sum, group| {
            let (share, hits) = (group.keys * group.rate_per_s / total, of(group));
            Hits { ratio: sum.ratio + share * hits.ratio, fetches: sum.fetches + share * hits.fetches }
        })
    };
    if let Some(ttl_s) = room.ttl_s {
        let by_age = |group: &KeyGroup| renewed(group.rate_per_s, ttl_s, room);
        // What has expired keeps its place until it is asked for again, so every key that is ever asked for has one.
        if keys <= room.capacity {
            return Some(average(&by_age));
        }
        return None;
    }
    if keys <= room.capacity {
        return Some(Hits { ratio: 1.0, fetches: 0.0 });
    }
    let kept: Box<dyn Fn(&KeyGroup) -> f64> = match room.eviction {
        EvictionSettings::Lru => {
            let survives = |group: &KeyGroup, time: f64| -libm::expm1(-group.rate_per_s * time);
            let time = characteristic_time(groups, room.capacity, survives);
            Box::new(move |group| survives(group, time))
        }
        EvictionSettings::Fifo | EvictionSettings::Random => {
            let stays = |group: &KeyGroup, time: f64| {
                let x = group.rate_per_s * time;
                x / (1.0 + x)
            };
            let time = characteristic_time(groups, room.capacity, stays);
            Box::new(move |group| stays(group, time))
        }
        EvictionSettings::Lfu | EvictionSettings::PerfectLfu | EvictionSettings::Static => {
            let least = least_kept(groups, room.capacity);
            Box::new(move |group| match group.rate_per_s.total_cmp(&least.rate_per_s) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => least.keys,
                std::cmp::Ordering::Less => 0.0,
            })
        }
        EvictionSettings::Clock | EvictionSettings::Sieve | EvictionSettings::S3Fifo | EvictionSettings::TinyLfu => {
            return None;
        }
    };
    Some(average(&|group| {
        let ratio = kept(group);
        let together = if room.coalesce { 1.0 + group.rate_per_s * room.fetch_s } else { 1.0 };
        Hits { ratio, fetches: (1.0 - ratio) / together }
    }))
}

/// A key that only its age makes miss. Requests that come while it is fetched miss too; where they fetch by themselves,
/// the last of them renews the entry last.
fn renewed(rate: f64, ttl_s: f64, room: &Room) -> Hits {
    if rate <= 0.0 {
        return Hits { ratio: 0.0, fetches: 1.0 };
    }
    let misses = 1.0 + rate * room.fetch_s;
    let last_s = if room.coalesce { 0.0 } else { room.fetch_s + libm::expm1(-rate * room.fetch_s) / rate };
    let hits = rate * (ttl_s + last_s);
    let ratio = hits / (hits + misses);
    Hits { ratio, fetches: if room.coalesce { 1.0 / (hits + misses) } else { 1.0 - ratio } }
}

/// The time in which `capacity` entries are expected to be there, by bisection.
fn characteristic_time(groups: &[KeyGroup], capacity: f64, there: impl Fn(&KeyGroup, f64) -> f64) -> f64 {
    let entries = |time: f64| groups.iter().map(|group| group.keys * there(group, time)).sum::<f64>();
    let (mut low, mut high) = (0.0, 1.0);
    while entries(high) < capacity && high < 1e18 {
        (low, high) = (high, high * 2.0);
    }
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if entries(middle) < capacity { low = middle } else { high = middle }
    }
    high
}

/// The rate of the least popular keys that are kept, and which share of those.
fn least_kept(groups: &[KeyGroup], capacity: f64) -> KeyGroup {
    let mut sorted = groups.to_vec();
    sorted.sort_by(|a, b| b.rate_per_s.total_cmp(&a.rate_per_s));
    let mut left = capacity;
    for group in sorted {
        if group.keys >= left {
            return KeyGroup { keys: left / group.keys, rate_per_s: group.rate_per_s };
        }
        left -= group.keys;
    }
    KeyGroup { keys: 1.0, rate_per_s: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(keys: u64, s: f64, capacity: f64, eviction: EvictionSettings) -> f64 {
        let groups = groups(GivenKeys::Zipf { keys, s }, 1000.0).expect("at random");
        let room = Room { capacity, eviction, ttl_s: None, coalesce: false, fetch_s: 0.01 };
        hits(&groups, &room).expect("known").ratio
    }

    /// Where 80 % of the reads are of 5 % of the data: what caches of that size hit, to three digits.
    #[test]
    fn skewed_reads_hit_as_often_as_is_published() {
        use EvictionSettings::{Fifo, Lfu, Lru};
        for (keys, s, eviction, expected) in [
            (100_000, 1.0447, Lfu, 0.800),
            (100_000, 1.0447, Lru, 0.727),
            (100_000, 1.0447, Fifo, 0.691),
            (10_000, 1.1124, Lfu, 0.800),
            (10_000, 1.1124, Lru, 0.722),
            (10_000, 1.1124, Fifo, 0.679),
        ] {
            let found = ratio(keys, s, keys as f64 * 0.05, eviction);
            assert!((found - expected).abs() < 0.0011, "{keys} keys, {eviction:?}: {found} instead of {expected}");
        }
        assert!((ratio(100_000, 1.0447, 11_300.0, EvictionSettings::Lru) - 0.80).abs() < 0.0015);
        assert!((ratio(10_000, 1.1124, 1_090.0, EvictionSettings::Lru) - 0.80).abs() < 0.0015);
    }

    /// 1,000/s of one key that takes 200 ms to fetch: 201 fetches an expiry, or one where they are shared.
    #[test]
    fn one_hot_key_costs_a_fetch_for_each_who_comes_meanwhile() {
        let group = [KeyGroup { keys: 1.0, rate_per_s: 1000.0 }];
        let eviction = EvictionSettings::Lru;
        let of = |coalesce| {
            let room = Room { capacity: 10.0, eviction, ttl_s: Some(10.0), coalesce, fetch_s: 0.2 };
            hits(&group, &room).expect("known")
        };
        let each = of(false);
        // A cycle: 201 misses, then hits for the TTL and until the last of them is written.
        assert!((each.fetches * (201.0 + 1000.0 * 10.199) - 201.0).abs() < 1e-6, "{each:?}");
        let shared = of(true);
        assert!((shared.fetches * (201.0 + 10_000.0) - 1.0).abs() < 1e-9, "{shared:?}");
    }

    #[test]
    fn what_fits_and_never_expires_always_hits_and_what_is_not_known_is_not_told() {
        let eviction = EvictionSettings::Lru;
        let groups = groups(GivenKeys::Uniform { keys: 100 }, 50.0).expect("at random");
        let room = Room { capacity: 100.0, eviction, ttl_s: None, coalesce: false, fetch_s: 0.0 };
        assert_eq!(hits(&groups, &room), Some(Hits { ratio: 1.0, fetches: 0.0 }));
        assert_eq!(hits(&groups, &Room { capacity: 50.0, ttl_s: Some(1.0), ..room }), None);
        assert!(super::groups(GivenKeys::Sequential { keys: 5 }, 1.0).is_none());
    }
}

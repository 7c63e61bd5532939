//! Key choosers and the alias table: frequencies against the weights, and a cache fed with Zipf keys against theory.

use crate::statistics::assert_counts_fit;
use sim_core::keys::{AliasTable, GivenKeys, Keys, ZIPF_KEYS_MAX};
use sim_core::random::{Stream, mix};
use std::collections::VecDeque;

/// The probabilities of a Zipf law, by definition.
fn zipf_probabilities(keys: u32, s: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=keys).map(|rank| libm::pow(f64::from(rank), -s)).collect();
    let total: f64 = weights.iter().rev().sum();
    weights.iter().map(|weight| weight / total).collect()
}

fn tally(keys: &Keys, cells: usize, number: u64) -> Vec<u64> {
    let (mut stream, mut cursor) = (Stream::named(5, "keys"), 0);
    let mut seen = vec![0; cells];
    for _ in 0..number {
        seen[keys.sample(&mut cursor, &mut stream) as usize] += 1;
    }
    seen
}

#[test]
fn keys_come_as_often_as_they_should() {
    let cases = [
        (Keys::uniform(37), vec![1.0 / 37.0; 37]),
        (Keys::zipf(1000, 0.99), zipf_probabilities(1000, 0.99)),
        (Keys::zipf(100, 2.0), zipf_probabilities(100, 2.0)),
        (Keys::zipf(50, 0.0), vec![0.02; 50]),
        (Keys::hot(10, 2, 0.8), [[0.4; 2].as_slice(), &[0.025; 8]].concat()),
        (Keys::hot(10, 3, 0.0), [[0.0; 3].as_slice(), &[1.0 / 7.0; 7]].concat()),
    ];
    for (keys, probabilities) in cases {
        let keys = keys.unwrap();
        let seen = tally(&keys, probabilities.len(), 200_000);
        assert_counts_fit(&format!("{:?}", keys.given()), &seen, &probabilities, 200_000);
    }
}

#[test]
fn sequential_keys_come_in_turn_and_constant_ones_always() {
    let sequence = |keys: &Keys, mut cursor: u64| {
        let mut stream = Stream::named(5, "keys");
        let chosen: Vec<u64> = (0..5).map(|_| keys.sample(&mut cursor, &mut stream)).collect();
        assert_eq!(stream, Stream::named(5, "keys"), "nothing is drawn");
        chosen
    };
    assert_eq!(sequence(&Keys::sequential(3).unwrap(), 0), [0, 1, 2, 0, 1]);
    assert_eq!(sequence(&Keys::sequential(3).unwrap(), 2), [2, 0, 1, 2, 0]);
    assert_eq!(sequence(&Keys::constant(7), 0), [7; 5]);
}

#[test]
fn every_share_of_an_alias_table_is_its_weight() {
    // The 2^16 evenly spaced words cover the whole range, so shares are exact to 2^-16 per column.
    struct Even(u64);
    impl rand::TryRng for Even {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok((self.try_next_u64()? >> 32) as u32)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.0 += 1;
            Ok(((self.0 - 1) << 48) | 1 << 47)
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            Ok(())
        }
    }
    for case in 0..200u64 {
        let size = 1 + mix(case) % 40;
        // A third of the weights are zero; the others span six powers of ten.
        let weight = |word: u64| if word.is_multiple_of(3) { 0.0 } else { libm::exp10(((word >> 8) % 7) as f64 - 3.0) };
        let weights: Vec<f64> = (0..size).map(|index| weight(mix(case * 1000 + index))).chain([1.0]).collect();
        let table = AliasTable::new(&weights).unwrap();
        let (mut even, mut seen) = (Even(0), vec![0u32; weights.len()]);
        (0..1 << 16).for_each(|_| seen[table.sample(&mut even)] += 1);
        let total: f64 = weights.iter().sum();
        for (index, (seen, weight)) in seen.iter().zip(&weights).enumerate() {
            let error = f64::from(*seen) / 65_536.0 - weight / total;
            assert!(error.abs() <= 2.0 * weights.len() as f64 / 65_536.0, "case {case}, index {index}: {error}");
            assert!(*weight > 0.0 || *seen == 0, "case {case}: weight 0 was chosen");
        }
    }
}

#[test]
fn weights_near_the_ends_of_a_double_are_no_trouble() {
    let mut stream = Stream::named(1, "weights");
    let huge = AliasTable::new(&[f64::MAX, f64::MAX, 0.0]).unwrap();
    let seen = (0..1000).filter(|_| huge.sample(&mut stream) == 0).count();
    assert!((300..700).contains(&seen), "{seen}");
    let tiny = AliasTable::new(&[0.0, f64::MIN_POSITIVE]).unwrap();
    assert!((0..1000).all(|_| tiny.sample(&mut stream) == 1));
}

/// The hit ratio of a least-recently-used cache by Che's approximation: a key is present if it was requested within the
/// characteristic time, at which the expected number of such keys equals the capacity.
fn che_hit_ratio(probabilities: &[f64], capacity: f64) -> f64 {
    let present = |time: f64| probabilities.iter().map(|p| 1.0 - libm::exp(-p * time)).sum::<f64>();
    let (mut low, mut high) = (0.0, 1.0);
    while present(high) < capacity {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if present(middle) < capacity { low = middle } else { high = middle }
    }
    probabilities.iter().map(|p| p * (1.0 - libm::exp(-p * high))).sum()
}

#[test]
fn a_cache_fed_with_zipf_keys_hits_as_often_as_che_foretells() {
    let (number, capacity) = (400, 40);
    let keys = Keys::zipf(u64::from(number as u32), 0.9).unwrap();
    let (mut stream, mut cursor) = (Stream::named(3, "che"), 0);
    let mut recent: VecDeque<u64> = VecDeque::new();
    let (mut hits, requests) = (0, 100_000);
    for request in 0..requests + 2000 {
        let key = keys.sample(&mut cursor, &mut stream);
        let place = recent.iter().position(|&other| other == key);
        if let Some(place) = place {
            recent.remove(place);
            hits += u32::from(request >= 2000);
        }
        recent.push_front(key);
        recent.truncate(capacity);
    }
    let expected = che_hit_ratio(&zipf_probabilities(number as u32, 0.9), capacity as f64);
    // The approximation itself is accurate to about half a per cent here.
    let found = f64::from(hits) / f64::from(requests);
    assert!((found - expected).abs() < 0.012, "{found} instead of {expected}");
}

#[test]
fn a_million_keys_fit_a_table() {
    let keys = Keys::zipf(1_000_000, 0.99).unwrap();
    let seen = tally(&keys, 1_000_000, 200_000);
    // Grouped by powers of two of the rank, so that few cells are nearly empty.
    let grouped = |values: &[f64]| -> Vec<f64> {
        (0..20).map(|power| values[(1 << power) - 1..((2 << power) - 1).min(values.len())].iter().sum()).collect()
    };
    let seen: Vec<f64> = seen.into_iter().map(|count| count as f64).collect();
    let counts: Vec<u64> = grouped(&seen).into_iter().map(|count| count as u64).collect();
    assert_counts_fit("zipf", &counts, &grouped(&zipf_probabilities(1_000_000, 0.99)), 200_000);
}

#[test]
fn choosers_keep_their_values() {
    let digest = |keys: Keys| {
        let (mut stream, mut cursor) = (Stream::named(1, "golden"), 0);
        (0..10_000).fold(0, |digest, _| mix(digest ^ keys.sample(&mut cursor, &mut stream)))
    };
    let found = [
        Keys::uniform(10_000).map(digest),
        Keys::zipf(10_000, 0.99).map(digest),
        Keys::hot(10_000, 10, 0.8).map(digest),
        Keys::sequential(100).map(digest),
        Ok(digest(Keys::constant(1))),
    ];
    let pinned = [
        0x57A5_4502_5442_154A,
        0xC245_B7A6_783A_C9CB,
        0x347C_619C_ADBB_8F34,
        0xF6EC_5EB3_7D8D_67F6,
        0xD3C9_E432_6ADC_DF73,
    ];
    assert_eq!(found.clone(), pinned.map(Ok), "results of all scenarios would change: {found:X?}");
}

#[test]
fn parameters_come_back_as_given() {
    assert_eq!(Keys::zipf(50, 0.99).unwrap().given(), GivenKeys::Zipf { keys: 50, s: 0.99 });
    let hot = GivenKeys::Hot { keys: 10, hot_keys: 1, hot_share: 0.8 };
    assert_eq!(Keys::hot(10, 1, 0.8).unwrap().given(), hot);
    assert_eq!(Keys::uniform(9).unwrap().given(), GivenKeys::Uniform { keys: 9 });
    assert_eq!(Keys::sequential(9).unwrap().given(), GivenKeys::Sequential { keys: 9 });
    assert_eq!(Keys::constant(1).given(), GivenKeys::Constant { key: 1 });
}

#[test]
fn what_makes_no_chooser_is_refused_by_the_name_of_the_parameter() {
    let cases = [
        (Keys::uniform(0), "`keys` must be at least 1"),
        (Keys::sequential(0), "`keys` must be at least 1"),
        (Keys::zipf(0, 1.0), "`keys` must be at least 1"),
        (Keys::zipf(ZIPF_KEYS_MAX + 1, 1.0), "`keys` must be at most 67_108_864 in a Zipf law"),
        (Keys::zipf(10, -1.0), "`s` must be at least 0"),
        (Keys::zipf(10, f64::NAN), "`s` must be at least 0"),
        (Keys::hot(10, 0, 0.5), "`hot_keys` must be at least 1"),
        (Keys::hot(10, 11, 0.5), "`hot_keys` must be at most `keys`"),
        (Keys::hot(10, 1, 1.5), "`hot_share` must be between 0 and 1"),
        (Keys::hot(10, 10, 0.5), "`hot_keys` must be fewer than `keys`, or nothing is left for the other requests"),
    ];
    for (result, expected) in cases {
        assert_eq!(result.map_err(|error| error.to_string()), Err(expected.to_string()));
    }
    assert!(Keys::hot(10, 10, 1.0).is_ok());
}

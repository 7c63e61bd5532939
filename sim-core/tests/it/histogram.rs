//! The histogram against the sorted list of its values.

use proptest::prelude::*;
use sim_core::histogram::{Histogram, nearest_rank};

fn of(values: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    values.iter().for_each(|&value| histogram.record(value));
    histogram
}

/// Values of every magnitude, including small and equal ones.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..1000, (0u32..64, any::<u64>()).prop_map(|(shift, word)| word >> shift), Just(u64::MAX)]
}

fn values() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(value(), 1..300)
}

proptest! {
    #[test]
    fn figures_are_those_of_the_values(values in values()) {
        let histogram = of(&values);
        let sum: u128 = values.iter().map(|&value| u128::from(value)).sum();
        prop_assert_eq!(histogram.count(), values.len() as u64);
        prop_assert_eq!(histogram.sum(), sum);
        prop_assert_eq!(histogram.min(), values.iter().copied().min());
        prop_assert_eq!(histogram.max(), values.iter().copied().max());
        prop_assert_eq!(histogram.mean(), Some(sum as f64 / values.len() as f64));
    }

    #[test]
    fn quantiles_are_within_a_five_hundredth_of_the_nearest_rank(mut values in values(), per_mille in 0usize..=1000) {
        let histogram = of(&values);
        values.sort_unstable();
        prop_assert_eq!(histogram.quantile(1.0), histogram.max());
        prop_assert_eq!(histogram.quantile(0.0), histogram.min());
        let exact = values[(per_mille * values.len()).div_ceil(1000).max(1) - 1];
        let found = histogram.quantile(per_mille as f64 / 1000.0).unwrap();
        prop_assert!(found.abs_diff(exact) <= exact / 512, "{} instead of {}", found, exact);
        prop_assert!((values[0]..=values[values.len() - 1]).contains(&found));
    }

    #[test]
    fn buckets_are_disjoint_ascending_and_hold_their_values(values in values()) {
        let histogram = of(&values);
        let mut next = 0u128;
        for bucket in histogram.iter() {
            prop_assert!(u128::from(bucket.low) >= next && bucket.high >= bucket.low);
            prop_assert!(bucket.high - bucket.low <= bucket.low / 256);
            let inside = values.iter().filter(|value| (bucket.low..=bucket.high).contains(value)).count();
            prop_assert_eq!(bucket.count, inside as u64);
            next = u128::from(bucket.high) + 1;
        }
        prop_assert_eq!(histogram.iter().map(|bucket| bucket.count).sum::<u64>(), values.len() as u64);
    }

    #[test]
    fn count_at_or_below_is_exact_but_for_the_bucket_of_the_limit(values in values(), limit in value()) {
        let histogram = of(&values);
        let found = histogram.count_at_or_below(limit);
        let count = |bound: u64| values.iter().filter(|&&value| value <= bound).count() as u64;
        prop_assert!(found >= count(limit));
        prop_assert!(found <= count(limit.saturating_add(limit / 256)));
        prop_assert_eq!(histogram.count_at_or_below(u64::MAX), values.len() as u64);
    }

    #[test]
    fn what_was_added_since_is_what_was_recorded_since(values in values(), cut in any::<prop::sample::Index>()) {
        let (early, late) = values.split_at(cut.index(values.len()));
        let earlier = of(early);
        let added = of(&values).since(&earlier);
        let alone = of(late);
        prop_assert!(added.iter().eq(alone.iter()));
        prop_assert_eq!((added.count(), added.sum()), (alone.count(), alone.sum()));
        if let (Some(last), Some(max), Some(min)) = (alone.iter().last(), added.max(), added.min()) {
            prop_assert!((last.low..=last.high).contains(&max) && min <= max);
            // Which of the values around a quantile is meant can only be determined to within a bucket.
            let (found, exact) = (added.quantile(0.5).unwrap(), alone.quantile(0.5).unwrap());
            prop_assert!(found.abs_diff(exact) <= exact / 256 + 1, "{} instead of {}", found, exact);
        }
        prop_assert_eq!(of(&values).since(&Histogram::new()), of(&values));
    }

    #[test]
    fn merging_in_any_order_equals_recording_at_once(mut values in values(), cut in any::<prop::sample::Index>()) {
        let whole = of(&values);
        let (left, right) = values.split_at(cut.index(values.len()));
        let (mut forth, mut back) = (of(left), of(right));
        forth.merge(&of(right));
        back.merge(&of(left));
        prop_assert_eq!(&forth, &whole);
        prop_assert_eq!(&back, &whole);
        values.reverse();
        prop_assert_eq!(&of(&values), &whole);
    }
}

#[test]
fn an_empty_histogram_has_no_figures() {
    let histogram = Histogram::new();
    assert!(histogram.is_empty());
    assert_eq!((histogram.count(), histogram.sum(), histogram.count_at_or_below(u64::MAX)), (0, 0, 0));
    assert_eq!((histogram.min(), histogram.max(), histogram.quantile(0.5), histogram.mean()), (None, None, None, None));
    assert_eq!(histogram.iter().count(), 0);
}

#[test]
fn an_empty_histogram_is_small() {
    assert!(size_of::<Histogram>() <= 192, "{}", size_of::<Histogram>());
}

#[test]
fn clearing_forgets_everything() {
    let mut histogram = of(&[1, 5_000, 7_000_000]);
    histogram.clear();
    assert_eq!(histogram, Histogram::new());
    histogram.record(6);
    assert_eq!(histogram, of(&[6]));
}

#[test]
fn merging_with_an_empty_one_changes_nothing() {
    let mut histogram = of(&[3, 300, 30_000]);
    histogram.merge(&Histogram::new());
    assert_eq!(histogram, of(&[3, 300, 30_000]));
}

#[test]
fn recording_many_at_once_equals_recording_each() {
    let mut histogram = Histogram::new();
    histogram.record_many(12_345, 3);
    histogram.record_many(99, 0);
    assert_eq!(histogram, of(&[12_345; 3]));
}

#[test]
fn constant_values_come_back_exactly() {
    let histogram = of(&[123_456_789; 10]);
    assert_eq!([0.0, 0.5, 0.99, 1.0].map(|fraction| histogram.quantile(fraction)), [Some(123_456_789); 4]);
}

#[test]
fn first_and_last_rank_are_the_exact_extremes() {
    let histogram = of(&[1_000_001, 2_000_001]);
    assert_eq!(
        [0.0, 0.5, 0.51, 1.0].map(|p| histogram.quantile(p).unwrap()),
        [1_000_001, 1_000_001, 2_000_001, 2_000_001]
    );
}

#[test]
fn ranks_do_not_slip_by_rounding() {
    for count in [1u64, 7, 100, 1000, 12_345, 1_000_000_000] {
        for per_mille in 1..=1000u64 {
            let exact = (u128::from(per_mille) * u128::from(count)).div_ceil(1000) as u64;
            assert_eq!(nearest_rank(per_mille as f64 / 1000.0, count), exact, "{per_mille} of {count}");
        }
    }
    assert_eq!((nearest_rank(-1.0, 5), nearest_rank(2.0, 5), nearest_rank(f64::NAN, 5)), (1, 5, 1));
}

use super::*;
use sim_core::dist::Dist;
use sim_core::histogram::Histogram;
use sim_core::random::{Stream, replication_seed};

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} ± {tolerance}");
}

/// From the t tables of the NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2.
#[test]
fn quantiles_of_t_are_those_of_the_tables() {
    for (degrees, probability, expected) in [
        (1.0, 0.975, 12.706),
        (2.0, 0.95, 2.920),
        (4.0, 0.975, 2.776),
        (9.0, 0.975, 2.262),
        (9.0, 0.995, 3.250),
        (29.0, 0.975, 2.045),
        (30.0, 0.90, 1.310),
        (100.0, 0.975, 1.984),
    ] {
        near(student_t_quantile(probability, degrees), expected, 0.000_51);
    }
}

#[test]
fn t_with_one_or_two_degrees_has_its_closed_form() {
    for p in [0.6, 0.9, 0.975, 0.9999] {
        // Cauchy's distribution, and t₂ = a / √(2 (1 − a²) / 4) with a = 2p − 1.
        let cauchy = (std::f64::consts::PI * (p - 0.5)).tan();
        near(student_t_quantile(p, 1.0) / cauchy, 1.0, 1e-9);
        let a = 2.0 * p - 1.0;
        near(student_t_quantile(p, 2.0), a * (2.0 / (1.0 - a * a)).sqrt(), 1e-9 * cauchy);
        near(student_t_quantile(1.0 - p, 2.0), -student_t_quantile(p, 2.0), 1e-9 * cauchy);
    }
}

#[test]
fn quantiles_of_the_normal_are_those_of_the_tables() {
    for (probability, expected) in [(0.9, 1.281_552), (0.975, 1.959_964), (0.995, 2.575_829), (0.025, -1.959_964)] {
        near(normal_quantile(probability), expected, 5.1e-7);
    }
    near(student_t_quantile(0.975, 1e7), 1.959_964, 2e-6);
}

#[test]
fn an_interval_of_ten_values_is_the_one_computed_by_hand() {
    // Mean 5.5, s² = 82.5 / 9, t₉ = 2.262157.
    let values: Vec<f64> = (1..=10).map(f64::from).collect();
    let interval = mean_interval(&values, 0.95).expect("ten values");
    near(interval.mean, 5.5, 1e-12);
    near(interval.half_width.expect("ten values"), 2.262_157 * (82.5f64 / 90.0).sqrt(), 1e-6);
    assert!(interval.excludes(8.0) && !interval.excludes(7.0));
}

#[test]
fn one_value_has_no_interval_and_none_has_no_mean() {
    assert_eq!(mean_interval(&[], 0.95), None);
    let one = mean_interval(&[3.0], 0.95).expect("a value");
    assert_eq!((one.mean, one.half_width), (3.0, None));
    assert!(!one.excludes(0.0) && !one.is_within(0.5));
}

#[test]
fn pairs_that_move_together_show_a_small_difference() {
    let first = [10.0, 20.0, 30.0, 40.0, 50.0];
    let second = [11.0, 21.1, 30.9, 41.0, 51.0];
    let pairs = paired(&first, &second, 0.95).expect("five pairs");
    near(pairs.difference.mean, 1.0, 1e-12);
    assert!(pairs.difference.excludes(0.0));
    assert!(pairs.variance_reduction.expect("they scatter") > 0.999);
}

/// Newcombe 1998, *Two-sided confidence intervals for the single proportion*, table I: 81 of 263 and 15 of 148,
/// 0 of 20 and 1 of 29.
#[test]
fn wilsons_interval_is_the_published_one() {
    for (successes, n, low, high) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
        let found = wilson(successes, n, 0.95);
        near(found.0, low, 0.000_051);
        near(found.1, high, 0.000_051);
    }
    assert_eq!(wilson(0, 0, 0.95), (0.0, 1.0));
}

#[test]
fn the_interval_of_a_median_is_made_of_order_statistics() {
    let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    // Ranks 50 ± 1.96 · 5, outwards: 40 and 61.
    assert_eq!(quantile_interval(&values, 0.5, 0.95), Some((40.0, 61.0)));
    assert_eq!(quantile_interval(&values, 0.999, 0.95), None, "a hundred values cannot bound p999");
}

/// The naive algorithm: for each cut, the mean and the squares of the remainder.
fn mser5_slowly(series: &[f64]) -> Option<usize> {
    let batches: Vec<f64> = series.chunks_exact(5).map(|b| b.iter().sum::<f64>() / 5.0).collect();
    if batches.len() < 10 {
        return None;
    }
    let criterion = |cut: usize| {
        let left = &batches[cut..];
        let mean = left.iter().sum::<f64>() / left.len() as f64;
        left.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / (left.len() as f64).powi(2)
    };
    let best = (0..=batches.len() / 2).min_by(|a, b| criterion(*a).total_cmp(&criterion(*b)))?;
    (best < batches.len() / 2).then_some(best * 5)
}

#[test]
fn the_fast_cut_is_the_slow_one() {
    let mut stream = Stream::named(5, "mser");
    for length in [40, 50, 73, 200, 501] {
        for rise in [0.0, 1.0, 10.0, 40.0] {
            let series: Vec<f64> =
                (0..length).map(|i| stream.unit() - if (i as f64) < rise { 3.0 } else { 0.0 }).collect();
            assert_eq!(mser5(&series), mser5_slowly(&series), "length {length}, rise {rise}");
        }
    }
}

#[test]
fn a_transient_is_cut_and_a_series_that_only_rises_is_refused() {
    let mut stream = Stream::named(1, "transient");
    let series: Vec<f64> = (0..400).map(|i| 10.0 * (1.0 - (-(i as f64) / 15.0).exp()) + stream.unit()).collect();
    let cut = mser5(&series).expect("it settles");
    assert!((30..=90).contains(&cut), "cut at {cut}: 15 is the time constant");
    let rising: Vec<f64> = (0..400).map(f64::from).collect();
    assert_eq!(mser5(&rising), None);
    assert_eq!(mser5(&[1.0; 400]), Some(0), "nothing to cut where nothing changes");
}

/// Mean wait in an M/M/1 queue at 60 % load by Lindley's recursion, without the first values.
fn mean_wait(seed: u64) -> f64 {
    let mut gaps = Stream::named(seed, "gaps");
    let mut works = Stream::named(seed, "works");
    let (gap, work) = (Dist::exp(1.0).expect("positive"), Dist::exp(0.6).expect("positive"));
    let (mut wait, mut sum) = (0.0f64, 0.0);
    const WARM_UP: u32 = 100;
    const COUNTED: u32 = 1_500;
    for customer in 0..WARM_UP + COUNTED {
        wait = (wait + work.sample(&mut works) - gap.sample(&mut gaps)).max(0.0);
        sum += if customer >= WARM_UP { wait } else { 0.0 };
    }
    sum / f64::from(COUNTED)
}

/// 1,000 experiments of 10 replications. If the true coverage is 95 %, the observed share lies between 93 % and 97 % in all
/// but 0.4 % of such tests; the seeds are fixed.
#[test]
fn intervals_of_ten_replications_cover_the_true_wait_of_mm1() {
    // Wq = ρ / (1 − ρ) · s
    let truth = 0.6 / 0.4 * 0.6;
    let covered = (0..1_000u64)
        .filter(|experiment| {
            let values: Vec<f64> = (0..10).map(|n| mean_wait(replication_seed(*experiment, n))).collect();
            !mean_interval(&values, 0.95).expect("ten values").excludes(truth)
        })
        .count();
    assert!((930..=970).contains(&covered), "{covered} of 1,000 intervals cover {truth}");
}

#[test]
fn the_stopping_rule_is_laws() {
    let interval = |half: f64| Interval { mean: 10.0, half_width: Some(half), confidence: 0.95, n: 10 };
    // γ = 5 %: γ / (1 + γ) = 0.047619.
    assert!(interval(0.476).is_within(0.05));
    assert!(!interval(0.477).is_within(0.05));
}

/// Times in an M/M/1 system at 80 % load, in millionths of a mean service, without the first values; they start in steady
/// state.
fn times_in_system(seed: u64) -> Histogram {
    let (mut gaps, mut works) = (Stream::named(seed, "gaps"), Stream::named(seed, "works"));
    let (gap, work) = (Dist::exp(1.25e6).expect("positive"), Dist::exp(1e6).expect("positive"));
    let mut times = Histogram::new();
    let mut wait = 0.0f64;
    for customer in 0..6_500 {
        let service = work.sample(&mut works);
        if customer >= 500 {
            times.record((wait + service) as u64);
        }
        wait = (wait + service - gap.sample(&mut gaps)).max(0.0);
    }
    times
}

/// 400 experiments of 10 short runs, with 60 values beyond the percentile in each. The plain Student interval falls short,
/// which shows that the test can detect it: it covers about 87 %, and would cover more than 92 % for one set of seeds in a
/// thousand. An interval with a true coverage of 95 % would cover less than 91.5 % just as rarely. The seeds are fixed.
#[test]
fn intervals_of_a_percentile_of_short_runs_cover_the_true_one() {
    let truth = 100f64.ln() / 0.2;
    let (mut students, mut widened) = (0, 0);
    for experiment in 0..400 {
        let (mut together, mut values) = (Histogram::new(), Vec::new());
        for n in 0..10 {
            let times = times_in_system(replication_seed(experiment, n));
            values.push(times.quantile(0.99).expect("thousands") as f64 / 1e6);
            together.merge(&times);
        }
        let pooled = together.quantile(0.99).map(|value| value as f64 / 1e6);
        students += usize::from(!mean_interval(&values, 0.95).expect("ten values").excludes(truth));
        widened += usize::from(!percentile_interval(&values, pooled, 0.95).expect("ten values").excludes(truth));
    }
    assert!(students <= 368, "{students} of 400 of Student's intervals cover {truth}");
    assert!(widened >= 366, "{widened} of 400 intervals cover {truth}");
}

#[test]
fn an_interval_of_a_percentile_is_wider_by_bias_and_skewness() {
    let even = [1.0, 2.0, 3.0, 4.0, 5.0];
    let plain = mean_interval(&even, 0.95).and_then(|interval| interval.half_width).expect("five values");
    let half = |values: &[f64], together| {
        percentile_interval(values, together, 0.95).and_then(|interval| interval.half_width).expect("five values")
    };
    assert_eq!(half(&even, None), plain);
    assert!((half(&even, Some(3.5)) - plain - 1.0).abs() < 1e-12);
    // Negative skewness does not narrow the interval; 1, 1, 1, 1, 6 has G₁ = √5.
    assert_eq!(
        half(&[5.0, 5.0, 5.0, 5.0, 0.0], None),
        mean_interval(&[5.0, 5.0, 5.0, 5.0, 0.0], 0.95).unwrap().half_width.unwrap()
    );
    let skewed = [1.0, 1.0, 1.0, 1.0, 6.0];
    let students = mean_interval(&skewed, 0.95).and_then(|interval| interval.half_width).expect("five values");
    assert!((half(&skewed, None) / students - (1.0 + 0.2 * 5f64.sqrt())).abs() < 1e-9);
    assert_eq!(half(&[2.0, 2.0, 2.0], None), 0.0);
}

/// The reference enumerates all outcomes that the differing pairs could have had.
#[test]
fn the_sign_test_counts_what_is_as_uneven() {
    for (up, down) in [(0, 0), (1, 0), (3, 1), (5, 0), (6, 2), (4, 4), (9, 1)] {
        let n: u32 = up + down;
        let as_uneven = |bits: &u32| bits.count_ones().abs_diff(n - bits.count_ones()) >= up.abs_diff(down);
        let expected = (0..1u32 << n).filter(as_uneven).count() as f64 / f64::from(1u32 << n);
        let pair = |at: u32| {
            if at < up {
                (0.0, 1.0)
            } else if at < n {
                (1.0, 0.0)
            } else {
                (1.0, 1.0)
            }
        };
        let (first, second): (Vec<f64>, Vec<f64>) = (0..n + 3).map(pair).unzip();
        assert!((sign_test(&first, &second) - expected).abs() < 1e-9, "{up} up, {down} down");
    }
}

//! The sweeps of `docs/sweeps`, compared with theory; shorter than there if chance is small enough.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lab::replicate::Control;
use lab::sweep::{PlanOptions, Swept, plan};
use lab::{Options, Text, load};
use language::quantity::Quantity;

fn swept(name: &str, duration: Option<&str>, replications: u32) -> Swept {
    let path = format!("{}/../docs/sweeps/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let text = Text { name: format!("{name}.yaml"), bytes, folder: None };
    let options = Options { duration: duration.map(str::to_owned), ..Options::default() };
    let loaded = Arc::new(load(&text, &options).expect("a good scenario"));
    let plan = plan(&loaded, PlanOptions { replications: Some(replications) }).expect("a good sweep");
    let stop = AtomicBool::new(false);
    plan.run_in_memory(&Control { jobs: 0, stop: &stop, progress: &|_, _| {} }).expect("it runs")
}

/// The value on the first axis and the mean of a metric, point by point.
fn course(swept: &Swept, metric: &str) -> Vec<(f64, f64)> {
    let number = swept.metrics.iter().position(|known| known == metric).expect("it is measured");
    let of = |text: &str| Quantity::parse(text).expect("a quantity").value;
    swept.points.iter().map(|p| (of(&p.values[0]), p.interval(number).expect("it is known").mean)).collect()
}

#[test]
fn k_threads_take_as_long_as_the_formula_says() {
    for (per_task, latency) in course(&swept("threads", None, 1), "workloads.batch.latency.max") {
        let threads = (1000.0 / per_task).ceil();
        // If shares are unequal, the largest determines the time; it starts first and is not the last to start.
        let most = per_task * 0.01 + threads * 0.02;
        assert!(latency <= most + 1e-9 && latency >= 0.9 - 1e-9, "{per_task} a thread: {latency}, {most} at most");
        if 1000.0 % per_task == 0.0 {
            assert!((latency - most).abs() < 1e-9, "{per_task} a thread: {latency}, not {most}");
        }
    }
}

/// Means of five runs of ten seconds; the least precise, 2,500 batches at 50 writes per second, has a standard error of 0.5 %.
/// The tolerance is four times that: less than one set of seeds in a thousand exceeds it.
#[test]
fn batches_have_the_sizes_and_delays_of_theory() {
    let swept = swept("batching", Some("10s"), 5);
    // With random arrivals: size, delay (ms); with regular arrivals: size, delay (ms).
    let theory = [
        (1.500, 8.333, 1.0, 10.0),
        (2.000, 7.500, 2.0, 5.0),
        (3.000, 6.666, 3.0, 5.0),
        (5.946, 5.693, 6.0, 5.0),
        (9.207, 4.207, 10.0, 4.5),
        (9.997, 2.249, 10.0, 2.25),
        (10.0, 0.450, 10.0, 0.45),
    ];
    let of = |metric: &str| course(&swept, metric).into_iter().map(|(_, value)| value).collect::<Vec<f64>>();
    let (sizes, delays) = (of("links.random.call.batch_size"), of("workloads.random.latency.mean"));
    let regular = (of("links.regular.call.batch_size"), of("workloads.regular.latency.mean"));
    for (at, (size, delay, regular_size, regular_delay)) in theory.into_iter().enumerate() {
        let near = |found: f64, expected: f64, share: f64, what: &str| {
            assert!((found - expected).abs() <= share * expected, "{what} at point {at}: {found}, not {expected}");
        };
        near(sizes[at], size, 0.02, "size");
        near(delays[at] * 1e3, delay, 0.02, "delay");
        // Only requests under way at the ends make a difference.
        near(regular.0[at], regular_size, 0.005, "regular size");
        near(regular.1[at] * 1e3, regular_delay, 0.005, "regular delay");
    }
}

#[test]
fn a_pool_of_twenty_serves_four_thousand_and_one_of_two_hundred_is_not_ten_times_as_good() {
    for (threads, goodput) in course(&swept("pool-app-threads", Some("5s"), 1), "goodput") {
        let expected = 4000.0_f64.min(threads / 0.005);
        assert!((goodput / expected - 1.0).abs() < 0.02, "{threads} threads: {goodput}, not {expected}");
    }
    let swept = swept("pool-size", Some("5s"), 1);
    for (size, goodput) in course(&swept, "goodput") {
        let expected = 800.0_f64.min(size / 0.005);
        assert!((goodput / expected - 1.0).abs() < 0.02, "pool of {size}: {goodput}, not {expected}");
    }
    let slowest = course(&swept, "components.db.latency.p99");
    for (size, latency) in slowest {
        // Up to four run at once in 5 ms; more of them share the four cores.
        let expected = 0.005 * (size / 4.0).max(1.0);
        assert!((latency / expected - 1.0).abs() < 0.01, "pool of {size}: {latency}, not {expected}");
    }
}

/// rate × timeout compared with the pool: 2.5 to 15 of 20 connections for timeouts up to 1.5 s, 25 and more from 2.5 s. At the
/// border itself chance decides, so it is not checked.
#[test]
fn everything_goes_down_from_the_timeout_on_at_which_the_pool_runs_dry() {
    for (timeout, goodput) in course(&swept("timeouts", None, 2), "workloads.browsers.goodput") {
        if timeout <= 1.5 {
            assert!(goodput > 95.0, "timeout {timeout} s: {goodput}/s");
        } else if timeout >= 3.0 {
            assert!(goodput < 90.0, "timeout {timeout} s: {goodput}/s");
        }
    }
}

#[test]
fn a_collapse_is_sure_at_a_high_load_and_does_not_happen_at_a_low_one() {
    let swept = swept("collapse", None, 3);
    let probabilities = course(&swept, "objectives.recovery");
    let (low, high) = (probabilities[0], probabilities[probabilities.len() - 1]);
    assert_eq!((low.1, high.1), (1.0, 0.0), "{probabilities:?}");
    // Three of three do not prove a probability of 1: the interval shows it.
    let (from, to) = swept.points[0].ends(0, true).expect("three runs");
    assert!(from < 0.5 && to == 1.0, "{from} to {to}");
}

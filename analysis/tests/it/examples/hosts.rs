//! Memory and garbage collection (S0-8, S2-31, part C): what the shipped scenarios conclude, over several seeds.

use lab::result::RunResult;
use rayon::prelude::*;

use super::{latency, shipped_with, windows};

const SEEDS: [u64; 3] = [1, 2, 3];

fn value(result: &RunResult, metric: &str) -> f64 {
    lab::metrics::value(result, metric).ok().flatten().unwrap_or_else(|| panic!("{metric} is not known"))
}

fn runs(name: &str, variant: &str) -> Vec<RunResult> {
    SEEDS.into_par_iter().map(|seed| shipped_with(name, Some(variant), &[], Some(seed))).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A container of one thread does 100 requests a second; switching takes 20 µs of each 3 ms where there are more of them than cores.
#[test]
fn packing_pays_up_to_the_cores_and_memory_refuses_the_rest() {
    let goodput = |replicas: u32| {
        let change = format!("components.app.replicas={replicas}");
        let result = shipped_with("packing", None, &[change.as_str()], None);
        (value(&result, "goodput"), value(&result, "components.app.replicas"), value(&result, "hosts.box.memory_size"))
    };
    for replicas in [1, 2, 4, 6, 8] {
        let (found, ..) = goodput(replicas);
        assert!((found / (100.0 * f64::from(replicas)) - 1.0).abs() < 0.02, "{replicas}: {found}/s");
    }
    for (replicas, placed) in [(10, 10.0), (12, 12.0), (16, 12.0)] {
        let (found, there, _) = goodput(replicas);
        assert_eq!(there, placed);
        assert!((770.0..805.0).contains(&found), "{replicas}: {found}/s");
    }
}

#[test]
fn a_bounded_queue_ends_a_crash_loop() {
    for result in runs("oom-loop", "unbounded") {
        assert!(value(&result, "components.api.oom_kills") >= 3.0);
    }
    for result in runs("oom-loop", "bounded") {
        assert_eq!(value(&result, "components.api.oom_kills"), 0.0);
        assert!(result.objectives.iter().all(|objective| objective.holds), "{:?}", result.objectives);
    }
}

/// 100 KB a request and a young generation of 100 MB are a collection every 1,000 requests.
#[test]
fn pauses_show_in_p99_once_they_cover_one_percent() {
    let found = |variant: &str| {
        let all = runs("gc-and-p99", variant);
        let p99: Vec<f64> = all.iter().filter_map(|result| latency(result, "users").p99_s).collect();
        let young: Vec<f64> = all.iter().map(|result| value(result, "components.app.gc.young")).collect();
        (mean(&p99), mean(&young))
    };
    // The numbers of requests have standard deviations of 0.4 % and less.
    for (variant, rate, slow) in [("rate-100", 100.0, false), ("rate-200", 200.0, false), ("rate-400", 400.0, true)] {
        let (p99, young) = found(variant);
        assert!((young / (rate * 600.0 / 1_000.0) - 1.0).abs() < 0.03, "{variant}: {young}");
        if variant != "rate-200" {
            assert_eq!(p99 > 0.01, slow, "{variant}: {p99}");
        }
    }
    assert!(found("rate-400-a-quarter-of-the-garbage").0 < 0.01);
}

/// Before the spike, after it at the same load, and far below it.
#[test]
fn a_spike_starts_a_death_spiral_that_only_deep_shedding_ends() {
    let good = |result: &RunResult, from: f64, to: f64| mean(&windows(result, "workloads.users.goodput", from, to));
    for result in runs("gc-death-spiral", "spiral") {
        let (before, after, later) =
            (good(&result, 120.0, 240.0), good(&result, 600.0, 720.0), good(&result, 1080.0, 1200.0));
        assert!(before > 210.0, "before the spike: {before}/s");
        assert!(after < 0.5 * before, "after it, at the same load: {after}/s");
        assert!(good(&result, 840.0, 960.0) < 90.0, "at 180/s");
        assert!(later > 130.0, "at 140/s: {later}/s");
    }
    for remedy in ["fewer-allocations", "short-queue"] {
        for result in runs("gc-death-spiral", remedy) {
            let after = good(&result, 600.0, 720.0);
            assert!(after > 210.0, "{remedy}: {after}/s");
        }
    }
}

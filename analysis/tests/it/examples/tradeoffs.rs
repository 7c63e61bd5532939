//! Trade-offs: pools, queues, retries, blocked loops (S2).

use rayon::prelude::*;

use analysis::theory::formulas::birth_death;
use lab::result::RunResult;

use super::{exact, latency, shipped, shipped_with, windows};

#[test]
fn one_handler_that_blocks_holds_up_a_loop_and_no_thread() {
    let result = shipped("one-slow-handler", "event-loop");
    let light = latency(&result, "light");
    // The n-th comes at n · 5 ms and is the n-th to get its microsecond behind the 500 ms.
    assert_eq!(light.count, 99);
    exact(light.max_s, 0.495 + 0.000_001);
    exact(light.mean_s, 0.25 + 50.0 * 0.000_001);
    exact(latency(&result, "heavy").max_s, 0.5);
    let result = shipped("one-slow-handler", "threads");
    exact(latency(&result, "light").max_s, 0.000_001);
    exact(latency(&result, "heavy").max_s, 0.5);
}

#[test]
fn a_pool_sets_the_ceiling_whatever_the_threads() {
    for variant in ["threads-20", "threads-200", "threads-1000"] {
        let queries = shipped("pool-ceiling", variant).components["db"].arrivals;
        // One round of the pool more or less at the borders of ten seconds.
        assert!(queries.abs_diff(40_000) <= 20, "{variant}: {queries}");
        // With exponential queries each connection is a Poisson process: five standard deviations of 40,000.
        let queries: Vec<u64> = (1..=4_u64)
            .into_par_iter()
            .map(|seed| {
                let change = "components.db.operations.default={exp: 5ms}";
                shipped_with("pool-ceiling", Some(variant), &[change], Some(seed)).components["db"].arrivals
            })
            .collect();
        assert!(queries.iter().all(|queries| queries.abs_diff(40_000) <= 1_000), "{variant}: {queries:?}");
    }
}

#[test]
fn retries_of_layers_multiply() {
    let queries = |variant| shipped("retry-layers", variant).components["db"].arrivals;
    assert_eq!(queries("three-times-three"), 27);
    assert_eq!(queries("two-layers"), 9);
    assert_eq!(queries("three-times-two"), 8);
    assert_eq!(queries("three-times-four"), 64);
}

/// Twenty seeds of a variant.
fn twenty(name: &str, variant: &str, changes: &[&str]) -> Vec<RunResult> {
    (1..=20_u64).into_par_iter().map(|seed| shipped_with(name, Some(variant), changes, Some(seed))).collect()
}

#[test]
fn a_bound_on_the_queue_keeps_what_is_served_in_time() {
    for result in twenty("bounded-queue", "bounded", &[]) {
        let found = result.goodput;
        assert!((380.0..=410.0).contains(&found), "{found}");
        assert!(result.objectives.iter().all(|o| o.holds));
    }
    for result in twenty("bounded-queue", "unbounded", &[]) {
        let found = result.goodput;
        assert!(found < 1.0, "{found}");
        assert!(result.components["app"].wasted_work.is_some_and(|w| w > 0.99));
    }
}

#[test]
fn a_bounded_queue_loses_what_theory_says_and_refuses_at_once() {
    // M/M/4/24 at 500/s and 10 ms, on a link with 1 ms there and back.
    let p = birth_death(24, |_| 500.0, |n| n.min(4) as f64 * 100.0);
    let inside: f64 = p.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
    let served = 500.0 * (1.0 - p[24]);
    let (mut lost, mut latencies) = (Vec::new(), Vec::new());
    for result in twenty("bounded-queue", "bounded", &["workloads.callers.call.timeout=null"]) {
        let callers = &result.workloads["callers"];
        exact(callers.latency_failed.max_s, 0.001);
        exact(callers.latency_failed.mean_s, 0.001);
        lost.push(callers.outcomes["overload"] as f64 / callers.sent as f64);
        latencies.push(callers.latency.mean_s.expect("some are served"));
    }
    agrees(&lost, p[24]);
    agrees(&latencies, inside / served + 0.001);
}

/// Student's t with 19 degrees of freedom is beyond ±7.1 once in a million times.
#[track_caller]
fn agrees(samples: &[f64], expected: f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let variance = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    let half_width = 7.1 * (variance / n).sqrt();
    assert!((mean - expected).abs() <= half_width, "{mean} ± {half_width} instead of {expected}");
    assert!(half_width < 0.1 * expected, "± {half_width} of {expected} says little");
}

/// When callers first wait for a connection, s; within a window of a tenth of a second.
fn runs_dry(timeout: &str) -> Option<f64> {
    let change = format!("components.shop.calls.provider.timeout={timeout}");
    let result = shipped_with("pool-exhaustion-cascade", None, &[&change], None);
    let waiting = windows(&result, "links.shop.provider.pool.waiting", 0.0, 60.0);
    waiting.iter().position(|waiting| *waiting > 0.0).map(|window| window as f64 / 10.0)
}

#[test]
fn a_pool_runs_dry_if_and_only_if_rate_times_timeout_is_more_than_it_has() {
    // Ten a second and twenty connections. The provider hangs from 10.05 s on: the first call after that, at 10.1 s, takes
    // the first connection, the twenty-first, 2 s later, waits.
    for (timeout, dry) in [("1s", false), ("1900ms", false), ("2s", false), ("2100ms", true), ("5s", true)] {
        let found = runs_dry(timeout);
        match found {
            Some(at) if dry => assert!((at - 12.1).abs() < 0.11, "{timeout}: {at}"),
            _ => assert_eq!(found.is_some(), dry, "{timeout}: {found:?}"),
        }
    }
}

#[test]
fn a_hanging_provider_takes_down_even_what_does_not_need_it_unless_its_callers_give_up_sooner() {
    let patient = shipped("pool-exhaustion-cascade", "patient");
    let browsing = windows(&patient, "workloads.browsers.goodput", 20.0, 40.0);
    assert!(browsing.iter().sum::<f64>() / browsing.len() as f64 <= 50.0, "{browsing:?}");
    assert!(patient.objectives.iter().all(|o| !o.holds));
    let hasty = shipped("pool-exhaustion-cascade", "timeout-1s");
    assert!(hasty.objectives.iter().all(|o| o.holds));
    let browsers = &hasty.workloads["browsers"];
    assert_eq!(browsers.outcomes["ok"], browsers.completed);
}

//! Worked examples, exact to the microsecond, and what the retry storm is said to show, over twenty seeds.

use lab::result::RunResult;
use lab::{Options, Text};
use rayon::prelude::*;

use crate::harness::{load_variant, run_loaded};

fn shipped(name: &str, variant: &str) -> RunResult {
    let loaded = load_variant(lab::builtin::text(name).expect("it is shipped"), Some(variant));
    run_loaded(&loaded, loaded.scenario.seed)
}

fn shipped_with(name: &str, change: &str) -> RunResult {
    let text = lab::builtin::text(name).expect("it is shipped");
    let text = Text { name: name.into(), bytes: text.as_bytes().to_vec(), folder: None };
    let options = Options { overrides: vec![change.to_string()], ..Options::default() };
    let loaded = std::sync::Arc::new(lab::load(&text, &options).expect("it is right"));
    run_loaded(&loaded, loaded.scenario.seed)
}

#[track_caller]
fn exact(found: Option<f64>, expected: f64) {
    let found = found.expect("it was measured");
    assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
}

#[test]
fn threads_pay_for_slow_calls() {
    let takes = |variant| shipped("threads-for-slow-calls", variant).workloads["caller"].latency.max_s;
    exact(takes("threads"), 5.08);
    exact(takes("staggered"), 5.06);
    exact(takes("one-after-the-other"), 13.0);
}

#[test]
fn threads_do_not_pay_for_short_calls_unless_in_batches() {
    let takes = |variant| shipped("threads-for-short-calls", variant).workloads["caller"].latency.max_s;
    exact(takes("a-thread-each"), 20.01);
    exact(takes("five-threads"), 2.1);
    exact(takes("one-after-the-other"), 10.0);
    // ⌈1000/k⌉ · 10 ms + k · 20 ms is least with 20 to 25 threads.
    for (per_task, threads) in [(20, 50), (40, 25), (50, 20), (100, 10)] {
        let change = format!("components.app.handlers.default.0.split.per_task={per_task}");
        let found = shipped_with("threads-for-short-calls", &change).workloads["caller"].latency.max_s;
        exact(found, f64::from(per_task) * 0.01 + f64::from(threads) * 0.02);
    }
}

#[test]
fn an_event_loop_works_while_requests_wait() {
    let of = |variant| {
        let latency = shipped("event-loop", variant).workloads["callers"].latency;
        (latency.mean_s, latency.max_s)
    };
    let (mean, most) = of("loop");
    exact(most, 0.124);
    exact(mean, 0.122);
    let (mean, most) = of("one-worker");
    exact(most, 0.24);
    exact(mean, 0.18);
}

#[test]
fn who_asks_for_what_is_being_fetched_shares_it() {
    let shared = shipped("one-query-for-many", "shared");
    exact(shared.workloads["first"].latency.max_s, 0.01);
    exact(shared.workloads["second"].latency.max_s, 0.005);
    assert_eq!(shared.components["db"].arrivals, 1);
    let alone = shipped("one-query-for-many", "each-alone");
    exact(alone.workloads["second"].latency.max_s, 0.01);
    assert_eq!(alone.components["db"].arrivals, 2);
}

#[test]
fn batched_calls_rise_in_a_stair_step() {
    for (writes, calls) in [(1, 1), (9, 1), (10, 1), (11, 2), (20, 2), (21, 3), (100, 10)] {
        let result = shipped_with("batch-writes", &format!("workloads.writers.arrivals.once.count={writes}"));
        assert_eq!(result.components["db"].arrivals, calls, "{writes} writes");
    }
}

#[test]
fn a_pool_sets_the_ceiling_whatever_the_threads() {
    for variant in ["threads-20", "threads-200", "threads-1000"] {
        let queries = shipped("pool-ceiling", variant).components["db"].arrivals;
        // One round of the pool more or less at the borders of ten seconds.
        assert!(queries.abs_diff(40_000) <= 20, "{variant}: {queries}");
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

/// Mean of a series over the last minute.
fn last_minute(result: &RunResult, column: &str) -> f64 {
    let column = &result.series.columns[column];
    let last: Vec<f64> = column[column.len() - 60..].iter().flatten().copied().collect();
    last.iter().sum::<f64>() / last.len() as f64
}

/// For each of twenty seeds: goodput in the last minute over what is offered.
fn recovered(variant: &str) -> Vec<(f64, RunResult)> {
    let loaded = load_variant(lab::builtin::text("retry-storm").expect("it is shipped"), Some(variant));
    (1..=20u64)
        .into_par_iter()
        .map(|seed| {
            let result = run_loaded(&loaded, seed);
            let share = last_minute(&result, "workloads.shoppers.goodput") / result.workloads["shoppers"].offered;
            (share, result)
        })
        .collect()
}

#[test]
fn the_storm_outlives_its_trigger_and_the_dead_wait_in_the_api() {
    for (share, result) in recovered("storm") {
        assert!(share < 0.1, "{share}");
        let (api, db) =
            (last_minute(&result, "components.api.queue.depth"), last_minute(&result, "components.db.queue.depth"));
        assert!(api > 100.0 && db < 1.0, "{api} wait in the API, {db} at the database");
    }
}

#[test]
fn without_retries_or_with_a_budget_or_at_half_the_load_it_heals() {
    for variant in ["no-retries", "budget", "half-load", "queue-200"] {
        let shares: Vec<f64> = recovered(variant).into_iter().map(|(share, _)| share).collect();
        assert!(shares.iter().all(|share| *share > 0.95), "{variant}: {shares:.2?}");
    }
}

#[test]
fn a_bound_beyond_what_is_served_within_the_timeout_does_not_help() {
    let shares: Vec<f64> = recovered("queue-1000").into_iter().map(|(share, _)| share).collect();
    // By chance one may get out: one in twenty did.
    assert!(shares.iter().filter(|share| **share < 0.1).count() >= 17, "{shares:.2?}");
}

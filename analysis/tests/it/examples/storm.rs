//! The retry storm: what it is said to show, over twenty seeds.

use lab::result::RunResult;
use rayon::prelude::*;

use crate::harness::{load_variant, run_loaded};

/// Mean of a series over the last minute.
fn last_minute(result: &RunResult, column: &str) -> f64 {
    let column = &result.series.columns[column];
    let last: Vec<f64> = column[column.len() - 60..].iter().flatten().copied().collect();
    last.iter().sum::<f64>() / last.len() as f64
}

/// For each of twenty seeds: goodput in the last minute over what is offered.
fn recovered(variant: &str) -> Vec<(f64, RunResult)> {
    let loaded = load_variant(language::builtin::text("retry-storm").expect("it is shipped"), Some(variant));
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

//! Worked examples: claims of the literature as scenarios, with the numbers that must come out. What is exact is exact to
//! the microsecond; what is statistical says how often it would fail by chance. `docs/worked-examples.md` lists them.

mod caches;
mod compute;
mod hosts;
mod levels;
mod loops;
mod storm;
mod tradeoffs;

use std::sync::Arc;

use lab::result::{Latency, RunResult};
use lab::{Options, Text};

use crate::harness::run_loaded;

/// A scenario that is built in, changed by overrides, under a seed of its own or this one.
fn shipped_with(name: &str, variant: Option<&str>, changes: &[&str], seed: Option<u64>) -> RunResult {
    let text = language::builtin::text(name).expect("it is shipped");
    let text = Text { name: name.into(), bytes: text.as_bytes().to_vec(), folder: None };
    let overrides = changes.iter().map(|change| change.to_string()).collect();
    let options = Options { overrides, variant: variant.map(str::to_string), ..Options::default() };
    let loaded = lab::load(&text, &options).unwrap_or_else(|refused| panic!("{changes:?}: {:#?}", refused.problems));
    let seed = seed.unwrap_or(loaded.scenario.seed);
    run_loaded(&Arc::new(loaded), seed)
}

/// A variant of a scenario that is built in.
fn shipped(name: &str, variant: &str) -> RunResult {
    shipped_with(name, Some(variant), &[], None)
}

fn latency(result: &RunResult, workload: &str) -> Latency {
    result.workloads[workload].latency
}

/// Within a microsecond.
#[track_caller]
fn exact(found: impl Into<Option<f64>>, expected: f64) {
    let found = found.into().expect("it was measured");
    assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
}

/// A metric of the windows that begin at or after one instant and before another, s.
fn windows(result: &RunResult, column: &str, from_s: f64, to_s: f64) -> Vec<f64> {
    let values = result.series.at_s.iter().zip(&result.series.columns[column]);
    values.filter(|(at, _)| (from_s..to_s).contains(*at)).map(|(_, value)| value.unwrap_or(0.0)).collect()
}

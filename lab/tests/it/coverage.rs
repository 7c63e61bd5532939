//! The coverage of confidence intervals: 95 % of them must contain the true value.
//!
//! A thousand experiments with ten replications each, like those of `run --replications 10`, of an M/M/1 queue whose true
//! figures are known from queueing theory. If the coverage is exactly 95 %, the share observed in a thousand experiments
//! leaves the range from 93 to 97 % for four sets of seeds in a thousand (binomial); the seeds are fixed.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lab::replicate::{Control, in_parallel, replicate};
use lab::{Loaded, Options, Text, load};

/// At 50 % load: 50 requests per second for a server that takes 10 ms. Two seconds of warm-up are enough to forget the empty
/// start.
const SCENARIO: &str = "
version: 1
run: {duration: 20s, warmup: 2s, window: 20s}
workloads:
  users: {arrivals: {poisson: 50/s}, call: server}
components:
  server: {kind: database, connections: 1, operations: {default: {exp: 10ms}}}
";

const EXPERIMENTS: usize = 1000;

/// Metrics and their true values: the time in the system 1 / (µ − λ), and the utilisation λ / µ.
const TRUTH: [(&str, f64); 3] = [
    ("workloads.users.latency.mean", 0.02),
    ("components.server.utilization", 0.5),
    // − ln 0.01 / (µ − λ). Student's interval from ten runs of a thousand requests each covers it 87 times in a hundred: see
    // `lab::statistics::percentile_interval`.
    ("workloads.users.latency.p99", 0.092_103_403_719_761_8),
];

fn experiment(seed: u64) -> Arc<Loaded> {
    let text = Text { name: "mm1.yaml".into(), bytes: SCENARIO.as_bytes().to_vec(), folder: None };
    Arc::new(load(&text, &Options { seed: Some(seed), ..Options::default() }).expect("a good scenario"))
}

#[test]
fn ninety_five_of_a_hundred_intervals_cover_the_truth() {
    let stop = AtomicBool::new(false);
    let all: Vec<usize> = (0..EXPERIMENTS).collect();
    let outer = Control { jobs: 0, stop: &stop, progress: &|_, _| {} };
    let covered = in_parallel(&all, &outer, |seed| {
        let inner = Control { jobs: 1, stop: &stop, progress: &|_, _| {} };
        let runs = replicate(&experiment(seed as u64), 10, &inner).expect("it runs");
        TRUTH.map(|(metric, truth)| !runs.interval(metric).expect("ten values").excludes(truth))
    });
    for (at, (metric, _)) in TRUTH.iter().enumerate() {
        let share = covered.values().filter(|covers| covers[at]).count() as f64 / EXPERIMENTS as f64;
        // The widened interval may cover more often than its nominal confidence.
        let most = if metric.ends_with("p99") { 0.99 } else { 0.97 };
        assert!((0.93..=most).contains(&share), "{metric}: {share} of the intervals cover the true value");
    }
}

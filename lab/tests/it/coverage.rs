//! Whether intervals keep what they promise: 95 % of them must hold the true value.
//!
//! A thousand experiments, each of ten replications as `run --replications 10` makes them, of an M/M/1 whose true figures
//! queueing theory knows. If intervals covered with exactly 95 %, the share of a thousand that do would leave 93 to 97 %
//! four times in a thousand changes of the seeds (binomial); the seeds are fixed.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lab::replicate::{Control, in_parallel, replicate};
use lab::{Loaded, Options, Text, load};

/// Half full: 50 requests a second for a server of 10 ms, two seconds of which are enough to forget the empty beginning.
const SCENARIO: &str = "
version: 1
run: {duration: 20s, warmup: 2s, window: 20s}
workloads:
  users: {arrivals: {poisson: 50/s}, call: server}
components:
  server: {kind: database, connections: 1, operations: {default: {exp: 10ms}}}
";

const EXPERIMENTS: usize = 1000;

/// What is looked at, and its true value: the time in the system 1 / (µ − λ), and the utilisation λ / µ.
const TRUTH: [(&str, f64); 3] = [
    ("workloads.users.latency.mean", 0.02),
    ("components.server.utilization", 0.5),
    // − ln 0.01 / (µ − λ). Student's interval of what ten runs of a thousand requests each say of it covers it 87 times in
    // a hundred: see `lab::statistics::percentile_interval`.
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
        // What is widened may cover more often than is said.
        let most = if metric.ends_with("p99") { 0.99 } else { 0.97 };
        assert!((0.93..=most).contains(&share), "{metric}: {share} of the intervals cover the true value");
    }
}

//! What `explain` says of queues, held against runs.

use analysis::explain::{Explained, explain};

use crate::harness::{load, load_variant, run_loaded};

fn bundled(name: &str) -> &'static str {
    language::builtin::text(name).expect("it is bundled")
}

fn queue<'e>(explained: &'e Explained, name: &str) -> &'e analysis::explain::Queue {
    &explained.queues[name]
}

/// 250 a second more than the 250 that the workers can do come for 60 s: 15,000, which drain in 15,000/(250 − 100) = 100 s.
#[test]
fn a_backlog_is_what_the_run_shows() {
    let loaded = load(bundled("async-202"));
    let explained = explain(&loaded);
    let orders = queue(&explained, "orders");
    assert!((orders.consumed_per_s - 250.0).abs() < 1e-6, "{orders:?}");
    assert!((orders.backlog_max - 15_000.0).abs() < 2.0, "{orders:?}");
    assert!((orders.backlog_max_at_s - 90.0).abs() < 0.01, "{orders:?}");
    let drained_s = orders.drained_at_s.expect("it drains");
    assert!((drained_s - 190.0).abs() < 0.02, "{orders:?}");
    assert_eq!(orders.backlog_end, 0.0);
    let result = run_loaded(&loaded, 1);
    let simulated = result.components["orders"].queue.as_ref().expect("it is a queue");
    assert!((simulated.depth_max as f64 - orders.backlog_max).abs() <= 30.0, "{}", simulated.depth_max);
    let depth = &result.series.columns["components.orders.queue.depth"];
    let empty = (91..240).find(|second| depth[*second].unwrap_or(0.0) < 1.0).expect("it drains");
    assert!((empty as f64 - drained_s).abs() <= 2.0, "{empty}");
    // With twice the workers there is none.
    let twice = explain(&load_variant(bundled("async-202"), Some("twice-the-workers")));
    assert_eq!(queue(&twice, "orders").backlog_max, 0.0);
}

/// What consumers can process is the least of what they and everything behind them can: what is left of it by others.
#[test]
fn consumers_are_as_fast_as_the_slowest_thing_behind_them() {
    let yaml = |threads: u32, connections: u32, reads: u32| {
        let readers = match reads {
            0 => String::new(),
            _ => format!("  readers: {{arrivals: {{constant: {reads}/s}}, call: db}}\n"),
        };
        format!(
            "version: 1\nrun: {{duration: 100s}}\n\
             workloads:\n  w: {{arrivals: {{constant: 200/s}}, call: q}}\n{readers}\
             components:\n  q: {{kind: queue}}\n  app:\n    kind: service\n    runtime: {{thread_pool: {{threads: {threads}}}}}\n    \
             handlers: {{default: [{{wait: 10ms}}, {{call: db}}]}}\n    calls: {{db: db}}\n    consumes: [q]\n  \
             db: {{kind: database, connections: {connections}, operations: {{default: 20ms}}}}\n"
        )
    };
    for (threads, connections, reads, expected, by) in [
        (3, 100, 0, 100.0, "the 3 threads of app"),
        (30, 2, 0, 100.0, "the 2 connections of db"),
        (30, 4, 100, 100.0, "the 4 connections of db"),
    ] {
        let loaded = load(&yaml(threads, connections, reads));
        let explained = explain(&loaded);
        let q = queue(&explained, "q");
        assert!((q.consumed_per_s - expected).abs() < 0.01 * expected, "{q:?}");
        assert_eq!(q.consumed_by, by);
        assert!((q.backlog_end - 100.0 * (200.0 - expected)).abs() < 100.0, "{q:?}");
        if reads == 0 {
            let result = run_loaded(&loaded, 1);
            let left = result.components["q"].queue.as_ref().expect("it is a queue").depth_end as f64;
            assert!((left - q.backlog_end).abs() < 0.01 * q.backlog_end, "{left}, {q:?}");
        }
    }
}

/// The share of deliveries that outlast the visibility timeout, from the distribution alone.
#[test]
fn what_outlasts_the_timeout_is_received_again() {
    let loaded = load(bundled("sqs-visibility-duplicates"));
    let explained = explain(&loaded);
    let videos = queue(&explained, "videos");
    let [renderer] = videos.consumers.as_slice() else { panic!("{videos:?}") };
    let shares: Vec<f64> = (0..8)
        .map(|seed| {
            let own = &run_loaded(&loaded, seed).components["videos"].own;
            own["redelivered"] / own["receives"]
        })
        .collect();
    let mean = shares.iter().sum::<f64>() / 8.0;
    // See the test of the scenario: 4.5 deviations of the mean of eight runs.
    assert!((mean - renderer.outlasts_visibility).abs() < 4.5 * 0.0018, "{mean}, {renderer:?}");
    assert!((renderer.takes_s - 12.0).abs() < 0.1, "{renderer:?}");
}

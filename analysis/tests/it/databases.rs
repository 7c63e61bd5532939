//! What `explain` says of databases of several nodes, held against simulation.

use analysis::explain::{Explained, explain};
use lab::result::RunResult;

use crate::harness::{load, run_loaded};

fn scenario(writes: &str, reads: &str, database: &str) -> String {
    format!(
        "version: 1
run: {{duration: 100s, warmup: 10s}}
workloads:
  w: {{arrivals: {writes}, requests: [{{op: write, key: {{uniform: {{keys: 1k}}}}}}], call: db}}
  r: {{arrivals: {reads}, requests: [{{op: read, key: {{uniform: {{keys: 1k}}}}}}], call: db}}
components:
  db: {{kind: database, connections: 10, operations: {{default: {{exp: 5ms}}}}, write_ops: [write], {database}}}
"
    )
}

fn explained(scenario: &str) -> Explained {
    explain(&load(scenario))
}

fn simulated(scenario: &str) -> RunResult {
    run_loaded(&load(scenario), 1)
}

/// What each limit of the database is called, its share and at how many calls to the database it is reached.
fn limits(explained: &Explained) -> Vec<(String, f64, f64)> {
    let of = |limit: &analysis::explain::Limit| {
        (limit.what.clone(), limit.utilization.unwrap_or(-1.0), limit.ceiling_per_s.unwrap_or(-1.0))
    };
    explained.components["db"].limits.iter().map(of).collect()
}

fn assert_limits(scenario: &str, expected: &[(&str, f64, f64)]) {
    let found = limits(&explained(scenario));
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((what, share, ceiling), expected) in found.iter().zip(expected) {
        assert_eq!(what, expected.0);
        assert!((share - expected.1).abs() < 1e-6, "{what}: {share} instead of {}", expected.1);
        assert!((ceiling / expected.2 - 1.0).abs() < 1e-6, "{what}: {ceiling} instead of {}", expected.2);
    }
}

/// A node serves 10 ÷ 5 ms = 2000/s. At 200/s writes and 900/s reads of 1100/s, the leader is full when 2000/s writes come, which is
/// at 11,000/s, and three followers when 6000/s reads come.
#[test]
fn leader_and_followers_have_limits_of_their_own() {
    let of = |database: &str| scenario("{poisson: 200/s}", "{poisson: 900/s}", database);
    let replicas = "replication: {replicas: 3, lag: 50ms}";
    assert_limits(
        &of(&format!("{replicas}, read_from: replica")),
        &[
            ("10 connections at the leader", 0.1, 11_000.0),
            ("30 connections at followers", 0.15, 6000.0 * 1100.0 / 900.0),
        ],
    );
    assert_limits(&of(replicas), &[("10 connections at the leader", 0.55, 2000.0)]);
    // Each read asks two of the four.
    let quorum = "replication: {replicas: 3, lag: 0s, mode: {quorum: {write: 1, read: 2}}}, read_from: quorum";
    assert_limits(
        &of(quorum),
        &[
            ("10 connections at the leader", (200.0 + 450.0) * 0.005 / 10.0, 2000.0 * 1100.0 / 650.0),
            ("30 connections at followers", 1350.0 * 0.005 / 30.0, 6000.0 * 1100.0 / 1350.0),
        ],
    );
    // How much comes to each partition depends on the keys.
    assert!(limits(&explained(&of("partitions: 4").replace("write_ops: [write], ", ""))).is_empty());
    // What is said is what is simulated: a node that is held for 5 ms by each call.
    let result = simulated(&of(&format!("{replicas}, read_from: replica")));
    let held = (0.1 * 10.0 + 0.15 * 30.0) / 40.0;
    assert!((result.components["db"].utilization.expect("there are connections") - held).abs() < 0.005);
}

/// Reads scale with the followers and writes do not (S2-9): closed loops show the capacity, which is where `explain` says.
#[test]
fn a_closed_loop_finds_the_capacity_that_is_said() {
    let full = "{closed: {users: 200, think: 0s}}";
    for (replicas, reads) in [(1, 2000.0), (3, 6000.0)] {
        let database = format!("read_from: replica, replication: {{replicas: {replicas}, lag: 50ms}}");
        let result = simulated(&scenario(full, full, &database));
        let per_s = |workload: &str| result.workloads[workload].goodput;
        assert!((per_s("w") / 2000.0 - 1.0).abs() < 0.02, "{}", per_s("w"));
        assert!((per_s("r") / reads - 1.0).abs() < 0.05, "{} with {replicas} followers", per_s("r"));
    }
}

/// A write waits for the fastest, the slowest or enough of the followers; the connection is held meanwhile.
#[test]
fn writes_that_wait_for_copies_take_as_long_as_is_said() {
    // Of three exponential lags of mean 60 ms, the fastest takes 60/3, the second 60/3 + 60/2, the slowest 60/3 + 60/2 + 60.
    for (mode, waits_s) in [("semi_sync", 0.02), ("{quorum: {write: 3}}", 0.05), ("sync", 0.11), ("async", 0.0)] {
        let database = format!("replication: {{replicas: 3, lag: {{exp: 60ms}}, mode: {mode}}}");
        let scenario = scenario("{poisson: 30/s}", "{poisson: 30/s}", &database);
        let explained = explained(&scenario);
        let said = explained.workloads["w"].latency_s;
        assert!((said / (0.005 + waits_s) - 1.0).abs() < 0.02, "{mode}: {said}");
        let [(_, share, _)] = &limits(&explained)[..] else { panic!("one limit") };
        assert!((share - 30.0 * (0.010 + waits_s) / 10.0).abs() < 0.002, "{mode}: {share}");
        let result = simulated(&scenario);
        let latency = result.workloads["w"].latency.mean_s.expect("there were some");
        assert!((latency / said - 1.0).abs() < 0.1, "{mode}: {latency} instead of {said}");
        let held = result.components["db"].utilization.expect("there are connections") * 4.0;
        assert!((held - share).abs() < 0.02, "{mode}: {held} instead of {share}");
    }
}

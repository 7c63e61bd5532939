//! Databases of several nodes: what followers have, whom reads ask, what a failover loses, with figures derived by hand.

use lab::result::RunResult;

use crate::harness::{load, run_loaded};
use crate::kinds::refused;

/// Clients that write one key at 2/s and read it at 100/s, and a database that takes next to no time.
fn scenario(database: &str, more: &str) -> String {
    format!(
        "version: 1
run: {{duration: 1000s, warmup: 10s}}
workloads:
  w: {{arrivals: {{poisson: 2/s}}, requests: [{{op: write, key: {{constant: 1}}}}], call: db}}
  r: {{arrivals: {{poisson: 100/s}}, requests: [{{op: read, key: {{constant: 1}}}}], call: db}}
components:
  db: {{kind: database, operations: {{default: 10us}}, write_ops: [write], {database}}}
{more}"
    )
}

fn run(database: &str, more: &str, seed: u64) -> RunResult {
    run_loaded(&load(&scenario(database, more)), seed)
}

fn own(result: &RunResult, figure: &str) -> f64 {
    result.components["db"].own[figure]
}

/// Asserts that the mean over seeds is as expected.
fn assert_mean(database: &str, figure: &str, expected: f64, within: f64) {
    let found: f64 = (1..=8).map(|seed| own(&run(database, "", seed), figure)).sum::<f64>() / 8.0;
    assert!((found - expected).abs() <= within * expected, "{database}: {figure} is {found} instead of {expected}");
}

/// A key that is written at rate w is stale at a follower that is L behind with probability 1 − e^(−w·L), and where each write
/// becomes visible by itself after an exponential time of mean m with probability w/(w + 1/m).
#[test]
fn reads_from_followers_are_as_stale_as_theory_says() {
    let of = |lag: &str| format!("read_from: replica, replication: {{replicas: 2, lag: {lag}}}");
    // 2000 writes a seed: the standard error of the mean over 8 seeds is below 1 %.
    assert_mean(&of("200ms"), "stale_share", 1.0 - (-2.0_f64 * 0.2).exp(), 0.03);
    assert_mean(&of("{exp: 200ms}"), "stale_share", 2.0 / (2.0 + 5.0), 0.03);
    // The age of what is stale goes up to the lag; a read that is stale is so at a uniform instant of that.
    let result = run(&of("200ms"), "", 1);
    assert!(own(&result, "stale_age.max") < 0.2 + 1e-3, "{:?}", result.components["db"].own);
    assert_eq!(own(&result, "leader_reads"), 0.0);
    assert_eq!(own(&result, "lost_writes"), 0.0);
    assert!((own(&result, "lag.mean") - 0.2).abs() < 1e-3);
}

#[test]
fn reads_from_the_leader_are_never_stale_while_it_lives() {
    for seed in 1..=8 {
        let result = run("replication: {replicas: 2, lag: 500ms}", "", seed);
        assert_eq!((own(&result, "stale_reads"), own(&result, "leader_reads")), (0.0, 1.0));
        assert!(own(&result, "reads") > 90_000.0);
    }
}

#[test]
fn what_is_said_of_several_nodes_must_make_sense() {
    for (database, told) in [
        ("read_from: replica", "there is only one copy of the data"),
        ("replication: {replicas: 2}", "how far do the followers lag behind?"),
        ("replication: {replicas: 2, lag: 1ms, apply: 1ms}", "mutually exclusive"),
        ("replication: {replicas: 2, lag: 1ms}, read_from: quorum", "needs a quorum"),
        ("replication: {replicas: 2, lag: 1ms, mode: {quorum: {write: 4}}}", "there are only 3 nodes"),
        ("replication: {replicas: 2, lag: 1ms, mode: {quorum: {write: 2, read: 2}}}", "need each other"),
        ("replication: {replicas: 2, lag: 1ms}, consistency: strong", "needs a mode in which"),
        ("replication: {replicas: 2, lag: 1ms}, consistency: causal", "reads from followers"),
        (
            "replication: {replicas: 2, lag: 1ms, mode: sync}, read_from: replica, consistency: strong",
            "cannot know the newest write",
        ),
        (
            "replication: {replicas: 2, lag: 1ms, mode: {quorum: {write: 1, read: 2}}}, read_from: quorum, consistency: strong",
            "quorums that meet",
        ),
    ] {
        let problems = refused(&scenario(database, ""));
        assert!(problems.iter().any(|problem| problem.contains(told)), "{database}: {problems:?}");
    }
    let plain = scenario("replication: {replicas: 2, lag: 1ms}", "");
    let problems = refused(&plain.replace("write_ops: [write], ", ""));
    assert_eq!(problems, ["`replication` needs to know which operations write"]);
}

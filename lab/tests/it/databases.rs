//! Databases of several nodes: what followers have, whom reads ask, what a failover loses, with figures derived by hand.

use lab::result::RunResult;
use rayon::prelude::*;

use crate::harness::{load, load_variant, run_loaded};
use crate::kinds::refused;

/// Clients that write one key at 2/s and read it at 20/s, and a database that takes next to no time.
fn scenario(database: &str, more: &str) -> String {
    format!(
        "version: 1
run: {{duration: 500s, warmup: 10s}}
workloads:
  w: {{arrivals: {{poisson: 2/s}}, requests: [{{op: write, key: {{constant: 1}}}}], call: db}}
  r: {{arrivals: {{poisson: 20/s}}, requests: [{{op: read, key: {{constant: 1}}}}], call: db}}
components:
  db: {{kind: database, operations: {{default: 10us}}, write_ops: [write], {database}}}
{more}"
    )
}

fn run(database: &str, more: &str, seed: u64) -> RunResult {
    run_loaded(&load(&scenario(database, more)), seed)
}

fn own(result: &RunResult, figure: &str) -> f64 {
    result.components["db"].own.value(figure).unwrap_or_else(|| panic!("there is no {figure}"))
}

/// What a figure is for each of eight seeds.
fn over_seeds<T: Send>(of: impl Fn(u64) -> T + Sync + Send) -> Vec<T> {
    (1..=8_u64).into_par_iter().map(of).collect()
}

/// Asserts that the mean over seeds is as expected.
fn assert_mean(database: &str, figure: &str, expected: f64, within: f64) {
    let found: f64 = over_seeds(|seed| own(&run(database, "", seed), figure)).iter().sum::<f64>() / 8.0;
    assert!((found - expected).abs() <= within * expected, "{database}: {figure} is {found} instead of {expected}");
}

/// A key that is written at rate w is stale at a follower that is L behind with probability 1 − e^(−w·L), and where each write
/// becomes visible by itself after an exponential time of mean m with probability w/(w + 1/m).
#[test]
fn reads_from_followers_are_as_stale_as_theory_says() {
    let of = |lag: &str| format!("read_from: replica, replication: {{replicas: 2, lag: {lag}}}");
    // 1000 writes a seed: the standard error of the mean over 8 seeds is about 1.5 %.
    assert_mean(&of("200ms"), "stale_share", 1.0 - (-2.0_f64 * 0.2).exp(), 0.05);
    assert_mean(&of("{exp: 200ms}"), "stale_share", 2.0 / (2.0 + 5.0), 0.05);
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
        assert!(own(&result, "reads") > 9_000.0);
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

/// A follower that applies 100/s writes is a queue: M/M/1 at 50/s, so that a write is 1/(100 − 50) = 20 ms behind; and at 150/s it falls
/// behind by 50 writes a second.
#[test]
fn a_follower_that_applies_more_slowly_than_is_written_falls_behind() {
    let of = |rate: &str, seed: u64| {
        let replication = "read_from: replica, replication: {replicas: 2, apply: {exp: 10ms}}";
        let yaml = scenario(replication, "").replace("poisson: 2/s", rate).replace("duration: 500s", "duration: 200s");
        run_loaded(&load(&yaml), seed)
    };
    let lags = over_seeds(|seed| own(&of("poisson: 50/s", seed), "lag.mean"));
    let mean = lags.iter().sum::<f64>() / 8.0;
    assert!((mean / 0.020 - 1.0).abs() < 0.05, "{lags:?}");
    for behind in over_seeds(|seed| own(&of("poisson: 150/s", seed), "behind")) {
        // Two followers, 210 s with the warm-up; the standard deviation of each is sqrt(250·210) = 230.
        assert!((behind / 2.0 - 50.0 * 210.0).abs() < 1000.0, "{behind}");
    }
}

/// While a write is at W of N nodes, a read that asks R of them misses it with probability C(N − W, R)/C(N, R).
#[test]
fn quorums_that_do_not_meet_miss_as_often_as_theory_says() {
    for (read, misses) in [(1, 4.0 / 5.0), (2, 6.0 / 10.0), (3, 4.0 / 10.0), (5, 0.0)] {
        let database = format!(
            "read_from: quorum, replication: {{replicas: 4, lag: 200ms, mode: {{quorum: {{write: 1, read: {read}}}}}}}"
        );
        let expected = (1.0 - (-2.0_f64 * 0.2).exp()) * misses;
        assert_mean(&database, "stale_share", expected, 0.05);
    }
    // W = 2 of 3: acknowledged when the faster follower has it. R + W > N meets, and R = 1 may miss.
    let of = |read: u32| {
        format!(
            "read_from: quorum, replication: {{replicas: 2, lag: {{exp: 200ms}}, mode: {{quorum: {{write: 2, read: {read}}}}}}}"
        )
    };
    for seed in 1..=8 {
        assert_eq!(own(&run(&of(2), "", seed), "stale_reads"), 0.0);
    }
    // One of three nodes is without it for an exponential time of mean 200 ms after it was acknowledged.
    assert_mean(&of(1), "stale_share", 2.0 / (2.0 + 5.0) / 3.0, 0.05);
}

const FAILOVER: &str = "faults: [{at: 100s, for: 60s, leader_failover: db}]\n";

/// The newest writes of the leader are lost where nobody waits for a copy: as many as come in a lag. Meanwhile, for detection and election,
/// nothing can be written.
#[test]
fn a_failover_loses_what_the_mode_allows() {
    let lost = |mode: &str, seed: u64| -> (f64, f64) {
        let replication = format!(
            "replication: {{replicas: 2, lag: 200ms, mode: {mode}}}, failover: {{detect: 10s, elect: 5s}}, read_from: leader"
        );
        let yaml = scenario(&replication, FAILOVER)
            .replace("poisson: 2/s", "poisson: 50/s")
            .replace("duration: 500s", "duration: 200s");
        let result = run_loaded(&load(&yaml), seed);
        let unavailable = result.workloads["w"].outcomes.get("unavailable").copied().unwrap_or(0) as f64;
        assert_eq!(result.components["db"].replicas, 3);
        (own(&result, "lost_writes"), unavailable)
    };
    let results = over_seeds(|seed| lost("async", seed));
    // Poisson of mean 10 each.
    let mean = results.iter().map(|(lost, _)| lost).sum::<f64>() / 8.0;
    assert!((mean - 10.0).abs() < 4.0, "{results:?}");
    assert!(results.iter().all(|(_, refused)| (refused - 750.0).abs() < 150.0), "{results:?}");
    // Where all must have a write, there is none until the old leader is back.
    for (mode, expected) in [("semi_sync", 750.0), ("sync", 3000.0), ("{quorum: {write: 2}}", 750.0)] {
        for (lost, refused) in over_seeds(|seed| lost(mode, seed)) {
            assert_eq!(lost, 0.0, "{mode}");
            assert!((refused - expected).abs() < 0.2 * expected, "{mode}: {refused}");
        }
    }
}

/// What was lost is missed by reads of the new leader until it is written again; where the old leader comes back in time nothing is lost.
#[test]
fn a_leader_that_comes_back_before_it_is_missed_loses_nothing() {
    let of = |lasts: &str, seed: u64| {
        let replication =
            "replication: {replicas: 2, lag: 2s}, failover: {detect: 10s, elect: 5s, lease: 20s}, read_from: leader";
        let faults = format!("faults: [{{at: 100s, for: {lasts}, leader_failover: db}}]\n");
        run_loaded(&load(&scenario(replication, &faults).replace("500s", "200s")), seed)
    };
    for seed in 1..=8 {
        let short = of("9s", seed);
        assert_eq!((own(&short, "lost_writes"), own(&short, "stale_reads")), (0.0, 0.0));
        // It is noticed that it is gone, and there when the election comes.
        let back = of("12s", seed);
        assert_eq!((own(&back, "lost_writes"), own(&back, "stale_reads")), (0.0, 0.0));
    }
    let (lost, stale) = over_seeds(|seed| of("60s", seed)).iter().fold((0.0, 0.0), |(lost, stale), result| {
        (lost + own(result, "lost_writes"), stale + own(result, "stale_reads"))
    });
    // 4 writes in 2 s each; until the next write, half a second later, 10 reads miss the last of them.
    assert!((10.0..60.0).contains(&lost) && stale > 20.0, "{lost} lost, {stale} stale");
}

/// Whatever happens, a strong read shows the newest acknowledged write or fails.
#[test]
fn strong_reads_are_never_stale_under_any_fault() {
    let modes = [
        "mode: sync}, read_from: leader",
        "mode: {quorum: {write: 2}}}, read_from: leader",
        "mode: {quorum: {write: 2, read: 2}}}, read_from: quorum",
        "mode: {quorum: {write: 3, read: 1}}}, read_from: quorum",
    ];
    let faults = [
        "leader_failover: db",
        "kill: {component: db, replicas: 1}",
        "kill: {component: db, replicas: 2}",
        "kill: {component: db}",
        "pause: {component: db, replica: 0}",
        "pause: db",
        "slow: {component: db, factor: 1000}",
        "replica_lag: {component: db, lag: 2s}",
        "partition: {between: [w, db]}",
        "errors: {component: db, fraction: 50%, outcome: error}",
    ];
    let mut runs = Vec::new();
    for (nth, mode) in modes.iter().enumerate() {
        for follows in ["lag: {exp: 100ms}", "apply: {exp: 5ms}"] {
            for (other, fault) in faults.iter().enumerate() {
                let second = faults[(3 * other + nth) % faults.len()];
                let database = format!(
                    "consistency: strong, replication: {{replicas: 2, {follows}, {mode}, failover: {{detect: 2s, elect: 1s}}"
                );
                let more = format!("faults: [{{at: 3s, for: 8s, {fault}}}, {{at: 5s, for: 9s, {second}}}]\n");
                let yaml = scenario(&database, &more).replace("500s, warmup: 10s", "18s, warmup: 1s");
                let yaml = yaml.replace("constant: 1", "uniform: {keys: 3}").replace("poisson: 2/s", "poisson: 40/s");
                let yaml =
                    yaml.replace("poisson: 20/s", "poisson: 60/s").replace("call: db", "call: {to: db, timeout: 1s}");
                runs.extend((1..=4).map(|seed| (yaml.clone(), seed)));
            }
        }
    }
    let unavailable = runs.into_par_iter().map(|(yaml, seed)| {
        let result = run_loaded(&load(&yaml), seed);
        assert_eq!(own(&result, "stale_reads"), 0.0, "seed {seed}: {yaml}");
        assert_eq!(own(&result, "lost_writes"), 0.0, "seed {seed}: {yaml}");
        assert!(own(&result, "reads") > 0.0 && own(&result, "writes") > 0.0, "seed {seed}: {yaml}");
        result.workloads["r"].outcomes.get("unavailable").copied().unwrap_or(0)
    });
    assert!(unavailable.sum::<u64>() > 1000, "it cannot always prove that it knows the newest");
}

/// Ten users who read three times a second and write every tenth time.
fn users(database: &str, seed: u64) -> RunResult {
    let yaml = format!(
        "version: 1
run: {{duration: 200s, warmup: 10s}}
workloads:
  u:
    arrivals: {{closed: {{users: 10, think: {{exp: 300ms}}}}}}
    requests:
      - {{op: read, weight: 9, key: {{uniform: {{keys: 5}}}}}}
      - {{op: write, weight: 1, key: {{uniform: {{keys: 5}}}}}}
    call: db
components:
  db: {{kind: database, operations: {{default: 1ms}}, write_ops: [write], read_from: replica, {database}}}
"
    );
    run_loaded(&load(&yaml), seed)
}

/// Each consistency keeps its own promise; without any, all are broken.
#[test]
fn each_client_sees_what_it_is_promised() {
    let promises = ["read_your_writes", "monotonic", "causal"];
    let broken = |consistency: &str, partitions: &str| -> Vec<[f64; 3]> {
        let database =
            format!("consistency: {consistency}, replication: {{replicas: 3, lag: {{exp: 1s}}}}{partitions}");
        over_seeds(|seed| {
            let result = users(&database, seed);
            assert!(own(&result, "stale_reads") > 0.0, "{consistency}");
            promises.map(|promise| own(&result, &format!("violations.{promise}")))
        })
    };
    for partitions in ["", ", partitions: 3"] {
        let found = broken("eventual", partitions);
        assert!(found.iter().flatten().all(|count| *count > 0.0), "{found:?}");
        for (consistency, kept) in [
            ("{read_your_writes: token}", [0].as_slice()),
            ("monotonic", [1].as_slice()),
            ("causal", [0, 1, 2].as_slice()),
        ] {
            let found = broken(consistency, partitions);
            let is_kept = |found: &[f64; 3]| kept.iter().all(|promise| found[*promise] == 0.0);
            assert!(found.iter().all(is_kept), "{consistency}{partitions}: {found:?}");
        }
    }
}

/// For w after each of its writes a user is answered by the leader: a user who writes at rate r reads there with probability
/// 1 − e^(−r·w), and never misses its own writes if w is longer than the lag.
#[test]
fn a_window_pins_the_readers_of_their_own_writes() {
    for (window, expected) in [("5s", 1.0 - (-5.0_f64 / 3.01).exp()), ("1s", 1.0 - (-1.0_f64 / 3.01).exp())] {
        let database = format!(
            "consistency: {{read_your_writes: {{window: {window}}}}}, replication: {{replicas: 2, lag: 500ms}}"
        );
        let results = over_seeds(|seed| users(&database, seed));
        assert!(results.iter().all(|result| own(result, "violations.read_your_writes") == 0.0));
        let share = results.iter().map(|result| own(result, "leader_reads")).sum::<f64>() / 8.0;
        assert!((share / expected - 1.0).abs() < 0.05, "{window}: {share} instead of {expected}");
    }
}

/// A key that gets 80 % of the load is in one partition, with a part of the rest: that is full at 1/(0.8 + 0.2/P) times what one node serves,
/// which is 1.25 times for large P (S2-32). Salted over k keys, each has 0.8/k.
#[test]
fn a_hot_partition_bounds_the_whole() {
    let of = |partitions: &str, users: u32, seed: u64| {
        let yaml = format!(
            "version: 1
run: {{duration: 20s, warmup: 5s}}
workloads:
  w:
    arrivals: {{closed: {{users: {users}, think: 0s}}}}
    requests: [{{key: {{hot: {{keys: 10k, hot_keys: 1, hot_share: 80%}}}}}}]
    call: db
components:
  db: {{kind: database, connections: 5, operations: {{default: 20ms}}, partitions: {partitions}}}
"
        );
        run_loaded(&load(&yaml), seed)
    };
    // A node serves 5 ÷ 20 ms = 250/s.
    let per_s = |partitions: &str| over_seeds(|seed| of(partitions, 200, seed).workloads["w"].goodput);
    for partitions in [4, 10] {
        let expected = 250.0 / (0.8 + 0.2 / f64::from(partitions));
        for goodput in per_s(&partitions.to_string()) {
            assert!((goodput / expected - 1.0).abs() < 0.03, "{partitions}: {goodput}");
        }
    }
    let salted = per_s("{count: 10, salt: 1000}");
    assert!(salted.iter().all(|goodput| (1800.0..=2500.0).contains(goodput)), "{salted:?}");
    assert_eq!(of("10", 1, 1).components["db"].replicas, 10);
}

/// A variant of a scenario that is built in, for each of eight seeds.
fn shipped(name: &str, variant: &str) -> Vec<RunResult> {
    let text = language::builtin::text(name).expect("it is built in");
    let loaded = load_variant(text, Some(variant));
    over_seeds(|seed| run_loaded(&loaded, seed))
}

/// Reads scale with the followers that answer them (S2-9); the leader is left with the 5 % that write (S2-15).
#[test]
fn read_replicas_multiply_reads() {
    for (variant, expected) in [("leader", 1000.0), ("two-followers", 2000.0 / 0.95), ("four-followers", 4000.0 / 0.95)]
    {
        for result in shipped("read-replicas", variant) {
            let goodput = result.workloads["app"].goodput;
            assert!((goodput / expected - 1.0).abs() < 0.03, "{variant}: {goodput} instead of {expected}");
            assert_eq!(own(&result, "leader_reads"), if variant == "leader" { 1.0 } else { 0.0 });
        }
    }
}

/// The leader answers 1 − e^(−0.01) of the reads (S2-16); nobody misses what it wrote, as some do without.
#[test]
fn pinning_writers_for_five_seconds_costs_one_percent_of_the_reads() {
    let results = shipped("read-your-writes", "pinned");
    let share = results.iter().map(|result| own(result, "leader_reads")).sum::<f64>() / 8.0;
    // 400 of 40,000 reads a seed: a standard error of 1.8 % over 8 seeds, and more since one writer's reads come together.
    assert!((share / 0.00995 - 1.0).abs() < 0.08, "{share}");
    let violations = |results: &[RunResult]| -> Vec<f64> {
        results.iter().map(|result| own(result, "violations.read_your_writes")).collect()
    };
    assert_eq!(violations(&results), [0.0; 8]);
    let token = shipped("read-your-writes", "token");
    assert_eq!(violations(&token), [0.0; 8]);
    assert!(token.iter().all(|result| own(result, "leader_reads") < 0.003));
    assert!(violations(&shipped("read-your-writes", "eventual")).iter().all(|count| *count > 0.0));
}

/// Of each level what it promises, and what it does not (S2-14).
#[test]
fn stale_reads_are_what_each_level_allows() {
    let violations = |result: &RunResult| {
        ["read_your_writes", "monotonic", "causal"].map(|of| own(result, &format!("violations.{of}")))
    };
    // What is caused by something else is missed too rarely to be counted on.
    let mut broken = [0.0; 2];
    for result in shipped("stale-reads", "eventual") {
        let share = own(&result, "stale_share");
        assert!((share - 0.0476).abs() < 0.012, "{share}");
        broken.iter_mut().zip(violations(&result)).for_each(|(sum, count)| *sum += count);
    }
    assert!(broken.iter().all(|count| *count > 0.0), "{broken:?}");
    for result in shipped("stale-reads", "causal") {
        assert_eq!(violations(&result), [0.0; 3]);
        assert!(own(&result, "stale_share") > 0.0 && own(&result, "leader_reads") > 0.04);
    }
    for result in shipped("stale-reads", "strong") {
        // A write that is not acknowledged yet may be seen by one read and not by the next.
        assert_eq!(own(&result, "stale_reads"), 0.0);
    }
}

/// 50/s for 200 ms are lost without copies, and none with (B8).
#[test]
fn a_failover_of_the_shipped_scenario_loses_what_its_comment_says() {
    let lost = |variant: &str| -> Vec<f64> {
        shipped("leader-failover", variant).iter().map(|result| own(result, "lost_writes")).collect()
    };
    let without = lost("async");
    assert!((without.iter().sum::<f64>() / 8.0 - 10.0).abs() < 4.0, "{without:?}");
    for variant in ["semi-sync", "quorum", "sync"] {
        assert_eq!(lost(variant), [0.0; 8], "{variant}");
    }
}

#[test]
fn the_shipped_hot_partition_is_full_when_its_comment_says() {
    for (variant, low, high) in [("hot", 295.0, 315.0), ("even", 1800.0, 2500.0), ("salted", 1800.0, 2500.0)] {
        for result in shipped("hot-partition", variant) {
            let goodput = result.workloads["app"].goodput;
            assert!((low..=high).contains(&goodput), "{variant}: {goodput}");
        }
    }
}

//! Caches under reads and writes, and their answers when the callee behind them fails.

use std::collections::BTreeMap;
use std::fmt::Write;

use sim_core::random::Stream;

use crate::kinds::{refused, run};

fn scenario(cache: &str, workloads: &str) -> String {
    format!(
        "version: 1
run: {{duration: 20s, warmup: 2s}}
workloads:
{workloads}
components:
  c: {{kind: cache, {cache}}}
  db: {{kind: database, connections: 100, operations: {{default: 5ms}}}}
"
    )
}

const READERS: &str =
    "  r: {arrivals: {poisson: 500/s}, requests: [{op: read, key: {uniform: {keys: 50}}}], call: c}\n";
const WRITERS: &str =
    "  w: {arrivals: {poisson: 100/s}, requests: [{op: write, key: {uniform: {keys: 50}}}], call: c}\n";

#[test]
fn writes_arrive_and_make_what_was_remembered_be_forgotten() {
    let both = format!("{READERS}{WRITERS}");
    for ops in ["write_ops: [write]", "read_ops: [read], write_ops: [write]"] {
        let result = run(&scenario(&format!("to: db, capacity: 100, ttl: 60s, {ops}"), &both));
        let own = &result.components["c"].own;
        let writes = result.workloads["w"].sent as f64;
        assert_eq!(own["writes"], writes, "{ops}");
        assert!((result.components["db"].arrivals as f64 - writes - own["misses"]).abs() < 3.0, "{ops}");
        assert!((own["hits"] + own["misses"] - result.workloads["r"].sent as f64).abs() < 3.0, "{ops}");
        // A read misses if the last event of its key was a write, 1 in 6, or if the key is being fetched again: for a Poisson
        // process, that is a share of (w + w·r·5 ms)/(r + w), with r = 10/s and w = 2/s.
        let expected = (2.0 + 2.0 * 10.0 * 0.005) / 12.0;
        let missed = 1.0 - own["hit_ratio"];
        assert!((missed - expected).abs() < 0.02, "{ops}: {missed} instead of {expected}");
    }
    // Operations in neither list bypass the cache, and entries stay.
    let result = run(&scenario("to: db, capacity: 100, read_ops: [read]", &both));
    let own = &result.components["c"].own;
    assert!(own["misses"] < 60.0 && own.get("writes").is_none(), "{own:?}");
    assert!(result.components["db"].arrivals >= result.workloads["w"].sent);
    // A single operation counts as a read, whatever its name.
    let result = run(&scenario("to: db, capacity: 100", WRITERS));
    assert!(result.components["c"].own["hit_ratio"] > 0.9);
}

#[test]
fn a_cache_must_know_what_reads_and_what_writes() {
    let both = format!("{READERS}{WRITERS}");
    let of = |ops: &str, workloads: &str| refused(&scenario(&format!("to: db, capacity: 100{ops}"), workloads));
    let [message] = of("", &both).try_into().expect("one problem");
    assert!(message.contains("which of them read") && message.contains("`write`"), "{message}");
    assert_eq!(of(", write_ops: [wirte]", &both), ["no operation is called `wirte`"]);
    assert_eq!(of(", read_ops: [read, write], write_ops: [write]", &both), ["`write` cannot both read and write"]);
}

/// Single requests at distinct instants, before a database that takes 3 ms, compared with a naive cache: the entries with
/// their expiry, the fetches under way, and a scan of all events in chronological order.
#[test]
fn reads_and_writes_agree_with_a_scan() {
    for seed in 0..150 {
        let mut stream = Stream::named(seed, "reads and writes");
        let ttl_ms = [8, 1000][stream.below(2) as usize];
        let mut workloads = String::new();
        let mut requests = Vec::new();
        let mut at_us = 0;
        for nth in 0..30 {
            at_us += 1 + stream.below(4_000);
            // Include each operation at least once.
            let op = ["get", "list", "put", "ping"][if nth < 4 { nth } else { stream.below(4) as usize }];
            let key = 1 + stream.below(3);
            // Some callers give up before the database answers; then nothing is written back.
            let gives_up = stream.below(5) == 0;
            let timeout = if gives_up { ", timeout: 1ms" } else { "" };
            writeln!(
                workloads,
                "  r{nth}: {{arrivals: {{once: {{count: 1, at: {at_us}us}}}}, requests: [{{op: {op}, key: {{constant: {key}}}}}], call: {{to: c{timeout}}}}}"
            )
            .expect("text");
            requests.push((at_us, op, key, gives_up));
        }
        let result = run(&format!(
            "version: 1
run: {{until: idle}}
workloads:
{workloads}
components:
  c: {{kind: cache, to: db, capacity: 100, ttl: {ttl_ms}ms, read_ops: [get, list], write_ops: [put]}}
  db: {{kind: database, operations: {{default: 3ms}}}}
"
        ));
        let ttl_us = ttl_ms * 1_000;
        let mut kept: BTreeMap<(&str, u64), u64> = BTreeMap::new();
        // The answers of the database in order: instant, operation, key, and whether a caller still wants it.
        let mut answers: Vec<(u64, &str, u64, bool)> = Vec::new();
        let (mut hits, mut misses, mut writes) = (0, 0, 0);
        let settle = |until: u64, answers: &mut Vec<(u64, &'static str, u64, bool)>, kept: &mut BTreeMap<_, _>| {
            answers.retain(|(at, op, key, wanted)| {
                if *at > until {
                    return true;
                }
                match *op {
                    "put" => kept.retain(|(_, of), _| of != key),
                    "ping" => {}
                    read if *wanted => drop(kept.insert((read, *key), at + ttl_us)),
                    _ => {}
                }
                false
            });
        };
        for (nth, (at, op, key, gives_up)) in requests.into_iter().enumerate() {
            settle(at, &mut answers, &mut kept);
            let is_read = matches!(op, "get" | "list");
            let hit = is_read && kept.get(&(op, key)).is_some_and(|expires| *expires > at);
            hits += u64::from(hit);
            misses += u64::from(is_read && !hit);
            writes += u64::from(op == "put");
            if !hit {
                answers.push((at + 3_000, op, key, !gives_up));
            }
            let w = &result.workloads[format!("r{nth}").as_str()];
            let expected = if hit || !gives_up { "ok" } else { "timeout" };
            assert_eq!(w.outcomes.get(expected), Some(&1), "seed {seed}, request {nth}");
            let took_s = if hit {
                0.0
            } else if gives_up {
                0.001
            } else {
                0.003
            };
            let latency = if expected == "ok" { &w.latency } else { &w.latency_failed };
            assert_eq!(latency.max_s, Some(took_s), "seed {seed}, request {nth}");
        }
        let own = &result.components["c"].own;
        let found = [own["hits"], own["misses"], own["writes"]].map(|count| count as u64);
        assert_eq!(found, [hits, misses, writes], "seed {seed}");
    }
}

/// The policies of a component's own link are not those of its callers: an outcome of its timeout, breaker or pool is not
/// reported as the callers' own, and the first cause is kept.
#[test]
fn what_the_link_behind_does_is_not_the_callers_own() {
    for front in ["kind: cache, capacity: 10", "kind: load_balancer"] {
        for (policy, cause) in [
            ("timeout: 2ms", "timeout"),
            ("total_timeout: 2ms", "timeout"),
            ("pool: {size: 1, acquire_timeout: 1ms}", "pool_timeout"),
            ("timeout: 2ms, breaker: {consecutive: 1}", "breaker_open"),
        ] {
            let result = run(&format!(
                "version: 1
run: {{duration: 1s}}
workloads:
  w: {{arrivals: {{constant: 500/s}}, requests: [{{key: {{sequential: {{keys: 1M}}}}}}], call: {{to: front, timeout: 500ms}}}}
components:
  front: {{{front}, to: {{to: db, {policy}}}}}
  db: {{kind: database, operations: {{default: 50ms}}}}
"
            ));
            let w = &result.workloads["w"];
            let failed = w.outcomes.get("unavailable").copied().unwrap_or(0);
            assert!(
                failed > 0 && w.outcomes.keys().all(|name| name == "ok" || name == "unavailable"),
                "{front} {policy}"
            );
            let at = |first: &&lab::result::FirstCause| first.outcome == cause;
            assert!(w.causes.iter().any(|first| at(&first)), "{front} {policy}: {:?}", w.causes);
            assert!(result.links["front"]["to"].outcomes.contains_key(cause), "{front} {policy}");
        }
    }
    // Outcomes of the callee are passed on unchanged.
    for outcome in ["error", "overload", "client_error", "rate_limited", "timeout", "reset"] {
        let result = run(&format!(
            "version: 1
run: {{duration: 1s}}
workloads:
  w: {{arrivals: {{constant: 50/s}}, requests: [{{key: {{constant: 1}}}}], call: front}}
components:
  front: {{kind: cache, capacity: 10, to: {{to: s, timeout: 500ms}}}}
  s: {{kind: service, runtime: unlimited, handlers: {{default: [{{fail: {{outcome: {outcome}}}}}]}}}}
"
        ));
        let expected = if outcome == "timeout" { "unavailable" } else { outcome };
        assert_eq!(result.workloads["w"].outcomes.keys().collect::<Vec<_>>(), [expected]);
    }
}

/// A cache keeps what it fetches for later callers: if only a caller further up has given up, the fetch is not wasted. If the
/// cache's own caller has given up, nothing is kept.
#[test]
fn a_fill_that_is_kept_is_not_wasted() {
    let of = |calls: &str| {
        let result = run(&format!(
            "version: 1
run: {{duration: 10s}}
workloads:
  first: {{arrivals: {{once: {{count: 1, at: 1s}}}}, requests: [{{key: {{constant: 1}}}}], call: {{to: api, timeout: 100ms}}}}
  later: {{arrivals: {{once: {{count: 5, at: 3s}}}}, requests: [{{key: {{constant: 1}}}}], call: api}}
components:
  api: {{kind: service, runtime: unlimited, calls: {{c: {calls}}}, handlers: {{default: [call: c]}}}}
  c: {{kind: cache, to: {{to: db, timeout: 5s}}, capacity: 10, coalesce: true}}
  db: {{kind: database, operations: {{default: 500ms}}}}
"
        ));
        (result.components["db"].wasted_work, result.components["c"].own["misses"])
    };
    assert_eq!(of("c"), (Some(0.0), 1.0));
    // The cache's caller gives up after 200 ms: the first fetch was wanted for 100 ms, and the one shared by the five later
    // requests for 200 ms.
    let (wasted, misses) = of("{to: c, timeout: 200ms}");
    assert_eq!(misses, 6.0);
    assert!((wasted.expect("it has worked") - (400.0 + 300.0) / 1000.0).abs() < 1e-9, "{wasted:?}");
}

/// Hit ratios of the popular keys and of all others. A cache that keeps just the popular ones hits all of those and none of the others; LRU hits as
/// Che's approximation says: an entry stays for T, where Σ(1 − e^(−pᵢT)) is the capacity.
#[test]
fn hot_and_cold_keys_hit_as_theory_says() {
    const KEYS: usize = 1000;
    const HOT: usize = 50;
    const CAPACITY: f64 = 100.0;
    let reads = format!(
        "  r: {{arrivals: {{poisson: 5000/s}}, requests: [{{key: {{zipf: {{keys: {KEYS}, s: 1}}}}}}], call: c}}\n"
    );
    let found = |cache: &str| {
        let result = run(&scenario(&format!("{cache}, hot_keys: {HOT}, to: db"), &reads));
        let own = &result.components["c"].own;
        [own["hit_ratio_hot"], own["hit_ratio_cold"], own["hit_ratio"]]
    };
    let [hot, cold, _] = found("capacity: 50, warm: 100%, eviction: static");
    assert_eq!((hot, cold), (1.0, 0.0));

    let sum: f64 = (1..=KEYS).map(|i| 1.0 / i as f64).sum();
    let p = |i: usize| 1.0 / (i as f64 * sum);
    let hits = |i: usize, t: f64| -libm::expm1(-p(i) * t);
    let (mut low, mut high) = (0.0, 1e7);
    for _ in 0..200 {
        let t = (low + high) / 2.0;
        if (1..=KEYS).map(|i| hits(i, t)).sum::<f64>() < CAPACITY { low = t } else { high = t }
    }
    let of = |keys: std::ops::RangeInclusive<usize>| {
        keys.clone().map(|i| p(i) * hits(i, low)).sum::<f64>() / keys.map(p).sum::<f64>()
    };
    let expected = [of(1..=HOT), of(HOT + 1..=KEYS), of(1..=KEYS)];
    for (found, expected) in found("capacity: 100, eviction: lru").into_iter().zip(expected) {
        assert!((found - expected).abs() < 0.01, "{found} for {expected}");
    }
    let messages = refused(&scenario("hit_ratio: 90%, hot_keys: 5, to: db", &reads));
    assert!(messages.iter().any(|message| message.contains("`hot_keys` has no effect")), "{messages:?}");
}

/// Entries that live for T hit λT/(1 + λT) of the reads of a key, λ a second: each operation by the rate of its own keys. As metrics, over time and
/// read back from JSON.
#[test]
fn each_operation_has_a_hit_ratio_of_its_own() {
    let result = run("version: 1
run: {duration: 60s, warmup: 5s, window: 5s}
workloads:
  a: {arrivals: {poisson: 500/s}, requests: [{op: page, key: {uniform: {keys: 50}}}], call: c}
  b: {arrivals: {poisson: 500/s}, requests: [{op: photo_s, key: {uniform: {keys: 500}}}], call: c}
components:
  c: {kind: cache, read_ops: [page, photo_s], capacity: 10k, ttl: 1s, to: db, instances: 2}
  db: {kind: database, connections: 1000, operations: {default: 10us}}
objectives:
  - {metric: components.c.hit_ratio_of.photo_s, above: 0.2, during: [10s, 60s]}
");
    // Each of two instances sees half of the rate.
    let own = &result.components["c"].own;
    for (op, rate) in [("page", 5.0), ("photo_s", 0.5)] {
        let found = own[&*format!("hit_ratio_of.{op}")];
        assert!((found - rate / (1.0 + rate)).abs() < 0.01, "{op}: {found}");
    }
    assert!(result.objectives[0].holds, "{:?}", result.objectives[0]);
    let over_time = &result.series.columns["components.c.hit_ratio_of.photo_s"];
    for (at_s, found) in result.series.at_s.iter().zip(over_time).filter(|(at_s, _)| **at_s >= 0.0) {
        let found = found.expect("there were reads");
        assert!((found - 1.0 / 3.0).abs() < 0.08, "{at_s} s: {found}");
    }
    let json = serde_json::to_string(&result).expect("plain data");
    let back: lab::result::RunResult = serde_json::from_str(&json).expect("it was just written");
    assert_eq!(back.components["c"].own, *own);
    // Where only one operation reads, it is the hit ratio of all.
    let one = run(&scenario("to: db, capacity: 100", READERS));
    assert!(one.components["c"].own.iter().all(|(name, _)| !name.starts_with("hit_ratio_of")));
}

/// Instances do not hear of each other's writes: one that has not passed a write on serves the old value until it forgets it. A balancer that goes by
/// key makes them shards, of which only one has the entry.
#[test]
fn a_write_is_heard_of_by_the_instance_that_passed_it_on() {
    let reads = |call: &str| {
        let result = run(&format!(
            "version: 1
run: {{duration: 6s}}
workloads:
  r: {{arrivals: {{constant: 100/s}}, requests: [{{op: read, key: {{constant: 7}}}}], call: {call}}}
  w: {{arrivals: {{once: {{count: 1, at: 3s}}}}, requests: [{{op: write, key: {{constant: 7}}}}], call: {call}}}
components:
  shards: {{kind: load_balancer, to: c, algorithm: ring_hash}}
  c: {{kind: cache, capacity: 10, write_ops: [write], to: db, instances: 4}}
  db: {{kind: database, operations: {{default: 100us}}}}
"
        ));
        result.components["db"].arrivals - 1
    };
    // Four instances fetch it, and after the write one of them does again.
    assert_eq!(reads("c"), 5);
    assert_eq!(reads("shards"), 2);
}

/// Copies hit as one cache of their size, shards as one cache of all their sizes together.
#[test]
fn shards_hit_as_one_cache_and_copies_as_each_alone() {
    let hits = |call: &str, instances: u32, capacity: u32| {
        let result = run(&format!(
            "version: 1
run: {{duration: 40s, warmup: 20s}}
workloads: {{r: {{arrivals: {{poisson: 2000/s}}, requests: [{{key: {{zipf: {{keys: 1000, s: 1}}}}}}], call: {call}}}}}
components:
  shards: {{kind: load_balancer, to: c, algorithm: {{ring_hash: {{min_size: 1024}}}}}}
  c: {{kind: cache, capacity: {capacity}, to: db, instances: {instances}}}
  db: {{kind: database, connections: 1000, operations: {{default: 10us}}}}
"
        ));
        result.components["c"].own["hit_ratio"]
    };
    let (whole, quarter) = (hits("c", 1, 200), hits("c", 1, 50));
    assert!(whole - quarter > 0.1, "{whole} {quarter}");
    let (sharded, copied) = (hits("shards", 4, 50), hits("c", 4, 50));
    assert!((sharded - whole).abs() < 0.03, "{sharded} for {whole}");
    assert!((copied - quarter).abs() < 0.01, "{copied} for {quarter}");
}

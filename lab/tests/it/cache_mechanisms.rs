//! What a cache does beside remembering: each mechanism in a network of two or three nodes, against what follows from it.

use lab::result::RunResult;

use crate::kinds::{refused, run};

/// One client of a cache before a database or service; `faults` too.
fn system(run: &str, workloads: &str, cache: &str, behind: &str, faults: &str) -> String {
    format!(
        "version: 1\nrun: {run}\nworkloads:\n{workloads}components:\n  c: {{kind: cache, {cache}}}\n  b: {{{behind}}}\nfaults: [{faults}]\n"
    )
}

fn steady(name: &str, rate: &str, op: &str, key: &str) -> String {
    format!("  {name}: {{arrivals: {rate}, requests: [{{op: {op}, key: {key}}}], call: c}}\n")
}

fn own(result: &RunResult, figure: &str) -> f64 {
    result.components["c"].own.value(figure).unwrap_or_else(|| panic!("{figure}: {:?}", result.components["c"].own))
}

const DB: &str = "kind: database, connections: 100000, operations: {default: 200ms}";

#[test]
fn a_share_of_the_reads_is_drawn_where_nothing_is_kept() {
    // 20,000 draws: a standard error of 0.0021; four of them fail once in 16,000 seeds.
    let workload = "  w: {arrivals: {poisson: 1000/s}, call: c}\n";
    let db = "kind: database, connections: 100, operations: {default: 5ms}";
    let result = run(&system("{duration: 20s}", workload, "to: b, hit_ratio: 90%, latency: 1ms", db, ""));
    assert!((own(&result, "hit_ratio") - 0.9).abs() < 0.0085, "{}", own(&result, "hit_ratio"));
    assert!((result.components["b"].arrivals as f64 - own(&result, "misses")).abs() < 3.0);
    assert_eq!(result.workloads["w"].latency.max_s, Some(0.006));
}

/// One key asked for every 400 ms that is good for 500 ms: every other read misses, or only the first if each use begins its
/// time anew.
#[test]
fn a_time_to_live_may_begin_anew_with_each_use() {
    let workload = steady("w", "{constant: 2.5/s}", "read", "{constant: 1}");
    let db = "kind: database, operations: {default: 1ms}";
    let of =
        |ttl: &str| run(&system("{duration: 40s}", &workload, &format!("to: b, capacity: 10, ttl: {ttl}"), db, ""));
    assert_eq!(own(&of("500ms"), "misses"), 50.0);
    assert_eq!(own(&of("{time: 500ms, sliding: true}"), "misses"), 1.0);
}

/// 1,000/s of one key that takes 200 ms to read and is good for 1 s, over 60 s. Each expiry costs 1 + 1000/s × 0.2 s = 201 calls; one if misses
/// share it, for which all wait; and one for which nobody waits if what has expired is served meanwhile.
#[test]
fn an_expiry_costs_a_herd_or_a_call_or_nobody_a_wait() {
    let workload = steady("w", "{constant: 1000/s}", "read", "{constant: 1}");
    let of = |more: &str| {
        run(&system("{duration: 60s, warmup: 5s}", &workload, &format!("to: b, capacity: 10, ttl: 1s{more}"), DB, ""))
    };
    // A cycle without sharing: 200 ms of misses, then 1 s from the last of those written back.
    let naive = of("");
    let cycles = 60.0 / (0.2 + 0.2 + 1.0);
    assert!(
        (naive.components["b"].arrivals as f64 / cycles / 201.0 - 1.0).abs() < 0.04,
        "{}",
        naive.components["b"].arrivals
    );
    let shared = of(", coalesce: true");
    assert!((shared.components["b"].arrivals as f64 - 60.0 / 1.2).abs() <= 1.0, "{}", shared.components["b"].arrivals);
    assert_eq!(shared.workloads["w"].latency.max_s, Some(0.2));
    let served = of(", stale_while_revalidate: 1s");
    assert!((served.components["b"].arrivals as f64 - 60.0 / 1.2).abs() <= 1.0, "{}", served.components["b"].arrivals);
    assert_eq!((served.workloads["w"].latency.max_s, own(&served, "misses")), (Some(0.0), 0.0));
    // 200 ms of each 1.2 s is served after expiry.
    assert!((own(&served, "expired_hits") / 10_000.0 - 1.0).abs() < 0.03, "{}", own(&served, "expired_hits"));
    let age = own(&served, "age");
    assert!((age - 0.6).abs() < 0.02, "uniform from 0 to 1.2 s, since the answer came: {age}");
}

/// After its window an expired entry is not served: a read every 3 s misses if it is good for 1 s and served for 1 s more.
#[test]
fn what_has_expired_for_too_long_is_not_served() {
    let workload = steady("w", "{constant: 20/min}", "read", "{constant: 1}");
    let of = |window: &str| {
        let cache = format!("to: b, capacity: 10, ttl: 1s, stale_while_revalidate: {window}");
        run(&system("{duration: 60s}", &workload, &cache, "kind: database, operations: {default: 10ms}", ""))
    };
    assert_eq!((own(&of("1s"), "misses"), own(&of("1s"), "expired_hits")), (19.0, 0.0));
    assert_eq!((own(&of("2500ms"), "misses"), own(&of("2500ms"), "expired_hits")), (1.0, 18.0));
}

/// What is behind fails from 10 s to 30 s. An entry that expires meanwhile is served for 5 s more, and not longer.
#[test]
fn what_has_expired_stands_in_for_failures_for_a_while() {
    let workload = steady("w", "{constant: 10/s}", "read", "{constant: 1}");
    let of = |more: &str| {
        let fault = "{at: 10050ms, for: 20s, errors: {component: b, fraction: 100%}}";
        let db = "kind: database, operations: {default: 1ms}";
        run(&system("{duration: 60s}", &workload, &format!("to: b, capacity: 10, ttl: 2s{more}"), db, fault))
    };
    let failed = |result: &RunResult| result.workloads["w"].outcomes.get("error").copied().unwrap_or(0);
    let (none, some) = (of(""), of(", stale_if_error: 5s"));
    assert!(failed(&none) > 150 && own(&some, "expired_on_error") > 0.0);
    // As many fewer as are asked for in the window.
    assert_eq!(failed(&none) - failed(&some), 50);
    assert_eq!(own(&some, "expired_on_error"), 50.0);
}

#[test]
fn that_there_is_nothing_is_remembered_for_a_while() {
    let workload = steady("w", "{constant: 10/s}", "read", "{constant: 1}");
    let service =
        "kind: service, runtime: unlimited, handlers: {default: [{wait: 1ms}, {fail: {outcome: client_error}}]}";
    let of =
        |more: &str| run(&system("{duration: 60s}", &workload, &format!("to: b, capacity: 10{more}"), service, ""));
    assert!((of("").components["b"].arrivals as f64 - 600.0).abs() <= 1.0);
    let result = of(", negative_ttl: 5s");
    assert_eq!(result.components["b"].arrivals, 12);
    assert_eq!(own(&result, "negative_hits"), own(&result, "hits"));
    assert_eq!(result.workloads["w"].outcomes.keys().collect::<Vec<_>>(), ["client_error"]);
}

/// A read at time-to-expiry x reads anew with probability e^(−x/βδ), so of reads that come at rate λ none does before expiry with
/// probability e^(−λβδ(1 − e^(−TTL/βδ))): 0.368 for λ = 5/s and δ = 200 ms. 400 keys for 200 s at cycles of about 2 s: some 40,000 cycles, a
/// standard error of 0.0025.
#[test]
fn entries_are_read_anew_early_as_often_as_the_formula_says() {
    let workload = steady("w", "{poisson: 2000/s}", "read", "{uniform: {keys: 400}}");
    let cache = "to: b, capacity: 1000, ttl: 2s, coalesce: true, early_expiry: {beta: 1}";
    let result = run(&system("{duration: 200s, warmup: 10s}", &workload, cache, DB, ""));
    let found = 1.0 - own(&result, "early") / result.components["b"].arrivals as f64;
    let expected = (-(1.0 - (-10.0f64).exp())).exp();
    assert!((found - expected).abs() < 0.012, "{found} instead of {expected}");
    // Nobody waits where what is there is served meanwhile.
    let result = run(&system(
        "{duration: 20s, warmup: 10s}",
        &workload,
        &format!("{cache}, stale_while_revalidate: 60s"),
        DB,
        "",
    ));
    assert_eq!(result.workloads["w"].latency.max_s, Some(0.0));
}

/// 100/s writes of different keys, passed on every second: a crash loses what came since the last flush, w·F/2 on average over the time of the
/// crash and never more than w·F.
#[test]
fn a_crash_loses_what_was_written_and_not_passed_on() {
    let workload = steady("w", "{constant: 100/s}", "write", "{sequential: {keys: 1M}}");
    let mut total = 0.0;
    for tenth in 0..10 {
        let fault = format!("{{at: {}ms, for: 500ms, kill: {{component: c}}}}", 3_050 + 100 * tenth);
        let cache = "to: b, capacity: 10k, write_ops: [write], mode: {behind: {flush: 1s}}, latency: 1ms";
        let db = "kind: database, connections: 1000, operations: {default: 2ms}";
        let result = run(&system("{duration: 10s}", &workload, cache, db, &fault));
        let lost = own(&result, "lost_writes");
        let expected = 100.0 * (0.05 + 0.1 * f64::from(tenth));
        assert!((lost - expected).abs() <= 2.0, "after {tenth}: {lost} instead of {expected}");
        let (writes, dirty) = (own(&result, "writes"), own(&result, "dirty"));
        assert!((result.components["b"].arrivals as f64 + lost + dirty - writes).abs() < 2.0);
        assert_eq!(result.workloads["w"].latency.max_s, Some(0.001));
        assert!(result.happenings.iter().any(|happening| happening.name == "cache_lost_writes"));
        total += lost;
    }
    assert!((total / 10.0 - 50.0).abs() < 2.0, "{total}");
}

#[test]
fn writes_of_the_same_key_are_passed_on_once_and_again_until_they_arrive() {
    let workload = steady("w", "{constant: 100/s}", "write", "{constant: 1}");
    let cache = "to: b, capacity: 10, write_ops: [write], mode: {behind: {flush: 1s}}";
    let db = "kind: database, operations: {default: 2ms}";
    let calm = run(&system("{duration: 10s}", &workload, cache, db, ""));
    assert_eq!((own(&calm, "flushed"), calm.components["b"].arrivals), (9.0, 9));
    // Of a hundred in each second 99 are replaced by the last.
    let (merged, dirty) = (own(&calm, "merged"), own(&calm, "dirty"));
    assert_eq!((merged + dirty + 9.0, dirty), (own(&calm, "writes"), 1.0), "{merged}");
    // What is behind fails until 4.1 s: what was written is sent until it arrives.
    let once = "  w: {arrivals: {once: {count: 5, at: 500ms}}, requests: [{op: write, key: {constant: 1}}], call: c}\n";
    let fault = "{at: 100ms, for: 4s, errors: {component: b, fraction: 100%}}";
    let left = |result: &RunResult| ["flushed", "dirty", "lost_writes"].map(|figure| own(result, figure));
    assert_eq!(left(&run(&system("{duration: 10s}", once, cache, db, fault))), [5.0, 0.0, 0.0]);
    // A run of finite work goes on until it is sent, but not for ever.
    assert_eq!(left(&run(&system("{until: idle}", once, cache, db, ""))), [1.0, 0.0, 0.0]);
    let fault = "{at: 100ms, errors: {component: b, fraction: 100%}}";
    assert_eq!(left(&run(&system("{until: idle}", once, cache, db, fault)))[1], 1.0);
}

/// A reader misses at 0 and has the old value at 10 ms; a writer is answered at 11 ms; both tell the cache 5 ms later … the reader, of
/// whom the cache hears at 15 ms if it takes 5 ms and the writer 1 ms, leaves the old value there for good. A token that the
/// write has voided keeps it out.
#[test]
fn a_late_fill_leaves_a_stale_value_unless_its_token_was_voided() {
    // The reader's answer takes 10 ms, the writer's 2 ms; the cache hears of each after a draw from 0 to 10 ms.
    let of = |seed: u32, more: &str| {
        run(&format!(
            "version: 1\nseed: {seed}\nrun: {{until: idle}}\nworkloads:
  reader: {{arrivals: {{once: {{count: 1, at: 100ms}}}}, requests: [{{op: get, key: {{constant: 1}}}}], call: c}}
  writer: {{arrivals: {{once: {{count: 1, at: 109ms}}}}, requests: [{{op: put, key: {{constant: 1}}}}], call: c}}
  later: {{arrivals: {{once: {{count: 1, at: 10s}}}}, requests: [{{op: get, key: {{constant: 1}}}}], call: c}}
components:
  c: {{kind: cache, to: b, capacity: 10, write_ops: [put], write_back: {{uniform: [0ms, 10ms]}}{more}}}
  b: {{kind: database, operations: {{get: 10ms, put: 2ms}}}}
"
        ))
    };
    let stale = |more: &str| (0..200).filter(|seed| own(&of(*seed, more), "stale_reads") > 0.0).count();
    // The answer of the read comes 1 ms before that of the write. It is heard of later with probability (9/10)²/2 = 0.405: 81 of 200, with a
    // standard deviation of 7.
    let without = stale("");
    assert!((50..=112).contains(&without), "{without}");
    assert_eq!(stale(", lease: {every: 10s}"), 0);
    // Updates that nobody orders: the value written comes second or first, and the old one stays if it came last.
    assert!((50..=112).contains(&stale(", on_write: update")));
}

#[test]
fn those_who_miss_wait_for_whoever_has_the_token() {
    let workload = steady("w", "{constant: 1000/s}", "read", "{constant: 1}");
    let of = |every: &str| {
        let cache = format!("to: b, capacity: 10, lease: {{every: {every}}}");
        run(&system("{duration: 2s}", &workload, &cache, DB, ""))
    };
    let long = of("10s");
    assert_eq!((long.components["b"].arrivals, own(&long, "coalesced"), own(&long, "voided")), (1, 199.0, 0.0));
    // After 50 ms another one gets a new token, and the value of the one before is not kept; as reading takes longer than that, none ever is.
    let short = of("50ms");
    assert!(own(&short, "voided") >= 3.0 && short.components["b"].arrivals >= 4, "{}", own(&short, "voided"));
}

/// Stale entries stay until they are evicted: the more room there is, the longer that takes.
#[test]
fn larger_caches_keep_stale_data_longer() {
    let workloads = steady("r", "{poisson: 1000/s}", "read", "{zipf: {keys: 10k, s: 0.9}}")
        + &steady("w", "{poisson: 100/s}", "write", "{zipf: {keys: 10k, s: 0.9}}");
    let db = "kind: database, connections: 1000, operations: {default: 2ms}";
    let of = |room: u32, on_write: &str| {
        let cache = format!("to: b, capacity: {room}, write_ops: [write], on_write: {on_write}");
        run(&system("{duration: 100s, warmup: 20s}", &workloads, &cache, db, ""))
    };
    let mut before = (0.0, 0.0);
    for room in [100, 1_000, 5_000] {
        let result = of(room, "keep");
        let now = (own(&result, "stale_share"), own(&result, "stale_age.mean"));
        assert!(now.0 > before.0 && now.1 > before.1, "{room}: {now:?} after {before:?}");
        before = now;
        for effect in ["invalidate", "update"] {
            assert_eq!(own(&of(room, effect), "stale_reads"), 0.0, "{room} {effect}");
        }
    }
}

/// Write-through: the cache's 1 ms and the database's 5 ms, one after the other; a value that was written is there.
#[test]
fn a_write_through_takes_the_sum_and_leaves_its_value() {
    for (cache_ms, db_ms) in [(1, 5), (5, 5)] {
        let workloads =
            "  w: {arrivals: {once: {count: 1, at: 0s}}, requests: [{op: put, key: {constant: 1}}], call: c}
  r: {arrivals: {once: {count: 1, at: 1s}}, requests: [{op: get, key: {constant: 1}}], call: c}\n";
        let cache =
            format!("to: b, capacity: 10, write_ops: [put], mode: through, on_write: update, latency: {cache_ms}ms");
        let db = format!("kind: database, operations: {{default: {db_ms}ms}}");
        let result = run(&system("{until: idle}", workloads, &cache, &db, ""));
        assert_eq!(result.workloads["w"].latency.max_s, Some(f64::from(cache_ms + db_ms) / 1e3));
        assert_eq!(result.workloads["r"].latency.max_s, Some(f64::from(cache_ms) / 1e3));
        assert_eq!(own(&result, "hits"), 1.0);
    }
}

#[test]
fn what_is_warm_at_the_start_and_after_a_restart_does_not_miss() {
    let workload = steady("w", "{constant: 1000/s}", "read", "{sequential: {keys: 1000}}");
    let db = "kind: database, connections: 1000, operations: {default: 1ms}";
    let of = |cache: &str, faults: &str| {
        own(&run(&system("{duration: 10s}", &workload, &format!("to: b, {cache}"), db, faults)), "misses")
    };
    assert_eq!(of("capacity: 1000", ""), 1000.0);
    assert_eq!(of("capacity: 1000, warm: 100%", ""), 0.0);
    assert_eq!(of("capacity: 1000, warm: 80%", ""), 200.0);
    assert_eq!(of("capacity: 5000, warm: 100%", ""), 0.0);
    let kill = "{at: 5s, for: 1ms, kill: {component: c}}";
    assert!((of("capacity: 1000", kill) - 2000.0).abs() <= 2.0);
    assert!(of("capacity: 1000, warm: 100%", kill) <= 2.0);
    assert_eq!(of("capacity: 1000, durable: true", kill), 1000.0);
    // A thousand entries of a KiB fit, or all but a few, and then each is evicted before its turn comes again.
    assert_eq!(of("capacity: 1000KiB, entry_size: 1KiB", ""), 1000.0);
    assert!(of("capacity: 990KiB, entry_size: 1KiB", "") >= 9_990.0);
    assert_eq!(of("capacity: 1000", "{at: 5s, flush: c}"), 2000.0);
    // A quarter of a thousand entries, each drawn: a standard deviation of 14.
    let some = of("capacity: 1000", "{at: 5s, flush: {component: c, fraction: 25%}}") - 1000.0;
    assert!((some - 250.0).abs() < 60.0, "{some}");
    // An operator fills it again.
    let events = system("{duration: 10s}", &workload, "to: b, capacity: 1000", db, "{at: 5s, flush: c}")
        + "events: [{at: 5100ms, warm: c}]\n";
    let again = own(&run(&events), "misses");
    assert!((again - 1100.0).abs() <= 1.0, "{again}");
}

/// n edges, each of which asks once for all that come meanwhile: n·λ/(1 + λd), of λ at each.
#[test]
fn each_edge_asks_for_itself() {
    let workload = steady("w", "{poisson: 5000/s}", "read", "{constant: 1}");
    let db = "kind: database, connections: 1000, operations: {default: 10ms}";
    for edges in [1.0, 5.0, 20.0] {
        let cache = format!("to: b, capacity: 10, ttl: 0s, coalesce: true, instances: {edges}");
        let result = run(&system("{duration: 40s, warmup: 1s}", &workload, &cache, db, ""));
        let each = 5000.0 / edges;
        let (found, expected) = (result.components["b"].arrivals as f64 / 40.0, edges * each / (1.0 + each * 0.01));
        assert!((found / expected - 1.0).abs() < 0.02, "{edges}: {found} instead of {expected}");
    }
}

/// A look-up takes 1 ms or, one in ten, 50 ms: with a timeout of 5 ms that one goes to the database after 5 ms, and keeps nothing.
#[test]
fn a_slow_look_up_is_given_up() {
    let workload = steady("w", "{constant: 100/s}", "read", "{constant: 1}");
    let latency = "latency: {mixture: [{weight: 9, of: 1ms}, {weight: 1, of: 50ms}]}";
    let of = |more: &str| {
        let db = "kind: database, operations: {default: 3ms}";
        run(&system("{duration: 40s}", &workload, &format!("to: b, capacity: 10, {latency}{more}"), db, ""))
    };
    assert_eq!(of("").workloads["w"].latency.max_s, Some(0.05));
    let result = of(", timeout: 5ms");
    assert_eq!(result.workloads["w"].latency.max_s, Some(0.008));
    // 4,000 draws: a standard deviation of 19.
    let (timeouts, misses) = (own(&result, "timeouts"), own(&result, "misses"));
    assert!((timeouts - 400.0).abs() < 80.0 && (timeouts..=timeouts + 2.0).contains(&misses), "{timeouts} {misses}");
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let workload = steady("w", "{poisson: 10/s}", "read", "{constant: 1}");
    let of = |cache: &str| refused(&system("{duration: 1s}", &workload, &format!("to: b, {cache}"), DB, ""));
    assert_eq!(of("eviction: lru"), ["a cache needs `capacity` or `hit_ratio`"]);
    assert_eq!(of("capacity: 10, hit_ratio: 50%"), ["with `hit_ratio` nothing is kept: `capacity` has no effect"]);
    assert_eq!(of("hit_ratio: 50%, ttl: 1s"), ["with `hit_ratio` nothing is kept: `ttl` has no effect"]);
    assert_eq!(of("capacity: 10, early_expiry: {}"), ["`early_expiry` has no effect: without `ttl` nothing expires"]);
    assert_eq!(of("capacity: 10, on_write: keep"), ["`on_write` has no effect: no operation writes"]);
    assert_eq!(of("capacity: 10, mode: {behind: {flush: 1s}}"), ["`mode` has no effect: no operation writes"]);
    assert_eq!(of("capacity: 10KiB"), ["a `capacity` in bytes needs the size of an entry"]);
    let messages = of("capacity: 10, lease: {}, coalesce: true");
    assert!(messages[0].starts_with("`coalesce` has no effect"), "{messages:?}");
}

//! Breakdowns of latency: compared with constants that can be added up by hand, and with theory for a queue.
//!
//! That the parts of each request add up to its latency, and that a sample of all requests has the latencies of all, are
//! invariants that the engine checks at the end of every run (`laws.rs` runs them on random networks).

use lab::result::{Breakdown, RunResult, Spent};

use crate::harness::{load, run_loaded};

fn breakdown(yaml: &str) -> Breakdown {
    let result: RunResult = run_loaded(&load(yaml), 1);
    result.workloads["w"].breakdown.clone()
}

/// The category as written in the result.
fn word(what: Spent) -> String {
    serde_json::to_value(what).expect("it can be written").as_str().expect("a word").to_string()
}

/// The parts of the median in milliseconds, by name.
fn medians(breakdown: &Breakdown) -> Vec<(String, f64)> {
    let ms = |seconds: f64| (seconds * 1e9).round() / 1e6;
    let mut parts: Vec<(String, f64)> = breakdown
        .parts
        .iter()
        .map(|part| (format!("{} {}", word(part.what), part.place), ms(part.p50_s.expect("enough were sampled"))))
        .collect();
    let sum: f64 = parts.iter().map(|(_, ms)| ms).sum();
    assert!((sum - ms(breakdown.p50_s.expect("enough were sampled"))).abs() < 1e-5, "{breakdown:?}");
    parts.retain(|(_, ms)| *ms > 0.0);
    parts.sort_by(|one, other| one.0.cmp(&other.0));
    parts
}

fn expect(yaml: &str, parts: &[(&str, f64)]) {
    let found = medians(&breakdown(yaml));
    let found: Vec<(&str, f64)> = found.iter().map(|(name, ms)| (name.as_str(), *ms)).collect();
    assert_eq!(found, parts, "{yaml}");
}

#[test]
fn constants_are_found_where_they_were_spent() {
    // A request is sent every 100 ms and finds everything idle: 4 ms to the api and back, 10 ms in it, 3 ms to open a
    // connection, 1 ms to the database and back, and 20 ms in it.
    let yaml = "
version: 1
run: {duration: 10s}
workloads:
  w: {arrivals: {constant: 10/s}, call: {to: api, network: {rtt: 4ms}}}
components:
  api:
    kind: service
    runtime: {thread_pool: {threads: 1}}
    handlers: {default: [{wait: 6ms}, {call: db}, {wait: 4ms}]}
    calls: {db: {to: db, network: {rtt: 1ms}, pool: {size: 1, min_idle: 0, max_lifetime: 1ms, connect: 3ms}}}
  db: {kind: database, connections: 1, operations: {default: 20ms}}
";
    let parts = [
        ("connect api.db", 3.0),
        ("network api.db", 1.0),
        ("network w.call", 4.0),
        ("service api", 10.0),
        ("service db", 20.0),
    ];
    expect(yaml, &parts);
}

#[test]
fn an_attempt_that_was_given_up_its_back_off_and_the_one_that_succeeds_follow_each_other() {
    // All requests are sent at once, while the database is ten times as slow: 50 ms wasted, then 30 ms of back-off, after which
    // the database is fast again.
    let yaml = "
version: 1
run: {until: idle}
workloads:
  w: {arrivals: {once: {count: 100}}, call: api}
components:
  api:
    kind: service
    runtime: {thread_pool: {threads: 100}}
    handlers: {default: [{call: db}]}
    calls: {db: {to: db, timeout: 50ms, retry: {max_attempts: 2, backoff: {fixed: 30ms}, when: [timeout]}}}
  db: {kind: database, connections: 1000, operations: {default: 20ms}}
faults: [{at: 0s, for: 60ms, slow: {component: db, factor: 10}}]
";
    // A fault strikes after the other events of its instant, so it must strike before the first attempt.
    let yaml = yaml.replace("{count: 100}", "{count: 100, at: 10ms}");
    expect(&yaml, &[("back_off api.db", 30.0), ("given_up db", 50.0), ("service db", 20.0)]);
}

#[test]
fn those_who_wait_for_a_worker_a_connection_a_lock_or_each_other_are_told_apart() {
    // Two requests at once, repeatedly: the second waits for the 10 ms for which the first holds the resource that both need.
    // The median lies between the two, so it includes half of the second one's wait.
    let pair = |component: &str| {
        format!(
            "version: 1\nrun: {{duration: 10s}}\nworkloads:\n  w: {{arrivals: {{constant: 10/s, batch: 2}}, call: api}}\ncomponents:\n  api:\n    kind: service\n{component}\n  db: {{kind: database, connections: 9, operations: {{default: 10ms}}}}\n"
        )
    };
    let thread = pair("    runtime: {thread_pool: {threads: 1}}\n    handlers: {default: [{wait: 10ms}]}");
    expect(&thread, &[("queue api", 5.0), ("service api", 10.0)]);
    let looped = pair("    runtime: {event_loop: {loops: 1}}\n    handlers: {default: [{wait: 1ms}, {block: 10ms}]}");
    expect(&looped, &[("queue api", 5.0), ("service api", 11.0)]);
    let blocks = pair(
        "    runtime: {async: {workers: 2, blocking_threads: 1}}\n    handlers: {default: [{wait: 1ms}, {block: 10ms}]}",
    );
    expect(&blocks, &[("queue api", 5.0), ("service api", 11.0)]);
    let lock = pair(
        "    runtime: {thread_pool: {threads: 9}}\n    handlers: {default: [{wait: 2ms}, {lock: {name: l, steps: [{wait: 10ms}]}}]}",
    );
    expect(&lock, &[("lock_wait api", 5.0), ("service api", 12.0)]);
    let pool = pair(
        "    runtime: {thread_pool: {threads: 9}}\n    handlers: {default: [{call: db}]}\n    calls: {db: {to: db, pool: {size: 1}}}",
    );
    expect(&pool, &[("pool_wait api.db", 5.0), ("service db", 10.0)]);
    let batch = pair(
        "    runtime: {thread_pool: {threads: 9}}\n    handlers: {default: [{call: db}]}\n    calls: {db: {to: db, batch: {max: 2, wait: 1s}}}",
    );
    // In each pair, one call carries both requests.
    expect(&batch, &[("service db", 5.0), ("sharing api.db", 5.0)]);
}

#[test]
fn of_branches_side_by_side_the_one_that_was_waited_for_counts() {
    let fork = |need: &str| {
        format!(
            "version: 1
run: {{duration: 10s}}
workloads:
  w: {{arrivals: {{constant: 10/s}}, call: api}}
components:
  api:
    kind: service
    runtime: {{thread_pool: {{threads: 9}}}}
    handlers:
      default:
        - parallel:
            branches: [[{{call: fast}}], [{{wait: 1ms}}, {{call: slow}}]]
            need: {need}
        - wait: 2ms
    calls: {{fast: fast, slow: slow}}
  fast: {{kind: database, connections: 9, operations: {{default: 5ms}}}}
  slow: {{kind: database, connections: 9, operations: {{default: 30ms}}}}
"
        )
    };
    expect(&fork("all"), &[("service api", 3.0), ("service slow", 30.0)]);
    expect(&fork("1"), &[("service api", 2.0), ("service fast", 5.0)]);
}

#[test]
fn service_in_a_queue_of_exponential_times_is_what_the_conditional_mean_says() {
    // M/M/1, first come first served. The sojourn time T is exponential with rate μ − λ. The joint density of service time S and
    // T, (1−ρ) μ e^(−μt) at s = t and ρ (μ−λ) e^(−(μ−λ)(t−s)) μ e^(−μs) below, gives E[S | T = t] = (1 − e^(−λt)) / λ.
    let yaml = "
version: 1
run: {duration: 9s, warmup: 1s}
workloads:
  w: {arrivals: {poisson: 700/s}, call: x}
components:
  x: {kind: database, connections: 1, operations: {default: {exp: 1ms}}}
";
    let loaded = load(yaml);
    let lambda = 700.0_f64;
    let runs = 30;
    let mut ratios = [Vec::new(), Vec::new()];
    for seed in 0..runs {
        let result = run_loaded(&loaded, seed);
        let breakdown = &result.workloads["w"].breakdown;
        assert!(breakdown.sampled > 2000, "{}", breakdown.sampled);
        let spent = |what: Spent| breakdown.parts.iter().find(|part| part.what == what).expect("it is spent on that");
        let expected = |latency: Option<f64>| (1.0 - (-lambda * latency.expect("sampled")).exp()) / lambda;
        let service = spent(Spent::Service);
        ratios[0].push(service.p50_s.expect("sampled") / expected(breakdown.p50_s));
        ratios[1].push(service.p99_s.expect("sampled") / expected(breakdown.p99_s));
        let queue = spent(Spent::Queue);
        let whole = queue.p99_s.expect("sampled") + service.p99_s.expect("sampled");
        assert!((whole - breakdown.p99_s.expect("sampled")).abs() < 1e-12);
        // The requests around the percentile have latencies around the percentile's value.
        let (around, exact) = (breakdown.p99_s.expect("sampled"), result.workloads["w"].latency.p99_s.expect("known"));
        assert!((around / exact - 1.0).abs() < 0.1, "{around} {exact}");
    }
    for of in ratios {
        let n = of.len() as f64;
        let mean = of.iter().sum::<f64>() / n;
        let variance = of.iter().map(|ratio| (ratio - mean) * (ratio - mean)).sum::<f64>() / (n - 1.0);
        // 4.5 standard errors: by Student's t with 29 degrees of freedom, one set of seeds in 10,000 exceeds them.
        assert!((mean - 1.0).abs() < 4.5 * (variance / n).sqrt(), "{mean} ± {}", (variance / n).sqrt());
        assert!((variance / n).sqrt() < 0.03, "too coarse to tell: {}", (variance / n).sqrt());
    }
}

//! CPU quotas: schedules derived by hand, and the resulting figures.

use lab::result::RunResult;

use crate::harness::{load, run_loaded};

/// A service on one host that gets requests for 100 ms of a core at the given instants.
fn run(cores: f64, cpu: &str, at_ms: &[u64], end: &str, faults: &str) -> RunResult {
    let workloads: String = at_ms
        .iter()
        .enumerate()
        .map(|(n, at)| format!("  w{n}: {{arrivals: {{once: {{count: 1, at: {at}ms}}}}, call: app}}\n"))
        .collect();
    let yaml = format!(
        "version: 1
run: {end}
hosts: {{box: {{cores: {cores}}}}}
workloads:
{workloads}components:
  app:
    kind: service
    hosts: box
    cpu: {cpu}
    runtime: {{thread_pool: {{threads: 10}}}}
    handlers: {{default: [{{cpu: 100ms}}]}}
faults: [{faults}]
"
    );
    run_loaded(&load(&yaml), 1)
}

const IDLE: &str = "{until: idle}";

fn took_ms(result: &RunResult) -> Vec<f64> {
    result.workloads.values().map(|w| (w.latency.max_s.unwrap_or(0.0) * 1e9).round() / 1e6).collect()
}

fn value(result: &RunResult, metric: &str) -> f64 {
    lab::metrics::value(result, metric).ok().flatten().unwrap_or_else(|| panic!("{metric} is not known"))
}

/// ```text
///  4 threads, 4 cores, quota of 1     run 0–25, throttled 25–100, run 100–125, …: 100 ms each are done in the fourth period
///  2 threads, 2 cores, quota of half  run 0–25, throttled 25–100, …: the same
///  1 thread, 2 cores, quota of half   run 0–50, throttled 50–100, run 100–150
///  1 thread, quota of one             runs 0–100
/// ```
#[test]
fn a_quota_is_spent_at_the_speed_of_all_threads() {
    let took = |cores, cpu, threads: usize| took_ms(&run(cores, cpu, &vec![0; threads], IDLE, ""));
    assert_eq!(took(4.0, "{limit: 1}", 4), [325.0; 4]);
    assert_eq!(took(2.0, "{limit: 0.5}", 2), [325.0; 2]);
    assert_eq!(took(2.0, "{request: 0.1, limit: 0.5}", 1), [150.0]);
    assert_eq!(took(2.0, "{limit: 1}", 1), [100.0]);
    // Without a quota, four threads on four cores are done at the same time.
    assert_eq!(took(4.0, "1", 4), [100.0; 4]);
}

/// Periods follow one another from the first use on, even while nothing runs.
///
/// ```text
///  quota of half, 2 cores   A from 30: runs 30–80, throttled until 130, runs 130–180
///                           B from 545, in the period 530–630: runs 545–595, throttled until 630, runs 630–680
/// ```
#[test]
fn periods_begin_with_the_first_use() {
    assert_eq!(took_ms(&run(2.0, "{limit: 0.5}", &[30, 545], IDLE, "")), [150.0, 135.0]);
}

/// Unused quota is not saved, and a task that arrives after the quota is spent waits for the next period.
///
/// ```text
///  quota of 1, 4 cores, A and B at 0, C at 60   A, B 0–50, C throttled 60–100, runs 100–150: two and one thread
/// ```
#[test]
fn a_thread_that_comes_when_the_quota_is_spent_stands_still() {
    // A and B have done half of their work at 50; from 100 on, three threads run until 133.3.
    let took = took_ms(&run(4.0, "{limit: 1}", &[0, 0, 60], IDLE, ""));
    // A and B: 50, then 33.3 each, and the rest at 200–216.7. C: 33.3 until 133.3, continues at 200 with three threads until
    // 216.7 (A and B done), then alone until 266.7 with the 50 that are left.
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-4, "{took:?}");
    close(took[0], 216.666_667);
    close(took[1], 216.666_667);
    close(took[2], 206.666_667);
}

#[test]
fn throttling_is_seen_in_periods_in_time_and_in_where_the_time_goes() {
    let result = run(4.0, "{limit: 1}", &[0; 4], IDLE, "");
    // Three periods in which it was throttled for 75 ms, and one in which it finished exactly when the quota was spent.
    assert_eq!(value(&result, "components.app.throttled"), 0.75);
    assert!((value(&result, "components.app.throttled_time") - 225.0 / 325.0).abs() < 1e-6);
    // The same once per second, for a larger sample.
    let yaml = "version: 1
run: {duration: 200s}
hosts: {box: {cores: 4}}
workloads: {w: {arrivals: {constant: 1/s, batch: 4}, call: app}}
components:
  app: {kind: service, hosts: box, cpu: {limit: 1}, runtime: {thread_pool: {threads: 4}}, handlers: {default: [{cpu: 100ms}]}}
";
    let parts = run_loaded(&load(yaml), 1).workloads["w"].breakdown.parts.clone();
    let of = |what: &str| -> f64 {
        let part =
            parts.iter().find(|part| serde_json::to_string(&part.what).is_ok_and(|w| w == format!("\"{what}\"")));
        part.and_then(|part| part.p50_s).unwrap_or(0.0)
    };
    assert!((of("throttled") - 0.225).abs() < 1e-9 && (of("service") - 0.1).abs() < 1e-9, "{parts:?}");
}

/// A load that never spends its quota is never throttled, whatever share of it it uses.
#[test]
fn a_quota_that_is_not_spent_does_nothing() {
    let result = run(1.0, "{limit: 1}", &[0, 10, 20, 500], IDLE, "");
    assert_eq!(value(&result, "components.app.throttled"), 0.0);
    assert_eq!(took_ms(&result), took_ms(&run(1.0, "1", &[0, 10, 20, 500], IDLE, "")));
}

/// A pause and a quota combine: A runs 0–25 with a quota of a quarter; with a pause of 40 ms at 10, it runs 0–10 and 50–65 in
/// the first period.
#[test]
fn a_pause_and_a_quota_compose() {
    let paused = "{at: 10ms, for: 40ms, pause: {component: app}}";
    let result = run(1.0, "{limit: 0.25}", &[0], IDLE, paused);
    // 25 ms in each of four periods; the last ends at 325.
    assert_eq!(took_ms(&result), [325.0]);
    let paused = "{at: 10ms, for: 110ms, pause: {component: app}}";
    // 10 ms until 10, paused until 120, 25 in 120–145, 25 in 200–225, 25 in 300–325, and 15 from 400 on.
    assert_eq!(took_ms(&run(1.0, "{limit: 0.25}", &[0], IDLE, paused)), [415.0]);
}

/// Whatever threads and bursts spend a quota, no period exceeds it, so that over a long time the cores in use never exceed the
/// limit, and equal it under overload.
#[test]
fn no_more_is_used_than_the_quota() {
    for (limit, threads) in [(1.0_f64, 2), (1.0, 8), (2.5, 16), (0.3, 3)] {
        let yaml = format!(
            "version: 1
run: {{duration: 20s}}
hosts: {{box: {{cores: 8}}}}
workloads: {{w: {{arrivals: {{closed: {{users: 40, think: 0s}}}}, call: app}}}}
components:
  app:
    kind: service
    hosts: box
    cpu: {{limit: {limit}}}
    runtime: {{thread_pool: {{threads: {threads}}}}}
    handlers: {{default: [{{cpu: {{exp: 7ms}}}}]}}
"
        );
        let result = run_loaded(&load(&yaml), 3);
        let used = value(&result, "hosts.box.cpu") * 8.0;
        let expected = limit.min(f64::from(threads));
        assert!((used - expected).abs() < 0.002 * expected, "{used} of {limit}");
        assert!(value(&result, "components.app.throttled") > 0.99);
    }
}

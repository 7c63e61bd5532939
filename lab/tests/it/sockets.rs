//! Ports, accept queues, connections that are kept open and the threads that they hold.

use lab::result::RunResult;

use crate::harness::{load, load_variant, run_loaded};

fn value(result: &RunResult, metric: &str) -> f64 {
    lab::metrics::value(result, metric).ok().flatten().unwrap_or_else(|| panic!("{metric} is not known"))
}

fn built_in(name: &str, variant: &str) -> RunResult {
    let path = format!("{}/../scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
    run_loaded(&load_variant(&text, Some(variant)), 1)
}

/// 28,232 ports that are kept for 60 s after a connection of 7 ms: 470.5 connections a second, and none in the 13 s of each minute
/// after the ports are used up.
#[test]
fn a_host_opens_470_connections_a_second_to_one_callee() {
    let result = built_in("time-wait-exhaustion", "a-connection-for-each-call");
    let (ok, refused) = (value(&result, "workloads.users.outcomes.ok"), value(&result, "hosts.box.ports_exhausted"));
    assert!((ok / 180.0 - 28_232.0 / 60.0).abs() < 0.5, "{ok}");
    assert_eq!(ok + refused, 600.0 * 180.0 - value(&result, "workloads.users.in_flight_end") - 1.0);
    assert!(value(&result, "hosts.box.sockets.time_wait") < 28_232.0);
    let kept = built_in("time-wait-exhaustion", "connections-kept-open");
    assert_eq!(value(&kept, "hosts.box.ports_exhausted"), 0.0);
    assert_eq!(value(&kept, "workloads.users.success"), 1.0);
}

/// 128 wait in the queue; the others ask again 1, 3, 7 and 15 s after they first did, and each time one is accepted at once and 128 wait.
#[test]
fn what_does_not_fit_into_the_accept_queue_is_repeated_after_1_3_7_and_15_seconds() {
    let result = built_in("listen-backlog", "backlog-128");
    let latency = result.workloads["clients"].latency;
    assert_eq!(latency.count, 128 + 4 * 129);
    // The last of those that came at 15 s waited for the 128 before it, 1 ms each.
    assert!((latency.max_s.unwrap_or(0.0) - 15.129).abs() < 1e-6, "{:?}", latency.max_s);
    let dropped = [872.0, 743.0, 614.0, 485.0, 356.0];
    assert_eq!(value(&result, "components.server.listen.overflows"), dropped.iter().sum::<f64>());
    let long = built_in("listen-backlog", "backlog-4096");
    assert!((long.workloads["clients"].latency.max_s.unwrap_or(0.0) - 1.4).abs() < 1e-6);
}

/// 100,000 connections of 2 KB are 200 MB, and as threads of 8 MiB 839 GB of address space.
#[test]
fn idle_connections_take_memory_and_no_time() {
    let tasks = built_in("c10k", "tasks");
    assert_eq!(value(&tasks, "components.hub.memory_of.connections"), 200e6);
    assert_eq!(value(&tasks, "components.hub.connections"), 100e3);
    assert!(value(&tasks, "hosts.box.cpu") < 0.01);
    let threads = built_in("c10k", "threads");
    assert!(value(&threads, "components.hub.memory_reserved") >= 1e5 * 8.0 * 1_048_576.0);
    assert_eq!(value(&threads, "components.hub.memory_of.connections"), 10e9);
    assert!((value(&threads, "components.hub.threads") - 100_001.0).abs() < 1.0);
}

/// 20 workers and a thread for each peer: 59 with 40 servers, 67 with 48, of which 64 are allowed.
#[test]
fn a_thread_for_each_peer_bounds_the_fleet() {
    let forty = built_in("thread-per-peer", "forty");
    assert_eq!(value(&forty, "components.front.threads"), 40.0 * 59.0);
    assert_eq!(value(&forty, "workloads.users.success"), 1.0);
    let more = built_in("thread-per-peer", "forty-eight");
    assert_eq!(value(&more, "workloads.users.success"), 0.0);
    let without = built_in("thread-per-peer", "forty-eight-without-threads");
    assert_eq!(value(&without, "workloads.users.success"), 1.0);
    let yaml = "version: 1
run: {duration: 5s}
workloads: {w: {arrivals: {once: {count: 10}}, call: app}}
components: {app: {kind: service, threads_max: 6, runtime: {thread_per_request: {}}, handlers: {default: [{wait: 1s}]}}}
";
    let result = run_loaded(&load(yaml), 1);
    assert_eq!(value(&result, "workloads.w.outcomes.unavailable"), 4.0, "there is no thread for them");
}

/// Rate times latency: 300, 3,000 and 300,000 requests in flight, within 2 %; of 300 the standard error over a second is about
/// √(300 · 2 · 0.3 s ÷ 1 s) ≈ 13, so that there the bound is four times that.
#[test]
fn requests_in_flight_are_rate_times_latency() {
    for (variant, in_flight, allowed) in
        [("hundreds", 300.0, 54.0), ("thousands", 3_000.0, 170.0), ("hundreds-of-thousands", 300e3, 6e3)]
    {
        let found = value(&built_in("scale-ladder", variant), "workloads.users.in_flight");
        assert!((found - in_flight).abs() < allowed, "{variant}: {found}");
    }
}

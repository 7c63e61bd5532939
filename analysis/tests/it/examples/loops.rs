//! Event loops, sharing a fetch, and batches (S1).

use sim_core::random::Stream;

use super::{exact, latency, shipped, shipped_with};
use crate::harness::{load, run_loaded};

#[test]
fn an_event_loop_works_while_requests_wait() {
    let of = |variant| {
        let latency = latency(&shipped("event-loop", variant), "callers");
        (latency.mean_s, latency.max_s)
    };
    let (mean, most) = of("loop");
    exact(most, 0.124);
    exact(mean, 0.122);
    let (mean, most) = of("one-worker");
    exact(most, 0.24);
    exact(mean, 0.18);
}

#[test]
fn a_request_alone_takes_its_work_and_its_waits() {
    for variant in ["loop", "one-worker"] {
        let alone = shipped_with("event-loop", Some(variant), &["workloads.callers.arrivals.once.count=1"], None);
        exact(latency(&alone, "callers").max_s, 0.12);
    }
}

#[test]
fn a_loop_is_bound_by_its_work_and_a_worker_by_the_waits_too() {
    // 10 ms of work in 120 ms: 100 requests a second and a loop, 8.333 a second and a worker.
    let busy = ["workloads.callers.arrivals={closed: {users: 40, think: 0s}}", "run={duration: 60s, warmup: 2s}"];
    let sent = |variant| shipped_with("event-loop", Some(variant), &busy, None).workloads["callers"].sent;
    assert!(sent("loop").abs_diff(6_000) <= 4, "{}", sent("loop"));
    assert!(sent("one-worker").abs_diff(500) <= 1, "{}", sent("one-worker"));
}

/// A piece of code with what it waits for behind it, ns.
const PIECES: [(u64, u64); 3] = [(4_000_000, 60_000_000), (3_000_000, 50_000_000), (3_000_000, 0)];

/// When each request ends on a loop that runs one piece at a time, whichever was ready first: the obvious way.
fn run_to_completion(arrivals: &[u64]) -> Vec<u64> {
    let mut ready: Vec<(u64, usize, usize)> = arrivals.iter().enumerate().map(|(n, at)| (*at, n, 0)).collect();
    let (mut free_at, mut ends) = (0, vec![0; arrivals.len()]);
    while let Some(next) = (0..ready.len()).min_by_key(|at| ready[*at]) {
        let (since, request, piece) = ready.remove(next);
        let (work, wait) = PIECES[piece];
        free_at = since.max(free_at) + work;
        if piece + 1 < PIECES.len() {
            ready.push((free_at + wait, request, piece + 1));
        } else {
            ends[request] = free_at;
        }
    }
    ends
}

#[test]
fn each_piece_begins_when_it_is_ready_and_the_loop_is_free() {
    let mut stream = Stream::named(1, "pieces");
    for _ in 0..40 {
        // Instants that are no multiples of the pieces, so that no two are ready at once.
        let arrivals: Vec<u64> = (0..25).map(|_| stream.below(400_000_000) * 7 + 1).collect();
        let workloads: String = arrivals
            .iter()
            .enumerate()
            .map(|(n, at)| format!("  w{n}: {{arrivals: {{once: {{count: 1, at: {at}ns}}}}, call: app}}\n"))
            .collect();
        let components = "components: {app: {kind: service, cpu: 1, runtime: event_loop, handlers: {default: [{cpu: 4ms}, {wait: 60ms}, {cpu: 3ms}, {wait: 50ms}, {cpu: 3ms}]}}}\n";
        let yaml = format!("version: 1\nrun: {{until: idle}}\nworkloads:\n{workloads}{components}");
        let result = run_loaded(&load(&yaml), 1);
        for (n, end) in run_to_completion(&arrivals).into_iter().enumerate() {
            let took = (end - arrivals[n]) as f64 / 1e9;
            exact(latency(&result, &format!("w{n}")).max_s, took);
        }
    }
}

#[test]
fn who_asks_for_what_is_being_fetched_shares_it() {
    let shared = shipped("one-query-for-many", "shared");
    exact(latency(&shared, "first").max_s, 0.01);
    exact(latency(&shared, "second").max_s, 0.005);
    assert_eq!(shared.components["db"].arrivals, 1);
    // The second caller's answer is as old as the query, twice as old as its own wait.
    exact(shared.links["app"]["db"].own["shared_answer_age"], 0.01);
    let alone = shipped("one-query-for-many", "each-alone");
    exact(latency(&alone, "first").max_s, 0.01);
    exact(latency(&alone, "second").max_s, 0.01);
    assert_eq!(alone.components["db"].arrivals, 2);
}

#[test]
fn batched_calls_rise_in_a_stair_step() {
    for writes in (1..=31).chain([99, 100, 101]) {
        let change = format!("workloads.writers.arrivals.once.count={writes}");
        let result = shipped_with("write-batching", None, &[&change], None);
        assert_eq!(result.components["db"].arrivals, u64::div_ceil(writes, 10), "{writes} writes");
    }
}

#[test]
fn a_batch_costs_less_an_item_than_its_items_alone() {
    // 2 ms a call and 100 µs an item.
    let busy = |variant: &str| {
        let result = shipped("write-batching", variant);
        let db = &result.components["db"];
        db.utilization.expect("it has connections") * 100.0 * result.run.duration_s / 100.0
    };
    exact(busy("each-alone"), 0.0021);
    exact(busy("batched"), 0.002 / 10.0 + 0.0001);
}

#[test]
fn regular_writes_are_batched_as_the_table_says() {
    // Writes a second: items to a batch, batches a second, mean delay in ms.
    let table = [
        (50, 1, 50.0, 10.0),
        (100, 2, 50.0, 5.0),
        (200, 3, 66.667, 5.0),
        (500, 6, 83.333, 5.0),
        (900, 10, 90.0, 5.0),
        (1000, 10, 100.0, 4.5),
        (2000, 10, 200.0, 2.25),
        (10_000, 10, 1000.0, 0.45),
    ];
    for (rate, size, calls, delay_ms) in table {
        // Sixty whole batches, and nothing of the next one.
        let gap_ns = (1e9 / f64::from(rate) + 0.5) as u64;
        let until_ns = gap_ns * (60 * size + 1) - 1;
        let changes = [format!("workloads.writers.arrivals.constant={rate}/s"), format!("run.duration={until_ns}ns")];
        let result = shipped_with("batching-and-rate", None, &[&changes[0], &changes[1]], None);
        let batches = result.components["db"].arrivals;
        assert_eq!((result.workloads["writers"].completed, batches), (60 * size, 60), "{rate}/s");
        exact(latency(&result, "writers").mean_s, delay_ms / 1000.0);
        exact(result.links["writers"]["call"].own["batch_size"], size as f64);
        let per_second = batches as f64 / (60 * size) as f64 * f64::from(rate);
        assert!((per_second - calls).abs() < 5e-4, "{rate}/s: {per_second} calls a second");
    }
}

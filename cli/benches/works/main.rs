//! How fast the product is, as a ratio to programs written by hand for one purpose.
//!
//! `cargo bench -p cli --bench works [-- WORK [REPETITIONS]]` runs each work as a user would (scenario text in, JSON out,
//! all measures on) and the hand-written program with a general event queue in turn, so that a slow minute of the
//! machine hits both, and prints the median of the ratios of a request's time. `-- growth` runs work C from a thousand users
//! to a hundred thousand, on servers in proportion, and prints what a request costs and what memory it takes meanwhile.

mod handwritten;

use std::sync::Arc;
use std::time::Instant;

use lab::{Options, Session, Text};

/// A work: its scenario, and the program by hand, which both say how many requests they did.
struct Work {
    name: &'static str,
    by_hand: fn() -> handwritten::Done,
}

const WORKS: &[Work] = &[
    Work { name: "work-a", by_hand: handwritten::work_a },
    Work { name: "work-b", by_hand: handwritten::work_b },
    Work { name: "work-c", by_hand: handwritten::work_c },
];

fn main() {
    // `cargo bench` passes `--bench`, which is not for us.
    let words: Vec<String> = std::env::args().skip(1).filter(|w| !w.starts_with("--")).collect();
    if words.first().is_some_and(|word| word == "growth") {
        return growth();
    }
    let repetitions: usize = words.get(1).and_then(|w| w.parse().ok()).unwrap_or(7);
    println!(
        "{:8} {:>12} {:>12} {:>8}   {:>14} {:>14}",
        "work", "product ns", "by hand ns", "ratio", "product mean", "by hand mean"
    );
    for work in WORKS.iter().filter(|w| words.first().is_none_or(|name| w.name.contains(name.as_str()))) {
        let mut rows: Vec<(f64, f64)> = Vec::new();
        let (mut mean, mut mean_by_hand) = (0.0, 0.0);
        for _ in 0..repetitions {
            let (product, m) = product(work.name);
            let began = Instant::now();
            let done = (work.by_hand)();
            let by_hand = began.elapsed().as_secs_f64() * 1e9 / done.requests as f64;
            (mean, mean_by_hand) = (m, done.mean_s);
            rows.push((product, by_hand));
        }
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            "{:8} {:12.1} {:12.1} {:8.2}   {:12.4} s {:12.4} s",
            work.name,
            median(rows.iter().map(|r| r.0).collect()),
            median(rows.iter().map(|r| r.1).collect()),
            median(rows.iter().map(|r| r.0 / r.1).collect()),
            mean,
            mean_by_hand
        );
    }
}

/// What a request of work C costs as there are more of them at once.
fn growth() {
    let text = lab::builtin::text("work-c").expect("the works are built in");
    println!("{:>8} {:>8} {:>12} {:>16}", "users", "servers", "ns a request", "bytes in flight");
    for (users, servers, seconds) in [(1_000, 10, 200), (10_000, 100, 50), (100_000, 1_000, 5)] {
        let text = text
            .replace("users: 100k", &format!("users: {users}"))
            .replace("replicas: 1000", &format!("replicas: {servers}"))
            .replace("duration: 5s", &format!("duration: {seconds}s"));
        let mut costs: Vec<f64> = (0..3).map(|_| product_of("work-c", &text).0).collect();
        costs.sort_by(f64::total_cmp);
        println!("{users:8} {servers:8} {:12.1} {:16.1}", costs[1], bytes_in_flight(&text));
    }
}

/// Bytes of the engine's tables for each request under way, half-way through.
fn bytes_in_flight(text: &str) -> f64 {
    let text = Text { name: "work-c".into(), bytes: text.as_bytes().to_vec(), folder: None };
    let loaded = lab::load(&text, &Options::default()).expect("the works are correct");
    let seed = loaded.scenario.seed;
    let mut session = Session::new(Arc::new(loaded), seed, None);
    session.run_until(session.end_ns() / 2).expect("the works end");
    let snapshot = session.result();
    session.engine().bytes_in_flight() as f64 / snapshot.workloads[0].in_flight_end.max(1) as f64
}

/// Nanoseconds a request from scenario text to JSON, and the mean latency in seconds.
fn product(name: &str) -> (f64, f64) {
    product_of(name, lab::builtin::text(name).expect("the works are built in"))
}

fn product_of(name: &str, text: &str) -> (f64, f64) {
    let began = Instant::now();
    let text = Text { name: format!("@{name}"), bytes: text.as_bytes().to_vec(), folder: None };
    let loaded = lab::load(&text, &Options::default()).expect("the works are correct");
    let seed = loaded.scenario.seed;
    let mut session = Session::new(Arc::new(loaded), seed, None);
    session.run_to_end().expect("the works end");
    let result = session.result();
    let json = report::json::to_json(&result);
    let nanoseconds = began.elapsed().as_secs_f64() * 1e9;
    assert!(json.len() > 100);
    let workload = &result.workloads[0];
    (nanoseconds / workload.completed as f64, workload.latency.mean_s.unwrap_or(f64::NAN))
}

//! How fast the product is, as a ratio to programs written by hand for one purpose, and beside other simulators.
//!
//! `cargo bench -p cli --bench works [-- WORK [REPETITIONS]] [without-peers]` runs each work as a user would (scenario text
//! in, JSON out, all measures on), the hand-written program with a general event queue, the one without, and whatever of
//! `cli/benches/peers` was built by `scripts/peers`. They take turns, so that a slow minute of the machine hits all of them,
//! and what counts is the processor's time; the table has the medians. Every mean is compared with the right one, and a
//! wrong one fails the benchmark. `-- growth` runs work C from a thousand users to a hundred thousand, on servers in
//! proportion, and prints what a request costs and what memory it takes meanwhile. `-- mechanisms` prints the cost of each
//! mechanism of the language.

mod handwritten;
mod mechanisms;
mod peers;
mod special;

use std::sync::Arc;

use lab::{Options, Session, Text};
use peers::{PEERS, Peer};

/// A program by hand: so many requests.
type ByHand = fn(u64) -> handwritten::Done;

/// A work: its scenario, and the programs by hand.
struct Work {
    name: &'static str,
    says: &'static str,
    /// About as many as the scenario has.
    requests: u64,
    by_hand: ByHand,
    special: Option<ByHand>,
    /// The mean latency, s; nothing if it depends on how many requests there are: then it is compared with that of the
    /// program by hand.
    mean_s: Option<f64>,
    /// The deviation of the sum of n latencies, divided by √n, s.
    deviation_s: f64,
    /// How far apart means may be beside that, relative: where there is no formula.
    tolerance: f64,
}

const WORKS: &[Work] = &[
    Work {
        name: "work-a",
        says: "M/M/1 at 80 % load",
        requests: 1_000_000,
        by_hand: handwritten::work_a,
        special: Some(special::work_a),
        // Of the sum: √(ρ(2 + 5ρ − 4ρ² + ρ³))/(1 − ρ)² service times for the waits (Daley, *The serial correlation coefficients of waiting
        // times in a stationary single server queue*, 1968), to which the services add at most one.
        mean_s: Some(5.0),
        deviation_s: 45.5,
        tolerance: 0.0,
    },
    Work {
        name: "work-b",
        says: "timeouts and retries behind a balancer",
        requests: 510_000,
        by_hand: handwritten::work_b,
        special: Some(special::work_b),
        // No formula: what all of these programs agree on, and the deviation from the means of batches.
        mean_s: Some(0.01075),
        deviation_s: 0.03,
        tolerance: 0.01,
    },
    Work {
        name: "work-c",
        says: "100,000 users in a closed loop",
        requests: 1_000_000,
        by_hand: handwritten::work_c,
        special: None,
        // While it fills, latencies hardly depend on each other, and this is the deviation of one.
        mean_s: None,
        deviation_s: 0.03,
        tolerance: 0.01,
    },
];

/// How far a mean may be from the right one by chance, in standard errors.
const STANDARD_ERRORS: f64 = 5.0;

/// What a system did.
#[derive(Clone, Copy)]
struct Measured {
    /// Processor time a request, ns.
    ns: f64,
    requests: u64,
    /// Mean latency, s.
    mean_s: f64,
}

/// Who does a work.
enum System {
    Product,
    ByHand(&'static str, ByHand),
    Peer(&'static Peer),
}

impl System {
    fn name(&self) -> &'static str {
        match self {
            System::Product => "Brownout",
            System::ByHand(name, _) => name,
            System::Peer(peer) => peer.name,
        }
    }

    fn measure(&self, work: &Work) -> Measured {
        match self {
            System::Product => product(work.name),
            System::ByHand(_, program) => by_hand(*program, work.requests),
            System::Peer(peer) => peer.measure(work.name, peer.requests(work.name).unwrap_or(work.requests)),
        }
    }
}

fn main() {
    // `cargo bench` passes `--bench`, which is not for us.
    let mut words: Vec<String> = std::env::args().skip(1).filter(|w| !w.starts_with("--")).collect();
    if words.first().is_some_and(|word| word == "growth") {
        return growth();
    }
    if words.first().is_some_and(|word| word == "mechanisms") {
        let repetitions = words.get(2).and_then(|w| w.parse().ok()).unwrap_or(5);
        if !mechanisms::print(words.get(1).map(String::as_str), repetitions) {
            std::process::exit(1);
        }
        return;
    }
    let with_peers = !words.iter().any(|word| word == "without-peers");
    words.retain(|word| word != "without-peers");
    let repetitions: usize = words.get(1).and_then(|w| w.parse().ok()).unwrap_or(5);
    let mut are_right = true;
    for work in WORKS.iter().filter(|w| words.first().is_none_or(|name| w.name.contains(name.as_str()))) {
        are_right &= compare(work, repetitions, with_peers);
    }
    if !are_right {
        std::process::exit(1);
    }
}

/// Prints the table of a work; whether all means are right.
fn compare(work: &Work, repetitions: usize, with_peers: bool) -> bool {
    let mut systems = vec![System::Product, System::ByHand("by hand, general queue", work.by_hand)];
    systems.extend(work.special.map(|program| System::ByHand("by hand, for this work alone", program)));
    let can = |peer: &&Peer| peer.requests(work.name).is_some();
    let (there, missing): (Vec<_>, Vec<_>) = PEERS.iter().filter(can).partition(|peer| peer.is_there());
    if with_peers {
        systems.extend(there.into_iter().map(System::Peer));
    }
    let mut runs: Vec<Vec<Measured>> = vec![Vec::new(); systems.len()];
    for _ in 0..repetitions {
        for (system, runs) in systems.iter().zip(&mut runs) {
            runs.push(system.measure(work));
        }
    }
    println!("{}: {}", work.name, work.says);
    println!(
        "  {:29} {:>12} {:>10} {:>10} {:>10} {:>12} {:>12}",
        "", "ns a request", "× by hand", "× special", "× Brownout", "requests", "mean"
    );
    let ratio = |of: usize, to: usize| three_digits(median((0..repetitions).map(|i| runs[of][i].ns / runs[to][i].ns)));
    // Both programs by hand take the same way through the same random numbers.
    let mut are_right = work.special.is_none() || runs[1][0].mean_s == runs[2][0].mean_s;
    for (at, system) in systems.iter().enumerate() {
        let Measured { requests, mean_s, .. } = runs[at][0];
        let right = is_right(work, system, requests, mean_s);
        are_right &= right;
        println!(
            "  {:29} {:>12} {:>10} {:>10} {:>10} {requests:12} {:>12}{}",
            system.name(),
            three_digits(median(runs[at].iter().map(|run| run.ns))),
            ratio(at, 1),
            work.special.map_or("–".to_string(), |_| ratio(at, 2)),
            ratio(at, 0),
            if mean_s < 1.0 { format!("{:.3} ms", mean_s * 1e3) } else { format!("{mean_s:.4} s") },
            if right { "" } else { "  WRONG" },
        );
    }
    if with_peers && !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|peer| peer.name).collect();
        println!("  not there (scripts/peers builds them): {}", names.join(", "));
    }
    println!();
    are_right
}

fn is_right(work: &Work, system: &System, requests: u64, mean_s: f64) -> bool {
    let other = if let System::Peer(peer) = system { peer.other_mean_s } else { None };
    let right_s = other.or(work.mean_s).unwrap_or_else(|| (work.by_hand)(requests).mean_s);
    let chance = STANDARD_ERRORS * work.deviation_s / (requests as f64).sqrt();
    (mean_s - right_s).abs() <= work.tolerance * right_s + chance
}

/// Three digits, or all those before the point.
fn three_digits(value: f64) -> String {
    match value {
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn by_hand(program: ByHand, requests: u64) -> Measured {
    let began = processor_time_ns();
    let done = program(requests);
    let ns = (processor_time_ns() - began) / done.requests as f64;
    Measured { ns, requests: done.requests, mean_s: done.mean_s }
}

/// Processor time of this thread, ns.
#[cfg(target_os = "linux")]
fn processor_time_ns() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// Where there is no such clock, all time counts.
#[cfg(not(target_os = "linux"))]
fn processor_time_ns() -> f64 {
    use std::sync::LazyLock;
    use std::time::Instant;
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed().as_secs_f64() * 1e9
}

/// What a request of work C costs as there are more of them at once.
fn growth() {
    let text = language::builtin::text("work-c").expect("the works are built in");
    println!("{:>8} {:>8} {:>12} {:>16}", "users", "servers", "ns a request", "bytes in flight");
    for (users, servers, seconds) in [(1_000, 10, 200), (10_000, 100, 50), (100_000, 1_000, 5)] {
        let text = text
            .replace("users: 100k", &format!("users: {users}"))
            .replace("replicas: 1000", &format!("replicas: {servers}"))
            .replace("duration: 5s", &format!("duration: {seconds}s"));
        let cost = median((0..3).map(|_| product_of("work-c", &text).ns));
        println!("{users:8} {servers:8} {cost:12.1} {:16.1}", bytes_in_flight(&text));
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

/// The product from scenario text to JSON.
fn product(name: &str) -> Measured {
    product_of(name, language::builtin::text(name).expect("the works are built in"))
}

fn product_of(name: &str, text: &str) -> Measured {
    let began = processor_time_ns();
    let text = Text { name: format!("@{name}"), bytes: text.as_bytes().to_vec(), folder: None };
    let loaded = lab::load(&text, &Options::default()).expect("the works are correct");
    let seed = loaded.scenario.seed;
    let mut session = Session::new(Arc::new(loaded), seed, None);
    session.run_to_end().expect("the works end");
    let result = session.result();
    let json = report::json::to_json(&result);
    let took = processor_time_ns() - began;
    assert!(json.len() > 100);
    let workload = &result.workloads[0];
    let requests = workload.completed;
    Measured { ns: took / requests as f64, requests, mean_s: workload.latency.mean_s.unwrap_or(f64::NAN) }
}

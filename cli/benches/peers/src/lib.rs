//! What the programs for other simulators have in common: the works, what a client remembers of its requests, a
//! server's places, and the line that each prints for the benchmark.
//!
//! `PROGRAM WORK REQUESTS` simulates that many requests of work `a`, `b` or `c` and prints the mean latency in seconds.
//! Each program uses its system as that system's own examples do: a component for the clients with their balancer, one
//! for each server, a message for each call and each answer. What is no business of a simulator (which server is called, what a
//! retry is) stands here once, so that only the systems differ.

use std::collections::VecDeque;

use rand::{Rng as _, SeedableRng as _};
use rand_distr::{Distribution as _, Exp1};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// Mean gap and mean service time of work A, s.
pub const WORK_A: (f64, f64) = (1.25, 1.0);

/// Work B or C.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Shape {
    /// Servers behind the balancer.
    pub servers: usize,
    /// Calls that a server works on at once.
    pub workers: usize,
    /// Calls that may wait there.
    pub queue_max: usize,
    /// Mean service time, s.
    pub service_s: f64,
    /// How long a client waits for an attempt, s.
    pub timeout_s: f64,
    /// Mean gap between requests, s, or nothing if `users` send them.
    pub gap_s: Option<f64>,
    /// Users of a closed loop.
    pub users: usize,
    /// Their mean time to think, s.
    pub think_s: f64,
}

const B: Shape = Shape {
    servers: 10,
    workers: 4,
    queue_max: 100,
    service_s: 0.01,
    timeout_s: 0.05,
    gap_s: Some(1.0 / 3400.0),
    users: 0,
    think_s: 0.0,
};

const C: Shape = Shape {
    servers: 1000,
    workers: 4,
    queue_max: 1000,
    service_s: 0.02,
    timeout_s: 2.0,
    gap_s: None,
    users: 100_000,
    think_s: 0.1,
};

const BACKOFF_S: f64 = 0.02;
const RETRIES: u32 = 3;

/// What to do: `PROGRAM WORK REQUESTS`.
pub enum Task {
    /// Work A.
    A,
    /// Work B or C.
    Balanced(Shape),
}

/// Reads the command line: the work, and how many requests.
pub fn task() -> (Task, usize) {
    let words: Vec<String> = std::env::args().collect();
    let requests = words.get(2).and_then(|n| n.parse().ok());
    match (words.get(1).map(String::as_str), requests) {
        (Some("a"), Some(n)) => (Task::A, n),
        (Some("b"), Some(n)) => (Task::Balanced(B), n),
        (Some("c"), Some(n)) => (Task::Balanced(C), n),
        _ => {
            eprintln!("usage: PROGRAM a|b|c REQUESTS");
            std::process::exit(2)
        }
    }
}

/// The result: every latency, as a user would keep it who wants percentiles.
#[derive(Default, Debug, Serialize, Deserialize)]
pub struct Latencies {
    seconds: Vec<f64>,
    failed: usize,
}

impl Latencies {
    /// A request that succeeded.
    pub fn record(&mut self, seconds: f64) {
        self.seconds.push(seconds);
    }

    /// A request that was given up.
    pub fn give_up(&mut self) {
        self.failed += 1;
    }

    /// Requests that ended.
    pub fn ended(&self) -> usize {
        self.seconds.len() + self.failed
    }

    /// Prints the mean.
    pub fn print(&self) {
        println!("{}", self.seconds.iter().sum::<f64>() / self.seconds.len() as f64);
    }
}

/// Random numbers, from the same generator and sampler in all systems.
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// An exponential time, s.
    pub fn exp(&mut self, mean_s: f64) -> f64 {
        let unit: f64 = Exp1.sample(&mut self.0);
        unit * mean_s
    }

    fn below(&mut self, n: usize) -> usize {
        self.0.gen_range(0..n)
    }
}

/// An attempt at a request: its place in the client's table, and which attempt it is.
// nexosim asks this of whatever goes through its ports.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, nexosim::Message)]
pub struct Call {
    /// Place of the request.
    pub slot: usize,
    /// Changes whenever an attempt ends.
    pub attempt: u32,
    /// Who was called.
    pub server: usize,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Request {
    since_s: f64,
    attempt: u32,
    tries: u32,
}

/// The clients with their balancer.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Clients {
    requests: Vec<Request>,
    free: Vec<usize>,
    calls: Vec<usize>,
    capacity: usize,
    looks_at_two: bool,
    /// What came out.
    pub latencies: Latencies,
}

/// What a failed attempt leads to.
pub enum Then {
    /// The next one, after so many seconds.
    Retry(f64),
    /// The end of the request.
    GiveUp,
}

impl Clients {
    /// Nothing under way.
    pub fn new(shape: &Shape) -> Self {
        Self {
            calls: vec![0; shape.servers],
            capacity: shape.workers + shape.queue_max,
            looks_at_two: shape.gap_s.is_none(),
            ..Self::default()
        }
    }

    /// A new request.
    pub fn begin(&mut self, now_s: f64) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.requests.push(Request::default());
            self.requests.len() - 1
        });
        (self.requests[slot].since_s, self.requests[slot].tries) = (now_s, 0);
        slot
    }

    /// Chooses a server for the next attempt; nothing if it has no room.
    pub fn choose(&mut self, slot: usize, random: &mut Random) -> Option<Call> {
        let server = if self.looks_at_two {
            let (a, b) = (random.below(self.calls.len()), random.below(self.calls.len()));
            if self.calls[b] < self.calls[a] { b } else { a }
        } else {
            (0..self.calls.len()).min_by_key(|i| self.calls[*i]).expect("there are servers")
        };
        if self.calls[server] >= self.capacity {
            return None;
        }
        self.calls[server] += 1;
        Some(Call { slot, attempt: self.requests[slot].attempt, server })
    }

    /// A server has finished a call; the latency if somebody still waited for it.
    pub fn answered(&mut self, call: Call, now_s: f64) -> Option<f64> {
        self.calls[call.server] -= 1;
        let request = &mut self.requests[call.slot];
        if request.attempt != call.attempt {
            return None;
        }
        request.attempt += 1;
        self.free.push(call.slot);
        Some(now_s - request.since_s)
    }

    /// Whether this attempt is still waited for.
    pub fn waits_for(&self, call: Call) -> bool {
        self.requests[call.slot].attempt == call.attempt
    }

    /// The attempt under way has failed.
    pub fn failed(&mut self, slot: usize) -> Then {
        let request = &mut self.requests[slot];
        request.attempt += 1;
        if request.tries < RETRIES {
            request.tries += 1;
            return Then::Retry(BACKOFF_S * f64::from(1 << (request.tries - 1)));
        }
        self.latencies.give_up();
        self.free.push(slot);
        Then::GiveUp
    }
}

/// The places of a server.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Places {
    workers: usize,
    busy: usize,
    queue: VecDeque<Call>,
}

impl Places {
    /// All free.
    pub fn new(shape: &Shape) -> Self {
        Self { workers: shape.workers, ..Self::default() }
    }

    /// Whether the call begins at once; otherwise it waits.
    pub fn take(&mut self, call: Call) -> bool {
        if self.busy < self.workers {
            self.busy += 1;
            return true;
        }
        self.queue.push_back(call);
        false
    }

    /// A call is finished; the next one to begin.
    pub fn give_back(&mut self) -> Option<Call> {
        let next = self.queue.pop_front();
        if next.is_none() {
            self.busy -= 1;
        }
        next
    }
}

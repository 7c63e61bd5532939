//! The works written by hand for their one purpose, over a general event queue: the yardstick.
//!
//! Each has the least state that its work needs, draws from one generator, records every latency in a histogram, and
//! goes from event to event through the 4-ary heap of `sim-core`.

use std::collections::VecDeque;

use sim_core::heap::Heap;
use sim_core::histogram::Histogram;
use sim_core::random::Stream;
use sim_core::ziggurat::unit_exponential;

/// What a program did.
pub(crate) struct Done {
    /// Requests.
    pub(crate) requests: u64,
    /// Mean latency, s.
    pub(crate) mean_s: f64,
}

pub(crate) const SECOND: f64 = 1e9;

/// Time above, kind and index below: one word.
fn event(at: u64, sequence: &mut u64, what: u64) -> u128 {
    *sequence += 1;
    (at as u128) << 64 | (*sequence << 24 | what) as u128
}

/// M/M/1 at 80 % load.
pub(crate) fn work_a(requests: u64) -> Done {
    let mut stream = Stream::named(1, "work a");
    let mut pending: Heap<u128> = Heap::new();
    let mut queue: VecDeque<u64> = VecDeque::with_capacity(1024);
    let mut latency = Histogram::new();
    let mut sequence = 0;
    pending.push(event((unit_exponential(&mut stream) * SECOND / 0.8) as u64, &mut sequence, 0));
    while let Some(next) = pending.pop() {
        let now = (next >> 64) as u64;
        if next & 1 == 0 {
            queue.push_back(now);
            if queue.len() == 1 {
                pending.push(event(now + (unit_exponential(&mut stream) * SECOND) as u64, &mut sequence, 1));
            }
            pending.push(event(now + (unit_exponential(&mut stream) * SECOND / 0.8) as u64, &mut sequence, 0));
        } else {
            let Some(arrived) = queue.pop_front() else { break };
            latency.record(now - arrived);
            if latency.count() == requests {
                break;
            }
            if !queue.is_empty() {
                pending.push(event(now + (unit_exponential(&mut stream) * SECOND) as u64, &mut sequence, 1));
            }
        }
    }
    Done { requests, mean_s: latency.mean().unwrap_or(0.0) / SECOND }
}

/// What tells works B and C apart.
struct Shape {
    servers: u32,
    workers: u32,
    queue_max: usize,
    service_ns: f64,
    timeout_ns: u64,
    /// Mean gap of an open stream, or nothing for users who think.
    gap_ns: Option<f64>,
    users: u32,
    think_ns: f64,
    requests: u64,
}

pub(crate) const BACKOFF_NS: u64 = 20_000_000;
pub(crate) const RETRIES: u32 = 3;

const SEND: u64 = 0;
const DONE: u64 = 1;
const RETRY: u64 = 2;

/// A request under way: `attempt` changes whenever an attempt ends, so that a late answer or timeout is recognised.
#[derive(Clone, Copy, Default)]
pub(crate) struct Request {
    pub(crate) since: u64,
    pub(crate) attempt: u32,
    pub(crate) tries: u32,
}

struct Server {
    busy: u32,
    calls: u32,
    queue: VecDeque<(u32, u32)>,
}

/// Timeouts and retries behind a balancer that takes the server with the fewest calls.
pub(crate) fn work_b(requests: u64) -> Done {
    balanced(&Shape {
        servers: 10,
        workers: 4,
        queue_max: 100,
        service_ns: 1e7,
        timeout_ns: 50_000_000,
        gap_ns: Some(1e9 / 3400.0),
        users: 0,
        think_ns: 0.0,
        requests,
    })
}

/// A closed loop over a balancer that takes the better of two.
pub(crate) fn work_c(requests: u64) -> Done {
    balanced(&Shape {
        servers: 1000,
        workers: 4,
        queue_max: 1000,
        service_ns: 2e7,
        timeout_ns: 2_000_000_000,
        gap_ns: None,
        users: 100_000,
        think_ns: 1e8,
        requests,
    })
}

fn balanced(shape: &Shape) -> Done {
    let mut stream = Stream::named(1, "work b");
    let mut pending: Heap<u128> = Heap::new();
    // All timeouts are equally long, so they end in the order in which they began.
    let mut timeouts: VecDeque<(u64, u32, u32)> = VecDeque::with_capacity(1024);
    let mut requests: Vec<Request> = Vec::new();
    let mut free: Vec<u32> = Vec::new();
    let mut working: Vec<(u32, u32, u32)> = Vec::new();
    let mut idle: Vec<u32> = Vec::new();
    let server = || Server { busy: 0, calls: 0, queue: VecDeque::with_capacity(16) };
    let mut servers: Vec<Server> = (0..shape.servers).map(|_| server()).collect();
    let mut latency = Histogram::new();
    let mut sequence = 0;
    let mut ended = 0;
    let draw = |stream: &mut Stream, mean: f64| (unit_exponential(stream) * mean) as u64;
    match shape.gap_ns {
        Some(gap) => pending.push(event(draw(&mut stream, gap), &mut sequence, SEND << 22)),
        None => (0..shape.users).for_each(|_| {
            let at = draw(&mut stream, shape.think_ns);
            pending.push(event(at, &mut sequence, SEND << 22));
        }),
    }
    while ended < shape.requests {
        while timeouts.front().is_some_and(|(_, r, a)| requests[*r as usize].attempt != *a) {
            timeouts.pop_front();
        }
        let due = timeouts.front().map_or(u64::MAX, |t| t.0);
        let (mut sends, mut fails) = (None, None);
        let now;
        match pending.peek() {
            Some(next) if (next >> 64) as u64 <= due => {
                pending.pop();
                now = (next >> 64) as u64;
                let index = (next as u64 & 0x3f_ffff) as u32;
                match next as u64 >> 22 & 3 {
                    SEND => {
                        if let Some(gap) = shape.gap_ns {
                            pending.push(event(now + draw(&mut stream, gap), &mut sequence, SEND << 22));
                        }
                        let slot = free.pop().unwrap_or_else(|| {
                            requests.push(Request::default());
                            (requests.len() - 1) as u32
                        });
                        let request = &mut requests[slot as usize];
                        (request.since, request.tries) = (now, 0);
                        sends = Some(slot);
                    }
                    DONE => {
                        let (slot, attempt, at) = working[index as usize];
                        let server = &mut servers[at as usize];
                        server.calls -= 1;
                        match server.queue.pop_front() {
                            Some((next, attempt)) => {
                                working[index as usize] = (next, attempt, at);
                                let done = now + draw(&mut stream, shape.service_ns);
                                pending.push(event(done, &mut sequence, DONE << 22 | index as u64));
                            }
                            None => {
                                server.busy -= 1;
                                idle.push(index);
                            }
                        }
                        let request = &mut requests[slot as usize];
                        if request.attempt == attempt {
                            request.attempt += 1;
                            latency.record(now - request.since);
                            ended += 1;
                            free.push(slot);
                            if shape.gap_ns.is_none() {
                                let at = now + draw(&mut stream, shape.think_ns);
                                pending.push(event(at, &mut sequence, SEND << 22));
                            }
                        }
                    }
                    _ => sends = Some(index),
                }
            }
            _ => {
                let Some((at, slot, _)) = timeouts.pop_front() else { break };
                now = at;
                fails = Some(slot);
            }
        }
        if let Some(slot) = sends {
            let at = match shape.gap_ns {
                Some(_) => (0..servers.len()).min_by_key(|i| servers[*i].calls).unwrap_or(0),
                None => {
                    let a = stream.below(shape.servers as u64) as usize;
                    let b = stream.below(shape.servers as u64) as usize;
                    if servers[b].calls < servers[a].calls { b } else { a }
                }
            };
            let attempt = requests[slot as usize].attempt;
            let server = &mut servers[at];
            if server.busy < shape.workers {
                server.busy += 1;
                server.calls += 1;
                let index = idle.pop().unwrap_or_else(|| {
                    working.push((0, 0, 0));
                    (working.len() - 1) as u32
                });
                working[index as usize] = (slot, attempt, at as u32);
                let done = now + draw(&mut stream, shape.service_ns);
                pending.push(event(done, &mut sequence, DONE << 22 | index as u64));
                timeouts.push_back((now + shape.timeout_ns, slot, attempt));
            } else if server.queue.len() < shape.queue_max {
                server.calls += 1;
                server.queue.push_back((slot, attempt));
                timeouts.push_back((now + shape.timeout_ns, slot, attempt));
            } else {
                fails = Some(slot);
            }
        }
        if let Some(slot) = fails {
            let request = &mut requests[slot as usize];
            request.attempt += 1;
            if request.tries < RETRIES {
                let at = now + (BACKOFF_NS << request.tries);
                request.tries += 1;
                pending.push(event(at, &mut sequence, RETRY << 22 | slot as u64));
            } else {
                ended += 1;
                free.push(slot);
                if shape.gap_ns.is_none() {
                    pending.push(event(now + draw(&mut stream, shape.think_ns), &mut sequence, SEND << 22));
                }
            }
        }
    }
    Done { requests: ended, mean_s: latency.mean().unwrap_or(0.0) / SECOND }
}

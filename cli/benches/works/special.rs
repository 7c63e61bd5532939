//! Works A and B by hand without a general event queue: what one would write for this work and nothing else.
//!
//! What happens next is the least of a few times that are known. In A these are the next arrival and the next departure. In
//! B they are the next arrival, the departures of forty workers, and four lanes: timeouts are all equally long and so
//! are the first, second and third back-offs, so that each sort ends in the order in which it began. Nothing of the sort
//! is known of work C, where a hundred thousand users think for random times.

use std::array;
use std::collections::VecDeque;

use sim_core::histogram::Histogram;
use sim_core::random::Stream;
use sim_core::ziggurat::unit_exponential;

use crate::handwritten::{BACKOFF_NS, Done, RETRIES, Request, SECOND};

const NEVER: u64 = u64::MAX;

/// M/M/1 at 80 % load.
pub(crate) fn work_a(requests: u64) -> Done {
    let mut stream = Stream::named(1, "work a");
    let mut draw = |mean: f64| (unit_exponential(&mut stream) * mean) as u64;
    let mut queue: VecDeque<u64> = VecDeque::with_capacity(1024);
    let mut latency = Histogram::new();
    let (mut arrival, mut departure) = (draw(SECOND / 0.8), NEVER);
    while latency.count() < requests {
        if arrival <= departure {
            if queue.is_empty() {
                departure = arrival + draw(SECOND);
            }
            queue.push_back(arrival);
            arrival += draw(SECOND / 0.8);
        } else {
            let Some(since) = queue.pop_front() else { break };
            latency.record(departure - since);
            departure = if queue.is_empty() { NEVER } else { departure + draw(SECOND) };
        }
    }
    Done { requests, mean_s: latency.mean().unwrap_or(0.0) / SECOND }
}

const SERVERS: usize = 10;
const WORKERS: usize = 4;
const QUEUE_MAX: u64 = 100;
const GAP_NS: f64 = SECOND / 3400.0;
const SERVICE_NS: f64 = 1e7;
const TIMEOUT_NS: u64 = 50_000_000;

/// An attempt: the place of its request, and which attempt at it.
type Attempt = (u32, u32);

struct Server {
    /// When each worker is done, with whose it is: see [`tagged`].
    done: [u64; WORKERS],
    calls: [Attempt; WORKERS],
    queue: VecDeque<Attempt>,
}

/// A number that sorts like `value` and says whose it is.
fn tagged(value: u64, whose: usize) -> u64 {
    value << 8 | whose as u64
}

/// The least of some tagged numbers, found without a branch: value and whose.
fn least<const N: usize>(tagged: &[u64; N]) -> (u64, usize) {
    let least = tagged.iter().fold(NEVER, |least, one| least.min(*one));
    (least >> 8, (least & 0xff) as usize)
}

/// Timeouts and retries behind a balancer that takes the server with the fewest calls.
pub(crate) fn work_b(requests: u64) -> Done {
    let mut stream = Stream::named(1, "work b");
    let mut draw = |mean: f64| (unit_exponential(&mut stream) * mean) as u64;
    let mut servers: [Server; SERVERS] = array::from_fn(|_| Server {
        done: [NEVER; WORKERS],
        calls: [(0, 0); WORKERS],
        queue: VecDeque::with_capacity(128),
    });
    // Of each server: its calls, and when the first of its workers is done.
    let mut calls: [u64; SERVERS] = array::from_fn(|server| tagged(0, server));
    let mut firsts = [NEVER; SERVERS];
    let mut timeouts: VecDeque<(u64, Attempt)> = VecDeque::with_capacity(1024);
    let mut backoffs: [VecDeque<(u64, u32)>; RETRIES as usize] = array::from_fn(|_| VecDeque::with_capacity(64));
    // When the first back-off of each lane ends.
    let mut ends = [NEVER; RETRIES as usize];
    let mut under_way: Vec<Request> = Vec::new();
    let mut free: Vec<u32> = Vec::new();
    let mut latency = Histogram::new();
    let mut ended = 0;
    let mut arrival = draw(GAP_NS);
    while ended < requests {
        while timeouts.front().is_some_and(|(_, (slot, attempt))| under_way[*slot as usize].attempt != *attempt) {
            timeouts.pop_front();
        }
        let (departure, worker) = least(&firsts);
        let timeout = timeouts.front().map_or(NEVER, |t| t.0);
        let (backoff, lane) = least(&ends);
        let now = arrival.min(departure).min(timeout).min(backoff);
        let (mut sends, mut fails) = (None, None);
        if departure == now {
            let (at, place) = (worker / WORKERS, worker % WORKERS);
            let server = &mut servers[at];
            calls[at] -= tagged(1, 0);
            let (slot, attempt) = server.calls[place];
            server.done[place] = NEVER;
            if let Some(next) = server.queue.pop_front() {
                server.calls[place] = next;
                server.done[place] = tagged(now + draw(SERVICE_NS), worker);
            }
            firsts[at] = server.done.iter().fold(NEVER, |least, one| least.min(*one));
            let request = &mut under_way[slot as usize];
            if request.attempt == attempt {
                request.attempt += 1;
                latency.record(now - request.since);
                ended += 1;
                free.push(slot);
            }
        } else if arrival == now {
            arrival = now + draw(GAP_NS);
            let slot = free.pop().unwrap_or_else(|| {
                under_way.push(Request::default());
                (under_way.len() - 1) as u32
            });
            let request = &mut under_way[slot as usize];
            (request.since, request.tries) = (now, 0);
            sends = Some(slot);
        } else if timeout == now {
            fails = timeouts.pop_front().map(|(_, (slot, _))| slot);
        } else {
            sends = backoffs[lane].pop_front().map(|(_, slot)| slot);
            ends[lane] = backoffs[lane].front().map_or(NEVER, |(at, _)| tagged(*at, lane));
        }
        if let Some(slot) = sends {
            let (busy, at) = least(&calls);
            let server = &mut servers[at];
            let attempt = (slot, under_way[slot as usize].attempt);
            if busy < WORKERS as u64 + QUEUE_MAX {
                match server.done.iter().position(|done| *done == NEVER) {
                    Some(place) => {
                        server.calls[place] = attempt;
                        server.done[place] = tagged(now + draw(SERVICE_NS), at * WORKERS + place);
                        firsts[at] = firsts[at].min(server.done[place]);
                    }
                    None => server.queue.push_back(attempt),
                }
                calls[at] += tagged(1, 0);
                timeouts.push_back((now + TIMEOUT_NS, attempt));
            } else {
                fails = Some(slot);
            }
        }
        if let Some(slot) = fails {
            let request = &mut under_way[slot as usize];
            request.attempt += 1;
            if request.tries < RETRIES {
                let lane = request.tries as usize;
                let at = now + (BACKOFF_NS << lane);
                backoffs[lane].push_back((at, slot));
                ends[lane] = ends[lane].min(tagged(at, lane));
                request.tries += 1;
            } else {
                ended += 1;
                free.push(slot);
            }
        }
    }
    Done { requests: ended, mean_s: latency.mean().unwrap_or(0.0) / SECOND }
}

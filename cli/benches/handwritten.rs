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
pub struct Done {
    /// Requests.
    pub requests: u64,
    /// Mean latency, s.
    pub mean_s: f64,
}

const SECOND: f64 = 1e9;

/// Time above, kind and index below: one word.
fn event(at: u64, sequence: &mut u64, what: u64) -> u128 {
    *sequence += 1;
    (at as u128) << 64 | (*sequence << 24 | what) as u128
}

/// M/M/1 at 80 % load.
pub fn work_a() -> Done {
    let mut stream = Stream::named(1, "work a");
    let mut pending: Heap<u128> = Heap::new();
    let mut queue: VecDeque<u64> = VecDeque::with_capacity(1024);
    let mut latency = Histogram::new();
    let mut sequence = 0;
    let requests = 1_000_000;
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

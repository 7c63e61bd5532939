//! Sliding windows: counts over the last calls, or over the last while.
//!
//! Both hold `N` running counts and cost O(1) a call. A count window is exact. A time window slides in buckets: it
//! covers the current bucket and the ones before it, so that it is up to one bucket shorter than its span.

use std::collections::VecDeque;

use sim_core::{Span, Time};

/// Counts over the last `size` calls.
#[derive(Clone, Debug)]
pub struct CountWindow<const N: usize> {
    size: usize,
    /// Which counts each call belongs to, the oldest call first.
    calls: VecDeque<[bool; N]>,
    total: [u64; N],
}

impl<const N: usize> CountWindow<N> {
    /// An empty window over `size` calls, at least one.
    pub fn new(size: u32) -> Self {
        CountWindow { size: size.max(1) as usize, calls: VecDeque::new(), total: [0; N] }
    }

    /// Adds a call to the counts it belongs to; beyond `size` the oldest one leaves.
    pub fn add(&mut self, call: [bool; N]) {
        self.calls.push_back(call);
        self.total.iter_mut().zip(call).for_each(|(total, counts)| *total += u64::from(counts));
        self.trim();
    }

    fn trim(&mut self) {
        while self.calls.len() > self.size {
            let oldest = self.calls.pop_front().expect("it is not empty");
            self.total.iter_mut().zip(oldest).for_each(|(total, counted)| *total -= u64::from(counted));
        }
    }

    /// Another size. The newest calls stay.
    pub fn resize(&mut self, size: u32) {
        self.size = size.max(1) as usize;
        self.trim();
    }

    /// Forgets all calls.
    pub fn clear(&mut self) {
        self.calls.clear();
        self.total = [0; N];
    }

    /// The counts.
    pub fn total(&self) -> [u64; N] {
        self.total
    }
}

/// Counts over the last while, in buckets whose edges are whole multiples of their width.
#[derive(Clone, Debug)]
pub struct TimeWindow<const N: usize> {
    width: Span,
    /// The ring: bucket `n` stands at `n` modulo its length.
    buckets: Vec<[u64; N]>,
    /// The number of the bucket that the last known instant lies in.
    current: u64,
    total: [u64; N],
}

impl<const N: usize> TimeWindow<N> {
    /// An empty window over `buckets` buckets of `width` nanoseconds, at least one of each.
    pub fn new(now: Time, width: Span, buckets: usize) -> Self {
        let width = width.max(1);
        TimeWindow { width, buckets: vec![[0; N]; buckets.max(1)], current: now / width, total: [0; N] }
    }

    /// The width of a bucket, and how many there are.
    pub fn dimensions(&self) -> (Span, usize) {
        (self.width, self.buckets.len())
    }

    /// Where the current bucket ends.
    pub fn bucket_ends(&self) -> Time {
        (self.current + 1).saturating_mul(self.width)
    }

    fn index(&self, bucket: u64) -> usize {
        (bucket % self.buckets.len() as u64) as usize
    }

    /// Begins the next bucket; the oldest one leaves.
    pub fn next_bucket(&mut self) {
        self.current += 1;
        let index = self.index(self.current);
        let oldest = std::mem::replace(&mut self.buckets[index], [0; N]);
        self.total.iter_mut().zip(oldest).for_each(|(total, gone)| *total -= gone);
    }

    /// Goes on to the bucket of this instant.
    pub fn advance(&mut self, now: Time) {
        let bucket = now / self.width;
        if bucket.saturating_sub(self.current) >= self.buckets.len() as u64 {
            self.clear();
            self.current = bucket;
        }
        while self.current < bucket {
            self.next_bucket();
        }
    }

    /// Adds to the counts, in the bucket of this instant.
    pub fn add(&mut self, now: Time, counts: [u64; N]) {
        self.advance(now);
        let index = self.index(self.current);
        self.buckets[index].iter_mut().zip(counts).for_each(|(count, more)| *count += more);
        self.total.iter_mut().zip(counts).for_each(|(total, more)| *total += more);
    }

    /// Other dimensions. Of buckets of the same width the newest stay; otherwise the window starts empty.
    pub fn resize(&mut self, now: Time, width: Span, buckets: usize) {
        self.advance(now);
        let before = std::mem::replace(self, TimeWindow::new(now, width, buckets));
        if before.width != self.width {
            return;
        }
        let kept = self.buckets.len().min(before.buckets.len()) as u64;
        for bucket in (before.current + 1).saturating_sub(kept)..=before.current {
            let counts = before.buckets[before.index(bucket)];
            let index = self.index(bucket);
            self.buckets[index] = counts;
            self.total.iter_mut().zip(counts).for_each(|(total, more)| *total += more);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets.fill([0; N]);
        self.total = [0; N];
    }

    /// The counts as of the last known instant.
    pub fn total(&self) -> [u64; N] {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    #[test]
    fn a_count_window_agrees_with_a_list_of_calls() {
        let mut stream = Stream::named(1, "count window");
        let (mut window, mut size) = (CountWindow::<2>::new(10), 10);
        let mut calls: Vec<[bool; 2]> = Vec::new();
        for step in 0..5_000 {
            match stream.below(50) {
                0 => {
                    // What has left once does not come back.
                    calls.drain(..calls.len().saturating_sub(size));
                    size = 1 + stream.below(20) as usize;
                    window.resize(size as u32);
                    calls.drain(..calls.len().saturating_sub(size));
                }
                1 if stream.below(10) == 0 => {
                    window.clear();
                    calls.clear();
                }
                _ => {
                    let call = [stream.below(3) == 0, stream.below(2) == 0];
                    window.add(call);
                    calls.push(call);
                }
            }
            let last = &calls[calls.len().saturating_sub(size)..];
            let count = |of: usize| last.iter().filter(|call| call[of]).count() as u64;
            assert_eq!(window.total(), [count(0), count(1)], "step {step}");
        }
    }

    #[test]
    fn a_time_window_agrees_with_a_list_of_instants() {
        let mut stream = Stream::named(2, "time window");
        let (mut width, mut buckets) = (10, 6);
        let mut window = TimeWindow::<1>::new(0, width, buckets);
        let mut calls: Vec<Time> = Vec::new();
        let mut now = 0;
        for step in 0..10_000 {
            now += if stream.below(100) == 0 { stream.below(200) } else { stream.below(6) };
            let begins = |width: Span, buckets: usize| (now / width + 1).saturating_sub(buckets as u64) * width;
            match stream.below(200) {
                0 => {
                    // What has left once does not come back.
                    calls.retain(|at| *at >= begins(width, buckets));
                    buckets = 1 + stream.below(12) as usize;
                    calls.retain(|at| *at >= begins(width, buckets));
                    window.resize(now, width, buckets);
                }
                1 => {
                    width = 5 + stream.below(2) * 5;
                    if width != window.dimensions().0 {
                        calls.clear();
                    }
                    window.resize(now, width, buckets);
                }
                2..50 => window.advance(now),
                _ => {
                    window.add(now, [1]);
                    calls.push(now);
                }
            }
            window.advance(now);
            let count = calls.iter().filter(|at| **at >= begins(width, buckets)).count() as u64;
            assert_eq!(window.total(), [count], "step {step}");
            assert_eq!(window.bucket_ends(), (now / width + 1) * width);
        }
    }
}

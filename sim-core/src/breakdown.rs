//! Where requests spend their time.
//!
//! A sampled request keeps an account for each of its open calls: the time since the call was made, split into parts.
//! The events of a call determine what its latest stretch of time was spent on. When the call is answered, its parts
//! are added to its caller's account, so that the parts of the whole request add up exactly to its latency. Of parallel
//! branches, only the one that lets the caller continue counts, because the caller did not wait for the others.
//!
//! The sample of a group's requests is chosen by their keys and thins itself out: a request is sampled if its key ends
//! in a certain number of zero bits, and that number rises by one whenever the sample has grown too large. So every
//! request of the run had the same chance, however many there are, and the choice depends on nothing but the keys.

mod accounts;

pub(crate) use accounts::Accounts;

use crate::calls::GroupId;
use crate::time::Span;

/// Activities that take time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spent {
    /// Travelling to a callee and back.
    Network,
    /// Waiting for a worker, a turn on an event loop, or a blocking thread.
    Queue,
    /// Being served, possibly on cores shared with other calls.
    Service,
    /// Waiting for a pooled connection.
    PoolWait,
    /// Waiting for a rate or concurrency limit of a link.
    LimitWait,
    /// Opening a connection.
    Connect,
    /// Waiting before the next attempt (backoff).
    BackOff,
    /// Waiting for a lock.
    LockWait,
    /// Throttled because the CPU quota was spent.
    Throttled,
    /// Waiting for a call that was then given up.
    GivenUp,
    /// Waiting for other calls, or for another call's result, where several share one.
    Sharing,
}

/// A part of a request's time: an activity and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The activity.
    pub what: Spent,
    /// The component, or the link whose caller waited; for a call that was given up, its callee.
    pub place: GroupId,
}

/// A finished request of a sample.
#[derive(Clone, Copy, Debug)]
struct Request {
    latency: Span,
    /// Number of zero bits at the end of its key.
    zeros: u32,
    /// End of its parts; they begin where the previous request's end.
    end: u32,
}

/// Maximum number of sampled requests, open and finished, before the sample is thinned out.
const MOST: u64 = 8192;

/// Parts per request for which memory is reserved.
const PARTS: usize = 4;

/// A sample of a group's successful requests, with the parts of each.
#[derive(Clone, Debug, Default)]
pub struct Breakdown {
    /// Number of zero bits that a key must end in.
    zeros: u32,
    /// Requests begun, by the number of zero bits of their keys.
    begun: Vec<u64>,
    /// Requests begun that are still in the sample.
    taking: u64,
    requests: Vec<Request>,
    parts: Vec<(Part, Span)>,
}

/// Time spent by the sampled requests whose latency is near a quantile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The number of these requests.
    pub requests: u64,
    /// Sum of their latencies, ns.
    pub latency: u128,
    /// Sums of their parts, ns, ordered by activity and place; together they equal the latency.
    pub parts: Vec<(Part, u128)>,
}

impl Breakdown {
    /// Prepares for about this many requests: the sample is thinned out from the start as far as it certainly would be
    /// in the end, which avoids accounting for requests that would be dropped again.
    pub(crate) fn expecting(requests: f64) -> Breakdown {
        let times = (requests / MOST as f64).max(1.0) as u64;
        // The sample then fills up slowly, and should not reallocate repeatedly.
        let room = if times > 1 { MOST as usize } else { 0 };
        Breakdown {
            zeros: times.ilog2(),
            requests: Vec::with_capacity(room),
            parts: Vec::with_capacity(PARTS * room),
            ..Breakdown::default()
        }
    }

    /// Mask of the bits that must be zero in the key of a sampled request.
    pub(crate) fn mask(&self) -> u64 {
        (1 << self.zeros) - 1
    }

    /// Begins a sampled request.
    pub(crate) fn begin(&mut self, zeros: u32) {
        if self.begun.len() <= zeros as usize {
            self.begun.resize(zeros as usize + 1, 0);
        }
        self.begun[zeros as usize] += 1;
        self.taking += 1;
        while self.taking > MOST && self.zeros < 63 {
            self.taking -= self.begun.get(self.zeros as usize).copied().unwrap_or(0);
            self.zeros += 1;
            self.thin_out();
        }
    }

    /// Drops the requests whose keys do not end in enough zero bits, in place.
    fn thin_out(&mut self) {
        let (mut start, mut kept, mut parts) = (0, 0, 0);
        for index in 0..self.requests.len() {
            let request = self.requests[index];
            let own = start..request.end as usize;
            start = own.end;
            if request.zeros >= self.zeros {
                self.parts.copy_within(own.clone(), parts);
                parts += own.len();
                self.requests[kept] = Request { end: parts as u32, ..request };
                kept += 1;
            }
        }
        self.requests.truncate(kept);
        self.parts.truncate(parts);
    }

    /// Ends a sampled request that has been answered.
    pub(crate) fn end(&mut self, zeros: u32, latency: Span, parts: &[(Part, Span)]) {
        // It may have been thinned out in the meantime.
        if zeros >= self.zeros {
            self.parts.extend_from_slice(parts);
            self.requests.push(Request { latency, zeros, end: self.parts.len() as u32 });
        }
    }

    /// The number of requests held.
    pub fn requests(&self) -> u64 {
        self.requests.len() as u64
    }

    /// Whether the sample contains every request.
    pub fn is_complete(&self) -> bool {
        self.zeros == 0
    }

    /// The latency of each request and the sum of its parts, ns; a law requires them to be equal.
    pub fn sums(&self) -> impl Iterator<Item = (Span, Span)> + '_ {
        let mut start = 0;
        self.requests.iter().map(move |request| {
            let own = &self.parts[start..request.end as usize];
            start = request.end as usize;
            (request.latency, own.iter().map(|(_, span)| *span).sum())
        })
    }

    /// The requests with a latency between two quantiles of the sample, for each pair of quantiles (in thousandths, the
    /// first not above the second, both at most 1000), rounded outwards to whole requests.
    pub fn between(&self, quantiles: &[(usize, usize)]) -> Vec<Around> {
        let mut order: Vec<usize> = (0..self.requests.len()).collect();
        order.sort_by_key(|index| (self.requests[*index].latency, *index));
        let around = |(low, high): &(usize, usize)| {
            let (from, to) = (order.len() * low / 1000, (order.len() * high).div_ceil(1000));
            self.together(order.get(from..to).unwrap_or_default())
        };
        quantiles.iter().map(around).collect()
    }

    fn together(&self, chosen: &[usize]) -> Around {
        let mut around = Around::default();
        let mut parts = std::collections::BTreeMap::new();
        for index in chosen {
            let request = self.requests[*index];
            let start = index.checked_sub(1).map_or(0, |before| self.requests[before].end as usize);
            around.requests += 1;
            around.latency += u128::from(request.latency);
            for (part, span) in &self.parts[start..request.end as usize] {
                *parts.entry(*part).or_insert(0) += u128::from(*span);
            }
        }
        around.parts = parts.into_iter().collect();
        around
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DB: GroupId = GroupId(2);
    const SERVICE: Part = Part { what: Spent::Service, place: DB };

    #[test]
    fn a_sample_that_thins_itself_out_is_one_by_the_last_rule() {
        let mut sample = Breakdown::default();
        let keys: Vec<u64> = (0..100_000).map(crate::random::mix).collect();
        let mut taken = 0;
        for (number, key) in keys.iter().enumerate() {
            if key & sample.mask() == 0 {
                taken += 1;
                sample.begin(key.trailing_zeros());
                let latency = number as u64 + 1;
                sample.end(key.trailing_zeros(), latency, &[(SERVICE, latency)]);
            }
        }
        let kept: Vec<Span> = sample.requests.iter().map(|r| r.latency).collect();
        let by_rule = keys.iter().enumerate().filter(|(_, key)| **key & sample.mask() == 0);
        assert_eq!(kept, by_rule.map(|(number, _)| number as u64 + 1).collect::<Vec<_>>());
        assert!(sample.requests() <= MOST && sample.requests() > MOST / 4, "{}", sample.requests());
        assert!(taken < 4 * MOST, "{taken}");
        assert!(sample.sums().all(|(latency, parts)| latency == parts));
    }

    #[test]
    fn what_is_expected_makes_the_same_sample() {
        for requests in [100_u64, 10_000, 70_000, 1_000_000] {
            let (mut asked, mut told) = (Breakdown::default(), Breakdown::expecting(requests as f64));
            let mut taken = [0_u64; 2];
            for number in 0..requests {
                let key = crate::random::mix(number);
                for (sample, taken) in [&mut asked, &mut told].into_iter().zip(&mut taken) {
                    if key & sample.mask() == 0 {
                        *taken += 1;
                        sample.begin(key.trailing_zeros());
                        sample.end(key.trailing_zeros(), number, &[(SERVICE, number)]);
                    }
                }
            }
            assert!(asked.sums().eq(told.sums()) && asked.mask() == told.mask(), "{requests}");
            assert!(taken[1] < 2 * MOST, "{taken:?} of {requests} were accounted for");
        }
    }

    #[test]
    fn between_two_quantiles_lie_the_requests_of_those_ranks() {
        let mut sample = Breakdown::default();
        for latency in (1..=100).rev() {
            sample.begin(0);
            sample.end(0, latency, &[(SERVICE, latency)]);
        }
        let found = sample.between(&[(450, 550), (0, 1000)]);
        let middle = &found[0];
        assert_eq!((middle.requests, middle.latency), (10, (46..=55).sum()));
        assert_eq!(middle.parts, [(SERVICE, middle.latency)]);
        assert_eq!((found[1].requests, found[1].latency), (100, (1..=100).sum()));
        assert_eq!(Breakdown::default().between(&[(450, 550)]), [Around::default()]);
    }
}

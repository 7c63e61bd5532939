//! Where requests spend their time.
//!
//! A sampled request keeps an account for each of its open calls: the time since the call was made, split into parts. What
//! happens with the call says what its latest stretch of time was spent on; when it is answered, its parts become its
//! caller's, so that those of the whole request add up exactly to its latency. Of branches side by side, the one that
//! lets their caller go on counts, since nobody waited for the others.
//!
//! The sample of a group of requests is chosen by their keys and thins itself out: a request takes part if its key ends in
//! so many zero bits, and one more is asked for whenever the sample has grown too large. So every request of the run has
//! had the same chance, however many they turn out to be, and nothing but the keys decides.

mod accounts;

pub(crate) use accounts::Accounts;

use crate::calls::GroupId;
use crate::time::Span;

/// What time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spent {
    /// On the way to a callee and back.
    Network,
    /// Waiting for a worker, a turn on a loop, or a thread that may block.
    Queue,
    /// Being served, cores shared with others included.
    Service,
    /// Waiting for a connection out of a pool.
    PoolWait,
    /// Waiting until a limit of a link, of a rate or of calls under way, lets an attempt pass.
    LimitWait,
    /// Opening a connection.
    Connect,
    /// Waiting before the next attempt.
    BackOff,
    /// Waiting for a lock.
    LockWait,
    /// Standing still since the quota of the cores was spent.
    Throttled,
    /// Waiting for an answer that was then no longer waited for.
    GivenUp,
    /// Waiting for others, or for the call of another, where several share one.
    Sharing,
}

/// A share of a request's time: what it was spent on, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// What for.
    pub what: Spent,
    /// The component, or the link whose caller waited; of what was given up, who was waited for.
    pub place: GroupId,
}

/// One finished request of a sample.
#[derive(Clone, Copy, Debug)]
struct Request {
    latency: Span,
    /// How many zero bits its key ends in.
    zeros: u32,
    /// Where its parts end; they begin where those of the one before do.
    end: u32,
}

/// More sampled requests than this, under way and finished, are thinned out.
const MOST: u64 = 8192;

/// Room is made for so many parts of each.
const PARTS: usize = 4;

/// A sample of the requests of one group that were answered well, with the parts of each.
#[derive(Clone, Debug, Default)]
pub struct Breakdown {
    /// How many zero bits a key must end in.
    zeros: u32,
    /// Requests that were begun, by the zero bits of their keys …
    begun: Vec<u64>,
    /// … and how many of them take part.
    taking: u64,
    requests: Vec<Request>,
    parts: Vec<(Part, Span)>,
}

/// What those requests of a sample whose latency lies around a quantile spent their time on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// How many they are.
    pub requests: u64,
    /// Their latencies added up, ns.
    pub latency: u128,
    /// Their parts added up, ns, in the order of what and where: together they are the latency.
    pub parts: Vec<(Part, u128)>,
}

impl Breakdown {
    /// For about so many requests: it is thinned out from the start so far as they would certainly make it so in the end, which
    /// saves accounting for requests that are left out again.
    pub(crate) fn expecting(requests: f64) -> Breakdown {
        let times = (requests / MOST as f64).max(1.0) as u64;
        // It fills slowly then, and is not to ask for memory again and again.
        let room = if times > 1 { MOST as usize } else { 0 };
        Breakdown {
            zeros: times.ilog2(),
            requests: Vec::with_capacity(room),
            parts: Vec::with_capacity(PARTS * room),
            ..Breakdown::default()
        }
    }

    /// The bits that must be zero in the key of a request that takes part.
    pub(crate) fn mask(&self) -> u64 {
        (1 << self.zeros) - 1
    }

    /// A request that takes part begins.
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

    /// Leaves out whose keys do not end in enough zero bits, in place.
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

    /// A request that takes part has been answered.
    pub(crate) fn end(&mut self, zeros: u32, latency: Span, parts: &[(Part, Span)]) {
        // It may have been thinned out meanwhile.
        if zeros >= self.zeros {
            self.parts.extend_from_slice(parts);
            self.requests.push(Request { latency, zeros, end: self.parts.len() as u32 });
        }
    }

    /// How many requests it holds.
    pub fn requests(&self) -> u64 {
        self.requests.len() as u64
    }

    /// True where no request has been left out.
    pub fn is_complete(&self) -> bool {
        self.zeros == 0
    }

    /// The latency of each request and the sum of its parts, ns; a law says that they are equal.
    pub fn sums(&self) -> impl Iterator<Item = (Span, Span)> + '_ {
        let mut start = 0;
        self.requests.iter().map(move |request| {
            let own = &self.parts[start..request.end as usize];
            start = request.end as usize;
            (request.latency, own.iter().map(|(_, span)| *span).sum())
        })
    }

    /// The requests whose latency lies between two quantiles of the sample, for each pair of quantiles (thousandths, the
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

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

use crate::measure::GroupId;
use crate::time::{Span, Time};

/// What time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spent {
    /// On the way to a callee and back.
    Network,
    /// Waiting for a worker, or a turn on a loop.
    Queue,
    /// Being served, cores shared with others included.
    Service,
    /// Waiting for a connection out of a pool.
    PoolWait,
    /// Opening a connection.
    Connect,
    /// Waiting before the next attempt.
    BackOff,
    /// Waiting for a lock.
    LockWait,
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

/// The time of one open call of a sampled request.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// For a request: whose sample it belongs to, and how many zero bits its key ends in.
    pub(crate) root: Option<(GroupId, u32)>,
    begun: Time,
    /// Up to when its time is accounted for.
    until: Time,
    parts: Vec<(Part, Span)>,
    /// The branch that ended last, which becomes part of this when its caller goes on.
    branch: Option<Box<Account>>,
}

impl Account {
    /// That of a call made at `begun`.
    pub(crate) fn new(begun: Time, root: Option<(GroupId, u32)>) -> Account {
        Account { root, begun, until: begun, parts: Vec::new(), branch: None }
    }

    fn add(&mut self, part: Part, span: Span) {
        if span == 0 {
            return;
        }
        match self.parts.iter_mut().find(|(of, _)| *of == part) {
            Some((_, sum)) => *sum += span,
            None => self.parts.push((part, span)),
        }
    }

    fn add_until(&mut self, part: Part, at: Time) {
        self.add(part, at.saturating_sub(self.until));
        self.until = self.until.max(at);
    }

    /// What has not been accounted for until `now` was spent on this. `own` is who serves the call.
    pub(crate) fn spend(&mut self, own: GroupId, part: Part, now: Time) {
        if let Some(branch) = self.branch.take() {
            self.take_over(own, *branch);
        }
        self.add_until(part, now);
    }

    /// A call that was made for this one at `begun` has been given up: its callee was waited for in vain.
    pub(crate) fn give_up(&mut self, own: GroupId, child: &Account, callee: GroupId, now: Time) {
        self.spend(own, Part { what: Spent::Service, place: own }, child.begun.max(self.until));
        self.add_until(Part { what: Spent::GivenUp, place: callee }, now);
    }

    /// A call that was made for this one has been answered. Before it was made, this one was served.
    pub(crate) fn take(&mut self, own: GroupId, child: Account) {
        self.spend(own, Part { what: Spent::Service, place: own }, child.begun.max(self.until));
        self.take_over(own, child);
    }

    /// A branch has ended; it counts unless another ends before its caller goes on.
    pub(crate) fn join(&mut self, branch: Account) {
        self.branch = Some(Box::new(branch));
    }

    fn take_over(&mut self, own: GroupId, mut child: Account) {
        if let Some(branch) = child.branch.take() {
            child.take_over(own, *branch);
        }
        let service = Part { what: Spent::Service, place: own };
        if child.begun < self.until {
            // A part of its time is accounted for already, and nobody knows which of its parts that was.
            self.add_until(service, child.until);
            return;
        }
        self.add_until(service, child.begun);
        for (part, span) in child.parts {
            self.add(part, span);
        }
        self.until = child.until;
    }
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

/// A sample of the requests of one group that were answered well, with the parts of each.
#[derive(Clone, Debug, Default)]
pub struct Breakdown {
    /// How many zero bits a key must end in.
    zeros: u32,
    /// Requests that were begun, by the zero bits of their keys.
    begun: Vec<u64>,
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
        while self.zeros < 63 && self.begun[self.zeros as usize..].iter().sum::<u64>() > MOST {
            self.zeros += 1;
            self.thin_out();
            if self.begun.len() <= self.zeros as usize {
                self.begun.resize(self.zeros as usize + 1, 0);
            }
        }
    }

    fn thin_out(&mut self) {
        let requests = std::mem::take(&mut self.requests);
        let parts = std::mem::take(&mut self.parts);
        let mut start = 0;
        for request in requests {
            let own = &parts[start..request.end as usize];
            start = request.end as usize;
            if request.zeros >= self.zeros {
                self.parts.extend_from_slice(own);
                self.requests.push(Request { end: self.parts.len() as u32, ..request });
            }
        }
    }

    /// A request that takes part has been answered.
    pub(crate) fn end(&mut self, zeros: u32, account: Account) {
        // It may have been thinned out meanwhile.
        if zeros >= self.zeros {
            self.parts.extend(account.parts);
            let latency = account.until - account.begun;
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

    /// The requests whose latency lies between two quantiles of the sample (thousandths, `low` ≤ `high` ≤ 1000), rounded
    /// outwards to whole requests.
    pub fn between(&self, low: usize, high: usize) -> Around {
        let mut order: Vec<usize> = (0..self.requests.len()).collect();
        order.sort_by_key(|index| (self.requests[*index].latency, *index));
        let (from, to) = (order.len() * low / 1000, (order.len() * high).div_ceil(1000));
        let mut around = Around::default();
        let mut parts = std::collections::BTreeMap::new();
        for index in order.get(from..to).unwrap_or_default() {
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

    const API: GroupId = GroupId(1);
    const DB: GroupId = GroupId(2);

    fn part(what: Spent, place: GroupId) -> Part {
        Part { what, place }
    }

    fn answered(begun: Time, at: Time) -> Account {
        let mut account = Account::new(begun, None);
        account.spend(DB, part(Spent::Service, DB), at);
        account
    }

    #[test]
    fn what_was_not_spent_on_a_child_was_spent_on_service() {
        let mut call = Account::new(100, None);
        call.spend(API, part(Spent::Queue, API), 110);
        call.take(API, answered(130, 200));
        call.spend(API, part(Spent::Service, API), 205);
        let parts = [(part(Spent::Queue, API), 10), (part(Spent::Service, API), 25), (part(Spent::Service, DB), 70)];
        assert_eq!(call.parts, parts);
        assert_eq!(call.until - call.begun, 105);
    }

    #[test]
    fn the_branch_that_ends_last_before_its_caller_goes_on_counts() {
        let mut call = Account::new(0, None);
        call.join(answered(10, 50));
        call.join(answered(20, 30));
        call.spend(API, part(Spent::Service, API), 35);
        assert_eq!(call.parts, [(part(Spent::Service, API), 25), (part(Spent::Service, DB), 10)]);
    }

    #[test]
    fn of_calls_side_by_side_no_time_counts_twice() {
        let mut call = Account::new(0, None);
        call.take(API, answered(0, 50));
        call.take(API, answered(10, 40));
        call.take(API, answered(10, 80));
        assert_eq!(call.parts.iter().map(|(_, span)| span).sum::<u64>(), 80);
        assert_eq!(call.until, 80);
    }

    #[test]
    fn waiting_in_vain_is_given_up_where_it_was_waited_for() {
        let mut call = Account::new(0, None);
        let child = Account::new(5, None);
        call.give_up(API, &child, DB, 105);
        assert_eq!(call.parts, [(part(Spent::Service, API), 5), (part(Spent::GivenUp, DB), 100)]);
    }

    #[test]
    fn a_sample_that_thins_itself_out_is_one_by_the_last_rule() {
        let mut sample = Breakdown::default();
        let keys: Vec<u64> = (0..100_000).map(crate::random::mix).collect();
        let mut taken = 0;
        for (number, key) in keys.iter().enumerate() {
            if key & sample.mask() == 0 {
                taken += 1;
                sample.begin(key.trailing_zeros());
                sample.end(key.trailing_zeros(), answered(0, number as u64 + 1));
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
    fn between_two_quantiles_lie_the_requests_of_those_ranks() {
        let mut sample = Breakdown::default();
        for latency in (1..=100).rev() {
            sample.begin(0);
            sample.end(0, answered(0, latency));
        }
        let middle = sample.between(450, 550);
        assert_eq!((middle.requests, middle.latency), (10, (46..=55).sum()));
        assert_eq!(middle.parts, [(part(Spent::Service, DB), middle.latency)]);
        assert_eq!(Breakdown::default().between(450, 550), Around::default());
    }
}

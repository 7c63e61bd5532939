//! Traces of individual requests: every call made for a request, its start and end, and how its time was spent.
//!
//! Tracing is optional, and nothing outside this table depends on it: a run gives the same result with and without
//! tracing. As in [`crate::breakdown`], the key of a request decides whether it is traced. The key must end in a
//! certain number of zero bits, and that number rises by one whenever too many requests are traced, so every request of
//! the run has the same chance and the table stays small. Unlike in the breakdown, a call that its caller has given up
//! on is still followed; its later work benefits no caller.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::breakdown::{Part, Spent};
use crate::calls::GroupId;
use crate::outcome::Answer;
use crate::time::Time;

/// Traced requests above which the sample is thinned out.
pub const REQUESTS_MAX: usize = 512;
/// Calls recorded per request; further ones are dropped.
pub const CALLS_MAX: usize = 256;

/// A period of a call's time during which it was not waiting for another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The activity and its place.
    pub part: Part,
    /// Start of the stretch.
    pub from: Time,
    /// End of the stretch; later than `from`.
    pub until: Time,
}

/// A call, or a branch of one, made for a traced request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedCall {
    /// Index of the parent call within the request; `None` for the request itself.
    pub parent: Option<u32>,
    /// The group that serves the call.
    pub place: GroupId,
    /// True for an attempt after the first, and for all calls made on its behalf.
    pub is_retry: bool,
    /// When the call was made; for the request itself, its intended send time.
    pub begun: Time,
    /// When the caller gave up waiting.
    pub given_up: Option<Time>,
    /// When the call was answered or ended without an answer; `None` while it is open.
    pub ended: Option<Time>,
    /// The answer; `None` while the call is open, and if no answer ever came back.
    pub answer: Option<Answer>,
    /// How the call spent its own time, in chronological order.
    pub stretches: Vec<Stretch>,
    /// End of the time accounted for so far.
    until: Time,
}

impl TracedCall {
    /// A call with no time accounted for.
    pub fn new(parent: Option<u32>, place: GroupId, is_retry: bool, begun: Time) -> TracedCall {
        TracedCall {
            parent,
            place,
            is_retry,
            begun,
            given_up: None,
            ended: None,
            answer: None,
            stretches: Vec::new(),
            until: begun,
        }
    }

    /// Attributes the time up to `at` that is not yet accounted for to `part`.
    pub fn spend(&mut self, part: Part, at: Time) {
        if at > self.until {
            match self.stretches.last_mut() {
                Some(last) if last.part == part && last.until == self.until => last.until = at,
                _ => self.stretches.push(Stretch { part, from: self.until, until: at }),
            }
            self.until = at;
        }
    }
}

/// A traced request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedRequest {
    /// Its key.
    pub key: u64,
    /// The link of the workload that sent it.
    pub source: GroupId,
    /// The request itself and the calls made for it; each call comes after its parent.
    pub calls: Vec<TracedCall>,
    /// Whether calls are missing because there were too many.
    pub is_cut: bool,
}

/// All traced requests.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    /// Number of zero bits that a key must end in.
    zeros: u32,
    /// Traced requests by ordinal number.
    requests: BTreeMap<u64, Arc<TracedRequest>>,
    /// Request and row of each open call.
    open: BTreeMap<u32, (u64, u32)>,
    count: u64,
}

impl Traces {
    /// The traced requests, in the order in which they were sent.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = &Arc<TracedRequest>> {
        self.requests.values()
    }

    /// Begins a request that was due at `since` and waited at `source` until `now`.
    pub(crate) fn begin(&mut self, call: u32, key: u64, group: GroupId, source: GroupId, since: Time, now: Time) {
        if key.trailing_zeros() < self.zeros {
            return;
        }
        let mut first = TracedCall::new(None, group, false, since);
        first.spend(Part { what: Spent::Queue, place: source }, now);
        let request = TracedRequest { key, source: group, calls: vec![first], is_cut: false };
        self.requests.insert(self.count, Arc::new(request));
        self.open.insert(call, (self.count, 0));
        self.count += 1;
        while self.requests.len() > REQUESTS_MAX && self.zeros < 63 {
            self.zeros += 1;
            self.requests.retain(|_, request| request.key.trailing_zeros() >= self.zeros);
            self.open.retain(|_, (request, _)| self.requests.contains_key(request));
        }
    }

    /// Records a call or a branch made on behalf of another call.
    pub(crate) fn open(&mut self, call: u32, parent: u32, place: GroupId, is_retry: bool, now: Time) {
        let Some(&(number, row)) = self.open.get(&parent) else { return };
        let Some(request) = self.requests.get_mut(&number).map(Arc::make_mut) else { return };
        if request.calls.len() >= CALLS_MAX {
            request.is_cut = true;
            return;
        }
        request.calls.push(TracedCall::new(Some(row), place, is_retry, now));
        self.open.insert(call, (number, request.calls.len() as u32 - 1));
    }

    fn find(&mut self, call: u32) -> Option<(&mut TracedRequest, usize)> {
        let (number, row) = *self.open.get(&call)?;
        Some((Arc::make_mut(self.requests.get_mut(&number)?), row as usize))
    }

    /// Ends a stretch of a call that `own` serves.
    pub(crate) fn spend(&mut self, call: u32, own: GroupId, part: Part, now: Time) {
        if let Some((request, row)) = self.find(call) {
            request.calls[row].place = own;
            request.calls[row].spend(part, now);
        }
    }

    /// Records that the caller gave up on a call. Returns whether the call is traced and so still followed.
    pub(crate) fn give_up(&mut self, call: u32, now: Time) -> bool {
        let Some((request, row)) = self.find(call) else { return false };
        request.calls[row].given_up = Some(now);
        wait_until(request, row, now);
        true
    }

    /// Records that a call was answered or ended without an answer.
    pub(crate) fn end(&mut self, call: u32, answer: Option<Answer>, now: Time) {
        if let Some((request, row)) = self.find(call) {
            let ended = &mut request.calls[row];
            (ended.ended, ended.answer) = (Some(now), answer);
            if ended.given_up.is_none() {
                wait_until(request, row, now);
            }
        }
        self.open.remove(&call);
    }
}

/// Accounts for the caller's time: it served its own caller until it made this call, then waited until `now`.
fn wait_until(request: &mut TracedRequest, row: usize, now: Time) {
    let (begun, parent) = (request.calls[row].begun, request.calls[row].parent);
    if let Some(caller) = parent.and_then(|parent| request.calls.get_mut(parent as usize)) {
        caller.spend(Part { what: Spent::Service, place: caller.place }, begun);
        caller.until = caller.until.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    const CLIENT: GroupId = GroupId(0);
    const API: GroupId = GroupId(1);
    const DB: GroupId = GroupId(2);

    fn part(what: Spent, place: GroupId) -> Part {
        Part { what, place }
    }

    fn stretch(part: Part, from: Time, until: Time) -> Stretch {
        Stretch { part, from, until }
    }

    #[test]
    fn a_caller_is_served_before_and_after_it_waits_for_its_call() {
        let mut traces = Traces::default();
        traces.begin(7, 0, CLIENT, CLIENT, 100, 105);
        traces.open(8, 7, DB, false, 120);
        traces.spend(8, DB, part(Spent::Network, CLIENT), 121);
        traces.spend(8, DB, part(Spent::Service, DB), 140);
        traces.end(8, Some(Answer::new(Outcome::Ok, 0)), 140);
        traces.spend(7, API, part(Spent::Service, API), 150);
        traces.end(7, Some(Answer::new(Outcome::Ok, 0)), 150);
        let request = traces.requests().next().unwrap();
        let (root, call) = (&request.calls[0], &request.calls[1]);
        assert_eq!(
            root.stretches,
            [
                stretch(part(Spent::Queue, CLIENT), 100, 105),
                stretch(part(Spent::Service, CLIENT), 105, 120),
                stretch(part(Spent::Service, API), 140, 150)
            ]
        );
        let expected = [stretch(part(Spent::Network, CLIENT), 120, 121), stretch(part(Spent::Service, DB), 121, 140)];
        assert_eq!(call.stretches, expected);
        assert_eq!((root.place, call.parent, call.ended), (API, Some(0), Some(140)));
    }

    #[test]
    fn a_call_that_is_given_up_is_followed_on_and_its_caller_is_not_made_to_wait() {
        let mut traces = Traces::default();
        traces.begin(1, 0, CLIENT, CLIENT, 0, 0);
        traces.open(2, 1, API, false, 10);
        assert!(traces.give_up(2, 60));
        traces.open(3, 2, DB, true, 80);
        traces.end(3, None, 90);
        traces.spend(2, API, part(Spent::Service, API), 95);
        traces.end(2, Some(Answer::new(Outcome::Ok, 0)), 95);
        traces.end(1, Some(Answer::new(Outcome::Timeout, 0)), 70);
        let calls = &traces.requests().next().unwrap().calls;
        assert_eq!((calls[1].given_up, calls[1].ended, calls[2].parent), (Some(60), Some(95), Some(1)));
        assert_eq!(calls[0].stretches, [stretch(part(Spent::Service, CLIENT), 0, 10)]);
        assert!(!traces.give_up(2, 99), "it is over");
    }

    #[test]
    fn what_is_kept_is_chosen_by_the_last_rule_and_stays_small() {
        let mut traces = Traces::default();
        let keys: Vec<u64> = (0..50_000).map(crate::random::mix).collect();
        for (number, key) in keys.iter().enumerate() {
            traces.begin(number as u32, *key, CLIENT, CLIENT, number as u64, number as u64);
            traces.end(number as u32, None, number as u64 + 1);
        }
        let kept: Vec<u64> = traces.requests().map(|request| request.key).collect();
        let by_rule: Vec<u64> = keys.iter().copied().filter(|key| key.trailing_zeros() >= traces.zeros).collect();
        assert_eq!(kept, by_rule);
        assert!((REQUESTS_MAX / 4..=REQUESTS_MAX).contains(&kept.len()) && traces.open.is_empty());
    }

    #[test]
    fn calls_beyond_the_most_are_counted_as_missing() {
        let mut traces = Traces::default();
        traces.begin(0, 0, CLIENT, CLIENT, 0, 0);
        (1..=CALLS_MAX as u32).for_each(|call| traces.open(call, 0, API, true, 1));
        let request = traces.requests().next().unwrap();
        assert!(request.is_cut && request.calls.len() == CALLS_MAX);
    }
}

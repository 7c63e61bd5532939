//! Measures of a group of nodes (the replicas of one component, or one link), taken without its help.
//!
//! `all` counts every event at its own instant and feeds the time series. The totals, [`Measure::measured`], cover
//! exactly the calls that arrived at or after the end of the warm-up, whenever they end. Other calls are counted
//! separately, which is rarely necessary, so that an event is usually one count. The number in flight is integrated on
//! change, and the residence times of calls are summed, so that Little's law can be checked in exact integers at the
//! end.

use std::collections::BTreeMap;

use crate::breakdown::Breakdown;
use crate::gauge::Gauge;
use crate::histogram::Histogram;
use crate::outcome::{Answer, Outcome};
use crate::recorder::Recorder;
use crate::time::{Span, Time};

/// Counts of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that arrived.
    pub arrivals: u64,
    /// Arrivals caused by a retry or hedge, at any layer above.
    pub arrivals_by_retry: u64,
    /// Calls by outcome.
    pub outcomes: [u64; Outcome::COUNT],
    /// Calls answered ok or accepted, but after the group's deadline.
    pub late: u64,
    /// Calls answered ok or accepted in time that do not count as good, because they were only sent to poll for a
    /// result.
    pub aside: u64,
}

impl Counts {
    /// Calls that have been answered.
    pub fn completed(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Calls answered ok, accepted or degraded.
    pub fn answered_well(&self) -> u64 {
        self.outcomes[..=Outcome::Degraded as usize].iter().sum()
    }

    /// Calls answered by a fallback.
    pub fn degraded(&self) -> u64 {
        self.outcomes[Outcome::Degraded as usize]
    }

    /// Calls answered ok or accepted within the group's deadline.
    pub fn good(&self) -> u64 {
        self.outcomes[Outcome::Ok as usize] + self.outcomes[Outcome::Accepted as usize] - self.late - self.aside
    }

    /// The counts added since `earlier`.
    pub fn since(&self, earlier: &Counts) -> Counts {
        let mut outcomes = self.outcomes;
        for (now, then) in outcomes.iter_mut().zip(earlier.outcomes) {
            *now -= then;
        }
        Counts {
            arrivals: self.arrivals - earlier.arrivals,
            arrivals_by_retry: self.arrivals_by_retry - earlier.arrivals_by_retry,
            outcomes,
            late: self.late - earlier.late,
            aside: self.aside - earlier.aside,
        }
    }
}

/// All measures of one group.
#[derive(Clone, Debug)]
pub struct Measure {
    /// All events, each at its own instant.
    pub all: Counts,
    /// The part of `all` that is excluded from the totals: arrivals before the end of the warm-up, and their outcomes.
    early: Counts,
    /// The value of `all` at the end of the warm-up.
    before: Counts,
    /// Calls in flight.
    pub in_flight: Gauge,
    /// Residence times of ended calls, clipped to the time after the warm-up.
    pub residence: u128,
    /// Time from arrival to answer of successful calls, from the end of the warm-up on.
    pub latency: Recorder,
    /// The same for all other calls.
    pub latency_failed: Histogram,
    /// The same for calls answered with `client_error`.
    pub latency_refused: Histogram,
    /// The same by operation, if recorded: [`Measure::keep_ops`].
    by_op: Option<Box<[OfOp]>>,
    /// Waiting times of calls that got a worker (arrived after the warm-up).
    pub wait: Recorder,
    /// Failed calls by place and kind of their first cause, if recorded.
    pub causes: Option<BTreeMap<(u16, Outcome), u64>>,
    /// Time breakdown of a sample of the requests to this group, if recorded: [`Measure::keep_breakdown`].
    pub breakdown: Option<Box<Breakdown>>,
    /// Mask of the bits that are zero in the keys of sampled requests.
    pub(crate) sample_mask: u64,
    /// Expected number of measured requests.
    expected: f64,
    /// Maximum latency that counts as good, in nanoseconds.
    pub deadline: Span,
    /// Whether latencies and causes are recorded, or only counts (as for links, whose latencies are not reported).
    pub keeps_latency: bool,
    /// How long the call being taken up waited for a paused node; usually 0.
    pub(crate) stood: Span,
    measured_from: Time,
}

impl Measure {
    pub(crate) fn new() -> Measure {
        Measure {
            all: Counts::default(),
            early: Counts::default(),
            before: Counts::default(),
            in_flight: Gauge::new(0, 0),
            residence: 0,
            latency: Recorder::default(),
            latency_failed: Histogram::new(),
            latency_refused: Histogram::new(),
            by_op: None,
            wait: Recorder::default(),
            causes: None,
            breakdown: None,
            sample_mask: u64::MAX,
            expected: 0.0,
            deadline: Span::MAX,
            keeps_latency: true,
            stood: 0,
            measured_from: 0,
        }
    }

    /// Starts the totals.
    pub(crate) fn begin_measuring(&mut self, now: Time) {
        self.in_flight.reset(now);
        self.residence = 0;
        self.measured_from = now;
        self.early = self.all;
        self.before = self.all;
        self.latency.restart();
        self.latency_failed.clear();
        self.latency_refused.clear();
        self.by_op.iter_mut().flatten().for_each(OfOp::begin_measuring);
        self.wait.restart();
        if let Some(causes) = &mut self.causes {
            causes.clear();
        }
        if let Some(breakdown) = &mut self.breakdown {
            **breakdown = Breakdown::expecting(self.expected);
            self.sample_mask = breakdown.mask();
        }
    }

    /// Records a time breakdown of a sample of the requests to this group, from the end of the warm-up on. `expected`
    /// is the approximate number of requests; 0 if unknown.
    pub fn keep_breakdown(&mut self, expected: f64) {
        self.breakdown = Some(Box::default());
        self.expected = expected;
    }

    /// Also measures this many operations individually from now on.
    pub(crate) fn keep_ops(&mut self, ops: usize) {
        self.by_op = Some((0..ops).map(|_| OfOp::default()).collect());
    }

    /// Whether operations are measured individually.
    #[inline(always)]
    pub(crate) fn keeps_ops(&self) -> bool {
        self.by_op.is_some()
    }

    /// The measures of each operation, by number, if recorded.
    pub fn by_op(&self) -> Option<&[OfOp]> {
        self.by_op.as_deref()
    }

    /// Counts the end of a call for an operation; [`Measure::end`] must have been called for it.
    #[inline(never)]
    pub(crate) fn end_of_op(&mut self, op: u16, now: Time, since: Time, outcome: Outcome) {
        let (is_late, is_early) = (now - since > self.deadline, since < self.measured_from);
        if let Some(of_op) = self.by_op.as_mut().and_then(|ops| ops.get_mut(usize::from(op))) {
            of_op.end(now - since, outcome, is_late, is_early);
        }
    }

    /// Events since the end of the warm-up: ends of calls, whenever they arrived, and arrivals.
    pub fn since_warmup(&self) -> Counts {
        self.all.since(&self.before)
    }

    /// Start of the totals.
    pub fn measured_from(&self) -> Time {
        self.measured_from
    }

    /// Counts of calls that arrived at or after the end of the warm-up.
    pub fn measured(&self) -> Counts {
        self.all.since(&self.early)
    }

    #[inline(always)]
    pub(crate) fn arrive(&mut self, now: Time, by_retry: bool) {
        self.in_flight.up(now);
        self.all.arrivals += 1;
        if by_retry {
            self.all.arrivals_by_retry += 1;
        }
    }

    #[inline(always)]
    pub(crate) fn end(&mut self, now: Time, since: Time, answer: Answer) {
        let outcome = answer.outcome();
        let latency = now - since;
        self.in_flight.down(now);
        self.all.outcomes[outcome as usize] += 1;
        if since < self.measured_from {
            return self.end_early(now, latency, outcome);
        }
        self.residence += u128::from(latency);
        if latency > self.deadline {
            self.all.late += u64::from(outcome <= Outcome::Accepted);
        }
        if self.keeps_latency {
            if outcome.is_good() {
                self.latency.record(latency);
            } else {
                self.record_failure(latency, answer);
            }
        }
    }

    /// For a call that arrived before the end of the warm-up, only the rest of its residence time counts for the
    /// totals.
    #[cold]
    #[inline(never)]
    fn end_early(&mut self, now: Time, latency: Span, outcome: Outcome) {
        self.early.outcomes[outcome as usize] += 1;
        if outcome <= Outcome::Accepted && latency > self.deadline {
            self.all.late += 1;
            self.early.late += 1;
        }
        self.residence += u128::from(now - self.measured_from);
        if self.keeps_latency && outcome.is_good() {
            self.latency.record_beside(latency);
        }
    }

    #[inline(never)]
    fn record_failure(&mut self, latency: Span, answer: Answer) {
        self.latency_failed.record(latency);
        if answer.outcome() == Outcome::ClientError {
            self.latency_refused.record(latency);
        }
        if let Some(causes) = &mut self.causes {
            *causes.entry((answer.place(), answer.cause())).or_default() += 1;
        }
    }

    /// Excludes a call that has just ended from the good calls.
    pub(crate) fn set_aside(&mut self, now: Time, since: Time, op: u16, outcome: Outcome) {
        if outcome > Outcome::Accepted || now - since > self.deadline {
            return;
        }
        let is_early = since < self.measured_from;
        for counts in std::iter::once(&mut self.all).chain(is_early.then_some(&mut self.early)) {
            counts.aside += 1;
        }
        if let Some(of_op) = self.by_op.as_mut().and_then(|ops| ops.get_mut(usize::from(op))) {
            for counts in std::iter::once(&mut of_op.all).chain(is_early.then_some(&mut of_op.early)) {
                counts.aside += 1;
            }
        }
    }

    /// Records that a call gets a worker immediately on delivery.
    #[inline(always)]
    pub fn waited_for_nobody(&mut self, now: Time) {
        self.waited(now - self.stood, self.stood);
    }

    /// Records how long a call that arrived at `arrived` waited for a worker.
    #[inline]
    pub fn waited(&mut self, arrived: Time, span: Span) {
        if arrived >= self.measured_from {
            self.wait.record(span);
        }
    }
}

/// Measures of one operation of a group. Arrivals are not counted: they equal the ended plus the open calls.
#[derive(Clone, Debug, Default)]
pub struct OfOp {
    /// All ends of calls, each at its own instant.
    pub all: Counts,
    early: Counts,
    before: Counts,
    /// Time from arrival to answer of successful calls, from the end of the warm-up on.
    pub latency: Histogram,
    /// The same for all other calls.
    pub latency_failed: Histogram,
    /// The same for calls answered with `client_error`.
    pub latency_refused: Histogram,
}

impl OfOp {
    fn end(&mut self, latency: Span, outcome: Outcome, is_late: bool, is_early: bool) {
        let late = u64::from(is_late && outcome <= Outcome::Accepted);
        for counts in std::iter::once(&mut self.all).chain(is_early.then_some(&mut self.early)) {
            counts.outcomes[outcome as usize] += 1;
            counts.late += late;
        }
        if is_early {
            return;
        }
        match outcome {
            outcome if outcome.is_good() => self.latency.record(latency),
            outcome => {
                self.latency_failed.record(latency);
                if outcome == Outcome::ClientError {
                    self.latency_refused.record(latency);
                }
            }
        }
    }

    fn begin_measuring(&mut self) {
        (self.early, self.before) = (self.all, self.all);
        self.latency.clear();
        self.latency_failed.clear();
        self.latency_refused.clear();
    }

    /// Outcomes of calls that arrived at or after the end of the warm-up; arrivals are left out.
    pub fn measured(&self) -> Counts {
        self.all.since(&self.early)
    }

    /// Outcomes since the end of the warm-up, whenever the calls arrived; arrivals are left out.
    pub fn since_warmup(&self) -> Counts {
        self.all.since(&self.before)
    }
}

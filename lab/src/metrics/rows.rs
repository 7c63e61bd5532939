//! The figures that every workload, component, replica or link has: name, unit, meaning, and where a result keeps them.

use sim_core::figures::Unit;
use sim_core::{Figure, slots};

use crate::result::{ComponentResult, Latency, LinkResult, ReplicaResult, Table, WorkloadResult};

use Found::{Number, Outcomes, Times};
use Unit::{Count, Fraction, PerSecond, Seconds};

/// What a result has for a row.
pub(super) enum Found<'r> {
    /// A number; `None` where it cannot be known.
    Number(Option<f64>),
    /// A distribution of times.
    Times(&'r Latency),
    /// Counts by outcome.
    Outcomes(&'r Table<u64>),
}

/// A figure.
pub(super) struct Row<R: 'static> {
    /// Its path within its workload, component or link.
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    /// What it says, in a sentence.
    pub(super) doc: &'static str,
    /// Its value; `None` where a result does not have it at all.
    pub(super) find: fn(&R) -> Option<Found<'_>>,
}

const fn row<R>(name: &'static str, unit: Unit, doc: &'static str, find: fn(&R) -> Option<Found<'_>>) -> Row<R> {
    Row { name, unit, doc, find }
}

/// Of a figure that nodes declare.
const fn declared<R>(figure: &Figure, find: fn(&R) -> Option<Found<'_>>) -> Row<R> {
    Row { name: figure.name, unit: figure.unit, doc: figure.doc, find }
}

fn count<'r>(count: impl Into<u64>) -> Option<Found<'r>> {
    Some(Number(Some(count.into() as f64)))
}

fn number<'r>(value: f64) -> Option<Found<'r>> {
    Some(Number(Some(value)))
}

pub(super) const OF_WORKLOADS: &[Row<WorkloadResult>] = &[
    row("sent", Count, "Requests sent after the warm-up.", |w| count(w.sent)),
    row("completed", Count, "Requests sent after the warm-up that have ended.", |w| count(w.completed)),
    row("offered", PerSecond, "Requests sent per second.", |w| number(w.offered)),
    row("goodput", PerSecond, "Requests per second that ended ok or accepted within the deadline.", |w| {
        number(w.goodput)
    }),
    row(
        "latency",
        Seconds,
        "From the intended instant to the answer, of requests that ended ok, accepted or degraded.",
        |w| Some(Times(&w.latency)),
    ),
    row("latency_failed", Seconds, "From the intended instant to the end, of all other requests.", |w| {
        Some(Times(&w.latency_failed))
    }),
    row("outcomes", Count, "Requests by how they ended.", |w| Some(Outcomes(&w.outcomes))),
    row("breakdown.sampled", Count, "Requests whose time was broken down into parts.", |w| count(w.breakdown.sampled)),
    row("breakdown.p50", Seconds, "Mean latency of the sampled requests around the median.", |w| {
        Some(Number(w.breakdown.p50_s))
    }),
    row("breakdown.p99", Seconds, "Mean latency of the sampled requests around the 99th percentile.", |w| {
        Some(Number(w.breakdown.p99_s))
    }),
    row("attempts_per_request", Unit::Number, "Attempts made over requests sent.", |w| {
        Some(Number(w.attempts_per_request))
    }),
    row("in_flight", Count, "Requests under way, time average.", |w| number(w.in_flight)),
    row("in_flight_end", Count, "Requests under way at the end.", |w| count(w.in_flight_end)),
];

pub(super) const OF_COMPONENTS: &[Row<ComponentResult>] = &[
    row("replicas", Count, "Replicas at the end.", |c| count(c.replicas)),
    row("arrivals", Count, "Calls that arrived after the warm-up.", |c| count(c.arrivals)),
    row("completed", Count, "Calls that arrived after the warm-up and have been answered.", |c| count(c.completed)),
    declared(&slots::UTILIZATION, |c| Some(Number(c.utilization))),
    row("cpu", Fraction, "Share of the cores that is in use, time average; absent without cores.", |c| {
        Some(Number(c.cpu))
    }),
    row("in_flight", Count, "Calls under way, time average.", |c| number(c.in_flight)),
    row("in_flight_end", Count, "Calls under way at the end.", |c| count(c.in_flight_end)),
    declared(&slots::QUEUE_DEPTH, |c| number(c.queue.as_ref()?.depth)),
    declared(&slots::QUEUE_DEPTH_MAX, |c| count(c.queue.as_ref()?.depth_max)),
    declared(&slots::QUEUE_DEPTH_END, |c| count(c.queue.as_ref()?.depth_end)),
    row("queue.wait", Seconds, "How long calls waited for a worker or connection, of those that got one.", |c| {
        Some(Times(&c.queue.as_ref()?.wait))
    }),
    declared(&slots::QUEUE_OLDEST_AGE, |c| Some(Number(c.queue.as_ref()?.oldest_age_s))),
    row("latency", Seconds, "From arrival to answer, of calls answered ok, accepted or degraded.", |c| {
        Some(Times(&c.latency))
    }),
    row("outcomes", Count, "Calls by how they were answered.", |c| Some(Outcomes(&c.outcomes))),
    row(
        "retry_share",
        Fraction,
        "Share of the arrivals that a retry or hedge at any layer above brought about.",
        |c| Some(Number(c.retry_share)),
    ),
    row("amplification", Unit::Number, "1 / (1 − `retry_share`): how often retries multiply the load.", |c| {
        Some(Number(c.amplification))
    }),
    declared(&slots::WASTED_WORK, |c| Some(Number(c.wasted_work))),
];

pub(super) const OF_REPLICAS: &[Row<ReplicaResult>] = &[
    declared(&slots::UTILIZATION, |r| Some(Number(r.utilization))),
    row("cpu", Fraction, "Share of its cores that is in use, time average.", |r| Some(Number(r.cpu))),
    declared(&slots::QUEUE_DEPTH, |r| number(r.queue.as_ref()?.depth)),
    declared(&slots::QUEUE_DEPTH_MAX, |r| count(r.queue.as_ref()?.depth_max)),
    declared(&slots::QUEUE_DEPTH_END, |r| count(r.queue.as_ref()?.depth_end)),
    declared(&slots::QUEUE_OLDEST_AGE, |r| Some(Number(r.queue.as_ref()?.oldest_age_s))),
    declared(&slots::WASTED_WORK, |r| Some(Number(r.wasted_work))),
];

pub(super) const OF_LINKS: &[Row<LinkResult>] = &[
    row("calls", Count, "Logical calls made after the warm-up.", |l| count(l.calls)),
    row("attempts", Count, "Attempts, retries and hedges included.", |l| count(l.attempts)),
    row("outcomes", Count, "Attempts by how they ended for the caller.", |l| Some(Outcomes(&l.outcomes))),
    row("retries", Count, "Attempts that were retries.", |l| count(l.retries)),
    row("retries_refused", Count, "Retries that the budget refused.", |l| count(l.retries_refused)),
    row("hedges", Count, "Attempts that were hedges.", |l| count(l.hedges)),
    row("amplification", Unit::Number, "Attempts over logical calls.", |l| Some(Number(l.amplification))),
];

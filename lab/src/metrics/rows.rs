//! Where a result stores the figures that every workload, component, replica or link has.

use models::figures::{of_components, of_hosts, of_links, of_workloads};
use sim_core::{Figure, slots};

use crate::result::{
    ComponentOp, ComponentResult, HostsResult, Latency, LatencyAll, LinkResult, ReplicaResult, Table, WorkloadOp,
    WorkloadResult,
};

use Found::{All, Number, Outcomes, Times};

/// The value that a result has for a row.
pub(super) enum Found<'r> {
    /// A number; `None` where it cannot be known.
    Number(Option<f64>),
    /// A distribution of times.
    Times(&'r Latency),
    /// A distribution of times, some of which may be infinite.
    All(&'r LatencyAll),
    /// Counts by outcome.
    Outcomes(&'r Table<u64>),
}

/// A figure and the function that finds its value; `None` if a result does not have the figure at all.
pub(super) struct Row<R: 'static>(pub(super) &'static Figure, pub(super) fn(&R) -> Option<Found<'_>>);

fn count<'r>(count: impl Into<u64>) -> Option<Found<'r>> {
    Some(Number(Some(count.into() as f64)))
}

fn number<'r>(value: f64) -> Option<Found<'r>> {
    Some(Number(Some(value)))
}

pub(super) const OF_WORKLOADS: &[Row<WorkloadResult>] = &[
    Row(&of_workloads::SENT, |w| count(w.sent)),
    Row(&of_workloads::COMPLETED, |w| count(w.completed)),
    Row(&of_workloads::OFFERED, |w| number(w.offered)),
    Row(&of_workloads::GOODPUT, |w| number(w.goodput)),
    Row(&of_workloads::LATENCY, |w| Some(Times(&w.latency))),
    Row(&of_workloads::LATENCY_FAILED, |w| Some(Times(&w.latency_failed))),
    Row(&of_workloads::LATENCY_ALL, |w| Some(All(&w.latency_all))),
    Row(&of_workloads::COMPLETION_LATENCY, |w| Some(Times(&w.completion.as_ref()?.latency))),
    Row(&of_workloads::COMPLETION_LATENCY_ALL, |w| Some(All(&w.completion.as_ref()?.latency_all))),
    Row(&of_workloads::COMPLETION_FAILED, |w| count(w.completion.as_ref()?.failed)),
    Row(&of_workloads::COMPLETION_PENDING, |w| count(w.completion.as_ref()?.pending)),
    Row(&of_workloads::RESULT_LATENCY, |w| Some(Times(&w.result.as_ref()?.latency))),
    Row(&of_workloads::RESULT_LATENCY_ALL, |w| Some(All(&w.result.as_ref()?.latency_all))),
    Row(&of_workloads::RESULT_FAILED, |w| count(w.result.as_ref()?.failed)),
    Row(&of_workloads::RESULT_PENDING, |w| count(w.result.as_ref()?.pending)),
    Row(&of_workloads::SUCCESS, |w| Some(Number(w.success))),
    Row(&of_workloads::ERROR_RATE, |w| Some(Number(w.error_rate))),
    Row(&of_workloads::DEGRADED_SHARE, |w| Some(Number(w.degraded_share))),
    Row(&of_workloads::WITHIN_DEADLINE, |w| Some(Number(w.within_deadline))),
    Row(&of_workloads::WORST_WINDOW, |w| Some(Number(w.worst_window))),
    Row(&of_workloads::OUTCOMES, |w| Some(Outcomes(&w.outcomes))),
    Row(&of_workloads::LATE, |w| count(w.late)),
    Row(&of_workloads::SAMPLED, |w| count(w.breakdown.sampled)),
    Row(&of_workloads::BREAKDOWN_P50, |w| Some(Number(w.breakdown.p50_s))),
    Row(&of_workloads::BREAKDOWN_P99, |w| Some(Number(w.breakdown.p99_s))),
    Row(&of_workloads::ATTEMPTS_PER_REQUEST, |w| Some(Number(w.attempts_per_request))),
    Row(&of_workloads::IN_FLIGHT, |w| number(w.in_flight)),
    Row(&of_workloads::IN_FLIGHT_END, |w| count(w.in_flight_end)),
];

/// Figures of one operation of a workload.
pub(super) const OF_WORKLOAD_OPS: &[Row<WorkloadOp>] = &[
    Row(&of_workloads::SENT, |w| count(w.sent)),
    Row(&of_workloads::COMPLETED, |w| count(w.completed)),
    Row(&of_workloads::OFFERED, |w| number(w.offered)),
    Row(&of_workloads::GOODPUT, |w| number(w.goodput)),
    Row(&of_workloads::LATENCY, |w| Some(Times(&w.latency))),
    Row(&of_workloads::LATENCY_FAILED, |w| Some(Times(&w.latency_failed))),
    Row(&of_workloads::LATENCY_ALL, |w| Some(All(&w.latency_all))),
    Row(&of_workloads::COMPLETION_LATENCY, |w| Some(Times(&w.completion.as_ref()?.latency))),
    Row(&of_workloads::COMPLETION_LATENCY_ALL, |w| Some(All(&w.completion.as_ref()?.latency_all))),
    Row(&of_workloads::COMPLETION_FAILED, |w| count(w.completion.as_ref()?.failed)),
    Row(&of_workloads::COMPLETION_PENDING, |w| count(w.completion.as_ref()?.pending)),
    Row(&of_workloads::RESULT_LATENCY, |w| Some(Times(&w.result.as_ref()?.latency))),
    Row(&of_workloads::RESULT_LATENCY_ALL, |w| Some(All(&w.result.as_ref()?.latency_all))),
    Row(&of_workloads::RESULT_FAILED, |w| count(w.result.as_ref()?.failed)),
    Row(&of_workloads::RESULT_PENDING, |w| count(w.result.as_ref()?.pending)),
    Row(&of_workloads::SUCCESS, |w| Some(Number(w.success))),
    Row(&of_workloads::ERROR_RATE, |w| Some(Number(w.error_rate))),
    Row(&of_workloads::DEGRADED_SHARE, |w| Some(Number(w.degraded_share))),
    Row(&of_workloads::WITHIN_DEADLINE, |w| Some(Number(w.within_deadline))),
    Row(&of_workloads::OUTCOMES, |w| Some(Outcomes(&w.outcomes))),
    Row(&of_workloads::IN_FLIGHT_END, |w| count(w.in_flight_end)),
];

/// Figures of one operation of a component.
pub(super) const OF_COMPONENT_OPS: &[Row<ComponentOp>] = &[
    Row(&of_components::ARRIVALS, |c| count(c.arrivals)),
    Row(&of_components::COMPLETED, |c| count(c.completed)),
    Row(&of_components::LATENCY, |c| Some(Times(&c.latency))),
    Row(&of_components::OUTCOMES, |c| Some(Outcomes(&c.outcomes))),
];

/// Figures of a group of hosts.
pub(super) const OF_HOSTS: &[Row<HostsResult>] =
    &[Row(&of_hosts::COUNT, |h| count(h.count)), Row(&of_hosts::CPU, |h| Some(Number(h.cpu)))];

pub(super) const OF_COMPONENTS: &[Row<ComponentResult>] = &[
    Row(&of_components::REPLICAS, |c| count(c.replicas)),
    Row(&of_components::ARRIVALS, |c| count(c.arrivals)),
    Row(&of_components::COMPLETED, |c| count(c.completed)),
    Row(&slots::UTILIZATION, |c| Some(Number(c.utilization))),
    Row(&of_components::CPU, |c| Some(Number(c.cpu))),
    Row(&of_components::IN_FLIGHT, |c| number(c.in_flight)),
    Row(&of_components::IN_FLIGHT_END, |c| count(c.in_flight_end)),
    Row(&slots::QUEUE_DEPTH, |c| number(c.queue.as_ref()?.depth)),
    Row(&slots::QUEUE_DEPTH_MAX, |c| count(c.queue.as_ref()?.depth_max)),
    Row(&slots::QUEUE_DEPTH_END, |c| count(c.queue.as_ref()?.depth_end)),
    Row(&of_components::QUEUE_WAIT, |c| Some(Times(&c.queue.as_ref()?.wait))),
    Row(&slots::QUEUE_OLDEST_AGE, |c| Some(Number(c.queue.as_ref()?.oldest_age_s))),
    Row(&of_components::LATENCY, |c| Some(Times(&c.latency))),
    Row(&of_components::OUTCOMES, |c| Some(Outcomes(&c.outcomes))),
    Row(&of_components::RETRY_SHARE, |c| Some(Number(c.retry_share))),
    Row(&of_components::AMPLIFICATION, |c| Some(Number(c.amplification))),
    Row(&slots::WASTED_WORK, |c| Some(Number(c.wasted_work))),
];

pub(super) const OF_REPLICAS: &[Row<ReplicaResult>] = &[
    Row(&slots::UTILIZATION, |r| Some(Number(r.utilization))),
    Row(&of_components::CPU, |r| Some(Number(r.cpu))),
    Row(&slots::QUEUE_DEPTH, |r| number(r.queue.as_ref()?.depth)),
    Row(&slots::QUEUE_DEPTH_MAX, |r| count(r.queue.as_ref()?.depth_max)),
    Row(&slots::QUEUE_DEPTH_END, |r| count(r.queue.as_ref()?.depth_end)),
    Row(&slots::QUEUE_OLDEST_AGE, |r| Some(Number(r.queue.as_ref()?.oldest_age_s))),
    Row(&slots::WASTED_WORK, |r| Some(Number(r.wasted_work))),
];

pub(super) const OF_LINKS: &[Row<LinkResult>] = &[
    Row(&of_links::CALLS, |l| count(l.calls)),
    Row(&of_links::ATTEMPTS, |l| count(l.attempts)),
    Row(&of_links::OUTCOMES, |l| Some(Outcomes(&l.outcomes))),
    Row(&of_links::RETRIES, |l| count(l.retries)),
    Row(&of_links::RETRIES_REFUSED, |l| count(l.retries_refused)),
    Row(&of_links::HEDGES, |l| count(l.hedges)),
    Row(&of_links::AMPLIFICATION, |l| Some(Number(l.amplification))),
    Row(&of_links::IN_FLIGHT, |l| number(l.in_flight?)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::figures::Set;

    fn names<R>(rows: &[Row<R>]) -> Vec<&'static str> {
        rows.iter().map(|Row(figure, _)| figure.name).collect()
    }

    #[test]
    fn every_declared_figure_has_its_row() {
        let declared = |figures: Set| figures.iter().map(|figure| figure.name).collect::<Vec<_>>();
        assert_eq!(names(OF_WORKLOADS), declared(of_workloads::FIGURES));
        assert_eq!(names(OF_COMPONENTS), declared(of_components::FIGURES));
        assert_eq!(names(OF_LINKS), declared(of_links::FIGURES));
        assert_eq!(names(OF_HOSTS), declared(of_hosts::FIGURES));
        assert!(names(OF_WORKLOAD_OPS).iter().all(|name| names(OF_WORKLOADS).contains(name)));
        assert!(names(OF_COMPONENT_OPS).iter().all(|name| names(OF_COMPONENTS).contains(name)));
        assert!(names(OF_REPLICAS).iter().all(|name| names(OF_COMPONENTS).contains(name)));
    }
}

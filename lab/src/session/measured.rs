//! The engine's measurements of workloads, components, links and hosts, reported in the same form as figures of nodes, so
//! that each can be kept over time.

use models::figures::{of_components, of_hosts, of_links, of_workloads};
use sim_core::histogram::Histogram;
use sim_core::measure::{Counts, OfOp};
use sim_core::{Figures, GroupId, NodeId};

use super::{After, LinkPlace, Session};
use crate::latency_all::{self, Sent};

/// Measurements of requests, or of those for one operation.
pub(crate) struct Requests<'a> {
    /// Requests sent after the warm-up.
    pub(crate) measured: Counts,
    /// Events after the warm-up, whenever the request was sent.
    pub(crate) since_warmup: Counts,
    /// The whole run.
    pub(crate) all: Counts,
    pub(crate) latency: std::borrow::Cow<'a, Histogram>,
    pub(crate) latency_failed: &'a Histogram,
    refused: &'a Histogram,
    /// Ages of the requests that were sent after the warm-up and have not ended, ns.
    pub(super) ages: Vec<u64>,
}

impl Requests<'_> {
    /// Durations of all requests, ended or under way.
    pub(crate) fn sent(&self) -> Sent {
        Sent::new(self.ended(), self.ages.clone())
    }

    /// Durations of the requests that have ended.
    pub(crate) fn ended(&self) -> Histogram {
        latency_all::ended(&self.latency, self.refused, self.measured.completed())
    }

    fn figures(&self, into: &mut Figures) {
        let (all, completed) = (&self.all, self.all.completed());
        into.count(&of_workloads::SENT, all.arrivals);
        into.count(&of_workloads::COMPLETED, completed);
        into.count(&of_workloads::OFFERED, all.arrivals);
        into.count(&of_workloads::GOODPUT, all.good());
        into.times(&of_workloads::LATENCY, &self.latency);
        into.times(&of_workloads::LATENCY_FAILED, self.latency_failed);
        into.times(&of_workloads::LATENCY_ALL, &self.ended());
        into.ratio(&of_workloads::SUCCESS, all.answered_well(), completed);
        into.ratio(&of_workloads::ERROR_RATE, completed - all.answered_well(), completed);
        into.ratio(&of_workloads::DEGRADED_SHARE, all.degraded(), completed);
        into.ratio(&of_workloads::WITHIN_DEADLINE, all.good(), completed);
        into.outcomes(&of_workloads::OUTCOMES, &all.outcomes);
        into.level(&of_workloads::IN_FLIGHT_END, all.arrivals - completed);
    }
}

impl Session {
    /// The requests of a workload.
    pub(crate) fn requests_of(&self, workload: usize) -> Requests<'_> {
        let group = self.network.directory.workloads[workload].link.group;
        let measure = self.network.engine.group(group);
        Requests {
            measured: measure.measured(),
            since_warmup: measure.since_warmup(),
            all: measure.all,
            latency: measure.latency.histogram(),
            latency_failed: &measure.latency_failed,
            refused: &measure.latency_refused,
            ages: self.ages(group, None),
        }
    }

    /// The requests of a workload for one operation; `None` where operations are not distinguished.
    pub(crate) fn requests_of_op(&self, workload: usize, op: u16) -> Option<Requests<'_>> {
        let group = self.network.directory.workloads[workload].link.group;
        let of_op = self.of_op(group, op)?;
        let (open, ages) = (self.open_of_op(group, op).len() as u64, self.ages(group, Some(op)));
        let with = |counts: Counts, open: u64| Counts { arrivals: counts.completed() + open, ..counts };
        Some(Requests {
            measured: with(of_op.measured(), ages.len() as u64),
            since_warmup: of_op.since_warmup(),
            all: with(of_op.all, open),
            latency: std::borrow::Cow::Borrowed(&of_op.latency),
            latency_failed: &of_op.latency_failed,
            refused: &of_op.latency_refused,
            ages,
        })
    }

    pub(crate) fn of_op(&self, group: GroupId, op: u16) -> Option<&OfOp> {
        self.network.engine.group(group).by_op()?.get(usize::from(op))
    }

    /// Arrival times of a group's open calls for an operation.
    fn open_of_op(&self, group: GroupId, op: u16) -> Vec<u64> {
        let open = self.network.engine.open_in(group).into_iter();
        open.filter(|open| open.op == op).map(|open| open.since).collect()
    }

    /// Number of a group's open calls for an operation that arrived after the warm-up, and the number of all its open calls for
    /// that operation.
    pub(crate) fn open_calls(&self, group: GroupId, op: u16) -> (u64, u64) {
        let from = self.network.engine.group(group).measured_from();
        let open = self.open_of_op(group, op);
        (open.iter().filter(|since| **since >= from).count() as u64, open.len() as u64)
    }

    /// Ages of a group's open calls that arrived after the warm-up, of one operation if given.
    fn ages(&self, group: GroupId, op: Option<u16>) -> Vec<u64> {
        let engine = &self.network.engine;
        let from = engine.group(group).measured_from();
        let open = engine.open_in(group).into_iter();
        let counts = open.filter(|open| open.since >= from && op.is_none_or(|op| open.op == op));
        counts.map(|open| engine.now() - open.since).collect()
    }

    /// Adds the measurements of a workload, or of one of its operations.
    pub(super) fn measured_of_workload(&self, workload: usize, op: Option<u16>, into: &mut Figures) {
        let place = &self.network.directory.workloads[workload];
        for what in After::ALL {
            if let Some(after) = self.after(workload, what, op) {
                after.figures(what, into);
            }
        }
        if let Some(op) = op {
            return self.requests_of_op(workload, op).iter().for_each(|requests| requests.figures(into));
        }
        let requests = self.requests_of(workload);
        requests.figures(into);
        let engine = &self.network.engine;
        if let Some(link) = self.links.iter().find(|link| link.from == place.name) {
            let (attempts, _) = self.attempts_of(link);
            into.ratio(&of_workloads::ATTEMPTS_PER_REQUEST, attempts.attempts, requests.all.arrivals);
        }
        into.gauge(&of_workloads::IN_FLIGHT, &engine.group(place.link.group).in_flight, engine.now());
    }

    /// Adds the measurements of a component.
    pub(super) fn measured_of_component(&self, component: usize, into: &mut Figures) {
        let engine = &self.network.engine;
        let measure = engine.group(self.network.directory.components[component].group);
        into.level(&of_components::REPLICAS, u64::from(self.fleet(component).members()));
        into.count(&of_components::ARRIVALS, measure.all.arrivals);
        into.level(&of_components::IN_FLIGHT_END, measure.in_flight.value());
        into.times(&of_components::QUEUE_WAIT, &measure.wait.histogram());
        into.times(&of_components::LATENCY, &measure.latency.histogram());
        into.outcomes(&of_components::OUTCOMES, &measure.all.outcomes);
        into.ratio(&of_components::RETRY_SHARE, measure.all.arrivals_by_retry, measure.all.arrivals);
        let nodes: Vec<NodeId> = self.fleet(component).used().into_iter().map(|(_, node)| node).collect();
        self.measured_cpu(component, &nodes, into);
    }

    /// Adds the measurements of one replica.
    pub(super) fn measured_of_replica(&self, component: usize, number: usize, into: &mut Figures) {
        let found = self.fleet(component).used().into_iter().find(|(one, _)| *one as usize == number);
        if let Some((_, node)) = found {
            self.measured_cpu(component, &[node], into);
        }
    }

    fn measured_cpu(&self, component: usize, nodes: &[NodeId], into: &mut Figures) {
        let (busy, cores) = self.together_at(component, nodes, Figures::without_times()).cpu.unwrap_or_default();
        into.ratio(&of_components::CPU, busy, (cores * self.measured_ns() as f64) as u128);
    }

    /// Length of the measurement so far, ns.
    fn measured_ns(&self) -> u64 {
        self.network.engine.now() - if self.measuring { self.zero } else { 0 }
    }

    /// Adds the measurements of one operation of a component.
    pub(super) fn measured_of_component_op(&self, component: usize, op: u16, into: &mut Figures) {
        let group = self.network.directory.components[component].group;
        let Some(of_op) = self.of_op(group, op) else { return };
        let (_, open) = self.open_calls(group, op);
        into.count(&of_components::ARRIVALS, of_op.all.completed() + open);
        into.count(&of_components::COMPLETED, of_op.all.completed());
        into.times(&of_components::LATENCY, &of_op.latency);
        into.outcomes(&of_components::OUTCOMES, &of_op.all.outcomes);
    }

    /// Adds the measurements of a link.
    pub(super) fn measured_of_link(&self, link: &LinkPlace, into: &mut Figures) {
        let (attempts, _) = self.attempts_of(link);
        into.count(&of_links::CALLS, self.network.engine.group(link.group).all.arrivals);
        into.outcomes(&of_links::OUTCOMES, &attempts.outcomes);
        into.count(&of_links::RETRIES_REFUSED, attempts.retries_refused);
        into.count(&of_links::HEDGES, attempts.hedges);
    }

    /// Adds the measurements of a group of hosts, or of one of them.
    pub(super) fn measured_of_hosts(&self, group: usize, host: Option<usize>, into: &mut Figures) {
        let place = &self.network.directory.hosts[group];
        let wanted = |number: &u32| host.is_none_or(|host| host == *number as usize);
        let mut count = 0;
        for number in (0..place.count).filter(wanted) {
            let (busy, cores) = self.network.engine.machine_busy(place.first_machine + number);
            into.ratio(&of_hosts::CPU, busy, (cores * self.measured_ns() as f64) as u128);
            self.network.engine.figures_of_machine(place.first_machine + number, into);
            count += 1;
        }
        if host.is_none() {
            into.level(&of_hosts::COUNT, count);
        }
        self.report_of_hosts(group, host, into);
    }
}

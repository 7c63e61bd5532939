//! A run in progress at one instant.

use std::sync::Arc;

use super::{FaultWindow, HappenedAt};
use crate::figures::Own;
use crate::history::History;

/// The graph of calls; fixed for a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    /// Workloads first, then components, in file order.
    pub nodes: Vec<TopologyNode>,
    /// Links, in file order of their callers; then the edges from queues to their consumers and to their dead-letter queues.
    pub edges: Vec<TopologyEdge>,
}

/// A workload or a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopologyNode {
    /// Its name; `cluster/name` inside a cluster.
    pub name: String,
    /// Its kind; `workload` for a workload.
    pub kind: String,
    /// True for a workload.
    pub is_workload: bool,
    /// True for a queue that receives dead letters.
    pub takes_dead_letters: bool,
}

/// A link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopologyEdge {
    /// Index of the caller in [`Topology::nodes`].
    pub from: usize,
    /// Index of the callee there.
    pub to: usize,
    /// The link's name.
    pub link: String,
    /// Index in [`Snapshot::links`]; several edges share one link if it has several targets. An edge between a queue and its
    /// consumer or its dead-letter queue has an index without an entry there.
    pub index: usize,
    /// Its policies, outermost first: `total_timeout 1s`, `retry ×3`, `pool 20`.
    pub policies: Vec<String>,
}

/// A snapshot of a run.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The instant, s; negative during the warm-up.
    pub at_s: f64,
    /// The beginning of the run, s (minus the warm-up) …
    pub from_s: f64,
    /// … and its end.
    pub until_s: f64,
    /// True once the run has ended.
    pub finished: bool,
    /// Number of events so far.
    pub events: u64,
    /// The scenario's name.
    pub scenario: String,
    /// The graph of calls.
    pub topology: Arc<Topology>,
    /// Figures of the nodes, in the order of [`Topology::nodes`].
    pub nodes: Vec<NodeNow>,
    /// Figures of the links, by [`TopologyEdge::index`].
    pub links: Vec<LinkNow>,
    /// The hosts in file order, as of the end of the last window; only the first ones if there are many.
    pub hosts: Arc<Vec<HostNow>>,
    /// All faults of the scenario and all injected ones, whether past, active or to come.
    pub faults: Vec<FaultWindow>,
    /// Actions of operators, likewise.
    pub operator_events: Vec<FaultWindow>,
    /// Happenings so far, oldest first; if there are more than [`crate::happenings::SHOWN`], the first and the last of them.
    pub happened: Vec<Happened>,
    /// Number of happenings left out in between.
    pub happened_left_out: u64,
    /// Closed windows so far.
    pub series: History,
}

/// A happening.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Happened {
    /// Its kind: `replica_killed`, `target_unhealthy`.
    pub name: &'static str,
    /// Its place: a component, or a link, `CALLER.LINK`.
    pub place: String,
    /// The time and the parties.
    pub at: HappenedAt,
}

/// A workload or component now. Rates and shares are those of the last closed window, counts those of this instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeNow {
    /// Arrivals (requests sent) per second.
    pub arrivals: f64,
    /// Answers that were ok, accepted or degraded, per second (goodput for a workload).
    pub good: f64,
    /// Other answers per second.
    pub failed: f64,
    /// Calls under way.
    pub in_flight: u64,
    /// Calls waiting for a worker.
    pub queue: u64,
    /// Bound of that queue; `None` if it has none.
    pub queue_max: Option<u64>,
    /// Share of its workers or connections that is held.
    pub utilization: Option<f64>,
    /// 1 / (1 − share of retries among arrivals).
    pub amplification: Option<f64>,
    /// Share of busy time spent for callers who have given up.
    pub wasted_work: Option<f64>,
    /// Median latency, s (workloads only).
    pub latency_p50_s: Option<f64>,
    /// 99th percentile of the latency, s (workloads only).
    pub latency_p99_s: Option<f64>,
    /// Number of replicas that are up …
    pub replicas_up: u32,
    /// … out of this number.
    pub replicas: u32,
    /// Its replicas, if there are several but not too many to show.
    pub each: Vec<ReplicaNow>,
    /// Workers or connections held now, and their number; `None` if unlimited.
    pub slots: Option<(u64, u64)>,
    /// Names of the faults acting on it now.
    pub faults: Vec<String>,
    /// Figures that its kind declares.
    pub own: Own,
}

/// A replica now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReplicaNow {
    /// False while the replica is down.
    pub is_up: bool,
    /// Share of its workers or connections that is held; `None` where unlimited.
    pub held: Option<f64>,
    /// Calls waiting for a worker.
    pub queue: u64,
}

/// A host at the end of the last window. Rates and shares are those of that window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostNow {
    /// Its name; `web[3]` if the group has several hosts.
    pub name: String,
    /// Its cores …
    pub cores: f64,
    /// … and those left by faults and spent credits.
    pub cores_left: f64,
    /// Share of its cores in use.
    pub cpu: f64,
    /// Tasks running on or waiting for a core.
    pub runnable: u64,
    /// Context switches per second; `None` without a `scheduler`.
    pub switches: Option<f64>,
    /// Cores kept busy by context switches; `None` without a `scheduler`.
    pub switch_cpu: Option<f64>,
    /// CPU credits, s; `None` without any.
    pub credits_s: Option<f64>,
    /// Memory in use, bytes; `None` where it is not modelled.
    pub memory: Option<u64>,
    /// Memory of the host, bytes; `None` without `memory`.
    pub memory_size: Option<u64>,
    /// The components with replicas on it, in file order.
    pub components: Vec<OnHost>,
}

/// The replicas of a component on a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnHost {
    /// Index in [`Topology::nodes`].
    pub node: usize,
    /// Replicas on the host.
    pub replicas: u32,
    /// Cores in use by them.
    pub cores: f64,
    /// Their tasks running on or waiting for a core.
    pub runnable: u64,
    /// Sum of their quotas, in cores; `None` without `cpu.limit`.
    pub limit: Option<f64>,
    /// Share of their quota periods in which they were throttled; `None` without `cpu.limit`.
    pub throttled: Option<f64>,
    /// Memory in use, bytes; `None` where it is not modelled.
    pub memory: Option<u64>,
}

/// A link now. Rates are those of the last closed window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkNow {
    /// Attempts per second.
    pub attempts: f64,
    /// Retries per second.
    pub retries: f64,
    /// Attempts per second that failed.
    pub failed: f64,
    /// Attempts per logical call.
    pub amplification: Option<f64>,
    /// Figures that its policies declare.
    pub own: Own,
    /// Calls under way on the link.
    pub in_flight: u64,
}

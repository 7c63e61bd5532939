//! A run in progress, as it stands at one instant.

use std::sync::Arc;

use super::{FaultWindow, HappenedAt};
use crate::figures::Own;
use crate::history::History;

/// What calls what; fixed for a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    /// Workloads first, then components, in file order.
    pub nodes: Vec<TopologyNode>,
    /// Links, in file order of their callers; then those who consume, from their queues, and where dead letters go.
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
    /// True for a queue to which others send what has failed for good.
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
    /// Index in [`Snapshot::links`]; several edges share one link where it has several targets. There is none of that index
    /// between a queue and those who consume from it, or where its dead letters go.
    pub index: usize,
    /// Its policies in words, outermost first: `total_timeout 1s`, `retry ×3`, `pool 20`.
    pub policies: Vec<String>,
}

/// A run as it stands at one instant.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The instant, s; negative during the warm-up.
    pub at_s: f64,
    /// Where the run begins, s (minus the warm-up) …
    pub from_s: f64,
    /// … and where it ends.
    pub until_s: f64,
    /// True at the end.
    pub finished: bool,
    /// Events so far.
    pub events: u64,
    /// The scenario's name.
    pub scenario: String,
    /// What calls what.
    pub topology: Arc<Topology>,
    /// Figures of the nodes, in the order of [`Topology::nodes`].
    pub nodes: Vec<NodeNow>,
    /// Figures of the links, by [`TopologyEdge::index`].
    pub links: Vec<LinkNow>,
    /// The hosts in file order, as they stood when the last window closed; of many the first.
    pub hosts: Arc<Vec<HostNow>>,
    /// All faults of the scenario and those injected, whether past, acting or to come.
    pub faults: Vec<FaultWindow>,
    /// What operators do in it, likewise.
    pub operator_events: Vec<FaultWindow>,
    /// What has happened so far, oldest first: of more than [`crate::happenings::SHOWN`] the first and the last.
    pub happened: Vec<Happened>,
    /// How many more there were in between.
    pub happened_left_out: u64,
    /// Closed windows so far.
    pub series: History,
}

/// Something that has happened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Happened {
    /// What: `replica_killed`, `target_unhealthy`.
    pub name: &'static str,
    /// Where: a component, or a link, `CALLER.LINK`.
    pub place: String,
    /// When, and to whom.
    pub at: HappenedAt,
}

/// A workload or component now. Rates and shares are those of the last closed window, counts are of this instant.
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
    /// The bound of that queue.
    pub queue_max: Option<u64>,
    /// Share of what limits it that is held.
    pub utilization: Option<f64>,
    /// 1 / (1 − share of retries among arrivals).
    pub amplification: Option<f64>,
    /// Share of busy time spent for callers who have given up.
    pub wasted_work: Option<f64>,
    /// Median latency, s (workloads only).
    pub latency_p50_s: Option<f64>,
    /// 99th percentile of the latency, s (workloads only).
    pub latency_p99_s: Option<f64>,
    /// Replicas that are up …
    pub replicas_up: u32,
    /// … of how many.
    pub replicas: u32,
    /// Each of them, where there are several and not too many to be told apart.
    pub each: Vec<ReplicaNow>,
    /// Workers or connections held now and how many there are; `None` where unlimited.
    pub slots: Option<(u64, u64)>,
    /// Names of the faults that act on it now.
    pub faults: Vec<String>,
    /// Figures that its kind declares.
    pub own: Own,
}

/// A replica now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReplicaNow {
    /// False while it is down.
    pub is_up: bool,
    /// Share of its workers or connections that is held; `None` where unlimited.
    pub held: Option<f64>,
    /// Calls waiting for a worker.
    pub queue: u64,
}

/// A host when the last window closed. Rates and shares are those of the window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostNow {
    /// Its name; `web[3]` where the group has several.
    pub name: String,
    /// Its cores …
    pub cores: f64,
    /// … and those that faults and spent credits leave of them.
    pub cores_left: f64,
    /// Share of its cores in use.
    pub cpu: f64,
    /// Tasks that run on or wait for a core.
    pub runnable: u64,
    /// Context switches per second; `None` without a `scheduler`.
    pub switches: Option<f64>,
    /// Cores that context switches keep busy; `None` without a `scheduler`.
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
    /// Replicas there.
    pub replicas: u32,
    /// Cores that they use.
    pub cores: f64,
    /// Tasks of theirs that run on or wait for a core.
    pub runnable: u64,
    /// Cores of their quotas together; `None` without `cpu.limit`.
    pub limit: Option<f64>,
    /// Share of their periods in which they were throttled; `None` without `cpu.limit`.
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
    /// Calls under way on it.
    pub in_flight: u64,
}

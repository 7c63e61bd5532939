//! Plain data: the result of a finished run, and the snapshot of a run in progress.
//!
//! [`RunResult`] is the source of reports, exports and the JSON format; its names are the metric names of the scenario
//! language. [`Snapshot`] is the equivalent for a run in progress, and the terminal UI draws it. Neither knows the types of
//! components: figures specific to a kind travel under their names.
//!
//! Units: seconds for times (`_s`), requests per second for rates, fractions between 0 and 1, counts for the rest.
//! Unknown values are `None`, written as `null`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sim_core::histogram::Histogram;

use crate::figures::Own;

mod live;

pub use crate::figures::Latency;
pub use crate::latency_all::LatencyAll;
pub use crate::series::Series;
pub use crate::table::Table;
pub use live::{
    Happened, HostNow, LinkNow, NodeNow, OnHost, ReplicaNow, Snapshot, Topology, TopologyEdge, TopologyNode,
};

/// The complete result of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Version of this format; always 1.
    pub format: u32,
    /// The program that produced it.
    pub tool: Tool,
    /// The scenario that was run.
    pub scenario: ScenarioInfo,
    /// Length and end of the run.
    pub run: RunInfo,
    /// What the callers saw, by workload.
    pub workloads: Table<WorkloadResult>,
    /// Goodput of all workloads together, requests per second.
    pub goodput: f64,
    /// Figures of the components, by name.
    pub components: Table<ComponentResult>,
    /// What the callers of each link saw: by calling component or workload, then by link.
    pub links: Table<Table<LinkResult>>,
    /// Figures of the groups of hosts.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub hosts: Table<HostsResult>,
    /// The figures over time.
    pub series: Series,
    /// The faults that struck.
    pub faults: Vec<FaultWindow>,
    /// Actions of operators, in the same form; missing if there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<FaultWindow>,
    /// Happenings, the warm-up included, by place and kind; missing if there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub happenings: Vec<Happenings>,
    /// The objectives and whether they hold, in the order of the scenario.
    #[serde(default)]
    pub objectives: Vec<ObjectiveResult>,
    /// Whether all objectives hold; `None` if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The times whose percentiles are metrics, ns, by metric path without its last part. Used to pool runs; not serialised.
    #[serde(skip)]
    pub times: BTreeMap<String, Arc<Histogram>>,
    /// Warnings to read before relying on the figures.
    pub warnings: Vec<String>,
    /// Confidence intervals, if there was more than one run. The rest of the result is then that of replication 0, except that
    /// objectives and breakdowns (`workloads.*.breakdown`) cover all replications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replications: Option<Replications>,
}

/// The combined result of several independent runs of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replications {
    /// Number of runs.
    pub n: usize,
    /// True if the program was stopped before the requested number of runs.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut_short: bool,
    /// Mean and half-width by metric.
    pub intervals: Table<crate::statistics::Interval>,
}

pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// Name and version of the program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Always `brownout`.
    pub name: String,
    /// Semantic version.
    pub version: String,
}

/// Identifies the scenario that was run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScenarioInfo {
    /// The scenario's `name`, or its file name if it has none.
    pub name: String,
    /// The scenario's `description`.
    pub description: Option<String>,
    /// File name without folders, or `@name` for a built-in scenario.
    pub source: String,
    /// Digest of the scenario after variants and overrides, 16 hexadecimal digits.
    pub hash: String,
    /// The seed.
    pub seed: u64,
    /// The variant that was applied.
    pub variant: Option<String>,
    /// The overrides of the command line, as given.
    pub overrides: Vec<String>,
}

/// Length and progress of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Simulated time after the warm-up, s. For `until: idle`, the time of the last event.
    pub duration_s: f64,
    /// Length of the warm-up, s.
    pub warmup_s: f64,
    /// Number of events simulated.
    pub events: u64,
    /// Real time, s. This and `events_per_s` are the only values that differ between identical runs.
    pub wall_s: f64,
    /// Events per second of real time.
    pub events_per_s: f64,
    /// False if the run was interrupted.
    pub finished: bool,
}

/// What one workload's callers saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkloadResult {
    /// Requests sent after the warm-up.
    pub sent: u64,
    /// Requests of these that have ended.
    pub completed: u64,
    /// Whether it waits for answers before it sends more (closed loops, connections, sessions), so that a slow system reduces
    /// its own load.
    #[serde(default)]
    pub waits_for_answers: bool,
    /// Requests per second offered: `sent` over the duration.
    pub offered: f64,
    /// Requests per second that ended ok or accepted within the deadline.
    pub goodput: f64,
    /// Time from the intended instant to the reply, for requests that ended ok, accepted or degraded.
    pub latency: Latency,
    /// The same for requests that ended otherwise.
    pub latency_failed: Latency,
    /// The same for all requests sent; objectives compare these with their bounds.
    #[serde(default)]
    pub latency_all: LatencyAll,
    /// When all work triggered by requests was done; `None` if none continues after the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<Afterwards>,
    /// When polling clients received the result; `None` if no client polls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Afterwards>,
    /// Share of the ended requests that ended ok, accepted or degraded; `None` if none has ended.
    #[serde(default)]
    pub success: Option<f64>,
    /// Share of the ended requests that ended otherwise.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// Share of the ended requests that a fallback answered.
    #[serde(default)]
    pub degraded_share: Option<f64>,
    /// Share of the ended requests that ended ok or accepted within the deadline.
    #[serde(default)]
    pub within_deadline: Option<f64>,
    /// Lowest goodput of any window, per second; `None` if no whole window was measured.
    #[serde(default)]
    pub worst_window: Option<f64>,
    /// The same by operation, if there are several.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub ops: Table<WorkloadOp>,
    /// Requests by outcome.
    pub outcomes: Table<u64>,
    /// Requests that ended ok or accepted, but after the deadline.
    #[serde(default)]
    pub late: u64,
    /// Failed requests by first cause and place, the most frequent first.
    #[serde(default)]
    pub causes: Vec<FirstCause>,
    /// How a sample of the successfully answered requests spent their time.
    #[serde(default)]
    pub breakdown: Breakdown,
    /// Attempts made per completed request.
    pub attempts_per_request: Option<f64>,
    /// Requests in flight, time average.
    pub in_flight: f64,
    /// Requests in flight at the end.
    pub in_flight_end: u64,
    /// Figures that workloads declare (`sessions`).
    #[serde(flatten)]
    pub own: Own,
}

/// A process that ends after requests are answered, with times counted from when they were due to be sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Afterwards {
    /// Times of the successes.
    pub latency: Latency,
    /// Times of all.
    pub latency_all: LatencyAll,
    /// Number of failures.
    pub failed: u64,
    /// Number still under way at the end.
    pub pending: u64,
}

/// Figures of one operation as its callers saw them, defined like those of the workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkloadOp {
    /// Requests sent after the warm-up.
    pub sent: u64,
    /// Requests of these that have ended.
    pub completed: u64,
    /// Requests per second offered.
    pub offered: f64,
    /// Requests per second that ended ok or accepted within the deadline.
    pub goodput: f64,
    /// Latency of requests that ended ok, accepted or degraded.
    pub latency: Latency,
    /// Latency of requests that ended otherwise.
    pub latency_failed: Latency,
    /// Latency of all requests.
    pub latency_all: LatencyAll,
    /// When all work triggered by requests was done; `None` if none continues after the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<Afterwards>,
    /// When polling clients received the result; `None` if no client polls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Afterwards>,
    /// Share that ended ok, accepted or degraded.
    pub success: Option<f64>,
    /// Share that ended otherwise.
    pub error_rate: Option<f64>,
    /// Share that a fallback answered.
    pub degraded_share: Option<f64>,
    /// Share that ended ok or accepted within the deadline.
    pub within_deadline: Option<f64>,
    /// Requests by outcome.
    pub outcomes: Table<u64>,
    /// Requests in flight at the end.
    pub in_flight_end: u64,
}

/// Figures of a component for one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComponentOp {
    /// Calls that arrived after the warm-up.
    pub arrivals: u64,
    /// Calls of these that were answered.
    pub completed: u64,
    /// Time from arrival to answer, for calls answered ok, accepted or degraded.
    pub latency: Latency,
    /// Calls by outcome.
    pub outcomes: Table<u64>,
}

/// A group of hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostsResult {
    /// Number of hosts.
    pub count: u32,
    /// Share of their cores in use, time average; `None` for a run of no length.
    pub cpu: Option<f64>,
    /// Figures that machines declare (`runnable`, `switches`, …).
    #[serde(flatten)]
    pub own: Own,
    /// Cores in use of each host, by number; found by metrics such as `hosts.web[3].cpu`, not serialised.
    #[serde(skip)]
    pub each: Vec<Option<f64>>,
}

/// Whether a scenario meets all its objectives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether every objective holds in every run.
    pub holds: bool,
    /// The objectives that fail, in words.
    pub reasons: Vec<String>,
}

/// The first failure that some requests met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstCause {
    /// Outcome of the call that failed first.
    pub outcome: String,
    /// Its place: the component that gave this answer, or the link, `CALLER.LINK`, whose caller gave up.
    pub place: String,
    /// Number of requests.
    pub count: u64,
}

/// How requests spent their time: those around the median, and those around the 99th percentile of the latency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// Number of requests sampled: all, or those whose keys a rule selects, a few thousand at most.
    pub sampled: u64,
    /// Mean latency between the 45th and 55th percentile of the sample, s; `None` if there are too few requests.
    pub p50_s: Option<f64>,
    /// Mean latency between the percentiles 98.5 and 99.5, s; `None` if there are too few requests.
    pub p99_s: Option<f64>,
    /// The sample in percentile bands from the fastest to the slowest; bands with too few requests are left out.
    #[serde(default)]
    pub bands: Vec<BreakdownBand>,
    /// Parts of that time, the largest at the 99th percentile (else at the median) first. The parts add up to the latency.
    pub parts: Vec<BreakdownPart>,
}

/// Requests between two percentiles of the latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakdownBand {
    /// Share of the requests that are faster, 0 to 1 …
    pub from: f64,
    /// … and share of those up to the slowest of the band.
    pub to: f64,
    /// Mean latency within the band, s.
    pub latency_s: f64,
}

/// Category of time spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spent {
    /// In transit to a callee and back.
    Network,
    /// Waiting for a worker, or for a turn on an event loop.
    Queue,
    /// In service, including time on cores shared with others.
    #[default]
    Service,
    /// Waiting for a connection from a pool.
    PoolWait,
    /// Waiting for a rate or concurrency limit of a link to admit an attempt.
    LimitWait,
    /// Opening a connection.
    Connect,
    /// Waiting before the next attempt.
    BackOff,
    /// Waiting for a lock.
    LockWait,
    /// Stopped because the CPU quota was used up.
    Throttled,
    /// Waiting for an answer on which the caller then gave up.
    GivenUp,
    /// Waiting for the rest of a batch, or for a shared call.
    Sharing,
}

/// A part of the time of requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakdownPart {
    /// Category.
    pub what: Spent,
    /// The component, or the link, `CALLER.LINK`, whose caller waited; for abandoned waits, the callee.
    pub place: String,
    /// Mean time around the median, s; `None` if there are too few requests.
    pub p50_s: Option<f64>,
    /// Mean time around the 99th percentile, s; `None` if there are too few requests.
    pub p99_s: Option<f64>,
    /// Mean time in each band, s.
    #[serde(default)]
    pub bands_s: Vec<f64>,
}

/// The queue for workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueResult {
    /// Queue length, time average.
    pub depth: f64,
    /// Maximum queue length after the warm-up.
    pub depth_max: u64,
    /// Queue length at the end.
    pub depth_end: u64,
    /// Waiting times of calls that got a worker.
    pub wait: Latency,
    /// The greatest age that the oldest waiter ever had, s.
    pub oldest_age_s: Option<f64>,
    /// Bound of the queue over all replicas at the end; `None` if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<u64>,
}

/// The workers that calls hold while they are served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workers {
    /// Their name in the plural: `threads`, `connections`.
    pub noun: String,
    /// Their number at the end, over all replicas.
    pub count: u64,
    /// Whether a call keeps its worker while it waits for its own calls.
    pub held_while_waiting: bool,
}

/// Figures of one component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComponentResult {
    /// Its kind, as in the scenario.
    pub kind: String,
    /// Number of replicas at the end.
    pub replicas: u32,
    /// Calls that arrived after the warm-up.
    pub arrivals: u64,
    /// Calls of these that were answered.
    pub completed: u64,
    /// Its workers; `None` if it has no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<Workers>,
    /// Share of its limit that is held, time average; `None` if it has no limit.
    pub utilization: Option<f64>,
    /// Share of its cores in use; `None` if it has none.
    pub cpu: Option<f64>,
    /// Calls under way in it, time average.
    pub in_flight: f64,
    /// Calls under way in it at the end.
    pub in_flight_end: u64,
    /// Its queue for workers; `None` if calls never wait.
    pub queue: Option<QueueResult>,
    /// Time from arrival to answer, for calls answered ok, accepted or degraded.
    pub latency: Latency,
    /// The same by operation, if it has several.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub ops: Table<ComponentOp>,
    /// Calls by outcome.
    pub outcomes: Table<u64>,
    /// Share of the arrivals caused by a retry or hedge at any layer above.
    pub retry_share: Option<f64>,
    /// 1 / (1 − retry_share).
    pub amplification: Option<f64>,
    /// Share of the busy time spent on calls whose caller had already given up.
    pub wasted_work: Option<f64>,
    /// Queues that it consumes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumes: Vec<String>,
    /// Its dead-letter queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
    /// How evenly calls spread, if there are several replicas but not too many to observe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// Figures that its kind declares (hit ratio, entries, …).
    #[serde(flatten)]
    pub own: Own,
    /// Its replicas one by one, by number; found by metrics such as `components.api[3].utilization`, not serialised.
    #[serde(skip)]
    pub each: Vec<ReplicaResult>,
}

/// How evenly calls spread over replicas, observed at the ends of windows after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Number of observations.
    pub looks: u64,
    /// Number of observations in which a call waited at some replica.
    pub waiting: u64,
    /// Mean share, in those observations, of replicas with a free worker and an empty queue; `None` if no call ever waited.
    pub idle: Option<f64>,
}

/// One replica of a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplicaResult {
    /// Its number; if its place was taken by several replicas in turn, this is the last of them.
    pub number: u32,
    /// As for the component.
    pub utilization: Option<f64>,
    /// As for the component.
    pub cpu: Option<f64>,
    /// The queue for its workers; `None` if calls never wait.
    pub queue: Option<ReplicaQueue>,
    /// As for the component.
    pub wasted_work: Option<f64>,
    /// As for the component.
    pub own: Own,
}

/// The queue of one replica.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplicaQueue {
    /// Queue length, time average.
    pub depth: f64,
    /// Maximum queue length.
    pub depth_max: u64,
    /// Queue length at the end.
    pub depth_end: u64,
    /// The greatest age that the oldest waiter ever had, s.
    pub oldest_age_s: Option<f64>,
}

/// What the callers of one link saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkResult {
    /// Names of its targets.
    pub to: Vec<String>,
    /// Logical calls.
    pub calls: u64,
    /// Attempts, retries included.
    pub attempts: u64,
    /// Attempts by outcome, as seen by the caller.
    pub outcomes: Table<u64>,
    /// Attempts that were retries.
    pub retries: u64,
    /// Retries rejected by the budget.
    pub retries_refused: u64,
    /// Attempts that were hedges.
    pub hedges: u64,
    /// Attempts per logical call.
    pub amplification: Option<f64>,
    /// Calls under way, time average; `None` if the caller makes one attempt per call, in which case they are the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<f64>,
    /// Whether each call holds a worker of its caller, which serves nothing else meanwhile, until it is answered.
    #[serde(default, skip_serializing_if = "is_false")]
    pub holds_a_worker: bool,
    /// Longest time a caller waits for an attempt, or for all of them, s, according to the settings at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<f64>,
    /// Figures that its policies declare (`pool.active`, `batch_size`, …).
    #[serde(flatten, serialize_with = "crate::figures::of_link")]
    pub own: Own,
}

/// A fault or an event and the time in which it acted; a repeated one has an entry for each time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultWindow {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// When it struck, s.
    pub at_s: f64,
    /// When it ended; `None` if it never does.
    pub until_s: Option<f64>,
    /// Its effect in words: `slow db ×5`.
    pub what: String,
    /// Its targets: names of components, workloads or `FROM.LINK` links.
    pub targets: Vec<String>,
    /// The note in the scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it has changed settings permanently, so that there is nothing to recover from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_good: bool,
}

/// All happenings of one kind at one place: replicas killed, targets that became unhealthy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Happenings {
    /// Kind: `replica_killed`, `target_unhealthy`.
    pub name: String,
    /// Place: a component, or a link, `CALLER.LINK`.
    pub place: String,
    /// Number of happenings.
    pub count: u64,
    /// The first ones, at most 64.
    pub first: Vec<HappenedAt>,
    /// The last ones not among the first, at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<HappenedAt>,
    /// Number of happenings in each window of [`Series`] that had any.
    pub windows: Vec<HappeningsInWindow>,
}

/// Time and parties of a happening.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HappenedAt {
    /// The instant, s; negative during the warm-up.
    pub at_s: f64,
    /// The replica of the component or of the link's caller, counted from 0, if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u32>,
    /// The other party: the target of a health check, `COMPONENT` or `COMPONENT[REPLICA]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

/// Number of happenings in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HappeningsInWindow {
    /// Start of the window, s; negative during the warm-up.
    pub at_s: f64,
    /// The number; never 0.
    pub count: u64,
}

/// The condition that an objective sets for its metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// At most the bound.
    #[default]
    Below,
    /// At least the bound.
    Above,
    /// Back to its level before a fault, at most `bound` seconds after the fault's end.
    Recovers,
}

/// An objective and whether it holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveResult {
    /// Its name, or the condition in words if it has none.
    pub name: String,
    /// The metric's path.
    pub metric: String,
    /// The condition.
    pub demand: Demand,
    /// The metric; for `recovers`, the time from the fault's end to recovery, s. `None` if it is unknown or the metric never
    /// recovered: then the objective does not hold.
    pub value: Option<f64>,
    /// Why there is no value, if it is known to be infinite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The bound, in the same unit.
    pub bound: f64,
    /// The unit of both: `s`, `/s`, `B`, or empty for shares, counts and factors.
    pub unit: String,
    /// Whether it holds; of several replications, in replication 0.
    pub holds: bool,
    /// The number of replications in which it holds, if there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Held>,
    /// The fault and the conditions of recovery, for `recovers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovers: Option<Recovers>,
}

/// The fault that a metric must recover from, and the conditions of recovery.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovers {
    /// Name of the fault.
    pub from: String,
    /// Share of its earlier level that the metric must reach …
    pub to: f64,
    /// … in every window for this long, s.
    pub hold_s: f64,
}

impl ObjectiveResult {
    /// Whether it holds in every run, which is what `--check` requires.
    pub fn always_holds(&self) -> bool {
        self.over.as_ref().map_or(self.holds, |over| over.held == over.n)
    }
}

/// Number of independent replications in which an objective holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Number of replications.
    pub n: usize,
    /// Number of those in which it holds.
    pub held: usize,
    /// Their share, 0 to 1: the estimated probability that the objective holds.
    pub probability: f64,
    /// Lower end of Wilson's interval of that probability.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// Confidence level of that interval, 0 to 1.
    pub confidence: f64,
}

//! What a finished run leaves behind, and what can be seen of one that is still going: plain data.
//!
//! [`RunResult`] is what reports, exports and the JSON format are made from; its names are the metric names of the
//! scenario language. [`Snapshot`] is the same for a run in progress and is what the terminal UI draws. Neither knows a
//! component's type: what is special to a kind travels as named figures.
//!
//! Units: seconds for times (`_s`), requests per second for rates, fractions between 0 and 1, counts for the rest.
//! What cannot be known is `None` and becomes `null`.

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

/// Everything that is known after a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Version of this format; always 1.
    pub format: u32,
    /// The program that made it.
    pub tool: Tool,
    /// The scenario that was run.
    pub scenario: ScenarioInfo,
    /// How long it ran, and how it ended.
    pub run: RunInfo,
    /// What the callers saw, by workload.
    pub workloads: Table<WorkloadResult>,
    /// Goodput of all workloads together, requests per second.
    pub goodput: f64,
    /// What the components did, by component.
    pub components: Table<ComponentResult>,
    /// What the callers of each link saw: by calling component or workload, then by link.
    pub links: Table<Table<LinkResult>>,
    /// What the groups of hosts did.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub hosts: Table<HostsResult>,
    /// The same figures over time.
    pub series: Series,
    /// The faults that struck.
    pub faults: Vec<FaultWindow>,
    /// What operators did, in the same form; missing where they did nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<FaultWindow>,
    /// What happened, the warm-up included, by place and kind; missing where nothing did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub happenings: Vec<Happenings>,
    /// What must hold, and whether it does; in the order of the scenario.
    #[serde(default)]
    pub objectives: Vec<ObjectiveResult>,
    /// Whether they all hold; `None` where nothing is demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The times of which metrics are percentiles, ns, by the metric without its last part; to put runs together, and not
    /// printed.
    #[serde(skip)]
    pub times: BTreeMap<String, Arc<Histogram>>,
    /// What a reader must know before trusting a figure.
    pub warnings: Vec<String>,
    /// How sure the figures are, where there was more than one run; the rest is then that of replication 0, but for the
    /// objectives and for where the time went (`workloads.*.breakdown`), which are those of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replications: Option<Replications>,
}

/// What several independent runs of one scenario say together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replications {
    /// How many there were.
    pub n: usize,
    /// True where there were to be more, but the program was told to stop.
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

/// Which scenario was run, exactly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScenarioInfo {
    /// The scenario's `name`, or its file name where it has none.
    pub name: String,
    /// The scenario's `description`.
    pub description: Option<String>,
    /// File name without folders, or `@name` for a built-in one.
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

/// How the run went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Simulated time after the warm-up, s. For `until: idle`, when the last thing happened.
    pub duration_s: f64,
    /// Simulated time before that, s.
    pub warmup_s: f64,
    /// Events that the engine went through.
    pub events: u64,
    /// Real time, s. The one thing besides `events_per_s` that differs from run to run.
    pub wall_s: f64,
    /// Events in a second of real time.
    pub events_per_s: f64,
    /// False where the run was cut short.
    pub finished: bool,
}

/// What one workload's callers saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkloadResult {
    /// Requests sent after the warm-up.
    pub sent: u64,
    /// Those that have ended.
    pub completed: u64,
    /// Whether it waits for answers before it sends more (closed loops, connections, sessions): a slow system then lowers
    /// its load.
    #[serde(default)]
    pub waits_for_answers: bool,
    /// Requests per second offered: `sent` over the duration.
    pub offered: f64,
    /// Requests per second that ended ok or accepted within the deadline.
    pub goodput: f64,
    /// From the intended instant to the reply, of those that ended ok, accepted or degraded.
    pub latency: Latency,
    /// The same of all others.
    pub latency_failed: Latency,
    /// The same of all that were sent: what objectives hold against a bound.
    #[serde(default)]
    pub latency_all: LatencyAll,
    /// When all was done that requests had set off; `None` where that ends with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<Afterwards>,
    /// When clients who ask for the result got it; `None` where none do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Afterwards>,
    /// Share of those that have ended that ended ok, accepted or degraded; `None` where none has.
    #[serde(default)]
    pub success: Option<f64>,
    /// Share of those that have ended that did not.
    #[serde(default)]
    pub error_rate: Option<f64>,
    /// Share of those that have ended that a fallback answered.
    #[serde(default)]
    pub degraded_share: Option<f64>,
    /// Share of those that have ended that ended ok or accepted within the deadline.
    #[serde(default)]
    pub within_deadline: Option<f64>,
    /// Good requests per second in the window that had the fewest; `None` where no whole window was measured.
    #[serde(default)]
    pub worst_window: Option<f64>,
    /// The same by operation, where there are several.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub ops: Table<WorkloadOp>,
    /// Requests by outcome.
    pub outcomes: Table<u64>,
    /// Those that ended ok or accepted, but after the deadline.
    #[serde(default)]
    pub late: u64,
    /// Failed requests by what first went wrong and where, the most frequent first.
    #[serde(default)]
    pub causes: Vec<FirstCause>,
    /// Where a sample of the requests that were answered well spent their time.
    #[serde(default)]
    pub breakdown: Breakdown,
    /// Attempts made over requests completed.
    pub attempts_per_request: Option<f64>,
    /// Requests in flight, time average.
    pub in_flight: f64,
    /// Requests in flight at the end.
    pub in_flight_end: u64,
    /// Figures that workloads declare (`sessions`).
    #[serde(flatten)]
    pub own: Own,
}

/// What was over some time after requests had been answered, counted from when they should have been sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Afterwards {
    /// Of those of which it went well.
    pub latency: Latency,
    /// Of all of them.
    pub latency_all: LatencyAll,
    /// Those of which it did not.
    pub failed: u64,
    /// Those of which it is not over at the end.
    pub pending: u64,
}

/// What the callers of one operation saw; figures as those of the workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkloadOp {
    /// Requests sent after the warm-up.
    pub sent: u64,
    /// Those that have ended.
    pub completed: u64,
    /// Requests per second offered.
    pub offered: f64,
    /// Requests per second that ended ok or accepted within the deadline.
    pub goodput: f64,
    /// Of those that ended ok, accepted or degraded.
    pub latency: Latency,
    /// Of all others.
    pub latency_failed: Latency,
    /// Of all.
    pub latency_all: LatencyAll,
    /// When all was done that requests had set off; `None` where that ends with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<Afterwards>,
    /// When clients who ask for the result got it; `None` where none do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Afterwards>,
    /// Share that ended ok, accepted or degraded.
    pub success: Option<f64>,
    /// Share that did not.
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

/// What one component did for one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComponentOp {
    /// Calls that arrived after the warm-up.
    pub arrivals: u64,
    /// Those that it has answered.
    pub completed: u64,
    /// From arrival to answer, of calls answered ok, accepted or degraded.
    pub latency: Latency,
    /// Calls by outcome.
    pub outcomes: Table<u64>,
}

/// A group of hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostsResult {
    /// Number of hosts.
    pub count: u32,
    /// Share of their cores in use, time average; `None` over no time.
    pub cpu: Option<f64>,
    /// Figures that machines declare (`runnable`, `switches`, …).
    #[serde(flatten)]
    pub own: Own,
    /// The cores in use of each, by number; found by metrics such as `hosts.web[3].cpu` and not printed.
    #[serde(skip)]
    pub each: Vec<Option<f64>>,
}

/// Whether everything holds that a scenario demands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether every objective holds, in every run that there was.
    pub holds: bool,
    /// In words, those that do not.
    pub reasons: Vec<String>,
}

/// What first went wrong for some requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstCause {
    /// How the call that failed first ended.
    pub outcome: String,
    /// Where: the component that answered so, or the link, `CALLER.LINK`, whose caller gave up.
    pub place: String,
    /// Requests.
    pub count: u64,
}

/// Where requests spent their time: those around the median, and those around the 99th percentile of the latency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// How many requests were looked at: every one, or those whose keys a rule chose, some thousands at most.
    pub sampled: u64,
    /// Mean latency of those between the 45th and 55th percentile of the sample, s; `None` where they are too few.
    pub p50_s: Option<f64>,
    /// Mean latency of those between the percentiles 98.5 and 99.5, s; `None` where they are too few.
    pub p99_s: Option<f64>,
    /// The sample from the fastest to the slowest in bands of percentiles; those for which it is too small are left out.
    #[serde(default)]
    pub bands: Vec<BreakdownBand>,
    /// What that time was spent on, the largest part at the 99th percentile (else at the median) first. Together the
    /// parts are the latency.
    pub parts: Vec<BreakdownPart>,
}

/// Requests between two percentiles of the latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakdownBand {
    /// Share of the requests that are faster, 0 to 1 …
    pub from: f64,
    /// … and share of those that are not slower.
    pub to: f64,
    /// Mean latency of those in between, s.
    pub latency_s: f64,
}

/// What time is spent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spent {
    /// On the way to a callee and back.
    Network,
    /// Waiting for a worker, or a turn on a loop.
    Queue,
    /// Being served, cores shared with others included.
    #[default]
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
    /// Waiting for others of a batch, or for a call that is shared with them.
    Sharing,
}

/// A part of the time of requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakdownPart {
    /// What for.
    pub what: Spent,
    /// The component, or the link, `CALLER.LINK`, whose caller waited; of what was given up, who was waited for.
    pub place: String,
    /// Mean time of those around the median, s; `None` where they are too few.
    pub p50_s: Option<f64>,
    /// Mean time of those around the 99th percentile, s; `None` where they are too few.
    pub p99_s: Option<f64>,
    /// Mean time of those in each band, s.
    #[serde(default)]
    pub bands_s: Vec<f64>,
}

/// Those who wait for a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueResult {
    /// How many wait, time average.
    pub depth: f64,
    /// The most that ever waited after the warm-up.
    pub depth_max: u64,
    /// How many wait at the end.
    pub depth_end: u64,
    /// How long those waited who got a worker.
    pub wait: Latency,
    /// The greatest age of the oldest waiter at any time, s.
    pub oldest_age_s: Option<f64>,
    /// How many may wait, over all replicas, at the end; `None` where there is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<u64>,
}

/// What calls hold while they are served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workers {
    /// What they are, in the plural: `threads`, `connections`.
    pub noun: String,
    /// How many there are at the end, over all replicas.
    pub count: u64,
    /// Whether a call keeps its worker while it waits for calls of its own.
    pub held_while_waiting: bool,
}

/// What one component did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComponentResult {
    /// Its kind, as in the scenario.
    pub kind: String,
    /// How many replicas it has at the end.
    pub replicas: u32,
    /// Calls that arrived after the warm-up.
    pub arrivals: u64,
    /// Those that it has answered.
    pub completed: u64,
    /// What limits it; `None` where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<Workers>,
    /// Share of what limits it that is held, time average; `None` where nothing limits it.
    pub utilization: Option<f64>,
    /// Share of its cores in use; `None` where it has none.
    pub cpu: Option<f64>,
    /// Calls under way in it, time average.
    pub in_flight: f64,
    /// Calls under way in it at the end.
    pub in_flight_end: u64,
    /// Those who wait for a worker; `None` where nothing is waited for.
    pub queue: Option<QueueResult>,
    /// From arrival to answer, of calls answered ok, accepted or degraded.
    pub latency: Latency,
    /// The same by operation, where it can be asked for several.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub ops: Table<ComponentOp>,
    /// Calls by outcome.
    pub outcomes: Table<u64>,
    /// Share of the arrivals that a retry or hedge, at any layer above, brought about.
    pub retry_share: Option<f64>,
    /// 1 / (1 − retry_share).
    pub amplification: Option<f64>,
    /// Share of the busy time spent on calls whose caller had already given up.
    pub wasted_work: Option<f64>,
    /// Queues to consume from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumes: Vec<String>,
    /// The queue that takes what has failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<String>,
    /// How evenly calls were spread, where there are several replicas and not too many to be told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// Figures that its kind declares (hit ratio, entries, …).
    #[serde(flatten)]
    pub own: Own,
    /// Its replicas one by one, by number; found by metrics such as `components.api[3].utilization` and not printed.
    #[serde(skip)]
    pub each: Vec<ReplicaResult>,
}

/// How evenly calls are spread over replicas, as seen at the ends of windows after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How often the replicas were looked at.
    pub looks: u64,
    /// How often a call waited at one of them.
    pub waiting: u64,
    /// The mean share, then, of the replicas that had a worker free and nobody waiting; `None` where no call ever waited.
    pub idle: Option<f64>,
}

/// One replica of a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplicaResult {
    /// Its number: the last that had its place, where another had it before.
    pub number: u32,
    /// As for the component.
    pub utilization: Option<f64>,
    /// As for the component.
    pub cpu: Option<f64>,
    /// Those who wait for one of its workers; `None` where nothing is waited for.
    pub queue: Option<ReplicaQueue>,
    /// As for the component.
    pub wasted_work: Option<f64>,
    /// As for the component.
    pub own: Own,
}

/// The queue of one replica.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplicaQueue {
    /// How many wait, time average.
    pub depth: f64,
    /// The most that ever waited.
    pub depth_max: u64,
    /// How many wait at the end.
    pub depth_end: u64,
    /// The greatest age of the oldest waiter at any time, s.
    pub oldest_age_s: Option<f64>,
}

/// What the callers of one link saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkResult {
    /// Names of what it calls.
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
    /// Calls under way, time average; `None` where its caller makes one attempt for each call that it is asked for, so that
    /// they are the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<f64>,
    /// Whether each call holds a worker of its caller, which serves nothing else, until it is answered.
    #[serde(default, skip_serializing_if = "is_false")]
    pub holds_a_worker: bool,
    /// How long a caller waits for an attempt, or for all of them, at most, s; as the scenario has it at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<f64>,
    /// Figures that its policies declare (`pool.active`, `batch_size`, …).
    #[serde(flatten, serialize_with = "crate::figures::of_link")]
    pub own: Own,
}

/// A fault or an event and when it acted; what is repeated has one each time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultWindow {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// When it struck, s.
    pub at_s: f64,
    /// When it ended; `None` where it never does.
    pub until_s: Option<f64>,
    /// What it does, in words: `slow db ×5`.
    pub what: String,
    /// What it strikes: names of components, workloads or `FROM.LINK` links.
    pub targets: Vec<String>,
    /// The remark of the scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it has changed the system for good: settings that were changed and stay so. Nothing recovers from that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_good: bool,
}

/// Everything of one kind that happened at one place: replicas that were killed, targets that became unhealthy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Happenings {
    /// What happened: `replica_killed`, `target_unhealthy`.
    pub name: String,
    /// Where: a component, or a link, `CALLER.LINK`.
    pub place: String,
    /// How often.
    pub count: u64,
    /// The first of them, at most 64.
    pub first: Vec<HappenedAt>,
    /// The last of those that are not among the first, at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<HappenedAt>,
    /// How many there were in each window of [`Series`] in which there were any.
    pub windows: Vec<HappeningsInWindow>,
}

/// When something happened, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HappenedAt {
    /// The instant, s; negative during the warm-up.
    pub at_s: f64,
    /// The replica of the component or of the link's caller, counted from 0, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u32>,
    /// Whom else it concerns: the target of a health check, `COMPONENT` or `COMPONENT[REPLICA]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

/// How many happenings there were in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HappeningsInWindow {
    /// Where the window begins, s; negative during the warm-up.
    pub at_s: f64,
    /// How many; never 0.
    pub count: u64,
}

/// What an objective asks of its metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// At most the bound.
    #[default]
    Below,
    /// At least the bound.
    Above,
    /// Back to what it was before a fault, at most `bound` seconds after the fault's end.
    Recovers,
}

/// Whether an objective holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveResult {
    /// Its name; what it demands, in words, where it has none.
    pub name: String,
    /// The metric's path.
    pub metric: String,
    /// What is asked of it.
    pub demand: Demand,
    /// The metric; for `recovers`, how long after the fault's end it was back, s. `None` where it cannot be known or it
    /// never was back: then the objective does not hold.
    pub value: Option<f64>,
    /// Why there is no value, where it is known to be infinite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it is held against, in the same unit.
    pub bound: f64,
    /// What both are measured in: `s`, `/s`, `B`, or nothing for shares, counts and factors.
    pub unit: String,
    /// Whether it holds; in replication 0, where there are several.
    pub holds: bool,
    /// In how many of several replications it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Held>,
    /// From what the metric is to recover, and how; of `recovers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovers: Option<Recovers>,
}

/// From what a metric is to recover, and when it counts as back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovers {
    /// Name of the fault.
    pub from: String,
    /// The share of what it was before that it must reach again …
    pub to: f64,
    /// … in every window for so long, s.
    pub hold_s: f64,
}

impl ObjectiveResult {
    /// Whether it holds in every run that there was: what `--check` asks.
    pub fn always_holds(&self) -> bool {
        self.over.as_ref().map_or(self.holds, |over| over.held == over.n)
    }
}

/// How often an objective holds over independent replications.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Replications.
    pub n: usize,
    /// Those in which it holds.
    pub held: usize,
    /// The share of those, 0 to 1: the estimate of the probability that it holds.
    pub probability: f64,
    /// Lower end of Wilson's interval of that probability.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// How sure that interval is, 0 to 1.
    pub confidence: f64,
}

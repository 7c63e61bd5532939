//! Converts a session to plain data: the result of a finished run, or a snapshot of a run in progress.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use models::faults::timed::Source;
use models::figures::{of_components, of_workloads};
use models::network::Node;
use sim_core::histogram::Histogram;
use sim_core::measure::Measure;
use sim_core::time::SECOND;
use sim_core::{Figures, GroupId, NodeId, slots};

use crate::breakdown::of_sample;
use crate::figures::{Own, average, latency, most, ratio, time_average};
use crate::metrics;
use crate::result::*;
use crate::session::{After, Requests, Session, Together, amplification, outcomes};

fn seconds(ns: f64) -> f64 {
    ns / SECOND as f64
}

/// Half a nanosecond of tolerance for times converted to floating-point seconds.
const BORDER_S: f64 = 0.5e-9;

/// Limit above which the snapshot does not show replicas one by one.
const REPLICAS_SHOWN: usize = 64;

/// Share of the cores in use.
fn cpu(cpu: Option<(u128, f64)>, span_s: f64) -> Option<f64> {
    let (busy, cores) = cpu?;
    let available = cores * span_s * SECOND as f64;
    (available > 0.0).then(|| (busy as f64 / available).min(1.0))
}

/// The queue of one replica; waiting times are measured for all replicas together only.
fn queue(figures: &Figures, span_s: f64) -> Option<ReplicaQueue> {
    figures.get(&slots::QUEUE_DEPTH)?;
    Some(ReplicaQueue {
        depth: average(figures, &slots::QUEUE_DEPTH, span_s),
        depth_max: figures.now(&slots::QUEUE_DEPTH_MAX).unwrap_or(0),
        depth_end: figures.now(&slots::QUEUE_DEPTH_END).unwrap_or(0),
        oldest_age_s: most(figures, &slots::QUEUE_OLDEST_AGE),
    })
}

/// What callers saw: for all requests, or for those of one operation.
fn of_requests(requests: &Requests<'_>, span: f64) -> WorkloadOp {
    let counts = &requests.measured;
    let completed = counts.completed();
    let per_second = |count: u64| if span > 0.0 { count as f64 / span } else { 0.0 };
    let share = |part: u64| (completed > 0).then(|| part as f64 / completed as f64);
    WorkloadOp {
        sent: counts.arrivals,
        completed,
        offered: per_second(counts.arrivals),
        // Count requests that ended in the measured time, whenever they were sent: then a closed loop at capacity shows its
        // capacity.
        goodput: per_second(requests.since_warmup.good()),
        latency: latency(&requests.latency),
        latency_failed: latency(requests.latency_failed),
        latency_all: requests.sent().summary(),
        completion: None,
        result: None,
        success: share(counts.answered_well()),
        error_rate: share(completed - counts.answered_well()),
        degraded_share: share(counts.degraded()),
        within_deadline: share(counts.good()),
        outcomes: outcomes(&counts.outcomes),
        in_flight_end: counts.arrivals - completed,
    }
}

impl Session {
    /// Seconds since the end of the warm-up.
    fn measured_s(&self) -> f64 {
        seconds(self.engine().now().saturating_sub(self.zero) as f64)
    }

    /// The result as of this instant; `run.finished` tells whether the run has ended.
    pub fn result(&self) -> RunResult {
        self.result_with(self.series.to_series())
    }

    /// Like [`Session::result`], for a run that does not continue: moves the time series into the result.
    pub fn take_result(&mut self) -> RunResult {
        let series = std::mem::take(&mut self.series).into_series();
        self.result_with(series)
    }

    fn result_with(&self, series: Series) -> RunResult {
        let span = self.measured_s();
        let info = &self.loaded.scenario;
        let workloads: Table<WorkloadResult> = self.workload_results(span, &series);
        let mut result = RunResult {
            format: 1,
            tool: Tool { name: "brownout".into(), version: env!("CARGO_PKG_VERSION").into() },
            scenario: ScenarioInfo {
                name: info.name.clone().unwrap_or_else(|| self.loaded.source.clone()),
                description: info.description.clone(),
                source: self.loaded.source.clone(),
                hash: self.loaded.hash.clone(),
                seed: self.seed,
                variant: self.loaded.options.variant.clone(),
                overrides: self.loaded.options.all_overrides(),
            },
            run: RunInfo {
                duration_s: if info.run.until.is_some() {
                    seconds(self.last_activity.saturating_sub(self.zero) as f64)
                } else {
                    span
                },
                warmup_s: seconds(self.zero as f64),
                events: self.events(),
                wall_s: 0.0,
                events_per_s: 0.0,
                finished: self.finished,
            },
            goodput: workloads.values().map(|w| w.goodput).sum(),
            workloads,
            components: self.component_results(span),
            links: self.link_results(span),
            hosts: self.host_results(span),
            happenings: self.happenings(&series),
            series,
            faults: self.windows_of(Source::Faults),
            events: self.windows_of(Source::Events),
            objectives: Vec::new(),
            verdict: None,
            times: self.times(),
            warnings: Vec::new(),
            replications: None,
        };
        result.objectives = crate::objectives::evaluate(info, &result);
        result.verdict = crate::objectives::verdict(&result.objectives);
        result.warnings = crate::trust::warnings(&result, info);
        result
    }

    fn workload_results(&self, span: f64, series: &Series) -> Table<WorkloadResult> {
        let engine = self.engine();
        let of = |(index, place): (usize, &models::directory::WorkloadPlace)| {
            let measure: &Measure = engine.group(place.link.group);
            let requests = self.requests_of(index);
            let whole = of_requests(&requests, span);
            let counts = &requests.measured;
            let link = self.links.iter().find(|l| l.from == place.name).expect("every workload has its link");
            let (_, attempts) = self.attempts_of(link);
            let mut figures = Figures::default();
            self.report_of([place.node], &mut figures);
            let settings = self.loaded.scenario.workloads.get(&place.name);
            let name = |op: &u16| self.network.directory.ops[usize::from(*op)].clone();
            let afterwards = |what: After, op: Option<u16>| self.after(index, what, op).map(|after| after.summary());
            let of_op = |op: &u16| {
                let seen = of_requests(&self.requests_of_op(index, *op)?, span);
                let (completion, result) =
                    (afterwards(After::Completion, Some(*op)), afterwards(After::Result, Some(*op)));
                Some((name(op), WorkloadOp { completion, result, ..seen }))
            };
            WorkloadResult {
                sent: whole.sent,
                completed: whole.completed,
                waits_for_answers: settings.is_some_and(|workload| workload.arrivals.process.waits_for_answers()),
                offered: whole.offered,
                goodput: whole.goodput,
                latency: whole.latency,
                latency_failed: whole.latency_failed,
                latency_all: whole.latency_all,
                completion: afterwards(After::Completion, None),
                result: afterwards(After::Result, None),
                success: whole.success,
                error_rate: whole.error_rate,
                degraded_share: whole.degraded_share,
                within_deadline: whole.within_deadline,
                worst_window: self.worst_window(&place.name, series),
                ops: place.ops.iter().filter_map(of_op).collect(),
                outcomes: whole.outcomes,
                late: counts.late,
                causes: self.causes(measure),
                breakdown: measure.breakdown.as_ref().map_or_else(Breakdown::default, |b| of_sample(b, engine)),
                attempts_per_request: (counts.arrivals > 0).then(|| attempts.attempts as f64 / counts.arrivals as f64),
                in_flight: time_average(measure.in_flight.integral(engine.now()), span),
                in_flight_end: whole.in_flight_end,
                own: Own::over(&figures, span),
            }
        };
        let workloads = self.network.directory.workloads.iter().enumerate();
        workloads.map(|(index, w)| (w.name.clone(), of((index, w)))).collect()
    }

    /// The lowest goodput of a workload in any whole window after the warm-up.
    fn worst_window(&self, workload: &str, series: &Series) -> Option<f64> {
        let column = series.columns.get(&format!("workloads.{workload}.goodput"))?;
        let end_s = self.now_ns() as f64 / SECOND as f64;
        let width_s = self.window_ns() as f64 / SECOND as f64;
        let is_whole = |at_s: f64| at_s >= -BORDER_S && at_s + width_s <= end_s + BORDER_S;
        let values = series.at_s.iter().zip(column).filter(|(at_s, _)| is_whole(**at_s));
        values.filter_map(|(_, value)| *value).reduce(f64::min)
    }

    /// The times whose percentiles are metrics.
    fn times(&self) -> BTreeMap<String, Arc<Histogram>> {
        let mut times = BTreeMap::new();
        let mut add = |path: String, histogram: Histogram| times.insert(path, Arc::new(histogram));
        let directory = &self.network.directory;
        for (index, workload) in directory.workloads.iter().enumerate() {
            let path = format!("workloads.{}", workload.name);
            let of_ops = workload.ops.iter().filter_map(|op| {
                let op_path = format!("{path}.{}.{}", metrics::OPS, directory.ops[usize::from(*op)]);
                Some((op_path, self.requests_of_op(index, *op)?))
            });
            for (path, requests) in std::iter::once((path.clone(), self.requests_of(index))).chain(of_ops) {
                add(format!("{path}.{}", of_workloads::LATENCY.name), requests.latency.clone().into_owned());
                add(format!("{path}.{}", of_workloads::LATENCY_ALL.name), requests.ended());
            }
            for what in After::ALL {
                let of_op = |op: &u16| {
                    let op_path = format!("{path}.{}.{}", metrics::OPS, directory.ops[usize::from(*op)]);
                    Some((op_path, self.after(index, what, Some(*op))?))
                };
                let whole = self.after(index, what, None).map(|after| (path.clone(), after));
                for (path, after) in whole.into_iter().chain(workload.ops.iter().filter_map(of_op)) {
                    add(format!("{path}.{}", what.latency().name), after.took.clone());
                    add(format!("{path}.{}", what.latency_all().name), after.ended());
                }
            }
        }
        for component in &directory.components {
            let (path, measure) = (format!("components.{}", component.name), self.engine().group(component.group));
            add(format!("{path}.{}", of_components::LATENCY.name), measure.latency.histogram().into_owned());
            add(format!("{path}.{}", of_components::QUEUE_WAIT.name), measure.wait.histogram().into_owned());
        }
        times
    }

    /// Figures of a component for one operation.
    fn component_op(&self, group: GroupId, op: u16) -> Option<ComponentOp> {
        let of_op = self.of_op(group, op)?;
        let counts = of_op.measured();
        Some(ComponentOp {
            arrivals: counts.completed() + self.open_calls(group, op).0,
            completed: counts.completed(),
            latency: latency(&of_op.latency),
            outcomes: outcomes(&counts.outcomes),
        })
    }

    fn host_results(&self, span: f64) -> Table<HostsResult> {
        let of = |(group, place): (usize, &models::directory::HostGroup)| {
            let machine = |number: u32| self.engine().machine_busy(place.first_machine + number);
            let all = (0..place.count).map(machine).reduce(|(busy, cores), (more, other)| (busy + more, cores + other));
            let each = (0..place.count).map(|number| cpu(Some(machine(number)), span)).collect();
            let mut figures = Figures::default();
            (0..place.count).for_each(|n| self.engine().figures_of_machine(place.first_machine + n, &mut figures));
            self.report_of_hosts(group, None, &mut figures);
            HostsResult { count: place.count, cpu: cpu(all, span), own: Own::over(&figures, span), each }
        };
        let hosts = self.network.directory.hosts.iter().enumerate();
        hosts.map(|(group, place)| (place.name.clone(), of((group, place)))).collect()
    }

    /// First causes of failures, the most frequent first; ties in the order of the scenario.
    fn causes(&self, measure: &Measure) -> Vec<FirstCause> {
        let counts = measure.causes.iter().flatten();
        let mut causes: Vec<FirstCause> = counts
            .map(|((place, outcome), count)| FirstCause {
                outcome: outcome.name().to_string(),
                place: self.engine().group_name(sim_core::GroupId(*place)).to_string(),
                count: *count,
            })
            .collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
        causes
    }

    fn component_results(&self, span: f64) -> Table<ComponentResult> {
        let engine = self.engine();
        let of = |index: usize| {
            let place = &self.network.directory.components[index];
            let measure = engine.group(place.group);
            let counts = &measure.measured();
            let Together { figures, cpu: busy, .. } = self.together(index, Figures::default());
            let fleet = self.fleet(index);
            let retries = counts.arrivals_by_retry;
            let of_op = |op: &u16| {
                let name = self.network.directory.ops[usize::from(*op)].clone();
                Some((name, self.component_op(place.group, *op)?))
            };
            ComponentResult {
                kind: place.kind.to_string(),
                replicas: fleet.members(),
                arrivals: counts.arrivals,
                completed: counts.completed(),
                workers: self.workers(&place.name, &figures),
                utilization: ratio(&figures, &slots::UTILIZATION),
                cpu: cpu(busy, span),
                in_flight: time_average(measure.in_flight.integral(engine.now()), span),
                in_flight_end: measure.in_flight.value(),
                queue: queue(&figures, span).map(|ReplicaQueue { depth, depth_max, depth_end, oldest_age_s }| {
                    let wait = latency(&measure.wait.histogram());
                    let bound = figures.now(&slots::QUEUE_BOUND);
                    QueueResult { depth, depth_max, depth_end, wait, oldest_age_s, bound }
                }),
                latency: latency(&measure.latency.histogram()),
                ops: self.network.directory.ops_of_component(index).iter().filter_map(of_op).collect(),
                outcomes: outcomes(&counts.outcomes),
                retry_share: (counts.arrivals > 0).then(|| retries as f64 / counts.arrivals as f64),
                amplification: amplification(counts),
                wasted_work: ratio(&figures, &slots::WASTED_WORK),
                consumes: self.queues_of(index),
                dead_letter: self.dead_letter_of(index).map(str::to_owned),
                spread: self.spreads[index].in_result(),
                own: Own::over(&figures, span),
                each: fleet
                    .used()
                    .into_iter()
                    .map(|(number, node)| self.replica_result(index, number, node, span))
                    .collect(),
            }
        };
        let components = &self.network.directory.components;
        components.iter().enumerate().map(|(index, c)| (c.name.clone(), of(index))).collect()
    }

    /// The workers that limit a component, over all its replicas.
    fn workers(&self, name: &str, figures: &Figures) -> Option<Workers> {
        let limits = self.loaded.scenario.components.get(name)?.settings.limits();
        let (noun, _) = limits.workers?;
        let count = figures.now(&slots::CAPACITY)?;
        Some(Workers { noun: noun.to_string(), count, held_while_waiting: !limits.frees_while_waiting })
    }

    /// The figures that one replica reports; those counted for all replicas together are missing.
    fn replica_result(&self, component: usize, number: u32, node: NodeId, span: f64) -> ReplicaResult {
        let Together { figures, cpu: busy, .. } = self.together_at(component, &[node], Figures::default());
        ReplicaResult {
            number,
            utilization: ratio(&figures, &slots::UTILIZATION),
            cpu: cpu(busy, span),
            queue: queue(&figures, span),
            wasted_work: ratio(&figures, &slots::WASTED_WORK),
            own: Own::over(&figures, span),
        }
    }

    /// The replicas of a component, if there are several but no more than [`REPLICAS_SHOWN`].
    fn each_now(&self, component: usize) -> Vec<ReplicaNow> {
        let nodes: Vec<NodeId> = self.fleet(component).present().into_iter().map(|(_, node)| node).collect();
        if !(2..=REPLICAS_SHOWN).contains(&nodes.len()) {
            return Vec::new();
        }
        let engine = self.engine();
        let mut figures = Figures::without_times();
        let mut now = |node: NodeId| {
            figures.clear();
            self.report_of([node], &mut figures);
            let (held, queue) = (figures.now(&slots::HELD).unwrap_or(0), figures.now(&slots::QUEUE_DEPTH).unwrap_or(0));
            let capacity = figures.now(&slots::CAPACITY).filter(|all| *all > 0);
            let held = capacity.map(|all| held as f64 / all as f64);
            ReplicaNow { is_up: engine.is_up(node), held, queue }
        };
        nodes.into_iter().map(&mut now).collect()
    }

    fn link_results(&self, span: f64) -> Table<Table<LinkResult>> {
        let engine = self.engine();
        let mut links: Table<Table<LinkResult>> = Table::new();
        for place in self.links.iter() {
            let calls = engine.group(place.group).measured().arrivals;
            let (_, attempts) = self.attempts_of(place);
            let mut figures = Figures::default();
            self.report_of_link(place, &mut figures);
            let result = LinkResult {
                to: place.to.clone(),
                calls,
                attempts: attempts.attempts,
                outcomes: outcomes(&attempts.outcomes),
                retries: attempts.retries,
                retries_refused: attempts.retries_refused,
                hedges: attempts.hedges,
                amplification: (calls > 0).then(|| attempts.attempts as f64 / calls as f64),
                in_flight: (!place.is_direct)
                    .then(|| time_average(engine.group(place.group).in_flight.integral(engine.now()), span)),
                holds_a_worker: place.holds_a_worker,
                timeout_s: place.timeout.map(|timeout| seconds(timeout as f64)),
                own: Own::over(&figures, span),
            };
            links.entry(place.from.clone()).or_default().insert(place.name.clone(), result);
        }
        links
    }

    /// The faults or the events of the run. Where replicas come back by themselves after a fault, the fault ends when they do.
    fn windows_of(&self, source: Source) -> Vec<FaultWindow> {
        let director = match self.engine().node(NodeId(0)) {
            Node::Director(director) => director,
            _ => unreachable!("the director is the first node"),
        };
        let back = |number| director.comes_back_at(number).map(|at| (at as f64 - self.zero as f64) / SECOND as f64);
        let window = |(number, (_, timed)): (usize, &(Source, FaultWindow))| FaultWindow {
            until_s: timed.until_s.or_else(|| back(number)),
            ..timed.clone()
        };
        self.timed.iter().enumerate().filter(|(_, (of, _))| *of == source).map(window).collect()
    }

    /// A snapshot of the run.
    pub fn snapshot(&self) -> Snapshot {
        let engine = self.engine();
        let at_s = self.now_ns() as f64 / SECOND as f64;
        let last = |column: &str| self.series.last(column);
        let faults = self.windows_of(Source::Faults);
        let acting = |target: &str| -> Vec<String> {
            let acts = |f: &&FaultWindow| {
                f.at_s <= at_s && f.until_s.is_none_or(|u| at_s < u) && f.targets.iter().any(|t| t == target)
            };
            faults.iter().filter(acts).map(|f| f.name.clone().unwrap_or_else(|| f.what.clone())).collect()
        };
        let mut nodes = Vec::new();
        for workload in &self.network.directory.workloads {
            let measure = engine.group(workload.link.group);
            let column = |metric: &str| last(&format!("workloads.{}.{metric}", workload.name));
            nodes.push(NodeNow {
                arrivals: column("sent").unwrap_or(0.0),
                good: column("goodput").unwrap_or(0.0),
                failed: column("failed").unwrap_or(0.0),
                in_flight: measure.in_flight.value(),
                latency_p50_s: column("latency.p50_s"),
                latency_p99_s: column("latency.p99_s"),
                replicas: 1,
                replicas_up: 1,
                faults: acting(&workload.name),
                ..NodeNow::default()
            });
        }
        for (index, component) in self.network.directory.components.iter().enumerate() {
            let Together { figures, up, .. } = self.together(index, Figures::without_times());
            let column = |metric: &str| last(&format!("components.{}.{metric}", component.name));
            nodes.push(NodeNow {
                arrivals: column("arrivals").unwrap_or(0.0),
                good: column("completed").unwrap_or(0.0),
                failed: column("failed").unwrap_or(0.0),
                in_flight: engine.group(component.group).in_flight.value(),
                queue: figures.now(&slots::QUEUE_DEPTH).unwrap_or(0),
                queue_max: figures.now(&slots::QUEUE_BOUND),
                utilization: column("utilization"),
                amplification: column("amplification"),
                wasted_work: column("wasted_work"),
                replicas: self.fleet(index).members(),
                replicas_up: up,
                each: self.each_now(index),
                slots: figures.now(&slots::CAPACITY).map(|all| (figures.now(&slots::HELD).unwrap_or(0), all)),
                faults: acting(&component.name),
                own: Own::now(&figures),
                ..NodeNow::default()
            });
        }
        let (happened, happened_left_out) = self.happened();
        let links = self.links.iter().map(|place| {
            let column = |metric: &str| last(&format!("links.{}.{}.{metric}", place.from, place.name));
            let mut figures = Figures::without_times();
            self.report_of_link(place, &mut figures);
            LinkNow {
                attempts: column("attempts").unwrap_or(0.0),
                retries: column("retries").unwrap_or(0.0),
                failed: column("failed").unwrap_or(0.0),
                amplification: column("amplification"),
                own: Own::now(&figures),
                in_flight: engine.group(place.group).in_flight.value(),
            }
        });
        Snapshot {
            at_s,
            from_s: self.start_ns() as f64 / SECOND as f64,
            until_s: self.end_ns() as f64 / SECOND as f64,
            finished: self.finished,
            events: self.events(),
            scenario: self.loaded.scenario.name.clone().unwrap_or_else(|| self.loaded.source.clone()),
            topology: Arc::new(self.topology()),
            links: links.collect(),
            nodes,
            hosts: self.hosts.now(),
            faults,
            operator_events: self.windows_of(Source::Events),
            happened,
            happened_left_out,
            series: self.series.clone(),
        }
    }

    fn topology(&self) -> Topology {
        let directory = &self.network.directory;
        let workloads = directory.workloads.iter().map(|w| TopologyNode {
            name: w.name.clone(),
            kind: "workload".into(),
            is_workload: true,
            takes_dead_letters: false,
        });
        let dead_letters: BTreeSet<usize> = directory.components.iter().filter_map(|c| c.dead_letter).collect();
        let components = directory.components.iter().enumerate().map(|(index, c)| TopologyNode {
            name: c.name.clone(),
            kind: c.kind.into(),
            is_workload: false,
            takes_dead_letters: dead_letters.contains(&index),
        });
        let nodes: Vec<TopologyNode> = workloads.chain(components).collect();
        let mut edges = Vec::new();
        for (index, link) in self.links.iter().enumerate() {
            let Some(from) = nodes.iter().position(|n| n.name == link.from) else { continue };
            for to in self.targets_of(link) {
                let Some(to) = nodes.iter().position(|n| !n.is_workload && n.name == to) else { continue };
                edges.push(TopologyEdge { from, to, link: link.name.clone(), index, policies: link.policies.clone() });
            }
        }
        // Messages go from a queue to its consumers, and dead letters to another queue; no link counts them.
        let without_link = |from, to, name: &str| TopologyEdge {
            from,
            to,
            link: name.into(),
            index: usize::MAX,
            policies: Vec::new(),
        };
        for (index, component) in directory.components.iter().enumerate() {
            let at = |name: &str| nodes.iter().position(|n| !n.is_workload && n.name == name);
            for queue in self.queues_of(index) {
                let (Some(from), Some(to)) = (at(&queue), at(&component.name)) else { continue };
                edges.push(without_link(from, to, "consumes"));
            }
            let dead_letter = self.dead_letter_of(index).and_then(at);
            if let (Some(from), Some(to)) = (at(&component.name), dead_letter) {
                edges.push(without_link(from, to, "dead letters"));
            }
        }
        Topology { nodes, edges }
    }

    /// Full names of the queues that a component consumes from.
    fn queues_of(&self, component: usize) -> Vec<String> {
        let components = &self.network.directory.components;
        let queues = components[component].consumes.iter().filter_map(|entry| entry.from);
        queues.map(|queue| components[queue].name.clone()).collect()
    }

    /// Full name of the queue that takes a component's dead letters.
    fn dead_letter_of(&self, component: usize) -> Option<&str> {
        let components = &self.network.directory.components;
        Some(components[components[component].dead_letter?].name.as_str())
    }

    /// Full names of a link's targets.
    fn targets_of(&self, link: &crate::session::LinkPlace) -> Vec<String> {
        let directory = &self.network.directory;
        let full = |name: &String| match link.from.rsplit_once('/') {
            Some((cluster, _)) if directory.component(&format!("{cluster}/{name}")).is_some() => {
                format!("{cluster}/{name}")
            }
            _ => name.clone(),
        };
        link.to.iter().map(full).collect()
    }
}

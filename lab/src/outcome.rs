//! From a session to plain data: the result of a finished run, and a snapshot of one that is going on.

use std::sync::Arc;

use models::network::Node;
use sim_core::histogram::Histogram;
use sim_core::measure::Measure;
use sim_core::time::SECOND;
use sim_core::{Figures, NodeId};

use crate::breakdown::of_sample;
use crate::result::*;
use crate::session::{Session, Together, amplification, outcomes};

fn seconds(ns: f64) -> f64 {
    ns / SECOND as f64
}

fn share(part: u128, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part as f64 / whole).min(1.0))
}

/// More replicas than these are not looked at one by one while a run goes on.
const REPLICAS_SHOWN: usize = 64;

/// Without what cannot be known.
fn known(mut own: Table<f64>) -> Table<f64> {
    own.retain(|_, value| value.is_finite());
    own
}

/// Share of what limits it that is held.
fn utilization(figures: &Figures, span: f64) -> Option<f64> {
    let available = match figures.capacity_integral {
        Some(integral) => Some(integral as f64),
        None => figures.capacity.map(|c| c as f64 * span * SECOND as f64),
    };
    available.and_then(|available| share(figures.held_integral, available))
}

/// Share of its cores in use.
fn cpu(figures: &Figures, span: f64) -> Option<f64> {
    figures.cpu.and_then(|(busy, cores)| share(busy, cores * span * SECOND as f64))
}

/// Share of the busy time that was spent in vain.
fn wasted_work(figures: &Figures) -> Option<f64> {
    share(figures.wasted_integral, figures.held_integral as f64)
}

/// The percentiles of a histogram.
pub(crate) fn latency(histogram: &Histogram) -> Latency {
    let quantile = |p: f64| histogram.quantile(p).map(|v| seconds(v as f64));
    Latency {
        mean_s: histogram.mean().map(seconds),
        p50_s: quantile(0.5),
        p90_s: quantile(0.9),
        p95_s: quantile(0.95),
        p99_s: quantile(0.99),
        p999_s: quantile(0.999),
        max_s: histogram.max().map(|v| seconds(v as f64)),
        count: histogram.count(),
    }
}

impl Session {
    /// Seconds since the end of the warm-up.
    fn measured_s(&self) -> f64 {
        seconds(self.engine().now().saturating_sub(self.zero) as f64)
    }

    /// What is known at this instant, as the result of a run; `run.finished` says whether it is the end.
    pub fn result(&self) -> RunResult {
        let span = self.measured_s();
        let info = &self.loaded.scenario;
        let workloads: Table<WorkloadResult> = self.workload_results(span);
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
            series: self.series.to_series(),
            faults: self.fault_windows(),
            happenings: self.happenings(),
            objectives: Vec::new(),
            warnings: Vec::new(),
            replications: None,
        };
        result.objectives = crate::objectives::evaluate(info, &result);
        result.warnings = crate::trust::warnings(&result, info);
        result
    }

    fn mean(&self, integral: u128, span: f64) -> f64 {
        if span > 0.0 { integral as f64 / (span * SECOND as f64) } else { 0.0 }
    }

    fn workload_results(&self, span: f64) -> Table<WorkloadResult> {
        let engine = self.engine();
        let of = |place: &models::directory::WorkloadPlace| {
            let measure: &Measure = engine.group(place.link.group);
            let counts = &measure.measured();
            let link = self.links.iter().find(|l| l.from == place.name).expect("every workload has its link");
            let (_, attempts, _, _) = self.link_together(link);
            let settings = self.loaded.scenario.workloads.get(&place.name);
            let per_second = |count: u64| if span > 0.0 { count as f64 / span } else { 0.0 };
            WorkloadResult {
                sent: counts.arrivals,
                completed: counts.completed(),
                waits_for_answers: settings.is_some_and(|workload| workload.arrivals.process.waits_for_answers()),
                offered: per_second(counts.arrivals),
                goodput: per_second(counts.good()),
                latency: latency(&measure.latency.histogram()),
                latency_failed: latency(&measure.latency_failed),
                outcomes: outcomes(&counts.outcomes),
                causes: self.causes(measure),
                breakdown: measure.breakdown.as_ref().map_or_else(Breakdown::default, |b| of_sample(b, engine)),
                attempts_per_request: (counts.arrivals > 0).then(|| attempts.attempts as f64 / counts.arrivals as f64),
                in_flight: self.mean(measure.in_flight.integral(engine.now()), span),
                in_flight_end: counts.arrivals - counts.completed(),
            }
        };
        self.network.directory.workloads.iter().map(|w| (w.name.clone(), of(w))).collect()
    }

    /// First causes, the most frequent first; of equals the earlier part of the scenario.
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

    /// A result with every figure that this scenario can have, also those that cannot be known yet (they are then not
    /// numbers): what a metric may be called is looked up here before anything has happened.
    pub(crate) fn shape(&self) -> RunResult {
        let mut shape = self.result();
        for (index, component) in shape.components.values_mut().enumerate() {
            component.own = self.together(index).own;
        }
        for place in self.links.iter() {
            let link = shape.links.get_mut(&place.from).and_then(|links| links.get_mut(&place.name));
            if let Some(link) = link {
                link.own = self.link_together(place).3;
            }
        }
        shape
    }

    fn component_results(&self, span: f64) -> Table<ComponentResult> {
        let engine = self.engine();
        let of = |index: usize| {
            let place = &self.network.directory.components[index];
            let measure = engine.group(place.group);
            let counts = &measure.measured();
            let together = self.together(index);
            let figures = &together.figures;
            let nodes = self.network.directory.nodes_of(index).into_iter();
            let retries = counts.arrivals_by_retry;
            ComponentResult {
                kind: place.kind.to_string(),
                replicas: place.replicas,
                arrivals: counts.arrivals,
                completed: counts.completed(),
                utilization: utilization(figures, span),
                cpu: cpu(figures, span),
                in_flight: self.mean(measure.in_flight.integral(engine.now()), span),
                in_flight_end: measure.in_flight.value(),
                queue: figures.has_queue.then(|| QueueResult {
                    depth: self.mean(figures.queue_integral, span),
                    depth_max: figures.queue_peak,
                    depth_end: figures.queue,
                    wait: latency(&measure.wait.histogram()),
                    oldest_age_s: figures.oldest_since.map(|at| seconds((engine.now() - at) as f64)),
                }),
                latency: latency(&measure.latency.histogram()),
                outcomes: outcomes(&counts.outcomes),
                retry_share: (counts.arrivals > 0).then(|| retries as f64 / counts.arrivals as f64),
                amplification: amplification(counts),
                wasted_work: wasted_work(figures),
                own: known(together.own),
                each: nodes.map(|node| self.replica_result(index, node, span)).collect(),
            }
        };
        let components = &self.network.directory.components;
        components.iter().enumerate().map(|(index, c)| (c.name.clone(), of(index))).collect()
    }

    /// What one replica says of itself; what is counted for all of them together is not there.
    fn replica_result(&self, component: usize, node: NodeId, span: f64) -> ReplicaResult {
        let Together { figures, own, .. } = self.together_at(component, [node]);
        ReplicaResult {
            utilization: utilization(&figures, span),
            cpu: cpu(&figures, span),
            queue: figures.has_queue.then(|| ReplicaQueue {
                depth: self.mean(figures.queue_integral, span),
                depth_max: figures.queue_peak,
                depth_end: figures.queue,
                oldest_age_s: figures.oldest_since.map(|at| seconds((self.engine().now() - at) as f64)),
            }),
            wasted_work: wasted_work(&figures),
            own: known(own),
        }
    }

    /// The replicas of a component, where there are several and not too many to be told apart.
    fn each_now(&self, component: usize) -> Vec<ReplicaNow> {
        let nodes = self.network.directory.nodes_of(component);
        if !(2..=REPLICAS_SHOWN).contains(&nodes.len()) {
            return Vec::new();
        }
        let engine = self.engine();
        let now = |node: NodeId| {
            let mut figures = Figures::default();
            sim_core::Component::figures(engine.node(node), engine.now(), &mut figures);
            let held = figures.capacity.filter(|all| *all > 0).map(|all| figures.held as f64 / all as f64);
            ReplicaNow { is_up: engine.is_up(node), held, queue: figures.queue }
        };
        nodes.into_iter().map(now).collect()
    }

    fn link_results(&self, span: f64) -> Table<Table<LinkResult>> {
        let engine = self.engine();
        let mut links: Table<Table<LinkResult>> = Table::new();
        for place in self.links.iter() {
            let calls = engine.group(place.group).measured().arrivals;
            let (_, attempts, figures, own) = self.link_together(place);
            let mut wait = Histogram::new();
            let mut size = 0;
            for link in self.links_of(place) {
                wait.merge(&link.pool_wait);
                size += link.pool().and_then(|p| p.slots.capacity()).unwrap_or(0) as u64;
            }
            let result = LinkResult {
                to: place.to.clone(),
                calls,
                attempts: attempts.attempts,
                outcomes: outcomes(&attempts.outcomes),
                retries: attempts.retries,
                retries_refused: attempts.retries_refused,
                hedges: attempts.hedges,
                amplification: (calls > 0).then(|| attempts.attempts as f64 / calls as f64),
                pool: (size > 0).then(|| PoolResult {
                    size,
                    active: self.mean(figures.held_integral, span),
                    wait: latency(&wait),
                    waiting: self.mean(figures.queue_integral, span),
                }),
                own: known(own),
            };
            links.entry(place.from.clone()).or_default().insert(place.name.clone(), result);
        }
        links
    }

    /// The faults of the run, those that strike replicas which come back by themselves with that end.
    fn fault_windows(&self) -> Vec<FaultWindow> {
        let Node::Director(director) = self.engine().node(NodeId(0)) else { return (*self.faults).clone() };
        let back = |number| director.comes_back_at(number).map(|at| (at as f64 - self.zero as f64) / SECOND as f64);
        let window = |(number, fault): (usize, &FaultWindow)| FaultWindow {
            until_s: fault.until_s.or_else(|| back(number)),
            ..fault.clone()
        };
        self.faults.iter().enumerate().map(window).collect()
    }

    /// The run as it stands.
    pub fn snapshot(&self) -> Snapshot {
        let engine = self.engine();
        let at_s = self.now_ns() as f64 / SECOND as f64;
        let last = |column: &str| self.series.last(column);
        let faults = self.fault_windows();
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
            let together = self.together(index);
            let figures = &together.figures;
            let column = |metric: &str| last(&format!("components.{}.{metric}", component.name));
            nodes.push(NodeNow {
                arrivals: column("arrivals").unwrap_or(0.0),
                good: column("completed").unwrap_or(0.0),
                failed: column("failed").unwrap_or(0.0),
                in_flight: engine.group(component.group).in_flight.value(),
                queue: figures.queue,
                queue_max: figures.queue_max,
                utilization: column("utilization"),
                amplification: column("amplification"),
                wasted_work: column("wasted_work"),
                replicas: component.replicas,
                replicas_up: together.up,
                each: self.each_now(index),
                slots: figures.capacity.map(|c| (figures.held, c)),
                faults: acting(&component.name),
                own: known(together.own),
                ..NodeNow::default()
            });
        }
        let (happened, happened_left_out) = self.happened();
        let links = self.links.iter().map(|place| {
            let column = |metric: &str| last(&format!("links.{}.{}.{metric}", place.from, place.name));
            let (_, _, figures, _) = self.link_together(place);
            let size: u64 =
                self.links_of(place).filter_map(|l| l.pool().and_then(|p| p.slots.capacity())).map(u64::from).sum();
            LinkNow {
                attempts: column("attempts").unwrap_or(0.0),
                retries: column("retries").unwrap_or(0.0),
                failed: column("failed").unwrap_or(0.0),
                amplification: column("amplification"),
                pool: (size > 0).then_some((figures.held, size)),
                pool_waiting: if size > 0 { figures.queue } else { 0 },
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
            faults,
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
        });
        let components = directory.components.iter().map(|c| TopologyNode {
            name: c.name.clone(),
            kind: c.kind.into(),
            is_workload: false,
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
        Topology { nodes, edges }
    }

    /// Full names of what a link calls.
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

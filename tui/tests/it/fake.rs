//! A fake simulation: a retry storm by rule of thumb, so that the screen has realistic data to show. It advances in ticks of
//! ten milliseconds, so that its state does not depend on how a span is divided.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lab::figures::Own;
use lab::metrics::Unit;
use lab::requests::{Answer, GroupId, GroupName, Outcome, Part, Requests, SpentOn, TracedCall, TracedRequest};
use lab::result::{
    FaultWindow, Happened, HappenedAt, LinkNow, NodeNow, ReplicaNow, Series, Snapshot, Table, Topology, TopologyEdge,
    TopologyNode,
};
use language::menu::FaultChoice;
use tui::{Caption, Choice, Happening, Knob, Opened, Pace, Simulation, Source};

const TICK_NS: i64 = 10_000_000;
const TICK_S: f64 = 0.01;

/// A source with one choice.
#[allow(dead_code)] // Used by the example.
pub(crate) struct Only {
    pub(crate) simulation: Fake,
    pub(crate) captions: Vec<Caption>,
}

impl Source for Only {
    type Simulation = Fake;

    fn choices(&self) -> Vec<Choice> {
        vec![Choice { name: "storm".into(), about: "A made-up storm.".into() }]
    }

    fn open(&mut self, _: usize) -> Result<Opened<Fake>, String> {
        let (simulation, captions) = (self.simulation.clone(), self.captions.clone());
        Ok(Opened { simulation, pace: Pace::Times(10.0), captions })
    }
}

/// The state of the storm.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    topology: Arc<Topology>,
    now_ns: i64,
    ticks: u64,
    random: u64,
    rate: f64,
    attempts_max: f64,
    capacity: f64,
    queue: f64,
    backlog: f64,
    /// Sums over the open window.
    window: Window,
    last: Window,
    columns: Vec<(String, Vec<Option<f64>>)>,
    begins: Vec<f64>,
    faults: Vec<FaultWindow>,
    changes: Vec<String>,
    pub(crate) panics_at_ns: Option<i64>,
    /// Counts the calls to `run_until`.
    pub(crate) runs: Option<Arc<AtomicU64>>,
}

#[derive(Clone, Debug, Default)]
struct Window {
    ticks: f64,
    fresh: f64,
    attempts: f64,
    good: f64,
    served: f64,
    busy: f64,
    wait: f64,
}

fn node(name: &str, kind: &str) -> TopologyNode {
    TopologyNode { name: name.into(), kind: kind.into(), is_workload: kind == "workload", takes_dead_letters: false }
}

fn edge(from: usize, to: usize, link: &str, index: usize, policies: &[&str]) -> TopologyEdge {
    TopologyEdge {
        from,
        to,
        link: link.into(),
        index,
        policies: policies.iter().map(|policy| policy.to_string()).collect(),
    }
}

/// Shoppers, an edge balancer, an API, its cache, its database and payments.
pub(crate) fn checkout() -> Topology {
    Topology {
        nodes: vec![
            node("shoppers", "workload"),
            node("edge", "load_balancer"),
            node("api", "service"),
            node("cache", "cache"),
            node("orders-db", "database"),
            node("payments", "external"),
        ],
        edges: vec![
            edge(0, 1, "call", 0, &["total_timeout 3s", "retry ×3 full jitter"]),
            edge(1, 2, "to", 1, &["timeout 2s"]),
            edge(2, 3, "cache", 2, &["timeout 20ms"]),
            edge(2, 4, "db", 3, &["total_timeout 1s", "retry ×3", "pool 20", "timeout 500ms"]),
            edge(2, 5, "payments", 4, &["timeout 1s", "breaker"]),
            edge(3, 4, "to", 5, &[]),
        ],
    }
}

/// A client, an API and its database.
pub(crate) fn three() -> Topology {
    Topology {
        nodes: vec![node("users", "workload"), node("api", "service"), node("db", "database")],
        edges: vec![edge(0, 1, "call", 0, &["retry ×3"]), edge(1, 2, "db", 1, &["pool 20"])],
    }
}

/// Six clusters of ten components, called by one workload through one name server.
pub(crate) fn clusters() -> Topology {
    let mut topology = Topology { nodes: vec![node("world", "workload"), node("dns", "dns")], edges: Vec::new() };
    topology.edges.push(edge(0, 1, "call", 0, &[]));
    for cluster in ["us-east", "us-west", "eu-west", "eu-north", "asia", "brazil"] {
        let base = topology.nodes.len();
        for (name, kind) in [
            ("edge", "load_balancer"),
            ("web", "service"),
            ("api", "service"),
            ("search", "service"),
            ("cart", "service"),
            ("cache", "cache"),
            ("orders-db", "database"),
            ("items-db", "database"),
            ("events", "queue"),
            ("mailer", "service"),
        ] {
            topology.nodes.push(node(&format!("{cluster}/{name}"), kind));
        }
        let mut link = |from: usize, to: usize, name: &str| {
            let index = topology.edges.len();
            topology.edges.push(edge(from, to, name, index, &[]));
        };
        link(1, base, cluster);
        for (from, to) in [(0, 1), (1, 2), (1, 3), (2, 4), (2, 5), (4, 6), (3, 7), (5, 7), (2, 8), (8, 9)] {
            link(base + from, base + to, "to");
        }
    }
    topology
}

/// Sixty services in a flat scenario.
pub(crate) fn sixty() -> Topology {
    let mut topology =
        Topology { nodes: vec![node("users", "workload"), node("gateway", "load_balancer")], edges: Vec::new() };
    topology.nodes.extend((0..58).map(|number| node(&format!("svc-{number:02}"), "service")));
    let mut pairs = vec![(0, 1)];
    pairs.extend((0..12).map(|number| (1, 2 + number)));
    pairs.extend((0..46).map(|number| (2 + number * 7 % 12 + if number > 20 { 12 } else { 0 }, 14 + number)));
    for (index, (from, to)) in pairs.into_iter().enumerate().filter(|(_, (from, to))| from < to) {
        topology.edges.push(edge(from, to, "to", index, &[]));
    }
    topology
}

impl Fake {
    /// Two replicas die at the same time, and one of them is replaced.
    fn happened(&self) -> Vec<Happened> {
        let all = [(62.5, 0, "replica_killed"), (62.5, 1, "replica_killed"), (93.25, 1, "replica_replaced")];
        let past = all.into_iter().filter(|(at_s, ..)| *at_s <= self.at_s());
        let told = past.map(|(at_s, replica, name)| Happened {
            name,
            place: "payments".into(),
            at: HappenedAt { at_s, replica: Some(replica), about: None },
        });
        told.collect()
    }

    /// A storm in a given topology.
    pub(crate) fn new(topology: Topology) -> Fake {
        let fault = FaultWindow {
            name: Some("slow-db".into()),
            at_s: 60.0,
            until_s: Some(80.0),
            what: "slow orders-db ×5".into(),
            targets: vec!["orders-db".into(), "db".into()],
            ..FaultWindow::default()
        };
        Fake {
            topology: Arc::new(topology),
            now_ns: -30_000_000_000,
            ticks: 0,
            random: 7,
            rate: 1200.0,
            attempts_max: 3.0,
            capacity: 1900.0,
            queue: 0.0,
            backlog: 0.0,
            window: Window::default(),
            last: Window::default(),
            columns: Vec::new(),
            begins: Vec::new(),
            faults: vec![fault],
            changes: Vec::new(),
            panics_at_ns: None,
            runs: None,
        }
    }

    fn at_s(&self) -> f64 {
        self.now_ns as f64 / 1e9
    }

    fn slow(&self) -> f64 {
        let at_s = self.at_s();
        let acts = |fault: &&FaultWindow| fault.at_s <= at_s && fault.until_s.is_none_or(|until| at_s < until);
        if self.faults.iter().any(|fault| acts(&fault)) { 5.0 } else { 1.0 }
    }

    fn tick(&mut self) {
        if self.panics_at_ns.is_some_and(|at_ns| self.now_ns >= at_ns) {
            panic!("the made-up simulation was told to fail");
        }
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = 1.0 + ((self.random >> 40) as f64 / (1u64 << 24) as f64 - 0.5) * 0.3;
        let fresh = self.rate * TICK_S * noise;
        let capacity = self.capacity / self.slow();
        let retries = self.backlog * TICK_S / 0.15;
        self.backlog -= retries;
        let attempts = fresh + retries;
        self.queue += attempts;
        let served = self.queue.min(capacity * TICK_S);
        self.queue -= served;
        let wait = self.queue / capacity;
        // A call that waits longer than the timeout has been given up when it is served; callers give up after half a second.
        let in_time = 1.0 / (1.0 + (wait / 0.5).powi(6));
        let good = served.min(attempts) * in_time;
        let failed = (attempts - good).max(0.0);
        self.backlog += failed * (1.0 - 1.0 / self.attempts_max) * if self.attempts_max > 1.0 { 0.95 } else { 0.0 };
        // The queue is bounded: callers withdraw.
        self.queue = self.queue.min(60_000.0);
        let window = &mut self.window;
        window.ticks += 1.0;
        window.fresh += fresh;
        window.attempts += attempts;
        window.good += good.min(fresh * 1.02);
        window.served += served;
        window.busy += served / (capacity * TICK_S);
        window.wait += wait;
        self.ticks += 1;
        if self.ticks.is_multiple_of(100) {
            self.close_window();
        }
    }

    fn close_window(&mut self) {
        self.last = std::mem::take(&mut self.window);
        self.begins.push((self.now_ns + TICK_NS) as f64 / 1e9 - 1.0);
        for (index, node) in (0..self.topology.nodes.len()).map(|index| (index, self.node(index))).collect::<Vec<_>>() {
            let name = self.topology.nodes[index].name.clone();
            let pairs: Vec<(String, Option<f64>)> = if self.topology.nodes[index].is_workload {
                vec![
                    (format!("workloads.{name}.sent"), Some(node.arrivals)),
                    (format!("workloads.{name}.goodput"), Some(node.good)),
                    (format!("workloads.{name}.failed"), Some(node.failed)),
                    (format!("workloads.{name}.latency.p50_s"), node.latency_p50_s),
                    (format!("workloads.{name}.latency.p99_s"), node.latency_p99_s),
                ]
            } else {
                vec![
                    (format!("components.{name}.arrivals"), Some(node.arrivals)),
                    (format!("components.{name}.completed"), Some(node.good)),
                    (format!("components.{name}.failed"), Some(node.failed)),
                    (format!("components.{name}.utilization"), node.utilization),
                    (format!("components.{name}.queue.depth"), Some(node.queue as f64)),
                    (format!("components.{name}.amplification"), node.amplification),
                    (format!("components.{name}.wasted_work"), node.wasted_work),
                ]
            };
            for (column, value) in pairs {
                match self.columns.iter_mut().find(|(other, _)| *other == column) {
                    Some((_, values)) => values.push(value),
                    None => self.columns.push((column, vec![value])),
                }
            }
        }
    }

    fn amplification(&self) -> f64 {
        if self.last.fresh > 0.0 { self.last.attempts / self.last.fresh } else { 1.0 }
    }

    fn node(&self, index: usize) -> NodeNow {
        let node = &self.topology.nodes[index];
        let (last, spread) = (&self.last, 1.0 / (1.0 + (index / 7) as f64));
        let seconds = 1.0;
        let wait = if last.ticks > 0.0 { last.wait / last.ticks } else { 0.0 };
        let failed = (last.fresh - last.good).max(0.0);
        if node.is_workload {
            return NodeNow {
                arrivals: last.fresh / seconds,
                good: last.good,
                failed,
                in_flight: (self.backlog + self.queue).min(last.fresh * 3.0) as u64,
                latency_p50_s: Some(0.012 + wait.min(2.2)),
                latency_p99_s: Some(0.035 + (wait * 4.0).min(2.96)),
                replicas_up: 1,
                replicas: 1,
                ..NodeNow::default()
            };
        }
        let is_slow = self.slow() > 1.0;
        let amplification = self.amplification();
        let busy = if last.ticks > 0.0 { (last.busy / last.ticks).min(1.0) } else { 0.0 };
        let mut now = NodeNow {
            arrivals: last.fresh * spread,
            good: last.good * spread,
            failed: failed * spread,
            in_flight: (last.fresh * spread * (0.02 + wait)) as u64,
            utilization: Some((busy * 0.6 * (0.7 + 0.3 * (index as f64 * 1.7).sin())).min(1.0)),
            amplification: Some(1.0),
            wasted_work: Some(0.0),
            replicas_up: 3,
            replicas: 3,
            each: [0.9, 0.4, 0.7].map(|held| ReplicaNow { is_up: true, held: Some(held), queue: 0 }).into(),
            slots: Some(((busy * 200.0) as u64, 300)),
            ..NodeNow::default()
        };
        match node.kind.as_str() {
            "database" => {
                now.arrivals = last.attempts;
                now.good = last.served * if last.attempts > 0.0 { last.good / last.attempts } else { 1.0 };
                now.failed = (last.attempts - last.good).max(0.0);
                now.utilization = Some(busy);
                now.queue = self.queue as u64;
                now.amplification = Some(amplification);
                now.wasted_work = Some((1.0 - last.good / last.served.max(1.0)).clamp(0.0, 1.0));
                now.slots = Some(((busy * 100.0) as u64, 100));
                now.replicas = 1;
                now.replicas_up = 1;
                now.each.clear();
                if is_slow {
                    now.faults = vec!["slow-db".into()];
                }
                now.own.insert("lock_waits", Unit::Count, Some(12.0));
            }
            "service" => {
                now.arrivals *= amplification.sqrt();
                now.queue_max = Some(2000);
                now.queue = (self.queue / 8.0).min(2000.0) as u64;
                now.amplification = Some(amplification.sqrt());
                now.utilization = Some((busy * 0.5 + wait * 0.4).min(1.0));
            }
            "cache" => {
                now.own.insert("hit_ratio", Unit::Fraction, Some(0.9));
            }
            "external" => {
                now.utilization = None;
                now.slots = None;
            }
            _ => {}
        }
        now
    }
}

impl Simulation for Fake {
    fn run_until(&mut self, at_ns: i64) {
        if let Some(runs) = &self.runs {
            runs.fetch_add(1, Ordering::Relaxed);
        }
        let at_ns = at_ns.min(self.end_ns());
        // Ticks lie at multiples of their length.
        while self.now_ns < at_ns {
            let next = (self.now_ns.div_euclid(TICK_NS) + 1) * TICK_NS;
            if self.now_ns.rem_euclid(TICK_NS) == 0 {
                self.tick();
            }
            self.now_ns = next.min(at_ns);
        }
    }

    fn now_ns(&self) -> i64 {
        self.now_ns
    }

    fn end_ns(&self) -> i64 {
        300_000_000_000
    }

    fn start_ns(&self) -> i64 {
        -30_000_000_000
    }

    fn window_ns(&self) -> u64 {
        1_000_000_000
    }

    fn events(&self) -> u64 {
        self.ticks * 400
    }

    fn snapshot(&self) -> Snapshot {
        let amplification = self.amplification();
        let last = &self.last;
        let links = self.topology.edges.iter().map(|edge| {
            let to = self.node(edge.to);
            let is_db = edge.link == "db";
            let failing = if to.arrivals > 0.0 { to.failed / to.arrivals } else { 0.0 };
            let link_amplification = if is_db || edge.from == 0 { amplification.sqrt() } else { 1.0 };
            LinkNow {
                attempts: to.arrivals,
                retries: to.arrivals * (1.0 - 1.0 / link_amplification),
                failed: to.arrivals * failing,
                amplification: Some(link_amplification),
                own: if is_db {
                    pool((last.busy / last.ticks.max(1.0)) * 60.0, self.queue / 20.0)
                } else {
                    Own::default()
                },
                in_flight: to.in_flight,
            }
        });
        let columns: Table<Vec<Option<f64>>> = self.columns.iter().cloned().collect();
        Snapshot {
            at_s: self.at_s(),
            from_s: -30.0,
            until_s: 300.0,
            finished: self.now_ns >= self.end_ns(),
            events: self.events(),
            scenario: "Checkout under a slow database".into(),
            topology: Arc::clone(&self.topology),
            nodes: (0..self.topology.nodes.len()).map(|index| self.node(index)).collect(),
            links: links.collect(),
            hosts: Arc::default(),
            faults: self.faults.clone(),
            operator_events: Vec::new(),
            series: Series { window_s: 1.0, at_s: self.begins.clone(), columns }.into(),
            happened: self.happened(),
            happened_left_out: 0,
        }
    }

    fn knobs(&self) -> Vec<Knob> {
        let knob = |path: &str, value: String, live: bool, doc: &str, range: &str| Knob {
            path: path.into(),
            value,
            live,
            doc: doc.into(),
            range: range.into(),
        };
        vec![
            knob(
                "workloads.shoppers.arrivals.poisson",
                format!("{}/s", self.rate),
                true,
                "Mean rate of arrivals.",
                "a rate, above 0/s",
            ),
            knob("workloads.shoppers.deadline", "2s".into(), false, "What counts as good.", "a duration"),
            knob(
                "components.api.calls.db.retry.max_attempts",
                format!("{}", self.attempts_max),
                true,
                "How often a call is tried in all, the first time included.",
                "1 to 100, default 3",
            ),
            knob(
                "components.orders-db.connections",
                "100".into(),
                false,
                "Connections that the database accepts; its workers.",
                "1 to 100000, default 100",
            ),
            knob(
                "components.orders-db.capacity",
                format!("{}/s", self.capacity),
                true,
                "What it can do in a second.",
                "a rate",
            ),
        ]
    }

    fn set(&mut self, path: &str, value: &str) -> Result<(), String> {
        let number: f64 =
            value.trim_end_matches("/s").parse().map_err(|_| format!("{path}: {value:?} is not a number"))?;
        match path {
            "workloads.shoppers.arrivals.poisson" => self.rate = number,
            "components.api.calls.db.retry.max_attempts" if number >= 1.0 => self.attempts_max = number,
            "components.orders-db.capacity" => self.capacity = number,
            "components.orders-db.connections" if number >= 1.0 => {}
            _ => return Err(format!("{path}: cannot become {value}")),
        }
        self.changes.push(format!("{path}={value}"));
        Ok(())
    }

    fn inject(&mut self, fault_yaml: &str) -> Result<(), String> {
        if !fault_yaml.starts_with('{') {
            return Err("1:1: a fault is written in braces".into());
        }
        let at_s = self.at_s();
        let fault = FaultWindow {
            name: None,
            at_s,
            until_s: Some(at_s + 20.0),
            what: "injected".into(),
            targets: vec!["orders-db".into()],
            ..FaultWindow::default()
        };
        self.faults.push(fault);
        self.changes.push(fault_yaml.into());
        Ok(())
    }

    fn export(&self) -> String {
        format!("version: 1\n# {}\n", self.changes.join("\n# "))
    }

    fn happenings(&self) -> Vec<Happening> {
        let all = [(64.0, "payments", "breaker opens", true), (94.0, "payments", "breaker closes", false)];
        let past = all.into_iter().filter(|(at_s, ..)| *at_s <= self.at_s());
        past.map(|(at_s, target, what, bad)| Happening { at_s, target: target.into(), what: what.into(), bad })
            .collect()
    }

    fn faults_to_choose(&self) -> Vec<FaultChoice> {
        let mut choices = Vec::new();
        for (name, doc, strikes_workloads, text) in [
            ("slow", "A component works more slowly.", false, "{for: 20s, slow: {component: @, factor: 5}}"),
            ("errors", "A share of the calls to a component fails.", false, "{for: 20s, errors: {component: @}}"),
            ("surge", "More requests are sent.", true, "{for: 30s, surge: {workload: @, x: 2}}"),
        ] {
            for node in self.topology.nodes.iter().filter(|node| node.is_workload == strikes_workloads) {
                let (target, text) = (node.name.clone(), text.replace('@', &node.name));
                choices.push(FaultChoice { name: name.into(), doc: doc.into(), target, text });
            }
        }
        let text = "{for: 30s, host_down: {hosts: rack, host: 0}}".to_string();
        choices.push(FaultChoice { name: "host_down".into(), doc: "A host dies.".into(), target: "rack".into(), text });
        choices
    }

    fn requests(&self) -> Option<Requests> {
        (self.topology.nodes.len() == 6).then(|| requests(Arc::new(names()), (self.now_ns + 30_000_000_000) as u64))
    }
}

/// Names of the groups in the requests below; the last three are links.
fn names() -> Vec<GroupName> {
    let names = ["edge", "api", "orders-db", "shoppers.call", "edge.to", "api.db"];
    names.iter().enumerate().map(|(number, name)| GroupName { name: name.to_string(), is_link: number > 2 }).collect()
}

/// Two requests: one answered immediately, and one whose second attempt at the database is wasted work.
fn requests(names: Arc<Vec<GroupName>>, now: u64) -> Requests {
    const MS: u64 = 1_000_000;
    let group = |name: &str| GroupId(names.iter().position(|group| group.name == name).unwrap() as u16);
    let part = |what, place: &str| Part { what, place: group(place) };
    let answer = |outcome| Some(Answer::new(outcome, 0));
    let call = |parent, place: &str, is_retry, begun_ms: u64, ended_ms: u64, outcome| {
        let mut call = TracedCall::new(parent, group(place), is_retry, 93_200 * MS + begun_ms * MS);
        (call.ended, call.answer) = (Some(93_200 * MS + ended_ms * MS), answer(outcome));
        call
    };
    let at = |ms: u64| 93_200 * MS + ms * MS;
    let mut calls = vec![
        call(None, "shoppers.call", false, 0, 1300, Outcome::Timeout),
        call(Some(0), "edge", false, 0, 1300, Outcome::Unavailable),
        call(Some(1), "api", false, 2, 1300, Outcome::Unavailable),
        call(Some(2), "api.db", false, 200, 1290, Outcome::Timeout),
        call(Some(3), "orders-db", false, 240, 1200, Outcome::Ok),
        call(Some(3), "orders-db", true, 800, 9200, Outcome::Ok),
    ];
    calls[1].spend(part(SpentOn::Network, "edge"), at(2));
    calls[2].spend(part(SpentOn::Queue, "api"), at(150));
    calls[2].spend(part(SpentOn::Service, "api"), at(200));
    calls[3].spend(part(SpentOn::PoolWait, "api.db"), at(240));
    calls[4].spend(part(SpentOn::Queue, "orders-db"), at(1100));
    calls[4].spend(part(SpentOn::Service, "orders-db"), at(1200));
    calls[5].spend(part(SpentOn::Queue, "orders-db"), at(9100));
    calls[5].spend(part(SpentOn::Service, "orders-db"), at(9200));
    calls[4].given_up = Some(at(740));
    calls[5].given_up = Some(at(1290));
    let slow = TracedRequest { key: 1, source: group("shoppers.call"), calls, is_cut: false };
    let mut calls = vec![call(None, "edge", false, 0, 12, Outcome::Ok)];
    calls[0].spend(part(SpentOn::Service, "edge"), at(12));
    let fast = TracedRequest { key: 2, source: group("shoppers.call"), calls, is_cut: false };
    Requests::new(30_000 * MS, now, names, vec![Arc::new(slow), Arc::new(fast)])
}

/// A pool of 60 connections.
fn pool(active: f64, waiting: f64) -> Own {
    let mut own = Own::default();
    for (name, value) in [("pool.size", 60.0), ("pool.active", active.trunc()), ("pool.waiting", waiting.trunc())] {
        own.insert(name, Unit::Count, Some(value));
    }
    own
}

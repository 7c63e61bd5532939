//! A session: one run of a scenario that can be continued, observed, changed and cloned.
//!
//! A session advances window by window. At each border it reads the counters and appends a row to the series. It does so
//! between two calls of the engine, never as an event, so that observation cannot change the run.

mod afterwards;
mod hosts;
mod interventions;
mod measured;
mod spread;
mod tracing;
mod windows;

use std::sync::Arc;

use models::costs;
use models::directory::WORKLOAD_LINK;
use models::faults::timed::{Source, Timed};
use models::fleet::Fleet;
use models::link::LinkSettings;
use models::network::{Network, Node};
use models::scenario::UntilSettings;
use sim_core::measure::Counts;
use sim_core::time::SECOND;
use sim_core::{AttemptCounts, Attempts, Engine, Figures, GroupId, NodeId, Outcome, Span, Time};

use crate::history::History;
use crate::requests::GroupName;
use crate::result::{FaultWindow, Table};
pub(crate) use afterwards::After;
use hosts::HostWatch;
use language::Loaded;
use language::document::Override;
pub(crate) use measured::Requests;
use spread::Looks;
use windows::{Asked, Border, Spare};

/// Why a run ended early.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Calls go in circles without time passing.
    Stuck(sim_core::Stuck),
    /// A conservation law is violated: a bug in this program.
    Breach(sim_core::Breach),
    /// A run without a fixed end has exceeded the maximum number of values kept in its windows: the number of values.
    TooManyWindows(u64),
    /// No events are left, but calls are open that can never end, or messages are waiting without a consumer: places and
    /// counts.
    NeverEnds {
        /// The calls.
        calls: Vec<(String, u64)>,
        /// The messages.
        messages: Vec<(String, u64)>,
    },
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Stuck(stuck) => {
                let (at_s, group) = (stuck.at as f64 / SECOND as f64, &stuck.group);
                match stuck.how {
                    sim_core::Endless::Round => write!(
                        f,
                        "at {at_s} s calls go round in `{group}` without time passing: give its retries a back-off, or \
                         its loop a wait"
                    ),
                    sim_core::Endless::Inside => write!(
                        f,
                        "at {at_s} s more than a million calls wait for each other, the innermost in `{group}`: calls that \
                         lead back to where they came from must come to an end; make the way back less likely, or give \
                         its link a timeout"
                    ),
                }
            }
            Failure::Breach(breach) => write!(
                f,
                "a law does not hold at `{}` ({}: {} ≠ {}); this is a bug of brownout, please report it",
                breach.group, breach.law, breach.left, breach.right
            ),
            Failure::TooManyWindows(values) => {
                write!(f, "the time series has {values} values, which is too many: write a longer `run.window`")
            }
            Failure::NeverEnds { calls, messages } => {
                let list = |open: &[(String, u64)]| {
                    open.iter().map(|(name, count)| format!("{count} in `{name}`")).collect::<Vec<_>>().join(", ")
                };
                write!(f, "nothing is left to happen")?;
                if !calls.is_empty() {
                    write!(f, ", and these calls can never end: {}", list(calls))?;
                }
                if !messages.is_empty() {
                    write!(f, ", and these messages are left: {}", list(messages))?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Failure {}

/// The figures of one component's replicas together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Together {
    pub(crate) figures: Figures,
    /// Integral of the cores in use, and the number of cores; `None` if it has none.
    pub(crate) cpu: Option<(u128, f64)>,
    pub(crate) up: u32,
}

/// A link, with its caller and its index there.
#[derive(Clone, Debug)]
pub(crate) struct LinkPlace {
    pub(crate) from: String,
    pub(crate) name: String,
    pub(crate) group: GroupId,
    pub(crate) nodes: Vec<NodeId>,
    /// The replicas that call over the link, and its index among their links; empty for a workload's link.
    callers: Vec<NodeId>,
    at: usize,
    /// Whether its callers make the calls themselves: the group is then theirs.
    pub(crate) is_direct: bool,
    /// Whether each call holds a worker of its caller until it is answered.
    pub(crate) holds_a_worker: bool,
    /// Maximum time a caller waits, if it is bounded.
    pub(crate) timeout: Option<Span>,
    pub(crate) to: Vec<String>,
    pub(crate) policies: Vec<String>,
}

/// The cost of closing a window in events, besides the cost per node.
const EVENTS_A_WINDOW: u64 = 100;

/// One run.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) network: Network,
    pub(crate) links: Arc<Vec<LinkPlace>>,
    /// Names of all groups, for tracing requests.
    pub(crate) group_names: Arc<Vec<GroupName>>,
    pub(crate) seed: u64,
    pub(crate) zero: Time,
    pub(crate) end: Time,
    until_idle: bool,
    window: Span,
    next_border: Time,
    measuring: bool,
    /// Whether the time series has only the columns that objectives and totals need: the others would go unused.
    only_asked: bool,
    has_closed_none: bool,
    pub(crate) finished: bool,
    pub(crate) last_activity: Time,
    /// The current instant, if a run without a fixed end was interrupted amid its events.
    amid: Option<Time>,
    /// Counts and figures at the last border.
    border: Border,
    spare: Spare,
    /// By component.
    pub(crate) spreads: Vec<Looks>,
    pub(crate) hosts: HostWatch,
    /// Columns in addition to those of every run.
    asked: Arc<[Asked]>,
    pub(crate) series: History,
    /// Faults and events, in the director's numbering.
    pub(crate) timed: Arc<Vec<(Source, FaultWindow)>>,
    pub(crate) changes: Vec<(i64, String, String)>,
    /// The manual changes as overrides of the initial scenario.
    by_hand: Vec<(i64, Override)>,
    begun_with: Arc<Loaded>,
    /// Number of setting changes that nodes were prepared for since the run began.
    prepared: u32,
    injected: u32,
}

impl Session {
    /// A run of a scenario under a seed, at its beginning; `warmup` overrides that of the scenario.
    pub fn new(loaded: Arc<Loaded>, seed: u64, warmup: Option<Span>) -> Session {
        let zero = warmup.unwrap_or_else(|| loaded.scenario.warmup());
        let mut network = loaded.build(seed, zero);
        let scenario = &loaded.scenario;
        let window = scenario.window();
        let until_idle = scenario.run.until == Some(UntilSettings::Idle);
        // Finite work needs no end; a run that never becomes idle is stopped after a thousand years.
        let end = if until_idle { Time::MAX >> 9 } else { zero + scenario.run.duration.map_or(0, |d| d.0) };
        // The first window is the shorter one, so that a window begins where the warm-up ends.
        let next_border = if zero.is_multiple_of(window) { window } else { zero % window };
        network.engine.count_happenings_by(window, next_border);
        let links = links(&loaded, &network);
        let timed: Vec<_> = scenario.timed().iter().map(|timed| (timed.source, window_of(timed))).collect();
        let mut session = Session {
            links: Arc::new(links),
            group_names: Arc::default(),
            seed,
            zero,
            end,
            until_idle,
            window,
            next_border,
            measuring: false,
            only_asked: false,
            has_closed_none: true,
            finished: false,
            last_activity: 0,
            amid: None,
            border: Border::default(),
            spare: Spare::default(),
            spreads: vec![Looks::default(); network.directory.components.len()],
            hosts: HostWatch::default(),
            asked: Arc::new([]),
            series: History::default(),
            changes: Vec::new(),
            by_hand: Vec::new(),
            begun_with: loaded.clone(),
            prepared: 0,
            injected: timed.len() as u32,
            timed: Arc::new(timed),
            network,
            loaded,
        };
        session.name_columns();
        session.remember();
        session.look_at_hosts();
        if zero == 0 {
            session.begin_measuring();
        }
        session
    }

    /// Keeps only the columns of workloads in the time series, unless an objective needs others. Must be called before the run
    /// begins.
    pub(crate) fn keep_only_asked(&mut self) {
        let is_of_workloads = |metric: String| metric == "goodput" || metric.starts_with("workloads.");
        self.only_asked = windows::asked_over_time(&self.loaded.scenario).all(is_of_workloads);
        if self.only_asked {
            self.name_columns();
            self.remember();
        }
    }

    fn begin_measuring(&mut self) {
        self.network.engine.begin_measuring();
        self.measuring = true;
        self.remember();
        self.hosts.begin_anew();
    }

    /// The instant reached, in ns on the scenario's clock (0 is the end of the warm-up).
    pub fn now_ns(&self) -> i64 {
        self.network.engine.now() as i64 - self.zero as i64
    }

    /// The end of the run, ns.
    pub fn end_ns(&self) -> i64 {
        if self.until_idle { self.now_ns().max(1) } else { self.end as i64 - self.zero as i64 }
    }

    /// True for a run until idle, whose end is known only once it is reached.
    pub fn is_open_ended(&self) -> bool {
        self.until_idle
    }

    /// The beginning of the run, ns: minus the warm-up.
    pub fn start_ns(&self) -> i64 {
        -(self.zero as i64)
    }

    /// Width of a window, ns.
    pub fn window_ns(&self) -> u64 {
        self.window
    }

    /// Number of events so far.
    pub fn events(&self) -> u64 {
        self.network.engine.events()
    }

    /// True at the end.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The scenario.
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// Continues the run to an instant (ns on the scenario's clock): everything strictly before it has happened.
    pub fn run_until(&mut self, at_ns: i64) -> Result<(), Failure> {
        let until = ((at_ns + self.zero as i64).max(0) as Time).min(self.end);
        self.advance(until, u64::MAX)
    }

    /// Continues the run to its end.
    pub fn run_to_end(&mut self) -> Result<(), Failure> {
        self.advance(self.end, u64::MAX)
    }

    /// Continues the run by about `events` events, or to its end, so that the caller gets control back regardless of how much
    /// happens in a window. Where it pauses has no effect on the run.
    pub fn run_some(&mut self, events: u64) -> Result<(), Failure> {
        self.advance(self.end, events)
    }

    fn advance(&mut self, until: Time, events: u64) -> Result<(), Failure> {
        let mut enough = self.events().saturating_add(events);
        while self.network.engine.now() < until && !self.finished {
            let left = enough.saturating_sub(self.events());
            if left == 0 {
                return Ok(());
            }
            let stop = until.min(self.next_border);
            if !self.until_idle {
                self.network.engine.run_some(stop, left).map_err(Failure::Stuck)?;
            } else if !self.step(stop, left)? {
                return self.finish_idle();
            }
            if self.network.engine.now() == self.next_border {
                self.close_window(self.next_border);
                self.look_at_replicas();
                self.look_at_hosts();
                // Closing a window takes time, too.
                enough = enough.saturating_sub(EVENTS_A_WINDOW + self.network.engine.node_count() as u64 / 4);
                let values = self.series.len() as u64 * self.series.width() as u64;
                if self.until_idle && values > language::load::SERIES_VALUES_MAX {
                    return Err(Failure::TooManyWindows(values));
                }
            }
            if self.network.engine.now() == self.zero && !self.measuring {
                self.begin_measuring();
            }
        }
        if self.network.engine.now() == self.end && !self.finished {
            self.finished = true;
            self.close_last_window();
            self.network.engine.check_laws().map_err(Failure::Breach)?;
        }
        Ok(())
    }

    /// Runs one instant, or up to `events` of its events, of a run until idle; returns whether anything is left to do.
    fn step(&mut self, stop: Time, events: u64) -> Result<bool, Failure> {
        let engine = &mut self.network.engine;
        // Querying the next event advances the rounds of chores, so query once per instant.
        let Some(at) = self.amid.or_else(|| engine.next_event()) else { return Ok(false) };
        if at >= self.next_border {
            // Close the empty windows in between one by one.
            engine.run_until(stop).map_err(Failure::Stuck)?;
            return Ok(true);
        }
        let before = engine.progress();
        let is_done = engine.run_some((at + 1).min(stop), events).map_err(Failure::Stuck)?;
        self.amid = (!is_done).then_some(at);
        if engine.progress() != before {
            self.last_activity = at;
        }
        Ok(true)
    }

    fn finish_idle(&mut self) -> Result<(), Failure> {
        self.finished = true;
        self.end = self.network.engine.now();
        self.close_last_window();
        self.network.engine.check_laws().map_err(Failure::Breach)?;
        let Network { engine, directory, .. } = &self.network;
        let calls: Vec<(String, u64)> = directory
            .components
            .iter()
            .map(|c| (c.name.clone(), engine.group(c.group).in_flight.value()))
            .filter(|(_, n)| *n > 0)
            .collect();
        let left = engine.records_left().into_iter().map(|(node, waiting, leased)| {
            let place = directory.components.iter().find(|c| c.first == node);
            (place.map(|place| place.name.clone()).unwrap_or_default(), waiting + leased)
        });
        let messages: Vec<(String, u64)> = left.collect();
        if calls.is_empty() && messages.is_empty() { Ok(()) } else { Err(Failure::NeverEnds { calls, messages }) }
    }

    fn close_last_window(&mut self) {
        let begun = self.next_border - self.window;
        if self.network.engine.now() > begun && self.network.engine.now() < self.next_border {
            self.close_window(self.network.engine.now());
        }
    }

    /// The replicas of a component.
    pub(crate) fn fleet(&self, component: usize) -> &Fleet {
        match self.network.engine.node(NodeId(0)) {
            Node::Director(director) => director.fleet(component),
            _ => unreachable!("the director is the first node"),
        }
    }

    /// The figures that all replicas of a component report, added to `figures`.
    pub(crate) fn together(&self, component: usize, figures: Figures) -> Together {
        let used: Vec<NodeId> = self.fleet(component).used().into_iter().map(|(_, node)| node).collect();
        let mut together = self.together_at(component, &used, figures);
        self.report_of(self.network.directory.consumers_of(component), &mut together.figures);
        self.report_of_staff(component, &mut together.figures);
        let entrance = self.network.directory.components[component].entrance;
        self.report_of(entrance.map(|entrance| entrance.node), &mut together.figures);
        together
    }

    /// How many replicas of a component there are over time, where that changes on purpose, and what they cost.
    pub(crate) fn report_of_staff(&self, component: usize, into: &mut Figures) {
        let engine = &self.network.engine;
        if let Node::Director(director) = engine.node(NodeId(0)) {
            director.figures_of(component, engine.now(), into);
        }
        let place = &self.network.directory.components[component];
        if let Some(price) = place.cost {
            let (from, now) = (if self.measuring { self.zero } else { 0 }, engine.now());
            let fleet = self.fleet(component);
            let existed = fleet.used().into_iter().map(|(_, node)| u128::from(fleet.used_for(node, from, now))).sum();
            let answered = engine.group(place.group).measured().answered_well();
            costs::figures(price, existed, now - from, Some(answered), into);
        }
    }

    /// What a group of hosts costs.
    pub(crate) fn report_of_hosts(&self, group: usize, host: Option<usize>, into: &mut Figures) {
        let place = &self.network.directory.hosts[group];
        if let Some(price) = place.cost {
            let span = self.network.engine.now() - if self.measuring { self.zero } else { 0 };
            let count = host.map_or(place.count, |_| 1);
            costs::figures(price, u128::from(count) * u128::from(span), span, None, into);
        }
    }

    /// The figures of some of a component's nodes.
    pub(crate) fn together_at(&self, component: usize, nodes: &[NodeId], mut figures: Figures) -> Together {
        let place = &self.network.directory.components[component];
        let engine = &self.network.engine;
        let has_cores = place.replicas > 0 && self.network.directory.machines_of(&place.name).is_some();
        let (mut up, mut cores, mut busy) = (0, None, 0u128);
        for node in nodes {
            up += engine.is_up(*node) as u32;
            for part in engine.cpus_of(*node) {
                busy += engine.cpu_busy(*part);
                if has_cores {
                    let share = self.share_of_time(component, *node);
                    cores = Some(cores.unwrap_or(0.0) + engine.machine_busy(part.machine).1 * share);
                }
            }
        }
        self.report_of(nodes.iter().copied(), &mut figures);
        Together { figures, cpu: cores.map(|cores| (busy, cores)), up }
    }

    /// Share of the measured time in which a replica existed.
    fn share_of_time(&self, component: usize, node: NodeId) -> f64 {
        let (from, now) = (if self.measuring { self.zero } else { 0 }, self.network.engine.now());
        match now - from {
            0 => 1.0,
            all => self.fleet(component).used_for(node, from, now) as f64 / all as f64,
        }
    }

    /// The attempts over a link: in the whole run, and those begun after the warm-up.
    pub(crate) fn attempts_of(&self, link: &LinkPlace) -> (AttemptCounts, AttemptCounts) {
        let engine = &self.network.engine;
        let (mut all, mut measured) = (AttemptCounts::default(), AttemptCounts::default());
        let mut add = |attempts: &Attempts| {
            all.merge(&attempts.all);
            measured.merge(&attempts.measured());
        };
        link.callers.iter().filter_map(|caller| engine.node(*caller).attempts(link.at)).for_each(&mut add);
        for node in &link.nodes {
            if let Node::Link(one) = engine.node(*node) {
                [Some(&one.attempts), engine.passed(*node)].into_iter().flatten().for_each(&mut add);
            }
        }
        (all, measured)
    }
}

/// 1 / (1 − share of retries among arrivals).
pub(crate) fn amplification(counts: &Counts) -> Option<f64> {
    let fresh = counts.arrivals - counts.arrivals_by_retry;
    (fresh > 0).then(|| counts.arrivals as f64 / fresh as f64)
}

/// A fault or an event as the result shows it.
fn window_of(timed: &Timed<'_>) -> FaultWindow {
    let seconds = |ns: i64| ns as f64 / SECOND as f64;
    FaultWindow {
        name: timed.name.map(|name| name.as_str().to_string()),
        at_s: seconds(timed.at),
        until_s: timed.until().or(timed.what.is_momentary().then_some(timed.at)).map(seconds),
        what: timed.what.words(),
        targets: timed.what.targets(),
        note: timed.note.map(str::to_string),
        for_good: timed.what.is_a_change() && timed.lasts.is_none(),
    }
}

/// The longest time a caller waits for an attempt, or for all of them.
fn timeout(settings: &LinkSettings) -> Option<Span> {
    [&settings.timeout, &settings.total_timeout].into_iter().flatten().map(|timeout| timeout.0).min()
}

fn links(loaded: &Loaded, network: &Network) -> Vec<LinkPlace> {
    let directory = &network.directory;
    let mut links = Vec::new();
    for (entry, place) in loaded.scenario.workloads.iter().zip(&directory.workloads) {
        links.push(LinkPlace {
            from: place.name.clone(),
            name: WORKLOAD_LINK.to_string(),
            group: place.link.group,
            nodes: vec![NodeId(place.node.0 + 1)],
            callers: Vec::new(),
            at: 0,
            is_direct: false,
            holds_a_worker: false,
            timeout: timeout(&entry.value.call),
            to: place.link.target_names.clone(),
            policies: entry.value.call.in_words(),
        });
    }
    for (index, (entry, place)) in loaded.scenario.components.iter().zip(&directory.components).enumerate() {
        for (at, (_, settings)) in entry.value.settings.links().into_iter().enumerate() {
            let link = &place.links[at];
            let callers = directory.nodes_of(index);
            // A caller without a link node makes one attempt for each call it is asked for.
            let is_direct = callers.first().is_some_and(|c| network.engine.node(*c).attempts(at).is_some());
            links.push(LinkPlace {
                from: place.name.clone(),
                name: link.name.clone(),
                group: if is_direct { place.group } else { link.group },
                callers,
                at,
                is_direct,
                holds_a_worker: entry.value.settings.holds_a_worker(&link.name),
                timeout: timeout(settings),
                nodes: (0..place.slots).map(|r| directory.link_of(index, r, &link.name).0).collect(),
                to: link.target_names.clone(),
                policies: settings.in_words(),
            });
        }
    }
    links
}

/// Outcomes that occurred, with their counts.
pub(crate) fn outcomes(counts: &[u64; Outcome::COUNT]) -> Table<u64> {
    let happened = Outcome::ALL.into_iter().filter(|o| counts[*o as usize] > 0);
    happened.map(|o| (o.name().to_string(), counts[o as usize])).collect()
}

/// The latencies of a workload's answered requests, as counts of buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// The workload.
    pub workload: String,
    /// Bucket bounds in nanoseconds, ascending; a bucket is at most 0.4 % wide.
    pub buckets: Vec<sim_core::histogram::Bucket>,
}

impl Session {
    /// Latencies of the answered requests since the end of the warm-up, by workload.
    pub fn latencies(&self) -> Vec<Latencies> {
        let of = |workload: &models::directory::WorkloadPlace| Latencies {
            workload: workload.name.clone(),
            buckets: self.network.engine.group(workload.link.group).latency.histogram().iter().collect(),
        };
        self.network.directory.workloads.iter().map(of).collect()
    }
}

/// Access to the engine behind a session, for tests and benchmarks.
impl Session {
    /// The engine.
    pub fn engine(&self) -> &Engine<Node> {
        &self.network.engine
    }
}

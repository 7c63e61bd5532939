//! What will be simulated, and everything that can be known of it without running it.
//!
//! ```text
//!  Loaded ─▶ graph ─▶ flows ─▶ times ─▶ limits, links, capacity ─▶ warnings
//!              └────▶ tree
//! ```
//!
//! The result is plain data. Nothing here knows a kind of component: what a call takes and what limits a replica each kind
//! says of itself ([`models::demand`]).

mod backlog;
mod bursts;
mod choosers;
mod flow;
mod flows;
mod gates;
mod graph;
mod limits;
mod links;
mod times;
mod tree;
mod warnings;

use indexmap::IndexMap;
use serde::Serialize;
use settings::Problem;

use flow::Flows;
use flows::{Attempts, Caches, Moment, most_calls, open_rate, settle, solve, solve_with};
use graph::Graph;
use language::Loaded;
use language::document::Sources;
use limits::{Load, Which};
use times::Times;

pub use backlog::{Consumer, Queue};
pub use choosers::{Chooser, Detection};
pub use limits::{Bound, Limit, Sensitivity};
pub use links::{Link, Policy};
pub use tree::Branch;

/// A table in the order of the scenario.
type Table<T> = IndexMap<String, T>;

/// What is known of a workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workload {
    /// When it sends, as the scenario says it.
    pub arrivals: String,
    /// Requests a second on average over the run; for users who wait for their answers, the most that they can send.
    /// `None` for finite work, which has no rate.
    pub rate_per_s: Option<f64>,
    /// The largest rate of an open workload with a shape.
    pub peak_per_s: Option<f64>,
    /// Whether it sends whatever the answers do.
    pub is_open: bool,
    /// How long a request takes while nothing is waited for, on average, s.
    pub latency_s: f64,
}

/// What is known of a component.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Component {
    /// Its kind.
    pub kind: String,
    /// How many replicas.
    pub replicas: u32,
    /// How many at most, where their number changes: limits are those of so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas_most: Option<u32>,
    /// Calls a second while nothing fails; `None` where there is no rate.
    pub calls_per_s: Option<f64>,
    /// Calls a second if every call made all the attempts that retries and budgets allow.
    pub calls_with_retries_per_s: Option<f64>,
    /// Product over the layers of the attempts that each may make: how often one call can be asked of it because of
    /// retries. `None` where calls go round.
    pub attempts_most: Option<f64>,
    /// Calls of it that one request can bring about, fan-out and loops included.
    pub calls_per_request_most: Option<f64>,
    /// From arrival to answer while nothing is waited for, on average, s.
    pub latency_s: f64,
    /// What it has only so much of.
    pub limits: Vec<Limit>,
    /// Share of the calls that it answers by itself, where it can and that is known.
    pub hit_ratio: Option<f64>,
    /// Threads in all replicas.
    pub threads: Option<u64>,
    /// Calls that can wait in all replicas; `None` where nothing waits or nothing bounds it.
    pub queue_most: Option<u64>,
    /// Connections that the pools of its callers open to it at most.
    pub connections_to: Option<u64>,
}

/// How much load the whole bears, where retries multiply it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Capacity {
    /// Open load of all workloads, requests a second.
    pub load_per_s: f64,
    /// The highest load that is served while nothing fails, and what limits it.
    pub advertised_per_s: f64,
    /// What limits it.
    pub advertised_by: String,
    /// The highest load that heals after any trigger: there even all retries together are served while all caches are empty.
    pub hidden_per_s: f64,
    /// What limits that.
    pub hidden_by: String,
    /// Whether there are retries, all of which are made there.
    pub retries: bool,
    /// Whether there are caches, all of which are empty there.
    pub caches: bool,
    /// `stable`, `vulnerable` or `overloaded`.
    pub state: &'static str,
}

/// Bytes that the stacks of threads take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ThreadMemory {
    /// Threads in all components.
    pub threads: u64,
    /// Address space that is reserved with stacks of 1 MB, the default of the JVM.
    pub reserved_low_bytes: u64,
    /// With stacks of 8 MB, the default of Linux.
    pub reserved_high_bytes: u64,
}

/// Everything that is known without running.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// Version of this format; always 1.
    pub format: u32,
    /// The scenario's name, or its file name where it has none.
    pub name: String,
    /// The scenario's description.
    pub description: Option<String>,
    /// File name without folders, or `@name`.
    pub source: String,
    /// The variant that was applied.
    pub variant: Option<String>,
    /// Who sends.
    pub workloads: Table<Workload>,
    /// Who calls whom.
    pub topology: Vec<Branch>,
    /// The links, in the order of the scenario.
    pub links: Vec<Link>,
    /// The components.
    pub components: Table<Component>,
    /// Queues that something consumes from: what their consumers can process, and the backlog.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub queues: Table<Queue>,
    /// Who chooses among replicas, and how long it takes to find out that one is dead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choosers: Vec<Chooser>,
    /// The cores of groups of hosts.
    pub hosts: Table<Limit>,
    /// Where there are retries or caches, and a load that does not wait for answers.
    pub capacity: Option<Capacity>,
    /// How sensitive waits are, where something is nearly full.
    pub sensitivities: Vec<Sensitivity>,
    /// Where there are threads.
    pub thread_memory: Option<ThreadMemory>,
    /// What cannot hold, in the order of the file.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
    /// What would mend each of them, by number.
    #[serde(skip)]
    pub mends: Vec<Option<Mend>>,
    /// The texts that the warnings point into.
    #[serde(skip)]
    pub sources: Sources,
}

/// A change of the scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mend {
    /// The path of what is changed.
    pub path: String,
    /// What it becomes, in the notation of the scenario; `null` removes it.
    pub value: String,
}

/// Of the warnings about a scenario, those about what its own faults will show: callers without a timeout where nobody is left to
/// answer them, choosers that are never told that a replica is dead, and faults that never strike.
pub fn under_faults(loaded: &Loaded) -> Vec<Problem> {
    let scenario = &loaded.scenario;
    let is_silenced = scenario.faults.iter().any(|fault| fault.value.what.what().silences());
    let is_calm = scenario.faults.is_empty() && scenario.events.is_empty();
    if is_calm && scenario.components.iter().all(|component| component.value.random.is_none()) {
        return Vec::new();
    }
    let is_shown = |problem: &Problem| match problem.code {
        warnings::NO_TIMEOUT => is_silenced,
        code => code == warnings::BLIND_CHOOSER || code == warnings::AFTER_THE_END,
    };
    explain(loaded).warnings.into_iter().filter(is_shown).collect()
}

/// Explains a scenario.
pub fn explain(loaded: &Loaded) -> Explained {
    let scenario = &loaded.scenario;
    let network = loaded.build(scenario.seed, scenario.warmup());
    let graph = Graph::new(loaded, &network.directory);
    let duration_s = scenario.run.duration.map_or(0.0, |d| d.0 as f64 / 1e9);
    let rates = rates(&graph, duration_s, Moment::Average);
    let has_rates = rates.iter().any(|rate| *rate > 0.0);
    // Finite work has no rate; one request a second of each finds the means of what is asked.
    let solved: Vec<f64> = if has_rates { rates.clone() } else { vec![1.0; rates.len()] };
    let fresh = solve(&graph, &solved, Attempts::First);
    let all = solve(&graph, &solved, Attempts::All);
    let bare = Times::bare(&graph, &fresh);
    let waited = Times::loaded(&bare);
    let waiting = settle(&graph, &solved, &waited);
    let (is_less, is_more) = closed_doubts(&graph, &rates, &fresh, &waited);
    let load = Load {
        graph: &graph,
        fresh: &fresh,
        all: &all,
        waiting: &waiting,
        bare: &bare,
        loaded: &waited,
        has_rates,
        may_be_full: is_less,
        may_be_more: is_more,
    }
    .aware();
    let links = links::links(&graph, &load);
    let mut components = components(&graph, &load);
    mark_lower_bounds(&graph, &links, &mut components);
    let hosts: Table<Limit> = load.of_hosts().into_iter().collect();
    let queues: Table<Queue> = backlog::queues(&graph, &load, &rates, duration_s).into_iter().collect();
    let capacity = capacity(&load, &rates);
    let threads: u64 = components.values().filter_map(|c| c.threads).sum();
    let mut explained = Explained {
        format: 1,
        name: scenario.name.clone().unwrap_or_else(|| loaded.source.clone()),
        description: scenario.description.clone(),
        source: loaded.source.clone(),
        variant: loaded.options.variant.clone(),
        workloads: workloads(&graph, &load, &rates, duration_s),
        topology: tree::trees(&graph),
        links,
        components,
        queues,
        choosers: choosers::choosers(&graph),
        hosts,
        sensitivities: load.sensitivities(),
        capacity,
        thread_memory: (threads > 0).then_some(ThreadMemory {
            threads,
            reserved_low_bytes: threads * 1_000_000,
            reserved_high_bytes: threads * 8_000_000,
        }),
        warnings: Vec::new(),
        mends: Vec::new(),
        sources: loaded.sources.clone(),
    };
    let peak = self::rates(&graph, duration_s, Moment::Peak);
    warnings::find(&graph, &load, (&solved, &peak), &mut explained);
    explained
}

/// Rounds in which the rates of users who wait are found.
const ROUNDS_MAX: usize = 60;

/// Requests a second that each workload sends: as written where it is open; where users wait for their answers, what
/// they can send at most, first by their number and then by what the busiest part can serve; 0 for finite work.
fn rates(graph: &Graph<'_>, duration_s: f64, moment: Moment) -> Vec<f64> {
    let bare = Times::unloaded(graph);
    let workloads = graph.scenario.workloads.iter();
    let mut closed = vec![false; graph.scenario.workloads.len()];
    let mut rates: Vec<f64> = workloads
        .enumerate()
        .map(|(nth, entry)| {
            let process = &entry.value.arrivals.process;
            if let Some(users) = process.users() {
                closed[nth] = true;
                let think_s = process.think().map_or(0.0, |think| think.mean() / 1e9);
                return users as f64 / (think_s + request_s(graph, &bare, nth)).max(1e-9);
            }
            open_rate(&entry.value, duration_s, moment).unwrap_or(0.0)
        })
        .collect();
    if !closed.contains(&true) {
        return rates;
    }
    let scaled = |factor: f64| -> Vec<f64> {
        rates.iter().zip(&closed).map(|(rate, closed)| if *closed { rate * factor } else { *rate }).collect()
    };
    // What is taken grows in proportion to the load, but for caches.
    let share = |factor: f64| busiest(graph, &solve(graph, &scaled(factor), Attempts::First)).unwrap_or(0.0);
    let mut factor = 1.0;
    for _ in 0..ROUNDS_MAX {
        let share = share(factor);
        if share <= 1.0 && (factor == 1.0 || share > 1.0 - 1e-9) {
            break;
        }
        factor = (factor / share).min(1.0);
    }
    rates = scaled(factor);
    rates
}

/// Waits may make users who wait for their answers send so much less than what is said, and nobody minds.
const SLOWED_MAX: f64 = 0.03;
/// How busy anything may be for that to be known.
const CALM: f64 = 0.4;
/// Where so many wait at the busiest part on average, that there are others nearly as busy makes little difference: of n jobs in
/// a balanced network of M parts each part works for n ÷ (n + M − 1) of the time.
const ALWAYS_WAITING: f64 = 100.0;

/// What is known of the rates of users who wait for their answers: with the waits that these flows bring about, whether they send
/// less than what is said, and whether they may send more.
fn closed_doubts(graph: &Graph<'_>, rates: &[f64], flows: &Flows, waited: &Times<'_>) -> (bool, bool) {
    let workloads = graph.scenario.workloads.iter().as_slice();
    let process = |nth: usize| &workloads[nth].value.arrivals.process;
    let closed: Vec<usize> = (0..workloads.len()).filter(|nth| process(*nth).users().is_some()).collect();
    let Some(busiest) = busiest(graph, flows).filter(|_| !closed.is_empty()) else { return (false, false) };
    let cycle_s = |nth: usize, times: &Times<'_>| {
        process(nth).think().map_or(0.0, |think| think.mean() / 1e9) + request_s(graph, times, nth)
    };
    let users = |nth: usize| process(nth).users().unwrap_or(0) as f64;
    let held_up = |nth: &usize| users(*nth) < rates[*nth] * (1.0 - SLOWED_MAX) * cycle_s(*nth, waited);
    if busiest < CALM {
        return (closed.iter().any(held_up), false);
    }
    // Who is turned away or gives up comes back sooner than who is served.
    let gives_up = |link: &graph::LinkAt<'_>| {
        let settings = link.settings;
        settings.timeout.is_some() || settings.total_timeout.is_some() || !settings.passes().is_empty()
    };
    let refuses = |component: &&models::components::ComponentSettings| {
        !matches!(component.limits().waiting, models::demand::Waiting::Unbounded)
            || component.limits().rate_per_s.is_some()
    };
    if graph.links.iter().any(gives_up) || graph.components.iter().any(refuses) {
        return (true, true);
    }
    // Where far more users wait than are served or think, the busiest part has always something to do.
    let bare = Times::bare(graph, flows);
    let waiting = |nth: usize| users(nth) - rates[nth] * cycle_s(nth, &bare);
    (!(workloads.len() == 1 && waiting(0) >= ALWAYS_WAITING), false)
}

/// The largest share of anything that these flows take while nothing is waited for.
fn busiest(graph: &Graph<'_>, flows: &Flows) -> Option<f64> {
    tightest(graph, flows, Which::All).map(|(share, _)| share)
}

/// How long a request of a workload takes, on average over its sorts, s.
fn request_s(graph: &Graph<'_>, times: &Times<'_>, workload: usize) -> f64 {
    let settings = &graph.scenario.workloads.iter().as_slice()[workload].value;
    settings.asked().into_iter().map(|asked| asked.share * times.over_link(workload, asked.op)).sum()
}

fn workloads(graph: &Graph<'_>, load: &Load<'_>, rates: &[f64], duration_s: f64) -> Table<Workload> {
    let workload = |(nth, entry): (usize, &settings::MapEntry<models::workloads::WorkloadSettings>)| {
        let process = &entry.value.arrivals.process;
        let varies = entry.value.shape.is_some() || process.trace().is_some();
        let peak = varies.then(|| open_rate(&entry.value, duration_s, Moment::Peak)).flatten();
        let known = Workload {
            arrivals: settings::Setting::write(&entry.value.arrivals).to_string(),
            rate_per_s: (rates[nth] > 0.0).then_some(rates[nth]),
            peak_per_s: peak,
            is_open: process.is_load(),
            latency_s: request_s(graph, load.bare, nth),
        };
        (entry.name.as_str().to_string(), known)
    };
    graph.scenario.workloads.iter().enumerate().map(workload).collect()
}

fn components(graph: &Graph<'_>, load: &Load<'_>) -> Table<Component> {
    let workloads = 0..graph.scenario.workloads.len();
    let products: Vec<Option<Vec<f64>>> = workloads.clone().map(|w| most_calls(graph, w, true)).collect();
    let counts: Vec<Option<Vec<f64>>> = workloads.map(|w| most_calls(graph, w, false)).collect();
    let largest = |of: &[Option<Vec<f64>>], component: usize| -> Option<f64> {
        of.iter().try_fold(0.0_f64, |most, counts| Some(most.max(counts.as_ref()?[component])))
    };
    let component = |nth: usize| {
        let place = &graph.directory.components[nth];
        let limits = graph.components[nth].limits();
        let replicas = graph.replicas(nth) as u64;
        let pools: Option<u64> = graph.links_to(nth).map(|link| graph.connections_of(link)).sum();
        let known = Component {
            kind: place.kind.to_string(),
            replicas: place.replicas,
            replicas_most: graph.replicas_most(nth),
            calls_per_s: load.has_rates.then(|| Times::rate(nth, load.fresh)),
            calls_with_retries_per_s: load.has_rates.then(|| Times::rate(nth, load.all)),
            attempts_most: largest(&products, nth),
            calls_per_request_most: largest(&counts, nth),
            latency_s: mean_latency(load, nth),
            limits: load.of_component(nth),
            hit_ratio: load
                .fresh
                .misses
                .get(&nth)
                .copied()
                .flatten()
                .filter(|_| load.has_rates)
                .map(|(misses, _)| 1.0 - misses),
            threads: limits.workers.filter(|_| limits.is_threads).map(|(_, count)| u64::from(count) * replicas),
            queue_most: match limits.waiting {
                models::demand::Waiting::UpTo(most) => Some(u64::from(most) * replicas),
                _ => None,
            },
            connections_to: pools.filter(|_| graph.links_to(nth).next().is_some()),
        };
        (place.name.clone(), known)
    };
    (0..graph.components.len()).map(component).collect()
}

/// From this share on a queue is as long as there are calls to wait in it.
const SATURATED: f64 = 0.999;

/// Workers that wait for something saturated are held for longer than is known.
fn mark_lower_bounds(graph: &Graph<'_>, links: &[Link], components: &mut Table<Component>) {
    let is_full = |limit: &Limit| limit.unwaited >= SATURATED;
    let mut waits: Vec<bool> = vec![false; graph.components.len()];
    loop {
        let mut changed = false;
        for (at, link) in graph.links.iter().zip(links) {
            let graph::Caller::Component(caller) = at.caller else { continue };
            let full = |way: &graph::Way| {
                waits[way.component]
                    || components.get_index(way.component).is_some_and(|(_, c)| c.limits.iter().any(is_full))
            };
            if !waits[caller] && (link.pool.as_ref().is_some_and(is_full) || at.ways.iter().any(full)) {
                waits[caller] = true;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    for (nth, (_, component)) in components.iter_mut().enumerate() {
        let frees = graph.components[nth].limits().frees_while_waiting;
        if let Some(workers) = component.limits.first_mut().filter(|limit| waits[nth] && !frees && !is_full(limit)) {
            workers.bound = workers.held_s.map(|_| Bound::AtLeast).filter(|_| workers.utilization.is_some());
        }
    }
}

fn mean_latency(load: &Load<'_>, component: usize) -> f64 {
    let here = load.fresh.arrivals.iter().filter(|((at, _, _), _)| *at == component);
    let (sum, calls) = here.fold((0.0, 0.0), |(sum, calls), ((_, op, _), flow)| {
        (sum + flow.calls * load.bare.latency_s(component, op), calls + flow.calls)
    });
    if calls > 0.0 { sum / calls } else { 0.0 }
}

/// Advertised and hidden capacity, where there are retries or caches, and a load that does not wait for answers.
fn capacity(load: &Load<'_>, rates: &[f64]) -> Option<Capacity> {
    let graph = load.graph;
    let retries = graph.links.iter().any(|link| link.settings.max_sent() > 1);
    let caches = load.fresh.misses.values().flatten().any(|(_, fetches)| *fetches < 1.0);
    let open = graph.scenario.workloads.iter().zip(rates).filter(|(w, _)| w.value.arrivals.process.is_load());
    let load_per_s: f64 = open.map(|(_, rate)| rate).sum();
    if !(retries || caches) || load_per_s <= 0.0 {
        return None;
    }
    // Without waits: what is held is in proportion to the load.
    let worst = solve_with(graph, rates, Attempts::All, Caches::AllEmpty);
    // Whom a gate refuses costs what is behind it nothing, and who consumes messages late makes nobody try again.
    let (fresh, all) = (tightest(graph, load.fresh, Which::All)?, tightest(graph, &worst, Which::Waited)?);
    let (advertised_per_s, hidden_per_s) = (load_per_s / fresh.0, load_per_s / all.0.max(fresh.0));
    let state = match load_per_s {
        load if load >= advertised_per_s => "overloaded",
        load if load >= hidden_per_s => "vulnerable",
        _ => "stable",
    };
    let hidden_by = if all.0 >= fresh.0 { all.1 } else { fresh.1.clone() };
    Some(Capacity {
        load_per_s,
        advertised_per_s,
        advertised_by: fresh.1,
        hidden_per_s,
        hidden_by,
        retries,
        caches,
        state,
    })
}

/// What the load takes the largest share of after a change of the scenario, and its name; `None` if it is not to be had.
fn tightest_after(loaded: &Loaded, change: &Mend) -> Option<(f64, String)> {
    let value = settings::notation::parse(&change.value, settings::SourceId::NOWHERE).ok()?;
    let path = settings::Path::parse(&change.path).ok()?;
    let change = language::document::Override { path, path_span: settings::Span::NOWHERE, value };
    let loaded = loaded.reread(&[change], None).ok()?;
    let network = loaded.build(loaded.scenario.seed, loaded.scenario.warmup());
    let graph = Graph::new(&loaded, &network.directory);
    let duration_s = loaded.scenario.run.duration.map_or(0.0, |d| d.0 as f64 / 1e9);
    let rates = rates(&graph, duration_s, Moment::Average);
    tightest(&graph, &solve(&graph, &rates, Attempts::First), Which::All)
}

/// What these flows take the largest share of while nothing is waited for, and its name.
fn tightest(graph: &Graph<'_>, flows: &Flows, which: Which) -> Option<(f64, String)> {
    let bare = Times::bare(graph, flows);
    let load = Load::alone(graph, flows, &bare);
    let shares = load.named(which).into_iter().map(|(what, limit)| (limit.unwaited, what));
    shares.filter(|(share, _)| *share > 0.0).reduce(|most, one| if one.0 > most.0 { one } else { most })
}

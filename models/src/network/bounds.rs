//! Limits on the size of a scenario, checked before anything is allocated.
//!
//! The number of parts is limited, since they are numbered by 16 bits and every way through them is checked. Everything else that a
//! scenario can ask for in any amount – users, replicas, the targets that links keep track of, keys, machines, windows – is limited
//! by its memory, which is estimated from measured sizes. `lab/tests/allocations.rs` compares the estimate with the allocator.

use std::collections::BTreeMap;

use settings::{Path as TreePath, Problem, Problems, Span};

use super::find::in_cluster;
use super::layout::slots as slots_for;
use crate::directory::Directory;
use crate::link::LinkSettings;
use crate::policies::pool::Per;
use crate::scenario::{ComponentEntry, Scenario};

/// Workloads, components, links and consumers in total.
pub const PARTS_MAX: usize = 20_000;
/// Operations.
pub const OPS_MAX: usize = 10_000;
/// Pairs of a component and an operation that reaches it.
pub const OPS_OF_COMPONENTS_MAX: usize = 500_000;
/// The default memory limit, bytes.
pub const MEMORY_MAX: u64 = 8 << 30;

// Measured sizes in bytes.
const REPLICA: u64 = 4_000;
const LINK: u64 = 3_000;
const POOL: u64 = 2_500;
const CONNECTION: u64 = 80;
const CONSUMER: u64 = 1_000;
/// A target of a link, and one of a link that balances.
const KNOWN: u64 = 16;
const BALANCED: u64 = 64;
/// A target in the directory, once per link of a component.
const NAMED: u64 = 8;
const MACHINE: u64 = 1_000;
/// A user with a request in flight.
const USER: u64 = 250;
/// A cache entry with its share of the hash table.
const ENTRY: u64 = 150;
/// A task of a call that divides into several.
const TASK: u64 = 200;
/// A value of a time series: in the run, in its result, and in the output.
const VALUE: u64 = 50;
/// More values than are kept of a run.
const VALUES_MAX: u64 = 100_000_000;
/// Measurements of one operation at one component.
const OP: u64 = 600;

/// A part of the scenario that needs memory.
struct Part {
    path: TreePath,
    span: Span,
    what: String,
    bytes: u64,
}

/// Whether the number of parts is supported.
pub(super) fn check_numbers(scenario: &Scenario, problems: &mut Problems) -> bool {
    let of = |entry: &ComponentEntry| 1 + entry.settings.links().len() + entry.settings.consumes().len();
    let parts: usize = scenario.workloads.len() + scenario.components.iter().map(|c| of(&c.value)).sum::<usize>();
    if parts > PARTS_MAX {
        let message = format!("{parts} workloads, components and links in total; at most {PARTS_MAX} are supported");
        problems.push(Problem::error("too_many", Span::NOWHERE, message).path(TreePath::of(&["components"])));
    }
    parts <= PARTS_MAX
}

/// Estimates the memory in bytes, and reports an error if it exceeds the limit.
pub(super) fn check_memory(scenario: &Scenario, allowed: u64, problems: &mut Problems) -> u64 {
    let mut parts = Vec::new();
    add_workloads(scenario, &mut parts);
    add_components(scenario, &mut parts);
    for entry in &scenario.hosts {
        let bytes = u64::from(entry.value.count) * MACHINE;
        let path = TreePath::of(&["hosts", entry.name.as_str()]);
        parts.push(Part { path, span: entry.name_span, what: format!("{} machines", entry.value.count), bytes });
    }
    add_series(scenario, &mut parts);
    refuse_beyond(allowed, parts, problems)
}

/// The memory of measurements by operation, which is known once the operations have been followed.
pub(super) fn check_memory_of_ops(directory: &Directory, before: u64, allowed: u64, problems: &mut Problems) -> u64 {
    let components = (0..directory.components.len()).filter(|at| !directory.ops_of_component(*at).is_empty()).count();
    let workloads = directory.workloads.iter().filter(|place| !place.ops.is_empty()).count();
    let bytes = ((components + workloads) * directory.ops.len()) as u64 * OP;
    if before.saturating_add(bytes) > allowed {
        let help = format!(
            "{} operations are measured at {components} components; raise the limit with `--memory`",
            directory.ops.len()
        );
        let problem = Problem::error("too_much_memory", Span::NOWHERE, too_much(before.saturating_add(bytes), allowed));
        problems.push(problem.path(TreePath::of(&["workloads"])).help(help));
    }
    bytes
}

fn refuse_beyond(allowed: u64, mut parts: Vec<Part>, problems: &mut Problems) -> u64 {
    let total = parts.iter().fold(0u64, |total, part| total.saturating_add(part.bytes));
    if total > allowed {
        parts.sort_by_key(|part| std::cmp::Reverse(part.bytes));
        if let Some(most) = parts.into_iter().next() {
            let message = too_much(total, allowed);
            let help = format!("{} need {} of it; raise the limit with `--memory`", most.what, in_words(most.bytes));
            problems.push(Problem::error("too_much_memory", most.span, message).path(most.path).help(help));
        }
    }
    total
}

/// The message of the error.
fn too_much(total: u64, allowed: u64) -> String {
    format!("this scenario needs about {} of memory; the limit is {}", in_words(total), in_words(allowed))
}

/// Bytes as people write them.
fn in_words(bytes: u64) -> String {
    let (unit, name) = if bytes < 1 << 30 { (1u64 << 20, "MiB") } else { (1 << 30, "GiB") };
    let amount = bytes as f64 / unit as f64;
    if amount < 10.0 && amount.fract() > 0.05 { format!("{amount:.1} {name}") } else { format!("{amount:.0} {name}") }
}

/// The time series, whose length is known unless the run ends when it is idle. Too many values are an error of their own.
fn add_series(scenario: &Scenario, parts: &mut Vec<Part>) {
    let length = scenario.run.duration.map_or(0, |duration| duration.0).saturating_add(scenario.warmup());
    let (windows, columns) = (length.checked_div(scenario.window()).unwrap_or(0), scenario.columns());
    let bytes = windows.saturating_mul(columns).min(VALUES_MAX) * VALUE;
    let what = format!("{windows} windows of {columns} time series");
    parts.push(Part { path: TreePath::of(&["run", "window"]), span: Span::NOWHERE, what, bytes });
}

fn add_workloads(scenario: &Scenario, parts: &mut Vec<Part>) {
    let slots = Slots::new(scenario);
    for entry in &scenario.workloads {
        let settings = &entry.value;
        let path = TreePath::of(&["workloads", entry.name.as_str()]);
        let mut add = |key: &str, what: String, bytes: u64| {
            parts.push(Part { path: path.join(key), span: entry.name_span, what, bytes });
        };
        let process = &settings.arrivals.process;
        if let Some(users) = process.users() {
            add("arrivals", format!("{users} users"), users.saturating_mul(USER));
        }
        let at_once = process.total().filter(|_| process.trace().is_none()).unwrap_or(1);
        let a_batch = settings.arrivals.batch.as_ref().map_or(1, |batch| batch.0.mean().min(1e18) as u64);
        let at_once = at_once.saturating_mul(a_batch);
        add("arrivals", format!("{at_once} simultaneous requests"), at_once.saturating_mul(USER));
        for keys in settings.requests.iter().filter_map(|request| request.key.as_ref()) {
            add("requests", "the request keys".to_string(), keys.0.bytes());
        }
        if let Some(clients) = &settings.clients {
            add("clients", format!("{} clients", clients.count), clients.keys().bytes());
        }
        add("call", "its targets".to_string(), slots.of_link(entry.name.as_str(), &settings.call, false, 1));
    }
}

fn add_components(scenario: &Scenario, parts: &mut Vec<Part>) {
    let slots = Slots::new(scenario);
    let entries = entries_at_most(scenario);
    for entry in &scenario.components {
        let settings = &entry.value.settings;
        let count = slots_for(scenario, entry.name.as_str(), settings);
        let balances = settings.balancing().is_some();
        let links = settings
            .links()
            .into_iter()
            .fold(0u64, |sum, (_, link)| sum.saturating_add(slots.of_link(entry.name.as_str(), link, balances, count)));
        let each = REPLICA + settings.consumes().len() as u64 * CONSUMER;
        let kept = settings.keeps_at_most().min(entries).saturating_mul(ENTRY);
        let tasks = (settings.tasks_at_once() * TASK as f64) as u64;
        let bytes = count.saturating_mul(each).saturating_add(links).saturating_add(kept).saturating_add(tasks);
        let what = format!("{count} replicas of `{}` with their links, entries and tasks", entry.name.as_str());
        let path = TreePath::of(&["components", entry.name.as_str()]);
        parts.push(Part { path, span: entry.name_span, what, bytes });
    }
}

/// An upper bound of the entries that a cache can hold: ten calls per request, where the number of requests is known.
fn entries_at_most(scenario: &Scenario) -> u64 {
    let mut most = 0f64;
    for entry in &scenario.workloads {
        let process = &entry.value.arrivals.process;
        let seconds = scenario.run.duration.map(|duration| (duration.0 + scenario.warmup()) as f64 / 1e9);
        let open = process.rate().filter(|_| process.is_open() && entry.value.shape.is_none());
        most += open.zip(seconds).map_or(f64::INFINITY, |(rate, seconds)| 10.0 * rate * seconds);
    }
    most.min(u64::MAX as f64) as u64
}

/// The number of nodes of each component, by name.
struct Slots<'s>(BTreeMap<&'s str, u64>);

impl<'s> Slots<'s> {
    fn new(scenario: &'s Scenario) -> Slots<'s> {
        Slots(
            scenario
                .components
                .iter()
                .map(|entry| (entry.name.as_str(), slots_for(scenario, entry.name.as_str(), &entry.value.settings)))
                .collect(),
        )
    }

    fn of(&self, caller: &str, name: &str) -> u64 {
        let own = in_cluster(caller, name).and_then(|own| self.0.get(own.as_str()));
        own.or_else(|| self.0.get(name)).copied().unwrap_or(0)
    }

    /// The memory of a link with so many callers.
    fn of_link(&self, caller: &str, settings: &LinkSettings, balances: bool, callers: u64) -> u64 {
        let known =
            settings.to.iter().fold(0u64, |sum, target| sum.saturating_add(self.of(caller, target.to.as_str())));
        let each = if balances || settings.takes_turns() { BALANCED } else { KNOWN };
        let mut bytes = (LINK).saturating_add(known.saturating_mul(each));
        if let Some(pool) = &settings.pool {
            let parts = if pool.per == Some(Per::Target) { known } else { 1 };
            let kept = u64::from(pool.min_idle()).saturating_mul(parts);
            bytes = bytes.saturating_add(POOL).saturating_add(kept.saturating_mul(CONNECTION));
        }
        callers.saturating_mul(bytes).saturating_add(known.saturating_mul(NAMED))
    }
}

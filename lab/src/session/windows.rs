//! The time series of a run: the counts at each window border, and the row computed from two borders.

use models::figures::{of_components, of_links, of_workloads};
use models::network::Node;
use models::policies::pool;
use models::scenario::Scenario;
use sim_core::figures::{Merge, Value};
use sim_core::histogram::Histogram;
use sim_core::measure::Counts;
use sim_core::time::SECOND;
use sim_core::{AttemptCounts, Figure, Figures, GroupId, NodeId, Span, Time, slots};

use super::{After, LinkPlace, Session, amplification};
use crate::figures::{self, Part};
use crate::history::History;
use crate::latency_all::{Of, Sent};
use crate::metrics;

/// Counts and figures at a border.
#[derive(Clone, Debug, Default)]
pub(super) struct Border {
    workloads: Vec<Counts>,
    components: Vec<(Counts, Figures)>,
    links: Vec<OfLink>,
    /// Figures of the owners of the requested columns.
    asked: Vec<Figures>,
}

/// Counts and figures of a link.
#[derive(Clone, Debug, Default)]
struct OfLink {
    attempts: AttemptCounts,
    calls: Counts,
    /// Integral over time of the calls under way.
    under_way: u128,
    figures: Figures,
}

impl Border {
    /// The figures reported by the owner of the nth requested column.
    fn figures_of(&self, nth: usize, asked: &Asked) -> &Figures {
        match asked.owner {
            Owner::Component(index) if !asked.is_apart() => &self.components[index].1,
            Owner::Link(index) if !asked.is_apart() => &self.links[index].figures,
            Owner::Workload(..)
            | Owner::Component(_)
            | Owner::ComponentOp(..)
            | Owner::Replica(..)
            | Owner::Link(_)
            | Owner::Hosts(..) => &self.asked[nth],
        }
    }
}

/// The border before the last, kept to reuse its memory; a clone of a session starts without.
#[derive(Debug, Default)]
pub(super) struct Spare(Border);

impl Clone for Spare {
    fn clone(&self) -> Spare {
        Spare::default()
    }
}

/// A component or link in one window.
struct Window<'a> {
    /// Calls in the window.
    calls: Counts,
    /// Attempts in the window, for a link.
    attempts: AttemptCounts,
    /// Calls under way at its end.
    in_flight: u64,
    /// Integral over time of the calls under way on a link; `None` if they are those of its caller.
    under_way: Option<u128>,
    /// Figures reported at its beginning and at its end.
    before: &'a Figures,
    now: &'a Figures,
    span: Span,
}

impl Window<'_> {
    fn per_second(&self, count: u64) -> Option<f64> {
        Some(count as f64 / (self.span as f64 / SECOND as f64))
    }
}

/// Source of a column of the series.
enum Shows {
    /// The engine's counts.
    Counted(fn(&Window<'_>) -> Option<f64>),
    /// A figure that nodes declare.
    Declared(&'static Figure),
}

impl Shows {
    fn value(&self, window: &Window<'_>) -> Option<f64> {
        match self {
            Shows::Counted(value) => value(window),
            Shows::Declared(figure) => figures::in_window(figure, Part::Whole, window.before, window.now, window.span),
        }
    }
}

const WORKLOAD_COLUMNS: [&str; 5] = ["sent", "goodput", "failed", "latency.p50_s", "latency.p99_s"];

/// The columns that every component has.
const COMPONENT_COLUMNS: [(&str, Shows); 8] = [
    (of_components::ARRIVALS.name, Shows::Counted(|w| w.per_second(w.calls.arrivals))),
    (of_components::COMPLETED.name, Shows::Counted(|w| w.per_second(w.calls.answered_well()))),
    ("failed", Shows::Counted(|w| w.per_second(w.calls.completed() - w.calls.answered_well()))),
    (slots::UTILIZATION.name, Shows::Declared(&slots::UTILIZATION)),
    (slots::QUEUE_DEPTH.name, Shows::Declared(&slots::QUEUE_DEPTH)),
    (of_components::IN_FLIGHT.name, Shows::Counted(|w| Some(w.in_flight as f64))),
    (of_components::AMPLIFICATION.name, Shows::Counted(|w| amplification(&w.calls))),
    (slots::WASTED_WORK.name, Shows::Declared(&slots::WASTED_WORK)),
];

/// The columns that every link has; format 1 includes the pool's columns even for links without a pool.
const LINK_COLUMNS: [(&str, Shows); 7] = [
    (of_links::ATTEMPTS.name, Shows::Counted(|w| w.per_second(w.attempts.attempts))),
    (of_links::RETRIES.name, Shows::Counted(|w| w.per_second(w.attempts.retries))),
    ("failed", Shows::Counted(|w| w.per_second(w.attempts.failed()))),
    (
        of_links::AMPLIFICATION.name,
        Shows::Counted(|w| (w.calls.arrivals > 0).then(|| w.attempts.attempts as f64 / w.calls.arrivals as f64)),
    ),
    (of_links::IN_FLIGHT.name, Shows::Counted(|w| Some(w.under_way? as f64 / w.span as f64))),
    (pool::ACTIVE.name, Shows::Declared(&pool::ACTIVE)),
    (pool::WAITING.name, Shows::Declared(&pool::WAITING)),
];

/// The reporter of a column's figure.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Owner {
    /// A workload, or one of its operations.
    Workload(usize, Option<u16>),
    Component(usize),
    ComponentOp(usize, u16),
    Replica(usize, usize),
    Link(usize),
    /// A group of hosts, or one of them.
    Hosts(usize, Option<usize>),
}

/// A figure that only some runs keep over time.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    owner: Owner,
    figure: &'static Figure,
    part: Part,
    column: String,
    /// Whether the engine measures the figure, rather than the nodes.
    is_measured: bool,
}

impl Asked {
    /// Whether the figure is missing from the owner's report at each border: figures of single replicas, times, and the
    /// engine's measurements.
    fn is_apart(&self) -> bool {
        matches!(self.owner, Owner::Replica(..)) || self.figure.merge == Merge::Times || self.is_measured
    }
}

/// The metrics that a scenario needs over time.
pub(super) fn asked_over_time(scenario: &Scenario) -> impl Iterator<Item = String> {
    let objectives = scenario.objectives.iter();
    let over_time = objectives.filter(|objective| objective.during.is_some() || objective.recovers.is_some());
    over_time.map(|objective| metrics::at_gate(&metrics::canonical(&objective.metric.value)))
}

impl Session {
    /// Names the columns: those of every run, and those requested or declared to be kept.
    pub(super) fn name_columns(&mut self) {
        let directory = &self.network.directory;
        let mut columns = Vec::new();
        for workload in &directory.workloads {
            columns.extend(WORKLOAD_COLUMNS.map(|metric| format!("workloads.{}.{metric}", workload.name)));
        }
        let (components, links): (&[_], &[_]) = match self.only_asked {
            true => (&[], &[]),
            false => (&directory.components, &self.links),
        };
        for component in components {
            columns
                .extend(COMPONENT_COLUMNS.iter().map(|(metric, _)| format!("components.{}.{metric}", component.name)));
        }
        for link in links {
            columns.extend(LINK_COLUMNS.iter().map(|(metric, _)| format!("{}.{metric}", path_of(link))));
        }
        self.asked = self.columns_beside(&columns).into();
        columns.extend(self.asked.iter().map(|asked| asked.column.clone()));
        self.series = History::new(self.window as f64 / SECOND as f64, columns);
    }

    /// The columns of declared figures that only some runs keep.
    fn columns_beside(&self, always: &[String]) -> Vec<Asked> {
        let asked: Vec<String> = asked_over_time(&self.loaded.scenario).collect();
        let mut found: Vec<Asked> = Vec::new();
        for (owner, path) in self.owners(&asked) {
            let of_one = matches!(owner, Owner::Replica(..));
            for is_measured in [false, true] {
                let mut reported = Figures::default();
                match is_measured {
                    false => self.report(owner, &mut reported),
                    true => self.report_measured(owner, &mut reported),
                }
                for (figure, value) in reported.iter().filter(|(figure, _)| !figure.is_for_screens) {
                    for (name, part) in figures::parts(figure, Some(value)) {
                        let metric = format!("{path}.{name}");
                        let column = figures::column(figure, &metric, part);
                        // The engine's own measurements of workloads, components and links have columns of their own.
                        let is_beside = !is_measured || matches!(owner, Owner::Hosts(_, None));
                        let is_kept = figure.is_kept && !of_one && is_beside && !self.only_asked;
                        let is_there = always.contains(&column) || found.iter().any(|other| other.column == column);
                        if (is_kept || asked.contains(&metric)) && !is_there {
                            found.push(Asked { owner, figure, part, column, is_measured });
                        }
                    }
                }
            }
        }
        found
    }

    /// All owners of figures, with the path of their metrics; single replicas, hosts and operations only if a metric names
    /// one.
    fn owners(&self, metrics: &[String]) -> Vec<(Owner, String)> {
        let mut owners = Vec::new();
        let directory = &self.network.directory;
        let ops_at = |path: &str, ops: &[u16]| -> Vec<(u16, String)> {
            let named =
                ops.iter().map(|op| (*op, format!("{path}.{}.{}", metrics::OPS, directory.ops[usize::from(*op)])));
            named.filter(|(_, path)| metrics.iter().any(|metric| metric.starts_with(&format!("{path}.")))).collect()
        };
        for (index, workload) in directory.workloads.iter().enumerate() {
            let path = format!("workloads.{}", workload.name);
            let of_ops = ops_at(&path, &workload.ops).into_iter();
            owners.extend(of_ops.map(|(op, path)| (Owner::Workload(index, Some(op)), path)));
            owners.push((Owner::Workload(index, None), path));
        }
        for (index, component) in self.network.directory.components.iter().enumerate() {
            let path = format!("components.{}", component.name);
            let each = format!("{path}[");
            if metrics.iter().any(|metric| metric.starts_with(&each)) {
                let one = |nth: usize| (Owner::Replica(index, nth), format!("{path}[{nth}]"));
                owners.extend((0..component.replicas as usize).map(one));
            }
            let of_ops = ops_at(&path, directory.ops_of_component(index)).into_iter();
            owners.extend(of_ops.map(|(op, path)| (Owner::ComponentOp(index, op), path)));
            owners.push((Owner::Component(index), path));
        }
        for (index, hosts) in directory.hosts.iter().enumerate() {
            let path = format!("hosts.{}", hosts.name);
            if metrics.iter().any(|metric| metric.starts_with(&format!("{path}["))) {
                let one = |nth: usize| (Owner::Hosts(index, Some(nth)), format!("{path}[{nth}]"));
                owners.extend((0..hosts.count as usize).map(one));
            }
            owners.push((Owner::Hosts(index, None), path));
        }
        owners.extend(self.links.iter().enumerate().map(|(index, link)| (Owner::Link(index), path_of(link))));
        owners
    }

    fn report(&self, owner: Owner, into: &mut Figures) {
        match owner {
            Owner::Component(index) => {
                self.report_of(self.fleet(index).used().into_iter().map(|(_, node)| node), into);
                self.report_of(self.network.directory.consumers_of(index), into);
                let entrance = self.network.directory.components[index].entrance;
                self.report_of(entrance.map(|entrance| entrance.node), into);
                self.report_of_staff(index, into);
            }
            Owner::Replica(index, nth) => {
                let found = self.fleet(index).used().into_iter().find(|(number, _)| *number as usize == nth);
                self.report_of(found.map(|(_, node)| node), into);
            }
            Owner::Link(index) => self.report_of_link(&self.links[index], into),
            Owner::Workload(index, None) => {
                let node = self.network.directory.workloads[index].node;
                self.report_of([node], into);
            }
            Owner::Workload(_, Some(_)) | Owner::ComponentOp(..) | Owner::Hosts(..) => {}
        }
    }

    /// Adds the engine's measurements of an owner.
    fn report_measured(&self, owner: Owner, into: &mut Figures) {
        match owner {
            Owner::Workload(index, op) => self.measured_of_workload(index, op, into),
            Owner::Component(index) => self.measured_of_component(index, into),
            Owner::ComponentOp(index, op) => self.measured_of_component_op(index, op, into),
            Owner::Replica(index, nth) => self.measured_of_replica(index, nth, into),
            Owner::Link(index) => self.measured_of_link(&self.links[index], into),
            Owner::Hosts(index, nth) => self.measured_of_hosts(index, nth, into),
        }
    }

    /// Adds the figures reported by nodes.
    pub(crate) fn report_of(&self, nodes: impl IntoIterator<Item = NodeId>, into: &mut Figures) {
        let engine = &self.network.engine;
        for node in nodes {
            engine.figures_of(node, into);
        }
    }

    /// Adds the figures that a link reports for each replica that calls over it.
    pub(crate) fn report_of_link(&self, link: &LinkPlace, into: &mut Figures) {
        let engine = &self.network.engine;
        let is_link = |node: &NodeId| matches!(engine.node(*node), Node::Link(_));
        self.report_of(link.nodes.iter().copied().filter(is_link), into);
    }

    /// Stores the counts at the current border.
    pub(super) fn remember(&mut self) {
        let mut border = std::mem::take(&mut self.border);
        self.survey(&mut border);
        self.border = border;
    }

    /// Numbers of components and links to survey at a border: all of them, or none if only requested columns are kept.
    fn surveyed(&self) -> (usize, usize) {
        if self.only_asked { (0, 0) } else { (self.network.directory.components.len(), self.links.len()) }
    }

    fn survey(&self, border: &mut Border) {
        let directory = &self.network.directory;
        let engine = &self.network.engine;
        border.workloads.clear();
        border.workloads.extend(directory.workloads.iter().map(|workload| engine.group(workload.link.group).all));
        let plain = || (Counts::default(), Figures::without_times());
        let (components, links) = self.surveyed();
        border.components.resize_with(components, plain);
        for (index, (calls, figures)) in border.components.iter_mut().enumerate() {
            *calls = engine.group(directory.components[index].group).all;
            figures.clear();
            self.report(Owner::Component(index), figures);
        }
        let plain = || OfLink { figures: Figures::without_times(), ..OfLink::default() };
        border.links.resize_with(links, plain);
        for (index, of) in border.links.iter_mut().enumerate() {
            let link = &self.links[index];
            let group = engine.group(link.group);
            of.attempts = self.attempts_of(link).0;
            of.calls = group.all;
            of.under_way = group.in_flight.integral(engine.now());
            of.figures.clear();
            self.report(Owner::Link(index), &mut of.figures);
        }
        border.asked.resize_with(self.asked.len(), Figures::default);
        for (asked, figures) in self.asked.iter().zip(&mut border.asked) {
            figures.clear();
            match asked.is_measured {
                true => self.report_measured(asked.owner, figures),
                false if asked.is_apart() => self.report(asked.owner, figures),
                false => {}
            }
        }
    }

    /// Appends a row to the series for the time since the last border.
    pub(super) fn close_window(&mut self, at: Time) {
        let begun = self.begun(at);
        let span = at - begun;
        let mut now = std::mem::take(&mut self.spare).0;
        self.survey(&mut now);
        let before = std::mem::replace(&mut self.border, now);
        let mut row: Vec<Option<f64>> = Vec::with_capacity(self.series.width());
        self.rows_of_workloads(&before, span, &mut row);
        let now = &self.border;
        let engine = &self.network.engine;
        for (index, (earlier, later)) in before.components.iter().zip(&now.components).enumerate() {
            let in_flight = engine.group(self.network.directory.components[index].group).in_flight.value();
            let (calls, attempts) = (later.0.since(&earlier.0), AttemptCounts::default());
            let (before, now) = (&earlier.1, &later.1);
            let window = Window { calls, attempts, in_flight, under_way: None, before, now, span };
            row.extend(COMPONENT_COLUMNS.iter().map(|(_, shows)| shows.value(&window)));
        }
        for ((earlier, later), link) in before.links.iter().zip(&now.links).zip(self.links.iter()) {
            let (calls, attempts) = (later.calls.since(&earlier.calls), later.attempts.since(&earlier.attempts));
            let under_way = (!link.is_direct).then(|| later.under_way.saturating_sub(earlier.under_way));
            let (before, now) = (&earlier.figures, &later.figures);
            let window = Window { calls, attempts, in_flight: 0, under_way, before, now, span };
            row.extend(LINK_COLUMNS.iter().map(|(_, shows)| shows.value(&window)));
        }
        for (nth, asked) in self.asked.iter().enumerate() {
            let (earlier, later) = (before.figures_of(nth, asked), now.figures_of(nth, asked));
            row.push(match asked.owner {
                Owner::Workload(index, op) if self.ages_beside(index, op, asked.figure).is_some() => {
                    self.latency_all_in_window((index, op), asked, earlier, later)
                }
                _ => figures::in_window(asked.figure, asked.part, earlier, later, span),
            });
        }
        self.has_closed_none = false;
        self.series.push((begun as f64 - self.zero as f64) / SECOND as f64, row);
        self.next_border = at - (at + self.window - self.zero % self.window) % self.window + self.window;
        self.spare = Spare(before);
    }

    /// Ages of the requests under way, ns, for a figure that includes them.
    fn ages_beside(&self, workload: usize, op: Option<u16>, figure: &Figure) -> Option<Vec<u64>> {
        if figure.name == of_workloads::LATENCY_ALL.name {
            return match op {
                None => Some(self.requests_of(workload).ages),
                Some(op) => self.requests_of_op(workload, op).map(|requests| requests.ages),
            };
        }
        let what = After::ALL.into_iter().find(|what| what.latency_all().name == figure.name)?;
        self.after(workload, what, op).map(|after| after.ages)
    }

    /// The latency of all requests of a workload that ended in a window or are under way at its end.
    fn latency_all_in_window(
        &self,
        (workload, op): (usize, Option<u16>),
        asked: &Asked,
        before: &Figures,
        now: &Figures,
    ) -> Option<f64> {
        let of = |figures: &Figures| match figures.get(asked.figure) {
            Some(Value::Times(times)) => (**times).clone(),
            _ => Histogram::new(),
        };
        let ages = self.ages_beside(workload, op, asked.figure)?;
        let ended = of(now).since(&of(before));
        match asked.part {
            Part::Mean => Sent::new(ended, ages).value(Of::Mean),
            Part::Quantile(p) => Sent::new(ended, ages).value(Of::Quantile(p)),
            Part::Longest => Sent::new(ended, ages).value(Of::Longest),
            Part::Count => Some(ended.count() as f64),
            Part::Whole | Part::State(_) | Part::Outcome(_) | Part::Op(_) => None,
        }
    }

    fn rows_of_workloads(&mut self, before: &Border, span: Span, row: &mut Vec<Option<f64>>) {
        let seconds = span as f64 / SECOND as f64;
        let groups: Vec<GroupId> = self.network.directory.workloads.iter().map(|w| w.link.group).collect();
        for (group, before) in groups.into_iter().zip(&before.workloads) {
            let measure = self.network.engine.group_mut(group);
            let counts = measure.all.since(before);
            row.push(Some(counts.arrivals as f64 / seconds));
            row.push(Some(counts.good() as f64 / seconds));
            row.push(Some((counts.completed() - counts.answered_well()) as f64 / seconds));
            let quantiles = measure.latency.close_window([0.5, 0.99]);
            row.extend(quantiles.map(|latency| latency.map(|v| v as f64 / SECOND as f64)));
        }
    }

    /// Start of the window that is still open, s.
    pub(crate) fn window_begins_s(&self) -> f64 {
        (self.begun(self.next_border) as f64 - self.zero as f64) / SECOND as f64
    }

    fn begun(&self, at: Time) -> Time {
        // The border at which the last row ended.
        if self.has_closed_none { 0 } else { self.next_border.saturating_sub(self.window).min(at) }
    }
}

/// Prefix of the paths of a link's metrics.
fn path_of(link: &LinkPlace) -> String {
    format!("links.{}.{}", link.from, link.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::figures::Set;

    /// `failed` is the difference of two columns, not a metric.
    fn names(columns: &[(&'static str, Shows)]) -> Vec<&'static str> {
        columns.iter().map(|(name, _)| *name).filter(|name| *name != "failed").collect()
    }

    #[test]
    fn the_columns_of_every_run_are_those_of_the_figures_declared_to_be_kept() {
        let kept = |figures: &[Set]| -> Vec<&str> {
            figures.iter().flat_map(|set| *set).filter(|figure| figure.is_kept).map(|figure| figure.name).collect()
        };
        let sorted = |mut names: Vec<&'static str>| {
            names.sort_unstable();
            names
        };
        assert_eq!(sorted(names(&COMPONENT_COLUMNS)), sorted(kept(&[of_components::FIGURES])));
        // What other policies keep has a column where they are written: see `columns_beside`.
        let policies = models::policies::link_settings::FIGURES.iter().filter(|(policy, _)| *policy == "pool");
        let of_links: Vec<Set> = policies.map(|(_, figures)| *figures).chain([of_links::FIGURES]).collect();
        assert_eq!(sorted(names(&LINK_COLUMNS)), sorted(kept(&of_links)));
    }
}

//! Warnings: what of a scenario cannot hold, or will hurt when something goes wrong.
//!
//! A rule is a function that looks at one sort of trouble and reports each case with its place, the reason with figures,
//! and the change that would mend it. [`RULES`] is the table of them. A rule speaks only of what the scenario says: what
//! is usual elsewhere is no reason to warn.

mod blind;
mod cores;
mod leaving;
mod load;
mod messages;
mod queues;
mod reserves;
mod retries;
mod timeouts;
mod unused;
mod ways;

use models::demand::Demand;
use settings::{Path, Problem, Problems, Span};

use super::graph::Graph;
use super::limits::{Load, Which};
use super::times::Times;
use super::{Explained, Mend};
use language::places;

/// A link over which a caller waits for ever.
pub(super) const NO_TIMEOUT: &str = "no_timeout";
/// Who chooses among replicas is never told that one is dead.
pub(super) const BLIND_CHOOSER: &str = "blind_chooser";
/// The code of the warning about what comes when the run is over.
pub(crate) const AFTER_THE_END: &str = "after_the_end";

/// Looks for one sort of trouble.
type Rule = fn(&mut Finder<'_, '_>);

/// All rules.
const RULES: &[Rule] = &[
    load::overload,
    load::peak,
    load::vulnerable,
    load::cold_cache,
    load::leaks,
    load::hosts,
    reserves::spare,
    reserves::spare_regions,
    reserves::busy_cores,
    reserves::starved,
    queues::unbounded,
    queues::outlives_callers,
    queues::blocked_loops,
    queues::pools,
    cores::quotas,
    cores::pinned,
    cores::long_code,
    messages::visibility,
    messages::dead_letter,
    timeouts::missing,
    timeouts::inversion,
    timeouts::too_short,
    timeouts::pointless,
    timeouts::acquire,
    retries::budget,
    retries::back_off,
    retries::layers,
    retries::never,
    blind::choosers,
    leaving::late_news,
    leaving::too_little_grace,
    unused::components,
    unused::faults,
    unused::pool_settings,
    unused::sections,
];

/// What rules look at, and what they report.
struct Finder<'f, 'g> {
    graph: &'f Graph<'g>,
    load: &'f Load<'g>,
    /// Requests a second of each workload.
    usual: &'f [f64],
    /// The same while it sends the most.
    peak: &'f [f64],
    explained: &'f Explained,
    ways: ways::Ways,
    found: Vec<(Problem, Option<Mend>)>,
}

impl Finder<'_, '_> {
    /// What a call to a component takes of something, on average; `None` where it takes none.
    fn per_call(&self, component: usize, of: impl Fn(&Demand) -> f64) -> Option<f64> {
        let rate = Times::rate(component, self.load.fresh);
        let taken = self.load.bare.work(component, self.load.fresh, of) / rate;
        (rate > 0.0 && taken > 0.0).then_some(taken)
    }

    /// Something that cannot hold, at a path of the scenario.
    fn warn(&mut self, code: &'static str, path: &Path, message: String, help: String) {
        self.found.push((Problem::warning(code, Span::NOWHERE, message).path(path.clone()).help(help), None));
    }

    /// The same with the change that mends it.
    fn warn_mended(&mut self, code: &'static str, path: &Path, message: String, help: &str, mend: Mend) {
        let text = format!("{help}: `{}: {}`", mend.path, mend.value);
        self.found.push((Problem::warning(code, Span::NOWHERE, message).path(path.clone()).help(text), Some(mend)));
    }

    /// The same where calls go on after the change that failed before; where there is no capacity for them, the change is not proposed.
    fn warn_mended_with_room(&mut self, code: &'static str, path: &Path, message: String, help: &str, mend: Mend) {
        let before = super::tightest(self.graph, self.load.fresh, Which::All).map_or(0.0, |(share, _)| share);
        let after = super::tightest_after(self.graph.loaded, &mend);
        let Some((_, what)) = after.filter(|(share, _)| *share >= ALMOST_FULL && *share > 1.01 * before) else {
            return self.warn_mended(code, path, message, help, mend);
        };
        let text = format!(
            "add capacity at {what} first: it is too little for the calls that go on once they are given more time"
        );
        self.found.push((Problem::warning(code, Span::NOWHERE, message).path(path.clone()).help(text), None));
    }

    fn component_path(&self, component: usize) -> Path {
        Path::of(&["components", self.graph.name(component)])
    }
}

/// With more calls than this there is no room for what chance brings.
const ALMOST_FULL: f64 = 0.9;

/// A change of the scenario.
fn mend(path: &Path, value: impl Into<String>) -> Mend {
    Mend { path: path.to_string(), value: value.into() }
}

/// Looks for everything that cannot hold, and adds what was odd when the scenario was read.
pub(super) fn find(graph: &Graph<'_>, load: &Load<'_>, (usual, peak): (&[f64], &[f64]), explained: &mut Explained) {
    let mut finder =
        Finder { graph, load, usual, peak, explained, ways: ways::Ways::new(graph, load.fresh), found: Vec::new() };
    for rule in RULES {
        rule(&mut finder);
    }
    let found = finder.found;
    let loaded = graph.loaded;
    let mut problems = Problems::new();
    loaded.warnings.iter().cloned().for_each(|problem| problems.push(problem));
    found.iter().for_each(|(problem, _)| problems.push(problem.clone()));
    let placed = places::in_file_order(problems, &loaded.plain, &loaded.document, &loaded.sources);
    let mend_of = |problem: &Problem| {
        let same = |(other, _): &&(Problem, Option<Mend>)| {
            other.code == problem.code && other.path == problem.path && other.message == problem.message
        };
        found.iter().find(same).and_then(|(_, mend)| mend.clone())
    };
    explained.mends = placed.iter().map(mend_of).collect();
    explained.warnings = placed;
}

/// A time in the notation of the scenario, rounded to two digits.
fn nice(seconds: f64) -> String {
    let micros = (seconds * 1e6).max(1.0);
    let scale = libm::pow(10.0, libm::floor(libm::log10(micros)) - 1.0).max(1.0);
    let rounded = (micros / scale).round() * scale;
    settings::values::Scalar::format(&settings::Duration((rounded * 1e3) as u64))
}

/// A time that a reader is told.
fn time(seconds: f64) -> String {
    nice(seconds)
}

/// Calls a second that a reader is told.
fn rate(per_s: f64) -> String {
    if per_s >= 100.0 {
        format!("{}/s", super::limits::grouped(per_s))
    } else {
        format!("{per_s:.3}/s").replace(".000", "")
    }
}

/// A share of something there is only so much of.
fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

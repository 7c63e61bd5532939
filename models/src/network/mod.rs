//! From a scenario to a network that can be run.
//!
//! First the directory: who is who, before anything is built, so that names can be checked and nodes can refer to nodes
//! that come later. Then the engine: the director of the faults, each workload with its link, each replica of each
//! component with its links.

mod assemble;
mod changes;
mod check;
mod directory;
mod wire;

use std::sync::Arc;

use settings::{Path as TreePath, Problem, Problems};
use sim_core::{Engine, Span};

use crate::components::Node;
use crate::faults::Director;
use crate::link::{LinkSettings, Propagated};
use crate::scenario::Scenario;

pub use changes::{concerned, prepare};
pub use directory::{ComponentPlace, Directory, HostGroup, LinkEntry, Population, WorkloadPlace};

/// A network, ready to run.
#[derive(Clone, Debug)]
pub struct Network {
    /// The engine.
    pub engine: Engine<Node>,
    /// Who is who.
    pub directory: Arc<Directory>,
}

/// Faults that change settings, as they strike and end.
pub type Changed = Vec<Changing>;

/// A `set` fault strikes or ends: the whole scenario before and after, other such faults included.
#[derive(Clone, Debug)]
pub struct Changing {
    /// When, ns; 0 is the end of the warm-up.
    pub at: i64,
    /// The fault's number.
    pub fault: u32,
    /// Whether it ends.
    pub ends: bool,
    /// The settings in force before.
    pub before: Arc<Scenario>,
    /// Those from then on.
    pub after: Arc<Scenario>,
}

/// The name of the link of a workload.
pub const WORKLOAD_LINK: &str = "call";

/// Checks a scenario as a whole and builds it.
pub fn build(
    scenario: &Scenario,
    changed: &Changed,
    seed: u64,
    warmup: Span,
    problems: &mut Problems,
) -> Option<Network> {
    let before = problems.len();
    let mut engine = Engine::new(seed);
    let mut directory = directory::directory(scenario, &mut engine, seed, warmup, problems);
    wire::wire(scenario, &mut directory, &mut engine, problems);
    check::check(scenario, &directory, problems);
    if problems.iter().skip(before).any(|p| p.severity == settings::Severity::Error) {
        // What is wrong with the faults belongs to the same list.
        assemble::director(scenario, &directory, problems);
        return None;
    }
    changes::find_changes(changed, &mut directory);
    if carries_baggage(scenario) {
        engine.carry_baggage();
    }
    let everything = engine.add_group("faults");
    let director =
        engine.add_node(Node::Director(Box::new(Director::new(Vec::new(), Vec::new(), seed))), everything, None);
    assemble::add_workloads(scenario, &directory, &mut engine);
    assemble::add_components(scenario, &mut directory, &mut engine);
    // Faults find the machines that components have made for themselves.
    *engine.node_mut(director) = Node::Director(Box::new(assemble::director(scenario, &directory, problems)));
    if problems.iter().skip(before).any(|p| p.severity == settings::Severity::Error) {
        return None;
    }
    changes::prepare_changes(changed, &directory, &mut engine);
    engine.start();
    Some(Network { engine, directory: Arc::new(directory) })
}

/// The links of a scenario: caller, its region, link, settings.
fn each_link<'a>(scenario: &'a Scenario, mut visit: impl FnMut(&'a str, bool, &'a str, &'a LinkSettings)) {
    for entry in &scenario.workloads {
        visit(entry.name.as_str(), true, WORKLOAD_LINK, &entry.value.call);
    }
    for entry in &scenario.components {
        for (link, settings) in entry.value.settings.links() {
            visit(entry.name.as_str(), false, link, settings);
        }
    }
}

/// Whether some requests say which data they are about.
fn has_keys(scenario: &Scenario) -> bool {
    let of_workloads = scenario.workloads.iter().any(|w| {
        w.value.requests.iter().any(|r| r.key.is_some())
            || w.value.arrivals.process.trace().is_some_and(|trace| trace.columns.key_column.is_some())
    });
    of_workloads || scenario.components.iter().any(|c| c.value.settings.gives_keys())
}

fn carries_baggage(scenario: &Scenario) -> bool {
    let mut any = has_keys(scenario) || scenario.components.iter().any(|c| c.value.settings.needs_keys());
    each_link(scenario, |_, _, _, link| {
        any |= link.batch.is_some() || link.propagate.contains(&Propagated::Deadline);
    });
    any
}

/// A problem with what is missing, which has no place of its own.
fn problem_at(path: &str, code: &'static str, message: &str) -> Problem {
    let mut at = TreePath::default();
    at.push(path);
    Problem::error(code, settings::Span::NOWHERE, message).path(at)
}

//! From a scenario to a network that can be run.
//!
//! First the directory: who is who, before anything is built, so that names can be checked and nodes can refer to nodes
//! that come later. Then the engine: the director of the faults, each workload with its link, each replica of each
//! component with its links.

mod assemble;
pub mod bounds;
mod changes;
mod check;
mod cycles;
mod find;
mod layout;
mod node;
mod number;
mod ops;
mod polls;
mod sockets;
mod wire;

use std::sync::Arc;

use settings::Problems;
use sim_core::{Engine, Span};

use crate::director::Director;
use crate::directory::Directory;
use crate::scenario::Scenario;

pub use changes::{Changed, Changing, concerned, prepare};
pub use node::Node;

/// A network, ready to run.
#[derive(Clone, Debug)]
pub struct Network {
    /// The engine.
    pub engine: Engine<Node>,
    /// Who is who.
    pub directory: Arc<Directory>,
    /// The memory that it asks for, about, bytes.
    pub memory: u64,
}

/// Checks a scenario as a whole and builds it, if it asks for no more memory than is allowed.
pub fn build(
    scenario: &Scenario,
    changed: &Changed,
    (seed, warmup): (u64, Span),
    memory_allowed: u64,
    problems: &mut Problems,
) -> Option<Network> {
    let before = problems.len();
    if !bounds::check_numbers(scenario, problems) {
        return None;
    }
    let mut memory = bounds::check_memory(scenario, memory_allowed, problems);
    if memory > memory_allowed {
        return None;
    }
    let mut engine = Engine::new(seed);
    let mut directory = number::number(scenario, &mut engine, seed, warmup, problems);
    wire::wire(scenario, &mut directory, &mut engine, problems);
    check::check(scenario, &directory, problems);
    directory.asked = ops::check(scenario, &directory, problems);
    check::accesses(scenario, &directory, problems);
    cycles::check(scenario, &directory, problems);
    polls::check(scenario, &directory, problems);
    memory = memory.saturating_add(bounds::check_memory_of_ops(&directory, memory, memory_allowed, problems));
    if problems.iter().skip(before).any(|p| p.severity == settings::Severity::Error) {
        // What is wrong with the faults belongs to the same list.
        assemble::director(scenario, &directory, problems);
        return None;
    }
    changes::find_changes(changed, &mut directory);
    engine.carry(directory.carried);
    let everything = engine.add_group("faults");
    let director = engine.add_node(
        Node::Director(Box::new(Director::new(Vec::new(), Vec::new(), Vec::new(), seed))),
        everything,
        None,
    );
    engine.set_supervisor(director);
    assemble::add_workloads(scenario, &directory, &mut engine);
    assemble::add_components(scenario, &mut directory, &mut engine);
    // Faults find the machines that components have made for themselves.
    *engine.node_mut(director) = Node::Director(Box::new(assemble::director(scenario, &directory, problems)));
    if problems.iter().skip(before).any(|p| p.severity == settings::Severity::Error) {
        return None;
    }
    changes::prepare_changes(changed, &directory, &mut engine);
    assemble::prepare_lags(scenario, &directory, &mut engine);
    for fault in scenario.faults.iter().filter(|fault| fault.value.what.what().keeps_calls_waiting()) {
        let targets = fault.value.what.what().targets();
        let struck = targets.iter().filter_map(|target| directory.component(target));
        struck.flat_map(|component| directory.nodes_of(component)).for_each(|node| engine.may_stand_still(node));
    }
    for (entry, place) in scenario.components.iter().zip(&directory.components) {
        if entry.value.settings.stands_still() {
            let component = directory.component(&place.name).unwrap_or(0);
            directory.nodes_of(component).into_iter().for_each(|node| engine.may_stand_still(node));
        }
    }
    engine.start();
    Some(Network { engine, directory: Arc::new(directory), memory })
}

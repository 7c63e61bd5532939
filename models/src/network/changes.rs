//! Live changes of settings: whom they concern, and making those ready.

use sim_core::{Engine, NodeId};

use super::{Changed, Directory};
use crate::components::Node;
use crate::scenario::Scenario;

/// Which nodes each `set` concerns: those whose settings differ then.
pub(super) fn find_changes(scenario: &Scenario, changed: &Changed, directory: &mut Directory) {
    for (number, other) in changed {
        let mut nodes = Vec::new();
        for (index, entry) in scenario.components.iter().enumerate() {
            let Some(then) = other.components.get(entry.name.as_str()) else { continue };
            if entry.value.settings == then.settings {
                continue;
            }
            for node in directory.nodes_of(index) {
                nodes.extend(directory.with_links(node));
            }
        }
        for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
            if other.workloads.get(entry.name.as_str()).is_some_and(|then| then.call != entry.value.call) {
                nodes.push(NodeId(place.node.0 + 1));
            }
        }
        directory.changed.insert(*number, nodes);
    }
}

pub(super) fn prepare_changes(
    scenario: &Scenario,
    changed: &Changed,
    directory: &Directory,
    engine: &mut Engine<Node>,
) {
    for (number, other) in changed {
        prepare(scenario, directory, engine, crate::faults::set::undo_of(*number));
        prepare(other, directory, engine, crate::faults::set::change_of(*number));
    }
}

/// Makes everybody ready to adopt the settings of a scenario under a number.
pub fn prepare(scenario: &Scenario, directory: &Directory, engine: &mut Engine<Node>, change: u32) {
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        if let Node::Link(link) = engine.node_mut(NodeId(place.node.0 + 1)) {
            link.prepare(change, &entry.value.call);
        }
    }
    for (index, entry) in scenario.components.iter().enumerate() {
        for (replica, node) in directory.nodes_of(index).into_iter().enumerate() {
            engine.node_mut(node).prepare(change, &entry.value.settings);
            for (name, settings) in entry.value.settings.links() {
                let (node, _) = directory.link_of(index, replica as u32, name);
                if let Node::Link(link) = engine.node_mut(node) {
                    link.prepare(change, settings);
                }
            }
        }
    }
}

//! Live changes of settings: whom they concern, and making those ready.

use std::sync::Arc;

use sim_core::{Engine, NodeId};

use super::node::Node;
use crate::change_numbers::{change_of, undo_of};
use crate::directory::Directory;
use crate::scenario::Scenario;

/// Faults and events that change settings, as they begin and end.
pub type Changed = Vec<Changing>;

/// A `set` begins or ends: the whole scenario before and after, with the others that act then.
#[derive(Clone, Debug)]
pub struct Changing {
    /// When, ns; 0 is the end of the warm-up.
    pub at: i64,
    /// The number of the fault or event.
    pub fault: u32,
    /// Whether it ends.
    pub ends: bool,
    /// The settings in force before.
    pub before: Arc<Scenario>,
    /// Those from then on.
    pub after: Arc<Scenario>,
}

/// Which nodes each `set` concerns: those whose settings differ once it has struck or ended.
pub(super) fn find_changes(changed: &Changed, directory: &mut Directory) {
    for changing in changed {
        let mut nodes = directory.changed.remove(&changing.fault).unwrap_or_default();
        nodes.extend(concerned(changing, directory));
        nodes.sort_unstable();
        nodes.dedup();
        directory.changed.insert(changing.fault, nodes);
    }
}

/// The nodes whose settings differ once it has happened.
pub fn concerned(Changing { before, after, .. }: &Changing, directory: &Directory) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    for (index, entry) in before.components.iter().enumerate() {
        let Some(then) = after.components.get(entry.name.as_str()) else { continue };
        if entry.value.settings == then.settings {
            continue;
        }
        for node in directory.nodes_of(index) {
            nodes.extend(directory.with_links(node));
        }
    }
    for (entry, place) in before.workloads.iter().zip(&directory.workloads) {
        let Some(then) = after.workloads.get(entry.name.as_str()) else { continue };
        if then.arrivals != entry.value.arrivals {
            nodes.push(place.node);
        }
        if then.call != entry.value.call {
            nodes.push(NodeId(place.node.0 + 1));
        }
    }
    nodes
}

pub(super) fn prepare_changes(changed: &Changed, directory: &Directory, engine: &mut Engine<Node>) {
    for Changing { fault, ends, after, .. } in changed {
        let number = if *ends { undo_of(*fault) } else { change_of(*fault) };
        // Those whom it does not concern never adopt it.
        let concerned = directory.changed_by(*fault);
        prepare_those(after, directory, engine, number, |node| concerned.binary_search(&node).is_ok());
    }
}

/// Makes everybody ready to adopt the settings of a scenario under a number.
pub fn prepare(scenario: &Scenario, directory: &Directory, engine: &mut Engine<Node>, change: u32) {
    prepare_those(scenario, directory, engine, change, |_| true);
}

fn prepare_those(
    scenario: &Scenario,
    directory: &Directory,
    engine: &mut Engine<Node>,
    change: u32,
    is_meant: impl Fn(NodeId) -> bool,
) {
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        if is_meant(place.node)
            && let Node::Workload(workload) = engine.node_mut(place.node)
        {
            workload.prepare(change, &entry.value);
        }
        let link = NodeId(place.node.0 + 1);
        if is_meant(link)
            && let Node::Link(link) = engine.node_mut(link)
        {
            link.prepare(change, &entry.value.call);
        }
    }
    for (index, entry) in scenario.components.iter().enumerate() {
        for (replica, node) in directory.nodes_of(index).into_iter().enumerate() {
            if is_meant(node) {
                engine.node_mut(node).prepare(change, &entry.value.settings);
            }
            for (name, settings) in entry.value.settings.links() {
                let (node, _) = directory.link_of(index, replica as u32, name);
                if is_meant(node)
                    && let Node::Link(link) = engine.node_mut(node)
                {
                    link.prepare(change, settings);
                }
            }
        }
    }
}

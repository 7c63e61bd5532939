//! Settings change while the system runs: a configuration push. Only settings that can change live.

use settings::{Map, Node, Setting};
use sim_core::{Cx, NodeId, Order};

use super::fault::{Act, Fault, Scene};
use crate::change_numbers::{change_of, undo_of};

/// Settings change: path to value.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What changes to what.
    pub changes: Map<Node, String>,
    /// The same as it was written, with its places.
    pub node: Node,
}

impl Setting for Settings {
    fn read(node: &Node, cx: &mut settings::Reader) -> Option<Self> {
        Some(Settings { changes: Map::read(node, cx)?, node: node.clone() })
    }

    fn describe(book: &mut settings::Book) -> settings::Shape {
        <Map<Node, String>>::describe(book)
    }

    fn write(&self) -> Node {
        self.changes.write()
    }
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    nodes: Vec<NodeId>,
    begins: u32,
    ends: u32,
}

impl Fault for Settings {
    type Acting = Acting;
    // A setting is changed by itself.
    const EXAMPLE: Option<&str> = None;

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let number = scene.number;
        let nodes = scene.directory.changed_by(number);
        Some(Acting { nodes, begins: change_of(number), ends: undo_of(number) })
    }

    fn words(&self) -> String {
        let changes: Vec<String> =
            self.changes.iter().map(|c| format!("{} = {}", c.name, c.value.as_text().unwrap_or("…"))).collect();
        format!("set {}", changes.join(", "))
    }

    fn targets(&self) -> Vec<String> {
        let mut targets: Vec<String> =
            self.changes.iter().filter_map(|c| c.name.split('.').nth(1).map(str::to_string)).collect();
        targets.dedup();
        targets
    }

    fn is_a_change(&self) -> bool {
        true
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {
        for node in &self.nodes {
            cx.order(Order::Adopt(*node, self.begins));
        }
    }

    fn lift(&self, cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {
        for node in &self.nodes {
            cx.order(Order::Adopt(*node, self.ends));
        }
    }

    fn revise(&mut self, ends: bool, change: u32, nodes: &[NodeId]) {
        if ends {
            self.ends = change;
        } else {
            self.begins = change;
        }
        // Whoever it concerned before adopts what is no change for him.
        self.nodes.extend(nodes);
        self.nodes.sort_unstable();
        self.nodes.dedup();
    }
}

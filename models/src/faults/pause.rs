//! A component's work stands still (a long collection, a frozen machine); its timeouts go off when it resumes.

use settings::{Name, Setting, Spanned};
use sim_core::{Cx, NodeId, Order};

use super::fault::{Act, Fault, Scene};

/// A component's work stands still.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "component")]
pub struct Settings {
    /// Which component.
    pub component: Spanned<Name>,
    /// Only the first so many replicas.
    pub replicas: Option<u32>,
    /// Only this replica, counted from 0.
    pub replica: Option<u32>,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    nodes: Vec<NodeId>,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 5s, pause: @}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let nodes = scene.nodes(&self.component, self.replicas, self.replica)?;
        let nodes = nodes.into_iter().flat_map(|n| scene.directory.with_links(n)).collect();
        Some(Acting { nodes })
    }

    fn words(&self) -> String {
        format!("pause {}", self.component.as_str())
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32) {
        for node in &self.nodes {
            cx.order(Order::Pause(*node));
        }
    }

    fn lift(&self, cx: &mut Cx<'_>, _number: u32) {
        for node in &self.nodes {
            cx.order(Order::Resume(*node));
        }
    }
}

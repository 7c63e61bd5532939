//! A cache loses everything that it remembers, at once; calls under way go on.

use settings::{Name, Setting, Spanned};
use sim_core::{Cx, NodeId, Order};

use super::fault::{Act, Fault, Scene};
use crate::change_numbers::FORGET;

/// A cache loses everything.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "component")]
pub struct Settings {
    /// Which one.
    pub component: Spanned<Name>,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    nodes: Vec<NodeId>,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{flush: @}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let component = scene.component(&self.component)?;
        let place = &scene.directory.components[component];
        if !place.forgets {
            let message = format!("`{}` is a {}: it has nothing to flush", place.name, place.kind);
            scene.error("no_effect", self.component.span, &message);
            return None;
        }
        Some(Acting { nodes: scene.directory.nodes_of(component) })
    }

    fn words(&self) -> String {
        format!("flush {}", self.component.as_str())
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }

    fn is_momentary(&self) -> bool {
        true
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {
        for node in &self.nodes {
            cx.order(Order::Adopt(*node, FORGET));
        }
    }

    fn lift(&self, _cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {}
}

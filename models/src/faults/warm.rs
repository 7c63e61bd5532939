//! An operator fills a cache, or a share of its room, with the keys of the smallest numbers: the most popular of `zipf` and `hot`.

use settings::{Fraction, Name, Setting, Spanned};
use sim_core::{Cx, NodeId, Order};

use super::fault::{Act, Fault, Scene};
use super::flush::percent;
use crate::change_numbers::{Share, of_share};

/// Fills a cache with its most popular keys.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "component")]
pub struct Settings {
    /// Which one.
    pub component: Spanned<Name>,
    /// Share of its room that is filled.
    #[setting(default = "100%")]
    pub fraction: Fraction,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    nodes: Vec<NodeId>,
    change: u32,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = None;

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let component = scene.component(&self.component)?;
        let place = &scene.directory.components[component];
        if !place.forgets {
            let message = format!("`{}` is a {}: it has nothing to fill", place.name, place.kind);
            scene.error("no_effect", self.component.span, &message);
            return None;
        }
        let change = of_share(Share::Filled(self.fraction.0));
        Some(Acting { nodes: scene.directory.nodes_of(component), change })
    }

    fn words(&self) -> String {
        format!("warm {} to {}", self.component.as_str(), percent(self.fraction))
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
            cx.order(Order::Adopt(*node, self.change));
        }
    }

    fn lift(&self, _cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {}
}

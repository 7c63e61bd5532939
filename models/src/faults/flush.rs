//! A cache loses everything that it remembers, or a share of it, at once; calls under way go on. What was written and not passed on
//! is lost only with everything.

use settings::{Fraction, Name, Setting, Spanned};
use sim_core::{Cx, NodeId, Order};

use super::fault::{Act, Fault, Scene};
use crate::change_numbers::{FORGET, Share, of_share};

/// A cache loses what it remembers.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "component")]
pub struct Settings {
    /// Which one.
    pub component: Spanned<Name>,
    /// Share of the entries that is lost, each drawn.
    #[setting(default = "100%")]
    pub fraction: Fraction,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    nodes: Vec<NodeId>,
    change: u32,
}

impl Settings {
    fn is_whole(&self) -> bool {
        self.fraction.0 >= 1.0
    }
}

/// A share in words.
pub(super) fn percent(share: Fraction) -> String {
    format!("{} %", (share.0 * 1e4).round() / 1e2)
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
        let change = if self.is_whole() { FORGET } else { of_share(Share::Forgotten(self.fraction.0)) };
        Some(Acting { nodes: scene.directory.nodes_of(component), change })
    }

    fn words(&self) -> String {
        match self.is_whole() {
            true => format!("flush {}", self.component.as_str()),
            false => format!("flush {} of {}", percent(self.fraction), self.component.as_str()),
        }
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

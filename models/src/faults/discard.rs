//! An operator purges a queue: all waiting messages are discarded, delayed ones included. Messages in flight stay with their
//! consumers, as with `queue.purge` of AMQP.

use settings::{Name, Setting, Spanned};
use sim_core::{Cx, NodeId, Order};

use super::fault::{Act, Fault, Scene};
use crate::change_numbers::FORGET;

/// Purges a queue: discards its waiting messages.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "queue")]
pub struct Settings {
    /// The queue.
    pub queue: Spanned<Name>,
}

/// It, with the queue's node.
#[derive(Clone, Debug)]
pub struct Acting {
    node: NodeId,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = None;

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let queue = scene.queue(&self.queue)?;
        Some(Acting { node: scene.directory.components[queue].first })
    }

    fn words(&self) -> String {
        format!("discard {}", self.queue.as_str())
    }

    fn targets(&self) -> Vec<String> {
        vec![self.queue.as_str().to_string()]
    }

    fn is_momentary(&self) -> bool {
        true
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {
        cx.order(Order::Adopt(self.node, FORGET));
    }

    fn lift(&self, _cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {}
}

//! Followers of a database fall behind: what the leader writes reaches them later.

use settings::{Duration, Name, Setting, Spanned};
use sim_core::{Cx, NodeId, Order, Span};

use super::fault::{Act, Fault, KeptBehind, Scene};
use crate::change_numbers::{change_of, undo_of};

/// Followers of a database fall behind.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Which database.
    pub component: Spanned<Name>,
    /// Only this node, counted from 0: the first is the leader at the start, whom nothing reaches from others. Without it all followers.
    pub replica: Option<u32>,
    /// By how much later than usual each write reaches them.
    pub lag: Duration,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    entrance: NodeId,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = None;

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let component = scene.component(&self.component)?;
        let place = &scene.directory.components[component];
        let Some(entrance) = place.entrance.filter(|entrance| entrance.copies > 1) else {
            let message = format!("`{}` is a {} without `replication`: nothing follows", place.name, place.kind);
            scene.error("no_effect", self.component.span, &message);
            return None;
        };
        if self.replica.is_some_and(|replica| replica >= place.replicas) {
            let message = format!("`{}` has {} nodes, counted from 0", place.name, place.replicas);
            scene.error("no_such_replica", self.component.span, &message);
            return None;
        }
        Some(Acting { entrance: entrance.node })
    }

    fn words(&self) -> String {
        match self.replica {
            Some(replica) => format!("keep {}[{replica}] behind by {}", self.component.as_str(), self.lag.write()),
            None => format!("keep the followers of {} behind by {}", self.component.as_str(), self.lag.write()),
        }
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }

    fn keeps_behind(&self) -> Option<KeptBehind<'_>> {
        Some(KeptBehind { component: self.component.as_str(), replica: self.replica, lag: self.lag.0 as Span })
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, number: u32, _struck: &[NodeId]) {
        cx.order(Order::Adopt(self.entrance, change_of(number)));
    }

    fn lift(&self, cx: &mut Cx<'_>, number: u32, _struck: &[NodeId]) {
        cx.order(Order::Adopt(self.entrance, undo_of(number)));
    }
}

//! The leader of a database dies, whichever node that is then. With `for` it comes back after that, as a follower if another one has taken its
//! place.

use settings::{Name, Setting, Spanned};
use sim_core::{Cx, NodeId, Order};

use super::fault::{Act, Fault, Scene, Toll};
use crate::change_numbers::of_leader;

/// The leader of a database dies.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "component")]
pub struct Settings {
    /// Which database.
    pub component: Spanned<Name>,
    /// Only the leader of this partition, counted from 0. Without it those of all.
    pub partition: Option<u32>,
}

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    entrance: NodeId,
    partition: Option<u32>,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 30s, leader_failover: @}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let component = scene.component(&self.component)?;
        let place = &scene.directory.components[component];
        let Some(entrance) = place.entrance.filter(|entrance| entrance.copies > 1) else {
            let message = format!("`{}` is a {} without `replication`: it has no leader", place.name, place.kind);
            scene.error("no_effect", self.component.span, &message);
            return None;
        };
        let parts = place.replicas / entrance.copies;
        if self.partition.is_some_and(|partition| partition >= parts) {
            let message = format!("`{}` has {parts} partitions, counted from 0", place.name);
            scene.error("no_such_replica", self.component.span, &message);
            return None;
        }
        Some(Acting { entrance: entrance.node, partition: self.partition })
    }

    fn words(&self) -> String {
        match self.partition {
            Some(partition) => format!("kill the leader of partition {partition} of {}", self.component.as_str()),
            None => format!("kill the leader of {}", self.component.as_str()),
        }
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }

    fn kills(&self) -> Toll {
        Toll::Some
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, number: u32, _struck: &[NodeId]) {
        cx.order(Order::Adopt(self.entrance, of_leader(number, true, self.partition)));
    }

    fn lift(&self, cx: &mut Cx<'_>, number: u32, _struck: &[NodeId]) {
        cx.order(Order::Adopt(self.entrance, of_leader(number, false, self.partition)));
    }
}

//! A component's work stands still (a long collection, a frozen machine); its timeouts go off when it resumes.

use settings::{Name, Setting, Spanned};
use sim_core::{Cx, Happens, NodeId, Order};

use super::fault::{Act, Fault, Scene, Whom};

/// A component stops working for a while.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "component")]
pub struct Settings {
    /// The component.
    pub component: Spanned<Name>,
    /// Only this many replicas, the oldest first.
    pub replicas: Option<u32>,
    /// Only this replica, counted from 0.
    pub replica: Option<u32>,
}

pub(super) static REPLICA_PAUSED: Happens = Happens {
    name: "replica_paused",
    doc: "The replica stopped working (a long garbage collection, a frozen machine).",
};
pub(super) static REPLICA_RESUMED: Happens =
    Happens { name: "replica_resumed", doc: "The replica resumed after a pause." };

/// It, with what it strikes.
#[derive(Clone, Debug)]
pub struct Acting {
    whom: Whom,
    /// A replica's links stand still with it: so many nodes in all.
    stride: u32,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 5s, pause: @}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let whom = scene.whom(&self.component, self.replicas, self.replica)?;
        let stride = scene.directory.components[whom.component].stride();
        Some(Acting { whom, stride })
    }

    fn words(&self) -> String {
        format!("pause {}", self.component.as_str())
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }

    fn keeps_calls_waiting(&self) -> bool {
        true
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32, struck: &[NodeId]) {
        for replica in struck {
            if cx.pauses(*replica) == 0 {
                cx.happened_to(*replica, &REPLICA_PAUSED);
            }
        }
        for node in self.with_links(struck) {
            cx.order(Order::Pause(node));
        }
    }

    fn lift(&self, cx: &mut Cx<'_>, _number: u32, struck: &[NodeId]) {
        for replica in struck {
            if cx.pauses(*replica) == 1 {
                cx.happened_to(*replica, &REPLICA_RESUMED);
            }
        }
        for node in self.with_links(struck) {
            cx.order(Order::Resume(node));
        }
    }

    fn whom(&self) -> Option<&Whom> {
        Some(&self.whom)
    }
}

impl Acting {
    fn with_links(&self, replicas: &[NodeId]) -> impl Iterator<Item = NodeId> {
        replicas.iter().flat_map(|replica| (0..self.stride).map(|nth| NodeId(replica.0 + nth)))
    }
}

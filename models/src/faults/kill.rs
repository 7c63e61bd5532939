//! Replicas die: for ever, for a time, or until they are replaced.

use settings::{Name, Setting, Spanned};
use sim_core::dist::Dist;
use sim_core::random::Stream;
use sim_core::{Cx, Happens, NodeId, Order, Span};

use super::fault::{Act, Fault, Scene};

/// Replicas die.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Of which component.
    pub component: Spanned<Name>,
    /// Only the first so many.
    pub replicas: Option<u32>,
    /// Only this one, counted from 0.
    pub replica: Option<u32>,
}

pub(super) static REPLICA_KILLED: Happens = Happens { name: "replica_killed", doc: "A fault killed the replica." };
pub(super) static REPLICA_STARTED: Happens = Happens { name: "replica_started", doc: "The replica is up again." };
pub(super) static REPLICA_REPLACED: Happens =
    Happens { name: "replica_replaced", doc: "A new replica took the place of a killed one." };

/// Takes a node down, and records it unless the node was down already.
pub(crate) fn take_down(cx: &mut Cx<'_>, node: NodeId, what: &'static Happens) {
    if cx.is_up(node) {
        cx.happened_to(node, what);
    }
    cx.order(Order::Crash(node));
}

/// Undoes one [`take_down`], and records it if the node comes up: overlapping faults each hold it down.
pub(crate) fn bring_up(cx: &mut Cx<'_>, node: NodeId, what: &'static Happens) {
    if cx.would_come_up(node) {
        cx.happened_to(node, what);
    }
    cx.order(Order::Start(node));
}

/// Nodes that die and, it may be, come up again.
#[derive(Clone, Debug)]
pub struct Acting {
    /// Those that die.
    pub nodes: Vec<NodeId>,
    /// Recorded of each when it dies.
    pub down: &'static Happens,
    /// Recorded of each when it is up again.
    pub up: &'static Happens,
    /// After how long they are replaced.
    pub replaced_after: Option<Span>,
    /// How long coming up takes.
    pub start_up: Option<Dist>,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 30s, kill: {component: @, replicas: 1}}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let nodes = scene.nodes(&self.component, self.replicas, self.replica)?;
        let component = &scene.directory.components[scene.directory.component(self.component.as_str())?];
        let (replaced_after, start_up) = (component.replace_after, component.start_up.clone());
        // With `for`, the same replica comes back; without it, another one.
        let up = if scene.lasts.is_some() { &REPLICA_STARTED } else { &REPLICA_REPLACED };
        Some(Acting { nodes, down: &REPLICA_KILLED, up, replaced_after, start_up })
    }

    fn words(&self) -> String {
        match (self.replica, self.replicas) {
            (Some(one), _) => format!("kill {}[{one}]", self.component.as_str()),
            (None, Some(some)) => format!("kill {some} of {}", self.component.as_str()),
            (None, None) => format!("kill {}", self.component.as_str()),
        }
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }

    fn comes_back(&self, is_replaced: &dyn Fn(&str) -> bool) -> bool {
        is_replaced(self.component.as_str())
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32) {
        for node in &self.nodes {
            take_down(cx, *node, self.down);
        }
    }

    fn lift(&self, cx: &mut Cx<'_>, _number: u32) {
        for node in &self.nodes {
            bring_up(cx, *node, self.up);
        }
    }

    fn recovers_after(&self, draws: &mut Stream) -> Option<Span> {
        let start_up = self.start_up.as_ref().map_or(0, |dist| dist.sample_span(draws));
        self.replaced_after.map(|wait| wait + start_up)
    }

    fn recovers_after_mean(&self) -> Option<Span> {
        let start_up = self.start_up.as_ref().map_or(0, |dist| dist.mean() as Span);
        self.replaced_after.map(|wait| wait + start_up)
    }
}

//! Replicas die: for ever, for a time, or until they are replaced.

use settings::{Name, Setting, Spanned};
use sim_core::dist::Dist;
use sim_core::{Cx, Death, Happens, NodeId, Order, Span};

use super::fault::{Act, Aftermath, Fault, Scene, Toll, Whom};

/// Replicas are killed.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The component.
    pub component: Spanned<Name>,
    /// Only this many, the first ones.
    pub replicas: Option<u32>,
    /// Only this one, counted from 0.
    pub replica: Option<u32>,
}

pub(crate) static REPLICA_KILLED: Happens = Happens { name: "replica_killed", doc: "A fault killed the replica." };
pub(crate) static REPLICA_STARTED: Happens = Happens { name: "replica_started", doc: "The replica is up again." };
pub(crate) static REPLICA_REPLACED: Happens =
    Happens { name: "replica_replaced", doc: "A new replica took the place of a killed one." };

/// Takes a node down, and records it unless the node was down already.
pub(crate) fn take_down(cx: &mut Cx<'_>, node: NodeId, death: Death, what: &'static Happens) {
    if cx.is_up(node) {
        cx.happened_to(node, what);
    }
    cx.order(Order::Crash(node, death));
}

/// Undoes one [`take_down`], and records it if the node comes up: overlapping faults each hold it down.
pub(crate) fn bring_up(cx: &mut Cx<'_>, node: NodeId, death: Death, what: &'static Happens) {
    if cx.would_come_up(node) {
        cx.happened_to(node, what);
    }
    cx.order(Order::Start(node, death));
}

/// Which nodes die.
#[derive(Clone, Debug)]
pub enum Dying {
    /// Those of replicas that are found when it happens.
    Replicas(Whom),
    /// Whatever is in these places.
    Places(Vec<NodeId>),
}

/// What becomes of them.
#[derive(Clone, Debug)]
pub enum Then {
    /// Nothing.
    Stays,
    /// They start again, which takes so long.
    ComesBack(Option<Dist>),
    /// Their processes are started again, as their component says.
    Restarts,
    /// They are replaced after a while, by others that take so long to start.
    Replaced(Span, Option<Dist>),
}

/// Nodes that die and, it may be, come up again.
#[derive(Clone, Debug)]
pub struct Acting {
    /// Who.
    pub dying: Dying,
    /// What of them.
    pub death: Death,
    /// Recorded of each when it dies.
    pub down: &'static Happens,
    /// Recorded of each when it is up again.
    pub up: &'static Happens,
    /// What becomes of them, unless the fault ends.
    pub then: Then,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = Some("{for: 30s, kill: {component: @, replicas: 1}}");

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let whom = scene.whom(&self.component, self.replicas, self.replica)?;
        let component = &scene.directory.components[whom.component];
        // With `for`, the same replica comes back; without it, another one.
        let then = match component.replace_after {
            Some(after) if scene.lasts.is_none() => Then::Replaced(after, component.start_up.clone()),
            None if scene.lasts.is_none() && component.restart.is_some() => Then::Restarts,
            Some(_) | None => Then::Stays,
        };
        let (down, up) = (&REPLICA_KILLED, &REPLICA_STARTED);
        Some(Acting { dying: Dying::Replicas(whom), death: Death::Process, down, up, then })
    }

    fn words(&self) -> String {
        match (self.replica, self.replicas) {
            (Some(one), _) => format!("kill {}[{one}]", self.component.as_str()),
            (None, Some(some)) => format!("kill {some} of {}", self.component.as_str()),
            (None, None) => format!("kill {}", self.component.as_str()),
        }
    }

    fn kills(&self) -> Toll {
        if self.replicas.is_some() || self.replica.is_some() { Toll::Some } else { Toll::All }
    }

    fn targets(&self) -> Vec<String> {
        vec![self.component.as_str().to_string()]
    }

    fn comes_back(&self, is_replaced: &dyn Fn(&str) -> bool) -> bool {
        is_replaced(self.component.as_str())
    }
}

impl Acting {
    fn nodes<'a>(&'a self, struck: &'a [NodeId]) -> &'a [NodeId] {
        match &self.dying {
            Dying::Replicas(_) => struck,
            Dying::Places(nodes) => nodes,
        }
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32, struck: &[NodeId]) {
        for node in self.nodes(struck) {
            take_down(cx, *node, self.death, self.down);
        }
    }

    fn lift(&self, cx: &mut Cx<'_>, _number: u32, struck: &[NodeId]) {
        for node in self.nodes(struck) {
            bring_up(cx, *node, self.death, self.up);
        }
    }

    fn whom(&self) -> Option<&Whom> {
        match &self.dying {
            Dying::Replicas(whom) => Some(whom),
            Dying::Places(_) => None,
        }
    }

    fn aftermath(&self) -> Aftermath<'_> {
        match &self.then {
            Then::Stays => Aftermath::Stays,
            Then::Restarts => Aftermath::Restarts,
            Then::ComesBack(start_up) => Aftermath::ComesBack(start_up.as_ref()),
            Then::Replaced(after, start_up) => Aftermath::Replaced(*after, start_up.as_ref()),
        }
    }
}

//! An operator moves the waiting messages of one queue to another, typically dead letters after their cause is fixed. They are
//! stored anew, with a receive count of 0.

use settings::values::Scalar;
use settings::{Name, Rate, Setting, Spanned};
use sim_core::time::SECOND;
use sim_core::{Cx, NodeId, Order, Span};

use super::fault::{Act, Fault, Scene};
use crate::change_numbers::move_to;

/// Moves the waiting messages of one queue to another, where they are stored anew.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Source queue.
    pub from: Spanned<Name>,
    /// Destination queue.
    pub to: Spanned<Name>,
    /// Messages per second until the source is empty. Without it all waiting messages move at once.
    pub rate: Option<Rate>,
}

/// It, with the nodes of the queues.
#[derive(Clone, Debug)]
pub struct Acting {
    from: NodeId,
    to: NodeId,
    /// From one message to the next.
    every: Option<Span>,
}

impl Fault for Settings {
    type Acting = Acting;
    const EXAMPLE: Option<&str> = None;

    fn resolve(&self, scene: &mut Scene<'_>) -> Option<Acting> {
        let (from, to) = (scene.queue(&self.from), scene.queue(&self.to));
        let (from, to) = (from?, to?);
        if from == to {
            scene.error("no_effect", self.to.span, "`from` and `to` are the same queue");
            return None;
        }
        if self.rate.is_some_and(|rate| rate.0 <= 0.0) {
            scene.error("no_effect", self.from.span, "a `rate` of 0 moves nothing");
            return None;
        }
        let node = |queue: usize| scene.directory.components[queue].first;
        let every = self.rate.map(|rate| ((SECOND as f64 / rate.0).round() as Span).max(1));
        Some(Acting { from: node(from), to: node(to), every })
    }

    fn words(&self) -> String {
        let rate = self.rate.map_or(String::new(), |rate| format!(" at {}", rate.format()));
        format!("redrive {} to {}{rate}", self.from.as_str(), self.to.as_str())
    }

    fn targets(&self) -> Vec<String> {
        vec![self.from.as_str().to_string(), self.to.as_str().to_string()]
    }

    fn is_momentary(&self) -> bool {
        self.rate.is_none()
    }
}

impl Act for Acting {
    fn strike(&self, cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {
        if self.every.is_none() && cx.is_up(self.from) {
            cx.order(Order::Adopt(self.from, move_to(self.to, true)));
        }
    }

    fn lift(&self, _cx: &mut Cx<'_>, _number: u32, _struck: &[NodeId]) {}

    /// One message at a time; a queue that is down is waited for.
    fn go_on(&self, cx: &mut Cx<'_>) -> Option<Span> {
        let every = self.every?;
        if cx.is_up(self.from) {
            if cx.records_waiting_at(self.from) == 0 {
                return None;
            }
            cx.order(Order::Adopt(self.from, move_to(self.to, false)));
        }
        Some(every)
    }
}

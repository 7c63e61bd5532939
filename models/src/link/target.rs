//! Whom a link calls: a target by its weight, and a replica of it that is well.

use sim_core::keys::AliasTable;
use sim_core::{CallId, Cx, NodeId, Span};

use super::LinkPlan;

const PURPOSE_TARGET: u32 = 0x7461;

/// A component that a link calls: its replicas, how the network is towards it, and its share.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The replicas.
    pub nodes: Vec<NodeId>,
    /// Row of the engine's path table.
    pub path: u16,
    /// Share of the calls.
    pub weight: f64,
    /// Round-trip time, for opening connections.
    pub rtt: Span,
}

/// The one replica of the one target, where there are no others. It is called whether it is up or not: only the call shows
/// that it is down.
pub(super) fn sole(plan: &LinkPlan) -> Option<(NodeId, u16)> {
    match plan.targets.as_slice() {
        [Target { nodes, path, .. }] if nodes.len() == 1 => Some((nodes[0], *path)),
        _ => None,
    }
}

/// How many draws [`choose`] makes, if that is the same for every target.
pub(super) fn draws_of_a_choice(plan: &LinkPlan) -> Option<u16> {
    let (first, rest) = plan.targets.split_first()?;
    let has_replicas = first.nodes.len() > 1;
    let is_even = rest.iter().all(|target| (target.nodes.len() > 1) == has_replicas);
    is_even.then_some(u16::from(!rest.is_empty()) + u16::from(has_replicas))
}

/// A target by weight, and a healthy replica of it at random.
#[inline(never)]
pub(super) fn choose(
    plan: &LinkPlan,
    weights: &Option<AliasTable>,
    cx: &mut Cx<'_>,
    call: CallId,
) -> Option<(NodeId, u16)> {
    let targets = &plan.targets;
    let target = if targets.len() == 1 {
        &targets[0]
    } else {
        let mut draw = cx.draw(call, PURPOSE_TARGET);
        match weights {
            Some(weights) => &targets[weights.sample(&mut draw)],
            None => &targets[draw.below(targets.len() as u64) as usize],
        }
    };
    if target.nodes.len() == 1 {
        return Some((target.nodes[0], target.path));
    }
    let mut draw = cx.draw(call, PURPOSE_TARGET);
    let pick = target.nodes[draw.below(target.nodes.len() as u64) as usize];
    if cx.is_up(pick) {
        return Some((pick, target.path));
    }
    let healthy: Vec<NodeId> = target.nodes.iter().copied().filter(|n| cx.is_up(*n)).collect();
    if healthy.is_empty() {
        return None;
    }
    Some((healthy[draw.below(healthy.len() as u64) as usize], target.path))
}

//! Whom a link calls: its one target, one of several by weight, or what a balancing algorithm says.

use sim_core::keys::AliasTable;
use sim_core::random::{Draw, Key};
use sim_core::{CallId, Cx, NodeId, Span};

use super::LinkPlan;
use crate::balancing::Choosing;

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

/// What an attempt draws its random numbers from. A copy of an attempt has draws of its own, so that the call's own are
/// the same whether a copy was sent or not.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// The call's own draws.
    Call(CallId),
    /// Those of a copy.
    Copy {
        /// Its key.
        key: Key,
        /// How many it has made.
        made: u32,
    },
}

impl Source {
    /// The next draw.
    pub(super) fn draw(&mut self, cx: &mut Cx<'_>, purpose: u32) -> Draw {
        match self {
            Source::Call(call) => cx.draw(*call, purpose),
            Source::Copy { key, made } => {
                *made += 1;
                key.draw(purpose, *made)
            }
        }
    }
}

/// Who was chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    pub(super) node: NodeId,
    pub(super) path: u16,
    /// The number under which the chooser knows it; only one that balances asks for it back.
    pub(super) number: u32,
}

/// Chooses a target for each attempt, and is told when the attempt ends.
#[derive(Clone, Debug)]
pub(super) enum Chooser {
    /// The one replica of the one target. It is called whether it is up or not: only the call shows that it is down.
    Sole(Chosen),
    /// A target by weight (evenly without a table), and a healthy replica of it at random.
    Weighted(Option<AliasTable>),
    /// A replica of any target, by an algorithm that may count what is under way.
    Balancing(Box<Balancing>),
}

/// The replicas of all targets and how one of them is chosen.
#[derive(Clone, Debug)]
pub(super) struct Balancing {
    replicas: Vec<(NodeId, u16)>,
    choosing: Choosing,
}

impl Chooser {
    /// That of a link, with nothing under way.
    pub(super) fn new(plan: &LinkPlan) -> Chooser {
        let targets = &plan.targets;
        if let Some(algorithm) = &plan.balancing {
            let replicas = targets.iter().flat_map(|t| t.nodes.iter().map(|node| (*node, t.path))).collect();
            let weights = targets.iter().flat_map(|t| t.nodes.iter().map(|_| t.weight)).collect();
            return Chooser::Balancing(Box::new(Balancing { replicas, choosing: Choosing::new(algorithm, weights) }));
        }
        if let [Target { nodes, path, .. }] = targets.as_slice()
            && let [node] = nodes.as_slice()
        {
            return Chooser::Sole(Chosen { node: *node, path: *path, number: 0 });
        }
        let uneven = targets.len() > 1 && targets.iter().any(|t| t.weight != targets[0].weight);
        let weights = || AliasTable::new(&targets.iter().map(|t| t.weight).collect::<Vec<_>>()).ok();
        Chooser::Weighted(if uneven { weights() } else { None })
    }

    /// The one who is always chosen, if there is one.
    #[inline(always)]
    pub(super) fn sole(&self) -> Option<Chosen> {
        match self {
            Chooser::Sole(chosen) => Some(*chosen),
            Chooser::Weighted(_) | Chooser::Balancing(_) => None,
        }
    }

    /// Whom an attempt calls; `None` where nobody can be called. [`Chooser::ended`] must be told of its end.
    #[inline(never)]
    pub(super) fn choose(&mut self, plan: &LinkPlan, cx: &mut Cx<'_>, source: &mut Source) -> Option<Chosen> {
        match self {
            Chooser::Sole(chosen) => Some(*chosen),
            Chooser::Weighted(weights) => by_weight(plan, weights, cx, source),
            Chooser::Balancing(balancing) => {
                let Balancing { replicas, choosing } = &mut **balancing;
                let is_up = |cx: &Cx<'_>, number: usize| cx.is_up(replicas[number].0);
                let number = choosing.choose(cx, is_up, |cx| source.draw(cx, PURPOSE_TARGET))?;
                let (node, path) = replicas[number];
                Some(Chosen { node, path, number: number as u32 })
            }
        }
    }

    /// An attempt to whoever was chosen under this number has ended, or is given up.
    #[inline]
    pub(super) fn ended(&mut self, number: u32) {
        match self {
            Chooser::Sole(_) | Chooser::Weighted(_) => {}
            Chooser::Balancing(balancing) => balancing.choosing.end(number as usize),
        }
    }
}

/// How many draws a choice by weight makes, if that is the same for every target; `None` also where a balancer chooses.
pub(super) fn draws_of_a_choice(plan: &LinkPlan) -> Option<u16> {
    if plan.balancing.is_some() {
        return None;
    }
    let (first, rest) = plan.targets.split_first()?;
    let has_replicas = first.nodes.len() > 1;
    let is_even = rest.iter().all(|target| (target.nodes.len() > 1) == has_replicas);
    is_even.then_some(u16::from(!rest.is_empty()) + u16::from(has_replicas))
}

/// A target by weight, and a healthy replica of it at random.
fn by_weight(plan: &LinkPlan, weights: &Option<AliasTable>, cx: &mut Cx<'_>, source: &mut Source) -> Option<Chosen> {
    let targets = &plan.targets;
    let target = if targets.len() == 1 {
        &targets[0]
    } else {
        let mut draw = source.draw(cx, PURPOSE_TARGET);
        match weights {
            Some(weights) => &targets[weights.sample(&mut draw)],
            None => &targets[draw.below(targets.len() as u64) as usize],
        }
    };
    let chosen = |node| Some(Chosen { node, path: target.path, number: 0 });
    if target.nodes.len() == 1 {
        return chosen(target.nodes[0]);
    }
    let mut draw = source.draw(cx, PURPOSE_TARGET);
    let pick = target.nodes[draw.below(target.nodes.len() as u64) as usize];
    if cx.is_up(pick) {
        return chosen(pick);
    }
    let healthy: Vec<NodeId> = target.nodes.iter().copied().filter(|n| cx.is_up(*n)).collect();
    if healthy.is_empty() {
        return None;
    }
    chosen(healthy[draw.below(healthy.len() as u64) as usize])
}

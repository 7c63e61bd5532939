//! Whom a link calls: its one target, one of several by weight, or what a balancing algorithm says. It chooses among those whom it
//! believes to be there and well, and believes what it has been told.

use std::sync::Arc;

use sim_core::keys::AliasTable;
use sim_core::random::{Draw, Key};
use sim_core::{CallId, Cx, News, NodeId, Span, Time};

use super::LinkPlan;
use crate::balancing::beliefs::Beliefs;
use crate::balancing::checker::Reached;
use crate::balancing::lookout::Desk;
use crate::balancing::{Choosing, World};
use crate::listen::Closing;

const PURPOSE_TARGET: u32 = 0x7461;

/// A component that a link calls: its replicas, how the network is towards it, and its share.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The nodes of its replicas, in order, and behind them those laid out for others that can take their place.
    pub nodes: Arc<[NodeId]>,
    /// So many of them are there at the start.
    pub replicas: u32,
    /// Row of the engine's path table.
    pub path: u16,
    /// Share of the calls.
    pub weight: f64,
    /// Round-trip time, for opening connections.
    pub rtt: Span,
    /// When it closes connections.
    pub closing: Closing,
}

impl Target {
    /// Which of its nodes are there at the start.
    pub fn members(&self) -> impl Iterator<Item = bool> + '_ {
        (0..self.nodes.len()).map(|nth| nth < self.replicas as usize)
    }
}

/// The numbers of a node among the nodes of several targets.
pub fn numbers_of(targets: &[Target], node: NodeId) -> impl Iterator<Item = (usize, usize)> + '_ {
    let found = move |(at, target): (usize, &Target)| Some((at, target.nodes.binary_search(&node).ok()?));
    targets.iter().enumerate().filter_map(found)
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
        /// The data that the call is about, and the client that it came from.
        about: (u64, u64),
    },
}

/// What a balancing algorithm may ask about an attempt.
struct Asking<'a, 'b> {
    cx: &'a mut Cx<'b>,
    source: &'a mut Source,
}

impl World for Asking<'_, '_> {
    #[inline]
    fn draw(&mut self) -> Draw {
        self.source.draw(self.cx, PURPOSE_TARGET)
    }

    fn key(&mut self) -> u64 {
        match self.source {
            Source::Call(call) => self.cx.data_key(*call),
            Source::Copy { about, .. } => about.0,
        }
    }

    fn client(&mut self) -> u64 {
        match self.source {
            Source::Call(call) => self.cx.client(*call),
            Source::Copy { about, .. } => about.1,
        }
    }

    fn now(&self) -> Time {
        self.cx.now()
    }
}

impl Source {
    /// The next draw.
    pub(super) fn draw(&mut self, cx: &mut Cx<'_>, purpose: u32) -> Draw {
        match self {
            Source::Call(call) => cx.draw(*call, purpose),
            Source::Copy { key, made, .. } => {
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
    /// A target by weight (evenly without a table), and any replica of it, of those that are believed to be well.
    Weighted {
        /// The weights, where they differ.
        weights: Option<AliasTable>,
        /// What is believed of the replicas of each target.
        beliefs: Vec<Beliefs>,
    },
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
            let there = targets.iter().flat_map(Target::members).collect();
            let beliefs = Beliefs::of_members(plan.means.known(plan.instance(), there));
            let beliefs = beliefs.panicking_below(plan.means.panic_below);
            let distances = targets.iter().flat_map(|t| t.nodes.iter().map(|_| t.rtt)).collect();
            let choosing = Choosing::new(algorithm, weights, distances, beliefs);
            let choosing = choosing.with_slow_start(plan.means.slow_start.as_ref()).with_sticky(plan.means.sticky);
            return Chooser::Balancing(Box::new(Balancing { replicas, choosing }));
        }
        if let [Target { nodes, path, .. }] = targets.as_slice()
            && let [node] = &nodes[..]
            && !plan.settings.knows_at_once()
            && plan.means.is_nothing()
        {
            return Chooser::Sole(Chosen { node: *node, path: *path, number: 0 });
        }
        let uneven = targets.len() > 1 && targets.iter().any(|t| t.weight != targets[0].weight);
        let weights = || AliasTable::new(&targets.iter().map(|t| t.weight).collect::<Vec<_>>()).ok();
        let beliefs = targets.iter().map(|target| Beliefs::of_members(target.members().collect())).collect();
        Chooser::Weighted { weights: if uneven { weights() } else { None }, beliefs }
    }

    /// Nothing is under way any more; what is believed stays.
    pub(super) fn begin(&mut self) {
        match self {
            Chooser::Sole(_) | Chooser::Weighted { .. } => {}
            Chooser::Balancing(balancing) => balancing.choosing.begin(),
        }
    }

    /// The same, and whatever was found out about those that are there is forgotten.
    pub(super) fn forget(&mut self) {
        match self {
            Chooser::Sole(_) => {}
            Chooser::Weighted { beliefs, .. } => beliefs.iter_mut().for_each(Beliefs::forget),
            Chooser::Balancing(balancing) => balancing.choosing.forget(),
        }
    }

    /// There is news of whoever has a number.
    pub(super) fn learn(&mut self, plan: &LinkPlan, number: usize, news: News) {
        match self {
            Chooser::Sole(_) => {}
            Chooser::Weighted { beliefs, .. } => {
                let (target, nth) = place_of(plan, number);
                beliefs[target].learn(nth, news, &mut |_, _| {});
            }
            Chooser::Balancing(balancing) => balancing.choosing.learn(number, news),
        }
    }

    /// The one who is always chosen, if there is one.
    #[inline(always)]
    pub(super) fn sole(&self) -> Option<Chosen> {
        match self {
            Chooser::Sole(chosen) => Some(*chosen),
            Chooser::Weighted { .. } | Chooser::Balancing(_) => None,
        }
    }

    /// Whom an attempt calls; `None` where nobody can be called. [`Chooser::ended`] must be told of its end.
    #[inline(never)]
    pub(super) fn choose(&mut self, plan: &LinkPlan, cx: &mut Cx<'_>, source: &mut Source) -> Option<Chosen> {
        match self {
            Chooser::Sole(chosen) => Some(*chosen),
            Chooser::Weighted { weights, beliefs } => by_weight(plan, weights, beliefs, cx, source),
            Chooser::Balancing(balancing) => {
                let Balancing { replicas, choosing } = &mut **balancing;
                let number = choosing.choose(&mut Asking { cx, source })?;
                let (node, path) = replicas[number];
                Some(Chosen { node, path, number: number as u32 })
            }
        }
    }

    /// Everybody who can be called, as far as is known.
    pub(super) fn all(&self, plan: &LinkPlan) -> Vec<Chosen> {
        let numbers = 0..plan.targets.iter().map(|target| target.nodes.len()).sum();
        let is_usable = |number: &usize| match self {
            Chooser::Sole(_) => true,
            Chooser::Weighted { beliefs, .. } => {
                let (at, nth) = place_of(plan, *number);
                beliefs[at].is_usable(nth)
            }
            Chooser::Balancing(balancing) => balancing.choosing.beliefs().is_usable(*number),
        };
        numbers.filter(is_usable).map(|number| chosen_as(plan, number as u32)).collect()
    }

    /// An attempt that was sent to whoever has this number took so long.
    #[inline]
    pub(super) fn took(&mut self, now: Time, number: u32, span: Span) {
        match self {
            Chooser::Sole(_) | Chooser::Weighted { .. } => {}
            Chooser::Balancing(balancing) => balancing.choosing.took(now, number as usize, span),
        }
    }

    /// An attempt to whoever was chosen under this number has ended, or is given up.
    #[inline]
    pub(super) fn ended(&mut self, number: u32) {
        match self {
            Chooser::Sole(_) | Chooser::Weighted { .. } => {}
            Chooser::Balancing(balancing) => balancing.choosing.end(number as usize),
        }
    }
}

/// A link's desk for its lookout.
pub(super) struct OwnDesk<'a> {
    pub(super) plan: &'a LinkPlan,
    pub(super) chooser: &'a mut Chooser,
}

impl Desk for OwnDesk<'_> {
    fn targets(&self) -> usize {
        self.plan.targets.iter().map(|target| target.nodes.len()).sum()
    }

    fn reached(&self, number: u32) -> Reached {
        let Chosen { node, path, number } = chosen_as(self.plan, number);
        Reached { number, node, path }
    }

    fn is_member(&self, number: u32) -> bool {
        match &*self.chooser {
            Chooser::Sole(_) => true,
            Chooser::Weighted { beliefs, .. } => {
                let (target, nth) = place_of(self.plan, number as usize);
                beliefs[target].is_member(nth)
            }
            Chooser::Balancing(balancing) => balancing.choosing.beliefs().is_member(number as usize),
        }
    }

    fn panics(&self) -> bool {
        match &*self.chooser {
            Chooser::Sole(_) | Chooser::Weighted { .. } => false,
            Chooser::Balancing(balancing) => balancing.choosing.beliefs().panics(),
        }
    }

    fn learn(&mut self, number: u32, news: News) {
        self.chooser.learn(self.plan, number as usize, news);
    }

    fn warm(&mut self, number: u32, now: Time) {
        match self.chooser {
            Chooser::Sole(_) | Chooser::Weighted { .. } => {}
            Chooser::Balancing(balancing) => balancing.choosing.warm(now, number as usize),
        }
    }

    fn eject(&mut self, number: u32, is_ejected: bool) {
        match self.chooser {
            Chooser::Sole(_) | Chooser::Weighted { .. } => {}
            Chooser::Balancing(balancing) => balancing.choosing.eject(number as usize, is_ejected),
        }
    }
}

/// The numbers of a node among all whom a link calls.
pub(super) fn numbers_on(plan: &LinkPlan, node: NodeId) -> Vec<usize> {
    let before = |target: usize| plan.targets[..target].iter().map(|target| target.nodes.len()).sum::<usize>();
    numbers_of(&plan.targets, node).map(|(target, nth)| before(target) + nth).collect()
}

/// The target that a number belongs to, and which of its nodes it is.
fn place_of(plan: &LinkPlan, number: usize) -> (usize, usize) {
    let mut nth = number;
    for (at, target) in plan.targets.iter().enumerate() {
        if nth < target.nodes.len() {
            return (at, nth);
        }
        nth -= target.nodes.len();
    }
    unreachable!("numbers are those of nodes")
}

/// Who was chosen under a number.
pub(super) fn chosen_as(plan: &LinkPlan, number: u32) -> Chosen {
    let (at, nth) = place_of(plan, number as usize);
    Chosen { node: plan.targets[at].nodes[nth], path: plan.targets[at].path, number }
}

/// The round trip to whoever has a number.
pub(super) fn round_trip(plan: &LinkPlan, number: u32) -> Span {
    plan.targets[place_of(plan, number as usize).0].rtt
}

/// When whoever has a number closes connections.
pub(super) fn closing(plan: &LinkPlan, number: u32) -> Closing {
    plan.targets[place_of(plan, number as usize).0].closing
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

/// A target by weight, and at random one of its replicas, of those that are believed to be well.
fn by_weight(
    plan: &LinkPlan,
    weights: &Option<AliasTable>,
    beliefs: &[Beliefs],
    cx: &mut Cx<'_>,
    source: &mut Source,
) -> Option<Chosen> {
    let targets = &plan.targets;
    let at = if targets.len() == 1 {
        0
    } else {
        let mut draw = source.draw(cx, PURPOSE_TARGET);
        match weights {
            Some(weights) => weights.sample(&mut draw),
            None => draw.below(targets.len() as u64) as usize,
        }
    };
    let before: usize = targets[..at].iter().map(|target| target.nodes.len()).sum();
    let (target, beliefs) = (&targets[at], &beliefs[at]);
    let usable = beliefs.usable();
    let nth = match target.nodes.len() {
        1 => 0,
        _ => source.draw(cx, PURPOSE_TARGET).below(usable.max(1) as u64),
    };
    if usable == 0 {
        return None;
    }
    let nth = beliefs.nth(nth as usize);
    Some(Chosen { node: target.nodes[nth], path: target.path, number: (before + nth) as u32 })
}

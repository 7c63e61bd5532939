//! Nodes that die and come up, and who leads then.

use sim_core::{Class, Cx, Outcome, Timer};

use crate::appeals::{FAILS, RETURNS};

use super::measures::{LEADER_ELECTED, LEADER_LOST, WRITES_LOST};
use super::{ELECTED, Entrance, NOTICED};

impl Entrance {
    /// A fault lets leaders die.
    pub(super) fn kill_leaders(&mut self, cx: &mut Cx<'_>, fault: u32, partition: Option<u32>) {
        for part in (0..self.parts.len() as u32).filter(|part| partition.is_none_or(|one| one == *part)) {
            let of = &self.parts[part as usize];
            if let Some(leader) = of.leader.filter(|leader| of.is_up[*leader as usize]) {
                let node = self.node(part, leader);
                self.struck.push((fault, node));
                cx.ask_supervisor_about(node, FAILS, 0);
            }
        }
    }

    /// What a fault has struck comes back.
    pub(super) fn return_struck(&mut self, cx: &mut Cx<'_>, fault: u32) {
        let (back, still) = std::mem::take(&mut self.struck).into_iter().partition(|(by, _)| *by == fault);
        self.struck = still;
        let back: Vec<_> = back;
        back.into_iter().for_each(|(_, node)| cx.ask_supervisor_about(node, RETURNS, 0));
    }

    pub(super) fn goes_down(&mut self, cx: &mut Cx<'_>, part: u32, copy: u32) {
        let of = &mut self.parts[part as usize];
        of.is_up[copy as usize] = false;
        of.epochs[copy as usize] += 1;
        of.applying[copy as usize] = None;
        if of.successor == Some(copy) {
            of.successor = None;
            self.elect(cx, part);
            return;
        }
        if of.leader != Some(copy) {
            return;
        }
        let loses = self.plan.terms.replication.as_ref().is_some_and(|replication| replication.lag.is_some());
        let of = &mut self.parts[part as usize];
        if loses {
            // Whatever was under way from there does not arrive.
            of.is_frozen = true;
            of.epochs.iter_mut().for_each(|epoch| *epoch += 1);
        }
        if let Some(failover) = self.plan.terms.failover {
            of.term += 1;
            let data = u64::from(of.term) << 32 | u64::from(part);
            cx.after(failover.detect.0, Class::First, Timer { what: NOTICED, data });
            cx.after(failover.takes(), Class::First, Timer { what: ELECTED, data });
        }
    }

    pub(super) fn comes_up(&mut self, cx: &mut Cx<'_>, part: u32, copy: u32) {
        let of = &mut self.parts[part as usize];
        of.is_up[copy as usize] = true;
        if of.leader == Some(copy) {
            // Nobody has noticed.
            of.term += 1;
            self.thaw(cx, part);
        } else if of.awaits_nodes {
            self.elect(cx, part);
        } else {
            self.catch_up(cx, part, copy);
        }
    }

    /// What the leader has sets out for all others again.
    fn thaw(&mut self, cx: &mut Cx<'_>, part: u32) {
        self.parts[part as usize].is_frozen = false;
        let leader = self.parts[part as usize].leader;
        for copy in (0..self.plan.terms.copies()).filter(|copy| Some(*copy) != leader) {
            self.catch_up(cx, part, copy);
        }
    }

    /// It is noticed that the leader is dead.
    pub(super) fn notice(&mut self, cx: &mut Cx<'_>, part: u32, term: u32) {
        let Some(leader) = self.parts[part as usize].leader.filter(|_| self.parts[part as usize].term == term) else {
            return;
        };
        self.parts[part as usize].leader = None;
        cx.happened_to(self.node(part, leader), &LEADER_LOST);
    }

    /// The time for an election has come.
    pub(super) fn elect_after(&mut self, cx: &mut Cx<'_>, part: u32, term: u32) {
        if self.parts[part as usize].term == term && self.parts[part as usize].leader.is_none() {
            self.elect(cx, part);
        }
    }

    /// The node that has most of those that are up is to be the leader, if there are enough.
    fn elect(&mut self, cx: &mut Cx<'_>, part: u32) {
        let of = &mut self.parts[part as usize];
        let up = (0..self.plan.terms.copies()).filter(|copy| of.is_up[*copy as usize]);
        let is_enough = up.clone().count() as u32 >= self.plan.terms.copies_for_election();
        let successor = of.ledger.most_complete(up).filter(|_| is_enough);
        of.awaits_nodes = successor.is_none();
        of.successor = successor;
        self.succeed(cx, part);
    }

    /// The node that is to be the leader becomes it, once it has applied what has reached it.
    pub(super) fn succeed(&mut self, cx: &mut Cx<'_>, part: u32) {
        let of = &mut self.parts[part as usize];
        let Some(successor) = of.successor else { return };
        if !of.is_frozen && of.ledger.first_missing(successor).is_some() {
            self.apply_next(cx, part, successor);
            return;
        }
        let reachable = (0..).zip(&of.is_up).filter(|(_, up)| **up).fold(0, |mask, (copy, _)| mask | 1u64 << copy);
        let lost = of.ledger.take_over(successor, reachable);
        of.epochs[successor as usize] += 1;
        (of.leader, of.successor) = (Some(successor), None);
        of.term += 1;
        let node = self.node(part, successor);
        cx.happened_to(node, &LEADER_ELECTED);
        if lost > 0 {
            self.measures.lost_writes += lost;
            cx.happened_to(node, &WRITES_LOST);
        }
        let enough = self.plan.terms.copies_for_write();
        let settled: Vec<_> = self.waiting.range((part, 0)..=(part, u64::MAX)).map(|(at, call)| (*at, *call)).collect();
        for (at, call) in settled {
            let copies = self.parts[part as usize].ledger.copies_of(at.1);
            if copies == 0 || copies >= enough {
                self.waiting.remove(&at);
                let outcome = if copies == 0 { Outcome::Unavailable } else { Outcome::Ok };
                self.answer_node(cx, call, outcome);
            }
        }
        self.thaw(cx, part);
    }
}

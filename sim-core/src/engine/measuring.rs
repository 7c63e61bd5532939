//! Measures of groups of nodes, and of nodes.

use super::{Component, Core, Engine};
use crate::attempts::Attempts;
use crate::calls::*;
use crate::figures::Figures;
use crate::measure::Measure;
use crate::outcome::Answer;
use crate::time::Time;

impl<C: Component> Engine<C> {
    /// Ends the warm-up: totals start here.
    pub fn begin_measuring(&mut self) {
        let now = self.core.now;
        for group in &mut self.core.groups {
            group.begin_measuring(now);
        }
        self.core.cpus.begin_measuring(now);
        self.core.memories.begin_measuring(now);
        self.core.sockets.begin_measuring(now);
        for passage in &mut self.core.passages {
            passage.attempts.begin_measuring(now);
        }
        for node in &mut self.nodes {
            node.begin_measuring(now);
        }
        for standstill in self.core.standstills.values_mut() {
            standstill.begin_measuring(now);
        }
    }

    /// Declares that the node may be paused: calls then wait for it whether or not it has a queue of its own, and
    /// [`Engine::figures_of`] reports their number from the start.
    pub fn may_stand_still(&mut self, node: NodeId) {
        self.core.standstills.entry(node).or_default();
    }

    /// Adds the figures that a node reports, including calls that wait for it while it is paused.
    pub fn figures_of(&self, node: NodeId, into: &mut Figures) {
        let component = &self.nodes[node.0 as usize];
        match self.core.standstills.get(&node) {
            None => component.figures(self.core.now, into),
            Some(standstill) => {
                let mut own = into.alike();
                component.figures(self.core.now, &mut own);
                standstill.figures(self.core.now, &mut own);
                into.merge(&own);
            }
        }
        self.core.memories.figures_of_node(self.core.now, node, into);
        self.core.sockets.figures_of_node(node, into);
        for cpu in &self.core.cpus_of[node.0 as usize] {
            self.core.cpus.figures(self.core.now, *cpu, into);
        }
    }

    /// The measures of a group.
    pub fn group(&self, group: GroupId) -> &Measure {
        &self.core.groups[group.0 as usize]
    }

    /// The measures of a group, mutably, for configuring them or closing a window.
    pub fn group_mut(&mut self, group: GroupId) -> &mut Measure {
        &mut self.core.groups[group.0 as usize]
    }

    /// The number of groups.
    pub fn group_count(&self) -> usize {
        self.core.groups.len()
    }

    /// The attempts that passed through a node that is or was a passage ([`crate::Cx::let_pass`]).
    pub fn passed(&self, node: NodeId) -> Option<&Attempts> {
        let passage = self.core.passage_of.get(&node)?;
        Some(&self.core.passages[*passage as usize].attempts)
    }

    /// The name of a group.
    pub fn group_name(&self, group: GroupId) -> &str {
        &self.core.group_names[group.0 as usize]
    }

    /// Also measures a group by operation; `ops` is the number of operations.
    pub fn keep_ops(&mut self, group: GroupId, ops: usize) {
        self.core.groups[group.0 as usize].keep_ops(ops);
    }

    /// Calls that have arrived at a group and are not yet answered.
    pub fn open_in(&self, group: GroupId) -> Vec<Open> {
        let mut open = Vec::new();
        self.each_open(|at, frame| {
            if at == group {
                open.push(Open { since: frame.since, op: self.core.profiles[frame.profile as usize].op });
            }
        });
        open
    }

    /// Visits every open call with each group it is in: a call that was passed on, or that is its own first attempt, is
    /// in several.
    pub(super) fn each_open(&self, mut visit: impl FnMut(GroupId, &Frame)) {
        for (_, frame) in self.core.calls.iter() {
            let is_served = frame.flags & DELIVERED != 0 && frame.flags & (REPLYING | BACKGROUND) == 0;
            let served = is_served.then_some(frame.node);
            let passed_on = (frame.via != DIRECT).then_some(frame.via);
            let lent = (frame.flags & LENT != 0).then_some(frame.parent);
            for node in served.into_iter().chain(passed_on).chain(lent) {
                visit(self.core.nodes[node as usize].group, frame);
            }
        }
    }
}

/// An open call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// When it arrived; for a request, its intended send time.
    pub since: Time,
    /// The operation.
    pub op: u16,
}

impl Core {
    /// Measures the end of a call to a group.
    #[inline(always)]
    pub(super) fn ended(&mut self, group: GroupId, frame: &Frame, answer: Answer) {
        let measure = &mut self.groups[group.0 as usize];
        measure.end(self.now, frame.since, answer);
        if measure.keeps_ops() {
            let op = self.profiles[frame.profile as usize].op;
            measure.end_of_op(op, self.now, frame.since, answer.outcome());
        }
    }
}

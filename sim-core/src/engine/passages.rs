//! Passages: nodes that forward every call to one other node, and its answer back, without any decision.
//!
//! Most links of a network have no policy. Such a node declares this once ([`Cx::let_pass`]) and is no longer invoked:
//! the engine measures the call at both nodes and counts the attempt. The results are identical to those of a node that
//! uses [`Cx::pass_on`] itself.

use super::{Core, Cx, NodeState, To};
use crate::attempts::Attempts;
use crate::calls::*;
use crate::conditions::Ways;
use crate::random::{Birth, Key};
use crate::time::Time;

/// The passage value of a node that is not a passage.
pub(super) const CLOSED: u32 = u32::MAX;

/// The passage value of a node that ignores the answers to its requests.
pub(super) const DEAF: u32 = u32::MAX - 1;

/// Whether a call to a node fails to arrive immediately even over a trivial path, because its host is dead.
#[inline(always)]
pub(super) fn is_lost(down: u32, nodes: &[NodeState], node: NodeId) -> bool {
    down > 0 && nodes[node.0 as usize].condition.is_silent()
}

/// Where the calls of a passage go.
#[derive(Clone, Debug)]
pub(super) struct Passage {
    course: Course,
    pub(super) attempts: Attempts,
}

impl Core {
    /// Turns `call`, which has just arrived at `node`, into a call to another node. False if the result would differ
    /// from making a call: a path is not trivial, or the two must be kept apart.
    #[inline(always)]
    pub(super) fn pass_on(&mut self, node: NodeId, call: CallId, to: &To, ticket: u32) -> bool {
        let frame = self.calls.at_mut(call.index);
        // A lent request keeps its profile, whatever the target of its attempt.
        let is_other = to.is_retry || to.profile.is_some() && frame.flags & LENT != 0;
        let is_passed = !is_other
            && !is_lost(self.down, &self.nodes, to.node)
            && Course::of(to).turn(frame, &self.ways, self.now, node, ticket);
        if is_passed {
            frame.profile = to.profile.unwrap_or(frame.profile);
        }
        is_passed
    }

    /// Turns the frame of a request to `node`, which arrives there immediately, into that of the call behind the node,
    /// if the node is a passage. Returns the node's group and whether the call passed.
    #[inline(always)]
    pub(super) fn pass_from_the_start(&mut self, node: NodeId, frame: &mut Frame) -> (GroupId, bool) {
        let state = &self.nodes[node.0 as usize];
        let group = state.group;
        let Some(passage) = self.passages.get_mut(state.passage as usize) else { return (group, false) };
        let is_other = state.condition.is_special() || is_lost(self.down, &self.nodes, passage.course.node);
        if is_other || !passage.course.turn(frame, &self.ways, self.now, node, 0) {
            return (group, false);
        }
        passage.attempts.begin(false);
        self.groups[group.0 as usize].arrive(self.now, false);
        (group, true)
    }

    /// Lets `call` pass through `node`, which is a passage.
    #[inline(always)]
    pub(super) fn pass_through(&mut self, node: NodeId, call: CallId, passage: u32) -> bool {
        let passage = &mut self.passages[passage as usize];
        if is_lost(self.down, &self.nodes, passage.course.node)
            || !passage.course.turn(self.calls.at_mut(call.index), &self.ways, self.now, node, 0)
        {
            return false;
        }
        passage.attempts.begin(false);
        // A passage does not propagate deadlines.
        self.calls.columns.set_deadline(call.index, Time::MAX);
        true
    }
}

/// The target of forwarded calls, precomputed.
#[derive(Clone, Copy, Debug)]
struct Course {
    node: NodeId,
    path: u16,
    birth: Birth,
}

impl Course {
    #[inline(always)]
    fn of(to: &To) -> Course {
        Course { node: to.node, path: to.path, birth: Birth::of(to.link, to.ordinal) }
    }

    /// Turns the frame of a call to `node` into that of the same call to the target, if the two are indistinguishable.
    #[inline(always)]
    fn turn(&self, frame: &mut Frame, ways: &Ways, now: Time, node: NodeId, ticket: u32) -> bool {
        if frame.via != DIRECT || frame.flags & BACKGROUND != 0 || frame.since != now {
            return false;
        }
        if !(ways.is_nothing(frame.path) && ways.is_nothing(self.path)) {
            return false;
        }
        frame.key = Key::from_bits(frame.key).born(self.birth).bits();
        frame.node = self.node.0;
        frame.via = node.0;
        frame.via_ticket = ticket;
        frame.draws = 0;
        true
    }
}

impl Cx<'_> {
    /// From now on this node, which receives no calls, is not notified of the answers to its requests.
    pub fn ignore_answers(&mut self) {
        self.core.nodes[self.node.0 as usize].passage = DEAF;
    }

    /// From now on every call to this node is forwarded to `to` without invoking the node, as by [`Cx::pass_on`] and
    /// without a deadline; `None` ends this. The node is still invoked when forwarding would differ from calling.
    ///
    /// # Panics
    /// If `to` has a profile of its own or is a retry: such calls are made individually.
    pub fn let_pass(&mut self, to: Option<To>) {
        let core = &mut *self.core;
        let group = core.nodes[self.node.0 as usize].group;
        core.nodes[self.node.0 as usize].passage = CLOSED;
        let Some(to) = to else { return };
        assert!(to.profile.is_none() && !to.is_retry, "calls pass as they are");
        let course = Course::of(&to);
        let measured_from = core.groups[group.0 as usize].measured_from();
        let next = core.passages.len() as u32;
        let passage = *core.passage_of.entry(self.node).or_insert(next);
        if passage == next {
            core.passages.push(Passage { course, attempts: Attempts::new(measured_from) });
        }
        core.passages[passage as usize].course = course;
        core.nodes[self.node.0 as usize].passage = passage;
    }
}

//! Passages: nodes through which every call goes on to one other node, and its answer back, with nothing decided.
//!
//! Most links of a network have no policy. Such a node says so once ([`Cx::let_pass`]) and is not asked any more: the
//! engine measures the call at both nodes and counts the attempt. What comes out is what the node would do by itself
//! with [`Cx::pass_on`].

use super::{Core, Cx, NodeState, To};
use crate::attempts::Attempts;
use crate::calls::*;
use crate::conditions::Ways;
use crate::random::{Birth, Key};
use crate::time::Time;

/// In a node's state: calls do not just pass.
pub(super) const CLOSED: u32 = u32::MAX;

/// In the same place: the node does not want to know how its requests end.
pub(super) const DEAF: u32 = u32::MAX - 1;

/// Whether a call to a node does not arrive at the instant at which it is sent, though nothing lies between: its host is dead.
#[inline(always)]
pub(super) fn is_lost(down: u32, nodes: &[NodeState], node: NodeId) -> bool {
    down > 0 && nodes[node.0 as usize].condition.is_silent()
}

/// Where the calls of a node go.
#[derive(Clone, Debug)]
pub(super) struct Passage {
    course: Course,
    pub(super) attempts: Attempts,
}

impl Core {
    /// Turns `call`, which has just come to `node`, into the same call to another node. False where that is not what
    /// making a call there would be: something lies between here and there or has to be kept apart.
    #[inline(always)]
    pub(super) fn pass_on(&mut self, node: NodeId, call: CallId, to: &To, ticket: u32) -> bool {
        let frame = self.calls.at_mut(call.index);
        // The request that was lent keeps its profile, wherever its attempt goes.
        let is_other = to.is_retry || to.profile.is_some() && frame.flags & LENT != 0;
        let is_passed = !is_other
            && !is_lost(self.down, &self.nodes, to.node)
            && Course::of(to).turn(frame, &self.ways, self.now, node, ticket);
        if is_passed {
            frame.profile = to.profile.unwrap_or(frame.profile);
        }
        is_passed
    }

    /// Makes of the frame of a request to `node`, which goes there at once, that of the call that it will be behind the
    /// node, if calls pass there. The node's group, and whether they do.
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

    /// Lets `call` pass through `node`, where calls pass.
    #[inline(always)]
    pub(super) fn pass_through(&mut self, node: NodeId, call: CallId, passage: u32) -> bool {
        let passage = &mut self.passages[passage as usize];
        if is_lost(self.down, &self.nodes, passage.course.node)
            || !passage.course.turn(self.calls.at_mut(call.index), &self.ways, self.now, node, 0)
        {
            return false;
        }
        passage.attempts.begin(false);
        // A deadline does not travel along over what does not propagate it.
        self.calls.columns.set_deadline(call.index, Time::MAX);
        true
    }
}

/// Where a call that is passed on goes, ready to use.
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

    /// Makes of the frame of a call to `node` that of the same call to another one, if nothing tells the two apart.
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
    /// From now on this node, which nobody calls, is not told how the requests that it begins end.
    pub fn ignore_answers(&mut self) {
        self.core.nodes[self.node.0 as usize].passage = DEAF;
    }

    /// From now on every call to this node passes on to `to` without asking it, as by [`Cx::pass_on`] and without a
    /// deadline; `None` ends that. The node is still asked where passing on would not be the same as calling.
    ///
    /// # Panics
    /// Where `to` has a profile of its own, or is a retry: such calls are made one by one.
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

//! The way of a call to its callee and of the answer back to its caller: at once, or over a network that takes time.
//!
//! ```text
//!   deliver ─▶ [travel] ─▶ arrive ─▶ on_call …  answer ─▶ [pass back] ─▶ [travel back] ─▶ arrive back ─▶ on_reply
//! ```

use super::{Component, Cx, Engine, Event, Kind, Next, Stashed, pack_event};
use crate::calendar::Class;
use crate::calls::*;
use crate::conditions::RESET;
use crate::outcome::{Answer, Outcome};

impl<C: Component> Engine<C> {
    /// Sends a call on its way.
    #[inline(always)]
    pub(super) fn deliver(&mut self, call: CallId) -> Next {
        let Some(frame) = self.core.calls.get(call) else { return Next::WAIT };
        if frame.path != 0 && !self.core.paths[frame.path as usize].is_nothing() {
            return self.travel(call);
        }
        self.arrive(call)
    }

    /// Sends a call over a network that lets it through late or not at all.
    #[inline(never)]
    fn travel(&mut self, call: CallId) -> Next {
        let frame = self.core.calls.at(call.index);
        let path = self.core.paths[frame.path as usize].path();
        let size = self.core.profiles[frame.profile as usize].size_bytes;
        let Some(delay) = path.delay_there(size, frame.key) else {
            return self.lost(call);
        };
        if delay == 0 {
            return self.arrive(call);
        }
        let event = Event { kind: Kind::Deliver, what: 0, epoch: 0, node: frame.node, data: call.to_bits() };
        if path.is_constant() {
            self.core.calendar.set_after(self.core.now, delay, Class::First, event);
        } else {
            self.core.calendar.set(self.core.now + delay, Class::First, event);
        }
        Next::WAIT
    }

    /// The network has swallowed a call: after the last retransmission the connection is given up.
    fn lost(&mut self, call: CallId) -> Next {
        let frame = self.core.calls.at(call.index);
        if frame.flags & ABANDONED != 0 {
            // Nobody waits for it.
            self.core.free(call.index);
            return Next::WAIT;
        }
        let place = self.core.nodes[frame.node as usize].group.0;
        let answer = Answer::new(Outcome::Reset, place);
        let frame = self.core.calls.at_mut(call.index);
        frame.key = answer.to_bits();
        frame.flags |= REPLYING;
        let event = Event { kind: Kind::Reply, what: 0, epoch: 0, node: 0, data: call.to_bits() };
        self.core.calendar.set(self.core.now + RESET, Class::First, event);
        Next::WAIT
    }

    /// A call reaches its callee.
    #[inline(always)]
    pub(super) fn arrive(&mut self, call: CallId) -> Next {
        let now = self.core.now;
        let frame = self.core.calls.at_mut(call.index);
        let node = NodeId(frame.node);
        if frame.flags & ROOT == 0 {
            frame.since = now;
        }
        frame.flags |= DELIVERED;
        let flags = frame.flags;
        if flags & SAMPLED != 0 {
            self.core.travelled(call.index);
        }
        let state = &self.core.nodes[node.0 as usize];
        self.core.groups[state.group.0 as usize].arrive(now, flags & RETRY != 0);
        if state.condition.is_special()
            && let Some(next) = self.received_by_condition(call, node)
        {
            return next;
        }
        self.nodes[node.0 as usize].on_call(&mut Cx { core: &mut self.core, node }, call)
    }

    /// What becomes of a call that reaches a node with which something is the matter; `None` if nothing special.
    #[inline(never)]
    fn received_by_condition(&mut self, call: CallId, node: NodeId) -> Option<Next> {
        let key = self.core.calls.at(call.index).key;
        let state = &mut self.core.nodes[node.0 as usize];
        if let Some(outcome) = state.condition.refuses(key ^ state.salt as u64) {
            let place = state.group.0;
            return Some(Next::reply(call, Answer::new(outcome, place)));
        }
        if state.condition.is_paused() {
            state.condition.stash(Stashed::Call(call));
            return Some(Next::WAIT);
        }
        None
    }

    /// A callee answers a call.
    #[inline(always)]
    pub(super) fn answer(&mut self, call: CallId, answer: Answer) -> Next {
        let Some(frame) = self.core.calls.get(call) else { return Next::WAIT };
        debug_assert!(frame.flags & REPLYING == 0, "a call is answered once");
        if frame.flags & BACKGROUND == 0 {
            let group = self.core.nodes[frame.node as usize].group;
            self.core.groups[group.0 as usize].end(self.core.now, frame.since, answer);
        }
        let (via, is_sampled) = (frame.via, frame.flags & SAMPLED != 0);
        if is_sampled {
            self.core.served(call.index);
        }
        self.pass_back(call, answer, via)
    }

    /// An answer passes the node that passed its call on, if there is one, and goes on to the caller.
    #[inline(always)]
    pub(super) fn pass_back(&mut self, call: CallId, answer: Answer, via: u32) -> Next {
        if via != DIRECT {
            let frame = self.core.calls.at_mut(call.index);
            let state = &mut self.core.nodes[via as usize];
            if state.condition.is_paused() {
                let event = Event { kind: Kind::Reply, what: 0, epoch: 0, node: via, data: call.to_bits() };
                state.condition.stash(Stashed::Event(pack_event(event)));
                frame.key = answer.to_bits();
                frame.flags |= REPLYING;
                return Next::WAIT;
            }
            frame.via = DIRECT;
            self.core.groups[state.group.0 as usize].end(self.core.now, frame.since, answer);
            self.nodes[via as usize].on_passed(frame.via_ticket, frame.since, answer.outcome);
        }
        let path = self.core.calls.at(call.index).path;
        if path != 0 && !self.core.paths[path as usize].is_nothing() {
            return self.travel_back(call, answer);
        }
        self.arrive_back(call, answer)
    }

    /// Sends an answer on its way back over a network.
    #[inline(never)]
    fn travel_back(&mut self, call: CallId, answer: Answer) -> Next {
        let frame = self.core.calls.at(call.index);
        let way = &self.core.paths[frame.path as usize];
        let path = way.path();
        if way.is_nothing() || frame.parent == NONE || frame.flags & ABANDONED != 0 {
            return self.arrive_back(call, answer);
        }
        let Some(delay) = path.delay_back(frame.key) else {
            return self.lost(call);
        };
        if delay == 0 {
            return self.arrive_back(call, answer);
        }
        let event = Event { kind: Kind::Reply, what: 0, epoch: 0, node: 0, data: call.to_bits() };
        if path.is_constant() {
            self.core.calendar.set_after(self.core.now, delay, Class::First, event);
        } else {
            self.core.calendar.set(self.core.now + delay, Class::First, event);
        }
        let frame = self.core.calls.at_mut(call.index);
        frame.key = answer.to_bits();
        frame.flags |= REPLYING;
        Next::WAIT
    }

    /// An answer reaches the caller.
    #[inline(always)]
    pub(super) fn arrive_back(&mut self, call: CallId, answer: Answer) -> Next {
        let frame = self.core.calls.at(call.index);
        let (parent, flags) = (frame.parent, frame.flags);
        if flags & SAMPLED != 0 {
            self.core.hand_over(call.index, answer);
        }
        let next = if flags & (ABANDONED | ROOT) == 0 && parent != NONE {
            let caller = self.core.calls.at(parent);
            let (node, parent) = (NodeId(caller.node), CallId { index: parent, generation: caller.generation });
            let condition = &mut self.core.nodes[node.0 as usize].condition;
            if condition.is_paused() {
                let event = Event { kind: Kind::Reply, what: 0, epoch: 0, node: node.0, data: call.to_bits() };
                condition.stash(Stashed::Event(pack_event(event)));
                let frame = self.core.calls.at_mut(call.index);
                frame.key = answer.to_bits();
                frame.flags |= REPLYING;
                return Next::WAIT;
            }
            self.nodes[node.0 as usize].on_reply(&mut Cx { core: &mut self.core, node }, parent, call, answer)
        } else if flags & (ABANDONED | ROOT) == ROOT {
            let node = NodeId(parent);
            self.nodes[parent as usize].on_reply(&mut Cx { core: &mut self.core, node }, call, call, answer)
        } else {
            Next::WAIT
        };
        self.core.free(call.index);
        next
    }
}

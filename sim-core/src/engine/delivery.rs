//! Transport of a call to its callee and of the answer back to its caller: immediate, or over a network with delays.
//!
//! ```text
//!   deliver ─▶ [travel] ─▶ arrive ─▶ on_call …  answer ─▶ [pass back] ─▶ [travel back] ─▶ arrive back ─▶ on_reply
//! ```

use super::passages::DEAF;
use super::{Component, Cx, Engine, Event, Kind, Next, Word, pack_event};
use crate::calendar::Class;
use crate::calls::*;
use crate::conditions::{RETRANSMISSIONS, Stashed, given_up_after, retransmission};
use crate::outcome::{Answer, Outcome};
use crate::time::Time;

impl<C: Component> Engine<C> {
    /// Sends a call to its callee.
    #[inline(always)]
    pub(super) fn deliver(&mut self, call: CallId) -> Next {
        let Some(frame) = self.core.calls.get(call) else { return Next::WAIT };
        if !self.core.ways.is_nothing(frame.path) {
            return self.travel(call);
        }
        self.arrive(call)
    }

    /// Sends a call over a network that delays or drops it.
    #[inline(never)]
    pub(super) fn travel(&mut self, call: CallId) -> Next {
        let frame = self.core.calls.at(call.index);
        let path = self.core.ways.path(frame.path);
        if path.is_cut() {
            let epoch = self.core.nodes[frame.node as usize].epoch;
            return self.unheard(call, epoch, 0, self.core.now);
        }
        let size = match path.weighs() {
            true => {
                let own = self.core.profiles[frame.profile as usize].size_bytes;
                own.saturating_add(self.core.calls.columns.more_bytes(call.index))
            }
            false => 0,
        };
        let Some(delay) = path.delay_there(size, frame.key) else {
            return self.lost(call);
        };
        if delay == 0 {
            return self.arrive_at_last(call);
        }
        let epoch = self.core.nodes[frame.node as usize].epoch;
        let event = Event { kind: Kind::Deliver, what: 0, epoch, node: frame.node, data: Word::of(call.to_bits()) };
        if path.is_constant() {
            self.core.calendar.set_after(self.core.now, delay, Class::First, event);
        } else {
            self.core.calendar.set(self.core.now + delay, Class::First, event);
        }
        Next::WAIT
    }

    /// A call has reached its destination. `epoch` is its callee's epoch at the time of sending: a process that has
    /// died since does not get the call, nor does its successor.
    #[inline(never)]
    pub(super) fn reach(&mut self, call: CallId, epoch: u16, nth: u8) -> Next {
        let frame = self.core.calls.at_mut(call.index);
        let state = &self.core.nodes[frame.node as usize];
        if state.condition.is_silent() {
            return self.reach_nobody(call, epoch, nth);
        }
        if state.epoch != epoch {
            return self.broken(call);
        }
        self.arrive_at_last(call)
    }

    /// A call reaches a dead host. Its connection dates from before the crash, so the host will not know it after a
    /// restart.
    #[inline(never)]
    fn reach_nobody(&mut self, call: CallId, epoch: u16, nth: u8) -> Next {
        let frame = self.core.calls.at(call.index);
        let sent = self.core.now.saturating_sub(self.core.ways.path(frame.path).there());
        let now = self.core.nodes[frame.node as usize].epoch;
        self.unheard(call, if epoch == now { now.wrapping_sub(1) } else { epoch }, nth, sent)
    }

    /// A call arrives over a connection to a process that no longer exists: the host answers with a reset.
    fn broken(&mut self, call: CallId) -> Next {
        let frame = self.core.calls.at_mut(call.index);
        if frame.flags & ROOT == 0 {
            frame.since = self.core.now;
        }
        frame.flags |= DELIVERED;
        let frame_flags = frame.flags;
        let (group, is_retry) = (self.core.nodes[frame.node as usize].group, frame.flags & RETRY != 0);
        if frame_flags & BACKGROUND == 0 {
            self.core.groups[group.0 as usize].arrive(self.core.now, is_retry);
        }
        Next::reply(call, Answer::new(Outcome::Reset, group.0))
    }

    /// Schedules the retransmission of a call or answer that was last `sent` at an instant, after `nth` earlier
    /// retransmissions. Intervals grow exponentially.
    #[inline(never)]
    fn unheard(&mut self, call: CallId, epoch: u16, nth: u8, sent: Time) -> Next {
        let frame = self.core.calls.at_mut(call.index);
        if frame.flags & REPLYING == 0 {
            frame.flags &= !DELIVERED;
        }
        let event = Event { kind: Kind::Again, what: nth + 1, epoch, node: frame.node, data: Word::of(call.to_bits()) };
        let at = (sent + retransmission(u32::from(nth))).max(self.core.now);
        self.core.calendar.set(at, Class::First, event);
        Next::WAIT
    }

    /// Retransmits a call or its answer for the `nth` time, counted from 1.
    #[inline(never)]
    pub(super) fn sent_again(&mut self, call: CallId, epoch: u16, nth: u8) -> Next {
        let frame = *self.core.calls.at(call.index);
        debug_assert!(frame.via == DIRECT, "what is passed on arrives at once");
        let is_given_up = frame.flags & ABANDONED != 0;
        if is_given_up || u32::from(nth) > RETRANSMISSIONS {
            // The caller has closed the connection, or the connection times out.
            let place = self.core.nodes[frame.node as usize].group.0;
            let answer = Answer::new(Outcome::Reset, place);
            let frame = self.core.calls.at_mut(call.index);
            frame.flags &= !REPLYING;
            frame.path = 0;
            let frame = *frame;
            return self.pass_back(call, &frame, answer);
        }
        let path = self.core.ways.path(frame.path);
        if path.is_cut() {
            return self.unheard(call, epoch, nth, self.core.now);
        }
        let (kind, delay) = match frame.flags & REPLYING {
            0 => (Kind::Deliver, path.there()),
            _ => (Kind::Reply, path.back()),
        };
        let event = Event { kind, what: nth, epoch, node: frame.node, data: Word::of(call.to_bits()) };
        self.core.calendar.set(self.core.now + delay, Class::First, event);
        Next::WAIT
    }

    /// The host of a callee has died, so its answer never arrives. The caller gives up the connection after the last
    /// retransmission.
    pub(super) fn answer_unheard(&mut self, call: CallId, answer: Answer) {
        let frame = *self.core.calls.at(call.index);
        let group = self.core.nodes[frame.node as usize].group;
        self.core.ended(group, &frame, answer);
        if frame.flags & SAMPLED != 0 {
            self.core.served(call.index);
        }
        self.core.calls.at_mut(call.index).keep(answer);
        let event = Event { kind: Kind::Reply, what: 0, epoch: 0, node: 0, data: Word::of(call.to_bits()) };
        self.core.calendar.set(self.core.now + given_up_after(), Class::First, event);
    }

    /// The network has lost every retransmission of a call: the connection is given up.
    pub(super) fn lost(&mut self, call: CallId) -> Next {
        let frame = self.core.calls.at(call.index);
        if frame.flags & ABANDONED != 0 {
            // No caller waits for it.
            self.core.free(call.index);
            return Next::WAIT;
        }
        let place = self.core.nodes[frame.node as usize].group.0;
        let answer = Answer::new(Outcome::Reset, place);
        self.core.calls.at_mut(call.index).keep(answer);
        let event = Event { kind: Kind::Reply, what: 0, epoch: 0, node: 0, data: Word::of(call.to_bits()) };
        self.core.calendar.set(self.core.now + given_up_after(), Class::First, event);
        Next::WAIT
    }

    /// A call reaches its callee and continues immediately if the callee is a passage.
    #[inline(always)]
    fn arrive(&mut self, call: CallId) -> Next {
        let frame = self.core.calls.at_mut(call.index);
        let mut node = NodeId(frame.node);
        if frame.flags & ROOT == 0 {
            frame.since = self.core.now;
        }
        frame.flags |= DELIVERED;
        let flags = frame.flags;
        if flags & SAMPLED != 0 && frame.path != 0 {
            self.core.travelled(call.index);
        }
        let passage = match self.come_to(node, call, flags) {
            Ok(passage) => passage,
            Err(next) => return next,
        };
        if passage < DEAF && self.core.pass_through(node, call, passage) {
            node = NodeId(self.core.calls.at(call.index).node);
            if let Err(next) = self.come_to(node, call, flags) {
                return next;
            }
        }
        self.nodes[node.0 as usize].on_call(&mut Cx { core: &mut self.core, node }, call)
    }

    /// [`Engine::arrive`] for a call that took time to travel.
    #[inline(never)]
    pub(super) fn arrive_at_last(&mut self, call: CallId) -> Next {
        // From here on, a request that took time to travel is treated as a call that arrived now.
        self.core.calls.at_mut(call.index).since = self.core.now;
        self.arrive(call)
    }

    /// Measures a call on arrival. Returns the node's passage if the node can see the call now.
    #[inline(always)]
    fn come_to(&mut self, node: NodeId, call: CallId, flags: u8) -> Result<u32, Next> {
        let state = &self.core.nodes[node.0 as usize];
        let (group, passage) = (state.group, state.passage);
        let is_special = state.condition.is_special();
        if is_special && state.condition.is_silent() {
            let epoch = state.epoch;
            return Err(self.reach_nobody(call, epoch, 0));
        }
        if flags & BACKGROUND == 0 {
            self.core.groups[group.0 as usize].arrive(self.core.now, flags & RETRY != 0);
        }
        if is_special && let Some(next) = self.received_by_condition(call, node) {
            return Err(next);
        }
        Ok(passage)
    }

    /// Handles a call that reaches a node with an abnormal condition; `None` if the condition does not affect it.
    #[inline(never)]
    fn received_by_condition(&mut self, call: CallId, node: NodeId) -> Option<Next> {
        let Frame { key, since, flags, .. } = *self.core.calls.at(call.index);
        let state = &mut self.core.nodes[node.0 as usize];
        if let Some(outcome) = state.condition.refuses(key ^ state.salt as u64) {
            let place = state.group.0;
            return Some(Next::reply(call, Answer::new(outcome, place)));
        }
        if state.condition.is_paused() {
            state.condition.stash(Stashed::Call(call));
            if flags & BACKGROUND == 0 {
                self.core.standstills.entry(node).or_default().wait(self.core.now, since);
            }
            return Some(Next::WAIT);
        }
        None
    }

    /// Answers a call on behalf of its callee.
    #[inline(always)]
    pub(super) fn answer(&mut self, call: CallId, answer: Answer) -> Next {
        let Some(frame) = self.core.calls.get(call) else { return Next::WAIT };
        let frame = *frame;
        debug_assert!(frame.flags & REPLYING == 0, "a call is answered once");
        if frame.flags & BACKGROUND == 0 {
            let group = self.core.nodes[frame.node as usize].group;
            self.core.ended(group, &frame, answer);
        }
        if frame.flags & SAMPLED != 0 {
            self.core.served(call.index);
        }
        self.pass_back(call, &frame, answer)
    }

    /// Passes an answer back through the node that passed on its call, if any, and on to the caller. `frame` is the
    /// call's.
    #[inline(always)]
    fn pass_back(&mut self, call: CallId, frame: &Frame, answer: Answer) -> Next {
        if frame.via != DIRECT {
            let state = &mut self.core.nodes[frame.via as usize];
            if state.condition.is_paused() {
                let event =
                    Event { kind: Kind::Reply, what: 0, epoch: 0, node: frame.via, data: Word::of(call.to_bits()) };
                state.condition.stash(Stashed::Event(pack_event(event)));
                self.core.calls.at_mut(call.index).keep(answer);
                return Next::WAIT;
            }
            let (group, passage) = (state.group, state.passage);
            self.core.ended(group, frame, answer);
            match self.core.passages.get_mut(passage as usize) {
                Some(passage) => passage.attempts.end(frame.since, answer.outcome()),
                None => self.nodes[frame.via as usize].on_passed(frame.via_ticket, frame.since, answer.outcome()),
            }
        }
        if !self.core.ways.is_nothing(frame.path) {
            return self.travel_back(call, answer);
        }
        self.hand_to_caller(call, frame.parent, frame.flags, answer)
    }

    /// Continues with an answer that was held back or travelling.
    #[inline(never)]
    pub(super) fn answered_at_last(&mut self, call: CallId) -> Next {
        let frame = *self.core.calls.at(call.index);
        let answer = Answer::from_bits(frame.key);
        if frame.via == DIRECT { self.arrive_back(call, answer) } else { self.pass_back(call, &frame, answer) }
    }

    /// Sends an answer back over a network.
    #[inline(never)]
    pub(super) fn travel_back(&mut self, call: CallId, answer: Answer) -> Next {
        let frame = self.core.calls.at_mut(call.index);
        frame.via = DIRECT;
        let path = self.core.ways.path(frame.path);
        if self.core.ways.is_nothing(frame.path) || frame.parent == NONE || frame.flags & ABANDONED != 0 {
            return self.arrive_back(call, answer);
        }
        if path.is_cut() {
            self.core.calls.at_mut(call.index).keep(answer);
            return self.unheard(call, 0, 0, self.core.now);
        }
        let Some(delay) = path.delay_back(frame.key) else {
            return self.lost(call);
        };
        if delay == 0 {
            return self.arrive_back(call, answer);
        }
        let event = Event { kind: Kind::Reply, what: 0, epoch: 0, node: 0, data: Word::of(call.to_bits()) };
        if path.is_constant() {
            self.core.calendar.set_after(self.core.now, delay, Class::First, event);
        } else {
            self.core.calendar.set(self.core.now + delay, Class::First, event);
        }
        self.core.calls.at_mut(call.index).keep(answer);
        Next::WAIT
    }

    /// An answer reaches the caller.
    fn arrive_back(&mut self, call: CallId, answer: Answer) -> Next {
        let frame = self.core.calls.at(call.index);
        self.hand_to_caller(call, frame.parent, frame.flags, answer)
    }

    #[inline(always)]
    fn hand_to_caller(&mut self, call: CallId, parent: u32, flags: u8, answer: Answer) -> Next {
        if flags & LENT != 0 {
            return self.hand_to_lender(call, parent, answer);
        }
        if flags & SAMPLED != 0 {
            self.core.hand_over(call.index, answer);
        }
        let kin = flags & (ABANDONED | ROOT);
        let next = if kin == 0 && parent != NONE {
            let caller = self.core.calls.at(parent);
            let (node, parent) = (NodeId(caller.node), CallId { index: parent, generation: caller.generation });
            let condition = &mut self.core.nodes[node.0 as usize].condition;
            if condition.is_paused() {
                let event =
                    Event { kind: Kind::Reply, what: 0, epoch: 0, node: node.0, data: Word::of(call.to_bits()) };
                condition.stash(Stashed::Event(pack_event(event)));
                self.core.calls.at_mut(call.index).keep_from_caller(answer);
                return Next::WAIT;
            }
            self.nodes[node.0 as usize].on_reply(&mut Cx { core: &mut self.core, node }, parent, call, answer)
        } else if kin == ROOT && self.core.nodes[parent as usize].passage != DEAF {
            let node = NodeId(parent);
            let condition = &mut self.core.nodes[parent as usize].condition;
            if condition.is_paused() {
                let event =
                    Event { kind: Kind::Reply, what: 0, epoch: 0, node: parent, data: Word::of(call.to_bits()) };
                condition.stash(Stashed::Event(pack_event(event)));
                self.core.calls.at_mut(call.index).keep_from_caller(answer);
                return Next::WAIT;
            }
            self.nodes[parent as usize].on_reply(&mut Cx { core: &mut self.core, node }, call, call, answer)
        } else {
            if kin == 0 {
                self.core.part_of_call_ends(call.index, false);
            }
            Next::WAIT
        };
        self.core.free(call.index);
        next
    }
}

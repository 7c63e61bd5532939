//! Lending: a request that doubles as its own first attempt.
//!
//! Behind a link that retries, a request and its attempt are two calls, but most requests need one attempt only. So the
//! link may send the request's own frame on as the attempt ([`Cx::lend`]) and get it back with the answer
//! ([`Cx::take_back`]). If the two can no longer share a frame, because the attempt failed or continues without a
//! caller, they part ([`Cx::part`]): the attempt keeps the frame, because its callees refer to it by index, and the
//! request, which only its link and its sender refer to, moves to another frame. The results are identical to those of
//! [`Cx::call`], number for number.
//!
//! ```text
//!   on_call ─▶ lend ─▶ the attempt is served ─▶ on_reply ─┬─▶ take back ─▶ the request is answered
//!                          │ timeout                      │ failed
//!                          └──────▶ part ◀────────────────┘
//! ```

use super::passages::is_lost;
use super::{Component, Cx, Engine, Next, To};
use crate::calendar::TimerId;
use crate::calls::*;
use crate::outcome::Answer;
use crate::random::Key;
use crate::time::Time;

impl Cx<'_> {
    /// Sends a request that has just arrived at this link, and that the link's owner began, on to `to` as its own first
    /// attempt. False if the result would differ from making a call: the path is not trivial, or the two must be kept
    /// apart. The attempt carries the request's baggage, so a link that sets deadlines does not lend.
    #[inline(always)]
    pub fn lend(&mut self, call: CallId, to: To) -> bool {
        let core = &mut *self.core;
        let owner = core.nodes[self.node.0 as usize].owner;
        let frame = core.calls.at_mut(call.index);
        let can_be_lent = frame.flags & (ROOT | SAMPLED | LENT) == ROOT
            && frame.via == DIRECT
            && frame.since == core.now
            && core.ways.is_nothing(frame.path)
            && core.ways.is_nothing(to.path)
            && frame.parent == owner.0
            && !is_lost(core.down, &core.nodes, to.node);
        if !can_be_lent {
            return false;
        }
        frame.memo = frame.key;
        frame.key = Key::from_bits(frame.key).child(to.link, to.ordinal).bits();
        frame.parent = self.node.0;
        frame.node = to.node.0;
        frame.path = to.path;
        frame.draws = 0;
        frame.flags |= LENT;
        true
    }

    /// Keeps the timer of the attempt for as long as request and attempt share a frame.
    #[inline(always)]
    pub fn keep_timer(&mut self, call: CallId, timer: Option<TimerId>) {
        self.core.calls.at_mut(call.index).timer = timer;
    }

    /// Whether `call` is a request and its first attempt in one.
    #[inline(always)]
    pub fn is_lent(&self, call: CallId) -> bool {
        self.core.calls.at(call.index).flags & LENT != 0
    }

    /// Takes back a request that this link has lent and whose attempt has been answered; the request's answer follows.
    /// Returns the start of the attempt and its timer.
    #[inline(always)]
    pub fn take_back(&mut self, call: CallId) -> (Time, Option<TimerId>) {
        let owner = self.core.nodes[self.node.0 as usize].owner;
        let frame = self.core.calls.at_mut(call.index);
        debug_assert!(frame.flags & LENT != 0 && frame.parent == self.node.0, "it was lent by this link");
        frame.key = frame.memo;
        frame.memo = 0;
        frame.parent = owner.0;
        frame.node = self.node.0;
        frame.via = DIRECT;
        frame.path = 0;
        frame.flags &= !(LENT | REPLYING);
        (frame.since, frame.timer.take())
    }

    /// Separates a request that this link has lent from its attempt: the request, which has made `draws` draws, gets a
    /// frame of its own, and the attempt continues in the old one as an ordinary call. Returns the request, the start
    /// of the attempt, and its timer.
    pub fn part(&mut self, attempt: CallId, draws: u16) -> (CallId, Time, Option<TimerId>) {
        let core = &mut *self.core;
        let frame = *core.calls.at(attempt.index);
        debug_assert!(frame.flags & LENT != 0 && frame.parent == self.node.0, "it was lent by this link");
        let request = Frame {
            key: frame.memo,
            memo: 0,
            timer: None,
            parent: core.nodes[self.node.0 as usize].owner.0,
            node: self.node.0,
            ticket: 0,
            via: DIRECT,
            via_ticket: 0,
            path: 0,
            draws,
            flags: ROOT | DELIVERED,
            ..frame
        };
        let request = core.calls.insert_like(request, attempt.index);
        core.calls.move_note(attempt.index, request.index);
        let left = core.calls.at_mut(attempt.index);
        left.flags &= !(ROOT | LENT);
        (left.parent, left.memo, left.timer) = (request.index, 0, None);
        (request, frame.since, frame.timer)
    }
}

impl<C: Component> Engine<C> {
    /// Delivers an answer to the link that lent the request. Such a link belongs to a workload, and workloads are never
    /// paused.
    #[inline(always)]
    pub(super) fn hand_to_lender(&mut self, call: CallId, link: u32, answer: Answer) -> Next {
        let node = NodeId(link);
        let next = self.nodes[link as usize].on_reply(&mut Cx { core: &mut self.core, node }, call, call, answer);
        if self.core.calls.at(call.index).flags & ROOT == 0 {
            // Request and attempt have parted, and the attempt is over.
            self.core.free(call.index);
        }
        next
    }

    /// Separates the request and its attempt if they share this frame.
    pub(super) fn keep_apart(&mut self, index: u32) {
        let frame = self.core.calls.at(index);
        if frame.flags & LENT != 0 {
            let (node, attempt) = (NodeId(frame.parent), self.core.calls.id(index));
            self.nodes[node.0 as usize].on_parting(&mut Cx { core: &mut self.core, node }, attempt);
        }
    }
}

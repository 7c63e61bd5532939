//! Lending: a request that goes on as its own first attempt.
//!
//! Behind a link that tries again, a request and its attempt are two calls, and most requests need one attempt only. So the
//! link may send on the request's own frame as the attempt ([`Cx::lend`]), and gets it back with the answer
//! ([`Cx::take_back`]). Where the two cannot be one any longer, because the attempt failed or goes on for nobody, they part
//! ([`Cx::part`]): the attempt keeps the frame, by whose index those who serve it know it, and the request, which only its
//! link and whoever began it know, moves to another one. What comes out is what [`Cx::call`] comes to, number for number.
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
    /// Sends a request that has just come to this link, and that the link's owner began, on to `to` as its own first
    /// attempt. False where that is not what making a call would be: something lies between here and there or has to be kept
    /// apart. The attempt carries what the request does; a link that would give it a deadline does not lend.
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

    /// Keeps the timer of the attempt that a request was lent to until they are two again.
    #[inline(always)]
    pub fn keep_timer(&mut self, call: CallId, timer: Option<TimerId>) {
        self.core.calls.at_mut(call.index).timer = timer;
    }

    /// Whether `call` is a request and its first attempt in one.
    #[inline(always)]
    pub fn is_lent(&self, call: CallId) -> bool {
        self.core.calls.at(call.index).flags & LENT != 0
    }

    /// The attempt of a request that this link has lent is answered, and so will be the request. When the attempt began, and
    /// its timer.
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

    /// A request that this link has lent, and that has made so many draws, parts from its attempt: it gets a frame of its own,
    /// and the attempt goes on in the old one as any other call. The request, when the attempt began, and its timer.
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
    /// An answer reaches the link that sent a request on as its own attempt. Such a link is a workload's, and these never stand
    /// still.
    #[inline(always)]
    pub(super) fn hand_to_lender(&mut self, call: CallId, link: u32, answer: Answer) -> Next {
        let node = NodeId(link);
        let next = self.nodes[link as usize].on_reply(&mut Cx { core: &mut self.core, node }, call, call, answer);
        if self.core.calls.at(call.index).flags & ROOT == 0 {
            // They have parted, and the attempt is over.
            self.core.free(call.index);
        }
        next
    }

    /// Makes two calls of what may be a request and its attempt in one.
    pub(super) fn keep_apart(&mut self, index: u32) {
        let frame = self.core.calls.at(index);
        if frame.flags & LENT != 0 {
            let (node, attempt) = (NodeId(frame.parent), self.core.calls.id(index));
            self.nodes[node.0 as usize].on_parting(&mut Cx { core: &mut self.core, node }, attempt);
        }
    }
}

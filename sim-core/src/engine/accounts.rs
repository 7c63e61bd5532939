//! The accounts of sampled requests: opened with their calls, and handed on from callee to caller.
//!
//! Calls that are not sampled pay for one test of a bit wherever one of these could be called. Where requests are traced
//! ([`crate::trace`]), the same places tell of those of the sample; a traced call stays marked when it is given up.

use super::Core;
use crate::breakdown::{Part, Spent};
use crate::calls::*;
use crate::outcome::Answer;
use crate::time::Span;

impl Core {
    fn group_of(&self, node: u32) -> GroupId {
        self.nodes[node as usize].group
    }

    /// A request to a node of `group`, whose key may be one of the sample's, begins.
    #[cold]
    #[inline(never)]
    pub(super) fn sample(&mut self, call: CallId, source: NodeId, group: GroupId, key: u64) {
        let frame = self.calls.at_mut(call.index);
        let since = frame.since;
        let measure = &mut self.groups[group.0 as usize];
        let Some(breakdown) = &mut measure.breakdown else { return };
        frame.flags |= SAMPLED;
        let zeros = key.trailing_zeros();
        breakdown.begin(zeros);
        let is_thinned_out = breakdown.mask() != measure.sample_mask;
        measure.sample_mask = breakdown.mask();
        self.accounts.open(call.index, since, Some((group, zeros)));
        // It may have been sent later than it should.
        let place = self.group_of(source.0);
        if let Some(traces) = &mut self.traces {
            traces.begin(call.index, key, group, place, since, self.now);
        }
        if since < self.now {
            self.accounts.spend(call.index, group, Part { what: Spent::Queue, place }, self.now);
        }
        if is_thinned_out && self.traces.is_none() {
            self.leave_out(group);
        }
    }

    /// Nobody accounts any longer for the requests to a group that are under way and no longer in its sample.
    #[inline(never)]
    fn leave_out(&mut self, group: GroupId) {
        let needed = self.groups[group.0 as usize].sample_mask.trailing_ones();
        for index in self.accounts.requests(group, |zeros| zeros < needed) {
            self.drop_account(index);
        }
    }

    /// A call, or a branch, of a sampled request is made.
    #[cold]
    #[inline(never)]
    pub(super) fn open_account(&mut self, index: u32) {
        self.accounts.open(index, self.now, None);
        if let Some(traces) = &mut self.traces {
            let frame = self.calls.at(index);
            let place = self.nodes[frame.node as usize].group;
            traces.open(index, frame.parent, place, frame.flags & RETRY != 0, self.now);
        }
    }

    /// A call is another copy of one that its caller waits for.
    #[cold]
    #[inline(never)]
    pub(super) fn stand_in(&mut self, index: u32) {
        let frame = self.calls.at(index);
        let (parent, callee) = (frame.parent, self.group_of(frame.node));
        self.accounts.stand_in(parent, index, callee, self.now);
    }

    /// Nobody waits for this call: it is not part of its request's time.
    #[cold]
    #[inline(never)]
    pub(super) fn drop_account(&mut self, index: u32) {
        if let Some(account) = self.accounts.close(index) {
            self.accounts.drop(account);
        }
        if let Some(traces) = &mut self.traces {
            traces.end(index, None, self.now);
        }
        self.calls.at_mut(index).flags &= !SAMPLED;
    }

    /// What is not yet accounted for was spent on this.
    #[cold]
    #[inline(never)]
    pub(super) fn spend(&mut self, index: u32, what: Spent, place: GroupId) {
        let own = self.group_of(self.calls.at(index).node);
        self.accounts.spend(index, own, Part { what, place }, self.now);
        if let Some(traces) = &mut self.traces {
            traces.spend(index, own, Part { what, place }, self.now);
        }
    }

    /// The latest time of a call was spent on this, and what is not accounted for before that on service.
    #[cold]
    #[inline(never)]
    pub(super) fn spend_last(&mut self, index: u32, what: Spent, place: GroupId, span: Span) {
        let own = self.group_of(self.calls.at(index).node);
        let (before, last) = (Part { what: Spent::Service, place }, Part { what, place });
        for (part, until) in [(before, self.now.saturating_sub(span)), (last, self.now)] {
            self.accounts.spend(index, own, part, until);
            if let Some(traces) = &mut self.traces {
                traces.spend(index, own, part, until);
            }
        }
    }

    /// A call has been served.
    #[cold]
    #[inline(never)]
    pub(super) fn served(&mut self, index: u32) {
        let place = self.group_of(self.calls.at(index).node);
        self.spend(index, Spent::Service, place);
    }

    /// A call has arrived, or its answer has.
    #[cold]
    #[inline(never)]
    pub(super) fn travelled(&mut self, index: u32) {
        let frame = self.calls.at(index);
        let is_callers = frame.flags & (ROOT | ABANDONED) == 0 && frame.parent != NONE;
        let node = if is_callers { self.calls.at(frame.parent).node } else { frame.node };
        self.spend(index, Spent::Network, self.group_of(node));
    }

    /// An answer has arrived: the time of the call becomes its caller's.
    #[cold]
    #[inline(never)]
    pub(super) fn hand_over(&mut self, index: u32, answer: Answer) {
        // Otherwise it was served at this instant.
        if self.calls.at(index).flags & REPLYING != 0 {
            self.travelled(index);
        }
        if let Some(traces) = &mut self.traces {
            traces.end(index, Some(answer), self.now);
        }
        // Of a call that was given up there is none, even where it is traced.
        let Some(account) = self.accounts.close(index) else { return };
        let frame = self.calls.at(index);
        let (parent, since) = (frame.parent, frame.since);
        if let Some((group, zeros)) = self.accounts.root(&account) {
            let measure = &mut self.groups[group.0 as usize];
            let counts = answer.outcome().is_good() && since >= measure.measured_from();
            if counts && let Some(breakdown) = &mut measure.breakdown {
                let (latency, parts) = self.accounts.sum(&account);
                breakdown.end(zeros, latency, parts);
            }
            self.accounts.drop(account);
        } else if parent != NONE {
            let own = self.group_of(self.calls.at(parent).node);
            self.accounts.take(parent, own, account);
        } else {
            self.accounts.drop(account);
        }
    }

    /// A call is given up: its caller has waited in vain.
    #[cold]
    #[inline(never)]
    pub(super) fn given_up(&mut self, index: u32) {
        let frame = *self.calls.at(index);
        // Whose answer waits at a caller that stands still has handed its time over already, and has none.
        let account = self.accounts.close(index);
        let is_followed_on = self.traces.as_mut().is_some_and(|traces| traces.give_up(index, self.now));
        if !is_followed_on {
            self.calls.at_mut(index).flags &= !SAMPLED;
        }
        if frame.flags & ROOT != 0 || frame.parent == NONE {
            return account.into_iter().for_each(|account| self.accounts.drop(account));
        }
        let (own, callee) = (self.group_of(self.calls.at(frame.parent).node), self.group_of(frame.node));
        self.accounts.give_up(frame.parent, own, account, callee, self.now);
    }

    /// A branch has ended, and its caller may go on.
    #[cold]
    #[inline(never)]
    pub(super) fn join(&mut self, index: u32) {
        self.served(index);
        let parent = self.calls.at(index).parent;
        if let Some(traces) = &mut self.traces {
            traces.end(index, None, self.now);
        }
        let Some(account) = self.accounts.close(index) else { return };
        self.accounts.join(parent, account);
    }
}

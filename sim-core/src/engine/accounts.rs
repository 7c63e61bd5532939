//! Time accounts of sampled requests: opened with their calls, and handed from callee to caller.
//!
//! For a call that is not sampled, each of these hooks costs one bit test. If requests are traced ([`crate::trace`]),
//! the same hooks feed the trace; a traced call stays marked when it is given up.

use super::Core;
use crate::breakdown::{Part, Spent};
use crate::calls::*;
use crate::outcome::Answer;
use crate::time::Span;

impl Core {
    fn group_of(&self, node: u32) -> GroupId {
        self.nodes[node as usize].group
    }

    /// Begins the account of a request to a node of `group` whose key may be in the sample.
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
        // The request may have been sent later than intended.
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

    /// Drops the accounts of the group's open requests that are no longer in its sample.
    #[inline(never)]
    fn leave_out(&mut self, group: GroupId) {
        let needed = self.groups[group.0 as usize].sample_mask.trailing_ones();
        for index in self.accounts.requests(group, |zeros| zeros < needed) {
            self.drop_account(index);
        }
    }

    /// Opens the account of a call or branch of a sampled request.
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

    /// Marks a call as another copy of one that its caller is waiting for.
    #[cold]
    #[inline(never)]
    pub(super) fn stand_in(&mut self, index: u32) {
        let frame = self.calls.at(index);
        let (parent, callee) = (frame.parent, self.group_of(frame.node));
        self.accounts.stand_in(parent, index, callee, self.now);
    }

    /// Drops the account of a call that no caller waits for: it is not part of its request's time.
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

    /// Attributes the time not yet accounted for to `what`.
    #[cold]
    #[inline(never)]
    pub(super) fn spend(&mut self, index: u32, what: Spent, place: GroupId) {
        let own = self.group_of(self.calls.at(index).node);
        self.accounts.spend(index, own, Part { what, place }, self.now);
        if let Some(traces) = &mut self.traces {
            traces.spend(index, own, Part { what, place }, self.now);
        }
    }

    /// Attributes the last `span` of a call's time to `what`, and unaccounted time before that to service.
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

    /// Accounts for a call that has been served.
    #[cold]
    #[inline(never)]
    pub(super) fn served(&mut self, index: u32) {
        let place = self.group_of(self.calls.at(index).node);
        self.spend(index, Spent::Service, place);
    }

    /// Accounts for network time, when a call or its answer has arrived.
    #[cold]
    #[inline(never)]
    pub(super) fn travelled(&mut self, index: u32) {
        let frame = self.calls.at(index);
        let is_callers = frame.flags & (ROOT | ABANDONED) == 0 && frame.parent != NONE;
        let node = if is_callers { self.calls.at(frame.parent).node } else { frame.node };
        self.spend(index, Spent::Network, self.group_of(node));
    }

    /// Adds the time of an answered call to its caller's account.
    #[cold]
    #[inline(never)]
    pub(super) fn hand_over(&mut self, index: u32, answer: Answer) {
        // Without `REPLYING`, the call was served at this instant.
        if self.calls.at(index).flags & REPLYING != 0 {
            self.travelled(index);
        }
        if let Some(traces) = &mut self.traces {
            traces.end(index, Some(answer), self.now);
        }
        // A call that was given up has no account, even if it is traced.
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

    /// Accounts for a call that its caller has given up on.
    #[cold]
    #[inline(never)]
    pub(super) fn given_up(&mut self, index: u32) {
        let frame = *self.calls.at(index);
        // If the answer waits at a paused caller, its time was already handed over and there is no account.
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

    /// Accounts for a branch that has ended; its caller may continue.
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

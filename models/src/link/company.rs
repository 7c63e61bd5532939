//! Calls that share one: those that were found to be identical, and those of a batch.

use std::collections::VecDeque;

use sim_core::calendar::Class;
use sim_core::{Answer, CallId, Cx, Next, Spent, Time, Timer};

use super::{FLUSH, Link, Phase};
use crate::policies::batch::BatchSettings;
use crate::policies::coalesce::{Context, SameBy};

/// Who shares the call of a leader.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// Coalesced calls: they share the leader's answer, and travel with it for nothing.
    pub(super) followers: VecDeque<u32>,
    /// Members of the leader's batch: an item each.
    pub(super) batch: VecDeque<u32>,
    /// When the first of them came.
    pub(super) began: Time,
}

impl Link {
    /// Who shares the call of this one, from now on if nobody has yet.
    pub(super) fn members_of(&mut self, cx: &Cx<'_>, leader: u32) -> &mut Members {
        let began = cx.since(self.call_of(cx, leader));
        let spare = &mut self.spare_members;
        self.members.entry(leader).or_insert_with(|| Members { began, ..spare.pop().unwrap_or_default() })
    }

    /// A call waits for the answer of another.
    pub(super) fn follow(&mut self, cx: &mut Cx<'_>, index: u32, leader: u32) {
        let (call, leading) = (self.call_of(cx, index), self.call_of(cx, leader));
        let record = self.record(index);
        (record.phase, record.child) = (Phase::Follows, leader);
        cx.share(leading, call);
        // A merged call is fresh if any member is.
        if !cx.is_retry(call) {
            cx.set_retry(leading, false);
        }
    }

    /// Whether whoever leads a coalesced call ends it for all by giving up.
    pub(super) fn is_in_context_of_leader(&self) -> bool {
        self.plan.settings.coalesce.as_ref().is_some_and(|coalesce| coalesce.context == Context::Leader)
    }

    /// The instant after which nobody wants the answer to a call that others may share.
    pub(super) fn deadline_of_all(&self, cx: &Cx<'_>, call: CallId) -> Time {
        if self.coalescing.is_some() && !self.is_in_context_of_leader() {
            // Further callers may join it at any time.
            return Time::MAX;
        }
        let batch = self.members.get(&cx.ticket(call)).map(|members| &members.batch);
        let records = batch.into_iter().flatten().filter_map(|member| self.records.get(*member));
        let others = records.map(|record| self.deadline_of(cx, cx.open_call(record.call)));
        others.fold(self.deadline_of(cx, call), Time::max)
    }

    pub(super) fn answer_followers(&mut self, cx: &mut Cx<'_>, index: u32, call: CallId, answer: Answer) {
        let identity = self.identity(cx, call);
        if let Some(coalescing) = &mut self.coalescing {
            coalescing.answered(identity.0, identity.1, index);
        }
        if let Some(mut members) = self.members.remove(&index) {
            cx.end_sharing(call);
            if let Some(coalescing) = &mut self.coalescing
                && answer.outcome().is_good()
                && members.began >= self.attempts.measured_from()
            {
                let (count, age) = (members.followers.len() as u64, cx.now() - members.began);
                coalescing.shared.0 += count;
                coalescing.shared.1 += u128::from(age) * u128::from(count);
            }
            for follower in members.followers.drain(..).chain(members.batch.drain(..)) {
                let shares = self.call_of(cx, follower);
                cx.spent(shares, Spent::Sharing);
                let then = self.finish(cx, follower, answer);
                cx.post(then);
            }
            self.spare_members.push(members);
        }
    }

    pub(super) fn identity(&self, cx: &Cx<'_>, call: CallId) -> (u16, u64) {
        let op = cx.profile(call).op;
        match self.plan.settings.coalesce.as_ref().map(|c| c.by) {
            Some(SameBy::Op) => (op, 0),
            Some(SameBy::Key) | None => (op, cx.data_key(call)),
        }
    }

    /// Puts a call into the batch that is filling; the one that fills it, or the timer, sends it.
    pub(super) fn join_batch(&mut self, cx: &mut Cx<'_>, index: u32, batch: &BatchSettings) -> Next {
        self.batched += 1;
        let leader = match self.filling {
            None => {
                self.batches += 1;
                self.filling = Some(index);
                self.members_of(cx, index);
                let call = self.call_of(cx, index);
                if batch.max > 1 {
                    let timer = cx.after_constant(batch.wait.0, Class::GivingUp, Timer::of(FLUSH, call));
                    let record = self.record(index);
                    (record.phase, record.timer) = (Phase::InBatch, Some(timer));
                    record.since = cx.now();
                    return Next::WAIT;
                }
                index
            }
            Some(leader) => {
                self.follow(cx, index, leader);
                let members = self.members_of(cx, leader);
                members.batch.push_back(index);
                let items = members.batch.len() as u32 + 1;
                if items < batch.max {
                    return Next::WAIT;
                }
                leader
            }
        };
        self.flush(cx, leader)
    }

    pub(super) fn flush(&mut self, cx: &mut Cx<'_>, leader: u32) -> Next {
        self.filling = None;
        let items = self.members.get(&leader).map_or(1, |m| m.batch.len() as u32 + 1);
        let record = self.record(leader);
        if let Some(timer) = record.timer.take() {
            cx.cancel(timer);
        }
        let call = self.call_of(cx, leader);
        cx.spent(call, Spent::Sharing);
        cx.set_items(call, items);
        if cx.carries_demand() {
            self.share_demand(cx, leader, call);
        }
        self.attempt(cx, leader)
    }

    /// A batch demands for each of its items what their requests demand on average.
    fn share_demand(&mut self, cx: &mut Cx<'_>, leader: u32, call: CallId) {
        let others = self.members.get(&leader).map(|members| &members.batch);
        let of_others = others.into_iter().flatten().filter_map(|other| self.records.get(*other));
        let (mut sum, mut items) = (cx.demand(call), 1.0);
        for record in of_others {
            sum += cx.demand(cx.open_call(record.call));
            items += 1.0;
        }
        cx.set_demand(call, sum / items);
    }

    /// Takes a call out of the company that it shares a call with.
    pub(super) fn leave_company(&mut self, cx: &mut Cx<'_>, index: u32) {
        let leader = self.record(index).child;
        if let Some(members) = self.members.get_mut(&leader) {
            members.followers.retain(|f| *f != index);
            members.batch.retain(|f| *f != index);
        }
        let (call, leading) = (self.call_of(cx, index), self.call_of(cx, leader));
        cx.stop_sharing(leading, call);
    }
}

//! Calls that share one: those that were found to be identical, and those of a batch.

use sim_core::calendar::Class;
use sim_core::{Answer, CallId, Cx, Next, Spent, Timer};

use super::{FLUSH, Link, Phase};
use crate::policies::batch::BatchSettings;
use crate::policies::coalesce::SameBy;

/// Who shares the call of a leader.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// Coalesced calls: they share the leader's answer, and travel with it for nothing.
    pub(super) followers: Vec<u32>,
    /// Members of the leader's batch: an item each.
    pub(super) batch: Vec<u32>,
}

impl Members {
    pub(super) fn is_empty(&self) -> bool {
        self.followers.is_empty() && self.batch.is_empty()
    }
}

impl Link {
    /// Who shares the call of this one, from now on if nobody has yet.
    pub(super) fn members_of(&mut self, leader: u32) -> &mut Members {
        let spare = &mut self.spare_members;
        self.members.entry(leader).or_insert_with(|| spare.pop().unwrap_or_default())
    }

    pub(super) fn answer_followers(&mut self, cx: &mut Cx<'_>, index: u32, call: CallId, answer: Answer) {
        let identity = self.identity(cx, call);
        if let Some(coalescing) = &mut self.coalescing {
            coalescing.answered(identity.0, identity.1, index);
        }
        if let Some(mut members) = self.members.remove(&index) {
            if let Some(coalescing) = &mut self.coalescing
                && answer.outcome().is_good()
                && cx.since(call) >= self.attempts.measured_from()
            {
                let (count, age) = (members.followers.len() as u64, cx.now() - cx.since(call));
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
                self.members_of(index);
                let call = self.call_of(cx, index);
                if batch.max > 1 {
                    let timer = cx.after_constant(batch.wait.0, Class::GivingUp, Timer::of(FLUSH, call));
                    let record = self.record(index);
                    record.phase = Phase::InBatch;
                    record.timer = Some(timer);
                    return Next::WAIT;
                }
                index
            }
            Some(leader) => {
                let call = self.call_of(cx, index);
                self.record(index).phase = Phase::Follows;
                let members = self.members_of(leader);
                members.batch.push(index);
                let items = members.batch.len() as u32 + 1;
                // A merged call is fresh if any member is.
                let leading = self.call_of(cx, leader);
                if !cx.is_retry(call) {
                    cx.set_retry(leading, false);
                }
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
        let others = self.members.get(&leader).map_or(&[][..], |members| &members.batch);
        let of_others = others.iter().filter_map(|other| self.records.get(*other));
        let (mut sum, mut items) = (cx.demand(call), 1.0);
        for record in of_others {
            sum += cx.demand(cx.open_call(record.call));
            items += 1.0;
        }
        cx.set_demand(call, sum / items);
    }

    /// Takes a call out of the company that it shares a call with; whoever follows it goes on without it.
    pub(super) fn leave_company(&mut self, index: u32) {
        for members in self.members.values_mut() {
            members.followers.retain(|f| *f != index);
            members.batch.retain(|f| *f != index);
        }
    }

    /// The leader of a filling batch leaves it: the next member leads, with the timer that is left.
    pub(super) fn pass_on_lead(&mut self, cx: &mut Cx<'_>, index: u32) {
        self.filling = None;
        let mut batch = self.members.get_mut(&index).map(|m| std::mem::take(&mut m.batch)).unwrap_or_default();
        if batch.is_empty() {
            return;
        }
        let next = batch.remove(0);
        self.members_of(next).batch = batch;
        self.filling = Some(next);
        let wait = self.plan.settings.batch.as_ref().map_or(0, |b| b.wait.0);
        let began = self.record(index).since;
        let left = (began + wait).saturating_sub(cx.now());
        let call = self.call_of(cx, next);
        let timer = cx.after(left, Class::GivingUp, Timer::of(FLUSH, call));
        let record = self.record(next);
        record.phase = Phase::InBatch;
        record.timer = Some(timer);
        // The batch goes when its first member's wait is up, whoever leads it by then.
        record.since = began;
    }
}

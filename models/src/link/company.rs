//! Calls that share one: those that were found to be identical, and those of a batch.

use std::collections::VecDeque;

use sim_core::calendar::Class;
use sim_core::{Answer, CallId, Cx, Next, Outcome, Spent, Time, Timer};

use super::{FLUSH, Link, Phase};
use crate::policies::batch::BatchSettings;
use crate::policies::coalesce::{Context, SameBy};

const PURPOSE_BAD: u32 = 0x6261_6420;

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

    /// Answers those who share a call with it; what it is answered itself. `may_spoil` says whether it may be a batch.
    pub(super) fn answer_followers(
        &mut self,
        cx: &mut Cx<'_>,
        index: u32,
        call: CallId,
        answer: Answer,
        may_spoil: bool,
    ) -> Answer {
        let spoils = may_spoil && answer.outcome().is_good() && self.has_bad_items();
        let answer = if spoils { self.answer_with_bad_items(cx, index, call, answer) } else { answer };
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
        answer
    }

    fn has_bad_items(&self) -> bool {
        self.plan.settings.batch.as_ref().is_some_and(|batch| batch.bad_items.0 > 0.0)
    }

    /// Answers the members of a batch in which items may be bad, those that are good first. The answer of the call that led it.
    fn answer_with_bad_items(&mut self, cx: &mut Cx<'_>, index: u32, call: CallId, answer: Answer) -> Answer {
        let plan = self.plan.clone();
        let batch = plan.settings.batch.as_ref().expect("some of its items are bad");
        let share = batch.bad_items.0;
        let members = self.members.get_mut(&index).map(|members| std::mem::take(&mut members.batch));
        let mut members = members.unwrap_or_default();
        let is_bad = cx.draw(call, PURPOSE_BAD).unit() < share;
        let (mut bad, mut good) = (Vec::new(), VecDeque::new());
        for member in members.drain(..) {
            let of = self.call_of(cx, member);
            match cx.draw(of, PURPOSE_BAD).unit() < share {
                true => bad.push(member),
                false => good.push_back(member),
            }
        }
        self.batches.bad += bad.len() as u64 + u64::from(is_bad);
        let refused = cx.answer(Outcome::ClientError);
        let (of_good, own) = match (batch.fails_together(), is_bad) {
            (true, _) if is_bad || !bad.is_empty() => (refused, refused),
            (_, true) => (answer, refused),
            (_, false) => (answer, answer),
        };
        let good = good.into_iter().map(|member| (member, of_good));
        for (member, answer) in good.chain(bad.into_iter().map(|member| (member, refused))) {
            let shares = self.call_of(cx, member);
            cx.spent(shares, Spent::Sharing);
            let then = self.finish(cx, member, answer);
            cx.post(then);
        }
        own
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
        self.batches.items += 1;
        let call = self.call_of(cx, index);
        let bytes = if batch.max_bytes.is_some() { cx.size_bytes(call) } else { 0 };
        if let Some(leader) = self.filling
            && batch.is_too_large(self.filling_bytes.saturating_add(bytes))
        {
            let then = self.flush(cx, leader);
            cx.post(then);
        }
        let leader = match self.filling {
            None => {
                self.batches.begun += 1;
                (self.filling, self.filling_bytes) = (Some(index), bytes);
                self.members_of(cx, index);
                if batch.max > 1 && !batch.is_full_of(bytes) {
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
                self.filling_bytes = self.filling_bytes.saturating_add(bytes);
                let members = self.members_of(cx, leader);
                members.batch.push_back(index);
                let items = members.batch.len() as u32 + 1;
                if items < batch.max && !batch.is_full_of(self.filling_bytes) {
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
        let bytes = self.bytes_of_batch(cx, leader);
        self.batches.sent.0 += 1;
        self.batches.sent.1 = self.batches.sent.1.saturating_add(bytes);
        cx.set_items(call, items);
        cx.set_more_bytes(call, bytes - cx.profile(call).size_bytes);
        if cx.carries_demand() {
            self.share_demand(cx, leader, call);
        }
        self.attempt(cx, leader)
    }

    /// Payload of the items of a batch that has not been sent yet.
    fn bytes_of_batch(&mut self, cx: &Cx<'_>, leader: u32) -> u64 {
        let own = cx.size_bytes(self.call_of(cx, leader));
        let others = self.members.get(&leader).map(|members| &members.batch);
        let of_others = others.into_iter().flatten().filter_map(|other| self.records.get(*other));
        of_others.fold(own, |sum, record| sum.saturating_add(cx.size_bytes(cx.open_call(record.call))))
    }

    /// Somebody has left the batch that is filling, or given the place to another.
    pub(super) fn weigh_again(&mut self, cx: &Cx<'_>, leader: u32) {
        if self.filling == Some(leader) && self.filling_bytes > 0 {
            self.filling_bytes = self.bytes_of_batch(cx, leader);
        }
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
        self.weigh_again(cx, leader);
        let (call, leading) = (self.call_of(cx, index), self.call_of(cx, leader));
        cx.stop_sharing(leading, call);
    }
}

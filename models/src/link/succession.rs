//! Succession: whoever leads a call that others share gives up, and one of those goes on in its place.
//!
//! The one who goes on takes over the *record*, with all that is under way: so everybody else who knows of the record, its
//! members, tries and back-off, need not be told. The call that gives up gets the record in which the other one has waited.

use sim_core::calendar::Class;
use sim_core::{CallId, Cx, Spent, Timer};

use super::tries::{At, NOBODY};
use super::{BACKOFF, FLUSH, HEDGE, Link, Phase, TIMEOUT, TRY_TIMEOUT};

/// Who goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heir {
    /// One that shares the leader's answer.
    Follower(u32),
    /// Another member of the leader's batch.
    Member(u32),
}

impl Link {
    /// The call of a record gives up: one of those who share what is done for it goes on in its place, with the record. The
    /// record in which the call that gives up is left; `None` where it is alone.
    pub(super) fn succeed(&mut self, cx: &mut Cx<'_>, index: u32) -> Option<u32> {
        if !self.shares {
            return None;
        }
        let ends_for_all = self.is_in_context_of_leader();
        let members = self.members.get_mut(&index)?;
        let follower = if ends_for_all { None } else { members.followers.pop_front().map(Heir::Follower) };
        let heir = follower.or_else(|| members.batch.pop_front().map(Heir::Member))?;
        let (leader, phase, follows) = (self.call_of(cx, index), self.record(index).phase, self.record(index).child);
        self.tell_what_it_waited_for(cx, index);
        let left = match heir {
            Heir::Follower(left) | Heir::Member(left) => left,
        };
        let heirs_call = self.call_of(cx, left);
        cx.spent(heirs_call, Spent::Sharing);
        self.exchange(cx, index, left);
        cx.hand_on(leader, heirs_call);
        if phase == Phase::Follows {
            // It was a member of another's batch, where its heir stands now.
            let leading = self.call_of(cx, follows);
            cx.stop_sharing(leading, leader);
            cx.share(leading, heirs_call);
        } else if heir == Heir::Member(left) {
            self.exchange_followers(cx, (index, heirs_call), (left, leader));
        }
        cx.set_items(heirs_call, cx.items(leader));
        match phase {
            Phase::InBatch => self.weigh_again(cx, index),
            Phase::Follows => self.weigh_again(cx, follows),
            Phase::Under | Phase::Tries | Phase::BacksOff | Phase::FallsBack => {
                let bytes = cx.size_bytes(leader).saturating_sub(cx.profile(heirs_call).size_bytes);
                cx.set_more_bytes(heirs_call, bytes);
            }
        }
        if self.plan.settings.batch.is_some() {
            cx.set_demand(heirs_call, cx.demand(leader));
        }
        cx.set_retry(heirs_call, cx.is_retry(leader));
        self.hand_over_what_is_under_way(cx, index, heirs_call);
        Some(left)
    }

    /// Two calls exchange their records, and keep what bounds each of them.
    fn exchange(&mut self, cx: &mut Cx<'_>, index: u32, other: u32) {
        let (of_index, of_other) = (self.record(index).call, self.record(other).call);
        (self.record(index).call, self.record(other).call) = (of_other, of_index);
        for (record, call) in [(index, of_other), (other, of_index)] {
            cx.set_ticket(cx.open_call(call), record);
        }
        if self.totals.len() > index.min(other) as usize {
            sim_core::table::reach(&mut self.totals, index.max(other) as usize, None);
            self.totals.swap(index as usize, other as usize);
        }
    }

    /// Two leaders of one batch each keep those who follow them, whatever record they have now.
    fn exchange_followers(&mut self, cx: &mut Cx<'_>, heir: (u32, CallId), leader: (u32, CallId)) {
        if self.coalescing.is_none() {
            return;
        }
        let of_heir = std::mem::take(&mut self.members_of(cx, leader.0).followers);
        let of_leader = std::mem::replace(&mut self.members_of(cx, heir.0).followers, of_heir);
        self.members_of(cx, leader.0).followers = of_leader;
        let (heirs, leaders) = (self.identity(cx, heir.1), self.identity(cx, leader.1));
        if let Some(coalescing) = &mut self.coalescing {
            coalescing.succeeded(leaders.0, leaders.1, heir.0, leader.0);
            coalescing.succeeded(heirs.0, heirs.1, leader.0, heir.0);
        }
        for record in [heir.0, leader.0] {
            let followers = self.members.get(&record).map(|members| members.followers.clone()).unwrap_or_default();
            followers.into_iter().for_each(|follower| self.record(follower).child = record);
        }
    }

    /// Says what the time of a call that gives up was spent on, beside what is under way for it.
    fn tell_what_it_waited_for(&mut self, cx: &mut Cx<'_>, index: u32) {
        let call = self.call_of(cx, index);
        match self.record(index).phase {
            Phase::Follows | Phase::InBatch => cx.spent(call, Spent::Sharing),
            Phase::BacksOff => cx.spent(call, Spent::BackOff),
            Phase::Under => {}
            Phase::FallsBack => cx.spent(call, Spent::Service),
            Phase::Tries => {
                let mut of = self.record(index).child;
                while of != NOBODY {
                    if let Some(what) = self.a_try(of).waits_for() {
                        self.spent_by(cx, of, what);
                    }
                    of = self.a_try(of).sibling;
                }
            }
        }
    }

    /// What is under way for the record goes on for its new call.
    fn hand_over_what_is_under_way(&mut self, cx: &mut Cx<'_>, index: u32, heir: CallId) {
        let record = self.record(index);
        let (phase, since, child) = (record.phase, record.since, record.child);
        record.is_inherited = matches!(phase, Phase::Under | Phase::Tries);
        let timer = record.timer.take();
        let was_set = timer.is_some_and(|timer| cx.cancel(timer));
        let now = cx.now();
        let timer = match phase {
            // Nobody shares a call that has failed.
            Phase::Follows | Phase::FallsBack => None,
            Phase::InBatch => {
                // The batch goes when its first member's wait is up, whoever leads it by then.
                let wait = self.plan.settings.batch.as_ref().map_or(0, |batch| batch.wait.0);
                let left = (since + wait).saturating_sub(now);
                Some(cx.after(left, Class::GivingUp, Timer::of(FLUSH, heir)))
            }
            Phase::BacksOff => {
                was_set.then(|| cx.after(since.saturating_sub(now), Class::First, Timer::of(BACKOFF, heir)))
            }
            Phase::Under => {
                cx.hand_over(cx.open_call(child), heir);
                self.what_is_left(cx, heir, since).map(|left| cx.after(left, Class::GivingUp, Timer::of(TIMEOUT, heir)))
            }
            Phase::Tries => {
                self.hand_over_tries(cx, child, heir);
                was_set.then(|| cx.after(since.saturating_sub(now), Class::First, Timer::of(HEDGE, heir)))
            }
        };
        self.record(index).timer = timer;
    }

    fn hand_over_tries(&mut self, cx: &mut Cx<'_>, first: u32, heir: CallId) {
        let mut of = first;
        while of != NOBODY {
            let a_try = self.a_try(of);
            let (at, since, child, has_timer) = (a_try.at, a_try.since, a_try.child, a_try.timer.is_some());
            if at == At::Target {
                cx.hand_over(cx.open_call(child), heir);
                // The time of the call that gave up was to end first.
                if !has_timer && let Some(left) = self.what_is_left(cx, heir, since) {
                    let timer = self.timer_of(TRY_TIMEOUT, of);
                    let timer = cx.after(left, Class::GivingUp, timer);
                    self.a_try(of).timer = Some(timer);
                }
            }
            of = self.a_try(of).sibling;
        }
    }

    /// How much longer a call waits for an attempt that was begun at an instant; `None` where its total ends before.
    fn what_is_left(&self, cx: &Cx<'_>, call: CallId, since: sim_core::Time) -> Option<sim_core::Span> {
        let ends = since.saturating_add(self.timeout?);
        let total = self.total_timeout.map_or(sim_core::Time::MAX, |total| cx.since(call).saturating_add(total));
        (ends <= total).then(|| ends.saturating_sub(cx.now()))
    }
}

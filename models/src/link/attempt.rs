//! Attempts at a call one after the other: the plain way of sending one, and what becomes of a call whose attempt has
//! failed.

use sim_core::calendar::{Class, TimerId};
use sim_core::{Answer, CallId, Cx, Next, Outcome, Span, Spent, Time, Timer, To};

use super::chooser::{Chosen, Source};
use super::{BACKOFF, Link, Phase, TIMEOUT, forget_deadline};
use crate::policies::backoff::{BackoffSettings, Jitter};

const PURPOSE_BACKOFF: u32 = 0x626f;

impl Link {
    /// Begins the next attempt at a call.
    #[inline]
    pub(super) fn attempt(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        if self.extra.is_some() { self.begin_attempt(cx, index) } else { self.send(cx, index) }
    }

    /// Sends an attempt of which nothing is kept beside the record of its call.
    fn send(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let record = self.records.get_mut(index).expect("an open call has its record");
        let (call, nth) = (cx.open_call(record.call), u32::from(record.attempts));
        record.attempts += 1;
        record.since = cx.now();
        record.phase = Phase::Under;
        self.attempts.begin(nth > 0);
        let Some(chosen) = self.choose(cx, &mut Source::Call(call)) else {
            return self.nobody(cx, index);
        };
        let (child, timer) = self.make_attempt(cx, call, self.to(chosen, nth), Timer::of(TIMEOUT, call));
        let record = self.record(index);
        (record.child, record.timer) = (child.index(), timer);
        Next::call(child)
    }

    /// Who is called next; `None` where nobody can be called.
    #[inline(always)]
    pub(super) fn choose(&mut self, cx: &mut Cx<'_>, source: &mut Source) -> Option<Chosen> {
        match self.chooser.sole() {
            Some(sole) => Some(sole),
            None => self.chooser.choose(&self.plan, cx, source),
        }
    }

    /// An attempt is sent to somebody.
    #[inline(always)]
    pub(super) fn note_sent(&mut self, chosen: Chosen) {
        if let Some(lookout) = &mut self.lookout {
            lookout.sent(chosen.number);
        }
    }

    /// The call that is the attempt of that ordinal.
    #[inline(always)]
    pub(super) fn to(&self, Chosen { node, path, .. }: Chosen, ordinal: u32) -> To {
        To { node, link: self.plan.salt, ordinal, profile: None, path, is_retry: ordinal > 0 }
    }

    /// The call that is an attempt at `call`, and its timeout, which goes off as `timer`.
    #[inline(always)]
    pub(super) fn make_attempt(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        to: To,
        timer: Timer,
    ) -> (CallId, Option<TimerId>) {
        let child = cx.call(call, to);
        let timer = self.set_timeout(cx, call, timer);
        if cx.carries_deadlines() {
            self.propagate_deadline(cx, call, child);
        }
        (child, timer)
    }

    /// The same for an attempt whose caller gives up at an instant.
    pub(super) fn make_attempt_until(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        to: To,
        timer: Timer,
        limit: Time,
    ) -> (CallId, Option<TimerId>) {
        let child = cx.call(call, to);
        let comes_first = self.total_timeout.is_none_or(|total| limit <= cx.since(call) + total);
        let timer = comes_first.then(|| cx.after(limit.saturating_sub(cx.now()), Class::GivingUp, timer));
        if cx.carries_deadlines() {
            self.propagate_deadline(cx, call, child);
            cx.set_deadline(child, cx.deadline(child).min(if self.deadlines { limit } else { Time::MAX }));
        }
        (child, timer)
    }

    /// Sets the timeout of an attempt at `call` that begins now.
    #[inline(always)]
    pub(super) fn set_timeout(&self, cx: &mut Cx<'_>, call: CallId, timer: Timer) -> Option<TimerId> {
        match (self.timeout, self.total_timeout) {
            (None, _) => None,
            // An attempt's timeout is cut to what is left of the total; the total's own timer does that.
            (Some(timeout), Some(total)) if cx.now() + timeout > cx.since(call) + total => None,
            (Some(timeout), _) => Some(cx.after_constant(timeout, Class::GivingUp, timer)),
        }
    }

    /// A plain attempt ends where it began, since no target can be called.
    #[cold]
    pub(super) fn nobody(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let answer = cx.answer(Outcome::Unavailable);
        self.ended(cx, index, answer)
    }

    fn propagate_deadline(&mut self, cx: &mut Cx<'_>, call: CallId, child: CallId) {
        if !self.deadlines {
            forget_deadline(cx, child);
            return;
        }
        let mut deadline = if self.shares { self.deadline_of_all(cx, call) } else { self.deadline_of(cx, call) };
        if let Some(timeout) = self.timeout {
            deadline = deadline.min(cx.now().saturating_add(timeout));
        }
        cx.set_deadline(child, deadline);
    }

    /// The instant after which the caller of `call` does not want the answer.
    pub(super) fn deadline_of(&self, cx: &Cx<'_>, call: CallId) -> Time {
        let total = self.total_timeout.map_or(Time::MAX, |total| cx.since(call).saturating_add(total));
        cx.deadline(call).min(total)
    }

    /// An attempt is answered.
    #[inline(never)]
    pub(super) fn answered(&mut self, cx: &mut Cx<'_>, index: u32, child: CallId, answer: Answer) -> Next {
        let record = self.record(index);
        if record.phase == Phase::Tries {
            return self.copy_answered(cx, index, child, answer);
        }
        if record.phase == Phase::FallsBack {
            let call = self.call_of(cx, index);
            return self.fallback_answered(cx, call, index, answer);
        }
        debug_assert!(record.phase == Phase::Under && record.child == child.index(), "no abandoned attempt answers");
        record.phase = Phase::BacksOff;
        if let Some(timer) = record.timer.take() {
            cx.cancel(timer);
        }
        self.ended(cx, index, answer)
    }

    /// A plain attempt has ended: counts it and goes on.
    #[inline]
    fn ended(&mut self, cx: &mut Cx<'_>, index: u32, answer: Answer) -> Next {
        let since = self.record(index).since;
        self.attempts.end(since, answer.outcome());
        if answer.outcome().is_good() {
            return self.finish(cx, index, answer);
        }
        self.failed(cx, index, answer)
    }

    /// An attempt has failed, and with it all its copies: try again or end the call.
    pub(super) fn failed(&mut self, cx: &mut Cx<'_>, index: u32, answer: Answer) -> Next {
        let record = self.records.get_mut(index).expect("an open call has its record");
        record.phase = Phase::BacksOff;
        let (attempts, mut call) = (u32::from(record.attempts), cx.open_call(record.call));
        if std::mem::replace(&mut record.is_inherited, false) {
            cx.spent(call, Spent::Sharing);
        }
        let tries_again = attempts < self.max_attempts
            && self.when.contains(answer.outcome())
            && answer.outcome() != Outcome::ClientError
            && (answer.outcome() != Outcome::RateLimited || answer.retry_after_us() > 0);
        if !tries_again {
            return self.finish(cx, index, answer);
        }
        let now = cx.now();
        if !self.may_repeat(now, index, Some(answer.outcome())) {
            return self.finish(cx, index, answer);
        }
        let backoff: &BackoffSettings = &self.retry().backoff;
        let jitter_looks_back = backoff.looks_back();
        let previous = if jitter_looks_back { self.previous_backoffs.get(&index).copied().unwrap_or(0) } else { 0 };
        let mut wait = backoff.wait(attempts, previous, || cx.draw(call, PURPOSE_BACKOFF));
        if jitter_looks_back {
            self.previous_backoffs.insert(index, wait);
        }
        // Those who were told the same instant do not come back together where their waits are spread by chance.
        let told = Span::from(answer.retry_after_us()) * 1000;
        wait = if told > 0 && backoff_is_jittered(&self.retry().backoff) {
            told.saturating_add(wait)
        } else {
            wait.max(told)
        };
        // A back-off that would end too late is not slept.
        if let Some(total) = self.total_timeout {
            while now + wait > cx.since(call) + total {
                // Those who share the call may have more time.
                let Some(left) = self.succeed(cx, index) else {
                    self.is_not_repeated();
                    return self.finish(cx, index, answer);
                };
                let then = self.finish(cx, left, answer);
                cx.post(then);
                call = self.call_of(cx, index);
            }
        }
        self.causes.get_or_insert_default().count(answer.outcome());
        if wait == 0 {
            return self.attempt(cx, index);
        }
        let jittered = backoff_is_jittered(&self.retry().backoff) || answer.retry_after_us() > 0;
        let timer = if jittered {
            cx.after(wait, Class::First, Timer::of(BACKOFF, call))
        } else {
            cx.after_constant(wait, Class::First, Timer::of(BACKOFF, call))
        };
        let record = self.record(index);
        (record.timer, record.since) = (Some(timer), now + wait);
        Next::WAIT
    }

    /// Whether the budget lets an attempt at a call be repeated, which has failed so or is under way. One that it refuses is
    /// counted.
    pub(super) fn may_repeat(&mut self, now: Time, index: u32, failure: Option<Outcome>) -> bool {
        let Some(budget) = &mut self.budget else { return true };
        match budget.may_repeat(now, failure) {
            Some(price) => {
                self.record(index).paid = price;
                true
            }
            None => {
                self.attempts.all.retries_refused += 1;
                false
            }
        }
    }

    /// A retry that the budget has allowed is not made.
    fn is_not_repeated(&mut self) {
        if let Some(budget) = &mut self.budget {
            budget.not_repeated();
        }
    }

    /// Stops whatever is going on for a call: its attempts, its wait, its back-off.
    pub(super) fn stop(&mut self, cx: &mut Cx<'_>, index: u32, outcome: Outcome) {
        let record = self.records.get_mut(index).expect("an open call has its record");
        let timer = record.timer.take();
        if let Some(timer) = timer {
            cx.cancel(timer);
        }
        match record.phase {
            Phase::Under => {
                let child = cx.open_call(record.child);
                cx.abandon(child);
                if self.cancels {
                    cx.cancel_call(child);
                }
                self.attempts.end(record.since, outcome);
            }
            Phase::Tries => self.stop_copies(cx, index, outcome),
            Phase::Follows | Phase::InBatch => cx.spent(cx.open_call(record.call), Spent::Sharing),
            Phase::FallsBack => self.stop_falling_back(cx, index),
            Phase::BacksOff => {
                cx.spent(cx.open_call(record.call), Spent::BackOff);
                if timer.is_some() {
                    self.is_not_repeated();
                }
            }
        }
    }
}

fn backoff_is_jittered(backoff: &BackoffSettings) -> bool {
    backoff.jitter != Jitter::None
}

//! An attempt at a call: sent, answered or given up, and perhaps made again.

use sim_core::calendar::{Class, TimerId};
use sim_core::calls::Baggage;
use sim_core::{Answer, CallId, Cx, Next, Outcome, Span, Spent, Timer, To};

use super::target::choose;
use super::{BACKOFF, Link, Phase, TIMEOUT, forget_deadline};
use crate::policies::backoff::{BackoffSettings, Jitter};

const PURPOSE_BACKOFF: u32 = 0x626f;

impl Link {
    /// Begins an attempt: takes a connection or waits for one.
    #[inline]
    pub(super) fn attempt(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        if self.connects { self.ask_pool(cx, index) } else { self.send(cx, index) }
    }

    /// Sends an attempt to a target.
    pub(super) fn send(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let record = self.records.get_mut(index).expect("an open call has its record");
        let (call, nth) = (cx.open_call(record.call), u32::from(record.attempts));
        record.attempts += 1;
        record.since = cx.now();
        record.phase = Phase::Under;
        self.attempts.begin(nth > 0);
        let Some(to) = self.target(cx, call, nth) else {
            return self.nobody(cx, index);
        };
        let (child, timer) = self.make_attempt(cx, call, to);
        let record = self.record(index);
        (record.child, record.timer) = (child.index(), timer);
        Next::call(child)
    }

    /// Where the `nth` attempt at `call` goes, from 0; `None` where nobody can be called.
    #[inline(always)]
    pub(super) fn target(&mut self, cx: &mut Cx<'_>, call: CallId, nth: u32) -> Option<To> {
        let (node, path) = match self.sole {
            Some(sole) => sole,
            None => choose(&self.plan, &self.weights, cx, call)?,
        };
        Some(To { node, link: self.plan.salt, ordinal: nth, profile: None, path, is_retry: nth > 0 })
    }

    /// The call that is an attempt at `call`, and its timeout.
    #[inline(always)]
    pub(super) fn make_attempt(&mut self, cx: &mut Cx<'_>, call: CallId, to: To) -> (CallId, Option<TimerId>) {
        let child = cx.call(call, to);
        let timer = self.set_timeout(cx, call);
        if cx.has_baggage() {
            self.propagate_deadline(cx, call, child);
        }
        (child, timer)
    }

    /// Sets the timeout of an attempt at `call` that begins now.
    #[inline(always)]
    pub(super) fn set_timeout(&self, cx: &mut Cx<'_>, call: CallId) -> Option<TimerId> {
        match (self.timeout, self.total_timeout) {
            (None, _) => None,
            // An attempt's timeout is cut to what is left of the total; the total's own timer does that.
            (Some(timeout), Some(total)) if cx.now() + timeout > cx.since(call) + total => None,
            (Some(timeout), _) => Some(cx.after_constant(timeout, Class::GivingUp, Timer::of(TIMEOUT, call))),
        }
    }

    /// An attempt ends where it began, since no target can be called.
    #[cold]
    pub(super) fn nobody(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let answer = cx.answer(Outcome::Unavailable);
        self.ended(cx, index, answer, true)
    }

    fn propagate_deadline(&mut self, cx: &mut Cx<'_>, call: CallId, child: CallId) {
        let mut baggage: Baggage = cx.baggage(call);
        if !self.deadlines {
            forget_deadline(cx, child);
            return;
        }
        if let Some(timeout) = self.timeout {
            baggage.deadline = baggage.deadline.min(cx.now().saturating_add(timeout));
        }
        if let Some(total) = self.total_timeout {
            baggage.deadline = baggage.deadline.min(cx.since(call).saturating_add(total));
        }
        cx.set_baggage(child, baggage);
    }

    /// An attempt is answered.
    #[inline(never)]
    pub(super) fn answered(&mut self, cx: &mut Cx<'_>, index: u32, child: CallId, answer: Answer) -> Next {
        let record = self.record(index);
        debug_assert!(record.phase == Phase::Under && record.child == child.index(), "no abandoned attempt answers");
        record.phase = Phase::BacksOff;
        if let Some(timer) = record.timer.take() {
            cx.cancel(timer);
        }
        self.ended(cx, index, answer, answer.outcome() != Outcome::Reset)
    }

    /// An attempt has ended: counts it, gives its place back, and goes on.
    #[inline]
    pub(super) fn ended(&mut self, cx: &mut Cx<'_>, index: u32, answer: Answer, connection_is_good: bool) -> Next {
        let since = self.record(index).since;
        self.attempts.end(since, answer.outcome());
        if self.pool.is_some() {
            self.give_back(cx, index, connection_is_good);
        }
        if answer.outcome().is_good() {
            return self.finish(cx, index, answer);
        }
        self.failed(cx, index, answer, true)
    }

    /// An attempt failed, or could not be begun: try again or end the call.
    pub(super) fn failed(&mut self, cx: &mut Cx<'_>, index: u32, answer: Answer, counts_as_attempt: bool) -> Next {
        let record = self.records.get_mut(index).expect("an open call has its record");
        if !counts_as_attempt {
            // Refused by the link itself: it was begun and ended without leaving the caller.
            record.attempts += 1;
            let is_retry = record.attempts > 1;
            self.attempts.begin(is_retry);
            self.attempts.end(cx.now(), answer.outcome());
        }
        let (attempts, call) = (u32::from(record.attempts), cx.open_call(record.call));
        let tries_again = attempts < self.max_attempts
            && self.when.contains(answer.outcome())
            && answer.outcome() != Outcome::ClientError
            && (answer.outcome() != Outcome::RateLimited || answer.retry_after_us() > 0);
        if !tries_again {
            return self.finish(cx, index, answer);
        }
        let now = cx.now();
        if let Some(budget) = &mut self.budget
            && !budget.withdraw(now)
        {
            self.attempts.all.retries_refused += 1;
            return self.finish(cx, index, answer);
        }
        let backoff: &BackoffSettings = &self.retry().backoff;
        let jitter_looks_back = backoff.looks_back();
        let previous = if jitter_looks_back { self.previous_backoffs.get(&index).copied().unwrap_or(0) } else { 0 };
        let mut wait = backoff.wait(attempts, previous, || cx.draw(call, PURPOSE_BACKOFF));
        if jitter_looks_back {
            self.previous_backoffs.insert(index, wait);
        }
        wait = wait.max(answer.retry_after_us() as Span * 1000);
        // A back-off that would end too late is not slept.
        if let Some(total) = self.total_timeout
            && now + wait >= cx.since(call) + total
        {
            return self.finish(cx, index, answer);
        }
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
        record.phase = Phase::BacksOff;
        record.timer = Some(timer);
        Next::WAIT
    }

    /// Stops whatever is going on for a call: its attempt, its wait, its back-off.
    pub(super) fn stop(&mut self, cx: &mut Cx<'_>, index: u32, outcome: Outcome) {
        let record = self.records.get_mut(index).expect("an open call has its record");
        if let Some(timer) = record.timer.take() {
            cx.cancel(timer);
        }
        // Of an attempt under way, abandoning it says what time was spent on.
        let waited = match record.phase {
            Phase::Under => None,
            Phase::Connects => Some(Spent::Connect),
            Phase::WaitsForPool => Some(Spent::PoolWait),
            Phase::Follows | Phase::InBatch => Some(Spent::Sharing),
            Phase::BacksOff => Some(Spent::BackOff),
        };
        if let Some(what) = waited {
            cx.spent(cx.open_call(record.call), what);
        }
        match record.phase {
            Phase::Under => {
                let child = cx.open_call(record.child);
                cx.abandon(child);
                if self.cancels {
                    cx.cancel_call(child);
                }
                self.attempts.end(record.since, outcome);
                self.give_back(cx, index, false);
            }
            Phase::Connects => self.give_back(cx, index, false),
            Phase::WaitsForPool => {
                if let Some(pool) = &mut self.pool {
                    pool.slots.leave(cx.now(), index);
                }
            }
            Phase::Follows | Phase::InBatch | Phase::BacksOff => {}
        }
    }
}

fn backoff_is_jittered(backoff: &BackoffSettings) -> bool {
    backoff.jitter != Jitter::None
}

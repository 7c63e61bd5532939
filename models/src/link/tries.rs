//! Attempts that ask one policy after the other, and copies of an attempt side by side.
//!
//! A *try* is one copy of an attempt, from its first question to its end. It asks the gates in order, takes a connection,
//! is sent, and is answered or given up; it may have to wait anywhere on the way. However it ends, it ends in
//! [`Link::close`], where its timer, its connection, its permits and its target are given back.
//!
//! ```text
//!   begin ─▶ gate ─▶ gate ─▶ [pool] ─▶ [connect] ─▶ sent ─▶ answered, timed out, given up
//!              └────────┴──────┴───── refused ─────────────────▶ close
//! ```

use sim_core::calendar::{Class, TimerId};
use sim_core::slab::Slab;
use sim_core::{Answer, CallId, Cx, NO_TIE, Next, Outcome, Spent, Time, Timer};

use super::chooser::{Source, chosen_as};
use super::gates::Gates;
use super::{HEDGE, Link, PACED, Phase, TRY_TIMEOUT, note};
use crate::policies::budgets::Ended;
use crate::policies::gate::{End, Permit};
use crate::policies::hedge::{HedgeDelay, HedgeSettings, Tracker};
use crate::policies::link_settings::{GATES, LinkSettings};

/// No other copy.
pub(super) const NOBODY: u32 = u32::MAX;

/// Ordinals of copies: the attempt's in the lower half, the copy's in the upper.
const COPY: u32 = 1 << 16;

/// What a link keeps for calls that ask one policy after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Extra {
    pub(super) gates: Gates,
    pub(super) tries: Slab<Try>,
    /// Tells a try from another one that had its place before.
    stamp: u32,
    /// How long attempts take, where a hedge goes by that.
    tracker: Option<Box<Tracker>>,
    /// By record: what ties the copies of its attempt together. Empty where nothing does.
    ties: Vec<u64>,
}

impl Extra {
    /// The state of the start, or after a crash; measures live on.
    pub(super) fn begin(&mut self, settings: &LinkSettings, now: Time, key: u64) {
        self.tries = Slab::new();
        self.tracker = None;
        self.ties.clear();
        if self.gates.all.is_empty() {
            self.gates = Gates::of(settings, now, key);
        } else {
            self.gates.rebuild(now);
        }
    }

    /// What follows how long attempts take.
    fn tracker(&mut self, now: Time) -> &mut Tracker {
        self.tracker.get_or_insert_with(|| Box::new(Tracker::new(now)))
    }
}

/// Where a try stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// It has not been sent, and waits for nothing.
    Begun,
    /// It waits until the budget's rate lets it be sent.
    Paced,
    /// It waits for a gate to let it pass: the first whose permit it does not have.
    Gate,
    /// It waits for a connection.
    Pool,
    /// Its connection is being opened.
    Connection,
    /// It has been sent.
    Target,
}

/// What comes of opening a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dial {
    /// It opens.
    Opens,
    /// Nobody listens there.
    Refused,
    /// Nothing has answered, so many times.
    Silent(u8),
    /// The caller does not wait any longer.
    GivenUp,
}

/// One copy of an attempt.
#[derive(Clone, Debug)]
pub(super) struct Try {
    /// What bounds the present wait, or the attempt.
    pub(super) timer: Option<TimerId>,
    /// Since when it has been where it is.
    pub(super) since: Time,
    /// When it was begun.
    begun: Time,
    /// When it gives up waiting for its connection.
    pub(super) limit: Time,
    /// The record of its call.
    pub(super) record: u32,
    /// The call that it is, once sent.
    pub(super) child: u32,
    /// The next copy of the same attempt.
    pub(super) sibling: u32,
    stamp: u32,
    /// Which attempt and copy it is.
    ordinal: u32,
    /// Who was chosen, if anybody was.
    pub(super) target: Option<u32>,
    /// The part of the pool in which it waits, or has a place.
    pub(super) part: u32,
    /// Its connection out of the pool.
    pub(super) connection: Option<u32>,
    /// The life of its peer to which its connection is being opened.
    pub(super) epoch: u16,
    pub(super) dial: Dial,
    pub(super) at: At,
    pub(super) has_place: bool,
    /// It has opened a connection for itself alone.
    pub(super) has_socket: bool,
    /// How many gates it has passed.
    pub(super) passed: u8,
    /// When it passed each, and with which permit.
    pub(super) permits: [(Time, Permit); GATES],
}

impl Try {
    /// Whether it repeats another: a retry or a copy.
    pub(super) fn is_repeated(&self) -> bool {
        self.ordinal > 0
    }

    fn is_copy(&self) -> bool {
        self.ordinal >= COPY
    }

    /// What it is waiting for, before it is sent.
    pub(super) fn waits_for(&self) -> Option<Spent> {
        match self.at {
            At::Begun | At::Target => None,
            At::Paced | At::Gate => Some(Spent::LimitWait),
            At::Pool => Some(Spent::PoolWait),
            At::Connection => Some(Spent::Connect),
        }
    }
}

/// How a try ends.
#[derive(Clone, Copy, Debug)]
struct Ending {
    outcome: Outcome,
    end: End,
    /// Whether its connection can be used again.
    keeps_connection: bool,
}

impl Link {
    /// Begins the next attempt at a call: its first copy.
    #[inline(never)]
    pub(super) fn begin_attempt(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let record = self.record(index);
        let nth = u32::from(record.attempts);
        record.attempts += 1;
        (record.child, record.copies) = (NOBODY, 0);
        if self.ties {
            let tie = cx.open_tie(self.plan.targets.first().map_or(0, |target| target.rtt / 2));
            note(&mut self.extra().ties, index, tie);
        }
        let begun = self.begin_try(cx, index, nth);
        self.arm_hedge(cx, index);
        self.pace(cx, begun)
    }

    fn begin_try(&mut self, cx: &mut Cx<'_>, index: u32, ordinal: u32) -> u32 {
        let now = cx.now();
        if let Some(budget) = &mut self.budget {
            budget.sent(now, ordinal > 0);
        }
        let sibling = self.record(index).child;
        let extra = self.extra();
        extra.stamp = extra.stamp.wrapping_add(1);
        let begun = extra.tries.insert(Try {
            timer: None,
            since: now,
            begun: now,
            limit: Time::MAX,
            record: index,
            child: NOBODY,
            sibling,
            stamp: extra.stamp,
            ordinal,
            target: None,
            part: 0,
            connection: None,
            epoch: 0,
            dial: Dial::Opens,
            at: At::Begun,
            has_place: false,
            has_socket: false,
            passed: 0,
            permits: [(0, Permit(0)); GATES],
        });
        let record = self.record(index);
        record.phase = Phase::Tries;
        record.child = begun;
        begun
    }

    /// Lets another copy of the attempt be sent after a while, if there may be one.
    fn arm_hedge(&mut self, cx: &mut Cx<'_>, index: u32) {
        let Some(hedge) = &self.plan.settings.hedge else { return };
        let (delay, max) = (hedge.delay, hedge.max);
        if u32::from(self.record(index).copies) >= max {
            return;
        }
        let delay = match delay {
            HedgeDelay::After(delay) => Some(delay.0),
            HedgeDelay::Percentile(share) => self.extra().tracker(cx.now()).delay(cx.now(), share),
        };
        let Some(delay) = delay else { return };
        let call = self.call_of(cx, index);
        let timer = cx.after_constant(delay, Class::First, Timer::of(HEDGE, call));
        let record = self.record(index);
        (record.timer, record.since) = (Some(timer), cx.now() + delay);
    }

    /// An attempt takes long: another copy of it is sent.
    pub(super) fn hedge(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        if !self.may_repeat(cx.now(), index, None) {
            return Next::WAIT;
        }
        let record = self.record(index);
        record.copies += 1;
        let ordinal = u32::from(record.attempts - 1) + u32::from(record.copies) * COPY;
        let begun = self.begin_try(cx, index, ordinal);
        self.arm_hedge(cx, index);
        self.pace(cx, begun)
    }

    /// A try goes on as soon as the budget's rate lets it be sent.
    fn pace(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        let now = cx.now();
        let Some(Err(wait)) = self.budget.as_mut().map(|budget| budget.may_send(now)) else {
            return self.step(cx, of);
        };
        let timer = cx.after(wait, Class::First, self.timer_of(PACED, of));
        let a_try = self.a_try(of);
        (a_try.at, a_try.since, a_try.timer) = (At::Paced, now, Some(timer));
        Next::WAIT
    }

    /// A try that has waited for the budget's rate asks again.
    pub(super) fn paced(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        self.spent_by(cx, of, Spent::LimitWait);
        self.a_try(of).at = At::Begun;
        self.pace(cx, of)
    }

    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.as_mut().expect("calls that ask in order have what they need")
    }

    pub(super) fn a_try(&mut self, of: u32) -> &mut Try {
        self.extra().tries.get_mut(of).expect("an open try")
    }

    /// The logical call of a try.
    pub(super) fn call_of_try(&mut self, cx: &Cx<'_>, of: u32) -> CallId {
        let record = self.a_try(of).record;
        self.call_of(cx, record)
    }

    /// What a try draws its random numbers from.
    pub(super) fn source(&mut self, cx: &Cx<'_>, of: u32) -> Source {
        let call = self.call_of_try(cx, of);
        let (salt, a_try) = (self.plan.salt, self.a_try(of));
        match a_try.is_copy() {
            false => Source::Call(call),
            true => {
                let key = cx.key(call).child(salt, a_try.ordinal);
                Source::Copy { key, made: 0, about: (cx.data_key(call), cx.client(call)) }
            }
        }
    }

    /// The timer of a try. It may outlive the try, so it says which one it was set for.
    pub(super) fn timer_of(&mut self, what: u8, of: u32) -> Timer {
        Timer { what, data: u64::from(self.a_try(of).stamp) << 32 | u64::from(of) }
    }

    /// The try that a timer was set for, if it is still open.
    pub(super) fn try_of(&mut self, timer: Timer) -> Option<u32> {
        let (of, stamp) = (timer.data as u32, (timer.data >> 32) as u32);
        let a_try = self.extra.as_mut()?.tries.get_mut(of).filter(|a_try| a_try.stamp == stamp)?;
        a_try.timer = None;
        Some(of)
    }

    /// Says what the time of a call was spent on while a try of it waited, unless another copy is under way meanwhile:
    /// then the call waits for that one.
    pub(super) fn spent_by(&mut self, cx: &mut Cx<'_>, of: u32, what: Spent) {
        let a_try = self.a_try(of);
        let (record, is_alone) = (a_try.record, a_try.sibling == NOBODY);
        let record = self.record(record);
        if is_alone && record.child == of {
            let call = cx.open_call(record.call);
            cx.spent(call, what);
        }
    }

    /// A try goes on from where it stands: to the next gate, for a connection, to its target.
    pub(super) fn step(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        match self.ask_gates(cx, of) {
            Some(next) => next,
            None if self.connects => self.ask_pool(cx, of),
            None => self.send_try(cx, of),
        }
    }

    /// Sends a try to its target.
    pub(super) fn send_try(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        let now = cx.now();
        let call = self.call_of_try(cx, of);
        let mut source = self.source(cx, of);
        let a_try = self.a_try(of);
        let (ordinal, is_copy, connection, target) = (a_try.ordinal, a_try.is_copy(), a_try.connection, a_try.target);
        let over = connection
            .and_then(|connection| self.pool.as_ref().map(|pool| (pool.peer(connection), pool.line(connection))));
        let peer = over.map(|(peer, _)| peer);
        let known = peer.map(|peer| peer.number).or(target).map(|number| chosen_as(&self.plan, number));
        let Some(chosen) = known.or_else(|| self.choose(cx, &mut source)) else {
            return self.fail_to_send(cx, of, Outcome::Unavailable, End::Answered(Outcome::Unavailable));
        };
        self.count_begin(of);
        self.note_sent(chosen);
        let timer = self.timer_of(TRY_TIMEOUT, of);
        let limit = self.a_try(of).limit;
        let (child, timer) = match limit {
            Time::MAX => self.make_attempt(cx, call, self.to(chosen, ordinal), timer),
            // Opening the connection has taken part of what the caller waits.
            _ => self.make_attempt_until(cx, call, self.to(chosen, ordinal), timer, limit),
        };
        if is_copy {
            cx.stand_in(child);
        }
        if self.ties {
            let record = self.a_try(of).record;
            cx.set_tie(child, self.tie_of(record));
        }
        let a_try = self.a_try(of);
        (a_try.since, a_try.at) = (now, At::Target);
        (a_try.child, a_try.timer, a_try.target) = (child.index(), timer, Some(chosen.number));
        match over {
            Some((peer, line)) => {
                cx.set_connection(child, line);
                cx.send_over(child, peer.epoch)
            }
            None => Next::call(child),
        }
    }

    fn tie_of(&mut self, index: u32) -> u64 {
        self.extra().ties.get(index as usize).copied().unwrap_or(NO_TIE)
    }

    /// An attempt has ended with all its copies, or one of them has failed and the others are wanted the more.
    fn untie(&mut self, cx: &mut Cx<'_>, index: u32, is_over: bool) {
        if !self.ties {
            return;
        }
        let tie = self.tie_of(index);
        if is_over { cx.close_tie(tie) } else { cx.free_tie(tie) }
    }

    fn count_begin(&mut self, of: u32) {
        let (is_copy, is_repeated) = (self.a_try(of).is_copy(), self.a_try(of).is_repeated());
        match is_copy {
            true => self.attempts.begin_hedge(),
            false => self.attempts.begin(is_repeated),
        }
    }

    /// A try ends before it could be sent.
    pub(super) fn fail_to_send(&mut self, cx: &mut Cx<'_>, of: u32, outcome: Outcome, end: End) -> Next {
        self.count_begin(of);
        self.attempts.end(cx.now(), outcome);
        // It ends where it began.
        self.a_try(of).at = At::Begun;
        let answer = cx.answer(outcome);
        self.end_try(cx, of, answer, end, true)
    }

    /// A copy of an attempt is answered.
    pub(super) fn copy_answered(&mut self, cx: &mut Cx<'_>, index: u32, child: CallId, answer: Answer) -> Next {
        let mut of = self.record(index).child;
        while self.a_try(of).child != child.index() {
            of = self.a_try(of).sibling;
        }
        let outcome = answer.outcome();
        let a_try = self.a_try(of);
        a_try.at = At::Begun;
        let (since, begun) = (a_try.since, a_try.begun);
        self.attempts.end(since, outcome);
        if outcome.is_good() {
            self.learn_time(cx.now(), begun);
        }
        // A tied copy was not begun, since another one was.
        let end = if self.ties && outcome == Outcome::Cancelled { End::Dropped } else { End::Answered(outcome) };
        self.end_try(cx, of, answer, end, outcome != Outcome::Reset)
    }

    /// A try that has been sent takes too long.
    pub(super) fn try_timed_out(&mut self, cx: &mut Cx<'_>, of: u32) -> Next {
        let answer = cx.answer(Outcome::Timeout);
        let begun = self.a_try(of).begun;
        self.learn_time(cx.now(), begun);
        self.end_try(cx, of, answer, End::GivenUp(Outcome::Timeout), false)
    }

    /// This link itself refuses a try that has not been sent: it was begun and ended without leaving the caller.
    pub(super) fn refuse(&mut self, cx: &mut Cx<'_>, of: u32, answer: Answer) -> Next {
        self.count_begin(of);
        self.attempts.end(cx.now(), answer.outcome());
        self.end_try(cx, of, answer, End::Refused(answer.outcome()), true)
    }

    /// A try has ended: what becomes of its call.
    fn end_try(&mut self, cx: &mut Cx<'_>, of: u32, answer: Answer, end: End, keeps_connection: bool) -> Next {
        let index = self.a_try(of).record;
        self.close(cx, of, Ending { outcome: answer.outcome(), end, keeps_connection });
        let is_good = answer.outcome().is_good();
        if is_good {
            self.learn_of_slower_ones(cx, index);
            self.drop_copies(cx, index, Outcome::Cancelled);
        }
        // Asked before others are let on, which may be copies of this attempt, and end it.
        let is_over = is_good || self.record(index).child == NOBODY;
        if end != End::Dropped || is_over {
            self.untie(cx, index, is_over);
        }
        self.hand_on(cx);
        if !is_over {
            // Its other copies may still be answered well.
            return Next::WAIT;
        }
        if let Some(hedge) = self.record(index).timer.take() {
            cx.cancel(hedge);
        }
        if is_good {
            return self.finish(cx, index, answer);
        }
        self.record(index).phase = Phase::BacksOff;
        self.failed(cx, index, answer)
    }

    /// An attempt that began then has ended in a way that says how long attempts take.
    fn learn_time(&mut self, now: Time, begun: Time) {
        let Some(share) = self.plan.settings.hedge.as_ref().and_then(HedgeSettings::percentile) else { return };
        self.extra().tracker(now).took(now, share, now - begun);
    }

    /// Another copy was faster: the others have taken this long at least.
    fn learn_of_slower_ones(&mut self, cx: &Cx<'_>, index: u32) {
        let mut of = self.record(index).child;
        while of != NOBODY {
            let (sibling, begun, at) = (self.a_try(of).sibling, self.a_try(of).begun, self.a_try(of).at);
            if at == At::Target {
                self.learn_time(cx.now(), begun);
            }
            of = sibling;
        }
    }

    /// All tries of a call are given up.
    pub(super) fn stop_copies(&mut self, cx: &mut Cx<'_>, index: u32, outcome: Outcome) {
        self.drop_copies(cx, index, outcome);
        self.untie(cx, index, true);
        self.record(index).phase = Phase::BacksOff;
        self.hand_on(cx);
    }

    fn drop_copies(&mut self, cx: &mut Cx<'_>, index: u32, outcome: Outcome) {
        loop {
            let of = self.record(index).child;
            if of == NOBODY {
                return;
            }
            if let Some(what) = self.a_try(of).waits_for() {
                self.spent_by(cx, of, what);
            }
            let timed_out = outcome == Outcome::Timeout && self.a_try(of).at == At::Target;
            let end = if timed_out { End::GivenUp(outcome) } else { End::Dropped };
            self.close(cx, of, Ending { outcome, end, keeps_connection: false });
        }
    }

    /// The one exit of all tries: gives back everything that this one held, from the inside out. Then [`Link::hand_on`]
    /// lets those have it who wait.
    fn close(&mut self, cx: &mut Cx<'_>, of: u32, ending: Ending) {
        let now = cx.now();
        let a_try = self.extra().tries.remove(of).expect("a try ends once");
        let paid = self.record(a_try.record).paid;
        self.unlink(of, &a_try);
        if let Some(timer) = a_try.timer {
            cx.cancel(timer);
        }
        match a_try.at {
            At::Target => {
                let child = cx.open_call(a_try.child);
                cx.abandon(child);
                if self.cancels {
                    cx.cancel_call(child);
                }
                self.attempts.end(a_try.since, ending.outcome);
            }
            At::Pool => {
                if let Some(pool) = &mut self.pool {
                    pool.slots(a_try.part).leave(now, of);
                }
            }
            At::Gate => self.extra().gates.leave(now, of, a_try.passed),
            At::Begun | At::Paced | At::Connection => {}
        }
        if let Some(target) = a_try.target {
            self.chooser.ended(target);
            self.judge(cx, (target, a_try.since), ending);
            if a_try.has_socket {
                // A callee that resets a connection has closed it.
                cx.close_socket(chosen_as(&self.plan, target).node, ending.outcome != Outcome::Reset);
            }
        }
        if let Some(pool) = self.pool.as_mut().filter(|_| a_try.has_place) {
            if let Some(connection) = a_try.connection {
                let is_broken = ending.outcome == Outcome::Reset;
                pool.give_back(now, connection, ending.keeps_connection || pool.is_shared() && !is_broken);
            }
            while let Some(line) = pool.next_closed() {
                cx.close_connection(line);
            }
            pool.free_place(now, a_try.part, a_try.since);
        }
        let permits = &a_try.permits[..usize::from(a_try.passed)];
        self.extra().gates.ended(now, permits, ending.end);
        if let Some(budget) = &mut self.budget {
            let (is_repeated, outcome) = (a_try.is_repeated(), ending.outcome);
            let is_retried = ending.end != End::Dropped && self.when.contains(outcome);
            let is_sent = a_try.child != NOBODY;
            budget.ended(now, Ended { is_repeated, is_sent, outcome, is_retried, paid });
        }
    }

    /// How a try has ended counts for its target, unless it was not sent, or nobody waited any longer.
    fn judge(&mut self, cx: &mut Cx<'_>, (target, since): (u32, Time), ending: Ending) {
        let counts = match ending.end {
            End::Answered(_) => true,
            End::GivenUp(outcome) => outcome == Outcome::Timeout,
            End::Refused(_) | End::Dropped => false,
        };
        if counts {
            let now = cx.now();
            self.chooser.took(now, target, now.saturating_sub(since));
        }
        if counts && self.lookout.is_some() {
            self.look(|lookout, desk| lookout.ended(cx, desk, target, ending.outcome));
        }
    }

    /// Takes a try that is gone out of the list of its attempt's copies.
    fn unlink(&mut self, of: u32, gone: &Try) {
        let record = self.record(gone.record);
        if record.child == of {
            record.child = gone.sibling;
            return;
        }
        let mut before = record.child;
        while self.a_try(before).sibling != of {
            before = self.a_try(before).sibling;
        }
        self.a_try(before).sibling = gone.sibling;
    }
}

//! Calls on their way through a replica: they come, begin, are answered by others, are taken back; timers that are rare.

use sim_core::slots::Admission;
use sim_core::{Answer, CallId, Cx, Next, Outcome, Timer};

use super::instances::Start;
use super::ready::Woken;
use super::replica::{ASKED, BLOCKED, CLOSED, Doing, GUARDED, KILLED, MARKED, SLICE, Service, WOKEN};
use super::single;
use crate::steps::program::{Failure, Instruction};

impl Service {
    /// A call arrives where more matters than whether a worker is free: it may interrupt another, wait only so long, or
    /// find callbacks before it.
    #[inline(never)]
    pub(super) fn admit_specially(&mut self, cx: &mut Cx<'_>, call: CallId, priority: u8) -> Next {
        match self.memory {
            None => self.admit(cx, call, priority),
            Some(_) => self.admit_into_memory(cx, call, priority),
        }
    }

    pub(super) fn admit(&mut self, cx: &mut Cx<'_>, call: CallId, priority: u8) -> Next {
        let now = cx.now();
        if self.guard.is_some()
            && let Some(refused) = self.turned_away(cx, call, priority)
        {
            return refused;
        }
        if self.instances.is_some() {
            return self.admit_to_instance(cx, call);
        }
        if self.preempts && !self.door.has_room() && self.interrupt(cx, priority) {
            self.door.take(now);
            cx.measure().waited_for_nobody(now);
            return self.begin(cx, call, cx.profile_row(call));
        }
        let until = if self.ages { self.plan.terms.admission.until(cx, call) } else { None };
        if self.frees_while_waiting && (!self.may_begin() || !self.ready.is_empty() && !self.is_asleep()) {
            // Callbacks that are ready come first; the loop is not free for a new call.
            return match self.door.join_line(cx, call, priority, until) {
                true => Next::WAIT,
                false => Next::reply(call, cx.answer(Outcome::Overload)),
            };
        }
        if self.frees_while_waiting && self.door.has_room() {
            self.loop_was_idle(cx);
            self.polled = self.plan.terms.facts.poll.map_or(0, |poll| poll.takes(1));
        }
        match self.door.enter_until(cx, call, priority, until) {
            Admission::Granted => self.begin(cx, call, cx.profile_row(call)),
            Admission::Queued => Next::WAIT,
            Admission::Full => Next::reply(call, cx.answer(Outcome::Overload)),
        }
    }

    /// A call takes an instance that is idle, or one is started for it.
    #[inline(never)]
    fn admit_to_instance(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let now = cx.now();
        let held = self.door.held();
        let Some(instances) = &mut self.instances else { return Next::WAIT };
        let most = self.plan.terms.facts.workers.map_or(u64::MAX, u64::from);
        let may_grow = held + instances.idle(now) < most;
        let Some(start) = instances.take(now, may_grow) else {
            return Next::reply(call, cx.answer(Outcome::RateLimited));
        };
        self.door.take(now);
        cx.measure().waited_for_nobody(now);
        let op = usize::from(cx.op_of(cx.profile_row(call)));
        match start {
            Start::Warm => self.begin_strand(cx, call, op),
            Start::Cold => self.begin_cold(cx, call, op),
        }
    }

    /// A thread is closed or done with what it blocked for, a slice is over, an interpreter is asked for, a worker is killed.
    #[inline(never)]
    pub(super) fn on_rare_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let next = self.rare_timer_goes_off(cx, timer);
        if self.memory.is_some() {
            self.settle_memory(cx);
        }
        next
    }

    fn rare_timer_goes_off(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        match timer.what {
            MARKED => self.marked(cx, timer.data),
            CLOSED => {
                self.thread_closed(cx, timer.data);
                Next::WAIT
            }
            ASKED => self.interpreter_is_asked_for(cx),
            KILLED => self.worker_is_killed(cx, timer.data as u32),
            WOKEN => {
                self.wake(cx);
                Next::WAIT
            }
            GUARDED => self.guard_is_due(cx),
            what => {
                debug_assert!(matches!(what, SLICE | BLOCKED), "timer {what} is not handled");
                let Some(ticket) = cx.ticket_if_open(timer.call()) else { return Next::WAIT };
                if what == SLICE { self.slice_is_over(cx, ticket - 1) } else { self.blocked(cx, ticket - 1) }
            }
        }
    }

    /// Another copy of a call that has a worker has been begun elsewhere.
    #[inline(never)]
    fn not_begun(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let now = cx.now();
        self.forget_call(call);
        self.door.give_back(now, now, None);
        self.dispatch(cx);
        Next::reply(call, cx.answer(Outcome::Cancelled))
    }

    /// A call that has a worker begins.
    #[inline(always)]
    pub(super) fn begin(&mut self, cx: &mut Cx<'_>, call: CallId, profile: u16) -> Next {
        if let Some(single) = &self.plan.only {
            let span = single.span(cx, call);
            return self.begin_single(cx, call, span);
        }
        let op = usize::from(cx.op_of(profile));
        match self.plan.singles.get(op) {
            Some(Some(single)) => {
                let span = single.span(cx, call);
                self.begin_single(cx, call, span)
            }
            _ if cx.is_first_of_tied(call) => self.begin_strand(cx, call, op),
            _ => self.not_begun(cx, call),
        }
    }
}

impl Service {
    /// A call that a strand has made is answered.
    #[inline(always)]
    pub(super) fn answered(&mut self, cx: &mut Cx<'_>, call: CallId, answer: Answer) -> Next {
        let index = cx.ticket(call) - 1;
        if let Some(guard) = &mut self.guard {
            guard.answered(cx.now(), index);
        }
        if answer.outcome().is_good() {
            return self.resume(cx, index, Woken::Message);
        }
        let place = self.strand(index).place - 1;
        let Instruction::Call { failure, .. } = self.plan.program.code[place as usize] else {
            unreachable!("only calls are answered")
        };
        match failure {
            Failure::Continues => self.resume(cx, index, Woken::Message),
            Failure::Jumps(place) => {
                self.strand(index).place = place;
                self.resume(cx, index, Woken::Message)
            }
            Failure::Replies(outcome) => {
                self.strand(index).doing = Doing::Runs;
                let answer = answer.passed_on(outcome);
                self.fail(cx, index, answer)
            }
            Failure::Ends => {
                self.strand(index).doing = Doing::Runs;
                let answer = answer.passed_on(passed_on(answer.outcome()));
                self.fail(cx, index, answer)
            }
        }
    }

    /// A caller takes its call back.
    pub(super) fn cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let ticket = cx.ticket(call);
        if ticket == 0 {
            self.door.leave_line(cx.now(), call);
            self.forget_call(call);
            return Next::reply(call, cx.answer(Outcome::Cancelled));
        }
        if ticket & single::MARK != 0 {
            return self.cancel_single(cx, call);
        }
        let index = ticket - 1;
        self.strand(index).cancelled = true;
        let (doing, left) = (self.strand(index).doing, self.strand(index).left);
        let runs = match doing {
            Doing::Computes(_) | Doing::Blocks { .. } | Doing::Runs => true,
            Doing::Passes { why, .. } => why.blocks() || left > 0,
            // Code that was cut short is in the middle of a step.
            Doing::Ready | Doing::WaitsForInterpreter(_) => left > 0,
            Doing::WaitsForThread { .. }
            | Doing::Calls(_)
            | Doing::WaitsForLock(_)
            | Doing::Joins
            | Doing::Interrupted { .. } => false,
        };
        if runs {
            // What runs ends at its step's end; branches that were started before do not wait for that.
            self.give_up_branches(cx, index);
            self.dispatch(cx);
            return Next::WAIT;
        }
        self.stop(cx, index);
        let answer = cx.answer(Outcome::Cancelled);
        self.end_task(cx, index, answer)
    }
}

/// What a caller is told when a call that was made for it failed: what a gateway answers.
pub(super) fn passed_on(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Overload | Outcome::RateLimited => Outcome::Overload,
        Outcome::Error | Outcome::ClientError => Outcome::Error,
        _ => Outcome::Unavailable,
    }
}

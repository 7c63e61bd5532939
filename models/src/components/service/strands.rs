//! A strand from its beginning to its end: time passes for it, it is stopped, it fails, its task is over.

use sim_core::{Answer, CallId, Class, Cx, Next, Outcome, Span, Spent, Time, Timer};

use super::plan::{PURPOSE_RECYCLE, PURPOSE_START};
use super::ready::Woken;
use super::replica::{CLOSED, Doing, KILLED, Pass, STEP, Service};
use crate::link::sample;

impl Service {
    #[inline(never)]
    pub(super) fn begin_strand(&mut self, cx: &mut Cx<'_>, call: CallId, op: usize) -> Next {
        let index = self.new_task(cx, call, op);
        let start = self.plan.terms.facts.start;
        if start > 0 {
            return self.pass(cx, index, start, Pass::Cost);
        }
        self.begin_code(cx, index)
    }

    /// The same in an instance that is started first.
    pub(super) fn begin_cold(&mut self, cx: &mut Cx<'_>, call: CallId, op: usize) -> Next {
        let index = self.new_task(cx, call, op);
        let plan = self.plan.clone();
        let takes = sample(plan.start_up(), cx, call, PURPOSE_START);
        if takes == 0 {
            return self.run(cx, index);
        }
        self.pass(cx, index, takes, Pass::Cost)
    }

    fn new_task(&mut self, cx: &mut Cx<'_>, call: CallId, op: usize) -> u32 {
        let place = self.plan.handlers[op].expect("every operation was checked to be handled");
        let index = self.new_strand(cx, call, place, None);
        self.strand(index).holds_worker = true;
        if self.preempts {
            self.interruptible.push(index);
        }
        if self.workforce.is_some() {
            self.assign_worker(cx, index);
        }
        if self.guard.is_some() {
            self.guarded_begins(cx, index, call);
        }
        if let Some(memory) = &mut self.memory {
            memory.begins(call, index);
        }
        index
    }

    /// The first code of a task runs when it has its turn.
    fn begin_code(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        if self.goes_on_freely {
            return self.run(cx, index);
        }
        if self.interpreter.is_none() {
            self.owe_switch(index);
            let polled = std::mem::take(&mut self.polled);
            self.strand(index).owed = self.strand(index).owed.saturating_add(polled.min(u64::from(u32::MAX)) as u32);
            if polled > 0 {
                self.switches.add(polled);
            }
            return self.run(cx, index);
        }
        self.resume(cx, index, Woken::Message)
    }

    /// Lets time pass for a strand.
    pub(super) fn pass(&mut self, cx: &mut Cx<'_>, index: u32, span: Span, why: Pass) -> Next {
        if span == 0 {
            return self.run(cx, index);
        }
        let span = cx.stretched(span);
        let granularity = self.plan.terms.facts.timer;
        let span = if granularity > 0 && why == Pass::Wait { to_the_tick(cx.now(), span, granularity) } else { span };
        self.pass_for(cx, index, span, why)
    }

    /// The same for a time whose length is settled.
    pub(super) fn pass_for(&mut self, cx: &mut Cx<'_>, index: u32, span: Span, why: Pass) -> Next {
        let call = self.strand(index).call;
        let timer = cx.work_on(span, Timer::of(STEP, call));
        let until = cx.own_clock().saturating_add(span);
        self.strand(index).doing = Doing::Passes { timer, until, why };
        match why {
            Pass::Wait | Pass::Granted => self.let_go(cx, index),
            Pass::Block if self.frees_while_waiting => self.keeps_worker(cx, index),
            Pass::Block => self.leave_interpreter(cx, index),
            Pass::Cost => {}
        }
        Next::WAIT
    }

    /// What a strand was busy with is done: the cost of starting branches, or a step.
    pub(super) fn passed(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let strand = self.strand(index);
        let was = std::mem::replace(&mut strand.doing, Doing::Runs);
        if self.has_quota && matches!(was, Doing::Computes(_)) {
            self.say_what_stood(cx, index);
        }
        if self.pays
            && let Some(alarm) = self.strand(index).alarm.take()
        {
            cx.cancel(alarm);
        }
        let strand = self.strand(index);
        if strand.to_start > strand.started as u64 && strand.left == 0 {
            return self.cost_passed(cx, index);
        }
        let woken = match was {
            Doing::Passes { why: Pass::Wait, .. } => Woken::Timer,
            Doing::Passes { why: Pass::Block, .. } => Woken::Message,
            Doing::Passes { why: Pass::Granted, .. } => Woken::Task,
            Doing::Passes { why: Pass::Cost, .. }
            | Doing::Computes(_)
            | Doing::Runs
            | Doing::Ready
            | Doing::WaitsForInterpreter(_)
            | Doing::WaitsForThread { .. }
            | Doing::Blocks { .. }
            | Doing::Calls(_)
            | Doing::WaitsForLock(_)
            | Doing::Joins
            | Doing::Interrupted { .. } => Woken::Itself,
        };
        self.resume(cx, index, woken)
    }

    /// For a part of the time of its work the cores stood still.
    #[inline(never)]
    pub(super) fn say_what_stood(&mut self, cx: &mut Cx<'_>, index: u32) {
        let Some(cpu) = self.cpu else { return };
        let strand = self.strand(index);
        let (call, before) = (strand.call, strand.stood);
        // What has been counted since the end of the warm-up begins anew there.
        cx.spent_last(call, Spent::Throttled, cx.cpu_stood(cpu).saturating_sub(before));
    }

    /// Ends what a strand is in the middle of. Its call is told to stop, which goes on over links that propagate it.
    pub(super) fn stop(&mut self, cx: &mut Cx<'_>, index: u32) {
        let strand = self.strand(index);
        match strand.doing {
            Doing::Passes { timer, .. } => {
                cx.cancel(timer);
            }
            Doing::Computes(job) => {
                if let Some(cpu) = self.cpu {
                    cx.cpu_take_back(cpu, job);
                }
            }
            Doing::WaitsForThread { .. } => self.leave_blocking(cx, index),
            Doing::WaitsForInterpreter(place) => self.leave_waiting_for_interpreter(cx, place),
            Doing::Blocks { timer } => {
                cx.cancel(timer);
                self.thread_is_free(cx);
            }
            Doing::Calls(child) => {
                cx.abandon(child);
                cx.cancel_call(child);
            }
            Doing::Ready => self.ready.remove(cx.now(), index),
            Doing::WaitsForLock(lock) => {
                self.strand(index).locks -= 1;
                self.locks[lock as usize].waiting.retain(|waiter| waiter.strand != index);
                self.return_what_was_lent(cx, lock);
            }
            Doing::Interrupted { .. } => {
                let call = self.strand(index).call;
                self.door.leave_line(cx.now(), call);
            }
            Doing::Runs | Doing::Joins => {}
        }
        self.is_held_no_longer(cx, index);
        let strand = self.strand(index);
        strand.doing = Doing::Runs;
        strand.left = 0;
        if self.pays
            && let Some(alarm) = self.strand(index).alarm.take()
        {
            cx.cancel(alarm);
        }
    }

    /// A strand that is about to be removed leaves what only those hold that run.
    pub(super) fn leave_turn(&mut self, cx: &mut Cx<'_>, index: u32) {
        self.leave_thread(cx, index);
        self.leave_interpreter(cx, index);
    }

    /// A strand failed: a branch tells its parent, the main strand ends the task.
    pub(super) fn fail(&mut self, cx: &mut Cx<'_>, index: u32, answer: Answer) -> Next {
        // It may have been paying for the starts of more branches.
        self.stop(cx, index);
        if self.strand(index).parent.is_some() {
            self.give_up_branches(cx, index);
            return self.end_branch(cx, index, Some(answer));
        }
        self.end_task(cx, index, answer)
    }

    /// The task of a call is over.
    pub(super) fn end_task(&mut self, cx: &mut Cx<'_>, index: u32, answer: Answer) -> Next {
        // A branch that must end tells its parent.
        if self.strand(index).parent.is_some() {
            self.give_up_branches(cx, index);
            return self.end_branch(cx, index, Some(answer));
        }
        self.give_up_branches(cx, index);
        self.drop_locks(cx, index);
        self.leave_turn(cx, index);
        if self.preempts {
            self.interruptible.retain(|i| *i != index);
        }
        if self.guard.is_some() {
            self.guarded_ended(cx, index, answer.outcome());
        }
        let strand = self.strand(index);
        let (call, replied, leaks) = (strand.call, strand.replied, strand.leaks);
        let close = match &mut self.workforce {
            None => self.plan.terms.facts.close,
            Some(_) => self.leave_worker(cx, index),
        };
        self.leaked += leaks as u64;
        if leaks && !self.frees_while_waiting {
            // Its worker is held for ever, unless tasks that wait hold none.
        } else if close > 0 && self.strand(index).holds_worker {
            // The thread is there until it is closed.
            // It is held in vain from when its caller gave up, if it did; the last bit tells.
            let since = self.strand(index).holding_since;
            let abandoned = cx.abandoned_since(call);
            let from = abandoned.map_or(since, |abandoned| abandoned.max(since));
            cx.work(close, Timer { what: CLOSED, data: from << 1 | abandoned.is_some() as u64 });
        } else {
            self.release(cx, index);
            if let Some(instances) = &mut self.instances {
                instances.give_back(cx.now());
            }
        }
        self.remove_strand(cx.now(), index, leaks);
        let then = if replied {
            cx.end_branch(call);
            Next::WAIT
        } else {
            Next::reply(call, answer)
        };
        self.dispatch(cx);
        then
    }

    /// A thread is closed; `data` says since when it was held in vain, and in its last bit, whether it was.
    #[inline(never)]
    pub(super) fn thread_closed(&mut self, cx: &mut Cx<'_>, data: u64) {
        let from = data >> 1;
        let abandoned = (data & 1 == 1).then_some(from);
        self.door.give_back(cx.now(), from, abandoned);
        self.dispatch(cx);
    }

    /// One of the workers takes the call of a strand, where they are told apart.
    fn assign_worker(&mut self, cx: &mut Cx<'_>, index: u32) {
        let call = self.strand(index).call;
        let Some(workforce) = &mut self.workforce else { return };
        let worker = workforce.take(|| cx.draw(call, PURPOSE_RECYCLE).unit());
        let timeout = workforce.terms.timeout;
        let alarm = timeout
            .map(|timeout| cx.after_constant(timeout, Class::First, Timer { what: KILLED, data: u64::from(index) }));
        let strand = self.strand(index);
        (strand.worker, strand.alarm) = (worker, alarm);
    }

    /// The call of a strand is over; how long its worker serves nobody because it is replaced.
    fn leave_worker(&mut self, cx: &mut Cx<'_>, index: u32) -> Span {
        let strand = self.strand(index);
        let worker = strand.worker;
        // Only when it has gone off there is none.
        let alarm = strand.alarm.take();
        let Some(workforce) = &mut self.workforce else { return 0 };
        let is_killed = workforce.terms.timeout.is_some() && alarm.is_none();
        if let Some(alarm) = alarm {
            cx.cancel(alarm);
        }
        if workforce.give_back(worker, is_killed) { workforce.terms.fork } else { 0 }
    }

    /// A worker has served one call for too long: it is killed.
    pub(super) fn worker_is_killed(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        self.strand(index).alarm = None;
        self.stop(cx, index);
        let answer = cx.answer(Outcome::Reset);
        self.end_task(cx, index, answer)
    }
}

/// How long it is until a timer of so long goes off that knows only multiples of `tick`: it begins at the last one, lasts whole
/// ones, and at least one.
fn to_the_tick(now: Time, span: Span, tick: Span) -> Span {
    let begins = now - now % tick;
    begins.saturating_add((span - span % tick).max(tick)) - now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_go_off_at_ticks() {
        assert_eq!(to_the_tick(0, 10, 1), 10);
        // Begun at 1.7, 2.9 long: as if begun at 1 and 2 long.
        assert_eq!(to_the_tick(17, 29, 10), 13);
        assert_eq!(to_the_tick(17, 3, 10), 3, "never none at all");
        assert_eq!(to_the_tick(20, 3, 10), 10);
    }
}

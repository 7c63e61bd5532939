//! A strand from its beginning to its end: time passes for it, it is stopped, it fails, its task is over.

use sim_core::{Answer, CallId, Cx, Next, Span, Timer};

use super::replica::{CLOSED, Doing, STEP, Service};

impl Service {
    #[inline(never)]
    pub(super) fn begin_strand(&mut self, cx: &mut Cx<'_>, call: CallId, op: usize) -> Next {
        let place = self.plan.handlers[op].expect("every operation was checked to be handled");
        let index = self.new_strand(cx, call, place, None);
        self.strand(index).holds_worker = true;
        if self.preempts {
            self.interruptible.push(index);
        }
        let start = self.plan.terms.facts.start;
        if start > 0 {
            return self.pass(cx, index, start, true);
        }
        self.run(cx, index)
    }

    /// Lets time pass for a strand; `blocks` holds whatever runs it.
    pub(super) fn pass(&mut self, cx: &mut Cx<'_>, index: u32, span: Span, blocks: bool) -> Next {
        if span == 0 {
            return self.run(cx, index);
        }
        let span = cx.stretched(span);
        self.pass_for(cx, index, span, blocks)
    }

    /// The same for a time whose length is settled.
    pub(super) fn pass_for(&mut self, cx: &mut Cx<'_>, index: u32, span: Span, blocks: bool) -> Next {
        let call = self.strand(index).call;
        let timer = cx.work_on(span, Timer::of(STEP, call));
        let until = cx.own_clock().saturating_add(span);
        self.strand(index).doing = Doing::Passes { timer, until, blocks };
        if !blocks {
            self.let_go(cx, index);
        }
        Next::WAIT
    }

    /// What a strand was busy with is done: the cost of starting branches, or a step.
    pub(super) fn passed(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let strand = self.strand(index);
        if strand.to_start > strand.started as u64 {
            strand.doing = Doing::Runs;
            return self.cost_passed(cx, index);
        }
        self.resume(cx, index)
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
            Doing::WaitsToBlock { .. } => self.leave_blocking(cx, index),
            Doing::Blocks { timer } => {
                cx.cancel(timer);
                self.thread_is_free(cx);
            }
            Doing::Calls(child) => {
                cx.abandon(child);
                cx.cancel_call(child);
            }
            Doing::Ready => self.ready.retain(|(i, _)| *i != index),
            Doing::WaitsForLock(lock) => self.locks[lock as usize].waiting.retain(|(_, i)| *i != index),
            Doing::Interrupted { .. } => {
                let call = self.strand(index).call;
                self.door.leave_line(cx.now(), call);
            }
            Doing::Runs | Doing::Joins => {}
        }
        self.strand(index).doing = Doing::Runs;
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
        if self.preempts {
            self.interruptible.retain(|i| *i != index);
        }
        let strand = self.strand(index);
        let (call, replied, leaks) = (strand.call, strand.replied, strand.leaks);
        let close = self.plan.terms.facts.close;
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
        }
        self.strands.remove(index);
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
}

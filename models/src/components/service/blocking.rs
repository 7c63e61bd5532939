//! Blocking calls and code beside the workers, on threads of their own.
//!
//! A task that blocks hands the call to a thread and gives its worker back until the call is over. One that offloads steps
//! goes on with them on such a thread, and then waits for its worker again. Nothing here runs a
//! handler's code: a thread may become free while branches are being given up, and code that ran then could end them.

use sim_core::slots::Admission;
use sim_core::{Class, Cx, Next, Span, Spent, Time, Timer};

use super::ready::Woken;
use super::replica::{BLOCKED, Doing, Pass, STEP, Service};

impl Service {
    /// A strand blocks for so long: on a thread for that, or else on what runs it.
    pub(super) fn block(&mut self, cx: &mut Cx<'_>, index: u32, span: Span) -> Next {
        let call = self.strand(index).call;
        let is_apart = self.plan.terms.facts.blocking_threads().is_some() && !self.strand(index).is_beside;
        let Some(threads) = self.blocking.as_mut().filter(|_| is_apart) else {
            return self.pass(cx, index, span, Pass::Block);
        };
        match threads.slots.ask(cx.now(), call.index(), 0) {
            Admission::Granted => self.begin_blocking(cx, index, span),
            Admission::Queued => {
                self.strand(index).doing = Doing::WaitsForThread { span: Some(span) };
                cx.spent(call, Spent::Service);
            }
            Admission::Full => unreachable!("any number may wait for a thread"),
        }
        self.let_go(cx, index);
        Next::WAIT
    }

    /// The next steps of a strand run on a thread beside the workers.
    pub(super) fn offload(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let call = self.strand(index).call;
        let Some(threads) = &mut self.blocking else { return self.run(cx, index) };
        match threads.slots.ask(cx.now(), call.index(), 0) {
            Admission::Granted => self.grant(cx, index, true),
            Admission::Queued => {
                self.strand(index).doing = Doing::WaitsForThread { span: None };
                cx.spent(call, Spent::Service);
            }
            Admission::Full => unreachable!("any number may wait for a thread"),
        }
        self.let_go(cx, index);
        Next::WAIT
    }

    /// A strand has what it waited for, and goes on by an event of its own: run from here, it could end branches that are
    /// just being given up.
    pub(super) fn grant(&mut self, cx: &mut Cx<'_>, index: u32, beside: bool) {
        let timer = cx.after(0, Class::First, Timer::of(STEP, self.strand(index).call));
        let until = cx.now();
        let strand = self.strand(index);
        strand.is_beside |= beside;
        strand.doing = Doing::Passes { timer, until, why: Pass::Granted };
    }

    /// The steps that ran on a thread are over, or there is no need of them any more: the thread takes the next one.
    pub(super) fn leave_thread(&mut self, cx: &mut Cx<'_>, index: u32) {
        if std::mem::replace(&mut self.strand(index).is_beside, false) {
            self.thread_is_free(cx);
        }
    }

    /// A thread takes the call of a strand.
    fn begin_blocking(&mut self, cx: &mut Cx<'_>, index: u32, span: Span) {
        let call = self.strand(index).call;
        let timer = cx.work_on(cx.stretched(span), Timer::of(BLOCKED, call));
        self.strand(index).doing = Doing::Blocks { timer };
    }

    /// The blocking call of a strand is over: its thread takes the next one, and the strand goes on.
    pub(super) fn blocked(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        self.strand(index).doing = Doing::Runs;
        self.thread_is_free(cx);
        self.resume(cx, index, Woken::Message)
    }

    /// A strand that waits for a thread no longer wants one.
    pub(super) fn leave_blocking(&mut self, cx: &mut Cx<'_>, index: u32) {
        let call = self.strand(index).call;
        if let Some(threads) = &mut self.blocking {
            threads.slots.leave(cx.now(), call.index());
        }
    }

    /// A thread has nothing to do any more: the first in line gets it.
    pub(super) fn thread_is_free(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        if let Some(threads) = &mut self.blocking {
            threads.slots.give_back(now, now, None);
        }
        while let Some(next) = self.next_to_block(now) {
            let call = cx.open_call(next);
            let index = cx.ticket(call) - 1;
            cx.spent(call, Spent::Queue);
            let Doing::WaitsForThread { span } = self.strand(index).doing else {
                unreachable!("who waits for a thread does nothing else")
            };
            if !cx.is_expired(call) {
                match span {
                    Some(span) => self.begin_blocking(cx, index, span),
                    None => self.grant(cx, index, true),
                }
                continue;
            }
            // Nobody wants it any more: the thread takes the next one, and the strand finds out by an event of its own.
            if let Some(threads) = &mut self.blocking {
                threads.slots.give_back(now, now, None);
            }
            self.grant(cx, index, false);
        }
    }

    /// The call that is next to take a thread, if there are both.
    fn next_to_block(&mut self, now: Time) -> Option<u32> {
        let threads = self.blocking.as_mut()?;
        threads.slots.next(now, &mut Vec::new()).map(|next| next.call)
    }
}

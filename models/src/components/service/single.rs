//! Handlers of a single step that keeps its worker: most services of a larger scenario, and so worth a way of their own.
//!
//! Such a call needs no strand: it gets a worker, lets one span of time pass, and is answered. All that is kept of it is
//! its ticket. The effect is exactly that of the general way, draw for draw; where anything could interrupt the step
//! (a more important call, an event loop, what a thread costs), the general way is taken.

use sim_core::{CallId, Cx, Next, Outcome, Span, Timer};

use super::replica::{SINGLE, Service};

/// Marks the tickets of such calls.
pub(super) const MARK: u32 = 1 << 31;

/// Marks those of them whose callers have taken them back.
const CANCELLED: u32 = 1 << 30;

/// What is left of a ticket: where in the calendar the end of the step stands.
const PLACE: u32 = CANCELLED - 1;

impl Service {
    /// Begins a call that has a worker.
    #[inline(always)]
    pub(super) fn begin_single(&mut self, cx: &mut Cx<'_>, call: CallId, span: Span) -> Next {
        let now = cx.now();
        if cx.abandoned_since(call).is_some() {
            // What is done for nobody from its beginning is wasted from there; everything else from when it was given up.
            cx.set_memo(call, now);
        }
        if span == 0 || cx.is_expired(call) {
            return self.skip_single(cx, call);
        }
        let timer = cx.work(span, Timer::of(SINGLE, call));
        cx.set_ticket(call, MARK | timer.place());
        Next::WAIT
    }

    /// A step that takes no time, or that nobody wants any more.
    #[inline(never)]
    fn skip_single(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let outcome = if cx.is_expired(call) { Outcome::Timeout } else { Outcome::Ok };
        self.end_single(cx, call, outcome)
    }

    /// The step is over.
    #[inline(always)]
    pub(super) fn single_is_over(&mut self, cx: &mut Cx<'_>, call: CallId, ticket: u32) -> Next {
        let outcome = if ticket & CANCELLED != 0 {
            Outcome::Cancelled
        } else if cx.is_expired(call) {
            Outcome::Timeout
        } else {
            Outcome::Ok
        };
        self.end_single(cx, call, outcome)
    }

    #[inline(always)]
    fn end_single(&mut self, cx: &mut Cx<'_>, call: CallId, outcome: Outcome) -> Next {
        let abandoned = cx.abandoned_since(call);
        let since = if abandoned.is_some() { cx.memo(call) } else { 0 };
        self.door.give_back(cx.now(), since, abandoned);
        let answer = cx.answer(outcome);
        self.dispatch(cx);
        Next::reply(call, answer)
    }

    /// Nobody wants the answer any more.
    pub(super) fn cancel_single(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let ticket = cx.ticket(call) | CANCELLED;
        let blocks = self.plan.singles[cx.profile(call).op as usize].as_ref().is_some_and(|s| s.blocks);
        if blocks {
            cx.set_ticket(call, ticket);
            return Next::WAIT;
        }
        cx.cancel_work(ticket & PLACE, Timer::of(SINGLE, call));
        self.single_is_over(cx, call, ticket)
    }
}

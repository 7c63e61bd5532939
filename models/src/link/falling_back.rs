//! A call that has failed is answered by its fallback: at once, after a while, or by a call over another link.

use sim_core::calendar::Class;
use sim_core::{Answer, CallId, Cx, Next, Outcome, Spent, Timer, To};

use super::tries::NOBODY;
use super::{Link, Logical, Phase, sample};

/// The timer of a call whose fallback takes time.
pub(super) const FALLBACK: u8 = 11;

const PURPOSE_FALLBACK: u32 = 0x6662;

impl Link {
    /// A call has failed in a way in whose place the fallback answers. Its record is gone, and those who shared it are answered.
    #[cold]
    pub(super) fn fall_back(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        self.fallbacks += 1;
        let plan = self.plan.clone();
        let takes =
            plan.settings.fallback.as_ref().map_or(0, |fallback| sample(&fallback.takes.0, cx, call, PURPOSE_FALLBACK));
        if takes == 0 && plan.fallback.is_none() {
            return Next::reply(call, cx.answer(Outcome::Degraded));
        }
        let record = Logical { child: NOBODY, phase: Phase::FallsBack, ..Logical::new(call, cx.now()) };
        let index = self.records.insert(record);
        cx.set_ticket(call, index);
        if takes == 0 {
            return self.fallen_back(cx, call, index);
        }
        self.record(index).timer = Some(cx.after(takes, Class::First, Timer::of(FALLBACK, call)));
        Next::WAIT
    }

    /// The time of the fallback is over: it answers, or asks another link.
    pub(super) fn fallen_back(&mut self, cx: &mut Cx<'_>, call: CallId, index: u32) -> Next {
        cx.spent(call, Spent::Service);
        if let Some((node, link)) = self.plan.fallback {
            let to = To { node, link, ordinal: 0, profile: None, path: 0, is_retry: false };
            let child = cx.call(call, to);
            self.record(index).child = child.index();
            return Next::call(child);
        }
        self.records.remove(index);
        Next::reply(call, cx.answer(Outcome::Degraded))
    }

    /// The other link has answered.
    #[cold]
    pub(super) fn fallback_answered(&mut self, cx: &mut Cx<'_>, call: CallId, index: u32, answer: Answer) -> Next {
        self.records.remove(index);
        let answer = if answer.outcome().is_good() { cx.answer(Outcome::Degraded) } else { answer };
        Next::reply(call, answer)
    }

    /// Nobody wants the answer of the fallback any more.
    #[cold]
    pub(super) fn stop_falling_back(&mut self, cx: &mut Cx<'_>, index: u32) {
        let record = self.record(index);
        let (call, child) = (record.call, record.child);
        if child == NOBODY {
            return cx.spent(cx.open_call(call), Spent::Service);
        }
        let child = cx.open_call(child);
        cx.abandon(child);
        if self.cancels {
            cx.cancel_call(child);
        }
    }
}

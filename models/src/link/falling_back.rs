//! A call that has failed is answered by its fallback.

use sim_core::calendar::Class;
use sim_core::{CallId, Cx, Next, Outcome, Spent, Timer};

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
        if takes == 0 {
            return Next::reply(call, cx.answer(Outcome::Degraded));
        }
        let timer = cx.after(takes, Class::First, Timer::of(FALLBACK, call));
        let record = Logical { timer: Some(timer), phase: Phase::FallsBack, ..Logical::new(call, cx.now()) };
        let index = self.records.insert(record);
        cx.set_ticket(call, index);
        Next::WAIT
    }

    /// The fallback answers.
    pub(super) fn fallen_back(&mut self, cx: &mut Cx<'_>, call: CallId, index: u32) -> Next {
        cx.spent(call, Spent::Service);
        self.records.remove(index);
        Next::reply(call, cx.answer(Outcome::Degraded))
    }
}

//! Each try asks the gates in order, and whoever waits at one is let on.

use sim_core::{Cx, Next, Span, Spent, Time};

use super::Link;
use super::tries::At;
use crate::policies::gate::{Asking, Permit, Refusal, Verdict};

const PURPOSE_CHANCE: u32 = 0x6368;

impl Link {
    /// Asks the gates that a try has not passed yet. `None` where it has passed them all.
    pub(super) fn ask_gates(&mut self, cx: &mut Cx<'_>, of: u32) -> Option<Next> {
        while usize::from(self.a_try(of).passed) < self.extra().gates.all.len() {
            match self.ask_gate(cx, of) {
                Verdict::Pass(permit) => self.pass(cx.now(), of, permit),
                Verdict::Wait => {
                    let a_try = self.a_try(of);
                    (a_try.at, a_try.since) = (At::Gate, cx.now());
                    self.settle_gates(cx);
                    return Some(Next::WAIT);
                }
                Verdict::Refuse(refusal) => {
                    self.settle_gates(cx);
                    return Some(self.refused(cx, of, refusal));
                }
            }
        }
        self.settle_gates(cx);
        None
    }

    fn ask_gate(&mut self, cx: &mut Cx<'_>, of: u32) -> Verdict {
        let now = cx.now();
        let call = self.call_of_try(cx, of);
        let mut source = self.source(cx, of);
        let a_try = self.a_try(of);
        let (number, is_repeated) = (usize::from(a_try.passed), a_try.is_repeated());
        let (op, key) = (cx.profile(call).op, cx.data_key(call));
        let client = cx.client(call);
        let (priority, is_retry) = (cx.priority(call), is_repeated || cx.is_retry(call));
        let purpose = PURPOSE_CHANCE + a_try.passed as u32;
        let mut chance = || source.draw(cx, purpose).unit();
        let mut who = Asking { id: of, op, key, client, priority, is_retry, chance: &mut chance };
        self.extra().gates.all[number].ask(now, &mut who)
    }

    fn pass(&mut self, now: Time, of: u32, permit: Permit) {
        let a_try = self.a_try(of);
        a_try.permits[usize::from(a_try.passed)] = (now, permit);
        a_try.passed += 1;
        a_try.at = At::Begun;
    }

    fn refused(&mut self, cx: &mut Cx<'_>, of: u32, Refusal { outcome, retry_after }: Refusal) -> Next {
        let microseconds = retry_after.div_ceil(1_000).min(Span::from(u32::MAX)) as u32;
        let answer = cx.answer(outcome).with_retry_after_us(microseconds);
        self.refuse(cx, of, answer)
    }

    /// Lets the next try on that waits at a gate. False where there is none.
    pub(super) fn let_next_pass(&mut self, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        let Some((number, of, verdict)) = self.extra.as_mut().and_then(|extra| extra.gates.next(now)) else {
            return false;
        };
        debug_assert!(self.a_try(of).at == At::Gate && usize::from(self.a_try(of).passed) == number, "it waits there");
        self.spent_by(cx, of, Spent::LimitWait);
        let then = match verdict {
            Ok(permit) => {
                self.pass(now, of, permit);
                self.step(cx, of)
            }
            Err(refusal) => {
                self.a_try(of).at = At::Begun;
                self.refused(cx, of, refusal)
            }
        };
        cx.post(then);
        true
    }

    /// Sets the timers of the gates, and tells what has happened in them.
    pub(super) fn settle_gates(&mut self, cx: &mut Cx<'_>) {
        if let Some(extra) = &mut self.extra {
            extra.gates.settle(cx);
        }
    }

    /// A gate is due.
    pub(super) fn gate_is_due(&mut self, cx: &mut Cx<'_>, number: usize) -> Next {
        if let Some(extra) = &mut self.extra {
            extra.gates.came_due(cx.now(), number);
        }
        self.hand_on(cx);
        Next::WAIT
    }
}

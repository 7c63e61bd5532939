//! The gates of a link: each try asks them in order, and whoever waits at one is let on.

use sim_core::calendar::{Class, TimerId};
use sim_core::{Cx, Figures, Next, Span, Spent, Time, Timer};

use super::tries::{At, Try};
use super::{GATE, Link};
use crate::policies::gate::{Asking, End, Permit, Refusal, Verdict};
use crate::policies::link_settings::{AnyGate, LinkSettings};

const PURPOSE_CHANCE: u32 = 0x6368;

/// The gates of a link, in the order in which they are asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates {
    pub(super) all: Vec<AnyGate>,
    /// By gate: for when its timer is set.
    due: Vec<Option<(Time, TimerId)>>,
}

impl Gates {
    /// Those of a link with these settings.
    pub(super) fn of(settings: &LinkSettings, now: Time) -> Gates {
        let all = settings.gates(now);
        Gates { due: vec![None; all.len()], all }
    }

    /// The replica has crashed, and with it all timers are gone.
    pub(super) fn rebuild(&mut self, now: Time) {
        self.all.iter_mut().for_each(|gate| gate.rebuild(now));
        self.due.fill(None);
    }

    /// A try that waits at a gate gives up.
    pub(super) fn leave(&mut self, now: Time, of: u32, gate: u8) {
        self.all[usize::from(gate)].leave(now, of);
    }

    /// A try has ended: its permits come back, from the inside out.
    pub(super) fn ended(&mut self, now: Time, a_try: &Try, end: End) {
        let held = self.all.iter_mut().zip(a_try.permits).take(usize::from(a_try.passed));
        for (gate, (passed, permit)) in held.rev() {
            gate.ended(now, permit, passed, end);
        }
    }

    /// The next try that a gate lets pass or refuses, and by which gate.
    fn next(&mut self, now: Time) -> Option<(usize, u32, Result<Permit, Refusal>)> {
        let mut gates = self.all.iter_mut().enumerate();
        gates.find_map(|(number, gate)| gate.next(now).map(|(of, verdict)| (number, of, verdict)))
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        self.all.iter_mut().for_each(|gate| gate.begin_measuring(now));
    }

    pub(super) fn figures(&self, now: Time, figures: &mut Figures) {
        self.all.iter().for_each(|gate| gate.figures(now, figures));
    }
}

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
        let (op, key) = (cx.profile(call).op, cx.baggage(call).data_key);
        let (priority, is_retry) = (cx.priority(call), is_repeated || cx.is_retry(call));
        let purpose = PURPOSE_CHANCE + a_try.passed as u32;
        let mut chance = || source.draw(cx, purpose).unit();
        let mut who = Asking { id: of, op, key, priority, is_retry, chance: &mut chance };
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

    /// Sets the timers of the gates for when they are due, and tells what has happened in them.
    pub(super) fn settle_gates(&mut self, cx: &mut Cx<'_>) {
        let Some(extra) = &mut self.extra else { return };
        let Gates { all, due } = &mut extra.gates;
        for (number, (gate, set)) in all.iter_mut().zip(due).enumerate() {
            while let Some(what) = gate.told() {
                let _ = what; // TODO cx.happened(what)
            }
            let at = gate.due().map(|at| at.max(cx.now()));
            if at == set.map(|(at, _)| at) {
                continue;
            }
            if let Some((_, timer)) = set.take() {
                cx.cancel(timer);
            }
            if let Some(at) = at {
                // After the answers of that instant, which may free what is waited for.
                let timer = Timer { what: GATE, data: number as u64 };
                *set = Some((at, cx.after(at - cx.now(), Class::GivingUp, timer)));
            }
        }
    }

    /// A gate is due.
    pub(super) fn gate_is_due(&mut self, cx: &mut Cx<'_>, number: usize) -> Next {
        if let Some(extra) = &mut self.extra {
            extra.gates.due[number] = None;
            extra.gates.all[number].came_due(cx.now());
        }
        self.hand_on(cx);
        Next::WAIT
    }
}

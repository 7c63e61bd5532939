//! How followers come by what the leader has written.

use sim_core::{Answer, Begin, CallId, Class, Cx, Next, Outcome, Span, Time};

use super::ledger::Number;
use super::{APPLY, Entrance, PURPOSE_LAG};

/// A write that reaches a copy, where nothing comes between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    part: u32,
    copy: u32,
    number: Number,
    epoch: u32,
}

impl Entrance {
    /// The leader has something new: it sets out for all that are up.
    pub(super) fn send_out(&mut self, cx: &mut Cx<'_>, part: u32, number: Number) {
        let leader = self.parts[part as usize].leader;
        for copy in (0..self.plan.terms.copies()).filter(|copy| Some(*copy) != leader) {
            self.send(cx, part, copy, number);
        }
    }

    /// A write sets out for a copy.
    fn send(&mut self, cx: &mut Cx<'_>, part: u32, copy: u32, number: Number) {
        let of = &self.parts[part as usize];
        if !of.is_up[copy as usize] || of.is_frozen {
            return;
        }
        let lag = self.lag_of(part, copy, number);
        let lag = lag.saturating_add(of.held_behind[copy as usize]);
        let (applies, epoch) = (self.applies(), of.epochs[copy as usize]);
        if lag == 0 && applies {
            self.apply_next(cx, part, copy);
        } else {
            self.due_ever += 1;
            let at = cx.now().saturating_add(lag);
            self.due.insert((at, self.due_ever), Due { part, copy, number, epoch });
            self.set_alarm(cx);
        }
    }

    /// Whether followers have to work on what reaches them.
    fn applies(&self) -> bool {
        self.plan.terms.replication.as_ref().is_some_and(|replication| replication.apply.is_some())
    }

    fn lag_of(&self, part: u32, copy: u32, number: Number) -> Span {
        let lag = self.plan.terms.replication.as_ref().and_then(|replication| replication.lag.as_ref());
        let of = &self.parts[part as usize];
        match (lag, of.ledger.get(number)) {
            (Some(lag), Some(write)) => {
                let nth = copy + self.plan.terms.copies() * of.epochs[copy as usize];
                lag.0.sample_span(&mut write.draws.draw(PURPOSE_LAG, nth))
            }
            _ => 0,
        }
    }

    fn set_alarm(&mut self, cx: &mut Cx<'_>) {
        if let (Some(alarm), Some(((at, _), _))) = (self.alarm, self.due.first_key_value()) {
            cx.set_alarm(alarm, *at, Class::First);
        }
    }

    /// A fault keeps copies behind from now on, or does so no more.
    pub(super) fn keep_behind(&mut self, cx: &mut Cx<'_>, replica: Option<u32>, lag: Span, begins: bool) {
        let copies = self.plan.terms.copies();
        for nth in (0..copies * self.parts.len() as u32).filter(|nth| replica.is_none_or(|one| one == *nth)) {
            let (part, copy) = (nth / copies, nth % copies);
            let held = &mut self.parts[part as usize].held_behind[copy as usize];
            *held = if begins { held.saturating_add(lag) } else { held.saturating_sub(lag) };
            if !begins && self.applies() {
                self.parts[part as usize].epochs[copy as usize] += 1;
                self.apply_next(cx, part, copy);
            }
        }
    }

    /// What is due reaches whom it set out for.
    pub(super) fn arrive(&mut self, cx: &mut Cx<'_>) {
        while let Some(((at, _), due)) = self.due.first_key_value().map(|(at, due)| (*at, *due)) {
            if at > cx.now() {
                break;
            }
            self.due.pop_first();
            let Due { part, copy, number, epoch } = due;
            if self.parts[part as usize].epochs[copy as usize] != epoch {
                continue;
            }
            match self.applies() {
                true => self.apply_next(cx, part, copy),
                false => self.has(cx, part, copy, number),
            }
        }
        self.set_alarm(cx);
    }

    /// A follower that has nothing to do goes on to the next write that has reached it.
    pub(super) fn apply_next(&mut self, cx: &mut Cx<'_>, part: u32, copy: u32) {
        let (node, now) = (self.node(part, copy), cx.now());
        let of = &mut self.parts[part as usize];
        if of.applying[copy as usize].is_some() || !of.is_up[copy as usize] {
            return;
        }
        let Some(number) = of.ledger.first_missing(copy) else { return };
        let Some(write) = of.ledger.get(number) else { return };
        let held: Time = write.since.saturating_add(of.held_behind[copy as usize]);
        if held > now {
            self.due_ever += 1;
            let epoch = of.epochs[copy as usize];
            self.due.insert((held, self.due_ever), Due { part, copy, number, epoch });
            self.set_alarm(cx);
            return;
        }
        let key = write.draws.child(PURPOSE_LAG, copy);
        let call = cx.begin(Begin { to: node, path: 0, key, ticket: APPLY, memo: number });
        of.applying[copy as usize] = Some(call);
        cx.post(Next::call(call));
    }

    /// A follower has applied a write, or has died over it.
    pub(super) fn has_applied(&mut self, cx: &mut Cx<'_>, call: CallId, answer: Answer) -> Next {
        let Some((part, copy)) = self.copy_at(cx.server(call)) else { return Next::WAIT };
        let of = &mut self.parts[part as usize];
        if of.applying[copy as usize] != Some(call) {
            return Next::WAIT;
        }
        of.applying[copy as usize] = None;
        if answer.outcome() == Outcome::Ok {
            let number = of.ledger.first_missing(copy);
            number.into_iter().for_each(|number| self.has(cx, part, copy, number));
            self.apply_next(cx, part, copy);
            self.succeed(cx, part);
        }
        Next::WAIT
    }

    /// A copy has a write from now on.
    pub(super) fn has(&mut self, cx: &mut Cx<'_>, part: u32, copy: u32, number: Number) {
        let of = &mut self.parts[part as usize];
        let since = of.ledger.get(number).map(|write| write.since);
        if !of.ledger.arrive(number, copy) {
            return;
        }
        if let Some(since) = since {
            self.measures.lag.record(cx.now() - since);
        }
        let has_enough = of.ledger.copies_of(number) >= self.plan.terms.copies_for_write();
        if has_enough && let Some(call) = self.waiting.remove(&(part, number)) {
            self.answer_node(cx, call, Outcome::Ok);
        }
    }

    /// A node need not wait any more.
    pub(super) fn answer_node(&self, cx: &mut Cx<'_>, call: CallId, outcome: Outcome) {
        if cx.is_open(call) {
            let answer = cx.answer(outcome);
            cx.post(Next::reply(call, answer));
        }
    }

    /// All that a copy does not have sets out for it anew.
    pub(super) fn catch_up(&mut self, cx: &mut Cx<'_>, part: u32, copy: u32) {
        self.parts[part as usize].epochs[copy as usize] += 1;
        if self.applies() {
            self.apply_next(cx, part, copy);
            return;
        }
        for number in self.parts[part as usize].ledger.missing_at(copy) {
            self.send(cx, part, copy, number);
        }
    }
}

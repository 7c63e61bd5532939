//! Turns: how a task that can go on comes to run its code, and how code makes way for other code.
//!
//! On most runtimes of threads who can go on goes on. Elsewhere code runs in turns: on a worker that is held only while code
//! runs, or under the lock of an interpreter. A turn ends where the task waits, after a slice of time if others are
//! ready, or when another asks for the interpreter.

use sim_core::{Cx, Next, Spent, Timer};

use super::ready::{Pick, Woken};
use super::replica::{ASKED, Doing, SLICE, Service, WOKEN};
use crate::steps::program::Instruction;

/// Goes off when somebody asks for the interpreter; it is about no call.
const ASKING: Timer = Timer { what: ASKED, data: 0 };

/// Goes off when a loop wakes up; likewise.
const WAKING: Timer = Timer { what: WOKEN, data: 0 };

impl Service {
    /// Something that a strand waited for has come, or its own work is done: it goes on when it has its turn.
    #[inline]
    pub(super) fn resume(&mut self, cx: &mut Cx<'_>, index: u32, woken: Woken) -> Next {
        if self.goes_on_freely {
            return self.run(cx, index);
        }
        self.resume_in_turn(cx, index, woken)
    }

    #[inline(never)]
    fn resume_in_turn(&mut self, cx: &mut Cx<'_>, index: u32, woken: Woken) -> Next {
        if self.strand(index).is_beside {
            return self.run(cx, index);
        }
        if self.interpreter.is_some() {
            return self.resume_interpreted(cx, index);
        }
        if !self.frees_while_waiting {
            if woken != Woken::Itself {
                self.owe_switch(index);
            }
            return self.run(cx, index);
        }
        if self.strand(index).holds_worker {
            self.is_held_no_longer(cx, index);
            return self.run(cx, index);
        }
        if self.door.has_room() && (self.nobody_is_ready() || self.is_asleep()) {
            if woken == Woken::Timer && self.ready.has_ticks() {
                return self.due_while_asleep(cx, index);
            }
            self.loop_was_idle(cx);
            self.take_worker(cx, index);
            self.owe_poll(index, u64::from(woken == Woken::Message));
            return self.run(cx, index);
        }
        self.wait_for_turn(cx, index, woken);
        Next::WAIT
    }

    /// A timer is due on a loop that has nothing to do: it runs when the loop wakes up.
    fn due_while_asleep(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let strand = self.strand(index);
        strand.doing = Doing::Ready;
        cx.spent(strand.call, Spent::Service);
        self.ready.push(cx.now(), index, Woken::Timer);
        self.sleep(cx);
        Next::WAIT
    }

    /// Whether a loop sleeps although a timer is due.
    #[inline]
    pub(super) fn is_asleep(&self) -> bool {
        self.waking.is_some()
    }

    /// A loop that has nothing to do sleeps until the next timer that is due lets it wake up.
    pub(super) fn sleep(&mut self, cx: &mut Cx<'_>) {
        if self.is_asleep() {
            return;
        }
        let Some(at) = self.ready.wakes_at() else { return };
        self.waking = Some(cx.work_on(at.saturating_sub(cx.now()), WAKING));
    }

    /// It wakes up.
    pub(super) fn wake(&mut self, cx: &mut Cx<'_>) {
        self.waking = None;
        self.dispatch(cx);
    }

    fn wait_for_turn(&mut self, cx: &mut Cx<'_>, index: u32, woken: Woken) {
        let strand = self.strand(index);
        strand.doing = Doing::Ready;
        cx.spent(strand.call, Spent::Service);
        self.ready.push(cx.now(), index, woken);
        self.dispatch(cx);
    }

    /// Whether a worker that is free has nothing to do.
    pub(super) fn nobody_is_ready(&self) -> bool {
        self.ready.is_empty() && (self.door.line().is_empty() || !self.may_begin())
    }

    /// A strand has a worker: its turn begins.
    pub(super) fn take_worker(&mut self, cx: &mut Cx<'_>, index: u32) {
        let now = cx.now();
        self.door.take(now);
        let strand = self.strand(index);
        strand.holds_worker = true;
        strand.holding_since = now;
        strand.spent = 0;
        self.owe_switch(index);
    }

    /// A worker is taken that had nothing to do.
    pub(super) fn loop_was_idle(&mut self, cx: &mut Cx<'_>) {
        self.ready.end_batch();
        if let Some(waking) = self.waking.take() {
            cx.cancel(waking);
        }
        if let Some(lag) = &mut self.lag {
            lag.idle_until(cx.now());
        }
    }

    /// A strand waits and keeps its worker.
    pub(super) fn keeps_worker(&mut self, cx: &Cx<'_>, index: u32) {
        let now = cx.now();
        let strand = self.strand(index);
        if strand.holds_worker && !std::mem::replace(&mut strand.keeps_worker, true) {
            self.kept.up(now);
        }
    }

    /// It no longer does.
    pub(super) fn is_held_no_longer(&mut self, cx: &Cx<'_>, index: u32) {
        if std::mem::replace(&mut self.strand(index).keeps_worker, false) {
            self.kept.down(cx.now());
        }
    }

    /// Going on with a strand takes something of a core before its code runs.
    #[inline]
    pub(super) fn owe_switch(&mut self, index: u32) {
        if !self.pays {
            return;
        }
        let takes = self.plan.terms.facts.switch;
        self.switches.note(takes);
        let strand = self.strand(index);
        strand.owed = strand.owed.saturating_add(takes as u32);
    }

    /// So much was found ready before this strand's turn.
    #[inline]
    pub(super) fn owe_poll(&mut self, index: u32, found: u64) {
        let Some(poll) = self.plan.terms.facts.poll else { return };
        let takes = poll.takes(found);
        self.switches.add(takes);
        let strand = self.strand(index);
        strand.owed = strand.owed.saturating_add(takes.min(u64::from(u32::MAX)) as u32);
    }

    /// What a strand has left to do, or to pay for, before its next instruction.
    #[inline(never)]
    pub(super) fn pay(&mut self, cx: &mut Cx<'_>, index: u32) -> Option<Next> {
        let strand = self.strand(index);
        if strand.left > 0 {
            let work = std::mem::take(&mut strand.left);
            return Some(self.compute(cx, index, work));
        }
        if strand.owed == 0 {
            return None;
        }
        // Code that computes pays with its own work, which saves an event.
        let place = strand.place;
        let computes =
            matches!(self.plan.program.code[place as usize], Instruction::Cpu(_) | Instruction::CpuByDemand(_));
        if computes { None } else { Some(self.compute(cx, index, 0)) }
    }

    /// Code of a strand begins to compute: it makes way at the end of its slice, if others are ready.
    pub(super) fn begin_slice(&mut self, cx: &mut Cx<'_>, index: u32) {
        if let Some(interpreter) = self.interpreter.as_mut().filter(|i| i.is_asked_for && i.holder() == Some(index)) {
            interpreter.is_asked_for = false;
            interpreter.timer = Some(cx.work_on(0, ASKING));
        }
        let Some(slice) = self.plan.terms.facts.slice else { return };
        let now = cx.now();
        let strand = self.strand(index);
        if !strand.holds_worker {
            return;
        }
        let call = strand.call;
        let rest = slice - now.saturating_sub(strand.holding_since) % slice;
        self.strand(index).alarm = Some(cx.work_on(rest, Timer::of(SLICE, call)));
    }

    /// A slice is over.
    pub(super) fn slice_is_over(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        self.strand(index).alarm = None;
        let Doing::Computes(_) = self.strand(index).doing else { return Next::WAIT };
        if self.nobody_is_ready() {
            self.begin_slice(cx, index);
            return Next::WAIT;
        }
        if let Some(next) = self.cut_short(cx, index) {
            return next;
        }
        self.release(cx, index);
        self.wait_for_turn(cx, index, Woken::Timer);
        Next::WAIT
    }

    /// Takes back what a strand computes, to go on with it later; where it is complete at this instant, the strand goes on.
    fn cut_short(&mut self, cx: &mut Cx<'_>, index: u32) -> Option<Next> {
        let (Doing::Computes(job), Some(cpu)) = (self.strand(index).doing, self.cpu) else { return Some(Next::WAIT) };
        match cx.cpu_take_back(cpu, job) {
            None => Some(Next::WAIT),
            Some(0) => Some(self.passed(cx, index)),
            Some(left) => {
                if self.has_quota {
                    self.say_what_stood(cx, index);
                }
                self.strand(index).left = left;
                None
            }
        }
    }

    /// A strand that waited for nothing but a turn gives way to those that are ready; false if there are none.
    pub(super) fn gives_way(&mut self, cx: &mut Cx<'_>, index: u32) -> bool {
        if !self.frees_while_waiting || !self.strand(index).holds_worker || self.nobody_is_ready() {
            return false;
        }
        self.release(cx, index);
        // Behind what has come from outside, as `setImmediate` is.
        self.wait_for_turn(cx, index, Woken::Message);
        true
    }

    /// A strand went on without waiting for what it asked for; true where it has done so too often, and gives way.
    #[inline(never)]
    pub(super) fn exhausts_its_budget(&mut self, cx: &mut Cx<'_>, index: u32) -> bool {
        let Some(budget) = self.plan.terms.facts.budget else { return false };
        let strand = self.strand(index);
        strand.spent += 1;
        if strand.spent < budget {
            return false;
        }
        strand.spent = 0;
        self.gives_way(cx, index)
    }

    /// Who has the next turn on a free worker; the strand has it then.
    pub(super) fn next_turn(&mut self, cx: &mut Cx<'_>) -> Option<Pick> {
        let line = self.door.line();
        let (calls, oldest) = if self.may_begin() { (line.len() as u64, line.oldest_since()) } else { (0, None) };
        let (pick, found) = self.ready.next(cx.now(), calls, oldest)?;
        let since = match pick {
            Pick::Strand(_, since) => Some(since),
            Pick::Call => oldest,
        };
        if let (Some(lag), Some(since)) = (&mut self.lag, since) {
            lag.turn(cx.now(), since);
        }
        if let Pick::Strand(index, _) = pick {
            self.take_worker(cx, index);
            if let Some(found) = found {
                self.owe_poll(index, found);
            }
        } else if let (Some(found), Some(poll)) = (found, self.plan.terms.facts.poll) {
            // The call that begins pays for the poll.
            self.polled = poll.takes(found);
        }
        Some(pick)
    }

    /// A strand goes on once it has the interpreter.
    fn resume_interpreted(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let now = cx.now();
        let Some(interpreter) = &mut self.interpreter else { return self.run(cx, index) };
        if interpreter.holder() == Some(index) {
            return self.run(cx, index);
        }
        if interpreter.take(now, index) {
            self.owe_switch(index);
            return self.run(cx, index);
        }
        self.wait_for_interpreter(cx, index);
        Next::WAIT
    }

    fn wait_for_interpreter(&mut self, cx: &mut Cx<'_>, index: u32) {
        let now = cx.now();
        let Some(interpreter) = &mut self.interpreter else { return };
        let place = interpreter.wait(now, index);
        let strand = self.strand(index);
        strand.doing = Doing::WaitsForInterpreter(place);
        cx.spent(strand.call, Spent::Service);
        self.set_asking(cx);
    }

    /// Sets the timer for when somebody asks for the interpreter.
    fn set_asking(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(interpreter) = &mut self.interpreter else { return };
        if let Some(timer) = interpreter.timer.take() {
            cx.cancel(timer);
        }
        interpreter.timer = interpreter.asks_at().map(|at| cx.work_on(at.saturating_sub(now), ASKING));
    }

    /// Somebody asks for the interpreter: who has it makes way.
    pub(super) fn interpreter_is_asked_for(&mut self, cx: &mut Cx<'_>) -> Next {
        let Some(interpreter) = &mut self.interpreter else { return Next::WAIT };
        interpreter.timer = None;
        let Some(index) = interpreter.holder() else { return Next::WAIT };
        // Who pays for something that takes no core gives it back when it computes again.
        let Doing::Computes(_) = self.strand(index).doing else {
            if let Some(interpreter) = &mut self.interpreter {
                interpreter.is_asked_for = true;
            }
            return Next::WAIT;
        };
        if let Some(next) = self.cut_short(cx, index) {
            self.set_asking(cx);
            return next;
        }
        self.pass_interpreter_on(cx);
        let was_alone = self.interpreter.as_mut().is_some_and(|i| i.holder().is_none());
        if was_alone {
            return self.resume_interpreted(cx, index);
        }
        self.wait_for_interpreter(cx, index);
        Next::WAIT
    }

    /// A strand no longer runs code: the interpreter goes to the next.
    pub(super) fn leave_interpreter(&mut self, cx: &mut Cx<'_>, index: u32) {
        if self.interpreter.as_ref().is_some_and(|i| i.holder() == Some(index)) {
            self.pass_interpreter_on(cx);
        }
    }

    fn pass_interpreter_on(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let Some(interpreter) = &mut self.interpreter else { return };
        if let Some(next) = interpreter.give(now) {
            cx.spent(self.strand(next).call, Spent::Queue);
            self.owe_switch(next);
            self.grant(cx, next, false);
        }
        self.set_asking(cx);
    }

    /// A strand no longer waits for the interpreter.
    pub(super) fn leave_waiting_for_interpreter(&mut self, cx: &mut Cx<'_>, place: super::interpreter::Place) {
        let now = cx.now();
        if let Some(interpreter) = &mut self.interpreter {
            interpreter.leave(now, place);
        }
        self.set_asking(cx);
    }
}

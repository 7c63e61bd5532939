//! Instructions of a handler, one after the other, until the strand must wait.

use sim_core::{CallId, Cx, Next, Outcome, Profile, Span, Timer, To};

use super::plan::PURPOSE_STEP;
use super::ready::Woken;
use super::replica::{Doing, Pass, STEP, Service};
use crate::link::{by_demand, sample};
use crate::steps::program::{Asks, Cost, Instruction, LOOPS, Place};

impl Service {
    pub(super) fn compute(&mut self, cx: &mut Cx<'_>, index: u32, work: Span) -> Next {
        let work = if self.pays { self.with_what_is_owed(index, work) } else { work };
        let Some(cpu) = self.cpu else {
            let work = self.plan.alone(work);
            return self.pass(cx, index, work, Pass::Cost);
        };
        if work == 0 {
            return self.run(cx, index);
        }
        let call = self.strand(index).call;
        let job = cx.cpu(cpu, work, Timer::of(STEP, call));
        self.strand(index).doing = Doing::Computes(job);
        if self.has_quota {
            self.strand(index).stood = cx.cpu_stood(cpu);
        }
        if self.pays {
            self.begin_slice(cx, index);
        }
        Next::WAIT
    }

    fn with_what_is_owed(&mut self, index: u32, work: Span) -> Span {
        work.saturating_add(u64::from(std::mem::take(&mut self.strand(index).owed)))
    }

    /// Executes instructions until the strand must wait or is over.
    pub(super) fn run(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        loop {
            let strand = self.strand(index);
            strand.doing = Doing::Runs;
            let call = strand.call;
            if self.pays
                && let Some(next) = self.pay(cx, index)
            {
                return next;
            }
            let strand = self.strand(index);
            if strand.cancelled {
                let answer = cx.answer(Outcome::Cancelled);
                return self.end_task(cx, index, answer);
            }
            if cx.is_expired(call) {
                let answer = cx.answer(Outcome::Timeout);
                return self.end_task(cx, index, answer);
            }
            let place = strand.place;
            strand.place += 1;
            match decode(&self.plan.program.code[place as usize], cx, call) {
                Action::Nothing => {}
                Action::Compute(work) => return self.compute(cx, index, work),
                Action::Wait(0) => {
                    if self.gives_way(cx, index) {
                        return Next::WAIT;
                    }
                }
                Action::Wait(span) => return self.pass(cx, index, span, Pass::Wait),
                Action::Block(span) => return self.block(cx, index, span),
                Action::Call { link, asks } => {
                    let child = self.make_call(cx, index, link, &asks, true);
                    self.strand(index).doing = Doing::Calls(child);
                    self.let_go(cx, index);
                    return Next::call(child);
                }
                Action::Send { link, asks } => {
                    let child = self.make_call(cx, index, link, &asks, false);
                    cx.post(Next::call(child));
                    if self.frees_while_waiting && self.exhausts_its_budget(cx, index) {
                        return Next::WAIT;
                    }
                }
                Action::Fork { tasks, items, cost } => {
                    // How many items there are is remembered where the strand's loops are.
                    self.strand(index).loops[LOOPS - 1] = items;
                    return self.fork(cx, index, place, tasks, &cost);
                }
                Action::EndBranch => return self.end_branch(cx, index, None),
                Action::Loop { times, slot, after } => self.strand(index).begin_loop(times, slot, after),
                Action::Again { slot, begin } => self.strand(index).turn_loop(slot, begin),
                Action::Jump(place) => self.strand(index).place = place,
                Action::Lock { lock, by_priority, inherits } => {
                    if !self.take_lock(cx, index, lock, by_priority, inherits) {
                        self.let_go(cx, index);
                        return Next::WAIT;
                    }
                    if self.frees_while_waiting && self.exhausts_its_budget(cx, index) {
                        return Next::WAIT;
                    }
                }
                Action::Unlock { lock } => self.give_lock(cx, index, lock),
                Action::Offload => return self.offload(cx, index),
                Action::ComeBack => {
                    self.leave_thread(cx, index);
                    return self.resume(cx, index, Woken::Message);
                }
                Action::Reply(outcome) => self.reply_early(cx, index, outcome),
                Action::Fail(outcome) => {
                    let answer = cx.answer(outcome);
                    return self.fail(cx, index, answer);
                }
                Action::Allocate(bytes) => {
                    if let Some(next) = self.allocate(cx, index, bytes) {
                        return next;
                    }
                }
                Action::Leak => self.strand(index).leaks = true,
                Action::End => {
                    let answer = cx.answer(Outcome::Ok);
                    return self.end_task(cx, index, answer);
                }
            }
        }
    }

    /// A call allocates; where it must help to mark, that is CPU time of its own.
    fn allocate(&mut self, cx: &mut Cx<'_>, index: u32, bytes: u64) -> Option<Next> {
        let assist = self.memory.as_mut().map_or(0, |memory| memory.allocates(index, bytes));
        (assist > 0).then(|| self.compute(cx, index, assist))
    }

    /// Answers the call and goes on for nobody, in a frame of its own.
    fn reply_early(&mut self, cx: &mut Cx<'_>, index: u32, outcome: Outcome) {
        let strand = self.strand(index);
        if std::mem::replace(&mut strand.replied, true) {
            return;
        }
        let call = strand.call;
        let answer = cx.answer(outcome);
        let twin = cx.detach(call);
        cx.set_ticket(twin, index + 1);
        self.strand(index).call = twin;
        cx.post(Next::reply(call, answer));
    }

    pub(super) fn make_call(&mut self, cx: &mut Cx<'_>, index: u32, link: u16, asks: &Asks, waits: bool) -> CallId {
        let (node, salt) = self.links[link as usize];
        let strand = self.strand(index);
        let call = strand.call;
        let ordinal = &mut strand.ordinals[(link as usize).min(7)];
        let nth = *ordinal as u32;
        *ordinal = ordinal.wrapping_add(1);
        let profile = if asks.op.is_some() || asks.size_bytes.is_some() {
            let own = cx.profile(call);
            let op = asks.op.unwrap_or(own.op);
            Some(cx.intern_profile(Profile { op, size_bytes: asks.size_bytes.unwrap_or(own.size_bytes) }))
        } else {
            None
        };
        let to = To { node, link: salt, ordinal: nth, profile, path: 0, is_retry: false };
        let child = if waits { cx.call(call, to) } else { cx.call_and_forget(call, to) };
        if let Some(guard) = self.guard.as_mut().filter(|_| waits) {
            guard.called(cx.now(), index, link);
        }
        if let Some(key) = asks.key {
            cx.set_data_key(child, key);
        }
        if asks.size_bytes.is_some() {
            cx.set_more_bytes(child, 0);
        }
        child
    }
}

/// An instruction with its draws made: nothing of it refers to the program any more.
enum Action {
    Nothing,
    Compute(Span),
    Wait(Span),
    Block(Span),
    Call { link: u16, asks: Asks },
    Send { link: u16, asks: Asks },
    Fork { tasks: u64, items: u64, cost: Cost },
    EndBranch,
    Loop { times: u64, slot: u8, after: Place },
    Again { slot: u8, begin: Place },
    Jump(Place),
    Lock { lock: u16, by_priority: bool, inherits: bool },
    Unlock { lock: u16 },
    Offload,
    ComeBack,
    Reply(Outcome),
    Fail(Outcome),
    Allocate(u64),
    Leak,
    End,
}

/// Makes an instruction's draws.
#[inline]
fn decode(instruction: &Instruction, cx: &mut Cx<'_>, call: CallId) -> Action {
    let happens =
        |probability: f64, cx: &mut Cx<'_>| probability >= 1.0 || cx.draw(call, PURPOSE_STEP).unit() < probability;
    match instruction {
        Instruction::Cpu(dist) => match sample(dist, cx, call, PURPOSE_STEP) {
            0 => Action::Nothing,
            work => Action::Compute(work),
        },
        Instruction::CpuByDemand(dist) => match by_demand(sample(dist, cx, call, PURPOSE_STEP), cx, call) {
            0 => Action::Nothing,
            work => Action::Compute(work),
        },
        Instruction::Wait(dist) => Action::Wait(sample(dist, cx, call, PURPOSE_STEP)),
        Instruction::Block(dist) => match sample(dist, cx, call, PURPOSE_STEP) {
            0 => Action::Nothing,
            span => Action::Block(span),
        },
        Instruction::Call { link, asks, .. } => Action::Call { link: *link, asks: *asks },
        Instruction::Send { link, asks } => Action::Send { link: *link, asks: *asks },
        Instruction::Fork { branches, cost, .. } => {
            Action::Fork { tasks: branches.len() as u64, items: 0, cost: *cost }
        }
        Instruction::Split { items, per_task, cost, .. } => {
            let items = items.sample_count(&mut cx.draw(call, PURPOSE_STEP));
            Action::Fork { tasks: items.div_ceil(*per_task), items, cost: *cost }
        }
        Instruction::EndBranch => Action::EndBranch,
        Instruction::Loop { times, slot, after } => {
            let times = times.sample_count(&mut cx.draw(call, PURPOSE_STEP));
            Action::Loop { times, slot: *slot, after: *after }
        }
        Instruction::Again { slot, begin } => Action::Again { slot: *slot, begin: *begin },
        Instruction::Choose { weights, places } => {
            Action::Jump(places[weights.sample(&mut cx.draw(call, PURPOSE_STEP))])
        }
        Instruction::Jump(place) => Action::Jump(*place),
        Instruction::Lock { lock, by_priority, inherits } => {
            Action::Lock { lock: *lock, by_priority: *by_priority, inherits: *inherits }
        }
        Instruction::Unlock { lock } => Action::Unlock { lock: *lock },
        Instruction::Offload => Action::Offload,
        Instruction::ComeBack => Action::ComeBack,
        Instruction::Reply(outcome) => Action::Reply(*outcome),
        Instruction::Allocate { bytes } => Action::Allocate(*bytes),
        Instruction::Fail { probability, outcome } if happens(*probability, cx) => Action::Fail(*outcome),
        Instruction::Leak { probability } if happens(*probability, cx) => Action::Leak,
        Instruction::Fail { .. } | Instruction::Leak { .. } => Action::Nothing,
        Instruction::End => Action::End,
    }
}

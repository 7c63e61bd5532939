//! The account of a replica's memory brought up to date: who comes and goes, who is killed, what is collected.

use sim_core::{CallId, Commit, Cx, Happens, Next, Outcome, Timer};

use super::memory::{HEAP_EXHAUSTED, NO_MEMORY, NO_THREAD, Tasks};
use super::replica::{MARKED, Service};
use crate::appeals::{DIES, OF_MEMORY, OOM_KILLED};
use crate::memory::collector::Due;
use crate::runtimes::{Holds, STACK, TaskMemory};

impl Service {
    /// A call arrives at a replica whose memory is modelled.
    #[inline(never)]
    pub(super) fn admit_into_memory(&mut self, cx: &mut Cx<'_>, call: CallId, priority: u8) -> Next {
        let makes_a_thread = self.plan.terms.facts.holds == Holds::Task && self.door.has_room();
        let each = self.plan.terms.facts.memory.filter(|each| makes_a_thread && !each.in_advance);
        if let (Some(memory), Some(each)) = (&mut self.memory, each)
            && (memory.room(cx) < each.reserved_bytes || !memory.has_thread())
        {
            memory.threads_refused += 1;
            return Next::reply(call, cx.answer(Outcome::Unavailable));
        }
        if let Some(memory) = &mut self.memory {
            memory.arrives(cx, call);
        }
        let next = self.admit(cx, call, priority);
        // One that was refused has not begun, and does not wait.
        if next.answers(call) && cx.ticket(call) == 0 {
            self.forget_call(call);
        }
        self.settle_memory(cx);
        next
    }

    /// A call goes that has not begun.
    pub(super) fn forget_call(&mut self, call: CallId) {
        if let Some(memory) = &mut self.memory {
            memory.leaves(call.index());
        }
    }

    fn tasks_in_memory(&self) -> Tasks {
        let facts = &self.plan.terms.facts;
        let none = TaskMemory { reserved_bytes: 0, touched_bytes: 0, in_advance: false };
        let each = facts.memory.unwrap_or(none);
        let count = match facts.holds {
            _ if each.in_advance => facts.workers.map_or(0, u64::from),
            Holds::Task => self.door.held(),
            Holds::RunningCode => self.tasks.value(),
            Holds::Nothing => 0,
        };
        let beside = self.blocking.as_ref().map_or(0, |threads| threads.slots.held());
        let workers = match facts.holds {
            Holds::Task if each.in_advance => count,
            Holds::Task => self.door.held(),
            Holds::RunningCode => facts.workers.map_or(0, u64::from),
            Holds::Nothing => 0,
        };
        let is_thread = facts.holds == Holds::Task && facts.noun == "threads";
        let stack = if is_thread { each } else { STACK };
        Tasks { count, each, beside, threads: workers + beside, stack }
    }

    /// Brings the account up to date; kills who uses too much and collects what is due.
    #[inline(never)]
    pub(super) fn settle_memory(&mut self, cx: &mut Cx<'_>) {
        let (tasks, waiting) = (self.tasks_in_memory(), self.door.line().len());
        let Some(memory) = &mut self.memory else { return };
        if memory.terms.listens {
            cx.set_accept_queue(waiting as u64);
        }
        for call in self.door.take_gone() {
            memory.leaves(call);
        }
        if memory.is_dying {
            return;
        }
        if memory.collecting.is_some() {
            self.collect(cx);
        }
        let Some(memory) = &mut self.memory else { return };
        let used = memory.sum_up(cx.now(), tasks);
        let most = cx.use_memory(memory.account, used);
        let is_too_much =
            memory.terms.commit == Commit::Touched && memory.terms.limit.is_some_and(|limit| used.resident > limit);
        if is_too_much || most == Some(cx.node()) {
            self.dies(cx, &OOM_KILLED);
        } else if let Some(other) = most {
            cx.ask_supervisor_about(other, DIES, OF_MEMORY);
        }
    }

    /// It starts: what it needs for that must be there.
    pub(super) fn start_in_memory(&mut self, cx: &mut Cx<'_>) {
        let tasks = self.tasks_in_memory();
        let Some(memory) = &mut self.memory else { return };
        let used = memory.sum_up(cx.now(), tasks);
        if memory.terms.threads_max.is_some_and(|max| memory.threads.value() > max) {
            memory.clear(cx.now());
            return self.dies(cx, &NO_THREAD);
        }
        let own = memory.terms.limit.filter(|_| memory.terms.commit == Commit::Reserved);
        if used.reserved > own.unwrap_or(u64::MAX).min(cx.memory_room(memory.account)) {
            memory.clear(cx.now());
            return self.dies(cx, &NO_MEMORY);
        }
        self.settle_memory(cx);
    }

    fn dies(&mut self, cx: &mut Cx<'_>, why: &'static Happens) {
        let Some(memory) = &mut self.memory else { return };
        memory.is_dying = true;
        cx.happened(why);
        if why.name != NO_THREAD.name {
            cx.note_kill(cx.node());
        }
        cx.ask_supervisor(DIES, 0);
    }

    #[inline(never)]
    fn collect(&mut self, cx: &mut Cx<'_>) {
        let Some(collecting) = self.memory.as_mut().and_then(|memory| memory.collecting.as_mut()) else { return };
        // Promoting survivors can fill the heap, so that one collection can follow on another.
        while let Some(due) = collecting.heap.due() {
            match due {
                Due::Young => {
                    collecting.young += 1;
                    let copying = collecting.heap.collect_young();
                    collecting.pause(cx, copying);
                }
                Due::Full => {
                    collecting.full += 1;
                    let copying = collecting.heap.collect_all();
                    collecting.pause(cx, copying);
                }
                Due::Cycle => {
                    collecting.cycles += 1;
                    let (work, markers) = (collecting.heap.begin_cycle(), collecting.how.markers.max(1));
                    collecting.marking = markers;
                    let share = (work / u64::from(markers)).max(1);
                    for _ in 0..markers {
                        let timer = Timer { what: MARKED, data: collecting.cycles };
                        match self.cpu {
                            Some(cpu) => drop(cx.cpu(cpu, share, timer)),
                            None => drop(cx.work(share, timer)),
                        }
                    }
                }
                Due::Exhausted => return self.dies(cx, &HEAP_EXHAUSTED),
            }
        }
    }

    /// One of those who mark has finished; `cycle` is the number of the cycle.
    pub(super) fn marked(&mut self, cx: &mut Cx<'_>, cycle: u64) -> Next {
        let Some(collecting) = self.memory.as_mut().and_then(|memory| memory.collecting.as_mut()) else {
            return Next::WAIT;
        };
        if cycle == collecting.cycles && collecting.marking > 0 {
            collecting.marking -= 1;
            if collecting.marking == 0 {
                collecting.heap.end_cycle();
            }
        }
        self.settle_memory(cx);
        Next::WAIT
    }
}

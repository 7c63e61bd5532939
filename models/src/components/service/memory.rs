//! What a replica has in memory: the process, its threads or tasks, the calls that are there, and what these have allocated.
//!
//! Threads and tasks are counted where they are kept; calls are noted when they come and go. After each entry the account is
//! brought up to date, which is when a process that uses too much is killed and a collection that is due takes place.

use sim_core::dist::Dist;
use sim_core::figures::Set;
use sim_core::gauge::Gauge;
use sim_core::histogram::Histogram;
use sim_core::random::Stream;
use sim_core::{CallId, Commit, Cx, Figure, Figures, Happens, MemoryId, MemoryUse, Next, Outcome, Span, Time, Timer};

use super::replica::{MARKED, Service};
use crate::appeals::{DIES, OF_MEMORY, OOM_KILLED, STANDS_STILL};
use crate::memory::collector::{Collector, Due, Objects, Terms};
use crate::runtimes::{Holds, STACK, TaskMemory};

const MEMORY_LIMIT: Figure =
    Figure::level("memory_limit", "Memory limits of the replicas, together. Only with `memory.limit`.").in_bytes();
const OF_TASKS: Figure = Figure::gauge(
    "memory_of.tasks",
    "Memory of threads, processes or tasks, as far as they have touched it, time average. Only where memory is modelled.",
)
.in_bytes();
const OF_CALLS: Figure = Figure::gauge(
    "memory_of.calls",
    "Memory of calls from their arrival to their end (`per_call`, `size`) and of what they have allocated, time average. Only where \
     memory is modelled.",
)
.in_bytes();
const OF_CONNECTIONS: Figure = Figure::gauge(
    "memory_of.connections",
    "Memory of connections that callers keep open (`per_connection`) and of the threads that these hold, time average. Only where \
     memory is modelled.",
)
.in_bytes();
const CONNECTIONS: Figure = Figure::level(
    "connections",
    "Connections that callers keep open: those of `connections` workloads and of pools. Only where memory is modelled.",
);
const THREADS: Figure = Figure::gauge(
    "threads",
    "Threads of the operating system: workers, those that block, and those of connections, time average. Only where memory is modelled.",
);
const OF_GARBAGE: Figure =
    Figure::gauge("memory_of.garbage", "Garbage that is not collected yet, time average. Only with `gc`.").in_bytes();
const THREADS_REFUSED: Figure = Figure::count(
    "threads_refused",
    "Calls that failed with `unavailable` because there could be no further thread, for `threads_max` or for want of memory to reserve. \
     Only with `threads_max` or `commit: reserved`.",
);
const PAUSES: Figure =
    Figure::times("pauses", "Pauses of garbage collection, during which the process stands still. Only with `gc`.");
const GC_SHARE: Figure = Figure::share(
    "gc.share",
    "Share of the time during which the process stands still for garbage collection. Only with `gc`.",
)
.kept();
const GC_YOUNG: Figure = Figure::count("gc.young", "Collections of the young generation. Only with `gc`.");
const GC_FULL: Figure = Figure::count("gc.full", "Collections of the whole heap. Only with `gc`.");
const GC_CYCLES: Figure = Figure::count("gc.cycles", "Concurrent cycles that have begun. Only with `gc`.");

/// What they report.
pub(super) const FIGURES: Set = &[
    &MEMORY_LIMIT,
    &OF_TASKS,
    &OF_CALLS,
    &OF_CONNECTIONS,
    &CONNECTIONS,
    &THREADS,
    &OF_GARBAGE,
    &THREADS_REFUSED,
    &PAUSES,
    &GC_SHARE,
    &GC_YOUNG,
    &GC_FULL,
    &GC_CYCLES,
];

pub(super) static NO_MEMORY: Happens =
    Happens { name: "no_memory", doc: "The process could not reserve the memory that it needs to start, and died." };
pub(super) static NO_THREAD: Happens =
    Happens { name: "no_thread", doc: "The process needs more threads to start than it may have, and died." };
pub(super) static HEAP_EXHAUSTED: Happens = Happens {
    name: "heap_exhausted",
    doc: "The heap was full of objects in use after a collection, and the process died.",
};

/// What the memory of a replica goes by.
#[derive(Clone, Debug)]
pub(super) struct MemoryTerms {
    pub(super) limit: Option<u64>,
    pub(super) commit: Commit,
    pub(super) base: u64,
    pub(super) per_call: u64,
    pub(super) per_connection: u64,
    /// Threads of each connection that callers keep open …
    pub(super) threads_per_connection: u64,
    /// … how many of these there are …
    pub(super) connections: u64,
    /// … and the threads of those that it keeps open itself.
    pub(super) pool_threads: u64,
    pub(super) threads_max: Option<u64>,
    /// Whether those who wait are connections that have not been accepted.
    pub(super) listens: bool,
    pub(super) collected: Option<Collected>,
}

/// How garbage is collected.
#[derive(Clone, Debug)]
pub(super) struct Collected {
    pub(super) terms: Terms,
    pub(super) pause: Dist,
    /// Tasks that mark during a cycle.
    pub(super) markers: u32,
    pub(super) assists: bool,
}

/// Collecting garbage, with what it has taken.
#[derive(Clone, Debug)]
struct Collecting {
    how: Collected,
    heap: Collector,
    draws: Stream,
    /// Markers that have not finished the cycle under way.
    marking: u32,
    pauses: Histogram,
    paused: u128,
    /// When it goes on after the last pause.
    until: Time,
    young: u64,
    full: u64,
    cycles: u64,
}

/// The memory of a replica.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    terms: MemoryTerms,
    account: MemoryId,
    /// What each call that waits keeps alive, by index of the call …
    of_calls: Vec<Objects>,
    /// … and each strand.
    of_strands: Vec<Objects>,
    /// What all of them keep alive, where nothing is collected.
    alive: u64,
    collecting: Option<Box<Collecting>>,
    /// Whether it has been told to die, and has not yet.
    is_dying: bool,
    reserved: u64,
    tasks: Gauge,
    connections: Gauge,
    calls: Gauge,
    garbage: Gauge,
    threads: Gauge,
    threads_refused: u64,
    measured_from: Time,
}

/// How much threads and tasks are.
#[derive(Clone, Copy)]
struct Tasks {
    count: u64,
    each: TaskMemory,
    /// Threads beside the workers.
    beside: u64,
    /// Threads of the operating system among all of these.
    threads: u64,
    /// The stack of a thread.
    stack: TaskMemory,
}

impl MemoryTerms {
    /// Threads that connections hold.
    fn fixed_threads(&self) -> u64 {
        self.connections * self.threads_per_connection + self.pool_threads
    }

    /// Memory of connections, with the stacks of their threads.
    fn of_connections(&self, stack: TaskMemory) -> MemoryUse {
        let (threads, own) = (self.fixed_threads(), self.connections * self.per_connection);
        MemoryUse {
            reserved: own.saturating_add(threads * stack.reserved_bytes),
            resident: own.saturating_add(threads * stack.touched_bytes),
        }
    }
}

impl Tasks {
    fn memory(self) -> MemoryUse {
        let sum = |each: u64, beside: u64| (self.count * each).saturating_add(self.beside * beside);
        MemoryUse {
            reserved: sum(self.each.reserved_bytes, self.stack.reserved_bytes),
            resident: sum(self.each.touched_bytes, self.stack.touched_bytes),
        }
    }
}

impl Memory {
    pub(super) fn new(terms: MemoryTerms, account: MemoryId, draws: Stream) -> Memory {
        let gauge = || Gauge::new(0, 0);
        let collecting = terms.collected.clone().map(|how| {
            let heap = Collector::new(how.terms);
            let pauses = Histogram::new();
            Box::new(Collecting {
                how,
                heap,
                draws,
                marking: 0,
                pauses,
                paused: 0,
                until: 0,
                young: 0,
                full: 0,
                cycles: 0,
            })
        });
        Memory {
            terms,
            account,
            of_calls: Vec::new(),
            of_strands: Vec::new(),
            alive: 0,
            collecting,
            is_dying: false,
            reserved: 0,
            tasks: gauge(),
            connections: gauge(),
            calls: gauge(),
            garbage: gauge(),
            threads: gauge(),
            threads_refused: 0,
            measured_from: 0,
        }
    }

    fn take(&mut self, mut objects: Objects, bytes: u64) -> Objects {
        match &mut self.collecting {
            Some(collecting) => collecting.heap.allocate(&mut objects, bytes),
            None => {
                objects.take(Objects::of(bytes), 0);
                self.alive += bytes;
            }
        }
        objects
    }

    fn drop(&mut self, objects: Objects) {
        match &mut self.collecting {
            Some(collecting) => collecting.heap.drop(objects),
            None => self.alive -= objects.bytes(),
        }
    }

    /// A call has come.
    fn arrives(&mut self, cx: &Cx<'_>, call: CallId) {
        let index = call.index() as usize;
        if self.of_calls.len() <= index {
            self.of_calls.resize(index + 1, Objects::default());
        }
        let bytes = self.terms.per_call.saturating_add(cx.profile(call).size_bytes);
        self.of_calls[index] = self.take(Objects::default(), bytes);
    }

    /// A call that waited goes without having begun.
    pub(super) fn leaves(&mut self, call: u32) {
        let objects = self.of_calls.get_mut(call as usize).map(std::mem::take).unwrap_or_default();
        self.drop(objects);
    }

    fn of_strand(&mut self, strand: u32) -> &mut Objects {
        let index = strand as usize;
        if self.of_strands.len() <= index {
            self.of_strands.resize(index + 1, Objects::default());
        }
        &mut self.of_strands[index]
    }

    /// The task of a call begins.
    pub(super) fn begins(&mut self, call: CallId, strand: u32) {
        let objects = self.of_calls.get_mut(call.index() as usize).map(std::mem::take).unwrap_or_default();
        *self.of_strand(strand) = objects;
    }

    /// A strand is over: what it has allocated is its parent's, or garbage.
    pub(super) fn ends(&mut self, strand: u32, parent: Option<u32>, stays: bool) {
        let objects = std::mem::take(self.of_strand(strand));
        let ages = self.collecting.as_ref().map_or(0, |collecting| collecting.heap.ages());
        match parent {
            Some(parent) => self.of_strand(parent).take(objects, ages),
            // A task that never ends keeps what it has.
            None if stays => {}
            None => self.drop(objects),
        }
    }

    /// A strand allocates; the CPU time that it owes the collector for that.
    pub(super) fn allocates(&mut self, strand: u32, bytes: u64) -> Span {
        let objects = *self.of_strand(strand);
        *self.of_strand(strand) = self.take(objects, bytes);
        let assisted = self.collecting.as_ref().filter(|c| c.how.assists && c.heap.is_marking());
        assisted.map_or(0, |collecting| collecting.heap.takes(bytes))
    }

    /// Threads and tasks are so many from now on; what all use.
    fn sum_up(&mut self, now: Time, tasks: Tasks) -> MemoryUse {
        let of_tasks = tasks.memory();
        let (alive, used, heap) = match &self.collecting {
            Some(collecting) => {
                let heap = &collecting.heap;
                (heap.alive() - self.terms.base, heap.used() - self.terms.base, heap.heap())
            }
            None => (self.alive, self.alive, None),
        };
        let connections = self.terms.of_connections(tasks.stack);
        let process = self.terms.base.saturating_add(used);
        self.threads.set(now, tasks.threads + self.terms.fixed_threads());
        self.connections.set(now, connections.resident);
        let used_now = MemoryUse {
            reserved: (of_tasks.reserved.saturating_add(connections.reserved))
                .saturating_add(heap.map_or(process, |heap| heap.max(process))),
            resident: of_tasks.resident.saturating_add(connections.resident).saturating_add(process),
        };
        self.tasks.set(now, of_tasks.resident);
        self.calls.set(now, alive);
        self.garbage.set(now, used - alive);
        self.reserved = used_now.reserved;
        used_now
    }

    fn gauges(&mut self) -> [&mut Gauge; 5] {
        [&mut self.tasks, &mut self.connections, &mut self.calls, &mut self.garbage, &mut self.threads]
    }

    /// Whether there may be another thread.
    fn has_thread(&self) -> bool {
        self.terms.threads_max.is_none_or(|max| self.threads.value() < max)
    }

    /// How much more it may reserve.
    fn room(&self, cx: &Cx<'_>) -> u64 {
        let own = self.terms.limit.filter(|_| self.terms.commit == Commit::Reserved);
        own.map_or(u64::MAX, |limit| limit.saturating_sub(self.reserved)).min(cx.memory_room(self.account))
    }

    /// The process is gone, with all that it had.
    pub(super) fn clear(&mut self, now: Time) {
        self.of_calls.clear();
        self.of_strands.clear();
        self.alive = 0;
        (self.is_dying, self.reserved) = (false, 0);
        if let Some(collecting) = &mut self.collecting {
            collecting.heap.clear();
            collecting.marking = 0;
        }
        for gauge in self.gauges() {
            gauge.set(now, 0);
        }
    }

    pub(super) fn begin_measuring(&mut self, now: Time) {
        for gauge in self.gauges() {
            gauge.reset(now);
        }
        (self.threads_refused, self.measured_from) = (0, now);
        if let Some(collecting) = &mut self.collecting {
            collecting.pauses = Histogram::new();
            (collecting.paused, collecting.young, collecting.full, collecting.cycles) = (0, 0, 0, 0);
        }
    }

    pub(super) fn figures(&self, now: Time, figures: &mut Figures) {
        if let Some(limit) = self.terms.limit {
            figures.level(&MEMORY_LIMIT, limit);
        }
        figures.gauge(&OF_TASKS, &self.tasks, now);
        figures.gauge(&OF_CALLS, &self.calls, now);
        figures.gauge(&OF_CONNECTIONS, &self.connections, now);
        figures.level(&CONNECTIONS, self.terms.connections);
        figures.gauge(&THREADS, &self.threads, now);
        if self.terms.commit == Commit::Reserved || self.terms.threads_max.is_some() {
            figures.count(&THREADS_REFUSED, self.threads_refused);
        }
        if let Some(collecting) = &self.collecting {
            figures.gauge(&OF_GARBAGE, &self.garbage, now);
            figures.times(&PAUSES, &collecting.pauses);
            figures.ratio(&GC_SHARE, collecting.paused, now.saturating_sub(self.measured_from));
            figures.count(&GC_YOUNG, collecting.young);
            figures.count(&GC_FULL, collecting.full);
            figures.count(&GC_CYCLES, collecting.cycles);
        }
    }
}

impl Collecting {
    /// The process stands still for a collection that copies for so long, after others of this instant.
    fn pause(&mut self, cx: &mut Cx<'_>, copying: Span) {
        let pause = self.how.pause.sample_span(&mut self.draws).saturating_add(copying);
        self.pauses.record(pause);
        self.paused += u128::from(pause);
        self.until = self.until.max(cx.now()).saturating_add(pause);
        cx.ask_supervisor(STANDS_STILL, self.until - cx.now());
    }
}

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

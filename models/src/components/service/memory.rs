//! What a replica has in memory: the process, its threads or tasks, the calls that are there, and what these have allocated.
//!
//! Threads and tasks are counted where they are kept; calls are noted when they come and go. After each entry the account is
//! brought up to date, which is when a process that uses too much is killed and a collection that is due takes place.

use sim_core::dist::Dist;
use sim_core::figures::Set;
use sim_core::gauge::Gauge;
use sim_core::histogram::Histogram;
use sim_core::random::Stream;
use sim_core::{CallId, Commit, Cx, Figure, Figures, Happens, MemoryId, MemoryUse, Span, Time};

use crate::appeals::STANDS_STILL;
use crate::memory::collector::{Collector, Objects, Terms};
use crate::runtimes::TaskMemory;

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
     Only where memory is modelled.",
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
pub(super) struct Collecting {
    pub(super) how: Collected,
    pub(super) heap: Collector,
    pub(super) draws: Stream,
    /// Markers that have not finished the cycle under way.
    pub(super) marking: u32,
    pub(super) pauses: Histogram,
    pub(super) paused: u128,
    /// When it goes on after the last pause.
    pub(super) until: Time,
    pub(super) young: u64,
    pub(super) full: u64,
    pub(super) cycles: u64,
}

/// The memory of a replica.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) terms: MemoryTerms,
    pub(super) account: MemoryId,
    /// What each call that waits keeps alive, by index of the call …
    pub(super) of_calls: Vec<Objects>,
    /// … and each strand.
    pub(super) of_strands: Vec<Objects>,
    /// What all of them keep alive, where nothing is collected.
    pub(super) alive: u64,
    pub(super) collecting: Option<Box<Collecting>>,
    /// Whether it has been told to die, and has not yet.
    pub(super) is_dying: bool,
    pub(super) reserved: u64,
    pub(super) tasks: Gauge,
    pub(super) connections: Gauge,
    pub(super) calls: Gauge,
    pub(super) garbage: Gauge,
    pub(super) threads: Gauge,
    pub(super) threads_refused: u64,
    pub(super) measured_from: Time,
}

/// How much threads and tasks are.
#[derive(Clone, Copy)]
pub(super) struct Tasks {
    pub(super) count: u64,
    pub(super) each: TaskMemory,
    /// Threads beside the workers.
    pub(super) beside: u64,
    /// Threads of the operating system among all of these.
    pub(super) threads: u64,
    /// The stack of a thread.
    pub(super) stack: TaskMemory,
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
    pub(super) fn arrives(&mut self, cx: &Cx<'_>, call: CallId) {
        let index = call.index() as usize;
        if self.of_calls.len() <= index {
            self.of_calls.resize(index + 1, Objects::default());
        }
        let bytes = self.terms.per_call.saturating_add(cx.size_bytes(call));
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
    pub(super) fn sum_up(&mut self, now: Time, tasks: Tasks) -> MemoryUse {
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
    pub(super) fn has_thread(&self) -> bool {
        self.terms.threads_max.is_none_or(|max| self.threads.value() < max)
    }

    /// How much more it may reserve.
    pub(super) fn room(&self, cx: &Cx<'_>) -> u64 {
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
        figures.count(&THREADS_REFUSED, self.threads_refused);
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
    pub(super) fn pause(&mut self, cx: &mut Cx<'_>, copying: Span) {
        let pause = self.how.pause.sample_span(&mut self.draws).saturating_add(copying);
        self.pauses.record(pause);
        self.paused += u128::from(pause);
        self.until = self.until.max(cx.now()).saturating_add(pause);
        cx.ask_supervisor(STANDS_STILL, self.until - cx.now());
    }
}

//! One replica of a service: what it is made of, and what it remembers of the calls that it serves.

use std::collections::VecDeque;
use std::sync::Arc;

use sim_core::calendar::TimerId;
use sim_core::gauge::Gauge;
use sim_core::slab::Slab;
use sim_core::{CallId, CpuId, CpuJob, Cx, NodeId, Span, Time};

use super::guard::Guard;
use super::instances::Instances;
use super::interpreter::{self, Interpreter};
use super::lag::Lag;
use super::memory::Memory;
use super::plan::Plan;
use super::ready::Ready;
use super::switches::Switches;
use super::threads::Threads;
use super::workforce::Workforce;
use crate::door::Door;
use crate::steps::program::{LOOPS, Place};

/// Why time passes for a strand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// It waits.
    Wait,
    /// It blocks what runs it.
    Block,
    /// Something is paid for that holds what runs it.
    Cost,
    /// It has been given what it waited for, and goes on by an event of its own.
    Granted,
}

impl Pass {
    /// Whether it holds whatever runs it.
    pub(super) fn blocks(self) -> bool {
        match self {
            Pass::Block | Pass::Cost => true,
            Pass::Wait | Pass::Granted => false,
        }
    }
}

/// What a strand is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Doing {
    /// Instructions.
    Runs,
    /// It waits for a worker, to go on.
    Ready,
    /// A core works for it.
    Computes(CpuJob),
    /// A timer runs: a wait, a block, a cost; until then by the replica's own clock.
    Passes { timer: TimerId, until: Time, why: Pass },
    /// It waits for the interpreter.
    WaitsForInterpreter(interpreter::Place),
    /// It waits for a thread, to block for so long or to run its next steps there.
    WaitsForThread { span: Option<Span> },
    /// A thread beside the workers blocks for it.
    Blocks { timer: TimerId },
    /// A call is under way.
    Calls(CallId),
    /// It waits for a lock.
    WaitsForLock(u16),
    /// It waits for its branches.
    Joins,
    /// It was interrupted with so much left, and waits for a worker.
    Interrupted { left: Span, computes: bool },
}

/// One place in a handler.
#[derive(Clone, Debug)]
pub(super) struct Strand {
    pub(super) call: CallId,
    pub(super) place: Place,
    pub(super) doing: Doing,
    /// The strand that waits for this branch.
    pub(super) parent: Option<u32>,
    /// Branches still going, and successes still needed.
    pub(super) branches: u32,
    pub(super) needed: u32,
    /// Branches started so far, and how many there will be (while starting them costs time).
    pub(super) started: u32,
    pub(super) to_start: u64,
    pub(super) loops: [u64; LOOPS],
    /// Calls made over each of the first links; tells the draws of repeated calls apart.
    pub(super) ordinals: [u16; 8],
    /// Since when it has held its worker.
    pub(super) holding_since: Time,
    pub(super) holds_worker: bool,
    pub(super) replied: bool,
    pub(super) leaks: bool,
    pub(super) cancelled: bool,
    /// It runs on a thread beside the workers.
    pub(super) is_beside: bool,
    /// It waits and keeps its worker, where others give theirs back.
    pub(super) keeps_worker: bool,
    /// How important those are who wait for its locks and lend it that.
    pub(super) lent: u8,
    /// Locks that it holds or waits for.
    pub(super) locks: u16,
    /// What of a piece of work was left when it had to make way.
    pub(super) left: Span,
    /// What going on with it takes of a core, until that is paid.
    pub(super) owed: u32,
    /// Operations in this turn that did not have to wait.
    pub(super) spent: u32,
    /// Which worker serves it, where they are told apart.
    pub(super) worker: u32,
    /// For how long the cores had stood still when they began to work for it.
    pub(super) stood: Span,
    /// Goes off when its code makes way for other code, or its worker is killed.
    pub(super) alarm: Option<TimerId>,
}

impl Strand {
    /// A loop begins: so many turns, or on to what is behind it.
    #[inline]
    pub(super) fn begin_loop(&mut self, times: u64, slot: u8, after: Place) {
        if times == 0 {
            self.place = after;
        } else {
            self.loops[slot as usize] = times;
        }
    }

    /// A turn of a loop is over: there is another, or it goes on behind it.
    #[inline]
    pub(super) fn turn_loop(&mut self, slot: u8, begin: Place) {
        let left = &mut self.loops[slot as usize];
        *left = left.saturating_sub(1);
        if *left > 0 {
            self.place = begin;
        }
    }
}

/// A lock: who holds it, who waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Lock {
    pub(super) holder: Option<u32>,
    pub(super) waiting: VecDeque<Waiter>,
}

/// Who waits for a lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    /// Where it stands in line: 0 for those to whom their importance is nothing.
    pub(super) priority: u8,
    pub(super) strand: u32,
    /// Whether the holder counts as important as it.
    pub(super) lends: bool,
}

/// Nobody has lent a strand their importance.
pub(super) const UNLENT: u8 = u8::MAX;

pub(super) const STEP: u8 = 0;
pub(super) const SINGLE: u8 = 1;
/// From here on timers are rare.
pub(super) const CLOSED: u8 = 2;
pub(super) const BLOCKED: u8 = 3;
pub(super) const SLICE: u8 = 4;
pub(super) const ASKED: u8 = 5;
pub(super) const KILLED: u8 = 6;
pub(super) const WOKEN: u8 = 7;
pub(super) const GUARDED: u8 = 8;
pub(super) const MARKED: u8 = 9;

/// One replica.
#[derive(Clone, Debug)]
#[repr(C, align(64))] // What each call needs lies in few lines of the cache, at the beginning: a large system has thousands.
pub struct Service {
    pub(super) plan: Arc<Plan>,
    /// A task gives its worker back while it waits ([`crate::runtimes::Facts::frees_while_waiting`]).
    pub(super) frees_while_waiting: bool,
    /// Who can go on goes on, at once and for nothing.
    pub(super) goes_on_freely: bool,
    /// Code can be cut short, or going on with a task takes something of a core.
    pub(super) pays: bool,
    /// Its cores may stand still because their quota is spent.
    pub(super) has_quota: bool,
    pub(super) preempts: bool,
    /// How long a call may wait is drawn for it.
    pub(super) ages: bool,
    /// More matters to a call that arrives than whether a worker is free.
    pub(super) admits_specially: bool,
    /// Before the workers.
    pub(super) door: Door,
    pub(super) links: Vec<(NodeId, u32)>,
    pub(super) cpu: Option<CpuId>,
    pub(super) strands: Slab<Strand>,
    /// Strands that have begun and wait for a worker to go on.
    pub(super) ready: Box<Ready>,
    /// Goes off when a loop that sleeps wakes up for a timer that is due.
    pub(super) waking: Option<TimerId>,
    pub(super) locks: Vec<Lock>,
    /// Calls that are served, by strand, where the more important interrupt the less.
    pub(super) interruptible: Vec<u32>,
    /// Room for the branches that are begun at once.
    pub(super) begun: Vec<(u32, CallId)>,
    pub(super) leaked: u64,
    /// The longest that a strand has held its worker without a pause, where they give theirs back while they wait.
    pub(super) longest_turn: Span,
    /// Threads for what blocks or is offloaded, where the runtime has them.
    pub(super) blocking: Option<Box<Threads>>,
    /// Where one task at a time runs code.
    pub(super) interpreter: Option<Box<Interpreter>>,
    /// Where workers are started for calls.
    pub(super) instances: Option<Box<Instances>>,
    /// Where workers are replaced.
    pub(super) workforce: Option<Box<Workforce>>,
    /// Where it is usual to measure how late timers are.
    pub(super) lag: Option<Box<Lag>>,
    /// Where memory is modelled.
    pub(super) memory: Option<Box<Memory>>,
    pub(super) switches: Switches,
    /// CPU time of the last poll for ready events, ns, which the next call to begin pays.
    pub(super) polled: Span,
    /// Workers held by strands that wait, where they would give them back.
    pub(super) kept: Gauge,
    /// Strands that there are, and those that never end, where they give their workers back while they wait.
    pub(super) tasks: Gauge,
    /// What bounds and turns away calls beside the queue.
    pub(super) guard: Option<Box<Guard>>,
}

impl Service {
    /// At the start of a run.
    pub(super) fn new(plan: Plan, links: Vec<(NodeId, u32)>, cpu: Option<CpuId>, guard: Option<Box<Guard>>) -> Service {
        let facts = plan.terms.facts;
        let threads = facts.blocking_threads().or(facts.offload.filter(|_| plan.offloads));
        let blocking = threads.map(|count| Box::new(Threads::new(count)));
        let door = Door::new(None, plan.terms.admission.line());
        let mut service = Service {
            plan: Arc::new(plan),
            links,
            cpu,
            frees_while_waiting: false,
            goes_on_freely: false,
            pays: false,
            has_quota: false,
            preempts: false,
            ages: false,
            admits_specially: false,
            door,
            strands: Slab::new(),
            ready: Box::new(Ready::new(facts.order, facts.timer, facts.poll.is_some())),
            waking: None,
            locks: Vec::new(),
            interruptible: Vec::new(),
            begun: Vec::new(),
            leaked: 0,
            longest_turn: 0,
            blocking,
            interpreter: facts.interpreter.map(|interval| Box::new(Interpreter::new(interval))),
            instances: facts.instances.map(|terms| Box::new(Instances::new(terms))),
            workforce: facts.recycle.map(|terms| Box::new(Workforce::new(terms))),
            lag: facts.has_lag.then(|| Box::new(Lag::new())),
            memory: None,
            switches: Switches::default(),
            polled: 0,
            kept: Gauge::new(0, 0),
            tasks: Gauge::new(0, 0),
            guard,
        };
        service.settle();
        let admission = &service.plan.terms.admission;
        service.door = Door::new(service.places(), admission.line()).with_margin(admission.min_remaining());
        service
    }

    /// The same with memory.
    pub(super) fn with_memory(mut self, memory: Option<Memory>) -> Service {
        self.memory = memory.map(Box::new);
        if self.memory.is_some() {
            self.door.keep_gone();
        }
        self.settle();
        self
    }

    /// Takes from the settings in force what every call needs.
    pub(super) fn settle(&mut self) {
        let terms = &self.plan.terms;
        let facts = &terms.facts;
        self.frees_while_waiting = facts.frees_while_waiting();
        self.pays = facts.slice.is_some() || facts.interpreter.is_some() || facts.switch > 0 || facts.poll.is_some();
        self.goes_on_freely = !facts.takes_turns() && facts.switch == 0;
        self.preempts = terms.admission.preempts();
        self.ages = terms.admission.queue.as_ref().is_some_and(|q| q.max_age.is_some());
        self.admits_specially =
            self.frees_while_waiting || self.preempts || terms.admission.heeds_more() || self.instances.is_some();
        self.admits_specially |= self.guard.is_some();
        self.admits_specially |= self.memory.is_some();
        self.locks = vec![Lock::default(); self.plan.locks];
    }

    pub(super) fn strand(&mut self, index: u32) -> &mut Strand {
        self.strands.get_mut(index).expect("a strand lives until it is ended")
    }

    pub(super) fn new_strand(&mut self, cx: &mut Cx<'_>, call: CallId, place: Place, parent: Option<u32>) -> u32 {
        let index = self.strands.insert(Strand {
            call,
            place,
            doing: Doing::Runs,
            parent,
            branches: 0,
            needed: 0,
            started: 0,
            to_start: 0,
            loops: [0; LOOPS],
            ordinals: [0; 8],
            holding_since: cx.now(),
            holds_worker: false,
            replied: false,
            leaks: false,
            cancelled: false,
            is_beside: false,
            keeps_worker: false,
            lent: UNLENT,
            locks: 0,
            left: 0,
            owed: 0,
            spent: 0,
            worker: 0,
            stood: 0,
            alarm: None,
        });
        cx.set_ticket(call, index + 1);
        if self.frees_while_waiting {
            self.tasks.up(cx.now());
        }
        index
    }

    /// A strand is over; one that `stays` is a task for ever.
    pub(super) fn remove_strand(&mut self, now: Time, index: u32, stays: bool) -> Strand {
        if self.frees_while_waiting && !stays {
            self.tasks.down(now);
        }
        let strand = self.strands.remove(index).expect("a strand is removed once");
        if let Some(memory) = &mut self.memory {
            memory.ends(index, strand.parent, stays);
        }
        strand
    }
}

//! One replica of a service: what it is made of, and what it remembers of the calls that it serves.

use std::collections::VecDeque;
use std::sync::Arc;

use sim_core::calendar::TimerId;
use sim_core::slab::Slab;
use sim_core::{CallId, CpuId, CpuJob, Cx, NodeId, Span, Time};

use super::plan::Plan;
use super::threads::Threads;
use crate::door::Door;
use crate::steps::program::{LOOPS, Place};

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
    Passes { timer: TimerId, until: Time, blocks: bool },
    /// It waits for a thread to block for so long.
    WaitsToBlock { span: Span },
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
    pub(super) waiting: VecDeque<(u8, u32)>,
}

pub(super) const STEP: u8 = 0;
pub(super) const SINGLE: u8 = 1;
/// From here on timers are rare.
pub(super) const CLOSED: u8 = 2;
pub(super) const BLOCKED: u8 = 3;

/// One replica.
#[derive(Clone, Debug)]
#[repr(C, align(64))] // What each call needs lies in few lines of the cache, at the beginning: a large system has thousands.
pub struct Service {
    pub(super) plan: Arc<Plan>,
    /// A task gives its worker back while it waits ([`crate::runtimes::Facts::frees_while_waiting`]).
    pub(super) frees_while_waiting: bool,
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
    /// Strands that have begun and wait for a worker to go on, with the instant since which they do.
    pub(super) ready: VecDeque<(u32, Time)>,
    pub(super) locks: Vec<Lock>,
    /// Calls that are served, by strand, where the more important interrupt the less.
    pub(super) interruptible: Vec<u32>,
    /// Room for the branches that are begun at once.
    pub(super) begun: Vec<(u32, CallId)>,
    pub(super) leaked: u64,
    /// The longest that a strand has held its worker without a pause, where they give theirs back while they wait.
    pub(super) longest_turn: Span,
    /// Threads for what blocks, where the runtime has them.
    pub(super) blocking: Option<Box<Threads>>,
}

impl Service {
    /// At the start of a run.
    pub(super) fn new(plan: Plan, links: Vec<(NodeId, u32)>, cpu: Option<CpuId>) -> Service {
        let blocking = plan.terms.facts.blocking_threads().map(|count| Box::new(Threads::new(count)));
        let door = Door::new(plan.terms.facts.workers, plan.terms.admission.line());
        let mut service = Service {
            plan: Arc::new(plan),
            links,
            cpu,
            frees_while_waiting: false,
            preempts: false,
            ages: false,
            admits_specially: false,
            door,
            strands: Slab::new(),
            ready: VecDeque::new(),
            locks: Vec::new(),
            interruptible: Vec::new(),
            begun: Vec::new(),
            leaked: 0,
            longest_turn: 0,
            blocking,
        };
        service.settle();
        service
    }

    /// Takes from the settings in force what every call needs.
    pub(super) fn settle(&mut self) {
        let terms = &self.plan.terms;
        self.frees_while_waiting = terms.facts.frees_while_waiting();
        self.preempts = terms.admission.preempts();
        self.ages = terms.admission.queue.as_ref().is_some_and(|q| q.max_age.is_some());
        self.admits_specially = self.frees_while_waiting || self.preempts || terms.admission.heeds_more();
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
        });
        cx.set_ticket(call, index + 1);
        index
    }
}

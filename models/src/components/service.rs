//! A service: application code in replicas, with a runtime, handlers and links to others.
//!
//! A call is admitted by a worker of the runtime or waits in the one queue before them. Its handler is a program
//! ([`crate::steps::program`]); a *strand* is one place in it, with a frame of its own, so that a reply or a timer finds
//! its strand, and branches side by side draw their random numbers independently.
//!
//! ```text
//!   call ─▶ [queue] ─▶ worker ─▶ step ─▶ step ─▶ … ─▶ answer
//!                                 │ cpu: the replica's cores, shared
//!                                 │ wait, call: holds a thread, frees an event loop
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use settings::{Cores, Duration, DurationDist, Map, Name, Setting, Spanned};
use sim_core::calendar::TimerId;
use sim_core::slab::Slab;
use sim_core::slots::{Admission, Slots};
use sim_core::{
    Answer, CallId, Component, CpuId, CpuJob, Cx, Figures, Merge, Next, NodeId, Outcome, Profile, Span, Time,
    Timer, To,
};

use crate::admission::AdmissionSettings;
use crate::components::{Kind, Links, Site};
use crate::link::{LinkSettings, sample};
use crate::policies::not_yet::NotYet;
use crate::runtimes::RuntimeSettings;
use crate::steps::program::{Asks, Cost, Failure, Instruction, LOOPS, Names, Place, Program};
use crate::steps::{Step, walk};

/// Cores of a replica's own, or its share of its host's.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "request")]
pub struct CpuSettings {
    /// Cores. On `hosts`, the replica's weight when the host's cores are short.
    pub request: Cores,
    /// The most cores that it may use.
    pub limit: Option<NotYet>,
}

/// How replicas are placed on hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Placement {
    /// One host after the other.
    Spread,
    /// A host is filled before the next is begun.
    Pack,
}

/// Where replicas run.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "on")]
pub struct HostsSettings {
    /// The group of hosts.
    pub on: Spanned<Name>,
    /// How they are placed.
    #[setting(default = "spread")]
    pub placement: Placement,
}

/// Application code, in replicas.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// How many replicas run.
    #[setting(default = 1, range = "1..=100000")]
    pub replicas: u32,
    /// The hosts that they run on; without it each replica has its `cpu` for itself.
    pub hosts: Option<HostsSettings>,
    /// Where they are.
    pub region: Option<Spanned<Name>>,
    /// Cores of each replica.
    pub cpu: Option<CpuSettings>,
    /// What handlers run on.
    #[setting(live)]
    pub runtime: RuntimeSettings,
    /// Who is let in.
    #[setting(default = "{}", live)]
    pub admission: AdmissionSettings,
    /// What is done for each operation; `default` for those without a handler of their own.
    pub handlers: Map<Vec<Step>>,
    /// The links to others.
    #[setting(default = "{}")]
    pub calls: Map<LinkSettings>,
    /// How long a replica takes to come up after a restart.
    #[setting(default = "0s")]
    pub start_up: DurationDist,
    /// After how long a replica that was killed is replaced; without it never.
    pub replace_after: Option<Duration>,
    /// Memory of each replica.
    pub memory: Option<NotYet>,
    /// Graceful shutdown.
    pub shutdown: Option<NotYet>,
    /// Garbage collection.
    pub gc: Option<NotYet>,
    /// Scaling by load.
    pub autoscale: Option<NotYet>,
}

const EXAMPLE: &str = "\
kind: service
replicas: 3
cpu: 2
runtime: {thread_pool: {threads: 50}}
admission: {queue: {max: 200}}
handlers:
  default:
    - cpu: {exp: 2ms}
    - call: db
calls:
  db: {to: db, timeout: 300ms, pool: {size: 10}}
";

/// What a strand is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Doing {
    /// Instructions.
    Runs,
    /// It waits for a turn on a loop.
    Ready,
    /// A core works for it.
    Computes(CpuJob),
    /// A timer runs: a wait, a block, a cost; until then.
    Passes { timer: TimerId, until: Time, blocks: bool },
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
struct Strand {
    call: CallId,
    place: Place,
    doing: Doing,
    /// The strand that waits for this branch.
    parent: Option<u32>,
    /// Branches still going, and successes still needed.
    branches: u32,
    needed: u32,
    /// Branches started so far, and how many there will be (while starting them costs time).
    started: u32,
    to_start: u64,
    loops: [u64; LOOPS],
    /// Calls made over each of the first links; tells the draws of repeated calls apart.
    ordinals: [u16; 8],
    /// Since when it has held its worker.
    holding_since: Time,
    holds_worker: bool,
    replied: bool,
    leaks: bool,
    cancelled: bool,
}

/// A lock: who holds it, who waits.
#[derive(Clone, Debug, Default)]
struct Lock {
    holder: Option<u32>,
    waiting: VecDeque<(u8, u32)>,
}

/// What all replicas share; fixed but for what a live change replaces.
#[derive(Clone, Debug)]
struct Plan {
    settings: Settings,
    program: Program,
    /// Where the handler of each operation begins.
    handlers: Vec<Option<Place>>,
    locks: usize,
    changes: Vec<(u32, Settings)>,
}

const STEP: u8 = 0;
const CLOSED: u8 = 1;

const PURPOSE_STEP: u32 = 0x7374;
const PURPOSE_AGE: u32 = 0x6167;

/// One replica.
#[derive(Clone, Debug)]
pub struct Service {
    plan: Arc<Plan>,
    links: Vec<(NodeId, u32)>,
    cpu: Option<CpuId>,
    is_loop: bool,
    preempts: bool,
    slots: Slots,
    strands: Slab<Strand>,
    /// Strands that have begun and wait for their loop, with the instant since which they do.
    ready: VecDeque<(u32, Time)>,
    locks: Vec<Lock>,
    /// Calls that are served, by strand, where the more important interrupt the less.
    interruptible: Vec<u32>,
    dropped: Vec<u32>,
    leaked: u64,
}

struct Compiler<'a> {
    links: Vec<&'a str>,
    ops: &'a [String],
    locks: Vec<String>,
}

impl Names for Compiler<'_> {
    fn link(&self, name: &str) -> u16 {
        self.links.iter().position(|l| *l == name).unwrap_or(0) as u16
    }

    fn op(&self, name: &str) -> u16 {
        self.ops.iter().position(|o| o == name).unwrap_or(0) as u16
    }

    fn lock(&mut self, name: &str) -> u16 {
        let at = self.locks.iter().position(|l| l == name).unwrap_or_else(|| {
            self.locks.push(name.to_string());
            self.locks.len() - 1
        });
        at as u16
    }
}

impl Kind for Service {
    const NAME: &'static str = "service";
    const EXAMPLE: &'static str = EXAMPLE;
    type Settings = Settings;

    fn links(settings: &Settings) -> Links<'_> {
        settings.calls.iter().map(|entry| (entry.name.as_str(), &entry.value)).collect()
    }

    fn replicas(settings: &Settings) -> u32 {
        settings.replicas
    }

    fn region(settings: &Settings) -> Option<&Spanned<Name>> {
        settings.region.as_ref()
    }

    fn replace_after(settings: &Settings) -> Option<Span> {
        settings.replace_after.map(|d| d.0)
    }

    fn start_up(settings: &Settings) -> Option<&sim_core::dist::Dist> {
        Some(&settings.start_up.0)
    }

    fn hosts(settings: &Settings) -> Option<&HostsSettings> {
        settings.hosts.as_ref()
    }

    fn answers(settings: &Settings) -> crate::components::Answers<'_> {
        crate::components::Answers::Ops(settings.handlers.iter().map(|h| h.name.as_str()).collect())
    }

    fn asks(settings: &Settings) -> Vec<crate::components::Ask<'_>> {
        let mut asks = Vec::new();
        for handler in &settings.handlers {
            walk(&handler.value, &mut |step| {
                let (link, op, size) = match step {
                    Step::Call(call) => (&call.link, call.op.as_ref(), call.size),
                    Step::Send(send) => (&send.link, send.op.as_ref(), send.size),
                    _ => return,
                };
                asks.push(crate::components::Ask { handler: Some(handler.name.as_str()), link, op, size_bytes: size.map(|s| s.0) });
            });
        }
        asks
    }

    fn check(settings: &Settings, checks: &mut crate::components::Checks<'_>) {
        check::settings(settings, checks);
    }

    fn build(settings: &Settings, site: &mut Site<'_>) -> Service {
        let links: Vec<&str> = settings.calls.iter().map(|c| c.name.as_str()).collect();
        let ops = site.ops().to_vec();
        let mut compiler = Compiler { links, ops: &ops, locks: Vec::new() };
        let mut program = Program::default();
        let places: Vec<(&str, Place)> = settings
            .handlers
            .iter()
            .map(|handler| (handler.name.as_str(), program.add(&handler.value, &mut compiler)))
            .collect();
        let of = |op: &str| places.iter().find(|(name, _)| *name == op).map(|(_, place)| *place);
        let handlers = ops.iter().map(|op| of(op).or_else(|| of("default"))).collect();
        let locks = compiler.locks.len();
        let links = settings.calls.iter().map(|c| site.link(c.name.as_str())).collect();
        let cpu = site.cpu(settings.cpu.as_ref().map(|c| c.request.0), settings.hosts.as_ref());
        let slots = Slots::new(settings.runtime.workers(), settings.admission.line());
        let mut service = Service {
            plan: Arc::new(Plan { settings: settings.clone(), program, handlers, locks, changes: Vec::new() }),
            links,
            cpu,
            is_loop: false,
            preempts: false,
            slots,
            strands: Slab::new(),
            ready: VecDeque::new(),
            locks: Vec::new(),
            interruptible: Vec::new(),
            dropped: Vec::new(),
            leaked: 0,
        };
        service.settle();
        service
    }

    fn prepare(&mut self, change: u32, settings: &Settings) {
        Arc::make_mut(&mut self.plan).changes.push((change, settings.clone()));
    }
}

impl Service {
    fn settle(&mut self) {
        let settings = &self.plan.settings;
        self.is_loop = settings.runtime.is_loop();
        self.preempts = settings.admission.preempts();
        self.locks = vec![Lock::default(); self.plan.locks];
    }

    fn strand(&mut self, index: u32) -> &mut Strand {
        self.strands.get_mut(index).expect("a strand lives until it is ended")
    }

    fn new_strand(&mut self, cx: &mut Cx<'_>, call: CallId, place: Place, parent: Option<u32>) -> u32 {
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

    /// A call that has a worker begins.
    fn begin(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let place = self.plan.handlers[cx.profile(call).op as usize].expect("every operation was checked to be handled");
        let index = self.new_strand(cx, call, place, None);
        self.strand(index).holds_worker = true;
        if self.preempts {
            self.interruptible.push(index);
        }
        let (start, _) = self.plan.settings.runtime.start_and_close();
        if start > 0 {
            return self.pass(cx, index, start, true);
        }
        self.run(cx, index)
    }

    /// Lets time pass for a strand; `blocks` holds whatever runs it.
    fn pass(&mut self, cx: &mut Cx<'_>, index: u32, span: Span, blocks: bool) -> Next {
        if span == 0 {
            return self.run(cx, index);
        }
        let call = self.strand(index).call;
        let before = cx.now();
        let timer = cx.work(span, Timer::of(STEP, call));
        let until = before.saturating_add(span);
        self.strand(index).doing = Doing::Passes { timer, until, blocks };
        if !blocks {
            self.let_go(cx, index);
        }
        Next::Wait
    }

    /// A strand that waits gives its loop back (a thread it keeps).
    fn let_go(&mut self, cx: &mut Cx<'_>, index: u32) {
        if !self.is_loop || !self.strand(index).holds_worker {
            return;
        }
        self.release(cx, index);
        self.dispatch(cx);
    }

    fn release(&mut self, cx: &mut Cx<'_>, index: u32) {
        let strand = self.strand(index);
        if !std::mem::replace(&mut strand.holds_worker, false) {
            return;
        }
        let (call, since) = (strand.call, strand.holding_since);
        let abandoned = cx.abandoned_since(call);
        self.slots.give_back(cx.now(), since, abandoned);
    }

    /// Free workers go to those that wait: strands that have begun and calls that have not, whoever waits longest.
    fn dispatch(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        while self.slots.has_room() {
            let oldest = self.slots.line.oldest_since();
            let ready_first = match (self.ready.front(), oldest) {
                (Some((_, since)), Some(oldest)) => *since <= oldest,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return,
            };
            let then = if ready_first {
                let Some((index, _)) = self.ready.pop_front() else { return };
                self.slots.take(now);
                let strand = self.strand(index);
                strand.holds_worker = true;
                strand.holding_since = now;
                self.run(cx, index)
            } else {
                let mut dropped = std::mem::take(&mut self.dropped);
                let next = self.slots.next(now, &mut dropped);
                for call in dropped.drain(..) {
                    let call = cx.open_call(call);
                    let answer = cx.answer(Outcome::Overload);
                    cx.post(Next::Reply(call, answer));
                }
                self.dropped = dropped;
                let Some(next) = next else { continue };
                let call = cx.open_call(next.call);
                self.take_up(cx, call, next.waited)
            };
            cx.post(then);
        }
    }

    /// A call comes out of the queue with a worker.
    fn take_up(&mut self, cx: &mut Cx<'_>, call: CallId, waited: Span) -> Next {
        let arrived = cx.since(call);
        let ticket = cx.ticket(call);
        if ticket > 0 {
            return self.go_on(cx, ticket - 1);
        }
        cx.measure().waited(arrived, waited);
        if cx.baggage(call).deadline <= cx.now() {
            self.slots.give_back(cx.now(), cx.now(), None);
            return Next::Reply(call, cx.answer(Outcome::Timeout));
        }
        self.begin(cx, call)
    }

    /// A strand that was interrupted has a worker again.
    fn go_on(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let now = cx.now();
        let strand = self.strand(index);
        strand.holds_worker = true;
        strand.holding_since = now;
        let Doing::Interrupted { left, computes } = strand.doing else { return self.run(cx, index) };
        self.interruptible.push(index);
        if computes { self.compute(cx, index, left) } else { self.pass(cx, index, left, true) }
    }

    fn compute(&mut self, cx: &mut Cx<'_>, index: u32, work: Span) -> Next {
        let Some(cpu) = self.cpu else { return self.pass(cx, index, work, true) };
        if work == 0 {
            return self.run(cx, index);
        }
        let call = self.strand(index).call;
        let job = cx.cpu(cpu, work, Timer::of(STEP, call));
        self.strand(index).doing = Doing::Computes(job);
        Next::Wait
    }

    /// Something that a strand waited for has come.
    fn resume(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let now = cx.now();
        if !self.is_loop || self.strand(index).holds_worker {
            return self.run(cx, index);
        }
        if self.slots.has_room() && self.ready.is_empty() && self.slots.line.is_empty() {
            self.slots.take(now);
            let strand = self.strand(index);
            strand.holds_worker = true;
            strand.holding_since = now;
            return self.run(cx, index);
        }
        self.strand(index).doing = Doing::Ready;
        self.ready.push_back((index, now));
        self.dispatch(cx);
        Next::Wait
    }

    /// Executes instructions until the strand must wait or is over.
    fn run(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let plan = self.plan.clone();
        loop {
            let strand = self.strand(index);
            strand.doing = Doing::Runs;
            let call = strand.call;
            if strand.cancelled {
                let answer = cx.answer(Outcome::Cancelled);
                return self.end_task(cx, index, answer);
            }
            if cx.baggage(call).deadline <= cx.now() {
                let answer = cx.answer(Outcome::Timeout);
                return self.end_task(cx, index, answer);
            }
            let place = strand.place;
            strand.place += 1;
            match &plan.program.code[place as usize] {
                Instruction::Cpu(dist) => {
                    let work = sample(dist, cx, call, PURPOSE_STEP);
                    if work > 0 {
                        return self.compute(cx, index, work);
                    }
                }
                Instruction::Wait(dist) => {
                    let span = sample(dist, cx, call, PURPOSE_STEP);
                    if span > 0 {
                        return self.pass(cx, index, span, false);
                    }
                }
                Instruction::Block(dist) => {
                    let span = sample(dist, cx, call, PURPOSE_STEP);
                    if span > 0 {
                        return self.pass(cx, index, span, true);
                    }
                }
                Instruction::Call { link, asks, .. } => {
                    let child = self.make_call(cx, index, *link, asks, true);
                    self.strand(index).doing = Doing::Calls(child);
                    self.let_go(cx, index);
                    return Next::Call(child);
                }
                Instruction::Send { link, asks } => {
                    let child = self.make_call(cx, index, *link, asks, false);
                    cx.post(Next::Call(child));
                }
                Instruction::Fork { branches, cost, .. } => {
                    return self.fork(cx, index, place, branches.len() as u64, cost);
                }
                Instruction::Split { items, per_task, cost, .. } => {
                    let items = items.sample_count(&mut cx.draw(call, PURPOSE_STEP));
                    let tasks = items.div_ceil(*per_task);
                    // How many items there are is remembered where the strand's loops are.
                    self.strand(index).loops[LOOPS - 1] = items;
                    return self.fork(cx, index, place, tasks, cost);
                }
                Instruction::EndBranch => return self.end_branch(cx, index, None),
                Instruction::Loop { times, slot, after } => {
                    let times = times.sample_count(&mut cx.draw(call, PURPOSE_STEP));
                    let strand = self.strand(index);
                    if times == 0 {
                        strand.place = *after;
                    } else {
                        strand.loops[*slot as usize] = times;
                    }
                }
                Instruction::Again { slot, begin } => {
                    let strand = self.strand(index);
                    let left = &mut strand.loops[*slot as usize];
                    *left = left.saturating_sub(1);
                    if *left > 0 {
                        strand.place = *begin;
                    }
                }
                Instruction::Choose { weights, places } => {
                    let chosen = weights.sample(&mut cx.draw(call, PURPOSE_STEP));
                    self.strand(index).place = places[chosen];
                }
                Instruction::Jump(place) => self.strand(index).place = *place,
                Instruction::Lock { lock, by_priority } => {
                    if !self.take_lock(cx, index, *lock, *by_priority) {
                        self.let_go(cx, index);
                        return Next::Wait;
                    }
                }
                Instruction::Unlock { lock } => self.give_lock(cx, index, *lock),
                Instruction::Reply(outcome) => {
                    let strand = self.strand(index);
                    if !strand.replied {
                        strand.replied = true;
                        let answer = cx.answer(*outcome);
                        let twin = cx.detach(call);
                        cx.set_ticket(twin, index + 1);
                        self.strand(index).call = twin;
                        cx.post(Next::Reply(call, answer));
                    }
                }
                Instruction::Fail { probability, outcome } => {
                    if *probability >= 1.0 || cx.draw(call, PURPOSE_STEP).unit() < *probability {
                        let answer = cx.answer(*outcome);
                        return self.fail(cx, index, answer);
                    }
                }
                Instruction::Leak { probability } => {
                    if *probability >= 1.0 || cx.draw(call, PURPOSE_STEP).unit() < *probability {
                        self.strand(index).leaks = true;
                    }
                }
                Instruction::End => {
                    let answer = cx.answer(Outcome::Ok);
                    return self.end_task(cx, index, answer);
                }
            }
        }
    }

    fn make_call(&mut self, cx: &mut Cx<'_>, index: u32, link: u16, asks: &Asks, waits: bool) -> CallId {
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
        if let Some(key) = asks.key {
            let baggage = cx.baggage(child);
            cx.set_baggage(child, sim_core::Baggage { data_key: key, ..baggage });
        }
        child
    }

    /// Begins to start branches; what starting them costs passes in the parent.
    fn fork(&mut self, cx: &mut Cx<'_>, index: u32, place: Place, tasks: u64, cost: &Cost) -> Next {
        let strand = self.strand(index);
        strand.started = 0;
        strand.to_start = tasks;
        strand.place = place;
        if tasks == 0 {
            return self.joined(cx, index);
        }
        if cost.each == 0 {
            return self.start_branches(cx, index, tasks);
        }
        let span = if cost.staggered { cost.each } else { cost.each.saturating_mul(tasks) };
        self.strand(index).doing = Doing::Joins;
        if cost.on_cpu { self.compute(cx, index, span) } else { self.pass(cx, index, span, true) }
    }

    /// The cost of one start, or of all, has passed: the strand stands at its fork with branches to start.
    fn cost_passed(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let plan = self.plan.clone();
        let place = self.strand(index).place;
        let cost = match &plan.program.code[place as usize] {
            Instruction::Fork { cost, .. } | Instruction::Split { cost, .. } => *cost,
            _ => unreachable!("only forks have branches to start"),
        };
        if !cost.staggered {
            let tasks = self.strand(index).to_start;
            return self.start_branches(cx, index, tasks);
        }
        let then = self.start_branches(cx, index, 1);
        // The branch that was started may have ended the whole task.
        if then != Next::Wait || self.strands.get(index).is_none() {
            return then;
        }
        let strand = self.strand(index);
        if (strand.started as u64) < strand.to_start {
            return if cost.on_cpu {
                self.compute(cx, index, cost.each)
            } else {
                self.pass(cx, index, cost.each, true)
            };
        }
        Next::Wait
    }

    /// Starts so many of the branches; if those are the last, the strand waits for them.
    fn start_branches(&mut self, cx: &mut Cx<'_>, index: u32, tasks: u64) -> Next {
        let plan = self.plan.clone();
        let place = self.strand(index).place;
        let call = self.strand(index).call;
        let total = self.strand(index).to_start;
        let first = self.strand(index).started;
        if first == 0 {
            let needed = match &plan.program.code[place as usize] {
                Instruction::Fork { need, .. } => (*need as u64).min(total),
                _ => total,
            };
            let strand = self.strand(index);
            strand.needed = needed as u32;
            strand.branches = 0;
        }
        // All are known before the first one runs: one that ends at once must not end the fork.
        let mut begun = Vec::with_capacity(tasks as usize);
        for nth in first..first + tasks as u32 {
            let frame = cx.branch(call, nth);
            let (begin, items) = match &plan.program.code[place as usize] {
                Instruction::Fork { branches, .. } => (branches[nth as usize], 0),
                Instruction::Split { body, per_task, .. } => {
                    let items = self.strand(index).loops[LOOPS - 1];
                    (*body, (items - nth as u64 * per_task).min(*per_task))
                }
                _ => unreachable!("only forks have branches to start"),
            };
            let branch = self.new_strand(cx, frame, begin, Some(index));
            self.strand(branch).loops[0] = items;
            begun.push(branch);
        }
        let strand = self.strand(index);
        strand.started += tasks as u32;
        strand.branches += tasks as u32;
        let all_started = strand.started as u64 == strand.to_start;
        if all_started {
            strand.doing = Doing::Joins;
            self.let_go(cx, index);
        }
        for branch in begun {
            if self.strands.get(branch).is_none() {
                continue;
            }
            let then = if self.is_loop { self.resume(cx, branch) } else { self.run(cx, branch) };
            cx.post(then);
        }
        Next::Wait
    }

    /// A branch is over, well or with a failure.
    fn end_branch(&mut self, cx: &mut Cx<'_>, index: u32, failure: Option<Answer>) -> Next {
        self.drop_locks(cx, index);
        if self.is_loop {
            self.release(cx, index);
        }
        let branch = self.strands.remove(index).expect("it just ended");
        cx.end_branch(branch.call);
        let parent = branch.parent.expect("a branch has a parent");
        let strand = self.strand(parent);
        strand.branches -= 1;
        if failure.is_none() {
            strand.needed -= 1;
        }
        let to_come = strand.to_start - strand.started as u64;
        let still_possible = strand.needed as u64 <= strand.branches as u64 + to_come;
        let then = if strand.needed == 0 && strand.started > 0 {
            self.give_up_branches(cx, parent);
            self.joined_later(cx, parent)
        } else if !still_possible {
            self.fail(cx, parent, failure.expect("only a failure makes it impossible"))
        } else {
            Next::Wait
        };
        if self.is_loop {
            self.dispatch(cx);
        }
        then
    }

    /// Enough branches have succeeded: the strand goes on behind its fork.
    fn joined_later(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        // While starts are still being paid for, they are stopped.
        self.stop(cx, index);
        let place = self.after_fork(index);
        self.strand(index).place = place;
        self.resume(cx, index)
    }

    fn joined(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let place = self.after_fork(index);
        self.strand(index).place = place;
        self.run(cx, index)
    }

    fn after_fork(&mut self, index: u32) -> Place {
        let place = self.strand(index).place;
        match &self.plan.program.code[place as usize] {
            Instruction::Fork { after, .. } | Instruction::Split { after, .. } => *after,
            _ => unreachable!("only forks are joined"),
        }
    }

    /// The branches of a strand that are still going are given up, and theirs.
    fn give_up_branches(&mut self, cx: &mut Cx<'_>, index: u32) {
        if self.strand(index).branches == 0 {
            return;
        }
        let branches: Vec<u32> =
            self.strands.iter().filter(|(_, s)| s.parent == Some(index)).map(|(i, _)| i).collect();
        for branch in branches {
            self.give_up_branches(cx, branch);
            self.stop(cx, branch);
            self.drop_locks(cx, branch);
            if self.is_loop {
                self.release(cx, branch);
            }
            let gone = self.strands.remove(branch).expect("just found");
            cx.end_branch(gone.call);
        }
        self.strand(index).branches = 0;
    }

    /// Ends what a strand is in the middle of.
    fn stop(&mut self, cx: &mut Cx<'_>, index: u32) {
        let strand = self.strand(index);
        match strand.doing {
            Doing::Passes { timer, .. } => {
                cx.cancel(timer);
            }
            Doing::Computes(job) => {
                if let Some(cpu) = self.cpu {
                    cx.cpu_take_back(cpu, job);
                }
            }
            Doing::Calls(child) => {
                cx.abandon(child);
                if self.strand(index).cancelled {
                    cx.cancel_call(child);
                }
            }
            Doing::Ready => self.ready.retain(|(i, _)| *i != index),
            Doing::WaitsForLock(lock) => self.locks[lock as usize].waiting.retain(|(_, i)| *i != index),
            Doing::Interrupted { .. } => {
                let call = self.strand(index).call;
                self.slots.leave(cx.now(), call.index());
            }
            Doing::Runs | Doing::Joins => {}
        }
        self.strand(index).doing = Doing::Runs;
    }

    /// A strand failed: a branch tells its parent, the main strand ends the task.
    fn fail(&mut self, cx: &mut Cx<'_>, index: u32, answer: Answer) -> Next {
        if self.strand(index).parent.is_some() {
            self.give_up_branches(cx, index);
            return self.end_branch(cx, index, Some(answer));
        }
        self.end_task(cx, index, answer)
    }

    /// The task of a call is over.
    fn end_task(&mut self, cx: &mut Cx<'_>, index: u32, answer: Answer) -> Next {
        // A branch that must end tells its parent.
        if self.strand(index).parent.is_some() {
            self.give_up_branches(cx, index);
            return self.end_branch(cx, index, Some(answer));
        }
        self.give_up_branches(cx, index);
        self.drop_locks(cx, index);
        if self.preempts {
            self.interruptible.retain(|i| *i != index);
        }
        let strand = self.strand(index);
        let (call, replied, leaks) = (strand.call, strand.replied, strand.leaks);
        let (_, close) = self.plan.settings.runtime.start_and_close();
        if leaks {
            self.leaked += 1;
        } else if close > 0 && self.strand(index).holds_worker {
            // The thread is there until it is closed.
            let since = self.strand(index).holding_since;
            let abandoned = cx.abandoned_since(call).is_some();
            cx.work(close, Timer { what: CLOSED, data: since << 1 | abandoned as u64 });
        } else {
            self.release(cx, index);
        }
        self.strands.remove(index);
        let then = if replied {
            cx.end_branch(call);
            Next::Wait
        } else {
            Next::Reply(call, answer)
        };
        self.dispatch(cx);
        then
    }

    fn take_lock(&mut self, cx: &mut Cx<'_>, index: u32, lock: u16, by_priority: bool) -> bool {
        let call = self.strand(index).call;
        let entry = &mut self.locks[lock as usize];
        if entry.holder.is_none() {
            entry.holder = Some(index);
            return true;
        }
        let priority = if by_priority { cx.priority(call) } else { 0 };
        let at = entry.waiting.iter().position(|(p, _)| *p > priority).unwrap_or(entry.waiting.len());
        entry.waiting.insert(at, (priority, index));
        self.strand(index).doing = Doing::WaitsForLock(lock);
        false
    }

    fn give_lock(&mut self, cx: &mut Cx<'_>, index: u32, lock: u16) {
        let entry = &mut self.locks[lock as usize];
        if entry.holder != Some(index) {
            return;
        }
        entry.holder = None;
        if let Some((_, next)) = entry.waiting.pop_front() {
            entry.holder = Some(next);
            let then = self.resume(cx, next);
            cx.post(then);
        }
    }

    fn drop_locks(&mut self, cx: &mut Cx<'_>, index: u32) {
        for lock in 0..self.locks.len() {
            self.give_lock(cx, index, lock as u16);
        }
    }

    /// A more important call interrupts the least important one that is served, if there is one less important.
    fn interrupt(&mut self, cx: &mut Cx<'_>, priority: u8) -> bool {
        let now = cx.now();
        let candidates = self.interruptible.iter().filter_map(|i| {
            let strand = self.strands.get(*i)?;
            let works = matches!(strand.doing, Doing::Computes(_) | Doing::Passes { .. });
            let theirs = cx.priority(strand.call);
            (works && theirs > priority).then_some((theirs, *i))
        });
        // The least important; among equals the one that began last.
        let Some((_, index)) = candidates.enumerate().max_by_key(|(n, (p, _))| (*p, *n)).map(|(_, c)| c) else {
            return false;
        };
        let (call, doing) = (self.strand(index).call, self.strand(index).doing);
        let (left, computes) = match (doing, self.cpu) {
            (Doing::Computes(job), Some(cpu)) => match cx.cpu_take_back(cpu, job) {
                Some(left) => (left, true),
                None => return false,
            },
            (Doing::Passes { timer, until, .. }, _) => {
                cx.cancel(timer);
                (until.saturating_sub(now), false)
            }
            _ => return false,
        };
        self.strand(index).doing = Doing::Interrupted { left, computes };
        self.interruptible.retain(|i| *i != index);
        self.release(cx, index);
        self.slots.put_back(now, call.index(), cx.priority(call));
        true
    }
}

impl Component for Service {
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let now = cx.now();
        cx.set_ticket(call, 0);
        let priority = cx.priority(call);
        if self.preempts && !self.slots.has_room() && self.interrupt(cx, priority) {
            self.slots.take(now);
            cx.measure().waited(now, 0);
            return self.begin(cx, call);
        }
        let until = match self.plan.settings.admission.queue.as_ref().and_then(|q| q.max_age.as_ref()) {
            Some(DurationDist(age)) => Some(now.saturating_add(age.sample_span(&mut cx.draw(call, PURPOSE_AGE)))),
            None => None,
        };
        if self.is_loop && !self.ready.is_empty() {
            // Callbacks that are ready come first; the loop is not free for a new call.
            return match self.slots.wait(now, call.index(), priority, until) {
                true => Next::Wait,
                false => Next::Reply(call, cx.answer(Outcome::Overload)),
            };
        }
        match self.slots.ask_until(now, call.index(), priority, until) {
            Admission::Granted => {
                cx.measure().waited(now, 0);
                self.begin(cx, call)
            }
            Admission::Queued => Next::Wait,
            Admission::Full => Next::Reply(call, cx.answer(Outcome::Overload)),
        }
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        let index = cx.ticket(call) - 1;
        if answer.outcome.is_good() {
            return self.resume(cx, index);
        }
        let plan = self.plan.clone();
        let place = self.strand(index).place - 1;
        let Instruction::Call { failure, .. } = &plan.program.code[place as usize] else {
            unreachable!("only calls are answered")
        };
        match failure {
            Failure::Continues => self.resume(cx, index),
            Failure::Jumps(place) => {
                self.strand(index).place = *place;
                self.resume(cx, index)
            }
            Failure::Replies(outcome) => {
                self.strand(index).doing = Doing::Runs;
                let answer = answer.passed_on(*outcome);
                self.fail(cx, index, answer)
            }
            Failure::Ends => {
                self.strand(index).doing = Doing::Runs;
                let answer = answer.passed_on(passed_on(answer.outcome));
                self.fail(cx, index, answer)
            }
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        match timer.what {
            CLOSED => {
                let since = timer.data >> 1;
                let abandoned = (timer.data & 1 == 1).then_some(since);
                self.slots.give_back(cx.now(), since, abandoned);
                self.dispatch(cx);
                return Next::Wait;
            }
            _ => {}
        }
        let call = timer.call();
        if !cx.is_open(call) {
            return Next::Wait;
        }
        let index = cx.ticket(call) - 1;
        let strand = self.strand(index);
        if strand.to_start > strand.started as u64 {
            strand.doing = Doing::Runs;
            return self.cost_passed(cx, index);
        }
        self.resume(cx, index)
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let ticket = cx.ticket(call);
        if ticket == 0 {
            self.slots.leave(cx.now(), call.index());
            return Next::Reply(call, cx.answer(Outcome::Cancelled));
        }
        let index = ticket - 1;
        self.strand(index).cancelled = true;
        match self.strand(index).doing {
            // What runs ends at its step's end.
            Doing::Computes(_) | Doing::Passes { blocks: true, .. } | Doing::Runs | Doing::Ready => Next::Wait,
            _ => {
                self.stop(cx, index);
                let answer = cx.answer(Outcome::Cancelled);
                self.end_task(cx, index, answer)
            }
        }
    }

    fn rebuild(&mut self, now: Time) {
        self.slots.clear(now);
        self.strands = Slab::new();
        self.ready.clear();
        self.interruptible.clear();
        self.settle();
    }

    fn begin_measuring(&mut self, now: Time) {
        self.slots.begin_measuring(now);
        self.leaked = 0;
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        self.slots.figures(now, figures);
        figures.has_queue = self.plan.settings.runtime.workers().is_some();
        if self.leaked > 0 {
            figures.own.push(("tasks_leaked", Merge::Sum, self.leaked as f64));
        }
    }

    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        let Some((_, settings)) = self.plan.changes.iter().find(|(number, _)| *number == change) else {
            return false;
        };
        let mut plan = (*self.plan).clone();
        plan.settings = settings.clone();
        self.plan = Arc::new(plan);
        let settings = &self.plan.settings;
        self.slots.set_capacity(settings.runtime.workers());
        self.slots.line.set_max(settings.admission.max());
        self.dispatch(cx);
        true
    }
}

/// What a caller is told when a call that was made for it failed: what a gateway answers.
fn passed_on(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Overload | Outcome::RateLimited => Outcome::Overload,
        Outcome::Error | Outcome::ClientError => Outcome::Error,
        _ => Outcome::Unavailable,
    }
}

mod check {
    //! What only makes sense together.

    use super::*;
    use crate::components::Checks;
    use crate::steps::{CallStep, ChoiceSettings, SendStep};

    pub(super) fn settings(settings: &Settings, checks: &mut Checks<'_>) {
        let links: Vec<&str> = settings.calls.names().collect();
        let mut used = vec![false; links.len()];
        let mut uses_cpu = None;
        for handler in &settings.handlers {
            let path = format!("handlers.{}", handler.name);
            walk(&handler.value, &mut |step| match step {
                Step::Cpu(_) => uses_cpu = uses_cpu.or(Some(handler.name_span)),
                Step::Call(CallStep { link, .. }) | Step::Send(SendStep { link, .. }) => {
                    match links.iter().position(|l| *l == link.as_str()) {
                        Some(at) => used[at] = true,
                        None => checks.unknown_name("unknown_link", link, "link of this component's `calls`", &links),
                    }
                }
                Step::Choose(choices) if choices.iter().all(|c: &ChoiceSettings| c.weight == 0.0) => {
                    checks.error("no_weight", handler.name_span, &path, "all choices have weight 0", None);
                }
                _ => {}
            });
            if loops(&handler.value) > LOOPS - 1 {
                let message = format!("`repeat` can be nested {} deep", LOOPS - 1);
                checks.error("too_deep", handler.name_span, &path, &message, None);
            }
            inner_replies(&handler.value, false, &mut || {
                let message = "`reply` inside a branch: branches end with their parallel step";
                checks.error("reply_in_branch", handler.name_span, &path, message, Some("put `reply` outside of it"));
            });
        }
        for (entry, used) in settings.calls.iter().zip(used) {
            if !used {
                let path = format!("calls.{}", entry.name);
                let message = format!("no handler calls over `{}`", entry.name);
                checks.warning("unused_link", entry.name_span, &path, &message, Some("remove it, or call over it"));
            }
        }
        if let Some(span) = uses_cpu
            && settings.cpu.is_none()
            && settings.hosts.is_none()
        {
            let help = "write `cpu: 4` for cores of its own, or `hosts: NAME` for a host's";
            checks.error("no_cpu", span, "handlers", "a `cpu` step needs cores, and this service has none", Some(help));
        }
        if matches!(settings.runtime, RuntimeSettings::Unlimited)
            && settings.admission.queue.is_some()
        {
            let message = "`admission.queue` has no effect: with runtime `unlimited` nothing ever waits";
            checks.error("no_effect", checks.span(), "admission.queue", message, Some("remove it, or choose a runtime with workers"));
        }
        if settings.admission.preempts() && settings.runtime.is_loop() {
            let message = "an event loop runs each piece of code to its end: nothing can be preempted";
            checks.error("no_effect", checks.span(), "admission.queue.discipline", message, None);
        }
    }

    fn loops(steps: &[Step]) -> usize {
        let inside = |steps: &[Step]| loops(steps);
        steps
            .iter()
            .map(|step| match step {
                Step::Repeat { steps, .. } => 1 + inside(steps),
                Step::Split(split) => 1 + inside(&split.each),
                Step::Lock { steps, .. } => inside(steps),
                Step::Parallel(p) => p.branches.iter().map(|b| inside(b)).max().unwrap_or(0),
                Step::Choose(c) => c.iter().map(|c| inside(&c.steps)).max().unwrap_or(0),
                _ => 0,
            })
            .max()
            .unwrap_or(0)
    }

    fn inner_replies(steps: &[Step], in_branch: bool, found: &mut impl FnMut()) {
        for step in steps {
            match step {
                Step::Reply(_) if in_branch => found(),
                Step::Parallel(p) => p.branches.iter().for_each(|b| inner_replies(b, true, found)),
                Step::Split(s) => inner_replies(&s.each, true, found),
                Step::Repeat { steps, .. } | Step::Lock { steps, .. } => inner_replies(steps, in_branch, found),
                Step::Choose(c) => c.iter().for_each(|c| inner_replies(&c.steps, in_branch, found)),
                _ => {}
            }
        }
    }
}

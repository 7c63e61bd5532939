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
//!
//! The instructions are executed in `execute.rs`, branches side by side in `branches.rs`, locks in `locks.rs`; `single.rs`
//! is the short way for handlers of one step. Who gets a worker is decided in `workers.rs`; `check.rs` tells which settings
//! make no sense together.

mod branches;
mod check;
mod execute;
mod locks;
mod single;
mod workers;

use std::collections::VecDeque;
use std::sync::Arc;

use locks::Lock;
use settings::{Cores, Duration, DurationDist, Map, Name, Setting, Spanned};
use sim_core::calendar::TimerId;
use sim_core::figures::Set;
use sim_core::slab::Slab;
use sim_core::slots::{self, Admission, Slots};
use sim_core::{
    Ahead, Answer, CallId, Coming, Component, CpuId, CpuJob, Cx, Figure, Figures, Look, Next, NodeId, Outcome, Sight,
    Span, Time, Timer,
};
use single::Single;

use crate::admission::AdmissionSettings;
use crate::components::{Kind, Links, Site};
use crate::demand::{Demand, Limits, Surroundings, Waiting};
use crate::link::LinkSettings;
use crate::policies::not_yet::NotYet;
use crate::runtimes::RuntimeSettings;
use crate::steps::program::{Failure, Instruction, LOOPS, Names, Place, Program};
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
    /// A timer runs: a wait, a block, a cost; until then by the replica's own clock.
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

/// What all replicas share; fixed but for what a live change replaces.
#[derive(Clone, Debug)]
struct Plan {
    settings: Settings,
    program: Program,
    /// Where the handler of each operation begins.
    handlers: Vec<Option<Place>>,
    /// The handlers that are a single step which nothing interrupts, by operation; empty where there are none.
    singles: Vec<Option<Single>>,
    /// The step of every operation that it handles, where that is one and the same: most services have one handler.
    only: Option<Single>,
    locks: usize,
    /// Whether any handler has a `leak`.
    can_leak: bool,
    changes: Vec<(u32, Settings)>,
}

const TASKS_LEAKED: Figure = Figure::count(
    "tasks_leaked",
    "Tasks that never end; each holds its thread for good, or on an event loop nothing. Only where a handler has a `leak`.",
);

const STEP: u8 = 0;
const CLOSED: u8 = 1;
const SINGLE: u8 = 2;

const PURPOSE_STEP: u32 = 0x7374;

/// One replica.
#[derive(Clone, Debug)]
#[repr(C, align(64))] // What each call needs lies in few lines of the cache, at the beginning: a large system has thousands.
pub struct Service {
    plan: Arc<Plan>,
    is_loop: bool,
    preempts: bool,
    /// How long a call may wait is drawn for it.
    ages: bool,
    /// More matters to a call that arrives than whether a worker is free.
    admits_specially: bool,
    /// Whether workers are being given out further up the stack.
    dispatching: bool,
    slots: Slots,
    links: Vec<(NodeId, u32)>,
    cpu: Option<CpuId>,
    strands: Slab<Strand>,
    /// Strands that have begun and wait for their loop, with the instant since which they do.
    ready: VecDeque<(u32, Time)>,
    locks: Vec<Lock>,
    /// Calls that are served, by strand, where the more important interrupt the less.
    interruptible: Vec<u32>,
    dropped: Vec<u32>,
    /// Room for the branches that are begun at once.
    begun: Vec<(u32, CallId)>,
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
    const FIGURES: &'static [Set] = &[slots::FIGURES, &[&TASKS_LEAKED]];
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
                let (at, link, size_bytes) = (link, link.as_str(), size.map(|s| s.0));
                asks.push(crate::components::Ask { handler: Some(handler.name.as_str()), link, at, op, size_bytes });
            });
        }
        asks
    }

    fn gives_keys(settings: &Settings) -> bool {
        let mut sets_keys = false;
        for handler in &settings.handlers {
            walk(&handler.value, &mut |step| {
                sets_keys |= matches!(step, Step::Call(c) if c.key.is_some());
                sets_keys |= matches!(step, Step::Send(c) if c.key.is_some());
            });
        }
        sets_keys
    }

    fn limits(settings: &Settings) -> Limits {
        let workers = settings.runtime.workers().map(|count| (settings.runtime.noun(), count));
        Limits {
            frees_while_waiting: settings.runtime.is_loop(),
            is_threads: settings.runtime.is_threads(),
            cores: settings.cpu.as_ref().map(|cpu| cpu.request.0),
            waiting: if workers.is_some() { settings.admission.waiting() } else { Waiting::Never },
            workers,
            ..Limits::default()
        }
    }

    fn demand(settings: &Settings, op: &str, around: &mut Surroundings<'_>) -> Demand {
        let Some(handler) = settings.handlers.get(op).or_else(|| settings.handlers.get("default")) else {
            return Demand::default();
        };
        let mut demand = crate::steps::demand::demand(handler, around);
        let (start, close) = settings.runtime.start_and_close();
        demand.latency_s += start as f64 / 1e9;
        demand.held_s += (start + close) as f64 / 1e9;
        if settings.runtime.is_loop() {
            demand.held_s = demand.cpu_s * around.stretch + demand.blocks_s;
        }
        demand
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
        let handlers: Vec<Option<Place>> = ops.iter().map(|op| of(op).or_else(|| of("default"))).collect();
        let locks = compiler.locks.len();
        let links = settings.calls.iter().map(|c| site.link(c.name.as_str())).collect();
        let cpu = site.cpu(settings.cpu.as_ref().map(|c| c.request.0), settings.hosts.as_ref());
        let slots = Slots::new(settings.runtime.workers(), settings.admission.line());
        let is_simple = !settings.runtime.is_loop()
            && settings.runtime.start_and_close() == (0, 0)
            && !settings.admission.preempts();
        let single = |place: &Option<Place>| place.and_then(|p| Single::of(&program, p, cpu.is_some()));
        let singles = if is_simple { handlers.iter().map(single).collect() } else { Vec::new() };
        let handled = singles.iter().zip(&handlers).filter(|(_, handler)| handler.is_some());
        let mut of_handled = handled.map(|(single, _): (&Option<Single>, _)| single);
        let first = of_handled.next().cloned().flatten();
        let only = first.filter(|first| of_handled.all(|single| single.as_ref() == Some(first)));
        let mut can_leak = false;
        for handler in &settings.handlers {
            walk(&handler.value, &mut |step| can_leak |= matches!(step, Step::Leak { .. }));
        }
        let settings = settings.clone();
        let plan = Plan { settings, program, handlers, singles, only, locks, can_leak, changes: Vec::new() };
        let mut service = Service {
            plan: Arc::new(plan),
            links,
            cpu,
            is_loop: false,
            preempts: false,
            ages: false,
            admits_specially: false,
            slots,
            strands: Slab::new(),
            ready: VecDeque::new(),
            locks: Vec::new(),
            interruptible: Vec::new(),
            dropped: Vec::new(),
            begun: Vec::new(),
            dispatching: false,
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
        self.ages = settings.admission.queue.as_ref().is_some_and(|q| q.max_age.is_some());
        self.admits_specially = self.is_loop || self.preempts || self.ages;
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

    /// A call arrives where more matters than whether a worker is free: it may interrupt another, wait only so long, or
    /// find callbacks before it.
    #[inline(never)]
    fn admit_specially(&mut self, cx: &mut Cx<'_>, call: CallId, now: Time, priority: u8) -> Next {
        if self.preempts && !self.slots.has_room() && self.interrupt(cx, priority) {
            self.slots.take(now);
            cx.measure().waited(now, 0);
            return self.begin(cx, call, cx.profile_row(call));
        }
        let until = if self.ages { self.plan.settings.admission.until(cx, call) } else { None };
        if self.is_loop && !self.ready.is_empty() {
            // Callbacks that are ready come first; the loop is not free for a new call.
            return match self.slots.wait(now, call.index(), priority, until) {
                true => Next::WAIT,
                false => Next::reply(call, cx.answer(Outcome::Overload)),
            };
        }
        match self.slots.ask_until(now, call.index(), priority, until) {
            Admission::Granted => {
                cx.measure().waited(now, 0);
                self.begin(cx, call, cx.profile_row(call))
            }
            Admission::Queued => Next::WAIT,
            Admission::Full => Next::reply(call, cx.answer(Outcome::Overload)),
        }
    }

    /// A call that has a worker begins.
    #[inline(always)]
    fn begin(&mut self, cx: &mut Cx<'_>, call: CallId, profile: u16) -> Next {
        if let Some(single) = &self.plan.only {
            let span = single.span(cx, call);
            return self.begin_single(cx, call, span);
        }
        let op = usize::from(cx.op_of(profile));
        match self.plan.singles.get(op) {
            Some(Some(single)) => {
                let span = single.span(cx, call);
                self.begin_single(cx, call, span)
            }
            _ => self.begin_strand(cx, call, op),
        }
    }

    #[inline(never)]
    fn begin_strand(&mut self, cx: &mut Cx<'_>, call: CallId, op: usize) -> Next {
        let place = self.plan.handlers[op].expect("every operation was checked to be handled");
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
        let span = cx.stretched(span);
        self.pass_for(cx, index, span, blocks)
    }

    /// The same for a time whose length is settled.
    fn pass_for(&mut self, cx: &mut Cx<'_>, index: u32, span: Span, blocks: bool) -> Next {
        let call = self.strand(index).call;
        let timer = cx.work_on(span, Timer::of(STEP, call));
        let until = cx.own_clock().saturating_add(span);
        self.strand(index).doing = Doing::Passes { timer, until, blocks };
        if !blocks {
            self.let_go(cx, index);
        }
        Next::WAIT
    }

    /// What a strand was busy with is done: the cost of starting branches, or a step.
    fn passed(&mut self, cx: &mut Cx<'_>, index: u32) -> Next {
        let strand = self.strand(index);
        if strand.to_start > strand.started as u64 {
            strand.doing = Doing::Runs;
            return self.cost_passed(cx, index);
        }
        self.resume(cx, index)
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
        // It may have been paying for the starts of more branches.
        self.stop(cx, index);
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
        self.leaked += leaks as u64;
        if leaks && !self.is_loop {
            // Its thread is held for ever. A task that waits for ever on a loop holds none.
        } else if close > 0 && self.strand(index).holds_worker {
            // The thread is there until it is closed.
            // It is held in vain from when its caller gave up, if it did; the last bit tells.
            let since = self.strand(index).holding_since;
            let abandoned = cx.abandoned_since(call);
            let from = abandoned.map_or(since, |abandoned| abandoned.max(since));
            cx.work(close, Timer { what: CLOSED, data: from << 1 | abandoned.is_some() as u64 });
        } else {
            self.release(cx, index);
        }
        self.strands.remove(index);
        let then = if replied {
            cx.end_branch(call);
            Next::WAIT
        } else {
            Next::reply(call, answer)
        };
        self.dispatch(cx);
        then
    }
}

impl Service {
    /// A thread is closed; `data` says since when it was held in vain, and in its last bit, whether it was.
    #[inline(never)]
    fn thread_closed(&mut self, cx: &mut Cx<'_>, data: u64) {
        let from = data >> 1;
        let abandoned = (data & 1 == 1).then_some(from);
        self.slots.give_back(cx.now(), from, abandoned);
        self.dispatch(cx);
    }
}

impl Component for Service {
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let now = cx.now();
        let Look { priority, profile, .. } = cx.look(call.index());
        if !self.admits_specially {
            return match self.slots.ask(now, call.index(), priority) {
                Admission::Granted => {
                    cx.measure().waited(now, 0);
                    self.begin(cx, call, profile)
                }
                Admission::Queued => Next::WAIT,
                Admission::Full => Next::reply(call, cx.answer(Outcome::Overload)),
            };
        }
        self.admit_specially(cx, call, now, priority)
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        let index = cx.ticket(call) - 1;
        if answer.outcome().is_good() {
            return self.resume(cx, index);
        }
        let place = self.strand(index).place - 1;
        let Instruction::Call { failure, .. } = self.plan.program.code[place as usize] else {
            unreachable!("only calls are answered")
        };
        match failure {
            Failure::Continues => self.resume(cx, index),
            Failure::Jumps(place) => {
                self.strand(index).place = place;
                self.resume(cx, index)
            }
            Failure::Replies(outcome) => {
                self.strand(index).doing = Doing::Runs;
                let answer = answer.passed_on(outcome);
                self.fail(cx, index, answer)
            }
            Failure::Ends => {
                self.strand(index).doing = Doing::Runs;
                let answer = answer.passed_on(passed_on(answer.outcome()));
                self.fail(cx, index, answer)
            }
        }
    }

    #[inline(always)]
    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        if timer.what == CLOSED {
            self.thread_closed(cx, timer.data);
            return Next::WAIT;
        }
        let call = timer.call();
        match cx.ticket_if_open(call) {
            None => Next::WAIT,
            Some(ticket) if timer.what == SINGLE => self.single_is_over(cx, call, ticket),
            Some(ticket) => self.passed(cx, ticket - 1),
        }
    }

    #[inline(always)]
    fn look_ahead(&self, ahead: Ahead<'_>, coming: Coming) -> Sight {
        let call = coming.call();
        if ahead.round == 0 {
            ahead.prefetch_call(call);
            self.slots.line.prefetch_first();
            return Sight::Again;
        }
        // Whoever is done here lets the next in line begin.
        if let Some(next) = self.slots.line.first() {
            ahead.prefetch_call(next);
        }
        if coming.is_timer(SINGLE) {
            return Sight::Answers(call);
        }
        self.strands.prefetch(ahead.ticket(call).wrapping_sub(1));
        Sight::Done
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let ticket = cx.ticket(call);
        if ticket == 0 {
            self.slots.leave(cx.now(), call.index());
            return Next::reply(call, cx.answer(Outcome::Cancelled));
        }
        if ticket & single::MARK != 0 {
            return self.cancel_single(cx, call);
        }
        let index = ticket - 1;
        self.strand(index).cancelled = true;
        match self.strand(index).doing {
            // What runs ends at its step's end.
            Doing::Computes(_) | Doing::Passes { blocks: true, .. } | Doing::Runs | Doing::Ready => Next::WAIT,
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
        if self.plan.can_leak {
            figures.count(&TASKS_LEAKED, self.leaked);
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
        self.slots.set_capacity(cx.now(), settings.runtime.workers());
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

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
//!                                 │ block: holds what runs it, or a thread beside the workers
//! ```
//!
//! What a replica is made of stands in `replica.rs`, what all replicas share in `plan.rs`. A strand begins and ends in
//! `strands.rs`; its instructions are executed in `execute.rs`, branches side by side in `branches.rs`, locks in `locks.rs`,
//! threads that block beside the workers in `blocking.rs`; `single.rs` is the short way for handlers of one step. Who gets a
//! worker is decided in `workers.rs`, who may run code in `turns.rs`; `check.rs` tells which settings make no sense together.
//! `calling.rs` lets calls in and out, `memory.rs` says what all take of memory, and
//! `accounts.rs` what follows.
//! `guard.rs` bounds and turns away calls beside the queue.
//! `ready.rs`, `interpreter.rs`, `instances.rs`, `workforce.rs`, `lag.rs` and `switches.rs` are what some runtimes have and
//! others do not, each a structure that knows no engine.

mod accounts;
mod blocking;
mod branches;
mod calling;
mod check;
mod execute;
mod guard;
mod guarding;
mod instances;
mod interpreter;
mod lag;
mod locks;
mod memory;
mod plan;
mod ready;
mod replica;
mod single;
mod strands;
mod switches;
mod threads;
mod turns;
mod workers;
mod workforce;

use std::sync::Arc;

use settings::{Cores, Duration, DurationDist, Map, Money, Name, Setting, Spanned};
use sim_core::figures::Set;
use sim_core::random::{Key, Stream, hash};
use sim_core::slab::Slab;
use sim_core::slots::{self, Admission};
use sim_core::{
    Ahead, Answer, CallId, Coming, Component, Cx, Figure, Figures, Happens, Look, Next, Outcome, Sight, Span, Time,
    Timer,
};

use super::kind::{Answers, Ask, Checks, Kind, Links};
use super::site::Site;
use crate::admission::{AdmissionSettings, shed};
use crate::autoscale::AutoscaleSettings;
use crate::consuming::ConsumeSettings;
use crate::costs;
use crate::demand::{Demand, Limits, Surroundings, Waiting};
use crate::director::FIGURES_OF_PRESENCE;
use crate::hosts::HostsSettings;
use crate::law::Law;
use crate::link::LinkSettings;
use crate::listen::{Closing, ListenSettings};
use crate::memory::gc::GcSettings;
use crate::memory::{CommitSettings, MemorySettings};
use crate::policies::concurrency::{self, ConcurrencySettings};
use crate::policies::or_none::OrNone;
use crate::policies::presets::OrPreset;
use crate::policies::rate_limit;
use crate::probes::ProbesSettings;
use crate::restart::RestartSettings;
use crate::runtimes::{Crash, Facts, RuntimeSettings, TaskMemory};
use crate::shutdown::ShutdownSettings;
use crate::steps::{ReplyWord, Step, StepCall, tasks_at_once, walk, walk_certain};
use calling::passed_on;
use guard::Guard;
use memory::{Collected, Memory, MemoryTerms};
use plan::{Plan, Terms, Work};
use replica::{CLOSED, SINGLE};

pub use replica::Service;

/// Cores of a replica's own, or its share of its host's.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "request")]
pub struct CpuSettings {
    /// Cores. On `hosts`, the replica's weight when the host's cores are short; without it, `limit`.
    pub request: Option<Cores>,
    /// Maximum cores on average, on `hosts`: a quota for each period of 100 ms. Threads may spend it at once and then stand
    /// still for the rest of the period (*throttling*), as with Linux' `cpu.max` and Kubernetes' `limits.cpu`.
    pub limit: Option<Cores>,
}

impl CpuSettings {
    /// What counts against others.
    fn request(&self) -> f64 {
        self.request.or(self.limit).map_or(1.0, |cores| cores.0)
    }
}

/// An application service with replicas.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Number of replicas.
    #[setting(default = 1, range = "1..=100000")]
    pub replicas: u32,
    /// Host group that the replicas run on. Without it each replica has its own `cpu`.
    pub hosts: Option<HostsSettings>,
    /// Region.
    pub region: Option<Spanned<Name>>,
    /// Cores of each replica.
    pub cpu: Option<CpuSettings>,
    /// Runtime of the handlers.
    #[setting(live)]
    pub runtime: RuntimeSettings,
    /// Admission control.
    #[setting(default = "{}", live)]
    pub admission: AdmissionSettings,
    /// Steps for each operation; `default` covers the rest.
    pub handlers: Map<Vec<Step>>,
    /// Links to other components.
    #[setting(default = "{}")]
    pub calls: Map<LinkSettings>,
    /// Queues to consume from.
    pub consumes: Option<Vec<ConsumeSettings>>,
    /// Start-up time after a restart.
    #[setting(default = "0s")]
    pub start_up: DurationDist,
    /// Price of a replica, an hour: while it starts, is ready, or shuts down.
    pub cost: Option<Money>,
    /// Time until a killed replica is replaced. Without it, killed replicas are not replaced.
    pub replace_after: Option<Duration>,
    /// Restarts of a process that has died: killed for its memory, or by a `kill` without `for`. Without it, it stays dead or is
    /// replaced (`replace_after`).
    pub restart: Option<RestartSettings>,
    /// Memory of each replica.
    pub memory: Option<MemorySettings>,
    /// Accepting connections.
    pub listen: Option<ListenSettings>,
    /// Maximum threads of a replica: its workers, those that block, and those of connections (`listen.threads`, `pool.threads`). A
    /// process that needs more to start dies; later a call that needs a thread fails with `unavailable`.
    #[setting(range = "1..=100000000")]
    pub threads_max: Option<u32>,
    /// Probes of each replica by whoever runs it.
    pub probes: Option<ProbesSettings>,
    /// How replicas are shut down that `scale`, `deploy` or `autoscale` remove. Default: they are told to end at once, and have 30 s.
    pub shutdown: Option<ShutdownSettings>,
    /// Garbage collection: settings, a preset, or `none`, the default.
    pub gc: Option<OrNone<OrPreset<GcSettings>>>,
    /// Decides how many replicas there are to be; `replicas` is the initial number.
    pub autoscale: Option<AutoscaleSettings>,
}

impl Settings {
    /// What a replica goes by while it runs.
    fn terms(&self) -> Terms {
        Terms { facts: self.facts(), admission: self.admission.clone() }
    }

    /// What it knows of its runtime.
    fn facts(&self) -> Facts {
        self.runtime.facts(self.cores_to_count())
    }

    /// The cores by which a runtime counts its workers.
    fn cores_to_count(&self) -> Option<f64> {
        self.own_cores().or(self.limit())
    }

    /// Cores of each replica that no other shares.
    fn own_cores(&self) -> Option<f64> {
        self.cpu.as_ref().filter(|_| self.hosts.is_none()).map(CpuSettings::request)
    }

    /// The collector of its garbage.
    fn collector(&self) -> Option<&GcSettings> {
        self.gc.as_ref().and_then(|gc| gc.as_ref()).map(|preset| &preset.0)
    }

    /// Whether its memory is modelled, whatever its hosts have.
    fn has_memory(&self) -> bool {
        let Settings { memory, listen, threads_max, .. } = self;
        memory.is_some() || listen.is_some() || threads_max.is_some() || self.collector().is_some()
    }

    /// The most memory that a replica may use, and what it uses before it serves anybody.
    fn memory_bounds(&self) -> (Option<u64>, u64) {
        let limit = self.memory.as_ref().and_then(|memory| *memory.limit).map(|limit| limit.0);
        (limit, self.memory.as_ref().map_or(0, |memory| memory.base.0))
    }

    /// Calls that a replica has memory for, whatever is sent with them; `None` where it is not limited, or they take none.
    fn memory_for(&self) -> Option<f64> {
        let (limit, base) = self.memory_bounds();
        let heap = self.collector().and_then(|gc| gc.heap(limit));
        let (facts, memory) = (self.facts(), self.memory.as_ref().unwrap_or(&MemorySettings::NONE));
        let counted = |each: TaskMemory| match memory.commit {
            CommitSettings::Touched => each.touched_bytes,
            CommitSettings::Reserved => each.reserved_bytes,
        };
        let task = facts.memory.map_or(0, counted);
        let in_advance = facts.memory.is_some_and(|each| each.in_advance);
        let (workers, task) = if in_advance { (task * facts.workers.map_or(0, u64::from), 0) } else { (0, task) };
        let allocated = self.handlers.iter().map(|handler| {
            let mut bytes = 0;
            walk(&handler.value, &mut |step| bytes += if let Step::Allocate(size) = step { size.0 } else { 0 });
            bytes
        });
        let objects = memory.per_call.0 + allocated.max().unwrap_or(0);
        let room = |of: u64, taken: u64, each: u64| (each > 0).then(|| of.saturating_sub(taken) as f64 / each as f64);
        let of_limit = limit.and_then(|limit| room(limit, base + workers, objects + task));
        let of_heap = heap.and_then(|heap| room(heap, base, objects));
        of_limit.into_iter().chain(of_heap).map(f64::floor).reduce(f64::min)
    }

    /// What the memory of a replica goes by, on a machine with so many cores.
    fn memory_terms(&self, cores: f64) -> MemoryTerms {
        let memory = self.memory.as_ref().unwrap_or(&MemorySettings::NONE);
        let (limit, base) = self.memory_bounds();
        let collected = self.collector().map(|gc| Collected {
            terms: gc.terms(limit, base),
            pause: gc.pause.0.clone(),
            markers: (gc.concurrent_cpu.0 * cores).ceil() as u32,
            assists: gc.assists,
        });
        let Settings { listen, threads_max, .. } = self;
        MemoryTerms {
            limit,
            commit: memory.commit.commit(),
            base,
            per_call: memory.per_call.0,
            per_connection: memory.per_connection.0,
            threads_per_connection: listen.as_ref().map_or(0, |listen| u64::from(listen.threads)),
            threads_max: threads_max.map(u64::from),
            listens: listen.is_some(),
            connections: 0,
            pool_threads: 0,
            collected,
        }
    }

    /// The most cores that it may use of its host's.
    fn limit(&self) -> Option<f64> {
        self.cpu.as_ref().and_then(|cpu| cpu.limit).map(|limit| limit.0)
    }
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

const TASKS_LEAKED: Figure = Figure::count(
    "tasks_leaked",
    "Tasks that never end; each holds its thread for good, or nothing on an event loop and with `async`. Only where a handler has a `leak`.",
);

const LONGEST_TURN: Figure = Figure::max(
    "longest_turn",
    "Longest time that code held a loop or worker without yielding. Only where tasks yield their workers while waiting.",
)
.in_seconds();

const TASKS: Figure = Figure::gauge(
    "tasks",
    "Tasks that have started and not ended, leaked tasks included, time average. Only where tasks release their worker while they \
     wait.",
)
.kept();

const RUNNABLE: Figure = Figure::gauge(
    "runnable",
    "Started tasks that are ready to run and wait for a loop, worker, processor or carrier, or for the interpreter lock, time \
     average. Only on runtimes that have one of these.",
)
.kept();

const BLOCKED_WORKERS: Figure = Figure::gauge(
    "blocked",
    "Loops, workers or carriers held by tasks that wait in a `block` step or are pinned by a lock, time average. Only where \
     tasks release their worker while they wait.",
);

const EVENT_LOOP_LAG: Figure = Figure::times(
    "event_loop_lag",
    "Delay of a repeating 100 ms timer, the usual measure of loop lag. Only with `event_loop` and `async`.",
);

const WAITING_FOR_LOCKS: Figure =
    Figure::level("waiting_for_locks", "Tasks that wait for a lock at the end. Only where a handler has a `lock`.");

impl Kind for Service {
    const NAME: &'static str = "service";
    const SERVES: bool = true;
    const EXAMPLE: &'static str = EXAMPLE;
    const FIGURES: &'static [Set] = &[
        slots::FIGURES,
        &[&TASKS_LEAKED, &LONGEST_TURN, &WAITING_FOR_LOCKS, &TASKS, &RUNNABLE, &BLOCKED_WORKERS, &EVENT_LOOP_LAG],
        threads::FIGURES,
        switches::FIGURES,
        instances::FIGURES,
        workforce::FIGURES,
        sim_core::cpu::FIGURES,
        sim_core::memory::FIGURES,
        sim_core::sockets::FIGURES,
        memory::FIGURES,
        rate_limit::FIGURES_OF_CALLEES,
        concurrency::FIGURES_OF_CALLEES,
        shed::FIGURES,
        FIGURES_OF_PRESENCE,
        costs::FIGURES,
    ];
    const HAPPENS: &'static [&'static Happens] = &[
        &shed::SHEDDING_BEGINS,
        &shed::SHEDDING_ENDS,
        &crate::appeals::OOM_KILLED,
        &memory::NO_MEMORY,
        &memory::NO_THREAD,
        &memory::HEAP_EXHAUSTED,
    ];
    type Settings = Settings;

    fn links(settings: &Settings) -> Links<'_> {
        settings.calls.iter().map(|entry| (entry.name.as_str(), &entry.value)).collect()
    }

    fn consumes(settings: &Settings) -> &[ConsumeSettings] {
        settings.consumes.as_deref().unwrap_or_default()
    }

    fn goes_on_after_answers(settings: &Settings) -> bool {
        let mut goes_on = false;
        for handler in &settings.handlers {
            walk(&handler.value, &mut |step| goes_on |= matches!(step, Step::Send(_) | Step::Reply(_)));
        }
        goes_on
    }

    fn can_accept(settings: &Settings) -> bool {
        let mut accepts = false;
        for handler in &settings.handlers {
            walk(&handler.value, &mut |step| accepts |= matches!(step, Step::Reply(ReplyWord::Accepted)));
        }
        accepts
    }

    fn tasks_at_once(settings: &Settings) -> f64 {
        settings.handlers.iter().map(|handler| tasks_at_once(&handler.value)).fold(1.0, f64::max)
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

    fn shutdown(settings: &Settings) -> Option<ShutdownSettings> {
        // Instances that are started for calls come and go by themselves.
        let can = settings.facts().instances.is_none();
        can.then(|| settings.shutdown.unwrap_or(ShutdownSettings::DEFAULT))
    }

    fn autoscale(settings: &Settings) -> Option<&AutoscaleSettings> {
        settings.autoscale.as_ref()
    }

    fn probes(settings: &Settings) -> Option<&ProbesSettings> {
        settings.probes.as_ref()
    }

    fn cost(settings: &Settings) -> Option<Money> {
        settings.cost
    }

    fn cores_requested(settings: &Settings) -> Option<f64> {
        settings.cpu.as_ref().map(CpuSettings::request)
    }

    fn restart(settings: &Settings) -> Option<RestartSettings> {
        settings.restart
    }

    fn models_memory(settings: &Settings) -> bool {
        settings.has_memory()
    }

    fn stands_still(settings: &Settings) -> bool {
        settings.collector().is_some()
    }

    fn memory_requested(settings: &Settings) -> u64 {
        settings.memory.as_ref().map_or(0, MemorySettings::requested)
    }

    fn start_up(settings: &Settings) -> Option<&sim_core::dist::Dist> {
        // Where instances are started for calls, it is theirs.
        settings.facts().instances.is_none().then_some(&settings.start_up.0)
    }

    fn hosts(settings: &Settings) -> Option<&HostsSettings> {
        settings.hosts.as_ref()
    }

    fn answers(settings: &Settings) -> Answers<'_> {
        Answers::Ops(settings.handlers.iter().map(|h| h.name.as_str()).collect())
    }

    fn asks(settings: &Settings) -> Vec<Ask<'_>> {
        let mut asks = Vec::new();
        for handler in &settings.handlers {
            walk(&handler.value, &mut |step| asks.extend(asked_by(step, handler.name.as_str())));
        }
        asks
    }

    fn certain_asks<'a>(settings: &'a Settings, op: &str) -> Vec<Ask<'a>> {
        let mut asks = Vec::new();
        if let Some(handler) = settings.handlers.entry(op).or_else(|| settings.handlers.entry("default")) {
            walk_certain(&handler.value, &mut |step| asks.extend(asked_by(step, handler.name.as_str())));
        }
        asks
    }

    fn holds_a_worker(settings: &Settings, link: &str) -> bool {
        let mut holds = settings.facts().has_worker_per_task();
        let calls = |step: &Step| step.call().is_some_and(|call| call.link.as_str() == link);
        for handler in &settings.handlers {
            walk(&handler.value, &mut |step| {
                holds &= !(matches!(step, Step::Send(_)) && calls(step));
                for (_, steps) in step.inside().into_iter().filter(|(runs, _)| runs.is_beside()) {
                    walk(steps, &mut |step| holds &= !calls(step));
                }
            });
        }
        holds
    }

    fn closing(settings: &Settings) -> Closing {
        Closing::of(settings.listen.as_ref())
    }

    fn goes_by_client(settings: &Settings) -> bool {
        settings.admission.goes_by_client()
    }

    fn gives_keys(settings: &Settings) -> bool {
        let mut sets_keys = false;
        for handler in &settings.handlers {
            walk(&handler.value, &mut |step| {
                sets_keys |= step.call().is_some_and(|call| call.key.is_some());
            });
        }
        sets_keys
    }

    fn limits(settings: &Settings) -> Limits {
        let facts = settings.facts();
        let workers = facts.workers.map(|count| (facts.noun, count));
        let limit = settings.admission.concurrency.as_ref().and_then(ConcurrencySettings::fixed);
        let workers = match (workers, limit) {
            (Some((noun, count)), Some(limit)) if !facts.frees_while_waiting() => Some((noun, count.min(limit))),
            (None, Some(limit)) => Some(("calls at once", limit)),
            (workers, Some(_) | None) => workers,
        };
        Limits {
            frees_while_waiting: facts.frees_while_waiting(),
            is_threads: facts.has_worker_per_task(),
            blocking_threads: facts
                .blocking_threads()
                .or(facts.offload.filter(|_| check::offloads(&settings.handlers))),
            // Each instance has its own.
            cores: settings.cpu.as_ref().filter(|_| facts.instances.is_none()).map(|cpu| match facts.interpreter {
                Some(_) => cpu.request().min(1.0),
                None => cpu.request(),
            }),
            quota: settings.limit(),
            has_interpreter: facts.interpreter.is_some(),
            runs_code_to_its_end: facts.frees_while_waiting() && facts.slice.is_none(),
            pinned_by_locks: facts.pinned_by_locks,
            rate_per_s: settings.admission.rate_limit.as_ref().and_then(|rate| rate.of_replica().rate_per_s()),
            shares_rate: settings.admission.rate_limit.as_ref().is_some_and(|rate| rate.shared().is_some()),
            waiting: match (workers.is_some(), facts.instances.is_some()) {
                (_, true) => Waiting::UpTo(0),
                (true, false) => settings.admission.waiting(),
                (false, false) => Waiting::Never,
            },
            workers,
            memory_for: settings.memory_for(),
            ..Limits::default()
        }
    }

    fn demand(settings: &Settings, op: &str, around: &mut Surroundings<'_>) -> Demand {
        let Some(handler) = settings.handlers.get(op).or_else(|| settings.handlers.get("default")) else {
            return Demand::default();
        };
        let mut demand = crate::steps::demand::demand(handler, passed_on, around);
        let facts = settings.facts();
        let seconds = |span: Span| Law::always(span as f64 / 1e9);
        demand.answer = demand.answer.map(|law| law.then(&seconds(facts.start)));
        demand.held = demand.held.then(&seconds(facts.start + facts.close));
        if facts.blocking_threads().is_some() {
            demand.offloaded_s += std::mem::take(&mut demand.blocks_s);
        }
        let switches_s = demand.turns * facts.switch as f64 / 1e9;
        demand.cpu_s += switches_s;
        if facts.frees_while_waiting() {
            let on_workers_s = demand.cpu_s - demand.beside_cpu_s;
            let pinned_s = if facts.pinned_by_locks { demand.waits_under_locks_s } else { 0.0 };
            demand.held = Law::always(on_workers_s * around.held_stretch + demand.blocks_s + pinned_s);
        } else if switches_s > 0.0 {
            demand.held = demand.held.then(&Law::always(switches_s));
        }
        demand
    }

    fn check(settings: &Settings, checks: &mut Checks<'_>) {
        let Settings { handlers, calls, runtime, admission, cpu, hosts, .. } = settings;
        let facts = settings.facts();
        check::handlers(handlers, &facts, checks);
        check::links(handlers, calls, checks);
        check::runtime(runtime, settings.cores_to_count(), checks);
        if let Some(CpuSettings { request, limit }) = cpu {
            check::cpu(request.map(|cores| cores.0), limit.map(|cores| cores.0), hosts.is_some(), checks);
        }
        check::admission(admission, &facts, calls, checks);
        check::offloaded(handlers, &facts, checks);
        check::memory(settings, checks);
        check::autoscale(settings, checks);
        check::probes(settings, checks);
        if facts.instances.is_some() {
            check::instances(settings, checks);
        }
        check::consumes(Self::consumes(settings), &facts, checks);
        if (facts.switch > 0 || facts.poll.is_some()) && cpu.is_none() && hosts.is_none() {
            let help = "write `cpu: 4` for cores of its own, or `hosts: NAME` for a host's";
            let message = "switching and polling use CPU, and this service has no cores";
            checks.error("no_cpu", checks.span(), "runtime", message, Some(help));
        }
        if let Some(span) = check::uses_cpu(handlers)
            && cpu.is_none()
            && hosts.is_none()
        {
            let help = "write `cpu: 4` for its own cores, or `hosts: NAME` for those of a host";
            checks.error("no_cpu", span, "handlers", "a `cpu` step needs cores, but this service has none", Some(help));
        }
    }

    fn build(settings: &Settings, site: &mut Site<'_>) -> Service {
        let links = settings.calls.iter().map(|c| site.link(c.name.as_str())).collect();
        let cores = settings.cpu.as_ref().map(CpuSettings::request);
        let is_alone = settings.facts().instances.is_some();
        let cpu = if is_alone { None } else { site.cpu(cores, settings.limit(), settings.hosts.as_ref()) };
        let names: Vec<&str> = settings.calls.names().collect();
        let hosts = settings.hosts.as_ref();
        let has_memory = <Service as Kind>::models_memory(settings) || site.has_memory(hosts);
        let work = Work {
            shares_cores: cpu.is_some(),
            has_memory,
            by_demand: site.carries_demand(),
            alone: cores.filter(|_| is_alone),
            start_up: settings.start_up.0.clone(),
            is_tied: site.carries_ties(),
        };
        let plan = Plan::new(settings.terms(), &settings.handlers, &names, site.ops(), work);
        let memory = has_memory.then(|| {
            let cores = settings.limit().or(site.cores_of_host(hosts)).or(cores).unwrap_or(1.0);
            let account = site.memory(hosts);
            let (connections, pool_threads) = (site.connections, site.pool_threads);
            if let Some(listen) = &settings.listen {
                site.machines.listen(site.node, listen.backlog);
            }
            let terms = MemoryTerms { connections, pool_threads, ..settings.memory_terms(cores) };
            Memory::new(terms, account, Stream::named(site.seed(), &site.stream("gc")))
        });
        let key = Key::root(site.seed(), hash(0, &site.stream("admission")), 0).bits();
        let guard = Guard::new(&settings.admission, &names, key);
        let mut service = Service::new(plan, links, cpu, guard).with_memory(memory);
        service.has_quota = settings.limit().is_some();
        service
    }

    fn prepare(&mut self, change: u32, settings: &Settings) {
        Arc::make_mut(&mut self.plan).prepare(change, settings.terms(), &settings.handlers);
    }
}

impl Component for Service {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        self.door.attend(cx.now());
        if self.memory.is_some() {
            self.start_in_memory(cx);
        }
        Next::WAIT
    }

    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let Look { priority, profile, .. } = cx.look(call.index());
        if !self.admits_specially {
            return match self.door.enter(cx, call, priority) {
                Admission::Granted => self.begin(cx, call, profile),
                Admission::Queued => Next::WAIT,
                Admission::Full => Next::reply(call, cx.answer(Outcome::Overload)),
            };
        }
        self.admit_specially(cx, call, priority)
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        let next = self.answered(cx, call, answer);
        if self.memory.is_some() {
            self.settle_memory(cx);
        }
        next
    }

    #[inline(always)]
    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        if timer.what >= CLOSED {
            return self.on_rare_timer(cx, timer);
        }
        let call = timer.call();
        match cx.ticket_if_open(call) {
            None => Next::WAIT,
            Some(ticket) if timer.what == SINGLE => self.single_is_over(cx, call, ticket),
            Some(ticket) => {
                let next = self.passed(cx, ticket - 1);
                if self.memory.is_some() {
                    self.settle_memory(cx);
                }
                next
            }
        }
    }

    #[inline(always)]
    fn look_ahead(&self, ahead: Ahead<'_>, coming: Coming) -> Sight {
        let call = coming.call();
        if ahead.round == 0 {
            ahead.prefetch_call(call);
            self.door.line().prefetch_first();
            return Sight::Again;
        }
        // Whoever is done here lets the next in line begin.
        if let Some(next) = self.door.line().first() {
            ahead.prefetch_call(next);
        }
        if coming.is_timer(SINGLE) {
            return Sight::Answers(call);
        }
        self.strands.prefetch(ahead.ticket(call).wrapping_sub(1));
        Sight::Done
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let next = self.cancel(cx, call);
        if self.memory.is_some() {
            self.settle_memory(cx);
        }
        next
    }

    fn rebuild(&mut self, now: Time) {
        // Where a crash takes less than the replica, less must be forgotten here.
        let Crash::Replica = self.plan.terms.facts.crash;
        self.door.clear(now);
        if let Some(threads) = &mut self.blocking {
            threads.clear(now);
        }
        self.strands = Slab::new();
        self.ready.clear(now);
        self.waking = None;
        self.kept.set(now, 0);
        self.tasks.set(now, 0);
        self.polled = 0;
        self.interruptible.clear();
        if let Some(guard) = &mut self.guard {
            guard.rebuild(now);
        }
        if let Some(interpreter) = &mut self.interpreter {
            interpreter.clear(now);
        }
        if let Some(instances) = &mut self.instances {
            instances.clear(now);
        }
        if let Some(workforce) = &mut self.workforce {
            workforce.clear();
        }
        if let Some(memory) = &mut self.memory {
            memory.clear(now);
        }
        self.settle();
    }

    fn retire(&mut self, now: Time) {
        self.door.retire(now);
    }

    fn begin_measuring(&mut self, now: Time) {
        self.door.begin_measuring(now);
        if let Some(threads) = &mut self.blocking {
            threads.begin_measuring(now);
        }
        if let Some(guard) = &mut self.guard {
            guard.begin_measuring(now);
        }
        self.leaked = 0;
        self.longest_turn = 0;
        self.ready.begin_measuring(now);
        self.kept.reset(now);
        self.tasks.reset(now);
        self.switches = Default::default();
        if let Some(interpreter) = &mut self.interpreter {
            interpreter.begin_measuring(now);
        }
        if let Some(instances) = &mut self.instances {
            instances.begin_measuring(now);
        }
        if let Some(workforce) = &mut self.workforce {
            workforce.begin_measuring();
        }
        if let Some(lag) = &mut self.lag {
            lag.begin_measuring();
        }
        if let Some(memory) = &mut self.memory {
            memory.begin_measuring(now);
        }
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        self.door.figures(now, figures);
        if let Some(guard) = &self.guard {
            guard.figures(now, figures);
        }
        if self.plan.can_leak {
            figures.count(&TASKS_LEAKED, self.leaked);
        }
        if self.frees_while_waiting {
            figures.max(&LONGEST_TURN, Some(self.longest_turn));
            figures.gauge(&TASKS, &self.tasks, now);
            figures.gauge(&RUNNABLE, self.ready.over_time(), now);
            figures.gauge(&BLOCKED_WORKERS, &self.kept, now);
        }
        if let Some(interpreter) = &self.interpreter {
            figures.gauge(&RUNNABLE, interpreter.over_time(), now);
        }
        if self.pays {
            self.switches.figures(figures);
        }
        if let Some(instances) = &self.instances {
            instances.figures(now, figures);
        }
        if let Some(workforce) = &self.workforce {
            workforce.figures(figures);
        }
        if let Some(lag) = &self.lag {
            figures.times(&EVENT_LOOP_LAG, &lag.until(now, self.door.has_room()));
        }
        if !self.locks.is_empty() {
            figures.level(&WAITING_FOR_LOCKS, self.locks.iter().map(|lock| lock.waiting.len() as u64).sum());
        }
        if let Some(threads) = &self.blocking {
            threads.figures(now, figures);
        }
        if let Some(memory) = &self.memory {
            memory.figures(now, figures);
        }
    }

    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        let Some(plan) = self.plan.changed(change) else { return false };
        self.plan = Arc::new(plan);
        let terms = &self.plan.terms;
        if let Some(guard) = &mut self.guard {
            guard.adopt(cx.now(), &terms.admission);
        }
        self.door.adopt(cx.now(), self.places(), self.plan.terms.admission.max());
        self.door.set_margin(self.plan.terms.admission.min_remaining());
        if self.guard.is_some() {
            self.settle_guard(cx);
        }
        self.dispatch(cx);
        if self.memory.is_some() {
            self.settle_memory(cx);
        }
        true
    }
}

/// What a step of a handler asks of another.
fn asked_by<'a>(step: &'a Step, handler: &'a str) -> Option<Ask<'a>> {
    let StepCall { link: at, op, size, .. } = step.call()?;
    Some(Ask { handler: Some(handler), link: at.as_str(), at, op, size_bytes: size.map(|size| size.0) })
}

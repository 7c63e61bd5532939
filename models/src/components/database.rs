//! A database: a stateful store that serves as many queries at once as it has connections.
//!
//! A query holds a connection from its first work to its last; queries beyond wait in the queue. An operation takes
//! `io` (time that passes whatever else goes on) and `cpu` (shared with the other queries on `cores`). Contention makes
//! every operation longer the more are at work at once, by the universal scalability law: with N at work,
//! s(N) = s(1)·(1 + α(N−1) + βN(N−1)), so that throughput peaks at N = √((1−α)/β) (Gunther, *Guerrilla Capacity
//! Planning*).
//!
//! A query that is cancelled, or has taken longer than `statement_timeout`, stops and frees its connection at once.

use std::sync::Arc;

use settings::{Cores, Duration, DurationDist, Map, Setting};
use sim_core::calendar::TimerId;
use sim_core::figures::Set;
use sim_core::slots::{self, Admission};
use sim_core::table::reach;
use sim_core::{CallId, Class, Component, CpuId, CpuJob, Cx, Figures, Next, Outcome, Span, Time, Timer};

use super::kind::{Answers, Checks, Kind};
use super::site::Site;
use crate::admission::AdmissionSettings;
use crate::demand::{Demand, Limits, Outcomes, Surroundings};
use crate::door::Door;
use crate::law::Law;
use crate::link::{by_demand, sample};
use crate::policies::not_yet::NotYet;

/// Cost of an operation.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "io")]
pub struct OperationSettings {
    /// I/O time.
    #[setting(default = "0s", live)]
    pub io: DurationDist,
    /// CPU time on the database's cores.
    pub cpu: Option<DurationDist>,
    /// Additional I/O time for each item of a batch, the first included.
    #[setting(live)]
    pub per_item: Option<DurationDist>,
    /// A lock held meanwhile.
    pub lock: Option<NotYet>,
}

/// How queries hinder each other (universal scalability law).
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ContentionSettings {
    /// Serial fraction of the work (contention).
    #[setting(default = 0.03, range = "0..=1")]
    pub alpha: f64,
    /// Coherency cost per pair.
    #[setting(default = 0.000172, range = "0..=1")]
    pub beta: f64,
}

impl ContentionSettings {
    /// How many times as long everything takes with `n` at work.
    fn factor(&self, n: f64) -> f64 {
        1.0 + self.alpha * (n - 1.0) + self.beta * n * (n - 1.0)
    }
}

/// A database or any other store with connections.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Queries served concurrently; further queries wait. PostgreSQL's `max_connections` is 100.
    #[setting(default = 100, range = "1..=10000000", live)]
    pub connections: u32,
    /// Cores shared by its queries.
    pub cores: Option<Cores>,
    /// How concurrent queries slow each other down. Without it they do not.
    pub contention: Option<ContentionSettings>,
    /// Service time of each operation; `default` covers the rest.
    pub operations: Map<OperationSettings>,
    /// Admission control.
    #[setting(default = "{}", live)]
    pub admission: AdmissionSettings,
    /// Maximum time of a query once it has its connection; a query that takes longer is stopped and answered `error`. Without
    /// it there is no maximum, as in PostgreSQL.
    #[setting(live)]
    pub statement_timeout: Option<Duration>,
    /// Region.
    pub region: Option<settings::Spanned<settings::Name>>,
    /// Replicas and how they follow.
    pub replication: Option<NotYet>,
    /// Where reads go.
    pub reads: Option<NotYet>,
    /// Consistency of reads.
    pub consistency: Option<NotYet>,
    /// Parts of the data on machines of their own.
    pub partitions: Option<NotYet>,
    /// Failover of the leader.
    pub failover: Option<NotYet>,
}

const EXAMPLE: &str = "\
kind: database
connections: 20
cores: 4
operations:
  default: {exp: 5ms}
  report: {io: 20ms, cpu: 100ms}
";

#[derive(Clone, Debug)]
struct Plan {
    settings: Settings,
    /// Index of the settings of each operation.
    operations: Vec<Option<usize>>,
    /// Whether anything makes operations longer or shorter than drawn: contention, or what requests demand.
    scales: bool,
    changes: Vec<(u32, Settings)>,
}

const IO: u8 = 0;
const CPU: u8 = 1;
const STATEMENT: u8 = 2;

// Tickets: 0 for a query that waits for a connection.
/// Marks those of queries whose io goes on; the rest is the place of its end in the calendar.
const READS: u32 = 1 << 31;
/// The ticket of queries that a core works for.
const COMPUTES: u32 = 1;

const PURPOSE_IO: u32 = 0x696f;
const PURPOSE_CPU: u32 = 0x6370;

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    plan: Arc<Plan>,
    cpu: Option<CpuId>,
    /// Before the connections.
    door: Door,
    /// More matters to a query that arrives than whether a connection is free.
    heeds_more: bool,
    /// What a core does for a query, by index of the call; only of those that it works for.
    jobs: Vec<Option<CpuJob>>,
    /// What stops a query, by index of the call; empty where nothing does.
    statements: Vec<Option<TimerId>>,
}

impl Kind for Database {
    const NAME: &'static str = "database";
    const SERVES: bool = true;
    const EXAMPLE: &'static str = EXAMPLE;
    const FIGURES: &'static [Set] = &[slots::FIGURES];
    type Settings = Settings;

    fn region(settings: &Settings) -> Option<&settings::Spanned<settings::Name>> {
        settings.region.as_ref()
    }

    fn answers(settings: &Settings) -> Answers<'_> {
        Answers::Ops(settings.operations.names().collect())
    }

    fn limits(settings: &Settings) -> Limits {
        Limits {
            workers: Some(("connections", settings.connections)),
            is_connections: true,
            cores: settings.cores.map(|cores| cores.0),
            waiting: settings.admission.waiting(),
            ..Limits::default()
        }
    }

    fn demand(settings: &Settings, op: &str, around: &mut Surroundings<'_>) -> Demand {
        let Some(operation) = settings.operations.get(op).or_else(|| settings.operations.get("default")) else {
            return Demand::default();
        };
        let mut io = Law::of_durations(&operation.io.0);
        if let Some(per_item) = &operation.per_item {
            // Each item draws its own time.
            let one = Law::of_durations(&per_item.0);
            io = io.then(&one.times(around.items.floor() as u64)).then(&Law::always(one.mean() * around.items.fract()));
        }
        let mut cpu = operation.cpu.as_ref().map_or(Law::always(0.0), |cpu| Law::of_durations(&cpu.0));
        if let Some(contention) = &settings.contention {
            let hindered = contention.factor(around.at_work.max(1.0));
            (io, cpu) = (io.stretched(hindered), cpu.stretched(hindered));
        }
        let cpu_s = cpu.mean();
        let held = io.then(&cpu.stretched(around.stretch));
        Demand {
            answer: Outcomes::ok(held.clone()),
            held,
            cpu_s,
            piece_s: cpu_s,
            cpu_at_once: 1.0,
            ..Demand::default()
        }
    }

    fn check(settings: &Settings, checks: &mut Checks<'_>) {
        for operation in &settings.operations {
            if operation.value.cpu.is_some() && settings.cores.is_none() {
                let path = format!("operations.{}.cpu", operation.name);
                let message = "`cpu` needs `cores`, but this database has none";
                checks.error("no_cpu", operation.name_span, &path, message, Some("write `cores: 4`"));
            }
        }
        for key in settings.admission.beside_the_queue() {
            let message = format!("a database cannot have `admission.{key}` yet");
            let help = "put it on the links that lead here; a database has a `queue`";
            checks.error(settings::bind::NOT_YET, checks.span(), &format!("admission.{key}"), &message, Some(help));
        }
        if settings.admission.preempts() {
            let message = "a running query cannot be preempted";
            checks.error("no_effect", checks.span(), "admission.queue.discipline", message, None);
        }
        let uses_cpu = settings.operations.iter().any(|o| o.value.cpu.is_some());
        if settings.cores.is_some() && !uses_cpu {
            let help = "use `cpu` in an operation, or remove `cores`";
            let message = "`cores` has no effect: no operation uses `cpu`";
            checks.warning("no_effect", checks.span(), "cores", message, Some(help));
        }
    }

    fn build(settings: &Settings, site: &mut Site<'_>) -> Database {
        let of = |op: &str| settings.operations.position(op);
        let operations = site.ops().iter().map(|op| of(op).or_else(|| of("default"))).collect();
        let cpu = site.cpu(settings.cores.map(|c| c.0), None, None);
        let scales = settings.contention.is_some() || site.carries_demand();
        Database {
            door: Door::new(Some(settings.connections), settings.admission.line())
                .with_margin(settings.admission.min_remaining()),
            heeds_more: settings.admission.heeds_more(),
            plan: Arc::new(Plan { settings: settings.clone(), operations, scales, changes: Vec::new() }),
            cpu,
            jobs: Vec::new(),
            statements: Vec::new(),
        }
    }

    fn prepare(&mut self, change: u32, settings: &Settings) {
        Arc::make_mut(&mut self.plan).changes.push((change, settings.clone()));
    }
}

impl Database {
    /// A query that has its connection begins.
    fn begin(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if !cx.is_first_of_tied(call) {
            let now = cx.now();
            self.door.give_back(now, now, None);
            self.next(cx);
            return Next::reply(call, cx.answer(Outcome::Cancelled));
        }
        self.door.note(cx, call);
        if let Some(timeout) = self.plan.settings.statement_timeout {
            let timer = cx.after_constant(timeout.0, Class::GivingUp, Timer::of(STATEMENT, call));
            note(&mut self.statements, call, Some(timer));
        }
        let io = self.io(cx, call);
        if io == 0 {
            return self.compute(cx, call);
        }
        let timer = cx.work(io, Timer::of(IO, call));
        cx.set_ticket(call, READS | timer.place());
        Next::WAIT
    }

    fn operation(&self, cx: &Cx<'_>, call: CallId) -> usize {
        self.plan.operations[cx.profile(call).op as usize].expect("every operation was checked to be handled")
    }

    fn io(&self, cx: &mut Cx<'_>, call: CallId) -> Span {
        let settings = &self.plan.settings.operations.iter().as_slice()[self.operation(cx, call)].value;
        let mut io = sample(&settings.io.0, cx, call, PURPOSE_IO);
        if let Some(per_item) = &settings.per_item {
            for _ in 0..cx.items(call) {
                io = io.saturating_add(sample(&per_item.0, cx, call, PURPOSE_IO));
            }
        }
        self.scaled(io, cx, call)
    }

    /// What the call's request and contention with the others make of a time.
    fn scaled(&self, span: Span, cx: &Cx<'_>, call: CallId) -> Span {
        if !self.plan.scales {
            return span;
        }
        let span = by_demand(span, cx, call);
        match &self.plan.settings.contention {
            None => span,
            Some(c) => {
                let n = self.door.held() as f64;
                (span as f64 * c.factor(n) + 0.5) as Span
            }
        }
    }

    fn compute(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let settings = &self.plan.settings.operations.iter().as_slice()[self.operation(cx, call)].value;
        if let (Some(DurationDist(dist)), Some(cpu)) = (&settings.cpu, self.cpu) {
            let work = self.scaled(sample(dist, cx, call, PURPOSE_CPU), cx, call);
            if work > 0 {
                let job = cx.cpu(cpu, work, Timer::of(CPU, call));
                note(&mut self.jobs, call, Some(job));
                cx.set_ticket(call, COMPUTES);
                return Next::WAIT;
            }
        }
        self.done(cx, call, Outcome::Ok)
    }

    /// A query is over, and its connection free.
    fn done(&mut self, cx: &mut Cx<'_>, call: CallId, outcome: Outcome) -> Next {
        if let Some(timer) = self.statements.get_mut(call.index() as usize).and_then(Option::take) {
            cx.cancel(timer);
        }
        self.door.leave(cx, call);
        self.next(cx);
        Next::reply(call, cx.answer(outcome))
    }

    /// Stops what is going on for a query.
    fn stop(&mut self, cx: &mut Cx<'_>, call: CallId) {
        let ticket = cx.ticket(call);
        if ticket & READS != 0 {
            cx.cancel_work(ticket & !READS, Timer::of(IO, call));
            return;
        }
        debug_assert!(ticket == COMPUTES, "a query that has begun does one or the other");
        let job = self.jobs.get_mut(call.index() as usize).and_then(Option::take);
        if let (Some(cpu), Some(job)) = (self.cpu, job) {
            cx.cpu_take_back(cpu, job);
        }
    }

    fn next(&mut self, cx: &mut Cx<'_>) {
        if !self.door.open() {
            return;
        }
        while self.door.lets_in() {
            let Some(next) = self.door.next(cx) else { continue };
            let then = self.begin(cx, next.call);
            cx.post(then);
        }
        self.door.shut();
    }
}

/// Notes something of a call in a table that grows when it is needed.
fn note<T: Copy>(table: &mut Vec<Option<T>>, call: CallId, what: Option<T>) {
    reach(table, call.index() as usize, None);
    table[call.index() as usize] = what;
}

impl Component for Database {
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if cx.is_expired(call) {
            return Next::reply(call, cx.answer(Outcome::Timeout));
        }
        let priority = cx.priority(call);
        let admission = if self.heeds_more {
            let until = self.plan.settings.admission.until(cx, call);
            self.door.enter_until(cx, call, priority, until)
        } else {
            self.door.enter(cx, call, priority)
        };
        match admission {
            Admission::Granted => self.begin(cx, call),
            Admission::Queued => Next::WAIT,
            Admission::Full => Next::reply(call, cx.answer(Outcome::Overload)),
        }
    }

    fn on_reply(&mut self, _cx: &mut Cx<'_>, _call: CallId, _child: CallId, _answer: sim_core::Answer) -> Next {
        unreachable!("a database makes no calls")
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let call = timer.call();
        if !cx.is_open(call) {
            return Next::WAIT;
        }
        match timer.what {
            IO => self.compute(cx, call),
            CPU => self.done(cx, call, Outcome::Ok),
            _ => {
                self.statements[call.index() as usize] = None;
                self.stop(cx, call);
                self.done(cx, call, Outcome::Error)
            }
        }
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if cx.ticket(call) == 0 {
            self.door.leave_line(cx.now(), call);
            return Next::reply(call, cx.answer(Outcome::Cancelled));
        }
        self.stop(cx, call);
        self.done(cx, call, Outcome::Cancelled)
    }

    fn rebuild(&mut self, now: Time) {
        self.door.clear(now);
        self.jobs.clear();
        self.statements.clear();
    }

    fn begin_measuring(&mut self, now: Time) {
        self.door.begin_measuring(now);
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        self.door.figures(now, figures);
    }

    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        let Some((_, settings)) = self.plan.changes.iter().find(|(number, _)| *number == change).cloned() else {
            return false;
        };
        Arc::make_mut(&mut self.plan).settings = settings;
        let settings = &self.plan.settings;
        self.door.adopt(cx.now(), Some(settings.connections), settings.admission.max());
        self.door.set_margin(settings.admission.min_remaining());
        self.next(cx);
        true
    }
}

//! A database: a stateful store that serves as many queries at once as it has connections.
//!
//! A query holds a connection from its first work to its last; queries beyond wait in the queue. An operation takes
//! `io` (time that passes whatever else goes on) and `cpu` (shared with the other queries on `cores`). Contention makes
//! every operation longer the more are at work at once, by the universal scalability law: with N at work,
//! s(N) = s(1)·(1 + α(N−1) + βN(N−1)), so that throughput peaks at N = √((1−α)/β) (Gunther, *Guerrilla Capacity
//! Planning*).
//!
//! Where there are copies of the data, or parts of it, each is on a node of its own, and callers come to an entrance
//! ([`crate::replicating`]). A node that has carried out a write which followers must have before it is acknowledged asks the entrance,
//! and holds its connection until that has answered.
//!
//! A query that is cancelled, or has taken longer than `statement_timeout`, stops and frees its connection at once.

mod settings;

use std::sync::Arc;

use ::settings::{DurationDist, Name, Spanned};
use sim_core::calendar::TimerId;
use sim_core::figures::Set;
use sim_core::slots::{self, Admission};
use sim_core::table::reach;
use sim_core::{
    Answer, CallId, Class, Component, CpuId, CpuJob, Cx, Figures, Happens, Next, NodeId, Outcome, Span, Time, Timer, To,
};

use super::kind::{Answers, Checks, Kind};
use super::site::Site;
use crate::demand::{Demand, Limits, Outcomes, Surroundings};
use crate::door::Door;
use crate::law::Law;
use crate::law::{Branch, side_by_side};
use crate::link::{by_demand, sample};
use crate::replicating::{self, APPLY, ReplicationSettings, Terms};

pub use settings::{ContentionSettings, OperationSettings, Settings};

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
    /// Where nodes wait until enough copies have a write: the entrance.
    waits_at: Option<NodeId>,
    /// Whether each operation writes, by its number; empty where no node waits for copies.
    writes: Vec<bool>,
    changes: Vec<(u32, Settings)>,
}

const IO: u8 = 0;
const CPU: u8 = 1;
const STATEMENT: u8 = 2;
const APPLIED: u8 = 3;

// Tickets: 0 for a query that waits for a connection.
/// Marks those of queries whose io goes on; the rest is the place of its end in the calendar.
const READS: u32 = 1 << 31;
/// The ticket of queries that a core works for.
const COMPUTES: u32 = 1;
/// The ticket of queries that wait until enough copies have what they wrote.
const COMMITS: u32 = 2;

const PURPOSE_IO: u32 = 0x696f;
const PURPOSE_CPU: u32 = 0x6370;
const PURPOSE_APPLY: u32 = 0x6170;

/// Tells the draws of what a node asks the entrance from those of links.
const COMMIT: u32 = 0x636f_6d6d;

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
    /// What a query has asked the entrance, by index of the call.
    commits: Vec<Option<CallId>>,
}

impl Kind for Database {
    const NAME: &'static str = "database";
    const SERVES: bool = true;
    const EXAMPLE: &'static str = EXAMPLE;
    const FIGURES: &'static [Set] = &[slots::FIGURES, replicating::FIGURES];
    const HAPPENS: &'static [&'static Happens] = replicating::HAPPENS;
    type Settings = Settings;

    fn region(settings: &Settings) -> Option<&Spanned<Name>> {
        settings.region.as_ref()
    }

    fn replicas(settings: &Settings) -> u32 {
        settings.terms().map_or(1, |terms| terms.copies().saturating_mul(terms.partitions.count))
    }

    fn entrance(settings: &Settings) -> Option<Terms> {
        settings.terms()
    }

    fn needs_keys(settings: &Settings) -> bool {
        settings.terms().is_some()
    }

    fn goes_by_client(settings: &Settings) -> bool {
        settings.replication.is_some()
    }

    fn tells_apart(settings: &Settings) -> Option<Vec<&Spanned<Name>>> {
        settings.write_ops.as_ref().filter(|ops| !ops.is_empty()).map(|ops| ops.iter().collect())
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
        let mut held = io.then(&cpu.stretched(around.stretch));
        let mut answer = held.clone();
        if let Some(terms) = settings.terms() {
            match terms.writes(op) {
                // The leader's connection is held until enough copies have it.
                true => {
                    held = held.then(&copied(&terms));
                    answer = held.clone();
                }
                false => answer = of_all(&held, terms.copies_for_read()),
            }
        }
        Demand { answer: Outcomes::ok(answer), held, cpu_s, piece_s: cpu_s, cpu_at_once: 1.0, ..Demand::default() }
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
            checks.error(::settings::bind::NOT_YET, checks.span(), &format!("admission.{key}"), &message, Some(help));
        }
        if settings.admission.preempts() {
            let message = "a running query cannot be preempted";
            checks.error("no_effect", checks.span(), "admission.queue.discipline", message, None);
        }
        settings.check_nodes(checks);
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
        let terms = settings.terms();
        let waits = terms.as_ref().is_some_and(|terms| terms.copies_for_write() > 1);
        let writes = |terms: &Terms| site.ops().iter().map(|op| terms.writes.contains(op)).collect();
        let writes = terms.as_ref().filter(|_| waits).map_or(Vec::new(), writes);
        let waits_at = site.entrance().filter(|_| waits);
        let scales = settings.contention.is_some() || site.carries_demand();
        Database {
            door: Door::new(Some(settings.connections), settings.admission.line())
                .with_margin(settings.admission.min_remaining()),
            heeds_more: settings.admission.heeds_more(),
            plan: Arc::new(Plan {
                settings: settings.clone(),
                operations,
                scales,
                waits_at,
                writes,
                changes: Vec::new(),
            }),
            cpu,
            jobs: Vec::new(),
            statements: Vec::new(),
            commits: Vec::new(),
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
        self.commit(cx, call)
    }

    /// A query has been carried out; one that waits for copies of what it wrote goes on to do so.
    fn commit(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let Some(entrance) = self.plan.waits_at.filter(|_| self.plan.writes[cx.profile(call).op as usize]) else {
            return self.done(cx, call, Outcome::Ok);
        };
        let to = To { node: entrance, link: COMMIT, ordinal: 0, profile: None, path: 0, is_retry: false };
        let child = cx.call(call, to);
        note(&mut self.commits, call, Some(child));
        cx.set_ticket(call, COMMITS);
        Next::call(child)
    }

    /// Works on a write of the leader's that has reached this node.
    fn apply(&self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let apply = self.plan.settings.replication.as_ref().and_then(|replication| replication.apply.as_ref());
        match apply.map_or(0, |apply| sample(&apply.0, cx, call, PURPOSE_APPLY)) {
            0 => Next::reply(call, cx.answer(Outcome::Ok)),
            work => {
                cx.work(work, Timer::of(APPLIED, call));
                Next::WAIT
            }
        }
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
        if ticket == COMMITS {
            if let Some(child) = self.commits.get_mut(call.index() as usize).and_then(Option::take) {
                cx.abandon(child);
                cx.cancel_call(child);
            }
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

/// How long it takes until so many of the followers have a write that it is acknowledged.
fn copied(terms: &Terms) -> Law {
    let (followers, need) = (terms.copies() - 1, terms.copies_for_write() - 1);
    let of = |replication: &ReplicationSettings| replication.lag.clone().or_else(|| replication.apply.clone());
    match terms.replication.as_ref().and_then(of).filter(|_| need > 0) {
        Some(lag) => {
            let done = Law::of_durations(&lag.0);
            let each = Branch { done, failed: Law::never(), starts: 0.0, count: u64::from(followers) };
            side_by_side(&[each], u64::from(need)).0
        }
        None => Law::always(0.0),
    }
}

/// How long it takes until all of so many have answered.
fn of_all(one: &Law, count: u32) -> Law {
    if count == 1 {
        return one.clone();
    }
    let each = Branch { done: one.clone(), failed: Law::never(), starts: 0.0, count: u64::from(count) };
    side_by_side(&[each], u64::from(count)).0
}

/// Notes something of a call in a table that grows when it is needed.
fn note<T: Copy>(table: &mut Vec<Option<T>>, call: CallId, what: Option<T>) {
    reach(table, call.index() as usize, None);
    table[call.index() as usize] = what;
}

impl Component for Database {
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if cx.ticket(call) == APPLY {
            return self.apply(cx, call);
        }
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

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        self.commits[call.index() as usize] = None;
        self.done(cx, call, answer.outcome())
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let call = timer.call();
        if !cx.is_open(call) {
            return Next::WAIT;
        }
        match timer.what {
            IO => self.compute(cx, call),
            CPU => self.commit(cx, call),
            APPLIED => Next::reply(call, cx.answer(Outcome::Ok)),
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
        self.commits.clear();
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

//! Workloads: who sends requests, when, and what they ask for.
//!
//! A workload is a node that begins requests on its own link and sees how they end. Open ones send whatever comes back
//! ([`arrivals`]); closed and session ones have users, each of whom waits for the answer, thinks, and sends again.
//! Gaps, operations and keys of open workloads come from streams named after the workload; those of users are keyed by
//! (user, n-th request), so that a user does the same in every variant. Latency counts from the intended instant.

pub mod arrivals;
pub mod clients;
pub mod completion;
pub mod polling;
pub mod shape;
pub mod timestamp;

use std::collections::BTreeMap;
use std::sync::Arc;

use settings::{CountDist, Duration, FactorDist, KeyChooser, Name, Priority, Setting, Size, Spanned};
use sim_core::calendar::AlarmId;
use sim_core::dist::Dist;
use sim_core::figures::Set;
use sim_core::keys::{AliasTable, Keys};
use sim_core::random::{Key, Population, Stream, hash};
use sim_core::{
    Ahead, Answer, Baggage, CallId, Class, Coming, Component, Cx, Figure, Figures, Next, NodeId, Outcome, Settled,
    Sight, Span, Time, Timer,
};

use crate::link::LinkSettings;
use arrivals::{ArrivalsSettings, Process, Source};
use clients::{Clients, ClientsSettings};
use completion::ByOp;
use polling::{Asking, PollPlan, PollSettings, Polls};
use shape::{Shape, ShapeSettings};

/// One sort of request of a workload.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RequestSettings {
    /// Operation requested.
    #[setting(default = "default")]
    pub op: Spanned<Name>,
    /// Weight relative to the others.
    #[setting(default = 1, range = "0..=1000000000")]
    pub weight: f64,
    /// Data key.
    pub key: Option<KeyChooser>,
    /// Priority.
    #[setting(default = "normal")]
    pub priority: Priority,
    /// Bytes sent.
    #[setting(default = "0B")]
    pub size: Size,
    /// Work of a request relative to the average: multiplies its `cpu` steps and its work in databases, wherever they
    /// run. Drawn once per request; retries and hedges share it. Its mean must be 1. Without it, calls of one request
    /// are independent.
    pub demand: Option<Spanned<FactorDist>>,
    /// Polling for the result after an `accepted` answer. Polls carry the key of the request and are counted under their own operation,
    /// but not in goodput.
    pub poll: Option<PollSettings>,
}

impl RequestSettings {
    /// Whether its requests differ in how much work they ask for.
    pub fn has_demand(&self) -> bool {
        self.demand.as_ref().is_some_and(|demand| demand.value.0.is_constant() != Some(1.0))
    }
}

/// Workloads.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct WorkloadSettings {
    /// Region.
    pub region: Option<Spanned<Name>>,
    /// Arrival process.
    pub arrivals: ArrivalsSettings,
    /// Change of the rate over time.
    pub shape: Option<ShapeSettings>,
    /// Request mix.
    #[setting(default = "[{op: default}]")]
    pub requests: Vec<RequestSettings>,
    /// Number of distinct clients of an open workload. Without it each request comes from a client of its own; in all
    /// other workloads each user is a client. Limits `by: client` tell them apart.
    pub clients: Option<ClientsSettings>,
    /// Deadline within which an answer counts as goodput. Defaults to the call's `total_timeout`, else none.
    pub deadline: Option<Duration>,
    /// The link to the component that they call.
    pub call: LinkSettings,
}

impl WorkloadSettings {
    /// Within what time an answer counts for goodput.
    pub fn deadline(&self) -> Option<Span> {
        self.deadline.or(self.call.total_timeout).map(|d| d.0)
    }

    /// What its requests ask for: the rows of a trace by their operations, everything else by the weights of `requests`.
    pub fn asked(&self) -> Vec<Asked<'_>> {
        let total: f64 = self.requests.iter().map(|request| request.weight).sum();
        let sort = |(nth, request): (usize, &'_ RequestSettings)| (nth, request.weight / total);
        let mut shares: Vec<(usize, f64)> = self.requests.iter().enumerate().map(sort).collect();
        let mut unwritten: BTreeMap<&str, f64> = BTreeMap::new();
        if let Some(trace) = self.arrivals.process.trace() {
            let row = 1.0 / trace.requests.len().max(1) as f64;
            let named = trace.requests.iter().filter(|recorded| recorded.op.is_some()).count();
            let unnamed = trace.requests.len() - named;
            shares.iter_mut().for_each(|(_, share)| *share *= row * unnamed as f64);
            for op in trace.requests.iter().filter_map(|recorded| recorded.op.as_deref()) {
                match self.sort_of(op) {
                    Some(sort) => shares[sort].1 += row,
                    None => *unwritten.entry(op).or_insert(0.0) += row,
                }
            }
        }
        let written = shares.into_iter().filter(|(_, share)| *share > 0.0);
        let written = written.map(|(nth, share)| Asked { op: self.requests[nth].op.as_str(), sort: Some(nth), share });
        written.chain(unwritten.into_iter().map(|(op, share)| Asked { op, sort: None, share })).collect()
    }

    /// What its clients ask for to get a result: operation, place in `requests`, and the share of the requests that have one.
    pub fn polled(&self) -> Vec<Asked<'_>> {
        let total: f64 = self.requests.iter().map(|request| request.weight).sum();
        let polled = self.requests.iter().enumerate().filter_map(|(nth, request)| {
            let poll = request.poll.as_ref().filter(|_| request.weight > 0.0)?;
            Some(Asked { op: poll.op.as_str(), sort: Some(nth), share: request.weight / total })
        });
        polled.collect()
    }

    /// Which of `requests` a recorded operation is.
    pub fn sort_of(&self, op: &str) -> Option<usize> {
        self.requests.iter().position(|request| request.op.as_str() == op)
    }
}

/// What some of the requests of a workload ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked<'a> {
    /// The operation.
    pub op: &'a str,
    /// Its number in `requests`; `None` of what only a trace names.
    pub sort: Option<usize>,
    /// The share of the requests, more than 0.
    pub share: f64,
}

/// One sort of request, ready to be made.
#[derive(Clone, Debug)]
pub struct Sort {
    /// Row of the profile table.
    pub profile: u16,
    /// 0 is the most important.
    pub priority: u8,
    /// Data key.
    pub keys: Option<Keys>,
    /// How many times the average work it asks for.
    pub demand: Option<Dist>,
    /// How its result is asked for.
    pub poll: Option<PollPlan>,
}

/// What a workload is made of; fixed but for what a live change replaces.
#[derive(Clone, Debug)]
pub struct WorkloadPlan {
    /// Name.
    pub name: String,
    /// The node of its link.
    pub link: NodeId,
    /// The sorts of requests, and their weights where there are several.
    pub sorts: Vec<Sort>,
    /// Chooses among them.
    pub weights: Option<AliasTable>,
    /// Arrival process.
    pub process: Process,
    /// How many come at once.
    pub batch: Option<CountDist>,
    /// Which client each comes from.
    pub clients: Clients,
    /// The end of the warm-up: the origin of the scenario's clock.
    pub zero: Time,
    /// Changes of the rate that can be adopted: their numbers, and how many times the base rate it then is.
    pub changes: Vec<(u32, f64)>,
}

/// A user of a closed workload, or of a session that is going on: all that is to be known of one. It is kept with the
/// request that the user waits for, or with the timer while the user thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct User {
    /// The session's number, or the user's own.
    number: u32,
    /// Requests sent so far.
    sent: u32,
}

impl User {
    /// One who has not sent anything yet.
    fn new(number: u32) -> User {
        User { number, sent: 0 }
    }

    #[inline(always)]
    fn to_bits(self) -> u64 {
        u64::from(self.number) << 32 | u64::from(self.sent)
    }

    #[inline(always)]
    fn from_bits(bits: u64) -> User {
        User { number: (bits >> 32) as u32, sent: bits as u32 }
    }
}

const SESSIONS: Figure = Figure::level("sessions", "Sessions active at the end; only with `sessions`.");

/// What workloads report of themselves.
pub const FIGURES: Set = &[&SESSIONS];

const ARRIVAL: u8 = 0;
const USER: u8 = 1;
const POLL: u8 = 2;

/// Marks the notes of requests whose results are asked for; the rest is their number among them.
const ASKS: u64 = 1 << 63;

const PURPOSE_THINK: u32 = 0x7468;
const PURPOSE_OP: u32 = 0x6f70;
const PURPOSE_KEY: u32 = 0x6b65;
const PURPOSE_LENGTH: u32 = 0x6c65;
const PURPOSE_DEMAND: u32 = 0x6465;
const PURPOSE_RAMP: u32 = 0x7261;
const PURPOSE_POLL: u32 = 0x706f;

/// A workload.
#[derive(Clone, Debug)]
pub struct Workload {
    plan: Arc<WorkloadPlan>,
    population: Population,
    source: Option<Source>,
    ops: Stream,
    keys: Stream,
    batches: Stream,
    /// Where sequential choosers stand, by sort.
    cursors: Vec<u64>,
    /// Requests begun.
    requests: u64,
    /// Goes off at the next arrival, and when that is, while one is awaited.
    alarm: Option<AlarmId>,
    next_at: Option<Time>,
    /// Sessions begun, and those that are going on.
    sessions: u32,
    present: u32,
    /// What faults make of the rate.
    surge: f64,
    /// How many times the base rate was asked for.
    turned: f64,
    has_sessions: bool,
    has_users: bool,
    /// Whether it is followed what requests set off.
    follows: bool,
    /// When that was done, and when clients who asked for the result got it.
    completions: ByOp,
    results: ByOp,
    polls: Polls,
    /// Every arrival is one request, and all requests are alike.
    is_plain: bool,
    /// Then: to whom they go, and the profile's row and the priority of each.
    plain: (NodeId, u16, u8),
}

impl Workload {
    /// The workload of a plan, under the seed of the replication.
    pub fn new(plan: WorkloadPlan, shape: Option<Shape>, seed: u64) -> Workload {
        let stream = |purpose: &str| Stream::named(seed, &format!("{}/{purpose}", plan.name));
        Workload {
            population: Population::of(seed, hash(0, &plan.name)),
            source: Source::new(&plan.process, shape, stream("gap"), plan.zero),
            ops: stream("op"),
            keys: stream("key"),
            batches: stream("batch"),
            cursors: vec![0; plan.sorts.len()],
            requests: 0,
            alarm: None,
            next_at: None,
            sessions: 0,
            present: 0,
            surge: 1.0,
            turned: plan.process.live_rate().map_or(1.0, |rate| rate / plan.process.base_rate()),
            has_sessions: plan.process.session_length().is_some(),
            has_users: plan.process.think().is_some(),
            follows: false,
            completions: ByOp::default(),
            results: ByOp::default(),
            polls: Polls::default(),
            is_plain: plan.process.session_length().is_none()
                && plan.process.trace().is_none()
                && plan.batch.is_none()
                && plan.weights.is_none()
                && plan.clients.is_unasked()
                && plan.sorts.iter().all(|sort| sort.keys.is_none() && sort.demand.is_none()),
            plain: plan.sorts.first().map_or((plan.link, 0, 0), |sort| (plan.link, sort.profile, sort.priority)),
            plan: Arc::new(plan),
        }
    }

    /// Which sort of request each recorded operation is.
    pub fn set_recorded_sorts(&mut self, sorts: Vec<Option<u16>>) {
        if let Some(source) = &mut self.source {
            source.set_sorts(sorts);
        }
    }

    /// Gets ready to adopt the rate of these settings.
    pub fn prepare(&mut self, change: u32, settings: &WorkloadSettings) {
        let base = self.plan.process.base_rate();
        let rate = settings.arrivals.process.live_rate();
        Arc::make_mut(&mut self.plan).changes.extend(rate.map(|rate| (change, rate / base)));
    }

    /// A fault multiplies the rate (or, undone, divides it again).
    fn multiply_rate(&mut self, factor: f64) {
        self.surge *= factor;
        // The factors are 32 bits wide: what two that undo each other leave behind is rounding.
        if (self.surge - 1.0).abs() < 1e-6 {
            self.surge = 1.0;
        }
    }

    /// The rate has changed: so does the time to the next arrival, at once.
    fn await_anew(&mut self, cx: &mut Cx<'_>) {
        let awaited = self.next_at.filter(|_| self.alarm.is_some_and(|alarm| cx.clear_alarm(alarm)));
        if let Some(source) = &mut self.source {
            let next = source.set_surge(self.surge * self.turned, cx.now(), awaited);
            self.arm(cx, next);
        }
    }

    #[inline(always)]
    fn arm(&mut self, cx: &mut Cx<'_>, at: Option<Time>) {
        self.next_at = at;
        if let (Some(alarm), Some(at)) = (self.alarm, at) {
            cx.set_alarm(alarm, at, Class::First);
        }
    }

    /// A request of an open workload.
    #[inline]
    fn begin(&mut self, cx: &mut Cx<'_>) -> Next {
        let number = self.requests;
        self.requests += 1;
        let traced = self.source.as_mut().and_then(|s| s.traced());
        let sort = match (&self.plan.weights, traced.and_then(|t| t.sort)) {
            (_, Some(sort)) => sort as usize,
            (Some(weights), None) => weights.sample(&mut self.ops),
            (None, None) => 0,
        };
        let data_key = match (traced.and_then(|t| t.key), &self.plan.sorts[sort].keys) {
            (Some(key), _) => key,
            (None, Some(keys)) => keys.sample(&mut self.cursors[sort], &mut self.keys),
            (None, None) => 0,
        };
        let key = self.population.key(number);
        let client = self.plan.clients.of(key, number);
        Next::call(self.request(cx, sort, key, data_key, client, None))
    }

    #[inline(always)]
    fn request(
        &mut self,
        cx: &mut Cx<'_>,
        nth: usize,
        key: Key,
        data_key: u64,
        client: u64,
        user: Option<User>,
    ) -> CallId {
        let sort = &self.plan.sorts[nth];
        let drawn = sort.demand.as_ref().map(|demand| demand.sample(&mut key.draw(PURPOSE_DEMAND, 0)));
        let demand = drawn.unwrap_or(Baggage::EMPTY.demand);
        let baggage = Baggage { data_key, client, demand, ..Baggage::EMPTY };
        if self.follows {
            return self.followed_request(cx, nth, key, baggage, user);
        }
        let call = cx.request(self.plan.link, key.bits(), cx.now(), sort.profile, sort.priority, baggage);
        if let Some(user) = user {
            cx.set_note(call, user.to_bits());
        }
        call
    }

    /// The same where all that a request sets off is followed.
    #[inline(never)]
    fn followed_request(
        &mut self,
        cx: &mut Cx<'_>,
        nth: usize,
        key: Key,
        mut baggage: Baggage,
        user: Option<User>,
    ) -> CallId {
        let sort = &self.plan.sorts[nth];
        baggage.undertaking = cx.begin_undertaking(cx.op_of(sort.profile), cx.now());
        let call = cx.request(self.plan.link, key.bits(), cx.now(), sort.profile, sort.priority, baggage);
        if sort.poll.is_some() {
            let asking = Asking {
                sort: nth as u16,
                user: user.map(User::to_bits),
                key,
                data_key: baggage.data_key,
                client: baggage.client,
                began: cx.now(),
                undertaking: baggage.undertaking,
                polls: 0,
                until: None,
                settled: None,
                knows: false,
            };
            cx.set_note(call, ASKS | u64::from(self.polls.add(asking)));
        } else if let Some(user) = user {
            cx.set_note(call, user.to_bits());
        }
        call
    }

    /// A client asks for its result.
    #[inline(never)]
    fn poll(&mut self, cx: &mut Cx<'_>, number: u32) -> Next {
        let (plan, now) = (self.plan.clone(), cx.now());
        let Some(asking) = self.polls.get_mut(number) else { return Next::WAIT };
        if asking.until.is_some_and(|until| now >= until) {
            return self.has_result(cx, number, true);
        }
        let sort = &plan.sorts[usize::from(asking.sort)];
        let Some(poll) = &sort.poll else { return Next::WAIT };
        asking.polls += 1;
        asking.knows = asking.settled.is_some();
        let baggage = Baggage { data_key: asking.data_key, client: asking.client, ..Baggage::EMPTY };
        let key = asking.key.child(PURPOSE_POLL, asking.polls).bits();
        let call = cx.request(plan.link, key, now, poll.profile, sort.priority, baggage);
        cx.set_note(call, ASKS | u64::from(number));
        Next::call(call)
    }

    /// A request whose result is asked for, or such an asking, is answered.
    #[inline(never)]
    fn asked(&mut self, cx: &mut Cx<'_>, call: CallId, number: u32, outcome: Outcome) -> Next {
        let (plan, now) = (self.plan.clone(), cx.now());
        let Some(asking) = self.polls.get_mut(number) else { return Next::WAIT };
        let Some(poll) = &plan.sorts[usize::from(asking.sort)].poll else { return Next::WAIT };
        if asking.polls == 0 {
            // It was the request itself.
            if outcome != Outcome::Accepted {
                let user = self.polls.remove(number).and_then(|asking| asking.user);
                return self.user_goes_on(cx, user);
            }
            asking.until = poll.timeout.map(|timeout| now.saturating_add(timeout));
        } else {
            cx.count_aside(call, outcome);
            if asking.knows && outcome == Outcome::Ok {
                let failed = asking.settled == Some(true);
                return self.has_result(cx, number, failed);
            }
        }
        let mut draw = asking.key.draw(PURPOSE_POLL, asking.polls);
        let until = asking.until.map_or(Span::MAX, |until| until.saturating_sub(now));
        let wait = poll.every.sample_span(&mut draw).min(until);
        cx.after(wait, Class::First, Timer { what: POLL, data: u64::from(number) });
        Next::WAIT
    }

    /// A client has its result, or knows that there will be none.
    fn has_result(&mut self, cx: &mut Cx<'_>, number: u32, failed: bool) -> Next {
        let Some(asking) = self.polls.remove(number) else { return Next::WAIT };
        let op = cx.op_of(self.plan.sorts[usize::from(asking.sort)].profile);
        self.results.add(op, asking.began, cx.now(), failed);
        self.user_goes_on(cx, asking.user)
    }

    fn user_goes_on(&mut self, cx: &mut Cx<'_>, user: Option<u64>) -> Next {
        if let Some(user) = user {
            self.goes_on(cx, User::from_bits(user));
        }
        Next::WAIT
    }

    /// When all was done that requests set off, by operation; `None` where that is not followed.
    pub fn completions(&self) -> Option<&ByOp> {
        self.follows.then_some(&self.completions)
    }

    /// When clients who ask for results got them, by operation; `None` where none do.
    pub fn results(&self) -> Option<&ByOp> {
        self.plan.sorts.iter().any(|sort| sort.poll.is_some()).then_some(&self.results)
    }

    /// Who has asked for a result and not got it: the profile's row of the request, and when it should have been sent.
    pub fn waiting_for_results(&self) -> impl Iterator<Item = (u16, Time)> {
        self.polls.waiting().map(|(sort, began)| (self.plan.sorts[usize::from(sort)].profile, began))
    }

    fn key_of(&self, user: User) -> Key {
        self.population.key(user.to_bits())
    }

    /// A user sends its next request.
    fn send(&mut self, cx: &mut Cx<'_>, mut user: User) -> Next {
        user.sent += 1;
        self.requests += 1;
        let key = self.key_of(user);
        let sort = match &self.plan.weights {
            Some(weights) => weights.sample(&mut key.draw(PURPOSE_OP, 0)),
            None => 0,
        };
        let data_key = match &self.plan.sorts[sort].keys {
            Some(keys) => keys.sample(&mut self.cursors[sort], &mut key.draw(PURPOSE_KEY, 0)),
            None => 0,
        };
        let client = self.plan.clients.of(key, u64::from(user.number));
        let call = self.request(cx, sort, key, data_key, client, Some(user));
        Next::call(call)
    }

    /// An answer where all that a request sets off is followed.
    #[inline(never)]
    fn followed_reply(&mut self, cx: &mut Cx<'_>, call: CallId, answer: Answer) -> Next {
        let (note, outcome) = (cx.note(call), answer.outcome());
        let undertaking = cx.undertaking(call);
        cx.undertaking_answered(undertaking, outcome <= Outcome::Accepted);
        if note & ASKS != 0 {
            return self.asked(cx, call, note as u32, outcome);
        }
        if self.has_users {
            self.goes_on(cx, User::from_bits(note));
        }
        Next::WAIT
    }

    /// A user is done with a request: thinks, or leaves.
    #[inline(always)]
    fn goes_on(&mut self, cx: &mut Cx<'_>, user: User) {
        if let Some(requests) = self.plan.process.session_length()
            && u64::from(user.sent) >= self.length(requests, user)
        {
            self.present -= 1;
        } else {
            self.think(cx, user);
        }
    }

    /// A user thinks, then sends.
    fn think(&mut self, cx: &mut Cx<'_>, user: User) {
        let think = self.plan.process.think().expect("users think");
        let span = think.sample_span(&mut self.key_of(user).draw(PURPOSE_THINK, 0));
        cx.after(span, Class::First, Timer { what: USER, data: user.to_bits() });
    }

    /// After how many requests the user of a session leaves.
    fn length(&self, lengths: &CountDist, user: User) -> u64 {
        lengths.0.sample_count(&mut self.key_of(User::new(user.number)).draw(PURPOSE_LENGTH, 0))
    }

    fn begin_session(&mut self, cx: &mut Cx<'_>, lengths: &CountDist) -> Next {
        let user = User::new(self.sessions);
        self.sessions += 1;
        if self.length(lengths, user) == 0 {
            return Next::WAIT;
        }
        self.present += 1;
        self.send(cx, user)
    }

    fn start_users(&mut self, cx: &mut Cx<'_>, count: u64, ramp: Span) {
        cx.expect(count as usize);
        for number in 0..count as u32 {
            let user = User::new(number);
            let key = self.key_of(user);
            let think = self.plan.process.think().expect("users think");
            let mut wait = think.sample_span(&mut key.draw(PURPOSE_THINK, 0));
            if ramp > 0 {
                wait += key.draw(PURPOSE_RAMP, 0).below(ramp);
            }
            cx.after(wait, Class::First, Timer { what: USER, data: user.to_bits() });
        }
    }

    /// Requests arrive that are not all alike, or a client asks for its result.
    #[inline(never)]
    fn on_other_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        if timer.what == POLL {
            return self.poll(cx, timer.data as u32);
        }
        let count = match &self.plan.batch {
            Some(CountDist(dist)) => dist.sample_count(&mut self.batches),
            None => 1,
        };
        if self.has_sessions {
            let plan = self.plan.clone();
            let requests = plan.process.session_length().expect("sessions have a length");
            for _ in 0..count {
                let then = self.begin_session(cx, requests);
                cx.post(then);
            }
            let next = self.source.as_mut().and_then(|s| s.next(cx.now()));
            self.arm(cx, next);
            return Next::WAIT;
        }
        let mut then = Next::WAIT;
        for nth in 0..count {
            let request = self.begin(cx);
            if nth == 0 {
                then = request;
            } else {
                cx.post(request);
            }
        }
        let next = self.source.as_mut().and_then(|s| s.next(cx.now()));
        self.arm(cx, next);
        then
    }
}

impl Component for Workload {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        self.follows = cx.follows_undertakings();
        if self.follows {
            self.is_plain = false;
        } else if !self.has_users {
            cx.ignore_answers();
        }
        let plan = self.plan.clone();
        match &plan.process {
            Process::Closed { users, ramp, .. } => {
                self.start_users(cx, users.0, ramp.0);
                Next::WAIT
            }
            Process::Connections { count, .. } => {
                self.start_users(cx, count.0, 0);
                Next::WAIT
            }
            Process::Poisson(_)
            | Process::Constant(_)
            | Process::Renewal { .. }
            | Process::Mmpp { .. }
            | Process::Sessions { .. }
            | Process::Once { .. }
            | Process::Trace(_) => {
                self.alarm = Some(cx.alarm(Timer { what: ARRIVAL, data: 0 }));
                let first = self.source.as_mut().and_then(|s| s.next(cx.now()));
                self.arm(cx, first);
                Next::WAIT
            }
        }
    }

    fn on_call(&mut self, _cx: &mut Cx<'_>, _call: CallId) -> Next {
        unreachable!("nobody calls a workload")
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        if self.follows {
            return self.followed_reply(cx, call, answer);
        }
        self.goes_on(cx, User::from_bits(cx.note(call)));
        Next::WAIT
    }

    fn on_settled(&mut self, now: Time, name: u64, settled: Settled) {
        let Settled { began, op, answered_well, failed } = settled;
        self.polls.settle(name, failed);
        if answered_well {
            self.completions.add(op, began, now, failed);
        }
    }

    #[inline(always)]
    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        if timer.what == ARRIVAL && self.is_plain {
            let key = self.population.key(self.requests).bits();
            self.requests += 1;
            let (link, profile, priority) = self.plain;
            let call = cx.request(link, key, cx.now(), profile, priority, Baggage::EMPTY);
            let next = self.source.as_mut().and_then(|s| s.next(cx.now()));
            self.arm(cx, next);
            return Next::call(call);
        }
        if timer.what == USER {
            return self.send(cx, User::from_bits(timer.data));
        }
        self.on_other_timer(cx, timer)
    }

    #[inline(always)]
    fn look_ahead(&self, ahead: Ahead<'_>, coming: Coming) -> Sight {
        if coming.is_answer() {
            ahead.prefetch_note(coming.call());
        }
        Sight::Done
    }

    /// A change is one that was prepared, or the factor by which a fault multiplies the rate, as the bits of an `f32`: as
    /// numbers these are larger than any that is prepared.
    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        match self.plan.changes.iter().find(|(number, _)| *number == change) {
            Some((_, turned)) => self.turned = *turned,
            None => self.multiply_rate(f64::from(f32::from_bits(change))),
        }
        self.await_anew(cx);
        true
    }

    fn rebuild(&mut self, _now: Time) {}

    fn begin_measuring(&mut self, now: Time) {
        self.completions.begin_measuring(now);
        self.results.begin_measuring(now);
    }

    fn figures(&self, _now: Time, figures: &mut Figures) {
        if self.has_sessions {
            figures.level(&SESSIONS, u64::from(self.present));
        }
    }
}

//! The naive model: requests, attempts, a pool and a server, written as the language describes them.
//!
//! It shares no code with the program. Pending events are a list that is searched for the first one; every query scans
//! everything. The times of a case are drawn to the nanosecond, so that events coincide only for a reason. Of those that
//! do, all regular events come before all timeouts, each in the order in which they were set.

use std::collections::{BTreeMap, VecDeque};

pub(super) type Time = u64;

pub(super) const FIRST: u8 = 0;
pub(super) const GIVING_UP: u8 = 1;

/// Policies of calls over a link.
#[derive(Clone, Debug, Default)]
pub(super) struct Policies {
    pub(super) timeout: Option<Time>,
    pub(super) total: Option<Time>,
    /// Total number of attempts, and the wait between two.
    pub(super) retry: Option<(u32, Time)>,
    pub(super) propagates_deadline: bool,
    pub(super) propagates_cancel: bool,
}

#[derive(Clone, Debug)]
pub(super) struct PoolPlan {
    pub(super) size: usize,
    pub(super) acquire: Time,
    pub(super) connect: Time,
    pub(super) lifo: bool,
    pub(super) max_waiters: Option<usize>,
    pub(super) in_background: bool,
}

/// Whether calls share one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sharing {
    No,
    Coalesced { in_context_of_leader: bool },
    Batched { max: usize, wait: Time },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Discipline {
    Fifo,
    Lifo,
    AdaptiveLifo,
    Priority,
    Codel { target: Time, interval: Time },
}

/// The server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Server {
    /// A handler with one wait.
    Waits,
    /// A handler with one blocking step, followed by a wait.
    BlocksThenWaits(Time),
    /// A handler with one blocking step.
    Blocks,
    /// A database.
    Database { statement_timeout: Option<Time> },
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) at: Time,
    pub(super) op: usize,
    pub(super) key: u64,
    pub(super) priority: u8,
    pub(super) policies: Policies,
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) requests: Vec<Request>,
    /// Duration of each operation at the server.
    pub(super) takes: Vec<Time>,
    pub(super) link: Policies,
    pub(super) pool: Option<PoolPlan>,
    pub(super) sharing: Sharing,
    pub(super) server: Server,
    pub(super) workers: usize,
    pub(super) discipline: Discipline,
    pub(super) max_queue: Option<usize>,
    pub(super) max_age: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Ok,
    Overload,
    Unavailable,
    Error,
    Timeout,
    PoolTimeout,
    Cancelled,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Overload => "overload",
            Outcome::Unavailable => "unavailable",
            Outcome::Error => "error",
            Outcome::Timeout => "timeout",
            Outcome::PoolTimeout => "pool_timeout",
            Outcome::Cancelled => "cancelled",
        }
    }

    fn is_tried_again(self) -> bool {
        matches!(self, Outcome::Timeout | Outcome::Unavailable | Outcome::Overload | Outcome::Error)
    }
}

/// A pending event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event {
    Arrives(usize),
    /// An attempt of a request, or the whole request, times out; the request is retried.
    FrontTimeout(usize),
    RequestTotal(usize),
    RequestAgain(usize),
    FrontCancelled(usize),
    CallCancelled(usize),
    CallTotal(usize),
    GroupAgain(usize),
    GroupFlush(usize),
    Acquire(usize),
    Connected(usize),
    Added,
    AttemptTimeout(usize),
    JobCancelled(usize),
    JobStep(usize),
    JobStatement(usize),
}

/// An action that follows at the same instant, after the one that caused it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// A group that has been given a place or a connection uses it.
    GoesOn(usize),
    /// A rejected job reports its outcome.
    Answers(usize, Outcome),
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) took: Time,
}

pub(super) struct RequestState {
    pub(super) attempts: u32,
    /// Its attempt in progress.
    pub(super) front: Option<usize>,
    pub(super) ended: Option<Ended>,
}

/// A request's attempt, which `front` serves with one call over its link.
pub(super) struct Front {
    pub(super) request: usize,
    pub(super) begun: Time,
    pub(super) deadline: Time,
    pub(super) call: usize,
    pub(super) is_abandoned: bool,
    pub(super) is_over: bool,
}

/// A call over the link.
pub(super) struct Call {
    pub(super) front: usize,
    pub(super) begun: Time,
    pub(super) group: usize,
    pub(super) is_over: bool,
}

/// The stage of the call shared by a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    Filling,
    WaitsForPlace,
    Connects,
    Sent(usize),
    BacksOff,
    Over,
}

/// Calls that share the work done for the first of them.
pub(super) struct Group {
    pub(super) members: Vec<usize>,
    pub(super) stage: Stage,
    pub(super) attempts: u32,
    /// Until when it waits for a connection, and when its connection opens or opened.
    pub(super) limit: Time,
    pub(super) connection: Option<Time>,
}

/// An attempt at the server.
pub(super) struct Job {
    pub(super) group: usize,
    pub(super) op: usize,
    pub(super) priority: u8,
    pub(super) arrived: Time,
    pub(super) deadline: Time,
    pub(super) is_abandoned: bool,
    pub(super) is_cancelled: bool,
    pub(super) is_over: bool,
    /// When it got a worker, and the number of its finished steps.
    pub(super) started: Option<Time>,
    pub(super) steps: u32,
    pub(super) unwanted_since: Option<Time>,
}

/// The state of the model within a case.
pub(super) struct Model<'a> {
    pub(super) case: &'a Case,
    pub(super) now: Time,
    pending: Vec<(Time, u8, u64, Event)>,
    set: u64,
    requests: Vec<RequestState>,
    pub(super) fronts: Vec<Front>,
    pub(super) calls: Vec<Call>,
    pub(super) groups: Vec<Group>,
    pub(super) jobs: Vec<Job>,
    /// Waiting jobs in order of arrival, and since when the queue has not been empty.
    pub(super) line: Vec<usize>,
    pub(super) occupied_since: Time,
    pub(super) serving: usize,
    pub(super) codel: (Option<Time>, Time, bool),
    /// The instants at which the free connections open or opened, and the number of all connections.
    free: Vec<Time>,
    connections: usize,
    places: usize,
    waiters: Vec<usize>,
    adds: bool,
    pub(super) afterwards: VecDeque<Then>,
    pub(super) attempts: u64,
    pub(super) answers: BTreeMap<&'static str, u64>,
    pub(super) busy: u64,
    pub(super) wasted: u64,
    /// A log of events, to find where the model and the program diverge.
    pub(super) log: Vec<String>,
}

impl<'a> Model<'a> {
    /// Runs a case to its end.
    pub(super) fn run(case: &'a Case) -> (Vec<Ended>, Model<'a>) {
        let size = case.pool.as_ref().map_or(0, |pool| pool.size);
        let request = |_: &Request| RequestState { attempts: 0, front: None, ended: None };
        let mut model = Model {
            case,
            now: 0,
            pending: Vec::new(),
            set: 0,
            requests: case.requests.iter().map(request).collect(),
            fronts: Vec::new(),
            calls: Vec::new(),
            groups: Vec::new(),
            jobs: Vec::new(),
            line: Vec::new(),
            occupied_since: 0,
            serving: 0,
            codel: (None, 0, false),
            free: vec![0; size],
            connections: size,
            places: 0,
            waiters: Vec::new(),
            adds: false,
            afterwards: VecDeque::new(),
            attempts: 0,
            answers: BTreeMap::new(),
            busy: 0,
            wasted: 0,
            log: Vec::new(),
        };
        for (nth, request) in case.requests.iter().enumerate() {
            model.set(request.at, FIRST, Event::Arrives(nth));
        }
        while let Some(first) = model.first() {
            let (at, _, _, event) = model.pending.remove(first);
            model.now = at;
            model.log.push(format!("{at}: {event:?}"));
            model.happens(event);
            while let Some(then) = model.afterwards.pop_front() {
                match then {
                    Then::GoesOn(group) => model.goes_on(group),
                    Then::Answers(job, outcome) => model.answer(job, outcome),
                }
            }
            model.look_who_is_wanted();
        }
        let ended = model.requests.iter().map(|request| request.ended.clone().expect("all requests end")).collect();
        (ended, model)
    }

    pub(super) fn set(&mut self, at: Time, class: u8, event: Event) {
        self.set += 1;
        self.pending.push((at, class, self.set, event));
    }

    pub(super) fn unset(&mut self, event: Event) {
        self.pending.retain(|(_, _, _, other)| *other != event);
    }

    fn first(&self) -> Option<usize> {
        let key = |nth: &usize| (self.pending[*nth].0, self.pending[*nth].1, self.pending[*nth].2);
        (0..self.pending.len()).min_by_key(key)
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives(request) | Event::RequestAgain(request) => self.begin_attempt(request),
            Event::FrontTimeout(front) => {
                self.give_up_front(front);
                let request = self.fronts[front].request;
                self.attempt_failed(request, Outcome::Timeout);
            }
            Event::RequestTotal(request) => {
                if let Some(front) = self.requests[request].front {
                    self.give_up_front(front);
                }
                self.end_request(request, Outcome::Timeout);
            }
            Event::FrontCancelled(front) => {
                if !std::mem::replace(&mut self.fronts[front].is_over, true) {
                    let call = self.fronts[front].call;
                    self.set(self.now, FIRST, Event::CallCancelled(call));
                }
            }
            Event::CallCancelled(call) => self.leave(call, Outcome::Cancelled),
            Event::CallTotal(call) => self.leave(call, Outcome::Timeout),
            Event::GroupAgain(group) => self.attempt(group),
            Event::GroupFlush(group) => self.attempt(group),
            Event::Acquire(group) => {
                self.waiters.retain(|waiting| *waiting != group);
                self.attempts += 1;
                self.failed(group, Outcome::PoolTimeout);
            }
            Event::Connected(group) => self.connected(group),
            Event::Added => {
                self.adds = false;
                self.connections += 1;
                self.free.push(self.now);
                self.hand_on();
            }
            Event::AttemptTimeout(job) => {
                let group = self.jobs[job].group;
                self.give_up_job(job);
                self.give_back(group, false);
                self.hand_on();
                self.failed(group, Outcome::Timeout);
            }
            Event::JobCancelled(job) => self.job_cancelled(job),
            Event::JobStep(job) => self.step_over(job),
            Event::JobStatement(job) => self.end_job(job, Outcome::Error),
        }
    }

    // Requests.

    fn total_end(&self, request: usize) -> Time {
        let Request { at, policies, .. } = &self.case.requests[request];
        policies.total.map_or(Time::MAX, |total| at + total)
    }

    fn begin_attempt(&mut self, request: usize) {
        let policies = &self.case.requests[request].policies;
        if self.requests[request].attempts == 0 && policies.total.is_some() {
            self.set(self.total_end(request), GIVING_UP, Event::RequestTotal(request));
        }
        self.requests[request].attempts += 1;
        let front = self.fronts.len();
        let times_out = policies.timeout.map_or(Time::MAX, |timeout| self.now + timeout);
        let deadline = if policies.propagates_deadline { times_out.min(self.total_end(request)) } else { Time::MAX };
        let call = self.calls.len();
        self.fronts.push(Front { request, begun: self.now, deadline, call, is_abandoned: false, is_over: false });
        self.requests[request].front = Some(front);
        if times_out <= self.total_end(request) && times_out < Time::MAX {
            self.set(times_out, GIVING_UP, Event::FrontTimeout(front));
        }
        self.call(front);
    }

    fn give_up_front(&mut self, front: usize) {
        self.unset(Event::FrontTimeout(front));
        self.fronts[front].is_abandoned = true;
        let request = self.fronts[front].request;
        self.requests[request].front = None;
        if self.case.requests[request].policies.propagates_cancel {
            self.set(self.now, FIRST, Event::FrontCancelled(front));
        }
    }

    fn front_answers(&mut self, front: usize, outcome: Outcome) {
        if std::mem::replace(&mut self.fronts[front].is_over, true) || self.fronts[front].is_abandoned {
            return;
        }
        debug_assert!(self.fronts[front].begun <= self.now, "answers come after questions");
        self.unset(Event::FrontTimeout(front));
        let request = self.fronts[front].request;
        self.requests[request].front = None;
        match outcome {
            Outcome::Ok => self.end_request(request, Outcome::Ok),
            Outcome::Overload => self.attempt_failed(request, Outcome::Overload),
            Outcome::Error => self.attempt_failed(request, Outcome::Error),
            _ => self.attempt_failed(request, Outcome::Unavailable),
        }
    }

    fn attempt_failed(&mut self, request: usize, outcome: Outcome) {
        let (most, wait) = self.case.requests[request].policies.retry.unwrap_or((1, 0));
        let again = self.now + wait;
        if self.requests[request].attempts < most && outcome.is_tried_again() && again <= self.total_end(request) {
            self.set(again, FIRST, Event::RequestAgain(request));
        } else {
            self.end_request(request, outcome);
        }
    }

    fn end_request(&mut self, request: usize, outcome: Outcome) {
        self.unset(Event::RequestTotal(request));
        self.unset(Event::RequestAgain(request));
        self.log.push(format!("  request {request} ends with {}", outcome.name()));
        let took = self.now - self.case.requests[request].at;
        assert!(self.requests[request].ended.replace(Ended { outcome, took }).is_none(), "a request ends once");
    }

    // Calls over the link.

    fn call(&mut self, front: usize) {
        let call = self.calls.len();
        if self.case.link.total.is_some() {
            self.set(self.call_end_of(self.now), GIVING_UP, Event::CallTotal(call));
        }
        let (op, key) = self.asks_for(front);
        let joined = (0..self.groups.len()).find(|group| {
            let Group { members, stage, .. } = &self.groups[*group];
            match self.case.sharing {
                Sharing::No => false,
                Sharing::Coalesced { .. } => {
                    *stage != Stage::Over && self.asks_for(self.calls[members[0]].front) == (op, key)
                }
                Sharing::Batched { .. } => *stage == Stage::Filling,
            }
        });
        let group = joined.unwrap_or(self.groups.len());
        self.calls.push(Call { front, begun: self.now, group, is_over: false });
        if let Some(group) = joined {
            self.groups[group].members.push(call);
            if let Sharing::Batched { max, .. } = self.case.sharing
                && self.groups[group].members.len() >= max
            {
                self.unset(Event::GroupFlush(group));
                self.attempt(group);
            }
            return;
        }
        let (stage, limit) = (Stage::Filling, Time::MAX);
        let members = vec![call];
        self.groups.push(Group { members, stage, attempts: 0, limit, connection: None });
        match self.case.sharing {
            Sharing::Batched { max, wait } if max > 1 => {
                self.set(self.now + wait, GIVING_UP, Event::GroupFlush(group));
            }
            _ => self.attempt(group),
        }
    }

    fn asks_for(&self, front: usize) -> (usize, u64) {
        let request = &self.case.requests[self.fronts[front].request];
        (request.op, request.key)
    }

    fn call_end_of(&self, begun: Time) -> Time {
        self.case.link.total.map_or(Time::MAX, |total| begun + total)
    }

    fn leader(&self, group: usize) -> usize {
        self.groups[group].members[0]
    }

    fn attempt(&mut self, group: usize) {
        self.groups[group].attempts += 1;
        let leader = self.fronts[self.calls[self.leader(group)].front].request;
        self.log.push(format!("  group {group} of request {leader}: an attempt; {:?} wait", self.waiters));
        let Some(pool) = &self.case.pool else { return self.send(group) };
        self.groups[group].limit = self.now + pool.acquire;
        let is_free = if pool.in_background { !self.free.is_empty() } else { self.places < pool.size };
        if is_free && self.waiters.is_empty() {
            self.places += 1;
            return self.take_connection(group);
        }
        if pool.max_waiters.is_some_and(|max| self.waiters.len() >= max) {
            self.attempts += 1;
            return self.failed(group, Outcome::PoolTimeout);
        }
        self.groups[group].stage = Stage::WaitsForPlace;
        self.waiters.push(group);
        self.set(self.now + pool.acquire, GIVING_UP, Event::Acquire(group));
        self.add_connections();
    }

    fn take_connection(&mut self, group: usize) {
        let pool = self.case.pool.as_ref().expect("there is a pool");
        let opened = self.free.pop().unwrap_or_else(|| {
            self.connections += 1;
            self.now + pool.connect
        });
        self.groups[group].connection = Some(opened);
        self.goes_on(group);
    }

    /// A group with a connection uses it as soon as it is open.
    fn goes_on(&mut self, group: usize) {
        let opened = self.groups[group].connection.expect("it has one");
        if opened <= self.now {
            return self.send(group);
        }
        self.groups[group].stage = Stage::Connects;
        let limit = self.groups[group].limit;
        match opened <= limit {
            true => self.set(opened, FIRST, Event::Connected(group)),
            false => self.set(limit, GIVING_UP, Event::Connected(group)),
        }
    }

    fn connected(&mut self, group: usize) {
        if self.groups[group].connection.is_some_and(|opened| opened <= self.now) {
            return self.send(group);
        }
        // The connection continues to open for the next group that takes it.
        self.attempts += 1;
        self.give_back(group, true);
        self.hand_on();
        self.failed(group, Outcome::PoolTimeout);
    }

    fn give_back(&mut self, group: usize, is_good: bool) {
        let Some(opened) = self.groups[group].connection.take() else { return };
        self.places -= 1;
        match is_good {
            true => self.free.push(opened),
            false => self.connections -= 1,
        }
    }

    fn hand_on(&mut self) {
        let Some(pool) = &self.case.pool else { return };
        while !self.waiters.is_empty() && self.places < pool.size && !(pool.in_background && self.free.is_empty()) {
            let group = if pool.lifo { self.waiters.pop() } else { Some(self.waiters.remove(0)) };
            let group = group.expect("somebody waits");
            self.places += 1;
            self.unset(Event::Acquire(group));
            self.groups[group].connection = Some(self.free.pop().unwrap_or_else(|| {
                self.connections += 1;
                self.now + pool.connect
            }));
            self.afterwards.push_back(Then::GoesOn(group));
        }
        self.add_connections();
    }

    fn add_connections(&mut self) {
        if let Some(pool) = self.case.pool.as_ref().filter(|pool| pool.in_background)
            && self.connections < pool.size
            && !std::mem::replace(&mut self.adds, true)
        {
            self.set(self.now + pool.connect, FIRST, Event::Added);
        }
    }

    fn deadline_of(&self, call: usize) -> Time {
        let Call { front, begun, .. } = self.calls[call];
        self.fronts[front].deadline.min(self.call_end_of(begun))
    }

    fn send(&mut self, group: usize) {
        let job = self.jobs.len();
        self.log.push(format!("  group {group} sends job {job}"));
        let leader = self.leader(group);
        let request = &self.case.requests[self.fronts[self.calls[leader].front].request];
        let times_out = self.case.link.timeout.map_or(Time::MAX, |timeout| self.now + timeout);
        let wanted_until = match self.case.sharing {
            Sharing::No | Sharing::Coalesced { in_context_of_leader: true } => self.deadline_of(leader),
            Sharing::Coalesced { in_context_of_leader: false } => Time::MAX,
            Sharing::Batched { .. } => {
                let members = self.groups[group].members.iter();
                members.map(|call| self.deadline_of(*call)).max().expect("a group has members")
            }
        };
        let deadline = if self.case.link.propagates_deadline { times_out.min(wanted_until) } else { Time::MAX };
        self.attempts += 1;
        self.jobs.push(Job {
            group,
            op: request.op,
            priority: request.priority,
            arrived: self.now,
            deadline,
            is_abandoned: false,
            is_cancelled: false,
            is_over: false,
            started: None,
            steps: 0,
            unwanted_since: None,
        });
        self.groups[group].stage = Stage::Sent(job);
        if times_out < Time::MAX {
            self.set(times_out, GIVING_UP, Event::AttemptTimeout(job));
        }
        self.arrives_at_server(job);
    }

    pub(super) fn answered(&mut self, job: usize, outcome: Outcome) {
        self.unset(Event::AttemptTimeout(job));
        if self.jobs[job].is_abandoned {
            return;
        }
        let group = self.jobs[job].group;
        self.give_back(group, true);
        if outcome == Outcome::Ok {
            self.hand_on();
            return self.finish(group, Outcome::Ok);
        }
        self.hand_on();
        self.failed(group, outcome);
    }

    fn failed(&mut self, group: usize, outcome: Outcome) {
        self.groups[group].stage = Stage::BacksOff;
        self.log.push(format!("  group {group} failed with {}", outcome.name()));
        let (most, wait) = self.case.link.retry.unwrap_or((1, 0));
        if self.groups[group].attempts >= most || !outcome.is_tried_again() {
            return self.finish(group, outcome);
        }
        let again = self.now + wait;
        // Calls without enough time left end now; others that share the call may have more time.
        let leaders_time = self.case.sharing == Sharing::Coalesced { in_context_of_leader: true };
        while again > self.call_end_of(self.calls[self.leader(group)].begun) {
            if leaders_time || self.groups[group].members.len() == 1 {
                return self.finish(group, outcome);
            }
            let call = self.groups[group].members.remove(0);
            self.end_call(call, outcome);
        }
        self.set(again, FIRST, Event::GroupAgain(group));
    }

    fn finish(&mut self, group: usize, outcome: Outcome) {
        self.groups[group].stage = Stage::Over;
        for call in std::mem::take(&mut self.groups[group].members) {
            self.end_call(call, outcome);
        }
    }

    fn end_call(&mut self, call: usize, outcome: Outcome) {
        self.unset(Event::CallTotal(call));
        self.calls[call].is_over = true;
        self.front_answers(self.calls[call].front, outcome);
    }

    /// A call gives up. What it shares with other calls continues for them.
    fn leave(&mut self, call: usize, outcome: Outcome) {
        if self.calls[call].is_over {
            return;
        }
        let group = self.calls[call].group;
        let ends_for_all = self.case.sharing == Sharing::Coalesced { in_context_of_leader: true };
        let is_last = self.groups[group].members.len() == 1;
        if is_last || ends_for_all && self.leader(group) == call {
            self.stop(group);
            return self.finish(group, outcome);
        }
        self.groups[group].members.retain(|member| *member != call);
        self.end_call(call, outcome);
    }

    fn stop(&mut self, group: usize) {
        match self.groups[group].stage {
            Stage::Filling => self.unset(Event::GroupFlush(group)),
            Stage::WaitsForPlace => {
                self.unset(Event::Acquire(group));
                self.waiters.retain(|waiting| *waiting != group);
            }
            Stage::Connects => {
                self.unset(Event::Connected(group));
                self.give_back(group, false);
            }
            Stage::Sent(job) => {
                self.give_up_job(job);
                self.give_back(group, false);
            }
            Stage::BacksOff => self.unset(Event::GroupAgain(group)),
            Stage::Over => unreachable!("nothing is left to stop"),
        }
        self.hand_on();
    }

    fn give_up_job(&mut self, job: usize) {
        self.unset(Event::AttemptTimeout(job));
        self.jobs[job].is_abandoned = true;
        if self.case.link.propagates_cancel {
            self.set(self.now, FIRST, Event::JobCancelled(job));
        }
    }
}

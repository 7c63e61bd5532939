//! A link: how one replica calls something else.
//!
//! A link is one node for each (calling replica, link). A logical call arrives as a call of its own; the link makes an
//! attempt of it, and another if that fails and may be tried again. Its policies are asked in the order of the table in
//! [`crate::policies::link_settings`].
//!
//! ```text
//!   logical call ─▶ [joined another?] ─▶ [in a batch?] ─▶ attempt ─▶ [gates] ─▶ [pool] ─▶ [connect] ─▶ target
//!        ▲                                                   ▲                  timeout │ answer
//!        └────────────── last answer ◀── done ── retry? ─────┴──── back-off ◀───────────┘
//! ```
//!
//! A call takes the shortest way that the link's settings allow ([`Way`]): it passes through without a record; or it has
//! one attempt at a time, of which its record knows everything (and as which a request may even go on itself); or each
//! attempt asks in order, and stands in a table of its own (`link/tries.rs`).

mod asking;
mod attempt;
mod chooser;
mod company;
mod falling_back;
mod filling;
mod gates;
mod places;
mod succession;
mod tries;

use std::sync::Arc;

use sim_core::calendar::{Class, TimerId};
use sim_core::dist::{Dist, nearest};
use sim_core::histogram::Histogram;
use sim_core::slab::Slab;
use sim_core::table::reach;
use sim_core::{
    Ahead, Answer, Attempts, CallId, Coming, Component, Cx, Figures, News, Next, NodeId, Outcome, Sight, Span, Spent,
    Time, Timer,
};

use crate::balancing::AlgorithmSettings;
use crate::balancing::lookout::{self, Desk, Lookout, Means};
use crate::balancing::subset::Instance;
use crate::policies::batch::Batches;
use crate::policies::budgets::{Budget, Price};
use crate::policies::coalesce::Coalescing;
use crate::policies::fallback::{self, FallbackSettings};
pub use crate::policies::link_settings::{LinkSettings, Propagated, TargetSettings};
use crate::policies::outcomes::OutcomeSet;
use crate::policies::policy::Way;
use crate::policies::pool::{Opening, Pool};
use crate::policies::retry::{Causes, RetrySettings};

use chooser::{Chooser, OwnDesk, Source, draws_of_a_choice, numbers_on};
pub use chooser::{Target, numbers_of};
use company::Members;
use falling_back::FALLBACK;
use filling::{ADDED, LOOK};
use gates::GATE;
use tries::Extra;

/// What one calling replica's link is made of; fixed but for `settings`.
#[derive(Clone, Debug)]
pub struct LinkPlan {
    /// The settings in force.
    pub settings: LinkSettings,
    /// Whom it calls.
    pub targets: Vec<Target>,
    /// How it chooses among all their replicas, where it balances.
    pub balancing: Option<AlgorithmSettings>,
    /// By which means it finds out about them, where that takes time and it is the link that chooses.
    pub means: Means,
    /// Hash of the link's name, which tells its draws from other links'.
    pub salt: u32,
    /// Key of the draws that are about no call.
    pub key: u64,
    /// Key of the draws that all replicas of the caller share.
    pub shared: u64,
    /// The number of the calling replica.
    pub replica: u32,
    /// The link that answers in place of a call that has failed, if one does, and what tells its draws from other links'.
    pub fallback: Option<(NodeId, u32)>,
    /// Live changes that faults and knobs can make, by number.
    pub changes: Vec<(u32, LinkSettings)>,
}

/// Where a logical call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It shares another's call.
    Follows,
    /// It waits for its batch to fill.
    InBatch,
    /// Its one attempt is under way, and its record knows everything of it.
    Under,
    /// Its attempt, with all its copies, stands in the table of tries.
    Tries,
    /// It waits before the next attempt.
    BacksOff,
    /// It has failed, and its fallback takes its time.
    FallsBack,
}

/// One logical call: 32 bytes, of which there are as many as calls under way.
#[derive(Clone, Debug)]
struct Logical {
    /// What runs for the present phase.
    timer: Option<TimerId>,
    /// When the present attempt was begun, or the batch; where it backs off, or waits to send another copy, when that ends.
    since: Time,
    /// The call, by its index.
    call: u32,
    /// The attempt under way: its call, by index, or its newest try. Of one that follows, the record of its leader.
    child: u32,
    attempts: u16,
    phase: Phase,
    /// Copies of the present attempt that have been begun beside the first.
    copies: u8,
    /// Whether the present attempt was begun by another call, which has given up.
    is_inherited: bool,
    /// What its last repetition took out of the budget.
    paid: Price,
}

impl Logical {
    fn new(call: CallId, now: Time) -> Logical {
        let (timer, phase) = (None, Phase::BacksOff);
        let (child, attempts, copies, is_inherited, paid) = (0, 0, 0, false, 0);
        Logical { timer, since: now, call: call.index(), child, attempts, phase, copies, is_inherited, paid }
    }
}

/// The ticket of calls that pass through without a record.
const PASSES: u32 = u32::MAX;

// Timers of calls.
const TIMEOUT: u8 = 0;
const TOTAL: u8 = 1;
const BACKOFF: u8 = 2;
const FLUSH: u8 = 3;
const HEDGE: u8 = 4;
// Timers of tries.
const TRY_TIMEOUT: u8 = 5;
const ACQUIRE: u8 = 6;
const CONNECTED: u8 = 7;
const PACED: u8 = 12;

/// The link of one calling replica.
#[derive(Clone, Debug)]
pub struct Link {
    plan: Arc<LinkPlan>,
    // Settings that every call needs, ready to use.
    timeout: Option<Span>,
    total_timeout: Option<Span>,
    max_attempts: u32,
    when: OutcomeSet,
    /// Outcomes in whose place a fallback answers.
    falls_back: OutcomeSet,
    cancels: bool,
    deadlines: bool,
    /// Without any policy: calls pass through and only their counts are kept.
    is_bare: bool,
    /// Calls need nothing but attempts and their timeouts: of a call nothing is kept beside its record.
    is_plain: bool,
    /// Then, where it is known how often a choice of the target draws and attempts carry nothing that requests do not,
    /// requests are lent to their attempts.
    lends: bool,
    draws_of_a_choice: Option<u16>,
    /// Attempts take a connection out of a pool, or open one.
    connects: bool,
    /// Calls share one: coalesced, or in batches.
    shares: bool,
    /// The pool opens connections by itself.
    fills: bool,
    /// Of the copies of an attempt only the first to be begun is wanted.
    ties: bool,
    // State.
    chooser: Chooser,
    /// Finds out about the targets, where that takes time.
    lookout: Option<Box<Lookout>>,
    records: Slab<Logical>,
    /// What calls need that ask one policy after the other; `None` where none ever did.
    extra: Option<Box<Extra>>,
    /// By record: what bounds the whole call. Empty where nothing does.
    totals: Vec<Option<TimerId>>,
    budget: Option<Budget>,
    pool: Option<Pool>,
    coalescing: Option<Coalescing>,
    /// Followers of coalesced calls and members of batches, by their leader's record.
    members: std::collections::BTreeMap<u32, Members>,
    /// Those that are answered, to be used again.
    spare_members: Vec<Members>,
    filling: Option<u32>,
    /// Payload of the batch that is filling, where it is limited.
    filling_bytes: u64,
    /// Whether what has become free is being handed on further up the stack.
    hands_on: bool,
    /// The back-off before, for calls whose jitter asks for it, by record.
    previous_backoffs: std::collections::BTreeMap<u32, Span>,
    // Measures.
    /// Its attempts.
    pub attempts: Attempts,
    /// Time that callers waited for a connection.
    pool_wait: Histogram,
    batches: Batches,
    fallbacks: u64,
    /// Retries by what they were made after.
    causes: Option<Box<Causes>>,
}

impl Link {
    /// The link of a plan.
    pub fn new(plan: Arc<LinkPlan>) -> Link {
        let mut link = Link {
            timeout: None,
            total_timeout: None,
            max_attempts: 1,
            when: OutcomeSet::default(),
            falls_back: OutcomeSet::default(),
            cancels: false,
            deadlines: false,
            is_bare: false,
            is_plain: false,
            lends: false,
            draws_of_a_choice: draws_of_a_choice(&plan),
            connects: false,
            shares: false,
            fills: false,
            ties: false,
            chooser: Chooser::new(&plan),
            lookout: lookout_of(&plan),
            records: Slab::new(),
            extra: None,
            totals: Vec::new(),
            budget: None,
            pool: None,
            coalescing: None,
            members: Default::default(),
            spare_members: Vec::new(),
            filling: None,
            filling_bytes: 0,
            hands_on: false,
            previous_backoffs: Default::default(),
            attempts: Attempts::default(),
            pool_wait: Histogram::new(),
            batches: Batches::default(),
            fallbacks: 0,
            causes: None,
            plan,
        };
        link.settle();
        link.begin(0);
        link
    }

    /// What it is made of.
    pub fn plan(&self) -> &LinkPlan {
        &self.plan
    }

    /// Gets ready to adopt other settings under a number.
    pub fn prepare(&mut self, change: u32, settings: &LinkSettings) {
        Arc::make_mut(&mut self.plan).changes.push((change, settings.clone()));
    }

    /// Its pool, if it has one.
    pub fn pool(&self) -> Option<&Pool> {
        self.pool.as_ref()
    }

    fn settle(&mut self) {
        let plan = &self.plan;
        let s = &plan.settings;
        self.timeout = s.timeout.map(|d| d.0);
        self.total_timeout = s.total_timeout.map(|d| d.0);
        self.max_attempts = s.max_attempts();
        self.when = s.retry.as_ref().map_or(OutcomeSet::default(), |r| OutcomeSet::of(&r.when));
        self.falls_back = s.fallback.as_ref().map_or(OutcomeSet::default(), FallbackSettings::outcomes);
        self.cancels = s.propagate.contains(&Propagated::Cancel);
        self.deadlines = s.propagate.contains(&Propagated::Deadline);
        self.connects = s.pool.is_some() || s.network.as_ref().is_some_and(|n| !n.keep_alive);
        self.shares = s.coalesce.is_some() || s.batch.is_some();
        self.fills = s.pool.as_ref().is_some_and(|pool| pool.open == Opening::InBackground);
        self.ties = s.hedge.as_ref().is_some_and(|hedge| hedge.tied);
        // A balancer counts what is under way, so it must hear of the end of every attempt, and so must a lookout.
        let way = if plan.balancing.is_some() || self.lookout.is_some() { Way::InOrder } else { s.way() };
        if way == Way::InOrder {
            self.extra.get_or_insert_default();
        }
        self.is_bare = way == Way::Bare;
        // Calls that were under way while settings changed may have left something beside their records.
        let keeps_nothing = self.extra.is_none() && self.totals.is_empty() && self.previous_backoffs.is_empty();
        self.is_plain = keeps_nothing && way <= Way::Plain;
        // The attempt of a lent request carries what the request does, and so no deadline.
        self.lends = self.is_plain && self.draws_of_a_choice.is_some() && !self.deadlines;
    }

    /// State as at the start.
    fn begin(&mut self, now: Time) {
        let s = &self.plan.settings;
        match &mut self.lookout {
            Some(lookout) => {
                lookout.stop();
                self.chooser.forget();
            }
            None => self.chooser.begin(),
        }
        self.records = Slab::new();
        self.totals.clear();
        self.members.clear();
        self.previous_backoffs.clear();
        self.filling = None;
        self.coalescing = s.coalesce.as_ref().map(|_| Coalescing::default());
        match &mut self.pool {
            Some(pool) => pool.clear(now),
            None => self.pool = s.pool.as_ref().map(|pool| Pool::new(pool)),
        }
        self.budget = s.retry.as_ref().and_then(|r| r.budget.as_ref()).map(Budget::new);
        if let Some(extra) = &mut self.extra {
            extra.begin(s, now, self.plan.key);
        }
    }

    /// Whether it chooses: a balancer's link only does where calls are handed to it.
    fn chooses_itself(&self) -> bool {
        let asks = |settings: &LinkSettings| settings.asks_anything();
        let plan = &self.plan;
        plan.balancing.is_none() || asks(&plan.settings) || plan.changes.iter().any(|(_, settings)| asks(settings))
    }

    /// Lets the lookout do something, where there is one.
    fn look(&mut self, act: impl FnOnce(&mut Lookout, &mut dyn Desk)) {
        if let Some(lookout) = &mut self.lookout {
            act(lookout, &mut OwnDesk { plan: &self.plan, chooser: &mut self.chooser });
        }
    }

    fn retry(&self) -> &RetrySettings {
        self.plan.settings.retry.as_ref().expect("asked only where there is one")
    }

    #[inline]
    fn record(&mut self, index: u32) -> &mut Logical {
        self.records.get_mut(index).expect("an open call has its record")
    }

    /// The call of a record.
    #[inline]
    fn call_of(&mut self, cx: &Cx<'_>, index: u32) -> CallId {
        cx.open_call(self.record(index).call)
    }

    /// A call passes through a link that has no policies.
    #[inline(always)]
    fn pass_through(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        self.attempts.begin(false);
        let Some(chosen) = self.choose(cx, &mut Source::Call(call)) else {
            let answer = cx.answer(Outcome::Unavailable);
            self.attempts.end(cx.now(), answer.outcome());
            return Next::reply(call, answer);
        };
        let to = self.to(chosen, 0);
        if let Some(next) = cx.pass_on(call, to, 0) {
            forget_deadline(cx, call);
            return next;
        }
        cx.set_ticket(call, PASSES);
        let child = cx.call(call, to);
        forget_deadline(cx, child);
        Next::call(child)
    }

    /// Where nothing is to be decided for any call, the engine lets calls pass without asking.
    fn pass_where_possible(&self, cx: &mut Cx<'_>) {
        let sole = self.chooser.sole().filter(|_| self.is_bare);
        cx.let_pass(sole.map(|chosen| self.to(chosen, 0)));
    }

    /// A call begins its way through the policies.
    #[inline(never)]
    fn accept(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if !self.is_plain {
            return self.accept_in_order(cx, call);
        }
        self.attempts.begin(false);
        let Some(chosen) = self.choose(cx, &mut Source::Call(call)) else {
            let index = self.note_attempt(cx, call, call, cx.now(), None);
            return self.nobody(cx, index);
        };
        let to = self.to(chosen, 0);
        if self.lends && cx.lend(call, to) {
            let timer = self.set_timeout(cx, call, Timer::of(TIMEOUT, call));
            cx.keep_timer(call, timer);
            return Next::call(call);
        }
        let (child, timer) = self.make_attempt(cx, call, to, Timer::of(TIMEOUT, call));
        self.note_attempt(cx, call, child, cx.now(), timer);
        Next::call(child)
    }

    /// The record of a call whose first attempt is under way.
    #[inline(always)]
    fn note_attempt(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        child: CallId,
        since: Time,
        timer: Option<TimerId>,
    ) -> u32 {
        let (attempts, phase) = (1, Phase::Under);
        let record = Logical { timer, child: child.index(), attempts, phase, ..Logical::new(call, since) };
        let index = self.records.insert(record);
        cx.set_ticket(call, index);
        index
    }

    /// A request that was lent to its first attempt parts from it. Its record.
    fn part(&mut self, cx: &mut Cx<'_>, attempt: CallId) -> u32 {
        let (request, since, timer) = cx.part(attempt, self.draws_of_a_choice.unwrap_or(0));
        self.note_attempt(cx, request, attempt, since, timer)
    }

    /// The attempt of a request that was lent to it is answered.
    #[inline(always)]
    fn lent_answered(&mut self, cx: &mut Cx<'_>, call: CallId, answer: Answer) -> Next {
        if !(self.is_plain && answer.outcome().is_good()) {
            let index = self.part(cx, call);
            return self.answered(cx, index, call, answer);
        }
        let (since, timer) = cx.take_back(call);
        if let Some(timer) = timer {
            cx.cancel(timer);
        }
        self.attempts.end(since, answer.outcome());
        Next::reply(call, answer)
    }

    /// A call asks one policy after the other.
    #[inline(never)]
    fn accept_in_order(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let now = cx.now();
        let index = self.records.insert(Logical::new(call, now));
        cx.set_ticket(call, index);
        if let Some(total) = self.total_timeout {
            // The clock of a request that should have been sent earlier has been running since then.
            let spent = now - cx.since(call);
            let timer = if spent == 0 {
                cx.after_constant(total, Class::GivingUp, Timer::of(TOTAL, call))
            } else {
                cx.after(total.saturating_sub(spent), Class::GivingUp, Timer::of(TOTAL, call))
            };
            note(&mut self.totals, index, Some(timer));
        }
        if self.coalescing.is_some() {
            let (op, key) = self.identity(cx, call);
            let leader = self.coalescing.as_mut().and_then(|c| c.join(op, key, index));
            if let Some(leader) = leader {
                self.follow(cx, index, leader);
                self.members_of(cx, leader).followers.push_back(index);
                return Next::WAIT;
            }
        }
        if self.plan.settings.batch.is_some() {
            let plan = self.plan.clone();
            let batch = plan.settings.batch.as_ref().expect("just seen");
            return self.join_batch(cx, index, batch);
        }
        self.attempt(cx, index)
    }

    /// The logical call ends, and with it all that share it.
    #[inline]
    fn finish(&mut self, cx: &mut Cx<'_>, index: u32, mut answer: Answer) -> Next {
        let record = self.records.remove(index).expect("an open call has its record");
        let call = cx.open_call(record.call);
        if self.total_timeout.is_some() || !self.totals.is_empty() {
            self.cancel_total(cx, index);
        }
        if !self.previous_backoffs.is_empty() {
            self.previous_backoffs.remove(&index);
        }
        if self.shares {
            if record.is_inherited {
                cx.spent(call, Spent::Sharing);
            }
            let is_batch = !matches!(record.phase, Phase::Follows | Phase::FallsBack);
            answer = self.answer_followers(cx, index, call, answer, is_batch);
        }
        if self.falls_back.contains(answer.outcome()) {
            return self.fall_back(cx, call);
        }
        Next::reply(call, answer)
    }

    fn cancel_total(&mut self, cx: &mut Cx<'_>, index: u32) {
        if let Some(total) = self.totals.get_mut(index as usize).and_then(Option::take) {
            cx.cancel(total);
        }
    }
}

impl Link {
    fn on_timer_of_call(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let call = timer.call();
        if !cx.is_open(call) {
            return Next::WAIT;
        }
        let index = if cx.is_lent(call) { self.part(cx, call) } else { cx.ticket(call) };
        if timer.what != TOTAL {
            self.record(index).timer = None;
        }
        match timer.what {
            TIMEOUT => {
                self.stop(cx, index, Outcome::Timeout);
                let answer = cx.answer(Outcome::Timeout);
                self.failed(cx, index, answer)
            }
            TOTAL => {
                self.totals[index as usize] = None;
                self.give_up(cx, index, Outcome::Timeout)
            }
            BACKOFF => {
                cx.spent(call, Spent::BackOff);
                self.attempt(cx, index)
            }
            FLUSH => self.flush(cx, index),
            HEDGE => self.hedge(cx, index),
            FALLBACK => self.fallen_back(cx, call, index),
            what => unreachable!("no timer is set for {what}"),
        }
    }

    /// A call ends before its answer, with whatever is going on for it alone.
    fn give_up(&mut self, cx: &mut Cx<'_>, index: u32, outcome: Outcome) -> Next {
        let answer = cx.answer(outcome);
        if let Some(left) = self.succeed(cx, index) {
            return self.finish(cx, left, answer);
        }
        let phase = self.record(index).phase;
        self.stop(cx, index, outcome);
        match phase {
            Phase::Follows => self.leave_company(cx, index),
            // It was alone in its batch.
            Phase::InBatch => self.filling = None,
            Phase::Under | Phase::Tries | Phase::BacksOff | Phase::FallsBack => {}
        }
        self.finish(cx, index, answer)
    }
}

/// What finds out about the targets of a plan.
fn lookout_of(plan: &LinkPlan) -> Option<Box<Lookout>> {
    let there: Vec<bool> = plan.targets.iter().flat_map(Target::members).collect();
    Lookout::new(&plan.means, plan.instance(), &there)
}

impl LinkPlan {
    /// Which of the callers it belongs to.
    fn instance(&self) -> Instance {
        Instance { key: self.key, shared: self.shared, number: self.replica }
    }
}

/// A deadline does not travel along over what does not propagate it.
#[inline]
pub(crate) fn forget_deadline(cx: &mut Cx<'_>, child: CallId) {
    cx.set_deadline(child, Time::MAX);
}

impl Component for Link {
    fn on_news(&mut self, cx: &mut Cx<'_>, about: NodeId, news: News) {
        for number in numbers_on(&self.plan, about) {
            match self.lookout.is_some() {
                true => self.look(|lookout, desk| lookout.hear(cx, desk, number as u32, news)),
                false => self.chooser.learn(&self.plan, number, news),
            }
        }
    }

    fn on_path_changed(&mut self, cx: &mut Cx<'_>, path: u16) {
        self.look(|lookout, desk| lookout.path_changed(cx, desk, path));
    }

    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        if self.chooses_itself() {
            self.look(|lookout, desk| lookout.start(cx, desk));
        }
        self.pass_where_possible(cx);
        self.open_from_the_start(cx);
        Next::WAIT
    }

    #[inline(always)]
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if self.is_bare { self.pass_through(cx, call) } else { self.accept(cx, call) }
    }

    #[inline]
    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, child: CallId, answer: Answer) -> Next {
        if call == child {
            return self.lent_answered(cx, call, answer);
        }
        let index = cx.ticket(call);
        if index == PASSES {
            self.attempts.end(cx.since(call), answer.outcome());
            return Next::reply(call, answer);
        }
        if self.is_plain && answer.outcome().is_good() {
            // What nearly every answer comes to, without asking for what there is not.
            let record = self.records.remove(index).expect("an open call has its record");
            debug_assert!(
                record.phase == Phase::Under && record.child == child.index(),
                "no abandoned attempt answers"
            );
            if let Some(timer) = record.timer {
                cx.cancel(timer);
            }
            self.attempts.end(record.since, answer.outcome());
            return Next::reply(call, answer);
        }
        self.answered(cx, index, child, answer)
    }

    fn on_passed(&mut self, _ticket: u32, since: Time, outcome: Outcome) {
        self.attempts.end(since, outcome);
    }

    fn on_parting(&mut self, cx: &mut Cx<'_>, attempt: CallId) {
        self.part(cx, attempt);
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        match timer.what {
            TRY_TIMEOUT | ACQUIRE | CONNECTED | PACED => {
                let Some(of) = self.try_of(timer) else { return Next::WAIT };
                match timer.what {
                    TRY_TIMEOUT => self.try_timed_out(cx, of),
                    ACQUIRE => self.waited_in_vain(cx, of),
                    CONNECTED => self.connected(cx, of),
                    PACED => self.paced(cx, of),
                    what => unreachable!("{what} is no timer of a try"),
                }
            }
            GATE => self.gate_is_due(cx, timer.data as usize),
            ADDED => self.added(cx, timer.data as u32),
            LOOK => self.look_at_connections(cx, timer.data as u32),
            _ if lookout::is_its(timer) => {
                self.look(|lookout, desk| lookout.due(cx, desk, timer));
                Next::WAIT
            }
            _ => self.on_timer_of_call(cx, timer),
        }
    }

    #[inline(always)]
    fn look_ahead(&self, ahead: Ahead<'_>, coming: Coming) -> Sight {
        let call = coming.call();
        // An answer finds its call prefetched already.
        match ahead.round + u32::from(coming.is_answer()) {
            0 => {
                ahead.prefetch_call(call);
                Sight::Again
            }
            1 => {
                self.records.prefetch(ahead.ticket(call));
                if coming.is_answer() { Sight::Again } else { Sight::Done }
            }
            _ => {
                if let Some(timer) = self.records.get(ahead.ticket(call)).and_then(|record| record.timer) {
                    ahead.prefetch_timer(timer);
                }
                Sight::Answers(call)
            }
        }
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        // Giving up goes on only over links that propagate it: what passes through a bare one runs on.
        let index = cx.ticket(call);
        if index == PASSES {
            return Next::WAIT;
        }
        self.give_up(cx, index, Outcome::Cancelled)
    }

    fn retire(&mut self, now: Time) {
        if let Some(pool) = &mut self.pool {
            pool.retire(now);
        }
    }

    fn rebuild(&mut self, now: Time) {
        // Measures live on: only what the process knew is gone.
        self.begin(now);
    }

    fn begin_measuring(&mut self, now: Time) {
        self.attempts.begin_measuring(now);
        self.pool_wait.clear();
        (self.batches, self.fallbacks) = (Batches::default(), 0);
        self.causes = None;
        if let Some(extra) = &mut self.extra {
            extra.gates.begin_measuring(now);
        }
        if let Some(lookout) = &mut self.lookout {
            lookout.begin_measuring();
        }
        if let Some(pool) = &mut self.pool {
            pool.begin_measuring(now);
        }
        if let Some(coalescing) = &mut self.coalescing {
            coalescing.coalesced = 0;
            coalescing.shared = (0, 0);
        }
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        if let Some(pool) = &self.pool {
            pool.figures(now, &self.pool_wait, figures);
        }
        if let Some(coalescing) = &self.coalescing {
            coalescing.figures(figures);
        }
        if let Some(extra) = &self.extra {
            extra.gates.figures(now, figures);
        }
        if let Some(lookout) = self.lookout.as_ref().filter(|_| self.chooses_itself()) {
            lookout.figures(figures);
        }
        if let Some(retry) = &self.plan.settings.retry {
            self.causes.as_deref().unwrap_or(&Causes::default()).figures(retry, figures);
        }
        if let Some(batch) = &self.plan.settings.batch {
            self.batches.figures(batch, figures);
        }
        if self.plan.settings.fallback.is_some() {
            fallback::figures(self.fallbacks, figures);
        }
    }

    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        let Some((_, settings)) = self.plan.changes.iter().find(|(number, _)| *number == change) else {
            return false;
        };
        let before = self.plan.clone();
        let mut plan = (*self.plan).clone();
        plan.settings = settings.clone();
        self.plan = Arc::new(plan);
        self.settle();
        let s = &self.plan.settings;
        if let (Some(pool), Some(settings)) = (&mut self.pool, &s.pool) {
            pool.adopt(cx.now(), settings);
        }
        let budget_of = |settings: &'_ LinkSettings| settings.retry.as_ref().and_then(|r| r.budget.clone());
        let after = budget_of(s);
        if after != budget_of(&before.settings) {
            match (&mut self.budget, &after) {
                (Some(budget), Some(settings)) => budget.adopt(settings),
                (budget, settings) => *budget = settings.as_ref().map(Budget::new),
            }
        }
        if let Some(extra) = &mut self.extra {
            s.adopt_gates(&mut extra.gates.all, cx.now());
        }
        self.hand_on(cx);
        self.pass_where_possible(cx);
        true
    }
}

/// Sets what is known of a record in a table that grows when it is needed.
fn note<T: Copy + Default>(table: &mut Vec<T>, index: u32, value: T) {
    reach(table, index as usize, T::default());
    table[index as usize] = value;
}

/// Work for a call, times what its request demands.
#[inline]
pub fn by_demand(work: Span, cx: &Cx<'_>, call: CallId) -> Span {
    let demand = cx.demand(call);
    if demand == 1.0 { work } else { nearest(work as f64 * demand) }
}

/// A service time that is drawn for a call; a convenience for components.
#[inline(always)]
pub fn sample(dist: &Dist, cx: &mut Cx<'_>, call: CallId, purpose: u32) -> Span {
    match dist.is_constant() {
        Some(value) => value as Span,
        None => dist.sample_span(&mut cx.draw(call, purpose)),
    }
}

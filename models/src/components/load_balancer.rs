//! A load balancer: spreads calls over the replicas of what it calls.
//!
//! It chooses among *replicas*, calls the chosen one itself and passes the answer on as it is. It counts its own calls
//! under way, also those whose caller has given up, until they are answered; a replica that is dead is passed over
//! as soon as a health check has said so, and called like the others without one. Several instances share nothing.
//!
//! With policies on its `to`, such as a timeout for each target and a retry on another one, it hands each call to that
//! link, which then chooses a replica for every attempt in the same way.
//!
//! ```text
//!            ┌──▶ web[0]
//!   call ─▶ lb ──▶ web[1]      round robin, random, fewest calls, …
//!            └──▶ web[2]
//! ```

use settings::{Fraction, Money, Name, Setting, Spanned};
use sim_core::NO_CONNECTION;
use sim_core::figures::Set;
use sim_core::random::{Draw, Key, hash};
use sim_core::{
    Answer, Attempts, CallId, Component, Cx, Figure, Figures, News, Next, NodeId, Outcome, Span, Time, Timer, To,
};

use super::kind::{Ask, Checks, Kind, Links, in_proportion};
use super::site::Site;
use crate::balancing::beliefs::Beliefs;
use crate::balancing::checker::{self, Reached};
use crate::balancing::discovery::DiscoverySettings;
use crate::balancing::ejection::EjectionSettings;
use crate::balancing::health_check::{HealthCheckSettings, OrInstant};
use crate::balancing::lookout::{self, Desk, Lookout, Means};
use crate::balancing::slow_start::SlowStartSettings;
use crate::balancing::sticky::StickyBy;
use crate::balancing::subset::{Instance, SubsetSettings};
use crate::balancing::{AlgorithmSettings, Choosing, HashedBy, World};
use crate::costs;
use crate::link::{LinkSettings, Propagated, Target, forget_deadline};
use crate::policies::flaw::Flaw;
use crate::policies::outcomes::passed_on_from_behind;
use crate::policies::pool;
use crate::policies::presets::OrPreset;

/// What a balancer chooses a replica for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Per {
    /// Each call: it reads what comes over a connection (layer 7).
    Request,
    /// Each connection: all calls that come over one, out of a caller's pool, go to the same replica (layer 4). Where the caller
    /// has no pool, each call has a connection of its own.
    Connection,
}

/// Spreads calls over the replicas of what it calls.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Targets: a name, a list of names, or a list of `{to, weight}`. The weight applies to each replica.
    pub to: LinkSettings,
    /// How a replica is chosen for each call. Envoy's and nginx's default is round robin.
    #[setting(default = "round_robin")]
    pub algorithm: AlgorithmSettings,
    /// Whether a replica is chosen per request or per connection.
    #[setting(default = "request")]
    pub per: Per,
    /// Number of balancer instances.
    #[setting(default = 1, range = "1..=10000")]
    pub instances: u32,
    /// Price of an instance, an hour.
    pub cost: Option<Money>,
    /// Region.
    pub region: Option<Spanned<Name>>,
    /// How it detects unhealthy replicas. Without it, dead replicas are still called.
    pub health_check: Option<HealthCheckSettings>,
    /// Ejects replicas that answer badly.
    pub outlier_ejection: Option<OrPreset<EjectionSettings>>,
    /// Share of healthy replicas below which all are called, healthy or not. Envoy's default is 50 %; without this key, nobody
    /// panics.
    #[setting(range = ">0..=1")]
    pub panic_threshold: Option<Fraction>,
    /// How it learns which replicas have become ready, or are about to leave. `instant` is an idealisation.
    #[setting(default = "instant")]
    pub discovery: DiscoverySettings,
    /// Replicas that may be registered; more are an error. AWS' balancers take 1,000, a Network Load Balancer 500 in a zone.
    #[setting(range = "1..=1000000")]
    pub max_targets: Option<u32>,
    /// Targets that each instance calls, where it does not call all.
    pub subset: Option<SubsetSettings>,
    /// Gives replicas that have just come up their share of the calls bit by bit. Without it, they get all of it at once.
    pub slow_start: Option<SlowStartSettings>,
    /// Sends all calls of a client, or with one key, to the target to which the first of them was sent, as a cookie does; another one is chosen
    /// once that can no longer be called.
    pub sticky: Option<StickyBy>,
    /// Connections of callers that an instance has at most. Further ones are refused (`unavailable`). A call in flight holds one; with
    /// `per: connection`, each connection of a caller's pool over which calls have come does, until it is closed.
    #[setting(range = "1..=100000000")]
    pub max_connections: Option<u32>,
}

const EXAMPLE: &str = "\
kind: load_balancer
to: db
algorithm: {power_of_two: {choices: 2}}
";

const LINK: &str = "to";

/// The ticket of calls that were handed to the link.
const ASKED: u32 = u32::MAX;

/// In the ticket of calls that follow others over their connection: who is chosen counts the connection and not the calls.
const FOLLOWS: u32 = 1 << 31;

const PURPOSE_TARGET: u32 = 0x6c62;

const CONNECTIONS_MAX: Figure =
    Figure::peak("connections_max", "Most connections that one instance had at once, with `max_connections`.");
const MOVED: Figure = Figure::count(
    "sticky.moved",
    "Clients or keys that were sent to another target since theirs could no longer be called.",
);
const REFUSED: Figure = Figure::count("refused", "Calls refused since an instance had `max_connections` already.");

/// The connections of one instance.
#[derive(Clone, Debug, Default)]
struct Limit {
    max: u32,
    open: u32,
    // Measures.
    most: u32,
    refused: u64,
}

impl Limit {
    /// Whether there is room for one more.
    fn has_room(&mut self) -> bool {
        let has_room = self.open < self.max;
        self.refused += u64::from(!has_room);
        has_room
    }

    fn open(&mut self) {
        self.open += 1;
        self.most = self.most.max(self.open);
    }

    fn close(&mut self) {
        self.open -= 1;
    }
}

/// One balancer.
#[derive(Clone, Debug)]
pub struct LoadBalancer {
    // Settings.
    components: Vec<Target>,
    /// Whom it can call, by number: node and path.
    targets: Vec<(NodeId, u16)>,
    /// The node of its link, and what tells its calls from other links'.
    link: (NodeId, u32),
    per: Per,
    /// Whether calls go over that link, since it has policies.
    asks_link: bool,
    /// It chooses for each call alone, itself, and needs to know nothing else: the short way.
    is_plain: bool,
    // State.
    choosing: Choosing,
    /// Finds out about the targets, where that takes time and it chooses itself.
    lookout: Option<Box<Lookout>>,
    /// Its connections, where there may be so many.
    limit: Option<Box<Limit>>,
    keeps_deadlines: bool,
    /// Whether giving up is passed on.
    cancels: bool,
    /// The call made for each call, by index of the latter; kept where giving up is passed on, or it matters how calls end.
    children: Option<Vec<Option<CallId>>>,
    // Measures.
    attempts: Attempts,
}

impl Kind for LoadBalancer {
    const NAME: &'static str = "load_balancer";
    const EXAMPLE: &'static str = EXAMPLE;
    const FIGURES: &'static [Set] = &[
        checker::FIGURES,
        lookout::FIGURES_OF_EJECTION,
        lookout::FIGURES_OF_PANIC,
        &[&CONNECTIONS_MAX, &REFUSED, &MOVED],
        costs::FIGURES,
    ];
    type Settings = Settings;

    fn links(settings: &Settings) -> Links<'_> {
        vec![(LINK, &settings.to)]
    }

    fn replicas(settings: &Settings) -> u32 {
        settings.instances
    }

    fn cost(settings: &Settings) -> Option<Money> {
        settings.cost
    }

    fn region(settings: &Settings) -> Option<&Spanned<Name>> {
        settings.region.as_ref()
    }

    fn asks(settings: &Settings) -> Vec<Ask<'_>> {
        Ask::same(LINK, &settings.to)
    }

    fn balancing(settings: &Settings) -> Option<&AlgorithmSettings> {
        Some(&settings.algorithm)
    }

    fn shares(settings: &Settings, targets: &[(f64, u32, Span)]) -> Vec<f64> {
        let nearest = targets.iter().map(|(_, _, rtt)| *rtt).min();
        let counts = |rtt: &Span| !settings.algorithm.goes_by_distance() || Some(*rtt) == nearest;
        let share = |(weight, replicas, rtt): &(f64, u32, Span)| match counts(rtt) {
            true => weight * f64::from(*replicas),
            false => 0.0,
        };
        in_proportion(targets.iter().map(share))
    }

    fn needs_keys(settings: &Settings) -> bool {
        settings.algorithm.hashes() == Some(HashedBy::Key) || settings.sticky == Some(StickyBy::Key)
    }

    fn goes_by_client(settings: &Settings) -> bool {
        settings.algorithm.hashes() == Some(HashedBy::Client) || settings.sticky == Some(StickyBy::Client)
    }

    fn targets_max(settings: &Settings) -> Option<u32> {
        settings.max_targets
    }

    fn follows_connections(settings: &Settings) -> bool {
        settings.per == Per::Connection
    }

    fn knows_at_once(settings: &Settings) -> bool {
        settings.health_check.as_ref().is_some_and(HealthCheckSettings::is_instant)
    }

    fn finds_out(settings: &Settings) -> bool {
        settings.health_check.is_some()
    }

    fn means(settings: &Settings) -> Means {
        Means {
            probes: settings.health_check.as_ref().and_then(OrInstant::found_out).map(|probes| probes.0.clone()),
            ejection: settings.outlier_ejection.as_ref().map(|ejection| ejection.0.clone()),
            panic_below: settings.panic_threshold.map_or(0.0, |share| share.0),
            discovery: settings.discovery.found_out().map(|delay| delay.0.clone()),
            slow_start: settings.slow_start.clone(),
            subset: settings.subset,
            sticky: settings.sticky,
        }
    }

    fn check(settings: &Settings, checks: &mut Checks<'_>) {
        check_means(settings, checks);
        if settings.per == Per::Connection && settings.to.asks_anything() {
            let message = "a balancer with `per: connection` forwards connections and makes no calls of its own";
            let help = "set the policies on the links that call the balancer, or use `per: request`";
            checks.error("no_effect", checks.span(), "to", message, Some(help));
        }
        if settings.to.health_check.is_some() {
            let message = "the balancer chooses the target, so set `health_check` on the balancer";
            checks.error("no_effect", checks.span(), "to.health_check", message, Some("write it beside `to`"));
        }
        if let Some(pool) = &settings.to.pool {
            let given = [("per", pool.per == Some(pool::Per::Component)), ("choose", pool.choose.is_some())];
            for (key, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
                let message = format!("`{key}` has no effect here: the balancer chooses a replica for each call");
                let help = "remove it; `size` counts the connections to each replica";
                checks.error("no_effect", checks.span(), &format!("to.pool.{key}"), &message, Some(help));
            }
        }
        let weighted = settings.to.to.iter().any(|t| t.weight != 1.0);
        if weighted && !settings.algorithm.uses_weights() {
            let help = "choose `weighted_round_robin`, `random` or `least_connections`, or remove the weights";
            let at = settings.to.to.values.first().map_or(checks.span(), |t| t.to.span);
            checks.error("no_effect", at, "to", "this algorithm ignores weights", Some(help));
        }
    }

    fn build(settings: &Settings, site: &mut Site<'_>) -> LoadBalancer {
        let mut targets = Vec::new();
        let (mut weights, mut distances) = (Vec::new(), Vec::new());
        let mut members = Vec::new();
        for target in site.targets(LINK) {
            targets.extend(target.nodes.iter().map(|node| (*node, target.path)));
            weights.extend(target.nodes.iter().map(|_| target.weight));
            distances.extend(target.nodes.iter().map(|_| target.rtt));
            members.extend(target.members());
        }
        let cancels = settings.to.propagate.contains(&Propagated::Cancel);
        let means = Self::means(settings);
        let of = Instance {
            key: Key::root(site.seed(), hash(0, &site.stream("lookout")), 0).bits(),
            shared: Key::root(site.seed(), hash(0, &site.directory.components[site.component].name), 0).bits(),
            number: site.replica,
        };
        let lookout = Lookout::new(&means, of, &members);
        let beliefs = Beliefs::of_members(means.known(of, members)).panicking_below(means.panic_below);
        let judges = settings.algorithm.measures() || lookout.as_ref().is_some_and(|lookout| lookout.judges());
        let is_plain = settings.per == Per::Request
            && lookout.is_none()
            && settings.max_connections.is_none()
            && !settings.to.asks_anything();
        LoadBalancer {
            choosing: Choosing::new(&settings.algorithm, weights, distances, beliefs)
                .with_slow_start(means.slow_start.as_ref())
                .with_sticky(means.sticky),
            is_plain,
            limit: settings.max_connections.map(|max| Box::new(Limit { max, ..Limit::default() })),
            lookout,
            components: site.targets(LINK).to_vec(),
            targets,
            link: site.link(LINK),
            per: settings.per,
            asks_link: settings.to.asks_anything(),
            keeps_deadlines: settings.to.propagate.contains(&Propagated::Deadline),
            cancels,
            children: (cancels || judges || settings.to.asks_anything()).then(Vec::new),
            attempts: Attempts::default(),
        }
    }

    fn prepare(&mut self, _change: u32, settings: &Settings) {
        // Of the balancer itself nothing can change during a run. A policy that its link is to have later is met from
        // now on, so that one chooser knows of all calls.
        if settings.to.asks_anything() {
            (self.asks_link, self.is_plain) = (true, false);
            self.children.get_or_insert_default();
        }
    }

    fn attempts(&self, _link: usize) -> Option<&Attempts> {
        Some(&self.attempts)
    }
}

/// What is wrong with how it finds out about its targets.
fn check_means(settings: &Settings, checks: &mut Checks<'_>) {
    let span = checks.span();
    let probes = settings.health_check.as_ref().map_or_else(Vec::new, HealthCheckSettings::flaws);
    let ejection = settings.outlier_ejection.as_ref().map_or_else(Vec::new, |ejection| ejection.flaws());
    let algorithm = settings.algorithm.flaws();
    for (policy, flaws) in [("health_check", probes), ("outlier_ejection", ejection), ("algorithm", algorithm)] {
        for Flaw { code, key, message, help } in flaws {
            checks.error(code, span, &format!("{policy}.{key}"), &message, Some(&help));
        }
    }
    let is_told_nothing = settings.health_check.is_none() && settings.outlier_ejection.is_none();
    if settings.slow_start.is_some() && !settings.algorithm.can_spare() {
        let message =
            "`slow_start` has no effect: with this algorithm, keys, latencies or distances decide who gets a call";
        checks.error(
            "no_effect",
            span,
            "slow_start",
            message,
            Some("choose `round_robin` or `least_connections`, or remove it"),
        );
    }
    if settings.sticky.is_some() && settings.algorithm.hashes().is_some() {
        let message = "`sticky` has no effect: with this algorithm, all calls of a client or key go to one target";
        checks.error("no_effect", span, "sticky", message, Some("remove it, or choose another algorithm"));
    }
    if settings.sticky.is_some() && settings.instances > 1 {
        let message = "`sticky` is not supported with several `instances` yet: each would remember targets of its own";
        let help = "use `ring_hash` or `maglev`, with which all instances agree";
        checks.error(settings::bind::NOT_YET, span, "sticky", message, Some(help));
    }
    if settings.panic_threshold.is_some() && is_told_nothing {
        let message = "`panic_threshold` has no effect: without `health_check` and `outlier_ejection` all targets count as healthy";
        checks.error("no_effect", span, "panic_threshold", message, Some("add one of them, or remove it"));
    }
}

/// What an algorithm may ask about a call.
struct Asking<'a, 'b> {
    cx: &'a mut Cx<'b>,
    call: CallId,
}

impl World for Asking<'_, '_> {
    #[inline]
    fn draw(&mut self) -> Draw {
        self.cx.draw(self.call, PURPOSE_TARGET)
    }

    fn key(&mut self) -> u64 {
        self.cx.data_key(self.call)
    }

    fn client(&mut self) -> u64 {
        self.cx.client(self.call)
    }

    fn now(&self) -> Time {
        self.cx.now()
    }
}

/// A balancer's desk for its lookout.
struct OwnDesk<'a> {
    choosing: &'a mut Choosing,
    targets: &'a [(NodeId, u16)],
}

impl Desk for OwnDesk<'_> {
    fn targets(&self) -> usize {
        self.targets.len()
    }

    fn reached(&self, number: u32) -> Reached {
        let (node, path) = self.targets[number as usize];
        Reached { number, node, path }
    }

    fn is_member(&self, number: u32) -> bool {
        self.choosing.beliefs().is_member(number as usize)
    }

    fn panics(&self) -> bool {
        self.choosing.beliefs().panics()
    }

    fn learn(&mut self, number: u32, news: News) {
        self.choosing.learn(number as usize, news);
    }

    fn eject(&mut self, number: u32, is_ejected: bool) {
        self.choosing.eject(number as usize, is_ejected);
    }

    fn warm(&mut self, number: u32, now: Time) {
        self.choosing.warm(now, number as usize);
    }
}

impl LoadBalancer {
    /// Lets the lookout do something, where there is one.
    fn look(&mut self, act: impl FnOnce(&mut Lookout, &mut dyn Desk)) {
        if let Some(lookout) = &mut self.lookout {
            act(lookout, &mut OwnDesk { choosing: &mut self.choosing, targets: &self.targets });
        }
    }

    /// Whom a call goes to; `None` where nobody can be called.
    #[inline]
    fn choose(&mut self, cx: &mut Cx<'_>, call: CallId) -> Option<usize> {
        let target = self.choosing.choose(&mut Asking { cx, call })?;
        if let Some(lookout) = &mut self.lookout {
            lookout.sent(target as u32);
        }
        Some(target)
    }

    fn to(&self, target: usize) -> To {
        let (node, path) = self.targets[target];
        To { node, link: self.link.1, ordinal: 0, profile: None, path, is_retry: false }
    }

    /// Hands a call to the link.
    #[cold]
    #[inline(never)]
    fn ask_link(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let (node, link) = self.link;
        let child = cx.call(call, To { node, link, ordinal: 0, profile: None, path: 0, is_retry: false });
        cx.set_ticket(call, ASKED);
        self.remember(call, Some(child));
        self.opened();
        Next::call(child)
    }

    /// Nobody can be called, or the instance has no room for another connection.
    #[cold]
    fn refuse(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let answer = cx.answer(Outcome::Unavailable);
        self.attempts.end(cx.now(), answer.outcome());
        Next::reply(call, answer)
    }

    /// A connection is open from now on.
    #[inline]
    fn opened(&mut self) {
        if let Some(limit) = &mut self.limit {
            limit.open();
        }
    }

    /// A call that went to a target of this balancer's choice has ended.
    #[inline(always)]
    fn ended(&mut self, ticket: u32, since: Time, outcome: Outcome) {
        if !self.is_plain {
            if !self.leave(ticket) {
                return;
            }
        } else {
            self.choosing.end(ticket as usize);
        }
        self.attempts.end(since, outcome);
    }

    /// What a call that has ended held is free; whether it counts here, and not at the link.
    #[cold]
    #[inline(never)]
    fn leave(&mut self, ticket: u32) -> bool {
        if (ticket == ASKED || ticket & FOLLOWS == 0)
            && let Some(limit) = &mut self.limit
        {
            limit.close();
        }
        if ticket & FOLLOWS == 0 {
            self.choosing.end(ticket as usize);
        }
        ticket != ASKED
    }

    /// A call comes in, and there is more to ask than whom it goes to.
    #[inline(never)]
    fn take_in(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if self.asks_link {
            if self.limit.as_mut().is_some_and(|limit| !limit.has_room()) {
                return Next::reply(call, cx.answer(Outcome::Unavailable));
            }
            return self.ask_link(cx, call);
        }
        self.attempts.begin(false);
        let connection = cx.connection(call);
        if self.per == Per::Connection && connection != NO_CONNECTION {
            return self.follow(cx, call, connection);
        }
        if self.limit.as_mut().is_some_and(|limit| !limit.has_room()) {
            return self.refuse(cx, call);
        }
        let Some(target) = self.choose(cx, call) else { return self.refuse(cx, call) };
        self.opened();
        self.send(cx, call, target)
    }

    /// Sends a call to a target.
    #[inline(always)]
    fn send(&mut self, cx: &mut Cx<'_>, call: CallId, target: usize) -> Next {
        if self.children.is_none()
            && let Some(next) = cx.pass_on(call, self.to(target), target as u32)
        {
            if !self.keeps_deadlines {
                forget_deadline(cx, call);
            }
            return next;
        }
        cx.set_ticket(call, target as u32);
        let to = self.to(target);
        Next::call(self.make(cx, call, to))
    }

    /// Sends a call on to whoever gets what comes over its connection.
    fn follow(&mut self, cx: &mut Cx<'_>, call: CallId, connection: u32) -> Next {
        let (target, epoch) = match cx.pinned(connection) {
            Some(pinned) => pinned,
            None => {
                if self.limit.as_mut().is_some_and(|limit| !limit.has_room()) {
                    return self.refuse(cx, call);
                }
                let Some(target) = self.choose(cx, call) else { return self.refuse(cx, call) };
                self.opened();
                let node = self.targets[target].0;
                cx.pin(connection, node, target as u32);
                (target as u32, cx.epoch(node))
            }
        };
        let (to, ticket) = (self.to(target as usize), target | FOLLOWS);
        if self.children.is_none()
            && cx.epoch(to.node) == epoch
            && let Some(next) = cx.pass_on(call, to, ticket)
        {
            if !self.keeps_deadlines {
                forget_deadline(cx, call);
            }
            return next;
        }
        cx.set_ticket(call, ticket);
        let child = self.make(cx, call, to);
        cx.send_over(child, epoch)
    }

    /// Makes a call of its own for a call.
    #[inline(never)]
    fn make(&mut self, cx: &mut Cx<'_>, call: CallId, to: To) -> CallId {
        let child = cx.call(call, to);
        if !self.keeps_deadlines {
            forget_deadline(cx, child);
        }
        self.remember(call, Some(child));
        child
    }

    fn remember(&mut self, call: CallId, child: Option<CallId>) {
        let Some(children) = &mut self.children else { return };
        let index = call.index() as usize;
        if children.len() <= index {
            children.resize(index + 1, None);
        }
        children[index] = child;
    }
}

impl Component for LoadBalancer {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        // Where its link chooses, the link looks out.
        if !self.asks_link {
            self.look(|lookout, desk| lookout.start(cx, desk));
        }
        Next::WAIT
    }

    #[inline]
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if !self.is_plain {
            return self.take_in(cx, call);
        }
        self.attempts.begin(false);
        match self.choosing.choose(&mut Asking { cx, call }) {
            Some(target) => self.send(cx, call, target),
            None => self.refuse(cx, call),
        }
    }

    #[inline]
    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        let ticket = cx.ticket(call);
        self.ended(ticket, cx.since(call), answer.outcome());
        if ticket != ASKED && self.choosing.measures() {
            let now = cx.now();
            self.choosing.took(now, (ticket & !FOLLOWS) as usize, now - cx.since(call));
        }
        if ticket != ASKED && self.lookout.is_some() {
            self.look(|lookout, desk| lookout.ended(cx, desk, ticket & !FOLLOWS, answer.outcome()));
        }
        self.remember(call, None);
        Next::reply(call, if ticket == ASKED { passed_on_from_behind(answer) } else { answer })
    }

    #[inline]
    fn on_passed(&mut self, ticket: u32, since: Time, outcome: Outcome) {
        self.ended(ticket, since, outcome);
    }

    fn on_hang_up(&mut self, number: u32) {
        self.choosing.end(number as usize);
        if let Some(limit) = &mut self.limit {
            limit.close();
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        debug_assert!(lookout::is_its(timer), "a balancer sets no timers of its own");
        self.look(|lookout, desk| lookout.due(cx, desk, timer));
        Next::WAIT
    }

    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        // Without `cancel` the call goes on, unless the link decides that.
        if !(self.cancels || self.asks_link) {
            return Next::WAIT;
        }
        let index = call.index() as usize;
        let child = self.children.as_mut().and_then(|c| c.get_mut(index)).and_then(Option::take);
        if let Some(child) = child {
            cx.abandon(child);
            cx.cancel_call(child);
        }
        self.ended(cx.ticket(call), cx.since(call), Outcome::Cancelled);
        Next::reply(call, cx.answer(Outcome::Cancelled))
    }

    fn on_news(&mut self, cx: &mut Cx<'_>, about: NodeId, news: News) {
        let mut before = 0;
        for at in 0..self.components.len() {
            let nodes = &self.components[at].nodes;
            let (found, count) = (nodes.binary_search(&about), nodes.len());
            if let Ok(number) = found {
                match self.lookout.is_some() {
                    true => self.look(|lookout, desk| lookout.hear(cx, desk, (before + number) as u32, news)),
                    false => self.choosing.learn(before + number, news),
                }
            }
            before += count;
        }
    }

    fn on_path_changed(&mut self, cx: &mut Cx<'_>, path: u16) {
        self.look(|lookout, desk| lookout.path_changed(cx, desk, path));
    }

    fn rebuild(&mut self, _now: Time) {
        match &mut self.lookout {
            Some(lookout) => {
                lookout.stop();
                self.choosing.forget();
            }
            None => self.choosing.begin(),
        }
        if let Some(children) = &mut self.children {
            children.clear();
        }
        if let Some(limit) = &mut self.limit {
            limit.open = 0;
        }
    }

    fn begin_measuring(&mut self, now: Time) {
        self.attempts.begin_measuring(now);
        self.choosing.begin_measuring();
        if let Some(lookout) = &mut self.lookout {
            lookout.begin_measuring();
        }
        if let Some(limit) = &mut self.limit {
            (limit.most, limit.refused) = (limit.open, 0);
        }
    }

    fn figures(&self, _now: Time, figures: &mut Figures) {
        if let Some(lookout) = self.lookout.as_ref().filter(|_| !self.asks_link) {
            lookout.figures(figures);
        }
        if let Some(sticky) = self.choosing.sticky().filter(|_| !self.asks_link) {
            figures.count(&MOVED, sticky.moved());
        }
        if let Some(limit) = &self.limit {
            figures.peak(&CONNECTIONS_MAX, Some(u64::from(limit.open)), u64::from(limit.most));
            figures.count(&REFUSED, limit.refused);
        }
    }
}

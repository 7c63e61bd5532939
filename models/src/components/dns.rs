//! DNS: sends each caller to one of several clusters, and keeps sending it there until its resolver asks again.
//!
//! Callers call it like a component, and it calls the chosen target for them: over *their* network, for it only says
//! whom to call. A population of callers (a workload, or a component) shares so many resolvers; each request belongs to
//! one of them, its retries to the same. A resolver keeps an answer for the TTL, so after a change of the answers the
//! share that is still old falls to nothing in a straight line, max(0, 1 − t ÷ TTL). A health check looks at each target
//! every `interval` and needs several equal findings in a row, so a dead target is noticed between `failures − 1` and
//! `failures` intervals after its death. While all are unhealthy, all are treated as healthy (as Route 53 does).
//!
//! ```text
//!                    ┌─ resolver ─┐
//!   population ─────▶│ answer,    │─────▶ us/lb
//!     (hash of the   │ until …    │╌╌╌╌╌▶ eu/lb
//!      request)      └────────────┘
//! ```

use settings::{Duration, Setting};
use sim_core::figures::Set;
use sim_core::random::{Key, hash};
use sim_core::{
    About, Answer, Attempts, CallId, Component, Cx, Figure, Figures, Happens, News, Next, NodeId, Outcome, Span, Time,
    Timer, To,
};

use super::kind::{Ask, Checks, Kind, Links, in_proportion};
use super::site::Site;
use crate::balancing::beliefs::Beliefs;
use crate::balancing::health_check::OrInstant;
use crate::link::LinkSettings;
use crate::policies::not_yet::NotYet;

/// Routing policy of the DNS answers.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum PolicySettings {
    /// A random healthy target, in proportion to its weight.
    Weighted,
    /// The healthy target with the shortest round trip from the population's region; the first of equals.
    Latency,
    /// The first healthy target.
    Failover,
    /// By region of the population.
    Geo(NotYet),
    /// Several answers at once.
    Multivalue(NotYet),
}

/// How it finds out which targets are well.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct HealthCheckSettings {
    /// Interval between probes of a target. Route 53 uses 30 s, or 10 s at extra cost.
    #[setting(default = "30s")]
    pub interval: Duration,
    /// Consecutive failed probes before a target is marked unhealthy.
    #[setting(default = 3, range = "1..=100")]
    pub failures: u32,
    /// Consecutive successful probes before a target is marked healthy again.
    #[setting(default = 3, range = "1..=100")]
    pub successes: u32,
}

/// DNS: directs callers to targets.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// The targets: a name, a list of names, or a list of `{to, weight}`.
    pub to: LinkSettings,
    /// Routing policy of the DNS answers.
    #[setting(default = "weighted")]
    pub policy: PolicySettings,
    /// Time that a resolver caches an answer. 60 s is the usual advice for failover.
    #[setting(default = "60s")]
    pub ttl: Duration,
    /// Resolvers shared by each population of callers.
    #[setting(default = 100, range = "1..=1000000")]
    pub resolvers: u32,
    /// How it detects unhealthy targets. Without it, all targets count as healthy.
    pub health_check: Option<OrInstant<HealthCheckSettings>>,
}

const EXAMPLE: &str = "\
kind: dns
to: [{to: db, weight: 1}]
policy: weighted
ttl: 30s
health_check: {interval: 10s, failures: 3}
";

const HEALTHY_TARGETS: Figure = Figure::level("healthy_targets", "Targets marked healthy at the end.");
const RESOLUTIONS: Figure = Figure::count("resolutions", "DNS lookups by resolvers whose cached answer had expired.");

const LINK: &str = "to";

const CHECK: u8 = 0;

static TARGET_UNHEALTHY: Happens =
    Happens { name: "target_unhealthy", doc: "A target failed enough health checks in a row to be marked unhealthy." };
static TARGET_HEALTHY: Happens = Happens {
    name: "target_healthy",
    doc: "A target passed enough health checks in a row to be marked healthy again.",
};
static NO_TARGET_HEALTHY: Happens =
    Happens { name: "no_target_healthy", doc: "No target is healthy, so all of them are used." };
static FAILED_OVER: Happens = Happens { name: "failed_over", doc: "New lookups return another target." };

const PURPOSE_RESOLVER: u32 = 0x7265;
const PURPOSE_POLICY: u32 = 0x706f;
const PURPOSE_REPLICA: u32 = 0x7270;
const PURPOSE_PHASE: u32 = 0x7068;

/// What a resolver remembers.
#[derive(Clone, Copy, Debug)]
struct Remembered {
    target: u32,
    until: Time,
}

/// Callers of one name and what their resolvers remember.
#[derive(Clone, Debug)]
struct Callers {
    /// How they reach each target: row of the path table, and round trip.
    ways: Vec<(u16, Span)>,
    resolvers: Vec<Option<Remembered>>,
}

/// One place to which callers can be sent.
#[derive(Clone, Debug)]
struct Place {
    /// Its replicas.
    nodes: Vec<NodeId>,
    /// Which of them are there, and, where that is known at once, which of them are well.
    beliefs: Beliefs,
    weight: f64,
    is_healthy: bool,
    /// Findings in a row that contradict that.
    against: u32,
    /// When the first look is; the others follow at intervals.
    phase: Span,
}

/// The name service.
#[derive(Clone, Debug)]
pub struct Dns {
    // Settings.
    policy: PolicySettings,
    ttl: Span,
    health_check: Option<OrInstant<HealthCheckSettings>>,
    salt: u32,
    seed: u64,
    /// Which population calls from each node, by node.
    population_of: Vec<(NodeId, u32)>,
    // State.
    populations: Vec<Callers>,
    places: Vec<Place>,
    /// What each open call was passed on as, by index of the call, for callers that give up and say so.
    children: Vec<Option<CallId>>,
    // Measures.
    attempts: Attempts,
    resolutions: u64,
}

impl Kind for Dns {
    const NAME: &'static str = "dns";
    const EXAMPLE: &'static str = EXAMPLE;
    const FIGURES: &'static [Set] = &[&[&HEALTHY_TARGETS, &RESOLUTIONS]];
    const DIRECTS: bool = true;
    const HAPPENS: &'static [&'static Happens] =
        &[&TARGET_UNHEALTHY, &TARGET_HEALTHY, &NO_TARGET_HEALTHY, &FAILED_OVER];
    type Settings = Settings;

    fn links(settings: &Settings) -> Links<'_> {
        vec![(LINK, &settings.to)]
    }

    fn asks(settings: &Settings) -> Vec<Ask<'_>> {
        Ask::same(LINK, &settings.to)
    }

    fn shares(settings: &Settings, targets: &[(f64, u32, Span)]) -> Vec<f64> {
        let only = |at: Option<usize>| (0..targets.len()).map(|t| if Some(t) == at { 1.0 } else { 0.0 }).collect();
        match settings.policy {
            PolicySettings::Failover => only(Some(0)),
            PolicySettings::Latency => only((0..targets.len()).min_by_key(|t| targets[*t].2)),
            PolicySettings::Weighted => in_proportion(targets.iter().map(|(weight, _, _)| *weight)),
            PolicySettings::Geo(never) | PolicySettings::Multivalue(never) => match never {},
        }
    }

    fn check(settings: &Settings, checks: &mut Checks<'_>) {
        for policy in settings.to.policies() {
            let message = format!("`{policy}` has no effect here: DNS only returns whom to call");
            let help = "set it on the links that call this name";
            checks.error("no_effect", checks.span(), &format!("to.{policy}"), &message, Some(help));
        }
        let callers = [
            ("network.keep_alive", settings.to.network.as_ref().is_some_and(|n| !n.keep_alive)),
            ("propagate", !settings.to.propagate.is_empty()),
        ];
        for (key, _) in callers.into_iter().filter(|(_, is_written)| *is_written) {
            let message = format!("`{key}` has no effect here: the connection belongs to the caller");
            let help = "set it on the links that call this name";
            checks.error("no_effect", checks.span(), &format!("to.{key}"), &message, Some(help));
        }
        let weighted = settings.to.to.iter().any(|t| t.weight != 1.0);
        if weighted && settings.policy != PolicySettings::Weighted {
            let at = settings.to.to.values.first().map_or(checks.span(), |t| t.to.span);
            let message = "weights have an effect only with the policy `weighted`";
            checks.error("no_effect", at, "to", message, Some("remove them, or choose `weighted`"));
        }
        if settings.to.health_check.is_some() {
            let message = "DNS chooses the target, so set `health_check` on the DNS component";
            checks.error("no_effect", checks.span(), "to.health_check", message, Some("write it beside `to`"));
        }
        if probes(&settings.health_check).is_some_and(|h| h.interval.0 == 0) {
            let message = "a health check needs an interval above 0";
            checks.error("out_of_range", checks.span(), "health_check.interval", message, None);
        }
    }

    fn build(settings: &Settings, site: &mut Site<'_>) -> Dns {
        let (_, salt) = site.link(LINK);
        let seed = Key::root(site.seed(), hash(0, &site.stream("dns")), 0).bits();
        let interval = probes(&settings.health_check).map_or(0, |h| h.interval.0);
        let places = site.targets(LINK).iter().enumerate().map(|(nth, target)| Place {
            nodes: target.nodes.clone(),
            beliefs: Beliefs::of_members(target.members().collect()),
            weight: target.weight,
            is_healthy: true,
            against: 0,
            // Nobody knows when the first look is.
            phase: Key::root(seed, 1, nth as u64).draw(PURPOSE_PHASE, 0).below(interval.max(1)),
        });
        let places = places.collect();
        let mut population_of = Vec::new();
        let mut populations = Vec::new();
        for population in site.populations() {
            population_of.extend(population.nodes.iter().map(|node| (*node, populations.len() as u32)));
            populations.push(Callers {
                ways: population.targets.iter().map(|t| (t.path, t.rtt)).collect(),
                resolvers: vec![None; settings.resolvers as usize],
            });
        }
        population_of.sort();
        Dns {
            policy: settings.policy.clone(),
            ttl: settings.ttl.0,
            health_check: settings.health_check.clone(),
            salt,
            seed,
            population_of,
            populations,
            places,
            children: Vec::new(),
            attempts: Attempts::default(),
            resolutions: 0,
        }
    }

    fn finds_out(settings: &Settings) -> bool {
        settings.health_check.is_some()
    }

    fn goes_by_distance(settings: &Settings) -> bool {
        settings.policy == PolicySettings::Latency
    }

    fn knows_at_once(settings: &Settings) -> bool {
        settings.health_check == Some(OrInstant::Instant)
    }

    fn prepare(&mut self, _change: u32, _settings: &Settings) {
        // Nothing of it can change during a run.
    }

    fn attempts(&self, _link: usize) -> Option<&Attempts> {
        Some(&self.attempts)
    }
}

/// How targets are looked at, where that is how they are found out about.
fn probes(health_check: &Option<OrInstant<HealthCheckSettings>>) -> Option<&HealthCheckSettings> {
    health_check.as_ref().and_then(OrInstant::found_out)
}

impl Dns {
    /// Looks at a target once.
    fn look(&mut self, cx: &mut Cx<'_>, nth: usize) {
        let Some(check) = probes(&self.health_check) else { return };
        let place = &mut self.places[nth];
        let is_well = |(at, node): (usize, &NodeId)| place.beliefs.is_usable(at) && cx.is_up(*node);
        let is_up = place.nodes.iter().enumerate().any(is_well);
        if is_up == place.is_healthy {
            place.against = 0;
            return;
        }
        place.against += 1;
        let needed = if is_up { check.successes } else { check.failures };
        if place.against >= needed {
            place.against = 0;
            self.believe(cx, nth, is_up);
        }
    }

    /// Marks a target healthy or unhealthy.
    fn believe(&mut self, cx: &mut Cx<'_>, nth: usize, is_up: bool) {
        let before = self.first_choice();
        self.places[nth].is_healthy = is_up;
        let about = |cx: &Cx<'_>, place: &Place| About::Group(cx.group_of(place.nodes[0]));
        let target = about(cx, &self.places[nth]);
        cx.happened_about(if is_up { &TARGET_HEALTHY } else { &TARGET_UNHEALTHY }, target);
        if self.places.iter().all(|place| !place.is_healthy) {
            cx.happened(&NO_TARGET_HEALTHY);
        }
        let now = self.first_choice();
        if self.policy == PolicySettings::Failover && now != before {
            let target = about(cx, &self.places[now]);
            cx.happened_about(&FAILED_OVER, target);
        }
    }

    /// The first healthy target; the first of all where none is.
    fn first_choice(&self) -> usize {
        self.places.iter().position(|place| place.is_healthy).unwrap_or(0)
    }

    /// What a resolver is told when it asks.
    fn resolve(&mut self, cx: &mut Cx<'_>, call: CallId, population: usize) -> u32 {
        self.resolutions += 1;
        let all_unhealthy = self.places.iter().all(|p| !p.is_healthy);
        let counts = |nth: &usize| all_unhealthy || self.places[*nth].is_healthy;
        let candidates = (0..self.places.len()).filter(counts);
        let chosen = match self.policy {
            PolicySettings::Latency => {
                let ways = &self.populations[population].ways;
                candidates.min_by_key(|nth| ways[*nth].1)
            }
            PolicySettings::Weighted => {
                let mut draw = cx.draw(call, PURPOSE_POLICY);
                let candidates: Vec<usize> = candidates.collect();
                let total: f64 = candidates.iter().map(|nth| self.places[*nth].weight).sum();
                if total > 0.0 {
                    let mut left = draw.unit() * total;
                    let reached = candidates.iter().find(|nth| {
                        left -= self.places[**nth].weight;
                        left < 0.0
                    });
                    reached.or(candidates.last()).copied()
                } else {
                    // As where all weights are 0: everybody is as good.
                    candidates.get(draw.below(candidates.len() as u64) as usize).copied()
                }
            }
            PolicySettings::Failover => candidates.min(),
            PolicySettings::Geo(never) | PolicySettings::Multivalue(never) => match never {},
        };
        chosen.unwrap_or(0) as u32
    }

    /// Whom the resolver of a call sends it to.
    fn answer_of(&mut self, cx: &mut Cx<'_>, call: CallId, population: usize) -> u32 {
        let now = cx.now();
        // What a caller sends again belongs to the same resolver: it is drawn from the caller's own call.
        let key = cx.callers_key(call);
        let count = self.populations[population].resolvers.len() as u64;
        let resolver = key.draw(PURPOSE_RESOLVER, 0).below(count) as usize;
        let remembered = self.populations[population].resolvers[resolver];
        if let Some(remembered) = remembered
            && now < remembered.until
        {
            return remembered.target;
        }
        let target = self.resolve(cx, call, population);
        let until = match remembered {
            Some(_) => now.saturating_add(self.ttl),
            // The first answer had been there for a while: resolvers' phases are uniform.
            None if self.ttl > 0 => {
                let id = (population as u64) << 32 | resolver as u64;
                let phase = Key::root(self.seed, 2, id).draw(PURPOSE_PHASE, 0).below(self.ttl);
                now + 1 + (phase + self.ttl - (now + 1) % self.ttl) % self.ttl
            }
            None => now,
        };
        self.populations[population].resolvers[resolver] = Some(Remembered { target, until });
        target
    }
}

impl Component for Dns {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        let Some(interval) = probes(&self.health_check).map(|h| h.interval.0) else { return Next::WAIT };
        for (nth, place) in self.places.iter().enumerate() {
            // After a crash the looks go on in their old rhythm.
            let wait = (place.phase + interval - cx.now() % interval) % interval;
            cx.chore_after(wait, Timer { what: CHECK, data: nth as u64 });
        }
        Next::WAIT
    }

    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let caller = cx.caller(call);
        let found = caller.and_then(|node| self.population_of.binary_search_by_key(&node, |(n, _)| *n).ok());
        let population = found.map_or(0, |at| self.population_of[at].1 as usize);
        let target = self.answer_of(cx, call, population) as usize;
        let Place { nodes, beliefs, .. } = &self.places[target];
        let mut draw = cx.draw(call, PURPOSE_REPLICA);
        let node = match beliefs.usable() {
            // Who is sent to what is dead finds out by calling it.
            0 => nodes[draw.below(nodes.len() as u64) as usize],
            usable => nodes[beliefs.nth(draw.below(usable as u64) as usize)],
        };
        let (path, _) = self.populations[population].ways[target];
        self.attempts.begin(false);
        let to = To { node, link: self.salt, ordinal: 0, profile: None, path, is_retry: false };
        let child = cx.call(call, to);
        let index = call.index() as usize;
        if self.children.len() <= index {
            self.children.resize(index + 1, None);
        }
        self.children[index] = Some(child);
        Next::call(child)
    }

    /// The connection is the caller's own, and so is what it says over it.
    fn on_cancel(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let Some(child) = self.children.get_mut(call.index() as usize).and_then(Option::take) else {
            return Next::WAIT;
        };
        cx.abandon(child);
        cx.cancel_call(child);
        self.attempts.end(cx.since(call), Outcome::Cancelled);
        Next::reply(call, cx.answer(Outcome::Cancelled))
    }

    fn on_reply(&mut self, cx: &mut Cx<'_>, call: CallId, _child: CallId, answer: Answer) -> Next {
        self.attempts.end(cx.since(call), answer.outcome());
        self.children[call.index() as usize] = None;
        Next::reply(call, answer)
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let Some(interval) = probes(&self.health_check).map(|h| h.interval.0) else { return Next::WAIT };
        self.look(cx, timer.data as usize);
        cx.chore_after(interval, timer);
        Next::WAIT
    }

    fn on_news(&mut self, cx: &mut Cx<'_>, about: NodeId, news: News) {
        for nth in 0..self.places.len() {
            let place = &mut self.places[nth];
            let Ok(replica) = place.nodes.binary_search(&about) else { continue };
            place.beliefs.learn(replica, news, &mut |_, _| {});
            let is_up = place.beliefs.usable() > 0;
            if self.health_check == Some(OrInstant::Instant) && is_up != place.is_healthy {
                self.believe(cx, nth, is_up);
            }
        }
    }

    fn rebuild(&mut self, _now: Time) {
        // Resolvers are their callers' and live on; so does what was found out about the targets.
        self.children.clear();
    }

    fn begin_measuring(&mut self, now: Time) {
        self.attempts.begin_measuring(now);
        self.resolutions = 0;
    }

    fn figures(&self, _now: Time, figures: &mut Figures) {
        let healthy = self.places.iter().filter(|p| p.is_healthy).count();
        figures.level(&HEALTHY_TARGETS, healthy as u64);
        figures.count(&RESOLUTIONS, self.resolutions);
    }
}

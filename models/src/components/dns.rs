//! DNS: sends each caller to one of several clusters, and keeps sending it there until its resolver asks again.
//!
//! Callers call it like a component, and it calls the chosen target for them: over *their* network, for it only says
//! whom to call. A population of callers (a workload, or a component) shares so many resolvers; each request belongs to
//! one of them, its retries to the same. A resolver keeps an answer for the TTL, so after a change of the answers the
//! share that is still old falls to nothing in a straight line, max(0, 1 − t ÷ TTL). Some resolvers may keep it longer, or for ever.
//!
//! A health check looks at each target every `interval` and needs several equal findings in a row, so a dead target is noticed between
//! `failures − 1` and `failures` intervals after its death. With several checkers, each looks at instants of its own and has an opinion of its
//! own, and a target is healthy while more than a share of them say so. While all are unhealthy, all are treated as healthy (as Route 53
//! does).
//!
//! ```text
//!                    ┌─ resolver ─┐
//!   population ─────▶│ answer,    │─────▶ us/lb
//!     (hash of the   │ until …    │╌╌╌╌╌▶ eu/lb
//!      request)      └────────────┘
//! ```

use settings::{Duration, Fraction, Map, Name, Setting, Spanned};
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
use crate::link::{LinkSettings, Target};
use crate::policies::or_none::OrNone;
use crate::policies::presets::{OrPreset, Preset, Presets};

/// Routing policy of the DNS answers.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum PolicySettings {
    /// A random healthy target, in proportion to its weight.
    Weighted,
    /// The healthy target with the shortest round trip from the population's region; the first of equals.
    Latency,
    /// The first healthy target.
    Failover,
    /// By the population's region: the target there, or else the first of all.
    Geo {
        /// The answer for each region, and for `default`, which is also the answer where that for the region is unhealthy:
        /// `{eu: frankfurt, default: ohio}`. A region without either gets none.
        #[setting(default = "{}")]
        regions: Map<Spanned<Name>>,
    },
    /// Up to eight addresses at random, those of healthy replicas, of which a client uses one for the TTL.
    Multivalue,
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
    /// Checkers, each with instants and an opinion of its own. Route 53 has about 15.
    #[setting(default = 1, range = "1..=1000")]
    pub checkers: u32,
    /// Share of the checkers that must find a target healthy, and more than that. Route 53's is 18 %.
    #[setting(default = "18%", range = "0..1")]
    pub agree: Fraction,
}

impl Presets for HealthCheckSettings {
    const PRESETS: &'static [Preset] = &[Preset {
        word: "route53",
        doc: "Amazon Route 53: about 15 checkers, each every 30 s, three equal results; a target is healthy while more than 18 % of them say so.",
        settings: "{interval: 30s, failures: 3, successes: 3, checkers: 15, agree: 18%}",
    }];
}

/// Resolvers that keep an answer longer than they may.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct PinSettings {
    /// Share of the resolvers that do.
    #[setting(default = "100%", range = ">0..=1")]
    pub share: Fraction,
    /// Time that they keep an answer, where that is longer than the TTL; `none` for ever, as the JVM does under a security manager. Its
    /// default is 30 s.
    #[setting(default = "none")]
    pub time: OrNone<Duration>,
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
    /// Resolvers that keep an answer longer than the TTL.
    pub pin: Option<PinSettings>,
    /// How it detects unhealthy targets. Without it, all targets count as healthy.
    pub health_check: Option<OrInstant<OrPreset<HealthCheckSettings>>>,
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
const PURPOSE_PIN: u32 = 0x7069;

/// The answer for regions that are not written.
const DEFAULT: &str = "default";

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
    /// Those that are written for their region, the first choice first.
    by_region: Vec<usize>,
    resolvers: Vec<Option<Remembered>>,
}

/// What one checker thinks of a place.
#[derive(Clone, Copy, Debug)]
struct Opinion {
    is_healthy: bool,
    /// Findings in a row that contradict that.
    against: u32,
    /// When the first look is; the others follow at intervals.
    phase: Span,
}

/// One place to which callers can be sent.
#[derive(Clone, Debug)]
struct Place {
    /// The target that it belongs to.
    target: usize,
    /// Its replicas.
    nodes: Vec<NodeId>,
    /// Which of them are there, and, where that is known at once, which of them are well.
    beliefs: Beliefs,
    weight: f64,
    is_healthy: bool,
    opinions: Vec<Opinion>,
}

/// The name service.
#[derive(Clone, Debug)]
pub struct Dns {
    // Settings.
    policy: PolicySettings,
    ttl: Span,
    pin: Option<PinSettings>,
    health_check: Option<OrInstant<OrPreset<HealthCheckSettings>>>,
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
        match &settings.policy {
            PolicySettings::Failover => only(Some(0)),
            PolicySettings::Latency => only((0..targets.len()).min_by_key(|t| targets[*t].2)),
            PolicySettings::Weighted => in_proportion(targets.iter().map(|(weight, _, _)| *weight)),
            // Which region asks how often is not known here: as if all asked from elsewhere.
            PolicySettings::Geo { regions } => {
                let to = |name: &Spanned<Name>| settings.to.to.iter().position(|t| t.to.as_str() == name.as_str());
                only(
                    regions
                        .get(DEFAULT)
                        .or_else(|| regions.iter().next().map(|entry| &entry.value))
                        .and_then(to)
                        .or(Some(0)),
                )
            }
            PolicySettings::Multivalue => in_proportion(targets.iter().map(|(_, replicas, _)| f64::from(*replicas))),
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
        if let PolicySettings::Geo { regions } = &settings.policy {
            check_regions(settings, regions, checks);
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
        let check = probes(&settings.health_check);
        let interval = check.map_or(0, |h| h.interval.0);
        let mut places: Vec<Place> = Vec::new();
        for (number, target) in site.targets(LINK).iter().enumerate() {
            let members: Vec<bool> = target.members().collect();
            // Where there are several answers, each replica has an address of its own.
            let alone = settings.policy == PolicySettings::Multivalue;
            let step = if alone { 1 } else { members.len().max(1) };
            for part in (0..members.len().max(1)).step_by(step).map(|first| first..(first + step).min(members.len())) {
                let nth = places.len() as u64;
                let opinion = |checker: u64| Opinion {
                    is_healthy: true,
                    against: 0,
                    // Nobody knows when the first look is.
                    phase: Key::root(seed, 1, checker << 32 | nth).draw(PURPOSE_PHASE, 0).below(interval.max(1)),
                };
                places.push(Place {
                    target: number,
                    nodes: target.nodes[part.clone()].to_vec(),
                    beliefs: Beliefs::of_members(members[part].to_vec()),
                    weight: target.weight,
                    is_healthy: true,
                    opinions: (0..u64::from(check.map_or(0, |h| h.checkers))).map(opinion).collect(),
                });
            }
        }
        let mut population_of = Vec::new();
        let mut populations = Vec::new();
        let region_of = |target: &Target| {
            let place = target.nodes.first().and_then(|node| site.directory.place_of(*node));
            place.and_then(|place| place.region.as_deref())
        };
        let located: Vec<Option<&str>> = site.targets(LINK).iter().map(region_of).collect();
        for population in site.populations() {
            population_of.extend(population.nodes.iter().map(|node| (*node, populations.len() as u32)));
            let region = site.directory.region_of(&population.caller);
            let by_region = match &settings.policy {
                PolicySettings::Geo { regions } => by_region(settings, regions, region, &located),
                _ => Vec::new(),
            };
            populations.push(Callers {
                by_region,
                ways: population.targets.iter().map(|t| (t.path, t.rtt)).collect(),
                resolvers: vec![None; settings.resolvers as usize],
            });
        }
        population_of.sort();
        Dns {
            policy: settings.policy.clone(),
            ttl: settings.ttl.0,
            pin: settings.pin.clone(),
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
        settings.health_check.as_ref().is_some_and(OrInstant::is_instant)
    }

    fn prepare(&mut self, _change: u32, _settings: &Settings) {
        // Nothing of it can change during a run.
    }

    fn attempts(&self, _link: usize) -> Option<&Attempts> {
        Some(&self.attempts)
    }
}

/// How targets are looked at, where that is how they are found out about.
fn probes(health_check: &Option<OrInstant<OrPreset<HealthCheckSettings>>>) -> Option<&HealthCheckSettings> {
    health_check.as_ref().and_then(OrInstant::found_out).map(|check| &check.0)
}

/// The targets for a region, the first choice first. `located` are the regions of all.
fn by_region(
    settings: &Settings,
    regions: &Map<Spanned<Name>>,
    region: Option<&str>,
    located: &[Option<&str>],
) -> Vec<usize> {
    if regions.is_empty() {
        let there = region.and_then(|region| located.iter().position(|other| *other == Some(region)));
        return there.into_iter().chain([0]).collect();
    }
    let written = [region.and_then(|region| regions.get(region)), regions.get(DEFAULT)];
    let place = |name: &Spanned<Name>| settings.to.to.iter().position(|target| target.to.as_str() == name.as_str());
    written.into_iter().flatten().filter_map(place).collect()
}

/// What is wrong with answers by region.
fn check_regions(settings: &Settings, regions: &Map<Spanned<Name>>, checks: &mut Checks<'_>) {
    if regions.is_empty() {
        return;
    }
    let names: Vec<&str> = settings.to.to.iter().map(|target| target.to.as_str()).collect();
    for entry in regions.iter().filter(|entry| !names.contains(&entry.value.as_str())) {
        checks.unknown_name("unknown_name", &entry.value, "target", &names);
    }
    for name in names.iter().filter(|name| !regions.iter().any(|entry| entry.value.as_str() == **name)) {
        let message = format!("nobody is ever sent to `{name}`: it is written for no region");
        checks.warning("no_effect", checks.span(), "to", &message, Some("add it to `geo`, or remove it"));
    }
}

impl Dns {
    /// A checker looks at a target once.
    fn look(&mut self, cx: &mut Cx<'_>, nth: usize, checker: usize) {
        let Some(check) = probes(&self.health_check) else { return };
        let (failures, successes, agree) = (check.failures, check.successes, check.agree.0);
        let place = &mut self.places[nth];
        // Who stands still answers nobody.
        let is_well =
            |(at, node): (usize, &NodeId)| place.beliefs.is_usable(at) && cx.is_up(*node) && cx.pauses(*node) == 0;
        let is_up = place.nodes.iter().enumerate().any(is_well);
        let opinion = &mut place.opinions[checker];
        if is_up == opinion.is_healthy {
            opinion.against = 0;
            return;
        }
        opinion.against += 1;
        if opinion.against < if is_up { successes } else { failures } {
            return;
        }
        (opinion.is_healthy, opinion.against) = (is_up, 0);
        let healthy = place.opinions.iter().filter(|opinion| opinion.is_healthy).count();
        let is_healthy = healthy as f64 > agree * place.opinions.len() as f64;
        if is_healthy != place.is_healthy {
            self.believe(cx, nth, is_healthy);
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

    /// What a resolver is told when it asks; `None` where there is no answer.
    fn resolve(&mut self, cx: &mut Cx<'_>, call: CallId, population: usize) -> Option<u32> {
        self.resolutions += 1;
        let all_unhealthy = self.places.iter().all(|p| !p.is_healthy);
        let counts = |nth: &usize| all_unhealthy || self.places[*nth].is_healthy;
        let candidates = (0..self.places.len()).filter(counts);
        let chosen = match &self.policy {
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
            PolicySettings::Geo { .. } => {
                let written = &self.populations[population].by_region;
                let healthy = written.iter().find(|nth| all_unhealthy || self.places[**nth].is_healthy);
                return healthy.or(written.first()).map(|nth| *nth as u32);
            }
            PolicySettings::Multivalue => {
                // Eight of them at random, and then one of those, is one at random.
                let mut draw = cx.draw(call, PURPOSE_POLICY);
                let there: Vec<usize> = candidates.filter(|nth| self.places[*nth].beliefs.usable() > 0).collect();
                return there.get(draw.below(there.len() as u64) as usize).map(|nth| *nth as u32);
            }
        };
        Some(chosen.unwrap_or(0) as u32)
    }

    /// How long a resolver keeps an answer.
    fn kept(&self, resolver: u64) -> Span {
        let Some(pin) = &self.pin else { return self.ttl };
        let is_pinned = Key::root(self.seed, 4, resolver).draw(PURPOSE_PIN, 0).unit() < pin.share.0;
        if is_pinned { pin.time.map_or(Span::MAX, |time| time.0.max(self.ttl)) } else { self.ttl }
    }

    /// Whom the resolver of a call sends it to.
    fn answer_of(&mut self, cx: &mut Cx<'_>, call: CallId, population: usize) -> Option<u32> {
        let now = cx.now();
        // What a caller sends again belongs to the same resolver: it is drawn from the caller's own call.
        let key = cx.callers_key(call);
        let count = self.populations[population].resolvers.len() as u64;
        let resolver = key.draw(PURPOSE_RESOLVER, 0).below(count) as usize;
        let remembered = self.populations[population].resolvers[resolver];
        if let Some(remembered) = remembered
            && now < remembered.until
        {
            return Some(remembered.target);
        }
        // That there is no answer is not remembered.
        let target = self.resolve(cx, call, population)?;
        let id = (population as u64) << 32 | resolver as u64;
        let kept = self.kept(id);
        let until = match remembered {
            Some(_) => now.saturating_add(kept),
            None if kept == Span::MAX => Time::MAX,
            // The first answer had been there for a while: resolvers' phases are uniform.
            None if kept > 0 => {
                let phase = Key::root(self.seed, 2, id).draw(PURPOSE_PHASE, 0).below(kept);
                now + 1 + (phase + kept - (now + 1) % kept) % kept
            }
            None => now,
        };
        self.populations[population].resolvers[resolver] = Some(Remembered { target, until });
        Some(target)
    }
}

impl Component for Dns {
    fn on_start(&mut self, cx: &mut Cx<'_>) -> Next {
        let Some(interval) = probes(&self.health_check).map(|h| h.interval.0) else { return Next::WAIT };
        for (nth, place) in self.places.iter().enumerate() {
            for (checker, opinion) in place.opinions.iter().enumerate() {
                // After a crash the looks go on in their old rhythm.
                let wait = (opinion.phase + interval - cx.now() % interval) % interval;
                cx.chore_after(wait, Timer { what: CHECK, data: (checker as u64) << 32 | nth as u64 });
            }
        }
        Next::WAIT
    }

    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let caller = cx.caller(call);
        let found = caller.and_then(|node| self.population_of.binary_search_by_key(&node, |(n, _)| *n).ok());
        let population = found.map_or(0, |at| self.population_of[at].1 as usize);
        let Some(place) = self.answer_of(cx, call, population) else {
            self.attempts.begin(false);
            let answer = cx.answer(Outcome::Unavailable);
            self.attempts.end(cx.now(), answer.outcome());
            return Next::reply(call, answer);
        };
        let Place { target, nodes, beliefs, .. } = &self.places[place as usize];
        let mut draw = cx.draw(call, PURPOSE_REPLICA);
        let node = match beliefs.usable() {
            // Who is sent to what is dead finds out by calling it.
            0 => nodes[draw.below(nodes.len() as u64) as usize],
            usable => nodes[beliefs.nth(draw.below(usable as u64) as usize)],
        };
        let (path, _) = self.populations[population].ways[*target];
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
        self.look(cx, timer.data as u32 as usize, (timer.data >> 32) as usize);
        cx.chore_after(interval, timer);
        Next::WAIT
    }

    fn on_news(&mut self, cx: &mut Cx<'_>, about: NodeId, news: News) {
        for nth in 0..self.places.len() {
            let place = &mut self.places[nth];
            let Ok(replica) = place.nodes.binary_search(&about) else { continue };
            place.beliefs.learn(replica, news, &mut |_, _| {});
            let is_up = place.beliefs.usable() > 0;
            let at_once = self.health_check.as_ref().is_some_and(OrInstant::is_instant);
            if at_once && is_up != place.is_healthy {
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

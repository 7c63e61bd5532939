//! Limits: how many calls a second each part can serve, and which share of that the load takes.
//!
//! By Little's law so many units that are held for S seconds a call serve at most units ÷ S calls a second. A ceiling
//! takes no account of waiting below: where a thread waits for something that is itself short, the ceiling of the threads
//! is lower still. Utilisation counts the waits that the given load brings about, as far as they can be estimated.

use models::demand::Demand;
use models::law::Law;
use models::policies::policy::Passes;
use models::replicating::{Role, Terms};
use serde::Serialize;

use super::flow::{Asked, Flows};
use super::graph::{Caller, Graph};
use super::times::Times;

/// One thing that there is only so much of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limit {
    /// What it is, with how many there are in all: `200 threads`, `4 cores`, `lock cart`.
    pub what: String,
    /// How many there are in all; for a rate, calls a second.
    pub units: f64,
    /// For how long a call holds one while nothing is waited for, on average over the operations, s; `None` for a rate.
    pub held_s: Option<f64>,
    /// The most calls a second that it serves.
    pub ceiling_per_s: Option<f64>,
    /// The share of it that the given load takes while nothing fails. More than 1 where the load is more than it serves;
    /// `None` where there is no rate.
    pub utilization: Option<f64>,
    /// Whether it is only known to be at least, or at most, that: where too much of it is waiting for others, where a request waits
    /// for itself, and where waits end in timeouts, which make for more attempts or for fewer calls.
    pub bound: Option<Bound>,
    /// The share that the load would take if every call made all the attempts that retries allow.
    pub utilization_with_retries: Option<f64>,
    /// Whether it is processors.
    #[serde(skip)]
    pub(super) is_cpu: bool,
    /// The share of it that the load would take if nothing were waited for; in proportion to the load.
    #[serde(skip)]
    pub unwaited: f64,
    /// The share with the waits that are estimated.
    #[serde(skip)]
    waited: Option<f64>,
}

/// Which side of a figure the true one lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// It is not less.
    AtLeast,
    /// It is not more.
    AtMost,
}

/// Waits are estimates, some by a fifth: what they make this many times as much is told as a bound.
const WAITS_MAX: f64 = 1.5;

/// Where requests come at equal distances it depends on these whether anything is waited for.
const WAITS_MAX_REGULAR: f64 = 1.01;
/// Timeouts of those who wait change what comes by less than this, or it is told.
const SHIFT_MAX: f64 = 0.02;

/// What stands against a figure.
#[derive(Clone, Copy)]
struct Doubts {
    /// A request holds it for longer than its parts take, since these wait for each other.
    holds_longer: bool,
    /// More comes than is said.
    is_more: bool,
    /// Less comes, or less of it is done, than is said.
    is_less: bool,
    /// What comes with waits, as a multiple of what comes without.
    shift: f64,
    /// By so many times waits may lengthen what is held, and are still told.
    waits_max: f64,
}

/// Which share of something is taken: without waits, with them, and with all retries.
#[derive(Clone, Copy)]
struct Shares {
    unwaited: f64,
    /// As it is told; `None` where nothing can be said.
    told: Option<f64>,
    bound: Option<Bound>,
    /// With the waits that are estimated, whether or not that is told.
    waited: Option<f64>,
    with_retries: f64,
}

impl Shares {
    /// `held` is the share that is held if nothing is waited for, `unwaited` that of what can be served: not the same where
    /// those at work hinder each other. Beyond saturation there is no mean wait, and without it the share is the lower bound
    /// that is known; where waits are most of it, it is so too.
    fn new(held: f64, unwaited: f64, waited: f64, with_retries: f64, doubts: Doubts) -> Shares {
        if unwaited >= 1.0 {
            return Shares { unwaited, told: Some(unwaited), bound: None, waited: None, with_retries };
        }
        let more = doubts.is_more
            || doubts.holds_longer
            || doubts.shift > 1.0 + SHIFT_MAX
            || waited > doubts.waits_max * held
            || waited >= 1.0;
        let less = doubts.is_less || doubts.shift < 1.0 - SHIFT_MAX;
        let (told, bound) = match (more, less) {
            (false, false) => (Some(waited.max(held)), None),
            (true, false) => (Some(held), Some(Bound::AtLeast)),
            // Waits are estimates, and no bound on what is held.
            (false, true) if waited <= WAITS_MAX_REGULAR * held => (Some(held), Some(Bound::AtMost)),
            (false, true) => (None, None),
            (true, true) => (None, None),
        };
        Shares { unwaited, told, bound, waited: Some(waited), with_retries }
    }
}

/// From this share on it is said how sensitive waits are.
const NEARLY_FULL: f64 = 0.85;

/// How long is waited for something that is nearly full, and how much that changes with the time for which a call holds it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensitivity {
    /// What it is.
    pub what: String,
    /// The share of it that is taken.
    pub utilization: f64,
    /// For how long a call holds it, on average, s.
    pub held_s: f64,
    /// 99 of 100 calls wait no longer than this for it, s: an estimate.
    pub p99_wait_s: f64,
    /// The same if each call held it 1 % shorter, s.
    pub less_held_s: f64,
    /// The same if each call held it 1 % longer, s; `None` where it would then be full.
    pub more_held_s: Option<f64>,
}

/// What is held against the limits.
pub(super) struct Load<'g> {
    pub(super) graph: &'g Graph<'g>,
    pub(super) fresh: &'g Flows,
    pub(super) all: &'g Flows,
    /// What comes if those who wait time out as they do.
    pub(super) waiting: &'g Flows,
    pub(super) bare: &'g Times<'g>,
    pub(super) loaded: &'g Times<'g>,
    /// Whether there are rates at all.
    pub(super) has_rates: bool,
    /// Whether something may be full whose figure is only a bound, so that not all that is said to come gets there.
    pub(super) may_be_full: bool,
    /// Whether more may come than is said.
    pub(super) may_be_more: bool,
}

/// Which limits are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All of them.
    All,
    /// Those for which a request waits: not the gates of links, which refuse, and not what only works behind a queue.
    Waited,
}

/// What is known to be at least as busy as this may be full.
const MAYBE_FULL: f64 = 0.3;
/// What is estimated to be so, too.
const ESTIMATED_FULL: f64 = 0.8;

impl<'g> Load<'g> {
    /// Flows by themselves, while nothing is waited for.
    pub(super) fn alone(graph: &'g Graph<'g>, flows: &'g Flows, bare: &'g Times<'g>) -> Load<'g> {
        Load {
            graph,
            fresh: flows,
            all: flows,
            waiting: flows,
            bare,
            loaded: bare,
            has_rates: true,
            may_be_full: false,
            may_be_more: false,
        }
    }

    /// All limits with what each belongs to.
    pub(super) fn named(&self, which: Which) -> Vec<(String, Limit)> {
        let graph = self.graph;
        let waited = graph.waited_for();
        let counts = |component: usize| which == Which::All || waited[component];
        let of_component = |component: usize| {
            let limits = self.of_component(component).into_iter();
            limits.map(move |limit| (format!("the {} of {}", limit.what, graph.name(component)), limit))
        };
        let of_pool = |link: usize| {
            let at = &graph.links[link];
            Some((format!("the pool of {}.{}", at.from, at.name), self.of_pool(link)?))
        };
        let of_gates = |link: usize| {
            let at = &graph.links[link];
            let name = move |limit: Limit| (format!("the {} of {}.{}", limit.what, at.from, at.name), limit);
            self.of_gates(link).into_iter().map(name)
        };
        let of_hosts =
            self.of_hosts().into_iter().map(|(name, limit)| (format!("the {} of {name}", limit.what), limit));
        let of_components = (0..graph.components.len()).filter(|component| counts(*component)).flat_map(of_component);
        let links = || 0..graph.links.len();
        let counted = |link: &usize| match graph.links[*link].caller {
            Caller::Component(caller) => counts(caller),
            Caller::Workload(_) => true,
        };
        of_components
            .chain(links().filter(|_| which == Which::All).flat_map(of_gates))
            .chain(links().filter(counted).filter_map(of_pool))
            .chain(of_hosts)
            .collect()
    }

    /// How the wait for what is nearly full changes with what it is held for.
    pub(super) fn sensitivities(&self) -> Vec<Sensitivity> {
        let graph = self.graph;
        let mut found = Vec::new();
        let mut add = |what: String, count: u32, rate: f64, held: &Law, limit: &Limit| {
            let Some(share) = limit.utilization.filter(|share| (NEARLY_FULL..1.0).contains(share)) else { return };
            let p99 = |factor: f64| super::times::wait_p99(count, rate, &held.stretched(factor));
            let (Some(less), Some(same)) = (p99(0.99), p99(1.0)) else { return };
            let (held_s, more) = (held.mean(), p99(1.01));
            found.push(Sensitivity {
                what,
                utilization: share,
                held_s,
                p99_wait_s: same,
                less_held_s: less,
                more_held_s: more,
            });
        };
        if !self.has_rates {
            return found;
        }
        for component in 0..graph.components.len() {
            let limits = graph.components[component].limits();
            let (Some((_, workers)), false) = (limits.workers, limits.frees_while_waiting) else { continue };
            if graph.components[component].entrance().is_some() {
                continue;
            }
            let Some(limit) = self.of_component(component).into_iter().next() else { continue };
            let what = format!("the {} of {}", limit.what, graph.name(component));
            let rate = Times::rate(component, self.fresh) / graph.replicas(component);
            add(what, workers, rate, &self.loaded.held(component, self.fresh), &limit);
        }
        for link in 0..graph.links.len() {
            let at = &graph.links[link];
            let (Some(pool), Some(limit)) = (&at.settings.pool, self.of_pool(link)) else { continue };
            let Some(held) = self.loaded.attempts_over(link, self.fresh) else { continue };
            let pools = f64::from(at.copies) * f64::from(graph.pools_of(at));
            let what = format!("the pool of {}.{}", at.from, at.name);
            let rate = self.fresh.attempts(link) / pools;
            add(what, pool.size.saturating_mul(pool.streams), rate, &held, &limit);
        }
        found
    }

    fn limit(&self, what: String, units: f64, held_s: Option<f64>, ceiling: Option<f64>, shares: Shares) -> Limit {
        Limit {
            what,
            units,
            held_s,
            ceiling_per_s: ceiling.filter(|c| c.is_finite()),
            utilization: shares.told.filter(|_| self.has_rates),
            bound: shares.bound.filter(|_| self.has_rates),
            utilization_with_retries: self.has_rates.then_some(shares.with_retries.max(shares.unwaited)),
            is_cpu: false,
            unwaited: shares.unwaited,
            waited: shares.waited,
        }
    }

    /// What stands against the figures of a component's workers.
    fn doubts(&self, component: usize) -> Doubts {
        let bursts = self.bare.bursts(self.fresh);
        Doubts {
            holds_longer: bursts.holds_longer[component],
            is_more: self.may_be_more || bursts.does_more[component] || self.graph.may_have_less(component),
            is_less: self.may_be_full || bursts.does_less[component],
            shift: shift(Times::rate(component, self.fresh), Times::rate(component, self.waiting)),
            waits_max: self.waits_max(),
        }
    }

    fn waits_max(&self) -> f64 {
        let workloads = &self.graph.scenario.workloads;
        let is_regular = workloads.iter().any(|entry| entry.value.arrivals.process.is_regular());
        if is_regular { WAITS_MAX_REGULAR } else { WAITS_MAX }
    }

    /// The share of something of a component that is not held while anything is waited for.
    fn plain(&self, component: usize, share: f64, with_retries: f64) -> Shares {
        let doubts = Doubts { holds_longer: false, ..self.doubts(component) };
        Shares::new(share, share, share, with_retries, doubts)
    }

    /// The limits of a component, those of its links' pools apart.
    pub(super) fn of_component(&self, component: usize) -> Vec<Limit> {
        match self.graph.components[component].entrance() {
            // Which of its partitions are hot is not known.
            Some(terms) => terms.roles().map_or(Vec::new(), |roles| {
                roles.iter().flat_map(|role| self.of_role(component, &terms, role)).collect()
            }),
            None => self.of_replicas(component, self.graph.replicas(component)),
        }
    }

    /// The limits of some nodes of a store whose nodes are not asked alike. Nothing is said of waits there.
    fn of_role(&self, component: usize, terms: &Terms, role: &Role) -> Vec<Limit> {
        let per_call = |op: &str| if terms.writes(op) { role.writes } else { role.reads };
        let part = |flows: &Flows| flows.of_part(component, &per_call);
        let (fresh, all, waiting) = (part(self.fresh), part(self.all), part(self.waiting));
        let (rate, total) = (Times::rate(component, &fresh), Times::rate(component, self.fresh));
        if rate <= 0.0 || role.nodes == 0 {
            return Vec::new();
        }
        let hinders = self.ops(component).iter().any(|(op, _, items)| {
            let at = |at_work: f64| self.bare.demand_with(component, op, *items, at_work).held_s();
            at(2.0) > at(1.0)
        });
        let shares_cores = self.graph.components[component].limits().cores.is_some();
        let load = Load {
            graph: self.graph,
            fresh: &fresh,
            all: &all,
            waiting: &waiting,
            bare: self.bare,
            loaded: self.bare,
            has_rates: self.has_rates,
            may_be_full: self.may_be_full || role.may_be_less,
            may_be_more: self.may_be_more || role.may_be_more || hinders || shares_cores,
        };
        let mut limits = load.of_replicas(component, f64::from(role.nodes));
        for limit in &mut limits {
            limit.what = format!("{} at {}", limit.what, role.name);
            // So many calls to the whole bring about what these can bear.
            limit.ceiling_per_s = limit.ceiling_per_s.map(|ceiling| ceiling * total / rate);
        }
        limits
    }

    fn of_replicas(&self, component: usize, replicas: f64) -> Vec<Limit> {
        let graph = self.graph;
        let limits = graph.components[component].limits();
        let rate = Times::rate(component, self.fresh);
        let mean = |work: f64| if rate > 0.0 { work / rate } else { f64::NAN };
        let mut found = Vec::new();
        if let Some((noun, workers)) = limits.workers {
            let units = f64::from(workers) * replicas;
            let held = |times: &Times<'_>, flows: &Flows| times.work(component, flows, Demand::held_s);
            let bare = held(self.bare, self.fresh);
            let held_s = self.held_s(component).unwrap_or(mean(bare));
            let ceiling = self.worker_ceiling(component, workers) * replicas;
            let unwaited = (bare / units).max(rate / ceiling);
            let waited = held(self.loaded, self.fresh) / units;
            let with_retries = (held(self.bare, self.all) / units).max(Times::rate(component, self.all) / ceiling);
            // Who waits for others may be kept waiting for longer than is estimated.
            let waits = !limits.frees_while_waiting && !graph.components[component].asks().is_empty();
            let doubts = self.doubts(component);
            let doubts = Doubts { is_more: doubts.is_more || (doubts.is_less && waits), ..doubts };
            let shares = Shares::new(bare / units, unwaited, waited, with_retries, doubts);
            found.push(self.limit(format!("{} {noun}", grouped(units)), units, Some(held_s), Some(ceiling), shares));
        }
        let cpu = |flows: &Flows| self.bare.work(component, flows, |d| d.cpu_s);
        if let Some(cores) = limits.cores.filter(|_| graph.components[component].hosts().is_none()) {
            let units = cores * replicas;
            let work_s = self.mean_of(component, |d| d.cpu_s);
            if work_s > 0.0 {
                let ceiling = units / work_s;
                let shares = self.plain(component, cpu(self.fresh) / units, cpu(self.all) / units);
                let what = match limits.has_interpreter && cores == 1.0 {
                    true => format!("{} interpreter locks", grouped(units)),
                    false => format!("{} cores", plain(units)),
                };
                let cores = self.limit(what, units, Some(work_s), Some(ceiling), shares);
                found.push(Limit { is_cpu: true, ..cores });
            }
        }
        if let Some(quota) = limits.quota {
            let units = quota * replicas;
            let work_s = self.mean_of(component, |d| d.cpu_s);
            if work_s > 0.0 {
                let shares = self.plain(component, cpu(self.fresh) / units, cpu(self.all) / units);
                let what = format!("{} cores of its limit", plain(units));
                found.push(self.limit(what, units, Some(work_s), Some(units / work_s), shares));
            }
        }
        if let Some(threads) = limits.blocking_threads {
            let units = f64::from(threads) * replicas;
            let blocks_s = self.mean_of(component, |d| d.offloaded_s);
            if blocks_s > 0.0 {
                let share = |flows: &Flows| self.bare.work(component, flows, |d| d.offloaded_s) / units;
                let shares = self.plain(component, share(self.fresh), share(self.all));
                let what = format!("{} blocking threads", grouped(units));
                found.push(self.limit(what, units, Some(blocks_s), Some(units / blocks_s), shares));
            }
        }
        if let Some(slots) = self.of_consumers(component).filter(|_| self.is_held_by_consumers(component)) {
            found.push(slots);
        }
        if let Some(calls) = limits.memory_for {
            let units = calls * replicas;
            let there = |times: &Times<'_>| {
                let takes_s =
                    self.ops(component).into_iter().map(|(op, calls, _)| calls * times.latency_s(component, op));
                takes_s.sum::<f64>() / self.ops(component).iter().map(|(_, calls, _)| calls).sum::<f64>()
            };
            let (held_s, waited_s) = (there(self.bare), there(self.loaded));
            let (share, all) = (rate * held_s / units, Times::rate(component, self.all) * held_s / units);
            let shares = Shares::new(share, share, rate * waited_s / units, all, self.doubts(component));
            let what = format!("memory for {} calls", grouped(units));
            found.push(self.limit(what, units, Some(held_s), Some(units / held_s), shares));
        }
        if let Some(rate_max) = limits.rate_per_s {
            let rate_max = if limits.shares_rate { rate_max } else { rate_max * replicas };
            let shares = self.plain(component, rate / rate_max, Times::rate(component, self.all) / rate_max);
            found.push(self.limit("its rate limit".into(), rate_max, None, Some(rate_max), shares));
        }
        for (lock, held_s) in self.locks(component) {
            let share = |flows: &Flows| self.bare.work(component, flows, |d| of_lock(&d.locks, &lock)) / replicas;
            let shares = self.plain(component, share(self.fresh), share(self.all));
            found.push(self.limit(format!("lock {lock}"), replicas, Some(held_s), Some(replicas / held_s), shares));
        }
        found
    }

    /// The rate limit of a link and its bound on the attempts under way, all callers together.
    pub(super) fn of_gates(&self, link: usize) -> Vec<Limit> {
        let at = &self.graph.links[link];
        let (mut fresh, mut all) = (self.fresh.tried(link), self.all.tried(link));
        let held_s = self.bare.in_gates_s(link, self.fresh);
        let mut found = Vec::new();
        for (name, passes) in at.settings.passes() {
            let copies = f64::from(at.copies);
            let (what, units, held_s, ceiling) = match passes {
                Passes::Rate { per_s, .. } => (name.to_string(), per_s * copies, None, per_s * copies),
                Passes::AtOnce { places, .. } => {
                    let units = f64::from(places) * copies;
                    (format!("{} calls at once", grouped(units)), units, Some(held_s), units / held_s)
                }
                Passes::Some => continue,
            };
            let bursts = self.bare.bursts(self.fresh);
            let doubts = Doubts {
                holds_longer: held_s.is_some() && bursts.link_holds_longer(self.graph, link),
                is_more: self.may_be_more,
                is_less: self.may_be_full || (held_s.is_some() && bursts.link_ends_early(self.graph, link)),
                shift: shift(self.fresh.tried(link), self.waiting.tried(link)),
                waits_max: self.waits_max(),
            };
            let share = fresh / ceiling;
            let waited = held_s.map_or(share, |held_s| share * shift(held_s, self.loaded.in_gates_s(link, self.fresh)));
            let shares = Shares::new(share, share, waited, all / ceiling, doubts);
            found.push(self.limit(what, units, held_s, Some(ceiling), shares));
            (fresh, all) = (fresh.min(ceiling), all.min(ceiling));
        }
        found
    }

    /// The pool of a link, all callers together.
    pub(super) fn of_pool(&self, link: usize) -> Option<Limit> {
        let at = &self.graph.links[link];
        let pool = at.settings.pool.as_ref()?;
        let connections = self.graph.connections_of(at)? as f64;
        let units = connections * f64::from(pool.streams);
        let held = |times: &Times<'_>| times.attempts_over(link, self.fresh).map(|held| held.mean());
        let held_s = held(self.bare).unwrap_or_else(|| self.bare.over(link, "default").attempt.mean_s());
        let fresh = self.fresh.attempts(link);
        let all = self.all.links[link] * super::flows::sustained_attempts(self.graph, link, self.all.links[link]);
        let waited = held(self.loaded).unwrap_or(held_s);
        let unwaited = fresh * held_s / units;
        let doubts = Doubts {
            holds_longer: self.bare.bursts(self.fresh).link_holds_longer(self.graph, link),
            is_more: self.may_be_more
                || at.ways.iter().any(|way| self.bare.bursts(self.fresh).gets_more[way.component]),
            is_less: self.may_be_full
                || self.bare.bursts(self.fresh).link_ends_early(self.graph, link)
                || match at.caller {
                    Caller::Component(caller) => self.bare.bursts(self.fresh).does_less[caller],
                    Caller::Workload(_) => false,
                },
            shift: shift(self.fresh.attempts(link), self.waiting.attempts(link)),
            waits_max: self.waits_max(),
        };
        let shares = Shares::new(unwaited, unwaited, fresh * waited / units, all * held_s / units, doubts);
        let mut name = format!("{} connections", grouped(connections));
        if pool.streams > 1 {
            name.push_str(&format!(" × {}", grouped(f64::from(pool.streams))));
        }
        Some(self.limit(name, units, Some(held_s), Some(units / held_s), shares))
    }

    /// The same, aware of whether what is only known to be at least so busy may be full.
    pub(super) fn aware(self) -> Self {
        let of_components = (0..self.graph.components.len()).flat_map(|component| self.of_component(component));
        let of_pools = (0..self.graph.links.len()).filter_map(|link| self.of_pool(link));
        // Users who wait for their answers send no more than what is full lets through, and that is known.
        let is_open = self.graph.scenario.workloads.iter().any(|entry| entry.value.arrivals.process.is_load());
        let may_be_full = is_open
            && of_components.chain(of_pools).any(|limit| {
                limit.unwaited < 1.0
                    && (limit.bound == Some(Bound::AtLeast) && limit.unwaited >= MAYBE_FULL
                        || limit
                            .waited
                            .is_some_and(|waited| waited >= ESTIMATED_FULL && waited > WAITS_MAX * limit.unwaited))
            });
        Load { may_be_full: self.may_be_full || may_be_full, ..self }
    }

    /// What is asked for over a link.
    pub(super) fn asked(&self, link: usize) -> impl Iterator<Item = (&str, &Asked)> {
        self.fresh.over(link)
    }

    /// How long an attempt over a link takes if its caller waits for ever, over all that is asked for.
    pub(super) fn endless(&self, link: usize) -> Law {
        let all: f64 = self.asked(link).map(|(_, asked)| asked.attempts).sum();
        let of = |(op, asked): (&str, &Asked)| self.bare.over(link, op).endless.all().weighted(asked.attempts / all);
        self.asked(link).map(of).fold(Law::never(), |law, one| law.or(&one))
    }

    /// How long a request of a workload takes, over its sorts, those that fail included.
    pub(super) fn request(&self, workload: usize) -> Law {
        let settings = &self.graph.scenario.workloads.iter().as_slice()[workload].value;
        let of =
            |asked: models::workloads::Asked<'_>| self.bare.over(workload, asked.op).call.all().weighted(asked.share);
        settings.asked().into_iter().map(of).fold(Law::never(), |law, one| law.or(&one))
    }

    /// How long a worker is held, on average over what arrives; over what may be asked where nothing does.
    fn held_s(&self, component: usize) -> Option<f64> {
        Some(self.mean_of(component, Demand::held_s))
    }

    fn mean_of(&self, component: usize, of: impl Fn(&Demand) -> f64) -> f64 {
        let rate = Times::rate(component, self.fresh);
        if rate > 0.0 {
            return self.bare.work(component, self.fresh, of) / rate;
        }
        of(&self.bare.demand(component, "default", 1.0))
    }

    /// Calls a second that one replica's workers serve at most. Where those at work hinder each other, fewer of them may
    /// serve more.
    fn worker_ceiling(&self, component: usize, workers: u32) -> f64 {
        let ops: Vec<(&str, f64, f64)> = self.ops(component);
        let total: f64 = ops.iter().map(|(_, calls, _)| calls).sum();
        let served = |n: u32| {
            let held: f64 = ops
                .iter()
                .map(|(op, calls, items)| {
                    let demand = self.bare.demand_with(component, op, *items, f64::from(n));
                    calls / total * demand.held_s()
                })
                .sum();
            f64::from(n) / held
        };
        // Throughput rises to one peak and falls from there.
        let (mut low, mut high) = (1, workers.max(1));
        while high - low > 2 {
            let (a, b) = (low + (high - low) / 3, high - (high - low) / 3);
            if served(a) <= served(b) { low = a } else { high = b }
        }
        (low..=high).map(served).fold(0.0, f64::max)
    }

    /// The operations that are requested of a component.
    pub(super) fn ops_of(&self, component: usize) -> Vec<String> {
        let mut ops: Vec<String> = self.ops(component).iter().map(|(op, ..)| op.to_string()).collect();
        ops.sort();
        ops.dedup();
        ops
    }

    /// The messages that the consumers of a queue process at once, which bound how many they process.
    pub(super) fn of_consumers(&self, queue: usize) -> Option<Limit> {
        let graph = self.graph;
        let units: f64 = graph.consumers_of(queue).map(|consumer| consumer.at_once).sum();
        let rate = Times::rate(queue, self.fresh);
        if units <= 0.0 {
            return None;
        }
        let held = |times: &Times<'_>| -> f64 {
            let of = |(op, calls, _): &(&str, f64, f64)| -> f64 {
                let by = |consumer: &super::graph::ConsumerAt<'_>| {
                    let answer = times.answer(consumer.component, consumer.op.unwrap_or(op));
                    let deliveries = consumer.deliveries(answer.failed().weight());
                    let batch = f64::from(consumer.settings.batch());
                    consumer.share * deliveries * (answer.mean_s() + consumer.between_s / batch)
                };
                calls * graph.consumers_of(queue).map(by).sum::<f64>()
            };
            let ops = self.ops(queue);
            ops.iter().map(of).sum::<f64>() / ops.iter().map(|(_, calls, _)| calls).sum::<f64>()
        };
        let (held_s, waited_s) = (held(self.bare), held(self.loaded));
        let unwaited = rate * held_s / units;
        let doubts = self.doubts(queue);
        let shares = Shares::new(unwaited, unwaited, rate * waited_s / units, unwaited, doubts);
        let what = format!("{} consumer slots", grouped(units));
        Some(self.limit(what, units, Some(held_s), Some(units / held_s), shares))
    }

    /// Whether these are fewer than the workers that process the messages, or are held for markedly longer.
    fn is_held_by_consumers(&self, queue: usize) -> bool {
        let graph = self.graph;
        graph.consumers_of(queue).any(|consumer| {
            let limits = graph.components[consumer.component].limits();
            let workers = limits.workers.filter(|_| !limits.frees_while_waiting);
            let workers = workers.map(|(_, count)| f64::from(count) * graph.replicas(consumer.component));
            let takes_s = self.bare.latency_s(consumer.component, consumer.op.unwrap_or("default"));
            workers.is_none_or(|workers| consumer.at_once < workers) || consumer.between_s > 0.05 * takes_s
        })
    }

    /// What is asked of a component: operation, calls a second, items a call.
    fn ops(&self, component: usize) -> Vec<(&str, f64, f64)> {
        let here = self.fresh.arrivals.iter().filter(|((at, _, _), flow)| *at == component && flow.calls > 0.0);
        let ops: Vec<_> = here.map(|((_, op, _), flow)| (op.as_str(), flow.calls, flow.items / flow.calls)).collect();
        if ops.is_empty() { vec![("default", 1.0, 1.0)] } else { ops }
    }

    fn locks(&self, component: usize) -> Vec<(String, f64)> {
        let mut names: Vec<String> = Vec::new();
        for (op, _, items) in self.ops(component) {
            let demand = self.bare.demand(component, op, items);
            names.extend(demand.locks.iter().map(|(name, _)| name.clone()));
        }
        names.sort();
        names.dedup();
        let mean = |name: &String| self.mean_of(component, |d| of_lock(&d.locks, name));
        names.iter().map(|name| (name.clone(), mean(name))).filter(|(_, held_s)| *held_s > 0.0).collect()
    }

    /// The cores of each group of hosts.
    pub(super) fn of_hosts(&self) -> Vec<(String, Limit)> {
        let graph = self.graph;
        let groups = graph.scenario.hosts.iter().map(|entry| {
            let name = entry.name.as_str();
            let there: Vec<usize> = (0..graph.components.len())
                .filter(|c| graph.components[*c].hosts().is_some_and(|h| h.on.as_str() == name))
                .collect();
            let units = entry.value.cores.0 * f64::from(entry.value.count);
            let share =
                |flows: &Flows| there.iter().map(|c| self.bare.work(*c, flows, |d| d.cpu_s)).sum::<f64>() / units;
            let bursts = self.bare.bursts(self.fresh);
            let doubts = Doubts {
                holds_longer: false,
                is_more: self.may_be_more || there.iter().any(|component| bursts.does_more[*component]),
                is_less: self.may_be_full || there.iter().any(|component| bursts.does_less[*component]),
                shift: shift(share(self.fresh), share(self.waiting)),
                waits_max: self.waits_max(),
            };
            let busy = share(self.fresh);
            let shares = Shares::new(busy, busy, busy, share(self.all), doubts);
            let cores = self.limit(format!("{} cores", plain(units)), units, None, None, shares);
            (name.to_string(), Limit { is_cpu: true, ..cores })
        });
        groups.collect()
    }
}

/// What comes with waits, as a multiple of what comes without.
fn shift(without: f64, with: f64) -> f64 {
    if without > 0.0 { with / without } else { 1.0 }
}

fn of_lock(locks: &[(String, f64)], name: &str) -> f64 {
    locks.iter().filter(|(lock, _)| lock == name).map(|(_, held_s)| held_s).sum()
}

/// A number of things with its thousands set apart.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number that may be a fraction, without needless digits.
pub(super) fn plain(value: f64) -> String {
    if value.fract() == 0.0 { grouped(value) } else { format!("{value}") }
}

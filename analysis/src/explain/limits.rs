//! Limits: how many calls a second each part can serve, and which share of that the load takes.
//!
//! By Little's law so many units that are held for S seconds a call serve at most units ÷ S calls a second. A ceiling
//! takes no account of waiting below: where a thread waits for something that is itself short, the ceiling of the threads
//! is lower still. Utilisation counts the waits that the given load brings about, as far as they can be estimated.

use models::demand::Demand;
use models::law::Law;
use serde::Serialize;

use super::flow::{Asked, Flows};
use super::graph::Graph;
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
    /// Whether it is at least that: for how long is waited behind it is too much of it to be told without running, or something
    /// there is saturated.
    pub is_lower_bound: bool,
    /// The share that the load would take if every call made all the attempts that retries allow.
    pub utilization_with_retries: Option<f64>,
    /// The share of it that the load would take if nothing were waited for; in proportion to the load.
    #[serde(skip)]
    pub(super) unwaited: f64,
}

/// Waits are estimates, some by a fifth: what they make this many times as much is told as a bound.
const WAITS_MAX: f64 = 1.5;

/// Which share of something is taken: without waits, with them, and with all retries.
#[derive(Clone, Copy)]
struct Shares {
    unwaited: f64,
    /// With waits, or at least so much.
    waited: f64,
    is_lower_bound: bool,
    with_retries: f64,
}

impl Shares {
    fn unwaited(unwaited: f64, with_retries: f64) -> Shares {
        Shares { unwaited, waited: unwaited, is_lower_bound: false, with_retries }
    }

    /// `held` is the share that is held if nothing is waited for, `unwaited` that of what can be served: not the same where
    /// those at work hinder each other. Beyond saturation there is no mean wait, and without it the share is the lower bound
    /// that is known; where waits are most of it, it is so too.
    fn waited(held: f64, unwaited: f64, waited: f64, with_retries: f64) -> Shares {
        if unwaited >= 1.0 {
            return Shares { is_lower_bound: false, ..Shares::unwaited(unwaited, with_retries) };
        }
        let is_lower_bound = waited > WAITS_MAX * held || waited >= 1.0;
        let waited = if is_lower_bound { held } else { waited.max(held) };
        Shares { unwaited, waited, is_lower_bound, with_retries }
    }
}

/// What is held against the limits.
pub(super) struct Load<'g> {
    pub(super) graph: &'g Graph<'g>,
    pub(super) fresh: &'g Flows,
    pub(super) all: &'g Flows,
    pub(super) bare: &'g Times<'g>,
    pub(super) loaded: &'g Times<'g>,
    /// Whether there are rates at all.
    pub(super) has_rates: bool,
}

impl Load<'_> {
    fn limit(&self, what: String, units: f64, held_s: Option<f64>, ceiling: Option<f64>, shares: Shares) -> Limit {
        Limit {
            what,
            units,
            held_s,
            ceiling_per_s: ceiling.filter(|c| c.is_finite()),
            utilization: self.has_rates.then_some(shares.waited),
            is_lower_bound: self.has_rates && shares.is_lower_bound,
            utilization_with_retries: self.has_rates.then_some(shares.with_retries.max(shares.unwaited)),
            unwaited: shares.unwaited,
        }
    }

    /// The limits of a component, those of its links' pools apart.
    pub(super) fn of_component(&self, component: usize) -> Vec<Limit> {
        let graph = self.graph;
        let limits = graph.components[component].limits();
        let replicas = graph.replicas(component);
        let rate = Times::rate(component, self.fresh);
        let mean = |work: f64| if rate > 0.0 { work / rate } else { f64::NAN };
        let mut found = Vec::new();
        if let Some((noun, workers)) = limits.workers {
            let units = f64::from(workers) * replicas;
            let held = |times: &Times<'_>, flows: &Flows| match limits.frees_while_waiting {
                true => self.bare.work(component, flows, |d| d.cpu_s + d.blocks_s),
                false => times.work(component, flows, Demand::held_s),
            };
            let bare = held(self.bare, self.fresh);
            let held_s = self.held_s(component).unwrap_or(mean(bare));
            let ceiling = self.worker_ceiling(component, workers) * replicas;
            let unwaited = (bare / units).max(rate / ceiling);
            let waited = held(self.loaded, self.fresh) / units;
            let with_retries = (held(self.bare, self.all) / units).max(Times::rate(component, self.all) / ceiling);
            let shares = Shares::waited(bare / units, unwaited, waited, with_retries);
            found.push(self.limit(format!("{} {noun}", grouped(units)), units, Some(held_s), Some(ceiling), shares));
        }
        let cpu = |flows: &Flows| self.bare.work(component, flows, |d| d.cpu_s);
        if let Some(cores) = limits.cores.filter(|_| graph.components[component].hosts().is_none()) {
            let units = cores * replicas;
            let work_s = self.mean_of(component, |d| d.cpu_s);
            if work_s > 0.0 {
                let ceiling = units / work_s;
                let shares = Shares::unwaited(cpu(self.fresh) / units, cpu(self.all) / units);
                found.push(self.limit(format!("{} cores", plain(units)), units, Some(work_s), Some(ceiling), shares));
            }
        }
        if let Some(threads) = limits.blocking_threads {
            let units = f64::from(threads) * replicas;
            let blocks_s = self.mean_of(component, |d| d.offloaded_s);
            if blocks_s > 0.0 {
                let share = |flows: &Flows| self.bare.work(component, flows, |d| d.offloaded_s) / units;
                let shares = Shares::unwaited(share(self.fresh), share(self.all));
                let what = format!("{} blocking threads", grouped(units));
                found.push(self.limit(what, units, Some(blocks_s), Some(units / blocks_s), shares));
            }
        }
        if let Some(rate_max) = limits.rate_per_s {
            let shares = Shares::unwaited(rate / rate_max, Times::rate(component, self.all) / rate_max);
            found.push(self.limit("its rate limit".into(), rate_max, None, Some(rate_max), shares));
        }
        for (lock, held_s) in self.locks(component) {
            let share = |flows: &Flows| self.bare.work(component, flows, |d| of_lock(&d.locks, &lock)) / replicas;
            let shares = Shares::unwaited(share(self.fresh), share(self.all));
            found.push(self.limit(format!("lock {lock}"), replicas, Some(held_s), Some(replicas / held_s), shares));
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
        let fresh: f64 = self.asked(link).map(|(_, asked)| asked.attempts).sum();
        let all = self.all.links[link] * super::flows::sustained_attempts(self.graph, link, self.all.links[link]);
        let waited = held(self.loaded).unwrap_or(held_s);
        let unwaited = fresh * held_s / units;
        let shares = Shares::waited(unwaited, unwaited, fresh * waited / units, all * held_s / units);
        let mut name = format!("{} connections", grouped(connections));
        if pool.streams > 1 {
            name.push_str(&format!(" × {}", grouped(f64::from(pool.streams))));
        }
        Some(self.limit(name, units, Some(held_s), Some(units / held_s), shares))
    }

    /// What is asked for over a link.
    pub(super) fn asked(&self, link: usize) -> impl Iterator<Item = (&str, &Asked)> {
        let asked = self.fresh.asked.range((link, String::new())..(link + 1, String::new()));
        asked.map(|((_, op), asked)| (op.as_str(), asked))
    }

    /// How long an attempt over a link takes if its caller waits for ever, over all that is asked for.
    pub(super) fn endless(&self, link: usize) -> Law {
        let all: f64 = self.asked(link).map(|(_, asked)| asked.attempts).sum();
        let of = |(op, asked): (&str, &Asked)| self.bare.over(link, op).endless.all().weighted(asked.attempts / all);
        self.asked(link).map(of).fold(Law::never(), |law, one| law.or(&one))
    }

    /// How long a worker is held, on average over what arrives; over what may be asked where nothing does.
    fn held_s(&self, component: usize) -> Option<f64> {
        let frees = self.graph.components[component].limits().frees_while_waiting;
        Some(self.mean_of(component, |d| if frees { d.cpu_s + d.blocks_s } else { d.held_s() }))
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
        let frees = self.graph.components[component].limits().frees_while_waiting;
        let ops: Vec<(&str, f64, f64)> = self.ops(component);
        let total: f64 = ops.iter().map(|(_, calls, _)| calls).sum();
        let served = |n: u32| {
            let held: f64 = ops
                .iter()
                .map(|(op, calls, items)| {
                    let demand = self.bare.demand_with(component, op, *items, f64::from(n));
                    calls / total * if frees { demand.cpu_s + demand.blocks_s } else { demand.held_s() }
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
            (
                name.to_string(),
                self.limit(
                    format!("{} cores", plain(units)),
                    units,
                    None,
                    None,
                    Shares::unwaited(share(self.fresh), share(self.all)),
                ),
            )
        });
        groups.collect()
    }
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

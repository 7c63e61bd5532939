//! Times: how long calls take and hold what serves them, without waiting or with the waits that a load brings about.
//!
//! Without waiting the means are exact. The waits are those of Poisson arrivals and exponential times at as many
//! workers as each replica has (Erlang C), and processor sharing for work on cores: an estimate, and a good one as long
//! as nothing is nearly saturated. What is saturated has no mean wait; it is left out, and its utilisation says why.

use std::cell::RefCell;
use std::collections::BTreeMap;

use models::demand::{Demand, Surroundings};

use super::flow::Flows;
use super::graph::Graph;
use crate::theory::formulas::erlang_c;

/// What calls take under given flows, or under none.
pub(super) struct Times<'g> {
    graph: &'g Graph<'g>,
    flows: Option<&'g Flows>,
    /// What is being looked at, to stop where calls go round.
    stack: RefCell<Vec<(usize, String)>>,
    known: RefCell<BTreeMap<(usize, String), f64>>,
    waits: RefCell<BTreeMap<usize, f64>>,
}

/// How many times as long work takes on `cores` that are shared with `busy` others on average: 1 + C/(c(1−ρ)).
fn shared(cores: f64, busy: f64) -> f64 {
    let rho = busy / cores;
    if rho >= 1.0 || rho <= 0.0 {
        return 1.0;
    }
    let whole = (cores.round() as u32).max(1);
    1.0 + erlang_c(whole, rho * f64::from(whole)) / (f64::from(whole) * (1.0 - rho))
}

impl<'g> Times<'g> {
    /// Nobody else is there.
    pub(super) fn unloaded(graph: &'g Graph<'g>) -> Times<'g> {
        Times { graph, flows: None, stack: RefCell::default(), known: RefCell::default(), waits: RefCell::default() }
    }

    /// With the waits that these flows bring about.
    pub(super) fn loaded(graph: &'g Graph<'g>, flows: &'g Flows) -> Times<'g> {
        Times { flows: Some(flows), ..Times::unloaded(graph) }
    }

    /// From the call to the answer over a link, first attempt, network and waits for a connection included, s.
    pub(super) fn over_link(&self, link: usize, op: &str) -> f64 {
        let at = &self.graph.links[link];
        let fresh_connection = at.settings.network.as_ref().is_some_and(|n| !n.keep_alive);
        let beyond: f64 = at
            .ways
            .iter()
            .filter(|way| !way.directs && way.share > 0.0)
            .map(|way| {
                let trips = if fresh_connection { 2.0 } else { 1.0 };
                way.share * (way.rtt_s * trips + self.latency_s(way.component, op))
            })
            .sum();
        let batch = at.settings.batch.as_ref().map_or(0.0, |batch| {
            let wait_s = batch.wait.0 as f64 / 1e9;
            let rate = self.flows.map_or(0.0, |flows| flows.links[link] / f64::from(at.copies));
            if rate > 0.0 { crate::theory::formulas::batch_delay(batch.max, rate, wait_s) } else { wait_s }
        });
        batch + self.pool_wait_s(link, beyond) + beyond
    }

    fn pool_wait_s(&self, link: usize, held_s: f64) -> f64 {
        let at = &self.graph.links[link];
        let (Some(pool), Some(flows)) = (&at.settings.pool, self.flows) else { return 0.0 };
        let pools = f64::from(at.copies) * f64::from(self.graph.pools_of(at));
        wait_s(pool.size.saturating_mul(pool.streams), flows.links[link] / pools, held_s)
    }

    /// From arrival to answer, s.
    pub(super) fn latency_s(&self, component: usize, op: &str) -> f64 {
        let key = (component, op.to_string());
        if let Some(known) = self.known.borrow().get(&key) {
            return *known;
        }
        if self.stack.borrow().contains(&key) {
            return 0.0;
        }
        self.stack.borrow_mut().push(key.clone());
        let latency_s = self.demand(component, op, 1.0).latency_s + self.wait_s(component);
        self.stack.borrow_mut().pop();
        self.known.borrow_mut().insert(key, latency_s);
        latency_s
    }

    /// What one call takes. `items` is how many it carries.
    pub(super) fn demand(&self, component: usize, op: &str, items: f64) -> Demand {
        self.demand_with(component, op, items, None)
    }

    /// The same with so many at work at the same time.
    pub(super) fn demand_with(&self, component: usize, op: &str, items: f64, at_work: Option<f64>) -> Demand {
        let graph = self.graph;
        let misses = self.flows.and_then(|flows| flows.misses.get(&component).copied().flatten()).unwrap_or((1.0, 1.0));
        let mut call_s = |link: &str, asked: Option<&str>| {
            graph.link_of(component, link).map_or(0.0, |link| self.over_link(link, asked.unwrap_or(op)))
        };
        let mut around = Surroundings {
            call_s: &mut call_s,
            stretch: self.stretch(component),
            at_work: at_work.unwrap_or_else(|| self.at_work(component)),
            items,
            miss_ratio: misses.0,
            fetch_ratio: misses.1,
        };
        graph.components[component].demand(op, &mut around)
    }

    /// Σ over what arrives at a component of calls a second × what one takes.
    pub(super) fn work(&self, component: usize, flows: &Flows, of: impl Fn(&Demand) -> f64) -> f64 {
        let here = flows.arrivals.iter().filter(|((at, _, _), _)| *at == component);
        here.map(|((_, op, _), flow)| {
            let items = if flow.calls > 0.0 { flow.items / flow.calls } else { 1.0 };
            flow.calls * of(&self.demand(component, op, items))
        })
        .sum()
    }

    /// Calls a second that come to a component.
    pub(super) fn rate(component: usize, flows: &Flows) -> f64 {
        flows.arrivals.iter().filter(|((at, _, _), _)| *at == component).map(|(_, flow)| flow.calls).sum()
    }

    /// Cores that a replica's work is done on, and how busy they are on average.
    fn cores(&self, component: usize, flows: &Flows) -> Option<(f64, f64)> {
        let graph = self.graph;
        let bare = Times::unloaded(graph);
        let busy = |component: usize| bare.work(component, flows, |d| d.cpu_s);
        let limits = graph.components[component].limits();
        if limits.frees_while_waiting {
            let (_, loops) = limits.workers?;
            let held = bare.work(component, flows, |d| d.cpu_s + d.blocks_s);
            let cores = limits.cores.map_or(f64::from(loops), |cores| cores.min(f64::from(loops)));
            return Some((cores, held / graph.replicas(component)));
        }
        if let Some(hosts) = graph.components[component].hosts() {
            let group = graph.scenario.hosts.get(hosts.on.as_str())?;
            let there = (0..graph.components.len())
                .filter(|c| graph.components[*c].hosts().is_some_and(|h| h.on.as_str() == hosts.on.as_str()));
            let all: f64 = there.map(busy).sum();
            return Some((group.cores.0, all / f64::from(group.count)));
        }
        limits.cores.map(|cores| (cores, busy(component) / graph.replicas(component)))
    }

    fn stretch(&self, component: usize) -> f64 {
        let Some(flows) = self.flows else { return 1.0 };
        self.cores(component, flows).map_or(1.0, |(cores, busy)| shared(cores, busy))
    }

    /// Calls at work in a replica when one more begins, itself included: 1 + λ·S, by iteration where S depends on it.
    fn at_work(&self, component: usize) -> f64 {
        let Some(flows) = self.flows else { return 1.0 };
        let Some((_, workers)) = self.graph.components[component].limits().workers else { return 1.0 };
        let bare = Times::unloaded(self.graph);
        let here: Vec<(&str, f64)> = flows
            .arrivals
            .iter()
            .filter(|((at, _, _), _)| *at == component)
            .map(|((_, op, _), flow)| (op.as_str(), flow.calls))
            .collect();
        let mut at_work = 1.0;
        for _ in 0..100 {
            let held: f64 =
                here.iter().map(|(op, calls)| calls * bare.demand_with(component, op, 1.0, Some(at_work)).held_s).sum();
            let next = (1.0 + held / self.graph.replicas(component)).min(f64::from(workers));
            if (next - at_work).abs() < 1e-9 {
                break;
            }
            at_work = next;
        }
        at_work
    }

    /// How long a call waits for a worker, s.
    fn wait_s(&self, component: usize) -> f64 {
        let Some(flows) = self.flows else { return 0.0 };
        if let Some(known) = self.waits.borrow().get(&component) {
            return *known;
        }
        let limits = self.graph.components[component].limits();
        let wait = match limits.workers {
            Some((_, workers)) if !limits.frees_while_waiting => {
                // Calls that go round must not ask for this wait again.
                self.waits.borrow_mut().insert(component, 0.0);
                let rate = Times::rate(component, flows);
                let held_s = if rate > 0.0 { self.work(component, flows, |d| d.held_s) / rate } else { 0.0 };
                wait_s(workers, rate / self.graph.replicas(component), held_s)
            }
            _ => 0.0,
        };
        self.waits.borrow_mut().insert(component, wait);
        wait
    }
}

/// Mean wait for one of `count` places that are held for `held_s`, under `rate` calls a second; 0 where they are
/// saturated.
fn wait_s(count: u32, rate: f64, held_s: f64) -> f64 {
    let offered = rate * held_s;
    let free = f64::from(count) - offered;
    if free <= 0.0 || offered <= 0.0 { 0.0 } else { erlang_c(count, offered) * held_s / free }
}

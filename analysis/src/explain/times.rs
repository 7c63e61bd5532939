//! Times: how long calls take and hold what serves them, without waiting or with the waits that a load brings about.
//!
//! Without waiting a call has a law, made of what every kind, policy and step says of itself ([`models::demand`]); [`calls`]
//! adds what the links do. The waits are those of Poisson arrivals at as many workers as each replica has (Erlang C, with the
//! correction of Allen and Cunneen for how much service times vary), and processor sharing for work on cores: an estimate, and
//! a good one as long as nothing is nearly saturated. What is saturated has no mean wait; it is left out, and its utilisation
//! says why.

mod calls;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use models::demand::{Demand, Outcomes, Surroundings};
use models::law::Law;
use models::replicating::Role;
use sim_core::dist::Dist;

pub(super) use calls::Over;

use super::bursts::Bursts;
use super::flow::{Data, Flows};
use super::graph::{Caller, Graph};
use crate::theory::formulas::erlang_c;

/// What calls take.
pub(super) struct Times<'g> {
    graph: &'g Graph<'g>,
    /// What comes, which decides what caches miss and what budgets allow; `None` where that is not known yet.
    flows: Option<&'g Flows>,
    /// The same without waits, where waits count.
    bare: Option<&'g Times<'g>>,
    /// What is being looked at, to stop where calls go round.
    stack: RefCell<Vec<(usize, String)>>,
    answers: RefCell<BTreeMap<(usize, String), Rc<Outcomes>>>,
    demands: RefCell<BTreeMap<(usize, String, u64), Rc<Demand>>>,
    overs: RefCell<BTreeMap<(usize, String), Rc<Over>>>,
    waits: RefCell<BTreeMap<usize, Law>>,
    bursts: OnceCell<Bursts>,
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
    fn new(graph: &'g Graph<'g>, flows: Option<&'g Flows>, bare: Option<&'g Times<'g>>) -> Times<'g> {
        Times {
            graph,
            flows,
            bare,
            stack: RefCell::default(),
            answers: RefCell::default(),
            demands: RefCell::default(),
            overs: RefCell::default(),
            waits: RefCell::default(),
            bursts: OnceCell::new(),
        }
    }

    /// Nobody else is there.
    pub(super) fn unloaded(graph: &'g Graph<'g>) -> Times<'g> {
        Times::new(graph, None, None)
    }

    /// Nobody is waited for, with caches and budgets as these flows make them.
    pub(super) fn bare(graph: &'g Graph<'g>, flows: &'g Flows) -> Times<'g> {
        Times::new(graph, Some(flows), None)
    }

    /// With the waits that the flows bring about.
    pub(super) fn loaded(bare: &'g Times<'g>) -> Times<'g> {
        Times::new(bare.graph, bare.flows, Some(bare))
    }

    /// The flows, where waits count.
    fn waited(&self) -> Option<(&'g Times<'g>, &'g Flows)> {
        self.bare.zip(self.flows)
    }

    /// How many calls a request brings about at the same time.
    pub(super) fn bursts(&self, flows: &Flows) -> &Bursts {
        let demand = |component: usize, op: &str| self.demand(component, op, 1.0);
        let failures = |link: usize, op: &str| self.over(link, op).call.failed().weight();
        self.bursts.get_or_init(|| Bursts::new(self.graph, flows, &demand, &failures))
    }

    /// From arrival to answer.
    pub(super) fn answer(&self, component: usize, op: &str) -> Rc<Outcomes> {
        let key = (component, op.to_string());
        if let Some(known) = self.answers.borrow().get(&key) {
            return known.clone();
        }
        if self.stack.borrow().contains(&key) {
            return Rc::new(Outcomes::ok(Law::always(0.0)));
        }
        self.stack.borrow_mut().push(key.clone());
        let wait = self.wait(component);
        let answer = Rc::new(self.demand(component, op, 1.0).answer.map(|law| wait.then(law)));
        self.stack.borrow_mut().pop();
        self.answers.borrow_mut().insert(key, answer.clone());
        answer
    }

    /// From arrival to answer, on average, s.
    pub(super) fn latency_s(&self, component: usize, op: &str) -> f64 {
        self.answer(component, op).mean_s()
    }

    /// What one call takes. `items` is how many it carries.
    pub(super) fn demand(&self, component: usize, op: &str, items: f64) -> Rc<Demand> {
        let key = (component, op.to_string(), items.to_bits());
        if let Some(known) = self.demands.borrow().get(&key) {
            return known.clone();
        }
        let demand = Rc::new(self.demand_with(component, op, items, self.at_work(component)));
        self.demands.borrow_mut().insert(key, demand.clone());
        demand
    }

    /// The same with so many at work at the same time.
    pub(super) fn demand_with(&self, component: usize, op: &str, items: f64, at_work: f64) -> Demand {
        let graph = self.graph;
        let misses = self.flows.and_then(|flows| flows.misses.get(&component).copied().flatten()).unwrap_or((1.0, 1.0));
        let mut call = |link: &str, asked: Option<&str>| match graph.link_of(component, link) {
            Some(link) => self.over(link, asked.unwrap_or(op)).call.clone(),
            None => Outcomes::ok(Law::always(0.0)),
        };
        let mut around = Surroundings {
            call: &mut call,
            stretch: self.stretch(component),
            held_stretch: self.held_stretch(component),
            at_work,
            items,
            miss_ratio: misses.0,
            fetch_ratio: misses.1,
        };
        graph.components[component].demand(op, &mut around)
    }

    /// Σ over what arrives at a component of calls a second × what one takes.
    pub(super) fn work(&self, component: usize, flows: &Flows, of: impl Fn(&Demand) -> f64) -> f64 {
        let here = flows.arrivals.iter().filter(|((at, _, _), flow)| *at == component && flow.calls > 0.0);
        here.map(|((_, op, _), flow)| flow.calls * of(&self.demand(component, op, flow.items / flow.calls))).sum()
    }

    /// Calls a second that come to a component.
    pub(super) fn rate(component: usize, flows: &Flows) -> f64 {
        flows.arrivals.iter().filter(|((at, _, _), _)| *at == component).map(|(_, flow)| flow.calls).sum()
    }

    /// Among how many nodes alike the calls to a component are divided. Where nodes are not asked alike, so many as the busiest is one of.
    fn nodes(&self, component: usize, flows: &Flows) -> f64 {
        let replicas = self.graph.replicas(component);
        let Some(terms) = self.graph.components[component].entrance() else { return replicas };
        let Some(roles) = terms.roles() else { return replicas };
        let of_role = |role: &Role| {
            let per_call = |op: &str| if terms.writes(op) { role.writes } else { role.reads };
            Times::rate(component, &flows.of_part(component, &per_call)) / f64::from(role.nodes.max(1))
        };
        let busiest = roles.iter().map(of_role).fold(0.0, f64::max);
        if busiest > 0.0 { Times::rate(component, flows) / busiest } else { replicas }
    }

    /// Cores that a replica's work is done on, and how busy they are on average.
    fn cores(&self, component: usize, bare: &Times<'_>, flows: &Flows) -> Option<(f64, f64)> {
        let graph = self.graph;
        let busy = |component: usize| bare.work(component, flows, |d| d.cpu_s);
        let limits = graph.components[component].limits();
        if let Some(hosts) = graph.components[component].hosts() {
            let group = graph.scenario.hosts.get(hosts.on.as_str())?;
            let there = (0..graph.components.len())
                .filter(|c| graph.components[*c].hosts().is_some_and(|h| h.on.as_str() == hosts.on.as_str()));
            let all: f64 = there.map(busy).sum();
            return Some((group.cores.0, all / f64::from(group.count)));
        }
        let cores = limits.cores?;
        // Where no more can run at once than there are cores for, nothing is shared.
        let is_shared = limits.workers.is_none_or(|(_, workers)| f64::from(workers) > cores);
        is_shared.then(|| (cores, busy(component) / self.nodes(component, flows)))
    }

    fn stretch(&self, component: usize) -> f64 {
        let Some((bare, flows)) = self.waited() else { return 1.0 };
        self.cores(component, bare, flows).map_or(1.0, |(cores, busy)| shared(cores, busy))
    }

    /// The same of what holds a worker that is free while it waits: only what runs at the same time shares the cores.
    fn held_stretch(&self, component: usize) -> f64 {
        let limits = self.graph.components[component].limits();
        match (limits.workers, limits.cores) {
            (Some((_, workers)), Some(cores)) if limits.frees_while_waiting && f64::from(workers) > cores => {
                self.stretch(component).min(f64::from(workers) / cores)
            }
            _ => 1.0,
        }
    }

    /// Calls at work in a replica when one more begins, itself included: 1 + λ·S, by iteration where S depends on it.
    fn at_work(&self, component: usize) -> f64 {
        let Some((bare, flows)) = self.waited() else { return 1.0 };
        let Some((_, workers)) = self.graph.components[component].limits().workers else { return 1.0 };
        let here: Vec<(&str, f64)> = flows
            .arrivals
            .iter()
            .filter(|((at, _, _), _)| *at == component)
            .map(|((_, op, _), flow)| (op.as_str(), flow.calls))
            .collect();
        let mut at_work = 1.0;
        for _ in 0..100 {
            let held: f64 =
                here.iter().map(|(op, calls)| calls * bare.demand_with(component, op, 1.0, at_work).held_s()).sum();
            let next = (1.0 + held / self.nodes(component, flows)).min(f64::from(workers));
            if (next - at_work).abs() < 1e-9 {
                break;
            }
            at_work = next;
        }
        at_work
    }

    /// How long a call waits for a worker.
    fn wait(&self, component: usize) -> Law {
        let Some((bare, flows)) = self.waited() else { return Law::always(0.0) };
        if let Some(known) = self.waits.borrow().get(&component) {
            return known.clone();
        }
        let limits = self.graph.components[component].limits();
        let wait = match limits.workers {
            Some((_, workers)) if !limits.frees_while_waiting => {
                // Calls that go round must not ask for this wait again.
                self.waits.borrow_mut().insert(component, Law::always(0.0));
                let rate = Times::rate(component, flows) / self.nodes(component, flows);
                let scv = self.arrival_scv(component, flows).max(bare.bursts(flows).components[component]);
                wait(workers, rate, &self.held(component, flows), scv)
            }
            Some((_, loops)) => self.waits_for_turns(component, loops, bare, flows),
            None => Law::always(0.0),
        };
        self.waits.borrow_mut().insert(component, wait.clone());
        wait
    }

    /// How long a call waits for a worker that is free while calls wait, on average over what comes: whenever it goes on, for the
    /// pieces of work that are there before it (Pollaczek and Khinchine; several workers by Allen and Cunneen).
    fn waits_for_turns(&self, component: usize, loops: u32, bare: &Times<'_>, flows: &Flows) -> Law {
        let replicas = self.graph.replicas(component);
        let rate = Times::rate(component, flows);
        let busy = bare.work(component, flows, |d| d.cpu_s + d.blocks_s) / replicas;
        let squares = bare.work(component, flows, |d| d.pieces_s2) / replicas;
        let turns = bare.work(component, flows, |d| d.turns) / rate;
        let free = f64::from(loops) - busy;
        if busy <= 0.0 || free <= 0.0 || rate <= 0.0 {
            return Law::always(0.0);
        }
        let mean_s = turns * erlang_c(loops, busy) * squares / (2.0 * busy * free);
        Dist::exp(mean_s).map_or_else(|_| Law::always(mean_s), |dist| Law::of(&dist))
    }

    /// For how long a worker is held, over all that comes.
    pub(super) fn held(&self, component: usize, flows: &Flows) -> Law {
        let rate = Times::rate(component, flows);
        let here = flows.arrivals.iter().filter(|((at, _, _), flow)| *at == component && flow.calls > 0.0);
        here.fold(Law::never(), |all, ((_, op, _), flow)| {
            all.or(&self.demand(component, op, flow.items / flow.calls).held.weighted(flow.calls / rate))
        })
    }

    /// By how much the distances between calls to a replica vary, as the square of their coefficient of variation: as the
    /// workloads say where these call it themselves; at random where others do.
    fn arrival_scv(&self, component: usize, flows: &Flows) -> f64 {
        let callers = self.graph.links.iter().filter(|link| link.ways.iter().any(|way| way.component == component));
        if callers.clone().any(|link| matches!(link.caller, Caller::Component(_))) {
            return 1.0;
        }
        let here = flows.arrivals.iter().filter(|((at, _, _), _)| *at == component);
        let (sum, calls) = here.fold((0.0, 0.0), |(sum, calls), ((_, _, data), flow)| {
            let scv = match data {
                Data::Chosen(workload, _) => {
                    let settings = &self.graph.scenario.workloads.iter().as_slice()[*workload].value;
                    if settings.arrivals.process.is_regular()
                        && settings.arrivals.batch.is_none()
                        && callers.clone().count() == 1
                    {
                        0.0
                    } else {
                        1.0
                    }
                }
                Data::Key(_) => 1.0,
            };
            (sum + scv * flow.calls, calls + flow.calls)
        });
        let scv = if calls > 0.0 { sum / calls } else { 1.0 };
        // What is dealt out at random is the more random the more it is dealt out among.
        1.0 + (scv - 1.0) / self.nodes(component, flows)
    }
}

/// 99 of 100 wait no longer than this for one of `count` places, s; `None` where they are saturated.
pub(super) fn wait_p99(count: u32, rate: f64, held: &Law) -> Option<f64> {
    let held_s = held.mean();
    let free = f64::from(count) - rate * held_s;
    if free <= 0.0 {
        return None;
    }
    let waits = erlang_c(count, rate * held_s);
    Some(if waits > 0.01 { held_s / free * (1.0 + held.scv()) / 2.0 * libm::log(waits / 0.01) } else { 0.0 })
}

/// The law of the wait for one of `count` places that are held as `held` says, under `rate` calls a second; 0 where they are
/// saturated. It is waited with probability C (Erlang), and then exponentially long.
fn wait(count: u32, rate: f64, held: &Law, arrival_scv: f64) -> Law {
    let held_s = held.mean();
    let offered = rate * held_s;
    let free = f64::from(count) - offered;
    if free <= 0.0 || offered <= 0.0 {
        return Law::always(0.0);
    }
    let waits = erlang_c(count, offered);
    let mean_s = held_s / free * (arrival_scv + held.scv()) / 2.0;
    if waits < 1e-12 || mean_s <= 0.0 {
        return Law::always(0.0);
    }
    let waited = Dist::exp(mean_s).map_or_else(|_| Law::always(mean_s), |dist| Law::of(&dist));
    Law::always(0.0).weighted(1.0 - waits).or(&waited.weighted(waits))
}

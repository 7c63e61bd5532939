//! Flows: how many calls a second come to each component, solved through the call graph.
//!
//! What arrives is told apart by component, operation and whose data it is about. The calls that each arrival brings
//! about are linear in it but for caches, coalescing and batching, whose shares depend on the flow itself; the equations
//! are iterated until nothing moves, which takes as many rounds as the deepest chain of calls where no calls go round.

use std::collections::BTreeMap;

use models::caching::hit_ratio::{self, KeyGroup};
use models::components::kind::Access;
use models::policies::coalesce::SameBy;
use models::workloads::WorkloadSettings;
use models::workloads::arrivals::TraceSettings;
use models::workloads::shape::Shape;
use sim_core::keys::GivenKeys;

use super::flow::{Arrival, Data, Flow, Flows};
use super::gates::through;
use super::graph::{Caller, Graph};
use super::times::Times;
use crate::theory;

/// Whether retries are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempts {
    /// Nothing fails.
    First,
    /// Everything fails: every call makes all attempts that its policy and, in the long run, its budget allow.
    All,
}

/// How full caches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caches {
    /// As in the long run.
    Filled,
    /// Nothing is in one of them.
    Empty(usize),
    /// Nothing is in any of them.
    AllEmpty,
}

impl Caches {
    fn is_empty(self, component: usize) -> bool {
        match self {
            Caches::Filled => false,
            Caches::Empty(one) => one == component,
            Caches::AllEmpty => true,
        }
    }
}

const ROUNDS_MAX: usize = 500;
const CLOSE: f64 = 1e-10;

/// Which factor of its shape counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The mean over the run.
    Average,
    /// The largest.
    Peak,
}

/// Requests a second that a workload sends whatever the answers do.
pub(super) fn open_rate(workload: &WorkloadSettings, duration_s: f64, moment: Moment) -> Option<f64> {
    if let Some(trace) = workload.arrivals.process.trace() {
        return traced_rate(trace, moment);
    }
    let rate = workload.arrivals.process.rate()? * workload.arrivals.batch.as_ref().map_or(1.0, |b| b.0.mean());
    let factor = workload.shape.as_ref().map_or(1.0, |settings| {
        const STEPS: u32 = 10_000;
        let shape = Shape::new(settings);
        let end = (duration_s * 1e9).max(1.0);
        match moment {
            Moment::Average => shape.integral(0.0, end) / end,
            Moment::Peak => (0..=STEPS).map(|i| shape.at(end * f64::from(i) / f64::from(STEPS))).fold(0.0, f64::max),
        }
    });
    Some(rate * factor)
}

/// Parts of a trace whose rates are compared, at most.
const PARTS_MAX: f64 = 100.0;

/// Requests a second of a trace: all of it, or its busiest part, which is at least a second long.
fn traced_rate(trace: &TraceSettings, moment: Moment) -> Option<f64> {
    let last_s = trace.requests.last()?.at as f64 / 1e9;
    let average = (last_s > 0.0).then(|| trace.requests.len() as f64 / last_s)?;
    match moment {
        Moment::Average => Some(average),
        Moment::Peak => {
            let part_s = (last_s / PARTS_MAX).max(1.0).min(last_s);
            let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
            for recorded in trace.requests.iter() {
                *counts.entry((recorded.at as f64 / 1e9 / part_s) as u64).or_insert(0) += 1;
            }
            counts.values().max().map(|most| (*most as f64 / part_s).max(average))
        }
    }
}

/// Solves the flows of requests that come at these rates, by workload.
pub(super) fn solve(graph: &Graph<'_>, rates: &[f64], attempts: Attempts) -> Flows {
    solve_with(graph, rates, attempts, Caches::Filled)
}

/// The same with caches as they are after some time, or empty.
pub(super) fn solve_with(graph: &Graph<'_>, rates: &[f64], attempts: Attempts, caches: Caches) -> Flows {
    let mut flows = Flows { links: vec![0.0; graph.links.len()], ..Flows::default() };
    let mut round = 0;
    while round < ROUNDS_MAX {
        // What calls take depends on caches and budgets only, and those are soon settled.
        let depends = flows.clone();
        let times = Times::bare(graph, &depends);
        loop {
            let next = step(graph, rates, (attempts, caches), &flows, &times);
            let moved = moved(&flows.arrivals, &next.arrivals);
            let endless = next.arrivals.values().any(|flow| flow.calls > 1e15);
            let changed = differ(graph, &depends, &next);
            flows = next;
            round += 1;
            if moved < CLOSE && round > 1 && !changed {
                flows.settled = true;
                return flows;
            }
            if endless {
                return flows;
            }
            if changed || round >= ROUNDS_MAX {
                break;
            }
        }
    }
    flows
}

/// The flows of requests at these rates where calls take so long.
pub(super) fn settle(graph: &Graph<'_>, rates: &[f64], times: &Times<'_>) -> Flows {
    let mut flows = Flows { links: vec![0.0; graph.links.len()], ..Flows::default() };
    for round in 0..ROUNDS_MAX {
        let next = step(graph, rates, (Attempts::First, Caches::Filled), &flows, times);
        let moved = moved(&flows.arrivals, &next.arrivals);
        flows = next;
        if moved < CLOSE && round > 0 {
            break;
        }
    }
    flows
}

/// Whether what calls take may be different under other flows: other misses, or another rate that feeds a budget.
fn differ(graph: &Graph<'_>, one: &Flows, other: &Flows) -> bool {
    let far = |a: f64, b: f64| (a - b).abs() > 1e-6 * a.max(b).max(1e-12);
    let misses =
        |flows: &Flows, component: &usize| flows.misses.get(component).copied().flatten().unwrap_or((1.0, 1.0));
    let misses_differ = other.misses.keys().any(|component| {
        let (one, other) = (misses(one, component), misses(other, component));
        far(one.0, other.0) || far(one.1, other.1)
    });
    let has_budget = |link: &usize| graph.links[*link].settings.retry.as_ref().is_some_and(|r| r.budget.is_some());
    let share = |flows: &Flows, link: &usize| flows.through.get(link).map_or(1.0, |through| through.share);
    let gates_differ = other.through.keys().any(|link| far(share(one, link), share(other, link)));
    misses_differ
        || gates_differ
        || (0..graph.links.len()).filter(has_budget).any(|link| far(one.links[link], other.links[link]))
}

fn moved(before: &BTreeMap<Arrival, Flow>, after: &BTreeMap<Arrival, Flow>) -> f64 {
    let change = |(arrival, flow): (&Arrival, &Flow)| {
        let was = before.get(arrival).copied().unwrap_or_default();
        (flow.calls - was.calls).abs() / flow.calls.max(was.calls).max(1e-12)
    };
    after.iter().map(change).fold(0.0, f64::max)
}

fn step(
    graph: &Graph<'_>,
    rates: &[f64],
    (attempts, caches): (Attempts, Caches),
    before: &Flows,
    times: &Times<'_>,
) -> Flows {
    let mut next = Flows { links: vec![0.0; graph.links.len()], ..Flows::default() };
    let push = |link: usize, op: &str, data: Data, flow: Flow, next: &mut Flows| {
        next.links[link] += flow.items;
        let at = &graph.links[link];
        let merged = merged(graph, link, op, data, flow, before, times);
        let each = match attempts {
            Attempts::First => times.over(link, op).attempts,
            Attempts::All => sustained_attempts(graph, link, before.links[link]),
        };
        let passed = before.through.get(&link).map_or(1.0, |through| through.share);
        let asked = next.asked.entry((link, op.to_string())).or_default();
        asked.calls += flow.items;
        asked.tried += merged.calls * each;
        asked.attempts += merged.calls * each * passed;
        for way in &at.ways {
            let arrival = next.arrivals.entry((way.component, op.to_string(), data)).or_default();
            arrival.calls += merged.calls * each * passed * way.share;
            arrival.items += merged.items * each * passed * way.share;
        }
    };
    for (nth, entry) in graph.scenario.workloads.iter().enumerate() {
        // Each result is asked for once at least.
        for asked in entry.value.asked().into_iter().chain(entry.value.polled()) {
            let rate = rates[nth] * asked.share;
            let data = Data::Chosen(nth, asked.sort.unwrap_or(usize::MAX));
            *next.requests.entry(data).or_insert(0.0) += rate;
            // The links of the workloads come first, in their order.
            push(nth, asked.op, data, Flow { calls: rate, items: rate }, &mut next);
        }
    }
    for component in 0..graph.components.len() {
        if let Some(found) = hits(graph, component, before, times) {
            next.misses.insert(component, if caches.is_empty(component) { Some((1.0, 1.0)) } else { found });
        }
    }
    for ((component, op, data), flow) in &before.arrivals {
        if graph.components[*component].directs() {
            continue;
        }
        for consumer in graph.consumers_of(*component) {
            let op = consumer.op.unwrap_or(op).to_string();
            let failed = times.answer(consumer.component, &op).failed().weight();
            let deliveries = flow.calls * consumer.share * consumer.deliveries(failed);
            let arrival = next.arrivals.entry((consumer.component, op, *data)).or_default();
            arrival.calls += deliveries;
            arrival.items += deliveries;
        }
        let items = if flow.calls > 0.0 { flow.items / flow.calls } else { 1.0 };
        for call in &times.demand(*component, op, items).calls {
            let Some(link) = graph.link_of(*component, &call.link) else { continue };
            let calls = flow.calls * call.mean;
            let data = call.key.map_or(*data, Data::Key);
            push(link, call.op.as_deref().unwrap_or(op), data, Flow { calls, items: calls }, &mut next);
        }
    }
    next.through = (0..graph.links.len())
        .filter(|link| !graph.links[*link].settings.passes().is_empty())
        .map(|link| (link, through(graph, link, next.tried(link), times.in_gates_s(link, &next))))
        .collect();
    next
}

/// Attempts that a call over a link makes in the long run while everything fails; its budget is fed by `rate` calls a
/// second.
pub(super) fn sustained_attempts(graph: &Graph<'_>, link: usize, rate: f64) -> f64 {
    let at = &graph.links[link];
    let most = f64::from(at.settings.max_sent());
    let Some(retry) = &at.settings.retry else { return most };
    if retry.when.is_empty() {
        return most / f64::from(retry.max_attempts);
    }
    match &retry.budget {
        Some(budget) if rate > 0.0 => (1.0 + budget.repeats_per_call(rate / f64::from(at.copies), 1.0)).min(most),
        Some(_) | None => most,
    }
}

/// What coalescing and batching leave of the calls over a link.
fn merged(graph: &Graph<'_>, link: usize, op: &str, data: Data, flow: Flow, before: &Flows, times: &Times<'_>) -> Flow {
    let at = &graph.links[link];
    let mut flow = flow;
    if let Some(coalesce) = &at.settings.coalesce {
        let copies = f64::from(at.copies);
        let groups = match coalesce.by {
            SameBy::Op => Some(vec![KeyGroup { keys: 1.0, rate_per_s: flow.calls }]),
            SameBy::Key => key_groups(graph, data, flow.calls),
        };
        let call_s = times.over_link(link, op);
        if let Some(groups) = groups {
            let shared = |g: &KeyGroup| g.keys * g.rate_per_s / (1.0 + g.rate_per_s / copies * call_s);
            let calls = groups.iter().map(shared).sum();
            flow = Flow { calls, items: calls };
        }
    }
    if let Some(batch) = &at.settings.batch
        && flow.items > 0.0
    {
        let each = before.links[link].max(flow.items) / f64::from(at.copies);
        let size = theory::formulas::batch_size(graph.batch_most(batch), each, batch.wait.0 as f64 / 1e9);
        flow.calls = flow.items / size;
    }
    flow
}

/// The keys of requests of one sort; all about the same where they name none.
pub(super) fn keys(graph: &Graph<'_>, data: Data) -> GivenKeys {
    match data {
        Data::Key(key) => GivenKeys::Constant { key },
        Data::Chosen(workload, sort) => {
            let workloads = graph.scenario.workloads.iter().as_slice();
            let request = workloads.get(workload).and_then(|w| w.value.requests.get(sort));
            request.and_then(|r| r.key.as_ref()).map_or(GivenKeys::Constant { key: 0 }, |chooser| chooser.0)
        }
    }
}

fn key_groups(graph: &Graph<'_>, data: Data, rate: f64) -> Option<Vec<KeyGroup>> {
    hit_ratio::groups(keys(graph, data), rate)
}

/// What a component that answers some calls by itself misses and fetches; the inner `None` where that is not known.
fn hits(graph: &Graph<'_>, component: usize, before: &Flows, times: &Times<'_>) -> Option<Option<(f64, f64)>> {
    let settings = graph.components[component];
    if !settings.needs_keys() {
        // Who answers a share whatever it is asked about.
        return settings.hits(&[], 0.0).map(|hits| Some((1.0 - hits.ratio, hits.fetches)));
    }
    // Entries are told apart by operation and key. Requests that choose alike share their entries.
    let mut entries: Vec<(&str, GivenKeys, f64)> = Vec::new();
    let mut fetch = (0.0, 0.0);
    for ((at, op, data), flow) in before.arrivals.iter().filter(|((at, _, _), _)| *at == component) {
        match settings.access(op) {
            Access::Read => {}
            // How often what they make it forget would have been read is not known.
            Access::Write => return Some(None),
            Access::Pass => continue,
        }
        let keys = keys(graph, *data);
        let fetch_s: f64 = graph
            .links
            .iter()
            .enumerate()
            .filter(|(_, link)| link.caller == Caller::Component(*at))
            .map(|(link, _)| times.over_link(link, op))
            .sum();
        fetch = (fetch.0 + flow.calls * fetch_s, fetch.1 + flow.calls);
        match entries.iter_mut().find(|(of, _, _)| of == op) {
            Some((_, same, rate)) if *same == keys => *rate += flow.calls,
            Some(_) => return Some(None),
            None => entries.push((op, keys, flow.calls)),
        }
    }
    let groups: Option<Vec<Vec<KeyGroup>>> =
        entries.iter().map(|(_, keys, rate)| hit_ratio::groups(*keys, *rate)).collect();
    let fetch_s = if fetch.1 > 0.0 { fetch.0 / fetch.1 } else { 0.0 };
    let hits = groups.and_then(|groups| settings.hits(&groups.concat(), fetch_s));
    Some(hits.map(|hits| (1.0 - hits.ratio, hits.fetches)))
}

/// Calls that one request of a workload brings about at each component at most, all layers trying as often as they may;
/// `None` where there is no bound. A request is of one sort: of several the worst counts, component by component. With
/// `once` every call is made once only, and of several ways to a component the worst counts: what remains is the product
/// of the attempts over the layers.
pub(super) fn most_calls(graph: &Graph<'_>, workload: usize, once: bool) -> Option<Vec<f64>> {
    let entry = graph.scenario.workloads.iter().as_slice().get(workload)?;
    let mut most = vec![0.0_f64; graph.components.len()];
    for asked in entry.value.asked() {
        let counts = most_calls_of(graph, workload, asked.op, once)?;
        most.iter_mut().zip(counts).for_each(|(most, count)| *most = most.max(count));
    }
    Some(most)
}

fn most_calls_of(graph: &Graph<'_>, workload: usize, op: &str, once: bool) -> Option<Vec<f64>> {
    let join = |sum: &mut f64, times: f64| *sum = if once { sum.max(times) } else { *sum + times };
    let depth_max = 4 * (graph.components.len() + 1) * (graph.directory.ops.len() + 1);
    let reach = |link: usize, op: &str, times: f64, into: &mut BTreeMap<(usize, String), f64>| {
        let at = &graph.links[link];
        let attempts = f64::from(at.settings.max_sent());
        for way in at.ways.iter().filter(|way| way.share > 0.0) {
            join(into.entry((way.component, op.to_string())).or_insert(0.0), times * attempts);
        }
    };
    let mut by_component = vec![0.0; graph.components.len()];
    let mut wave: BTreeMap<(usize, String), f64> = BTreeMap::new();
    reach(workload, op, 1.0, &mut wave);
    for _ in 0..depth_max {
        if wave.is_empty() {
            return Some(by_component);
        }
        let mut next = BTreeMap::new();
        for ((component, op), times) in &wave {
            join(&mut by_component[*component], *times);
            if graph.components[*component].directs() {
                continue;
            }
            for consumer in graph.consumers_of(*component) {
                let op = consumer.op.unwrap_or(op).to_string();
                join(next.entry((consumer.component, op)).or_insert(0.0), *times);
            }
            for call in graph.demand(*component, op).calls {
                let Some(link) = graph.link_of(*component, &call.link) else { continue };
                let made = if once { 1.0 } else { call.most };
                reach(link, call.op.as_deref().unwrap_or(op), times * made, &mut next);
            }
        }
        wave = next;
    }
    None
}

//! Queues: what their consumers can process, and the backlog that the given load builds up over the run.
//!
//! A backlog is a fluid: it grows by what is published beyond what the consumers can process and drains by what they have left,
//! never below nothing. For constant rates that is exact; at random arrivals it is the mean, as long as there is a backlog.

use models::workloads::shape::Shape;
use serde::Serialize;

use super::flows::{Attempts, solve};
use super::graph::{Caller, Graph};
use super::limits::Load;
use super::times::Times;

/// What is known of a queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Queue {
    /// Messages published a second, on average over the run.
    pub published_per_s: f64,
    /// Messages a second that its consumers can process while the rest of the load stays as it is.
    pub consumed_per_s: f64,
    /// What limits that.
    pub consumed_by: String,
    /// The largest backlog that the given load builds up, in messages.
    pub backlog_max: f64,
    /// When that is, s after the warm-up.
    pub backlog_max_at_s: f64,
    /// The first instant after that at which it is drained, s; `None` where it is not by the end of the run.
    pub drained_at_s: Option<f64>,
    /// The backlog at the end of the run, in messages.
    pub backlog_end: f64,
    /// Who consumes from it.
    pub consumers: Vec<Consumer>,
}

/// A service that consumes from a queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// Messages, or batches of them, that it processes at once, in all replicas.
    pub at_once: f64,
    /// Messages of a receive, at most.
    pub batch: u32,
    /// How long processing takes, with all messages of a full receive and the way to the queue and back: the mean, s …
    pub takes_s: f64,
    /// … and the 99th percentile, s.
    pub takes_p99_s: f64,
    /// After how long a message that is not acknowledged becomes visible again, s.
    pub visibility_s: Option<f64>,
    /// For how long a receive waits for a message, s.
    pub wait_s: Option<f64>,
    /// Share of the receives that take longer than that.
    pub outlasts_visibility: f64,
}

/// Steps in which a backlog is followed.
const STEPS: u32 = 100_000;
/// Less than a message is none.
const NOTHING: f64 = 0.5;

/// The queues of a scenario that something consumes from, under these rates of the workloads.
pub(super) fn queues(graph: &Graph<'_>, load: &Load<'_>, rates: &[f64], duration_s: f64) -> Vec<(String, Queue)> {
    if !load.has_rates || duration_s <= 0.0 {
        return Vec::new();
    }
    let consumed = (0..graph.components.len()).filter(|queue| graph.consumers_of(*queue).next().is_some());
    let known =
        |queue: usize| Some((graph.name(queue).to_string(), of_queue(graph, load, rates, (queue, duration_s))?));
    consumed.filter_map(known).collect()
}

fn of_queue(graph: &Graph<'_>, load: &Load<'_>, rates: &[f64], (queue, duration_s): (usize, f64)) -> Option<Queue> {
    let published_per_s = Times::rate(queue, load.fresh);
    if published_per_s <= 0.0 {
        return None;
    }
    let (consumed_per_s, consumed_by) = capacity(graph, load, rates, queue)?;
    let sources = sources(graph, rates, queue);
    let (mut backlog, mut most, mut most_at_s, mut drained_at_s) = (0.0_f64, 0.0_f64, 0.0, None);
    let step_s = duration_s / f64::from(STEPS);
    for step in 0..STEPS {
        let from_s = f64::from(step) * step_s;
        let arrivals: f64 = sources.iter().map(|source| source.arrivals(from_s, from_s + step_s)).sum();
        backlog = (backlog + arrivals - consumed_per_s * step_s).max(0.0);
        if backlog > most {
            (most, most_at_s, drained_at_s) = (backlog, from_s + step_s, None);
        } else if backlog < NOTHING && drained_at_s.is_none() {
            drained_at_s = Some(from_s + step_s);
        }
    }
    let is_any = most >= NOTHING;
    Some(Queue {
        published_per_s,
        consumed_per_s,
        consumed_by,
        backlog_max: if is_any { most } else { 0.0 },
        backlog_max_at_s: if is_any { most_at_s } else { 0.0 },
        drained_at_s: drained_at_s.filter(|_| is_any),
        backlog_end: if backlog < NOTHING { 0.0 } else { backlog },
        consumers: consumers(graph, load, queue),
    })
}

/// What a workload publishes over time.
struct Source {
    /// Messages a second while the shape is 1.
    rate: f64,
    shape: Option<Shape>,
}

impl Source {
    /// Messages between two instants, s.
    fn arrivals(&self, from_s: f64, to_s: f64) -> f64 {
        let amount = self.shape.as_ref().map_or(to_s - from_s, |shape| shape.integral(from_s * 1e9, to_s * 1e9) / 1e9);
        self.rate * amount
    }
}

fn sources(graph: &Graph<'_>, rates: &[f64], queue: usize) -> Vec<Source> {
    let mut sources = Vec::new();
    for (nth, entry) in graph.scenario.workloads.iter().enumerate().filter(|(nth, _)| rates[*nth] > 0.0) {
        let mut alone = vec![0.0; rates.len()];
        alone[nth] = rates[nth];
        let published = Times::rate(queue, &solve(graph, &alone, Attempts::First));
        let shape = entry.value.shape.as_ref().map(Shape::new);
        let arrivals = &entry.value.arrivals;
        let each = arrivals.batch.as_ref().map_or(1.0, |batch| batch.0.mean());
        // The average is that of the shape over the run; this is what the shape multiplies.
        let plain = arrivals.process.rate().filter(|_| shape.is_some()).map(|rate| rate * each);
        let rate = plain.map_or(published, |plain| published / rates[nth] * plain);
        sources.push(Source { rate, shape });
    }
    sources
}

/// Messages a second that the consumers of a queue can process, with what limits them.
fn capacity(graph: &Graph<'_>, load: &Load<'_>, rates: &[f64], queue: usize) -> Option<(f64, String)> {
    let published = Times::rate(queue, load.fresh);
    let silent = graph.without_consumers_of(queue);
    let flows = solve(&silent, rates, Attempts::First);
    let bare = Times::bare(&silent, &flows);
    let without = Load::alone(&silent, &flows, &bare);
    let behind = behind(graph, queue);
    let limits = |load: &Load<'_>| -> Vec<(String, f64)> {
        let of_components = behind.iter().flat_map(|component| {
            let limits = load.of_component(*component).into_iter();
            limits.map(|limit| (format!("the {} of {}", limit.what, graph.name(*component)), limit.unwaited))
        });
        let links = (0..graph.links.len()).filter(|link| match graph.links[*link].caller {
            Caller::Component(caller) => behind.contains(&caller),
            Caller::Workload(_) => false,
        });
        let of_pools = links.filter_map(|link| {
            let (at, limit) = (&graph.links[link], load.of_pool(link)?);
            Some((format!("the pool of {}.{}", at.from, at.name), limit.unwaited))
        });
        let hosts = load.of_hosts().into_iter();
        let of_hosts = hosts.map(|(name, limit)| (format!("the {} of {name}", limit.what), limit.unwaited));
        of_components.chain(of_pools).chain(of_hosts).collect()
    };
    let slots = load.of_consumers(queue)?;
    let mut found = (published / slots.unwaited.max(1e-12), format!("its {}", slots.what));
    for ((what, with), (_, base)) in limits(load).into_iter().zip(limits(&without)) {
        let own = with - base;
        if own > 1e-9 {
            let most = published * (1.0 - base).max(0.0) / own;
            // Workers say more than the messages that hold them.
            if most <= found.0 * (1.0 + 1e-6) {
                found = (most, what);
            }
        }
    }
    Some(found)
}

/// The consumers of a queue and everything that they call, however far behind.
fn behind(graph: &Graph<'_>, queue: usize) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut open: Vec<usize> = graph.consumers_of(queue).map(|consumer| consumer.component).collect();
    while let Some(component) = open.pop() {
        if found.contains(&component) {
            continue;
        }
        found.push(component);
        let links = graph.links.iter().filter(|link| link.caller == Caller::Component(component));
        open.extend(links.flat_map(|link| link.ways.iter().map(|way| way.component)));
        open.extend(graph.consumers_of(component).map(|consumer| consumer.component));
    }
    found.sort_unstable();
    found
}

fn consumers(graph: &Graph<'_>, load: &Load<'_>, queue: usize) -> Vec<Consumer> {
    let known = |consumer: &super::graph::ConsumerAt<'_>| {
        let takes = takes(load, queue, consumer);
        let visibility_s = consumer.manner.visibility.map(|span| span as f64 / 1e9);
        let extends = consumer.settings.extend_visibility == Some(true);
        let polls = consumer.manner.visibility.is_some();
        Consumer {
            name: graph.name(consumer.component).to_string(),
            at_once: consumer.at_once,
            batch: consumer.settings.batch(),
            takes_s: takes.mean(),
            takes_p99_s: takes.quantile(0.99),
            visibility_s,
            wait_s: polls.then(|| consumer.settings.wait() as f64 / 1e9),
            outlasts_visibility: visibility_s
                .filter(|_| !extends)
                .map_or(0.0, |visibility_s| takes.beyond(visibility_s)),
        }
    };
    graph.consumers_of(queue).map(known).collect()
}

/// How long the messages of a full receive take from when they are handed out until they are acknowledged.
fn takes(load: &Load<'_>, queue: usize, consumer: &super::graph::ConsumerAt<'_>) -> models::law::Law {
    use models::law::Law;
    let arrivals = load.fresh.arrivals.iter().filter(|((at, _, _), flow)| *at == queue && flow.calls > 0.0);
    let rate = Times::rate(queue, load.fresh);
    let one = arrivals.fold(Law::never(), |all, ((_, op, _), flow)| {
        let answer = load.bare.answer(consumer.component, consumer.op.unwrap_or(op));
        all.or(&answer.all().weighted(flow.calls / rate))
    });
    one.times(u64::from(consumer.settings.batch())).then(&Law::always(consumer.between_s))
}

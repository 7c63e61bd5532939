//! Queues and pools: what grows without a bound, what is served too late, what is larger than what it shares.

use models::demand::Waiting;
use settings::Path;

use super::super::graph::{Caller, Graph};
use super::super::limits::grouped;
use super::super::times::Times;
use super::{Finder, mend, time};

/// Calls that can be in a component at the same time, served and waiting; `None` where nothing bounds it.
fn most_at_once(graph: &Graph<'_>, component: usize, stack: &mut Vec<usize>) -> Option<f64> {
    if stack.contains(&component) {
        return None;
    }
    stack.push(component);
    let mut sum = Some(0.0);
    for link in graph.links.iter().filter(|link| link.ways.iter().any(|way| way.component == component)) {
        let bound = at_once_over(graph, link, stack);
        sum = sum.zip(bound).map(|(sum, bound)| sum + bound);
    }
    stack.pop();
    sum
}

/// Calls under way over a link, those whose caller has given up included.
fn at_once_over(graph: &Graph<'_>, link: &super::super::graph::LinkAt<'_>, stack: &mut Vec<usize>) -> Option<f64> {
    use models::link::Propagated;
    let gives_up = link.settings.timeout.is_some() || link.settings.total_timeout.is_some();
    let forgets = gives_up && !link.settings.propagate.contains(&Propagated::Cancel);
    let attempts = f64::from(link.settings.max_attempts());
    match link.caller {
        Caller::Workload(nth) => {
            let workload = &graph.scenario.workloads.iter().as_slice()[nth].value;
            let process = &workload.arrivals.process;
            let finite = process.total().filter(|_| process.trace().is_none());
            let at_most = finite.map(|requests| requests as f64 * attempts);
            // Users who give up leave work behind and come back with more.
            at_most.or_else(|| process.users().filter(|_| !forgets).map(|users| users as f64))
        }
        Caller::Component(_) if forgets => {
            // Work that was abandoned piles up, unless what calls is finite.
            is_finite(graph).then_some(f64::MAX)
        }
        Caller::Component(caller) => {
            let limits = graph.components[caller].limits();
            let calls =
                graph.components[caller].asks().iter().filter(|ask| ask.link == link.name).count().max(1) as f64;
            let copies = f64::from(link.copies);
            let streams = link.settings.pool.as_ref().map_or(1.0, |pool| f64::from(pool.streams));
            let pool = graph.connections_of(link).map(|connections| connections as f64 * streams);
            if graph.is_only_sent(link) {
                return pool;
            }
            let workers = limits.workers.filter(|_| !limits.frees_while_waiting);
            let workers = workers.map(|(_, count)| f64::from(count) * copies * calls);
            let callers = || most_at_once(graph, caller, stack).map(|most| most * calls);
            pool.into_iter().chain(workers).reduce(f64::min).or_else(callers)
        }
    }
}

/// Whether only a finite number of requests is ever sent.
pub(super) fn is_finite(graph: &Graph<'_>) -> bool {
    graph.scenario.workloads.iter().all(|entry| {
        let process = &entry.value.arrivals.process;
        // What was recorded is a part of what goes on.
        process.total().is_some() && process.trace().is_none()
    })
}

/// A queue that nothing bounds.
pub(super) fn unbounded(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for component in 0..graph.components.len() {
        let limits = graph.components[component].limits();
        if let Some(manner) = graph.components[component].hands_out() {
            let is_unbounded = limits.waiting == Waiting::Unbounded && manner.can_be_bounded;
            if is_unbounded && graph.links_to(component).next().is_some() && !is_finite(graph) {
                let (name, path) = (graph.name(component), finder.component_path(component));
                let message = format!(
                    "{name} has no `capacity`: while producers outpace consumers its backlog grows without bound"
                );
                let change = mend(&path.join("capacity"), "10k");
                finder.warn_mended(
                    "unbounded_queue",
                    &path,
                    message,
                    "reject messages that would wait too long",
                    change,
                );
            }
            continue;
        }
        let (Waiting::Unbounded, Some((noun, workers))) = (limits.waiting, limits.workers) else { continue };
        if graph.links_to(component).next().is_none() || most_at_once(graph, component, &mut Vec::new()).is_some() {
            continue;
        }
        let name = graph.name(component);
        let path = finder.component_path(component);
        // What is served within half of the callers' patience; as many as are at work where they have no end of it.
        let are_alike = graph.components[component].entrance().is_none();
        let patience = finder.ways.patience_with(graph, component).filter(|_| are_alike);
        let served_in = patience.and_then(|(patience_s, _)| {
            let served = served_per_s(finder, component)? / graph.replicas(component) * patience_s / 2.0;
            Some((served - f64::from(workers)).max(served / 2.0).floor().max(1.0))
        });
        let places = served_in.unwrap_or(f64::from(workers));
        let (places, end) = match limits.memory_for {
            // Calls at work need memory as well.
            Some(calls) => (
                places.min((calls - f64::from(workers)).floor().max(1.0)),
                format!("until the memory of {name} is used up, which lasts for {} calls", grouped(calls)),
            ),
            None => (places, "and calls in it are answered late or too late".to_string()),
        };
        let message = format!(
            "the queue for the {} {noun} of {name} is unbounded: under overload it keeps growing, {end}",
            grouped(f64::from(workers) * graph.replicas(component)),
        );
        let change = mend(&path.join("admission").join("queue").join("max"), format!("{}", places.min(1e6)));
        finder.warn_mended("unbounded_queue", &path, message, "reject at once what would be served too late", change);
    }
}

/// Calls a second that a component serves while everything behind it is as busy as it can be.
fn served_per_s(finder: &Finder<'_, '_>, component: usize) -> Option<f64> {
    let graph = finder.graph;
    let mut busiest: f64 = 0.0;
    let (mut open, mut seen) = (vec![component], Vec::new());
    while let Some(at) = open.pop() {
        if seen.contains(&at) {
            continue;
        }
        seen.push(at);
        let known = finder.explained.components.get(graph.name(at))?;
        busiest = known.limits.iter().map(|limit| limit.unwaited).fold(busiest, f64::max);
        for (link, known) in graph.links.iter().zip(&finder.explained.links) {
            // What is only sent may wait as long as it likes.
            if link.caller == Caller::Component(at) && !graph.is_only_sent(link) {
                busiest = known.pool.iter().map(|pool| pool.unwaited).fold(busiest, f64::max);
                open.extend(link.ways.iter().map(|way| way.component));
            }
        }
    }
    let rate = Times::rate(component, finder.load.fresh);
    (busiest > 0.0).then(|| rate / busiest)
}

/// A queue in which a call waits longer than its caller does.
pub(super) fn outlives_callers(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for component in 0..graph.components.len() {
        let limits = graph.components[component].limits();
        let Waiting::UpTo(places) = limits.waiting else { continue };
        // Nobody waits for messages to be processed; and nodes that are not asked alike are not full alike.
        if graph.components[component].hands_out().is_some() || graph.components[component].entrance().is_some() {
            continue;
        }
        let (Some((patience_s, by)), Some(served)) =
            (finder.ways.patience_with(graph, component), served_per_s(finder, component))
        else {
            continue;
        };
        let workers = limits.workers.map_or(0, |(_, count)| count);
        let full_s = f64::from(places + workers) * graph.replicas(component) / served;
        // Who gives up before an answer can be there has another trouble.
        let usual_s = finder.explained.components.get(graph.name(component)).map_or(0.0, |known| known.latency_s);
        if places == 0 || full_s < patience_s || patience_s <= usual_s {
            continue;
        }
        let name = graph.name(component);
        let path = finder.component_path(component).join("admission").join("queue").join("max");
        let message = format!(
            "the last call in a full queue of {name} waits {}, but {}.{} gives up after {}: its work is wasted",
            time(full_s),
            graph.links[by].from,
            graph.links[by].name,
            time(patience_s)
        );
        let served_in = served / graph.replicas(component) * patience_s / 2.0;
        let fewer = (served_in - f64::from(workers)).max(0.0).floor();
        let change = mend(&path, format!("{fewer}"));
        finder.warn_mended(
            "queue_outlives_callers",
            &path,
            message,
            "keep the queue shorter than its callers wait",
            change,
        );
    }
}

/// Something that stops an event loop, or a worker of many tasks, for everybody.
pub(super) fn blocked_loops(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for component in 0..graph.components.len() {
        let limits = graph.components[component].limits();
        if !limits.frees_while_waiting {
            continue;
        }
        let Some(blocks_s) = finder.per_call(component, |demand| demand.blocks_s) else { continue };
        let name = graph.name(component);
        let path = finder.component_path(component).join("handlers");
        let one = limits.workers.map_or("worker", |(noun, _)| noun.trim_end_matches('s'));
        let message = format!(
            "a call blocks a {one} of {name} for {} on average; nothing else on that {one} runs meanwhile",
            time(blocks_s)
        );
        finder.warn("blocked_loop", &path, message, "use `wait` for work that need not block".into());
    }
}

/// Pools that are larger than what they share.
pub(super) fn pools(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for component in 0..graph.components.len() {
        let limits = graph.components[component].limits();
        let (true, Some((_, workers))) = (limits.is_connections, limits.workers) else { continue };
        if graph.components[component].entrance().is_some() {
            continue;
        }
        let there = u64::from(workers) * graph.replicas(component) as u64;
        let pools: Vec<_> = graph.links_to(component).filter(|link| link.settings.pool.is_some()).collect();
        let size = |link: &super::super::graph::LinkAt<'_>| {
            let streams = link.settings.pool.as_ref().map_or(1, |pool| u64::from(pool.streams));
            graph.connections_of(link).unwrap_or(0) * streams
        };
        let all: u64 = pools.iter().map(|link| size(link)).sum();
        let Some(largest) = pools.iter().max_by_key(|link| size(link)) else { continue };
        if all <= there {
            continue;
        }
        let name = graph.name(component);
        let path: Path = largest.path.join("pool").join("size");
        let one = largest.settings.pool.as_ref().map_or(0, |pool| pool.size);
        let message = format!(
            "the pools of the callers of {name} open {} connections ({} × {one} by {}), but it serves {}: the rest wait in \
             {name}, beyond the reach of `acquire_timeout`",
            grouped(all as f64),
            largest.copies,
            largest.from,
            grouped(there as f64),
        );
        let fewer = (u64::from(one) * there / all).max(1);
        finder.warn_mended(
            "pool_too_large",
            &path,
            message,
            "divide the connections among the callers",
            mend(&path, fewer.to_string()),
        );
    }
}

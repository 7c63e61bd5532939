//! Timeouts: those that are missing, that go off in the wrong order, that are too short, or that say nothing.

use models::link::Propagated;

use super::super::graph::Caller;
use super::{Finder, NO_TIMEOUT, mend, nice, percent, time};

/// A link over which a caller waits for ever.
pub(super) fn missing(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    if super::queues::is_finite(graph) {
        return;
    }
    let held_back = graph.held_back();
    for (nth, link) in graph.links.iter().enumerate() {
        let bounded = link.settings.timeout.is_some() || link.settings.total_timeout.is_some();
        // Who only passes calls on waits no longer than his own caller does.
        let passes_on = matches!(link.caller, Caller::Component(c) if graph.passes_on(c));
        let holds_back = link.ways.iter().any(|way| held_back[way.component]);
        if bounded || passes_on || holds_back || finder.load.fresh.links[nth] <= 0.0 {
            continue;
        }
        let usual_s = finder.load.endless(nth).mean();
        let outer = match link.caller {
            Caller::Component(_) => finder.ways.patience_behind(graph, nth).map(|(patience_s, _)| patience_s),
            Caller::Workload(_) => None,
        };
        let attempts = f64::from(link.settings.max_attempts());
        let timeout_s = outer.map_or(f64::INFINITY, |outer_s| outer_s * 0.8 / attempts).min(10.0 * usual_s);
        let timeout_s = timeout_s.max(2.0 * usual_s).max(0.001);
        let holds = match link.caller {
            Caller::Component(_) if graph.is_only_sent(link) => "and they pile up".to_string(),
            Caller::Component(component) => {
                let limits = graph.components[component].limits();
                limits.workers.filter(|_| !limits.frees_while_waiting).map_or_else(
                    || "and so do its callers".to_string(),
                    |(noun, count)| format!("and each holds one of the {count} {noun} of {}", link.from),
                )
            }
            Caller::Workload(_) => "and nobody gives up".to_string(),
        };
        let whom: Vec<&str> = link.settings.to.iter().map(|target| target.to.as_str()).collect();
        let message = format!(
            "{}.{} has no timeout: if {} hangs, calls wait forever, {holds}",
            link.from,
            link.name,
            whom.join(" or "),
        );
        let change = mend(&link.path.join("timeout"), nice(timeout_s));
        finder.warn_mended(NO_TIMEOUT, &link.path, message, "set a timeout", change);
    }
}

/// A caller who gives up before those behind him do: they go on for nobody.
pub(super) fn inversion(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for (nth, link) in graph.links.iter().enumerate() {
        // Who tells those behind how long he waits needs no timers in order.
        if link.settings.propagate.contains(&Propagated::Deadline) {
            continue;
        }
        let own = [link.settings.timeout, link.settings.total_timeout];
        let Some(own) = own.iter().flatten().map(|d| d.0 as f64 / 1e9).reduce(f64::min) else { continue };
        let Some((inner_s, at)) = finder.ways.lasts_behind(graph, nth) else { continue };
        if own >= inner_s * (1.0 - 1e-9) {
            continue;
        }
        let inner = &graph.links[at];
        let tries = match inner.settings.max_attempts() {
            1 => String::new(),
            n => format!(" in its {n} attempts"),
        };
        let message = format!(
            "{}.{} gives up after {}, but {}.{} behind it goes on for up to {}{tries}: wasted work",
            link.from,
            link.name,
            time(own),
            inner.from,
            inner.name,
            time(inner_s)
        );
        let key = if link.settings.timeout.is_some() { "timeout" } else { "total_timeout" };
        let bound = match (inner.settings.timeout, inner.settings.max_attempts()) {
            (Some(_), 1) => "timeout",
            _ => "total_timeout",
        };
        let change = mend(&inner.path.join(bound), nice(own * 0.9));
        finder.warn_mended("timer_inversion", &link.path.join(key), message, "shorten the timeout behind it", change);
    }
}

/// Where more of the calls than this end in it, a timeout is too short; it is there for those that take unusually long.
const TOO_LATE: f64 = 0.2;

/// A timeout that goes off before what it waits for can be done.
pub(super) fn too_short(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for (nth, link) in graph.links.iter().enumerate() {
        let Some(timeout) = link.settings.timeout.or(link.settings.total_timeout) else { continue };
        if finder.load.fresh.links[nth] <= 0.0 {
            continue;
        }
        let takes = finder.load.endless(nth);
        let own_s = timeout.0 as f64 / 1e9;
        let late = takes.beyond(own_s * (1.0 - 1e-9));
        if late < TOO_LATE {
            continue;
        }
        let key = if link.settings.timeout.is_some() { "timeout" } else { "total_timeout" };
        let path = link.path.join(key);
        let message = format!(
            "{}.{} gives up after {}, but {} of its calls take at least that long even without queueing",
            link.from,
            link.name,
            time(own_s),
            percent(late)
        );
        let change = mend(&path, nice(takes.quantile(0.99) * 1.2));
        finder.warn_mended_with_room("timeout_too_short", &path, message, "allow for the time an answer takes", change);
    }
    for (nth, entry) in graph.scenario.workloads.iter().enumerate() {
        let Some(deadline) = entry.value.deadline else { continue };
        let own_s = deadline.0 as f64 / 1e9;
        let takes = finder.load.request(nth);
        let late = takes.beyond(own_s);
        if late < TOO_LATE {
            continue;
        }
        let path = settings::Path::of(&["workloads", graph.links[nth].from, "deadline"]);
        let message = format!(
            "the deadline is {}, but {} of the requests take longer even without queueing",
            time(own_s),
            percent(late)
        );
        let change = mend(&path, nice(takes.quantile(0.99) * 1.2));
        finder.warn_mended_with_room(
            "deadline_too_short",
            &path,
            message,
            "allow for the time a request takes",
            change,
        );
    }
}

/// A timeout inside another that always goes off first.
pub(super) fn pointless(finder: &mut Finder<'_, '_>) {
    for link in &finder.graph.links {
        let (Some(total), Some(timeout)) = (link.settings.total_timeout, link.settings.timeout) else { continue };
        if total.0 > timeout.0 {
            continue;
        }
        let path = link.path.join("timeout");
        let retries = if link.settings.max_attempts() > 1 { ", and a timed-out attempt is never retried" } else { "" };
        let message = format!(
            "`timeout` has no effect: `total_timeout` ends everything after {}{retries}",
            time(total.0 as f64 / 1e9)
        );
        let attempts = f64::from(link.settings.max_attempts());
        let change = mend(&path, nice(total.0 as f64 / 1e9 / attempts.max(1.0) * 0.8));
        finder.warn_mended("pointless_timeout", &path, message, "make it shorter than `total_timeout`", change);
    }
}

/// A wait for a connection that outlasts whoever it is for.
pub(super) fn acquire(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for (nth, link) in graph.links.iter().enumerate() {
        let Some(pool) = &link.settings.pool else { continue };
        let acquire_s = pool.acquire_timeout.0 as f64 / 1e9;
        let own = link.settings.total_timeout.map(|total| (total.0 as f64 / 1e9, link));
        let outer = match link.caller {
            Caller::Component(_) => finder.ways.patience_behind(graph, nth).map(|(s, at)| (s, &graph.links[at])),
            Caller::Workload(_) => None,
        };
        // The link's own total ends the wait, so only who is further out can have gone.
        if own.is_some_and(|(own_s, _)| outer.is_none_or(|(outer_s, _)| own_s <= outer_s)) {
            continue;
        }
        let Some((outer_s, by)) = outer.filter(|(outer_s, _)| *outer_s < acquire_s) else { continue };
        let path = link.path.join("pool").join("acquire_timeout");
        let message = format!(
            "a call waits up to {} for a connection, but {}.{} gives up after {}: abandoned calls wait for connections",
            time(acquire_s),
            by.from,
            by.name,
            time(outer_s)
        );
        let change = mend(&path, nice(outer_s / 2.0));
        finder.warn_mended("acquire_outlives_callers", &path, message, "wait no longer than the caller", change);
    }
}

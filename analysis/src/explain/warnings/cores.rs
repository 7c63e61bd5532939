//! Warnings about how code comes to run: quotas, pinned carriers, code that lets nothing else run.

use super::super::limits::{grouped, plain};
use super::{Finder, percent, time};

/// From this share of its quota on, bursts are likely to spend it before a period is over.
const QUOTA_IN_USE: f64 = 0.25;

/// From this length on a piece of code that lets nothing else run is as bad as a slow dependency.
const LONG_CODE_S: f64 = 0.05;

/// A period of a quota, s.
const PERIOD_S: f64 = 0.1;

/// A quota that the threads of a service spend long before its period is over.
pub(super) fn quotas(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for component in 0..graph.components.len() {
        let limits = graph.components[component].limits();
        let (Some(quota), Some(hosts)) = (limits.quota, graph.components[component].hosts()) else { continue };
        let Some(host) = graph.scenario.hosts.get(hosts.on.as_str()) else { continue };
        let workers = limits.workers.map_or(f64::INFINITY, |(_, workers)| f64::from(workers));
        let at_once = workers.min(host.cores.0).min(if limits.has_interpreter { 1.0 } else { f64::INFINITY });
        let used = finder.load.bare.work(component, finder.load.fresh, |d| d.cpu_s);
        let share = used / (quota * graph.replicas(component));
        // Beyond that it is overloaded, which another rule says.
        if at_once <= quota || !(QUOTA_IN_USE..1.0).contains(&share) {
            continue;
        }
        let name = graph.name(component);
        let path = finder.component_path(component).join("cpu").join("limit");
        let message = format!(
            "up to {} tasks of {name} run at once and use up the quota of {} in {} of each 100 ms; {name} is then \
             throttled until the next period, although the load uses only {} of the quota",
            plain(at_once),
            if quota == 1.0 { "1 core".to_string() } else { format!("{} cores", plain(quota)) },
            time(PERIOD_S * quota / at_once),
            percent(share),
        );
        let help = "run no more tasks at once than the quota has cores, or raise or remove the limit".to_string();
        finder.warn("quota_below_threads", &path, message, help);
    }
}

/// Tasks that keep their carriers while they wait under a lock.
pub(super) fn pinned(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for component in 0..graph.components.len() {
        let limits = graph.components[component].limits();
        let (true, Some((noun, workers))) = (limits.pinned_by_locks, limits.workers) else { continue };
        let Some(waits_s) = finder.per_call(component, |demand| demand.waits_under_locks_s) else { continue };
        let name = graph.name(component);
        let path = finder.component_path(component).join("handlers");
        let message = format!(
            "a call waits under a lock for {} on average and pins its carrier; once {} calls do, {name} runs nothing else",
            time(waits_s),
            grouped(f64::from(workers)),
        );
        let help = format!(
            "wait outside the lock, or use locks that do not pin the {noun} (`pinned_by_locks: false`, JDK 24)"
        );
        finder.warn("pinned_carrier", &path, message, help);
    }
}

/// Code that lets nothing else run on its loop or worker for long.
pub(super) fn long_code(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for component in 0..graph.components.len() {
        let limits = graph.components[component].limits();
        let (true, Some((noun, workers))) = (limits.runs_code_to_its_end, limits.workers) else { continue };
        let ops = finder.load.ops_of(component);
        // Where there are more workers than operations of this sort, the others go on.
        let longest = ops.iter().map(|op| (finder.load.bare.demand(component, op, 1.0).piece_s, op));
        let Some((piece_s, op)) = longest.max_by(|a, b| a.0.total_cmp(&b.0)) else { continue };
        if piece_s < LONG_CODE_S || ops.len() < 2 {
            continue;
        }
        let (name, one) = (graph.name(component), noun.trim_end_matches('s'));
        let path = finder.component_path(component).join("handlers");
        let which = if workers == 1 { format!("the only {one}") } else { format!("one of the {workers} {noun}") };
        let message = format!(
            "`{op}` runs on {which} of {name} for {} without yielding, and all other calls on that {one} wait",
            time(piece_s),
        );
        let help = "move it off the loop (`offload`), split it with `wait: 0s` between the pieces, or give it a service of its own";
        finder.warn("long_code", &path, message, help.into());
    }
}

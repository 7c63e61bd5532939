//! Parts that nothing calls and settings without effect.

use settings::Path;
use settings::values::Scalar;

use super::super::graph::Caller;
use super::{Finder, mend};

/// A component that no request can reach.
pub(super) fn components(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    let mut reached = vec![false; graph.components.len()];
    let mut open: Vec<Caller> = (0..graph.scenario.workloads.len()).map(Caller::Workload).collect();
    while let Some(caller) = open.pop() {
        let calls = |link: &&super::super::graph::LinkAt<'_>| match caller {
            Caller::Workload(_) => true,
            Caller::Component(component) => graph.components[component].asks().iter().any(|ask| ask.link == link.name),
        };
        let links = graph.links.iter().filter(|link| link.caller == caller).filter(calls);
        let called = links.flat_map(|link| &link.ways).map(|way| way.component);
        let consumers = graph.consumers.iter().filter(|consumer| caller == Caller::Component(consumer.queue));
        // What fails for good goes on without a call.
        let dead = match caller {
            Caller::Component(component) => graph.directory.components[component].dead_letter,
            Caller::Workload(_) => None,
        };
        for component in called.chain(consumers.map(|consumer| consumer.component)).chain(dead) {
            if !std::mem::replace(&mut reached[component], true) {
                open.push(Caller::Component(component));
            }
        }
    }
    for component in (0..graph.components.len()).filter(|component| !reached[*component]) {
        let path = finder.component_path(component);
        let message = format!("nothing calls {}: no request of any workload reaches it", graph.name(component));
        if graph.name(component).contains('/') {
            finder.warn("never_called", &path, message, "call it, or leave it out of the template".into());
        } else if graph.links_to(component).next().is_some() {
            finder.warn("never_called", &path, message, "use the links that lead to it, or remove it and them".into());
        } else {
            finder.warn_mended("never_called", &path, message, "call it, or remove it", mend(&path, "null"));
        }
    }
    // What is called over a link but for an operation that no request asks for.
    for (nth, link) in graph.links.iter().enumerate() {
        let Caller::Component(caller) = link.caller else { continue };
        let used = graph.components[caller].asks().iter().any(|ask| ask.link == link.name);
        let asked = super::super::times::Times::rate(caller, finder.load.fresh) > 0.0;
        if asked && used && finder.load.fresh.links[nth] == 0.0 && finder.load.fresh.settled {
            let some = finder.load.bare.work(caller, finder.load.fresh, |d| {
                d.calls.iter().filter(|call| call.link == link.name).map(|call| call.most).sum()
            });
            if some == 0.0 && !finder.load.fresh.misses.contains_key(&caller) {
                let message = format!("no request makes {} call over `{}`", link.from, link.name);
                let help = "request the operation that does, or remove the handler and the link".into();
                finder.warn("never_called", &link.path, message, help);
            }
        }
    }
}

/// A fault or an event after the run is over.
pub(super) fn faults(finder: &mut Finder<'_, '_>) {
    let run = &finder.graph.scenario.run;
    let Some(duration) = run.duration else { return };
    let end = duration.0 as i64;
    for timed in finder.graph.scenario.timed().iter().filter(|timed| timed.nth == 0) {
        let path = Path::of(&[timed.source.section(), &timed.place.to_string()]);
        if timed.at >= end {
            let message = format!(
                "this {} never happens: it is set for {}, and the run ends at {}",
                timed.source.noun(),
                settings::SignedDuration(timed.at).format(),
                duration.format()
            );
            let longer = settings::Duration(timed.until().unwrap_or(timed.at).saturating_mul(2) as u64).format();
            let change = mend(&Path::of(&["run", "duration"]), longer);
            finder.warn_mended("after_the_end", &path, message, "lengthen the run", change);
        }
    }
    for entry in &finder.graph.scenario.workloads {
        if let models::workloads::arrivals::Process::Once { at, .. } = &entry.value.arrivals.process
            && at.0 >= end
        {
            let path = Path::of(&["workloads", entry.name.as_str(), "arrivals"]);
            let message = format!(
                "{} never sends anything: it starts at {}, and the run ends at {}",
                entry.name.as_str(),
                at.format(),
                duration.format()
            );
            let change = mend(&Path::of(&["run", "duration"]), settings::Duration((at.0 * 2) as u64).format());
            finder.warn_mended("after_the_end", &path, message, "lengthen the run", change);
        }
    }
}

/// Settings of a pool that nothing can make use of.
pub(super) fn pool_settings(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for link in &graph.links {
        let Some(pool) = &link.settings.pool else { continue };
        if let Some(min_idle) = pool.min_idle.filter(|min_idle| *min_idle > pool.size) {
            let path = link.path.join("pool").join("min_idle");
            let message = format!("`min_idle` {min_idle} has no effect above the pool size of {}", pool.size);
            finder.warn_mended(
                "no_effect",
                &path,
                message,
                "use at most the pool size",
                mend(&path, pool.size.to_string()),
            );
        }
        let Caller::Component(caller) = link.caller else { continue };
        let limits = graph.components[caller].limits();
        let Some((noun, workers)) = limits.workers.filter(|_| !limits.frees_while_waiting) else { continue };
        // A worker that makes its calls one after the other uses one connection at a time.
        let side_by_side = graph.components[caller].asks().iter().filter(|ask| ask.link == link.name).count() > 1;
        let most = graph.directory.ops.iter().flat_map(|op| graph.demand(caller, op).calls);
        let most = most.filter(|call| call.link == link.name).map(|call| call.most).fold(0.0, f64::max);
        if pool.size > workers
            && pool.streams == 1
            && graph.pools_of(link) == 1
            && !side_by_side
            && most <= 1.0
            && !graph.is_only_sent(link)
        {
            let path = link.path.join("pool").join("size");
            let message = format!(
                "at most {workers} of the {} connections can be in use: {} has {workers} {noun}, each using one",
                pool.size, link.from
            );
            finder.warn_mended(
                "no_effect",
                &path,
                message,
                "match the number in use",
                mend(&path, workers.to_string()),
            );
        }
    }
}

/// Sections that nothing refers to.
pub(super) fn sections(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for entry in &graph.scenario.hosts {
        let name = entry.name.as_str();
        if !graph.components.iter().any(|c| c.hosts().is_some_and(|h| h.on.as_str() == name)) {
            let path = Path::of(&["hosts", name]);
            let message = format!("nothing runs on {name}");
            finder.warn_mended("no_effect", &path, message, "run something on it, or remove it", mend(&path, "null"));
        }
    }
}

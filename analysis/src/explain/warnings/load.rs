//! More work than there is room for: at the given load, at its peak, with retries, with cold caches.

use settings::Path;

use super::super::flows::{Attempts, Caches, solve, solve_with};
use super::super::graph::Graph;
use super::super::limits::{Limit, Load};
use super::super::times::Times;
use super::{Finder, mend, percent, rate};

/// The limits of everything with where they are written and what they belong to.
fn limits(finder: &Finder<'_, '_>) -> Vec<(Path, String, Limit)> {
    places(finder.graph, finder.load)
}

/// The limits of a load with where they are written and what they belong to.
pub(super) fn places(graph: &Graph<'_>, load: &Load<'_>) -> Vec<(Path, String, Limit)> {
    let of_component = |component: usize| {
        let name = graph.name(component);
        let named =
            move |limit: Limit| (Path::of(&["components", name]), format!("the {} of {name}", limit.what), limit);
        load.of_component(component).into_iter().map(named)
    };
    let of_pool = |link: usize| {
        let (at, pool) = (&graph.links[link], load.of_pool(link)?);
        Some((at.path.join("pool"), format!("the pool of {} of {}.{}", pool.what, at.from, at.name), pool))
    };
    let of_hosts = load
        .of_hosts()
        .into_iter()
        .map(|(name, limit)| (Path::of(&["hosts", &name]), format!("the {} of {name}", limit.what), limit));
    let of_components = (0..graph.components.len()).flat_map(of_component);
    let of_gates = |link: usize| {
        let at = &graph.links[link];
        let named =
            move |limit: Limit| (at.path.clone(), format!("the {} of {}.{}", limit.what, at.from, at.name), limit);
        load.of_gates(link).into_iter().map(named)
    };
    let links = || 0..graph.links.len();
    of_components.chain(links().flat_map(of_gates)).chain(links().filter_map(of_pool)).chain(of_hosts).collect()
}

/// Whether some workload sends whatever the answers do; users who wait for theirs cannot overload anything for long.
pub(super) fn has_open_load(finder: &Finder<'_, '_>) -> bool {
    finder.explained.workloads.values().any(|w| w.is_open && w.rate_per_s.is_some())
}

/// The given load is more than something serves.
pub(super) fn overload(finder: &mut Finder<'_, '_>) {
    if !finder.load.fresh.settled {
        let path = Path::of(&["components"]);
        let message = "endless calls: a request causes more than one call of its own kind on average".into();
        finder.warn("endless_calls", &path, message, "make the call back less likely, or call something else".into());
        return;
    }
    if !has_open_load(finder) {
        return;
    }
    // Where a load is more than several things serve, the tightest is to be widened first.
    for (path, what, limit) in limits(finder) {
        let share = limit.unwaited;
        if share < 1.0 {
            continue;
        }
        let needed = (limit.units * share / 0.8).ceil();
        let (message, help) = match (limit.held_s, limit.ceiling_per_s) {
            (Some(held_s), Some(ceiling)) => (
                format!(
                    "{what} are held {} per call and serve at most {}; the load is {}",
                    super::time(held_s),
                    rate(ceiling),
                    rate(ceiling * share)
                ),
                format!(
                    "at 80 % utilisation this load needs {}; or reduce the load",
                    super::super::limits::grouped(needed)
                ),
            ),
            _ => (
                format!("{what}: the load is {} of their capacity", percent(share)),
                format!(
                    "at 80 % utilisation this load needs {}; or reduce the load",
                    super::super::limits::plain(needed)
                ),
            ),
        };
        finder.warn("overload", &path, message, help);
    }
}

/// The load is more than something serves while a shape is at its highest.
pub(super) fn peak(finder: &mut Finder<'_, '_>) {
    if !has_open_load(finder) || finder.explained.workloads.values().all(|w| w.peak_per_s.is_none()) {
        return;
    }
    let graph = finder.graph;
    let at_peak = solve(graph, finder.peak, Attempts::First);
    let bare = Times::bare(graph, &at_peak);
    let load = Load::alone(graph, &at_peak, &bare);
    for (path, what, limit) in places(graph, &load) {
        let usual = limits(finder).into_iter().find(|(at, name, _)| *at == path && *name == what);
        let Some((_, _, usual)) = usual.filter(|(_, _, usual)| limit.unwaited >= 1.0 && usual.unwaited < 1.0) else {
            continue;
        };
        let message = format!(
            "at peak load {what} would be at {} utilisation; the average is {}",
            percent(limit.unwaited),
            percent(usual.unwaited)
        );
        let help = "the excess waits or is rejected: bound the queue, or add capacity".into();
        finder.warn("overload_at_peak", &path, message, help);
    }
}

/// Retries can keep the system down after the trigger has gone.
pub(super) fn vulnerable(finder: &mut Finder<'_, '_>) {
    let Some(capacity) = finder.explained.capacity.clone().filter(|c| c.state == "vulnerable") else { return };
    let graph = finder.graph;
    let worst = (0..graph.links.len()).filter(|link| graph.links[*link].settings.max_attempts() > 1).max_by(|a, b| {
        let attempts = |link: usize| super::super::flows::sustained_attempts(graph, link, finder.load.all.links[link]);
        attempts(*a).total_cmp(&attempts(*b)).then(b.cmp(a))
    });
    let Some(link) = worst else { return };
    let message = format!(
        "metastable: capacity is {} while the system is healthy, but {} ({}) once every call is retried{}; the load is {}",
        rate(capacity.advertised_per_s),
        rate(capacity.hidden_per_s),
        capacity.hidden_by,
        if capacity.caches { " and the caches are empty" } else { "" },
        rate(capacity.load_per_s),
    );
    let path = graph.links[link].path.join("retry");
    if graph.links[link].settings.retry.as_ref().is_some_and(|retry| retry.budget.is_some()) {
        finder.warn("vulnerable", &path, message, "lower `max_attempts`, the budget or the load".into());
    } else {
        let change = mend(&path.join("budget"), "{ratio: {ratio: 10%, min: 0/s}}");
        finder.warn_mended("vulnerable", &path, message, "a budget bounds the load that retries add", change);
    }
}

/// What is behind a cache does not bear what comes while the cache is empty.
pub(super) fn cold_cache(finder: &mut Finder<'_, '_>) {
    if !has_open_load(finder) {
        return;
    }
    let graph = finder.graph;
    for (component, misses) in finder.load.fresh.misses.clone() {
        if misses.is_none_or(|(_, fetches)| fetches >= 0.999) {
            continue;
        }
        let cold = solve_with(graph, finder.usual, Attempts::First, Caches::Empty(component));
        let bare = Times::bare(graph, &cold);
        let load = Load::alone(graph, &cold, &bare);
        let usual = limits(finder);
        for (path, what, limit) in places(graph, &load) {
            let known = usual.iter().find(|(at, name, _)| *at == path && *name == what);
            let Some((_, _, known)) = known.filter(|(_, _, known)| limit.unwaited >= 1.0 && known.unwaited < 1.0)
            else {
                continue;
            };
            let name = graph.name(component);
            let message = format!(
                "while {name} is empty {what} would be at {} utilisation; with a warm cache it is at {}",
                percent(limit.unwaited),
                percent(known.unwaited)
            );
            let help = "after a flush or a restart the backend is overloaded until the cache has filled: \
                 coalesce misses (`coalesce`), bound the queue behind the cache, or add capacity"
                .into();
            finder.warn("cold_cache", &finder.component_path(component), message, help);
        }
    }
}

/// Calls that never give back what they run on.
pub(super) fn leaks(finder: &mut Finder<'_, '_>) {
    for component in 0..finder.graph.components.len() {
        let leaked_per_s = finder.load.bare.work(component, finder.load.fresh, |d| d.leaks);
        if leaked_per_s <= 0.0 {
            continue;
        }
        let name = finder.graph.name(component);
        let path = finder.component_path(component).join("handlers");
        let limits = finder.graph.components[component].limits();
        let units = limits.workers.map(|(noun, count)| (noun, f64::from(count) * finder.graph.replicas(component)));
        let message = match units {
            Some((noun, units)) if finder.load.has_rates && !limits.frees_while_waiting => format!(
                "{name} leaks {} tasks: all {} {noun} are lost after {}",
                rate(leaked_per_s),
                super::super::limits::grouped(units),
                super::time(units / leaked_per_s)
            ),
            _ => format!(
                "{name} leaks a task in {} of its calls",
                percent(leaked_per_s / super::super::times::Times::rate(component, finder.load.fresh))
            ),
        };
        finder.warn(
            "leak",
            &path,
            message,
            "a task that waits for something that never comes needs a timeout; remove the `leak`".into(),
        );
    }
}

/// Replicas that ask for more cores than their hosts have.
pub(super) fn hosts(finder: &mut Finder<'_, '_>) {
    for entry in &finder.graph.scenario.hosts {
        let there = (0..finder.graph.components.len())
            .filter(|c| finder.graph.components[*c].hosts().is_some_and(|h| h.on.as_str() == entry.name.as_str()));
        let asked: f64 =
            there.map(|c| finder.graph.components[c].limits().cores.unwrap_or(0.0) * finder.graph.replicas(c)).sum();
        let cores = entry.value.cores.0 * f64::from(entry.value.count);
        if asked <= cores {
            continue;
        }
        let path = Path::of(&["hosts", entry.name.as_str()]);
        let message = format!(
            "the replicas on {} request {} cores, and there are {}",
            entry.name.as_str(),
            super::super::limits::plain(asked),
            super::super::limits::plain(cores)
        );
        let count = (asked / entry.value.cores.0).ceil();
        let change = mend(&path.join("count"), super::super::limits::plain(count).replace(',', ""));
        finder.warn_mended("hosts_overcommitted", &path, message, "add hosts", change);
    }
}

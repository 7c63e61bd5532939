//! Connections that are kept open between components, counted before anything runs.

use crate::directory::Directory;
use crate::scenario::Scenario;
use crate::workloads::arrivals::Process;

/// Connections that callers keep open to all replicas of a component: those of long-lived clients, and those of pools, as if all
/// of these were open. Callers behind a balancer or DNS are not counted here.
pub(super) fn inbound(scenario: &Scenario, directory: &Directory, component: usize) -> u64 {
    let place = &directory.components[component];
    let mut total = 0;
    for (entry, caller) in scenario.workloads.iter().zip(&directory.workloads) {
        let targets = &caller.link.targets;
        let all: f64 = targets.iter().map(|target| target.weight).sum();
        let to_here = targets.iter().filter(|target| target.nodes.first() == Some(&place.first)).map(|t| t.weight);
        let share = if all > 0.0 { to_here.sum::<f64>() / all } else { 0.0 };
        let clients = match &entry.value.arrivals.process {
            Process::Connections { count, .. } => count.0,
            _ => 0,
        };
        let pooled = entry.value.call.pool.as_ref().map_or(0, |pool| u64::from(pool.size));
        total += (clients.max(pooled) as f64 * share).round() as u64;
    }
    for (entry, caller) in scenario.components.iter().zip(&directory.components) {
        let balances = entry.value.settings.balancing().is_some();
        for ((_, link), known) in entry.value.settings.links().into_iter().zip(&caller.links) {
            let Some(pool) = &link.pool else { continue };
            let all: f64 = known.targets.iter().map(|target| target.weight).sum();
            for target in known.targets.iter().filter(|target| target.nodes.first() == Some(&place.first)) {
                let is_own = caller.first == place.first;
                let peers = u64::from(target.replicas) - u64::from(is_own && link.is_per_target(balances));
                let size = u64::from(pool.size);
                let of_one = match link.is_per_target(balances) {
                    true => size * peers,
                    false => (size as f64 * target.weight / all.max(f64::MIN_POSITIVE)).round() as u64,
                };
                total += u64::from(caller.replicas) * of_one;
            }
        }
    }
    total
}

/// Threads that the connections of a replica's own pools hold.
pub(super) fn threads_of_pools(scenario: &Scenario, directory: &Directory, component: usize) -> u64 {
    let place = &directory.components[component];
    let Some(entry) = scenario.components.get(&place.name) else { return 0 };
    let balances = entry.settings.balancing().is_some();
    let links = entry.settings.links().into_iter().zip(&place.links);
    let of_link = links.filter_map(|((_, link), known)| {
        let pool = link.pool.as_ref().filter(|pool| pool.threads > 0)?;
        let targets = known
            .targets
            .iter()
            .map(|target| u64::from(target.replicas) - u64::from(target.nodes.first() == Some(&place.first)));
        let peers = if link.is_per_target(balances) { targets.sum() } else { 1 };
        Some(u64::from(pool.size) * peers * u64::from(pool.threads))
    });
    of_link.sum()
}

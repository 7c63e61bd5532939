//! Reserves: what the loss of one host, replica or region leaves, how busy processors are, and breakers that see too little to open.

use std::collections::BTreeSet;

use models::hosts::{Placement, place_in_memory};

use super::super::graph::Caller;
use super::super::limits::{Limit, grouped, plain};
use super::super::times::Times;
use super::load::{has_open_load, places};
use super::{Finder, mend, percent};

/// What is lost at once: a host, or a replica of what is on none.
struct Loss {
    component: usize,
    /// In words.
    what: String,
    /// How many hosts there are, and how replicas are placed on them.
    hosts: Option<(u32, Placement)>,
    /// Memory of a host, and how much of it a replica needs, where that decides.
    memory: Option<(u64, u64)>,
}

impl Loss {
    /// By how much each of `replicas` gets more to do when it happens; `None` where none is left.
    fn factor(&self, replicas: u32) -> Option<f64> {
        let lost = match self.hosts {
            None => 1,
            Some((hosts, placement)) => {
                let mut there = vec![0_u32; hosts as usize];
                let placed = match self.memory {
                    Some((size, needs)) => place_in_memory(placement, replicas, needs, &mut vec![size; hosts as usize]),
                    None => (0..replicas).map(|nth| placement.host_of(nth, replicas, hosts)).collect(),
                };
                placed.into_iter().for_each(|host| there[host as usize] += 1);
                there.into_iter().max().unwrap_or(0)
            }
        };
        (lost < replicas).then(|| f64::from(replicas) / f64::from(replicas - lost))
    }
}

/// The worst that the loss of one host, or of one replica of what is on none, does to each component.
fn losses(finder: &Finder<'_, '_>) -> Vec<Loss> {
    let graph = finder.graph;
    let loss = |component: usize| {
        if graph.varies(component) {
            return None;
        }
        let replicas = graph.directory.components[component].replicas;
        let Some(hosts) = graph.components[component].hosts() else {
            let what = format!("one of its {} replicas", grouped(f64::from(replicas)));
            return Some(Loss { component, what, hosts: None, memory: None });
        };
        let name = hosts.on.as_str();
        let group = graph.scenario.hosts.iter().find(|entry| entry.name.as_str() == name)?;
        let count = group.value.count;
        let what = format!("one of the {} hosts of {name}", grouped(f64::from(count)));
        let needs = graph.components[component].memory_requested();
        let memory = group.value.memory.filter(|_| needs > 0).map(|memory| (memory.size.0, needs));
        (count > 1).then_some(Loss { component, what, hosts: Some((count, hosts.placement)), memory })
    };
    (0..graph.components.len()).filter_map(loss).collect()
}

/// How busy what is left may be.
const AFTER_LOSS: f64 = 0.95;

/// What bears the load only as long as nothing is lost.
pub(super) fn spare(finder: &mut Finder<'_, '_>) {
    if !has_open_load(finder) {
        return;
    }
    for loss in losses(finder) {
        if finder.graph.components[loss.component].entrance().is_some() {
            continue;
        }
        let name = finder.graph.name(loss.component);
        let tightest = finder.load.of_component(loss.component).into_iter();
        let Some(limit) = tightest.reduce(|most, one| if one.unwaited > most.unwaited { one } else { most }) else {
            continue;
        };
        let replicas = finder.graph.directory.components[loss.component].replicas;
        let Some(factor) = loss.factor(replicas).filter(|factor| limit.unwaited * factor >= 1.0) else { continue };
        if limit.unwaited >= 1.0 {
            continue;
        }
        let message = format!(
            "{name} has no spare capacity: without {}, the remaining {} would be {} busy ({} with all of them)",
            loss.what,
            limit.what.trim_start_matches(|c: char| c.is_ascii_digit() || ",. ".contains(c)),
            percent(limit.unwaited * factor),
            percent(limit.unwaited)
        );
        let path = finder.component_path(loss.component);
        let work = limit.unwaited * f64::from(replicas);
        let enough =
            |count: &u32| loss.factor(*count).is_some_and(|factor| work / f64::from(*count) * factor < AFTER_LOSS);
        match (replicas + 1..=2 * replicas + 2).find(enough) {
            Some(count) => {
                let change = mend(&path.join("replicas"), count.to_string());
                finder.warn_mended("no_spare", &path, message, "enough for the load when one is lost", change);
            }
            None => finder.warn("no_spare", &path, message, "spread it over more hosts".into()),
        }
    }
}

/// What bears the load only as long as no region is lost, where a chooser that finds out sends its calls to the others.
pub(super) fn spare_regions(finder: &mut Finder<'_, '_>) {
    if !has_open_load(finder) {
        return;
    }
    let graph = finder.graph;
    let region_of = |component: usize| graph.directory.components[component].region.as_deref();
    for (nth, link) in graph.links.iter().enumerate() {
        let Caller::Component(caller) = link.caller else { continue };
        // Where some have no share, the others are not made up for in proportion.
        if !graph.components[caller].finds_out() || link.ways.iter().any(|way| way.directs || way.share <= 0.0) {
            continue;
        }
        let calls = finder.load.fresh.attempts(nth);
        let regions: BTreeSet<&str> = link.ways.iter().filter_map(|way| region_of(way.component)).collect();
        let mut worst: Option<(f64, &str, usize, f64)> = None;
        for region in &regions {
            let is_there = |component: usize| region_of(component) == Some(*region);
            let lost: f64 = link.ways.iter().filter(|way| is_there(way.component)).map(|way| way.share).sum();
            for way in link.ways.iter().filter(|way| lost < 1.0 && !is_there(way.component)) {
                let rate = Times::rate(way.component, finder.load.fresh);
                let limits = finder.load.of_component(way.component).into_iter();
                let busy = limits.map(|limit| limit.unwaited).fold(0.0, f64::max);
                let more = calls * lost * way.share / (1.0 - lost);
                let after = busy * (1.0 + more / rate);
                if busy < 1.0 && after >= 1.0 && worst.is_none_or(|(most, ..)| after > most) {
                    worst = Some((after, region, way.component, busy));
                }
            }
        }
        let Some((after, region, component, busy)) = worst else { continue };
        let message = format!(
            "{} has no spare capacity for the loss of a region: without {region}, {} would be {} busy ({} with all regions)",
            graph.name(caller),
            graph.name(component),
            percent(after),
            percent(busy)
        );
        finder.warn("no_spare_region", &link.path, message, "add replicas in the other regions".into());
    }
}

/// What operators commonly plan for: beyond it peaks find little room, and few processors make others wait long.
const BUSY: f64 = 0.7;

/// Processors that are busy for most of the time.
pub(super) fn busy_cores(finder: &mut Finder<'_, '_>) {
    if !has_open_load(finder) {
        return;
    }
    let is_busy = |limit: &Limit| limit.is_cpu && (BUSY..1.0).contains(&limit.unwaited);
    for (path, what, limit) in places(finder.graph, finder.load).into_iter().filter(|(_, _, limit)| is_busy(limit)) {
        let message = format!(
            "{what} are {} busy: {:.2} times the load would saturate them",
            percent(limit.unwaited),
            1.0 / limit.unwaited
        );
        let needed = plain((limit.units * limit.unwaited / BUSY).ceil());
        finder.warn(
            "busy_cores",
            &path,
            message,
            format!("keeping them at {} takes {needed} for this load", percent(BUSY)),
        );
    }
}

/// Policies that cannot do what they are for at this load, such as breakers that see too few calls to open.
pub(super) fn starved(finder: &mut Finder<'_, '_>) {
    if !finder.load.has_rates {
        return;
    }
    let graph = finder.graph;
    for (nth, link) in graph.links.iter().enumerate() {
        // While everything fails, what is tried again counts too.
        let attempts = finder.load.fresh.attempts(nth).max(finder.load.all.attempts(nth));
        if attempts <= 0.0 {
            continue;
        }
        for (policy, flaw) in link.settings.flaws_at(attempts / f64::from(link.copies)) {
            let path = flaw.key.split('.').fold(link.path.join(policy), |path, key| path.join(key));
            let message = format!("{}.{}: {}", link.from, link.name, flaw.message);
            finder.warn(flaw.code, &path, message, flaw.help);
        }
    }
}

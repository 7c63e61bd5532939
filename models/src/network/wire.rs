//! Whom each link calls, and what lies between.

use settings::{Name, Problem, Problems, Spanned};
use sim_core::conditions::Path;
use sim_core::{Engine, NodeId, Span};

use super::find::{find_component, seen_from};
use super::node::Node;
use crate::directory::{ComponentPlace, Directory, Population};
use crate::link::{LinkSettings, Target};
use crate::scenario::Scenario;

/// Finds what every link calls, and the network between.
pub(super) fn wire(scenario: &Scenario, directory: &mut Directory, engine: &mut Engine<Node>, problems: &mut Problems) {
    let mut wired: Vec<(String, bool, String, Vec<Target>)> = Vec::new();
    let mut paths = Vec::new();
    scenario.each_link(|caller, is_workload, link, settings| {
        let mut targets = Vec::new();
        for target in &settings.to {
            let Some(component) = find_component(directory, caller, target.to.as_str()) else {
                let names = directory.components.iter().map(|c| seen_from(caller, c.name.as_str()));
                let problem = Problem::unknown_name("component", target.to.as_str(), target.to.span, names);
                problems.push(problem.path(target.to.path.clone()));
                continue;
            };
            let to = &directory.components[component];
            let rtt = round_trip(scenario, directory, caller, to, settings, &target.to, problems);
            let row = engine.add_path(path(settings, rtt));
            debug_assert_eq!(row as usize, paths.len() + 1);
            paths.push((caller.to_string(), link.to_string(), to.name.clone()));
            let (nodes, replicas) = (directory.nodes_of(component), to.replicas);
            targets.push(Target { nodes, replicas, path: row, weight: target.weight, rtt });
        }
        if !settings.to.values.is_empty() && settings.to.iter().all(|t| t.weight == 0.0) {
            let at = &settings.to.values[0].to;
            problems.push(Problem::error("no_weight", at.span, "all targets have weight 0").path(at.path.clone()));
        }
        wired.push((caller.to_string(), is_workload, link.to_string(), targets));
    });
    let populations = find_populations(scenario, directory, engine, problems, &mut paths);
    directory.paths = paths;
    for (caller, is_workload, link, targets) in wired {
        let entry = if is_workload {
            directory.workloads.iter_mut().find(|w| w.name == caller).map(|w| &mut w.link)
        } else {
            let component = directory.components.iter_mut().find(|c| c.name == caller);
            component.and_then(|c| c.links.iter_mut().find(|l| l.name == link))
        };
        if let Some(entry) = entry {
            entry.targets = targets;
        }
    }
    for (component, population) in populations {
        directory.components[component].populations.push(population);
    }
}

fn path(settings: &LinkSettings, rtt: Span) -> Path {
    let network = settings.network.as_ref();
    Path {
        there: rtt / 2,
        back: rtt - rtt / 2,
        nanoseconds_per_byte: network.and_then(|n| n.bandwidth).map_or(0.0, |b| 8e9 / b.0 as f64),
        loss: network.map_or(0.0, |n| n.loss.0),
        ..Path::default()
    }
}

/// Who calls those that only say whom to call, and the network from there to what they say.
fn find_populations(
    scenario: &Scenario,
    directory: &Directory,
    engine: &mut Engine<Node>,
    problems: &mut Problems,
    paths: &mut Vec<(String, String, String)>,
) -> Vec<(usize, Population)> {
    let mut found = Vec::new();
    scenario.each_link(|caller, is_workload, link, settings| {
        for target in &settings.to {
            let Some(at) = find_component(directory, caller, target.to.as_str()) else { continue };
            let place = &directory.components[at];
            let Some(entry) = scenario.components.entry(&place.name) else { continue };
            if !entry.value.settings.directs() {
                continue;
            }
            let mut targets = Vec::new();
            for (name, onward) in entry.value.settings.links() {
                for target in &onward.to {
                    let Some(to_at) = find_component(directory, &place.name, target.to.as_str()) else { continue };
                    let to = &directory.components[to_at];
                    let rtt = round_trip(scenario, directory, caller, to, onward, &target.to, problems);
                    let row = engine.add_path(path(onward, rtt));
                    paths.push((caller.to_string(), format!("{}.{name}", place.name), to.name.clone()));
                    let (nodes, replicas) = (directory.nodes_of(to_at), to.replicas);
                    targets.push(Target { nodes, replicas, path: row, weight: target.weight, rtt });
                }
            }
            let nodes = match directory.component(caller) {
                Some(component) if !is_workload => directory
                    .nodes_of(component)
                    .into_iter()
                    .enumerate()
                    .flat_map(|(replica, node)| [node, directory.link_of(component, replica as u32, link).0])
                    .collect(),
                _ => directory.workloads.iter().filter(|w| w.name == caller).map(|w| NodeId(w.node.0 + 1)).collect(),
            };
            found.push((at, Population { caller: caller.to_string(), nodes, targets }));
        }
    });
    found
}

fn round_trip(
    scenario: &Scenario,
    directory: &Directory,
    caller: &str,
    to: &ComponentPlace,
    settings: &LinkSettings,
    at: &Spanned<Name>,
    problems: &mut Problems,
) -> Span {
    if let Some(rtt) = settings.network.as_ref().and_then(|n| n.rtt) {
        return rtt.0;
    }
    let (Some(from), Some(to)) = (directory.region_of(caller), to.region.as_deref()) else { return 0 };
    if from == to {
        return 0;
    }
    let look = |a: &str, b: &str| scenario.regions.get(a).and_then(|r| r.rtt.get(b)).map(|d| d.0);
    match (look(from, to), look(to, from)) {
        (Some(one), Some(other)) if one != other => {
            let message = format!("the round trips {from} → {to} and {to} → {from} differ; they are one and the same");
            problems.push(Problem::error("asymmetric_rtt", at.span, message).path(at.path.clone()));
            one
        }
        (Some(rtt), _) | (None, Some(rtt)) => rtt,
        (None, None) => {
            let message = format!("the round-trip time between the regions `{from}` and `{to}` is not given");
            let help = format!("write `regions: {{{from}: {{rtt: {{{to}: 80ms}}}}}}`");
            problems.push(Problem::error("missing_rtt", at.span, message).path(at.path.clone()).help(help));
            0
        }
    }
}

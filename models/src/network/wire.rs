//! Whom each link calls, and what lies between.

use settings::{Name, Problem, Problems, Spanned};
use sim_core::conditions::Path;
use sim_core::{Engine, NodeId, Span};

use super::find::{find_component, seen_from};
use super::node::Node;
use crate::directory::{ComponentPlace, Directory, Population};
use crate::link::Target;
use crate::listen::Closing;
use crate::policies::network::NetworkSettings;
use crate::scenario::Scenario;

/// Finds what every link calls, and the network between.
pub(super) fn wire(scenario: &Scenario, directory: &mut Directory, engine: &mut Engine<Node>, problems: &mut Problems) {
    let mut wired: Vec<(String, bool, String, Vec<Target>)> = Vec::new();
    let mut paths = Vec::new();
    scenario.each_link(|caller, is_workload, link, settings| {
        let mut targets = Vec::new();
        for target in &settings.to {
            let Some(component) = find_component(directory, caller, target.to.as_str()) else {
                let names = directory.component_names().map(|name| seen_from(caller, name));
                let problem = Problem::unknown_name("component", target.to.as_str(), target.to.span, names);
                problems.push(problem.path(target.to.path.clone()));
                continue;
            };
            let to = &directory.components[component];
            let rtt = round_trip(scenario, directory, caller, to, settings.network.as_ref(), &target.to, problems);
            let row = engine.add_path(path(settings.network.as_ref(), rtt));
            debug_assert_eq!(row as usize, paths.len() + 1);
            paths.push((caller.to_string(), link.to_string(), to.name.clone()));
            let (nodes, replicas) = directory.called_at(component);
            let nodes = nodes.into();
            let closing = closing(scenario, to);
            targets.push(Target { nodes, replicas, path: row, weight: target.weight, rtt, closing });
        }
        if !settings.to.values.is_empty() && settings.to.iter().all(|t| t.weight == 0.0) {
            let at = &settings.to.values[0].to;
            problems.push(Problem::error("no_weight", at.span, "all targets have weight 0").path(at.path.clone()));
        }
        wired.push((caller.to_string(), is_workload, link.to_string(), targets));
    });
    let populations = find_populations(scenario, directory, engine, problems, &mut paths);
    let consumed = find_consumed(scenario, directory, engine, problems, &mut paths);
    let dead_letters = find_dead_letters(scenario, directory, problems);
    directory.paths = paths;
    for (component, to) in dead_letters {
        directory.components[component].dead_letter = Some(to);
    }
    for Consumed { component, nth, from, path, rtt } in consumed {
        let entry = &mut directory.components[component].consumes[nth];
        (entry.from, entry.path, entry.rtt) = (Some(from), path, rtt);
    }
    for (caller, is_workload, link, targets) in wired {
        let entry = if is_workload {
            directory.workloads.iter_mut().find(|w| w.name == caller).map(|w| &mut w.link)
        } else {
            let component = directory.component(&caller).map(|at| &mut directory.components[at]);
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

fn path(network: Option<&NetworkSettings>, rtt: Span) -> Path {
    Path {
        there: rtt / 2,
        back: rtt - rtt / 2,
        nanoseconds_per_byte: network.and_then(|n| n.bandwidth).map_or(0.0, |b| 8e9 / b.0 as f64),
        headers: network.and_then(|n| n.headers).map_or(0, |headers| headers.0),
        loss: network.map_or(0.0, |n| n.loss.0),
        ..Path::default()
    }
}

/// What a component consumes from.
struct Consumed {
    component: usize,
    /// Which of the queues that it names.
    nth: usize,
    /// That queue.
    from: usize,
    path: u16,
    rtt: Span,
}

/// Who consumes from whom, and the network between.
fn find_consumed(
    scenario: &Scenario,
    directory: &Directory,
    engine: &mut Engine<Node>,
    problems: &mut Problems,
    paths: &mut Vec<(String, String, String)>,
) -> Vec<Consumed> {
    let mut found = Vec::new();
    for (at, entry) in scenario.components.iter().enumerate() {
        let consumer = entry.name.as_str();
        for (nth, consume) in entry.value.settings.consumes().iter().enumerate() {
            let from = &consume.from;
            let hands_out = |component: usize| {
                let name = &directory.components[component].name;
                scenario.components.get(name).and_then(|entry| entry.settings.hands_out())
            };
            let Some(queue) = find_component(directory, consumer, from.as_str()) else {
                problems.push(unknown_queue(directory, consumer, from));
                continue;
            };
            let to = &directory.components[queue];
            let Some(manner) = hands_out(queue) else {
                let message = format!("`{}` is not a queue: nothing can be consumed from it", from.as_str());
                let problem = Problem::error("not_a_queue", from.span, message).path(from.path.clone());
                problems.push(problem.help("consume from a component of `kind: queue`, or call this one with `calls`"));
                continue;
            };
            consume.check(&manner, problems);
            let network = consume.network.as_ref();
            let rtt = round_trip(scenario, directory, consumer, to, network, from, problems);
            let row = engine.add_path(path(network, rtt));
            paths.push((consumer.to_string(), directory.components[at].consumes[nth].name.clone(), to.name.clone()));
            found.push(Consumed { component: at, nth, from: queue, path: row, rtt });
        }
    }
    found
}

/// A queue that nobody has.
fn unknown_queue(directory: &Directory, by: &str, name: &Spanned<Name>) -> Problem {
    let queues = directory.components.iter().filter(|place| place.hands_out);
    let names = queues.map(|queue| seen_from(by, queue.name.as_str()));
    Problem::unknown_name("queue", name.as_str(), name.span, names).path(name.path.clone())
}

/// Where queues send messages that failed for good.
fn find_dead_letters(scenario: &Scenario, directory: &Directory, problems: &mut Problems) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, entry) in scenario.components.iter().enumerate() {
        let (name, settings) = (entry.name.as_str(), &entry.value.settings);
        let Some(to) = settings.dead_letter() else { continue };
        let mut error = |code: &'static str, message: String, help: &str| {
            problems.push(Problem::error(code, to.span, message).path(to.path.clone()).help(help));
        };
        let Some(queue) = find_component(directory, name, to.as_str()) else {
            problems.push(unknown_queue(directory, name, to));
            continue;
        };
        let of = |component: usize| {
            scenario.components.get(&directory.components[component].name).and_then(|entry| entry.settings.hands_out())
        };
        match (of(at), of(queue)) {
            (_, None) => {
                let message = format!("`{}` is not a queue", to.as_str());
                error("not_a_queue", message, "`dead_letter` takes a component of `kind: queue`");
            }
            _ if queue == at => {
                let message = format!("`{name}` is its own `dead_letter`");
                error("contradiction", message, "use another queue");
            }
            (Some(own), Some(other)) if own.style != other.style => {
                let message = format!(
                    "`{name}` has `style: {}` but its dead-letter queue `{}` has `style: {}`",
                    own.style,
                    to.as_str(),
                    other.style
                );
                error("other_style", message, &format!("use `style: {}` for `{}`, too", own.style, to.as_str()));
            }
            (_, Some(_)) => found.push((at, queue)),
        }
    }
    found
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
                    let rtt =
                        round_trip(scenario, directory, caller, to, onward.network.as_ref(), &target.to, problems);
                    let row = engine.add_path(path(onward.network.as_ref(), rtt));
                    paths.push((caller.to_string(), format!("{}.{name}", place.name), to.name.clone()));
                    let (nodes, replicas) = directory.called_at(to_at);
                    let nodes = nodes.into();
                    let closing = closing(scenario, to);
                    targets.push(Target { nodes, replicas, path: row, weight: target.weight, rtt, closing });
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

/// When a component closes connections.
fn closing(scenario: &Scenario, to: &ComponentPlace) -> Closing {
    scenario.components.get(&to.name).map_or_else(Closing::default, |component| component.settings.closing())
}

fn round_trip(
    scenario: &Scenario,
    directory: &Directory,
    caller: &str,
    to: &ComponentPlace,
    network: Option<&NetworkSettings>,
    at: &Spanned<Name>,
    problems: &mut Problems,
) -> Span {
    if let Some(rtt) = network.and_then(|n| n.rtt) {
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

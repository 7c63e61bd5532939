//! Calls that lead back to where they came from, whatever happens on the way: such a request never ends.
//!
//! Edges are the calls that a component makes each time it is asked (not those within a choice, a failure's steps or
//! behind a step that may fail); a cycle of them is an error.

use settings::{Problem, Problems};

use super::find::find_component;
use crate::directory::Directory;
use crate::scenario::Scenario;

/// Reports every cycle once, at the link that closes it.
pub(super) fn check(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    // A node of the graph is a component with the operation that it is asked for.
    let mut done: Vec<(usize, String)> = Vec::new();
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        for asked in entry.value.asked().into_iter().chain(entry.value.polled()) {
            for target in &place.link.target_names {
                if let Some(component) = find_component(directory, entry.name.as_str(), target) {
                    let op = asked.op.to_string();
                    visit(scenario, directory, (component, op), &mut Vec::new(), &mut done, problems);
                }
            }
        }
    }
}

fn visit(
    scenario: &Scenario,
    directory: &Directory,
    at: (usize, String),
    way: &mut Vec<(usize, String)>,
    done: &mut Vec<(usize, String)>,
    problems: &mut Problems,
) {
    if done.contains(&at) {
        return;
    }
    way.push(at.clone());
    let place = &directory.components[at.0];
    if let Some(entry) = scenario.components.entry(&place.name) {
        for ask in entry.value.settings.certain_asks(&at.1) {
            let Some(found) = place.links.iter().find(|l| l.name == ask.link) else { continue };
            // A link with several targets may go elsewhere; with one it certainly goes there.
            let [target] = found.target_names.as_slice() else { continue };
            let Some(target) = find_component(directory, &place.name, target) else { continue };
            let next = (target, ask.op.map_or(at.1.as_str(), |op| op.as_str()).to_string());
            if let Some(begin) = way.iter().position(|w| *w == next) {
                let names: Vec<&str> =
                    way[begin..].iter().map(|(c, _)| directory.components[*c].name.as_str()).collect();
                let first = names[0];
                let message = format!("these calls go round for ever: {} → {first}", names.join(" → "));
                let problem = Problem::error("call_cycle", ask.at.span, message)
                    .path(ask.at.path.clone())
                    .help("make one of the calls conditional with `choose`, or call something else");
                problems.push(problem);
            } else {
                visit(scenario, directory, next, way, done, problems);
            }
        }
    }
    way.pop();
    done.push(at);
}

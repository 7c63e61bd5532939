//! Calls that lead back to where they came from, whatever happens on the way: such a request never ends.
//!
//! Edges are the calls that a component makes each time it is asked (not those within a choice, a failure's steps or
//! behind a step that may fail); a cycle of them is an error.

use settings::{Problem, Problems};

use crate::components::{Answers, ComponentSettings};
use crate::network::Directory;
use crate::scenario::Scenario;
use crate::steps::Step;

/// Reports every cycle once, at the link that closes it.
pub(crate) fn check(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    // A node of the graph is a component with the operation that it is asked for.
    let mut done: Vec<(usize, String)> = Vec::new();
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        for asked in entry.value.asked() {
            for target in &place.link.target_names {
                if let Some(component) = directory.component(target) {
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
        for (link, op) in certain_calls(&entry.value.settings, &at.1) {
            let Some(found) = place.links.iter().find(|l| l.name == link.0) else { continue };
            // A link with several targets may go elsewhere; with one it certainly goes there.
            let [target] = found.target_names.as_slice() else { continue };
            let Some(target) = directory.component(target) else { continue };
            let next = (target, op);
            if let Some(begin) = way.iter().position(|w| *w == next) {
                let names: Vec<&str> =
                    way[begin..].iter().map(|(c, _)| directory.components[*c].name.as_str()).collect();
                let first = names[0];
                let message = format!("these calls go round for ever: {} → {first}", names.join(" → "));
                let problem = Problem::error("call_cycle", link.1, message)
                    .path(link.2)
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

type LinkAt = (String, settings::Span, settings::Path);

/// The calls that are made each time, with what they ask for.
fn certain_calls(settings: &ComponentSettings, op: &str) -> Vec<(LinkAt, String)> {
    let mut calls = Vec::new();
    match settings {
        ComponentSettings::Service(service) => {
            let handler = service.handlers.get(op).or_else(|| service.handlers.get("default"));
            certain_steps(handler.map_or(&[], |h| h), op, &mut calls);
        }
        other => {
            if other.answers() == Answers::Anything {
                for ask in other.asks() {
                    let at = (ask.link.to_string(), ask.at.span, ask.at.path.clone());
                    calls.push((at, ask.op.map_or(op, |o| o.as_str()).to_string()));
                }
            }
        }
    }
    calls
}

fn certain_steps(steps: &[Step], op: &str, calls: &mut Vec<(LinkAt, String)>) {
    for step in steps {
        // Behind it nothing is certain.
        if matches!(step, Step::Fail { .. }) {
            return;
        }
        if let Some(call) = step.call() {
            let at = (call.link.as_str().to_string(), call.link.span, call.link.path.clone());
            calls.push((at, call.op.map_or(op, |o| o.as_str()).to_string()));
        }
        for (_, steps) in step.inside().into_iter().filter(|(runs, _)| runs.is_certain()) {
            certain_steps(steps, op, calls);
        }
    }
}

//! Calls that lead back to where they came from, whatever happens on the way: such a request never ends.
//!
//! Edges are the calls that a component makes each time it is asked (not those within a choice, a failure's steps or
//! behind a step that may fail); a cycle of them is an error.

use std::collections::{BTreeMap, BTreeSet};

use settings::{Problem, Problems};

use super::find::find_component;
use crate::components::kind::Ask;
use crate::directory::Directory;
use crate::scenario::Scenario;

/// A component with the operation that it is asked for.
type Asked = (usize, String);

/// Reports every cycle once, at the link that closes it.
pub(super) fn check(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    let mut done: BTreeSet<Asked> = BTreeSet::new();
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        for asked in entry.value.asked().into_iter().chain(entry.value.polled()) {
            for target in &place.link.target_names {
                if let Some(component) = find_component(directory, entry.name.as_str(), target) {
                    follow(scenario, directory, (component, asked.op.to_string()), &mut done, problems);
                }
            }
        }
    }
}

/// A step of the way from a workload, with those that it certainly asks and have not been followed yet, the last one first.
struct Step<'s> {
    at: Asked,
    to_follow: Vec<(Asked, Ask<'s>)>,
}

/// Follows all that is certainly asked for from one place on, depth first: a way may be as long as there are components.
fn follow(
    scenario: &Scenario,
    directory: &Directory,
    from: Asked,
    done: &mut BTreeSet<Asked>,
    problems: &mut Problems,
) {
    let mut way: Vec<Step<'_>> = Vec::new();
    // Where on the way each of its steps stands.
    let mut places: BTreeMap<Asked, usize> = BTreeMap::new();
    let mut next = Some(from);
    loop {
        if let Some(at) = next.take().filter(|at| !done.contains(at)) {
            places.insert(at.clone(), way.len());
            way.push(Step { to_follow: certainly_asked(scenario, directory, &at), at });
        }
        let Some(step) = way.last_mut() else { return };
        let Some((asked, ask)) = step.to_follow.pop() else {
            if let Some(step) = way.pop() {
                places.remove(&step.at);
                done.insert(step.at);
            }
            continue;
        };
        match places.get(&asked) {
            None => next = Some(asked),
            Some(begin) => {
                let name = |step: &Step<'_>| directory.components[step.at.0].name.as_str();
                let names: Vec<&str> = way[*begin..].iter().map(name).collect();
                let message = format!("these calls go round for ever: {} → {}", names.join(" → "), names[0]);
                let problem = Problem::error("call_cycle", ask.at.span, message)
                    .path(ask.at.path.clone())
                    .help("make one of the calls conditional with `choose`, or call something else");
                problems.push(problem);
            }
        }
    }
}

/// What a component asks for each time that it is asked, the last one first.
fn certainly_asked<'s>(scenario: &'s Scenario, directory: &Directory, at: &Asked) -> Vec<(Asked, Ask<'s>)> {
    let place = &directory.components[at.0];
    let settings = &scenario.components.iter().as_slice()[at.0].value.settings;
    let mut asked = Vec::new();
    for ask in settings.certain_asks(&at.1) {
        let Some(found) = place.links.iter().find(|l| l.name == ask.link) else { continue };
        // A link with several targets may go elsewhere; with one it certainly goes there.
        let [target] = found.target_names.as_slice() else { continue };
        let Some(target) = find_component(directory, &place.name, target) else { continue };
        let op = ask.op.map_or(at.1.as_str(), |op| op.as_str());
        asked.push(((target, op.to_string()), ask));
    }
    asked.reverse();
    asked
}

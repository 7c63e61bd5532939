//! Polls that nothing ever starts: a client polls only after an `accepted` answer.

use settings::{Path as TreePath, Problem, Problems};

use super::find::find_component;
use crate::directory::{Directory, LinkEntry};
use crate::scenario::Scenario;

/// Warns of each `poll` of a workload none of whose calls, however far they go, reaches a component that answers `accepted`.
pub(super) fn check(scenario: &Scenario, directory: &Directory, problems: &mut Problems) {
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        let polls = || entry.value.requests.iter().enumerate().filter_map(|(nth, r)| Some((nth, r.poll.as_ref()?)));
        if polls().next().is_none() || reaches_one_that_accepts(scenario, directory, &place.name, &place.link) {
            continue;
        }
        for (nth, poll) in polls() {
            let path = TreePath::of(&["workloads", entry.name.as_str(), "requests"]).join(nth).join("poll");
            let message = "nothing that these requests reach answers `accepted`: the client never polls";
            let help = "end the steps of an operation with `reply: accepted`, or publish to a queue; or remove `poll`";
            problems.push(Problem::warning("no_effect", poll.op.span, message).path(path).help(help));
        }
    }
}

/// Whether a component that answers `accepted` is among those that a workload's calls can come to, over whatever way.
fn reaches_one_that_accepts(scenario: &Scenario, directory: &Directory, caller: &str, link: &LinkEntry) -> bool {
    let targets = |caller: &str, link: &LinkEntry| -> Vec<usize> {
        link.target_names.iter().filter_map(|target| find_component(directory, caller, target)).collect()
    };
    let mut open = targets(caller, link);
    let mut seen = vec![false; directory.components.len()];
    while let Some(component) = open.pop() {
        if std::mem::replace(&mut seen[component], true) {
            continue;
        }
        if scenario.components.iter().as_slice()[component].value.settings.can_accept() {
            return true;
        }
        let place = &directory.components[component];
        open.extend(place.links.iter().flat_map(|link| targets(&place.name, link)));
    }
    false
}

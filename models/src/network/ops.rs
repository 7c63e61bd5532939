//! Which operations reach which components.

use settings::{Path as TreePath, Problem, Problems, Span};

use super::find::find_component;
use crate::components::kind::Answers;
use crate::directory::Directory;
use crate::scenario::Scenario;

/// Follows every operation from the workloads on and checks that whoever is asked for it answers it. What every component
/// can be asked for, by number.
pub(super) fn check(scenario: &Scenario, directory: &Directory, problems: &mut Problems) -> Vec<Vec<u16>> {
    let mut seen: Vec<(usize, String)> = Vec::new();
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut ask = |component: usize,
                   op: &str,
                   span,
                   path: &TreePath,
                   open: &mut Vec<(usize, String)>,
                   problems: &mut Problems| {
        if seen.iter().any(|(c, o)| *c == component && o == op) {
            return;
        }
        seen.push((component, op.to_string()));
        let place = &directory.components[component];
        let Some(entry) = scenario.components.entry(&place.name) else { return };
        match entry.value.settings.answers() {
            Answers::Ops(ops) if !ops.contains(&op) && !ops.contains(&"default") => {
                let message = format!("`{}` is asked for `{op}`, which it does not handle", place.name);
                let problem = Problem::error("op_without_handler", span, message)
                    .path(path.clone())
                    .help_if(settings::problem::did_you_mean(op, ops.iter().copied()))
                    .help_if(Some(match op {
                        "default" => format!("it handles {}; add `default`", ops.join(", ")),
                        _ => format!("it handles {}; add `{op}` or `default`", ops.join(", ")),
                    }));
                problems.push(problem);
            }
            Answers::Ops(_) | Answers::Anything => open.push((component, op.to_string())),
        }
    };
    for (entry, place) in scenario.workloads.iter().zip(&directory.workloads) {
        for asked in entry.value.polled() {
            let Some(poll) = asked.sort.and_then(|sort| entry.value.requests[sort].poll.as_ref()) else { continue };
            for target in &place.link.target_names {
                if let Some(component) = find_component(directory, &place.name, target) {
                    ask(component, asked.op, poll.op.span, &poll.op.path, &mut open, problems);
                }
            }
        }
        for asked in entry.value.asked() {
            let (span, path) = match asked.sort.map(|sort| &entry.value.requests[sort].op) {
                Some(op) if op.span.is_somewhere() => (op.span, op.path.clone()),
                Some(op) => (entry.name_span, op.path.clone()),
                None => {
                    let workload = TreePath::of(&["workloads", entry.name.as_str()]);
                    (Span::NOWHERE, workload.join("arrivals").join("trace").join("op_column"))
                }
            };
            for target in &place.link.target_names {
                if let Some(component) = find_component(directory, &place.name, target) {
                    ask(component, asked.op, span, &path, &mut open, problems);
                }
            }
        }
    }
    while let Some((component, op)) = open.pop() {
        let place = &directory.components[component];
        let Some(entry) = scenario.components.entry(&place.name) else { continue };
        let settings = &entry.value.settings;
        for (consumer, of) in directory.components.iter().enumerate() {
            let Some(consumes) = scenario.components.get(&of.name).map(|entry| entry.settings.consumes()) else {
                continue;
            };
            for (consume, _) in consumes.iter().zip(&of.consumes).filter(|(_, entry)| entry.from == Some(component)) {
                let at = consume.op.as_ref().unwrap_or(&consume.from);
                let wanted = consume.op.as_ref().map_or(op.as_str(), |op| op.as_str());
                ask(consumer, wanted, at.span, &at.path, &mut open, problems);
            }
        }
        let handler = match settings.answers() {
            Answers::Ops(ops) => Some(if ops.contains(&op.as_str()) { op.clone() } else { "default".to_string() }),
            Answers::Anything => None,
        };
        for asked in settings.asks() {
            if asked.handler.is_some() && asked.handler != handler.as_deref() {
                continue;
            }
            let (wanted, span, path) = match asked.op {
                Some(op) => (op.as_str().to_string(), op.span, op.path.clone()),
                None => (op.clone(), asked.at.span, asked.at.path.clone()),
            };
            let Some(link) = place.links.iter().find(|l| l.name == asked.link) else { continue };
            for target in &link.target_names {
                if let Some(target) = find_component(directory, &place.name, target) {
                    ask(target, &wanted, span, &path, &mut open, problems);
                }
            }
        }
    }
    let mut asked = vec![Vec::new(); directory.components.len()];
    for (number, op) in directory.ops.iter().enumerate() {
        for (component, _) in seen.iter().filter(|(_, seen)| seen == op) {
            asked[*component].push(number as u16);
        }
    }
    asked
}

//! Which operations reach which components.

use std::collections::{BTreeMap, BTreeSet};

use settings::{Path as TreePath, Problem, Problems, Span};

use super::bounds::OPS_OF_COMPONENTS_MAX;
use super::find::find_component;
use crate::components::kind::Answers;
use crate::consuming::ConsumeSettings;
use crate::directory::Directory;
use crate::scenario::Scenario;

/// Follows every operation from the workloads on and checks that whoever is asked for it answers it. What every component
/// can be asked for, by number.
pub(super) fn check(scenario: &Scenario, directory: &Directory, problems: &mut Problems) -> Vec<Vec<u16>> {
    let mut reach = Reach { scenario, directory, problems, seen: BTreeSet::new(), open: Vec::new() };
    reach.follow_workloads();
    let consumers = consumers(scenario, directory);
    while let Some((component, op)) = reach.open.pop() {
        for (consumer, consume) in consumers.get(&component).into_iter().flatten() {
            let at = consume.op.as_ref().unwrap_or(&consume.from);
            let wanted = consume.op.as_ref().map_or(op.as_str(), |op| op.as_str());
            reach.ask(*consumer, wanted, at.span, &at.path);
        }
        reach.follow_component(component, &op);
        if reach.seen.len() > OPS_OF_COMPONENTS_MAX {
            let message = format!(
                "more than {OPS_OF_COMPONENTS_MAX} combinations of a component and an operation that reaches it"
            );
            let problem = Problem::error("too_many", Span::NOWHERE, message).path(TreePath::of(&["workloads"]));
            reach.problems.push(problem);
            break;
        }
    }
    let numbers: BTreeMap<&str, u16> = directory.ops.iter().map(String::as_str).zip(0..).collect();
    let mut asked = vec![Vec::new(); directory.components.len()];
    for (component, op) in &reach.seen {
        asked[*component].extend(numbers.get(op.as_str()));
    }
    asked.iter_mut().for_each(|ops| ops.sort_unstable());
    asked
}

/// Who consumes from each component, and how.
fn consumers<'s>(scenario: &'s Scenario, directory: &Directory) -> BTreeMap<usize, Vec<(usize, &'s ConsumeSettings)>> {
    let mut consumers: BTreeMap<usize, Vec<(usize, &ConsumeSettings)>> = BTreeMap::new();
    for (consumer, (entry, place)) in scenario.components.iter().zip(&directory.components).enumerate() {
        for (consume, of) in entry.value.settings.consumes().iter().zip(&place.consumes) {
            if let Some(from) = of.from {
                consumers.entry(from).or_default().push((consumer, consume));
            }
        }
    }
    consumers
}

/// What has been reached so far.
struct Reach<'a> {
    scenario: &'a Scenario,
    directory: &'a Directory,
    problems: &'a mut Problems,
    seen: BTreeSet<(usize, String)>,
    open: Vec<(usize, String)>,
}

impl Reach<'_> {
    fn follow_workloads(&mut self) {
        for (entry, place) in self.scenario.workloads.iter().zip(&self.directory.workloads) {
            for asked in entry.value.polled() {
                let Some(poll) = asked.sort.and_then(|sort| entry.value.requests[sort].poll.as_ref()) else { continue };
                for target in &place.link.target_names {
                    if let Some(component) = find_component(self.directory, &place.name, target) {
                        self.ask(component, asked.op, poll.op.span, &poll.op.path);
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
                    if let Some(component) = find_component(self.directory, &place.name, target) {
                        self.ask(component, asked.op, span, &path);
                    }
                }
            }
        }
    }

    /// What a component asks of others when it is asked for `op`.
    fn follow_component(&mut self, component: usize, op: &str) {
        let place = &self.directory.components[component];
        let settings = &self.scenario.components.iter().as_slice()[component].value.settings;
        let handler = match settings.answers() {
            Answers::Ops(ops) => Some(if ops.contains(&op) { op } else { "default" }),
            Answers::Anything => None,
        };
        for asked in settings.asks() {
            if asked.handler.is_some() && asked.handler != handler {
                continue;
            }
            let (wanted, span, path) = match asked.op {
                Some(op) => (op.as_str(), op.span, &op.path),
                None => (op, asked.at.span, &asked.at.path),
            };
            let Some(link) = place.links.iter().find(|l| l.name == asked.link) else { continue };
            for target in &link.target_names {
                if let Some(target) = find_component(self.directory, &place.name, target) {
                    self.ask(target, wanted, span, path);
                }
            }
        }
    }

    fn ask(&mut self, component: usize, op: &str, span: Span, path: &TreePath) {
        if !self.seen.insert((component, op.to_string())) {
            return;
        }
        let entry = &self.scenario.components.iter().as_slice()[component];
        match entry.value.settings.answers() {
            Answers::Ops(ops) if !ops.contains(&op) && !ops.contains(&"default") => {
                let message = format!("`{}` is asked for `{op}`, which it does not handle", entry.name.as_str());
                let problem = Problem::error("op_without_handler", span, message)
                    .path(path.clone())
                    .help_if(settings::problem::did_you_mean(op, ops.iter().copied()))
                    .help_if(Some(match op {
                        "default" => format!("it handles {}; add `default`", ops.join(", ")),
                        _ => format!("it handles {}; add `{op}` or `default`", ops.join(", ")),
                    }));
                self.problems.push(problem);
            }
            Answers::Ops(_) | Answers::Anything => self.open.push((component, op.to_string())),
        }
    }
}

//! Unused parts of a scenario: sets of policies and templates are checked even if nothing uses them.
//!
//! A set of policies is read as the settings of a link. A template is instantiated once for the check, and only
//! problems within its text are kept.

use models::link::LinkSettings;
use models::network::{self, bounds::MEMORY_MAX};
use models::scenario::Scenario;
use settings::{Entry, Node, Path, Problem, Problems, Reader, Setting, Value};

use crate::document::Sources;
use crate::expand::{entries_at, expand};
use crate::places::in_file_order;

/// Checks every set of policies by itself, including settings that each of its links overrides.
pub(crate) fn check_policies(document: &Node, reader: &mut Reader, problems: &mut Problems) {
    for set in entries_at(document, "policies") {
        let mut entries = match &set.value.value {
            Value::Map(entries) => entries.clone(),
            Value::Null => continue,
            _ => {
                let message = format!("expected a map of link settings, found {}", set.value.found());
                problems.push(at_set(Problem::error("wrong_type", set.value.span, message), set));
                continue;
            }
        };
        for key in ["to", "use"] {
            if let Some(place) = entries.iter().position(|entry| entry.key == key) {
                let stray = entries.remove(place);
                let message = format!("a set of policies cannot have `{key}`: it says how links call, not whom");
                problems.push(at_set(Problem::error("unknown_key", stray.key_span, message), set));
            }
        }
        // The target of the link is irrelevant here.
        entries.push(Entry::new("to", Node::scalar("nobody")));
        let link = Node::new(Value::Map(entries), set.value.span);
        reader.within("policies", None, |reader| {
            reader.within_key(set, |reader| LinkSettings::read(&link, reader));
        });
        problems.extend(std::mem::take(&mut reader.problems));
    }
}

fn at_set(problem: Problem, set: &Entry) -> Problem {
    problem.path(Path::of(&["policies", set.key.as_str()]))
}

/// Checks every template that no cluster uses.
pub(crate) fn check_templates(document: &Node, sources: &Sources, reader: &mut Reader, problems: &mut Problems) {
    let clusters = entries_at(document, "clusters");
    let from = |cluster: &Entry| cluster.value.entry("from").and_then(|from| from.value.as_text().map(str::to_string));
    let used: Vec<String> = clusters.iter().filter_map(from).collect();
    for template in entries_at(document, "templates").iter().filter(|template| !used.contains(&template.key)) {
        let message = format!("no cluster uses the template `{}`", template.key);
        let path = Path::of(&["templates", template.key.as_str()]);
        problems.push(Problem::warning("unused_template", template.key_span, message).path(path));
        within(document, sources, template, reader).for_each(|problem| problems.push(problem));
    }
}

/// The problems within a template's text when it is instantiated.
fn within<'t>(
    document: &Node,
    sources: &Sources,
    template: &'t Entry,
    reader: &mut Reader,
) -> impl Iterator<Item = Problem> + use<'t> {
    let mut found = Problems::new();
    let name = template.key.as_str();
    let mut whole = document.clone();
    let mut cluster = vec![Entry::new("from", Node::scalar(name))];
    if let Some(region) = entries_at(document, "regions").first() {
        cluster.push(Entry::new("region", Node::scalar(region.key.as_str())));
    }
    if let Value::Map(entries) = &mut whole.value {
        entries.retain(|entry| entry.key != "clusters");
        entries.push(Entry::new("clusters", Node::one(name, Node::map(cluster))));
    }
    let plain = expand(&whole, None, &[], &mut found);
    let scenario = Scenario::read(&plain, reader);
    found.extend(std::mem::take(&mut reader.problems));
    if let Some(scenario) = scenario {
        let (seed, warmup) = (scenario.seed, scenario.warmup());
        network::build(&scenario, &Vec::new(), (seed, warmup), MEMORY_MAX, &mut found);
    }
    let span = template.value.span;
    let is_inside = move |problem: &Problem| {
        problem.span.source == span.source && problem.span.start >= span.start && problem.span.end <= span.end
    };
    let placed = in_file_order(found, &plain, document, sources);
    placed.into_iter().filter(is_inside).map(|problem| {
        let path = path_in(template, &problem.path);
        problem.path(path)
    })
}

/// Translates `components.CLUSTER/NAME.…` to the path in the template.
fn path_in(template: &Entry, path: &Path) -> Path {
    let mut inside = Path::of(&["templates", template.key.as_str()]);
    for segment in path.segments() {
        inside.push(segment.split_once('/').map_or(segment.as_str(), |(_, local)| local));
    }
    inside
}

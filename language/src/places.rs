//! Assigns places to problems and sorts them in file order.
//!
//! A check that works on settings rather than text only knows the path of its finding. This module follows the path
//! through the tree to the key that introduces it.

use settings::problem::did_you_mean;
use settings::{Name, Node, Path, Problem, Problems, Span, Value};

use crate::document::Sources;
use crate::expand::{WORKED_IN, entries_at};

/// Places and sorts problems: those with only a path point at the key that introduces it, those that point at an
/// enclosing value move to the key, and duplicates from several readers of one place are removed.
pub fn in_file_order(problems: Problems, plain: &Node, document: &Node, sources: &Sources) -> Vec<Problem> {
    let mut placed = Problems::new();
    for mut problem in problems {
        let way = way_to(plain, &problem.path);
        let way = if way.is_empty() { way_to(document, &problem.path) } else { way };
        let deepest = way.iter().rev().find(|(span, _)| span.is_somewhere());
        if !problem.span.is_somewhere() {
            problem.span = deepest.map_or_else(|| beginning(sources), |(span, _)| *span);
        } else if let Some(place) = way.iter().position(|(span, _)| *span == problem.span)
            && let Some((span, _)) = way[place + 1..].iter().rev().find(|(span, full)| span.is_somewhere() && *full)
        {
            problem.span = *span;
        }
        placed.push(problem);
    }
    let mut unique: Vec<Problem> = Vec::new();
    for problem in placed.into_sorted() {
        let same = |known: &Problem| {
            known.span == problem.span && known.code == problem.code && known.message == problem.message
        };
        if !unique.iter().any(same) {
            unique.push(problem);
        }
    }
    unique
}

/// The keys along a path as far as it exists in the tree, each with whether it is the last segment of the path.
fn way_to(tree: &Node, path: &Path) -> Vec<(Span, bool)> {
    let mut way = Vec::new();
    let mut node = tree;
    let segments = path.segments();
    for (depth, segment) in segments.iter().enumerate() {
        let is_last = depth + 1 == segments.len();
        node = match &node.value {
            Value::Map(entries) => match entries.iter().find(|entry| entry.key == *segment) {
                Some(entry) => {
                    way.push((entry.key_span, is_last));
                    &entry.value
                }
                None => break,
            },
            Value::List(members) => match segment.parse::<usize>().ok().and_then(|place| members.get(place)) {
                Some(member) => {
                    way.push((member.span, is_last));
                    member
                }
                None => break,
            },
            _ => break,
        };
    }
    way
}

/// The first key of the scenario.
fn beginning(sources: &Sources) -> Span {
    let id = settings::SourceId(0);
    let text = sources.get(id).map_or("", |source| source.text.as_str());
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let said = line.trim();
        if !said.is_empty() && !said.starts_with('#') && said != "---" {
            let indentation = line.len() - line.trim_start().len();
            let start = (offset + indentation) as u32;
            return Span::new(id, start, start + said.split(':').next().unwrap_or(said).len() as u32);
        }
        offset += line.len();
    }
    Span::new(id, 0, 0)
}

/// Rejects names that users may not give: `/` is reserved for clusters, and names in sections that no setting reads are
/// checked here.
pub(crate) fn check_names(document: &Node, problems: &mut Problems) {
    for section in ["policies", "templates", "clusters", "variants"] {
        each_name(document, section, problems, false);
    }
    for section in ["workloads", "components", "hosts", "regions"] {
        each_name(document, section, problems, true);
    }
    let inner = |tree: &Node, at: &str, problems: &mut Problems| {
        for component in entries_at(tree, "components") {
            for part in ["calls", "handlers"] {
                let at = format!("{at}{}.{part}", component.key);
                for entry in entries_at(&component.value, part) {
                    refuse_name(entry, &at, problems, true);
                }
            }
        }
    };
    inner(document, "components.", problems);
    for template in entries_at(document, "templates") {
        let at = format!("templates.{}.", template.key);
        inner(&template.value, &format!("{at}components."), problems);
        for section in ["components", "hosts"] {
            for entry in entries_at(&template.value, section) {
                refuse_name(entry, &format!("{at}{section}"), problems, true);
            }
        }
    }
    let components = entries_at(document, "components");
    for workload in entries_at(document, "workloads") {
        if components.iter().any(|component| component.key == workload.key) {
            let message = format!("`{}` is the name of a component too", workload.key);
            let path = Path::of(&["workloads", workload.key.as_str()]);
            let help = "names must be unique, so that faults and metrics can tell them apart";
            problems.push(Problem::error("duplicate_name", workload.key_span, message).path(path).help(help));
        }
    }
}

fn each_name(document: &Node, section: &str, problems: &mut Problems, is_read: bool) {
    for entry in entries_at(document, section) {
        refuse_name(entry, section, problems, is_read);
    }
}

/// `is_read` means that a setting reads the map later and rejects invalid names itself.
fn refuse_name(entry: &settings::Entry, at: &str, problems: &mut Problems, is_read: bool) {
    let mut path = Path::parse(at).unwrap_or_default();
    path.push(&entry.key);
    if entry.key.contains('/') && <Name as settings::Scalar>::parse(&entry.key).is_ok() {
        let message = format!("`{}` cannot be the name of something that is defined here", entry.key);
        let help = "a name with `/` is that of a part of a cluster, which `clusters` makes from a template";
        problems.push(Problem::error("bad_name", entry.key_span, message).path(path).help(help));
    } else if !is_read && let Err(error) = <Name as settings::Scalar>::parse(&entry.key) {
        problems.push(Problem::error("bad_name", entry.key_span, error.message).path(path).help_if(error.help));
    }
}

/// Adds suggestions that the settings alone cannot know: keys that are resolved before reading, and misspelt names in
/// the paths of overrides, for which a new part was created.
pub(crate) fn name_the_nearest(found: Problems, document: &Node) -> Problems {
    let mut named = Problems::new();
    for mut problem in found {
        let near = match (problem.code, problem.path.segments()) {
            ("unknown_key", [key]) => did_you_mean(key, WORKED_IN).or_else(|| with_worked_in(problem.help.as_deref())),
            ("unknown_key", [.., key]) if problem.help.as_deref().is_some_and(lists_link_settings) => {
                did_you_mean(key, ["use"])
            }
            ("missing_key", [section, name, ..]) if !name.contains('/') => {
                let names = entries_at(document, section).iter().map(|entry| entry.key.as_str());
                let is_new = names.clone().all(|known| known != name);
                did_you_mean(name, names).filter(|_| is_new)
            }
            _ => None,
        };
        problem.help = near.or(problem.help);
        named.push(problem);
    }
    named
}

/// Extends a list of the sections of a scenario with those that are resolved before reading.
fn with_worked_in(help: Option<&str>) -> Option<String> {
    let (most, last) = help?.strip_prefix("known here: ")?.rsplit_once(" and ")?;
    let gone: Vec<String> = WORKED_IN.iter().map(|section| format!("`{section}`")).collect();
    Some(format!("known here: {most}, {} and {last}", gone.join(", ")))
}

/// Whether a help text lists the settings of a link.
fn lists_link_settings(help: &str) -> bool {
    help.starts_with("known here: `to`, `timeout`")
}

/// Whether a problem is about an unresolved name, which can also be found in a part of a scenario.
pub(crate) fn is_about_a_name(problem: &Problem) -> bool {
    problem.message.contains(" is called `") || matches!(problem.code, "op_without_handler" | "call_cycle")
}

/// Whether a missing name was removed by a repair, so that it is not really missing.
pub(crate) fn was_left_out(problem: &Problem, document: &Node, left: &Node) -> bool {
    let names: Vec<&str> = problem.message.split('`').skip(1).step_by(2).collect();
    names.iter().any(|name| has_key(document, name) && !has_key(left, name))
        || (problem.code == "op_without_handler" && names.iter().any(|name| count(document, name) != count(left, name)))
}

fn has_key(tree: &Node, key: &str) -> bool {
    match &tree.value {
        Value::Map(entries) => entries.iter().any(|entry| entry.key == key || has_key(&entry.value, key)),
        Value::List(members) => members.iter().any(|member| has_key(member, key)),
        _ => false,
    }
}

fn count(tree: &Node, key: &str) -> usize {
    match &tree.value {
        Value::Map(entries) => {
            entries.iter().map(|entry| usize::from(entry.key == key) + count(&entry.value, key)).sum()
        }
        Value::List(members) => members.iter().map(|member| count(member, key)).sum(),
        _ => 0,
    }
}

//! Resolves variants, overrides, named policies, templates and clusters before a document is read.
//!
//! All of this happens on the tree, so that components need not know about it, and every value keeps its source
//! position.

use models::components::KINDS;
use settings::values::Scalar;
use settings::{Entry, Name, Node, Path, Problem, Problems, Span, Value};

use crate::document::Override;

/// The keys that are resolved here and then removed.
pub(crate) const WORKED_IN: [&str; 4] = ["variants", "policies", "templates", "clusters"];

/// The names of a document's variants, in file order.
pub(crate) fn variant_names(document: &Node) -> Vec<String> {
    let variants = document.at("variants").and_then(|v| v.entries());
    variants.map_or_else(Vec::new, |v| v.iter().map(|e| e.key.clone()).collect())
}

/// The entries of a section; empty if it does not exist.
pub(crate) fn entries_at<'n>(document: &'n Node, section: &str) -> &'n [Entry] {
    document.entry(section).and_then(|entry| entry.value.entries()).unwrap_or_default()
}

/// Applies a variant and the overrides, and expands clusters and named policies. The result is a plain scenario.
pub(crate) fn expand(
    document: &Node,
    variant: Option<(&str, Span)>,
    overrides: &[Override],
    problems: &mut Problems,
) -> Node {
    let mut node = document.clone();
    let mut patches: Vec<Override> = Vec::new();
    if let Some((name, place)) = variant {
        match document.entry("variants").and_then(|variants| variants.value.entry(name)).map(|entry| &entry.value) {
            Some(changes) => patches.extend(changes_of(changes, &format!("variants.{name}"), problems)),
            None => {
                let names = variant_names(document);
                let mut problem = Problem::unknown_name("variant", name, place, names.iter().map(String::as_str));
                problem.code = "unknown_variant";
                problems.push(problem);
            }
        }
    }
    patches.extend(overrides.iter().cloned());
    // Paths into a cluster exist only after the cluster has been instantiated.
    let (late, early): (Vec<_>, Vec<_>) =
        patches.into_iter().partition(|p| p.path.segments().get(1).is_some_and(|s| s.contains('/')));
    for patch in early {
        work_in(&patch, &mut node, problems);
    }
    stamp_clusters(&mut node, problems);
    for patch in late {
        work_in(&patch, &mut node, problems);
    }
    use_policies(&mut node, problems);
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|e| !WORKED_IN.contains(&e.key.as_str()));
    }
    node
}

/// Applies one override. Short forms along its path (`call: edge`) are expanded first, so that the path exists.
pub fn work_in(patch: &Override, node: &mut Node, problems: &mut Problems) {
    let (book, shape) = crate::reference::book();
    settings::overrides::write_out(book, shape, node, &patch.path);
    if let Err(problem) = patch.apply(node) {
        problems.push(problem);
    }
}

/// Converts a map of paths to values into overrides.
pub(crate) fn changes_of(changes: &Node, at: &str, problems: &mut Problems) -> Vec<Override> {
    let Some(entries) = changes.entries() else {
        if changes.value != Value::Null {
            let problem = Problem::error("wrong_type", changes.span, "expected a map of paths to values");
            problems.push(problem.path(path_of(at)));
        }
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        match Path::parse(&entry.key) {
            Ok(path) => {
                found.push(Override { path, path_span: entry.key_span, value: entry.value.clone() });
            }
            Err(why) => problems.push(Problem::error("bad_override", entry.key_span, why).path(path_of(at))),
        }
    }
    found
}

fn path_of(text: &str) -> Path {
    Path::parse(text).unwrap_or_default()
}

/// Replaces `use: [name, …]` in links with the settings of those sets; the link's own keys win, then later names over
/// earlier ones.
fn use_policies(document: &mut Node, problems: &mut Problems) {
    let policies = document.at("policies").cloned();
    let known: Vec<String> = policies
        .as_ref()
        .and_then(|p| p.entries())
        .map_or_else(Vec::new, |e| e.iter().map(|e| e.key.clone()).collect());
    let mut used: Vec<String> = Vec::new();
    each_link(document, &mut |link, path| {
        let Some(entry) = link.entry("use").cloned() else { return };
        let names: Vec<Node> = match &entry.value.value {
            Value::List(names) => names.clone(),
            _ => vec![entry.value.clone()],
        };
        let mut merged: Vec<Entry> = Vec::new();
        for name in names {
            let Some(text) = name.as_text() else {
                problems.push(
                    Problem::error("wrong_type", name.span, "expected the name of a set of policies")
                        .path(path_of(path)),
                );
                continue;
            };
            let Some(set) = policies.as_ref().and_then(|p| p.entry(text)) else {
                let problem =
                    Problem::unknown_name("set of policies", text, name.span, known.iter().map(String::as_str));
                problems.push(problem.path(path_of(&format!("{path}.use"))));
                continue;
            };
            used.push(text.to_string());
            for entry in set.value.entries().unwrap_or_default() {
                merged.retain(|m| m.key != entry.key);
                merged.push(entry.clone());
            }
        }
        if let Value::Map(own) = &mut link.value {
            own.retain(|e| e.key != "use");
            merged.retain(|m| !own.iter().any(|e| e.key == m.key));
            own.extend(merged);
        }
    });
    for entry in policies.as_ref().and_then(|p| p.entries()).unwrap_or_default() {
        if !used.contains(&entry.key) {
            let message = format!("no link uses the policies `{}`", entry.key);
            problems.push(
                Problem::warning("unused_policies", entry.key_span, message)
                    .path(path_of(&format!("policies.{}", entry.key)))
                    .help("apply it with `use`, or remove it"),
            );
        }
    }
}

/// Visits the links of a document: `call` of workloads, `calls` of components, and `to` written as a whole link.
fn each_link(document: &mut Node, visit: &mut impl FnMut(&mut Node, &str)) {
    let section = |document: &mut Node, section: &str, visit: &mut dyn FnMut(&str, &mut Node)| {
        let Value::Map(top) = &mut document.value else { return };
        let Some(section) = top.iter_mut().find(|e| e.key == section) else { return };
        if let Value::Map(entries) = &mut section.value.value {
            for entry in entries {
                visit(&entry.key, &mut entry.value);
            }
        }
    };
    section(document, "workloads", &mut |name, workload| {
        if let Value::Map(entries) = &mut workload.value
            && let Some(call) = entries.iter_mut().find(|e| e.key == "call")
        {
            visit(&mut call.value, &format!("workloads.{name}.call"));
        }
    });
    section(document, "components", &mut |name, component| {
        let Value::Map(entries) = &mut component.value else { return };
        if let Some(to) = entries.iter_mut().find(|e| e.key == "to") {
            visit(&mut to.value, &format!("components.{name}.to"));
        }
        if let Some(calls) = entries.iter_mut().find(|e| e.key == "calls")
            && let Value::Map(calls) = &mut calls.value.value
        {
            for call in calls {
                visit(&mut call.value, &format!("components.{name}.calls.{}", call.key));
            }
        }
    });
}

/// The keys of a cluster.
const CLUSTER: [&str; 3] = ["from", "region", "set"];

/// Instantiates templates: each component and group of hosts of a cluster's template becomes `CLUSTER/NAME`.
fn stamp_clusters(document: &mut Node, problems: &mut Problems) {
    let Some(clusters) = document.at("clusters").cloned() else {
        return;
    };
    let templates = document.at("templates").cloned();
    for cluster in clusters.entries().unwrap_or_default() {
        let at = format!("clusters.{}", cluster.key);
        let mut wrong = Vec::new();
        let template = template_of(cluster, templates.as_ref(), &mut wrong);
        wrong.into_iter().for_each(|problem| problems.push(problem.path(path_of(&at))));
        let Some(mut body) = template else { continue };
        if let Some(set) = cluster.value.entry("set") {
            for change in changes_of(&set.value, &format!("{at}.set"), problems) {
                if let Err(problem) = change_template(&mut body, change, problems) {
                    problems.push(problem.path(path_of(&at)));
                }
            }
        }
        put_cluster(document, cluster, &body);
    }
}

/// The template of a cluster; `None` if unknown. Adds the problems of both.
fn template_of(cluster: &Entry, templates: Option<&Node>, wrong: &mut Vec<Problem>) -> Option<Node> {
    if let Err(why) = Name::parse(&cluster.key) {
        wrong.push(Problem::error("bad_name", cluster.key_span, why.message));
        return None;
    }
    for entry in cluster.value.entries().unwrap_or_default() {
        if !CLUSTER.contains(&entry.key.as_str()) {
            let problem = Problem::error("unknown_key", entry.key_span, format!("unknown key `{}`", entry.key))
                .help("a cluster has `from`, `region` and `set`")
                .help_if(settings::problem::did_you_mean(&entry.key, CLUSTER));
            wrong.push(problem);
        }
    }
    let Some(from) = cluster.value.entry("from") else {
        let message = "`from` is missing: the template to instantiate";
        wrong.push(Problem::error("missing_key", cluster.key_span, message));
        return None;
    };
    let name = from.value.as_text().unwrap_or_default();
    let Some(template) = templates.and_then(|t| t.entry(name)) else {
        wrong.push(Problem::unknown_name("template", name, from.value.span, keys(templates)));
        return None;
    };
    for section in template.value.entries().unwrap_or_default() {
        if !["hosts", "components"].contains(&section.key.as_str()) {
            let message = format!("a template holds `hosts` and `components`, not `{}`", section.key);
            wrong.push(Problem::error("unknown_key", section.key_span, message));
        }
    }
    Some(template.value.clone())
}

/// Applies one entry of a cluster's `set` to its template; the path starts with the name of a component of the
/// template.
fn change_template(body: &mut Node, change: Override, problems: &mut Problems) -> Result<(), Problem> {
    let components = body.at("components");
    let first = change.path.segments().first().map_or("", String::as_str);
    if components.and_then(|c| c.entry(first)).is_none() {
        return Err(Problem::unknown_name("component of the template", first, change.path_span, keys(components)));
    }
    let within = std::iter::once("components".to_string()).chain(change.path.segments().iter().cloned());
    let path = Path::of(&within.collect::<Vec<_>>());
    work_in(&Override { path, ..change }, body, problems);
    Ok(())
}

/// Adds the parts of a cluster to the document, in the cluster's region and on its own hosts.
fn put_cluster(document: &mut Node, cluster: &Entry, body: &Node) {
    let region = cluster.value.entry("region").map(|r| r.value.clone());
    let hosts: Vec<String> = keys(body.at("hosts")).map(str::to_string).collect();
    for section in ["hosts", "components"] {
        for entry in entries_at(body, section) {
            let mut value = entry.value.clone();
            if let (Some(region), Value::Map(entries)) = (&region, &mut value.value)
                && !entries.iter().any(|e| e.key == "region")
                && takes_region(section, entries)
            {
                entries.push(Entry { key: "region".into(), key_span: entry.key_span, value: region.clone() });
            }
            if section == "components" {
                place_on_own_hosts(&mut value, &hosts, &cluster.key);
            }
            let name = format!("{}/{}", cluster.key, entry.key);
            put(document, section, Entry { key: name, key_span: entry.key_span, value });
        }
    }
}

/// The keys of a map; empty if the node is not a map.
fn keys(node: Option<&Node>) -> impl Iterator<Item = &str> + Clone {
    node.and_then(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.as_str())
}

/// The opposite of instantiation, for writing a scenario back: the parts of a cluster become a template that only this
/// cluster uses, because a file cannot define names with `/`.
pub(crate) fn fold_clusters(document: &mut Node) {
    let mut templates: Vec<Entry> = Vec::new();
    let Value::Map(top) = &mut document.value else { return };
    for section in ["hosts", "components"] {
        let Some(section_entry) = top.iter_mut().find(|e| e.key == section) else { continue };
        let Value::Map(entries) = &mut section_entry.value.value else { continue };
        let (inside, outside): (Vec<_>, Vec<_>) =
            std::mem::take(entries).into_iter().partition(|e| e.key.contains('/'));
        *entries = outside;
        for mut entry in inside {
            let Some((cluster, local)) = entry.key.clone().split_once('/').map(|(c, l)| (c.to_string(), l.to_string()))
            else {
                continue;
            };
            entry.key = local;
            let at = templates.iter().position(|t| t.key == cluster).unwrap_or_else(|| {
                templates.push(Entry::new(cluster, Node::map(Vec::new())));
                templates.len() - 1
            });
            put(&mut templates[at].value, section, entry);
        }
    }
    if templates.is_empty() {
        return;
    }
    let from = |name: &String| Entry::new(name.clone(), Node::one("from", Node::scalar(name.clone())));
    let clusters = templates.iter().map(|template| from(&template.key)).collect();
    top.push(Entry::new("templates", Node::map(templates)));
    top.push(Entry::new("clusters", Node::map(clusters)));
}

/// Whether an entry of a section has a `region` setting.
fn takes_region(section: &str, entries: &[Entry]) -> bool {
    let kind = entries.iter().find(|e| e.key == "kind").and_then(|e| e.value.as_text());
    let row = KINDS.iter().find(|row| section == "components" && Some(row.name) == kind);
    row.is_none_or(|row| row.has_setting("region"))
}

/// `hosts: NAME` in a component refers to the cluster's own hosts first.
fn place_on_own_hosts(component: &mut Node, own: &[String], cluster: &str) {
    let Value::Map(entries) = &mut component.value else { return };
    let Some(hosts) = entries.iter_mut().find(|e| e.key == "hosts") else { return };
    let rename = |node: &mut Node| {
        if let Value::Scalar { text, .. } = &mut node.value
            && own.contains(text)
        {
            *text = format!("{cluster}/{text}");
        }
    };
    match &mut hosts.value.value {
        Value::Map(entries) => entries.iter_mut().filter(|e| e.key == "on").for_each(|e| rename(&mut e.value)),
        _ => rename(&mut hosts.value),
    }
}

fn put(document: &mut Node, section: &str, entry: Entry) {
    let Value::Map(top) = &mut document.value else { return };
    if !top.iter().any(|e| e.key == section) {
        top.push(Entry { key: section.into(), key_span: entry.key_span, value: Node::map(Vec::new()) });
    }
    let Some(section) = top.iter_mut().find(|e| e.key == section) else { return };
    if let Value::Map(entries) = &mut section.value.value {
        entries.push(entry);
    }
}

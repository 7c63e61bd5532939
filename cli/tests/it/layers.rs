//! The layering: a crate imports only crates in layers below it. The manifests are the source.

use std::fs;

use crate::circles::{sources, taken_from};
use crate::program::repository;

/// The layers, from the bottom up; crates in the same layer do not import each other.
const FLOORS: &[&[&str]] = &[
    &["sim-core", "settings-derive"],
    &["settings"],
    &["models"],
    &["language"],
    &["lab"],
    &["analysis"],
    &["report", "tui"],
    &["cli"],
];

/// All crates, from the bottom up.
pub(crate) fn crates() -> impl Iterator<Item = &'static str> {
    FLOORS.iter().copied().flatten().copied()
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

/// Those of a crate's dependencies that are crates of this workspace, including dependencies of its tests, which are layered
/// in the same way.
fn imports(name: &str) -> Vec<String> {
    let manifest = fs::read_to_string(repository().join(name).join("Cargo.toml")).expect("every crate has a manifest");
    let mut inside = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end_matches(']').ends_with("dependencies");
        } else if inside && let Some(end) = line.find(['.', ' ', '=']) {
            found.push(line[..end].to_owned());
        }
    }
    found.retain(|import| floor(import).is_some());
    found
}

#[test]
fn every_crate_has_a_floor() {
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).expect("the workspace has a manifest");
    let members = manifest.lines().find(|line| line.starts_with("members")).expect("the workspace has members");
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() >= 10, "{members:?}");
    for member in &members {
        assert!(floor(member).is_some(), "{member} stands on no floor");
    }
    for name in crates() {
        assert!(members.contains(&name), "{name} is no member");
    }
}

#[test]
fn a_crate_imports_only_crates_below_it() {
    for name in crates() {
        for import in imports(name) {
            assert!(floor(&import) < floor(name), "{name} imports {import}, which is not below it");
        }
    }
}

/// The parts of the language that screens and reports use: the formatting of problems, quantities, the menu of faults, and
/// tours. All of them are plain data.
const WORDS: &[&str] = &["diagnostics", "menu", "quantity", "tour"];

/// Items for running scenarios; screens and reports only see results.
const RUNNING: &[&str] = &["Loaded", "Session", "check", "load", "loading", "session"];

#[test]
fn screens_and_reports_know_neither_models_nor_the_engine() {
    assert_eq!(imports("tui"), ["lab", "language"]);
    assert_eq!(imports("report"), ["analysis", "lab", "language"]);
    for name in ["tui", "report"] {
        let first = |path: &String| path.split("::").next().unwrap_or_default().to_owned();
        let words: Vec<String> = taken_from(name, "language").iter().map(first).collect();
        assert!(words.iter().all(|word| WORDS.contains(&word.as_str())), "{name} sees plain data only: {words:?}");
        assert!(!words.is_empty(), "{name} has no words of the language");
        let results: Vec<String> = taken_from(name, "lab").iter().map(first).collect();
        assert!(!results.iter().any(|one| RUNNING.contains(&one.as_str())), "{name} sees plain data only: {results:?}");
        assert!(results.iter().any(|one| one == "result"), "{name} sees no result");
    }
}

/// The sources of a crate: path within the crate, and text without tests, which may name the kinds they use.
fn untested(name: &str) -> Vec<(String, String)> {
    let sources = sources(name).into_iter().filter(|(path, _)| !path.ends_with("tests.rs"));
    let found: Vec<(String, String)> =
        sources.map(|(path, text)| (path, text.split("#[cfg(test)]").next().unwrap_or_default().to_owned())).collect();
    assert!(found.len() > 3, "{name} has more sources than these: {found:?}");
    found
}

/// The type name of a kind such as `load_balancer`.
fn type_name(kind: &str) -> String {
    let capital = |part: &str| format!("{}{}", part[..1].to_uppercase(), &part[1..]);
    kind.split('_').map(capital).collect()
}

/// Kinds whose name has another meaning as well: `admission.queue` is the queue for workers, `discovery: dns` is a preset.
const COMMON_WORDS: &[&str] = &["queue", "dns"];

/// Where a text names a kind of component: as a quoted word, as an enum variant, or by its module.
fn names_kind(text: &str, kind: &str) -> Option<String> {
    let variant = type_name(kind);
    let word = (!COMMON_WORDS.contains(&kind)).then(|| format!("\"{kind}\""));
    let patterns = word.into_iter().chain([
        format!("ComponentSettings::{variant}"),
        format!("Node::{variant}"),
        format!("components::{kind}"),
    ]);
    // A longer word with the same beginning is a different word.
    let is_whole = |at: usize, pattern: &str| {
        let next = text[at + pattern.len()..].chars().next();
        !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    patterns
        .into_iter()
        .find(|pattern: &String| text.match_indices(pattern.as_str()).any(|(at, _)| is_whole(at, pattern)))
}

#[test]
fn nothing_outside_its_own_file_names_a_kind_of_component() {
    for name in ["models", "language", "lab", "analysis", "report", "tui"] {
        let sources = untested(name).into_iter();
        // Skip the kinds themselves and their table.
        for (path, text) in sources.filter(|(path, _)| !(name == "models" && path.starts_with("components"))) {
            for row in models::components::KINDS {
                let found = names_kind(&text, row.name);
                assert_eq!(found, None, "{name}/src/{path} names the kind `{}`", row.name);
            }
        }
    }
}

#[test]
fn a_kind_does_not_name_another() {
    let sources = untested("models");
    for row in models::components::KINDS {
        let file = format!("components/{}.rs", row.name);
        let folder = format!("components/{}/", row.name);
        let own = sources.iter().filter(|(path, _)| *path == file || path.starts_with(&folder));
        assert!(own.clone().count() > 0, "{} has a file of its own", row.name);
        for (path, text) in own {
            for other in models::components::KINDS.iter().filter(|other| other.name != row.name) {
                assert_eq!(names_kind(text, other.name), None, "models/src/{path} names the kind `{}`", other.name);
                let import = format!("super::{}", other.name);
                assert!(!text.contains(&import), "models/src/{path} imports {import}");
            }
        }
    }
}

#[test]
fn a_kind_that_is_named_is_found() {
    for (text, kind) in [
        ("matches!(kind, Some(\"cache\"))", "cache"),
        ("ComponentSettings::Service(service) => {", "service"),
        ("if let Node::LoadBalancer(one) = node {", "load_balancer"),
        ("use crate::components::service::Placement;", "service"),
    ] {
        assert!(names_kind(text, kind).is_some(), "{text}");
    }
    for (text, kind) in [
        ("\"cache.to\"", "cache"),
        ("Node::Services", "service"),
        ("components::cached(", "cache"),
        ("a cache", "cache"),
    ] {
        assert_eq!(names_kind(text, kind), None, "{text}");
    }
}

#[test]
fn the_engine_imports_nothing_of_this_house() {
    assert!(imports("sim-core").is_empty());
}

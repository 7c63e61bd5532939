//! The layering: a crate imports only crates below it. The manifests are read as they are.

use std::fs;

use crate::circles::{sources, taken_from};
use crate::program::repository;

/// The house from the ground up; crates on one floor do not know each other.
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

/// All crates, from the ground up.
pub(crate) fn crates() -> impl Iterator<Item = &'static str> {
    FLOORS.iter().copied().flatten().copied()
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

/// The crates of this workspace among a crate's dependencies; those for its tests too, since they are layered the same.
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

/// What of the language screens and reports are made with: how problems are shown, how quantities are read, and which faults
/// can be let strike. All of it is plain data.
const WORDS: &[&str] = &["diagnostics", "menu", "quantity"];

/// What runs, which screens and reports only see the results of.
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

#[test]
fn screens_and_reports_name_no_kind_of_component() {
    for name in ["tui", "report"] {
        for (path, text) in sources(name) {
            // What tests draw may be called anything.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for row in models::components::KINDS {
                let quoted = format!("\"{}\"", row.name);
                assert!(!text.contains(&quoted), "{name}/src/{path} names the kind {quoted}");
            }
        }
    }
}

#[test]
fn the_engine_imports_nothing_of_this_house() {
    assert!(imports("sim-core").is_empty());
}

//! The layering: a crate imports only crates below it. The manifests are read as they are.

use std::fs;

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
    assert!(members.len() >= 8, "{members:?}");
    for member in &members {
        assert!(floor(member).is_some(), "{member} stands on no floor");
    }
    for name in FLOORS.iter().copied().flatten() {
        assert!(members.contains(name), "{name} is no member");
    }
}

#[test]
fn a_crate_imports_only_crates_below_it() {
    for name in FLOORS.iter().copied().flatten() {
        for import in imports(name) {
            assert!(floor(&import) < floor(name), "{name} imports {import}, which is not below it");
        }
    }
}

#[test]
fn screens_and_reports_know_neither_models_nor_the_engine() {
    for name in ["tui", "report"] {
        assert_eq!(imports(name), ["lab"], "{name} sees plain data only");
    }
}

#[test]
fn screens_and_reports_name_no_kind_of_component() {
    for name in ["tui", "report"] {
        let mut folders = vec![repository().join(name).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a crate has sources") {
                let path = entry.expect("a readable folder").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap_or_default();
                // What tests draw may be called anything.
                let text = text.split("#[cfg(test)]").next().unwrap_or_default();
                for row in models::components::KINDS {
                    let quoted = format!("\"{}\"", row.name);
                    assert!(!text.contains(&quoted), "{} names the kind {quoted}", path.display());
                }
            }
        }
    }
}

#[test]
fn the_engine_imports_nothing_of_this_house() {
    assert!(imports("sim-core").is_empty());
}

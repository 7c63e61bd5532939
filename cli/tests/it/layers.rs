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

/// The sources of a crate: path within the crate, and text without its tests, which may name what they build.
fn sources(name: &str) -> Vec<(String, String)> {
    let root = repository().join(name).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a crate has sources") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let within = path.strip_prefix(&root).expect("below the root").display().to_string();
            if within.ends_with("tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source is text");
            found.push((within, text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()));
        }
    }
    assert!(found.len() > 3, "{name} has more sources than these: {found:?}");
    found
}

/// `load_balancer` as Rust names types.
fn type_name(kind: &str) -> String {
    let capital = |part: &str| format!("{}{}", part[..1].to_uppercase(), &part[1..]);
    kind.split('_').map(capital).collect()
}

/// Where a text names a kind of component: as a quoted word, as a variant of a choice by kind, by its module.
fn names_kind(text: &str, kind: &str) -> Option<String> {
    let variant = type_name(kind);
    let patterns = [
        format!("\"{kind}\""),
        format!("ComponentSettings::{variant}"),
        format!("Node::{variant}"),
        format!("components::{kind}"),
    ];
    // A longer word that begins in the same way is another word.
    let is_whole = |at: usize, pattern: &str| {
        let next = text[at + pattern.len()..].chars().next();
        !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    patterns.into_iter().find(|pattern| text.match_indices(pattern.as_str()).any(|(at, _)| is_whole(at, pattern)))
}

#[test]
fn nothing_outside_its_own_file_names_a_kind_of_component() {
    for name in ["models", "lab", "report", "tui"] {
        let sources = sources(name).into_iter();
        // What a kind says of itself, and the table of kinds.
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
    let sources = sources("models");
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
        ("matches!(kind, Some(\"dns\"))", "dns"),
        ("ComponentSettings::Service(service) => {", "service"),
        ("if let Node::LoadBalancer(one) = node {", "load_balancer"),
        ("use crate::components::service::Placement;", "service"),
    ] {
        assert!(names_kind(text, kind).is_some(), "{text}");
    }
    for (text, kind) in
        [("\"dns.to\"", "dns"), ("Node::Services", "service"), ("components::cached(", "cache"), ("a cache", "cache")]
    {
        assert_eq!(names_kind(text, kind), None, "{text}");
    }
}

#[test]
fn the_engine_imports_nothing_of_this_house() {
    assert!(imports("sim-core").is_empty());
}

//! Compares every built-in scenario with its expected report.
//!
//! After a change that is meant to move a figure: `UPDATE_EXPECTED=1 cargo test -p cli expected`, then review the difference
//! like code, and give the reason in the commit.

use std::fs;
use std::thread;

use crate::program::{repository, run};

/// The command to run if a difference is intended.
pub(crate) const HOW_TO_UPDATE: &str = "UPDATE_EXPECTED=1 cargo test -p cli expected";

/// Whether to write expected texts instead of comparing them.
pub(crate) fn updates() -> bool {
    std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value == "1")
}

fn names() -> Vec<&'static str> {
    language::builtin::SCENARIOS.iter().map(|(name, _)| *name).collect()
}

/// The first line at which two texts differ, with its number.
fn first_difference(expected: &str, found: &str) -> String {
    let lines = expected.lines().map(Some).chain(std::iter::repeat(None));
    let found_lines = found.lines().map(Some).chain(std::iter::repeat(None));
    let differing = lines.zip(found_lines).enumerate().take(10_000).find(|(_, (a, b))| a != b);
    differing.map_or("line ends differ".to_owned(), |(at, (expected, found))| {
        format!("line {}:\n  expected {:?}\n  found    {:?}", at + 1, expected.unwrap_or(""), found.unwrap_or(""))
    })
}

fn compare(name: &str, update: bool) -> Option<String> {
    let file = repository().join("scenarios/expected").join(format!("{name}.txt"));
    let ended = run(&["run", &format!("@{name}"), "--quiet"]);
    if ended.code != Some(0) {
        return Some(format!("{name}: ended with {:?}\n{}", ended.code, ended.err));
    }
    if update {
        fs::write(&file, &ended.out).expect("the repository can be written");
        return None;
    }
    let Ok(expected) = fs::read_to_string(&file) else {
        return Some(format!("{name}: scenarios/expected/{name}.txt is missing"));
    };
    (expected != ended.out).then(|| format!("{name}: {}", first_difference(&expected, &ended.out)))
}

#[test]
fn expected_reports_are_what_the_scenarios_print() {
    let update = updates();
    let names = names();
    // Two at a time, each in a process of its own.
    let (left, right) = names.split_at(names.len() / 2);
    let half = |names: &[&str]| names.iter().filter_map(|name| compare(name, update)).collect::<Vec<_>>();
    let differences = thread::scope(|scope| {
        let other = scope.spawn(|| half(right));
        let mut all = half(left);
        all.extend(other.join().expect("a comparison does not panic"));
        all
    });
    assert!(differences.is_empty(), "{}\n\nif this is meant: {HOW_TO_UPDATE}", differences.join("\n"));
}

#[test]
fn expected_files_belong_to_a_scenario() {
    let names = names();
    for entry in fs::read_dir(repository().join("scenarios/expected")).expect("the folder is there") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        assert!(names.contains(&name), "{} belongs to no scenario", path.display());
    }
}

#[test]
fn every_scenario_begins_with_a_comment_that_says_what_it_shows() {
    for (name, text) in language::builtin::SCENARIOS {
        let purpose = language::builtin::purpose(text);
        assert!(purpose.split_whitespace().count() >= 5 && purpose.ends_with('.'), "{name}: {purpose:?}");
    }
}

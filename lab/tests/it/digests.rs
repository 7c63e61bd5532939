//! Digests of whole runs, which must be equal on every machine and for every build of the program.
//!
//! The result of each built-in scenario is recorded as one number, so that a change that moves any figure, however small, is
//! noticed and explained. The tests of this package alone, those of the whole workspace, and those on any other machine use
//! the same list. After a change that is meant to move figures, run
//! `UPDATE_EXPECTED=1 cargo test -p brownout-lab --test it digests`, and give the reason in the commit.

use std::path::Path;
use std::sync::Arc;

use lab::result::RunResult;
use lab::{Loaded, Options, Session, Text};
use rayon::prelude::*;
use sim_core::random::hash;

use crate::expect::expect;

fn load(name: &str, overrides: Vec<String>) -> Arc<Loaded> {
    let text = language::builtin::text(name).expect("it is built in");
    let text = Text { name: format!("@{name}"), bytes: text.as_bytes().to_vec(), folder: None };
    match lab::load(&text, &Options { overrides, ..Options::default() }) {
        Ok(loaded) => Arc::new(loaded),
        Err(refused) => panic!("{name}: {:#?}", refused.problems),
    }
}

/// Everything in a result that concerns the system: without the program's version, the hash of the scenario, which depends on
/// the order of its settings, and the number of events.
fn bytes(mut result: RunResult) -> String {
    result.tool.version.clear();
    result.scenario.hash.clear();
    result.run.events = 0;
    serde_json::to_string(&result).expect("a result can be written")
}

fn names() -> Vec<&'static str> {
    language::builtin::SCENARIOS.iter().map(|(name, _)| *name).collect()
}

/// The happenings of a run by place, in readable form.
fn told(name: &str, result: &RunResult) -> String {
    let line = |of: &lab::result::Happenings| {
        let instants: Vec<String> = of.first.iter().chain(&of.last).map(|at| format!("{}", at.at_s)).collect();
        format!("{name}: {} {} ×{} at {}\n", of.place, of.name, of.count, instants.join(" "))
    };
    result.happenings.iter().map(line).collect()
}

#[test]
fn digests_of_all_built_in_scenarios_are_what_they_were() {
    let (digests, happenings): (Vec<String>, Vec<String>) = names()
        .into_par_iter()
        .map(|name| {
            let loaded = load(name, Vec::new());
            let mut session = Session::new(loaded.clone(), loaded.scenario.seed, None);
            session.run_to_end().unwrap_or_else(|failure| panic!("{name}: {failure}"));
            let mut result = session.result();
            // Happenings have a list of their own that shows what changed.
            let happenings = told(name, &result);
            result.happenings.clear();
            (format!("{:016x} {name}\n", hash(0, &bytes(result))), happenings)
        })
        .unzip();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    expect(&folder.join("happenings.txt"), &happenings.concat()).unwrap_or_else(|why| panic!("{why}"));
    expect(&folder.join("digests.txt"), &digests.concat()).unwrap_or_else(|why| {
        panic!(
            "the results of some scenarios are not the bytes that they were. Where no figure should have moved, this is a \
             bug; where one should: UPDATE_EXPECTED=1 cargo test -p brownout-lab --test it digests\n{why}"
        )
    });
}

/// Observing a run as the screen does, stopping it anywhere and continuing from a clone does not change the result.
#[test]
fn whoever_watches_a_run_sees_what_nobody_would_have_seen() {
    names().into_par_iter().for_each(|name| {
        let finite = language::builtin::text(name).expect("it is built in").contains("until: idle");
        let shorter = match name {
            "work-a" => vec!["run.duration=5000s".to_string()],
            "work-b" | "work-c" | "millions-of-users" => vec!["run.duration=1500ms".to_string()],
            _ => Vec::new(),
        };
        let loaded = load(name, shorter);
        let mut alone = Session::new(loaded.clone(), 5, None);
        alone.run_to_end().unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let mut watched = Session::new(loaded.clone(), 5, None);
        // Instants that are not multiples of anything, and the first of them repeatedly.
        let length = if finite { 20_000_000_000 } else { watched.end_ns() - watched.start_ns() };
        for part in 1..=37 {
            watched.run_until(watched.start_ns() + length / 38 * part + 1).expect("it goes on");
            let seen = watched.snapshot();
            assert_eq!(seen.events, watched.events());
            let _ = watched.result();
            watched = watched.clone();
        }
        watched.run_to_end().unwrap_or_else(|failure| panic!("{name}, watched: {failure}"));
        assert!(bytes(alone.result()) == bytes(watched.result()), "{name} comes to something else when it is watched");
    });
}

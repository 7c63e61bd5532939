//! The examples in the README match the program's output.

use std::fs;

use crate::expected::{HOW_TO_UPDATE, updates};
use crate::program::{repository, run, run_with};

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).expect("there is a README")
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1);
    parts.filter_map(|part| part.split("\n```").next()).map(|block| format!("{block}\n")).collect()
}

/// The README shows the beginning of the report, up to the first finding, and `…` for the rest.
#[test]
fn expected_report_begins_as_the_readme_shows() {
    let text = readme();
    let picture = &blocks(&text, "text")[0];
    let (command, shown) = picture.split_once('\n').expect("a command and what it prints");
    let arguments: Vec<&str> = command.strip_prefix("$ brownout ").expect("a command").split(' ').collect();
    let report = run(&[arguments.as_slice(), &["--quiet"]].concat()).ok();
    let second_finding = report.match_indices("\n✗ ").nth(1).map_or(report.len(), |(at, _)| at + 1);
    let beginning = format!("{}…\n", &report[..second_finding]);
    if updates() {
        fs::write(repository().join("README.md"), text.replacen(shown, &beginning, 1)).expect("it can be written");
        return;
    }
    assert_eq!(shown, beginning, "if this is meant: {HOW_TO_UPDATE}");
}

#[test]
fn the_scenario_of_the_readme_runs_and_does_what_is_said_of_it() {
    let text = readme();
    let scenarios = blocks(&text, "yaml");
    assert_eq!(scenarios.len(), 1);
    let report = |more: &[&str]| {
        let arguments: Vec<&str> = ["run", "-", "--quiet"].iter().chain(more).copied().collect();
        run_with(&arguments, &scenarios[0]).ok()
    };
    assert!(report(&[]).contains("Did not recover from slow-disk"));
    for mended in ["workloads.users.call.retry=null", "components.web.admission.queue.max=20"] {
        assert!(text.contains(mended));
        assert!(!report(&["--set", mended]).contains("Did not recover"), "{mended}");
    }
}

#[test]
fn the_tour_shows_only_commands_that_exist() {
    let text = readme();
    let commands = text.lines().filter_map(|line| line.strip_prefix("| `brownout "));
    let shown: Vec<&str> = commands.filter_map(|line| line.split([' ', '`']).next()).collect();
    assert!(shown.len() >= 4, "{shown:?}");
    for name in &shown {
        let ended = run(&[name, "--help"]);
        assert_eq!(ended.code, Some(0), "the README shows `{name}`: {}", ended.err);
    }
}

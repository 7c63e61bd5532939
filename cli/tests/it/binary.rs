//! The binary's own behaviour: arguments, exit codes, output streams.

use std::io::Read;
use std::process::Stdio;

use crate::program::{SMALL, command, run, run_with};

/// The JSON result without its speed, which is all that may differ between two runs.
fn without_speed(json: &str) -> String {
    json.lines().filter(|line| !line.contains("\"wall_s\"") && !line.contains("\"events_per_s\"")).collect()
}

fn value(json: &str, pointer: &str) -> serde_json::Value {
    let json: serde_json::Value = serde_json::from_str(json).expect("the program prints JSON");
    json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).clone()
}

#[test]
fn a_good_run_ends_with_0_and_keeps_the_speed_off_standard_output() {
    let ended = run_with(&["run", "-"], SMALL);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.starts_with("Small"), "{}", ended.out);
    assert!(ended.err.contains("events in"), "{}", ended.err);
    assert!(!ended.out.contains("events in"));
}

#[test]
fn quiet_says_nothing_on_standard_error() {
    let ended = run_with(&["run", "-", "--quiet"], SMALL);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [
        &["nonsense"][..],
        &["run", "--nonsense"],
        &["run", "no-such-file.yaml"],
        &["run", "--format", "xml"],
        &["check"],
        &["scenarios", "show", "no-such-scenario"],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.err);
        assert_eq!(ended.out, "", "{arguments:?}");
        assert!(ended.err.contains("error"), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn a_misspelt_built_in_scenario_is_answered_with_the_nearest_name() {
    let ended = run(&["run", "@retry-strom"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("did you mean `retry-storm`?"), "{}", ended.err);
}

#[test]
fn a_wrong_scenario_ends_with_2_and_all_its_problems() {
    let wrong = SMALL.replace("connections: 2", "conections: 2").replace("poisson: 100/s", "poisson: fast");
    let ended = run_with(&["run", "-"], &wrong);
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.err.contains("conections") && ended.err.contains("fast"), "{}", ended.err);
    assert!(ended.err.contains("2 errors"), "{}", ended.err);
    assert_eq!(ended.out, "");
}

#[test]
fn the_seed_the_overrides_and_the_variant_are_taken_from_the_command_line() {
    let json = |more: &[&str]| {
        let arguments: Vec<&str> = ["run", "-", "--format", "json"].iter().chain(more).copied().collect();
        run_with(&arguments, SMALL).ok()
    };
    let plain = json(&[]);
    assert_eq!(value(&plain, "/scenario/seed"), 3);
    assert_eq!(value(&json(&["--seed", "9"]), "/scenario/seed"), 9);
    let variant = json(&["--variant", "busy"]);
    assert_eq!(value(&variant, "/scenario/variant"), "busy");
    let sent = |json: &str| value(json, "/workloads/users/sent").as_f64().expect("a number");
    assert!(sent(&variant) > 2.0 * sent(&plain));
    let faster = json(&["--set", "workloads.users.arrivals.poisson=300/s"]);
    assert_eq!(sent(&faster), sent(&variant), "an override says the same as a variant");
    assert_eq!(value(&json(&["--duration", "1s"]), "/run/duration_s"), 1.0);
    for wrong in [["--variant", "lazy"], ["--set", "workloads.users.arrivals.poison=1/s"], ["--set", "nonsense"]] {
        let ended = run_with(&["run", "-", wrong[0], wrong[1]], SMALL);
        assert_eq!(ended.code, Some(2), "{wrong:?}: {}", ended.err);
    }
}

#[test]
fn two_runs_print_the_same_bytes_but_for_their_speed() {
    let json = || without_speed(&run_with(&["run", "-", "--format", "json"], SMALL).ok());
    assert_eq!(json(), json());
    let text = || run_with(&["run", "-"], SMALL).ok();
    assert_eq!(text(), text());
}

#[test]
fn csv_has_a_row_for_each_window() {
    let csv = run_with(&["run", "-", "--format", "csv"], SMALL).ok();
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows[0].starts_with("at_s,"), "{csv}");
    assert_eq!(rows.len(), 3, "{csv}");
    let columns = rows[0].split(',').count();
    assert!(rows.iter().all(|row| row.split(',').count() == columns));
}

#[test]
fn colours_are_off_in_a_pipe_and_on_when_asked_for() {
    assert!(!run_with(&["run", "-"], SMALL).ok().contains('\x1b'));
    assert!(run_with(&["run", "-", "--color", "always"], SMALL).ok().contains('\x1b'));
    assert!(!run_with(&["run", "-", "--color", "never"], SMALL).ok().contains('\x1b'));
    let output = command(&["run"]).env("NO_COLOR", "1").stdin(Stdio::null()).output().expect("it runs");
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = command(&["run", "@retry-storm", "--format", "json", "--duration", "30s"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut first = [0];
    let mut out = child.stdout.take().expect("asked for above");
    out.read_exact(&mut first).expect("it prints something");
    drop(out);
    let output = child.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_written_ends_with_3() {
    // Every write to this device fails like on a full disk.
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let output = command(&["scenarios", "show", "retry-storm"]).stdout(full).output().expect("it runs");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn check_is_silent_about_a_good_file_and_checks_its_variants() {
    let ended = run_with(&["check", "-"], SMALL);
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "<stdin>: ok\n", ""));
    let wrong = SMALL.replace("busy: {workloads.users.", "busy: {workloads.nobody.");
    assert_eq!(run_with(&["check", "-"], &wrong).code, Some(2));
}

/// One request that fails with a probability of a half: 20 runs all succeed once in a million times.
#[test]
fn check_over_replications_wants_an_objective_to_hold_in_all_of_them() {
    let coin = "\
version: 1
run: {until: idle}
workloads:
  users: {arrivals: {once: {count: 1}}, call: api}
components:
  api: {kind: service, runtime: unlimited, handlers: {default: [fail: {probability: 50%, outcome: error}]}}
objectives:
  - {name: lucky, metric: workloads.users.outcomes.error, below: 0}
";
    let with = |seed: u32, more: &[&str]| {
        let seed = seed.to_string();
        let mut arguments = vec!["run", "-", "--check", "--quiet", "--seed", seed.as_str()];
        arguments.extend(more);
        run_with(&arguments, coin)
    };
    let lucky = (1..40).find(|seed| with(*seed, &[]).code == Some(0)).expect("heads once in 39 tosses");
    let ended = with(lucky, &["--replications", "20"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.starts_with("objective missed: lucky: 0 (bound 0); it holds in "), "{}", ended.err);
    assert!(ended.err.contains(" of 20 runs: "), "{}", ended.err);
    assert!(ended.out.contains("missed lucky: 0 (bound 0); it holds in "), "{}", ended.out);
    let json = with(lucky, &["--replications", "20", "--format", "json"]).out;
    assert_eq!(value(&json, "/objectives/0/holds"), true);
    let over = value(&json, "/objectives/0/over");
    let number = |key: &str| over[key].as_f64().expect("a number");
    assert_eq!((number("n"), number("probability")), (20.0, number("held") / 20.0));
    assert!(number("low") < number("probability") && number("probability") < number("high"));
}

#[test]
fn check_for_editors_is_a_list_of_problems_in_file_order() {
    let good = run_with(&["check", "-", "--format", "json"], SMALL);
    assert_eq!((good.code, good.out.as_str(), good.err.as_str()), (Some(0), "[]\n", ""));
    let wrong = SMALL.replace("connections: 2", "conections: 2").replace("duration: 2s", "duration: 2");
    let ended = run_with(&["check", "-", "--format", "json", "--set", "seed=x"], &wrong);
    assert_eq!((ended.code, ended.err.as_str()), (Some(2), ""));
    let problems: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON alone on standard output");
    let problems: Vec<_> = problems.as_array().expect("a list").iter().collect();
    let said: Vec<_> = problems.iter().map(|p| (p["file"].as_str(), p["line"].as_u64(), p["code"].as_str())).collect();
    assert_eq!(
        said,
        [
            (Some("<stdin>"), Some(4), Some("bad_value")),
            (Some("<stdin>"), Some(8), Some("unknown_key")),
            (Some("--set seed=x"), Some(1), Some("bad_value")),
        ]
    );
    assert_eq!((&problems[1]["column"], &problems[1]["end_column"]), (&24.into(), &34.into()));
    assert_eq!(problems[1]["help"], "did you mean `connections`?");
    assert!(problems.iter().all(|problem| problem["severity"] == "error"));
}

#[test]
fn a_copied_scenario_is_the_built_in_one_and_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = || command(&["scenarios", "copy", "retry-storm"]).current_dir(folder.path()).output().expect("it runs");
    assert_eq!(copy().status.code(), Some(0));
    let file = folder.path().join("retry-storm.yaml");
    let copied = std::fs::read_to_string(&file).expect("it was written");
    assert_eq!(copied, run(&["scenarios", "show", "retry-storm"]).ok());
    assert_eq!(copy().status.code(), Some(2));
    let path = file.to_str().expect("a path in UTF-8");
    assert_eq!(run(&["check", path]).code, Some(0));
}

#[test]
fn help_lists_every_command_with_a_sentence() {
    let help = run(&["--help"]).ok();
    for name in ["run", "check", "scenarios"] {
        let line = help.lines().find(|line| line.trim_start().starts_with(name));
        assert!(line.is_some_and(|line| line.split_whitespace().count() > 4), "{help}");
    }
}

#[test]
fn a_run_leaves_a_folder_that_repeats_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let path = |name: &str| out.join(name).to_str().expect("the path is text").to_string();
    let first = run(&["run", "@retry-storm", "--duration", "20s", "--quiet", "--out", out.to_str().expect("text")]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let meta: serde_json::Value = serde_json::from_str(&read("meta.json")).expect("JSON");
    for file in meta["files"].as_array().expect("a list of files") {
        let file = path(file.as_str().expect("a name"));
        assert!(std::fs::metadata(&file).is_ok_and(|m| m.len() > 100), "{file}");
    }
    assert!(read("report.html").contains("</html>") && read("latency.hlog").starts_with('#'));
    let again = run(&["run", &path("scenario.yaml"), "--quiet", "--format", "csv"]);
    assert_eq!(again.out, read("series.csv"), "the folder alone repeats the run");
}

#[test]
fn what_has_no_end_and_what_a_terminal_obeys_is_refused() {
    let zero = run(&["check", "/dev/zero"]);
    assert_eq!(zero.code, Some(2));
    assert!(zero.err.contains("not a regular file"), "{}", zero.err);
    let name = run(&["run", "no-\u{1b}[2Jsuch\u{202e}.yaml"]);
    assert_eq!(name.code, Some(2));
    assert!(!name.err.contains(['\u{1b}', '\u{202e}']), "{:?}", name.err);
}

#[test]
fn any_number_of_jobs_is_answered() {
    let many = run(&["run", "@retry-layers", "--replications", "2", "--jobs", "100000", "--quiet"]);
    assert_eq!(many.code, Some(0), "{}", many.err);
}

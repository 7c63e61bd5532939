//! The language, shape by shape: everything it can express either works or is rejected by name.

use std::fs;
use std::path::{Path, PathBuf};

use lab::{Options, Text, load};
use settings::Severity;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/language")
}

#[test]
fn every_shape_of_the_language_works_or_is_refused_by_name() {
    let base = fs::read(folder().join("base.yaml")).expect("readable");
    let shapes = fs::read_to_string(folder().join("shapes.txt")).expect("readable");
    let mut failures = Vec::new();
    let (mut working, mut refused) = (0, 0);
    for line in shapes.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (expected, shape) = line.split_once(' ').expect("an expectation and a shape");
        let overrides: Vec<String> = shape.split(" & ").map(|part| part.trim().to_string()).collect();
        let text = Text { name: "base.yaml".into(), bytes: base.clone(), folder: Some(folder()) };
        let found = load(&text, &Options { overrides, ..Options::default() });
        let problems = found.as_ref().err().map(|refused| refused.problems.as_slice()).unwrap_or_default();
        let errors = || problems.iter().filter(|problem| problem.severity == Severity::Error);
        let as_expected = match expected {
            "works" => {
                working += 1;
                found.is_ok()
            }
            "not_yet" => {
                refused += 1;
                errors().count() > 0 && errors().all(|p| p.code == settings::bind::NOT_YET && p.span.is_somewhere())
            }
            other => panic!("`{other}` is no expectation"),
        };
        if !as_expected {
            let said: Vec<String> = errors().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
            failures.push(format!("{line}\n    {}", said.join("\n    ")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(working > 400 && refused > 20, "{working} work, {refused} are refused");
}

/// Everything that the language reference forbids is rejected, with its position.
#[test]
fn what_the_language_forbids_is_refused() {
    let base = fs::read(folder().join("base.yaml")).expect("readable");
    for (shape, path) in [
        (
            "components.api.calls.db={to: db, retry: {max_attempts: 3, when: [client_error]}}",
            "components.api.calls.db.retry.when.0",
        ),
        ("workloads.w.call={to: api, retry: {max_attempts: 3, when: [timeout, ok]}}", "workloads.w.call.retry.when.1"),
        ("components.ext.concurrency=0", "components.ext.concurrency"),
        ("components.api.calls.db={to: db, pool: hikary}", "components.api.calls.db.pool"),
        ("components.api.calls.db={to: db, pool: {hikari: {sizes: 3}}}", "components.api.calls.db.pool.hikari.sizes"),
        ("components.api.admission={queue: {max: 3}}", "components.api.admission.queue"),
        ("workloads.w.arrivals={poisson: 5}", "workloads.w.arrivals.poisson"),
        ("components.api.cpu=500m", "components.api.cpu"),
        ("components.api.runtime=async", "components.api.runtime.async.workers"),
        ("components.onhost.runtime=async", "components.onhost.runtime.async.workers"),
        ("components.api.cpu={limit: 2}", "components.api.cpu.limit"),
        ("components.onhost.cpu={request: 3, limit: 2}", "components.onhost.cpu.limit"),
        ("components.onhost.cpu={}", "components.onhost.cpu"),
        ("components.api.runtime=goroutines", "components.api.runtime.goroutines.procs"),
        ("components.api.runtime=virtual_threads", "components.api.runtime.virtual_threads.carriers"),
        ("components.api.runtime=gil_threads", "components.api.runtime.gil_threads.threads"),
        ("components.api.runtime=processes", "components.api.runtime.processes.workers"),
        ("components.api.runtime=single", "components.api.replicas"),
        ("components.api.runtime={event_loop: {poller: {epoll: {}}}}", "components.api.runtime"),
        (
            "components.api.handlers={default: [{offload: [{block: 1ms}]}, {call: db}]}",
            "components.api.handlers.default",
        ),
    ] {
        let text = Text { name: "base.yaml".into(), bytes: base.clone(), folder: None };
        let refused = load(&text, &Options { overrides: vec![shape.into()], ..Options::default() }).expect_err(shape);
        let paths: Vec<String> = refused.problems.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, [path], "{shape}: {:?}", refused.problems);
        assert!(refused.problems[0].span.is_somewhere(), "{shape}");
    }
}

#[test]
fn what_is_said_to_be_nearest_belongs_to_something_that_is_missing() {
    let (book, _) = language::reference::book();
    let mut missing: Vec<&str> = Vec::new();
    for definition in book.definitions() {
        match &definition.body {
            settings::book::Body::Fields(fields) => {
                missing.extend(fields.fields.iter().filter(|f| f.shape == settings::Shape::NotYet).map(|f| f.key));
            }
            settings::book::Body::Pending => {}
            settings::book::Body::Choice(choice) => {
                let not_yet = settings::book::Content::Value(settings::Shape::NotYet);
                missing.extend(choice.variants.iter().filter(|v| v.content == not_yet).map(|v| v.word));
            }
        }
    }
    for (around, word, _) in models::policies::not_yet::NEAREST {
        assert!(missing.contains(word), "{around} {word} is there");
    }
}

#[test]
fn nothing_is_quoted_from_a_file_outside_the_scenarios_folder() {
    let base = fs::read(folder().join("base.yaml")).expect("readable");
    let said = |trace: &str| {
        let overrides = vec![format!("workloads.w.arrivals={{trace: {trace}}}")];
        let text = Text { name: "base.yaml".into(), bytes: base.clone(), folder: Some(folder()) };
        let refused = load(&text, &Options { overrides, ..Options::default() }).expect_err("it is wrong");
        refused
            .problems
            .iter()
            .map(|p| format!("{} {}", p.message, p.help.clone().unwrap_or_default()))
            .collect::<String>()
    };
    assert!(said("{file: trace.csv, time_column: nothing}").contains("it has"), "a file beside it is quoted");
    let elsewhere = said("{file: ../happenings.txt, time_column: nothing}");
    assert!(elsewhere.contains("has no column `nothing`") && !elsewhere.contains("it has"), "{elsewhere}");
    for (endless, why) in [("/dev/zero", "not a regular file"), ("../language", "it is a folder")] {
        let message = said(&format!("{{file: {endless}, time_column: t}}"));
        assert!(message.contains(&format!("cannot be read: {why}")), "{message}");
    }
}

/// The first request of a log is sent at 0, wherever it stands, and its time zone counts.
#[test]
fn access_logs_are_replayed_from_their_first_request_on() {
    let base = fs::read(folder().join("base.yaml")).expect("readable");
    let sent_at = |trace: &str| {
        let overrides = vec![format!("workloads.w.arrivals={{trace: {trace}}}")];
        let text = Text { name: "base.yaml".into(), bytes: base.clone(), folder: Some(folder()) };
        let loaded = load(&text, &Options { overrides, ..Options::default() })
            .unwrap_or_else(|refused| panic!("{:#?}", refused.problems));
        let workload = loaded.scenario.workloads.iter().next().expect("there is one");
        let trace = workload.value.arrivals.process.trace().expect("it is recorded");
        trace.requests.iter().map(|request| request.at as f64 / 1e9).collect::<Vec<f64>>()
    };
    assert_eq!(sent_at("{file: access.log, format: common}"), [0.0, 1.0]);
    assert_eq!(sent_at("{file: access.log, format: combined, speed: 2}"), [0.0, 0.5]);
    assert_eq!(sent_at("{file: access.json, format: json, time_column: at}"), [0.0, 1.75]);
}

#[test]
fn a_fault_that_can_do_nothing_is_a_warning() {
    let base = fs::read(folder().join("base.yaml")).expect("readable");
    let warned = |faults: &str| {
        let text = Text { name: "base.yaml".into(), bytes: base.clone(), folder: Some(folder()) };
        let overrides = vec![format!("faults={faults}")];
        let loaded = load(&text, &Options { overrides, ..Options::default() }).expect("no error");
        loaded.warnings.iter().map(|p| p.message.clone()).collect::<Vec<_>>()
    };
    let calm = warned("[{at: 1s, for: 1s, slow: {component: db, factor: 2}}]").len();
    let brief = warned("[{at: 1s, for: 0s, slow: {component: db, factor: 2}}]");
    assert!(brief.len() == calm + 1 && brief.iter().any(|m| m.contains("ends as it begins")), "{brief:?}");
    let nobody = warned("[{at: 1s, for: 1s, kill: {component: api, replicas: 0}}]");
    assert!(nobody.iter().any(|m| m.contains("strikes no replica")), "{nobody:?}");
}

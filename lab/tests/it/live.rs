//! Settings that change while a scenario runs, by hand.

use std::sync::Arc;

use lab::{Options, Session, Text, load};

/// Requests of 100 ms, sent over a link that is written short; beside it a table of recorded requests.
fn session(folder: &std::path::Path) -> Session {
    let yaml = "\
version: 1
run: {duration: 20s}
workloads:
  users: {arrivals: {constant: 10/s}, call: api}
  recorded: {arrivals: {trace: {file: log.csv, time_column: at}}, call: api}
components:
  api: {kind: service, runtime: unlimited, handlers: {default: [wait: 100ms]}}
";
    std::fs::write(folder.join("log.csv"), "at\n0.5\n1.5\n").expect("a table");
    let text = Text { name: "live.yaml".into(), bytes: yaml.into(), folder: Some(folder.to_path_buf()) };
    let loaded = load(&text, &Options::default()).unwrap_or_else(|r| panic!("{:?}", r.problems));
    Session::new(Arc::new(loaded), 1, None)
}

#[test]
fn a_setting_of_a_link_written_short_can_be_changed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut session = session(folder.path());
    session.run_until(10_000_000_000).expect("it runs");
    session.set("workloads.users.call.timeout", "50ms").expect("`call: api` is `call: {to: api}`");
    session.run_to_end().expect("it runs");
    let outcomes = &session.result().workloads["users"].outcomes;
    // Ten seconds of each, but for the one sent at the instant of the change or just before.
    let count = |outcome: &str| outcomes.get(outcome).copied().unwrap_or(0);
    assert!(count("ok").abs_diff(100) <= 2 && count("timeout").abs_diff(100) <= 2, "{outcomes:?}");
    let knobs = lab::knobs::all(session.loaded());
    let knob = knobs.iter().find(|knob| knob.path == "workloads.users.call.timeout").expect("it is one now");
    assert_eq!((knob.value.as_str(), knob.live), ("50ms", true));
    let exported = session.exported(&[]);
    let folder = Some(folder.path().to_path_buf());
    let text = Text { name: "exported.yaml".into(), bytes: exported.clone().into_bytes(), folder };
    let again = load(&text, &Options::default()).unwrap_or_else(|r| panic!("{:?}\n{exported}", r.problems));
    let mut again = Session::new(Arc::new(again), 1, None);
    again.run_to_end().expect("it runs");
    assert_eq!(&again.result().workloads["users"].outcomes, outcomes, "what is exported does what was watched");
}

#[test]
fn a_change_that_makes_no_scenario_is_refused_in_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut session = session(folder.path());
    for (path, value, said) in [
        ("workloads.users.call.timeout", "5", "has no unit"),
        ("components.api.replicas", "5", "cannot change during a run"),
        ("workloads.nobody.call.timeout", "5ms", ""),
        ("nonsense", "5", "cannot change during a run"),
    ] {
        let why = session.set(path, value).expect_err(path);
        assert!(why.contains(said), "{path}: {why}");
    }
}

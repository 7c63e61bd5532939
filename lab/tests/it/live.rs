//! Manual changes of settings during a run.

use std::sync::Arc;

use lab::{Options, Session, Text, load};

/// Requests of 100 ms over a link in short notation, and a table of recorded requests.
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
    // Ten seconds of each, except for the request sent at the instant of the change or just before.
    let count = |outcome: &str| outcomes.get(outcome).copied().unwrap_or(0);
    assert!(count("ok").abs_diff(100) <= 2 && count("timeout").abs_diff(100) <= 2, "{outcomes:?}");
    let knobs = language::knobs::all(session.loaded());
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

/// Every setting given by a preset can be changed by its path in the expanded form.
#[test]
fn settings_of_a_preset_can_be_changed_one_by_one() {
    const SIZE: &str = "components.api.calls.db.pool.size";
    for pool in ["hikari", "{hikari: {size: 30}}", "{size: 30, max_lifetime: 30m}"] {
        let yaml = format!(
            "version: 1
run: {{duration: 20s}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, call: api}}}}
components:
  api: {{kind: service, runtime: unlimited, handlers: {{default: [call: db]}}, calls: {{db: {{to: db, pool: {pool}}}}}}}
  db: {{kind: database, operations: {{default: 1ms}}}}
"
        );
        let read = |overrides: Vec<String>| {
            let text = Text { name: "preset.yaml".into(), bytes: yaml.clone().into_bytes(), folder: None };
            let options = Options { overrides, ..Options::default() };
            Arc::new(load(&text, &options).unwrap_or_else(|r| panic!("{pool}: {:?}", r.problems)))
        };
        let knob = |loaded: &lab::Loaded, path: &str| {
            let knobs = language::knobs::all(loaded);
            knobs.into_iter().find(|knob| knob.path == path).map(|knob| (knob.value, knob.live))
        };
        let changed = read(vec![format!("{SIZE}=7")]);
        assert_eq!(knob(&changed, SIZE), Some(("7".into(), true)), "{pool}");
        let lifetime = knob(&changed, "components.api.calls.db.pool.max_lifetime");
        assert_eq!(lifetime, Some(("30m".into(), false)), "{pool}");
        let mut session = Session::new(read(Vec::new()), 1, None);
        session.run_until(10_000_000_000).expect("it runs");
        session.set(SIZE, "5").unwrap_or_else(|why| panic!("{pool}: {why}"));
        session.run_to_end().expect("it runs");
        assert_eq!(session.result().links["api"]["db"].own["pool.size"], 5.0, "{pool}");
    }
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

/// A saturated service with workers of 10 ms, with changes of its settings by faults.
fn saturated(faults: &str) -> Session {
    let yaml = format!(
        "version: 1
run: {{duration: 10s, window: 500ms}}
workloads: {{w: {{arrivals: {{closed: {{users: 50, think: 1ms}}}}, call: {{to: app, timeout: 1s}}}}}}
components: {{app: {{kind: service, runtime: {{thread_pool: {{threads: 4}}}}, handlers: {{default: [{{wait: 10ms}}]}}}}}}
faults: [{faults}]
"
    );
    Session::new(crate::harness::load(&yaml), 1, None)
}

/// The number of workers held in every other window of half a second, starting with the second one.
fn workers(session: &Session) -> Vec<f64> {
    let column = &session.result().series.columns["components.app.completed"];
    column.iter().flatten().skip(1).step_by(2).map(|rate| (rate / 100.0).round()).collect()
}

const THREADS: &str = "components.app.runtime.thread_pool.threads";

#[test]
fn a_change_by_hand_outlives_faults_that_change_something_else() {
    let mut session = saturated("{at: 3s, for: 2s, set: {components.app.admission.queue.max: 30}}");
    session.run_until(1_500_000_000).expect("it runs");
    session.set(THREADS, "7").expect("it is live");
    session.run_to_end().expect("it runs");
    assert_eq!(workers(&session)[2..], [7.0; 8]);
}

#[test]
fn the_last_to_change_a_setting_wins_while_it_acts() {
    let fault = format!("{{at: 3s, for: 3s, set: {{{THREADS}: 2}}}}");
    // A manual change before the fault strikes: the fault takes precedence while it acts, and leaves the manual value behind.
    let mut session = saturated(&fault);
    session.run_until(1_250_000_000).expect("it runs");
    session.set(THREADS, "7").expect("it is live");
    session.run_to_end().expect("it runs");
    assert_eq!(workers(&session), [4.0, 7.0, 7.0, 2.0, 2.0, 2.0, 7.0, 7.0, 7.0, 7.0]);
    // A manual change while the fault acts: it takes effect immediately and stays.
    let mut session = saturated(&fault);
    session.run_until(4_250_000_000).expect("it runs");
    session.set(THREADS, "7").expect("it is live");
    session.run_to_end().expect("it runs");
    assert_eq!(workers(&session), [4.0, 4.0, 4.0, 2.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0]);
}

/// The reference is the exported scenario, in which all changes are faults: it must give the same run.
#[test]
fn what_is_exported_does_what_was_watched_whatever_was_changed_when() {
    let faults = format!(
        "{{at: 2s, for: 4s, set: {{{THREADS}: 2}}}}, {{at: 4s, for: 4s, set: {{workloads.w.call.timeout: 100ms, {THREADS}: 9}}}}"
    );
    let by_hand = [(THREADS, "6"), ("components.app.admission.queue.max", "20"), ("workloads.w.call.timeout", "150ms")];
    for (first, one) in by_hand.iter().enumerate() {
        for at in [1, 3, 5, 7, 9] {
            let mut session = saturated(&faults);
            session.run_until(at * 1_000_000_000 + 3_000_001).expect("it runs");
            session.set(one.0, one.1).expect("it is live");
            session.run_until(at * 1_000_000_000 + 700_000_000).expect("it runs");
            let other = by_hand[(first + 1) % by_hand.len()];
            session.set(other.0, other.1).expect("it is live");
            let checkpoint = session.clone();
            session.run_to_end().expect("it runs");
            let watched = session.result();
            let mut again = Session::new(crate::harness::load(&session.exported(&[])), 1, None);
            again.run_to_end().expect("it runs");
            assert_eq!(again.result().series, watched.series, "{one:?} and {other:?} at {at} s");
            let mut branch = checkpoint;
            branch.run_to_end().expect("it runs");
            assert_eq!(branch.result().series, watched.series, "a checkpoint goes the same way");
        }
    }
}

#[test]
fn a_set_fault_is_not_let_strike_by_hand() {
    let why = saturated("").inject(&format!("{{set: {{{THREADS}: 2}}}}")).expect_err("it is a change by hand");
    assert!(why.contains("change a setting under Knobs"), "{why}");
}

fn result_of(yaml: &str) -> lab::result::RunResult {
    let mut session = Session::new(crate::harness::load(yaml), 1, None);
    session.run_to_end().expect("it runs");
    session.result()
}

/// A workload with the given arrivals and fault.
fn sending(arrivals: &str, fault: &str) -> lab::result::RunResult {
    result_of(&format!(
        "version: 1
run: {{duration: 40s, window: 5s}}
workloads: {{w: {{arrivals: {arrivals}, call: x}}}}
components: {{x: {{kind: external, latency: {{exp: 5ms}}}}}}
faults: [{fault}]
"
    ))
}

/// The reference is a surge by the same factor: exactly the same requests.
#[test]
fn a_rate_that_is_changed_sends_what_a_surge_sends() {
    for (arrivals, path) in [
        ("{poisson: 100/s}", "poisson"),
        ("{constant: 100/s}", "constant"),
        ("{sessions: {rate: 100/s, requests: 3, think: {exp: 1s}}}", "sessions.rate"),
        ("{poisson: 100/s, batch: 2}", "poisson"),
    ] {
        for (factor, rate) in [("4", "400/s"), ("0.5", "50/s")] {
            let set = format!("{{at: 10s, for: 12s, set: {{workloads.w.arrivals.{path}: {rate}}}}}");
            let surge = format!("{{at: 10s, for: 12s, surge: {{workload: w, x: {factor}}}}}");
            assert_eq!(sending(arrivals, &set).series, sending(arrivals, &surge).series, "{arrivals} ×{factor}");
        }
    }
}

#[test]
fn a_rate_can_fall_to_nothing_and_come_back() {
    let sent = |rate: &str, fault: &str| -> Vec<f64> {
        let result = sending(&format!("{{constant: {rate}}}"), fault);
        result.series.columns["workloads.w.sent"].iter().flatten().copied().collect()
    };
    let set = |rate: &str| format!("{{at: 10s, for: 20s, set: {{workloads.w.arrivals.constant: {rate}}}}}");
    let stopped = sent("100/s", &set("0/s"));
    assert_eq!([stopped[1], stopped[2], stopped[5]], [100.0, 0.0, 0.0]);
    assert!(stopped[6..].iter().all(|rate| (rate - 100.0).abs() < 0.21), "{stopped:?}");
    let started = sent("0.001/s", &set("100/s"));
    assert_eq!([started[1], started[6]], [0.0, 0.0]);
    assert!(started[2..6].iter().all(|rate| (rate - 100.0).abs() < 0.21), "{started:?}");
}

/// With deterministic durations, the latencies before and after a change are known.
#[test]
fn the_duration_of_a_step_can_be_changed() {
    let run = |handler: &str, set: &str| {
        result_of(&format!(
            "version: 1
run: {{duration: 20s, window: 1s}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, call: app}}}}
components: {{app: {{kind: service, cpu: 4, runtime: {{thread_pool: {{threads: 50}}}}, handlers: {{default: {handler}}}}}}}
faults: [{{at: 5s, for: 8s, set: {{{set}}}}}]
"
        ))
    };
    let steps = "components.app.handlers.default";
    for (handler, path, before_s, then_s) in [
        ("[{wait: 10ms}]", "0.wait", 0.01, 0.04),
        ("[{block: 10ms}]", "0.block", 0.01, 0.04),
        ("[{cpu: 10ms}]", "0.cpu", 0.01, 0.04),
        ("[{cpu: 5ms}, {wait: 10ms}, {cpu: 5ms}]", "1.wait", 0.02, 0.05),
        ("[{repeat: {times: 3, steps: [{wait: 10ms}]}}]", "0.repeat.steps.0.wait", 0.03, 0.12),
    ] {
        let result = run(handler, &format!("{steps}.{path}: 40ms"));
        let p50: Vec<f64> = result.series.columns["workloads.w.latency.p50_s"].iter().flatten().copied().collect();
        let near = |window: usize, latency_s: f64| (p50[window] / latency_s - 1.0).abs() < 0.01;
        assert!(near(3, before_s) && near(7, then_s) && near(16, before_s), "{handler}: {p50:?}");
    }
}

#[test]
fn what_a_handler_does_is_fixed_while_it_runs() {
    let mut session = saturated("");
    session.run_until(1_000_000_000).expect("it runs");
    for path in ["components.app.handlers.default.0", "components.app.handlers.default", "components.app.handlers"] {
        let why = session.set(path, "[{wait: 1ms}]").expect_err(path);
        assert!(why.contains("cannot change during a run"), "{path}: {why}");
    }
}

#[test]
fn queries_take_longer_once_their_operation_is_slower() {
    let yaml = "\
version: 1
run: {duration: 20s}
workloads: {w: {arrivals: {constant: 10/s}, call: {to: db, timeout: 50ms}}}
components: {db: {kind: database, operations: {default: 10ms}}}
";
    let text = Text { name: "live.yaml".into(), bytes: yaml.into(), folder: None };
    let loaded = load(&text, &Options::default()).unwrap_or_else(|r| panic!("{:?}", r.problems));
    let mut session = Session::new(Arc::new(loaded), 1, None);
    session.run_until(10_000_000_000).expect("it runs");
    session.set("components.db.operations.default.io", "100ms").expect("service times may change");
    session.run_to_end().expect("it runs");
    let outcomes = &session.result().workloads["w"].outcomes;
    let count = |outcome: &str| outcomes.get(outcome).copied().unwrap_or(0);
    assert!(count("ok").abs_diff(100) <= 2 && count("timeout").abs_diff(100) <= 2, "{outcomes:?}");
}

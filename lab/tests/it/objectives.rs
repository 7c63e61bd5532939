//! Objectives, evaluated for runs whose figures are known without running them.

use std::sync::Arc;

use lab::objectives::in_words;
use lab::result::{Demand, ObjectiveResult};
use lab::{Options, Session, Text, load};

/// A constant 10 requests per second, each answered after exactly 100 ms; all rejected from 10 s to 15 s.
fn judged(objectives: &str) -> Vec<ObjectiveResult> {
    let yaml = format!(
        "version: 1\nrun: {{duration: 40s}}\nworkloads:\n  users: {{arrivals: {{constant: 10/s}}, call: api}}\n\
         components:\n  api: {{kind: service, runtime: unlimited, handlers: {{default: [wait: 100ms]}}}}\n\
         faults:\n  - {{name: outage, at: 10s, for: 5s, errors: {{component: api, fraction: 100%}}}}\n\
         objectives:\n{objectives}\n"
    );
    let text = Text { name: "test.yaml".into(), bytes: yaml.into_bytes(), folder: None };
    let loaded = load(&text, &Options::default()).unwrap_or_else(|r| panic!("{:?}", r.problems));
    let mut session = Session::new(Arc::new(loaded), 1, None);
    session.run_to_end().expect("it runs");
    session.result().objectives
}

#[test]
fn a_bound_is_held_against_the_metric_in_its_unit() {
    let judged = judged(
        "  - {metric: workloads.users.latency.mean, below: 101ms}\n\
         \x20 - {name: too-fast, metric: workloads.users.latency.mean, below: 90ms}\n\
         \x20 - {metric: workloads.users.outcomes.error, below: 0}\n\
         \x20 - {metric: goodput, above: 8/s}",
    );
    let holds: Vec<bool> = judged.iter().map(|objective| objective.holds).collect();
    assert_eq!(holds, [true, false, false, true]);
    assert_eq!((judged[1].name.as_str(), judged[1].demand, judged[1].bound), ("too-fast", Demand::Below, 0.09));
    assert_eq!(in_words(&judged[1]), "too-fast: 100 ms is 10 ms above its bound of 90 ms");
    // 5 s × 10/s were rejected.
    assert_eq!(judged[2].value, Some(50.0));
}

#[test]
fn during_looks_at_the_windows_within() {
    let judged = judged(
        "  - {metric: goodput, above: 9.9/s, during: [2s, 9s]}\n\
         \x20 - {metric: goodput, below: 0/s, during: [11s, 15s]}\n\
         \x20 - {metric: goodput, above: 9.9/s, during: [2s, 20s]}\n\
         \x20 - {metric: goodput, above: 1/s, during: [50s, 60s]}",
    );
    let holds: Vec<bool> = judged.iter().map(|objective| objective.holds).collect();
    assert_eq!(holds, [true, true, false, false]);
    assert_eq!(judged[3].value, None);
}

#[test]
fn recovery_is_timed_from_the_end_of_the_fault() {
    let judged = judged(
        "  - {metric: goodput, recovers: {from: outage, within: 2s}}\n\
         \x20 - {metric: goodput, recovers: {from: outage, within: 20s, hold: 30s}}",
    );
    assert!(judged[0].holds, "{judged:?}");
    // In the first window after the fault, the first answer comes after 100 ms, so 9 of 10 arrive.
    assert!(judged[0].value.is_some_and(|value| value <= 1.0), "{judged:?}");
    // Only 25 s are left, in which nothing can hold for 30 s.
    assert_eq!((judged[1].value, judged[1].holds), (None, false));
}

#[test]
fn metrics_are_known_before_the_warm_up_begins() {
    let text = "\
version: 1
run: {duration: 10s, warmup: 5s}
workloads:
  users: {arrivals: {constant: 10/s}, call: db}
components:
  db: {kind: database, operations: {default: 10ms}}
objectives:
  - {metric: goodput, above: 9/s}
";
    let text = Text { name: "warm.yaml".into(), bytes: text.into(), folder: None };
    let loaded = load(&text, &Options::default()).expect("a scenario with a warm-up can have objectives");
    let seed = loaded.scenario.seed;
    let mut session = Session::new(Arc::new(loaded), seed, None);
    session.run_to_end().expect("it ends");
    assert!(session.result().objectives[0].holds);
}

/// Each run sends one request that fails with probability 0.3, so the objective holds with probability 0.7. An interval
/// at 99.9 % confidence misses that with probability 0.001.
#[test]
fn over_replications_an_objective_holds_with_a_probability() {
    let text = "\
version: 1
run: {until: idle, precision: {metric: workloads.users.outcomes.error, relative: 0.1%, confidence: 99.9%, max: 400}}
workloads:
  users: {arrivals: {once: {count: 1}}, call: api}
components:
  api: {kind: service, runtime: unlimited, handlers: {default: [fail: {probability: 30%, outcome: error}]}}
objectives:
  - {metric: workloads.users.outcomes.error, below: 0}
  - {metric: workloads.users.sent, above: 1}
";
    let text = Text { name: "chance.yaml".into(), bytes: text.into(), folder: None };
    let loaded = Arc::new(load(&text, &Options::default()).unwrap_or_else(|r| panic!("{:?}", r.problems)));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let control = lab::replicate::Control { jobs: 1, stop: &stop, progress: &|_, _| {} };
    let replicated = lab::replicate::replicate(&loaded, 400, &control).expect("it runs");
    let good = replicated.results.iter().filter(|run| run.workloads["users"].outcomes.get("error").is_none()).count();
    let result = replicated.result().expect("there are runs");
    let chance = result.objectives[0].over.clone().expect("there were several");
    assert_eq!((chance.n, chance.held, chance.confidence), (400, good, 0.999));
    assert!(chance.low < 0.7 && 0.7 < chance.high, "{chance:?}");
    assert!(!result.objectives[0].always_holds() && result.objectives[1].always_holds());
    let sure = result.objectives[1].over.clone().expect("there were several");
    // Wilson's lower end for n of n is n / (n + z²).
    let z = 3.290_526_731_491_9;
    assert!((sure.low - 400.0 / (400.0 + z * z)).abs() < 1e-9 && sure.probability == 1.0, "{sure:?}");
    assert!(in_words(&result.objectives[0]).contains(&format!("it holds in {good} of 400 runs")));
}

/// If replicas come back by themselves, their fault ends after the time drawn for them, in the result, too.
#[test]
fn what_comes_back_by_itself_can_be_recovered_from() {
    let text = "\
version: 1
run: {duration: 60s}
workloads:
  users: {arrivals: {constant: 10/s}, call: {to: api, timeout: 1s}}
components:
  api: {kind: service, runtime: unlimited, replace_after: 4s, start_up: 2s, handlers: {default: [wait: 10ms]}}
faults:
  - {name: crash, at: 10s, kill: {component: api}}
  - {name: again, at: 30s, restart: {component: api}}
  - {name: for-ever, at: 70s, errors: {component: api}}
objectives:
  - {metric: goodput, recovers: {from: crash, within: 1s, hold: 5s}}
  - {metric: goodput, recovers: {from: again, within: 1s, hold: 5s}}
";
    let result = crate::kinds::run(text);
    let ends: Vec<Option<f64>> = result.faults.iter().map(|fault| fault.until_s).collect();
    assert_eq!(ends, [Some(16.0), Some(32.0), None]);
    assert!(result.objectives.iter().all(|objective| objective.holds), "{:?}", result.objectives);
    // Down from 10 s to 16 s and from 30 s to 32 s.
    let users = &result.workloads["users"];
    assert_eq!(users.sent - users.outcomes["ok"], 80);
    for never in ["replace_after: 4s, start_up: 2s, ", ""] {
        let (text, from) = if never.is_empty() {
            (text.replace("from: again", "from: for-ever"), "for-ever")
        } else {
            (text.replace(never, ""), "crash")
        };
        let text = Text { name: "never.yaml".into(), bytes: text.into(), folder: None };
        let refused = load(&text, &Options::default()).expect_err("nothing recovers from what never ends");
        assert!(refused.problems.iter().any(|p| p.message.contains(&format!("`{from}` never ends"))));
    }
}

/// A constant 10 requests a second, each answered after exactly 100 ms, with these faults, events and objectives.
fn judged_under(sections: &str) -> lab::result::RunResult {
    let yaml = format!(
        "version: 1\nrun: {{duration: 120s}}\nworkloads:\n  users: {{arrivals: {{constant: 10/s}}, call: {{to: api, timeout: 1s}}}}\n\
         components:\n  api: {{kind: service, runtime: unlimited, handlers: {{default: [wait: 100ms]}}}}\n{sections}\n"
    );
    let text = Text { name: "test.yaml".into(), bytes: yaml.into_bytes(), folder: None };
    let loaded = load(&text, &Options::default()).unwrap_or_else(|r| panic!("{:?}", r.problems));
    let mut session = Session::new(Arc::new(loaded), 1, None);
    session.run_to_end().expect("it runs");
    session.result()
}

#[test]
fn what_operators_do_is_recovered_from_too() {
    // A push of settings makes every call time out; it is rolled back a minute later.
    let result = judged_under(
        "faults: [{name: push, at: 20s, set: {workloads.users.call.timeout: 50ms}}]\n\
         events: [{name: rollback, at: 80s, note: undone, set: {workloads.users.call.timeout: 1s}}]\n\
         objectives:\n  - {metric: goodput, recovers: {from: rollback, after: start, within: 2s}}\n\
         \x20 - {metric: goodput, recovers: {from: push, after: start, within: 2m}}",
    );
    let [event] = &result.events[..] else { panic!("{:?}", result.events) };
    assert_eq!((event.name.as_deref(), event.at_s, event.until_s), (Some("rollback"), 80.0, None));
    assert_eq!((event.note.as_deref(), event.for_good), (Some("undone"), true));
    assert_eq!(result.faults.len(), 1);
    let column = result.series.columns["workloads.users.goodput"].clone();
    assert_eq!((column[50], column[100]), (Some(0.0), Some(10.0)), "it acts while it is in force");
    // The first answer comes 100 ms after the rollback, so a window with 9 answers precedes those with 10.
    assert_eq!(result.objectives[0].value, Some(1.0));
    assert_eq!(result.objectives[1].value, Some(61.0));
}

#[test]
fn what_is_repeated_acts_each_time_and_the_slowest_recovery_counts() {
    let result = judged_under(
        "faults: [{name: outage, at: 20s, for: 5s, every: 30s, times: 3, errors: {component: api}}]\n\
         events: [{name: trial, at: 25s, for: 10s, every: 30s, times: 2, set: {workloads.users.call.timeout: 50ms}}]\n\
         objectives: [{metric: goodput, recovers: {from: outage, within: 20s, hold: 5s}}]",
    );
    let at = |windows: &[lab::result::FaultWindow]| -> Vec<(f64, Option<f64>)> {
        windows.iter().map(|window| (window.at_s, window.until_s)).collect()
    };
    assert_eq!(at(&result.faults), [(20.0, Some(25.0)), (50.0, Some(55.0)), (80.0, Some(85.0))]);
    assert_eq!(at(&result.events), [(25.0, Some(35.0)), (55.0, Some(65.0))]);
    assert!(!result.events[0].for_good);
    let column = &result.series.columns["workloads.users.goodput"];
    let dead: Vec<usize> = (0..120).filter(|second| column[*second] == Some(0.0)).collect();
    let expected: Vec<usize> = (20..35).chain(50..65).chain(80..85).collect();
    // At the borders, one answer of 10 falls into the other window.
    let wrong = (0..120).filter(|second| dead.contains(second) != expected.contains(second)).count();
    assert!(wrong <= 6, "{dead:?}");
    // After two of the outages, the trial keeps goodput down for another 10 s, plus one second until the first answers.
    assert_eq!(result.objectives[0].value, Some(11.0));
}

#[test]
fn faults_that_touch_are_recovered_from_together_and_an_endless_set_ends_nothing() {
    for (config, took) in [("at: 15s, for: 5s", 1.0), ("at: 22s", 1.0), ("at: 5s", 1.0)] {
        let result = judged_under(&format!(
            "faults:\n  - {{name: config, {config}, set: {{workloads.users.call.timeout: 2s}}}}\n\
             \x20 - {{name: outage, at: 20s, for: 5s, errors: {{component: api}}}}\n\
             objectives: [{{metric: goodput, recovers: {{from: outage, within: 10s}}}}]"
        ));
        assert_eq!(result.objectives[0].value, Some(took), "{config}");
    }
}

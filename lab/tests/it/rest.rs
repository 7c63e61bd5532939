//! The end of a run until idle: it does not wait for faults to come, random failures or health checks, but for work that
//! these would allow to continue.

use std::sync::Arc;

use lab::result::RunResult;
use lab::session::Failure;
use lab::{Loaded, Session};

use crate::harness::{bytes, load, run_loaded};

/// One request at 0 s to a service that works for 50 ms, with the given faults and components.
fn scenario(of_service: &str, handler: &str, more: &str) -> Arc<Loaded> {
    load(&format!(
        "version: 1
run: {{until: idle}}
workloads:
  w: {{arrivals: {{once: {{count: 1}}}}, call: app}}
components:
  app: {{kind: service, runtime: {{thread_pool: {{threads: 2}}}}, calls: {{jobs: jobs}}, handlers: {{default: [{handler}]}}{of_service}}}
  jobs: {{kind: service, runtime: {{thread_pool: {{threads: 2}}}}, handlers: {{default: [wait: 50ms]}}}}
{more}"
    ))
}

/// Runs it in one go, from a clone of its middle, in stretches, and a few events at a time; all must give the same result.
fn rests(loaded: &Arc<Loaded>) -> RunResult {
    let whole = run_loaded(loaded, 1);
    let mut half = Session::new(loaded.clone(), 1, None);
    half.run_until((whole.run.duration_s * 0.5e9) as i64).expect("it runs");
    let mut clone = half.clone();
    clone.run_to_end().expect("it ends");
    assert_eq!(bytes(&clone.result()), bytes(&whole));
    while !half.is_finished() {
        half.run_until(half.now_ns() + 333_000_000).expect("it runs");
    }
    assert_eq!(bytes(&half.result()), bytes(&whole));
    for events in [1, 2, 7] {
        let mut piecemeal = Session::new(loaded.clone(), 1, None);
        while !piecemeal.is_finished() {
            piecemeal.run_some(events).expect("it runs");
        }
        assert_eq!(bytes(&piecemeal.result()), bytes(&whole), "{events} at a time");
    }
    whole
}

/// The calls that can never end, and when that was determined.
fn never_ends(loaded: &Arc<Loaded>) -> (Vec<(String, u64)>, f64) {
    let mut session = Session::new(loaded.clone(), 1, None);
    match session.run_to_end() {
        Err(Failure::NeverEnds { calls, messages }) if messages.is_empty() => (calls, session.now_ns() as f64 / 1e9),
        other => panic!("{other:?}"),
    }
}

const WAIT: &str = "wait: 50ms";

#[test]
fn nothing_that_nobody_waits_for_keeps_a_run_going() {
    let random = ", random: {mtbf: {exp: 720h}, mttr: {exp: 1h}}";
    for (of_service, more) in [
        ("", ""),
        (random, ""),
        ("", "faults: [{at: 2h, kill: {component: app}}, {at: 3h, for: 1h, pause: jobs}]\n"),
        (random, "faults: [{at: 2h, for: 1h, slow: {component: app, factor: 2}}]\n"),
        ("", "  names: {kind: dns, to: app, health_check: {interval: 10ms}}\n"),
    ] {
        let result = rests(&scenario(of_service, WAIT, more));
        assert_eq!((result.run.duration_s, result.workloads["w"].outcomes["ok"]), (0.05, 1), "{of_service} {more}");
        assert_eq!(result.series.at_s, [0.0], "{of_service} {more}");
    }
}

#[test]
fn tasks_that_stay_for_ever_are_not_waited_for() {
    let result = rests(&scenario(
        "",
        "leak: {probability: 100%}, wait: 50ms",
        "faults: [{at: 2h, slow: {component: app, factor: 2}}]\n",
    ));
    assert!(result.run.duration_s <= 0.05 && result.workloads["w"].outcomes["ok"] == 1, "{:?}", result.run);
}

#[test]
fn work_behind_a_fault_that_ends_is_finished() {
    let random = ", random: {mtbf: {exp: 24000h}, mttr: {exp: 1h}}";
    let pause = "faults: [{at: 10ms, for: 10s, pause: app}, {at: 2h, kill: {component: jobs}}]\n";
    for of_service in ["", random] {
        let result = rests(&scenario(of_service, WAIT, pause));
        assert_eq!((result.run.duration_s, result.workloads["w"].outcomes["ok"]), (10.05, 1), "{of_service}");
    }
    // Fire-and-forget work counts as work, too.
    let result = rests(&scenario("", "send: jobs", &pause.replace("pause: app", "pause: jobs")));
    assert_eq!((result.run.duration_s, result.components["jobs"].outcomes["ok"]), (10.05, 1));
    // A crash ends the paused call: that is the last event.
    let ends = "faults: [{at: 10ms, pause: app}, {at: 30s, kill: {component: app}}, {at: 2h, for: 1h, pause: jobs}]\n";
    let result = rests(&scenario("", WAIT, ends));
    assert_eq!((result.run.duration_s, result.workloads["w"].outcomes["reset"]), (30.0, 1));
}

#[test]
fn calls_that_can_never_end_are_named_once_everything_else_has_had_its_turn() {
    let stuck = vec![("app".to_string(), 1)];
    let pause = "faults: [{at: 10ms, pause: app}";
    assert_eq!(never_ends(&scenario("", WAIT, &format!("{pause}]\n"))), (stuck.clone(), 0.010_000_001));
    // A fault still to come might have let it continue.
    let later = format!("{pause}, {{at: 60s, for: 30s, slow: {{component: jobs, factor: 2}}}}]\n");
    assert_eq!(never_ends(&scenario("", WAIT, &later)), (stuck.clone(), 90.000_000_001));
    // Random failures would continue forever: wait until each has failed and been repaired once.
    let random = format!("  other: {{kind: external, latency: 1ms, random: {{mtbf: 40s, mttr: 2s}}}}\n{pause}]\n");
    assert_eq!(never_ends(&scenario("", WAIT, &random)), (stuck, 42.000_000_001));
}

//! Random loops of calls: the number of calls, and the failure of loops without end.

use lab::{Failure, Session};
use sim_core::Endless;

use crate::harness::{load, run_loaded};

/// A service that calls itself with a probability, after a pause; the other choice does nothing.
fn itself(rate: &str, duration: &str, again: f64, pause: &str, link: &str) -> String {
    format!(
        "version: 1
run: {{duration: {duration}}}
workloads: {{w: {{arrivals: {{constant: {rate}}}, call: app}}}}
components:
  app:
    kind: service
    runtime: unlimited
    handlers: {{default: [{{choose: [{{weight: {again}, steps: [{pause}{{call: again}}]}}, {{weight: {}, steps: []}}]}}]}}
    calls: {{again: {link}}}
",
        1.0 - again
    )
}

fn failure(yaml: &str) -> sim_core::Stuck {
    let mut session = Session::new(load(yaml), 1, None);
    let stuck = match session.run_to_end() {
        Err(Failure::Stuck(stuck)) => stuck,
        other => panic!("this has no end, but: {other:?}"),
    };
    // Continuing regardless reports the failure again.
    assert!(matches!(session.run_to_end(), Err(Failure::Stuck(_))));
    stuck
}

#[test]
fn calls_inside_each_other_without_end_are_an_error_with_a_place() {
    let at_once = failure(&itself("1/s", "10s", 1.0, "", "app"));
    assert_eq!((at_once.how, at_once.at), (Endless::Inside, 1_000_000_000));
    assert!(at_once.group.starts_with("app"), "{}", at_once.group);
    // With time passing between them, a million more in each second.
    let slowly = failure(&itself("1/s", "1h", 1.0, "{wait: 1us}, ", "app"));
    assert_eq!(slowly.how, Endless::Inside);
    assert!((2_000_000_000..4_000_000_000).contains(&slowly.at) && slowly.group.starts_with("app"), "{slowly:?}");
}

#[test]
fn a_timeout_brings_calls_inside_each_other_to_an_end() {
    let yaml = itself("10/s", "10s", 1.0, "{wait: 1ms}, ", "{to: app, timeout: 100ms}");
    let result = run_loaded(&load(&yaml), 1);
    assert_eq!(result.workloads["w"].outcomes.keys().collect::<Vec<_>>(), ["unavailable"]);
}

/// The number of calls per request is geometric: mean and standard deviation are about 1/(1 − p). The means over n requests
/// may deviate by five standard errors: one such test in a hundred thousand fails by chance.
#[test]
fn calls_inside_each_other_with_an_end_are_as_many_as_they_should_be() {
    for (again, rate, seeds) in [(0.9, "1000/s", 5), (0.99, "1000/s", 5), (0.9999, "10/s", 2)] {
        let loaded = load(&itself(rate, "10s", again, "", "app"));
        let (mut requests, mut calls) = (0.0, 0.0);
        for seed in 1..=seeds {
            let result = run_loaded(&loaded, seed);
            requests += result.workloads["w"].sent as f64;
            calls += result.components["app"].arrivals as f64;
        }
        let (found, expected) = (calls / requests, 1.0 / (1.0 - again));
        let error = expected / f64::sqrt(requests);
        assert!((found - expected).abs() < 5.0 * error, "{found} instead of {expected} ± {error}");
    }
}

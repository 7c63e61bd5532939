//! Budgets, limits that adapt and fallbacks in whole systems, where what must come out can be counted by hand.

use lab::result::RunResult;

use crate::harness::{load, load_variant, run_loaded};
use crate::kinds::run;

/// Calls to a service that fails, or does what else it is told.
fn calls(arrivals: &str, policies: &str, service: &str) -> String {
    format!(
        "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {arrivals}}}, call: {{to: x, {policies}}}}}}}
components: {{x: {{kind: service, runtime: unlimited, handlers: {{default: [{service}]}}}}}}
"
    )
}

fn retries(result: &RunResult) -> (u64, u64) {
    let link = &result.links["w"]["call"];
    (link.retries, link.retries_refused)
}

/// One call after the other, each of which fails: so many retries are allowed and refused.
fn in_turn(budget: &str, calls: u64) -> (u64, u64) {
    let yaml = format!(
        "version: 1
run: {{duration: {calls}s}}
workloads: {{w: {{arrivals: {{constant: 1/s}}, call: {{to: x, retry: {{max_attempts: 3, budget: {budget}}}}}}}}}
components: {{x: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 1ms}}, {{fail: {{}}}}]}}}}}}
"
    );
    retries(&run(&yaml))
}

#[test]
fn budgets_end_the_retries_of_an_outage_as_their_sources_say() {
    // Ten tokens, of which each failure takes one: three failures and two retries leave 7, two more and one retry leave 5.
    // A call whose first attempt fails at 5 or below is refused its retry.
    assert_eq!(in_turn("tokens", 1_000), (3, 998));
    // 500, of which each retry takes 5: a hundred retries, two for each of the first fifty of 999 calls.
    assert_eq!(in_turn("aws_standard", 1_000), (100, 949));
    // Three at the same time are always allowed, and here there is one at a time.
    assert_eq!(in_turn("concurrent", 1_000), (1_998, 0));
    // Ten a second are always allowed, and here there are two.
    assert_eq!(in_turn("ratio", 1_000), (1_998, 0));
}

/// A hundred calls fail at the same instant. The k-th to fail leaves 100 − k under way, and finds k − 1 retries that back
/// off: it may retry while k − 1 < max(⌊0.2 (100 − k)⌋, 3), that is up to the 16th.
#[test]
fn a_budget_of_what_is_under_way_counts_retries_that_back_off() {
    let retry = "retry: {max_attempts: 2, backoff: {fixed: 1s}, budget: concurrent}";
    let all = calls("{count: 100}", retry, "{wait: 10ms}, {fail: {}}");
    assert_eq!(retries(&run(&all)), (16, 84));
    // Those that give up while they back off make room again: 16 at first, and as many once those are gone.
    let give_up = format!(
        "version: 1
run: {{until: idle}}
workloads:
  early: {{arrivals: {{once: {{count: 100}}}}, call: via}}
components:
  via: {{kind: service, runtime: unlimited, calls: {{x: {{to: x, {retry}, total_timeout: 5s}}}}, handlers: {{default: [{{call: x}}]}}}}
  x: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 10ms}}, {{fail: {{}}}}]}}}}
faults: [{{at: 500ms, for: 1ms, kill: {{component: via}}}}]
"
    );
    let result = run(&give_up);
    assert_eq!(result.links["via"]["x"].retries_refused, 84);
}

/// Time until the answer, ms, and how the requests ended.
fn ended(yaml: &str) -> (f64, Vec<(String, u64)>) {
    let result = run(yaml);
    let w = &result.workloads["w"];
    let outcomes = w.outcomes.iter().map(|(outcome, count)| (outcome.clone(), *count)).collect();
    ((w.latency.max_s.unwrap_or(0.0) * 1e6).round() / 1e3, outcomes)
}

#[test]
fn a_fallback_answers_in_place_of_what_failed() {
    let one = |policies: &str, service: &str| ended(&calls("{count: 1}", policies, service));
    let degraded = || vec![("degraded".to_string(), 1)];
    let ok = || vec![("ok".to_string(), 1)];
    assert_eq!(one("timeout: 10ms, fallback: degraded", "{wait: 1s}"), (10.0, degraded()));
    assert_eq!(one("timeout: 10ms, fallback: {takes: 5ms}", "{wait: 1s}"), (15.0, degraded()));
    assert_eq!(one("timeout: 10ms, fallback: {takes: 5ms}", "{wait: 1ms}"), (1.0, ok()));
    // It stands outside of the retries and of the time for all of it.
    let retry = "retry: {max_attempts: 3}, timeout: 10ms";
    assert_eq!(one(&format!("{retry}, fallback: degraded"), "{wait: 1s}"), (30.0, degraded()));
    assert_eq!(
        one(&format!("{retry}, total_timeout: 25ms, fallback: {{takes: 50ms}}"), "{wait: 1s}"),
        (75.0, degraded())
    );
    // Only in place of what is listed.
    let failed = vec![("error".to_string(), 1)];
    assert_eq!(one("fallback: {when: [timeout]}", "{wait: 1ms}, {fail: {}}").1, failed);
    let own_mistake = vec![("client_error".to_string(), 1)];
    assert_eq!(one("fallback: degraded", "{fail: {outcome: client_error}}").1, own_mistake);
}

#[test]
fn each_of_those_who_share_a_call_falls_back_for_itself() {
    for share in ["coalesce: {by: op}", "batch: {max: 5, wait: 1ms}"] {
        let policies = format!("{share}, timeout: 10ms, fallback: {{takes: 5ms}}");
        let (latest, outcomes) = ended(&calls("{count: 5}", &policies, "{wait: 1s}"));
        assert_eq!((latest, outcomes), (15.0, vec![("degraded".to_string(), 5)]), "{share}");
    }
}

/// A caller that is told to stop while its fallback takes its time stops.
#[test]
fn a_fallback_is_cancelled_with_its_call() {
    let yaml = "version: 1
run: {until: idle}
workloads: {w: {arrivals: {once: {count: 1}}, call: {to: app, timeout: 20ms, propagate: [cancel]}}}
components:
  app:
    kind: service
    runtime: unlimited
    calls: {x: {to: x, timeout: 10ms, fallback: {takes: 1s}, propagate: [cancel]}}
    handlers: {default: [{call: x}]}
  x: {kind: service, runtime: unlimited, handlers: {default: [{wait: 10s}]}}
";
    let result = run(yaml);
    assert_eq!(result.workloads["w"].outcomes.iter().collect::<Vec<_>>(), [(&"timeout".to_string(), &1)]);
    assert_eq!(result.links["app"]["x"].own.value("fallback.used"), Some(1.0));
}

/// Retry-After comes all the way from the limiter of a third party, through a service that passes its failure on, to the client:
/// the refused request is asked for again when there is a token, and not before.
#[test]
fn retry_after_is_honoured_through_a_service() {
    let yaml = |retry: &str| {
        format!(
            "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: 2}}}}, call: {{to: app, retry: {{max_attempts: 2{retry}}}}}}}}}
components:
  app: {{kind: service, runtime: unlimited, calls: {{ext: ext}}, handlers: {{default: [{{call: ext}}]}}}}
  ext: {{kind: external, latency: 10ms, rate_limit: {{token_bucket: {{rate: 1/s, burst: 1}}}}}}
"
        )
    };
    let ok = || vec![("ok".to_string(), 2)];
    assert_eq!(ended(&yaml("")), (1_010.0, ok()));
    assert_eq!(ended(&yaml(", backoff: {fixed: 300ms}")), (1_010.0, ok()));
    assert_eq!(ended(&yaml(", backoff: {fixed: 1500ms}")), (1_510.0, ok()));
}

const TRACKS: &str = include_str!("limits-that-adapt.yaml");

/// At twice the load that the callee can carry, most of that is served in time, also while it is three times slower. AIMD, which
/// learns from those alone that took too long, loses more of it. What could be served in time is 400/s in 45 s and a third of that
/// in 15 s; without a limit hardly anything is.
#[test]
fn limits_that_adapt_find_what_the_callee_can_carry() {
    let most = (400.0 * 45.0 + 400.0 / 3.0 * 15.0) / 60.0;
    let mut found = Vec::new();
    for (variant, least) in [("gradient2", 0.85), ("vegas", 0.75), ("aimd", 0.75)] {
        let loaded = load_variant(TRACKS, Some(variant));
        found.extend((1..=2).map(|seed| {
            let share = run_loaded(&loaded, seed).workloads["clients"].goodput / most;
            (variant, seed, share, share >= least && share < 1.05)
        }));
    }
    let none = run_loaded(&load_variant(TRACKS, Some("no-limit")), 1).workloads["clients"].goodput / most;
    found.push(("no-limit", 1, none, none < 0.15));
    assert!(found.iter().all(|(_, _, _, is_right)| *is_right), "{found:#?}");
}

/// The same seed gives the same limit, draws of its own included.
#[test]
fn what_a_limit_draws_is_the_same_in_every_run() {
    let loaded = load(&TRACKS.replace("{fixed: 1000}", "{vegas: {probe_multiplier: 2}}"));
    let bytes = |seed| crate::harness::bytes(&run_loaded(&loaded, seed));
    assert_eq!(bytes(3), bytes(3));
}

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

/// A second service answers where the first one fails, and its failure is the call's.
#[test]
fn another_link_answers_in_place_of_one_that_fails() {
    let yaml = |near: &str, far: &str, fallback: &str| {
        format!(
            "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: 3}}}}, call: app}}}}
components:
  app:
    kind: service
    runtime: unlimited
    handlers: {{default: [{{call: near}}]}}
    calls:
      near: {{to: near, timeout: 10ms, retry: {{max_attempts: 2}}, fallback: {fallback}}}
      far: {{to: far, timeout: 50ms, network: {{rtt: 4ms}}}}
  near: {{kind: service, runtime: unlimited, handlers: {{default: [{near}]}}}}
  far: {{kind: service, runtime: unlimited, handlers: {{default: [{far}]}}}}
"
        )
    };
    let of = |outcome: &str| vec![(outcome.to_string(), 3)];
    let slow = "{wait: 1s}";
    // Two attempts of 10 ms, then 4 + 3 ms.
    assert_eq!(ended(&yaml(slow, "{wait: 3ms}", "{call: far}")), (27.0, of("ok")));
    assert_eq!(ended(&yaml(slow, "{wait: 3ms}", "{call: far, takes: 5ms}")), (32.0, of("ok")));
    assert_eq!(ended(&yaml("{wait: 1ms}", "{wait: 3ms}", "{call: far}")), (1.0, of("ok")));
    // The other link fails, too: what the service makes of that.
    assert_eq!(ended(&yaml(slow, slow, "{call: far}")).1, of("unavailable"));
    assert_eq!(ended(&yaml(slow, "{fail: {}}", "{call: far}")).1, of("error"));
    let result = run(&yaml(slow, "{wait: 3ms}", "{call: far}"));
    assert_eq!((result.links["app"]["near"].attempts, result.links["app"]["far"].attempts), (6, 3));
    assert_eq!(result.links["app"]["near"].own.value("fallback.used"), Some(3.0));
    // Its own fallback stands behind it.
    let chain =
        yaml(slow, slow, "{call: far}").replace("to: far, timeout: 50ms", "to: far, timeout: 50ms, fallback: degraded");
    assert_eq!(ended(&chain), (70.0, of("ok")));
}

#[test]
fn a_fallback_to_a_link_is_of_the_same_component_and_leads_on() {
    let refused = |near: &str, far: &str| {
        crate::kinds::refused(&format!(
            "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: 1}}}}, call: app}}}}
components:
  app:
    kind: service
    runtime: unlimited
    handlers: {{default: [{{call: near}}]}}
    calls: {{near: {{to: db{near}}}, far: {{to: db{far}}}}}
  db: {{kind: database, operations: {{default: 1ms}}}}
"
        ))
        .join("; ")
    };
    assert!(refused(", fallback: {call: fat}", "").contains("is called `fat`"));
    assert!(refused(", fallback: {call: near}", "").contains("`near` falls back on itself"));
    let both = refused(", fallback: {call: far}", ", fallback: {call: near}");
    assert!(both.contains("`near` falls back on itself") && both.contains("`far` falls back on itself"), "{both}");
    let workload = "version: 1
run: {until: idle}
workloads: {w: {arrivals: {once: {count: 1}}, call: {to: db, fallback: {call: db}}}}
components: {db: {kind: database, operations: {default: 1ms}}}
";
    assert!(crate::kinds::refused(workload).join("").contains("no other link"));
}

/// A caller that is told to stop while another link answers for it tells that one to stop, too.
#[test]
fn a_fallback_over_another_link_is_cancelled_with_its_call() {
    let yaml = "version: 1
run: {until: idle}
workloads: {w: {arrivals: {once: {count: 1}}, call: {to: app, timeout: 20ms, propagate: [cancel]}}}
components:
  app:
    kind: service
    runtime: unlimited
    handlers: {default: [{call: near}]}
    calls:
      near: {to: x, timeout: 10ms, propagate: [cancel], fallback: {call: far}}
      far: {to: z, propagate: [cancel]}
  x: {kind: service, runtime: unlimited, handlers: {default: [{wait: 1s}]}}
  z: {kind: service, runtime: unlimited, handlers: {default: [{wait: 1s}]}}
";
    let result = run(yaml);
    for component in ["x", "z"] {
        assert_eq!(result.components[component].outcomes.get("cancelled"), Some(&1), "{component}");
    }
}

/// A callee that lets 50 of 200 a second through: a client that adapts hardly sends more than that, and one that does not sends all.
#[test]
fn a_client_that_adapts_sends_what_its_callee_takes() {
    let yaml = |budget: &str| {
        format!(
            "version: 1
run: {{duration: 120s, warmup: 30s}}
workloads: {{w: {{arrivals: {{poisson: 200/s}}, call: {{to: x, total_timeout: 1s, retry: {{max_attempts: 3, when: [rate_limited], budget: {budget}}}}}}}}}
components: {{x: {{kind: external, latency: 10ms, rate_limit: {{token_bucket: {{rate: 50/s, burst: 20}}}}}}}}
"
        )
    };
    let per_s = |result: &RunResult| {
        let link = &result.links["w"]["call"];
        let refused = link.outcomes.get("rate_limited").copied().unwrap_or(0);
        (link.outcomes["ok"] as f64 / 120.0, refused as f64 / 120.0)
    };
    for seed in 0..3 {
        let (ok, refused) = per_s(&run_loaded(&load(&yaml("aws_adaptive")), seed));
        assert!((40.0..51.0).contains(&ok) && refused < 10.0, "{ok} {refused}");
        let (ok, refused) = per_s(&run_loaded(&load(&yaml("aws_standard")), seed));
        assert!((45.0..51.0).contains(&ok) && refused > 140.0, "{ok} {refused}");
    }
}

/// Refused at the same instant and told the same wait: without jitter all come back together, with it one after the other.
#[test]
fn jitter_spreads_those_who_were_told_the_same_instant() {
    let yaml = |backoff: &str| {
        format!(
            "version: 1
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: 6}}}}, call: {{to: x, retry: {{max_attempts: 2, when: [rate_limited], backoff: {backoff}}}}}}}}}
components: {{x: {{kind: external, latency: 1ms, rate_limit: {{token_bucket: {{rate: 1/s}}}}}}}}
"
        )
    };
    let ok = |backoff: &str| run(&yaml(backoff)).workloads["w"].outcomes["ok"];
    assert_eq!(ok("{fixed: 100ms}"), 2);
    // Over ten seconds each finds a token of its own with a good chance: of five, three at least.
    assert!(ok("{fixed: 10s, jitter: full}") >= 4);
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

const TRACKS: &str = include_str!("../../../scenarios/adaptive-limit-tracks-capacity.yaml");

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

/// One retry for each attempt that takes too long, and a pause of `D`: all that came meanwhile stands in line twice, and as long as calls
/// wait for longer than their timeout everything is asked for twice: 2λD drains at μ − 2λ. (Bronson and others, *Metastable
/// Failures in Distributed Systems*, HotOS 2021: 300/s, of which 150 is the most that heals.)
#[test]
fn after_a_pause_retries_drain_as_slowly_as_the_formula_says() {
    let yaml = |rate: u32| {
        format!(
            "version: 1
run: {{duration: 300s, window: 1s}}
workloads: {{w: {{arrivals: {{constant: {rate}/s}}, call: {{to: db, timeout: 100ms, retry: {{max_attempts: 2}}}}}}}}
components: {{db: {{kind: database, connections: 3, operations: {{default: 10ms}}}}}}
faults: [{{at: 10s, for: 10s, pause: {{component: db}}}}]
"
        )
    };
    let recovers_after = |rate: u32| {
        let result = run(&yaml(rate));
        let goodput = &result.series.columns["workloads.w.goodput"];
        let is_good = |value: &Option<f64>| value.is_some_and(|value| value >= 0.95 * f64::from(rate));
        // The first window from which on all are good.
        let bad = goodput.iter().rposition(|value| !is_good(value)).expect("it was paused");
        (bad + 1 < goodput.len()).then(|| (bad + 1) as f64 - 20.0)
    };
    for rate in [100, 120, 130, 140] {
        let (load, pause, capacity) = (f64::from(rate), 10.0, 300.0);
        let expected = 2.0 * load * pause / (capacity - 2.0 * load);
        let found = recovers_after(rate).expect("it heals");
        // Those that came in the last 100 ms of the pause stand in line once, and a window has a second.
        assert!((found - expected).abs() < 2.0 + 0.03 * expected, "{rate}/s: {found} instead of {expected}");
    }
    assert_eq!(recovers_after(151), None, "it never heals");
}

//! Client identities: they travel along every call, and limits can be per client.

use crate::harness::bytes;
use crate::kinds::{refused, run};

/// One client sends 100 requests per second, a hundred others one each. All go through `edge` and `middle`, whose calls to
/// `api` are limited; the workloads' own links reuse requests as their attempts.
fn neighbours(by: &str) -> String {
    format!(
        "version: 1
run: {{duration: 20s}}
workloads:
  noisy: {{arrivals: {{constant: 100/s}}, clients: 1, call: {{to: edge, timeout: 1s, retry: {{max_attempts: 2, when: [timeout]}}}}}}
  quiet: {{arrivals: {{constant: 100/s}}, clients: 100, call: {{to: edge, timeout: 1s, retry: {{max_attempts: 2, when: [timeout]}}}}}}
components:
  edge: {{kind: service, runtime: unlimited, handlers: {{default: [{{call: middle}}]}}, calls: {{middle: middle}}}}
  middle:
    kind: service
    runtime: unlimited
    handlers: {{default: [{{call: api}}]}}
    calls: {{api: {{to: api, rate_limit: {{token_bucket: {{rate: 10/s, burst: 10}}{by}}}}}}}
  api: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 1ms}}]}}}}
"
    )
}

/// Numbers of a workload's requests that succeeded and that were rejected.
fn answered(yaml: &str, workload: &str) -> (u64, u64) {
    let outcomes = &run(yaml).workloads[workload].outcomes;
    let of = |name: &str| outcomes.get(name).copied().unwrap_or(0);
    (of("ok"), of("overload"))
}

#[test]
fn a_limit_by_client_stops_the_noisy_one_alone() {
    let by_client = neighbours(", by: client");
    // Ten tokens at the start and one more every tenth of a second; 100 requests per second take each token as it comes.
    let (passed, stopped) = answered(&by_client, "noisy");
    assert_eq!((passed, passed + stopped), (10 + 199, 1999));
    assert_eq!(answered(&by_client, "quiet"), (1999, 0));
    // A single limit for all lets the same number pass, but does not distinguish clients: the quiet ones suffer from the noisy
    // one.
    let shared = neighbours("");
    let (noisy, quiet) = (answered(&shared, "noisy").0, answered(&shared, "quiet").0);
    assert_eq!(noisy + quiet, 10 + 199);
}

#[test]
fn each_user_is_a_client() {
    let passed = |users: u32| {
        let yaml = format!(
            "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{closed: {{users: {users}, think: 50ms}}}}, call: {{to: x, rate_limit: {{fixed_window: {{limit: 4, window: 1s}}, by: client}}}}}}}}
components: {{x: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 10ms}}]}}}}}}
"
        );
        let result = run(&yaml);
        let w = &result.workloads["w"];
        assert!(w.outcomes["rate_limited"] > 100, "users send more than may pass: {:?}", w.outcomes);
        w.outcomes["ok"]
    };
    // Four in each of ten windows.
    assert_eq!([passed(1), passed(2), passed(5)], [40, 80, 200]);
}

#[test]
fn clients_that_nobody_asks_for_change_nothing() {
    let scenario = |clients: &str| {
        format!(
            "version: 1
run: {{duration: 20s}}
workloads: {{w: {{arrivals: {{poisson: 80/s}}{clients}, call: x}}}}
components: {{x: {{kind: service, runtime: {{thread_pool: {{threads: 1}}}}, handlers: {{default: [{{wait: {{exp: 10ms}}}}]}}}}}}
"
        )
    };
    let [without, with] = ["", ", clients: {count: 10, zipf: 1}"].map(|clients| {
        let mut result = run(&scenario(clients));
        (result.scenario, result.run) = Default::default();
        bytes(&result)
    });
    assert_eq!(without, with);
}

#[test]
fn limits_by_client_need_clients_that_can_be_told_apart() {
    let scenario = |workload: &str| {
        format!(
            "version: 1
run: {{duration: 1s}}
workloads: {{w: {{{workload}, call: {{to: x, rate_limit: {{token_bucket: {{rate: 1/s}}, by: client}}}}}}}}
components: {{x: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 1ms}}]}}}}}}
"
        )
    };
    assert_eq!(
        refused(&scenario("arrivals: {poisson: 5/s}")),
        ["`by: client` limits nothing: each request comes from a client of its own"]
    );
    assert_eq!(
        refused(&scenario("arrivals: {closed: {users: 5, think: 1s}}, clients: 5")),
        ["`clients` belongs to open arrivals; here each user is a client"]
    );
    assert_eq!(
        refused(&scenario("arrivals: {poisson: 5/s}, clients: {count: 1G, zipf: 1}")),
        ["`count` must be at most 67_108_864 in a Zipf law"]
    );
}

/// Users start at random within the ramp: after a third of the ramp, a third of them have started, and each thinks before it
/// sends. The counts are binomial; for one set of seeds in 40,000, one of the four deviates by more than 4.5 standard
/// deviations.
#[test]
fn users_come_over_the_time_of_the_ramp() {
    for (ramp_s, think) in [(0, "0s"), (30, "0s"), (30, "100s"), (60, "0s")] {
        let result = run(&format!(
            "version: 1
run: {{duration: 100s, warmup: 10s, window: 10s}}
workloads: {{u: {{arrivals: {{closed: {{users: 3000, think: {think}, ramp: {ramp_s}s}}}}, call: s}}}}
components: {{s: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 1000s}}]}}}}}}
"
        ));
        // The run begins at -10 s, and each user sends one request that is never answered.
        let expected = |until_s: f64| {
            let thinks_s = if think == "0s" { 0.0 } else { 100.0 };
            let share = (until_s + 10.0 - thinks_s) / f64::from(ramp_s.max(1));
            3000.0 * share.clamp(0.0, 1.0)
        };
        let found = result.workloads["u"].sent as f64;
        let (before, after) = (expected(0.0), expected(100.0));
        let share = (after - before) / 3000.0;
        let deviation = (3000.0 * share * (1.0 - share)).sqrt();
        assert!((found - (after - before)).abs() <= 4.5 * deviation, "{ramp_s} {think}: {found}, {before}, {after}");
    }
}

/// A payment provider that allows each merchant a rate of its own stops the noisy one alone.
#[test]
fn an_external_service_limits_each_client() {
    let with = |by: &str| {
        format!(
            "version: 1
run: {{duration: 20s}}
workloads:
  noisy: {{arrivals: {{constant: 100/s}}, clients: 1, call: pay}}
  quiet: {{arrivals: {{constant: 5/s}}, clients: 1, call: pay}}
components:
  pay: {{kind: external, latency: 1ms, rate_limit: {{token_bucket: {{rate: 10/s, burst: 10}}{by}}}}}
"
        )
    };
    let of = |yaml: &str, workload: &str| {
        let outcomes = &run(yaml).workloads[workload].outcomes;
        outcomes.get("ok").copied().unwrap_or(0)
    };
    let by_client = with(", by: client");
    assert_eq!((of(&by_client, "noisy"), of(&by_client, "quiet")), (10 + 199, 99));
    let shared = with("");
    let all = of(&shared, "noisy") + of(&shared, "quiet");
    assert!(all == 10 + 199 && of(&shared, "quiet") < 99, "{all}");
}

//! Gates of links: who waits, who is refused, and when what they hold comes back.

use crate::kinds::run;

fn calls(count: u32, policies: &str, service: &str) -> String {
    format!(
        "version: 1
run: {{until: idle}}
workloads:
  w: {{arrivals: {{once: {{count: {count}}}}}, call: {{to: x, {policies}}}}}
components:
  x: {{kind: service, runtime: unlimited, handlers: {{default: [{service}]}}}}
"
    )
}

/// Outcomes of the requests and the largest latency of those answered well, ms.
fn outcomes(yaml: &str) -> (u64, u64, f64) {
    let result = run(yaml);
    let w = &result.workloads["w"];
    let of = |name: &str| w.outcomes.get(name).copied().unwrap_or(0);
    (of("ok"), of("overload"), (w.latency.max_s.unwrap_or(0.0) * 1e6).round() / 1e3)
}

#[test]
fn a_bulkhead_lets_so_many_through_at_once() {
    assert_eq!(outcomes(&calls(10, "concurrency: {fixed: 4}", "{wait: 10ms}")), (4, 6, 10.0));
    // Waiting calls are let on in turn: 4 at 0 ms, 4 at 10 ms, 2 at 20 ms.
    assert_eq!(outcomes(&calls(10, "concurrency: {fixed: 4, wait: 20ms}", "{wait: 10ms}")), (10, 0, 30.0));
    // After 15 ms the last two have waited long enough.
    assert_eq!(outcomes(&calls(10, "concurrency: {fixed: 4, wait: 15ms}", "{wait: 10ms}")), (8, 2, 20.0));
}

#[test]
fn a_place_comes_back_however_the_attempt_ends() {
    for (policies, service) in [
        ("timeout: 10ms", "{wait: 1s}"),
        ("total_timeout: 10ms", "{wait: 1s}"),
        ("retry: {max_attempts: 1}", "{wait: 10ms}, {fail: {}}"),
        ("pool: {size: 1, acquire_timeout: 10ms}, timeout: 10ms", "{wait: 1s}"),
        ("hedge: {delay: 5ms}", "{wait: 10ms}"),
    ] {
        let yaml = format!(
            "version: 1
run: {{duration: 10s}}
workloads:
  w: {{arrivals: {{constant: 1/s}}, call: {{to: x, concurrency: {{fixed: 2}}, {policies}}}}}
components:
  x: {{kind: service, runtime: unlimited, handlers: {{default: [{service}]}}}}
"
        );
        let result = run(&yaml);
        assert_eq!(result.workloads["w"].outcomes.get("overload"), None, "{policies}");
    }
}

#[test]
fn a_call_that_ends_while_it_waits_leaves_the_line() {
    // The first call holds the only place for 100 ms; the second gives up after 30 ms, the third gets the place.
    let yaml = "version: 1
run: {until: idle}
workloads:
  w: {arrivals: {once: {count: 2}}, call: {to: x, concurrency: {fixed: 1, wait: 1s}, total_timeout: 120ms}}
  v: {arrivals: {once: {count: 1, at: 50ms}}, call: front}
components:
  front: {kind: service, runtime: unlimited, handlers: {default: [{call: {link: x}}]}, calls: {x: {to: x, concurrency: {fixed: 1}}}}
  x: {kind: service, runtime: unlimited, handlers: {default: [{wait: 100ms}]}}
";
    let result = run(yaml);
    let w = &result.workloads["w"];
    assert_eq!((w.outcomes["ok"], w.outcomes["timeout"]), (1, 1));
    // The second was sent at 100 ms and given up at 120 ms.
    assert_eq!(result.links["w"]["call"].attempts, 2);
    assert_eq!(result.workloads["v"].outcomes["ok"], 1);
}

#[test]
fn a_refused_call_may_be_tried_again_after_a_back_off() {
    let policies = "concurrency: {fixed: 4}, retry: {max_attempts: 3, backoff: {fixed: 10ms}}";
    assert_eq!(outcomes(&calls(10, policies, "{wait: 9ms}")), (10, 0, 29.0));
    let result = run(&calls(10, policies, "{wait: 9ms}"));
    // 10 attempts, 6 of them refused, of whose retries 2 are refused and made a third time.
    assert_eq!((result.links["w"]["call"].attempts, result.components["x"].arrivals), (18, 10));
}

#[test]
fn as_many_refusals_in_a_row_as_there_may_be_attempts_need_no_stack() {
    let policies = "concurrency: {fixed: 1}, retry: {max_attempts: 1000}";
    let result = run(&calls(2, policies, "{wait: 10ms}"));
    assert_eq!(result.links["w"]["call"].attempts, 1001);
}

#[test]
fn a_balancer_tries_again_on_another_target() {
    let yaml = "version: 1
run: {duration: 10s}
workloads:
  w: {arrivals: {constant: 20/s}, call: lb}
components:
  lb: {kind: load_balancer, algorithm: round_robin, to: {to: [bad, good], timeout: 50ms, retry: {max_attempts: 2}}}
  bad: {kind: external, latency: 10ms, errors: 100%}
  good: {kind: external, latency: 10ms}
";
    let result = run(yaml);
    let w = &result.workloads["w"];
    assert_eq!(w.outcomes.len(), 1, "{:?}", w.outcomes);
    // Round robin alternates over attempts: bad, good of the first call, bad, good of the next.
    let link = &result.links["lb"]["to"];
    assert_eq!((link.retries, link.attempts, link.calls), (199, 398, 199));
    assert_eq!(result.components["lb"].arrivals, 199);
}

#[test]
fn a_balancer_with_policies_counts_what_is_under_way_as_one_without() {
    let of = |policies: &str| {
        let yaml = format!(
            "version: 1
run: {{duration: 20s}}
workloads:
  w: {{arrivals: {{poisson: 200/s}}, call: lb}}
components:
  lb: {{kind: load_balancer, algorithm: least_connections, to: {{to: web{policies}}}}}
  web: {{kind: service, replicas: 4, runtime: {{thread_pool: {{threads: 1}}}}, handlers: {{default: [{{wait: 15ms}}]}}}}
"
        );
        let result = run(&yaml);
        let w = &result.workloads["w"];
        (w.completed, w.latency, result.components["web"].queue)
    };
    assert_eq!(of(""), of(", total_timeout: 1h"));
}

/// A callee that fails from 10 s to 20 s, called ten times a second.
fn failing(policies: &str) -> lab::result::RunResult {
    run(&format!(
        "version: 1
run: {{duration: 40s}}
workloads:
  w: {{arrivals: {{constant: 10/s}}, call: {{to: x, {policies}}}}}
components:
  x: {{kind: external, latency: 10ms}}
faults:
  - {{at: 10s, for: 10s, errors: {{component: x, fraction: 100%}}}}
"
    ))
}

#[test]
fn a_breaker_opens_after_failures_tries_and_closes() {
    let result = failing("breaker: {consecutive: 5, open: 3s, half_open: 2}");
    let link = &result.links["w"]["call"];
    // The fault answers at once. The fifth failure, at 10.4 s, opens the breaker; trial calls at 13.4, 16.4 and 19.4 s fail,
    // those at 22.4 and 22.5 s succeed and close it. In between 29 calls are refused four times.
    assert_eq!((link.outcomes["error"], link.outcomes["breaker_open"]), (8, 4 * 29));
    assert_eq!(result.components["x"].arrivals + 4 * 29, result.workloads["w"].sent);
}

#[test]
fn a_token_bucket_says_when_to_come_again_and_a_retry_does() {
    // Of ten calls at once three pass; the others are told to come in 100 ms, and of these one passes each time.
    let refused = calls(10, "rate_limit: {token_bucket: {rate: 10/s, burst: 3}}", "{wait: 1ms}");
    let result = run(&refused);
    let w = &result.workloads["w"];
    assert_eq!((w.outcomes["ok"], w.outcomes["rate_limited"]), (3, 7));
    let again = "rate_limit: {token_bucket: {rate: 10/s, burst: 3}}, retry: {max_attempts: 8, when: [rate_limited]}";
    let result = run(&calls(10, again, "{wait: 1ms}"));
    let w = &result.workloads["w"];
    assert_eq!((w.outcomes["ok"], (w.latency.max_s.unwrap() * 1e3).round()), (10, 701.0));
    assert_eq!(result.links["w"]["call"].attempts, 10 + 7 + 6 + 5 + 4 + 3 + 2 + 1);
}

#[test]
fn a_leaky_bucket_lets_calls_through_at_its_rate() {
    // One at once, then one each 100 ms; four may wait.
    let result = run(&calls(10, "rate_limit: {leaky_bucket: {rate: 10/s, queue: 4}}", "{wait: 1ms}"));
    let w = &result.workloads["w"];
    assert_eq!((w.outcomes["ok"], w.outcomes["rate_limited"]), (5, 5));
    assert_eq!((w.latency.max_s.unwrap() * 1e3).round(), 401.0);
    // A call that gives up waiting leaves the queue.
    let bounded = "rate_limit: {leaky_bucket: {rate: 10/s, queue: 9}}, total_timeout: 250ms";
    let result = run(&calls(10, bounded, "{wait: 1ms}"));
    assert_eq!((result.workloads["w"].outcomes["ok"], result.workloads["w"].outcomes["timeout"]), (3, 7));
    assert_eq!(result.components["x"].arrivals, 3);
}

#[test]
fn each_operation_has_a_limit_of_its_own() {
    let yaml = |by: &str| {
        format!(
            "version: 1
run: {{duration: 100s}}
workloads:
  w:
    arrivals: {{constant: 100/s}}
    requests: [{{op: a}}, {{op: b}}]
    call: {{to: x, rate_limit: {{fixed_window: {{limit: 10, window: 1s}}{by}}}}}
components:
  x: {{kind: external, latency: 1ms}}
"
        )
    };
    let arrivals = |by: &str| run(&yaml(by)).components["x"].arrivals;
    assert_eq!((arrivals(""), arrivals(", by: op")), (1000, 2000));
}

#[test]
fn what_a_link_refuses_itself_does_not_open_its_breaker() {
    let policies = "breaker: {consecutive: 3}, rate_limit: {token_bucket: {rate: 1/s}}";
    let result = run(&calls(10, policies, "{wait: 1ms}"));
    assert_eq!(result.workloads["w"].outcomes.get("breaker_open"), None);
    let listed = "breaker: {consecutive: 3, counts: [rate_limited]}, rate_limit: {token_bucket: {rate: 1/s}}";
    let result = run(&calls(10, listed, "{wait: 1ms}"));
    assert_eq!(result.workloads["w"].outcomes["breaker_open"], 6);
}

/// A callee that serves 50 of 200 calls a second and rejects the others is sent k = 2 for each that it accepts
/// (*Site Reliability Engineering*, chapter 21): 100 a second.
#[test]
fn an_adaptive_throttle_sends_twice_what_is_accepted() {
    let (mut arrivals, mut accepted) = (0, 0);
    for seed in 0..5 {
        let result = run(&format!(
            "version: 1
seed: {seed}
run: {{duration: 300s, warmup: 120s}}
workloads:
  w: {{arrivals: {{poisson: 200/s}}, call: {{to: x, throttle: {{adaptive: {{k: 2, window: 20s}}}}}}}}
components:
  x: {{kind: external, latency: 1ms, rate_limit: {{token_bucket: {{rate: 50/s, burst: 10}}}}}}
"
        ));
        arrivals += result.components["x"].arrivals;
        accepted += result.components["x"].outcomes["ok"];
    }
    let ratio = arrivals as f64 / accepted as f64;
    // 75,000 accepted over 1,500 s; the ratio's noise is well below a hundredth.
    assert!((ratio - 2.0).abs() < 0.05, "{ratio}");
}

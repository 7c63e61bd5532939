//! Abandoned calls: what stops when a caller no longer wants the answer, and what counts as wasted work.

use lab::result::RunResult;

use crate::kinds::run;

/// Number of calls of a component with this outcome.
fn ended(result: &RunResult, component: &str, outcome: &str) -> u64 {
    result.components[component].outcomes.get(outcome).copied().unwrap_or(0)
}

fn busy(result: &RunResult, component: &str) -> f64 {
    result.components[component].utilization.expect("it has workers")
}

fn wasted(result: &RunResult, component: &str) -> f64 {
    result.components[component].wasted_work.expect("it has worked")
}

/// The largest latency of a workload's successful requests, in ms.
fn slowest_ms(result: &RunResult, workload: &str) -> f64 {
    (result.workloads[workload].latency.max_s.expect("some ended well") * 1e6).round() / 1e3
}

const RUNTIMES: [&str; 5] = [
    "unlimited",
    "{thread_pool: {threads: 2}}",
    "{thread_per_request: {max: 10}}",
    "{event_loop: {loops: 1}}",
    "{async: {workers: 2}}",
];

/// One request per second to `f`, with the given handler and runtime. Its callees: `a` answers after 10 ms, `b` works for
/// 900 ms on its single thread, `fails` fails after 10 ms.
fn fan_out(runtime: &str, handler: &str, call: &str) -> RunResult {
    run(&format!(
        "version: 1
run: {{duration: 20s, window: 20s}}
workloads:
  w: {{arrivals: {{constant: 1/s}}, call: {{to: f{call}}}}}
components:
  f:
    kind: service
    cpu: 4
    runtime: {runtime}
    calls: {{a: {{to: a, propagate: [cancel]}}, b: {{to: b, propagate: [cancel]}}, fails: {{to: fails, propagate: [cancel]}}}}
    handlers: {{default: [{handler}]}}
  a: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 10ms}}]}}}}
  b: {{kind: service, runtime: {{thread_pool: {{threads: 1}}}}, handlers: {{default: [{{wait: 900ms}}]}}}}
  fails: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 10ms}}, {{fail: {{}}}}]}}}}
"
    ))
}

/// 19 requests reach `b`, which would work for 900 ms each and stops after 10 ms.
#[test]
fn branches_that_have_lost_stop() {
    let cancelled = ", timeout: 10ms, propagate: [cancel]";
    for runtime in RUNTIMES {
        for (handler, call) in [
            ("{parallel: {branches: [[{call: a}], [{call: b}]], need: any}}", ""),
            ("{parallel: {branches: [[{call: fails}], [{call: b}]]}}", ""),
            ("{parallel: {branches: [[{wait: 10ms}], [{repeat: {times: 2, steps: [{call: b}]}}]], need: 1}}", ""),
            (
                "{parallel: {branches: [[{call: a}], [{parallel: {branches: [[{call: b}], [{wait: 1s}]]}}]], need: any}}",
                "",
            ),
            ("{split: {items: 1, each: [{parallel: {branches: [[{call: fails}], [{call: b}]]}}]}}", ""),
            // The same for branches of a handler that is cancelled.
            ("{parallel: [[{call: b}], [{wait: 1s}]]}", cancelled),
            ("{split: {items: 1, each: [{call: b}]}}", cancelled),
            ("{call: b}", cancelled),
        ] {
            let result = fan_out(runtime, handler, call);
            assert_eq!(ended(&result, "b", "cancelled"), 19, "{runtime} {handler}");
            assert!((busy(&result, "b") - 0.0095).abs() < 1e-9, "{runtime} {handler}: {}", busy(&result, "b"));
            assert_eq!(result.components["f"].in_flight_end, 0, "{runtime} {handler}");
        }
    }
}

/// When one item of a split fails, the items that are still waiting for `b` are abandoned.
#[test]
fn the_other_tasks_of_a_split_stop_when_one_fails() {
    for runtime in RUNTIMES {
        let choose = "{choose: [{weight: 1, steps: [{call: fails}]}, {weight: 0, steps: [{call: b}]}]}";
        let handler =
            format!("{{parallel: {{branches: [[{{split: {{items: 3, each: [{choose}]}}}}], [{{call: b}}]]}}}}");
        let result = fan_out(runtime, &handler, "");
        assert_eq!(ended(&result, "b", "cancelled"), 19, "{runtime}");
        assert_eq!(ended(&result, "f", "error"), 19, "{runtime}");
    }
}

/// Over a link that does not propagate cancellation, giving up ends the attempts but not the callee's work.
#[test]
fn whoever_is_not_told_goes_on() {
    for (link, attempts, cancelled) in [
        ("b", 19, 0),
        ("{to: b, timeout: 5s}", 19, 0),
        ("{to: b, timeout: 5s, propagate: [cancel]}", 19, 19),
        // A branch in its back-off makes no further attempt, whether or not its link propagates cancellation.
        ("{to: refuses, retry: {max_attempts: 3, backoff: {fixed: 20ms}}}", 19, 0),
    ] {
        let result = run(&format!(
            "version: 1
run: {{duration: 20s}}
workloads: {{w: {{arrivals: {{constant: 1/s}}, call: f}}}}
components:
  f:
    kind: service
    runtime: unlimited
    calls: {{a: a, b: {link}}}
    handlers: {{default: [{{parallel: {{branches: [[{{call: a}}], [{{call: b}}]], need: any}}}}]}}
  a: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 10ms}}]}}}}
  b: {{kind: service, runtime: {{thread_pool: {{threads: 1}}}}, handlers: {{default: [{{wait: 900ms}}]}}}}
  refuses: {{kind: service, runtime: unlimited, handlers: {{default: [{{fail: {{}}}}]}}}}
"
        ));
        assert_eq!(result.links["f"]["b"].attempts, attempts, "{link}");
        assert_eq!(ended(&result, "b", "cancelled"), cancelled, "{link}");
    }
}

/// A branch's own work stops with it, and everything it holds is released: loop, core, lock, thread.
#[test]
fn what_a_lost_branch_holds_is_free_at_once() {
    for runtime in RUNTIMES {
        // A loop that blocks or computes cannot receive an answer, so no branch can win meanwhile.
        let is_loop = runtime.contains("event_loop");
        let losers = ["{wait: 1h}", "{lock: {name: l, steps: [{wait: 1h}]}}", "{block: 1h}", "{cpu: 1h}"];
        for loser in losers.into_iter().take(if is_loop { 2 } else { 4 }) {
            // The winning branch needs none of these resources.
            let handler = format!(
                "{{parallel: {{branches: [[{{call: a}}], [{loser}]], need: any}}}}, {{lock: {{name: l, steps: [{{cpu: 1ms}}]}}}}"
            );
            let result = fan_out(runtime, &handler, "");
            assert_eq!(result.workloads["w"].outcomes.get("ok"), Some(&19), "{runtime} {loser}");
            assert!(slowest_ms(&result, "w") < 20.0, "{runtime} {loser}: {}", slowest_ms(&result, "w"));
        }
    }
}

/// A handler that pays for starting its branches is cancelled: branches already started stop immediately, and the others
/// never start.
#[test]
fn a_handler_that_starts_branches_is_cancelled() {
    for (cost_on, runtime) in [("elapsed", "unlimited"), ("cpu", "unlimited"), ("cpu", "{thread_pool: {threads: 1}}")] {
        let branches = "[[{call: b}], [{call: a}], [{call: a}], [{call: a}]]";
        let handler = format!(
            "{{parallel: {{branches: {branches}, task_cost: 20ms, cost_model: staggered, cost_on: {cost_on}}}}}"
        );
        // It calls b after 20 ms and a after 40 ms; at 60 ms the handler notices that it was cancelled at 50 ms.
        let result = fan_out(runtime, &handler, ", timeout: 50ms, propagate: [cancel]");
        assert_eq!(
            (ended(&result, "b", "cancelled"), ended(&result, "f", "cancelled")),
            (19, 19),
            "{cost_on} {runtime}"
        );
        assert_eq!(ended(&result, "a", "cancelled") + ended(&result, "a", "ok"), 19, "{cost_on} {runtime}");
        assert!((busy(&result, "b") - 19.0 * 0.03 / 20.0).abs() < 1e-9, "{cost_on} {runtime}: {}", busy(&result, "b"));
    }
}

#[test]
fn an_answer_at_exactly_the_deadline_is_in_time() {
    for runtime in RUNTIMES {
        for policies in ["timeout: 100ms", "total_timeout: 100ms"] {
            for propagate in ["[]", "[deadline]", "[cancel]", "[deadline, cancel]"] {
                for handler in ["{wait: 100ms}", "{wait: 100ms}, {call: t}", "{wait: 60ms}, {call: slow}"] {
                    let result = run(&format!(
                        "version: 1
run: {{duration: 2s}}
workloads:
  a: {{arrivals: {{constant: 2/s}}, call: {{to: s, {policies}, propagate: {propagate}}}}}
components:
  s:
    kind: service
    runtime: {runtime}
    cpu: 2
    calls: {{t: {{to: t, propagate: {propagate}}}, slow: {{to: slow, propagate: {propagate}}}}}
    handlers: {{default: [{handler}]}}
  t: {{kind: service, runtime: unlimited, handlers: {{default: [{{wait: 0s}}]}}}}
  slow: {{kind: database, operations: {{default: 40ms}}}}
"
                    ));
                    let w = &result.workloads["a"];
                    assert_eq!(w.outcomes.get("ok"), Some(&3), "{runtime} {policies} {propagate} {handler}");
                }
            }
        }
    }
}

/// A call taken from the queue exactly at its deadline is in time if it takes no time, and late otherwise.
#[test]
fn a_call_whose_turn_comes_at_its_deadline_is_begun() {
    for (takes, outcome) in [("0s", "ok"), ("1ns", "timeout")] {
        let result = run(&format!(
            "version: 1
run: {{until: idle}}
workloads:
  first: {{arrivals: {{once: {{count: 1}}}}, requests: [{{op: long}}], call: s}}
  second: {{arrivals: {{once: {{count: 1}}}}, call: {{to: s, timeout: 50ms, propagate: [deadline]}}}}
components:
  s: {{kind: service, runtime: {{thread_pool: {{threads: 1}}}}, handlers: {{long: [{{wait: 50ms}}], default: [{{wait: {takes}}}]}}}}
"
        ));
        assert_eq!(result.workloads["second"].outcomes.get(outcome), Some(&1), "{takes}");
    }
}

/// The last attempt of a call may begin exactly at the end of the call, at which an answer is still in time.
#[test]
fn a_back_off_that_ends_with_the_total_is_slept() {
    let of = |backoff: &str| {
        let result = run(&format!(
            "version: 1
run: {{until: idle}}
workloads:
  w: {{arrivals: {{once: {{count: 1}}}}, call: {{to: s, total_timeout: 100ms, retry: {{max_attempts: 2, backoff: {{fixed: {backoff}}}}}}}}}
components:
  s: {{kind: service, runtime: unlimited, handlers: {{default: [{{fail: {{}}}}]}}}}
"
        ));
        (result.links["w"]["call"].attempts, result.workloads["w"].latency_failed.max_s)
    };
    assert_eq!(of("100ms"), (2, Some(0.1)));
    assert_eq!(of("100000001ns"), (1, Some(0.0)));
}

/// A database with one connection: the first query is cancelled after 250 ms. A query waiting at that time begins then, and
/// a later one begins immediately.
#[test]
fn a_cancelled_query_stops_and_frees_its_connection() {
    for (operation, more) in
        [("10s", ""), ("{io: 10s}", ""), ("{cpu: 10s}", ", cores: 2"), ("{io: 1ms, cpu: 10s}", ", cores: 1")]
    {
        for (second_at, expected) in [("2s", 10_000.0), ("1s", 10_250.0)] {
            let result = run(&format!(
                "version: 1
run: {{duration: 30s}}
workloads:
  a: {{arrivals: {{once: {{count: 1, at: 1s}}}}, call: {{to: x, timeout: 250ms, propagate: [cancel]}}}}
  b: {{arrivals: {{once: {{count: 1, at: {second_at}}}}}, call: {{to: x}}}}
components:
  x: {{kind: database, connections: 1{more}, operations: {{default: {operation}}}}}
"
            ));
            assert!((slowest_ms(&result, "b") - expected).abs() < 1.5, "{operation}: {}", slowest_ms(&result, "b"));
            assert_eq!((ended(&result, "x", "cancelled"), ended(&result, "x", "ok")), (1, 1), "{operation}");
        }
    }
}

/// The cancellation takes 100 ms over a network, or arrives while the database is paused or slow.
#[test]
fn a_query_stops_when_the_database_hears_of_it() {
    for (network, faults, expected) in [
        (", network: {rtt: 200ms}", "", 0.350),
        ("", "{at: 1100ms, for: 5s, pause: x}", 5.1),
        ("", "{at: 1100ms, for: 5s, slow: {component: x, factor: 2}}", 0.25),
    ] {
        let result = run(&format!(
            "version: 1
run: {{duration: 40s}}
workloads:
  a: {{arrivals: {{once: {{count: 1, at: 1s}}}}, call: {{to: x, timeout: 250ms, propagate: [cancel]{network}}}}}
components:
  x: {{kind: database, connections: 1, operations: {{default: 10s}}}}
faults: [{faults}]
"
        ));
        let held_s = busy(&result, "x") * 40.0 + if network.is_empty() { 0.0 } else { 0.1 };
        assert!((held_s - expected).abs() < 1e-6, "{network}{faults}: {held_s}");
    }
}

#[test]
fn a_query_past_its_statement_timeout_stops() {
    for (operation, more) in [("10s", ""), ("{cpu: 10s}", ", cores: 1"), ("{io: 400ms, cpu: 10s}", ", cores: 1")] {
        let result = run(&format!(
            "version: 1
run: {{duration: 30s}}
workloads:
  a: {{arrivals: {{once: {{count: 1, at: 1s}}}}, call: x}}
  quick: {{arrivals: {{once: {{count: 2, at: 1s}}}}, requests: [{{op: quick}}], call: x}}
components:
  x: {{kind: database, connections: 1, statement_timeout: 500ms{more}, operations: {{default: {operation}, quick: 500ms}}}}
"
        ));
        let a = &result.workloads["a"];
        assert_eq!((a.outcomes.get("error"), a.latency_failed.max_s), (Some(&1), Some(0.5)), "{operation}");
        // Its connection is free for the next query, and a query that takes exactly the timeout is in time; time spent waiting
        // does not count.
        assert_eq!(result.workloads["quick"].outcomes.get("ok"), Some(&2), "{operation}");
        assert_eq!(slowest_ms(&result, "quick"), 1500.0, "{operation}");
        assert!((busy(&result, "x") - 1.5 / 30.0).abs() < 1e-9, "{operation}: {}", busy(&result, "x"));
    }
}

/// One caller gives up after 100 ms; five others arrive at 50 ms and share the same call of 500 ms.
fn shared(policy: &str, leader: &str, followers: &str) -> RunResult {
    run(&format!(
        "version: 1
run: {{duration: 10s}}
workloads:
  leader: {{arrivals: {{once: {{count: 1, at: 1s}}}}, requests: [{{key: {{constant: 1}}}}], call: {{to: api, {leader}}}}}
  follower: {{arrivals: {{once: {{count: 5, at: 1050ms}}}}, requests: [{{key: {{constant: 1}}}}], call: {{to: api, {followers}}}}}
components:
  api: {{kind: service, runtime: unlimited, calls: {{db: {{to: db, {policy}, propagate: [cancel]}}}}, handlers: {{default: [call: db]}}}}
  db: {{kind: database, operations: {{default: 500ms}}}}
"
    ))
}

#[test]
fn what_others_wait_for_is_not_wasted() {
    for policy in ["coalesce: {by: key}", "coalesce: {by: op}", "batch: {max: 6, wait: 60ms}"] {
        let in_batch = policy.contains("batch");
        let (began, until) = if in_batch { (1.05, 1.55) } else { (1.0, 1.5) };
        for leader in ["timeout: 100ms", "timeout: 100ms, propagate: [cancel]", "total_timeout: 100ms"] {
            let result = shared(policy, leader, "timeout: 5s");
            assert_eq!(wasted(&result, "db"), 0.0, "{policy} {leader}");
            assert_eq!(
                (ended(&result, "db", "ok"), result.workloads["follower"].outcomes["ok"]),
                (1, 5),
                "{policy} {leader}"
            );
        }
        // After 300 ms of the followers' time no caller is waiting, but the callee is not told.
        let result = shared(policy, "timeout: 100ms", "timeout: 300ms");
        let expected = (until - 1.35) / (until - began);
        assert!((wasted(&result, "db") - expected).abs() < 1e-9, "{policy}: {}", wasted(&result, "db"));
        // The last caller to leave cancels the call.
        let cancels = ", propagate: [cancel]";
        for (first, last) in [("timeout: 100ms", "timeout: 300ms"), ("timeout: 400ms", "timeout: 150ms")] {
            let result = shared(policy, &format!("{first}{cancels}"), &format!("{last}{cancels}"));
            assert_eq!(ended(&result, "db", "cancelled"), 1, "{policy} {first} {last}");
            assert_eq!(wasted(&result, "db"), 0.0, "{policy} {first} {last}");
            let end = if first.contains("400") { 1.4 } else { 1.35 };
            let held_s = busy(&result, "db") * 10.0 * 100.0;
            assert!((held_s - (end - began)).abs() < 1e-9, "{policy} {first} {last}: {held_s}");
        }
    }
}

/// A call that was given up first by its caller's caller was wasted from that instant on.
#[test]
fn work_is_done_in_vain_from_when_the_first_above_gave_up() {
    let result = run("version: 1
run: {duration: 10s}
workloads:
  w: {arrivals: {once: {count: 1}}, call: {to: api, timeout: 100ms}}
components:
  api: {kind: service, runtime: unlimited, calls: {db: {to: db, timeout: 300ms}}, handlers: {default: [call: db]}}
  db: {kind: database, operations: {default: 500ms}}
");
    assert!((wasted(&result, "db") - 0.8).abs() < 1e-9, "{}", wasted(&result, "db"));
}

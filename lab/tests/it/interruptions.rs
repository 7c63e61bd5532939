//! Work that is interrupted, slowed down or frozen: how long it then takes, and what its callers see.

use lab::result::RunResult;

use crate::kinds::{refused, run};

/// One worker on which a low-priority request of 100 ms runs from 0 s on; a high-priority one of 10 ms arrives a little later.
fn interrupted(step: &str, high_at_ms: u64, faults: &str) -> [f64; 2] {
    let once = |priority: &str, op: &str, at_ms: u64| {
        format!(
            "arrivals: {{once: {{count: 1, at: {at_ms}ms}}}}, requests: [{{op: {op}, priority: {priority}}}], call: app"
        )
    };
    let (low, high) = (once("low", "long", 0), once("high", "short", high_at_ms));
    let result = run(&format!(
        "version: 1
run: {{duration: 10s, warmup: 1s}}
workloads: {{low: {{{low}}}, high: {{{high}}}}}
components:
  app:
    kind: service
    cpu: 1
    runtime: {{thread_pool: {{threads: 1}}}}
    admission: {{queue: {{discipline: {{priority: {{preempt: true}}}}}}}}
    handlers: {{long: [{{{step}: 100ms}}], short: [{{{step}: 10ms}}]}}
faults: [{faults}]
"
    ));
    ["low", "high"].map(|workload| result.workloads[workload].latency.max_s.expect("it ends") * 1e3)
}

#[track_caller]
fn takes(found: [f64; 2], low_ms: f64, high_ms: f64) {
    assert!((found[0] - low_ms).abs() < 1e-3 && (found[1] - high_ms).abs() < 1e-3, "{found:?}");
}

#[test]
fn what_is_interrupted_goes_on_with_what_was_left_of_it() {
    for step in ["block", "cpu"] {
        takes(interrupted(step, 50, ""), 110.0, 10.0);
    }
    // The high-priority request arrives at the instant at which the low one would end, and is handled first: the low one has no
    // work left, but needs a worker to finish.
    takes(interrupted("block", 100, ""), 110.0, 10.0);
}

#[test]
fn what_is_slow_is_still_slow_after_an_interruption() {
    for step in ["block", "cpu"] {
        takes(interrupted(step, 50, "{at: -500ms, slow: {component: app, factor: 5}}"), 550.0, 50.0);
    }
    let added = "{at: -500ms, slow: {component: app, add: 30ms}}";
    takes(interrupted("block", 50, added), 130.0 + 40.0, 40.0);
}

#[test]
fn a_wait_that_has_begun_keeps_its_length_and_cores_change_speed_at_once() {
    let slow_later = "{at: 20ms, slow: {component: app, factor: 5}}";
    takes(interrupted("block", 50, slow_later), 150.0, 50.0);
    takes(interrupted("cpu", 50, slow_later), 20.0 + 5.0 * 80.0 + 50.0, 50.0);
    let slow_before = "{at: -500ms, for: 520ms, slow: {component: app, factor: 5}}";
    takes(interrupted("block", 50, slow_before), 510.0, 10.0);
    takes(interrupted("cpu", 50, slow_before), 20.0 + 96.0 + 10.0, 10.0);
}

#[test]
fn what_stood_still_can_be_interrupted_and_is_no_shorter_for_it() {
    for step in ["block", "cpu"] {
        let pause = "{at: 20ms, for: 20ms, pause: {component: app}}";
        takes(interrupted(step, 60, pause), 130.0, 10.0);
        let twice = "{at: 20ms, for: 20ms, pause: {component: app}}, {at: 50ms, for: 5ms, pause: {component: app}}";
        takes(interrupted(step, 60, twice), 135.0, 10.0);
        // It arrives during the pause and begins when the pause ends.
        takes(interrupted(step, 30, pause), 130.0, 20.0);
    }
}

/// A caller with one connection freezes while others wait for it.
fn frozen(fault: &str) -> RunResult {
    run(&format!(
        "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, shape: {{steps: [{{at: 950ms, x: 0}}]}}, call: app}}}}
components:
  app:
    kind: service
    runtime: {{thread_pool: {{threads: 20}}}}
    handlers: {{default: [{{call: db}}]}}
    calls: {{db: {{to: db, timeout: 300ms, pool: {{size: 1, acquire_timeout: 500ms}}, retry: {{max_attempts: 2}}}}}}
  db: {{kind: database, operations: {{default: 200ms}}}}
faults: [{fault}]
"
    ))
}

#[test]
fn timers_that_went_off_in_a_pause_can_still_be_taken_back_when_it_ends() {
    // When the pause ends, the attempt under way has timed out, and so have the waits behind it: the first one hands its
    // connection to a call whose own timer has not been processed yet.
    for (from, lasts) in [(250, 2_000), (350, 700), (500, 300), (150, 5_000), (450, 55)] {
        let result = frozen(&format!("{{at: {from}ms, for: {lasts}ms, pause: {{component: app}}}}"));
        let w = &result.workloads["w"];
        assert_eq!((w.sent, w.completed), (9, 9), "paused at {from} ms for {lasts} ms");
        assert_eq!(result.links["app"]["db"].own["pool.size"], 1.0);
    }
}

#[test]
fn an_answer_that_came_after_its_timeout_is_not_seen_and_one_in_time_is() {
    let one = |operation: &str| {
        run(&format!(
            "version: 1
run: {{duration: 5s}}
workloads: {{w: {{arrivals: {{once: {{count: 1}}}}, call: app}}}}
components:
  app: {{kind: service, runtime: unlimited, handlers: {{default: [{{call: db}}]}}, calls: {{db: {{to: db, timeout: 300ms}}}}}}
  db: {{kind: database, operations: {{default: {operation}}}}}
faults: [{{at: 100ms, for: 900ms, pause: {{component: app}}}}]
"
        ))
    };
    // Both arrive during the pause; both are processed at its end, the timeout first.
    let late = one("400ms");
    assert_eq!(late.links["app"]["db"].outcomes["timeout"], 1);
    // The pause ends before the timeout.
    let after = run("version: 1
run: {duration: 5s}
workloads: {w: {arrivals: {once: {count: 1}}, call: app}}
components:
  app: {kind: service, runtime: unlimited, handlers: {default: [{call: db}]}, calls: {db: {to: db, timeout: 300ms}}}
  db: {kind: database, operations: {default: 200ms}}
faults: [{at: 100ms, for: 200ms, pause: {component: app}}]
");
    assert_eq!(after.workloads["w"].outcomes["ok"], 1);
    assert!((after.workloads["w"].latency.max_s.expect("it ends") - 0.3).abs() < 1e-6);
}

#[test]
fn settings_pushed_to_what_stands_still_take_effect_when_it_goes_on() {
    // One thread until 1 s, and three from then on, but the replica is paused until 2 s.
    let result = run("version: 1
run: {duration: 4s, window: 500ms}
workloads: {w: {arrivals: {once: {count: 9}}, call: app}}
components:
  app: {kind: service, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{block: 1s}]}}
faults:
  - {at: 500ms, for: 1500ms, pause: {component: app}}
  - {at: 1s, set: {components.app.runtime.thread_pool.threads: 3}}
");
    // The first call continues with its remaining half second, two begin at 2 s, then each thread takes one per second.
    let done: f64 = result.series.columns["components.app.completed"].iter().flatten().sum::<f64>() * 0.5;
    assert_eq!(done, 1.0 + 2.0 + 1.0, "{:?}", result.series.columns["components.app.completed"]);
}

#[test]
fn a_thread_that_is_being_closed_wastes_what_comes_after_its_caller_gave_up() {
    // 10 ms to start, 100 ms of work, 10 ms to close; the caller gives up after 80 ms, so 40 of 120 ms are wasted.
    let result = run("version: 1
run: {duration: 10s}
workloads: {w: {arrivals: {constant: 1/s}, call: {to: app, timeout: 80ms}}}
components:
  app: {kind: service, runtime: {thread_per_request: {max: 1, start: 10ms, close: 10ms}}, handlers: {default: [{block: 100ms}]}}
");
    let wasted = result.components["app"].wasted_work.expect("it has worked");
    assert!((wasted - 40.0 / 120.0).abs() < 1e-9, "{wasted}");
}

#[test]
fn a_deadline_goes_on_only_over_links_that_propagate_it() {
    let with = |onward: &str| {
        let result = run(&format!(
            "version: 1
run: {{duration: 5s}}
workloads: {{w: {{arrivals: {{once: {{count: 3}}}}, call: {{to: app, timeout: 150ms, propagate: [deadline]}}}}}}
components:
  app: {{kind: service, runtime: unlimited, handlers: {{default: [{{call: db}}]}}, calls: {{db: {{to: db{onward}}}}}}}
  db: {{kind: database, connections: 1, operations: {{default: 100ms}}}}
"
        ));
        result.components["db"].outcomes["ok"]
    };
    // The second and third in the queue are too late: the third has not begun when the deadline passes.
    assert_eq!([with(""), with(", timeout: 1s"), with(", propagate: [deadline]")], [3, 3, 2]);
}

#[test]
fn handlers_that_could_not_be_executed_are_refused() {
    let of = |steps: &str| {
        refused(&format!(
            "version: 1
run: {{duration: 1s}}
workloads: {{w: {{arrivals: {{constant: 1/s}}, call: app}}}}
components:
  app: {{kind: service, runtime: {{thread_pool: {{threads: 1}}}}, handlers: {{default: [{steps}]}}, calls: {{db: {{to: db}}}}}}
  db: {{kind: database, operations: {{default: 1ms}}}}
"
        ))
    };
    let repeat = |inner: &str| format!("{{repeat: {{times: 2, steps: [{inner}]}}}}");
    let deep = repeat(&repeat(&repeat(&format!("{{call: {{link: db, on_failure: [{}]}}}}", repeat("{call: db}")))));
    for (steps, words) in [
        (deep.as_str(), "nested"),
        ("{call: db}, {lock: {name: a, steps: [{parallel: [[{lock: {name: a, steps: [{call: db}]}}]]}]}}", "deadlock"),
        ("{parallel: [[{call: {link: db, on_failure: [{reply: ok}]}}]]}", "inside a branch"),
        ("{call: db}, {parallel: {branches: [[{call: db}]], task_cost: 1ms, cost_on: cpu}}", "needs cores"),
    ] {
        let messages = of(steps);
        assert!(messages.iter().any(|m| m.contains(words)), "{steps}: {messages:?}");
    }
}

#[test]
fn an_idle_timeout_where_all_connections_are_kept_open_is_refused() {
    let of = |pool: &str| {
        refused(&format!(
            "version: 1
run: {{duration: 1s}}
workloads: {{w: {{arrivals: {{constant: 1/s}}, call: {{to: db, pool: {{{pool}}}}}}}}}
components: {{db: {{kind: database, operations: {{default: 1ms}}}}}}
"
        ))
    };
    assert!(of("size: 2, min_idle: 2, idle_timeout: 1s")[0].contains("no effect"));
}

#[test]
fn a_task_that_never_ends_holds_its_thread_and_no_loop() {
    let with = |runtime: &str| {
        run(&format!(
            "version: 1
run: {{duration: 10s}}
workloads: {{w: {{arrivals: {{constant: 10/s}}, call: {{to: app, timeout: 1s}}}}}}
components: {{app: {{kind: service, cpu: 1, runtime: {{{runtime}}}, handlers: {{default: [{{leak: {{probability: 100%}}}}, {{cpu: 1ms}}]}}}}}}
"
        ))
    };
    let threads = with("thread_pool: {threads: 7}");
    assert_eq!((threads.workloads["w"].outcomes["ok"], threads.components["app"].own["tasks_leaked"]), (7, 7.0));
    for runtime in ["event_loop: {loops: 1}", "async: {workers: 1}"] {
        let on_loop = with(runtime);
        assert_eq!(on_loop.workloads["w"].outcomes["ok"], on_loop.workloads["w"].sent, "{runtime}");
        assert!(on_loop.components["app"].utilization.is_some_and(|u| u < 0.02), "{runtime}");
    }
}

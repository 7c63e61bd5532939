//! Runtimes: schedules derived by hand.

use lab::result::RunResult;

use crate::harness::{bytes, load, run_loaded};

/// A request: instant, ms, operation, and settings of its call.
pub(crate) type Request<'a> = (u64, &'a str, &'a str);

/// Sends requests to a service called `app`; returns the latency of each, µs (0 for a failure), and the whole result.
pub(crate) fn run(service: &str, requests: &[Request<'_>], faults: &str) -> (Vec<u64>, RunResult) {
    let workloads: String = requests
        .iter()
        .enumerate()
        .map(|(n, (at, op, link))| {
            let arrivals = format!("{{once: {{count: 1, at: {at}ms}}}}");
            format!("  w{n}: {{arrivals: {arrivals}, requests: [{{op: {op}}}], call: {{to: app{link}}}}}\n")
        })
        .collect();
    let yaml = format!(
        "version: 1\nrun: {{until: idle}}\nworkloads:\n{workloads}components:\n  app: {{kind: service, {service}}}\n\
         faults: [{faults}]\n"
    );
    let result = run_loaded(&load(&yaml), 1);
    let took = |n: usize| result.workloads[&format!("w{n}")].latency.max_s.unwrap_or(0.0);
    ((0..requests.len()).map(|n| (took(n) * 1e6).round() as u64).collect(), result)
}

pub(crate) fn took_ms(service: &str, requests: &[Request<'_>]) -> Vec<u64> {
    let (took, _) = run(service, requests, "");
    assert!(took.iter().all(|took| took % 1000 == 0), "{took:?}");
    took.into_iter().map(|took| took / 1000).collect()
}

pub(crate) const THREE: [Request<'static>; 3] = [(0, "default", ""), (1, "default", ""), (2, "default", "")];

/// ```text
///  1 worker    0–4 first   4–8 second   8–12 third, which waits since 2   12–14 first, ready since 7
///              14–16 second, ready since 11   16–18 third, ready since 15
///  2 workers   0–4 first   4–8 third    8–10 second, ready since 8        11–13 third
///              1–5 second  7–9 first
/// ```
#[test]
fn workers_share_one_line_of_what_is_ready_and_of_what_has_not_begun() {
    let with = |workers: u32| {
        let handler = "handlers: {default: [{cpu: 4ms}, {wait: 3ms}, {cpu: 2ms}]}";
        took_ms(&format!("cpu: 2, runtime: {{async: {{workers: {workers}}}}}, {handler}"), &THREE)
    };
    assert_eq!(with(1), [14, 15, 16]);
    assert_eq!(with(2), [9, 9, 11]);
}

/// Half a core: two workers with code to run get a quarter each.
#[test]
fn workers_share_the_cores_that_there_are() {
    let service = "cpu: 0.5, runtime: {async: {workers: 2}}, handlers: {default: [{cpu: 4ms}]}";
    assert_eq!(took_ms(service, &[(0, "default", ""), (0, "default", "")]), [16, 16]);
    let service = "cpu: 0.5, runtime: async, handlers: {default: [{cpu: 4ms}]}";
    assert_eq!(took_ms(service, &[(0, "default", ""), (0, "default", "")]), [8, 16], "half a core makes one worker");
}

/// Three calls at 0, 1 and 2 ms with 2 ms of code, 10 ms of blocking and 1 ms of code, and one with 1 ms of code at 5 ms.
///
/// ```text
///  1 worker, 1 thread    worker: 0–2, 2–4, 4–6, light 6–7, 12–13, 22–23, 32–33   thread: 2–12, 12–22, 22–32
///  1 worker, 2 threads   worker: 0–2, 2–4, 4–6, light 6–7, 12–13, 14–15, 22–23   threads: 2–12, 12–22; 4–14
///  2 workers, 1 thread   worker: 0–2, 2–4, light 5–6; 1–3; then as with one       thread: 2–12, 12–22, 22–32
///  no threads            worker: 0–13, 13–26, 26–39, light 39–40
/// ```
#[test]
fn what_blocks_leaves_the_worker_for_a_thread_of_its_own() {
    let with = |workers: u32, threads: u32| {
        let runtime = format!("{{async: {{workers: {workers}, blocking_threads: {threads}}}}}");
        let handlers = "{default: [{cpu: 2ms}, {block: 10ms}, {cpu: 1ms}], light: [{cpu: 1ms}]}";
        let requests = [THREE[0], THREE[1], THREE[2], (5, "light", "")];
        took_ms(&format!("cpu: 2, runtime: {runtime}, handlers: {handlers}"), &requests)
    };
    assert_eq!(with(1, 1), [13, 22, 31, 2]);
    assert_eq!(with(1, 2), [13, 14, 21, 2]);
    assert_eq!(with(2, 1), [13, 22, 31, 1]);
    assert_eq!(with(1, 0), [13, 25, 37, 35]);
}

#[test]
fn threads_that_block_and_steps_that_wait_for_one_are_counted() {
    let service = "runtime: {async: {workers: 1, blocking_threads: 2}}, handlers: {default: [{block: 10ms}]}";
    // Two run from 0, one waits until 10 ms: 30 thread-milliseconds of work and 10 of waiting in 20 ms.
    let (took, result) = run(service, &[(0, "default", ""); 3], "");
    assert_eq!(took, [10_000, 10_000, 20_000]);
    let own = &result.components["app"].own;
    for (figure, expected) in [("size", 2.0), ("active", 1.5), ("waiting", 0.5)] {
        // The run ends a nanosecond after its last event.
        let found = own[&format!("blocking.{figure}")];
        assert!((found - expected).abs() < 1e-6, "{figure}: {found}");
    }
    // The code takes no time, so the worker never appears busy.
    assert_eq!(result.components["app"].utilization, Some(0.0));
}

#[test]
fn a_step_that_waits_for_a_thread_in_vain_makes_way() {
    let service = "runtime: {async: {workers: 1, blocking_threads: 1}}, handlers: {default: [{block: 10ms}]}";
    let with = |propagate: &str| {
        let link = format!(", timeout: 5ms{propagate}");
        let (took, result) = run(service, &[(0, "default", ""), (1, "default", &link), (2, "default", "")], "");
        (took, result.components["app"].outcomes.clone())
    };
    // The service does not learn that the caller gave up: it blocks from 10 to 20 ms in vain.
    assert_eq!(with("").0, [10_000, 0, 28_000]);
    let (took, outcomes) = with(", propagate: [cancel]");
    assert_eq!((took, outcomes["cancelled"]), (vec![10_000, 0, 18_000], 1));
    let (took, outcomes) = with(", propagate: [deadline]");
    assert_eq!((took, outcomes["timeout"]), (vec![10_000, 0, 18_000], 1));
}

#[test]
fn a_call_that_blocks_already_is_not_stopped_by_its_caller() {
    let service =
        "runtime: {async: {workers: 1, blocking_threads: 1}}, handlers: {default: [{block: 10ms}, {cpu: 1ms}]}, cpu: 1";
    let requests = [(0, "default", ", timeout: 5ms, propagate: [cancel]"), (1, "default", "")];
    // It blocks until 10 ms and then ends without its last step.
    assert_eq!(run(service, &requests, "").0, [0, 20_000]);
}

#[test]
fn branches_that_are_given_up_give_their_threads_back() {
    let handler = "handlers: {default: [{parallel: {branches: [[{block: 10ms}], [{block: 40ms}]], need: any}}]}";
    for threads in [1, 2] {
        let service = format!("runtime: {{async: {{workers: 1, blocking_threads: {threads}}}}}, {handler}");
        assert_eq!(took_ms(&service, &[(0, "default", ""), (11, "default", ""), (22, "default", "")]), [10, 10, 10]);
    }
}

#[test]
fn a_crash_frees_threads_and_forgets_who_waits_for_one() {
    let service = "runtime: {async: {workers: 1, blocking_threads: 1}}, handlers: {default: [{block: 100ms}]}";
    let requests = [(0, "default", ""), (1, "default", ""), (10, "default", "")];
    let (took, _) = run(service, &requests, "{at: 5ms, for: 1ms, kill: {component: app}}");
    assert_eq!(took, [0, 0, 100_000]);
}

/// A result without the parts that describe the scenario's text.
fn figures(mut result: RunResult) -> RunResult {
    result.scenario = Default::default();
    result.run = Default::default();
    result
}

#[test]
fn one_worker_without_threads_to_block_is_an_event_loop() {
    let with = |runtime: &str, steps: &str| {
        load(&format!(
            "version: 1
run: {{duration: 20s, warmup: 2s}}
workloads: {{w: {{arrivals: {{poisson: 150/s}}, call: {{to: app, timeout: 100ms, retry: {{max_attempts: 2}}, propagate: [deadline]}}}}}}
components:
  app:
    kind: service
    cpu: 1
    replicas: 2
    runtime: {{{runtime}}}
    admission: {{queue: {{max: 20}}}}
    handlers: {{default: [{steps}{{cpu: {{exp: 4ms}}}}, {{wait: {{exp: 20ms}}}}, {{parallel: [[{{cpu: 2ms}}], [{{wait: 5ms}}, {{cpu: 1ms}}]]}}]}}
faults:
  - {{at: 5s, for: 2s, slow: {{component: app, factor: 3}}}}
  - {{at: 9s, for: 1s, kill: {{component: app, replica: 1}}}}
  - {{at: 12s, for: 500ms, pause: {{component: app, replica: 0}}}}
"
        ))
    };
    for seed in 0..4 {
        for steps in ["", "{block: {exp: 1ms}}, "] {
            let [one, other] = ["event_loop: {loops: 1}", "async: {workers: 1, blocking_threads: 0}"]
                .map(|runtime| figures(run_loaded(&with(runtime, steps), seed)));
            assert!(one.workloads["w"].outcomes["ok"] > 1_000, "{:?}", one.workloads["w"].outcomes);
            // They have different nouns for the workers that run tasks.
            let same_words = |result| bytes(result).replace("\"noun\":\"workers\"", "\"noun\":\"loops\"");
            assert_eq!(same_words(&one), same_words(&other), "seed {seed}");
        }
        // If nothing blocks, blocking threads make no difference.
        let [without, with] = ["event_loop: {loops: 1}", "async: {workers: 1}"]
            .map(|runtime| run_loaded(&with(runtime, ""), seed).workloads);
        assert_eq!(serde_json::to_string(&without).ok(), serde_json::to_string(&with).ok(), "seed {seed}");
    }
}

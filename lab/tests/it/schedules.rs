//! Schedules of each runtime, derived by hand.
//!
//! Requests are named A, B, C in order of arrival. A table has a line for each worker, with the requests that run there and
//! their start and end, in milliseconds.

use lab::result::RunResult;

use crate::runtimes::{Request, THREE, run, took_ms};

fn default(at: u64) -> Request<'static> {
    (at, "default", "")
}

fn own(result: &RunResult, figure: &str) -> f64 {
    let found = lab::metrics::value(result, &format!("components.app.{figure}"));
    found.ok().flatten().unwrap_or_else(|| panic!("{figure} is not among {:?}", result.components["app"].own))
}

fn about(found: f64, expected: f64) {
    // The run ends a nanosecond after its last event.
    assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
}

/// ```text
///  A 25, B 25 at 0      A 0–10   B 10–20   A 20–30   B 30–40   A 40–45   B 45–50
///  A 25 at 0, B 2 at 1  A 0–10   B 10–12   A 12–27
///  A 25 at 0, B 2 at 12 A 0–20, since the slice of 10 ms restarts at 10   B 20–22   A 22–27
/// ```
#[test]
fn a_goroutine_makes_way_after_ten_milliseconds() {
    let service = "cpu: 1, runtime: goroutines, handlers: {default: [{cpu: 25ms}], short: [{cpu: 2ms}]}";
    assert_eq!(took_ms(service, &[default(0), default(0)]), [45, 50]);
    assert_eq!(took_ms(service, &[default(0), (1, "short", "")]), [27, 11]);
    assert_eq!(took_ms(service, &[default(0), (12, "short", "")]), [27, 10]);
}

/// A task that never has to wait for its lock yields after the number of locks in its budget: 1 ms of code under a lock, 10
/// times.
///
/// ```text
///  budget 4    A 0–3, since the fourth lock is taken before it yields   B 3–4   A 4–11, alone
///  128         A 0–10   B 10–11
/// ```
#[test]
fn a_task_that_never_waits_makes_way_after_its_budget() {
    let with = |budget: &str| {
        let handlers =
            "{default: [{repeat: {times: 10, steps: [{lock: {name: l, steps: [{cpu: 1ms}]}}]}}], short: [{cpu: 1ms}]}";
        format!("cpu: 1, runtime: {{async: {{workers: 1{budget}}}}}, handlers: {handlers}")
    };
    assert_eq!(took_ms(&with(", budget: 4"), &[default(0), (1, "short", "")]), [11, 3]);
    assert_eq!(took_ms(&with(""), &[default(0), (1, "short", "")]), [10, 10]);
}

/// Work stealing leaves no processor idle while a goroutine is ready. A, B and C have 20 ms of code and arrive at 0; D has
/// 3 ms and arrives at 12.
///
/// ```text
///  proc 1   A 0–10   C 10–20   B 20–30
///  proc 2   B 0–10   A 10–20   D 20–23   C 23–33
/// ```
#[test]
fn processors_share_one_line_of_what_is_ready() {
    let service = "cpu: 2, runtime: goroutines, handlers: {default: [{cpu: 20ms}], short: [{cpu: 3ms}]}";
    let requests = [default(0), default(0), default(0), (12, "short", "")];
    assert_eq!(took_ms(service, &requests), [20, 30, 33, 11]);
}

/// One processor; three requests with 2 ms of code, 10 ms of blocking and 1 ms of code, and one with 1 ms of code at 5.
///
/// ```text
///  proc      A 0–2   B 2–4   C 4–6   light 6–7   A 12–13   B 14–15   C 16–17
///  threads   A 2–12  B 4–14  C 6–16
/// ```
#[test]
fn a_goroutine_that_blocks_leaves_its_processor() {
    let handlers = "{default: [{cpu: 2ms}, {block: 10ms}, {cpu: 1ms}], light: [{cpu: 1ms}]}";
    let service = format!("cpu: 1, runtime: goroutines, handlers: {handlers}");
    let requests = [THREE[0], THREE[1], THREE[2], (5, "light", "")];
    assert_eq!(took_ms(&service, &requests), [13, 14, 15, 2]);
}

/// A switch of 1 ms before each turn, including turns of a preempted goroutine.
///
/// ```text
///  2, wait 5, 1, twice   A 0–3   B 3–6   A 8–10   B 11–13
///  25, twice             A 0–10 (9 of 25)   B 10–20   A 20–30 (18)   B 30–40   A 40–48   B 48–56
/// ```
#[test]
fn switches_take_a_core() {
    let with =
        |handler: &str| format!("cpu: 1, runtime: {{goroutines: {{switch: 1ms}}}}, handlers: {{default: [{handler}]}}");
    let waits = with("{cpu: 2ms}, {wait: 5ms}, {cpu: 1ms}");
    let (took, result) = run(&waits, &[default(0), default(0)], "");
    assert_eq!(took, [10_000, 13_000]);
    about(own(&result, "switches"), 4.0);
    about(own(&result, "switch_cpu"), 4.0 / 13.0);
    assert_eq!(took_ms(&with("{cpu: 25ms}"), &[default(0), default(0)]), [48, 56]);
}

/// 10,000 requests per second with five turns each: 50,000 switches of 10 µs per second keep half a core busy, those of
/// `async` tasks half a percent.
#[test]
fn fifty_thousand_switches_a_second_cost_what_they_cost() {
    let with = |runtime: &str| {
        let yaml = format!(
            "version: 1
run: {{duration: 2s, warmup: 1s}}
workloads: {{w: {{arrivals: {{constant: 10k/s}}, call: app}}}}
components:
  app:
    kind: service
    cpu: 4
    runtime: {runtime}
    handlers: {{default: [{{wait: 1ms}}, {{wait: 1ms}}, {{wait: 1ms}}, {{wait: 1ms}}]}}
"
        );
        crate::harness::run_loaded(&crate::harness::load(&yaml), 1)
    };
    for (runtime, cores) in [
        ("{thread_pool: {threads: 1000, switch: 10us}}", 0.5),
        ("{thread_per_request: {switch: 10us}}", 0.5),
        ("{async: {workers: 4, switch: async}}", 0.005),
        ("{goroutines: {switch: goroutine}}", 0.01),
    ] {
        let result = with(runtime);
        let found = own(&result, "switch_cpu");
        assert!((found - cores).abs() < 1e-3 * cores, "{runtime}: {found}");
        assert!((result.components["app"].cpu.expect("cores") - cores / 4.0).abs() < 1e-3 * cores, "{runtime}");
    }
}

/// One carrier; 2 ms of code, 10 ms of native code, 1 ms of code: `A 0–13   B 13–26   C 26–39`. Code of 25 ms is not
/// preempted.
#[test]
fn a_virtual_thread_is_pinned_in_native_code_and_never_cut_short() {
    let handlers = "{default: [{cpu: 2ms}, {block: 10ms}, {cpu: 1ms}], long: [{cpu: 25ms}], short: [{cpu: 2ms}]}";
    let service = format!("cpu: 1, runtime: virtual_threads, handlers: {handlers}");
    let (took, result) = run(&service, &THREE, "");
    assert_eq!(took, [13_000, 25_000, 37_000]);
    // For 30 of 39 ms, a waiting thread holds the carrier.
    about(own(&result, "blocked"), 30.0 / 39.0);
    assert_eq!(took_ms(&service, &[(0, "long", ""), (1, "short", "")]), [25, 26]);
}

/// 2 ms of code and a wait of 10 ms under a lock, and a request of 1 ms without a lock.
///
/// ```text
///  from JDK 24 on   A 0–2   light 2–3   B 12–14               B has the lock from 12
///  before           A 0–12              B 12–24   light 24–25  B came first, and keeps the carrier from 12
/// ```
#[test]
fn locks_pin_virtual_threads_where_they_are_monitors() {
    let with = |pinned: bool| {
        let handlers = "{default: [{lock: {name: l, steps: [{cpu: 2ms}, {wait: 10ms}]}}], light: [{cpu: 1ms}]}";
        format!("cpu: 1, runtime: {{virtual_threads: {{pinned_by_locks: {pinned}}}}}, handlers: {handlers}")
    };
    let requests = [default(0), default(0), (1, "light", "")];
    assert_eq!(took_ms(&with(false), &requests), [12, 24, 2]);
    assert_eq!(took_ms(&with(true), &requests), [12, 24, 24]);
}

/// ```text
///  A 25 at 0, B 2 at 1: B asks at 6     A 0–6   B 6–8   A 8–27
///  four of 20 at 0      in turns of 5 ms each, in order of arrival: 65, 70, 75, 80
/// ```
#[test]
fn threads_take_the_interpreter_in_turns_of_five_milliseconds() {
    let service = "cpu: 4, runtime: {gil_threads: {threads: 4}}, \
                   handlers: {default: [{cpu: 20ms}], long: [{cpu: 25ms}], short: [{cpu: 2ms}]}";
    assert_eq!(took_ms(service, &[(0, "long", ""), (1, "short", "")]), [27, 7]);
    let (took, result) = run(service, &[default(0); 4], "");
    assert_eq!(took, [65_000, 70_000, 75_000, 80_000]);
    about(result.components["app"].cpu.expect("cores"), 0.25);
    let free = service.replace("threads: 4", "threads: 4, free_threaded: true");
    assert_eq!(took_ms(&free, &[default(0); 4]), [20; 4]);
}

/// Beside 60 ms of work, a thread that only waits twice for 1 ms requests the interpreter three times, and waits 5 ms for it
/// each time: it takes 17 ms instead of 2.
#[test]
fn a_thread_that_waits_pays_at_every_wake_up() {
    let service = "cpu: 4, runtime: {gil_threads: {threads: 4}}, \
                   handlers: {default: [{cpu: 60ms}], io: [{wait: 1ms}, {wait: 1ms}]}";
    assert_eq!(took_ms(service, &[default(0), (1, "io", "")]), [60, 17]);
    assert_eq!(took_ms(service, &[(0, "io", "")]), [2]);
}

/// Blocking calls release the interpreter, so that four waiting threads wait concurrently.
#[test]
fn threads_that_wait_do_not_hold_the_interpreter() {
    let service =
        "cpu: 4, runtime: {gil_threads: {threads: 4}}, handlers: {default: [{cpu: 5ms}], io: [{block: 10ms}]}";
    assert_eq!(took_ms(service, &[(0, "io", ""), default(0)]), [10, 5]);
    assert_eq!(took_ms(service, &[(0, "io", ""); 4]), [10; 4]);
}

/// ```text
///  2 processes          A 0–10   B 0–10   C 10–20
///  each serves one call A 0–10   fork 10–15   B 15–25
///  killed after 8       A 0–8    fork 8–13    B 13–15
/// ```
#[test]
fn processes_serve_one_call_each_and_are_replaced() {
    let with = |settings: &str| {
        let handlers = "{default: [{wait: 10ms}], short: [{wait: 2ms}]}";
        format!("runtime: {{processes: {{{settings}}}}}, handlers: {handlers}")
    };
    assert_eq!(took_ms(&with("workers: 2"), &[default(0); 3]), [10, 10, 20]);
    assert_eq!(took_ms(&with("workers: 1, max_requests: 1, fork: 5ms"), &[default(0), default(0)]), [10, 25]);
    let killed = with("workers: 1, timeout: 8ms, fork: 5ms");
    let (took, result) = run(&killed, &[default(0), (1, "short", "")], "");
    assert_eq!(took, [0, 14_000]);
    assert_eq!(result.components["app"].outcomes["reset"], 1);
    about(own(&result, "workers_replaced"), 1.0);
}

/// Instances start in 100 ms and stop after 50 ms without a call. A 0–110 and B 5–115 are cold starts; C at 120 takes the
/// instance of B, the most recently used one, until 130; D at 200 finds none: those of A and C stopped at 160 and 180.
#[test]
fn a_call_takes_an_idle_instance_or_one_is_started_for_it() {
    let service = "start_up: 100ms, runtime: {single: {keep: 50ms}}, handlers: {default: [{wait: 10ms}]}";
    let (took, result) = run(service, &[default(0), default(5), default(120), default(200)], "");
    assert_eq!(took, [110_000, 110_000, 10_000, 110_000]);
    about(own(&result, "cold_starts"), 3.0);
    about(own(&result, "cold_start_share"), 0.75);
    about(own(&result, "instances_max"), 2.0);
    // 160 and 175 ms of the first two, 110 of the last, in 310.
    about(own(&result, "instances"), (160.0 + 175.0 + 110.0) / 310.0);
}

#[test]
fn calls_beyond_what_an_account_has_are_refused() {
    let refused = |settings: &str, requests: &[Request<'_>]| {
        let service = format!("runtime: {{single: {{{settings}}}}}, handlers: {{default: [{{wait: 10ms}}]}}");
        let (took, result) = run(&service, requests, "");
        (took, result.components["app"].outcomes.get("rate_limited").copied().unwrap_or(0))
    };
    assert_eq!(refused("account: 1", &[default(0), default(1), default(11)]), (vec![10_000, 0, 10_000], 1));
    // Two at once, then one per second.
    let requests = [default(0), default(0), default(0), default(5)];
    assert_eq!(refused("burst: 2, per_10s: 10", &requests), (vec![10_000, 10_000, 0, 0], 2));
    assert_eq!(refused("burst: 2, per_10s: 10", &[default(0), default(0), default(1000)]).1, 0);
}

/// Each instance has its own core, half as fast if its share is half a core.
#[test]
fn instances_do_not_share_their_cores() {
    let service = "cpu: 0.5, runtime: single, handlers: {default: [{cpu: 10ms}]}";
    assert_eq!(took_ms(service, &[default(0), default(0)]), [20, 20]);
}

/// One request with a wait of 3 ms and 2 ms of code, and three with 4 ms of code.
///
/// ```text
///  fifo           B 0–4   C 4–8    D 8–12   A 12–14, ready since 3, behind C (1) and D (2)
///  timers first   B 0–4   A 4–6    C 6–10   D 10–14
/// ```
/// A wait that ends at 7, in the middle of the batch of C and D, waits for the end of the batch.
#[test]
fn timers_go_first_and_wait_for_the_end_of_a_batch() {
    let with = |order: &str| {
        let handlers = "{default: [{cpu: 4ms}], timer: [{wait: 3ms}, {cpu: 2ms}], late: [{wait: 7ms}, {cpu: 2ms}]}";
        format!("cpu: 1, runtime: {{event_loop: {{order: {order}}}}}, handlers: {handlers}")
    };
    let requests = [(0, "timer", ""), default(0), default(1), default(2)];
    assert_eq!(took_ms(&with("fifo"), &requests), [14, 4, 7, 10]);
    assert_eq!(took_ms(&with("timers_first"), &requests), [6, 4, 9, 12]);
    let requests = [(0, "timer", ""), default(0), default(1), default(2), (0, "late", "")];
    assert_eq!(took_ms(&with("timers_first"), &requests), [6, 4, 9, 12, 16]);
}

/// Node's timers start and end at whole milliseconds: 2.9 ms from 0 become 2, and less than one becomes one.
#[test]
fn timers_have_a_granularity() {
    let with = |runtime: &str| {
        let handlers = "{default: [{wait: 2900us}], short: [{wait: 10us}]}";
        format!("runtime: {{event_loop: {runtime}}}, handlers: {handlers}")
    };
    let requests = [default(0), (0, "short", "")];
    assert_eq!(run(&with("{}"), &requests, "").0, [2_900, 10]);
    assert_eq!(run(&with("node"), &requests, "").0, [2_000, 1_000]);
}

/// A Node loop asks the poller for whole milliseconds, starting when it falls asleep, and runs the timers that were due when
/// it started to run timers.
///
/// ```text
///  A 0.5, wait 1, 0.5             A 0–0.5 (due at 1), asleep until 1.5, A 1.5–2
///  the same, and B 0.1 at 1.2     B wakes the loop: B 1.2–1.3, A 1.3–1.8
///  A 0.4, wait 1, 1.5             A 0–0.4 (due at 1)   L 0.4–0.5 (due at 2)   asleep until 1.5   A 1.5–3
///  L 0.1, wait 2, 1               L was not due when A began: asleep until 4   L 4–5
/// ```
#[test]
fn a_loop_of_node_sleeps_for_whole_milliseconds() {
    let handlers = "{default: [{cpu: 500us}, {wait: 1ms}, {cpu: 500us}], \
                    a: [{cpu: 400us}, {wait: 1ms}, {cpu: 1500us}], late: [{cpu: 100us}, {wait: 2ms}, {cpu: 1ms}]}";
    let service = format!("cpu: 1, runtime: {{event_loop: node}}, handlers: {handlers}");
    assert_eq!(run(&service, &[default(0)], "").0, [2_000]);
    assert_eq!(run(&service, &[(0, "a", ""), (0, "late", "")], "").0, [3_000, 5_000]);
    let yaml = format!(
        "version: 1\nrun: {{until: idle}}\nworkloads:\n  a: {{arrivals: {{once: {{count: 1}}}}, call: app}}\n  \
         b: {{arrivals: {{once: {{count: 1, at: 1200us}}}}, requests: [{{op: b}}], call: app}}\ncomponents:\n  app: {{kind: service, {}}}\n",
        service.replace("handlers: {", "handlers: {b: [{cpu: 100us}], ")
    );
    let result = crate::harness::run_loaded(&crate::harness::load(&yaml), 1);
    let took = |w: &str| result.workloads[w].latency.max_s.map(|s| (s * 1e6).round());
    assert_eq!((took("a"), took("b")), (Some(1_800.0), Some(100.0)));
}

/// ```text
///  2 threads   loop: light 5–6, A 10–11, B 11–12      threads: A 0–10, B 1–11
///  1 thread    loop: light 5–6, A 10–11, B 20–21      thread: A 0–10, B 10–20
/// ```
#[test]
fn what_is_offloaded_leaves_the_loop() {
    let with = |threads: u32| {
        let handlers = "{default: [{offload: [{cpu: 10ms}]}, {cpu: 1ms}], light: [{cpu: 1ms}]}";
        format!("cpu: 4, runtime: {{event_loop: {{offload_threads: {threads}}}}}, handlers: {handlers}")
    };
    let requests = [default(0), default(1), (5, "light", "")];
    assert_eq!(took_ms(&with(2), &requests), [11, 11, 1]);
    assert_eq!(took_ms(&with(1), &requests), [11, 20, 1]);
    let service = with(1).replace("event_loop: {offload_threads: 1}", "async: {workers: 1, blocking_threads: 1}");
    assert_eq!(took_ms(&service, &requests), [11, 20, 1]);
}

/// 50 ms of code in one piece keep a call of 1 ms waiting for 45 ms; in pieces of 10 ms, for 5 ms.
#[test]
fn code_in_pieces_lets_others_in() {
    let with = |handler: &str| {
        format!("cpu: 1, runtime: event_loop, handlers: {{default: [{handler}], light: [{{cpu: 1ms}}]}}")
    };
    let requests = [default(0), (5, "light", "")];
    assert_eq!(took_ms(&with("{cpu: 50ms}"), &requests), [50, 46]);
    assert_eq!(took_ms(&with("{repeat: {times: 5, steps: [{cpu: 10ms}, {wait: 0s}]}}"), &requests), [51, 6]);
}

/// A poll takes 1 ms plus 1 ms per ready request, or plus 0.5 ms for each of ten watched connections.
///
/// ```text
///  epoll    A 0–4 (1 + 1 + 2)   a poll that finds two: B 4–9 (1 + 2 + 2)   C 9–11
///  select   A 0–8 (1 + 5 + 2)   B 8–16                                     C 16–18
/// ```
#[test]
fn looking_for_what_is_ready_takes_the_loop() {
    let with = |poller: &str| {
        format!("cpu: 1, runtime: {{event_loop: {{poller: {{{poller}}}}}}}, handlers: {{default: [{{cpu: 2ms}}]}}")
    };
    assert_eq!(took_ms(&with("epoll: {wake: 1ms, each: 1ms}"), &[default(0); 3]), [4, 9, 11]);
    assert_eq!(took_ms(&with("select: {wake: 1ms, each: 500us, watched: 10}"), &[default(0); 3]), [8, 16, 18]);
}

/// Blocked from 130 to 630 ms: a timer that was due at 200 fires at 630.
#[test]
fn a_blocked_loop_lags() {
    let service = "runtime: event_loop, handlers: {default: [{block: 500ms}]}";
    let (_, result) = run(service, &[default(130)], "");
    about(own(&result, "event_loop_lag.max"), 0.43);
    about(own(&result, "longest_turn"), 0.5);
    about(own(&result, "blocked"), 500.0 / 630.0);
}

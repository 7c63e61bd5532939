//! Work after the answer: when all work triggered by a request is done, and when its client has the result.

use lab::metrics;
use lab::result::RunResult;

use crate::harness::{bytes, load, run_loaded};

/// A metric of workload `w`, times in ms.
fn of(result: &RunResult, name: &str) -> Option<f64> {
    let metric = metrics::find(result, &format!("workloads.w.{name}")).unwrap_or_else(|unknown| panic!("{unknown}"));
    let factor = if metric.unit == lab::metrics::Unit::Seconds { 1e3 } else { 1.0 };
    metric.value.map(|value| (value * factor * 1e3).round() / 1e3)
}

/// One request at 0 to `api` with the given steps; more components follow, one per line.
fn run(steps: &str, more: &str) -> RunResult {
    run_loaded(&load(&yaml(steps, more)), 1)
}

fn yaml(steps: &str, more: &str) -> String {
    format!(
        "version: 1\nrun: {{until: idle}}\nworkloads: {{w: {{arrivals: {{once: {{count: 1}}}}, call: api}}}}\ncomponents:\n  \
         api:\n    kind: service\n    runtime: {{thread_pool: {{threads: 5}}}}\n    handlers: {{default: [{steps}], status: [{{wait: 1ms}}]}}\n{more}"
    )
}

const WORKER: &str = "kind: service, runtime: {thread_pool: {threads: 1}}";

/// ```text
///  api       0─2 stored, accepted ─────7
///  consumer       2──────────────────────────12
/// ```
#[test]
fn a_request_is_complete_when_its_message_is_done() {
    let more = format!(
        "    calls: {{q: q}}\n  q: {{kind: queue}}\n  app: {{{WORKER}, handlers: {{default: [{{wait: 10ms}}]}}, consumes: [q]}}\n"
    );
    let result = run("{wait: 2ms}, {call: q}, {reply: accepted}, {wait: 5ms}", &more);
    assert_eq!((of(&result, "latency.max"), of(&result, "completion.latency.max")), (Some(2.0), Some(12.0)));
    assert_eq!((of(&result, "completion.failed"), of(&result, "completion.pending")), (Some(0.0), Some(0.0)));
    // Work after the answer counts, too.
    let result = run("{wait: 2ms}, {call: q}, {reply: accepted}, {wait: 50ms}", &more);
    assert_eq!(of(&result, "completion.latency.max"), Some(52.0));
    // A call sent without waiting, and another one sent by its handler.
    let more = format!(
        "    calls: {{b: b}}\n  b: {{{WORKER}, handlers: {{default: [{{wait: 5ms}}, {{send: c}}]}}, calls: {{c: c}}}}\n  \
         c: {{{WORKER}, handlers: {{default: [{{wait: 20ms}}]}}}}\n"
    );
    let result = run("{send: b}", &more);
    assert_eq!((of(&result, "latency.max"), of(&result, "completion.latency.max")), (Some(0.0), Some(25.0)));
}

/// A handler that publishes to another queue passes the request on; both attempts of a publish are waited for.
#[test]
fn messages_that_messages_lead_to_are_waited_for() {
    let more = format!(
        "    calls: {{q: q}}\n  q: {{kind: queue}}\n  r: {{kind: queue, style: sqs}}\n  \
         app: {{{WORKER}, handlers: {{default: [{{wait: 10ms}}, {{call: r}}]}}, consumes: [q], calls: {{r: r}}}}\n  \
         last: {{{WORKER}, handlers: {{default: [{{wait: 30ms}}]}}, consumes: [r]}}\n"
    );
    assert_eq!(of(&run("{call: q}", &more), "completion.latency.max"), Some(40.0));
}

/// The first success counts, even if the work is repeated; a message that becomes a dead letter, expires or is skipped has no
/// completion time.
#[test]
fn the_first_success_counts_and_what_is_lost_fails() {
    let with = |queue: &str, handler: &str, consumes: &str| {
        let more = format!(
            "    calls: {{q: q}}\n  q: {{kind: queue, {queue}}}\n  dead: {{kind: queue, style: sqs}}\n  \
             app: {{kind: service, runtime: {{thread_pool: {{threads: 2}}}}, handlers: {{default: [{handler}]}}, \
             consumes: [{{from: q{consumes}}}]}}\n"
        );
        let result = run("{call: q}", &more);
        (
            of(&result, "completion.latency.max"),
            of(&result, "completion.failed"),
            of(&result, "completion.latency_all.p50"),
        )
    };
    let short = "style: sqs, visibility_timeout: 30ms, max_receives: 3, dead_letter: dead";
    // It is done for the first time at 45, and becomes a dead letter at 90 nevertheless.
    assert_eq!(with(short, "{wait: 45ms}", ""), (Some(45.0), Some(0.0), Some(45.0)));
    let fails = "{wait: 5ms}, {fail: {probability: 100%}}";
    assert_eq!(with(short, fails, ""), (None, Some(1.0), None));
    assert_eq!(with("style: plain", fails, ", on_failure: skip"), (None, Some(1.0), None));
    assert_eq!(with("style: plain", "{wait: 5ms}", ", ack: before"), (Some(5.0), Some(0.0), Some(5.0)));
    assert_eq!(with("style: plain", fails, ", ack: before"), (None, Some(1.0), None));
}

/// Work for an answered request fails if it dies, unless it is repeated elsewhere.
#[test]
fn work_behind_an_answer_that_dies_fails() {
    let with = |steps: &str, consumes: &str, faults: &str| {
        let more = format!(
            "    calls: {{q: q}}\n  q: {{kind: queue}}\n  \
             app: {{{WORKER}, handlers: {{default: [{{wait: 10ms}}]}}, consumes: [{{from: q{consumes}}}]}}\nfaults: [{faults}]\n"
        );
        let result = run(steps, &more);
        (of(&result, "completion.latency.max"), of(&result, "completion.failed"))
    };
    let app_dies = "{at: 5ms, for: 20ms, kill: {component: app}}";
    assert_eq!(with("{call: q}", "", app_dies), (Some(35.0), Some(0.0)));
    assert_eq!(with("{call: q}", ", ack: before", app_dies), (None, Some(1.0)));
    let api_dies = "{at: 5ms, for: 20ms, kill: {component: api}}";
    assert_eq!(with("{reply: ok}, {wait: 50ms}", "", api_dies), (None, Some(1.0)));
    assert_eq!(with("{call: q}, {reply: ok}, {wait: 1ms}", "", api_dies), (Some(10.0), Some(0.0)));
}

/// ```text
///  accepted at 2; done at 12
///  polls at 6, 11 and 16, answered a millisecond later: the last poll returns the result
/// ```
#[test]
fn a_client_asks_for_the_result_until_it_is_there() {
    let with = |poll: &str, arrivals: &str, end: &str, faults: &str| {
        let more = format!(
            "    calls: {{q: q}}\n  q: {{kind: queue}}\n  app: {{{WORKER}, handlers: {{default: [{{wait: 10ms}}]}}, consumes: [q]}}\n{faults}"
        );
        let text = yaml("{wait: 2ms}, {call: q}, {reply: accepted}", &more)
            .replace("call: api", &format!("requests: [{{op: default, {poll}}}], call: api"))
            .replace("{once: {count: 1}}", arrivals)
            .replace("until: idle", end);
        run_loaded(&load(&text), 1)
    };
    let poll = "poll: {op: status, every: 4ms}";
    let result = with(poll, "{once: {count: 1}}", "until: idle", "");
    assert_eq!((of(&result, "result.latency.max"), of(&result, "completion.latency.max")), (Some(17.0), Some(12.0)));
    assert_eq!((of(&result, "sent"), of(&result, "ops.status.sent")), (Some(4.0), Some(3.0)));
    assert_eq!(of(&result, "ops.default.result.latency.count"), Some(1.0));
    let result = with(poll, "{once: {count: 1}}", "duration: 10s", "");
    assert_eq!((of(&result, "goodput"), of(&result, "ops.status.goodput")), (Some(0.1), Some(0.0)));
    // It gives up after ten milliseconds, or is told that its message was lost.
    let result = with("poll: {op: status, every: 4ms, timeout: 9ms}", "{once: {count: 1}}", "until: idle", "");
    assert_eq!((of(&result, "result.latency.count"), of(&result, "result.failed")), (Some(0.0), Some(1.0)));
    // A user waits for the result before thinking: a cycle of 17 and 3 ms.
    let result = with(poll, "{closed: {users: 1, think: 3ms}}", "duration: 2s", "");
    assert_eq!(of(&result, "result.latency.count"), Some(99.0), "the hundredth comes at the very end");
    // At the end of the run, clients may still be polling.
    let faults = "faults: [{at: 1ms, pause: app}]\n";
    let result = with(poll, "{once: {count: 1}}", "duration: 1s", faults);
    assert_eq!((of(&result, "result.pending"), of(&result, "completion.pending")), (Some(1.0), Some(1.0)));
    assert_eq!(of(&result, "result.latency_all.p50"), Some(1_000.0));
}

/// An objective on a percentile of completion times covers all requests.
#[test]
fn objectives_on_completion_are_over_all_requests() {
    let more = format!(
        "    calls: {{q: q}}\n  q: {{kind: queue}}\n  \
         app: {{{WORKER}, handlers: {{default: [{{wait: 1ms}}, {{fail: {{probability: 20%}}}}]}}, consumes: [{{from: q, on_failure: skip}}]}}\n\
         objectives:\n  - {{metric: workloads.w.completion.latency.p50, below: 1s}}\n  - {{metric: workloads.w.completion.latency.p99, below: 1s}}\n"
    );
    let text = yaml("{call: q}", &more)
        .replace("{once: {count: 1}}", "{poisson: 100/s}")
        .replace("until: idle", "duration: 20s");
    let result = run_loaded(&load(&text), 1);
    let holds: Vec<bool> = result.objectives.iter().map(|objective| objective.holds).collect();
    assert_eq!(holds, [true, false], "{:?}", result.objectives);
    let failed = of(&result, "completion.failed").expect("known");
    // A fifth of about 2000: 400 ± 18.
    assert!((310.0..490.0).contains(&failed), "{failed}");
    assert_eq!(bytes(&run_loaded(&load(&text), 1)), bytes(&result));
}

/// Completion is not tracked if everything ends with the answer.
#[test]
fn what_ends_with_the_answer_has_no_completion() {
    let text = "version: 1\nrun: {duration: 1s}\nworkloads: {w: {arrivals: {poisson: 10/s}, call: api}}\n\
                components: {api: {kind: external, latency: 1ms}}\n";
    let result = run_loaded(&load(text), 1);
    assert!(result.workloads["w"].completion.is_none());
    assert!(metrics::find(&result, "workloads.w.completion.latency.p50").is_err());
}

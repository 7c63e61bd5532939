//! The demand of a request: drawn once, and the same wherever work is done for it.

use lab::result::RunResult;

use crate::harness::bytes;
use crate::kinds::{refused, run};

/// `count` requests at once. Only their demand and their failures are random.
fn once(count: u32, seed: u64, policies: &str, components: &str) -> RunResult {
    run(&format!(
        "version: 1
seed: {seed}
run: {{until: idle}}
workloads: {{w: {{arrivals: {{once: {{count: {count}}}}}, requests: [{{demand: {{exp: 1}}}}], call: {{to: x{policies}}}}}}}
components:
{components}"
    ))
}

/// The longest latency, ns.
fn longest(result: &RunResult) -> u64 {
    (result.workloads["w"].latency.max_s.expect("a request was answered") * 1e9).round() as u64
}

/// A service with enough cores for all, so that `cpu` steps take exactly their work.
fn service(steps: &str) -> String {
    format!("  x: {{kind: service, cpu: 64, runtime: unlimited, handlers: {{default: [{steps}]}}}}\n")
}

#[test]
fn retries_and_hedges_ask_for_as_much_as_the_first_attempt() {
    let mut retried = 0;
    let mut seen = Vec::new();
    for seed in 0..10 {
        let alone = longest(&once(1, seed, "", &service("{cpu: 10ms}")));
        let retry = ", retry: {max_attempts: 30, when: [error]}";
        let again = once(1, seed, retry, &service("{cpu: 10ms}, {fail: {probability: 50%}}"));
        let attempts = again.links["w"]["call"].attempts;
        assert_eq!(longest(&again), attempts * alone, "seed {seed}: {attempts} attempts of {alone} ns");
        retried += u64::from(attempts > 1);
        // The hedge has the same demand as the first attempt.
        let hedged = once(1, seed, ", hedge: {delay: 100us}", &service("{cpu: 10ms}"));
        assert_eq!((longest(&hedged), hedged.links["w"]["call"].attempts), (alone, 2), "seed {seed}");
        seen.push(alone);
    }
    // In one of a thousand seeds, none of the ten is retried.
    assert!(retried > 0);
    seen.dedup();
    assert_eq!(seen.len(), 10, "seeds differ: {seen:?}");
}

#[test]
fn one_draw_holds_for_all_work_of_a_request_wherever_it_is_done() {
    for seed in 0..5 {
        let alone = longest(&once(1, seed, "", &service("{cpu: 10ms}")));
        let along = longest(&once(
            1,
            seed,
            "",
            "  x: {kind: service, cpu: 2, runtime: unlimited, handlers: {default: [{cpu: 10ms}, {wait: 7ms}, {parallel: {branches: [[{cpu: 10ms}], [{wait: 1ms}]]}}, {call: db}]}, calls: {db: db}}\n  db: {kind: database, cores: 2, operations: {default: {io: 10ms, cpu: 10ms, per_item: 10ms}}}\n",
        ));
        // Two `cpu` steps, `io` twice, and work on the database's cores; `wait` steps take their literal time. Each time is
        // rounded to a whole nanosecond.
        assert!(along.abs_diff(5 * alone + 7_000_000) <= 5, "seed {seed}: {along} and {alone}");
    }
}

#[test]
fn a_batch_asks_for_what_its_requests_ask_for_together() {
    let database = "  x: {kind: database, connections: 1, operations: {default: {per_item: 10ms}}}\n";
    for seed in 0..5 {
        let one_by_one = longest(&once(4, seed, "", database));
        let batched = longest(&once(4, seed, ", batch: {max: 4, wait: 1s}", database));
        assert!(one_by_one.abs_diff(batched) <= 4, "seed {seed}: {one_by_one} and {batched}");
    }
}

/// With one worker, the mean wait for work S is λE\[S²\]/2(1−ρ). E\[S²\] is 2m² for exponential S, and twice that if S is
/// multiplied by an exponential demand.
#[test]
fn demand_doubles_the_wait_that_the_variance_of_work_makes() {
    let wait_ms = |requests: &str| {
        let result = run(&format!(
            "version: 1
run: {{duration: 4000s, warmup: 10s}}
workloads: {{w: {{arrivals: {{poisson: 50/s}}{requests}, call: x}}}}
components: {{x: {{kind: service, cpu: 1, runtime: {{thread_pool: {{threads: 1}}}}, handlers: {{default: [{{cpu: {{exp: 10ms}}}}]}}}}}}
"
        ));
        result.workloads["w"].latency.mean_s.expect("requests were answered") * 1e3 - 10.0
    };
    let (plain, demanding) = (wait_ms(""), wait_ms(", requests: [{demand: {exp: 1}}]"));
    // 200,000 requests: the means have standard deviations of about 0.1 and 0.4 ms.
    assert!((plain - 10.0).abs() < 0.6, "{plain} ms");
    assert!((demanding - 20.0).abs() < 2.0, "{demanding} ms");
}

#[test]
fn a_constant_demand_changes_nothing_and_another_mean_is_refused() {
    let scenario = |requests: &str| {
        format!(
            "version: 1
run: {{duration: 20s}}
workloads: {{w: {{arrivals: {{poisson: 80/s}}{requests}, call: x}}}}
components: {{x: {{kind: service, cpu: 1, runtime: unlimited, handlers: {{default: [{{cpu: {{exp: 10ms}}}}]}}}}}}
"
        )
    };
    let [without, with] = ["", ", requests: [{demand: 1}]"].map(|requests| {
        let mut result = run(&scenario(requests));
        (result.scenario, result.run) = Default::default();
        bytes(&result)
    });
    assert_eq!(without, with);
    for (demand, mean) in [("{exp: 2}", "2"), ("{uniform: [0, 1]}", "0.5"), ("0.5", "0.5")] {
        let message = format!("the mean of a demand must be 1, and here it is {mean}");
        assert_eq!(refused(&scenario(&format!(", requests: [{{demand: {demand}}}]"))), [message]);
    }
}

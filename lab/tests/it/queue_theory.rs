//! Queues compared with theory: waiting times for every style, order within groups, and repeated, dead and lost messages.
//!
//! Means over independent runs are treated as normal, with their observed standard deviation; they may deviate by four and a
//! half of these, which happens by chance once in 150,000 cases. Exact values are compared exactly.

use lab::result::RunResult;
use rayon::prelude::*;

use crate::harness::{load, run_loaded};
use crate::queue_scenarios::of;

/// A figure in runs under different random numbers: its mean, and the standard deviation of the mean.
fn over_seeds(yaml: &str, seeds: u64, figure: impl Fn(&RunResult) -> f64 + Sync) -> (f64, f64) {
    let loaded = load(yaml);
    let values: Vec<f64> = (0..seeds).into_par_iter().map(|seed| figure(&run_loaded(&loaded, seed))).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt())
}

/// Checks that a mean has the expected value, and that the test would detect a relative error of `telling`.
fn agrees(what: &str, (mean, deviation): (f64, f64), expected: f64, telling: f64) {
    assert!((mean - expected).abs() < 4.5 * deviation, "{what}: {mean} ± {deviation}, expected {expected}");
    assert!(4.5 * deviation < telling * expected, "{what}: {deviation} is too wide to tell");
}

/// The probability of waiting, by Erlang's B: C = B / (1 − ρ(1 − B)).
fn erlang_c(servers: u32, load: f64) -> f64 {
    let b = (1..=servers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b));
    let rho = load / f64::from(servers);
    b / (1.0 - rho * (1.0 - b))
}

/// c consumers of a queue form an M/M/c system: the mean wait is C(c, a) / (c·µ − λ). This applies however they get messages,
/// as long as they hold no more than they process: by polling, by long polling, or with a prefetch of one.
#[test]
fn consumers_behind_a_queue_are_servers_of_one_line() {
    let plain = ("plain", "q");
    let sqs = ("sqs, visibility_timeout: 1h", "q");
    let rabbitmq = ("rabbitmq", "{from: q, prefetch: 1}");
    for (c, rho, (style, consumes)) in
        [(1_u32, 0.7, plain), (3, 0.8, plain), (8, 0.9, plain), (3, 0.8, sqs), (3, 0.8, rabbitmq)]
    {
        let mu = 20.0;
        let lambda = rho * f64::from(c) * mu;
        let yaml = format!(
            "version: 1\nrun: {{duration: 2000s, warmup: 100s, window: 100s}}\n\
             workloads: {{w: {{arrivals: {{poisson: {lambda}/s}}, call: q}}}}\n\
             components:\n  q: {{kind: queue, style: {style}}}\n  app:\n    kind: service\n    replicas: {c}\n    \
             runtime: {{thread_pool: {{threads: 1}}}}\n    handlers: {{default: [{{wait: {{exp: 50ms}}}}]}}\n    \
             consumes: [{consumes}]\n"
        );
        let expected = erlang_c(c, rho * f64::from(c)) / (f64::from(c) * mu - lambda);
        let wait = over_seeds(&yaml, 32, |result| of(result, "components.q.queue.wait.mean"));
        agrees(&format!("{c} behind {style}"), wait, expected, 0.15);
        // A request is done when its message is: after that wait and the work.
        let done = over_seeds(&yaml, 32, |result| of(result, "workloads.w.completion.latency.mean"));
        agrees(&format!("{c} behind {style}, until all is done"), done, expected + 1.0 / mu, 0.15);
    }
}

/// With more workers than groups, each group of a FIFO queue is a single-server queue: five groups with a fifth of the messages
/// each are five M/M/1 systems, with a mean wait of ρ/(µ − λ).
#[test]
fn each_group_of_a_fifo_queue_is_a_line_of_its_own() {
    let (mu, rho) = (20.0, 0.7);
    let lambda = rho * mu;
    let yaml = format!(
        "version: 1\nrun: {{duration: 2000s, warmup: 100s, window: 100s}}\n\
         workloads: {{w: {{arrivals: {{poisson: {}/s}}, requests: [{{key: {{uniform: {{keys: 5}}}}}}], call: q}}}}\n\
         components:\n  q: {{kind: queue, style: sqs_fifo, visibility_timeout: 1h, rate: none}}\n  app:\n    kind: service\n    \
         runtime: {{thread_pool: {{threads: 10}}}}\n    handlers: {{default: [{{wait: {{exp: 50ms}}}}]}}\n    consumes: [q]\n",
        5.0 * lambda
    );
    let wait = over_seeds(&yaml, 32, |result| of(result, "components.q.queue.wait.mean"));
    agrees("the wait within a group", wait, rho / (mu - lambda), 0.15);
}

/// Deliveries fail independently with probability p: a message becomes a dead letter with probability p^N after N receives,
/// of which there are (1 − p^N)/(1 − p) on average.
#[test]
fn a_message_is_dead_when_all_its_receives_have_failed() {
    let (fails, receives) = (0.4_f64, 3);
    let styles = [
        ("sqs", "visibility_timeout: 1s, max_receives: 3"),
        ("sqs_fifo", "visibility_timeout: 1s, max_receives: 3, rate: none"),
        ("rabbitmq", "delivery_limit: 2"),
    ];
    for (style, limit) in styles {
        let yaml = format!(
            "version: 1\nrun: {{until: idle, window: 100s}}\n\
             workloads: {{w: {{arrivals: {{once: {{count: 2000}}}}, requests: [{{key: {{uniform: {{keys: 1M}}}}}}], call: q}}}}\n\
             components:\n  q: {{kind: queue, style: {style}, {limit}, dead_letter: dead}}\n  dead: {{kind: queue, style: {style}}}\n  \
             app:\n    kind: service\n    runtime: {{thread_pool: {{threads: 50}}}}\n    \
             handlers: {{default: [{{wait: 1ms}}, {{fail: {{probability: 40%}}}}]}}\n    consumes: [q]\n"
        );
        let dead = over_seeds(&yaml, 32, |result| of(result, "components.q.dead_letters") / 2000.0);
        agrees(&format!("dead in {style}"), dead, fails.powi(receives), 0.1);
        let expected = (1.0 - fails.powi(receives)) / (1.0 - fails);
        let received = over_seeds(&yaml, 32, |result| of(result, "components.q.receives") / 2000.0);
        agrees(&format!("receives in {style}"), received, expected, 0.02);
        let failed = over_seeds(&yaml, 32, |result| of(result, "workloads.w.completion.failed") / 2000.0);
        assert_eq!(failed, dead, "requests whose message is dead are the ones that failed");
    }
}

/// Processing exceeds the timeout V with probability q = P(T > V) = exp(−V/m) each time, and a consumer is always ready to
/// receive again: a message is received k times with probability q^(k−1)·(1 − q), (1 − q^N)/(1 − q) times on average, and
/// becomes a dead letter with probability q^N. A consumer that exceeded its timeout does not delete the message.
#[test]
fn a_message_comes_back_as_often_as_its_processing_outlasts_the_timeout() {
    let outlasts = (-30.0_f64 / 20.0).exp();
    let yaml = "version: 1\nrun: {until: idle, window: 100s}\n\
         workloads: {w: {arrivals: {once: {count: 2000}}, call: q}}\n\
         components:\n  q: {kind: queue, style: sqs, visibility_timeout: 30s, max_receives: 4, dead_letter: dead}\n  \
         dead: {kind: queue, style: sqs}\n  app:\n    kind: service\n    runtime: {thread_pool: {threads: 8000}}\n    \
         handlers: {default: [{wait: {exp: 20s}}]}\n    consumes: [q]\n";
    let received = over_seeds(yaml, 32, |result| of(result, "components.q.receives") / 2000.0);
    agrees("receives", received, (1.0 - outlasts.powi(4)) / (1.0 - outlasts), 0.02);
    let dead = over_seeds(yaml, 32, |result| of(result, "components.q.dead_letters") / 2000.0);
    agrees("dead", dead, outlasts.powi(4), 0.5);
    let loaded = load(yaml);
    for seed in 0..8 {
        let result = run_loaded(&loaded, seed);
        // Every processing succeeds. The first success of each message is not a duplicate, and neither is that of a message that
        // became a dead letter before its first success; all others are.
        let repeated = of(&result, "components.q.receives") - of(&result, "components.q.published");
        let (duplicates, dead) = (of(&result, "components.q.duplicates"), of(&result, "components.q.dead_letters"));
        assert!(duplicates >= repeated && duplicates <= repeated + dead, "{duplicates}, {repeated}, {dead}");
    }
}

/// Without waiting, the number of messages in progress is Poisson with mean a = λ·m (M/M/∞). A crash of the consumer loses that
/// many if messages are acknowledged before processing, and repeats that many if they are acknowledged after.
#[test]
fn a_crash_loses_or_repeats_what_is_at_work() {
    let at_work = 40.0 * 0.5;
    for (ack, figure) in [("before", "workloads.w.completion.failed"), ("after", "components.q.redelivered")] {
        let yaml = format!(
            "version: 1\nrun: {{duration: 12s}}\n\
             workloads: {{w: {{arrivals: {{poisson: 40/s}}, call: q}}}}\n\
             components:\n  q: {{kind: queue}}\n  app:\n    kind: service\n    runtime: {{thread_pool: {{threads: 400}}}}\n    \
             handlers: {{default: [{{wait: {{exp: 500ms}}}}]}}\n    consumes: [{{from: q, ack: {ack}}}]\n\
             faults: [{{at: 10s, for: 1s, kill: {{component: app}}}}]\n"
        );
        agrees(ack, over_seeds(&yaml, 256, |result| of(result, figure)), at_work, 0.1);
        let other = if ack == "before" { "components.q.redelivered" } else { "workloads.w.completion.failed" };
        assert_eq!(over_seeds(&yaml, 8, |result| of(result, other)), (0.0, 0.0));
    }
}

/// A broker that keeps messages in memory only loses those whose acknowledgement has not arrived: with constants, (λ − µ)·t.
#[test]
fn a_crash_of_the_broker_loses_what_it_has_not_heard_to_be_done() {
    let yaml = "version: 1\nrun: {duration: 20s}\n\
         workloads: {w: {arrivals: {constant: 100/s}, call: q}}\n\
         components:\n  q: {kind: queue, style: rabbitmq, durable: false, prefetch: 10}\n  app:\n    kind: service\n    \
         runtime: {thread_pool: {threads: 6}}\n    handlers: {default: [{wait: 100ms}]}\n    consumes: [q]\n\
         faults: [{at: 10.005s, for: 1s, kill: {component: q}}]\n";
    let result = run_loaded(&load(yaml), 1);
    // 100 per second arrive for 10 s, the first at 0 or 10 ms, and 60 per second are done, the first at 100 ms.
    let lost = of(&result, "components.q.lost");
    assert!((lost - (1_000.0 - 594.0)).abs() <= 7.0, "{lost}");
    assert_eq!(of(&result, "workloads.w.completion.failed"), lost);
}

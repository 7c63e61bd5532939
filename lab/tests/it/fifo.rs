//! Queues modelled on Amazon SQS FIFO: groups, their window, deduplication, with figures derived by hand.

use crate::harness::{load, run_loaded};
use crate::queues::{COUNTS, SCENE, Scene, ended_ms, of};

const FIFO: Scene<'static> = Scene { queue: ", style: sqs_fifo, visibility_timeout: 30ms", ..SCENE };

const A: &str = "{key: {constant: 1}}";
const B: &str = "{key: {constant: 2}}";

/// A consumer with this number of workers and a handler of this duration.
fn worker(threads: u32, takes: &str) -> String {
    format!("runtime: {{thread_pool: {{threads: {threads}}}}}, handlers: {{default: [{takes}]}}")
}

/// ```text
///  published  a 0  a 1  b 2  b 3
///  worker 1   a 0─────10 a 10─────20
///  worker 2       b 2─────12 b 12─────22
/// ```
#[test]
fn a_group_is_worked_on_one_message_after_the_other() {
    let scene =
        Scene { publishes_ms: &[0, 1, 2, 3], requests: &[A, A, B, B], service: &worker(4, "{wait: 10ms}"), ..FIFO };
    let result = scene.run();
    assert_eq!(of(&result, "q", &COUNTS), [4.0, 4.0, 0.0, 4.0]);
    assert_eq!((ended_ms(&result), of(&result, "q", &["queue.wait.max", "out_of_order"])), (22.0, vec![9.0, 0.0]));
    // In a standard queue they are processed in order of arrival.
    let result = Scene { queue: ", style: sqs", ..scene }.run();
    assert_eq!(ended_ms(&result), 13.0);
    // Without keys, all messages belong to one group.
    let result = Scene { requests: &[], ..scene }.run();
    assert_eq!(ended_ms(&result), 40.0);
}

/// A failing message blocks its group until it is a dead letter; other groups continue.
///
/// ```text
///  a 0 received at 0 and 30, dead at 60; a 1 at 60; b at 1
/// ```
#[test]
fn a_failing_message_blocks_its_group() {
    let scene = Scene {
        publishes_ms: &[0, 1, 2],
        requests: &[
            "{op: bad, key: {constant: 1}}",
            "{op: good, key: {constant: 2}}",
            "{op: good, key: {constant: 1}}",
        ],
        queue: ", style: sqs_fifo, visibility_timeout: 30ms, max_receives: 2, dead_letter: dead",
        service: "runtime: {thread_pool: {threads: 4}}, \
                  handlers: {good: [{wait: 10ms}], bad: [{wait: 10ms}, {fail: {probability: 100%}}]}",
        more: "  dead: {kind: queue, style: sqs_fifo}\n",
        ..SCENE
    };
    let result = scene.run();
    assert_eq!(of(&result, "q", &COUNTS), [3.0, 4.0, 1.0, 2.0]);
    assert_eq!(of(&result, "q", &["dead_letters", "queue.wait.max", "out_of_order"]), [1.0, 58.0, 0.0]);
    assert_eq!(ended_ms(&result), 70.0);
}

/// Further messages of a group come in the same batch, in order; if one of them fails, those after it are not processed.
#[test]
fn a_batch_keeps_the_order_within_a_group() {
    let scene = Scene {
        publishes_ms: &[0, 1, 2, 3, 4],
        requests: &[
            "{op: good, key: {constant: 3}}",
            "{op: bad, key: {constant: 1}}",
            "{op: good, key: {constant: 1}}",
            "{op: good, key: {constant: 2}}",
            "{op: good, key: {constant: 1}}",
        ],
        queue: ", style: sqs_fifo, visibility_timeout: 100ms, max_receives: 2, dead_letter: dead",
        service: "runtime: {thread_pool: {threads: 1}}, \
                  handlers: {good: [{wait: 10ms}], bad: [{wait: 10ms}, {fail: {probability: 100%}}]}",
        consumes: ", batch: 10",
        more: "  dead: {kind: queue, style: sqs_fifo}\n",
        ..SCENE
    };
    let result = scene.run();
    // At 10 all four are received together: the bad one and the two behind it, then the other group. Done at 30 are the first one
    // and that of the other group; the bad one and the two are received again at 110, fail again, and all become dead letters
    // at 210.
    assert_eq!(of(&result, "q", &COUNTS), [5.0, 8.0, 3.0, 2.0]);
    assert_eq!(of(&result, "q", &["dead_letters", "out_of_order"]), [3.0, 0.0]);
    assert_eq!(ended_ms(&result), 210.0);
}

/// A consumer finds a group only among the first 120,000 waiting messages.
#[test]
fn a_backlog_of_one_group_hides_the_others() {
    let received = |of_a: u32| {
        let yaml = format!(
            "version: 1\nrun: {{duration: 900ms}}\nworkloads:\n  \
             a: {{arrivals: {{once: {{count: {of_a}}}}}, requests: [{A}], call: q}}\n  \
             b: {{arrivals: {{once: {{count: 1, at: 1ms}}}}, requests: [{B}], call: q}}\n\
             components:\n  q: {{kind: queue, style: sqs_fifo, rate: none}}\n  \
             app: {{kind: service, {}, consumes: [q]}}\n",
            worker(2, "{wait: 1s}")
        );
        of(&run_loaded(&load(&yaml), 1), "q", &["receives"])[0]
    };
    // One of them is in flight. If as many are waiting as are searched, the other group is behind them.
    assert_eq!(received(120_000), 2.0);
    assert_eq!(received(120_001), 1.0);
}

/// The search window moves forward as messages leave, and back as they return.
#[test]
fn the_window_moves_with_what_leaves_it() {
    let with = |of_a: u32| {
        let yaml = format!(
            "version: 1\nrun: {{duration: 10s}}\nworkloads:\n  \
             a: {{arrivals: {{once: {{count: {of_a}}}}}, requests: [{A}], call: q}}\n  \
             b: {{arrivals: {{once: {{count: 1, at: 1ms}}}}, requests: [{B}], call: q}}\n\
             components:\n  q: {{kind: queue, style: sqs_fifo, rate: none, visibility_timeout: 1500ms}}\n  \
             app: {{kind: service, {}, consumes: [q]}}\n\
             faults: [{{at: 1500ms, for: 10s, errors: {{component: app, fraction: 100%}}}}]\n",
            worker(2, "{wait: 1s}")
        );
        of(&run_loaded(&load(&yaml), 1), "q", &["acknowledged", "receives", "receives_max"])
    };
    // The first two of a are done at 1 and 2 s. The third fails at 2 s, and whenever it returns: at 3.5, 5, 6.5, 8 and 9.5 s.
    // While it is away, 120,000 of a are before b, which is never found …
    assert_eq!(with(120_003), [2.0, 8.0, 6.0]);
    // … or one less, and b is found each time.
    assert_eq!(with(120_002), [2.0, 14.0, 6.0]);
}

/// A repeated attempt of the same call publishes the same message for the length of the deduplication window.
#[test]
fn a_publish_that_is_tried_again_is_stored_once() {
    let with = |queue: &str| {
        let scene = Scene {
            publishes_ms: &[0],
            call: ", timeout: 5ms, retry: {max_attempts: 2}",
            queue: &format!(", style: sqs_fifo, publish: 6ms{queue}"),
            ..SCENE
        };
        let result = scene.run();
        of(&result, "q", &["published", "deduplicated", "acknowledged"])
    };
    assert_eq!(with(""), [1.0, 1.0, 1.0]);
    // The attempts are stored at 6 and at 11 ms.
    assert_eq!(with(", dedup_window: 5001us"), [1.0, 1.0, 1.0]);
    assert_eq!(with(", dedup_window: 5ms"), [2.0, 0.0, 2.0]);
}

/// 300 calls per second, with bursts of 300.
#[test]
fn the_rate_of_a_fifo_queue_is_three_hundred_a_second() {
    let with = |rate: &str| {
        let yaml = format!(
            "version: 1\nrun: {{duration: 10s}}\nworkloads: {{w: {{arrivals: {{constant: 1000/s}}, requests: [{{key: {{uniform: {{keys: 1M}}}}}}], call: q}}}}\n\
             components:\n  q: {{kind: queue, style: sqs_fifo{rate}}}\n  app: {{kind: service, {}, consumes: [q]}}\n",
            worker(1000, "{wait: 10ms}")
        );
        of(&run_loaded(&load(&yaml), 1), "q", &["published", "receives"])
    };
    let [published, receives] = with("")[..] else { panic!() };
    assert!((3_290.0..=3_301.0).contains(&published) && receives == published, "{published}, {receives}");
    let [published, receives] = with(", rate: none")[..] else { panic!() };
    assert!((9_980.0..=10_000.0).contains(&published) && receives == published, "{published}, {receives}");
}

/// With consumers that crash, pause and lose their network, each group is processed in order; in a standard queue it is not.
#[test]
fn order_is_kept_within_groups_and_only_there() {
    let with = |style: &str, seed: u64| {
        let yaml = format!(
            "version: 1\nrun: {{duration: 60s}}\nworkloads: {{w: {{arrivals: {{poisson: 40/s}}, requests: [{{key: {{uniform: {{keys: 10}}}}}}], call: q}}}}\n\
             components:\n  q: {{kind: queue, style: {style}, visibility_timeout: 1s}}\n  app:\n    kind: service\n    replicas: 3\n    \
             runtime: {{thread_pool: {{threads: 4}}}}\n    handlers: {{default: [{{wait: {{exp: 100ms}}}}, {{fail: {{probability: 5%}}}}]}}\n    \
             consumes: [{{from: q, batch: 4, network: {{rtt: 5ms, loss: 1%}}}}]\n    replace_after: 500ms\n\
             faults:\n  - {{at: 10s, kill: {{component: app, replicas: 2}}}}\n  - {{at: 20s, for: 3s, pause: {{component: app, replica: 4}}}}\n  \
             - {{at: 30s, for: 3s, partition: [app, q]}}\n"
        );
        of(&run_loaded(&load(&yaml), seed), "q", &["out_of_order", "acknowledged", "redelivered"])
    };
    for seed in 0..5 {
        let [out_of_order, acknowledged, redelivered] = with("sqs_fifo", seed)[..] else { panic!() };
        assert_eq!(out_of_order, 0.0, "seed {seed}");
        assert!(acknowledged > 800.0 && redelivered > 50.0, "seed {seed}: {acknowledged}, {redelivered}");
        let [out_of_order, ..] = with("sqs", seed)[..] else { panic!() };
        assert!(out_of_order > 100.0, "seed {seed}: {out_of_order}");
    }
}

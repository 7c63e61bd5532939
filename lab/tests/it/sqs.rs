//! Queues modelled on Amazon SQS: visibility, batches, delays, retention, dead letters, with figures derived by hand.

use lab::result::RunResult;

use crate::harness::{load, run_loaded};
use crate::queues::{COUNTS, SCENE, Scene, ended_ms, of};

/// Messages stay invisible for 30 ms; a worker takes 10 ms per message.
const SQS: Scene<'static> = Scene { queue: ", style: sqs, visibility_timeout: 30ms", ..SCENE };

/// A consumer with this number of workers and a handler of this duration.
fn worker(threads: u32, takes: &str) -> String {
    format!("runtime: {{thread_pool: {{threads: {threads}}}}}, handlers: {{default: [{takes}]}}")
}

/// Counts of the queue `q`: published, received, redelivered, acknowledged, dead letters, duplicates.
const ALL: [&str; 6] = ["published", "receives", "redelivered", "acknowledged", "dead_letters", "duplicates"];

/// A worker that takes 45 ms for a message that is invisible for 30 ms can still delete it if no other consumer has received
/// it: the last receiver of a message can delete it.
#[test]
fn a_message_that_nobody_else_has_received_is_deleted_late() {
    let result = Scene { publishes_ms: &[0], service: &worker(1, "{wait: 45ms}"), ..SQS }.run();
    assert_eq!(of(&result, "q", &ALL), [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(ended_ms(&result), 45.0);
    // It was waiting from 30 to 45 ms.
    assert_eq!(of(&result, "q", &["queue.depth", "unacknowledged"]), [0.333, 0.667]);
}

/// ```text
///  received    0      30     60     90 too often
///  worker 1    0─────────45  60──────────105
///  worker 2           30────────75
/// ```
/// Each one deletes too late, since the message has been received again by then.
#[test]
fn processing_that_outlasts_visibility_is_repeated_until_the_message_is_dead() {
    let scene = Scene {
        publishes_ms: &[0],
        queue: ", style: sqs, visibility_timeout: 30ms, max_receives: 3, dead_letter: dead",
        service: &worker(2, "{wait: 45ms}"),
        more: "  dead: {kind: queue, style: sqs}\n",
        ..SCENE
    };
    let result = scene.run();
    assert_eq!(of(&result, "q", &ALL), [1.0, 3.0, 2.0, 0.0, 1.0, 2.0]);
    assert_eq!(of(&result, "q", &["receives_max"]), [3.0]);
    assert_eq!(of(&result, "dead", &["published", "queue.depth_end"]), [1.0, 1.0]);
    assert_eq!(ended_ms(&result), 105.0, "dead letters keep no run going");
    // A consumer that extends the visibility keeps the message.
    let result = Scene { consumes: ", extend_visibility: true", ..scene }.run();
    assert_eq!(of(&result, "q", &ALL), [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(ended_ms(&result), 45.0);
}

/// A poison message is received exactly as often as the limit allows, once per visibility timeout.
#[test]
fn poison_is_received_exactly_as_often_as_it_may_be() {
    let scene = Scene {
        publishes_ms: &[0],
        queue: ", style: sqs, visibility_timeout: 30ms, max_receives: 4, dead_letter: dead",
        service: &worker(1, "{wait: 10ms}, {fail: {probability: 100%}}"),
        more: "  dead: {kind: queue, style: sqs}\n",
        ..SCENE
    };
    let result = scene.run();
    assert_eq!(of(&result, "q", &ALL), [1.0, 4.0, 3.0, 0.0, 1.0, 0.0]);
    assert_eq!(ended_ms(&result), 120.0, "received at 0, 30, 60, 90, and dead at 120");
    // If it is made visible immediately, it fails four times in a row.
    let requeued = Scene { consumes: ", on_failure: requeue", ..scene }.run();
    assert_eq!(of(&requeued, "q", &ALL), [1.0, 4.0, 3.0, 0.0, 1.0, 0.0]);
    assert_eq!(ended_ms(&requeued), 40.0);
    // The consumer gives the message up after the first failure.
    let given_up = Scene { consumes: ", on_failure: dead_letter", ..scene }.run();
    assert_eq!(of(&given_up, "q", &ALL), [1.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(ended_ms(&given_up), 10.0);
    let skipped = Scene { consumes: ", on_failure: skip", ..scene }.run();
    assert_eq!(of(&skipped, "q", &ALL), [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
}

/// The first message goes alone to the waiting poll; the others come together when the worker polls again, and are deleted
/// together.
///
/// ```text
///  handed out   0    10         40
///  at work      0─10 10─20─30─40 40─50
///  deleted        10          40     50
/// ```
#[test]
fn a_batch_is_worked_on_one_by_one_and_deleted_together() {
    let scene = Scene {
        publishes_ms: &[0, 1, 2, 3, 4],
        queue: ", style: sqs, visibility_timeout: 100ms",
        consumes: ", batch: 3",
        ..SCENE
    };
    let result = scene.run();
    assert_eq!(of(&result, "q", &ALL), [5.0, 5.0, 0.0, 5.0, 0.0, 0.0]);
    assert_eq!(ended_ms(&result), 50.0);
    // One in flight until 10, three until 40, one until 50.
    assert_eq!(of(&result, "q", &["unacknowledged", "queue.wait.max"]), [2.2, 36.0]);
    // The last of three is at work from 30, after being received at 10: a timeout of 25 ms is too short for it.
    let short = Scene { queue: ", style: sqs, visibility_timeout: 25ms", publishes_ms: &[0, 1, 2, 3], ..scene };
    let result = Scene { service: &worker(2, "{wait: 10ms}"), consumes: ", batch: 3, concurrency: 1", ..short }.run();
    assert_eq!(of(&result, "q", &["receives", "acknowledged", "duplicates"]), [4.0, 4.0, 0.0], "nobody else asks");
    let result = Scene { service: &worker(1, "{wait: 10ms}"), consumes: ", batch: 3, concurrency: 2", ..short }.run();
    assert!(of(&result, "q", &["duplicates"])[0] >= 1.0, "somebody else does");
}

/// In a batch of three, the middle message fails.
#[test]
fn the_failure_of_one_of_a_batch_is_its_own_or_that_of_all() {
    let with = |consumes: &str| {
        let scene = Scene {
            publishes_ms: &[0, 1, 2, 3],
            requests: &["{op: good}", "{op: good}", "{op: bad}", "{op: good}"],
            queue: ", style: sqs, visibility_timeout: 100ms, max_receives: 2, dead_letter: dead",
            service: "runtime: {thread_pool: {threads: 1}}, \
                      handlers: {good: [{wait: 10ms}], bad: [{wait: 10ms}, {fail: {probability: 100%}}]}",
            consumes,
            more: "  dead: {kind: queue, style: sqs}\n",
            ..SCENE
        };
        let result = scene.run();
        (of(&result, "q", &ALL), ended_ms(&result))
    };
    // Received at 10; at 40 all but the bad one are deleted, which is received again at 110 and becomes a dead letter at 210.
    assert_eq!(with(", batch: 3"), (vec![4.0, 5.0, 1.0, 3.0, 1.0, 0.0], 210.0));
    // The batch ends with the bad one at 30, and returns at 110: its first message is processed twice, and all become dead
    // letters at 210, since the second receive ends like the first.
    let (counts, ended) = with(", batch: 3, partial_failures: false");
    assert_eq!(counts, [4.0, 7.0, 3.0, 1.0, 3.0, 1.0]);
    assert_eq!(ended, 210.0);
}

#[test]
fn a_delayed_message_is_received_when_its_time_has_come() {
    let result = Scene { publishes_ms: &[0, 1], queue: ", style: sqs, delay: 20ms", ..SCENE }.run();
    assert_eq!(of(&result, "q", &COUNTS), [2.0, 2.0, 0.0, 2.0]);
    // At work 20–30 and 30–40; the second could have been received at 21.
    assert_eq!(of(&result, "q", &["queue.wait.max", "queue.depth_max", "delayed"]), [29.0, 1.0, 1.0]);
    assert_eq!(ended_ms(&result), 40.0);
}

/// The consumer is down for two minutes, and the retention period is one.
#[test]
fn messages_that_are_too_old_are_thrown_away() {
    let scene = Scene {
        publishes_ms: &[1_000, 5_000, 70_000],
        queue: ", style: sqs, retention: 1m",
        faults: "{at: 1ms, for: 2m, kill: {component: app}}",
        ..SCENE
    };
    let result = scene.run();
    assert_eq!(of(&result, "q", &["published", "receives", "acknowledged", "expired"]), [3.0, 2.0, 1.0, 2.0]);
    // The dead consumer's poll stays open for 20 s: the first message is handed out to it, becomes visible again after 30 s, and
    // expires at 61 s.
    assert_eq!(of(&result, "q", &["redelivered", "queue.oldest_age"]), [0.0, 60_000.0]);
}

#[test]
fn so_many_are_in_flight_and_no_more() {
    let scene = Scene {
        publishes_ms: &[0; 6],
        queue: ", style: sqs, in_flight_max: 2",
        service: &worker(4, "{wait: 10ms}"),
        ..SCENE
    };
    let result = scene.run();
    assert_eq!(of(&result, "q", &COUNTS), [6.0, 6.0, 0.0, 6.0]);
    assert_eq!((ended_ms(&result), of(&result, "q", &["unacknowledged"])[0]), (30.0, 2.0));
    assert!(result.happenings.iter().any(|happening| happening.name == "in_flight_full"), "{:?}", result.happenings);
}

/// SQS does not notice the death of a consumer. Messages in progress there, and messages handed out to its open poll, stay
/// invisible until their timeout.
#[test]
fn a_dead_consumer_is_noticed_by_what_it_does_not_delete() {
    let scene = Scene {
        publishes_ms: &[0, 10],
        service: "replicas: 2, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: 8ms}]}",
        queue: ", style: sqs, visibility_timeout: 30ms",
        ..SCENE
    };
    // The first replica receives the first message and dies at 5: the message is visible at 30, and the second replica has it
    // until 38.
    let result = Scene { faults: "{at: 5ms, kill: {component: app, replica: 0}}", ..scene }.run();
    assert_eq!(of(&result, "q", &ALL), [2.0, 3.0, 1.0, 2.0, 0.0, 0.0]);
    assert_eq!(ended_ms(&result), 38.0);
    // It dies at 9, while its second poll is queued behind that of the other replica, which gets the second message; the third
    // is handed out to the dead replica at 11 and returns at 41.
    let scene = Scene { publishes_ms: &[0, 10, 11], ..scene };
    let result = Scene { faults: "{at: 9ms, kill: {component: app, replica: 0}}", ..scene }.run();
    assert_eq!(of(&result, "q", &ALL), [3.0, 4.0, 1.0, 3.0, 0.0, 0.0]);
    assert_eq!(ended_ms(&result), 49.0);
}

/// A poll that waits for a second is not renewed while its consumer is paused: messages published then go to the other one.
#[test]
fn who_stands_still_for_longer_than_a_poll_gets_nothing() {
    let with = |publishes_ms: &[u64]| {
        let scene = Scene {
            publishes_ms,
            service: "replicas: 2, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: 10ms}]}",
            queue: ", style: sqs, visibility_timeout: 10s",
            consumes: ", wait: 1s",
            faults: "{at: 100ms, for: 5s, pause: {component: app, replica: 0}}",
            ..SCENE
        };
        let result = scene.run();
        (of(&result, "q", &["receives", "redelivered"]), ended_ms(&result))
    };
    // Both polls start at 0. The first one waits until 1 s; its consumer gets the message when the pause ends.
    assert_eq!(with(&[500]), (vec![1.0, 0.0], 5_110.0));
    assert_eq!(with(&[1_500]), (vec![1.0, 0.0], 1_510.0));
}

/// Polls, messages and deletions travel over the network.
#[test]
fn a_deletion_that_comes_late_over_the_network_is_late() {
    let scene = Scene {
        publishes_ms: &[0],
        queue: ", style: sqs, visibility_timeout: 30ms",
        service: &worker(2, "{wait: 20ms}"),
        consumes: ", network: {rtt: 10ms}",
        ..SCENE
    };
    // Polls arrive at 5, the message at 10; it is done at 30 and deleted at 35, exactly at its timeout, which is in time.
    assert_eq!(of(&scene.run(), "q", &ALL), [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    // With a slightly shorter timeout, it has just been received again.
    let late = Scene {
        queue: ", style: sqs, visibility_timeout: 29999us, max_receives: 2, dead_letter: dead",
        more: "  dead: {kind: queue, style: sqs}\n",
        ..scene
    };
    assert_eq!(of(&late.run(), "q", &ALL)[1..3], [2.0, 1.0]);
    // If no other poll is waiting, that does not matter.
    let result = Scene { consumes: ", network: {rtt: 10ms}, concurrency: 1", ..late }.run();
    assert_eq!(of(&result, "q", &ALL), [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
}

/// Publishes beyond the rate are rejected, and polls wait for their turn; a burst of one second's worth passes.
#[test]
fn a_rate_bounds_publishes_and_receives() {
    let scene = Scene { publishes_ms: &[0; 4], queue: ", style: sqs, rate: 2/s", ..SCENE };
    let result = scene.run();
    let limited: u64 = result.workloads.values().map(|w| w.outcomes.get("rate_limited").copied().unwrap_or(0)).sum();
    assert_eq!((of(&result, "q", &["published"])[0], limited), (2.0, 2));
    let scene = Scene { publishes_ms: &[0, 0, 500, 1_000], service: &worker(9, "{wait: 10ms}"), ..scene };
    let result = scene.run();
    // Tokens for polls arrive at 500 and 1000, too.
    assert_eq!((of(&result, "q", &COUNTS)[1], ended_ms(&result)), (4.0, 1_010.0));
}

/// If a message that an idempotent consumer has processed comes again, it is deleted without work.
#[test]
fn an_idempotent_consumer_works_once() {
    let scene = Scene {
        publishes_ms: &[0],
        queue: ", style: sqs, visibility_timeout: 30ms, max_receives: 3, dead_letter: dead",
        service: "replicas: 2, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: 20ms}]}",
        consumes: ", idempotent: true, network: {rtt: 25ms}",
        more: "  dead: {kind: queue, style: sqs}\n",
        ..SCENE
    };
    // Polls arrive at 12.5, the message at 25; it is done at 45. At 42.5 it became visible again and went to the other replica,
    // where it arrives at 55 and is skipped.
    let result = scene.run();
    assert_eq!(of(&result, "q", &["receives", "skipped", "duplicates", "acknowledged"]), [2.0, 1.0, 0.0, 1.0]);
    assert_eq!(of(&result, "app", &["arrivals"]), [1.0]);
    let result = Scene { consumes: ", network: {rtt: 25ms}", ..scene }.run();
    assert_eq!(of(&result, "app", &["arrivals"])[0] - of(&result, "q", &["duplicates"])[0], 1.0);
    assert!(of(&result, "q", &["duplicates"])[0] >= 1.0);
}

/// A retried publish gives two messages in a standard queue; an idempotent consumer knows that they are the same.
#[test]
fn copies_of_a_message_are_known_by_their_call() {
    let with = |consumes: &str| {
        let scene = Scene {
            publishes_ms: &[0],
            call: ", timeout: 5ms, retry: {max_attempts: 2}",
            queue: ", style: sqs, publish: 6ms",
            consumes,
            ..SCENE
        };
        let result: RunResult = scene.run();
        (of(&result, "q", &["published", "acknowledged"]), of(&result, "app", &["arrivals"])[0])
    };
    assert_eq!(with(""), (vec![2.0, 2.0], 2.0));
    assert_eq!(with(", idempotent: true"), (vec![2.0, 2.0], 1.0));
}

/// Operators move dead letters back after the cause is fixed; they count as newly published.
#[test]
fn dead_letters_are_redriven() {
    let scene = Scene {
        publishes_ms: &[0, 1, 2],
        queue: ", style: sqs, visibility_timeout: 30ms, max_receives: 1, dead_letter: dead",
        more: "  dead: {kind: queue, style: sqs}\n",
        faults: "{at: 0ms, for: 1s, errors: {component: app, fraction: 100%}}",
        events: "{at: 2s, redrive: {from: dead, to: q}}",
        ..SCENE
    };
    let with = |events: &str| {
        let mut yaml = Scene { events, ..scene }.yaml();
        yaml = yaml.replace("run: {until: idle}", "run: {duration: 10s}");
        run_loaded(&load(&yaml), 1)
    };
    let result = with(scene.events);
    assert_eq!(of(&result, "q", &ALL), [6.0, 6.0, 0.0, 3.0, 3.0, 0.0]);
    assert_eq!(of(&result, "dead", &["published", "redriven", "queue.depth_end"]), [3.0, 3.0, 0.0]);
    assert_eq!(result.events.len(), 1);
    // One every half second: at 2, 2.5 and 3 s.
    let slow = with("{at: 2s, redrive: {from: dead, to: q, rate: 2/s}}");
    assert_eq!(of(&slow, "dead", &["redriven", "queue.depth_end"]), [3.0, 0.0]);
    let cut = with("{at: 2s, for: 600ms, redrive: {from: dead, to: q, rate: 2/s}}");
    assert_eq!(of(&cut, "dead", &["redriven", "queue.depth_end"]), [2.0, 1.0]);
    let discarded = with("{at: 2s, discard: dead}");
    assert_eq!(of(&discarded, "dead", &["dropped", "queue.depth_end"]), [3.0, 0.0]);
}

//! Queues modelled on RabbitMQ: push delivery, prefetch, delivery limits, durability, with figures derived by hand.

use crate::queues::{COUNTS, SCENE, Scene, ended_ms, of};

const RABBIT: Scene<'static> = Scene { queue: ", style: rabbitmq", ..SCENE };

/// Without a prefetch limit, messages are pushed at once and wait at the consumer.
///
/// ```text
///  published  0     1     2
///  sent       0     1     2
///  at work    0–10  10–20 20–30
/// ```
#[test]
fn without_prefetch_messages_wait_at_the_consumer() {
    let scene = Scene { publishes_ms: &[0, 1, 2], ..RABBIT };
    let result = scene.run();
    assert_eq!(of(&result, "q", &COUNTS), [3.0, 3.0, 0.0, 3.0]);
    assert_eq!(of(&result, "q", &["queue.wait.max", "queue.depth_max", "prefetched"]), [0.0, 1.0, 0.9]);
    assert_eq!(ended_ms(&result), 30.0);
    let result = Scene { consumes: ", prefetch: 1", ..scene }.run();
    assert_eq!(of(&result, "q", &["queue.wait.max", "queue.depth_max", "prefetched"]), [18.0, 2.0, 0.0]);
    assert_eq!(ended_ms(&result), 30.0);
    // The queue's prefetch is the default for consumers without one of their own.
    let result = Scene { queue: ", style: rabbitmq, prefetch: 2", ..scene }.run();
    assert_eq!(of(&result, "q", &["queue.wait.max"]), [8.0]);
    let result = Scene { queue: ", style: rabbitmq, prefetch: 2", consumes: ", prefetch: 1", ..scene }.run();
    assert_eq!(of(&result, "q", &["queue.wait.max"]), [18.0]);
}

/// Two milliseconds each way. With a prefetch of 1, the next message is sent when the acknowledgement of the previous one
/// arrives.
///
/// ```text
///  sent        2     16    30
///  at work     4–14  18–28 32–42
/// ```
#[test]
fn messages_and_acknowledgements_cross_the_network() {
    let scene = Scene { publishes_ms: &[0, 1, 2], consumes: ", prefetch: 1, network: {rtt: 4ms}", ..RABBIT };
    let result = scene.run();
    assert_eq!(of(&result, "q", &COUNTS), [3.0, 3.0, 0.0, 3.0]);
    assert_eq!(of(&result, "q", &["queue.wait.max"]), [28.0]);
    assert!((ended_ms(&result) - 42.0).abs() <= 2.0, "{}", ended_ms(&result));
    // With 2, the next message is already there.
    let result = Scene { consumes: ", prefetch: 2, network: {rtt: 4ms}", ..scene }.run();
    assert!((ended_ms(&result) - 34.0).abs() <= 2.0, "{}", ended_ms(&result));
}

/// Messages are sent round-robin; a message held by one consumer is not available to others.
#[test]
fn a_slow_consumer_hoards_what_it_was_sent() {
    let scene = Scene {
        publishes_ms: &[0; 8],
        service: "replicas: 2, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: 10ms}]}",
        faults: "{at: 0ms, for: 1s, slow: {component: app, replica: 0, factor: 10}}",
        ..RABBIT
    };
    // The slow one takes 100 ms for each of its four messages.
    assert_eq!(ended_ms(&scene.run()), 400.0);
    // With a prefetch of 1 it gets one, and the other consumer gets the rest.
    assert_eq!(ended_ms(&Scene { consumes: ", prefetch: 1", ..scene }.run()), 100.0);
}

/// Messages held by a consumer that dies are sent to the other one.
#[test]
fn the_end_of_a_connection_brings_back_all_that_was_held() {
    let scene = Scene {
        publishes_ms: &[0; 4],
        service: "replicas: 2, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: 10ms}]}",
        faults: "{at: 5ms, kill: {component: app, replica: 0}}",
        ..RABBIT
    };
    let result = scene.run();
    assert_eq!(of(&result, "q", &COUNTS), [4.0, 6.0, 2.0, 4.0]);
    assert_eq!(ended_ms(&result), 40.0);
}

/// The delivery limit of a message.
#[test]
fn a_message_that_comes_back_too_often_is_dead_or_dropped() {
    let scene = Scene {
        publishes_ms: &[0],
        queue: ", style: rabbitmq, delivery_limit: 3, dead_letter: dead",
        service: "runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: 10ms}, {fail: {probability: 100%}}]}",
        more: "  dead: {kind: queue, style: rabbitmq}\n",
        ..RABBIT
    };
    let result = scene.run();
    assert_eq!(of(&result, "q", &["receives", "dead_letters", "dropped"]), [4.0, 1.0, 0.0]);
    assert_eq!(of(&result, "dead", &["queue.depth_end"]), [1.0]);
    assert_eq!(ended_ms(&result), 40.0);
    let result = Scene { queue: ", style: rabbitmq, delivery_limit: 3", more: "", ..scene }.run();
    assert_eq!(of(&result, "q", &["receives", "dead_letters", "dropped"]), [4.0, 0.0, 1.0]);
    // The default limit of a quorum queue.
    let result = Scene { queue: ", style: rabbitmq", more: "", ..scene }.run();
    assert_eq!(of(&result, "q", &["receives"]), [21.0]);
    let given_up = Scene { consumes: ", on_failure: dead_letter", ..scene }.run();
    assert_eq!(of(&given_up, "q", &["receives", "dead_letters"]), [1.0, 1.0]);
}

/// Messages that are not durable are lost in a crash of the queue, whether they are waiting or in progress.
#[test]
fn what_is_not_durable_goes_down_with_the_queue() {
    let scene = Scene {
        publishes_ms: &[0, 1, 2, 3],
        consumes: ", prefetch: 2",
        faults: "{at: 5ms, for: 3ms, kill: {component: q}}",
        ..RABBIT
    };
    // Durable: the first one is done at 10, but its acknowledgement is lost, so all four are processed again when the consumer
    // reconnects.
    let result = scene.run();
    assert_eq!(of(&result, "q", &["acknowledged", "lost", "queue.depth_end"]), [4.0, 0.0, 0.0]);
    let result = Scene { queue: ", style: rabbitmq, durable: false", ..scene }.run();
    assert_eq!(of(&result, "q", &["acknowledged", "lost", "queue.depth_end", "unacknowledged"])[..3], [0.0, 4.0, 0.0]);
    assert!(result.happenings.iter().any(|happening| happening.name == "queue_came_back_empty"));
}

/// A paused consumer is sent as many messages as its prefetch allows; a disconnected one notices when data is sent to it.
#[test]
fn messages_wait_for_a_consumer_that_stands_still() {
    let scene = Scene {
        publishes_ms: &[0, 1, 2],
        consumes: ", prefetch: 2, network: {rtt: 4ms}",
        faults: "{at: 5ms, for: 20ms, pause: app}",
        ..RABBIT
    };
    let result = scene.run();
    assert_eq!(of(&result, "q", &COUNTS), [3.0, 3.0, 0.0, 3.0]);
    let scene = Scene { faults: "{at: 10ms, for: 2000s, partition: [app, q]}", ..scene };
    let result = scene.run();
    assert_eq!(of(&result, "q", &["published", "acknowledged", "queue.depth_end"]), [3.0, 3.0, 0.0]);
    assert!(result.run.duration_s > 2000.0 && result.run.duration_s < 4000.0, "{}", result.run.duration_s);
}

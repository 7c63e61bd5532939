//! Queues and their consumers: the delivery of messages, derived by hand, and compared with theory.

use lab::metrics;
use lab::result::RunResult;
use lab::session::Failure;
use lab::{Options, Session, Text};

use crate::harness::{bytes, load, run_loaded};

/// A scenario in which messages are published at the given instants, ms, to `q`, from which `app` consumes.
pub(crate) struct Scene<'a> {
    pub(crate) publishes_ms: &'a [u64],
    /// Settings of the publishing call.
    pub(crate) call: &'a str,
    /// The published messages, if they differ: settings of `requests`, one for each publish.
    pub(crate) requests: &'a [&'a str],
    /// Settings of the queue.
    pub(crate) queue: &'a str,
    /// Settings of the consuming service.
    pub(crate) service: &'a str,
    /// Settings of its consumption from `q`.
    pub(crate) consumes: &'a str,
    /// More components, one per line.
    pub(crate) more: &'a str,
    pub(crate) faults: &'a str,
    pub(crate) events: &'a str,
}

/// One worker that takes 10 ms per message.
pub(crate) const SCENE: Scene<'static> = Scene {
    publishes_ms: &[0, 1, 2],
    call: "",
    requests: &[],
    queue: "",
    service: "runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: 10ms}]}",
    consumes: "",
    more: "",
    faults: "",
    events: "",
};

impl Scene<'_> {
    pub(crate) fn yaml(&self) -> String {
        let Scene { call, queue, service, consumes, more, faults, events, .. } = self;
        let workload = |(n, at): (usize, &u64)| {
            let requests = self.requests.get(n).map_or(String::new(), |request| format!("requests: [{request}], "));
            format!("  w{n}: {{arrivals: {{once: {{count: 1, at: {at}ms}}}}, {requests}call: {{to: q{call}}}}}\n")
        };
        let workloads: String = self.publishes_ms.iter().enumerate().map(workload).collect();
        format!(
            "version: 1\nrun: {{until: idle}}\nworkloads:\n{workloads}components:\n  q: {{kind: queue{queue}}}\n  \
             app: {{kind: service, {service}, consumes: [{{from: q{consumes}}}]}}\n{more}faults: [{faults}]\nevents: [{events}]\n"
        )
    }

    pub(crate) fn run(&self) -> RunResult {
        run_loaded(&load(&self.yaml()), 1)
    }
}

/// Figures of a component, times in ms.
pub(crate) fn of(result: &RunResult, component: &str, names: &[&str]) -> Vec<f64> {
    let value = |name: &&str| {
        let path = format!("components.{component}.{name}");
        let metric = metrics::find(result, &path).unwrap_or_else(|_| panic!("there is no {path}"));
        let factor = if metric.unit == lab::metrics::Unit::Seconds { 1e3 } else { 1.0 };
        let value = metric.value.unwrap_or_else(|| panic!("{path} is not known")) * factor;
        (value * 1e3).round() / 1e3
    };
    names.iter().map(value).collect()
}

/// When the last event happened, ms.
pub(crate) fn ended_ms(result: &RunResult) -> f64 {
    (result.run.duration_s * 1e6).round() / 1e3
}

pub(crate) const COUNTS: [&str; 4] = ["published", "receives", "redelivered", "acknowledged"];

/// ```text
///  published   0     1     2
///  at work     0–10  10–20 20–30
///  waited      0     9     18
/// ```
#[test]
fn a_worker_takes_one_message_after_the_other() {
    let result = SCENE.run();
    assert_eq!(of(&result, "q", &COUNTS), [3.0, 3.0, 0.0, 3.0]);
    assert_eq!(of(&result, "q", &["queue.wait.max", "queue.wait.mean", "queue.depth_max"]), [18.0, 9.0, 2.0]);
    // 1 from 1 to 2 ms, 2 until 10 ms, 1 until 20 ms: 27 message-milliseconds in 30.
    assert_eq!(of(&result, "q", &["queue.depth", "unacknowledged"]), [0.9, 1.0]);
    assert_eq!(of(&result, "app", &["arrivals", "latency.max", "queue.wait.max"]), [3.0, 10.0, 0.0]);
    assert_eq!(result.workloads["w0"].outcomes["accepted"], 1);
    assert_eq!(result.workloads["w2"].latency.max_s, Some(0.0), "the producer does not wait for the consumer");
    assert_eq!(ended_ms(&result), 30.0);
}

/// Two milliseconds each way: the first receive request arrives at 2, each message takes 2 to arrive, and the next receive
/// request is sent together with the acknowledgement.
///
/// ```text
///  handed out  2     16    30
///  at work     4–14  18–28 32–42
///  waited      2     15    28
/// ```
#[test]
fn receives_messages_and_acknowledgements_cross_the_network() {
    let scene = Scene { consumes: ", network: {rtt: 4ms}", ..SCENE };
    let result = scene.run();
    assert_eq!(of(&result, "q", &COUNTS), [3.0, 3.0, 0.0, 3.0]);
    assert_eq!(of(&result, "q", &["queue.wait.max", "queue.wait.mean"]), [28.0, 15.0]);
    assert_eq!(of(&result, "app", &["arrivals", "latency.max"]), [3.0, 10.0]);
    // The last acknowledgement arrives at 44.
    assert_eq!(of(&result, "q", &["queue.depth_end"]), [0.0]);
    assert!((ended_ms(&result) - 42.0).abs() <= 2.0, "{}", ended_ms(&result));
}

/// The costs of publishing and receiving: the message published at 0 is stored at 3, sent at 8, at work 8–18; the one
/// published at 1 is stored at 4, sent at 18 and at work 23–33.
#[test]
fn publishing_and_receiving_take_their_time() {
    let scene = Scene { publishes_ms: &[0, 1], queue: ", publish: 3ms, receive: 5ms", ..SCENE };
    let result = scene.run();
    assert_eq!(result.workloads["w1"].latency.max_s, Some(0.003));
    assert_eq!(of(&result, "q", &["queue.wait.max", "latency.max"]), [14.0, 3.0]);
    assert_eq!(ended_ms(&result), 33.0);
}

/// `concurrency` bounds the messages in progress, regardless of the number of workers; messages without a free worker wait in
/// the workers' queue, like calls.
#[test]
fn concurrency_bounds_the_messages_at_work() {
    let with = |threads: u32, concurrency: &str| {
        let service =
            format!("runtime: {{thread_pool: {{threads: {threads}}}}}, handlers: {{default: [{{wait: 10ms}}]}}");
        let result = Scene { service: &service, consumes: concurrency, publishes_ms: &[0; 4], ..SCENE }.run();
        (ended_ms(&result), of(&result, "q", &["queue.wait.max"])[0], of(&result, "app", &["queue.wait.max"])[0])
    };
    assert_eq!(with(2, ""), (20.0, 10.0, 0.0));
    assert_eq!(with(4, ", concurrency: 1"), (40.0, 30.0, 0.0));
    assert_eq!(with(1, ", concurrency: 4"), (40.0, 0.0, 30.0));
}

/// A consumer that dies during processing has acknowledged nothing: the queue notices when the connection ends, 2 ms later,
/// and the other replica gets the message.
///
/// ```text
///  first replica    4–x dies at 9
///  queue            notices at 11; the other replica's receive request stands since 2
///  second replica   13–23
/// ```
#[test]
fn what_a_dead_consumer_had_is_delivered_again() {
    let scene = Scene {
        publishes_ms: &[0],
        service: "replicas: 2, runtime: {thread_pool: {threads: 1}}, handlers: {default: [{wait: 10ms}]}",
        consumes: ", network: {rtt: 4ms}",
        faults: "{at: 9ms, kill: {component: app, replica: 0}}",
        ..SCENE
    };
    let result = scene.run();
    assert_eq!(of(&result, "q", &COUNTS), [1.0, 2.0, 1.0, 1.0]);
    assert_eq!(of(&result, "app", &["arrivals", "retry_share"]), [2.0, 0.5], "a repetition is a retry");
    assert_eq!(result.components["app"].outcomes["reset"], 1);
    assert_eq!(result.components["app"].outcomes["ok"], 1);
    // It ended at 23 and was acknowledged at 25.
    assert!((ended_ms(&result) - 24.0).abs() <= 1.0, "{}", ended_ms(&result));
}

/// With one replica that returns after 20 ms: at work 0–5, dead until 25, at work again 25–35. If it had acknowledged before
/// processing, the message would be lost.
#[test]
fn acknowledging_before_loses_what_acknowledging_after_repeats() {
    let with = |consumes: &str| {
        let faults = "{at: 5ms, for: 20ms, kill: {component: app}}";
        let result = Scene { publishes_ms: &[0], consumes, faults, ..SCENE }.run();
        (
            of(&result, "q", &COUNTS),
            of(&result, "app", &["arrivals"])[0],
            result.components["app"].outcomes.get("ok").copied(),
        )
    };
    assert_eq!(with(""), (vec![1.0, 2.0, 1.0, 1.0], 2.0, Some(1)));
    assert_eq!(with(", ack: before").0, [1.0, 1.0, 0.0, 1.0]);
    assert_eq!(with(", ack: before").1, 1.0);
}

/// The messages survive a crash of the queue. A message is at work 0–10 while the queue dies at 5 and returns at 8: its
/// acknowledgement is lost, and the consumer, which reconnects after a second, receives it again.
#[test]
fn messages_outlive_a_crash_of_the_queue() {
    let scene = Scene { publishes_ms: &[0, 1], faults: "{at: 5ms, for: 3ms, kill: {component: q}}", ..SCENE };
    let result = scene.run();
    assert_eq!(of(&result, "q", &COUNTS), [2.0, 3.0, 1.0, 2.0]);
    // The connection is lost at 5: at work again from 1005 to 1015, then the other message.
    assert_eq!(ended_ms(&result), 1025.0);
    assert_eq!(of(&result, "app", &["arrivals"]), [3.0]);
}

/// While the consumer is paused from 5 to 25, its work is, too; messages and answers wait for it.
#[test]
fn a_consumer_that_stands_still_goes_on_where_it_was() {
    let scene = Scene { faults: "{at: 5ms, for: 20ms, pause: app}", consumes: ", network: {rtt: 4ms}", ..SCENE };
    let result = scene.run();
    // At work 4–5 and 25–34; the receive request arrives at 36, the message at 38, and so on.
    assert_eq!(of(&result, "q", &COUNTS), [3.0, 3.0, 0.0, 3.0]);
    assert_eq!(of(&result, "q", &["queue.wait.max"]), [48.0]);
    // A paused queue hands nothing out; publishes wait for it.
    let scene = Scene { faults: "{at: 500us, for: 20ms, pause: q}", ..SCENE };
    let result = scene.run();
    assert_eq!(result.workloads["w1"].latency.max_s, Some(0.0195));
    assert_eq!(of(&result, "q", &COUNTS), [3.0, 3.0, 0.0, 3.0]);
    // The acknowledgement of the first message waits until 20.5 ms, and so does the next receive request.
    assert_eq!(ended_ms(&result), 40.5);
}

/// Receive requests and acknowledgements stop at a partition and arrive late by retransmission, or the connection is given up.
#[test]
fn a_partition_stops_what_consumer_and_queue_say() {
    let scene = Scene {
        publishes_ms: &[0, 500],
        consumes: ", network: {rtt: 4ms}",
        faults: "{at: 10ms, for: 2000s, partition: [app, q]}",
        ..SCENE
    };
    let result = scene.run();
    // The acknowledgement at 14 is lost; the connection is given up after 924.6 s, repeatedly, until the partition ends.
    assert_eq!(of(&result, "q", &COUNTS), [2.0, 3.0, 1.0, 2.0], "the first is done twice");
    assert!(result.run.duration_s > 2000.0 && result.run.duration_s < 4000.0, "{}", result.run.duration_s);
}

/// If the handler fails, the message is redelivered immediately, and each delivery draws anew.
#[test]
fn a_failed_message_goes_back_to_its_place_or_is_skipped() {
    let service = "runtime: {thread_pool: {threads: 1}}, \
                   handlers: {default: [{wait: 10ms}, {fail: {probability: 50%, outcome: error}}]}";
    let publishes_ms = [0; 40];
    let scene = Scene { publishes_ms: &publishes_ms, service, ..SCENE };
    let result = scene.run();
    let [published, receives, redelivered, acknowledged] = of(&result, "q", &COUNTS)[..] else { panic!() };
    assert_eq!((published, acknowledged, receives - redelivered), (40.0, 40.0, 40.0));
    // Each is delivered twice on average: 40 ± 9 redeliveries, one standard deviation of a geometric law over 40 messages.
    assert!((10.0..80.0).contains(&redelivered), "{redelivered}");
    assert_eq!(ended_ms(&result), 10.0 * receives);
    let result = Scene { consumes: ", on_failure: skip", ..scene }.run();
    assert_eq!(of(&result, "q", &COUNTS), [40.0, 40.0, 0.0, 40.0]);
}

/// The consumer's own admission has room for one call: a message that it rejects counts as not received, and its slot stays
/// empty for a tenth of a second.
#[test]
fn what_the_admission_refuses_was_not_received() {
    let scene = Scene {
        publishes_ms: &[0, 0],
        service: "runtime: {thread_pool: {threads: 1}}, admission: {queue: {max: 0}}, handlers: {default: [{wait: 10ms}]}",
        consumes: ", concurrency: 2",
        ..SCENE
    };
    let result = scene.run();
    // The first is at work 0–10. The second is rejected at 0, goes back, and is received by the first one's slot at 10.
    assert_eq!(of(&result, "q", &COUNTS), [2.0, 3.0, 0.0, 2.0]);
    assert_eq!(of(&result, "app", &["arrivals"]), [3.0]);
    assert_eq!(result.components["app"].outcomes["overload"], 1);
    assert_eq!(ended_ms(&result), 20.0);
}

/// Room for one message; published at 0 (goes to the consumer immediately), 1 (waits), 2 and 3.
#[test]
fn a_full_queue_rejects_blocks_or_drops_the_oldest() {
    let with = |full: &str| {
        let queue = format!(", capacity: 1, full: {full}");
        Scene { publishes_ms: &[0, 1, 2, 3], queue: &queue, ..SCENE }.run()
    };
    let outcome = |result: &RunResult, n: usize| {
        let outcomes = &result.workloads[&format!("w{n}")].outcomes;
        outcomes.iter().find(|(_, count)| **count > 0).map(|(name, _)| name.clone()).unwrap_or_default()
    };
    let outcomes = |result: &RunResult| (0..4).map(|n| outcome(result, n)).collect::<Vec<_>>();
    let rejects = with("reject");
    assert_eq!(outcomes(&rejects), ["accepted", "accepted", "overload", "overload"]);
    assert_eq!(of(&rejects, "q", &COUNTS), [2.0, 2.0, 0.0, 2.0]);
    assert_eq!(of(&rejects, "q", &["queue.depth_max"]), [1.0]);
    // The third waits for room until 10 and the fourth until 20, each 10 ms before it is at work.
    let blocks = with("block");
    assert_eq!(outcomes(&blocks), ["accepted"; 4]);
    let took = [0, 1, 2, 3].map(|n| blocks.workloads[&format!("w{n}")].latency.max_s.map(|s| (s * 1e3).round()));
    assert_eq!(took, [Some(0.0), Some(0.0), Some(8.0), Some(17.0)]);
    assert_eq!(of(&blocks, "q", &["blocked"]), [0.625], "8 and 17 ms of 40");
    assert_eq!(ended_ms(&blocks), 40.0);
    // The one published at 1 is dropped at 2, and the one published at 2 is dropped at 3: only the first and the last are
    // processed.
    let drops = with("drop_oldest");
    assert_eq!(outcomes(&drops), ["accepted"; 4]);
    assert_eq!(of(&drops, "q", &COUNTS), [4.0, 2.0, 0.0, 2.0]);
    assert_eq!(of(&drops, "q", &["dropped", "queue.wait.max"]), [2.0, 7.0]);
    assert_eq!(ended_ms(&drops), 20.0);
}

/// A producer that gives up while it is blocked withdraws its message if cancellation is propagated.
#[test]
fn a_blocked_producer_that_gives_up_leaves() {
    let with = |call: &str| {
        let queue = ", capacity: 1, full: block";
        let result = Scene { publishes_ms: &[0, 0, 0], call, queue, ..SCENE }.run();
        of(&result, "q", &COUNTS)[0]
    };
    assert_eq!(with(", timeout: 5ms"), 3.0, "the queue does not learn of it");
    assert_eq!(with(", timeout: 5ms, propagate: [cancel]"), 2.0);
    assert_eq!(with(", timeout: 5ms, propagate: [deadline]"), 2.0);
}

/// If no consumer is left, the run ends with a failure that lists the messages.
#[test]
fn messages_that_nobody_takes_end_the_run_and_are_listed() {
    let run = |scene: &Scene<'_>| {
        let loaded = load(&scene.yaml());
        let mut session = Session::new(loaded, 1, None);
        let end = session.run_to_end();
        (end, session.now_ns() as f64 / 1e9)
    };
    let dead = Scene { faults: "{at: 5ms, kill: {component: app}}", ..SCENE };
    let (end, _) = run(&dead);
    let Err(failure @ Failure::NeverEnds { .. }) = end else { panic!("{end:?}") };
    assert_eq!(failure.to_string(), "nothing is left to happen, and these messages are left: 3 in `q`");
    // The queue never returns, and the consumer tries to reconnect again and again.
    let gone = Scene { publishes_ms: &[0, 1, 2, 9], faults: "{at: 5ms, kill: {component: q}}", ..SCENE };
    for consumes in ["", ", network: {rtt: 4ms}"] {
        let (end, ended_s) = run(&Scene { consumes, ..gone });
        let Err(failure) = end else { panic!("it ends") };
        assert_eq!(failure.to_string(), "nothing is left to happen, and these messages are left: 3 in `q`");
        assert!(ended_s < 5.0, "{ended_s}");
    }
    // The run waits for a queue that returns in two hours.
    let back = Scene { faults: "{at: 5ms, for: 2h, kill: {component: q}}", publishes_ms: &[0, 1, 2], ..SCENE };
    let result = back.run();
    assert!(result.run.duration_s > 7200.0 && result.run.duration_s < 7202.0, "{}", result.run.duration_s);
    assert_eq!(of(&result, "q", &["acknowledged", "queue.depth_end"]), [3.0, 0.0]);
    // Without messages, the run waits for nothing, whatever happens to the consumer.
    let idle = Scene { faults: "{at: 60ms, kill: {component: q}}, {at: 3h, pause: app}", ..SCENE }.run();
    assert_eq!(ended_ms(&idle), 30.0);
}

/// A clone of a session continues like the original, and repeated runs give the same bytes.
#[test]
fn clones_and_repetitions_agree() {
    let yaml = "
version: 1
run: {duration: 20s}
workloads: {w: {arrivals: {poisson: 50/s}, requests: [{key: {uniform: {keys: 9}}}], call: {to: q, network: {rtt: 3ms}}}}
components:
  q: {kind: queue, capacity: 40, full: block, publish: {exp: 1ms}, receive: {exp: 1ms}}
  app:
    kind: service
    replicas: 3
    cpu: 1
    runtime: {thread_pool: {threads: 2}}
    handlers: {default: [{cpu: {exp: 40ms}}, {fail: {probability: 20%}}]}
    consumes: [{from: q, network: {rtt: 5ms, loss: 2%}}]
    replace_after: 500ms
faults:
  - {at: 3s, kill: {component: app, replicas: 2}}
  - {at: 6s, for: 1s, kill: {component: q}}
  - {at: 9s, for: 1s, pause: {component: app, replica: 0}}
  - {at: 11s, for: 1s, partition: [app, q]}
  - {at: 14s, for: 1s, errors: {component: q, fraction: 50%}}
  - {at: 16s, for: 1s, errors: {component: app, fraction: 50%}}
";
    let loaded = load(yaml);
    let whole = run_loaded(&loaded, 3);
    assert_eq!(bytes(&run_loaded(&loaded, 3)), bytes(&whole));
    for at in [2_900_000_000, 6_500_000_000, 9_500_000_000, 14_100_000_000] {
        let mut half = Session::new(loaded.clone(), 3, None);
        half.run_until(at).expect("it runs");
        let mut clone = half.clone();
        for session in [&mut half, &mut clone] {
            session.run_to_end().expect("it ends");
            assert_eq!(bytes(&session.result()), bytes(&whole));
        }
    }
    let counts = of(&whole, "q", &COUNTS);
    assert!(counts[0] > 400.0 && counts[2] > 80.0 && counts[3] > 400.0, "{counts:?}");
}

/// The first delivery of a message draws the same numbers, regardless of the number of consumers and the producer's policies.
#[test]
fn a_message_draws_the_same_in_every_variant() {
    let with = |call: &str, replicas: u32, full: &str| {
        let yaml = format!(
            "version: 1\nseed: 7\nrun: {{duration: 60s}}\nworkloads: {{w: {{arrivals: {{poisson: 2/s}}, call: {{to: q{call}}}}}}}\n\
             components:\n  q: {{kind: queue, capacity: 1M, full: {full}}}\n  app:\n    kind: service\n    replicas: {replicas}\n    \
             runtime: {{thread_pool: {{threads: 20}}}}\n    handlers: {{default: [{{wait: {{exp: 50ms}}}}]}}\n    \
             consumes: [q]\n"
        );
        let result = run_loaded(&load(&yaml), 7);
        of(&result, "app", &["latency.mean", "latency.max", "arrivals"])
    };
    let expected = with("", 1, "reject");
    assert_eq!(with("", 5, "block"), expected);
    assert_eq!(with(", timeout: 1s", 1, "reject"), expected);
    assert_eq!(with(", timeout: 1s, retry: {max_attempts: 3, backoff: {fixed: 10ms}}", 2, "reject"), expected);
    assert_eq!(
        with(", breaker: {consecutive: 5, open: 1s, half_open: 1}, network: {rtt: 2ms}", 2, "reject")[0],
        expected[0]
    );
}

/// The backlog of a spike drains in backlog / (µ − λ): for 10 s, twice the 100 messages per second that the consumers handle
/// arrive, instead of half of them. The backlog is 1000, and the spare capacity is 50 per second: 20 s.
#[test]
fn a_backlog_drains_at_what_the_consumers_have_left() {
    let yaml = "
version: 1
run: {duration: 60s, window: 1s}
workloads:
  w: {arrivals: {constant: 50/s}, shape: {steps: [{at: 0s, x: 1}, {at: 10s, x: 4}, {at: 20s, x: 1}]}, call: q}
components:
  q: {kind: queue}
  app:
    kind: service
    runtime: {thread_pool: {threads: 10}}
    handlers: {default: [{wait: 100ms}]}
    consumes: [q]
";
    let result = run_loaded(&load(yaml), 1);
    let depth = &result.series.columns["components.q.queue.depth"];
    let peak = depth.iter().flatten().copied().fold(0.0, f64::max);
    assert!((peak - 975.0).abs() < 30.0, "the mean of the window in which it is 1000: {peak}");
    let drained = (20..60).find(|second| depth[*second].unwrap_or(0.0) < 1.0).expect("it drains");
    assert!((39..=41).contains(&drained), "{drained}");
}

/// Unsupported settings are rejected by name, and senseless ones with an explanation.
#[test]
fn mistakes_are_refused() {
    let refused = |yaml: &str| -> Vec<String> {
        let text = Text { name: "test.yaml".into(), bytes: yaml.as_bytes().to_vec(), folder: None };
        match lab::load(&text, &Options::default()) {
            Ok(_) => panic!("this must be refused:\n{yaml}"),
            Err(refused) => refused.problems.iter().map(|p| p.message.clone()).collect(),
        }
    };
    let with = |call: &str, queue: &str, service: &str, consumes: &str, more: &str| {
        format!(
            "version: 1\nrun: {{duration: 1s}}\nworkloads: {{w: {{arrivals: {{poisson: 5/s}}, call: {call}}}}}\n\
             components:\n  q: {{kind: queue{queue}}}\n  \
             app: {{kind: service, {service}, handlers: {{default: [{{wait: 1ms}}]}}, consumes: [{consumes}]}}\n{more}"
        )
    };
    let pool = "runtime: {thread_pool: {threads: 1}}";
    for (yaml, expected) in [
        (with("q", ", style: kafka", pool, "q", ""), "is not supported yet"),
        (
            with("q", ", visibility_timeout: 30s", pool, "q", ""),
            "`visibility_timeout` does not apply to `style: plain`",
        ),
        (with("q", ", style: sqs, capacity: 5", pool, "q", ""), "`capacity` does not apply to `style: sqs`"),
        (with("q", ", style: sqs, max_receives: 5", pool, "q", ""), "`max_receives` has no effect without"),
        (with("q", ", style: sqs, delay: 2m, retention: 1m", pool, "q", ""), "expires before it becomes visible"),
        (with("q", ", style: sqs, rate: 0/s", pool, "q", ""), "it must be more than 0"),
        (with("q", ", style: rabbitmq, prefetch: 0", pool, "q", ""), "`prefetch` must be at least 1"),
        (with("q", ", dead_letter: q", pool, "q", ""), "is its own `dead_letter`"),
        (with("q", ", dead_letter: app", pool, "q", ""), "`app` is not a queue"),
        (
            with("q", ", dead_letter: d", pool, "q", "  d: {kind: queue, style: sqs}\n"),
            "but its dead-letter queue `d` has",
        ),
        (with("q", ", dead_letter: nowhere", pool, "q", ""), "no queue is called `nowhere`"),
        (with("q", "", pool, "{from: q, on_failure: dead_letter}", ""), "`q` has no `dead_letter`"),
        (with("q", "", pool, "{from: q, on_failure: wait}", ""), "`wait` does not apply"),
        (with("q", "", pool, "{from: q, batch: 5}", ""), "`batch` does not apply"),
        (with("q", "", pool, "{from: q, prefetch: 5}", ""), "`prefetch` does not apply"),
        (with("q", ", style: sqs", pool, "{from: q, batch: 11}", ""), "returns at most 10 messages"),
        (with("q", ", style: sqs", pool, "{from: q, partial_failures: true}", ""), "`partial_failures` has no effect"),
        (
            with("q", ", style: sqs", pool, "{from: q, ack: before, extend_visibility: true}", ""),
            "`extend_visibility` has",
        ),
        (with("q", "", pool, "q", "events: [{at: 0s, redrive: {from: q, to: q}}]\n"), "are the same queue"),
        (with("q", "", pool, "q", "events: [{at: 0s, discard: app}]\n"), "`app` is a service, not a queue"),
        (with("q", ", full: block", pool, "q", ""), "without `capacity` the queue is never full"),
        (with("q", ", capacity: 0", pool, "q", ""), "`capacity` must be at least 1"),
        (with("q", "", pool, "p", ""), "no queue is called `p`"),
        (with("q", "", pool, "app", ""), "`app` is not a queue"),
        (with("q", "", pool, "q, q", ""), "consumes from `q` twice"),
        (with("q", "", "runtime: unlimited", "q", ""), "`concurrency` is missing"),
        (with("q", "", pool, "{from: q, ack: before, on_failure: skip}", ""), "`on_failure` has no effect"),
        (with("q", "", pool, "{from: q, network: {keep_alive: false}}", ""), "`keep_alive: false` has no effect"),
        (with("q", "", pool, "{from: q, network: {bandwidth: 1Mb/s}}", ""), "`bandwidth` has no effect"),
        (with("q", "", pool, "{from: q, op: other}", ""), ""),
        (with("{to: q, coalesce: {by: op}}", "", pool, "q", ""), "would lose messages"),
        (
            with("{to: q, batch: {max: 5, wait: 1ms}}", "", pool, "q", ""),
            "`batch` towards a queue is not supported yet",
        ),
        (with("lb", "", pool, "q", "  lb: {kind: load_balancer, to: q}\n"), "cannot stand behind `lb`"),
        (with("names", "", pool, "q", "  names: {kind: dns, to: q}\n"), "cannot stand behind `names`"),
    ] {
        if expected.is_empty() {
            let loaded = lab::load(
                &Text { name: "test.yaml".into(), bytes: yaml.as_bytes().to_vec(), folder: None },
                &Options::default(),
            );
            assert!(loaded.is_ok(), "`default` stands for what has no handler of its own");
            continue;
        }
        let messages = refused(&yaml);
        assert!(messages.iter().any(|message| message.contains(expected)), "{expected}: {messages:?}");
    }
}

/// In a cluster, queues are found by their names there; an operation without a handler is reported.
#[test]
fn names_of_queues_and_handlers_are_looked_up_as_those_of_links_are() {
    let yaml = |op: &str| {
        format!(
            "version: 1\nrun: {{duration: 5s}}\nworkloads: {{w: {{arrivals: {{constant: 10/s}}, call: one/jobs}}}}\n\
             templates:\n  cell:\n    components:\n      jobs: {{kind: queue}}\n      app:\n        kind: service\n        \
             runtime: {{thread_pool: {{threads: 1}}}}\n        handlers: {{mail: [{{wait: 1ms}}]}}\n        \
             consumes: [{{from: jobs, op: {op}}}]\n\
             clusters: {{one: {{from: cell}}, two: {{from: cell}}}}\n\
             faults: [{{at: 1s, for: 1s, network: {{link: one/app.consumes.jobs, add: 5ms}}}}]\n"
        )
    };
    let result = run_loaded(&load(&yaml("mail")), 1);
    assert!(of(&result, "one/app", &["arrivals"])[0] > 45.0);
    assert_eq!(of(&result, "two/app", &["arrivals"]), [0.0]);
    assert_eq!(result.components["one/app"].consumes, ["one/jobs"]);
    let text = Text { name: "test.yaml".into(), bytes: yaml("post").into_bytes(), folder: None };
    let refused = lab::load(&text, &Options::default()).expect_err("there is no such handler");
    let messages: Vec<&str> = refused.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert!(messages.iter().any(|m| m.contains("is asked for `post`, which it does not handle")), "{messages:?}");
}

/// A queue without consumers can be simulated, but is probably a mistake.
#[test]
fn a_queue_without_consumers_is_warned_of() {
    let loaded = load(
        "version: 1\nrun: {duration: 1s}\nworkloads: {w: {arrivals: {constant: 9/s}, call: q}}\ncomponents: {q: {kind: queue}}\n",
    );
    let messages: Vec<&str> = loaded.warnings.iter().map(|problem| problem.message.as_str()).collect();
    assert!(messages.iter().any(|message| message.contains("nothing consumes from `q`")), "{messages:?}");
    assert_eq!(of(&run_loaded(&loaded, 1), "q", &["published", "queue.depth_end"]), [9.0, 9.0]);
}

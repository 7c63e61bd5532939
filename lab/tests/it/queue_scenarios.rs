//! The claims of the built-in scenarios about queues, checked over seeds. Expected values are computed from the scenarios' own
//! figures.

use lab::metrics;
use lab::result::RunResult;
use rayon::prelude::*;

use crate::harness::{load_variant, run_loaded};

pub(crate) const SEEDS: u64 = 8;

/// Runs of a variant of a built-in scenario.
pub(crate) fn runs(name: &str, variant: &str) -> Vec<RunResult> {
    let (_, text) = language::builtin::SCENARIOS.iter().find(|(known, _)| *known == name).expect("it is built in");
    let loaded = load_variant(text, Some(variant));
    (0..SEEDS).into_par_iter().map(|seed| run_loaded(&loaded, seed)).collect()
}

/// The value of a metric, which must be known.
pub(crate) fn of(result: &RunResult, path: &str) -> f64 {
    let metric = metrics::find(result, path).unwrap_or_else(|unknown| panic!("{unknown}"));
    metric.value.unwrap_or_else(|| panic!("{path} is not known: {:?}", metric.infinite))
}

fn queue(result: &RunResult, name: &str, metric: &str) -> f64 {
    of(result, &format!("components.{name}.{metric}"))
}

/// Checks that every message stored in a queue is accounted for.
fn is_conserved(result: &RunResult, name: &str) {
    let ended = ["acknowledged", "dead_letters", "dropped", "expired", "lost", "redriven"];
    let ended: f64 = ended.iter().map(|metric| queue(result, name, metric)).sum();
    let left = queue(result, name, "published") - ended - queue(result, name, "queue.depth_end");
    // The remaining messages are in flight, of which only the average is reported.
    assert!((0.0..200.0).contains(&left), "{name}: {left}");
}

/// λ = 100/s, and 500/s for a minute; µ = 250/s: the backlog is (λpeak − µ)·60 s and drains in backlog/(µ − λ).
#[test]
fn an_api_that_answers_202_is_flat_while_the_backlog_drains() {
    let (base, peak, served, lasts_s) = (100.0, 500.0, 250.0, 60.0);
    let backlog = (peak - served) * lasts_s;
    let drained_s = 30.0 + lasts_s + backlog / (served - base);
    for result in runs("async-202", "as-is") {
        // 5 ms, a round trip, and 2 ms to store the message.
        assert!(of(&result, "workloads.shoppers.latency.max") <= 0.008_001);
        let most = queue(&result, "orders", "queue.depth_max");
        assert!((most - backlog).abs() <= 30.0, "{most} instead of {backlog}");
        let slowest_s = of(&result, "workloads.shoppers.completion.latency.max");
        assert!((slowest_s - backlog / served).abs() < 1.0, "{slowest_s}");
        let depth = &result.series.columns["components.orders.queue.depth"];
        let drained = (91..240).find(|second| depth[*second].unwrap_or(0.0) < 1.0).expect("it drains");
        assert!((drained as f64 - drained_s).abs() <= 2.0, "{drained} instead of {drained_s}");
        let holds: Vec<bool> = result.objectives.iter().map(|objective| objective.holds).collect();
        assert_eq!(holds, [true, false], "fast, and not done in time");
        is_conserved(&result, "orders");
    }
    // Twice as many workers handle the peak.
    for result in runs("async-202", "twice-the-workers") {
        assert!(of(&result, "workloads.shoppers.completion.latency.max") < 1.0);
        assert_eq!(result.objectives.iter().filter(|objective| objective.holds).count(), 2);
    }
    // A client that polls every 5 s learns of the result up to 5 s later, and polls more often if it takes longer.
    for result in runs("async-202", "polls") {
        let (done, known) = ("workloads.shoppers.completion.latency.mean", "workloads.shoppers.result.latency.mean");
        let (done_s, known_s) = (of(&result, done), of(&result, known));
        assert!(known_s > done_s && known_s < done_s + 5.1, "{done_s}, {known_s}");
        let orders = of(&result, "workloads.shoppers.ops.order.sent");
        let polls = of(&result, "workloads.shoppers.ops.status.sent");
        // At least one poll, and one more for each 5 s.
        let expected = orders * (1.0 + done_s / 5.0);
        assert!((polls / expected - 1.0).abs() < 0.15, "{polls} polls instead of about {expected}");
        assert!(of(&result, "workloads.shoppers.goodput") < 1.01 * orders / 240.0, "polls are no goodput");
    }
}

#[test]
fn poison_is_received_exactly_as_often_as_it_may_be() {
    for variant in ["as-is", "rabbitmq"] {
        for result in runs("dlq-poison", variant) {
            let poison = of(&result, "workloads.sender.ops.poison.outcomes.accepted");
            assert!(poison > 150.0, "{poison}");
            assert_eq!(queue(&result, "jobs", "dead_letters"), poison);
            assert_eq!(queue(&result, "dead-jobs", "queue.depth_end"), poison);
            assert_eq!(queue(&result, "jobs", "receives"), queue(&result, "jobs", "published") + 4.0 * poison);
            assert_eq!(queue(&result, "jobs", "receives_max"), 5.0);
            assert_eq!(of(&result, "workloads.sender.completion.failed"), poison);
            is_conserved(&result, "jobs");
        }
    }
    for result in runs("dlq-poison", "no-dead-letters") {
        // The first ones are redelivered every 10 s for ten minutes.
        assert!(queue(&result, "jobs", "receives_max") >= 55.0);
        let poison = of(&result, "workloads.sender.ops.poison.outcomes.accepted");
        let left = queue(&result, "jobs", "published") - queue(&result, "jobs", "acknowledged");
        assert_eq!(left, poison, "they are still there");
    }
}

/// The share of redelivered messages equals the share of processing times beyond the timeout.
#[test]
fn processing_beyond_the_visibility_timeout_makes_duplicates() {
    // ln T is normal with variance ln(1 + cv²): P(T > 30 s) = 1 − Φ((ln 30 − ln 12 + s²/2) / s).
    let variance = (1.0_f64 + 0.64).ln();
    let expected = normal_tail((30.0_f64.ln() - 12.0_f64.ln() + variance / 2.0) / variance.sqrt());
    let mut shares = Vec::new();
    for result in runs("sqs-visibility-duplicates", "as-is") {
        let of_queue = |metric: &str| queue(&result, "videos", metric);
        assert!(of_queue("duplicates") > 0.0 && of_queue("redelivered") >= of_queue("duplicates"));
        assert!(of(&result, "components.renderer.wasted_work") > 0.02);
        shares.push(of_queue("redelivered") / of_queue("receives"));
        is_conserved(&result, "videos");
    }
    // About 1,900 deliveries per run, each beyond the timeout with the same independent probability: the mean of eight runs has a
    // standard deviation of √(0.05·0.95/15,000) = 0.0018, and deviates by 4.5 times that once in 150,000 cases.
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    assert!((mean - expected).abs() < 4.5 * 0.0018, "{mean} instead of {expected}");
    for variant in ["longer", "extended"] {
        for result in runs("sqs-visibility-duplicates", variant) {
            assert_eq!((queue(&result, "videos", "redelivered"), queue(&result, "videos", "duplicates")), (0.0, 0.0));
            assert_eq!(of(&result, "components.renderer.wasted_work"), 0.0);
        }
    }
    for variant in ["idempotent", "fifo"] {
        for result in runs("sqs-visibility-duplicates", variant) {
            assert!(queue(&result, "videos", "duplicates") > 0.0, "{variant}");
        }
    }
}

/// 1 − Φ(z), by Laplace's continued fraction.
fn normal_tail(z: f64) -> f64 {
    let fraction = (1..200).rev().fold(0.0, |deeper, n| f64::from(n) / (z + deeper));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() / (z + fraction)
}

#[test]
fn a_poison_message_blocks_its_group_and_nobody_else() {
    // Received three times, 30 s apart.
    let blocked_s = 3.0 * 30.0;
    for result in runs("fifo-group-blocked", "as-is") {
        let slowest_s = of(&result, "workloads.account-7.completion.latency.max");
        assert!(slowest_s > blocked_s - 10.0 && slowest_s < blocked_s + 1.0, "{slowest_s}");
        assert!(of(&result, "workloads.others.completion.latency.max") < 2.0);
        assert_eq!(queue(&result, "ledger", "out_of_order"), 0.0);
        assert_eq!(queue(&result, "ledger", "dead_letters"), 1.0);
        let dead = result.happenings.iter().find(|happening| happening.name == "message_dead").expect("it died");
        assert!((dead.first[0].at_s - 60.0 - blocked_s).abs() < 1.0, "{}", dead.first[0].at_s);
        is_conserved(&result, "ledger");
    }
    for result in runs("fifo-group-blocked", "standard") {
        assert!(of(&result, "workloads.account-7.completion.latency.max") < 2.0);
        assert!(queue(&result, "ledger", "out_of_order") > 0.0);
    }
}

/// Readers produce 500 lines per second, the writer consumes 200.
#[test]
fn a_bounded_channel_slows_its_producers_down() {
    let (made, taken, room) = (500.0, 200.0, 1_000.0);
    for result in runs("bounded-channel", "blocks") {
        assert_eq!(queue(&result, "channel", "queue.depth_max"), room);
        let depth = &result.series.columns["components.channel.queue.depth"];
        let full = (0..60).find(|second| depth[*second].unwrap_or(0.0) > room - 1.0).expect("it fills");
        assert_eq!(full as f64, (room / (made - taken)).ceil());
        // From then on, one line is accepted for each line consumed.
        let goodput = &result.series.columns["workloads.files.goodput"];
        assert!((10..59).all(|second| goodput[second] == Some(taken)), "{goodput:?}");
        assert_eq!(of(&result, "workloads.files.success"), 1.0);
        assert_eq!(queue(&result, "channel", "dropped"), 0.0);
        is_conserved(&result, "channel");
    }
    for result in runs("bounded-channel", "rejects") {
        let refused = of(&result, "workloads.files.completed") * of(&result, "workloads.files.error_rate");
        let expected = (made - taken) * (60.0 - room / (made - taken));
        assert!((refused / expected - 1.0).abs() < 0.01, "{refused} instead of {expected}");
        assert_eq!(queue(&result, "channel", "queue.depth_max"), room);
    }
    for result in runs("bounded-channel", "drops-oldest") {
        assert_eq!(of(&result, "workloads.files.success"), 1.0);
        let (dropped, expected) = (queue(&result, "channel", "dropped"), (made - taken) * 60.0 - room);
        assert!((dropped / expected - 1.0).abs() < 0.01, "{dropped} instead of {expected}");
        is_conserved(&result, "channel");
    }
    for result in runs("bounded-channel", "unbounded") {
        let (left, expected) = (queue(&result, "channel", "queue.depth_end"), (made - taken) * 60.0);
        assert!((left / expected - 1.0).abs() < 0.01, "{left} instead of {expected}");
    }
}

#[test]
fn a_crash_of_the_broker_loses_what_is_not_durable() {
    for result in runs("queue-restart", "durable") {
        assert_eq!(queue(&result, "events", "lost"), 0.0);
        assert_eq!(of(&result, "workloads.devices.success"), 1.0, "producers try again for long enough");
        assert_eq!(of(&result, "workloads.devices.completion.failed"), 0.0);
        // At most the messages that consumers were processing: six times twenty.
        let redelivered = queue(&result, "events", "redelivered");
        assert!(redelivered > 0.0 && redelivered <= 120.0, "{redelivered}");
        is_conserved(&result, "events");
    }
    for result in runs("queue-restart", "transient") {
        let lost = queue(&result, "events", "lost");
        // For 50 s, arrivals exceed completions by 100 per second: 5,000, with a standard deviation of √(400·50 + 300·50) = 190.
        assert!((lost - 5_000.0).abs() < 1_000.0, "{lost}");
        // They were accepted but never processed; for a few, the crash preceded the answer, and the producers retried.
        let failed = of(&result, "workloads.devices.completion.failed");
        assert!(failed <= lost && failed >= lost - 5.0, "{failed} of {lost}");
        assert!(result.happenings.iter().any(|happening| happening.name == "queue_came_back_empty"));
        is_conserved(&result, "events");
    }
    for result in runs("queue-restart", "no-retries") {
        let failed = of(&result, "workloads.devices.completed") * of(&result, "workloads.devices.error_rate");
        // The number sent within five seconds, about 1,000 ± 32.
        assert!((failed - 1_000.0).abs() < 160.0, "{failed}");
    }
}

//! What the built-in scenarios about resilience show, over seeds. What is expected is computed from the scenarios' own figures.

use lab::result::RunResult;

use crate::queue_scenarios::{of, runs};

/// Whether the objectives of a run hold, in their order.
fn holds(result: &RunResult) -> Vec<bool> {
    result.objectives.iter().map(|objective| objective.holds).collect()
}

/// The mean of a column between two instants.
fn mean(result: &RunResult, path: &str, from_s: f64, until_s: f64) -> f64 {
    let column = result.series.columns.get(path).unwrap_or_else(|| panic!("{path} is not kept"));
    let within = result.series.at_s.iter().zip(column).filter(|(at, _)| **at >= from_s && **at < until_s);
    let values: Vec<f64> = within.map(|(_, value)| value.unwrap_or(0.0)).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// 1.1³ = 1.331 with a budget of 10 % in each of three layers, 3³ = 27 without, 1.1 in one layer alone.
#[test]
fn budgets_of_layers_multiply_as_their_shares_say() {
    for (variant, expected) in [("budgets", 1.1_f64.powi(3)), ("no-budgets", 27.0), ("client-only", 1.1)] {
        for result in runs("retry-amplification", variant) {
            let amplification = of(&result, "components.db.arrivals") / of(&result, "workloads.client.sent");
            // What was sent in the last moments of the warm-up, and what is left in the budgets.
            assert!((amplification / expected - 1.0).abs() < 0.01, "{variant}: {amplification} instead of {expected}");
            assert_eq!(of(&result, "links.client.call.retries_after.error"), of(&result, "links.client.call.retries"));
        }
    }
}

/// The pattern of the published experiment, on every seed: only the deepest and longest trigger under the full load brings it down for good.
#[test]
fn one_of_four_similar_triggers_brings_it_down_for_good() {
    let triggers =
        [("eighty-percent", false), ("seventy-eight-percent", true), ("nine-seconds", true), ("less-load", true)];
    for (variant, recovers) in triggers {
        for result in runs("four-triggers", variant) {
            assert_eq!(holds(&result), [recovers], "{variant}");
            let goodput = mean(&result, "workloads.clients.goodput", 60.0, 90.0);
            let sent = mean(&result, "workloads.clients.sent", 60.0, 90.0);
            let share = goodput / sent;
            assert!(if recovers { share > 0.99 } else { share < 0.01 }, "{variant}: {share}");
        }
    }
}

#[test]
fn a_breaker_saves_its_caller() {
    for result in runs("breaker-saves-caller", "breaker") {
        assert_eq!(holds(&result), [true]);
        assert!(of(&result, "links.shop.recommendations.breaker.trips") >= 4.0);
        // Open but for the probes: 2 s every 5 + 2 s.
        let open = mean(&result, "links.shop.recommendations.breaker.state.open", 25.0, 50.0);
        assert!((0.55..0.85).contains(&open), "{open}");
        // It is closed again after the pause that was running, and what its probes take.
        assert_eq!(mean(&result, "links.shop.recommendations.breaker.state.open", 58.0, 90.0), 0.0);
    }
    for result in runs("breaker-saves-caller", "fallback-only") {
        assert_eq!(holds(&result), [false]);
        // Fifty threads of 2.02 s for a share of 60/260 and of 0.02 s for the rest.
        let served = 50.0 / (60.0 / 260.0 * 2.02 + 200.0 / 260.0 * 0.02);
        let ok = mean(&result, "workloads.browsers.goodput", 25.0, 50.0);
        assert!(ok < 200.0 * served / 260.0, "{ok}");
    }
}

#[test]
fn a_breaker_that_keeps_a_cache_cold_never_closes() {
    for result in runs("breaker-that-never-closes", "on-slow-calls") {
        assert_eq!(holds(&result), [false]);
        let goodput = mean(&result, "workloads.shoppers.goodput", 100.0, 300.0);
        assert!(goodput < 0.05 * 200.0, "{goodput}");
        // Once for 30 s and the 300 ms of its probes, to the end.
        let trips = of(&result, "links.shop.prices.breaker.trips");
        assert!((trips - 240.0 / 30.3).abs() <= 1.5, "{trips}");
    }
    for variant in ["on-failures", "no-breaker"] {
        for result in runs("breaker-that-never-closes", variant) {
            assert_eq!(holds(&result), [true], "{variant}");
        }
    }
}

#[test]
fn first_come_first_served_serves_nobody_in_time() {
    for (variant, is_good) in
        [("fifo", false), ("lifo", true), ("adaptive-lifo", true), ("codel", true), ("short-queue", true)]
    {
        for result in runs("fifo-vs-lifo-vs-codel", variant) {
            assert_eq!(holds(&result), [is_good], "{variant}");
            if variant == "fifo" {
                // 200 a second more than can be served: after 2.5 s of that everybody waits for longer than half a second.
                let goodput = mean(&result, "workloads.users.goodput", 25.0, 50.0);
                assert!(goodput < 100.0, "{goodput}");
            }
        }
    }
}

/// S(t) = 0.05 exp(−t/200 ms) beyond 8 ms: a copy after 10 ms is sent for S(10 ms) of the requests, and P(T > t) = S(t) S(t − 10 ms).
#[test]
fn hedged_tails_are_the_product_of_two() {
    let share = 0.05 * (-0.05_f64).exp();
    let mut slowest = Vec::new();
    for result in runs("hedging-tail", "after-10ms") {
        let sent = of(&result, "workloads.readers.sent");
        let hedges = of(&result, "links.readers.call.hedges") / sent;
        // 60,000 requests: a standard deviation of 0.0009.
        assert!((hedges - share).abs() < 0.0045, "{hedges} instead of {share}");
        assert_eq!(holds(&result), [true]);
        slowest.push(of(&result, "workloads.readers.latency.p999"));
    }
    // 0.0025 exp(−(2t − 10 ms)/200 ms) = 0.001.
    let expected = (0.2 * 2.5_f64.ln() + 0.01) / 2.0;
    let found = slowest.iter().sum::<f64>() / slowest.len() as f64;
    // √(0.001/60,000) over a density of 0.01/s is 13 ms a run, and 4.6 ms for eight.
    assert!((found - expected).abs() < 0.021, "{found} instead of {expected}");
    for result in runs("hedging-tail", "once") {
        assert_eq!(holds(&result), [false]);
        // 0.05 exp(−t/200 ms) = 0.01.
        let p99 = of(&result, "workloads.readers.latency.p99");
        assert!((p99 / (0.2 * 5.0_f64.ln()) - 1.0).abs() < 0.15, "{p99}");
    }
    for result in runs("hedging-tail", "at-p95") {
        let hedges = of(&result, "links.readers.call.hedges") / of(&result, "workloads.readers.sent");
        assert!((hedges - 0.05).abs() < 0.01, "{hedges}");
        assert_eq!(holds(&result), [true]);
    }
    for result in runs("hedging-tail", "at-once") {
        assert_eq!(of(&result, "links.readers.call.hedges"), of(&result, "workloads.readers.sent"));
    }
    for result in runs("hedging-tail", "with-a-budget") {
        let hedges = of(&result, "links.readers.call.hedges") / of(&result, "workloads.readers.sent");
        assert!((hedges - 0.1).abs() < 0.005, "{hedges}");
        assert!(of(&result, "links.readers.call.retries_refused") > 0.0);
    }
}

#[test]
fn a_limit_for_each_client_keeps_the_noisy_one_away_from_the_others() {
    for result in runs("noisy-client", "a-limit-each") {
        assert_eq!(holds(&result), [true]);
        // 20 a second and a burst.
        let noisy = of(&result, "workloads.noisy.goodput");
        assert!((noisy - 20.0).abs() < 1.0, "{noisy}");
    }
    for result in runs("noisy-client", "one-limit-for-all") {
        assert_eq!(holds(&result), [false]);
        // Everybody loses in proportion: 900 of 2,100.
        let success = of(&result, "workloads.crowd.success");
        assert!((success - 900.0 / 2_100.0).abs() < 0.02, "{success}");
    }
    for result in runs("noisy-client", "no-limit") {
        assert_eq!(holds(&result), [false]);
        let success = of(&result, "workloads.crowd.success");
        assert!((success - 1_000.0 / 2_100.0).abs() < 0.02, "{success}");
    }
}

#[test]
fn reports_of_their_own_leave_checkouts_alone() {
    for (variant, is_good) in [("one-service", false), ("two-services", true), ("a-limit-on-the-caller", true)] {
        for result in runs("bulkhead-by-service", variant) {
            assert_eq!(holds(&result), [is_good], "{variant}");
        }
    }
}

/// While the database hangs: queries a request, from the times of all three layers.
#[test]
fn timers_the_wrong_way_round_ask_for_nobody() {
    for (variant, expected) in [("inverted", 6.0), ("passed-on", 4.0), ("in-order", 6.0)] {
        for result in runs("timer-inversion", variant) {
            let queries = mean(&result, "components.db.arrivals", 20.0, 35.0) / 20.0;
            assert!((queries / expected - 1.0).abs() < 0.1, "{variant}: {queries} instead of {expected}");
        }
    }
}

#[test]
fn without_jitter_a_herd_is_served_one_queue_at_a_time() {
    for result in runs("restart-herd", "no-jitter") {
        // Twelve attempts, 5 s apart; those at 20 s and at 25 s find nobody, and each wave fills the threads and the queue.
        assert_eq!(of(&result, "workloads.clients.outcomes.ok"), 10.0 * 220.0);
    }
    for result in runs("restart-herd", "full-jitter") {
        assert_eq!(of(&result, "workloads.clients.outcomes.ok"), 4_000.0);
        // 400 a second from 30 s on, and a little for those who come late.
        assert!(of(&result, "workloads.clients.latency.max") < 10.0 + 10.0 + 20.0);
    }
}

#[test]
fn the_less_important_are_shed_first() {
    // Levels that go up and down leave a little unused.
    for (variant, off) in [("by-priority", 0.05), ("by-importance", 0.15)] {
        for result in runs("shedding-by-priority", variant) {
            assert_eq!(holds(&result), [true], "{variant}");
            // What is left: 40 of 80.
            let success = of(&result, "workloads.suggestions.success");
            assert!((success - 0.5).abs() < off, "{variant}: {success}");
        }
    }
    for result in runs("shedding-by-priority", "as-they-come") {
        assert_eq!(holds(&result), [false]);
        for workload in ["orders", "suggestions"] {
            let success = of(&result, &format!("workloads.{workload}.success"));
            assert!((success - 1_000.0 / 1_400.0).abs() < 0.03, "{workload}: {success}");
        }
    }
}

#[test]
fn shedding_keeps_a_latency_budget() {
    for result in runs("latency-budget", "budget") {
        assert_eq!(holds(&result), [true]);
        assert!(of(&result, "components.api.shed.refused") > 0.0);
        // Everybody is let in again once there is room.
        assert!(mean(&result, "workloads.users.goodput", 110.0, 150.0) > 0.98 * 600.0);
        let p99 = mean(&result, "workloads.users.latency.p99_s", 30.0, 80.0);
        assert!(p99 < 0.25, "{p99}");
    }
    for result in runs("latency-budget", "no-shedding") {
        assert_eq!(holds(&result), [false]);
        assert!(mean(&result, "workloads.users.goodput", 30.0, 80.0) < 50.0);
    }
}

#[test]
fn pools_run_dry_one_after_the_other() {
    for (variant, is_good) in [("cascade", false), ("breaker", true), ("short-timeout", true)] {
        for result in runs("connection-exhaustion-cascade", variant) {
            assert_eq!(holds(&result), [is_good], "{variant}");
        }
    }
    for result in runs("connection-exhaustion-cascade", "cascade") {
        // 30 connections at 10/s.
        let used = &result.series.columns["links.account.ledger.pool.active"];
        let empty = result.series.at_s.iter().zip(used).find(|(at, used)| **at >= 20.0 && used.unwrap_or(0.0) >= 30.0);
        let (at, _) = empty.expect("the pool runs dry");
        assert!((22.0..=26.0).contains(at), "{at}");
    }
}

#[test]
fn what_the_checklist_breaks_is_survived() {
    for result in runs("chaos-checklist", "hardened") {
        assert_eq!(holds(&result), [true; 4], "{:?}", result.objectives);
        assert!(of(&result, "links.shop.recommendations.breaker.trips") >= 4.0);
    }
    for result in runs("chaos-checklist", "no-fallback") {
        assert!(!holds(&result)[2]);
    }
}

//! Traffic: balancers and what they know.

use lab::result::RunResult;

use super::{shipped, shipped_with, windows};

/// The share of the requests that failed, of those that have ended.
fn lost(result: &RunResult, workload: &str) -> f64 {
    let workload = &result.workloads[workload];
    1.0 - workload.outcomes["ok"] as f64 / workload.completed as f64
}

#[test]
fn who_fails_fast_gets_nearly_everything_from_a_balancer_that_looks_for_the_idle() {
    let of = |variant| lost(&shipped("lb-sinkhole", variant), "users");
    // From 10 s to 60 s nearly all calls find the broken one idle, as long as the seven others are not: each has two calls
    // in flight on average before, and fewer as it gets fewer.
    let sinkhole = of("sinkhole");
    // An eighth of what is sent in 50 of 60 seconds.
    let turns = of("round-robin");
    assert!((turns - 5.0 / 6.0 / 8.0).abs() < 0.003, "{turns}");
    assert!(sinkhole > 4.0 * turns, "{sinkhole} against {turns}");
    // One of eight is an eighth, and more than a tenth.
    assert_eq!(of("envoy-defaults"), sinkhole);
    let ejected = shipped("lb-sinkhole", "ejected");
    let ejections = ejected.components["lb"].own["outlier_ejection.ejections"];
    assert!((1.0..=2.0).contains(&ejections), "{ejections}");
    let errors = ejected.workloads["users"].outcomes["error"];
    // Five in a row each time; calls that were under way when it was ejected may add some.
    assert!((5..=20).contains(&errors), "{errors}");
}

#[test]
fn a_balancer_that_panics_loses_the_dead_ones_share_and_spares_the_living() {
    let good = |variant| {
        let result = shipped("ejection-and-panic", variant);
        let window = windows(&result, "workloads.users.goodput", 55.0, 88.0);
        window.iter().sum::<f64>() / window.len() as f64
    };
    let (blind, trusting, panicking) = (good("blind"), good("trusting"), good("panicking"));
    // Four tenths of 600 a second reach the living, which serve 60 % of what they can.
    assert!((panicking - 240.0).abs() < 15.0, "{panicking}");
    assert!((blind - 240.0).abs() < 15.0, "{blind}");
    // All 600 reach the four, which serve 400, after a line of 100: a second, twice what callers wait.
    assert!(trusting < 100.0, "{trusting}");
}

#[test]
fn at_random_workers_wait_as_if_each_were_alone() {
    // In service times of 100 ms, beyond the one of the service itself. The mean wait of n customers of M/M/1 at ρ has, in service
    // times, the variance 2ρ(2 + 5ρ − 4ρ² + ρ³) ÷ (1 − ρ)⁴ ÷ n: of 1.2 million it is known to 0.057, and five of those fail once in two million.
    let waits = |variant| {
        let result = shipped_with("random-routing", Some(variant), &["run.duration=2000s", "run.window=100s"], None);
        result.workloads["users"].latency.mean_s.expect("measured") / 0.1 - 1.0
    };
    let (at_random, two, fewest, one) = (waits("at-random"), waits("two-choices"), waits("fewest"), waits("one-queue"));
    assert!((at_random - 4.0).abs() < 0.29, "{at_random}");
    // Σ ρ^(2^i − 2) of Mitzenmacher's limit, less the service: 0.8² + 0.8⁶ + 0.8¹⁴ + … = 0.947.
    let limit: f64 = (2..12).map(|i| libm::pow(0.8, libm::exp2(f64::from(i)) - 2.0)).sum();
    assert!((two / limit - 1.0).abs() < 0.06, "{two} against {limit}");
    // Erlang's C of 75 servers at 60, over 75 − 60.
    let b = (1..=75).fold(1.0, |b: f64, n| 60.0 * b / (f64::from(n) + 60.0 * b));
    let expected = b / (1.0 - 0.8 * (1.0 - b)) / 15.0;
    assert!((expected - 0.0027).abs() < 1e-4, "{expected}");
    // The mean of the service times themselves is known to 0.09 %; what is left is the wait.
    assert!((one - expected).abs() < 0.006, "{one} against {expected}");
    assert!(fewest < 0.1 && fewest < two, "{fewest}");
}

#[test]
fn two_choices_give_a_slow_replica_what_it_can_do() {
    let of = |variant| {
        let result = shipped("p2c-vs-round-robin", variant);
        let (old, all) = (result.components["old"].arrivals as f64, result.workloads["users"].sent as f64);
        (old / all, lost(&result, "users"))
    };
    // A tenth, whatever it can do: of its 70 a second it serves 33, and what waits behind a hundred others waits for 3 s.
    let (share, failed) = of("round-robin");
    assert!((share - 0.1).abs() < 0.002, "{share}");
    assert!(failed > 0.05, "{failed}");
    for variant in ["two-choices", "fewest", "by-latency"] {
        let (share, failed) = of(variant);
        assert!(share < 0.06 && failed < 0.001, "{variant}: {share} {failed}");
    }
}

#[test]
fn many_balancers_that_go_by_their_own_calls_choose_the_same_replica() {
    let of = |variant| {
        let result = shipped("stale-load-information", variant);
        (result.workloads["users"].latency.mean_s.expect("measured"), lost(&result, "users"))
    };
    let (one, lost_by_one) = of("one-that-sees-all");
    let (many, lost_by_many) = of("two-hundred");
    let (choices, lost_by_choices) = of("two-hundred-with-two-choices");
    assert!(one < 0.012 && lost_by_one == 0.0, "{one}");
    // Each sees about 3,200/s × 10 ms ÷ 200 = 0.16 calls of its own: its two replicas are nearly always two at random, so that each is
    // M/M/2 at 80 %, where calls take 2.8 service times.
    assert!((0.02..0.032).contains(&choices) && lost_by_choices < 0.001, "{choices}");
    // A call of each of the 200 waits at a replica that serves 200 a second: close to a second.
    assert!((0.5..1.1).contains(&many) && lost_by_many < 0.01, "{many} {lost_by_many}");
}

#[test]
fn a_cache_saves_an_order_of_magnitude_and_then_another() {
    for (variant, share) in [("nine-tenths", 0.1), ("ninety-nine-hundredths", 0.01)] {
        let result = shipped("cache-hit-orders", variant);
        let (reads, fetched) = (result.workloads["readers"].sent as f64, result.components["db"].arrivals as f64);
        // Fetched at random: five standard deviations of that.
        let tolerance = 5.0 * (reads * share * (1.0 - share)).sqrt();
        assert!((fetched - reads * share).abs() < tolerance, "{variant}: {fetched} of {reads}");
    }
}

#[test]
fn two_zones_carry_what_three_did_if_they_have_room_for_it() {
    let good = |variant, rate: f64| {
        let result = shipped("zone-down", variant);
        let under = windows(&result, "workloads.users.goodput", 40.0, 88.0);
        let after = windows(&result, "workloads.users.goodput", 100.0, 118.0);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64 / rate;
        (mean(&under), mean(&after))
    };
    let (under, after) = good("sixty-percent", 1800.0);
    assert!(under > 0.97 && after > 0.99, "{under} {after}");
    // 2,250 a second, and 2,000 that can be served.
    let (under, after) = good("seventy-five-percent", 2250.0);
    assert!(under < 0.9 && after > 0.98, "{under} {after}");
}

#[test]
fn a_region_that_is_gone_costs_its_callers_the_detection_and_half_the_ttl() {
    let result = shipped("two-tier-routing", "room");
    // Three looks take 20 to 30 s, and then resolvers forget over 10 s: 25 to 35 of 240 seconds.
    let of_americans = lost(&result, "americans");
    assert!((24.0 / 240.0..36.0 / 240.0).contains(&of_americans), "{of_americans}");
    assert!(lost(&result, "europeans") < 0.001);
    let mean = |result: &RunResult, who: &str, from_s, to_s| {
        let values = windows(result, &format!("workloads.{who}.goodput"), from_s, to_s);
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(mean(&result, "americans", 105.0, 175.0) > 0.98 * 800.0);
    assert!(mean(&result, "americans", 225.0, 239.0) > 0.98 * 800.0);
    // 2,600 a second where 2,000 can be served.
    let crowded = shipped("two-tier-routing", "no-room");
    for who in ["americans", "europeans"] {
        let share = mean(&crowded, who, 105.0, 175.0) / 1300.0;
        assert!((0.6..0.85).contains(&share), "{who}: {share}");
        assert!(mean(&crowded, who, 225.0, 239.0) > 0.98 * 1300.0);
    }
}

#[test]
fn channels_that_stay_where_they_are_make_one_pod_hot() {
    // 40 % on average: 1,200 a second × 20 ms over 60 workers.
    let busiest = |variant| {
        let result = shipped("grpc-one-hot-pod", variant);
        let each = result.components["api"].each.iter().filter_map(|replica| replica.utilization);
        each.fold(0.0, f64::max)
    };
    // Twelve channels over six pods at random: the fullest has three or more, and is 60 % busy, but in one of 290 cases.
    let channels = busiest("channels");
    assert!(channels > 0.55, "{channels}");
    for variant in ["a-channel-to-each", "behind-a-balancer"] {
        let even = busiest(variant);
        // Five seconds of 120 are served by five, two per cent more; the rest is chance.
        assert!((0.38..0.44).contains(&even), "{variant}: {even}");
    }
}

/// Gaps between calls are exponential, and a connection is hardly ever in use: the share of the calls that come within a round trip before five
/// seconds are up is e^(−λ(T − r)) − e^(−λT). Of 34,560 calls that is 51, with a deviation of 7; five of those.
#[test]
fn who_closes_first_decides_whether_calls_are_reset() {
    let of = |variant| {
        let result = shipped("keep-alive-race", variant);
        let users = &result.workloads["users"];
        let count = |outcome: &str| users.outcomes.get(outcome).copied().unwrap_or(0);
        (count("reset") + count("unavailable"), users.completed as f64)
    };
    let (failed, calls) = of("service-first");
    let (rate, idle, rtt) = (0.2, 5.0, 0.02);
    let expected = (libm::exp(-rate * (idle - rtt)) - libm::exp(-rate * idle)) * calls;
    assert!((failed as f64 - expected).abs() < 5.0 * expected.sqrt(), "{failed} against {expected}");
    assert_eq!(of("balancer-first").0, 0);
    assert_eq!(of("more-load").0, 0);
    assert_eq!(of("with-a-retry").0, 0);
}

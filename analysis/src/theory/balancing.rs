//! Balancers before many servers: the limits of ever more servers, and two servers exactly.
//!
//! Sources: Vvedenskaya, Dobrushin and Karpelevich 1996 and Mitzenmacher 2001 (power of two choices); Flatto and McKean
//! 1977 (the shorter of two queues, here solved numerically); Eschenfeldt and Gamarnik 2018 (join the shortest queue).

use super::formulas::{erlang_above, quantile};
use super::passages::{number_at_both, shorter_of_two, time_in_shorter_of_two_above};
use super::{Case, Expected, LATENCY, LIMIT, P50, P99, case, expect};

/// A balancer before servers that need 100 ms each time, exponentially distributed.
fn balanced(rate: u32, algorithm: &str, servers: u32) -> String {
    format!(
        "workloads: {{w: {{arrivals: {{poisson: {rate}/s}}, call: b}}}}\ncomponents:\n  b: {{kind: load_balancer, to: s, \
         algorithm: {algorithm}}}\n  s: {{kind: service, replicas: {servers}, runtime: {{thread_pool: {{threads: 1}}}}, \
         handlers: {{default: [{{block: {{exp: 100ms}}}}]}}}}\n"
    )
}

pub(super) fn cases() -> Vec<Case> {
    let service = 0.1;
    let limit = |mean: f64, p99: f64| {
        [(LATENCY, mean), (P99, p99)]
            .map(|(metric, value)| Expected { tolerance: LIMIT, ..expect(metric, value) })
            .to_vec()
    };
    // With d choices: S·Σ ρ^((dⁱ − d)/(d − 1)), i from 1. A share ρ^(2ⁱ − 1) of the queues holds i or more, and the square of
    // that of the arrivals finds no better one.
    let two: f64 = (1..12).map(|i| libm::pow(0.9, libm::pow(2.0, f64::from(i)) - 2.0)).sum();
    let finds = |i: i32| libm::pow(0.9, 2.0 * (libm::pow(2.0, f64::from(i)) - 1.0));
    let after_two =
        |t: f64| (0..12).map(|i| (finds(i) - finds(i + 1)) * erlang_above(t, i as u32 + 1, 1.0 / service)).sum();
    let shorter = shorter_of_two(14.0, service, 40);
    let number = number_at_both(&shorter);
    let after_shorter = |t: f64| time_in_shorter_of_two_above(&shorter, t, service);
    vec![
        // Each of them is an M/M/1 of its own.
        case(
            "random of four",
            900,
            &balanced(28, "random", 4),
            vec![expect(LATENCY, service / 0.3), expect(P50, libm::log(2.0) * service / 0.3)],
        ),
        case(
            "power of two choices",
            60,
            &balanced(4500, "power_of_two", 500),
            limit(service * two, quantile(0.01, after_two)),
        ),
        case(
            "shorter of two queues",
            1200,
            &balanced(14, "least_connections", 2),
            vec![expect(LATENCY, number / 14.0), expect(P99, quantile(0.01, after_shorter))],
        ),
        case(
            "shortest of many queues",
            60,
            &balanced(1400, "least_connections", 200),
            limit(service, libm::log(100.0) * service),
        ),
    ]
}

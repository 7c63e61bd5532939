//! Balancers before many servers: the limits of ever more servers, and two servers exactly.
//!
//! Sources: Vvedenskaya, Dobrushin and Karpelevich 1996 and Mitzenmacher 2001 (power of two choices); Flatto and McKean
//! 1977 (the shorter of two queues, here solved numerically); Eschenfeldt and Gamarnik 2018 (join the shortest queue).

use super::formulas::number_in_shorter_of_two;
use super::{Case, Expected, LATENCY, LIMIT, case, expect};

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
    let limit = |value: f64| vec![Expected { tolerance: LIMIT, ..expect(LATENCY, value) }];
    // With d choices: S·Σ ρ^((dⁱ − d)/(d − 1)), i from 1.
    let two: f64 = (1..12).map(|i| libm::pow(0.9, libm::pow(2.0, f64::from(i)) - 2.0)).sum();
    let number = number_in_shorter_of_two(14.0, service, 40);
    vec![
        // Each of them is an M/M/1 of its own.
        case("random of four", 400, &balanced(28, "random", 4), vec![expect(LATENCY, service / 0.3)]),
        case("power of two choices", 60, &balanced(4500, "power_of_two", 500), limit(service * two)),
        case("shorter of two queues", 800, &balanced(14, "least_connections", 2), vec![expect(LATENCY, number / 14.0)]),
        case("shortest of many queues", 60, &balanced(1400, "least_connections", 200), limit(service)),
    ]
}

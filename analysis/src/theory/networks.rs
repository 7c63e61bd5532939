//! Networks of stations: open, with feedback, closed; and what is done side by side.
//!
//! Sources: Jackson 1957, Burke 1956 (what leaves M/M/1 is Poisson), Reiser and Lavenberg 1980, Nelson and Tantawi 1988
//! (fork and join of two), order statistics of exponentials for the rest.

use super::formulas::{birth_death, mean_value_analysis, quantile};
use super::passages::{
    TwoStations, fork_and_join, time_in_closed_network, time_in_fork_and_join_above, time_through_two,
};
use super::transforms::{above, time_after_finding};
use super::{Case, LATENCY, P99, S, case, expect};

/// Users who think for 100 ms and then need one of some connections for 60 ms, both exponential.
fn closed_with(users: u32, connections: u32) -> String {
    format!(
        "workloads: {{w: {{arrivals: {{closed: {{users: {users}, think: {{exp: 100ms}}}}}}, call: s}}}}\ncomponents: \
         {{s: {{kind: database, connections: {connections}, operations: {{default: {{exp: 60ms}}}}}}}}\n"
    )
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let front = |arrivals: &str, steps: &str| {
        format!(
            "workloads: {{w: {{arrivals: {arrivals}, call: s}}}}\ncomponents:\n  s: {{kind: service, runtime: \
             unlimited, handlers: {{default: {steps}}}, calls: {{a: a, b: b}}}}\n  a: {{kind: database, \
             connections: 1, operations: {{default: {{exp: 10ms}}}}}}\n  b: {{kind: database, connections: 1, \
             operations: {{default: {{exp: 6ms}}}}}}\n"
        )
    };
    let (x, r) = mean_value_analysis(20, 0.1, &[0.01, 0.006]);
    let closed = front("{closed: {users: 20, think: {exp: 100ms}}}", "[{call: a}, {call: b}]");
    let through = time_in_closed_network(20, 0.1, [0.01, 0.006]);
    let p99 = quantile(0.01, |t| through.above(t));
    let expected = vec![expect("workloads.w.offered", x), expect(LATENCY, r), expect(P99, p99)];
    cases.push(case("closed network (MVA)", 200, &closed, expected));
    // Ten who think and come back to three servers: a birth-death process.
    let several = closed_with(10, 3);
    let p = birth_death(10, |n| (10 - n) as f64 * 10.0, |n| n.min(3) as f64 / 0.06);
    let served: f64 = p.iter().enumerate().map(|(n, p)| n.min(3) as f64 / 0.06 * p).sum();
    let inside: f64 = p.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
    // Who comes back finds what one user less would leave behind (Sevcik and Mitrani 1981; Lavenberg and Reiser 1980).
    let found = birth_death(9, |n| (9 - n) as f64 * 10.0, |n| n.min(3) as f64 / 0.06);
    let p99 = quantile(0.01, |t| above(t, |s| time_after_finding(s, &found, 3, 0.06)));
    let expected = vec![expect("workloads.w.offered", served), expect(LATENCY, inside / served), expect(P99, p99)];
    cases.push(case("M/M/3//10 (machine repair)", 300, &several, expected));
    let tandem = front("{poisson: 70/s}", "[{call: a}, {call: b}]");
    let sum = 1.0 / (100.0 - 70.0) + 1.0 / (1.0 / 0.006 - 70.0);
    // The two times are independent, and exponential of these rates.
    let (x, y) = (100.0 - 70.0, 1.0 / 0.006 - 70.0);
    let above = |t: f64| (y * libm::exp(-x * t) - x * libm::exp(-y * t)) / (y - x);
    let expected = vec![expect(LATENCY, sum), expect(P99, quantile(0.01, above))];
    cases.push(case("Jackson network of two", 700, &tandem, expected));
    let feedback = front("{poisson: 35/s}", "[{repeat: {times: {geometric: 2}, steps: [{call: a}]}}, {call: b}]");
    let sum = 2.0 / (100.0 - 70.0) + 1.0 / (1.0 / 0.006 - 35.0);
    // Whoever comes finds what is there at any time, at each station as if it were alone (Jackson).
    let stations = TwoStations { rates: [100.0, 1.0 / 0.006], again: 0.5, arrivals: 35.0, most: [60, 15] };
    let alone = |n: usize, load: f64| (1.0 - load) * libm::pow(load, n as f64);
    let through = time_through_two(stations, |m, n| alone(m, 0.7) * alone(n, 0.21));
    let expected = vec![expect(LATENCY, sum), expect(P99, quantile(0.01, |t| through.above(t)))];
    cases.push(case("Jackson network with feedback", 700, &feedback, expected));
    let fork = front("{poisson: 60/s}", "[{parallel: {branches: [[{call: a}], [{call: b}]]}}]")
        .replace("{exp: 6ms}", "{exp: 10ms}");
    let rho = 0.6;
    let states = fork_and_join(60.0, S, 60);
    let p99 = quantile(0.01, |t| time_in_fork_and_join_above(&states, t, S));
    let expected = vec![expect(LATENCY, (12.0 - rho) / 8.0 * S / (1.0 - rho)), expect(P99, p99)];
    cases.push(case("fork and join of two", 400, &fork, expected));
    // The k-th of three exponential times.
    let late = |t: f64| libm::exp(-t / S);
    let all = quantile(0.01, |t| 1.0 - (1.0 - late(t)) * (1.0 - late(t)) * (1.0 - late(t)));
    let two = quantile(0.01, |t| late(t) * late(t) * (3.0 - 2.0 * late(t)));
    for (name, need, value, p99) in [
        ("all of three", "all", S * (1.0 + 0.5 + 1.0 / 3.0), all),
        ("two of three", "2", S * (0.5 + 1.0 / 3.0), two),
        ("one of three", "any", S / 3.0, libm::log(100.0) * S / 3.0),
    ] {
        let branch = "[{wait: {exp: 10ms}}]";
        let yaml = format!(
            "workloads: {{w: {{arrivals: {{poisson: 200/s}}, call: s}}}}\ncomponents: {{s: {{kind: service, runtime: \
             unlimited, handlers: {{default: [{{parallel: {{branches: [{branch}, {branch}, {branch}], need: \
             {need}}}}}]}}}}}}\n"
        );
        cases.push(case(name, 60, &yaml, vec![expect(LATENCY, value), expect(P99, p99)]));
    }
    cases
}

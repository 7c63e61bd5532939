//! Stations that share their cores or choose whom to serve: processor sharing, last come first served, priorities.
//!
//! Sources: Kelly 1979 (insensitivity of processor sharing), Cobham 1954 and Kella and Yechiali 1985 (priorities).

use super::formulas::{busy_period_above, erlang_c, quantile};
use super::{Case, IN_FLIGHT, LATENCY, S, WAIT, WAIT_P90, case, expect, station};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let shared = |work: &str| {
        format!(
            "workloads: {{w: {{arrivals: {{poisson: 70/s}}, call: s}}}}\ncomponents:\n  s: {{kind: service, cpu: 1, \
             runtime: unlimited, handlers: {{default: [{{cpu: {work}}}]}}}}\n"
        )
    };
    let names = ["M/M/1 processor sharing", "M/D/1 processor sharing", "M/H2/1 processor sharing"];
    for (name, work) in names.into_iter().zip(["{exp: 10ms}", "10ms", "{hyperexp: {mean: 10ms, cv: 2}}"]) {
        let in_flight = expect(IN_FLIGHT, 0.7 / 0.3);
        let expected = vec![expect(LATENCY, S / 0.3), in_flight, expect("components.s.cpu", 0.7)];
        cases.push(case(name, 400, &shared(work), expected));
    }
    // On several cores as many are in the system as in M/M/c, whose rates it shares.
    let four = shared("{exp: 10ms}").replace("cpu: 1,", "cpu: 4,").replace("70/s", "320/s");
    let time = S + erlang_c(4, 3.2) / (4.0 / S - 320.0);
    cases.push(case("M/M/4 processor sharing", 300, &four, vec![expect(LATENCY, time)]));
    // Everybody is slowed down alike, whatever he needs and whatever the others need: E[T | x] = x/(1 − ρ).
    let two = "workloads:\n  short: {arrivals: {poisson: 60/s}, call: s}\n  long: {arrivals: {poisson: 10/s}, \
               requests: [{op: long}], call: s}\ncomponents:\n  s: {kind: service, cpu: 1, runtime: unlimited, \
               handlers: {default: [{cpu: 5ms}], long: [{cpu: 40ms}]}}\n";
    let expected = vec![
        expect("workloads.short.latency.mean_s", 0.005 / 0.3),
        expect("workloads.long.latency.mean_s", 0.04 / 0.3),
    ];
    cases.push(case("processor sharing, short and long", 400, two, expected));
    let lifo = "    admission: {queue: {discipline: lifo}}\n";
    let yaml = station("{poisson: 70/s}", 1, lifo, "block: {exp: 10ms}");
    // Who has to wait waits for the rest of one service and whatever comes meanwhile: a busy period.
    let above = |t: f64| 0.7 * busy_period_above(t, 70.0, S);
    let expected = vec![expect(LATENCY, S / 0.3), expect(WAIT_P90, quantile(0.1, above))];
    cases.push(case("M/M/1 last come, first served", 400, &yaml, expected));
    let classes = |preempt: bool| {
        format!(
            "workloads:\n  high: {{arrivals: {{poisson: 30/s}}, requests: [{{priority: high}}], call: s}}\n  \
             low: {{arrivals: {{poisson: 40/s}}, requests: [{{priority: low}}], call: s}}\ncomponents:\n  s:\n    \
             kind: service\n    runtime: {{thread_pool: {{threads: 1}}}}\n    \
             admission: {{queue: {{discipline: {{priority: {{preempt: {preempt}}}}}}}}}\n    \
             handlers: {{default: [{{block: {{exp: 10ms}}}}]}}\n"
        )
    };
    let (high, low) = ("workloads.high.latency.mean_s", "workloads.low.latency.mean_s");
    // The work left of whom one finds in service: Σ λᵢE[S²]/2 = ρS.
    let left = 0.7 * S;
    cases.push(case(
        "M/M/1 with priorities",
        400,
        &classes(false),
        vec![expect(high, S + left / 0.7), expect(low, S + left / (0.7 * 0.3))],
    ));
    cases.push(case(
        "M/M/1 with preemption",
        400,
        &classes(true),
        vec![
            expect(high, S / 0.7),
            // They do not notice the others: an M/M/1 of their own.
            expect("workloads.high.latency.p99_s", libm::log(100.0) * S / 0.7),
            expect(low, (S * 0.3 + left) / (0.7 * 0.3)),
        ],
    ));
    // Two threads: the mean time until the first of them is free takes the place of the work left.
    let two = classes(false).replace("30/s", "60/s").replace("40/s", "80/s").replace("threads: 1", "threads: 2");
    let left = erlang_c(2, 1.4) * S / 2.0;
    cases.push(case(
        "M/M/2 with priorities",
        400,
        &two,
        vec![expect(high, S + left / 0.7), expect(low, S + left / (0.7 * 0.3)), expect(WAIT, left / 0.3)],
    ));
    cases
}

//! Stations that share their cores or choose whom to serve: processor sharing, last come first served, priorities.
//!
//! Sources: Kelly 1979 (insensitivity of processor sharing), Cobham 1954 and Kella and Yechiali 1985 (priorities); of the
//! percentiles, [`super::passages`] and [`super::transforms`].

use super::chains::Lifetime;
use super::formulas::{busy_period_above, erlang_c, quantile};
use super::passages::{time_in_shared, time_shared_by_weight};
use super::transforms::{
    above, balanced_phases, exponential, time_in_shared_md1, time_when_preempted, waits_with_priorities,
};
use super::{Case, IN_FLIGHT, LATENCY, P50, P99, S, WAIT, WAIT_P90, case, expect, station};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let shared = |work: &str| {
        format!(
            "workloads: {{w: {{arrivals: {{poisson: 70/s}}, call: s}}}}\ncomponents:\n  s: {{kind: service, cpu: 1, \
             runtime: unlimited, handlers: {{default: [{{cpu: {work}}}]}}}}\n"
        )
    };
    let names = ["M/M/1 processor sharing", "M/D/1 processor sharing", "M/H2/1 processor sharing"];
    let exponential_kinds = [(1.0, S), (0.0, S)];
    let of_chain = |kinds: [(f64, f64); 2]| {
        let time = time_in_shared(1.0, 70.0, kinds, 80);
        [0.5, 0.01].map(|tail| quantile(tail, |t| time.above(t)))
    };
    let constant = [0.5, 0.01].map(|tail| quantile(tail, |t| above(t, |s| time_in_shared_md1(s, 70.0, S))));
    let percentiles = [of_chain(exponential_kinds), constant, of_chain(balanced_phases(S, 2.0))];
    let works = ["{exp: 10ms}", "10ms", "{hyperexp: {mean: 10ms, cv: 2}}"];
    for ((name, work), [p50, p99]) in names.into_iter().zip(works).zip(percentiles) {
        let in_flight = expect(IN_FLIGHT, 0.7 / 0.3);
        let expected = vec![
            expect(LATENCY, S / 0.3),
            expect(P50, p50),
            expect(P99, p99),
            in_flight,
            expect("components.s.cpu", 0.7),
        ];
        cases.push(case(name, 700, &shared(work), expected));
    }
    // On several cores as many are in the system as in M/M/c, whose rates it shares.
    let four = shared("{exp: 10ms}").replace("cpu: 1,", "cpu: 4,").replace("70/s", "320/s");
    let time = S + erlang_c(4, 3.2) / (4.0 / S - 320.0);
    let whole = time_in_shared(4.0, 320.0, exponential_kinds, 120);
    let expected = vec![expect(LATENCY, time), expect(P99, quantile(0.01, |t| whole.above(t)))];
    cases.push(case("M/M/4 processor sharing", 300, &four, expected));
    // Everybody is slowed down alike, whatever he needs and whatever the others need: E[T | x] = x/(1 − ρ).
    let two = "workloads:\n  short: {arrivals: {poisson: 60/s}, call: s}\n  long: {arrivals: {poisson: 10/s}, \
               requests: [{op: long}], call: s}\ncomponents:\n  s: {kind: service, cpu: 1, runtime: unlimited, \
               handlers: {default: [{cpu: 5ms}], long: [{cpu: 40ms}]}}\n";
    let expected = vec![
        expect("workloads.short.latency.mean_s", 0.005 / 0.3),
        expect("workloads.long.latency.mean_s", 0.04 / 0.3),
    ];
    cases.push(case("processor sharing, short and long", 400, two, expected));
    // Two groups on one host, of which the one weighs three times as much as the other.
    let hosted = |cpu: &str| {
        format!(
            "{{kind: service, hosts: h, cpu: {cpu}, runtime: unlimited, handlers: {{default: [{{cpu: {{exp: 10ms}}}}]}}}}"
        )
    };
    let yaml = format!(
        "hosts: {{h: {{count: 1, cores: 1}}}}\nworkloads:\n  heavy: {{arrivals: {{poisson: 35/s}}, call: three}}\n  \
         light: {{arrivals: {{poisson: 35/s}}, call: one}}\ncomponents:\n  three: {}\n  one: {}\n",
        hosted("0.75"),
        hosted("0.25"),
    );
    let [heavy, light] = time_shared_by_weight([35.0; 2], S, [3.0, 1.0], 60);
    let p99 = |time: &Lifetime| quantile(0.01, |t| time.above(t));
    let expected = vec![
        expect("workloads.heavy.latency.mean_s", heavy.moments().0),
        expect("workloads.heavy.latency.p99_s", p99(&heavy)),
        expect("workloads.light.latency.mean_s", light.moments().0),
        expect("workloads.light.latency.p99_s", p99(&light)),
    ];
    cases.push(case("processor sharing by weight", 500, &yaml, expected));
    let lifo = "    admission: {queue: {discipline: lifo}}\n";
    let yaml = station("{poisson: 70/s}", 1, lifo, "block: {exp: 10ms}");
    // Who has to wait waits for the rest of one service and whatever comes meanwhile: a busy period.
    let last = |t: f64| 0.7 * busy_period_above(t, 70.0, S);
    let expected = vec![expect(LATENCY, S / 0.3), expect(WAIT_P90, quantile(0.1, last))];
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
    let (high_p99, low_p99) = ("workloads.high.latency.p99_s", "workloads.low.latency.p99_s");
    // Of the time that the first or the last spend, with `next` as the mean time until one of the servers is free.
    let p99 = |whose: usize, first: f64, all: f64, waits: f64, next: f64| {
        quantile(0.01, |t| above(t, |s| waits_with_priorities(s, first, all, waits, next)[whose] * exponential(s, S)))
    };
    // The work left of whom one finds in service: Σ λᵢE[S²]/2 = ρS.
    let left = 0.7 * S;
    cases.push(case(
        "M/M/1 with priorities",
        600,
        &classes(false),
        vec![
            expect(high, S + left / 0.7),
            expect(high_p99, p99(0, 30.0, 70.0, 0.7, S)),
            expect(low, S + left / (0.7 * 0.3)),
            expect(low_p99, p99(1, 30.0, 70.0, 0.7, S)),
        ],
    ));
    cases.push(case(
        "M/M/1 with preemption",
        600,
        &classes(true),
        vec![
            expect(high, S / 0.7),
            // They do not notice the others: an M/M/1 of their own.
            expect(high_p99, libm::log(100.0) * S / 0.7),
            expect(low, (S * 0.3 + left) / (0.7 * 0.3)),
            expect(low_p99, quantile(0.01, |t| above(t, |s| time_when_preempted(s, 30.0, 70.0, S)))),
        ],
    ));
    // Two threads: the mean time until the first of them is free takes the place of the work left.
    let two = classes(false).replace("30/s", "60/s").replace("40/s", "80/s").replace("threads: 1", "threads: 2");
    let waits = erlang_c(2, 1.4);
    let left = waits * S / 2.0;
    cases.push(case(
        "M/M/2 with priorities",
        400,
        &two,
        vec![
            expect(high, S + left / 0.7),
            expect(high_p99, p99(0, 60.0, 140.0, waits, S / 2.0)),
            expect(low, S + left / (0.7 * 0.3)),
            expect(low_p99, p99(1, 60.0, 140.0, waits, S / 2.0)),
            expect(WAIT, left / 0.3),
        ],
    ));
    cases
}

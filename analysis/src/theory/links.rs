//! What links do: merge calls, batch them, try again.

use super::formulas::{batch_delay, batch_delay_above, batch_size, erlang_above, quantile, waits_in_gm1};
use super::passages::time_in_full_batches;
use super::{Case, LATENCY, P50, P99, S, case, expect};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let to_database = |arrivals: &str, policy: &str, operation: &str| {
        format!(
            "workloads: {{w: {{arrivals: {arrivals}, call: {{to: s, {policy}}}}}}}\ncomponents: {{s: {{kind: database, \
             operations: {{default: {operation}}}}}}}\n"
        )
    };
    let (rate, d) = (300.0, 0.01);
    let yaml = to_database("{poisson: 300/s}", "coalesce: {by: key}", "10ms");
    cases.push(case(
        "coalescing",
        100,
        &yaml,
        vec![
            expect("components.s.arrivals / workloads.w.sent", 1.0 / (1.0 + rate * d)),
            expect(LATENCY, d * (1.0 + rate * d / 2.0) / (1.0 + rate * d)),
            // Who sends the query waits for all of it, and those who join come evenly while it is under way.
            expect(P50, d * 0.5 * (1.0 + rate * d) / (rate * d)),
        ],
    ));
    // Five servers, each of which sends one query at a time: n·λ/(1 + λd), here for 500 · 0.1 s among five.
    let yaml = "workloads: {w: {arrivals: {poisson: 500/s}, call: app}}\ncomponents:\n  app: {kind: service, replicas: 5, \
                runtime: unlimited, handlers: {default: [{call: s}]}, calls: {s: {to: s, coalesce: {by: key}}}}\n  \
                s: {kind: database, operations: {default: 100ms}}\n";
    let share = expect("components.s.arrivals / workloads.w.sent", 1.0 / (1.0 + 100.0 * 0.1));
    cases.push(case("coalescing in five servers", 100, yaml, vec![share]));
    for (name, rate) in [
        ("batches at 50/s", 50),
        ("batches at 100/s", 100),
        ("batches at 200/s", 200),
        ("batches at 500/s", 500),
        ("batches at 900/s", 900),
        ("batches at 1000/s", 1000),
        ("batches at 2000/s", 2000),
        ("batches at 10000/s", 10_000),
    ] {
        let yaml = to_database(&format!("{{poisson: {rate}/s}}"), "batch: {max: 10, wait: 10ms}", "0s");
        let of_rate = f64::from(rate);
        let mut expected = vec![
            expect("links.w.call.batch_size", batch_size(10, of_rate, 0.01)),
            expect(LATENCY, batch_delay(10, of_rate, 0.01)),
        ];
        // In slower streams half of the items or more wait for exactly the whole time.
        if rate >= 200 {
            expected.push(expect(P50, quantile(0.5, |t| batch_delay_above(t, 10, of_rate, 0.01))));
        }
        cases.push(case(name, if rate > 1000 { 10 } else { 60 }, &yaml, expected));
    }
    // Bulk service: batches that wait until they are full come to one server as E5/M/1, after (max − 1)/2 gaps on average.
    let yaml = to_database("{poisson: 350/s}", "batch: {max: 5, wait: 1h}", "{exp: 10ms}")
        .replace("kind: database,", "kind: database, connections: 1,");
    let sigma = waits_in_gm1(S, |s| libm::pow(350.0 / (350.0 + s), 5.0));
    let through = time_in_full_batches(350.0, 5, S, 80);
    let expected = vec![
        expect(LATENCY, 2.0 / 350.0 + S / (1.0 - sigma)),
        expect(P50, quantile(0.5, |t| through.above(t))),
        expect(P99, quantile(0.01, |t| through.above(t))),
        expect("components.s.arrivals / workloads.w.sent", 0.2),
    ];
    cases.push(case("M/M/1 in bulk, full batches of five", 200, &yaml, expected));
    cases.extend(retries());
    cases
}

/// Attempts that fail with a probability of their own each: a geometric number of them, cut off.
fn retries() -> Vec<Case> {
    let attempts = |p: f64, most: i32| (1.0 - libm::pow(p, f64::from(most))) / (1.0 - p);
    let external = "external: {kind: external, latency: {exp: 10ms}, errors: {fraction: 40%, outcome: error}}";
    let p: f64 = 0.4;
    let yaml = format!(
        "workloads: {{w: {{arrivals: {{poisson: 200/s}}, call: {{to: external, retry: {{max_attempts: 4, backoff: \
         {{fixed: 30ms}}}}}}}}}}\ncomponents: {{{external}}}\n"
    );
    let failed = p * p * p * p;
    // Of those that succeed: the mean number of attempts.
    let needed: f64 =
        (1..=4).map(|k| f64::from(k) * libm::pow(p, f64::from(k - 1)) * (1.0 - p)).sum::<f64>() / (1.0 - failed);
    // The k-th attempt is the first to succeed: k latencies, and a pause before each but the first.
    let tries = |t: f64| {
        let of = |k: u32| libm::pow(p, f64::from(k - 1)) * erlang_above(t - 0.03 * f64::from(k - 1), k, 1.0 / S);
        (1..=4).map(of).sum::<f64>() * (1.0 - p) / (1.0 - failed)
    };
    let all_four = |t: f64| erlang_above(t - 0.09, 4, 1.0 / S);
    let geometric = vec![
        expect("workloads.w.attempts_per_request", attempts(p, 4)),
        expect("workloads.w.outcomes.error / workloads.w.sent", failed),
        expect(LATENCY, needed * S + (needed - 1.0) * 0.03),
        expect(P50, quantile(0.5, tries)),
        expect(P99, quantile(0.01, tries)),
        expect("workloads.w.latency_failed.mean_s", 4.0 * S + 3.0 * 0.03),
        expect("workloads.w.latency_failed.p99_s", quantile(0.01, all_four)),
    ];
    let nested = format!(
        "workloads: {{w: {{arrivals: {{poisson: 200/s}}, call: {{to: outer, retry: {{max_attempts: 2}}}}}}}}\n\
         components:\n  outer: {{kind: service, runtime: unlimited, handlers: {{default: [{{call: e}}]}}, calls: {{e: \
         {{to: external, retry: {{max_attempts: 3}}}}}}}}\n  {external}\n"
    );
    // A call of the outer layer fails when all of the inner layer's attempts have: p³.
    let inner = p * p * p;
    let expected = vec![
        expect("workloads.w.attempts_per_request", attempts(inner, 2)),
        expect("components.external.arrivals / workloads.w.sent", attempts(p, 3) * attempts(inner, 2)),
        expect("workloads.w.outcomes.error / workloads.w.sent", inner * inner),
    ];
    vec![case("geometric retries", 200, &yaml, geometric), case("retries in two layers", 600, &nested, expected)]
}

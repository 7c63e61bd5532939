//! Single stations that serve first come, first served.

use super::formulas::{
    birth_death, erlang_b, erlang_c, quantile, time_in_mmc_above, time_with_patience, wait_in_md1_above, waits_in_gm1,
};
use super::transforms::{above, hyperexponential, time_after_finding, time_in_batches, work_in_mg1};
use super::{
    Case, DEPTH, IN_FLIGHT, LATENCY, P50, P99, S, TURNED_AWAY, UTILIZATION, WAIT, WAIT_P90, WAIT_P99, case, expect,
    station,
};

pub(super) fn cases() -> Vec<Case> {
    let poisson = |rate: f64| format!("{{poisson: {rate}/s}}");
    let exp = "block: {exp: 10ms}";
    let mut cases = Vec::new();
    let (rate, rho) = (70.0, 0.7);
    cases.push(case(
        "M/M/1",
        1000,
        &station(&poisson(rate), 1, "", exp),
        vec![
            expect(LATENCY, S / (1.0 - rho)),
            expect(P50, libm::log(2.0) * S / (1.0 - rho)),
            expect(P99, libm::log(100.0) * S / (1.0 - rho)),
            expect(IN_FLIGHT, rho / (1.0 - rho)),
            expect(UTILIZATION, rho),
        ],
    ));
    let (c, a) = (4, 3.2);
    let waits = erlang_c(c, a);
    let drain = 4.0 / S - 320.0;
    cases.push(case(
        "M/M/4",
        900,
        &station(&poisson(320.0), c, "", exp),
        vec![
            expect(WAIT, waits / drain),
            expect(DEPTH, 320.0 * waits / drain),
            expect(WAIT_P99, libm::log(waits / 0.01) / drain),
            expect(P99, quantile(0.01, |t| time_in_mmc_above(t, c, 320.0, S))),
        ],
    ));
    let (threads, places) = (2usize, 5usize);
    let p = birth_death(threads + places, |_| 230.0, |n| n.min(threads) as f64 / S);
    let lost = p[threads + places];
    let inside: f64 = p.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
    // What those find who are let in.
    let found: Vec<f64> = p[..threads + places].iter().map(|p| p / (1.0 - lost)).collect();
    let bound = "    admission: {queue: {max: 5}}\n";
    cases.push(case(
        "M/M/2/7",
        150,
        &station(&poisson(230.0), 2, bound, exp),
        vec![
            expect(TURNED_AWAY, lost),
            expect(LATENCY, inside / (230.0 * (1.0 - lost))),
            expect(P99, quantile(0.01, |t| above(t, |s| time_after_finding(s, &found, threads, S)))),
        ],
    ));
    let wait = |second_moment: f64| rate * second_moment / (2.0 * (1.0 - rho));
    let md1 = |t: f64| wait_in_md1_above(t, rate, S);
    cases.push(case(
        "M/D/1",
        700,
        &station(&poisson(rate), 1, "", "block: 10ms"),
        vec![expect(WAIT, wait(S * S)), expect(WAIT_P90, quantile(0.1, md1)), expect(WAIT_P99, quantile(0.01, md1))],
    ));
    let h2 = |t: f64| above(t, |s| work_in_mg1(s, rate, hyperexponential(s, S, 2.0), S));
    cases.push(case(
        "M/H2/1 (Pollaczek and Khinchine)",
        1500,
        &station(&poisson(rate), 1, "", "block: {hyperexp: {mean: 10ms, cv: 2}}"),
        vec![
            expect(WAIT, wait(5.0 * S * S)),
            expect(WAIT_P90, quantile(0.1, h2)),
            expect(WAIT_P99, quantile(0.01, h2)),
        ],
    ));
    // G/M/1: the time in the system is exponential of mean S/(1 − σ).
    let time = |sigma: f64| vec![expect(LATENCY, S / (1.0 - sigma)), expect(P99, libm::log(100.0) * S / (1.0 - sigma))];
    let sigma = waits_in_gm1(S, |s| (140.0 / (140.0 + s)) * (140.0 / (140.0 + s)));
    let gaps = "{renewal: {interarrival: {erlang: {k: 2, mean: 14285714ns}}}}";
    cases.push(case("E2/M/1", 1000, &station(gaps, 1, "", exp), time(sigma)));
    let sigma = waits_in_gm1(S, |s| libm::exp(-s / rate));
    cases.push(case("D/M/1", 300, &station("{constant: 70/s}", 1, "", exp), time(sigma)));
    // Batches of geometric size with mean m: L = ρ·m/(1 − ρ).
    let in_batches = |t: f64| above(t, |s| time_in_batches(s, 20.0, 3.0, S));
    let batches = "{poisson: 20/s, batch: {geometric: 3}}";
    cases.push(case(
        "M^X/M/1",
        1000,
        &station(batches, 1, "", exp),
        vec![
            expect(LATENCY, 0.6 * 3.0 / 0.4 / 60.0),
            expect(P50, quantile(0.5, in_batches)),
            expect(P99, quantile(0.01, in_batches)),
            expect("workloads.w.offered", 60.0),
        ],
    ));
    // Insensitivity: what is lost depends on the mean of the service times alone (Sevastyanov 1957).
    for (name, step) in [
        ("M/D/5/5", "block: 10ms"),
        ("M/M/5/5", exp),
        ("M/LN/5/5", "block: {lognormal: {mean: 10ms, cv: 2}}"),
        ("M/H2/5/5", "block: {hyperexp: {mean: 10ms, cv: 3}}"),
    ] {
        let lost = erlang_b(5, 4.0);
        let yaml = station(&poisson(400.0), 5, "    admission: {queue: {max: 0}}\n", step);
        cases.push(case(name, 150, &yaml, vec![expect(TURNED_AWAY, lost), expect(IN_FLIGHT, 4.0 * (1.0 - lost))]));
    }
    // Impatience: who waits longer than Exp(θ) is dropped when its turn comes, so it costs no service (Palm).
    let theta = 20.0;
    let p = birth_death(400, |_| 120.0, |n| 1.0 / S + (n as f64 - 1.0) * theta);
    let queue: f64 = p.iter().enumerate().skip(1).map(|(n, p)| (n as f64 - 1.0) * p).sum();
    let (_, of_served) = time_with_patience(120.0, S, 1.0 / theta);
    let patience = "    admission: {queue: {max_age: {exp: 50ms}}}\n";
    cases.push(case(
        "M/M/1+M",
        200,
        &station(&poisson(120.0), 1, patience, exp),
        vec![
            expect(TURNED_AWAY, theta * queue / 120.0),
            expect(UTILIZATION, 1.0 - p[0]),
            expect(P50, quantile(0.5, &of_served)),
            expect(P99, quantile(0.01, &of_served)),
        ],
    ));
    cases
}

//! Rates that change: with the clock, with a hidden state, and by breakdowns.
//!
//! Sources: Eick, Massey and Whitt 1993 (infinitely many servers under a changing rate), Neuts 1981 (a server whose
//! arrivals or speed follow a Markov chain; with speed 0 in one state these are White and Christie's breakdowns of 1958).

use super::formulas::{number_under_changing_rate, quantile};
use super::passages::{Phase, number_in_environment, time_in_environment};
use super::{Case, IN_FLIGHT, LATENCY, P50, P90, S, case, expect, station};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let waiting = |shape: &str| {
        format!(
            "workloads: {{w: {{arrivals: {{poisson: 100/s}}, shape: {shape}, call: s}}}}\ncomponents: {{s: {{kind: \
             service, runtime: unlimited, handlers: {{default: [{{wait: {{exp: 5s}}}}]}}}}}}\n"
        )
    };
    let steps = waiting("{steps: [{at: 0s, x: 1}, {at: 20s, x: 3}, {at: 30s, x: 0.5}]}");
    let rate = |t: f64| {
        if t < 20.0 {
            100.0
        } else if t < 30.0 {
            300.0
        } else {
            50.0
        }
    };
    let sent = expect("workloads.w.sent", 2000.0 + 3000.0 + 1500.0);
    let inside = expect(IN_FLIGHT, number_under_changing_rate(rate, 5.0, 60.0));
    let all = case("Mt/M/∞, steps", 60, &steps, vec![sent, inside]);
    cases.push(Case { is_transient: true, ..all });
    // Seen for three quarters of a period, since the number lags behind the rate.
    let wave = waiting("{diurnal: {period: 40s, low: 0, high: 2}}");
    let rate = |t: f64| 100.0 * (1.0 - libm::cos(std::f64::consts::TAU * t / 40.0));
    let sent = expect("workloads.w.sent", 3000.0 + 100.0 * 40.0 / std::f64::consts::TAU);
    let inside = expect(IN_FLIGHT, number_under_changing_rate(rate, 5.0, 30.0));
    let part = case("Mt/M/∞, a wave", 30, &wave, vec![sent, inside]);
    cases.push(Case { is_transient: true, ..part });

    let states = "{mmpp: {states: [{rate: 130/s, stays: {exp: 200ms}}, {rate: 20/s, stays: {exp: 300ms}}]}}";
    let busy = Phase { arrivals: 130.0, service: 1.0 / S, ends: 5.0 };
    let quiet = Phase { arrivals: 20.0, service: 1.0 / S, ends: 1.0 / 0.3 };
    let rate = (130.0 * 0.2 + 20.0 * 0.3) / 0.5;
    let time = time_in_environment([busy, quiet]);
    let expected = vec![
        expect("workloads.w.offered", rate),
        expect(LATENCY, number_in_environment([busy, quiet]) / rate),
        expect(P50, quantile(0.5, |t| time.above(t))),
        expect(P90, quantile(0.1, |t| time.above(t))),
    ];
    cases.push(case("MMPP/M/1", 1200, &station(states, 1, "", "block: {exp: 10ms}"), expected));

    let up = Phase { arrivals: 50.0, service: 1.0 / S, ends: 1.0 };
    let down = Phase { arrivals: 50.0, service: 0.0, ends: 10.0 };
    let yaml = station("{poisson: 50/s}", 1, "", "block: {exp: 10ms}");
    let time = time_in_environment([up, down]);
    let expected =
        vec![expect(LATENCY, number_in_environment([up, down]) / 50.0), expect(P90, quantile(0.1, |t| time.above(t)))];
    let failing = case("M/M/1 with breakdowns", 1500, &yaml, expected);
    cases.push(Case { breakdowns_s: Some((1.0, 0.1)), ..failing });
    cases
}

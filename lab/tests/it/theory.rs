//! Simulated systems against their closed forms.
//!
//! Each figure is missed by chance five times in 10⁷; with fewer than two hundred figures the whole table fails by chance
//! at most once in 10⁴ changes of the random numbers.

use std::sync::atomic::AtomicBool;

use lab::replicate::Control;
use lab::theory::formulas::{
    Phase, batch_delay, batch_size, busy_period_above, erlang_b, erlang_c, number_in_environment,
    number_in_shorter_of_two, quantile, time_in_mmc_above, wait_in_md1_above,
};
use lab::theory::validate;

#[test]
fn simulated_systems_agree_with_theory() {
    let control = Control { jobs: 0, stop: &AtomicBool::new(false), progress: &|_, _| () };
    let validation = validate(1, 0, &control).unwrap_or_else(|why| panic!("{why}"));
    assert!(validation.error_rate <= 1e-4, "{} is promised", validation.error_rate);
    let mut wrong = Vec::new();
    for v in &validation.verdicts {
        // An interval that holds a fifth of the figure on either side would prove little.
        if !v.agrees || v.half_width > 0.2 * v.theory {
            let (theory, found) = (v.theory, v.simulated);
            wrong.push(format!("{} {}: theory {theory}, simulated {found} ± {}", v.model, v.figure, v.half_width));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_formulas_give_published_values() {
    // Erlang's own table: 5 lines, 4 erlang: 0.19907; Erlang C of 4 and 3.2: 0.5964.
    assert!((erlang_b(5, 4.0) - 0.19907).abs() < 1e-5);
    assert!((erlang_c(4, 3.2) - 0.5964).abs() < 1e-4);
    for (rate, size, delay_ms) in [
        (50.0, 1.5, 8.333),
        (100.0, 2.0, 7.5),
        (200.0, 3.0, 6.666),
        (500.0, 5.946, 5.693),
        (900.0, 8.814, 4.511),
        (1000.0, 9.207, 4.207),
        (2000.0, 9.997, 2.249),
        (10_000.0, 10.0, 0.45),
    ] {
        assert!((batch_size(10, rate, 0.01) - size).abs() < 6e-4, "{rate}: {}", batch_size(10, rate, 0.01));
        let delay = batch_delay(10, rate, 0.01) * 1000.0;
        assert!((delay - delay_ms).abs() < 1e-3, "{rate}: {delay}");
    }
    // Two of its states alike, an environment is none.
    let phase = Phase { arrivals: 70.0, service: 100.0, ends: 3.0 };
    assert!((number_in_environment([phase, phase]) - 0.7 / 0.3).abs() < 1e-9);
    // Breakdowns (White and Christie 1958): L = λ((r + f)² + μf) / ((r + f)(μr − λ(r + f))).
    let (up, down) =
        (Phase { arrivals: 50.0, service: 100.0, ends: 1.0 }, Phase { arrivals: 50.0, service: 0.0, ends: 10.0 });
    let (l, m, f, r) = (50.0, 100.0, 1.0, 10.0);
    let breakdowns = l * ((r + f) * (r + f) + m * f) / ((r + f) * (m * r - l * (r + f)));
    assert!((number_in_environment([up, down]) - breakdowns).abs() < 1e-6, "{breakdowns}");
    // One server: the tails of M/M/c are those of M/M/1.
    assert!((time_in_mmc_above(0.05, 1, 70.0, 0.01) - libm::exp(-1.5)).abs() < 1e-12);
    // Nobody waits in M/D/1 with probability 1 − ρ; the mean of the wait is ρS/(2(1 − ρ)).
    let mean: f64 = (0..15_000).map(|i| wait_in_md1_above((f64::from(i) + 0.5) * 1e-5, 70.0, 0.01) * 1e-5).sum();
    assert!((mean - 0.7 * 0.01 / 0.6).abs() < 1e-6, "{mean}");
    // The mean of a busy period is S/(1 − ρ).
    let mean: f64 = (0..30_000).map(|i| busy_period_above((f64::from(i) + 0.5) * 1e-4, 70.0, 0.01) * 1e-4).sum();
    assert!((mean - 0.01 / 0.3).abs() < 1e-6, "{mean}");
    assert!((quantile(0.01, |t| libm::exp(-t)) - libm::log(100.0)).abs() < 1e-9);
    // Two shortest queues hold more than M/M/2 and less than two queues of their own.
    let two = number_in_shorter_of_two(14.0, 0.1, 40);
    let together = 1.4 + erlang_c(2, 1.4) * 0.7 / 0.3;
    assert!(two > together && two < 2.0 * 0.7 / 0.3, "{two}, {together}");
}

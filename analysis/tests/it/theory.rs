//! Simulated systems against their closed forms.
//!
//! Each figure is missed by chance five times in 10⁷; with fewer than two hundred figures the whole table fails by chance
//! at most once in 10⁴ changes of the random numbers.

use std::sync::atomic::AtomicBool;

use analysis::theory::formulas::{
    batch_delay, batch_delay_above, batch_size, birth_death, busy_period_above, erlang_above, erlang_b, erlang_c,
    mean_value_analysis, quantile, time_in_mmc_above, time_with_patience, wait_in_md1_above, waits_in_gm1,
};
use analysis::theory::passages::{
    Phase, TwoStations, fork_and_join, number_at_both, number_in_environment, shorter_of_two, time_in_closed_network,
    time_in_environment, time_in_fork_and_join_above, time_in_full_batches, time_in_shared,
    time_in_shorter_of_two_above, time_shared_by_weight, time_through_two,
};
use analysis::theory::transforms::{
    above, balanced_phases, constant, exponential, hyperexponential, time_after_finding, time_in_batches,
    time_in_shared_md1, time_when_preempted, waits_with_priorities, work_in_mg1,
};
use analysis::theory::validate;
use lab::replicate::Control;

#[test]
fn simulated_systems_agree_with_theory() {
    let control = Control { jobs: 0, stop: &AtomicBool::new(false), progress: &|_, _| () };
    let validation = validate(1, 0, &control).unwrap_or_else(|why| panic!("{why}"));
    assert!(validation.error_rate <= 1e-4, "{} is promised", validation.error_rate);
    let mut wrong = Vec::new();
    for v in &validation.verdicts {
        // An interval that holds a quarter of the figure on either side would prove little. All are so much narrower that
        // other random numbers hardly ever make one of them so wide.
        if !v.agrees || v.half_width > 0.25 * v.theory {
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
    let two = number_at_both(&shorter_of_two(14.0, 0.1, 40));
    let together = 1.4 + erlang_c(2, 1.4) * 0.7 / 0.3;
    assert!(two > together && two < 2.0 * 0.7 / 0.3, "{two}, {together}");
}

/// ∫P(T > t)dt and 2∫t·P(T > t)dt: the mean and the second moment.
fn moments(most: f64, above: impl Fn(f64) -> f64) -> (f64, f64) {
    let steps = 4000;
    let h = most / f64::from(steps);
    (0..steps).map(|i| (f64::from(i) + 0.5) * h).fold((0.0, 0.0), |(mean, second), t| {
        let p = above(t) * h;
        (mean + p, second + 2.0 * t * p)
    })
}

#[track_caller]
fn close(found: f64, right: f64, relative: f64) {
    assert!((found - right).abs() <= relative * right.abs(), "{found} is not {right}");
}

#[test]
fn transforms_lead_back_to_the_distributions_that_are_known() {
    for t in [0.001, 0.005, 0.02, 0.1, 0.5] {
        // M/M/1: the wait is exponential with the probability ρ; Erlang's distribution; M/M/c with what an arrival finds.
        let wait = above(t, |s| work_in_mg1(s, 70.0, exponential(s, 0.01), 0.01));
        assert!((wait - 0.7 * libm::exp(-30.0 * t)).abs() < 1e-7, "{t}: {wait}");
        let three = above(t, |s| exponential(s, 0.01) * exponential(s, 0.01) * exponential(s, 0.01));
        assert!((three - erlang_above(t, 3, 100.0)).abs() < 1e-7, "{t}: {three}");
        let found = birth_death(400, |_| 320.0, |n| n.min(4) as f64 * 100.0);
        let time = above(t, |s| time_after_finding(s, &found, 4, 0.01));
        assert!((time - time_in_mmc_above(t, 4, 320.0, 0.01)).abs() < 1e-7, "{t}: {time}");
        // Batches of one are none, and a hyperexponential time with a deviation of its mean is exponential.
        let time = above(t, |s| time_in_batches(s, 70.0, 1.0, 0.01));
        assert!((time - libm::exp(-30.0 * t)).abs() < 1e-7, "{t}: {time}");
        let alike = above(t, |s| hyperexponential(s, 0.01, 1.0));
        assert!((alike - libm::exp(-100.0 * t)).abs() < 1e-7, "{t}: {alike}");
    }
    // The density of the wait in M/D/1 jumps at one service, and that costs precision only near it.
    for t in [0.004, 0.025, 0.045, 0.0647] {
        let wait = above(t, |s| work_in_mg1(s, 70.0, constant(s, 0.01), 0.01));
        assert!((wait - wait_in_md1_above(t, 70.0, 0.01)).abs() < 1e-5, "{t}: {wait}");
    }
}

#[test]
fn the_moments_of_what_is_inverted_or_solved_are_the_known_ones() {
    let (rho, s) = (0.7, 0.01);
    // Pollaczek and Khinchine: λE[S²]/(2(1 − ρ)).
    let (mean, _) = moments(1.5, |t| above(t, |x| work_in_mg1(x, 70.0, hyperexponential(x, s, 2.0), s)));
    close(mean, 70.0 * 5.0 * s * s / 0.6, 1e-4);
    // Geometric batches of mean m: ρ·m/(1 − ρ) are there.
    let (mean, _) = moments(1.5, |t| above(t, |x| time_in_batches(x, 20.0, 3.0, s)));
    close(mean, 0.6 * 3.0 / 0.4 / 60.0, 1e-4);
    // Cobham; Kleinrock for preemption; and who goes first waits ρ·Exp(μ − λ₁).
    let of_waits = |whose: usize| move |t: f64| above(t, |x| waits_with_priorities(x, 30.0, 70.0, rho, s)[whose]);
    close(moments(1.5, of_waits(0)).0, rho * s / 0.7, 1e-4);
    close(moments(1.5, of_waits(1)).0, rho * s / (0.7 * 0.3), 1e-4);
    close(of_waits(0)(0.03), rho * libm::exp(-70.0 * 0.03), 1e-6);
    let (mean, _) = moments(1.5, |t| above(t, |x| time_when_preempted(x, 30.0, 70.0, s)));
    close(mean, (0.3 * s + rho * s) / (0.7 * 0.3), 1e-4);
    // Without anybody who goes first, all of this is M/M/1.
    close(above(0.02, |x| time_when_preempted(x, 1e-9, 70.0, s)), libm::exp(-0.6), 1e-6);
    // Processor sharing: S/(1 − ρ) whatever the distribution; the variance of M/M/1 by Coffman, Muntz and Trotter,
    // (2 + ρ)/((2 − ρ)(1 − ρ)²μ²).
    let (mean, variance) = time_in_shared(1.0, 70.0, [(1.0, s), (0.0, s)], 80).moments();
    close(mean, s / 0.3, 1e-8);
    close(variance, 2.7 / (1.3 * 0.09) * s * s, 1e-5);
    let (mean, _) = time_in_shared(1.0, 70.0, balanced_phases(s, 2.0), 80).moments();
    close(mean, s / 0.3, 1e-7);
    let (mean, _) = time_in_shared(4.0, 320.0, [(1.0, s), (0.0, s)], 120).moments();
    close(mean, s + erlang_c(4, 3.2) / (400.0 - 320.0), 1e-7);
    let shared = |t: f64| above(t, |x| time_in_shared_md1(x, 70.0, s));
    close(moments(1.0, shared).0, s / 0.3, 1e-3);
    // By weight: as many are there together as in M/M/1, however they share, and who weighs much more waits for nobody else.
    let [heavy, light] = time_shared_by_weight([35.0; 2], s, [3.0, 1.0], 60).map(|time| time.moments().0);
    close(35.0 * heavy + 35.0 * light, 0.7 / 0.3, 1e-6);
    assert!(heavy < 0.8 * light, "{heavy} {light}");
    let [alike, _] = time_shared_by_weight([35.0; 2], s, [2.0, 2.0], 60);
    close(alike.moments().0, s / 0.3, 1e-6);
    let [first, _] = time_shared_by_weight([70.0, 10.0], s, [1e9, 1.0], 80);
    close(first.moments().1, 2.7 / (1.3 * 0.09) * s * s, 1e-4);
    // Nobody can take less than a service; hardly any load, and it takes no more either.
    let (early, late) = (shared(0.8 * s), above(1.2 * s, |x| time_in_shared_md1(x, 1e-6, s)));
    assert!(early > 0.999 && late < 1e-3, "{early} {late}");
    // Little's law between the numbers and the times.
    let phases = [
        Phase { arrivals: 130.0, service: 100.0, ends: 5.0 },
        Phase { arrivals: 20.0, service: 100.0, ends: 1.0 / 0.3 },
    ];
    close(time_in_environment(phases).moments().0, number_in_environment(phases) / 64.0, 1e-7);
    let phases =
        [Phase { arrivals: 50.0, service: 100.0, ends: 1.0 }, Phase { arrivals: 50.0, service: 0.0, ends: 10.0 }];
    close(time_in_environment(phases).moments().0, number_in_environment(phases) / 50.0, 1e-7);
    let states = shorter_of_two(14.0, 0.1, 40);
    let (mean, _) = moments(4.0, |t| time_in_shorter_of_two_above(&states, t, 0.1));
    close(mean, number_at_both(&states) / 14.0, 1e-5);
    // Nelson and Tantawi: (12 − ρ)/8 of M/M/1.
    let states = fork_and_join(60.0, s, 60);
    let (mean, _) = moments(0.8, |t| time_in_fork_and_join_above(&states, t, s));
    close(mean, (12.0 - 0.6) / 8.0 * s / 0.4, 1e-5);
    // Through two stations: independent exponential times (Burke), Jackson's with a way back, mean value analysis if closed.
    let alone = |n: usize, load: f64| (1.0 - load) * libm::pow(load, n as f64);
    let (x, y) = (30.0, 1.0 / 0.006 - 70.0);
    let tandem = TwoStations { rates: [100.0, 1.0 / 0.006], again: 0.0, arrivals: 70.0, most: [80, 40] };
    let through = time_through_two(tandem, |m, n| alone(m, 0.7) * alone(n, 0.42));
    for t in [0.01, 0.05, 0.1659, 0.3] {
        close(through.above(t), (y * libm::exp(-x * t) - x * libm::exp(-y * t)) / (y - x), 1e-6);
    }
    let feedback = TwoStations { again: 0.5, arrivals: 35.0, most: [60, 15], ..tandem };
    let (mean, _) = time_through_two(feedback, |m, n| alone(m, 0.7) * alone(n, 0.21)).moments();
    close(mean, 2.0 / 30.0 + 1.0 / (1.0 / 0.006 - 35.0), 1e-6);
    let (_, response) = mean_value_analysis(20, 0.1, &[0.01, 0.006]);
    close(time_in_closed_network(20, 0.1, [0.01, 0.006]).moments().0, response, 1e-7);
    // Full batches: two gaps on average until one's own is full, then G/M/1.
    let sigma = waits_in_gm1(s, |x| libm::pow(350.0 / (350.0 + x), 5.0));
    close(time_in_full_batches(350.0, 5, s, 80).moments().0, 2.0 / 350.0 + s / (1.0 - sigma), 1e-6);
    // Batches: from the distribution follows the mean delay.
    let (mean, _) = moments(0.01, |t| batch_delay_above(t, 10, 500.0, 0.01));
    close(mean, batch_delay(10, 500.0, 0.01), 1e-5);
    // Patience: who is lost, by the birth-death process.
    let p = birth_death(400, |_| 120.0, |n| 100.0 + (n as f64 - 1.0) * 20.0);
    let queue: f64 = p.iter().enumerate().skip(1).map(|(n, p)| (n as f64 - 1.0) * p).sum();
    let (served, time) = time_with_patience(120.0, s, 0.05);
    close(served, 1.0 - 20.0 * queue / 120.0, 1e-4);
    assert!((time(0.0) - 1.0).abs() < 1e-9);
}

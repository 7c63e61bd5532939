//! Distributions of which theory knows the Laplace transform, and the way back from it.
//!
//! A time T is its transform E e^(−sT) at complex s. [`above`] finds P(T > t) from it by the Euler method of Abate and Whitt,
//! *Numerical inversion of Laplace transforms of probability distributions* (ORSA Journal on Computing 7, 1995): a Fourier
//! series whose alternating terms are averaged with binomial weights.
//!
//! Sources: Kleinrock, *Queueing Systems* I and II (Pollaczek and Khinchine, batches, priorities as delay cycles); Kella and
//! Yechiali 1985 (priorities before several servers); Ott 1984 (processor sharing of a constant service time, as in Egorova,
//! Zwart and Boxma 2006).

use std::f64::consts::PI;

pub use num_complex::Complex64;

/// Terms that are summed before the averaging begins. Abate and Whitt take 15; more of them serve where the density jumps.
const TERMS: u32 = 60;
/// Partial sums that are averaged.
const AVERAGED: u32 = 11;
/// Bounds the error of the series by e^(−A) ≈ 10⁻⁸.
const A: f64 = 18.4;

/// P(T > t) for t > 0 of a time whose transform is given.
pub fn above(t: f64, transform: impl Fn(Complex64) -> Complex64) -> f64 {
    // The transform of P(T > t) as a function of t.
    let of_tail = |s: Complex64| ((Complex64::new(1.0, 0.0) - transform(s)) / s).re;
    let mut sum = of_tail(Complex64::new(A / (2.0 * t), 0.0)) / 2.0;
    let (mut averaged, mut weight) = (0.0, libm::pow(0.5, f64::from(AVERAGED)));
    for k in 1..=TERMS + AVERAGED {
        let term = of_tail(Complex64::new(A / (2.0 * t), f64::from(k) * PI / t));
        sum += if k % 2 == 0 { term } else { -term };
        if k >= TERMS {
            let j = k - TERMS;
            averaged += weight * sum;
            weight *= f64::from(AVERAGED - j) / f64::from(j + 1);
        }
    }
    libm::exp(A / 2.0) / t * averaged
}

/// An exponential time.
pub fn exponential(s: Complex64, mean: f64) -> Complex64 {
    1.0 / (1.0 + s * mean)
}

/// A constant time.
pub fn constant(s: Complex64, value: f64) -> Complex64 {
    (-s * value).exp()
}

/// A hyperexponential time of two phases with balanced means, from its mean and coefficient of variation.
pub fn hyperexponential(s: Complex64, mean: f64, cv: f64) -> Complex64 {
    let [(p, fast), (q, slow)] = balanced_phases(mean, cv);
    p * exponential(s, fast) + q * exponential(s, slow)
}

/// The phases of such a time: probability and mean of each. Both have half of the mean.
pub fn balanced_phases(mean: f64, cv: f64) -> [(f64, f64); 2] {
    let p = (1.0 + ((cv * cv - 1.0) / (cv * cv + 1.0)).sqrt()) / 2.0;
    [(p, mean / (2.0 * p)), (1.0 - p, mean / (2.0 * (1.0 - p)))]
}

/// The wait in M/G/1, first come, first served, from the transform of the service at `s` and its mean; also the work in the
/// system at any time, in whatever order it is done (Pollaczek and Khinchine).
pub fn work_in_mg1(s: Complex64, arrivals: f64, service: Complex64, mean: f64) -> Complex64 {
    (1.0 - arrivals * mean) * s / (s - arrivals + arrivals * service)
}

/// Time in M^X/M/1 where batches of geometric size with this mean come at a rate: the wait of a whole batch, the services of
/// those before one in it, and one's own.
pub fn time_in_batches(s: Complex64, batches: f64, size: f64, service: f64) -> Complex64 {
    let one = exponential(s, service);
    let batch = one / (size - (size - 1.0) * one);
    work_in_mg1(s, batches, batch, size * service) * (1.0 - batch) / (size * (1.0 - one)) * one
}

/// Time in M/M/c with what is found at arrival: of `found[n]` there are n.
pub fn time_after_finding(s: Complex64, found: &[f64], servers: usize, service: f64) -> Complex64 {
    let next = exponential(s, service / servers as f64);
    let mut waits = Complex64::new(1.0, 0.0);
    let mut sum = Complex64::new(0.0, 0.0);
    for (n, p) in found.iter().enumerate() {
        if n >= servers {
            waits *= next;
        }
        sum += p * waits;
    }
    sum * exponential(s, service)
}

/// A busy period of M/M/1: the root below 1 of Θ = μ/(μ + s + λ − λΘ).
fn busy_period(s: Complex64, arrivals: f64, service: f64) -> Complex64 {
    let sum = s + arrivals + 1.0 / service;
    (sum - (sum * sum - 4.0 * arrivals / service).sqrt()) / (2.0 * arrivals)
}

/// Where s goes when a time is stretched by those who come meanwhile and go first: s + λ(1 − Θ(s)), a delay cycle.
fn stretched(s: Complex64, first: f64, service: f64) -> Complex64 {
    s + first * (1.0 - busy_period(s, first, service))
}

/// Waits of those who go first and of the others in M/M/c with two priorities without preemption and the same service: who has
/// to wait waits for the next to end, for those before him, and for those who go before him meanwhile. `waits` is the probability
/// to find all servers busy.
pub fn waits_with_priorities(s: Complex64, first: f64, all: f64, waits: f64, next: f64) -> [Complex64; 2] {
    let drained = |s: Complex64, rate: f64| 1.0 - waits + waits * exponential(s, 1.0 / rate);
    [drained(s, 1.0 / next - first), drained(stretched(s, first, next), 1.0 / next - all)]
}

/// Time of those who go last in M/M/1 with preemption: all the work that is there, their own, and what comes before it is
/// done and goes first.
pub fn time_when_preempted(s: Complex64, first: f64, all: f64, service: f64) -> Complex64 {
    let s = stretched(s, first, service);
    let own = exponential(s, service);
    work_in_mg1(s, all, own, service) * own
}

/// Time in M/D/1 processor sharing (Ott).
pub fn time_in_shared_md1(s: Complex64, arrivals: f64, service: f64) -> Complex64 {
    let free = 1.0 - arrivals * service;
    let late = (-(s + arrivals) * service).exp();
    free * (arrivals + s) * (arrivals + s) * late / (s * s + arrivals * (s + free * (arrivals + s)) * late)
}

//! The law of a distribution.

use sim_core::dist::{Dist, Given};

use super::{CELLS_MAX, Cell, LOGIT_MAX, Law};

/// Counts are listed one by one up to so many.
const COUNTS_MAX: usize = 4096;

impl Law {
    /// The law of a distribution of numbers.
    pub fn of(dist: &Dist) -> Law {
        if let Some(value) = dist.is_constant() {
            return Law::always(value);
        }
        match dist.given() {
            Given::Constant { value } => Law::always(value),
            Given::Uniform { low, high } => Law::between(low, high),
            Given::Mixture { parts } => {
                let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
                parts.iter().fold(Law::never(), |law, (weight, part)| law.or(&Law::of(part).weighted(weight / total)))
            }
            Given::Shift { by, of } => Law::of(of).then(&Law::always(by)),
            Given::Empirical { values, weights } => {
                let total: f64 = weights.map_or(values.len() as f64, |weights| weights.iter().sum());
                let weight = |nth: usize| weights.map_or(1.0, |weights| weights[nth]) / total;
                let cell = |(nth, at): (usize, &f64)| Cell { at: *at, width: 0.0, weight: weight(nth) };
                Law::from_cells(values.iter().enumerate().map(cell).collect())
            }
            Given::Hyperexp { mean, cv } => {
                // Balanced means: each of the two contributes half.
                let imbalance = libm::sqrt((cv * cv - 1.0) / (cv * cv + 1.0));
                let slow = 1.0 / ((cv * cv + 1.0) * (1.0 + imbalance));
                let exponential = |share: f64| {
                    let mean = 0.5 * mean / share;
                    by_quantile(mean, |p| -mean * libm::log1p(-p)).weighted(share)
                };
                exponential(1.0 - slow).or(&exponential(slow))
            }
            Given::Erlang { k, mean } => gamma(k as f64, mean),
            Given::Gamma { mean, cv } => gamma(1.0 / (cv * cv), mean),
            Given::Poisson { mean } if mean < COUNTS_MAX as f64 / 2.0 => poisson(mean),
            // So many are as good as normal.
            Given::Poisson { mean } => {
                Dist::normal(mean, libm::sqrt(mean)).map_or(Law::always(mean), |dist| Law::of(&dist))
            }
            Given::Geometric { mean } => {
                let stop = 1.0 / mean;
                let weights = (1..=COUNTS_MAX).map(|n| (n as f64, stop * libm::pow(1.0 - stop, n as f64 - 1.0)));
                counts(mean, weights)
            }
            Given::Exp { .. }
            | Given::Normal { .. }
            | Given::LognormalMoments { .. }
            | Given::LognormalPercentiles { .. }
            | Given::Weibull { .. }
            | Given::Pareto { .. } => by_quantile(dist.mean(), |p| dist.quantile(p).unwrap_or_else(|| dist.mean())),
        }
    }

    /// The law of a distribution of durations, s.
    pub fn of_durations(dist: &Dist) -> Law {
        Law::of(dist).stretched(1e-9)
    }
}

/// Cells between quantiles that lie evenly in ln(p / (1 − p)), each with the mean between its ends (Simpson); what is left to
/// the mean of the whole lies in the uppermost, where the tail is.
fn by_quantile(mean: f64, quantile: impl Fn(f64) -> f64) -> Law {
    let steps = (CELLS_MAX as f64 * 0.9) as usize;
    let edge = |n: usize| {
        let logit = LOGIT_MAX * (2.0 * n as f64 / steps as f64 - 1.0);
        1.0 / (1.0 + libm::exp(-logit))
    };
    let mut cells = Vec::with_capacity(steps + 1);
    let (mut low_p, mut low) = (0.0, quantile(0.0));
    for n in 1..=steps {
        let high_p = edge(n);
        let high = quantile(high_p);
        let middle = quantile((low_p + high_p) / 2.0);
        let weight = high_p - low_p;
        cells.push(Cell { at: (low + 4.0 * middle + high) / 6.0, width: high - low, weight });
        (low_p, low) = (high_p, high);
    }
    let weight = 1.0 - low_p;
    let so_far: f64 = cells.iter().map(|cell| cell.weight * cell.at).sum();
    if !mean.is_finite() {
        cells.push(Cell { at: low, width: 0.0, weight });
        return Law::from_cells(cells);
    }
    let rest = (mean - so_far) / weight;
    if rest >= low && rest <= 1e3 * low {
        cells.push(Cell { at: rest, width: 0.0, weight });
        return Law::from_cells(cells);
    }
    cells.push(Cell { at: low, width: 0.0, weight });
    let found: f64 = cells.iter().map(|cell| cell.weight * cell.at).sum();
    Law::from_cells(cells).stretched(mean / found)
}

/// Values with their probabilities; what the list leaves out of the weight and the mean lies at its end.
fn counts(mean: f64, weights: impl Iterator<Item = (f64, f64)>) -> Law {
    let mut cells: Vec<Cell> =
        weights.filter(|(_, weight)| *weight > 1e-15).map(|(at, weight)| Cell { at, width: 0.0, weight }).collect();
    let weight: f64 = cells.iter().map(|cell| cell.weight).sum();
    let sum: f64 = cells.iter().map(|cell| cell.weight * cell.at).sum();
    if 1.0 - weight > 1e-9 {
        cells.push(Cell { at: (mean - sum) / (1.0 - weight), width: 0.0, weight: 1.0 - weight });
    }
    Law::from_cells(cells)
}

fn poisson(mean: f64) -> Law {
    let weight = |n: usize| libm::exp(n as f64 * libm::log(mean) - mean - libm::lgamma(n as f64 + 1.0));
    counts(mean, (0..=COUNTS_MAX).map(|n| (n as f64, weight(n))))
}

/// A gamma distribution by its shape, through the quantiles of the regularised incomplete gamma function.
fn gamma(shape: f64, mean: f64) -> Law {
    let scale = mean / shape;
    let quantile = |p: f64| {
        if p <= 0.0 {
            return 0.0;
        }
        let (mut low, mut high) = (0.0, shape + 10.0 * libm::sqrt(shape) + 10.0);
        while lower_gamma(shape, high) < p && high < 1e9 {
            high *= 2.0;
        }
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if lower_gamma(shape, middle) < p { low = middle } else { high = middle }
        }
        scale * (low + high) / 2.0
    };
    by_quantile(mean, quantile)
}

/// The regularised lower incomplete gamma function, by its series below a + 1 and by the continued fraction above (Abramowitz
/// and Stegun, 6.5.29 and 6.5.31, the latter by Lentz's method).
fn lower_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        for _ in 0..100_000 {
            n += 1.0;
            term *= x / n;
            sum += term;
            if term < sum * 1e-16 {
                break;
            }
        }
        return (front * sum).min(1.0);
    }
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for n in 1..100_000 {
        let n = f64::from(n);
        let factor = -n * (n - a);
        b += 2.0;
        let nonzero = |value: f64| if value.abs() < TINY { TINY } else { value };
        d = 1.0 / nonzero(factor * d + b);
        c = nonzero(b + factor / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (1.0 - front * fraction).clamp(0.0, 1.0)
}

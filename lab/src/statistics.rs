//! Statistics across replications: how precise a figure is.
//!
//! Replications are independent, so Student's t intervals apply to their means, whatever correlation there is within a run.
//! Variants that ran under common random numbers are compared by paired differences. The formulas are those of Law,
//! *Simulation Modeling and Analysis*, and of the papers cited at each function. The probability functions are computed
//! here from `libm`, so that they return the same digits on every machine.

use serde::{Deserialize, Serialize};

/// A mean with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Arithmetic mean, in the unit of the values.
    pub mean: f64,
    /// Half the width of the interval; `None` for a single value, which has no interval.
    pub half_width: Option<f64>,
    /// Probability that the interval covers the true mean.
    pub confidence: f64,
    /// Number of values.
    pub n: usize,
}

impl Interval {
    /// Lower and upper end.
    pub fn ends(&self) -> Option<(f64, f64)> {
        self.half_width.map(|half| (self.mean - half, self.mean + half))
    }

    /// Whether the whole interval lies on one side of `value`, so that the true mean differs from it at that confidence. Values
    /// without any scatter differ from every other value.
    pub fn excludes(&self, value: f64) -> bool {
        self.half_width.is_some_and(|half| (self.mean - value).abs() > half)
    }

    /// Law's stopping rule: half the width is at most γ / (1 + γ) of the mean, which keeps the true relative error
    /// below γ with about the interval's confidence.
    pub fn is_within(&self, relative: f64) -> bool {
        self.half_width.is_some_and(|half| half <= relative / (1.0 + relative) * self.mean.abs())
    }
}

/// Arithmetic mean; `None` for an empty slice. Summed in order, so that the last digit never depends on the caller.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Unbiased variance (denominator n − 1); `None` for fewer than two values.
pub fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (values.len() > 1).then(|| squares / (values.len() - 1) as f64)
}

/// Student's interval of the mean of independent values: mean ± t(n−1) · s / √n.
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<Interval> {
    let mean = match values {
        [first, rest @ ..] if rest.iter().all(|value| value == first) => *first,
        _ => mean(values)?,
    };
    let half_width = variance(values).map(|variance| {
        // The mean of equal values may be off by a rounding error, which is not scatter.
        if variance == 0.0 || values.iter().all(|value| *value == values[0]) {
            return 0.0;
        }
        let t = student_t_quantile(0.5 + confidence / 2.0, (values.len() - 1) as f64);
        t * (variance / values.len() as f64).sqrt()
    });
    Some(Interval { mean, half_width, confidence, n: values.len() })
}

/// Relative widening of a percentile's interval per unit of positive skewness.
const FOR_SKEWNESS: f64 = 0.2;
/// Absolute widening of a percentile's interval, as a multiple of the distance between the pooled percentile and the mean of
/// the runs' percentiles.
const FOR_BIAS: f64 = 2.0;

/// The interval of a percentile, from its values in independent runs and, where known, its value in the pooled data of all
/// runs. It is Student's interval, widened by a fifth per unit of positive skewness and by twice the distance to the pooled
/// value, in which the bias of a short run has nearly vanished. Both factors are chosen so that the interval attains its
/// nominal coverage for queues at all loads, provided that a hundred values lie beyond the percentile in all runs together.
pub fn percentile_interval(values: &[f64], together: Option<f64>, confidence: f64) -> Option<Interval> {
    let interval = mean_interval(values, confidence)?;
    let half_width = interval.half_width.map(|half| {
        let bias = together.map_or(0.0, |together| (together - interval.mean).abs());
        half * (1.0 + FOR_SKEWNESS * skewness(values).unwrap_or(0.0).max(0.0)) + FOR_BIAS * bias
    });
    Some(Interval { half_width, ..interval })
}

/// The skewness of a sample, corrected for its size (Joanes and Gill 1998, G₁ except for the normal factor); `None` for
/// fewer than three values or for equal ones.
fn skewness(values: &[f64]) -> Option<f64> {
    let (mean, variance) = (mean(values)?, variance(values)?);
    let n = values.len() as f64;
    let cubes: f64 = values.iter().map(|value| (value - mean) * (value - mean) * (value - mean)).sum();
    (n > 2.0 && variance > 0.0).then(|| cubes * n / ((n - 1.0) * (n - 2.0)) / (variance * variance.sqrt()))
}

/// Wilson's interval of the mean of 0s and 1s, which is a probability; `None` for an empty slice.
pub fn event_interval(values: &[f64], confidence: f64) -> Option<(f64, f64)> {
    let happened = values.iter().filter(|value| **value >= 0.5).count() as u64;
    (!values.is_empty()).then(|| wilson(happened, values.len() as u64, confidence))
}

/// Comparison of pairs of runs under common random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Interval of the differences, second minus first.
    pub difference: Interval,
    /// Variance reduction by pairing, compared to independent runs: 1 − Var(b − a) / (Var a + Var b). Negative if pairing
    /// increased the variance; `None` if neither sample scattered.
    pub variance_reduction: Option<f64>,
}

/// Interval of the mean of `second − first`, pair by pair. Both slices must have the same length.
pub fn paired(first: &[f64], second: &[f64], confidence: f64) -> Option<Paired> {
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| b - a).collect();
    let difference = mean_interval(&differences, confidence)?;
    let variance_reduction = match (variance(first), variance(second), variance(&differences)) {
        (Some(a), Some(b), Some(together)) if a + b > 0.0 => Some(1.0 - together / (a + b)),
        _ => None,
    };
    Some(Paired { difference, variance_reduction })
}

/// Probability that pairs of 0s and 1s differ at least this much in one direction by chance alone, if both directions are
/// equally likely for a differing pair (the sign test, McNemar's in its exact form). 1 if no pair differs.
pub fn sign_test(first: &[f64], second: &[f64]) -> f64 {
    let pairs = || first.iter().zip(second);
    let (up, down) = (pairs().filter(|(a, b)| b > a).count(), pairs().filter(|(a, b)| b < a).count());
    let (n, few) = ((up + down) as f64, up.min(down));
    let log_choose = |k: f64| libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    let tail: f64 = (0..=few).map(|k| libm::exp(log_choose(k as f64) - n * std::f64::consts::LN_2)).sum();
    (2.0 * tail).min(1.0)
}

/// Wilson's score interval of a probability from `successes` out of `n` (Wilson 1927). It stays within 0 and 1 and keeps
/// its coverage for few trials and for shares near the ends. Without trials it is (0, 1).
pub fn wilson(successes: u64, n: u64, confidence: f64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let z = normal_quantile(0.5 + confidence / 2.0);
    let (count, share) = (n as f64, successes as f64 / n as f64);
    let below = 1.0 + z * z / count;
    let centre = (share + z * z / (2.0 * count)) / below;
    let half = z / below * (share * (1.0 - share) / count + z * z / (4.0 * count * count)).sqrt();
    // At the ends the bound is exact; rounding must not move it past 0 or 1.
    let low = if successes == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if successes == n { 1.0 } else { (centre + half).min(1.0) };
    (low, high)
}

/// Interval of a quantile of independent values by order statistics: the values of rank n·p ± z·√(n·p·(1−p)), without
/// any assumption about their distribution. `None` if there are too few values for one of its ends.
pub fn quantile_interval(values: &[f64], quantile: f64, confidence: f64) -> Option<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let half = normal_quantile(0.5 + confidence / 2.0) * (n * quantile * (1.0 - quantile)).sqrt();
    let low = (n * quantile - half).floor();
    let high = (n * quantile + half).ceil() + 1.0;
    if low < 1.0 || high > n {
        return None;
    }
    Some((sorted[low as usize - 1], sorted[high as usize - 1]))
}

/// Values per batch of MSER-5.
const MSER_BATCH: usize = 5;
/// Minimum number of batches from which the end of a transient can be determined.
const MSER_BATCHES_MIN: usize = 10;

/// Number of values to cut from the beginning of a series as warm-up, by MSER-5 (White 1997, Spratt 1998): the values are
/// averaged in batches of five, and the cut d minimises Σ(z − mean)² / (n − d)² over the remaining batches. `None` if the
/// series is too short to tell: fewer than ten batches, or a best cut that leaves less than half.
pub fn mser5(series: &[f64]) -> Option<usize> {
    let batches: Vec<f64> =
        series.chunks_exact(MSER_BATCH).map(|batch| batch.iter().sum::<f64>() / MSER_BATCH as f64).collect();
    let n = batches.len();
    if n < MSER_BATCHES_MIN {
        return None;
    }
    // Backwards, so that each remainder's sum of squares follows from the previous one (Welford).
    let (mut mean, mut squares) = (0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (kept, value) in batches.iter().rev().enumerate() {
        let count = (kept + 1) as f64;
        let away = value - mean;
        mean += away / count;
        squares += away * (value - mean);
        let cut = n - kept - 1;
        let criterion = squares / (count * count);
        // Of equal cuts take the shortest, to discard no more than necessary.
        if cut <= n / 2 && criterion <= best.0 {
            best = (criterion, cut);
        }
    }
    (best.1 < n / 2).then_some(best.1 * MSER_BATCH)
}

/// The quantile of the standard normal distribution, by bisection of the error function.
pub fn normal_quantile(probability: f64) -> f64 {
    let below = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    invert(probability, below)
}

/// The quantile of Student's t distribution with the given degrees of freedom.
pub fn student_t_quantile(probability: f64, degrees: f64) -> f64 {
    invert(probability, |t| student_t_below(t, degrees))
}

/// P(T ≤ t) for Student's t.
fn student_t_below(t: f64, degrees: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t));
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// Inverts an increasing distribution function that is symmetric around 0.
fn invert(probability: f64, below: impl Fn(f64) -> f64) -> f64 {
    if probability < 0.5 {
        return -invert(1.0 - probability, below);
    }
    if probability == 0.5 {
        return 0.0;
    }
    if probability >= 1.0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while below(high) < probability && high < 1e300 {
        (low, high) = (high, high * 2.0);
    }
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return middle;
        }
        if below(middle) < probability { low = middle } else { high = middle }
    }
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz's method).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let log_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x);
    let front = libm::exp(log_front);
    // The continued fraction converges fast only on this side of the mean.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..=300 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + coefficient * d);
            c = away_from_zero(1.0 + coefficient / c);
            change = d * c;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests;

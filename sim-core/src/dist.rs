//! Distributions of durations and counts, as used in scenarios.
//!
//! A [`Dist`] keeps its parameters as given, so that it can be written back, along with the precomputed values of its
//! sampler. Its numbers are in the caller's unit: nanoseconds for durations, or counts. All samplers use `libm`, so
//! that the same source gives the same samples on every machine; tests pin them.
//!
//! A width of zero (a standard deviation or coefficient of variation of 0, equal ends) is allowed and gives a constant,
//! so that a sweep over the width may start there; all other invalid parameters are errors.

pub use crate::parameter::DistError;

use crate::keys::AliasTable;
use crate::normal;
use crate::random::Source;
use crate::time::Span;
use crate::ziggurat::{self, Ziggurat, standard_normal, unit_exponential};
use rand::Rng;
use rand_distr::Distribution;
use std::fmt;
use std::sync::Arc;

/// The maximum coefficient of variation: beyond it, no run is long enough to show the mean.
pub const CV_MAX: f64 = 1e6;
/// The minimum shape of a Weibull or Pareto distribution: below it, the values exceed the range of a double.
pub const SHAPE_MIN: f64 = 0.01;
/// The maximum mean of a Poisson distribution: beyond it, the logarithms in its sampler lose too many digits.
pub const POISSON_MEAN_MAX: f64 = 1e9;

/// Up to this many phases, an Erlang variate is the sum of its exponentials; beyond, a gamma variate is cheaper.
const ERLANG_SUM_MAX: u64 = 8;
/// From this mean on, a Poisson variate is found by rejection instead of by search (Hörmann's method needs at least
/// 10).
const POISSON_REJECTION_MIN: f64 = 10.0;
/// The 99th percentile of the standard normal.
const NORMAL_P99: f64 = 2.326_347_874_040_841;

/// A distribution of durations (in nanoseconds) or of counts.
#[derive(Clone)]
pub struct Dist(Form);

/// The parameters of a [`Dist`] as given, for writing it back or describing it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields are the parameters that the variants' comments explain")]
pub enum Given<'a> {
    /// Always the same value.
    Constant { value: f64 },
    /// Exponential with this mean.
    Exp { mean: f64 },
    /// Uniform between two bounds.
    Uniform { low: f64, high: f64 },
    /// Normal with this mean and standard deviation, redrawn while below zero.
    Normal { mean: f64, sd: f64 },
    /// Lognormal by its mean and coefficient of variation.
    LognormalMoments { mean: f64, cv: f64 },
    /// Lognormal by its median and 99th percentile.
    LognormalPercentiles { p50: f64, p99: f64 },
    /// The sum of `k` exponentials, with this total mean.
    Erlang { k: u64, mean: f64 },
    /// Gamma by its mean and coefficient of variation.
    Gamma { mean: f64, cv: f64 },
    /// Weibull by its mean and shape.
    Weibull { mean: f64, shape: f64 },
    /// Pareto starting at `min`, truncated at `max` if given.
    Pareto { min: f64, shape: f64, max: Option<f64> },
    /// Two exponentials with balanced means, by mean and coefficient of variation.
    Hyperexp { mean: f64, cv: f64 },
    /// One of several distributions, in proportion to the weights.
    Mixture { parts: &'a [(f64, Dist)] },
    /// Another distribution, shifted up.
    Shift { by: f64, of: &'a Dist },
    /// Values with probabilities proportional to their weights, or equally likely.
    Empirical { values: &'a [f64], weights: Option<&'a [f64]> },
    /// Geometric on 1, 2, 3, … with this mean.
    Geometric { mean: f64 },
    /// Poisson on 0, 1, 2, … with this mean.
    Poisson { mean: f64 },
}

/// The sampler. Parameters that do not fit beside the tag in 32 bytes, and lists, are shared by all clones.
#[derive(Clone)]
enum Form {
    Constant { value: f64 },
    Exp { mean: f64, table: &'static Ziggurat },
    Uniform { low: f64, high: f64 },
    Normal { mean: f64, sd: f64 },
    Lognormal(Arc<Lognormal>),
    Erlang { k: u64, mean: f64, beyond: Option<Arc<Gamma>> },
    Gamma { mean: f64, cv: f64, gamma: Option<Arc<Gamma>> },
    Weibull(Arc<Weibull>),
    Pareto(Arc<Pareto>),
    Hyperexp(Arc<Hyperexp>),
    Mixture(Arc<Mixture>),
    Shift { by: f64, of: Arc<Dist> },
    Empirical(Arc<Empirical>),
    Geometric { mean: f64, rate: f64 },
    Poisson(Arc<Poisson>),
}

struct Lognormal {
    given: Given<'static>,
    median: f64,
    sigma: f64,
}

/// The sampler of Marsaglia and Tsang (*A simple method for generating gamma variables*, 2000).
struct Gamma {
    shape: f64,
    scale: f64,
    /// The shape of the method minus 1/3; the method requires a shape of at least 1.
    d: f64,
    c: f64,
}

struct Weibull {
    mean: f64,
    shape: f64,
    scale: f64,
    power: f64,
}

struct Pareto {
    min: f64,
    shape: f64,
    max: Option<f64>,
    /// The probability that the untruncated distribution is at most `max`; 1 without `max`.
    kept: f64,
}

struct Hyperexp {
    mean: f64,
    cv: f64,
    fast_probability: f64,
    fast_mean: f64,
    slow_mean: f64,
}

struct Mixture {
    parts: Vec<(f64, Dist)>,
    table: AliasTable,
}

struct Empirical {
    values: Vec<f64>,
    weighted: Option<(Vec<f64>, AliasTable)>,
}

enum Poisson {
    /// Search from 0, starting with the probability of 0.
    Search { mean: f64, none: f64 },
    /// Transformed rejection (Hörmann, *The transformed rejection method for generating Poisson random variables*, 1993).
    Rejection { mean: f64, log_mean: f64, a: f64, b: f64, inverse_alpha: f64, squeeze: f64 },
}

fn finite(parameter: &'static str, value: f64) -> Result<f64, DistError> {
    if value.is_finite() { Ok(value) } else { Err(DistError::new(parameter, "must be finite")) }
}

fn positive(parameter: &'static str, value: f64) -> Result<f64, DistError> {
    if finite(parameter, value)? > 0.0 { Ok(value) } else { Err(DistError::new(parameter, "must be greater than 0")) }
}

fn not_negative(parameter: &'static str, value: f64) -> Result<f64, DistError> {
    if finite(parameter, value)? >= 0.0 { Ok(value) } else { Err(DistError::new(parameter, "must be at least 0")) }
}

fn variation(cv: f64) -> Result<f64, DistError> {
    if not_negative("cv", cv)? <= CV_MAX { Ok(cv) } else { Err(DistError::new("cv", "must be at most 1_000_000")) }
}

fn shape_of(shape: f64) -> Result<f64, DistError> {
    if positive("shape", shape)? >= SHAPE_MIN {
        Ok(shape)
    } else {
        Err(DistError::new("shape", "must be at least 0.01"))
    }
}

impl Dist {
    /// Always `value`, which must be ≥ 0.
    pub fn constant(value: f64) -> Result<Self, DistError> {
        Ok(Self(Form::Constant { value: not_negative("value", value)? }))
    }

    /// Exponential with a mean > 0.
    pub fn exp(mean: f64) -> Result<Self, DistError> {
        Ok(Self(Form::Exp { mean: positive("mean", mean)?, table: ziggurat::exponential() }))
    }

    /// Uniform between 0 ≤ `low` ≤ `high`.
    pub fn uniform(low: f64, high: f64) -> Result<Self, DistError> {
        not_negative("low", low)?;
        if finite("high", high)? < low {
            return Err(DistError::new("high", "must not be below the low end"));
        }
        Ok(Self(Form::Uniform { low, high }))
    }

    /// Normal with `mean` ≥ 0 and standard deviation `sd` ≥ 0, redrawn while below zero, which raises the mean: see
    /// [`Dist::mean`].
    pub fn normal(mean: f64, sd: f64) -> Result<Self, DistError> {
        Ok(Self(Form::Normal { mean: not_negative("mean", mean)?, sd: not_negative("sd", sd)? }))
    }

    /// Lognormal with a mean > 0 and coefficient of variation `cv` in 0–[`CV_MAX`].
    pub fn lognormal(mean: f64, cv: f64) -> Result<Self, DistError> {
        positive("mean", mean)?;
        variation(cv)?;
        let median = mean / (1.0 + cv * cv).sqrt();
        let sigma = libm::log1p(cv * cv).sqrt();
        Ok(Self(Form::Lognormal(Arc::new(Lognormal { given: Given::LognormalMoments { mean, cv }, median, sigma }))))
    }

    /// Lognormal with median `p50` > 0 and 99th percentile `p99` ≥ `p50`.
    pub fn lognormal_percentiles(p50: f64, p99: f64) -> Result<Self, DistError> {
        positive("p50", p50)?;
        if finite("p99", p99)? < p50 {
            return Err(DistError::new("p99", "must not be below `p50`"));
        }
        let sigma = libm::log(p99 / p50) / NORMAL_P99;
        if !sigma.is_finite() {
            return Err(DistError::new("p99", "must not be so far above `p50`"));
        }
        let given = Given::LognormalPercentiles { p50, p99 };
        Ok(Self(Form::Lognormal(Arc::new(Lognormal { given, median: p50, sigma }))))
    }

    /// The sum of `k` ≥ 1 exponentials, with a total mean > 0.
    pub fn erlang(k: u64, mean: f64) -> Result<Self, DistError> {
        if k == 0 {
            return Err(DistError::new("k", "must be at least 1"));
        }
        positive("mean", mean)?;
        let beyond = (k > ERLANG_SUM_MAX).then(|| Arc::new(Gamma::new(k as f64, mean / k as f64)));
        Ok(Self(Form::Erlang { k, mean, beyond }))
    }

    /// Gamma with a mean > 0 and coefficient of variation `cv` in 0–[`CV_MAX`].
    pub fn gamma(mean: f64, cv: f64) -> Result<Self, DistError> {
        positive("mean", mean)?;
        let shape = 1.0 / (variation(cv)? * cv);
        let gamma = shape.is_finite().then(|| Arc::new(Gamma::new(shape, mean / shape)));
        Ok(Self(Form::Gamma { mean, cv, gamma }))
    }

    /// Weibull with a mean > 0 and shape ≥ [`SHAPE_MIN`].
    pub fn weibull(mean: f64, shape: f64) -> Result<Self, DistError> {
        positive("mean", mean)?;
        let power = 1.0 / shape_of(shape)?;
        let scale = mean / libm::tgamma(1.0 + power);
        Ok(Self(Form::Weibull(Arc::new(Weibull { mean, shape, scale, power }))))
    }

    /// Pareto starting at `min` > 0 with shape ≥ [`SHAPE_MIN`], truncated (not clamped) at `max` > `min` if given.
    pub fn pareto(min: f64, shape: f64, max: Option<f64>) -> Result<Self, DistError> {
        positive("min", min)?;
        shape_of(shape)?;
        let kept = match max {
            None => 1.0,
            Some(max) if finite("max", max)? > min => -libm::expm1(-shape * libm::log(max / min)),
            Some(_) => return Err(DistError::new("max", "must be greater than `min`")),
        };
        Ok(Self(Form::Pareto(Arc::new(Pareto { min, shape, max, kept }))))
    }

    /// Two exponentials with balanced means (each contributes half of the mean), with a mean > 0 and coefficient of
    /// variation `cv` in 1–[`CV_MAX`].
    pub fn hyperexp(mean: f64, cv: f64) -> Result<Self, DistError> {
        positive("mean", mean)?;
        if variation(cv)? < 1.0 {
            return Err(DistError::new("cv", "must be at least 1"));
        }
        let square = cv * cv;
        let imbalance = ((square - 1.0) / (square + 1.0)).sqrt();
        // (1 − imbalance) / 2, avoiding the cancellation at a large cv.
        let slow_probability = 1.0 / ((square + 1.0) * (1.0 + imbalance));
        let fast_probability = 1.0 - slow_probability;
        let (fast_mean, slow_mean) = (0.5 * mean / fast_probability, 0.5 * mean / slow_probability);
        Ok(Self(Form::Hyperexp(Arc::new(Hyperexp { mean, cv, fast_probability, fast_mean, slow_mean }))))
    }

    /// One of these distributions, with probabilities proportional to the weights: at least one, none negative, not all
    /// zero.
    pub fn mixture(parts: Vec<(f64, Dist)>) -> Result<Self, DistError> {
        let weights: Vec<f64> = parts.iter().map(|(weight, _)| *weight).collect();
        let table = AliasTable::new(&weights).map_err(|error| DistError { parameter: "mixture", ..error })?;
        Ok(Self(Form::Mixture(Arc::new(Mixture { parts, table }))))
    }

    /// Another distribution plus `by` ≥ 0.
    pub fn shift(by: f64, of: Dist) -> Result<Self, DistError> {
        Ok(Self(Form::Shift { by: not_negative("by", by)?, of: Arc::new(of) }))
    }

    /// Values ≥ 0, at least one, equally likely or with probabilities proportional to as many weights.
    pub fn empirical(values: Vec<f64>, weights: Option<Vec<f64>>) -> Result<Self, DistError> {
        if values.is_empty() {
            return Err(DistError::new("values", "must not be empty"));
        }
        for (index, value) in values.iter().enumerate() {
            not_negative("values", *value).map_err(|error| error.at(index))?;
        }
        let weighted = match weights {
            None => None,
            Some(weights) if weights.len() == values.len() => {
                let table = AliasTable::new(&weights)?;
                Some((weights, table))
            }
            Some(_) => return Err(DistError::new("weights", "must be as many as `values`")),
        };
        Ok(Self(Form::Empirical(Arc::new(Empirical { values, weighted }))))
    }

    /// Geometric on 1, 2, 3, … with a mean ≥ 1: the number of trials until the first success.
    pub fn geometric(mean: f64) -> Result<Self, DistError> {
        if finite("mean", mean)? < 1.0 {
            return Err(DistError::new("mean", "must be at least 1"));
        }
        Ok(Self(Form::Geometric { mean, rate: -libm::log1p(-1.0 / mean) }))
    }

    /// Poisson on 0, 1, 2, … with a mean in 0–[`POISSON_MEAN_MAX`].
    pub fn poisson(mean: f64) -> Result<Self, DistError> {
        if not_negative("mean", mean)? > POISSON_MEAN_MAX {
            return Err(DistError::new("mean", "must be at most 1_000_000_000"));
        }
        Ok(Self(Form::Poisson(Arc::new(Poisson::new(mean)))))
    }

    /// The parameters as given.
    pub fn given(&self) -> Given<'_> {
        match &self.0 {
            Form::Constant { value } => Given::Constant { value: *value },
            Form::Exp { mean, .. } => Given::Exp { mean: *mean },
            Form::Uniform { low, high } => Given::Uniform { low: *low, high: *high },
            Form::Normal { mean, sd } => Given::Normal { mean: *mean, sd: *sd },
            Form::Lognormal(lognormal) => lognormal.given,
            Form::Erlang { k, mean, .. } => Given::Erlang { k: *k, mean: *mean },
            Form::Gamma { mean, cv, .. } => Given::Gamma { mean: *mean, cv: *cv },
            Form::Weibull(weibull) => Given::Weibull { mean: weibull.mean, shape: weibull.shape },
            Form::Pareto(pareto) => Given::Pareto { min: pareto.min, shape: pareto.shape, max: pareto.max },
            Form::Hyperexp(hyperexp) => Given::Hyperexp { mean: hyperexp.mean, cv: hyperexp.cv },
            Form::Mixture(mixture) => Given::Mixture { parts: &mixture.parts },
            Form::Shift { by, of } => Given::Shift { by: *by, of },
            Form::Empirical(empirical) => Given::Empirical {
                values: &empirical.values,
                weights: empirical.weighted.as_ref().map(|(weights, _)| weights.as_slice()),
            },
            Form::Geometric { mean, .. } => Given::Geometric { mean: *mean },
            Form::Poisson(poisson) => Given::Poisson { mean: poisson.mean() },
        }
    }
}

impl PartialEq for Dist {
    /// Equal if given with the same parameters.
    fn eq(&self, other: &Self) -> bool {
        self.given() == other.given()
    }
}

impl fmt::Debug for Dist {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.given().fmt(formatter)
    }
}

/// Sampling.
impl Dist {
    /// A value, never negative; infinite if a heavy tail exceeds the range of a double.
    #[inline]
    pub fn sample<S: Source + ?Sized>(&self, source: &mut S) -> f64 {
        match &self.0 {
            Form::Constant { value } => *value,
            Form::Exp { mean, table } => mean * table.exponential(source),
            _ => self.sample_rest(source),
        }
    }

    /// Separate from the two common forms, so that those are small enough to be inlined into their callers.
    fn sample_rest<S: Source + ?Sized>(&self, source: &mut S) -> f64 {
        match &self.0 {
            Form::Constant { value } => *value,
            Form::Exp { mean, table } => mean * table.exponential(source),
            Form::Uniform { low, high } => low + (high - low) * source.unit(),
            Form::Normal { mean, sd } => loop {
                let value = mean + sd * standard_normal(source);
                if value >= 0.0 {
                    break value;
                }
            },
            Form::Lognormal(lognormal) => lognormal.median * libm::exp(lognormal.sigma * standard_normal(source)),
            Form::Erlang { beyond: Some(gamma), .. } => gamma.sample(source),
            Form::Erlang { k, mean, beyond: None } => {
                mean / *k as f64 * (0..*k).map(|_| unit_exponential(source)).sum::<f64>()
            }
            Form::Gamma { gamma: Some(gamma), .. } => gamma.sample(source),
            Form::Gamma { mean, gamma: None, .. } => *mean,
            Form::Weibull(weibull) => weibull.scale * libm::exp(weibull.power * libm::log(unit_exponential(source))),
            Form::Pareto(pareto) => pareto.sample(source),
            Form::Hyperexp(hyperexp) => {
                let fast = source.happens(hyperexp.fast_probability);
                (if fast { hyperexp.fast_mean } else { hyperexp.slow_mean }) * unit_exponential(source)
            }
            Form::Mixture(mixture) => mixture.parts[mixture.table.sample(source)].1.sample(source),
            Form::Shift { by, of } => by + of.sample(source),
            Form::Empirical(empirical) => empirical.sample(source),
            // A discretised exponential; a mean of 1 has an infinite rate and so always gives 1.
            Form::Geometric { rate, .. } => 1.0 + (unit_exponential(source) / rate).floor(),
            Form::Poisson(poisson) => poisson.sample(source),
        }
    }

    /// A duration: the sample rounded to the nearest nanosecond, at most [`Span::MAX`].
    #[inline]
    pub fn sample_span<S: Source + ?Sized>(&self, source: &mut S) -> Span {
        nearest(self.sample(source))
    }

    /// A count: the sample rounded to the nearest integer, except that a uniform distribution gives every integer
    /// within its bounds the same probability.
    #[inline]
    pub fn sample_count<S: Source + ?Sized>(&self, source: &mut S) -> u64 {
        match &self.0 {
            Form::Constant { value } => nearest(*value),
            Form::Uniform { low, high } => {
                let low = nearest(*low);
                // Saturating, because the bounds may be the ends of the range.
                low + source.below((nearest(*high) - low).saturating_add(1))
            }
            Form::Mixture(mixture) => mixture.parts[mixture.table.sample(source)].1.sample_count(source),
            Form::Shift { by, of } => nearest(*by).saturating_add(of.sample_count(source)),
            _ => nearest(self.sample(source)),
        }
    }
}

/// The same as [`Dist::sample`], for code written for distributions of `rand`, such as its iterators. (The samplers of
/// `rand_distr` itself are not used: they use the platform's logarithms as soon as any crate in the program enables the
/// `std` feature of `num-traits`.)
impl Distribution<f64> for Dist {
    fn sample<R: Rng + ?Sized>(&self, source: &mut R) -> f64 {
        Dist::sample(self, source)
    }
}

/// The same as [`Dist::sample_count`].
impl Distribution<u64> for Dist {
    fn sample<R: Rng + ?Sized>(&self, source: &mut R) -> u64 {
        self.sample_count(source)
    }
}

/// 2^52: from here on every value is an integer.
const HALVES_END: f64 = (1u64 << 52) as f64;

/// The nearest integer to a nonnegative value, rounding halves up, at most [`u64::MAX`]. (Adding a half and truncating
/// would change integers beyond 2^52; a saturating conversion costs more than the additions here.)
#[inline(always)]
pub fn nearest(value: f64) -> u64 {
    if value < HALVES_END {
        // Next to 2^52 there is no room for a fraction, so the sum is an integer; ties go to the even one.
        let sum = value + HALVES_END;
        let was_halved = value - (sum - HALVES_END) >= 0.5;
        return sum.to_bits() - HALVES_END.to_bits() + u64::from(was_halved);
    }
    value as u64
}

impl Gamma {
    fn new(shape: f64, scale: f64) -> Self {
        let d = if shape < 1.0 { shape + 1.0 } else { shape } - 1.0 / 3.0;
        Self { shape, scale, d, c: 1.0 / (9.0 * d).sqrt() }
    }

    fn sample<S: Source + ?Sized>(&self, source: &mut S) -> f64 {
        let cube = loop {
            let normal = standard_normal(source);
            let root = 1.0 + self.c * normal;
            if root <= 0.0 {
                continue;
            }
            let cube = root * root * root;
            let uniform = source.unit_open();
            let square = normal * normal;
            if uniform < 1.0 - 0.0331 * square * square
                || libm::log(uniform) < 0.5 * square + self.d * (1.0 - cube + libm::log(cube))
            {
                break cube;
            }
        };
        let value = self.scale * self.d * cube;
        // A shape below 1 is derived from the shape plus 1, times a power of a uniform variate.
        if self.shape < 1.0 { value * libm::exp(-unit_exponential(source) / self.shape) } else { value }
    }
}

impl Pareto {
    /// By inversion: the untruncated one from an exponential, the truncated one from the kept part of a uniform.
    fn sample<S: Source + ?Sized>(&self, source: &mut S) -> f64 {
        match self.max {
            None => self.min * libm::exp(unit_exponential(source) / self.shape),
            Some(max) => {
                let survival = libm::log1p(-source.unit() * self.kept);
                (self.min * libm::exp(-survival / self.shape)).min(max)
            }
        }
    }

    /// The mean of the `power`-th power, with the minimum scaled to 1.
    fn moment(&self, power: f64) -> f64 {
        let excess = power - self.shape;
        let Some(max) = self.max else {
            return if excess < 0.0 { self.shape / -excess } else { f64::INFINITY };
        };
        let ratio = libm::log(max / self.min);
        let integral = if excess == 0.0 { ratio } else { libm::expm1(excess * ratio) / excess };
        self.shape * integral / self.kept
    }
}

impl Empirical {
    fn sample<S: Source + ?Sized>(&self, source: &mut S) -> f64 {
        match &self.weighted {
            None => self.values[source.below(self.values.len() as u64) as usize],
            Some((_, table)) => self.values[table.sample(source)],
        }
    }

    /// Each value with its probability.
    fn shares(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        let total: f64 = self.weighted.as_ref().map_or(self.values.len() as f64, |(weights, _)| weights.iter().sum());
        let weight = move |index: usize| self.weighted.as_ref().map_or(1.0, |(weights, _)| weights[index]);
        self.values.iter().enumerate().map(move |(index, &value)| (weight(index) / total, value))
    }
}

impl Poisson {
    fn new(mean: f64) -> Self {
        if mean < POISSON_REJECTION_MIN {
            return Self::Search { mean, none: libm::exp(-mean) };
        }
        // The constants as fitted by the method's author.
        let b = 0.931 + 2.53 * mean.sqrt();
        Self::Rejection {
            mean,
            log_mean: libm::log(mean),
            a: -0.059 + 0.02483 * b,
            b,
            inverse_alpha: 1.1239 + 1.1328 / (b - 3.4),
            squeeze: 0.9277 - 3.6224 / (b - 2.0),
        }
    }

    const fn mean(&self) -> f64 {
        match self {
            Self::Search { mean, .. } | Self::Rejection { mean, .. } => *mean,
        }
    }

    fn sample<S: Source + ?Sized>(&self, source: &mut S) -> f64 {
        match *self {
            Self::Search { mean, none } => {
                let uniform = source.unit();
                let (mut count, mut probability, mut cumulative) = (0.0, none, none);
                while uniform >= cumulative {
                    count += 1.0;
                    probability *= mean / count;
                    let next = cumulative + probability;
                    if next == cumulative {
                        // The rest of the tail is below the resolution of the uniform variate.
                        break;
                    }
                    cumulative = next;
                }
                count
            }
            Self::Rejection { mean, log_mean, a, b, inverse_alpha, squeeze } => loop {
                let across = source.unit() - 0.5;
                let height = source.unit_open();
                let margin = 0.5 - across.abs();
                let count = ((2.0 * a / margin + b) * across + mean + 0.43).floor();
                if margin >= 0.07 && height <= squeeze {
                    break count;
                }
                if count < 0.0 || !count.is_finite() || (margin < 0.013 && height > margin) {
                    continue;
                }
                let candidate = libm::log(height * inverse_alpha / (a / (margin * margin) + b));
                if candidate <= count * log_mean - mean - libm::lgamma(count + 1.0) {
                    break count;
                }
            },
        }
    }
}

/// Moments and quantiles, in closed form.
impl Dist {
    /// The mean of the samples (for a normal distribution: after redrawing values below zero); infinite for a Pareto
    /// distribution without `max` and with shape ≤ 1.
    pub fn mean(&self) -> f64 {
        self.moments().0
    }

    /// The variance of the samples; `None` if it is infinite.
    pub fn variance(&self) -> Option<f64> {
        let (_, variance) = self.moments();
        variance.is_finite().then_some(variance)
    }

    /// The coefficient of variation: standard deviation divided by mean; `None` if it is infinite, and for the constant
    /// 0.
    pub fn cv(&self) -> Option<f64> {
        let mean = self.mean();
        let variance = self.variance()?;
        (mean > 0.0).then(|| variance.sqrt() / mean)
    }

    /// The only possible value, if there is just one.
    #[inline]
    pub fn is_constant(&self) -> Option<f64> {
        // The most common form first, so that little code is inlined into callers.
        if matches!(self.0, Form::Exp { .. }) { None } else { self.is_constant_rest() }
    }

    fn is_constant_rest(&self) -> Option<f64> {
        match &self.0 {
            Form::Constant { value } => Some(*value),
            Form::Uniform { low, high } => (low == high).then_some(*low),
            Form::Normal { mean, sd } => (*sd == 0.0).then_some(*mean),
            Form::Lognormal(lognormal) => (lognormal.sigma == 0.0).then_some(lognormal.median),
            Form::Gamma { mean, gamma, .. } => gamma.is_none().then_some(*mean),
            Form::Geometric { mean, .. } => (*mean == 1.0).then_some(1.0),
            Form::Poisson(poisson) => (poisson.mean() == 0.0).then_some(0.0),
            Form::Shift { by, of } => Some(by + of.is_constant()?),
            Form::Mixture(mixture) => {
                let parts = mixture.parts.iter().filter(|(weight, _)| *weight > 0.0);
                common(parts.map(|(_, part)| part.is_constant()))
            }
            Form::Empirical(empirical) => {
                common(empirical.shares().filter(|(share, _)| *share > 0.0).map(|(_, value)| Some(value)))
            }
            Form::Exp { .. } | Form::Erlang { .. } | Form::Weibull(_) | Form::Pareto(_) | Form::Hyperexp(_) => None,
        }
    }

    /// The least value that a sample exceeds with a probability of at most 1 − `probability`; `None` if there is no
    /// closed form (Erlang, gamma, hyperexponential, Poisson, mixture).
    pub fn quantile(&self, probability: f64) -> Option<f64> {
        let p = probability.clamp(0.0, 1.0);
        let exponential = -libm::log1p(-p);
        Some(match &self.0 {
            Form::Exp { mean, .. } => mean * exponential,
            Form::Uniform { low, high } => low + (high - low) * p,
            Form::Normal { mean, sd } if *sd > 0.0 => {
                // Computed in the upper tail, which redrawing only rescales.
                let kept = normal::cumulative(mean / sd);
                (mean - sd * normal::quantile((1.0 - p) * kept)).max(0.0)
            }
            Form::Lognormal(lognormal) if lognormal.sigma > 0.0 => {
                lognormal.median * libm::exp(lognormal.sigma * normal::quantile(p))
            }
            Form::Weibull(weibull) => weibull.scale * libm::pow(exponential, weibull.power),
            Form::Pareto(pareto) => {
                let value = pareto.min * libm::exp(-libm::log1p(-p * pareto.kept) / pareto.shape);
                value.min(pareto.max.unwrap_or(f64::INFINITY))
            }
            Form::Shift { by, of } => by + of.quantile(p)?,
            Form::Empirical(empirical) => {
                let mut shares: Vec<_> = empirical.shares().filter(|(share, _)| *share > 0.0).collect();
                shares.sort_by(|(_, left), (_, right)| left.total_cmp(right));
                let mut below = 0.0;
                let reaches = |(share, _): &&(f64, f64)| {
                    below += share;
                    // Tolerates rounding in the sum.
                    below >= p * (1.0 - 1e-12)
                };
                shares.iter().find(reaches).or(shares.last())?.1
            }
            Form::Geometric { rate, .. } => (exponential / rate * (1.0 - 1e-15)).ceil().max(1.0),
            _ => return self.is_constant(),
        })
    }

    /// Mean and variance.
    fn moments(&self) -> (f64, f64) {
        let by_cv = |mean: f64, cv: f64| (mean, (mean * cv) * (mean * cv));
        match &self.0 {
            Form::Constant { value } => (*value, 0.0),
            Form::Exp { mean, .. } => by_cv(*mean, 1.0),
            Form::Uniform { low, high } => (0.5 * (low + high), (high - low) * (high - low) / 12.0),
            Form::Normal { mean, sd } if *sd > 0.0 => {
                let cut = -mean / sd;
                let hazard = normal::density(cut) / normal::cumulative(-cut);
                (mean + sd * hazard, sd * sd * (1.0 + cut * hazard - hazard * hazard))
            }
            Form::Normal { mean, .. } => (*mean, 0.0),
            Form::Lognormal(lognormal) => {
                let square = lognormal.sigma * lognormal.sigma;
                let mean = lognormal.median * libm::exp(0.5 * square);
                (mean, mean * mean * libm::expm1(square))
            }
            Form::Erlang { k, mean, .. } => (*mean, mean * mean / *k as f64),
            Form::Gamma { mean, cv, gamma } => by_cv(*mean, if gamma.is_some() { *cv } else { 0.0 }),
            Form::Weibull(weibull) => {
                let power = weibull.power;
                let log_ratio = if power < 1e-4 {
                    // Where the difference would cancel, its series: ζ(2) and twice ζ(3).
                    power * power * (1.644_934_066_848_226_4 - power * 2.404_113_806_319_188_6)
                } else {
                    libm::lgamma(1.0 + 2.0 * power) - 2.0 * libm::lgamma(1.0 + power)
                };
                (weibull.mean, weibull.mean * weibull.mean * libm::expm1(log_ratio))
            }
            Form::Pareto(pareto) if pareto.max.is_none() && pareto.shape > 2.0 => {
                let less = pareto.shape - 1.0;
                let scale = pareto.min / less;
                (pareto.shape * scale, scale * scale * pareto.shape / (pareto.shape - 2.0))
            }
            Form::Pareto(pareto) => {
                let (mean, square) = (pareto.moment(1.0), pareto.moment(2.0));
                let variance = if square.is_finite() { (square - mean * mean).max(0.0) } else { f64::INFINITY };
                (pareto.min * mean, pareto.min * pareto.min * variance)
            }
            Form::Hyperexp(hyperexp) => by_cv(hyperexp.mean, hyperexp.cv),
            Form::Mixture(mixture) => {
                let parts = mixture.parts.iter().filter(|(weight, _)| *weight > 0.0);
                let total: f64 = parts.clone().map(|(weight, _)| weight).sum();
                spread(parts.map(|(weight, part)| (weight / total, part.moments())))
            }
            Form::Shift { by, of } => {
                let (mean, variance) = of.moments();
                (by + mean, variance)
            }
            Form::Empirical(empirical) => spread(empirical.shares().map(|(share, value)| (share, (value, 0.0)))),
            Form::Geometric { mean, .. } => (*mean, mean * (mean - 1.0)),
            Form::Poisson(poisson) => (poisson.mean(), poisson.mean()),
        }
    }
}

/// The value that all of these share, if any.
fn common(mut values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let value = values.next()??;
    values.all(|other| other == Some(value)).then_some(value)
}

/// Mean and variance of a mixture of parts with these probabilities, means and variances.
fn spread(parts: impl Iterator<Item = (f64, (f64, f64))> + Clone) -> (f64, f64) {
    let mean: f64 = parts.clone().map(|(share, (mean, _))| share * mean).sum();
    if !mean.is_finite() {
        return (mean, f64::INFINITY);
    }
    let variance = parts.map(|(share, (part, variance))| share * (variance + (part - mean) * (part - mean))).sum();
    (mean, variance)
}

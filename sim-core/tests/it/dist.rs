//! Every distribution against its textbook distribution function: samples, moments, quantiles; also pinned samples.

use crate::statistics::{
    FALSE_ALARM, STANDARD_ERRORS, assert_counts_fit, gamma_cumulative, kolmogorov_smirnov, kolmogorov_smirnov_limit,
};
use proptest::prelude::*;
use sim_core::dist::{CV_MAX, Dist, DistError, Given, POISSON_MEAN_MAX};
use sim_core::random::{Key, Stream, hash, mix};

type Cumulative = Box<dyn Fn(f64) -> f64>;

fn normal_cumulative(x: f64) -> f64 {
    0.5 * libm::erfc(-x / 2f64.sqrt())
}

fn exp_cumulative(mean: f64) -> Cumulative {
    Box::new(move |x| 1.0 - libm::exp(-x.max(0.0) / mean))
}

fn gamma_with(shape: f64, mean: f64) -> Cumulative {
    Box::new(move |x| gamma_cumulative(shape, x * shape / mean))
}

fn lognormal_with(mu: f64, sigma: f64) -> Cumulative {
    Box::new(move |x| if x <= 0.0 { 0.0 } else { normal_cumulative((libm::log(x) - mu) / sigma) })
}

fn normal_with(mean: f64, sd: f64) -> Cumulative {
    Box::new(move |x| {
        let lost = normal_cumulative(-mean / sd);
        ((normal_cumulative((x - mean) / sd) - lost) / (1.0 - lost)).max(0.0)
    })
}

/// `scale` gives the mean, from the published value of the gamma function at 1 + 1/shape.
fn weibull_with(scale: f64, shape: f64) -> Cumulative {
    Box::new(move |x| 1.0 - libm::exp(-libm::pow(x.max(0.0) / scale, shape)))
}

fn pareto_with(min: f64, shape: f64, max: Option<f64>) -> Cumulative {
    let below = move |x: f64| 1.0 - libm::pow(min / x.max(min), shape);
    Box::new(move |x| match max {
        None => below(x),
        Some(max) => below(x.min(max)) / below(max),
    })
}

fn hyperexp_with(mean: f64, cv: f64) -> Cumulative {
    let p = 0.5 * (1.0 + ((cv * cv - 1.0) / (cv * cv + 1.0)).sqrt());
    let (fast, slow) = (2.0 * p / mean, 2.0 * (1.0 - p) / mean);
    Box::new(move |x: f64| 1.0 - p * libm::exp(-fast * x.max(0.0)) - (1.0 - p) * libm::exp(-slow * x.max(0.0)))
}

/// The continuous distributions, several of each family, with their distribution functions.
fn continuous() -> Vec<(Dist, Cumulative)> {
    let exp = |mean| Dist::exp(mean).unwrap();
    let lognormal = |mean: f64, cv: f64| {
        let sigma = libm::log(1.0 + cv * cv).sqrt();
        (Dist::lognormal(mean, cv).unwrap(), lognormal_with(libm::log(mean) - sigma * sigma / 2.0, sigma))
    };
    let erlang = |k: u64, mean| (Dist::erlang(k, mean).unwrap(), gamma_with(k as f64, mean));
    let gamma = |mean, cv: f64| (Dist::gamma(mean, cv).unwrap(), gamma_with(1.0 / (cv * cv), mean));
    let pareto = |min, shape, max| (Dist::pareto(min, shape, max).unwrap(), pareto_with(min, shape, max));
    let hyperexp = |mean, cv| (Dist::hyperexp(mean, cv).unwrap(), hyperexp_with(mean, cv));
    let halves = vec![(1.0, exp(2.0)), (0.0, exp(1e9)), (3.0, Dist::uniform(5.0, 9.0).unwrap())];
    let (first, second) = (exp_cumulative(2.0), move |x: f64| ((x - 5.0) / 4.0).clamp(0.0, 1.0));
    let shifted = exp_cumulative(5.0);
    vec![
        (exp(5e6), exp_cumulative(5e6)),
        (Dist::uniform(1e6, 3e6).unwrap(), Box::new(|x: f64| ((x - 1e6) / 2e6).clamp(0.0, 1.0))),
        (Dist::normal(10.0, 2.0).unwrap(), normal_with(10.0, 2.0)),
        (Dist::normal(1.0, 3.0).unwrap(), normal_with(1.0, 3.0)),
        (Dist::normal(0.0, 1.0).unwrap(), normal_with(0.0, 1.0)),
        lognormal(5e6, 0.5),
        lognormal(2.0, 2.0),
        // ln 10 / z(0.99), with z from a published table.
        (Dist::lognormal_percentiles(3.0, 30.0).unwrap(), lognormal_with(libm::log(3.0), 0.989785370747016)),
        erlang(1, 3.0),
        erlang(3, 6.0),
        erlang(40, 2.0),
        gamma(4.0, 0.3),
        gamma(4.0, 1.0),
        gamma(4.0, 2.0),
        (Dist::weibull(2.0, 0.5).unwrap(), weibull_with(1.0, 0.5)),
        (Dist::weibull(2.0, 2.0).unwrap(), weibull_with(2.0 / 0.886_226_925_452_758, 2.0)),
        pareto(1.0, 2.5, None),
        pareto(1.0, 0.9, None),
        pareto(2.0, 1.0, Some(200.0)),
        pareto(2.0, 1.5, Some(20.0)),
        pareto(1.0, 2.0, Some(1e4)),
        hyperexp(5.0, 1.0),
        hyperexp(5.0, 3.0),
        (Dist::mixture(halves).unwrap(), Box::new(move |x| 0.25 * first(x) + 0.75 * second(x))),
        (Dist::shift(7.0, exp(5.0)).unwrap(), Box::new(move |x| shifted(x - 7.0))),
    ]
}

#[test]
fn samples_of_streams_fit_the_distribution_function() {
    for (index, (dist, cumulative)) in continuous().iter().enumerate() {
        for seed in 0..2 {
            let mut stream = Stream::named(seed, &format!("fit/{index}"));
            let mut samples: Vec<f64> = (0..20_000).map(|_| dist.sample(&mut stream)).collect();
            let distance = kolmogorov_smirnov(&mut samples, cumulative);
            assert!(distance < kolmogorov_smirnov_limit(), "{dist:?}, seed {seed}: {distance}");
        }
    }
}

#[test]
fn samples_of_keyed_draws_fit_the_distribution_function() {
    for (dist, cumulative) in continuous() {
        let sample = |request| dist.sample(&mut Key::root(3, hash(3, "fit"), request).draw(1, 0));
        let mut samples: Vec<f64> = (0..20_000).map(sample).collect();
        let distance = kolmogorov_smirnov(&mut samples, cumulative);
        assert!(distance < kolmogorov_smirnov_limit(), "{dist:?}: {distance}");
    }
}

#[test]
fn the_trait_of_rand_gives_the_same_values() {
    use rand_distr::Distribution as _;
    for (dist, _) in continuous() {
        let mut own = Stream::named(7, "own");
        let own: Vec<f64> = (0..100).map(|_| dist.sample(&mut own)).collect();
        let iterated: Vec<f64> = (&dist).sample_iter(Stream::named(7, "own")).take(100).collect();
        assert_eq!(own, iterated, "{dist:?}");
    }
}

#[test]
fn the_test_of_fit_notices_a_mean_three_per_cent_off() {
    let mut stream = Stream::named(0, "fit/wrong");
    let dist = Dist::exp(1.03).unwrap();
    let mut samples: Vec<f64> = (0..100_000).map(|_| dist.sample(&mut stream)).collect();
    assert!(kolmogorov_smirnov(&mut samples, exp_cumulative(1.0)) > kolmogorov_smirnov_limit());
}

/// The tails separately, because the maximum distance does not detect errors there: the number of samples beyond far
/// quantiles.
#[test]
fn tails_of_the_ziggurats_have_their_weight() {
    let number = 4_000_000u64;
    let mut stream = Stream::named(4, "fit/tails");
    let (exp, normal) = (Dist::exp(1.0).unwrap(), Dist::normal(100.0, 1.0).unwrap());
    let mut beyond = [0u64; 4];
    for _ in 0..number {
        let (exponential, centred) = (exp.sample(&mut stream), normal.sample(&mut stream) - 100.0);
        beyond[0] += u64::from(exponential > 7.0);
        beyond[1] += u64::from(exponential > 9.0);
        beyond[2] += u64::from(centred > 3.5);
        beyond[3] += u64::from(centred < -3.8);
    }
    let weights = [libm::exp(-7.0), libm::exp(-9.0), normal_cumulative(-3.5), normal_cumulative(-3.8)];
    for (count, weight) in beyond.iter().zip(weights) {
        let expected = weight * number as f64;
        assert!((*count as f64 - expected).abs() < STANDARD_ERRORS * expected.sqrt(), "{count} for {expected}");
    }
}

/// Integrates by the trapezoidal rule over the logarithm of x, from far below the mean to far above it.
fn integrate(function: impl Fn(f64) -> f64) -> f64 {
    let (from, to, steps) = (libm::log(1e-9), libm::log(1e13), 100_000);
    let width = (to - from) / f64::from(steps);
    let term = |step: i32| {
        let x = libm::exp(from + f64::from(step) * width);
        function(x) * x * width
    };
    (0..=steps).map(term).sum()
}

#[test]
fn moments_are_the_integrals_of_the_distribution_function() {
    let heavy = |dist: &Dist| matches!(dist.given(), Given::Pareto { shape, max: None, .. } if shape <= 2.5);
    for (dist, cumulative) in continuous().into_iter().filter(|(dist, _)| !heavy(dist)) {
        let mean = integrate(|x| 1.0 - cumulative(x));
        // Only the middle of the distribution, because 1 − F is rounded to 1e-16 and weighted with x².
        let square = integrate(|x| 2.0 * x * Some(1.0 - cumulative(x)).filter(|rest| *rest > 1e-13).unwrap_or(0.0));
        let near = |found: f64, expected: f64, tolerance: f64| (found / expected - 1.0).abs() < tolerance;
        assert!(near(dist.mean(), mean, 1e-5), "{dist:?}: mean {} instead of {mean}", dist.mean());
        let found = dist.variance().unwrap() + dist.mean() * dist.mean();
        assert!(near(found, square, 1e-4), "{dist:?}: second moment {found} instead of {square}");
        assert_eq!(dist.cv(), Some(dist.variance().unwrap().sqrt() / dist.mean()));
    }
}

#[test]
fn heavy_tails_have_the_moments_of_the_textbook_or_none() {
    let pareto = |shape| Dist::pareto(3.0, shape, None).unwrap();
    let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12, "{found} for {expected}");
    near(pareto(2.5).mean(), 2.5 * 3.0 / 1.5);
    near(pareto(2.5).variance().unwrap(), 9.0 * 2.5 / (1.5 * 1.5 * 0.5));
    assert_eq!((pareto(2.0).variance(), pareto(2.0).cv()), (None, None));
    assert_eq!((pareto(1.0).mean(), pareto(1.0).variance()), (f64::INFINITY, None));
    let parts = vec![(1.0, pareto(1.0)), (1.0, Dist::exp(1.0).unwrap()), (0.0, pareto(0.5))];
    assert_eq!(Dist::mixture(parts).unwrap().mean(), f64::INFINITY);
    let never = vec![(0.0, pareto(1.0)), (1.0, Dist::exp(1.0).unwrap())];
    assert_eq!(Dist::mixture(never).unwrap().mean(), 1.0);
}

#[test]
fn narrow_distributions_keep_the_variance_of_their_leading_term() {
    let near = |dist: Dist, expected: f64| {
        let found = dist.variance().unwrap();
        assert!((found / expected - 1.0).abs() < 1e-3, "{dist:?}: {found} for {expected}");
    };
    // (π²/6) / shape² on both sides of the change of method, and far beyond it.
    for shape in [9_999.0, 10_001.0, 1e9] {
        near(Dist::weibull(1.0, shape).unwrap(), 1.644_934_066_848_226 / (shape * shape));
    }
    near(Dist::pareto(1.0, 1e9, None).unwrap(), 1e-18);
    near(Dist::lognormal(1.0, 1e-9).unwrap(), 1e-18);
}

#[test]
fn quantiles_are_the_inverse_of_the_distribution_function() {
    let mut closed = 0;
    for (dist, cumulative) in continuous() {
        for p in [1e-6, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999] {
            let Some(value) = dist.quantile(p) else { continue };
            closed += 1;
            let found = cumulative(value);
            assert!((found - p).abs() < 1e-11, "{dist:?}: F({value}) = {found} instead of {p}");
        }
    }
    assert_eq!(closed, 7 * 16, "families with a closed quantile");
}

#[test]
fn quantiles_of_lists_and_counts_are_their_values() {
    let values = Dist::empirical(vec![30.0, 10.0, 20.0], Some(vec![1.0, 1.0, 2.0])).unwrap();
    assert_eq!(
        [0.0, 0.25, 0.26, 0.75, 0.76, 1.0].map(|p| values.quantile(p).unwrap()),
        [10.0, 10.0, 20.0, 20.0, 30.0, 30.0]
    );
    let tenths = Dist::empirical((1..=10).map(f64::from).collect(), None).unwrap();
    for rank in 1..=10 {
        assert_eq!(tenths.quantile(f64::from(rank) / 10.0), Some(f64::from(rank)));
    }
    let geometric = Dist::geometric(2.0).unwrap();
    assert_eq!([0.0, 0.5, 0.51, 0.75, 0.9].map(|p| geometric.quantile(p).unwrap()), [1.0, 1.0, 2.0, 2.0, 4.0]);
    assert_eq!(Dist::geometric(1.0).unwrap().quantile(1.0), Some(1.0));
    assert_eq!(Dist::lognormal_percentiles(3.0, 30.0).unwrap().quantile(0.5), Some(3.0));
}

#[test]
fn sample_means_and_variances_are_those_announced() {
    let mut dists: Vec<Dist> = continuous().into_iter().map(|(dist, _)| dist).collect();
    dists.extend(counts().into_iter().map(|(dist, _)| dist));
    // The error of a sample variance depends on the fourth moment, which a heavy tail hides from the sample.
    dists.retain(|dist| !matches!(dist.given(), Given::Pareto { max, .. } if max.is_none_or(|max| max > 1000.0)));
    for (index, dist) in dists.iter().enumerate() {
        let number = 30_000;
        let mut stream = Stream::named(8, &format!("moments/{index}"));
        let (mean, variance) = (dist.mean(), dist.variance().unwrap());
        let squares: Vec<f64> = (0..number).map(|_| dist.sample(&mut stream) - mean).collect();
        let average =
            |power: i32| squares.iter().map(|x| libm::pow(*x, f64::from(power))).sum::<f64>() / f64::from(number);
        let error = average(1) / (variance / f64::from(number)).sqrt();
        assert!(error.abs() < STANDARD_ERRORS, "{dist:?}: mean {error} standard errors off");
        let spread = ((average(4) - variance * variance).max(0.0) / f64::from(number)).sqrt();
        let error = (average(2) - variance).abs() / spread;
        // The estimated fourth moment of a skewed sample is itself uncertain, hence the margin.
        assert!(error < 1.5 * STANDARD_ERRORS, "{dist:?}: variance {error} standard errors off");
    }
}

/// The probabilities of 0, 1, 2, … in a Poisson distribution, by definition.
fn poisson_probabilities(mean: f64, cells: i32) -> Vec<f64> {
    let logarithm = |n: f64| n * libm::log(mean) - mean - libm::lgamma(n + 1.0);
    (0..cells).map(|n| libm::exp(logarithm(f64::from(n)))).collect()
}

/// The distributions of counts with their probabilities from 0 on.
fn counts() -> Vec<(Dist, Vec<f64>)> {
    let geometric = |mean: f64| {
        let probability = move |n: i32| if n == 0 { 0.0 } else { libm::pow(1.0 - 1.0 / mean, f64::from(n - 1)) / mean };
        (Dist::geometric(mean).unwrap(), (0..1000).map(probability).collect())
    };
    let poisson = |mean: f64| (Dist::poisson(mean).unwrap(), poisson_probabilities(mean, 2000));
    let empirical = Dist::empirical(vec![3.0, 0.0, 5.0, 3.0], Some(vec![1.0, 2.0, 4.0, 1.0])).unwrap();
    vec![
        geometric(1.2),
        geometric(30.0),
        poisson(0.3),
        poisson(9.9),
        poisson(10.0),
        poisson(14.5),
        poisson(1000.0),
        (empirical, vec![0.25, 0.0, 0.0, 0.25, 0.0, 0.5]),
        (Dist::empirical(vec![1.0, 2.0, 4.0, 2.0], None).unwrap(), vec![0.0, 0.25, 0.5, 0.0, 0.25]),
    ]
}

fn tally(dist: &Dist, cells: usize, number: u64, name: &str) -> Vec<u64> {
    let mut stream = Stream::named(12, name);
    let mut seen = vec![0; cells];
    for _ in 0..number {
        let count = dist.sample_count(&mut stream) as usize;
        assert!(count < cells, "{dist:?} gave {count}");
        seen[count] += 1;
    }
    seen
}

#[test]
fn counts_fit_their_probabilities() {
    for (index, (dist, probabilities)) in counts().into_iter().enumerate() {
        let seen = tally(&dist, probabilities.len(), 100_000, &format!("counts/{index}"));
        assert_counts_fit(&format!("{dist:?}"), &seen, &probabilities, 100_000);
    }
}

/// Many samples, because errors in the fitted constants of the rejection method would be small.
#[test]
fn poisson_by_rejection_fits_in_every_detail() {
    for mean in [10.0, 14.5, 40.0] {
        let dist = Dist::poisson(mean).unwrap();
        let seen = tally(&dist, 200, 3_000_000, "poisson/rejection");
        assert_counts_fit(&format!("{dist:?}"), &seen, &poisson_probabilities(mean, 200), 3_000_000);
    }
}

#[test]
fn poisson_of_a_large_mean_is_nearly_normal() {
    let mean = 1e6;
    let dist = Dist::poisson(mean).unwrap();
    let mut stream = Stream::named(2, "poisson/large");
    // Adding half a count in either direction smooths the steps of the counts.
    let mut samples: Vec<f64> = (0..20_000).map(|_| dist.sample(&mut stream) + stream.unit() - 0.5).collect();
    // The first Edgeworth correction, for a skewness of mean^(-1/2).
    let cumulative = |x: f64| {
        let z = (x - mean) / mean.sqrt();
        let density = libm::exp(-z * z / 2.0) / (2.0 * std::f64::consts::PI).sqrt();
        normal_cumulative(z) - density * (z * z - 1.0) / (6.0 * mean.sqrt())
    };
    let distance = kolmogorov_smirnov(&mut samples, cumulative);
    assert!(distance < kolmogorov_smirnov_limit(), "{distance}");
}

#[test]
fn a_uniform_count_gives_both_ends_the_full_share() {
    let dist = Dist::shift(1.0, Dist::uniform(0.0, 4.0).unwrap()).unwrap();
    let seen = tally(&dist, 6, 50_000, "counts/uniform");
    assert_counts_fit("uniform", &seen, &[0.0, 0.2, 0.2, 0.2, 0.2, 0.2], 50_000);
}

#[test]
fn spans_are_the_nearest_nanosecond_and_stop_at_the_greatest() {
    let span = |value: f64| Dist::constant(value).unwrap().sample_span(&mut Stream::named(0, "spans"));
    assert_eq!([0.0, 0.49, 0.5, 1.49, 1.5, 5e6].map(span), [0, 0, 1, 1, 2, 5_000_000]);
    // Integers above 2^52 are unchanged.
    assert_eq!(span(4_503_599_627_370_497.0), 4_503_599_627_370_497);
    assert_eq!(span(9_007_199_254_740_991.0), 9_007_199_254_740_991);
    assert_eq!(span(1e300), u64::MAX);
    let heavy = Dist::pareto(1e9, 0.01, None).unwrap();
    let mut stream = Stream::named(1, "spans");
    assert!((0..100).map(|_| heavy.sample_span(&mut stream)).any(|span| span == u64::MAX));
    let widest = Dist::uniform(0.0, 1e300).unwrap();
    assert!((0..100).any(|_| widest.sample_count(&mut stream) > u64::MAX / 2));
}

#[test]
fn constants_are_known_as_such_and_draw_nothing() {
    let constant = |value| Dist::constant(value).unwrap();
    let exp = || Dist::exp(1.0).unwrap();
    let cases = [
        (constant(5.0), Some(5.0)),
        (constant(0.0), Some(0.0)),
        (exp(), None),
        (Dist::uniform(2.0, 2.0).unwrap(), Some(2.0)),
        (Dist::uniform(2.0, 3.0).unwrap(), None),
        (Dist::normal(4.0, 0.0).unwrap(), Some(4.0)),
        (Dist::lognormal(4.0, 0.0).unwrap(), Some(4.0)),
        (Dist::lognormal_percentiles(4.0, 4.0).unwrap(), Some(4.0)),
        (Dist::gamma(4.0, 0.0).unwrap(), Some(4.0)),
        (Dist::gamma(4.0, 1e-200).unwrap(), Some(4.0)),
        (Dist::shift(1.0, constant(2.0)).unwrap(), Some(3.0)),
        (Dist::shift(1.0, exp()).unwrap(), None),
        (Dist::mixture(vec![(1.0, constant(2.0)), (0.0, exp())]).unwrap(), Some(2.0)),
        (Dist::mixture(vec![(1.0, constant(2.0)), (2.0, constant(3.0))]).unwrap(), None),
        (Dist::empirical(vec![2.0, 2.0], None).unwrap(), Some(2.0)),
        (Dist::empirical(vec![2.0, 3.0], Some(vec![1.0, 0.0])).unwrap(), Some(2.0)),
        (Dist::geometric(1.0).unwrap(), Some(1.0)),
        (Dist::poisson(0.0).unwrap(), Some(0.0)),
    ];
    for (dist, expected) in cases {
        assert_eq!(dist.is_constant(), expected, "{dist:?}");
        let mut stream = Stream::named(1, "constant");
        if let Some(value) = expected {
            assert!((0..100).all(|_| dist.sample(&mut stream) == value), "{dist:?}");
            assert_eq!(dist.quantile(0.3), Some(value), "{dist:?}");
            assert_eq!((dist.mean(), dist.variance()), (value, Some(0.0)), "{dist:?}");
        }
    }
    let (mut used, fresh) = (Stream::named(1, "constant"), Stream::named(1, "constant"));
    constant(5.0).sample_span(&mut used);
    assert_eq!(used, fresh);
}

#[test]
fn what_makes_no_distribution_is_refused_by_the_name_of_the_parameter() {
    let exp = || Dist::exp(1.0).unwrap();
    let cases: Vec<(Result<Dist, DistError>, &str)> = vec![
        (Dist::constant(-1.0), "`value` must be at least 0"),
        (Dist::constant(f64::NAN), "`value` must be finite"),
        (Dist::exp(0.0), "`mean` must be greater than 0"),
        (Dist::exp(f64::INFINITY), "`mean` must be finite"),
        (Dist::uniform(-1.0, 1.0), "`low` must be at least 0"),
        (Dist::uniform(3.0, 1.0), "`high` must not be below the low end"),
        (Dist::normal(-1.0, 1.0), "`mean` must be at least 0"),
        (Dist::normal(1.0, -1.0), "`sd` must be at least 0"),
        (Dist::lognormal(0.0, 1.0), "`mean` must be greater than 0"),
        (Dist::lognormal(1.0, -1.0), "`cv` must be at least 0"),
        (Dist::lognormal(1.0, 2.0 * CV_MAX), "`cv` must be at most 1_000_000"),
        (Dist::lognormal_percentiles(2.0, 1.0), "`p99` must not be below `p50`"),
        (Dist::lognormal_percentiles(1e-300, 1e300), "`p99` must not be so far above `p50`"),
        (Dist::erlang(0, 1.0), "`k` must be at least 1"),
        (Dist::erlang(2, 0.0), "`mean` must be greater than 0"),
        (Dist::gamma(1.0, f64::NAN), "`cv` must be finite"),
        (Dist::weibull(1.0, 0.0), "`shape` must be greater than 0"),
        (Dist::weibull(1.0, 0.001), "`shape` must be at least 0.01"),
        (Dist::pareto(0.0, 1.0, None), "`min` must be greater than 0"),
        (Dist::pareto(1.0, -1.0, None), "`shape` must be greater than 0"),
        (Dist::pareto(1.0, 1.0, Some(1.0)), "`max` must be greater than `min`"),
        (Dist::hyperexp(1.0, 0.9), "`cv` must be at least 1"),
        (Dist::mixture(vec![]), "`mixture` must not be empty"),
        (Dist::mixture(vec![(1.0, exp()), (-1.0, exp())]), "`mixture[1]` must be at least 0"),
        (Dist::mixture(vec![(0.0, exp())]), "`mixture` must not all be 0"),
        (Dist::shift(-1.0, exp()), "`by` must be at least 0"),
        (Dist::empirical(vec![], None), "`values` must not be empty"),
        (Dist::empirical(vec![1.0, f64::NAN], None), "`values[1]` must be finite"),
        (Dist::empirical(vec![1.0], Some(vec![1.0, 2.0])), "`weights` must be as many as `values`"),
        (Dist::empirical(vec![1.0], Some(vec![0.0])), "`weights` must not all be 0"),
        (Dist::empirical(vec![1.0], Some(vec![f64::INFINITY])), "`weights[0]` must be at least 0"),
        (Dist::geometric(0.5), "`mean` must be at least 1"),
        (Dist::poisson(-1.0), "`mean` must be at least 0"),
        (Dist::poisson(2.0 * POISSON_MEAN_MAX), "`mean` must be at most 1_000_000_000"),
    ];
    for (result, expected) in cases {
        assert_eq!(result.map_err(|error| error.to_string()), Err(expected.to_string()));
    }
}

#[test]
fn distributions_stay_small() {
    assert_eq!(size_of::<Dist>(), 32);
}

#[test]
fn distributions_are_equal_when_written_alike() {
    let exp = |mean| Dist::exp(mean).unwrap();
    assert_eq!(Dist::shift(1.0, exp(2.0)), Dist::shift(1.0, exp(2.0)));
    assert_ne!(Dist::shift(1.0, exp(2.0)), Dist::shift(1.0, exp(3.0)));
    assert_ne!(Dist::gamma(2.0, 1.0), Dist::hyperexp(2.0, 1.0));
    assert_eq!(
        format!("{:?}", Dist::mixture(vec![(2.0, exp(3.0))]).unwrap()),
        "Mixture { parts: [(2.0, Exp { mean: 3.0 })] }"
    );
}

proptest! {
    /// Every distribution that the constructors accept, however extreme, can be sampled: sampling ends, and gives a
    /// number.
    #[test]
    fn every_accepted_distribution_can_be_sampled(
        family in 0usize..14, first in parameter(), second in parameter(), third in parameter(), seed in any::<u64>(),
    ) {
        let exp = || Dist::exp(1.0).unwrap();
        let dist = match family {
            0 => Dist::exp(first),
            1 => Dist::uniform(first, second),
            2 => Dist::normal(first, second),
            3 => Dist::lognormal(first, second),
            4 => Dist::lognormal_percentiles(first, second),
            5 => Dist::erlang(second as u64, first),
            6 => Dist::gamma(first, second),
            7 => Dist::weibull(first, second),
            8 => Dist::pareto(first, second, Some(third)),
            9 => Dist::pareto(first, second, None),
            10 => Dist::hyperexp(first, second),
            11 => Dist::mixture(vec![(first, exp()), (second, exp())]),
            12 => Dist::geometric(first),
            _ => Dist::poisson(first),
        };
        if let Ok(dist) = dist {
            let mut stream = Stream::named(seed, "any");
            for _ in 0..20 {
                let sample = dist.sample(&mut stream);
                prop_assert!(sample >= 0.0, "{:?} gave {}", dist, sample);
                dist.sample_span(&mut stream);
                dist.sample_count(&mut stream);
            }
            prop_assert!(dist.mean() >= 0.0, "{:?} has the mean {}", dist, dist.mean());
            prop_assert!(dist.variance().is_none_or(|variance| variance >= 0.0), "{:?} {:?}", dist, dist.variance());
            for p in [0.0, 0.5, 0.999, 1.0] {
                prop_assert!(dist.quantile(p).is_none_or(|value| value >= 0.0), "{:?} {:?}", dist, dist.quantile(p));
            }
        }
    }
}

/// Parameters of every magnitude.
fn parameter() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(1.0),
        0.0..10.0,
        (-300.0..300.0).prop_map(libm::exp10),
        (-12.0..12.0).prop_map(libm::exp10),
    ]
}

/// The first sample and a digest of ten thousand.
fn fingerprint(dist: &Dist) -> (f64, u64) {
    let mut stream = Stream::named(1, "golden");
    let first = dist.sample(&mut stream);
    let digest = (0..10_000).fold(first.to_bits(), |digest, _| mix(digest ^ dist.sample(&mut stream).to_bits()));
    (first, digest)
}

#[test]
fn samples_keep_their_values() {
    let exp = |mean| Dist::exp(mean).unwrap();
    let parts = vec![(1.0, exp(5e6)), (3.0, Dist::constant(1e6).unwrap())];
    let values = vec![1e6, 2e6, 7e6];
    let pinned: Vec<(Result<Dist, DistError>, (f64, u64))> = vec![
        (Dist::constant(5e6), (5_000_000.0, 0x4D53_3CA2_F1D2_B71F)),
        (Dist::exp(5e6), (171_477.463_563_361_12, 0x0A3D_82F4_11EE_77E4)),
        (Dist::uniform(1e6, 3e6), (1_041_685.562_627_266_5, 0xC354_2FC0_F6A8_D678)),
        (Dist::normal(5e6, 4e6), (5_126_874.430_256_592, 0xE7DA_1235_2C3C_00AD)),
        (Dist::lognormal(5e6, 0.8), (3_992_425.583_423_146_5, 0x9826_9609_44C3_30DC)),
        (Dist::lognormal_percentiles(5e6, 5e7), (5_159_463.112_843_463, 0x6005_AC0D_B392_0909)),
        (Dist::erlang(3, 5e6), (5_706_691.472_654_379, 0x00F1_2FBA_67B4_F639)),
        (Dist::erlang(9, 5e6), (4_866_877.487_313_643, 0x2BC6_F196_19B3_9FFD)),
        (Dist::gamma(5e6, 0.5), (4_659_673.937_479_69, 0x871F_DA74_7728_E064)),
        (Dist::gamma(5e6, 2.0), (2_282.921_241_508_266, 0xA6B5_4475_9361_7D90)),
        (Dist::weibull(5e6, 0.7), (31_921.136_355_405_368, 0x6F75_FB0C_EF31_CEE6)),
        (Dist::pareto(1e6, 1.5, None), (1_023_127.038_747_599_5, 0x7E17_1BE3_F134_2E60)),
        (Dist::pareto(1e6, 1.5, Some(1e9)), (1_014_140.636_244_238_2, 0xA04A_1C07_576B_D01D)),
        (Dist::hyperexp(5e6, 3.0), (2_992_269.813_634_013, 0x2636_E419_4A0C_D6A1)),
        (Dist::mixture(parts), (5_668_637.297_756_525, 0x5BF9_7477_69B4_03D2)),
        (Dist::shift(1e6, exp(5e6)), (1_171_477.463_563_361_2, 0xCA3B_B40E_015A_9969)),
        (Dist::empirical(values.clone(), None), (1_000_000.0, 0xF04B_3ECC_3AC0_F8C2)),
        (Dist::empirical(values, Some(vec![1.0, 2.0, 3.0])), (1_000_000.0, 0x154F_906B_2448_344B)),
        (Dist::geometric(4.0), (1.0, 0x4183_78FD_8C29_A556)),
        (Dist::poisson(4.0), (1.0, 0x91CA_BAD2_41F0_94B7)),
        (Dist::poisson(40.0), (42.0, 0x8248_AE02_8008_9CA0)),
    ];
    let mut changed = String::new();
    for (dist, expected) in pinned {
        let dist = dist.unwrap();
        let found = fingerprint(&dist);
        if found != expected {
            changed += &format!("{dist:?}: ({:?}, 0x{:016X})\n", found.0, found.1);
        }
    }
    assert!(changed.is_empty(), "results of all scenarios would change:\n{changed}");
}

#[test]
fn the_limits_of_the_checks_are_those_of_the_false_alarm() {
    assert!((2.0 * normal_cumulative(-STANDARD_ERRORS) / FALSE_ALARM - 1.0).abs() < 0.05);
}

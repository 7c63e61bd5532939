//! Goodness of fit: the Kolmogorov–Smirnov and chi-square tests, and the functions they need, by definition.

/// The probability that one check fails although everything is correct.
pub(crate) const FALSE_ALARM: f64 = 1e-7;
/// The number of standard errors that a normal estimate exceeds with that probability.
pub(crate) const STANDARD_ERRORS: f64 = 5.33;

/// The probability that a gamma variate of this shape and scale 1 is at most `x`: the power series below the mean, the
/// continued fraction (by Lentz's method) above it.
pub(crate) fn gamma_cumulative(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = libm::exp(shape * libm::log(x) - x - libm::lgamma(shape));
    if x < shape + 1.0 {
        let (mut term, mut sum, mut denominator) = (1.0 / shape, 1.0 / shape, shape);
        while term > sum * 1e-17 {
            denominator += 1.0;
            term *= x / denominator;
            sum += term;
        }
        return front * sum;
    }
    let mut b = x + 1.0 - shape;
    let (mut c, mut d) = (1e300, 1.0 / b);
    let mut fraction = d;
    for n in 1..10_000 {
        let a = -f64::from(n) * (f64::from(n) - shape);
        b += 2.0;
        d = 1.0 / (a * d + b);
        c = b + a / c;
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    1.0 - front * fraction
}

/// The probability that a chi-square variate with this many degrees of freedom exceeds `x`.
pub(crate) fn chi_square_tail(degrees: usize, x: f64) -> f64 {
    1.0 - gamma_cumulative(degrees as f64 / 2.0, x / 2.0)
}

/// The maximum distance between the empirical and the given distribution function, times the square root of the sample
/// size.
pub(crate) fn kolmogorov_smirnov(samples: &mut [f64], cumulative: impl Fn(f64) -> f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let number = samples.len() as f64;
    let mut distance = 0.0f64;
    for (index, &sample) in samples.iter().enumerate() {
        let expected = cumulative(sample);
        distance = distance.max(expected - index as f64 / number).max((index + 1) as f64 / number - expected);
    }
    distance * number.sqrt()
}

/// The distance that [`kolmogorov_smirnov`] exceeds with probability [`FALSE_ALARM`] (first term of the limiting
/// distribution).
pub(crate) fn kolmogorov_smirnov_limit() -> f64 {
    (libm::log(2.0 / FALSE_ALARM) / 2.0).sqrt()
}

/// Checks counts against probabilities by chi-square. Adjacent cells are merged until each has an expected count of
/// ten; the remaining probability (an infinite tail) forms one more cell.
pub(crate) fn assert_counts_fit(what: &str, counts: &[u64], probabilities: &[f64], total: u64) {
    assert_eq!(counts.len(), probabilities.len());
    let mut cells: Vec<(f64, f64)> = Vec::new();
    let (mut seen, mut expected) = (0.0, 0.0);
    let seen_rest = total - counts.iter().sum::<u64>();
    let rest = (1.0 - probabilities.iter().sum::<f64>()).max(0.0);
    let pairs = counts.iter().copied().zip(probabilities.iter().copied()).chain([(seen_rest, rest)]);
    for (count, probability) in pairs {
        seen += count as f64;
        expected += probability * total as f64;
        if expected >= 10.0 {
            cells.push((seen, expected));
            (seen, expected) = (0.0, 0.0);
        }
    }
    if let Some(last) = cells.last_mut() {
        *last = (last.0 + seen, last.1 + expected);
    }
    assert!(cells.len() > 1, "{what}: only one cell");
    let statistic: f64 = cells.iter().map(|(seen, expected)| (seen - expected) * (seen - expected) / expected).sum();
    let probability = chi_square_tail(cells.len() - 1, statistic);
    assert!(probability > FALSE_ALARM, "{what}: chi-square {statistic} in {} cells, {probability:e}", cells.len());
}

#[test]
fn chi_square_tails_are_those_of_the_published_tables() {
    for (degrees, x, expected) in
        [(1, 3.841_459, 0.05), (10, 18.307_04, 0.05), (10, 3.940_299, 0.95), (100, 149.449_253, 0.001)]
    {
        assert!((chi_square_tail(degrees, x) / expected - 1.0).abs() < 1e-6, "{degrees} {x}");
    }
}

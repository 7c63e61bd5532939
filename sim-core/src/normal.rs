//! Functions of the standard normal distribution, computed with `libm` so that the results are the same on every
//! machine.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The density of the standard normal at `x`.
pub fn density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x) / (2.0 * PI).sqrt()
}

/// The probability that a standard normal is at most `x`.
pub fn cumulative(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// The value that a standard normal does not exceed with this probability; infinite at 0 and 1.
///
/// A rational approximation good to 5e-4 (Abramowitz and Stegun, formula 26.2.23), improved by Halley's iteration, which
/// triples the correct digits each time.
pub fn quantile(probability: f64) -> f64 {
    let tail = probability.min(1.0 - probability);
    if tail <= 0.0 {
        return if probability <= 0.5 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let t = (-2.0 * libm::log(tail)).sqrt();
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    // The lower tail keeps its relative accuracy, so the computation uses it.
    let mut x = numerator / denominator - t;
    for _ in 0..3 {
        let step = (cumulative(x) - tail) / density(x);
        x -= step / (1.0 + 0.5 * x * step);
    }
    if probability <= 0.5 { x } else { -x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_published_tables() {
        let table = [
            (0.5, 0.0),
            (0.9, 1.281_551_565_544_6),
            (0.975, 1.959_963_984_540_05),
            (0.99, 2.326_347_874_040_84),
            (0.999, 3.090_232_306_167_81),
            (1e-9, -5.997_807_015_007_7),
        ];
        for (probability, expected) in table {
            let found = quantile(probability);
            assert!((found - expected).abs() < 1e-12, "{probability}: {found} instead of {expected}");
        }
        assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
    }
}

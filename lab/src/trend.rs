//! Trends over time: whether a number grows, and keeps growing to the end.

use crate::recovery::windows_between;
use crate::series::Series;

/// A number that rose and keeps rising.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Start of the observation, s …
    pub from_s: f64,
    /// … and its end, s.
    pub until_s: f64,
    /// Length of the first and last part whose means are compared, s.
    pub part_s: f64,
    /// Mean of the first part.
    pub first: f64,
    /// Mean of the last part.
    pub last: f64,
}

/// Number of parts in which growth is tested.
const PARTS: usize = 8;
/// Minimum ratio of the mean step between parts to its standard error. A random walk whose steps are correlated over no
/// more than one part exceeds it once in a hundred times.
const ERRORS_MIN: f64 = 3.0;

/// Whether a number grows between two instants: nearly every step from part to part, the last ones included, goes up, and
/// by more than chance. A number that levels off or stays the same does not grow.
pub fn growth(series: &Series, values: &[Option<f64>], from_s: f64, until_s: f64) -> Option<Growth> {
    let windows = windows_between(series, from_s, until_s);
    let size = windows.len() / PARTS;
    if size < 2 {
        return None;
    }
    // Leave out the remainder at the beginning.
    let known = &values.get(windows.end - size * PARTS..windows.end)?;
    let means: Option<Vec<f64>> =
        known.chunks(size).map(|part| part.iter().copied().sum::<Option<f64>>().map(|sum| sum / size as f64)).collect();
    let means = means?;
    let steps: Vec<f64> = means.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let count = steps.len() as f64;
    let mean = steps.iter().sum::<f64>() / count;
    let variance = steps.iter().map(|step| (step - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let ups = steps.iter().filter(|step| **step > 0.0).count();
    let rises_to_the_end = steps[steps.len() - 2..].iter().all(|step| *step > 0.0 && *step >= mean / 4.0);
    let is_growth = ups + 1 >= steps.len() && rises_to_the_end && mean >= ERRORS_MIN * (variance / count).sqrt();
    let part_s = size as f64 * series.window_s;
    let until_s = series.at_s[windows.end - 1] + series.window_s;
    is_growth.then(|| Growth {
        from_s: series.at_s[windows.end - size * PARTS],
        until_s,
        part_s,
        first: means[0],
        last: means[PARTS - 1],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A walk of approximately Gaussian steps around a trend, each made from a sum of uniform numbers.
    fn walk(seed: u64, trend: impl Fn(usize) -> f64, spread: f64) -> Series {
        let mut state = seed;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
        };
        let values = (0..120).map(|at| Some(trend(at) + spread * (0..6).map(|_| uniform()).sum::<f64>())).collect();
        let mut series = Series { window_s: 1.0, at_s: (0..120).map(f64::from).collect(), ..Series::default() };
        series.columns.insert("queue".to_owned(), values);
        series
    }

    fn grows(series: &Series) -> bool {
        growth(series, &series.columns["queue"], 0.0, 120.0).is_some()
    }

    #[test]
    fn what_rises_to_the_end_grows_and_what_has_filled_up_or_stays_does_not() {
        for seed in 1..=50 {
            assert!(grows(&walk(seed, |at| 12.0 * at as f64, 20.0)), "{seed}");
            assert!(grows(&walk(seed, |at| 0.2 * (at * at) as f64, 20.0)), "{seed}");
            assert!(!grows(&walk(seed, |at| (30.0 * at as f64).min(200.0), 0.0)), "full: {seed}");
            assert!(!grows(&walk(seed, |at| (3.0 * at as f64).min(200.0), 2.0)), "full late: {seed}");
            assert!(!grows(&walk(seed, |at| if at < 60 { at as f64 } else { 120.0 - at as f64 }, 2.0)), "{seed}");
        }
        // By chance less than once in a hundred walks.
        let alarms = (1..=1000).filter(|seed| grows(&walk(*seed, |_| 300.0, 20.0))).count();
        assert!(alarms < 10, "{alarms}");
        assert!(!grows(&walk(1, |_| 300.0, 0.0)));
    }
}

//! Reading the windowed series of a result: columns by path, totals over workloads, means between two instants, and
//! the episodes in which faults acted.

use lab::result::{RunResult, Series};

pub(crate) use lab::episodes::joined;
pub use lab::episodes::{Episode, calm_before, episodes, name_of as fault_name, watched_until};

/// The column of a metric, where it was recorded.
#[must_use]
pub fn column<'a>(result: &'a RunResult, path: &str) -> Option<&'a [Option<f64>]> {
    result.series.columns.get(path).map(Vec::as_slice)
}

/// The sum over all workloads of a metric, per window; a window is unknown only where all workloads are.
#[must_use]
pub fn workload_total(result: &RunResult, metric: &str) -> Vec<Option<f64>> {
    sum(result, workload_paths(result, metric))
}

/// The largest over all workloads of a metric, per window.
#[must_use]
pub fn workload_worst(result: &RunResult, metric: &str) -> Vec<Option<f64>> {
    combined(result, workload_paths(result, metric), f64::max)
}

/// The sum over all links of a metric, per window.
#[must_use]
pub fn link_total(result: &RunResult, metric: &str) -> Vec<Option<f64>> {
    let paths = result
        .links
        .iter()
        .flat_map(|(from, links)| links.keys().map(move |link| format!("links.{from}.{link}.{metric}")));
    sum(result, paths)
}

/// The sum of columns, per window; a window is unknown only where all are.
#[must_use]
pub fn sum(result: &RunResult, paths: impl Iterator<Item = String>) -> Vec<Option<f64>> {
    combined(result, paths, |sum, value| sum + value)
}

fn combined(
    result: &RunResult,
    paths: impl Iterator<Item = String>,
    join: impl Fn(f64, f64) -> f64,
) -> Vec<Option<f64>> {
    let mut total: Vec<Option<f64>> = vec![None; result.series.at_s.len()];
    for path in paths {
        let Some(values) = column(result, &path) else { continue };
        for (slot, value) in total.iter_mut().zip(values) {
            *slot = match (*slot, *value) {
                (Some(left), Some(right)) => Some(join(left, right)),
                (left, right) => left.or(right),
            };
        }
    }
    total
}

fn workload_paths(result: &RunResult, metric: &str) -> impl Iterator<Item = String> {
    result.workloads.keys().map(move |workload| format!("workloads.{workload}.{metric}"))
}

/// Mean of the known values of the windows that lie wholly in `from_s..until_s`; `None` where there are none.
#[must_use]
pub fn mean_between(series: &Series, values: &[Option<f64>], from_s: f64, until_s: f64) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0_u32;
    for (at_s, value) in series.at_s.iter().zip(values) {
        // A thousandth of a window forgives the rounding of instants that are sums of windows.
        let slack = series.window_s * 1e-3;
        if *at_s >= from_s - slack
            && at_s + series.window_s <= until_s + slack
            && let Some(value) = value
        {
            sum += value;
            count += 1;
        }
    }
    (count > 0).then(|| sum / f64::from(count))
}

/// When the simulated time ends, s.
#[must_use]
pub fn end_s(result: &RunResult) -> f64 {
    result.run.duration_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_takes_whole_windows_only() {
        let series = Series { window_s: 1.0, at_s: vec![0.0, 1.0, 2.0, 3.0], ..Series::default() };
        let values = [Some(1.0), Some(2.0), None, Some(100.0)];
        assert_eq!(mean_between(&series, &values, 0.0, 3.0), Some(1.5));
        assert_eq!(mean_between(&series, &values, 0.5, 2.0), Some(2.0));
        assert_eq!(mean_between(&series, &values, 2.0, 3.0), None);
    }
}

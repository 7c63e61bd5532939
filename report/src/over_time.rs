//! Access to the windowed series of a result: columns by path, totals over workloads, means between two instants, and
//! stretches of windows.

use lab::result::{FaultWindow, RunResult, Series};

/// The column of a metric, if it was recorded.
#[must_use]
pub fn column<'a>(result: &'a RunResult, path: &str) -> Option<&'a [Option<f64>]> {
    result.series.columns.get(path).map(Vec::as_slice)
}

/// The sum of a metric over all workloads, per window; a window is unknown only if it is unknown for all of them.
#[must_use]
pub fn workload_total(result: &RunResult, metric: &str) -> Vec<Option<f64>> {
    sum(result, workload_paths(result, metric))
}

/// The maximum of a metric over all workloads, per window.
#[must_use]
pub fn workload_worst(result: &RunResult, metric: &str) -> Vec<Option<f64>> {
    combined(result, workload_paths(result, metric), f64::max)
}

/// The sum of a metric over all links, per window.
#[must_use]
pub fn link_total(result: &RunResult, metric: &str) -> Vec<Option<f64>> {
    let paths = result
        .links
        .iter()
        .flat_map(|(from, links)| links.keys().map(move |link| format!("links.{from}.{link}.{metric}")));
    sum(result, paths)
}

/// The sum of columns, per window; a window is unknown only if it is unknown in all columns.
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

/// Mean of the known values of the windows that lie completely in `from_s..until_s`; `None` if there are none.
#[must_use]
pub fn mean_between(series: &Series, values: &[Option<f64>], from_s: f64, until_s: f64) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0_u32;
    for (at_s, value) in series.at_s.iter().zip(values) {
        // Tolerate a thousandth of a window, for rounding in instants that are sums of windows.
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

/// The end of the simulated time, s.
#[must_use]
pub fn end_s(result: &RunResult) -> f64 {
    result.run.duration_s
}

/// The name of a fault in a sentence, or its effect if it has no name.
#[must_use]
pub fn fault_name(fault: &FaultWindow) -> &str {
    fault.name.as_deref().unwrap_or(&fault.what)
}

/// Consecutive windows with a common property.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Number of windows.
    pub windows: usize,
    /// Start of the first, s.
    pub from_s: f64,
    /// End of the last, s.
    pub until_s: f64,
}

/// The stretches of whole windows in the measured time for which `holds` is true, in chronological order.
#[must_use]
pub fn stretches(result: &RunResult, holds: impl Fn(usize) -> bool) -> Vec<Stretch> {
    let series = &result.series;
    let mut found: Vec<Stretch> = Vec::new();
    let mut goes_on = false;
    for window in measured(result) {
        let holds = holds(window);
        let until_s = series.at_s[window] + series.window_s;
        match found.last_mut() {
            Some(last) if holds && goes_on => {
                last.windows += 1;
                last.until_s = until_s;
            }
            _ if holds => found.push(Stretch { windows: 1, from_s: series.at_s[window], until_s }),
            _ => {}
        }
        goes_on = holds;
    }
    found
}

/// The longest stretch; the first of several equal ones.
#[must_use]
pub fn longest(stretches: &[Stretch]) -> Option<Stretch> {
    stretches.iter().copied().reduce(|a, b| if b.windows > a.windows { b } else { a })
}

/// The windows that lie completely within the measured time.
#[must_use]
pub fn measured(result: &RunResult) -> std::ops::Range<usize> {
    lab::recovery::windows_between(&result.series, 0.0, end_s(result))
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn joined(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

/// Maximum number of windows in a chart; a page is a few hundred pixels wide.
pub(crate) const SHOWN_MAX: usize = 2_000;

/// The windows that a chart shows if there are more than [`SHOWN_MAX`]: the lowest and the highest of every stretch, so
/// that no peak and no dip is lost, and an unknown one where there is no other.
pub(crate) fn shown(windows: usize, height: impl Fn(usize) -> Option<f64>) -> Vec<usize> {
    if windows <= SHOWN_MAX {
        return (0..windows).collect();
    }
    let stretches = SHOWN_MAX / 2;
    let mut kept = Vec::with_capacity(SHOWN_MAX);
    for stretch in 0..stretches {
        let stretch = stretch * windows / stretches..(stretch + 1) * windows / stretches;
        let known = || stretch.clone().filter_map(|window| Some((window, height(window)?)));
        let lowest = known().min_by(|one, other| one.1.total_cmp(&other.1));
        let highest = known().max_by(|one, other| one.1.total_cmp(&other.1));
        let mut both: Vec<usize> = [lowest, highest].into_iter().flatten().map(|(window, _)| window).collect();
        if both.is_empty() {
            both.push(stretch.start);
        }
        both.sort_unstable();
        both.dedup();
        kept.extend(both);
    }
    kept
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

    #[test]
    fn stretches_are_of_whole_windows_of_the_measured_time() {
        let mut result = RunResult::default();
        result.run.duration_s = 9.5;
        result.series = Series { window_s: 1.0, at_s: (-2..10).map(f64::from).collect(), ..Series::default() };
        let at = |window: usize| window as f64 - 2.0;
        let found =
            stretches(&result, |window| at(window) < 2.0 || (5.0..6.0).contains(&at(window)) || at(window) > 7.0);
        let stretch = |windows, from_s, until_s| Stretch { windows, from_s, until_s };
        assert_eq!(found, [stretch(2, 0.0, 2.0), stretch(1, 5.0, 6.0), stretch(1, 8.0, 9.0)]);
        assert_eq!(longest(&found), Some(stretch(2, 0.0, 2.0)));
        assert_eq!(longest(&[]), None);
    }

    #[test]
    fn a_long_series_is_thinned_and_keeps_its_extremes() {
        let values: Vec<Option<f64>> = (0..86_400)
            .map(|n| match n {
                40_000 => Some(9.0),
                41_000 => Some(-9.0),
                50_000..60_000 => None,
                n => Some(f64::from(n % 7)),
            })
            .collect();
        let kept = shown(values.len(), |window| values[window]);
        assert!(kept.len() <= SHOWN_MAX && kept.is_sorted_by(|one, other| one < other), "{}", kept.len());
        assert!(kept.contains(&40_000) && kept.contains(&41_000), "the peak and the dip");
        let unknown = kept.iter().filter(|window| values[**window].is_none()).count();
        assert!((100..130).contains(&unknown), "the gap is still one: {unknown}");
        assert_eq!(shown(3, |_| None), [0, 1, 2]);
    }
}

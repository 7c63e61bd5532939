//! Reading the windowed series of a result: columns by path, totals over workloads, means between two instants, and
//! the episodes in which faults acted.

use lab::result::{FaultWindow, RunResult, Series};

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

/// Faults that overlap or touch in time, seen as one: they can only be recovered from together. What strikes after one that
/// never ends is an episode of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Names, in the order in which they struck: `slow-db and kill api`.
    pub name: String,
    /// How many faults it has.
    pub count: usize,
    /// When the first struck, s.
    pub at_s: f64,
    /// When the last ended; `None` where one never does.
    pub until_s: Option<f64>,
    /// The last instant at which one of them struck or ended, s.
    pub settled_s: f64,
}

/// What a fault is called in a sentence: its name, else what it does.
#[must_use]
pub fn fault_name(fault: &FaultWindow) -> &str {
    fault.name.as_deref().unwrap_or(&fault.what)
}

/// The episodes of a run, in the order of time.
#[must_use]
pub fn episodes(faults: &[FaultWindow]) -> Vec<Episode> {
    let mut sorted: Vec<&FaultWindow> = faults.iter().collect();
    sorted.sort_by(|left, right| left.at_s.total_cmp(&right.at_s));
    let mut episodes: Vec<(Episode, Vec<&str>)> = Vec::new();
    for fault in sorted {
        let settled_s = fault.until_s.unwrap_or(fault.at_s);
        if let Some((episode, names)) = episodes.last_mut()
            && fault.at_s <= episode.settled_s
        {
            episode.until_s = episode.until_s.zip(fault.until_s).map(|(left, right)| left.max(right));
            episode.settled_s = episode.settled_s.max(settled_s);
            names.push(fault_name(fault));
            continue;
        }
        let episode = Episode { name: String::new(), count: 0, at_s: fault.at_s, until_s: fault.until_s, settled_s };
        episodes.push((episode, vec![fault_name(fault)]));
    }
    let named =
        |(episode, names): (Episode, Vec<&str>)| Episode { name: joined(&names), count: names.len(), ..episode };
    episodes.into_iter().map(named).collect()
}

/// `a`, `a and b`, `a, b and 3 others`.
pub(crate) fn joined(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} others", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str, at_s: f64, until_s: Option<f64>) -> FaultWindow {
        FaultWindow { name: Some(name.to_owned()), at_s, until_s, ..FaultWindow::default() }
    }

    #[test]
    fn overlapping_faults_are_one_episode() {
        let faults = [fault("b", 15.0, Some(30.0)), fault("a", 10.0, Some(20.0)), fault("c", 40.0, None)];
        let found = episodes(&faults);
        assert_eq!(found.len(), 2);
        let together =
            Episode { name: "a and b".to_owned(), count: 2, at_s: 10.0, until_s: Some(30.0), settled_s: 30.0 };
        assert_eq!(found[0], together);
        assert_eq!(found[1].until_s, None);
    }

    #[test]
    fn what_strikes_after_a_fault_that_never_ends_is_an_episode_of_its_own() {
        let faults = [
            fault("for ever", 10.0, None),
            fault("a", 20.0, Some(30.0)),
            fault("b", 25.0, None),
            fault("c", 30.0, Some(40.0)),
            fault("d", 50.0, Some(60.0)),
        ];
        let found: Vec<(String, Option<f64>, f64)> =
            episodes(&faults).into_iter().map(|episode| (episode.name, episode.until_s, episode.settled_s)).collect();
        let expected = [("for ever", None, 10.0), ("a, b and c", None, 40.0), ("d", Some(60.0), 60.0)];
        assert_eq!(found, expected.map(|(name, until_s, settled_s)| (name.to_owned(), until_s, settled_s)));
    }

    #[test]
    fn a_mean_takes_whole_windows_only() {
        let series = Series { window_s: 1.0, at_s: vec![0.0, 1.0, 2.0, 3.0], ..Series::default() };
        let values = [Some(1.0), Some(2.0), None, Some(100.0)];
        assert_eq!(mean_between(&series, &values, 0.0, 3.0), Some(1.5));
        assert_eq!(mean_between(&series, &values, 0.5, 2.0), Some(2.0));
        assert_eq!(mean_between(&series, &values, 2.0, 3.0), None);
    }
}

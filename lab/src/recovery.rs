//! The baseline of a metric before faults, and its recovery afterwards; shared by objectives with `recovers` and the
//! findings of reports.

use crate::result::{FaultWindow, Series};

/// Half a nanosecond of tolerance for window borders, which are multiples of the width, in floating-point seconds.
pub(crate) const NEARLY: f64 = 0.5e-9;

/// Faults that overlap or touch in time, treated as one: the system can only recover from them together. A fault that never
/// ends is an episode of its own, whatever it overlaps, since the system can recover from others while it acts.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Indices in the list of faults, in the order in which they struck.
    pub faults: Vec<usize>,
    /// When the first struck, s.
    pub at_s: f64,
    /// When the last ended, s; `None` if one never does.
    pub until_s: Option<f64>,
}

impl Episode {
    /// The last instant at which one of its faults struck or ended, s.
    pub fn settled_s(&self) -> f64 {
        self.until_s.unwrap_or(self.at_s)
    }
}

/// The episodes of a run in chronological order.
pub fn episodes(faults: &[FaultWindow]) -> Vec<Episode> {
    let mut sorted: Vec<(usize, &FaultWindow)> = faults.iter().enumerate().collect();
    sorted.sort_by(|left, right| left.1.at_s.total_cmp(&right.1.at_s));
    let mut found: Vec<Episode> = Vec::new();
    for (number, fault) in sorted {
        let open = found.iter_mut().rfind(|episode| episode.until_s.is_some() == fault.until_s.is_some());
        match open {
            Some(episode) if fault.at_s <= episode.settled_s() + NEARLY => {
                episode.until_s = episode.until_s.zip(fault.until_s).map(|(left, right)| left.max(right));
                episode.faults.push(number);
            }
            _ => found.push(Episode { faults: vec![number], at_s: fault.at_s, until_s: fault.until_s }),
        }
    }
    found.sort_by(|left, right| left.at_s.total_cmp(&right.at_s));
    found
}

/// The range of windows that lie completely between two instants.
pub fn windows_between(series: &Series, from_s: f64, until_s: f64) -> std::ops::Range<usize> {
    let first = series.at_s.partition_point(|at_s| *at_s < from_s - NEARLY);
    let end = series.at_s.partition_point(|at_s| at_s + series.window_s <= until_s + NEARLY);
    first..end.max(first)
}

/// The baseline of an episode: the last stretch after the warm-up in which no fault struck, acted or ended. If other faults
/// end too shortly before the episode for a window in between, the stretch before them is used.
pub fn baseline(series: &Series, episodes: &[Episode], index: usize) -> Option<(f64, f64)> {
    let mut until_s = episodes.get(index)?.at_s;
    loop {
        let earlier = episodes.iter().filter(|other| other.at_s < until_s);
        let last = earlier.max_by(|left, right| left.settled_s().total_cmp(&right.settled_s()));
        let from_s = last.map_or(0.0, Episode::settled_s).max(0.0);
        if !windows_between(series, from_s, until_s).is_empty() {
            return Some((from_s, until_s));
        }
        until_s = last?.at_s;
    }
}

/// Start, s, of the first window at or after `from_s` from which every window is back for `hold_s`. The test of a window
/// covers `reach_s` from its start: its own width, or that of several windows.
pub fn back_at(
    series: &Series,
    from_s: f64,
    hold_s: f64,
    reach_s: f64,
    is_back: impl Fn(usize) -> bool,
) -> Option<f64> {
    let mut since = None;
    for (window, begins_s) in series.at_s.iter().enumerate().filter(|(_, begins_s)| **begins_s >= from_s - NEARLY) {
        if !is_back(window) {
            since = None;
            continue;
        }
        let first_s = *since.get_or_insert(*begins_s);
        if begins_s + reach_s - first_s >= hold_s - NEARLY {
            return Some(first_s);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(at_s: f64, until_s: Option<f64>) -> FaultWindow {
        FaultWindow { at_s, until_s, ..FaultWindow::default() }
    }

    fn episode(faults: &[usize], at_s: f64, until_s: Option<f64>) -> Episode {
        Episode { faults: faults.to_vec(), at_s, until_s }
    }

    fn seconds(until: u32) -> Series {
        Series { window_s: 1.0, at_s: (0..until).map(f64::from).collect(), ..Series::default() }
    }

    #[test]
    fn faults_that_overlap_or_touch_are_one_episode_and_those_without_end_are_apart() {
        let faults =
            [fault(15.0, Some(30.0)), fault(10.0, Some(20.0)), fault(30.0, Some(31.0)), fault(40.0, Some(40.0))];
        let expected = [episode(&[1, 0, 2], 10.0, Some(31.0)), episode(&[3], 40.0, Some(40.0))];
        assert_eq!(episodes(&faults), expected);
        let faults = [fault(10.0, None), fault(20.0, Some(30.0)), fault(25.0, None), fault(30.0, Some(40.0))];
        let expected = [episode(&[0], 10.0, None), episode(&[1, 3], 20.0, Some(40.0)), episode(&[2], 25.0, None)];
        assert_eq!(episodes(&faults), expected);
    }

    #[test]
    fn before_is_the_last_calm_stretch() {
        let before = |faults: &[FaultWindow], index: usize| baseline(&seconds(300), &episodes(faults), index);
        let outage = fault(60.0, Some(80.0));
        assert_eq!(before(std::slice::from_ref(&outage), 0), Some((0.0, 60.0)));
        // After a fault that has ended, or one with permanent changes.
        assert_eq!(before(&[fault(10.0, Some(20.0)), outage.clone()], 1), Some((20.0, 60.0)));
        assert_eq!(before(&[fault(10.0, None), outage.clone()], 1), Some((10.0, 60.0)));
        // A fault that ends as this one begins, and an endless one in the middle of it.
        assert_eq!(before(&[fault(55.0, Some(60.0)), outage.clone()], 0), Some((0.0, 55.0)));
        assert_eq!(before(&[fault(70.0, None), outage.clone()], 0), Some((0.0, 60.0)));
        assert_eq!(before(&[fault(70.0, None), outage.clone()], 1), Some((0.0, 60.0)));
        // No whole window lies in between.
        assert_eq!(before(&[fault(50.0, Some(59.5)), outage.clone()], 1), Some((0.0, 50.0)));
        assert_eq!(before(&[fault(59.5, None), outage.clone()], 1), Some((0.0, 59.0 + 0.5)));
        assert_eq!(before(&[fault(0.0, Some(60.0)), outage], 0), None);
    }

    #[test]
    fn it_is_back_from_the_first_window_that_holds() {
        let series = seconds(60);
        let back = |from_s: f64, hold_s: f64, good: &[std::ops::Range<usize>]| {
            back_at(&series, from_s, hold_s, 1.0, |window| good.iter().any(|range| range.contains(&window)))
        };
        assert_eq!(back(10.0, 5.0, &[0..12, 20..24, 30..60]), Some(30.0));
        assert_eq!(back(20.0, 4.0, &[0..12, 20..24, 30..60]), Some(20.0));
        assert_eq!(back(10.0, 5.0, &[0..9, 56..60]), None);
    }
}

//! Sparklines, and the time axis they share.

use lab::result::{FaultWindow, Series};

use super::paint::width;
use crate::over_time::fault_name;
use crate::units;

/// How windows that share a column are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// For rates and gauges.
    Mean,
    /// For latencies and queues, whose peaks matter.
    Max,
}

/// The time axis of all sparklines of a report: it maps windows to columns.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    from_s: f64,
    until_s: f64,
    windows: usize,
    columns: usize,
}

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Axis {
    /// An axis over all windows in at most `room` columns; `None` without windows.
    pub(crate) fn new(series: &Series, room: usize) -> Option<Axis> {
        let windows = series.at_s.len();
        let (first, last) = (series.at_s.first()?, series.at_s.last()?);
        // If there are few windows, each takes the same number of columns; otherwise columns share them evenly.
        let columns = if windows <= room { windows * (room / windows) } else { room };
        Some(Axis { from_s: *first, until_s: last + series.window_s, windows, columns })
    }

    /// One value per column.
    pub(crate) fn values(&self, windows: &[Option<f64>], join: Join) -> Vec<Option<f64>> {
        (0..self.columns)
            .map(|column| {
                let from = column * self.windows / self.columns;
                let until = ((column + 1) * self.windows).div_ceil(self.columns).max(from + 1);
                let until = if self.windows <= self.columns { from + 1 } else { until };
                let known: Vec<f64> = windows.iter().take(until).skip(from).filter_map(|value| *value).collect();
                match join {
                    _ if known.is_empty() => None,
                    Join::Mean => Some(known.iter().sum::<f64>() / known.len() as f64),
                    Join::Max => Some(known.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
                }
            })
            .collect()
    }

    /// The column in which an instant lies.
    fn column_of(&self, at_s: f64) -> usize {
        let share = (at_s - self.from_s) / (self.until_s - self.from_s);
        ((share * self.columns as f64 + 1e-9).floor().max(0.0) as usize).min(self.columns)
    }

    /// Labels of instants under the axis: the end of the warm-up, the start, and as many round instants as fit.
    pub(crate) fn labels(&self) -> String {
        let mut line: Vec<char> = vec![' '; self.columns + 8];
        let step_s = round_step((self.until_s - self.from_s) / 6.0);
        let first = (self.from_s / step_s).ceil() as i64;
        let last = (self.until_s / step_s).floor() as i64;
        // In order of importance: skip a label that would touch an earlier one.
        let mut instants = vec![0.0, self.from_s];
        instants.extend((first..=last).map(|step| step as f64 * step_s));
        for at_s in instants.into_iter().filter(|at_s| (self.from_s..=self.until_s).contains(at_s)) {
            let column = self.column_of(at_s);
            // Each label begins with a tick in its own column.
            let label: Vec<char> = std::iter::once('┊').chain(units::instant(at_s).chars()).collect();
            let room = column.saturating_sub(1)..(column + label.len() + 1).min(line.len());
            if column + label.len() <= line.len() && line[room].iter().all(|taken| *taken == ' ') {
                line[column..column + label.len()].copy_from_slice(&label);
            }
        }
        line.into_iter().collect::<String>().trim_end().to_owned()
    }

    /// Rows that show when faults or events act, `├─ slow-db ─┤`; a name that does not fit stands beside its mark. A fault goes
    /// to the first row with room for it.
    pub(crate) fn faults(&self, faults: &[FaultWindow], rows_max: usize) -> Vec<String> {
        // A fault that never acted has no place on the axis.
        let mut sorted: Vec<&FaultWindow> = faults.iter().filter(|fault| fault.at_s < self.until_s).collect();
        sorted.sort_by(|left, right| left.at_s.total_cmp(&right.at_s));
        let mut rows: Vec<Vec<char>> = Vec::new();
        let mut hidden = 0_usize;
        for fault in sorted {
            let start = self.column_of(fault.at_s.max(self.from_s)).min(self.columns - 1);
            let end = fault.until_s.map_or(self.columns, |until_s| self.column_of(until_s)).max(start + 1);
            let (mark, start) = self.mark(fault, start, end);
            let row = rows.iter().position(|row| row.len() < start || row.is_empty());
            let row = match row {
                Some(row) => row,
                None if rows.len() < rows_max => {
                    rows.push(Vec::new());
                    rows.len() - 1
                }
                None => {
                    hidden += 1;
                    continue;
                }
            };
            rows[row].resize(start, ' ');
            rows[row].extend(mark.chars());
        }
        let mut lines: Vec<String> = rows.into_iter().map(|row| row.into_iter().collect()).collect();
        if hidden > 0 {
            lines.push(format!("and {hidden} more"));
        }
        lines
    }

    /// The drawing of one fault and its first column: the name goes left of the mark if it fits nowhere else.
    fn mark(&self, fault: &FaultWindow, start: usize, end: usize) -> (String, usize) {
        let name = fault_name(fault);
        let span = end - start;
        let closed = fault.until_s.is_some_and(|until_s| until_s < self.until_s);
        let last = if closed { '┤' } else { '─' };
        if span >= width(name) + 4 {
            let rules = span - width(name) - 4;
            let rule = |count: usize| "─".repeat(count);
            return (format!("├{} {name} {}{last}", rule(rules / 2), rule(rules - rules / 2)), start);
        }
        let bar = match span {
            1 => "│".to_owned(),
            _ => format!("├{}{last}", "─".repeat(span - 2)),
        };
        let after = self.columns.saturating_sub(end + 1);
        if width(name) <= after {
            (format!("{bar} {name}"), start)
        } else if width(name) < start {
            (format!("{name} {bar}"), start - width(name) - 1)
        } else {
            let room = after.max(6);
            (format!("{bar} {}", units::shortened(name, room)), start)
        }
    }
}

/// One character per value, with a height in proportion to `top`; zero is the lowest bar, an unknown value is a blank.
pub(crate) fn bars(values: &[Option<f64>], top: f64) -> String {
    values
        .iter()
        .map(|value| match value {
            Some(value) if top > 0.0 => {
                let level = (value / top * 8.0).ceil().clamp(1.0, 8.0);
                LEVELS[level as usize - 1]
            }
            Some(_) => LEVELS[0],
            None => ' ',
        })
        .collect()
}

/// The smallest round length of at least `length_s`: a 1-2-5 step below 10 s, then a usual part of a minute, an hour or a
/// day, then whole days.
fn round_step(length_s: f64) -> f64 {
    const STEPS: [f64; 25] = [
        0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0,
        600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0, 43_200.0,
    ];
    STEPS.iter().copied().find(|step| *step >= length_s).unwrap_or_else(|| 86_400.0 * (length_s / 86_400.0).ceil())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(from_s: i32, until_s: i32) -> Series {
        Series { window_s: 1.0, at_s: (from_s..until_s).map(f64::from).collect(), ..Series::default() }
    }

    fn fault(name: &str, at_s: f64, until_s: Option<f64>) -> FaultWindow {
        FaultWindow { name: Some(name.to_owned()), at_s, until_s, ..FaultWindow::default() }
    }

    #[test]
    fn bars_start_at_zero_and_unknown_is_blank() {
        assert_eq!(bars(&[Some(0.0), Some(0.1), Some(4.0), None, Some(8.0)], 8.0), "▁▁▄ █");
        assert_eq!(bars(&[Some(0.0)], 0.0), "▁");
    }

    #[test]
    fn many_windows_share_columns_and_few_are_widened() {
        let wide = Axis::new(&series(0, 4), 10).expect("windows");
        assert_eq!(wide.columns, 8);
        let values = [Some(1.0), Some(2.0), None, Some(4.0)];
        assert_eq!(
            wide.values(&values, Join::Mean),
            [Some(1.0), Some(1.0), Some(2.0), Some(2.0), None, None, Some(4.0), Some(4.0)]
        );
        let narrow = Axis::new(&series(0, 4), 2).expect("windows");
        assert_eq!(narrow.values(&values, Join::Mean), [Some(1.5), Some(4.0)]);
        assert_eq!(narrow.values(&values, Join::Max), [Some(2.0), Some(4.0)]);
        assert!(Axis::new(&series(0, 0), 10).is_none());
    }

    #[test]
    fn the_axis_names_its_start_the_end_of_the_warm_up_and_round_instants() {
        let axis = Axis::new(&series(-30, 300), 66).expect("windows");
        assert_eq!(axis.labels(), "┊-30s ┊0s         ┊1m         ┊2m         ┊3m         ┊4m         ┊5m");
    }

    #[test]
    fn faults_stand_where_they_act() {
        let axis = Axis::new(&series(0, 60), 60).expect("windows");
        let rows = axis.faults(
            &[fault("slow-db", 10.0, Some(30.0)), fault("kill", 20.0, Some(21.0)), fault("forever", 40.0, None)],
            4,
        );
        assert_eq!(
            rows,
            ["          ├──── slow-db ─────┤          ├──── forever ──────", "                    │ kill",]
        );
    }

    #[test]
    fn a_short_fault_near_the_end_has_its_name_on_the_left() {
        let axis = Axis::new(&series(0, 60), 60).expect("windows");
        assert_eq!(axis.faults(&[fault("late-fault", 55.0, Some(57.0))], 4)[0].trim_start(), "late-fault ├┤");
    }
}

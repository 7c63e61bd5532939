//! The time series as CSV: one row per window, one column per metric, named by its path; unknown values are empty.

use std::io::{self, Write};

use lab::result::RunResult;

/// The series of a result, header first. `at_s` is the start of the window, in seconds after the end of the warm-up.
///
/// # Panics
/// Never: writing to memory cannot fail.
#[must_use]
pub fn to_csv(result: &RunResult) -> String {
    let mut bytes = Vec::new();
    write(result, &mut bytes).expect("memory takes every write");
    String::from_utf8(bytes).expect("names and numbers are UTF-8")
}

/// Writes the same CSV row by row.
///
/// # Errors
/// Any error of the writer.
pub fn write(result: &RunResult, to: &mut dyn Write) -> io::Result<()> {
    let series = &result.series;
    let mut writer = ::csv::Writer::from_writer(to);
    writer.write_record(std::iter::once("at_s").chain(series.columns.keys().map(String::as_str)))?;
    for (row, at_s) in series.at_s.iter().enumerate() {
        let values = series.columns.values().map(|column| number(column.get(row).copied().flatten()));
        writer.write_record(std::iter::once(number(Some(*at_s))).chain(values))?;
    }
    writer.flush()
}

/// The shortest digits that read back as the same number; empty if there is none.
fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::result::Series;

    #[test]
    fn each_window_is_a_row_and_unknown_is_empty() {
        let mut result = RunResult {
            series: Series { window_s: 0.5, at_s: vec![-0.5, 0.0], ..Series::default() },
            ..RunResult::default()
        };
        result.series.columns.insert("workloads.w.sent".to_owned(), vec![Some(2.0), Some(2.5)]);
        result.series.columns.insert("workloads.w.latency.p99_s".to_owned(), vec![None, Some(0.1)]);
        assert_eq!(to_csv(&result), "at_s,workloads.w.sent,workloads.w.latency.p99_s\n-0.5,2,\n0,2.5,0.1\n");
    }
}

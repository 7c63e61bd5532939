//! The evidence for a sentence: every figure in it, with its place in the result.

use crate::over_time;
use crate::units;
use lab::result::RunResult;

/// How a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share: `87 %`.
    Share,
    /// A share that is a bound: `95 %`.
    Bound,
    /// A measured time: `12.3 ms`.
    Time,
    /// An instant or a length of the scenario: `1m30s`.
    Instant,
    /// A whole number: `143,040`.
    Count,
    /// A number that need not be whole: `18.2`.
    Number,
    /// Something a second: `36.1/s`.
    Rate,
}

impl Unit {
    /// A figure as sentences have it.
    #[must_use]
    pub fn write(self, value: f64) -> String {
        match self {
            Unit::Share => units::share(value),
            Unit::Bound => format!("{:.0} %", value * 100.0),
            Unit::Time => units::time(value),
            Unit::Instant => units::instant(value),
            Unit::Count => units::grouped(value.round() as u64),
            Unit::Number => units::quantity(value),
            Unit::Rate => units::rate(value),
        }
    }
}

/// How several windows become one figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The mean of those in which it is known.
    Mean,
    /// The largest.
    Most,
    /// The smallest.
    Least,
    /// Of a rate, how many there were: the sum, times the width of a window.
    Total,
}

/// Where a figure comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A metric of the whole run, by its path in the language.
    Metric(String),
    /// Columns of the time series, added up window by window, over the windows that lie wholly between two instants.
    Windows {
        /// Their names.
        columns: Vec<String>,
        /// How the windows become one figure.
        how: How,
        /// From when, s …
        from_s: f64,
        /// … until when, s.
        until_s: f64,
    },
    /// Worked out by the rule, from other figures.
    Rule,
}

/// A figure that a sentence states or depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The name that the rule gives it.
    pub name: &'static str,
    /// Its value, in seconds, per second, or as a plain number.
    pub value: f64,
    /// How the sentence writes it.
    pub unit: Unit,
    /// Where it comes from.
    pub source: Source,
}

/// Collects the figures of one sentence while it is made; each way of stating one returns its words.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts(pub(super) Vec<Evidence>);

impl Facts {
    /// A metric of the whole run.
    pub(super) fn metric(&mut self, name: &'static str, unit: Unit, path: String, value: f64) -> String {
        self.state(Evidence { name, value, unit, source: Source::Metric(path) })
    }

    /// Something worked out.
    pub(super) fn rule(&mut self, name: &'static str, unit: Unit, value: f64) -> String {
        self.state(Evidence { name, value, unit, source: Source::Rule })
    }

    /// Columns over windows; `None` where none of them is known.
    pub(super) fn windows(
        &mut self,
        result: &RunResult,
        (name, unit): (&'static str, Unit),
        columns: Vec<String>,
        how: How,
        (from_s, until_s): (f64, f64),
    ) -> Option<f64> {
        let value = over_windows(result, &columns, how, from_s, until_s)?;
        self.state(Evidence { name, value, unit, source: Source::Windows { columns, how, from_s, until_s } });
        Some(value)
    }

    fn state(&mut self, evidence: Evidence) -> String {
        let words = evidence.unit.write(evidence.value);
        self.0.push(evidence);
        words
    }
}

/// Columns, added up, over the windows that lie wholly between two instants.
pub(super) fn over_windows(result: &RunResult, columns: &[String], how: How, from_s: f64, until_s: f64) -> Option<f64> {
    let sums = over_time::sum(result, columns.iter().cloned());
    let windows = lab::recovery::windows_between(&result.series, from_s, until_s);
    let known = sums.get(windows)?.iter().flatten().copied();
    let count = known.clone().count();
    match how {
        How::Mean => (count > 0).then(|| known.sum::<f64>() / count as f64),
        How::Most => known.reduce(f64::max),
        How::Least => known.reduce(f64::min),
        How::Total => (count > 0).then(|| known.sum::<f64>() * result.series.window_s),
    }
}

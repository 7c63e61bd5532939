//! The evidence behind a sentence: every figure in it, with its place in the result.

use crate::over_time;
use crate::units;
use lab::result::RunResult;

/// Format of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share: `87 %`.
    Share,
    /// A share that is a limit: `95 %`.
    Bound,
    /// A measured time: `12.3 ms`.
    Time,
    /// An instant or a length of the scenario: `1m30s`.
    Instant,
    /// A whole number: `143,040`.
    Count,
    /// A number that need not be whole: `18.2`.
    Number,
    /// A rate: `36.1/s`.
    Rate,
}

impl Unit {
    /// The figure as text for a sentence.
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

/// How the values of several windows are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The mean of the known values.
    Mean,
    /// The maximum.
    Most,
    /// The minimum.
    Least,
    /// For a rate, the number of events: the sum, times the width of a window.
    Total,
}

/// The origin of a figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A metric of the whole run, by its path in the language.
    Metric(String),
    /// The sum of columns of the time series, over the windows that lie completely between two instants.
    Windows {
        /// The columns' names.
        columns: Vec<String>,
        /// How the values of the windows are combined.
        how: How,
        /// Start, s …
        from_s: f64,
        /// … and end, s.
        until_s: f64,
    },
    /// Derived by the rule from other figures.
    Rule,
}

/// A figure that a sentence states or depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The name that the rule gives it.
    pub name: &'static str,
    /// Its value, in seconds, per second, or as a plain number.
    pub value: f64,
    /// Its format in the sentence.
    pub unit: Unit,
    /// Its origin.
    pub source: Source,
}

/// Collects the figures of a sentence under construction; each method adds a figure and returns its text.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts(pub(super) Vec<Evidence>);

impl Facts {
    /// Adds a metric of the whole run.
    pub(super) fn metric(&mut self, name: &'static str, unit: Unit, path: String, value: f64) -> String {
        self.state(Evidence { name, value, unit, source: Source::Metric(path) })
    }

    /// Adds a derived figure.
    pub(super) fn rule(&mut self, name: &'static str, unit: Unit, value: f64) -> String {
        self.state(Evidence { name, value, unit, source: Source::Rule })
    }

    /// Adds the sum of columns over windows; `None` if no value is known.
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

/// The sum of columns over the windows that lie completely between two instants.
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

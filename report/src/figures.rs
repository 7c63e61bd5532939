//! Formatting of metrics whose unit is only known at run time.

use lab::metrics::Unit;
use lab::statistics::Interval;
use language::quantity::{Kind, Quantity};

use crate::{charts, units, words};

/// A value of a metric, formatted.
#[must_use]
pub fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => units::time(value),
        Unit::PerSecond => units::rate(value),
        Unit::Fraction => units::share(value),
        Unit::Bytes => units::size(value),
        Unit::Count | Unit::Number => units::quantity(value),
    }
}

/// A change of a metric, with its sign.
#[must_use]
pub fn change(value: f64, unit: Unit) -> String {
    let sign = if value > 0.0 {
        "+"
    } else if value < 0.0 {
        "−"
    } else {
        ""
    };
    format!("{sign}{}", figure(value.abs(), unit))
}

/// The confidence level of an interval: `95 %`, `99.5 %`.
#[must_use]
pub fn confidence(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Mean ± half-width.
#[must_use]
pub fn interval(interval: Option<&Interval>, unit: Unit) -> String {
    let Some(interval) = interval else { return units::UNKNOWN.to_owned() };
    match interval.half_width {
        Some(half) if half > 0.0 => format!("{} ± {}", figure(interval.mean, unit), figure(half, unit)),
        _ => figure(interval.mean, unit),
    }
}

/// The ends of an interval, limited to possible values: none below zero, no share above one.
#[must_use]
pub fn ends(interval: &Interval, unit: Unit) -> Option<(f64, f64)> {
    interval.ends().map(|ends| cut_off(ends, interval.mean, unit))
}

/// The same limits for ends that are not symmetric around the mean.
#[must_use]
pub fn cut_off((low, high): (f64, f64), mean: f64, unit: Unit) -> (f64, f64) {
    let high = if unit == Unit::Fraction { high.min(1.0) } else { high };
    // A mean outside these limits would belong to an unknown kind of metric, which is left unchanged.
    (if mean >= 0.0 { low.max(0.0) } else { low }, high.max(mean))
}

/// The unit of an axis for a metric.
#[must_use]
pub fn chart_unit(unit: Unit) -> charts::Unit {
    match unit {
        Unit::Seconds => charts::Unit::Seconds,
        Unit::PerSecond => charts::Unit::PerSecond,
        Unit::Fraction => charts::Unit::Share,
        Unit::Count => charts::Unit::Count,
        Unit::Bytes => charts::Unit::Other("B".to_owned()),
        Unit::Number => charts::Unit::Other(String::new()),
    }
}

/// The axis of a metric, labelled in words.
#[must_use]
pub fn metric_axis(path: &str, unit: Unit) -> charts::Axis {
    let is_factor = unit == Unit::Number && (path.ends_with("amplification") || path.ends_with("_per_request"));
    charts::Axis::linear(words::metric(path), if is_factor { charts::Unit::Factor } else { chart_unit(unit) })
}

/// The unit of an axis for values of a setting.
#[must_use]
pub fn setting_unit(kind: Kind) -> charts::Unit {
    match kind {
        Kind::Count => charts::Unit::Count,
        Kind::Number => charts::Unit::Other(String::new()),
        Kind::Percent => charts::Unit::Share,
        Kind::Duration => charts::Unit::Seconds,
        Kind::Rate => charts::Unit::PerSecond,
        Kind::Size => charts::Unit::Other("B".to_owned()),
        Kind::Bandwidth => charts::Unit::Other("b/s".to_owned()),
        Kind::Money => charts::Unit::Other("per hour".to_owned()),
    }
}

/// All texts as quantities of one kind, if they are.
#[must_use]
pub fn quantities(texts: &[&str]) -> Option<(Kind, Vec<f64>)> {
    let read: Vec<Quantity> = texts.iter().map(|text| Quantity::parse(text)).collect::<Option<_>>()?;
    let kind = read.first()?.kind;
    let plain = |kind| matches!(kind, Kind::Count | Kind::Number);
    let same = read.iter().all(|quantity| quantity.kind == kind);
    let kind = if same { kind } else { Kind::Number };
    (same || read.iter().all(|quantity| plain(quantity.kind))).then(|| (kind, read.iter().map(|q| q.value).collect()))
}

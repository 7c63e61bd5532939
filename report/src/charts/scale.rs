//! Axes: the range of values they span, the round values within it, and their text.
//!
//! A [`Scale`] is a coordinate of the drawing library. Its ends follow the rules of [`super`]: a linear axis includes zero, and
//! an axis of measured values ends at a round value. Round steps come from the library, except for times.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

use super::text::text_width;
use super::{Axis, Unit};
use crate::units;

/// Beyond this limit, the difference of two values could be infinite; no measure comes near it.
const LARGEST: f64 = 1e100;

/// A value on an axis with a tick and a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) label: String,
}

/// An axis with its ends.
#[derive(Clone)]
pub(crate) struct Scale {
    pub(crate) log: bool,
    /// The ends; for a logarithmic axis, their logarithms.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The kind of its numbers, for scripts that write their own ticks.
    pub(crate) unit: &'static str,
    /// Divisor of the values as written.
    pub(crate) divisor: f64,
    /// Whether its ticks are named positions instead of round values.
    pub(crate) named: bool,
    pub(crate) ticks: Vec<Tick>,
    /// The label with its unit, as written beside the axis.
    pub(crate) title: String,
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        // Use our own logarithms: those of the platform may differ in the last digit.
        let value = if self.log { libm::log10(*value) } else { *value };
        // The library adds integers, which must not overflow. All positions far outside are equivalent.
        let far = 100.0 * (self.high - self.low);
        let value = value.clamp(self.low - far, self.high + far);
        RangedCoordf64::from(self.low..self.high).map(&value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // No grid lines between those with a text.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|tick| tick.value).collect()
    }

    fn range(&self) -> Range<f64> {
        let end = |end: f64| if self.log { libm::pow(10.0, end) } else { end };
        end(self.low)..end(self.high)
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|tick| tick.value == *value).map_or_else(String::new, |tick| tick.label.clone())
    }
}

impl Scale {
    /// An axis over measured values. Linear axes include zero and end at a round value; logarithmic ones leave out values that
    /// are not positive and say so.
    pub(crate) fn new(axis: &Axis, values: impl Iterator<Item = f64>, wanted: usize) -> Scale {
        Scale::build(axis, values, wanted, axis.log, true)
    }

    /// The same, always linear: for lengths that must be proportional to values.
    pub(crate) fn proportional(axis: &Axis, values: impl Iterator<Item = f64>, wanted: usize) -> Scale {
        Scale::build(axis, values, wanted, false, true)
    }

    /// An axis of chosen values, not measured ones: from the smallest to the largest value, without zero and without rounding.
    pub(crate) fn exact(axis: &Axis, values: impl Iterator<Item = f64>, wanted: usize) -> Scale {
        Scale::build(axis, values, wanted, axis.log, false)
    }

    fn build(axis: &Axis, values: impl Iterator<Item = f64>, wanted: usize, log: bool, rounded: bool) -> Scale {
        let mut dropped = false;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.abs() <= LARGEST) {
            if log && value <= 0.0 {
                dropped = true;
                continue;
            }
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = if log { (1.0, 10.0) } else { (0.0, 1.0) };
        }
        let mut scale =
            if log { logarithmic(axis, low, high, rounded) } else { linear(axis, low, high, wanted, rounded) };
        if log {
            let what = if dropped { "log scale, zeros not shown" } else { "log scale" };
            scale.title = format!("{} ({what})", scale.title);
        }
        scale
    }

    /// An axis without numbers, for lanes one below another.
    pub(crate) fn lanes() -> Scale {
        let plain = Axis::linear("", Unit::Count);
        Scale { ticks: Vec::new(), ..Scale::exact(&plain, [0.0, 1.0].into_iter(), 2) }
    }

    /// Whether a value can be shown: a logarithmic axis needs positive values.
    pub(crate) fn shows(&self, value: f64) -> bool {
        value.abs() <= LARGEST && (!self.log || value > 0.0)
    }

    /// The position of a value, 0 at the low end and 1 at the high end; `None` if it cannot be shown.
    pub(crate) fn share(&self, value: f64) -> Option<f64> {
        let along = if self.log { libm::log10(value) } else { value };
        self.shows(value).then(|| (along - self.low) / (self.high - self.low))
    }

    /// Width of the widest tick label, pixels.
    pub(crate) fn widest(&self, size: f64) -> f64 {
        self.ticks.iter().map(|tick| text_width(&tick.label, size)).fold(0.0, f64::max)
    }

    /// For a horizontal axis of this length in pixels: drops labels that would touch their neighbours.
    pub(crate) fn thinned(mut self, length: f64, size: f64, apart: f64) -> Scale {
        let mut free_from = f64::NEG_INFINITY;
        let at: Vec<f64> = self.ticks.iter().map(|tick| self.share(tick.value).unwrap_or(0.0) * length).collect();
        for (tick, at) in self.ticks.iter_mut().zip(at) {
            let half = text_width(&tick.label, size) / 2.0;
            if at - half < free_from {
                tick.label.clear();
            } else {
                free_from = at + half + apart;
            }
        }
        self
    }
}

fn linear(axis: &Axis, low: f64, high: f64, wanted: usize, rounded: bool) -> Scale {
    let (mut low, mut high) = if rounded { (low.min(0.0), high.max(0.0)) } else { (low, high) };
    if low == high {
        // Extend the range around a single value.
        let reach = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
        high += reach;
        if !rounded || low < 0.0 {
            low -= reach;
        }
    }
    let step = step(&axis.unit, low, high, wanted);
    if rounded {
        low = (low / step + 1e-9).floor() * step;
        high = (high / step - 1e-9).ceil() * step;
    }
    let (divisor, unit_name) = unit_of(&axis.unit, low.abs().max(high.abs()));
    let decimals = decimals_of(step / divisor);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    let ticks = (first..=last)
        .map(|number| {
            let value = number as f64 * step;
            Tick { value, label: tick_text(&axis.unit, value, divisor, decimals) }
        })
        .collect();
    Scale {
        log: false,
        low,
        high,
        unit: unit_key(&axis.unit),
        divisor,
        named: false,
        ticks,
        title: titled(axis, &unit_name),
    }
}

/// The step between round values: the library's or, for times, a round part of a minute, an hour or a day. Counts get whole
/// steps.
fn step(unit: &Unit, low: f64, high: f64, wanted: usize) -> f64 {
    const OF_TIME: [f64; 15] =
        [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0];
    const OF_DAYS: [f64; 4] = [21_600.0, 43_200.0, 86_400.0, 172_800.0];
    let least = (high - low) / wanted.max(2) as f64;
    if *unit == Unit::Instant
        && least > 0.5
        && let Some(step) = OF_TIME.iter().chain(&OF_DAYS).copied().find(|step| *step >= least)
    {
        return step;
    }
    // The library takes a logarithm of the platform. Scaling the range to six digits between 1 and 10 makes the logarithm's
    // whole part the same everywhere; the differences that the library takes also need values near one.
    let size = libm::pow(10.0, libm::log10(high - low).floor());
    let span: f64 = format!("{:.5}", (high - low) / size).parse().unwrap_or(1.0);
    let round = RangedCoordf64::from(0.0..span).key_points(wanted.max(2) + 1);
    let step = round.get(1).map_or(least, |second| (second - round[0]) * size);
    // Drop digits that come from the division.
    let step = format!("{step:.9e}").parse().unwrap_or(step);
    if *unit == Unit::Count { step.max(1.0) } else { step }
}

fn logarithmic(axis: &Axis, low: f64, high: f64, rounded: bool) -> Scale {
    let (mut low, mut high) = (libm::log10(low), libm::log10(high));
    if rounded {
        low = libm::log10(round_beside(low, false));
        high = libm::log10(round_beside(high, true));
    }
    if high - low < 0.3 {
        (low, high) = (low - 0.2, high + 0.2);
    }
    // With many decades only they get labels; with few, their multiples by 2 and 5 as well. (The library's own logarithmic
    // coordinate labels decades only.)
    let parts: &[f64] = match high - low {
        decades if decades > 3.2 => &[1.0],
        decades if decades > 1.6 => &[1.0, 3.0],
        _ => &[1.0, 2.0, 5.0],
    };
    let stride = (((high - low) / 7.0).ceil() as i32).max(1);
    let mut ticks = Vec::new();
    for decade in (low.floor() as i32)..=(high.ceil() as i32) {
        if decade.rem_euclid(stride) != 0 {
            continue;
        }
        for part in parts {
            let value = part * libm::pow(10.0, f64::from(decade));
            let at = libm::log10(value);
            if at >= low - 1e-9 && at <= high + 1e-9 {
                ticks.push(Tick { value, label: lone_text(&axis.unit, value) });
            }
        }
    }
    // Each value has its own unit, since units change along the axis.
    Scale {
        log: true,
        low,
        high,
        unit: unit_key(&axis.unit),
        divisor: 1.0,
        named: false,
        ticks,
        title: titled(axis, &unit_word(&axis.unit)),
    }
}

/// The next value of the form 1, 2 or 5 times a power of ten, above or below one given by its logarithm.
fn round_beside(logarithm: f64, above: bool) -> f64 {
    let decade = libm::pow(10.0, logarithm.floor());
    let part = libm::pow(10.0, logarithm - logarithm.floor());
    let parts = [1.0, 2.0, 5.0, 10.0];
    let chosen = if above {
        parts.into_iter().find(|round| *round >= part - 1e-9).unwrap_or(10.0)
    } else {
        parts.into_iter().rev().find(|round| *round <= part + 1e-9).unwrap_or(1.0)
    };
    chosen * decade
}

/// Number of decimals that a step needs.
fn decimals_of(step: f64) -> usize {
    (0..6)
        .find(|decimals| {
            let scaled = step * libm::pow(10.0, *decimals as f64);
            (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
        })
        .unwrap_or(6)
}

/// The divisor of the values on a linear axis, and the name of the resulting unit.
fn unit_of(unit: &Unit, largest: f64) -> (f64, String) {
    match unit {
        Unit::Seconds if largest < 0.999e-3 => (1e-6, "µs".to_owned()),
        Unit::Seconds if largest < 0.999 => (1e-3, "ms".to_owned()),
        Unit::Seconds if largest >= 7200.0 => (3600.0, "h".to_owned()),
        Unit::Seconds => (1.0, "s".to_owned()),
        other => (1.0, unit_word(other)),
    }
}

fn unit_key(unit: &Unit) -> &'static str {
    match unit {
        Unit::Seconds => "seconds",
        Unit::Instant => "instant",
        Unit::Share => "share",
        Unit::Factor => "factor",
        Unit::PerSecond | Unit::Count | Unit::Other(_) => "plain",
    }
}

fn unit_word(unit: &Unit) -> String {
    match unit {
        Unit::Seconds | Unit::Instant | Unit::Share | Unit::Count | Unit::Factor => String::new(),
        Unit::PerSecond => "per second".to_owned(),
        Unit::Other(text) => text.clone(),
    }
}

fn titled(axis: &Axis, unit: &str) -> String {
    match (axis.label.is_empty(), unit.is_empty()) {
        (_, true) => axis.label.clone(),
        (true, false) => unit.to_owned(),
        // `requests per second`, but `latency, ms`.
        (false, false) if axis.unit == Unit::PerSecond => format!("{} {unit}", axis.label),
        (false, false) => format!("{}, {unit}", axis.label),
    }
}

/// A value on a linear axis, whose unit is in the title.
fn tick_text(unit: &Unit, value: f64, divisor: f64, decimals: usize) -> String {
    match unit {
        Unit::Seconds => format!("{:.decimals$}", value / divisor),
        Unit::Instant => units::instant(value),
        Unit::Share => format!("{:.*} %", decimals.saturating_sub(2), value * 100.0),
        Unit::Factor => format!("×{value:.decimals$}"),
        Unit::PerSecond | Unit::Count | Unit::Other(_) => plain_text(value, decimals),
    }
}

/// `0`, `2.5`, `1,200`, `150 k`, `2.5 M`.
fn plain_text(value: f64, decimals: usize) -> String {
    let magnitude = value.abs();
    let sign = if value < 0.0 { "−" } else { "" };
    let short = |scaled: f64, suffix: &str| {
        let text = format!("{scaled:.3}");
        format!("{sign}{} {suffix}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    if magnitude >= 1e9 {
        short(magnitude / 1e9, "G")
    } else if magnitude >= 1e6 {
        short(magnitude / 1e6, "M")
    } else if magnitude >= 1e4 {
        short(magnitude / 1e3, "k")
    } else if decimals == 0 && magnitude >= 1e3 {
        format!("{sign}{}", units::grouped(magnitude.round() as u64))
    } else {
        format!("{sign}{magnitude:.decimals$}")
    }
}

/// Whole percentages, with tenths below ten; truncated, so that only the whole is 100 %.
fn short_share(share: f64) -> String {
    let percent = share * 100.0;
    let text = if percent.abs() >= 9.95 {
        format!("{:.0}", if percent > 99.0 && percent < 100.0 { 99.0 } else { percent })
    } else {
        format!("{percent:.1}").trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    format!("{text} %")
}

/// A value with its unit: on a logarithmic axis, in a cell, at the end of a bar.
pub(crate) fn lone_text(unit: &Unit, value: f64) -> String {
    let short = |text: String| {
        // Round values need no digits: `100 ms`, not `100.0 ms`.
        match text.split_once(' ') {
            Some((number, unit)) if number.contains('.') => {
                format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
            }
            None if text.contains('.') => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            _ => text,
        }
    };
    match unit {
        Unit::Seconds => short(units::time(value)),
        Unit::Instant => units::instant(value),
        Unit::Share => short_share(value),
        Unit::Factor => format!("×{}", short(units::quantity(value))),
        Unit::PerSecond | Unit::Count | Unit::Other(_) => {
            if (0.0..0.001).contains(&value.abs()) && value != 0.0 {
                format!("{value:e}")
            } else {
                short(units::quantity(value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, values: &[f64], wanted: usize) -> Vec<String> {
        Scale::new(axis, values.iter().copied(), wanted).ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn linear_axes_include_zero_and_end_at_a_round_value() {
        let axis = Axis::linear("goodput", Unit::PerSecond);
        assert_eq!(labels(&axis, &[900.0, 1170.0], 5), ["0", "200", "400", "600", "800", "1,000", "1,200"]);
        assert_eq!(labels(&axis, &[143_000.0], 4), ["0", "50 k", "100 k", "150 k"]);
        assert_eq!(Scale::new(&axis, [1.0].into_iter(), 4).title, "goodput per second");
    }

    #[test]
    fn a_latency_axis_has_one_unit_and_its_title_names_it() {
        let axis = Axis::linear("p99", Unit::Seconds);
        let scale = Scale::new(&axis, [0.043].into_iter(), 5);
        assert_eq!(scale.title, "p99, ms");
        assert_eq!(scale.ticks.last().map(|tick| tick.label.as_str()), Some("50"));
        assert_eq!(labels(&axis, &[2.3], 5), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
    }

    #[test]
    fn a_logarithmic_axis_says_so_and_admits_what_it_leaves_out() {
        let axis = Axis::log("p99", Unit::Seconds);
        let scale = Scale::new(&axis, [0.0012, 2.7].into_iter(), 5);
        assert_eq!(scale.title, "p99 (log scale)");
        let labels: Vec<&str> = scale.ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(labels, ["1 ms", "10 ms", "100 ms", "1 s"]);
        assert!(!scale.shows(0.0) && scale.share(0.0).is_none());
        let with_zero = Scale::new(&axis, [0.0, 0.01, 1.0].into_iter(), 5);
        assert_eq!(with_zero.title, "p99 (log scale, zeros not shown)");
    }

    #[test]
    fn time_has_steps_of_clocks() {
        let axis = Axis::linear("time", Unit::Instant);
        let scale = Scale::exact(&axis, [-30.0, 300.0].into_iter(), 8);
        let labels: Vec<&str> = scale.ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(labels, ["0s", "1m", "2m", "3m", "4m", "5m"]);
        assert!((scale.share(0.0).expect("linear") - 30.0 / 330.0).abs() < 1e-12);
    }

    #[test]
    fn shares_are_written_in_per_cent() {
        let axis = Axis::linear("utilisation", Unit::Share);
        assert_eq!(labels(&axis, &[0.97], 5), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        assert_eq!(labels(&axis, &[0.021], 5), ["0.0 %", "0.5 %", "1.0 %", "1.5 %", "2.0 %", "2.5 %"]);
    }

    #[test]
    fn values_that_stand_alone_are_short_and_never_rounded_to_all() {
        let cases = [(0.5, "50 %"), (0.95, "95 %"), (0.9996, "99 %"), (1.0, "100 %"), (0.054, "5.4 %"), (0.02, "2 %")];
        for (share, expected) in cases {
            assert_eq!(lone_text(&Unit::Share, share), expected);
        }
        assert_eq!(lone_text(&Unit::Seconds, 0.1), "100 ms");
        assert_eq!(lone_text(&Unit::Seconds, 0.0015), "1.5 ms");
    }

    #[test]
    fn nothing_at_all_still_has_an_axis() {
        let axis = Axis::linear("queue", Unit::Count);
        assert_eq!(labels(&axis, &[], 5), ["0", "1"]);
        assert_eq!(labels(&axis, &[0.0], 5), ["0", "1"]);
        assert_eq!(labels(&axis, &[f64::NAN, f64::INFINITY], 5), ["0", "1"]);
    }
}

//! The charts of a sweep: those requested, or else one for each metric.
//!
//! The axis with the most values is horizontal. The next one separates lines, or is the vertical axis of a heat map if there
//! would be too many lines; all others make small multiples, or a heat map each. Nothing is averaged over an axis, and if
//! there is more to draw than can be read, the chart states how much is left out.

use std::collections::BTreeSet;

use lab::metrics::Unit as MetricUnit;
use lab::sweep::{ChartForm, ChartWanted, Swept, SweptPoint};

use super::last_words;
use crate::charts::{Axis, BarGroup, Bound, Chart, Contour, Kind, Line, NamedChart, Panel, Point, Size, Unit};
use crate::{figures, words};

/// Maximum number of lines in one chart; more cannot be distinguished.
const LINES_MAX: usize = 8;
/// Maximum number of panels in one chart.
const PANELS_MAX: usize = 12;
/// Maximum number of heat maps of one metric: one for each combination of the remaining axes.
const MAPS_MAX: usize = 12;

/// The requested charts, or else one for each metric against each axis.
#[must_use]
pub fn charts(swept: &Swept) -> Vec<NamedChart> {
    let wanted = swept.charts.clone().unwrap_or_else(|| usual_charts(swept));
    let mut charts: Vec<NamedChart> = Vec::new();
    for chart in &wanted {
        for drawn in draw(swept, chart).unwrap_or_default() {
            let base = file_name(chart);
            let twins = charts.iter().filter(|other| other.name.starts_with(&base)).count();
            let name = if twins > 0 { format!("{base}-{}", twins + 1) } else { base };
            charts.push(NamedChart { name, chart: drawn });
        }
    }
    charts
}

fn usual_charts(swept: &Swept) -> Vec<ChartWanted> {
    let chart = |x: usize, value: &String, group: Option<usize>, kind| ChartWanted {
        x: swept.axes[x].clone(),
        value: value.clone(),
        group: group.map(|axis| swept.axes[axis].clone()),
        kind,
    };
    if swept.one_at_a_time {
        let each = |value| (0..swept.axes.len()).map(move |axis| chart(axis, value, None, ChartForm::Line));
        return swept.metrics.iter().flat_map(each).collect();
    }
    let length = |axis: usize| distinct(swept, axis).len();
    let Some(x) = longest_axis(swept) else { return Vec::new() };
    // Axes varied together (`zip`) do not separate lines.
    let others = (0..swept.axes.len()).filter(|axis| *axis != x && length(x) < swept.points.len());
    let group = others.max_by_key(|axis| length(*axis));
    let map = group.is_some_and(|group| length(group) > LINES_MAX);
    let kind = if map { ChartForm::HeatMap } else { ChartForm::Line };
    swept.metrics.iter().map(|value| chart(x, value, group, kind)).collect()
}

/// The axis with the most values.
pub(super) fn longest_axis(swept: &Swept) -> Option<usize> {
    (0..swept.axes.len()).rev().max_by_key(|axis| distinct(swept, *axis).len())
}

fn file_name(chart: &ChartWanted) -> String {
    let name = format!("{}-by-{}", chart.value, chart.x);
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    name.trim_matches('-').to_owned()
}

/// The distinct values of an axis, in order of first occurrence.
pub(super) fn distinct(swept: &Swept, axis: usize) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    swept.points.iter().map(|point| point.values[axis].as_str()).filter(|text| seen.insert(*text)).collect()
}

/// The metric drawn.
#[derive(Clone, Copy)]
struct Metric {
    number: usize,
    unit: MetricUnit,
    /// Whether it is an event: 0 or 1 in each run.
    is_event: bool,
}

/// The inputs of all parts of a chart.
struct Drawing<'s> {
    swept: &'s Swept,
    chart: &'s ChartWanted,
    /// Index of the horizontal axis, and of the one that separates lines.
    x: usize,
    group: Option<usize>,
    metric: Metric,
}

fn draw(swept: &Swept, chart: &ChartWanted) -> Option<Vec<Chart>> {
    let x = swept.axes.iter().position(|axis| *axis == chart.x)?;
    let group = chart.group.as_ref().and_then(|group| swept.axes.iter().position(|axis| axis == group));
    let number = swept.metrics.iter().position(|metric| *metric == chart.value)?;
    let is_event = lab::metrics::is_event(&chart.value);
    let metric = Metric { number, unit: swept.units[number], is_event };
    let it = Drawing { swept, chart, x, group, metric };
    // In a design that varies one axis at a time, points that vary another axis do not belong here.
    let belongs =
        |point: &&SweptPoint| !swept.one_at_a_time || point.varied.iter().enumerate().all(|(a, v)| !v || a == x);
    let points: Vec<&SweptPoint> = swept.points.iter().filter(belongs).collect();
    let texts = distinct(swept, x);
    let y = figures::metric_axis(&chart.value, metric.unit);
    let numbers = figures::quantities(&texts);
    let title = |of: String| {
        let (value, along) = (words::capital(&words::metric(&chart.value)), words::setting(&chart.x));
        format!("{value} against {along}{of}")
    };
    let drawn = |of: String, drawn_of: String, x: Axis, y: Axis, kind: Kind| Chart {
        title: title(of),
        subtitle: format!("{}{drawn_of}", it.subtitle(&points)),
        x,
        y,
        bounds: it.bounds(),
        kind,
        size: Size::default(),
    };
    let Some((kind, values)) = numbers.filter(|_| chart.kind != ChartForm::Bars) else {
        let (kind, told) = it.bars(&points, &texts);
        let along = Axis::linear(words::setting(&chart.x), Unit::Other(String::new()));
        return Some(vec![drawn(String::new(), told, along, y, kind)]);
    };
    let columns = ascending(&values, &texts);
    let along = |log| Axis { label: words::setting(&chart.x), unit: figures::setting_unit(kind), log };
    if let Some(group) = group.filter(|_| chart.kind == ChartForm::HeatMap) {
        let combinations = it.combinations(&points);
        let all = combinations.len();
        let maps = combinations.into_iter().take(MAPS_MAX).filter_map(|(name, points)| {
            let (vertical, kind) = it.heat_map(group, &points, &columns, &y)?;
            let told =
                if name.is_empty() { String::new() } else { format!("; {name}{}", shown(MAPS_MAX, all, "maps")) };
            let of = format!(" and {}", words::setting(&swept.axes[group]));
            // The vertical axis is a setting, so the bound is drawn as a contour.
            Some(Chart { bounds: Vec::new(), ..drawn(of, told, along(false), vertical, kind) })
        });
        let maps: Vec<Chart> = maps.collect();
        if !maps.is_empty() {
            return Some(maps);
        }
    }
    // Values in geometric progression are best shown at equal distances.
    let log = columns.len() > 2 && spans_a_decade(columns.iter().map(|(value, _)| *value), 50.0);
    let (kind, told) = it.curves(&points, &columns);
    let means = points.iter().filter_map(|point| point.interval(metric.number)).map(|interval| interval.mean);
    let grows = matches!(metric.unit, MetricUnit::Seconds | MetricUnit::Count | MetricUnit::Bytes);
    let y = Axis { log: y.log || grows && spans_a_decade(means, 10.0), ..y };
    Some(vec![drawn(String::new(), told, along(log), y, kind)])
}

/// Whether positive values span at least this ratio; a logarithmic axis would hide a value that is not positive.
fn spans_a_decade(values: impl Iterator<Item = f64>, ratio: f64) -> bool {
    let (least, most) =
        values.fold((f64::INFINITY, 0.0f64), |(least, most), value| (least.min(value), most.max(value)));
    least > 0.0 && least.is_finite() && most / least >= ratio
}

/// `; 12 of 42 panels` if not all are shown.
fn shown(most: usize, all: usize, what: &str) -> String {
    if all > most { format!("; {most} of {all} {what}") } else { String::new() }
}

impl Drawing<'_> {
    fn subtitle(&self, points: &[&SweptPoint]) -> String {
        let swept = self.swept;
        let mut text = match swept.replications {
            1 => format!("{}; one run per point", swept.name),
            runs => format!("{}; {runs} runs per point, 95 % intervals", swept.name),
        };
        let failed = points.iter().filter(|point| point.error().is_some()).count();
        if failed > 0 {
            text.push_str(&format!("; {failed} points failed"));
        }
        text
    }

    /// The bounds that objectives set for the metric.
    fn bounds(&self) -> Vec<Bound> {
        // Objectives apply to percentiles of all requests sent; those of answered requests are shown beside the bound, too.
        let is_of = |metric: &str| {
            *metric == self.chart.value || metric.replace(".latency_all.", ".latency.") == self.chart.value
        };
        let of = self.swept.bounds.iter().filter(|bound| is_of(&bound.metric));
        let bound = |bound: &lab::sweep::Bound| Bound {
            value: bound.value,
            name: format!(
                "objective {}: {} {}",
                bound.name,
                if bound.below { "at most" } else { "at least" },
                figures::figure(bound.value, self.metric.unit)
            ),
        };
        of.map(bound).collect()
    }

    fn mean(&self, points: &[&SweptPoint], text: &str) -> Option<Mean> {
        mean_of(points, self.x, text, self.metric)
    }

    fn bars(&self, points: &[&SweptPoint], texts: &[&str]) -> (Kind, String) {
        // With a third axis, all but the horizontal one separate groups.
        let group = self.group.filter(|_| self.others().is_empty());
        let groups = grouped(self.swept, points, self.x, group);
        let bars = groups.iter().take(LINES_MAX).map(|(name, points)| BarGroup {
            name: name.clone(),
            values: texts.iter().map(|text| self.mean(points, text).map(|(mean, _)| mean)).collect(),
            intervals: texts.iter().map(|text| self.mean(points, text).and_then(|(_, ends)| ends)).collect(),
        });
        let bars =
            Kind::Bars { categories: texts.iter().map(|text| (*text).to_owned()).collect(), groups: bars.collect() };
        (bars, shown(LINES_MAX, groups.len(), "groups"))
    }

    /// A heat map, with a contour at the bound of an objective if there is one.
    fn heat_map(
        &self,
        group: usize,
        points: &[&SweptPoint],
        columns: &[(f64, &str)],
        value: &Axis,
    ) -> Option<(Axis, Kind)> {
        let texts = distinct(self.swept, group);
        let (kind, values) = figures::quantities(&texts)?;
        let rows = ascending(&values, &texts);
        let cell = |row: &str, column: &str| {
            let there: Vec<&SweptPoint> = points.iter().copied().filter(|p| p.values[group] == row).collect();
            self.mean(&there, column).map(|(mean, _)| mean)
        };
        let cells = rows.iter().map(|(_, row)| columns.iter().map(|(_, column)| cell(row, column)).collect()).collect();
        let contour = self
            .swept
            .bounds
            .iter()
            .find(|bound| bound.metric == self.chart.value)
            .map(|bound| Contour { level: bound.value, name: format!("objective: {}", bound.name) });
        let vertical = Axis::linear(words::setting(&self.swept.axes[group]), figures::setting_unit(kind));
        let map = Kind::HeatMap {
            x: columns.iter().map(|(value, _)| *value).collect(),
            y: rows.iter().map(|(value, _)| *value).collect(),
            values: cells,
            value: value.clone(),
            contour,
        };
        Some((vertical, map))
    }

    /// As many lines as there is room for, and the number of all.
    fn lines(&self, points: &[&SweptPoint], columns: &[(f64, &str)]) -> (Vec<Line>, usize) {
        let line = |(name, points): &(String, Vec<&SweptPoint>)| Line {
            name: name.clone(),
            points: columns
                .iter()
                .filter(|(_, text)| points.iter().any(|p| p.values[self.x] == *text))
                .map(|(value, text)| {
                    let found = self.mean(points, text);
                    Point { x: *value, y: found.map(|(mean, _)| mean), interval: found.and_then(|(_, ends)| ends) }
                })
                .collect(),
        };
        let groups = grouped(self.swept, points, self.x, self.group);
        (groups.iter().take(LINES_MAX).map(line).collect(), groups.len())
    }

    /// The axes that are neither horizontal nor separate lines.
    fn others(&self) -> Vec<usize> {
        if self.swept.one_at_a_time {
            return Vec::new();
        }
        (0..self.swept.axes.len())
            .filter(|axis| *axis != self.x && Some(*axis) != self.group && distinct(self.swept, *axis).len() > 1)
            .collect()
    }

    /// Points by their values on the other axes; a single unnamed combination if there are none.
    fn combinations<'p>(&self, points: &[&'p SweptPoint]) -> Vec<(String, Vec<&'p SweptPoint>)> {
        let others = self.others();
        let name = |point: &SweptPoint| {
            let one = |axis: &usize| format!("{} {}", last_words(&self.swept.axes[*axis]), point.values[*axis]);
            others.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let mut found: Vec<(String, Vec<&SweptPoint>)> = Vec::new();
        for point in points {
            let name = name(point);
            match found.iter_mut().find(|(known, _)| *known == name) {
                Some((_, members)) => members.push(point),
                None => found.push((name, vec![point])),
            }
        }
        found
    }

    /// Curves, in a panel for each combination of the other axes if there are any, and a note about what is left out.
    fn curves(&self, points: &[&SweptPoint], columns: &[(f64, &str)]) -> (Kind, String) {
        if self.group.is_none() || self.others().is_empty() {
            let (series, all) = self.lines(points, columns);
            let told = shown(LINES_MAX, all, "lines");
            // A single line through points whose other axes differ, too: axes varied together, or a space-filling design.
            let others: Vec<String> =
                self.others().into_iter().map(|axis| words::setting(&self.swept.axes[axis])).collect();
            let single = all == 1 && !others.is_empty();
            let told = if single { format!("; {} differ too", others.join(" and ")) } else { told };
            let value =
                |point: &&SweptPoint| columns.iter().find(|(_, text)| *text == point.values[self.x]).map(|c| c.0);
            let course: Vec<f64> = points.iter().filter_map(value).collect();
            let is_line = !single || goes_on(&course);
            return (if is_line { Kind::Line { series } } else { Kind::Points { series } }, told);
        }
        let combinations = self.combinations(points);
        let mut told = shown(PANELS_MAX, combinations.len(), "panels");
        let mut lines_most = 0;
        let panel = |(name, points): &(String, Vec<&SweptPoint>)| {
            let (series, all) = self.lines(points, columns);
            lines_most = lines_most.max(all);
            Panel { name: name.clone(), series }
        };
        let panels = combinations.iter().take(PANELS_MAX).map(panel).collect();
        told.push_str(&shown(LINES_MAX, lines_most, "lines"));
        (Kind::SmallMultiples { panels }, told)
    }
}

/// True if the values of a design's points strictly increase or strictly decrease: for axes varied together, not for a
/// Latin hypercube.
pub(super) fn goes_on(course: &[f64]) -> bool {
    course.is_sorted_by(|one, next| one < next) || course.is_sorted_by(|one, next| one > next)
}

/// Values with their texts, ascending.
fn ascending<'t>(values: &[f64], texts: &[&'t str]) -> Vec<(f64, &'t str)> {
    let mut both: Vec<(f64, &str)> = values.iter().copied().zip(texts.iter().copied()).collect();
    both.sort_by(|a, b| a.0.total_cmp(&b.0));
    both
}

/// The points of each line: grouped by the value of one axis, or of all axes but one.
fn grouped<'p>(
    swept: &Swept,
    points: &[&'p SweptPoint],
    x: usize,
    group: Option<usize>,
) -> Vec<(String, Vec<&'p SweptPoint>)> {
    // Axes varied together (`zip`) make one line: no value of x occurs twice.
    let together = points.iter().enumerate().all(|(at, p)| points[..at].iter().all(|o| o.values[x] != p.values[x]));
    let name = |point: &SweptPoint| match group {
        Some(axis) => format!("{} {}", last_words(&swept.axes[axis]), point.values[axis]),
        // The title names a single line.
        None if together => String::new(),
        None => {
            let others = (0..swept.axes.len()).filter(|axis| *axis != x);
            others.map(|a| format!("{} {}", last_words(&swept.axes[a]), point.values[a])).collect::<Vec<_>>().join(", ")
        }
    };
    let mut groups: Vec<(String, Vec<&SweptPoint>)> = Vec::new();
    for point in points {
        let name = name(point);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, members)) => members.push(point),
            None => groups.push((name, vec![point])),
        }
    }
    groups
}

/// A mean and the ends of its interval, if it has one.
type Mean = (f64, Option<(f64, f64)>);

/// Mean of a metric at a value of x: with its interval if one point has that value, otherwise the mean of means.
fn mean_of(points: &[&SweptPoint], x: usize, text: &str, metric: Metric) -> Option<Mean> {
    let there = points.iter().filter(|point| point.values[x] == text);
    let found: Vec<Mean> = there.filter_map(|point| mean_at(point, metric)).collect();
    match found.as_slice() {
        [] => None,
        [one] => Some(*one),
        several => Some((several.iter().map(|(mean, _)| mean).sum::<f64>() / several.len() as f64, None)),
    }
}

fn mean_at(point: &SweptPoint, metric: Metric) -> Option<Mean> {
    let mean = point.interval(metric.number)?.mean;
    let ends = point.ends(metric.number, metric.is_event);
    Some((mean, ends.map(|ends| figures::cut_off(ends, mean, metric.unit))))
}

//! The charts of one run: what every report shows.

use lab::result::{Latency, RunResult};

use super::{Axis, Band, BarGroup, Chart, Kind, Layer, Line, PercentileLine, Point, Size, Unit};
use crate::breakdown::{self, Around};
use crate::over_time;

/// A chart and the name of its file, without ending.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedChart {
    /// Lower case, words joined by hyphens.
    pub name: String,
    /// The chart.
    pub chart: Chart,
}

/// More curves than this in one chart cannot be told apart; those with the largest values are kept.
const CURVES_MAX: usize = 6;
/// Parts of the latency beyond these are too small to be seen.
const PARTS_MAX: usize = 12;

/// The charts of a run, the most telling first. Those about which the result knows nothing are left out.
#[must_use]
pub fn run_charts(result: &RunResult) -> Vec<NamedChart> {
    let mut charts = vec![
        load(result),
        latency(result),
        percentiles(result),
        breakdown(result),
        retries(result),
        components(result, "queues", "Queue length over time", "calls waiting", "queue.depth", Unit::Count),
        components(result, "utilisation", "Utilisation over time", "share of workers busy", "utilization", Unit::Share),
        components(
            result,
            "amplification",
            "Retry amplification over time",
            "arrivals over first attempts",
            "amplification",
            Unit::Factor,
        ),
        components(
            result,
            "wasted-work",
            "Wasted work over time",
            "share of busy time for callers who gave up",
            "wasted_work",
            Unit::Share,
        ),
    ];
    charts.retain(|named| !is_empty(&named.chart.kind));
    charts
}

fn is_empty(kind: &Kind) -> bool {
    match kind {
        Kind::TimeSeries { series, .. } | Kind::Line { series } => series.is_empty(),
        Kind::StackedAreas { layers, .. } => layers.is_empty(),
        Kind::Percentiles { series } => series.is_empty(),
        Kind::Bars { categories, .. } => categories.is_empty(),
        Kind::HeatMap { x, .. } => x.is_empty(),
        Kind::Hysteresis { rising, falling } => rising.is_empty() && falling.is_empty(),
    }
}

/// Which run a chart is of.
fn subtitle(result: &RunResult) -> String {
    let scenario = &result.scenario;
    let variant = scenario.variant.as_ref().map_or_else(String::new, |variant| format!(", variant {variant}"));
    format!("{}{variant}, seed {}", scenario.name, scenario.seed)
}

fn time_axis() -> Axis {
    Axis::linear("simulated time", Unit::Instant)
}

fn bands(result: &RunResult) -> Vec<Band> {
    result
        .faults
        .iter()
        .map(|fault| Band { name: over_time::fault_name(fault).to_owned(), from_s: fault.at_s, until_s: fault.until_s })
        .collect()
}

fn line(result: &RunResult, name: &str, values: &[Option<f64>]) -> Line {
    let half = result.series.window_s / 2.0;
    let points = result
        .series
        .at_s
        .iter()
        .zip(values)
        .map(|(at_s, y)| Point { x: at_s + half, y: *y, interval: None })
        .collect();
    Line { name: name.to_owned(), points }
}

/// A line of a column, unless nothing of it is known or all of it is nothing.
fn telling_line(result: &RunResult, name: &str, values: &[Option<f64>], nothing: f64) -> Option<Line> {
    values.iter().flatten().any(|value| (value - nothing).abs() > 1e-9).then(|| line(result, name, values))
}

fn over_time_chart(result: &RunResult, name: &str, title: &str, y: Axis, series: Vec<Line>) -> NamedChart {
    let chart = Chart {
        title: title.to_owned(),
        subtitle: subtitle(result),
        x: time_axis(),
        y,
        kind: Kind::TimeSeries { series, faults: bands(result) },
        size: Size::default(),
    };
    NamedChart { name: name.to_owned(), chart }
}

fn load(result: &RunResult) -> NamedChart {
    let series = [("offered", "sent"), ("goodput", "goodput"), ("failed", "failed")]
        .into_iter()
        .filter_map(|(name, metric)| telling_line(result, name, &over_time::workload_total(result, metric), 0.0))
        .collect();
    over_time_chart(
        result,
        "load",
        "Offered load, goodput and failures over time",
        Axis::linear("requests", Unit::PerSecond),
        series,
    )
}

fn latency(result: &RunResult) -> NamedChart {
    let several = result.workloads.len() > 1;
    let mut series = Vec::new();
    for workload in result.workloads.keys().take(CURVES_MAX / 2) {
        for percentile in ["p99", "p50"] {
            let path = format!("workloads.{workload}.latency.{percentile}_s");
            let name = if several { format!("{workload} {percentile}") } else { percentile.to_owned() };
            series.extend(over_time::column(result, &path).and_then(|values| telling_line(result, &name, values, 0.0)));
        }
    }
    over_time_chart(
        result,
        "latency",
        "Latency of answered requests over time",
        Axis::log("latency", Unit::Seconds),
        series,
    )
}

fn percentile_points(latency: &Latency) -> Vec<(f64, f64)> {
    let count = latency.count as f64;
    [
        (0.5, latency.p50_s),
        (0.9, latency.p90_s),
        (0.95, latency.p95_s),
        (0.99, latency.p99_s),
        (0.999, latency.p999_s),
        // The largest of n values stands for the share of 1 − 1/n.
        (1.0 - 1.0 / count.max(1.0), latency.max_s.filter(|_| count > 1_000.0)),
    ]
    .into_iter()
    .filter_map(|(share, value)| value.map(|value| (share, value)))
    .collect()
}

fn percentiles(result: &RunResult) -> NamedChart {
    let several = result.workloads.len() > 1;
    let mut series = Vec::new();
    for (name, workload) in result.workloads.iter().take(CURVES_MAX / 2) {
        for (what, latency) in [("answered", &workload.latency), ("failed", &workload.latency_failed)] {
            let points = percentile_points(latency);
            if points.len() > 1 {
                let name = if several { format!("{name} {what}") } else { what.to_owned() };
                series.push(PercentileLine { name, points });
            }
        }
    }
    let chart = Chart {
        title: "Latency by percentile".to_owned(),
        subtitle: subtitle(result),
        x: Axis::linear("share of requests at least as fast", Unit::Other(String::new())),
        y: Axis::log("latency", Unit::Seconds),
        kind: Kind::Percentiles { series },
        size: Size::default(),
    };
    NamedChart { name: "percentiles".to_owned(), chart }
}

/// What the requests of the busiest workload spend their time on.
fn breakdown(result: &RunResult) -> NamedChart {
    let (mut categories, mut groups, mut title) = (Vec::new(), Vec::new(), String::new());
    let known = result.workloads.iter().filter(|(_, workload)| workload.breakdown.p50_s.is_some_and(|s| s > 0.0));
    if let Some((name, workload)) = known.max_by_key(|(_, workload)| workload.sent) {
        title = format!("Where requests of {name} spend their time");
        let found = &workload.breakdown;
        let tail = Some(Around::Tail).filter(|around| around.latency_s(found).is_some());
        categories.extend(breakdown::parts(found, tail.unwrap_or(Around::Median)).into_iter().map(|(part, _)| part));
        categories.truncate(PARTS_MAX);
        for (label, around) in [("around p50", Some(Around::Median)), ("around p99", tail)] {
            let Some(around) = around else { continue };
            let parts = breakdown::parts(found, around);
            let value = |of: &String| parts.iter().find(|(part, _)| part == of).map(|(_, spent)| *spent);
            let values = categories.iter().map(value).collect();
            groups.push(BarGroup { name: label.to_owned(), values, half_widths: Vec::new() });
        }
    }
    let chart = Chart {
        title,
        subtitle: subtitle(result),
        x: Axis::linear("part of the latency", Unit::Other(String::new())),
        y: Axis::linear("mean time", Unit::Seconds),
        kind: Kind::Bars { categories, groups },
        size: Size::default(),
    };
    NamedChart { name: "where-the-time-goes".to_owned(), chart }
}

/// First attempts and retries on the link with the most retries.
fn retries(result: &RunResult) -> NamedChart {
    let stormy = result
        .links
        .iter()
        .flat_map(|(from, links)| links.iter().map(move |(link, figures)| (from, link, figures.retries)))
        .filter(|(_, _, retries)| *retries > 0)
        .max_by_key(|(_, _, retries)| *retries);
    let mut layers = Vec::new();
    let mut title = String::new();
    if let Some((from, link, _)) = stormy {
        let column = |metric: &str| over_time::column(result, &format!("links.{from}.{link}.{metric}"));
        if let (Some(attempts), Some(retries)) = (column("attempts"), column("retries")) {
            let first = attempts
                .iter()
                .zip(retries)
                .map(|(attempts, retries)| Some((attempts.as_ref()? - retries.unwrap_or(0.0)).max(0.0)))
                .collect();
            title = format!("Attempts on {from}.{link} over time");
            layers.push(Layer { name: "first attempts".to_owned(), values: first });
            layers.push(Layer { name: "retries".to_owned(), values: retries.to_vec() });
        }
    }
    let chart = Chart {
        title,
        subtitle: subtitle(result),
        x: time_axis(),
        y: Axis::linear("attempts", Unit::PerSecond),
        kind: Kind::StackedAreas { at_s: result.series.at_s.clone(), layers, faults: bands(result) },
        size: Size::default(),
    };
    NamedChart { name: "attempts".to_owned(), chart }
}

/// One measure of the components in which it is largest, in the order of the scenario.
fn components(result: &RunResult, file: &str, title: &str, label: &str, metric: &str, unit: Unit) -> NamedChart {
    let nothing = if unit == Unit::Factor { 1.0 } else { 0.0 };
    let mut found: Vec<(f64, usize, Line)> = result
        .components
        .keys()
        .enumerate()
        .filter_map(|(order, name)| {
            let values = over_time::column(result, &format!("components.{name}.{metric}"))?;
            let line = telling_line(result, name, values, nothing)?;
            let largest = values.iter().flatten().copied().fold(0.0, f64::max);
            Some((largest, order, line))
        })
        .collect();
    let all = found.len();
    found.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    found.truncate(CURVES_MAX);
    found.sort_by_key(|(_, order, _)| *order);
    let title = if all > CURVES_MAX { format!("{title}: the {CURVES_MAX} largest of {all}") } else { title.to_owned() };
    let series = found.into_iter().map(|(_, _, line)| line).collect();
    over_time_chart(result, file, &title, Axis::linear(label, unit), series)
}

//! The charts of one run.

use lab::result::{Breakdown, Demand, FaultWindow, Latency, RunResult};

use super::{
    Axis, Band, Bound, Chart, Kind, Layer, Line, PercentileLine, Point, Size, TopologyBox, TopologyCall, Unit,
};
use crate::breakdown;
use crate::happenings;
use crate::over_time;
use crate::units;

/// A chart and the name of its file, without extension.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedChart {
    /// Lower case, words joined by hyphens.
    pub name: String,
    /// The chart.
    pub chart: Chart,
}

/// Maximum number of curves in one chart, so that they can be distinguished; those with the largest values are kept.
const CURVES_MAX: usize = 6;
/// Maximum number of parts of the latency with colours of their own; the rest are merged.
const LAYERS_MAX: usize = 6;

/// The charts of a run, the most informative first. Charts without data are left out.
#[must_use]
pub fn run_charts(result: &RunResult) -> Vec<NamedChart> {
    let mut charts = vec![
        topology(result),
        load(result),
        latency(result),
        percentiles(result),
        breakdown(result),
        hysteresis(result),
        retries(result),
        breakers(result),
        limits(result),
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
            "share of busy time on abandoned calls",
            "wasted_work",
            Unit::Share,
        ),
    ];
    charts.retain(|named| !is_empty(&named.chart.kind));
    charts
}

fn is_empty(kind: &Kind) -> bool {
    match kind {
        Kind::TimeSeries { series, .. } | Kind::Line { series } | Kind::Points { series } => series.is_empty(),
        Kind::StackedAreas { layers, .. } => layers.is_empty(),
        Kind::Percentiles { series } => series.is_empty(),
        Kind::Bars { categories, .. } => categories.is_empty(),
        Kind::HeatMap { x, .. } => x.is_empty(),
        Kind::Hysteresis { rising, falling } => rising.is_empty() && falling.is_empty(),
        Kind::StackedPercentiles { layers, .. } => layers.is_empty(),
        Kind::Timeline { goodput, .. } => goodput.is_empty(),
        Kind::SmallMultiples { panels } => panels.is_empty(),
        Kind::Topology { calls, .. } => calls.is_empty(),
    }
}

/// Identifies the run that a chart belongs to.
fn subtitle(result: &RunResult) -> String {
    let scenario = &result.scenario;
    let variant = scenario.variant.as_ref().map_or_else(String::new, |variant| format!(", variant {variant}"));
    format!("{}{variant}, seed {}", scenario.name, scenario.seed)
}

fn time_axis() -> Axis {
    Axis::linear("simulated time", Unit::Instant)
}

fn bands(result: &RunResult) -> Vec<Band> {
    let band = |one: &FaultWindow, is_event: bool| Band {
        name: over_time::fault_name(one).to_owned(),
        from_s: one.at_s,
        until_s: one.until_s,
        is_event,
    };
    let faults = result.faults.iter().map(|fault| band(fault, false));
    faults.chain(result.events.iter().map(|event| band(event, true))).collect()
}

fn line(result: &RunResult, name: &str, values: &[Option<f64>]) -> Line {
    let half = result.series.window_s / 2.0;
    let at_s = &result.series.at_s;
    let windows = over_time::shown(at_s.len().min(values.len()), |window| values[window]);
    let point = |window: usize| Point { x: at_s[window] + half, y: values[window], interval: None };
    let points = windows.into_iter().map(point).collect();
    Line { name: name.to_owned(), points }
}

/// A line for a column, unless all its values are unknown or equal `nothing`.
fn telling_line(result: &RunResult, name: &str, values: &[Option<f64>], nothing: f64) -> Option<Line> {
    values.iter().flatten().any(|value| (value - nothing).abs() > 1e-9).then(|| line(result, name, values))
}

/// The bounds that objectives set for these metrics.
pub(crate) fn bounds(result: &RunResult, metrics: &[String]) -> Vec<Bound> {
    let of = result.objectives.iter().filter_map(|objective| {
        let word = match objective.demand {
            Demand::Below => "at most",
            Demand::Above => "at least",
            Demand::Recovers => return None,
        };
        // Objectives apply to percentiles of all requests sent; the chart shows those of the answered requests.
        let metric = objective.metric.replace(".latency_all.", ".latency.");
        metrics.contains(&metric).then(|| Bound {
            value: objective.bound,
            name: format!("objective {}: {word} {}", objective.name, bound_in_words(objective.bound, &objective.unit)),
        })
    });
    of.collect()
}

fn bound_in_words(bound: f64, unit: &str) -> String {
    match unit {
        "s" => units::time(bound),
        "/s" => units::rate(bound),
        "B" => units::size(bound),
        _ => units::quantity(bound),
    }
}

/// The contents of a chart over time.
struct OverTime<'a> {
    name: &'a str,
    title: &'a str,
    y: Axis,
    /// The metrics shown, whose bounds are drawn.
    metrics: Vec<String>,
}

fn over_time_chart(result: &RunResult, of: OverTime<'_>, series: Vec<Line>) -> NamedChart {
    let OverTime { name, title, y, metrics } = of;
    let chart = Chart {
        bounds: bounds(result, &metrics),
        title: title.to_owned(),
        subtitle: subtitle(result),
        x: time_axis(),
        y,
        kind: Kind::TimeSeries { series, faults: bands(result), happenings: happenings::marks(result) },
        size: Size::default(),
    };
    NamedChart { name: name.to_owned(), chart }
}

fn load(result: &RunResult) -> NamedChart {
    let series = [("offered", "sent"), ("goodput", "goodput"), ("failed", "failed")]
        .into_iter()
        .filter_map(|(name, metric)| telling_line(result, name, &over_time::workload_total(result, metric), 0.0))
        .collect();
    let mut metrics = vec!["goodput".to_owned()];
    if let [workload] = result.workloads.keys().collect::<Vec<_>>().as_slice() {
        metrics.extend(["goodput", "sent"].map(|metric| format!("workloads.{workload}.{metric}")));
    }
    let title = "Offered load, goodput and failures over time";
    let of = OverTime { name: "load", title, y: Axis::linear("requests", Unit::PerSecond), metrics };
    over_time_chart(result, of, series)
}

/// Links with a breaker: which share of them is open.
fn breakers(result: &RunResult) -> NamedChart {
    let links = result.links.iter().flat_map(|(from, links)| links.keys().map(move |link| (from, link)));
    let mut series = Vec::new();
    for (from, link) in links {
        for (state, words) in [("open", "open"), ("half_open", "half-open")] {
            let path = format!("links.{from}.{link}.breaker.state.{state}");
            let name = format!("{from} → {link} {words}");
            series.extend(over_time::column(result, &path).and_then(|values| telling_line(result, &name, values, 0.0)));
        }
    }
    series.truncate(CURVES_MAX);
    let title = "Breakers over time";
    let of =
        OverTime { name: "breakers", title, y: Axis::linear("share of the time", Unit::Share), metrics: Vec::new() };
    over_time_chart(result, of, series)
}

/// Limits of concurrency that change, of links and of components.
fn limits(result: &RunResult) -> NamedChart {
    let links = result.links.iter().flat_map(|(from, links)| links.keys().map(move |link| (from, link)));
    let links = links.map(|(from, link)| (format!("{from} → {link}"), format!("links.{from}.{link}.limit")));
    let components = result.components.keys().map(|name| (name.clone(), format!("components.{name}.limit")));
    let mut series = Vec::new();
    for (name, path) in links.chain(components) {
        let Some(values) = over_time::column(result, &path) else { continue };
        let mut known = values.iter().flatten();
        let first = known.next().copied().unwrap_or(0.0);
        if known.any(|value| (value - first).abs() > 1e-9) {
            series.push(line(result, &name, values));
        }
    }
    series.truncate(CURVES_MAX);
    let title = "Limits of concurrency over time";
    let of = OverTime { name: "limits", title, y: Axis::linear("calls at once", Unit::Count), metrics: Vec::new() };
    over_time_chart(result, of, series)
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
    let shown = result.workloads.keys().take(CURVES_MAX / 2);
    let metrics = shown.flat_map(|name| ["p99", "p50"].map(|p| format!("workloads.{name}.latency.{p}"))).collect();
    let title = "Latency of answered requests over time";
    let of = OverTime { name: "latency", title, y: Axis::log("latency", Unit::Seconds), metrics };
    over_time_chart(result, of, series)
}

fn percentile_points(latency: &Latency) -> Vec<(f64, f64)> {
    let count = latency.count as f64;
    [
        (0.5, latency.p50_s),
        (0.9, latency.p90_s),
        (0.95, latency.p95_s),
        (0.99, latency.p99_s),
        (0.999, latency.p999_s),
        // The largest of n values represents the share 1 − 1/n.
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
        x: Axis::linear("percentile of requests", Unit::Other(String::new())),
        y: Axis::log("latency", Unit::Seconds),
        bounds: percentile_bounds(result),
        kind: Kind::Percentiles { series },
        size: Size::default(),
    };
    NamedChart { name: "percentiles".to_owned(), chart }
}

/// The bounds on percentiles of the workloads' latencies, each with its percentile.
fn percentile_bounds(result: &RunResult) -> Vec<Bound> {
    let mut found = Vec::new();
    for workload in result.workloads.keys().take(CURVES_MAX / 2) {
        for percentile in ["p50", "p90", "p95", "p99", "p999"] {
            let metric = format!("workloads.{workload}.latency.{percentile}");
            let read = if percentile == "p999" { "p99.9" } else { percentile };
            let named = |bound: Bound| Bound { name: format!("{} ({read})", bound.name), ..bound };
            found.extend(bounds(result, &[metric]).into_iter().map(named));
        }
    }
    found
}

/// How the requests of the busiest workload spend their time, from the fastest to the slowest.
fn breakdown(result: &RunResult) -> NamedChart {
    let known = result.workloads.iter().filter(|(_, workload)| workload.breakdown.bands.len() > 1);
    let mut chart = Chart {
        title: String::new(),
        subtitle: subtitle(result),
        x: Axis::linear("percentile of requests", Unit::Other(String::new())),
        y: Axis::linear("mean time", Unit::Seconds),
        bounds: Vec::new(),
        kind: Kind::StackedPercentiles { at: Vec::new(), layers: Vec::new() },
        size: Size::default(),
    };
    if let Some((name, workload)) = known.max_by_key(|(_, workload)| workload.sent) {
        let found = &workload.breakdown;
        chart.title = format!("Where requests of {name} spend their time, by latency percentile");
        let at = found.bands.iter().map(|band| f64::midpoint(band.from, band.to)).collect();
        chart.kind = Kind::StackedPercentiles { at, layers: layers(found, LAYERS_MAX) };
    }
    NamedChart { name: "where-the-time-goes".to_owned(), chart }
}

/// Layers of a stack over the bands, the largest at the bottom; all but the first `most` are merged.
fn layers(breakdown: &Breakdown, most: usize) -> Vec<Layer> {
    let mut found: Vec<(String, Vec<f64>)> = Vec::new();
    for part in &breakdown.parts {
        let name = breakdown::name(part);
        match found.iter_mut().find(|(of, _)| *of == name) {
            Some((_, sums)) => sums.iter_mut().zip(&part.bands_s).for_each(|(sum, spent)| *sum += spent),
            None => found.push((name, part.bands_s.clone())),
        }
    }
    let size = |spent: &[f64]| spent.iter().sum::<f64>();
    found.retain(|(_, spent)| size(spent) > 0.0);
    found.sort_by(|one, other| size(&other.1).total_cmp(&size(&one.1)));
    if found.len() > most + 1 {
        let mut rest = vec![0.0; breakdown.bands.len()];
        for (_, spent) in found.drain(most..) {
            rest.iter_mut().zip(spent).for_each(|(sum, spent)| *sum += spent);
        }
        found.push(("the rest".to_owned(), rest));
    }
    let layer = |(name, spent): (String, Vec<f64>)| Layer { name, values: spent.into_iter().map(Some).collect() };
    found.into_iter().map(layer).collect()
}

/// The graph of calls, with the utilisation of components and the rate on each link.
fn topology(result: &RunResult) -> NamedChart {
    let mut boxes: Vec<TopologyBox> = result
        .workloads
        .iter()
        .map(|(name, workload)| TopologyBox {
            name: name.clone(),
            note: format!("workload, {}", units::rate(workload.offered)),
            share: None,
            starts: true,
            lines: vec![
                format!("offered {}", units::rate(workload.offered)),
                format!("goodput {}", units::rate(workload.goodput)),
                format!("p99 latency {}", units::or_unknown(workload.latency.p99_s, units::time)),
            ],
        })
        .collect();
    boxes.extend(result.components.iter().map(|(name, component)| {
        let replicas = if component.replicas > 1 { format!(" ×{}", component.replicas) } else { String::new() };
        let mut lines = vec![format!("{}{replicas}", component.kind)];
        lines.extend(component.utilization.map(|share| format!("utilisation {}", units::share(share))));
        lines.extend(component.queue.as_ref().map(|queue| format!("mean queue {}", units::quantity(queue.depth))));
        lines.push(format!("p99 latency {}", units::or_unknown(component.latency.p99_s, units::time)));
        TopologyBox {
            name: name.clone(),
            note: format!("{}{replicas}", component.kind),
            share: component.utilization.or(component.cpu),
            starts: false,
            lines,
        }
    }));
    let index = |name: &str| boxes.iter().position(|one| one.name == name);
    let mut calls = Vec::new();
    for (from, links) in &result.links {
        for figures in links.values() {
            let rate = if result.run.duration_s > 0.0 { figures.attempts as f64 / result.run.duration_s } else { 0.0 };
            // For a link with several targets, the rate to each is not known.
            let alone = figures.to.len() == 1;
            let storm = figures.amplification.filter(|factor| *factor >= 1.05);
            let label = match storm {
                Some(factor) if alone => format!("{}, {} tries", units::rate(rate), units::factor(factor)),
                _ if alone => units::rate(rate),
                _ => String::new(),
            };
            for to in &figures.to {
                let (Some(from), Some(to)) = (index(from), index(to)) else { continue };
                calls.push(TopologyCall { from, to, label: label.clone(), warn: storm.is_some() });
            }
        }
    }
    for (name, component) in &result.components {
        for queue in &component.consumes {
            let (Some(from), Some(to)) = (index(queue), index(name)) else { continue };
            calls.push(TopologyCall { from, to, label: "consumes".to_owned(), warn: false });
        }
        if let Some((from, to)) = component.dead_letter.as_ref().and_then(|to| Some((index(name)?, index(to)?))) {
            let dead = component.own.value("dead_letters").unwrap_or(0.0);
            let label = if dead > 0.0 { format!("dead: {}", units::quantity(dead)) } else { "dead letters".to_owned() };
            calls.push(TopologyCall { from, to, label, warn: dead > 0.0 });
        }
    }
    let chart = Chart {
        title: "Call graph and load".to_owned(),
        subtitle: subtitle(result),
        x: Axis::linear("", Unit::Other(String::new())),
        y: Axis::linear("", Unit::Other(String::new())),
        bounds: Vec::new(),
        kind: Kind::Topology { boxes, calls },
        size: Size::default(),
    };
    NamedChart { name: "topology".to_owned(), chart }
}

/// Goodput against the load while the load rises and while it falls; drawn only if it does both by enough.
fn hysteresis(result: &RunResult) -> NamedChart {
    let load = over_time::workload_total(result, "sent");
    let good = over_time::workload_total(result, "goodput");
    let known: Vec<(f64, f64)> = load
        .iter()
        .zip(&good)
        .zip(&result.series.at_s)
        .filter(|(_, at_s)| **at_s >= 0.0)
        .filter_map(|((load, good), _)| Some(((*load)?, (*good)?)))
        .collect();
    let (rising, falling) = loop_of(&known).unwrap_or_default();
    let chart = Chart {
        title: "Goodput against offered load, rising and falling".to_owned(),
        subtitle: subtitle(result),
        x: Axis::linear("offered load", Unit::PerSecond),
        y: Axis::linear("goodput", Unit::PerSecond),
        bounds: Vec::new(),
        kind: Kind::Hysteresis { rising, falling },
        size: Size::default(),
    };
    NamedChart { name: "hysteresis".to_owned(), chart }
}

/// Number of load steps by which windows are merged.
const STEPS: usize = 10;
/// Minimum number of windows in each direction.
const WINDOWS_MIN: usize = 20;
/// Factor by which the load must rise and fall.
const SWING_MIN: f64 = 1.5;

/// A path along the load: means of load and measure, step by step.
type Way = Vec<(f64, f64)>;

/// The paths up and down of a load with a single peak. Windows are merged by load steps, so that the noise of single windows
/// does not draw loops of its own. `None` if the load does not rise and fall by enough.
fn loop_of(windows: &[(f64, f64)]) -> Option<(Way, Way)> {
    // The load without noise: means of neighbouring windows.
    let reach = (windows.len() / 40).max(1);
    let smooth: Vec<f64> = (0..windows.len())
        .map(|at| {
            let near = &windows[at.saturating_sub(reach)..(at + reach + 1).min(windows.len())];
            near.iter().map(|(load, _)| load).sum::<f64>() / near.len() as f64
        })
        .collect();
    let top = (0..smooth.len()).max_by(|a, b| smooth[*a].total_cmp(&smooth[*b]))?;
    if top < WINDOWS_MIN || smooth.len() - top < WINDOWS_MIN {
        return None;
    }
    let low = smooth[0].max(smooth[smooth.len() - 1]);
    if smooth[top] < SWING_MIN * low {
        return None;
    }
    // A spike that ends as suddenly as it began has only two levels, no paths.
    let between = |way: &[f64]| {
        let width = (smooth[top] - low) / 4.0;
        way.iter().filter(|load| **load > low + width && **load < smooth[top] - width).count() * 5 > way.len()
    };
    if !between(&smooth[..top]) || !between(&smooth[top..]) {
        return None;
    }
    let least = smooth.iter().copied().fold(f64::INFINITY, f64::min);
    let step = (smooth[top] - least) / STEPS as f64;
    let way = |range: std::ops::Range<usize>| -> Way {
        let mut sums = vec![(0.0, 0.0, 0.0); STEPS];
        for at in range {
            let slot = (((smooth[at] - least) / step) as usize).min(STEPS - 1);
            sums[slot] = (sums[slot].0 + windows[at].0, sums[slot].1 + windows[at].1, sums[slot].2 + 1.0);
        }
        sums.into_iter().filter(|sum| sum.2 > 0.0).map(|(load, good, count)| (load / count, good / count)).collect()
    };
    let mut falling = way(top..smooth.len());
    falling.reverse();
    Some((way(0..top), falling))
}

/// First attempts and retries on the link with the most retries.
fn retries(result: &RunResult) -> NamedChart {
    let stormy = result
        .links
        .iter()
        .flat_map(|(from, links)| links.iter().map(move |(link, figures)| (from, link, figures.retries)))
        .filter(|(_, _, retries)| *retries > 0)
        .max_by_key(|(_, _, retries)| *retries);
    let (mut layers, mut at_s) = (Vec::new(), Vec::new());
    let mut title = String::new();
    if let Some((from, link, _)) = stormy {
        let column = |metric: &str| over_time::column(result, &format!("links.{from}.{link}.{metric}"));
        if let (Some(attempts), Some(retries)) = (column("attempts"), column("retries")) {
            let windows = over_time::shown(attempts.len().min(retries.len()), |window| attempts[window]);
            at_s = windows.iter().map(|window| result.series.at_s[*window]).collect();
            let first = |window: &usize| Some((attempts[*window]? - retries[*window].unwrap_or(0.0)).max(0.0));
            let first = windows.iter().map(first).collect();
            let retries = windows.iter().map(|window| retries[*window]).collect();
            title = format!("Attempts on {from}.{link} over time");
            layers.push(Layer { name: "first attempts".to_owned(), values: first });
            layers.push(Layer { name: "retries".to_owned(), values: retries });
        }
    }
    let chart = Chart {
        title,
        subtitle: subtitle(result),
        x: time_axis(),
        y: Axis::linear("attempts", Unit::PerSecond),
        bounds: Vec::new(),
        kind: Kind::StackedAreas { at_s, layers, faults: bands(result), happenings: happenings::marks(result) },
        size: Size::default(),
    };
    NamedChart { name: "attempts".to_owned(), chart }
}

/// One measure of the components with its largest values, in the order of the scenario.
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
    let series: Vec<Line> = found.into_iter().map(|(_, _, line)| line).collect();
    let metrics = series.iter().map(|line| format!("components.{}.{metric}", line.name)).collect();
    let y = Axis { label: label.to_owned(), log: spans_decades(&series, &unit), unit };
    over_time_chart(result, OverTime { name: file, title: &title, y, metrics }, series)
}

/// Ratio to the median above which a peak hides everything else on a linear axis.
const DECADES: f64 = 100.0;

/// Whether queue lengths need a logarithmic axis: the largest is a hundred times the usual one.
fn spans_decades(series: &[Line], unit: &Unit) -> bool {
    if *unit != Unit::Count {
        return false;
    }
    let mut values: Vec<f64> = series.iter().flat_map(|line| &line.points).filter_map(|point| point.y).collect();
    values.retain(|value| *value > 0.0);
    values.sort_by(f64::total_cmp);
    match (values.get(values.len() / 2), values.last()) {
        (Some(usual), Some(most)) => *most >= DECADES * usual,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A load that rises from 100 to 1,000 and falls again, with the goodput `good`.
    fn windows(good: impl Fn(usize, f64) -> f64) -> Vec<(f64, f64)> {
        let load = |at: usize| 100.0 + 9.0 * (if at < 100 { at } else { 200 - at }) as f64;
        (0..200).map(|at| (load(at), good(at, load(at)))).collect()
    }

    #[test]
    fn a_load_that_rises_and_falls_has_two_ways_over_the_same_steps() {
        let (rising, falling) = loop_of(&windows(|at, load| if at < 90 { load } else { 50.0 })).expect("a loop");
        assert_eq!((rising.len(), falling.len()), (STEPS, STEPS));
        assert!(rising[3].1 > 300.0 && falling.iter().all(|(_, good)| *good == 50.0), "{rising:?} {falling:?}");
        assert!(rising.windows(2).all(|pair| pair[0].0 < pair[1].0) && falling[0].0 > falling[9].0);
    }

    #[test]
    fn a_steady_load_and_a_short_spike_have_none() {
        assert_eq!(loop_of(&vec![(100.0, 100.0); 300]), None);
        let spike: Vec<(f64, f64)> =
            (0..300).map(|at| (if (100..200).contains(&at) { 900.0 } else { 100.0 }, 1.0)).collect();
        assert_eq!(loop_of(&spike), None);
    }
}

//! A sweep as tables, charts and a page.
//!
//! Rows stand in the order of the points and of their replications, whatever order they were run in.

use lab::quantity::Quantity;
use lab::sweep::{ChartForm, ChartWanted, Swept, SweptPoint};
use serde_json::{Map, Value, json};

use crate::charts::{Axis, BarGroup, Chart, ChartError, Kind, Line, NamedChart, Point, Size, Unit};
use crate::figures;
use crate::html::{Block, Page, Section, Table, TableCell, TableColumn, page};
use crate::text::aligned;

/// Lines of one chart; more cannot be told apart.
const LINES_MAX: usize = 8;

fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| value.to_string())
}

fn csv(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(header).expect("memory takes every write");
    rows.for_each(|row| writer.write_record(row).expect("memory takes every write"));
    String::from_utf8(writer.into_inner().expect("memory takes every write")).expect("texts and numbers are UTF-8")
}

/// A row a point × replication: number of the point, of the replication, the values that were varied, the metrics (times
/// in seconds, shares between 0 and 1), and why there are none.
///
/// # Panics
/// Never: writing to memory cannot fail.
#[must_use]
pub fn points_csv(swept: &Swept) -> String {
    let header = ["point", "replication"].map(str::to_owned).into_iter();
    let header = header.chain(swept.axes.clone()).chain(swept.metrics.clone()).chain(["error".to_owned()]).collect();
    let rows = swept.points.iter().flat_map(|point| {
        point.runs.iter().enumerate().filter_map(move |(replication, run)| {
            let run = run.as_ref()?;
            let mut row = vec![point.number.to_string(), replication.to_string()];
            row.extend(point.values.iter().cloned());
            row.extend(swept.metrics.iter().map(|metric| number(run.values.get(metric).copied().flatten())));
            row.push(run.error.clone().unwrap_or_default());
            Some(row)
        })
    });
    csv(header, rows)
}

/// The same rows as JSON Lines: `{"point", "replication", "values": {…}, "metrics": {…}, "error"}`.
#[must_use]
pub fn points_jsonl(swept: &Swept) -> String {
    let mut text = String::new();
    for point in &swept.points {
        let values: Map<String, Value> =
            swept.axes.iter().cloned().zip(point.values.iter().map(|value| json!(value))).collect();
        for (replication, run) in point.runs.iter().enumerate() {
            let Some(run) = run else { continue };
            let row = json!({
                "point": point.number,
                "replication": replication,
                "values": values,
                "metrics": run.values,
                "error": run.error,
            });
            text.push_str(&row.to_string());
            text.push('\n');
        }
    }
    text
}

/// A row a point: its values, how many runs it has, and mean and half-width of each metric.
///
/// # Panics
/// Never: writing to memory cannot fail.
#[must_use]
pub fn summary_csv(swept: &Swept) -> String {
    let mut header = vec!["point".to_owned()];
    header.extend(swept.axes.iter().cloned());
    header.push("n".to_owned());
    swept.metrics.iter().for_each(|metric| header.extend([metric.clone(), format!("{metric}.half_width")]));
    let rows = swept.points.iter().map(|point| {
        let mut row = vec![point.number.to_string()];
        row.extend(point.values.iter().cloned());
        row.push(point.runs.iter().flatten().filter(|run| run.error.is_none()).count().to_string());
        for metric in &swept.metrics {
            let interval = point.interval(metric);
            row.extend([number(interval.map(|i| i.mean)), number(interval.and_then(|i| i.half_width))]);
        }
        row
    });
    csv(header, rows)
}

/// The table for a terminal: a row a point.
#[must_use]
pub fn text(swept: &Swept) -> String {
    let mut heading: Vec<String> = swept.axes.iter().map(|axis| last_words(axis)).collect();
    heading.extend(swept.metrics.iter().map(|metric| last_words(metric)));
    let rows: Vec<Vec<String>> = swept.points.iter().map(|point| row(swept, point)).collect();
    let mut text = format!("{}: {} points × {} runs\n\n", swept.name, swept.points.len(), swept.replications);
    text.push_str(&aligned(&heading, &rows));
    for point in &swept.points {
        if let Some(error) = point.error() {
            text.push_str(&format!("\npoint {} ({}) failed: {error}\n", point.number, point.values.join(", ")));
        }
    }
    text
}

fn row(swept: &Swept, point: &SweptPoint) -> Vec<String> {
    let mut row = point.values.clone();
    let both = swept.metrics.iter().zip(&swept.units);
    row.extend(both.map(|(metric, unit)| figures::interval(point.interval(metric).as_ref(), *unit)));
    row
}

/// The end of a path, which tells it from its neighbours well enough in a table.
fn last_words(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        ["workloads" | "components", rest @ ..] if rest.len() > 1 => rest.join("."),
        _ => path.to_owned(),
    }
}

/// The charts that were asked for, or else one for each metric against each axis.
#[must_use]
pub fn charts(swept: &Swept) -> Vec<NamedChart> {
    let wanted = swept.charts.clone().unwrap_or_else(|| usual_charts(swept));
    let mut charts: Vec<NamedChart> = Vec::new();
    for chart in &wanted {
        if let Some(drawn) = draw(swept, chart) {
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
    // Along the axis with the most values; those with fewer tell lines apart.
    let length = |axis: usize| distinct(swept, axis).len();
    let Some(x) = (0..swept.axes.len()).rev().max_by_key(|axis| length(*axis)) else { return Vec::new() };
    let group = (0..swept.axes.len()).filter(|axis| *axis != x).max_by_key(|axis| length(*axis));
    let map = group.is_some_and(|group| length(group) > LINES_MAX);
    let kind = if map { ChartForm::HeatMap } else { ChartForm::Line };
    swept.metrics.iter().map(|value| chart(x, value, group, kind)).collect()
}

fn file_name(chart: &ChartWanted) -> String {
    let name = format!("{}-by-{}", chart.value, chart.x);
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    name.trim_matches('-').to_owned()
}

/// The different values of an axis, in the order in which they first come.
fn distinct(swept: &Swept, axis: usize) -> Vec<&str> {
    let mut values: Vec<&str> = Vec::new();
    for point in &swept.points {
        if !values.contains(&point.values[axis].as_str()) {
            values.push(&point.values[axis]);
        }
    }
    values
}

fn draw(swept: &Swept, chart: &ChartWanted) -> Option<Chart> {
    let x = swept.axes.iter().position(|axis| *axis == chart.x)?;
    let group = chart.group.as_ref().and_then(|group| swept.axes.iter().position(|axis| axis == group));
    let unit = swept.metrics.iter().position(|metric| *metric == chart.value).map(|metric| swept.units[metric])?;
    let y = Axis::linear(chart.value.clone(), figures::chart_unit(unit));
    let texts = distinct(swept, x);
    let title = format!("{} against {}", chart.value, chart.x);
    let subtitle = match swept.replications {
        1 => format!("{}; one run a point", swept.name),
        runs => format!("{}; {runs} runs a point, 95 % intervals", swept.name),
    };
    let whole =
        |x, y, kind| Chart { title: title.clone(), subtitle: subtitle.clone(), x, y, kind, size: Size::default() };
    // In a design that varies one axis at a time, the other axes' points do not belong here.
    let belongs =
        |point: &&SweptPoint| !swept.one_at_a_time || point.varied.iter().enumerate().all(|(a, v)| !v || a == x);
    let points: Vec<&SweptPoint> = swept.points.iter().filter(belongs).collect();
    let numbers = figures::quantities(&texts);
    let Some((kind, values)) = numbers.filter(|_| chart.kind != ChartForm::Bars) else {
        let groups = grouped(swept, &points, x, group);
        let bars = groups.iter().map(|(name, points)| {
            let of = |text: &&str| mean_of(points, x, text, &chart.value);
            BarGroup {
                name: name.clone(),
                values: texts.iter().map(|text| of(text).map(|(mean, _)| mean)).collect(),
                half_widths: texts.iter().map(|text| of(text).and_then(|(_, half)| half)).collect(),
            }
        });
        let categories = texts.iter().map(|text| (*text).to_owned()).collect();
        let along = Axis::linear(chart.x.clone(), Unit::Other(String::new()));
        return Some(whole(along, y, Kind::Bars { categories, groups: bars.collect() }));
    };
    let along = |log| Axis { label: chart.x.clone(), unit: figures::setting_unit(kind), log };
    if let (ChartForm::HeatMap, Some(group)) = (chart.kind, group)
        && let Some((group_kind, group_values)) = figures::quantities(&distinct(swept, group))
    {
        let (columns, rows) = (ascending(&values, &texts), ascending(&group_values, &distinct(swept, group)));
        let cell = |row: &str, column: &str| {
            let there: Vec<&SweptPoint> = points.iter().copied().filter(|p| p.values[group] == row).collect();
            mean_of(&there, x, column, &chart.value).map(|(mean, _)| mean)
        };
        let cells = rows.iter().map(|(_, row)| columns.iter().map(|(_, column)| cell(row, column)).collect()).collect();
        let vertical = Axis::linear(chart.group.clone().unwrap_or_default(), figures::setting_unit(group_kind));
        let kind = Kind::HeatMap {
            x: columns.iter().map(|(value, _)| *value).collect(),
            y: rows.iter().map(|(value, _)| *value).collect(),
            values: cells,
            value: y.clone(),
            contour: None,
        };
        return Some(whole(along(false), vertical, kind));
    }
    let columns = ascending(&values, &texts);
    // Values at equal ratios are best seen at equal distances.
    let log = columns.len() > 2 && columns[0].0 > 0.0 && columns[columns.len() - 1].0 / columns[0].0 >= 50.0;
    let line = |(name, points): &(String, Vec<&SweptPoint>)| Line {
        name: name.clone(),
        points: columns
            .iter()
            .filter(|(_, text)| points.iter().any(|p| p.values[x] == *text))
            .map(|(value, text)| {
                let found = mean_of(points, x, text, &chart.value);
                let interval = found.and_then(|(mean, half)| half.map(|half| (mean - half, mean + half)));
                Point { x: *value, y: found.map(|(mean, _)| mean), interval }
            })
            .collect(),
    };
    let lines: Vec<Line> = grouped(swept, &points, x, group).iter().take(LINES_MAX).map(line).collect();
    Some(whole(along(log), y, Kind::Line { series: lines }))
}

/// Values with their texts, by value.
fn ascending<'t>(values: &[f64], texts: &[&'t str]) -> Vec<(f64, &'t str)> {
    let mut both: Vec<(f64, &str)> = values.iter().copied().zip(texts.iter().copied()).collect();
    both.sort_by(|a, b| a.0.total_cmp(&b.0));
    both
}

/// The points that make a line each: by the value of an axis, or of all axes but one.
fn grouped<'p>(
    swept: &Swept,
    points: &[&'p SweptPoint],
    x: usize,
    group: Option<usize>,
) -> Vec<(String, Vec<&'p SweptPoint>)> {
    // Axes that go together (`zip`) make one line: no value of x comes twice.
    let together = points.iter().enumerate().all(|(at, p)| points[..at].iter().all(|o| o.values[x] != p.values[x]));
    let name = |point: &SweptPoint| match group {
        Some(axis) => format!("{} {}", last_words(&swept.axes[axis]), point.values[axis]),
        None if together => swept.name.clone(),
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

/// Mean of a metric at a value, with its half-width where one point has that value; over several, the mean of means.
fn mean_of(points: &[&SweptPoint], x: usize, text: &str, metric: &str) -> Option<(f64, Option<f64>)> {
    let found: Vec<_> = points.iter().filter(|p| p.values[x] == text).filter_map(|p| p.interval(metric)).collect();
    match found.as_slice() {
        [] => None,
        [one] => Some((one.mean, one.half_width)),
        several => Some((several.iter().map(|i| i.mean).sum::<f64>() / several.len() as f64, None)),
    }
}

/// The report as one self-contained page.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn html(swept: &Swept) -> Result<String, ChartError> {
    let mut columns: Vec<TableColumn> = swept
        .axes
        .iter()
        .map(|axis| TableColumn { title: last_words(axis), hint: axis.clone(), numeric: true })
        .collect();
    columns.extend(swept.metrics.iter().map(|metric| TableColumn::figures(last_words(metric), metric.clone())));
    let rows = swept.points.iter().map(|point| {
        let value = |text: &String| TableCell { text: text.clone(), value: Quantity::parse(text).map(|q| q.value) };
        let cell = |(metric, unit): (&String, &lab::metrics::Unit)| {
            let interval = point.interval(metric);
            TableCell { text: figures::interval(interval.as_ref(), *unit), value: interval.map(|i| i.mean) }
        };
        point.values.iter().map(value).chain(swept.metrics.iter().zip(&swept.units).map(cell)).collect()
    });
    let table =
        Table { caption: "Mean ± half of the 95 % interval, by point".to_owned(), columns, rows: rows.collect() };
    let failed: Vec<String> = swept
        .points
        .iter()
        .filter_map(|p| p.error().map(|error| format!("Point {} ({}): {error}", p.number, p.values.join(", "))))
        .collect();
    let charts: Vec<Block> = charts(swept).into_iter().map(|named| Block::Chart(Box::new(named.chart))).collect();
    let mut sections = Vec::new();
    if !failed.is_empty() {
        sections.push(Section { heading: "Failed".to_owned(), blocks: vec![Block::List(failed)] });
    }
    sections.push(Section { heading: "Charts".to_owned(), blocks: charts });
    sections.push(Section { heading: "Points".to_owned(), blocks: vec![Block::Table(table)] });
    page(&Page {
        title: format!("{}: sweep", swept.name),
        subtitle: format!(
            "{} · seed {} · {} points × {} runs under common random numbers",
            swept.source,
            swept.seed,
            swept.points.len(),
            swept.replications
        ),
        lead: swept.description.clone(),
        sections,
        footer: format!("brownout {}", env!("CARGO_PKG_VERSION")),
    })
}

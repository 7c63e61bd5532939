//! A sweep as tables, charts, findings and a page.
//!
//! Rows are in the order of points and replications, regardless of the order in which they ran.

mod charts;
mod findings;
mod page;

use lab::sweep::{Swept, SweptPoint};
use language::diagnostics::shown;
use serde_json::{Map, Value, json};

use crate::figures;
use crate::text::aligned;

pub use charts::charts;
pub use findings::findings;
pub use page::html;

fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| value.to_string())
}

fn csv(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(header).expect("memory takes every write");
    rows.for_each(|row| writer.write_record(row).expect("memory takes every write"));
    String::from_utf8(writer.into_inner().expect("memory takes every write")).expect("texts and numbers are UTF-8")
}

/// One row per point and replication: numbers of point and replication, the values varied, the metrics (times in seconds,
/// shares between 0 and 1), and the error if there are none.
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
            row.extend(run.values.iter().map(|value| number(*value)));
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
                "metrics": swept.metrics.iter().cloned().zip(run.values.iter().map(|v| json!(v))).collect::<Map<_, _>>(),
                "error": run.error,
            });
            text.push_str(&row.to_string());
            text.push('\n');
        }
    }
    text
}

/// One row per point: its values, its number of runs, and mean and half-width of each metric.
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
        for metric in 0..swept.metrics.len() {
            let interval = point.interval(metric);
            row.extend([number(interval.map(|i| i.mean)), number(interval.and_then(|i| i.half_width))]);
        }
        row
    });
    csv(header, rows)
}

/// The table for a terminal: one row per point.
#[must_use]
pub fn text(swept: &Swept) -> String {
    let mut heading: Vec<String> = swept.axes.iter().map(|axis| last_words(axis)).collect();
    heading.extend(swept.metrics.iter().map(|metric| last_words(metric)));
    let rows: Vec<Vec<String>> = swept.points.iter().map(|point| row(swept, point)).collect();
    let mut text = format!("{}: {} points × {} runs\n\n", shown(&swept.name), swept.points.len(), swept.replications);
    text.push_str(&aligned(&heading, &rows));
    let all = swept.points.len() * swept.replications as usize;
    let done = swept.points.iter().flat_map(|point| &point.runs).flatten().count();
    if done < all {
        text.push_str(&format!("\ncut short: the figures cover the {done} of {all} runs that completed\n"));
    }
    for point in &swept.points {
        if let Some(error) = point.error() {
            text.push_str(&format!(
                "\npoint {} ({}) failed: {}\n",
                point.number,
                shown(&point.values.join(", ")),
                shown(error)
            ));
        }
    }
    text.push('\n');
    for finding in findings(swept) {
        text.push_str(&format!("{}\n", shown(&finding.text)));
    }
    text
}

fn row(swept: &Swept, point: &SweptPoint) -> Vec<String> {
    let mut row = point.values.clone();
    row.extend((0..swept.metrics.len()).map(|metric| cell(swept, point, metric)));
    row
}

/// Mean ± half-width; for an event, its probability with both ends of the interval.
fn cell(swept: &Swept, point: &SweptPoint, metric: usize) -> String {
    let (interval, unit) = (point.interval(metric), swept.units[metric]);
    match point.ends(metric, true).filter(|_| lab::metrics::is_event(&swept.metrics[metric])) {
        Some((low, high)) => {
            let [mean, low, high] = [interval.map_or(0.0, |i| i.mean), low, high].map(|v| figures::figure(v, unit));
            format!("{mean} ({low} to {high})")
        }
        None => figures::interval(interval.as_ref(), unit),
    }
}

/// The last segments of a path, enough to identify it in a table.
fn last_words(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        ["workloads" | "components", rest @ ..] if rest.len() > 1 => rest.join("."),
        _ => path.to_owned(),
    }
}

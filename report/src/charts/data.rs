//! The values of a chart, as JSON in its `metadata`: the texts shown on hover, and the data for zooming.
//!
//! ```text
//! {"box": [left, top, right, bottom], "zoom": "x", "x": AXIS, "y": AXIS,
//!  "at": [x, …], "names": [text, …], "series": [{"name", "role", "y": […], "text": […]}]}
//! {"box": […], "cells": [{"box": […], "lines": [text, …]}]}
//! AXIS = {"low", "high", "log", "unit", "divisor", "label", "ticks"?}
//! ```
//!
//! Values are rounded to six digits, more than any screen shows. On a logarithmic axis `low` and `high` are the
//! logarithms of its ends.

use serde_json::{Map, Value, json};

use super::canvas::{Canvas, Place};
use super::frame::Plot;
use super::scale::lone_text;
use super::{Layer, Line, Unit, palette};

/// The values of a series, one at each position of the horizontal axis.
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    /// Positions on the vertical axis, in its unit.
    pub(crate) y: Vec<Option<f64>>,
    /// The text of each value.
    pub(crate) text: Vec<Option<String>>,
}

/// The axes that a reader may zoom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zoom {
    /// The horizontal axis only: areas must start at zero.
    Across,
    /// Both axes.
    Both,
}

/// Series over a common horizontal axis.
pub(crate) fn columns(canvas: &mut Canvas, plot: &Plot, zoom: Zoom, at: &[(f64, String)], series: &[Told]) {
    let series: Vec<Value> = series
        .iter()
        .map(|told| {
            let y: Vec<Value> = told.y.iter().map(|y| y.map_or(Value::Null, rounded)).collect();
            json!({ "name": told.name, "role": told.role, "y": y, "text": told.text })
        })
        .collect();
    let whole = json!({
        "box": edges(plot),
        "zoom": if zoom == Zoom::Both { "xy" } else { "x" },
        "x": plot.x.data(),
        "y": plot.y.data(),
        "at": at.iter().map(|(x, _)| rounded(*x)).collect::<Vec<_>>(),
        "names": at.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(),
        "series": series,
    });
    canvas.data(whole.to_string());
}

/// The layers of a stack from the top, in their visual order: each is positioned at its top and shows its own value.
pub(crate) fn stacked(layers: &[Layer], tops: &[Vec<f64>], unit: &Unit) -> Vec<Told> {
    let told = layers.iter().zip(tops).enumerate().map(|(number, (layer, top))| Told {
        name: layer.name.clone(),
        role: role(number),
        y: top.iter().copied().map(Some).collect(),
        text: layer.values.iter().map(|value| value.map(|value| lone_text(unit, value))).collect(),
    });
    told.rev().collect()
}

/// Curves: the values of all of them at every position at which one of them has a point.
pub(crate) fn curves(canvas: &mut Canvas, plot: &Plot, series: &[Line], units: (&Unit, &Unit)) {
    let mut places: Vec<f64> =
        series.iter().flat_map(|line| &line.points).map(|point| point.x).filter(|x| x.is_finite()).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let at: Vec<(f64, String)> = places.iter().map(|x| (*x, lone_text(units.0, *x))).collect();
    let told: Vec<Told> = series
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let (mut y, mut text) = (vec![None; places.len()], vec![None; places.len()]);
            for point in &line.points {
                let Ok(column) = places.binary_search_by(|x| x.total_cmp(&point.x)) else { continue };
                y[column] = point.y.filter(|value| value.is_finite());
                text[column] = y[column].map(|value| match point.interval {
                    Some((low, high)) if high > low => {
                        format!(
                            "{} ({} to {})",
                            lone_text(units.1, value),
                            lone_text(units.1, low),
                            lone_text(units.1, high)
                        )
                    }
                    _ => lone_text(units.1, value),
                });
            }
            Told { name: line.name.clone(), role: role(number), y, text }
        })
        .collect();
    columns(canvas, plot, Zoom::Both, &at, &told);
}

/// Rectangles with a text each.
pub(crate) fn cells(canvas: &mut Canvas, edges: [f64; 4], cells: &[(Place, Place, Vec<String>)]) {
    let cells: Vec<Value> = cells
        .iter()
        .map(|(from, to, lines)| {
            let edges = [from.0, from.1, to.0, to.1].map(rounded);
            json!({ "box": edges, "lines": lines })
        })
        .collect();
    let edges = edges.map(rounded);
    canvas.data(json!({ "box": edges, "cells": cells }).to_string());
}

/// The role of a series colour.
pub(crate) fn role(number: usize) -> &'static str {
    palette::role(palette::SERIES[number % palette::SERIES.len()]).unwrap_or("ink")
}

fn edges(plot: &Plot) -> [Value; 4] {
    [plot.left, plot.top, plot.right, plot.bottom].map(rounded)
}

/// Six significant digits; values that are not finite become `null`.
pub(crate) fn rounded(value: f64) -> Value {
    let short: Option<f64> = format!("{value:.5e}").parse().ok();
    match short.filter(|short| short.is_finite()) {
        Some(short) if short == short.trunc() && short.abs() < 1e15 => json!(short as i64),
        Some(short) => json!(short),
        None => Value::Null,
    }
}

impl super::scale::Scale {
    /// The data of an axis that zooming needs.
    fn data(&self) -> Value {
        let mut data = Map::new();
        data.insert("low".to_owned(), rounded(self.low));
        data.insert("high".to_owned(), rounded(self.high));
        data.insert("log".to_owned(), json!(self.log));
        data.insert("unit".to_owned(), json!(self.unit));
        data.insert("divisor".to_owned(), json!(self.divisor));
        data.insert("label".to_owned(), json!(self.title));
        if self.named {
            let ticks: Vec<Value> = self.ticks.iter().map(|it| json!([rounded(it.value), it.label])).collect();
            data.insert("ticks".to_owned(), json!(ticks));
        }
        Value::Object(data)
    }
}

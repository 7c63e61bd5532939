//! Parts of a whole over time, stacked from zero.

use super::canvas::{Canvas, Stroke};
use super::data::{self, Zoom};
use super::frame::{self, Entry, Grid, Sample, Surroundings};
use super::palette;
use super::scale::{Scale, lone_text};
use super::{Chart, ChartError, Layer, Marked};

/// Draws the layers, the first at the bottom.
pub(crate) fn draw(
    canvas: &mut Canvas,
    chart: &Chart,
    at_s: &[f64],
    layers: &[Layer],
    marked: Marked<'_>,
) -> Result<(), ChartError> {
    let mut tops: Vec<Vec<f64>> = Vec::with_capacity(layers.len());
    let mut below = vec![0.0; at_s.len()];
    for layer in layers {
        for (total, value) in below.iter_mut().zip(&layer.values) {
            *total += value.unwrap_or(0.0).max(0.0);
        }
        tops.push(below.clone());
    }
    let window_s = at_s.get(1).map_or(1.0, |second| second - at_s[0]);
    let x = Scale::exact(&chart.x, at_s.iter().flat_map(|at_s| [*at_s, at_s + window_s]), 9);
    let y = Scale::proportional(&chart.y, below.iter().copied(), 5);
    // The legend lists the layers from the top, in their visual order.
    let legend = layers
        .iter()
        .enumerate()
        .rev()
        .map(|(number, layer)| Entry { name: layer.name.clone(), sample: Sample::Patch(color(number)) })
        .collect();
    let plot =
        frame::surround(canvas, chart, Surroundings { x, y, legend, marked, right: 0.0, grid: Grid::Horizontal })?;

    // A value belongs to the middle of its window; the first and last ones extend to the edges.
    let values = |heights: &[f64]| -> Vec<(f64, f64)> {
        let middles = at_s.iter().map(|at_s| at_s + window_s / 2.0).zip(heights.iter().copied());
        let first = at_s.first().copied().zip(heights.first().copied());
        let last = at_s.last().map(|at_s| at_s + window_s).zip(heights.last().copied());
        first.into_iter().chain(middles).chain(last).collect()
    };
    plot.draw(canvas, |canvas| {
        let mut lower = values(&vec![0.0; at_s.len()]);
        for (number, heights) in tops.iter().enumerate() {
            let upper = values(heights);
            plot.area(canvas, (&upper, &lower), color(number), 0.85);
            lower = upper;
        }
        // Thin lines between the layers distinguish them without colour.
        for heights in &tops {
            plot.line(canvas, values(heights), Stroke::solid(palette::PAPER, 1.2));
        }
    });
    let at: Vec<(f64, String)> =
        at_s.iter().map(|at_s| (at_s + window_s / 2.0, lone_text(&chart.x.unit, *at_s))).collect();
    let told = data::stacked(layers, &tops, &chart.y.unit);
    data::columns(canvas, &plot, Zoom::Across, &at, &told);
    Ok(())
}

fn color(number: usize) -> palette::Color {
    palette::SERIES[number % palette::SERIES.len()]
}

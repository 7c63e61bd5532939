//! Curves: values against a variable, or over simulated time; and unconnected points.

use super::canvas::{Canvas, Place, Stroke};
use super::frame::{self, Entry, Grid, Plot, Sample, Surroundings};
use super::palette::{self, Look};
use super::scale::Scale;
use super::{Chart, ChartError, Kind, Line, Marked, data};

/// Number of points above which a curve gets only some markers.
const MARKED_POINTS_MAX: usize = 24;
/// Number of markers on such a curve.
const MARKERS: usize = 7;

/// Draws the curves, with their intervals behind them.
pub(crate) fn draw(canvas: &mut Canvas, chart: &Chart, series: &[Line], marked: Marked<'_>) -> Result<(), ChartError> {
    let points = || series.iter().flat_map(|line| &line.points);
    let y_values = points().flat_map(|point| {
        let (low, high) = point.interval.unzip();
        [point.y, low, high].into_iter().flatten()
    });
    let y_values = y_values.chain(chart.bounds.iter().map(|bound| bound.value));
    let over_time = matches!(chart.kind, Kind::TimeSeries { .. });
    let reach = if over_time { half_window(series) } else { 0.0 };
    let x = Scale::exact(&chart.x, points().flat_map(|point| [point.x - reach, point.x + reach]), 9);
    let y = Scale::new(&chart.y, y_values, 5);
    let legend = series
        .iter()
        .enumerate()
        .map(|(number, line)| Entry { name: line.name.clone(), sample: Sample::Line(palette::look(number)) })
        .collect();
    let grid = if over_time { Grid::Horizontal } else { Grid::Both };
    let plot = frame::surround(canvas, chart, Surroundings { x, y, legend, marked, right: 0.0, grid })?;

    plot.draw(canvas, |canvas| {
        if let Kind::Points { .. } = chart.kind {
            series
                .iter()
                .enumerate()
                .for_each(|(number, line)| points_apart(canvas, &plot, line, palette::look(number)));
            return;
        }
        for (number, line) in series.iter().enumerate() {
            if are_wide(chart, series) {
                // Side by side, so that bars at the same position can be distinguished.
                let aside = (number as f64 - (series.len() as f64 - 1.0) / 2.0) * ASIDE;
                bars(canvas, &plot, line, palette::look(number), aside);
            } else {
                interval(canvas, &plot, line, palette::look(number));
            }
        }
        for (number, line) in series.iter().enumerate() {
            curve(canvas, &plot, line, number);
        }
    });
    data::curves(canvas, &plot, series, (&chart.x.unit, &chart.y.unit));
    Ok(())
}

/// Distance between the bars of neighbouring series, px.
const ASIDE: f64 = 5.0;
/// Intervals of shares wider than this on average are drawn as bars: as areas they would cover each other.
const WIDE: f64 = 0.2;

/// Whether the intervals are those of shares, such as probabilities from a few runs, and cover most of the chart.
fn are_wide(chart: &Chart, series: &[Line]) -> bool {
    let widths: Vec<f64> = series
        .iter()
        .flat_map(|line| &line.points)
        .filter_map(|point| point.interval.map(|(low, high)| high - low))
        .collect();
    chart.y.unit == super::Unit::Share && !widths.is_empty() && widths.iter().sum::<f64>() / widths.len() as f64 > WIDE
}

/// Draws the intervals as bars with end caps.
fn bars(canvas: &mut Canvas, plot: &Plot, line: &Line, look: Look, aside: f64) {
    let stroke = Stroke::solid(look.color, 1.2);
    for point in &line.points {
        let Some((low, high)) = point.interval else { continue };
        let Some(((x, bottom), (_, top))) = plot.place(point.x, low).zip(plot.place(point.x, high)) else { continue };
        let x = x + aside;
        canvas.line(&[(x, bottom), (x, top)], stroke);
        for y in [bottom, top] {
            canvas.line(&[(x - 2.5, y), (x + 2.5, y)], stroke);
        }
    }
}

/// Half the distance between neighbouring windows: a value belongs to the middle of its window, and the axis shows the whole
/// window.
fn half_window(series: &[Line]) -> f64 {
    let first = series.iter().find_map(|line| line.points.get(..2));
    first.map_or(0.5, |pair| (pair[1].x - pair[0].x) / 2.0)
}

/// Draws the area between the ends of the intervals.
fn interval(canvas: &mut Canvas, plot: &Plot, line: &Line, look: Look) {
    let known = line.points.iter().filter_map(|point| point.interval.map(|ends| (point.x, ends)));
    let (lower, upper): (Vec<_>, Vec<_>) = known.map(|(x, (low, high))| ((x, low), (x, high))).unzip();
    plot.area(canvas, (&upper, &lower), look.color, 0.16);
}

/// Draws unconnected points, each with its interval as a bar.
fn points_apart(canvas: &mut Canvas, plot: &Plot, line: &Line, look: Look) {
    let stroke = Stroke::solid(look.color, 1.2);
    for point in &line.points {
        let ends = point.interval.and_then(|(low, high)| Some([plot.place(point.x, low)?, plot.place(point.x, high)?]));
        if let Some(ends) = ends {
            canvas.line(&ends, stroke);
            for (x, y) in ends {
                canvas.line(&[(x - 3.5, y), (x + 3.5, y)], stroke);
            }
        }
        if let Some(place) = point.y.and_then(|y| plot.place(point.x, y)) {
            canvas.marker(place, look.marker, look.color);
        }
    }
}

fn curve(canvas: &mut Canvas, plot: &Plot, line: &Line, number: usize) {
    let look = palette::look(number);
    let values: Vec<Option<(f64, f64)>> = line
        .points
        .iter()
        .map(|point| point.y.filter(|y| plot.place(point.x, *y).is_some()).map(|y| (point.x, y)))
        .collect();
    let places: Vec<Option<Place>> = values.iter().map(|value| value.and_then(|(x, y)| plot.place(x, y))).collect();
    let known = places.iter().flatten().count();
    let (width, dash) = (if known > 150 { 1.6 } else { 2.0 }, look.dash);
    for run in values.split(Option::is_none) {
        if let [Some((x, y))] = run
            && let Some(only) = plot.place(*x, *y)
        {
            // Without a marker, a value between two gaps would be invisible.
            canvas.marker(only, look.marker, look.color);
        } else {
            plot.line(canvas, run.iter().copied().flatten(), Stroke { color: look.color, width, dash });
        }
    }
    let every = if known <= MARKED_POINTS_MAX { 1 } else { known.div_ceil(MARKERS) };
    // Offset the markers of each series, so that those of coinciding curves stay apart.
    let first = if every == 1 { 0 } else { every / 3 + (number * every / 5) % every };
    for place in places.iter().flatten().skip(first).step_by(every) {
        canvas.marker(*place, look.marker, look.color);
    }
}

//! Small multiples: the same curves for each value of a further variable, all with the same axes, so that heights can be
//! compared between panels.

use super::canvas::{Anchor, Canvas, Lettering, Place, Stroke};
use super::frame::{self, Entry, Plot, Sample};
use super::palette;
use super::scale::{Scale, lone_text};
use super::{Chart, ChartError, Panel, Point, Size, data};
use plotters::coord::ranged1d::Ranged as _;

const MARGIN: f64 = 16.0;
const HEADING: f64 = 30.0;
const BELOW: f64 = 26.0;
const BETWEEN: f64 = 14.0;
const HIGH: f64 = 130.0;

fn columns(panels: usize) -> usize {
    match panels {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    }
}

/// The height that its rows need.
pub(crate) fn size(asked: Size, panels: usize) -> Size {
    let rows = panels.div_ceil(columns(panels)).max(1) as f64;
    Size { width: asked.width, height: (rows * (HEADING + HIGH + BELOW + BETWEEN) + 140.0).round() as u32 }
}

/// Draws the panels, row by row.
pub(crate) fn draw(canvas: &mut Canvas, chart: &Chart, panels: &[Panel]) -> Result<(), ChartError> {
    let points = || panels.iter().flat_map(|panel| &panel.series).flat_map(|line| &line.points);
    let y_values = points().flat_map(|point| {
        let (low, high) = point.interval.unzip();
        [point.y, low, high].into_iter().flatten()
    });
    let x = Scale::exact(&chart.x, points().map(|point| point.x), 4);
    let y = Scale::new(&chart.y, y_values, 4);
    let mut names: Vec<&str> = Vec::new();
    for line in panels.iter().flat_map(|panel| &panel.series) {
        if !names.contains(&line.name.as_str()) {
            names.push(&line.name);
        }
    }
    let look_of = |name: &str| palette::look(names.iter().position(|known| *known == name).unwrap_or(0));
    let legend: Vec<Entry> =
        names.iter().map(|name| Entry { name: (*name).to_owned(), sample: Sample::Line(look_of(name)) }).collect();
    let top = frame::titles(canvas, chart);
    let top = frame::legend(canvas, &legend, top);
    canvas.text((MARGIN, top + 4.0), &y.title, frame::label(Anchor::Start));
    let top = top + 22.0;

    let across = columns(panels.len());
    let ticks_wide = y.widest(11.5) + 9.0;
    let wide = (canvas.width() - 2.0 * MARGIN + BETWEEN) / across as f64;
    let mut told = Vec::new();
    let mut lowest = top;
    for (number, panel) in panels.iter().enumerate() {
        let (column, row) = ((number % across) as f64, (number / across) as f64);
        let left = MARGIN + column * wide + ticks_wide;
        let right = MARGIN + (column + 1.0) * wide - BETWEEN;
        let upper = top + row * (HEADING + HIGH + BELOW + BETWEEN) + HEADING;
        let lower = upper + HIGH;
        lowest = lower + BELOW;
        let name = frame::fitting(&panel.name, right - left, 12.0);
        canvas.text((left, upper - 17.0), &name, Lettering::new(12.0, palette::INK, Anchor::Start).bold());
        let across = x.clone().thinned(right - left, 11.5, 6.0);
        let mut plot = Plot::new(canvas, [left, upper, right, lower], across, y.clone())?;
        plot.y_mesh(canvas, true);
        plot.x_mesh(canvas, true);
        for bound in &chart.bounds {
            let stroke = Stroke { color: palette::INK, width: 1.2, dash: &[2.0, 3.0] };
            if plot.y_at(bound.value).is_some_and(|at| (upper..=lower).contains(&at)) {
                let ends = [plot.x.range().start, plot.x.range().end];
                plot.line(canvas, ends.map(|end| (end, bound.value)), stroke);
            }
        }
        let place = |at: f64, value: f64| plot.place(at, value);
        for line in &panel.series {
            let look = look_of(&line.name);
            let ends = line.points.iter().filter_map(|point| point.interval.map(|ends| (point.x, ends)));
            let (low, high): (Vec<_>, Vec<_>) = ends.map(|(x, (low, high))| ((x, low), (x, high))).unzip();
            plot.area(canvas, (&high, &low), look.color, 0.16);
            let shown = |point: &Point| point.y.filter(|y| place(point.x, *y).is_some()).map(|y| (point.x, y));
            let values: Vec<Option<(f64, f64)>> = line.points.iter().map(shown).collect();
            for run in values.split(Option::is_none) {
                let stroke = Stroke { color: look.color, width: 1.8, dash: look.dash };
                plot.line(canvas, run.iter().copied().flatten(), stroke);
                for at in run.iter().flatten().filter_map(|(x, y)| place(*x, *y)) {
                    canvas.marker(at, look.marker, look.color);
                }
            }
        }
        tell(&mut told, chart, panel, &place, (upper, lower));
    }
    let right = canvas.width() - MARGIN;
    canvas.text((right, lowest + 8.0), &x.title, frame::label(Anchor::End));
    data::cells(canvas, [MARGIN, top, right, lowest], &told);
    Ok(())
}

/// A strip around each position of the horizontal axis, with the values there.
fn tell(
    told: &mut Vec<(Place, Place, Vec<String>)>,
    chart: &Chart,
    panel: &Panel,
    place: &impl Fn(f64, f64) -> Option<Place>,
    (upper, lower): (f64, f64),
) {
    let mut at: Vec<f64> = panel.series.iter().flat_map(|line| &line.points).map(|point| point.x).collect();
    at.sort_by(f64::total_cmp);
    at.dedup();
    for x in at {
        let Some((middle, _)) = place(x, 1.0) else { continue };
        let mut lines = vec![format!("{}, {} {}", panel.name, chart.x.label, lone_text(&chart.x.unit, x))];
        for line in &panel.series {
            let value = line.points.iter().find(|point: &&Point| point.x == x).and_then(|point| point.y);
            let text = value.map_or_else(|| "unknown".to_owned(), |value| lone_text(&chart.y.unit, value));
            lines.push(if line.name.is_empty() { text } else { format!("{}: {text}", line.name) });
        }
        told.push(((middle - 7.0, upper), (middle + 7.0, lower), lines));
    }
}

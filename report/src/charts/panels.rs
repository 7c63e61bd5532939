//! Small multiples: the same curves for each value of a further variable, all over the same axes, so that heights can be
//! compared from panel to panel.

use super::canvas::{Anchor, Canvas, Lettering, Place, Stroke, text_width};
use super::frame::{self, Entry, Sample};
use super::palette;
use super::scale::{Scale, lone_text};
use super::{Chart, Panel, Point, Size, data};

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

/// As high as its rows need.
pub(crate) fn size(asked: Size, panels: usize) -> Size {
    let rows = panels.div_ceil(columns(panels)).max(1) as f64;
    Size { width: asked.width, height: (rows * (HEADING + HIGH + BELOW + BETWEEN) + 140.0).round() as u32 }
}

/// Draws the panels, row by row.
pub(crate) fn draw(canvas: &mut Canvas, chart: &Chart, panels: &[Panel]) {
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
    let ticks_wide = y.ticks.iter().map(|tick| text_width(&tick.label, 11.5)).fold(0.0, f64::max) + 9.0;
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
        for mark in &y.ticks {
            let at = lower - mark.position * HIGH;
            canvas.line(&[(left, at), (right, at)], Stroke::solid(palette::GRID, 1.0));
            canvas.text((left - 6.0, at), &mark.label, frame::tick(Anchor::End));
        }
        let mut free_from = f64::NEG_INFINITY;
        for mark in &x.ticks {
            let at = left + mark.position * (right - left);
            canvas.line(&[(at, upper), (at, lower + 4.0)], Stroke::solid(palette::GRID, 1.0));
            let half = text_width(&mark.label, 11.5) / 2.0;
            let middle = at.min(right + 8.0 - half);
            if middle - half > free_from {
                canvas.text((middle, lower + 14.0), &mark.label, frame::tick(Anchor::Middle));
                free_from = middle + half + 6.0;
            }
        }
        canvas.line(&[(left, lower), (right, lower)], Stroke::solid(palette::AXIS, 1.2));
        for bound in &chart.bounds {
            let at = y.position(bound.value).map(|position| lower - position * HIGH);
            let Some(at) = at.filter(|at| (upper..=lower).contains(at)) else { continue };
            let stroke = Stroke { color: palette::INK, width: 1.2, dash: &[2.0, 3.0] };
            canvas.line(&[(left, at), (right, at)], stroke);
        }
        let place = |at: f64, value: f64| -> Option<Place> {
            Some((left + x.position(at)? * (right - left), lower - y.position(value)? * HIGH))
        };
        for line in &panel.series {
            let look = look_of(&line.name);
            let ends = line.points.iter().filter_map(|point| {
                let (low, high) = point.interval?;
                Some((place(point.x, low)?, place(point.x, high)?))
            });
            let (low, mut outline): (Vec<Place>, Vec<Place>) = ends.unzip();
            outline.extend(low.iter().rev());
            canvas.polygon(&outline, look.color, 0.16);
            let places: Vec<Option<Place>> =
                line.points.iter().map(|point| point.y.and_then(|value| place(point.x, value))).collect();
            for run in places.split(Option::is_none) {
                let run: Vec<Place> = run.iter().copied().flatten().collect();
                canvas.line(&run, Stroke { color: look.color, width: 1.8, dash: look.dash });
                run.iter().for_each(|at| canvas.marker(*at, look.marker, look.color));
            }
        }
        tell(&mut told, chart, panel, &place, (upper, lower));
    }
    let right = canvas.width() - MARGIN;
    canvas.text((right, lowest + 8.0), &x.title, frame::label(Anchor::End));
    data::cells(canvas, [MARGIN, top, right, lowest], &told);
}

/// A strip around each place of the horizontal axis, with the values there.
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

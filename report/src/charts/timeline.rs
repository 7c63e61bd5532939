//! Goodput over time, and below it, in lanes, what brought it down, what kept it down and what operators did.

use super::canvas::{Anchor, Canvas, Lettering, Stroke};
use super::data::{self, Told, Zoom};
use super::frame::{self, Grid, Plot, Surroundings};
use super::palette;
use super::scale::{Scale, lone_text};
use super::text::text_width;
use super::{Chart, ChartError, Mark, Marked, Size, TimelineLane, TimelineRole};

const LANE: f64 = 26.0;
const BAR: f64 = 16.0;
/// Space for the names of lanes, px.
const NAMES: f64 = 78.0;
const TEXT: f64 = 11.5;

/// The height that its lanes need.
pub(crate) fn size(asked: Size, lanes: usize) -> Size {
    Size { width: asked.width, height: (250.0 + LANE * lanes as f64).round() as u32 }
}

/// Draws goodput and the lanes.
pub(crate) fn draw(
    canvas: &mut Canvas,
    chart: &Chart,
    (goodput, window_s): (&[(f64, Option<f64>)], f64),
    lanes: &[TimelineLane],
    happenings: &[Mark],
) -> Result<(), ChartError> {
    let ends = goodput.first().map(|it| it.0).into_iter().chain(goodput.last().map(|it| it.0 + window_s));
    let x = Scale::exact(&chart.x, ends, 9);
    let values = goodput.iter().filter_map(|it| it.1).chain(chart.bounds.iter().map(|bound| bound.value));
    let y = Scale::proportional(&chart.y, values, 3);
    let marked = Marked { faults: &[], happenings };
    let around = Surroundings { x, y, legend: Vec::new(), marked, right: 0.0, grid: Grid::Horizontal };
    let below = LANE * lanes.len() as f64;
    let plot = frame::surround_above(canvas, chart, around, (NAMES, below))?;

    plot.draw(canvas, |canvas| {
        let known: Vec<(f64, f64)> =
            goodput.iter().filter_map(|(at_s, value)| Some((at_s + window_s / 2.0, (*value)?))).collect();
        let ground: Vec<(f64, f64)> = known.iter().map(|(at_s, _)| (*at_s, 0.0)).collect();
        plot.area(canvas, (&known, &ground), palette::SERIES[0], 0.25);
        plot.line(canvas, known, Stroke::solid(palette::SERIES[0], 1.6));
    });
    for (number, lane) in lanes.iter().enumerate() {
        draw_lane(canvas, &plot, lane, plot.bottom + 8.0 + LANE * number as f64);
    }
    let at: Vec<(f64, String)> =
        goodput.iter().map(|(at_s, _)| (at_s + window_s / 2.0, lone_text(&chart.x.unit, *at_s))).collect();
    let told = Told {
        name: "goodput".to_owned(),
        role: data::role(0),
        y: goodput.iter().map(|it| it.1).collect(),
        text: goodput.iter().map(|it| it.1.map(|value| lone_text(&chart.y.unit, value))).collect(),
    };
    data::columns(canvas, &plot, Zoom::Across, &at, &[told]);
    Ok(())
}

fn draw_lane(canvas: &mut Canvas, plot: &Plot, lane: &TimelineLane, top: f64) {
    let middle = top + BAR / 2.0;
    canvas.text((plot.left - 7.0, middle), &lane.name, Lettering::new(TEXT, palette::INK, Anchor::End));
    let color = match lane.role {
        TimelineRole::Trigger => palette::FAULT,
        TimelineRole::Sustained => palette::SERIES[1],
        TimelineRole::Policy => palette::SERIES[2],
        TimelineRole::Remedy => palette::EVENT,
    };
    // Names that do not fit inside their bars go to the right of them, and are left out if they would touch.
    let mut free_from = f64::NEG_INFINITY;
    canvas.plot((plot.left, top), (plot.right, top + BAR), |canvas| {
        for bar in &lane.bars {
            let at = |at_s: f64| plot.x_at(at_s).unwrap_or(plot.left).clamp(plot.left, plot.right);
            let (from, until) = (at(bar.from_s), at(bar.until_s).max(at(bar.from_s) + 3.0));
            canvas.rectangle((from, top), (until, top + BAR), color, 0.55);
        }
    });
    canvas.group("fault-name", |canvas| {
        for bar in &lane.bars {
            let at = |at_s: f64| plot.x_at(at_s).unwrap_or(plot.left).clamp(plot.left, plot.right);
            let (from, until) = (at(bar.from_s), at(bar.until_s).max(at(bar.from_s) + 3.0));
            let name = frame::fitting(&bar.name, 220.0, TEXT);
            let wide = text_width(&name, TEXT);
            let x = if wide + 8.0 <= until - from { from + 4.0 } else { until + 4.0 };
            let x = if x + wide > plot.right { (from - wide - 4.0).max(plot.left) } else { x };
            if x >= free_from {
                canvas.text((x, middle), &name, Lettering::new(TEXT, palette::INK, Anchor::Start));
                free_from = x + wide + 6.0;
            }
        }
    });
}

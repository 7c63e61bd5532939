//! A value per category as horizontal bars, so that long names are readable; bars always start at zero.

use super::canvas::{Anchor, Canvas, Lettering, Stroke};
use super::frame::{self, Entry, Plot, Sample};
use super::palette;
use super::scale::{Scale, lone_text};
use super::text::text_width;
use super::{BarGroup, Chart, ChartError, Size, data};

const BAR: f64 = 17.0;
const BETWEEN: f64 = 12.0;
const MARGIN: f64 = 16.0;

/// The height that its bars need.
pub(crate) fn size(asked: Size, categories: usize, groups: usize) -> Size {
    let rows = categories as f64 * (groups.max(1) as f64 * BAR + BETWEEN);
    Size { width: asked.width, height: (rows + 150.0).round() as u32 }
}

/// Draws the bars.
pub(crate) fn draw(
    canvas: &mut Canvas,
    chart: &Chart,
    categories: &[String],
    groups: &[BarGroup],
) -> Result<(), ChartError> {
    let reach = groups.iter().flat_map(|group| {
        let ends = group.intervals.iter().flatten().flat_map(|(low, high)| [*low, *high]);
        group.values.iter().flatten().copied().chain(ends)
    });
    let scale = Scale::proportional(&chart.y, reach, 6);
    let mut top = frame::titles(canvas, chart);
    if groups.len() > 1 {
        let entries: Vec<Entry> = groups
            .iter()
            .enumerate()
            .map(|(number, group)| Entry { name: group.name.clone(), sample: Sample::Patch(color(number)) })
            .collect();
        top = frame::legend(canvas, &entries, top);
    }
    top += 8.0;
    let names: Vec<String> = categories.iter().map(|name| frame::fitting(name, 240.0, 12.0)).collect();
    let left = MARGIN + names.iter().map(|name| text_width(name, 12.0)).fold(0.0, f64::max) + 10.0;
    // Leave room for the value behind the longest bar.
    let right = canvas.width() - MARGIN - 64.0;
    let row_height = groups.len().max(1) as f64 * BAR + BETWEEN;
    let bottom = top + row_height * categories.len() as f64;
    let mut plot = Plot::new(canvas, [left, top, right, bottom], scale, Scale::lanes())?;
    plot.x_mesh(canvas, true);
    let plot = plot;
    let x_at = |value: f64| plot.x_at(value);
    canvas.text((right, bottom + 32.0), &plot.x.title, frame::label(Anchor::End));
    let zero = x_at(0.0).unwrap_or(left);
    let mut told = Vec::new();

    for (row, name) in names.iter().enumerate() {
        let row_top = top + row as f64 * row_height + BETWEEN / 2.0;
        let middle = row_top + groups.len().max(1) as f64 * BAR / 2.0;
        canvas.text((left - 9.0, middle), name, Lettering::new(12.0, palette::INK, Anchor::End));
        for (number, group) in groups.iter().enumerate() {
            let y = row_top + number as f64 * BAR;
            let Some(value) = group.values.get(row).copied().flatten() else {
                canvas.text((zero + 6.0, y + BAR / 2.0), "unknown", frame::label(Anchor::Start));
                continue;
            };
            let Some(end) = x_at(value) else { continue };
            canvas.rectangle((zero.min(end), y + 1.0), (zero.max(end), y + BAR - 1.0), color(number), 1.0);
            let ends = group.intervals.get(row).copied().flatten().filter(|(low, high)| high > low);
            let mut text_x = end.max(zero);
            if let Some((low, high)) = ends
                && let (Some(low), Some(high)) = (x_at(low), x_at(high))
            {
                interval(canvas, low, high, y + BAR / 2.0);
                text_x = text_x.max(high);
            }
            let text = lone_text(&chart.y.unit, value);
            let mut lines = vec![categories[row].clone()];
            lines.push(if groups.len() > 1 { format!("{}: {text}", group.name) } else { text.clone() });
            if let Some((low, high)) = ends {
                let [low, high] = [low, high].map(|end| lone_text(&chart.y.unit, end));
                lines.push(format!("interval {low} to {high}"));
            }
            told.push(((left, y), (canvas.width() - MARGIN, y + BAR), lines));
            canvas.text((text_x + 6.0, y + BAR / 2.0), &text, frame::tick(Anchor::Start));
        }
    }
    canvas.line(&[(zero, top), (zero, bottom)], Stroke::solid(palette::AXIS, 1.2));
    for bound in &chart.bounds {
        let Some(x) = x_at(bound.value).filter(|x| (left..=right).contains(x)) else { continue };
        canvas.line(&[(x, top), (x, bottom)], Stroke { color: palette::INK, width: 1.2, dash: &[2.0, 3.0] });
        canvas.text((x, top - 4.0), &bound.name, frame::tick(Anchor::Middle));
    }
    data::cells(canvas, [left, top, right, bottom], &told);
    Ok(())
}

/// An interval with its ends.
fn interval(canvas: &mut Canvas, low: f64, high: f64, y: f64) {
    let stroke = Stroke::solid(palette::INK, 1.4);
    canvas.line(&[(low, y), (high, y)], stroke);
    for end in [low, high] {
        canvas.line(&[(end, y - 3.5), (end, y + 3.5)], stroke);
    }
}

fn color(number: usize) -> palette::Color {
    palette::SERIES[number % palette::SERIES.len()]
}

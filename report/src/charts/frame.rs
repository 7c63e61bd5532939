//! The surroundings of a plot: title, legend, names of faults, axes and grid. They leave a rectangle for the chart itself.
//!
//! ```text
//! Title
//! subtitle
//! ── a   ╌╌ b                        legend
//! label of the vertical axis, unit   slow-db
//! 10 │··················│▒▒▒▒▒▒▒▒│········
//!  0 └──────────────────────────────────
//!     0s          1m          2m      label of the horizontal axis
//! ```

use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::Ranged as _;
use plotters::element::Polygon;
use plotters::series::LineSeries;
use plotters::style::{Color as _, RGBAColor};

use super::canvas::{Anchor, Canvas, Lettering, Place, Stroke, filled};
use super::palette::{self, Look};
use super::scale::Scale;
use super::svg::{Svg, tenths};
use super::text::text_width;
use super::{Band, Chart, ChartError, Mark, Marked};
use crate::units;

/// A chart of the drawing library.
pub(crate) type Context = ChartContext<'static, Svg, Cartesian2d<Scale, Scale>>;

/// A value on the x axis and one on the y axis.
pub(crate) type Value = (f64, f64);

/// The rectangle of the values, with its axes.
pub(crate) struct Plot {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    context: Context,
    /// The names of bounds with the right end of each: written together with the values, so that no curve covers them.
    names: Vec<(String, Place)>,
}

impl Plot {
    /// A plot whose values fill a rectangle; the space to its left and below it is for labels.
    pub(crate) fn new(canvas: &Canvas, rectangle: [f64; 4], x: Scale, y: Scale) -> Result<Plot, ChartError> {
        let [left, top, right, bottom] = rectangle;
        let context = ChartBuilder::on(canvas.area())
            .margin_top(tenths(top))
            .margin_right(tenths(canvas.width() - right))
            .set_label_area_size(LabelAreaPosition::Left, tenths(left))
            .set_label_area_size(LabelAreaPosition::Bottom, tenths(canvas.height() - bottom))
            .build_cartesian_2d(x.clone(), y.clone())
            .map_err(ChartError::new)?;
        Ok(Plot { left, top, right, bottom, x, y, context, names: Vec::new() })
    }

    pub(crate) fn x_at(&self, value: f64) -> Option<f64> {
        let ends = (tenths(self.left), tenths(self.right));
        self.x.shows(value).then(|| f64::from(self.x.map(&value, ends)) / 10.0)
    }

    pub(crate) fn y_at(&self, value: f64) -> Option<f64> {
        let ends = (tenths(self.bottom), tenths(self.top));
        self.y.shows(value).then(|| f64::from(self.y.map(&value, ends)) / 10.0)
    }

    pub(crate) fn place(&self, x: f64, y: f64) -> Option<Place> {
        Some((self.x_at(x)?, self.y_at(y)?))
    }

    /// Draws in the rectangle of the values, and the names of bounds on top.
    pub(crate) fn draw(&self, canvas: &mut Canvas, draw: impl FnOnce(&mut Canvas)) {
        canvas.plot((self.left, self.top), (self.right, self.bottom), draw);
        for (name, (x, y)) in &self.names {
            canvas.group("bound-name", |canvas| {
                let (width, half) = (text_width(name, TICK_SIZE), TICK_SIZE * 0.6);
                canvas.rectangle((x - width - 3.0, y - half), (x + 3.0, y + half), palette::PAPER, 0.8);
                canvas.text((*x, *y), name, Lettering::new(TICK_SIZE, palette::INK, Anchor::End));
            });
        }
    }

    /// Draws a line through values. Values that the axes cannot show are left out.
    pub(crate) fn line(&self, canvas: &mut Canvas, values: impl IntoIterator<Item = (f64, f64)>, stroke: Stroke) {
        let shown = values.into_iter().filter(|(x, y)| self.x.shows(*x) && self.y.shows(*y));
        for element in LineSeries::<Svg, (f64, f64)>::new(shown, stroke.style()) {
            canvas.draw(self.context.plotting_area(), &element, stroke.dash);
        }
    }

    /// Fills the area between two lines that run in the same direction.
    pub(crate) fn area(
        &self,
        canvas: &mut Canvas,
        (upper, lower): (&[Value], &[Value]),
        color: palette::Color,
        opacity: f64,
    ) {
        let around = upper.iter().chain(lower.iter().rev());
        let corners: Vec<(f64, f64)> = around.copied().filter(|(x, y)| self.x.shows(*x) && self.y.shows(*y)).collect();
        canvas.draw(self.context.plotting_area(), &Polygon::new(corners, filled(color, opacity)), &[]);
    }

    /// Draws the labels of the vertical axis and, if wanted, grid lines at them.
    pub(crate) fn y_mesh(&mut self, canvas: &mut Canvas, lines: bool) {
        let context = &mut self.context;
        canvas.group("y-axis", |canvas| {
            let mut mesh = context.configure_mesh();
            mesh.disable_x_mesh().disable_x_axis().max_light_lines(0);
            if !lines {
                mesh.disable_y_mesh();
            }
            mesh.bold_line_style(Stroke::solid(palette::GRID, 1.0).style());
            mesh.axis_style(RGBAColor(0, 0, 0, 0.0).stroke_width(1));
            // The library starts labels at twice the length of a tick.
            mesh.set_tick_mark_size(LabelAreaPosition::Left, 35).y_label_style(tick(Anchor::End).style());
            canvas.check(mesh.draw());
        });
    }

    /// Draws the horizontal axis with its ticks and labels and, if wanted, grid lines at them.
    pub(crate) fn x_mesh(&mut self, canvas: &mut Canvas, lines: bool) {
        let context = &mut self.context;
        canvas.group("x-axis", |canvas| {
            let mut mesh = context.configure_mesh();
            mesh.disable_y_mesh().disable_y_axis().max_light_lines(0);
            if !lines {
                mesh.disable_x_mesh();
            }
            mesh.bold_line_style(Stroke::solid(palette::GRID, 1.0).style());
            mesh.axis_style(Stroke::solid(palette::AXIS, 1.2).style());
            mesh.set_tick_mark_size(LabelAreaPosition::Bottom, 40).x_label_style(tick(Anchor::Middle).style());
            canvas.check(mesh.draw());
        });
    }
}

/// The sample of a series in the legend.
#[derive(Clone, Copy)]
pub(crate) enum Sample {
    /// A piece of its line with its marker.
    Line(Look),
    /// A patch of its colour.
    Patch(palette::Color),
    /// A piece of a plain line.
    Plain(Stroke),
    /// The mark of a happening.
    Happening,
}

/// An entry of the legend.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) sample: Sample,
}

/// What a kind of chart needs around its plot.
pub(crate) struct Surroundings<'a> {
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    pub(crate) legend: Vec<Entry>,
    pub(crate) marked: Marked<'a>,
    /// Space to keep free on the right, px.
    pub(crate) right: f64,
    /// Grid lines.
    pub(crate) grid: Grid,
}

/// The grid lines that cross the plot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grid {
    Horizontal,
    Both,
    None,
}

const MARGIN: f64 = 16.0;
const TITLE_SIZE: f64 = 16.0;
const TEXT_SIZE: f64 = 12.0;
const TICK_SIZE: f64 = 11.5;
const LEGEND_ROW: f64 = 20.0;
const FAULT_ROW: f64 = 15.0;

/// The muted text style of labels.
pub(crate) const fn label(anchor: Anchor) -> Lettering {
    Lettering::new(TEXT_SIZE, palette::INK_SOFT, anchor)
}

/// The text style of ticks.
pub(crate) const fn tick(anchor: Anchor) -> Lettering {
    Lettering::new(TICK_SIZE, palette::INK, anchor)
}

/// Draws title and subtitle; returns the vertical position below them.
pub(crate) fn titles(canvas: &mut Canvas, chart: &Chart) -> f64 {
    let room = canvas.width() - 2.0 * MARGIN;
    let mut y = MARGIN + 7.0;
    let title = fitting(&chart.title, room, TITLE_SIZE * 1.05);
    canvas.text((MARGIN, y), &title, Lettering::new(TITLE_SIZE, palette::INK, Anchor::Start).bold());
    y += 20.0;
    if !chart.subtitle.is_empty() {
        canvas.text((MARGIN, y), &fitting(&chart.subtitle, room, TEXT_SIZE), label(Anchor::Start));
        y += 18.0;
    }
    y
}

/// Shortens a text in the middle until it fits.
pub(crate) fn fitting(text: &str, room: f64, size: f64) -> String {
    let mut length = text.chars().count();
    let mut short = text.to_owned();
    while length > 3 && text_width(&short, size) > room {
        length -= 1;
        short = units::shortened(text, length);
    }
    short
}

/// Draws the legend in rows; returns the vertical position below it.
pub(crate) fn legend(canvas: &mut Canvas, entries: &[Entry], from_y: f64) -> f64 {
    const SAMPLE: f64 = 26.0;
    // A single curve is named by the title and needs no entry.
    let entries: Vec<&Entry> = entries.iter().filter(|entry| !entry.name.is_empty()).collect();
    if entries.is_empty() {
        return from_y;
    }
    let (mut x, mut y) = (MARGIN, from_y + 3.0);
    for entry in entries {
        let name = fitting(&entry.name, 260.0, TEXT_SIZE);
        let width = SAMPLE + 7.0 + text_width(&name, TEXT_SIZE) + 20.0;
        if x > MARGIN && x + width > canvas.width() - MARGIN + 20.0 {
            x = MARGIN;
            y += LEGEND_ROW;
        }
        let line = [(x, y), (x + SAMPLE, y)];
        match entry.sample {
            Sample::Line(look) => {
                canvas.line(&line, Stroke { color: look.color, width: 2.0, dash: look.dash });
                canvas.marker((x + SAMPLE / 2.0, y), look.marker, look.color);
            }
            Sample::Patch(color) => {
                canvas.rectangle((x, y - 6.0), (x + SAMPLE, y + 6.0), color, 1.0);
            }
            Sample::Plain(stroke) => {
                // With an outline, to be visible on any background, as in the plot.
                canvas.line(&line, Stroke::solid(palette::ON_DARK, stroke.width + 2.4));
                canvas.line(&line, stroke);
            }
            Sample::Happening => {
                let foot = (x + SAMPLE / 2.0, y + HAPPENING_HEIGHT / 2.0);
                canvas.polygon(&happening_at(foot), palette::INK_SOFT, 1.0);
            }
        }
        canvas.text((x + SAMPLE + 7.0, y), &name, Lettering::new(TEXT_SIZE, palette::INK, Anchor::Start));
        x += width;
    }
    y + LEGEND_ROW
}

/// Draws everything around the plot, and its grid.
pub(crate) fn surround(canvas: &mut Canvas, chart: &Chart, around: Surroundings<'_>) -> Result<Plot, ChartError> {
    surround_above(canvas, chart, around, (0.0, 0.0))
}

/// The same, with a minimum width on the left, and some space between the plot and the labels of the horizontal axis.
pub(crate) fn surround_above(
    canvas: &mut Canvas,
    chart: &Chart,
    mut around: Surroundings<'_>,
    (names, below): (f64, f64),
) -> Result<Plot, ChartError> {
    let mut top = titles(canvas, chart);
    if !around.marked.happenings.is_empty() {
        around.legend.push(Entry { name: "happenings".to_owned(), sample: Sample::Happening });
    }
    top = legend(canvas, &around.legend, top);
    canvas.text((MARGIN, top + 4.0), &around.y.title, label(Anchor::Start));
    top += 24.0;

    let left = MARGIN + (around.y.widest(TICK_SIZE) + 8.0).max(names);
    // The last label of the horizontal axis is centred under its tick and needs room on the right.
    let last = around.x.ticks.last().map_or(0.0, |tick| {
        let at_the_end = around.x.share(tick.value).is_some_and(|share| share > 0.9);
        if at_the_end { text_width(&tick.label, TICK_SIZE) / 2.0 } else { 0.0 }
    });
    let right = canvas.width() - MARGIN.max(last + 6.0) - around.right;
    let rows = fault_rows(around.marked.faults, &around.x, left, right);
    let row_count = rows.iter().map(|row| row.row + 1).max().unwrap_or(0);
    top += FAULT_ROW * row_count as f64;
    let bottom = canvas.height() - MARGIN - 38.0 - below;
    let x = around.x.thinned(right - left, TICK_SIZE, 8.0);
    let mut plot = Plot::new(canvas, [left, top, right, bottom], x, around.y)?;

    fault_bands(canvas, &plot, &rows);
    plot.y_mesh(canvas, around.grid != Grid::None);
    let foot = bottom + below;
    if below > 0.0 {
        // The labels go below the space in between.
        let (x, lanes) = (plot.x.clone(), Scale::lanes());
        Plot::new(canvas, [left, bottom, right, foot], x, lanes)?.x_mesh(canvas, around.grid == Grid::Both);
        canvas.line(&[(left, bottom), (right, bottom)], Stroke::solid(palette::AXIS, 1.2));
    } else {
        plot.x_mesh(canvas, around.grid == Grid::Both);
    }
    canvas.text((right, foot + 33.0), &plot.x.title, label(Anchor::End));
    plot.names = bounds(canvas, &plot, chart);
    happenings(canvas, &plot, around.marked.happenings);
    Ok(plot)
}

/// Draws the bounds of objectives as lines across the plot; returns their names with their right ends, above the lines.
fn bounds(canvas: &mut Canvas, plot: &Plot, chart: &Chart) -> Vec<(String, Place)> {
    let mut names = Vec::new();
    for bound in &chart.bounds {
        let Some(y) = plot.y_at(bound.value).filter(|y| (plot.top..=plot.bottom).contains(y)) else { continue };
        let stroke = Stroke { color: palette::INK, width: 1.2, dash: &[2.0, 3.0] };
        canvas.plot((plot.left, plot.top), (plot.right, plot.bottom), |canvas| {
            canvas.line(&[(plot.left, y), (plot.right, y)], stroke);
        });
        let name = fitting(&bound.name, (plot.right - plot.left) / 2.0, TICK_SIZE);
        let above = if y - plot.top > 14.0 { y - 8.0 } else { y + 9.0 };
        names.push((name, (plot.right - 4.0, above)));
    }
    names
}

/// Height and width of the mark of a happening, px.
const HAPPENING_HEIGHT: f64 = 8.0;

/// A triangle that stands on its base, the middle of which is at `foot`.
fn happening_at(foot: Place) -> [Place; 3] {
    let half = HAPPENING_HEIGHT / 2.0;
    [(foot.0, foot.1 - HAPPENING_HEIGHT), (foot.0 + half, foot.1), (foot.0 - half, foot.1)]
}

/// Draws the marks of happenings on the horizontal axis.
fn happenings(canvas: &mut Canvas, plot: &Plot, marks: &[Mark]) {
    if marks.is_empty() {
        return;
    }
    canvas.plot((plot.left, plot.top), (plot.right, plot.bottom), |canvas| {
        for mark in marks {
            let Some(x) = plot.x_at(mark.at_s) else { continue };
            let foot = (x.clamp(plot.left, plot.right), plot.bottom);
            canvas.titled(foot.0, &happening_at(foot), palette::INK_SOFT, &mark.title);
        }
    });
}

/// A fault with the position of its band and the row of its name.
struct FaultRow {
    name: String,
    from: f64,
    until: f64,
    text_x: f64,
    row: usize,
    is_event: bool,
}

/// Gives each name a row above the plot in which it does not touch another.
fn fault_rows(faults: &[Band], x: &Scale, left: f64, right: f64) -> Vec<FaultRow> {
    let at = |value: f64| left + x.share(value).unwrap_or(0.0).clamp(0.0, 1.0) * (right - left);
    let mut sorted: Vec<&Band> = faults.iter().collect();
    sorted.sort_by(|one, other| one.from_s.total_cmp(&other.from_s));
    let mut row_ends: Vec<f64> = Vec::new();
    sorted
        .into_iter()
        .map(|band| {
            let (from, until) = (at(band.from_s), band.until_s.map_or(right, at));
            let name = fitting(&band.name, (right - left) / 2.0, TICK_SIZE);
            let width = text_width(&name, TICK_SIZE);
            // The name of an event is at its start, that of a fault at the middle of its band.
            let middle = if band.is_event { from } else { f64::midpoint(from, until) };
            let text_x = (middle - width / 2.0).clamp(left, (right - width).max(left));
            let row = row_ends.iter().position(|end| *end + 10.0 <= text_x).unwrap_or(row_ends.len());
            if row == row_ends.len() {
                row_ends.push(0.0);
            }
            row_ends[row] = text_x + width;
            FaultRow { name, from, until, text_x, row, is_event: band.is_event }
        })
        .collect()
}

fn fault_bands(canvas: &mut Canvas, plot: &Plot, rows: &[FaultRow]) {
    for fault in rows {
        let text_y = plot.top - 8.0 - FAULT_ROW * fault.row as f64;
        if fault.is_event {
            let stroke = Stroke { color: palette::EVENT, width: 1.5, dash: &[5.0, 3.0] };
            canvas.plot((plot.left, plot.top), (plot.right, plot.bottom), |canvas| {
                for x in [fault.from, fault.until].into_iter().filter(|x| *x < plot.right) {
                    canvas.line(&[(x, plot.top), (x, plot.bottom)], stroke);
                }
            });
            let lettering = Lettering::new(TICK_SIZE, palette::EVENT, Anchor::Start);
            canvas.group("fault-name", |canvas| canvas.text((fault.text_x, text_y), &fault.name, lettering));
            continue;
        }
        // Draw an instantaneous fault as a thin but visible line.
        let until = fault.until.max(fault.from + 1.5);
        canvas.plot((plot.left, plot.top), (plot.right, plot.bottom), |canvas| {
            canvas.rectangle((fault.from, plot.top), (until, plot.bottom), palette::FAULT, 0.16);
            canvas.rectangle((fault.from, plot.top), (until, plot.top + 2.5), palette::FAULT, 1.0);
        });
        let lettering = Lettering::new(TICK_SIZE, palette::FAULT_INK, Anchor::Start);
        canvas.group("fault-name", |canvas| canvas.text((fault.text_x, text_y), &fault.name, lettering));
    }
}

//! Charts: a description in plain data, drawn to SVG and from there to PNG.
//!
//! A [`Chart`] says what is shown; [`svg`] and [`png`](png()) draw it with `plotters`: its chart contexts, coordinates, meshes,
//! series and elements, over a backend of ours that writes SVG. `plotters` appears in no public signature. Each file draws one
//! kind.
//!
//! Rules that all kinds keep: the same chart gives the same bytes everywhere; titles and axes name the variable and its
//! unit; bars and areas start at zero and linear axes include it; a logarithmic axis says so; series differ in colour,
//! dash and marker, so that they can be told apart in print and by colour-blind readers; a window without a value is a
//! gap, never a zero.

mod areas;
mod bars;
mod canvas;
mod data;
mod frame;
mod heat_map;
mod hysteresis;
mod lines;
mod palette;
mod panels;
mod percentiles;
mod png;
mod run;
mod scale;
mod svg;
mod text;
mod timeline;
mod topology;

pub use crate::happenings::Mark;
use std::fmt;

pub use png::png;
pub(crate) use run::bounds;
pub use run::{NamedChart, run_charts};
pub(crate) use text::escaped;

/// A chart, ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The title, in words: `Goodput over time`.
    pub title: String,
    /// A second line: of which scenario, under which conditions.
    pub subtitle: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Bounds of objectives on what is drawn, as lines across it; only where values have a vertical axis of their own.
    pub bounds: Vec<Bound>,
    /// What to draw.
    pub kind: Kind,
    /// Width and height in pixels at 96 an inch; bars, panels and topologies choose their own height.
    pub size: Size,
}

/// The bound of an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The value, in the unit of the vertical axis.
    pub value: f64,
    /// What it is: `objective fast: below 100 ms`.
    pub name: String,
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Default for Size {
    /// Fits a page of text.
    fn default() -> Self {
        Size { width: 840, height: 400 }
    }
}

/// What an axis measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The variable, without its unit.
    pub label: String,
    /// Its unit.
    pub unit: Unit,
    /// Logarithmic. Bars and areas ignore it: their lengths would mean nothing.
    pub log: bool,
}

impl Axis {
    /// A linear axis.
    #[must_use]
    pub fn linear(label: impl Into<String>, unit: Unit) -> Self {
        Axis { label: label.into(), unit, log: false }
    }

    /// A logarithmic axis.
    #[must_use]
    pub fn log(label: impl Into<String>, unit: Unit) -> Self {
        Axis { label: label.into(), unit, log: true }
    }
}

/// The unit of an axis, which decides how its numbers are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Measured times, s.
    Seconds,
    /// Instants of the simulation, s after the end of the warm-up.
    Instant,
    /// Events per second.
    PerSecond,
    /// Shares between 0 and 1, written in per cent.
    Share,
    /// Numbers of things.
    Count,
    /// How many times.
    Factor,
    /// Anything else; the text is its unit, empty for none.
    Other(String),
}

/// What to draw.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A value against a variable; the band is a confidence interval.
    Line {
        /// The curves.
        series: Vec<Line>,
    },
    /// A value at some values of a variable, where more than that variable changes from one to the next: nothing joins them.
    Points {
        /// What belongs together.
        series: Vec<Line>,
    },
    /// A value for each category, horizontally, with an interval where there is one.
    Bars {
        /// The categories, from top to bottom.
        categories: Vec<String>,
        /// One set of bars each; a single one needs no legend.
        groups: Vec<BarGroup>,
    },
    /// A value over two variables.
    HeatMap {
        /// Values of the horizontal variable, ascending.
        x: Vec<f64>,
        /// Values of the vertical variable, ascending.
        y: Vec<f64>,
        /// One row for each `y`, one value for each `x`.
        values: Vec<Vec<Option<f64>>>,
        /// The measure.
        value: Axis,
        /// A level whose line is drawn, with what it means.
        contour: Option<Contour>,
    },
    /// Values over simulated time, faults as bands behind them.
    TimeSeries {
        /// The curves; a point stands in the middle of its window.
        series: Vec<Line>,
        /// The faults.
        faults: Vec<Band>,
        /// What happened.
        happenings: Vec<Mark>,
    },
    /// Goodput over simulated time, and in lanes below it what brought it down, kept it down and was done about it.
    Timeline {
        /// Where each window begins, s, and its goodput.
        goodput: Vec<(f64, Option<f64>)>,
        /// Width of a window, s.
        window_s: f64,
        /// The lanes, from the top.
        lanes: Vec<TimelineLane>,
        /// What happened.
        happenings: Vec<Mark>,
    },
    /// Parts of a whole over simulated time, the first at the bottom.
    StackedAreas {
        /// Where each window begins, s.
        at_s: Vec<f64>,
        /// One value a window; what is unknown counts as nothing.
        layers: Vec<Layer>,
        /// The faults.
        faults: Vec<Band>,
        /// What happened.
        happenings: Vec<Mark>,
    },
    /// Percentiles of distributions: the horizontal axis gives each further nine the same room.
    Percentiles {
        /// One curve a distribution: shares between 0 and 1, and the value at each.
        series: Vec<PercentileLine>,
    },
    /// Parts of a whole by percentile: what the fast and what the slow spend their time on. The horizontal axis is that of
    /// [`Kind::Percentiles`].
    StackedPercentiles {
        /// The middle of each band of percentiles, a share between 0 and 1, ascending.
        at: Vec<f64>,
        /// One value a band, the first layer at the bottom.
        layers: Vec<Layer>,
    },
    /// The same curves for each value of a further variable, all over the same axes.
    SmallMultiples {
        /// The panels, row by row.
        panels: Vec<Panel>,
    },
    /// Who calls whom.
    Topology {
        /// Workloads and components.
        boxes: Vec<TopologyBox>,
        /// Links.
        calls: Vec<TopologyCall>,
    },
    /// The same measure while the load rises and while it falls again.
    Hysteresis {
        /// Load and value, in the order in which they were measured, rising.
        rising: Vec<(f64, f64)>,
        /// The same, falling.
        falling: Vec<(f64, f64)>,
    },
}

/// A lane of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineLane {
    /// What it is of.
    pub name: String,
    /// What its bars do.
    pub role: TimelineRole,
    /// Its bars, in the order of time.
    pub bars: Vec<TimelineBar>,
}

/// The meaning of the bars of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimelineRole {
    /// They bring goodput down.
    Trigger,
    /// They are when it stayed down.
    Sustained,
    /// They are what was done about it.
    Remedy,
}

/// A stretch of time in a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineBar {
    /// Its name.
    pub name: String,
    /// Where it begins, s.
    pub from_s: f64,
    /// Where it ends, s.
    pub until_s: f64,
}

/// A curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Its points, ascending in `x`.
    pub points: Vec<Point>,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// How much; `None` leaves a gap.
    pub y: Option<f64>,
    /// Lower and upper end of its interval.
    pub interval: Option<(f64, f64)>,
}

impl Point {
    /// A point without an interval.
    #[must_use]
    pub fn new(x: f64, y: f64) -> Self {
        Point { x, y: Some(y), interval: None }
    }
}

/// Bars of one kind, one a category.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarGroup {
    /// Its name in the legend.
    pub name: String,
    /// One value a category; `None` where it is not known.
    pub values: Vec<Option<f64>>,
    /// Lower and upper end of each value's interval; may be shorter than `values`.
    pub intervals: Vec<Option<(f64, f64)>>,
}

/// A level in a heat map.
#[derive(Clone, Debug, PartialEq)]
pub struct Contour {
    /// The value on the line.
    pub level: f64,
    /// What it means: `goodput 95 % of offered`.
    pub name: String,
}

/// A span of time that is marked.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Name.
    pub name: String,
    /// Where it begins, s.
    pub from_s: f64,
    /// Where it ends, s; `None` at the right edge.
    pub until_s: Option<f64>,
    /// Whether an operator did it: its beginning and its end are marked, not the time between.
    pub is_event: bool,
}

/// Marks on the axis of time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marked<'a> {
    pub(crate) faults: &'a [Band],
    pub(crate) happenings: &'a [Mark],
}

/// A layer of a stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layer {
    /// Its name in the legend.
    pub name: String,
    /// One value a window.
    pub values: Vec<Option<f64>>,
}

/// One of several small charts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// What it is of.
    pub name: String,
    /// Its curves; those of one name look alike in all panels.
    pub series: Vec<Line>,
}

/// A workload or a component in a picture of the topology.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopologyBox {
    /// Name.
    pub name: String,
    /// What it is: `service ×3`.
    pub note: String,
    /// How busy it is, between 0 and 1; drawn at its foot.
    pub share: Option<f64>,
    /// True for a workload, where requests begin.
    pub starts: bool,
    /// The text shown to a reader who points at it.
    pub lines: Vec<String>,
}

/// A link in a picture of the topology.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopologyCall {
    /// Index of the caller among the boxes.
    pub from: usize,
    /// Index of the callee.
    pub to: usize,
    /// What stands at the arrow.
    pub label: String,
    /// Drawn so that it stands out.
    pub warn: bool,
}

/// The percentiles of one distribution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PercentileLine {
    /// Its name in the legend.
    pub name: String,
    /// Share of the values at or below, and that value; ascending.
    pub points: Vec<(f64, f64)>,
}

/// Why a chart could not be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartError {
    message: String,
}

impl ChartError {
    fn new(message: impl fmt::Display) -> Self {
        ChartError { message: message.to_string() }
    }
}

impl fmt::Display for ChartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the chart cannot be drawn: {}", self.message)
    }
}

impl std::error::Error for ChartError {}

/// The chart as an SVG document. It names no font file and loads nothing, so it can stand in a page as it is.
///
/// # Errors
/// Only if the drawing library fails, which writing to memory gives it no reason to.
pub fn svg(chart: &Chart) -> Result<String, ChartError> {
    let size = match &chart.kind {
        Kind::Bars { categories, groups } => bars::size(chart.size, categories.len(), groups.len()),
        Kind::SmallMultiples { panels } => panels::size(chart.size, panels.len()),
        Kind::Topology { boxes, calls } => topology::size(chart.size, boxes.len(), calls),
        Kind::Timeline { lanes, .. } => timeline::size(chart.size, lanes.len()),
        _ => chart.size,
    };
    canvas::document(size, &chart.title, &description(chart), |canvas| match &chart.kind {
        Kind::Line { series } | Kind::Points { series } => lines::draw(canvas, chart, series, Marked::default()),
        Kind::TimeSeries { series, faults, happenings } => {
            lines::draw(canvas, chart, series, Marked { faults, happenings })
        }
        Kind::Bars { categories, groups } => bars::draw(canvas, chart, categories, groups),
        Kind::HeatMap { x, y, values, value, contour } => {
            heat_map::draw(canvas, chart, &heat_map::Grid { x, y, values, value, contour: contour.as_ref() })
        }
        Kind::Timeline { goodput, window_s, lanes, happenings } => {
            timeline::draw(canvas, chart, (goodput, *window_s), lanes, happenings)
        }
        Kind::StackedAreas { at_s, layers, faults, happenings } => {
            areas::draw(canvas, chart, at_s, layers, Marked { faults, happenings })
        }
        Kind::Percentiles { series } => percentiles::draw(canvas, chart, series),
        Kind::StackedPercentiles { at, layers } => percentiles::draw_stack(canvas, chart, at, layers),
        Kind::SmallMultiples { panels } => panels::draw(canvas, chart, panels),
        Kind::Topology { boxes, calls } => {
            topology::draw(canvas, chart, boxes, calls);
            Ok(())
        }
        Kind::Hysteresis { rising, falling } => hysteresis::draw(canvas, chart, rising, falling),
    })
}

/// A description for readers who cannot see the chart.
fn description(chart: &Chart) -> String {
    let names: Vec<&str> = match &chart.kind {
        Kind::Line { series } | Kind::Points { series } | Kind::TimeSeries { series, .. } => {
            series.iter().map(|line| line.name.as_str()).collect()
        }
        Kind::Bars { categories, .. } => categories.iter().map(String::as_str).collect(),
        Kind::Timeline { lanes, .. } => {
            let bar = |lane: &TimelineLane, bar: &TimelineBar| {
                format!(
                    "{}: {} from {} to {}",
                    lane.name,
                    bar.name,
                    crate::units::instant(bar.from_s),
                    crate::units::instant(bar.until_s)
                )
            };
            let bars = lanes.iter().flat_map(|lane| lane.bars.iter().map(move |one| bar(lane, one)));
            return format!("Goodput over time. {}.", bars.collect::<Vec<_>>().join("; "));
        }
        Kind::StackedAreas { layers, .. } | Kind::StackedPercentiles { layers, .. } => {
            layers.iter().map(|layer| layer.name.as_str()).collect()
        }
        Kind::SmallMultiples { panels } => panels.iter().map(|panel| panel.name.as_str()).collect(),
        Kind::Topology { boxes, calls } => {
            let call = |call: &TopologyCall| {
                Some(format!("{} calls {}", boxes.get(call.from)?.name, boxes.get(call.to)?.name))
            };
            return format!("{}.", calls.iter().filter_map(call).collect::<Vec<_>>().join("; "));
        }
        Kind::Percentiles { series } => series.iter().map(|line| line.name.as_str()).collect(),
        Kind::HeatMap { value, .. } => vec![value.label.as_str()],
        Kind::Hysteresis { .. } => vec!["load rising", "load falling"],
    };
    let subtitle = if chart.subtitle.is_empty() { String::new() } else { format!("{}. ", chart.subtitle) };
    format!("{subtitle}{} against {}, for {}.", chart.y.label, chart.x.label, names.join(", "))
}

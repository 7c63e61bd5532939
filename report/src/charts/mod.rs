//! Charts: a description in plain data, drawn as SVG and converted to PNG.
//!
//! A [`Chart`] describes what to show; [`svg`] and [`png`](png()) draw it with `plotters`: its chart contexts, coordinates,
//! meshes, series and elements, over our own backend that writes SVG. `plotters` appears in no public signature. Each file
//! draws one kind.
//!
//! Rules for all kinds: the same chart gives the same bytes everywhere; titles and axes name the variable and its unit;
//! bars and areas start at zero and linear axes include it; a logarithmic axis says so; series differ in colour, dash and
//! marker, so that they can be distinguished in print and by colour-blind readers; a window without a value is a gap,
//! never a zero.

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

/// A chart to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The title, in words: `Goodput over time`.
    pub title: String,
    /// A second line: the scenario and its conditions.
    pub subtitle: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Bounds of objectives, drawn as lines; only for kinds whose values have a vertical axis of their own.
    pub bounds: Vec<Bound>,
    /// What to draw.
    pub kind: Kind,
    /// Width and height in pixels at 96 per inch; bars, panels and topologies choose their own height.
    pub size: Size,
}

/// The bound of an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The value, in the unit of the vertical axis.
    pub value: f64,
    /// Its description: `objective fast: below 100 ms`.
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
    /// Fits the width of a page of text.
    fn default() -> Self {
        Size { width: 840, height: 400 }
    }
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The variable, without its unit.
    pub label: String,
    /// Its unit.
    pub unit: Unit,
    /// Logarithmic. Bars and areas ignore it: their lengths would be meaningless.
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

/// The unit of an axis, which determines how its numbers are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Measured times, s.
    Seconds,
    /// Instants of the simulation, s after the end of the warm-up.
    Instant,
    /// Events per second.
    PerSecond,
    /// Shares between 0 and 1, written as percentages.
    Share,
    /// Numbers of things.
    Count,
    /// Factors.
    Factor,
    /// Any other unit; empty for none.
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
    /// Values at settings that differ in more than the variable of the axis: the points are not connected.
    Points {
        /// The groups of points.
        series: Vec<Line>,
    },
    /// A value per category as horizontal bars, with intervals if there are any.
    Bars {
        /// The categories, from top to bottom.
        categories: Vec<String>,
        /// The groups of bars; a single one needs no legend.
        groups: Vec<BarGroup>,
    },
    /// A value over two variables.
    HeatMap {
        /// Values of the horizontal variable, ascending.
        x: Vec<f64>,
        /// Values of the vertical variable, ascending.
        y: Vec<f64>,
        /// One row per `y`, one value per `x`.
        values: Vec<Vec<Option<f64>>>,
        /// The measure.
        value: Axis,
        /// A level to draw as a contour, with its meaning.
        contour: Option<Contour>,
    },
    /// Values over simulated time, with faults as bands behind them.
    TimeSeries {
        /// The curves; a point is at the middle of its window.
        series: Vec<Line>,
        /// The faults.
        faults: Vec<Band>,
        /// The happenings.
        happenings: Vec<Mark>,
    },
    /// Goodput over simulated time, and below it, in lanes, what brought it down, what kept it down and what operators did.
    Timeline {
        /// Start of each window, s, and its goodput.
        goodput: Vec<(f64, Option<f64>)>,
        /// Width of a window, s.
        window_s: f64,
        /// The lanes, from the top.
        lanes: Vec<TimelineLane>,
        /// The happenings.
        happenings: Vec<Mark>,
    },
    /// Parts of a whole over simulated time, the first at the bottom.
    StackedAreas {
        /// Start of each window, s.
        at_s: Vec<f64>,
        /// One value per window; unknown values count as zero.
        layers: Vec<Layer>,
        /// The faults.
        faults: Vec<Band>,
        /// The happenings.
        happenings: Vec<Mark>,
    },
    /// Percentiles of distributions; each further nine takes the same space on the horizontal axis.
    Percentiles {
        /// One curve per distribution: shares between 0 and 1, and the value at each.
        series: Vec<PercentileLine>,
    },
    /// Parts of a whole by percentile: how fast and slow requests spend their time. The horizontal axis is that of
    /// [`Kind::Percentiles`].
    StackedPercentiles {
        /// The middle of each percentile band, a share between 0 and 1, ascending.
        at: Vec<f64>,
        /// One value per band, the first layer at the bottom.
        layers: Vec<Layer>,
    },
    /// The same curves for each value of a further variable, all with the same axes.
    SmallMultiples {
        /// The panels, row by row.
        panels: Vec<Panel>,
    },
    /// The graph of calls.
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
    /// Its name.
    pub name: String,
    /// The meaning of its bars.
    pub role: TimelineRole,
    /// Its bars in chronological order.
    pub bars: Vec<TimelineBar>,
}

/// The meaning of the bars of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimelineRole {
    /// They brought goodput down.
    Trigger,
    /// Times in which goodput stayed down.
    Sustained,
    /// Times in which a policy rejected calls by itself.
    Policy,
    /// Actions of operators.
    Remedy,
}

/// A span of time in a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineBar {
    /// Its name.
    pub name: String,
    /// Its start, s.
    pub from_s: f64,
    /// Its end, s.
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
    /// Horizontal position.
    pub x: f64,
    /// Value; `None` leaves a gap.
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

/// A group of bars, one per category.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarGroup {
    /// Its name in the legend.
    pub name: String,
    /// One value per category; `None` if it is not known.
    pub values: Vec<Option<f64>>,
    /// Ends of each value's interval; may be shorter than `values`.
    pub intervals: Vec<Option<(f64, f64)>>,
}

/// A level in a heat map.
#[derive(Clone, Debug, PartialEq)]
pub struct Contour {
    /// The value on the contour.
    pub level: f64,
    /// Its meaning: `goodput 95 % of offered`.
    pub name: String,
}

/// A marked span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Name.
    pub name: String,
    /// Its start, s.
    pub from_s: f64,
    /// Its end, s; `None` for the right edge.
    pub until_s: Option<f64>,
    /// Whether it is an action of an operator: then its start and its end are marked, not the time between.
    pub is_event: bool,
}

/// Marks on the time axis.
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
    /// One value per window.
    pub values: Vec<Option<f64>>,
}

/// One of several small charts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// Its name.
    pub name: String,
    /// Its curves; those with the same name look alike in all panels.
    pub series: Vec<Line>,
}

/// A workload or component in a drawing of the topology.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopologyBox {
    /// Name.
    pub name: String,
    /// Its kind: `service ×3`.
    pub note: String,
    /// Its utilisation, between 0 and 1; drawn at its bottom edge.
    pub share: Option<f64>,
    /// True for a workload, where requests begin.
    pub starts: bool,
    /// The text shown on hover.
    pub lines: Vec<String>,
}

/// A link in a drawing of the topology.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopologyCall {
    /// Index of the caller among the boxes.
    pub from: usize,
    /// Index of the callee.
    pub to: usize,
    /// The label of the arrow.
    pub label: String,
    /// Whether it is highlighted.
    pub warn: bool,
}

/// The percentiles of one distribution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PercentileLine {
    /// Its name in the legend.
    pub name: String,
    /// Share of the values at or below a value, and that value; ascending.
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

/// The chart as an SVG document. It refers to no font file and loads nothing, so it can be embedded in a page as it is.
///
/// # Errors
/// Only if the drawing library fails, which it has no reason to when writing to memory.
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

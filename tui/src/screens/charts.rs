//! Load, latency, amplification, queues and utilisation over time, on a common time axis with the faults.

use lab::result::Snapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::{App, Zoom};
use crate::brush::Brush;
use crate::deck::Side;
use crate::figures;
use crate::player::Future;
use crate::plot::{Curve, Plot, Shape};
use crate::theme::Role;

/// The windows of a curve: start, s, and value.
pub(crate) type Points = Vec<(f64, Option<f64>)>;

/// One column of the series.
pub(crate) fn column(snapshot: &Snapshot, name: &str) -> Points {
    let values = snapshot.series.column(name);
    snapshot.series.begins().zip(values.into_iter().flatten()).collect()
}

/// A metric combined over all workloads, window by window.
fn gathered(snapshot: &Snapshot, metric: &str, join: fn(f64, f64) -> f64) -> Points {
    let mut all: Points = Vec::new();
    for node in snapshot.topology.nodes.iter().filter(|node| node.is_workload) {
        let points = column(snapshot, &format!("workloads.{}.{metric}", node.name));
        if all.is_empty() {
            all = points;
            continue;
        }
        for (sum, (_, value)) in all.iter_mut().zip(points) {
            sum.1 = match (sum.1, value) {
                (Some(one), Some(other)) => Some(join(one, other)),
                (one, other) => one.or(other),
            };
        }
    }
    all
}

/// The sum of a metric over all workloads.
pub(crate) fn summed(snapshot: &Snapshot, metric: &str) -> Points {
    gathered(snapshot, metric, |one, other| one + other)
}

/// The maximum of a metric over all workloads.
fn largest(snapshot: &Snapshot, metric: &str) -> Points {
    gathered(snapshot, metric, f64::max)
}

/// The range of time that charts show.
pub(crate) fn span(app: &App) -> (f64, f64) {
    let snapshot = app.snapshot();
    match app.zoom {
        Zoom::Whole => (snapshot.from_s, snapshot.until_s),
        Zoom::Recent => {
            let width = (60.0 * snapshot.series.window_s).max(60.0).min(snapshot.until_s - snapshot.from_s);
            let until = snapshot.at_s.max(snapshot.from_s + width);
            (until - width, until)
        }
    }
}

/// A chart with the elements common to all charts.
pub(crate) fn plot(app: &App, title: &str, figure: fn(f64) -> String, curves: Vec<Curve>) -> Plot {
    let snapshot = app.snapshot();
    let acting = snapshot.faults.iter().filter(|fault| fault.at_s <= snapshot.at_s);
    let bands =
        acting.map(|fault| (fault.at_s, fault.until_s.unwrap_or(snapshot.until_s).min(snapshot.at_s))).collect();
    let mut marks: Vec<(f64, char, Role)> = Vec::new();
    let done = snapshot.operator_events.iter().filter(|event| event.at_s <= snapshot.at_s);
    marks.extend(done.map(|event| (event.at_s, '✎', Role::Branch)));
    for change in app.view.futures.iter().flat_map(|future| &future.changes) {
        marks.push((change.at_ns as f64 / 1e9, '✎', Role::Branch));
    }
    if let Some(fork) = app.view.fork_ns {
        marks.push((fork as f64 / 1e9, 'B', Role::Branch));
    }
    marks.push((snapshot.at_s, '●', Role::Strong));
    Plot {
        title: title.to_string(),
        figure,
        curves,
        window_s: snapshot.series.window_s,
        span: span(app),
        is_logarithmic: false,
        bottom: 0.0,
        top: 0.0,
        bands,
        marks,
    }
}

/// One curve per future, distinguished by letter, colour and dots.
fn compared(app: &App, points: impl Fn(&Snapshot) -> Points) -> Vec<Curve> {
    let one = |future: &Future| Curve {
        name: future.side.letter().to_string(),
        role: if future.side == Side::Original { Role::Original } else { Role::Branch },
        shape: if future.side == Side::Original { Shape::Line } else { Shape::Dotted },
        points: own_part(app, future, points(&future.snapshot)),
    };
    app.view.futures.iter().map(one).collect()
}

/// For a branch, only the part after the fork: the part before is the original's.
pub(crate) fn own_part(app: &App, future: &Future, mut points: Points) -> Points {
    if let (Side::Branch, Some(fork_ns)) = (future.side, app.view.fork_ns) {
        let window_s = future.snapshot.series.window_s;
        points.retain(|point| point.0 + window_s > fork_ns as f64 / 1e9);
    }
    points
}

fn load(app: &App) -> Plot {
    if app.view.futures.len() > 1 {
        return plot(app, "goodput", figures::rate, compared(app, |snapshot| summed(snapshot, "goodput")));
    }
    let snapshot = app.snapshot();
    let curve = |name: &str, metric: &str, role, shape| Curve {
        name: name.into(),
        role,
        shape,
        points: summed(snapshot, metric),
    };
    let curves =
        vec![curve("good", "goodput", Role::Good, Shape::Area), curve("offered", "sent", Role::Offered, Shape::Line)];
    plot(app, "requests", figures::rate, curves)
}

fn latency(app: &App) -> Plot {
    let logarithmic = |plot: Plot| Plot { is_logarithmic: true, ..plot };
    if app.view.futures.len() > 1 {
        let curves = compared(app, |snapshot| largest(snapshot, "latency.p99_s"));
        return logarithmic(plot(app, "latency p99", figures::seconds, curves));
    }
    let snapshot = app.snapshot();
    let curve = |name: &str, metric: &str, role| Curve {
        name: name.into(),
        role,
        shape: Shape::Line,
        points: largest(snapshot, metric),
    };
    let curves = vec![curve("p99", "latency.p99_s", Role::Tail), curve("p50", "latency.p50_s", Role::Median)];
    logarithmic(plot(app, "latency", figures::seconds, curves))
}

/// The components with the highest peaks of a metric, with a description; if there are two futures, only the highest one, in
/// both of them.
fn highest(app: &App, metric: &str) -> (String, Vec<Curve>) {
    let snapshot = app.snapshot();
    let mut ranked: Vec<(f64, &str)> = snapshot
        .topology
        .nodes
        .iter()
        .filter(|node| !node.is_workload)
        .map(|node| {
            let name = format!("components.{}.{metric}", node.name);
            let columns = app.view.futures.iter().filter_map(|future| future.snapshot.series.column(&name));
            (columns.flatten().flatten().fold(f64::NEG_INFINITY, f64::max), node.name.as_str())
        })
        .filter(|(peak, _)| peak.is_finite())
        .collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0));
    if app.view.futures.len() > 1 {
        let Some((_, name)) = ranked.first() else { return (String::new(), Vec::new()) };
        let curves = compared(app, |snapshot| column(snapshot, &format!("components.{name}.{metric}")));
        return (format!(" of {name}"), curves);
    }
    let roles = [Role::Tail, Role::Median, Role::Offered];
    let curves = ranked
        .into_iter()
        .zip(roles)
        .map(|((_, name), role)| Curve {
            name: name.to_string(),
            role,
            shape: Shape::Line,
            points: column(snapshot, &format!("components.{name}.{metric}")),
        })
        .collect();
    (String::new(), curves)
}

fn amplification(app: &App) -> Plot {
    let (of, curves) = highest(app, "amplification");
    Plot { bottom: 1.0, top: 2.0, ..plot(app, &format!("amplification{of}"), figures::factor, curves) }
}

fn queues(app: &App) -> Plot {
    let (of, curves) = highest(app, "queue.depth");
    Plot { top: 10.0, ..plot(app, &format!("queue{of}"), figures::number, curves) }
}

fn utilisation(app: &App) -> Plot {
    let (of, curves) = highest(app, "utilization");
    Plot { top: 1.0, ..plot(app, &format!("utilisation{of}"), figures::share, curves) }
}

/// Draws charts in as many rows and columns as fit.
fn grid(buffer: &mut Buffer, area: Rect, app: &App, plots: Vec<Plot>, columns: i32) {
    let rows = (plots.len() as i32 + columns - 1) / columns.max(1);
    let (width, height) = (i32::from(area.width) / columns.max(1), i32::from(area.height));
    let mut brush = Brush::new(buffer, area, app.theme);
    for (index, plot) in plots.iter().enumerate() {
        let (column, row) = (index as i32 % columns, index as i32 / columns);
        let (top, bottom) = (row * height / rows.max(1), (row + 1) * height / rows.max(1));
        plot.draw(&mut brush, (column * width, top, width - 1, bottom - top));
    }
}

pub(crate) fn draw(buffer: &mut Buffer, area: Rect, app: &App) {
    let columns = if area.width >= 150 { 2 } else { 1 };
    let room = (i32::from(area.height) / 6).max(1) * columns;
    let mut plots = vec![load(app), latency(app), amplification(app), queues(app), utilisation(app)];
    if columns == 2 {
        plots.truncate(4);
    }
    plots.truncate(room as usize);
    grid(buffer, area, app, plots, columns);
}

/// The most informative charts side by side, below another screen.
pub(crate) fn strip(buffer: &mut Buffer, area: Rect, app: &App) {
    let mut plots = vec![load(app), latency(app)];
    if area.width >= 150 {
        plots.push(amplification(app));
    }
    let columns = plots.len() as i32;
    grid(buffer, area, app, plots, columns);
}

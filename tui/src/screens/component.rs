//! Details of one component or workload: its figures, those specific to its kind, its links with their policies, its past.

use lab::figures::{Own, Reading};
use lab::metrics::Unit;
use lab::result::{LinkNow, NodeNow, Snapshot};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use crate::app::App;
use crate::brush::Brush;
use crate::figures;
use crate::plot::{Curve, Plot, Shape};
use crate::screens::{charts, frame, lines_of, side_role, topology};
use crate::theme::{Role, Theme};

pub(crate) fn draw(buffer: &mut Buffer, area: Rect, app: &App) {
    let Some(node) = app.topology().nodes.get(app.selected) else { return };
    let columns = (area.width / 2).clamp(36, 76);
    let [left, right] = area.layout(&Layout::horizontal([Constraint::Length(columns), Constraint::Fill(1)]));
    let title = format!("{} · {}", node.name, node.kind.replace('_', " "));
    let mut brush = Brush::new(buffer, left, app.theme);
    frame(&mut brush, (0, 0, i32::from(left.width), i32::from(left.height)), &title, Role::Border);
    let inner = Rect { x: left.x + 2, y: left.y + 1, width: left.width - 4, height: left.height.saturating_sub(2) };
    figures_of(buffer, inner, app);
    past(buffer, right, app, &node.name, node.is_workload);
}

/// A row of the table: label, figure, role, filled share of a bar.
type Row = (String, String, Role, Option<f64>);

fn rows(node: &NodeNow, is_workload: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut push =
        |label: &str, value: String, role: Role, level: Option<f64>| rows.push((label.into(), value, role, level));
    let answers = node.good + node.failed;
    let failing = if answers > 0.0 { node.failed / answers } else { 0.0 };
    push(if is_workload { "sent" } else { "arrivals" }, figures::rate(node.arrivals), Role::Text, None);
    push("good", figures::rate(node.good), Role::Text, None);
    push(
        "failed",
        figures::rate(node.failed),
        if node.failed > 0.0 { Theme::errors(failing) } else { Role::Text },
        None,
    );
    push("in flight", figures::count(node.in_flight), Role::Text, None);
    if is_workload {
        push("latency p50", figures::seconds_or_dash(node.latency_p50_s), Role::Text, None);
        push("latency p99", figures::seconds_or_dash(node.latency_p99_s), Role::Text, None);
        return rows;
    }
    if let Some(load) = node.utilization {
        push("utilisation", figures::share(load), Theme::load(Some(load)), Some(load));
    }
    if let Some((held, all)) = node.slots {
        let level = if all > 0 { held as f64 / all as f64 } else { 0.0 };
        push(
            "held",
            format!("{} of {}", figures::count(held), figures::count(all)),
            Theme::load(Some(level)),
            Some(level),
        );
    }
    let bound = node.queue_max.map_or("no bound".to_string(), |max| format!("of {}", figures::count(max)));
    let level = node.queue_max.filter(|max| *max > 0).map_or_else(
        || if node.queue > 0 { figures::unbounded_level(node.queue) } else { 0.0 },
        |max| node.queue as f64 / max as f64,
    );
    let role = if node.queue > 0 { Theme::load(Some(level.max(0.6))) } else { Role::Text };
    push("queue", format!("{} {bound}", figures::count(node.queue)), role, Some(level));
    if let Some(amplification) = node.amplification {
        let role = if amplification >= 1.05 { Role::Retry } else { Role::Text };
        push("amplification", figures::factor(amplification), role, None);
    }
    if let Some(wasted) = node.wasted_work {
        push(
            "wasted work",
            figures::share(wasted),
            if wasted > 0.01 { Role::Strained } else { Role::Text },
            Some(wasted),
        );
    }
    let role = if node.replicas_up < node.replicas { Role::Fault } else { Role::Text };
    push("replicas up", format!("{} of {}", node.replicas_up, node.replicas), role, None);
    rows
}

fn figures_of(buffer: &mut Buffer, area: Rect, app: &App) {
    let width = i32::from(area.width);
    let mut brush = Brush::new(buffer, area, app.theme);
    let snapshot = app.snapshot();
    let (Some(node), Some(now)) = (app.topology().nodes.get(app.selected), snapshot.nodes.get(app.selected)) else {
        brush.text(0, 0, "nothing has been measured yet", Role::Faint);
        return;
    };
    let mut y = 0;
    if !now.faults.is_empty() {
        brush.text(0, y, &figures::shorten(&format!("↯ {}", now.faults.join(", ")), width as usize), Role::Fault);
        y += 1;
    }
    // Show the other future's figures in a column of their own.
    let other = app.view.futures.iter().find(|future| future.side != app.view.focus);
    let other_rows =
        other.and_then(|future| future.snapshot.nodes.get(app.selected)).map(|other| rows(other, node.is_workload));
    if let Some(other) = other {
        let mine = app.view.focused();
        brush.text_before(width / 2 + 6, y, mine.side.letter(), side_role(mine));
        brush.text_before(width, y, other.side.letter(), side_role(other));
        y += 1;
    }
    for (label, value, role, level) in rows(now, node.is_workload) {
        brush.text(0, y, &label, Role::Faint);
        match &other_rows {
            None => {
                brush.text(15, y, &value, role);
                if let Some(level) = level
                    && width > 40
                {
                    brush.text(31, y, &figures::bar(level, (width - 31).clamp(4, 24) as usize), role);
                }
            }
            Some(others) => {
                brush.text_before(width / 2 + 6, y, &value, role);
                if let Some((_, value, role, _)) = others.iter().find(|row| row.0 == label) {
                    brush.text_before(width, y, value, *role);
                }
            }
        }
        y += 1;
    }
    if other_rows.is_none() && !now.each.is_empty() {
        let each: Vec<_> = now.each.iter().map(|replica| (replica.is_up, replica.held)).collect();
        brush.text(0, y, "each", Role::Faint);
        topology::multiples(&mut brush, (14, y, width - 14), &each);
        y += 1;
        if now.each.iter().any(|replica| replica.queue > 0) {
            let most = now.each.iter().map(|replica| replica.queue).max().unwrap_or(0);
            let least = now.each.iter().map(|replica| replica.queue).min().unwrap_or(0);
            brush.text(0, y, "their queues", Role::Faint);
            brush.text(15, y, &format!("{} to {}", figures::count(least), figures::count(most)), Role::Text);
            y += 1;
        }
    }
    for (name, value, unit) in now.own.iter().flat_map(|(name, reading)| numbers(name, reading)) {
        let Some(value) = value else { continue };
        brush.text(0, y, &figures::shorten(&name.replace(['_', '.'], " "), 14), Role::Faint);
        brush.text(15, y, &own_figure(value, unit), Role::Text);
        y += 1;
    }
    links(&mut brush, y + 1, width, app, snapshot);
}

fn links(brush: &mut Brush, mut y: i32, width: i32, app: &App, snapshot: &Snapshot) {
    let topology = app.topology();
    let name = |index: usize| topology.nodes.get(index).map_or("", |node| node.name.as_str());
    for (heading, outwards) in [("calls", true), ("is called by", false)] {
        let mut told = false;
        for edge in &topology.edges {
            let (own, other) = if outwards { (edge.from, edge.to) } else { (edge.to, edge.from) };
            if own != app.selected {
                continue;
            }
            if !told {
                brush.text(0, y, heading, Role::Strong);
                y += 1;
                told = true;
            }
            let Some(link) = snapshot.links.get(edge.index) else {
                brush.put(1, y, if outwards { '→' } else { '←' }, Theme::errors(0.0));
                let after = brush.text(3, y, &figures::shorten(name(other), 22), Role::Text).max(14) + 1;
                brush.text(after, y, &edge.link, Role::Faint);
                y += 1;
                continue;
            };
            let errors = if link.attempts > 0.0 { link.failed / link.attempts } else { 0.0 };
            let mark = if outwards { '→' } else { '←' };
            brush.put(1, y, mark, Theme::errors(errors));
            let after = brush.text(3, y, &figures::shorten(name(other), 22), Role::Text).max(14) + 1;
            brush.text(after, y, &link_words(link, errors), Theme::errors(errors));
            y += 1;
            let policies = edge.policies.iter().filter(|_| outwards).cloned();
            let words: Vec<String> = places_in_words(&link.own).into_iter().chain(policies).collect();
            for line in
                lines_of(&words.join(" · "), (width - 5).max(10) as usize).iter().filter(|line| !line.is_empty())
            {
                brush.text(5, y, line, Role::Faint);
                y += 1;
            }
        }
        if told {
            y += 1;
        }
    }
}

/// The numbers of a figure, by name.
fn numbers<'n>(name: &'n str, reading: &Reading) -> impl Iterator<Item = (String, Option<f64>, Unit)> + use<'n> {
    reading.parts().into_iter().map(move |(part, value, unit)| {
        let dot = if part.is_empty() { "" } else { "." };
        (format!("{name}{dot}{part}"), value, unit)
    })
}

fn own_figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => figures::seconds(value),
        Unit::PerSecond => figures::rate(value),
        Unit::Fraction | Unit::Count | Unit::Bytes | Unit::Number => figures::number(value),
    }
}

/// The slots that a link's policies manage, `pool 3 of 20, 5 wait`: for every policy that declares `active` and `size`, and
/// possibly `waiting`.
fn places_in_words(own: &Own) -> Vec<String> {
    let of = |name: &str| {
        let name = name.strip_suffix(".active")?;
        let count = |what: &str| own.value(&format!("{name}.{what}")).map(|count| count as u64);
        let (active, size) = (count("active")?, count("size")?);
        Some(match count("waiting") {
            None | Some(0) => format!("{name} {active} of {size}"),
            Some(waiting) => format!("{name} {active} of {size}, {} wait", figures::count(waiting)),
        })
    };
    own.iter().filter_map(|(name, _)| of(name)).collect()
}

fn link_words(link: &LinkNow, errors: f64) -> String {
    let mut words = figures::rate(link.attempts);
    if errors >= 0.001 {
        words += &format!(" ✗ {}", figures::share(errors));
    }
    if let Some(amplification) = link.amplification.filter(|value| *value >= 1.05) {
        words += &format!(" {}", figures::factor(amplification));
    }
    words
}

fn past(buffer: &mut Buffer, area: Rect, app: &App, name: &str, is_workload: bool) {
    let sort = if is_workload { "workloads" } else { "components" };
    let curves = |metrics: &[(&str, &str, Role, Shape)]| -> Vec<Curve> {
        if app.view.futures.len() > 1 {
            let (metric, _, _, _) = metrics[0];
            let points = |future: &crate::player::Future| {
                charts::own_part(app, future, charts::column(&future.snapshot, &format!("{sort}.{name}.{metric}")))
            };
            let both = app.view.futures.iter().map(|future| Curve {
                name: future.side.letter().to_string(),
                role: side_role(future),
                shape: if future.side == crate::deck::Side::Original { Shape::Line } else { Shape::Dotted },
                points: points(future),
            });
            return both.collect();
        }
        let one = |&(metric, label, role, shape): &(&str, &str, Role, Shape)| Curve {
            name: label.to_string(),
            role,
            shape,
            points: charts::column(app.snapshot(), &format!("{sort}.{name}.{metric}")),
        };
        metrics.iter().map(one).filter(|curve| curve.points.iter().any(|point| point.1.is_some())).collect()
    };
    let plot = |title, figure: fn(f64) -> String, top, curves| Plot { top, ..charts::plot(app, title, figure, curves) };
    let line = Shape::Line;
    let mut plots: Vec<Plot> = if is_workload {
        vec![
            plot(
                "goodput",
                figures::rate,
                0.0,
                curves(&[("goodput", "good", Role::Good, Shape::Area), ("sent", "sent", Role::Offered, line)]),
            ),
            Plot {
                is_logarithmic: true,
                ..plot(
                    "latency",
                    figures::seconds,
                    0.0,
                    curves(&[("latency.p99_s", "p99", Role::Tail, line), ("latency.p50_s", "p50", Role::Median, line)]),
                )
            },
            plot("failed", figures::rate, 0.0, curves(&[("failed", "failed", Role::Critical, Shape::Area)])),
        ]
    } else {
        vec![
            plot("utilisation", figures::share, 1.0, curves(&[("utilization", "held", Role::Median, Shape::Area)])),
            plot("queue", figures::number, 1.0, curves(&[("queue.depth", "waiting", Role::Tail, Shape::Area)])),
            plot(
                "calls",
                figures::rate,
                0.0,
                curves(&[
                    ("arrivals", "arrive", Role::Offered, line),
                    ("completed", "done", Role::Good, line),
                    ("failed", "failed", Role::Critical, line),
                ]),
            ),
            Plot {
                bottom: 1.0,
                ..plot(
                    "amplification",
                    figures::factor,
                    2.0,
                    curves(&[("amplification", "calls per call", Role::Retry, line)]),
                )
            },
            plot("wasted work", figures::share, 0.2, curves(&[("wasted_work", "wasted", Role::Strained, Shape::Area)])),
        ]
    };
    plots.retain(|plot| plot.curves.iter().any(|curve| !curve.points.is_empty()));
    plots.truncate((area.height / 5).max(1) as usize);
    let mut brush = Brush::new(buffer, area, app.theme);
    let (rows, height) = (plots.len() as i32, i32::from(area.height));
    for (row, plot) in plots.iter().enumerate() {
        let (top, bottom) = (row as i32 * height / rows, (row as i32 + 1) * height / rows);
        plot.draw(&mut brush, (0, top, i32::from(area.width), bottom - top));
    }
}

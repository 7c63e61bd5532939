//! The topology: the graph of calls, the load of components, traffic, amplification and active faults.

use std::collections::BTreeSet;

use lab::result::Snapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use crate::app::{App, ColourBy};
use crate::brush::Brush;
use crate::deck::Side;
use crate::diagram::{BoxFigures, Detail, Diagram, Group, LineFigures};
use crate::figures;
use crate::layout::{Place, Route};
use crate::player::Future;
use crate::screens::{charts, frame, side_role};
use crate::theme::{Role, Theme};
use crate::wires::{self, Stroke, Weight, Wires};

/// Amplification below this gets no mark.
const AMPLIFIED: f64 = 1.05;

/// The drawing of one future on the screen.
pub(crate) struct Pane {
    pub(crate) side: Side,
    /// Including its frame, if there are two futures.
    outer: Rect,
    pub(crate) drawing: Rect,
}

/// The positions of the futures: one alone, two side by side or one above the other; if there is space for one only, the
/// one in focus.
pub(crate) fn panes(app: &App, body: Rect) -> Vec<Pane> {
    let legend = u16::from(body.height >= 24);
    let charts = if body.height >= 32 { (body.height / 4).clamp(8, 16) } else { 0 };
    let [drawing, _, _] =
        body.layout(&Layout::vertical([Constraint::Fill(1), Constraint::Length(charts), Constraint::Length(legend)]));
    let sides: Vec<Side> = app.view.futures.iter().map(|future| future.side).collect();
    let inner = |outer: Rect| Rect {
        x: outer.x + 1,
        y: outer.y + 1,
        width: outer.width.saturating_sub(2),
        height: outer.height.saturating_sub(2),
    };
    if sides.len() < 2 {
        return vec![Pane { side: app.view.focus, outer: drawing, drawing }];
    }
    if body.width >= 120 {
        let [left, right] = drawing.layout(&Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]));
        return [(sides[0], left), (sides[1], right)]
            .map(|(side, outer)| Pane { side, outer, drawing: inner(outer) })
            .into();
    }
    if body.height >= 20 {
        let [above, below] = drawing.layout(&Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]));
        return [(sides[0], above), (sides[1], below)]
            .map(|(side, outer)| Pane { side, outer, drawing: inner(outer) })
            .into();
    }
    vec![Pane { side: app.view.focus, outer: drawing, drawing: inner(drawing) }]
}

/// The cell of the drawing at the top left of its pane.
pub(crate) fn origin(app: &App, diagram: &Diagram, area: Rect) -> (i32, i32) {
    diagram.origin(diagram.group_of(app.selected), i32::from(area.width), i32::from(area.height))
}

pub(crate) fn draw(buffer: &mut Buffer, body: Rect, app: &App) {
    let panes = panes(app, body);
    let split = app.view.futures.len() > 1;
    let mut bottom = body.y;
    for pane in &panes {
        bottom = bottom.max(pane.outer.bottom());
        let Some(future) = app.view.futures.iter().find(|future| future.side == pane.side) else { continue };
        if split {
            let chosen = pane.side == app.view.focus;
            let role = if chosen { side_role(future) } else { Role::Border };
            let title = pane_title(app, future);
            let mut brush = Brush::new(buffer, pane.outer, app.theme);
            frame(&mut brush, (0, 0, i32::from(pane.outer.width), i32::from(pane.outer.height)), &title, role);
        }
        let diagram = app.diagram_for(pane.drawing);
        drawing(buffer, pane.drawing, app, &future.snapshot, &diagram);
    }
    let rest = Rect { y: bottom, height: body.bottom().saturating_sub(bottom), ..body };
    if rest.height > 4 {
        charts::strip(buffer, Rect { height: rest.height - 1, ..rest }, app);
    }
    if rest.height > 0 {
        legend(buffer, Rect { y: rest.bottom() - 1, height: 1, ..rest }, app);
    }
}

/// The title of a future's pane: its changes since the fork.
fn pane_title(app: &App, future: &Future) -> String {
    let shared = app.view.shared_changes.min(future.changes.len());
    let made = future.changes[shared..].iter().filter(|change| change.at_ns as f64 <= future.snapshot.at_s * 1e9 + 1.0);
    let words: Vec<String> = made.map(|change| change.doing.short()).collect();
    let letter = future.side.letter();
    if words.is_empty() { format!("{letter}  unchanged") } else { format!("{letter}  {}", words.join(" · ")) }
}

fn drawing(buffer: &mut Buffer, area: Rect, app: &App, snapshot: &Snapshot, diagram: &Diagram) {
    let origin = origin(app, diagram, area);
    let mut brush = Brush::new(buffer, area, app.theme).scrolled(origin);
    lines(&mut brush, app, snapshot, diagram);
    for (index, group) in diagram.groups.iter().enumerate() {
        let place = diagram.placement.boxes[index];
        let figures = BoxFigures::of(snapshot, &group.members);
        let selected = group.members.contains(&app.selected);
        let look = Look { app, snapshot, detail: diagram.detail, place, selected };
        look.draw(&mut brush, group, &figures);
    }
    let mut brush = Brush::new(buffer, area, app.theme);
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    for (more, x, y, mark) in [
        (origin.0 > 0, 0, height / 2, '◂'),
        (origin.0 + width < diagram.placement.width, width - 1, height / 2, '▸'),
        (origin.1 > 0, width / 2, 0, '▴'),
        (origin.1 + height < diagram.placement.height, width / 2, height - 1, '▾'),
    ] {
        if more {
            brush.put(x, y, mark, Role::Key);
        }
    }
}

fn lines(brush: &mut Brush, app: &App, snapshot: &Snapshot, diagram: &Diagram) {
    let figures: Vec<LineFigures> = diagram.lines.iter().map(|line| LineFigures::of(snapshot, &line.edges)).collect();
    let most = figures.iter().map(|line| line.attempts).fold(0.0, f64::max);
    let mut grid = Wires::new(diagram.placement.width, diagram.placement.height);
    // In a crowded drawing, only animate lines of the selection and lines with failures; the others would hide them.
    let selected = diagram.group_of(app.selected);
    let crowded = diagram.detail == Detail::Pill && diagram.lines.len() > 20;
    let routes: Vec<(&Route, &LineFigures, Weight)> = diagram
        .placement
        .routes
        .iter()
        .zip(diagram.lines.iter().zip(&figures))
        .filter_map(|(route, (line, figures))| {
            let told = Some(line.from) == selected || Some(line.to) == selected || figures.error_share() >= 0.05;
            let weight = match figures.attempts {
                _ if figures.attempts <= 0.0 || (crowded && !told) => Weight::Dashed,
                _ if figures.attempts < most * 0.3 => Weight::Light,
                _ => Weight::Heavy,
            };
            route.as_ref().map(|route| (route, figures, weight))
        })
        .collect();
    for (route, figures, weight) in &routes {
        let role = line_role(figures, *weight);
        grid.lay(route, Stroke { weight: *weight, role });
    }
    let mut taken: BTreeSet<(i32, i32)> = BTreeSet::new();
    for (x, y, glyph, role) in grid.drawn() {
        brush.put(x, y, glyph, role);
        taken.insert((x, y));
    }
    for (route, figures, weight) in &routes {
        pulses(brush, app.phase, route, figures, *weight);
    }
    for (route, figures, weight) in &routes {
        let is_free = |x: i32, y: i32| !taken.contains(&(x, y)) && diagram.group_at(x, y).is_none();
        if let Some(label) = ends(brush, route, figures, *weight, is_free) {
            taken.extend(label);
        }
    }
}

fn line_role(figures: &LineFigures, weight: Weight) -> Role {
    if weight == Weight::Dashed { Role::Idle } else { Theme::errors(figures.error_share()) }
}

/// Draws the moving marks along a line: one for every few attempts, hollow for retries.
fn pulses(brush: &mut Brush, phase: u64, route: &Route, figures: &LineFigures, weight: Weight) {
    let period = match weight {
        Weight::Dashed => return,
        Weight::Light => 9,
        Weight::Heavy => 5,
    };
    let cells = wires::cells(route);
    let retries = figures.retry_share();
    for (index, &(x, y)) in cells.iter().enumerate().take(cells.len().saturating_sub(1)) {
        let moved = index as i64 - (phase / 2) as i64;
        if moved.rem_euclid(period) != 0 {
            continue;
        }
        // Multiples of the golden ratio spread retries evenly among the marks.
        let number = moved.div_euclid(period);
        let is_retry = (number as f64 * 0.618_033_988_749_895).rem_euclid(1.0) < retries;
        let (mark, role) = if is_retry { ('○', Role::Retry) } else { ('•', Role::Pulse) };
        brush.put(x, y, mark, role);
    }
}

/// Draws the arrow head, the amplification and the fault mark at the end of a line: on the line if it is long enough, else
/// in a free row above or below. Returns the cells of a label beside the line.
fn ends(
    brush: &mut Brush,
    route: &Route,
    figures: &LineFigures,
    weight: Weight,
    is_free: impl Fn(i32, i32) -> bool,
) -> Option<Vec<(i32, i32)>> {
    let &(x, y) = route.points.last()?;
    let before_x = route.points.len().checked_sub(2).map_or(x - 1, |place| route.points[place].0);
    let role = line_role(figures, weight);
    let onwards = before_x < x;
    brush.put(x, y, if onwards { '►' } else { '◄' }, role);
    let mut label = String::new();
    if figures.faulty {
        label.push('↯');
    }
    if let Some(amplification) = figures.amplification.filter(|value| *value >= AMPLIFIED) {
        label.push_str(&figures::factor(amplification));
    }
    let length = label.chars().count() as i32;
    if length == 0 {
        return None;
    }
    let role = if figures.faulty { Role::Fault } else { Role::Retry };
    if (x - before_x).abs() > length {
        brush.text(if onwards { x - length } else { x + 1 }, y, &label, role);
        return None;
    }
    let begin = if onwards { x + 1 - length } else { x };
    let row = [y - 1, y + 1]
        .into_iter()
        .find(|&row| row >= 0 && (begin..begin + length).all(|column| is_free(column, row)))?;
    brush.text(begin, row, &label, role);
    Some((begin..begin + length).map(|column| (column, row)).collect())
}

/// Draws parts of the same kind side by side, one column each, with their load, or marked as down. If there is not enough
/// space, only the first ones.
pub(crate) fn multiples(brush: &mut Brush, (x, y, room): (i32, i32, i32), each: &[(bool, Option<f64>)]) {
    if each.is_empty() || room < 4 {
        return;
    }
    let shown = each.len().min((room - 2) as usize);
    brush.put(x, y, ' ', Role::Text);
    for (column, (is_up, load)) in each.iter().take(shown).enumerate() {
        let x = x + 1 + column as i32;
        match (is_up, load) {
            (false, _) => brush.put(x, y, '✗', Role::Fault),
            // Draw an idle part as a thin bar: an empty cell would be overlooked.
            (true, Some(load)) => brush.put(x, y, figures::block(load.max(0.01)), Theme::load(Some(*load))),
            (true, None) => brush.put(x, y, '·', Role::Faint),
        }
    }
    let end = if shown < each.len() { '…' } else { ' ' };
    brush.put(x + 1 + shown as i32, y, end, Role::Faint);
}

/// The share of a workload's requests that succeed, or the share that fail if that is larger.
fn success(figures: &BoxFigures) -> String {
    match figures.good_share() {
        None => "–".into(),
        Some(good) if good >= 0.5 => format!("✓ {}", figures::share(good)),
        Some(good) => format!("✗ {}", figures::share(1.0 - good)),
    }
}

/// Shortens a name to fit; drops the cluster first.
fn short_name(name: &str, room: usize) -> String {
    match name.rsplit_once('/') {
        Some((_, own)) if name.chars().count() > room => figures::shorten(&format!("…/{own}"), room),
        _ => figures::shorten(name, room),
    }
}

/// The drawing of a box.
struct Look<'a> {
    app: &'a App,
    snapshot: &'a Snapshot,
    detail: Detail,
    place: Place,
    selected: bool,
}

impl Look<'_> {
    fn draw(&self, brush: &mut Brush, group: &Group, figures: &BoxFigures) {
        let load = if group.is_workload { None } else { figures.utilization };
        let answers = figures.good + figures.failed > 0.0;
        let role = match self.app.colour_by {
            ColourBy::Errors if answers => Theme::errors(figures.error_share()),
            ColourBy::Load if group.is_workload && answers => Theme::errors(figures.error_share()),
            ColourBy::Load if load.is_some() => Theme::load(load),
            _ if figures.arrivals > 0.0 => Role::Calm,
            _ => Role::Idle,
        };
        if self.detail == Detail::Pill {
            return self.pill(brush, group, figures, role);
        }
        self.outline(brush, group, figures, role);
        let Place { x, y, width, height } = self.place;
        let (x, y, width) = (x + 2, y + 1, width - 4);
        for row in 0..height - 2 {
            // Blank the inside of the box, so that lines passing behind it do not show through.
            brush.text(x - 1, y + row, &" ".repeat((width + 2).max(0) as usize), Role::Text);
        }
        match (self.detail, group.is_workload) {
            (Detail::Narrow, _) => self.narrow(brush, (x, y, width), group, figures, role),
            (Detail::Compact, true) => self.compact_workload(brush, (x, y, width), figures, role),
            (Detail::Compact, false) => self.compact(brush, (x, y, width), figures, role),
            (_, true) => self.workload(brush, (x, y, width), group, figures, role),
            (_, false) => self.component(brush, (x, y, width), group, figures, role),
        }
    }

    fn outline(&self, brush: &mut Brush, group: &Group, figures: &BoxFigures, role: Role) {
        let Place { x, y, width, height } = self.place;
        let role = if !figures.faults.is_empty() { Role::Fault } else { role };
        let (role, [across, down, corners @ ..]) = match (self.selected, group.folded) {
            (true, _) => (Role::Selected, ['━', '┃', '┏', '┓', '┗', '┛']),
            (false, true) => (role, ['═', '║', '╔', '╗', '╚', '╝']),
            (false, false) => (role, ['─', '│', '╭', '╮', '╰', '╯']),
        };
        for column in x + 1..x + width - 1 {
            brush.put(column, y, across, role);
            brush.put(column, y + height - 1, across, role);
        }
        for row in y + 1..y + height - 1 {
            brush.put(x, row, down, role);
            brush.put(x + width - 1, row, down, role);
        }
        let [top_left, top_right, bottom_left, bottom_right] = corners;
        brush.put(x, y, top_left, role);
        brush.put(x + width - 1, y, top_right, role);
        brush.put(x, y + height - 1, bottom_left, role);
        brush.put(x + width - 1, y + height - 1, bottom_right, role);

        // Top: the name, and the kind or the fault if there is space. Bottom: replicas and amplification.
        let tight = self.detail <= Detail::Narrow;
        let name = short_name(&group.name, (width - 4).max(1) as usize);
        let room = width - 4 - name.chars().count() as i32;
        brush.text(x + 1, y, &format!(" {name} "), if self.selected { Role::Selected } else { Role::Strong });
        match figures.faults.first() {
            Some(fault) if room >= 9 => {
                let words = format!(" ↯ {} ", figures::shorten(fault, (room - 4) as usize));
                brush.text_before(x + width - 1, y, &words, Role::Fault);
            }
            Some(_) if room >= 2 => brush.put(x + width - 2, y, '↯', Role::Fault),
            Some(_) => {}
            None => {
                let kind = group.kind.replace('_', " ");
                if !tight && !group.is_workload && kind.chars().count() as i32 + 3 <= room {
                    brush.text_before(x + width - 2, y, &format!(" {kind} "), Role::Faint);
                }
            }
        }

        let bottom = y + height - 1;
        let mut right = x + width - 1;
        if let Some(factor) = figures.amplification.filter(|value| *value >= AMPLIFIED).map(figures::factor) {
            right = brush.text_before(right, bottom, &format!(" {factor} "), Role::Retry);
        }
        let (up, all) = figures.replicas;
        let mut left = x + 1;
        if room < 2 && !figures.faults.is_empty() {
            left = brush.text(left, bottom, " ↯ ", Role::Fault);
        }
        if up < all {
            let words = if tight { format!("{up}/{all} ") } else { format!(" {up}/{all} up ") };
            left = brush.text(left, bottom, &words, Role::Fault);
        } else if all > 1 && self.detail >= Detail::Full && !group.is_workload && !group.folded {
            left = brush.text(left, bottom, &format!(" {all} up "), Role::Faint);
        }
        if !tight {
            multiples(brush, (left, bottom, right - left - 1), &figures.each);
        }
    }

    /// Draws a label, a bar and a figure in one row; the label only if there is space.
    fn gauge(brush: &mut Brush, (x, y, width): (i32, i32, i32), label: &str, level: f64, value: &str, role: Role) {
        let shown = if width >= 18 || label.len() == 1 { label } else { "" };
        let begin = if shown.is_empty() { x } else { brush.text(x, y, &format!("{shown:<5}"), Role::Faint) + 1 };
        let begin = if shown.len() == 1 { x + 2 } else { begin };
        brush.text_before(x + width, y, value, role);
        // All bars of a box have the same length, regardless of the figures behind them.
        let length = (x + width - 7 - begin).max(0);
        brush.text(begin, y, &figures::bar(level, length as usize), role);
    }

    fn component(
        &self,
        brush: &mut Brush,
        (x, y, width): (i32, i32, i32),
        group: &Group,
        figures: &BoxFigures,
        role: Role,
    ) {
        self.flow(brush, (x, y, width), figures);
        let in_flight = |brush: &mut Brush, row: i32| {
            let label = if width >= 15 { "in flight" } else { "open" };
            brush.text(x, y + row, label, Role::Faint);
            brush.text_before(x + width, y + row, &figures::count(figures.in_flight), Role::Text);
        };
        match figures.utilization {
            Some(load) => Self::gauge(brush, (x, y + 1, width), "load", load, &figures::share(load), role),
            None => in_flight(brush, 1),
        }
        let level = figures.queue_level();
        let queue_role = waiting(figures);
        let label = match (figures.dead_letters, width) {
            (1.., _) => "dead",
            (0, 18..) => "queue",
            (0, _) => "q",
        };
        Self::gauge(brush, (x, y + 2, width), label, level, &figures::count(figures.queue), queue_role);
        if self.detail < Detail::Full {
            return;
        }
        let rows = self.past_rows();
        match figures.utilization {
            Some(_) => self.past(brush, (x, y + 3, width), group, "components.", ".utilization", Some(1.0)),
            None => self.past(brush, (x, y + 3, width), group, "components.", ".arrivals", None),
        }
        let below = y + 3 + rows;
        let wasted = figures.wasted_work.filter(|wasted| *wasted >= 0.01);
        let tell = |brush: &mut Brush, row: i32, label: &str, value: &str, role: Role| {
            brush.text(x, below + row, label, Role::Faint);
            brush.text_before(x + width, below + row, value, role);
        };
        let held = figures.slots.map(|(held, all)| format!("{}/{}", figures::count(held), figures::count(all)));
        let wasted = wasted.map(figures::share);
        if self.detail == Detail::Large {
            tell(brush, 0, "held", held.as_deref().unwrap_or("–"), Role::Text);
            let role = if wasted.is_some() { Role::Strained } else { Role::Text };
            tell(brush, 1, "wasted", wasted.as_deref().unwrap_or("–"), role);
            tell(brush, 2, "in flight", &figures::count(figures.in_flight), Role::Text);
            return;
        }
        match (wasted, held) {
            (Some(wasted), _) => tell(brush, 0, "wasted", &wasted, Role::Strained),
            (None, Some(held)) => tell(brush, 0, "held", &held, Role::Text),
            (None, None) if figures.utilization.is_some() => in_flight(brush, 4),
            (None, None) => {}
        }
    }

    /// Height of the curve of past values, rows.
    fn past_rows(&self) -> i32 {
        if self.detail == Detail::Large { 3 } else { 1 }
    }

    /// Draws arrivals on the left, failures on the right.
    fn flow(&self, brush: &mut Brush, (x, y, width): (i32, i32, i32), figures: &BoxFigures) {
        brush.text(x, y, &figures::rate(figures.arrivals), Role::Text);
        let errors = figures.error_share();
        if errors >= 0.001 {
            brush.text_before(x + width, y, &format!("✗ {}", figures::share(errors)), Theme::errors(errors));
        }
    }

    fn workload(
        &self,
        brush: &mut Brush,
        (x, y, width): (i32, i32, i32),
        group: &Group,
        figures: &BoxFigures,
        role: Role,
    ) {
        brush.text(x, y, &figures::rate(figures.arrivals), Role::Text);
        let shown = figures.good_share().map_or("–".into(), figures::share);
        Self::gauge(brush, (x, y + 1, width), "good", figures.good_share().unwrap_or(0.0), &shown, role);
        let tail = |brush: &mut Brush, row: i32, label: &str, value: Option<f64>| {
            brush.text(x, y + row, label, Role::Faint);
            brush.text_before(x + width, y + row, &figures::seconds_or_dash(value), Role::Text);
        };
        tail(brush, 2, "p99", figures.latency_p99_s);
        if self.detail >= Detail::Full {
            self.past(brush, (x, y + 3, width), group, "workloads.", ".goodput", None);
            tail(brush, 3 + self.past_rows(), "p50", figures.latency_p50_s);
        }
        if self.detail == Detail::Large {
            for (row, label, value) in
                [(7, "failed", figures::rate(figures.failed)), (8, "in flight", figures::count(figures.in_flight))]
            {
                brush.text(x, y + row, label, Role::Faint);
                brush.text_before(x + width, y + row, &value, Role::Text);
            }
        }
    }

    /// Draws the last windows as bars; without a given scale, their maximum determines it.
    fn past(
        &self,
        brush: &mut Brush,
        (x, y, width): (i32, i32, i32),
        group: &Group,
        before: &str,
        after: &str,
        top: Option<f64>,
    ) {
        let labelled = width >= 18;
        if labelled {
            brush.text(x, y, "past", Role::Faint);
        }
        let room = (width - if labelled { 6 } else { 0 }).max(0) as usize;
        let columns = group.members.iter().filter_map(|&member| {
            let name = &self.snapshot.topology.nodes.get(member)?.name;
            self.snapshot.series.column(&format!("{before}{name}{after}"))
        });
        let mut worst: Vec<f64> = Vec::new();
        for column in columns {
            for (place, value) in column.rev().take(room).enumerate() {
                worst.resize(worst.len().max(place + 1), 0.0);
                worst[place] = worst[place].max(value.unwrap_or(0.0));
            }
        }
        let scaled = top.is_none();
        let top = top.unwrap_or_else(|| worst.iter().copied().fold(0.0, f64::max));
        let rows = self.past_rows();
        for (place, value) in worst.iter().enumerate() {
            let level = if top > 0.0 { value / top } else { 0.0 };
            let role = if scaled { Role::Good } else { Theme::load(Some(level)) };
            for row in 0..rows {
                // The lowest row always shows a value above zero, however small.
                let above = (level * f64::from(rows) - f64::from(rows - 1 - row)).clamp(0.0, 1.0);
                brush.put(x + width - 1 - place as i32, y + row, figures::block(above), role);
            }
        }
    }

    /// Draws two lines: the load, and the worse of waiting and failing calls.
    fn narrow(
        &self,
        brush: &mut Brush,
        (x, y, width): (i32, i32, i32),
        group: &Group,
        figures: &BoxFigures,
        role: Role,
    ) {
        if group.is_workload {
            brush.text(x, y, &figures::rate(figures.arrivals), Role::Text);
            brush.text(x, y + 1, &success(figures), role);
            return;
        }
        match figures.utilization {
            Some(load) => {
                brush.put(x, y, figures::block(load), role);
                brush.text_before(x + width, y, &figures::share(load), role);
            }
            None => {
                brush.text(x, y, &figures::rate(figures.arrivals), Role::Text);
            }
        }
        let errors = figures.error_share();
        if figures.queue == 0 && errors >= 0.001 {
            brush.put(x, y + 1, '✗', Theme::errors(errors));
            brush.text_before(x + width, y + 1, &figures::share(errors), Theme::errors(errors));
        } else {
            let role = waiting(figures);
            brush.text(x, y + 1, "q", Role::Faint);
            brush.text_before(x + width, y + 1, &figures::count(figures.queue), role);
        }
    }

    fn compact(&self, brush: &mut Brush, (x, y, width): (i32, i32, i32), figures: &BoxFigures, role: Role) {
        let after = match figures.utilization {
            Some(load) => {
                brush.put(x, y, figures::block(load), role);
                brush.text(x + 2, y, &figures::share(load), role)
            }
            None => brush.text(x, y, &figures::rate(figures.arrivals), Role::Text),
        };
        let errors = figures.error_share();
        let words = match (figures.queue, errors >= 0.01) {
            (0, true) => format!("✗ {}", figures::share(errors)),
            (0, false) => return,
            (queue, _) => format!("q {}", figures::count(queue)),
        };
        let role = if figures.queue == 0 { Theme::errors(errors) } else { waiting(figures) };
        if x + width - after > words.chars().count() as i32 {
            brush.text_before(x + width, y, &words, role);
        }
    }

    fn compact_workload(&self, brush: &mut Brush, (x, y, width): (i32, i32, i32), figures: &BoxFigures, role: Role) {
        let after = brush.text(x, y, &figures::rate(figures.arrivals), Role::Text);
        let words = success(figures);
        if x + width - after > words.chars().count() as i32 {
            brush.text_before(x + width, y, &words, role);
        }
    }

    fn pill(&self, brush: &mut Brush, group: &Group, figures: &BoxFigures, role: Role) {
        let Place { x, y, width, .. } = self.place;
        brush.text(x, y, &" ".repeat(width.max(0) as usize), Role::Text);
        let begin = match figures.faults.is_empty() {
            true => brush.text(x, y, if group.folded { "▐" } else { "▌" }, role),
            false => brush.text(x, y, "↯", Role::Fault),
        };
        let value = match (figures.queue, figures.utilization, group.is_workload) {
            (_, _, true) => success(figures).replace(' ', ""),
            (0, Some(load), _) => figures::share(load).replace(' ', ""),
            (0, None, _) => figures::rate(figures.arrivals),
            (queue, ..) => format!("q{}", figures::count(queue)),
        };
        let end = brush.text_before(x + width, y, &value, role);
        let level = figures.utilization.unwrap_or(0.0);
        brush.put(end - 1, y, figures::block(level), role);
        let room = (end - 1 - begin).max(0) as usize;
        brush.text(begin, y, &short_name(&group.name, room), Role::Strong);
        if self.selected {
            brush.restyle(x, y, width, Role::Cursor);
        }
    }
}

/// The role of waiting calls. Dead letters stand out, even if there are few.
fn waiting(figures: &BoxFigures) -> Role {
    match (figures.dead_letters, figures.queue) {
        (1.., _) => Role::Critical,
        (0, 0) => Role::Faint,
        (0, _) => Theme::load(Some(figures.queue_level().max(0.6))),
    }
}

fn legend(buffer: &mut Buffer, area: Rect, app: &App) {
    let mut brush = Brush::new(buffer, area, app.theme);
    let by = match app.colour_by {
        ColourBy::Load => ["load", "<60 %", "<80 %", "<95 %", "full"],
        ColourBy::Errors => ["errors", "<0.5 %", "<5 %", "<25 %", "more"],
    };
    let mut x = brush.text(1, 0, by[0], Role::Faint) + 1;
    for (role, words) in [Role::Calm, Role::Busy, Role::Strained, Role::Critical].into_iter().zip(&by[1..]) {
        x = brush.text(x, 0, "■", role) + 1;
        x = brush.text(x, 0, words, Role::Faint) + 2;
    }
    for (mark, role, words) in [
        ("•", Role::Pulse, "call"),
        ("○", Role::Retry, "retry"),
        ("×2", Role::Retry, "calls per call"),
        ("━", Role::Calm, "busy line"),
        ("↯", Role::Fault, "fault"),
    ] {
        x = brush.text(x + 1, 0, mark, role) + 1;
        x = brush.text(x, 0, words, Role::Faint) + 1;
    }
}

//! Overlays: the help page, an input line, a question.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::{App, Open};
use crate::brush::Brush;
use crate::figures;
use crate::keys::{self, Place, Screen};
use crate::line::Line;
use crate::screens::{frame, lines_of};
use crate::theme::Role;

pub(crate) fn draw(buffer: &mut Buffer, body: Rect, app: &App) {
    match &app.open {
        Open::Nothing => {}
        Open::Help(scrolled) => help(buffer, body, app, usize::from(*scrolled)),
        Open::Find(line, _) if app.screen == Screen::Knobs => {
            let area = panel(buffer, body, app, 1, "find a setting");
            typed(buffer, area, app, line);
        }
        Open::Find(line, chosen) => find(buffer, body, app, line, *chosen),
        Open::Knob(path, line) => {
            let knob = app.view.knobs.iter().find(|knob| &knob.path == path);
            let range = knob.map_or("", |knob| knob.range.as_str());
            let when = if knob.is_some_and(|knob| knob.live) { "" } else { "restarts the run; " };
            let range = format!("{when}{range}; ↑ ↓ change the number");
            let area = panel(buffer, body, app, 2, path);
            typed(buffer, area, app, line);
            Brush::new(buffer, area, app.theme).text(
                2,
                1,
                &figures::shorten(&range, usize::from(area.width).saturating_sub(2)),
                Role::Faint,
            );
        }
        Open::Fault(line) => {
            let area = panel(buffer, body, app, 2, "inject a fault now");
            typed(buffer, area, app, line);
            let words = "without `for` it never ends; ↑ ↓ change the number at the cursor";
            Brush::new(buffer, area, app.theme).text(
                2,
                1,
                &figures::shorten(words, usize::from(area.width).saturating_sub(2)),
                Role::Faint,
            );
        }
        Open::Keep => {
            let area = panel(buffer, body, app, 2, "which future do you want to keep?");
            let mut brush = Brush::new(buffer, area, app.theme);
            for (row, future) in app.view.futures.iter().enumerate() {
                let all = super::callers(&future.snapshot);
                let x = brush.text(1, row as i32, future.side.letter(), super::side_role(future)) + 2;
                let newest = future.changes.last().map_or("unchanged".into(), |change| change.doing.short());
                let words = format!(
                    "good {:<9} p99 {:<9} {newest}",
                    figures::rate(all.good),
                    figures::seconds_or_dash(all.latency_p99_s)
                );
                brush.text(
                    x,
                    row as i32,
                    &figures::shorten(&words, (area.width as usize).saturating_sub(5)),
                    Role::Text,
                );
            }
        }
    }
}

/// Draws a frame at the lower edge of the body, and clears its inside; returns the inside.
fn panel(buffer: &mut Buffer, body: Rect, app: &App, rows: u16, title: &str) -> Rect {
    let height = (rows + 2).min(body.height);
    let width = body.width.saturating_sub(4).min(100);
    let area = Rect { x: body.x + 2, y: body.bottom() - height, width, height };
    cleared(buffer, area, app, title)
}

fn cleared(buffer: &mut Buffer, area: Rect, app: &App, title: &str) -> Rect {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
    let mut brush = Brush::new(buffer, area, app.theme);
    frame(&mut brush, (0, 0, i32::from(area.width), i32::from(area.height)), title, Role::Selected);
    Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: area.height.saturating_sub(2) }
}

/// Draws an input line with its cursor; scrolled if it is longer than the space.
fn typed(buffer: &mut Buffer, area: Rect, app: &App, line: &Line) {
    let mut brush = Brush::new(buffer, area, app.theme);
    let room = usize::from(area.width).saturating_sub(4);
    let skipped = line.cursor().saturating_sub(room.saturating_sub(1));
    brush.put(0, 0, '›', Role::Key);
    let shown: String = line.text().chars().skip(skipped).take(room).collect();
    brush.text(2, 0, &shown, Role::Strong);
    let at = 2 + (line.cursor() - skipped) as i32;
    let letter = line.text().chars().nth(line.cursor()).unwrap_or(' ');
    let style = app.theme.style(Role::Strong).add_modifier(ratatui::style::Modifier::REVERSED);
    brush.put_styled(at, 0, letter, style);
}

fn find(buffer: &mut Buffer, body: Rect, app: &App, line: &Line, chosen: usize) {
    let found = app.found(&line.text());
    let rows = found.len().clamp(1, usize::from(body.height.saturating_sub(4)).clamp(1, 10));
    let area = panel(buffer, body, app, rows as u16 + 1, "find a component");
    typed(buffer, area, app, line);
    let mut brush = Brush::new(buffer, area, app.theme);
    if found.is_empty() {
        brush.text(2, 1, "no such name", Role::Faint);
    }
    let first = super::scrolled(chosen, rows, found.len());
    for (row, (place, &index)) in found.iter().enumerate().skip(first).take(rows).enumerate() {
        let node = &app.topology().nodes[index];
        let y = row as i32 + 1;
        let after = brush.text(2, y, &node.name, Role::Strong);
        brush.text(after.max(24) + 2, y, &node.kind.replace('_', " "), Role::Faint);
        if place == chosen {
            brush.restyle(0, y, i32::from(area.width), Role::Cursor);
        }
    }
}

fn help(buffer: &mut Buffer, body: Rect, app: &App, scrolled: usize) {
    let mut places: Vec<Place> = vec![Place::Anywhere];
    let all = keys::help();
    all.iter().for_each(|(place, ..)| {
        if !places.contains(place) {
            places.push(*place);
        }
    });
    // The keys of the current screen come first.
    places.sort_by_key(|place| (*place != Place::On(app.screen), *place == Place::Typing));
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for place in places {
        let mut keys = all.iter().filter(|row| row.0 == place).map(|&(_, label, text)| (label, text)).peekable();
        let title = match place {
            Place::Anywhere => "on every screen",
            Place::On(screen) => screen.title(),
            Place::Typing => "while typing",
            Place::Finding | Place::Reading | Place::Asking | Place::Choosing | Place::Refused => "",
        };
        if keys.peek().is_some() {
            rows.push(("", title));
            rows.extend(keys);
        }
    }
    let about = "Boxes are components, lines are calls. A bar is the share of capacity in use; q or queue is how many wait. \
                 ×3 means that retries triple the calls. Nothing you do here can change a result by accident: every change is \
                 written down under Events, u takes the newest back, e writes them all into a scenario.";
    let area = Rect { x: body.x + 1, width: body.width.saturating_sub(2), ..body };
    let area = cleared(buffer, area, app, "help");
    let mut brush = Brush::new(buffer, area, app.theme);
    let columns = if area.width >= 110 { 2 } else { 1 };
    let width = i32::from(area.width) / columns;
    let text = lines_of(about, usize::from(area.width).saturating_sub(4));
    let below = rows.len().div_ceil(columns as usize);
    let room = usize::from(area.height);
    let hidden = (text.len() + 1 + below).saturating_sub(room);
    let skip = scrolled.min(hidden) as i32;
    for (row, line) in text.iter().enumerate() {
        brush.text(2, row as i32 - skip, line, Role::Text);
    }
    for (index, (label, words)) in rows.iter().enumerate() {
        let (column, row) = ((index / below.max(1)) as i32, (index % below.max(1)) as i32);
        let y = row + text.len() as i32 + 1 - skip;
        if label.is_empty() {
            brush.text(column * width + 2, y, words, Role::Strong);
        } else {
            brush.text_before(column * width + 13, y, label, Role::Key);
            brush.text(column * width + 15, y, &figures::shorten(words, (width - 16).max(1) as usize), Role::Text);
        }
    }
    if hidden > skip as usize {
        brush.text_before(i32::from(area.width) - 1, i32::from(area.height) - 1, " ↓ more ", Role::Key);
    }
}

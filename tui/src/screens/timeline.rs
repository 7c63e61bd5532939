//! The timeline of the run: current instant, faults, actions of operators, and the user's changes.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::app::App;
use crate::brush::Brush;
use crate::figures;
use crate::theme::Role;

/// The columns of the track, without the clocks at its ends.
fn track(area: Rect) -> (u16, u16) {
    (area.x + 1, area.width.saturating_sub(2).max(2))
}

fn column_of(app: &App, width: u16, at_ns: f64) -> i32 {
    let (start, end) = (app.view.start_ns as f64, app.view.end_ns as f64);
    let share = if end > start { ((at_ns - start) / (end - start)).clamp(0.0, 1.0) } else { 0.0 };
    (share * f64::from(width - 1)).round() as i32
}

/// The instant under a cell of the timeline, ns.
pub(crate) fn instant_at(app: &App, area: Rect, at: Position) -> Option<i64> {
    if !area.contains(at) {
        return None;
    }
    let (x, width) = track(area);
    let share = f64::from(at.x.saturating_sub(x).min(width - 1)) / f64::from(width - 1).max(1.0);
    Some(app.view.start_ns + (share * (app.view.end_ns - app.view.start_ns) as f64) as i64)
}

pub(crate) fn draw(buffer: &mut Buffer, area: Rect, app: &App) {
    let view = &app.view;
    let (x, width) = track(area);
    let mut brush = Brush::new(buffer, Rect { x, width, ..area }, app.theme);
    let now = column_of(app, width, view.now_ns as f64);
    let last = i32::from(width) - 1;
    for column in 0..=last {
        match column {
            _ if column <= now => brush.put(column, 0, '━', Role::Median),
            _ => brush.put(column, 0, '┄', Role::Idle),
        }
    }
    brush.put(column_of(app, width, 0.0), 0, '┿', Role::Faint);
    brush.put(0, 0, '┝', Role::Median);
    brush.put(last, 0, '┤', Role::Idle);
    let mut names_end = -1;
    for fault in &app.snapshot().faults {
        let from = column_of(app, width, fault.at_s * 1e9);
        let until = fault.until_s.map_or(last, |until| column_of(app, width, until * 1e9));
        let ahead = fault.at_s > app.snapshot().at_s;
        for column in from..=until.max(from) {
            brush.put(column, 0, if ahead { '░' } else { '▒' }, Role::Fault);
        }
        let name = fault.name.as_deref().unwrap_or(&fault.what);
        let words = format!("↯ {}", figures::shorten(name, 24));
        let begin = from.min(last + 1 - words.chars().count() as i32);
        if begin > names_end {
            let role = if ahead { Role::Faint } else { Role::Fault };
            names_end = brush.text(begin, 1, &words, role);
        }
    }
    for event in &app.snapshot().operator_events {
        let ends = event.until_s.filter(|until| *until > event.at_s);
        for at_s in [Some(event.at_s), ends].into_iter().flatten() {
            brush.put(column_of(app, width, at_s * 1e9), 0, '✎', Role::Branch);
        }
        let name = format!("✎ {}", figures::shorten(event.name.as_deref().unwrap_or(&event.what), 24));
        let begin = column_of(app, width, event.at_s * 1e9).min(last + 1 - name.chars().count() as i32);
        if begin > names_end {
            let role = if event.at_s > app.snapshot().at_s { Role::Faint } else { Role::Branch };
            names_end = brush.text(begin, 1, &name, role);
        }
    }
    for future in &view.futures {
        for change in &future.changes {
            brush.put(column_of(app, width, change.at_ns as f64), 0, '✎', Role::Branch);
        }
    }
    if let Some(fork) = view.fork_ns {
        brush.put(column_of(app, width, fork as f64), 0, 'B', Role::Branch);
    }
    if let Some(goal) = view.seeking_ns {
        brush.put(column_of(app, width, goal as f64), 0, '○', Role::Strong);
    }
    brush.put(now, 0, '●', Role::Strong);
    if view.start_ns < 0 && names_end < 0 {
        brush.text(column_of(app, width, 0.0), 1, "0:00", Role::Faint);
    }
    let end = figures::clock_short(view.end_ns as f64 / 1e9);
    if names_end < last - end.chars().count() as i32 {
        brush.text_before(last + 1, 1, &end, Role::Faint);
    }
}

//! Sampled requests, slowest first, and the chosen one as a waterfall.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::App;
use crate::brush::Brush;
use crate::figures;
use crate::screens::scrolled;
use crate::simulation::SampledRequest;
use crate::theme::Role;

/// Outcomes that a caller is content with.
fn is_good(outcome: &str) -> bool {
    matches!(outcome, "ok" | "accepted" | "degraded")
}

fn role_of(outcome: &str) -> Role {
    if is_good(outcome) { Role::Good } else { Role::Critical }
}

pub(crate) fn draw(buffer: &mut Buffer, area: Rect, app: &App) {
    let mut brush = Brush::new(buffer, area, app.theme);
    let requests = app.view.focused().requests.as_deref().unwrap_or_default();
    if requests.is_empty() {
        brush.text(2, 1, "no request has been sampled yet", Role::Faint);
        return;
    }
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    let rows = (requests.len()).min((height / 3).max(3) as usize);
    let cursor = app.cursors.request.min(requests.len() - 1);
    let first = scrolled(cursor, rows, requests.len());
    let slowest = requests.iter().map(|request| request.took_s).fold(0.0, f64::max);
    for (row, (index, request)) in requests.iter().enumerate().skip(first).take(rows).enumerate() {
        let y = row as i32;
        brush.text_before(9, y, &figures::seconds(request.took_s), Role::Strong);
        let role = role_of(&request.outcome);
        brush.text(11, y, &figures::shorten(&request.outcome, 12), role);
        brush.text(25, y, &figures::shorten(&request.name, 24), Role::Text);
        brush.text(50, y, &figures::clock(request.at_s), Role::Faint);
        let level = if slowest > 0.0 { request.took_s / slowest } else { 0.0 };
        brush.text(61, y, &figures::bar(level, (width - 63).max(0) as usize), role);
        if index == cursor {
            brush.restyle(0, y, width, Role::Cursor);
        }
    }
    let top = rows as i32;
    for column in 0..width {
        brush.put(column, top, '─', Role::Border);
    }
    waterfall(&mut brush, (top + 1, width, height - top - 1), &requests[cursor]);
}

fn waterfall(brush: &mut Brush, (top, width, height): (i32, i32, i32), request: &SampledRequest) {
    let names = (width / 3).clamp(16, 40);
    let columns = (width - names - 11).max(4);
    let whole = request.spans.iter().map(|span| span.until_s).fold(request.took_s, f64::max);
    let column = |at_s: f64| if whole > 0.0 { (at_s / whole * f64::from(columns)).round() as i32 } else { 0 };
    for (row, span) in request.spans.iter().take(height.max(0) as usize).enumerate() {
        let y = top + row as i32;
        let indent = 1 + i32::from(span.depth) * 2;
        brush.text(indent, y, &figures::shorten(&span.name, (names - indent - 1).max(1) as usize), Role::Text);
        let (from, until) = (column(span.from_s), column(span.until_s));
        let role = if span.wasted { Role::Faint } else { role_of(&span.outcome) };
        for cell in from..until.max(from + 1) {
            brush.put(names + cell, y, if span.wasted { '░' } else { '█' }, role);
        }
        brush.text_before(width - 1, y, &figures::seconds(span.until_s - span.from_s), Role::Faint);
    }
}

//! The event log, the newest at the bottom; Enter jumps to the instant of the selected event.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::App;
use crate::brush::Brush;
use crate::events::{self, Sort};
use crate::figures;
use crate::theme::Role;

pub(crate) fn draw(buffer: &mut Buffer, area: Rect, app: &App) {
    let mut brush = Brush::new(buffer, area, app.theme);
    let events = events::of(app.view.focused());
    if events.is_empty() {
        brush.text(2, 1, "nothing out of the ordinary has happened yet", Role::Faint);
        return;
    }
    let rows = usize::from(area.height);
    let chosen = events.len().saturating_sub(1 + app.cursors.event);
    // Keep the newest visible until the cursor leaves them.
    let first = events.len().saturating_sub(rows).min(chosen.saturating_sub(rows / 3));
    for (row, (index, event)) in events.iter().enumerate().skip(first).take(rows).enumerate() {
        let y = row as i32;
        let role = match event.sort {
            Sort::Fault => Role::Fault,
            Sort::Change => Role::Branch,
            Sort::Told => Role::Text,
            Sort::Worse => Role::Strained,
            Sort::Better => Role::Good,
        };
        brush.text_before(11, y, &figures::clock(event.at_s), Role::Faint);
        brush.put(13, y, event.sort.mark(), role);
        brush.text(15, y, &figures::shorten(&event.target, 22), Role::Strong);
        let room = usize::from(area.width).saturating_sub(40);
        brush.text(38, y, &figures::shorten(&event.what, room), role);
        if index == chosen {
            brush.restyle(0, y, i32::from(area.width), Role::Cursor);
        }
    }
}

//! Every setting of the scenario; those that may change during a run can be changed here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::App;
use crate::brush::Brush;
use crate::deck::Doing;
use crate::figures;
use crate::screens::{lines_of, scrolled};
use crate::theme::Role;

pub(crate) fn draw(buffer: &mut Buffer, area: Rect, app: &App) {
    let mut brush = Brush::new(buffer, area, app.theme);
    let knobs = app.knobs();
    let width = i32::from(area.width);
    if knobs.is_empty() {
        let words = match app.knob_filter.as_str() {
            "" => "this scenario offers no settings".to_string(),
            filter => format!("no setting is called *{filter}*"),
        };
        brush.text(2, 1, &words, Role::Faint);
        return;
    }
    let details = 4;
    let rows = usize::from(area.height).saturating_sub(details + 1);
    let path_width = (width * 3 / 5).max(20);
    let cursor = app.cursors.knob.min(knobs.len() - 1);
    let first = scrolled(cursor, rows, knobs.len());
    let count = if knobs.len() == 1 { "1 setting".to_string() } else { format!("{} settings", knobs.len()) };
    let heading = match app.knob_filter.as_str() {
        "" => count,
        filter => format!("{count} with *{filter}*"),
    };
    brush.text(2, 0, &heading, Role::Faint);
    brush.text(path_width, 0, "value", Role::Faint);
    brush.text_before(width - 1, 0, "● changes now  ↺ restarts the run", Role::Faint);
    let changed = |path: &str| {
        let set =
            |change: &crate::deck::Change| matches!(&change.doing, Doing::Set { path: other, .. } if other == path);
        app.view.focused().changes.iter().any(set)
    };
    for (row, (index, knob)) in knobs.iter().enumerate().skip(first).take(rows).enumerate() {
        let y = row as i32 + 1;
        let role = if knob.live { Role::Text } else { Role::Faint };
        brush.put(1, y, if knob.live { '●' } else { '↺' }, if knob.live { Role::Good } else { Role::Faint });
        brush.text(3, y, &figures::shorten(&knob.path, (path_width - 5).max(4) as usize), role);
        let value_role = if changed(&knob.path) { Role::Branch } else { role };
        let mark = if changed(&knob.path) { "✎ " } else { "" };
        let room = (width - path_width - 1).max(4) as usize;
        brush.text(path_width, y, &figures::shorten(&format!("{mark}{}", knob.value), room), value_role);
        if index == cursor {
            brush.restyle(0, y, width, Role::Cursor);
        }
    }
    let chosen = knobs[cursor];
    let top = i32::from(area.height) - details as i32;
    for column in 0..width {
        brush.put(column, top, '─', Role::Border);
    }
    let words = lines_of(&chosen.doc, usize::from(area.width).saturating_sub(4));
    for (row, line) in words.iter().take(2).enumerate() {
        brush.text(2, top + 1 + row as i32, line, Role::Text);
    }
    brush.text(2, top + 3, &figures::shorten(&chosen.range, usize::from(area.width).saturating_sub(4)), Role::Faint);
}

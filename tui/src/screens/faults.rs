//! Active, past and planned faults, and the faults that can be injected into the selected component.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use lab::result::FaultWindow;

use crate::app::App;
use crate::brush::Brush;
use crate::diagram::acts;
use crate::figures;
use crate::screens::scrolled;
use crate::theme::Role;

pub(crate) fn draw(buffer: &mut Buffer, area: Rect, app: &App) {
    let mut brush = Brush::new(buffer, area, app.theme);
    let snapshot = app.snapshot();
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    let choices = app.faults_to_choose();
    let lower = (choices.len() as i32 + 2).min(height / 2).max(4);
    let all: Vec<(&FaultWindow, char)> = snapshot.faults.iter().map(|fault| (fault, '↯')).collect();
    let done = snapshot.operator_events.iter().map(|event| (event, '✎'));
    let all: Vec<(&FaultWindow, char)> = all.into_iter().chain(done).collect();
    let title =
        if snapshot.operator_events.is_empty() { "faults of this run" } else { "faults and events of this run" };
    brush.text(2, 0, title, Role::Faint);
    if all.is_empty() {
        brush.text(4, 1, "none", Role::Faint);
    }
    let rows = (height - lower - 2).max(1) as usize;
    // If not all fit, show the newest.
    let first = all.len().saturating_sub(rows);
    for (row, (fault, sign)) in all.into_iter().skip(first).enumerate() {
        let y = row as i32 + 1;
        let acting = if sign == '↯' { Role::Fault } else { Role::Branch };
        let (mark, role) = match fault {
            _ if acts(fault, snapshot.at_s) => (sign, acting),
            _ if fault.at_s > snapshot.at_s => ('·', Role::Text),
            _ => ('✓', Role::Faint),
        };
        brush.put(2, y, mark, role);
        let until = fault.until_s.map_or("for ever".into(), figures::clock_short);
        brush.text(4, y, &format!("{:>8} – {until:<9}", figures::clock_short(fault.at_s)), Role::Faint);
        let words = match &fault.name {
            Some(name) => format!("{name}: {}", fault.what),
            None => fault.what.clone(),
        };
        brush.text(25, y, &figures::shorten(&words, (width - 27).max(4) as usize), role);
    }
    let top = height - lower;
    for column in 0..width {
        brush.put(column, top - 1, '─', Role::Border);
    }
    let x = brush.text(2, top, "inject now at", Role::Faint) + 1;
    let x = brush.text(x, top, app.selected_name(), Role::Selected) + 2;
    brush.text(x, top, "( / chooses another )", Role::Faint);
    if choices.is_empty() {
        brush.text(4, top + 1, "nothing can be injected here", Role::Faint);
    }
    let rows = (lower - 2).max(1) as usize;
    let cursor = app.cursors.fault.min(choices.len().saturating_sub(1));
    let first = scrolled(cursor, rows, choices.len());
    for (row, (index, choice)) in choices.iter().enumerate().skip(first).take(rows).enumerate() {
        let y = top + 1 + row as i32;
        brush.text(4, y, &choice.name, Role::Strong);
        // The effect of a fault matters more than its name.
        let begin = if width >= 110 { 60 } else { 15 };
        if begin > 15 {
            brush.text(15, y, &figures::shorten(&choice.doc, 43), Role::Faint);
        }
        brush.text(begin, y, &figures::shorten(&choice.text, (width - begin - 2).max(4) as usize), Role::Text);
        if index == cursor {
            brush.restyle(0, y, width, Role::Cursor);
        }
    }
}

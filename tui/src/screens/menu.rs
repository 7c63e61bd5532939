//! The menu of scenarios: names, with the description of the one under the cursor below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::brush::Brush;
use crate::figures;
use crate::keys::Place;
use crate::menu::Menu;
use crate::screens::{footer_line, lines_of, scrolled};
use crate::theme::{Role, Theme};

/// Maximum number of rows of the description.
const ABOUT: usize = 4;

/// Draws the list over the whole screen.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, theme: Theme, menu: &Menu) {
    let mut brush = Brush::new(buffer, area, theme);
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    let after = brush.text(1, 0, "brownout", Role::Brand);
    brush.text(after + 2, 0, "What do you want to watch?", Role::Strong);
    let x = brush.text(1, 2, "›", Role::Key) + 1;
    let typed = menu.line.text();
    let end = brush.text(x, 2, &figures::shorten(&typed, (width - 30).max(4) as usize), Role::Strong);
    brush.put_styled(end, 2, ' ', theme.style(Role::Strong).add_modifier(ratatui::style::Modifier::REVERSED));
    if typed.is_empty() {
        brush.text(end + 2, 2, "type to search, or choose with ↑ ↓", Role::Faint);
    }

    let found = menu.found();
    let names = menu.choices.iter().map(|choice| choice.name.chars().count()).max().unwrap_or(0).min(32) as i32;
    let rows = (height - 6 - ABOUT as i32 - 1).max(1) as usize;
    let first = scrolled(menu.cursor, rows, found.len());
    if found.is_empty() {
        brush.text(3, 4, "no match; esc shows all", Role::Faint);
    }
    for (row, (place, &index)) in found.iter().enumerate().skip(first).take(rows).enumerate() {
        let choice = &menu.choices[index];
        let y = 4 + row as i32;
        brush.text(3, y, &figures::shorten(&choice.name, names as usize), Role::Strong);
        let room = (width - names - 7).max(0) as usize;
        brush.text(names + 5, y, &cut(&choice.about, room), Role::Faint);
        if place == menu.cursor {
            brush.put(1, y, '▸', Role::Key);
            brush.restyle(1, y, width - 2, Role::Cursor);
        }
    }
    for (more, y, mark) in [(first > 0, 4, '▴'), (first + rows < found.len(), 3 + rows as i32, '▾')] {
        if more {
            brush.put(width - 1, y, mark, Role::Key);
        }
    }
    if let Some(choice) = found.get(menu.cursor).map(|&index| &menu.choices[index]) {
        let top = height - 2 - ABOUT as i32;
        for column in 1..width - 1 {
            brush.put(column, top - 1, '─', Role::Border);
        }
        let lines = lines_of(&choice.about, (width - 4).clamp(10, 110) as usize);
        for (row, line) in lines.iter().take(ABOUT).enumerate() {
            brush.text(2, top + row as i32, line, Role::Text);
        }
    }
    let line = Rect { y: area.y + area.height.saturating_sub(1), height: 1, ..area };
    footer_line(buffer, line, theme, Place::Choosing, true);
}

/// Cuts a sentence at its end.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.into();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

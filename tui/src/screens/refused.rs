//! A scenario that cannot be run: what is wrong with it, while it is waited for the next save.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::brush::Brush;
use crate::figures;
use crate::keys::Place;
use crate::screens::footer_line;
use crate::theme::{Role, Theme};

/// A scenario that cannot be run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Which of the source's scenarios.
    pub(crate) choice: usize,
    /// What the scenario is called.
    pub(crate) name: String,
    /// What is wrong, in lines.
    pub(crate) text: String,
    /// By how many lines it is scrolled.
    pub(crate) scrolled: usize,
    /// True where a save will be noticed.
    pub(crate) is_watched: bool,
    /// True where there is a run to go back to.
    pub(crate) has_run_behind: bool,
}

/// Draws what is wrong over the whole screen.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, theme: Theme, refusal: &Refusal) {
    let mut brush = Brush::new(buffer, area, theme);
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    let after = brush.text(1, 0, "brownout", Role::Brand);
    let title = format!("{} cannot be run", refusal.name);
    brush.text(after + 2, 0, &figures::shorten(&title, (width - after - 3).max(0) as usize), Role::Problem);
    let hint = match (refusal.is_watched, refusal.has_run_behind) {
        (true, true) => "Save it again and it is read again; esc shows the run of before.",
        (true, false) => "Save it again and it is read again.",
        (false, _) => "It is no file that could be changed.",
    };
    brush.text(1, 1, hint, Role::Faint);
    let rows = (height - 4).max(0) as usize;
    let lines: Vec<&str> = refusal.text.lines().collect();
    let skip = refusal.scrolled.min(lines.len().saturating_sub(rows));
    for (row, line) in lines.iter().skip(skip).take(rows).enumerate() {
        written(&mut brush, 3 + row as i32, line);
    }
    if lines.len() > skip + rows {
        brush.text_before(width - 1, height - 2, " ↓ more ", Role::Key);
    }
    let line = Rect { y: area.y + area.height.saturating_sub(1), height: 1, ..area };
    footer_line(buffer, line, theme, Place::Refused, true);
}

/// A line of what the reader says; its looks follow from how it begins.
fn written(brush: &mut Brush, y: i32, line: &str) {
    let bare = line.trim_start();
    let role = match bare {
        _ if bare.starts_with("error") => Role::Problem,
        _ if bare.starts_with("warning") => Role::Retry,
        _ if bare.starts_with("-->") || bare.starts_with('|') && !bare.contains('^') => Role::Faint,
        _ if bare.starts_with('|') => Role::Critical,
        _ if bare.starts_with("= help") => Role::Key,
        _ => Role::Text,
    };
    brush.text(1, y, line, role);
}

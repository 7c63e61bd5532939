//! The problems of a rejected scenario, shown until the file is saved again.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::brush::Brush;
use crate::figures;
use crate::keys::Place;
use crate::screens::{footer_line, lines_of};
use crate::theme::{Role, Theme};

/// A rejected scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Its index among the source's choices.
    pub(crate) choice: usize,
    /// The name of the scenario.
    pub(crate) name: String,
    /// The problems, in several lines.
    pub(crate) text: String,
    /// Number of lines scrolled.
    pub(crate) scrolled: usize,
    /// True if a save will be detected.
    pub(crate) is_watched: bool,
    /// True if there is a run to return to.
    pub(crate) has_run_behind: bool,
}

impl Refusal {
    /// The problems, in styled lines that fit into `width` columns.
    pub(crate) fn lines(&self, width: u16) -> Vec<(String, Role)> {
        let width = usize::from(width).saturating_sub(2).max(20);
        let broken = |line: &str| {
            let role = look(line);
            wrapped(line, width).into_iter().map(move |line| (line, role)).collect::<Vec<_>>()
        };
        self.text.lines().flat_map(broken).collect()
    }
}

/// Draws the problems over the whole screen.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, theme: Theme, refusal: &Refusal) {
    let mut brush = Brush::new(buffer, area, theme);
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    let after = brush.text(1, 0, "brownout", Role::Brand);
    let title = format!("{} cannot be run", refusal.name);
    brush.text(after + 2, 0, &figures::shorten(&title, (width - after - 3).max(0) as usize), Role::Problem);
    let hint = match (refusal.is_watched, refusal.has_run_behind) {
        (true, true) => "Fix and save the file to reload it; esc returns to the previous run.",
        (true, false) => "Fix and save the file to reload it.",
        (false, _) => "This scenario is not a file that you can edit.",
    };
    brush.text(1, 1, hint, Role::Faint);
    let rows = (height - 4).max(0) as usize;
    let lines = refusal.lines(area.width);
    let skip = refusal.scrolled.min(lines.len().saturating_sub(rows));
    for (row, (line, role)) in lines.iter().skip(skip).take(rows).enumerate() {
        brush.text(1, 3 + row as i32, line, *role);
    }
    if lines.len() > skip + rows {
        brush.text_before(width - 1, height - 2, " ↓ more ", Role::Key);
    }
    let line = Rect { y: area.y + area.height.saturating_sub(1), height: 1, ..area };
    footer_line(buffer, line, theme, Place::Refused, true);
}

/// The style of a line of the message, according to how it begins.
fn look(line: &str) -> Role {
    let bare = line.trim_start();
    match bare {
        _ if bare.starts_with("error") => Role::Problem,
        _ if bare.starts_with("warning") => Role::Retry,
        _ if bare.starts_with("-->") || bare.starts_with('|') && !bare.contains('^') => Role::Faint,
        _ if bare.starts_with('|') => Role::Critical,
        _ if bare.starts_with("= help") => Role::Key,
        _ => Role::Text,
    }
}

/// Breaks a line between words if it is wider than the screen. Keeps lines of the scenario and the marks below them whole,
/// since the marks refer to columns.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let bare = line.trim_start();
    let is_source = bare.trim_start_matches(|letter: char| letter.is_ascii_digit()).trim_start().starts_with('|');
    if is_source || bare.starts_with("-->") || line.chars().count() <= width {
        return vec![line.to_string()];
    }
    // Align continuation lines with the first word of the message.
    let message = bare.find(": ").map_or(0, |place| bare[..place + 2].chars().count()).min(width / 3);
    let indent = line.chars().count() - bare.chars().count();
    let hanging = indent + if bare.starts_with("= ") { message } else { 2 };
    let room = width.saturating_sub(hanging).max(10);
    let pad = " ".repeat(hanging);
    let lines = lines_of(bare, room);
    lines
        .iter()
        .enumerate()
        .map(|(nth, text)| if nth == 0 { format!("{}{text}", " ".repeat(indent)) } else { format!("{pad}{text}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_help_is_broken_and_source_lines_stay_whole() {
        let text = "error: components.web.kind: no component is called `servcie`\n  --> shop.yaml:12:12\n   |\n12 |   - {name: slow disk, at: 20s, for: 10s, slow: {component: db, factor: 10}}\n   |            ^^^^^^^^^ expected a name\n   = help: a name begins with a small letter and goes on with small letters, digits and dashes";
        let refusal = Refusal { text: text.into(), ..Refusal::default() };
        let lines: Vec<String> = refusal.lines(52).into_iter().map(|(line, _)| line).collect();
        assert!(
            lines.contains(
                &"12 |   - {name: slow disk, at: 20s, for: 10s, slow: {component: db, factor: 10}}".to_string()
            )
        );
        assert!(lines.iter().filter(|line| !line.contains('|')).all(|line| line.chars().count() <= 50), "{lines:#?}");
        let all = lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(all.contains("small letters, digits and dashes") && all.contains("no component is called `servcie`"));
    }
}

//! Draws into a part of the screen with its own coordinate system, clipped to that part.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::theme::{Role, Theme};

/// A view of a drawing that may be larger than the view.
pub(crate) struct Brush<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    origin: (i32, i32),
    pub(crate) theme: Theme,
}

impl<'a> Brush<'a> {
    /// A brush for an area; the cell at its top left is (0, 0).
    pub(crate) fn new(buffer: &'a mut Buffer, area: Rect, theme: Theme) -> Self {
        let area = area.intersection(buffer.area);
        Brush { buffer, area, origin: (0, 0), theme }
    }

    /// The same, with the cell at `origin` of the drawing at the top left.
    pub(crate) fn scrolled(self, origin: (i32, i32)) -> Self {
        Brush { origin, ..self }
    }

    /// Writes one character.
    pub(crate) fn put(&mut self, x: i32, y: i32, letter: char, role: Role) {
        self.put_styled(x, y, letter, self.theme.style(role));
    }

    pub(crate) fn put_styled(&mut self, x: i32, y: i32, letter: char, style: Style) {
        let (x, y) = (x - self.origin.0, y - self.origin.1);
        if x < 0 || y < 0 || x >= i32::from(self.area.width) || y >= i32::from(self.area.height) {
            return;
        }
        if let Some(cell) = self.buffer.cell_mut((self.area.x + x as u16, self.area.y + y as u16)) {
            cell.set_char(letter).set_style(style);
        }
    }

    /// Writes a text; returns the column after it. Every letter takes one cell; wide letters are replaced.
    pub(crate) fn text(&mut self, x: i32, y: i32, text: &str, role: Role) -> i32 {
        let style = self.theme.style(role);
        let mut column = x;
        for letter in text.chars() {
            self.put_styled(column, y, if is_narrow(letter) { letter } else { '?' }, style);
            column += 1;
        }
        column
    }

    /// Writes a text that ends before a column; returns its first column.
    pub(crate) fn text_before(&mut self, end: i32, y: i32, text: &str, role: Role) -> i32 {
        let begin = end - text.chars().count() as i32;
        self.text(begin, y, text, role);
        begin
    }

    /// Changes the style of cells, but not their contents.
    pub(crate) fn restyle(&mut self, x: i32, y: i32, width: i32, role: Role) {
        let style = self.theme.style(role);
        for column in x..x + width {
            let (x, y) = (column - self.origin.0, y - self.origin.1);
            if x < 0 || y < 0 || x >= i32::from(self.area.width) || y >= i32::from(self.area.height) {
                continue;
            }
            if let Some(cell) = self.buffer.cell_mut((self.area.x + x as u16, self.area.y + y as u16)) {
                cell.set_style(style);
            }
        }
    }
}

/// True for letters that are one cell wide on every terminal.
fn is_narrow(letter: char) -> bool {
    // From these code points on there are scripts and symbols that terminals show two cells wide, and characters without
    // width; the blocks used for drawing lie in between.
    let code = letter as u32;
    !language::diagnostics::is_unsafe(letter)
        && !(0x300..0x370).contains(&code)
        && !(0x1100..0x1160).contains(&code)
        && !(0x200b..0x2010).contains(&code)
        && !(0x2e80..0xa4d0).contains(&code)
        && !(0xac00..0xe000).contains(&code)
        && !(0xf900..0xfb00).contains(&code)
        && !(0xfe00..0xfe70).contains(&code)
        && !(0xff00..0xff61).contains(&code)
        && code < 0x1_0000
}

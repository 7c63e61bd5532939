//! The screen as a picture (SVG) and as text.

use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use crate::theme::{Background, Theme, rgb_of_index};

/// Width and height of a cell in the picture, pixels.
const CELL: (usize, usize) = (9, 18);

/// The screen as lines of text, without trailing blanks.
pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut text = String::new();
    for y in area.top()..area.bottom() {
        let line: String =
            (area.left()..area.right()).filter_map(|x| buffer.cell((x, y))).map(|cell| cell.symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The screen as a picture that needs only a monospaced font.
pub fn svg(buffer: &Buffer, theme: Theme) -> String {
    let area = buffer.area;
    let (ground, ink) = match theme.background {
        Background::Dark => ([18, 18, 18], [222, 222, 222]),
        Background::Light => ([255, 255, 255], [28, 28, 28]),
    };
    let (width, height) = (usize::from(area.width) * CELL.0 + 16, usize::from(area.height) * CELL.1 + 16);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{}\"/>\n\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"15\" xml:space=\"preserve\">\n",
        hexadecimal(ground)
    );
    for y in area.top()..area.bottom() {
        let row = usize::from(y - area.top());
        let mut x = area.left();
        while x < area.right() {
            let Some(cell) = buffer.cell((x, y)) else { break };
            let style = cell.style();
            let begin = x;
            let mut letters = String::new();
            // Adjacent cells of equal style form one text of fixed length, so that fonts of other widths do no harm.
            while let Some(next) = buffer.cell((x, y)).filter(|next| x < area.right() && next.style() == style) {
                letters.push_str(next.symbol());
                x += 1;
            }
            let modifiers = style.add_modifier;
            let mut front = style.fg.and_then(rgb).unwrap_or(ink);
            let mut back = style.bg.and_then(rgb);
            if modifiers.contains(Modifier::REVERSED) {
                (front, back) = (back.unwrap_or(ground), Some(front));
            }
            let (left, top) = (8 + usize::from(begin - area.left()) * CELL.0, 8 + row * CELL.1);
            let length = usize::from(x - begin) * CELL.0;
            if let Some(back) = back {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{left}\" y=\"{top}\" width=\"{length}\" height=\"{}\" fill=\"{}\"/>",
                    CELL.1,
                    hexadecimal(back)
                );
            }
            if letters.trim().is_empty() {
                continue;
            }
            let mut look = String::new();
            for (modifier, words) in [
                (Modifier::BOLD, " font-weight=\"bold\""),
                (Modifier::DIM, " opacity=\"0.6\""),
                (Modifier::UNDERLINED, " text-decoration=\"underline\""),
            ] {
                if modifiers.contains(modifier) {
                    look.push_str(words);
                }
            }
            let _ = writeln!(
                svg,
                "<text x=\"{left}\" y=\"{}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{look}>{}</text>",
                top + 14,
                hexadecimal(front),
                escaped(&letters)
            );
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn rgb(colour: Color) -> Option<[u8; 3]> {
    let named = |index| Some(rgb_of_index(index));
    match colour {
        Color::Reset => None,
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(15),
        Color::Indexed(index) => named(index),
        Color::Rgb(red, green, blue) => Some([red, green, blue]),
    }
}

fn hexadecimal([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn escaped(text: &str) -> String {
    // Viewers that do not support xml:space would drop leading blanks.
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(' ', "\u{a0}")
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn a_picture_has_the_letters_the_colours_and_no_markup_from_them() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 2));
        buffer.set_string(0, 0, "a<&b", Style::new().fg(Color::Indexed(203)));
        buffer.set_string(0, 1, "plain", Style::new().add_modifier(Modifier::REVERSED));
        let svg = svg(&buffer, Theme::default());
        assert!(svg.contains("fill=\"#ff5f5f\">a&lt;&amp;b</text>"), "{svg}");
        assert!(svg.contains("<rect x=\"8\" y=\"26\" width=\"45\" height=\"18\" fill=\"#dedede\"/>"), "{svg}");
        assert_eq!(text(&buffer), "a<&b\nplain\n");
    }
}

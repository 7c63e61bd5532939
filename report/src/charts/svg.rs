//! The backend of the drawing library that writes SVG.
//!
//! Its unit is a tenth of a pixel. Every element has its colour as an attribute, so that the document can stand alone, and
//! the name of the colour's role as a class, so that a page can change it in dark mode. The library does not support dashes,
//! groups, or values shown on hover; they are written between its calls.

use std::convert::Infallible;
use std::fmt::Write as _;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
};

use super::text::{escaped, text_width};
use super::{Size, palette};

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// The document so far.
pub(crate) struct Svg {
    size: Size,
    pub(crate) written: String,
    /// The values to show on hover, as JSON.
    pub(crate) data: Option<String>,
    /// Lengths of strokes and gaps of the following lines, pixels; empty for solid lines.
    pub(crate) dash: &'static [f64],
}

impl Svg {
    pub(crate) fn new(size: Size) -> Svg {
        Svg { size, written: String::new(), data: None, dash: &[] }
    }

    pub(crate) fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        let written = self.written.write_fmt(arguments);
        debug_assert!(written.is_ok(), "memory takes every write");
    }

    fn polyline<S: BackendStyle>(&mut self, path: &[BackendCoord], style: &S) {
        let color = style.color();
        if path.len() < 2 || color.alpha == 0.0 {
            return;
        }
        let dash = match self.dash {
            [] => String::new(),
            lengths => {
                let lengths: Vec<String> = lengths.iter().map(|length| pixels(tenths(*length))).collect();
                format!(" stroke-dasharray=\"{}\"", lengths.join(","))
            }
        };
        self.put(format_args!(
            "<polyline{} fill=\"none\" stroke=\"{}\"{} stroke-width=\"{}\"{dash} points=\"{}\"/>\n",
            class(color),
            hex(color),
            seen_through("stroke", color),
            pixels(style.stroke_width() as i32),
            points(path)
        ));
    }
}

impl DrawingBackend for Svg {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.size.width * 10, self.size.height * 10)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.draw_rect((x, y), (x + 1, y + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.polyline(&[from, to], style);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        self.polyline(&path.into_iter().collect::<Vec<_>>(), style);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if !fill {
            self.polyline(&[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], style);
            return Ok(());
        }
        let (color, width, height) = (style.color(), (right - left).abs(), (bottom - top).abs());
        if width > 0 && height > 0 && color.alpha > 0.0 {
            self.put(format_args!(
                "<rect{} x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"{}/>\n",
                class(color),
                pixels(left.min(right)),
                pixels(top.min(bottom)),
                pixels(width),
                pixels(height),
                hex(color),
                seen_through("fill", color)
            ));
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, (x, y): BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        let (color, radius) = (style.color(), pixels(radius as i32));
        let paint = if fill {
            format!("fill=\"{}\"{}", hex(color), seen_through("fill", color))
        } else {
            format!("fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"", hex(color), pixels(style.stroke_width() as i32))
        };
        let (class, x, y) = (class(color), pixels(x), pixels(y));
        self.put(format_args!("<circle{class} cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {paint}/>\n"));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, corners: I, style: &S) -> Drawn {
        let (corners, color) = (corners.into_iter().collect::<Vec<_>>(), style.color());
        if corners.len() >= 3 && color.alpha > 0.0 {
            self.put(format_args!(
                "<polygon{} fill=\"{}\"{} points=\"{}\"/>\n",
                class(color),
                hex(color),
                seen_through("fill", color),
                points(&corners)
            ));
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        if text.is_empty() {
            return Ok(());
        }
        let anchor = match style.anchor().h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        // Renderers interpret `dominant-baseline` differently; half the height of a capital below the middle is the same
        // everywhere.
        let baseline = match style.anchor().v_pos {
            VPos::Top => 0.864,
            VPos::Center => 0.364,
            VPos::Bottom => -0.136,
        };
        let weight = if matches!(style.style(), FontStyle::Bold) { " font-weight=\"bold\"" } else { "" };
        let color = style.color();
        self.put(format_args!(
            "<text{} x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{anchor}\"{weight} fill=\"{}\">{}</text>\n",
            class(color),
            pixels(x),
            pixels(y + (baseline * style.size()).round() as i32),
            pixels(style.size().round() as i32),
            hex(color),
            escaped(&text.replace(char::is_control, ""))
        ));
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok((text_width(text, style.size()).ceil() as u32, style.size().ceil() as u32))
    }
}

/// A length in tenths of a pixel, clamped to a range that every renderer accepts; positions far outside are equivalent.
pub(crate) fn tenths(length: f64) -> i32 {
    (length * 10.0).round().clamp(-1e6, 1e6) as i32
}

/// Formats a length in pixels: `12.5`.
pub(crate) fn pixels(tenths: i32) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    match tenths.abs() % 10 {
        0 => format!("{sign}{}", tenths.abs() / 10),
        tenth => format!("{sign}{}.{tenth}", tenths.abs() / 10),
    }
}

fn points(places: &[BackendCoord]) -> String {
    let mut written = String::with_capacity(places.len() * 10);
    let mut before = None;
    for (number, place) in places.iter().enumerate() {
        // Skip repeated positions; a line at a single position still needs two.
        if before == Some(place) && (number + 1 != places.len() || written.contains(' ')) {
            continue;
        }
        if number > 0 {
            written.push(' ');
        }
        written.push_str(&pixels(place.0));
        written.push(',');
        written.push_str(&pixels(place.1));
        before = Some(place);
    }
    written
}

fn hex(color: BackendColor) -> String {
    let (red, green, blue) = color.rgb;
    format!("#{red:02X}{green:02X}{blue:02X}")
}

fn class(color: BackendColor) -> String {
    palette::role(color.rgb).map_or_else(String::new, |role| format!(" class=\"{role}\""))
}

fn seen_through(what: &str, color: BackendColor) -> String {
    if color.alpha < 1.0 { format!(" {what}-opacity=\"{}\"", color.alpha) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_shortly() {
        let written = [0.0, 0.04, 0.05, -0.26, 12.0, 12.34, 1e9, f64::NAN].map(|length| pixels(tenths(length)));
        assert_eq!(written, ["0", "0", "0.1", "-0.3", "12", "12.3", "100000", "0"]);
    }

    #[test]
    fn a_line_of_one_place_still_has_two_points() {
        assert_eq!(points(&[(10, 20), (10, 20)]), "1,2 1,2");
        assert_eq!(points(&[(10, 20), (10, 20), (30, 20)]), "1,2 3,2");
    }
}

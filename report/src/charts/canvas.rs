//! The one place that writes SVG: lines, shapes and text in pixels, a document out of them.
//!
//! Every element carries its colour as an attribute, so that the document can stand alone, and the name of the colour's
//! role as a class, so that a page can give it other colours in the dark. What moves when a reader zooms stands in a
//! nested `svg` of class `plot`, which also cuts off what leaves it.

use std::fmt::Write as _;

use super::palette::{self, Marker};
use super::{ChartError, Size};

/// The bundled font comes first; where a reader's program does not have it, any plain sans-serif will do.
pub(crate) const FONT_FAMILY: &str = "Brownout Sans, Inter, Helvetica Neue, Arial, sans-serif";

/// A position in pixels from the top left.
pub(crate) type Place = (f64, f64);

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke {
    pub(crate) color: palette::Color,
    pub(crate) width: f64,
    pub(crate) dash: &'static [f64],
}

impl Stroke {
    pub(crate) const fn solid(color: palette::Color, width: f64) -> Self {
        Stroke { color, width, dash: &[] }
    }
}

/// Which point of a text stands at its place, horizontally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is written; its vertical middle stands at its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lettering {
    pub(crate) size: f64,
    pub(crate) bold: bool,
    pub(crate) color: palette::Color,
    pub(crate) anchor: Anchor,
}

impl Lettering {
    pub(crate) const fn new(size: f64, color: palette::Color, anchor: Anchor) -> Self {
        Lettering { size, bold: false, color, anchor }
    }

    pub(crate) const fn bold(self) -> Self {
        Lettering { bold: true, ..self }
    }
}

/// What has been drawn so far.
pub(crate) struct Canvas {
    size: Size,
    written: String,
    data: Option<String>,
}

/// Draws a picture and gives it the frame of a document, with what a screen reader says.
pub(crate) fn document(
    size: Size,
    title: &str,
    description: &str,
    draw: impl FnOnce(&mut Canvas),
) -> Result<String, ChartError> {
    let Size { width, height } = size;
    if width == 0 || height == 0 {
        return Err(ChartError::new("it has no pixels"));
    }
    let mut canvas = Canvas { size, written: String::new(), data: None };
    canvas.rectangle((0.0, 0.0), (canvas.width(), canvas.height()), palette::PAPER, 1.0);
    draw(&mut canvas);
    let title = escaped(title);
    // Quotation marks need no escape between tags, and data has many of them.
    let data = canvas.data.map_or_else(String::new, |data| {
        let data = data.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        format!("<metadata>{data}</metadata>\n")
    });
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{title}\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"{FONT_FAMILY}\">\n\
         <title>{title}</title>\n<desc>{}</desc>\n{data}{}</svg>\n",
        escaped(description),
        canvas.written,
    ))
}

impl Canvas {
    pub(crate) fn width(&self) -> f64 {
        f64::from(self.size.width)
    }

    pub(crate) fn height(&self) -> f64 {
        f64::from(self.size.height)
    }

    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        let written = self.written.write_fmt(arguments);
        debug_assert!(written.is_ok(), "memory takes every write");
    }

    /// The values that are shown, as JSON, for those who point at the chart.
    pub(crate) fn data(&mut self, json: String) {
        self.data = Some(json);
    }

    /// What belongs together under a name.
    pub(crate) fn group(&mut self, class: &str, draw: impl FnOnce(&mut Canvas)) {
        self.put(format_args!("<g class=\"{class}\">\n"));
        draw(self);
        self.put(format_args!("</g>\n"));
    }

    /// What lies in the rectangle of the values. Markers at its edge are shown whole.
    pub(crate) fn plot(&mut self, from: Place, to: Place, draw: impl FnOnce(&mut Canvas)) {
        let [left, top] = [pixels(from.0), pixels(from.1)];
        let [width, height] = [pixels((to.0 - from.0).max(1.0)), pixels((to.1 - from.1).max(1.0))];
        self.put(format_args!(
            "<svg class=\"plot\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"{left} {top} {width} {height}\" overflow=\"visible\">\n"
        ));
        draw(self);
        self.put(format_args!("</svg>\n"));
    }

    /// A line through places.
    pub(crate) fn line(&mut self, places: &[Place], stroke: Stroke) {
        if places.len() < 2 {
            return;
        }
        let dash = match stroke.dash {
            [] => String::new(),
            lengths => {
                format!(" stroke-dasharray=\"{}\"", lengths.iter().map(|it| pixels(*it)).collect::<Vec<_>>().join(","))
            }
        };
        self.put(format_args!(
            "<polyline{} fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{dash} points=\"{}\"/>\n",
            class(stroke.color),
            hex(stroke.color),
            pixels(stroke.width),
            points(places)
        ));
    }

    /// A filled shape.
    pub(crate) fn polygon(&mut self, places: &[Place], color: palette::Color, opacity: f64) {
        if places.len() >= 3 {
            self.put(format_args!(
                "<polygon{} fill=\"{}\"{} points=\"{}\"/>\n",
                class(color),
                hex(color),
                seen_through(opacity),
                points(places)
            ));
        }
    }

    /// A filled rectangle.
    pub(crate) fn rectangle(&mut self, from: Place, to: Place, color: palette::Color, opacity: f64) {
        let (width, height) = ((to.0 - from.0).abs(), (to.1 - from.1).abs());
        if width >= 0.05 && height >= 0.05 {
            self.put(format_args!(
                "<rect{} x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"{}/>\n",
                class(color),
                pixels(from.0.min(to.0)),
                pixels(from.1.min(to.1)),
                pixels(width),
                pixels(height),
                hex(color),
                seen_through(opacity)
            ));
        }
    }

    /// A marker of a series, with a rim of paper so that it stands out from its line.
    pub(crate) fn marker(&mut self, at: Place, marker: Marker, color: palette::Color) {
        const RADIUS: f64 = 3.4;
        let shape = |radius: f64| -> Vec<Place> {
            let offsets: &[(f64, f64)] = match marker {
                Marker::Circle | Marker::Cross => &[],
                Marker::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
                Marker::Triangle => &[(0.0, -1.2), (1.1, 0.85), (-1.1, 0.85)],
                Marker::Diamond => &[(0.0, -1.3), (1.1, 0.0), (0.0, 1.3), (-1.1, 0.0)],
            };
            offsets.iter().map(|(x, y)| (at.0 + x * radius, at.1 + y * radius)).collect()
        };
        let (x, y) = (pixels(at.0), pixels(at.1));
        self.put(format_args!("<g class=\"mark\" data-x=\"{x}\" data-y=\"{y}\">\n"));
        match marker {
            Marker::Circle => {
                for (radius, color) in [(RADIUS + 1.2, palette::PAPER), (RADIUS, color)] {
                    let (class, hex, radius) = (class(color), hex(color), pixels(radius));
                    self.put(format_args!("<circle{class} cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{hex}\"/>\n"));
                }
            }
            Marker::Cross => {
                for (dx, dy) in [(1.0, 1.0), (1.0, -1.0)] {
                    let arm = [(at.0 - RADIUS * dx, at.1 - RADIUS * dy), (at.0 + RADIUS * dx, at.1 + RADIUS * dy)];
                    self.line(&arm, Stroke::solid(palette::PAPER, 4.0));
                    self.line(&arm, Stroke::solid(color, 2.0));
                }
            }
            Marker::Square | Marker::Triangle | Marker::Diamond => {
                self.polygon(&shape(RADIUS + 1.3), palette::PAPER, 1.0);
                self.polygon(&shape(RADIUS), color, 1.0);
            }
        }
        self.put(format_args!("</g>\n"));
    }

    /// A small shape that keeps its size when the plot is zoomed.
    pub(crate) fn arrow(&mut self, at: Place, places: &[Place], color: palette::Color) {
        self.put(format_args!("<g class=\"mark\" data-x=\"{}\" data-y=\"{}\">\n", pixels(at.0), pixels(at.1)));
        self.polygon(places, color, 1.0);
        self.put(format_args!("</g>\n"));
    }

    /// A small shape that keeps its size and its height when the plot is zoomed, and says something when pointed at.
    pub(crate) fn titled(&mut self, x: f64, places: &[Place], color: palette::Color, title: &str) {
        let title = escaped(title);
        self.put(format_args!("<g class=\"mark\" data-x=\"{}\" role=\"img\" aria-label=\"{title}\">\n", pixels(x)));
        self.put(format_args!("<title>{title}</title>\n"));
        self.polygon(places, color, 1.0);
        self.put(format_args!("</g>\n"));
    }

    /// A text.
    pub(crate) fn text(&mut self, at: Place, text: &str, lettering: Lettering) {
        if text.is_empty() {
            return;
        }
        let anchor = match lettering.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if lettering.bold { " font-weight=\"bold\"" } else { "" };
        // Renderers read `dominant-baseline` differently; half the height of a capital below the place is the same
        // everywhere.
        let baseline = at.1 + 0.364 * lettering.size;
        self.put(format_args!(
            "<text{} x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{anchor}\"{weight} fill=\"{}\">{}</text>\n",
            class(lettering.color),
            pixels(at.0),
            pixels(baseline),
            pixels(lettering.size),
            hex(lettering.color),
            escaped(&text.replace(char::is_control, ""))
        ));
    }
}

/// Text inside markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters have no place in a document, however a scenario is called.
            character if character.is_control() && character != '\n' && character != '\t' => {}
            character if language::diagnostics::is_no_character(character) => safe.push('\u{FFFD}'),
            character => safe.push(character),
        }
    }
    safe
}

/// A length with a tenth of a pixel. Far outside is as good as farther outside, and stays a number that every renderer
/// takes.
fn pixels(length: f64) -> String {
    let tenths = (length * 10.0).round().clamp(-1e6, 1e6) as i64;
    let sign = if tenths < 0 { "-" } else { "" };
    match tenths.abs() % 10 {
        0 => format!("{sign}{}", tenths.abs() / 10),
        tenth => format!("{sign}{}.{tenth}", tenths.abs() / 10),
    }
}

fn points(places: &[Place]) -> String {
    let mut written = String::with_capacity(places.len() * 10);
    let mut before = String::new();
    for (number, (x, y)) in places.iter().enumerate() {
        let place = format!("{},{}", pixels(*x), pixels(*y));
        // Places that fall together say nothing; a line of one place still needs two.
        if place == before && !(number + 1 == places.len() && written.find(' ').is_none()) {
            continue;
        }
        if number > 0 {
            written.push(' ');
        }
        written.push_str(&place);
        before = place;
    }
    written
}

fn hex(color: palette::Color) -> String {
    format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2)
}

fn class(color: palette::Color) -> String {
    palette::role(color).map_or_else(String::new, |role| format!(" class=\"{role}\""))
}

fn seen_through(opacity: f64) -> String {
    if opacity < 1.0 { format!(" fill-opacity=\"{opacity}\"") } else { String::new() }
}

/// Widths of the printable ASCII characters of the bundled font, thousandths of its size.
const ADVANCES: [u16; 95] = [
    281, 278, 403, 631, 638, 812, 639, 222, 362, 362, 500, 659, 280, 460, 276, 357, 648, 648, 648, 648, 648, 648, 648,
    648, 648, 648, 276, 280, 659, 659, 659, 507, 936, 676, 651, 727, 719, 598, 587, 743, 740, 264, 543, 652, 562, 889,
    753, 761, 635, 761, 639, 638, 642, 741, 676, 949, 642, 665, 625, 362, 357, 362, 469, 452, 497, 564, 621, 558, 621,
    582, 361, 609, 591, 237, 237, 544, 237, 869, 585, 597, 609, 609, 372, 523, 364, 581, 557, 812, 540, 557, 541, 362,
    327, 362, 659,
];

/// Width of a text in pixels; other characters count as wide ones, so that the estimate is never too small by much.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let thousandths: u32 = text
        .chars()
        .map(|character| {
            let index = (character as usize).wrapping_sub(0x20);
            u32::from(ADVANCES.get(index).copied().unwrap_or(660))
        })
        .sum();
    f64::from(thousandths) / 1000.0 * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_shortly() {
        let written = [0.0, 0.04, 0.05, -0.26, 12.0, 12.34, 1e9, f64::NAN].map(pixels);
        assert_eq!(written, ["0", "0", "0.1", "-0.3", "12", "12.3", "100000", "0"]);
    }

    #[test]
    fn a_line_of_one_place_still_has_two_points() {
        assert_eq!(points(&[(1.0, 2.0), (1.0, 2.0)]), "1,2 1,2");
        assert_eq!(points(&[(1.0, 2.0), (1.01, 2.0), (3.0, 2.0)]), "1,2 3,2");
    }

    #[test]
    fn names_from_a_scenario_cannot_break_the_document() {
        let document = document(Size::default(), "a \"b\" <c>\u{7}", "", |canvas| {
            canvas.text((1.0, 1.0), "<script>&\u{7}", Lettering::new(12.0, palette::INK, Anchor::Start));
            canvas.data("{\"name\":\"</metadata><script>\"}".to_owned());
        })
        .expect("drawn");
        assert!(!document.contains("<script") && !document.contains("<c>") && !document.contains('\u{7}'));
    }
}

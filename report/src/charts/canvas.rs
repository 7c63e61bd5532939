//! The one place that knows the drawing library: lines, shapes and text in pixels, out comes an SVG document.
//!
//! The library counts in whole pixels. It is therefore given a picture ten times as large, and the document's view box
//! scales it back, so that positions are good to a tenth of a pixel.

use plotters::coord::Shift;
use plotters::element::{Drawable, PointCollection};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontFamily, FontStyle};

use super::palette::{self, Marker};
use super::{ChartError, Size};

/// Library units a pixel.
const FINE: f64 = 10.0;
/// The library writes the size that it is given divided by this.
const LIBRARY_FONT_RATIO: f64 = 1.24;
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

/// What has been drawn so far; a failure is kept until the end.
pub(crate) struct Canvas<'a> {
    size: Size,
    area: DrawingArea<SVGBackend<'a>, Shift>,
    failure: Option<ChartError>,
}

/// Draws a picture and gives it the frame of a document, with what a screen reader says.
pub(crate) fn document(
    size: Size,
    title: &str,
    description: &str,
    draw: impl FnOnce(&mut Canvas<'_>),
) -> Result<String, ChartError> {
    let Size { width, height } = size;
    let fine = FINE as u32;
    let mut written = String::new();
    {
        let area = SVGBackend::with_string(&mut written, (width * fine, height * fine)).into_drawing_area();
        let mut canvas = Canvas { size, area, failure: None };
        canvas.rectangle((0.0, 0.0), (canvas.width(), canvas.height()), palette::PAPER, 1.0);
        draw(&mut canvas);
        let presented = canvas.area.present().map_err(ChartError::new);
        if let Some(failure) = canvas.failure {
            return Err(failure);
        }
        presented?;
    }
    // The library's opening tag knows neither the scale nor what the picture shows.
    let (_, body) = written.split_once(">\n").ok_or_else(|| ChartError::new("nothing was written"))?;
    let title = escaped(title);
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{title}\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {} {}\">\n<title>{title}</title>\n<desc>{}</desc>\n{}",
        width * fine,
        height * fine,
        escaped(description),
        body.replace(" dy=\"0.5ex\"", ""),
    ))
}

impl Canvas<'_> {
    pub(crate) fn width(&self) -> f64 {
        f64::from(self.size.width)
    }

    pub(crate) fn height(&self) -> f64 {
        f64::from(self.size.height)
    }

    fn draw<'b, E>(&mut self, element: &'b E)
    where
        &'b E: PointCollection<'b, (i32, i32)>,
        E: for<'a> Drawable<SVGBackend<'a>>,
    {
        if self.failure.is_none()
            && let Err(error) = self.area.draw(element)
        {
            self.failure = Some(ChartError::new(error));
        }
    }

    /// A line through places.
    pub(crate) fn line(&mut self, places: &[Place], stroke: Stroke) {
        if places.len() < 2 {
            return;
        }
        for piece in dashed(places, stroke.dash) {
            self.draw(&PathElement::new(fine(&piece), style(stroke.color, 1.0).stroke_width(units(stroke.width))));
        }
    }

    /// A filled shape.
    pub(crate) fn polygon(&mut self, places: &[Place], color: palette::Color, opacity: f64) {
        if places.len() >= 3 {
            self.draw(&Polygon::new(fine(places), style(color, opacity).filled()));
        }
    }

    /// A filled rectangle.
    pub(crate) fn rectangle(&mut self, from: Place, to: Place, color: palette::Color, opacity: f64) {
        let (from, to) = (fine_place(from), fine_place(to));
        if from.0 != to.0 && from.1 != to.1 {
            self.draw(&Rectangle::new([from, to], style(color, opacity).filled()));
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
        match marker {
            Marker::Circle => {
                for (radius, color) in [(RADIUS + 1.2, palette::PAPER), (RADIUS, color)] {
                    self.draw(&Circle::new(fine_place(at), units(radius), style(color, 1.0).filled()));
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
    }

    /// A text.
    pub(crate) fn text(&mut self, at: Place, text: &str, lettering: Lettering) {
        if text.is_empty() {
            return;
        }
        let horizontal = match lettering.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let weight = if lettering.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::Name(FONT_FAMILY), lettering.size * FINE * LIBRARY_FONT_RATIO, weight);
        let (red, green, blue) = lettering.color;
        let written = font.color(&RGBColor(red, green, blue)).pos(Pos::new(horizontal, VPos::Center));
        // The library's own vertical middle depends on a measure that renderers read differently; half the height of a
        // capital below the place is the same everywhere.
        let baseline = (at.0, at.1 + 0.364 * lettering.size);
        self.draw(&Text::new(text.replace(char::is_control, ""), fine_place(baseline), written));
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
            character => safe.push(character),
        }
    }
    safe
}

fn units(pixels: f64) -> u32 {
    (pixels * FINE).round().clamp(0.0, 1e6) as u32
}

fn fine_place(place: Place) -> (i32, i32) {
    // Far outside is as good as farther outside, and stays a number that every renderer takes.
    let coordinate = |pixels: f64| (pixels * FINE).round().clamp(-1e6, 1e6) as i32;
    (coordinate(place.0), coordinate(place.1))
}

fn fine(places: &[Place]) -> Vec<(i32, i32)> {
    let mut path: Vec<(i32, i32)> = places.iter().map(|place| fine_place(*place)).collect();
    path.dedup();
    if path.len() == 1 {
        path.push(path[0]);
    }
    path
}

fn style(color: palette::Color, opacity: f64) -> ShapeStyle {
    ShapeStyle::from(RGBColor(color.0, color.1, color.2).mix(opacity))
}

/// Cuts a line into its strokes.
fn dashed(places: &[Place], pattern: &[f64]) -> Vec<Vec<Place>> {
    if pattern.is_empty() {
        return vec![places.to_vec()];
    }
    let mut pieces = Vec::new();
    let mut piece = vec![places[0]];
    let (mut part, mut left) = (0, pattern[0]);
    for pair in places.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let length = libm::hypot(to.0 - from.0, to.1 - from.1);
            if length <= left {
                left -= length;
                if part % 2 == 0 {
                    piece.push(to);
                }
                break;
            }
            let share = left / length;
            from = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            if part % 2 == 0 {
                piece.push(from);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![from];
            }
            part = (part + 1) % pattern.len();
            left = pattern[part];
        }
    }
    if piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
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
    fn dashes_cover_their_share_of_the_way() {
        let places = [(0.0, 0.0), (30.0, 0.0), (30.0, 40.0)];
        let pieces = dashed(&places, &[6.0, 4.0]);
        let length: f64 = pieces
            .iter()
            .flat_map(|piece| piece.windows(2))
            .map(|pair| (pair[1].0 - pair[0].0).abs() + (pair[1].1 - pair[0].1).abs())
            .sum();
        assert!((length - 42.0).abs() < 1e-9, "{length}");
        assert_eq!(dashed(&places, &[]), vec![places.to_vec()]);
    }

    #[test]
    fn names_from_a_scenario_cannot_break_the_document() {
        let document = document(Size::default(), "a \"b\" <c>\u{7}", "", |canvas| {
            canvas.text((1.0, 1.0), "<script>&\u{7}", Lettering::new(12.0, palette::INK, Anchor::Start));
        })
        .expect("drawn");
        assert!(!document.contains("<script") && !document.contains("<c>") && !document.contains('\u{7}'));
    }
}

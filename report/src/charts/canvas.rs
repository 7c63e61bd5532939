//! A picture in pixels: lines, shapes and text, drawn with the library's elements into an SVG document.
//!
//! The parts that move when a reader zooms are in a nested `svg` of class `plot`, which also clips what leaves it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use plotters::coord::{CoordTranslate, Shift};
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, Drawable, PathElement, PointCollection, Polygon, Rectangle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontDesc, FontFamily, FontStyle, RGBAColor, ShapeStyle, TextStyle};

use super::palette::{self, Marker};
use super::svg::{Svg, pixels, tenths};
use super::text::escaped;
use super::{ChartError, Size};

/// The bundled font comes first; if the reader's program does not have it, any plain sans-serif will do.
pub(crate) const FONT_FAMILY: &str = "Brownout Sans, Inter, Helvetica Neue, Arial, sans-serif";

/// A position in pixels from the top left.
pub(crate) type Place = (f64, f64);

/// Style of a line.
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

    /// Style for the library; the canvas draws the dashes.
    pub(crate) fn style(self) -> ShapeStyle {
        let (red, green, blue) = self.color;
        RGBAColor(red, green, blue, 1.0).stroke_width(tenths(self.width).unsigned_abs())
    }
}

/// Style of a filled shape, for the library.
pub(crate) fn filled((red, green, blue): palette::Color, opacity: f64) -> ShapeStyle {
    RGBAColor(red, green, blue, opacity).filled()
}

/// Horizontal alignment of a text at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Style of a text; its vertical middle is at its position.
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

    /// Style for the library.
    pub(crate) fn style(self) -> TextStyle<'static> {
        let style = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        let anchor = match self.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let (red, green, blue) = self.color;
        let font = FontDesc::new(FontFamily::SansSerif, self.size * 10.0, style);
        TextStyle {
            color: RGBAColor(red, green, blue, 1.0).to_backend_color(),
            pos: Pos::new(anchor, VPos::Center),
            ..TextStyle::from(font)
        }
    }
}

/// The drawing so far.
pub(crate) struct Canvas {
    size: Size,
    backend: Rc<RefCell<Svg>>,
    area: DrawingArea<Svg, Shift>,
    failure: Option<ChartError>,
}

/// Draws a picture and wraps it in a document with texts for screen readers.
pub(crate) fn document(
    size: Size,
    title: &str,
    description: &str,
    draw: impl FnOnce(&mut Canvas) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let Size { width, height } = size;
    if width == 0 || height == 0 {
        return Err(ChartError::new("it has no pixels"));
    }
    let backend = Rc::new(RefCell::new(Svg::new(size)));
    let mut canvas = Canvas { size, area: DrawingArea::from(&backend), backend, failure: None };
    canvas.rectangle((0.0, 0.0), (canvas.width(), canvas.height()), palette::PAPER, 1.0);
    draw(&mut canvas)?;
    if let Some(failure) = canvas.failure {
        return Err(failure);
    }
    let title = escaped(title);
    let drawn = canvas.backend.borrow();
    // Quotation marks need no escape between tags, and data contains many of them.
    let data = drawn.data.as_ref().map_or_else(String::new, |data| {
        let data = data.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        format!("<metadata>{data}</metadata>\n")
    });
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{title}\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"{FONT_FAMILY}\">\n\
         <title>{title}</title>\n<desc>{}</desc>\n{data}{}</svg>\n",
        escaped(description),
        drawn.written,
    ))
}

impl Canvas {
    pub(crate) fn width(&self) -> f64 {
        f64::from(self.size.width)
    }

    pub(crate) fn height(&self) -> f64 {
        f64::from(self.size.height)
    }

    /// The whole area, for the library's charts.
    pub(crate) fn area(&self) -> &DrawingArea<Svg, Shift> {
        &self.area
    }

    /// Draws an element of the library in the coordinates of `area`.
    pub(crate) fn draw<'a, C, E>(&mut self, area: &DrawingArea<Svg, C>, element: &'a E, dash: &'static [f64])
    where
        C: CoordTranslate,
        &'a E: PointCollection<'a, C::From>,
        E: Drawable<Svg>,
    {
        self.backend.borrow_mut().dash = dash;
        self.check(area.draw(element));
        self.backend.borrow_mut().dash = &[];
    }

    /// Stores the first error of the library, which becomes that of the whole drawing.
    pub(crate) fn check<E: fmt::Display>(&mut self, drawn: Result<(), E>) {
        if let Err(failure) = drawn {
            self.failure.get_or_insert_with(|| ChartError::new(failure));
        }
    }

    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.backend.borrow_mut().put(arguments);
    }

    /// Sets the values to show on hover, as JSON.
    pub(crate) fn data(&mut self, json: String) {
        self.backend.borrow_mut().data = Some(json);
    }

    /// Draws a group with a class.
    pub(crate) fn group(&mut self, class: &str, draw: impl FnOnce(&mut Canvas)) {
        self.put(format_args!("<g class=\"{class}\">\n"));
        draw(self);
        self.put(format_args!("</g>\n"));
    }

    /// Draws in the rectangle of the values. Markers at its edge are drawn in full.
    pub(crate) fn plot(&mut self, from: Place, to: Place, draw: impl FnOnce(&mut Canvas)) {
        let [left, top] = [pixels(tenths(from.0)), pixels(tenths(from.1))];
        let [width, height] = [to.0 - from.0, to.1 - from.1].map(|length| pixels(tenths(length.max(1.0))));
        self.put(format_args!(
            "<svg class=\"plot\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"{left} {top} {width} {height}\" overflow=\"visible\">\n"
        ));
        draw(self);
        self.put(format_args!("</svg>\n"));
    }

    /// Draws a line through positions.
    pub(crate) fn line(&mut self, places: &[Place], stroke: Stroke) {
        let area = self.area.clone();
        self.draw(&area, &PathElement::new(coordinates(places), stroke.style()), stroke.dash);
    }

    /// Draws a filled shape.
    pub(crate) fn polygon(&mut self, places: &[Place], color: palette::Color, opacity: f64) {
        let area = self.area.clone();
        self.draw(&area, &Polygon::new(coordinates(places), filled(color, opacity)), &[]);
    }

    /// Draws a filled rectangle.
    pub(crate) fn rectangle(&mut self, from: Place, to: Place, color: palette::Color, opacity: f64) {
        let area = self.area.clone();
        let corners = [from, to].map(|(x, y)| (tenths(x), tenths(y)));
        self.draw(&area, &Rectangle::new(corners, filled(color, opacity)), &[]);
    }

    /// Draws a marker of a series, with a rim in the background colour so that it stands out from its line.
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
        let middle = (tenths(at.0), tenths(at.1));
        self.put(format_args!("<g class=\"mark\" data-x=\"{}\" data-y=\"{}\">\n", pixels(middle.0), pixels(middle.1)));
        match marker {
            Marker::Circle => {
                let area = self.area.clone();
                for (radius, color) in [(RADIUS + 1.2, palette::PAPER), (RADIUS, color)] {
                    self.draw(&area, &Circle::new(middle, tenths(radius), filled(color, 1.0)), &[]);
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

    /// Draws a small shape that keeps its size when the plot is zoomed.
    pub(crate) fn arrow(&mut self, at: Place, places: &[Place], color: palette::Color) {
        let [x, y] = [at.0, at.1].map(|length| pixels(tenths(length)));
        self.put(format_args!("<g class=\"mark\" data-x=\"{x}\" data-y=\"{y}\">\n"));
        self.polygon(places, color, 1.0);
        self.put(format_args!("</g>\n"));
    }

    /// Draws a small shape with a tooltip that keeps its size and its height when the plot is zoomed.
    pub(crate) fn titled(&mut self, x: f64, places: &[Place], color: palette::Color, title: &str) {
        let (x, title) = (pixels(tenths(x)), escaped(title));
        self.put(format_args!("<g class=\"mark\" data-x=\"{x}\" role=\"img\" aria-label=\"{title}\">\n"));
        self.put(format_args!("<title>{title}</title>\n"));
        self.polygon(places, color, 1.0);
        self.put(format_args!("</g>\n"));
    }

    /// Draws a text.
    pub(crate) fn text(&mut self, at: Place, text: &str, lettering: Lettering) {
        let drawn = self.area.draw_text(text, &lettering.style(), (tenths(at.0), tenths(at.1)));
        self.check(drawn);
    }
}

fn coordinates(places: &[Place]) -> Vec<(i32, i32)> {
    places.iter().map(|(x, y)| (tenths(*x), tenths(*y))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_a_scenario_cannot_break_the_document() {
        let document = document(Size::default(), "a \"b\" <c>\u{7}", "", |canvas| {
            canvas.text((1.0, 1.0), "<script>&\u{7}", Lettering::new(12.0, palette::INK, Anchor::Start));
            canvas.data("{\"name\":\"</metadata><script>\"}".to_owned());
            Ok(())
        })
        .expect("drawn");
        assert!(!document.contains("<script") && !document.contains("<c>") && !document.contains('\u{7}'));
    }
}

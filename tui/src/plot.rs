//! A chart of curves over time in character cells: areas of eighth blocks, lines of Braille dots.
//!
//! If several windows share a column, a line spans from the minimum to the maximum, so that no peak and no dip is lost.
//! Linear axes start at zero, that of a factor at one; logarithmic axes are labelled as such.

use crate::brush::Brush;
use crate::figures;
use crate::theme::{Depth, Role};

/// Style of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Filled down to the axis.
    Area,
    /// A line.
    Line,
    /// A line with gaps.
    Dotted,
}

/// One curve.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) shape: Shape,
    /// Start of each window, s, and its value.
    pub(crate) points: Vec<(f64, Option<f64>)>,
}

/// A chart.
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) figure: fn(f64) -> String,
    pub(crate) curves: Vec<Curve>,
    /// Width of a window, s.
    pub(crate) window_s: f64,
    /// First and last instant shown, s.
    pub(crate) span: (f64, f64),
    pub(crate) is_logarithmic: bool,
    /// Start of a linear axis: the neutral value, such as 0, or 1 for a factor.
    pub(crate) bottom: f64,
    /// Minimum value of the top of the axis.
    pub(crate) top: f64,
    /// Start and end of active faults, s.
    pub(crate) bands: Vec<(f64, f64)>,
    /// Instants to mark on the axis, s.
    pub(crate) marks: Vec<(f64, char, Role)>,
}

/// Width of the labels left of the axis, columns.
const MARGIN: i32 = 8;

/// Minimum, maximum and mean of the values in a dot column.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    least: f64,
    most: f64,
    mean: f64,
}

impl Plot {
    /// Draws into a rectangle of the brush's area.
    pub(crate) fn draw(&self, brush: &mut Brush, (x, y, width, height): (i32, i32, i32, i32)) {
        let (columns, rows) = (width - MARGIN - 1, height - 2);
        if columns < 8 || rows < 1 {
            return;
        }
        self.legend(brush, (x, y, width));
        let (bottom, top) = self.range();
        let (left, first) = (x + MARGIN, y + 1);
        self.axes(brush, (left, first, columns, rows), bottom, top);
        for &(from, until) in &self.bands {
            // A faint tint behind the curves, on terminals with enough colours.
            let (from, until) = (self.column(from, columns).max(0), self.column(until, columns).min(columns - 1));
            for row in 0..rows * i32::from(brush.theme.depth == Depth::Indexed) {
                brush.restyle(left + from, first + row, until - from + 1, Role::FaultBand);
            }
        }
        let level = |value: f64| -> f64 {
            let (value, bottom, top) = if self.is_logarithmic {
                (value.max(bottom).log10(), bottom.log10(), top.log10())
            } else {
                (value, bottom, top)
            };
            if top > bottom { ((value - bottom) / (top - bottom)).clamp(0.0, 1.0) } else { 0.0 }
        };
        for curve in self.curves.iter().filter(|curve| curve.shape == Shape::Area) {
            for column in 0..columns {
                let Some(spread) = self.spread(curve, f64::from(column), f64::from(columns)) else { continue };
                let eighths = (level(spread.mean) * f64::from(rows) * 8.0).round() as i32;
                for row in 0..rows {
                    let part = (eighths - (rows - 1 - row) * 8).clamp(0, 8);
                    if part > 0 {
                        brush.put(left + column, first + row, figures::block(f64::from(part) / 8.0), curve.role);
                    }
                }
            }
        }
        for curve in self.curves.iter().filter(|curve| curve.shape != Shape::Area) {
            self.line(brush, curve, (left, first, columns, rows), level);
        }
        let bottom = first + rows;
        for &(from, until) in &self.bands {
            let (from, until) = (self.column(from, columns), self.column(until, columns));
            for column in from.max(0)..=until.min(columns - 1) {
                brush.put(left + column, bottom, '▒', Role::Fault);
            }
        }
        for &(at_s, mark, role) in &self.marks {
            let column = self.column(at_s, columns);
            if (0..columns - 1).contains(&column) {
                brush.put(left + column, bottom, mark, role);
            }
        }
        // Labels come last: they avoid marks and never cover them.
        self.clocks(brush, (left, bottom, columns));
        for &(at_s, _, role) in &self.marks {
            let column = self.column(at_s, columns);
            if (0..columns - 1).contains(&column) {
                brush.restyle(left + column, bottom, 1, role);
            }
        }
    }

    fn column(&self, at_s: f64, columns: i32) -> i32 {
        let (from, until) = self.span;
        if until <= from {
            return -1;
        }
        ((at_s - from) / (until - from) * f64::from(columns - 1)).round().clamp(-1.0, f64::from(columns)) as i32
    }

    fn legend(&self, brush: &mut Brush, (x, y, width): (i32, i32, i32)) {
        let mut column = brush.text(x + 1, y, &self.title, Role::Strong) + 2;
        if self.is_logarithmic {
            column = brush.text(column - 1, y, "(log)", Role::Faint) + 2;
        }
        for curve in &self.curves {
            let newest = curve.points.iter().rev().find_map(|point| point.1);
            let value = newest.map_or("–".into(), self.figure);
            let needed = (curve.name.chars().count() + value.chars().count()) as i32 + 5;
            if column + needed > x + width {
                break;
            }
            let mark = match curve.shape {
                Shape::Area => '█',
                Shape::Line => '⠒',
                Shape::Dotted => '⠐',
            };
            brush.put(column, y, mark, curve.role);
            column = brush.text(column + 2, y, &curve.name, Role::Faint) + 1;
            column = brush.text(column, y, &value, curve.role) + 2;
        }
    }

    /// The minimum and maximum of the axis.
    fn range(&self) -> (f64, f64) {
        let (from, until) = self.span;
        let shown = |point: &&(f64, Option<f64>)| point.0 + self.window_s >= from && point.0 <= until;
        let values = || self.curves.iter().flat_map(|curve| &curve.points).filter(shown).filter_map(|point| point.1);
        let most = values().fold(0.0, f64::max).max(self.top);
        if !self.is_logarithmic {
            return (self.bottom, if most > self.bottom { round_up(most) } else { self.bottom + 1.0 });
        }
        let least = values().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        let (least, most) = if least.is_finite() { (least, most.max(least)) } else { (1.0, 10.0) };
        let (low, high) = (10f64.powf(least.log10().floor()), 10f64.powf(most.log10().ceil()));
        (low, if high > low { high } else { low * 10.0 })
    }

    fn axes(&self, brush: &mut Brush, (left, first, columns, rows): (i32, i32, i32, i32), bottom: f64, top: f64) {
        for row in 0..rows {
            brush.put(left - 1, first + row, '┤', Role::Border);
        }
        brush.put(left - 1, first + rows, '└', Role::Border);
        for column in 0..columns {
            brush.put(left + column, first + rows, '─', Role::Border);
        }
        brush.text_before(left - 1, first, &(self.figure)(top), Role::Faint);
        if rows > 1 {
            brush.text_before(left - 1, first + rows - 1, &(self.figure)(bottom), Role::Faint);
        }
        if rows >= 5 {
            let middle = if self.is_logarithmic { (top * bottom).sqrt() } else { (top + bottom) / 2.0 };
            if rows % 2 == 1 {
                brush.text_before(left - 1, first + rows / 2, &(self.figure)(middle), Role::Faint);
            }
        }
    }

    /// Round instants below the axis, as close together as their labels allow.
    fn clocks(&self, brush: &mut Brush, (left, y, columns): (i32, i32, i32)) {
        let (from, until) = self.span;
        let step = figures::clock_step((until - from) / f64::from(columns.max(1)) * 14.0);
        let mut end = -2;
        let first = (from / step - 1e-9).ceil() as i64;
        for number in first..=first + i64::from(columns) {
            let at_s = number as f64 * step;
            if at_s > until + 1e-9 {
                break;
            }
            let words = figures::clock_short(at_s);
            let length = words.chars().count() as i32;
            let begin = (self.column(at_s, columns) - length / 2).clamp(0, (columns - length).max(0));
            if begin > end + 1 && begin + length <= columns {
                end = brush.text(left + begin, y, &words, Role::Faint) - left;
            }
        }
    }

    /// The minimum and maximum of a curve within a column.
    fn spread(&self, curve: &Curve, column: f64, columns: f64) -> Option<Spread> {
        let (from, until) = self.span;
        let width = (until - from) / columns;
        let (begin, end) = (from + column * width, from + (column + 1.0) * width);
        // Windows that begin in this column; if none does, the one that covers its middle.
        let first = curve.points.partition_point(|point| point.0 < begin - 1e-9);
        let last = curve.points.partition_point(|point| point.0 < end - 1e-9);
        let inside = match first < last {
            true => &curve.points[first..last],
            false => {
                let covering =
                    curve.points[..first].last().filter(|point| point.0 + self.window_s > (begin + end) / 2.0)?;
                std::slice::from_ref(covering)
            }
        };
        let values: Vec<f64> = inside.iter().filter_map(|point| point.1).collect();
        if values.is_empty() {
            return None;
        }
        Some(Spread {
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            mean: values.iter().sum::<f64>() / values.len() as f64,
        })
    }

    fn line(
        &self,
        brush: &mut Brush,
        curve: &Curve,
        (left, first, columns, rows): (i32, i32, i32, i32),
        level: impl Fn(f64) -> f64,
    ) {
        let dots = (columns * 2, rows * 4);
        let mut cells = vec![0u8; (columns * rows) as usize];
        let row_of = |value: f64| ((1.0 - level(value)) * f64::from(dots.1 - 1)).round() as i32;
        let mut before: Option<i32> = None;
        for column in 0..dots.0 {
            let Some(spread) = self.spread(curve, f64::from(column), f64::from(dots.0)) else {
                before = None;
                continue;
            };
            let (mut high, mut low) = (row_of(spread.most), row_of(spread.least));
            if let Some(before) = before {
                // Connect the line, from the middle of its previous position.
                high = high.min((before + 1).min(low));
                low = low.max((before - 1).max(high));
            }
            before = Some(row_of(spread.mean));
            if curve.shape == Shape::Dotted && column % 3 != 0 {
                continue;
            }
            for row in high..=low {
                let place = (row / 4 * columns + column / 2) as usize;
                if let Some(cell) = cells.get_mut(place) {
                    *cell |= braille_dot(column % 2, row % 4);
                }
            }
        }
        for (place, &bits) in cells.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            let (column, row) = (place as i32 % columns, place as i32 / columns);
            let letter = char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ');
            brush.put(left + column, first + row, letter, curve.role);
        }
    }
}

/// The bit of a dot in a Braille cell of two columns and four rows.
fn braille_dot(column: i32, row: i32) -> u8 {
    match (column, row) {
        (0, 3) => 0x40,
        (1, 3) => 0x80,
        (0, row) => 1 << row,
        (_, row) => 8 << row,
    }
}

/// The next round number: 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|round| *round >= value * 0.999_999).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!([round_up(0.7), round_up(1200.0), round_up(100.0), round_up(8.1)], [0.8, 1500.0, 100.0, 10.0]);
    }

    #[test]
    fn no_peak_is_lost_where_many_windows_share_a_column() {
        let points = (0..100).map(|index| (f64::from(index), Some(if index == 37 { 9.0 } else { 1.0 }))).collect();
        let curve = Curve { name: String::new(), role: Role::Tail, shape: Shape::Line, points };
        let plot = Plot {
            title: String::new(),
            figure: figures::number,
            curves: vec![curve.clone()],
            window_s: 1.0,
            span: (0.0, 100.0),
            is_logarithmic: false,
            bottom: 0.0,
            top: 0.0,
            bands: Vec::new(),
            marks: Vec::new(),
        };
        let most = (0..10).filter_map(|column| plot.spread(&curve, f64::from(column), 10.0)).map(|spread| spread.most);
        assert_eq!(most.collect::<Vec<_>>(), [1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }
}

//! Colours, dashes and markers, in one place.
//!
//! The series colours are those that Okabe and Ito proposed for readers of every colour vision, without the yellow, which
//! is too light on white. In their order, the pairs that differ most, also in lightness, come first.

/// Red, green and blue.
pub(crate) type Color = (u8, u8, u8);

/// Text and axes.
pub(crate) const INK: Color = (0x22, 0x26, 0x2B);
/// Less prominent labels.
pub(crate) const INK_SOFT: Color = (0x5A, 0x63, 0x6E);
/// Lines of the grid.
pub(crate) const GRID: Color = (0xE3, 0xE6, 0xEA);
/// Lines of the axes.
pub(crate) const AXIS: Color = (0x9A, 0xA3, 0xAD);
/// The background.
pub(crate) const PAPER: Color = (0xFF, 0xFF, 0xFF);
/// Bands in which faults act.
pub(crate) const FAULT: Color = (0xCC, 0x79, 0xA8);
/// Names of faults: the same hue, dark enough to read.
pub(crate) const FAULT_INK: Color = (0x8A, 0x3A, 0x68);
/// Actions of operators: line and name.
pub(crate) const EVENT: Color = (0x2F, 0x6B, 0x4F);
/// Unknown cells of a heat map.
pub(crate) const UNKNOWN: Color = (0xE9, 0xEB, 0xEE);

/// Blue, vermilion, green, orange, purple, sky blue, black.
pub(crate) const SERIES: [Color; 7] = [
    (0x00, 0x72, 0xB2),
    (0xD5, 0x5E, 0x00),
    (0x00, 0x9E, 0x73),
    (0xE6, 0x9F, 0x00),
    (0xCC, 0x79, 0xA7),
    (0x56, 0xB4, 0xE9),
    (0x00, 0x00, 0x00),
];

/// Shading of hysteresis, light enough for lines on it to be visible.
pub(crate) const SHADE: Color = (0xF1, 0xEC, 0xDC);
/// Ink on the colours of heat maps, independent of the page around them: dark …
pub(crate) const ON_LIGHT: Color = (0x20, 0x24, 0x29);
/// … and light.
pub(crate) const ON_DARK: Color = (0xFF, 0xFF, 0xFE);

/// The role of a colour, which lets a page substitute another one in dark mode; `None` for colours that stay.
pub(crate) fn role(color: Color) -> Option<&'static str> {
    const ROLES: [(Color, &str); 10] = [
        (INK, "ink"),
        (INK_SOFT, "soft"),
        (GRID, "grid"),
        (AXIS, "axis"),
        (PAPER, "paper"),
        (FAULT, "fault"),
        (FAULT_INK, "fault-ink"),
        (EVENT, "event"),
        (UNKNOWN, "unknown"),
        (SHADE, "shade"),
    ];
    const OF_SERIES: [&str; 7] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6"];
    let fixed = ROLES.iter().find(|(known, _)| *known == color).map(|(_, role)| *role);
    fixed.or_else(|| SERIES.iter().position(|known| *known == color).map(|number| OF_SERIES[number]))
}

/// Lengths of strokes and gaps in pixels; an empty list is a solid line.
pub(crate) const DASHES: [&[f64]; 5] = [&[], &[9.0, 4.0], &[2.5, 3.0], &[12.0, 3.5, 2.5, 3.5], &[5.0, 3.0]];

/// Shapes that distinguish series without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    Cross,
}

/// Markers in the order of the series.
pub(crate) const MARKERS: [Marker; 5] =
    [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Cross];

/// The style of a series. The cycles have lengths without a common divisor, so 35 series differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) color: Color,
    pub(crate) dash: &'static [f64],
    pub(crate) marker: Marker,
}

/// The style of series `number`.
pub(crate) fn look(number: usize) -> Look {
    Look {
        color: SERIES[number % SERIES.len()],
        dash: DASHES[number % DASHES.len()],
        marker: MARKERS[number % MARKERS.len()],
    }
}

/// Anchors of the colour scale of heat maps, light to dark: lightness falls monotonically, so that it works in grey as well.
const HEAT: [Color; 6] = [
    (0xFD, 0xF6, 0xDD),
    (0xF9, 0xDC, 0x8C),
    (0xEF, 0xA9, 0x3B),
    (0xD9, 0x6B, 0x1C),
    (0x9C, 0x2F, 0x3C),
    (0x43, 0x13, 0x49),
];

/// The colour at a position between 0 and 1 on the scale of heat maps.
pub(crate) fn heat(position: f64) -> Color {
    let scaled = position.clamp(0.0, 1.0) * (HEAT.len() - 1) as f64;
    let lower = (scaled.floor() as usize).min(HEAT.len() - 2);
    let part = scaled - lower as f64;
    let mix = |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * part).round() as u8;
    let (from, to) = (HEAT[lower], HEAT[lower + 1]);
    (mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// A text colour that is readable on a background: dark on light, white on dark.
pub(crate) fn ink_on(ground: Color) -> Color {
    if lightness(ground) > 0.55 { ON_LIGHT } else { ON_DARK }
}

/// Perceived lightness between 0 and 1, from the luma weights of Rec. 709.
pub(crate) fn lightness(color: Color) -> f64 {
    (0.2126 * f64::from(color.0) + 0.7152 * f64::from(color.1) + 0.0722 * f64::from(color.2)) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_darkens_all_the_way() {
        let lightnesses: Vec<f64> = (0..=100).map(|step| lightness(heat(f64::from(step) / 100.0))).collect();
        assert!(lightnesses.windows(2).all(|pair| pair[1] < pair[0] + 1e-9));
    }

    #[test]
    fn neighbouring_series_differ_in_colour_dash_and_marker() {
        for number in 0..SERIES.len() * DASHES.len() - 1 {
            let (one, next) = (look(number), look(number + 1));
            assert!(one.color != next.color && one.dash != next.dash && one.marker != next.marker);
        }
    }
}

//! Percentiles of distributions. The horizontal axis is −log₁₀(1 − p): each further nine takes the same room, because
//! the tail is what is looked for.

use super::canvas::{Canvas, Place, Stroke};
use super::frame::{self, Entry, Grid, Sample, Surroundings};
use super::palette;
use super::scale::Scale;
use super::{Axis, Chart, PercentileLine, Unit};

/// The named positions on the axis.
const NAMED: [(f64, &str); 8] = [
    (0.0, "0 %"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
    (0.999999, "99.9999 %"),
];

/// Nines: 0 at 0 %, 1 at 90 %, 2 at 99 %.
fn nines(share: f64) -> f64 {
    -libm::log10((1.0 - share).max(1e-9))
}

/// Draws one curve a distribution.
pub(crate) fn draw(canvas: &mut Canvas<'_>, chart: &Chart, series: &[PercentileLine]) {
    let shares = || series.iter().flat_map(|line| &line.points).map(|(share, _)| *share);
    let (first, last) = (shares().fold(1.0, f64::min), shares().fold(0.0, f64::max));
    let (low, high) = if first < last { (nines(first), nines(last)) } else { (0.0, 3.0) };
    let axis = Axis::linear(&chart.x.label, Unit::Other(String::new()));
    let mut x = Scale::exact(&axis, [low, high].into_iter(), 4);
    x.ticks = NAMED
        .iter()
        .filter_map(|(share, label)| {
            let position = x.position(nines(*share))?;
            (-1e-9..=1.0 + 1e-9)
                .contains(&position)
                .then(|| super::scale::Tick { position, label: (*label).to_owned() })
        })
        .collect();
    let y = Scale::new(&chart.y, series.iter().flat_map(|line| &line.points).map(|(_, value)| *value), 5);
    let legend = series
        .iter()
        .enumerate()
        .map(|(number, line)| Entry { name: line.name.clone(), sample: Sample::Line(palette::look(number)) })
        .collect();
    let plot = frame::surround(canvas, chart, Surroundings { x, y, legend, faults: &[], right: 0.0, grid: Grid::Both });
    for (number, line) in series.iter().enumerate() {
        let look = palette::look(number);
        let places: Vec<Place> =
            line.points.iter().filter_map(|(share, value)| plot.place(nines(*share), *value)).collect();
        canvas.line(&places, Stroke { color: look.color, width: 2.0, dash: look.dash });
        if places.len() <= 24 {
            for place in &places {
                canvas.marker(*place, look.marker, look.color);
            }
        }
    }
}

//! Percentiles of distributions. The horizontal axis is −log₁₀(1 − p): each further nine takes the same room, because
//! the tail matters most.

use super::canvas::{Canvas, Place, Stroke};
use super::data::{self, Told, Zoom};
use super::frame::{self, Entry, Grid, Plot, Sample, Surroundings};
use super::palette;
use super::scale::{Scale, lone_text};
use super::{Axis, Chart, ChartError, Layer, Marked, PercentileLine, Unit};

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

/// The axis for the given shares.
fn axis(label: &Axis, shares: impl Iterator<Item = f64> + Clone) -> Scale {
    let (first, last) = (shares.clone().fold(1.0, f64::min), shares.fold(0.0, f64::max));
    let (low, high) = if first < last { (nines(first), nines(last)) } else { (0.0, 3.0) };
    let axis = Axis::linear(&label.label, Unit::Other(String::new()));
    let mut x = Scale::exact(&axis, [low, high].into_iter(), 4);
    x.named = true;
    x.ticks = NAMED
        .iter()
        .filter_map(|(share, label)| {
            let value = nines(*share);
            (-1e-9..=1.0 + 1e-9)
                .contains(&x.share(value)?)
                .then(|| super::scale::Tick { value, label: (*label).to_owned() })
        })
        .collect();
    x
}

/// Draws one curve per distribution.
pub(crate) fn draw(canvas: &mut Canvas, chart: &Chart, series: &[PercentileLine]) -> Result<(), ChartError> {
    let x = axis(&chart.x, series.iter().flat_map(|line| &line.points).map(|(share, _)| *share));
    let values = series.iter().flat_map(|line| &line.points).map(|(_, value)| *value);
    let y = Scale::new(&chart.y, values.chain(chart.bounds.iter().map(|bound| bound.value)), 5);
    let legend = series
        .iter()
        .enumerate()
        .map(|(number, line)| Entry { name: line.name.clone(), sample: Sample::Line(palette::look(number)) })
        .collect();
    let plot = frame::surround(
        canvas,
        chart,
        Surroundings { x, y, legend, marked: Marked::default(), right: 0.0, grid: Grid::Both },
    )?;
    plot.draw(canvas, |canvas| {
        for (number, line) in series.iter().enumerate() {
            let look = palette::look(number);
            let values = line.points.iter().map(|(share, value)| (nines(*share), *value));
            plot.line(canvas, values.clone(), Stroke { color: look.color, width: 2.0, dash: look.dash });
            let places: Vec<Place> = values.filter_map(|(x, y)| plot.place(x, y)).collect();
            if places.len() <= 24 {
                for place in &places {
                    canvas.marker(*place, look.marker, look.color);
                }
            }
        }
    });
    tell(canvas, &plot, chart, series);
    Ok(())
}

/// Draws layers over bands of percentiles, each value in the middle of its band.
pub(crate) fn draw_stack(canvas: &mut Canvas, chart: &Chart, at: &[f64], layers: &[Layer]) -> Result<(), ChartError> {
    let mut below = vec![0.0; at.len()];
    let mut tops: Vec<Vec<f64>> = Vec::with_capacity(layers.len());
    for layer in layers {
        for (total, value) in below.iter_mut().zip(&layer.values) {
            *total += value.filter(|value| value.is_finite()).unwrap_or(0.0).max(0.0);
        }
        tops.push(below.clone());
    }
    let x = axis(&chart.x, at.iter().copied());
    let y = Scale::proportional(&chart.y, below.iter().copied(), 5);
    let color = |number: usize| palette::SERIES[number % palette::SERIES.len()];
    let legend = layers
        .iter()
        .enumerate()
        .rev()
        .map(|(number, layer)| Entry { name: layer.name.clone(), sample: Sample::Patch(color(number)) })
        .collect();
    let plot = frame::surround(
        canvas,
        chart,
        Surroundings { x, y, legend, marked: Marked::default(), right: 0.0, grid: Grid::Horizontal },
    )?;
    let values = |heights: &[f64]| -> Vec<(f64, f64)> {
        at.iter().zip(heights).map(|(share, height)| (nines(*share), *height)).collect()
    };
    plot.draw(canvas, |canvas| {
        let mut lower = values(&vec![0.0; at.len()]);
        for (number, heights) in tops.iter().enumerate() {
            let upper = values(heights);
            plot.area(canvas, (&upper, &lower), color(number), 0.85);
            plot.line(canvas, upper.iter().copied(), Stroke::solid(palette::PAPER, 1.2));
            lower = upper;
        }
    });
    let names: Vec<(f64, String)> = at.iter().map(|share| (nines(*share), percentile(*share))).collect();
    let told = data::stacked(layers, &tops, &chart.y.unit);
    data::columns(canvas, &plot, Zoom::Across, &names, &told);
    Ok(())
}

/// The percentiles with their values, shown on hover.
fn tell(canvas: &mut Canvas, plot: &Plot, chart: &Chart, series: &[PercentileLine]) {
    let mut shares: Vec<f64> = series.iter().flat_map(|line| &line.points).map(|(share, _)| *share).collect();
    shares.retain(|share| share.is_finite());
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    let at: Vec<(f64, String)> = shares.iter().map(|share| (nines(*share), percentile(*share))).collect();
    let told: Vec<Told> = series
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let y: Vec<Option<f64>> = shares
                .iter()
                .map(|share| line.points.iter().find(|(of, _)| of == share).map(|(_, value)| *value))
                .collect();
            let text = y.iter().map(|value| value.map(|value| lone_text(&chart.y.unit, value))).collect();
            Told { name: line.name.clone(), role: data::role(number), y, text }
        })
        .collect();
    data::columns(canvas, plot, Zoom::Both, &at, &told);
}

/// A percentile with as many digits as its nines need: `99.9 %`.
fn percentile(share: f64) -> String {
    let decimals = (nines(share) - 1.0).ceil().clamp(0.0, 6.0) as usize;
    let text = format!("{:.decimals$}", share * 100.0);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

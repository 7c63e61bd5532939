//! A value over two variables: cells from light to dark, and the contour at a chosen level.

use super::canvas::{Anchor, Canvas, Lettering, Place, Stroke};
use super::frame::{self, Entry, Grid as Lines, Plot, Sample, Surroundings};
use super::palette;
use super::scale::{Scale, Tick, lone_text};
use super::text::text_width;
use super::{Axis, Chart, ChartError, Contour, Marked, data};

/// The contents of a heat map.
pub(crate) struct Grid<'a> {
    pub(crate) x: &'a [f64],
    pub(crate) y: &'a [f64],
    pub(crate) values: &'a [Vec<Option<f64>>],
    pub(crate) value: &'a Axis,
    pub(crate) contour: Option<&'a Contour>,
}

impl Grid<'_> {
    fn at(&self, column: usize, row: usize) -> Option<f64> {
        self.values.get(row)?.get(column).copied().flatten().filter(|value| value.is_finite())
    }
}

/// Space for the colour scale on the right.
const KEY: f64 = 92.0;
/// Text size in the cells.
const TEXT_SIZE: f64 = 11.0;
const CONTOUR: Stroke = Stroke::solid(palette::ON_LIGHT, 2.2);

/// Draws cells, values where there is room, the contour and the colour scale.
pub(crate) fn draw(canvas: &mut Canvas, chart: &Chart, grid: &Grid<'_>) -> Result<(), ChartError> {
    if grid.x.is_empty() || grid.y.is_empty() {
        frame::titles(canvas, chart);
        return Ok(());
    }
    let x_edges = edges(grid.x, chart.x.log);
    let y_edges = edges(grid.y, chart.y.log);
    let x = labelled(&chart.x, grid.x, &x_edges);
    let y = labelled(&chart.y, grid.y, &y_edges);
    let all = grid.values.iter().flatten().flatten().copied();
    let level = grid.contour.map(|contour| contour.level);
    let heat = Scale::new(grid.value, all.chain(level), 5);
    let legend = grid
        .contour
        .map(|contour| Entry { name: contour.name.clone(), sample: Sample::Plain(CONTOUR) })
        .into_iter()
        .collect();
    let plot = frame::surround(
        canvas,
        chart,
        Surroundings { x, y, legend, marked: Marked::default(), right: KEY, grid: Lines::None },
    )?;
    let contour = grid.contour.map(|contour| segments(grid, contour.level, &plot)).unwrap_or_default();
    cells(canvas, &plot, grid, &heat, (&x_edges, &y_edges), &contour, (&chart.x, &chart.y));
    for stroke in [Stroke::solid(palette::ON_DARK, 4.6), CONTOUR] {
        for segment in &contour {
            canvas.line(segment, stroke);
        }
    }
    key(canvas, &plot, &heat)
}

/// Edges of cells half-way between their values, on the scale of the axis.
fn edges(values: &[f64], log: bool) -> Vec<f64> {
    let forth = |value: f64| if log { libm::log10(value.max(f64::MIN_POSITIVE)) } else { value };
    let back = |value: f64| if log { libm::pow(10.0, value) } else { value };
    let along: Vec<f64> = values.iter().map(|value| forth(*value)).collect();
    let (first, last) = (along[0], along[along.len() - 1]);
    let reach = |one: Option<&f64>, other: Option<&f64>| match (one, other) {
        (Some(one), Some(other)) => (other - one) / 2.0,
        _ => 0.5,
    };
    let mut edges = vec![back(first - reach(along.first(), along.get(1)))];
    edges.extend(along.windows(2).map(|pair| back(f64::midpoint(pair[0], pair[1]))));
    let before_last = along.len().checked_sub(2).and_then(|index| along.get(index));
    edges.push(back(last + reach(before_last, along.last())));
    edges
}

/// An axis over the cells whose labels are the values themselves, not round ones in between.
fn labelled(axis: &Axis, values: &[f64], edges: &[f64]) -> Scale {
    let mut scale = Scale::exact(axis, edges.iter().copied(), 6);
    scale.ticks = values
        .iter()
        .filter(|value| scale.shows(**value))
        .map(|value| Tick { value: *value, label: lone_text(&axis.unit, *value) })
        .collect();
    // There can be many rows; their labels must not touch.
    let every = scale.ticks.len().div_ceil(16).max(1);
    scale.ticks = scale.ticks.into_iter().step_by(every).collect();
    scale
}

/// Draws the cells, with their values where the contour leaves room.
fn cells(
    canvas: &mut Canvas,
    plot: &Plot,
    grid: &Grid<'_>,
    heat: &Scale,
    edges: (&[f64], &[f64]),
    contour: &[[Place; 2]],
    chart_axes: (&Axis, &Axis),
) {
    let x_at: Vec<f64> = edges.0.iter().filter_map(|edge| plot.x_at(*edge)).collect();
    let y_at: Vec<f64> = edges.1.iter().filter_map(|edge| plot.y_at(*edge)).collect();
    let mut told = Vec::new();
    for (row, vertical) in y_at.windows(2).enumerate() {
        for (column, horizontal) in x_at.windows(2).enumerate() {
            let value = grid.at(column, row);
            let position = value.and_then(|value| heat.share(value));
            let color = position.map_or(palette::UNKNOWN, palette::heat);
            canvas.rectangle((horizontal[0], vertical[1]), (horizontal[1], vertical[0]), color, 1.0);
            let text = value.map_or_else(|| "–".to_owned(), |value| lone_text(&grid.value.unit, value));
            let (width, height) = (horizontal[1] - horizontal[0], vertical[0] - vertical[1]);
            let of = |axis: &Axis, values: &[f64], at: usize| {
                format!("{}: {}", axis.label, values.get(at).map_or_else(String::new, |v| lone_text(&axis.unit, *v)))
            };
            let lines = vec![
                format!("{}: {text}", grid.value.label),
                of(chart_axes.0, grid.x, column),
                of(chart_axes.1, grid.y, row),
            ];
            told.push(((horizontal[0], vertical[1]), (horizontal[1], vertical[0]), lines));
            if width > 44.0 && height > 18.0 {
                let middle = (f64::midpoint(horizontal[0], horizontal[1]), f64::midpoint(vertical[0], vertical[1]));
                let half = (text_width(&text, TEXT_SIZE) / 2.0 + 3.0, TEXT_SIZE / 2.0 + 1.0);
                let room = height / 2.0 - half.1 - 2.0;
                let free = [0.0, room, -room]
                    .into_iter()
                    .map(|shift| (middle.0, middle.1 + shift))
                    .find(|place| !contour.iter().any(|segment| touches(segment, *place, half)));
                if let Some(place) = free {
                    canvas.text(place, &text, Lettering::new(TEXT_SIZE, palette::ink_on(color), Anchor::Middle));
                }
            }
        }
    }
    data::cells(canvas, [plot.left, plot.top, plot.right, plot.bottom], &told);
}

/// Whether a piece of the contour crosses a box, tested at points that are closer together than the box is high.
fn touches(segment: &[Place; 2], middle: Place, half: (f64, f64)) -> bool {
    let (dx, dy) = (segment[1].0 - segment[0].0, segment[1].1 - segment[0].1);
    let steps = (libm::hypot(dx, dy) / 4.0).ceil().max(1.0) as u32;
    (0..=steps).map(|step| f64::from(step) / f64::from(steps)).any(|share| {
        let (x, y) = (segment[0].0 + dx * share, segment[0].1 + dy * share);
        (x - middle.0).abs() < half.0 && (y - middle.1).abs() < half.1
    })
}

/// Pieces of the contour at a level, by marching squares over the middles of the cells. A square with an unknown corner has
/// none. At a saddle, the two pieces are those that keep the side of the middle connected.
fn segments(grid: &Grid<'_>, level: f64, plot: &Plot) -> Vec<[Place; 2]> {
    let mut found = Vec::new();
    for row in 0..grid.y.len().saturating_sub(1) {
        for column in 0..grid.x.len().saturating_sub(1) {
            let corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)];
            let known: Vec<(f64, Place)> = corners
                .iter()
                .filter_map(|(column, row)| {
                    Some((grid.at(*column, *row)? - level, plot.place(grid.x[*column], grid.y[*row])?))
                })
                .collect();
            if known.len() < 4 {
                continue;
            }
            // Where the contour crosses each side of the square, in the order of the sides.
            let crossings: Vec<Option<Place>> = (0..4)
                .map(|side| {
                    let ((from, a), (to, b)) = (known[side], known[(side + 1) % 4]);
                    ((from >= 0.0) != (to >= 0.0)).then(|| {
                        let share = from / (from - to);
                        (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share)
                    })
                })
                .collect();
            let on: Vec<Place> = crossings.iter().copied().flatten().collect();
            match on.as_slice() {
                [one, two] => found.push([*one, *two]),
                [one, two, three, four] => {
                    let middle: f64 = known.iter().map(|(value, _)| value).sum();
                    if (middle >= 0.0) == (known[0].0 >= 0.0) {
                        found.extend([[*one, *two], [*three, *four]]);
                    } else {
                        found.extend([[*four, *one], [*two, *three]]);
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// Draws the colour scale.
fn key(canvas: &mut Canvas, plot: &Plot, heat: &Scale) -> Result<(), ChartError> {
    const STEPS: u32 = 60;
    let (left, right) = (plot.right + 18.0, plot.right + 32.0);
    let height = plot.bottom - plot.top;
    for step in 0..STEPS {
        let (from, to) = (f64::from(step) / f64::from(STEPS), f64::from(step + 1) / f64::from(STEPS));
        // Each step extends to the top and is covered by the next, so that no seam shows between them.
        canvas.rectangle(
            (left, plot.top),
            (right, plot.bottom - from * height),
            palette::heat(f64::midpoint(from, to)),
            1.0,
        );
    }
    let beside = Plot::new(canvas, [left, plot.top, right, plot.bottom], Scale::lanes(), heat.clone())?;
    for tick in &heat.ticks {
        let Some(y) = beside.y_at(tick.value) else { continue };
        canvas.line(&[(right, y), (right + 4.0, y)], Stroke::solid(palette::AXIS, 1.2));
        canvas.text((right + 8.0, y), &tick.label, frame::tick(Anchor::Start));
    }
    canvas.text((canvas.width() - 16.0, plot.top - 20.0), &heat.title, frame::label(Anchor::End));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::{Size, Unit, canvas};

    #[test]
    fn cells_meet_half_way_on_their_own_scale() {
        assert_eq!(edges(&[1.0, 2.0, 4.0], false), [0.5, 1.5, 3.0, 5.0]);
        let log = edges(&[1.0, 100.0], true);
        assert!((log[1] - 10.0).abs() < 1e-9 && (log[0] - 0.1).abs() < 1e-9, "{log:?}");
    }

    #[test]
    fn the_contour_of_a_plane_is_where_the_plane_has_that_level() {
        // value = x + y on a grid of 5 × 5; the level 4.5 is the line y = 4.5 − x.
        let axis = vec![0.0, 1.0, 2.0, 3.0, 4.0];
        let values: Vec<Vec<Option<f64>>> = axis.iter().map(|y| axis.iter().map(|x| Some(x + y)).collect()).collect();
        let value = Axis::linear("v", Unit::Count);
        let grid = Grid { x: &axis, y: &axis, values: &values, value: &value, contour: None };
        let scale = || Scale::exact(&value, [0.0, 4.0].into_iter(), 5);
        canvas::document(Size { width: 400, height: 400 }, "", "", |canvas| {
            let plot = Plot::new(canvas, [0.0, 0.0, 400.0, 400.0], scale(), scale())?;
            let found = segments(&grid, 4.5, &plot);
            assert_eq!(found.len(), 7);
            for (x, y) in found.into_iter().flatten() {
                let sum = (x + (400.0 - y)) / 100.0;
                assert!((sum - 4.5).abs() < 0.005, "({x}, {y})");
            }
            Ok(())
        })
        .expect("drawn");
    }
}

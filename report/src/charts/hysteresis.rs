//! The same measure while the load rises and while it falls: where the two differ, the state depends on the past.

use super::canvas::{Canvas, Place, Stroke};
use super::frame::{self, Entry, Grid, Sample, Surroundings};
use super::palette::{self, Look};
use super::scale::Scale;
use super::{Chart, ChartError, Line, Marked, Point, data};

/// Draws both paths, with arrows, and the area between them.
pub(crate) fn draw(
    canvas: &mut Canvas,
    chart: &Chart,
    rising: &[(f64, f64)],
    falling: &[(f64, f64)],
) -> Result<(), ChartError> {
    let all = || rising.iter().chain(falling);
    let x = Scale::exact(&chart.x, all().map(|(x, _)| *x), 8);
    let y = Scale::new(&chart.y, all().map(|(_, y)| *y), 5);
    let looks = [palette::look(0), palette::look(1)];
    let legend = vec![
        Entry { name: "load rising".to_owned(), sample: Sample::Line(looks[0]) },
        Entry { name: "load falling".to_owned(), sample: Sample::Line(looks[1]) },
        Entry { name: "state depends on the past".to_owned(), sample: Sample::Patch(palette::SHADE) },
    ];
    let plot = frame::surround(
        canvas,
        chart,
        Surroundings { x, y, legend, marked: Marked::default(), right: 0.0, grid: Grid::Both },
    )?;
    let places =
        |points: &[(f64, f64)]| -> Vec<Place> { points.iter().filter_map(|(x, y)| plot.place(*x, *y)).collect() };
    // The reverse path closes the outline only if both cover the same loads, which the measurement guarantees.
    let mut back = falling.to_vec();
    back.sort_by(|one, other| one.0.total_cmp(&other.0));
    plot.draw(canvas, |canvas| {
        // Translucent, so that the grid remains visible.
        plot.area(canvas, (rising, &back), palette::SHADE, 0.7);
        for (way, look) in [(rising, looks[0]), (falling, looks[1])] {
            plot.line(canvas, way.iter().copied(), Stroke { color: look.color, width: 2.2, dash: look.dash });
            let way = places(way);
            for place in &way {
                canvas.marker(*place, look.marker, look.color);
            }
            arrows(canvas, &way, look);
        }
    });
    let line = |name: &str, points: &[(f64, f64)]| Line {
        name: name.to_owned(),
        points: points.iter().map(|(x, y)| Point::new(*x, *y)).collect(),
    };
    let ways = [line("load rising", rising), line("load falling", falling)];
    data::curves(canvas, &plot, &ways, (&chart.x.unit, &chart.y.unit));
    Ok(())
}

/// Draws an arrow in the middle of every third step that is long enough.
fn arrows(canvas: &mut Canvas, way: &[Place], look: Look) {
    const LENGTH: f64 = 9.0;
    let mut since = 2;
    for pair in way.windows(2) {
        let (dx, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        let length = libm::hypot(dx, dy);
        since += 1;
        if length < 24.0 || since < 3 {
            continue;
        }
        since = 0;
        let (ux, uy) = (dx / length, dy / length);
        let middle = (f64::midpoint(pair[0].0, pair[1].0), f64::midpoint(pair[0].1, pair[1].1));
        let tip = (middle.0 + ux * LENGTH * 0.6, middle.1 + uy * LENGTH * 0.6);
        let tail = (tip.0 - ux * LENGTH, tip.1 - uy * LENGTH);
        let (nx, ny) = (-uy * LENGTH * 0.5, ux * LENGTH * 0.5);
        canvas.arrow(middle, &[tip, (tail.0 + nx, tail.1 + ny), (tail.0 - nx, tail.1 - ny)], look.color);
    }
}

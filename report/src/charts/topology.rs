//! The graph of calls, as boxes in layers from left to right.
//!
//! A box is one layer to the right of its rightmost caller; calls back into an earlier layer bend below. A call across
//! several layers gets an invisible position in each of them, so that no arrow crosses a box. Within a layer, boxes are
//! ordered by the mean position of their callers (Sugiyama's barycentres), which keeps most arrows apart.

use super::canvas::{Anchor, Canvas, Lettering, Place, Stroke};
use super::frame;
use super::palette;
use super::scale::lone_text;
use super::text::text_width;
use super::{Chart, Size, TopologyBox, TopologyCall, Unit, data};

const WIDE: f64 = 132.0;
const HIGH: f64 = 46.0;
const ACROSS: f64 = 222.0;
const DOWN: f64 = 74.0;
const MARGIN: f64 = 16.0;
/// Space for titles, and for calls that bend below.
const ABOVE: f64 = 66.0;
const BELOW: f64 = 48.0;

/// The layout: layer and position of everything; positions can be halves.
struct Layout {
    layer: Vec<usize>,
    row: Vec<f64>,
    /// For each call, the rows in which it passes the layers in between; `None` for a call that goes back.
    between: Vec<Option<Vec<f64>>>,
    layers: usize,
    rows: f64,
}

fn layout(boxes: usize, calls: &[TopologyCall]) -> Layout {
    // A call to a component that is still being visited closes a cycle and does not move its callee to the right.
    let mut back = vec![false; calls.len()];
    let mut state = vec![0_u8; boxes];
    for start in 0..boxes {
        let mut open = vec![(start, 0)];
        if state[start] != 0 {
            continue;
        }
        state[start] = 1;
        while let Some((node, next)) = open.pop() {
            let Some((number, call)) = calls.iter().enumerate().skip(next).find(|(_, call)| call.from == node) else {
                state[node] = 2;
                continue;
            };
            open.push((node, number + 1));
            match state[call.to] {
                0 => {
                    state[call.to] = 1;
                    open.push((call.to, 0));
                }
                1 => back[number] = true,
                _ => {}
            }
        }
    }
    let mut layer = vec![0_usize; boxes];
    for _ in 0..boxes {
        for (number, call) in calls.iter().enumerate().filter(|(number, _)| !back[*number]) {
            debug_assert!(!back[number]);
            layer[call.to] = layer[call.to].max(layer[call.from] + 1);
        }
    }
    let layers = layer.iter().max().map_or(0, |last| last + 1);

    // Positions: boxes first, then those of calls across layers; each knows its neighbours on the left.
    let mut place_layer = layer.clone();
    let mut left: Vec<Vec<usize>> = vec![Vec::new(); boxes];
    let mut passes: Vec<Option<Vec<usize>>> = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        if back[number] || layer[call.to] <= layer[call.from] {
            passes.push(None);
            continue;
        }
        let mut before = call.from;
        let mut own = Vec::new();
        for between in layer[call.from] + 1..layer[call.to] {
            place_layer.push(between);
            left.push(vec![before]);
            before = place_layer.len() - 1;
            own.push(before);
        }
        left[call.to].push(before);
        passes.push(Some(own));
    }
    let mut row = vec![0.0; place_layer.len()];
    let mut rows: f64 = 1.0;
    for of in 0..layers {
        let mut here: Vec<usize> = (0..place_layer.len()).filter(|place| place_layer[*place] == of).collect();
        let wish = |place: usize| -> f64 {
            let callers = &left[place];
            if callers.is_empty() {
                return f64::INFINITY;
            }
            callers.iter().map(|caller| row[*caller]).sum::<f64>() / callers.len() as f64
        };
        here.sort_by(|one, other| wish(*one).total_cmp(&wish(*other)).then(one.cmp(other)));
        rows = rows.max(here.len() as f64);
        for (number, place) in here.into_iter().enumerate() {
            row[place] = number as f64;
        }
    }
    // Centre each layer on the highest one.
    for of in 0..layers {
        let here: Vec<usize> = (0..place_layer.len()).filter(|place| place_layer[*place] == of).collect();
        let shift = (rows - here.len() as f64) / 2.0;
        here.into_iter().for_each(|place| row[place] += shift);
    }
    let between =
        passes.into_iter().map(|own| own.map(|own| own.into_iter().map(|place| row[place]).collect())).collect();
    row.truncate(boxes);
    Layout { layer, row, between, layers, rows }
}

/// The size that its layers need.
pub(crate) fn size(asked: Size, boxes: usize, calls: &[TopologyCall]) -> Size {
    let layout = layout(boxes, calls);
    let width = layout.layers as f64 * ACROSS - (ACROSS - WIDE) + 2.0 * MARGIN;
    // Calls that go back bend below everything else.
    let below = if layout.between.iter().any(Option::is_none) { BELOW } else { MARGIN };
    let height = ABOVE + layout.rows * DOWN + below;
    Size { width: asked.width.max(width.ceil() as u32), height: height.ceil() as u32 }
}

/// Draws the boxes and, behind them, the calls.
pub(crate) fn draw(canvas: &mut Canvas, chart: &Chart, boxes: &[TopologyBox], calls: &[TopologyCall]) {
    frame::titles(canvas, chart);
    let layout = layout(boxes.len(), calls);
    let used = layout.layers.max(1) as f64 * ACROSS - (ACROSS - WIDE);
    // Stretch a graph that is narrower than the picture.
    let stretch =
        if layout.layers > 1 { ((canvas.width() - 2.0 * MARGIN - WIDE) / (used - WIDE)).clamp(1.0, 1.6) } else { 1.0 };
    let left_of = |layer: f64| MARGIN + layer * ACROSS * stretch;
    let middle_of = |row: f64| ABOVE + row * DOWN + DOWN / 2.0;
    let lowest = ABOVE + layout.rows * DOWN + 8.0;

    let mut labels: Vec<(Place, &str, bool)> = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let color = if call.warn { palette::SERIES[1] } else { palette::AXIS };
        let from = (left_of(layout.layer[call.from] as f64) + WIDE, middle_of(layout.row[call.from]));
        let to = (left_of(layout.layer[call.to] as f64), middle_of(layout.row[call.to]));
        let stroke = Stroke::solid(color, if call.warn { 2.4 } else { 1.8 });
        let Some(between) = &layout.between[number] else {
            // Below everything else and back.
            let path = [
                (from.0 - 12.0, from.1 + HIGH / 2.0),
                (from.0 - 12.0, lowest),
                (to.0 + 12.0, lowest),
                (to.0 + 12.0, to.1 + HIGH / 2.0 + 7.0),
            ];
            canvas.line(&path, stroke);
            head(canvas, (to.0 + 12.0, to.1 + HIGH / 2.0), (0.0, -1.0), color);
            labels.push(((f64::midpoint(from.0, to.0), lowest), &call.label, call.warn));
            continue;
        };
        let first_layer = layout.layer[call.from] as f64;
        let mut stops = vec![from];
        for (step, row) in between.iter().enumerate() {
            let x = left_of(first_layer + 1.0 + step as f64);
            stops.extend([(x, middle_of(*row)), (x + WIDE, middle_of(*row))]);
        }
        stops.push((to.0 - 8.0, to.1));
        let mut path: Vec<Place> = Vec::new();
        for pair in stops.windows(2) {
            path.extend(bend(pair[0], pair[1]));
        }
        canvas.line(&path, stroke);
        head(canvas, to, (1.0, 0.0), color);
        let (one, two) = (stops[stops.len() - 2], stops[stops.len() - 1]);
        labels.push(((f64::midpoint(one.0, two.0), f64::midpoint(one.1, two.1)), &call.label, call.warn));
    }
    let mut told = Vec::new();
    for (number, one) in boxes.iter().enumerate() {
        let left = left_of(layout.layer[number] as f64);
        let top = middle_of(layout.row[number]) - HIGH / 2.0;
        draw_box(canvas, one, (left, top));
        let mut lines = vec![one.name.clone()];
        lines.extend(one.lines.iter().cloned());
        told.push(((left, top), (left + WIDE, top + HIGH), lines));
    }
    // Move labels down if they would overlap.
    let mut taken: Vec<(Place, f64)> = Vec::new();
    for (at, text, warn) in labels {
        let wide = text_width(text, 11.0) + 6.0;
        let mut at = at;
        while taken
            .iter()
            .any(|(other, width)| (other.0 - at.0).abs() < (width + wide) / 2.0 && (other.1 - at.1).abs() < 14.0)
        {
            at.1 += 14.5;
        }
        taken.push((at, wide));
        if !text.is_empty() {
            canvas.rectangle((at.0 - wide / 2.0, at.1 - 7.5), (at.0 + wide / 2.0, at.1 + 7.5), palette::PAPER, 0.9);
            let lettering = Lettering::new(11.0, palette::INK, Anchor::Middle);
            canvas.text(at, text, if warn { lettering.bold() } else { lettering });
        }
    }
    data::cells(canvas, [MARGIN, ABOVE, canvas.width() - MARGIN, lowest], &told);
}

fn draw_box(canvas: &mut Canvas, one: &TopologyBox, (left, top): Place) {
    let (right, bottom) = (left + WIDE, top + HIGH);
    let rim = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    canvas.rectangle((left, top), (right, bottom), palette::PAPER, 1.0);
    // A bar at the bottom shows the utilisation, from the left.
    if let Some(share) = one.share.filter(|share| share.is_finite()) {
        let color = if share >= 0.9 { palette::SERIES[1] } else { palette::SERIES[0] };
        let until = left + share.clamp(0.0, 1.0) * WIDE;
        canvas.rectangle((left, bottom - 6.0), (right, bottom), palette::GRID, 1.0);
        canvas.rectangle((left, bottom - 6.0), (until, bottom), color, 1.0);
    }
    canvas.line(&rim, Stroke::solid(if one.starts { palette::INK_SOFT } else { palette::AXIS }, 1.4));
    let middle = f64::midpoint(left, right);
    let name = frame::fitting(&one.name, WIDE - 12.0, 12.5);
    canvas.text((middle, top + 13.0), &name, Lettering::new(12.5, palette::INK, Anchor::Middle).bold());
    let busy = one.share.map_or_else(String::new, |share| format!(", {} busy", lone_text(&Unit::Share, share)));
    let note = frame::fitting(&format!("{}{busy}", one.note), WIDE - 8.0, 11.0);
    canvas.text((middle, top + 29.0), &note, Lettering::new(11.0, palette::INK_SOFT, Anchor::Middle));
}

/// A curve between two positions that starts and ends horizontally.
fn bend(from: Place, to: Place) -> Vec<Place> {
    (0..=16)
        .map(|step| {
            let t = f64::from(step) / 16.0;
            // Linear in x, smoothed at both ends in y.
            (from.0 + (to.0 - from.0) * t, from.1 + (to.1 - from.1) * t * t * (3.0 - 2.0 * t))
        })
        .collect()
}

fn head(canvas: &mut Canvas, tip: Place, (dx, dy): (f64, f64), color: palette::Color) {
    let tail = (tip.0 - 9.0 * dx, tip.1 - 9.0 * dy);
    let (nx, ny) = (4.5 * dy, 4.5 * dx);
    canvas.polygon(&[tip, (tail.0 + nx, tail.1 + ny), (tail.0 - nx, tail.1 - ny)], color, 1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(from: usize, to: usize) -> TopologyCall {
        TopologyCall { from, to, label: String::new(), warn: false }
    }

    #[test]
    fn a_box_stands_to_the_right_of_all_its_callers_and_circles_end() {
        // 0 → 1 → 2 → 3, 0 → 3, and 3 calls back into 1.
        let calls = [call(0, 1), call(1, 2), call(2, 3), call(0, 3), call(3, 1)];
        let layout = layout(4, &calls);
        assert_eq!(layout.layer, [0, 1, 2, 3]);
        assert_eq!(
            layout.between.iter().map(|it| it.as_ref().map(Vec::len)).collect::<Vec<_>>(),
            [Some(0), Some(0), Some(0), Some(2), None]
        );
        assert_eq!(layout.rows, 2.0, "the long call has places of its own beside 1 and 2");
    }

    #[test]
    fn boxes_of_a_layer_stand_apart() {
        let calls: Vec<TopologyCall> = (1..6).map(|to| call(0, to)).collect();
        let layout = layout(6, &calls);
        let mut rows: Vec<f64> = layout.row[1..].to_vec();
        rows.sort_by(f64::total_cmp);
        assert!(rows.windows(2).all(|pair| pair[1] - pair[0] >= 1.0), "{rows:?}");
        assert_eq!(layout.row[0], 2.0, "the only one of its layer stands in the middle");
    }
}

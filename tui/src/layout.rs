//! Positions of boxes and lines: a layered drawing of a directed graph on a grid of character cells.
//!
//! Callers are left of callees. The steps are the classical ones of layered drawing (after Sugiyama, Tagawa and Toda,
//! 1981): cycles are broken, boxes are assigned to layers by longest path, barycentres improve the order within each layer,
//! order-preserving least squares determine heights, and lines run at right angles in the channels between the layers. All
//! calls that leave a box share one trunk that forks where necessary, so that a fan-out looks like a tree. Everything is a
//! pure function of sizes and edges: changing figures never move a box.

use crate::order;

/// The graph to draw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Minimum width and height of each box, cells.
    pub sizes: Vec<(i32, i32)>,
    /// Caller and callee of each edge, as indices of boxes. An edge from a box to itself is not drawn.
    pub edges: Vec<(usize, usize)>,
}

/// Space to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spacing {
    /// Empty rows between boxes in a layer.
    pub rows: i32,
    /// Cells between the last vertical line of a channel and the boxes right of it, for arrow heads and labels.
    pub tail: i32,
    /// Distance between vertical lines, columns.
    pub pitch: i32,
    /// Maximum height of a layer; higher ones are split.
    pub height_max: i32,
}

/// A box on the grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Left column.
    pub x: i32,
    /// Top row.
    pub y: i32,
    /// Columns.
    pub width: i32,
    /// Rows.
    pub height: i32,
}

impl Place {
    /// True if the box contains a cell.
    pub fn contains(&self, x: i32, y: i32) -> bool {
        (self.x..self.x + self.width).contains(&x) && (self.y..self.y + self.height).contains(&y)
    }

    /// The rows at which lines may touch the box: inside its frame if it has one.
    fn rows(&self) -> (i32, i32) {
        if self.height >= 3 { (self.y + 1, self.y + self.height - 1) } else { (self.y, self.y + self.height) }
    }
}

/// The line of an edge, from the cell beside its caller to the cell beside its callee.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Corners, including the first and last cell; neighbours share a row or a column.
    pub points: Vec<(i32, i32)>,
    /// Lines of the same trunk may overlap.
    pub trunk: usize,
}

/// A finished drawing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Total number of columns.
    pub width: i32,
    /// Total number of rows.
    pub height: i32,
    /// Boxes, in the order of the plan; all boxes of a layer have the same width.
    pub boxes: Vec<Place>,
    /// Lines, in the order of the plan; `None` for an edge from a box to itself.
    pub routes: Vec<Option<Route>>,
    /// Number of layers.
    pub layers: usize,
}

/// An item of a layer: a box, or a line on its way to a later layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Box(usize),
    Wire(usize),
}

/// All edges that leave a box to the right, or one edge against the direction of the layers.
#[derive(Clone, Debug)]
struct Trunk {
    left: usize,
    /// The boxes on the right, each with its edge.
    right: Vec<(usize, usize)>,
    backward: bool,
    /// Its items in the layers between.
    wires: Vec<usize>,
}

/// A stretch of a trunk within one channel.
#[derive(Clone, Copy, Debug)]
struct Segment {
    trunk: usize,
    from: usize,
    to: usize,
    /// The edge, if the segment ends at a box.
    edge: Option<usize>,
}

/// Computes the drawing of a plan.
pub fn place(plan: &Plan, spacing: Spacing) -> Placement {
    if plan.sizes.is_empty() {
        return Placement::default();
    }
    Layout::new(plan, spacing).finish()
}

struct Layout<'a> {
    plan: &'a Plan,
    spacing: Spacing,
    trunks: Vec<Trunk>,
    items: Vec<Item>,
    /// Items of each layer, top to bottom.
    layers: Vec<Vec<usize>>,
    /// Segments of each channel; channel c lies between the layers c and c + 1.
    channels: Vec<Vec<Segment>>,
    /// Top row of each item.
    tops: Vec<i32>,
}

impl<'a> Layout<'a> {
    fn new(plan: &'a Plan, spacing: Spacing) -> Self {
        let count = plan.sizes.len();
        let edges: Vec<(usize, usize)> = plan.edges.clone();
        let backward = order::edges_to_turn(count, &edges);
        let turned: Vec<(usize, usize)> = edges
            .iter()
            .zip(&backward)
            .map(|(&(from, to), &turn)| if turn { (to, from) } else { (from, to) })
            .collect();
        let mut layer_of = order::layers(count, &turned);
        split_tall_layers(&mut layer_of, plan, spacing);
        let layer_count = layer_of.iter().max().map_or(0, |&last| last + 1);

        let mut trunks: Vec<Trunk> = Vec::new();
        let mut forward: Vec<Option<usize>> = vec![None; count];
        for (edge, &(left, right)) in turned.iter().enumerate() {
            if left == right {
                continue;
            }
            let known = if backward[edge] { None } else { forward[left] };
            let trunk = known.unwrap_or_else(|| {
                trunks.push(Trunk { left, right: Vec::new(), backward: backward[edge], wires: Vec::new() });
                trunks.len() - 1
            });
            if !backward[edge] {
                forward[left] = Some(trunk);
            }
            trunks[trunk].right.push((right, edge));
        }

        let mut items: Vec<Item> = (0..count).map(Item::Box).collect();
        let mut layers: Vec<Vec<usize>> = vec![Vec::new(); layer_count];
        for (index, &layer) in layer_of.iter().enumerate() {
            layers[layer].push(index);
        }
        let mut channels: Vec<Vec<Segment>> = vec![Vec::new(); layer_count.saturating_sub(1)];
        for (number, trunk) in trunks.iter_mut().enumerate() {
            let first = layer_of[trunk.left];
            let last = trunk.right.iter().map(|&(right, _)| layer_of[right]).max().unwrap_or(first);
            let mut from = trunk.left;
            for (channel, segments) in channels.iter_mut().enumerate().take(last).skip(first) {
                let ends = trunk.right.iter().filter(|&&(right, _)| layer_of[right] == channel + 1);
                segments.extend(ends.map(|&(to, edge)| Segment { trunk: number, from, to, edge: Some(edge) }));
                if channel + 1 < last {
                    let wire = items.len();
                    items.push(Item::Wire(number));
                    // The trunk of a large fan-out runs through its middle, so that subsequent layers do not drift to one side.
                    let fan = segments.iter().filter(|segment| segment.trunk == number).count();
                    let place = if fan > 3 { layers[channel + 1].len() / 2 } else { layers[channel + 1].len() };
                    layers[channel + 1].insert(place, wire);
                    trunk.wires.push(wire);
                    segments.push(Segment { trunk: number, from, to: wire, edge: None });
                    from = wire;
                }
            }
        }
        let tops = vec![0; items.len()];
        Layout { plan, spacing, trunks, items, layers, channels, tops }
    }

    fn finish(mut self) -> Placement {
        let pairs: Vec<Vec<(usize, usize)>> = self
            .channels
            .iter()
            .map(|segments| segments.iter().map(|segment| (segment.from, segment.to)).collect())
            .collect();
        order::fewer_crossings(&mut self.layers, &pairs);
        self.fit_heights(&pairs);
        let (left_rows, right_rows) = self.ports();
        self.draw(&left_rows, &right_rows)
    }

    fn height(&self, item: usize) -> i32 {
        match self.items[item] {
            Item::Box(index) => self.plan.sizes[index].1.max(1),
            Item::Wire(_) => 1,
        }
    }

    fn gap(&self, above: usize, below: usize) -> i32 {
        match (self.items[above], self.items[below]) {
            (Item::Box(_), Item::Box(_)) => self.spacing.rows,
            _ => 0,
        }
    }

    /// Assigns rows to items: as close as possible to the middle of their neighbours, in the given order, without overlaps.
    fn fit_heights(&mut self, pairs: &[Vec<(usize, usize)>]) {
        for layer in 0..self.layers.len() {
            let mut top = 0;
            for place in 0..self.layers[layer].len() {
                let item = self.layers[layer][place];
                if place > 0 {
                    top += self.gap(self.layers[layer][place - 1], item);
                }
                self.tops[item] = top;
                top += self.height(item);
            }
        }
        let last = self.layers.len();
        for sweep in 0..6 {
            let (left, right) = (sweep % 2 == 0 || sweep >= 4, sweep % 2 == 1 || sweep >= 4);
            for step in 0..last {
                let layer = if sweep % 2 == 0 { step } else { last - 1 - step };
                self.fit_layer(layer, pairs, left, right);
            }
        }
        let top = self.tops.iter().copied().min().unwrap_or(0);
        self.tops.iter_mut().for_each(|row| *row -= top);
    }

    fn fit_layer(&mut self, layer: usize, pairs: &[Vec<(usize, usize)>], left: bool, right: bool) {
        let middle = |item: usize| f64::from(self.tops[item]) + f64::from(self.height(item) - 1) / 2.0;
        let members = &self.layers[layer];
        let mut offset = 0;
        let mut offsets = Vec::with_capacity(members.len());
        let mut wishes = Vec::with_capacity(members.len());
        for (place, &item) in members.iter().enumerate() {
            if place > 0 {
                offset += self.height(members[place - 1]) + self.gap(members[place - 1], item);
            }
            let mut neighbours: Vec<f64> = Vec::new();
            if left && layer > 0 {
                neighbours.extend(pairs[layer - 1].iter().filter(|pair| pair.1 == item).map(|pair| middle(pair.0)));
            }
            if right && layer < pairs.len() {
                neighbours.extend(pairs[layer].iter().filter(|pair| pair.0 == item).map(|pair| middle(pair.1)));
            }
            let here = middle(item);
            let wanted =
                if neighbours.is_empty() { here } else { neighbours.iter().sum::<f64>() / neighbours.len() as f64 };
            let weight = match (self.items[item], neighbours.is_empty()) {
                (Item::Wire(_), _) => 3.0,
                (Item::Box(_), true) => 0.1,
                (Item::Box(_), false) => 1.0,
            };
            wishes.push((wanted - f64::from(self.height(item) - 1) / 2.0 - f64::from(offset), weight));
            offsets.push(offset);
        }
        let fitted = order::isotonic(&wishes);
        for (place, item) in self.layers[layer].clone().into_iter().enumerate() {
            self.tops[item] = fitted[place].round() as i32 + offsets[place];
        }
    }

    fn place_of(&self, item: usize) -> Place {
        Place { x: 0, y: self.tops[item], width: 1, height: self.height(item) }
    }

    /// The row of a box from which a trunk reaches its boxes on the right with the least vertical distance; of several equal
    /// ones, the one closest to the middle.
    fn straightest_row(&self, trunk: usize, top: i32, bottom: i32) -> i32 {
        let segments = self.channels.iter().flatten();
        let ends = segments.filter(|segment| segment.trunk == trunk && segment.from == self.trunks[trunk].left);
        let targets: Vec<(i32, i32)> = ends.map(|segment| self.place_of(segment.to).rows()).collect();
        let middle = (top + bottom - 1) / 2;
        let detour = |row: i32| -> i32 {
            targets.iter().map(|&(first, last)| if row < first { first - row } else { (row - last + 1).max(0) }).sum()
        };
        (top..bottom).min_by_key(|&row| (detour(row), (row - middle).abs())).unwrap_or(middle)
    }

    /// The rows at which trunks leave their boxes (by trunk) and at which edges reach theirs (by channel, then segment).
    fn ports(&self) -> (Vec<i32>, Vec<Vec<i32>>) {
        let middle = |item: usize| self.tops[item] + (self.height(item) - 1) / 2;
        let mut leaving = vec![0; self.trunks.len()];
        for index in 0..self.plan.sizes.len() {
            let mut trunks: Vec<usize> =
                (0..self.trunks.len()).filter(|&trunk| self.trunks[trunk].left == index).collect();
            trunks.sort_by_key(|&trunk| {
                let ends = &self.trunks[trunk].right;
                let sum: i32 = ends.iter().map(|&(right, _)| middle(right)).sum();
                (sum / ends.len().max(1) as i32, trunk)
            });
            let (top, bottom) = self.place_of(index).rows();
            let rows = bottom - top;
            if let [trunk] = trunks[..] {
                leaving[trunk] = self.straightest_row(trunk, top, bottom);
                continue;
            }
            for (place, &trunk) in trunks.iter().enumerate() {
                leaving[trunk] = top + (2 * place as i32 + 1) * rows / (2 * trunks.len() as i32);
            }
        }
        let mut reaching: Vec<Vec<i32>> = Vec::with_capacity(self.channels.len());
        for segments in &self.channels {
            let source = |segment: &Segment| match self.items[segment.from] {
                Item::Box(_) => leaving[segment.trunk],
                Item::Wire(_) => self.tops[segment.from],
            };
            let mut rows: Vec<i32> = segments.iter().map(|segment| self.tops[segment.to]).collect();
            let mut boxes: Vec<usize> =
                segments.iter().filter(|segment| segment.edge.is_some()).map(|segment| segment.to).collect();
            boxes.sort_unstable();
            boxes.dedup();
            for target in boxes {
                let mut arriving: Vec<usize> =
                    (0..segments.len()).filter(|&index| segments[index].to == target).collect();
                arriving.sort_by_key(|&index| (source(&segments[index]), segments[index].trunk));
                let wishes: Vec<i32> = arriving.iter().map(|&index| source(&segments[index])).collect();
                for (found, &index) in ports_near(&wishes, self.place_of(target).rows()).into_iter().zip(&arriving) {
                    rows[index] = found;
                }
            }
            reaching.push(rows);
        }
        (leaving, reaching)
    }

    /// Assigns columns to lines and positions everything on the grid.
    fn draw(&self, leaving: &[i32], reaching: &[Vec<i32>]) -> Placement {
        let mut boxes = vec![Place::default(); self.plan.sizes.len()];
        let mut paths: Vec<Vec<(i32, i32)>> = vec![Vec::new(); self.plan.edges.len()];
        // The progress of each trunk: its corners up to the start of the current channel.
        let mut so_far: Vec<Vec<(i32, i32)>> = vec![Vec::new(); self.trunks.len()];
        let mut x = 0;
        for (layer, members) in self.layers.iter().enumerate() {
            let width = members
                .iter()
                .filter_map(|&item| match self.items[item] {
                    Item::Box(index) => Some(self.plan.sizes[index].0),
                    Item::Wire(_) => None,
                })
                .max()
                .unwrap_or(1)
                .max(1);
            for &item in members {
                if let Item::Box(index) = self.items[item] {
                    boxes[index] = Place { x, width, ..self.place_of(index) };
                }
            }
            x += width;
            let Some(segments) = self.channels.get(layer) else { continue };
            let source = |segment: &Segment| match self.items[segment.from] {
                Item::Box(_) => leaving[segment.trunk],
                Item::Wire(_) => self.tops[segment.from],
            };
            let mut runs: Vec<Run> = Vec::new();
            for (segment, &to) in segments.iter().zip(&reaching[layer]) {
                match runs.iter_mut().find(|run| run.trunk == segment.trunk) {
                    Some(run) => run.to.push(to),
                    None => runs.push(Run { trunk: segment.trunk, from: source(segment), to: vec![to] }),
                }
            }
            let (tracks, track_count) = tracks(&runs);
            // An arrow head that points left needs a cell of its own.
            let lead = 1 + i32::from(segments.iter().any(|segment| self.trunks[segment.trunk].backward));
            let channel = x;
            x += lead + (track_count * self.spacing.pitch - (self.spacing.pitch - 1)).max(0) + self.spacing.tail.max(1);
            for run in &runs {
                let begin = (channel, run.from);
                if so_far[run.trunk].is_empty() {
                    so_far[run.trunk].push(begin);
                }
            }
            let before = so_far.clone();
            for (segment, &to) in segments.iter().zip(&reaching[layer]) {
                let Some(run) = runs.iter().position(|run| run.trunk == segment.trunk) else { continue };
                let mut path = before[segment.trunk].clone();
                if runs[run].from != to {
                    let column = channel + lead + tracks[run] * self.spacing.pitch;
                    path.push((column, runs[run].from));
                    path.push((column, to));
                }
                match segment.edge {
                    Some(edge) => {
                        path.push((x - 1, to));
                        paths[edge] = path;
                    }
                    None => so_far[segment.trunk] = path,
                }
            }
        }
        let height = boxes.iter().map(|place| place.y + place.height).max().unwrap_or(0);
        let height = self.tops.iter().map(|&top| top + 1).max().unwrap_or(0).max(height);
        let mut routes: Vec<Option<Route>> = vec![None; self.plan.edges.len()];
        for (number, trunk) in self.trunks.iter().enumerate() {
            for &(_, edge) in &trunk.right {
                let mut points = std::mem::take(&mut paths[edge]);
                points.dedup();
                if trunk.backward {
                    points.reverse();
                }
                routes[edge] = Some(Route { points, trunk: number });
            }
        }
        Placement { width: x, height, boxes, routes, layers: self.layers.len() }
    }
}

/// Continues a layer that is too high in the next column, and shifts the layers right of it.
fn split_tall_layers(layer_of: &mut [usize], plan: &Plan, spacing: Spacing) {
    let mut layer = 0;
    while layer <= layer_of.iter().copied().max().unwrap_or(0) {
        let members: Vec<usize> = (0..layer_of.len()).filter(|&index| layer_of[index] == layer).collect();
        let height_of = |index: usize| plan.sizes[index].1.max(1) + spacing.rows;
        let height: i32 = members.iter().map(|&index| height_of(index)).sum();
        let room = spacing.height_max.max(1) + spacing.rows;
        // Even parts look better than a full one and a remainder.
        let parts = (height + room - 1) / room;
        let part_height = height / parts.max(1) + i32::from(height % parts.max(1) > 0);
        let mut used = 0;
        let mut cut = None;
        for (place, &index) in members.iter().enumerate() {
            if place > 0 && used + height_of(index) > part_height.max(1) {
                cut = Some(place);
                break;
            }
            used += height_of(index);
        }
        if let (true, Some(cut)) = (height > room, cut) {
            layer_of.iter_mut().filter(|other| **other > layer).for_each(|other| *other += 1);
            members[cut..].iter().for_each(|&index| layer_of[index] += 1);
        }
        layer += 1;
    }
}

/// Rows of a box for lines that come from the given rows (ascending): all different if there are enough, and as close as
/// possible.
fn ports_near(wishes: &[i32], (top, bottom): (i32, i32)) -> Vec<i32> {
    let (count, rows) = (wishes.len() as i32, (bottom - top).max(1));
    let mut found = Vec::with_capacity(wishes.len());
    for (place, &wish) in wishes.iter().enumerate() {
        let place = place as i32;
        if count > rows {
            found.push(top + place * rows / count);
            continue;
        }
        let lowest = found.last().map_or(top, |&before: &i32| before + 1);
        found.push(wish.clamp(lowest, (bottom - (count - place)).max(lowest)));
    }
    found
}

/// A trunk within a channel.
#[derive(Clone, Debug)]
struct Run {
    trunk: usize,
    from: i32,
    to: Vec<i32>,
}

impl Run {
    fn is_straight(&self) -> bool {
        self.to.iter().all(|&to| to == self.from)
    }

    fn top(&self) -> i32 {
        self.to.iter().copied().min().unwrap_or(self.from).min(self.from)
    }

    fn bottom(&self) -> i32 {
        self.to.iter().copied().max().unwrap_or(self.from).max(self.from)
    }

    fn overlaps(&self, other: &Run) -> bool {
        self.top() <= other.bottom() && other.top() <= self.bottom()
    }
}

/// A column for the vertical part of each run, so that none overlap and few cross; and the number of columns.
fn tracks(runs: &[Run]) -> (Vec<i32>, i32) {
    let mut bent: Vec<usize> = (0..runs.len()).filter(|&run| !runs[run].is_straight()).collect();
    // Of the runs that go down, the lowest turns first; of those that go up, the highest. Then they do not cross.
    bent.sort_by_key(|&run| {
        let drift: i32 = runs[run].to.iter().map(|to| to - runs[run].from).sum();
        if drift >= 0 { (0, -runs[run].from, run) } else { (1, runs[run].from, run) }
    });
    // A run that starts in a row in which another one ends must turn before the other arrives.
    let must_precede = |first: usize, second: usize| {
        first != second && runs[second].to.contains(&runs[first].from) && !runs[first].to.contains(&runs[second].from)
    };
    let mut waiting = bent;
    let mut placed: Vec<usize> = Vec::new();
    let mut tracks = vec![0; runs.len()];
    while !waiting.is_empty() {
        let free = waiting.iter().position(|&run| !waiting.iter().any(|&other| must_precede(other, run))).unwrap_or(0);
        let run = waiting.remove(free);
        let before = placed.iter().filter(|&&other| runs[other].overlaps(&runs[run])).map(|&other| tracks[other]).max();
        tracks[run] = before.map_or(0, |track: i32| track + 1);
        placed.push(run);
    }
    let count = placed.iter().map(|&run| tracks[run] + 1).max().unwrap_or(0);
    (tracks, count)
}

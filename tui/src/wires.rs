//! Lines on a grid of cells: lines that belong together join where they meet, and others pass under each other.

use crate::layout::Route;
use crate::theme::Role;

/// Weight of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// No traffic.
    #[default]
    Dashed,
    /// Some traffic.
    Light,
    /// Heavy traffic.
    Heavy,
}

/// The look of one line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Its weight.
    pub weight: Weight,
    /// Its colour.
    pub role: Role,
}

/// A cell crossed by lines. The arms are in the order up, right, down, left.
#[derive(Clone, Copy, Debug)]
struct WireCell {
    arms: [Option<Weight>; 4],
    role: Role,
    trunk: usize,
    target: (i32, i32),
}

/// All box-drawing characters with light and heavy arms, indexed by the number whose base-3 digits are the arms.
const GLYPHS: [char; 81] = [
    ' ', '╴', '╸', '╷', '┐', '┑', '╻', '┒', '┓', '╶', '─', '╾', '┌', '┬', '┭', '┎', '┰', '┱', '╺', '╼', '━', '┍', '┮',
    '┯', '┏', '┲', '┳', '╵', '┘', '┙', '│', '┤', '┥', '╽', '┧', '┪', '└', '┴', '┵', '├', '┼', '┽', '┟', '╁', '╅', '┕',
    '┶', '┷', '┝', '┾', '┿', '┢', '╆', '╈', '╹', '┚', '┛', '╿', '┦', '┩', '┃', '┨', '┫', '┖', '┸', '┹', '┞', '╀', '╃',
    '┠', '╂', '╉', '┗', '┺', '┻', '┡', '╄', '╇', '┣', '╊', '╋',
];

impl WireCell {
    fn glyph(&self) -> char {
        match self.arms {
            [None, Some(Weight::Dashed), None, Some(Weight::Dashed)] => '┄',
            [Some(Weight::Dashed), None, Some(Weight::Dashed), None] => '┆',
            arms => {
                let digit = |arm: Option<Weight>| match arm {
                    None => 0,
                    Some(Weight::Heavy) => 2,
                    Some(_) => 1,
                };
                GLYPHS[arms.into_iter().fold(0, |number, arm| number * 3 + digit(arm))]
            }
        }
    }

    fn is_vertical(&self) -> bool {
        self.arms[0].is_some() && self.arms[2].is_some() && self.arms[1].is_none() && self.arms[3].is_none()
    }
}

/// The cells of a route in order.
pub fn cells(route: &Route) -> Vec<(i32, i32)> {
    let mut cells: Vec<(i32, i32)> = route.points.first().copied().into_iter().collect();
    for pair in route.points.windows(2) {
        let ((mut x, mut y), (to_x, to_y)) = (pair[0], pair[1]);
        while (x, y) != (to_x, to_y) {
            // Consecutive corners share a row or a column, so one of the coordinates stays the same.
            x += (to_x - x).signum();
            y += (to_y - y).signum();
            cells.push((x, y));
        }
    }
    cells
}

/// A grid of cells for lines.
#[derive(Clone, Debug)]
pub struct Wires {
    width: i32,
    height: i32,
    cells: Vec<Option<WireCell>>,
}

impl Wires {
    /// An empty grid.
    pub fn new(width: i32, height: i32) -> Self {
        let (width, height) = (width.max(0), height.max(0));
        Wires { width, height, cells: vec![None; width as usize * height as usize] }
    }

    /// Adds a line. It joins lines of the same trunk or with the same end where they meet; of other lines, the horizontal one
    /// passes under the vertical one.
    pub fn lay(&mut self, route: &Route, stroke: Stroke) {
        let path = cells(route);
        let (Some(&first), Some(&target)) = (path.first(), path.last()) else { return };
        let direction = |from: (i32, i32), to: (i32, i32)| match (to.0 - from.0, to.1 - from.1) {
            (0, step) if step < 0 => 0,
            (step, _) if step > 0 => 1,
            (0, _) => 2,
            _ => 3,
        };
        for (index, &here) in path.iter().enumerate() {
            let mut arms = [None; 4];
            let before = index.checked_sub(1).map(|index| path[index]);
            let after = path.get(index + 1).copied();
            // The ends extend into the adjacent boxes.
            let towards = |end: (i32, i32), inner: Option<(i32, i32)>| match inner {
                Some(inner) if inner.0 < end.0 => 1,
                Some(_) => 3,
                None => 1,
            };
            let back = before.map_or_else(|| towards(first, after), |before| direction(here, before));
            let on = after.map_or_else(|| towards(target, before), |after| direction(here, after));
            arms[back] = Some(stroke.weight);
            arms[on] = Some(stroke.weight);
            if path.len() == 1 {
                arms[3] = Some(stroke.weight);
            }
            self.merge(here, WireCell { arms, role: stroke.role, trunk: route.trunk, target });
        }
    }

    fn merge(&mut self, (x, y): (i32, i32), new: WireCell) {
        if !(0..self.width).contains(&x) || !(0..self.height).contains(&y) {
            return;
        }
        let place = &mut self.cells[(y * self.width + x) as usize];
        let Some(old) = place else {
            *place = Some(new);
            return;
        };
        if old.trunk == new.trunk || old.target == new.target {
            for (arm, other) in old.arms.iter_mut().zip(new.arms) {
                *arm = (*arm).max(other);
            }
            old.role = graver(old.role, new.role);
            (old.trunk, old.target) = (new.trunk, new.target);
        } else if new.is_vertical() || !old.is_vertical() {
            *old = new;
        }
    }

    /// Every cell of a line: column, row, character, role.
    pub fn drawn(&self) -> impl Iterator<Item = (i32, i32, char, Role)> + '_ {
        self.cells.iter().enumerate().filter_map(|(index, cell)| {
            let (x, y) = (index as i32 % self.width, index as i32 / self.width);
            cell.map(|cell| (x, y, cell.glyph(), cell.role))
        })
    }
}

/// The role of higher priority where lines coincide.
fn graver(one: Role, other: Role) -> Role {
    let rank = |role: Role| match role {
        Role::Idle => 0,
        Role::Calm => 1,
        Role::Busy => 2,
        Role::Strained => 3,
        Role::Critical => 4,
        _ => 5,
    };
    if rank(other) > rank(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(wires: &Wires) -> String {
        let mut rows = vec![vec![' '; wires.width as usize]; wires.height as usize];
        wires.drawn().for_each(|(x, y, glyph, _)| rows[y as usize][x as usize] = glyph);
        rows.into_iter().map(|row| row.into_iter().collect::<String>() + "\n").collect()
    }

    fn stroke(weight: Weight) -> Stroke {
        Stroke { weight, role: Role::Calm }
    }

    #[test]
    fn lines_of_one_trunk_fork() {
        let mut wires = Wires::new(5, 3);
        let route = |to: i32| Route { points: vec![(0, 1), (2, 1), (2, to), (4, to)], trunk: 0 };
        wires.lay(&route(0), stroke(Weight::Light));
        wires.lay(&route(2), stroke(Weight::Heavy));
        assert_eq!(text(&wires), "  ┌──\n━━┪  \n  ┗━━\n");
    }

    #[test]
    fn lines_that_have_nothing_to_do_with_each_other_do_not_join() {
        let mut wires = Wires::new(5, 3);
        wires.lay(&Route { points: vec![(2, 0), (2, 2)], trunk: 0 }, stroke(Weight::Light));
        wires.lay(&Route { points: vec![(0, 1), (4, 1)], trunk: 1 }, stroke(Weight::Dashed));
        assert_eq!(text(&wires).lines().nth(1), Some("┄┄│┄┄"));
    }

    #[test]
    fn every_combination_of_arms_has_its_own_character() {
        for (index, glyph) in GLYPHS.iter().enumerate() {
            assert!(!GLYPHS[..index].contains(glyph), "{glyph} stands twice");
        }
    }
}

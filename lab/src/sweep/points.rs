//! The points of a sweep: the values of its axes, and the combinations of them that run.
//!
//! All points are known before the first one starts. Each keeps its values as trees with their positions, so that an
//! error about a value rejected by the scenario points to where it was written.

use language::axes::Axis;
use language::document::{Override, in_words};
use models::scenario::DesignSettings;
use settings::{Node, Path, Problem, Problems, Span};
use sim_core::random::{Draw, hash};

/// Maximum number of points; more are a mistake.
const POINTS_MAX: usize = 1_000_000;

/// One combination of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its number, from 0.
    pub number: usize,
    /// Its values, in the order of the axes; `None` for the scenario's own value.
    pub values: Vec<Option<Node>>,
}

impl Point {
    /// The values as overrides of the scenario.
    pub fn overrides(&self, axes: &[Axis]) -> Vec<Override> {
        let both = axes.iter().zip(&self.values);
        both.filter_map(|(axis, value)| {
            Some(Override { path: axis.path.clone(), path_span: axis.span, value: value.clone()? })
        })
        .collect()
    }

    /// The values as written; empty for the scenario's own value.
    pub fn texts(&self) -> Vec<String> {
        self.values.iter().map(|value| value.as_ref().map_or_else(String::new, in_words)).collect()
    }
}

/// The points of a design. `seed` determines the draws of a Latin hypercube.
pub fn points(axes: &[Axis], design: DesignSettings, seed: u64, span: Span, problems: &mut Problems) -> Vec<Point> {
    let refuse = |message: String, problems: &mut Problems| {
        problems.push(Problem::error("bad_design", span, message).path(Path::of(&["sweep", "design"])));
        Vec::new()
    };
    let lengths: Vec<usize> = axes.iter().map(|axis| axis.values.len()).collect();
    let choices: Vec<Vec<Option<usize>>> = match design {
        DesignSettings::Grid => {
            let count = lengths.iter().try_fold(1usize, |all, n| all.checked_mul(*n).filter(|all| *all <= POINTS_MAX));
            let Some(count) = count else {
                return refuse(format!("the grid has more than {POINTS_MAX} points"), problems);
            };
            (0..count).map(|number| grid_point(number, &lengths)).collect()
        }
        DesignSettings::Zip => {
            let longest = lengths.iter().copied().max().unwrap_or(0);
            if lengths.iter().any(|length| *length != longest) {
                let lengths: Vec<String> = axes.iter().map(|a| format!("{} has {}", a.path, a.values.len())).collect();
                return refuse(format!("`zip` needs equally many values: {}", lengths.join(", ")), problems);
            }
            (0..longest).map(|number| vec![Some(number); axes.len()]).collect()
        }
        DesignSettings::OneAtATime => {
            let base = vec![None; axes.len()];
            let alone = |axis: usize, value: usize| {
                let mut point = base.clone();
                point[axis] = Some(value);
                point
            };
            let each = lengths.iter().enumerate().flat_map(|(axis, n)| (0..*n).map(move |value| (axis, value)));
            std::iter::once(base.clone()).chain(each.map(|(axis, value)| alone(axis, value))).collect()
        }
        DesignSettings::LatinHypercube { points } => {
            if points == 0 || points as usize > POINTS_MAX {
                return refuse(format!("between 1 and {POINTS_MAX} points can be chosen"), problems);
            }
            let columns: Vec<Vec<usize>> = axes.iter().map(|axis| latin_column(points as usize, axis, seed)).collect();
            (0..points as usize).map(|number| columns.iter().map(|column| Some(column[number])).collect()).collect()
        }
    };
    let value = |axis: usize, choice: &Option<usize>| choice.map(|index| axes[axis].values[index].clone());
    choices
        .iter()
        .enumerate()
        .map(|(number, choice)| Point {
            number,
            values: choice.iter().enumerate().map(|(axis, choice)| value(axis, choice)).collect(),
        })
        .collect()
}

/// The last axis varies fastest.
fn grid_point(number: usize, lengths: &[usize]) -> Vec<Option<usize>> {
    let mut rest = number;
    let mut point: Vec<Option<usize>> = lengths
        .iter()
        .rev()
        .map(|length| {
            let choice = rest % length;
            rest /= length;
            Some(choice)
        })
        .collect();
    point.reverse();
    point
}

/// Each value about equally often, in a random order drawn for this axis.
fn latin_column(points: usize, axis: &Axis, seed: u64) -> Vec<usize> {
    let mut draw = Draw::new(hash(seed, "latin hypercube"), hash(seed, &axis.path.to_string()) as u32, 0);
    let mut order: Vec<usize> = (0..points).collect();
    for place in (1..points).rev() {
        order.swap(place, draw.below(place as u64 + 1) as usize);
    }
    order.into_iter().map(|stratum| stratum * axis.values.len() / points).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(path: &str, values: &[&str]) -> Axis {
        Axis {
            path: Path::parse(path).expect("a path"),
            span: Span::NOWHERE,
            values: values.iter().map(|v| Node::scalar(*v)).collect(),
        }
    }

    fn texts(axes: &[Axis], design: DesignSettings) -> Vec<String> {
        let mut problems = Problems::new();
        let points = points(axes, design, 1, Span::NOWHERE, &mut problems);
        assert!(!problems.has_errors());
        points.iter().map(|p| p.texts().join(" ")).collect()
    }

    #[test]
    fn a_grid_has_every_combination_and_the_last_axis_runs_fastest() {
        let axes = [axis("a", &["1", "2"]), axis("b", &["x", "y", "z"])];
        assert_eq!(texts(&axes, DesignSettings::Grid), ["1 x", "1 y", "1 z", "2 x", "2 y", "2 z"]);
    }

    #[test]
    fn zip_goes_through_the_axes_together_and_refuses_unequal_ones() {
        let axes = [axis("a", &["1", "2"]), axis("b", &["x", "y"])];
        assert_eq!(texts(&axes, DesignSettings::Zip), ["1 x", "2 y"]);
        let mut problems = Problems::new();
        let unequal = [axis("a", &["1", "2"]), axis("b", &["x"])];
        assert!(points(&unequal, DesignSettings::Zip, 1, Span::NOWHERE, &mut problems).is_empty());
        assert!(problems.has_errors());
    }

    #[test]
    fn one_at_a_time_begins_with_the_scenario_as_it_is() {
        let axes = [axis("a", &["1", "2"]), axis("b", &["x"])];
        assert_eq!(texts(&axes, DesignSettings::OneAtATime), [" ", "1 ", "2 ", " x"]);
    }

    #[test]
    fn a_latin_hypercube_takes_every_value_equally_often() {
        let values: Vec<String> = (0..8).map(|v| v.to_string()).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let axes = [axis("a", &values), axis("b", &values)];
        let points = texts(&axes, DesignSettings::LatinHypercube { points: 16 });
        for place in [0, 1] {
            for value in &values {
                let with = points.iter().filter(|p| p.split(' ').nth(place) == Some(value)).count();
                assert_eq!(with, 2, "{value} on axis {place}");
            }
            assert!(points.windows(2).any(|p| p[0].split(' ').nth(place) > p[1].split(' ').nth(place)));
        }
        assert!(points.iter().any(|p| p.split(' ').next() != p.split(' ').nth(1)), "the axes are drawn apart");
    }
}

//! The points of a sweep: which values its axes have, and which combinations of them are run.
//!
//! All points are known before the first one starts. Each keeps its values as trees with their places, so that a value
//! that the scenario refuses is shown where it was written.

use models::scenario::{DesignSettings, RangeSettings, SweepSettings};
use settings::{Node, Path, Problem, Problems, Reader, Setting, Span, Value};
use sim_core::random::{Draw, hash};

use crate::document::Override;
use crate::load::in_words;
use crate::quantity::{Quantity, steps};

/// More points than this are a mistake.
const POINTS_MAX: usize = 1_000_000;

/// What is varied: a path and its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The path in the scenario.
    pub path: Path,
    /// Where it was written.
    pub span: Span,
    /// The values, in their order.
    pub values: Vec<Node>,
}

/// One combination of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its number, from 0.
    pub number: usize,
    /// Its values, in the order of the axes; `None` where the scenario's own stands.
    pub values: Vec<Option<Node>>,
}

impl Point {
    /// Its values as overrides of the scenario.
    pub fn overrides(&self, axes: &[Axis]) -> Vec<Override> {
        let both = axes.iter().zip(&self.values);
        both.filter_map(|(axis, value)| {
            Some(Override { path: axis.path.clone(), path_span: axis.span, value: value.clone()? })
        })
        .collect()
    }

    /// Its values as they are written; empty where the scenario's own stands.
    pub fn texts(&self) -> Vec<String> {
        self.values.iter().map(|value| value.as_ref().map_or_else(String::new, in_words)).collect()
    }
}

/// The axes as they are written.
pub fn axes(settings: &SweepSettings, document: &Node, problems: &mut Problems) -> Vec<Axis> {
    let at = Path::of(&["sweep", "vary"]);
    if settings.vary.iter().next().is_none() {
        let span = document.entry("sweep").map_or(Span::NOWHERE, |e| e.key_span);
        problems.push(Problem::error("nothing_to_vary", span, "`vary` names nothing to vary").path(at));
        return Vec::new();
    }
    let mut axes = Vec::new();
    for entry in settings.vary.iter() {
        let (name, span) = (entry.name.as_str(), entry.name_span);
        let path = match Path::parse(name) {
            Ok(path) => path,
            Err(why) => {
                problems.push(Problem::error("bad_override", span, why).path(at.clone()));
                continue;
            }
        };
        if path.segments().first().is_some_and(|first| first == "sweep" || first == "seed") {
            let problem = Problem::error("bad_override", span, format!("`{path}` cannot be varied"));
            problems.push(problem.path(at.clone()).help("seeds are varied by `replications`"));
            continue;
        }
        if let Some(values) = values_of(&entry.value, &at.join(name), settings.design, problems) {
            axes.push(Axis { path, span, values });
        }
    }
    axes
}

fn values_of(node: &Node, at: &Path, design: DesignSettings, problems: &mut Problems) -> Option<Vec<Node>> {
    if let Some(members) = node.members() {
        if members.is_empty() {
            problems.push(Problem::error("nothing_to_vary", node.span, "the list is empty").path(at.clone()));
            return None;
        }
        return Some(members.to_vec());
    }
    let is_range = node.entry("from").is_some() || node.entry("to").is_some() || node.entry("steps").is_some();
    if !is_range {
        let message = format!("expected a list of values or a range, found {}", node.found());
        let problem = Problem::error("wrong_type", node.span, message).path(at.clone());
        problems.push(problem.help("write `[5, 10, 20]` or `{from: 200/s, to: 2000/s, steps: 10}`"));
        return None;
    }
    let mut reader = Reader::at(at.clone());
    let range = RangeSettings::read(node, &mut reader);
    problems.extend(std::mem::take(&mut reader.problems));
    let range = range?;
    let Some(count) = range.steps.or(match design {
        DesignSettings::LatinHypercube { points } => Some(points.max(2)),
        _ => None,
    }) else {
        let problem = Problem::error("missing_key", node.span, "`steps` is missing").path(at.clone());
        problems.push(problem.help("`steps`: How many values"));
        return None;
    };
    let (from, to) = (range.from.as_text()?, range.to.as_text()?);
    let Some((from, to)) = Quantity::parse_both(from, to) else {
        let message = format!("`{from}` and `{to}` are not two quantities of one unit");
        let problem = Problem::error("bad_range", node.span, message).path(at.clone());
        problems.push(problem.help("write a list where values are not numbers"));
        return None;
    };
    if range.log && (from.value <= 0.0 || to.value <= 0.0) {
        let problem = Problem::error("bad_range", node.span, "equal ratios need two values above zero");
        problems.push(problem.path(at.clone()));
        return None;
    }
    let mut texts: Vec<String> = steps(from, to, count, range.log).iter().map(Quantity::text).collect();
    // Whole numbers between near ends fall together.
    texts.dedup();
    Some(texts.into_iter().map(|text| Node::new(Value::Scalar { text, plain: true }, node.span)).collect())
}

/// The points of a design. `seed` decides the draws of a Latin hypercube.
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

/// The last axis runs fastest.
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

/// Every value about equally often, in an order drawn for this axis.
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

    #[test]
    fn a_range_has_its_ends_and_unit() {
        let node =
            settings::notation::parse("{from: 200/s, to: 600/s, steps: 3}", settings::SourceId(0)).expect("tree");
        let mut problems = Problems::new();
        let values = values_of(&node, &Path::root(), DesignSettings::Grid, &mut problems).expect("a range");
        let texts: Vec<&str> = values.iter().filter_map(Node::as_text).collect();
        assert_eq!(texts, ["200/s", "400/s", "600/s"]);
        // Points that fill a space need no steps; those of a grid do.
        let node = settings::notation::parse("{from: 200/s, to: 600/s}", settings::SourceId(0)).expect("tree");
        let cube = DesignSettings::LatinHypercube { points: 5 };
        let values = values_of(&node, &Path::root(), cube, &mut problems).expect("a range");
        let texts: Vec<&str> = values.iter().filter_map(Node::as_text).collect();
        assert_eq!(texts, ["200/s", "300/s", "400/s", "500/s", "600/s"]);
        assert_eq!(values_of(&node, &Path::root(), DesignSettings::Grid, &mut problems), None);
        assert!(problems.has_errors());
    }
}

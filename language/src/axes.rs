//! The axes of a sweep as written: paths, each with a list of values or a range.

use models::scenario::{DesignSettings, RangeSettings, SweepSettings};
use settings::{Node, Path, Problem, Problems, Reader, Setting, Span, Value};

use crate::quantity::{Quantity, steps};

/// One axis: a path and its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The path in the scenario.
    pub path: Path,
    /// Where it was written.
    pub span: Span,
    /// The values, in order.
    pub values: Vec<Node>,
}

/// The axes as written.
pub fn axes(settings: &SweepSettings, document: &Node, problems: &mut Problems) -> Vec<Axis> {
    let at = Path::of(&["sweep", "vary"]);
    if settings.vary.iter().next().is_none() {
        let span = document.entry("sweep").map_or(Span::NOWHERE, |e| e.key_span);
        problems.push(Problem::error("nothing_to_vary", span, "`vary` is empty").path(at));
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
        DesignSettings::Grid | DesignSettings::Zip | DesignSettings::OneAtATime => None,
    }) else {
        let problem = Problem::error("missing_key", node.span, "`steps` is missing").path(at.clone());
        problems.push(problem.help("`steps`: How many values"));
        return None;
    };
    let (from, to) = (range.from.as_text()?, range.to.as_text()?);
    let Some((from, to)) = Quantity::parse_both(from, to) else {
        let message = format!("`{from}` and `{to}` have different units");
        let problem = Problem::error("bad_range", node.span, message).path(at.clone());
        problems.push(problem.help("write a list where values are not numbers"));
        return None;
    };
    if range.log && (from.value <= 0.0 || to.value <= 0.0) {
        let problem = Problem::error("bad_range", node.span, "equal ratios need two positive values");
        problems.push(problem.path(at.clone()));
        return None;
    }
    let mut texts: Vec<String> = steps(from, to, count, range.log).iter().map(Quantity::text).collect();
    // Integers between close bounds coincide.
    texts.dedup();
    Some(texts.into_iter().map(|text| Node::new(Value::Scalar { text, plain: true }, node.span)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_ends_and_unit() {
        let node =
            settings::notation::parse("{from: 200/s, to: 600/s, steps: 3}", settings::SourceId(0)).expect("tree");
        let mut problems = Problems::new();
        let values = values_of(&node, &Path::root(), DesignSettings::Grid, &mut problems).expect("a range");
        let texts: Vec<&str> = values.iter().filter_map(Node::as_text).collect();
        assert_eq!(texts, ["200/s", "400/s", "600/s"]);
        // Space-filling points need no `steps`; those of a grid do.
        let node = settings::notation::parse("{from: 200/s, to: 600/s}", settings::SourceId(0)).expect("tree");
        let cube = DesignSettings::LatinHypercube { points: 5 };
        let values = values_of(&node, &Path::root(), cube, &mut problems).expect("a range");
        let texts: Vec<&str> = values.iter().filter_map(Node::as_text).collect();
        assert_eq!(texts, ["200/s", "300/s", "400/s", "500/s", "600/s"]);
        assert_eq!(values_of(&node, &Path::root(), DesignSettings::Grid, &mut problems), None);
        assert!(problems.has_errors());
    }
}

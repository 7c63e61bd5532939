//! The findings of a sweep, in sentences computed from its figures alone.
//!
//! Failed points come first, then the objectives and where they hold, then the course of each metric along the axis with the
//! most values: it rises, falls, has an optimum, or levels off. Warnings about the reliability of the figures come last.

use std::collections::BTreeMap;

use lab::metrics::Unit;
use lab::sweep::{Bound, Swept, SweptPoint};

use super::charts::{distinct, goes_on, longest_axis};
use crate::findings::{Finding, Severity};
use crate::{figures, words};

/// Values that differ by less than this, relative to the larger, count as equal.
const SAME: f64 = 0.02;
/// Half-width, relative to the mean, above which an interval counts as wide.
const WIDE: f64 = 0.2;

/// All findings about a sweep, the worst first.
#[must_use]
pub fn findings(swept: &Swept) -> Vec<Finding> {
    let mut found = failures(swept);
    found.extend(swept.bounds.iter().filter_map(|bound| objective(swept, bound)));
    let lines = lines(swept);
    for metric in 0..swept.metrics.len() {
        found.extend(course(swept, metric, &lines));
    }
    found.extend(trust(swept));
    found.sort_by_key(|finding| finding.severity);
    found
}

/// A value of an axis in words: `connections of db 20`.
fn setting(swept: &Swept, axis: usize, text: &str) -> String {
    format!("{} {text}", words::setting(&swept.axes[axis]))
}

fn settings(swept: &Swept, point: &SweptPoint) -> String {
    let each = point.values.iter().enumerate().map(|(axis, text)| setting(swept, axis, text));
    each.collect::<Vec<_>>().join(", ")
}

fn failures(swept: &Swept) -> Vec<Finding> {
    let failed: Vec<&SweptPoint> = swept.points.iter().filter(|point| point.error().is_some()).collect();
    let Some(first) = failed.first() else { return Vec::new() };
    let text = format!(
        "{} of {} points failed, the first at {}: {}.",
        failed.len(),
        swept.points.len(),
        settings(swept, first),
        first.error().unwrap_or_default().trim_end_matches('.')
    );
    vec![Finding::plain("sweep", Severity::Critical, "points".to_owned(), text)]
}

/// Where the mean meets an objective, and up to which value if there is a single border.
fn objective(swept: &Swept, bound: &Bound) -> Option<Finding> {
    let metric = swept.metrics.iter().position(|metric| *metric == bound.metric)?;
    let known: Vec<(&SweptPoint, bool)> = swept
        .points
        .iter()
        .filter_map(|point| {
            // A metric that is unknown or infinite in a run does not meet the objective there.
            if point.is_unknown_in_some(metric) {
                return Some((point, false));
            }
            let mean = point.interval(metric)?.mean;
            Some((point, if bound.below { mean <= bound.value } else { mean >= bound.value }))
        })
        .collect();
    let held = known.iter().filter(|(_, holds)| *holds).count();
    let (severity, text) = match held {
        _ if known.is_empty() => return None,
        0 => (Severity::Critical, format!("The objective \"{}\" fails at every point.", bound.name)),
        all if all == known.len() => {
            (Severity::Good, format!("The objective \"{}\" holds at every point, by the mean.", bound.name))
        }
        some => {
            let where_ = border(swept, &known).unwrap_or_default();
            let count = known.len();
            let text =
                format!("The objective \"{}\" holds at {some} of {count} points, by the mean{where_}.", bound.name);
            (Severity::Warning, text)
        }
    };
    Some(Finding::plain("sweep", severity, bound.metric.clone(), text))
}

/// For a single numeric axis: the two values between which the objective ceases to hold, if it does so once.
fn border(swept: &Swept, known: &[(&SweptPoint, bool)]) -> Option<String> {
    if swept.axes.len() != 1 {
        return None;
    }
    let texts: Vec<&str> = known.iter().map(|(point, _)| point.values[0].as_str()).collect();
    let (_, numbers) = figures::quantities(&texts)?;
    let mut sorted: Vec<(f64, &str, bool)> =
        numbers.iter().zip(known).map(|(number, (point, holds))| (*number, point.values[0].as_str(), *holds)).collect();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let changes: Vec<usize> = (1..sorted.len()).filter(|at| sorted[*at].2 != sorted[at - 1].2).collect();
    let [at] = changes.as_slice() else { return None };
    let (before, after) = (&sorted[at - 1], &sorted[*at]);
    let name = words::setting(&swept.axes[0]);
    Some(if before.2 {
        format!(": up to {name} {}, but not at {}", before.1, after.1)
    } else {
        format!(": from {name} {}, but not at {}", after.1, before.1)
    })
}

/// Points along the longest axis with equal values on all other axes.
struct Way<'s> {
    /// The values of the other axes in words; empty if there are none.
    of: String,
    /// Value on the axis and point, ascending.
    points: Vec<(&'s str, &'s SweptPoint)>,
    axis: usize,
}

fn lines(swept: &Swept) -> Vec<Way<'_>> {
    let axes: Vec<usize> =
        if swept.one_at_a_time { (0..swept.axes.len()).collect() } else { longest_axis(swept).into_iter().collect() };
    let mut ways: Vec<Way<'_>> = Vec::new();
    for axis in axes {
        let texts = distinct(swept, axis);
        let Some((_, numbers)) = figures::quantities(&texts) else { continue };
        let by_text: BTreeMap<&str, f64> = texts.iter().copied().zip(numbers).collect();
        let number = |text: &str| by_text.get(text).copied().unwrap_or(0.0);
        let from = ways.len();
        let course: Vec<f64> = swept.points.iter().map(|point| number(&point.values[axis])).collect();
        let together = goes_on(&course);
        for point in &swept.points {
            if swept.one_at_a_time && point.varied.iter().enumerate().any(|(other, varied)| *varied && other != axis) {
                continue;
            }
            let others = (0..swept.axes.len()).filter(|other| *other != axis && distinct(swept, *other).len() > 1);
            // Axes varied together (`zip`) make one way, named by this axis.
            let of: Vec<String> = if swept.one_at_a_time || together {
                Vec::new()
            } else {
                others.map(|other| setting(swept, other, &point.values[other])).collect()
            };
            let of = of.join(", ");
            match ways[from..].iter_mut().find(|way| way.of == of) {
                Some(way) => way.points.push((&point.values[axis], point)),
                None => ways.push(Way { of, points: vec![(&point.values[axis], point)], axis }),
            }
        }
        ways[from..]
            .iter_mut()
            .for_each(|way| way.points.sort_by(|one, other| number(one.0).total_cmp(&number(other.0))));
    }
    ways.retain(|way| way.points.len() > 2);
    ways
}

/// The course of a metric along a single line; with several lines, its extremes and its knees.
fn course(swept: &Swept, metric: usize, ways: &[Way<'_>]) -> Vec<Finding> {
    let unit = swept.units[metric];
    let name = words::capital(&words::metric(&swept.metrics[metric]));
    let note = |text: String| Finding::plain("sweep", Severity::Note, swept.metrics[metric].clone(), text);
    // With axes varied together, the points differ on the other axes, too.
    let several = ways.len() > 1 && !swept.one_at_a_time || ways.iter().any(|way| way.of.contains(','));
    if several || ways.is_empty() {
        let knees = ways.iter().filter_map(|way| {
            let said = knee_along(swept, way, metric, unit, &name)?;
            Some(if way.of.is_empty() { said } else { format!("With {}: {said}", way.of) })
        });
        return extremes(swept, metric, &name).into_iter().chain(knees.take(KNEES_MAX)).map(note).collect();
    }
    ways.iter().filter_map(|way| along(swept, way, metric, unit, &name)).map(note).collect()
}

fn extremes(swept: &Swept, metric: usize, name: &str) -> Option<String> {
    let unit = swept.units[metric];
    let known: Vec<(&SweptPoint, f64)> =
        swept.points.iter().filter_map(|point| Some((point, point.interval(metric)?.mean))).collect();
    let least = known.iter().min_by(|one, other| one.1.total_cmp(&other.1))?;
    let most = known.iter().max_by(|one, other| one.1.total_cmp(&other.1))?;
    Some(if same(least.1, most.1) {
        format!("{name} is {} at every point.", figures::figure(most.1, unit))
    } else {
        format!(
            "{name} is lowest, {}, at {} and highest, {}, at {}.",
            figures::figure(least.1, unit),
            settings(swept, least.0),
            figures::figure(most.1, unit),
            settings(swept, most.0)
        )
    })
}

fn same(one: f64, other: f64) -> bool {
    (one - other).abs() <= SAME * one.abs().max(other.abs())
}

fn along(swept: &Swept, way: &Way<'_>, metric: usize, unit: Unit, name: &str) -> Option<String> {
    let known: Vec<(&str, f64)> =
        way.points.iter().filter_map(|(text, point)| Some((*text, point.interval(metric)?.mean))).collect();
    let (first, last) = (known.first()?, known.last()?);
    let axis = words::setting(&swept.axes[way.axis]);
    let read = |value: f64| figures::figure(value, unit);
    let least = known.iter().min_by(|one, other| one.1.total_cmp(&other.1))?;
    let most = known.iter().max_by(|one, other| one.1.total_cmp(&other.1))?;
    if known.len() < 3 {
        return None;
    }
    if same(least.1, most.1) {
        return Some(format!("{name} is {} whatever the {axis}.", read(most.1)));
    }
    let ends = |sort: &str, best: &(&str, f64)| {
        format!(
            "{name} is {sort} at {axis} {}: {}; it is {} at {} and {} at {}.",
            best.0,
            read(best.1),
            read(first.1),
            first.0,
            read(last.1),
            last.0
        )
    };
    // An optimum inside the range that exceeds both ends by more than the noise.
    let inside = |best: f64, sign: f64| {
        let edge = if sign > 0.0 { first.1.max(last.1) } else { first.1.min(last.1) };
        !same(best, edge) && (best - edge) * sign > 0.0
    };
    if inside(least.1, -1.0) {
        return Some(ends("least", least));
    }
    if inside(most.1, 1.0) {
        return Some(ends("most", most));
    }
    if let Some(said) = knee_along(swept, way, metric, unit, name) {
        return Some(said);
    }
    let verb = if last.1 > first.1 { "rises" } else { "falls" };
    // The value from which the metric stays at its final level.
    let level = known.iter().rposition(|(_, value)| !same(*value, last.1)).map_or(0, |at| at + 1);
    if level > 0 && known.len() - level >= 3 {
        let from = known[level];
        return Some(format!(
            "{name} {verb} from {} at {axis} {} to {} at {}, and stays within {} % of its last value from there on.",
            read(first.1),
            first.0,
            read(from.1),
            from.0,
            (SAME * 100.0).round()
        ));
    }
    let change = if first.1 > 0.0 && last.1 > 0.0 {
        let factor = if last.1 > first.1 { last.1 / first.1 } else { first.1 / last.1 };
        if factor >= 1.5 { format!(", by a factor of {}", crate::units::quantity(factor)) } else { String::new() }
    } else {
        String::new()
    };
    Some(format!(
        "{name} {verb} from {} at {axis} {} to {} at {}{change}.",
        read(first.1),
        first.0,
        read(last.1),
        last.0
    ))
}

/// Maximum number of knees reported per metric if there are several lines.
const KNEES_MAX: usize = 4;

/// Where the curve of a metric bends, and its slope beyond; `None` if it has no knee.
fn knee_along(swept: &Swept, way: &Way<'_>, metric: usize, unit: Unit, name: &str) -> Option<String> {
    let known: Vec<(&str, f64)> =
        way.points.iter().filter_map(|(text, point)| Some((*text, point.interval(metric)?.mean))).collect();
    let knee = knee(&known, &numbers(way)?)?;
    let (first, last, (at, value)) = (known.first()?, known.last()?, known[knee.at]);
    let axis = words::setting(&swept.axes[way.axis]);
    let read = |value: f64| figures::figure(value, unit);
    let verb = if last.1 > first.1 { "rises" } else { "falls" };
    let percent = (SAME * 100.0).round();
    if knee.steeper && same(first.1, value) {
        return Some(format!(
            "{name} has a knee at {axis} {at}: it stays within {percent} % of {} up to there, then {verb} to {} at {}.",
            read(first.1),
            read(last.1),
            last.0
        ));
    }
    let beyond = match knee.steeper {
        true => {
            let ratio = crate::units::quantity(knee.ratio);
            format!(", then to {} at {}, {ratio} times as steeply", read(last.1), last.0)
        }
        false if known[knee.at..].iter().all(|(_, value)| same(*value, last.1)) => {
            format!(", and stays within {percent} % of its last value from there on")
        }
        false => format!(", then only to {} at {}", read(last.1), last.0),
    };
    Some(format!(
        "{name} has a knee at {axis} {at}: it {verb} from {} at {} to {} there{beyond}.",
        read(first.1),
        first.0,
        read(value)
    ))
}

/// The values on the axis of a way, if all are numbers of one unit.
fn numbers(way: &Way<'_>) -> Option<Vec<f64>> {
    let texts: Vec<&str> = way.points.iter().map(|(text, _)| *text).collect();
    figures::quantities(&texts).map(|(_, numbers)| numbers)
}

/// Minimum number of points for a knee, so that there is a slope before and after it.
const KNEE_POINTS: usize = 5;
/// Minimum distance of the curve from the line between its ends, as a share of the height between them.
const KNEE_DEPTH: f64 = 0.35;
/// Minimum ratio of the slopes on both sides.
const KNEE_RATIO: f64 = 4.0;

/// A bend of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Knee {
    /// Index of the point.
    at: usize,
    /// Whether the curve is steeper beyond it.
    steeper: bool,
    /// Ratio of the slopes.
    ratio: f64,
}

/// The knee of a monotone curve: the point farthest from the line between its ends (Satopää and others, *Finding a
/// "Kneedle" in a Haystack*, 2011), if the curve bends there and not everywhere.
fn knee(known: &[(&str, f64)], x: &[f64]) -> Option<Knee> {
    if known.len() < KNEE_POINTS || x.len() != known.len() {
        return None;
    }
    let (first, last) = (known.first()?.1, known.last()?.1);
    let (from, to) = (*x.first()?, *x.last()?);
    let sign = (last - first).signum();
    if first == last || from == to || known.windows(2).any(|pair| (pair[1].1 - pair[0].1) * sign < 0.0) {
        return None;
    }
    let height = |at: usize| (known[at].1 - first) / (last - first);
    let along = |at: usize| (x[at] - from) / (to - from);
    let off = |at: usize| (along(at) - height(at)).abs();
    let at = (1..known.len() - 1).max_by(|one, other| off(*one).total_cmp(&off(*other)))?;
    let (before, after) = (height(at) / along(at), (1.0 - height(at)) / (1.0 - along(at)));
    let steeper = after > before;
    let ratio = if steeper { after / before.max(1e-9) } else { before / after.max(1e-9) };
    (off(at) >= KNEE_DEPTH && ratio >= KNEE_RATIO).then_some(Knee { at, steeper, ratio: ratio.min(1000.0) })
}

/// Warnings about the reliability of the figures.
fn trust(swept: &Swept) -> Vec<Finding> {
    let mut found = Vec::new();
    if swept.replications == 1 {
        let text = "One run per point: no confidence intervals. Use `--replications 10`.";
        found.push(Finding::plain("sweep", Severity::Note, String::new(), text.to_owned()));
    }
    for (metric, path) in swept.metrics.iter().enumerate().filter(|(_, path)| !lab::metrics::is_event(path)) {
        let wide = swept.points.iter().filter(|point| {
            let interval = point.interval(metric);
            interval.and_then(|i| i.half_width.map(|half| half > WIDE * i.mean.abs() && half > 0.0)).unwrap_or(false)
        });
        let wide = wide.count();
        if wide > 0 {
            let text = format!(
                "The interval of {} is wider than ± {} % of its mean at {wide} of {} points; use more replications.",
                words::metric(path),
                (WIDE * 100.0).round(),
                swept.points.len()
            );
            found.push(Finding::plain("sweep", Severity::Warning, path.clone(), text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knee_of(y: impl Fn(f64) -> f64, x: &[f64]) -> Option<Knee> {
        let known: Vec<(&str, f64)> = x.iter().map(|x| ("x", y(*x))).collect();
        knee(&known, x)
    }

    #[test]
    fn a_knee_is_where_a_curve_bends() {
        let loads: Vec<f64> = (0..10).map(|n| f64::from(n) * 0.11).collect();
        // The mean wait of M/M/1.
        let knee = knee_of(|load| 1.0 / (1.0 - load), &loads).expect("the wait explodes");
        assert!(knee.steeper && knee.at == 8 && knee.ratio > 10.0, "{knee:?}");
        // Throughput that rises to a ceiling.
        let knee = knee_of(|load| load.min(0.44), &loads).expect("it is flat beyond the ceiling");
        assert_eq!((knee.at, knee.steeper), (4, false));
        assert_eq!(knee_of(|load| 3.0 * load, &loads), None, "a straight line has none");
        assert_eq!(knee_of(|load| load * load, &loads), None, "nor what bends everywhere alike");
        assert_eq!(knee_of(|load| (load - 0.5).abs(), &loads), None, "nor what turns round");
    }
}

//! Finds the cheapest combination of several whole-number settings under which an objective holds.
//!
//! The search enumerates the combinations of all settings but the last. For each it brackets the smallest value of the last
//! setting that holds, as [`find`](super::find) does, but only within the range that would be cheaper than the best
//! combination so far. Like bracketing, it only assumes that if a value of the last setting holds, larger ones do too.

use std::sync::Arc;

use serde::Serialize;
use settings::{Node, Path, Span};

use super::{Objective, Search, Tried, Unanswered, Verdict, try_at};
use crate::metrics::Unit;
use crate::replicate::{self, Control, Stopped};
use language::Loaded;
use language::document::Override;

/// Maximum number of combinations of all settings but the last; a search over more would take too long.
const COMBINATIONS_MAX: u64 = 1000;

/// A setting with a price.
#[derive(Clone, Debug, PartialEq)]
pub struct Priced {
    /// Path of the setting to vary.
    pub path: Path,
    /// The smallest value.
    pub from: u64,
    /// The largest value.
    pub to: u64,
    /// Cost of one unit, in any currency; not negative.
    pub cost: f64,
}

/// Values of all settings, with the result of their runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Configuration {
    /// Values by setting, in the order of the request.
    pub values: Vec<u64>,
    /// Total cost of these values.
    pub cost: f64,
    /// The result of the runs.
    #[serde(flatten)]
    pub tried: Tried,
}

/// The answer and its evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cheapest {
    /// Version of this format; always 1.
    pub format: u32,
    /// Paths of the settings that were varied.
    pub paths: Vec<String>,
    /// Cost of one unit of each setting.
    pub costs: Vec<f64>,
    /// The objective.
    pub objective: Objective,
    /// Index of the cheapest combination that holds in the evidence; `None` if none does.
    pub best: Option<usize>,
    /// True if the search was interrupted: a cheaper combination may exist.
    pub cut_short: bool,
    /// Every combination tried, in order.
    pub evidence: Vec<Configuration>,
    /// Unit of the metric.
    #[serde(skip)]
    pub unit: Unit,
}

/// Runs the search. `search` gives the objective and the confidence of each verdict; its path and ends are not used.
pub fn cheapest(
    loaded: &Arc<Loaded>,
    settings: &[Priced],
    search: &Search,
    control: &Control<'_>,
) -> Result<Cheapest, Unanswered> {
    let refuse = |why: String| Unanswered::Stopped(Stopped::Failed(why));
    let Some((_, others)) = settings.split_last() else { return Err(refuse("nothing is varied".into())) };
    let counts = others.iter().map(|setting| setting.to - setting.from + 1);
    let combinations = counts.fold(1_u64, u64::saturating_mul);
    if combinations > COMBINATIONS_MAX {
        return Err(refuse(format!(
            "{combinations} combinations of all settings but the last are more than can be tried ({COMBINATIONS_MAX}); \
             narrow them, or vary the one with the most values last"
        )));
    }
    let mut found = Cheapest {
        format: 1,
        paths: settings.iter().map(|setting| setting.path.to_string()).collect(),
        costs: settings.iter().map(|setting| setting.cost).collect(),
        objective: search.objective.clone(),
        best: None,
        cut_short: false,
        evidence: Vec::new(),
        unit: replicate::unit(&replicate::shape(loaded), &search.objective.metric),
    };
    match try_all(loaded, settings, search, control, combinations, &mut found) {
        // Keep the combinations tried so far.
        Err(Unanswered::Stopped(Stopped::Cut)) if !found.evidence.is_empty() => found.cut_short = true,
        other => other?,
    }
    Ok(found)
}

/// Tries all combinations of all settings but the last.
fn try_all(
    loaded: &Arc<Loaded>,
    settings: &[Priced],
    search: &Search,
    control: &Control<'_>,
    combinations: u64,
    found: &mut Cheapest,
) -> Result<(), Unanswered> {
    let Some((last, others)) = settings.split_last() else { return Ok(()) };
    let cost = |values: &[u64]| -> f64 { values.iter().zip(settings).map(|(v, s)| *v as f64 * s.cost).sum() };
    for number in 0..combinations {
        let mut rest = number;
        let mut values: Vec<u64> = others
            .iter()
            .map(|setting| {
                let count = setting.to - setting.from + 1;
                let value = setting.from + rest % count;
                rest /= count;
                value
            })
            .collect();
        values.push(last.from);
        let bound = found.best.map_or(f64::INFINITY, |best| found.evidence[best].cost);
        let with = |value: u64| [&values[..others.len()], &[value]].concat();
        // Larger values of the last setting cost as much or more, so bisection finds the largest value that is still cheaper.
        let Some(mut high) = largest(last.from, last.to, |value| cost(&with(value)) < bound) else { continue };
        let mut holds = |value: u64| -> Result<bool, Unanswered> {
            let values = with(value);
            let changes: Vec<Override> = values.iter().zip(settings).map(|(v, s)| change(&s.path, *v)).collect();
            let text = values.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            let tried = try_at(loaded, &changes, (text, number as f64), search, control)?;
            let holds = tried.verdict == Verdict::Holds;
            let configuration = Configuration { cost: cost(&values), values, tried };
            let cheaper = found.best.is_none_or(|best| configuration.cost < found.evidence[best].cost);
            if holds && cheaper {
                found.best = Some(found.evidence.len());
            }
            found.evidence.push(configuration);
            Ok(holds)
        };
        if !holds(high)? {
            continue;
        }
        let mut low = last.from;
        // All values from `high` on hold; none below `low` is known to.
        while low < high {
            let middle = low + (high - low) / 2;
            if holds(middle)? { high = middle } else { low = middle + 1 }
        }
    }
    Ok(())
}

/// The largest number in `from..=to` for which `is` holds; `is` must hold up to that number and fail beyond it.
fn largest(from: u64, to: u64, is: impl Fn(u64) -> bool) -> Option<u64> {
    if !is(from) {
        return None;
    }
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if is(middle) { low = middle } else { high = middle - 1 }
    }
    Some(low)
}

fn change(path: &Path, value: u64) -> Override {
    Override { path: path.clone(), path_span: Span::NOWHERE, value: Node::scalar(value.to_string()) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::find::objective;
    use crate::{Options, Text, load};
    use language::quantity::Quantity;

    /// 300 calls a second of 10 ms at `a` and 20 ms at `b`: three connections at `a` and six at `b` are just enough, without
    /// randomness.
    const SCENARIO: &str = "
version: 1
run: {duration: 20s}
workloads:
  clients: {arrivals: {constant: 300/s}, call: {to: app, timeout: 1s}}
components:
  app:
    kind: service
    runtime: unlimited
    handlers: {default: [{call: a}, {call: b}]}
    calls: {a: {to: a}, b: {to: b}}
  a: {kind: database, connections: 1, operations: {default: 10ms}}
  b: {kind: database, connections: 1, operations: {default: 20ms}}
";

    fn found(costs: [f64; 2], to: u64) -> Result<Cheapest, Unanswered> {
        let text = Text { name: "test.yaml".into(), bytes: SCENARIO.as_bytes().to_vec(), folder: None };
        let loaded = Arc::new(load(&text, &Options::default()).expect("good"));
        let path = |name: &str| Path::parse(&format!("components.{name}.connections")).expect("a path");
        let priced = |name, cost| Priced { path: path(name), from: 1, to, cost };
        let search = Search {
            path: path("a"),
            from: Quantity::parse("1").expect("a count"),
            to: Quantity::parse("2").expect("a count"),
            objective: objective("goodput > 290/s", &loaded).expect("an objective"),
            replications: 2,
            replications_max: 2,
            confidence: 0.95,
            resolution: 0.01,
        };
        let stop = AtomicBool::new(false);
        let control = Control { jobs: 2, stop: &stop, progress: &|_, _| {} };
        cheapest(&loaded, &[priced("a", costs[0]), priced("b", costs[1])], &search, &control)
    }

    #[test]
    fn the_cheapest_is_the_least_of_each_where_neither_can_replace_the_other() {
        let found = found([1.0, 2.5], 10).expect("it runs");
        let best = &found.evidence[found.best.expect("there is one")];
        // 300/s × 10 ms = 3 and 300/s × 20 ms = 6 connections are always busy.
        assert_eq!((best.values.as_slice(), best.cost), ([3, 6].as_slice(), 18.0));
        // Combinations that could not be cheaper were not tried.
        assert!(found.evidence.iter().all(|it| it.cost <= 10.0 + 25.0) && found.evidence.len() < 40);
        let dearer = |it: &&Configuration| it.tried.verdict == Verdict::Holds && it.cost < best.cost;
        assert_eq!(found.evidence.iter().find(dearer), None);
    }

    #[test]
    fn where_nothing_holds_there_is_no_answer_and_too_much_is_refused() {
        assert_eq!(found([1.0, 1.0], 2).expect("it runs").best, None);
        let Err(Unanswered::Stopped(Stopped::Failed(why))) = found([1.0, 1.0], 5000) else { panic!("it is refused") };
        assert!(why.starts_with("5000 combinations"), "{why}");
    }
}

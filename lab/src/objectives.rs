//! Objectives: conditions on metrics, and their evaluation.
//!
//! `below` and `above` compare the metric of the whole run with a bound in the metric's own unit. With `during`, rates and
//! averages are taken over the windows within that time, and a percentile must meet the bound in every one of them (then
//! the percentile over all of them meets it, too). `recovers` looks for the first instant after the end (or start) of a
//! fault or event from which the metric is back for `hold`, window by window: at least `to` times its mean before the
//! fault or, for a time, at most that mean divided by `to`.
//!
//! Over several replications an objective holds with a probability: the share of replications in which it does, with
//! Wilson's interval. `--check` requires that it holds in all of them.

use std::sync::Arc;

use models::faults::timed::Timed;
use models::scenario::{AfterSettings, ObjectiveSettings, RecoversSettings, Scenario};
use settings::bind::NOT_YET;
use settings::{Count, Duration, Fraction, Problem, Problems, Rate, Scalar, Size, Spanned};
use sim_core::time::SECOND;

use crate::metrics::{self, Unit};
use crate::recovery::{self, NEARLY};
use crate::result::{Demand, FaultWindow, Held, ObjectiveResult, Recovers, RunResult, Verdict};
use crate::session::Session;
use crate::statistics;
use language::Loaded;

/// Whether a scenario names metrics that must be looked up before it runs.
pub(crate) fn names_metrics(scenario: &Scenario) -> bool {
    !scenario.objectives.is_empty() || scenario.run.precision.is_some() || scenario.sweep.is_some()
}

/// Checks everything that names a metric; a session that has not started tells which metrics exist.
pub(crate) fn check(loaded: &Loaded, problems: &mut Problems) {
    let scenario = loaded.scenario.clone();
    let result = Session::new(Arc::new(loaded.clone()), scenario.seed, None).result();
    let known = |metric: &Spanned<String>, problems: &mut Problems| {
        let found = metrics::unit(&result, &metric.value).and_then(|unit| {
            // An objective on another objective would be evaluated before it.
            let circular = metrics::is_event(&metric.value) && !metric.path.to_string().starts_with("sweep");
            let unknown = metrics::UnknownMetric { path: metric.value.clone(), nearest: None };
            if circular { Err(unknown) } else { Ok(unit) }
        });
        if let Err(unknown) = &found
            && metrics::is_not_yet(&unknown.path)
        {
            let message = format!("`{}` is not supported yet", unknown.path);
            let help = "it belongs to the language, but this version does not measure it: remove it";
            problems.push(Problem::error(NOT_YET, metric.span, message).path(metric.path.clone()).help(help));
        } else if let Err(unknown) = &found {
            let help = unknown.nearest.as_ref().map(|nearest| format!("did you mean `{nearest}`?"));
            let message = format!("no metric is called `{}`", unknown.path);
            let problem = Problem::error("unknown_metric", metric.span, message).path(metric.path.clone());
            let elsewhere = "the user guide lists the metrics; `run --format json` shows those of this scenario";
            problems.push(problem.help(elsewhere).help_if(help));
        }
        found.ok()
    };
    for (number, objective) in scenario.objectives.iter().enumerate() {
        let unit = known(&objective.metric, problems);
        check_one(&scenario, &result, objective, number, unit, problems);
    }
    if let Some(precision) = &scenario.run.precision {
        known(&precision.metric, problems);
    }
    if let Some(sweep) = &scenario.sweep {
        sweep.measure.iter().for_each(|metric| {
            known(metric, problems);
        });
        for chart in sweep.charts.iter().flatten() {
            known(&chart.value, problems);
        }
    }
}

fn check_one(
    scenario: &Scenario,
    result: &RunResult,
    objective: &ObjectiveSettings,
    number: usize,
    unit: Option<Unit>,
    problems: &mut Problems,
) {
    let at = |key: &str| settings::Path::of(&["objectives", &number.to_string(), key]);
    let metric = &objective.metric;
    let demands = [objective.below.is_some(), objective.above.is_some(), objective.recovers.is_some()];
    if demands.iter().filter(|there| **there).count() != 1 {
        let message = "an objective needs exactly one of `below`, `above` and `recovers`";
        problems.push(Problem::error("several_choices", metric.span, message).path(at("metric")));
    }
    for bound in [&objective.below, &objective.above].into_iter().flatten() {
        if let Some(unit) = unit
            && let Err(problem) = parse_bound(bound, unit)
        {
            problems.push(problem);
        }
    }
    let over_time = objective.during.is_some() || objective.recovers.is_some();
    if unit.is_some() && over_time && metrics::columns(result, &metrics::at_gate(&metric.value)).is_empty() {
        let names: Vec<&str> = result.series.columns.keys().map(|name| name.trim_end_matches("_s")).collect();
        let message =
            format!("`{}` is not kept over time, so it cannot be judged during a part of the run", metric.value);
        let problem = Problem::error("not_over_time", metric.span, message).path(at("metric"));
        // Suggest metrics of the same workload, component or link.
        let owner: Vec<&str> = metric.value.split('.').take(2).collect();
        let owner = format!("{}.", owner.join("."));
        let beside: Vec<&str> = names.iter().copied().filter(|name| name.starts_with(&owner)).collect();
        let beside = if beside.is_empty() { names } else { beside };
        problems.push(problem.help(format!("kept over time in every run: {}", settings::problem::all_of(&beside))));
    }
    if let Some((from, to)) = &objective.during
        && from.0 >= to.0
    {
        let problem = Problem::error("out_of_range", settings::Span::NOWHERE, "`during` must begin before it ends")
            .path(at("during"));
        problems.push(problem);
    }
    if let (Some(_), Some(_)) = (&objective.during, &objective.recovers) {
        let problem = Problem::error("no_effect", settings::Span::NOWHERE, "`during` has no effect beside `recovers`");
        problems.push(problem.path(at("during")));
    }
    if let Some(recovers) = &objective.recovers {
        check_recovers(scenario, recovers, problems);
    }
}

fn check_recovers(scenario: &Scenario, recovers: &RecoversSettings, problems: &mut Problems) {
    let all = scenario.timed();
    let named = |timed: &&Timed<'_>| timed.name.is_some_and(|name| name.as_str() == recovers.from.as_str());
    if !all.iter().any(|timed| named(&timed)) {
        let mut names: Vec<&str> = all.iter().filter_map(|timed| timed.name.map(|name| name.as_str())).collect();
        names.dedup();
        let mut problem =
            Problem::unknown_name("fault or event", recovers.from.as_str(), recovers.from.span, names.clone());
        if names.is_empty() && !all.is_empty() {
            problem.help = Some("none of them has a name: write `name: …`".to_string());
        }
        problems.push(problem.path(recovers.from.path.clone()));
        return;
    }
    let is_replaced =
        |name: &str| scenario.components.get(name).is_some_and(|entry| entry.settings.replace_after().is_some());
    let ends =
        |timed: &&Timed<'_>| timed.lasts.is_some() || timed.what.is_momentary() || timed.what.comes_back(&is_replaced);
    let endless = all.iter().filter(named).find(|timed| !ends(timed));
    if let (Some(timed), AfterSettings::End) = (endless, recovers.after) {
        let (noun, name) = (timed.source.noun(), recovers.from.as_str());
        let message = format!("the {noun} `{name}` never ends, so nothing can recover after its end");
        let problem = Problem::error("no_effect", recovers.from.span, message).path(recovers.from.path.clone());
        problems.push(problem.help("give it a `for`, or count from its start: `after: start`"));
    }
}

/// A bound in the unit of its metric.
fn parse_bound(bound: &Spanned<String>, unit: Unit) -> Result<f64, Problem> {
    let text = bound.value.trim();
    let (parsed, expected) = match unit {
        Unit::Seconds => (Duration::parse(text).map(|d| d.0 as f64 / SECOND as f64), "a time such as `300ms`"),
        Unit::PerSecond => (Rate::parse(text).map(|rate| rate.0), "a rate such as `1200/s`"),
        Unit::Fraction => (Fraction::parse(text).map(|share| share.0), "a share such as `95%`"),
        Unit::Count => {
            (number(text).or_else(|_| Count::parse(text).map(|count| count.0 as f64)), "a count such as `10k`")
        }
        Unit::Bytes => (Size::parse(text).map(|size| size.0 as f64), "a size such as `512MiB`"),
        Unit::Number => (number(text), "a number such as `1.5`"),
    };
    parsed.map_err(|error| {
        let message = format!("this metric is held against {expected}: {}", error.message);
        Problem::error("bad_value", bound.span, message).path(bound.path.clone()).help_if(error.help)
    })
}

fn number(text: &str) -> Result<f64, settings::ValueError> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| settings::ValueError::new(format!("`{text}` is not a number")))
}

/// The unit's suffix behind a number in a result.
fn suffix(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "s",
        Unit::PerSecond => "/s",
        Unit::Bytes => "B",
        Unit::Fraction | Unit::Count | Unit::Number => "",
    }
}

/// Whether all objectives hold; `None` if there are none.
pub(crate) fn verdict(objectives: &[ObjectiveResult]) -> Option<Verdict> {
    let missed = objectives.iter().filter(|objective| !objective.always_holds());
    let reasons: Vec<String> = missed.map(in_words).collect();
    (!objectives.is_empty()).then_some(Verdict { holds: reasons.is_empty(), reasons })
}

/// Evaluates all objectives of a scenario against a result. An objective that cannot be evaluated because the run did not
/// get that far does not hold.
pub fn evaluate(scenario: &Scenario, result: &RunResult) -> Vec<ObjectiveResult> {
    scenario.objectives.iter().filter_map(|objective| judge(objective, result)).collect()
}

fn judge(objective: &ObjectiveSettings, result: &RunResult) -> Option<ObjectiveResult> {
    let path = &metrics::at_gate(&objective.metric.value);
    let metric = metrics::find(result, path).ok()?;
    let name = |words: String| objective.name.as_ref().map_or(words, |name| name.as_str().to_string());
    if let Some(recovers) = &objective.recovers {
        let bound = recovers.within.0 as f64 / SECOND as f64;
        let value = recovery(recovers, result, path, metric.unit);
        return Some(ObjectiveResult {
            name: name(format!("{path} recovers from {} within {}", recovers.from.as_str(), recovers.within.format())),
            metric: path.clone(),
            demand: Demand::Recovers,
            value,
            reason: None,
            bound,
            unit: suffix(Unit::Seconds).to_string(),
            holds: value.is_some_and(|value| value <= bound),
            over: None,
            recovers: Some(Recovers {
                from: recovers.from.as_str().to_string(),
                to: recovers.to.0,
                hold_s: recovers.hold.0 as f64 / SECOND as f64,
            }),
        });
    }
    let (demand, written) = match (&objective.below, &objective.above) {
        (Some(below), _) => (Demand::Below, below),
        (_, Some(above)) => (Demand::Above, above),
        _ => return None,
    };
    let bound = parse_bound(written, metric.unit).ok()?;
    let (value, reason) = match &objective.during {
        Some((from, to)) => {
            let value = over_windows(result, path, metric.unit, demand, seconds(from.0), seconds(to.0));
            let is_infinite = value.is_some_and(f64::is_infinite);
            let reason = "in at least one window more requests failed than the percentile leaves out";
            (value, is_infinite.then(|| reason.to_string()))
        }
        None if metric.infinite.is_some() => (Some(f64::INFINITY), metric.infinite),
        None => (metric.value, None),
    };
    let holds = value.is_some_and(|value| match demand {
        Demand::Below => value <= bound,
        _ => value >= bound,
    });
    let value = value.filter(|value| value.is_finite());
    let words = if demand == Demand::Below { "below" } else { "above" };
    Some(ObjectiveResult {
        name: name(format!("{path} {words} {}", written.value.trim())),
        metric: path.clone(),
        demand,
        value,
        reason,
        bound,
        unit: suffix(metric.unit).to_string(),
        holds,
        over: None,
        recovers: None,
    })
}

fn seconds(ns: i64) -> f64 {
    ns as f64 / SECOND as f64
}

/// The start of every window and a metric's value there (the sum of several columns).
fn windows(result: &RunResult, path: &str) -> Vec<(f64, Option<f64>)> {
    let columns: Vec<&Vec<Option<f64>>> =
        metrics::columns(result, path).iter().filter_map(|name| result.series.columns.get(name)).collect();
    if columns.is_empty() {
        return Vec::new();
    }
    let at = |row: usize| columns.iter().map(|column| column.get(row).copied().flatten()).sum::<Option<f64>>();
    result.series.at_s.iter().enumerate().map(|(row, begins)| (*begins, at(row))).collect()
}

fn over_windows(result: &RunResult, path: &str, unit: Unit, demand: Demand, from: f64, to: f64) -> Option<f64> {
    let width = result.series.window_s;
    let within = windows(result, path)
        .into_iter()
        .filter(|(begins, _)| *begins >= from - NEARLY && begins + width <= to + NEARLY);
    let values: Vec<f64> = within.filter_map(|(_, value)| value).collect();
    if values.is_empty() {
        return None;
    }
    match (unit, demand) {
        (Unit::Seconds, Demand::Below) => values.into_iter().reduce(f64::max),
        (Unit::Seconds, _) => values.into_iter().reduce(f64::min),
        _ => Some(values.iter().sum::<f64>() / values.len() as f64),
    }
}

/// Recovery time of a metric after the end (or start) of a fault or event, s: the longest of all that have the name. `None`
/// if it never recovers, or not long enough before the end of the run. The baseline is its mean over the last stretch
/// without a fault; for an event, before the faults that it follows.
fn recovery(recovers: &RecoversSettings, result: &RunResult, path: &str, unit: Unit) -> Option<f64> {
    let episodes = recovery::episodes(&result.faults);
    let before = |episode: Option<usize>| recovery::baseline(&result.series, &episodes, episode?);
    let is_named = |window: &FaultWindow| window.name.as_deref() == Some(recovers.from.as_str());
    let faults = result.faults.iter().enumerate().filter(|(_, fault)| is_named(fault));
    let faults = faults
        .map(|(number, fault)| (fault, before(episodes.iter().position(|episode| episode.faults.contains(&number)))));
    let events = result.events.iter().filter(|event| is_named(event)).map(|event| {
        let followed = episodes.iter().rposition(|episode| episode.at_s <= event.at_s);
        (event, followed.map_or(Some((0.0, event.at_s)), |episode| before(Some(episode))))
    });
    let windows = windows(result, path);
    let mut slowest: Option<f64> = None;
    for (window, baseline) in faults.chain(events) {
        let from = match recovers.after {
            AfterSettings::Start => window.at_s,
            AfterSettings::End => window.until_s?,
        };
        let took = back_after(recovers, result, &windows, baseline?, (from, unit))?;
        slowest = Some(slowest.map_or(took, |so_far| so_far.max(took)));
    }
    slowest
}

/// Time after `from` until a metric is back at its baseline.
fn back_after(
    recovers: &RecoversSettings,
    result: &RunResult,
    windows: &[(f64, Option<f64>)],
    (calm_from, calm_until): (f64, f64),
    (from, unit): (f64, Unit),
) -> Option<f64> {
    let series = &result.series;
    let before: Vec<f64> = windows
        .get(recovery::windows_between(series, calm_from, calm_until))?
        .iter()
        .filter_map(|(_, value)| *value)
        .filter(|value| value.is_finite())
        .collect();
    if before.is_empty() {
        return None;
    }
    let mean = before.iter().sum::<f64>() / before.len() as f64;
    let is_back = |value: Option<f64>| match unit {
        Unit::Seconds => value.is_some_and(|value| value * recovers.to.0 <= mean),
        _ => value.is_some_and(|value| value >= mean * recovers.to.0),
    };
    let hold_s = recovers.hold.0 as f64 / SECOND as f64;
    let back_s = recovery::back_at(series, from, hold_s, series.window_s, |window| is_back(windows[window].1))?;
    Some((back_s - from).max(0.0))
}

/// The objectives of replication 0, each with the number of replications in which it holds.
pub(crate) fn over_replications(results: &[RunResult], confidence: f64) -> Vec<ObjectiveResult> {
    let Some(first) = results.first() else { return Vec::new() };
    let with_share = |(number, objective): (usize, &ObjectiveResult)| {
        let holds = |result: &&RunResult| result.objectives.get(number).is_some_and(|one| one.holds);
        let (n, held) = (results.len(), results.iter().filter(holds).count());
        let (low, high) = statistics::wilson(held as u64, n as u64, confidence);
        let probability = held as f64 / n as f64;
        ObjectiveResult { over: Some(Held { n, held, probability, low, high, confidence }), ..objective.clone() }
    };
    first.objectives.iter().enumerate().map(with_share).collect()
}

/// An objective in a sentence and, if there were several runs, how often it holds:
/// `p99: 412 ms is 112 ms above its bound of 300 ms; it holds in 7 of 10 runs: 70 %, at 95 % between 39.7 % and 89.2 %`.
pub fn in_words(objective: &ObjectiveResult) -> String {
    let first = in_one_run(objective);
    let Some(over) = &objective.over else { return first };
    let percent = |share: f64| format!("{} %", rounded((share * 1000.0).round() / 10.0));
    format!(
        "{first}; it holds in {} of {} runs: {}, at {} between {} and {}",
        over.held,
        over.n,
        percent(over.probability),
        percent(over.confidence),
        percent(over.low),
        percent(over.high)
    )
}

/// An objective of one run in a sentence: `p99: 412 ms is 112 ms above its bound of 300 ms`.
fn in_one_run(objective: &ObjectiveResult) -> String {
    let quantity = |value: f64| quantity(value, &objective.unit);
    let bound = quantity(objective.bound);
    let what = &objective.name;
    match (objective.demand, objective.value) {
        (Demand::Recovers, None) => format!("{what}: it did not recover (bound {bound} after the fault)"),
        (Demand::Recovers, Some(value)) => {
            let late = if objective.holds {
                String::new()
            } else {
                format!(", {} too late", quantity(value - objective.bound))
            };
            format!("{what}: recovered {} after the fault (bound {bound}){late}", quantity(value))
        }
        (_, None) if objective.reason.is_some() => {
            let why = objective.reason.as_deref().unwrap_or_default();
            format!("{what}: it is infinite, since {why} (bound {bound})")
        }
        (_, None) => format!("{what}: it cannot be known in this run (bound {bound})"),
        (_, Some(value)) if objective.holds => format!("{what}: {} (bound {bound})", quantity(value)),
        (demand, Some(value)) => {
            let (missed, side) = if demand == Demand::Below {
                (value - objective.bound, "above")
            } else {
                (objective.bound - value, "below")
            };
            format!("{what}: {} is {} {side} its bound of {bound}", quantity(value), quantity(missed))
        }
    }
}

/// A value in a unit of results; a time in the largest unit of the language that it has at least one of: `14.47 ms`.
fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "s" => {
            // What four digits round up to one of the larger unit is one.
            let (per_second, unit) = match value.abs() / 0.99995 {
                0.0 | 1.0.. => (1.0, "s"),
                1e-3.. => (1e3, "ms"),
                1e-6.. => (1e6, "µs"),
                _ => (1e9, "ns"),
            };
            format!("{} {unit}", rounded(value * per_second))
        }
        "B" => format!("{} B", rounded(value)),
        _ => format!("{}{unit}", rounded(value)),
    }
}

/// Formats a number with four significant digits, without trailing zeros.
fn rounded(value: f64) -> String {
    if value == 0.0 {
        return "0".to_string();
    }
    let magnitude = libm::floor(libm::log10(value.abs())) as i32;
    let decimals = (3 - magnitude).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

//! Finds the value of a setting at which an objective begins or ceases to hold.
//!
//! The search runs both ends of the range. If the objective holds at only one of them, it bisects until the bracket is
//! narrow enough. It repeats each value until the confidence interval of the metric lies on one side of the bound. If the
//! interval still contains the bound after the maximum number of replications, the value counts as not holding, so that
//! the answer errs on the safe side, and is reported as undecided. All values run under the same random numbers.

pub mod cheapest;

use std::sync::Arc;

use serde::Serialize;
use settings::{Node, Path, Span};
use sim_core::Span as Nanoseconds;

use crate::intervals::{self, Sample};
use crate::loading::patched;
use crate::metrics::{self, Unit};
use crate::replicate::{self, Control, Replicated, Stopped};
use crate::statistics::{self, Interval};
use language::document::Override;
use language::quantity::{Kind, Quantity};
use language::{Loaded, Refused};

/// What must hold: an upper or lower bound for a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    /// The metric.
    pub metric: String,
    /// Whether the metric must be below the bound; otherwise it must be above.
    pub below: bool,
    /// The bound, in the unit of the metric.
    pub bound: f64,
    /// The objective as the user wrote it.
    pub text: String,
}

/// Parses `METRIC < VALUE` or `METRIC > VALUE`; `<=` and `>=` mean the same, since no interval distinguishes them.
pub fn objective(text: &str, loaded: &Arc<Loaded>) -> Result<Objective, String> {
    let example = "write it as in 'workloads.shoppers.latency.p99 < 300ms' or 'goodput > 500/s'";
    let place = text.find(['<', '>']).ok_or_else(|| format!("`{text}` has no `<` or `>`; {example}"))?;
    let metric = text[..place].trim();
    let written = text[place + 1..].trim_start_matches('=').trim();
    let unit = metrics::unit(&replicate::shape(loaded), metric).map_err(|unknown| unknown.to_string())?;
    let bound = Quantity::parse(written).ok_or_else(|| format!("`{written}` is no quantity; {example}"))?;
    let fits = match unit {
        Unit::Seconds => bound.kind == Kind::Duration,
        Unit::PerSecond => bound.kind == Kind::Rate,
        Unit::Fraction => matches!(bound.kind, Kind::Percent | Kind::Number | Kind::Count),
        Unit::Bytes => bound.kind == Kind::Size,
        Unit::Count | Unit::Number => matches!(bound.kind, Kind::Number | Kind::Count),
    };
    if !fits {
        let wanted = match unit {
            Unit::Seconds => "a time such as `300ms`",
            Unit::PerSecond => "a rate such as `500/s`",
            Unit::Fraction => "a share such as `70%`",
            Unit::Bytes => "a size such as `512MiB`",
            Unit::Count | Unit::Number => "a number",
        };
        return Err(format!("`{metric}` is {wanted}, not `{written}`"));
    }
    let below = text.as_bytes()[place] == b'<';
    let metric = metrics::at_gate(&metrics::canonical(metric));
    Ok(Objective { metric, below, bound: bound.value, text: text.trim().to_string() })
}

/// Outcome of the runs at one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval is on the required side of the bound.
    Holds,
    /// The whole interval is on the wrong side.
    Fails,
    /// The bound still lies within the interval after the maximum number of replications; counts as not holding.
    Undecided,
}

/// A value that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// The value in the notation of the scenario.
    pub value: String,
    /// The value as a number, in its base unit.
    #[serde(skip)]
    pub number: f64,
    /// Mean and half-width of the metric; `None` where some run has no value for it.
    pub interval: Option<Interval>,
    /// Runs in which the metric was infinite: so many requests failed that the percentile falls on a failed request.
    #[serde(skip_serializing_if = "is_zero")]
    pub infinite: usize,
    /// Number of runs at this value.
    pub replications: usize,
    /// The verdict of those runs.
    pub verdict: Verdict,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The answer and its evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Version of this format; always 1.
    pub format: u32,
    /// Path of the setting that was varied.
    pub path: String,
    /// The objective.
    pub objective: Objective,
    /// The last value at which the objective holds; `None` if it held at none of the values tried.
    pub holds_at: Option<String>,
    /// The nearest value at which the objective certainly fails; `None` if there is none.
    pub fails_at: Option<String>,
    /// A nearer value that remained undecided after the maximum number of replications; `None` if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided_at: Option<String>,
    /// True if the search was for the largest value, false for the smallest.
    pub largest: bool,
    /// True if the search was interrupted: the answer then lies between `holds_at` and `fails_at`, where both are known.
    pub cut_short: bool,
    /// Every value tried, in ascending order.
    pub evidence: Vec<Tried>,
    /// Unit of the metric.
    #[serde(skip)]
    pub unit: Unit,
}

/// Parameters of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Path of the setting to vary.
    pub path: Path,
    /// One end of the range …
    pub from: Quantity,
    /// … and the other.
    pub to: Quantity,
    /// The objective.
    pub objective: Objective,
    /// Minimum number of replications per value.
    pub replications: u32,
    /// Maximum number of replications per value.
    pub replications_max: u32,
    /// Confidence level of each verdict.
    pub confidence: f64,
    /// The search ends when the bracket is narrower than this, relative to its larger end.
    pub resolution: f64,
}

/// Why a search has no answer.
#[derive(Clone, Debug)]
pub enum Unanswered {
    /// The scenario rejects a value.
    Refused(Box<Refused>),
    /// A run failed or was interrupted.
    Stopped(Stopped),
}

impl From<Stopped> for Unanswered {
    fn from(stopped: Stopped) -> Self {
        Unanswered::Stopped(stopped)
    }
}

/// Runs the search.
pub fn find(loaded: &Arc<Loaded>, search: &Search, control: &Control<'_>) -> Result<Found, Unanswered> {
    let (mut low, mut high) = (search.from, search.to);
    if low.value > high.value {
        std::mem::swap(&mut low, &mut high);
    }
    let mut evidence = Vec::new();
    let (mut holds, mut fails) = (None, None);
    let ended = bracket(loaded, search, (low, high), control, &mut evidence, (&mut holds, &mut fails));
    let cut_short = match ended {
        // Keep the values tried so far.
        Err(Unanswered::Stopped(Stopped::Cut)) if !evidence.is_empty() => true,
        other => other.map(|()| false)?,
    };
    // The end at which the objective holds determines the direction of the search.
    let largest = evidence.first().is_some_and(|tried| tried.verdict == Verdict::Holds);
    evidence.sort_by(|a, b| a.number.total_cmp(&b.number));
    let (fails_at, undecided_at) = neighbours(&evidence, holds.map(|value| value.value), largest);
    Ok(Found {
        format: 1,
        path: search.path.to_string(),
        objective: search.objective.clone(),
        holds_at: holds.map(|value| value.text()),
        fails_at,
        undecided_at,
        largest,
        cut_short,
        evidence,
        unit: replicate::unit(&replicate::shape(loaded), &search.objective.metric),
    })
}

/// The nearest failing value beyond the last one that holds, and any nearer undecided value.
fn neighbours(evidence: &[Tried], holds: Option<f64>, largest: bool) -> (Option<String>, Option<String>) {
    let is_beyond = |tried: &&Tried| match holds {
        Some(holds) if largest => tried.number > holds,
        Some(holds) => tried.number < holds,
        None => true,
    };
    let mut beyond: Vec<&Tried> = evidence.iter().filter(is_beyond).collect();
    // Nearest first.
    if holds.is_some() && !largest {
        beyond.reverse();
    }
    let fails = beyond.iter().position(|tried| tried.verdict == Verdict::Fails);
    let nearer = &beyond[..fails.unwrap_or(beyond.len())];
    let undecided = nearer.iter().find(|tried| tried.verdict == Verdict::Undecided);
    (fails.map(|at| beyond[at].value.clone()), undecided.map(|tried| tried.value.clone()))
}

/// Tries both ends, then bisects between the values that hold and fail until they are close enough.
fn bracket(
    loaded: &Arc<Loaded>,
    search: &Search,
    (low, high): (Quantity, Quantity),
    control: &Control<'_>,
    evidence: &mut Vec<Tried>,
    (holds, fails): (&mut Option<Quantity>, &mut Option<Quantity>),
) -> Result<(), Unanswered> {
    let mut at = |value: Quantity| -> Result<bool, Unanswered> {
        let tried = try_value(loaded, search, value, control)?;
        let holds = tried.verdict == Verdict::Holds;
        evidence.push(tried);
        Ok(holds)
    };
    let holds_low = at(low)?;
    *(if holds_low { &mut *holds } else { &mut *fails }) = Some(low);
    // If the objective holds at both ends, the upper end is the answer; if at neither, the lower end.
    if at(high)? {
        *holds = Some(high);
    } else if holds_low {
        *fails = Some(high);
    }
    while let (Some(good), Some(bad)) = (*holds, *fails) {
        let Some(middle) = middle(good, bad, search.resolution) else { break };
        if at(middle)? { *holds = Some(middle) } else { *fails = Some(middle) }
    }
    Ok(())
}

/// The midpoint of two values, rounded to how it is written; `None` where the two are close enough.
fn middle(a: Quantity, b: Quantity, resolution: f64) -> Option<Quantity> {
    let (low, high) = (a.value.min(b.value), a.value.max(b.value));
    if a.kind != Kind::Count && high - low <= resolution * high.abs().max(low.abs()) {
        return None;
    }
    // Across more than a factor of four, geometric bisection converges faster.
    let value = if low > 0.0 && high / low > 4.0 { (low * high).sqrt() } else { low + (high - low) / 2.0 };
    let text = a.with(value).text();
    let written = Quantity::parse(&text)?.value;
    (written > low && written < high).then(|| a.with(written))
}

fn try_value(
    loaded: &Arc<Loaded>,
    search: &Search,
    value: Quantity,
    control: &Control<'_>,
) -> Result<Tried, Unanswered> {
    let text = value.text();
    let change = Override { path: search.path.clone(), path_span: Span::NOWHERE, value: Node::scalar(text.clone()) };
    try_at(loaded, &[change], (text, value.value), search, control)
}

/// Runs a scenario with overrides until the verdict is clear; `text` and `number` name the value tried.
fn try_at(
    loaded: &Arc<Loaded>,
    changes: &[Override],
    (text, number): (String, f64),
    search: &Search,
    control: &Control<'_>,
) -> Result<Tried, Unanswered> {
    let there = patched(loaded, changes, None).map_err(|refused| Unanswered::Refused(Box::new(refused)))?;
    let there = Arc::new(there);
    let warmup: Nanoseconds = replicate::warmup(&there, there.scenario.seed, control.stop)?;
    let mut runs =
        Replicated { results: Vec::new(), warmup, confidence: search.confidence, not_reached: None, cut: false };
    let mut more = search.replications;
    loop {
        runs.add(&there, more, control)?;
        let samples = runs.samples(&search.objective.metric);
        let (interval, verdict) = judge(&samples, search);
        let room = search.replications_max.saturating_sub(runs.results.len() as u32);
        if verdict != Verdict::Undecided || room == 0 {
            let replications = runs.results.len();
            let infinite = samples.iter().filter(|sample| sample.is_infinite).count();
            return Ok(Tried { value: text, number, interval, infinite, replications, verdict });
        }
        more = room.min(search.replications.max(1));
    }
}

fn judge(samples: &[Sample], search: &Search) -> (Option<Interval>, Verdict) {
    let objective = &search.objective;
    if samples.iter().any(|sample| sample.is_infinite) {
        // The mean is infinite, too.
        return (None, if objective.below { Verdict::Fails } else { Verdict::Holds });
    }
    let values: Vec<f64> = samples.iter().filter_map(|sample| sample.value).collect();
    if values.len() < samples.len() {
        // A latency in runs without any answered request counts as a failure, whatever the bound.
        return (None, Verdict::Fails);
    }
    let Some(interval) = intervals::of(&objective.metric, samples, search.confidence) else {
        return (None, Verdict::Fails);
    };
    let ends = match metrics::is_event(&objective.metric) {
        // Ten successes out of ten do not prove a probability of 1.
        true => statistics::event_interval(&values, search.confidence),
        false => interval.ends(),
    };
    let Some((low, high)) = ends else { return (Some(interval), Verdict::Undecided) };
    let verdict = match objective.below {
        true if high < objective.bound => Verdict::Holds,
        true if low > objective.bound => Verdict::Fails,
        false if low > objective.bound => Verdict::Holds,
        false if high < objective.bound => Verdict::Fails,
        // Runs without randomness may lie exactly on the bound.
        _ if low == high => Verdict::Holds,
        _ => Verdict::Undecided,
    };
    (Some(interval), verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Text, load};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// A single connection with a constant service of 10 ms serves 100 calls a second.
    const SCENARIO: &str = "
version: 1
run: {duration: 20s}
workloads:
  clients: {arrivals: {constant: 50/s}, call: {to: db, timeout: 1s}}
components:
  db: {kind: database, connections: 1, operations: {default: 10ms}}
";

    fn found(path: &str, from: &str, to: &str, wanted: &str) -> Found {
        let text = Text { name: "test.yaml".into(), bytes: SCENARIO.as_bytes().to_vec(), folder: None };
        let loaded = Arc::new(load(&text, &Options::default()).expect("good"));
        let (from, to) = Quantity::parse_both(from, to).expect("quantities");
        let search = Search {
            path: Path::parse(path).expect("a path"),
            from,
            to,
            objective: objective(wanted, &loaded).expect("an objective"),
            replications: 2,
            replications_max: 4,
            confidence: 0.95,
            resolution: 0.01,
        };
        let stop = AtomicBool::new(false);
        let control = Control { jobs: 2, stop: &stop, progress: &|_, _| {} };
        find(&loaded, &search, &control).expect("it runs")
    }

    #[test]
    fn what_was_tried_before_the_search_was_stopped_stands() {
        let text = Text { name: "test.yaml".into(), bytes: SCENARIO.as_bytes().to_vec(), folder: None };
        let loaded = Arc::new(load(&text, &Options::default()).expect("good"));
        let (from, to) = Quantity::parse_both("20/s", "400/s").expect("quantities");
        let search = Search {
            path: Path::parse("workloads.clients.arrivals.constant").expect("a path"),
            from,
            to,
            objective: objective("workloads.clients.latency.p99 < 50ms", &loaded).expect("an objective"),
            replications: 2,
            replications_max: 2,
            confidence: 0.95,
            resolution: 0.01,
        };
        // Two runs per value: the seventh run is the first of the fourth value.
        let (stop, runs) = (AtomicBool::new(false), AtomicUsize::new(0));
        let progress = |_: usize, _: usize| stop.store(runs.fetch_add(1, Ordering::SeqCst) >= 6, Ordering::SeqCst);
        let found = find(&loaded, &search, &Control { jobs: 1, stop: &stop, progress: &progress }).expect("evidence");
        assert!(found.cut_short && found.largest && found.evidence.len() == 3, "{found:?}");
        // 20/s holds, 400/s fails, and the verdict at 89.4/s between them is known, too.
        assert_eq!((found.holds_at.as_deref(), found.fails_at.as_deref()), (Some("89.4427/s"), Some("400/s")));
        // Before any value has a verdict there is nothing to report.
        stop.store(true, Ordering::SeqCst);
        let nothing = find(&loaded, &search, &Control { jobs: 1, stop: &stop, progress: &|_, _| {} });
        assert!(matches!(nothing, Err(Unanswered::Stopped(Stopped::Cut))));
    }

    #[test]
    fn the_largest_load_that_a_constant_server_bears_is_its_capacity() {
        let found =
            found("workloads.clients.arrivals.constant", "20/s", "400/s", "workloads.clients.latency.p99 < 50ms");
        let holds = Quantity::parse(found.holds_at.as_deref().expect("there is one")).expect("a rate").value;
        assert!(found.largest && (98.0..=101.0).contains(&holds), "{found:?}");
    }

    #[test]
    fn the_smallest_number_of_connections_is_found_exactly() {
        let text = "components.db.connections";
        // 50/s × 10 ms = half a connection: one connection carries the load and keeps p99 below 15 ms.
        assert_eq!(found(text, "1", "8", "workloads.clients.latency.p99 < 15ms").holds_at.as_deref(), Some("8"));
        let none = found(text, "1", "8", "workloads.clients.latency.p99 < 5ms");
        assert_eq!((none.holds_at, none.fails_at.as_deref(), none.undecided_at), (None, Some("1"), None));
    }

    #[test]
    fn an_objective_in_the_wrong_unit_is_refused_with_the_right_one() {
        let text = Text { name: "test.yaml".into(), bytes: SCENARIO.as_bytes().to_vec(), folder: None };
        let loaded = Arc::new(load(&text, &Options::default()).expect("good"));
        let why = objective("goodput > 5ms", &loaded).expect_err("not a rate");
        assert_eq!(why, "`goodput` is a rate such as `500/s`, not `5ms`");
        assert!(objective("goodputt > 5/s", &loaded).expect_err("unknown").contains("did you mean `goodput`"));
    }
}

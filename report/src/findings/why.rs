//! Explanations: the first causes of failed requests, what keeps a system down, and whether a run was stable.

use lab::result::{FirstCause, RunResult, WorkloadResult};

use super::callers::links_to;
use super::evidence::{How, Unit};
use super::{Draft, Finding, Severity};
use crate::over_time;

/// Minimum share of the failures for a cause to be named.
const CAUSE_MIN: f64 = 0.02;
/// Maximum number of causes named; more would hide the first.
const CAUSES_MAX: usize = 3;

/// The first causes of a workload's failed requests in words: `callers gave up waiting for api`. Empty if none failed.
pub(super) fn causes_in_words(draft: &mut Draft, result: &RunResult, workload: &WorkloadResult) -> String {
    let failed: u64 = workload.causes.iter().map(|cause| cause.count).sum();
    if failed == 0 {
        return String::new();
    }
    let share = |cause: &FirstCause| cause.count as f64 / failed as f64;
    let main: Vec<&FirstCause> = main_causes(workload).collect();
    match main.as_slice() {
        [] => String::new(),
        [only] if workload.causes.len() == 1 => cause_in_words(result, only),
        several => {
            let words = several.iter().map(|cause| {
                let share = draft.rule("cause", Unit::Share, share(cause));
                format!("{share} {}", cause_in_words(result, cause))
            });
            words.collect::<Vec<_>>().join(", ")
        }
    }
}

/// The first causes that are named for the failures of a workload.
pub(super) fn main_causes(workload: &WorkloadResult) -> impl Iterator<Item = &FirstCause> {
    let failed: u64 = workload.causes.iter().map(|cause| cause.count).sum();
    let is_main = move |cause: &&FirstCause| cause.count as f64 >= CAUSE_MIN * failed as f64;
    workload.causes.iter().filter(is_main).take(CAUSES_MAX)
}

fn cause_in_words(result: &RunResult, cause: &FirstCause) -> String {
    let FirstCause { outcome, place, .. } = cause;
    let link = place.rsplit_once('.').and_then(|(from, name)| Some((from, result.links.get(from)?.get(name)?)));
    match (outcome.as_str(), link) {
        ("timeout", Some((from, link))) => format!("{from} gave up waiting for {}", link.to.join(" or ")),
        ("pool_timeout", Some((from, link))) => format!("{from} got no connection to {}", link.to.join(" or ")),
        (outcome, Some((from, link))) => format!("{outcome} between {from} and {}", link.to.join(" or ")),
        ("overload", None) => format!("{place} rejected calls (overload)"),
        (outcome, None) => format!("{outcome} at {place}"),
    }
}

/// Shares, growth rates and queue lengths below these are too small to keep a system down.
const RETRIES_MIN: f64 = 0.1;
const WASTED_MIN: f64 = 0.1;
const QUEUE_MIN: f64 = 20.0;

/// What keeps a system down between two instants, in words; empty if nothing does.
pub(super) fn kept_down(draft: &mut Draft, result: &RunResult, from_s: f64, until_s: f64) -> String {
    let column = |name: &str, metric: &str| vec![format!("components.{name}.{metric}")];
    let mean = |metric: &str, from_s: f64, until_s: f64| {
        let found = result.components.keys().filter_map(|name| {
            let values = over_time::column(result, &column(name, metric)[0])?;
            Some((name, over_time::mean_between(&result.series, values, from_s, until_s)?))
        });
        found.collect::<Vec<(&String, f64)>>()
    };
    let mut said = Vec::new();
    let amplified = largest(mean("amplification", from_s, until_s));
    if let Some((name, share)) = amplified.map(|(name, factor)| (name, 1.0 - 1.0 / factor.max(1.0)))
        && share >= RETRIES_MIN
    {
        draft.windows(result, ("factor", Unit::Number), column(name, "amplification"), How::Mean, (from_s, until_s));
        said.push(format!("{} of the calls of {name} are retries", draft.rule("retries", Unit::Share, share)));
    }
    if let Some((name, share)) = largest(mean("wasted_work", from_s, until_s)).filter(|(_, share)| *share >= WASTED_MIN)
    {
        draft.windows(result, ("wasted", Unit::Share), column(name, "wasted_work"), How::Mean, (from_s, until_s));
        said.push(format!("{} of the work of {name} is for callers that have given up", Unit::Share.write(share)));
    }
    let middle_s = (from_s + until_s) / 2.0;
    let before = mean("queue.depth", from_s, middle_s);
    let after = mean("queue.depth", middle_s, until_s);
    let growths = before.iter().zip(&after).map(|(before, after)| (before.0, after.1 - before.1)).collect();
    if let Some((name, growth)) = largest(growths).filter(|(_, growth)| *growth >= QUEUE_MIN) {
        let per_s = draft.rule("grows", Unit::Rate, growth / (until_s - middle_s));
        said.push(format!("the queue of {name} grows by {per_s}"));
    } else if let Some((name, depth)) = largest(after).filter(|(_, depth)| *depth >= QUEUE_MIN) {
        draft.windows(result, ("holds", Unit::Count), column(name, "queue.depth"), How::Mean, (middle_s, until_s));
        said.push(format!("the queue of {name} holds {}", Unit::Count.write(depth)));
    }
    said.extend(backlog(draft, result, from_s, until_s));
    match said.as_slice() {
        [] => String::new(),
        [one] => format!(" It stays down because {one}."),
        [rest @ .., last] => format!(" It stays down because {}, and {last}.", rest.join(", ")),
    }
}

/// The longest backlog, as the time needed to work it off, if it exceeds its callers' timeout: then calls have been given up
/// by the time they are served.
fn backlog(draft: &mut Draft, result: &RunResult, from_s: f64, until_s: f64) -> Option<String> {
    let mean = |name: &str, metric: &str| {
        let columns = [format!("components.{name}.{metric}")];
        super::evidence::over_windows(result, &columns, How::Mean, from_s, until_s)
    };
    let longest = result.components.keys().filter_map(|name| {
        let (from, timeout_s) = links_to(result, name)
            .filter_map(|(from, (_, figures))| Some((from, figures.timeout_s?)))
            .min_by(|one, other| one.1.total_cmp(&other.1))?;
        let depth = mean(name, "queue.depth").filter(|depth| *depth >= QUEUE_MIN)?;
        let served = mean(name, "completed")? + mean(name, "failed")?;
        let backlog_s = depth / served;
        (served > 0.0 && backlog_s > timeout_s).then_some((name, from, depth, served, timeout_s))
    });
    let (name, from, depth, served, timeout_s) = longest.max_by(|a, b| (a.2 / a.3).total_cmp(&(b.2 / b.3)))?;
    let span = (from_s, until_s);
    let column = |metric: &str| vec![format!("components.{name}.{metric}")];
    draft.windows(result, ("depth", Unit::Number), column("queue.depth"), How::Mean, span);
    let answers = vec![format!("components.{name}.completed"), format!("components.{name}.failed")];
    draft.windows(result, ("served", Unit::Rate), answers, How::Mean, span);
    let work = draft.rule("backlog", Unit::Time, depth / served);
    let timeout = draft.rule("timeout", Unit::Time, timeout_s);
    Some(format!("{name} has a backlog of {work} of work while {from} gives up after {timeout}"))
}

/// The component with the largest value; the first of equals.
fn largest(of: Vec<(&String, f64)>) -> Option<(&String, f64)> {
    of.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a })
}

/// Minimum number of windows per third of a run, for a comparison of thirds.
const WINDOWS_MIN: usize = 10;
/// Growth in flight that may happen by chance: this factor, and this number of calls.
const GROWTH_MIN: f64 = 1.5;
const CALLS_MIN: f64 = 20.0;

/// Whether as many calls are under way at the end of a run without faults as at its beginning; `None` if that cannot be
/// determined.
pub(super) fn stability(result: &RunResult) -> Option<Finding> {
    let end_s = over_time::end_s(result);
    let windows = over_time::measured(result).len();
    if !result.faults.is_empty() || !result.events.is_empty() || windows < 3 * WINDOWS_MIN {
        return None;
    }
    let columns: Vec<String> = result.components.keys().map(|name| format!("components.{name}.in_flight")).collect();
    let mut draft = Draft::new("stability", "run");
    let third = |draft: &mut Draft, name, from_s: f64, until_s: f64| {
        draft.windows(result, (name, Unit::Number), columns.clone(), How::Mean, (from_s, until_s))
    };
    let first = third(&mut draft, "first", 0.0, end_s / 3.0)?;
    let last = third(&mut draft, "last", end_s * 2.0 / 3.0, end_s)?;
    let both = format!(
        "{} calls were in flight in the first third of the run, {} in the last",
        Unit::Number.write(first),
        Unit::Number.write(last)
    );
    let under_way = over_time::sum(result, columns.iter().cloned());
    let grows = lab::trend::growth(&result.series, &under_way, 0.0, end_s).is_some();
    if last <= GROWTH_MIN * first + CALLS_MIN {
        return Some(draft.say(Severity::Good, format!("The run was stable: {both}.")));
    }
    // More than before, but no longer growing: it has levelled off, or fluctuated.
    let (severity, text) = match grows {
        true => (Severity::Critical, format!("The run was not stable: {both}, and the number kept growing.")),
        false => (Severity::Note, format!("The load in flight rose: {both}.")),
    };
    Some(draft.say(severity, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use lab::result::LinkResult;

    fn cause(outcome: &str, place: &str, count: u64) -> FirstCause {
        FirstCause { outcome: outcome.to_owned(), place: place.to_owned(), count }
    }

    #[test]
    fn first_causes_are_said_with_their_place() {
        let mut result = sample::calm();
        let link = LinkResult { to: vec!["db".to_owned()], ..LinkResult::default() };
        result.links.entry("api".to_owned()).or_default().insert("db".to_owned(), link);
        let said = |workload: &WorkloadResult| causes_in_words(&mut Draft::new("failures", ""), &result, workload);
        let mut workload =
            WorkloadResult { causes: vec![cause("timeout", "api.db", 100)], ..WorkloadResult::default() };
        assert_eq!(said(&workload), "api gave up waiting for db");
        workload.causes = vec![cause("timeout", "api.db", 75), cause("overload", "api", 24), cause("error", "db", 1)];
        assert_eq!(said(&workload), "75 % api gave up waiting for db, 24 % api rejected calls (overload)");
        workload.causes.clear();
        assert_eq!(said(&workload), "");
    }

    #[test]
    fn a_storm_is_kept_down_by_retries_waste_and_a_backlog_that_nobody_waits_for() {
        let mut result = sample::storm();
        let said = |result: &RunResult, from_s: f64, until_s: f64| {
            kept_down(&mut Draft::new("not_recovered", "faults"), result, from_s, until_s)
        };
        let first = said(&result, 200.0, 300.0);
        assert!(
            first.starts_with(" It stays down because 65 % of the calls of api are retries, 93.9 % of the work"),
            "{first}"
        );
        assert_eq!(said(&sample::calm(), 100.0, 180.0), "");
        // From 200 s to 300 s, 113,240 calls wait on average, and a thousand per second are answered.
        let rows = result.series.at_s.len();
        result.series.columns.insert("components.api.completed".to_owned(), vec![Some(1000.0); rows]);
        result.series.columns.insert("components.api.failed".to_owned(), vec![Some(0.0); rows]);
        result.links["shoppers"]["call"].timeout_s = Some(2.0);
        let second = said(&result, 200.0, 300.0);
        assert!(second.contains("api has a backlog of 113 s of work while shoppers gives up after 2.00 s"), "{second}");
    }

    #[test]
    fn a_run_in_which_ever_more_is_under_way_is_not_stable() {
        let mut result = sample::storm();
        result.faults.clear();
        let series = |of: fn(f64) -> f64| result.series.at_s.iter().map(|at_s| Some(of(*at_s))).collect::<Vec<_>>();
        let (rising, level) = (series(|at_s| 10.0 * at_s.max(0.0)), series(|_| 40.0));
        let filled = series(|at_s| (20.0 * at_s.max(0.0)).min(2000.0));
        result.series.columns.retain(|name, _| !name.ends_with(".in_flight"));
        let mut severity = |column: Vec<Option<f64>>| {
            result.series.columns.insert("components.api.in_flight".to_owned(), column);
            stability(&result).expect("long enough").severity
        };
        assert_eq!(severity(rising), Severity::Critical);
        assert_eq!(severity(level), Severity::Good);
        assert_eq!(severity(filled), Severity::Note);
        result.faults = sample::storm().faults;
        assert_eq!(stability(&result), None);
    }
}

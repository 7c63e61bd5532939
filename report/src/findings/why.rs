//! Why: the first causes of failed requests, what keeps a system down, and whether a run was stable.

use lab::result::{FirstCause, RunResult, WorkloadResult};

use super::{Finding, Severity};
use crate::over_time;
use crate::units;

/// Causes of a smaller share of the failures than this are not named.
const CAUSE_MIN: f64 = 0.02;
/// More causes than these hide the first.
const CAUSES_MAX: usize = 3;

/// What first went wrong for the failed requests of a workload, in words: `callers gave up waiting for api`. Nothing
/// where nothing failed.
pub(super) fn causes_in_words(result: &RunResult, workload: &WorkloadResult) -> String {
    let failed: u64 = workload.causes.iter().map(|cause| cause.count).sum();
    if failed == 0 {
        return String::new();
    }
    let share = |cause: &FirstCause| cause.count as f64 / failed as f64;
    let main: Vec<&FirstCause> =
        workload.causes.iter().filter(|cause| share(cause) >= CAUSE_MIN).take(CAUSES_MAX).collect();
    match main.as_slice() {
        [] => String::new(),
        [only] if workload.causes.len() == 1 => cause_in_words(result, only),
        several => {
            let words =
                several.iter().map(|cause| format!("{} {}", units::share(share(cause)), cause_in_words(result, cause)));
            words.collect::<Vec<_>>().join(", ")
        }
    }
}

fn cause_in_words(result: &RunResult, cause: &FirstCause) -> String {
    let FirstCause { outcome, place, .. } = cause;
    let link = place.rsplit_once('.').and_then(|(from, name)| Some((from, result.links.get(from)?.get(name)?)));
    match (outcome.as_str(), link) {
        ("timeout", Some((from, link))) => format!("{from} gave up waiting for {}", link.to.join(" or ")),
        ("pool_timeout", Some((from, link))) => format!("{from} got no connection to {}", link.to.join(" or ")),
        (outcome, Some((from, link))) => format!("{outcome} between {from} and {}", link.to.join(" or ")),
        ("overload", None) => format!("{place} turned calls away (overload)"),
        (outcome, None) => format!("{outcome} at {place}"),
    }
}

/// Shares and growths below these keep nothing down.
const RETRIES_MIN: f64 = 0.1;
const WASTED_MIN: f64 = 0.1;
const QUEUE_MIN: f64 = 20.0;

/// What keeps a system down from one instant to another, in words; nothing where nothing does.
pub(super) fn kept_down(result: &RunResult, from_s: f64, until_s: f64) -> String {
    let mean = |metric: &str, from_s: f64, until_s: f64| {
        let found = result.components.keys().filter_map(|name| {
            let column = over_time::column(result, &format!("components.{name}.{metric}"))?;
            Some((name, over_time::mean_between(&result.series, column, from_s, until_s)?))
        });
        found.collect::<Vec<(&String, f64)>>()
    };
    let mut said = Vec::new();
    let amplified = largest(mean("amplification", from_s, until_s));
    if let Some((name, share)) = amplified.map(|(name, factor)| (name, 1.0 - 1.0 / factor.max(1.0)))
        && share >= RETRIES_MIN
    {
        said.push(format!("{} of the calls of {name} are retries", units::share(share)));
    }
    if let Some((name, share)) = largest(mean("wasted_work", from_s, until_s)).filter(|(_, share)| *share >= WASTED_MIN)
    {
        said.push(format!("{} of the work of {name} is for callers who have given up", units::share(share)));
    }
    let middle_s = (from_s + until_s) / 2.0;
    let before = mean("queue.depth", from_s, middle_s);
    let after = mean("queue.depth", middle_s, until_s);
    let growths = before.iter().zip(&after).map(|(before, after)| (before.0, after.1 - before.1)).collect();
    if let Some((name, growth)) = largest(growths).filter(|(_, growth)| *growth >= QUEUE_MIN) {
        let per_s = growth / (until_s - middle_s);
        said.push(format!("the queue of {name} grows by {}", units::rate(per_s)));
    } else if let Some((name, depth)) = largest(after).filter(|(_, depth)| *depth >= QUEUE_MIN) {
        said.push(format!("the queue of {name} holds {}", units::grouped(depth as u64)));
    }
    match said.as_slice() {
        [] => String::new(),
        [one] => format!(" What keeps it down: {one}."),
        [rest @ .., last] => format!(" What keeps it down: {}, and {last}.", rest.join(", ")),
    }
}

/// The component with the largest value; the first of equals.
fn largest(of: Vec<(&String, f64)>) -> Option<(&String, f64)> {
    of.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a })
}

/// Windows of a third of a run, at least, to compare thirds.
const WINDOWS_MIN: usize = 10;
/// What is under way at the end may be so many times what it was, and so many calls more, by chance.
const GROWTH_MIN: f64 = 1.5;
const CALLS_MIN: f64 = 20.0;

/// Whether as much is under way at the end of a run without faults as at its beginning; `None` where that cannot be
/// told.
pub(super) fn stability(result: &RunResult) -> Option<Finding> {
    let end_s = over_time::end_s(result);
    let windows = result.series.at_s.iter().filter(|at_s| **at_s >= 0.0).count();
    if !result.faults.is_empty() || !result.events.is_empty() || windows < 3 * WINDOWS_MIN {
        return None;
    }
    let under_way = |from_s: f64, until_s: f64| -> Option<f64> {
        let columns = result
            .components
            .keys()
            .filter_map(|name| over_time::column(result, &format!("components.{name}.in_flight")));
        columns.map(|column| over_time::mean_between(&result.series, column, from_s, until_s)).sum()
    };
    let (first, last) = (under_way(0.0, end_s / 3.0)?, under_way(end_s * 2.0 / 3.0, end_s)?);
    let both = format!(
        "{} calls were under way in the first third of the run, {} in the last",
        units::quantity(first),
        units::quantity(last)
    );
    if last > GROWTH_MIN * first + CALLS_MIN {
        return Some(Finding::new(Severity::Critical, "run", format!("The run was not stable: {both}.")));
    }
    Some(Finding::new(Severity::Good, "run", format!("The run was stable: {both}.")))
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
        let mut workload =
            WorkloadResult { causes: vec![cause("timeout", "api.db", 100)], ..WorkloadResult::default() };
        assert_eq!(causes_in_words(&result, &workload), "api gave up waiting for db");
        workload.causes = vec![cause("timeout", "api.db", 75), cause("overload", "api", 24), cause("error", "db", 1)];
        let words = "75 % api gave up waiting for db, 24 % api turned calls away (overload)";
        assert_eq!(causes_in_words(&result, &workload), words);
        workload.causes.clear();
        assert_eq!(causes_in_words(&result, &workload), "");
    }

    #[test]
    fn a_storm_is_kept_down_by_retries_waste_and_a_queue() {
        let result = sample::storm();
        let said = kept_down(&result, 200.0, 300.0);
        assert!(said.starts_with(" What keeps it down: "), "{said}");
        assert!(
            said.contains("are retries") || said.contains("given up") || said.contains("the queue of api"),
            "{said}"
        );
        assert_eq!(kept_down(&sample::calm(), 100.0, 180.0), "");
    }

    #[test]
    fn a_run_in_which_ever_more_is_under_way_is_not_stable() {
        let mut result = sample::storm();
        result.faults.clear();
        let series = |of: fn(f64) -> f64| result.series.at_s.iter().map(|at_s| Some(of(*at_s))).collect::<Vec<_>>();
        let (rising, level) = (series(|at_s| 10.0 * at_s.max(0.0)), series(|_| 40.0));
        result.series.columns.retain(|name, _| !name.ends_with(".in_flight"));
        result.series.columns.insert("components.api.in_flight".to_owned(), rising);
        assert_eq!(stability(&result).expect("long enough").severity, Severity::Critical);
        result.series.columns.insert("components.api.in_flight".to_owned(), level);
        assert_eq!(stability(&result).expect("long enough").severity, Severity::Good);
        result.faults = sample::storm().faults;
        assert_eq!(stability(&result), None);
    }
}

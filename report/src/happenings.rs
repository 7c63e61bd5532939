//! Happenings in chronological order, for the text, the page and the time axis of the charts.

use lab::happenings::{Moment, is_caused_by_a_fault, moments};
use lab::result::{FaultWindow, HappenedAt, Happenings, RunResult};

/// A marked instant on the time axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The instant, s.
    pub at_s: f64,
    /// Description, shown on hover and read by screen readers.
    pub title: String,
}

use crate::units;

/// Maximum number of marks on one axis; more would run into each other.
const MARKS_MAX: usize = 60;
/// Maximum number of different happenings named in the title of a mark; the rest are counted.
const NAMED_MAX: usize = 4;

/// All happenings whose instant is known, oldest first.
#[must_use]
pub fn all(result: &RunResult) -> Vec<Moment<'_>> {
    let kept = |of: &'_ Happenings| of.first.len() + of.last.len();
    let mut happened: Vec<(&str, &str, &HappenedAt)> = Vec::with_capacity(result.happenings.iter().map(kept).sum());
    for of in &result.happenings {
        happened.extend(of.first.iter().chain(&of.last).map(|at| (of.name.as_str(), of.place.as_str(), at)));
    }
    happened.sort_by(|(_, _, one), (_, _, other)| one.at_s.total_cmp(&other.at_s));
    moments(happened)
}

/// The same without those that the list of faults already states: a `kill` fault that kills.
#[must_use]
pub fn unannounced(result: &RunResult) -> Vec<Moment<'_>> {
    let mut found = all(result);
    found.retain(|moment| !is_announced(moment, &result.faults));
    found
}

fn is_announced(moment: &Moment<'_>, faults: &[FaultWindow]) -> bool {
    // The two instants are converted from whole nanoseconds in different ways.
    let is_then = |at_s: f64| (moment.at_s - at_s).abs() < 1e-6;
    let borders = |fault: &FaultWindow| is_then(fault.at_s) || fault.until_s.is_some_and(is_then);
    is_caused_by_a_fault(moment.name) && faults.iter().any(borders)
}

/// Number of happenings of a kind and place whose instants are not kept.
#[must_use]
pub fn left_out(of: &Happenings) -> u64 {
    of.count - (of.first.len() + of.last.len()) as u64
}

/// Happenings as marks on the time axis; those close together share a mark.
#[must_use]
pub(crate) fn marks(result: &RunResult) -> Vec<Mark> {
    let mut told: Vec<(f64, String, u64)> = unannounced(result)
        .into_iter()
        .map(|moment| (moment.at_s, format!("{} ({})", moment.words(), moment.place), 1))
        .collect();
    for of in result.happenings.iter().filter(|of| left_out(of) > 0) {
        // Between the first and the last ones only counts per window are known.
        let (Some(from), Some(until)) = (of.first.last(), of.last.first()) else { continue };
        let between = of
            .windows
            .iter()
            .filter(|window| window.at_s > from.at_s && window.at_s + result.series.window_s <= until.at_s);
        let words = format!("{} ({})", of.name.replace('_', " "), of.place);
        told.extend(between.map(|window| (window.at_s, words.clone(), window.count)));
    }
    told.sort_by(|one, other| one.0.total_cmp(&other.0));
    let from_s = result.series.at_s.first().copied().unwrap_or(0.0);
    let until_s = result.series.at_s.last().map_or(from_s, |at_s| at_s + result.series.window_s);
    let width_s = ((until_s - from_s) / MARKS_MAX as f64).max(f64::MIN_POSITIVE);
    let bucket = |at_s: f64| ((at_s - from_s) / width_s).floor();
    let together = told.chunk_by(|one, other| bucket(one.0) == bucket(other.0));
    together.map(|told| Mark { at_s: told[0].0, title: title(told) }).collect()
}

fn title(told: &[(f64, String, u64)]) -> String {
    let mut counted: Vec<(&str, u64)> = Vec::new();
    for (_, words, count) in told {
        match counted.iter_mut().find(|(known, _)| known == words) {
            Some((_, sum)) => *sum += count,
            None => counted.push((words, *count)),
        }
    }
    let more: u64 = counted.iter().skip(NAMED_MAX).map(|(_, count)| count).sum();
    let mut named: Vec<String> = counted
        .iter()
        .take(NAMED_MAX)
        .map(
            |(words, count)| {
                if *count > 1 { format!("{words} ×{}", units::grouped(*count)) } else { (*words).to_owned() }
            },
        )
        .collect();
    if more > 0 {
        named.push(format!("and {} more", units::grouped(more)));
    }
    let until = match told.last() {
        Some((last, ..)) if units::instant(*last) != units::instant(told[0].0) => {
            format!(" to {}", units::instant(*last))
        }
        _ => String::new(),
    };
    format!("{}{until}: {}", units::instant(told[0].0), named.join("; "))
}

#[cfg(test)]
mod tests {
    use lab::result::HappeningsInWindow;

    use super::*;
    use crate::sample;

    fn happened(name: &str, place: &str, first: &[f64], last: &[f64], between: &[(f64, u64)]) -> Happenings {
        let at = |at_s: &f64| HappenedAt { at_s: *at_s, replica: None, about: None };
        let kept = first.iter().chain(last).map(|at_s| HappeningsInWindow { at_s: at_s.floor(), count: 1 });
        let between = between.iter().map(|(at_s, count)| HappeningsInWindow { at_s: *at_s, count: *count });
        let mut windows: Vec<HappeningsInWindow> = kept.chain(between).collect();
        windows.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
        Happenings {
            name: name.to_owned(),
            place: place.to_owned(),
            count: windows.iter().map(|window| window.count).sum(),
            first: first.iter().map(at).collect(),
            last: last.iter().map(at).collect(),
            windows,
        }
    }

    /// A storm from -30 s to 300 s with a fault from 60 s to 80 s.
    fn storm(happenings: Vec<Happenings>) -> RunResult {
        RunResult { happenings, ..sample::storm() }
    }

    #[test]
    fn what_the_faults_say_is_not_said_twice() {
        let result = storm(vec![
            happened("replica_killed", "db", &[60.0, 61.0], &[], &[]),
            happened("replica_started", "db", &[80.0], &[], &[]),
            happened("target_unhealthy", "names", &[60.0, 75.5], &[], &[]),
        ]);
        let told: Vec<(f64, &str)> = unannounced(&result).iter().map(|moment| (moment.at_s, moment.name)).collect();
        assert_eq!(told, [(60.0, "target_unhealthy"), (61.0, "replica_killed"), (75.5, "target_unhealthy")]);
        assert_eq!(all(&result).len(), 5);
    }

    #[test]
    fn marks_are_few_and_lose_nothing() {
        let often: Vec<f64> = (0..64).map(|n| f64::from(n) * 0.1 + 90.0).collect();
        let late: Vec<f64> = (0..64).map(|n| f64::from(n) * 0.1 + 200.0).collect();
        let between: Vec<(f64, u64)> = (100..200).map(|at_s| (f64::from(at_s), 7)).collect();
        let result = storm(vec![
            happened("breaker_opened", "api.db", &often, &late, &between),
            happened("target_unhealthy", "names", &[10.25], &[], &[]),
        ]);
        assert_eq!(left_out(&result.happenings[0]), 700);
        let marks = marks(&result);
        assert!(marks.len() <= MARKS_MAX && marks.is_sorted_by(|one, other| one.at_s < other.at_s), "{}", marks.len());
        assert_eq!(marks[0], Mark { at_s: 10.25, title: "10.25s: target unhealthy (names)".to_owned() });
        assert!(marks[1].title.contains("breaker opened (api.db) ×"), "{}", marks[1].title);
        let of =
            |mark: &Mark| mark.title.rsplit_once('×').map_or(1, |(_, count)| count.parse::<u64>().expect("a count"));
        let counted: u64 = marks[1..].iter().map(of).sum();
        assert_eq!(counted, 64 + 700 + 64);
    }

    #[test]
    fn where_nothing_happened_there_are_no_marks() {
        assert!(marks(&sample::storm()).is_empty());
        assert!(marks(&RunResult::default()).is_empty());
    }
}

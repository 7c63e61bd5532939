//! What an operator would point at first, in sentences, computed from the result alone.
//!
//! Each rule is a small pure function over [`RunResult`]; [`findings`] walks the table of them and puts the worst first.
//! A rule says what was measured, never what it guesses. The thresholds stand as constants beside the rules.

mod why;

use lab::result::{ComponentResult, RunResult};

use crate::outcome;
use crate::over_time::{self, Episode};
use crate::units;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The system is not doing its work.
    Critical,
    /// Something is close to its limit, or costs more than it should.
    Warning,
    /// Worth knowing.
    Note,
    /// What held.
    Good,
}

/// One sentence about a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Path of what it is about: `components.api`, `workloads.shoppers`, `links.api.db`, or `faults`.
    pub about: String,
    /// The sentence, with a full stop.
    pub text: String,
}

impl Finding {
    fn new(severity: Severity, about: impl Into<String>, text: impl Into<String>) -> Self {
        Finding { severity, about: about.into(), text: text.into() }
    }
}

/// A rule looks at a result and says what it sees, the worst first.
type Rule = fn(&RunResult) -> Vec<Finding>;

/// All rules; within one severity findings appear in this order.
const RULES: &[Rule] =
    &[cut_short, recoveries, failures, queues, wasted_work, amplification, pools, saturation, refused_retries];

/// Several components can break one rule; more of them than this would hide the other findings.
const PER_RULE_MAX: usize = 3;

/// Everything worth saying about a run, the worst first. Never empty: a quiet run says so.
#[must_use]
pub fn findings(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES {
        let mut of_rule = rule(result);
        let hidden = of_rule.len().saturating_sub(PER_RULE_MAX);
        if hidden > 0 {
            of_rule.truncate(PER_RULE_MAX);
            let severity = of_rule[PER_RULE_MAX - 1].severity;
            let others = if hidden == 1 { "one other place".to_owned() } else { format!("{hidden} other places") };
            of_rule.push(Finding::new(severity, "", format!("The same holds of {others}.")));
        }
        found.append(&mut of_rule);
    }
    let queue_grew = found.iter().any(|finding| finding.text.contains("grew throughout"));
    let stability = why::stability(result).filter(|_| !queue_grew);
    if !found.iter().any(|finding| finding.severity <= Severity::Warning)
        && stability.as_ref().is_none_or(|finding| finding.severity == Severity::Good)
    {
        found.push(Finding::new(Severity::Good, "", "Nothing stands out: no queue grew and no limit was reached."));
    } else {
        found.extend(stability);
    }
    found.sort_by_key(|finding| finding.severity);
    found
}

fn cut_short(result: &RunResult) -> Vec<Finding> {
    if result.run.finished {
        return Vec::new();
    }
    let text = format!(
        "The run was cut short at {}: all figures are of the time up to there.",
        units::instant(result.run.duration_s)
    );
    vec![Finding::new(Severity::Warning, "run", text)]
}

/// Goodput counts as back at this share of what it was before the fault.
pub const RECOVERED_SHARE: f64 = 0.95;
/// It must stay there this long, s.
pub const RECOVERED_HOLD_S: f64 = 10.0;
/// Requests that a mean should rest on: the spread of a Poisson count of 6,400 is 1.25 %, so that a shortfall of 5 % is
/// four times that and not chance.
const RECOVERY_REQUESTS: f64 = 6_400.0;
/// How many times its spread a mean may fall short by chance.
const SPREADS: f64 = 4.0;

/// What became of goodput after an episode of faults.
#[derive(Clone, Debug, PartialEq)]
pub enum Recovery {
    /// Goodput never fell below [`RECOVERED_SHARE`] of what it was before.
    Unharmed,
    /// It came back and held for [`RECOVERED_HOLD_S`].
    Recovered {
        /// When it was back, s.
        at_s: f64,
        /// How long that was after the end of the episode, s.
        after_s: f64,
        /// The lowest it had been, as a share of before.
        lowest: f64,
        /// Its mean from then to the end of what was watched, as a share of before.
        afterwards: f64,
    },
    /// It did not come back.
    Lost {
        /// Its mean over the last quarter of what was watched, as a share of before.
        share: f64,
        /// What was sent then, as a share of before; `None` where it is not known.
        sent_share: Option<f64>,
        /// How long was watched after the end of the episode, s.
        watched_s: f64,
        /// From when to when these shares are, s.
        tail_s: (f64, f64),
    },
    /// The faults acted to the end of the run.
    StillActing {
        /// Mean goodput under them, as a share of before.
        share: f64,
    },
    /// There is too little before or after the episode to compare.
    Unknown,
}

/// How the goodput of all workloads came through an episode, up to the next one or the end of the run. What it was
/// before is its mean from the end of the episode before (or the end of the warm-up) to the start of this one. Where ten
/// seconds hold too few requests to tell 95 % from chance, what counts as back is lowered accordingly.
#[must_use]
pub fn recovery(result: &RunResult, episodes: &[Episode], index: usize) -> Recovery {
    let Some(episode) = episodes.get(index) else { return Recovery::Unknown };
    let end_s = over_time::end_s(result);
    let before_from_s =
        index.checked_sub(1).and_then(|earlier| episodes[earlier].until_s).unwrap_or(0.0).max(0.0).min(episode.at_s);
    let series = &result.series;
    let goodput = over_time::workload_total(result, "goodput");
    let mean = |from_s: f64, until_s: f64| over_time::mean_between(series, &goodput, from_s, until_s);
    let Some(before) = mean(before_from_s, episode.at_s).filter(|before| *before > 0.0) else {
        return Recovery::Unknown;
    };
    let watched_until_s = episodes.get(index + 1).map_or(end_s, |next| next.at_s.min(end_s));
    let until_s = match episode.until_s {
        Some(until_s) if until_s < end_s => until_s,
        _ => {
            return mean(episode.at_s, end_s)
                .map_or(Recovery::Unknown, |now| Recovery::StillActing { share: now / before });
        }
    };
    let watched_s = watched_until_s - until_s;
    if watched_s < RECOVERED_HOLD_S {
        return Recovery::Unknown;
    }

    // Single windows of a slow workload scatter more than the 5 % that are to be seen.
    let smoothing_s = (RECOVERY_REQUESTS / before).min(RECOVERED_HOLD_S).max(series.window_s);
    let windows = (smoothing_s / series.window_s).ceil();
    let requests = before * windows * series.window_s;
    let threshold = RECOVERED_SHARE.min(1.0 - SPREADS / requests.sqrt());
    let smoothed_at = |at_s: f64| mean(at_s, at_s + windows * series.window_s);
    // Only means that end before the next episode does its harm.
    let covered = |at_s: f64| at_s + windows * series.window_s <= watched_until_s + 1e-9;
    let starts: Vec<f64> = series.at_s.iter().copied().filter(|at_s| covered(*at_s)).collect();
    let good = |at_s: f64| smoothed_at(at_s).is_some_and(|value| value >= threshold * before);
    let lowest = starts
        .iter()
        .filter(|at_s| **at_s >= episode.at_s)
        .filter_map(|at_s| smoothed_at(*at_s))
        .fold(f64::INFINITY, f64::min)
        / before;
    if lowest >= threshold {
        return Recovery::Unharmed;
    }
    // The earliest instant from which every mean is good up to ten seconds later.
    let mut held_from_s: Option<f64> = None;
    for at_s in starts.iter().copied().filter(|at_s| *at_s >= until_s) {
        if !good(at_s) {
            held_from_s = None;
            continue;
        }
        let from_s = *held_from_s.get_or_insert(at_s);
        if at_s + windows * series.window_s - from_s >= RECOVERED_HOLD_S {
            let afterwards = mean(from_s, watched_until_s).unwrap_or(before) / before;
            return Recovery::Recovered { at_s: from_s, after_s: from_s - until_s, lowest, afterwards };
        }
    }
    let tail_from_s = watched_until_s - (watched_s / 4.0).max(RECOVERED_HOLD_S);
    let sent = over_time::workload_total(result, "sent");
    let sent_mean = |from_s: f64, until_s: f64| over_time::mean_between(series, &sent, from_s, until_s);
    let sent_share = sent_mean(tail_from_s, watched_until_s)
        .zip(sent_mean(before_from_s, episode.at_s))
        .filter(|(_, before)| *before > 0.0)
        .map(|(now, before)| now / before);
    match mean(tail_from_s, watched_until_s) {
        Some(now) => {
            Recovery::Lost { share: now / before, sent_share, watched_s, tail_s: (tail_from_s, watched_until_s) }
        }
        None => Recovery::Unknown,
    }
}

fn recoveries(result: &RunResult) -> Vec<Finding> {
    let episodes = over_time::episodes(&result.faults);
    let mut found: Vec<Finding> = (0..episodes.len())
        .filter_map(|index| {
            let name = &episodes[index].name;
            let (severity, text) = match recovery(result, &episodes, index) {
                Recovery::Unknown => return None,
                Recovery::Unharmed => (Severity::Good, format!("{name} did not lower goodput.")),
                Recovery::Recovered { at_s, after_s, lowest, afterwards } => {
                    let when = if after_s <= 0.0 {
                        "as soon as it ended".to_owned()
                    } else {
                        format!("{} after it ended (at {})", units::instant(after_s), units::instant(at_s))
                    };
                    let text = format!(
                        "Recovered from {name} {when}; goodput had fallen to {} of before",
                        units::share(lowest)
                    );
                    if afterwards < RECOVERED_SHARE {
                        (
                            Severity::Warning,
                            format!("{text}, and averaged only {} of before from then on.", units::share(afterwards)),
                        )
                    } else {
                        (Severity::Good, format!("{text}."))
                    }
                }
                Recovery::Lost { share, sent_share, watched_s, tail_s } => {
                    let load = sent_share
                        .filter(|sent_share| *sent_share < RECOVERED_SHARE)
                        .map_or_else(String::new, |sent_share| {
                            format!(" (load {} of before)", units::share(sent_share))
                        });
                    let text = format!(
                        "Did not recover from {name}: {} after it ended, goodput is {} of before{load}.{}",
                        units::instant(watched_s),
                        units::share(share),
                        why::kept_down(result, tail_s.0, tail_s.1),
                    );
                    (if share < 0.5 { Severity::Critical } else { Severity::Warning }, text)
                }
                Recovery::StillActing { share } if share >= RECOVERED_SHARE => {
                    (Severity::Good, format!("{name} acts to the end and does not lower goodput."))
                }
                Recovery::StillActing { share } => {
                    let text = format!(
                        "{name} acts to the end of the run; goodput under it is {} of before.",
                        units::share(share)
                    );
                    (if share < 0.5 { Severity::Critical } else { Severity::Warning }, text)
                }
            };
            Some(Finding::new(severity, "faults", text))
        })
        .collect();
    found.sort_by_key(|finding| finding.severity);
    found
}

/// A smaller share of failures than this is not worth a line.
const FAILURES_MIN: f64 = 0.01;

fn failures(result: &RunResult) -> Vec<Finding> {
    let mut failing: Vec<(f64, &String, String)> = result
        .workloads
        .iter()
        .filter_map(|(name, workload)| {
            let failed = 1.0 - outcome::success_share(&workload.outcomes)?;
            let causes = why::causes_in_words(result, workload);
            let words = failure_words(&workload.outcomes);
            let words = if causes.is_empty() { words } else { format!("{words}; first causes: {causes}") };
            (failed >= FAILURES_MIN).then_some((failed, name, words))
        })
        .collect();
    failing.sort_by(|left, right| right.0.total_cmp(&left.0));
    failing
        .into_iter()
        .map(|(failed, name, words)| {
            let severity = if failed >= 0.1 { Severity::Critical } else { Severity::Warning };
            let text = format!("{} of {name}' requests {words}.", units::share(failed));
            Finding::new(severity, format!("workloads.{name}"), possessive(&text, name))
        })
        .collect()
}

/// `failed: 70 % timeout, 8 % unavailable`, or `ended in timeout` where all did.
fn failure_words(outcomes: &lab::result::Table<u64>) -> String {
    let failures: Vec<&str> =
        outcome::ranked(outcomes).into_iter().map(|(name, _)| name).filter(|name| !outcome::is_success(name)).collect();
    match failures.as_slice() {
        [only] => format!("ended in {only}"),
        _ => format!("failed: {}", outcome::failures_in_words(outcomes, 3)),
    }
}

/// Queues shorter than this at the end are everyday.
const QUEUE_MIN: u64 = 20;

fn queues(result: &RunResult) -> Vec<Finding> {
    let mut growing: Vec<(u64, Finding)> = Vec::new();
    let ended = over_time::episodes(&result.faults)
        .into_iter()
        .filter_map(|episode| episode.until_s.map(|until_s| (episode.name, until_s)))
        .rfind(|(_, until_s)| *until_s < over_time::end_s(result));
    for (name, component) in &result.components {
        let Some(queue) = &component.queue else { continue };
        if queue.depth_end < QUEUE_MIN {
            continue;
        }
        let Some(column) = over_time::column(result, &format!("components.{name}.queue.depth")) else { continue };
        let end_s = over_time::end_s(result);
        let mean = |from_s: f64, until_s: f64| over_time::mean_between(&result.series, column, from_s, until_s);
        let step_s = result.series.window_s.max(end_s / 30.0);
        let holds = format!("The queue of {name} holds {} calls at the end", units::grouped(queue.depth_end));
        let Some(last) = mean(end_s - step_s, end_s) else { continue };
        let finding = match &ended {
            Some((fault, until_s)) => {
                let at_fault_end = mean(*until_s, until_s + step_s).unwrap_or(0.0);
                let before = mean(0.0, result.faults.iter().map(|fault| fault.at_s).fold(f64::INFINITY, f64::min));
                if before.is_some_and(|before| last < 2.0 * before + QUEUE_MIN as f64) {
                    // As long as it was before anything went wrong.
                    continue;
                }
                if last >= 0.9 * at_fault_end {
                    (Severity::Critical, format!("{holds} and has not shrunk since {fault} ended."))
                } else {
                    (
                        Severity::Warning,
                        format!(
                            "{holds}, down from {} when {fault} ended.",
                            units::grouped(at_fault_end.round() as u64)
                        ),
                    )
                }
            }
            None => {
                let first = mean(0.0, end_s / 3.0).unwrap_or(0.0);
                let third = mean(end_s * 2.0 / 3.0, end_s).unwrap_or(0.0);
                if third < 2.0 * first || last < QUEUE_MIN as f64 {
                    continue;
                }
                (Severity::Critical, format!("{holds} and grew throughout: more arrives than it can serve."))
            }
        };
        growing.push((queue.depth_end, Finding::new(finding.0, format!("components.{name}"), finding.1)));
    }
    growing.sort_by(|left, right| left.1.severity.cmp(&right.1.severity).then(right.0.cmp(&left.0)));
    growing.into_iter().map(|(_, finding)| finding).collect()
}

/// Components for which `measure` reaches `least`, the largest value first.
fn components_by(
    result: &RunResult,
    least: f64,
    measure: impl Fn(&ComponentResult) -> Option<f64>,
) -> Vec<(&str, f64)> {
    let mut found: Vec<(&str, f64)> = result
        .components
        .iter()
        .filter_map(|(name, component)| measure(component).map(|value| (name.as_str(), value)))
        .filter(|(_, value)| *value >= least)
        .collect();
    found.sort_by(|left, right| right.1.total_cmp(&left.1));
    found
}

/// Share of wasted work from which it is worth a line, and from which it is the main thing.
const WASTED_MIN: f64 = 0.1;
const WASTED_CRITICAL: f64 = 0.5;

fn wasted_work(result: &RunResult) -> Vec<Finding> {
    components_by(result, WASTED_MIN, |component| component.wasted_work)
        .into_iter()
        .map(|(name, share)| {
            let severity = if share >= WASTED_CRITICAL { Severity::Critical } else { Severity::Warning };
            let text = format!("{} of {name}'s work was for callers who had given up.", units::share(share));
            Finding::new(severity, format!("components.{name}"), text)
        })
        .collect()
}

/// Amplification from which it is worth a line: a fifth more load than there would be without retries.
const AMPLIFICATION_MIN: f64 = 1.2;
const AMPLIFICATION_CRITICAL: f64 = 2.0;

fn amplification(result: &RunResult) -> Vec<Finding> {
    components_by(result, AMPLIFICATION_MIN, |component| component.amplification)
        .into_iter()
        .map(|(name, factor)| {
            let severity = if factor >= AMPLIFICATION_CRITICAL { Severity::Critical } else { Severity::Warning };
            let text = format!(
                "Retries multiplied the load on {name} by {}: {} of its arrivals were retries or hedges.",
                units::quantity(factor),
                units::share(1.0 - 1.0 / factor),
            );
            Finding::new(severity, format!("components.{name}"), text)
        })
        .collect()
}

/// Mean use of a pool from which callers can be expected to wait.
const POOL_USE_MIN: f64 = 0.85;
/// A wait for a connection that is worth a line, s.
const POOL_WAIT_MIN_S: f64 = 0.01;

fn pools(result: &RunResult) -> Vec<Finding> {
    let mut waiting: Vec<(f64, Finding)> = Vec::new();
    for (from, links) in &result.links {
        for (link, figures) in links {
            let Some(pool) = &figures.pool else { continue };
            let in_use = if pool.size == 0 { 0.0 } else { pool.active / pool.size as f64 };
            let wait_s = pool.wait.p99_s.unwrap_or(0.0);
            if in_use < POOL_USE_MIN || wait_s < POOL_WAIT_MIN_S {
                continue;
            }
            let text = format!(
                "Callers in {from} wait up to {} (p99) for one of the {} connections of {link}: {} are in use.",
                units::time(wait_s),
                units::grouped(pool.size),
                units::share(in_use),
            );
            waiting.push((wait_s, Finding::new(Severity::Warning, format!("links.{from}.{link}"), text)));
        }
    }
    waiting.sort_by(|left, right| right.0.total_cmp(&left.0));
    waiting.into_iter().map(|(_, finding)| finding).collect()
}

/// Mean utilisation from which queueing dominates: at 90 % an M/M/1 queue waits nine service times.
const SATURATED_MIN: f64 = 0.9;

fn saturation(result: &RunResult) -> Vec<Finding> {
    components_by(result, SATURATED_MIN, |component| component.utilization)
        .into_iter()
        .map(|(name, share)| {
            let text = format!("{name} was {} busy.", units::share(share));
            Finding::new(Severity::Warning, format!("components.{name}"), text)
        })
        .collect()
}

fn refused_retries(result: &RunResult) -> Vec<Finding> {
    let mut refused: Vec<(u64, Finding)> = Vec::new();
    for (from, links) in &result.links {
        for (link, figures) in links {
            if figures.retries_refused == 0 {
                continue;
            }
            let wanted = figures.retries + figures.retries_refused;
            let text = format!(
                "The retry budget of {from}.{link} refused {} retries, {} of those asked for.",
                units::grouped(figures.retries_refused),
                units::share(figures.retries_refused as f64 / wanted as f64),
            );
            refused.push((figures.retries_refused, Finding::new(Severity::Note, format!("links.{from}.{link}"), text)));
        }
    }
    refused.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    refused.into_iter().map(|(_, finding)| finding).collect()
}

/// English ownership: `shoppers' requests`, `api's requests`.
fn possessive(text: &str, name: &str) -> String {
    if name.ends_with('s') { text.to_owned() } else { text.replacen(&format!("{name}'"), &format!("{name}'s"), 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use lab::result::{FaultWindow, QueueResult, Series, WorkloadResult};

    /// A workload of 1,000 requests per second whose goodput is `goodput(t)`, with one fault from 60 s to 80 s.
    fn run(goodput: impl Fn(f64) -> f64) -> RunResult {
        let mut result = sample::calm();
        result.workloads.clear();
        result.workloads.insert("w".to_owned(), WorkloadResult::default());
        result.run.duration_s = 200.0;
        let at_s: Vec<f64> = (-10..200).map(f64::from).collect();
        let values = at_s.iter().map(|at_s| Some(goodput(*at_s))).collect();
        result.series = Series { window_s: 1.0, at_s, columns: Default::default() };
        result.series.columns.insert("workloads.w.goodput".to_owned(), values);
        result
    }

    fn only_recovery(result: &RunResult) -> Recovery {
        recovery(result, &over_time::episodes(&result.faults), 0)
    }

    fn texts(found: &[Finding]) -> Vec<&str> {
        found.iter().map(|finding| finding.text.as_str()).collect()
    }

    #[test]
    fn recovery_is_dated_from_the_first_good_window_that_holds() {
        // Back at 92 s, but only for three seconds; for good from 100 s on.
        let result = run(|at_s| match at_s {
            at_s if at_s < 60.0 => 1000.0,
            at_s if (92.0..95.0).contains(&at_s) => 1000.0,
            at_s if at_s < 100.0 => 300.0,
            _ => 1000.0,
        });
        let Recovery::Recovered { at_s, after_s, lowest, afterwards } = only_recovery(&result) else {
            panic!("{:?}", only_recovery(&result));
        };
        assert_eq!((at_s, after_s), (100.0, 20.0));
        assert!((lowest - 0.3).abs() < 1e-12 && (afterwards - 1.0).abs() < 1e-12);
        assert_eq!(
            texts(&recoveries(&result)),
            ["Recovered from kill store ×1 20s after it ended (at 1m40s); goodput had fallen to 30 % of before."]
        );
    }

    #[test]
    fn a_storm_that_outlives_its_fault_is_critical() {
        let result = run(|at_s| if at_s < 60.0 { 1000.0 } else { 30.0 });
        let found = recoveries(&result);
        assert_eq!(found[0].severity, Severity::Critical);
        assert_eq!(found[0].text, "Did not recover from kill store ×1: 2m after it ended, goodput is 3.0 % of before.");
    }

    #[test]
    fn just_short_of_the_bound_has_not_recovered() {
        let result = run(|at_s| if at_s < 60.0 { 1000.0 } else { 949.0 });
        assert!(matches!(only_recovery(&result), Recovery::Lost { .. }));
        let result = run(|at_s| if at_s < 60.0 { 1000.0 } else { 951.0 });
        assert_eq!(only_recovery(&result), Recovery::Unharmed);
    }

    #[test]
    fn too_little_time_after_a_fault_says_nothing() {
        let mut result = run(|_| 1000.0);
        result.faults[0].until_s = Some(195.0);
        assert_eq!(only_recovery(&result), Recovery::Unknown);
        result.faults[0].at_s = 0.0;
        assert_eq!(only_recovery(&result), Recovery::Unknown, "nothing was seen before it");
    }

    #[test]
    fn a_fault_without_an_end_is_compared_while_it_acts() {
        let mut result = run(|at_s| if at_s < 60.0 { 1000.0 } else { 600.0 });
        result.faults[0].until_s = None;
        assert_eq!(only_recovery(&result), Recovery::StillActing { share: 0.6 });
    }

    #[test]
    fn each_episode_is_compared_with_what_was_just_before_it() {
        // The first fault halves goodput for ever; the second changes nothing more.
        let mut result = run(|at_s| if at_s < 60.0 { 1000.0 } else { 500.0 });
        result.faults.push(FaultWindow {
            at_s: 120.0,
            until_s: Some(130.0),
            what: "second".to_owned(),
            ..FaultWindow::default()
        });
        let episodes = over_time::episodes(&result.faults);
        assert!(matches!(recovery(&result, &episodes, 0), Recovery::Lost { .. }));
        assert_eq!(recovery(&result, &episodes, 1), Recovery::Unharmed);
    }

    #[test]
    fn harm_of_the_next_episode_is_not_laid_at_the_door_of_this_one() {
        let mut result = run(|at_s| if at_s < 120.0 { 1000.0 } else { 100.0 });
        result.faults.push(FaultWindow {
            at_s: 120.0,
            until_s: None,
            what: "second".to_owned(),
            ..FaultWindow::default()
        });
        let episodes = over_time::episodes(&result.faults);
        assert_eq!(recovery(&result, &episodes, 0), Recovery::Unharmed);
        assert_eq!(recovery(&result, &episodes, 1), Recovery::StillActing { share: 0.1 });
    }

    #[test]
    fn the_queue_that_does_not_drain_is_named_with_its_length() {
        assert_eq!(
            texts(&queues(&sample::storm())),
            ["The queue of api holds 143,040 calls at the end and has not shrunk since slow-db ended."]
        );
    }

    #[test]
    fn a_queue_that_drains_is_a_warning_and_one_as_long_as_ever_is_none() {
        let mut result = sample::storm();
        let column: Vec<Option<f64>> = result
            .series
            .at_s
            .iter()
            .map(|at_s| Some(if *at_s < 60.0 { 5.0 } else { (5000.0 - 18.0 * (at_s - 80.0)).min(5000.0) }))
            .collect();
        result.series.columns.insert("components.api.queue.depth".to_owned(), column);
        result.components["api"].queue = Some(QueueResult { depth_end: 1_000, ..QueueResult::default() });
        let found = queues(&result);
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].text.contains("down from 4,9"), "{}", found[0].text);

        result.series.columns.insert("components.api.queue.depth".to_owned(), vec![Some(40.0); 330]);
        result.components["api"].queue = Some(QueueResult { depth_end: 40, ..QueueResult::default() });
        assert!(queues(&result).is_empty());
    }

    #[test]
    fn without_faults_a_queue_that_grows_throughout_is_overload() {
        let mut result = sample::storm();
        result.faults.clear();
        let column = result.series.at_s.iter().map(|at_s| Some(at_s.max(0.0) * 10.0)).collect();
        result.series.columns.insert("components.api.queue.depth".to_owned(), column);
        assert!(queues(&result)[0].text.ends_with("grew throughout: more arrives than it can serve."));
    }

    #[test]
    fn waste_and_amplification_are_graded_and_the_largest_comes_first() {
        let storm = sample::storm();
        assert_eq!(
            texts(&wasted_work(&storm)),
            [
                "87 % of api's work was for callers who had given up.",
                "22 % of db's work was for callers who had given up."
            ]
        );
        let found = amplification(&storm);
        assert_eq!((found[0].severity, found[1].severity), (Severity::Critical, Severity::Warning));
        assert!(found[0].text.starts_with("Retries multiplied the load on api by 2.49: 60 % of its arrivals"));
    }

    #[test]
    fn many_components_with_one_trouble_are_summed_up() {
        let mut result = sample::storm();
        let api = result.components["api"].clone();
        for number in 0..9 {
            result.components.insert(format!("cell{number}/api"), api.clone());
        }
        let found = findings(&result);
        let waste = found.iter().filter(|finding| finding.text.contains("'s work was for callers")).count();
        assert_eq!(waste, PER_RULE_MAX);
        assert!(found.iter().any(|finding| finding.text == "The same holds of 8 other places."));
    }

    #[test]
    fn a_quiet_run_says_so_and_the_worst_comes_first() {
        let mut calm = sample::calm();
        calm.workloads.clear();
        calm.faults.clear();
        assert_eq!(texts(&findings(&calm)), ["Nothing stands out: no queue grew and no limit was reached."]);
        let severities: Vec<Severity> = findings(&sample::storm()).iter().map(|finding| finding.severity).collect();
        assert!(severities.is_sorted());
        assert_eq!(severities[0], Severity::Critical);
    }

    #[test]
    fn a_run_that_was_cut_short_is_marked() {
        let mut result = sample::calm();
        result.run.finished = false;
        assert!(findings(&result)[0].text.starts_with("The run was cut short at 3m"));
    }
}

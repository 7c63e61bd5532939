//! What became of goodput after faults: whether and when it came back, and what it was until then.

use lab::result::RunResult;

use super::{Finding, Severity, why};
use crate::over_time::{self, Episode};
use crate::units;

/// Goodput counts as back at this share of what it was before the fault.
const RECOVERED_SHARE: f64 = 0.95;
/// It must stay there this long, s.
const RECOVERED_HOLD_S: f64 = 10.0;
/// Requests that a mean should rest on: the spread of a Poisson count of 6,400 is 1.25 %, so that a shortfall of 5 % is
/// four times that and not chance.
const RECOVERY_REQUESTS: f64 = 6_400.0;
/// How many times its spread a mean may fall short by chance.
const SPREADS: f64 = 4.0;

/// What became of goodput after an episode of faults.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Recovery {
    /// Goodput never fell below [`RECOVERED_SHARE`] of what it was before.
    Unharmed,
    /// It came back and held for [`RECOVERED_HOLD_S`].
    Recovered {
        /// When it was back, s.
        at_s: f64,
        /// How long that was after the end of the episode, s.
        after_s: f64,
        /// The lowest it had been, as a share of what was to be expected.
        lowest: f64,
        /// Its mean from then to the end of what was watched, as a share of what was to be expected.
        afterwards: f64,
        /// Whether less was to be expected than before, as less was sent.
        load_fell: bool,
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
        /// Mean goodput under them, up to the next fault, as a share of what was to be expected.
        share: f64,
        /// Whether less was to be expected than before, as less was sent.
        load_fell: bool,
        /// Whether another fault struck meanwhile.
        followed: bool,
    },
    /// There is too little before or after the episode to compare.
    Unknown,
}

/// How the goodput of all workloads came through an episode, up to the next one or the end of the run. What it was
/// before is its mean from the end of the episode before (or the end of the warm-up) to the start of this one; as much is
/// to be expected afterwards, or less where workloads that do not wait for answers send less. Where ten seconds hold too
/// few requests to tell 95 % from chance, what counts as back is lowered accordingly.
#[must_use]
pub(super) fn recovery(result: &RunResult, episodes: &[Episode], index: usize) -> Recovery {
    let Some(episode) = episodes.get(index) else { return Recovery::Unknown };
    let end_s = over_time::end_s(result);
    let (before_from_s, _) = over_time::calm_before(episodes, index);
    let series = &result.series;
    let goodput = over_time::workload_total(result, "goodput");
    let mean = |from_s: f64, until_s: f64| over_time::mean_between(series, &goodput, from_s, until_s);
    let Some(before) = mean(before_from_s, episode.at_s).filter(|before| *before > 0.0) else {
        return Recovery::Unknown;
    };
    let watched_until_s = over_time::watched_until(episodes, index, end_s);
    if episode.at_s >= end_s {
        return Recovery::Unknown;
    }
    let load = Load::new(result, before_from_s, episode.at_s);
    // Goodput as a share of what the load lets expect; where nothing is sent, nothing is missed.
    let share_of_expected = |from_s: f64, until_s: f64| {
        let load = Some(load.share(from_s, until_s)).filter(|share| *share < RECOVERED_SHARE);
        let expected = before * load.unwrap_or(1.0);
        mean(from_s, until_s).map(|now| if expected > 0.0 { now / expected } else { 1.0 })
    };
    let until_s = match episode.until_s {
        Some(until_s) if until_s < end_s => until_s,
        _ => {
            let load_fell = load.share(episode.at_s, watched_until_s) < RECOVERED_SHARE;
            let followed = watched_until_s < end_s;
            return share_of_expected(episode.at_s, watched_until_s)
                .map_or(Recovery::Unknown, |share| Recovery::StillActing { share, load_fell, followed });
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
    let smoothed_at = |at_s: f64| share_of_expected(at_s, at_s + windows * series.window_s);
    // Only means that end before the next episode does its harm.
    let covered = |at_s: f64| at_s + windows * series.window_s <= watched_until_s + 1e-9;
    let starts: Vec<f64> = series.at_s.iter().copied().filter(|at_s| covered(*at_s)).collect();
    let good = |at_s: f64| smoothed_at(at_s).is_some_and(|share| share >= threshold);
    let lowest = starts
        .iter()
        .filter(|at_s| **at_s >= episode.at_s)
        .filter_map(|at_s| smoothed_at(*at_s))
        .fold(f64::INFINITY, f64::min);
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
            let afterwards = share_of_expected(from_s, watched_until_s).unwrap_or(1.0);
            let load_fell = load.share(episode.at_s, watched_until_s) < RECOVERED_SHARE;
            return Recovery::Recovered { at_s: from_s, after_s: from_s - until_s, lowest, afterwards, load_fell };
        }
    }
    let tail_from_s = watched_until_s - (watched_s / 4.0).max(RECOVERED_HOLD_S);
    let sent_share = load.known.then(|| load.share(tail_from_s, watched_until_s));
    match mean(tail_from_s, watched_until_s) {
        Some(now) => {
            Recovery::Lost { share: now / before, sent_share, watched_s, tail_s: (tail_from_s, watched_until_s) }
        }
        None => Recovery::Unknown,
    }
}

/// What is sent, against what was sent before.
struct Load<'r> {
    result: &'r RunResult,
    /// What workloads send that do not wait for answers, per window; that of the others falls with the system and counts
    /// as if it were what it was before.
    given: Vec<Option<f64>>,
    given_before: f64,
    waiting_before: f64,
    /// Whether anything is known of it.
    known: bool,
}

impl Load<'_> {
    fn new(result: &RunResult, from_s: f64, until_s: f64) -> Load<'_> {
        let sent = |waits: bool| {
            let of = result.workloads.iter().filter(move |(_, workload)| workload.waits_for_answers == waits);
            over_time::sum(result, of.map(|(name, _)| format!("workloads.{name}.sent")))
        };
        let mean = |sent: &[Option<f64>]| over_time::mean_between(&result.series, sent, from_s, until_s);
        let (given, waiting) = (sent(false), sent(true));
        let (given_before, waiting_before) = (mean(&given), mean(&waiting));
        let known = given_before.is_some() || waiting_before.is_some();
        let [given_before, waiting_before] = [given_before, waiting_before].map(Option::unwrap_or_default);
        Load { result, given, given_before, waiting_before, known }
    }

    /// As a share of before; 1 where it is not known.
    fn share(&self, from_s: f64, until_s: f64) -> f64 {
        let before = self.given_before + self.waiting_before;
        let now = over_time::mean_between(&self.result.series, &self.given, from_s, until_s);
        now.filter(|_| before > 0.0).map_or(1.0, |now| (now + self.waiting_before) / before)
    }
}

/// What a share is a share of.
fn of_what(load_fell: bool) -> &'static str {
    if load_fell { "what the load lets expect" } else { "before" }
}

/// So many recoveries get a sentence of their own, those from the deepest falls.
const RECOVERED_MAX: usize = 3;

/// A sentence for each fault that goodput did not simply come through, the worst first.
pub(super) fn recoveries(result: &RunResult) -> Vec<Finding> {
    let episodes = over_time::episodes(&result.faults);
    let (mut unharmed, mut recovered): (Vec<&str>, Vec<(f64, &str, String)>) = Default::default();
    let mut found: Vec<Finding> = (0..episodes.len())
        .filter_map(|index| {
            let name = &episodes[index].name;
            let one = episodes[index].count == 1;
            let it = if one { "it" } else { "they" };
            let (severity, text) = match recovery(result, &episodes, index) {
                Recovery::Unknown => return None,
                Recovery::Unharmed => {
                    unharmed.push(name);
                    return None;
                }
                Recovery::Recovered { at_s, after_s, lowest, afterwards, load_fell } => {
                    let when = if after_s <= 0.0 {
                        format!("as soon as {it} ended")
                    } else {
                        format!("{} after {it} ended (at {})", units::instant(after_s), units::instant(at_s))
                    };
                    let text = format!(
                        "Recovered from {name} {when}; goodput had fallen to {} of {}",
                        units::share(lowest),
                        of_what(load_fell)
                    );
                    if afterwards < RECOVERED_SHARE {
                        (
                            Severity::Warning,
                            format!("{text}, and averaged only {} of that from then on.", units::share(afterwards)),
                        )
                    } else {
                        recovered.push((lowest, name, format!("{text}.")));
                        return None;
                    }
                }
                Recovery::Lost { share, sent_share, watched_s, tail_s } => {
                    let load = sent_share
                        .filter(|sent_share| *sent_share < RECOVERED_SHARE)
                        .map_or_else(String::new, |sent_share| {
                            format!(" (load {} of before)", units::share(sent_share))
                        });
                    let text = format!(
                        "Did not recover from {name}: {} after {it} ended, goodput is {} of before{load}.{}",
                        units::instant(watched_s),
                        units::share(share),
                        why::kept_down(result, tail_s.0, tail_s.1),
                    );
                    (if share < 0.5 { Severity::Critical } else { Severity::Warning }, text)
                }
                Recovery::StillActing { share, load_fell, followed } => {
                    let then = if followed { " up to the next fault" } else { "" };
                    let acts = if one { "acts" } else { "act" };
                    if share >= RECOVERED_SHARE {
                        let does = if one { "does" } else { "do" };
                        (Severity::Good, format!("{name} {acts} to the end and {does} not lower goodput{then}."))
                    } else {
                        let text = format!(
                            "{name} {acts} to the end of the run; goodput under {it}{then} is {} of {}.",
                            units::share(share),
                            of_what(load_fell)
                        );
                        (if share < 0.5 { Severity::Critical } else { Severity::Warning }, text)
                    }
                }
            };
            Some(Finding::new(severity, "faults", text))
        })
        .collect();
    found.sort_by_key(|finding| finding.severity);
    let good = |text: String| Finding::new(Severity::Good, "faults", text);
    recovered.sort_by(|one, other| one.0.total_cmp(&other.0));
    let others = recovered.split_off(recovered.len().min(RECOVERED_MAX));
    found.extend(recovered.into_iter().map(|(_, _, text)| good(text)));
    let names = |of: &[(f64, &str, String)]| over_time::joined(&of.iter().map(|one| one.1).collect::<Vec<_>>());
    if !others.is_empty() {
        let at_worst = units::share(others[0].0);
        found.push(good(format!(
            "Recovered from {} as well; goodput had fallen to {at_worst} at worst.",
            names(&others)
        )));
    }
    if !unharmed.is_empty() {
        found.push(good(format!("{} did not lower goodput.", over_time::joined(&unharmed))));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use lab::result::{FaultWindow, Series, WorkloadResult};

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
        let Recovery::Recovered { at_s, after_s, lowest, afterwards, .. } = only_recovery(&result) else {
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
        assert_eq!(only_recovery(&result), Recovery::StillActing { share: 0.6, load_fell: false, followed: false });
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
        let still = Recovery::StillActing { share: 0.1, load_fell: false, followed: false };
        assert_eq!(recovery(&result, &episodes, 1), still);
    }

    /// The same with a load, which is in proportion to goodput where nothing is wrong.
    fn under_load(load: impl Fn(f64) -> f64, goodput: impl Fn(f64) -> f64) -> RunResult {
        let mut result = run(goodput);
        let sent = result.series.at_s.iter().map(|at_s| Some(load(*at_s))).collect();
        result.series.columns.insert("workloads.w.sent".to_owned(), sent);
        result
    }

    #[test]
    fn less_goodput_of_a_lower_load_is_no_harm() {
        let load = |at_s: f64| 1000.0 - 4.0 * at_s.max(0.0);
        assert_eq!(only_recovery(&under_load(load, load)), Recovery::Unharmed);
        // Half of what is sent fails from 60 s to 100 s.
        let harmed = under_load(load, |at_s| if (60.0..100.0).contains(&at_s) { load(at_s) / 2.0 } else { load(at_s) });
        assert_eq!(
            texts(&recoveries(&harmed)),
            [
                "Recovered from kill store ×1 20s after it ended (at 1m40s); goodput had fallen to 50 % of what the load lets \
              expect."
            ]
        );
        // Users who wait for their answers send less because the system is down: that excuses nothing.
        let mut waiting = under_load(load, load);
        waiting.workloads["w"].waits_for_answers = true;
        assert!(matches!(only_recovery(&waiting), Recovery::Lost { .. }));
    }

    #[test]
    fn a_fault_that_never_ends_hides_nothing_that_strikes_later() {
        let mut result = run(|at_s| if (120.0..130.0).contains(&at_s) { 0.0 } else { 1000.0 });
        result.faults[0].until_s = None;
        let (name, what) = (Some("cut".to_owned()), String::new());
        result.faults.push(FaultWindow { name, at_s: 120.0, until_s: Some(130.0), what, ..FaultWindow::default() });
        let mut found = recoveries(&result);
        found.sort_by(|left, right| left.text.cmp(&right.text));
        assert_eq!(
            texts(&found),
            [
                "Recovered from cut as soon as it ended; goodput had fallen to 0 % of before.",
                "kill store ×1 acts to the end and does not lower goodput up to the next fault."
            ]
        );
    }

    #[test]
    fn of_many_faults_the_deepest_falls_come_first_and_none_is_told_for_another() {
        // Eight faults of 8 s, 20 s apart: goodput does not mind the even ones, and falls ever deeper by the odd ones.
        let begins = |number: u32| 20.0 * f64::from(number + 1);
        let lost = |at_s: f64| {
            let hit = (0..8).find(|number| (begins(*number)..begins(*number) + 8.0).contains(&at_s));
            hit.filter(|number| number % 2 == 1).map_or(0.0, |number| 100.0 * f64::from(number + 1))
        };
        let mut result = run(|at_s| 1000.0 - lost(at_s));
        let fault = |number: u32| FaultWindow {
            name: Some(format!("f{number}")),
            at_s: begins(number),
            until_s: Some(begins(number) + 8.0),
            ..FaultWindow::default()
        };
        result.faults = (0..8).map(fault).collect();
        let recovered = |name: &str, share: u32| {
            format!("Recovered from {name} as soon as it ended; goodput had fallen to {share} % of before.")
        };
        assert_eq!(
            texts(&recoveries(&result)),
            [
                recovered("f7", 20).as_str(),
                &recovered("f5", 40),
                &recovered("f3", 60),
                "Recovered from f1 as well; goodput had fallen to 80 % at worst.",
                "f0, f2 and 2 others did not lower goodput."
            ]
        );
    }

    #[test]
    fn a_fault_after_the_end_is_not_spoken_of() {
        let mut result = run(|_| 1000.0);
        result.faults[0].at_s = 200.0;
        result.faults[0].until_s = None;
        assert!(recoveries(&result).is_empty());
    }
}

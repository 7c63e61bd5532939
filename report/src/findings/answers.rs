//! Findings about answers: stretches without goodput, failures, late or degraded answers, slow spells, rejected calls, and
//! missed objectives.

use lab::objectives::in_words;
use lab::result::{Demand, RunResult, Table, WorkloadResult};

use super::evidence::{How, Unit};
use super::{Draft, Finding, Severity, why};
use crate::outcome;
use crate::over_time::{self, Stretch};

fn about(workload: &str) -> String {
    format!("workloads.{workload}")
}

/// Thresholds of an outage, as opposed to chance: number of requests without a timely answer, and length, s, …
const UNANSWERED_MIN: f64 = 20.0;
const OUTAGE_S: f64 = 10.0;
/// … or share of the run.
const OUTAGE_SHARE: f64 = 0.1;
/// A shorter gap, s, is the time that a few requests take.
const GAP_S: f64 = 2.0;

/// Windows in which requests were sent and none ended well within the deadline.
pub(super) fn without_goodput(result: &RunResult) -> Vec<Finding> {
    let mut found: Vec<(f64, Finding)> = Vec::new();
    for (name, workload) in &result.workloads {
        let path = |metric: &str| format!("workloads.{name}.{metric}");
        let (Some(sent), Some(good)) =
            (over_time::column(result, &path("sent")), over_time::column(result, &path("goodput")))
        else {
            continue;
        };
        let at = |values: &[Option<f64>], window: usize| values.get(window).copied().flatten().unwrap_or(0.0);
        let gaps = over_time::stretches(result, |window| at(sent, window) > 0.0 && at(good, window) == 0.0);
        let Some(longest) = over_time::longest(&gaps) else { continue };
        let mut draft = Draft::new("no_goodput", about(name));
        let within = |gap: &Stretch| {
            super::evidence::over_windows(result, &[path("sent")], How::Total, gap.from_s, gap.until_s).unwrap_or(0.0)
        };
        let all_sent: f64 = gaps.iter().map(within).sum();
        let all_s: f64 = gaps.iter().map(|gap| gap.until_s - gap.from_s).sum();
        let from = draft.rule("from", Unit::Instant, longest.from_s);
        let until = draft.rule("until", Unit::Instant, longest.until_s);
        let requests = draft.rule("sent", Unit::Count, all_sent);
        let were = if requests == "1" { "request was" } else { "requests were" };
        let text = if gaps.len() == 1 {
            format!("{name} had no goodput from {from} to {until}, while {requests} {were} sent.")
        } else {
            let windows = draft.rule("windows", Unit::Count, gaps.iter().map(|gap| gap.windows as f64).sum());
            let of = draft.rule("of", Unit::Count, over_time::measured(result).len() as f64);
            format!(
                "{name} had no goodput in {windows} of {of} windows, while {requests} {were} sent; the longest gap is {from} to \
                 {until}."
            )
        };
        let severity = gap_severity(result, workload, longest, within(&longest));
        found.push((all_s, draft.say(severity, text)));
    }
    found.sort_by(|left, right| left.1.severity.cmp(&right.1.severity).then(right.0.total_cmp(&left.0)));
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// Severity of the longest time without goodput: the first requests of a run may take a while, and at low rates a window may
/// contain no end of a request.
fn gap_severity(result: &RunResult, workload: &WorkloadResult, gap: Stretch, sent: f64) -> Severity {
    let end_s = over_time::end_s(result);
    let long_s = gap.until_s - gap.from_s;
    let has_failed = |(outcome, count): (&String, &u64)| !outcome::is_success(outcome) && *count > 0;
    let has_begun = gap.from_s > 0.0 || workload.outcomes.iter().any(has_failed) || workload.late > 0;
    if sent < UNANSWERED_MIN || long_s < GAP_S || !has_begun {
        return Severity::Note;
    }
    if long_s >= OUTAGE_S || long_s >= OUTAGE_SHARE * end_s { Severity::Critical } else { Severity::Warning }
}

/// Shares of failures: thresholds of a warning and of a critical finding.
const FAILURES_MIN: f64 = 0.01;
const FAILURES_CRITICAL: f64 = 0.1;

/// Failed requests.
pub(super) fn failures(result: &RunResult) -> Vec<Finding> {
    let mut found: Vec<(f64, Finding)> = Vec::new();
    for (name, workload) in &result.workloads {
        let Some(failed) = outcome::success_share(&workload.outcomes).map(|share| 1.0 - share) else { continue };
        let count: u64 = failed_outcomes(&workload.outcomes).map(|(_, count)| count).sum();
        if count == 0 {
            continue;
        }
        let mut draft = Draft::new("failures", about(name));
        for (outcome, count) in failed_outcomes(&workload.outcomes) {
            draft.metric("outcome", Unit::Count, format!("workloads.{name}.outcomes.{outcome}"), count as f64);
        }
        let share = draft.rule("failed", Unit::Share, failed);
        let words = failure_words(&mut draft, &workload.outcomes);
        let causes = why::causes_in_words(&mut draft, result, workload);
        let words = if causes.is_empty() { words } else { format!("{words}; cause: {causes}") };
        let severity = match failed {
            failed if failed >= FAILURES_CRITICAL => Severity::Critical,
            failed if failed >= FAILURES_MIN => Severity::Warning,
            _ => Severity::Note,
        };
        found.push((failed, draft.say(severity, format!("{share} of {} requests {words}.", possessive(name)))));
    }
    found.sort_by(|left, right| right.0.total_cmp(&left.0));
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn failed_outcomes(outcomes: &Table<u64>) -> impl Iterator<Item = (&str, u64)> {
    let failed = |(name, count): (&String, &u64)| !outcome::is_success(name) && *count > 0;
    outcomes.iter().filter(move |entry| failed(*entry)).map(|(name, count)| (name.as_str(), *count))
}

/// `failed: 70 % timeout, 8 % unavailable`, or `ended in timeout` if all did.
fn failure_words(draft: &mut Draft, outcomes: &Table<u64>) -> String {
    let failures: Vec<&str> =
        outcome::ranked(outcomes).into_iter().map(|(name, _)| name).filter(|name| !outcome::is_success(name)).collect();
    if let [only] = failures.as_slice() {
        return format!("ended in {only}");
    }
    let ranked = outcome::ranked(outcomes).into_iter().filter(|(name, _)| !outcome::is_success(name));
    let words = ranked.map(|(name, share)| format!("{} {name}", draft.rule("share", Unit::Share, share)));
    format!("failed: {}", words.collect::<Vec<_>>().join(", "))
}

/// Answers after the deadline.
pub(super) fn late(result: &RunResult) -> Vec<Finding> {
    let mut found: Vec<(f64, Finding)> = Vec::new();
    for (name, workload) in result.workloads.iter().filter(|(_, workload)| workload.late > 0) {
        let share = workload.late as f64 / workload.completed.max(1) as f64;
        let mut draft = Draft::new("late", about(name));
        let words = draft.rule("late", Unit::Share, share);
        let good = (workload.offered > 0.0).then(|| {
            let share = draft.rule("good", Unit::Share, workload.goodput / workload.offered);
            format!(": goodput is {share} of what was sent")
        });
        let severity = if share >= FAILURES_MIN { Severity::Warning } else { Severity::Note };
        let severity = if share >= FAILURES_CRITICAL { Severity::Critical } else { severity };
        let text = format!(
            "{words} of {} requests were answered after the deadline{}.",
            possessive(name),
            good.unwrap_or_default()
        );
        found.push((share, draft.say(severity, text)));
    }
    found.sort_by(|left, right| right.0.total_cmp(&left.0));
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// Answers by a fallback.
pub(super) fn degraded(result: &RunResult) -> Vec<Finding> {
    let mut found: Vec<(f64, Finding)> = Vec::new();
    for (name, workload) in &result.workloads {
        let count = workload.outcomes.get("degraded").copied().unwrap_or(0);
        if count == 0 {
            continue;
        }
        let share = count as f64 / workload.completed.max(1) as f64;
        let mut draft = Draft::new("degraded", about(name));
        draft.metric("degraded", Unit::Count, format!("workloads.{name}.outcomes.degraded"), count as f64);
        let words = draft.rule("share", Unit::Share, share);
        let severity = if share >= FAILURES_MIN { Severity::Warning } else { Severity::Note };
        found.push((
            share,
            draft.say(severity, format!("{words} of {} answers came from a fallback.", possessive(name))),
        ));
    }
    found.sort_by(|left, right| right.0.total_cmp(&left.0));
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// A request is slow if it takes this many times the usual latency …
pub(super) const SLOW_TIMES: f64 = 10.0;
/// … and exceeds it by at least this much, s.
pub(super) const SLOW_MIN_S: f64 = 0.01;
/// A slow spell is reported if requests take this long, s, in this many consecutive windows; or that long, s, at any time.
const SLOW_WARNING_S: f64 = 0.1;
const SPELL_WINDOWS: usize = 3;
const SLOW_ALWAYS_S: f64 = 1.0;
/// If requests are slow for this share of the time, that is the usual state.
const USUALLY: f64 = 0.8;

/// The usual latency of a median request, s: the lower quartile of the windows' medians, so that it is known even if most of
/// the run was slow.
pub(super) fn usual_median_s(result: &RunResult, workload: &str) -> Option<f64> {
    let medians = over_time::column(result, &format!("workloads.{workload}.latency.p50_s"))?;
    let mut known: Vec<f64> = medians.get(over_time::measured(result))?.iter().flatten().copied().collect();
    known.sort_by(f64::total_cmp);
    known.get(known.len() / 4).copied()
}

/// Windows in which the slowest requests took many times the usual latency.
pub(super) fn slow_spells(result: &RunResult) -> Vec<Finding> {
    let mut found: Vec<(f64, Finding)> = Vec::new();
    let of = over_time::measured(result).len();
    for name in result.workloads.keys() {
        let column = format!("workloads.{name}.latency.p99_s");
        let Some(values) = over_time::column(result, &column) else { continue };
        let Some(usual_s) = usual_median_s(result, name) else { continue };
        let bound_s = (SLOW_TIMES * usual_s).max(usual_s + SLOW_MIN_S);
        let is_slow = |window: usize| values.get(window).copied().flatten().is_some_and(|p99_s| p99_s >= bound_s);
        let slow = over_time::stretches(result, is_slow);
        let (Some(first), Some(last)) = (slow.first(), slow.last()) else { continue };
        let windows: usize = slow.iter().map(|stretch| stretch.windows).sum();
        let mut draft = Draft::new("slow", about(name));
        let span = (first.from_s, last.until_s);
        let Some(most_s) = draft.windows(result, ("most", Unit::Time), vec![column], How::Most, span) else { continue };
        let most = Unit::Time.write(most_s);
        let usual = draft.rule("usual", Unit::Time, usual_s);
        let often = draft.rule("windows", Unit::Count, windows as f64);
        let of_words = draft.rule("of", Unit::Count, of as f64);
        let bound = draft.rule("bound", Unit::Time, bound_s);
        let (from, until) = (draft.rule("from", Unit::Instant, span.0), draft.rule("until", Unit::Instant, span.1));
        let text = format!(
            "The p99 of {name} rose to {most} (the median is usually {usual}): it was {bound} or more in {often} of {of_words} \
             windows, between {from} and {until}."
        );
        let is_usual = windows as f64 >= USUALLY * of as f64;
        let longest = over_time::longest(&slow).map_or(0, |longest| longest.windows);
        let is_spell = longest >= SPELL_WINDOWS && most_s >= SLOW_WARNING_S;
        let severity =
            if (is_spell || most_s >= SLOW_ALWAYS_S) && !is_usual { Severity::Warning } else { Severity::Note };
        found.push((most_s, draft.say(severity, text)));
    }
    found.sort_by(|left, right| left.1.severity.cmp(&right.1.severity).then(right.0.total_cmp(&left.0)));
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// Outcomes with which a component rejects calls, and with which a link does.
pub(super) const AWAY: [&str; 2] = ["overload", "rate_limited"];
pub(super) const AWAY_OF_LINKS: [&str; 2] = ["breaker_open", "pool_timeout"];

/// Calls rejected by a component, or by a link before it.
pub(super) fn refusals(result: &RunResult) -> Vec<Finding> {
    let mut found: Vec<(f64, Finding)> = Vec::new();
    let mut tell = |about: String, who: String, outcomes: &Table<u64>, kinds: &[&str]| {
        let all: u64 = outcomes.values().sum();
        let place = about.split_once('.').map_or("", |(_, place)| place);
        // Failures of requests because of these rejections have already been reported.
        let is_told = |kind: &str| {
            result
                .workloads
                .values()
                .flat_map(why::main_causes)
                .any(|cause| cause.outcome == kind && cause.place == place)
        };
        let away: Vec<(&str, u64)> = kinds
            .iter()
            .filter(|kind| !is_told(kind))
            .filter_map(|kind| outcomes.get(*kind).filter(|count| **count > 0).map(|count| (*kind, *count)))
            .collect();
        let count: u64 = away.iter().map(|(_, count)| count).sum();
        if count == 0 {
            return;
        }
        let mut draft = Draft::new("refusals", about.clone());
        for (kind, count) in &away {
            draft.metric("refused", Unit::Count, format!("{about}.outcomes.{kind}"), *count as f64);
        }
        let share = count as f64 / all.max(1) as f64;
        let words = draft.rule("share", Unit::Share, share);
        let kinds: Vec<&str> = away.iter().map(|(kind, _)| *kind).collect();
        let severity = if share >= FAILURES_MIN { Severity::Warning } else { Severity::Note };
        found
            .push((share, draft.say(severity, format!("{who} rejected {words} of its calls ({}).", kinds.join(", ")))));
    };
    for (name, component) in &result.components {
        tell(format!("components.{name}"), name.clone(), &component.outcomes, &AWAY);
    }
    for (from, links) in &result.links {
        for (link, figures) in links {
            let who = format!("The link from {from} to {}", over_time::joined(&as_strs(&figures.to)));
            tell(format!("links.{from}.{link}"), who, &figures.outcomes, &AWAY_OF_LINKS);
        }
    }
    found.sort_by(|left, right| left.1.severity.cmp(&right.1.severity).then(right.0.total_cmp(&left.0)));
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn as_strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Objectives that do not hold.
pub(super) fn objectives(result: &RunResult) -> Vec<Finding> {
    let missed = result.objectives.iter().filter(|objective| !objective.always_holds());
    let say = |objective: &lab::result::ObjectiveResult| {
        let draft = Draft::new("objective", format!("objectives.{}", objective.name));
        let words = in_words(objective);
        // A missing recovery is the worst way to miss a `recovers` objective: report it first.
        let severity = match (objective.demand, objective.value) {
            (Demand::Recovers, None) => Severity::Critical,
            (Demand::Below | Demand::Above | Demand::Recovers, _) => Severity::Warning,
        };
        draft.say(severity, format!("Objective missed: {words}."))
    };
    missed.map(say).collect()
}

/// The English possessive: `shoppers'`, `api's`.
pub(super) fn possessive(name: &str) -> String {
    let s = if name.ends_with('s') { "" } else { "s" };
    format!("{name}'{s}")
}

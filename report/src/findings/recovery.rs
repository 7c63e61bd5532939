//! Recovery of goodput after faults: how deep it fell and for how long, how many requests were lost, and whether and when it
//! recovered.

use lab::recovery::{Episode, back_at, baseline, windows_between};
use lab::result::{Demand, RunResult};

use super::evidence::{How, Source, Unit};
use super::{Draft, Finding, Severity, why};
use crate::over_time;

/// Goodput counts as recovered at this share of its level before the fault …
pub(super) const RECOVERED_SHARE: f64 = 0.95;
/// … if it stays there for this long, s.
const RECOVERED_HOLD_S: f64 = 10.0;
/// Minimum number of requests behind a mean: the standard deviation of a Poisson count of 6,400 is 1.25 %, so a shortfall of
/// 5 % is four standard deviations and not chance.
const RECOVERY_REQUESTS: f64 = 6_400.0;
/// Number of requests needed to tell how deep goodput fell.
const DEPTH_REQUESTS: f64 = 20.0;
/// Maximum shortfall of a mean by chance, in standard deviations.
const SPREADS: f64 = 4.0;

/// The effect of an episode of faults on goodput.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Recovery {
    /// Goodput never fell below the bound.
    Unharmed {
        /// The lowest level, as a share of the expected level.
        lowest: f64,
    },
    /// It recovered and stayed recovered.
    Recovered {
        /// Time of recovery, s.
        at_s: f64,
        /// Its mean from then to the end of the observation, as a share of the expected level.
        afterwards: f64,
    },
    /// It did not recover before the next fault or the end of the run.
    Lost {
        /// Its mean over the last quarter of the observation, as a share of the level before.
        share: f64,
        /// Requests sent in that time, as a share of the number before; `None` if unknown.
        sent_share: Option<f64>,
        /// The time to which these shares refer, s.
        tail_s: (f64, f64),
    },
    /// Too little time is left after the episode to tell.
    CutOff {
        /// Its mean until the end, as a share of the expected level.
        share: f64,
    },
    /// The faults acted to the end of the run, but after an action by operators goodput recovered and stayed recovered.
    Remedied {
        /// Index of the last event before the recovery.
        event: usize,
        /// Time of recovery, s.
        at_s: f64,
    },
    /// The faults acted to the end of the run.
    StillActing {
        /// Start of the time in which no other faults acted, s.
        from_s: f64,
        /// Mean goodput under the faults, up to the next fault, as a share of the expected level.
        share: f64,
    },
    /// There is too little time before or after the episode for a comparison.
    Unknown,
}

/// An episode of faults, the expected goodput, and the criteria of recovery.
pub(super) struct Story<'r> {
    result: &'r RunResult,
    goodput: Vec<Option<f64>>,
    load: Load<'r>,
    /// Mean goodput before …
    before: f64,
    /// … over this time, s.
    before_s: (f64, f64),
    /// When the faults struck, s, and when the last of them ended.
    pub(super) at_s: f64,
    pub(super) until_s: Option<f64>,
    /// End of the observation of this episode, s: the next episode, or the end of the run.
    pub(super) watched_until_s: f64,
    /// Whether the observation ends with another fault.
    followed: bool,
    /// Number of windows per mean, the share that counts as recovered, and the time for which it must last, s.
    windows: usize,
    threshold: f64,
    hold_s: f64,
    /// Whether an objective sets the criteria of recovery: then every window counts by itself, regardless of the load.
    by_objective: bool,
}

impl<'r> Story<'r> {
    /// The story of the episode at `index`. The level before is the mean goodput over the last stretch in which no fault acted.
    /// The expected level afterwards is the same, or less if workloads that do not wait for answers send less. If ten seconds
    /// contain too few requests to distinguish 95 % from chance, the share that counts as recovered is lowered accordingly.
    pub(super) fn new(result: &'r RunResult, episodes: &[Episode], index: usize) -> Option<Story<'r>> {
        let episode = episodes.get(index)?;
        let end_s = over_time::end_s(result);
        let series = &result.series;
        let goodput = over_time::workload_total(result, "goodput");
        let before_s = baseline(series, episodes, index)?;
        let before = mean_of(&goodput, windows_between(series, before_s.0, before_s.1)).filter(|mean| *mean > 0.0)?;
        if episode.at_s >= end_s {
            return None;
        }
        let next = episodes[index + 1..].iter().find(|next| next.at_s > episode.settled_s());
        let watched_until_s = next.map_or(end_s, |next| next.at_s.min(end_s));
        let objective = objective(result, episode);
        let smoothing_s = (RECOVERY_REQUESTS / before).min(RECOVERED_HOLD_S).max(series.window_s);
        let windows = if objective.is_some() { 1 } else { (smoothing_s / series.window_s).ceil() as usize };
        let requests = before * windows as f64 * series.window_s;
        let by_chance = RECOVERED_SHARE.min(1.0 - SPREADS / requests.sqrt());
        let (threshold, hold_s) = objective.unwrap_or((by_chance, RECOVERED_HOLD_S));
        Some(Story {
            load: Load::new(result, before_s.0, before_s.1),
            result,
            goodput,
            before,
            before_s,
            at_s: episode.at_s,
            until_s: episode.until_s.filter(|until_s| *until_s < end_s),
            watched_until_s,
            followed: watched_until_s < end_s,
            windows,
            threshold,
            hold_s,
            by_objective: objective.is_some(),
        })
    }

    fn reach_s(&self) -> f64 {
        self.windows as f64 * self.result.series.window_s
    }

    fn mean(&self, from_s: f64, until_s: f64) -> Option<f64> {
        mean_of(&self.goodput, windows_between(&self.result.series, from_s, until_s))
    }

    /// The load between two instants as a share of the load before, if it was lower.
    fn less_load(&self, from_s: f64, until_s: f64) -> Option<f64> {
        Some(self.load.share(from_s, until_s)).filter(|share| *share < RECOVERED_SHARE && !self.by_objective)
    }

    /// Goodput as a share of the level expected for the load; 1 if nothing is sent.
    pub(super) fn share(&self, from_s: f64, until_s: f64) -> Option<f64> {
        let expected = self.before * self.less_load(from_s, until_s).unwrap_or(1.0);
        self.mean(from_s, until_s).map(|now| if expected > 0.0 { now / expected } else { 1.0 })
    }

    /// The same from a window on, over the number of windows per mean, if there are that many before `until_s`.
    fn share_at(&self, window: usize, until_s: f64) -> Option<f64> {
        let at_s = *self.result.series.at_s.get(window)?;
        let end_s = at_s + self.reach_s();
        (end_s <= until_s + 1e-9).then(|| self.share(at_s, end_s)).flatten()
    }

    /// The minimum of these shares between two instants.
    fn lowest(&self, from_s: f64, until_s: f64) -> Option<f64> {
        let windows = windows_between(&self.result.series, from_s, until_s);
        windows.filter_map(|window| self.share_at(window, until_s)).reduce(f64::min)
    }

    /// Classifies the effect on goodput.
    pub(super) fn told(&self) -> Recovery {
        let Some(until_s) = self.until_s else {
            // While other faults acted as well, their effects cannot be separated.
            let others = lab::recovery::episodes(&self.result.faults);
            let beside = others.iter().filter(|other| other.at_s <= self.at_s).filter_map(|other| other.until_s);
            let from_s = beside.fold(self.at_s, f64::max);
            if let Some(remedied) = self.remedied(from_s) {
                return remedied;
            }
            let share = self.share(from_s, self.watched_until_s);
            return share.map_or(Recovery::Unknown, |share| Recovery::StillActing { from_s, share });
        };
        let Some(lowest) = self.lowest(self.at_s, self.watched_until_s) else { return Recovery::Unknown };
        if lowest >= self.threshold {
            return Recovery::Unharmed { lowest };
        }
        let watched_s = self.watched_until_s - until_s;
        if let Some(at_s) = self.back_s(until_s) {
            let afterwards = self.share(at_s, self.watched_until_s).unwrap_or(1.0);
            return Recovery::Recovered { at_s, afterwards };
        }
        let whole = windows_between(&self.result.series, until_s, self.watched_until_s);
        let first_s = self.result.series.at_s.get(whole.start).copied().unwrap_or(until_s);
        if whole.is_empty() || first_s + self.hold_s > self.watched_until_s + 1e-9 {
            let share = self.share(until_s, self.watched_until_s).unwrap_or(lowest);
            return Recovery::CutOff { share };
        }
        let from_s = self.watched_until_s - (watched_s / 4.0).max(self.hold_s.min(watched_s));
        let sent_share = self.load.known.then(|| self.load.share(from_s, self.watched_until_s));
        match self.mean(from_s, self.watched_until_s) {
            Some(now) => {
                Recovery::Lost { share: now / self.before, sent_share, tail_s: (from_s, self.watched_until_s) }
            }
            None => Recovery::Unknown,
        }
    }

    /// Start of the first time in which goodput stays recovered for the required time, before the next fault.
    fn back_s(&self, from_s: f64) -> Option<f64> {
        let end_s = over_time::end_s(self.result);
        let good = |window: usize| self.share_at(window, end_s).is_some_and(|share| share >= self.threshold);
        let back_s = back_at(&self.result.series, from_s, self.hold_s, self.reach_s(), good);
        back_s.filter(|at_s| at_s + self.hold_s <= self.watched_until_s + 1e-9)
    }

    /// Endless faults that harmed goodput until operators acted. `from_s` is when the faults began to act alone.
    fn remedied(&self, from_s: f64) -> Option<Recovery> {
        let first = self.events(from_s, self.watched_until_s).next()?;
        let harmed = |lowest: f64| lowest < self.threshold;
        self.lowest(self.at_s, self.result.events[first].at_s).filter(|lowest| harmed(*lowest))?;
        let at_s = self.back_s(from_s)?;
        // It must stay recovered to the end, not just for the required time.
        self.share(at_s, self.watched_until_s).filter(|afterwards| *afterwards >= self.threshold)?;
        self.events(from_s, at_s).last().map(|event| Recovery::Remedied { event, at_s })
    }

    /// Actions of operators between two instants, in chronological order.
    fn events(&self, from_s: f64, until_s: f64) -> impl DoubleEndedIterator<Item = usize> {
        let events = &self.result.events;
        let within = |event: &usize| (from_s..=until_s).contains(&events[*event].at_s);
        let mut found: Vec<usize> = (0..events.len()).filter(within).collect();
        found.sort_by(|one, other| events[*one].at_s.total_cmp(&events[*other].at_s));
        found.into_iter()
    }

    /// The time from an event to an instant: `20s after rate-limit (event)`.
    fn since(&self, draft: &mut Draft, event: usize, at_s: f64) -> String {
        let event = &self.result.events[event];
        let name = over_time::fault_name(event);
        match at_s - event.at_s {
            after_s if after_s > 0.0 => {
                format!("{} after {name} (event)", draft.rule("after_event", Unit::Instant, after_s))
            }
            _ => format!("as soon as {name} (event) was done"),
        }
    }

    /// How deep goodput fell, for how long it was low, and how many requests were lost up to an instant: ` goodput fell to
    /// 30 % of its level before, was below 95 % for 40s, and 28,000 requests were lost`.
    fn harm(&self, draft: &mut Draft, until_s: f64, depth: Depth) -> String {
        let series = &self.result.series;
        let of = if self.less_load(self.at_s, until_s).is_some() { "what the load allows" } else { "its level before" };
        let mut said = Vec::new();
        match depth {
            Depth::Told => {
                let lowest = draft.rule("lowest", Unit::Share, self.depth(until_s));
                said.push(format!("goodput fell to {lowest} of {of}"));
            }
            Depth::Known => said.push("it".to_owned()),
        }
        let low = windows_between(series, self.at_s, until_s).filter(|window| {
            let at_s = series.at_s[*window];
            self.share(at_s, at_s + series.window_s).is_some_and(|share| share < RECOVERED_SHARE)
        });
        let low_s = low.count() as f64 * series.window_s;
        if low_s > 0.0 {
            let bound = draft.rule("bound", Unit::Bound, RECOVERED_SHARE);
            let low = draft.rule("low", Unit::Instant, low_s);
            match depth {
                Depth::Told => said.push(format!("was below {bound} for {low}")),
                Depth::Known => said = vec![format!("it was below {bound} for {low}")],
            }
        }
        let lost = self.lost();
        if lost >= 0.5 {
            said.push(format!("{} requests were lost", draft.rule("lost", Unit::Count, lost)));
        }
        draft.span(self.at_s, until_s);
        said.retain(|said| said != "it");
        match said.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [some @ .., last] => format!("{}, and {last}", some.join(", ")),
        }
    }

    /// The lowest goodput up to an instant, averaged over as few windows as contain enough requests.
    pub(super) fn depth(&self, until_s: f64) -> f64 {
        let series = &self.result.series;
        let windows = (DEPTH_REQUESTS / (self.before * series.window_s)).ceil().clamp(1.0, self.windows as f64);
        let reach_s = windows * series.window_s;
        let until_s = until_s.max(self.at_s + reach_s);
        let shares = windows_between(series, self.at_s, until_s).filter_map(|window| {
            let at_s = series.at_s[window];
            (at_s + reach_s <= until_s + 1e-9).then(|| self.share(at_s, at_s + reach_s)).flatten()
        });
        shares.reduce(f64::min).unwrap_or(1.0)
    }

    /// Number of requests lost from the fault to the end of the observation: those that would have ended well at the earlier
    /// success rate and did not. Requests that were merely late are not lost.
    pub(super) fn lost(&self) -> f64 {
        let total = |metric: &str, from_s: f64, until_s: f64| {
            let columns: Vec<String> =
                self.result.workloads.keys().map(|name| format!("workloads.{name}.{metric}")).collect();
            super::evidence::over_windows(self.result, &columns, How::Total, from_s, until_s).unwrap_or(0.0)
        };
        let (from_s, until_s) = self.before_s;
        let sent_before = total("sent", from_s, until_s);
        let share = if sent_before > 0.0 { (total("goodput", from_s, until_s) / sent_before).min(1.0) } else { 1.0 };
        let (from_s, until_s) = (self.at_s, self.watched_until_s);
        share * total("sent", from_s, until_s) - total("goodput", from_s, until_s)
    }

    fn state_before(&self, draft: &mut Draft) {
        let columns = self.result.workloads.keys().map(|name| format!("workloads.{name}.goodput")).collect();
        let (from_s, until_s) = self.before_s;
        let source = Source::Windows { columns, how: How::Mean, from_s, until_s };
        draft.push("before", Unit::Rate, self.before, source);
    }
}

fn mean_of(values: &[Option<f64>], windows: std::ops::Range<usize>) -> Option<f64> {
    let known: Vec<f64> = values.get(windows)?.iter().flatten().copied().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// Whether to state how deep goodput fell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Depth {
    /// State it.
    Told,
    /// Leave it out: goodput is still as low, which has been stated.
    Known,
}

/// The criteria of recovery that an objective sets for one of these faults: share, and time, s.
fn objective(result: &RunResult, episode: &Episode) -> Option<(f64, f64)> {
    let asked = result.objectives.iter().filter(|objective| objective.demand == Demand::Recovers);
    let of_goodput = asked.filter(|objective| objective.metric == "goodput");
    let recovers = of_goodput.filter_map(|objective| objective.recovers.as_ref());
    let mut of_these = recovers.filter(|recovers| {
        let named = |fault: &&usize| result.faults[**fault].name.as_deref() == Some(recovers.from.as_str());
        episode.faults.iter().find(named).is_some()
    });
    of_these.next().map(|recovers| (recovers.to, recovers.hold_s))
}

/// The effect of an episode on the goodput of all workloads, up to the next one or the end of the run.
#[cfg(test)]
fn recovery(result: &RunResult, episodes: &[Episode], index: usize) -> Recovery {
    Story::new(result, episodes, index).map_or(Recovery::Unknown, |story| story.told())
}

/// The names of the faults of an episode, in the order in which they started.
pub(super) fn name(result: &RunResult, episode: &Episode) -> String {
    let names: Vec<&str> = episode.faults.iter().map(|fault| over_time::fault_name(&result.faults[*fault])).collect();
    over_time::joined(&names)
}

/// The requests sent, relative to those before.
struct Load<'r> {
    result: &'r RunResult,
    /// Requests per window from workloads that do not wait for answers. The load of other workloads falls with the system, and
    /// counts as unchanged.
    given: Vec<Option<f64>>,
    given_before: f64,
    waiting_before: f64,
    /// Whether the load is known.
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

    /// The load as a share of the load before; 1 if it is not known.
    fn share(&self, from_s: f64, until_s: f64) -> f64 {
        let before = self.given_before + self.waiting_before;
        let now = over_time::mean_between(&self.result.series, &self.given, from_s, until_s);
        now.filter(|_| before > 0.0).map_or(1.0, |now| (now + self.waiting_before) / before)
    }
}

/// Maximum number of recoveries with a sentence of their own: those from the deepest falls.
const RECOVERED_MAX: usize = 3;

/// A sentence for each fault that harmed goodput, the worst first.
pub(super) fn recoveries(result: &RunResult) -> Vec<Finding> {
    let episodes = lab::recovery::episodes(&result.faults);
    let mut unharmed: Vec<(String, f64)> = Vec::new();
    let mut recovered: Vec<(f64, String, Finding)> = Vec::new();
    let mut found: Vec<Finding> = Vec::new();
    for (index, episode) in episodes.iter().enumerate() {
        let Some(story) = Story::new(result, &episodes, index) else { continue };
        let name = name(result, episode);
        match story.told() {
            Recovery::Unknown => {}
            Recovery::Unharmed { lowest } => unharmed.push((name, lowest)),
            Recovery::Recovered { at_s, afterwards } => {
                let finding = came_back(&story, episode, &name, at_s, afterwards);
                let lowest = story.lowest(story.at_s, at_s + story.reach_s()).unwrap_or(1.0);
                if finding.severity == Severity::Good {
                    recovered.push((lowest, name, finding));
                } else {
                    found.push(finding);
                }
            }
            Recovery::Lost { share, sent_share, tail_s } => {
                found.push(did_not_come_back(&story, episode, &name, share, sent_share, tail_s));
            }
            Recovery::CutOff { share } => found.push(cut_off(&story, episode, &name, share)),
            Recovery::Remedied { event, at_s } => found.push(remedied(&story, episode, &name, event, at_s)),
            Recovery::StillActing { from_s, share } => found.push(still_acts(&story, episode, &name, from_s, share)),
        }
    }
    // A missing recovery is the worst finding.
    found.sort_by_key(|finding| (finding.severity, finding.rule != "not_recovered"));
    recovered.sort_by(|one, other| one.0.total_cmp(&other.0));
    let others = recovered.split_off(recovered.len().min(RECOVERED_MAX));
    found.extend(recovered.into_iter().map(|(_, _, finding)| finding));
    if let Some((lowest, ..)) = others.first() {
        let mut draft = Draft::new("recovered_too", "faults");
        let names: Vec<&str> = others.iter().map(|(_, name, _)| name.as_str()).collect();
        let worst = draft.rule("lowest", Unit::Share, *lowest);
        let text = format!("Also recovered from {}; goodput fell to {worst} at worst.", over_time::joined(&names));
        found.push(draft.say(Severity::Good, text));
    }
    if let Some(lowest) = unharmed.iter().map(|(_, lowest)| *lowest).reduce(f64::min) {
        let mut draft = Draft::new("unharmed", "faults");
        let names: Vec<&str> = unharmed.iter().map(|(name, _)| name.as_str()).collect();
        let below =
            (lowest < 1.0).then(|| format!(" below {} of its level before", draft.rule("lowest", Unit::Share, lowest)));
        let text = format!("{} did not lower goodput{}.", over_time::joined(&names), below.unwrap_or_default());
        found.push(draft.say(Severity::Good, text));
    }
    found
}

/// `it` for one fault, `they` for several.
fn pronoun(episode: &Episode) -> &'static str {
    if episode.faults.len() == 1 { "it" } else { "they" }
}

fn came_back(story: &Story<'_>, episode: &Episode, name: &str, at_s: f64, afterwards: f64) -> Finding {
    let mut draft = Draft::new("recovered", "faults");
    story.state_before(&mut draft);
    let it = pronoun(episode);
    let after_s = at_s - episode.settled_s();
    let event = story.events(episode.at_s, at_s).last().filter(|_| after_s > 0.0);
    let event = event.map(|event| format!("{}, ", story.since(&mut draft, event, at_s))).unwrap_or_default();
    let when = if after_s <= 0.0 {
        format!("as soon as {it} ended")
    } else {
        let after = draft.rule("after", Unit::Instant, after_s);
        format!("{event}{after} after {it} ended (at {})", draft.rule("at", Unit::Instant, at_s))
    };
    draft.rule("ended", Unit::Instant, episode.settled_s());
    let harm = story.harm(&mut draft, at_s.max(episode.settled_s()), Depth::Told);
    let text = format!("Recovered from {name} {when}; {harm}");
    if afterwards >= RECOVERED_SHARE.min(story.threshold) {
        return draft.say(Severity::Good, format!("{text}."));
    }
    let averaged = draft.rule("afterwards", Unit::Share, afterwards);
    draft.say(Severity::Warning, format!("{text}. Since then it has averaged only {averaged} of its level before."))
}

/// The finding that goodput recovered under endless faults because operators acted.
fn remedied(story: &Story<'_>, episode: &Episode, name: &str, event: usize, at_s: f64) -> Finding {
    let mut draft = Draft::new("remedied", "faults");
    story.state_before(&mut draft);
    let acts = if episode.faults.len() == 1 { "acts" } else { "act" };
    let event = story.since(&mut draft, event, at_s);
    let at = draft.rule("at", Unit::Instant, at_s);
    let harm = story.harm(&mut draft, at_s, Depth::Told);
    let text = format!("Recovered {event} (at {at}), although {name} {acts} to the end of the run; {harm}.");
    draft.say(Severity::Good, text)
}

fn did_not_come_back(
    story: &Story<'_>,
    episode: &Episode,
    name: &str,
    share: f64,
    sent_share: Option<f64>,
    tail_s: (f64, f64),
) -> Finding {
    let mut draft = Draft::new("not_recovered", "faults");
    story.state_before(&mut draft);
    let it = pronoun(episode);
    draft.rule("ended", Unit::Instant, episode.settled_s());
    let watched = draft.rule("watched", Unit::Instant, story.watched_until_s - episode.settled_s());
    let columns: Vec<String> = story.result.workloads.keys().map(|name| format!("workloads.{name}.goodput")).collect();
    draft.windows(story.result, ("tail", Unit::Rate), columns, How::Mean, tail_s);
    let is = draft.rule("share", Unit::Share, share);
    let load = sent_share.filter(|sent_share| *sent_share < RECOVERED_SHARE).map_or_else(String::new, |sent_share| {
        format!(" (load {} of its level before)", draft.rule("load", Unit::Share, sent_share))
    });
    let bound = if story.by_objective {
        let to = draft.rule("threshold", Unit::Bound, story.threshold);
        let hold = draft.rule("hold", Unit::Instant, story.hold_s);
        format!(", and it never stayed at {to} for {hold}")
    } else {
        String::new()
    };
    let harm = story.harm(&mut draft, story.watched_until_s, Depth::Known);
    let harm = if harm.is_empty() { harm } else { format!("; {harm}") };
    let why = why::kept_down(&mut draft, story.result, tail_s.0, tail_s.1);
    let text = if story.followed {
        format!(
            "Had not recovered from {name} when the next fault struck, {watched} after {it} ended: goodput was {is} of its \
             level before{load}{bound}{harm}.{why}"
        )
    } else {
        format!(
            "Did not recover from {name}: {watched} after {it} ended, goodput is {is} of its level before{load}{bound}{harm}.{why}"
        )
    };
    draft.say(Severity::Critical, text)
}

fn cut_off(story: &Story<'_>, episode: &Episode, name: &str, share: f64) -> Finding {
    let mut draft = Draft::new("cut_off", "faults");
    story.state_before(&mut draft);
    draft.rule("ended", Unit::Instant, episode.settled_s());
    let left = draft.rule("left", Unit::Instant, story.watched_until_s - episode.settled_s());
    let then = if story.followed { "The next fault struck" } else { "The run ended" };
    let is = draft.rule("share", Unit::Share, share);
    let it = pronoun(episode);
    let harm = story.harm(&mut draft, story.watched_until_s, Depth::Told);
    let text = format!(
        "{then} {left} after {name} ended, too soon to see whether goodput recovers: it was {is} of its level before in that \
         time; while {it} lasted, {harm}."
    );
    let severity = if share < story.threshold { Severity::Critical } else { Severity::Warning };
    draft.say(severity, text)
}

fn still_acts(story: &Story<'_>, episode: &Episode, name: &str, from_s: f64, share: f64) -> Finding {
    let mut draft = Draft::new("still_acting", "faults");
    story.state_before(&mut draft);
    let until_s = story.watched_until_s;
    let columns: Vec<String> = story.result.workloads.keys().map(|name| format!("workloads.{name}.goodput")).collect();
    draft.windows(story.result, ("under", Unit::Rate), columns, How::Mean, (from_s, until_s));
    let one = episode.faults.len() == 1;
    let acts = if one { "acts" } else { "act" };
    let then = if story.followed { " up to the next fault" } else { "" };
    let is = draft.rule("share", Unit::Share, share);
    let less = story.less_load(from_s, until_s);
    if share >= RECOVERED_SHARE {
        let does = if one { "does" } else { "do" };
        draft.span(from_s, until_s);
        let text = format!(
            "{name} {acts} to the end of the run and {does} not lower goodput{then}: it is {is} of its level before."
        );
        let text = if less.is_some() { text.replace("of its level before", "of what the load allows") } else { text };
        return draft.say(Severity::Good, text);
    }
    let of = if less.is_some() { "what the load allows" } else { "its level before" };
    let under = if one { "it" } else { "them" };
    draft.span(from_s, until_s);
    let text = format!("{name} {acts} to the end of the run; goodput under {under}{then} is {is} of {of}.");
    draft.say(if share < 0.5 { Severity::Critical } else { Severity::Warning }, text)
}

#[cfg(test)]
mod tests;

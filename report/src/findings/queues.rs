//! Findings about queues: full ones, growing ones, ones that have not drained, and ones that were long at some time.

use lab::recovery::Episode;
use lab::result::{ComponentResult, Happenings, QueueResult, RunResult};
use lab::trend::Growth;

use super::callers;
use super::evidence::{How, Unit};
use super::{Draft, Finding, Remedy, Severity};
use crate::over_time::{self, Stretch};

/// Length below which a queue is normal.
pub(super) const LENGTH_MIN: u64 = 20;
/// Wait in a queue that is long for any caller, s.
pub(super) const WAIT_MIN_S: f64 = 1.0;
/// Share of the bound above which a queue counts as full.
pub(super) const FULL_MIN: f64 = 0.9;
/// Share of the time for which a queue must be full for a warning.
const FULL_OFTEN: f64 = 0.1;

/// One sentence for each notable queue, ordered by severity, then by length.
pub(super) fn queues(result: &RunResult) -> Vec<Finding> {
    let episodes = lab::recovery::episodes(&result.faults);
    let mut found: Vec<(u64, Finding)> = Vec::new();
    for (name, component) in &result.components {
        let Some(queue) = &component.queue else { continue };
        let place = Place { result, name, component, queue, column: format!("components.{name}.queue.depth") };
        let finding = place
            .grows(&episodes)
            .or_else(|| place.is_full())
            .or_else(|| place.has_not_drained(&episodes))
            .or_else(|| place.was_long());
        found.extend(finding.map(|finding| (queue.depth_max, finding)));
    }
    found.sort_by(|left, right| left.1.severity.cmp(&right.1.severity).then(right.0.cmp(&left.0)));
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// A component with a queue.
struct Place<'r> {
    result: &'r RunResult,
    name: &'r str,
    component: &'r ComponentResult,
    queue: &'r QueueResult,
    /// The name of its depth column.
    column: String,
}

impl Place<'_> {
    fn draft(&self, rule: &'static str) -> Draft {
        Draft::new(rule, format!("components.{}", self.name))
    }

    fn values(&self) -> Option<&[Option<f64>]> {
        over_time::column(self.result, &self.column)
    }

    fn metric(&self, what: &str) -> String {
        format!("components.{}.queue.{what}", self.name)
    }

    /// The trend of its depth up to the end of the run: over the whole run, since the faults ended, or over the last half or
    /// quarter.
    fn growth(&self, episodes: &[Episode]) -> Option<Growth> {
        let values = self.values()?;
        let end_s = over_time::end_s(self.result);
        let settled_s = episodes.iter().map(Episode::settled_s).filter(|at_s| *at_s < end_s).fold(0.0, f64::max);
        let mut starts = [settled_s, end_s / 2.0, end_s * 0.75].into_iter().filter(|from_s| *from_s >= settled_s);
        let least = LENGTH_MIN as f64;
        let grows = |from_s: f64| {
            let growth = lab::trend::growth(&self.result.series, values, from_s, end_s)?;
            // Ignore growth by less than a tenth.
            (growth.last >= least && growth.last - growth.first >= (growth.first / 10.0).max(least / 2.0))
                .then_some(growth)
        };
        starts.find_map(grows)
    }

    fn grows(&self, episodes: &[Episode]) -> Option<Finding> {
        let growth = self.growth(episodes)?;
        let mut draft = self.draft("queue_grows");
        let mut part = |name: &'static str, from_s: f64, until_s: f64| {
            let columns = vec![self.column.clone()];
            draft.windows(self.result, (name, Unit::Number), columns, How::Mean, (from_s, until_s))
        };
        let first = part("first", growth.from_s, growth.from_s + growth.part_s)?;
        let last = part("last", growth.until_s - growth.part_s, growth.until_s)?;
        let (first, last) = (Unit::Number.write(first), Unit::Number.write(last));
        let from = draft.rule("from", Unit::Instant, growth.from_s);
        let until = draft.rule("until", Unit::Instant, growth.until_s);
        let end = draft.metric("depth_end", Unit::Count, self.metric("depth_end"), self.queue.depth_end as f64);
        let text = format!(
            "The queue of {} grew from {first} to {last} between {from} and {until} and holds {end} at the end: more arrives than \
             is served.",
            self.name
        );
        // Every component with workers has a queue in front of them, which can be bounded.
        let bound = callers::setting_of(self.name, "admission.queue.max")
            .filter(|_| self.component.workers.is_some() && self.queue.bound.is_none())
            .map(|path| Remedy { what: "Bound it", path, example: "100" });
        Some(draft.remedy(bound).say(Severity::Critical, text))
    }

    fn is_full(&self) -> Option<Finding> {
        let bound = self.queue.bound.filter(|bound| *bound > 0)?;
        let values = self.values()?;
        let least = FULL_MIN * bound as f64;
        let full = over_time::stretches(self.result, |window| {
            values.get(window).copied().flatten().is_some_and(|depth| depth >= least)
        });
        let windows: usize = full.iter().map(|stretch| stretch.windows).sum();
        let all = over_time::measured(self.result).len();
        let mut draft = self.draft("queue_full");
        let name = self.name;
        if windows == 0 {
            // The maximum covers all replicas together, so it can be compared with the bound for a single replica only.
            if self.component.replicas != 1 || self.queue.depth_max < bound || self.queue.depth_max < LENGTH_MIN {
                return None;
            }
            let most = draft.metric("depth_max", Unit::Count, self.metric("depth_max"), self.queue.depth_max as f64);
            return Some(
                draft.say(Severity::Note, format!("The queue of {name} was full for a moment: it held {most}.")),
            );
        }
        let is_last = full.last().is_some_and(|last: &Stretch| last.until_s + 1e-9 >= self.last_s());
        let is = if is_last { "is full" } else { "was full" };
        let share = draft.rule("full", Unit::Bound, FULL_MIN);
        let bound = draft.rule("bound", Unit::Count, bound as f64);
        let often = draft.rule("windows", Unit::Count, windows as f64);
        let of = draft.rule("of", Unit::Count, all as f64);
        let severity = if windows as f64 >= FULL_OFTEN * all as f64 { Severity::Warning } else { Severity::Note };
        let text = format!(
            "The queue of {name} {is}: at least {share} of its {bound} places were occupied in {often} of {of} windows."
        );
        Some(draft.say(severity, text))
    }

    /// End of the last whole window of the measured time, s.
    fn last_s(&self) -> f64 {
        let series = &self.result.series;
        over_time::measured(self.result).last().map_or(0.0, |window| series.at_s[window] + series.window_s)
    }

    /// The backlog remaining at the end from a queue that a fault filled.
    fn has_not_drained(&self, episodes: &[Episode]) -> Option<Finding> {
        if self.queue.depth_end < LENGTH_MIN {
            return None;
        }
        let end_s = over_time::end_s(self.result);
        let (episode, until_s) = episodes
            .iter()
            .filter_map(|episode| episode.until_s.map(|until_s| (episode, until_s)))
            .rfind(|(_, until_s)| *until_s < end_s)?;
        let step_s = self.result.series.window_s.max(end_s / 30.0);
        let mut draft = self.draft("queue_left");
        let mut mean = |name: &'static str, from_s: f64, until_s: f64| {
            draft.windows(self.result, (name, Unit::Count), vec![self.column.clone()], How::Mean, (from_s, until_s))
        };
        let last = mean("last", self.last_s() - step_s, self.last_s())?;
        let then = mean("then", until_s, until_s + step_s)?;
        let first_s = episodes.iter().map(|episode| episode.at_s).fold(f64::INFINITY, f64::min);
        if mean("before", 0.0, first_s).is_some_and(|before| last < 2.0 * before + LENGTH_MIN as f64) {
            // It is as long as before the first fault.
            return None;
        }
        let end = draft.metric("depth_end", Unit::Count, self.metric("depth_end"), self.queue.depth_end as f64);
        let fault = super::recovery::name(self.result, episode);
        let name = self.name;
        let (severity, text) = if last >= then {
            (
                Severity::Critical,
                format!("The queue of {name} holds {end} at the end and has not shrunk since {fault} ended."),
            )
        } else {
            let then = Unit::Count.write(then);
            let severity = if last >= 0.9 * then_of(&draft) { Severity::Critical } else { Severity::Warning };
            (severity, format!("The queue of {name} holds {end} at the end, down from {then} when {fault} ended."))
        };
        Some(draft.say(severity, text))
    }

    /// It was long at some time, or calls or messages waited long in it, even if it is short at the end.
    fn was_long(&self) -> Option<Finding> {
        let QueueResult { depth_max, wait, oldest_age_s, .. } = self.queue;
        let waited_s = wait.max_s.into_iter().chain(*oldest_age_s).reduce(f64::max).unwrap_or(0.0);
        let is_long = *depth_max >= LENGTH_MIN;
        let is_late = waited_s >= WAIT_MIN_S;
        if !is_long && !is_late {
            return None;
        }
        let mut draft = self.draft("queue_long");
        let others_were_there = came_and_went(self.result, self.name);
        let is_one = self.component.replicas == 1 && !others_were_there;
        let it = if is_one { "it" } else { "them" };
        let waits = wait.max_s.map_or_else(String::new, |max_s| {
            let words = draft.metric("wait_max", Unit::Time, self.metric("wait.max"), max_s);
            format!(", and the longest wait in {it} was {words}")
        });
        let oldest = oldest_age_s.filter(|age_s| wait.max_s.is_none_or(|max_s| *age_s > max_s)).map(|age_s| {
            let words = draft.metric("oldest", Unit::Time, self.metric("oldest_age"), age_s);
            format!("; the oldest call in {it} was {words} old")
        });
        let name = self.name;
        let most = draft.metric("depth_max", Unit::Count, self.metric("depth_max"), *depth_max as f64);
        // Over several it is the sum of their maxima, which need not have occurred at the same time.
        let holds = if is_one {
            format!("The queue of {name} held up to {most}")
        } else if others_were_there {
            format!("The queues of the replicas of {name} held up to {most} (the sum of their maxima)")
        } else {
            let replicas = draft.rule("replicas", Unit::Count, f64::from(self.component.replicas));
            format!("The queues of the {replicas} replicas of {name} held up to {most} (the sum of their maxima)")
        };
        let closed = callers::is_fed_by_those_who_wait(self.result, self.name);
        let why = if closed { "; waiting callers send nothing more until they are answered" } else { "" };
        let severity = if is_long && is_late && !closed { Severity::Warning } else { Severity::Note };
        let text = format!("{holds}{waits}{}{why}.", oldest.unwrap_or_default());
        Some(draft.say(severity, text))
    }
}

/// Whether a component had other replicas before those that it has at the end.
fn came_and_went(result: &RunResult, name: &str) -> bool {
    let is_new = |of: &Happenings| of.place == name && matches!(of.name.as_str(), "replica_added" | "replica_replaced");
    result.happenings.iter().any(is_new)
}

fn then_of(draft: &Draft) -> f64 {
    draft.value("then").unwrap_or(f64::INFINITY)
}

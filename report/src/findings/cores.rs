//! Findings about the execution of code: exhausted CPU quotas, event loops, workers or carriers held by waiting tasks, and
//! tasks that pile up.

use lab::result::RunResult;

use super::evidence::{How, Unit};
use super::places::{about, ranked};
use super::{Draft, Finding, Severity};
use crate::over_time;

/// Share of throttled periods: thresholds of a note and of a warning.
const THROTTLED_MIN: f64 = 0.01;
const THROTTLED_WARNING: f64 = 0.1;
/// Use of the quota above which throttling is plain overload.
const OVERLOADED: f64 = 0.95;

/// Services that were throttled by their CPU limit.
pub(super) fn throttling(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let own = |figure: &str| component.own.value(figure);
        let Some((throttled, used)) = own("throttled").zip(own("quota_used")) else { continue };
        if throttled < THROTTLED_MIN {
            continue;
        }
        let mut draft = Draft::new("throttled", about(name));
        let periods = draft.metric("throttled", Unit::Share, format!("components.{name}.throttled"), throttled);
        let busy = draft.metric("used", Unit::Share, format!("components.{name}.quota_used"), used);
        let text = match used < OVERLOADED {
            true => format!(
                "{name} was throttled in {periods} of its CPU periods although it used only {busy} of its quota: in a burst its \
                 tasks run on more cores than the quota has, and then stand still until the next period."
            ),
            false => format!("{name} was throttled in {periods} of its CPU periods: it used {busy} of its quota."),
        };
        let severity = if throttled >= THROTTLED_WARNING { Severity::Warning } else { Severity::Note };
        found.push((throttled, draft.say(severity, text)));
    }
    ranked(found)
}

/// Share of the loops, workers or carriers held by waiting tasks: thresholds of a note and of a warning.
const BLOCKED_MIN: f64 = 0.1;
const BLOCKED_WARNING: f64 = 0.5;

/// Loops, workers or carriers that tasks held while they waited.
pub(super) fn blocking(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let Some((blocked, workers)) = component.own.value("blocked").zip(component.workers.as_ref()) else { continue };
        let share = blocked / (workers.count.max(1) as f64);
        if share < BLOCKED_MIN {
            continue;
        }
        let mut draft = Draft::new("blocked", about(name));
        draft.metric("blocked", Unit::Number, format!("components.{name}.blocked"), blocked);
        draft.rule("workers", Unit::Count, workers.count as f64);
        let (noun, words) = (&workers.noun, draft.rule("share", Unit::Share, share));
        let text = format!(
            "Tasks of {name} held {words} of its {noun} while they waited (blocking calls, or locks that pin), so that nothing \
             else could run there."
        );
        let severity = if share >= BLOCKED_WARNING { Severity::Warning } else { Severity::Note };
        found.push((share, draft.say(severity, text)));
    }
    ranked(found)
}

/// Number of tasks below which a pile-up is normal.
const TASKS_MIN: f64 = 50.0;

/// Tasks that start faster than they end and hold no worker while they wait: leaks, or overload.
pub(super) fn piling_up(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for name in result.components.keys() {
        let column = format!("components.{name}.tasks");
        let Some(values) = over_time::column(result, &column) else { continue };
        let growth = lab::trend::growth(&result.series, values, 0.0, over_time::end_s(result));
        let Some(growth) = growth.filter(|growth| growth.last >= TASKS_MIN && growth.last >= 2.0 * growth.first) else {
            continue;
        };
        let mut draft = Draft::new("tasks_grow", about(name));
        let mut part = |key: &'static str, from_s: f64, until_s: f64| {
            draft.windows(result, (key, Unit::Number), vec![column.clone()], How::Mean, (from_s, until_s))
        };
        let first = part("first", growth.from_s, growth.from_s + growth.part_s);
        let last = part("last", growth.until_s - growth.part_s, growth.until_s);
        let Some((first, last)) = first.zip(last) else { continue };
        let from = draft.rule("from", Unit::Instant, growth.from_s);
        let until = draft.rule("until", Unit::Instant, growth.until_s);
        let (first, most) = (Unit::Number.write(first), Unit::Number.write(last));
        let text = format!(
            "The number of tasks of {name} grew from {first} to {most} between {from} and {until}: they start faster than they end."
        );
        found.push((last, draft.say(Severity::Warning, text)));
    }
    ranked(found)
}

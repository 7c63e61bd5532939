//! How code came to run: CPU quotas that ran out, and loops, workers or carriers that waiting tasks held.

use lab::result::RunResult;

use super::evidence::Unit;
use super::places::{about, ranked};
use super::{Draft, Finding, Severity};

/// Share of throttled periods that is worth a line, and a warning.
const THROTTLED_MIN: f64 = 0.01;
const THROTTLED_WARNING: f64 = 0.1;
/// Use of the quota from which throttling is plain overload.
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

/// Share of the loops, workers or carriers held by waiting tasks that is worth a line, and a warning.
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

//! Findings about messages: lost or abandoned ones, ones processed more than once or out of order, and work that continued
//! long after its request was answered.

use lab::figures::Reading;
use lab::result::RunResult;

use super::answers::possessive;
use super::evidence::Unit;
use super::{Draft, Finding, Severity};

/// Share of the messages above which duplicates and the like get a warning.
const SHARE_MIN: f64 = 0.01;
/// Work after the answer is reported if it takes this many times as long as the answer, and at least this long, s.
const BEHIND_TIMES: f64 = 10.0;
const BEHIND_MIN_S: f64 = 1.0;

/// A count of a component; 0 if it has no such figure.
fn count(result: &RunResult, name: &str, metric: &str) -> f64 {
    match result.components.get(name).and_then(|component| component.own.get(metric)) {
        Some(Reading::Number { value, .. }) => value.unwrap_or(0.0),
        Some(Reading::Times(_)) | None => 0.0,
    }
}

/// The fates of unprocessed messages: metric, rule, text and severity.
const UNPROCESSED: [(&str, &str, &str, Severity); 4] = [
    ("lost", "lost_messages", "were lost in a crash of the queue", Severity::Critical),
    ("dead_letters", "dead_letters", "moved to the dead-letter queue", Severity::Warning),
    ("dropped", "dropped_messages", "were dropped", Severity::Warning),
    ("expired", "expired_messages", "expired before they were processed", Severity::Warning),
];

/// Messages that were never processed.
pub(super) fn unprocessed(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (metric, rule, words, severity) in UNPROCESSED {
        for name in result.components.keys() {
            let (lost, published) = (count(result, name, metric), count(result, name, "published"));
            if lost == 0.0 {
                continue;
            }
            let path = |metric: &str| format!("components.{name}.{metric}");
            let mut draft = Draft::new(rule, format!("components.{name}"));
            let many = draft.metric("lost", Unit::Count, path(metric), lost);
            let of = draft.metric("published", Unit::Count, path("published"), published);
            let mut text = format!("{many} of the {of} messages of {name} {words}");
            if metric == "dead_letters" {
                let most = count(result, name, "receives_max");
                let times = draft.metric("receives", Unit::Count, path("receives_max"), most);
                text.push_str(&format!(", after up to {times} receives"));
            }
            found.push(draft.say(severity, format!("{text}.")));
        }
    }
    found
}

/// Messages that were processed more than once, or out of order.
pub(super) fn repeated(result: &RunResult) -> Vec<Finding> {
    let mut found: Vec<(f64, Finding)> = Vec::new();
    for name in result.components.keys() {
        let of = |metric: &str| count(result, name, metric);
        let path = |metric: &str| format!("components.{name}.{metric}");
        let receives = of("receives");
        if of("duplicates") > 0.0 {
            let mut draft = Draft::new("duplicates", format!("components.{name}"));
            let many = draft.metric("duplicates", Unit::Count, path("duplicates"), of("duplicates"));
            draft.metric("receives", Unit::Count, path("receives"), receives);
            let share = draft.rule("share", Unit::Share, of("duplicates") / receives);
            let again = draft.metric("redelivered", Unit::Count, path("redelivered"), of("redelivered"));
            let text = format!(
                "{many} deliveries of {name}, {share}, were processed in vain: their messages had been processed before; {again} \
                 were redeliveries."
            );
            let severity = if of("duplicates") >= SHARE_MIN * receives { Severity::Warning } else { Severity::Note };
            found.push((of("duplicates"), draft.say(severity, text)));
        }
        if of("out_of_order") > 0.0 {
            let mut draft = Draft::new("out_of_order", format!("components.{name}"));
            let many = draft.metric("out_of_order", Unit::Count, path("out_of_order"), of("out_of_order"));
            let text = format!("{many} messages of {name} were processed after a later message of the same key.");
            found.push((of("out_of_order"), draft.say(Severity::Note, text)));
        }
    }
    found.sort_by(|left, right| left.1.severity.cmp(&right.1.severity).then(right.0.total_cmp(&left.0)));
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// Work after answers: how much of it was lost, and how long it took.
pub(super) fn behind_answers(result: &RunResult) -> Vec<Finding> {
    let mut found: Vec<(f64, Finding)> = Vec::new();
    for (name, workload) in &result.workloads {
        let Some(completion) = &workload.completion else { continue };
        let path = |metric: &str| format!("workloads.{name}.{metric}");
        if completion.failed > 0 {
            let mut draft = Draft::new("incomplete", format!("workloads.{name}"));
            let many = draft.metric("failed", Unit::Count, path("completion.failed"), completion.failed as f64);
            let were = if completion.failed == 1 {
                "request was answered and lost its"
            } else {
                "requests were answered and lost their"
            };
            let text = format!("{many} of {} {were} work afterwards.", possessive(name));
            found.push((completion.failed as f64, draft.say(Severity::Warning, text)));
        }
        let (Some(done_s), Some(answered_s)) = (completion.latency.p99_s, workload.latency.p99_s) else { continue };
        if done_s >= BEHIND_MIN_S && done_s >= BEHIND_TIMES * answered_s {
            let mut draft = Draft::new("behind_answers", format!("workloads.{name}"));
            let done = draft.metric("done", Unit::Time, path("completion.latency.p99"), done_s);
            let answered = draft.metric("answered", Unit::Time, path("latency.p99"), answered_s);
            let text = format!(
                "{} requests were answered within {answered} (p99), but the work that they set off took up to {done} (p99).",
                possessive(name)
            );
            found.push((0.0, draft.say(Severity::Note, text)));
        }
    }
    found.sort_by(|left, right| left.1.severity.cmp(&right.1.severity).then(right.0.total_cmp(&left.0)));
    found.into_iter().map(|(_, finding)| finding).collect()
}

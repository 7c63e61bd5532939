//! Balancers: calls to replicas that were dead and not known to be, ejections, panics, connections that were refused.

use lab::result::RunResult;

use super::evidence::Unit;
use super::places::{about, ranked};
use super::{Draft, Finding, Severity};

/// Share of the calls sent to replicas that no longer answered that is worth a line, a warning.
const UNDETECTED_MIN: f64 = 0.001;
const UNDETECTED_WARNING: f64 = 0.01;

/// Choosers that went on calling replicas that no longer answered, until their health checks found out.
pub(super) fn undetected(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let own = |figure: &str| component.own.value(figure);
        let Some(share) = own("health_check.undetected").filter(|share| *share >= UNDETECTED_MIN) else { continue };
        let mut draft = Draft::new("undetected", about(name));
        let path = |figure: &str| format!("components.{name}.health_check.{figure}");
        let words = draft.metric("share", Unit::Share, path("undetected"), share);
        let times = own("health_check.detection.mean").zip(own("health_check.detection.max"));
        let end = match times {
            Some((mean, most)) => {
                let mean = draft.metric("mean", Unit::Time, path("detection.mean"), mean);
                let most = draft.metric("most", Unit::Time, path("detection.max"), most);
                format!("its health checks took {mean} on average to find out, and {most} at most")
            }
            None => "its health checks did not find out".to_string(),
        };
        let text = format!("{name} sent {words} of its calls to replicas that no longer answered: {end}.");
        let severity = if share >= UNDETECTED_WARNING { Severity::Warning } else { Severity::Note };
        found.push((share, draft.say(severity, text)));
    }
    ranked(found)
}

/// Balancers that ejected replicas, or could not.
pub(super) fn ejections(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let own = |figure: &str| component.own.value(figure);
        let counts = own("outlier_ejection.ejections").zip(own("outlier_ejection.refused"));
        let Some((ejections, refused)) = counts.filter(|(ejections, refused)| ejections + refused > 0.0) else {
            continue;
        };
        let mut draft = Draft::new("ejections", about(name));
        let path = |figure: &str| format!("components.{name}.outlier_ejection.{figure}");
        let count = draft.metric("ejections", Unit::Count, path("ejections"), ejections);
        let times = if ejections == 1.0 { "once".to_string() } else { format!("{count} times") };
        let text = match refused > 0.0 {
            false => format!("{name} ejected replicas for their answers {times}."),
            true => {
                let more = draft.metric("refused", Unit::Count, path("refused"), refused);
                let more = if refused == 1.0 { "once more".to_string() } else { format!("{more} times more") };
                format!("{name} ejected replicas for their answers {times}; {more}, `max_ejected` did not allow it.")
            }
        };
        let severity = if refused > 0.0 { Severity::Warning } else { Severity::Note };
        found.push((ejections + refused, draft.say(severity, text)));
    }
    ranked(found)
}

/// Balancers that called replicas which they took to be unhealthy, since too few others were left.
pub(super) fn panics(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let Some(share) = component.own.value("panic.share").filter(|share| *share > 0.0) else { continue };
        let mut draft = Draft::new("panic", about(name));
        let words = draft.metric("share", Unit::Share, format!("components.{name}.panic.share"), share);
        let text = format!(
            "{name} panicked: {words} of its calls were sent while too few replicas counted as healthy, and all replicas were called."
        );
        found.push((share, draft.say(Severity::Warning, text)));
    }
    ranked(found)
}

/// Balancers that had all the connections that they may have.
pub(super) fn connections(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let own = |figure: &str| component.own.value(figure);
        let Some((most, refused)) = own("connections_max").zip(own("refused")) else { continue };
        if refused <= 0.0 {
            continue;
        }
        let mut draft = Draft::new("connections_full", about(name));
        let count = draft.metric("refused", Unit::Count, format!("components.{name}.refused"), refused);
        let words = draft.metric("most", Unit::Count, format!("components.{name}.connections_max"), most);
        let most = if most == 1.0 { "one connection".to_string() } else { format!("{words} connections") };
        let text = format!("{name} refused {count} calls: an instance had {most}, and may have no more.");
        found.push((refused, draft.say(Severity::Warning, text)));
    }
    ranked(found)
}

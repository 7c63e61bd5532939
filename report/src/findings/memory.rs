//! Memory, ports and accept queues: processes that were killed, time that went into collecting garbage, connections that could not be
//! opened.

use lab::result::RunResult;

use super::evidence::Unit;
use super::places::{about, ranked};
use super::{Draft, Finding, Severity};

/// Services whose processes were killed for the memory they used.
pub(super) fn killed(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let Some(kills) = component.own.value("oom_kills").filter(|kills| *kills > 0.0) else { continue };
        let mut draft = Draft::new("oom_killed", about(name));
        let count = draft.metric("kills", Unit::Count, format!("components.{name}.oom_kills"), kills);
        let times = if kills == 1.0 { "once".to_string() } else { format!("{count} times") };
        let text =
            format!("{name} ran out of memory {times}: the process died, and with it all that it was working on.");
        found.push((kills, draft.say(Severity::Critical, text)));
    }
    ranked(found)
}

/// Share of the time in which a process stands still for its collector that is worth a line, a warning, an alarm.
const COLLECTING_MIN: f64 = 0.02;
const COLLECTING_WARNING: f64 = 0.1;
const COLLECTING_CRITICAL: f64 = 0.3;

/// Services that stand still to collect garbage.
pub(super) fn collecting(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let own = |figure: &str| component.own.value(figure);
        let Some((share, full)) = own("gc.share").zip(own("gc.full")) else { continue };
        if share < COLLECTING_MIN {
            continue;
        }
        let mut draft = Draft::new("collecting", about(name));
        let words = draft.metric("share", Unit::Share, format!("components.{name}.gc.share"), share);
        let count = draft.metric("full", Unit::Count, format!("components.{name}.gc.full"), full);
        let whole = match full > 0.0 {
            true => format!("; the heap was full {count} times, and collected whole"),
            false => String::new(),
        };
        let text = format!("{name} stood still for garbage collection during {words} of the time{whole}.");
        let severity = match share {
            _ if share >= COLLECTING_CRITICAL => Severity::Critical,
            _ if share >= COLLECTING_WARNING => Severity::Warning,
            _ => Severity::Note,
        };
        found.push((share, draft.say(severity, text)));
    }
    ranked(found)
}

/// Services that had no thread for some calls.
pub(super) fn threads(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let Some(refused) = component.own.value("threads_refused").filter(|refused| *refused > 0.0) else { continue };
        let mut draft = Draft::new("no_thread", about(name));
        let count = draft.metric("refused", Unit::Count, format!("components.{name}.threads_refused"), refused);
        let text = format!("{name} refused {count} calls because it could not create a thread for them.");
        found.push((refused, draft.say(Severity::Warning, text)));
    }
    ranked(found)
}

/// Services whose accept queues were full.
pub(super) fn overflows(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, component) in &result.components {
        let Some(dropped) = component.own.value("listen.overflows").filter(|dropped| *dropped > 0.0) else { continue };
        let mut draft = Draft::new("accept_queue", about(name));
        let count = draft.metric("dropped", Unit::Count, format!("components.{name}.listen.overflows"), dropped);
        let text = format!(
            "The accept queue of {name} was full: {count} requests to connect were dropped, and a caller \
             repeats one after a second at the earliest."
        );
        found.push((dropped, draft.say(Severity::Warning, text)));
    }
    ranked(found)
}

/// Hosts that had no port left.
pub(super) fn ports(result: &RunResult) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, hosts) in &result.hosts {
        let Some(exhausted) = hosts.own.value("ports_exhausted").filter(|exhausted| *exhausted > 0.0) else { continue };
        let mut draft = Draft::new("no_port", format!("hosts.{name}"));
        let count = draft.metric("exhausted", Unit::Count, format!("hosts.{name}.ports_exhausted"), exhausted);
        let text = format!(
            "Hosts {name} had no port for {count} connections: closed connections keep theirs in TIME_WAIT. Connections that are kept \
             open need no new ones."
        );
        found.push((exhausted, draft.say(Severity::Warning, text)));
    }
    ranked(found)
}

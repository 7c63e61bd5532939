//! Manual interventions in a run, as typed: a fault injected now, a setting changed now.

use models::director::Planned;
use models::directory::Directory;
use models::faults::FaultSettings;
use models::faults::fault::Scene;
use models::faults::timed;
use settings::{Problems, Reader, Setting, Spanned};
use sim_core::Time;

use crate::document::Override;

/// Reads a fault, written as in the scenario but without `at`, and resolves its targets now; a repeated fault is
/// planned for each of its times. `number` is the number of faults the run has had.
///
/// # Errors
/// A message.
pub fn fault(
    text: &str,
    directory: &Directory,
    number: u32,
    now: Time,
) -> Result<(FaultSettings, Vec<Planned>), String> {
    let text = text.trim();
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let at = settings::SignedDuration(now as i64 - directory.zero as i64);
    let text = format!("{{at: {}, {inner}}}", settings::values::Scalar::format(&at));
    let node = settings::notation::parse(&text, settings::SourceId::NOWHERE).map_err(|p| p.message)?;
    let mut reader = Reader::new();
    let read = FaultSettings::read(&node, &mut reader);
    let Some(fault) = read.filter(|_| !reader.problems.has_errors()) else {
        return Err(first_message(&reader.problems));
    };
    if fault.what.what().is_a_change() {
        return Err("change a setting under Knobs, not by injecting a fault".to_string());
    }
    let mut problems = Problems::new();
    let faults = [Spanned::nowhere(fault)];
    timed::check(&faults, &[], &mut problems);
    let mut planned = Vec::new();
    for (number, timed) in (number..).zip(timed::timed(&faults, &[])) {
        let at = (directory.zero as i64).saturating_add(timed.at) as Time;
        let mut scene = Scene {
            directory,
            problems: &mut problems,
            span: timed.span,
            path: timed.path.clone(),
            number,
            lasts: timed.lasts,
        };
        let acting = timed.what.resolve(&mut scene);
        planned.extend(acting.map(|acting| Planned { at, until: timed.lasts.map(|l| at.saturating_add(l)), acting }));
    }
    let [fault] = faults;
    if planned.is_empty() || problems.has_errors() {
        return Err(first_message(&problems));
    }
    Ok((fault.value, planned))
}

/// Reads a change of a setting, which must be allowed to change during a run.
///
/// # Errors
/// A message.
pub fn change(path: &str, value: &str) -> Result<Override, String> {
    let path = settings::Path::parse(path)?;
    let value = settings::notation::parse(value, settings::SourceId::NOWHERE).map_err(|p| p.message)?;
    let (book, shape) = crate::reference::book();
    let path = book.changed_by(shape, &path, &value).ok_or_else(|| format!("`{path}` cannot change during a run"))?;
    Ok(Override { path, path_span: settings::Span::NOWHERE, value })
}

/// The first of several problems, as one sentence.
pub fn first_message(problems: &Problems) -> String {
    problems.iter().next().map_or_else(
        || "that cannot be done".to_string(),
        |p| match &p.help {
            Some(help) => format!("{} ({help})", p.message),
            None => p.message.clone(),
        },
    )
}

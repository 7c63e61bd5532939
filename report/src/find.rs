//! The answer of a search with the table of what was tried.

use lab::find::{Found, Verdict};

use crate::figures;
use crate::text::aligned;

/// The evidence, then the answer in a sentence.
#[must_use]
pub fn text(found: &Found) -> String {
    let heading = [found.path.as_str(), found.objective.metric.as_str(), "runs", "verdict"].map(str::to_owned);
    let rows: Vec<Vec<String>> = found
        .evidence
        .iter()
        .map(|tried| {
            let verdict = match tried.verdict {
                Verdict::Holds => "holds",
                Verdict::Fails => "fails",
                Verdict::Undecided => "undecided",
            };
            let figure = figures::interval(tried.interval.as_ref(), found.unit);
            vec![tried.value.clone(), figure, tried.replications.to_string(), verdict.to_owned()]
        })
        .collect();
    format!("{}\n{}\n", aligned(&heading, &rows), sentence(found))
}

/// The answer.
#[must_use]
pub fn sentence(found: &Found) -> String {
    let Found { path, objective, .. } = found;
    match (&found.holds_at, &found.fails_at) {
        (Some(holds), Some(fails)) => {
            let which = if found.largest { "largest" } else { "smallest" };
            format!("{holds} is the {which} {path} at which {} holds; at {fails} it does not.", objective.text)
        }
        (Some(_), None) => format!("{} holds at both ends of {path}; look beyond them.", objective.text),
        _ => format!("{} holds at neither end of {path}; look beyond them.", objective.text),
    }
}

/// The answer and its evidence as JSON.
#[must_use]
pub fn json(found: &Found) -> String {
    let mut text = serde_json::to_string_pretty(found).unwrap_or_default();
    text.push('\n');
    text
}

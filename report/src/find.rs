//! The result of a search: the answer, and a table of the values tried.

use lab::find::cheapest::Cheapest;
use lab::find::{Found, Tried, Verdict};

use crate::figures;
use crate::text::aligned;
use crate::units;

/// The table of values tried, then the answer in a sentence.
#[must_use]
pub fn text(found: &Found) -> String {
    let heading = [found.path.as_str(), found.objective.metric.as_str(), "runs", "verdict"].map(str::to_owned);
    let rows: Vec<Vec<String>> =
        found.evidence.iter().map(|tried| [vec![tried.value.clone()], evidence(tried, found.unit)].concat()).collect();
    format!("{}\n{}\n", aligned(&heading, &rows), sentence(found))
}

/// The metric, the number of runs and the verdict for one value.
fn evidence(tried: &Tried, unit: lab::metrics::Unit) -> Vec<String> {
    let verdict = match tried.verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "fails",
        Verdict::Undecided => "undecided",
    };
    let figure = match tried.infinite {
        0 => figures::interval(tried.interval.as_ref(), unit),
        some => format!("infinite in {some}"),
    };
    vec![figure, tried.replications.to_string(), verdict.to_owned()]
}

/// The table of combinations tried for the cheapest configuration, then the answer.
#[must_use]
pub fn cheapest_text(found: &Cheapest) -> String {
    let mut heading = found.paths.clone();
    heading.extend(["cost", found.objective.metric.as_str(), "runs", "verdict"].map(str::to_owned));
    let rows: Vec<Vec<String>> = found
        .evidence
        .iter()
        .map(|tried| {
            let values = tried.values.iter().map(u64::to_string).chain([units::quantity(tried.cost)]);
            values.chain(evidence(&tried.tried, found.unit)).collect()
        })
        .collect();
    format!("{}\n{}\n", aligned(&heading, &rows), cheapest_sentence(found))
}

/// The cheapest configuration in a sentence, with the assumption behind it.
#[must_use]
pub fn cheapest_sentence(found: &Cheapest) -> String {
    let last = found.paths.last().map_or("", String::as_str);
    match found.best.and_then(|best| found.evidence.get(best)) {
        Some(best) => {
            let values = best.values.iter().zip(&found.paths).map(|(value, path)| format!("{path} {value}"));
            if found.cut_short {
                return format!(
                    "Cut short: {} is the cheapest so far at which {} holds: it costs {}. What is cheaper has not all been \
                     tried.",
                    values.collect::<Vec<_>>().join(", "),
                    found.objective.text,
                    units::quantity(best.cost)
                );
            }
            format!(
                "{} is the cheapest at which {} holds: it costs {}. What was not tried could not be cheaper, given that where a \
                 {last} holds, larger ones do.",
                values.collect::<Vec<_>>().join(", "),
                found.objective.text,
                units::quantity(best.cost)
            )
        }
        None if found.cut_short => {
            format!("Cut short without an answer: {} holds at none of these.", found.objective.text)
        }
        None => format!("{} holds at none of the combinations; widen the range.", found.objective.text),
    }
}

/// The search for the cheapest configuration as JSON.
#[must_use]
pub fn cheapest_json(found: &Cheapest) -> String {
    let mut text = serde_json::to_string_pretty(found).unwrap_or_default();
    text.push('\n');
    text
}

/// The answer in a sentence.
#[must_use]
pub fn sentence(found: &Found) -> String {
    let Found { path, objective, .. } = found;
    match (&found.holds_at, &found.fails_at) {
        (Some(holds), Some(fails)) if found.cut_short => {
            format!(
                "Cut short: {} holds at {path} {holds} and not at {fails}; the answer lies in between.",
                objective.text
            )
        }
        _ if found.cut_short => {
            format!("Cut short without an answer: only one end of {path} has been tried.")
        }
        _ if found.undecided_at.is_some() => undecided(found),
        (Some(holds), Some(fails)) => {
            let which = if found.largest { "largest" } else { "smallest" };
            format!("{holds} is the {which} {path} at which {} holds; at {fails} it does not.", objective.text)
        }
        (Some(_), None) => format!("{} holds at both ends of {path}; widen the range.", objective.text),
        _ => format!("{} holds at neither end of {path}; widen the range.", objective.text),
    }
}

/// The answer if a neighbouring value remained undecided.
fn undecided(found: &Found) -> String {
    let Found { path, objective, .. } = found;
    let at = found.undecided_at.as_deref().unwrap_or_default();
    let runs = found.evidence.iter().find(|tried| tried.value == at).map_or(0, |tried| tried.replications);
    let which = if found.largest { "largest" } else { "smallest" };
    let surely = match &found.holds_at {
        Some(holds) => format!("{holds} is the {which} {path} tried at which {} certainly holds", objective.text),
        None => format!("{} certainly holds at neither end of {path}", objective.text),
    };
    let fails = found.fails_at.as_ref().map_or_else(String::new, |fails| format!(", and at {fails} it does not"));
    format!("{surely}; at {at}, {runs} runs could not decide{fails}. Try more `--max-replications`.")
}

/// The answer and its evidence as JSON.
#[must_use]
pub fn json(found: &Found) -> String {
    let mut text = serde_json::to_string_pretty(found).unwrap_or_default();
    text.push('\n');
    text
}

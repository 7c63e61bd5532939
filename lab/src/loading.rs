//! Loads a scenario for a run: reads it and checks that every metric it names exists.

use language::document::Override;
use language::places::in_file_order;
use language::{Loaded, Options, Refused, Text};
use settings::{Node, Path, Problem, Problems, Value};

use crate::objectives;

/// Reads and checks a scenario.
///
/// # Errors
/// All problems, in file order.
pub fn load(text: &Text, options: &Options) -> Result<Loaded, Refused> {
    language::load(text, options).map_err(with_metrics).and_then(checked)
}

/// The same scenario with further overrides, already parsed, such as those of a point of a sweep, and optionally under
/// another variant. A problem with an override points to where it was written.
///
/// # Errors
/// All problems, in file order.
pub fn patched(loaded: &Loaded, more: &[Override], variant: Option<&str>) -> Result<Loaded, Refused> {
    loaded.reread(more, variant).map_err(with_metrics).and_then(checked)
}

/// Objectives, sweeps and `run.precision` name metrics, and only a built network tells which metrics exist.
fn checked(mut loaded: Loaded) -> Result<Loaded, Refused> {
    if !objectives::names_metrics(&loaded.scenario) {
        return Ok(loaded);
    }
    let mut problems = Problems::new();
    std::mem::take(&mut loaded.warnings).into_iter().for_each(|warning| problems.push(warning));
    objectives::check(&loaded, &mut problems);
    let has_errors = problems.has_errors();
    let problems = in_file_order(problems, &loaded.plain, &loaded.document, &loaded.sources);
    if has_errors {
        return Err(Refused::new(problems, loaded.sources));
    }
    Ok(Loaded { warnings: problems, ..loaded })
}

/// Adds the problems with metrics to those of a rejected scenario. The metrics are looked up in the mended scenario.
fn with_metrics(mut refused: Refused) -> Refused {
    let Some(mended) = refused.mended.take() else { return refused };
    let (loaded, touched) = *mended;
    if !objectives::names_metrics(&loaded.scenario) {
        return refused;
    }
    let mut problems = Problems::new();
    objectives::check(&loaded, &mut problems);
    let mut all = Problems::new();
    refused.problems.into_iter().for_each(|problem| all.push(problem));
    let is_meant = |problem: &&Problem| !may_name_a_broken_fault(problem, &touched, &loaded.document);
    let standing = problems.iter().filter(|problem| stands(problem, &touched)).filter(is_meant);
    standing.for_each(|problem| all.push(problem.clone()));
    refused.problems = in_file_order(all, &loaded.plain, &loaded.document, &loaded.sources);
    refused
}

/// Whether a problem found in the mended scenario is also one of the scenario as written.
fn stands(problem: &Problem, touched: &[Path]) -> bool {
    let is_touched = |section: &str, name: &str| {
        let is_it = |path: &Path| {
            let mut segments = path.segments().iter().map(String::as_str);
            segments.next() == Some(section) && segments.next().is_none_or(|touched| touched == name)
        };
        touched.iter().any(is_it)
    };
    let mut place = problem.path.segments().iter().map(String::as_str);
    if let (Some(section), Some(name)) = (place.next(), place.next())
        && is_touched(section, name)
    {
        return false;
    }
    // A mended part may have other figures than the part that the author meant.
    let metric = problem.message.split('`').nth(1).unwrap_or_default();
    let mut parts = metric.split('.');
    let (section, owner) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let owner = owner.split('[').next().unwrap_or_default();
    let is_mended = match section {
        "links" => ["components", "workloads"].iter().any(|section| is_touched(section, owner)),
        section => is_touched(section, owner),
    };
    let skipped = usize::from(section == "links");
    !is_mended || parts.nth(skipped).is_some_and(|figure| !is_figure(figure))
}

/// Whether a problem is about the name of a fault or event, and a broken one in the file may have that name.
fn may_name_a_broken_fault(problem: &Problem, touched: &[Path], document: &Node) -> bool {
    const SECTIONS: [&str; 2] = ["faults", "events"];
    let is_broken = |path: &Path| path.segments().first().is_some_and(|first| SECTIONS.contains(&first.as_str()));
    if !problem.path.segments().iter().any(|part| part == "recovers") || !touched.iter().any(is_broken) {
        return false;
    }
    let wanted = problem.message.split('`').nth(1);
    let may_be_it = |entry: &Node| match entry.entry("name") {
        Some(name) => name.value.as_text().is_none() || name.value.as_text() == wanted,
        None => entry.entries().is_none(),
    };
    SECTIONS.iter().filter_map(|section| document.at(section)).any(|section| match &section.value {
        Value::List(entries) => entries.iter().any(may_be_it),
        Value::Map(_) | Value::Scalar { .. } | Value::Null => true,
    })
}

/// Whether any declared figure has this name, or a name that begins with this word.
fn is_figure(word: &str) -> bool {
    let begins = |name: &str| name.split('.').next() == Some(word);
    let own = models::figures::declared().flat_map(|declared| declared.figures);
    let common = [models::figures::of_workloads::FIGURES, models::figures::of_components::FIGURES];
    let links = models::figures::of_links::FIGURES;
    own.chain(common.into_iter().flatten()).chain(links).any(|figure| begins(figure.name))
}

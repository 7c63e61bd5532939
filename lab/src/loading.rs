//! Loading for a run: the scenario as the language reads it, and every metric that it names is one that it has.

use language::document::Override;
use language::places::in_file_order;
use language::{Loaded, Options, Refused, Text};
use settings::Problems;

use crate::objectives;

/// Reads and checks a scenario.
///
/// # Errors
/// All problems, in file order.
pub fn load(text: &Text, options: &Options) -> Result<Loaded, Refused> {
    checked(language::load(text, options)?)
}

/// The same scenario with more overrides that are already trees, as the points of a sweep are, and perhaps under another
/// variant. A problem with one of them is shown where it was written.
///
/// # Errors
/// All problems, in file order.
pub fn patched(loaded: &Loaded, more: &[Override], variant: Option<&str>) -> Result<Loaded, Refused> {
    checked(loaded.reread(more, variant)?)
}

/// Objectives, sweeps and `run.precision` name metrics, and only a network that has been built says which there are.
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
        return Err(Refused { problems, sources: loaded.sources });
    }
    Ok(Loaded { warnings: problems, ..loaded })
}

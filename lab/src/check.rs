//! The check of a whole file, which is more than one scenario: its variants and the points of its sweep with it.

use std::sync::Arc;

use language::document::Sources;
use language::load::variants_of;
use language::{Loaded, Options, Refused, Text};

use crate::loading::load;
use crate::sweep;

/// Checks a whole file: the scenario as it is asked for, and, unless a variant is asked for, every variant and every
/// point of its sweep too, since they are as much part of the file as the rest.
///
/// # Errors
/// All problems of all of them together, in file order.
pub fn check(text: &Text, options: &Options) -> Result<Loaded, Refused> {
    let base = load(text, options);
    if options.variant.is_some() {
        return base;
    }
    let mut refused = Vec::new();
    let base = base.map_err(|why| refused.push(why)).ok();
    for variant in variants_of(text) {
        refused.extend(load(text, &Options { variant: Some(variant), ..options.clone() }).err());
    }
    if let Some(loaded) = base.as_ref().filter(|loaded| loaded.scenario.sweep.is_some()) {
        refused.extend(sweep::plan(&Arc::new(loaded.clone()), Default::default()).err());
    }
    match base {
        Some(loaded) if refused.is_empty() => Ok(loaded),
        _ => Err(together(refused)),
    }
}

/// What several readings of one file complain of, each once.
fn together(refused: Vec<Refused>) -> Refused {
    let mut all = Refused::new(Vec::new(), Sources::new());
    for one in refused {
        for problem in one.problems {
            if !all.problems.iter().any(|old| old.span == problem.span && old.message == problem.message) {
                all.problems.push(problem);
            }
        }
        // Every reading numbers the file and the overrides alike; a variant's own name comes last.
        if all.sources.len() < one.sources.len() {
            all.sources = one.sources;
        }
    }
    all.problems.sort_by_key(|problem| (problem.span.source, problem.span.start));
    all
}

//! Checks a whole file: not just one scenario, but also its variants and the points of its sweep.

use std::sync::Arc;

use language::document::Sources;
use language::load::variants_of;
use language::{Loaded, Options, Refused, Text};

use crate::loading::load;
use crate::sweep;
use settings::Problem;

/// Checks a whole file: the requested scenario and, unless a variant is requested, also every variant and every point of
/// the sweep.
///
/// # Errors
/// The problems of all of them together, in file order.
pub fn check(text: &Text, options: &Options) -> Result<Loaded, Refused> {
    let base = load(text, options);
    if options.variant.is_some() {
        return base;
    }
    let mut refused = Vec::new();
    let base = base.map_err(|why| refused.push((None, why))).ok();
    for variant in variants_of(text) {
        let options = Options { variant: Some(variant.clone()), ..options.clone() };
        refused.extend(load(text, &options).err().map(|why| (Some(variant), why)));
    }
    if let Some(loaded) = base.as_ref().filter(|loaded| loaded.scenario.sweep.is_some()) {
        refused.extend(sweep::plan(&Arc::new(loaded.clone()), Default::default()).err().map(|why| (None, why)));
    }
    match base {
        Some(loaded) if refused.is_empty() => Ok(loaded),
        _ => Err(together(refused)),
    }
}

/// Merges the problems found in several readings of one file, each once. A problem with an objective that occurs only under
/// some variants names these variants: nothing else at its position explains it.
fn together(refused: Vec<(Option<String>, Refused)>) -> Refused {
    let mut all = Refused::new(Vec::new(), Sources::new());
    let mut under: Vec<Option<Vec<String>>> = Vec::new();
    for (variant, one) in refused {
        for problem in one.problems {
            let is_same = |old: &Problem| old.span == problem.span && old.message == problem.message;
            match all.problems.iter().position(is_same) {
                None => {
                    all.problems.push(problem);
                    under.push(variant.clone().map(|variant| vec![variant]));
                }
                Some(at) => {
                    if let (Some(variants), Some(variant)) = (&mut under[at], &variant) {
                        variants.push(variant.clone());
                    }
                }
            }
        }
        // All readings number the file and the overrides alike; the source of a variant's name comes last.
        if all.sources.len() < one.sources.len() {
            all.sources = one.sources;
        }
    }
    for (problem, variants) in all.problems.iter_mut().zip(under) {
        let is_objective = problem.path.segments().first().is_some_and(|first| first == "objectives");
        if let Some(variants) = variants.filter(|_| is_objective) {
            let names: Vec<String> = variants.iter().map(|variant| format!("`{variant}`")).collect();
            let noun = if names.len() == 1 { "the variant" } else { "the variants" };
            problem.message = format!("under {noun} {}: {}", names.join(", "), problem.message);
        }
    }
    all.problems.sort_by_key(|problem| (problem.span.source, problem.span.start));
    all
}

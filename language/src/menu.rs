//! The faults that can be injected into a run by hand: every kind of the fault table, for every possible target.

use models::directory::Directory;
use models::faults::FaultKind;
use settings::book::{Body, Content};
use settings::{Book, Setting, Shape};
use sim_core::Time;

use crate::by_hand;

/// A fault that can be injected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultChoice {
    /// Its key in the scenario language.
    pub name: String,
    /// Its effect, in one sentence.
    pub doc: String,
    /// The target: a component, a workload, a link (`CALLER.LINK`), a group of hosts, a region; the first one of two.
    pub target: String,
    /// Its text, as [`by_hand::fault`] reads it.
    pub text: String,
}

/// The key of each kind of fault, and its effect.
fn kinds() -> Vec<(&'static str, &'static str)> {
    let mut book = Book::new();
    let Shape::Named(name) = FaultKind::describe(&mut book) else { return Vec::new() };
    match book.definition(&name).map(|definition| &definition.body) {
        Some(Body::Choice(choice)) => {
            let known = choice.variants.iter().filter(|variant| !matches!(variant.content, Content::Nothing));
            known.map(|variant| (variant.word, variant.doc)).collect()
        }
        _ => Vec::new(),
    }
}

/// Every fault that can be injected now, in the order of the fault table, each with an initial text. `number` is the
/// number of faults the run has had.
pub fn faults(directory: &Directory, number: u32, now: Time) -> Vec<FaultChoice> {
    let mut targets: Vec<String> = directory.workloads.iter().map(|workload| workload.name.clone()).collect();
    targets.extend(directory.components.iter().map(|component| component.name.clone()));
    targets.extend(directory.link_names());
    targets.extend(directory.hosts.iter().map(|hosts| hosts.name.clone()));
    targets.extend(directory.regions.iter().cloned());
    let pairs = pairs(directory);
    let mut choices = Vec::new();
    for example in FaultKind::examples() {
        let kind = kinds().into_iter().find(|(word, _)| example.contains(&format!("{word}:")));
        let (name, doc) = kind.unwrap_or_default();
        let mut offer = |target: &str, text: String| {
            // The fault's own reader rejects unsuitable targets.
            if by_hand::fault(&text, directory, number, now).is_ok() {
                let (name, doc, target) = (name.to_string(), doc.to_string(), target.to_string());
                choices.push(FaultChoice { name, doc, target, text });
            }
        };
        if example.contains('&') {
            pairs.iter().for_each(|(from, to)| offer(from, example.replace('@', from).replace('&', to)));
        } else {
            targets.iter().for_each(|target| offer(target, example.replace('@', target)));
        }
    }
    choices
}

/// The caller and target of every link.
fn pairs(directory: &Directory) -> Vec<(&str, &str)> {
    let of_workloads = directory.workloads.iter().map(|workload| (&workload.name, &workload.link));
    let of_components = directory.components.iter().flat_map(|from| from.links.iter().map(|link| (&from.name, link)));
    let links = of_workloads.chain(of_components);
    let mut pairs: Vec<(&str, &str)> =
        links.flat_map(|(from, link)| link.target_names.iter().map(|to| (from.as_str(), to.as_str()))).collect();
    pairs.dedup();
    pairs
}

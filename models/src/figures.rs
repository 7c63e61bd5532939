//! Who declares which figures: one list for the reference and for reading results back.

use sim_core::Figure;
use sim_core::figures::Set;

use crate::components::KINDS;
use crate::{policies, workloads};

/// Figures of one owner: a kind of component, a policy of links, or workloads.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// The group of the reference that the owner belongs to: `components`, `link settings`, `sections`.
    pub group: &'static str,
    /// The owner's word in the language.
    pub owner: &'static str,
    /// Its figures.
    pub figures: Set,
}

/// All declarations, in the order of the tables; a kind can have several rows.
pub fn declared() -> impl Iterator<Item = Declared> {
    let kinds = KINDS
        .iter()
        .flat_map(|row| row.figures.iter().map(|figures| Declared { group: "components", owner: row.name, figures }));
    let of_policies = policies::FIGURES.iter();
    let policies = of_policies.map(|(owner, figures)| Declared { group: "link settings", owner, figures });
    let workloads = Declared { group: "sections", owner: "workloads", figures: workloads::FIGURES };
    kinds.chain(policies).chain([workloads])
}

/// The declaration of a name; of a name that several owners declare, the first, which has the same unit.
pub fn find(name: &str) -> Option<&'static Figure> {
    declared().flat_map(|declared| declared.figures).find(|figure| figure.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::figures::{Merge, Unit};
    use std::collections::{BTreeMap, BTreeSet};

    fn is_snake_case(word: &str) -> bool {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(letters)
    }

    #[test]
    fn names_are_snake_case_and_say_nothing_of_the_unit() {
        for Declared { owner, figures, .. } in declared() {
            for figure in figures {
                let name = figure.name;
                assert!(name.split('.').all(is_snake_case), "{owner}: {name}");
                assert!(
                    !name.ends_with("_s") && !name.ends_with("_seconds"),
                    "{owner}: {name} has its unit in its name"
                );
                if let Merge::States(states) = figure.merge {
                    assert!(states.len() > 1 && states.iter().all(|state| is_snake_case(state)), "{owner}: {name}");
                }
            }
        }
    }

    #[test]
    fn every_figure_says_what_it_is_in_sentences() {
        for Declared { owner, figures, .. } in declared() {
            for figure in figures {
                let doc = figure.doc;
                let begins_well = doc.starts_with(|c: char| c.is_uppercase());
                assert!(begins_well && doc.ends_with('.') && doc.len() > 10, "{owner}: {}: {doc}", figure.name);
            }
        }
    }

    #[test]
    fn no_owner_declares_a_name_twice_and_no_name_has_two_units() {
        let mut names = BTreeSet::new();
        let mut units: BTreeMap<&str, Unit> = BTreeMap::new();
        for Declared { group, owner, figures } in declared() {
            for figure in figures {
                assert!(names.insert((group, owner, figure.name)), "{owner} declares {} twice", figure.name);
                // Results do not say which owner a figure has, so that reading them back goes by the name.
                assert_eq!(*units.entry(figure.name).or_insert(figure.unit), figure.unit, "{owner}: {}", figure.name);
            }
        }
        assert!(names.len() > 20, "{names:?}");
    }

    /// All policies of a link report together.
    #[test]
    fn no_two_policies_declare_the_same_name() {
        let mut names = BTreeSet::new();
        for figure in policies::FIGURES.iter().flat_map(|(_, figures)| *figures) {
            assert!(names.insert(figure.name), "{} is declared by two policies", figure.name);
        }
    }

    #[test]
    fn units_go_with_how_a_figure_is_measured() {
        for Declared { owner, figures, .. } in declared() {
            for figure in figures {
                let fits = match figure.merge {
                    Merge::Times => figure.unit == Unit::Seconds,
                    Merge::States(_) => figure.unit == Unit::Fraction,
                    Merge::Count => matches!(figure.unit, Unit::Count | Unit::Bytes),
                    Merge::Level | Merge::Gauge | Merge::Max => {
                        matches!(figure.unit, Unit::Count | Unit::Bytes | Unit::Seconds)
                    }
                    Merge::Ratio => matches!(figure.unit, Unit::Fraction | Unit::Number | Unit::Seconds | Unit::Bytes),
                };
                assert!(fits, "{owner}: {figure:?}");
            }
        }
    }
}

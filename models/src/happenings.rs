//! Every kind of happening that a run can record. Each is declared beside the code that records it.

use sim_core::Happens;

/// What one part of the system records.
pub struct Source {
    /// A kind of component, a policy of links, `faults`, or `random` for random failures.
    pub name: &'static str,
    /// Its happenings.
    pub happens: &'static [&'static Happens],
}

/// All parts that record anything: faults, random failures, then the kinds of components and the policies of links in the
/// order of their tables.
pub fn sources() -> impl Iterator<Item = Source> {
    let faults = Source { name: "faults", happens: crate::faults::HAPPENS };
    let random = Source { name: "random", happens: crate::director::HAPPENS };
    let kinds = crate::components::KINDS.iter().map(|row| Source { name: row.name, happens: row.happens });
    let policies = crate::policies::link_settings::HAPPENS.iter().map(|(name, happens)| Source { name, happens });
    let checks = Source { name: "health_check", happens: crate::balancing::checker::HAPPENS };
    let ejection = Source { name: "outlier_ejection", happens: crate::balancing::lookout::HAPPENS };
    let staffing = Source { name: "staffing", happens: crate::director::HAPPENS_OF_STAFF };
    let probes = Source { name: "probes", happens: crate::director::HAPPENS_OF_PROBES };
    [faults, random, staffing, probes]
        .into_iter()
        .chain(kinds)
        .chain(policies)
        .chain([checks, ejection])
        .filter(|source| !source.happens.is_empty())
}

/// The meaning of a kind of happening; `None` for an unknown name.
pub fn meaning(name: &str) -> Option<&'static str> {
    sources().flat_map(|source| source.happens).find(|what| what.name == name).map(|what| what.doc)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_and_says_what_it_means() {
        let mut names = BTreeSet::new();
        for source in sources() {
            for what in source.happens {
                let name = what.name;
                assert!(names.insert(name), "`{name}` is declared twice");
                assert!(
                    name.split('_').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())),
                    "{name}"
                );
                assert!(what.doc.ends_with('.') && what.doc.starts_with(char::is_uppercase), "{name}: {}", what.doc);
                assert_eq!(meaning(name), Some(what.doc));
            }
        }
        assert!(names.len() > 10 && meaning("sunrise").is_none());
    }
}

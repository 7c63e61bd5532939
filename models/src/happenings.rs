//! All kinds of happenings that a scenario can tell of: each is declared beside the code that tells it.

use sim_core::Happens;

/// A part that tells of something, and what.
pub struct Source {
    /// The kind of component, the policy, `faults`, or `random` for components that break by themselves.
    pub name: &'static str,
    /// What it tells of.
    pub happens: &'static [&'static Happens],
}

/// Who tells of what: the faults, what breaks by itself, then the kinds of components and the policies of links that tell of
/// anything, in the order of their tables.
pub fn sources() -> impl Iterator<Item = Source> {
    let faults = Source { name: "faults", happens: crate::faults::HAPPENS };
    let random = Source { name: "random", happens: crate::director::HAPPENS };
    let kinds = crate::components::KINDS.iter().map(|row| Source { name: row.name, happens: row.happens });
    let policies = crate::policies::link_settings::HAPPENS.iter().map(|(name, happens)| Source { name, happens });
    [faults, random].into_iter().chain(kinds).chain(policies).filter(|source| !source.happens.is_empty())
}

/// What a kind of happening means; `None` where none has this name.
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

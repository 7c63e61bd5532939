//! What a name means to whom: within a cluster a component is called by its name there.

use crate::directory::Directory;

/// Inside a cluster a name means its own component first.
pub(super) fn find_component(directory: &Directory, caller: &str, name: &str) -> Option<usize> {
    let own = in_cluster(caller, name).and_then(|own| directory.component(&own));
    own.or_else(|| directory.component(name))
}

/// The component that a name means first within the caller's cluster, if it is in one.
pub(super) fn in_cluster(caller: &str, name: &str) -> Option<String> {
    caller.rsplit_once('/').map(|(cluster, _)| format!("{cluster}/{name}"))
}

/// What a component can be called by a caller: within one cluster its name there is enough.
pub(super) fn seen_from<'c>(caller: &str, component: &'c str) -> &'c str {
    match (caller.split_once('/'), component.split_once('/')) {
        (Some((own, _)), Some((cluster, local))) if own == cluster => local,
        _ => component,
    }
}

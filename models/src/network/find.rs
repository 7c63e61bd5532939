//! What a name means to whom: within a cluster a component is called by its name there.

use crate::directory::Directory;

/// Inside a cluster a name means its own component first.
pub(super) fn find_component(directory: &Directory, caller: &str, name: &str) -> Option<usize> {
    if let Some((cluster, _)) = caller.rsplit_once('/')
        && let Some(own) = directory.component(&format!("{cluster}/{name}"))
    {
        return Some(own);
    }
    directory.component(name)
}

/// What a component can be called by a caller: within one cluster its name there is enough.
pub(super) fn seen_from<'c>(caller: &str, component: &'c str) -> &'c str {
    match (caller.split_once('/'), component.split_once('/')) {
        (Some((own, _)), Some((cluster, local))) if own == cluster => local,
        _ => component,
    }
}

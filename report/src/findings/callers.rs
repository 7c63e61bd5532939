//! The callers of components in a result, and the paths of link settings in a scenario.

use lab::result::{LinkResult, RunResult};

/// Whether all calls to a component come from workloads that wait for their answers before they send more: its queue then
/// never exceeds their number of users.
pub(super) fn is_fed_by_those_who_wait(result: &RunResult, component: &str) -> bool {
    if !result.workloads.values().any(|workload| workload.waits_for_answers) {
        return false;
    }
    let mut asked = vec![component];
    let mut next = 0;
    let mut is_called = false;
    while let Some(callee) = asked.get(next).copied() {
        next += 1;
        // Producers do not wait for the processing of messages.
        if result.components.get(callee).is_some_and(|component| !component.consumes.is_empty()) {
            return false;
        }
        for (from, _) in links_to(result, callee) {
            is_called = true;
            match result.workloads.get(from) {
                Some(workload) if !workload.waits_for_answers => return false,
                Some(_) => {}
                None if asked.contains(&from) => {}
                None => asked.push(from),
            }
        }
    }
    is_called
}

/// The links that call a component: the caller, and the link's name and figures.
pub(super) fn links_to<'r>(
    result: &'r RunResult,
    component: &str,
) -> impl Iterator<Item = (&'r str, (&'r str, &'r LinkResult))> {
    let component = component.to_owned();
    result.links.iter().flat_map(move |(from, links)| {
        let to = component.clone();
        let calls = links.iter().filter(move |(_, link)| link.to.contains(&to));
        calls.map(move |(name, link)| (from.as_str(), (name.as_str(), link)))
    })
}

/// Path of a link's settings: `workloads.shoppers.call`, `components.api.calls.db`, `components.cache.to`. `None` in a
/// cluster, whose components have other names in the file.
pub(super) fn settings_of_link(result: &RunResult, from: &str, link: &str) -> Option<String> {
    if from.contains('/') {
        return None;
    }
    if result.workloads.contains_key(from) {
        return Some(format!("workloads.{from}.{link}"));
    }
    // A component with a single link has it as a setting of its own.
    Some(if link == "to" { format!("components.{from}.to") } else { format!("components.{from}.calls.{link}") })
}

/// Path of a component's setting; `None` in a cluster.
pub(super) fn setting_of(component: &str, setting: &str) -> Option<String> {
    (!component.contains('/')).then(|| format!("components.{component}.{setting}"))
}

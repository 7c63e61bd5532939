//! How many nodes are laid out for the replicas of a component.

use crate::components::ComponentSettings;
use crate::scenario::Scenario;
use crate::share_or_count::ShareOrCount;

/// Places for the replicas of a component: as many as there are at the start, or, where replicas come and go, for all that there can be at once,
/// those included that shut down.
pub(super) fn slots(scenario: &Scenario, name: &str, settings: &ComponentSettings) -> u64 {
    let initial = settings.replicas();
    let mut most = initial;
    let mut surges: Vec<ShareOrCount> = Vec::new();
    let mut changes = false;
    if let Some(autoscale) = settings.autoscale() {
        (changes, most) = (true, most.max(autoscale.max));
    }
    let own = scenario.events.iter().filter_map(|event| event.value.what.what().staffs());
    for staffs in own.filter(|staffs| staffs.component == name) {
        changes = true;
        most = most.max(staffs.replicas.unwrap_or(0));
        surges.extend(staffs.surge);
    }
    let surge = surges.into_iter().map(|surge| surge.rounded_up(most)).max().unwrap_or(0);
    match changes {
        true => 2 * u64::from(most) + u64::from(surge),
        false if settings.replace_after().is_some() => 2 * u64::from(initial),
        false => u64::from(initial),
    }
}

//! How many nodes are laid out for the replicas of a component.

use crate::components::ComponentSettings;
use crate::scenario::Scenario;
use crate::share_or_count::ShareOrCount;

/// How few and how many replicas of a component are wanted at any time: more than one number where `scale` or `autoscale` changes it.
pub(super) fn wanted(scenario: &Scenario, name: &str, settings: &ComponentSettings) -> (u32, u32) {
    let initial = settings.replicas();
    let own = scenario.events.iter().filter_map(|event| event.value.what.what().staffs());
    let scaled = own.filter(|staffs| staffs.component == name).filter_map(|staffs| staffs.replicas);
    let autoscaled = settings.autoscale().into_iter().flat_map(|autoscale| [autoscale.min, autoscale.max]);
    scaled.chain(autoscaled).fold((initial, initial), |(fewest, most), one| (fewest.min(one), most.max(one)))
}

/// Whether replicas of a component come and go on purpose.
pub(super) fn is_staffed(scenario: &Scenario, name: &str, settings: &ComponentSettings) -> bool {
    let mut own = scenario.events.iter().filter_map(|event| event.value.what.what().staffs());
    settings.autoscale().is_some() || own.any(|staffs| staffs.component == name)
}

/// Places for the replicas of a component: as many as there are at the start, or, where replicas come and go, for all that there can be at once,
/// those included that shut down.
pub(super) fn slots(scenario: &Scenario, name: &str, settings: &ComponentSettings) -> u64 {
    let (initial, (_, most)) = (settings.replicas(), wanted(scenario, name, settings));
    let mut surges: Vec<ShareOrCount> = Vec::new();
    let own = scenario.events.iter().filter_map(|event| event.value.what.what().staffs());
    own.filter(|staffs| staffs.component == name).for_each(|staffs| surges.extend(staffs.surge));
    let surge = surges.into_iter().map(|surge| surge.rounded_up(most)).max().unwrap_or(0);
    match is_staffed(scenario, name, settings) {
        true => 2 * u64::from(most) + u64::from(surge),
        false if settings.replace_after().is_some() => 2 * u64::from(initial),
        false => u64::from(initial),
    }
}

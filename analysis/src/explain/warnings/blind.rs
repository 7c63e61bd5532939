//! Choosers that are never told that a replica is dead, where replicas die.

use std::collections::BTreeMap;

use models::faults::fault::Toll;

use super::super::graph::Caller;
use super::{BLIND_CHOOSER, Finder, mend};

/// Who has several replicas to choose from, goes on calling those that die, and has no way to find out.
pub(super) fn choosers(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    // By component, the first fault of which replicas die, and how many do.
    let mut dying: BTreeMap<usize, (Toll, String)> = BTreeMap::new();
    for fault in &graph.scenario.faults {
        let what = fault.value.what.what();
        for component in what.targets().iter().flat_map(|target| graph.directory.struck_by(target)) {
            if what.kills() > Toll::Nobody {
                dying.entry(component).or_insert_with(|| (what.kills(), format!("are killed by `{}`", what.words())));
            }
        }
    }
    for (component, entry) in graph.scenario.components.iter().enumerate() {
        if entry.value.random.is_some() {
            dying.entry(component).or_insert_with(|| (Toll::Some, "fail at random".to_string()));
        }
    }
    for link in &graph.links {
        let chooser = match link.caller {
            Caller::Component(caller) => Some(caller).filter(|caller| {
                let settings = graph.components[*caller];
                settings.balancing().is_some() || settings.directs()
            }),
            Caller::Workload(_) => None,
        };
        let finds_out = chooser.map_or(link.settings.health_check.is_some(), |c| graph.components[c].finds_out());
        // Whom DNS says is chosen by DNS.
        let ways = link.ways.iter().take_while(|way| !way.directs);
        // An entrance knows its nodes.
        let ways: Vec<_> = ways.filter(|way| graph.components[way.component].entrance().is_none()).collect();
        // Where all die together, nobody is left to choose.
        let toll = |component: usize| dying.get(&component).map_or(Toll::Nobody, |(toll, _)| *toll);
        let lives_on = |component: usize| match toll(component) {
            Toll::Nobody => true,
            Toll::Some => graph.replicas(component) > 1.0,
            Toll::All => false,
        };
        let has_choice = ways.iter().any(|way| lives_on(way.component));
        let struck = ways.iter().find_map(|way| Some((way.component, &dying.get(&way.component)?.1)));
        let Some((component, how)) = struck.filter(|_| !finds_out && has_choice) else { continue };
        let (who, path) = match chooser {
            Some(caller) => (graph.name(caller).to_string(), finder.component_path(caller)),
            None => (format!("{}.{}", link.from, link.name), link.path.clone()),
        };
        let name = graph.name(component);
        let message = format!("replicas of {name} {how}, and {who} keeps calling them: it has no health check");
        let change = mend(&path.join("health_check"), "instant");
        finder.warn_mended(BLIND_CHOOSER, &path, message, "add one", change);
    }
}

//! Replicas that are shut down before everybody knows, or before they have finished.

use super::super::graph::Caller;
use super::{Finder, mend, nice, time};
use models::shutdown::OnTerm;

/// A call takes longer than a replica is given to finish.
pub(super) fn too_little_grace(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for (component, place) in graph.directory.components.iter().enumerate().filter(|(_, place)| place.is_staffed) {
        let Some(shutdown) = place.shutdown.filter(|shutdown| shutdown.on_term != OnTerm::Exit) else { continue };
        let told = if shutdown.on_term == OnTerm::KeepAccepting { 0 } else { shutdown.told_after() };
        let (left_s, takes_s) =
            ((shutdown.grace.0 - told) as f64 / 1e9, super::super::mean_latency(finder.load, component));
        if takes_s <= left_s {
            continue;
        }
        let name = graph.name(component);
        let message = format!(
            "a call of {name} takes {} on average, and a replica that is shut down is killed {} after it has begun to finish: calls are \
             cut off",
            time(takes_s),
            time(left_s)
        );
        let path = finder.component_path(component).join("shutdown").join("grace");
        let grace_s = told as f64 / 1e9 + 3.0 * takes_s;
        finder.warn_mended("too_little_grace", &path, message, "give it time", mend(&path, nice(grace_s)));
    }
}

/// A replica stops accepting before those who choose it know.
pub(super) fn late_news(finder: &mut Finder<'_, '_>) {
    let graph = finder.graph;
    for link in &graph.links {
        let Caller::Component(chooser) = link.caller else { continue };
        let Some(discovery) = graph.components[chooser].means().discovery else { continue };
        let late_s: f64 = discovery.delay.0.mean() / 1e9;
        for component in link.ways.iter().filter(|way| !way.directs).map(|way| way.component) {
            let place = &graph.directory.components[component];
            let Some(shutdown) = place.shutdown.filter(|_| place.is_staffed) else { continue };
            let told_s = shutdown.told_after() as f64 / 1e9;
            if shutdown.on_term == OnTerm::KeepAccepting || late_s <= told_s {
                continue;
            }
            let (name, who) = (graph.name(component), graph.name(chooser));
            let message = format!(
                "a replica of {name} that is shut down takes no more calls after {}, and {who} learns of it after {} on average: what \
                 it sends meanwhile is lost",
                time(told_s),
                time(late_s)
            );
            let path = finder.component_path(component).join("shutdown").join("pre_stop");
            let change = mend(&path, nice((1.5 * late_s).ceil()));
            finder.warn_mended("late_news", &path, message, "let the news arrive first", change);
        }
    }
}

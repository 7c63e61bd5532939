//! Who chooses among replicas, and how each finds out that one is dead: at once, which is an idealisation, or by probes, which take time.

use serde::Serialize;

use super::graph::{Caller, Graph};

/// How long it takes until a chooser knows, s.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// On average over the phases of the probes.
    pub mean_s: f64,
    /// At most.
    pub most_s: f64,
}

/// A balancer or a link that chooses among replicas, and has a health check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chooser {
    /// The component, or the link as `CALLER.LINK`.
    pub name: String,
    /// How many of it there are, each with a view of its own.
    pub views: u32,
    /// From the death of a process, whose host refuses connections; `None` where it is known at once.
    pub refused: Option<Detection>,
    /// From the death of a host, which answers nothing; `None` where it is known at once.
    pub silent: Option<Detection>,
}

/// All that have a health check, in the order of their links.
pub(super) fn choosers(graph: &Graph<'_>) -> Vec<Chooser> {
    let mut found = Vec::new();
    for link in &graph.links {
        let component = match link.caller {
            Caller::Component(caller) => {
                let settings = graph.components[caller];
                (settings.balancing().is_some() || settings.directs()).then_some((caller, settings))
            }
            Caller::Workload(_) => None,
        };
        let (name, at_once, means) = match component {
            Some((caller, settings)) => (graph.name(caller).to_string(), settings.knows_at_once(), settings.means()),
            None => (format!("{}.{}", link.from, link.name), link.settings.knows_at_once(), link.settings.means()),
        };
        let table = means.probes.map(|probes| probes.timetable());
        if !at_once && table.is_none() {
            continue;
        }
        let detection = |is_silent: bool| {
            table.map(|table| {
                let (mean, most) = table.detection(is_silent);
                Detection { mean_s: mean / 1e9, most_s: most / 1e9 }
            })
        };
        found.push(Chooser { name, views: link.copies, refused: detection(false), silent: detection(true) });
    }
    found
}

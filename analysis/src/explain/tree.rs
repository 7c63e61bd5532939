//! The topology as a tree: who calls whom and who consumes from whom, from the workloads down.
//!
//! What is called from several places is drawn in full at the first and named at the others.

use serde::Serialize;

use super::graph::{Caller, Graph};

/// One place in the tree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Branch {
    /// The workload or component.
    pub name: String,
    /// Its kind; `workload` for a workload.
    pub kind: String,
    /// How many replicas; 1 for a workload.
    pub replicas: u32,
    /// How many at most, where their number changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas_most: Option<u32>,
    /// The link over which it is called, or `consumes`; `None` at the root.
    pub link: Option<String>,
    /// Share of the link's calls that come here, where it has several targets.
    pub share: Option<f64>,
    /// It is drawn in full elsewhere, or is one of those that lead here: what it calls is not repeated.
    pub seen: bool,
    /// What it calls, and who consumes from it.
    pub calls: Vec<Branch>,
}

/// One tree for each workload.
pub(super) fn trees(graph: &Graph<'_>) -> Vec<Branch> {
    let mut seen = vec![false; graph.components.len()];
    let names = graph.scenario.workloads.iter().map(|entry| entry.name.as_str());
    names
        .enumerate()
        .map(|(nth, name)| Branch {
            name: name.to_string(),
            kind: "workload".into(),
            replicas: 1,
            replicas_most: None,
            link: None,
            share: None,
            seen: false,
            calls: calls(graph, Caller::Workload(nth), &mut seen),
        })
        .collect()
}

fn calls(graph: &Graph<'_>, caller: Caller, seen: &mut Vec<bool>) -> Vec<Branch> {
    let mut found = Vec::new();
    for link in graph.links.iter().filter(|link| link.caller == caller) {
        // Behind one that only says whom to call come its own targets, so they are not drawn twice.
        let by_director = link.ways.iter().any(|way| way.directs);
        let ways: Vec<_> = link.ways.iter().filter(|way| way.directs == by_director).collect();
        for way in &ways {
            let is_first = !std::mem::replace(&mut seen[way.component], true);
            let inner = if is_first { calls(graph, Caller::Component(way.component), seen) } else { Vec::new() };
            found.push(Branch {
                name: graph.name(way.component).to_string(),
                kind: graph.components[way.component].kind().to_string(),
                replicas: graph.directory.components[way.component].replicas,
                replicas_most: graph.replicas_most(way.component),
                link: Some(link.name.to_string()),
                share: (ways.len() > 1).then_some(way.share),
                seen: !is_first && graph.links.iter().any(|l| l.caller == Caller::Component(way.component)),
                calls: inner,
            });
        }
    }
    let Caller::Component(queue) = caller else { return found };
    let consumers: Vec<_> = graph.consumers_of(queue).collect();
    for consumer in &consumers {
        let place = &graph.directory.components[consumer.component];
        let is_first = !std::mem::replace(&mut seen[consumer.component], true);
        let caller = Caller::Component(consumer.component);
        found.push(Branch {
            name: place.name.clone(),
            kind: graph.components[consumer.component].kind().to_string(),
            replicas: place.replicas,
            replicas_most: graph.replicas_most(consumer.component),
            link: Some("consumes".into()),
            share: (consumers.len() > 1).then_some(consumer.share),
            seen: !is_first && graph.links.iter().any(|link| link.caller == caller),
            calls: if is_first { calls(graph, caller, seen) } else { Vec::new() },
        });
    }
    found
}

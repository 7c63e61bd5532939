//! The ways that requests take: which operation of whom asks whom for what, over which link.
//!
//! Timeouts must be compared along these, not along links alone: who asks for one operation does not wait for another.

use std::collections::BTreeSet;

use super::super::flow::Flows;
use super::super::graph::Graph;
use super::super::links::tries_s;

/// A component and what it is asked for.
type Place = (usize, String);

/// One step of a way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    from: Option<Place>,
    link: usize,
    to: Place,
    /// Whether the caller's own callers wait for it.
    awaited: bool,
}

/// All steps that requests can take.
pub(super) struct Ways {
    steps: BTreeSet<Step>,
}

impl Ways {
    pub(super) fn new(graph: &Graph<'_>, flows: &Flows) -> Ways {
        let mut steps = BTreeSet::new();
        let mut over = |from: Option<Place>, link: usize, op: &str, awaited: bool| {
            for way in &graph.links[link].ways {
                steps.insert(Step { from: from.clone(), link, to: (way.component, op.to_string()), awaited });
            }
        };
        for (nth, entry) in graph.scenario.workloads.iter().enumerate() {
            entry.value.asked().into_iter().for_each(|asked| over(None, nth, asked.op, true));
        }
        let places: BTreeSet<Place> =
            flows.arrivals.keys().map(|(component, op, _)| (*component, op.clone())).collect();
        for (component, op) in places {
            for call in graph.demand(component, &op).calls {
                let Some(link) = graph.link_of(component, &call.link) else { continue };
                over(Some((component, op.clone())), link, call.op.as_deref().unwrap_or(&op), call.awaited);
            }
        }
        Ways { steps }
    }

    /// The least of the timeouts of those on whose behalf a component is asked for anything, s, and the link that has it;
    /// seen through those who have none themselves. `None` where nobody gives up.
    pub(super) fn patience_with(&self, graph: &Graph<'_>, component: usize) -> Option<(f64, usize)> {
        self.least(
            graph,
            self.steps.iter().map(|step| &step.to).filter(|place| place.0 == component).cloned().collect(),
        )
    }

    /// The same of those on whose behalf a link is called over, its own timeouts left out.
    pub(super) fn patience_behind(&self, graph: &Graph<'_>, link: usize) -> Option<(f64, usize)> {
        let awaited = self.steps.iter().filter(|step| step.link == link && step.awaited);
        let callers = awaited.filter_map(|step| step.from.clone());
        self.least(graph, callers.collect())
    }

    fn least(&self, graph: &Graph<'_>, mut open: Vec<Place>) -> Option<(f64, usize)> {
        let mut least: Option<(f64, usize)> = None;
        let mut seen = BTreeSet::new();
        while let Some(place) = open.pop() {
            if !seen.insert(place.clone()) {
                continue;
            }
            for step in self.steps.iter().filter(|step| step.to == place) {
                let own = own_s(graph, step.link);
                match (own, &step.from) {
                    (Some(own_s), _) if least.is_none_or(|(so_far, _)| own_s < so_far) => {
                        least = Some((own_s, step.link))
                    }
                    (Some(_), _) => {}
                    (None, Some(caller)) if step.awaited => open.push(caller.clone()),
                    (None, _) => {}
                }
            }
        }
        least
    }

    /// How long what is awaited behind a link may take, by the timeouts and attempts of the links there, s, and the link
    /// that allows the most. `None` where nothing there has a timeout.
    pub(super) fn lasts_behind(&self, graph: &Graph<'_>, link: usize) -> Option<(f64, usize)> {
        let places: BTreeSet<&Place> =
            self.steps.iter().filter(|step| step.link == link).map(|step| &step.to).collect();
        places.into_iter().filter_map(|place| self.lasts_at(graph, place, &mut Vec::new())).reduce(longer)
    }

    fn lasts_at(&self, graph: &Graph<'_>, place: &Place, stack: &mut Vec<Place>) -> Option<(f64, usize)> {
        if stack.contains(place) {
            return None;
        }
        stack.push(place.clone());
        let steps = self.steps.iter().filter(|step| step.from.as_ref() == Some(place) && step.awaited);
        let found = steps.filter_map(|step| {
            let settings = graph.links[step.link].settings;
            // Without a timeout of its own it lasts as long as what is behind it, as often as it is tried.
            let behind = |(behind_s, at)| (behind_s * f64::from(settings.max_attempts()), at);
            let own = tries_s(settings).map(|own_s| (own_s, step.link));
            own.or_else(|| self.lasts_at(graph, &step.to, stack).map(behind))
        });
        let most = found.reduce(longer);
        stack.pop();
        most
    }
}

fn longer(one: (f64, usize), other: (f64, usize)) -> (f64, usize) {
    if other.0 > one.0 { other } else { one }
}

/// After how long a caller gives up an attempt over a link, s.
fn own_s(graph: &Graph<'_>, link: usize) -> Option<f64> {
    let settings = graph.links[link].settings;
    [settings.timeout, settings.total_timeout].iter().flatten().map(|d| d.0 as f64 / 1e9).reduce(f64::min)
}

//! Bursts: how many calls one request brings about at the same time, and where these wait for each other.
//!
//! What a request does side by side shares its cores, pools and workers with itself, however little else there is to do. How long
//! it takes then is not known without running it; that it takes longer than each part alone is.

use std::rc::Rc;

use models::demand::Demand;
use models::policies::link_settings::Propagated;
use models::policies::policy::Passes;

use super::flow::{Data, Flows};
use super::graph::{Caller, Graph};

/// What one call of a component takes, by operation.
type Demands<'d> = &'d dyn Fn(usize, &str) -> Rc<Demand>;
/// The share of the calls of an operation over a link that fail.
type Failures<'d> = &'d dyn Fn(usize, &str) -> f64;

/// For one request of the workloads together.
#[derive(Clone, Debug)]
pub(super) struct Bursts {
    /// Calls over each link at the same time, at most.
    pub(super) links: Vec<f64>,
    /// Whether calls over each link may wait at its gates.
    waits: Vec<bool>,
    /// Whether calls over each link may be abandoned before their answers.
    abandoned: Vec<bool>,
    /// Whether calls over each link may be refused at its gates, and nobody knows how many.
    refuses: Vec<bool>,
    /// Whether the answers of each component depend on that.
    answers_vary: Vec<bool>,
    /// Calls of each component at the same time, at most.
    pub(super) components: Vec<f64>,
    /// Whether a call of each component may hold its worker for longer than is said of it.
    pub(super) holds_longer: Vec<bool>,
    /// Whether a call of each component may be answered later than is said of it.
    pub(super) answers_later: Vec<bool>,
    /// Whether less than is said comes to each component: something side by side is ended before it calls.
    pub(super) gets_less: Vec<bool>,
    /// Whether the work of each component itself is ended so.
    pub(super) does_less: Vec<bool>,
    /// Whether more than is said comes to each component: its callers wait for themselves, time out and try again, or what would
    /// have ended them waits longer than they do.
    pub(super) gets_more: Vec<bool>,
    /// Whether the work of each component itself is more for these reasons.
    pub(super) does_more: Vec<bool>,
}

/// Calls for each request, from which on some ask again for the same.
const REPEATED: f64 = 1.01;
/// What is ended less often makes no difference.
const CUT_MIN: f64 = 0.01;
/// More than this at once is no figure of a system.
const MOST: f64 = 1e9;

impl Bursts {
    /// What goes over each link at the same time, by what comes to its caller.
    pub(super) fn new(graph: &Graph<'_>, flows: &Flows, demand: Demands<'_>, failures: Failures<'_>) -> Bursts {
        let count = graph.components.len();
        let mut bursts = Bursts {
            links: vec![0.0; graph.links.len()],
            waits: vec![false; graph.links.len()],
            abandoned: vec![false; graph.links.len()],
            refuses: vec![false; graph.links.len()],
            answers_vary: vec![false; count],
            components: vec![0.0; count],
            holds_longer: vec![false; count],
            answers_later: vec![false; count],
            gets_less: vec![false; count],
            does_less: vec![false; count],
            gets_more: vec![false; count],
            does_more: vec![false; count],
        };
        let ops: Vec<(usize, &str)> = flows
            .arrivals
            .iter()
            .filter(|(_, flow)| flow.calls > 0.0)
            .map(|((component, op, _), _)| (*component, op.as_str()))
            .collect();
        // As often as the longest chain of calls is long; where calls go round, it grows until it is large enough.
        for _ in 0..=count {
            bursts.spread(graph, &ops, demand);
        }
        bursts.mark_gates(graph, flows);
        bursts.mark_caches(graph, flows, failures);
        for _ in 0..=count {
            bursts.mark(graph, &ops, demand);
        }
        bursts
    }

    fn spread(&mut self, graph: &Graph<'_>, ops: &[(usize, &str)], demand: Demands<'_>) {
        for (nth, at) in graph.links.iter().enumerate() {
            self.links[nth] = match at.caller {
                Caller::Workload(_) => 1.0,
                Caller::Component(caller) => {
                    let here = ops.iter().filter(|(component, _)| *component == caller);
                    let at_once = here.map(|(_, op)| -> f64 {
                        let demand = demand(caller, op);
                        let over = demand.calls.iter().filter(|call| call.link == at.name && call.mean > 0.0);
                        over.map(|call| call.at_once).fold(0.0, f64::max)
                    });
                    (at_once.fold(0.0, f64::max) * self.components[caller].max(1.0)).min(MOST)
                }
            };
        }
        for component in 0..self.components.len() {
            let over = graph.links.iter().zip(&self.links);
            let to = over.filter(|(at, _)| at.ways.iter().any(|way| way.component == component && way.share > 0.0));
            self.components[component] = to.map(|(_, burst)| burst).sum::<f64>().min(MOST);
        }
    }

    /// Gates refuse some of what comes by chance, and some of what one request brings about at once.
    fn mark_gates(&mut self, graph: &Graph<'_>, flows: &Flows) {
        for (nth, through) in &flows.through {
            let at_once = |(_, passes): (&str, Passes)| match passes {
                Passes::Rate { at_once, .. } => at_once,
                Passes::AtOnce { places, .. } => f64::from(places),
                Passes::Some => 0.0,
            };
            let places = graph.links[*nth].settings.passes().into_iter().map(at_once).fold(f64::INFINITY, f64::min);
            let too_many = self.links[*nth] > places;
            self.waits[*nth] = through.waits || too_many;
            self.refuses[*nth] = through.is_most || too_many;
            for way in graph.links[*nth].ways.iter().filter(|_| self.refuses[*nth]) {
                self.gets_less[way.component] = true;
            }
        }
    }

    /// Data that one request asks a cache for more than once is there more often than data that independent requests ask for, and
    /// data whose fetches fail is there less often.
    fn mark_caches(&mut self, graph: &Graph<'_>, flows: &Flows, failures: Failures<'_>) {
        for component in flows.misses.keys() {
            let repeated = flows.arrivals.iter().any(|((at, _, data), flow)| {
                at == component && matches!(data, Data::Chosen(..)) && flow.calls > flows.chosen(*data) * REPEATED
            });
            let links = graph.links.iter().enumerate();
            let behind: Vec<usize> =
                links.filter(|(_, link)| link.caller == Caller::Component(*component)).map(|(nth, _)| nth).collect();
            let fails = behind.iter().any(|link| flows.over(*link).any(|(op, _)| failures(*link, op) > CUT_MIN));
            for way in behind.iter().flat_map(|link| &graph.links[*link].ways) {
                self.gets_less[way.component] |= repeated;
                self.gets_more[way.component] |= fails;
            }
            self.does_less[*component] |= repeated;
            self.does_more[*component] |= fails;
            // Hits are answered sooner than misses.
            self.answers_vary[*component] |= repeated;
            self.answers_later[*component] |= fails;
        }
    }

    fn mark(&mut self, graph: &Graph<'_>, ops: &[(usize, &str)], demand: Demands<'_>) {
        for (component, op) in ops {
            let settings = graph.components[*component];
            let limits = settings.limits();
            let demand = demand(*component, op);
            let cores = match (limits.workers, limits.cores) {
                (Some((_, loops)), cores) if limits.frees_while_waiting => {
                    Some(cores.unwrap_or(f64::INFINITY).min(f64::from(loops)))
                }
                (_, cores) => cores,
            };
            let at_once = demand.cpu_at_once.max(1.0) * self.components[*component];
            let works = demand.cpu_s > 0.0 || demand.blocks_s > 0.0;
            let shares_cores = works && cores.is_some_and(|cores| at_once > cores);
            let called: Vec<usize> = demand
                .calls
                .iter()
                .filter(|call| call.mean > 0.0)
                .filter_map(|call| graph.link_of(*component, &call.link))
                .collect();
            let waits_behind = called.iter().any(|link| self.waits_over(graph, *link));
            let gives_up = called.iter().any(|link| {
                let settings = graph.links[*link].settings;
                (settings.timeout.is_some() || settings.total_timeout.is_some()) && self.waits_over(graph, *link)
            });
            let waits_here = limits.workers.is_some_and(|(_, workers)| {
                !limits.frees_while_waiting && self.components[*component] > f64::from(workers)
            });
            // Who of those side by side is first is another question under load.
            let is_refused = called.iter().any(|link| self.link_varies(graph, *link));
            let abandoned = demand.abandons.iter().filter(|(_, likely)| *likely > CUT_MIN);
            for link in abandoned.filter_map(|(name, _)| graph.link_of(*component, name)) {
                self.abandoned[link] = true;
                // The callee stops only where it is told.
                if graph.links[link].settings.propagate.contains(&Propagated::Cancel) {
                    graph.links[link].ways.iter().for_each(|way| self.gets_less[way.component] = true);
                }
            }
            self.answers_vary[*component] |= is_refused;
            let varies = demand.cut_short > CUT_MIN || gives_up || is_refused;
            self.does_less[*component] |= self.gets_less[*component] || varies;
            self.does_more[*component] |= self.gets_more[*component] || varies;
            for way in called.iter().flat_map(|link| &graph.links[*link].ways) {
                self.gets_less[way.component] |= self.does_less[*component];
                self.gets_more[way.component] |= self.does_more[*component];
            }
            // A worker that is free while it waits holds nothing of what is behind.
            let holds = shares_cores || (waits_behind && !limits.frees_while_waiting);
            self.holds_longer[*component] |= holds;
            self.answers_later[*component] |= shares_cores || waits_behind || waits_here;
        }
    }

    /// Whether calls over a link wait for others of the same request.
    fn waits_over(&self, graph: &Graph<'_>, link: usize) -> bool {
        let at = &graph.links[link];
        let places = at
            .settings
            .pool
            .as_ref()
            .map(|pool| f64::from(pool.size) * f64::from(pool.streams) * f64::from(graph.pools_of(at)));
        self.waits[link]
            || places.is_some_and(|places| self.links[link] > places)
            || self.link_holds_longer(graph, link)
    }

    /// Whether calls over a link may end earlier than is said of them: they are abandoned, or gates on their way refuse some, and
    /// nobody knows how many.
    pub(super) fn link_ends_early(&self, graph: &Graph<'_>, link: usize) -> bool {
        self.abandoned[link] || self.link_varies(graph, link)
    }

    /// Whether gates on the way of the calls over a link may refuse some, and nobody knows how many.
    pub(super) fn link_varies(&self, graph: &Graph<'_>, link: usize) -> bool {
        self.refuses[link]
            || graph.links[link].ways.iter().any(|way| way.share > 0.0 && self.answers_vary[way.component])
    }

    /// Whether calls over a link may hold their connections for longer than is said of them.
    pub(super) fn link_holds_longer(&self, graph: &Graph<'_>, link: usize) -> bool {
        graph.links[link].ways.iter().any(|way| way.share > 0.0 && self.answers_later[way.component])
    }
}

//! Links: which policies act on a call, in which order, and whose state each of them is.

use models::link::LinkSettings;
use models::policies::link_settings::Written;
use serde::Serialize;

use super::graph::{Caller, Graph};
use super::limits::{Limit, Load};

/// A policy of a link.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Policy {
    /// Its name in the scenario.
    pub name: &'static str,
    /// What it is told, in words.
    pub words: String,
    /// Whether it remembers something between calls; that belongs to each caller.
    pub has_state: bool,
}

/// What is known of a link.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// The workload or component that calls.
    pub from: String,
    /// Name.
    pub name: String,
    /// Whom it calls.
    pub to: Vec<String>,
    /// The policies that are written, outermost first; the network comes last.
    pub policies: Vec<Policy>,
    /// How many callers have policies of their own: the calling replicas, or 1 for a workload, whose whole population
    /// shares one state.
    pub states: u32,
    /// Whether its caller only passes calls on, so that the wait is his own caller's.
    pub passes_on: bool,
    /// Attempts that one call can make.
    pub attempts_most: u32,
    /// How long a caller waits at most, back-offs included, s; `None` where nothing bounds it.
    pub lasts_most_s: Option<f64>,
    /// Connections that all callers' pools open together at most.
    pub connections: Option<u64>,
    /// Its rate limit and its bound on the attempts under way, as limits.
    pub gates: Vec<Limit>,
    /// The pool as a limit.
    pub pool: Option<Limit>,
    /// Calls a second, first attempts; `None` where there is no rate.
    pub calls_per_s: Option<f64>,
}

/// All links.
pub(super) fn links(graph: &Graph<'_>, load: &Load<'_>) -> Vec<Link> {
    let link = |nth: usize| {
        let at = &graph.links[nth];
        Link {
            from: at.from.to_string(),
            name: at.name.to_string(),
            to: at.settings.to.iter().map(|target| target.to.as_str().to_string()).collect(),
            policies: policies(at.settings),
            states: at.copies,
            passes_on: matches!(at.caller, Caller::Component(caller) if graph.passes_on(caller)),
            attempts_most: at.settings.max_sent(),
            lasts_most_s: lasts_most_s(at.settings),
            connections: graph.connections_of(at),
            gates: load.of_gates(nth),
            pool: load.of_pool(nth),
            calls_per_s: load.has_rates.then_some(load.fresh.links[nth]),
        }
    };
    (0..graph.links.len()).map(link).collect()
}

/// The policies of a link in the order in which a call meets them.
fn policies(link: &LinkSettings) -> Vec<Policy> {
    let policy = |written: Written| {
        written.described.map(|said| Policy { name: written.name, words: said.words, has_state: said.has_state })
    };
    link.written().into_iter().filter_map(policy).collect()
}

/// How long a caller waits at most over a link, s.
pub(super) fn lasts_most_s(link: &LinkSettings) -> Option<f64> {
    let total_s = link.total_timeout.map(|d| d.0 as f64 / 1e9);
    let attempts_s = link.timeout.map(|timeout| {
        let back_offs: u64 = link.retry.as_ref().map_or(0, |retry| {
            (1..retry.max_attempts).fold(0, |sum: u64, n| sum.saturating_add(retry.backoff.longest(n)))
        });
        let attempt = timeout.0.saturating_add(link.holds_up()) as f64;
        (attempt * f64::from(link.max_attempts()) + back_offs as f64) / 1e9
    });
    match (total_s, attempts_s) {
        (Some(total_s), Some(attempts_s)) => Some(total_s.min(attempts_s)),
        (one, other) => one.or(other),
    }
}

/// Inner attempts and back-offs, without waits for a connection or a limit: what an outer timeout must at least allow for.
pub(super) fn tries_s(link: &LinkSettings) -> Option<f64> {
    let alone = LinkSettings { pool: None, concurrency: None, rate_limit: None, ..link.clone() };
    lasts_most_s(&alone)
}

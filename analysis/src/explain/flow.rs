//! What comes to each component and goes over each link, as plain data.

use std::collections::BTreeMap;

/// Whose data a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Data {
    /// Chosen by a sort of requests of a workload; there is no such sort of what only a trace names.
    Chosen(usize, usize),
    /// Always the same key.
    Key(u64),
}

/// What arrives: where, asked for what, about which data.
pub(super) type Arrival = (usize, String, Data);

/// How much of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Flow {
    /// Calls a second.
    pub(super) calls: f64,
    /// Items a second; more than the calls where those are batches.
    pub(super) items: f64,
}

/// What is asked for over a link.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Asked {
    /// Calls a second.
    pub(super) calls: f64,
    /// Attempts a second, after those that share a call or go together have been merged.
    pub(super) attempts: f64,
}

/// Flows under a load.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows {
    pub(super) arrivals: BTreeMap<Arrival, Flow>,
    /// Logical calls a second over each link.
    pub(super) links: Vec<f64>,
    /// The same by what is asked for.
    pub(super) asked: BTreeMap<(usize, String), Asked>,
    /// Share of misses, and of calls that fetch, by component that answers some calls by itself; `None` where it is not
    /// known and every call is taken to miss.
    pub(super) misses: BTreeMap<usize, Option<(f64, f64)>>,
    /// False where calls bring about ever more calls.
    pub(super) settled: bool,
}

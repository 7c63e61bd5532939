//! What comes to each component and goes over each link, as plain data.

use std::collections::BTreeMap;

use super::gates::Through;

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
    pub(super) tried: f64,
    /// Those of them that the link's gates let pass.
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
    /// What the gates let pass, by link that has any.
    pub(super) through: BTreeMap<usize, Through>,
    /// Requests a second, by sort.
    pub(super) requests: BTreeMap<Data, f64>,
    /// False where calls bring about ever more calls.
    pub(super) settled: bool,
}

impl Flows {
    /// Requests a second whose data is chosen so.
    pub(super) fn chosen(&self, data: Data) -> f64 {
        self.requests.get(&data).copied().unwrap_or(0.0)
    }

    /// The same where each call to a component for an operation is so many.
    pub(super) fn of_part(&self, component: usize, per_call: &dyn Fn(&str) -> f64) -> Flows {
        let mut part = self.clone();
        for ((at, op, _), flow) in part.arrivals.iter_mut().filter(|((at, ..), _)| *at == component) {
            debug_assert_eq!(*at, component);
            let factor = per_call(op);
            (flow.calls, flow.items) = (flow.calls * factor, flow.items * factor);
        }
        part
    }

    /// Attempts a second over a link before its gates.
    pub(super) fn tried(&self, link: usize) -> f64 {
        self.over(link).map(|(_, asked)| asked.tried).sum()
    }

    /// Attempts a second over a link.
    pub(super) fn attempts(&self, link: usize) -> f64 {
        self.over(link).map(|(_, asked)| asked.attempts).sum()
    }

    /// What is asked for over a link.
    pub(super) fn over(&self, link: usize) -> impl Iterator<Item = (&str, &Asked)> {
        let asked = self.asked.range((link, String::new())..(link + 1, String::new()));
        asked.map(|((_, op), asked)| (op.as_str(), asked))
    }
}

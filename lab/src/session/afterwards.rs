//! What is over some time after requests have been answered: all that they had set off, and the asking for results.

use models::figures::of_workloads;
use models::network::Node;
use models::workloads::Workload;
use models::workloads::completion::ByOp;
use sim_core::histogram::Histogram;
use sim_core::{Figure, Figures};

use super::Session;
use crate::figures::latency;
use crate::latency_all::{self, Sent};
use crate::result::Afterwards;

/// What is over later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// All that a request has set off.
    Completion,
    /// The asking for its result.
    Result,
}

impl After {
    pub(crate) const ALL: [After; 2] = [After::Completion, After::Result];

    /// How long it took where it went well.
    pub(crate) fn latency(self) -> &'static Figure {
        match self {
            After::Completion => &of_workloads::COMPLETION_LATENCY,
            After::Result => &of_workloads::RESULT_LATENCY,
        }
    }

    /// How long it took.
    pub(crate) fn latency_all(self) -> &'static Figure {
        match self {
            After::Completion => &of_workloads::COMPLETION_LATENCY_ALL,
            After::Result => &of_workloads::RESULT_LATENCY_ALL,
        }
    }

    fn failed(self) -> &'static Figure {
        match self {
            After::Completion => &of_workloads::COMPLETION_FAILED,
            After::Result => &of_workloads::RESULT_FAILED,
        }
    }

    fn pending(self) -> &'static Figure {
        match self {
            After::Completion => &of_workloads::COMPLETION_PENDING,
            After::Result => &of_workloads::RESULT_PENDING,
        }
    }

    fn measured(self, workload: &Workload) -> Option<&ByOp> {
        match self {
            After::Completion => workload.completions(),
            After::Result => workload.results(),
        }
    }
}

/// What was measured of it, of the requests after the warm-up.
pub(crate) struct OfAfter {
    /// How long it took where it went well.
    pub(crate) took: Histogram,
    failed: u64,
    /// How old those requests are of which it is not over, ns.
    pub(super) ages: Vec<u64>,
}

impl OfAfter {
    /// How long it took where it is over.
    pub(crate) fn ended(&self) -> Histogram {
        latency_all::ended(&self.took, &Histogram::new(), self.took.count() + self.failed)
    }

    /// The whole of it, for a result.
    pub(crate) fn summary(&self) -> Afterwards {
        Afterwards {
            latency: latency(&self.took),
            latency_all: Sent::new(self.ended(), self.ages.clone()).summary(),
            failed: self.failed,
            pending: self.ages.len() as u64,
        }
    }

    /// The same as figures.
    pub(super) fn figures(&self, what: After, into: &mut Figures) {
        into.times(what.latency(), &self.took);
        into.times(what.latency_all(), &self.ended());
        into.count(what.failed(), self.failed);
        into.level(what.pending(), self.ages.len() as u64);
    }
}

impl Session {
    /// What was over after the requests of a workload had been answered, or those for one operation; `None` where there is nothing
    /// of the kind.
    pub(crate) fn after(&self, workload: usize, what: After, op: Option<u16>) -> Option<OfAfter> {
        let engine = &self.network.engine;
        let node = self.network.directory.workloads[workload].node;
        let Node::Workload(part) = engine.node(node) else { return None };
        let measured = what.measured(part)?;
        let (from, now) = (measured.measured_from(), engine.now());
        let is_wanted = |began: u64, of: u16| began >= from && op.is_none_or(|op| op == of);
        let ages = match what {
            After::Completion => {
                let open = engine.under_way(node).filter(|one| is_wanted(one.began, one.op));
                open.map(|one| now - one.began).collect()
            }
            After::Result => {
                let asking = part.waiting_for_results().map(|(profile, began)| (engine.op_of(profile), began));
                asking.filter(|(op, began)| is_wanted(*began, *op)).map(|(_, began)| now - began).collect()
            }
        };
        let times = measured.of(op);
        Some(OfAfter { took: times.took, failed: times.failed, ages })
    }
}

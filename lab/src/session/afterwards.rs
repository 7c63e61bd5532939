//! Processes that finish some time after a request is answered: the work it triggered, and polling for its result.

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

/// A process that finishes after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// All work triggered by a request.
    Completion,
    /// Polling for its result.
    Result,
}

impl After {
    pub(crate) const ALL: [After; 2] = [After::Completion, After::Result];

    /// The figure of its duration, successes only.
    pub(crate) fn latency(self) -> &'static Figure {
        match self {
            After::Completion => &of_workloads::COMPLETION_LATENCY,
            After::Result => &of_workloads::RESULT_LATENCY,
        }
    }

    /// The figure of its duration.
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

/// Its measurements for the requests after the warm-up.
pub(crate) struct OfAfter {
    /// Durations of the successes.
    pub(crate) took: Histogram,
    failed: u64,
    /// Ages of the requests for which it is still going on, ns.
    pub(super) ages: Vec<u64>,
}

impl OfAfter {
    /// Durations where it has ended.
    pub(crate) fn ended(&self) -> Histogram {
        latency_all::ended(&self.took, &Histogram::new(), self.took.count() + self.failed)
    }

    /// The summary for a result.
    pub(crate) fn summary(&self) -> Afterwards {
        Afterwards {
            latency: latency(&self.took),
            latency_all: Sent::new(self.ended(), self.ages.clone()).summary(),
            failed: self.failed,
            pending: self.ages.len() as u64,
        }
    }

    /// Reports the same as figures.
    pub(super) fn figures(&self, what: After, into: &mut Figures) {
        into.times(what.latency(), &self.took);
        into.times(what.latency_all(), &self.ended());
        into.count(what.failed(), self.failed);
        into.level(what.pending(), self.ages.len() as u64);
    }
}

impl Session {
    /// What happened after the requests of a workload, or those for one operation, were answered; `None` if the workload has no
    /// such process.
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

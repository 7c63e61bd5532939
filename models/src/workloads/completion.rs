//! When all is done that requests have set off: steps after the answer, calls that are only sent, messages and what is done for
//! them. And when clients who asked for the result again and again have got it.
//!
//! Both run from the instant at which the request should have been sent, and count the requests that were answered `ok` or
//! `accepted`.

use std::collections::BTreeMap;

use sim_core::histogram::Histogram;
use sim_core::{Span, Time};

/// How long it took until something was over, and how often it was over in vain.
#[derive(Clone, Debug)]
pub struct Times {
    /// From when the request should have been sent, ns; of those that went well.
    pub took: Histogram,
    /// How many did not.
    pub failed: u64,
}

impl Default for Times {
    fn default() -> Times {
        Times { took: Histogram::new(), failed: 0 }
    }
}

impl Times {
    fn merge(&mut self, other: &Times) {
        self.took.merge(&other.took);
        self.failed += other.failed;
    }
}

/// The same by operation, of requests after the warm-up.
#[derive(Clone, Debug, Default)]
pub struct ByOp {
    of_ops: BTreeMap<u16, Times>,
    measured_from: Time,
}

impl ByOp {
    /// It is over now, for a request for an operation.
    pub(super) fn add(&mut self, op: u16, began: Time, now: Time, failed: bool) {
        if began < self.measured_from {
            return;
        }
        let times = self.of_ops.entry(op).or_default();
        let took: Span = now - began;
        match failed {
            true => times.failed += 1,
            false => times.took.record(took),
        }
    }

    /// The warm-up is over.
    pub(super) fn begin_measuring(&mut self, now: Time) {
        self.of_ops.clear();
        self.measured_from = now;
    }

    /// When the totals begin.
    pub fn measured_from(&self) -> Time {
        self.measured_from
    }

    /// Of all operations, or of one.
    pub fn of(&self, op: Option<u16>) -> Times {
        let mut all = Times::default();
        let wanted = self.of_ops.iter().filter(|(one, _)| op.is_none_or(|op| op == **one));
        wanted.for_each(|(_, times)| all.merge(times));
        all
    }
}

//! Undertakings of requests ([`crate::undertakings`]): the begin and end of their parts, and notification when all are
//! done.

use super::{Aside, Component, Core, Cx, Engine};
use crate::baggage::NO_UNDERTAKING;
use crate::calls::*;
use crate::outcome::Outcome;
use crate::records::{Ended, RecordId};
use crate::time::Time;
use crate::undertakings::UnderWay;

impl Core {
    /// Begins another part of the undertaking of a call.
    #[inline]
    pub(super) fn another_part_of(&mut self, index: u32) {
        if self.calls.columns.carries_undertakings() {
            let name = self.calls.columns.undertaking(index);
            self.undertakings.join(name);
        }
    }

    /// Ends a part of an undertaking.
    pub(super) fn part_ends(&mut self, name: u64, failed: bool) {
        if name == NO_UNDERTAKING {
            return;
        }
        if let Some((node, settled)) = self.undertakings.leave(name, failed) {
            self.asides.push_back(Aside::Settled { node, name, settled });
        }
    }

    /// Ends the call at an index, which was a part in its own right.
    #[inline]
    pub(super) fn part_of_call_ends(&mut self, index: u32, failed: bool) {
        if self.calls.columns.carries_undertakings() {
            let name = self.calls.columns.undertaking(index);
            self.part_ends(name, failed);
        }
    }

    /// Makes a newly stored record a part of the undertaking named in its baggage.
    pub(super) fn record_takes_part(&mut self, record: RecordId) {
        if self.calls.columns.carries_undertakings() {
            let name = self.records.baggage(record).undertaking;
            if name != NO_UNDERTAKING && !self.undertakings.join(name) {
                self.records.set_undertaking(record, NO_UNDERTAKING);
            }
        }
    }

    /// Ends a record's part: the work on it has succeeded, or never will.
    pub(super) fn record_has_played(&mut self, record: RecordId, failed: bool) {
        if self.calls.columns.carries_undertakings() {
            let name = self.records.baggage(record).undertaking;
            self.records.set_undertaking(record, NO_UNDERTAKING);
            self.part_ends(name, failed);
        }
    }

    /// Ends a record, in any of the ways.
    pub(super) fn end_record(&mut self, record: RecordId, how: Ended) {
        let failed = match how {
            Ended::Acknowledged | Ended::Moved => false,
            Ended::Dropped | Ended::Dead | Ended::Expired | Ended::Lost => true,
        };
        self.record_has_played(record, failed);
        self.records.end(record, how);
    }

    /// Ends the parts of calls that were lost in a crash, and whose end their beginner can no longer report.
    pub(super) fn lose_parts(&mut self) {
        let is_lost = |core: &Core, call: CallId| core.calls.get(call).is_none_or(|frame| frame.flags & ROOT == 0);
        let lost: Vec<u64> = self.held.keys().copied().filter(|bits| is_lost(self, CallId::from_bits(*bits))).collect();
        for bits in lost {
            let name = self.held.remove(&bits).unwrap_or(NO_UNDERTAKING);
            self.part_ends(name, true);
        }
    }
}

impl Cx<'_> {
    /// Whether undertakings are tracked.
    pub fn follows_undertakings(&self) -> bool {
        self.core.calls.columns.carries_undertakings()
    }

    /// Begins the undertaking of a request for an operation that was due at `began` and is about to be sent. Returns
    /// its name, for the baggage. [`Component::on_settled`] is called when all of its parts are done.
    pub fn begin_undertaking(&mut self, op: u16, began: Time) -> u64 {
        self.core.undertakings.begin(self.node, op, began)
    }

    /// Reports whether a request that this node began was answered successfully.
    pub fn undertaking_answered(&mut self, name: u64, well: bool) {
        if well {
            self.core.undertakings.answered_well(name);
        }
        self.core.part_ends(name, false);
    }

    /// Makes `call`, which this node has just begun, a part of its undertaking in its own right, until [`Cx::played`]
    /// or a crash of the node.
    pub fn takes_part(&mut self, call: CallId) {
        if self.core.calls.columns.carries_undertakings() {
            let name = self.core.calls.columns.undertaking(call.index);
            if self.core.undertakings.join(name) {
                self.core.held.insert(call.to_bits(), name);
            }
        }
    }

    /// Excludes a request that this node began, and that is being answered, from the good calls: it was only sent to
    /// poll for a result.
    pub fn count_aside(&mut self, call: CallId, outcome: Outcome) {
        let frame = self.core.calls.at(call.index);
        let (since, op, now) = (frame.since, self.core.profiles[frame.profile as usize].op, self.core.now);
        self.measure().set_aside(now, since, op, outcome);
    }

    /// Ends the part of `call`, which this node began.
    pub fn played(&mut self, call: CallId, failed: bool) {
        if let Some(name) = self.core.held.remove(&call.to_bits()) {
            self.core.part_ends(name, failed);
        }
    }
}

impl<C: Component> Engine<C> {
    /// The operation of a row of the profile table.
    pub fn op_of(&self, profile: u16) -> u16 {
        self.core.profiles[usize::from(profile)].op
    }

    /// Undertakings in progress that a node began, of requests answered successfully.
    pub fn under_way(&self, node: NodeId) -> impl Iterator<Item = UnderWay> {
        self.core.undertakings.under_way(node)
    }
}

//! What requests set off ([`crate::undertakings`]): parts that begin and end, and who is told when all are done.

use super::{Aside, Component, Core, Cx, Engine};
use crate::baggage::NO_UNDERTAKING;
use crate::calls::*;
use crate::outcome::Outcome;
use crate::records::{Ended, RecordId};
use crate::time::Time;
use crate::undertakings::UnderWay;

impl Core {
    /// A part of the undertaking of a call begins.
    #[inline]
    pub(super) fn another_part_of(&mut self, index: u32) {
        if self.calls.columns.carries_undertakings() {
            let name = self.calls.columns.undertaking(index);
            self.undertakings.join(name);
        }
    }

    /// A part of an undertaking has ended.
    pub(super) fn part_ends(&mut self, name: u64, failed: bool) {
        if name == NO_UNDERTAKING {
            return;
        }
        if let Some((node, settled)) = self.undertakings.leave(name, failed) {
            self.asides.push_back(Aside::Settled { node, name, settled });
        }
    }

    /// The call at an index, which was a part of its own, has ended.
    #[inline]
    pub(super) fn part_of_call_ends(&mut self, index: u32, failed: bool) {
        if self.calls.columns.carries_undertakings() {
            let name = self.calls.columns.undertaking(index);
            self.part_ends(name, failed);
        }
    }

    /// A record, which has just been stored, is a part of the undertaking that it carries the name of.
    pub(super) fn record_takes_part(&mut self, record: RecordId) {
        if self.calls.columns.carries_undertakings() {
            let name = self.records.baggage(record).undertaking;
            if name != NO_UNDERTAKING && !self.undertakings.join(name) {
                self.records.set_undertaking(record, NO_UNDERTAKING);
            }
        }
    }

    /// A record has played its part: the work on it has ended well, or never will.
    pub(super) fn record_has_played(&mut self, record: RecordId, failed: bool) {
        if self.calls.columns.carries_undertakings() {
            let name = self.records.baggage(record).undertaking;
            self.records.set_undertaking(record, NO_UNDERTAKING);
            self.part_ends(name, failed);
        }
    }

    /// A record ends, in whichever way.
    pub(super) fn end_record(&mut self, record: RecordId, how: Ended) {
        let failed = match how {
            Ended::Acknowledged | Ended::Moved => false,
            Ended::Dropped | Ended::Dead | Ended::Expired | Ended::Lost => true,
        };
        self.record_has_played(record, failed);
        self.records.end(record, how);
    }

    /// Calls that were parts of their own, and whose end whoever began them would have told, are lost in a crash.
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
    /// Whether what requests set off is followed.
    pub fn follows_undertakings(&self) -> bool {
        self.core.calls.columns.carries_undertakings()
    }

    /// A request for an operation, which should have been sent at `began`, is about to begin: the name of its undertaking, for its
    /// baggage. [`Component::on_settled`] is told when all is done.
    pub fn begin_undertaking(&mut self, op: u16, began: Time) -> u64 {
        self.core.undertakings.begin(self.node, op, began)
    }

    /// A request that this node began has been answered: well or not.
    pub fn undertaking_answered(&mut self, name: u64, well: bool) {
        if well {
            self.core.undertakings.answered_well(name);
        }
        self.core.part_ends(name, false);
    }

    /// `call`, which this node has just begun, is a part of its undertaking by itself, until [`Cx::played`] or the node's crash.
    pub fn takes_part(&mut self, call: CallId) {
        if self.core.calls.columns.carries_undertakings() {
            let name = self.core.calls.columns.undertaking(call.index);
            if self.core.undertakings.join(name) {
                self.core.held.insert(call.to_bits(), name);
            }
        }
    }

    /// A request that this node began, and that is being answered, was only sent to ask for a result: it does not count as good.
    pub fn count_aside(&mut self, call: CallId, outcome: Outcome) {
        let frame = self.core.calls.at(call.index);
        let (since, op, now) = (frame.since, self.core.profiles[frame.profile as usize].op, self.core.now);
        self.measure().set_aside(now, since, op, outcome);
    }

    /// The part of `call`, which this node has begun, is over.
    pub fn played(&mut self, call: CallId, failed: bool) {
        if let Some(name) = self.core.held.remove(&call.to_bits()) {
            self.core.part_ends(name, failed);
        }
    }
}

impl<C: Component> Engine<C> {
    /// The operation of a row of the table of profiles.
    pub fn op_of(&self, profile: u16) -> u16 {
        self.core.profiles[usize::from(profile)].op
    }

    /// What a node has begun that is still under way, of requests that have been answered well.
    pub fn under_way(&self, node: NodeId) -> impl Iterator<Item = UnderWay> {
        self.core.undertakings.under_way(node)
    }
}

//! Records and calls without a caller: what outlives the call that brought it, and what begins by itself.
//!
//! A node stores a record of a call that it serves ([`Cx::store`]) and leases it to whoever asks for one ([`Cx::lease`]): the
//! answer to that call says which record it is ([`Cx::leased`]), and a delivery is a call made of the record
//! ([`Cx::deliver`]). Only the node that stores a record moves it, and no crash does.
//!
//! A call that a node begins by itself over a network ([`Cx::begin`]) is no work that anybody is waiting for: it stands open
//! without being measured and costs no event until it is answered. When the node that began it crashes, its connection
//! ends: nobody hears the answer, and the callee is told by [`Component::on_cancel`](super::Component::on_cancel) after
//! the time that the way there takes, unless the way is cut.

use super::{Component, Core, Cx, Engine, Event, Kind, Profile, Word};
use crate::baggage::Baggage;
use crate::calendar::Class;
use crate::calls::*;
use crate::random::Key;
use crate::records::{Ended, Record, RecordId};
use crate::time::Time;

/// Marks that a node's own call ends, among the cancellations.
pub(super) const IS_TALK: u8 = 1;

/// A call that a node begins by itself, to talk to another one.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    /// Who serves it.
    pub to: NodeId,
    /// Row of the path table; 0 is no network.
    pub path: u16,
    /// The key of its draws, such as those of the network.
    pub key: Key,
    /// What it is about, for whoever serves it: [`Cx::ticket`] …
    pub ticket: u32,
    /// … and [`Cx::memo`].
    pub memo: u64,
}

impl Cx<'_> {
    /// Stores a record of `call`, which this node serves, behind those that wait. `key` is what the keys of its deliveries
    /// come from.
    pub fn store(&mut self, call: CallId, key: Key) -> RecordId {
        let Core { calls, records, now, .. } = &mut *self.core;
        let Frame { profile, priority, .. } = *calls.at(call.index);
        // A deadline ends here: nobody waits for a record.
        let baggage = Baggage { deadline: Time::MAX, ..calls.columns.baggage(call.index) };
        records.store(self.node, *now, key.bits(), profile, priority, baggage)
    }

    /// The oldest record that waits here.
    pub fn first_record(&self) -> Option<RecordId> {
        self.core.records.first(self.node)
    }

    /// What there is to know of a record, wherever it is stored; `None` once it has ended.
    pub fn record(&self, record: RecordId) -> Option<Record> {
        self.core.records.get(record)
    }

    /// Leases a record that waits to whoever has begun `call`, which will be answered with it.
    pub fn lease(&mut self, call: CallId, record: RecordId) {
        let holder = self.beginner(call);
        let receives = self.core.records.lease(record, holder);
        let frame = self.core.calls.at_mut(call.index);
        frame.memo = record.to_bits();
        frame.ticket = receives;
    }

    /// The record that `call`, which this node has begun and which is being answered, has brought, and the how-manieth lease
    /// of it this is.
    pub fn leased(&self, call: CallId) -> (RecordId, u32) {
        let frame = self.core.calls.at(call.index);
        (RecordId::from_bits(frame.memo), frame.ticket)
    }

    /// A record that was leased waits again, before those that were stored later. `counts` says whether this lease does.
    pub fn put_back(&mut self, record: RecordId, counts: bool) {
        self.core.records.put_back(record, counts);
    }

    /// A record ends.
    pub fn end_record(&mut self, record: RecordId, how: Ended) {
        self.core.records.end(record, how);
    }

    /// The records of this node that are leased to `holder` (`None`: to anybody), those leased last first.
    pub fn leased_to(&self, holder: Option<NodeId>) -> Vec<RecordId> {
        self.core.records.leased(self.node, holder)
    }

    /// The node that has begun `call` with [`Cx::begin`], whether or not it still waits for the answer.
    pub fn beginner(&self, call: CallId) -> NodeId {
        let frame = self.core.calls.at(call.index);
        debug_assert!(frame.flags & BACKGROUND != 0 && frame.via == DIRECT, "it was begun by a node itself");
        NodeId(frame.via_ticket)
    }

    /// Whether `call` is the very call that a link was asked for, which it has passed on or lent, and no attempt of its own
    /// making.
    pub fn is_own_attempt(&self, call: CallId) -> bool {
        let frame = self.core.calls.at(call.index);
        frame.via != DIRECT || frame.flags & LENT != 0
    }

    /// Begins a call of this node's own; return or post [`super::Next::call`] to send it. Its answer comes to this node's own
    /// `on_reply`. It is not measured.
    pub fn begin(&mut self, begin: Begin) -> CallId {
        let Begin { to, path, key, ticket, memo } = begin;
        let frame = Frame {
            since: self.core.now,
            key: key.bits(),
            memo,
            timer: None,
            parent: self.node.0,
            generation: 0,
            node: to.0,
            ticket,
            via: DIRECT,
            // Outlives the caller, for [`Cx::beginner`].
            via_ticket: self.node.0,
            profile: 0,
            path,
            draws: 0,
            flags: ROOT | BACKGROUND,
            priority: 0,
        };
        self.core.calls.insert_with(frame, Baggage::EMPTY)
    }

    /// Gives up a call that this node has begun with [`Cx::begin`]: its connection ends.
    pub fn hang_up(&mut self, call: CallId) {
        if self.core.calls.is_open(call) {
            self.core.hang_up(call);
        }
    }

    /// Begins the delivery of a record to `to`: a call of this node's own that carries what the record was made of. `key` is
    /// the key of its draws; `op` says what is asked, where that is not what was asked of the record's node. `None` where the
    /// record has ended.
    pub fn deliver(
        &mut self,
        to: NodeId,
        record: RecordId,
        key: Key,
        op: Option<u16>,
        is_retry: bool,
    ) -> Option<CallId> {
        let Record { mut profile, priority, .. } = self.core.records.get(record)?;
        let baggage = self.core.records.baggage(record);
        if let Some(op) = op {
            let size_bytes = self.core.profiles[profile as usize].size_bytes;
            profile = self.intern_profile(Profile { op, size_bytes });
        }
        let call = self.request(to, key.bits(), self.core.now, profile, priority, baggage);
        self.set_retry(call, is_retry);
        Some(call)
    }
}

impl Core {
    /// What crashed nodes have begun by themselves goes on for nobody where others serve it. Whoever serves a call that was
    /// begun with [`Cx::begin`] is told, if the way there is open.
    pub(super) fn lose_what_was_begun(&mut self, is_gone: &impl Fn(u32) -> bool) {
        let is_theirs = |frame: &Frame| frame.flags & (ROOT | LENT) == ROOT && is_gone(frame.parent);
        let is_inside = |f: &Frame| is_gone(f.node) && f.flags & DELIVERED != 0 && f.flags & REPLYING == 0;
        let begun = self.calls.iter().filter(|(_, frame)| is_theirs(frame) && !is_inside(frame));
        let begun: Vec<u32> = begun.map(|(index, _)| index).collect();
        for index in begun {
            self.hang_up(self.calls.id(index));
        }
    }

    /// A call that a node has begun by itself goes on for nobody. Whoever serves one that was begun with [`Cx::begin`] is told,
    /// if the way there is open.
    fn hang_up(&mut self, call: CallId) {
        let frame = self.calls.at_mut(call.index);
        frame.orphan();
        let Frame { flags, path, node, .. } = *frame;
        self.drop_account(call.index);
        self.abandon(call);
        let path = self.ways.path(path);
        if flags & (BACKGROUND | REPLYING) == BACKGROUND && !path.is_cut() {
            let event = Event { kind: Kind::Cancel, what: IS_TALK, epoch: 0, node, data: Word::of(call.to_bits()) };
            self.calendar.set(self.now + path.there(), Class::First, event);
        }
    }
}

impl<C: Component> Engine<C> {
    /// Records that have not ended, by node: those that wait, and those that are leased.
    pub fn records_left(&self) -> Vec<(NodeId, u64, u64)> {
        self.core.records.left().filter(|(_, waiting, leased)| waiting + leased > 0).collect()
    }
}

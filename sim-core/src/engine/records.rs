//! Records and calls without a caller: what outlives the call that brought it, and what begins by itself.
//!
//! A node stores a record of a call that it serves ([`Cx::store`]) and leases it to whoever asks for one ([`Cx::lease`]): the
//! answer to that call says which record it is ([`Cx::hand_out`], [`Cx::leased`]), or which several they are ([`Cx::enclose`],
//! [`Cx::take_out`]), and a delivery is a call made of the record ([`Cx::deliver`]). Only the node that stores a record moves it,
//! and no crash does, unless the node's records do not outlive it ([`Cx::set_volatile`]).
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
use crate::records::{Done, Ended, Record, RecordId};
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

/// What a record says to whoever gets it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    /// The key of the call that it was made of.
    pub key: Key,
    /// Row of that call's profile.
    pub profile: u16,
    /// Its priority.
    pub priority: u8,
    /// What it carried.
    pub baggage: Baggage,
}

impl Cx<'_> {
    /// Stores a record of `call`, which this node serves, behind those that wait. `key` is what the keys of its deliveries
    /// come from.
    pub fn store(&mut self, call: CallId, key: Key) -> RecordId {
        let Core { calls, records, now, .. } = &mut *self.core;
        let Frame { profile, priority, .. } = *calls.at(call.index);
        // A deadline ends here: nobody waits for a record.
        let baggage = Baggage { deadline: Time::MAX, ..calls.columns.baggage(call.index) };
        let record = records.store(self.node, *now, key.bits(), profile, priority, baggage);
        self.core.record_takes_part(record);
        record
    }

    /// The oldest record that waits here.
    pub fn first_record(&self) -> Option<RecordId> {
        self.core.records.first(self.node)
    }

    /// What there is to know of a record, wherever it is stored; `None` once it has ended.
    pub fn record(&self, record: RecordId) -> Option<Record> {
        self.core.records.get(record)
    }

    /// The newest record that waits here.
    pub fn last_record(&self) -> Option<RecordId> {
        self.core.records.last(self.node)
    }

    /// The record that waits behind one that does; `None` also where that one does not.
    pub fn record_after(&self, record: RecordId) -> Option<RecordId> {
        self.core.records.after(record)
    }

    /// The record that waits before one that does; `None` also where that one does not.
    pub fn record_before(&self, record: RecordId) -> Option<RecordId> {
        self.core.records.before(record)
    }

    /// The record at a place that was kept from [`RecordId::place`], which has not ended.
    pub fn record_at(&self, place: u32) -> Option<RecordId> {
        self.core.records.id(place)
    }

    /// How many records wait here.
    pub fn records_waiting(&self) -> u64 {
        self.core.records.waiting(self.node)
    }

    /// How many records wait at another node.
    pub fn records_waiting_at(&self, node: NodeId) -> u64 {
        self.core.records.waiting(node)
    }

    /// What the call carried that a record was made of.
    pub fn baggage_of(&self, record: RecordId) -> Baggage {
        self.core.records.baggage(record)
    }

    /// Whether a crash of this node ends its records.
    pub fn set_volatile(&mut self, is_volatile: bool) {
        self.core.records.set_volatile(self.node, is_volatile);
    }

    /// From now on records may wait here for ever: no run goes on for them.
    pub fn set_final(&mut self) {
        self.core.records.set_final(self.node);
    }

    /// From now on it is known of which calls a record of `node` has been made on which work has ended well.
    pub fn remember_done(&mut self, node: NodeId) {
        self.core.records.remember_done(node);
    }

    /// `delivery`, the work on a record of `node`, has ended well; the record was made of a call with this key. `None` where it has
    /// left its store and nobody knows any more. `about` is what it is about, where that is known. What others still do for the
    /// record is in vain.
    pub fn done(
        &mut self,
        delivery: CallId,
        node: NodeId,
        record: RecordId,
        key: Key,
        about: Option<u64>,
    ) -> Option<Done> {
        self.core.all_but(record, delivery);
        let done = self.core.records.done(node, record, key.bits(), about);
        if self.core.records.get(record).is_some() {
            self.core.record_has_played(record, false);
        }
        done
    }

    /// The work on a record has failed for good.
    pub fn failed_for_good(&mut self, record: RecordId) {
        if self.core.records.get(record).is_some() {
            self.core.record_has_played(record, true);
        }
    }

    /// Whether the work on a record of `node`, or on another one made of the same call, which has this key, has ended well; `None`
    /// where it has left its store and nobody knows any more.
    pub fn is_done(&self, node: NodeId, record: RecordId, key: Key) -> Option<bool> {
        self.core.records.is_done(node, record, key.bits())
    }

    /// Leases a record that waits to `holder`; the how-manieth lease of it this is.
    pub fn lease(&mut self, record: RecordId, holder: NodeId) -> u32 {
        self.core.records.lease(record, holder)
    }

    /// Writes into `call`, which a node has begun and which will be answered with it, a record that was leased, with the number
    /// of its lease.
    pub fn hand_out(&mut self, call: CallId, record: RecordId, receives: u32) {
        let frame = self.core.calls.at_mut(call.index);
        frame.memo = record.to_bits();
        frame.ticket = receives;
    }

    /// The record that `call`, which this node has begun and which is being answered, has brought, and the how-manieth lease
    /// of it this is; 0 where it has brought none, or several.
    pub fn leased(&self, call: CallId) -> (RecordId, u32) {
        let frame = self.core.calls.at(call.index);
        (RecordId::from_bits(frame.memo), frame.ticket)
    }

    /// Encloses records with `call`, each with the number of its lease: its ticket becomes `ticket`, and its memo names them.
    pub fn enclose(&mut self, call: CallId, ticket: u32, records: Vec<(RecordId, u32)>) {
        let Core { parcels, calls, .. } = &mut *self.core;
        let number = match records.is_empty() {
            true => 0,
            false => parcels.enclose(call, records, |call| calls.is_open(call)) + 1,
        };
        let frame = calls.at_mut(call.index);
        (frame.ticket, frame.memo) = (ticket, u64::from(number));
    }

    /// The records enclosed with `call`.
    pub fn enclosed(&self, call: CallId) -> &[(RecordId, u32)] {
        match self.core.calls.at(call.index).memo as u32 {
            0 => &[],
            number => self.core.parcels.of(number - 1, call),
        }
    }

    /// Takes out the records enclosed with `call`.
    pub fn take_out(&mut self, call: CallId) -> Vec<(RecordId, u32)> {
        match self.core.calls.at(call.index).memo as u32 {
            0 => Vec::new(),
            number => self.core.parcels.take(number - 1, call),
        }
    }

    /// Whether what the node that has begun `call` says at this instant gets through to this one: it is there, it does not stand
    /// still, and the way is open.
    pub fn is_within_reach(&self, call: CallId) -> bool {
        let frame = self.core.calls.at(call.index);
        let condition = &self.core.nodes[self.beginner(call).0 as usize].condition;
        let is_there = frame.flags & (ROOT | ABANDONED) == ROOT && condition.is_up() && !condition.is_paused();
        is_there && !self.core.ways.path(frame.path).is_cut()
    }

    /// Moves a record to the store of another node, which is not told. There it counts as stored now, or when it was stored
    /// first, where it keeps its age.
    pub fn move_record(&mut self, record: RecordId, to: NodeId, keeps_age: bool, how: Ended) -> Option<RecordId> {
        let Record { stored, .. } = self.core.records.get(record)?;
        let stored = if keeps_age { stored } else { self.core.now };
        if how == Ended::Dead {
            // What becomes of it later, in other hands, does not mend what its request set off.
            self.core.record_has_played(record, true);
        }
        let moved = self.core.records.copy_to(record, to, stored);
        self.core.record_takes_part(moved);
        self.core.end_record(record, how);
        Some(moved)
    }

    /// A record that was leased waits again, before those that were stored later. `counts` says whether this lease does.
    pub fn put_back(&mut self, record: RecordId, counts: bool) {
        self.core.records.put_back(record, counts);
    }

    /// A record ends.
    pub fn end_record(&mut self, record: RecordId, how: Ended) {
        self.core.end_record(record, how);
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

    /// Row of the path that `call` takes, which a node has begun itself.
    pub fn path_of(&self, call: CallId) -> u16 {
        self.core.calls.at(call.index).path
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
    /// the key of its draws; `op` says what is asked, where that is not what was asked of the record's node.
    pub fn deliver(
        &mut self,
        to: NodeId,
        (record, message): (RecordId, Message),
        key: Key,
        op: Option<u16>,
        is_retry: bool,
    ) -> CallId {
        let Message { mut profile, priority, baggage, .. } = message;
        if let Some(op) = op {
            let size_bytes = self.core.profiles[profile as usize].size_bytes;
            profile = self.intern_profile(Profile { op, size_bytes });
        }
        let call = self.request(to, key.bits(), self.core.now, profile, priority, baggage);
        self.set_retry(call, is_retry);
        self.core.begin_delivery(record, call);
        call
    }

    /// `delivery` of a record, which this node has begun, has ended.
    pub fn delivered(&mut self, record: RecordId, delivery: CallId) {
        self.core.end_delivery(record, delivery);
    }

    /// `call`, which this node has just begun, does what others have done before.
    pub fn in_vain(&mut self, call: CallId) {
        self.core.is_in_vain(call);
    }

    /// What whoever has got a record knows of it, whatever becomes of the record; `None` where it has ended.
    pub fn message(&self, record: RecordId) -> Option<Message> {
        let Record { key, profile, priority, .. } = self.core.records.get(record)?;
        Some(Message { key: Key::from_bits(key), profile, priority, baggage: self.core.records.baggage(record) })
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
    /// Records that have not ended, by node: those that wait, and those that are leased. Those that may wait for ever are left out.
    pub fn records_left(&self) -> Vec<(NodeId, u64, u64)> {
        let records = &self.core.records;
        let is_left = |(node, waiting, leased): &(NodeId, u64, u64)| waiting + leased > 0 && !records.is_final(*node);
        records.left().filter(is_left).collect()
    }

    /// How many records of a node wait, how many are leased, and how many have ended in each way since the beginning.
    pub fn records_of(&self, node: NodeId) -> (u64, u64, [u64; 6]) {
        let records = &self.core.records;
        let (waiting, leased) =
            records.left().find(|(other, ..)| *other == node).map_or((0, 0), |(_, waiting, leased)| (waiting, leased));
        let ways = [Ended::Acknowledged, Ended::Dropped, Ended::Dead, Ended::Expired, Ended::Lost, Ended::Moved];
        (waiting, leased, ways.map(|how| records.ended(node, how)))
    }
}

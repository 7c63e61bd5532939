//! Records and calls without a caller: data that outlives the call that brought it, and calls that a node begins by
//! itself.
//!
//! A node stores a record of a call that it serves ([`Cx::store`]) and leases it to a node that asks for one
//! ([`Cx::lease`]). The answer to that call names the record ([`Cx::hand_out`], [`Cx::leased`]) or several of them
//! ([`Cx::enclose`], [`Cx::take_out`]), and a delivery is a call made from the record ([`Cx::deliver`]). Only the node
//! that stores a record moves it. Records survive crashes, unless the node's records are volatile
//! ([`Cx::set_volatile`]).
//!
//! A call that a node begins by itself over a network ([`Cx::begin`]) is not work that a caller waits for: it stays
//! open without being measured and costs no event until it is answered. When the node that began it crashes, the
//! connection ends: the answer is dropped, and the callee is told by
//! [`Component::on_cancel`](super::Component::on_cancel) after the network delay, unless the path is cut.

use super::{Component, Core, Cx, Engine, Event, Kind, Profile, Word};
use crate::baggage::Baggage;
use crate::calendar::Class;
use crate::calls::*;
use crate::random::Key;
use crate::records::{Done, Ended, Record, RecordId};
use crate::time::Time;

/// Marks a cancellation as the end of a call that a node began by itself.
pub(super) const IS_TALK: u8 = 1;

/// A call that a node begins by itself, to communicate with another one.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    /// The serving node.
    pub to: NodeId,
    /// Row of the path table; 0 for no network.
    pub path: u16,
    /// The key of its random draws, such as those of the network.
    pub key: Key,
    /// First value passed to the serving node: [`Cx::ticket`].
    pub ticket: u32,
    /// Second value passed to the serving node: [`Cx::memo`].
    pub memo: u64,
}

/// The content of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    /// The key of the call it was made from.
    pub key: Key,
    /// Row of that call's profile.
    pub profile: u16,
    /// Its priority.
    pub priority: u8,
    /// The baggage of that call.
    pub baggage: Baggage,
}

impl Cx<'_> {
    /// Stores a record of `call`, which this node serves, behind the waiting records. The keys of its deliveries derive
    /// from `key`.
    pub fn store(&mut self, call: CallId, key: Key) -> RecordId {
        let Core { calls, records, now, .. } = &mut *self.core;
        let Frame { profile, priority, .. } = *calls.at(call.index);
        // The deadline ends here: no caller waits for a record.
        let baggage = Baggage { deadline: Time::MAX, ..calls.columns.baggage(call.index) };
        let record = records.store(self.node, *now, key.bits(), profile, priority, baggage);
        self.core.record_takes_part(record);
        record
    }

    /// The oldest record waiting here.
    pub fn first_record(&self) -> Option<RecordId> {
        self.core.records.first(self.node)
    }

    /// A record, wherever it is stored; `None` once it has ended.
    pub fn record(&self, record: RecordId) -> Option<Record> {
        self.core.records.get(record)
    }

    /// The newest record waiting here.
    pub fn last_record(&self) -> Option<RecordId> {
        self.core.records.last(self.node)
    }

    /// The record behind a waiting record; `None` also if that record is not waiting.
    pub fn record_after(&self, record: RecordId) -> Option<RecordId> {
        self.core.records.after(record)
    }

    /// The record ahead of a waiting record; `None` also if that record is not waiting.
    pub fn record_before(&self, record: RecordId) -> Option<RecordId> {
        self.core.records.before(record)
    }

    /// The record at a place obtained from [`RecordId::place`]; the record must not have ended.
    pub fn record_at(&self, place: u32) -> Option<RecordId> {
        self.core.records.id(place)
    }

    /// The number of records waiting here.
    pub fn records_waiting(&self) -> u64 {
        self.core.records.waiting(self.node)
    }

    /// The number of records waiting at another node.
    pub fn records_waiting_at(&self, node: NodeId) -> u64 {
        self.core.records.waiting(node)
    }

    /// The baggage of the call that a record was made from.
    pub fn baggage_of(&self, record: RecordId) -> Baggage {
        self.core.records.baggage(record)
    }

    /// Sets whether a crash of this node ends its records.
    pub fn set_volatile(&mut self, is_volatile: bool) {
        self.core.records.set_volatile(self.node, is_volatile);
    }

    /// From now on records may wait here forever and do not keep a run alive.
    pub fn set_final(&mut self) {
        self.core.records.set_final(self.node);
    }

    /// From now on remembers the keys of the records of `node` whose work has succeeded.
    pub fn remember_done(&mut self, node: NodeId) {
        self.core.records.remember_done(node);
    }

    /// Reports that `delivery`, working on a record of `node`, has succeeded; `key` is the key of the call the record
    /// was made from, `about` its data key, if known. `None` if the record has left its store and its result is no
    /// longer known. Other work on the record is redundant from now on.
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

    /// Reports that the work on a record has failed permanently.
    pub fn failed_for_good(&mut self, record: RecordId) {
        if self.core.records.get(record).is_some() {
            self.core.record_has_played(record, true);
        }
    }

    /// Whether the work on a record of `node`, or on another record made from the call with this key, has succeeded;
    /// `None` if the record has left its store and its result is no longer known.
    pub fn is_done(&self, node: NodeId, record: RecordId, key: Key) -> Option<bool> {
        self.core.records.is_done(node, record, key.bits())
    }

    /// Leases a waiting record to `holder`. Returns how often it has been leased, including this time.
    pub fn lease(&mut self, record: RecordId, holder: NodeId) -> u32 {
        self.core.records.lease(record, holder)
    }

    /// Writes a leased record into `call`, which a node began and which will be answered with it, together with the
    /// number of its lease.
    pub fn hand_out(&mut self, call: CallId, record: RecordId, receives: u32) {
        let frame = self.core.calls.at_mut(call.index);
        frame.memo = record.to_bits();
        frame.ticket = receives;
    }

    /// The record brought by the answer to `call`, which this node began, and the number of its lease; 0 if it brought
    /// none, or several.
    pub fn leased(&self, call: CallId) -> (RecordId, u32) {
        let frame = self.core.calls.at(call.index);
        (RecordId::from_bits(frame.memo), frame.ticket)
    }

    /// Attaches records to `call`, each with the number of its lease: sets its ticket to `ticket`, and its memo to
    /// their parcel.
    pub fn enclose(&mut self, call: CallId, ticket: u32, records: Vec<(RecordId, u32)>) {
        let Core { parcels, calls, .. } = &mut *self.core;
        let number = match records.is_empty() {
            true => 0,
            false => parcels.enclose(call, records, |call| calls.is_open(call)) + 1,
        };
        let frame = calls.at_mut(call.index);
        (frame.ticket, frame.memo) = (ticket, u64::from(number));
    }

    /// The records attached to `call`.
    pub fn enclosed(&self, call: CallId) -> &[(RecordId, u32)] {
        match self.core.calls.at(call.index).memo as u32 {
            0 => &[],
            number => self.core.parcels.of(number - 1, call),
        }
    }

    /// Takes out the records attached to `call`.
    pub fn take_out(&mut self, call: CallId) -> Vec<(RecordId, u32)> {
        match self.core.calls.at(call.index).memo as u32 {
            0 => Vec::new(),
            number => self.core.parcels.take(number - 1, call),
        }
    }

    /// Whether a message sent now by the node that began `call` gets through to this node: the beginner is up and not
    /// paused, and the path is not cut.
    pub fn is_within_reach(&self, call: CallId) -> bool {
        let frame = self.core.calls.at(call.index);
        let condition = &self.core.nodes[self.beginner(call).0 as usize].condition;
        let is_there = frame.flags & (ROOT | ABANDONED) == ROOT && condition.is_up() && !condition.is_paused();
        is_there && !self.core.ways.path(frame.path).is_cut()
    }

    /// Moves a record to the store of another node, without notifying that node. There it counts as stored now, or at
    /// its original time if `keeps_age` is set.
    pub fn move_record(&mut self, record: RecordId, to: NodeId, keeps_age: bool, how: Ended) -> Option<RecordId> {
        let Record { stored, .. } = self.core.records.get(record)?;
        let stored = if keeps_age { stored } else { self.core.now };
        if how == Ended::Dead {
            // Later success elsewhere does not change the failure of its request's undertaking.
            self.core.record_has_played(record, true);
        }
        let moved = self.core.records.copy_to(record, to, stored);
        self.core.record_takes_part(moved);
        self.core.end_record(record, how);
        Some(moved)
    }

    /// Returns a leased record to the waiting records, ahead of those stored later. `counts` is whether this lease
    /// counts.
    pub fn put_back(&mut self, record: RecordId, counts: bool) {
        self.core.records.put_back(record, counts);
    }

    /// Ends a record.
    pub fn end_record(&mut self, record: RecordId, how: Ended) {
        self.core.end_record(record, how);
    }

    /// The records of this node that are leased to `holder` (`None`: to any node), most recent lease first.
    pub fn leased_to(&self, holder: Option<NodeId>) -> Vec<RecordId> {
        self.core.records.leased(self.node, holder)
    }

    /// The node that began `call` with [`Cx::begin`], whether or not it still waits for the answer.
    pub fn beginner(&self, call: CallId) -> NodeId {
        let frame = self.core.calls.at(call.index);
        debug_assert!(frame.flags & BACKGROUND != 0 && frame.via == DIRECT, "it was begun by a node itself");
        NodeId(frame.via_ticket)
    }

    /// Row of the path of `call`, which a node began by itself.
    pub fn path_of(&self, call: CallId) -> u16 {
        self.core.calls.at(call.index).path
    }

    /// Whether `call` is the call that a link received and passed on or lent, rather than a separate attempt.
    pub fn is_own_attempt(&self, call: CallId) -> bool {
        let frame = self.core.calls.at(call.index);
        frame.via != DIRECT || frame.flags & LENT != 0
    }

    /// Begins a call of this node's own; return or post [`super::Next::call`] to send it. The answer comes to this
    /// node's own `on_reply`. The call is not measured.
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

    /// Gives up a call that this node began with [`Cx::begin`] and closes its connection.
    pub fn hang_up(&mut self, call: CallId) {
        if self.core.calls.is_open(call) {
            self.core.hang_up(call);
        }
    }

    /// Begins the delivery of a record to `to`: a call of this node's own that carries the content of the record. `key`
    /// is the key of its draws; `op` is the operation, if it differs from the one requested of the record's node.
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

    /// Ends the `delivery` of a record, which this node began.
    pub fn delivered(&mut self, record: RecordId, delivery: CallId) {
        self.core.end_delivery(record, delivery);
    }

    /// Marks `call`, which this node has just begun, as redundant: other calls have already done the same work.
    pub fn in_vain(&mut self, call: CallId) {
        self.core.is_in_vain(call);
    }

    /// The content of a record, which stays valid whatever happens to the record; `None` if the record has ended.
    pub fn message(&self, record: RecordId) -> Option<Message> {
        let Record { key, profile, priority, .. } = self.core.records.get(record)?;
        Some(Message { key: Key::from_bits(key), profile, priority, baggage: self.core.records.baggage(record) })
    }
}

impl Core {
    /// Detaches the calls that crashed nodes began by themselves and that other nodes serve. Callees of calls begun
    /// with [`Cx::begin`] are told, unless the path is cut.
    pub(super) fn lose_what_was_begun(&mut self, is_gone: &impl Fn(u32) -> bool) {
        let is_theirs = |frame: &Frame| frame.flags & (ROOT | LENT) == ROOT && is_gone(frame.parent);
        let is_inside = |f: &Frame| is_gone(f.node) && f.flags & DELIVERED != 0 && f.flags & REPLYING == 0;
        let begun = self.calls.iter().filter(|(_, frame)| is_theirs(frame) && !is_inside(frame));
        let begun: Vec<u32> = begun.map(|(index, _)| index).collect();
        for index in begun {
            self.hang_up(self.calls.id(index));
        }
    }

    /// Detaches a call that a node began by itself. If it was begun with [`Cx::begin`], its callee is told, unless the
    /// path is cut.
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
    /// Open records by node: waiting ones and leased ones. Stores whose records may wait forever are left out.
    pub fn records_left(&self) -> Vec<(NodeId, u64, u64)> {
        let records = &self.core.records;
        let is_left = |(node, waiting, leased): &(NodeId, u64, u64)| waiting + leased > 0 && !records.is_final(*node);
        records.left().filter(is_left).collect()
    }

    /// Waiting, leased and ended records of a node; the ended ones by way of ending, since the start of the run.
    pub fn records_of(&self, node: NodeId) -> (u64, u64, [u64; 6]) {
        let records = &self.core.records;
        let (waiting, leased) =
            records.left().find(|(other, ..)| *other == node).map_or((0, 0), |(_, waiting, leased)| (waiting, leased));
        let ways = [Ended::Acknowledged, Ended::Dropped, Ended::Dead, Ended::Expired, Ended::Lost, Ended::Moved];
        (waiting, leased, ways.map(|how| records.ended(node, how)))
    }
}

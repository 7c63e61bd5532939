//! Records: data that nodes store for others apart from calls, such as the messages of a queue.
//!
//! A record is data. It is made from a call, outlives that call and its caller, and survives crashes unless its store
//! is volatile. Only the verbs of its own node move it. It is in one of two lists of its store, or has ended:
//!
//! ```text
//!                 ┌──────── put back ────────┐
//!   store ─▶ [waiting, oldest first] ─▶ [leased] ─▶ ended: acknowledged
//!                 └───────────┬─────────────┘
//!                             └─▶ ended in another way, or moved to another store
//! ```
//!
//! The success of the work on a record is noted here too, because the worker knows it before the record's node does,
//! and several workers may process one record at the same time.
//!
//! A pure data structure, independent of the engine; the verbs are in `engine/records.rs`. One table holds the records
//! of all stores, 48 bytes each, so that a record is found by its number alone. Baggage is stored in separate columns.

use std::collections::{BTreeMap, BTreeSet};

use crate::baggage::{Baggage, Carried, Columns};
use crate::calls::NodeId;
use crate::table::push;
use crate::time::Time;

/// Names a record until it ends; afterwards it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    index: u32,
    generation: u32,
}

impl RecordId {
    /// The name as one number, to travel with a call.
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The reverse of [`RecordId::to_bits`].
    pub fn from_bits(bits: u64) -> RecordId {
        RecordId { index: bits as u32, generation: (bits >> 32) as u32 }
    }

    /// Its place in the table of records, unique until the record ends.
    pub fn place(self) -> u32 {
        self.index
    }
}

/// The way a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// Its holder has acknowledged it.
    Acknowledged,
    /// It was discarded, for example to make space for a newer one.
    Dropped,
    /// It was leased too often.
    Dead,
    /// It became too old.
    Expired,
    /// It was lost in a crash of its node.
    Lost,
    /// It was moved to another store, to be processed there.
    Moved,
}

impl Ended {
    const COUNT: usize = Ended::Moved as usize + 1;
}

/// The fields of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key of the call it was made from; the keys of its deliveries derive from it.
    pub key: u64,
    /// When it was stored.
    pub stored: Time,
    /// How often it has been leased.
    pub receives: u32,
    /// The node that holds its lease.
    pub holder: Option<NodeId>,
    /// Its ordinal among the records ever stored at its node.
    pub number: u64,
    /// Row of the profile of the call it was made from.
    pub profile: u16,
    /// The priority of that call.
    pub priority: u8,
}

/// Number of data keys up to which results are kept in any case; beyond that, they are cleared when no longer needed.
const NEWEST_DONE_MAX: usize = 4096;

/// No record.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Waiting,
    Leased,
}

/// One place of the table.
#[derive(Clone, Debug)]
struct Place {
    key: u64,
    stored: Time,
    /// The low bits of its ordinal among the records ever stored there.
    number: u32,
    /// Odd while in use.
    generation: u32,
    /// Neighbours in its list; for a free place, `next` is the place freed before.
    previous: u32,
    next: u32,
    /// The node whose store it is in, and the node that holds its lease, or `NONE`.
    node: u32,
    holder: u32,
    receives: u32,
    profile: u16,
    priority: u8,
    /// Whether work on it has already succeeded.
    is_done: bool,
}

impl Place {
    fn state(&self) -> State {
        match (self.generation & 1, self.holder) {
            (0, _) => State::Free,
            (_, NONE) => State::Waiting,
            _ => State::Leased,
        }
    }

    /// Whether it was stored before the record with this number. Far fewer records exist at a time than there are
    /// numbers.
    fn is_before(&self, number: u32) -> bool {
        (self.number.wrapping_sub(number) as i32) < 0
    }
}

/// Circumstances of a success on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Whether work on this record, or on another one made from the same call, had already succeeded.
    pub again: bool,
    /// Whether work on a later record about the same data key had already succeeded.
    pub overtaken: bool,
}

/// A list of records.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
    len: u64,
}

impl List {
    const EMPTY: List = List { first: NONE, last: NONE, len: 0 };
}

/// The records of one node.
#[derive(Clone, Debug)]
struct Store {
    waiting: List,
    leased: List,
    /// The record put back last, as a starting point for the next search.
    put_back: u32,
    stored: u64,
    ended: [u64; Ended::COUNT],
    /// Whether a crash of the node ends its records.
    is_volatile: bool,
    /// Whether records may wait here forever.
    is_final: bool,
    /// The keys of all records whose work has succeeded, if remembered.
    done: Option<BTreeSet<u64>>,
    /// By data key, where known: the number of the latest record whose work has succeeded.
    newest_done: BTreeMap<u64, u64>,
}

impl Store {
    fn new() -> Store {
        Store {
            waiting: List::EMPTY,
            leased: List::EMPTY,
            put_back: NONE,
            stored: 0,
            ended: [0; Ended::COUNT],
            is_volatile: false,
            is_final: false,
            done: None,
            newest_done: BTreeMap::new(),
        }
    }

    /// The full ordinal of a record that is present.
    fn number(&self, place: &Place) -> u64 {
        let last = self.stored.wrapping_sub(1);
        last - u64::from((last as u32).wrapping_sub(place.number))
    }
}

/// The records of all nodes.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    places: Vec<Place>,
    /// The most recently freed place.
    free: u32,
    /// The number of open records, not counting those that may wait forever.
    open: u64,
    /// Counter of records stored and records ended.
    settled: u64,
    /// Baggage of the calls, by place.
    columns: Columns,
    stores: BTreeMap<u32, Store>,
}

impl Records {
    pub(crate) fn new() -> Records {
        Records {
            places: Vec::new(),
            free: NONE,
            open: 0,
            settled: 0,
            columns: Columns::default(),
            stores: BTreeMap::new(),
        }
    }

    /// Records carry the same columns as calls, except those that end with a call.
    pub(crate) fn carry(&mut self, carried: Carried) {
        self.columns = Columns::new(Carried { deadline: false, connection: false, tie: false, ..carried });
    }

    fn store_of(&mut self, node: NodeId) -> &mut Store {
        self.stores.entry(node.0).or_insert_with(Store::new)
    }

    /// Sets whether a crash of `node` ends its records.
    pub(crate) fn set_volatile(&mut self, node: NodeId, is_volatile: bool) {
        self.store_of(node).is_volatile = is_volatile;
    }

    /// Lets records wait at `node` forever: no consumer is expected.
    pub(crate) fn set_final(&mut self, node: NodeId) {
        self.store_of(node).is_final = true;
    }

    /// From now on remembers the keys of the records of `node` whose work has succeeded.
    pub(crate) fn remember_done(&mut self, node: NodeId) {
        self.store_of(node).done.get_or_insert_default();
    }

    /// Stores a record at `node`, behind the waiting ones.
    pub(crate) fn store(
        &mut self,
        node: NodeId,
        now: Time,
        key: u64,
        profile: u16,
        priority: u8,
        baggage: Baggage,
    ) -> RecordId {
        if self.free == NONE {
            self.free = self.places.len() as u32;
            push(&mut self.places, Place::BLANK);
            self.columns.add();
        }
        let index = self.free;
        let store = self.stores.entry(node.0).or_insert_with(Store::new);
        let number = store.stored as u32;
        store.stored += 1;
        self.open += u64::from(!store.is_final);
        let place = &mut self.places[index as usize];
        self.free = place.next;
        let generation = place.generation.wrapping_add(1);
        *place = Place { key, stored: now, number, generation, node: node.0, profile, priority, ..Place::BLANK };
        self.columns.pack(index, baggage);
        self.settled += 1;
        let last = store.waiting.last;
        link_behind(&mut self.places, &mut store.waiting, index, last);
        RecordId { index, generation }
    }

    fn place(&self, record: RecordId) -> Option<&Place> {
        let place = self.places.get(record.index as usize)?;
        (place.generation == record.generation && place.state() != State::Free).then_some(place)
    }

    /// The fields of a record; `None` once it has ended.
    pub(crate) fn get(&self, record: RecordId) -> Option<Record> {
        let place = self.place(record)?;
        Some(Record {
            key: place.key,
            stored: place.stored,
            receives: place.receives,
            holder: (place.state() == State::Leased).then_some(NodeId(place.holder)),
            number: self.stores.get(&place.node).map_or(0, |store| store.number(place)),
            profile: place.profile,
            priority: place.priority,
        })
    }

    /// The baggage of the call that a record was made from.
    pub(crate) fn baggage(&self, record: RecordId) -> Baggage {
        self.columns.baggage(record.index)
    }

    /// The record at a place of the table, which must be in use.
    pub(crate) fn id(&self, index: u32) -> Option<RecordId> {
        self.places.get(index as usize).map(|place| RecordId { index, generation: place.generation })
    }

    /// The oldest record waiting at `node`.
    pub(crate) fn first(&self, node: NodeId) -> Option<RecordId> {
        self.id(self.stores.get(&node.0)?.waiting.first)
    }

    /// The newest record waiting at `node`.
    pub(crate) fn last(&self, node: NodeId) -> Option<RecordId> {
        self.id(self.stores.get(&node.0)?.waiting.last)
    }

    /// The record behind a waiting record.
    pub(crate) fn after(&self, record: RecordId) -> Option<RecordId> {
        let place = self.place(record).filter(|place| place.state() == State::Waiting)?;
        self.id(place.next)
    }

    /// The record ahead of a waiting record.
    pub(crate) fn before(&self, record: RecordId) -> Option<RecordId> {
        let place = self.place(record).filter(|place| place.state() == State::Waiting)?;
        self.id(place.previous)
    }

    /// The number of records waiting at `node`.
    pub(crate) fn waiting(&self, node: NodeId) -> u64 {
        self.stores.get(&node.0).map_or(0, |store| store.waiting.len)
    }

    /// Leases a waiting record. Returns how often it has been leased, including this time.
    pub(crate) fn lease(&mut self, record: RecordId, holder: NodeId) -> u32 {
        let place = &mut self.places[record.index as usize];
        debug_assert!(place.state() == State::Waiting && place.generation == record.generation);
        place.holder = holder.0;
        place.receives += 1;
        let (node, receives) = (place.node, place.receives);
        let store = self.stores.get_mut(&node).expect("a record is in a store");
        unlink(&mut self.places, &mut store.waiting, record.index);
        let last = store.leased.last;
        link_behind(&mut self.places, &mut store.leased, record.index, last);
        receives
    }

    /// Returns a leased record to the waiting list, at the position given by its age; `counts` is whether the lease
    /// counts.
    pub(crate) fn put_back(&mut self, record: RecordId, counts: bool) {
        let place = &mut self.places[record.index as usize];
        debug_assert!(place.state() == State::Leased && place.generation == record.generation);
        place.holder = NONE;
        place.receives -= u32::from(!counts);
        let (node, number) = (place.node, place.number);
        let store = self.stores.get_mut(&node).expect("a record is in a store");
        unlink(&mut self.places, &mut store.leased, record.index);
        // Leased records were among the oldest, and usually their neighbours are put back just before them.
        let is_there = |place: &&Place| place.state() == State::Waiting && place.node == node;
        let hint = Some(store.put_back).filter(|hint| *hint != record.index);
        let hint = hint.filter(|hint| self.places.get(*hint as usize).as_ref().is_some_and(is_there));
        let (mut before, mut at) = match hint {
            Some(hint) => (self.places[hint as usize].previous, hint),
            None => (NONE, store.waiting.first),
        };
        while let Some(place) = self.places.get(before as usize).filter(|place| !place.is_before(number)) {
            (before, at) = (place.previous, before);
        }
        while let Some(place) = self.places.get(at as usize).filter(|place| place.is_before(number)) {
            (before, at) = (at, place.next);
        }
        link_behind(&mut self.places, &mut store.waiting, record.index, before);
        store.put_back = record.index;
    }

    /// Records that the work on a record of `node`, made from a call with this key, has succeeded; `None` if the record
    /// has left its store and its result is no longer known.
    pub(crate) fn done(&mut self, node: NodeId, record: RecordId, key: u64, about: Option<u64>) -> Option<Done> {
        let Some(number) = self.get(record).map(|record| record.number) else {
            let done = self.stores.get_mut(&node.0)?.done.as_mut()?;
            return Some(Done { again: !done.insert(key), overtaken: false });
        };
        let place = &mut self.places[record.index as usize];
        let store = self.stores.get_mut(&place.node).expect("a record is in a store");
        let was_done = std::mem::replace(&mut place.is_done, true);
        let is_copy = store.done.as_mut().is_some_and(|done| !done.insert(place.key));
        let newest = about.map(|about| store.newest_done.entry(about).or_insert(number));
        let overtaken = newest.as_ref().is_some_and(|newest| **newest > number);
        if let Some(newest) = newest {
            *newest = number.max(*newest);
        }
        let again = was_done || is_copy;
        Some(Done { again, overtaken: overtaken && !again })
    }

    /// Whether the work on a record of `node`, or on another one made from the call with this key, has succeeded;
    /// `None` if the record has left its store and its result is no longer known.
    pub(crate) fn is_done(&self, node: NodeId, record: RecordId, key: u64) -> Option<bool> {
        let done = self.stores.get(&node.0).and_then(|store| store.done.as_ref());
        let is_known = done.map(|done| done.contains(&key));
        match self.place(record) {
            Some(place) => Some(place.is_done || is_known == Some(true)),
            None => is_known,
        }
    }

    /// Copies a record to another store, behind the records waiting there, as one that has never been leased. `stored`
    /// is its storage time there.
    pub(crate) fn copy_to(&mut self, record: RecordId, to: NodeId, stored: Time) -> RecordId {
        let Place { key, profile, priority, .. } = self.places[record.index as usize];
        let baggage = self.baggage(record);
        self.store(to, stored, key, profile, priority, baggage)
    }

    /// The records of a node that do not survive its crash.
    pub(crate) fn of_volatile(&self, node: NodeId) -> Vec<RecordId> {
        if self.stores.get(&node.0).is_none_or(|store| !store.is_volatile) {
            return Vec::new();
        }
        let there = |(_, place): &(usize, &Place)| place.node == node.0 && place.state() != State::Free;
        self.places.iter().enumerate().filter(there).filter_map(|(index, _)| self.id(index as u32)).collect()
    }

    /// Changes the undertaking that a record belongs to.
    pub(crate) fn set_undertaking(&mut self, record: RecordId, name: u64) {
        self.columns.set_undertaking(record.index, name);
    }

    /// Ends a record.
    pub(crate) fn end(&mut self, record: RecordId, how: Ended) {
        let place = &mut self.places[record.index as usize];
        debug_assert!(place.state() != State::Free && place.generation == record.generation);
        let (node, was) = (place.node, place.state());
        let store = self.stores.get_mut(&node).expect("a record is in a store");
        store.ended[how as usize] += 1;
        self.open -= u64::from(!store.is_final);
        let list = if was == State::Waiting { &mut store.waiting } else { &mut store.leased };
        unlink(&mut self.places, list, record.index);
        let place = &mut self.places[record.index as usize];
        place.generation = place.generation.wrapping_add(1);
        place.next = self.free;
        self.free = record.index;
        self.settled += 1;
        if store.waiting.len + store.leased.len == 0 && store.newest_done.len() >= NEWEST_DONE_MAX {
            // No record is left that could have been overtaken.
            store.newest_done.clear();
        }
    }

    /// The records at `node` that are leased to `holder` (`None`: to any node), most recent lease first.
    pub(crate) fn leased(&self, node: NodeId, holder: Option<NodeId>) -> Vec<RecordId> {
        let mut found = Vec::new();
        let mut index = self.stores.get(&node.0).map_or(NONE, |store| store.leased.last);
        while let Some(place) = self.places.get(index as usize) {
            if holder.is_none_or(|holder| holder.0 == place.holder) {
                found.push(RecordId { index, generation: place.generation });
            }
            index = place.previous;
        }
        found
    }

    /// Open records, not counting those that may wait forever.
    pub(crate) fn open(&self) -> u64 {
        self.open
    }

    /// Number of records ever stored plus number ever ended: increases with both.
    pub(crate) fn settled(&self) -> u64 {
        self.settled
    }

    /// By node: waiting records and leased records.
    pub(crate) fn left(&self) -> impl Iterator<Item = (NodeId, u64, u64)> {
        self.stores.iter().map(|(node, store)| (NodeId(*node), store.waiting.len, store.leased.len))
    }

    /// Whether records may wait at `node` forever.
    pub(crate) fn is_final(&self, node: NodeId) -> bool {
        self.stores.get(&node.0).is_some_and(|store| store.is_final)
    }

    /// The number of records of `node` that ended in this way.
    pub(crate) fn ended(&self, node: NodeId, how: Ended) -> u64 {
        self.stores.get(&node.0).map_or(0, |store| store.ended[how as usize])
    }

    /// By node: records ever stored, and those ended plus those present, counted afresh.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (NodeId, u64, u64)> {
        let mut present: BTreeMap<u32, u64> = BTreeMap::new();
        for place in self.places.iter().filter(|place| place.state() != State::Free) {
            *present.entry(place.node).or_default() += 1;
        }
        self.stores.iter().map(move |(node, store)| {
            let present = present.get(node).copied().unwrap_or(0);
            (NodeId(*node), store.stored, store.ended.iter().sum::<u64>() + present)
        })
    }

    /// The undertakings of all records.
    pub(crate) fn undertakings(&self) -> impl Iterator<Item = u64> {
        let present = self.places.iter().zip(0..).filter(|(place, _)| place.state() != State::Free);
        present.map(|(_, index)| self.columns.undertaking(index))
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let of_done = |store: &Store| {
            let keys = store.done.as_ref().map_or(0, BTreeSet::len) * size_of::<u64>();
            keys + store.newest_done.len() * size_of::<(u64, u64)>()
        };
        self.places.capacity() * size_of::<Place>()
            + self.columns.bytes()
            + self.stores.values().map(of_done).sum::<usize>()
    }
}

impl Place {
    const BLANK: Place = Place {
        key: 0,
        stored: 0,
        number: 0,
        generation: 0,
        previous: NONE,
        next: NONE,
        node: NONE,
        holder: NONE,
        receives: 0,
        profile: 0,
        priority: 0,
        is_done: false,
    };
}

/// Inserts a record into a list behind another one, or first.
fn link_behind(places: &mut [Place], list: &mut List, index: u32, before: u32) {
    let next = if before == NONE { list.first } else { places[before as usize].next };
    let place = &mut places[index as usize];
    (place.previous, place.next) = (before, next);
    match places.get_mut(before as usize) {
        Some(before) => before.next = index,
        None => list.first = index,
    }
    match places.get_mut(next as usize) {
        Some(next) => next.previous = index,
        None => list.last = index,
    }
    list.len += 1;
}

/// Removes a record from its list.
fn unlink(places: &mut [Place], list: &mut List, index: u32) {
    let Place { previous, next, .. } = places[index as usize];
    match places.get_mut(previous as usize) {
        Some(previous) => previous.next = next,
        None => list.first = next,
    }
    match places.get_mut(next as usize) {
        Some(next) => next.previous = previous,
        None => list.last = previous,
    }
    list.len -= 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ten_million_records_take_half_a_gigabyte() {
        assert_eq!(size_of::<Place>(), 48);
    }

    /// An operation on records: at one of two nodes, on the record that an index selects.
    #[derive(Clone, Copy, Debug)]
    enum Deed {
        Store(u32),
        Lease(u32, u32),
        PutBack(u32, prop::sample::Index, bool),
        Acknowledge(u32, prop::sample::Index),
        Drop(u32),
        PutAllBack(u32, u32),
        Done(u32, prop::sample::Index),
        Move(u32),
        Crash(u32),
        Clone,
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let index = any::<prop::sample::Index>;
        prop_oneof![
            6 => (0u32..2).prop_map(Deed::Store),
            5 => (0u32..2, 10u32..13).prop_map(|(node, holder)| Deed::Lease(node, holder)),
            2 => (0u32..2, index(), any::<bool>()).prop_map(|(node, at, counts)| Deed::PutBack(node, at, counts)),
            3 => (0u32..2, index()).prop_map(|(node, at)| Deed::Acknowledge(node, at)),
            1 => (0u32..2).prop_map(Deed::Drop),
            1 => (0u32..2, 10u32..13).prop_map(|(node, holder)| Deed::PutAllBack(node, holder)),
            2 => (0u32..2, index()).prop_map(|(node, at)| Deed::Done(node, at)),
            1 => (0u32..2).prop_map(Deed::Move),
            1 => (0u32..2).prop_map(Deed::Crash),
            1 => Just(Deed::Clone),
        ]
    }

    /// Two plain lists: waiting and leased records.
    #[derive(Default)]
    struct Twin {
        /// Record ids by number.
        waiting: BTreeMap<u64, RecordId>,
        leased: Vec<(u64, RecordId, u32)>,
        receives: BTreeMap<u64, u32>,
        about: BTreeMap<u64, u64>,
        /// By number: data keys of the records whose work has succeeded.
        done: BTreeMap<u64, u64>,
        stored: u64,
        ended: u64,
    }

    proptest! {
        #[test]
        fn they_agree_with_plain_lists(deeds in prop::collection::vec(deed(), 1..120)) {
            let mut records = Records::new();
            records.carry(Carried { data_key: true, ..Carried::default() });
            // Records in the second store do not survive a crash of its node.
            records.set_volatile(NodeId(1), true);
            let mut twins = [Twin::default(), Twin::default()];
            let mut gone: Vec<RecordId> = Vec::new();
            for (now, deed) in deeds.into_iter().enumerate() {
                match deed {
                    Deed::Store(node) => {
                        let twin = &mut twins[node as usize];
                        let (key, number) = (now as u64 + 100, twin.stored);
                        let baggage = Baggage { data_key: key, ..Baggage::EMPTY };
                        let id = records.store(NodeId(node), now as Time, key, 3, 2, baggage);
                        prop_assert_eq!(RecordId::from_bits(id.to_bits()), id);
                        prop_assert_eq!(records.baggage(id).data_key, key);
                        prop_assert_eq!(records.get(id).map(|record| record.number), Some(number));
                        twin.waiting.insert(number, id);
                        twin.about.insert(number, key % 3);
                        twin.stored += 1;
                    }
                    Deed::Done(node, at) => {
                        let twin = &mut twins[node as usize];
                        if twin.leased.is_empty() { continue }
                        let (number, id, _) = twin.leased[at.index(twin.leased.len())];
                        let about = twin.about[&number];
                        let again = twin.done.contains_key(&number);
                        let (store, key) = (NodeId(node), records.get(id).map_or(0, |record| record.key));
                        prop_assert_eq!(records.is_done(store, id, key), Some(again));
                        let newest = twin.done.iter().filter(|(_, other)| **other == about).map(|(n, _)| *n).max();
                        let overtaken = !again && newest.is_some_and(|newest| newest > number);
                        prop_assert_eq!(records.done(store, id, key, Some(about)), Some(Done { again, overtaken }));
                        twin.done.insert(number, about);
                    }
                    Deed::Move(from) => {
                        let Some((_, id)) = twins[from as usize].waiting.pop_first() else { continue };
                        twins[from as usize].ended += 1;
                        let to = NodeId(1 - from);
                        let moved = records.copy_to(id, to, now as Time);
                        records.end(id, Ended::Dead);
                        prop_assert_eq!(records.get(moved).map(|record| record.receives), Some(0));
                        let twin = &mut twins[to.0 as usize];
                        let key = records.baggage(moved).data_key;
                        twin.about.insert(twin.stored, key % 3);
                        twin.waiting.insert(twin.stored, moved);
                        twin.stored += 1;
                        gone.push(id);
                    }
                    Deed::Crash(node) => {
                        let twin = &mut twins[node as usize];
                        let there = twin.waiting.len() + twin.leased.len();
                        let lost = if node == 1 { there } else { 0 };
                        let lost_now = records.of_volatile(NodeId(node));
                        prop_assert_eq!(lost_now.len(), lost);
                        lost_now.into_iter().for_each(|record| records.end(record, Ended::Lost));
                        if node == 1 {
                            gone.extend(std::mem::take(&mut twin.waiting).into_values());
                            gone.extend(std::mem::take(&mut twin.leased).into_iter().map(|(_, id, _)| id));
                            twin.ended += lost as u64;
                        }
                    }
                    Deed::Lease(node, holder) => {
                        let twin = &mut twins[node as usize];
                        let first = records.first(NodeId(node));
                        prop_assert_eq!(first, twin.waiting.values().next().copied());
                        let Some((number, id)) = twin.waiting.pop_first() else { continue };
                        let receives = records.lease(id, NodeId(holder));
                        let expected = twin.receives.entry(number).or_insert(0);
                        *expected += 1;
                        prop_assert_eq!(receives, *expected);
                        twin.leased.push((number, id, holder));
                    }
                    Deed::PutBack(node, at, counts) => {
                        let twin = &mut twins[node as usize];
                        if twin.leased.is_empty() { continue }
                        let (number, id, _) = twin.leased.remove(at.index(twin.leased.len()));
                        records.put_back(id, counts);
                        *twin.receives.entry(number).or_insert(0) -= u32::from(!counts);
                        twin.waiting.insert(number, id);
                    }
                    Deed::Acknowledge(node, at) => {
                        let twin = &mut twins[node as usize];
                        if twin.leased.is_empty() { continue }
                        let (_, id, _) = twin.leased.remove(at.index(twin.leased.len()));
                        records.end(id, Ended::Acknowledged);
                        twin.ended += 1;
                        gone.push(id);
                    }
                    Deed::Drop(node) => {
                        let twin = &mut twins[node as usize];
                        let Some((_, id)) = twin.waiting.pop_first() else { continue };
                        records.end(id, Ended::Dropped);
                        twin.ended += 1;
                        gone.push(id);
                    }
                    Deed::PutAllBack(node, holder) => {
                        let twin = &mut twins[node as usize];
                        let theirs: Vec<(u64, RecordId, u32)> =
                            twin.leased.iter().copied().filter(|(_, _, of)| *of == holder).collect();
                        let found = records.leased(NodeId(node), Some(NodeId(holder)));
                        prop_assert!(found.iter().eq(theirs.iter().rev().map(|(_, id, _)| id)));
                        twin.leased.retain(|(_, _, of)| *of != holder);
                        found.into_iter().for_each(|id| records.put_back(id, true));
                        twin.waiting.extend(theirs.into_iter().map(|(number, id, _)| (number, id)));
                    }
                    Deed::Clone => records = records.clone(),
                }
                prop_assert!(gone.iter().all(|id| records.get(*id).is_none()));
                let left: Vec<(NodeId, u64, u64)> = records.left().collect();
                for (node, waiting, leased) in left {
                    let twin = &twins[node.0 as usize];
                    prop_assert_eq!((waiting, leased), (twin.waiting.len() as u64, twin.leased.len() as u64));
                }
                for (node, twin) in (0..).map(NodeId).zip(&mut twins) {
                    let mut at = records.first(node);
                    for id in twin.waiting.values() {
                        prop_assert_eq!(at, Some(*id));
                        let after = records.after(*id);
                        prop_assert_eq!(after.and_then(|after| records.before(after)), after.map(|_| *id));
                        at = after;
                    }
                    prop_assert_eq!(at, None);
                    prop_assert_eq!(records.last(node), twin.waiting.values().next_back().copied());
                    prop_assert_eq!(records.waiting(node), twin.waiting.len() as u64);
                    if twin.waiting.is_empty() && twin.leased.is_empty() {
                        twin.done.clear();
                    }
                }
                for (node, stored, accounted) in records.accounts() {
                    prop_assert_eq!((stored, accounted), (twins[node.0 as usize].stored, stored));
                }
                let open = |twin: &Twin| (twin.waiting.len() + twin.leased.len()) as u64;
                prop_assert_eq!(records.open(), open(&twins[0]) + open(&twins[1]));
            }
        }
    }
}

//! Records: what a node keeps for others apart from calls, such as the messages of a queue.
//!
//! A record is data. It is made of a call, outlives that call and its caller, and a crash never touches it: only the verbs
//! of its own node move it. It stands in one of two lists of its store, or has ended:
//!
//! ```text
//!                 ┌──────── put back ────────┐
//!   store ─▶ [waiting, oldest first] ─▶ [leased] ─▶ ended: acknowledged
//!                 └─▶ ended: dropped
//! ```
//!
//! A pure structure that knows no engine; the verbs stand in `engine/records.rs`. One table holds the records of all stores,
//! 48 bytes each, so that a record is found by its number alone; what its call carried stands in columns beside it.

use std::collections::BTreeMap;

use crate::baggage::{Baggage, Carried, Columns};
use crate::calls::NodeId;
use crate::table::push;
use crate::time::Time;

/// Names a record for as long as it has not ended; afterwards it names nothing.
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
}

/// How a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// Whoever it was leased to is done with it.
    Acknowledged,
    /// It had to make room for a newer one.
    Dropped,
}

impl Ended {
    const COUNT: usize = Ended::Dropped as usize + 1;
}

/// What there is to know of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key of the call that it was made of, from which the keys of its deliveries come.
    pub key: u64,
    /// When it was stored.
    pub stored: Time,
    /// How often it has been leased.
    pub receives: u32,
    /// To whom it is leased now.
    pub holder: Option<NodeId>,
    /// Row of the profile of the call that it was made of.
    pub profile: u16,
    /// The priority of that call.
    pub priority: u8,
}

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
    /// Its place among the records ever stored.
    number: u64,
    /// Odd while it is in use.
    generation: u32,
    /// Neighbours in its list; of a free place `next` is the place freed before.
    previous: u32,
    next: u32,
    /// The node whose store it is in, and the one that it is leased to.
    node: u32,
    holder: u32,
    receives: u32,
    profile: u16,
    priority: u8,
    state: State,
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
    stored: u64,
    ended: [u64; Ended::COUNT],
}

impl Store {
    const EMPTY: Store = Store { waiting: List::EMPTY, leased: List::EMPTY, stored: 0, ended: [0; Ended::COUNT] };
}

/// The records of all nodes.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    places: Vec<Place>,
    /// The place that was freed last.
    free: u32,
    /// How many have not ended.
    open: u64,
    /// How many have been stored and have ended.
    settled: u64,
    /// What the calls carried, by place.
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

    /// What calls carry, records carry too.
    pub(crate) fn carry(&mut self, carried: Carried) {
        self.columns = Columns::new(carried);
    }

    /// Stores a record at `node`, behind those that wait there.
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
        let store = self.stores.entry(node.0).or_insert(Store::EMPTY);
        let number = store.stored;
        store.stored += 1;
        let place = &mut self.places[index as usize];
        self.free = place.next;
        let generation = place.generation.wrapping_add(1);
        *place = Place {
            key,
            stored: now,
            number,
            generation,
            node: node.0,
            profile,
            priority,
            state: State::Waiting,
            ..Place::BLANK
        };
        self.columns.pack(index, baggage);
        self.open += 1;
        self.settled += 1;
        let last = store.waiting.last;
        link_behind(&mut self.places, &mut store.waiting, index, last);
        RecordId { index, generation }
    }

    fn place(&self, record: RecordId) -> Option<&Place> {
        let place = self.places.get(record.index as usize)?;
        (place.generation == record.generation && place.state != State::Free).then_some(place)
    }

    /// What there is to know of a record; `None` once it has ended.
    pub(crate) fn get(&self, record: RecordId) -> Option<Record> {
        let place = self.place(record)?;
        Some(Record {
            key: place.key,
            stored: place.stored,
            receives: place.receives,
            holder: (place.state == State::Leased).then_some(NodeId(place.holder)),
            profile: place.profile,
            priority: place.priority,
        })
    }

    /// What the call carried that a record was made of.
    pub(crate) fn baggage(&self, record: RecordId) -> Baggage {
        self.columns.baggage(record.index)
    }

    /// The oldest record that waits at `node`.
    pub(crate) fn first(&self, node: NodeId) -> Option<RecordId> {
        let index = self.stores.get(&node.0)?.waiting.first;
        self.places.get(index as usize).map(|place| RecordId { index, generation: place.generation })
    }

    /// Leases a record that waits. How often it has been leased now.
    pub(crate) fn lease(&mut self, record: RecordId, holder: NodeId) -> u32 {
        let place = &mut self.places[record.index as usize];
        debug_assert!(place.state == State::Waiting && place.generation == record.generation);
        place.state = State::Leased;
        place.holder = holder.0;
        place.receives += 1;
        let (node, receives) = (place.node, place.receives);
        let store = self.stores.get_mut(&node).expect("a record is in a store");
        unlink(&mut self.places, &mut store.waiting, record.index);
        let last = store.leased.last;
        link_behind(&mut self.places, &mut store.leased, record.index, last);
        receives
    }

    /// A record that was leased waits again, in the place that its age gives it; `counts` says whether having been leased
    /// counts.
    pub(crate) fn put_back(&mut self, record: RecordId, counts: bool) {
        let place = &mut self.places[record.index as usize];
        debug_assert!(place.state == State::Leased && place.generation == record.generation);
        place.state = State::Waiting;
        place.receives -= u32::from(!counts);
        let (node, number) = (place.node, place.number);
        let store = self.stores.get_mut(&node).expect("a record is in a store");
        unlink(&mut self.places, &mut store.leased, record.index);
        // What was leased was among the oldest, and few can have been put back before it.
        let (mut before, mut at) = (NONE, store.waiting.first);
        while let Some(place) = self.places.get(at as usize).filter(|place| place.number < number) {
            (before, at) = (at, place.next);
        }
        link_behind(&mut self.places, &mut store.waiting, record.index, before);
    }

    /// A record ends.
    pub(crate) fn end(&mut self, record: RecordId, how: Ended) {
        let place = &mut self.places[record.index as usize];
        debug_assert!(place.state != State::Free && place.generation == record.generation);
        let (node, was) = (place.node, place.state);
        place.state = State::Free;
        let store = self.stores.get_mut(&node).expect("a record is in a store");
        store.ended[how as usize] += 1;
        let list = if was == State::Waiting { &mut store.waiting } else { &mut store.leased };
        unlink(&mut self.places, list, record.index);
        let place = &mut self.places[record.index as usize];
        place.generation = place.generation.wrapping_add(1);
        place.next = self.free;
        self.free = record.index;
        self.open -= 1;
        self.settled += 1;
    }

    /// The records at `node` that are leased to `holder` (`None`: to anybody), those leased last first.
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

    /// Records that have not ended.
    pub(crate) fn open(&self) -> u64 {
        self.open
    }

    /// Records ever stored, and those ever ended: grows with both.
    pub(crate) fn settled(&self) -> u64 {
        self.settled
    }

    /// By node: records that wait, and records that are leased.
    pub(crate) fn left(&self) -> impl Iterator<Item = (NodeId, u64, u64)> {
        self.stores.iter().map(|(node, store)| (NodeId(*node), store.waiting.len, store.leased.len))
    }

    /// By node: records ever stored, and what has become of them, counted anew.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (NodeId, u64, u64)> {
        let mut present: BTreeMap<u32, u64> = BTreeMap::new();
        for place in self.places.iter().filter(|place| place.state != State::Free) {
            *present.entry(place.node).or_default() += 1;
        }
        self.stores.iter().map(move |(node, store)| {
            let present = present.get(node).copied().unwrap_or(0);
            (NodeId(*node), store.stored, store.ended.iter().sum::<u64>() + present)
        })
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>() + self.columns.bytes()
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
        state: State::Free,
    };
}

/// Puts a record into a list behind another one, or first.
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

/// Takes a record out of its list.
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
    fn a_record_takes_no_more_than_a_line_of_the_cache() {
        assert!(size_of::<Place>() <= 64, "{}", size_of::<Place>());
    }

    /// What is done with records: at one of two nodes, to the record that an index points to.
    #[derive(Clone, Copy, Debug)]
    enum Deed {
        Store(u32),
        Lease(u32, u32),
        PutBack(u32, prop::sample::Index, bool),
        Acknowledge(u32, prop::sample::Index),
        Drop(u32),
        PutAllBack(u32, u32),
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
            1 => Just(Deed::Clone),
        ]
    }

    /// Two plain lists, of those that wait and of those that are leased.
    #[derive(Default)]
    struct Twin {
        /// Number and name of each, by number.
        waiting: BTreeMap<u64, RecordId>,
        leased: Vec<(u64, RecordId, u32)>,
        receives: BTreeMap<u64, u32>,
        stored: u64,
        ended: u64,
    }

    proptest! {
        #[test]
        fn they_agree_with_plain_lists(deeds in prop::collection::vec(deed(), 1..120)) {
            let mut records = Records::new();
            records.carry(Carried { data_key: true, ..Carried::default() });
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
                        twin.waiting.insert(number, id);
                        twin.stored += 1;
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
                for (node, stored, accounted) in records.accounts() {
                    prop_assert_eq!((stored, accounted), (twins[node.0 as usize].stored, stored));
                }
                let open = |twin: &Twin| (twin.waiting.len() + twin.leased.len()) as u64;
                prop_assert_eq!(records.open(), open(&twins[0]) + open(&twins[1]));
            }
        }
    }
}

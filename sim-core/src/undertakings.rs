//! Undertakings: all work that a request sets off, whether or not a caller still waits for it.
//!
//! A request may be answered before its work is done: steps continue after the answer, one-way calls are sent, messages
//! wait in a queue. Each of these is a part of the request's undertaking, and so is the request itself until it is
//! answered. Parts join and leave; when the last one leaves, the undertaking is settled and the node that began the
//! request is notified. If a part fails (a message was lost, a replica died in the middle of a part), the undertaking
//! still settles only with its last part, but counts as failed.
//!
//! ```text
//!   request ─▶ answered ──────────────┐
//!      ├─▶ steps after the answer ────┤
//!      ├─▶ a call that is only sent ──┼─▶ settled
//!      └─▶ message ─▶ delivered ─┬────┤
//!                                └─▶ message ─▶ …
//! ```
//!
//! Calls and records carry the name of their undertaking in their baggage. An undertaking takes only 20 bytes, because
//! each waiting message has one.

use crate::calls::NodeId;
use crate::table::push;
use crate::time::Time;

/// A settled undertaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// When its request was due to be sent.
    pub began: Time,
    /// The operation of its request.
    pub op: u16,
    /// Whether its request was answered successfully.
    pub answered_well: bool,
    /// Whether any of its parts failed.
    pub failed: bool,
}

/// An undertaking in progress whose request has been answered successfully.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// When its request was due to be sent.
    pub began: Time,
    /// The operation of its request.
    pub op: u16,
}

const FAILED: u32 = 1 << 31;
const ANSWERED_WELL: u32 = 1 << 30;
const PARTS: u32 = ANSWERED_WELL - 1;
const NONE: u32 = u32::MAX;

/// One undertaking, 20 bytes.
#[derive(Clone, Copy, Debug)]
struct Undertaking {
    /// Odd while the undertaking is in progress.
    generation: u32,
    /// Row of the beginning node and operation; for a free place, the place freed before.
    row: u32,
    began: [u32; 2],
    /// The number of parts in progress, with the flags in the top two bits.
    parts: u32,
}

/// All undertakings in progress.
#[derive(Clone, Debug)]
pub(crate) struct Undertakings {
    places: Vec<Undertaking>,
    free: u32,
    /// Pairs of beginning node and operation.
    rows: Vec<(NodeId, u16)>,
}

impl Default for Undertakings {
    fn default() -> Undertakings {
        Undertakings { places: Vec::new(), free: NONE, rows: Vec::new() }
    }
}

impl Undertakings {
    /// Begins an undertaking with its request as the first part. Returns its name, which is never
    /// [`NO_UNDERTAKING`](crate::NO_UNDERTAKING).
    pub(crate) fn begin(&mut self, node: NodeId, op: u16, began: Time) -> u64 {
        let row = self.rows.iter().position(|row| *row == (node, op)).unwrap_or_else(|| {
            self.rows.push((node, op));
            self.rows.len() - 1
        });
        if self.free == NONE {
            self.free = self.places.len() as u32;
            push(&mut self.places, Undertaking { generation: 0, row: NONE, began: [0; 2], parts: 0 });
        }
        let index = self.free;
        let place = &mut self.places[index as usize];
        self.free = place.row;
        let generation = place.generation.wrapping_add(1);
        *place = Undertaking { generation, row: row as u32, began: [began as u32, (began >> 32) as u32], parts: 1 };
        u64::from(generation) << 32 | u64::from(index)
    }

    fn place(&mut self, name: u64) -> Option<&mut Undertaking> {
        let place = self.places.get_mut(name as u32 as usize)?;
        (place.generation == (name >> 32) as u32 && place.generation & 1 == 1).then_some(place)
    }

    /// Adds a part; false if the undertaking is already settled.
    pub(crate) fn join(&mut self, name: u64) -> bool {
        let Some(place) = self.place(name) else { return false };
        place.parts += 1;
        true
    }

    /// Records that the request has been answered successfully.
    pub(crate) fn answered_well(&mut self, name: u64) {
        if let Some(place) = self.place(name) {
            place.parts |= ANSWERED_WELL;
        }
    }

    /// Ends a part. If it was the last, returns the node that began the undertaking and how it was settled.
    pub(crate) fn leave(&mut self, name: u64, failed: bool) -> Option<(NodeId, Settled)> {
        let place = self.place(name)?;
        place.parts -= 1;
        place.parts |= if failed { FAILED } else { 0 };
        if place.parts & PARTS > 0 {
            return None;
        }
        let Undertaking { row, began, parts, .. } = *place;
        place.generation = place.generation.wrapping_add(1);
        let (node, op) = self.rows[row as usize];
        let index = name as u32;
        self.places[index as usize].row = self.free;
        self.free = index;
        let began = u64::from(began[1]) << 32 | u64::from(began[0]);
        let (answered_well, failed) = (parts & ANSWERED_WELL != 0, parts & FAILED != 0);
        Some((node, Settled { began, op, answered_well, failed }))
    }

    /// Undertakings in progress that a node began and whose requests have been answered successfully.
    pub(crate) fn under_way(&self, node: NodeId) -> impl Iterator<Item = UnderWay> {
        let is_open = |place: &&Undertaking| place.generation & 1 == 1 && place.parts & ANSWERED_WELL != 0;
        let of = |place: &Undertaking| {
            let (by, op) = self.rows[place.row as usize];
            let began = u64::from(place.began[1]) << 32 | u64::from(place.began[0]);
            (by, UnderWay { began, op })
        };
        self.places.iter().filter(is_open).map(of).filter(move |(by, _)| *by == node).map(|(_, one)| one)
    }

    /// The number of undertakings in progress, and how many of them are among these names.
    pub(crate) fn accounts(&self, names: impl Iterator<Item = u64>) -> (u64, u64) {
        let is_open = |place: &&Undertaking| place.generation & 1 == 1;
        let mut found = vec![false; self.places.len()];
        for name in names {
            let index = name as u32 as usize;
            let place = self.places.get(index).filter(is_open);
            if place.is_some_and(|place| place.generation == (name >> 32) as u32) {
                found[index] = true;
            }
        }
        let open = self.places.iter().filter(is_open).count();
        (open as u64, found.into_iter().filter(|found| *found).count() as u64)
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<Undertaking>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baggage::NO_UNDERTAKING;
    use proptest::prelude::*;

    #[test]
    fn an_undertaking_takes_twenty_bytes() {
        assert_eq!(size_of::<Undertaking>(), 20);
    }

    #[derive(Clone, Debug)]
    enum Deed {
        Begin(u32, u16),
        Join(prop::sample::Index),
        AnsweredWell(prop::sample::Index),
        Leave(prop::sample::Index, bool),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let index = any::<prop::sample::Index>;
        prop_oneof![
            2 => (0u32..3, 0u16..3).prop_map(|(node, op)| Deed::Begin(node, op)),
            2 => index().prop_map(Deed::Join),
            1 => index().prop_map(Deed::AnsweredWell),
            3 => (index(), prop::bool::weighted(0.2)).prop_map(|(at, failed)| Deed::Leave(at, failed)),
        ]
    }

    proptest! {
        /// The twin keeps every undertaking ever begun; settled ones have no parts.
        #[test]
        fn undertakings_are_what_a_plain_list_says(deeds in prop::collection::vec(deed(), 1..100)) {
            let mut undertakings = Undertakings::default();
            let mut twin: Vec<(u64, NodeId, Settled, u32)> = Vec::new();
            for (now, deed) in (1u64 << 33..).zip(deeds) {
                match deed {
                    Deed::Begin(node, op) => {
                        let name = undertakings.begin(NodeId(node), op, now);
                        prop_assert!(name != NO_UNDERTAKING);
                        let settled = Settled { began: now, op, answered_well: false, failed: false };
                        twin.push((name, NodeId(node), settled, 1));
                    }
                    _ if twin.is_empty() => {}
                    Deed::Join(at) => {
                        let one = at.index(twin.len());
                        let is_open = twin[one].3 > 0;
                        prop_assert_eq!(undertakings.join(twin[one].0), is_open);
                        twin[one].3 += u32::from(is_open);
                    }
                    Deed::AnsweredWell(at) => {
                        let one = at.index(twin.len());
                        undertakings.answered_well(twin[one].0);
                        twin[one].2.answered_well |= twin[one].3 > 0;
                    }
                    Deed::Leave(at, failed) => {
                        let one = at.index(twin.len());
                        let is_open = twin[one].3 > 0;
                        twin[one].3 -= u32::from(is_open);
                        twin[one].2.failed |= failed && is_open;
                        let expected = (is_open && twin[one].3 == 0).then_some((twin[one].1, twin[one].2));
                        prop_assert_eq!(undertakings.leave(twin[one].0, failed), expected);
                    }
                }
                let open = twin.iter().filter(|one| one.3 > 0).count() as u64;
                prop_assert_eq!(undertakings.accounts(twin.iter().map(|one| one.0)), (open, open));
                prop_assert_eq!(undertakings.accounts(std::iter::once(NO_UNDERTAKING)), (open, 0));
                for node in (0..3).map(NodeId) {
                    let mut found: Vec<(Time, u16)> = undertakings.under_way(node).map(|one| (one.began, one.op)).collect();
                    found.sort_unstable();
                    let is_it = |one: &&(u64, NodeId, Settled, u32)| one.1 == node && one.3 > 0 && one.2.answered_well;
                    let expected: Vec<(Time, u16)> =
                        twin.iter().filter(is_it).map(|(_, _, settled, _)| (settled.began, settled.op)).collect();
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}

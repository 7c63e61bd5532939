//! Parcels: lists of records that a call or its answer carries in addition to its ticket and memo.
//!
//! A parcel is named by a number that travels with its call. The receiver of the call or answer takes the parcel out.
//! Parcels that are never taken, because their call ended in a crash, are removed once enough of them have accumulated.

use crate::calls::CallId;
use crate::records::RecordId;
use crate::slab::Slab;

/// Number of held parcels below which no sweep takes place.
const SWEPT_FROM: usize = 64;

#[derive(Clone, Debug)]
struct Parcel {
    call: CallId,
    records: Vec<(RecordId, u32)>,
}

/// The parcels of all open calls.
#[derive(Clone, Debug)]
pub(crate) struct Parcels {
    held: Slab<Parcel>,
    swept_from: usize,
}

impl Default for Parcels {
    fn default() -> Parcels {
        Parcels { held: Slab::new(), swept_from: SWEPT_FROM }
    }
}

impl Parcels {
    /// Attaches records to a call, each with the number of its lease. Returns the parcel's number.
    pub(crate) fn enclose(
        &mut self,
        call: CallId,
        records: Vec<(RecordId, u32)>,
        is_open: impl Fn(CallId) -> bool,
    ) -> u32 {
        if self.held.len() >= self.swept_from {
            let closed: Vec<u32> =
                self.held.iter().filter(|(_, parcel)| !is_open(parcel.call)).map(|(number, _)| number).collect();
            for number in closed {
                self.held.remove(number);
            }
            self.swept_from = (2 * self.held.len()).max(SWEPT_FROM);
        }
        self.held.insert(Parcel { call, records })
    }

    /// Contents of the parcel with this number, or nothing if it belongs to another call.
    pub(crate) fn of(&self, number: u32, call: CallId) -> &[(RecordId, u32)] {
        self.held.get(number).filter(|parcel| parcel.call == call).map_or(&[], |parcel| &parcel.records)
    }

    /// Removes a call's parcel and returns its contents.
    pub(crate) fn take(&mut self, number: u32, call: CallId) -> Vec<(RecordId, u32)> {
        let is_its = self.held.get(number).is_some_and(|parcel| parcel.call == call);
        let taken = if is_its { self.held.remove(number) } else { None };
        taken.map_or_else(Vec::new, |parcel| parcel.records)
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let records: usize = self.held.iter().map(|(_, parcel)| parcel.records.capacity()).sum();
        self.held.len() * size_of::<Parcel>() + records * size_of::<(RecordId, u32)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parcels_of_calls_that_have_ended_are_cleared_away() {
        let mut parcels = Parcels::default();
        let call = |n: u64| CallId::from_bits(1 << 32 | n);
        let record = |n: u64| (RecordId::from_bits(n), 1);
        // Every tenth call is still open; the others ended without taking their parcel.
        let is_open = |call: CallId| call.index().is_multiple_of(10);
        let numbers: Vec<u32> =
            (0..1_000).map(|n| parcels.enclose(call(n), vec![record(n), record(n + 1)], is_open)).collect();
        assert!(parcels.held.len() < 300, "{}", parcels.held.len());
        assert_eq!(parcels.of(numbers[500], call(500)), [record(500), record(501)]);
        assert_eq!(parcels.take(numbers[500], call(501)), [], "it is another call's");
        assert_eq!(parcels.take(numbers[500], call(500)), [record(500), record(501)]);
        assert_eq!(parcels.take(numbers[500], call(500)), []);
    }
}

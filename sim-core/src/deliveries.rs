//! Deliveries: which calls are working on which record.
//!
//! A record nearly always has one call, but a message that became visible again too early has several. The deliveries
//! form a hash table of chains indexed by the record's place. It has at least as many chains as deliveries in progress
//! and stops allocating once it has reached its peak size.

use crate::records::RecordId;
use crate::slab::Slab;

const NONE: u32 = u32::MAX;
const CHAINS_MIN: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Delivery {
    record: RecordId,
    call: u64,
    /// The next delivery in the chain.
    next: u32,
}

/// The deliveries in progress.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deliveries {
    all: Slab<Delivery>,
    /// The first delivery of each chain. The length is a power of two, or 0 before the first delivery.
    chains: Vec<u32>,
}

impl Deliveries {
    fn chain(&self, record: RecordId) -> usize {
        record.place() as usize & (self.chains.len() - 1)
    }

    /// Registers `call` as working on a record.
    pub(crate) fn begin(&mut self, record: RecordId, call: u64) {
        if self.all.len() >= self.chains.len() {
            self.grow();
        }
        let chain = self.chain(record);
        self.chains[chain] = self.all.insert(Delivery { record, call, next: self.chains[chain] });
    }

    fn grow(&mut self) {
        let chains = (self.chains.len() * 2).max(CHAINS_MIN);
        self.chains = vec![NONE; chains];
        for (place, delivery) in self.all.iter_mut() {
            let chain = delivery.record.place() as usize & (chains - 1);
            delivery.next = std::mem::replace(&mut self.chains[chain], place);
        }
    }

    /// Unregisters `call`; does nothing if it was not registered.
    pub(crate) fn end(&mut self, record: RecordId, call: u64) {
        if self.chains.is_empty() {
            return;
        }
        let (chain, mut before) = (self.chain(record), NONE);
        let mut at = self.chains[chain];
        while let Some(delivery) = self.all.get(at).copied() {
            if delivery.record == record && delivery.call == call {
                match self.all.get_mut(before) {
                    Some(before) => before.next = delivery.next,
                    None => self.chains[chain] = delivery.next,
                }
                self.all.remove(at);
                return;
            }
            (before, at) = (at, delivery.next);
        }
    }

    /// The calls that are working on a record.
    pub(crate) fn of(&self, record: RecordId) -> impl Iterator<Item = u64> {
        let first = if self.chains.is_empty() { NONE } else { self.chains[self.chain(record)] };
        let chain = std::iter::successors(self.all.get(first), |delivery| self.all.get(delivery.next));
        chain.filter(move |delivery| delivery.record == record).map(|delivery| delivery.call)
    }

    /// Keeps only the deliveries whose call passes `is_there`.
    pub(crate) fn retain(&mut self, is_there: impl Fn(u64) -> bool) {
        let gone: Vec<Delivery> = self.all.iter().map(|(_, one)| *one).filter(|one| !is_there(one.call)).collect();
        gone.iter().for_each(|one| self.end(one.record, one.call));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use std::collections::BTreeSet;

    #[test]
    fn deliveries_are_those_of_a_plain_set() {
        for run in 0..50 {
            let mut stream = Stream::named(run, "deliveries");
            let (mut deliveries, mut twin) = (Deliveries::default(), BTreeSet::new());
            for call in 0..400 {
                let record = RecordId::from_bits(1 << 32 | stream.below(60));
                match stream.below(10) {
                    0..6 => {
                        deliveries.begin(record, call);
                        twin.insert((record, call));
                    }
                    6..9 if !twin.is_empty() => {
                        let at = stream.below(twin.len() as u64) as usize;
                        let (record, call) = twin.iter().nth(at).copied().expect("one of them");
                        deliveries.end(record, call);
                        twin.remove(&(record, call));
                        deliveries.end(record, call);
                    }
                    _ => {
                        let (by, left) = (2 + stream.below(20), stream.below(2));
                        let is_there = |call: u64| call % by != left;
                        deliveries.retain(is_there);
                        twin.retain(|(_, call)| is_there(*call));
                    }
                }
                let mut found: Vec<u64> = deliveries.of(record).collect();
                found.sort_unstable();
                let expected: Vec<u64> = twin.range((record, 0)..=(record, u64::MAX)).map(|(_, call)| *call).collect();
                assert_eq!(found, expected);
                assert_eq!(deliveries.all.len(), twin.len());
            }
        }
    }
}

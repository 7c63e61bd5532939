//! Deliveries: which calls are work on which record.
//!
//! Nearly always it is one call a record, but a message that became visible again too early has several. A table of chains, found by
//! the place of the record; it has at least as many chains as there are deliveries under way, and allocates nothing once there have
//! been as many at a time as there will be.

use crate::records::RecordId;
use crate::slab::Slab;

const NONE: u32 = u32::MAX;
const CHAINS_MIN: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Delivery {
    record: RecordId,
    call: u64,
    /// The next of its chain.
    next: u32,
}

/// The deliveries that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deliveries {
    all: Slab<Delivery>,
    /// The first of each chain; a power of two, or none yet.
    chains: Vec<u32>,
}

impl Deliveries {
    fn chain(&self, record: RecordId) -> usize {
        record.place() as usize & (self.chains.len() - 1)
    }

    /// `call` is work on a record from now on.
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

    /// It is no longer.
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

    /// The calls that are work on a record.
    pub(crate) fn of(&self, record: RecordId) -> impl Iterator<Item = u64> {
        let first = if self.chains.is_empty() { NONE } else { self.chains[self.chain(record)] };
        let chain = std::iter::successors(self.all.get(first), |delivery| self.all.get(delivery.next));
        chain.filter(move |delivery| delivery.record == record).map(|delivery| delivery.call)
    }

    /// Those are left that are still there.
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

//! When messages that were handed out become visible again: a list in the order of the instants, without a timer for each.
//!
//! The time that a message stays invisible is nearly always the same, so the instants come in order and a lease is put at the
//! end. One that has ended stays in the list until it is its turn; whoever looks says which leases are current.

use std::collections::{BTreeMap, VecDeque};

use sim_core::{RecordId, Time};

/// A message that was handed out, and its how-manieth time this was.
type Lease = (RecordId, u32);

/// Leases by the instant at which they end.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    due: VecDeque<(Time, Lease)>,
    /// When those end that were extended, which are in the list more than once.
    extended: BTreeMap<Lease, Time>,
}

impl Leases {
    /// A lease ends at an instant.
    pub(super) fn add(&mut self, at: Time, lease: Lease) {
        let behind = self.due.iter().rev().take_while(|(other, _)| *other > at).count();
        self.due.insert(self.due.len() - behind, (at, lease));
    }

    /// A current lease ends at this instant, and not at that of before.
    pub(super) fn extend(&mut self, at: Time, lease: Lease) {
        self.extended.insert(lease, at);
        self.add(at, lease);
    }

    /// A lease has ended.
    pub(super) fn end(&mut self, lease: Lease) {
        if !self.extended.is_empty() {
            self.extended.remove(&lease);
        }
    }

    /// When the next current lease ends.
    pub(super) fn next(&mut self, is_current: impl Fn(Lease) -> bool) -> Option<Time> {
        while let Some((at, lease)) = self.due.front().copied() {
            let is_last = self.extended.is_empty() || self.extended.get(&lease).is_none_or(|last| *last == at);
            if is_last && is_current(lease) {
                return Some(at);
            }
            self.due.pop_front();
        }
        None
    }

    /// Takes the next current lease whose end has come.
    pub(super) fn take(&mut self, now: Time, is_current: impl Fn(Lease) -> bool) -> Option<Lease> {
        self.next(is_current).filter(|at| *at <= now)?;
        let (_, lease) = self.due.pop_front()?;
        self.end(lease);
        Some(lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    /// The twin is a plain list of what is leased, and until when.
    #[test]
    fn leases_end_as_a_plain_list_says() {
        for run in 0..500 {
            let mut stream = Stream::named(run, "leases");
            let mut leases = Leases::default();
            let mut twin: Vec<(Time, Lease)> = Vec::new();
            let mut now = 0;
            for nth in 0..80_u32 {
                let at = now + 1 + stream.below(20);
                match stream.below(12) {
                    0..4 => {
                        let lease = (RecordId::from_bits(1 << 32 | u64::from(nth)), 1);
                        leases.add(at, lease);
                        twin.push((at, lease));
                    }
                    4..6 if !twin.is_empty() => {
                        let (_, lease) = twin.remove(stream.below(twin.len() as u64) as usize);
                        leases.extend(at, lease);
                        twin.push((at, lease));
                    }
                    6..9 if !twin.is_empty() => {
                        let (_, lease) = twin.remove(stream.below(twin.len() as u64) as usize);
                        leases.end(lease);
                    }
                    _ => {
                        now += stream.below(15);
                        loop {
                            let current: Vec<Lease> = twin.iter().map(|(_, lease)| *lease).collect();
                            let next = twin.iter().map(|(at, _)| *at).min().filter(|at| *at <= now);
                            let taken = leases.take(now, |lease| current.contains(&lease));
                            // Of those that end at the same instant, any may be the first.
                            let place = twin.iter().position(|(_, lease)| Some(*lease) == taken);
                            assert_eq!(place.map(|place| twin[place].0), next);
                            let Some(place) = place else { break };
                            twin.remove(place);
                        }
                    }
                }
                let current: Vec<Lease> = twin.iter().map(|(_, lease)| *lease).collect();
                let next = twin.iter().map(|(at, _)| *at).min();
                assert_eq!(leases.next(|lease| current.contains(&lease)), next);
            }
        }
    }
}

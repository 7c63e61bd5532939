//! The groups of a FIFO queue: within each, one message after the other, and none while one of them is in flight.
//!
//! Of the groups of which nothing is in flight, the one with the oldest message is next. SQS looks for it among the first
//! [`WINDOW`] messages only: a group with a backlog of that size hides all others behind it.
//!
//! ```text
//!   waiting, oldest first:  a1  a2  b1  a3  c1 │ b2  d1  …
//!                                              └ the window ends here: d is not seen
//! ```
//!
//! A pure structure over the numbers of messages. The messages of a group are chained through a table by their places, so
//! that a message costs 8 bytes, whatever the number of groups.

use std::collections::BTreeMap;

/// How far SQS looks for groups (SQS Developer Guide, FIFO queue quotas).
pub(super) const WINDOW: u64 = 120_000;

/// A message: its place in the table of records, and its number in the order in which it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) place: u32,
    pub(super) number: u64,
}

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Group {
    first: u32,
    last: u32,
    in_flight: u32,
}

/// The groups that have messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<u64, Group>,
    /// The first message of each group of which nothing is in flight, by its number.
    free: BTreeMap<u64, (u64, u32)>,
    /// By place: the next message of the same group that waits, and the last bits of the number of this one.
    chain: Vec<(u32, u32)>,
    /// The largest number so far.
    newest: u64,
}

impl Groups {
    /// The number of a message. Those that wait at the same time are far fewer than the last bits tell apart.
    fn number(&self, place: u32) -> u64 {
        let behind = (self.newest as u32).wrapping_sub(self.chain[place as usize].1);
        self.newest - u64::from(behind)
    }

    fn next(&self, place: u32) -> u32 {
        self.chain[place as usize].0
    }

    /// A message of a group waits; those that wait and were stored before it come first.
    pub(super) fn add(&mut self, of: u64, Entry { place, number }: Entry) {
        sim_core::table::reach(&mut self.chain, place as usize, (NONE, 0));
        self.newest = self.newest.max(number);
        let bits = number as u32;
        let group = self.groups.entry(of).or_insert(Group { first: NONE, last: NONE, in_flight: 0 });
        let Group { first, last, in_flight } = *group;
        if first != NONE && self.number(last) < number {
            // Nearly always it is the newest.
            let group = self.groups.get_mut(&of).expect("it was just looked at");
            self.chain[place as usize] = (NONE, bits);
            self.chain[last as usize].0 = place;
            group.last = place;
            return;
        }
        let (mut before, mut at) = (NONE, first);
        while at != NONE && self.number(at) < number {
            (before, at) = (at, self.next(at));
        }
        self.chain[place as usize] = (at, bits);
        let group = self.groups.get_mut(&of).expect("it was just looked at");
        if at == NONE {
            group.last = place;
        }
        if before != NONE {
            self.chain[before as usize].0 = place;
            return;
        }
        group.first = place;
        if in_flight == 0 {
            if first != NONE {
                let was_first = self.number(first);
                self.free.remove(&was_first);
            }
            self.free.insert(number, (of, place));
        }
    }

    /// The message that is next, with its group, if there is one with a number before `edge`.
    pub(super) fn first_free(&self, edge: Option<u64>) -> Option<(u64, u32)> {
        let (number, free) = self.free.first_key_value()?;
        edge.is_none_or(|edge| *number <= edge).then_some(*free)
    }

    /// The first message of a group that waits.
    pub(super) fn first_of(&self, of: u64) -> Option<u32> {
        self.groups.get(&of).map(|group| group.first).filter(|first| *first != NONE)
    }

    /// The first message of a group no longer waits: it is in flight, or gone.
    pub(super) fn take_first(&mut self, of: u64, is_in_flight: bool) {
        let Some(place) = self.first_of(of) else { return };
        let (next, number) = (self.next(place), self.number(place));
        let Some(group) = self.groups.get_mut(&of) else { return };
        if group.in_flight == 0 {
            self.free.remove(&number);
        }
        group.first = next;
        if next == NONE {
            group.last = NONE;
        }
        group.in_flight += u32::from(is_in_flight);
        let Group { first, in_flight, .. } = *group;
        self.settle(of, first, in_flight);
    }

    /// A message of a group is no longer in flight.
    pub(super) fn land(&mut self, of: u64) {
        let Some(group) = self.groups.get_mut(&of) else { return };
        group.in_flight = group.in_flight.saturating_sub(1);
        let Group { first, in_flight, .. } = *group;
        self.settle(of, first, in_flight);
    }

    fn settle(&mut self, of: u64, first: u32, in_flight: u32) {
        match (first, in_flight) {
            (NONE, 0) => {
                self.groups.remove(&of);
            }
            (NONE, _) => {}
            (first, 0) => {
                let number = self.number(first);
                self.free.insert(number, (of, first));
            }
            (_, _) => {}
        }
    }

    /// How many groups have messages that wait or are in flight.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.groups.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    /// A list of messages, each with its group; who is next is looked for from the first.
    #[derive(Default)]
    struct Twin {
        waiting: BTreeMap<u64, u64>,
        in_flight: Vec<(u64, u64)>,
    }

    impl Twin {
        fn is_free(&self, of: u64) -> bool {
            self.in_flight.iter().all(|(_, other)| *other != of)
        }

        fn next(&self, edge: Option<u64>) -> Option<(u64, u32)> {
            let inside = |number: u64| edge.is_none_or(|edge| number <= edge);
            let next = self.waiting.iter().find(|(number, of)| inside(**number) && self.is_free(**of));
            next.map(|(number, of)| (*of, *number as u32))
        }

        fn take(&mut self, place: u32) {
            let of = self.waiting.remove(&u64::from(place)).expect("it waits");
            self.in_flight.push((u64::from(place), of));
        }
    }

    #[test]
    fn groups_are_what_a_list_says() {
        for run in 0..500 {
            let mut stream = Stream::named(run, "groups");
            let (mut groups, mut twin) = (Groups::default(), Twin::default());
            for number in 0..100_u64 {
                let entry = |number: u64| Entry { place: number as u32, number };
                match stream.below(13) {
                    0..5 => {
                        let of = stream.below(4);
                        groups.add(of, entry(number));
                        twin.waiting.insert(number, of);
                    }
                    choice @ 5..8 => {
                        // Sometimes only the first three are seen.
                        let edge = twin.waiting.keys().nth(2).copied().filter(|_| choice == 5);
                        let next = twin.next(edge);
                        assert_eq!(groups.first_free(edge), next);
                        let Some((of, place)) = next else { continue };
                        groups.take_first(of, true);
                        twin.take(place);
                    }
                    8 if !twin.in_flight.is_empty() => {
                        // More of a group that is in flight come with the same receive.
                        let (_, of) = twin.in_flight[stream.below(twin.in_flight.len() as u64) as usize];
                        let next =
                            twin.waiting.iter().find(|(_, other)| **other == of).map(|(number, _)| *number as u32);
                        assert_eq!(groups.first_of(of), next);
                        let Some(place) = next else { continue };
                        groups.take_first(of, true);
                        twin.take(place);
                    }
                    9..12 if !twin.in_flight.is_empty() => {
                        let (number, of) = twin.in_flight.remove(stream.below(twin.in_flight.len() as u64) as usize);
                        if stream.below(2) == 0 {
                            groups.add(of, entry(number));
                            twin.waiting.insert(number, of);
                        }
                        groups.land(of);
                    }
                    _ => {
                        let Some((_, of)) = twin.waiting.pop_first() else { continue };
                        groups.take_first(of, false);
                    }
                }
                assert_eq!(groups.first_free(None), twin.next(None));
                let all: std::collections::BTreeSet<u64> =
                    twin.waiting.values().copied().chain(twin.in_flight.iter().map(|(_, of)| *of)).collect();
                assert_eq!(groups.len(), all.len());
            }
        }
    }
}

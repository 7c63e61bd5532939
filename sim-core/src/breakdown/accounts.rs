//! The accounts of the open calls of sampled requests.
//!
//! A call's account is found by its index through a hash table of short chains, whose size follows the number of
//! accounts, not of calls. A closed account leaves its place and the memory of its parts to the next one, so nothing is
//! allocated once the peak has been reached.

use super::{Part, Spent};
use crate::calls::GroupId;
use crate::time::{Span, Time};

/// No account, and the end of a chain.
const NONE: u32 = u32::MAX;

/// An account that has left the table and is to be handed on; its place is reserved until then.
#[must_use]
#[derive(Debug)]
pub(crate) struct Closed(u32);

/// The time of one open call of a sampled request.
#[derive(Clone, Debug)]
struct Account {
    /// The index of its call.
    call: u32,
    /// The next account of its chain; for a free place, the place freed before.
    next: u32,
    /// For a request: the group whose sample it belongs to, and the number of zero bits at the end of its key.
    root: Option<(GroupId, u32)>,
    begun: Time,
    /// End of the time accounted for so far.
    until: Time,
    parts: Vec<(Part, Span)>,
    /// The branch that ended last, which is merged into this account when the call continues.
    branch: u32,
    /// Whether its call is another copy of one that the caller was waiting for.
    stands_in: bool,
}

impl Account {
    fn add(&mut self, part: Part, span: Span) {
        if span == 0 {
            return;
        }
        match self.parts.iter_mut().find(|(of, _)| *of == part) {
            Some((_, sum)) => *sum += span,
            None => self.parts.push((part, span)),
        }
    }

    fn add_until(&mut self, part: Part, at: Time) {
        self.add(part, at.saturating_sub(self.until));
        self.until = self.until.max(at);
    }
}

/// The accounts of all open calls.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    places: Vec<Account>,
    /// The most recently freed place.
    free: u32,
    /// The first account of each chain; the length is a power of two, and a call's chain is given by the low bits of
    /// its index.
    chains: Vec<u32>,
    /// The number of accounts in the table.
    open: usize,
}

impl Default for Accounts {
    fn default() -> Self {
        Accounts { places: Vec::new(), free: NONE, chains: vec![NONE; 16], open: 0 }
    }
}

impl Accounts {
    fn chain(&self, call: u32) -> usize {
        call as usize & (self.chains.len() - 1)
    }

    fn find(&self, call: u32) -> Option<u32> {
        let mut place = self.chains[self.chain(call)];
        while place != NONE {
            let account = &self.places[place as usize];
            if account.call == call {
                return Some(place);
            }
            place = account.next;
        }
        None
    }

    fn grow(&mut self) {
        let mut all = Vec::with_capacity(self.open);
        for chain in &mut self.chains {
            while *chain != NONE {
                all.push(*chain);
                *chain = self.places[*chain as usize].next;
            }
        }
        self.chains.resize(2 * self.chains.len(), NONE);
        for place in all {
            let chain = self.chain(self.places[place as usize].call);
            self.places[place as usize].next = std::mem::replace(&mut self.chains[chain], place);
        }
    }

    /// Opens the account of a call made at `begun`, which has none yet. `root` is set for a request: its group, and the
    /// number of zero bits at the end of its key.
    pub(crate) fn open(&mut self, call: u32, begun: Time, root: Option<(GroupId, u32)>) {
        debug_assert!(self.find(call).is_none(), "a call has one account");
        if self.open == self.chains.len() {
            self.grow();
        }
        self.open += 1;
        let chain = self.chain(call);
        let next = self.chains[chain];
        let place = self.free;
        self.chains[chain] = if let Some(account) = self.places.get_mut(place as usize) {
            self.free = account.next;
            let mut parts = std::mem::take(&mut account.parts);
            parts.clear();
            *account = Account { call, next, root, begun, until: begun, parts, branch: NONE, stands_in: false };
            place
        } else {
            let account =
                Account { call, next, root, begun, until: begun, parts: Vec::new(), branch: NONE, stands_in: false };
            self.places.push(account);
            (self.places.len() - 1) as u32
        };
    }

    /// The open requests in the sample of a group for whose zero bits `wanted` returns true.
    pub(crate) fn requests(&self, group: GroupId, wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        let is_wanted = |account: &&Account| account.root.is_some_and(|(of, zeros)| of == group && wanted(zeros));
        let mut found = Vec::new();
        for first in &self.chains {
            let mut place = *first;
            while let Some(account) = self.places.get(place as usize) {
                found.extend(Some(account).filter(is_wanted).map(|account| account.call));
                place = account.next;
            }
        }
        found
    }

    /// Removes a call's account from the table, if it has one.
    pub(crate) fn close(&mut self, call: u32) -> Option<Closed> {
        let chain = self.chain(call);
        let mut before = NONE;
        let mut place = self.chains[chain];
        while place != NONE {
            let (found, next) = (self.places[place as usize].call == call, self.places[place as usize].next);
            if found {
                match self.places.get_mut(before as usize) {
                    Some(account) => account.next = next,
                    None => self.chains[chain] = next,
                }
                self.open -= 1;
                return Some(Closed(place));
            }
            (before, place) = (place, next);
        }
        None
    }

    /// Frees an account.
    pub(crate) fn drop(&mut self, closed: Closed) {
        let mut place = closed.0;
        // Frees its branch too, which may have a branch of its own.
        while let Some(account) = self.places.get_mut(place as usize) {
            let branch = std::mem::replace(&mut account.branch, NONE);
            account.next = std::mem::replace(&mut self.free, place);
            place = branch;
        }
    }

    /// The group and the number of zero bits, if the account is that of a request.
    pub(crate) fn root(&self, closed: &Closed) -> Option<(GroupId, u32)> {
        self.places[closed.0 as usize].root
    }

    /// The time accounted for, and its parts.
    pub(crate) fn sum(&self, closed: &Closed) -> (Span, &[(Part, Span)]) {
        let account = &self.places[closed.0 as usize];
        (account.until - account.begun, &account.parts)
    }

    /// Attributes the time up to `now` not yet accounted for to `part`. `own` is the group that serves the call.
    pub(crate) fn spend(&mut self, call: u32, own: GroupId, part: Part, now: Time) {
        if let Some(place) = self.find(call) {
            self.spend_at(place, own, part, now);
        }
    }

    fn spend_at(&mut self, place: u32, own: GroupId, part: Part, now: Time) {
        let branch = std::mem::replace(&mut self.places[place as usize].branch, NONE);
        if branch != NONE {
            self.take_over(place, own, branch);
        }
        self.places[place as usize].add_until(part, now);
    }

    /// Accounts for a child call that was given up: the wait for its callee was in vain, since `begun` unless the
    /// account of the child had already been handed over.
    pub(crate) fn give_up(&mut self, call: u32, own: GroupId, child: Option<Closed>, callee: GroupId, now: Time) {
        let begun = child.as_ref().map_or(now, |child| self.places[child.0 as usize].begun);
        if let Some(place) = self.find(call) {
            let before = begun.max(self.places[place as usize].until);
            self.spend_at(place, own, Part { what: Spent::Service, place: own }, before);
            self.places[place as usize].add_until(Part { what: Spent::GivenUp, place: callee }, now);
        }
        if let Some(child) = child {
            self.drop(child);
        }
    }

    /// Marks `child` as a second copy beside another child of `call`, whose wait began where the accounted time ends:
    /// if `child` is answered first, the wait on `callee` was in vain.
    pub(crate) fn stand_in(&mut self, call: u32, child: u32, callee: GroupId, now: Time) {
        let (Some(place), Some(child)) = (self.find(call), self.find(child)) else { return };
        let until = self.places[place as usize].until;
        let account = &mut self.places[child as usize];
        (account.begun, account.until, account.stands_in) = (until, until, true);
        account.add_until(Part { what: Spent::GivenUp, place: callee }, now);
    }

    /// Adds the time of an answered child call. Before the child was made, this call was being served.
    pub(crate) fn take(&mut self, call: u32, own: GroupId, child: Closed) {
        let Some(place) = self.find(call) else { return self.drop(child) };
        let before = self.places[child.0 as usize].begun.max(self.places[place as usize].until);
        self.spend_at(place, own, Part { what: Spent::Service, place: own }, before);
        self.take_over(place, own, child.0);
    }

    /// Records a branch that has ended; it counts unless another one ends before its caller continues.
    pub(crate) fn join(&mut self, call: u32, branch: Closed) {
        let Some(place) = self.find(call) else { return self.drop(branch) };
        let before = std::mem::replace(&mut self.places[place as usize].branch, branch.0);
        if before != NONE {
            self.drop(Closed(before));
        }
    }

    /// Merges the time of `child` into the account at `place`, which `own` serves.
    fn take_over(&mut self, place: u32, own: GroupId, child: u32) {
        let branch = std::mem::replace(&mut self.places[child as usize].branch, NONE);
        if branch != NONE {
            self.take_over(child, own, branch);
        }
        let Account { begun, until, stands_in, .. } = self.places[child as usize];
        let parts = std::mem::take(&mut self.places[child as usize].parts);
        let account = &mut self.places[place as usize];
        let service = Part { what: Spent::Service, place: own };
        if begun < account.until {
            // Part of its time is already accounted for. For a copy, that is the earlier part, during which the caller
            // waited for another copy; for other parallel calls, it is unknown which of their parts overlap.
            let of_copy = if stands_in { until.saturating_sub(account.until) } else { 0 };
            let mut left = of_copy;
            for (part, span) in parts.iter().rev() {
                let late = left.min(*span);
                account.add(*part, late);
                left -= late;
            }
            account.until += of_copy - left;
            account.add_until(service, until);
        } else {
            account.add_until(service, begun);
            for (part, span) in &parts {
                account.add(*part, *span);
            }
            account.until = until;
        }
        self.places[child as usize].parts = parts;
        self.drop(Closed(child));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: GroupId = GroupId(1);
    const DB: GroupId = GroupId(2);
    /// The call whose account is tested; further calls are made by it.
    const CALL: u32 = 7;

    fn part(what: Spent, place: GroupId) -> Part {
        Part { what, place }
    }

    fn opened(begun: Time) -> Accounts {
        let mut accounts = Accounts::default();
        accounts.open(CALL, begun, None);
        accounts
    }

    impl Accounts {
        fn answered(&mut self, call: u32, begun: Time, at: Time) -> Closed {
            self.open(call, begun, None);
            self.spend(call, DB, part(Spent::Service, DB), at);
            self.close(call).unwrap()
        }

        fn parts(&self) -> &[(Part, Span)] {
            &self.places[self.find(CALL).unwrap() as usize].parts
        }

        fn until(&self) -> Time {
            self.places[self.find(CALL).unwrap() as usize].until
        }
    }

    #[test]
    fn what_was_not_spent_on_a_child_was_spent_on_service() {
        let mut accounts = opened(100);
        accounts.spend(CALL, API, part(Spent::Queue, API), 110);
        let child = accounts.answered(8, 130, 200);
        accounts.take(CALL, API, child);
        accounts.spend(CALL, API, part(Spent::Service, API), 205);
        let parts = [(part(Spent::Queue, API), 10), (part(Spent::Service, API), 25), (part(Spent::Service, DB), 70)];
        assert_eq!(accounts.parts(), parts);
        assert_eq!(accounts.until() - 100, 105);
    }

    #[test]
    fn the_branch_that_ends_last_before_its_caller_goes_on_counts() {
        let mut accounts = opened(0);
        let first = accounts.answered(8, 10, 50);
        accounts.join(CALL, first);
        let second = accounts.answered(8, 20, 30);
        accounts.join(CALL, second);
        accounts.spend(CALL, API, part(Spent::Service, API), 35);
        assert_eq!(accounts.parts(), [(part(Spent::Service, API), 25), (part(Spent::Service, DB), 10)]);
    }

    #[test]
    fn of_calls_side_by_side_no_time_counts_twice() {
        let mut accounts = opened(0);
        for (begun, until) in [(0, 50), (10, 40), (10, 80)] {
            let child = accounts.answered(8, begun, until);
            accounts.take(CALL, API, child);
        }
        assert_eq!(accounts.parts().iter().map(|(_, span)| span).sum::<u64>(), 80);
        assert_eq!(accounts.until(), 80);
    }

    #[test]
    fn waiting_in_vain_is_given_up_where_it_was_waited_for() {
        let mut accounts = opened(0);
        accounts.open(8, 5, None);
        let child = accounts.close(8);
        accounts.give_up(CALL, API, child, DB, 105);
        assert_eq!(accounts.parts(), [(part(Spent::Service, API), 5), (part(Spent::GivenUp, DB), 100)]);
    }

    #[test]
    fn whoever_of_two_copies_is_answered_first_says_what_was_waited_for() {
        let copied = || {
            let mut accounts = opened(0);
            accounts.spend(CALL, API, part(Spent::Queue, API), 5);
            accounts.open(8, 5, None);
            accounts.open(9, 40, None);
            accounts.stand_in(CALL, 9, DB, 40);
            accounts
        };
        // The first copy wins: the time of the other is not part of the call's.
        let mut accounts = copied();
        accounts.spend(8, DB, part(Spent::Service, DB), 50);
        let first = accounts.close(8).unwrap();
        accounts.take(CALL, API, first);
        let second = accounts.close(9);
        accounts.give_up(CALL, API, second, DB, 50);
        assert_eq!(accounts.parts(), [(part(Spent::Queue, API), 5), (part(Spent::Service, DB), 45)]);
        assert_eq!(accounts.until(), 50);
        // The second copy, after the first has failed: only the last section of its time counts.
        let mut accounts = copied();
        let first = accounts.close(8);
        accounts.give_up(CALL, API, first, DB, 45);
        accounts.spend(9, DB, part(Spent::Queue, DB), 43);
        accounts.spend(9, DB, part(Spent::Service, DB), 60);
        let second = accounts.close(9).unwrap();
        accounts.take(CALL, API, second);
        let parts = [(part(Spent::Queue, API), 5), (part(Spent::GivenUp, DB), 40), (part(Spent::Service, DB), 15)];
        assert_eq!(accounts.parts(), parts);
        // The second copy wins: until it was sent, the wait for the first was in vain.
        let mut accounts = copied();
        accounts.spend(9, DB, part(Spent::Service, DB), 47);
        let second = accounts.close(9).unwrap();
        accounts.take(CALL, API, second);
        let first = accounts.close(8);
        accounts.give_up(CALL, API, first, DB, 47);
        let parts = [(part(Spent::Queue, API), 5), (part(Spent::GivenUp, DB), 35), (part(Spent::Service, DB), 7)];
        assert_eq!(accounts.parts(), parts);
        assert_eq!(accounts.until(), 47);
    }

    #[test]
    fn accounts_are_found_as_in_a_map_and_their_places_are_used_again() {
        let mut accounts = Accounts::default();
        let mut map = std::collections::BTreeMap::new();
        for step in 0..20_000u64 {
            let random = crate::random::mix(step);
            let call = (random >> 8) as u32 % 300;
            match (random % 4, map.contains_key(&call)) {
                (0 | 1, false) => {
                    accounts.open(call, step, None);
                    map.insert(call, step);
                }
                (2, true) => {
                    let branch = accounts.answered(1000, step, step + 1);
                    accounts.join(call, branch);
                }
                (3, _) => {
                    let closed = accounts.close(call);
                    let begun = closed.as_ref().map(|closed| accounts.places[closed.0 as usize].begun);
                    assert_eq!(begun, map.remove(&call));
                    closed.into_iter().for_each(|closed| accounts.drop(closed));
                }
                _ => {}
            }
            assert_eq!(accounts.open, map.len());
        }
        assert!((0..300).all(|call| accounts.find(call).is_some() == map.contains_key(&call)));
        let mut free = 0;
        let mut place = accounts.free;
        while place != NONE {
            free += 1;
            place = accounts.places[place as usize].next;
        }
        let branches = map.keys().filter(|call| {
            let place = accounts.find(**call).unwrap();
            accounts.places[place as usize].branch != NONE
        });
        assert_eq!(accounts.places.len(), free + map.len() + branches.count(), "no place is lost");
    }
}

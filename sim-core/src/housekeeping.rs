//! The second calendar: the chores that nodes do by the clock beside their work.
//!
//! A chore is a look at the health of a target, a heartbeat, a fault that is planned: something that recurs or waits
//! whether or not anybody calls. No run goes on for chores alone, so they stand apart from the [calendar](crate::calendar)
//! of the work, where only the instant of the next one is entered, ahead of all that happens then. The loop from event to
//! event is the same with chores and without.
//!
//! Work may still wait for a chore, as calls at a node that stands still wait for the end of its pause. So while calls are
//! open, chores go on until they have *gone round* without bringing anything about: every chore that was pending has been
//! done, and so has every chore that these have led to. The second half is there for chores that take turns, such as a
//! failure and its repair.

use std::collections::BTreeMap;

use crate::calls::NodeId;
use crate::order::TIME_MAX;
use crate::time::Time;
use crate::timer::Timer;

/// The name of a chore that was set, for taking it back. It names nothing once the chore is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChoreId {
    at: Time,
    number: u64,
}

impl ChoreId {
    /// The instant it was set for.
    pub fn at(self) -> Time {
        self.at
    }
}

/// What a node is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chore {
    /// Who.
    pub(crate) node: NodeId,
    /// What.
    pub(crate) timer: Timer,
    /// Whether all it does is talk, by calls that the node begins by itself.
    pub(crate) talks: bool,
}

/// Chores to come, in the order of their instants, and of their setting within an instant.
#[derive(Clone, Debug)]
pub(crate) struct Housekeeping<E> {
    chores: BTreeMap<ChoreId, E>,
    /// The number of the chore that is set next.
    next_number: u64,
    round: Round,
}

/// How far chores have gone round since they last brought something about.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// What the work had come to then; `None` before it was asked for.
    progress: Option<u64>,
    /// Chores with a lower number are part of this round.
    until: u64,
    /// Rounds completed.
    completed: u32,
}

/// After so many rounds that bring nothing about, no further one will.
const ROUNDS: u32 = 2;

impl<E: Copy> Housekeeping<E> {
    /// Nothing to do.
    pub(crate) fn new() -> Self {
        Housekeeping {
            chores: BTreeMap::new(),
            next_number: 0,
            round: Round { progress: None, until: 0, completed: 0 },
        }
    }

    /// Makes `chore` be done at the instant `at`.
    pub(crate) fn set(&mut self, at: Time, chore: E) -> ChoreId {
        let id = ChoreId { at: at.min(TIME_MAX), number: self.next_number };
        self.next_number += 1;
        self.chores.insert(id, chore);
        id
    }

    /// A chore that was taken and not done is pending again, under its name and in its place: it is overdue.
    pub(crate) fn put_back(&mut self, id: ChoreId, chore: E) {
        self.chores.insert(id, chore);
    }

    /// Takes a chore back; false if it is done or was taken back already.
    pub(crate) fn cancel(&mut self, id: ChoreId) -> bool {
        self.chores.remove(&id).is_some()
    }

    /// The instant of the next chore.
    pub(crate) fn next(&self) -> Option<Time> {
        self.chores.first_key_value().map(|(id, _)| id.at)
    }

    /// Takes the next chore.
    pub(crate) fn take(&mut self) -> Option<(ChoreId, E)> {
        self.chores.pop_first()
    }

    /// Drops the chores for which `is_void` is true.
    pub(crate) fn forget(&mut self, is_void: impl Fn(&E) -> bool) {
        self.chores.retain(|_, chore| !is_void(chore));
    }

    /// Whether the chores have gone round since `progress`, a number that grows with whatever the work comes to, was last
    /// seen to change. To be asked before each chore while there is nothing else to happen.
    pub(crate) fn has_gone_round(&mut self, progress: u64) -> bool {
        if self.round.progress != Some(progress) {
            self.round = Round { progress: Some(progress), until: self.next_number, completed: 0 };
        }
        while self.round.completed < ROUNDS && self.chores.keys().all(|id| id.number >= self.round.until) {
            self.round.until = self.next_number;
            self.round.completed += 1;
        }
        self.round.completed == ROUNDS
    }

    /// Something was done from outside: what it has set may help, so chores go round anew.
    pub(crate) fn start_anew(&mut self) {
        self.round.progress = None;
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.chores.len() * size_of::<(ChoreId, E)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Set(Time),
        Cancel(prop::sample::Index),
        Take(usize),
        PutBack(prop::sample::Index),
        Forget(u32),
        Clone,
    }

    fn step() -> impl Strategy<Value = Step> {
        let at = prop_oneof![0u64..20, Just(Time::MAX)];
        prop_oneof![
            4 => at.prop_map(Step::Set),
            2 => any::<prop::sample::Index>().prop_map(Step::Cancel),
            2 => (1usize..5).prop_map(Step::Take),
            1 => any::<prop::sample::Index>().prop_map(Step::PutBack),
            1 => (2u32..9).prop_map(Step::Forget),
            1 => Just(Step::Clone),
        ]
    }

    proptest! {
        /// The twin is a list in the order of setting, of which the first with the least instant is the next.
        #[test]
        fn chores_leave_as_from_a_list(steps in prop::collection::vec(step(), 1..80)) {
            let mut housekeeping = Housekeeping::new();
            let mut twin: Vec<(Time, u32, ChoreId)> = Vec::new();
            let (mut taken, mut count) = (Vec::new(), 0u32);
            for step in steps {
                match step {
                    Step::Set(at) => {
                        count += 1;
                        let id = housekeeping.set(at, count);
                        prop_assert_eq!(id.at(), at.min(TIME_MAX));
                        twin.push((at, count, id));
                    }
                    Step::Cancel(index) if count > 0 => {
                        let which = index.index(count as usize) as u32 + 1;
                        let found = twin.iter().position(|(_, chore, _)| *chore == which);
                        if let Some(found) = found {
                            let id = twin.remove(found).2;
                            prop_assert!(housekeeping.cancel(id) && !housekeeping.cancel(id));
                        }
                    }
                    Step::Take(times) => {
                        for _ in 0..times {
                            let next = twin.iter().enumerate().min_by_key(|(_, (at, chore, _))| (*at, *chore));
                            let expected = next.map(|(place, _)| place).map(|place| twin.remove(place));
                            let got = housekeeping.take();
                            prop_assert_eq!(got, expected.map(|(_, chore, id)| (id, chore)));
                            taken.extend(expected);
                        }
                    }
                    Step::PutBack(index) if !taken.is_empty() => {
                        let chore = taken.swap_remove(index.index(taken.len()));
                        prop_assert!(!housekeeping.cancel(chore.2));
                        housekeeping.put_back(chore.2, chore.1);
                        twin.push(chore);
                    }
                    Step::Forget(nth) => {
                        housekeeping.forget(|chore| chore % nth == 0);
                        twin.retain(|(_, chore, _)| chore % nth != 0);
                    }
                    Step::Clone => housekeeping = housekeeping.clone(),
                    Step::Cancel(_) | Step::PutBack(_) => {}
                }
                prop_assert_eq!(housekeeping.next(), twin.iter().map(|(at, ..)| (*at).min(TIME_MAX)).min());
                prop_assert_eq!(housekeeping.chores.len(), twin.len());
            }
        }
    }

    #[test]
    fn a_round_is_every_chore_and_what_it_leads_to() {
        let mut housekeeping = Housekeeping::new();
        housekeeping.set(10, "fails");
        housekeeping.set(5, "looks");
        housekeeping.set(100, "strikes");
        let mut done = Vec::new();
        while !housekeeping.has_gone_round(7) {
            let (id, chore) = housekeeping.take().expect("something is pending");
            match chore {
                "looks" => housekeeping.set(id.at() + 30, "looks"),
                "fails" => housekeeping.set(id.at() + 200, "is repaired"),
                "is repaired" => housekeeping.set(id.at() + 200, "fails"),
                _ => id,
            };
            if chore != "looks" {
                done.push(chore);
            }
        }
        assert_eq!(done, ["fails", "strikes", "is repaired"]);
        assert!(housekeeping.has_gone_round(7), "it stays so");
        assert!(!housekeeping.has_gone_round(8), "something has come about");
    }

    #[test]
    fn what_is_never_repeated_goes_round_with_the_last() {
        let mut housekeeping = Housekeeping::new();
        housekeeping.set(1, 'a');
        housekeeping.set(9, 'b');
        assert!(!housekeeping.has_gone_round(0));
        housekeeping.take();
        assert!(!housekeeping.has_gone_round(0), "one is left");
        housekeeping.take();
        assert!(housekeeping.has_gone_round(0));
    }
}

//! The second calendar: chores that nodes perform on a schedule besides their work.
//!
//! A chore is a health check of a target, a heartbeat, a planned fault: an action that recurs or waits independently of
//! calls. Chores alone do not keep a run alive, so they are kept apart from the [calendar](crate::calendar) of the
//! work, which holds only the instant of the next chore, ahead of all other events of that instant. The event loop is
//! the same with and without chores.
//!
//! Work may still wait for a chore, for example calls at a paused node that wait for the end of the pause. So while
//! calls are open, chores continue until they have *gone round* without effect: every chore that was pending has run,
//! and so has every chore that those have set. The second half covers chores that alternate, such as a failure and its
//! repair.

use std::collections::BTreeMap;

use crate::calls::NodeId;
use crate::order::TIME_MAX;
use crate::time::Time;
use crate::timer::Timer;

/// The id of a chore, for cancelling it. It names nothing once the chore has run.
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

/// A chore of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chore {
    /// The node.
    pub(crate) node: NodeId,
    /// The timer passed to the node.
    pub(crate) timer: Timer,
    /// Whether the chore only communicates, through calls that the node begins by itself.
    pub(crate) talks: bool,
}

/// Pending chores, ordered by instant and then by setting.
#[derive(Clone, Debug)]
pub(crate) struct Housekeeping<E> {
    chores: BTreeMap<ChoreId, E>,
    /// The number of the next chore to be set.
    next_number: u64,
    round: Round,
}

/// Progress of chores through a round since they last had an effect.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// The work's progress counter at that time; `None` before the first query.
    progress: Option<u64>,
    /// Chores with a lower number are part of this round.
    until: u64,
    /// Rounds completed.
    completed: u32,
}

/// Number of rounds without effect after which no further round can have one.
const ROUNDS: u32 = 2;

impl<E: Copy> Housekeeping<E> {
    /// Without any chores.
    pub(crate) fn new() -> Self {
        Housekeeping {
            chores: BTreeMap::new(),
            next_number: 0,
            round: Round { progress: None, until: 0, completed: 0 },
        }
    }

    /// Schedules `chore` at the instant `at`.
    pub(crate) fn set(&mut self, at: Time, chore: E) -> ChoreId {
        let id = ChoreId { at: at.min(TIME_MAX), number: self.next_number };
        self.next_number += 1;
        self.chores.insert(id, chore);
        id
    }

    /// Puts back a chore that was taken but not run, under its id and in its place: it is overdue.
    pub(crate) fn put_back(&mut self, id: ChoreId, chore: E) {
        self.chores.insert(id, chore);
    }

    /// Cancels a chore; false if it has run or was already cancelled.
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

    /// Drops the chores that satisfy `is_void`.
    pub(crate) fn forget(&mut self, is_void: impl Fn(&E) -> bool) {
        self.chores.retain(|_, chore| !is_void(chore));
    }

    /// Whether the chores have gone round since `progress`, a counter of the work's progress, last changed. Must be
    /// called before each chore while no other event is pending.
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

    /// Restarts the rounds after an action from outside, whose chores may have an effect.
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
        /// The twin is a list in the order of setting; the first entry with the least instant is next.
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

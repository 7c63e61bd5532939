//! Coalescing (singleflight): identical calls under way share one.
//!
//! The first caller of a key runs; those who come before it is answered wait for and share its answer, good or bad. The
//! entry goes with the answer. (golang.org/x/sync/singleflight.) Each waits as long as it wants to: if the first gives up, the
//! call goes on for those who still wait, unless it was made in the first caller's context.

use std::collections::BTreeMap;

use settings::Setting;
use sim_core::figures::Set;
use sim_core::{Figure, Figures};

use super::policy::{Described, Policy};

/// When two calls count as identical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum SameBy {
    /// The same operation on the same data key.
    Key,
    /// The same operation.
    Op,
}

/// Whose giving up ends a shared call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Context {
    /// That of the last who waits: each caller is bounded by its own `total_timeout`.
    Each,
    /// That of the first caller: its `total_timeout`, its deadline and its cancelling end the call for all, as where a Go
    /// program hands the first caller's context to singleflight.
    Leader,
}

/// Identical calls in flight share one call.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct CoalesceSettings {
    /// When two calls count as identical.
    #[setting(default = "key")]
    pub by: SameBy,
    /// Whose giving up ends a shared call.
    #[setting(default = "each")]
    pub context: Context,
}

const COALESCED: Figure = Figure::count("coalesced", "Calls that joined an identical call in flight.");
const SHARED_ANSWER_AGE: Figure = Figure::mean(
    "shared_answer_age",
    "Mean time from sending a shared call to its answer, weighted by the calls that joined it: how stale their data may be.",
)
.in_seconds();

impl Policy for Coalescing {
    const FIGURES: Set = &[&COALESCED, &SHARED_ANSWER_AGE];
    type Settings = CoalesceSettings;

    fn brief(_: &CoalesceSettings) -> Option<String> {
        Some("coalesce".into())
    }

    fn described(coalesce: &CoalesceSettings) -> Option<Described> {
        let by = match coalesce.by {
            SameBy::Key => "by key",
            SameBy::Op => "by op",
        };
        let words = match coalesce.context {
            Context::Each => by.to_string(),
            Context::Leader => format!("{by}, in the first caller's context"),
        };
        Some(Described { words, has_state: true })
    }
}

/// Who leads each call under way, and who follows.
#[derive(Clone, Debug, Default)]
pub struct Coalescing {
    leaders: BTreeMap<(u16, u64), u32>,
    /// Calls that joined another.
    pub coalesced: u64,
    /// How many of them have shared a good answer, and how old those answers were together: since they were asked for,
    /// ns. What has changed meanwhile the answer may not know.
    pub shared: (u64, u128),
}

impl Coalescing {
    /// The leader under way for this call; where there is none, `record` leads from now on.
    pub fn join(&mut self, op: u16, key: u64, record: u32) -> Option<u32> {
        match self.leaders.get(&(op, key)) {
            Some(leader) => {
                self.coalesced += 1;
                Some(*leader)
            }
            None => {
                self.leaders.insert((op, key), record);
                None
            }
        }
    }

    /// Reports what was shared.
    pub fn figures(&self, figures: &mut Figures) {
        let (count, age) = self.shared;
        figures.count(&COALESCED, self.coalesced);
        figures.ratio(&SHARED_ANSWER_AGE, age, count);
    }

    /// `heir` has taken the place of `record`, which led or leads nothing.
    pub fn succeeded(&mut self, op: u16, key: u64, record: u32, heir: u32) {
        if let Some(leader) = self.leaders.get_mut(&(op, key)).filter(|leader| **leader == record) {
            *leader = heir;
        }
    }

    /// The call of `record` is over; if it led, the next one of its key leads anew.
    pub fn answered(&mut self, op: u16, key: u64, record: u32) {
        if self.leaders.get(&(op, key)) == Some(&record) {
            self.leaders.remove(&(op, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    #[test]
    fn it_agrees_with_a_list_of_those_under_way() {
        let mut coalescing = Coalescing::default();
        let mut stream = Stream::named(3, "coalesce");
        // The obvious way: who is under way, with what it asked for.
        let mut under_way: Vec<(u16, u64, u32)> = Vec::new();
        let mut shared = 0;
        for record in 0..5_000 {
            let (op, key) = (stream.below(2) as u16, stream.below(5));
            let leader = under_way.iter().find(|(o, k, _)| (*o, *k) == (op, key)).map(|(_, _, leader)| *leader);
            assert_eq!(coalescing.join(op, key, record), leader);
            shared += u64::from(leader.is_some());
            if leader.is_none() {
                under_way.push((op, key, record));
            } else {
                // The end of one who only follows ends nothing.
                coalescing.answered(op, key, record);
            }
            if stream.below(3) == 0 {
                let (op, key, leader) = under_way.swap_remove(stream.below(under_way.len() as u64) as usize);
                coalescing.answered(op, key, leader);
            }
        }
        assert_eq!(coalescing.coalesced, shared);
    }
}

//! What is known of the values of entries, beside the entries themselves: only what the settings ask for is kept.

use sim_core::table::reach;
use sim_core::{Span, Time};

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// The instant whose state it is: when the answer came that it was read from, or when it was written.
    pub(super) since: Time,
    /// How long it took to read.
    pub(super) took: Span,
    /// Since when there has been a newer one; `Time::MAX` if there is none.
    pub(super) stale: Time,
    /// Whether it says that there is nothing.
    pub(super) negative: bool,
}

/// A column by the place of an entry, or nothing.
#[derive(Clone, Debug)]
struct Column<T>(Option<Vec<T>>);

impl<T: Copy + Default> Column<T> {
    fn new(is_used: bool) -> Column<T> {
        Column(is_used.then(Vec::new))
    }

    fn get(&self, index: u32, missing: T) -> T {
        self.0.as_ref().and_then(|column| column.get(index as usize)).copied().unwrap_or(missing)
    }

    fn set(&mut self, index: u32, value: T) {
        if let Some(column) = &mut self.0 {
            reach(column, index as usize, T::default());
            column[index as usize] = value;
        }
    }
}

/// What is known of all values.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    since: Column<Time>,
    took: Column<Span>,
    stale: Column<Time>,
    negative: Column<bool>,
}

impl Facts {
    /// Keeps how long reading took, whether something has been written since, and what says that there is nothing, where asked to.
    pub(super) fn new(took: bool, stale: bool, negative: bool) -> Facts {
        Facts {
            since: Column::new(true),
            took: Column::new(took),
            stale: Column::new(stale),
            negative: Column::new(negative),
        }
    }

    pub(super) fn at(&self, index: u32) -> Fact {
        Fact {
            since: self.since.get(index, 0),
            took: self.took.get(index, 0),
            stale: self.stale.get(index, Time::MAX),
            negative: self.negative.get(index, false),
        }
    }

    pub(super) fn note(&mut self, index: u32, fact: Fact) {
        self.since.set(index, fact.since);
        self.took.set(index, fact.took);
        self.stale.set(index, fact.stale);
        self.negative.set(index, fact.negative);
    }

    /// There is a newer value from now on.
    pub(super) fn outdate(&mut self, index: u32, now: Time) {
        let since = self.stale.get(index, Time::MAX).min(now);
        self.stale.set(index, since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_not_kept() {
        let fact = Fact { since: 5, took: 7, stale: 9, negative: true };
        for (took, stale, negative) in [(false, false, false), (true, false, true), (true, true, true)] {
            let mut facts = Facts::new(took, stale, negative);
            facts.note(3, fact);
            let expected =
                Fact { since: 5, took: if took { 7 } else { 0 }, stale: if stale { 9 } else { Time::MAX }, negative };
            assert_eq!(facts.at(3), expected);
            facts.outdate(3, 100);
            assert_eq!(facts.at(3), expected, "it was outdated before");
        }
    }
}

//! Ties: copies of an attempt of which only the first to be begun is wanted.
//!
//! Each copy carries the same tie. Where one is begun, word of that goes to where the others wait, and one whose turn comes after the word
//! has come is not begun any more. (Dean and Barroso, *The Tail at Scale*, CACM 56(2), 2013: tied requests.)

use std::collections::BTreeMap;

use crate::baggage::NO_TIE;
use crate::time::{Span, Time};

/// One tie: how long word takes, and since when one of its calls has been served.
#[derive(Clone, Copy, Debug)]
struct Tie {
    takes: Span,
    begun: Option<Time>,
}

/// All ties that are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ties {
    last: u64,
    open: BTreeMap<u64, Tie>,
}

impl Ties {
    /// A new tie, between whose copies word takes so long.
    pub(crate) fn open(&mut self, takes: Span) -> u64 {
        self.last += 1;
        self.open.insert(self.last, Tie { takes, begun: None });
        self.last
    }

    /// Nobody waits for any of its copies any more.
    pub(crate) fn close(&mut self, tie: u64) {
        self.open.remove(&tie);
    }

    /// The copy that was begun has failed: another one is wanted.
    pub(crate) fn free(&mut self, tie: u64) {
        if let Some(tie) = self.open.get_mut(&tie) {
            tie.begun = None;
        }
    }

    /// A copy would be begun now: whether it is still wanted, as far as is known there.
    pub(crate) fn begins(&mut self, now: Time, tie: u64) -> bool {
        if tie == NO_TIE {
            return true;
        }
        let Some(tie) = self.open.get_mut(&tie) else { return false };
        let is_known = tie.begun.is_some_and(|begun| begun.saturating_add(tie.takes) <= now);
        tie.begun.get_or_insert(now);
        !is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_copy_is_wanted_once_the_others_have_been_told() {
        let mut ties = Ties::default();
        let (one, other) = (ties.open(5), ties.open(0));
        assert!(ties.begins(10, one));
        // Word is still under way.
        assert!(ties.begins(14, one));
        assert!(!ties.begins(15, one));
        assert!(ties.begins(15, other) && !ties.begins(15, other));
        ties.free(one);
        assert!(ties.begins(20, one));
        ties.close(one);
        assert!(!ties.begins(21, one), "nobody waits for it");
        assert!(ties.begins(21, NO_TIE) && ties.begins(21, NO_TIE));
    }
}

//! What was published within the last while, so that the same message is not stored twice.

use std::collections::{BTreeSet, VecDeque};

use sim_core::{Span, Time};

/// The keys of messages by when they were first published.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    known: BTreeSet<u64>,
    in_order: VecDeque<(Time, u64)>,
}

impl Recent {
    /// A message is published; false where it was published less than `window` ago.
    pub(super) fn is_new(&mut self, now: Time, window: Span, key: u64) -> bool {
        while let Some((_, old)) = self.in_order.front().filter(|(at, _)| at.saturating_add(window) <= now) {
            self.known.remove(old);
            self.in_order.pop_front();
        }
        let is_new = self.known.insert(key);
        if is_new {
            self.in_order.push_back((now, key));
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_new_again_after_the_window() {
        let mut recent = Recent::default();
        let mut is_new = |now, key| recent.is_new(now, 10, key);
        assert!(is_new(0, 7) && is_new(1, 8) && !is_new(9, 7));
        // The window runs from the first publish, whatever came since.
        assert!(is_new(10, 7) && !is_new(10, 8) && is_new(11, 8) && !is_new(19, 7) && is_new(20, 7));
    }
}

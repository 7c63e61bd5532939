//! Boards: what the nodes of a group have told one another, in the order of time, for as long as it matters.
//!
//! Whoever reads a board keeps its place there, and says how late it sees what others write. So replicas can share a counter that each of them
//! sees late, without an event for each of them.

use std::collections::VecDeque;

use super::Cx;
use crate::calls::GroupId;
use crate::engine::NodeId;
use crate::time::{Span, Time};

/// One thing that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// When.
    pub at: Time,
    /// By whom.
    pub by: NodeId,
    /// What it is about.
    pub about: u64,
}

/// The board of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    /// The place of the first entry that is still there.
    first: u64,
    entries: VecDeque<Posted>,
}

impl Board {
    fn post(&mut self, posted: Posted, keeps: Span) {
        while self.entries.front().is_some_and(|entry| posted.at - entry.at > keeps) {
            self.entries.pop_front();
            self.first += 1;
        }
        self.entries.push_back(posted);
    }

    fn read(&self, place: u64, until: Time) -> Option<(u64, Posted)> {
        let place = place.max(self.first);
        let entry = self.entries.get((place - self.first) as usize).filter(|entry| entry.at <= until)?;
        Some((place + 1, *entry))
    }
}

impl Cx<'_> {
    /// Writes on the board of this node's group. What was written longer ago than `keeps` is no longer there.
    pub fn post_on_board(&mut self, group: GroupId, about: u64, keeps: Span) {
        let posted = Posted { at: self.core.now, by: self.node, about };
        self.core.boards.entry(group.0).or_default().post(posted, keeps);
    }

    /// What stands on the board of a group at a place, or the first behind it that is still there, if it was written by `until`; with the place
    /// behind it.
    pub fn read_board(&self, group: GroupId, place: u64, until: Time) -> Option<(u64, Posted)> {
        self.core.boards.get(&group.0)?.read(place, until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_young_is_not_seen_yet_and_what_is_too_old_is_gone() {
        let mut board = Board::default();
        for at in [0, 10, 20, 30] {
            board.post(Posted { at, by: NodeId(1), about: at }, 15);
        }
        // Those of 0 and 10 are gone: a reader that is behind goes on with the first that is left.
        assert_eq!(board.read(0, 25).map(|(place, posted)| (place, posted.at)), Some((3, 20)));
        assert_eq!(board.read(3, 25), None);
        assert_eq!(board.read(3, 30).map(|(place, posted)| (place, posted.at)), Some((4, 30)));
        assert_eq!(board.read(4, 100), None);
    }
}

//! Changes that nodes adopt while the system runs, by number.
//!
//! What is known before the run is prepared in every node under a number of its own: a `set` fault has two, one for its
//! beginning and one for its end. A fault that strikes only says the number.

use sim_core::NodeId;

/// What a component that remembers something is told when it is to forget it; prepared changes have smaller numbers.
pub const FORGET: u32 = u32::MAX;

/// What a component that keeps messages is told when others have moved some of theirs to it.
pub const ARRIVED: u32 = u32::MAX - 1;

/// Bits of the numbers by which a component that keeps messages is told to move some to another one.
const MOVE: u32 = 1 << 31;
const ALL: u32 = 1 << 30;

/// What a component that keeps messages is told when it is to move the first of those that wait there, or all, to another one.
pub fn move_to(node: NodeId, all: bool) -> u32 {
    debug_assert!(node.0 < ALL - 2, "there are fewer nodes");
    MOVE | if all { ALL } else { 0 } | node.0
}

/// The reverse of [`move_to`].
pub fn moved_to(change: u32) -> Option<(NodeId, bool)> {
    let is_it = change & MOVE != 0 && change < ARRIVED;
    is_it.then_some((NodeId(change & (ALL - 1)), change & ALL != 0))
}

/// Marks numbers by which a component that remembers something is told to forget or fill a share of it.
const SHARE: u32 = 1 << 30;
const FILLED: u32 = 1 << 24;
/// Shares are told in millionths.
const WHOLE: f64 = 1e6;

/// A share of what a component remembers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
    /// Of its entries, which it forgets.
    Forgotten(f64),
    /// Of its room, which is filled.
    Filled(f64),
}

/// What a component is told that is to forget or fill a share of what it remembers.
pub fn of_share(share: Share) -> u32 {
    let (mark, share) = match share {
        Share::Forgotten(share) => (0, share),
        Share::Filled(share) => (FILLED, share),
    };
    SHARE | mark | (share.clamp(0.0, 1.0) * WHOLE + 0.5) as u32
}

/// The reverse of [`of_share`].
pub fn share_of(change: u32) -> Option<Share> {
    let is_it = change & (MOVE | SHARE) == SHARE;
    let share = f64::from(change & (FILLED - 1)) / WHOLE;
    is_it.then_some(if change & FILLED == 0 { Share::Forgotten(share) } else { Share::Filled(share) })
}

/// Bits of the numbers by which an entrance is told of its leaders.
const DIES: u32 = 1 << 29;
const OF_PARTITION: u32 = 1 << 12;

/// What an entrance is told by a fault when the leader of a partition, or of all, is to die, and when those that have are to come back.
pub fn of_leader(fault: u32, dies: bool, partition: Option<u32>) -> u32 {
    let partition = partition.map_or(0, |partition| (partition + 1) % OF_PARTITION);
    MOVE | if dies { DIES } else { 0 } | ((fault % (DIES / OF_PARTITION)) * OF_PARTITION) | partition
}

/// The reverse of [`of_leader`].
pub fn about_leader(change: u32) -> Option<(u32, bool, Option<u32>)> {
    let (fault, partition) = ((change & (DIES - 1)) / OF_PARTITION, change % OF_PARTITION);
    (change & (MOVE | ALL) == MOVE).then_some((fault, change & DIES != 0, partition.checked_sub(1)))
}

/// The number under which what fault number `fault` sets is prepared.
pub fn change_of(fault: u32) -> u32 {
    2 * fault + 1
}

/// The number under which what was before it is prepared.
pub fn undo_of(fault: u32) -> u32 {
    2 * fault + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_moved_and_where_is_understood() {
        for (node, all) in [(0, true), (0, false), (12_345, true), (12_345, false), (ALL - 3, true)] {
            assert_eq!(moved_to(move_to(NodeId(node), all)), Some((NodeId(node), all)));
        }
        for other in [FORGET, ARRIVED, change_of(0), undo_of(99_999)] {
            assert_eq!((moved_to(other), share_of(other)), (None, None));
        }
        for (fault, dies, partition) in [(0, true, None), (17, false, Some(0)), (99_999, true, Some(4094))] {
            assert_eq!(about_leader(of_leader(fault, dies, partition)), Some((fault, dies, partition)));
        }
        assert_eq!((about_leader(change_of(7)), about_leader(FORGET)), (None, None));
        for share in [Share::Forgotten(0.25), Share::Forgotten(0.0), Share::Filled(1.0), Share::Filled(0.000_001)] {
            assert_eq!((share_of(of_share(share)), moved_to(of_share(share))), (Some(share), None));
        }
    }
}

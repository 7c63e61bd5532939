//! The replicas of a component as whoever runs it knows them: which are there, which are starting, which leave.
//!
//! This is *membership*. Who calls a replica has a belief of its own about it, and what faults have done to it is its condition:
//! neither stands here. Nodes are laid out in advance as *slots*, and used again: a replica has the slot that it was
//! started in, and a *number* that is its name and never returns.

use sim_core::{NodeId, Time};

/// Where the life of a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// It comes up, and is not called yet.
    Starting,
    /// It is to be called.
    Ready,
    /// It finishes what it has, and is not to be called any more.
    Draining,
    /// There is no replica in this slot.
    Gone,
}

/// A replica that is or was in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tenant {
    number: u32,
    since: Time,
    until: Option<Time>,
}

/// A place for a replica.
#[derive(Clone, Debug)]
struct Slot {
    membership: Membership,
    /// Those that have been in it, the latest last.
    tenants: Vec<Tenant>,
}

/// The replicas of one component.
#[derive(Clone, Debug)]
pub struct Fleet {
    first: NodeId,
    stride: u32,
    slots: Vec<Slot>,
    /// How many there are at the start.
    initial: u32,
    next_number: u32,
}

impl Fleet {
    /// So many replicas that are ready, and slots for more. Slots are so many nodes apart.
    pub fn new(first: NodeId, stride: u32, replicas: u32, slots: u32) -> Fleet {
        let slot = |n: u32| match n < replicas {
            true => Slot { membership: Membership::Ready, tenants: vec![Tenant { number: n, since: 0, until: None }] },
            false => Slot { membership: Membership::Gone, tenants: Vec::new() },
        };
        let slots = (0..slots.max(replicas)).map(slot).collect();
        Fleet { first, stride, slots, initial: replicas, next_number: replicas }
    }

    fn node(&self, slot: usize) -> NodeId {
        NodeId(self.first.0 + slot as u32 * self.stride)
    }

    fn slot(&self, node: NodeId) -> Option<usize> {
        let at = node.0.checked_sub(self.first.0)? / self.stride;
        ((at as usize) < self.slots.len()).then_some(at as usize)
    }

    /// The membership of what is in the slot of a node.
    pub fn membership(&self, node: NodeId) -> Option<Membership> {
        self.slot(node).map(|slot| self.slots[slot].membership)
    }

    /// The number of the replica that is in the slot of a node, if one is.
    pub fn tenant(&self, node: NodeId) -> Option<u32> {
        let slot = &self.slots[self.slot(node)?];
        let is_there = slot.membership != Membership::Gone;
        slot.tenants.last().filter(|_| is_there).map(|tenant| tenant.number)
    }

    /// How many are ready.
    pub fn ready(&self) -> u32 {
        self.slots.iter().filter(|slot| slot.membership == Membership::Ready).count() as u32
    }

    /// How many belong to the component: ready or starting, dead or alive.
    pub fn members(&self) -> u32 {
        let belongs = |slot: &&Slot| matches!(slot.membership, Membership::Ready | Membership::Starting);
        self.slots.iter().filter(belongs).count() as u32
    }

    /// The replicas that are there, with their numbers, the oldest first.
    pub fn present(&self) -> Vec<(u32, NodeId)> {
        let there = |(at, slot): (usize, &Slot)| match slot.membership {
            Membership::Gone => None,
            Membership::Starting | Membership::Ready | Membership::Draining => {
                Some((slot.tenants.last()?.number, self.node(at)))
            }
        };
        let mut present: Vec<(u32, NodeId)> = self.slots.iter().enumerate().filter_map(there).collect();
        present.sort_unstable();
        present
    }

    /// Every slot that was ever used, with the number of the replica that was there last; in the order of those.
    pub fn used(&self) -> Vec<(u32, NodeId)> {
        let last = |(at, slot): (usize, &Slot)| Some((slot.tenants.last()?.number, self.node(at)));
        let mut used: Vec<(u32, NodeId)> = self.slots.iter().enumerate().filter_map(last).collect();
        used.sort_unstable();
        used
    }

    /// The number of the replica that was in the slot of a node at an instant: the one that leaves at it before the one that
    /// starts.
    pub fn number_at(&self, node: NodeId, at: Time) -> Option<u32> {
        let tenants = &self.slots[self.slot(node)?].tenants;
        let there = tenants.iter().find(|tenant| tenant.until.is_none_or(|until| at <= until));
        there.or(tenants.last()).map(|tenant| tenant.number)
    }

    /// How long the slot of a node was used from one instant to another.
    pub fn used_for(&self, node: NodeId, from: Time, to: Time) -> Time {
        let Some(slot) = self.slot(node) else { return 0 };
        let within = |tenant: &Tenant| tenant.until.unwrap_or(to).min(to).saturating_sub(tenant.since.max(from));
        self.slots[slot].tenants.iter().map(within).sum()
    }

    /// A replica starts in a free slot, under a new number. It is a slot for which `fits` holds, if there is one, if possible one
    /// on the same host as `beside` (slots lie on the hosts in turns of the initial replicas), and rather one that was never
    /// used. `None` where no slot is free.
    pub fn start(&mut self, now: Time, beside: Option<NodeId>, fits: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        let near = beside.and_then(|node| self.slot(node)).map(|slot| slot as u32 % self.initial.max(1));
        let free = (0..self.slots.len()).filter(|at| self.slots[*at].membership == Membership::Gone);
        let best = free.min_by_key(|at| {
            let is_near = near.is_none_or(|near| *at as u32 % self.initial.max(1) == near);
            (!fits(self.node(*at)), !is_near, self.slots[*at].tenants.len(), *at)
        });
        let at = best?;
        let number = self.next_number;
        self.next_number += 1;
        self.slots[at].membership = Membership::Starting;
        self.slots[at].tenants.push(Tenant { number, since: now, until: None });
        Some(self.node(at))
    }

    /// A replica is ready. False where it is not starting any more.
    pub fn become_ready(&mut self, node: NodeId) -> bool {
        self.change(node, Membership::Ready, &[Membership::Starting])
    }

    /// A replica drains. False where it was not ready.
    pub fn drain(&mut self, node: NodeId) -> bool {
        self.change(node, Membership::Draining, &[Membership::Ready])
    }

    /// A replica leaves, and its slot is free. False where there was none.
    pub fn leave(&mut self, now: Time, node: NodeId) -> bool {
        let left =
            self.change(node, Membership::Gone, &[Membership::Starting, Membership::Ready, Membership::Draining]);
        let slot = self.slot(node).filter(|_| left);
        if let Some(tenant) = slot.and_then(|slot| self.slots[slot].tenants.last_mut()) {
            tenant.until = Some(now);
        }
        left
    }

    fn change(&mut self, node: NodeId, to: Membership, from: &[Membership]) -> bool {
        let Some(slot) = self.slot(node) else { return false };
        let is_so = from.contains(&self.slots[slot].membership);
        if is_so {
            self.slots[slot].membership = to;
        }
        is_so
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three replicas at nodes 10, 12 and 14, with slots for three more at 16, 18 and 20.
    fn fleet() -> Fleet {
        Fleet::new(NodeId(10), 2, 3, 6)
    }

    fn numbers(fleet: &Fleet) -> Vec<(u32, u32)> {
        fleet.present().into_iter().map(|(number, node)| (number, node.0)).collect()
    }

    #[test]
    fn a_replacement_has_a_new_number_and_a_slot_on_the_same_host() {
        let mut fleet = fleet();
        assert!(fleet.leave(5, NodeId(12)));
        assert_eq!(fleet.start(5, Some(NodeId(12)), |_| true), Some(NodeId(18)));
        assert_eq!((fleet.ready(), fleet.members()), (2, 3));
        assert!(fleet.become_ready(NodeId(18)) && !fleet.become_ready(NodeId(18)));
        assert_eq!(numbers(&fleet), [(0, 10), (2, 14), (3, 18)]);
        // The same again: the slot of the first is free.
        assert!(fleet.leave(9, NodeId(18)));
        assert_eq!(fleet.start(9, Some(NodeId(18)), |_| true), Some(NodeId(12)));
        assert_eq!(numbers(&fleet), [(0, 10), (2, 14), (4, 12)]);
        let at = |at| fleet.number_at(NodeId(12), at);
        assert_eq!([at(0), at(5), at(9), at(100)], [Some(1), Some(1), Some(4), Some(4)]);
        assert_eq!((fleet.used_for(NodeId(12), 0, 20), fleet.used_for(NodeId(12), 2, 10)), (5 + 11, 3 + 1));
        assert_eq!(fleet.used_for(NodeId(20), 0, 20), 0);
    }

    #[test]
    fn nothing_starts_where_no_slot_is_free() {
        let mut fleet = fleet();
        for node in [16, 18, 20] {
            assert_eq!(fleet.start(0, None, |_| true), Some(NodeId(node)));
        }
        assert_eq!(fleet.start(0, None, |_| true), None);
        assert!(fleet.drain(NodeId(10)) && !fleet.drain(NodeId(10)) && !fleet.drain(NodeId(16)));
        assert_eq!((fleet.ready(), fleet.members()), (2, 5));
    }

    #[test]
    fn a_slot_that_does_not_fit_comes_last() {
        let mut fleet = fleet();
        assert_eq!(fleet.start(0, Some(NodeId(10)), |node| node != NodeId(16)), Some(NodeId(18)));
        assert_eq!(fleet.start(0, Some(NodeId(10)), |node| node != NodeId(16)), Some(NodeId(20)));
        assert_eq!(fleet.start(0, Some(NodeId(10)), |node| node != NodeId(16)), Some(NodeId(16)));
    }
}

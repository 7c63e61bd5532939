//! What a supervisor can observe of other nodes.

use super::Cx;
use crate::calls::*;

impl Cx<'_> {
    /// Calls that have arrived at a group since the run began.
    pub fn arrived_at(&self, group: GroupId) -> u64 {
        self.core.groups[group.0 as usize].all.arrivals
    }

    /// Calls under way at a group.
    pub fn under_way_at(&self, group: GroupId) -> u64 {
        self.core.groups[group.0 as usize].in_flight.value()
    }

    /// Core-nanoseconds that a node has used since the run began.
    pub fn cpu_used(&self, node: NodeId) -> u128 {
        self.core.cpus_of[node.0 as usize].iter().map(|cpu| self.core.cpus.used(self.core.now, *cpu)).sum()
    }

    /// Whether any call has arrived at a node, or is on its way back from there, and is not answered yet.
    pub fn has_open_calls(&self, node: NodeId) -> bool {
        self.core.calls.iter().any(|(_, frame)| frame.node == node.0 && frame.flags & DELIVERED != 0)
    }
}

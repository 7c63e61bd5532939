//! What a supervisor can observe of other nodes.

use super::Cx;
use crate::calls::*;

impl Cx<'_> {
    /// Calls that have arrived at a group since the run began.
    pub fn arrived_at(&self, group: GroupId) -> u64 {
        self.core.groups[group.0 as usize].all.arrivals
    }

    /// Calls that have ended at a group since the run began.
    pub fn ended_at(&self, group: GroupId) -> u64 {
        self.core.groups[group.0 as usize].all.outcomes.iter().sum()
    }

    /// Calls under way at a group.
    pub fn under_way_at(&self, group: GroupId) -> u64 {
        self.core.groups[group.0 as usize].in_flight.value()
    }

    /// Core-nanoseconds that a node has used since the run began.
    pub fn cpu_used(&self, node: NodeId) -> u128 {
        self.core.cpus_of[node.0 as usize].iter().map(|cpu| self.core.cpus.used(self.core.now, *cpu)).sum()
    }

    /// The calls that have arrived at a node, or are on their way back from there, and are not answered yet. It looks at all calls that are open
    /// anywhere: ask once, and then of each of them.
    pub fn open_calls(&self, node: NodeId) -> Vec<CallId> {
        let here = self.core.calls.iter().filter(|(_, frame)| frame.node == node.0 && frame.flags & DELIVERED != 0);
        here.map(|(index, frame)| CallId { index, generation: frame.generation }).collect()
    }
}

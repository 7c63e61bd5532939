//! Where a replica is built: what it can find out, and what it can have made.

use sim_core::{CpuId, Machines, MemoryId, NodeId};

use crate::directory::{Directory, Population};
use crate::hosts::HostsSettings;
use crate::link::Target;

/// Where a replica is built: what it can find out and what it can have made.
pub struct Site<'a> {
    /// The machines, to add one of its own or to be placed on a host's.
    pub machines: Machines<'a>,
    /// Who is who.
    pub directory: &'a Directory,
    /// The component.
    pub component: usize,
    /// Which replica of it.
    pub replica: u32,
    /// Its node.
    pub node: NodeId,
    /// Connections that callers keep open to it.
    pub connections: u64,
    /// Threads that the connections of its own pools hold.
    pub pool_threads: u64,
}

impl Site<'_> {
    /// Where callers come to this component, where that is a node of its own.
    pub fn entrance(&self) -> Option<NodeId> {
        self.directory.components[self.component].entrance.map(|entrance| entrance.node)
    }

    /// The operations of the scenario, by number.
    pub fn ops(&self) -> &[String] {
        &self.directory.ops
    }

    /// Whether requests differ in how much work they ask for.
    pub fn carries_demand(&self) -> bool {
        self.directory.carried.demand
    }

    /// Whether a call may be one of several copies of which only the first to begin is wanted.
    pub fn carries_ties(&self) -> bool {
        self.directory.carried.tie
    }

    /// The node of one of this replica's links, and what tells its draws from other links'.
    pub fn link(&self, name: &str) -> (NodeId, u32) {
        self.directory.link_of(self.component, self.replica, name)
    }

    /// Whom a link of this component calls.
    pub fn targets(&self, name: &str) -> &[Target] {
        self.directory.targets_of(self.component, name)
    }

    /// Who calls this component, where it only says whom to call.
    pub fn populations(&self) -> &[Population] {
        &self.directory.components[self.component].populations
    }

    /// Cores: of its own, or a share of its host's with a quota of so many.
    pub fn cpu(&mut self, cores: Option<f64>, quota: Option<f64>, hosts: Option<&HostsSettings>) -> Option<CpuId> {
        match hosts {
            Some(hosts) => {
                let machine = self.directory.machine_for(hosts.on.as_str(), self.component, self.replica)?;
                // The weight is the request in thousandths of a core, as in cgroups.
                let weight = (cores.unwrap_or(1.0) * 1000.0) as u32;
                Some(self.machines.place(self.node, machine, weight.max(1), quota))
            }
            None => {
                let machine = self.machines.add(cores?);
                Some(self.machines.place(self.node, machine, 1, None))
            }
        }
    }

    /// Whether what it runs on has memory.
    pub fn has_memory(&self, hosts: Option<&HostsSettings>) -> bool {
        let group = hosts.and_then(|hosts| self.directory.hosts.iter().find(|group| group.name == hosts.on.as_str()));
        group.is_some_and(|group| group.memory.is_some())
    }

    /// An account for this replica's memory, on its host where it has one.
    pub fn memory(&mut self, hosts: Option<&HostsSettings>) -> MemoryId {
        let machine =
            hosts.and_then(|hosts| self.directory.machine_for(hosts.on.as_str(), self.component, self.replica));
        self.machines.open_memory(self.node, machine)
    }

    /// The cores of its host.
    pub fn cores_of_host(&self, hosts: Option<&HostsSettings>) -> Option<f64> {
        let group = hosts.and_then(|hosts| self.directory.hosts.iter().find(|group| group.name == hosts.on.as_str()));
        group.map(|group| group.cores)
    }

    /// The node to which this component sends messages that failed for good.
    pub fn dead_letter(&self) -> Option<NodeId> {
        let to = self.directory.components[self.component].dead_letter?;
        Some(self.directory.components[to].first)
    }

    /// Whether messages may wait here for ever, since nothing consumes what others have given up.
    pub fn is_final(&self) -> bool {
        self.directory.is_final(self.component)
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.directory.seed
    }

    /// A name for this replica's random streams.
    pub fn stream(&self, purpose: &str) -> String {
        format!("{}[{}]/{purpose}", self.directory.components[self.component].name, self.replica)
    }
}

//! Memory of machines, shared by what runs on them.
//!
//! A node has an account of what it has reserved and what of that it has touched; a machine adds up the accounts of its nodes.
//! Address space is not memory: what is only reserved counts against a machine that does not overcommit, and nowhere else.
//! What a node may use by itself (the limit of its container) is its own affair.

use std::collections::BTreeMap;

use crate::calls::NodeId;
use crate::figures::{Figure, Figures, Set};
use crate::gauge::Gauge;
use crate::time::Time;

/// What counts as used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Pages that have been touched, as where the kernel overcommits (Linux' default).
    Touched,
    /// All that is reserved, as where it does not (`vm.overcommit_memory=2`).
    Reserved,
}

/// Memory that somebody has, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Address space set aside.
    pub reserved: u64,
    /// What of it has been touched, and so takes memory.
    pub resident: u64,
}

impl MemoryUse {
    /// As much of one as of the other.
    pub fn touched(bytes: u64) -> MemoryUse {
        MemoryUse { reserved: bytes, resident: bytes }
    }

    /// What counts of it.
    pub fn counted(self, commit: Commit) -> u64 {
        match commit {
            Commit::Touched => self.resident,
            Commit::Reserved => self.reserved,
        }
    }
}

/// The account of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryId(u32);

const OF_NODE: Figure =
    Figure::gauge("memory", "Resident memory of the replicas, time average. Only where memory is modelled.")
        .in_bytes()
        .kept();
const OF_NODE_MAX: Figure =
    Figure::peak("memory_max", "Largest resident memory of any replica. Only where memory is modelled.").in_bytes();
const OF_NODE_RESERVED: Figure = Figure::gauge(
    "memory_reserved",
    "Memory that the replicas have reserved, touched or not, time average: whole stacks and heaps. Only where memory is modelled.",
)
.in_bytes();
const OOM_KILLS: Figure =
    Figure::count("oom_kills", "Processes killed for using more memory than there is. Only where memory is modelled.");

/// What is reported of the memory of nodes.
pub const FIGURES: Set = &[&OF_NODE, &OF_NODE_MAX, &OF_NODE_RESERVED, &OOM_KILLS];

const MEMORY: Figure = Figure::gauge(
    "memory",
    "Memory in use on the hosts, time average. Only with `memory` of the hosts or of what runs there.",
)
.in_bytes()
.kept();
const MEMORY_RESERVED: Figure = Figure::gauge(
    "memory_reserved",
    "Memory reserved on the hosts, touched or not, time average. Only with `memory` of the hosts or of what runs there.",
)
.in_bytes();
const MEMORY_SIZE: Figure = Figure::level("memory_size", "Memory of the hosts. Only with `memory`.").in_bytes();

/// What machines report of their memory.
pub const FIGURES_OF_MACHINES: Set = &[&MEMORY, &MEMORY_RESERVED, &MEMORY_SIZE];

#[derive(Clone, Debug)]
struct Account {
    node: NodeId,
    machine: Option<u32>,
    resident: Gauge,
    reserved: Gauge,
    kills: u64,
}

impl Account {
    fn now(&self) -> MemoryUse {
        MemoryUse { reserved: self.reserved.value(), resident: self.resident.value() }
    }
}

#[derive(Clone, Debug)]
struct Pool {
    size: Option<u64>,
    commit: Commit,
    resident: Gauge,
    reserved: Gauge,
}

impl Pool {
    fn now(&self) -> MemoryUse {
        MemoryUse { reserved: self.reserved.value(), resident: self.resident.value() }
    }
}

/// A machine's memory at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryNow {
    /// What it has; `None` where that is not limited.
    pub size: Option<u64>,
    /// What is used.
    pub used: MemoryUse,
}

/// All accounts.
#[derive(Clone, Debug, Default)]
pub struct Memories {
    accounts: Vec<Account>,
    of_nodes: BTreeMap<NodeId, MemoryId>,
    machines: BTreeMap<u32, Pool>,
}

impl Memories {
    /// A machine has so much memory.
    pub fn equip(&mut self, machine: u32, size: u64, commit: Commit) {
        let pool = self.pool(machine);
        (pool.size, pool.commit) = (Some(size), commit);
    }

    fn pool(&mut self, machine: u32) -> &mut Pool {
        let (resident, reserved) = (Gauge::default(), Gauge::default());
        self.machines.entry(machine).or_insert(Pool { size: None, commit: Commit::Touched, resident, reserved })
    }

    /// Opens an account for a node, on a machine or on none that matters.
    pub fn open(&mut self, node: NodeId, machine: Option<u32>) -> MemoryId {
        let id = MemoryId(self.accounts.len() as u32);
        let (resident, reserved) = (Gauge::default(), Gauge::default());
        self.accounts.push(Account { node, machine, resident, reserved, kills: 0 });
        self.of_nodes.insert(node, id);
        if let Some(machine) = machine {
            self.pool(machine);
        }
        id
    }

    /// What a node uses from now on. Where that is more than its machine has, the node there that uses most: it is the one
    /// that the kernel kills.
    pub fn set(&mut self, now: Time, id: MemoryId, used: MemoryUse) -> Option<NodeId> {
        let account = &mut self.accounts[id.0 as usize];
        let before = account.now();
        account.resident.set(now, used.resident);
        account.reserved.set(now, used.reserved);
        let machine = account.machine?;
        let pool = self.machines.get_mut(&machine)?;
        let changed = |gauge: &mut Gauge, from: u64, to: u64| gauge.set(now, gauge.value() - from + to);
        changed(&mut pool.resident, before.resident, used.resident);
        changed(&mut pool.reserved, before.reserved, used.reserved);
        // What is only reserved is refused when it is asked for; only what is touched can be too much afterwards.
        if pool.size.is_none_or(|size| pool.resident.value() <= size) {
            return None;
        }
        let there = self.accounts.iter().filter(|account| account.machine == Some(machine));
        // The first of those that use most.
        let most = there.rev().max_by_key(|account| account.resident.value())?;
        Some(most.node)
    }

    /// How much more a node's machine lets it reserve.
    pub fn room(&self, id: MemoryId) -> u64 {
        let machine = self.accounts[id.0 as usize].machine;
        let pool = machine.and_then(|machine| self.machines.get(&machine));
        pool.map_or(u64::MAX, |pool| match (pool.size, pool.commit) {
            (Some(size), Commit::Reserved) => size.saturating_sub(pool.now().reserved),
            (_, Commit::Touched) | (None, Commit::Reserved) => u64::MAX,
        })
    }

    /// A node has died: its memory is free.
    pub(crate) fn free(&mut self, now: Time, node: NodeId) {
        if let Some(id) = self.of_nodes.get(&node) {
            self.set(now, *id, MemoryUse::default());
        }
    }

    /// What a node uses; `None` where that is not known.
    pub fn of_node(&self, node: NodeId) -> Option<MemoryUse> {
        self.of_nodes.get(&node).map(|id| self.accounts[id.0 as usize].now())
    }

    /// A machine as it stands; `None` where its memory is not modelled.
    pub fn machine_now(&self, machine: u32) -> Option<MemoryNow> {
        self.machines.get(&machine).map(|pool| MemoryNow { size: pool.size, used: pool.now() })
    }

    pub(crate) fn begin_measuring(&mut self, now: Time) {
        for pool in self.machines.values_mut() {
            pool.resident.reset(now);
            pool.reserved.reset(now);
        }
        for account in &mut self.accounts {
            account.resident.reset(now);
            account.reserved.reset(now);
            account.kills = 0;
        }
    }

    /// A node's process was killed for using too much.
    pub(crate) fn note_kill(&mut self, node: NodeId) {
        if let Some(id) = self.of_nodes.get(&node) {
            self.accounts[id.0 as usize].kills += 1;
        }
    }

    pub(crate) fn figures_of_node(&self, now: Time, node: NodeId, figures: &mut Figures) {
        let Some(account) = self.of_nodes.get(&node).map(|id| &self.accounts[id.0 as usize]) else { return };
        figures.gauge(&OF_NODE, &account.resident, now);
        figures.peak(&OF_NODE_MAX, Some(account.resident.value()), account.resident.max());
        figures.gauge(&OF_NODE_RESERVED, &account.reserved, now);
        figures.count(&OOM_KILLS, account.kills);
    }

    pub(crate) fn figures_of(&self, now: Time, machine: u32, figures: &mut Figures) {
        let Some(pool) = self.machines.get(&machine) else { return };
        figures.gauge(&MEMORY, &pool.resident, now);
        figures.gauge(&MEMORY_RESERVED, &pool.reserved, now);
        if let Some(size) = pool.size {
            figures.level(&MEMORY_SIZE, size);
        }
    }

    /// Whether the machines hold what the accounts say, to the byte.
    pub(crate) fn is_balanced(&self) -> bool {
        self.machines.iter().all(|(machine, pool)| {
            let there = self.accounts.iter().filter(|account| account.machine == Some(*machine));
            let sum = there.fold(MemoryUse::default(), |sum, account| MemoryUse {
                reserved: sum.reserved + account.reserved.value(),
                resident: sum.resident + account.resident.value(),
            });
            sum == pool.now()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    #[test]
    fn a_machine_holds_what_its_nodes_use_and_the_largest_is_too_much() {
        let mut memories = Memories::default();
        memories.equip(0, 10 * GB, Commit::Touched);
        let (a, b) = (memories.open(NodeId(1), Some(0)), memories.open(NodeId(2), Some(0)));
        assert_eq!(memories.set(0, a, MemoryUse { reserved: 80 * GB, resident: 4 * GB }), None);
        assert_eq!(memories.set(0, b, MemoryUse::touched(6 * GB)), None, "exactly full");
        assert_eq!(memories.set(5, a, MemoryUse { reserved: 80 * GB, resident: 4 * GB + 1 }), Some(NodeId(2)));
        memories.free(6, NodeId(2));
        assert_eq!(memories.machine_now(0).map(|now| now.used.resident), Some(4 * GB + 1));
        assert!(memories.is_balanced());
        assert_eq!(memories.room(a), u64::MAX, "address space is free");
    }

    #[test]
    fn of_equals_the_first_is_killed() {
        let mut memories = Memories::default();
        memories.equip(0, GB, Commit::Touched);
        let (a, b) = (memories.open(NodeId(1), Some(0)), memories.open(NodeId(2), Some(0)));
        memories.set(0, a, MemoryUse::touched(GB));
        assert_eq!(memories.set(0, b, MemoryUse::touched(GB)), Some(NodeId(1)));
    }

    /// 10,000 stacks of 1 MB are 10 GB and of 8 MB 80 GB: with 64 GB that are not overcommitted, there is room for 8,000 of these.
    #[test]
    fn without_overcommit_what_is_reserved_is_gone() {
        let mut memories = Memories::default();
        memories.equip(0, 64 * GB, Commit::Reserved);
        let a = memories.open(NodeId(1), Some(0));
        let threads = |count: u64, stack: u64| MemoryUse { reserved: count * stack, resident: count * 100_000 };
        memories.set(0, a, threads(10_000, 1_000_000));
        assert_eq!(memories.room(a), 54 * GB);
        memories.set(0, a, threads(8_000, 8_000_000));
        assert_eq!(memories.room(a), 0);
    }
}

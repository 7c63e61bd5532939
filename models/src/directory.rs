//! Who is who in a network: plain data about what a scenario names, by number.
//!
//! It is there before anything is built, so that names can be checked and nodes can refer to nodes that come later.

use std::collections::BTreeMap;

use settings::Money;
use sim_core::dist::Dist;
use sim_core::random::hash;
use sim_core::{Carried, GroupId, NodeId, Span, Time};

use crate::fleet::Fleet;
use crate::hosts::Placement;
use crate::link::Target;
use crate::restart::RestartSettings;
use crate::shutdown::ShutdownSettings;

/// The name of the link of a workload.
pub const WORKLOAD_LINK: &str = "call";

/// The name of a component that takes the place of one that cannot be read, so that the rest can be checked. No scenario can
/// use it, since `/` belongs to clusters.
pub const STAND_IN: &str = "stand-in/component";

/// A link in the directory.
#[derive(Clone, Debug)]
pub struct LinkEntry {
    /// Its name among its caller's.
    pub name: String,
    /// The group that measures it.
    pub group: GroupId,
    /// Whom it calls.
    pub targets: Vec<Target>,
    /// The names of those.
    pub target_names: Vec<String>,
}

/// A consumer in the directory: what a component consumes from.
#[derive(Clone, Debug)]
pub struct ConsumerEntry {
    /// The group of its nodes, and its name in full, as faults know it: `api.consumes.jobs`.
    pub name: String,
    /// The group that its nodes belong to.
    pub group: GroupId,
    /// The component that it consumes from, once that is known.
    pub from: Option<usize>,
    /// Row of the path table for the way there.
    pub path: u16,
    /// The round trip, while nothing is the matter.
    pub rtt: Span,
}

/// Callers of a component that only says whom to call.
#[derive(Clone, Debug)]
pub struct Population {
    /// The workload or component that calls.
    pub caller: String,
    /// The nodes from which its calls come.
    pub nodes: Vec<NodeId>,
    /// How it reaches each of those that it can be sent to.
    pub targets: Vec<Target>,
}

/// The node that callers of a store of several nodes come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntrancePlace {
    /// The node.
    pub node: NodeId,
    /// The group that it belongs to.
    pub group: GroupId,
    /// Copies of each part of the data; the nodes of one part follow those of another.
    pub copies: u32,
}

/// A component in the directory.
#[derive(Clone, Debug)]
pub struct ComponentPlace {
    /// Name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// The group that measures it.
    pub group: GroupId,
    /// Node of the first replica; the others follow, each with its links and consumers behind it.
    pub first: NodeId,
    /// The node that callers come to and the group that it belongs to, where that is none of the replicas; it lies before the first.
    pub entrance: Option<EntrancePlace>,
    /// How many replicas at the start.
    pub replicas: u32,
    /// Whether replicas come and go on purpose: by `scale`, `deploy` or `autoscale`.
    pub is_staffed: bool,
    /// Whether probes say when its replicas may be called.
    pub is_probed: bool,
    /// Price of each, an hour.
    pub cost: Option<Money>,
    /// How few and how many are wanted at any time: more than one number where they come and go on purpose.
    pub wanted: (u32, u32),
    /// How many nodes are laid out for them: more where others can take their place.
    pub slots: u32,
    /// Its links.
    pub links: Vec<LinkEntry>,
    /// What it consumes from: one node a replica for each, behind those of its links.
    pub consumes: Vec<ConsumerEntry>,
    /// The component to which it sends messages that failed for good, once that is known.
    pub dead_letter: Option<usize>,
    /// Whether it keeps messages and hands them out.
    pub hands_out: bool,
    /// Region.
    pub region: Option<String>,
    /// Replaced after so long when killed.
    pub replace_after: Option<Span>,
    /// How a process that has died is started again.
    pub restart: Option<RestartSettings>,
    /// How long coming up takes.
    pub start_up: Option<Dist>,
    /// How a replica is shut down; `None` where replicas cannot come and go.
    pub shutdown: Option<ShutdownSettings>,
    /// Whether it remembers what a fault can make it forget.
    pub forgets: bool,
    /// Who calls it, where it only says whom to call: how each of them reaches what it says.
    pub populations: Vec<Population>,
    /// The group of hosts, and how replicas are placed there.
    pub(crate) hosts: Option<(String, Placement)>,
    /// The host of each replica, where that was decided by memory.
    pub(crate) placed: Vec<u32>,
    /// Replicas that no host has memory for.
    pub pending: u32,
    /// Whether it has cores of its own.
    pub(crate) machines: Vec<u32>,
}

impl ComponentPlace {
    /// How many replicas there are; where more and fewer are wanted in turn, how many at most.
    pub fn replicas_most(&self) -> u32 {
        if self.varies() { self.wanted.1 } else { self.replicas }
    }

    /// Whether replicas come and go on purpose, so that there is no one number of them.
    pub fn varies(&self) -> bool {
        self.wanted.0 != self.wanted.1
    }

    /// The first of its nodes.
    fn begins(&self) -> NodeId {
        self.entrance.map_or(self.first, |entrance| entrance.node)
    }

    /// So many nodes lie between one replica and the next.
    pub fn stride(&self) -> u32 {
        1 + (self.links.len() + self.consumes.len()) as u32
    }
}

/// A workload in the directory.
#[derive(Clone, Debug)]
pub struct WorkloadPlace {
    /// Name.
    pub name: String,
    /// Its node; its link follows.
    pub node: NodeId,
    /// Its link; the requests are measured there.
    pub link: LinkEntry,
    /// Whether its rate is open.
    pub is_open: bool,
    /// Region.
    pub region: Option<String>,
    /// The operations that its requests ask for, by number, where there are several: then they are measured one by one.
    pub ops: Vec<u16>,
}

/// A group of machines in the directory.
#[derive(Clone, Debug)]
pub struct HostGroup {
    /// Name.
    pub name: String,
    /// How many machines.
    pub count: u32,
    /// The first one's number.
    pub first_machine: u32,
    /// Cores of each.
    pub cores: f64,
    /// Memory of each, bytes.
    pub memory: Option<u64>,
    /// Price of each, an hour.
    pub cost: Option<Money>,
}

/// Who is who.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The seed of the run.
    pub seed: u64,
    /// The operations, by number.
    pub ops: Vec<String>,
    /// The operations that each component can be asked for, by number.
    pub asked: Vec<Vec<u16>>,
    /// How many different keys requests choose from, at most.
    pub keys_most: u64,
    /// What travels along calls.
    pub carried: Carried,
    /// The workloads.
    pub workloads: Vec<WorkloadPlace>,
    /// The components.
    pub components: Vec<ComponentPlace>,
    /// Their numbers.
    pub(crate) by_name: BTreeMap<String, usize>,
    /// The groups of machines.
    pub hosts: Vec<HostGroup>,
    /// The regions.
    pub regions: Vec<String>,
    /// The end of the warm-up.
    pub zero: Time,
    /// The paths of the network: what they lead from, over which link, and to, by row. Where somebody only says whom to
    /// call, paths lead from his callers, and the link is his, in full: `dns.to`.
    pub(crate) paths: Vec<(String, String, String)>,
    /// Nodes that each `set` changes, by the fault's number.
    pub(crate) changed: BTreeMap<u32, Vec<NodeId>>,
    /// Whether the nodes are there, and the machines that they have made for themselves.
    pub(crate) is_built: bool,
}

impl Directory {
    /// The number of a component.
    pub fn component(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The operations of a component, by number, where there are several: then they are measured one by one.
    pub fn ops_of_component(&self, component: usize) -> &[u16] {
        self.asked.get(component).map_or(&[], |asked| if asked.len() > 1 { asked } else { &[] })
    }

    /// The nodes of a component: those of its replicas, and those laid out for others that can take their place.
    pub fn nodes_of(&self, component: usize) -> Vec<NodeId> {
        let c = &self.components[component];
        (0..c.slots).map(|r| NodeId(c.first.0 + r * c.stride())).collect()
    }

    /// The nodes that callers of a component choose among, and how many of those are there at the start.
    pub fn called_at(&self, component: usize) -> (Vec<NodeId>, u32) {
        let place = &self.components[component];
        match place.entrance {
            Some(entrance) => (vec![entrance.node], 1),
            None => (self.nodes_of(component), place.replicas),
        }
    }

    /// The nodes of those who consume from a component.
    pub fn consumers_of(&self, component: usize) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        for place in &self.components {
            for (nth, _) in place.consumes.iter().enumerate().filter(|(_, consumer)| consumer.from == Some(component)) {
                let behind = 1 + (place.links.len() + nth) as u32;
                nodes.extend((0..place.slots).map(|slot| NodeId(place.first.0 + slot * place.stride() + behind)));
            }
        }
        nodes
    }

    /// Whether something consumes from a component.
    pub fn is_consumed(&self, component: usize) -> bool {
        self.components.iter().flat_map(|place| &place.consumes).any(|consumer| consumer.from == Some(component))
    }

    /// Whether messages may stay in a component for ever: others send there what has failed for good, and nothing consumes it.
    pub fn is_final(&self, component: usize) -> bool {
        let takes_dead = self.components.iter().any(|place| place.dead_letter == Some(component));
        takes_dead && !self.is_consumed(component)
    }

    /// The components that a fault strikes which names them, their hosts or their region.
    pub fn struck_by(&self, name: &str) -> Vec<usize> {
        let is_struck = |c: &ComponentPlace| {
            c.name == name
                || c.region.as_deref() == Some(name)
                || c.hosts.as_ref().is_some_and(|(hosts, _)| hosts == name)
        };
        (0..self.components.len()).filter(|component| is_struck(&self.components[*component])).collect()
    }

    /// The component that a node belongs to, as a replica or as the link of one.
    pub fn place_of(&self, node: NodeId) -> Option<&ComponentPlace> {
        let place = self.components.partition_point(|c| c.begins() <= node).checked_sub(1)?;
        Some(&self.components[place]).filter(|c| node.0 < c.first.0 + c.slots * c.stride())
    }

    /// A replica and the links and consumers that belong to it.
    pub fn with_links(&self, node: NodeId) -> Vec<NodeId> {
        let place = self.place_of(node).filter(|place| node >= place.first);
        place.map_or(vec![node], |c| (0..c.stride()).map(|i| NodeId(node.0 + i)).collect())
    }

    /// The node of a replica's link, and what tells its draws from other links'.
    pub fn link_of(&self, component: usize, replica: u32, name: &str) -> (NodeId, u32) {
        let c = &self.components[component];
        let at = c.links.iter().position(|l| l.name == name).unwrap_or(0) as u32;
        (NodeId(c.first.0 + replica * c.stride() + 1 + at), hash(0, name) as u32)
    }

    /// Whom a component's link calls.
    pub fn targets_of(&self, component: usize, name: &str) -> &[Target] {
        let c = &self.components[component];
        c.links.iter().find(|l| l.name == name).map_or(&[], |l| &l.targets)
    }

    /// The replicas of a component at the start of a run.
    pub fn fleet_of(&self, component: usize) -> Fleet {
        let c = &self.components[component];
        Fleet::new(c.first, c.stride(), c.replicas, c.slots)
    }

    fn host_index(&self, component: usize, replica: u32) -> Option<(usize, u32)> {
        let c = &self.components[component];
        let (group, placement) = c.hosts.as_ref()?;
        let at = self.hosts.iter().position(|h| h.name == *group)?;
        // Who takes the place of another one runs where that did.
        if let Some(host) = c.placed.get((replica % c.replicas.max(1)) as usize) {
            return Some((at, *host));
        }
        let index = placement.host_of(replica % c.replicas.max(1), c.replicas, self.hosts[at].count);
        Some((at, index))
    }

    /// The machine that a replica runs on.
    pub fn machine_for(&self, group: &str, component: usize, replica: u32) -> Option<u32> {
        let (at, index) = self.host_index(component, replica)?;
        debug_assert_eq!(self.hosts[at].name, group);
        Some(self.hosts[at].first_machine + index)
    }

    /// All replicas on one host of a group, or on all of them.
    pub fn nodes_on(&self, group: &str, host: Option<u32>) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        for (component, place) in self.components.iter().enumerate() {
            for (replica, node) in self.nodes_of(component).into_iter().enumerate() {
                let on = self.host_index(component, replica as u32);
                let is_there = place.hosts.as_ref().is_some_and(|(g, _)| g == group)
                    && on.is_some_and(|(_, index)| host.is_none_or(|h| h == index));
                if is_there {
                    nodes.push(node);
                }
            }
        }
        nodes
    }

    /// All replicas in a region.
    pub fn nodes_in(&self, region: &str) -> Vec<NodeId> {
        let there = |c: &ComponentPlace| c.region.as_deref() == Some(region);
        (0..self.components.len()).filter(|c| there(&self.components[*c])).flat_map(|c| self.nodes_of(c)).collect()
    }

    /// Machines of a group of hosts, or those of a component with cores of its own.
    pub fn machines_of(&self, name: &str) -> Option<Vec<u32>> {
        if let Some(group) = self.hosts.iter().find(|h| h.name == name) {
            return Some((0..group.count).map(|i| group.first_machine + i).collect());
        }
        let component = &self.components[self.component(name)?];
        (!component.machines.is_empty()).then(|| component.machines.clone())
    }

    /// The names of what has cores: groups of machines, and components with machines of their own.
    pub fn names_with_cores(&self) -> Vec<&str> {
        let components = self.components.iter().filter(|c| !c.machines.is_empty()).map(|c| c.name.as_str());
        self.hosts.iter().map(|h| h.name.as_str()).chain(components).collect()
    }

    /// Whether a component, workload or region is called so.
    pub fn is_known(&self, name: &str) -> bool {
        self.all_names().iter().any(|n| n == name)
    }

    /// The names of components, workloads and regions.
    pub fn all_names(&self) -> Vec<String> {
        let components = self.components.iter().map(|c| c.name.clone());
        let workloads = self.workloads.iter().map(|w| w.name.clone());
        components
            .chain(workloads)
            .chain(self.regions.iter().cloned())
            .chain(self.hosts.iter().map(|h| h.name.clone()))
            .collect()
    }

    pub(crate) fn region_of(&self, name: &str) -> Option<&str> {
        let component = self.component(name).map(|at| &self.components[at].region);
        let workload = self.workloads.iter().find(|w| w.name == name).map(|w| &w.region);
        component.or(workload).and_then(|r| r.as_deref())
    }

    /// Rows of the paths that lead from one to the other or back; names are those of components, workloads or regions.
    pub fn paths_between(&self, a: &str, b: &str) -> Vec<u16> {
        let is = |name: &str, wanted: &str| name == wanted || self.region_of(name) == Some(wanted);
        let joins = |from: &str, to: &str| (is(from, a) && is(to, b)) || (is(from, b) && is(to, a));
        let rows = self.paths.iter().enumerate().filter(|(_, (from, _, to))| joins(from, to));
        rows.map(|(row, _)| row as u16 + 1).collect()
    }

    /// Rows of the paths of a link, `CALLER.LINK`.
    pub fn paths_of_link(&self, name: &str) -> Option<Vec<u16>> {
        let (caller, link) = name.rsplit_once('.')?;
        let is_on_it = |(from, l, _): &(String, String, String)| (from == caller && l == link) || l == name;
        let rows = self.paths.iter().enumerate().filter(|(_, path)| is_on_it(path));
        let rows: Vec<u16> = rows.map(|(row, _)| row as u16 + 1).collect();
        (!rows.is_empty()).then_some(rows)
    }

    /// All links, `CALLER.LINK`.
    pub fn link_names(&self) -> Vec<String> {
        let name = |(from, link, _): &(String, String, String)| match link.contains('.') {
            true => link.clone(),
            false => format!("{from}.{link}"),
        };
        let mut names: Vec<String> = self.paths.iter().map(name).collect();
        names.dedup();
        names
    }

    /// The names of the components of the scenario.
    pub fn component_names(&self) -> impl Iterator<Item = &str> {
        self.components.iter().map(|component| component.name.as_str()).filter(|name| *name != STAND_IN)
    }

    /// The nodes that `set` fault number `number` changes.
    pub fn changed_by(&self, number: u32) -> Vec<NodeId> {
        self.changed.get(&number).cloned().unwrap_or_default()
    }
}

//! Numbers everything that a scenario names: groups, nodes, machines, operations.

use std::collections::BTreeMap;

use settings::{Name, Path, Problem, Problems, Setting, Size, Spanned};
use sim_core::credits::Earning;
use sim_core::turns::Turning;
use sim_core::{Engine, NodeId, Span};

use super::bounds::OPS_MAX;
use super::layout::{is_staffed, slots, wanted};
use super::node::Node;
use crate::consuming::ConsumeSettings;
use crate::directory::{
    ComponentPlace, ConsumerEntry, Directory, EntrancePlace, HostGroup, LinkEntry, WORKLOAD_LINK, WorkloadPlace,
};
use crate::hosts::place_in_memory;
use crate::link::LinkSettings;
use crate::probes::ProbesSettings;
use crate::scenario::{ComponentEntry, HostSettings, Scenario};
use crate::workloads::WorkloadSettings;

/// For how long Linux keeps the port of a closed connection (`TCP_TIMEWAIT_LEN`).
const TIME_WAIT: Span = 60_000_000_000;

/// Makes the directory of a scenario; whom its links call is found later.
pub(super) fn number(
    scenario: &Scenario,
    engine: &mut Engine<Node>,
    seed: u64,
    warmup: Span,
    problems: &mut Problems,
) -> Directory {
    // The director of the faults is node 0.
    let mut numbers = Numbers {
        scenario,
        engine,
        problems,
        ops: BTreeMap::new(),
        has_too_many_ops: false,
        next_node: 1,
        free: BTreeMap::new(),
    };
    numbers.add_op("default");
    let workloads = scenario.workloads.iter().map(|w| numbers.workload(w.name.as_str(), &w.value)).collect();
    let hosts = scenario.hosts.iter().map(|h| numbers.hosts(h.name.as_str(), &h.value)).collect();
    let components = scenario.components.iter().map(|c| numbers.component(c.name.as_str(), &c.value)).collect();
    let components: Vec<ComponentPlace> = components;
    Directory {
        seed,
        by_name: components.iter().enumerate().map(|(at, place)| (place.name.clone(), at)).collect(),
        ops: numbers.into_ops(),
        carried: scenario.carried(),
        workloads,
        components,
        hosts,
        regions: scenario.regions.names().map(str::to_string).collect(),
        zero: warmup,
        paths: Vec::new(),
        asked: Vec::new(),
        keys_most: scenario.keys_most(),
        changed: BTreeMap::new(),
        is_built: false,
    }
}

/// What has been numbered so far.
struct Numbers<'a> {
    scenario: &'a Scenario,
    engine: &'a mut Engine<Node>,
    problems: &'a mut Problems,
    ops: BTreeMap<String, u16>,
    has_too_many_ops: bool,
    next_node: u32,
    /// Memory that is left on each host, by group.
    free: BTreeMap<String, Vec<u64>>,
}

impl Numbers<'_> {
    fn workload(&mut self, name: &str, settings: &WorkloadSettings) -> WorkloadPlace {
        let region = self.region(settings.region.as_ref());
        settings.requests.iter().for_each(|request| self.add_op(request.op.as_str()));
        settings.requests.iter().filter_map(|r| r.poll.as_ref()).for_each(|poll| self.add_op(poll.op.as_str()));
        if let Some(trace) = settings.arrivals.process.trace() {
            trace.requests.iter().filter_map(|r| r.op.as_deref()).for_each(|op| self.add_op(op));
        }
        let link = self.link(name, WORKLOAD_LINK, &settings.call);
        let is_open = settings.arrivals.process.is_open();
        let asked = settings.asked().into_iter().chain(settings.polled());
        let mut ops: Vec<u16> = asked.filter_map(|asked| self.ops.get(asked.op).copied()).collect();
        ops.sort_unstable();
        ops.dedup();
        if ops.len() < 2 {
            ops.clear();
        }
        // Its link follows it.
        WorkloadPlace { name: name.to_string(), node: self.nodes(2), link, is_open, region, ops }
    }

    fn hosts(&mut self, name: &str, settings: &HostSettings) -> HostGroup {
        self.region(settings.region.as_ref());
        let turning = settings.scheduler.map(|s| Turning { slice: s.slice.0, switch: s.switch.0 });
        let earning = settings.credits.map(|credits| Earning {
            rate: credits.rate.0,
            max: credits.max.0,
            start: credits.start.unwrap_or(credits.max).0,
        });
        let add = |_| {
            let mut machines = self.engine.machines();
            let machine = machines.add_host(settings.cores.0, turning, earning);
            if let Some(memory) = settings.memory {
                machines.equip(machine, memory.size.0, memory.commit.commit());
            }
            if let Some(ports) = settings.ephemeral_ports {
                machines.limit_ports(machine, ports, settings.time_wait.map_or(TIME_WAIT, |wait| wait.0));
            }
            machine
        };
        let mut machines = (0..settings.count).map(add);
        let first_machine = machines.next().unwrap_or(0);
        machines.for_each(drop);
        let memory = settings.memory.map(|memory| memory.size.0);
        HostGroup {
            name: name.to_string(),
            count: settings.count,
            first_machine,
            cores: settings.cores.0,
            memory,
            cost: settings.cost,
        }
    }

    fn component(&mut self, name: &str, entry: &ComponentEntry) -> ComponentPlace {
        let settings = &entry.settings;
        let own_region = self.region(settings.region());
        let group = self.engine.add_group(name);
        let entrance = settings.entrance().map(|terms| EntrancePlace {
            node: self.nodes(1),
            group: self.engine.add_group(&format!("{name}.replication")),
            copies: terms.copies(),
        });
        let links: Vec<LinkEntry> = settings.links().into_iter().map(|(l, s)| self.link(name, l, s)).collect();
        settings.asks().iter().filter_map(|ask| ask.op).for_each(|op| self.add_op(op.as_str()));
        let probed = settings.probes().into_iter().flat_map(ProbesSettings::all);
        probed.filter_map(|(_, probe)| probe.op.as_ref()).for_each(|op| self.add_op(op.as_str()));
        let consumes: Vec<ConsumerEntry> = settings.consumes().iter().map(|c| self.consumer(name, c)).collect();
        let hosts = settings.hosts().map(|h| (h.on.as_str().to_string(), h.placement));
        let placed = self.place(name, entry);
        let replicas = placed.as_ref().map_or(settings.replicas(), |placed| placed.len() as u32);
        let of_hosts = hosts.as_ref().and_then(|(group, _)| self.scenario.hosts.get(group));
        let host_region = of_hosts.and_then(|h| h.region.as_ref()).map(|r| r.as_str().to_string());
        let missing = u64::from(settings.replicas() - replicas);
        let slots = (slots(self.scenario, name, settings) - missing).min(u64::from(u32::MAX)) as u32;
        let mut place = ComponentPlace {
            name: name.to_string(),
            kind: settings.kind(),
            group,
            first: NodeId(0),
            entrance,
            replicas,
            is_staffed: is_staffed(self.scenario, name, settings),
            is_probed: settings.probes().is_some(),
            cost: settings.cost(),
            wanted: wanted(self.scenario, name, settings),
            slots,
            dead_letter: None,
            hands_out: settings.hands_out().is_some(),
            region: own_region.or(host_region),
            replace_after: settings.replace_after(),
            restart: settings.restart(),
            start_up: settings.start_up().cloned(),
            shutdown: settings.shutdown(),
            forgets: settings.forgets(),
            populations: Vec::new(),
            hosts,
            pending: settings.replicas() - replicas,
            placed: placed.unwrap_or_default(),
            machines: Vec::new(),
            links,
            consumes,
        };
        place.first = self.nodes(place.slots * place.stride());
        place
    }

    /// The hosts of as many of its replicas as there is memory for; `None` where memory does not decide.
    fn place(&mut self, name: &str, entry: &ComponentEntry) -> Option<Vec<u32>> {
        let (settings, needs) = (&entry.settings, entry.settings.memory_requested());
        let hosts = settings.hosts().filter(|_| needs > 0)?;
        let group = self.scenario.hosts.get(hosts.on.as_str())?;
        let size = group.memory?.size;
        let free = self.free.entry(hosts.on.as_str().to_string()).or_insert_with(|| vec![size.0; group.count as usize]);
        let placed = place_in_memory(hosts.placement, settings.replicas(), needs, free);
        if placed.len() == settings.replicas() as usize {
            return Some(placed);
        }
        let at = Path::of(&["components", name, "replicas"]);
        let needs = Size(needs).write();
        let problem = if placed.is_empty() {
            let message = format!("no host of `{}` has {needs} of memory left for a replica", hosts.on.as_str());
            let help = "lower `memory.request`, or add `memory` or `count` to the hosts";
            Problem::error("does_not_fit", hosts.on.span, message).help(help.to_string())
        } else {
            let message = format!(
                "{} of {} replicas are placed: no host of `{}` has {needs} of memory left for another one",
                placed.len(),
                settings.replicas(),
                hosts.on.as_str()
            );
            Problem::warning("does_not_fit", hosts.on.span, message).help("the others wait for room".to_string())
        };
        self.problems.push(problem.path(at));
        // The rest can be checked all the same.
        Some(if placed.is_empty() { vec![0; settings.replicas() as usize] } else { placed })
    }

    fn link(&mut self, caller: &str, name: &str, settings: &LinkSettings) -> LinkEntry {
        LinkEntry {
            name: name.to_string(),
            group: self.engine.add_group(&format!("{caller}.{name}")),
            targets: Vec::new(),
            target_names: settings.to.iter().map(|t| t.to.as_str().to_string()).collect(),
        }
    }

    fn consumer(&mut self, component: &str, settings: &ConsumeSettings) -> ConsumerEntry {
        if let Some(op) = &settings.op {
            self.add_op(op.as_str());
        }
        let name = format!("{component}.consumes.{}", settings.from.as_str());
        ConsumerEntry { group: self.engine.add_group(&name), name, from: None, path: 0, rtt: 0 }
    }

    /// The first of so many nodes.
    fn nodes(&mut self, count: u32) -> NodeId {
        let first = NodeId(self.next_node);
        self.next_node += count;
        first
    }

    fn add_op(&mut self, op: &str) {
        if !self.ops.contains_key(op) && self.ops.len() < OPS_MAX {
            self.ops.insert(op.to_string(), self.ops.len() as u16);
        } else if !self.ops.contains_key(op) && !self.has_too_many_ops {
            self.has_too_many_ops = true;
            let message = format!("requests use more than {OPS_MAX} different operations");
            self.problems
                .push(Problem::error("too_many", settings::Span::NOWHERE, message).path(Path::of(&["workloads"])));
        }
    }

    /// The operations, in the order of their numbers.
    fn into_ops(self) -> Vec<String> {
        let mut ops: Vec<(u16, String)> = self.ops.into_iter().map(|(op, number)| (number, op)).collect();
        ops.sort_unstable();
        ops.into_iter().map(|(_, op)| op).collect()
    }

    /// The name of a region, which must be one of the scenario's.
    fn region(&mut self, region: Option<&Spanned<Name>>) -> Option<String> {
        let region = region?;
        if !self.scenario.regions.names().any(|known| known == region.as_str()) {
            let known = self.scenario.regions.names();
            let problem = Problem::unknown_name("region", region.as_str(), region.span, known);
            self.problems.push(problem.path(region.path.clone()));
        }
        Some(region.as_str().to_string())
    }
}

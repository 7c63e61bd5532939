//! Figures of hosts in each window, for the views of a running simulation.

use std::collections::BTreeMap;
use std::sync::Arc;

use sim_core::time::SECOND;
use sim_core::{ContainerNow, CpuId, MachineNow, Time};

use super::Session;
use crate::result::{HostNow, OnHost};

/// Limit above which hosts are not observed one by one.
const HOSTS_MAX: usize = 200;

/// The hosts when the last window closed, and the sums at that time, which the next window subtracts.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostWatch {
    since: Time,
    machines: BTreeMap<u32, MachineNow>,
    containers: BTreeMap<CpuId, ContainerNow>,
    now: Arc<Vec<HostNow>>,
}

impl HostWatch {
    /// Restarts the sums at 0.
    pub(super) fn begin_anew(&mut self) {
        self.machines.clear();
        self.containers.clear();
    }

    /// The hosts when the last window closed.
    pub(crate) fn now(&self) -> Arc<Vec<HostNow>> {
        Arc::clone(&self.now)
    }
}

/// The increase of a sum over the window, per unit of `span`.
fn over(more: u128, before: Option<u128>, span: f64) -> f64 {
    if span > 0.0 { more.saturating_sub(before.unwrap_or(0)) as f64 / span } else { 0.0 }
}

impl Session {
    /// Takes the figures of every host.
    pub(super) fn look_at_hosts(&mut self) {
        if self.network.directory.hosts.is_empty() || self.only_asked {
            return;
        }
        let now = self.network.engine.now();
        let span = (now - self.hosts.since) as f64;
        let mut seen = HostWatch { since: now, ..HostWatch::default() };
        let mut hosts: Vec<HostNow> = Vec::new();
        let mut at: BTreeMap<u32, usize> = BTreeMap::new();
        for group in &self.network.directory.hosts {
            for number in (0..group.count).take(HOSTS_MAX.saturating_sub(hosts.len())) {
                let machine = group.first_machine + number;
                let name = if group.count == 1 { group.name.clone() } else { format!("{}[{number}]", group.name) };
                let sums = self.network.engine.machine_now(machine);
                at.insert(machine, hosts.len());
                let memory = self.network.engine.memories().machine_now(machine);
                hosts.push(HostNow {
                    memory: memory.map(|now| now.used.resident),
                    memory_size: memory.and_then(|now| now.size),
                    ..host(name, &sums, self.hosts.machines.get(&machine), span)
                });
                seen.machines.insert(machine, sums);
            }
        }
        let workloads = self.network.directory.workloads.len();
        for component in 0..self.network.directory.components.len() {
            for (_, node) in self.fleet(component).present() {
                for cpu in self.network.engine.cpus_of(node) {
                    let Some(host) = at.get(&cpu.machine).map(|at| &mut hosts[*at]) else { continue };
                    let sums = self.network.engine.container_now(*cpu);
                    let before = self.hosts.containers.get(cpu);
                    add(&mut host.components, workloads + component, &sums, before, span);
                    if let (Some(on), Some(used)) =
                        (host.components.last_mut(), self.network.engine.memories().of_node(node))
                    {
                        on.memory = Some(on.memory.unwrap_or(0) + used.resident);
                    }
                    seen.containers.insert(*cpu, sums);
                }
            }
        }
        for on in hosts.iter_mut().flat_map(|host| &mut host.components) {
            on.throttled = on.throttled.map(|sum| sum / f64::from(on.replicas.max(1)));
        }
        seen.now = Arc::new(hosts);
        self.hosts = seen;
    }
}

fn host(name: String, sums: &MachineNow, before: Option<&MachineNow>, span: f64) -> HostNow {
    let switched_before = before.and_then(|before| before.switched);
    HostNow {
        name,
        cores: sums.cores,
        cores_left: sums.cores_left,
        cpu: over(sums.busy, before.map(|before| before.busy), span * sums.cores),
        runnable: sums.runnable,
        switches: sums.switched.map(|switched| {
            let before = switched_before.map(|before| u128::from(before.count));
            over(u128::from(switched.count), before, span / SECOND as f64)
        }),
        switch_cpu: sums
            .switched
            .map(|switched| over(switched.spent, switched_before.map(|before| before.spent), span)),
        credits_s: sums.credits.map(|credits| credits as f64 / SECOND as f64),
        memory: None,
        memory_size: None,
        components: Vec::new(),
    }
}

/// Adds a replica to the replicas of its component.
fn add(components: &mut Vec<OnHost>, node: usize, sums: &ContainerNow, before: Option<&ContainerNow>, span: f64) {
    if components.last().is_none_or(|last| last.node != node) {
        components.push(OnHost { node, ..OnHost::default() });
    }
    let Some(on) = components.last_mut() else { return };
    on.replicas += 1;
    on.runnable += sums.runnable;
    on.cores += over(sums.busy, before.map(|before| before.busy), span);
    on.limit = sums.limit.map(|limit| on.limit.unwrap_or(0.0) + limit);
    if let Some(throttling) = sums.throttling {
        let before = before.and_then(|before| before.throttling).unwrap_or_default();
        let periods = throttling.periods.saturating_sub(before.periods);
        let throttled = throttling.throttled.saturating_sub(before.throttled);
        // A container throttled at the border counts in the window in which its throttling began.
        let share = if periods > 0 { (throttled as f64 / periods as f64).min(1.0) } else { 0.0 };
        on.throttled = Some(on.throttled.unwrap_or(0.0) + share);
    }
}

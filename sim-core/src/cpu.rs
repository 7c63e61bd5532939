//! The machines of a network: cores that the work of nodes shares.
//!
//! A machine is a [`Host`] of containers; a node that has cores of its own is the one container of a machine of its own.
//! The engine keeps one timer a machine, for whatever completes next there.

use std::collections::VecDeque;

use crate::calendar::TimerId;
use crate::calls::NodeId;
use crate::sharing::{Container, Host, JobId};
use crate::slab::Slab;
use crate::time::{Span, Time};
use crate::timer::Timer;

/// A container on a machine: what a node's work runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CpuId {
    /// The machine.
    pub machine: u32,
    /// The container on it.
    pub container: Container,
}

/// Work under way on a core, to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuJob {
    job: JobId,
    number: u32,
}

#[derive(Clone, Debug)]
struct Machine {
    host: Host,
    /// The cores that it has when nobody takes any.
    cores: f64,
    /// Which share of them each acting fault leaves, by its number.
    left: Vec<(u32, f64)>,
    timer: Option<TimerId>,
    /// Busy core-time at the end of the warm-up, of the machine and of each container.
    busy_before: u128,
    containers: Vec<(Container, u128)>,
    /// The most cores that each container may use, when it is not frozen.
    limits: Vec<Option<f64>>,
}

/// The machines of an engine while its network is built, for whoever builds one node without knowing the others' type.
pub struct Machines<'a> {
    pub(crate) cpus: &'a mut Cpus,
    /// What each node runs on, by number.
    pub(crate) of_nodes: &'a mut Vec<Vec<CpuId>>,
}

impl Machines<'_> {
    /// Adds a machine with so many cores; its number.
    pub fn add(&mut self, cores: f64) -> u32 {
        self.cpus.add_machine(cores)
    }

    /// Lets a node run on a machine, in a container with this share under contention and the most cores that it may use.
    pub fn place(&mut self, node: NodeId, machine: u32, weight: u32, limit: Option<f64>) -> CpuId {
        let cpu = self.cpus.add_container(machine, weight, limit);
        self.of_nodes[node.0 as usize].push(cpu);
        cpu
    }
}

/// All machines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpus {
    machines: Vec<Machine>,
    /// Whom to tell: node, its epoch, its timer; by the job's number.
    jobs: Slab<(NodeId, u16, Timer)>,
    /// Jobs that are complete and have not been told of yet.
    due: VecDeque<u32>,
    /// Room for what completes at one instant.
    done: Vec<u32>,
}

impl Cpus {
    pub(crate) fn add_machine(&mut self, cores: f64) -> u32 {
        self.machines.push(Machine {
            host: Host::new(cores),
            cores,
            left: Vec::new(),
            timer: None,
            busy_before: 0,
            containers: Vec::new(),
            limits: Vec::new(),
        });
        (self.machines.len() - 1) as u32
    }

    pub(crate) fn add_container(&mut self, machine: u32, weight: u32, limit: Option<f64>) -> CpuId {
        let m = &mut self.machines[machine as usize];
        let container = m.host.add_container(0, weight, limit);
        m.containers.push((container, 0));
        m.limits.push(limit);
        CpuId { machine, container }
    }

    pub(crate) fn add(&mut self, now: Time, cpu: CpuId, work: Span, tell: (NodeId, u16, Timer)) -> CpuJob {
        let number = self.jobs.insert(tell);
        let job = self.machines[cpu.machine as usize].host.add(now, cpu.container, number, work);
        CpuJob { job, number }
    }

    /// What was left of it; `None` if it is complete.
    pub(crate) fn remove(&mut self, now: Time, cpu: CpuId, job: CpuJob) -> Option<Span> {
        let Some(left) = self.machines[cpu.machine as usize].host.remove(now, job.job) else {
            // Complete, but with others at this instant, so that it can still be untold.
            let at = self.due.iter().position(|number| *number == job.number)?;
            self.due.remove(at);
            self.jobs.remove(job.number);
            return Some(0);
        };
        self.jobs.remove(job.number);
        Some(left)
    }

    /// Finds what has completed, in order; [`Cpus::next_due`] says whom to tell.
    pub(crate) fn complete(&mut self, now: Time, machine: u32) {
        self.machines[machine as usize].host.complete_due(now, &mut self.done);
        self.due.extend(self.done.drain(..));
    }

    /// Whom to tell next that its work is complete.
    pub(crate) fn next_due(&mut self) -> Option<(NodeId, u16, Timer)> {
        let number = self.due.pop_front()?;
        self.jobs.remove(number)
    }

    /// All work of a container ends without completing.
    pub(crate) fn clear(&mut self, now: Time, cpu: CpuId) {
        let mut numbers = Vec::new();
        self.machines[cpu.machine as usize].host.clear(now, cpu.container, &mut numbers);
        for number in numbers {
            self.jobs.remove(number);
        }
    }

    pub(crate) fn set_speed(&mut self, now: Time, cpu: CpuId, factor: f64) {
        self.machines[cpu.machine as usize].host.set_container_speed(now, cpu.container, factor);
    }

    /// All work of a container stands still, or goes on.
    pub(crate) fn freeze(&mut self, now: Time, cpu: CpuId, frozen: bool) {
        let m = &mut self.machines[cpu.machine as usize];
        let limit = m.containers.iter().position(|(c, _)| *c == cpu.container).and_then(|at| m.limits[at]);
        m.host.set_limit(now, cpu.container, if frozen { Some(0.0) } else { limit });
    }

    /// Fault number `fault` leaves a share of a machine's cores, or all of them again.
    pub(crate) fn leave(&mut self, now: Time, machine: u32, fault: u32, share: Option<f64>) {
        let m = &mut self.machines[machine as usize];
        m.left.retain(|(f, _)| *f != fault);
        m.left.extend(share.map(|share| (fault, share)));
        let cores = m.left.iter().fold(m.cores, |cores, (_, share)| cores * share);
        m.host.set_capacity(now, cores);
    }

    /// The timer that is set for a machine, and when something completes next there.
    pub(crate) fn due(&mut self, machine: u32) -> (Option<TimerId>, Option<Time>) {
        let m = &mut self.machines[machine as usize];
        (m.timer.take(), m.host.next_completion())
    }

    pub(crate) fn armed(&mut self, machine: u32, timer: Option<TimerId>) {
        self.machines[machine as usize].timer = timer;
    }

    pub(crate) fn len(&self) -> usize {
        self.machines.len()
    }

    pub(crate) fn cores(&self, machine: u32) -> f64 {
        self.machines[machine as usize].host.cores()
    }

    /// Core-nanoseconds used since the end of the warm-up.
    pub(crate) fn busy(&self, now: Time, cpu: CpuId) -> u128 {
        let m = &self.machines[cpu.machine as usize];
        let before = m.containers.iter().find(|(c, _)| *c == cpu.container).map_or(0, |(_, b)| *b);
        m.host.container_busy(now, cpu.container) - before
    }

    /// The same of a whole machine.
    pub(crate) fn machine_busy(&self, now: Time, machine: u32) -> u128 {
        let m = &self.machines[machine as usize];
        m.host.busy(now) - m.busy_before
    }

    pub(crate) fn begin_measuring(&mut self, now: Time) {
        for machine in &mut self.machines {
            machine.busy_before = machine.host.busy(now);
            for (container, before) in &mut machine.containers {
                *before = machine.host.container_busy(now, *container);
            }
        }
    }
}

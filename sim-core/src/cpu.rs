//! The machines of a network: cores that the work of nodes shares.
//!
//! A machine is a [`Host`] of containers; a node that has cores of its own is the one container of a machine of its own.
//! The engine keeps one timer a machine, for whatever completes next there.

use std::collections::VecDeque;

use crate::calendar::TimerId;
use crate::calls::NodeId;
use crate::figures::{Figure, Figures, Set};
use crate::quota::{Quota, Throttling};
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

/// Periods of a quota in which it was spent.
const THROTTLED: Figure = Figure::share(
    "throttled",
    "Share of the periods of 100 ms, of those in which it ran, in which the quota of its cores was spent and it stood still for \
     the rest. Only with `cpu.limit`.",
)
.kept();

/// How long it stood still.
const THROTTLED_TIME: Figure = Figure::share(
    "throttled_time",
    "Share of the time for which it stood still since the quota of its cores was spent. Only with `cpu.limit`.",
);

/// What is reported of quotas.
pub const FIGURES: Set = &[&THROTTLED, &THROTTLED_TIME];

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
    /// Those that a pause makes stand still.
    frozen: Vec<Container>,
    /// What containers may use in a period, of those that have a quota.
    quotas: Vec<(Container, Quota)>,
    /// Since when is measured.
    measured_from: Time,
}

impl Machine {
    fn quota(&self, container: Container) -> Option<&Quota> {
        self.quotas.iter().find(|(of, _)| *of == container).map(|(_, quota)| quota)
    }

    /// Periods pass until `now`, before anything changes then.
    fn advance_quotas(&mut self, now: Time) {
        for at in 0..self.quotas.len() {
            let (container, quota) = &mut self.quotas[at];
            let (container, host) = (*container, &self.host);
            let runs = host.container_using(container) > 0;
            if quota.advance(now, runs, |at| host.container_busy(at, container)) {
                self.let_run(now, container);
            }
        }
    }

    /// Those stand still whose quotas are spent, and have something to run.
    fn throttle(&mut self, now: Time) {
        for at in 0..self.quotas.len() {
            let container = self.quotas[at].0;
            if self.host.container_len(container) == 0 {
                continue;
            }
            let used = self.host.container_busy(now, container);
            let quota = &mut self.quotas[at].1;
            quota.begin(now, used);
            if !quota.is_throttled() && used >= quota.bound() {
                quota.throttle(now);
                self.let_run(now, container);
            }
        }
    }

    /// A container runs or stands still, as its quota and pauses have it.
    fn let_run(&mut self, now: Time, container: Container) {
        let stands = self.frozen.contains(&container) || self.quota(container).is_some_and(Quota::is_throttled);
        self.host.set_limit(now, container, stands.then_some(0.0));
    }

    /// When a quota is spent or comes anew.
    fn next_of_quotas(&self) -> Option<Time> {
        let next = |(container, quota): &(Container, Quota)| {
            let spent = self.host.container_reaches(*container, quota.bound());
            let spent = spent.filter(|_| self.host.container_using(*container) > 0);
            let using = u128::from(self.host.container_using(*container));
            let binds = using * u128::from(crate::quota::PERIOD) > u128::from(quota.of_a_period()) * 1_000_000;
            quota.next(spent, binds)
        };
        self.quotas.iter().filter_map(next).min()
    }
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

    /// Lets a node run on a machine, in a container with this share under contention, and a quota of so many cores.
    pub fn place(&mut self, node: NodeId, machine: u32, weight: u32, quota: Option<f64>) -> CpuId {
        let cpu = self.cpus.add_container(machine, weight, quota);
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
            frozen: Vec::new(),
            quotas: Vec::new(),
            measured_from: 0,
        });
        (self.machines.len() - 1) as u32
    }

    pub(crate) fn add_container(&mut self, machine: u32, weight: u32, quota: Option<f64>) -> CpuId {
        let m = &mut self.machines[machine as usize];
        let container = m.host.add_container(0, weight, None);
        m.containers.push((container, 0));
        m.quotas.extend(quota.map(|cores| (container, Quota::new(cores))));
        CpuId { machine, container }
    }

    pub(crate) fn add(&mut self, now: Time, cpu: CpuId, work: Span, tell: (NodeId, u16, Timer)) -> CpuJob {
        let number = self.jobs.insert(tell);
        let job = self.machine(now, cpu.machine).host.add(now, cpu.container, number, work);
        CpuJob { job, number }
    }

    /// What was left of it; `None` if it is complete.
    pub(crate) fn remove(&mut self, now: Time, cpu: CpuId, job: CpuJob) -> Option<Span> {
        let Some(left) = self.machine(now, cpu.machine).host.remove(now, job.job) else {
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
        let m = &mut self.machines[machine as usize];
        if !m.quotas.is_empty() {
            m.advance_quotas(now);
        }
        m.host.complete_due(now, &mut self.done);
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
        self.machine(now, cpu.machine).host.clear(now, cpu.container, &mut numbers);
        for number in numbers {
            self.jobs.remove(number);
        }
    }

    pub(crate) fn set_speed(&mut self, now: Time, cpu: CpuId, factor: f64) {
        self.machine(now, cpu.machine).host.set_container_speed(now, cpu.container, factor);
    }

    /// All work of a container stands still, or goes on.
    pub(crate) fn freeze(&mut self, now: Time, cpu: CpuId, frozen: bool) {
        let m = self.machine(now, cpu.machine);
        m.frozen.retain(|container| *container != cpu.container);
        if frozen {
            m.frozen.push(cpu.container);
        }
        m.let_run(now, cpu.container);
    }

    /// A machine on which something is about to change.
    #[inline]
    fn machine(&mut self, now: Time, machine: u32) -> &mut Machine {
        let m = &mut self.machines[machine as usize];
        if !m.quotas.is_empty() {
            m.advance_quotas(now);
        }
        m
    }

    /// Fault number `fault` leaves a share of a machine's cores, or all of them again.
    pub(crate) fn leave(&mut self, now: Time, machine: u32, fault: u32, share: Option<f64>) {
        let m = self.machine(now, machine);
        m.left.retain(|(f, _)| *f != fault);
        m.left.extend(share.map(|share| (fault, share)));
        let cores = m.left.iter().fold(m.cores, |cores, (_, share)| cores * share);
        m.host.set_capacity(now, cores);
    }

    /// The timer that is set for a machine, and when something completes next there, or a quota is spent or comes anew.
    pub(crate) fn due(&mut self, now: Time, machine: u32) -> (Option<TimerId>, Option<Time>) {
        let m = &mut self.machines[machine as usize];
        if m.quotas.is_empty() {
            return (m.timer.take(), m.host.next_completion());
        }
        m.throttle(now);
        let next = m.host.next_completion().into_iter().chain(m.next_of_quotas()).min();
        (m.timer.take(), next)
    }

    /// How long a container has stood still since the end of the warm-up because its quota was spent.
    pub(crate) fn stood(&self, now: Time, cpu: CpuId) -> Span {
        self.throttling(now, cpu).map_or(0, |throttling| throttling.stood)
    }

    fn throttling(&self, now: Time, cpu: CpuId) -> Option<Throttling> {
        let m = &self.machines[cpu.machine as usize];
        let mut quota = m.quota(cpu.container)?.clone();
        // Periods have passed since anything changed.
        quota.advance(now, m.host.container_using(cpu.container) > 0, |at| m.host.container_busy(at, cpu.container));
        Some(quota.throttling(now))
    }

    /// Reports what a quota has done.
    pub(crate) fn figures(&self, now: Time, cpu: CpuId, figures: &mut Figures) {
        if let Some(Throttling { periods, throttled, stood }) = self.throttling(now, cpu) {
            figures.ratio(&THROTTLED, throttled, periods);
            let from = self.machines[cpu.machine as usize].measured_from;
            figures.ratio(&THROTTLED_TIME, stood, now.saturating_sub(from));
        }
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
            machine.measured_from = now;
            machine.advance_quotas(now);
            machine.quotas.iter_mut().for_each(|(_, quota)| quota.begin_measuring(now));
            for (container, before) in &mut machine.containers {
                *before = machine.host.container_busy(now, *container);
            }
        }
    }
}

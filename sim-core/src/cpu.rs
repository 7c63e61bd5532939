//! The machines of a network: cores shared by the work of nodes.
//!
//! A machine has containers; a node with cores of its own is the only container of a machine of its own. The engine
//! keeps one timer per machine, set to the next completion there.

use std::collections::VecDeque;

use crate::calendar::TimerId;
use crate::calls::NodeId;
use crate::cores::Cores;
use crate::credits::{Credits, Earning};
use crate::figures::{Figure, Figures, Set};
use crate::gauge::Gauge;
use crate::memory::{Commit, Memories, MemoryId};
use crate::quota::{Quota, Throttling};
use crate::sharing::{Container, JobId};
use crate::slab::Slab;
use crate::sockets::Sockets;
use crate::time::{Span, Time};
use crate::timer::Timer;
use crate::turns::{Switched, Turning};

/// A container on a machine, in which a node's work runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CpuId {
    /// The machine.
    pub machine: u32,
    /// The container on it.
    pub container: Container,
}

/// Share of periods in which the quota was spent.
const THROTTLED: Figure = Figure::share(
    "throttled",
    "Share of the active 100 ms periods in which the CPU quota ran out and the replica was throttled. Only with `cpu.limit`.",
)
.kept();

/// Share of time throttled.
const THROTTLED_TIME: Figure =
    Figure::share("throttled_time", "Share of the time during which the replica was throttled. Only with `cpu.limit`.");

/// Share of the quota in use.
const QUOTA_USED: Figure =
    Figure::share("quota_used", "Share of the CPU quota in use, time average. Only with `cpu.limit`.");

/// The figures reported for quotas.
pub const FIGURES: Set = &[&THROTTLED, &THROTTLED_TIME, &QUOTA_USED];

/// Number of tasks that run or wait for a core.
const RUNNABLE: Figure =
    Figure::gauge("runnable", "Tasks that run on or wait for a core of the hosts, time average.").kept();
/// Number of context switches.
const SWITCHES: Figure = Figure::count("switches", "Context switches on the hosts. Only with `scheduler`.");
/// Cores spent on context switches.
const SWITCH_CPU: Figure =
    Figure::gauge("switch_cpu", "Cores that context switches keep busy, time average. Only with `scheduler`.");
/// Credit balance.
const CREDITS: Figure =
    Figure::level("credits", "CPU credits of the hosts at the end. Only with `credits`.").in_seconds().sampled();

/// The figures reported for machines.
pub const FIGURES_OF_MACHINES: Set = &[&RUNNABLE, &SWITCHES, &SWITCH_CPU, &CREDITS];

/// The state of a machine at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MachineNow {
    /// Its cores.
    pub cores: f64,
    /// The cores that faults and credits leave available.
    pub cores_left: f64,
    /// Tasks that run or wait for a core.
    pub runnable: u64,
    /// Core-nanoseconds used since the end of the warm-up.
    pub busy: u128,
    /// Context switches since the end of the warm-up; `None` if cores are shared fluidly.
    pub switched: Option<Switched>,
    /// Credit balance, core-nanoseconds; `None` without credits.
    pub credits: Option<u64>,
}

/// The state of a container at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContainerNow {
    /// Tasks that run or wait for a core.
    pub runnable: u64,
    /// Core-nanoseconds used since the end of the warm-up.
    pub busy: u128,
    /// Quota, in cores.
    pub limit: Option<f64>,
    /// Throttling since the end of the warm-up.
    pub throttling: Option<Throttling>,
}

/// A job on a core, for removing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuJob {
    job: JobId,
    number: u32,
}

#[derive(Clone, Debug)]
struct Machine {
    host: Cores,
    /// Number of cores without faults and credits.
    cores: f64,
    /// The share of the cores that each active fault leaves, by the fault's number.
    left: Vec<(u32, f64)>,
    timer: Option<TimerId>,
    /// Core-time used until the end of the warm-up, by the machine and by each container.
    busy_before: u128,
    containers: Vec<(Container, u128)>,
    /// Containers stopped by a pause.
    frozen: Vec<Container>,
    /// The quotas of the containers that have one, by container.
    quotas: Vec<(Container, Quota)>,
    /// Sorted indices into `quotas` of the containers that have jobs or are throttled; the others need no updates.
    active: Vec<u32>,
    credits: Option<Box<Credits>>,
    /// Number of jobs, over time.
    runnable: Gauge,
    /// Start of measuring.
    measured_from: Time,
}

impl Machine {
    fn quota(&self, container: Container) -> Option<&Quota> {
        let at = self.quotas.binary_search_by_key(&container, |(of, _)| *of).ok()?;
        Some(&self.quotas[at].1)
    }

    /// Advances the quotas to `now`, before any change at that instant.
    fn advance_quotas(&mut self, now: Time) {
        for at in 0..self.active.len() {
            self.advance_quota(now, self.active[at] as usize);
        }
    }

    fn advance_quota(&mut self, now: Time, at: usize) {
        let (container, quota) = &mut self.quotas[at];
        let (container, host) = (*container, &self.host);
        let runs = host.container_using(container) > 0;
        if quota.advance(now, runs, |at| host.container_busy(at, container)) {
            self.let_run(now, container);
        }
    }

    /// Marks a container as active, because it is about to get a job.
    fn activate(&mut self, now: Time, container: Container) {
        let Ok(at) = self.quotas.binary_search_by_key(&container, |(of, _)| *of) else { return };
        if let Err(place) = self.active.binary_search(&(at as u32)) {
            // Catches up on the periods that have passed.
            self.advance_quota(now, at);
            self.active.insert(place, at as u32);
        }
    }

    /// Throttles the containers with jobs whose quota is spent.
    fn throttle(&mut self, now: Time) {
        let (quotas, host) = (&self.quotas, &self.host);
        self.active.retain(|at| {
            let (container, quota) = &quotas[*at as usize];
            host.container_len(*container) > 0 || quota.is_throttled()
        });
        for nth in 0..self.active.len() {
            let at = self.active[nth] as usize;
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

    /// Stops or resumes a container according to its quota and pauses.
    fn let_run(&mut self, now: Time, container: Container) {
        let stands = self.frozen.contains(&container) || self.quota(container).is_some_and(Quota::is_throttled);
        self.host.set_standing(now, container, stands);
    }

    /// Advances the credits to `now`, before any change at that instant; the number of usable cores may change.
    fn advance_credits(&mut self, now: Time) {
        let used = self.host.busy(now);
        if self.credits.as_mut().is_some_and(|credits| credits.advance(now, used)) {
            self.set_capacity(now);
        }
    }

    /// Sets the cores that faults and credits leave available.
    fn set_capacity(&mut self, now: Time) {
        let cores = self.left.iter().fold(self.cores, |cores, (_, share)| cores * share);
        let bound = self.credits.as_ref().and_then(|credits| credits.bound());
        self.host.set_capacity(now, bound.map_or(cores, |bound| cores.min(bound)));
    }

    /// Advances quotas and credits to `now`.
    #[inline]
    fn advance(&mut self, now: Time) {
        if !self.quotas.is_empty() {
            self.advance_quotas(now);
        }
        if self.credits.is_some() {
            self.advance_credits(now);
        }
    }

    /// When the next quota is spent or renewed.
    fn next_of_quotas(&self) -> Option<Time> {
        let next = |(container, quota): &(Container, Quota)| {
            let spent = self.host.container_reaches(*container, quota.bound());
            let spent = spent.filter(|_| self.host.container_using(*container) > 0);
            let using = u128::from(self.host.container_using(*container));
            let binds = using * u128::from(crate::quota::PERIOD) > u128::from(quota.of_a_period()) * 1_000_000;
            quota.next(spent, binds)
        };
        self.active.iter().filter_map(|at| next(&self.quotas[*at as usize])).min()
    }
}

/// The machines of an engine while its network is being built, for code that builds one node without knowing the node
/// type.
pub struct Machines<'a> {
    pub(crate) cpus: &'a mut Cpus,
    /// The containers of each node, by node number.
    pub(crate) of_nodes: &'a mut Vec<Vec<CpuId>>,
    pub(crate) memories: &'a mut Memories,
    pub(crate) sockets: &'a mut Sockets,
}

impl Machines<'_> {
    /// Opens an account for the memory of a node, on its machine or on none that matters.
    pub fn open_memory(&mut self, node: NodeId, machine: Option<u32>) -> MemoryId {
        self.memories.open(node, machine)
    }

    /// So many connections may wait until a node accepts them.
    pub fn listen(&mut self, node: NodeId, backlog: u32) {
        self.sockets.listen(node, backlog);
    }

    /// A machine has so many ports for each callee, which closed connections keep for so long.
    pub fn limit_ports(&mut self, machine: u32, count: u32, time_wait: Span) {
        self.sockets.limit_ports(machine, count, time_wait);
    }

    /// A machine has so much memory.
    pub fn equip(&mut self, machine: u32, size: u64, commit: Commit) {
        self.memories.equip(machine, size, commit);
    }

    /// Adds a machine with this many cores and returns its number.
    pub fn add(&mut self, cores: f64) -> u32 {
        self.cpus.add_machine(cores, None, None)
    }

    /// The same with time-sliced cores, or with credits.
    pub fn add_host(&mut self, cores: f64, turning: Option<Turning>, earning: Option<Earning>) -> u32 {
        self.cpus.add_machine(cores, turning, earning)
    }

    /// Places a node on a machine, in a container with this weight under contention and an optional quota in cores.
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
    /// The recipient of each job's completion: node, epoch and timer, by job number.
    jobs: Slab<(NodeId, u16, Timer)>,
    /// Completed jobs whose nodes have not been notified yet.
    due: VecDeque<u32>,
    /// Buffer for the completions of one instant.
    done: Vec<u32>,
}

impl Cpus {
    pub(crate) fn add_machine(&mut self, cores: f64, turning: Option<Turning>, earning: Option<Earning>) -> u32 {
        let mut machine = Machine {
            host: Cores::new(cores, turning),
            cores,
            left: Vec::new(),
            timer: None,
            busy_before: 0,
            containers: Vec::new(),
            frozen: Vec::new(),
            quotas: Vec::new(),
            active: Vec::new(),
            credits: earning.map(|earning| Box::new(Credits::new(earning))),
            runnable: Gauge::new(0, 0),
            measured_from: 0,
        };
        if earning.is_some() {
            machine.set_capacity(0);
        }
        self.machines.push(machine);
        (self.machines.len() - 1) as u32
    }

    pub(crate) fn add_container(&mut self, machine: u32, weight: u32, quota: Option<f64>) -> CpuId {
        let m = &mut self.machines[machine as usize];
        let container = m.host.add_container(0, weight);
        m.containers.push((container, 0));
        m.quotas.extend(quota.map(|cores| (container, Quota::new(cores))));
        CpuId { machine, container }
    }

    pub(crate) fn add(&mut self, now: Time, cpu: CpuId, work: Span, tell: (NodeId, u16, Timer)) -> CpuJob {
        let number = self.jobs.insert(tell);
        let m = self.machine(now, cpu.machine);
        if !m.quotas.is_empty() {
            m.activate(now, cpu.container);
        }
        let job = m.host.add(now, cpu.container, number, work);
        CpuJob { job, number }
    }

    /// Removes a job and returns its remaining work; `None` if it is complete.
    pub(crate) fn remove(&mut self, now: Time, cpu: CpuId, job: CpuJob) -> Option<Span> {
        let Some(left) = self.machine(now, cpu.machine).host.remove(now, job.job) else {
            // The job is complete, but together with others at this instant, so its node may not have been notified
            // yet.
            let at = self.due.iter().position(|number| *number == job.number)?;
            self.due.remove(at);
            self.jobs.remove(job.number);
            return Some(0);
        };
        self.jobs.remove(job.number);
        Some(left)
    }

    /// Collects the completed jobs, in order; [`Cpus::next_due`] returns their recipients.
    pub(crate) fn complete(&mut self, now: Time, machine: u32) {
        let m = &mut self.machines[machine as usize];
        m.advance(now);
        m.host.complete_due(now, &mut self.done);
        self.due.extend(self.done.drain(..));
    }

    /// The recipient of the next completion.
    pub(crate) fn next_due(&mut self) -> Option<(NodeId, u16, Timer)> {
        let number = self.due.pop_front()?;
        self.jobs.remove(number)
    }

    /// Removes all jobs of a container without completing them.
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

    /// Stops or resumes all jobs of a container.
    pub(crate) fn freeze(&mut self, now: Time, cpu: CpuId, frozen: bool) {
        let m = self.machine(now, cpu.machine);
        m.frozen.retain(|container| *container != cpu.container);
        if frozen {
            m.frozen.push(cpu.container);
        }
        m.let_run(now, cpu.container);
    }

    /// A machine, advanced to `now`, for a change.
    #[inline]
    fn machine(&mut self, now: Time, machine: u32) -> &mut Machine {
        let m = &mut self.machines[machine as usize];
        m.advance(now);
        m
    }

    /// Sets or removes the share of a machine's cores that fault number `fault` leaves.
    pub(crate) fn leave(&mut self, now: Time, machine: u32, fault: u32, share: Option<f64>) {
        let m = self.machine(now, machine);
        m.left.retain(|(f, _)| *f != fault);
        m.left.extend(share.map(|share| (fault, share)));
        m.set_capacity(now);
    }

    /// The timer currently set for a machine, and the instant of the next completion or quota or credit event there.
    pub(crate) fn due(&mut self, now: Time, machine: u32) -> (Option<TimerId>, Option<Time>) {
        let m = &mut self.machines[machine as usize];
        m.runnable.set(now, m.host.len() as u64);
        if m.quotas.is_empty() && m.credits.is_none() {
            return (m.timer.take(), m.host.next());
        }
        m.throttle(now);
        let spent = m.credits.as_ref().and_then(|credits| credits.spent_at(m.host.using()));
        let next = m.host.next().into_iter().chain(m.next_of_quotas()).chain(spent).min();
        (m.timer.take(), next)
    }

    /// How long a container has been throttled since the end of the warm-up because its quota was spent.
    pub(crate) fn stood(&self, now: Time, cpu: CpuId) -> Span {
        self.throttling(now, cpu).map_or(0, |throttling| throttling.stood)
    }

    fn throttling(&self, now: Time, cpu: CpuId) -> Option<Throttling> {
        let m = &self.machines[cpu.machine as usize];
        let mut quota = m.quota(cpu.container)?.clone();
        // Catches up on the periods that have passed since the last change.
        quota.advance(now, m.host.container_using(cpu.container) > 0, |at| m.host.container_busy(at, cpu.container));
        Some(quota.throttling(now))
    }

    /// Reports the figures of a machine.
    pub(crate) fn figures_of(&self, now: Time, machine: u32, figures: &mut Figures) {
        let m = &self.machines[machine as usize];
        figures.gauge(&RUNNABLE, &m.runnable, now);
        if let Some(Switched { count, spent }) = m.host.switched() {
            figures.count(&SWITCHES, count);
            figures.spent(&SWITCH_CPU, spent);
        }
        if let Some(mut credits) = m.credits.clone() {
            credits.advance(now, m.host.busy(now));
            figures.level(&CREDITS, credits.level());
        }
    }

    /// Reports the figures of a quota.
    pub(crate) fn figures(&self, now: Time, cpu: CpuId, figures: &mut Figures) {
        if let Some(Throttling { periods, throttled, stood }) = self.throttling(now, cpu) {
            figures.ratio(&THROTTLED, throttled, periods);
            let from = self.machines[cpu.machine as usize].measured_from;
            let passed = now.saturating_sub(from);
            figures.ratio(&THROTTLED_TIME, stood, passed);
            if let Some(quota) = self.machines[cpu.machine as usize].quota(cpu.container) {
                let all = u128::from(quota.of_a_period()) * u128::from(passed) / u128::from(crate::quota::PERIOD);
                figures.ratio(&QUOTA_USED, self.busy(now, cpu), all);
            }
        }
    }

    pub(crate) fn armed(&mut self, machine: u32, timer: Option<TimerId>) {
        self.machines[machine as usize].timer = timer;
    }

    pub(crate) fn len(&self) -> usize {
        self.machines.len()
    }

    /// The number of cores of a machine, before faults and credits.
    pub(crate) fn cores(&self, machine: u32) -> f64 {
        self.machines[machine as usize].cores
    }

    /// The current state of a machine.
    pub(crate) fn machine_now(&self, now: Time, machine: u32) -> MachineNow {
        let m = &self.machines[machine as usize];
        let credits = m.credits.clone().map(|mut credits| {
            credits.advance(now, m.host.busy(now));
            credits.level()
        });
        MachineNow {
            cores: m.cores,
            cores_left: m.host.cores(),
            runnable: m.host.len() as u64,
            busy: self.machine_busy(now, machine),
            switched: m.host.switched(),
            credits,
        }
    }

    /// The current state of a container.
    pub(crate) fn container_now(&self, now: Time, cpu: CpuId) -> ContainerNow {
        let m = &self.machines[cpu.machine as usize];
        ContainerNow {
            runnable: m.host.container_len(cpu.container) as u64,
            busy: self.busy(now, cpu),
            limit: m.quota(cpu.container).map(|quota| quota.of_a_period() as f64 / crate::quota::PERIOD as f64),
            throttling: self.throttling(now, cpu),
        }
    }

    /// Core-nanoseconds used since the run began.
    pub(crate) fn used(&self, now: Time, cpu: CpuId) -> u128 {
        self.machines[cpu.machine as usize].host.container_busy(now, cpu.container)
    }

    /// Core-nanoseconds used since the end of the warm-up.
    pub(crate) fn busy(&self, now: Time, cpu: CpuId) -> u128 {
        let m = &self.machines[cpu.machine as usize];
        let before = m.containers.get(cpu.container.index() as usize).map_or(0, |(_, before)| *before);
        m.host.container_busy(now, cpu.container) - before
    }

    /// The same for a whole machine.
    pub(crate) fn machine_busy(&self, now: Time, machine: u32) -> u128 {
        let m = &self.machines[machine as usize];
        m.host.busy(now) - m.busy_before
    }

    pub(crate) fn begin_measuring(&mut self, now: Time) {
        for machine in &mut self.machines {
            machine.busy_before = machine.host.busy(now);
            machine.measured_from = now;
            (0..machine.quotas.len()).for_each(|at| machine.advance_quota(now, at));
            machine.runnable.reset(now);
            machine.host.begin_measuring();
            machine.quotas.iter_mut().for_each(|(_, quota)| quota.begin_measuring(now));
            for (container, before) in &mut machine.containers {
                *before = machine.host.container_busy(now, *container);
            }
        }
    }
}

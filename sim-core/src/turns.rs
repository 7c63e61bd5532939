//! Time slicing: cores that run one job after the other, for a time slice each, with a cost for context switches.
//!
//! A job that gets a core keeps it until it is complete, or until its slice is over and another job waits. A switch to
//! another job occupies the core for a fixed time without doing any work; a previously idle core pays nothing.
//! Containers have weights: the next container is the one with the lowest use relative to its weight, as in fair
//! schedulers (Linux' CFS and EEVDF), and within a container jobs take turns. So a single container gives round robin.
//! When an idle container gets a job, its use is raised to at least that of the container that is next.
//!
//! Not modelled: preemption by arriving jobs, and per-core queues; all cores share one queue.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::sharing::{CORES_MAX, Container, JobId, SPEED, billionths};
use crate::slab::KeyedSlab;
use crate::time::{Span, Time};

/// How cores switch between jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turning {
    /// Length of a time slice while other jobs wait; at least 1.
    pub slice: Span,
    /// Cost of a context switch.
    pub switch: Span,
}

/// Use of a container relative to its weight, in 2⁻²⁰ core-nanoseconds.
type Virtual = u128;

#[derive(Clone, Debug)]
struct Job {
    container: u32,
    key: u32,
    order: u64,
    /// Remaining work at full speed, in billionths of a nanosecond.
    left: u128,
    /// The core that runs the job.
    core: Option<u32>,
}

#[derive(Clone, Debug)]
struct Queue {
    weight: u32,
    /// Whether its jobs are stopped.
    stands: bool,
    speed: u64,
    len: usize,
    waiting: VecDeque<JobId>,
    /// Number of jobs in `waiting` that are still valid.
    waits: usize,
    used_for_weight: Virtual,
    /// The number of cores its jobs have, since when, and the integral of that until then.
    has: u64,
    at: Time,
    used: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Idle,
    /// Switching to a job until that instant.
    Switches {
        job: JobId,
        until: Time,
    },
    /// Working on a job since that instant; its slice ends at `slice_ends`.
    Works {
        job: JobId,
        since: Time,
        slice_ends: Time,
    },
}

#[derive(Clone, Copy, Debug)]
struct Core {
    doing: Doing,
    /// The next instant at which the core needs attention.
    next: Option<Time>,
    /// End of the use already charged to a container.
    charged: Time,
}

/// The cost of context switches since the end of the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switched {
    /// Number of switches.
    pub count: u64,
    /// Core-nanoseconds spent on switches.
    pub spent: u128,
}

/// Cores that run the jobs of containers in time slices.
#[derive(Clone, Debug)]
pub struct Turns {
    turning: Turning,
    /// Total capacity, in millionths of a core.
    capacity: u64,
    speed: u64,
    cores: Vec<Core>,
    idle: BTreeSet<u32>,
    /// When each core needs attention.
    next: BTreeSet<(Time, u32)>,
    queues: Vec<Queue>,
    /// Containers with waiting jobs, ordered by their use relative to their weight.
    ready: BTreeSet<(Virtual, u32)>,
    /// The relative use of the container chosen last, at the time of the choice.
    least: Virtual,
    jobs: KeyedSlab<Job>,
    order: u64,
    switched: Switched,
    /// The number of cores with a job, since when, and the integral of that.
    busy: u64,
    at: Time,
    used: u128,
}

impl Turns {
    /// A set of this many cores (to a millionth); for a fractional number, each core is slower.
    pub fn new(cores: f64, turning: Turning) -> Turns {
        let mut turns = Turns {
            turning: Turning { slice: turning.slice.max(1), ..turning },
            capacity: 0,
            speed: SPEED,
            cores: Vec::new(),
            idle: BTreeSet::new(),
            next: BTreeSet::new(),
            queues: Vec::new(),
            ready: BTreeSet::new(),
            least: 0,
            jobs: KeyedSlab::new(),
            order: 0,
            switched: Switched::default(),
            busy: 0,
            at: 0,
            used: 0,
        };
        turns.set_capacity(0, cores);
        turns
    }

    /// Adds a container with `weight` (at least 1) against the others.
    pub fn add_container(&mut self, now: Time, weight: u32) -> Container {
        self.queues.push(Queue {
            weight: weight.max(1),
            stands: false,
            speed: SPEED,
            len: 0,
            waiting: VecDeque::new(),
            waits: 0,
            used_for_weight: 0,
            has: 0,
            at: now,
            used: 0,
        });
        Container::of(self.queues.len() as u32 - 1)
    }

    /// The number of jobs.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether there are no jobs.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The number of cores.
    pub fn cores(&self) -> f64 {
        self.capacity as f64 / 1e6
    }

    /// The number of jobs in a container.
    pub fn container_len(&self, container: Container) -> usize {
        self.queues[container.index() as usize].len
    }

    /// The number of cores that a container uses, in millionths of a core.
    pub fn container_using(&self, container: Container) -> u64 {
        self.queues[container.index() as usize].has * self.of_a_core()
    }

    /// The number of cores in use, in millionths of a core.
    pub fn using(&self) -> u64 {
        self.busy * self.of_a_core()
    }

    /// Switches since the end of the warm-up.
    pub fn switched(&self) -> Switched {
        self.switched
    }

    /// Resets the measures at the end of the warm-up.
    pub fn begin_measuring(&mut self) {
        self.switched = Switched::default();
    }

    /// The capacity of one core, in millionths.
    fn of_a_core(&self) -> u64 {
        self.capacity / (self.cores.len() as u64).max(1)
    }

    fn speed_of(&self, container: u32) -> u64 {
        let own = u128::from(self.queues[container as usize].speed);
        ((own * u128::from(self.speed)) / u128::from(SPEED)) as u64
    }

    /// Adds a job that the caller knows as `key` to a container; it needs a core for `work` nanoseconds at full speed.
    pub fn add(&mut self, now: Time, container: Container, key: u32, work: Span) -> JobId {
        let (number, left) = (container.index(), u128::from(work) * u128::from(SPEED));
        let job = self.jobs.insert(Job { container: number, key, order: self.order, left, core: None });
        self.order += 1;
        self.queues[number as usize].len += 1;
        self.wait(number, job, false);
        self.fill(now);
        job
    }

    /// Queues a job for a core, behind or ahead of the others in its container.
    fn wait(&mut self, container: u32, job: JobId, first: bool) {
        let queue = &mut self.queues[container as usize];
        match first {
            true => queue.waiting.push_front(job),
            false => queue.waiting.push_back(job),
        }
        queue.waits += 1;
        if queue.waits == 1 && !queue.stands {
            queue.used_for_weight = queue.used_for_weight.max(if queue.has == 0 { self.least } else { 0 });
            self.ready.insert((queue.used_for_weight, container));
        }
    }

    /// Takes the next job to run.
    fn choose(&mut self) -> Option<JobId> {
        let (used, container) = self.ready.first().copied()?;
        self.least = self.least.max(used);
        let queue = &mut self.queues[container as usize];
        let job = loop {
            let job = queue.waiting.pop_front()?;
            if self.jobs.get(job).is_some_and(|job| job.core.is_none()) {
                break job;
            }
        };
        queue.waits -= 1;
        if queue.waits == 0 {
            self.ready.remove(&(used, container));
        }
        Some(job)
    }

    /// Assigns waiting jobs to idle cores.
    fn fill(&mut self, now: Time) {
        while let Some(core) = self.idle.first().copied() {
            let Some(job) = self.choose() else { return };
            self.idle.remove(&core);
            self.begin(now, core, job, false);
        }
    }

    /// Assigns a job to a core, immediately or after a switch.
    fn begin(&mut self, now: Time, core: u32, job: JobId, switches: bool) {
        let Some(at) = self.jobs.get_mut(job) else { return };
        at.core = Some(core);
        let container = at.container;
        self.count(now, container, 1);
        self.cores[core as usize].charged = now;
        if switches && self.turning.switch > 0 {
            self.switched.count += 1;
            self.switched.spent += u128::from(self.turning.switch) * u128::from(self.of_a_core()) / 1_000_000;
            let until = now.saturating_add(self.turning.switch);
            self.set(core, Doing::Switches { job, until }, Some(until));
        } else {
            self.switched.count += u64::from(switches);
            self.work(now, core, job);
        }
    }

    fn work(&mut self, now: Time, core: u32, job: JobId) {
        let slice_ends = now.saturating_add(self.turning.slice);
        let next = self.attention(now, job, slice_ends);
        self.set(core, Doing::Works { job, since: now, slice_ends }, next);
    }

    /// When a job that has worked since `since` completes, or its slice ends.
    fn attention(&self, since: Time, job: JobId, slice_ends: Time) -> Option<Time> {
        let job = self.jobs.get(job)?;
        let speed = u128::from(self.speed_of(job.container));
        let complete = match (job.left, speed) {
            (0, _) => Some(since),
            (_, 0) => None,
            (left, speed) => u64::try_from(left.div_ceil(speed)).ok().and_then(|lasts| since.checked_add(lasts)),
        };
        Some(complete.map_or(slice_ends, |complete| complete.min(slice_ends)))
    }

    fn set(&mut self, core: u32, doing: Doing, next: Option<Time>) {
        let at = &mut self.cores[core as usize];
        if let Some(before) = at.next {
            self.next.remove(&(before, core));
        }
        (at.doing, at.next) = (doing, next);
        self.next.extend(next.map(|next| (next, core)));
    }

    /// Changes the number of cores that the jobs of a container have.
    fn count(&mut self, now: Time, container: u32, change: i64) {
        self.used = self.busy_millionths(now);
        self.at = self.at.max(now);
        self.busy = self.busy.saturating_add_signed(change);
        let each = u128::from(self.of_a_core());
        let queue = &mut self.queues[container as usize];
        queue.used += u128::from(now.saturating_sub(queue.at)) * u128::from(queue.has) * each;
        queue.at = queue.at.max(now);
        queue.has = queue.has.saturating_add_signed(change);
    }

    fn busy_millionths(&self, now: Time) -> u128 {
        self.used + u128::from(now.saturating_sub(self.at)) * u128::from(self.busy) * u128::from(self.of_a_core())
    }

    /// Accounts for a core's work until `now`: reduces the job's remaining work and charges its container.
    fn settle(&mut self, now: Time, core: u32) {
        let at = self.cores[core as usize];
        let job = match at.doing {
            Doing::Idle => return,
            Doing::Switches { job, .. } => job,
            Doing::Works { job, since, slice_ends } => {
                let speed = self.jobs.get(job).map_or(0, |job| self.speed_of(job.container));
                let done = u128::from(now.saturating_sub(since)) * u128::from(speed);
                if let Some(job) = self.jobs.get_mut(job) {
                    job.left = job.left.saturating_sub(done);
                }
                self.cores[core as usize].doing = Doing::Works { job, since: now, slice_ends };
                job
            }
        };
        let Some(container) = self.jobs.get(job).map(|job| job.container) else { return };
        self.charge(container, now.saturating_sub(at.charged));
        self.cores[core as usize].charged = now;
    }

    fn charge(&mut self, container: u32, span: Span) {
        let queue = &mut self.queues[container as usize];
        let before = queue.used_for_weight;
        queue.used_for_weight += (u128::from(span) << 20) / u128::from(queue.weight);
        if self.ready.remove(&(before, container)) {
            self.ready.insert((queue.used_for_weight, container));
        }
    }

    /// Releases a core: it switches to the next job, possibly the same one, or becomes idle.
    fn release(&mut self, now: Time, core: u32, container: u32, had: Option<JobId>) {
        self.count(now, container, -1);
        match self.choose() {
            Some(job) => self.begin(now, core, job, had != Some(job)),
            None => {
                self.set(core, Doing::Idle, None);
                self.idle.insert(core);
            }
        }
    }

    /// When the next job completes or the next slice or switch ends, if nothing changes until then.
    pub fn next_completion(&self) -> Option<Time> {
        self.next.first().map(|(at, _)| *at)
    }

    /// Processes the completions and slice ends up to `now` and appends the caller's keys of the completed jobs to
    /// `done`, in the order in which the jobs began.
    pub fn complete_due(&mut self, now: Time, done: &mut Vec<u32>) {
        let mut complete: Vec<(u64, u32)> = Vec::new();
        while let Some((at, core)) = self.next.first().copied().filter(|(at, _)| *at <= now) {
            self.settle(at, core);
            match self.cores[core as usize].doing {
                Doing::Idle => self.set(core, Doing::Idle, None),
                Doing::Switches { job, .. } => self.work(at, core, job),
                Doing::Works { job, slice_ends, .. } => {
                    let Some(of) = self.jobs.get(job) else { continue };
                    let container = of.container;
                    if of.left == 0 {
                        complete.push((of.order, of.key));
                        self.jobs.remove(job);
                        self.queues[container as usize].len -= 1;
                        self.release(at, core, container, None);
                    } else if slice_ends <= at && !self.ready.is_empty() {
                        if let Some(of) = self.jobs.get_mut(job) {
                            of.core = None;
                        }
                        // The job is queued behind the others before the next one is chosen.
                        self.wait(container, job, false);
                        self.release(at, core, container, Some(job));
                    } else {
                        let slice_ends =
                            if slice_ends <= at { at.saturating_add(self.turning.slice) } else { slice_ends };
                        let next = self.attention(at, job, slice_ends);
                        self.set(core, Doing::Works { job, since: at, slice_ends }, next);
                    }
                }
            }
        }
        complete.sort_unstable();
        done.extend(complete.into_iter().map(|(_, key)| key));
    }

    /// The remaining work of a job, rounded up.
    pub fn left(&self, now: Time, id: JobId) -> Option<Span> {
        let job = self.jobs.get(id)?;
        let done = match job.core.map(|core| self.cores[core as usize].doing) {
            Some(Doing::Works { since, .. }) => {
                u128::from(now.saturating_sub(since)) * u128::from(self.speed_of(job.container))
            }
            _ => 0,
        };
        Some(job.left.saturating_sub(done).div_ceil(u128::from(SPEED)) as Span)
    }

    /// Removes a job and returns the remaining work, rounded up; `None` if the job is complete or gone.
    pub fn remove(&mut self, now: Time, id: JobId) -> Option<Span> {
        let left = self.left(now, id)?;
        let core = self.jobs.get(id)?.core;
        if let Some(core) = core {
            self.settle(now, core);
        }
        let job = self.jobs.remove(id)?;
        let queue = &mut self.queues[job.container as usize];
        queue.len -= 1;
        match core {
            Some(core) => self.release(now, core, job.container, None),
            None => {
                queue.waits -= 1;
                if queue.waits == 0 {
                    self.ready.remove(&(queue.used_for_weight, job.container));
                }
                if queue.waiting.len() > 2 * queue.waits + 32 {
                    let jobs = &self.jobs;
                    queue.waiting.retain(|id| jobs.get(*id).is_some_and(|job| job.core.is_none()));
                }
            }
        }
        Some(left)
    }

    /// Removes all jobs of a container, complete or not, and appends their keys to `gone` in the order in which the
    /// jobs began.
    pub fn clear(&mut self, now: Time, container: Container, gone: &mut Vec<u32>) {
        let number = container.index();
        let working: Vec<JobId> = (0..self.cores.len() as u32).filter_map(|core| self.job_on(core)).collect();
        let waiting: Vec<JobId> = self.queues[number as usize].waiting.iter().copied().collect();
        let mut all = BTreeMap::new();
        for id in waiting.into_iter().chain(working) {
            if let Some(job) = self.jobs.get(id).filter(|job| job.container == number) {
                all.insert(job.order, (id, job.key));
            }
        }
        // Prevents one of them from getting the core of another.
        self.stand(now, number, true);
        for (id, key) in all.into_values() {
            self.remove(now, id);
            gone.push(key);
        }
        self.stand(now, number, false);
    }

    fn job_on(&self, core: u32) -> Option<JobId> {
        match self.cores[core as usize].doing {
            Doing::Idle => None,
            Doing::Switches { job, .. } | Doing::Works { job, .. } => Some(job),
        }
    }

    /// Stops or resumes the jobs of a container.
    pub fn set_standing(&mut self, now: Time, container: Container, stands: bool) {
        self.stand(now, container.index(), stands);
    }

    fn stand(&mut self, now: Time, container: u32, stands: bool) {
        let queue = &mut self.queues[container as usize];
        if std::mem::replace(&mut queue.stands, stands) == stands {
            return;
        }
        if !stands {
            if queue.waits > 0 {
                queue.used_for_weight = queue.used_for_weight.max(self.least);
                self.ready.insert((queue.used_for_weight, container));
            }
            return self.fill(now);
        }
        self.ready.remove(&(queue.used_for_weight, container));
        for core in 0..self.cores.len() as u32 {
            let Some(id) = self.job_on(core) else { continue };
            if self.jobs.get(id).is_some_and(|job| job.container == container) {
                self.settle(now, core);
                if let Some(job) = self.jobs.get_mut(id) {
                    job.core = None;
                }
                self.wait(container, id, true);
                self.release(now, core, container, None);
            }
        }
    }

    /// Changes the speed factor of a container's jobs, which multiplies the speed of the cores.
    pub fn set_container_speed(&mut self, now: Time, container: Container, factor: f64) {
        self.settle_all(now);
        self.queues[container.index() as usize].speed = billionths(factor);
        self.foresee_all(now);
    }

    fn settle_all(&mut self, now: Time) {
        for core in 0..self.cores.len() as u32 {
            self.settle(now, core);
        }
        for queue in 0..self.queues.len() as u32 {
            self.count(now, queue, 0);
        }
    }

    fn foresee_all(&mut self, now: Time) {
        for core in 0..self.cores.len() as u32 {
            if let doing @ Doing::Works { job, slice_ends, .. } = self.cores[core as usize].doing {
                let next = self.attention(now, job, slice_ends);
                self.set(core, doing, next);
            }
        }
    }

    /// Changes the number of cores.
    pub fn set_capacity(&mut self, now: Time, cores: f64) {
        self.settle_all(now);
        let cores = cores.clamp(0.0, CORES_MAX);
        self.capacity = (cores * 1e6).round() as u64;
        let count = (self.capacity.div_ceil(1_000_000)) as usize;
        // Removed cores return their jobs to the queue.
        for core in (count..self.cores.len()).rev() {
            let core = core as u32;
            if let Some(id) = self.job_on(core)
                && let Some(container) = self.jobs.get(id).map(|job| job.container)
            {
                if let Some(job) = self.jobs.get_mut(id) {
                    job.core = None;
                }
                self.count(now, container, -1);
                self.wait(container, id, true);
            }
            self.set(core, Doing::Idle, None);
            self.idle.remove(&core);
        }
        let there = self.cores.len();
        self.cores.resize(count, Core { doing: Doing::Idle, next: None, charged: now });
        self.idle.extend((there..count).map(|core| core as u32));
        // For a fractional number of cores, each core is slower.
        let share = if count > 0 { self.capacity as f64 / 1e6 / count as f64 } else { 0.0 };
        self.speed = billionths(share);
        self.foresee_all(now);
        self.fill(now);
    }

    /// The integral of cores in use from the beginning to `now`, in core-nanoseconds, rounded down. A core that is
    /// switching counts as in use.
    pub fn busy(&self, now: Time) -> u128 {
        self.busy_millionths(now) / 1_000_000
    }

    /// The same for the cores that one container uses.
    pub fn container_busy(&self, now: Time, container: Container) -> u128 {
        let queue = &self.queues[container.index() as usize];
        let since = u128::from(now.saturating_sub(queue.at)) * u128::from(queue.has) * u128::from(self.of_a_core());
        (queue.used + since) / 1_000_000
    }

    /// When [`container_busy`](Self::container_busy) will reach `busy` core-nanoseconds if nothing changes until then.
    pub fn container_reaches(&self, container: Container, busy: u128) -> Option<Time> {
        let queue = &self.queues[container.index() as usize];
        let left = busy.saturating_mul(1_000_000).saturating_sub(queue.used);
        let using = u128::from(queue.has) * u128::from(self.of_a_core());
        if left == 0 {
            return Some(queue.at);
        }
        if using == 0 {
            return None;
        }
        u64::try_from(left.div_ceil(using)).ok().and_then(|lasts| queue.at.checked_add(lasts))
    }
}

#[cfg(test)]
mod tests;

//! Processor sharing: jobs that run on the same cores simultaneously, each at the rate of its share.
//!
//! A [`Group`] is one set of cores with weighted jobs; a [`Host`] has containers with weights and limits between the
//! cores and the jobs. A job runs on at most one core. If there are not enough cores, the shares follow weighted fair
//! sharing with limits (*water-filling*): a job or container that wants less than a fair share gets all it wants, and
//! the rest is divided among the others by weight.
//!
//! Jobs that always run at the same rate – those of a container, those of one weight in a group – form one *part* with
//! a clock of its own, which shows how much work each of them has received. A job ends when the clock reaches its
//! reading at the job's arrival plus the job's work, so a change of the shares changes the speed of a clock and touches
//! no job. Parts of one kind run at the same rate, too: if there are many, they share a clock (`shares.rs`). A change
//! then costs O(log jobs), or O(kinds of parts) if it changes the shares of others.
//!
//! Clocks are integers in units of 2⁻⁵⁶ ns, so nothing depends on a machine's arithmetic. Their speed is rounded up by
//! a few units: a completion is at the exact instant rounded up to a whole nanosecond, unless the exact instant exceeds
//! a whole nanosecond by less than 10⁻⁵ ns per hundred seconds of running time, which is then lost.

mod shares;

use crate::time::{Span, Time};

use shares::{CORE, Shares, USE_SHIFT, Weight, millionths};

pub use shares::JobId;
pub(crate) use shares::{CORES_MAX, SPEED, billionths};

/// Cores shared by weighted jobs.
///
/// ```
/// use sim_core::sharing::Group;
/// let mut group = Group::new(1.0);
/// group.add(0, 7, 100, 1);
/// group.add(0, 8, 300, 1);
/// assert_eq!(group.next_completion(), Some(200));
/// let mut done = Vec::new();
/// group.complete_due(200, &mut done);
/// assert_eq!((done, group.next_completion()), (vec![7], Some(400)));
/// ```
#[derive(Clone, Debug)]
pub struct Group {
    shares: Shares,
}

impl Group {
    /// A group with this many cores (to a millionth, at most 65,536).
    pub fn new(cores: f64) -> Self {
        Group { shares: Shares::new(cores) }
    }

    /// The number of jobs.
    pub fn len(&self) -> usize {
        self.shares.jobs.len()
    }

    /// Whether there are no jobs.
    pub fn is_empty(&self) -> bool {
        self.shares.jobs.is_empty()
    }

    /// The number of cores.
    pub fn cores(&self) -> f64 {
        self.shares.capacity as f64 / CORE as f64
    }

    /// The number of cores in use, in millionths of a core.
    pub fn using(&self) -> u64 {
        self.shares.using()
    }

    /// Adds a job that the caller knows as `key`; it needs a core for `work` nanoseconds at full speed and has `weight`
    /// (at least 1) against the others.
    pub fn add(&mut self, now: Time, key: u32, work: Span, weight: u32) -> JobId {
        let weight = Weight::Each(weight.max(1));
        let found = self.shares.parts.iter().position(|part| part.kind.weight == weight);
        let part = found.unwrap_or_else(|| self.shares.add_part(now, weight, None, false));
        self.shares.add(now, part, key, work)
    }

    /// Removes a job and returns the remaining work, rounded up; `None` if the job is complete or gone.
    pub fn remove(&mut self, now: Time, id: JobId) -> Option<Span> {
        self.shares.remove(now, id)
    }

    /// The remaining work of a job, rounded up.
    pub fn left(&self, now: Time, id: JobId) -> Option<Span> {
        self.shares.left_of(now, id)
    }

    /// When the next job will be complete if nothing changes until then.
    pub fn next_completion(&self) -> Option<Time> {
        self.shares.next_completion()
    }

    /// Removes the jobs that are complete at `now` and appends the caller's keys to `done`, in the order in which the
    /// jobs began.
    pub fn complete_due(&mut self, now: Time, done: &mut Vec<u32>) {
        self.shares.complete_due(now, done);
    }

    /// Removes all jobs, complete or not, and appends their keys to `gone` in the order in which the jobs began.
    pub fn clear(&mut self, now: Time, gone: &mut Vec<u32>) {
        let mut keys: Vec<(u64, u32)> = Vec::new();
        for part in &self.shares.parts {
            let ends = part.ends.as_slice().iter();
            keys.extend(ends.filter_map(|end| Some((end.order, self.shares.jobs.get(end.id)?.key))));
        }
        keys.sort_unstable();
        gone.extend(keys.into_iter().map(|(_, key)| key));
        for part in 0..self.shares.parts.len() {
            self.shares.clear(now, part, &mut Vec::new());
        }
    }

    /// Changes the number of cores.
    pub fn set_capacity(&mut self, now: Time, cores: f64) {
        self.shares.advance(now);
        self.shares.capacity = millionths(cores);
        self.shares.divide(now);
    }

    /// Changes the speed of the cores: 0.5 is half as fast, 0 stops them, 100 is the maximum.
    pub fn set_speed(&mut self, now: Time, factor: f64) {
        self.shares.speed = billionths(factor);
        self.shares.divide(now);
    }

    /// The integral of cores in use from the beginning to `now`, in core-nanoseconds, rounded down. A slowed-down core
    /// with a job counts as in use.
    pub fn busy(&self, now: Time) -> u128 {
        self.shares.used(now) / u128::from(CORE)
    }
}

/// A container of a [`Host`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Container(u32);

impl Container {
    /// The container with this number.
    pub(crate) fn of(number: u32) -> Container {
        Container(number)
    }

    /// The number: containers are numbered from 0 in the order in which they were added.
    pub fn index(self) -> u32 {
        self.0
    }
}

/// Cores shared by containers according to weights and limits, and within a container equally among its jobs.
#[derive(Clone, Debug)]
pub struct Host {
    shares: Shares,
}

impl Host {
    /// A host with this many cores (to a millionth, at most 65,536).
    pub fn new(cores: f64) -> Self {
        Host { shares: Shares::new(cores) }
    }

    /// Adds a container that has `weight` (at least 1) against the others and uses at most `limit` cores.
    pub fn add_container(&mut self, now: Time, weight: u32, limit: Option<f64>) -> Container {
        let weight = Weight::Together(weight.max(1));
        Container(self.shares.add_part(now, weight, limit.map(millionths), true) as u32)
    }

    /// The number of jobs on the host.
    pub fn len(&self) -> usize {
        self.shares.jobs.len()
    }

    /// Whether the host has no jobs.
    pub fn is_empty(&self) -> bool {
        self.shares.jobs.is_empty()
    }

    /// The number of cores.
    pub fn cores(&self) -> f64 {
        self.shares.capacity as f64 / CORE as f64
    }

    /// The number of cores in use, in millionths of a core.
    pub fn using(&self) -> u64 {
        self.shares.using()
    }

    /// The number of jobs in a container.
    pub fn container_len(&self, container: Container) -> usize {
        self.shares.parts[container.0 as usize].kind.len
    }

    /// The number of cores that a container uses, in millionths of a core, rounded down.
    pub fn container_using(&self, container: Container) -> u64 {
        self.shares.class_of(container.0 as usize).map_or(0, |class| (class.using >> USE_SHIFT) as u64)
    }

    /// Adds a job that the caller knows as `key` to a container; it needs a core for `work` nanoseconds at full speed.
    pub fn add(&mut self, now: Time, container: Container, key: u32, work: Span) -> JobId {
        self.shares.add(now, container.0 as usize, key, work)
    }

    /// Removes a job and returns the remaining work, rounded up; `None` if the job is complete or gone.
    pub fn remove(&mut self, now: Time, id: JobId) -> Option<Span> {
        self.shares.remove(now, id)
    }

    /// The remaining work of a job, rounded up.
    pub fn left(&self, now: Time, id: JobId) -> Option<Span> {
        self.shares.left_of(now, id)
    }

    /// When the next job will be complete if nothing changes until then.
    pub fn next_completion(&self) -> Option<Time> {
        self.shares.next_completion()
    }

    /// Removes the jobs that are complete at `now` and appends the caller's keys to `done`, in the order in which the
    /// jobs began.
    pub fn complete_due(&mut self, now: Time, done: &mut Vec<u32>) {
        self.shares.complete_due(now, done);
    }

    /// Removes all jobs of a container, complete or not, and appends their keys to `gone` in the order in which the
    /// jobs began.
    pub fn clear(&mut self, now: Time, container: Container, gone: &mut Vec<u32>) {
        self.shares.clear(now, container.0 as usize, gone);
    }

    /// Changes the number of cores.
    pub fn set_capacity(&mut self, now: Time, cores: f64) {
        self.shares.advance(now);
        self.shares.capacity = millionths(cores);
        self.shares.divide(now);
    }

    /// Changes the speed of the cores: 0.5 is half as fast, 0 stops them, 100 is the maximum.
    pub fn set_speed(&mut self, now: Time, factor: f64) {
        self.shares.speed = billionths(factor);
        self.shares.divide(now);
    }

    /// Changes the speed factor of a container's jobs, which multiplies the speed of the cores.
    pub fn set_container_speed(&mut self, now: Time, container: Container, factor: f64) {
        self.shares.change(now, container.0 as usize, |kind| kind.speed = billionths(factor));
    }

    /// Changes the maximum number of cores that a container may use; 0 stops its jobs, as when its quota is spent.
    pub fn set_limit(&mut self, now: Time, container: Container, limit: Option<f64>) {
        self.shares.change(now, container.0 as usize, |kind| kind.limit = limit.map(millionths));
    }

    /// Changes the weight of a container against the others.
    pub fn set_weight(&mut self, now: Time, container: Container, weight: u32) {
        self.shares.change(now, container.0 as usize, |kind| kind.weight = Weight::Together(weight.max(1)));
    }

    /// The integral of cores in use from the beginning to `now`, in core-nanoseconds, rounded down. A slowed-down core
    /// with a job counts as in use.
    pub fn busy(&self, now: Time) -> u128 {
        self.shares.used(now) / u128::from(CORE)
    }

    /// The same for the cores that one container uses. The sum over all containers is at most the host's integral.
    pub fn container_busy(&self, now: Time, container: Container) -> u128 {
        (self.shares.used_by(container.0 as usize, now) >> USE_SHIFT) / u128::from(CORE)
    }

    /// When [`container_busy`](Self::container_busy) will reach `busy` core-nanoseconds if nothing changes until then:
    /// the instant at which a quota is spent.
    pub fn container_reaches(&self, container: Container, busy: u128) -> Option<Time> {
        let part = container.0 as usize;
        let (at, using) =
            self.shares.class_of(part).map_or((self.shares.parts[part].left, 0), |class| (class.at, class.using));
        let left = busy.saturating_mul(u128::from(CORE) << USE_SHIFT).saturating_sub(self.shares.used_by(part, at));
        if left == 0 {
            return Some(at);
        }
        if using == 0 {
            return None;
        }
        u64::try_from(left.div_ceil(using)).ok().and_then(|lasts| at.checked_add(lasts))
    }
}

#[cfg(test)]
mod tests;

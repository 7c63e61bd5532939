//! Processor sharing: jobs that use cores together, each as fast as its share allows.
//!
//! A [`Group`] is one set of cores and jobs with weights; a [`Host`] has containers with weights and limits between
//! the cores and the jobs. A job runs on at most one core. Where there are not enough, the shares are those of
//! weighted fair sharing with limits (*water-filling*): whoever wants less than a fair share gets all of it, and what
//! is left is divided among the others by weight.
//!
//! Jobs that always run equally fast – those of a container, those of one weight in a group – are kept as one *part*
//! with a clock of its own, which shows how much work each of them has been given. A job ends when the clock reaches
//! what it showed when the job came plus the job's work, so a change of the shares changes the speed of a clock and
//! touches no job. Parts of one kind run equally fast, too: where there are many, they share a clock (`shares.rs`), and a
//! change costs O(log jobs), and O(kinds of parts) where the shares of others change with it.
//!
//! Clocks are integers of 2⁻⁵⁶ ns, so nothing depends on a machine's arithmetic. Their speed is rounded up, by a few
//! units: a completion is at the exact instant rounded up to a whole nanosecond, unless the exact instant is past a
//! whole nanosecond by less than 10⁻⁵ ns for every hundred seconds of running, which is then lost.

mod shares;

use crate::time::{Span, Time};

use shares::{CORE, Shares, USE_SHIFT, Weight, millionths};

pub use shares::JobId;
pub(crate) use shares::{CORES_MAX, SPEED, billionths};

/// Cores shared by jobs with weights.
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
    /// So many cores (to a millionth, at most 65,536).
    pub fn new(cores: f64) -> Self {
        Group { shares: Shares::new(cores) }
    }

    /// The number of jobs.
    pub fn len(&self) -> usize {
        self.shares.jobs.len()
    }

    /// Whether there is no job.
    pub fn is_empty(&self) -> bool {
        self.shares.jobs.is_empty()
    }

    /// How many cores there are.
    pub fn cores(&self) -> f64 {
        self.shares.capacity as f64 / CORE as f64
    }

    /// How many cores are in use, in millionths of a core.
    pub fn using(&self) -> u64 {
        self.shares.using()
    }

    /// The job that the caller knows as `key` begins; it needs a core for `work` nanoseconds at full speed and counts
    /// for `weight` (at least 1) against the others.
    pub fn add(&mut self, now: Time, key: u32, work: Span, weight: u32) -> JobId {
        let weight = Weight::Each(weight.max(1));
        let found = self.shares.parts.iter().position(|part| part.kind.weight == weight);
        let part = found.unwrap_or_else(|| self.shares.add_part(now, weight, None, false));
        self.shares.add(now, part, key, work)
    }

    /// Takes a job back and returns the work that was left, rounded up; `None` if it is complete or gone.
    pub fn remove(&mut self, now: Time, id: JobId) -> Option<Span> {
        self.shares.remove(now, id)
    }

    /// The work left of a job, rounded up.
    pub fn left(&self, now: Time, id: JobId) -> Option<Span> {
        self.shares.left_of(now, id)
    }

    /// When the next job will be complete if nothing changes until then.
    pub fn next_completion(&self) -> Option<Time> {
        self.shares.next_completion()
    }

    /// Ends the jobs that are complete at `now` and appends the numbers by which the caller knows them to `done`, in
    /// the order in which they began.
    pub fn complete_due(&mut self, now: Time, done: &mut Vec<u32>) {
        self.shares.complete_due(now, done);
    }

    /// Ends all jobs, complete or not, and appends their numbers to `gone` in the order in which they began.
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

    /// Changes the speed of the cores: 0.5 is half as fast, 0 stands still, at most 100.
    pub fn set_speed(&mut self, now: Time, factor: f64) {
        self.shares.speed = billionths(factor);
        self.shares.divide(now);
    }

    /// The integral of cores in use from the beginning to `now`, in core-nanoseconds, rounded down. A slow core that
    /// has a job is in use.
    pub fn busy(&self, now: Time) -> u128 {
        self.shares.used(now) / u128::from(CORE)
    }
}

/// A container of a [`Host`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Container(u32);

impl Container {
    /// The container of this number.
    pub(crate) fn of(number: u32) -> Container {
        Container(number)
    }

    /// Its number: containers are numbered from 0 in the order in which they were added.
    pub fn index(self) -> u32 {
        self.0
    }
}

/// Cores shared by containers, which have weights and limits, and within a container equally by its jobs.
#[derive(Clone, Debug)]
pub struct Host {
    shares: Shares,
}

impl Host {
    /// A host with so many cores (to a millionth, at most 65,536).
    pub fn new(cores: f64) -> Self {
        Host { shares: Shares::new(cores) }
    }

    /// Adds a container that counts for `weight` (at least 1) against the others and uses at most `limit` cores.
    pub fn add_container(&mut self, now: Time, weight: u32, limit: Option<f64>) -> Container {
        let weight = Weight::Together(weight.max(1));
        Container(self.shares.add_part(now, weight, limit.map(millionths), true) as u32)
    }

    /// The number of jobs on the host.
    pub fn len(&self) -> usize {
        self.shares.jobs.len()
    }

    /// Whether the host has no job.
    pub fn is_empty(&self) -> bool {
        self.shares.jobs.is_empty()
    }

    /// How many cores there are.
    pub fn cores(&self) -> f64 {
        self.shares.capacity as f64 / CORE as f64
    }

    /// How many cores are in use, in millionths of a core.
    pub fn using(&self) -> u64 {
        self.shares.using()
    }

    /// The number of jobs in a container.
    pub fn container_len(&self, container: Container) -> usize {
        self.shares.parts[container.0 as usize].kind.len
    }

    /// How many cores a container uses, in millionths of a core, rounded down.
    pub fn container_using(&self, container: Container) -> u64 {
        self.shares.class_of(container.0 as usize).map_or(0, |class| (class.using >> USE_SHIFT) as u64)
    }

    /// The job that the caller knows as `key` begins in a container; it needs a core for `work` nanoseconds at full
    /// speed.
    pub fn add(&mut self, now: Time, container: Container, key: u32, work: Span) -> JobId {
        self.shares.add(now, container.0 as usize, key, work)
    }

    /// Takes a job back and returns the work that was left, rounded up; `None` if it is complete or gone.
    pub fn remove(&mut self, now: Time, id: JobId) -> Option<Span> {
        self.shares.remove(now, id)
    }

    /// The work left of a job, rounded up.
    pub fn left(&self, now: Time, id: JobId) -> Option<Span> {
        self.shares.left_of(now, id)
    }

    /// When the next job will be complete if nothing changes until then.
    pub fn next_completion(&self) -> Option<Time> {
        self.shares.next_completion()
    }

    /// Ends the jobs that are complete at `now` and appends the numbers by which the caller knows them to `done`, in
    /// the order in which they began.
    pub fn complete_due(&mut self, now: Time, done: &mut Vec<u32>) {
        self.shares.complete_due(now, done);
    }

    /// Ends all jobs of a container, complete or not, and appends their numbers to `gone` in the order in which they
    /// began.
    pub fn clear(&mut self, now: Time, container: Container, gone: &mut Vec<u32>) {
        self.shares.clear(now, container.0 as usize, gone);
    }

    /// Changes the number of cores.
    pub fn set_capacity(&mut self, now: Time, cores: f64) {
        self.shares.advance(now);
        self.shares.capacity = millionths(cores);
        self.shares.divide(now);
    }

    /// Changes the speed of the cores: 0.5 is half as fast, 0 stands still, at most 100.
    pub fn set_speed(&mut self, now: Time, factor: f64) {
        self.shares.speed = billionths(factor);
        self.shares.divide(now);
    }

    /// Changes the speed of a container's jobs, which multiplies that of the cores.
    pub fn set_container_speed(&mut self, now: Time, container: Container, factor: f64) {
        self.shares.change(now, container.0 as usize, |kind| kind.speed = billionths(factor));
    }

    /// Changes the most cores that a container may use; with 0 its jobs stand still, as when its quota is spent.
    pub fn set_limit(&mut self, now: Time, container: Container, limit: Option<f64>) {
        self.shares.change(now, container.0 as usize, |kind| kind.limit = limit.map(millionths));
    }

    /// Changes what a container counts for against the others.
    pub fn set_weight(&mut self, now: Time, container: Container, weight: u32) {
        self.shares.change(now, container.0 as usize, |kind| kind.weight = Weight::Together(weight.max(1)));
    }

    /// The integral of cores in use from the beginning to `now`, in core-nanoseconds, rounded down. A slow core that
    /// has a job is in use.
    pub fn busy(&self, now: Time) -> u128 {
        self.shares.used(now) / u128::from(CORE)
    }

    /// The same for the cores that a container uses. Those of all containers are together at most the host's.
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

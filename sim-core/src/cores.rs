//! The cores of a machine, either shared fluidly or time-sliced: one interface to two structures.

use crate::sharing::{Container, Host, JobId};
use crate::time::{Span, Time};
use crate::turns::{Switched, Turning, Turns};

/// The cores of a machine.
#[derive(Clone, Debug)]
pub(crate) enum Cores {
    /// All jobs run at the same time, each at the rate that its share allows.
    Shared(Host),
    /// Each core runs one job at a time, for one time slice.
    Turned(Box<Turns>),
}

macro_rules! either {
    ($cores:expr, $of:ident => $then:expr) => {
        match $cores {
            Cores::Shared($of) => $then,
            Cores::Turned($of) => $then,
        }
    };
}

impl Cores {
    pub(crate) fn new(cores: f64, turning: Option<Turning>) -> Cores {
        match turning {
            None => Cores::Shared(Host::new(cores)),
            Some(turning) => Cores::Turned(Box::new(Turns::new(cores, turning))),
        }
    }

    pub(crate) fn add_container(&mut self, now: Time, weight: u32) -> Container {
        match self {
            Cores::Shared(host) => host.add_container(now, weight, None),
            Cores::Turned(turns) => turns.add_container(now, weight),
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, now: Time, container: Container, key: u32, work: Span) -> JobId {
        either!(self, of => of.add(now, container, key, work))
    }

    #[inline]
    pub(crate) fn remove(&mut self, now: Time, id: JobId) -> Option<Span> {
        either!(self, of => of.remove(now, id))
    }

    /// When the next job completes or the next time slice ends, if nothing changes until then.
    #[inline]
    pub(crate) fn next(&self) -> Option<Time> {
        either!(self, of => of.next_completion())
    }

    #[inline]
    pub(crate) fn complete_due(&mut self, now: Time, done: &mut Vec<u32>) {
        either!(self, of => of.complete_due(now, done));
    }

    pub(crate) fn clear(&mut self, now: Time, container: Container, gone: &mut Vec<u32>) {
        either!(self, of => of.clear(now, container, gone));
    }

    /// The number of jobs.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        either!(self, of => of.len())
    }

    pub(crate) fn cores(&self) -> f64 {
        either!(self, of => of.cores())
    }

    /// Cores in use, in millionths.
    pub(crate) fn using(&self) -> u64 {
        either!(self, of => of.using())
    }

    pub(crate) fn container_len(&self, container: Container) -> usize {
        either!(self, of => of.container_len(container))
    }

    pub(crate) fn container_using(&self, container: Container) -> u64 {
        either!(self, of => of.container_using(container))
    }

    pub(crate) fn container_busy(&self, now: Time, container: Container) -> u128 {
        either!(self, of => of.container_busy(now, container))
    }

    pub(crate) fn container_reaches(&self, container: Container, busy: u128) -> Option<Time> {
        either!(self, of => of.container_reaches(container, busy))
    }

    pub(crate) fn busy(&self, now: Time) -> u128 {
        either!(self, of => of.busy(now))
    }

    pub(crate) fn set_capacity(&mut self, now: Time, cores: f64) {
        either!(self, of => of.set_capacity(now, cores));
    }

    pub(crate) fn set_container_speed(&mut self, now: Time, container: Container, factor: f64) {
        either!(self, of => of.set_container_speed(now, container, factor));
    }

    /// Suspends or resumes the jobs of a container.
    pub(crate) fn set_standing(&mut self, now: Time, container: Container, stands: bool) {
        match self {
            Cores::Shared(host) => host.set_limit(now, container, stands.then_some(0.0)),
            Cores::Turned(turns) => turns.set_standing(now, container, stands),
        }
    }

    /// The cost of context switches; `None` if the cores are shared fluidly.
    pub(crate) fn switched(&self) -> Option<Switched> {
        match self {
            Cores::Shared(_) => None,
            Cores::Turned(turns) => Some(turns.switched()),
        }
    }

    pub(crate) fn begin_measuring(&mut self) {
        if let Cores::Turned(turns) = self {
            turns.begin_measuring();
        }
    }
}

//! Admission: who is let in to be served, who waits, and who is turned away at once.

use settings::{Duration, DurationDist, Setting};
use sim_core::line::{Discipline, Line};
use sim_core::{CallId, Cx, Time};

use crate::demand::Waiting;
use crate::policies::not_yet::NotYet;

const PURPOSE_AGE: u32 = 0x6167;

/// Order in which waiting calls are served.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum DisciplineSettings {
    /// First come, first served.
    Fifo,
    /// Last in, first out.
    Lifo,
    /// Last in, first out while a queue persists; first in, first out otherwise (*Fail at Scale*).
    AdaptiveLifo,
    /// Highest priority first, first come first served within a priority.
    Priority {
        /// Whether a more important call preempts a less important one, which resumes later.
        #[setting(default = false)]
        preempt: bool,
    },
    /// First come, first served; drops calls at dequeue while there is a standing queue (folly's variant of CoDel).
    Codel {
        /// Acceptable standing wait.
        #[setting(default = "5ms")]
        target: Duration,
        /// Time for which the smallest wait must exceed the target.
        #[setting(default = "100ms")]
        interval: Duration,
    },
}

impl DisciplineSettings {
    /// The order in which a line serves those who wait.
    fn discipline(&self) -> Discipline {
        match self {
            DisciplineSettings::Fifo => Discipline::Fifo,
            DisciplineSettings::Lifo => Discipline::Lifo,
            DisciplineSettings::AdaptiveLifo => Discipline::ADAPTIVE_LIFO,
            DisciplineSettings::Priority { preempt: _ } => Discipline::Priority,
            DisciplineSettings::Codel { target, interval } => {
                Discipline::Codel { target: target.0, interval: interval.0 }
            }
        }
    }

    /// Whether it goes by all calls, those included that need not wait.
    fn heeds_all(&self) -> bool {
        // Those that drop calls do so by how long calls wait.
        self.sheds()
    }

    /// Whether it drops calls, so that a queue without a bound stays short.
    fn sheds(&self) -> bool {
        match self {
            DisciplineSettings::Codel { .. } => true,
            DisciplineSettings::Fifo
            | DisciplineSettings::Lifo
            | DisciplineSettings::AdaptiveLifo
            | DisciplineSettings::Priority { .. } => false,
        }
    }

    /// Whether more important calls interrupt less important ones.
    fn preempts(&self) -> bool {
        match self {
            DisciplineSettings::Priority { preempt } => *preempt,
            DisciplineSettings::Fifo
            | DisciplineSettings::Lifo
            | DisciplineSettings::AdaptiveLifo
            | DisciplineSettings::Codel { .. } => false,
        }
    }
}

/// The queue for the workers.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct QueueSettings {
    /// Queue bound: calls that may wait. Further calls are rejected with `overload`. Without it the queue is unbounded.
    #[setting(live)]
    pub max: Option<u32>,
    /// Queue discipline.
    #[setting(default = "fifo")]
    pub discipline: DisciplineSettings,
    /// Calls that have waited longer than this are dropped when their turn comes.
    pub max_age: Option<DurationDist>,
}

/// Admission control.
#[derive(Clone, Debug, Default, PartialEq, Setting)]
pub struct AdmissionSettings {
    /// The queue for the workers.
    pub queue: Option<QueueSettings>,
    /// Limits the call rate.
    pub rate_limit: Option<NotYet>,
    /// Limits the calls in flight.
    pub concurrency: Option<NotYet>,
    /// Load shedding by priority.
    pub shed: Option<NotYet>,
    /// Limits connections.
    pub max_connections: Option<NotYet>,
}

impl AdmissionSettings {
    /// Until when a call that arrives now may wait; `None` where its age is not bounded.
    #[inline]
    pub fn until(&self, cx: &mut Cx<'_>, call: CallId) -> Option<Time> {
        let DurationDist(age) = self.queue.as_ref()?.max_age.as_ref()?;
        let age = age.sample_span(&mut cx.draw(call, PURPOSE_AGE));
        Some(cx.now().saturating_add(age))
    }

    /// Whether more matters to a call that arrives than whether there is room for it: how long it may wait is drawn, or its
    /// queue goes by those who need not wait, too. Such a call goes through `Door::enter_until`.
    pub fn heeds_more(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.max_age.is_some() || queue.discipline.heeds_all())
    }

    /// The line that they describe.
    pub fn line(&self) -> Line {
        let Some(queue) = &self.queue else {
            return Line::new(Discipline::Fifo, None);
        };
        Line::new(queue.discipline.discipline(), queue.max)
    }

    /// The bound of the queue, if it has one.
    pub fn max(&self) -> Option<u32> {
        self.queue.as_ref().and_then(|q| q.max)
    }

    /// Who waits where all workers are busy.
    pub fn waiting(&self) -> Waiting {
        let Some(queue) = &self.queue else { return Waiting::Unbounded };
        match queue.max {
            Some(max) => Waiting::UpTo(max),
            None if queue.max_age.is_some() || queue.discipline.sheds() => Waiting::Shed,
            None => Waiting::Unbounded,
        }
    }

    /// Whether more important calls interrupt less important ones.
    pub fn preempts(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.discipline.preempts())
    }
}

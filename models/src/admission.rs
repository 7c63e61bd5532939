//! Admission: who is let in to be served, who waits, and who is turned away at once.

pub mod levels;
pub mod shed;

use settings::{Duration, DurationDist, Setting};
use sim_core::line::{Discipline, Line};
use sim_core::{CallId, Cx, Span, Time};

use crate::demand::Waiting;
use crate::policies::concurrency::ConcurrencySettings;
use crate::policies::not_yet::NotYet;
use crate::policies::rate_limit::{LimitBy, LimiterSettings, RateLimitSettings};
use shed::ShedSettings;

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
    /// Calls of which less than this is left until their deadline are dropped when their turn comes: they would not be done in
    /// time. Deadlines come over links that propagate them.
    #[setting(range = ">0s", live)]
    pub min_remaining: Option<Duration>,
}

/// Whose calls a rate limit counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Scope {
    /// Those of each replica.
    Replica,
    /// Those of all replicas: one counter, that each of them sees `sync` late.
    Component,
}

/// A bound on the rate of the calls that come in.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct InboundRateSettings {
    /// The algorithm.
    #[setting(flatten)]
    pub limit: LimiterSettings,
    /// One limiter per operation, key or client. Without it all calls share one limiter.
    pub by: Option<LimitBy>,
    /// Whose calls are counted together.
    #[setting(default = "replica")]
    pub scope: Scope,
    /// How late each replica sees what the others have let in, with `scope: component`; `0s` is one counter that all see. Default: `100ms`.
    pub sync: Option<Duration>,
}

/// How late a replica sees what the others have let in, where nothing is written.
const SYNC: Duration = Duration(100_000_000);

impl InboundRateSettings {
    /// The rate limit of one replica.
    pub fn of_replica(&self) -> RateLimitSettings {
        RateLimitSettings { limit: self.limit.clone(), by: self.by }
    }

    /// How late a replica sees what the others have let in; `None` where it goes by its own calls alone.
    pub fn shared(&self) -> Option<Span> {
        (self.scope == Scope::Component).then(|| self.sync.unwrap_or(SYNC).0)
    }

    /// For how long others have to know of a call that was let in.
    pub fn keeps(&self) -> Span {
        self.limit.horizon().saturating_add(self.shared().unwrap_or(0))
    }
}

/// Admission control.
#[derive(Clone, Debug, Default, PartialEq, Setting)]
pub struct AdmissionSettings {
    /// The queue for the workers.
    pub queue: Option<QueueSettings>,
    /// Limits the call rate. Calls beyond it are rejected with `rate_limited` and told when to come again.
    pub rate_limit: Option<InboundRateSettings>,
    /// Limits the calls that are served at once. `queue` stands before it; without `queue.max` any number waits there.
    pub concurrency: Option<ConcurrencySettings>,
    /// Load shedding: turns less important calls away with `overload` before anything is full.
    pub shed: Option<ShedSettings>,
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
        let sheds = self.shed.is_some();
        let Some(queue) = &self.queue else { return if sheds { Waiting::Shed } else { Waiting::Unbounded } };
        match queue.max {
            Some(max) => Waiting::UpTo(max),
            None if queue.max_age.is_some() || queue.discipline.sheds() || sheds => Waiting::Shed,
            None => Waiting::Unbounded,
        }
    }

    /// So much must be left until the deadline of a call whose turn comes.
    pub fn min_remaining(&self) -> Span {
        self.queue.as_ref().and_then(|queue| queue.min_remaining).map_or(0, |least| least.0)
    }

    /// What is written beside the queue, by key.
    pub fn beside_the_queue(&self) -> Vec<&'static str> {
        let AdmissionSettings { queue: _, rate_limit, concurrency, shed, max_connections } = self;
        let all = [
            ("rate_limit", rate_limit.is_some()),
            ("concurrency", concurrency.is_some()),
            ("shed", shed.is_some()),
            ("max_connections", max_connections.is_some()),
        ];
        all.into_iter().filter(|(_, is_written)| *is_written).map(|(key, _)| key).collect()
    }

    /// Whether it matters when a call begins and ends.
    pub fn heeds_ends(&self) -> bool {
        self.concurrency.is_some() || self.shed.is_some()
    }

    /// Whether it tells clients apart.
    pub fn goes_by_client(&self) -> bool {
        let limits = self.rate_limit.as_ref().is_some_and(|rate| rate.by == Some(LimitBy::Client));
        limits || self.shed.as_ref().is_some_and(ShedSettings::goes_by_client)
    }

    /// Whether more important calls interrupt less important ones.
    pub fn preempts(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.discipline.preempts())
    }
}

//! Example types with the shapes used in the scenario language.

use settings::{Count, Duration, Map, Name, NullOr, OneOrMany, Setting, Spanned};

/// Connections that are kept open.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) struct Pool {
    /// Connections that may be open at once. More wait.
    #[setting(range = "1..=100000", live, example = "20")]
    pub(crate) size: u32,
    /// How long a caller waits for a place.
    #[setting(default = "30s")]
    pub(crate) acquire_timeout: Duration,
    /// Callers that may wait.
    pub(crate) max_waiters: Option<u32>,
    /// Who comes first.
    #[setting(default = "fifo")]
    pub(crate) order: Order,
}

/// Which end of a line is served.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) enum Order {
    /// The oldest first.
    Fifo,
    /// Last in, first out.
    Lifo,
    /// By the time spent waiting.
    Codel {
        /// The wait that is aimed at.
        #[setting(default = "5ms", live)]
        target: Duration,
        /// How long it must be missed.
        #[setting(default = "100ms", range = ">0s")]
        interval: Duration,
    },
    /// By priority.
    Priority(Preemption),
}

/// What a more urgent one does to others.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) struct Preemption {
    /// Whether it takes the place of running work.
    #[setting(default)]
    pub(crate) preempt: bool,
}

/// The wait before the next attempt.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) struct Backoff {
    /// How it grows.
    #[setting(flatten)]
    pub(crate) growth: Growth,
    /// How it is spread.
    #[setting(default = "none")]
    pub(crate) jitter: Jitter,
}

/// How a back-off grows.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) enum Growth {
    /// Not at all: no wait.
    None,
    /// Always the same wait.
    Fixed(Duration),
    /// Doubling.
    Exponential {
        /// The first wait.
        base: Duration,
        /// The longest wait.
        max: Option<Duration>,
    },
}

/// The randomisation of a backoff.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) enum Jitter {
    /// Not at all.
    None,
    /// Uniform between 0 and the full wait.
    Full,
}

/// A constant, or a random duration.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(bare = "Constant")]
pub(crate) enum Dist {
    /// Always the same.
    Constant(Duration),
    /// Exponential, by its mean.
    Exp(Duration),
    /// Uniform between two bounds.
    Uniform(Vec<Duration>),
}

/// A call to something.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "to")]
pub(crate) struct Link {
    /// Where it goes.
    pub(crate) to: OneOrMany<Target>,
    /// How long an attempt may take.
    pub(crate) timeout: Option<Duration>,
    /// What is tried again.
    pub(crate) retry: Option<Box<Retry>>,
}

/// One of several callees.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "to")]
pub(crate) struct Target {
    /// Name.
    pub(crate) to: Spanned<Name>,
    /// Its share.
    #[setting(default = "1")]
    pub(crate) weight: f64,
}

/// Attempts after the first.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) struct Retry {
    /// All attempts together.
    #[setting(default = "3", range = "1..=100", live)]
    pub(crate) max_attempts: u32,
    /// The wait between them.
    #[setting(default = "none")]
    pub(crate) backoff: Backoff,
    /// What is retried.
    #[setting(default = "[timeout, error]")]
    pub(crate) when: Vec<Failure>,
}

/// Kinds of failures.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) enum Failure {
    /// The call took too long.
    Timeout,
    /// The call failed.
    Error,
}

/// A fault and its time.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) struct Fault {
    /// When.
    pub(crate) at: Duration,
    /// How long it lasts; forever if absent.
    pub(crate) r#for: Option<Duration>,
    /// What.
    #[setting(flatten)]
    pub(crate) what: What,
}

/// The kinds of faults.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) enum What {
    /// Work takes longer.
    Slow {
        /// The slow component.
        component: Name,
        /// Factor on working times.
        #[setting(range = ">0")]
        factor: f64,
    },
    /// A replica dies.
    Kill(Name),
}

/// An operation of a store.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "io")]
pub(crate) struct Operation {
    /// Time on the disk.
    pub(crate) io: Option<Dist>,
    /// Time on a core.
    pub(crate) cpu: Option<Dist>,
}

/// A kind of component.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(tag = "kind")]
pub(crate) enum Component {
    /// Application code.
    Service(Service),
    /// A service of another organisation.
    ExternalThing {
        /// Maximum number of calls at once.
        limit: NullOr<Count>,
    },
    /// Accepts everything.
    Sink,
}

/// Application code.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) struct Service {
    /// How many.
    #[setting(default = "1", live)]
    pub(crate) replicas: u32,
    /// Links to other components.
    #[setting(default = "{}")]
    pub(crate) calls: Map<Link>,
    /// Steps by operation.
    #[setting(default = "[]")]
    pub(crate) steps: Vec<Step>,
}

/// A step of a handler.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) enum Step {
    /// Waits.
    Wait(Dist),
    /// Repeats steps.
    Repeat {
        /// How often.
        times: u32,
        /// What.
        steps: Vec<Step>,
    },
}

/// A component with the settings common to all kinds.
#[derive(Clone, Debug, PartialEq, Setting)]
pub(crate) struct Placed {
    /// Region.
    pub(crate) region: Option<Name>,
    /// What it is.
    #[setting(flatten)]
    pub(crate) component: Component,
    /// A number without quotes as its default.
    #[setting(default = -3)]
    pub(crate) depth: i64,
    /// A boolean without quotes as its default.
    #[setting(default = true)]
    pub(crate) visible: bool,
}

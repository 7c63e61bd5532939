//! Runtimes: what a service runs its handlers on. One file a runtime, and one row in the table below.
//!
//! A runtime is its settings and a row of [`Facts`]. The code of services reads the facts and never asks which runtime it
//! is, so a new one needs no change there, unless it can do what no other does. What differs most is what a task holds
//! while it waits: its thread, or nothing until it has code to run again.

use settings::Setting;
use sim_core::Span;

use crate::policies::flaw::Flaw;
use crate::policies::presets::OrPreset;

pub use thread_pool::STACK;

pub mod asynchronous;
pub mod event_loop;
pub mod gil_threads;
pub mod goroutines;
pub mod processes;
pub mod single;
pub mod switch;
pub mod thread_per_request;
pub mod thread_pool;
pub mod unlimited;
pub mod virtual_threads;

/// What a task keeps others from using.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A worker, from its first step to its last.
    Task,
    /// A worker, but only while its code runs; one piece of code runs to its end before the next.
    RunningCode,
    /// Nothing.
    Nothing,
}

/// Where a blocking call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// Nowhere: it holds what runs the task.
    InPlace,
    /// To one of so many threads beside the workers; calls beyond wait in line, first come, first served.
    Pool(u32),
}

/// What a crash of one task's process takes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The replica with everything in it.
    Replica,
}

/// Which of the tasks that are ready goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The one that has been so for longest.
    Fifo,
    /// All whose wait is over, then all that others have brought about, in batches.
    TimersFirst,
}

/// CPU time of a poll for ready events (`epoll_wait`, `select`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Each time.
    pub wake: Span,
    /// For each that is ready, or is watched.
    pub each: Span,
    /// How many are watched, where it depends on that.
    pub watched: Option<u32>,
}

impl Poll {
    /// What it takes to find so many ready.
    pub fn takes(&self, ready: u64) -> Span {
        self.wake + self.each * self.watched.map_or(ready, u64::from)
    }
}

/// When a worker is replaced by a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recycle {
    /// What making the new one takes.
    pub fork: Span,
    /// After how many calls; `None` for never.
    pub after: Option<u32>,
    /// Up to so many more, drawn for each.
    pub jitter: u32,
    /// When it has served one call for so long, which is then reset.
    pub timeout: Option<Span>,
}

/// Workers that are started for calls and go when they are idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instances {
    /// How long an idle one is kept.
    pub keep: Span,
    /// How many may be started at once …
    pub burst: u32,
    /// … and after how long one more.
    pub every: Span,
}

/// What a task costs in memory, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskMemory {
    /// Address space that is set aside for it.
    pub reserved_bytes: u64,
    /// What of that it has touched, and so really takes.
    pub touched_bytes: u64,
    /// Whether it is there for each worker from the beginning, instead of for each task while there is one.
    pub in_advance: bool,
}

/// All that a service knows of its runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What its workers are, in the plural.
    pub noun: &'static str,
    /// Tasks that can be at work at once; `None` for no limit.
    pub workers: Option<u32>,
    /// What each of them holds.
    pub holds: Holds,
    /// After how long code makes way for other code that is ready; `None` where it runs to its end.
    pub slice: Option<Span>,
    /// What it takes of a core to go on with a task that has waited.
    pub switch: Span,
    /// After how many operations that did not have to wait a task makes way for others; `None` where it need not.
    pub budget: Option<u32>,
    /// Where a blocking call goes.
    pub blocking: Blocking,
    /// Threads beside the workers that `offload` steps run on; `None` where there are none.
    pub offload: Option<u32>,
    /// Whether a task that holds a lock, or waits for one, keeps its worker while it waits.
    pub pinned_by_locks: bool,
    /// One task at a time runs code, and who waits for that asks for it after so long; `None` where any number may.
    pub interpreter: Option<Span>,
    /// Which of the tasks that are ready goes first.
    pub order: Order,
    /// What waits begin and end at multiples of; 0 for any instant.
    pub timer: Span,
    /// CPU time of a poll for ready events; `None` where polling is free.
    pub poll: Option<Poll>,
    /// Whether it is usual to measure by how much timers come late.
    pub has_lag: bool,
    /// What making a worker takes before the first step.
    pub start: Span,
    /// Time to close a thread after the last step.
    pub close: Span,
    /// What a task costs in memory; `None` where that is not known.
    pub memory: Option<TaskMemory>,
    /// Cores that it can use at once; `None` for all that there are.
    pub cores: Option<u32>,
    /// What a crash takes with it.
    pub crash: Crash,
    /// When workers are replaced; `None` for never.
    pub recycle: Option<Recycle>,
    /// Where workers are started for calls; `None` where they are all there from the beginning.
    pub instances: Option<Instances>,
}

impl Facts {
    /// So many workers, each held in that way; everything else as it is in most runtimes.
    pub fn of(noun: &'static str, workers: Option<u32>, holds: Holds) -> Facts {
        Facts {
            noun,
            workers,
            holds,
            slice: None,
            switch: 0,
            budget: None,
            blocking: Blocking::InPlace,
            offload: None,
            pinned_by_locks: false,
            interpreter: None,
            order: Order::Fifo,
            timer: 0,
            poll: None,
            has_lag: false,
            start: 0,
            close: 0,
            memory: None,
            cores: workers,
            crash: Crash::Replica,
            recycle: None,
            instances: None,
        }
    }

    /// Whether a task gives its worker back while it waits, and takes its turn again to go on.
    pub fn frees_while_waiting(&self) -> bool {
        self.holds == Holds::RunningCode
    }

    /// Whether each task has a worker of its own from its first step to its last.
    pub fn has_worker_per_task(&self) -> bool {
        self.holds == Holds::Task
    }

    /// Whether nothing ever waits for a worker, and a task that never ends costs nothing.
    pub fn holds_nothing(&self) -> bool {
        self.holds == Holds::Nothing
    }

    /// Threads that blocking calls go to; `None` where they stay in place.
    pub fn blocking_threads(&self) -> Option<u32> {
        self.blocking.threads()
    }

    /// Whether a task that can go on waits for its turn to run code.
    pub fn takes_turns(&self) -> bool {
        self.frees_while_waiting() || self.interpreter.is_some()
    }
}

impl Blocking {
    /// Threads that it goes to; `None` where it stays in place.
    pub fn threads(self) -> Option<u32> {
        match self {
            Blocking::InPlace => None,
            Blocking::Pool(threads) => Some(threads),
        }
    }
}

/// So many workers, or else as many as there are cores, rounded up.
fn workers_or_cores(workers: Option<u32>, cores: Option<f64>) -> u32 {
    workers.unwrap_or_else(|| cores.map_or(1, |cores| (cores.ceil() as u32).max(1)))
}

/// What is wrong where neither says how many workers there are.
fn workers_unknown(workers: Option<u32>, cores: Option<f64>, runtime: &str, key: &str) -> Option<Flaw> {
    (workers.is_none() && cores.is_none()).then(|| Flaw {
        code: "missing_setting",
        key: format!("{runtime}.{key}"),
        message: format!(
            "there are as many {key} as cores unless `{key}` says otherwise, and this service has no cores of its own"
        ),
        help: format!("write `runtime: {{{runtime}: {{{key}: 4}}}}`, or `cpu: 4` without `hosts`"),
    })
}

/// What the settings of a runtime must tell.
pub trait Runtime: Setting {
    /// Its facts, in a service that has `cores` of its own (`None` where it has none, or shares its hosts').
    fn facts(&self, cores: Option<f64>) -> Facts;

    /// What is wrong with the settings in a service that has `cores` of its own.
    fn flaw(&self, cores: Option<f64>) -> Option<Flaw> {
        let _ = cores;
        None
    }
}

/// Makes everything that depends on which runtimes there are, from one row a runtime: the word of the language and the
/// file; behind the word, for one that takes settings, a name for them, and whether there are presets of them.
macro_rules! runtimes {
    (
        $($(#[$doc:meta])* $kind:ident $(($settings:ident $(or $preset:ident)?))? => $module:ident,)*
    ) => {
        /// Runtime of the handlers.
        #[derive(Clone, Debug, PartialEq, Setting)]
        pub enum RuntimeSettings {
            $($(#[$doc])* $kind $((runtimes!(@settings $module $settings $($preset)?)))?,)*
        }

        impl RuntimeSettings {
            /// [`Runtime::facts`].
            pub fn facts(&self, cores: Option<f64>) -> Facts {
                match self {
                    $(RuntimeSettings::$kind $(($settings))? => runtimes!(@facts $module cores $($settings)?),)*
                }
            }

            /// [`Runtime::flaw`]; its path begins with the word of the runtime.
            pub fn flaw(&self, cores: Option<f64>) -> Option<Flaw> {
                match self {
                    $(RuntimeSettings::$kind $(($settings))? => runtimes!(@flaw cores $($settings)?),)*
                }
            }
        }
    };
    (@settings $module:ident $settings:ident) => { $module::Settings };
    (@settings $module:ident $settings:ident $preset:ident) => { OrPreset<$module::Settings> };
    (@facts $module:ident $cores:ident $settings:ident) => { $settings.facts($cores) };
    (@facts $module:ident $cores:ident) => { $module::facts() };
    (@flaw $cores:ident $settings:ident) => { $settings.flaw($cores) };
    (@flaw $cores:ident) => { None };
}

runtimes! {
    /// A new thread for each call.
    ThreadPerRequest(settings) => thread_per_request,
    /// A fixed number of threads; each serves one call at a time.
    ThreadPool(settings) => thread_pool,
    /// Event loops: each runs one callback at a time to completion.
    EventLoop(settings or preset) => event_loop,
    /// Every call is served immediately; nothing queues.
    Unlimited => unlimited,
    /// Tasks on worker threads that are held only while code runs; blocking work has its own threads.
    Async(settings) => asynchronous,
    /// Goroutines: each holds a processor only while its code runs, for 10 ms at a time; blocking work moves to its own thread.
    Goroutines(settings) => goroutines,
    /// Virtual threads: each holds a carrier only while its code runs or while it is pinned.
    VirtualThreads(settings) => virtual_threads,
    /// Threads under a global interpreter lock: one runs code at a time.
    GilThreads(settings) => gil_threads,
    /// Worker processes; each serves one call at a time.
    Processes(settings or preset) => processes,
    /// One call per instance; a new instance starts if none is idle.
    Single(settings) => single,
}

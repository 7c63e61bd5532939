//! Runtimes: what a service runs its handlers on. One file a runtime, and one row in the table below.
//!
//! A runtime is its settings and a row of [`Facts`]. The code of services reads the facts and never asks which runtime it
//! is, so a new one needs no change there, unless it can do what no other does. What differs most is what a task holds
//! while it waits: its thread, or nothing until it has code to run again.

use settings::Setting;
use sim_core::Span;

use crate::policies::flaw::Flaw;
use crate::policies::not_yet::NotYet;

pub mod asynchronous;
pub mod event_loop;
pub mod thread_per_request;
pub mod thread_pool;
pub mod unlimited;

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

/// Turns of code that is cut short so that other code gets a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    /// How long one lasts.
    pub slice: Span,
    /// What changing to the next task takes of a core.
    pub switch: Span,
}

/// What a task costs in memory, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskMemory {
    /// Address space that is set aside for it.
    pub reserved_bytes: u64,
    /// What of that it has touched, and so really takes.
    pub touched_bytes: u64,
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
    /// The turns that code is cut into; `None` where cores are shared fluidly, as by all runtimes so far.
    pub turns: Option<Turns>,
    /// Where a blocking call goes.
    pub blocking: Blocking,
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
}

impl Facts {
    /// So many workers, each held in that way; everything else as it is in most runtimes.
    pub fn of(noun: &'static str, workers: Option<u32>, holds: Holds) -> Facts {
        Facts {
            noun,
            workers,
            holds,
            turns: None,
            blocking: Blocking::InPlace,
            start: 0,
            close: 0,
            memory: None,
            cores: workers,
            crash: Crash::Replica,
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
        match self.blocking {
            Blocking::InPlace => None,
            Blocking::Pool(threads) => Some(threads),
        }
    }
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
/// file; behind the word, for one that takes settings, a name for them.
macro_rules! runtimes {
    (
        $($(#[$doc:meta])* $kind:ident $(($settings:ident))? => $module:ident,)*
        ; not yet: $($(#[$missing_doc:meta])* $missing:ident,)*
    ) => {
        /// Runtime of the handlers.
        #[derive(Clone, Debug, PartialEq, Setting)]
        pub enum RuntimeSettings {
            $($(#[$doc])* $kind $((runtimes!(@settings $module $settings)))?,)*
            $($(#[$missing_doc])* $missing(NotYet),)*
        }

        impl RuntimeSettings {
            /// [`Runtime::facts`].
            pub fn facts(&self, cores: Option<f64>) -> Facts {
                match self {
                    $(RuntimeSettings::$kind $(($settings))? => runtimes!(@facts $module cores $($settings)?),)*
                    $(RuntimeSettings::$missing(never) => match *never {},)*
                }
            }

            /// [`Runtime::flaw`]; its path begins with the word of the runtime.
            pub fn flaw(&self, cores: Option<f64>) -> Option<Flaw> {
                match self {
                    $(RuntimeSettings::$kind $(($settings))? => runtimes!(@flaw cores $($settings)?),)*
                    $(RuntimeSettings::$missing(never) => match *never {},)*
                }
            }
        }
    };
    (@settings $module:ident $settings:ident) => { $module::Settings };
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
    EventLoop(settings) => event_loop,
    /// Every call is served immediately; nothing queues.
    Unlimited => unlimited,
    /// Tasks on worker threads that are held only while code runs; blocking work has its own threads.
    Async(settings) => asynchronous,
    ; not yet:
    /// Goroutines on processors.
    Goroutines,
    /// Virtual threads on carriers.
    VirtualThreads,
    /// Threads under a global interpreter lock.
    GilThreads,
    /// Worker processes.
    Processes,
    /// One call per instance.
    Single,
}

//! Runtimes: what a service runs its handlers on, and what that costs.
//!
//! A runtime fixes what a task holds while it waits. `thread_pool` and `thread_per_request` hold a thread from the first
//! step to the last; `event_loop` holds a loop only while code runs, and runs one piece of code to its end before the
//! next; `unlimited` holds nothing.

use settings::{Duration, Setting};
use sim_core::Span;

use crate::policies::not_yet::NotYet;

/// What handlers run on.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum RuntimeSettings {
    /// A thread is made for each call and closed after it.
    ThreadPerRequest {
        /// Threads that may exist at once; calls beyond wait.
        max: Option<u32>,
        /// What making a thread takes before the first step.
        #[setting(default = "0s")]
        start: Duration,
        /// What closing it takes after the last.
        #[setting(default = "0s")]
        close: Duration,
        /// Memory of a thread's stack.
        stack: Option<NotYet>,
        /// What switching between threads takes.
        switch: Option<NotYet>,
    },
    /// A fixed number of threads; each serves one call at a time.
    ThreadPool {
        /// How many.
        #[setting(range = "1..=10000000", live)]
        threads: u32,
    },
    /// Loops that run one piece of code at a time, each to its end.
    EventLoop {
        /// How many loops, each on a core of its own where there are enough.
        #[setting(default = 1, range = "1..=100000")]
        loops: u32,
        /// Threads for what blocks.
        offload_threads: Option<NotYet>,
    },
    /// Every call is served at once.
    Unlimited,
    /// Tasks on worker threads.
    Async(NotYet),
    /// Goroutines on processors.
    Goroutines(NotYet),
    /// Virtual threads on carriers.
    VirtualThreads(NotYet),
    /// Threads under a global interpreter lock.
    GilThreads(NotYet),
    /// Worker processes.
    Processes(NotYet),
    /// One call per instance.
    Single(NotYet),
}

impl RuntimeSettings {
    /// How many can be at work at once; `None` for no limit.
    pub fn workers(&self) -> Option<u32> {
        match self {
            RuntimeSettings::ThreadPool { threads } => Some(*threads),
            RuntimeSettings::EventLoop { loops, .. } => Some(*loops),
            RuntimeSettings::ThreadPerRequest { max, .. } => *max,
            _ => None,
        }
    }

    /// Whether a task gives its worker back while it waits.
    pub fn is_loop(&self) -> bool {
        matches!(self, RuntimeSettings::EventLoop { .. })
    }

    /// What its workers are, in the plural.
    pub fn noun(&self) -> &'static str {
        if self.is_loop() { "loops" } else { "threads" }
    }

    /// Whether each task has a thread of its own.
    pub fn is_threads(&self) -> bool {
        matches!(self, RuntimeSettings::ThreadPool { .. } | RuntimeSettings::ThreadPerRequest { .. })
    }

    /// What making and closing a worker takes.
    pub fn start_and_close(&self) -> (Span, Span) {
        match self {
            RuntimeSettings::ThreadPerRequest { start, close, .. } => (start.0, close.0),
            _ => (0, 0),
        }
    }

    /// The word of the language.
    pub fn name(&self) -> &'static str {
        match self {
            RuntimeSettings::ThreadPerRequest { .. } => "thread_per_request",
            RuntimeSettings::ThreadPool { .. } => "thread_pool",
            RuntimeSettings::EventLoop { .. } => "event_loop",
            RuntimeSettings::Unlimited => "unlimited",
            _ => "(not there yet)",
        }
    }
}

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

/// What a task keeps others from using while it is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A thread, from its first step to its last.
    Thread,
    /// A loop, only while its code runs.
    Loop,
    /// Nothing.
    Nothing,
}

/// All that a service knows of its runtime: its code reads these facts and never asks which runtime it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Tasks that can be at work at once; `None` for no limit.
    pub workers: Option<u32>,
    /// What each of them holds.
    pub holds: Holds,
    /// What making a worker takes before the first step.
    pub start: Span,
    /// What closing it takes after the last.
    pub close: Span,
}

impl RuntimeSettings {
    /// What a service needs to know of it.
    #[inline(always)]
    pub fn facts(&self) -> Facts {
        let free = |workers, holds| Facts { workers, holds, start: 0, close: 0 };
        match self {
            RuntimeSettings::ThreadPerRequest { max, start, close, stack: _, switch: _ } => {
                Facts { workers: *max, holds: Holds::Thread, start: start.0, close: close.0 }
            }
            RuntimeSettings::ThreadPool { threads } => free(Some(*threads), Holds::Thread),
            RuntimeSettings::EventLoop { loops, offload_threads: _ } => free(Some(*loops), Holds::Loop),
            RuntimeSettings::Unlimited => free(None, Holds::Nothing),
            RuntimeSettings::Async(never)
            | RuntimeSettings::Goroutines(never)
            | RuntimeSettings::VirtualThreads(never)
            | RuntimeSettings::GilThreads(never)
            | RuntimeSettings::Processes(never)
            | RuntimeSettings::Single(never) => match *never {},
        }
    }

    /// How many can be at work at once; `None` for no limit.
    pub fn workers(&self) -> Option<u32> {
        self.facts().workers
    }

    /// Whether a task gives its worker back while it waits.
    pub fn is_loop(&self) -> bool {
        self.facts().holds == Holds::Loop
    }

    /// Whether each task has a thread of its own.
    pub fn is_threads(&self) -> bool {
        self.facts().holds == Holds::Thread
    }

    /// Whether nothing ever waits for a worker, and a task that never ends costs nothing.
    pub fn holds_nothing(&self) -> bool {
        self.facts().holds == Holds::Nothing
    }

    /// What its workers are, in the plural.
    pub fn noun(&self) -> &'static str {
        match self.facts().holds {
            Holds::Thread => "threads",
            Holds::Loop => "loops",
            Holds::Nothing => "tasks",
        }
    }

    /// What making and closing a worker takes.
    #[inline]
    pub fn start_and_close(&self) -> (Span, Span) {
        let Facts { start, close, .. } = self.facts();
        (start, close)
    }
}

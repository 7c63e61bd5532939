//! An event loop: one piece of code at a time, each to its end; what waits holds nothing.
//!
//! What is ready runs in the order in which it became so (`fifo`, as asyncio), or, as libuv has it, in phases: first all
//! timers that are due, then everything that the poller has found ready, as one batch, and so on. A task that another has
//! made ready runs right after that one's code (a microtask).

use settings::{Duration, Setting};

use super::switch::SwitchSettings;
use super::{Facts, Holds, Order, Poll, Runtime, TaskMemory};
use crate::policies::flaw::Flaw;
use crate::policies::presets::{Preset, Presets};

/// A callback with what it has captured: about 1 KB on the heap, all of it in use.
const CALLBACK: TaskMemory = TaskMemory { reserved_bytes: 1_000, touched_bytes: 1_000, in_advance: false };

/// Which callbacks go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum OrderSettings {
    /// First come, first served, as asyncio does.
    Fifo,
    /// All due timers first, then replies and new calls in batches, as libuv does.
    TimersFirst,
}

/// CPU cost of polling for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum PollerSettings {
    /// Cost grows with the ready connections.
    Epoll {
        /// Fixed cost of a wake-up.
        #[setting(default = "1us")]
        wake: Duration,
        /// Cost per ready connection.
        #[setting(default = "100ns")]
        each: Duration,
    },
    /// Cost grows with all watched connections.
    Select {
        /// Fixed cost of a wake-up.
        #[setting(default = "1us")]
        wake: Duration,
        /// Cost per watched connection.
        #[setting(default = "100ns")]
        each: Duration,
        /// Watched connections.
        #[setting(range = "1..=100000000")]
        watched: u32,
    },
}

/// An event loop, or several.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Number of loops, each on its own core if there are enough.
    #[setting(default = 1, range = "1..=100000")]
    pub loops: u32,
    /// Threads for `offload` steps; further steps queue. Default: libuv's (`UV_THREADPOOL_SIZE`).
    #[setting(default = 4, range = "1..=1024")]
    pub offload_threads: u32,
    /// Order in which ready callbacks run.
    #[setting(default = "fifo")]
    pub order: OrderSettings,
    /// Timer granularity: `wait` steps start and end at multiples of it and last at least one. With `timers_first`, a loop
    /// with nothing to do sleeps until its next timer for a whole number of them. 0s means exact timers.
    #[setting(default = "0s")]
    pub timer: Duration,
    /// CPU cost of polling for events. Without it polling is free.
    pub poller: Option<PollerSettings>,
    /// CPU cost of resuming a task that has waited: a duration, or `callback` (50 ns).
    #[setting(default = "0s")]
    pub switch: SwitchSettings,
}

impl Presets for Settings {
    const PRESETS: &'static [Preset] = &[Preset {
        word: "node",
        doc: "Node.js (22): libuv's phases, timers of whole milliseconds, four threads for what is offloaded.",
        settings: "{order: timers_first, timer: 1ms, offload_threads: 4}",
    }];
}

impl Runtime for Settings {
    fn facts(&self, _cores: Option<f64>) -> Facts {
        let Settings { loops, offload_threads, order, timer, poller, switch } = self;
        Facts {
            offload: Some(*offload_threads),
            order: match order {
                OrderSettings::Fifo => Order::Fifo,
                OrderSettings::TimersFirst => Order::TimersFirst,
            },
            timer: timer.0,
            poll: poller.map(|poller| match poller {
                PollerSettings::Epoll { wake, each } => Poll { wake: wake.0, each: each.0, watched: None },
                PollerSettings::Select { wake, each, watched } => {
                    Poll { wake: wake.0, each: each.0, watched: Some(watched) }
                }
            }),
            switch: switch.span(),
            has_lag: true,
            memory: Some(CALLBACK),
            ..Facts::of("loops", Some(*loops), Holds::RunningCode)
        }
    }

    fn flaw(&self, _cores: Option<f64>) -> Option<Flaw> {
        let is_alone = self.loops == 1;
        let (key, what) = match (self.order, self.poller) {
            (OrderSettings::TimersFirst, _) if !is_alone => ("event_loop.order", "`order: timers_first`"),
            (_, Some(_)) if !is_alone => ("event_loop.poller", "a `poller`"),
            _ => return None,
        };
        Some(Flaw {
            code: "not_alone",
            key: key.into(),
            message: format!("{what} needs a single loop, and there are {}", self.loops),
            help: "write `loops: 1` and use `replicas` for more loops".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::presets::OrPreset;

    fn of(text: &str) -> Settings {
        settings::notation::read::<OrPreset<Settings>>(text).expect("settings").0
    }

    #[test]
    fn node_runs_timers_first() {
        let facts = of("node").facts(None);
        assert_eq!((facts.order, facts.timer, facts.offload), (Order::TimersFirst, 1_000_000, Some(4)));
        assert_eq!(of("{node: {offload_threads: 16}}").facts(None).offload, Some(16));
        assert_eq!(of("{}").facts(None).order, Order::Fifo);
    }

    #[test]
    fn phases_are_those_of_one_loop() {
        assert_eq!(of("{node: {loops: 2}}").flaw(None).map(|flaw| flaw.key), Some("event_loop.order".into()));
        assert_eq!(of("{loops: 2, poller: {epoll: {}}}").flaw(None).map(|f| f.key), Some("event_loop.poller".into()));
        assert_eq!(of("node").flaw(None), None);
    }

    /// One of 10,000 connections is ready: 1.1 µs for epoll, 1 ms for select.
    #[test]
    fn epoll_costs_what_is_ready_and_select_what_is_watched() {
        let poll = |text: &str| of(text).facts(None).poll.map(|poll| poll.takes(1));
        assert_eq!(poll("{poller: {epoll: {}}}"), Some(1_100));
        assert_eq!(poll("{poller: {select: {watched: 10k}}}"), Some(1_001_000));
    }
}

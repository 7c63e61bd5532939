//! Threads under a global interpreter lock, after CPython's. Each call has a thread from its first step to its last, and one
//! thread at a time runs code. A thread gives the lock back whenever it waits, `block` steps included; one that waits for the
//! lock asks for it after the switch interval, and it is then taken from the thread that has it.
//!
//! The lock is not fair, and knows no priorities: who gets it is who has waited longest since it last asked, which all
//! do again after each interval. So a thread that waits for something else most of the time pays for those that
//! compute, at every wake-up (the *convoy effect*).

use settings::{Duration, Setting, Size};

use super::switch::SwitchSettings;
use super::thread_pool::stacks;
use super::{Facts, Holds, Runtime, workers_or_cores, workers_unknown};
use crate::policies::flaw::Flaw;

/// CPython's interval (`sys.getswitchinterval()`).
const INTERVAL: u64 = 5_000_000;

/// Threads under an interpreter lock.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Threads; each serves one call at a time. Default: that of `ThreadPoolExecutor`, the cores of the service plus 4, at most
    /// 32.
    #[setting(range = "1..=10000000", live)]
    pub threads: Option<u32>,
    /// Time after which a thread that waits for the lock requests it. Default: 5 ms, CPython's (`sys.setswitchinterval`).
    pub switch_interval: Option<Duration>,
    /// No interpreter lock, as in free-threaded builds (PEP 703): threads share all cores.
    #[setting(default = false)]
    pub free_threaded: bool,
    /// Address space set aside for the stack of each thread. Default: Linux' (`ulimit -s`).
    #[setting(default = "8MiB")]
    pub stack: Size,
    /// Memory that a thread touches of its stack. At most `stack`.
    #[setting(default = "100KB")]
    pub stack_touched: Size,
    /// CPU cost of resuming a thread that has waited: a duration, or `thread` (2 µs).
    #[setting(default = "0s")]
    pub switch: SwitchSettings,
}

impl Runtime for Settings {
    fn facts(&self, cores: Option<f64>) -> Facts {
        let Settings { threads, switch_interval, free_threaded, stack, stack_touched, switch } = self;
        let interval = switch_interval.map_or(INTERVAL, |interval| interval.0);
        let threads = threads.unwrap_or_else(|| (workers_or_cores(None, cores) + 4).min(32));
        let facts = Facts::of("threads", Some(threads), Holds::Task);
        Facts {
            interpreter: (!free_threaded).then_some(interval),
            cores: if *free_threaded { facts.cores } else { Some(1) },
            switch: switch.span(),
            memory: Some(stacks(*stack, *stack_touched, true)),
            ..facts
        }
    }

    fn flaw(&self, cores: Option<f64>) -> Option<Flaw> {
        let (key, message, help) = match self.switch_interval {
            Some(_) if self.free_threaded => (
                "gil_threads.switch_interval",
                "`switch_interval` has no effect: free-threaded builds have no interpreter lock",
                "remove it, or `free_threaded: true`",
            ),
            Some(Duration(0)) => (
                "gil_threads.switch_interval",
                "with a switch interval of 0s threads would take the lock from each other forever",
                "write `switch_interval: 5ms`",
            ),
            Some(Duration(_)) | None => return workers_unknown(self.threads, cores, "gil_threads", "threads"),
        };
        let code = if self.free_threaded { "no_effect" } else { "out_of_range" };
        Some(Flaw { code, key: key.into(), message: message.into(), help: help.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Settings {
        settings::notation::read(text).expect("settings")
    }

    #[test]
    fn one_core_is_all_that_code_under_a_lock_uses() {
        assert_eq!(of("{threads: 8}").facts(Some(4.0)).cores, Some(1));
        assert_eq!(of("{threads: 8}").facts(Some(4.0)).interpreter, Some(5_000_000));
        let free = of("{threads: 8, free_threaded: true}").facts(Some(4.0));
        assert_eq!((free.cores, free.interpreter), (Some(8), None));
    }

    #[test]
    fn an_executor_has_a_few_more_threads_than_cores() {
        let threads = |text: &str, cores| of(text).facts(cores).workers;
        assert_eq!([threads("{}", Some(2.0)), threads("{}", Some(64.0))], [Some(6), Some(32)]);
        assert_eq!(threads("{threads: 3}", None), Some(3));
        assert_eq!(of("{}").flaw(None).map(|flaw| flaw.key), Some("gil_threads.threads".into()));
    }

    #[test]
    fn an_interval_that_means_nothing_is_refused() {
        let flaw = |text: &str| of(text).flaw(None).map(|flaw| flaw.code);
        assert_eq!(flaw("{threads: 2, switch_interval: 1ms}"), None);
        assert_eq!(flaw("{threads: 2, switch_interval: 0s}"), Some("out_of_range"));
        assert_eq!(flaw("{threads: 2, switch_interval: 1ms, free_threaded: true}"), Some("no_effect"));
    }
}

//! `async`, which is no name for a file: tasks on worker threads, after tokio's multi-threaded runtime. A task holds a
//! worker only while its code runs, all workers share one line of tasks that are ready, and what blocks goes to threads of
//! its own.
//!
//! A worker runs a piece of code to its end. A task that goes on without waiting, because what it awaits is there already, makes way
//! for others after a budget of such operations (`tokio::task::coop`); a piece of work on a core has none, so that nothing
//! cuts it short.

use settings::Setting;

use super::switch::SwitchSettings;
use super::{Blocking, Facts, Holds, Runtime, TaskMemory, workers_or_cores};
use crate::policies::flaw::Flaw;

/// A future on the heap: about 2 KB, all of it in use.
const FUTURE: TaskMemory = TaskMemory { reserved_bytes: 2_000, touched_bytes: 2_000, in_advance: false };

/// Asynchronous tasks.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Worker threads. Defaults to the service's `cpu`, rounded up, as in tokio; required for a service without its own
    /// cores.
    #[setting(range = "1..=100000")]
    pub workers: Option<u32>,
    /// Threads for `block` steps, started on demand; further steps wait. With 0 a `block` step stops the worker, like
    /// code that blocks without `spawn_blocking`. The default is tokio's (`max_blocking_threads`).
    #[setting(default = 512, range = "0..=1000000")]
    pub blocking_threads: u32,
    /// Cooperative budget: `lock` steps that find the lock free and `send` steps that a task may take in one turn before it
    /// yields to other ready tasks. The default is tokio's.
    #[setting(default = 128, range = "1..=1000000000")]
    pub budget: u32,
    /// CPU cost of resuming a task that has waited: a duration, or `async` (100 ns).
    #[setting(default = "0s")]
    pub switch: SwitchSettings,
}

impl Runtime for Settings {
    fn facts(&self, cores: Option<f64>) -> Facts {
        let Settings { workers, blocking_threads, budget, switch } = self;
        let workers = workers_or_cores(*workers, cores);
        let blocking = match blocking_threads {
            0 => Blocking::InPlace,
            threads => Blocking::Pool(*threads),
        };
        Facts {
            blocking,
            budget: Some(*budget),
            offload: blocking.threads(),
            switch: switch.span(),
            has_lag: true,
            memory: Some(FUTURE),
            ..Facts::of("workers", Some(workers), Holds::RunningCode)
        }
    }

    fn flaw(&self, cores: Option<f64>) -> Option<Flaw> {
        (self.workers.is_none() && cores.is_none()).then(|| Flaw {
            code: "missing_setting",
            key: "async.workers".into(),
            message:
                "there are as many workers as cores unless `workers` says otherwise, and this service has no cores of \
                      its own"
                    .into(),
            help: "write `runtime: {async: {workers: 4}}`, or `cpu: 4` without `hosts`".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Settings {
        settings::notation::read(text).expect("settings")
    }

    #[test]
    fn there_are_as_many_workers_as_cores_rounded_up() {
        let workers = |text: &str, cores| of(text).facts(cores).workers;
        assert_eq!(workers("{}", Some(4.0)), Some(4));
        assert_eq!(workers("{}", Some(1.2)), Some(2));
        assert_eq!(workers("{}", Some(0.25)), Some(1));
        assert_eq!(workers("{workers: 3}", Some(8.0)), Some(3));
        assert_eq!(workers("{workers: 3}", None), Some(3));
    }

    #[test]
    fn workers_must_be_given_where_there_are_no_cores_to_count() {
        assert_eq!(of("{}").flaw(Some(0.5)), None);
        assert_eq!(of("{workers: 1}").flaw(None), None);
        assert_eq!(of("{}").flaw(None).map(|flaw| flaw.key), Some("async.workers".into()));
    }

    #[test]
    fn what_blocks_has_threads_of_its_own_unless_there_are_none() {
        assert_eq!(of("{}").facts(Some(1.0)).blocking_threads(), Some(512));
        assert_eq!(of("{blocking_threads: 3}").facts(Some(1.0)).blocking, Blocking::Pool(3));
        assert_eq!(of("{blocking_threads: 0}").facts(Some(1.0)).blocking, Blocking::InPlace);
    }

    /// 10,000 tasks of 2 KB are 20 MB; as many threads of 8 MiB would reserve 84 GB.
    #[test]
    fn a_task_is_small() {
        let memory = of("{}").facts(Some(1.0)).memory.expect("it is known");
        assert_eq!(10_000 * memory.reserved_bytes, 20_000_000);
        assert_eq!(memory.touched_bytes, memory.reserved_bytes);
    }
}

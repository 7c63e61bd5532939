//! Worker processes: made in advance, each serving one call at a time, as gunicorn's `sync` workers and pools of
//! `multiprocessing` do. A worker that is replaced costs a fork, during which it serves nobody.
//!
//! Workers die on purpose: after so many calls (`max_requests`, against leaks), or because one call takes too long
//! (`timeout`), which is then reset.

use settings::{Duration, Setting, Size};

use super::switch::SwitchSettings;
use super::{Facts, Holds, Recycle, Runtime, TaskMemory, workers_or_cores, workers_unknown};
use crate::policies::flaw::Flaw;
use crate::policies::presets::{Preset, Presets};

/// Worker processes.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Worker processes. Default: the cores of the service (`cpu.limit` on hosts), rounded up.
    #[setting(range = "1..=1000000")]
    pub workers: Option<u32>,
    /// Time to fork a replacement.
    #[setting(default = "0s")]
    pub fork: Duration,
    /// Calls after which a worker is replaced. Without it workers are never replaced for their age.
    #[setting(range = "1..=1000000000")]
    pub max_requests: Option<u32>,
    /// Maximum random addition to `max_requests`, drawn per worker, so that they are not all replaced at once.
    #[setting(default = 0, range = "0..=1000000000")]
    pub jitter: u32,
    /// Time after which a worker that is still busy with the same call is killed and replaced. The call ends with `reset`.
    pub timeout: Option<Duration>,
    /// Memory of each worker process. The default is usual for an interpreted language with an application in it.
    #[setting(default = "100MB")]
    pub worker_memory: Size,
    /// CPU cost of resuming a process that has waited: a duration, or `thread` (2 µs).
    #[setting(default = "0s")]
    pub switch: SwitchSettings,
}

impl Presets for Settings {
    const PRESETS: &'static [Preset] = &[
        Preset {
            word: "gunicorn",
            doc: "Gunicorn's `sync` workers (23.0): one worker unless `workers` says otherwise, killed after 30 s with one call.",
            settings: "{workers: 1, timeout: 30s}",
        },
        Preset {
            word: "multiprocessing",
            doc: "A `Pool` of Python's `multiprocessing`: as many workers as cores, each made in 10 ms and never replaced.",
            settings: "{fork: 10ms}",
        },
    ];
}

impl Runtime for Settings {
    fn facts(&self, cores: Option<f64>) -> Facts {
        let Settings { workers, fork, max_requests, jitter, timeout, worker_memory, switch } = self;
        let recycle = Recycle { fork: fork.0, after: *max_requests, jitter: *jitter, timeout: timeout.map(|t| t.0) };
        let is_recycled = recycle.after.is_some() || recycle.timeout.is_some();
        Facts {
            recycle: is_recycled.then_some(recycle),
            switch: switch.span(),
            memory: Some(TaskMemory {
                reserved_bytes: worker_memory.0,
                touched_bytes: worker_memory.0,
                in_advance: true,
            }),
            ..Facts::of("processes", Some(workers_or_cores(*workers, cores)), Holds::Task)
        }
    }

    fn flaw(&self, cores: Option<f64>) -> Option<Flaw> {
        if self.jitter > 0 && self.max_requests.is_none() {
            return Some(Flaw {
                code: "no_effect",
                key: "processes.jitter".into(),
                message: "`jitter` has no effect without `max_requests`".into(),
                help: "remove it, or write `max_requests: 1000`".into(),
            });
        }
        if self.timeout == Some(Duration(0)) {
            return Some(Flaw {
                code: "out_of_range",
                key: "processes.timeout".into(),
                message: "a timeout of 0s kills every worker before it serves a call".into(),
                help: "remove it if workers are never killed".into(),
            });
        }
        workers_unknown(self.workers, cores, "processes", "workers")
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
    fn presets_are_settings() {
        let gunicorn = of("gunicorn").facts(Some(4.0));
        assert_eq!(gunicorn.workers, Some(1));
        assert_eq!(gunicorn.recycle.and_then(|recycle| recycle.timeout), Some(30_000_000_000));
        let pool = of("multiprocessing").facts(Some(4.0));
        assert_eq!((pool.workers, pool.recycle), (Some(4), None));
        assert_eq!(of("{gunicorn: {workers: 9}}").facts(None).workers, Some(9));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        assert_eq!(of("{jitter: 5}").flaw(Some(1.0)).map(|flaw| flaw.key), Some("processes.jitter".into()));
        assert_eq!(of("{timeout: 0s}").flaw(Some(1.0)).map(|flaw| flaw.key), Some("processes.timeout".into()));
        assert_eq!(of("{}").flaw(None).map(|flaw| flaw.key), Some("processes.workers".into()));
        assert_eq!(of("{max_requests: 10, jitter: 5}").flaw(Some(1.0)), None);
    }
}

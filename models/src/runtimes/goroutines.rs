//! Goroutines: tasks that processors (P) run, after Go's scheduler. A goroutine holds a processor only while its code runs; one
//! that runs for longer than 10 ms is cut short where others are ready; one that blocks leaves its processor to others and
//! keeps a thread.
//!
//! All processors share one line of what is ready, as if an idle one stole from the others at once. A processor is given up at
//! the beginning of a blocking call; Go's `sysmon` takes it back from one that is longer than 20 µs.

use settings::{Duration, Setting};

use super::switch::SwitchSettings;
use super::{Blocking, Facts, Holds, Runtime, TaskMemory, workers_or_cores, workers_unknown};
use crate::policies::flaw::Flaw;

/// The least stack of a goroutine (`_StackMin`), all of it in use.
const GOROUTINE: TaskMemory = TaskMemory { reserved_bytes: 2_048, touched_bytes: 2_048 };

/// Threads that a program of Go may have (`debug.SetMaxThreads`).
const THREADS_MAX: u32 = 10_000;

/// Goroutines on processors.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Processors: goroutines whose code runs at the same time (`GOMAXPROCS`). Without it as many as the service has cores
    /// (`cpu.limit` on hosts), rounded up, as Go does from 1.25 on.
    #[setting(range = "1..=100000")]
    pub procs: Option<u32>,
    /// How long code may run before it makes way for others that are ready. The default is Go's (`forcePreemptNS`, from 1.14
    /// on).
    #[setting(default = "10ms")]
    pub slice: Duration,
    /// What it takes of a core to go on with a goroutine that has waited: a time, or `goroutine` (200 ns).
    #[setting(default = "0s")]
    pub switch: SwitchSettings,
}

impl Runtime for Settings {
    fn facts(&self, cores: Option<f64>) -> Facts {
        let Settings { procs, slice, switch } = self;
        Facts {
            slice: (slice.0 > 0).then_some(slice.0),
            switch: switch.span(),
            blocking: Blocking::Pool(THREADS_MAX),
            memory: Some(GOROUTINE),
            ..Facts::of("procs", Some(workers_or_cores(*procs, cores)), Holds::RunningCode)
        }
    }

    fn flaw(&self, cores: Option<f64>) -> Option<Flaw> {
        if self.slice.0 == 0 {
            return Some(Flaw {
                code: "out_of_range",
                key: "goroutines.slice".into(),
                message: "code that may run for no time never gets anywhere".into(),
                help: "write `slice: 10ms`, or a longer time than any code takes to let it run to its end".into(),
            });
        }
        workers_unknown(self.procs, cores, "goroutines", "procs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Settings {
        settings::notation::read(text).expect("settings")
    }

    #[test]
    fn there_are_as_many_procs_as_cores_rounded_up() {
        let procs = |text: &str, cores| of(text).facts(cores).workers;
        assert_eq!(procs("{}", Some(4.0)), Some(4));
        assert_eq!(procs("{}", Some(0.25)), Some(1));
        assert_eq!(procs("{procs: 3}", None), Some(3));
        assert_eq!(of("{}").flaw(None).map(|flaw| flaw.key), Some("goroutines.procs".into()));
        assert_eq!(of("{}").flaw(Some(1.0)), None);
        assert_eq!(of("{slice: 0s}").flaw(Some(1.0)).map(|flaw| flaw.key), Some("goroutines.slice".into()));
    }

    #[test]
    fn code_is_cut_short_after_ten_milliseconds() {
        assert_eq!(of("{}").facts(Some(1.0)).slice, Some(10_000_000));
        assert_eq!(of("{switch: goroutine}").facts(Some(1.0)).switch, 200);
    }
}

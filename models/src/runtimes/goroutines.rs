//! Goroutines: tasks that processors (P) run, after Go's scheduler. A goroutine holds a processor only while its code runs; one
//! that runs for longer than 10 ms is cut short where others are ready; one that blocks leaves its processor to others and
//! keeps a thread.
//!
//! All processors share one line of what is ready, as if an idle one stole from the others at once. A processor is given up at
//! the beginning of a blocking call; Go's `sysmon` takes it back from one that is longer than 20 µs.

use settings::{Duration, Setting, Size};

use super::switch::SwitchSettings;
use super::{Blocking, Facts, Holds, Runtime, TaskMemory, workers_or_cores, workers_unknown};
use crate::policies::flaw::Flaw;

/// Threads that a program of Go may have (`debug.SetMaxThreads`).
const THREADS_MAX: u32 = 10_000;

/// Goroutines on processors.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Processors, the goroutines that run at the same time (`GOMAXPROCS`). Default: the cores of the service (`cpu.limit` on
    /// hosts), rounded up, as in Go 1.25.
    #[setting(range = "1..=100000")]
    pub procs: Option<u32>,
    /// Time slice after which running code is preempted if other goroutines are ready. Default: Go's (`forcePreemptNS`, since
    /// 1.14).
    #[setting(default = "10ms")]
    pub slice: Duration,
    /// Stack of each goroutine. Default: the least that Go begins with; 4 KiB is typical once it has grown.
    #[setting(default = "2KiB")]
    pub stack: Size,
    /// CPU cost of resuming a goroutine that has waited: a duration, or `goroutine` (200 ns).
    #[setting(default = "0s")]
    pub switch: SwitchSettings,
}

impl Runtime for Settings {
    fn facts(&self, cores: Option<f64>) -> Facts {
        let Settings { procs, slice, stack, switch } = self;
        Facts {
            slice: (slice.0 > 0).then_some(slice.0),
            switch: switch.span(),
            blocking: Blocking::Pool(THREADS_MAX),
            memory: Some(TaskMemory { reserved_bytes: stack.0, touched_bytes: stack.0, in_advance: false }),
            ..Facts::of("procs", Some(workers_or_cores(*procs, cores)), Holds::RunningCode)
        }
    }

    fn flaw(&self, cores: Option<f64>) -> Option<Flaw> {
        if self.slice.0 == 0 {
            return Some(Flaw {
                code: "out_of_range",
                key: "goroutines.slice".into(),
                message: "a slice of 0s never lets any code run".into(),
                help: "write `slice: 10ms`".into(),
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

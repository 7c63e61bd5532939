//! Virtual threads: tasks that carriers run, after Java's (JEP 444). One that waits gives its carrier back (it is unmounted), and
//! no code is cut short: the scheduler does not share out time. Where it is *pinned* it keeps its carrier while it waits: in
//! native code, which `block` steps stand for, and, before JDK 24 (JEP 491), while it holds or waits for a monitor
//! (`synchronized`).
//!
//! Java adds carriers for some calls that block (files, `Object.wait`), up to 256; for pinned threads it adds none.

use settings::Setting;

use super::switch::SwitchSettings;
use super::{Facts, Holds, Runtime, TaskMemory, workers_or_cores, workers_unknown};
use crate::policies::flaw::Flaw;

/// A virtual thread with its frames on the heap: about 1 KB, all of it in use.
const VIRTUAL_THREAD: TaskMemory = TaskMemory { reserved_bytes: 1_000, touched_bytes: 1_000, in_advance: false };

/// Virtual threads on carriers.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Carrier threads. Default: the cores of the service (`cpu.limit` on hosts), rounded up, as in Java
    /// (`jdk.virtualThreadScheduler.parallelism`).
    #[setting(range = "1..=100000")]
    pub carriers: Option<u32>,
    /// Whether a thread that holds or waits for a `lock` stays pinned to its carrier while it waits, as with `synchronized`
    /// before JDK 24.
    #[setting(default = false)]
    pub pinned_by_locks: bool,
    /// CPU cost of resuming a thread that has waited: a duration, or a preset such as `goroutine` (200 ns).
    #[setting(default = "0s")]
    pub switch: SwitchSettings,
}

impl Runtime for Settings {
    fn facts(&self, cores: Option<f64>) -> Facts {
        let Settings { carriers, pinned_by_locks, switch } = self;
        Facts {
            pinned_by_locks: *pinned_by_locks,
            switch: switch.span(),
            memory: Some(VIRTUAL_THREAD),
            ..Facts::of("carriers", Some(workers_or_cores(*carriers, cores)), Holds::RunningCode)
        }
    }

    fn flaw(&self, cores: Option<f64>) -> Option<Flaw> {
        workers_unknown(self.carriers, cores, "virtual_threads", "carriers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Settings {
        settings::notation::read(text).expect("settings")
    }

    #[test]
    fn there_are_as_many_carriers_as_cores_rounded_up() {
        assert_eq!(of("{}").facts(Some(2.5)).workers, Some(3));
        assert_eq!(of("{carriers: 8}").facts(None).workers, Some(8));
        assert_eq!(of("{}").flaw(None).map(|flaw| flaw.key), Some("virtual_threads.carriers".into()));
    }

    #[test]
    fn locks_pin_only_where_they_are_said_to() {
        assert!(!of("{}").facts(Some(1.0)).pinned_by_locks);
        assert!(of("{pinned_by_locks: true}").facts(Some(1.0)).pinned_by_locks);
    }
}

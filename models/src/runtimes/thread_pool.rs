//! A pool of threads: each serves one call at a time, from its first step to its last.

use settings::Setting;

use super::switch::SwitchSettings;
use super::{Facts, Holds, Runtime, TaskMemory};

/// A thread's stack: Linux sets 8 MiB aside for one (`ulimit -s`). Of those pages that a request handler touches, 8 to
/// 100 KB are usual; the upper end is taken.
pub(super) const STACK: TaskMemory = TaskMemory { reserved_bytes: 8 << 20, touched_bytes: 100_000 };

/// A pool of threads.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// How many.
    #[setting(range = "1..=10000000", live)]
    pub threads: u32,
    /// CPU cost of resuming a thread that has waited: a duration, or `thread` (2 µs).
    #[setting(default = "0s")]
    pub switch: SwitchSettings,
}

impl Runtime for Settings {
    fn facts(&self, _cores: Option<f64>) -> Facts {
        let Settings { threads, switch } = self;
        Facts { switch: switch.span(), memory: Some(STACK), ..Facts::of("threads", Some(*threads), Holds::Task) }
    }
}

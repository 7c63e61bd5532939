//! A pool of threads: each serves one call at a time, from its first step to its last.

use settings::{Setting, Size};

use super::switch::SwitchSettings;
use super::{Facts, Holds, Runtime, TaskMemory};

/// A thread's stack: Linux sets 8 MiB aside for one (`ulimit -s`). Of those pages that a request handler touches, 8 to
/// 100 KB are usual; the upper end is taken.
pub const STACK: TaskMemory = TaskMemory { reserved_bytes: 8 << 20, touched_bytes: 100_000, in_advance: true };

/// A pool of threads.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// How many.
    #[setting(range = "1..=10000000", live)]
    pub threads: u32,
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
    fn facts(&self, _cores: Option<f64>) -> Facts {
        let Settings { threads, stack, stack_touched, switch } = self;
        Facts {
            switch: switch.span(),
            memory: Some(stacks(*stack, *stack_touched, true)),
            ..Facts::of("threads", Some(*threads), Holds::Task)
        }
    }
}

/// Threads with such stacks.
pub(super) fn stacks(stack: Size, touched: Size, in_advance: bool) -> TaskMemory {
    TaskMemory { reserved_bytes: stack.0, touched_bytes: touched.0.min(stack.0), in_advance }
}

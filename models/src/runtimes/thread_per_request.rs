//! A thread for each call: made before its first step, closed after its last.

use settings::{Duration, Setting, Size};

use super::switch::SwitchSettings;
use super::thread_pool::stacks;
use super::{Facts, Holds, Runtime};

/// A thread for each call.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Maximum threads; further calls wait.
    pub max: Option<u32>,
    /// Time to start a thread before the first step.
    #[setting(default = "0s")]
    pub start: Duration,
    /// Time to close a thread after the last step.
    #[setting(default = "0s")]
    pub close: Duration,
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
        let Settings { max, start, close, stack, stack_touched, switch } = self;
        let facts = Facts::of("threads", *max, Holds::Task);
        Facts {
            start: start.0,
            close: close.0,
            switch: switch.span(),
            memory: Some(stacks(*stack, *stack_touched, false)),
            ..facts
        }
    }
}

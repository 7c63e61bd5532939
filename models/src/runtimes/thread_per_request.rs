//! A thread for each call: made before its first step, closed after its last.

use settings::{Duration, Setting};

use super::switch::SwitchSettings;
use super::thread_pool::STACK;
use super::{Facts, Holds, Runtime};
use crate::policies::not_yet::NotYet;

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
    /// Memory of a thread's stack.
    pub stack: Option<NotYet>,
    /// CPU cost of resuming a thread that has waited: a duration, or `thread` (2 µs).
    #[setting(default = "0s")]
    pub switch: SwitchSettings,
}

impl Runtime for Settings {
    fn facts(&self, _cores: Option<f64>) -> Facts {
        let Settings { max, start, close, stack: _, switch } = self;
        let facts = Facts::of("threads", *max, Holds::Task);
        Facts { start: start.0, close: close.0, switch: switch.span(), memory: Some(STACK), ..facts }
    }
}

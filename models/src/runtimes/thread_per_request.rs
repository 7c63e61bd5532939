//! A thread for each call: made before its first step, closed after its last.

use settings::{Duration, Setting};

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
    /// Cost of a context switch.
    pub switch: Option<NotYet>,
}

impl Runtime for Settings {
    fn facts(&self, _cores: Option<f64>) -> Facts {
        let Settings { max, start, close, stack: _, switch: _ } = self;
        let facts = Facts::of("threads", *max, Holds::Task);
        Facts { start: start.0, close: close.0, memory: Some(STACK), ..facts }
    }
}

//! An event loop: one piece of code at a time, each to its end; what waits holds nothing.

use settings::Setting;

use super::{Facts, Holds, Runtime, TaskMemory};
use crate::policies::not_yet::NotYet;

/// A callback with what it has captured: about 1 KB on the heap, all of it in use.
const CALLBACK: TaskMemory = TaskMemory { reserved_bytes: 1_000, touched_bytes: 1_000 };

/// An event loop, or several.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Number of loops, each on its own core if there are enough.
    #[setting(default = 1, range = "1..=100000")]
    pub loops: u32,
    /// Threads for blocking work.
    pub offload_threads: Option<NotYet>,
}

impl Runtime for Settings {
    fn facts(&self, _cores: Option<f64>) -> Facts {
        let Settings { loops, offload_threads: _ } = self;
        Facts { memory: Some(CALLBACK), ..Facts::of("loops", Some(*loops), Holds::RunningCode) }
    }
}

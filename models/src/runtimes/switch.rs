//! What going on with a task that has waited takes of a core.

use settings::{Duration, Setting};
use sim_core::Span;

/// CPU cost of switching to a task that has waited: a duration, or the usual value for a kind of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
#[setting(bare = "For")]
pub enum SwitchSettings {
    /// An operating system thread: 2 µs. Measurements range from 1 to 10 µs, cold caches included.
    Thread,
    /// A goroutine: 200 ns.
    Goroutine,
    /// An async task: 100 ns.
    Async,
    /// A callback on an event loop: 50 ns.
    Callback,
    /// A duration.
    For(Duration),
}

impl SwitchSettings {
    /// The time.
    pub fn span(self) -> Span {
        match self {
            SwitchSettings::Thread => 2_000,
            SwitchSettings::Goroutine => 200,
            SwitchSettings::Async => 100,
            SwitchSettings::Callback => 50,
            SwitchSettings::For(time) => time.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 50,000 switches a second: half a core for threads that take 10 µs each, half a percent of one for `async` tasks.
    #[test]
    fn words_are_times() {
        let of = |text: &str| settings::notation::read::<SwitchSettings>(text).expect("a switch").span();
        assert_eq!(["thread", "goroutine", "async", "callback", "0s"].map(of), [2_000, 200, 100, 50, 0]);
        assert_eq!(50_000 * of("10us"), 500_000_000);
        assert_eq!(50_000 * of("async"), 5_000_000);
    }
}

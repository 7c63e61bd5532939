//! How a replica that is to go is shut down: as Kubernetes deletes a pod.
//!
//! Two things happen at once. Choosers are told to call it no more, each in its own time (`discovery`). And the process runs its hook
//! (`pre_stop`), is told to end (SIGTERM), and is killed when `grace` is over. Where a process stops accepting before all choosers know, calls are refused.

use settings::{Duration, Setting};
use sim_core::Span;

/// What a process does when it is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum OnTerm {
    /// It refuses new calls (`unavailable`), finishes those that it has, and ends.
    StopAccepting,
    /// It goes on as before until it is killed.
    KeepAccepting,
    /// It ends at once: open calls are `reset`.
    Exit,
}

/// How a replica is shut down by `scale`, `deploy` and autoscaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub struct ShutdownSettings {
    /// Time before the process is told to end, in which it goes on as before. Part of `grace`.
    #[setting(default = "0s")]
    pub pre_stop: Duration,
    /// Time after which the process is killed. Kubernetes' default (`terminationGracePeriodSeconds`).
    #[setting(default = "30s")]
    pub grace: Duration,
    /// What the process does when it is told to end.
    #[setting(default = "stop_accepting")]
    pub on_term: OnTerm,
}

impl ShutdownSettings {
    /// What holds where nothing is written.
    pub const DEFAULT: ShutdownSettings =
        ShutdownSettings { pre_stop: Duration(0), grace: Duration(30_000_000_000), on_term: OnTerm::StopAccepting };

    /// From the decision until the process is told to end.
    pub fn told_after(&self) -> Span {
        self.pre_stop.0.min(self.grace.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_the_settings_say() {
        assert_eq!(settings::notation::read::<ShutdownSettings>("{}").ok(), Some(ShutdownSettings::DEFAULT));
        let late: ShutdownSettings = settings::notation::read("{pre_stop: 40s}").expect("settings");
        assert_eq!(late.told_after(), 30_000_000_000);
    }
}

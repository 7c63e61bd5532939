//! How a process that has died is started again: at once, and after back-offs that grow while it keeps dying.

use settings::{Duration, Setting};
use sim_core::{Span, Time};

/// Restarts with back-off, as Kubernetes' (`CrashLoopBackOff`): the first is at once, the next ones wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub struct RestartSettings {
    /// Wait before the second restart in a row; it doubles for each further one. Default: Kubernetes'.
    #[setting(default = "10s")]
    pub base: Duration,
    /// Longest wait. Default: Kubernetes'.
    #[setting(default = "300s")]
    pub max: Duration,
    /// Time without dying after which the process counts as healthy and waits begin anew. Default: Kubernetes'.
    #[setting(default = "10m")]
    pub reset: Duration,
}

impl RestartSettings {
    /// What holds where nothing is written and something starts processes again.
    pub const DEFAULT: RestartSettings = RestartSettings {
        base: Duration(10_000_000_000),
        max: Duration(300_000_000_000),
        reset: Duration(600_000_000_000),
    };
}

/// How often a process has been started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restarts {
    count: u32,
    up_since: Option<Time>,
}

impl Restarts {
    /// It has died: how long until it is started again.
    pub fn died(&mut self, now: Time, settings: &RestartSettings) -> Span {
        if self.up_since.is_some_and(|since| now - since >= settings.reset.0) {
            self.count = 0;
        }
        let wait = match self.count {
            0 => 0,
            again => settings.base.0.saturating_mul(1 << (again - 1).min(62)).min(settings.max.0),
        };
        self.count = self.count.saturating_add(1);
        wait
    }

    /// It is up again.
    pub fn is_up(&mut self, now: Time) {
        self.up_since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_their_bound_and_begin_anew_after_ten_minutes() {
        let second = 1_000_000_000;
        let settings = settings::notation::read::<RestartSettings>("{}").expect("defaults");
        let (mut restarts, mut now, mut waits) = (Restarts::default(), 0, Vec::new());
        for _ in 0..8 {
            waits.push(restarts.died(now, &settings) / second);
            restarts.is_up(now);
            now += second;
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
        now += 599 * second;
        assert_eq!(restarts.died(now, &settings), 0, "after ten minutes in all");
    }
}

//! The retry budget of Envoy: a share of the attempts that are under way.
//!
//! An attempt may be repeated while fewer than max(`share` × attempts under way, `min`) repeated ones are. A retry counts from
//! the moment it is allowed, its back-off included, until it ends. (Envoy, `RetryBudgetImpl` in
//! `source/common/upstream/resource_manager_impl.h` at 01c2c1fa; when a retry counts: `source/common/router/retry_state_impl.cc` at
//! 00d9abb7.) What waits at a gate or for a connection is Envoy's *pending* and counts as under way. The attempt that has just
//! failed does not count any more; Envoy counts one that was answered until its stream is closed.

use settings::values::Scalar;
use settings::{Fraction, Setting};
use sim_core::{Outcome, Time};

use super::{Ended, Price, RetryBudget};

/// Retries limited to a share of the attempts under way, as in Envoy.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ConcurrentSettings {
    /// Share of the attempts under way that may be retries. The default is Envoy's `budget_percent`.
    #[setting(default = "20%")]
    pub share: Fraction,
    /// Retries under way that are always allowed. The default is Envoy's `min_retry_concurrency`.
    #[setting(default = 3, range = "0..=1000000")]
    pub min: u32,
}

/// The state of a budget of what is under way.
#[derive(Clone, Debug)]
pub struct ConcurrentBudget {
    share: f64,
    min: u64,
    /// Attempts under way.
    active: u64,
    /// Of those, and of what backs off, what repeats others.
    repeated: u64,
}

impl ConcurrentBudget {
    fn most(&self) -> u64 {
        ((self.share * self.active as f64) as u64).max(self.min)
    }
}

impl RetryBudget for ConcurrentBudget {
    type Settings = ConcurrentSettings;

    fn new(settings: &ConcurrentSettings) -> ConcurrentBudget {
        ConcurrentBudget { share: settings.share.0, min: u64::from(settings.min), active: 0, repeated: 0 }
    }

    fn words(settings: &ConcurrentSettings) -> String {
        format!("{} of what is under way, at least {}", settings.share.format(), settings.min)
    }

    /// Not bounded by the calls: while every attempt fails at once, hardly any is under way, and `min` retries at a time are
    /// as many a second as fit.
    fn repeats_per_call(_: &ConcurrentSettings, _: f64, _: f64) -> f64 {
        f64::INFINITY
    }

    fn sent(&mut self, _: Time, _: bool) {
        self.active += 1;
    }

    fn may_repeat(&mut self, _: Time, _: Option<Outcome>) -> Option<Price> {
        if self.repeated >= self.most() {
            return None;
        }
        self.repeated += 1;
        Some(0)
    }

    fn not_repeated(&mut self) {
        // What was under way before a change of settings may end after it.
        self.repeated = self.repeated.saturating_sub(1);
    }

    fn ended(&mut self, _: Time, ended: Ended) {
        self.active = self.active.saturating_sub(1);
        self.repeated = self.repeated.saturating_sub(u64::from(ended.is_repeated));
    }

    fn adopt(&mut self, settings: &ConcurrentSettings) {
        (self.share, self.min) = (settings.share.0, u64::from(settings.min));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(text: &str) -> ConcurrentBudget {
        ConcurrentBudget::new(&settings::notation::read(text).expect("settings"))
    }

    fn end(budget: &mut ConcurrentBudget, is_repeated: bool) {
        budget.ended(0, Ended { is_repeated, is_sent: true, outcome: Outcome::Error, is_retried: true, paid: 0 });
    }

    /// `RetryBudgetImpl::max`: max(budget_percent / 100 × active, min_retry_concurrency), cut to a whole number.
    #[test]
    fn so_many_may_be_repeated_as_envoy_allows() {
        // (settings, attempts under way, retries)
        for (text, active, expected) in [
            ("{}", 0, 3),
            ("{}", 15, 3),
            ("{}", 19, 3),
            ("{}", 20, 4),
            ("{}", 24, 4),
            ("{}", 25, 5),
            ("{share: 50%, min: 0}", 1, 0),
            ("{share: 50%, min: 0}", 3, 1),
            ("{share: 100%, min: 1}", 7, 7),
            ("{share: 0%, min: 2}", 100, 2),
        ] {
            let mut budget = budget(text);
            (0..active).for_each(|_| budget.sent(0, false));
            let allowed = (0..200).take_while(|_| budget.may_repeat(0, None).is_some()).count();
            assert_eq!(allowed, expected, "{text} with {active} under way");
        }
    }

    /// `RetryStateImpl`: a retry counts from `shouldRetry`, which enables the back-off, until `resetRetry`.
    #[test]
    fn a_retry_counts_while_it_backs_off_and_while_it_is_under_way() {
        let mut budget = budget("{min: 1}");
        budget.sent(0, false);
        end(&mut budget, false);
        assert!(budget.may_repeat(0, None).is_some());
        // It backs off.
        assert!(budget.may_repeat(0, None).is_none());
        budget.sent(5, true);
        assert!(budget.may_repeat(5, None).is_none());
        end(&mut budget, true);
        assert!(budget.may_repeat(9, None).is_some());
        // Its call gives up while it backs off.
        budget.not_repeated();
        assert!(budget.may_repeat(9, None).is_some());
    }

    #[test]
    fn other_settings_leave_what_is_under_way_counted() {
        let mut budget = budget("{min: 2}");
        assert!(budget.may_repeat(0, None).is_some());
        budget.adopt(&ConcurrentSettings { share: Fraction(0.2), min: 1 });
        assert!(budget.may_repeat(0, None).is_none());
        budget.not_repeated();
        budget.not_repeated();
        assert!(budget.may_repeat(0, None).is_some());
    }
}

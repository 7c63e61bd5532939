//! The retry quota of the AWS SDKs' standard mode: retries take from it, successes bring back.
//!
//! There is a `quota` at first. A retry takes `cost` of it, or `timeout_cost` after a timeout, and is refused where less is
//! left. A call that ends well brings back 1 if it was never repeated, and else what its last retry took. (botocore,
//! `RetryQuotaChecker` in `botocore/retries/standard.py` at 0719e795, mode 2.0, and `RetryQuota` in `quota.py`.) A hedge is
//! paid for as a retry is.

use settings::Setting;
use sim_core::{Outcome, Time};

use super::{Ended, Price, RetryBudget};

/// The quota of the AWS SDKs' standard mode.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct AwsStandardSettings {
    /// The quota at the start, and the most there can be: botocore's `INITIAL_CAPACITY`.
    #[setting(default = 500, range = "1..=1000000000")]
    pub quota: u32,
    /// What a retry takes: botocore's `_RETRY_COST`.
    #[setting(default = 5, range = "0..=65535")]
    pub cost: u32,
    /// What a retry takes after a timeout: botocore's `_TIMEOUT_RETRY_REQUEST`.
    #[setting(default = 10, range = "0..=65535")]
    pub timeout_cost: u32,
}

/// The state of a quota.
#[derive(Clone, Debug)]
pub struct AwsStandardBudget {
    quota: u32,
    cost: Price,
    timeout_cost: Price,
    left: u32,
}

/// What a call that ends well brings back that was never repeated: botocore's `_NO_RETRY_INCREMENT`.
const NEVER_REPEATED: u32 = 1;

/// A cost as a price: the range of the settings allows no other.
fn price(cost: u32) -> Price {
    Price::try_from(cost).unwrap_or(Price::MAX)
}

impl RetryBudget for AwsStandardBudget {
    type Settings = AwsStandardSettings;

    fn new(settings: &AwsStandardSettings) -> AwsStandardBudget {
        let AwsStandardSettings { quota, cost, timeout_cost } = *settings;
        AwsStandardBudget { quota, cost: price(cost), timeout_cost: price(timeout_cost), left: quota }
    }

    fn words(settings: &AwsStandardSettings) -> String {
        let AwsStandardSettings { quota, cost, timeout_cost } = settings;
        format!("a quota of {quota}, {cost} a retry, {timeout_cost} after a timeout")
    }

    /// Retries that fail cost what the calls bring back that need none.
    fn repeats_per_call(settings: &AwsStandardSettings, _: f64, failing: f64) -> f64 {
        let costs = failing * f64::from(settings.cost.min(settings.timeout_cost));
        if costs > 0.0 { f64::from(NEVER_REPEATED) * (1.0 - failing) / costs } else { f64::INFINITY }
    }

    fn sent(&mut self, _: Time, _: bool) {}

    fn may_repeat(&mut self, _: Time, failure: Option<Outcome>) -> Option<Price> {
        let cost = if failure == Some(Outcome::Timeout) { self.timeout_cost } else { self.cost };
        self.left = self.left.checked_sub(u32::from(cost))?;
        Some(cost)
    }

    fn ended(&mut self, _: Time, ended: Ended) {
        if ended.outcome.is_good() {
            let back = if ended.paid == 0 { NEVER_REPEATED } else { u32::from(ended.paid) };
            self.left = self.left.saturating_add(back).min(self.quota);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Error, Ok, Timeout};

    fn budget(text: &str) -> AwsStandardBudget {
        AwsStandardBudget::new(&settings::notation::read(text).expect("settings"))
    }

    /// What a call pays for its attempts, whose outcomes these are, and what is left of the quota behind it.
    fn call(budget: &mut AwsStandardBudget, outcomes: &[Outcome]) -> (Option<Price>, u32) {
        let mut paid = Some(0);
        for (nth, outcome) in outcomes.iter().enumerate() {
            if nth > 0 {
                match budget.may_repeat(0, Some(outcomes[nth - 1])) {
                    Some(price) => paid = Some(price),
                    None => return (None, budget.left),
                }
            }
            let ended = Ended {
                is_repeated: nth > 0,
                is_sent: true,
                outcome: *outcome,
                is_retried: true,
                paid: paid.unwrap_or(0),
            };
            budget.ended(0, ended);
        }
        (paid, budget.left)
    }

    /// `acquire_retry_quota` and `release_retry_quota`, line by line.
    #[test]
    fn the_quota_goes_and_comes_as_in_botocore() {
        let mut budget = budget("{}");
        // Full: a success brings nothing.
        assert_eq!(call(&mut budget, &[Ok]), (Some(0), 500));
        // 5 for the retry, 5 back.
        assert_eq!(call(&mut budget, &[Error, Ok]), (Some(5), 500));
        // 10 after a timeout, 10 back.
        assert_eq!(call(&mut budget, &[Timeout, Ok]), (Some(10), 500));
        // 10 and 5, of which only the last comes back.
        assert_eq!(call(&mut budget, &[Timeout, Error, Ok]), (Some(5), 490));
        // Nothing comes back for a failure.
        assert_eq!(call(&mut budget, &[Error, Error, Error]), (Some(5), 480));
        // 1 for a call that was never repeated.
        assert_eq!(call(&mut budget, &[Ok]), (Some(0), 481));
        budget.left = 9;
        assert_eq!(call(&mut budget, &[Timeout, Ok]), (None, 9));
        assert_eq!(call(&mut budget, &[Error, Error, Ok]), (None, 4));
    }

    /// A hundred retries, and then one for every five calls that end well.
    #[test]
    fn after_an_outage_the_quota_fills_by_one_a_call() {
        let mut budget = budget("{}");
        let retries = (0..1_000).filter(|_| call(&mut budget, &[Error, Error]).0.is_some()).count();
        assert_eq!((retries, budget.left), (100, 0));
        (0..4).for_each(|_| assert_eq!(call(&mut budget, &[Ok]).0, Some(0)));
        assert_eq!(call(&mut budget, &[Error, Error]).0, None);
        assert_eq!(call(&mut budget, &[Ok]), (Some(0), 5));
        assert_eq!(call(&mut budget, &[Error, Error]), (Some(5), 0));
    }
}

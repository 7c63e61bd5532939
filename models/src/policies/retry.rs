//! Retry: an attempt that failed is made again.

use settings::Setting;

use super::backoff::BackoffSettings;
use super::budgets::BudgetSettings;
use super::flaw::Flaw;
use super::outcomes::OutcomeName;
use super::policy::{Beside, Described, Policy, Way};

/// When a call that failed is tried again, and how often.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RetrySettings {
    /// Maximum number of attempts, the first included.
    #[setting(range = "1..=1000", live)]
    pub max_attempts: u32,
    /// Outcomes that are retried. `client_error` never is; `rate_limited` only with a Retry-After.
    #[setting(default = "[timeout, unavailable, overload, reset, error]")]
    pub when: Vec<OutcomeName>,
    /// Wait before the next attempt.
    #[setting(default = "none", live)]
    pub backoff: BackoffSettings,
    /// Retry budget. Without it retries are unlimited.
    #[setting(live)]
    pub budget: Option<BudgetSettings>,
}

/// Makes failed attempts again.
#[derive(Clone, Copy, Debug)]
pub struct Retry;

impl Policy for Retry {
    type Settings = RetrySettings;

    fn way(retry: &RetrySettings) -> Way {
        // A budget and a back-off that looks back keep something beside the call.
        if retry.budget.is_none() && !retry.backoff.looks_back() { Way::Plain } else { Way::InOrder }
    }

    fn brief(retry: &RetrySettings) -> Option<String> {
        let budget = if retry.budget.is_some() { " (budget)" } else { "" };
        Some(format!("retry ×{}{budget}", retry.max_attempts))
    }

    fn described(retry: &RetrySettings) -> Option<Described> {
        let budget = retry.budget.as_ref().map_or("no budget".into(), |budget| format!("budget {}", budget.words()));
        Some(Described { words: format!("×{}, {budget}", retry.max_attempts), has_state: retry.budget.is_some() })
    }

    /// The caller's own mistake is the same mistake the next time.
    fn flaws(retry: &RetrySettings, _: &Beside<'_>) -> Vec<Flaw> {
        let flaw = |(nth, outcome): (usize, &OutcomeName)| {
            let message = match outcome {
                OutcomeName::ClientError => "`client_error` is never retried".to_string(),
                OutcomeName::Ok | OutcomeName::Accepted | OutcomeName::Degraded => {
                    format!("`{}` is not a failure and is never retried", outcome.outcome().name())
                }
                OutcomeName::RateLimited
                | OutcomeName::Overload
                | OutcomeName::Unavailable
                | OutcomeName::Error
                | OutcomeName::Timeout
                | OutcomeName::Reset
                | OutcomeName::BreakerOpen
                | OutcomeName::PoolTimeout
                | OutcomeName::Cancelled => return None,
            };
            Some(Flaw { code: "no_effect", key: format!("when.{nth}"), message, help: "remove it".into() })
        };
        retry.when.iter().enumerate().filter_map(flaw).chain(retry.backoff.flaws()).collect()
    }
}

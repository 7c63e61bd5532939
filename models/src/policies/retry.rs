//! Retry: an attempt that failed is made again.

use settings::Setting;
use sim_core::figures::Set;
use sim_core::{Figure, Figures, Outcome};

use super::backoff::BackoffSettings;
use super::budgets::BudgetSettings;
use super::flaw::Flaw;
use super::outcomes::{OutcomeName, OutcomeSet};
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

const AFTER_TIMEOUT: Figure = Figure::count("retries_after.timeout", "Retries of attempts that timed out.");
const AFTER_UNAVAILABLE: Figure =
    Figure::count("retries_after.unavailable", "Retries of attempts for which nobody was there.");
const AFTER_OVERLOAD: Figure = Figure::count("retries_after.overload", "Retries of attempts that were turned away.");
const AFTER_RATE_LIMITED: Figure =
    Figure::count("retries_after.rate_limited", "Retries of attempts that were told to come again later.");
const AFTER_RESET: Figure = Figure::count("retries_after.reset", "Retries of attempts whose connection broke.");
const AFTER_ERROR: Figure =
    Figure::count("retries_after.error", "Retries of attempts that were answered with an error.");
const AFTER_BREAKER_OPEN: Figure =
    Figure::count("retries_after.breaker_open", "Retries of attempts that the breaker rejected.");
const AFTER_POOL_TIMEOUT: Figure =
    Figure::count("retries_after.pool_timeout", "Retries of attempts that got no connection in time.");

/// What retries are made after, each with its figure.
const CAUSES: [(Outcome, &Figure); 8] = [
    (Outcome::Timeout, &AFTER_TIMEOUT),
    (Outcome::Unavailable, &AFTER_UNAVAILABLE),
    (Outcome::Overload, &AFTER_OVERLOAD),
    (Outcome::RateLimited, &AFTER_RATE_LIMITED),
    (Outcome::Reset, &AFTER_RESET),
    (Outcome::Error, &AFTER_ERROR),
    (Outcome::BreakerOpen, &AFTER_BREAKER_OPEN),
    (Outcome::PoolTimeout, &AFTER_POOL_TIMEOUT),
];

/// Retries by what they were made after.
#[derive(Clone, Debug, Default)]
pub struct Causes {
    counts: [u64; CAUSES.len()],
}

impl Causes {
    /// A retry is made of an attempt that has ended so.
    pub fn count(&mut self, outcome: Outcome) {
        if let Some(at) = CAUSES.iter().position(|(cause, _)| *cause == outcome) {
            self.counts[at] += 1;
        }
    }

    /// Reports those that the settings allow.
    pub fn figures(&self, retry: &RetrySettings, figures: &mut Figures) {
        let when = OutcomeSet::of(&retry.when);
        for ((outcome, figure), count) in CAUSES.iter().zip(self.counts) {
            if when.contains(*outcome) {
                figures.count(figure, count);
            }
        }
    }
}

/// Makes failed attempts again.
#[derive(Clone, Copy, Debug)]
pub struct Retry;

impl Policy for Retry {
    const FIGURES: Set = &[
        &AFTER_TIMEOUT,
        &AFTER_UNAVAILABLE,
        &AFTER_OVERLOAD,
        &AFTER_RATE_LIMITED,
        &AFTER_RESET,
        &AFTER_ERROR,
        &AFTER_BREAKER_OPEN,
        &AFTER_POOL_TIMEOUT,
    ];
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

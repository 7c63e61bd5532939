//! Retry: an attempt that failed is made again.

use settings::Setting;

use crate::policies::backoff::BackoffSettings;
use crate::policies::budget::BudgetSettings;
use crate::policies::outcomes::OutcomeName;

/// When a call that failed is tried again, and how often.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RetrySettings {
    /// Attempts in all, the first included.
    #[setting(range = "1..=1000", live)]
    pub max_attempts: u32,
    /// Which failures are tried again. `client_error` never is; `rate_limited` only with a Retry-After.
    #[setting(default = "[timeout, unavailable, overload, reset, error]")]
    pub when: Vec<OutcomeName>,
    /// How long to wait before the next attempt.
    #[setting(default = "none", live)]
    pub backoff: BackoffSettings,
    /// What bounds the number of retries; without it nothing does.
    #[setting(live)]
    pub budget: Option<BudgetSettings>,
}

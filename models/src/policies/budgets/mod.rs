//! Retry budgets: what bounds the attempts that repeat others. One file and one row each.
//!
//! A link tells its budget of every attempt, and asks it before it makes one again (a retry) or twice (a hedge).

use settings::Setting;
use sim_core::{Outcome, Span, Time};

pub mod aws_adaptive;
pub mod aws_standard;
pub mod concurrent;
pub mod ratio;
pub mod tokens;

/// What a repeated attempt has cost, in the budget's own unit.
pub type Price = u16;

/// An attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether it repeated another.
    pub is_repeated: bool,
    /// Whether it has left the caller.
    pub is_sent: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether attempts that end so are retried.
    pub is_retried: bool,
    /// What its call paid for its last repetition; 0 where it was never repeated.
    pub paid: Price,
}

/// The state of a budget.
pub trait RetryBudget: Clone + std::fmt::Debug {
    /// What a scenario says of it.
    type Settings;

    /// As at the start of a run.
    fn new(settings: &Self::Settings) -> Self;

    /// Its settings in words.
    fn words(settings: &Self::Settings) -> String;

    /// How often a call can be repeated in the long run while this share of the attempts fails in a way that is retried,
    /// where a replica makes so many calls a second; infinite where that is not bounded. For what is known without running.
    fn repeats_per_call(settings: &Self::Settings, calls_per_s: f64, failing: f64) -> f64;

    /// An attempt is begun; `is_repeated` where it is a retry or a hedge, which [`RetryBudget::may_repeat`] has allowed.
    fn sent(&mut self, now: Time, is_repeated: bool);

    /// Whether an attempt may be repeated now, after it has failed so (a retry), or while it is under way (a hedge). If it may,
    /// that is paid for: the price.
    fn may_repeat(&mut self, now: Time, failure: Option<Outcome>) -> Option<Price>;

    /// A retry that was allowed is not made, since its call ended while it backed off.
    fn not_repeated(&mut self) {}

    /// An attempt has ended.
    fn ended(&mut self, now: Time, ended: Ended) {
        let _ = (now, ended);
    }

    /// Whether an attempt may be sent now; if not, after how long to ask again.
    fn may_send(&mut self, now: Time) -> Result<(), Span> {
        let _ = now;
        Ok(())
    }

    /// Other settings of the same kind of budget take effect.
    fn adopt(&mut self, settings: &Self::Settings) {
        *self = Self::new(settings);
    }
}

/// Makes the choice of settings and the state of it from one row a budget.
macro_rules! budgets {
    ($($(#[$doc:meta])* $name:ident => $budget:ty,)*) => {
        /// Retry budget: limits the number of retries.
        #[derive(Clone, Debug, PartialEq, Setting)]
        pub enum BudgetSettings {
            $($(#[$doc])* $name(<$budget as RetryBudget>::Settings),)*
        }

        /// A budget of one of the kinds.
        #[derive(Clone, Debug)]
        pub enum Budget {
            $(#[allow(missing_docs)] $name($budget),)*
        }

        impl BudgetSettings {
            /// [`RetryBudget::repeats_per_call`].
            pub fn repeats_per_call(&self, calls_per_s: f64, failing: f64) -> f64 {
                match self {
                    $(BudgetSettings::$name(settings) => <$budget>::repeats_per_call(settings, calls_per_s, failing),)*
                }
            }

            /// In words.
            pub fn words(&self) -> String {
                match self {
                    $(BudgetSettings::$name(settings) => <$budget>::words(settings),)*
                }
            }
        }

        impl Budget {
            /// As at the start of a run.
            pub fn new(settings: &BudgetSettings) -> Budget {
                match settings {
                    $(BudgetSettings::$name(settings) => Budget::$name(<$budget>::new(settings)),)*
                }
            }

            /// [`RetryBudget::sent`].
            pub fn sent(&mut self, now: Time, is_repeated: bool) {
                match self {
                    $(Budget::$name(budget) => budget.sent(now, is_repeated),)*
                }
            }

            /// [`RetryBudget::may_repeat`].
            pub fn may_repeat(&mut self, now: Time, failure: Option<Outcome>) -> Option<Price> {
                match self {
                    $(Budget::$name(budget) => budget.may_repeat(now, failure),)*
                }
            }

            /// [`RetryBudget::not_repeated`].
            pub fn not_repeated(&mut self) {
                match self {
                    $(Budget::$name(budget) => budget.not_repeated(),)*
                }
            }

            /// [`RetryBudget::may_send`].
            pub fn may_send(&mut self, now: Time) -> Result<(), Span> {
                match self {
                    $(Budget::$name(budget) => budget.may_send(now),)*
                }
            }

            /// [`RetryBudget::ended`].
            pub fn ended(&mut self, now: Time, ended: Ended) {
                match self {
                    $(Budget::$name(budget) => budget.ended(now, ended),)*
                }
            }

            /// Other settings take effect; a budget of another kind begins anew.
            pub fn adopt(&mut self, settings: &BudgetSettings) {
                match (self, settings) {
                    $((Budget::$name(budget), BudgetSettings::$name(settings)) => budget.adopt(settings),)*
                    (other, settings) => *other = Budget::new(settings),
                }
            }
        }
    };
}

budgets! {
    /// Retries limited to a share of the calls, as in Finagle.
    Ratio => ratio::RatioBudget,
    /// Retries limited to a share of the attempts under way, as in Envoy.
    Concurrent => concurrent::ConcurrentBudget,
    /// Tokens that failures take and successes bring back, as in gRPC.
    Tokens => tokens::TokensBudget,
    /// The quota of the AWS SDKs' standard mode.
    AwsStandard => aws_standard::AwsStandardBudget,
    /// The quota of the AWS SDKs' standard mode, and a rate that falls when the callee throttles.
    AwsAdaptive => aws_adaptive::AwsAdaptiveBudget,
}

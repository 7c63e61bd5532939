//! Retry budgets: what bounds the attempts that repeat others. One file and one row each.
//!
//! A link tells its budget of every attempt, and asks it before it makes one again (a retry) or twice (a hedge).

use settings::Setting;
use sim_core::{Outcome, Time};

use super::not_yet::NotYet;

pub mod ratio;

/// The state of a budget.
pub trait RetryBudget: Clone + std::fmt::Debug {
    /// What a scenario says of it.
    type Settings;

    /// As at the start of a run.
    fn new(settings: &Self::Settings) -> Self;

    /// Its settings in words.
    fn words(settings: &Self::Settings) -> String;

    /// How often a call is repeated in the long run while every attempt fails, where a replica makes so many calls a
    /// second. For what is known without running.
    fn repeats_per_call(settings: &Self::Settings, calls_per_s: f64) -> f64;

    /// An attempt is begun; `is_repeated` where it is a retry or a hedge, which [`RetryBudget::may_repeat`] has allowed.
    fn sent(&mut self, now: Time, is_repeated: bool);

    /// Whether an attempt may be repeated now. If so, that is paid for.
    fn may_repeat(&mut self, now: Time) -> bool;

    /// An attempt has ended.
    fn ended(&mut self, now: Time, is_repeated: bool, outcome: Outcome) {
        let _ = (now, is_repeated, outcome);
    }
}

/// Makes the choice of settings and the state of it from one row a budget; behind them what is not there yet.
macro_rules! budgets {
    ($($(#[$doc:meta])* $name:ident => $budget:ty,)* ; $($(#[$absent_doc:meta])* $absent:ident,)*) => {
        /// Retry budget: limits the number of retries.
        #[derive(Clone, Debug, PartialEq, Setting)]
        pub enum BudgetSettings {
            $($(#[$doc])* $name(<$budget as RetryBudget>::Settings),)*
            $($(#[$absent_doc])* $absent(NotYet),)*
        }

        /// A budget of one of the kinds.
        #[derive(Clone, Debug)]
        pub enum Budget {
            $(#[allow(missing_docs)] $name($budget),)*
        }

        impl BudgetSettings {
            /// [`RetryBudget::repeats_per_call`].
            pub fn repeats_per_call(&self, calls_per_s: f64) -> f64 {
                match self {
                    $(BudgetSettings::$name(settings) => <$budget>::repeats_per_call(settings, calls_per_s),)*
                    $(BudgetSettings::$absent(never) => match *never {},)*
                }
            }

            /// In words.
            pub fn words(&self) -> String {
                match self {
                    $(BudgetSettings::$name(settings) => <$budget>::words(settings),)*
                    $(BudgetSettings::$absent(never) => match *never {},)*
                }
            }
        }

        impl Budget {
            /// As at the start of a run.
            pub fn new(settings: &BudgetSettings) -> Budget {
                match settings {
                    $(BudgetSettings::$name(settings) => Budget::$name(<$budget>::new(settings)),)*
                    $(BudgetSettings::$absent(never) => match *never {},)*
                }
            }

            /// [`RetryBudget::sent`].
            pub fn sent(&mut self, now: Time, is_repeated: bool) {
                match self {
                    $(Budget::$name(budget) => budget.sent(now, is_repeated),)*
                }
            }

            /// [`RetryBudget::may_repeat`].
            pub fn may_repeat(&mut self, now: Time) -> bool {
                match self {
                    $(Budget::$name(budget) => budget.may_repeat(now),)*
                }
            }

            /// [`RetryBudget::ended`].
            pub fn ended(&mut self, now: Time, is_repeated: bool, outcome: Outcome) {
                match self {
                    $(Budget::$name(budget) => budget.ended(now, is_repeated, outcome),)*
                }
            }
        }
    };
}

budgets! {
    /// Retries limited to a share of the calls, as in Finagle.
    Ratio => ratio::RatioBudget,
    ;
    /// Retries limited to a share of the calls in flight, as in Envoy.
    Concurrent,
    /// Tokens, as in gRPC.
    Tokens,
    /// The quota of the AWS SDK's standard mode.
    AwsStandard,
    /// Its adaptive mode.
    AwsAdaptive,
}

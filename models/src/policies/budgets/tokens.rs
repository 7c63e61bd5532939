//! The retry throttling of gRPC: tokens that failures take and successes bring back.
//!
//! There are `max` tokens at first. An attempt that fails in a way that is retried takes one, and a call that ends well brings
//! `ratio` of one back. Nothing is repeated while the tokens are at half of `max` or below. (grpc-go, `retryThrottler` in
//! `clientconn.go` and `shouldRetry` in `stream.go`; gRFC A6, *gRPC Retry Design*.) A failure takes its token whether or not any
//! attempt is left, as there.

use settings::Setting;
use sim_core::{Outcome, Time};

use super::{Ended, Price, RetryBudget};

/// Tokens that failures take and successes bring back, as in gRPC.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct TokensSettings {
    /// Tokens at the start, and the most there can be: gRPC's `maxTokens`. The default is that of the example in gRFC A6.
    #[setting(default = 10, range = "1..=1000")]
    pub max: u32,
    /// Part of a token that a success brings back: gRPC's `tokenRatio`, which heeds three decimals. The default is that of the example
    /// in gRFC A6.
    #[setting(default = 0.1, range = "0.001..=1000")]
    pub ratio: f64,
}

/// The state of a budget of tokens. They are counted in thousandths, as gRPC heeds them.
#[derive(Clone, Debug)]
pub struct TokensBudget {
    max: u64,
    ratio: u64,
    tokens: u64,
}

const TOKEN: u64 = 1_000;

impl RetryBudget for TokensBudget {
    type Settings = TokensSettings;

    fn new(settings: &TokensSettings) -> TokensBudget {
        let max = u64::from(settings.max) * TOKEN;
        TokensBudget { max, ratio: (settings.ratio * TOKEN as f64).round() as u64, tokens: max }
    }

    fn words(settings: &TokensSettings) -> String {
        format!("{} tokens, {} back for each success", settings.max, settings.ratio)
    }

    /// Where failures take more than successes bring back, the tokens run out.
    fn repeats_per_call(settings: &TokensSettings, _: f64, failing: f64) -> f64 {
        if failing > settings.ratio * (1.0 - failing) { 0.0 } else { f64::INFINITY }
    }

    fn sent(&mut self, _: Time, _: bool) {}

    fn may_repeat(&mut self, _: Time, _: Option<Outcome>) -> Option<Price> {
        (self.tokens > self.max / 2).then_some(0)
    }

    fn ended(&mut self, _: Time, ended: Ended) {
        if ended.outcome.is_good() {
            self.tokens = (self.tokens + self.ratio).min(self.max);
        } else if ended.is_retried {
            self.tokens = self.tokens.saturating_sub(TOKEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(text: &str) -> TokensBudget {
        TokensBudget::new(&settings::notation::read(text).expect("settings"))
    }

    /// What each end leaves, and whether an attempt may be repeated then; F is a failure that is retried, S a success, C one
    /// that is not retried. From `throttle()` and `successfulRPC()`.
    #[test]
    fn tokens_go_and_come_as_in_grpc() {
        for (text, ends, expected) in [
            ("{}", "FFFFFF", "9+ 8+ 7+ 6+ 5- 4-"),
            // Half of ten is not enough; ten successes later there is one more.
            ("{}", "FFFFFSSSSSSSSSS", "9+ 8+ 7+ 6+ 5- 5.1+ 5.2+ 5.3+ 5.4+ 5.5+ 5.6+ 5.7+ 5.8+ 5.9+ 6+"),
            ("{}", "SFC", "10+ 9+ 9+"),
            ("{max: 3, ratio: 0.5}", "FFFFSSSSS", "2+ 1- 0- 0- 0.5- 1- 1.5- 2+ 2.5+"),
            ("{max: 2, ratio: 3}", "FFS", "1- 0- 2+"),
            ("{max: 10, ratio: 0.0014}", "FS", "9+ 9.001+"),
        ] {
            let mut budget = budget(text);
            let mut found = Vec::new();
            for end in ends.chars() {
                let (outcome, is_retried) = match end {
                    'S' => (Outcome::Ok, false),
                    'F' => (Outcome::Unavailable, true),
                    _ => (Outcome::ClientError, false),
                };
                budget.ended(0, Ended { is_repeated: false, is_sent: true, outcome, is_retried, paid: 0 });
                let may = if budget.may_repeat(0, Some(outcome)).is_some() { '+' } else { '-' };
                found.push(format!("{}{may}", budget.tokens as f64 / TOKEN as f64));
            }
            assert_eq!(found.join(" "), expected, "{text} {ends}");
        }
    }

    /// With a share f of failures the tokens fall while f > ratio × (1 − f): a retry is refused in the long run, or not.
    #[test]
    fn it_stops_retries_above_its_share_of_failures() {
        let share = 0.1 / 1.1;
        for (factor, stops) in [(0.9, false), (1.1, true)] {
            let mut budget = budget("{}");
            let (mut owed, mut refused) = (0.0, 0);
            for _ in 0..100_000 {
                owed += share * factor;
                let fails = owed >= 1.0;
                owed -= f64::from(u8::from(fails));
                let outcome = if fails { Outcome::Error } else { Outcome::Ok };
                budget.ended(0, Ended { is_repeated: false, is_sent: true, outcome, is_retried: fails, paid: 0 });
                refused += u32::from(fails && budget.may_repeat(0, Some(outcome)).is_none());
            }
            assert_eq!(refused > 1_000, stops, "{factor}: {refused}");
            assert!(stops || refused == 0);
        }
    }
}

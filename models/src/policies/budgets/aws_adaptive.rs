//! The adaptive mode of the AWS SDKs: the retry quota of the standard mode, and a rate that falls when the callee throttles.
//!
//! The quota is [`super::aws_standard`]'s. Every answer is counted in buckets of half a second, and the rate of the bucket that is over
//! moves the *measured* rate, by 0.8 of the difference. A throttled attempt sets w = min(measured rate, rate of sending) and sends
//! 0.7 w from then on; any other lets the rate grow along 0.4 (t − k)³ + w with k = ∛(w (1 − 0.7)/0.4), t seconds after the
//! last throttled one. The rate of sending is the smaller of that and twice the measured one, at least 0.5/s; from the
//! first throttled attempt on, each attempt takes a token from a bucket that fills at this rate and holds a second of it (at least
//! one token), and waits where there is none. (botocore, `adaptive.py`, `throttling.py` and `bucket.py` in `botocore/retries` at
//! 40454eaa.) As there, those who wait do not stand in line: each asks again when the next token is due, and whoever asks first takes it.

use settings::Setting;
use sim_core::{Outcome, Span, Time};

use super::aws_standard::{AwsStandardBudget, AwsStandardSettings};
use super::{Ended, Price, RetryBudget};
use crate::policies::outcomes::{OutcomeName, OutcomeSet};

/// The retry quota of the AWS SDKs' standard mode, and a rate that falls when the callee throttles.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct AwsAdaptiveSettings {
    /// The quota at the start, and the most there can be: botocore's `INITIAL_CAPACITY`.
    #[setting(default = 500, range = "1..=1000000000")]
    pub quota: u32,
    /// What a retry takes: botocore's `_RETRY_COST`.
    #[setting(default = 5, range = "0..=65535")]
    pub cost: u32,
    /// What a retry takes after a timeout: botocore's `_TIMEOUT_RETRY_REQUEST`.
    #[setting(default = 10, range = "0..=65535")]
    pub timeout_cost: u32,
    /// Outcomes that count as throttled. botocore goes by error codes, among them `SlowDown`, which comes with a 503.
    #[setting(default = "[rate_limited, overload]")]
    pub throttled: Vec<OutcomeName>,
}

impl AwsAdaptiveSettings {
    fn quota(&self) -> AwsStandardSettings {
        AwsStandardSettings { quota: self.quota, cost: self.cost, timeout_cost: self.timeout_cost }
    }
}

/// botocore's `RateClocker`: the rate of answers, smoothed.
#[derive(Clone, Debug, Default)]
struct Measured {
    rate: f64,
    count: u64,
    /// The end of the last bucket that was counted, in buckets.
    bucket: u64,
}

/// The width of a bucket, ns: botocore's `_TIME_BUCKET_RANGE`.
const BUCKET: Span = 500_000_000;
/// botocore's `_DEFAULT_SMOOTHING`.
const SMOOTHING: f64 = 0.8;

impl Measured {
    fn record(&mut self, now: Time) -> f64 {
        let bucket = now / BUCKET;
        self.count += 1;
        if bucket > self.bucket {
            let seconds = (bucket - self.bucket) as f64 * (BUCKET as f64 / 1e9);
            self.rate = self.count as f64 / seconds * SMOOTHING + self.rate * (1.0 - SMOOTHING);
            (self.count, self.bucket) = (0, bucket);
        }
        self.rate
    }
}

/// botocore's `CubicCalculator`.
#[derive(Clone, Debug)]
struct Cubic {
    most: f64,
    k_s: f64,
    failed: Time,
}

/// botocore's `_SCALE_CONSTANT` and `_BETA`.
const SCALE: f64 = 0.4;
const BETA: f64 = 0.7;

impl Cubic {
    fn new(most: f64, failed: Time) -> Cubic {
        Cubic { most, k_s: libm::cbrt(most * (1.0 - BETA) / SCALE), failed }
    }

    fn succeeded(&self, now: Time) -> f64 {
        let past = (now - self.failed) as f64 / 1e9 - self.k_s;
        SCALE * past * past * past + self.most
    }

    fn throttled(&mut self, rate: f64, now: Time) -> f64 {
        *self = Cubic::new(rate, now);
        rate * BETA
    }
}

/// botocore's `TokenBucket`.
#[derive(Clone, Debug)]
struct Tokens {
    /// Tokens a second, and how many it holds.
    rate: f64,
    most: f64,
    tokens: f64,
    filled: Time,
}

/// botocore's `_MIN_RATE`.
const LEAST: f64 = 0.5;

impl Tokens {
    fn fill(&mut self, now: Time) {
        let gained = (now - self.filled) as f64 / 1e9 * self.rate;
        self.tokens = (self.tokens + gained).min(self.most);
        self.filled = now;
    }

    fn set_rate(&mut self, now: Time, rate: f64) {
        self.fill(now);
        self.rate = rate.max(LEAST);
        self.most = rate.max(1.0);
        self.tokens = self.tokens.min(self.most);
    }

    fn take(&mut self, now: Time) -> Result<(), Span> {
        self.fill(now);
        // Rounding must not make anybody wait for nothing.
        if self.tokens >= 1.0 - 1e-9 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(((1.0 - self.tokens) / self.rate * 1e9).ceil().max(1.0) as Span)
    }
}

/// The state of a quota and a rate.
#[derive(Clone, Debug)]
pub struct AwsAdaptiveBudget {
    quota: AwsStandardBudget,
    throttled: OutcomeSet,
    measured: Measured,
    cubic: Cubic,
    tokens: Tokens,
    /// Whether anything has been throttled so far.
    is_on: bool,
}

/// Twice the measured rate is the most that is sent: botocore's `_MAX_RATE_ADJUST_SCALE`.
const ADJUST: f64 = 2.0;

impl RetryBudget for AwsAdaptiveBudget {
    type Settings = AwsAdaptiveSettings;

    fn new(settings: &AwsAdaptiveSettings) -> AwsAdaptiveBudget {
        AwsAdaptiveBudget {
            quota: AwsStandardBudget::new(&settings.quota()),
            throttled: OutcomeSet::of(&settings.throttled),
            measured: Measured::default(),
            cubic: Cubic::new(0.0, 0),
            tokens: Tokens { rate: 1.0, most: 1.0, tokens: 0.0, filled: 0 },
            is_on: false,
        }
    }

    fn words(settings: &AwsAdaptiveSettings) -> String {
        format!("{}, and a rate that falls when the callee throttles", AwsStandardBudget::words(&settings.quota()))
    }

    fn repeats_per_call(settings: &AwsAdaptiveSettings, calls_per_s: f64, failing: f64) -> f64 {
        AwsStandardBudget::repeats_per_call(&settings.quota(), calls_per_s, failing)
    }

    fn sent(&mut self, now: Time, is_repeated: bool) {
        self.quota.sent(now, is_repeated);
    }

    fn may_repeat(&mut self, now: Time, failure: Option<Outcome>) -> Option<Price> {
        self.quota.may_repeat(now, failure)
    }

    fn ended(&mut self, now: Time, ended: Ended) {
        self.quota.ended(now, ended);
        if !ended.is_sent || ended.outcome == Outcome::Cancelled {
            // Nothing has been sent, or nobody has heard what came back.
            return;
        }
        let measured = self.measured.record(now);
        let rate = if self.throttled.contains(ended.outcome) {
            let sending = if self.is_on { measured.min(self.tokens.rate) } else { measured };
            self.is_on = true;
            self.cubic.throttled(sending, now)
        } else {
            self.cubic.succeeded(now)
        };
        self.tokens.set_rate(now, rate.min(ADJUST * measured));
    }

    fn may_send(&mut self, now: Time) -> Result<(), Span> {
        if self.is_on { self.tokens.take(now) } else { Ok(()) }
    }

    fn adopt(&mut self, settings: &AwsAdaptiveSettings) {
        self.quota.adopt(&settings.quota());
        self.throttled = OutcomeSet::of(&settings.throttled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Ok as Fine, RateLimited};

    const MS: Time = 1_000_000;
    const SECOND: Time = 1_000 * MS;

    fn budget() -> AwsAdaptiveBudget {
        AwsAdaptiveBudget::new(&settings::notation::read("{}").expect("settings"))
    }

    fn end(budget: &mut AwsAdaptiveBudget, now: Time, outcome: Outcome) {
        budget.ended(now, Ended { is_repeated: false, is_sent: true, outcome, is_retried: true, paid: 0 });
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} instead of {expected}");
    }

    /// `RateClocker.record`: what was counted over the time since the last bucket, that answer included, smoothed with 0.8.
    #[test]
    fn the_measured_rate_moves_at_the_end_of_each_bucket() {
        let mut measured = Measured::default();
        // (ms, rate): ten answers a second; the fifth bucket in which none comes counts in the width of the next.
        for (at, expected) in [
            (100, 0.0),
            (200, 0.0),
            (300, 0.0),
            (400, 0.0),
            // 5 in 0.5 s.
            (500, 8.0),
            (600, 8.0),
            // 2 in 0.5 s: 0.8 × 4 + 0.2 × 8.
            (1_000, 4.8),
            // 1 in 1 s: 0.8 × 1 + 0.2 × 4.8.
            (2_100, 1.76),
        ] {
            near(measured.record(at * MS), expected);
        }
    }

    /// `CubicCalculator`: with w = 10, k = ∛(10 × 0.3/0.4).
    #[test]
    fn the_rate_falls_to_seven_tenths_and_grows_back_along_a_cubic() {
        let mut cubic = Cubic::new(0.0, 0);
        // Before the first failure: 0.4 t³.
        near(cubic.succeeded(3 * SECOND), 10.8);
        near(cubic.throttled(10.0, 5 * SECOND), 7.0);
        let k = libm::cbrt(7.5);
        near(cubic.k_s, k);
        near(cubic.succeeded(5 * SECOND), 0.4 * -7.5 + 10.0);
        near(cubic.succeeded(6 * SECOND), 0.4 * libm::pow(1.0 - k, 3.0) + 10.0);
        near(cubic.succeeded(9 * SECOND), 0.4 * libm::pow(4.0 - k, 3.0) + 10.0);
    }

    /// `ClientRateLimiter`, step by step.
    #[test]
    fn nothing_waits_until_something_is_throttled() {
        let mut budget = budget();
        for nth in 1..=20 {
            assert_eq!(budget.may_send(nth * 100 * MS), Ok(()));
            end(&mut budget, nth * 100 * MS, Fine);
        }
        // At 2 s: 4 buckets of 5.
        let measured = budget.measured.rate;
        assert!((9.9..10.1).contains(&measured), "{measured}");
        end(&mut budget, 2_000 * MS, RateLimited);
        near(budget.cubic.most, measured);
        near(budget.tokens.rate, 0.7 * measured);
        // The bucket has filled at the rates before, and holds one second of the new one.
        near(budget.tokens.most, 0.7 * measured);
        let mut sent = 0;
        while budget.may_send(2_000 * MS).is_ok() {
            sent += 1;
        }
        assert!(sent <= 7, "{sent}");
        // All who wait ask again when there is a token; one of them gets it.
        let wait = budget.may_send(2_000 * MS).expect_err("there is none");
        assert_eq!(budget.may_send(2_000 * MS), Err(wait));
        assert_eq!(budget.may_send(2_000 * MS + wait), Ok(()));
        let next = budget.may_send(2_000 * MS + wait).expect_err("there is none");
        assert!((next as f64 / 1e9 - 1.0 / (0.7 * measured)).abs() < 1e-6, "{next}");
    }

    #[test]
    fn it_never_sends_less_than_one_in_two_seconds_nor_more_than_twice_what_it_measures() {
        let mut budget = budget();
        end(&mut budget, 0, RateLimited);
        near(budget.tokens.rate, LEAST);
        near(budget.tokens.most, 1.0);
        // Long after, the cubic would allow anything.
        for nth in 0..200 {
            end(&mut budget, 60 * SECOND + nth * 250 * MS, Fine);
        }
        near(budget.tokens.rate, 2.0 * budget.measured.rate);
        assert!((3.9..4.1).contains(&budget.measured.rate));
    }

    /// A callee that takes 50 a second of a client that would send 200: what is sent stays near that, and little is thrown away.
    #[test]
    fn a_client_finds_the_rate_of_its_callee() {
        let mut budget = budget();
        let mut callee = crate::policies::limiters::TokenBucket::new(50.0, 10).expect("a bucket");
        let (mut sent, mut throttled) = (0_u64, 0_u64);
        // One attempt every 5 ms, where it may be sent; those that wait are dropped.
        for nth in 0..24_000_u64 {
            let now = nth * 5 * MS;
            if budget.may_send(now).is_err() {
                continue;
            }
            let is_throttled = callee.take(now).is_err();
            if now >= 20 * SECOND {
                sent += 1;
                throttled += u64::from(is_throttled);
            }
            end(&mut budget, now, if is_throttled { RateLimited } else { Fine });
        }
        let (sent, throttled) = (sent as f64 / 100.0, throttled as f64 / 100.0);
        assert!((30.0..70.0).contains(&sent), "{sent}/s are sent");
        assert!(throttled < 10.0, "{throttled}/s are throttled");
    }
}

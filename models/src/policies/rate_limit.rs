//! Rate limits: who comes too often is turned away and told when to come again.
//!
//! The token bucket is kept as the one instant at which it will be full again (the generic cell rate algorithm): a
//! bucket that starts full, holds `burst` tokens, gains `rate` tokens a second and pays one for each call.

use settings::{Rate, Setting};
use sim_core::{Span, Time};

use crate::policies::not_yet::NotYet;

/// A bound on the rate.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum RateLimitSettings {
    /// A call takes a token; tokens come at a constant rate and are kept up to a number.
    TokenBucket {
        /// Tokens per second.
        rate: Rate,
        /// Tokens that are kept.
        #[setting(default = 1, range = "1..=1000000000")]
        burst: u32,
    },
    /// Calls leave at a constant rate.
    LeakyBucket(NotYet),
    /// So many in each window.
    FixedWindow(NotYet),
    /// So many in any window.
    SlidingLog(NotYet),
    /// So many in any window, estimated from two fixed ones.
    SlidingCounter(NotYet),
}

impl RateLimitSettings {
    /// Calls a second that are let through in the long run.
    pub fn rate_per_s(&self) -> Option<f64> {
        match self {
            RateLimitSettings::TokenBucket { rate, .. } => Some(rate.0),
            // The others are refused when read.
            _ => None,
        }
    }
}

/// Instants are kept in these parts of a nanosecond, so that rates that do not divide a second add up.
const PARTS: f64 = 65_536.0;

/// A token bucket; full at the start.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// How long one token takes, in parts.
    token: u128,
    /// How long all but one take, in parts.
    slack: u128,
    /// When it is full again, in parts.
    full_at: u128,
}

impl TokenBucket {
    /// A full bucket; `None` for what never lets anything through.
    pub fn new(rate_per_second: f64, burst: u32) -> Option<TokenBucket> {
        if rate_per_second <= 0.0 {
            return None;
        }
        let token = (1e9 * PARTS / rate_per_second).round().max(1.0) as u128;
        Some(TokenBucket { token, slack: token * (burst as u128 - 1), full_at: 0 })
    }

    /// The bucket of a setting; `None` where nothing is let through.
    pub fn of(settings: &RateLimitSettings) -> Option<TokenBucket> {
        match settings {
            RateLimitSettings::TokenBucket { rate, burst } => TokenBucket::new(rate.0, *burst),
            // The others are refused when read.
            _ => None,
        }
    }

    /// Takes a token, or says after how long there will be one.
    pub fn take(&mut self, now: Time) -> Result<(), Span> {
        let now = now as u128 * PARTS as u128;
        let due = self.full_at.saturating_sub(self.slack);
        if due > now {
            return Err((due - now).div_ceil(PARTS as u128) as Span);
        }
        self.full_at = self.full_at.max(now) + self.token;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;
    use sim_core::time::SECOND;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut bucket = TokenBucket::new(10.0, 3).expect("a rate");
        assert_eq!([bucket.take(0), bucket.take(0), bucket.take(0)], [Ok(()); 3]);
        assert_eq!(bucket.take(0), Err(SECOND / 10));
        assert_eq!(bucket.take(SECOND / 10 - 1), Err(1));
        assert_eq!(bucket.take(SECOND / 10), Ok(()));
        assert_eq!(bucket.take(SECOND / 10), Err(SECOND / 10));
        // After a long rest it is full, and no fuller.
        let passed = (0..10).filter(|_| bucket.take(60 * SECOND).is_ok()).count();
        assert_eq!(passed, 3);
    }

    #[test]
    fn it_agrees_with_counting_tokens() {
        let mut stream = Stream::named(3, "bucket");
        let mut bucket = TokenBucket::new(8.0, 5).expect("a rate");
        // The obvious way: tokens in eighths of a nanosecond's worth, exactly.
        let (mut tokens, full, mut last) = (5 * SECOND, 5 * SECOND, 0);
        let mut now = 0;
        for _ in 0..5_000 {
            now += stream.below(SECOND / 5);
            tokens = (tokens + (now - last) * 8).min(full);
            last = now;
            let passes = tokens >= SECOND;
            if passes {
                tokens -= SECOND;
            }
            assert_eq!(bucket.take(now).is_ok(), passes);
        }
    }
}

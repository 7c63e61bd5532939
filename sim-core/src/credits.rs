//! Credits: a machine that may use few cores for ever, and saves up what it does not use to use more for a while, as burstable
//! instances of clouds do (AWS T3 and others).

use crate::time::{Span, Time};

/// What a machine earns and may save up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Earning {
    /// Cores that it may use for ever: so many core-seconds are earned a second.
    pub rate: f64,
    /// The most that it saves up, core-nanoseconds.
    pub max: Span,
    /// What it has at the start, core-nanoseconds.
    pub start: Span,
}

/// Once its credits are spent, a machine uses more than it earns only when it has saved up so much again, core-nanoseconds.
const ENOUGH: u128 = 10_000_000 * MILLION;
const MILLION: u128 = 1_000_000;

/// The credits of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Credits {
    /// In millionths of a core.
    rate: u64,
    max: u128,
    /// In core-nanoseconds and millionths of them.
    level: u128,
    at: Time,
    /// What had been used then, in core-nanoseconds.
    used: u128,
    is_spent: bool,
}

impl Credits {
    pub(crate) fn new(earning: Earning) -> Credits {
        Credits {
            rate: (earning.rate.clamp(0.0, 65_536.0) * 1e6).round() as u64,
            max: u128::from(earning.max) * MILLION,
            level: u128::from(earning.start.min(earning.max)) * MILLION,
            at: 0,
            used: 0,
            is_spent: earning.start == 0,
        }
    }

    /// Goes on to `now`, since when nothing has changed; `used` is what has been used by now. True if the machine may use
    /// another number of cores from now on.
    pub(crate) fn advance(&mut self, now: Time, used: u128) -> bool {
        let earned = u128::from(now.saturating_sub(self.at)) * u128::from(self.rate);
        let spent = used.saturating_sub(self.used) * MILLION;
        self.level = (self.level + earned).saturating_sub(spent).min(self.max);
        (self.at, self.used) = (now, used);
        let is_spent = if self.is_spent { self.level < ENOUGH.min(self.max) } else { self.level < MILLION };
        std::mem::replace(&mut self.is_spent, is_spent) != is_spent
    }

    /// When they are spent, where so many millionths of a core are in use.
    pub(crate) fn spent_at(&self, using: u64) -> Option<Time> {
        let more = using.checked_sub(self.rate).filter(|more| *more > 0 && !self.is_spent)?;
        u64::try_from(self.level.div_ceil(u128::from(more))).ok().and_then(|lasts| self.at.checked_add(lasts))
    }

    /// The most cores that may be used now; `None` for all.
    pub(crate) fn bound(&self) -> Option<f64> {
        self.is_spent.then_some(self.rate as f64 / 1e6)
    }

    /// What is saved up, core-nanoseconds.
    pub(crate) fn level(&self) -> u64 {
        u64::try_from(self.level / MILLION).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Span = 1_000_000_000;

    /// 10 s saved up, a fifth of a core earned, one core in use: spent after 12.5 s. Idle for 5 s it has 1 s again.
    #[test]
    fn what_is_saved_up_is_spent_and_earned_again() {
        let mut credits = Credits::new(Earning { rate: 0.2, max: 60 * SECOND, start: 10 * SECOND });
        assert_eq!((credits.bound(), credits.spent_at(1_000_000)), (None, Some(12_500_000_000)));
        assert!(credits.advance(12_500_000_000, 12_500_000_000));
        assert_eq!((credits.bound(), credits.level()), (Some(0.2), 0));
        // At the rate that it earns it stays so.
        assert!(!credits.advance(20_000_000_000, 14_000_000_000));
        assert_eq!(credits.spent_at(200_000), None);
        assert!(credits.advance(25_000_000_000, 14_000_000_000));
        assert_eq!((credits.bound(), credits.level()), (None, SECOND));
        // No more than the most is saved up.
        assert!(!credits.advance(1_000 * SECOND, 14_000_000_000));
        assert_eq!(credits.level(), 60 * SECOND);
    }
}

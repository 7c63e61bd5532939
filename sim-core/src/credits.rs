//! CPU credits: a machine may use a few cores indefinitely, and saves up unused core time to use more cores for a
//! while, like the burstable instances of clouds (AWS T3 and others).

use crate::time::{Span, Time};

/// How fast a machine earns credits and how many it can save.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Earning {
    /// Cores it may use indefinitely; equally, core-seconds earned per second.
    pub rate: f64,
    /// Maximum credit balance, core-nanoseconds.
    pub max: Span,
    /// Initial credit balance, core-nanoseconds.
    pub start: Span,
}

/// Balance that a machine out of credits must reach before it may exceed its earning rate again, in millionths of a
/// core-nanosecond.
const ENOUGH: u128 = 10_000_000 * MILLION;
const MILLION: u128 = 1_000_000;

/// The credits of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Credits {
    /// In millionths of a core.
    rate: u64,
    max: u128,
    /// Credit balance, in millionths of a core-nanosecond.
    level: u128,
    at: Time,
    /// Total use up to `at`, in core-nanoseconds.
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

    /// Advances to `now`, since when nothing has changed; `used` is the total use so far. Returns true if the number of
    /// usable cores has changed.
    pub(crate) fn advance(&mut self, now: Time, used: u128) -> bool {
        let earned = u128::from(now.saturating_sub(self.at)) * u128::from(self.rate);
        let spent = used.saturating_sub(self.used) * MILLION;
        self.level = (self.level + earned).saturating_sub(spent).min(self.max);
        (self.at, self.used) = (now, used);
        let is_spent = if self.is_spent { self.level < ENOUGH.min(self.max) } else { self.level < MILLION };
        std::mem::replace(&mut self.is_spent, is_spent) != is_spent
    }

    /// When the credits run out if `using` millionths of a core stay in use.
    pub(crate) fn spent_at(&self, using: u64) -> Option<Time> {
        let more = using.checked_sub(self.rate).filter(|more| *more > 0 && !self.is_spent)?;
        u64::try_from(self.level.div_ceil(u128::from(more))).ok().and_then(|lasts| self.at.checked_add(lasts))
    }

    /// Maximum usable cores now; `None` if there is no bound.
    pub(crate) fn bound(&self) -> Option<f64> {
        self.is_spent.then_some(self.rate as f64 / 1e6)
    }

    /// Credit balance, core-nanoseconds.
    pub(crate) fn level(&self) -> u64 {
        u64::try_from(self.level / MILLION).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Span = 1_000_000_000;

    /// Balance of 10 s, earning a fifth of a core, using one core: spent after 12.5 s. After 5 s idle, the balance is 1
    /// s.
    #[test]
    fn what_is_saved_up_is_spent_and_earned_again() {
        let mut credits = Credits::new(Earning { rate: 0.2, max: 60 * SECOND, start: 10 * SECOND });
        assert_eq!((credits.bound(), credits.spent_at(1_000_000)), (None, Some(12_500_000_000)));
        assert!(credits.advance(12_500_000_000, 12_500_000_000));
        assert_eq!((credits.bound(), credits.level()), (Some(0.2), 0));
        // Using exactly what it earns keeps the balance at zero.
        assert!(!credits.advance(20_000_000_000, 14_000_000_000));
        assert_eq!(credits.spent_at(200_000), None);
        assert!(credits.advance(25_000_000_000, 14_000_000_000));
        assert_eq!((credits.bound(), credits.level()), (None, SECOND));
        // The balance never exceeds the maximum.
        assert!(!credits.advance(1_000 * SECOND, 14_000_000_000));
        assert_eq!(credits.level(), 60 * SECOND);
    }
}

//! Slow start: whoever has just come up gets its share of the calls bit by bit.
//!
//! Its share of a full turn is that of Envoy's slow start mode: max(minimum, (t ÷ window)^(1 ÷ aggression)) where it has been known for
//! t, and all of it from `window` on. Envoy multiplies weights by that; here a target whose turn it is takes it with that probability, and
//! otherwise the turn goes on, which comes to the same on average.

use std::collections::BTreeMap;

use settings::{Duration, Fraction, Setting};
use sim_core::{Span, Time};

/// How whoever has just come up is spared.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "window")]
pub struct SlowStartSettings {
    /// Time after which a replica gets its full share.
    #[setting(range = ">0s")]
    pub window: Duration,
    /// Share that it gets at least. Envoy's default (`min_weight_percent`).
    #[setting(default = "10%", range = ">0..=1")]
    pub minimum: Fraction,
    /// Shape of the growth: 1 is a straight line, larger numbers grow faster at first. Envoy's default.
    #[setting(default = 1, range = ">0..=100")]
    pub aggression: f64,
}

/// Those that have come up a short time ago.
#[derive(Clone, Debug)]
pub struct Warming {
    window: Span,
    minimum: f64,
    exponent: f64,
    since: BTreeMap<usize, Time>,
}

impl Warming {
    /// Nobody yet.
    pub fn new(settings: &SlowStartSettings) -> Warming {
        Warming {
            window: settings.window.0,
            minimum: settings.minimum.0,
            exponent: 1.0 / settings.aggression,
            since: BTreeMap::new(),
        }
    }

    /// A target has come up.
    pub fn begin(&mut self, now: Time, target: usize) {
        self.since.insert(target, now);
    }

    /// Nobody has, as far as is known.
    pub fn forget(&mut self) {
        self.since.clear();
    }

    /// Whether nobody has come up a short time ago.
    pub fn is_over(&self) -> bool {
        self.since.is_empty()
    }

    /// The share of its turns that a target takes.
    pub fn share(&mut self, now: Time, target: usize) -> f64 {
        let Some(since) = self.since.get(&target) else { return 1.0 };
        let age = now.saturating_sub(*since);
        if age >= self.window {
            self.since.remove(&target);
            return 1.0;
        }
        libm::pow(age as f64 / self.window as f64, self.exponent).max(self.minimum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::time::SECOND;

    #[test]
    fn the_share_grows_from_the_minimum_to_all() {
        let settings =
            |aggression| SlowStartSettings { window: Duration(10 * SECOND), minimum: Fraction(0.1), aggression };
        let mut warming = Warming::new(&settings(1.0));
        assert_eq!((warming.share(0, 3), warming.is_over()), (1.0, true));
        warming.begin(100 * SECOND, 3);
        let mut share = |after: Time| warming.share((100 + after) * SECOND, 3);
        assert_eq!([share(0), share(1), share(4), share(9), share(10), share(0)], [0.1, 0.1, 0.4, 0.9, 1.0, 1.0]);
        let mut warming = Warming::new(&settings(2.0));
        warming.begin(0, 0);
        assert!((warming.share(SECOND, 0) - 0.1f64.sqrt()).abs() < 1e-12);
    }
}

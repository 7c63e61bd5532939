//! Back-off: how long a caller waits before it tries again.
//!
//! With base `b`, cap `m` and `n` failures so far the plain wait is `c = min(m, b·fⁿ⁻¹)`. Jitter makes of it: `full`
//! U(0, c); `equal` c/2 + U(0, c/2); `decorrelated` min(m, U(b, 3·previous)); `none` c. (AWS Architecture Blog,
//! *Exponential Backoff and Jitter*.) `range: [l, h]` is c·U(l, h): gRPC's is 0.8 to 1.2 (gRFC A6), resilience4j's
//! `randomizedWaitFactor` 0.5 is 0.5 to 1.5.

use settings::{Duration, Setting};
use sim_core::Span;
use sim_core::random::Draw;

use crate::law::Law;
use crate::policies::flaw::Flaw;

/// How the wait grows from one failure to the next.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum BackoffGrowth {
    /// Retries immediately.
    None,
    /// A constant wait.
    Fixed(Duration),
    /// The wait grows by the base each time.
    Linear {
        /// First wait, and the increment of each further one.
        base: Duration,
        /// The longest wait.
        max: Option<Duration>,
    },
    /// The wait grows by a factor each time.
    Exponential {
        /// The first wait.
        base: Duration,
        /// The longest wait.
        max: Option<Duration>,
        /// Factor applied to the wait each time.
        #[setting(default = 2, range = "1..=100")]
        factor: f64,
    },
}

/// How chance spreads the waits, so that callers who failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
pub enum Jitter {
    /// Not at all.
    None,
    /// Anything up to the wait.
    Full,
    /// Half of it, and anything up to the other half.
    Equal,
    /// Anything from the base to three times the wait before.
    Decorrelated,
    /// The wait times anything between two factors: `{range: [0.8, 1.2]}` is gRPC's.
    Range((f64, f64)),
}

/// How long a caller waits before it tries again.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct BackoffSettings {
    /// Growth of the wait.
    #[setting(flatten)]
    pub growth: BackoffGrowth,
    /// Random variation of the wait.
    #[setting(default = "none")]
    pub jitter: Jitter,
}

impl BackoffSettings {
    /// Whether a wait depends on the one before it.
    pub fn looks_back(&self) -> bool {
        self.jitter == Jitter::Decorrelated
    }

    /// The wait after the `failures`-th failure (from 1); `previous` is the wait before it, 0 at first.
    pub fn wait(&self, failures: u32, previous: Span, draw: impl FnOnce() -> Draw) -> Span {
        let n = failures.saturating_sub(1);
        let (base, cap, plain) = match &self.growth {
            BackoffGrowth::None => return 0,
            BackoffGrowth::Fixed(base) => (base.0, base.0, base.0),
            BackoffGrowth::Linear { base, max } => {
                (base.0, max.map_or(Span::MAX, |m| m.0), base.0.saturating_mul(n as u64 + 1))
            }
            BackoffGrowth::Exponential { base, max, factor } => {
                // Products of small whole factors are exact in an f64 well beyond any wait that is ever slept.
                let mut wait = base.0 as f64;
                for _ in 0..n.min(256) {
                    wait *= factor;
                }
                (
                    base.0,
                    max.map_or(Span::MAX, |m| m.0),
                    if wait >= 1e18 { 1_000_000_000_000_000_000 } else { wait as Span },
                )
            }
        };
        let plain = plain.min(cap);
        match self.jitter {
            Jitter::None => plain,
            Jitter::Full => draw().below(plain.saturating_add(1)),
            Jitter::Equal => plain / 2 + draw().below(plain - plain / 2 + 1),
            Jitter::Range((low, high)) => {
                let ends = [low, high].map(|factor| scaled(plain, factor));
                ends[0] + draw().below(ends[1].saturating_sub(ends[0]).saturating_add(1))
            }
            Jitter::Decorrelated => {
                let high = if previous == 0 { base } else { previous }.saturating_mul(3).max(base);
                (base + draw().below(high - base + 1)).min(cap)
            }
        }
    }

    /// The law of the wait after the `failures`-th failure, s; for what is known without running. One that depends on the wait
    /// before is taken at the mean of that.
    pub fn law(&self, failures: u32) -> Law {
        let seconds = |span: Span| span as f64 / 1e9;
        let longest = seconds(self.longest(failures));
        match self.jitter {
            Jitter::None => Law::always(longest),
            Jitter::Full => Law::between(0.0, longest),
            Jitter::Equal => Law::between(longest / 2.0, longest),
            Jitter::Range((low, high)) => {
                let plain = seconds(self.plain(failures));
                Law::between(low * plain, high * plain)
            }
            Jitter::Decorrelated => {
                let (base, cap) = match &self.growth {
                    BackoffGrowth::None => return Law::always(0.0),
                    BackoffGrowth::Fixed(base) => (seconds(base.0), seconds(base.0)),
                    BackoffGrowth::Linear { base, max } | BackoffGrowth::Exponential { base, max, .. } => {
                        (seconds(base.0), max.map_or(f64::INFINITY, |max| seconds(max.0)))
                    }
                };
                let capped = |law: Law| {
                    let (below, beyond) = law.split(cap);
                    below.or(&Law::always(cap).weighted(beyond))
                };
                let first = capped(Law::between(base, 3.0 * base));
                (1..failures).fold(first, |wait, _| capped(Law::between(base, (3.0 * wait.mean()).max(base))))
            }
        }
    }

    /// The longest that the wait after the `failures`-th failure can be; for what is known without running.
    pub fn longest(&self, failures: u32) -> Span {
        match self.jitter {
            Jitter::Decorrelated => {
                let (base, cap) = match &self.growth {
                    BackoffGrowth::None => return 0,
                    BackoffGrowth::Fixed(base) => (base.0, base.0),
                    BackoffGrowth::Linear { base, max } | BackoffGrowth::Exponential { base, max, .. } => {
                        (base.0, max.map_or(Span::MAX, |m| m.0))
                    }
                };
                (0..failures).fold(base, |wait, _| wait.saturating_mul(3)).min(cap)
            }
            Jitter::None | Jitter::Full | Jitter::Equal => self.plain(failures),
            Jitter::Range((_, high)) => scaled(self.plain(failures), high),
        }
    }

    /// The wait after the `failures`-th failure without jitter.
    fn plain(&self, failures: u32) -> Span {
        BackoffSettings { jitter: Jitter::None, ..self.clone() }.wait(failures, 0, || unreachable!("no jitter"))
    }

    /// What is wrong with the settings; keys are from `backoff` on.
    pub fn flaws(&self) -> Vec<Flaw> {
        let Jitter::Range((low, high)) = self.jitter else { return Vec::new() };
        if (0.0..=100.0).contains(&low) && (low..=100.0).contains(&high) {
            return Vec::new();
        }
        vec![Flaw {
            code: "out_of_range",
            key: "backoff.jitter.range".to_string(),
            message: format!("no wait is between {low} and {high} times the back-off"),
            help: "write two factors from 0 to 100, the smaller one first: `{range: [0.8, 1.2]}`".to_string(),
        }]
    }
}

/// A wait times a factor.
fn scaled(wait: Span, factor: f64) -> Span {
    (wait as f64 * factor).round() as Span
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Key;

    const MS: Span = 1_000_000;

    fn backoff(text: &str) -> BackoffSettings {
        settings::notation::read(text).expect("a back-off")
    }

    fn draws(n: u32) -> Draw {
        Key::from_bits(42).draw(7, n)
    }

    #[test]
    fn plain_waits_follow_their_formulas() {
        let waits = |text: &str| -> Vec<Span> { (1..=5).map(|n| backoff(text).wait(n, 0, || draws(n)) / MS).collect() };
        assert_eq!(waits("none"), [0, 0, 0, 0, 0]);
        assert_eq!(waits("{fixed: 30ms}"), [30, 30, 30, 30, 30]);
        assert_eq!(waits("{linear: {base: 10ms, max: 40ms}}"), [10, 20, 30, 40, 40]);
        assert_eq!(waits("{exponential: {base: 100ms, max: 1s}}"), [100, 200, 400, 800, 1000]);
    }

    #[test]
    fn jitter_stays_in_its_range_and_has_its_mean() {
        let mean = |text: &str, low: Span, high: Span| {
            let b = backoff(text);
            let n = 20_000;
            let sum: u64 = (0..n)
                .map(|i| {
                    let wait = b.wait(2, 100 * MS, || draws(i));
                    assert!((low..=high).contains(&wait), "{text}: {wait}");
                    wait
                })
                .sum();
            sum as f64 / n as f64 / MS as f64
        };
        // U(0, 200), 100 + U(0, 100), U(100, 300): five standard errors of 20,000 draws are about 2 ms.
        assert!((mean("{exponential: {base: 100ms}, jitter: full}", 0, 200 * MS) - 100.0).abs() < 2.1);
        assert!((mean("{exponential: {base: 100ms}, jitter: equal}", 100 * MS, 200 * MS) - 150.0).abs() < 1.1);
        assert!((mean("{exponential: {base: 100ms}, jitter: decorrelated}", 100 * MS, 300 * MS) - 200.0).abs() < 2.1);
        // 200 × U(0.8, 1.2), as gRPC.
        let range = "{exponential: {base: 100ms}, jitter: {range: [0.8, 1.2]}}";
        assert!((mean(range, 160 * MS, 240 * MS) - 200.0).abs() < 1.1);
        assert_eq!(backoff(range).longest(2), 240 * MS);
        let ranged = ("{range: [0.5, 1.5]}", 0.2);
        for (jitter, expected) in [("none", 0.2), ("full", 0.1), ("equal", 0.15), ("decorrelated", 0.35), ranged] {
            let law = backoff(&format!("{{exponential: {{base: 100ms}}, jitter: {jitter}}}")).law(2);
            assert!((law.mean() - expected).abs() < 1e-9, "{jitter}: {}", law.mean());
        }
    }

    #[test]
    fn a_range_of_factors_is_two_factors_in_order() {
        let flaws = |range: &str| backoff(&format!("{{fixed: 1s, jitter: {{range: {range}}}}}")).flaws().len();
        assert_eq!([flaws("[0.8, 1.2]"), flaws("[0, 0]"), flaws("[1, 1]")], [0, 0, 0]);
        assert_eq!([flaws("[1.2, 0.8]"), flaws("[-1, 1]"), flaws("[1, 101]")], [1, 1, 1]);
        // Equal factors leave nothing to chance.
        let wait = |n| backoff("{fixed: 30ms, jitter: {range: [2, 2]}}").wait(1, 0, || draws(n));
        assert_eq!([wait(1), wait(2)], [60 * MS, 60 * MS]);
    }
}

//! The retry budget of Finagle and Linkerd: a share of the calls.
//!
//! Each call deposits 1, each retry withdraws 1/ratio, a deposit expires after the window (kept in ten slots), and a
//! reserve lets `min` retries a second happen whatever the deposits. In the long run
//! retries ≤ ratio × calls + min × time. (Finagle, `finagle-core/…/service/RetryBudget.scala` at 0e26b576; Tower,
//! `retry/budget.rs`.)

use settings::values::Scalar;
use settings::{Duration, Fraction, Rate, Setting};
use sim_core::{Outcome, Span, Time};

use super::{Price, RetryBudget};

/// Retries limited to a share of the calls, as in Finagle.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct RatioSettings {
    /// Retries allowed per call.
    #[setting(default = "20%")]
    pub ratio: Fraction,
    /// Retry rate that is always allowed.
    #[setting(default = "10/s")]
    pub min: Rate,
    /// How long a deposit counts.
    #[setting(default = "10s")]
    pub window: Duration,
}

const SLOTS: usize = 10;

/// The state of a ratio budget. Deposits are counted in thousandths.
#[derive(Clone, Debug)]
pub struct RatioBudget {
    deposit: i64,
    cost: i64,
    reserve: i64,
    slot_width: Span,
    slots: [i64; SLOTS],
    current: u64,
}

impl RatioBudget {
    /// An empty budget.
    fn with(ratio: f64, min_per_second: f64, window: Span) -> RatioBudget {
        // Where calls deposit nothing, all comes out of the reserve, and a retry costs 1 of it.
        let (deposit, cost) = if ratio > 0.0 { (1000, (1000.0 / ratio) as i64) } else { (0, 1) };
        let seconds = window as f64 / 1e9;
        let reserve = (min_per_second * seconds) as i64;
        RatioBudget {
            deposit,
            cost,
            reserve: reserve.saturating_mul(cost),
            slot_width: (window / SLOTS as u64).max(1),
            slots: [0; SLOTS],
            current: 0,
        }
    }

    fn advance(&mut self, now: Time) {
        let slot = now / self.slot_width;
        let passed = slot.saturating_sub(self.current);
        for step in 0..passed.min(SLOTS as u64) {
            let gone = (self.current + 1 + step) as usize % SLOTS;
            self.slots[gone] = 0;
        }
        self.current = slot.max(self.current);
    }

    fn deposit(&mut self, now: Time) {
        self.advance(now);
        self.slots[self.current as usize % SLOTS] += self.deposit;
    }

    fn withdraw(&mut self, now: Time) -> bool {
        self.advance(now);
        let balance = self.slots.iter().sum::<i64>().saturating_add(self.reserve);
        if balance < self.cost {
            return false;
        }
        self.slots[self.current as usize % SLOTS] -= self.cost;
        true
    }
}

impl RetryBudget for RatioBudget {
    type Settings = RatioSettings;

    fn new(settings: &RatioSettings) -> RatioBudget {
        RatioBudget::with(settings.ratio.0, settings.min.0, settings.window.0)
    }

    fn words(settings: &RatioSettings) -> String {
        format!("{} and {}", settings.ratio.format(), settings.min.format())
    }

    fn repeats_per_call(settings: &RatioSettings, calls_per_s: f64, _: f64) -> f64 {
        settings.ratio.0 + settings.min.0 / calls_per_s
    }

    fn sent(&mut self, now: Time, is_repeated: bool) {
        if !is_repeated {
            self.deposit(now);
        }
    }

    fn may_repeat(&mut self, now: Time, _: Option<Outcome>) -> Option<Price> {
        self.withdraw(now).then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Span = 1_000_000;

    /// Calls at a rate for a while, each of which wants a retry; how many got one.
    fn retries(budget: &mut RatioBudget, calls: u64, gap: Span) -> u64 {
        (0..calls)
            .filter(|i| {
                let now = i * gap;
                budget.deposit(now);
                budget.withdraw(now)
            })
            .count() as u64
    }

    #[test]
    fn in_the_long_run_retries_are_the_ratio_of_the_calls() {
        let mut budget = RatioBudget::with(0.1, 0.0, 10_000 * MS);
        assert_eq!(retries(&mut budget, 100_000, MS), 10_000);
    }

    #[test]
    fn the_reserve_allows_its_rate_on_top() {
        let mut budget = RatioBudget::with(0.1, 10.0, 10_000 * MS);
        let got = retries(&mut budget, 100_000, MS);
        // 10 % of 100,000 and 10/s for 100 s; a deposit can outlast its retry by one window.
        assert!((10_900..=11_100).contains(&got), "{got}");
    }

    /// `RetryBudget.apply` and `TokenRetryBudget`: what a deposit, a withdrawal and the reserve come to, and how often one can
    /// withdraw after so many deposits.
    #[test]
    fn amounts_are_those_of_finagle() {
        // (ratio, min a second, window in seconds, deposits; a deposit, a withdrawal, the reserve; retries)
        for (ratio, min, window, deposits, amounts, expected) in [
            (0.2, 10.0, 10, 0, (1000, 5000, 500_000), 100),
            (0.2, 10.0, 10, 4, (1000, 5000, 500_000), 100),
            (0.2, 10.0, 10, 5, (1000, 5000, 500_000), 101),
            (0.5, 0.0, 10, 7, (1000, 2000, 0), 3),
            (2.0, 0.0, 5, 3, (1000, 500, 0), 6),
            (0.3, 0.0, 5, 10, (1000, 3333, 0), 3),
            // Only the reserve: everything costs 1, and calls bring nothing.
            (0.0, 5.0, 10, 1_000, (0, 1, 50), 50),
            (0.0, 0.0, 10, 1_000, (0, 1, 0), 0),
        ] {
            let mut budget = RatioBudget::with(ratio, min, window * 1_000 * MS);
            assert_eq!((budget.deposit, budget.cost, budget.reserve), amounts);
            (0..deposits).for_each(|_| budget.deposit(0));
            assert_eq!((0..1_000).filter(|_| budget.withdraw(0)).count(), expected, "{ratio}, {min}/s, {deposits}");
        }
    }

    #[test]
    fn deposits_expire_after_the_window() {
        let mut budget = RatioBudget::with(0.5, 0.0, 10_000 * MS);
        for i in 0..100 {
            budget.deposit(i * MS);
        }
        assert!(!budget.clone().withdraw(11_000 * MS));
        assert!(budget.withdraw(9_000 * MS));
    }

    #[test]
    fn nothing_is_allowed_before_the_first_deposit_without_a_minimum() {
        let mut budget = RatioBudget::with(0.1, 0.0, 10_000 * MS);
        assert!(!budget.withdraw(0));
        for _ in 0..9 {
            budget.deposit(0);
        }
        assert!(!budget.withdraw(0));
        budget.deposit(0);
        assert!(budget.withdraw(0));
        assert!(!budget.withdraw(0));
    }

    #[test]
    fn it_agrees_with_a_list_of_deposits_and_withdrawals() {
        use sim_core::random::Stream;
        for (ratio, min, window) in [(0.1, 0.0, 10_000 * MS), (0.5, 2.0, 1_000 * MS), (1.0, 0.0, 100 * MS)] {
            let mut budget = RatioBudget::with(ratio, min, window);
            let mut stream = Stream::named(9, "budget");
            let cost = (1000.0 / ratio) as i64;
            let reserve = (min * window as f64 / 1e9) as i64 * cost;
            // The obvious way: all that was ever paid in and out, each with the tenth of a window in which it was.
            let mut account: Vec<(u64, i64)> = Vec::new();
            let mut now = 0;
            for step in 0..3_000 {
                now += stream.below(window / 20);
                let slot = now / (window / 10);
                if stream.below(3) > 0 {
                    budget.deposit(now);
                    account.push((slot, 1000));
                    continue;
                }
                let counts = |at: &u64| at + 10 > slot;
                let balance: i64 = account.iter().filter(|(at, _)| counts(at)).map(|(_, amount)| amount).sum();
                let allowed = balance + reserve >= cost;
                assert_eq!(budget.withdraw(now), allowed, "ratio {ratio}, step {step}");
                if allowed {
                    account.push((slot, -cost));
                }
            }
        }
    }
}

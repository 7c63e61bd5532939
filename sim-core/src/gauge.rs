//! A gauge: an integer that changes at instants and is averaged over time.
//!
//! It integrates only on change, in exact integers, so that laws such as Little's can be checked to the nanosecond at
//! the end of a run. A gauge that does not change costs nothing.

use crate::time::Time;

/// A time-weighted integer: calls in flight, places held, bytes in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// State: the current value.
    value: u64,
    /// Measure: the difference between the integral since the last reset and `value` × now, modulo 2¹²⁸. A change then
    /// needs one addition and no multiplication.
    offset: u128,
    /// Measure: the maximum since the last reset.
    max: u64,
}

impl Gauge {
    /// A gauge with `value` from `now` on.
    pub const fn new(now: Time, value: u64) -> Self {
        Self { value, offset: area(value, now).wrapping_neg(), max: value }
    }

    /// The current value.
    #[inline]
    pub const fn value(&self) -> u64 {
        self.value
    }

    /// The maximum since the last reset, including the value at the reset.
    #[inline]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// Sets the value from `now` on. Changes must be in chronological order; several at one instant are allowed, and
    /// each counts for the maximum.
    #[inline]
    pub fn set(&mut self, now: Time, value: u64) {
        self.offset = self.offset.wrapping_add(area(self.value, now)).wrapping_sub(area(value, now));
        self.value = value;
        self.max = self.max.max(value);
    }

    /// Adds `change`, which may be negative, from `now` on. The value stops at 0; going below is a bug in the caller.
    #[inline]
    pub fn add(&mut self, now: Time, change: i64) {
        debug_assert!(self.value.checked_add_signed(change).is_some(), "{} changed by {change}", self.value);
        self.set(now, self.value.saturating_add_signed(change));
    }

    /// Adds one.
    #[inline(always)]
    pub fn up(&mut self, now: Time) {
        self.offset = self.offset.wrapping_sub(u128::from(now));
        self.value += 1;
        if self.value > self.max {
            self.max = self.value;
        }
    }

    /// Subtracts one. Below 0, which is a bug in the caller, it wraps around, so that a law will fail.
    #[inline(always)]
    pub fn down(&mut self, now: Time) {
        debug_assert!(self.value > 0, "one less than nothing");
        self.offset = self.offset.wrapping_add(u128::from(now));
        self.value = self.value.wrapping_sub(1);
    }

    /// Value times nanoseconds from the last reset to `now`, which must not be before the last change.
    #[inline(always)]
    pub fn integral(&self, now: Time) -> u128 {
        self.offset.wrapping_add(area(self.value, now))
    }

    /// The time average over `from`..`to`; `None` for an empty interval. `from` is the instant of the last reset, or an
    /// earlier one for a gauge that started later and counts as 0 before that.
    pub fn mean(&self, from: Time, to: Time) -> Option<f64> {
        (to > from).then(|| self.integral(to) as f64 / (to - from) as f64)
    }

    /// Resets the measures at `now` (the end of the warm-up) and keeps the value.
    pub fn reset(&mut self, now: Time) {
        *self = Self::new(now, self.value);
    }
}

/// A value weighted by its duration.
#[inline(always)]
const fn area(value: u64, span: Time) -> u128 {
    value as u128 * span as u128
}

impl Default for Gauge {
    /// A gauge with value 0 from the start of the run.
    fn default() -> Self {
        Self::new(0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integral_counts_each_value_for_as_long_as_it_lasted() {
        let mut gauge = Gauge::default();
        gauge.set(10, 3);
        gauge.add(14, 2);
        gauge.add(14, -5);
        gauge.add(20, 1);
        assert_eq!(gauge.integral(20), 3 * 4);
        assert_eq!(gauge.integral(25), 3 * 4 + 5);
        assert_eq!(gauge.max(), 5);
        assert_eq!(gauge.mean(0, 34), Some((12.0 + 14.0) / 34.0));
        assert_eq!(gauge.mean(34, 34), None);
    }

    #[test]
    fn reset_keeps_the_value_and_forgets_the_rest() {
        let mut gauge = Gauge::new(0, 9);
        gauge.set(5, 2);
        gauge.reset(8);
        assert_eq!((gauge.value(), gauge.max(), gauge.integral(8)), (2, 2, 0));
        assert_eq!(gauge.mean(8, 18), Some(2.0));
    }

    #[test]
    fn integral_of_large_values_over_years_is_exact() {
        let mut gauge = Gauge::new(0, u64::MAX);
        gauge.set(u64::MAX, 0);
        assert_eq!(gauge.integral(u64::MAX), u128::from(u64::MAX) * u128::from(u64::MAX));
    }

    proptest! {
        #[test]
        fn integral_is_the_sum_over_every_nanosecond(steps in prop::collection::vec((0u64..20, 0u64..50), 0..40)) {
            let mut gauge = Gauge::default();
            let (mut now, mut value, mut slow) = (0, 0, 0u128);
            for (pause, next) in steps {
                for _ in 0..pause {
                    slow += u128::from(value);
                }
                now += pause;
                value = next;
                gauge.set(now, value);
                prop_assert_eq!(gauge.integral(now), slow);
            }
        }
    }
}

//! Quantities whose type is determined by their place in the scenario: steps between two written values.
//!
//! A sweep from `200/s` to `2000/s`, or a search between `1ms` and `1s`, needs numbers to step through and texts to put
//! into the scenario. The unit determines the kind; the text is checked against the setting when it is read.

use settings::values::Scalar;
use settings::{Bandwidth, Count, Duration, Fraction, Money, Rate, Size};

/// The kind of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Integers.
    Count,
    /// Numbers without a unit.
    Number,
    /// Percentages.
    Percent,
    /// Durations.
    Duration,
    /// Per second.
    Rate,
    /// Bytes.
    Size,
    /// Bits per second.
    Bandwidth,
    /// Per hour.
    Money,
}

/// A number with its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// The kind.
    pub kind: Kind,
    /// In the base unit: seconds, per second, bytes, bits per second, per hour, a fraction.
    pub value: f64,
}

/// Decimal digits to which computed values are rounded: sufficiently precise, and readable.
const DIGITS: i32 = 6;

impl Quantity {
    /// Parses a value as written in scenarios; `None` if it is not a quantity.
    pub fn parse(text: &str) -> Option<Quantity> {
        let text = text.trim();
        let of = |kind, value| Some(Quantity { kind, value });
        if let Ok(count) = Count::parse(text) {
            return of(Kind::Count, count.0 as f64);
        }
        if text.ends_with('%') {
            return Fraction::parse(text).ok().and_then(|f| of(Kind::Percent, f.0));
        }
        if let Ok(number) = text.parse::<f64>() {
            return number.is_finite().then_some(Quantity { kind: Kind::Number, value: number });
        }
        if let Ok(duration) = Duration::parse(text) {
            return of(Kind::Duration, duration.0 as f64 / 1e9);
        }
        if let Ok(bandwidth) = Bandwidth::parse(text) {
            return of(Kind::Bandwidth, bandwidth.0 as f64);
        }
        if let Ok(rate) = Rate::parse(text) {
            return of(Kind::Rate, rate.0);
        }
        if let Ok(money) = Money::parse(text) {
            return of(Kind::Money, money.0);
        }
        Size::parse(text).ok().and_then(|size| of(Kind::Size, size.0 as f64))
    }

    /// Parses two quantities of one kind; a count and a number together are treated as numbers.
    pub fn parse_both(from: &str, to: &str) -> Option<(Quantity, Quantity)> {
        let (mut from, mut to) = (Quantity::parse(from)?, Quantity::parse(to)?);
        if from.kind != to.kind {
            let plain = |kind| matches!(kind, Kind::Count | Kind::Number);
            if !plain(from.kind) || !plain(to.kind) {
                return None;
            }
            (from.kind, to.kind) = (Kind::Number, Kind::Number);
        }
        Some((from, to))
    }

    /// The text as written in scenarios; computed values are rounded to six digits, counts to integers.
    pub fn text(&self) -> String {
        let value = rounded(self.value);
        match self.kind {
            Kind::Count => format!("{}", self.value.round().max(0.0) as u64),
            Kind::Number => format!("{value}"),
            Kind::Percent => format!("{}%", rounded(self.value * 100.0)),
            Kind::Duration => Duration((value * 1e9).round().max(0.0) as u64).format(),
            // Computed rates are compared with each other, so they share one unit.
            Kind::Rate => format!("{value}/s"),
            Kind::Size => Size(value.round().max(0.0) as u64).format(),
            Kind::Bandwidth => Bandwidth(value.round().max(0.0) as u64).format(),
            Kind::Money => Money(value).format(),
        }
    }

    /// The same kind with another value.
    pub fn with(&self, value: f64) -> Quantity {
        Quantity { kind: self.kind, value }
    }
}

/// `count` values from one to the other, including both, at equal distances or equal ratios.
pub fn steps(from: Quantity, to: Quantity, count: u32, log: bool) -> Vec<Quantity> {
    let last = f64::from(count.max(2) - 1);
    let at = |step: u32| {
        let share = f64::from(step) / last;
        let value = match step {
            0 => from.value,
            _ if step + 1 == count => to.value,
            _ if log => from.value * libm::pow(to.value / from.value, share),
            _ => from.value + (to.value - from.value) * share,
        };
        from.with(value)
    };
    (0..count).map(at).collect()
}

/// Rounds to [`DIGITS`] significant decimal digits.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    format!("{value:.*e}", (DIGITS - 1) as usize).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(from: &str, to: &str, count: u32, log: bool) -> Vec<String> {
        let (from, to) = Quantity::parse_both(from, to).expect("quantities");
        steps(from, to, count, log).iter().map(Quantity::text).collect()
    }

    #[test]
    fn steps_carry_the_unit_of_their_ends() {
        assert_eq!(texts("200/s", "800/s", 4, false), ["200/s", "400/s", "600/s", "800/s"]);
        assert_eq!(texts("1ms", "1s", 4, true), ["1ms", "10ms", "100ms", "1s"]);
        assert_eq!(texts("1", "10", 4, false), ["1", "4", "7", "10"]);
    }

    #[test]
    fn kinds_do_not_mix_but_whole_and_broken_numbers_do() {
        assert_eq!(Quantity::parse_both("1ms", "5/s"), None);
        let (from, to) = Quantity::parse_both("1", "2.5").expect("numbers");
        assert_eq!((from.kind, to.value), (Kind::Number, 2.5));
        assert_eq!(Quantity::parse("edge"), None);
    }
}

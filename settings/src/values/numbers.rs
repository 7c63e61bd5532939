//! Numbers: exact decimal parsing, counts with suffixes, and Rust's own number types.

use super::{Scalar, ValueError};
use crate::book::{Json, ScalarShape};

/// A decimal number as written: `digits × 10^exponent`, not yet rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) negative: bool,
    digits: u128,
    exponent: i32,
}

/// Splits a text into the number at its start and the rest.
///
/// A number has digits (with `_` between them), optionally a fraction and an exponent. `None` if there is none.
pub(super) fn split_number(text: &str) -> Option<(Decimal, &str)> {
    let bytes = text.as_bytes();
    let negative = bytes.first() == Some(&b'-');
    let mut place = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let mut number = Decimal { negative, digits: 0, exponent: 0 };
    let mut any = false;
    let mut behind_point = false;
    while let Some(&byte) = bytes.get(place) {
        match byte {
            b'0'..=b'9' => {
                any = true;
                let digit = u128::from(byte - b'0');
                match number.digits.checked_mul(10).and_then(|digits| digits.checked_add(digit)) {
                    Some(digits) => {
                        number.digits = digits;
                        number.exponent -= i32::from(behind_point);
                    }
                    // More than 38 digits: further ones only shift the decimal point.
                    None => number.exponent += i32::from(!behind_point),
                }
            }
            b'_' if any
                && bytes.get(place + 1).is_some_and(u8::is_ascii_digit)
                && bytes[place - 1].is_ascii_digit() => {}
            b'.' if !behind_point && bytes.get(place + 1).is_some_and(u8::is_ascii_digit) => behind_point = true,
            _ => break,
        }
        place += 1;
    }
    if !any {
        return None;
    }
    if matches!(bytes.get(place), Some(b'e' | b'E')) {
        let signed = place + 1 + usize::from(matches!(bytes.get(place + 1), Some(b'-' | b'+')));
        let end = signed + bytes[signed.min(bytes.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if end > signed {
            let exponent: i32 = text[place + 1..end].parse().ok()?;
            number.exponent = number.exponent.checked_add(exponent)?;
            place = end;
        }
    }
    Some((number, &text[place..]))
}

/// Why a decimal is not an integer multiple of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotWhole {
    /// It has a fraction below one unit.
    Finer,
    /// It overflows.
    TooLarge,
}

impl Decimal {
    /// The number times an integer unit, exact, without its sign.
    pub(super) fn whole(self, unit: u64) -> Result<u128, NotWhole> {
        if self.digits == 0 {
            return Ok(0);
        }
        let mut value = self.digits.checked_mul(u128::from(unit)).ok_or(NotWhole::TooLarge)?;
        for _ in 0..self.exponent.max(0) {
            value = value.checked_mul(10).ok_or(NotWhole::TooLarge)?;
        }
        for _ in self.exponent.min(0)..0 {
            if value % 10 != 0 {
                return Err(NotWhole::Finer);
            }
            value /= 10;
        }
        Ok(value)
    }

    /// The number times a power of ten, rounded once to the nearest float.
    pub(super) fn float(self, power: i32) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        let text = format!("{sign}{}e{}", self.digits, self.exponent.saturating_add(power));
        // The text is always a valid number; beyond the largest float it becomes infinite, which callers reject.
        text.parse().unwrap_or(f64::INFINITY)
    }
}

/// The power of ten of a count suffix: `k`, `M`, `G`.
pub(super) fn suffix_power(suffix: &str) -> Option<i32> {
    match suffix {
        "" => Some(0),
        "k" => Some(3),
        "M" => Some(6),
        "G" => Some(9),
        _ => None,
    }
}

/// Help for an invalid suffix: what to write instead.
pub(super) fn suffix_help(suffix: &str) -> Option<String> {
    match suffix.trim() {
        "K" => Some("write `k` for a thousand".to_string()),
        "m" => Some("write `M` for a million".to_string()),
        "g" | "b" | "B" | "bn" => Some("write `G` for a thousand million".to_string()),
        _ => None,
    }
}

/// A count: `10000`, `10_000`, `10k`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(pub u64);

const COUNT_SHAPE: ScalarShape = ScalarShape {
    name: "count",
    article: "a count",
    examples: &["20", "10_000", "10k"],
    pattern: Some(r"^[0-9][0-9_]*(\.[0-9]+)?[kMG]?$"),
    json: &[Json::Natural, Json::Pattern],
};

fn parse_count(text: &str, largest: u64) -> Result<u64, ValueError> {
    let not_a_count = || ValueError::new(format!("expected a whole number such as `20` or `10k`, found `{text}`"));
    let (number, rest) = split_number(text).ok_or_else(not_a_count)?;
    let Some(power) = suffix_power(rest) else {
        return Err(ValueError { help: suffix_help(rest), ..not_a_count() });
    };
    if number.negative {
        return Err(ValueError::new(format!("a count cannot be negative, found `{text}`")));
    }
    let unit = 10_u64.pow(power as u32);
    match number.whole(unit) {
        Ok(value) if value <= u128::from(largest) => Ok(value as u64),
        Err(NotWhole::Finer) => Err(ValueError::new(format!("`{text}` is not a whole number"))),
        _ => Err(ValueError::new(format!("`{text}` is too large: the maximum is {largest}"))),
    }
}

impl Scalar for Count {
    const SHAPE: &'static ScalarShape = &COUNT_SHAPE;

    fn parse(text: &str) -> Result<Self, ValueError> {
        parse_count(text, u64::MAX).map(Count)
    }

    fn format(&self) -> String {
        self.0.to_string()
    }
}

macro_rules! unsigned_scalars {
    ($($type:ty),*) => {$(
        impl Scalar for $type {
            const SHAPE: &'static ScalarShape = &COUNT_SHAPE;

            fn parse(text: &str) -> Result<Self, ValueError> {
                parse_count(text, <$type>::MAX as u64).map(|value| value as $type)
            }

            fn format(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

unsigned_scalars!(u8, u16, u32, u64, usize);

impl Scalar for i64 {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "whole number",
        article: "a whole number",
        examples: &["-3", "20"],
        pattern: None,
        json: &[Json::Integer],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(format!("expected a whole number such as `-3`, found `{text}`"));
        let (number, rest) = split_number(text).ok_or_else(wrong)?;
        let size = number.whole(1).ok().and_then(|value| i64::try_from(value).ok());
        match (rest, size) {
            ("", Some(size)) => Ok(if number.negative { -size } else { size }),
            _ => Err(wrong()),
        }
    }

    fn format(&self) -> String {
        self.to_string()
    }
}

impl Scalar for f64 {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "number",
        article: "a number",
        examples: &["2", "0.5"],
        pattern: None,
        json: &[Json::Number],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(format!("expected a number such as `0.5`, found `{text}`"));
        match split_number(text) {
            Some((number, "")) => finite(number.float(0), text),
            Some((number, "%")) => {
                let value = number.float(-2);
                Err(ValueError::with_help(wrong().message, format!("write `{value}`")))
            }
            _ => Err(wrong()),
        }
    }

    fn format(&self) -> String {
        self.to_string()
    }
}

/// Rejects values beyond the largest float.
pub(super) fn finite(value: f64, text: &str) -> Result<f64, ValueError> {
    if value.is_finite() { Ok(value) } else { Err(ValueError::new(format!("`{text}` is too large"))) }
}

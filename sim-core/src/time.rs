//! Time as integer nanoseconds: the same on every machine, without accumulated rounding.
//!
//! An instant counts from the start of the run, including the warm-up, so it is never negative. The measured window
//! begins at the instant equal to the length of the warm-up.

/// An instant: nanoseconds since the start of the run, including the warm-up.
pub type Time = u64;
/// A duration in nanoseconds.
pub type Span = u64;

/// One nanosecond, the unit.
pub const NANOSECOND: Span = 1;
/// One microsecond in nanoseconds.
pub const MICROSECOND: Span = 1_000;
/// One millisecond in nanoseconds.
pub const MILLISECOND: Span = 1_000_000;
/// One second in nanoseconds.
pub const SECOND: Span = 1_000_000_000;
/// One minute in nanoseconds.
pub const MINUTE: Span = 60 * SECOND;
/// One hour in nanoseconds.
pub const HOUR: Span = 60 * MINUTE;

/// The span in seconds, rounded to the nearest representable number. For reports, never for arithmetic in the model.
pub fn seconds(span: Span) -> f64 {
    span as f64 / SECOND as f64
}

/// The span in seconds as text, exact to the nanosecond, without trailing zeros: `1.5s`, `0.000000001s`, `12s`.
pub fn seconds_text(span: Span) -> String {
    let (whole, fraction) = (span / SECOND, span % SECOND);
    if fraction == 0 {
        return format!("{whole}s");
    }
    let digits = format!("{fraction:09}");
    format!("{whole}.{}s", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_written_exactly_and_without_padding() {
        let cases = [
            (0, "0s"),
            (NANOSECOND, "0.000000001s"),
            (1_500 * MILLISECOND, "1.5s"),
            (HOUR + MINUTE + MICROSECOND, "3660.000001s"),
            (u64::MAX, "18446744073.709551615s"),
        ];
        for (span, text) in cases {
            assert_eq!(seconds_text(span), text);
        }
        assert_eq!(seconds(2_500 * MILLISECOND), 2.5);
    }
}

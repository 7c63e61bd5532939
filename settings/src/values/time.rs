//! Durations: `250us`, `1.5s`, `1m30s`.

use sim_core::time::Span;

use super::numbers::{Decimal, NotWhole, split_number};
use super::{Scalar, ValueError};
use crate::book::{Json, ScalarShape};

/// A length of time in integer nanoseconds, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub Span);

/// An instant relative to the end of the warm-up, in integer nanoseconds; negative during the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignedDuration(pub i64);

/// Units from the longest to the shortest, in nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Duration {
    /// From seconds, rounded to the nearest nanosecond; negative values and NaN become zero.
    pub fn from_seconds(seconds: f64) -> Duration {
        Duration((seconds * 1e9 + 0.5) as u64)
    }

    /// The duration in seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl SignedDuration {
    /// The instant in seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Scalar for Duration {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "duration",
        article: "a duration",
        examples: &["5ms", "250us", "1.5s", "1m30s"],
        pattern: Some(r"^([0-9][0-9_]*(\.[0-9]+)?(ns|us|ms|s|m|h))+$"),
        json: &[Json::Pattern],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        if text.starts_with('-') && split_number(text).is_some() {
            return Err(ValueError::new(format!("a duration cannot be negative, found `{text}`")));
        }
        parse_span(text).map(Duration)
    }

    fn format(&self) -> String {
        format_span(self.0)
    }
}

impl Scalar for SignedDuration {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "instant",
        article: "an instant",
        examples: &["60s", "2m", "-10s"],
        pattern: Some(r"^-?([0-9][0-9_]*(\.[0-9]+)?(ns|us|ms|s|m|h))+$"),
        json: &[Json::Pattern],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let (negative, size) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let size = i64::try_from(parse_span(size)?).map_err(|_| too_long(text))?;
        Ok(SignedDuration(if negative { -size } else { size }))
    }

    fn format(&self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        format!("{sign}{}", format_span(self.0.unsigned_abs()))
    }
}

fn too_long(text: &str) -> ValueError {
    ValueError::new(format!("`{text}` is too long: the maximum is 2^64 nanoseconds, about 584 years"))
}

fn parse_span(text: &str) -> Result<Span, ValueError> {
    let no_duration = || ValueError::new(format!("expected a duration such as `5ms` or `1m30s`, found `{text}`"));
    let mut rest = text;
    let mut total: u128 = 0;
    let mut last_unit = u64::MAX;
    loop {
        let Some((number, behind)) = split_number(rest) else {
            return Err(no_duration());
        };
        if number.negative || rest.starts_with('+') {
            return Err(no_duration());
        }
        let length = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
        let (unit, after) = behind.split_at(length);
        let Some(&(_, nanoseconds)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(unit_problem(text, behind, number, last_unit == u64::MAX));
        };
        if nanoseconds >= last_unit {
            return Err(ValueError::with_help(
                format!("the parts of `{text}` are not in order"),
                "write longer units first, each once, as in `1m30s`",
            ));
        }
        last_unit = nanoseconds;
        total = match number.whole(nanoseconds) {
            Ok(part) => total.checked_add(part).ok_or_else(|| too_long(text))?,
            Err(NotWhole::Finer) => return Err(ValueError::new(format!("`{text}` is finer than a nanosecond"))),
            Err(NotWhole::TooLarge) => return Err(too_long(text)),
        };
        rest = after;
        if rest.is_empty() {
            return Span::try_from(total).map_err(|_| too_long(text));
        }
    }
}

/// The error for a missing or unknown unit.
fn unit_problem(text: &str, behind: &str, number: Decimal, first: bool) -> ValueError {
    let unit = behind.trim();
    if unit.is_empty() && behind.is_empty() {
        let message = format!("`{text}` has no unit");
        if first {
            let plain = text.trim_start_matches('+');
            return ValueError::with_help(message, format!("write `{plain}ms` or `{plain}s`"));
        }
        return ValueError::with_help(message, "each part needs a unit, as in `1m30s`");
    }
    if first && behind != unit && UNITS.iter().any(|(name, _)| *name == unit) {
        let joined: String = text.split_whitespace().collect();
        return ValueError::with_help(format!("`{text}` has a space in it"), format!("write `{joined}`"));
    }
    let message = format!("`{unit}` in `{text}` is not a unit of time");
    let meant = match unit.to_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "msec" | "msecs" | "millis" | "milliseconds" => "ms",
        "µs" | "μs" | "usec" | "micros" | "microseconds" => "us",
        "nanos" | "nanoseconds" | "nsec" => "ns",
        "d" | "day" | "days" if first => {
            let hours = number.float(0) * 24.0;
            return ValueError::with_help(message, format!("write `{hours}h`"));
        }
        _ => return ValueError::with_help(message, "the units are `ns`, `us`, `ms`, `s`, `m` and `h`"),
    };
    if first {
        let number = &text[..text.len() - behind.len()];
        return ValueError::with_help(message, format!("write `{number}{meant}`"));
    }
    ValueError::with_help(message, format!("write `{meant}`"))
}

/// The shortest usual form: `1.5ms`, `90s` as `1m30s`.
fn format_span(span: Span) -> String {
    let decimal = |span: u64, unit: u64, name: &str| {
        let (whole, part) = (span / unit, span % unit);
        if part == 0 {
            return format!("{whole}{name}");
        }
        let digits = unit.ilog10() as usize;
        let part = format!("{part:0digits$}");
        format!("{whole}.{}{name}", part.trim_end_matches('0'))
    };
    match span {
        0 => "0s".to_string(),
        1..1_000 => format!("{span}ns"),
        1_000..1_000_000 => decimal(span, 1_000, "us"),
        1_000_000..1_000_000_000 => decimal(span, 1_000_000, "ms"),
        _ => {
            let (hours, rest) = (span / UNITS[0].1, span % UNITS[0].1);
            let (minutes, rest) = (rest / UNITS[1].1, rest % UNITS[1].1);
            let mut text = String::new();
            if hours > 0 {
                text.push_str(&format!("{hours}h"));
            }
            if minutes > 0 {
                text.push_str(&format!("{minutes}m"));
            }
            if rest > 0 {
                text.push_str(&decimal(rest, UNITS[2].1, "s"));
            }
            text
        }
    }
}

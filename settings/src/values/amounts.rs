//! Amounts with units: rates, sizes, bandwidths, money, fractions, cores.

use super::numbers::{NotWhole, finite, split_number, suffix_help, suffix_power};
use super::{Scalar, ValueError};
use crate::book::{Json, ScalarShape};

/// Events per second, never negative: `1200/s`, `30/min`, `2M/s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// Bytes: `512B`, `64KiB` (1024 bytes each), `10MB` (1000 × 1000 bytes each).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// Bits per second: `10Gb/s`, `100MB/s` (eight bits per byte).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bandwidth(pub u64);

/// Money per hour, in any currency: `0.17/h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Money(pub f64);

/// A share of the whole, 0 to 1: `0.1` or `10%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Fraction(pub f64);

/// A percentage of something, also more than all of it: 2.0 is `200%`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percentage(pub f64);

/// Processor cores, greater than 0: `2`, `0.5`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Cores(pub f64);

impl Scalar for Rate {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "rate",
        article: "a rate",
        examples: &["1200/s", "30/min", "2M/s"],
        pattern: Some(r"^[0-9][0-9_]*(\.[0-9]+)?([eE][+-]?[0-9]+)?[kMG]?/(s|min|h)$"),
        json: &[Json::Pattern],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(format!("expected a rate such as `1200/s`, found `{text}`"));
        let (number, rest) = split_number(text).ok_or_else(wrong)?;
        if number.negative {
            return Err(ValueError::new(format!("a rate cannot be negative, found `{text}`")));
        }
        let written = &text[..text.len() - rest.len()];
        let Some((suffix, unit)) = rest.split_once('/') else {
            return Err(match suffix_power(rest) {
                Some(_) => {
                    ValueError::with_help(format!("`{text}` has no unit"), format!("write `{text}/s` or `{text}/min`"))
                }
                None => match rest.trim().to_ascii_lowercase().as_str() {
                    "rps" | "qps" | "tps" | "hz" => {
                        ValueError::with_help(wrong().message, format!("write `{written}/s`"))
                    }
                    "rpm" => ValueError::with_help(wrong().message, format!("write `{written}/min`")),
                    _ => wrong(),
                },
            });
        };
        let Some(power) = suffix_power(suffix) else {
            return Err(ValueError { help: suffix_help(suffix), ..wrong() });
        };
        let seconds = match unit {
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            _ => {
                let help = match unit.trim() {
                    "sec" | "second" => format!("write `{written}{suffix}/s`"),
                    "m" | "minute" => format!("write `{written}{suffix}/min`"),
                    "hour" | "hr" => format!("write `{written}{suffix}/h`"),
                    _ => "a rate is per `s`, `min` or `h`".to_string(),
                };
                return Err(ValueError::with_help(wrong().message, help));
            }
        };
        finite(number.float(power), text).map(|value| Rate(value / seconds))
    }

    fn format(&self) -> String {
        let rate = self.0;
        for (seconds, unit) in [(1.0, "s"), (60.0, "min"), (3600.0, "h")] {
            let value = rate * seconds;
            // A slower unit is used only if it gives an integer that converts back to the same rate.
            if (value.fract() == 0.0 && value / seconds == rate) && value < 1e15 {
                let whole = value as u64;
                for (power, suffix) in [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")] {
                    if whole >= power * 10 && whole.is_multiple_of(power) {
                        return format!("{}{suffix}/{unit}", whole / power);
                    }
                }
                return format!("{whole}/{unit}");
            }
        }
        format!("{rate}/s")
    }
}

/// Units of size in bytes; the binary ones first, because sizes are usually memory sizes.
const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl Scalar for Size {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "size",
        article: "a size",
        examples: &["512B", "64KiB", "2GiB", "10MB"],
        pattern: Some(r"^[0-9][0-9_]*(\.[0-9]+)?([KMGT]i?)?B$"),
        json: &[Json::Pattern],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(format!("expected a size such as `64KiB`, found `{text}`"));
        let (number, rest) = split_number(text).ok_or_else(wrong)?;
        if number.negative {
            return Err(ValueError::new(format!("a size cannot be negative, found `{text}`")));
        }
        let written = &text[..text.len() - rest.len()];
        let Some((_, bytes)) = SIZES.iter().find(|(name, _)| *name == rest) else {
            if rest.is_empty() {
                let help = format!("write `{written}B`, `{written}KiB` or `{written}MiB`");
                return Err(ValueError::with_help(format!("`{text}` has no unit"), help));
            }
            let help = match rest.trim() {
                "" => format!("write `{written}B`"),
                unit => size_help(written, unit),
            };
            return Err(ValueError::with_help(wrong().message, help));
        };
        match number.whole(*bytes) {
            Ok(value) => u64::try_from(value).map(Size).map_err(|_| ValueError::new(format!("`{text}` is too large"))),
            Err(NotWhole::Finer) => Err(ValueError::new(format!("`{text}` is not a whole number of bytes"))),
            Err(NotWhole::TooLarge) => Err(ValueError::new(format!("`{text}` is too large"))),
        }
    }

    /// In the unit that makes the shortest number: `400MB`, not `390625KiB`.
    fn format(&self) -> String {
        let divides = |unit: &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(unit.1);
        let (name, unit) = SIZES.iter().filter(divides).max_by_key(|(_, unit)| *unit).unwrap_or(&("B", 1));
        format!("{}{name}", self.0 / unit)
    }
}

fn size_help(written: &str, unit: &str) -> String {
    let letter = unit.chars().next().map(|c| c.to_ascii_uppercase());
    match letter {
        Some(letter @ ('K' | 'M' | 'G' | 'T')) => {
            if unit[1..].eq_ignore_ascii_case("b") {
                format!("write `{written}{letter}B` (1000) or `{written}{letter}iB` (1024)")
            } else {
                format!("write `{written}{letter}iB` (1024) or `{written}{letter}B` (1000)")
            }
        }
        Some('B') => format!("write `{written}B`"),
        _ => "the units are `B`, `KB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`, `TB` and `TiB`".to_string(),
    }
}

/// Units of bandwidth in bits per second; formatting uses the first that fits.
const BANDWIDTHS: [(&str, u64); 10] = [
    ("Tb/s", 1_000_000_000_000),
    ("Gb/s", 1_000_000_000),
    ("Mb/s", 1_000_000),
    ("Kb/s", 1_000),
    ("b/s", 1),
    ("TB/s", 8_000_000_000_000),
    ("GB/s", 8_000_000_000),
    ("MB/s", 8_000_000),
    ("KB/s", 8_000),
    ("B/s", 8),
];

impl Scalar for Bandwidth {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "bandwidth",
        article: "a bandwidth",
        examples: &["10Gb/s", "100MB/s"],
        pattern: Some(r"^[0-9][0-9_]*(\.[0-9]+)?[KMGT]?[bB]/s$"),
        json: &[Json::Pattern],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(format!("expected a bandwidth such as `10Gb/s`, found `{text}`"));
        let (number, rest) = split_number(text).ok_or_else(wrong)?;
        if number.negative {
            return Err(ValueError::new(format!("a bandwidth cannot be negative, found `{text}`")));
        }
        let written = &text[..text.len() - rest.len()];
        let Some((_, bits)) = BANDWIDTHS.iter().find(|(name, _)| *name == rest) else {
            let help = match rest {
                "" => format!("write `{written}Mb/s` (bits) or `{written}MB/s` (bytes)"),
                "kb/s" => format!("write `{written}Kb/s`"),
                "kB/s" => format!("write `{written}KB/s`"),
                "Gbps" | "gbps" | "Gbit/s" => format!("write `{written}Gb/s`"),
                "Mbps" | "mbps" | "Mbit/s" => format!("write `{written}Mb/s`"),
                "GB" | "MB" | "Gb" | "Mb" => format!("write `{written}{rest}/s`"),
                _ => "`b` means bits and `B` bytes, as in `10Gb/s` and `100MB/s`".to_string(),
            };
            let message = if rest.is_empty() { format!("`{text}` has no unit") } else { wrong().message };
            return Err(ValueError::with_help(message, help));
        };
        match number.whole(*bits) {
            Ok(value) => {
                u64::try_from(value).map(Bandwidth).map_err(|_| ValueError::new(format!("`{text}` is too large")))
            }
            Err(NotWhole::Finer) => Err(ValueError::new(format!("`{text}` is not a whole number of bits per second"))),
            Err(NotWhole::TooLarge) => Err(ValueError::new(format!("`{text}` is too large"))),
        }
    }

    fn format(&self) -> String {
        format_units(self.0, &BANDWIDTHS)
    }
}

/// Formats a value as an integer in the first unit of the table that divides it.
fn format_units(value: u64, units: &[(&str, u64)]) -> String {
    let smallest = units.iter().find(|(_, size)| *size == 1).map_or("", |(name, _)| name);
    match units.iter().find(|(_, size)| value > 0 && value.is_multiple_of(*size)) {
        Some((name, size)) => format!("{}{name}", value / size),
        None => format!("{value}{smallest}"),
    }
}

impl Scalar for Money {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "money per hour",
        article: "a price per hour",
        examples: &["0.17/h"],
        pattern: Some(r"^[0-9][0-9_]*(\.[0-9]+)?([eE][+-]?[0-9]+)?/h$"),
        json: &[Json::Pattern],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(format!("expected a price per hour such as `0.17/h`, found `{text}`"));
        let (number, rest) = split_number(text).ok_or_else(wrong)?;
        if number.negative {
            return Err(ValueError::new(format!("a price cannot be negative, found `{text}`")));
        }
        match rest {
            "/h" => finite(number.float(0), text).map(Money),
            "" => Err(ValueError::with_help(format!("`{text}` has no unit"), format!("write `{text}/h`"))),
            _ => Err(wrong()),
        }
    }

    fn format(&self) -> String {
        format!("{}/h", self.0)
    }
}

impl Scalar for Fraction {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "fraction",
        article: "a fraction",
        examples: &["0.1", "10%"],
        pattern: Some(r"^[0-9][0-9_]*(\.[0-9]+)?([eE][+-]?[0-9]+)?%$"),
        json: &[Json::Share, Json::Pattern],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(format!("expected a fraction such as `0.1` or `10%`, found `{text}`"));
        let (number, rest) = split_number(text).ok_or_else(wrong)?;
        let value = match rest {
            "" => number.float(0),
            "%" => number.float(-2),
            _ => return Err(wrong()),
        };
        if number.negative && value != 0.0 {
            return Err(ValueError::new(format!("a fraction cannot be negative, found `{text}`")));
        }
        if value > 1.0 {
            let help = (rest.is_empty() && value <= 100.0).then(|| format!("did you mean `{text}%`?"));
            return Err(ValueError { message: format!("`{text}` is more than 1 (100%)"), help });
        }
        Ok(Fraction(value.abs()))
    }

    fn format(&self) -> String {
        format!("{}%", hundredfold(self.0))
    }
}

impl Scalar for Percentage {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "percentage",
        article: "a percentage",
        examples: &["50%", "200%"],
        pattern: Some(r"^[0-9][0-9_]*(\.[0-9]+)?([eE][+-]?[0-9]+)?%$"),
        json: &[Json::Pattern],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(format!("expected a percentage such as `50%` or `200%`, found `{text}`"));
        let (number, rest) = split_number(text).ok_or_else(wrong)?;
        if number.negative {
            return Err(ValueError::new(format!("a percentage cannot be negative, found `{text}`")));
        }
        match rest {
            "%" => finite(number.float(-2), text).map(Percentage),
            "" => Err(ValueError::with_help(format!("`{text}` has no unit"), format!("write `{text}%`"))),
            _ => Err(wrong()),
        }
    }

    fn format(&self) -> String {
        format!("{}%", hundredfold(self.0))
    }
}

/// A number times a hundred in decimal notation, by moving the point, to avoid rounding.
fn hundredfold(value: f64) -> String {
    let text = value.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let moved: String = part.chars().chain("00".chars()).take(2).collect();
    let rest = part.get(2..).unwrap_or("");
    let digits = format!("{whole}{moved}");
    let front = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    if rest.is_empty() { front.to_string() } else { format!("{front}.{rest}") }
}

/// Maximum number of cores of one machine.
const CORES_MAX: f64 = 1e6;

impl Scalar for Cores {
    const SHAPE: &'static ScalarShape = &ScalarShape {
        name: "cores",
        article: "a number of cores",
        examples: &["2", "0.5"],
        pattern: None,
        json: &[Json::Number],
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(format!("expected a number of cores such as `2` or `0.5`, found `{text}`"));
        let (number, rest) = split_number(text).ok_or_else(wrong)?;
        match rest {
            "" => {}
            "m" => return Err(ValueError::with_help(wrong().message, format!("write `{}`", number.float(-3)))),
            _ => return Err(wrong()),
        }
        let value = finite(number.float(0), text)?;
        if value <= 0.0 {
            return Err(ValueError::new(format!("the number of cores must be positive, found `{text}`")));
        }
        if value > CORES_MAX {
            return Err(ValueError::new(format!("at most {CORES_MAX} cores can be simulated, found `{text}`")));
        }
        Ok(Cores(value))
    }

    fn format(&self) -> String {
        self.0.to_string()
    }
}

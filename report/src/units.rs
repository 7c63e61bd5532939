//! Formats figures for people: three significant digits, a space, a unit.
//!
//! There are two notations for time, on purpose: a *measured* time reads `12.3 ms`; an *instant* or length of the scenario
//! reads as in the scenario language, `1m30s`, so that it can be found there.

/// Placeholder for an unknown figure.
pub const UNKNOWN: &str = "–";

/// Three significant digits of a value between 0 and 1000: `1.23`, `12.3`, `123`.
fn significant(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if value < 0.0995 {
        format!("{value:.3}")
    } else if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// A measured time in seconds: `350 ns`, `12.3 µs`, `1.23 ms`, `4.56 s`, `2m05s`.
#[must_use]
pub fn time(seconds: f64) -> String {
    let magnitude = seconds.abs();
    let sign = if seconds < 0.0 { "−" } else { "" };
    if !magnitude.is_finite() {
        UNKNOWN.to_owned()
    } else if magnitude == 0.0 {
        "0 s".to_owned()
    } else if magnitude < 0.999_5e-6 {
        format!("{sign}{:.0} ns", magnitude * 1e9)
    } else if magnitude < 0.999_5e-3 {
        format!("{sign}{} µs", significant(magnitude * 1e6))
    } else if magnitude < 0.999_5 {
        format!("{sign}{} ms", significant(magnitude * 1e3))
    } else if magnitude < 119.5 {
        format!("{sign}{} s", significant(magnitude))
    } else {
        format!("{sign}{}", instant(magnitude.round()))
    }
}

/// An instant or length of the scenario in seconds, in the notation of its language: `250ms`, `1m30s` for 90 s, `-30s`.
#[must_use]
pub fn instant(seconds: f64) -> String {
    if !seconds.is_finite() {
        return UNKNOWN.to_owned();
    }
    if seconds.abs() > 1e9 {
        // More than thirty years: no scenario is that long, but a figure may be.
        return format!("{seconds:.2e}s");
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let nanoseconds = (seconds.abs() * 1e9).round() as u64;
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    if nanoseconds < 1_000_000 {
        return format!("{sign}{}us", trimmed(nanoseconds as f64 / 1e3));
    }
    if nanoseconds < 1_000_000_000 {
        return format!("{sign}{}ms", trimmed(nanoseconds as f64 / 1e6));
    }
    // Above a minute, nothing finer than milliseconds matters.
    let milliseconds = (nanoseconds + 500_000) / 1_000_000;
    let (minutes, rest) = (milliseconds / 60_000, milliseconds % 60_000);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let mut text = sign.to_owned();
    if hours > 0 {
        text.push_str(&format!("{hours}h"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}m"));
    }
    if rest > 0 {
        text.push_str(&format!("{}s", trimmed(rest as f64 / 1e3)));
    }
    text
}

/// Up to three decimals, without trailing zeros.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number of things, abbreviated: `0`, `0.25`, `12.3`, `9,876`, `143 k`, `1.20 M`.
#[must_use]
pub fn quantity(value: f64) -> String {
    let magnitude = value.abs();
    let sign = if value < 0.0 { "−" } else { "" };
    let text = if !magnitude.is_finite() {
        return UNKNOWN.to_owned();
    } else if magnitude < 999.5 {
        if magnitude == magnitude.trunc() { format!("{magnitude:.0}") } else { significant(magnitude) }
    } else if magnitude < 9_999.5 {
        grouped(magnitude.round() as u64)
    } else if magnitude < 999_500.0 {
        format!("{} k", significant(magnitude / 1e3))
    } else if magnitude < 999_500_000.0 {
        format!("{} M", significant(magnitude / 1e6))
    } else {
        format!("{} G", significant(magnitude / 1e9))
    };
    format!("{sign}{text}")
}

/// Events per second: `36.1/s`, `1.20 k/s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    let magnitude = per_second.abs();
    if !magnitude.is_finite() {
        UNKNOWN.to_owned()
    } else if magnitude < 999.5 {
        format!("{}/s", significant(magnitude))
    } else if magnitude < 999_500.0 {
        format!("{} k/s", significant(magnitude / 1e3))
    } else {
        format!("{} M/s", significant(magnitude / 1e6))
    }
}

/// A whole number with thousands separators: `143,000`.
#[must_use]
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share between 0 and 1: `0 %`, `4.9 %`, `87 %`, `99.95 %`. Shares below 1 never round to 100 %, and shares above 0 never
/// to 0 %, because readers look for the difference between no failures and a few.
#[must_use]
pub fn share(share: f64) -> String {
    if !share.is_finite() {
        return UNKNOWN.to_owned();
    }
    let percent = share * 100.0;
    let rest = 100.0 - percent;
    if share == 0.0 {
        "0 %".to_owned()
    } else if percent < 0.01 && share > 0.0 {
        "<0.01 %".to_owned()
    } else if percent < 0.095 {
        format!("{percent:.2} %")
    } else if percent < 9.95 {
        format!("{percent:.1} %")
    } else if rest <= 0.0 || rest > 1.0 {
        // From 90 to 99 %, the first decimal is a tenth of the rest; below that it is noise.
        if rest > 0.0 && rest < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
    } else if rest < 0.001 {
        ">99.99 %".to_owned()
    } else if rest < 0.01 {
        format!("{percent:.3} %")
    } else {
        // Truncate, so that 99.996 % does not become 100.00 %.
        format!("{:.2} %", (percent * 100.0).floor() / 100.0)
    }
}

/// A factor: `1.00`, `3.05`, `12.3`, with a multiplication sign.
#[must_use]
pub fn factor(value: f64) -> String {
    if value.is_finite() { format!("×{}", significant(value)) } else { UNKNOWN.to_owned() }
}

/// A number of bytes, in powers of 1000: `512 B`, `1.50 MB`.
#[must_use]
pub fn size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    if !bytes.is_finite() {
        return UNKNOWN.to_owned();
    }
    let mut value = bytes.abs();
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 { format!("{value:.0}") } else { significant(value) };
    format!("{digits} {}", UNITS[unit])
}

/// The text of a figure that may be unknown.
#[must_use]
pub fn or_unknown(value: Option<f64>, text: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), text)
}

/// Shortens a name that is too long in the middle, where names differ least: `checkout…replica`.
#[must_use]
pub fn shortened(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    if width < 3 {
        return name.chars().take(width).collect();
    }
    let head = (width - 1).div_ceil(2);
    let tail = width - 1 - head;
    let start: String = name.chars().take(head).collect();
    let end: String = name.chars().skip(length - tail).collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_times_carry_three_digits_and_the_fitting_unit() {
        let cases = [
            (0.0, "0 s"),
            (3.5e-7, "350 ns"),
            (9.999e-7, "1.00 µs"),
            (1.23e-5, "12.3 µs"),
            (0.00123, "1.23 ms"),
            (0.0999, "99.9 ms"),
            (0.9996, "1.00 s"),
            (9.999, "10.0 s"),
            (59.96, "60.0 s"),
            (125.0, "2m5s"),
            (7200.0, "2h"),
            (-0.002, "−2.00 ms"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(time(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn instants_read_as_in_a_scenario() {
        let cases = [
            (0.0, "0s"),
            (-30.0, "-30s"),
            (90.0, "1m30s"),
            (3600.0, "1h"),
            (3661.5, "1h1m1.5s"),
            (0.25, "250ms"),
            (0.0005, "500us"),
            (59.999_999_9, "1m"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(instant(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn a_share_is_never_rounded_to_none_or_all() {
        let cases = [
            (0.0, "0 %"),
            (0.000_01, "<0.01 %"),
            (0.000_5, "0.05 %"),
            (0.049, "4.9 %"),
            (0.0996, "10 %"),
            (0.874, "87 %"),
            (0.9876, "98.8 %"),
            (0.9995, "99.95 %"),
            (0.99996, "99.996 %"),
            (0.999_999_9, ">99.99 %"),
            (1.0, "100 %"),
        ];
        for (value, expected) in cases {
            assert_eq!(share(value), expected, "{value}");
        }
    }

    #[test]
    fn quantities_and_rates_stay_short() {
        assert_eq!(quantity(0.0), "0");
        assert_eq!(quantity(0.0213), "0.021");
        assert_eq!(quantity(0.25), "0.25");
        assert_eq!(quantity(17.0), "17");
        assert_eq!(quantity(12.34), "12.3");
        assert_eq!(quantity(9876.4), "9,876");
        assert_eq!(quantity(143_000.0), "143 k");
        assert_eq!(quantity(1_200_000.0), "1.20 M");
        assert_eq!(rate(0.0), "0/s");
        assert_eq!(rate(36.12), "36.1/s");
        assert_eq!(rate(999.7), "1.00 k/s");
        assert_eq!(grouped(143_000), "143,000");
        assert_eq!(grouped(7), "7");
        assert_eq!(size(1_500_000.0), "1.50 MB");
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("api", 10), "api");
        assert_eq!(shortened("recommendation-service", 12), "recomm…rvice");
        assert_eq!(shortened("recommendation-service", 12).chars().count(), 12);
        assert_eq!(shortened("abc", 2), "ab");
    }
}

//! Values: round trips, and the messages for invalid texts.

use super::*;

fn round_trip<T: Scalar + PartialEq + std::fmt::Debug>(text: &str, value: T, written: &str) {
    let parsed = T::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    assert_eq!(parsed, value, "{text}");
    assert_eq!(parsed.format(), written, "{text}");
    assert_eq!(T::parse(written), Ok(value), "{written}");
}

fn refusal<T: Scalar + std::fmt::Debug>(text: &str) -> String {
    let error = T::parse(text).expect_err(text);
    match error.help {
        Some(help) => format!("{}; {help}", error.message),
        None => error.message,
    }
}

#[test]
fn durations_read_and_write() {
    for (text, nanoseconds, written) in [
        ("0s", 0, "0s"),
        ("7ns", 7, "7ns"),
        ("250us", 250_000, "250us"),
        ("1500us", 1_500_000, "1.5ms"),
        ("1.5s", 1_500_000_000, "1.5s"),
        ("1m30s", 90_000_000_000, "1m30s"),
        ("90s", 90_000_000_000, "1m30s"),
        ("2h", 7_200_000_000_000, "2h"),
        ("1h0.5s", 3_600_500_000_000, "1h0.5s"),
        ("1_000ms", 1_000_000_000, "1s"),
        ("18446744073709551615ns", u64::MAX, "5124095h34m33.709551615s"),
    ] {
        round_trip(text, Duration(nanoseconds), written);
    }
}

#[test]
fn every_duration_writes_back_exactly() {
    let mut nanoseconds: u64 = 1;
    for step in 0..2_000_u64 {
        nanoseconds = nanoseconds.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
        let duration = Duration(nanoseconds >> (step % 64));
        assert_eq!(Duration::parse(&duration.format()), Ok(duration));
    }
}

#[test]
fn durations_that_are_none_say_what_to_write() {
    for (text, said) in [
        ("5", "`5` has no unit; write `5ms` or `5s`"),
        ("1m30", "`1m30` has no unit; each part needs a unit, as in `1m30s`"),
        ("-5s", "a duration cannot be negative, found `-5s`"),
        ("5 s", "`5 s` has a space in it; write `5s`"),
        ("5sec", "`sec` in `5sec` is not a unit of time; write `5s`"),
        ("2min", "`min` in `2min` is not a unit of time; write `2m`"),
        ("3µs", "`µs` in `3µs` is not a unit of time; write `3us`"),
        ("1d", "`d` in `1d` is not a unit of time; write `24h`"),
        ("5x", "`x` in `5x` is not a unit of time; the units are `ns`, `us`, `ms`, `s`, `m` and `h`"),
        ("0.5ns", "`0.5ns` is finer than a nanosecond"),
        ("1s1m", "the parts of `1s1m` are not in order; write longer units first, each once, as in `1m30s`"),
        ("600y", "`y` in `600y` is not a unit of time; the units are `ns`, `us`, `ms`, `s`, `m` and `h`"),
        ("99999999h", "`99999999h` is too long: the maximum is 2^64 nanoseconds, about 584 years"),
        ("soon", "expected a duration such as `5ms` or `1m30s`, found `soon`"),
        ("", "expected a duration such as `5ms` or `1m30s`, found ``"),
        ("1m-30s", "expected a duration such as `5ms` or `1m30s`, found `1m-30s`"),
    ] {
        assert_eq!(refusal::<Duration>(text), said);
    }
}

#[test]
fn instants_may_be_negative() {
    round_trip("-10s", SignedDuration(-10_000_000_000), "-10s");
    round_trip("2m", SignedDuration(120_000_000_000), "2m");
    assert_eq!(refusal::<SignedDuration>("-10"), "`10` has no unit; write `10ms` or `10s`");
}

#[test]
fn rates_read_and_write() {
    for (text, per_second, written) in [
        ("1200/s", 1200.0, "1200/s"),
        ("30/min", 0.5, "30/min"),
        ("2M/s", 2e6, "2000k/s"),
        ("20M/s", 2e7, "20M/s"),
        ("0/s", 0.0, "0/s"),
        ("0.1k/s", 100.0, "100/s"),
        ("1/h", 1.0 / 3600.0, "1/h"),
        ("0.3/s", 0.3, "18/min"),
        ("0.123456789/s", 0.123456789, "0.123456789/s"),
    ] {
        round_trip(text, Rate(per_second), written);
    }
    for (text, said) in [
        ("1200", "`1200` has no unit; write `1200/s` or `1200/min`"),
        ("-1/s", "a rate cannot be negative, found `-1/s`"),
        ("1200rps", "expected a rate such as `1200/s`, found `1200rps`; write `1200/s`"),
        ("5/m", "expected a rate such as `1200/s`, found `5/m`; write `5/min`"),
        ("5K/s", "expected a rate such as `1200/s`, found `5K/s`; write `k` for a thousand"),
        ("1e999/s", "`1e999/s` is too large"),
    ] {
        assert_eq!(refusal::<Rate>(text), said);
    }
}

#[test]
fn every_float_amount_writes_back_exactly() {
    let mut bits: u64 = 12345;
    for step in 0..5_000_u64 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
        let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        let value = unit * 10_f64.powi((step % 19) as i32 - 9);
        assert_eq!(Rate::parse(&Rate(value).format()), Ok(Rate(value)));
        assert_eq!(Money::parse(&Money(value).format()), Ok(Money(value)));
        assert_eq!(Fraction::parse(&Fraction(unit).format()), Ok(Fraction(unit)));
        assert_eq!(f64::parse(&value.format()), Ok(value));
    }
}

#[test]
fn sizes_read_and_write() {
    for (text, bytes, written) in [
        ("512B", 512, "512B"),
        ("64KiB", 65_536, "64KiB"),
        ("2GiB", 2 << 30, "2GiB"),
        ("10MB", 10_000_000, "10MB"),
        ("1.5KiB", 1536, "1536B"),
        ("2048KiB", 2 << 20, "2MiB"),
        ("400MB", 400_000_000, "400MB"),
        ("0B", 0, "0B"),
    ] {
        round_trip(text, Size(bytes), written);
    }
    for (text, said) in [
        ("512", "`512` has no unit; write `512B`, `512KiB` or `512MiB`"),
        ("64Ki", "expected a size such as `64KiB`, found `64Ki`; write `64KiB` (1024) or `64KB` (1000)"),
        ("64kb", "expected a size such as `64KiB`, found `64kb`; write `64KB` (1000) or `64KiB` (1024)"),
        ("0.3B", "`0.3B` is not a whole number of bytes"),
        ("-1B", "a size cannot be negative, found `-1B`"),
        ("99999999TiB", "`99999999TiB` is too large"),
    ] {
        assert_eq!(refusal::<Size>(text), said);
    }
}

#[test]
fn bandwidths_keep_bits_and_bytes_apart() {
    round_trip("10Gb/s", Bandwidth(10_000_000_000), "10Gb/s");
    round_trip("100MB/s", Bandwidth(800_000_000), "800Mb/s");
    round_trip("1b/s", Bandwidth(1), "1b/s");
    assert_eq!(refusal::<Bandwidth>("10"), "`10` has no unit; write `10Mb/s` (bits) or `10MB/s` (bytes)");
    assert_eq!(refusal::<Bandwidth>("10Gbps"), "expected a bandwidth such as `10Gb/s`, found `10Gbps`; write `10Gb/s`");
}

#[test]
fn money_is_per_hour() {
    round_trip("0.17/h", Money(0.17), "0.17/h");
    assert_eq!(refusal::<Money>("0.17"), "`0.17` has no unit; write `0.17/h`");
}

#[test]
fn fractions_read_and_write() {
    for (text, share, written) in [
        ("0.1", 0.1, "10%"),
        ("10%", 0.1, "10%"),
        ("7%", 0.07, "7%"),
        ("0.29", 0.29, "29%"),
        ("100%", 1.0, "100%"),
        ("0", 0.0, "0%"),
        ("0.125%", 0.00125, "0.125%"),
        ("99.95%", 0.9995, "99.95%"),
    ] {
        round_trip(text, Fraction(share), written);
    }
    round_trip("250%", Percentage(2.5), "250%");
    assert_eq!(refusal::<Percentage>("2"), "`2` has no unit; write `2%`");
    assert_eq!(refusal::<Percentage>("-1%"), "a percentage cannot be negative, found `-1%`");
    assert_eq!(refusal::<Fraction>("10"), "`10` is more than 1 (100%); did you mean `10%`?");
    assert_eq!(refusal::<Fraction>("101%"), "`101%` is more than 1 (100%)");
    assert_eq!(refusal::<Fraction>("-1%"), "a fraction cannot be negative, found `-1%`");
}

#[test]
fn cores_refuse_thousandths_with_a_hint() {
    round_trip("2", Cores(2.0), "2");
    round_trip("0.5", Cores(0.5), "0.5");
    assert_eq!(refusal::<Cores>("500m"), "expected a number of cores such as `2` or `0.5`, found `500m`; write `0.5`");
    assert_eq!(refusal::<Cores>("0"), "the number of cores must be positive, found `0`");
}

#[test]
fn counts_read_and_write() {
    for (text, value) in [("10000", 10_000), ("10_000", 10_000), ("10k", 10_000), ("1.5k", 1500), ("2M", 2_000_000)] {
        round_trip(text, Count(value), &value.to_string());
    }
    for (text, said) in [
        ("1.5", "`1.5` is not a whole number"),
        ("-3", "a count cannot be negative, found `-3`"),
        ("10K", "expected a whole number such as `20` or `10k`, found `10K`; write `k` for a thousand"),
        ("many", "expected a whole number such as `20` or `10k`, found `many`"),
        ("1__0", "expected a whole number such as `20` or `10k`, found `1__0`"),
        ("99999999999999999999", "`99999999999999999999` is too large: the maximum is 18446744073709551615"),
    ] {
        assert_eq!(refusal::<Count>(text), said);
    }
    assert_eq!(refusal::<u8>("256"), "`256` is too large: the maximum is 255");
    assert_eq!(i64::parse("-3"), Ok(-3));
}

#[test]
fn names_follow_their_rule() {
    for text in ["api", "orders-db", "a_1", "us/api"] {
        round_trip(text, Name::parse(text).expect(text), text);
    }
    let name = Name::parse("us/api").expect("a name");
    assert_eq!((name.cluster(), name.local()), (Some("us"), "api"));
    for text in FORBIDDEN_NAMES {
        assert!(Name::parse(text).is_err(), "{text}");
        assert!(Name::parse(&format!("us/{text}")).is_err(), "{text}");
    }
    for (text, said) in [
        ("no", "`no` cannot be a name; some YAML readers take it for true, false or null"),
        (
            "Orders DB",
            "`Orders DB` is not a name; a name starts with a lower-case letter, followed by lower-case letters, digits, \
             `_` and `-`: `orders-db`",
        ),
        ("a/b/c", "`a/b/c` has two `/`; a name has at most a cluster and a component"),
    ] {
        assert_eq!(refusal::<Name>(text), said);
    }
}

#[test]
fn priorities_are_words_or_levels() {
    round_trip("critical", Priority(0), "critical");
    round_trip("2", Priority(2), "normal");
    round_trip("9", Priority(9), "9");
    assert!(refusal::<Priority>("hihg").ends_with("did you mean `high`?"));
}

#[test]
fn booleans_of_old_yaml_get_a_hint() {
    assert_eq!(refusal::<bool>("yes"), "expected `true` or `false`, found `yes`; write `true`");
    assert_eq!(bool::parse("false"), Ok(false));
}

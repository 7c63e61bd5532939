//! Dates in recorded requests: those of access logs, `10/Oct/2000:13:55:36 -0700`, and those of ISO 8601, `2000-10-10T13:55:36.5-07:00`.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Nanoseconds since the beginning of 1970 (UTC); `None` if it is no date in one of these forms, or in a year beyond 1900 to 2200.
pub fn nanoseconds(text: &str) -> Option<i128> {
    let text = text.trim();
    let (date, clock) = if text.contains('/') { text.split_once(':')? } else { text.split_once(['T', 't', ' '])? };
    let (year, month, day) = if text.contains('/') {
        let mut parts = date.split('/');
        let day = number(parts.next()?, 2)?;
        let name = parts.next()?;
        let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
        (number(parts.next()?, 4)?, month, day)
    } else {
        let mut parts = date.split('-');
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?)
    };
    if !(1900..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (clock, east_s) = zone(clock.trim())?;
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let (hour, minute, second) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if hour > 23 || minute > 59 || second > 60 || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: i128 = digits.parse().ok()?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - east_s;
    Some(i128::from(seconds) * 1_000_000_000 + nanoseconds)
}

/// A number of so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The time without its zone, and by how many seconds the zone is ahead of UTC, which it is where none is written.
fn zone(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = clock.rfind(['+', '-']) else { return Some((clock, 0)) };
    let (clock, zone) = clock.split_at(at);
    let digits: String = zone[1..].chars().filter(|character| *character != ':').collect();
    let (hours, minutes) = (number(digits.get(..2)?, 2)?, if digits.len() == 2 { 0 } else { number(&digits[2..], 2)? });
    let ahead = hours * 3_600 + minutes * 60;
    Some((clock.trim_end(), if zone.starts_with('-') { -ahead } else { ahead }))
}

/// Days from the first of January 1970 to a day of the Gregorian calendar: 365 a year, one more for each fourth year but those that
/// end centuries of which the number is no multiple of four. Years begin in March, so that the added day is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = 365 * year + year / 4 - year / 100 + year / 400;
    // From March on the months' first days lie (153·m + 2) ÷ 5 days from the year's.
    let of_months = (153 * month + 2) / 5;
    of_years + of_months + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted_from_1970() {
        let seconds = |text: &str| nanoseconds(text).map(|at| at as f64 / 1e9);
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(seconds("2000-03-01 00:00:00"), Some(951_868_800.0));
        assert_eq!(seconds("10/Oct/2000:13:55:36 -0700"), Some(971_211_336.0));
        assert_eq!(seconds("2000-10-10T20:55:36.5+00:00"), Some(971_211_336.5));
        assert_eq!(seconds("2000-10-10T22:55:36,25+02"), Some(971_211_336.25));
        assert_eq!(seconds("1969-12-31T23:59:59Z"), Some(-1.0));
        // Every day of four centuries follows the one before.
        let mut last = days(1899, 12, 31);
        for year in 1900..2300 {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            for (month, length) in
                [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate()
            {
                for day in 1..=length {
                    let next = days(year, month as i64 + 1, day);
                    assert_eq!(next, last + 1, "{year} {month} {day}");
                    last = next;
                }
            }
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "5",
            "1.5s",
            "2000-13-01T00:00:00",
            "32/Oct/2000:00:00:00",
            "10/Okt/2000:00:00:00 +0000",
            "2000-10-10",
            "2000-10-10T1:2:3",
            "2000-10-10T01:02:03.",
            "2000-10-10T24:00:00",
        ] {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }
}

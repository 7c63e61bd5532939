//! Formats figures for a dashboard: three significant digits, a unit, as narrow as possible.

use lab::result::Snapshot;

/// A number with k, M or G: `0`, `7`, `432`, `1.23k`, `45.6k`, `1.2M`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !size.is_finite() {
        return "–".into();
    }
    for (limit, divisor, unit) in [(999.5, 1.0, ""), (999_500.0, 1e3, "k"), (999.5e6, 1e6, "M"), (999.5e9, 1e9, "G")] {
        if size < limit {
            return format!("{}{unit}", digits(value / divisor, divisor > 1.0));
        }
    }
    format!("{:.1e}", value)
}

fn digits(value: f64, scaled: bool) -> String {
    let size = value.abs();
    let text = match size {
        _ if size >= 99.95 => format!("{value:.0}"),
        _ if size >= 9.995 => format!("{value:.1}"),
        _ if scaled || size >= 0.0995 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// Bytes in powers of 1000: `1.5 GB`.
pub fn bytes(value: u64) -> String {
    let (unit, size) = match value {
        0..1_000 => ("B", 1.0),
        1_000..1_000_000 => ("KB", 1e3),
        1_000_000..1_000_000_000 => ("MB", 1e6),
        1_000_000_000..1_000_000_000_000 => ("GB", 1e9),
        _ => ("TB", 1e12),
    };
    format!("{} {unit}", number(value as f64 / size))
}

/// A count, without unit.
pub fn count(value: u64) -> String {
    number(value as f64)
}

/// A rate: `1.23k/s`.
pub fn rate(value: f64) -> String {
    format!("{}/s", number(value))
}

/// A share as a percentage: `0 %`, `0.3 %`, `72 %`, `100 %`. Never rounded up to 100 %.
pub fn share(value: f64) -> String {
    let percent = value * 100.0;
    if !percent.is_finite() {
        return "–".into();
    }
    match percent {
        _ if percent <= 0.0 => "0 %".into(),
        _ if percent < 0.1 => "<0.1 %".into(),
        _ if percent < 9.95 => {
            let digits = digits(percent, true);
            format!("{} %", digits.get(..3).unwrap_or(&digits).trim_end_matches('.'))
        }
        _ if percent < 100.0 => format!("{:.0} %", percent.min(99.0)),
        _ => format!("{percent:.0} %"),
    }
}

/// A duration: `730 ns`, `12 µs`, `8.1 ms`, `3.02 s`, `2m05s`.
pub fn seconds(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !size.is_finite() => "–".into(),
        _ if size == 0.0 => "0 s".into(),
        _ if size < 999.5e-9 => format!("{} ns", digits(value * 1e9, true)),
        _ if size < 999.5e-6 => format!("{} µs", digits(value * 1e6, true)),
        _ if size < 0.9995 => format!("{} ms", digits(value * 1e3, true)),
        _ if size < 99.95 => format!("{} s", digits(value, true)),
        _ => {
            let whole = value.round() as i64;
            format!("{}m{:02}s", whole / 60, (whole % 60).abs())
        }
    }
}

/// A duration, or a dash if unknown.
pub fn seconds_or_dash(value: Option<f64>) -> String {
    value.map_or("–".into(), seconds)
}

/// An instant of the run: `-0:05.0`, `1:12.3`, `1:02:03.0`.
pub fn clock(at_s: f64) -> String {
    clock_by(at_s, 1)
}

/// The same, with the precision that steps of this length need: `1:12.34` for steps of 10 ms.
pub fn clock_of_steps(at_s: f64, step_ns: i64) -> String {
    const FINEST: u32 = 9;
    let is_whole = |digits: &u32| step_ns % 10_i64.pow(FINEST - digits) == 0;
    clock_by(at_s, (1..FINEST).find(is_whole).unwrap_or(FINEST))
}

/// The same, with this many decimals of a second.
fn clock_by(at_s: f64, digits: u32) -> String {
    let unit = 10_u64.pow(digits);
    let parts = (at_s.abs() * unit as f64).round() as u64;
    let sign = if at_s < 0.0 && parts > 0 { "-" } else { "" };
    let (seconds, rest) = (parts / unit, parts % unit);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let width = digits as usize;
    match hours {
        0 => format!("{sign}{minutes}:{seconds:02}.{rest:0width$}"),
        _ => format!("{sign}{hours}:{minutes:02}:{seconds:02}.{rest:0width$}"),
    }
}

/// An instant to the second, or to the tenth if it is not a whole second: `1:12`.
pub fn clock_short(at_s: f64) -> String {
    let text = clock(at_s);
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

/// The smallest round distance between labels of a time axis that is at least `least_s`, s.
pub fn clock_step(least_s: f64) -> f64 {
    const ROUND: [f64; 18] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
        21_600.0,
    ];
    let days = || 43_200.0 * (least_s / 43_200.0).ceil().max(1.0);
    ROUND.into_iter().find(|step| *step >= least_s).unwrap_or_else(days)
}

/// The newest value of a column of the series as the screen shows it; the unit in the name of a time may be omitted. Queue
/// lengths are those of this instant, as in the boxes, instead of the mean of a window.
pub fn of_column(snapshot: &Snapshot, name: &str) -> String {
    let node = name.strip_prefix("components.").and_then(|name| name.strip_suffix(".queue.depth"));
    let place = node.and_then(|node| snapshot.topology.nodes.iter().position(|it| it.name == node));
    if let Some(now) = place.and_then(|place| snapshot.nodes.get(place)) {
        return count(now.queue);
    }
    let series = &snapshot.series;
    let in_seconds = format!("{name}_s");
    let (name, value) = match series.last(name) {
        Some(value) => (name, Some(value)),
        None => (in_seconds.as_str(), series.last(&in_seconds)),
    };
    let Some(value) = value else { return "–".into() };
    match name.rsplit('.').next().unwrap_or_default() {
        metric if metric.ends_with("_s") => seconds(value),
        "sent" | "goodput" | "failed" | "arrivals" | "completed" | "attempts" | "retries" => rate(value),
        "utilization" | "wasted_work" | "hit_ratio" => share(value),
        "amplification" => factor(value),
        _ => number(value.round()),
    }
}

/// A factor: `×3.2`, `×41`.
pub fn factor(value: f64) -> String {
    match value {
        _ if !value.is_finite() => "×∞".into(),
        _ if value < 9.95 => format!("×{value:.1}"),
        _ => format!("×{}", number(value.round())),
    }
}

/// Shortens a name to a width in the middle, since both ends help to identify it.
pub fn shorten(name: &str, width: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= width {
        return name.into();
    }
    match width {
        0 => String::new(),
        1 => "…".into(),
        _ => {
            let tail = (width - 1) / 2;
            let head = width - 1 - tail;
            letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect()
        }
    }
}

/// A horizontal bar in eighths of a cell: `███▌    `.
pub fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    let mut eighths = (share * width as f64 * 8.0).round() as usize;
    if share > 0.0 {
        eighths = eighths.max(1);
    }
    (0..width)
        .map(|cell| match eighths.saturating_sub(cell * 8) {
            full if full >= 8 => '█',
            part => EIGHTHS[part],
        })
        .collect()
}

/// A vertical bar in eighths of one cell.
pub fn block(share: f64) -> char {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    let eighths = (share * 8.0).round() as usize;
    EIGHTHS[if share > 0.0 { eighths.max(1) } else { 0 }]
}

/// The level of a queue without a bound on a logarithmic scale from 0 to 100,000.
pub fn unbounded_level(waiting: u64) -> f64 {
    ((waiting as f64 + 1.0).log10() / 5.0).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let numbers = [0.0, 0.05, 7.0, 99.96, 432.4, 999.6, 1234.0, 45_600.0, 1.2e6, 3e9, f64::NAN];
        let written: Vec<String> = numbers.into_iter().map(number).collect();
        assert_eq!(written, ["0", "0.05", "7", "100", "432", "1k", "1.23k", "45.6k", "1.2M", "3G", "–"]);
        let times: Vec<String> = [0.0, 7.3e-7, 1.2e-5, 0.0081, 3.019, 125.0].into_iter().map(seconds).collect();
        assert_eq!(times, ["0 s", "730 ns", "12 µs", "8.1 ms", "3.02 s", "2m05s"]);
    }

    #[test]
    fn a_share_below_one_is_never_written_as_all() {
        let written: Vec<String> = [0.0, 0.0001, 0.034, 0.05, 0.72, 0.999, 1.0, 1.5].into_iter().map(share).collect();
        assert_eq!(written, ["0 %", "<0.1 %", "3.4 %", "5 %", "72 %", "99 %", "100 %", "150 %"]);
    }

    #[test]
    fn clocks_count_from_the_end_of_the_warm_up() {
        assert_eq!(
            [clock(72.34), clock(-5.0), clock(3723.0), clock(-0.01)],
            ["1:12.3", "-0:05.0", "1:02:03.0", "0:00.0"]
        );
        assert_eq!([clock_short(60.0), clock_short(60.5)], ["1:00", "1:00.5"]);
        let by = |step_ns| clock_of_steps(72.345_678_9, step_ns);
        assert_eq!([by(1_000_000_000), by(500_000_000), by(10_000_000)], ["1:12.3", "1:12.3", "1:12.35"]);
        assert_eq!([by(25_000_000), by(1_000), by(1)], ["1:12.346", "1:12.345679", "1:12.345678900"]);
    }

    #[test]
    fn labels_of_a_time_axis_stand_at_round_instants() {
        let steps = [0.01, 0.3, 7.0, 31.0, 61.0, 4000.0, 30_000.0, 100_000.0].map(clock_step);
        assert_eq!(steps, [0.1, 0.5, 10.0, 60.0, 120.0, 7200.0, 43_200.0, 129_600.0]);
    }

    #[test]
    fn bars_show_something_as_soon_as_there_is_something() {
        assert_eq!([bar(0.0, 4), bar(0.001, 4), bar(0.5, 4), bar(9.0, 4)], ["    ", "▏   ", "██  ", "████"]);
        assert_eq!([block(0.0), block(0.001), block(1.0), block(f64::NAN)], [' ', '▁', '█', ' ']);
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("eu-west/checkout-db", 9), "eu-w…t-db");
        assert_eq!([shorten("api", 3), shorten("api", 1), shorten("api", 0)], ["api", "…", ""]);
    }
}

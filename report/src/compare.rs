//! A comparison as text and as a page, with sentences about the real differences.

use lab::compare::{Compared, ComparedMetric, Course};
use lab::result::FaultWindow;
use language::diagnostics::shown;

use crate::charts::{Axis, Band, BarGroup, Chart, ChartError, Kind, Line, NamedChart, Point, Size};
use crate::figures;
use crate::findings::{Finding, Severity};
use crate::html::{Block, Origin, Page, Section, Table, TableCell, TableColumn, origin, page};
use crate::text::aligned;
use crate::{over_time, units, words};

/// The table for a terminal, and its conclusions in sentences.
#[must_use]
pub fn text(compared: &Compared) -> String {
    let variants = compared.variants.iter().map(|name| shown(name).into_owned()).collect();
    let compared = &Compared { variants, ..compared.clone() };
    let mut heading = vec!["metric".to_owned()];
    heading.extend(compared.variants.iter().cloned());
    let rows: Vec<Vec<String>> = compared
        .metrics
        .iter()
        .map(|metric| {
            let cells =
                (0..compared.variants.len()).map(|variant| cell(metric, variant, compared.replications as usize));
            std::iter::once(metric.name.clone()).chain(cells).collect()
        })
        .collect();
    let mut text = aligned(&heading, &rows);
    text.push_str(&format!("\n  {}\n\n", conditions(compared)));
    if compared.cut_short {
        text.push_str(&format!("Cut short: the figures cover the {} completed runs of each.\n", compared.replications));
    }
    for sentence in sentences(compared) {
        text.push_str(&format!("{sentence}\n"));
    }
    if let Some((heading, rows)) = matrix(compared) {
        text.push_str(&format!("\nObjectives, and in how many of {} runs each holds\n\n", compared.replications));
        text.push_str(&aligned(&heading, &rows));
    }
    text
}

/// Variants by objectives: the number of runs in which each objective holds; `None` if the scenario has no objectives. The
/// table of metrics has the same figures in one column per variant; with many variants this one is easier to read.
fn matrix(compared: &Compared) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let judged: Vec<(&str, &ComparedMetric)> = compared
        .metrics
        .iter()
        .filter_map(|metric| Some((metric.name.strip_prefix("objectives.")?, metric)))
        .filter(|(_, metric)| lab::metrics::is_event(&metric.name))
        .collect();
    if judged.is_empty() {
        return None;
    }
    let heading = std::iter::once("variant".to_owned()).chain(judged.iter().map(|(name, _)| shown(name).into_owned()));
    let row = |(variant, name): (usize, &String)| {
        let held = judged.iter().map(|(_, metric)| match metric.intervals[variant].as_ref() {
            Some(interval) => units::quantity((interval.mean * interval.n as f64).round()),
            None => units::UNKNOWN.to_owned(),
        });
        std::iter::once(name.clone()).chain(held).collect()
    };
    Some((heading.collect(), compared.variants.iter().enumerate().map(row).collect()))
}

fn cell(metric: &ComparedMetric, variant: usize, runs: usize) -> String {
    let real = variant > 0 && metric.differences[variant - 1].is_some_and(|difference| difference.real);
    let interval = metric.intervals[variant].as_ref();
    let infinite = metric.infinite.get(variant).copied().unwrap_or(0);
    let text = match interval {
        _ if infinite > 0 => format!("infinite in {infinite}"),
        Some(interval) if lab::metrics::is_event(&metric.name) => {
            // A count of runs, not a mean with an interval.
            let happened = (interval.mean * interval.n as f64).round();
            format!("{} of {}", units::quantity(happened), interval.n)
        }
        Some(interval) if interval.n < runs => {
            format!("{} (in {} of {runs})", figures::interval(Some(interval), metric.unit), interval.n)
        }
        interval => figures::interval(interval, metric.unit),
    };
    if real { format!("{text} *") } else { text }
}

fn conditions(compared: &Compared) -> String {
    format!(
        "{} runs of each under common random numbers, seed {}; ± is the half-width of the {} interval; * is a real difference from {}",
        compared.replications,
        compared.seed,
        figures::confidence(compared.confidence),
        compared.variants.first().map_or("", String::as_str),
    )
}

/// One sentence for each variant about its real changes.
#[must_use]
pub fn sentences(compared: &Compared) -> Vec<String> {
    let base = compared.variants.first().map_or("", String::as_str);
    let of = |(index, name): (usize, &String)| {
        let real = compared.metrics.iter().filter_map(|metric| {
            let difference = metric.differences[index].filter(|difference| difference.real)?;
            let mean = difference.paired.difference.mean;
            let relative = match difference.relative {
                Some(relative) if relative.abs() < 10.0 => format!(" ({:+.1} %)", relative * 100.0).replace('-', "−"),
                _ => String::new(),
            };
            let half = difference.paired.difference.half_width.unwrap_or(0.0);
            if lab::metrics::is_event(&metric.name) {
                let runs = difference.paired.difference.n as f64;
                let words = if mean > 0.0 { "more" } else { "fewer" };
                let count = units::quantity((mean.abs() * runs).round());
                return Some(format!("{} in {count} {words} of {runs} runs", metric.name));
            }
            let half = if half > 0.0 { format!(" ± {}", figures::figure(half, metric.unit)) } else { String::new() };
            Some(format!("{} {}{half}{relative}", metric.name, figures::change(mean, metric.unit)))
        });
        let real: Vec<String> = real.collect();
        let open = compared.metrics.iter().filter_map(|metric| {
            let runs = metric.differences[index]?.runs_needed?;
            Some(format!("{} (about {} runs would decide)", metric.name, units::grouped(u64::from(runs))))
        });
        let open: Vec<String> = open.collect();
        let open = match open.len() {
            0 => String::new(),
            _ => format!(" Undecided, the interval is wider than the difference: {}.", open.join("; ")),
        };
        match real.len() {
            0 => format!("{name} against {base}: no real difference.{open}"),
            1 => format!("{name} against {base}: one difference is real: {}.{open}", real[0]),
            n => format!("{name} against {base}: {n} differences are real: {}.{open}", real.join("; ")),
        }
    };
    compared.variants.iter().skip(1).enumerate().map(of).collect()
}

/// The comparison as JSON, with its conclusions in sentences.
#[must_use]
pub fn json(compared: &Compared) -> String {
    let mut value = serde_json::to_value(compared).unwrap_or_default();
    value["sentences"] = sentences(compared).into();
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// The sentences as findings: real differences before open questions.
fn findings(compared: &Compared) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    if compared.cut_short {
        let runs = compared.replications;
        let text = format!("Cut short: the figures cover the {runs} completed runs of each.");
        found.push(Finding::plain("compare", Severity::Warning, String::new(), text));
    }
    let note = |text: String| Finding::plain("compare", Severity::Note, String::new(), text);
    found.extend(sentences(compared).into_iter().map(note));
    found
}

/// The report as a single self-contained page.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn html(title: &str, compared: &Compared, origin: &Origin) -> Result<String, ChartError> {
    let mut columns = vec![TableColumn::words("Metric", "")];
    columns.extend(compared.variants.iter().map(|name| TableColumn::figures(name.clone(), "")));
    let row = |metric: &ComparedMetric| {
        let cells = (0..compared.variants.len()).map(|variant| TableCell {
            text: cell(metric, variant, compared.replications as usize),
            value: metric.intervals[variant].map(|interval| interval.mean),
        });
        std::iter::once(TableCell::words(metric.name.clone())).chain(cells).collect()
    };
    let rows = compared.metrics.iter().map(row).collect();
    let charts = charts(title, compared).into_iter().map(|named| Block::Chart(Box::new(named.chart)));
    let facts = format!("Seed {}, brownout {}.", compared.seed, env!("CARGO_PKG_VERSION"));
    let objectives = matrix(compared).map(|(heading, rows)| {
        let mut columns: Vec<TableColumn> = heading.into_iter().map(|name| TableColumn::figures(name, "")).collect();
        columns[0] = TableColumn::words("Variant", "");
        let rows = rows.into_iter().map(|row| row.into_iter().map(TableCell::words).collect()).collect();
        let caption = format!("In how many of {} runs each objective holds", compared.replications);
        Section { heading: "Objectives".to_owned(), blocks: vec![Block::Table(Table { caption, columns, rows })] }
    });
    page(&Page {
        title: format!("{title}: comparison"),
        subtitle: compared.variants.join(" · "),
        lead: Some(conditions(compared)),
        sections: [
            Some(Section { heading: "Findings".to_owned(), blocks: vec![Block::Findings(findings(compared))] }),
            objectives,
            Some(Section {
                heading: "Figures".to_owned(),
                blocks: vec![Block::Table(Table {
                    caption: "Mean ± half-width of the interval".to_owned(),
                    columns,
                    rows,
                })],
            }),
            Some(Section { heading: "Charts".to_owned(), blocks: charts.collect() }),
            Some(origin::section(origin, &facts, &[])),
        ]
        .into_iter()
        .flatten()
        .collect(),
        footer: format!("brownout {}", env!("CARGO_PKG_VERSION")),
    })
}

/// Maximum number of lines in one chart; more cannot be distinguished.
const COURSES_MAX: usize = 6;

/// Goodput and tail latency over time in the first run of each variant, overlaid.
fn courses(title: &str, compared: &Compared) -> Vec<NamedChart> {
    let of = |name: &str, what: &str, y: Axis, values: fn(&Course) -> &Vec<Option<f64>>| {
        let line = |(name, course): (&String, &Course)| {
            let values = values(course);
            let windows = over_time::shown(course.at_s.len().min(values.len()), |window| values[window]);
            let half = course.window_s / 2.0;
            let point = |window: usize| Point { x: course.at_s[window] + half, y: values[window], interval: None };
            Line { name: name.clone(), points: windows.into_iter().map(point).collect() }
        };
        let first = compared.courses.first();
        let bands = |one: &[FaultWindow], is_event: bool| -> Vec<Band> {
            let band = |one: &FaultWindow| Band {
                name: over_time::fault_name(one).to_owned(),
                from_s: one.at_s,
                until_s: one.until_s,
                is_event,
            };
            one.iter().map(band).collect()
        };
        let faults = first.map(|first| [bands(&first.faults, false), bands(&first.events, true)].concat());
        let all = compared.variants.len();
        let most =
            if all > COURSES_MAX { format!("; the first {COURSES_MAX} of {all} variants") } else { String::new() };
        let chart = Chart {
            title: format!("{what} over time, by variant"),
            subtitle: format!("{title}; the first run of each, seed {}{most}", compared.seed),
            x: Axis::linear("simulated time", crate::charts::Unit::Instant),
            y,
            bounds: Vec::new(),
            kind: Kind::TimeSeries {
                series: compared.variants.iter().zip(&compared.courses).take(COURSES_MAX).map(line).collect(),
                faults: faults.unwrap_or_default(),
                happenings: Vec::new(),
            },
            size: Size::default(),
        };
        NamedChart { name: name.to_owned(), chart }
    };
    if compared.courses.is_empty() {
        return Vec::new();
    }
    vec![
        of("goodput-over-time", "Goodput", Axis::linear("goodput", crate::charts::Unit::PerSecond), |it| &it.goodput),
        of("p99-over-time", "p99 latency", Axis::log("p99 latency", crate::charts::Unit::Seconds), |it| &it.p99_s),
    ]
}

/// Goodput and latency over time, and a chart for each metric.
#[must_use]
pub fn charts(title: &str, compared: &Compared) -> Vec<NamedChart> {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let named = |metric: &ComparedMetric| NamedChart {
        name: metric.name.chars().map(plain).collect(),
        chart: chart(title, compared, metric),
    };
    courses(title, compared).into_iter().chain(compared.metrics.iter().map(named)).collect()
}

fn chart(title: &str, compared: &Compared, metric: &ComparedMetric) -> Chart {
    let group = BarGroup {
        name: words::metric(&metric.name),
        values: metric.intervals.iter().map(|i| i.map(|i| i.mean)).collect(),
        intervals: metric.intervals.iter().map(|i| i.and_then(|i| figures::ends(&i, metric.unit))).collect(),
    };
    Chart {
        title: format!("{} by variant", words::capital(&words::metric(&metric.name))),
        subtitle: format!(
            "{title}; {} runs each, {} intervals",
            compared.replications,
            figures::confidence(compared.confidence)
        ),
        x: Axis::linear("variant", crate::charts::Unit::Other(String::new())),
        y: figures::metric_axis(&metric.name, metric.unit),
        bounds: Vec::new(),
        kind: Kind::Bars { categories: compared.variants.clone(), groups: vec![group] },
        size: Size::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::metrics::Unit;
    use lab::statistics::Interval;

    fn metric(name: &str, means: &[f64]) -> ComparedMetric {
        let interval = |mean: &f64| Some(Interval { mean: *mean, half_width: Some(0.0), confidence: 0.95, n: 10 });
        ComparedMetric {
            name: name.into(),
            intervals: means.iter().map(interval).collect(),
            infinite: Vec::new(),
            differences: vec![None; means.len() - 1],
            unit: Unit::Number,
        }
    }

    #[test]
    fn objectives_are_a_matrix_of_variants() {
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let mut compared = Compared {
            format: 1,
            seed: 1,
            replications: 10,
            cut_short: false,
            confidence: 0.95,
            variants: names(&["threads", "event-loop"]),
            metrics: vec![
                metric("goodput", &[100.0, 90.0]),
                metric("objectives.waiting", &[1.0, 1.0]),
                metric("objectives.computing", &[0.9, 0.0]),
            ],
            courses: Vec::new(),
        };
        let (heading, rows) = matrix(&compared).expect("there are objectives");
        assert_eq!(heading, ["variant", "waiting", "computing"]);
        assert_eq!(rows, [names(&["threads", "10", "9"]), names(&["event-loop", "10", "0"])]);
        assert!(text(&compared).contains("Objectives, and in how many of 10 runs each holds"));
        compared.metrics.truncate(1);
        assert_eq!(matrix(&compared), None);
    }
}

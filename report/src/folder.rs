//! The files of a run, a comparison or a sweep: results for programs, tables, charts, a page, and latencies as
//! HDR histograms.
//!
//! ```text
//! run      result.json  series.csv                  report.html  charts/  latency.hlog  scenario.yaml  meta.json
//! compare  compare.json                             report.html  charts/                scenarios/     meta.json
//! sweep    points.csv  points.jsonl  summary.csv    report.html  charts/  latency.hlog  scenario.yaml  meta.json
//! ```
//!
//! `scenario.yaml` has every default filled in, so that the folder is enough to repeat the run; `meta.json` records the
//! program that wrote it. `latency.hlog` is an HDR histogram log (version 2, compressed) that any HDR tool can read. It has
//! one interval per workload (in a sweep: per point and workload, over all runs of the point), tagged with the workload's
//! name, in nanoseconds at three significant digits.

use std::fmt;
use std::io::Write;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use lab::Latencies;
use lab::compare::Compared;
use lab::result::RunResult;
use lab::sweep::Swept;
use serde_json::json;

use crate::charts::{ChartError, NamedChart, png, run_charts, svg};
use crate::html::{Origin, RunPage, run_page};

/// A file of the folder.
#[derive(Clone, Debug, PartialEq)]
pub struct File<'r> {
    /// Its name, with `/` between folders.
    pub name: String,
    /// Its contents.
    content: Content<'r>,
}

/// The contents of a file.
#[derive(Clone, Debug, PartialEq)]
enum Content<'r> {
    Bytes(Vec<u8>),
    /// A result as JSON, and its time series as CSV: serialised while they are written.
    Json(&'r RunResult),
    Csv(&'r RunResult),
}

impl<'r> File<'r> {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> File<'r> {
        File { name: name.into(), content: Content::Bytes(bytes.into()) }
    }

    /// Writes the contents.
    ///
    /// # Errors
    /// Any error of the writer.
    pub fn write(&self, to: &mut dyn Write) -> std::io::Result<()> {
        match &self.content {
            Content::Bytes(bytes) => to.write_all(bytes),
            Content::Json(result) => crate::json::write(result, to),
            Content::Csv(result) => crate::csv::write(result, to),
        }
    }
}

/// Why a folder could not be made.
#[derive(Clone, Debug)]
pub enum FolderError {
    /// A chart cannot be drawn.
    Chart(ChartError),
    /// The histograms cannot be written.
    Histogram(String),
}

impl fmt::Display for FolderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FolderError::Chart(error) => error.fmt(formatter),
            FolderError::Histogram(why) => write!(formatter, "latency.hlog: {why}"),
        }
    }
}

impl std::error::Error for FolderError {}

impl From<ChartError> for FolderError {
    fn from(error: ChartError) -> Self {
        FolderError::Chart(error)
    }
}

/// The kinds of files in a folder, by the prefix of their names.
const ROLES: [(&str, &str); 13] = [
    ("result.json", "the full result as JSON"),
    ("series.csv", "the time series"),
    ("compare.json", "the full result as JSON"),
    ("points.csv", "one row per run and point"),
    ("points.jsonl", "the same as JSON lines"),
    ("summary.csv", "one row per point: means and half-widths of 95 % intervals"),
    ("charts/", "the charts, as SVG and PNG"),
    ("latency.hlog", "latencies as an HDR histogram log"),
    ("scenario.yaml", "the scenario with every default filled in"),
    ("scenarios/", "the compared scenarios, with every default filled in"),
    ("units/", "results of single runs, used to resume the sweep"),
    ("sweep.lock", "the plan of the sweep"),
    ("meta.json", "how this folder was made"),
];

/// The origin, extended by the list of files beside the page.
fn with_files(origin: &Origin, names: &[&str]) -> Origin {
    let known = ROLES.iter().filter(|(role, _)| names.contains(role));
    let files = known.map(|(name, what)| ((*name).to_owned(), (*what).to_owned())).collect();
    Origin { files, ..origin.clone() }
}

fn meta(scenario: serde_json::Value, origin: &Origin, names: &[&str]) -> File<'static> {
    let meta = json!({
        "format": 1,
        "tool": { "name": "brownout", "version": env!("CARGO_PKG_VERSION") },
        "scenario": scenario,
        "command": origin.command,
        "files": names,
    });
    File::new("meta.json", serde_json::to_string_pretty(&meta).unwrap_or_default() + "\n")
}

fn push_charts(files: &mut Vec<File<'_>>, charts: &[NamedChart]) -> Result<(), FolderError> {
    for named in charts {
        files.push(File::new(format!("charts/{}.svg", named.name), svg(&named.chart)?));
        files.push(File::new(format!("charts/{}.png", named.name), png(&named.chart, 2.0)?));
    }
    Ok(())
}

/// All files of a run. If `latencies` is empty, there is no histogram log.
///
/// # Errors
/// If a chart cannot be drawn or a latency exceeds the range of an HDR histogram.
pub fn run_files<'r>(
    result: &'r RunResult,
    origin: &Origin,
    latencies: &[Latencies],
) -> Result<Vec<File<'r>>, FolderError> {
    let mut roles = vec!["result.json", "series.csv", "charts/"];
    roles.extend((!latencies.is_empty()).then_some("latency.hlog"));
    roles.extend(["scenario.yaml", "meta.json"]);
    let page = RunPage { result, origin: &with_files(origin, &roles) };
    let mut files = vec![
        File { name: "result.json".to_owned(), content: Content::Json(result) },
        File { name: "series.csv".to_owned(), content: Content::Csv(result) },
        File::new("report.html", run_page(&page)?),
    ];
    push_charts(&mut files, &run_charts(result))?;
    if !latencies.is_empty() {
        let mut log = Vec::new();
        let seconds = result.run.duration_s;
        let tagged = latencies.iter().map(|of| {
            let middle = |bucket: &lab::LatencyBucket| (bucket.low.midpoint(bucket.high), bucket.count);
            (of.workload.clone(), of.buckets.iter().map(middle).collect())
        });
        write_histogram_log(&mut log, tagged, "one interval a workload", seconds).map_err(FolderError::Histogram)?;
        files.push(File::new("latency.hlog", log));
    }
    if let Some(resolved) = origin.scenarios.first().and_then(|source| source.resolved.clone()) {
        files.push(File::new("scenario.yaml", resolved));
    }
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let scenario = json!({
        "name": result.scenario.name,
        "source": result.scenario.source,
        "hash": result.scenario.hash,
        "seed": result.scenario.seed,
        "variant": result.scenario.variant,
    });
    let meta = meta(scenario, origin, &names);
    files.push(meta);
    Ok(files)
}

/// All files of a comparison.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn compare_files(title: &str, compared: &Compared, origin: &Origin) -> Result<Vec<File<'static>>, FolderError> {
    let named = with_files(origin, &["compare.json", "charts/", "scenarios/", "meta.json"]);
    let mut files = vec![
        File::new("report.html", crate::compare::html(title, compared, &named)?),
        File::new("compare.json", crate::compare::json(compared)),
    ];
    push_charts(&mut files, &crate::compare::charts(title, compared))?;
    for (number, source) in origin.scenarios.iter().enumerate() {
        files.push(File::new(scenario_name(number, &source.name), source.resolved.clone().unwrap_or_default()));
    }
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let meta = meta(json!({ "name": title, "seed": compared.seed, "variants": compared.variants }), origin, &names);
    files.push(meta);
    Ok(files)
}

/// The file name of a compared scenario. The number distinguishes names that differ only in characters that file names
/// cannot have.
#[must_use]
pub fn scenario_name(number: usize, name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim_end_matches(".yaml");
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '-' };
    format!("scenarios/{}-{}.yaml", number + 1, name.chars().map(plain).collect::<String>())
}

/// All files of a sweep except the histogram log, which [`write_histogram_log`] writes point by point.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn sweep_files(swept: &Swept, origin: &Origin) -> Result<Vec<File<'static>>, FolderError> {
    let roles = [
        "points.csv",
        "points.jsonl",
        "summary.csv",
        "charts/",
        "latency.hlog",
        "scenario.yaml",
        "units/",
        "sweep.lock",
        "meta.json",
    ];
    let mut files = vec![
        File::new("points.csv", crate::sweep::points_csv(swept)),
        File::new("points.jsonl", crate::sweep::points_jsonl(swept)),
        File::new("summary.csv", crate::sweep::summary_csv(swept)),
        File::new("report.html", crate::sweep::html(swept, &with_files(origin, &roles))?),
    ];
    push_charts(&mut files, &crate::sweep::charts(swept))?;
    if let Some(resolved) = origin.scenarios.first().and_then(|source| source.resolved.clone()) {
        files.push(File::new("scenario.yaml", resolved));
    }
    let mut names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    names.push("latency.hlog");
    let scenario = json!({ "name": swept.name, "source": swept.source, "plan": swept.plan, "seed": swept.seed });
    let meta = meta(scenario, origin, &names);
    files.push(meta);
    Ok(files)
}

/// Writes a histogram log: for each tag, the middle (ns) and the count of each bucket. `what` describes an interval in words;
/// `seconds` is the length of each interval.
///
/// # Errors
/// In words: a value exceeds the range of an HDR histogram, or the writer fails.
pub fn write_histogram_log(
    into: &mut dyn Write,
    tagged: impl Iterator<Item = (String, Vec<(u64, u64)>)>,
    what: &str,
    seconds: f64,
) -> Result<(), String> {
    let mut serializer = V2DeflateSerializer::new();
    let mut into = into;
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment(&format!("[Latencies of requests that were answered, in nanoseconds; {what}]"))
        // Simulated time has no date, so the log starts at the epoch and its bytes are reproducible.
        .with_start_time(SystemTime::UNIX_EPOCH)
        .begin_log_with(&mut into, &mut serializer)
        .map_err(|error| error.to_string())?;
    for (name, buckets) in tagged {
        let mut histogram: Histogram<u64> = Histogram::new(3).map_err(|error| error.to_string())?;
        for (middle, count) in buckets {
            histogram.record_n(middle, count).map_err(|error| error.to_string())?;
        }
        let name: String = name.replace([',', ' ', '\r', '\n'], "_");
        let tag = Tag::new(&name).ok_or_else(|| format!("`{name}` cannot be a tag"))?;
        let duration = Duration::from_secs_f64(seconds.max(0.0));
        writer
            .write_histogram(&histogram, Duration::ZERO, duration, Some(tag))
            .map_err(|error| format!("{error:?}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn a_log_reads_back_with_the_same_counts_and_percentiles() {
        let buckets: Vec<(u64, u64)> = (1..=1000).map(|n| (n * 1_000_000 + 499, 3)).collect();
        let log = || {
            let mut bytes = Vec::new();
            let tagged = [("web, users".to_owned(), buckets.clone())].into_iter();
            write_histogram_log(&mut bytes, tagged, "one", 12.5).expect("a log");
            bytes
        };
        assert_eq!(log(), log(), "the same bytes each time");
        let log = log();
        let mut read = Vec::new();
        for entry in IntervalLogIterator::new(&log) {
            let Ok(LogEntry::Interval(interval)) = entry else { continue };
            assert_eq!(interval.tag().expect("a tag").as_str(), "web__users");
            use base64::Engine;
            let coded = base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).expect("base64");
            read.push(Deserializer::new().deserialize::<u64, _>(&mut coded.as_slice()).expect("a histogram"));
        }
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].len(), 3000);
        let median = read[0].value_at_quantile(0.5) as f64;
        assert!((median / 500e6 - 1.0).abs() < 0.002, "{median}");
    }
}

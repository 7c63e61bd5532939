//! What a run leaves in a folder: the result for programs, tables, charts, a page, and latencies as HDR histograms.
//!
//! ```text
//! result.json  series.csv  report.html  charts/*.svg, *.png  latency.hlog  scenario.yaml  meta.json
//! ```
//!
//! `scenario.yaml` has every default filled in, so that the folder alone repeats the run; `meta.json` says what made it.
//! `latency.hlog` is an HDR histogram log (version 2, compressed) with one interval a workload, tagged with its name, in
//! nanoseconds at three significant digits; any HDR tool reads it.

use std::fmt;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use lab::Latencies;
use serde_json::json;

use crate::charts::{ChartError, png, run_charts, svg};
use crate::html::{RunPage, run_page};

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, with `/` between folders.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl File {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> File {
        File { name: name.into(), bytes: bytes.into() }
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

/// All files of a run. `latencies` may be empty; then there is no histogram log.
///
/// # Errors
/// If a chart cannot be drawn or a latency is beyond what an HDR histogram holds.
pub fn run_files(run: &RunPage<'_>, latencies: &[Latencies]) -> Result<Vec<File>, FolderError> {
    let result = run.result;
    let mut files = vec![
        File::new("result.json", crate::json::to_json(result)),
        File::new("series.csv", crate::csv::to_csv(result)),
        File::new("report.html", run_page(run)?),
    ];
    for named in run_charts(result) {
        files.push(File::new(format!("charts/{}.svg", named.name), svg(&named.chart)?));
        files.push(File::new(format!("charts/{}.png", named.name), png(&named.chart, 2.0)?));
    }
    if !latencies.is_empty() {
        let log = histogram_log(latencies, result.run.duration_s).map_err(FolderError::Histogram)?;
        files.push(File::new("latency.hlog", log));
    }
    if let Some(resolved) = run.resolved {
        files.push(File::new("scenario.yaml", resolved));
    }
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let meta = json!({
        "format": result.format,
        "tool": { "name": result.tool.name, "version": result.tool.version },
        "scenario": {
            "name": result.scenario.name,
            "source": result.scenario.source,
            "hash": result.scenario.hash,
            "seed": result.scenario.seed,
            "variant": result.scenario.variant,
        },
        "command": run.command,
        "files": names,
    });
    let text = serde_json::to_string_pretty(&meta).unwrap_or_default() + "\n";
    files.push(File::new("meta.json", text));
    Ok(files)
}

fn histogram_log(latencies: &[Latencies], duration_s: f64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[Latencies of requests that were answered, in nanoseconds; one interval a workload]")
        // Simulated time has no date: it begins where the clock of the format does, and so the bytes are always the same.
        .with_start_time(SystemTime::UNIX_EPOCH)
        .begin_log_with(&mut bytes, &mut serializer)
        .map_err(|error| error.to_string())?;
    for of_workload in latencies {
        let mut histogram: Histogram<u64> = Histogram::new(3).map_err(|error| error.to_string())?;
        for bucket in &of_workload.buckets {
            let middle = bucket.low + (bucket.high - bucket.low) / 2;
            histogram.record_n(middle, bucket.count).map_err(|error| error.to_string())?;
        }
        let name: String = of_workload.workload.replace([',', ' ', '\r', '\n'], "_");
        let tag = Tag::new(&name).ok_or_else(|| format!("`{name}` cannot be a tag"))?;
        let duration = Duration::from_secs_f64(duration_s.max(0.0));
        writer
            .write_histogram(&histogram, Duration::ZERO, duration, Some(tag))
            .map_err(|error| format!("{error:?}"))?;
    }
    drop(writer);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use lab::LatencyBucket;

    use super::*;

    #[test]
    fn a_log_reads_back_with_the_same_counts_and_percentiles() {
        let buckets: Vec<LatencyBucket> =
            (1..=1000u64).map(|n| LatencyBucket { low: n * 1_000_000, high: n * 1_000_000 + 999, count: 3 }).collect();
        let latencies = [Latencies { workload: "web, users".into(), buckets }];
        let log = histogram_log(&latencies, 12.5).expect("a log");
        assert_eq!(log, histogram_log(&latencies, 12.5).expect("a log"), "the same bytes each time");
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

//! Replications: repeats a scenario with different random numbers, on all cores.
//!
//! Replication 0 runs under the scenario's seed, the others under hashes of that seed and their number. Results are
//! collected by number, so they depend neither on the number of threads nor on their order. With `run.precision`,
//! replications are added in rounds of a fixed size until the figure is precise enough.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use models::scenario::{PrecisionSettings, WarmupSettings};
use sim_core::Span;
use sim_core::random::{hash, replication_seed};

use crate::breakdown;
use crate::intervals::{self, Sample};
use crate::metrics::{self, Metric, Unit};
use crate::objectives;
use crate::result::{Breakdown, Replications, RunResult, Series, Table};
use crate::session::{Failure, Session};
use crate::statistics::{self, Interval};
use language::Loaded;

/// Confidence level of intervals, unless `run.precision` sets another.
pub const CONFIDENCE: f64 = 0.95;
/// Default number of replications where several are needed.
pub const REPLICATIONS: u32 = 10;
/// Replications added per round while a figure is not precise enough.
const ROUND: u32 = 5;

/// Events between two checks of whether a run should stop: a check every few hundredths of a second.
pub const EVENTS_BETWEEN_LOOKS: u64 = 50_000;

/// Why a run has no result.
#[derive(Clone, Debug, PartialEq)]
pub enum Stopped {
    /// It was interrupted.
    Cut,
    /// It failed; the reason, in words.
    Failed(String),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Stopped::Failed(failure.to_string())
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stopped::Cut => f.write_str("it was cut short"),
            Stopped::Failed(why) => f.write_str(why),
        }
    }
}

/// Controls for parallel work; none of them can change a result.
pub struct Control<'a> {
    /// Number of threads; 0 for one per core.
    pub jobs: usize,
    /// Set to stop the work as soon as possible.
    pub stop: &'a AtomicBool,
    /// Called after each run with the number of runs completed and the minimum number expected.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// Runs a scenario to its end, checking `stop` every [`EVENTS_BETWEEN_LOOKS`] events.
pub fn run_once(loaded: &Arc<Loaded>, seed: u64, warmup: Span, stop: &AtomicBool) -> Result<RunResult, Stopped> {
    run_keeping(loaded, seed, warmup, Kept::Everything, stop)
}

/// Like [`run_once`], but keeps only the requested part of the time series.
pub(crate) fn run_keeping(
    loaded: &Arc<Loaded>,
    seed: u64,
    warmup: Span,
    kept: Kept,
    stop: &AtomicBool,
) -> Result<RunResult, Stopped> {
    let mut session = run_until_told(loaded, seed, warmup, kept, stop)?;
    if session.is_finished() { Ok(session.take_result()) } else { Err(Stopped::Cut) }
}

/// How much of its time series a run keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// All columns.
    Everything,
    /// Only the columns needed by objectives and by the figures of the whole run.
    Asked,
}

/// Runs a scenario to its end, or until it is told to stop.
pub(crate) fn run_until_told(
    loaded: &Arc<Loaded>,
    seed: u64,
    warmup: Span,
    kept: Kept,
    stop: &AtomicBool,
) -> Result<Session, Stopped> {
    let run = || {
        let mut session = Session::new(loaded.clone(), seed, Some(warmup));
        if kept == Kept::Asked {
            session.keep_only_asked();
        }
        while !session.is_finished() && !stop.load(Ordering::Relaxed) {
            session.run_some(EVENTS_BETWEEN_LOOKS)?;
        }
        Ok(session)
    };
    // A bug in one run must not bring down the others.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| t.to_string())).unwrap_or_default();
        Err(Stopped::Failed(format!("a bug of brownout, please report it: {text}")))
    })
}

/// The warm-up of a scenario: as written, or as found for `warmup: auto`. A pilot run with its own seed starts empty;
/// MSER-5 cuts each workload's median latency and the number of calls under way, and the longest cut, rounded to a
/// window border, becomes the warm-up.
pub fn warmup(loaded: &Arc<Loaded>, seed: u64, stop: &AtomicBool) -> Result<Span, Stopped> {
    let scenario = &loaded.scenario;
    let WarmupSettings::For(span) = scenario.run.warmup else {
        let pilot = run_once(loaded, hash(seed, "warm-up pilot"), 0, stop)?;
        let windows = windows_to_cut(&pilot.series).ok_or_else(|| {
            Stopped::Failed(format!(
                "`warmup: auto` finds no steady state in a pilot run of {} windows: lengthen `run.duration`, narrow \
                 `run.window` (50 windows are the least), or write the warm-up",
                pilot.series.at_s.len()
            ))
        })?;
        return Ok(windows as Span * scenario.window());
    };
    Ok(span.0)
}

fn windows_to_cut(series: &Series) -> Option<usize> {
    let windows = series.at_s.len();
    let mut together = vec![0.0; windows];
    let mut cut = 0;
    for (name, column) in &series.columns {
        if name.starts_with("components.") && name.ends_with(".in_flight") {
            together.iter_mut().zip(column).for_each(|(sum, value)| *sum += value.unwrap_or(0.0));
        }
        if name.starts_with("workloads.") && name.ends_with(".latency.p50_s") {
            // A window without an answer has no value; repeat that of the window before.
            let mut last = 0.0;
            let mut filled = Vec::with_capacity(windows);
            for value in column {
                last = value.unwrap_or(last);
                filled.push(last);
            }
            cut = cut.max(statistics::mser5(&filled)?);
        }
    }
    Some(cut.max(statistics::mser5(&together)?))
}

/// Does `count` pieces of work on several threads, in the given order, and returns the results by number; `None` for work
/// not done because `stop` was set.
pub fn in_parallel<T: Send>(
    order: &[usize],
    control: &Control<'_>,
    work: impl Fn(usize) -> T + Sync,
) -> BTreeMap<usize, T> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    let worker = || {
        while let Some(number) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if control.stop.load(Ordering::Relaxed) {
                return;
            }
            let result = work(*number);
            results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(*number, result);
            (control.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, order.len());
        }
    };
    match rayon::ThreadPoolBuilder::new().num_threads(threads(control.jobs, order.len())).build() {
        Ok(pool) => {
            pool.broadcast(|_| worker());
        }
        // If no thread can be started, the work runs on this one: slower, but with the same results.
        Err(_) => worker(),
    }
    results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Number of threads for work in `parts` parts: as requested, or one per core, but never more than are useful.
fn threads(jobs: usize, parts: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = if jobs == 0 { cores } else { jobs };
    wanted.min(parts).min(4 * cores).max(1)
}

/// Several runs of one scenario.
#[derive(Clone, Debug)]
pub struct Replicated {
    /// Results by replication number; only replication 0 keeps its time series.
    pub results: Vec<RunResult>,
    /// The warm-up used by all runs, ns.
    pub warmup: Span,
    /// Confidence level of the intervals.
    pub confidence: f64,
    /// Why the precision asked for by `run.precision` was not reached, in words.
    pub not_reached: Option<String>,
    /// True if `stop` was set before all runs had ended; the results are then those of the completed runs, or, if there are
    /// none, the partial result of the first.
    pub cut: bool,
}

/// Runs a scenario `replications` times, or until `run.precision` is reached if the scenario has it. When told to stop,
/// returns the results so far, or `Cut` if nothing has been measured yet.
pub fn replicate(loaded: &Arc<Loaded>, replications: u32, control: &Control<'_>) -> Result<Replicated, Stopped> {
    let seed = loaded.scenario.seed;
    let warmup = warmup(loaded, seed, control.stop)?;
    let precision = loaded.scenario.run.precision.as_ref();
    let first = match precision {
        Some(precision) => replications.max(REPLICATIONS).min(precision.max),
        None => replications,
    };
    let mut replicated = Replicated {
        results: Vec::new(),
        warmup,
        confidence: precision.map_or(CONFIDENCE, |p| p.confidence.0),
        not_reached: None,
        cut: false,
    };
    let whole = replicated.add(loaded, first, control).and_then(|()| match precision {
        Some(precision) => replicated.until_narrow(loaded, precision, control),
        None => Ok(()),
    });
    match whole {
        Err(Stopped::Cut) if !replicated.results.is_empty() => replicated.cut = true,
        other => other?,
    }
    Ok(replicated)
}

impl Replicated {
    /// Runs `more` further replications.
    pub fn add(&mut self, loaded: &Arc<Loaded>, more: u32, control: &Control<'_>) -> Result<(), Stopped> {
        let base = loaded.scenario.seed;
        let from = self.results.len();
        let numbers: Vec<usize> = (from..from + more as usize).collect();
        let warmup = self.warmup;
        let results = in_parallel(&numbers, control, |number| {
            let seed = replication_seed(base, number as u32);
            let kept = if number > 0 { Kept::Asked } else { Kept::Everything };
            let mut session = run_until_told(loaded, seed, warmup, kept, control.stop)?;
            let mut result = session.take_result();
            if number > 0 {
                result.series = Series::default();
            }
            Ok(result)
        });
        let cut = results.len() < numbers.len() || results.values().any(|r| r.as_ref().is_ok_and(|r| !r.run.finished));
        let mut begun = None;
        for (number, result) in results {
            let result = result.map_err(|why| match why {
                Stopped::Failed(text) => Stopped::Failed(format!("replication {number}: {text}")),
                cut => cut,
            })?;
            if result.run.finished {
                self.results.push(result);
            } else if number == 0 {
                begun = Some(result);
            }
        }
        // If no run has ended, use the partial result of the first.
        if self.results.is_empty() {
            self.results.extend(begun);
        }
        if cut { Err(Stopped::Cut) } else { Ok(()) }
    }

    fn until_narrow(
        &mut self,
        loaded: &Arc<Loaded>,
        precision: &PrecisionSettings,
        control: &Control<'_>,
    ) -> Result<(), Stopped> {
        let metric = precision.metric.value.as_str();
        let Some(first) = self.results.first() else { return Ok(()) };
        metrics::find(first, metric).map_err(|why| Stopped::Failed(format!("run.precision: {why}")))?;
        loop {
            let interval = self.interval(metric);
            if interval.is_some_and(|interval| interval.is_within(precision.relative.0)) {
                return Ok(());
            }
            let room = precision.max.saturating_sub(self.results.len() as u32);
            if room == 0 {
                let wide = interval.and_then(|i| i.half_width.map(|half| half / i.mean.abs() * 100.0));
                self.not_reached = Some(format!(
                    "{metric} is not as precise as asked after {} replications: ± {:.1} % instead of {} %",
                    precision.max,
                    wide.unwrap_or(f64::INFINITY),
                    precision.relative.0 * 100.0
                ));
                return Ok(());
            }
            self.add(loaded, room.min(ROUND), control)?;
        }
    }

    /// The values of a metric: one per replication in which it is known.
    pub fn values(&self, metric: &str) -> Vec<f64> {
        self.results.iter().filter_map(|result| metrics::value(result, metric).ok().flatten()).collect()
    }

    /// The interval of a metric.
    pub fn interval(&self, metric: &str) -> Option<Interval> {
        intervals::of(metric, &self.samples(metric), self.confidence)
    }

    /// The metric's sample from each run.
    pub(crate) fn samples(&self, metric: &str) -> Vec<Sample> {
        self.results.iter().map(|result| Sample::of(result, metric)).collect()
    }

    /// The intervals of every metric.
    pub fn intervals(&self) -> Table<Interval> {
        let runs: Vec<Vec<Metric>> = self.results.iter().map(metrics::all).collect();
        let mut samples: Table<Vec<Sample>> = Table::new();
        for (metrics, result) in runs.iter().zip(&self.results) {
            for metric in metrics {
                let samples = samples.entry(metric.name.clone()).or_default();
                samples.push(Sample::new(metric, result));
            }
        }
        let interval = |name: &str, samples: &[Sample]| intervals::of(name, samples, self.confidence);
        samples.iter().filter_map(|(name, samples)| Some((name.clone(), interval(name, samples)?))).collect()
    }

    /// The result of replication 0, with the intervals, objectives and breakdowns of all replications.
    pub fn result(&self) -> Option<RunResult> {
        let mut result = self.results.first()?.clone();
        if self.results.len() > 1 {
            result.objectives = objectives::over_replications(&self.results, self.confidence);
            result.verdict = objectives::verdict(&result.objectives);
            for (name, workload) in &mut result.workloads {
                let of = |run: &'_ RunResult| run.workloads.get(name).map(|workload| workload.breakdown.clone());
                let all: Vec<Breakdown> = self.results.iter().filter_map(of).collect();
                workload.breakdown = breakdown::mean_of(&all.iter().collect::<Vec<_>>());
            }
            result.replications =
                Some(Replications { n: self.results.len(), cut_short: self.cut, intervals: self.intervals() });
            crate::trust::several_runs(&mut result);
        }
        result.warnings.extend(self.not_reached.clone());
        if self.cut && result.run.finished {
            let runs = if self.results.len() == 1 {
                "the only run".to_string()
            } else {
                format!("the {} runs", self.results.len())
            };
            result.warnings.push(format!("cut short: the figures cover {runs} that completed"));
        }
        result.run.events = self.results.iter().map(|r| r.run.events).sum();
        Some(result)
    }
}

/// The result of a scenario before anything has happened: it shows which metrics the scenario will have.
pub fn shape(loaded: &Arc<Loaded>) -> RunResult {
    Session::new(loaded.clone(), loaded.scenario.seed, Some(0)).result()
}

/// The unit of a metric; [`Unit::Number`] if the metric is unknown.
pub fn unit(result: &RunResult, metric: &str) -> Unit {
    metrics::unit(result, metric).unwrap_or(Unit::Number)
}

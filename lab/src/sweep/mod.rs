//! Sweeps: run a scenario at many points, each several times, on all cores, and resume after an interruption.
//!
//! ```text
//! scenario + sweep ── Plan: axes, points, one Loaded each ── units (point × replication)
//!                                                              │ any order, any thread, any machine
//!                     Swept: plain data, by number ◄── Store: one file a unit, named by what was run
//! ```
//!
//! A unit is a pure function of the scenario at its point and the seed. Its file name is a digest of both, so any sweep
//! that needs the unit finds it. The tables are made from the files in the order of the plan, so they have the same bytes
//! whether the units ran here, in shards on other machines, or in an earlier session.

pub mod points;
pub mod store;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use models::scenario::{ChartKind, ChartSettings, DesignSettings, SweepSettings};
use serde::{Deserialize, Serialize};
use settings::{Problem, Problems, Setting, Span, Spanned, Value};
use sim_core::random::{hash, replication_seed};

use crate::intervals;
use crate::loading::patched;
use crate::metrics::{self, Unit};
use crate::replicate::{self, Control, Kept, REPLICATIONS, Stopped};
use crate::result::{Demand, Table};
use crate::session::Latencies;
use crate::statistics::{self, Interval};
use language::axes::{self, Axis};
use language::document::{in_words, to_yaml};
use language::{Loaded, Refused};

use points::Point;
use store::Store;

/// A sweep that is ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario as it was loaded.
    pub loaded: Arc<Loaded>,
    /// The settings that vary.
    pub axes: Vec<Axis>,
    /// The points, by number.
    pub points: Vec<Point>,
    /// Replications per point.
    pub replications: u32,
    /// The metrics to keep.
    pub metrics: Vec<String>,
    /// Their units.
    pub units: Vec<Unit>,
    /// The charts requested by the scenario; `None` for the default ones.
    pub charts: Option<Vec<ChartWanted>>,
    /// Bounds that the scenario's objectives set for metrics.
    pub bounds: Vec<Bound>,
    /// Digest of what each point simulates, and the estimated work of a run. The scenarios themselves are built when they run:
    /// thousands of them would fill the memory.
    contents: Vec<u64>,
    costs: Vec<f64>,
    independent: bool,
    one_at_a_time: bool,
}

/// A chart of a sweep, as plain data.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartWanted {
    /// The path along the horizontal axis.
    pub x: String,
    /// The metric.
    pub value: String,
    /// The path that separates the lines, or the vertical axis of a heat map.
    pub group: Option<String>,
    /// The form of the chart.
    pub kind: ChartForm,
}

/// Form of a chart of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartForm {
    /// Lines with confidence intervals.
    Line,
    /// A grid of colours.
    HeatMap,
    /// Bars.
    Bars,
}

/// Result of one unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitResult {
    /// Value of each metric of the plan, by its path.
    pub values: Table<Option<f64>>,
    /// Number of events simulated.
    pub events: u64,
    /// Why the unit has no values.
    pub error: Option<String>,
    /// Latencies of the answered requests: by workload, the middle (ns) and count of each bucket.
    #[serde(default)]
    pub latencies: Table<Vec<(u64, u64)>>,
}

/// A bound that an objective of the scenario sets for a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The metric.
    pub metric: String,
    /// The objective's name.
    pub name: String,
    /// Upper or lower bound, in the metric's unit.
    pub value: f64,
    /// True for an upper bound.
    pub below: bool,
}

/// The results of a sweep, complete or partial, as plain data.
#[derive(Clone, Debug, PartialEq)]
pub struct Swept {
    /// The scenario's name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// File name without folders, or `@name`.
    pub source: String,
    /// The base seed.
    pub seed: u64,
    /// Replications per point.
    pub replications: u32,
    /// Paths of the settings that vary.
    pub axes: Vec<String>,
    /// Metrics that were kept …
    pub metrics: Vec<String>,
    /// … and their units.
    pub units: Vec<Unit>,
    /// The charts requested by the scenario; `None` for the default ones.
    pub charts: Option<Vec<ChartWanted>>,
    /// True if only one axis varied at a time.
    pub one_at_a_time: bool,
    /// Bounds that the scenario's objectives set for metrics that were kept.
    pub bounds: Vec<Bound>,
    /// Digest of the plan.
    pub plan: String,
    /// The points, by number.
    pub points: Vec<SweptPoint>,
}

/// One run of a point, reduced to what tables and charts need.
#[derive(Clone, Debug, PartialEq)]
pub struct SweptRun {
    /// The metrics, in the order of [`Swept::metrics`].
    pub values: Vec<Option<f64>>,
    /// Why the run has no values.
    pub error: Option<String>,
}

/// Results at one point.
#[derive(Clone, Debug, PartialEq)]
pub struct SweptPoint {
    /// Its number.
    pub number: usize,
    /// The value of each axis as written in the scenario.
    pub values: Vec<String>,
    /// Axes whose value differs from the scenario's own.
    pub varied: Vec<bool>,
    /// Metrics that are percentiles, whose intervals are wider than those of means.
    pub percentiles: Arc<[bool]>,
    /// The runs by replication; `None` for a run that is still missing.
    pub runs: Vec<Option<SweptRun>>,
}

impl SweptPoint {
    /// Mean and half-width of a metric, by its index, over the runs in which it is known.
    pub fn interval(&self, metric: usize) -> Option<Interval> {
        let values: Vec<f64> =
            self.runs.iter().flatten().filter_map(|run| run.values.get(metric).copied().flatten()).collect();
        match self.percentiles.get(metric) {
            Some(true) => statistics::percentile_interval(&values, None, replicate::CONFIDENCE),
            Some(false) | None => statistics::mean_interval(&values, replicate::CONFIDENCE),
        }
    }

    /// Whether a metric is unknown or infinite in some run that ended.
    pub fn is_unknown_in_some(&self, metric: usize) -> bool {
        let mut ended = self.runs.iter().flatten().filter(|run| run.error.is_none());
        ended.any(|run| run.values.get(metric).copied().flatten().is_none())
    }

    /// The ends of that interval; Wilson's, if the metric is an event whose mean is a probability. `None` for a single run.
    pub fn ends(&self, metric: usize, is_event: bool) -> Option<(f64, f64)> {
        let values = self.runs.iter().flatten().filter_map(|run| run.values.get(metric).copied().flatten());
        let values: Vec<f64> = values.collect();
        match is_event {
            true if values.len() > 1 => statistics::event_interval(&values, replicate::CONFIDENCE),
            true => None,
            false => self.interval(metric)?.ends(),
        }
    }

    /// The first error among the runs.
    pub fn error(&self) -> Option<&str> {
        self.runs.iter().flatten().find_map(|run| run.error.as_deref())
    }
}

/// Options from outside the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanOptions {
    /// Replications per point, overriding the file.
    pub replications: Option<u32>,
}

/// Plans a scenario's sweep; the error lists every problem of every point.
pub fn plan(loaded: &Arc<Loaded>, options: PlanOptions) -> Result<Plan, Refused> {
    let mut problems = Problems::new();
    let refused = |problems: Problems| Refused::new(problems.into_sorted(), loaded.sources.clone());
    let Some(settings) = &loaded.scenario.sweep else {
        let problem = Problem::error("no_sweep", Span::NOWHERE, format!("`{}` has no `sweep`", loaded.source));
        problems.push(problem.help("add `sweep: {vary: {PATH: [VALUE, …]}}`"));
        return Err(refused(problems));
    };
    let axes = axes::axes(settings, &loaded.document, &mut problems);
    let place = loaded.document.at("sweep.design").map_or(Span::NOWHERE, |node| node.span);
    let points = if problems.has_errors() {
        Vec::new()
    } else {
        points::points(&axes, settings.design, loaded.scenario.seed, place, &mut problems)
    };
    let shape = replicate::shape(loaded);
    let metrics = measured(settings, &shape, &mut problems);
    let charts = settings.charts.as_ref().map(|c| charts_wanted(c, &axes, &metrics, &mut problems));
    let (mut contents, mut costs) = (Vec::new(), Vec::new());
    for point in &points {
        match patched(loaded, &point.overrides(&axes), None) {
            Ok(scenario) => {
                contents.push(content(&scenario));
                costs.push(cost(&scenario));
            }
            // The same value occurs at many points: report each of its problems once.
            Err(refused) => {
                let known: Vec<Problem> = problems.iter().cloned().collect();
                refused.problems.into_iter().filter(|p| !known.contains(p)).for_each(|p| problems.push(p));
            }
        }
    }
    let said = options.replications.or(settings.replications).or(loaded.scenario.run.replications);
    if let (Some(precision), None) = (&loaded.scenario.run.precision, said) {
        let message =
            "a sweep is a list of runs known before it starts: it cannot add to them until `precision` is reached";
        let problem = Problem::error("not_in_a_sweep", precision.metric.span, message)
            .path(precision.metric.path.clone())
            .help("say how many runs each point gets: `sweep: {replications: 30, ...}`; `precision` is then for `run` alone");
        problems.push(problem);
    }
    if problems.has_errors() {
        return Err(refused(problems));
    }
    let replications =
        options.replications.or(settings.replications).or(loaded.scenario.run.replications).unwrap_or(REPLICATIONS);
    Ok(Plan {
        units: metrics.iter().map(|metric| replicate::unit(&shape, metric)).collect(),
        contents,
        costs,
        bounds: bounds(&shape, &metrics),
        independent: settings.independent,
        one_at_a_time: settings.design == DesignSettings::OneAtATime,
        loaded: loaded.clone(),
        axes,
        points,
        replications,
        metrics,
        charts,
    })
}

fn bounds(shape: &crate::result::RunResult, metrics: &[String]) -> Vec<Bound> {
    let judged = shape.objectives.iter().filter(|o| o.demand != Demand::Recovers && metrics.contains(&o.metric));
    let bound = |objective: &crate::result::ObjectiveResult| Bound {
        metric: objective.metric.clone(),
        name: objective.name.clone(),
        value: objective.bound,
        below: objective.demand == Demand::Below,
    };
    judged.map(bound).collect()
}

/// A digest of everything a run depends on except the seed.
fn content(loaded: &Loaded) -> u64 {
    let mut written = loaded.scenario.write();
    if let Value::Map(entries) = &mut written.value {
        entries.retain(|e| !["name", "description", "seed", "sweep", "objectives"].contains(&e.key.as_str()));
        if let Some(run) = entries.iter_mut().find(|e| e.key == "run")
            && let Value::Map(entries) = &mut run.value.value
        {
            entries.retain(|e| !["replications", "precision"].contains(&e.key.as_str()));
        }
    }
    language::load::digest(&to_yaml(&written).unwrap_or_default(), &loaded.scenario)
}

fn known_metric(metric: &Spanned<String>, shape: &crate::result::RunResult, problems: &mut Problems) -> Option<String> {
    match metrics::find(shape, &metric.value) {
        Ok(metric) => Some(metric.name),
        Err(unknown) => {
            let mut problem =
                Problem::error("unknown_metric", metric.span, format!("no metric is called `{}`", unknown.path));
            problem.help = unknown.nearest.map(|nearest| format!("did you mean `{nearest}`?"));
            problems.push(problem.path(metric.path.clone()));
            None
        }
    }
}

fn measured(settings: &SweepSettings, shape: &crate::result::RunResult, problems: &mut Problems) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if settings.measure.is_empty() {
        names = metrics::main_metrics(shape);
    }
    for metric in &settings.measure {
        names.extend(known_metric(metric, shape, problems).filter(|name| !names.contains(name)));
    }
    // Where an objective refers to a latency, also keep the metric that the objective evaluates.
    let gates: Vec<String> = names.iter().map(|name| metrics::at_gate(name)).collect();
    for gate in gates {
        if shape.objectives.iter().any(|objective| objective.metric == gate) && !names.contains(&gate) {
            names.push(gate);
        }
    }
    names
}

fn charts_wanted(
    charts: &[ChartSettings],
    axes: &[Axis],
    metrics: &[String],
    problems: &mut Problems,
) -> Vec<ChartWanted> {
    let paths: Vec<String> = axes.iter().map(|axis| axis.path.to_string()).collect();
    let mut one_of = |what: &str, given: &Spanned<String>, known: &[String]| {
        if !known.contains(&given.value) {
            let problem = Problem::unknown_name(what, &given.value, given.span, known.iter().map(String::as_str));
            problems.push(problem.path(given.path.clone()));
        }
        given.value.clone()
    };
    charts
        .iter()
        .map(|chart| ChartWanted {
            x: one_of("path that is varied", &chart.x, &paths),
            value: one_of("metric that is measured", &chart.value, metrics),
            group: chart.group.as_ref().map(|group| one_of("path that is varied", group, &paths)),
            kind: match chart.kind {
                ChartKind::Line => ChartForm::Line,
                ChartKind::Heatmap => ChartForm::HeatMap,
                ChartKind::Bars => ChartForm::Bars,
            },
        })
        .collect()
}

impl Plan {
    /// Number of units. Unit u is replication u mod R of point u div R.
    pub fn unit_count(&self) -> usize {
        self.points.len() * self.replications as usize
    }

    /// Point and replication of a unit.
    pub fn place_of(&self, unit: usize) -> (usize, u32) {
        let replications = self.replications as usize;
        (unit / replications, (unit % replications) as u32)
    }

    /// The seed of a unit: that of its replication, the same at all points unless the points are independent.
    pub fn seed_of(&self, unit: usize) -> u64 {
        let (point, replication) = self.place_of(unit);
        let base = self.loaded.scenario.seed;
        let base = if self.independent && point > 0 { hash(base, &format!("point {point}")) } else { base };
        replication_seed(base, replication)
    }

    /// The name of a unit's result: a digest of the scenario, the seed, the version and the metrics kept.
    pub fn key_of(&self, unit: usize) -> u64 {
        let (point, _) = self.place_of(unit);
        let kept = self.metrics.join(" ");
        let what = format!("{:016x} {kept} {}", self.contents[point], env!("CARGO_PKG_VERSION"));
        hash(self.seed_of(unit), &what)
    }

    /// A digest of the whole plan.
    pub fn digest(&self) -> String {
        let keys: String = (0..self.unit_count()).map(|unit| format!("{:016x}", self.key_of(unit))).collect();
        format!("{:016x}", hash(0, &keys))
    }

    /// The units in the best order to start them: the longest first, so that no long unit runs alone at the end.
    pub fn order(&self, units: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut order: Vec<usize> = units.collect();
        order.sort_by(|a, b| {
            let cost = |unit: usize| self.costs[self.place_of(unit).0];
            cost(*b).total_cmp(&cost(*a)).then(a.cmp(b))
        });
        order
    }

    /// The scenario at a point.
    pub fn scenario_at(&self, point: usize) -> Result<Arc<Loaded>, Stopped> {
        let there = patched(&self.loaded, &self.points[point].overrides(&self.axes), None);
        // Every point was accepted when the plan was made.
        there.map(Arc::new).map_err(|_| Stopped::Failed(format!("point {point} is refused")))
    }

    /// Runs one unit.
    fn run_unit(&self, unit: usize, recent: &Recent, control: &Control<'_>) -> Result<UnitResult, Stopped> {
        let (point, _) = self.place_of(unit);
        let scenario = &recent.of(point, || self.scenario_at(point))?;
        let run = replicate::warmup(scenario, self.loaded.scenario.seed, control.stop).and_then(|warmup| {
            replicate::run_until_told(scenario, self.seed_of(unit), warmup, Kept::Asked, control.stop)
        });
        match run {
            Ok(session) if !session.is_finished() => Err(Stopped::Cut),
            Ok(mut session) => {
                let result = session.take_result();
                let all: BTreeMap<String, Option<f64>> =
                    metrics::all(&result).into_iter().map(|metric| (metric.name, metric.value)).collect();
                // Metrics of single replicas can be looked up, but are not listed.
                let found = |name: &String| match all.get(name) {
                    Some(value) => *value,
                    None => metrics::value(&result, name).ok().flatten(),
                };
                let value = |name: &String| found(name).filter(|value| value.is_finite());
                let values = self.metrics.iter().map(|name| (name.clone(), value(name))).collect();
                let buckets = |of: &Latencies| of.buckets.iter().map(|b| (b.low.midpoint(b.high), b.count)).collect();
                let latencies = session.latencies().iter().map(|of| (of.workload.clone(), buckets(of))).collect();
                Ok(UnitResult { values, events: result.run.events, error: None, latencies })
            }
            Err(Stopped::Failed(why)) => Ok(UnitResult { error: Some(why), ..UnitResult::default() }),
            Err(Stopped::Cut) => Err(Stopped::Cut),
        }
    }

    /// Runs the units that the store lacks, and stores each as soon as it is done. Returns the number of runs, or `Cut` if `stop`
    /// was set before the last one.
    pub fn run(
        &self,
        units: impl Iterator<Item = usize>,
        store: &Store,
        control: &Control<'_>,
    ) -> Result<usize, Stopped> {
        let missing: Vec<usize> = units.filter(|unit| store.get(self.key_of(*unit)).is_none()).collect();
        let order = self.order(missing.into_iter());
        let recent = Recent::default();
        let done = replicate::in_parallel(&order, control, |unit| {
            let result = self.run_unit(unit, &recent, control)?;
            let stored = store.put(self.key_of(unit), &result);
            stored.map_err(|e| Stopped::Failed(format!("a result cannot be stored: {e}")))
        });
        let count = done.len();
        done.into_values().collect::<Result<Vec<()>, Stopped>>()?;
        if count < order.len() { Err(Stopped::Cut) } else { Ok(count) }
    }

    /// Runs all units without storing any. When told to stop, returns those that have ended.
    pub fn run_in_memory(&self, control: &Control<'_>) -> Result<Swept, Stopped> {
        let order = self.order(0..self.unit_count());
        let recent = Recent::default();
        let run = |unit| self.run_unit(unit, &recent, control).map(|result| self.run_of(&result));
        let mut results = BTreeMap::new();
        for (unit, result) in replicate::in_parallel(&order, control, run) {
            match result {
                Ok(result) => results.insert(unit, result),
                Err(Stopped::Cut) => None,
                Err(failed) => return Err(failed),
            };
        }
        Ok(self.swept(|unit| results.get(&unit).cloned()))
    }

    fn run_of(&self, result: &UnitResult) -> SweptRun {
        let values = self.metrics.iter().map(|name| result.values.get(name).copied().flatten());
        SweptRun { values: values.collect(), error: result.error.clone() }
    }

    /// Latencies of the answered requests at a point, summed over all its runs in the store: by workload, the middle (ns) and
    /// count of each bucket, ascending.
    pub fn latencies(&self, point: usize, store: &Store) -> Table<BTreeMap<u64, u64>> {
        let mut together: Table<BTreeMap<u64, u64>> = Table::new();
        for replication in 0..self.replications as usize {
            let unit = point * self.replications as usize + replication;
            for (workload, buckets) in store.get(self.key_of(unit)).unwrap_or_default().latencies {
                let counts = together.entry(workload).or_default();
                buckets.into_iter().for_each(|(middle, count)| *counts.entry(middle).or_default() += count);
            }
        }
        together
    }

    /// The results of this plan that the store holds.
    pub fn collect(&self, store: &Store) -> Swept {
        self.swept(|unit| store.get(self.key_of(unit)).map(|result| self.run_of(&result)))
    }

    /// Number of units that the store lacks.
    pub fn missing(&self, store: &Store) -> usize {
        (0..self.unit_count()).filter(|unit| store.get(self.key_of(*unit)).is_none()).count()
    }

    fn swept(&self, result: impl Fn(usize) -> Option<SweptRun>) -> Swept {
        let replications = self.replications as usize;
        let percentiles: Arc<[bool]> = self.metrics.iter().map(|name| intervals::percentile(name).is_some()).collect();
        let point = |point: &Point| {
            let own = |axis: &Axis| self.loaded.plain.get(&axis.path).map_or_else(String::new, in_words);
            let both = self.axes.iter().zip(&point.values);
            SweptPoint {
                number: point.number,
                values: both.map(|(axis, v)| v.as_ref().map_or_else(|| own(axis), in_words)).collect(),
                varied: point.values.iter().map(Option::is_some).collect(),
                percentiles: percentiles.clone(),
                runs: (0..replications).map(|r| result(point.number * replications + r)).collect(),
            }
        };
        let scenario = &self.loaded.scenario;
        Swept {
            name: scenario.name.clone().unwrap_or_else(|| self.loaded.source.clone()),
            description: scenario.description.clone(),
            source: self.loaded.source.clone(),
            seed: scenario.seed,
            replications: self.replications,
            axes: self.axes.iter().map(|axis| axis.path.to_string()).collect(),
            metrics: self.metrics.clone(),
            units: self.units.clone(),
            charts: self.charts.clone(),
            one_at_a_time: self.one_at_a_time,
            bounds: self.bounds.clone(),
            plan: self.digest(),
            points: self.points.iter().map(point).collect(),
        }
    }
}

/// A cache of the scenarios of the points being run: the replications of a point run one after the other and need not read
/// the scenario again each time.
#[derive(Debug, Default)]
struct Recent(Mutex<VecDeque<(usize, Arc<Loaded>)>>);

impl Recent {
    /// Upper limit: more entries than threads only use up memory.
    const MOST: usize = 64;

    fn of(&self, point: usize, make: impl FnOnce() -> Result<Arc<Loaded>, Stopped>) -> Result<Arc<Loaded>, Stopped> {
        let kept = || self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((_, scenario)) = kept().iter().find(|(of, _)| *of == point) {
            return Ok(scenario.clone());
        }
        // Two threads may build the same scenario: the results are equal, and neither waits for the other.
        let scenario = make()?;
        let mut kept = kept();
        kept.push_back((point, scenario.clone()));
        if kept.len() > Self::MOST {
            kept.pop_front();
        }
        Ok(scenario)
    }
}

/// Estimated work of a run: simulated time × requests per second. It only affects the order in which runs start.
fn cost(loaded: &Loaded) -> f64 {
    let scenario = &loaded.scenario;
    let length = scenario.run.duration.map_or(1.0, |d| d.0 as f64) + scenario.warmup() as f64;
    let rate: f64 = scenario.workloads.iter().map(|w| w.value.arrivals.process.rate().unwrap_or(1.0)).sum();
    length * rate
}

#[cfg(test)]
mod tests;

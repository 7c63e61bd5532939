//! Compares variants pair by pair under common random numbers.
//!
//! Every variant sees the same requests at the same instants with the same work, so a difference within a pair is due to
//! the variant, and few replications show small differences. A difference is called real if its interval excludes zero at
//! a confidence corrected for the number of comparisons (Bonferroni): otherwise one difference in twenty would look real
//! by chance.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::intervals::{self, Sample};
use crate::metrics::{self, Unit};
use crate::replicate::{self, CONFIDENCE, Control, Kept, Stopped};
use crate::result::{FaultWindow, RunResult};
use crate::statistics::{self, Interval, Paired};
use language::Loaded;
use sim_core::random::replication_seed;

/// A scenario to compare.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// Name of the variant or file.
    pub name: String,
    /// The scenario.
    pub loaded: Arc<Loaded>,
}

/// The result of a comparison, as plain data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Version of this format; always 1.
    pub format: u32,
    /// The base seed of all variants.
    pub seed: u64,
    /// Replications per variant.
    pub replications: u32,
    /// True if the comparison was interrupted before the requested number of replications.
    #[serde(default, skip_serializing_if = "crate::result::is_false")]
    pub cut_short: bool,
    /// Confidence level of the intervals.
    pub confidence: f64,
    /// Names of the variants; the others are compared to the first.
    pub variants: Vec<String>,
    /// The metrics.
    pub metrics: Vec<ComparedMetric>,
    /// The time series of the first run of each variant, for overlaid charts.
    #[serde(skip)]
    pub courses: Vec<Course>,
}

/// What the callers of a variant saw over time in its first run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Width of a window, s.
    pub window_s: f64,
    /// Start of each window, s.
    pub at_s: Vec<f64>,
    /// Goodput of all workloads, per second.
    pub goodput: Vec<Option<f64>>,
    /// The largest p99 latency of any workload, s.
    pub p99_s: Vec<Option<f64>>,
    /// The faults.
    pub faults: Vec<FaultWindow>,
    /// Actions of operators.
    pub events: Vec<FaultWindow>,
}

impl Course {
    fn of(result: &RunResult) -> Course {
        let joined = |metric: &str, join: fn(f64, f64) -> f64| {
            let mut all: Vec<Option<f64>> = vec![None; result.series.at_s.len()];
            for name in result.workloads.keys() {
                let column = result.series.columns.get(&format!("workloads.{name}.{metric}"));
                for (so_far, value) in all.iter_mut().zip(column.into_iter().flatten()) {
                    *so_far = match (*so_far, *value) {
                        (Some(one), Some(other)) => Some(join(one, other)),
                        (one, other) => one.or(other),
                    };
                }
            }
            all
        };
        Course {
            window_s: result.series.window_s,
            goodput: joined("goodput", |one, other| one + other),
            p99_s: joined("latency.p99_s", f64::max),
            at_s: result.series.at_s.clone(),
            faults: result.faults.clone(),
            events: result.events.clone(),
        }
    }
}

/// One metric of all variants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedMetric {
    /// Its path.
    pub name: String,
    /// Mean and half-width, by variant; `None` if it is not known.
    pub intervals: Vec<Option<Interval>>,
    /// Number of runs in which it is infinite, by variant.
    #[serde(default, skip_serializing_if = "is_nowhere")]
    pub infinite: Vec<usize>,
    /// Differences from the first variant, by variant, without the first.
    pub differences: Vec<Option<Difference>>,
    /// Its unit.
    #[serde(skip, default = "number")]
    pub unit: Unit,
}

fn is_nowhere(infinite: &[usize]) -> bool {
    infinite.iter().all(|runs| *runs == 0)
}

fn number() -> Unit {
    Unit::Number
}

/// The difference that a variant makes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Interval of the difference, and the variance reduction by common random numbers.
    #[serde(flatten)]
    pub paired: Paired,
    /// The difference relative to the first variant's mean; `None` if that is zero.
    pub relative: Option<f64>,
    /// Whether the difference is significant, allowing for all comparisons of the table.
    pub real: bool,
    /// Runs that would probably decide whether a difference of this size is real, if these runs do not.
    pub runs_needed: Option<u32>,
}

/// Differences smaller than this, relative to the first variant, do not justify more runs.
const WORTH_KNOWING: f64 = 0.05;

/// An interval wider than the effect leaves the question open, unless the effect is small in any case.
fn runs_needed(strict: &Interval, base: f64) -> Option<u32> {
    let half = strict.half_width?;
    let effect = strict.mean.abs();
    let is_open = half >= effect && effect > 0.0 && half > WORTH_KNOWING * base.abs();
    // The half-width shrinks with the square root of the number of runs.
    is_open.then(|| (strict.n as f64 * (half / effect) * (half / effect)).ceil().min(f64::from(u32::MAX)) as u32)
}

/// Runs all contestants `replications` times and compares the given metrics; if none are given, the main ones that all have.
/// When told to stop, compares the replications that all contestants have completed; `Cut` if those are fewer than two.
pub fn compare(
    contestants: &[Contestant],
    replications: u32,
    wanted: &[String],
    control: &Control<'_>,
) -> Result<Compared, Stopped> {
    let Some(first) = contestants.first() else { return Err(Stopped::Failed("nothing to compare".into())) };
    let seed = first.loaded.scenario.seed;
    // The warm-ups must be equal; otherwise requests at the same instant would differ.
    let mut warmup = 0;
    for contestant in contestants {
        warmup = warmup.max(replicate::warmup(&contestant.loaded, seed, control.stop)?);
    }
    let shapes: Vec<RunResult> = contestants.iter().map(|c| replicate::shape(&c.loaded)).collect();
    let names = names(&shapes, contestants, wanted)?;
    let order: Vec<usize> = (0..contestants.len() * replications as usize).collect();
    let runs = replicate::in_parallel(&order, control, |unit| {
        let (contestant, replication) = (unit % contestants.len(), unit / contestants.len());
        let contestant = &contestants[contestant];
        let seed = replication_seed(seed, replication as u32);
        let kept = if replication == 0 { Kept::Everything } else { Kept::Asked };
        let run = replicate::run_keeping(&contestant.loaded, seed, warmup, kept, control.stop);
        let result = run.map_err(|why| match why {
            Stopped::Failed(why) => Stopped::Failed(format!("{}: {why}", contestant.name)),
            cut => cut,
        })?;
        let course = (replication == 0).then(|| Course::of(&result));
        Ok((names.iter().map(|name| Sample::of(&result, name)).collect::<Vec<Sample>>(), course))
    });
    let mut courses = Vec::new();
    let mut ended: Vec<Vec<Sample>> = Vec::new();
    let mut rest = runs.into_iter();
    for unit in &order {
        match rest.next() {
            Some((number, Ok((values, course)))) if number == *unit => {
                ended.push(values);
                courses.extend(course);
            }
            Some((_, Err(Stopped::Failed(why)))) => return Err(Stopped::Failed(why)),
            // Only complete replications, consecutive from the first, can be compared.
            _ => break,
        }
    }
    let whole = (ended.len() / contestants.len()) as u32;
    let cut_short = whole < replications;
    if cut_short && whole < 2 {
        return Err(Stopped::Cut);
    }
    let (runs, replications) = (ended, whole);
    let all = 0..replications as usize;
    let samples = |contestant: usize, metric: usize| -> Vec<Sample> {
        all.clone().map(|replication| runs[replication * contestants.len() + contestant][metric].clone()).collect()
    };
    // A metric that no run knows, such as the utilisation of an unlimited component, gets no row.
    let is_told = |metric: &usize| {
        let anybody = |contestant: usize| {
            samples(contestant, *metric).iter().any(|sample| sample.value.is_some() || sample.is_infinite)
        };
        !wanted.is_empty() || (0..contestants.len()).any(anybody)
    };
    let told: Vec<usize> = (0..names.len()).filter(is_told).collect();
    let comparisons = told.len() * contestants.len().saturating_sub(1);
    let strict = 1.0 - (1.0 - CONFIDENCE) / comparisons.max(1) as f64;
    let value = |contestant: usize, metric: usize, replication: usize| {
        runs[replication * contestants.len() + contestant][metric].value
    };
    let metrics = told.iter().map(|metric| {
        let (metric, name) = (*metric, &names[*metric]);
        let is_event = metrics::is_event(name);
        let difference = |contestant: usize| {
            let pairs = all.clone().filter_map(|replication| {
                Some((value(0, metric, replication)?, value(contestant, metric, replication)?))
            });
            let (first, second): (Vec<f64>, Vec<f64>) = pairs.unzip();
            let paired = statistics::paired(&first, &second, CONFIDENCE)?;
            let base = statistics::mean(&first)?;
            let surely = statistics::paired(&first, &second, strict)?.difference;
            // For an event, only pairs with different outcomes count.
            let real = match is_event {
                true => statistics::sign_test(&first, &second) < 1.0 - strict,
                false => surely.excludes(0.0),
            };
            Some(Difference {
                paired,
                relative: (base != 0.0).then(|| paired.difference.mean / base),
                real,
                runs_needed: if real || is_event { None } else { runs_needed(&surely, base) },
            })
        };
        ComparedMetric {
            name: name.clone(),
            unit: replicate::unit(&shapes[0], name),
            intervals: (0..contestants.len()).map(|c| intervals::of(name, &samples(c, metric), CONFIDENCE)).collect(),
            infinite: (0..contestants.len())
                .map(|c| samples(c, metric).iter().filter(|sample| sample.is_infinite).count())
                .collect(),
            differences: (1..contestants.len()).map(difference).collect(),
        }
    });
    Ok(Compared {
        format: 1,
        seed,
        replications,
        cut_short,
        confidence: CONFIDENCE,
        variants: contestants.iter().map(|c| c.name.clone()).collect(),
        metrics: metrics.collect(),
        courses,
    })
}

fn names(shapes: &[RunResult], contestants: &[Contestant], wanted: &[String]) -> Result<Vec<String>, Stopped> {
    if wanted.is_empty() {
        let mut names = metrics::compared_metrics(&shapes[0]);
        names.retain(|name| shapes.iter().all(|shape| metrics::find(shape, name).is_ok()));
        return Ok(names);
    }
    for name in wanted {
        for (shape, contestant) in shapes.iter().zip(contestants) {
            metrics::find(shape, name).map_err(|why| Stopped::Failed(format!("{}: {why}", contestant.name)))?;
        }
    }
    Ok(wanted.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Text, load};
    use std::sync::atomic::AtomicBool;

    const SCENARIO: &str = "
version: 1
run: {duration: 10s}
workloads:
  clients: {arrivals: {poisson: 100/s}, call: {to: db, timeout: 1s}}
components:
  db: {kind: database, connections: 1, operations: {default: {exp: 5ms}}}
variants:
  same: {}
  wider: {components.db.connections: 2}
";

    fn compared() -> Compared {
        compared_of(SCENARIO, &["same", "wider"])
    }

    fn compared_of(yaml: &str, variants: &[&str]) -> Compared {
        let text = Text { name: "test.yaml".into(), bytes: yaml.as_bytes().to_vec(), folder: None };
        let loaded = load(&text, &Options::default()).expect("good");
        let variant = |name: &&str| Contestant {
            name: name.to_string(),
            loaded: Arc::new(crate::loading::patched(&loaded, &[], Some(name)).expect("good")),
        };
        let written = Contestant { name: "as written".into(), loaded: Arc::new(loaded.clone()) };
        let contestants: Vec<Contestant> = std::iter::once(written).chain(variants.iter().map(variant)).collect();
        let stop = AtomicBool::new(false);
        let control = Control { jobs: 2, stop: &stop, progress: &|_, _| {} };
        compare(&contestants, 10, &[], &control).expect("it runs")
    }

    #[test]
    fn what_changes_nothing_differs_by_exactly_nothing_and_what_helps_is_real() {
        let compared = compared();
        let p99 = compared.metrics.iter().find(|m| m.name.ends_with("latency.p99")).expect("it is a main metric");
        let same = p99.differences[0].expect("known");
        assert_eq!(
            (same.paired.difference.mean, same.paired.difference.half_width, same.real),
            (0.0, Some(0.0), false)
        );
        let wider = p99.differences[1].expect("known");
        assert!(wider.real && wider.paired.difference.mean < 0.0);
    }

    #[test]
    fn a_difference_that_drowns_in_chance_says_how_many_runs_would_tell() {
        let interval = |mean: f64, half: f64| Interval { mean, half_width: Some(half), confidence: 0.99, n: 10 };
        // The interval is twice as wide as the effect: four times as many runs.
        assert_eq!(runs_needed(&interval(10.0, 20.0), 100.0), Some(40));
        assert_eq!(runs_needed(&interval(10.0, 9.0), 100.0), None, "it is real");
        assert_eq!(runs_needed(&interval(1.0, 4.0), 100.0), None, "it is small whatever it is");
        assert_eq!(runs_needed(&interval(0.0, 0.0), 100.0), None);
    }

    #[test]
    fn utilisation_is_among_the_main_metrics() {
        assert!(compared().metrics.iter().any(|metric| metric.name == "components.db.utilization"));
    }

    /// A database that always misses the bound, one that always meets it, and the resulting shares of successes and windows.
    #[test]
    fn objectives_are_shares_of_runs_and_failures_are_shown() {
        let judged = "\nobjectives: [{name: fast, metric: workloads.clients.latency.p90, below: 5ms}]\n";
        let yaml = format!(
            "{}{judged}",
            SCENARIO.replace(
                "wider: {components.db.connections: 2}",
                "idle: {workloads.clients.arrivals.poisson: 1/s, components.db.operations.default: 1ms}"
            )
        );
        let compared = compared_of(&yaml, &["same", "idle"]);
        let of =
            |name: &str| compared.metrics.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}"));
        let fast = of("objectives.fast");
        assert_eq!(
            fast.intervals.iter().map(|i| i.map(|i| i.mean)).collect::<Vec<_>>(),
            [Some(0.0), Some(0.0), Some(1.0)]
        );
        // All ten pairs differ: by chance that happens once in 512, and there are fewer comparisons than that.
        let differences: Vec<bool> = fast.differences.iter().map(|d| d.is_some_and(|d| d.real)).collect();
        assert!(!differences[0]);
        assert!(of("workloads.clients.success").intervals[0].is_some_and(|interval| interval.mean > 0.99));
        assert!(of("workloads.clients.worst_window").intervals[2].is_some_and(|interval| interval.mean < 2.0));
        assert!(of("workloads.clients.error_rate").unit == Unit::Fraction);
    }

    #[test]
    fn common_random_numbers_narrow_the_difference() {
        // The offered load is the same in every variant, and so is the work of each request.
        let compared = compared();
        let goodput = &compared.metrics[0];
        let wider = goodput.differences[1].expect("known").paired;
        assert!(wider.variance_reduction.expect("it scatters") > 0.9, "{wider:?}");
    }
}

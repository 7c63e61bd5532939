//! Queueing theory as a table: systems whose figures have closed forms, each with its scenario.
//!
//! The tests and the `validate` command run the same rows. A figure is judged over independent replications: its mean
//! must be within a Student-t interval of the formula, so wide that one figure is missed by chance five times in 10⁷;
//! for quantiles the 0.2 % of the histogram come on top, and where theory knows only the limit of ever more servers, the
//! 1 % by which the simulated number of servers may differ from it. All times are in seconds, all rates per second.
//!
//! The sources of the formulas stand beside them: closed forms in [`formulas`], what is found by inverting Laplace transforms
//! in [`transforms`], what is found by solving Markov chains in [`passages`], and what follows from them with each row.

mod balancing;
pub mod chains;
mod disciplines;
pub mod formulas;
mod links;
mod networks;
pub mod passages;
mod stations;
pub mod transforms;
mod varying;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use sim_core::random::{Stream, replication_seed};

use lab::replicate::{Control, Stopped, in_parallel, run_once};
use language::{Loaded, Options, Text, load};

/// Replications of each row.
pub const REPLICATIONS: u32 = 16;

/// How often one figure is missed by chance.
pub const ERROR_RATE: f64 = 5e-7;

/// Student's t with 15 degrees of freedom, exceeded on either side with a probability of [`ERROR_RATE`].
const T: f64 = 8.3582;

/// How far from its limit a system may be that stands for one of infinitely many servers, relative.
const LIMIT: f64 = 0.01;

/// A figure that theory knows.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Path of the metric, or two whose quotient is meant.
    pub metric: &'static str,
    /// What it comes to.
    pub value: f64,
    /// How far the scenario may be from what the formula is for, relative: 0 unless the formula is a limit.
    pub tolerance: f64,
}

/// A system that theory knows.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is called in the books.
    pub name: &'static str,
    /// The scenario, without its duration.
    pub yaml: String,
    /// How long each replication runs in the short form, s.
    pub duration_s: u64,
    /// What must come out.
    pub expected: Vec<Expected>,
    /// Whether it begins empty and follows the clock: then there is no warm-up, and a longer run would be another system.
    pub is_transient: bool,
    /// Mean times between the failures of component `s`, and of a repair, both exponential, s.
    pub breakdowns_s: Option<(f64, f64)>,
}

/// A figure of a row, as simulated.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The row.
    pub model: &'static str,
    /// The metric, or the quotient of two.
    pub figure: &'static str,
    /// What theory says.
    pub theory: f64,
    /// Mean of the replications.
    pub simulated: f64,
    /// Half the width of the interval around it within which theory must lie.
    pub half_width: f64,
    /// Whether it does.
    pub agrees: bool,
}

/// The whole table.
#[derive(Clone, Debug, Serialize)]
pub struct Validation {
    /// The seed of the first replication; the others' are made from it.
    pub seed: u64,
    /// Replications of each row.
    pub replications: u32,
    /// How many times as long as in the short form each ran.
    pub length: u64,
    /// How often a program without faults fails by chance: at most the sum over all figures.
    pub error_rate: f64,
    /// The figures.
    pub verdicts: Vec<Verdict>,
}

impl Validation {
    /// Whether all figures agree.
    pub fn agrees(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.agrees)
    }
}

/// Runs all rows, `length` times as long as in the short form, on several threads; the result does not depend on how many.
///
/// # Errors
/// If it was told to stop, or if a row cannot be run at all.
pub fn validate(length: u64, seed: u64, control: &Control<'_>) -> Result<Validation, Stopped> {
    let cases = cases();
    let order: Vec<usize> = (0..cases.len()).collect();
    // It is the replications that are counted, not the rows.
    let rows = Control { jobs: control.jobs, stop: control.stop, progress: &|_, _| () };
    let judged = in_parallel(&order, &rows, |row| cases[row].judge(length, seed, control));
    if control.stop.load(Ordering::Relaxed) {
        return Err(Stopped::Cut);
    }
    let mut verdicts = Vec::new();
    for of_one in judged.into_values() {
        verdicts.extend(of_one?);
    }
    let error_rate = verdicts.len() as f64 * ERROR_RATE;
    Ok(Validation { seed, replications: REPLICATIONS, length, error_rate, verdicts })
}

fn expect(metric: &'static str, value: f64) -> Expected {
    Expected { metric, value, tolerance: 0.0 }
}

const LATENCY: &str = "workloads.w.latency.mean_s";
const P50: &str = "workloads.w.latency.p50_s";
const P90: &str = "workloads.w.latency.p90_s";
const P99: &str = "workloads.w.latency.p99_s";
const WAIT: &str = "components.s.queue.wait.mean_s";
const WAIT_P90: &str = "components.s.queue.wait.p90_s";
const WAIT_P99: &str = "components.s.queue.wait.p99_s";
const IN_FLIGHT: &str = "components.s.in_flight";
const DEPTH: &str = "components.s.queue.depth";
const UTILIZATION: &str = "components.s.utilization";
const TURNED_AWAY: &str = "workloads.w.outcomes.overload / workloads.w.sent";

/// Mean service time of the single stations, s.
const S: f64 = 0.01;

fn case(name: &'static str, duration_s: u64, body: &str, expected: Vec<Expected>) -> Case {
    let yaml = format!("version: 1\n{body}");
    Case { name, yaml, duration_s, expected, is_transient: false, breakdowns_s: None }
}

/// One station `s` with threads, to which `arrivals` come.
fn station(arrivals: &str, threads: u32, admission: &str, step: &str) -> String {
    format!(
        "workloads: {{w: {{arrivals: {arrivals}, call: s}}}}\ncomponents:\n  s:\n    kind: service\n    \
         runtime: {{thread_pool: {{threads: {threads}}}}}\n{admission}    handlers: {{default: [{{{step}}}]}}\n"
    )
}

/// All rows.
pub fn cases() -> Vec<Case> {
    [stations::cases(), disciplines::cases(), networks::cases(), balancing::cases(), links::cases(), varying::cases()]
        .concat()
}

/// The figure at a path of a result that was written as JSON.
fn figure(result: &serde_json::Value, metric: &str) -> Option<f64> {
    if let Some((part, whole)) = metric.split_once(" / ") {
        return Some(figure(result, part)? / figure(result, whole)?);
    }
    metric.split('.').try_fold(result, |at, key| at.get(key))?.as_f64()
}

impl Case {
    /// The scenario, `length` times as long as in the short form.
    fn load(&self, length: u64, seed: u64) -> Result<Arc<Loaded>, String> {
        let (warmup, duration) = if self.is_transient { (0, self.duration_s) } else { (20, self.duration_s * length) };
        let mut yaml = format!("{}run: {{duration: {duration}s, warmup: {warmup}s, window: 10s}}\n", self.yaml);
        if let Some((between, repair)) = self.breakdowns_s {
            yaml.push_str("faults:\n");
            let mut stream = Stream::named(seed, "breakdowns");
            let mut exp = |mean: f64| -mean * libm::log(stream.unit_open());
            let mut at = exp(between);
            while at < duration as f64 {
                let lasts = exp(repair);
                // Whole nanoseconds, so that one ends before the next begins.
                let (at_ns, for_ns) = ((at * 1e9) as u64, (lasts * 1e9) as u64 + 1);
                let _ = writeln!(yaml, "  - {{at: {at_ns}ns, for: {for_ns}ns, pause: {{component: s}}}}");
                at += lasts + 2e-9 + exp(between);
            }
        }
        let text = Text { name: self.name.to_string(), bytes: yaml.into_bytes(), folder: None };
        load(&text, &Options::default()).map(Arc::new).map_err(|refused| {
            let problems: Vec<&str> = refused.problems.iter().map(|p| p.message.as_str()).collect();
            format!("{}: {}", self.name, problems.join("; "))
        })
    }

    /// Runs the replications and judges each figure.
    ///
    /// # Errors
    /// If it was told to stop, if the scenario is refused, or if it has no such figure.
    pub fn judge(&self, length: u64, seed: u64, control: &Control<'_>) -> Result<Vec<Verdict>, Stopped> {
        let mut samples: Vec<Vec<f64>> = vec![Vec::new(); self.expected.len()];
        let mut loaded = self.load(length, seed).map_err(Stopped::Failed)?;
        for number in 0..REPLICATIONS {
            let seed = replication_seed(seed, number);
            if self.breakdowns_s.is_some() {
                loaded = self.load(length, seed).map_err(Stopped::Failed)?;
            }
            let warmup = loaded.scenario.warmup();
            let mut result = run_once(&loaded, seed, warmup, control.stop)?;
            (control.progress)(0, 0);
            result.series = Default::default();
            let result = serde_json::to_value(&result).map_err(|e| Stopped::Failed(e.to_string()))?;
            for (expected, samples) in self.expected.iter().zip(&mut samples) {
                let missing = || Stopped::Failed(format!("{}: there is no {}", self.name, expected.metric));
                samples.push(figure(&result, expected.metric).ok_or_else(missing)?);
            }
        }
        Ok(self.expected.iter().zip(&samples).map(|(expected, samples)| self.verdict(expected, samples)).collect())
    }

    fn verdict(&self, expected: &Expected, samples: &[f64]) -> Verdict {
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let variance = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
        let rounding = if expected.metric.contains(".p") { 0.002 } else { 0.0 };
        let half_width = T * (variance / n).sqrt() + (rounding + expected.tolerance) * expected.value + 1e-9;
        Verdict {
            model: self.name,
            figure: expected.metric,
            theory: expected.value,
            simulated: mean,
            half_width,
            agrees: (mean - expected.value).abs() <= half_width,
        }
    }
}

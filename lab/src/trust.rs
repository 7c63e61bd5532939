//! Warnings about figures of a run that are less reliable than they look.
//!
//! Each rule looks at a finished result and warns about figures: percentiles with too few samples beyond them or with cut-off
//! tails, a beginning unlike the rest, a single run. The thresholds stand beside the rules.

use models::scenario::Scenario;
use settings::{CountDist, DurationDist, KeyChooser, Node, Reader, Setting};
use sim_core::keys::GivenKeys;

use crate::metrics::main_metrics;
use crate::result::RunResult;
use crate::series::Series;
use crate::statistics;
use crate::trend;

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Formats a number with commas: `3,035`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    parts.join(",")
}

/// The warning about any single run with randomness.
const ONE_RUN: &str = "Single run: no confidence intervals. Use `--replications 10`.";

/// All warnings about a result.
pub(crate) fn warnings(result: &RunResult, scenario: &Scenario) -> Vec<String> {
    let mut found = Vec::new();
    if !result.run.finished {
        found.push(format!("Cut short at {} s: all figures cover the time up to then.", result.run.duration_s));
    }
    under_way(result, &mut found);
    timed_out(result, &mut found);
    samples(result, scenario, &mut found);
    growing(result, &mut found);
    if is_steady(scenario) {
        found.extend(warmup(result));
    }
    if is_by_chance(scenario) {
        found.push(ONE_RUN.to_string());
    }
    found
}

/// Half-width, relative to the mean, above which an interval is reported as wide.
const WIDE: f64 = 0.1;

/// Adapts the warnings to several runs: drops the one about single runs, and names figures with wide intervals.
pub(crate) fn several_runs(result: &mut RunResult) {
    result.warnings.retain(|warning| warning != ONE_RUN);
    let Some(replications) = &result.replications else { return };
    let mut wide = Vec::new();
    for name in main_metrics(result) {
        let Some(interval) = replications.intervals.get(&name) else { continue };
        let half = interval.half_width.unwrap_or(0.0) / interval.mean.abs();
        if half > WIDE {
            wide.push(format!("{name} to ± {}", percent(half)));
        }
    }
    if !wide.is_empty() {
        let n = replications.n;
        result
            .warnings
            .push(format!("Wide confidence intervals after {n} runs: {}. Use more or longer runs.", wide.join(", ")));
    }
}

/// The lowest percentile affected by a share of unknown values, all of them large.
fn reached(share: f64) -> Option<&'static str> {
    let percentiles = [(0.999, "p999"), (0.99, "p99"), (0.95, "p95"), (0.9, "p90"), (0.5, "p50")];
    percentiles.into_iter().rfind(|(p, _)| share > 1.0 - p + 1e-12).map(|(_, name)| name)
}

/// Warns about requests still under way: their latencies are longer than measured.
fn under_way(result: &RunResult, found: &mut Vec<String>) {
    for (name, workload) in &result.workloads {
        let share = workload.in_flight_end as f64 / workload.sent.max(1) as f64;
        if let Some(from) = reached(share) {
            found.push(format!(
                "{} of the requests of {name} are still in flight at the end: {from} and above are lower bounds.",
                percent(share)
            ));
        }
    }
}

/// Warns about requests that timed out: they would have taken longer, and are not among the latencies.
fn timed_out(result: &RunResult, found: &mut Vec<String>) {
    for (name, workload) in &result.workloads {
        let timeouts = workload.outcomes.get("timeout").copied().unwrap_or(0);
        let share = timeouts as f64 / workload.completed.max(1) as f64;
        if let Some(from) = reached(share).filter(|_| workload.latency.count > 0) {
            found.push(format!(
                "{} of the requests of {name} timed out and are not in the latencies: over all requests sent, {from} and above are \
                 at least the timeout.",
                percent(share)
            ));
        }
    }
}

/// Minimum number of values beyond a percentile for it to be reliable (Law).
const BEYOND_MIN: f64 = 100.0;

fn samples(result: &RunResult, scenario: &Scenario, found: &mut Vec<String>) {
    // A run until idle covers all of its work, so its percentiles are exact, not estimates.
    if scenario.run.until.is_some() {
        return;
    }
    for (name, workload) in &result.workloads {
        let count = workload.latency.count;
        let too_few = |p: f64| (count as f64) * (1.0 - p) < BEYOND_MIN - 1e-6;
        let names: Vec<&str> = [(0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99"), (0.999, "p999")]
            .into_iter()
            .filter(|(p, _)| too_few(*p))
            .map(|(_, name)| name)
            .collect();
        if let (Some(first), true) = (names.first(), count > 0) {
            let are = if names.len() > 1 { "and above are" } else { "is" };
            found.push(format!(
                "{name}: {first} {are} unreliable, fewer than {BEYOND_MIN} of {} samples lie beyond.",
                grouped(count)
            ));
        }
    }
}

fn growing(result: &RunResult, found: &mut Vec<String>) {
    for (name, component) in &result.components {
        let grows = |values: &Vec<Option<f64>>| {
            let end_s = result.run.duration_s;
            trend::growth(&result.series, values, end_s / 2.0, end_s).is_some()
        };
        if let Some(queue) = &component.queue
            && queue.depth_end > 100
            && queue.depth_end as f64 > 0.9 * queue.depth_max as f64
            && result.series.columns.get(&format!("components.{name}.queue.depth")).is_some_and(grows)
        {
            found.push(format!(
                "The queue of {name} is still growing at the end ({} waiting): it is unstable at this load.",
                grouped(queue.depth_end)
            ));
        }
    }
}

/// Whether the load is constant and nothing goes wrong, so that a beginning unlike the rest is a transient.
fn is_steady(scenario: &Scenario) -> bool {
    scenario.faults.is_empty()
        && scenario.events.is_empty()
        && scenario.run.until.is_none()
        && scenario.workloads.iter().all(|w| w.value.shape.is_none() && w.value.arrivals.process.total().is_none())
}

/// Minimum number of windows for the test of the beginning.
const WINDOWS_MIN: usize = 50;
/// Minimum difference between the beginning and the rest, in standard errors.
const ERRORS_MIN: f64 = 6.0;
/// Minimum difference between the beginning and the rest, relative to the rest.
const DIFFERENCE_MIN: f64 = 0.05;

/// Warns about a beginning, found by MSER-5, that is unlike the rest. On a level series MSER-5 cuts anywhere, so the two
/// parts must also differ by more than chance and by a relevant amount.
fn warmup(result: &RunResult) -> Option<String> {
    let series = &result.series;
    let together = calls_under_way(series)?;
    let cut = statistics::mser5(&together);
    let windows = cut.unwrap_or(together.len() / 2);
    let (beginning, rest) = together.split_at(windows);
    let (first, later) = (statistics::mean(beginning)?, statistics::mean(rest)?);
    // Batches of five windows, so that neighbouring batches are nearly independent.
    let batches: Vec<f64> = rest.chunks_exact(5).filter_map(statistics::mean).collect();
    let scatter = statistics::variance(&batches)?.sqrt();
    let error = scatter * (5.0 / windows as f64 + 5.0 / rest.len() as f64).sqrt();
    let away = (first - later).abs();
    if windows == 0 || away < ERRORS_MIN * error || away < DIFFERENCE_MIN * later {
        return None;
    }
    let until = windows as f64 * series.window_s;
    Some(match cut {
        Some(_) => format!(
            "Warm-up too short: the first {until} s differ from the rest ({first:.1} calls in flight instead of {later:.1}; \
             MSER-5). Use `run.warmup: {}s`.",
            (result.run.warmup_s + until).ceil()
        ),
        None => "No steady state (MSER-5): the means depend on the length of the run.".to_string(),
    })
}

/// Calls under way in all components, by window after the warm-up.
fn calls_under_way(series: &Series) -> Option<Vec<f64>> {
    let from = series.at_s.iter().position(|at_s| *at_s >= 0.0)?;
    let mut together = vec![0.0; series.at_s.len() - from];
    for (name, column) in &series.columns {
        if name.starts_with("components.") && name.ends_with(".in_flight") {
            together.iter_mut().zip(&column[from..]).for_each(|(sum, value)| *sum += value.unwrap_or(0.0));
        }
    }
    (together.len() >= WINDOWS_MIN).then_some(together)
}

/// Whether another seed would give different figures, judging by arrivals, times, counts and keys.
fn is_by_chance(scenario: &Scenario) -> bool {
    let by_arrivals = scenario.workloads.iter().any(|w| w.value.arrivals.process.is_random());
    scenario.run.until.is_none()
        && (by_arrivals || draws(&scenario.workloads.write()) || draws(&scenario.components.write()))
}

/// Whether any value in a tree reads as a distribution that is not constant, or as a choice among several keys.
fn draws(tree: &Node) -> bool {
    if let Some(entries) = tree.entries() {
        let mut reader = Reader::new();
        let of_times = DurationDist::read(tree, &mut reader).is_some_and(|dist| dist.0.is_constant().is_none());
        let of_counts = CountDist::read(tree, &mut reader).is_some_and(|dist| dist.0.is_constant().is_none());
        let of_keys = KeyChooser::read(tree, &mut reader)
            .is_some_and(|keys| !matches!(keys.0, GivenKeys::Constant { .. } | GivenKeys::Sequential { .. }));
        return of_times || of_counts || of_keys || entries.iter().any(|entry| draws(&entry.value));
    }
    tree.members().is_some_and(|members| members.iter().any(draws))
}

#[cfg(test)]
mod tests {
    use crate::{Options, Session, Text, load};
    use std::sync::Arc;

    fn run(yaml: &str, seed: u64) -> Vec<String> {
        let text = Text { name: "test.yaml".into(), bytes: yaml.as_bytes().to_vec(), folder: None };
        let loaded = Arc::new(load(&text, &Options::default()).expect("good"));
        let mut session = Session::new(loaded, seed, None);
        session.run_to_end().expect("it runs");
        session.result().warnings
    }

    fn station(rate: u32, run: &str, call: &str) -> String {
        format!(
            "version: 1\nrun: {run}\nworkloads: {{w: {{arrivals: {{poisson: {rate}/s}}, call: {{to: s{call}}}}}}}\n\
             components: {{s: {{kind: service, runtime: {{thread_pool: {{threads: 10}}}}, handlers: {{default: [{{wait: \
             {{exp: 10ms}}}}]}}}}}}\n"
        )
    }

    fn about<'w>(warnings: &'w [String], what: &str) -> Vec<&'w String> {
        warnings.iter().filter(|warning| warning.contains(what)).collect()
    }

    #[test]
    fn percentiles_need_a_hundred_values_beyond_them() {
        let short = run(&station(100, "{duration: 50s}", ""), 1);
        assert!(about(&short, "p99 and above are unreliable").len() == 1, "{short:?}");
        let longer = run(&station(500, "{duration: 50s}", ""), 1);
        assert!(about(&longer, "p999 is unreliable").len() == 1, "{longer:?}");
        let finite = run(&station(500, "{until: idle}", "").replace("poisson: 500/s", "once: {count: 5}"), 1);
        assert!(finite.is_empty(), "{finite:?}");
    }

    #[test]
    fn timeouts_cut_percentiles_off() {
        let cut = run(&station(200, "{duration: 50s}", ", timeout: 30ms"), 1);
        // P(service > 30 ms) = 5 %: affects p95 and above, or p99 if chance made the share slightly smaller.
        let found = about(&cut, "timed out and are not in");
        assert!(found.len() == 1 && (found[0].contains("p95") || found[0].contains("p99")), "{cut:?}");
        let patient = run(&station(200, "{duration: 50s}", ", timeout: 1s"), 1);
        assert!(about(&patient, "timed out").is_empty(), "{patient:?}");
    }

    #[test]
    fn one_run_says_so_where_chance_plays_a_part() {
        assert_eq!(about(&run(&station(100, "{duration: 5s}", ""), 1), "Single run").len(), 1);
        let even = station(100, "{duration: 5s}", "").replace("poisson: 100/s", "constant: 100/s");
        assert_eq!(about(&run(&even, 1), "Single run").len(), 1, "its times are drawn");
        assert!(about(&run(&even.replace("{exp: 10ms}", "5ms"), 1), "Single run").is_empty());
    }

    /// Filling a cache of ten thousand entries before a slow database takes 20 s. With a warm-up there is no warning.
    #[test]
    fn a_beginning_unlike_the_rest_is_told() {
        let filling = "
version: 1
run: {duration: 100s, warmup: 0s}
workloads: {w: {arrivals: {poisson: 500/s}, requests: [{key: {zipf: {keys: 2000, s: 0.8}}}], call: c}}
components:
  c: {kind: cache, to: db, capacity: 10k}
  db: {kind: database, connections: 500, operations: {default: 200ms}}
";
        for seed in 1..=5 {
            let cold = run(filling, seed);
            assert_eq!(about(&cold, "Warm-up too short").len() + about(&cold, "No steady state").len(), 1, "{cold:?}");
        }
    }

    /// Forty level runs each at 30, 60 and 80 % load. Independent batches hardly ever differ by six standard errors; those of a
    /// queue are correlated, so one false alarm in forty is allowed.
    #[test]
    fn what_is_level_raises_no_alarm() {
        for rate in [300, 600, 800] {
            let yaml = station(rate, "{duration: 60s, warmup: 5s}", "");
            let alarms = (1..=40).filter(|seed| {
                let found = run(&yaml, *seed);
                !about(&found, "Warm-up").is_empty() || !about(&found, "steady state").is_empty()
            });
            let alarms = alarms.count();
            assert!(alarms <= 1, "{alarms} false alarms in 40 runs at {rate}/s");
        }
    }
}

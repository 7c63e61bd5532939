//! Metrics by their path in the language: `workloads.shoppers.latency.p99`, `components.db.amplification`, `goodput`.
//!
//! A single walk over a result visits every figure with its name, value and unit; finding a metric, listing metrics and
//! suggesting the nearest name all use this walk. A path equals that in the JSON result, without the unit's suffix `_s`.

mod rows;

use std::borrow::Cow;

use models::figures::{of_hosts, of_workloads};
use sim_core::Outcome;

use crate::figures::{Own, Reading};
use crate::result::{ComponentResult, Demand, HostsResult, RunResult};
use rows::{Found, Row};

pub use sim_core::figures::Unit;

/// A path that is not the path of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMetric {
    /// The path that was looked up.
    pub path: String,
    /// The metric that was probably meant.
    pub nearest: Option<String>,
}

impl std::fmt::Display for UnknownMetric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no metric is called `{}`", self.path)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownMetric {}

/// Metrics of components that the language defines and this version does not measure.
const NOT_YET: &[&str] = &[
    "memory",
    "cost",
    "stale_reads",
    "consumer_lag",
    "file_descriptors",
    "time_wait",
    "replicas_ready",
    "replicas_starting",
    "replicas_draining",
    "imbalance",
    "autoscale",
    "groups",
    "stale_share",
    "stale_age",
    "lost_writes",
    "violations",
];

/// The same for hosts.
const NOT_YET_OF_HOSTS: &[&str] = &["io", "file_descriptors", "cost"];

/// Whether a path without a metric is nevertheless defined by the language.
pub fn is_not_yet(path: &str) -> bool {
    let mut segments = path.split('.');
    let not_yet = match segments.next() {
        Some("components") => NOT_YET,
        Some("hosts") => NOT_YET_OF_HOSTS,
        _ => return false,
    };
    segments.skip(1).any(|segment| not_yet.contains(&segment))
}

/// The segment between the path of a workload or component and the name of one of its operations.
pub(crate) const OPS: &str = "ops";

/// The metric that an objective evaluates for a given path: a percentile of a workload's latency refers to all requests
/// sent.
pub fn at_gate(path: &str) -> String {
    let latency = format!(".{}.", of_workloads::LATENCY.name);
    let is_percentile =
        |part: &str| part.strip_prefix('p').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    match path.rsplit_once(&latency) {
        Some((at, part)) if at.starts_with("workloads.") && is_percentile(part) => {
            format!("{at}.{}.{part}", of_workloads::LATENCY_ALL.name)
        }
        _ => path.to_string(),
    }
}

/// A path in the form that results use; a replica or host may also be written as `components.api.3.utilization`.
pub fn canonical(path: &str) -> Cow<'_, str> {
    let (group, rest) = path.split_once('.').unwrap_or((path, ""));
    let mut segments = rest.splitn(3, '.');
    match (group, segments.next(), segments.next(), segments.next()) {
        ("components" | "hosts", Some(name), Some(number), Some(rest))
            if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            format!("{group}.{name}[{number}].{rest}").into()
        }
        _ => path.into(),
    }
}

/// One figure of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its path.
    pub name: String,
    /// Its value; `None` where it cannot be known.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: Unit,
    /// Why it is infinite, if it is; its value is then `None`.
    pub infinite: Option<String>,
}

/// Every metric of a result, in its order: total goodput, workloads, components, links. Single replicas are left out.
pub fn all(result: &RunResult) -> Vec<Metric> {
    let mut walk = Walk::default();
    walk.add("goodput", Some(result.goodput), Unit::PerSecond);
    for (name, workload) in &result.workloads {
        let at = format!("workloads.{name}");
        walk.figures(&at, workload, rows::OF_WORKLOADS, &workload.own);
        for (op, of_op) in &workload.ops {
            walk.figures(&format!("{at}.{OPS}.{op}"), of_op, rows::OF_WORKLOAD_OPS, &Own::default());
        }
    }
    for (name, component) in &result.components {
        let at = format!("components.{name}");
        walk.figures(&at, component, rows::OF_COMPONENTS, &component.own);
        for (op, of_op) in &component.ops {
            walk.figures(&format!("{at}.{OPS}.{op}"), of_op, rows::OF_COMPONENT_OPS, &Own::default());
        }
    }
    for (name, hosts) in &result.hosts {
        walk.figures(&format!("hosts.{name}"), hosts, rows::OF_HOSTS, &hosts.own);
    }
    for (from, links) in &result.links {
        for (name, link) in links {
            walk.figures(&format!("links.{from}.{name}"), link, rows::OF_LINKS, &link.own);
        }
    }
    walk.found
}

/// The default metrics: total goodput, then the latencies of each workload, then the utilisation and amplification of each
/// component. For the result of a run that has not started, this includes metrics whose value may remain unknown.
pub fn main_metrics(result: &RunResult) -> Vec<String> {
    let mut names = vec!["goodput".to_string()];
    for workload in result.workloads.keys() {
        names.extend(["p50", "p99"].map(|p| format!("workloads.{workload}.latency.{p}")));
    }
    for (component, figures) in &result.components {
        // Before the run starts, the utilisation is unknown in any case.
        if figures.utilization.is_some() || result.run.events == 0 {
            names.push(format!("components.{component}.utilization"));
        }
        names.push(format!("components.{component}.amplification"));
    }
    names
}

/// Finds the metric at a path.
///
/// `objectives.NAME` is 1 if the objective of that name holds and 0 otherwise; over several runs its mean is the
/// probability that it holds. `objectives.NAME.value` is the value compared to the bound: for `recovers`, the recovery
/// time. `components.api[3].utilization` is that of replica 3, counting from 0. Arrivals, outcomes and times from call to
/// answer are counted for all replicas together, so a single replica has none.
pub fn find(result: &RunResult, path: &str) -> Result<Metric, UnknownMetric> {
    let path = &*canonical(path);
    if let Some((name, hosts, number, rest)) = parts_of_host(result, path) {
        return find_of_host(name, hosts, number, rest, path);
    }
    if let Some((name, component, replica, rest)) = parts_of_replica(result, path) {
        return find_of_replica(name, component, replica, rest, path);
    }
    if let Some(name) = path.strip_prefix(OBJECTIVES) {
        let of = |name: &str| result.objectives.iter().find(|objective| objective.name == name);
        if let Some(objective) = name.strip_suffix(VALUE).and_then(of) {
            let unit = match objective.demand {
                Demand::Recovers => Unit::Seconds,
                Demand::Below | Demand::Above => unit(result, &objective.metric)?,
            };
            let infinite = objective.reason.clone();
            return Ok(Metric { name: path.to_string(), value: objective.value, unit, infinite });
        }
        let value = of(name).map(|objective| Some(f64::from(u8::from(objective.holds))));
        let names = result.objectives.iter().map(|objective| objective.name.as_str());
        let metric = value.map(|value| Metric { name: path.to_string(), value, unit: Unit::Fraction, infinite: None });
        return metric.ok_or_else(|| {
            let nearest = settings::problem::nearest(name, names).map(|name| format!("{OBJECTIVES}{name}"));
            UnknownMetric { path: path.to_string(), nearest }
        });
    }
    let all = all(result);
    match all.iter().position(|metric| metric.name == path) {
        Some(place) => Ok(all[place].clone()),
        None => Err(unknown(path, all.iter().map(|metric| metric.name.as_str()))),
    }
}

/// Prefix of the paths of objectives.
const OBJECTIVES: &str = "objectives.";

/// Suffix of the path of an objective's value.
const VALUE: &str = ".value";

/// Whether a metric is 0 or 1 in each run, so that its mean is a probability.
pub fn is_event(path: &str) -> bool {
    path.starts_with(OBJECTIVES) && !path.ends_with(VALUE)
}

/// The default metrics of a comparison: the main metrics, then for each workload the shares of successes and of each failure,
/// and the worst window; then whether each objective holds, and the recovery times.
pub fn compared_metrics(result: &RunResult) -> Vec<String> {
    let mut names = main_metrics(result);
    for workload in result.workloads.keys() {
        let figures = [&of_workloads::SUCCESS, &of_workloads::ERROR_RATE, &of_workloads::WORST_WINDOW];
        names.extend(figures.map(|figure| format!("workloads.{workload}.{}", figure.name)));
    }
    for objective in &result.objectives {
        names.push(format!("{OBJECTIVES}{}", objective.name));
        if objective.demand == Demand::Recovers {
            names.push(format!("{OBJECTIVES}{}{VALUE}", objective.name));
        }
    }
    names
}

/// The value of a metric; `Ok(None)` where it cannot be known in this run.
pub fn value(result: &RunResult, path: &str) -> Result<Option<f64>, UnknownMetric> {
    find(result, path).map(|metric| metric.value)
}

/// The unit of a metric.
pub fn unit(result: &RunResult, path: &str) -> Result<Unit, UnknownMetric> {
    find(result, path).map(|metric| metric.unit)
}

/// The paths of all metrics.
pub fn names(result: &RunResult) -> Vec<String> {
    all(result).into_iter().map(|metric| metric.name).collect()
}

/// The columns of the time series whose sum is a metric over time; empty if the metric is not kept over time.
pub fn columns(result: &RunResult, path: &str) -> Vec<String> {
    if path == "goodput" {
        return result.workloads.keys().map(|workload| format!("workloads.{workload}.goodput")).collect();
    }
    let path = canonical(path);
    let kept = |name: &String| result.series.columns.contains_key(name);
    [path.to_string(), format!("{path}_s")].into_iter().find(kept).into_iter().collect()
}

/// The component, the number of the replica and the rest of the path.
fn parts_of_replica<'p, 'r>(
    result: &'r RunResult,
    path: &'p str,
) -> Option<(&'p str, &'r ComponentResult, u32, &'p str)> {
    let (name, rest) = path.strip_prefix("components.")?.split_once('[')?;
    let (replica, rest) = rest.split_once("].")?;
    Some((name, result.components.get(name)?, replica.parse().ok()?, rest))
}

fn find_of_replica(
    name: &str,
    component: &ComponentResult,
    replica: u32,
    rest: &str,
    path: &str,
) -> Result<Metric, UnknownMetric> {
    let refuse = |nearest: Option<String>| Err(UnknownMetric { path: path.to_string(), nearest });
    let Some(one) = component.each.iter().find(|one| one.number == replica) else {
        let last = component.each.last().map(|one| one.number);
        return refuse(last.map(|last| format!("components.{name}[{last}].{rest}")));
    };
    let mut walk = Walk::default();
    walk.figures(&format!("components.{name}[{replica}]"), one, rows::OF_REPLICAS, &one.own);
    if let Some(metric) = walk.found.iter().find(|metric| metric.name == path) {
        return Ok(metric.clone());
    }
    // A metric missing for one replica may exist for all of them together.
    let mut whole = Walk::default();
    whole.figures(&format!("components.{name}"), component, rows::OF_COMPONENTS, &component.own);
    let of_all = format!("components.{name}.{rest}");
    match whole.found.iter().any(|metric| metric.name == of_all) {
        true => refuse(Some(of_all)),
        false => Err(unknown(path, walk.found.iter().map(|metric| metric.name.as_str()))),
    }
}

/// The group of hosts, the number of the host and the rest of the path.
fn parts_of_host<'p, 'r>(result: &'r RunResult, path: &'p str) -> Option<(&'p str, &'r HostsResult, usize, &'p str)> {
    let (name, rest) = path.strip_prefix("hosts.")?.split_once('[')?;
    let (number, rest) = rest.split_once("].")?;
    Some((name, result.hosts.get(name)?, number.parse().ok()?, rest))
}

fn find_of_host(
    name: &str,
    hosts: &HostsResult,
    number: usize,
    rest: &str,
    path: &str,
) -> Result<Metric, UnknownMetric> {
    let figure = &of_hosts::CPU;
    let last = hosts.each.len().saturating_sub(1);
    match hosts.each.get(number) {
        Some(value) if rest == figure.name => {
            Ok(Metric { name: path.to_string(), value: *value, unit: figure.unit, infinite: None })
        }
        _ => {
            let nearest = format!("hosts.{name}[{}].{}", number.min(last), figure.name);
            Err(UnknownMetric { path: path.to_string(), nearest: Some(nearest) })
        }
    }
}

fn unknown<'n>(path: &str, names: impl Iterator<Item = &'n str>) -> UnknownMetric {
    let names: Vec<&str> = names.collect();
    let bare = path.strip_suffix("_s").unwrap_or(path);
    let nearest = match names.iter().find(|name| **name == bare) {
        Some(name) => Some(*name),
        None => settings::problem::nearest(bare, names.iter().copied()),
    };
    UnknownMetric { path: path.to_string(), nearest: nearest.map(str::to_string) }
}

#[derive(Default)]
struct Walk {
    found: Vec<Metric>,
}

impl Walk {
    fn add(&mut self, name: impl Into<String>, value: Option<f64>, unit: Unit) {
        self.found.push(Metric { name: name.into(), value, unit, infinite: None });
    }

    /// Visits the figures of one workload, component, replica or link: the common ones, and those that its kind or its policies
    /// declare.
    fn figures<R>(&mut self, at: &str, result: &R, rows: &[Row<R>], own: &Own) {
        for Row(figure, find) in rows {
            let path = format!("{at}.{}", figure.name);
            match find(result) {
                None => {}
                Some(Found::Number(value)) => self.add(path, value, figure.unit),
                Some(Found::Times(times)) => self.reading(&path, &Reading::Times(*times)),
                Some(Found::All(all)) => {
                    let first = self.found.len();
                    self.reading(&path, &Reading::Times(all.times));
                    for metric in &mut self.found[first..] {
                        if metric.value.is_none() {
                            metric.infinite = all.reason.clone();
                        }
                    }
                }
                Some(Found::Outcomes(outcomes)) => {
                    // Include outcomes that never occurred: the absence of timeouts is a figure, too.
                    for outcome in Outcome::ALL {
                        let count = outcomes.get(outcome.name()).copied().unwrap_or(0);
                        self.add(format!("{path}.{}", outcome.name()), Some(count as f64), figure.unit);
                    }
                }
            }
        }
        own.iter().for_each(|(name, reading)| self.reading(&format!("{at}.{name}"), reading));
    }

    fn reading(&mut self, path: &str, reading: &Reading) {
        for (part, value, unit) in reading.parts() {
            let dot = if part.is_empty() { "" } else { "." };
            self.add(format!("{path}{dot}{part}"), value, unit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Session, Text, load};
    use std::sync::Arc;

    fn storm() -> RunResult {
        let text = language::builtin::text("retry-storm").expect("built in").as_bytes().to_vec();
        let text = Text { name: "@retry-storm".into(), bytes: text, folder: None };
        let options = Options { overrides: vec!["run.duration=20s".into()], ..Options::default() };
        let loaded = load(&text, &options).expect("a good scenario");
        let mut session = Session::new(Arc::new(loaded), 1, None);
        session.run_to_end().expect("it runs");
        session.result()
    }

    #[test]
    fn an_outcome_that_never_happened_was_seen_zero_times() {
        assert_eq!(value(&storm(), "workloads.shoppers.outcomes.reset"), Ok(Some(0.0)));
    }

    /// Three replicas with two workers each; one of them, chosen at random, is down from the beginning.
    #[test]
    fn replicas_one_by_one_make_up_the_component() {
        let yaml = "\
version: 1
run: {duration: 30s}
workloads:
  users: {arrivals: {poisson: 150/s}, call: {to: api, health_check: instant}}
components:
  api:
    kind: service
    replicas: 3
    runtime: {thread_pool: {threads: 2}}
    handlers: {default: [wait: {exp: 20ms}]}
faults: [{at: 0s, kill: {component: api, replicas: 1}}]
";
        let text = Text { name: "replicas.yaml".into(), bytes: yaml.into(), folder: None };
        let loaded = load(&text, &Options::default()).expect("a good scenario");
        let mut session = Session::new(Arc::new(loaded), 1, None);
        session.run_to_end().expect("it runs");
        let result = session.result();
        let each = |what: &str| -> Vec<f64> {
            (0..3).map(|nth| value(&result, &format!("components.api[{nth}].{what}")).unwrap().unwrap()).collect()
        };
        let whole = |what: &str| value(&result, &format!("components.api.{what}")).unwrap().unwrap();
        let busy = each("utilization");
        assert_eq!(busy.iter().filter(|share| **share == 0.0).count(), 1, "{busy:?}");
        // Two thirds of the workers do the work that would keep half of all of them busy.
        assert!(busy.iter().all(|share| *share == 0.0 || (0.6..0.9).contains(share)), "{busy:?}");
        assert!((busy.iter().sum::<f64>() / 3.0 - whole("utilization")).abs() < 1e-12);
        assert!((each("queue.depth").iter().sum::<f64>() - whole("queue.depth")).abs() < 1e-9);
        assert_eq!(unit(&result, "components.api[0].utilization"), Ok(Unit::Fraction));
        let nearest = |path: &str| find(&result, path).expect_err(path).nearest;
        assert_eq!(nearest("components.api[3].utilization").as_deref(), Some("components.api[2].utilization"));
        assert_eq!(nearest("components.api[0].utilisation").as_deref(), Some("components.api[0].utilization"));
        assert_eq!(nearest("components.api[0].arrivals").as_deref(), Some("components.api.arrivals"));
    }

    #[test]
    fn an_unknown_metric_names_the_nearest() {
        let result = storm();
        let nearest = |path: &str| value(&result, path).expect_err(path).nearest;
        assert_eq!(nearest("goodputt").as_deref(), Some("goodput"));
        assert_eq!(nearest("workloads.shopers.latency.p99").as_deref(), Some("workloads.shoppers.latency.p99"));
        assert_eq!(nearest("workloads.shoppers.latency.p99_s").as_deref(), Some("workloads.shoppers.latency.p99"));
    }

    /// These paths are rejected by name, so no metric may have one of them.
    #[test]
    fn what_is_not_measured_yet_is_not_measured() {
        for name in names(&storm()) {
            assert!(!is_not_yet(&name), "{name}");
        }
        assert!(is_not_yet("components.db.stale_reads") && !is_not_yet("links.api.db.breaker.open"));
        assert!(!is_not_yet("components.memory.arrivals") && !is_not_yet("goodput"));
    }

    #[test]
    fn what_is_kept_over_time_is_found_by_its_path() {
        let result = storm();
        assert_eq!(columns(&result, "workloads.shoppers.latency.p99"), ["workloads.shoppers.latency.p99_s"]);
        assert_eq!(columns(&result, "goodput"), ["workloads.shoppers.goodput"]);
        assert_eq!(columns(&result, "components.db.latency.p99"), [""; 0]);
    }
}

//! Confidence intervals of a metric measured in several independent runs.
//!
//! A mean has Student's interval. For a percentile of short runs that interval is too narrow, for two reasons: a run with
//! few values beyond a percentile tends to underestimate it, and the estimates are skewed. So the interval of a percentile
//! is widened: for the bias, by comparison with the percentile of all runs pooled, and for the skewness. The resulting
//! coverage is measured in `lab/tests/it/coverage.rs`.

use std::sync::Arc;

use sim_core::histogram::Histogram;
use sim_core::time::SECOND;

use crate::metrics::{self, Metric};
use crate::result::RunResult;
use crate::statistics::{self, Interval};

/// The percentile that a metric names, as a fraction: 0.99 for `…latency.p99`. p999 is the 99.9th percentile.
pub(crate) fn percentile(path: &str) -> Option<f64> {
    let digits = path.rsplit_once('.')?.1.strip_prefix('p')?;
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let value: f64 = digits.parse().ok().filter(|_| all_digits)?;
    Some(value / 10f64.powi(digits.len() as i32))
}

/// One run's value of a metric, with the data needed to pool the runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// `None` if it is not known.
    pub(crate) value: Option<f64>,
    /// Whether it is unknown because it is infinite.
    pub(crate) is_infinite: bool,
    /// For a percentile, the times it is taken from, ns, where they are kept.
    pub(crate) times: Option<Arc<Histogram>>,
}

impl Sample {
    /// The sample of the metric at a path.
    pub(crate) fn of(result: &RunResult, path: &str) -> Sample {
        metrics::find(result, path).map_or_else(|_| Sample::default(), |metric| Sample::new(&metric, result))
    }

    /// The sample of a metric of a result.
    pub(crate) fn new(metric: &Metric, result: &RunResult) -> Sample {
        let path = &metric.name;
        let times = percentile(path).and_then(|_| result.times.get(path.rsplit_once('.')?.0).cloned());
        Sample { value: metric.value, is_infinite: metric.infinite.is_some(), times }
    }
}

/// The interval of the mean of the known values; `None` if none is known, or if one, and thus the mean, is infinite.
pub(crate) fn of(path: &str, samples: &[Sample], confidence: f64) -> Option<Interval> {
    if samples.iter().any(|sample| sample.is_infinite) {
        return None;
    }
    let values: Vec<f64> = samples.iter().filter_map(|sample| sample.value).collect();
    match percentile(path) {
        None => statistics::mean_interval(&values, confidence),
        Some(fraction) => {
            let mut together = Histogram::new();
            samples.iter().filter_map(|sample| sample.times.as_deref()).for_each(|times| together.merge(times));
            let has_all = samples.iter().all(|sample| sample.times.is_some() || sample.value.is_none());
            let pooled = together.quantile(fraction).filter(|_| has_all).map(|ns| ns as f64 / SECOND as f64);
            statistics::percentile_interval(&values, pooled, confidence)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_known_by_its_name() {
        assert_eq!(percentile("workloads.u.latency.p99"), Some(0.99));
        assert_eq!(percentile("workloads.u.latency.p999"), Some(0.999));
        assert_eq!(percentile("workloads.u.latency.p50"), Some(0.5));
        assert_eq!(percentile("workloads.p99.latency.mean"), None);
        assert_eq!((percentile("goodput"), percentile("links.a.b.pool")), (None, None));
    }
}

//! Latencies of all requests sent, not only of those answered.
//!
//! A percentile over the answered requests hides an outage: a service that answers one request in a hundred immediately has
//! a good p99. Here, a request that does not end well has an infinite latency. A request still under way at the end misses
//! every bound below its age; for other bounds its outcome is unknown, and it is left out. So the percentile is the least
//! bound within which that share of the counted requests was answered, and it meets a bound exactly if the requests do.

use serde::{Deserialize, Serialize};
use sim_core::histogram::{Histogram, middle_of, nearest_rank};
use sim_core::time::SECOND;

use crate::figures::Latency;

/// Infinity in a histogram.
const INFINITE: u64 = u64::MAX;

/// Percentiles of the latency of all requests sent. If any request has ended, `None` means infinite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyAll {
    /// Mean, percentiles and maximum; the count is that of requests that have ended.
    #[serde(flatten)]
    pub times: Latency,
    /// Why some of these figures are infinite; `None` if none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Latencies of requests that have ended: those answered well, those answered `client_error`, and an infinite latency for
/// the rest of all `ended`.
pub(crate) fn ended(well: &Histogram, refused: &Histogram, ended: u64) -> Histogram {
    let mut all = well.clone();
    all.merge(refused);
    all.record_many(INFINITE, ended.saturating_sub(all.count()));
    all
}

/// A part of the latencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Of {
    Mean,
    Quantile(f64),
    Longest,
}

/// The requests sent.
pub(crate) struct Sent {
    /// Latencies of those that have ended, ns.
    ended: Histogram,
    /// Ages of those under way, ns, the youngest first.
    ages: Vec<u64>,
}

impl Sent {
    pub(crate) fn new(ended: Histogram, mut ages: Vec<u64>) -> Sent {
        ages.sort_unstable();
        Sent { ended, ages }
    }

    /// A figure in seconds, possibly infinite; `None` if nothing is known.
    pub(crate) fn value(&self, of: Of) -> Option<f64> {
        let in_seconds = |ns: f64| ns / SECOND as f64;
        let never = self.failed() > 0;
        match of {
            Of::Mean if never => Some(f64::INFINITY),
            Of::Mean => self.ended.mean().map(in_seconds),
            Of::Longest => {
                self.quantile(1.0).map(|ns| if ns == INFINITE { f64::INFINITY } else { in_seconds(ns as f64) })
            }
            Of::Quantile(p) => {
                self.quantile(p).map(|ns| if ns == INFINITE { f64::INFINITY } else { in_seconds(ns as f64) })
            }
        }
    }

    /// Number of requests that did not end well.
    fn failed(&self) -> u64 {
        let last = self.ended.iter().last();
        last.filter(|bucket| bucket.high == INFINITE).map_or(0, |bucket| bucket.count)
    }

    /// The least bound within which the share `p` was answered of those requests that have ended or are at least that old.
    fn quantile(&self, p: f64) -> Option<u64> {
        if self.ages.is_empty() {
            return self.ended.quantile(p).map(|ns| if ns > INFINITE / 2 { INFINITE } else { ns });
        }
        let ended = self.ended.count();
        let (least, most) = (self.ended.min().unwrap_or(0), self.ended.max().unwrap_or(0));
        // Whether `within` answers suffice if `younger` of the requests under way are younger than the bound.
        let enough = |within: u64, younger: usize| {
            let counted = ended + (self.ages.len() - younger) as u64;
            counted == 0 || within >= nearest_rank(p, counted)
        };
        let (mut within, mut younger) = (0, 0);
        for bucket in self.ended.iter().filter(|bucket| bucket.high != INFINITE) {
            let high = middle_of(bucket.low).clamp(least, most);
            // Of the bounds between two answers, take the least that leaves out enough of the requests under way.
            while let Some(age) = self.ages.get(younger).filter(|age| **age < high) {
                younger += 1;
                if enough(within, younger) {
                    return Some(age + 1);
                }
            }
            within += bucket.count;
            if enough(within, younger) {
                return Some(high);
            }
        }
        let rest = self.ages.iter().enumerate().skip(younger);
        let bound = rest.filter(|(_, age)| **age < INFINITE).find(|(place, _)| enough(within, place + 1));
        Some(bound.map_or(INFINITE, |(_, age)| age + 1))
    }

    /// All figures.
    pub(crate) fn summary(&self) -> LatencyAll {
        let of = |of: Of| self.value(of).filter(|value| value.is_finite());
        let times = Latency {
            mean_s: of(Of::Mean),
            p50_s: of(Of::Quantile(0.5)),
            p90_s: of(Of::Quantile(0.9)),
            p95_s: of(Of::Quantile(0.95)),
            p99_s: of(Of::Quantile(0.99)),
            p999_s: of(Of::Quantile(0.999)),
            max_s: of(Of::Longest),
            count: self.ended.count(),
        };
        LatencyAll { reason: self.reason(), times }
    }

    fn reason(&self) -> Option<String> {
        let (failed, ended) = (self.failed(), self.ended.count());
        let which = if ended == 1 { "request that has ended" } else { "requests that have ended" };
        (failed > 0).then(|| format!("{failed} of {ended} {which} failed"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The naive algorithm: tries every bound.
    fn slow(answers: &[u64], failed: u64, ages: &[u64], p: f64) -> Option<u64> {
        let mut bounds: Vec<u64> = answers.iter().copied().chain(ages.iter().map(|age| age + 1)).collect();
        bounds.sort_unstable();
        let holds = |bound: &u64| {
            let within = answers.iter().filter(|ns| *ns <= bound).count() as u64;
            let old = ages.iter().filter(|age| *age >= bound).count() as u64;
            let counted = answers.len() as u64 + failed + old;
            counted == 0 || within >= nearest_rank(p, counted)
        };
        if answers.is_empty() && failed == 0 && ages.is_empty() {
            return None;
        }
        Some(bounds.into_iter().find(holds).unwrap_or(INFINITE))
    }

    proptest! {
        /// Values below 512 have a bucket each, so the two must agree to the nanosecond.
        #[test]
        fn percentiles_are_the_least_bounds_that_hold(
            answers in prop::collection::vec(1u64..500, 0..30),
            failed in 0u64..6,
            ages in prop::collection::vec(0u64..500, 0..12),
            p in prop_oneof![Just(0.5), Just(0.9), Just(0.99), Just(1.0)],
        ) {
            let mut well = Histogram::new();
            well.record_all(&answers);
            let all = ended(&well, &Histogram::new(), answers.len() as u64 + failed);
            let sent = Sent::new(all, ages.clone());
            prop_assert_eq!(sent.quantile(p), slow(&answers, failed, &ages, p));
        }
    }

    #[test]
    fn failures_are_infinitely_slow_and_refusals_are_answers() {
        let (mut well, mut refused) = (Histogram::new(), Histogram::new());
        well.record_many(10 * 1_000_000, 98);
        refused.record(20 * 1_000_000);
        let sent = Sent::new(ended(&well, &refused, 100), Vec::new()).summary();
        let ms = |seconds: Option<f64>| seconds.map(|s| (s * 1e3).round());
        assert_eq!((ms(sent.times.p50_s), ms(sent.times.p99_s)), (Some(10.0), Some(20.0)));
        assert_eq!((sent.times.p999_s, sent.times.max_s, sent.times.mean_s), (None, None, None));
        assert_eq!(sent.reason.as_deref(), Some("1 of 100 requests that have ended failed"));
        let all_well = Sent::new(ended(&well, &refused, 99), Vec::new()).summary();
        assert_eq!((all_well.times.max_s, all_well.reason), (Some(0.02), None));
    }

    /// The latency of a request under way is unknown, except that it exceeds its age.
    #[test]
    fn what_is_under_way_is_a_miss_for_every_bound_that_it_is_older_than() {
        let mut well = Histogram::new();
        well.record_many(100, 9);
        let sent = |age: u64| Sent::new(ended(&well, &Histogram::new(), 9), vec![age]);
        assert_eq!(sent(50).quantile(0.99), Some(100));
        assert_eq!(sent(300).quantile(0.99), Some(301));
        assert_eq!(sent(300).quantile(0.9), Some(100), "nine of ten are enough");
        assert_eq!(Sent::new(Histogram::new(), vec![300]).quantile(0.5), Some(301));
        assert_eq!(Sent::new(Histogram::new(), Vec::new()).quantile(0.5), None);
    }
}

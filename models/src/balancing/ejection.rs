//! Outlier ejection: who answers badly is not called for a while, whatever probes say of it.
//!
//! The rules are Envoy's (`source/common/upstream/outlier_detection_impl.cc`). So many failures in a row eject a target at once. A sweep
//! every `interval` looks at the answers since the last one: targets whose success rate is too far below the others' mean are ejected, and so
//! are, where that is on, those that fail too often. An ejection lasts `base` times how often the target has been ejected, at most `max`,
//! and ends only at a sweep; each sweep at which a target is not ejected takes one off that number. No target is ejected while that would
//! make the ejected more than `max_ejected` of all.
//!
//! One difference: each target's turn in a sweep is that of its number, where Envoy's is that of a hash table.

use settings::{Duration, Fraction, Setting};
use sim_core::{Outcome, Span, Time};

use crate::policies::flaw::Flaw;
use crate::policies::or_none::OrNone;
use crate::policies::presets::{Preset, Presets};

/// When a success rate is an outlier.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
pub struct SuccessRateSettings {
    /// Standard deviations below the mean success rate at which a target is ejected. Envoy's `success_rate_stdev_factor` is 1900
    /// thousandths.
    #[setting(default = 1.9, range = "0..=100")]
    pub stdev: f64,
    /// Targets with enough requests that there must be (Envoy's `success_rate_minimum_hosts`).
    #[setting(default = 5, range = "1..=100000")]
    pub minimum_hosts: u32,
    /// Requests to a target within `interval` for its rate to count (Envoy's `success_rate_request_volume`).
    #[setting(default = 100, range = "1..=1000000000")]
    pub requests: u32,
}

/// When failures are too many, whatever the others do.
#[derive(Clone, Copy, Debug, PartialEq, Setting)]
pub struct FailurePercentageSettings {
    /// Share of failures at which a target is ejected (Envoy's `failure_percentage_threshold`).
    #[setting(default = "85%", range = ">0..=1")]
    pub threshold: Fraction,
    /// Targets with enough requests that there must be (Envoy's `failure_percentage_minimum_hosts`).
    #[setting(default = 5, range = "1..=100000")]
    pub minimum_hosts: u32,
    /// Requests to a target within `interval` for its rate to count (Envoy's `failure_percentage_request_volume`).
    #[setting(default = 50, range = "1..=1000000000")]
    pub requests: u32,
}

/// Outlier ejection as Envoy has it. Failures are the outcomes `error`, `overload`, `unavailable` and `reset`, and `timeout` where this
/// balancer's own `to.timeout` ended the attempt.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct EjectionSettings {
    /// Consecutive failures that eject a target; `none` counts no runs. Envoy's default (`consecutive_5xx`).
    #[setting(default = 5)]
    pub consecutive_errors: OrNone<u32>,
    /// Interval between sweeps, which compare targets and end ejections. Envoy's default.
    #[setting(default = "10s", range = ">0s")]
    pub interval: Duration,
    /// Duration of the first ejection; the n-th takes n times as long. Envoy's default (`base_ejection_time`).
    #[setting(default = "30s")]
    pub base: Duration,
    /// Longest ejection. Envoy's default (`max_ejection_time`).
    #[setting(default = "300s")]
    pub max: Duration,
    /// Share of the targets that may be ejected at once. With Envoy's default, `max_ejection_percent`, nobody of nine or fewer is ejected.
    #[setting(default = "10%")]
    pub max_ejected: Fraction,
    /// Ejection of targets whose success rate lies below the others'; `none` switches it off. On in Envoy.
    #[setting(default = "{stdev: 1.9, minimum_hosts: 5, requests: 100}")]
    pub success_rate: OrNone<SuccessRateSettings>,
    /// Ejection of targets that fail more often than a fixed share. Off in Envoy.
    #[setting(default = "none")]
    pub failure_percentage: OrNone<FailurePercentageSettings>,
}

impl Presets for EjectionSettings {
    const PRESETS: &'static [Preset] = &[Preset {
        word: "envoy",
        doc: "Envoy's defaults (`outlier_detection.proto`): five errors in a row, or a success rate 1.9 standard deviations below the mean; 30 s, at most a tenth.",
        settings: "{}",
    }];
}

impl EjectionSettings {
    /// What is wrong with the settings as a whole.
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut flaw = |code: &'static str, key: &str, message: &str, help: &str| {
            let (key, message, help) = (key.to_string(), message.to_string(), help.to_string());
            flaws.push(Flaw { code, key, message, help });
        };
        if *self.consecutive_errors == Some(0) {
            let help = "write `consecutive_errors: 5`, or `none`";
            flaw("out_of_range", "consecutive_errors", "`consecutive_errors` must be at least 1", help);
        }
        if self.consecutive_errors.is_none() && self.success_rate.is_none() && self.failure_percentage.is_none() {
            let help = "write one of `consecutive_errors`, `success_rate` and `failure_percentage`";
            flaw("never_reached", "", "nobody is ever ejected: every reason for it is switched off", help);
        }
        if self.max_ejected.0 <= 0.0 {
            flaw("never_reached", "max_ejected", "nobody is ever ejected: `max_ejected` is 0", "write a larger share");
        }
        flaws
    }
}

/// Whether an answer counts as a failure. A timeout is the caller's own: what others have given up on is passed on as `unavailable`.
fn is_failure(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Error | Outcome::Overload | Outcome::Unavailable | Outcome::Reset | Outcome::Timeout => true,
        Outcome::Ok
        | Outcome::Accepted
        | Outcome::Degraded
        | Outcome::RateLimited
        | Outcome::ClientError
        | Outcome::BreakerOpen
        | Outcome::PoolTimeout
        | Outcome::Cancelled => false,
    }
}

/// Whether an end says nothing of the target.
fn says_nothing(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Cancelled | Outcome::BreakerOpen | Outcome::PoolTimeout)
}

/// What is kept of a target.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Failures since the last success or ejection.
    in_a_row: u32,
    /// Answers since the last sweep, and the good ones of those.
    answers: u32,
    good: u32,
    /// By how much the next ejection is longer than `base`.
    times: u32,
    /// When it was ejected, if it is.
    ejected: Option<Time>,
}

/// Why a target is ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It failed so often in a row.
    Consecutive,
    /// Its success rate is an outlier.
    SuccessRate,
    /// It failed too often.
    FailurePercentage,
}

/// What a sweep or an answer has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A target is ejected.
    Ejected(usize, Reason),
    /// One is back.
    Returned(usize),
}

/// What one chooser keeps of the answers of its targets.
#[derive(Clone, Debug)]
pub struct Ejector {
    settings: EjectionSettings,
    records: Vec<Record>,
    /// How many targets there are, by the registry.
    members: usize,
    /// How many are ejected.
    ejected: usize,
    /// Whether any answer came since the last sweep, or any record is of interest to the next.
    has_news: bool,
    /// Ejections that `max_ejected` did not allow.
    pub refused: u64,
}

impl Ejector {
    /// For so many targets, `members` of which are there.
    pub fn new(settings: &EjectionSettings, targets: usize, members: usize) -> Ejector {
        let records = vec![Record::default(); targets];
        Ejector { settings: settings.clone(), records, members, ejected: 0, has_news: false, refused: 0 }
    }

    /// How often it sweeps.
    pub fn interval(&self) -> Span {
        self.settings.interval.0
    }

    /// How many are ejected.
    pub fn ejected(&self) -> usize {
        self.ejected
    }

    /// Nothing is known any more, and nobody is ejected.
    pub fn forget(&mut self) {
        self.records.fill(Record::default());
        (self.ejected, self.has_news) = (0, false);
    }

    /// A target comes, as another that was never called; or goes.
    pub fn member(&mut self, target: usize, comes: bool) {
        self.members = if comes { self.members + 1 } else { self.members.saturating_sub(1) };
        self.ejected -= usize::from(self.records[target].ejected.is_some());
        self.records[target] = Record::default();
    }

    /// An attempt at a target has ended.
    #[inline]
    pub fn ended(&mut self, now: Time, target: usize, outcome: Outcome) -> Option<Verdict> {
        if says_nothing(outcome) {
            return None;
        }
        self.has_news = true;
        let record = &mut self.records[target];
        record.answers = record.answers.saturating_add(1);
        if !is_failure(outcome) {
            record.good = record.good.saturating_add(1);
            record.in_a_row = 0;
            return None;
        }
        self.failed(now, target)
    }

    fn failed(&mut self, now: Time, target: usize) -> Option<Verdict> {
        let limit = (*self.settings.consecutive_errors)?;
        let record = &mut self.records[target];
        record.in_a_row += 1;
        if record.in_a_row < limit || record.ejected.is_some() {
            return None;
        }
        record.in_a_row = 0;
        self.eject(now, target, Reason::Consecutive)
    }

    fn eject(&mut self, now: Time, target: usize, reason: Reason) -> Option<Verdict> {
        let share = 100.0 * (self.ejected + 1) as f64 / self.members.max(1) as f64;
        // A share such as 10 % is not a sum of powers of two.
        if share > self.settings.max_ejected.0 * 100.0 + 1e-9 {
            self.refused += 1;
            return None;
        }
        let (base, max) = (self.settings.base.0, self.settings.max.0.max(self.settings.base.0));
        let record = &mut self.records[target];
        record.ejected = Some(now);
        if base.saturating_mul(Span::from(record.times)) < max.saturating_add(base) {
            record.times += 1;
        }
        self.ejected += 1;
        Some(Verdict::Ejected(target, reason))
    }

    /// The sweep of an instant.
    pub fn sweep(&mut self, now: Time) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        if !std::mem::take(&mut self.has_news) {
            return verdicts;
        }
        let (base, max) = (self.settings.base.0, self.settings.max.0.max(self.settings.base.0));
        for (target, record) in self.records.iter_mut().enumerate() {
            match record.ejected {
                Some(since) if base.saturating_mul(Span::from(record.times)).min(max) <= now - since => {
                    (record.ejected, record.in_a_row) = (None, 0);
                    self.ejected -= 1;
                    verdicts.push(Verdict::Returned(target));
                }
                Some(_) => {}
                None => record.times = record.times.saturating_sub(1),
            }
        }
        self.compare(now, &mut verdicts);
        for record in &mut self.records {
            (record.answers, record.good) = (0, 0);
            self.has_news |= record.times > 0 || record.ejected.is_some();
        }
        verdicts
    }

    /// Those that are not ejected and have had so many answers, with their success rates in percent.
    fn with_answers(&self, enough: u32) -> Vec<(usize, f64)> {
        let counts = |(_, record): &(usize, &Record)| record.ejected.is_none() && record.answers >= enough;
        let rate =
            |(target, record): (usize, &Record)| (target, 100.0 * f64::from(record.good) / f64::from(record.answers));
        self.records.iter().enumerate().filter(counts).map(rate).collect()
    }

    fn compare(&mut self, now: Time, verdicts: &mut Vec<Verdict>) {
        let by_failures = (*self.settings.failure_percentage).map(|by| (by, self.with_answers(by.requests)));
        if let Some(by) = *self.settings.success_rate {
            let rates = self.with_answers(by.requests);
            if rates.len() >= by.minimum_hosts as usize {
                let threshold = threshold(&rates, by.stdev);
                for (target, _) in rates.into_iter().filter(|(_, rate)| *rate < threshold) {
                    verdicts.extend(self.eject(now, target, Reason::SuccessRate));
                }
            }
        }
        let Some((by, rates)) = by_failures.filter(|(by, rates)| rates.len() >= by.minimum_hosts as usize) else {
            return;
        };
        let too_many = |(_, rate): &(usize, f64)| 100.0 - rate >= by.threshold.0 * 100.0 - 1e-9;
        for (target, _) in rates.into_iter().filter(too_many) {
            if self.records[target].ejected.is_none() {
                verdicts.extend(self.eject(now, target, Reason::FailurePercentage));
            }
        }
    }
}

/// So many standard deviations (of all of them, not of a sample) below the mean.
fn threshold(rates: &[(usize, f64)], stdev: f64) -> f64 {
    let count = rates.len() as f64;
    let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
    let variance = rates.iter().map(|(_, rate)| (rate - mean) * (rate - mean)).sum::<f64>() / count;
    mean - stdev * libm::sqrt(variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::time::SECOND;

    fn settings(text: &str) -> EjectionSettings {
        settings::notation::read(text).unwrap_or_else(|why| panic!("{text}: {why:?}"))
    }

    fn ejector(text: &str, targets: usize) -> Ejector {
        Ejector::new(&settings(text), targets, targets)
    }

    fn fails(ejector: &mut Ejector, now: Time, target: usize, times: u32) -> Vec<Verdict> {
        (0..times).filter_map(|_| ejector.ended(now * SECOND, target, Outcome::Error)).collect()
    }

    #[test]
    fn the_fifth_failure_in_a_row_ejects_one_of_ten_and_nobody_of_nine() {
        let ejected = vec![Verdict::Ejected(3, Reason::Consecutive)];
        for (targets, expected) in [(9, vec![]), (10, ejected.clone()), (20, ejected)] {
            let mut ejector = ejector("{}", targets);
            assert_eq!(fails(&mut ejector, 1, 3, 4), []);
            assert_eq!(ejector.ended(SECOND, 3, Outcome::Ok), None);
            assert_eq!(fails(&mut ejector, 1, 3, 4), []);
            assert_eq!(fails(&mut ejector, 1, 3, 1), expected, "{targets}");
            // A second one is one too many of ten, not of twenty.
            let second = fails(&mut ejector, 1, 4, 5);
            assert_eq!(second.len(), usize::from(targets == 20));
            let refused = match targets {
                9 => 2,
                10 => 1,
                _ => 0,
            };
            assert_eq!(ejector.refused, refused);
        }
    }

    #[test]
    fn an_ejection_ends_at_a_sweep_and_the_next_is_longer() {
        let mut ejector = ejector("{}", 10);
        let mut ends = Vec::new();
        let mut ejected_at = 0;
        for second in 1..=400 {
            if second % 10 == 0 {
                for verdict in ejector.sweep(second * SECOND) {
                    assert_eq!(verdict, Verdict::Returned(0));
                    ends.push(second - ejected_at);
                }
            }
            // It goes on failing as soon as it is called again, a second later.
            if second % 10 == 5 && ejector.ejected() == 0 && !fails(&mut ejector, second, 0, 5).is_empty() {
                ejected_at = second;
            }
        }
        // 30 s, 60 s and 90 s, and the rest of the way to a sweep.
        assert_eq!(ends[..3], [35, 65, 95]);
    }

    #[test]
    fn a_sweep_without_an_ejection_shortens_the_next_and_none_is_longer_than_the_most() {
        let mut ejector = ejector("{max: 60s}", 10);
        let times = |ejector: &Ejector| ejector.records[0].times;
        fails(&mut ejector, 5, 0, 5);
        assert_eq!((times(&ejector), ejector.sweep(10 * SECOND)), (1, vec![]));
        assert_eq!(ejector.sweep(35 * SECOND), [Verdict::Returned(0)]);
        assert_eq!(times(&ejector), 1);
        ejector.sweep(45 * SECOND);
        assert_eq!(times(&ejector), 0);
        // base · times < max + base: three times at most here, and 60 s at most whatever the number says.
        for now in [100, 200, 300, 400] {
            fails(&mut ejector, now, 0, 5);
            assert_eq!(ejector.sweep((now + 29) * SECOND), []);
            assert_eq!(ejector.sweep((now + 60) * SECOND), [Verdict::Returned(0)]);
        }
        assert_eq!(times(&ejector), 3);
    }

    /// One sweep over targets with these success rates in percent, of 100 answers each.
    fn swept(text: &str, rates: &[u32]) -> Vec<usize> {
        let mut ejector = ejector(text, rates.len());
        for (target, rate) in rates.iter().enumerate() {
            // No five failures in a row, as far as that is possible.
            (0..100).for_each(|nth| {
                let good = (nth * rate) / 100 != ((nth + 1) * rate) / 100;
                ejector.ended(SECOND, target, if good { Outcome::Ok } else { Outcome::Error });
            });
        }
        let ejected = |verdict| match verdict {
            Verdict::Ejected(target, _) => Some(target),
            Verdict::Returned(_) => None,
        };
        ejector.sweep(10 * SECOND).into_iter().filter_map(ejected).collect()
    }

    #[test]
    fn rates_are_compared_with_the_mean_less_1_9_deviations() {
        let all = "{max_ejected: 100%, consecutive_errors: none}";
        // The threshold of {50, 100, 100, 100, 100} is 52.
        let rates: Vec<(usize, f64)> = [50.0, 100.0, 100.0, 100.0, 100.0].into_iter().enumerate().collect();
        assert!((threshold(&rates, 1.9) - 52.0).abs() < 1e-9);
        assert_eq!(swept(all, &[50, 100, 100, 100, 100]), [0]);
        assert!(swept(all, &[50, 100, 100, 100]).is_empty(), "four are too few to compare");
        // k of n that are equally bad lie √((n − k) ÷ k) deviations below the mean: of ten, two are found and three are not.
        assert_eq!(swept(all, &[50, 50, 100, 100, 100, 100, 100, 100, 100, 100]), [0, 1]);
        assert!(swept(all, &[50, 50, 50, 100, 100, 100, 100, 100, 100, 100]).is_empty());
        // The share that may be ejected holds here too.
        assert_eq!(swept("{consecutive_errors: none}", &[50, 50, 100, 100, 100, 100, 100, 100, 100, 100]), [0]);
    }

    #[test]
    fn who_fails_too_often_is_ejected_where_that_is_on() {
        let on = "{max_ejected: 100%, consecutive_errors: none, success_rate: none, failure_percentage: {}}";
        assert_eq!(swept(on, &[15, 15, 15, 16, 100]), [0, 1, 2]);
        assert!(swept(on, &[15, 15, 15, 15]).is_empty());
    }

    #[test]
    fn what_can_never_eject_is_refused() {
        for text in ["{consecutive_errors: 0}", "{consecutive_errors: none, success_rate: none}", "{max_ejected: 0%}"] {
            assert_eq!(settings(text).flaws().len(), 1, "{text}");
        }
        assert!(settings("{}").flaws().is_empty());
    }
}

//! Envoy's adaptive concurrency: the limit follows how the median time compares with that at hardly any load.
//!
//! Every `update` the limit becomes limit × gradient + √(limit × gradient), with gradient = shortest × (1 + buffer) / median, from
//! 0.5 to 2. About every `min_rtt`, and after five updates in a row that left it at `min`, the limit is `min` until so many
//! `requests` have ended, whose median is then the shortest time; attempts that began earlier do not count. (Envoy,
//! `source/extensions/filters/http/adaptive_concurrency/controller/gradient_controller.cc` at 054694f9.) Times are in whole
//! microseconds, as there. The percentile is that of the samples, by rank, where Envoy reads it off a histogram.

use settings::{Duration, Fraction, Setting};
use sim_core::time::{MICROSECOND, MILLISECOND};
use sim_core::{Span, Time};

use super::{AdaptiveLimit, Chances, Sample, flaw_of_bounds};

/// Envoy's adaptive concurrency. Defaults are Envoy's; where it has none, they are those of the example in its documentation.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct EnvoyGradientSettings {
    /// Time between two updates of the limit: `concurrency_update_interval`, which has no default in Envoy.
    #[setting(default = "100ms", range = ">0s")]
    pub update: Duration,
    /// The most that the limit becomes: `max_concurrency_limit`.
    #[setting(default = 1000, range = "1..=10000000")]
    pub max: u32,
    /// The limit while the shortest time is measured, and the least that it becomes: `min_concurrency`.
    #[setting(default = 3, range = "1..=10000000")]
    pub min: u32,
    /// Time between two measurements of the shortest time: `min_rtt_calc_params.interval`, which has no default in Envoy.
    #[setting(default = "60s", range = ">0s")]
    pub min_rtt: Duration,
    /// Attempts that a measurement takes: `request_count`.
    #[setting(default = 50, range = "1..=1000000")]
    pub requests: u32,
    /// By how much of itself the time between two measurements is longer by chance.
    #[setting(default = "15%")]
    pub jitter: Fraction,
    /// By how much of itself the shortest time is raised before it is compared.
    #[setting(default = "25%")]
    pub buffer: Fraction,
    /// The percentile of times that stands for all: `sample_aggregate_percentile`.
    #[setting(default = "50%")]
    pub percentile: Fraction,
}

/// Consecutive updates at the minimum after which the latency is measured again.
const AT_MINIMUM_MOST: u32 = 5;

/// The state of the limit.
#[derive(Clone, Debug)]
pub struct EnvoyGradient {
    settings: EnvoyGradientSettings,
    limit: u32,
    /// While the shortest time is measured: the limit that comes back behind it.
    deferred: Option<u32>,
    /// The shortest time, in microseconds.
    min_rtt: u64,
    /// Times since the last update, in microseconds.
    samples: Vec<u64>,
    /// Attempts that began before the last measurement did are left out.
    epoch: Time,
    /// When the limit is updated.
    update_at: Option<Time>,
    /// When the shortest time is measured.
    measure_at: Option<Time>,
    /// Updates in a row that left the limit at its minimum.
    at_minimum: u32,
}

impl EnvoyGradient {
    /// `processLatencySamplesAndClear`.
    fn percentile(&mut self) -> u64 {
        let count = self.samples.len();
        let rank = (self.settings.percentile.0 * count as f64).ceil() as usize;
        let (_, value, _) = self.samples.select_nth_unstable(rank.clamp(1, count) - 1);
        let value = *value;
        self.samples.clear();
        value
    }

    /// `enterMinRTTSamplingWindow`.
    fn measure(&mut self, now: Time) {
        if self.deferred.is_some() {
            return;
        }
        self.deferred = Some(self.limit);
        self.set_limit(now, self.settings.min);
        self.samples.clear();
        self.epoch = now;
    }

    /// `updateMinRTT`.
    fn measured(&mut self, now: Time, chances: &mut Chances) {
        if !self.samples.is_empty() {
            self.min_rtt = self.percentile();
        }
        let before = self.deferred.unwrap_or(self.limit);
        self.set_limit(now, before);
        self.deferred = None;
        self.measure_at = Some(now.saturating_add(self.until_measured(chances)));
        self.update_at = Some(now.saturating_add(self.settings.update.0));
    }

    /// `applyJitter`.
    fn until_measured(&self, chances: &mut Chances) -> Span {
        let (interval, jitter) = (self.settings.min_rtt.0, self.settings.jitter.0);
        if jitter == 0.0 {
            return interval;
        }
        let range = ((interval / MILLISECOND) as f64 * jitter).ceil().max(1.0) as u64;
        interval.saturating_add(chances.below(range) * MILLISECOND)
    }

    /// `updateConcurrencyLimit`.
    fn set_limit(&mut self, now: Time, limit: u32) {
        let (before, min) = (std::mem::replace(&mut self.limit, limit), self.settings.min);
        self.at_minimum =
            if self.deferred.is_none() && before == min && limit == min { self.at_minimum + 1 } else { 0 };
        if self.at_minimum >= AT_MINIMUM_MOST {
            self.measure_at = Some(now);
        }
    }

    /// `calculateNewLimit`.
    fn next_limit(&self, sample_rtt: u64) -> u32 {
        let min_rtt = self.min_rtt as f64;
        let buffered = min_rtt + min_rtt * self.settings.buffer.0;
        let gradient = (buffered / sample_rtt.max(1) as f64).clamp(0.5, 2.0);
        let limit = f64::from(self.limit) * gradient;
        let wanted = (limit + libm::sqrt(limit)) as u32;
        wanted.min(self.settings.max).max(self.settings.min)
    }
}

impl AdaptiveLimit for EnvoyGradient {
    type Settings = EnvoyGradientSettings;

    fn new(settings: &EnvoyGradientSettings, now: Time, _: &mut Chances) -> EnvoyGradient {
        let mut limit = EnvoyGradient {
            settings: settings.clone(),
            limit: settings.min,
            deferred: None,
            min_rtt: 0,
            samples: Vec::new(),
            epoch: now,
            update_at: Some(now.saturating_add(settings.update.0)),
            measure_at: None,
            at_minimum: 0,
        };
        limit.measure(now);
        limit
    }

    fn limit(&self) -> u32 {
        self.limit
    }

    fn bounds(settings: &EnvoyGradientSettings) -> (u32, u32) {
        (settings.min, settings.max)
    }

    fn sampled(&mut self, sample: Sample, chances: &mut Chances) {
        if sample.began < self.epoch {
            return;
        }
        self.samples.push(sample.took / MICROSECOND);
        if self.deferred.is_some() && self.samples.len() as u64 >= u64::from(self.settings.requests) {
            self.measured(sample.began.saturating_add(sample.took), chances);
        }
    }

    fn due(&self) -> Option<Time> {
        [self.update_at, self.measure_at].into_iter().flatten().min()
    }

    fn came_due(&mut self, now: Time, _: &mut Chances) {
        if self.measure_at.is_some_and(|at| at <= now) {
            self.measure_at = None;
            self.measure(now);
        }
        if self.update_at.is_some_and(|at| at <= now) {
            // While the shortest time is measured, the updates stop; they go on behind it.
            self.update_at = None;
            if self.deferred.is_none() {
                if !self.samples.is_empty() {
                    let sample_rtt = self.percentile();
                    self.set_limit(now, self.next_limit(sample_rtt));
                }
                self.update_at = Some(now.saturating_add(self.settings.update.0));
            }
        }
    }

    fn flaw(settings: &EnvoyGradientSettings) -> Option<(&'static str, String)> {
        flaw_of_bounds(settings.min, settings.min, settings.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::time::{MILLISECOND as MS, SECOND};

    fn envoy(text: &str) -> (EnvoyGradient, Chances) {
        let mut chances = Chances::of(3);
        let settings = settings::notation::read(text).expect(text);
        (EnvoyGradient::new(&settings, 0, &mut chances), chances)
    }

    /// `calculateNewLimit`: gradient, headroom and bounds.
    #[test]
    fn the_limit_follows_the_source() {
        // (limit, shortest time and median in µs; the next limit)
        for (limit, min_rtt, sample_rtt, expected) in [
            // 1.25 × 100: 125 + √125 = 136.18.
            (100, 10_000, 10_000, 136),
            // 12,500 / 12,500 = 1: 100 + 10.
            (100, 10_000, 12_500, 110),
            // 12,500 / 20,000 = 0.625: 62.5 + 7.9 = 70.4.
            (100, 10_000, 20_000, 70),
            // Cut to 0.5: 50 + 7.07; and to 2: 200 + 14.14.
            (100, 10_000, 100_000, 57),
            (100, 10_000, 1_000, 214),
            // Within the bounds.
            (3, 10_000, 100_000, 3),
            (900, 10_000, 5_000, 1_000),
            // A time of less than a microsecond.
            (10, 0, 0, 7),
        ] {
            let (mut envoy, _) = envoy("{}");
            (envoy.limit, envoy.min_rtt) = (limit, min_rtt);
            assert_eq!(envoy.next_limit(sample_rtt), expected, "{limit}, {min_rtt} µs, {sample_rtt} µs");
        }
    }

    fn sample(envoy: &mut EnvoyGradient, chances: &mut Chances, began: Time, took: Span) {
        envoy.sampled(Sample { began, took, in_flight: 1, is_drop: false }, chances);
    }

    /// The measurement at the start, updates behind it, and the next measurement after a while.
    #[test]
    fn it_measures_and_updates_in_turns() {
        let (mut envoy, mut chances) = envoy("{requests: 3, jitter: 0%}");
        assert_eq!((envoy.limit(), envoy.due()), (3, Some(100 * MS)));
        // The update that was set at the start finds a measurement going on, and stops.
        envoy.came_due(100 * MS, &mut chances);
        assert_eq!((envoy.limit(), envoy.due()), (3, None));
        for took in [30, 10, 20] {
            sample(&mut envoy, &mut chances, 200 * MS, took * MS);
        }
        // The median is 20 ms; it ended at 220 ms, when the last of them did.
        assert_eq!((envoy.min_rtt, envoy.deferred, envoy.due()), (20_000, None, Some(320 * MS)));
        assert_eq!(envoy.measure_at, Some(60 * SECOND + 220 * MS));
        // 1.25 × 3 = 3.75, and √3.75: 5.68; then 1.25 × 5 + 2.5 = 8.75.
        for (at, expected) in [(320, 5), (420, 8)] {
            sample(&mut envoy, &mut chances, (at - 50) * MS, 20 * MS);
            envoy.came_due(at * MS, &mut chances);
            assert_eq!(envoy.limit(), expected);
        }
        // Without samples it stays.
        envoy.came_due(520 * MS, &mut chances);
        assert_eq!((envoy.limit(), envoy.due()), (8, Some(620 * MS)));
        envoy.update_at = None;
        envoy.came_due(60 * SECOND + 220 * MS, &mut chances);
        assert_eq!((envoy.limit(), envoy.deferred), (3, Some(8)));
        // Those that began before are left out.
        for _ in 0..5 {
            sample(&mut envoy, &mut chances, 60 * SECOND, MS);
        }
        assert_eq!(envoy.limit(), 3);
        for _ in 0..3 {
            sample(&mut envoy, &mut chances, 61 * SECOND, 40 * MS);
        }
        assert_eq!((envoy.limit(), envoy.min_rtt), (8, 40_000));
    }

    /// Five updates in a row at the minimum: the shortest time is measured again.
    #[test]
    fn it_measures_again_when_it_is_stuck_at_its_minimum() {
        let (mut envoy, mut chances) = envoy("{requests: 1}");
        sample(&mut envoy, &mut chances, 0, MS);
        for nth in 1..=5 {
            assert_eq!(envoy.at_minimum, nth - 1);
            let at = envoy.update_at.expect("it is updated");
            sample(&mut envoy, &mut chances, at - MS, 50 * MS);
            envoy.came_due(at, &mut chances);
        }
        let now = envoy.due().expect("it measures at once");
        assert_eq!((envoy.measure_at, envoy.limit()), (Some(now), 3));
        envoy.came_due(now, &mut chances);
        assert_eq!(envoy.deferred, Some(3));
    }

    #[test]
    fn jitter_lengthens_the_time_between_measurements() {
        let (envoy, mut chances) = envoy("{min_rtt: 10s}");
        let spans: Vec<Span> = (0..100).map(|_| envoy.until_measured(&mut chances)).collect();
        assert!(spans.iter().all(|span| (10_000..11_500).contains(&(span / MS))), "{spans:?}");
        assert!(spans.iter().any(|span| *span > 11 * SECOND));
    }
}

//! Gradient2: the limit follows how the time that attempts take compares with its own long average.
//!
//! gradient = tolerance × average / time, from 0.5 to 1, and the limit goes by `smoothing` of the way to limit × gradient +
//! `queue_size`. The average is the mean of the first ten samples and exponential from then on; where it is more than twice the time
//! it is cut by a twentieth, so that it comes down quickly after an overload. (Netflix, `Gradient2Limit.java` and
//! `ExpAvgMeasurement.java` at 78a74b98.)

use settings::Setting;
use sim_core::Time;

use super::{AdaptiveLimit, Chances, Sample, flaw_of_bounds};

/// By how the time from call to answer compares with its long average. Defaults are Netflix's.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Gradient2Settings {
    /// The limit at the start.
    #[setting(default = 20, range = "1..=10000000")]
    pub initial: u32,
    /// The least that it becomes.
    #[setting(default = 20, range = "1..=10000000")]
    pub min: u32,
    /// The most that it becomes.
    #[setting(default = 200, range = "1..=10000000")]
    pub max: u32,
    /// Latency, as a multiple of the long-term average, up to which the limit is not lowered.
    #[setting(default = 1.5, range = "1..=1000")]
    pub tolerance: f64,
    /// How far the limit goes to where it should be at each step.
    #[setting(default = 0.2, range = "0.001..=1")]
    pub smoothing: f64,
    /// By how much the limit may exceed what is in use.
    #[setting(default = 4, range = "0..=1000000")]
    pub queue_size: u32,
    /// Samples that the long average covers.
    #[setting(default = 600, range = "1..=1000000000")]
    pub long_window: u32,
}

/// Samples of which the average is the mean.
const WARM_UP: u32 = 10;

/// The state of the limit.
#[derive(Clone, Debug)]
pub struct Gradient2 {
    settings: Gradient2Settings,
    limit: f64,
    /// The long average, ns.
    average: f64,
    /// The sum of the first samples, and how many there have been, as long as they are few.
    sum: f64,
    count: u32,
}

impl Gradient2 {
    /// `ExpAvgMeasurement.add`.
    fn add(&mut self, rtt: f64) -> f64 {
        if self.count < WARM_UP {
            self.count += 1;
            self.sum += rtt;
            self.average = self.sum / f64::from(self.count);
        } else {
            let factor = 2.0 / (f64::from(self.settings.long_window) + 1.0);
            self.average = self.average * (1.0 - factor) + rtt * factor;
        }
        self.average
    }
}

impl AdaptiveLimit for Gradient2 {
    type Settings = Gradient2Settings;

    fn new(settings: &Gradient2Settings, _: Time, _: &mut Chances) -> Gradient2 {
        Gradient2 { settings: settings.clone(), limit: f64::from(settings.initial), average: 0.0, sum: 0.0, count: 0 }
    }

    fn limit(&self) -> u32 {
        self.limit as u32
    }

    fn bounds(settings: &Gradient2Settings) -> (u32, u32) {
        (settings.min, settings.max)
    }

    fn sampled(&mut self, sample: Sample, _: &mut Chances) {
        let Gradient2Settings { min, max, tolerance, smoothing, queue_size, .. } = self.settings;
        let short = sample.took.max(1) as f64;
        let long = self.add(short);
        if long / short > 2.0 {
            self.average *= 0.95;
        }
        if f64::from(sample.in_flight) < self.limit / 2.0 {
            return;
        }
        let gradient = (tolerance * long / short).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + f64::from(queue_size);
        let smoothed = self.limit * (1.0 - smoothing) + wanted * smoothing;
        self.limit = smoothed.min(f64::from(max)).max(f64::from(min));
    }

    fn flaw(settings: &Gradient2Settings) -> Option<(&'static str, String)> {
        flaw_of_bounds(settings.min, settings.initial, settings.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::time::MILLISECOND as MS;

    fn gradient(text: &str) -> (Gradient2, Chances) {
        let mut chances = Chances::of(3);
        let settings = settings::notation::read(text).expect(text);
        (Gradient2::new(&settings, 0, &mut chances), chances)
    }

    /// `Gradient2Limit._update` where the average is 10 ms once the sample is in it: what becomes of a limit.
    #[test]
    fn the_limit_follows_the_source() {
        // (limit, ms, in flight; the limit behind it, the average behind it)
        for (limit, ms, in_flight, expected, average) in [
            // 15/14 is cut to 1: 104, a fifth of the way.
            (100.0, 14.0, 100, 100.8, 10.0),
            // 15/20: 75 + 4 = 79: 0.8 × 100 + 0.2 × 79.
            (100.0, 20.0, 100, 95.8, 10.0),
            // 15/60 is cut to 0.5: 54.
            (100.0, 60.0, 100, 90.8, 10.0),
            (100.0, 60.0, 49, 100.0, 10.0),
            (100.0, 60.0, 50, 90.8, 10.0),
            // The average is more than twice the time: this step uses it as it was, the next one uses less of it.
            (100.0, 4.0, 100, 100.8, 9.5),
            (100.0, 5.1, 100, 100.8, 10.0),
            (20.0, 60.0, 20, 20.0, 10.0),
            (200.0, 10.0, 200, 200.0, 10.0),
        ] {
            let (mut gradient, mut chances) = gradient("{}");
            let short = ms * MS as f64;
            let factor = 2.0 / 601.0;
            // So that 10 ms is the average with the sample.
            gradient.average = (10.0 * MS as f64 - short * factor) / (1.0 - factor);
            (gradient.limit, gradient.count) = (limit, WARM_UP);
            let sample = Sample { began: 0, took: short as u64, in_flight, is_drop: false };
            gradient.sampled(sample, &mut chances);
            assert!((gradient.limit - expected).abs() < 1e-9, "{limit}, {ms} ms: {}", gradient.limit);
            assert!((gradient.average / MS as f64 - average).abs() < 1e-9, "{ms} ms: {}", gradient.average);
        }
    }

    /// `ExpAvgMeasurement`: ten samples are averaged, later ones count 2/(window + 1).
    #[test]
    fn the_average_is_a_mean_at_first() {
        let (mut gradient, _) = gradient("{long_window: 9}");
        for nth in 1..=10_u32 {
            assert_eq!(gradient.add(f64::from(nth)), f64::from(nth + 1) / 2.0);
        }
        assert_eq!(gradient.add(10.5), 5.5 * 0.8 + 10.5 * 0.2);
    }

    /// A step in the time, threefold: the limit has fallen within a window of samples, and comes back with the time.
    #[test]
    fn it_falls_with_a_step_and_comes_back() {
        let (mut gradient, mut chances) = gradient("{initial: 100}");
        let mut run = |gradient: &mut Gradient2, ms: u64, samples: u32| {
            for _ in 0..samples {
                let in_flight = gradient.limit();
                gradient.sampled(Sample { began: 0, took: ms * MS, in_flight, is_drop: false }, &mut chances);
            }
            gradient.limit()
        };
        assert_eq!(run(&mut gradient, 10, 600), 200);
        assert!(run(&mut gradient, 30, 20) < 60);
        assert_eq!(run(&mut gradient, 10, 1_000), 200);
    }
}

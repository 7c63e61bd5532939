//! AIMD: additive increase, multiplicative decrease.
//!
//! A drop, or an attempt that took longer than `timeout`, cuts the limit to `backoff_ratio` of it; any other one raises it by
//! one where at least half of the limit was in use. (Netflix, `AIMDLimit.java` at 78a74b98.)

use settings::{Duration, Setting};
use sim_core::{Span, Time};

use super::{AdaptiveLimit, Chances, Sample, flaw_of_bounds};

/// One more while it goes well, a tenth fewer when it does not. Defaults are Netflix's.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct AimdSettings {
    /// The limit at the start.
    #[setting(default = 20, range = "1..=10000000")]
    pub initial: u32,
    /// The least that it becomes.
    #[setting(default = 20, range = "1..=10000000")]
    pub min: u32,
    /// The most that it becomes.
    #[setting(default = 200, range = "1..=10000000")]
    pub max: u32,
    /// What is left of the limit after a drop.
    #[setting(default = 0.9, range = "0.5..=0.999")]
    pub backoff_ratio: f64,
    /// An attempt that takes longer counts as dropped.
    #[setting(default = "5s", range = ">0s")]
    pub timeout: Duration,
}

/// The state of the limit.
#[derive(Clone, Debug)]
pub struct Aimd {
    limit: u32,
    min: u32,
    max: u32,
    backoff_ratio: f64,
    timeout: Span,
}

impl AdaptiveLimit for Aimd {
    type Settings = AimdSettings;

    fn new(settings: &AimdSettings, _: Time, _: &mut Chances) -> Aimd {
        let AimdSettings { initial: limit, min, max, backoff_ratio, timeout } = *settings;
        Aimd { limit, min, max, backoff_ratio, timeout: timeout.0 }
    }

    fn limit(&self) -> u32 {
        self.limit
    }

    fn bounds(settings: &AimdSettings) -> (u32, u32) {
        (settings.min, settings.max)
    }

    fn sampled(&mut self, sample: Sample, _: &mut Chances) {
        let mut limit = self.limit;
        if sample.is_drop || sample.took > self.timeout {
            limit = (f64::from(limit) * self.backoff_ratio) as u32;
        } else if u64::from(sample.in_flight) * 2 >= u64::from(limit) {
            limit += 1;
        }
        self.limit = limit.max(self.min).min(self.max);
    }

    fn flaw(settings: &AimdSettings) -> Option<(&'static str, String)> {
        flaw_of_bounds(settings.min, settings.initial, settings.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::time::SECOND;

    /// `AIMDLimit._update`: the limit after each sample.
    #[test]
    fn the_limit_follows_the_source() {
        // (settings, samples: seconds, in flight, drop; the limit behind each)
        for (text, samples, expected) in [
            ("{}", vec![(1, 20, false), (1, 10, false), (1, 11, false), (1, 10, false)], vec![21, 21, 22, 22]),
            (
                "{initial: 100, min: 20}",
                vec![(1, 49, false), (1, 50, false), (5, 90, false), (6, 1, false)],
                vec![100, 101, 102, 91],
            ),
            ("{initial: 100}", vec![(1, 1, true), (1, 1, true), (1, 1, true)], vec![90, 81, 72]),
            ("{initial: 21}", vec![(1, 1, true), (1, 1, true)], vec![20, 20]),
            ("{initial: 199}", vec![(1, 150, false), (1, 150, false)], vec![200, 200]),
            ("{initial: 9, min: 1, backoff_ratio: 0.5}", vec![(1, 9, true); 5], vec![4, 2, 1, 1, 1]),
        ] {
            let mut chances = Chances::of(1);
            let settings = settings::notation::read(text).expect(text);
            let mut limit = Aimd::new(&settings, 0, &mut chances);
            let limits: Vec<u32> = samples
                .iter()
                .map(|(seconds, in_flight, is_drop)| {
                    let took = seconds * SECOND;
                    let sample = Sample { began: 0, took, in_flight: *in_flight, is_drop: *is_drop };
                    limit.sampled(sample, &mut chances);
                    limit.limit()
                })
                .collect();
            assert_eq!(limits, expected, "{text}");
        }
    }
}

//! Gradient: the limit follows how the time that attempts take compares with the shortest one.
//!
//! gradient = tolerance × shortest / time, from 0.5 to 1, and the limit goes to limit × gradient + √limit: at once where that is
//! more, and by `smoothing` of the way where it is less. Every 1,000 to 2,000 samples the limit falls to √limit and the
//! shortest time is measured anew. (Netflix, `GradientLimit.java` and `SquareRootFunction.java` at 78a74b98.)

use settings::Setting;
use sim_core::{Span, Time};

use super::{AdaptiveLimit, Chances, Sample, flaw_of_bounds};

/// By how the time from call to answer compares with the shortest one. Defaults are Netflix's.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct GradientSettings {
    /// The limit at the start.
    #[setting(default = 50, range = "1..=10000000")]
    pub initial: u32,
    /// The least that it becomes.
    #[setting(default = 1, range = "1..=10000000")]
    pub min: u32,
    /// The most that it becomes.
    #[setting(default = 1000, range = "1..=10000000")]
    pub max: u32,
    /// How far a limit that falls goes to where it should be at each step.
    #[setting(default = 0.2, range = "0.001..=1")]
    pub smoothing: f64,
    /// Latency, as a multiple of the shortest one, up to which the limit is not lowered.
    #[setting(default = 2, range = "1..=1000")]
    pub tolerance: f64,
    /// Attempts after which the shortest latency is measured again; each time a number between this and twice this is drawn.
    #[setting(default = 1000, range = "1..=1000000000")]
    pub probe_interval: u32,
    /// What is left of the limit after a drop, before smoothing.
    #[setting(default = 0.9, range = "0.5..=1")]
    pub backoff_ratio: f64,
}

/// The state of the limit.
#[derive(Clone, Debug)]
pub struct Gradient {
    settings: GradientSettings,
    limit: f64,
    /// 0 where it is not known.
    shortest: Span,
    /// Samples before the shortest time is measured anew.
    countdown: i64,
}

fn countdown(settings: &GradientSettings, chances: &mut Chances) -> i64 {
    let interval = u64::from(settings.probe_interval);
    (interval + chances.below(interval)) as i64
}

impl AdaptiveLimit for Gradient {
    type Settings = GradientSettings;

    fn new(settings: &GradientSettings, _: Time, chances: &mut Chances) -> Gradient {
        let countdown = countdown(settings, chances);
        Gradient { settings: settings.clone(), limit: f64::from(settings.initial), shortest: 0, countdown }
    }

    fn limit(&self) -> u32 {
        self.limit as u32
    }

    fn bounds(settings: &GradientSettings) -> (u32, u32) {
        (settings.min, settings.max)
    }

    fn sampled(&mut self, sample: Sample, chances: &mut Chances) {
        let GradientSettings { min, max, smoothing, tolerance, backoff_ratio, .. } = self.settings;
        let (min, max, rtt) = (f64::from(min), f64::from(max), sample.took.max(1));
        let queue = f64::from((self.limit as u32).isqrt().max(4));
        let counted = self.countdown;
        self.countdown -= 1;
        if counted <= 0 {
            self.countdown = countdown(&self.settings, chances);
            (self.limit, self.shortest) = (min.max(queue), 0);
            return;
        }
        if self.shortest == 0 || rtt < self.shortest {
            self.shortest = rtt;
        }
        let gradient = (tolerance * self.shortest as f64 / rtt as f64).clamp(0.5, 1.0);
        let mut wanted = if sample.is_drop {
            self.limit * backoff_ratio
        } else if f64::from(sample.in_flight) < self.limit / 2.0 {
            return;
        } else {
            self.limit * gradient + queue
        };
        if wanted < self.limit {
            wanted = min.max(self.limit * (1.0 - smoothing) + smoothing * wanted);
        }
        self.limit = wanted.min(max).max(queue);
    }

    fn flaw(settings: &GradientSettings) -> Option<(&'static str, String)> {
        flaw_of_bounds(settings.min, settings.initial, settings.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::time::MILLISECOND as MS;

    fn gradient(text: &str) -> (Gradient, Chances) {
        let mut chances = Chances::of(3);
        let settings = settings::notation::read(text).expect(text);
        (Gradient::new(&settings, 0, &mut chances), chances)
    }

    /// `GradientLimit._update`, with a shortest time of 10 ms: what becomes of a limit.
    #[test]
    fn the_limit_follows_the_source() {
        // (limit, ms, in flight, drop; the limit behind it)
        for (limit, ms, in_flight, is_drop, expected) in [
            // Twice the shortest time is tolerated: 100 × 1 + 10.
            (100.0, 10, 100, false, 110.0),
            (100.0, 20, 100, false, 110.0),
            // 20/25: 100 × 0.8 + 10 = 90, a fifth of the way: 98.
            (100.0, 25, 100, false, 98.0),
            // 20/100 is cut to 0.5: 100 × 0.5 + 10 = 60, a fifth of the way: 92.
            (100.0, 100, 100, false, 92.0),
            // Less than half of it in use.
            (100.0, 100, 49, false, 100.0),
            (100.0, 100, 50, false, 92.0),
            // A drop: 90, a fifth of the way.
            (100.0, 10, 1, true, 98.0),
            // √10 is 3, and the queue is at least 4: the limit never falls below it.
            (10.0, 10, 10, false, 14.0),
            (4.0, 10, 1, true, 4.0),
            (995.0, 10, 995, false, 1000.0),
        ] {
            let (mut gradient, mut chances) = gradient("{}");
            (gradient.limit, gradient.shortest) = (limit, 10 * MS);
            gradient.sampled(Sample { began: 0, took: ms * MS, in_flight, is_drop }, &mut chances);
            assert!((gradient.limit - expected).abs() < 1e-9, "{limit}, {ms} ms, {in_flight}: {}", gradient.limit);
        }
    }

    /// After `probe_interval` samples and up to as many more, the limit is the queue and the shortest time is forgotten.
    #[test]
    fn the_shortest_time_is_measured_anew() {
        let (mut gradient, mut chances) = gradient("{initial: 100, probe_interval: 10}");
        assert!((10..20).contains(&gradient.countdown));
        let left = gradient.countdown;
        let mut sample = |gradient: &mut Gradient| {
            gradient.sampled(Sample { began: 0, took: 10 * MS, in_flight: 1, is_drop: false }, &mut chances);
        };
        (0..left).for_each(|_| sample(&mut gradient));
        assert_eq!((gradient.limit, gradient.shortest), (100.0, 10 * MS));
        sample(&mut gradient);
        assert_eq!((gradient.limit, gradient.shortest), (10.0, 0));
        assert!((10..20).contains(&gradient.countdown));
    }
}

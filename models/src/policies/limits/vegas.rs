//! Vegas: the limit that keeps a short queue at the callee, guessed from how long attempts take.
//!
//! With the shortest time seen, `rtt_noload`, the queue is limit × (1 − rtt_noload / rtt). Without a queue the limit grows fast,
//! with a short one slowly, with a long one it falls. Now and then a sample is taken as the shortest time, whatever it is.
//! (Netflix, `VegasLimit.java` and `Log10RootIntFunction.java` at 78a74b98; Brakmo and Peterson, *TCP Vegas*, 1995.)

use settings::Setting;
use sim_core::{Span, Time};

use super::{AdaptiveLimit, Chances, Sample, flaw_of_bounds, log10};

/// By the queue that the time from call to answer suggests. Defaults are Netflix's.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct VegasSettings {
    /// The limit at the start.
    #[setting(default = 20, range = "1..=10000000")]
    pub initial: u32,
    /// The most that it becomes.
    #[setting(default = 1000, range = "1..=10000000")]
    pub max: u32,
    /// How far the limit goes to where it should be at each step.
    #[setting(default = 1, range = "0.001..=1")]
    pub smoothing: f64,
    /// The shortest latency is measured again after limit × this × a random number between 0.5 and 1 attempts.
    #[setting(default = 30, range = "1..=1000000")]
    pub probe_multiplier: u32,
}

/// The state of the limit.
#[derive(Clone, Debug)]
pub struct Vegas {
    limit: f64,
    max: f64,
    smoothing: f64,
    probe_multiplier: f64,
    /// 0 where it is not known.
    rtt_noload: Span,
    probe_count: u64,
    probe_jitter: f64,
}

fn jitter(chances: &mut Chances) -> f64 {
    0.5 + 0.5 * chances.unit()
}

impl Vegas {
    /// The limit that a sample asks for; `None` where it leaves it as it is.
    fn wanted(&self, rtt: Span, in_flight: u32, is_drop: bool) -> Option<f64> {
        let limit = self.limit;
        let queue = (limit * (1.0 - self.rtt_noload as f64 / rtt as f64)).ceil() as i64;
        let step = log10(limit as u32);
        if is_drop {
            return Some(limit - f64::from(step));
        }
        if f64::from(in_flight) * 2.0 < limit {
            return None;
        }
        let (alpha, beta, threshold) = (3 * step, 6 * step, step);
        if queue <= i64::from(threshold) {
            Some(limit + f64::from(beta))
        } else if queue < i64::from(alpha) {
            Some(limit + f64::from(step))
        } else if queue > i64::from(beta) {
            Some(limit - f64::from(step))
        } else {
            None
        }
    }
}

impl AdaptiveLimit for Vegas {
    type Settings = VegasSettings;

    fn new(settings: &VegasSettings, _: Time, chances: &mut Chances) -> Vegas {
        Vegas {
            limit: f64::from(settings.initial),
            max: f64::from(settings.max),
            smoothing: settings.smoothing,
            probe_multiplier: f64::from(settings.probe_multiplier),
            rtt_noload: 0,
            probe_count: 0,
            probe_jitter: jitter(chances),
        }
    }

    fn limit(&self) -> u32 {
        self.limit as u32
    }

    fn bounds(settings: &VegasSettings) -> (u32, u32) {
        (1, settings.max)
    }

    fn sampled(&mut self, sample: Sample, chances: &mut Chances) {
        let rtt = sample.took.max(1);
        self.probe_count += 1;
        if self.probe_jitter * self.probe_multiplier * self.limit <= self.probe_count as f64 {
            self.probe_jitter = jitter(chances);
            (self.probe_count, self.rtt_noload) = (0, rtt);
            return;
        }
        if self.rtt_noload == 0 || rtt < self.rtt_noload {
            self.rtt_noload = rtt;
            return;
        }
        if let Some(wanted) = self.wanted(rtt, sample.in_flight, sample.is_drop) {
            let wanted = wanted.min(self.max).max(1.0);
            self.limit = (1.0 - self.smoothing) * self.limit + self.smoothing * wanted;
        }
    }

    fn flaw(settings: &VegasSettings) -> Option<(&'static str, String)> {
        flaw_of_bounds(1, settings.initial, settings.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::time::MILLISECOND as MS;

    fn vegas(text: &str) -> (Vegas, Chances) {
        let mut chances = Chances::of(3);
        let settings = settings::notation::read(text).expect(text);
        (Vegas::new(&settings, 0, &mut chances), chances)
    }

    /// `VegasLimit.updateEstimatedLimit`, with a shortest time of 10 ms: what becomes of a limit.
    #[test]
    fn the_limit_follows_the_source() {
        // (limit, ms, in flight, drop; the limit behind it)
        for (limit, ms, in_flight, is_drop, expected) in [
            // No queue: ⌈20 × 0⌉ = 0 ≤ L = 1, so + 6 L.
            (20.0, 10.0, 20, false, 26.0),
            // ⌈20 × (1 − 10/10.5)⌉ = ⌈0.95⌉ = 1: still.
            (20.0, 10.5, 20, false, 26.0),
            // ⌈20 × (1 − 10/11)⌉ = ⌈1.8⌉ = 2 < 3 L: + L.
            (20.0, 11.0, 20, false, 21.0),
            // ⌈20 × (1 − 10/13)⌉ = ⌈4.6⌉ = 5, between 3 L and 6 L: it stays.
            (20.0, 13.0, 20, false, 20.0),
            // ⌈20 × (1 − 10/15)⌉ = ⌈6.7⌉ = 7 > 6 L: − L.
            (20.0, 15.0, 20, false, 19.0),
            // Fewer than half of it is in use: it stays, but for a drop.
            (20.0, 15.0, 9, false, 20.0),
            (20.0, 10.0, 9, true, 19.0),
            (20.0, 15.0, 10, false, 19.0),
            // L = 2 from 100 on: ⌈100 × (1 − 10/10.2)⌉ = 2 ≤ L: + 12.
            (100.0, 10.2, 100, false, 112.0),
            // ⌈100 × (1 − 10/10.5)⌉ = 5 < 6: + 2; ⌈100 × (1 − 10/12)⌉ = 17 > 12: − 2.
            (100.0, 10.5, 100, false, 102.0),
            (100.0, 12.0, 100, false, 98.0),
            // At most `max`, at least 1.
            (998.0, 10.0, 998, false, 1000.0),
            (1.0, 40.0, 1, true, 1.0),
        ] {
            let (mut vegas, mut chances) = vegas("{}");
            (vegas.limit, vegas.rtt_noload) = (limit, 10 * MS);
            let took = (ms * MS as f64) as Span;
            vegas.sampled(Sample { began: 0, took, in_flight, is_drop }, &mut chances);
            assert_eq!(vegas.limit, expected, "{limit}, {ms} ms, {in_flight} in flight, {is_drop}");
        }
    }

    /// `VegasLimit._update`: the first sample and any shorter one are the shortest time and leave the limit alone, and
    /// so does the probe after jitter × 30 × limit samples.
    #[test]
    fn the_shortest_time_is_found_and_forgotten() {
        let (mut vegas, mut chances) = vegas("{initial: 10}");
        vegas.probe_jitter = 0.5;
        let mut sample = |vegas: &mut Vegas, ms: u64, in_flight: u32| {
            vegas.sampled(Sample { began: 0, took: ms * MS, in_flight, is_drop: false }, &mut chances);
            (vegas.limit(), vegas.rtt_noload / MS)
        };
        assert_eq!(sample(&mut vegas, 20, 10), (10, 20));
        assert_eq!(sample(&mut vegas, 10, 10), (10, 10));
        // Not a single one is under way: the limit stays while samples are counted. 0.5 × 30 × 10 = 150.
        for nth in 3..150 {
            assert_eq!(sample(&mut vegas, 50, 1), (10, 10), "{nth}");
        }
        assert_eq!(sample(&mut vegas, 50, 10), (10, 50));
        assert_eq!(vegas.probe_count, 0);
        assert!((0.5..1.0).contains(&vegas.probe_jitter) && vegas.probe_jitter != 0.5);
    }

    #[test]
    fn smoothing_goes_part_of_the_way() {
        let (mut vegas, mut chances) = vegas("{smoothing: 0.5}");
        vegas.rtt_noload = 10 * MS;
        vegas.sampled(Sample { began: 0, took: 10 * MS, in_flight: 20, is_drop: false }, &mut chances);
        assert_eq!(vegas.limit, 23.0);
    }
}

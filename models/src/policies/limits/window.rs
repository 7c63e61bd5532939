//! A window around a limit: instead of each attempt, the limit is shown what became of all of a while together.
//!
//! At the first attempt that ends after the window does, the limit is told of the mean time, of the most that were under way, and
//! whether any was dropped, if there were enough of them; the next window ends after twice the shortest time, within
//! bounds. (Netflix, `WindowedLimit.java` and `ImmutableAverageSampleWindow.java` at 78a74b98.)

use settings::{Duration, Setting};
use sim_core::{Span, Time};

use super::Sample;

/// Shows the limit what became of all attempts of a while together. Defaults are Netflix's.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct WindowSettings {
    /// The shortest window.
    #[setting(default = "1s", range = ">0s")]
    pub min: Duration,
    /// The longest window.
    #[setting(default = "1s", range = ">0s")]
    pub max: Duration,
    /// Attempts without which a window is not shown.
    #[setting(default = 10, range = "1..=1000000000")]
    pub samples: u32,
    /// Attempts that took less time are left out.
    #[setting(default = "100us")]
    pub threshold: Duration,
}

/// The state of the window.
#[derive(Clone, Debug)]
pub struct Window {
    min: Span,
    max: Span,
    samples: u64,
    threshold: Span,
    next_update: Time,
    seen: Seen,
}

/// What has been seen in a window.
#[derive(Clone, Copy, Debug)]
struct Seen {
    shortest: Span,
    sum: u128,
    in_flight: u32,
    count: u64,
    is_drop: bool,
}

const NOTHING: Seen = Seen { shortest: Span::MAX, sum: 0, in_flight: 0, count: 0, is_drop: false };

impl Window {
    /// An empty one.
    pub fn new(settings: &WindowSettings) -> Window {
        let WindowSettings { min, max, samples, threshold } = *settings;
        let (samples, threshold) = (u64::from(samples), threshold.0);
        Window { min: min.0, max: max.0, samples, threshold, next_update: 0, seen: NOTHING }
    }

    /// The same with nothing in it.
    pub fn emptied(self) -> Window {
        Window { next_update: 0, seen: NOTHING, ..self }
    }

    /// An attempt has ended: what the limit is shown, if anything.
    pub fn sampled(&mut self, sample: Sample) -> Option<Sample> {
        if sample.took < self.threshold {
            return None;
        }
        let seen = &mut self.seen;
        seen.shortest = seen.shortest.min(sample.took);
        seen.sum += u128::from(sample.took);
        seen.in_flight = seen.in_flight.max(sample.in_flight);
        seen.count += 1;
        seen.is_drop |= sample.is_drop;
        let end = sample.began.saturating_add(sample.took);
        if end <= self.next_update {
            return None;
        }
        let seen = std::mem::replace(&mut self.seen, NOTHING);
        self.next_update = end.saturating_add(seen.shortest.saturating_mul(2).max(self.min).min(self.max));
        (seen.count >= self.samples).then(|| Sample {
            began: sample.began,
            took: (seen.sum / u128::from(seen.count)) as Span,
            in_flight: seen.in_flight,
            is_drop: seen.is_drop,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::time::{MILLISECOND as MS, SECOND};

    fn window(text: &str) -> Window {
        Window::new(&settings::notation::read(text).expect(text))
    }

    fn sample(began_ms: u64, took_ms: u64, in_flight: u32, is_drop: bool) -> Sample {
        Sample { began: began_ms * MS, took: took_ms * MS, in_flight, is_drop }
    }

    /// `WindowedLimit.onSample`, step by step.
    #[test]
    fn windows_end_as_in_the_source() {
        let mut window = window("{samples: 3}");
        // The first sample ends the first window, which has too few.
        assert_eq!(window.sampled(sample(0, 10, 1, false)), None);
        assert_eq!(window.next_update, 10 * MS + SECOND);
        // Too fast to count, whenever it ends.
        assert_eq!(window.sampled(Sample { began: 5 * SECOND, took: 99_999, in_flight: 9, is_drop: true }), None);
        assert_eq!(window.sampled(sample(500, 20, 7, false)), None);
        assert_eq!(window.sampled(sample(900, 40, 2, true)), None);
        // Ends exactly with the window: still in it.
        assert_eq!(window.sampled(sample(980, 30, 3, false)), None);
        // Beyond it: the mean of 20, 40, 30 and 50, the most in flight, and a drop.
        let shown = window.sampled(sample(1_000, 50, 4, false));
        assert_eq!(shown, Some(Sample { began: SECOND, took: 35 * MS, in_flight: 7, is_drop: true }));
        assert_eq!(window.next_update, 1_050 * MS + SECOND);
        // Too few again: what they were is forgotten.
        assert_eq!(window.sampled(sample(3_000, 50, 4, true)), None);
        assert_eq!(window.seen.count, 0);
    }

    /// clamp(2 × the shortest time, min, max).
    #[test]
    fn a_window_is_twice_the_shortest_time() {
        for (took, expected) in [(50, 100), (200, 400), (2_000, 1_000)] {
            let mut window = window("{min: 100ms, max: 1s}");
            window.sampled(sample(0, took, 1, false));
            assert_eq!(window.next_update, (took + expected) * MS);
        }
    }
}

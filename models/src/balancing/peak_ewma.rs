//! Peak EWMA: the target with the least cost of two, where the cost is an estimate of its latency times the calls that it would have.
//!
//! The estimate is Finagle's (`PeakEwma.scala`): a latency above it becomes the estimate at once, and otherwise it moves towards the latency
//! by 1 − e^(−t/τ) where t has passed since it last moved. Looking at it moves it towards 0 in the same way. A target of which no
//! latency is known costs nothing until a call to it is under way, and then more than any other; where an initial estimate is given (Tower and
//! Linkerd: 30 ms), it is that until one is known. Every answer counts by the time it took, whatever it says: who fails fast is cheap.

use sim_core::random::Draw;
use sim_core::{Span, Time};

use super::beliefs::Beliefs;

/// What one chooser knows of a target.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    /// When it last moved.
    at: Time,
    /// The latency, in nanoseconds; 0 for unknown.
    latency: f64,
    under_way: u32,
}

/// The estimates of one chooser.
#[derive(Clone, Debug)]
pub struct PeakEwma {
    /// τ, in nanoseconds.
    decay: f64,
    estimates: Vec<Estimate>,
}

/// What a target costs that has calls under way and no latency.
const PENALTY: f64 = f64::MAX / 2.0;

impl Estimate {
    fn observe(&mut self, now: Time, latency: f64, decay: f64) {
        let weight = libm::exp(-((now - self.at) as f64) / decay);
        self.latency = if latency > self.latency { latency } else { self.latency * weight + latency * (1.0 - weight) };
        self.at = now;
    }

    fn cost(&mut self, now: Time, decay: f64) -> f64 {
        self.observe(now, 0.0, decay);
        let under_way = f64::from(self.under_way);
        if self.latency == 0.0 && self.under_way > 0 { PENALTY + under_way } else { self.latency * (under_way + 1.0) }
    }
}

impl PeakEwma {
    /// For so many targets with nothing under way.
    pub fn new(targets: usize, decay: Span, initial: Option<Span>) -> PeakEwma {
        let estimate = Estimate { at: 0, latency: initial.map_or(0.0, |span| span as f64), under_way: 0 };
        PeakEwma { decay: decay as f64, estimates: vec![estimate; targets] }
    }

    /// The cheaper of two of those that can be called; the first drawn if equal. A call to it begins.
    pub fn choose(&mut self, now: Time, draw: &mut Draw, beliefs: &Beliefs) -> Option<usize> {
        let usable = beliefs.usable() as u64;
        if usable == 0 {
            return None;
        }
        let first = draw.below(usable);
        let mut chosen = beliefs.nth(first as usize);
        if usable > 1 {
            let second = draw.below(usable - 1);
            let second = beliefs.nth((second + u64::from(second >= first)) as usize);
            let decay = self.decay;
            let cost = self.estimates[chosen].cost(now, decay);
            if self.estimates[second].cost(now, decay) < cost {
                chosen = second;
            }
        }
        self.begin(chosen);
        Some(chosen)
    }

    /// A call to a target begins.
    pub fn begin(&mut self, target: usize) {
        self.estimates[target].under_way += 1;
    }

    /// A call to a target has ended.
    pub fn end(&mut self, target: usize) {
        self.estimates[target].under_way -= 1;
    }

    /// It took so long.
    pub fn took(&mut self, now: Time, target: usize, latency: Span) {
        self.estimates[target].observe(now, latency as f64, self.decay);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Key;
    use sim_core::time::{MILLISECOND, SECOND};

    fn draw(nth: u64) -> Draw {
        Key::root(1, 2, nth).draw(3, 0)
    }

    #[test]
    fn a_peak_is_believed_at_once_and_forgotten_slowly() {
        let mut one = Estimate { at: 0, latency: 0.0, under_way: 0 };
        let decay = 10e9;
        one.observe(SECOND, 100e6, decay);
        assert_eq!(one.latency, 100e6);
        one.observe(11 * SECOND, 10e6, decay);
        // 100 ms · e⁻¹ + 10 ms · (1 − e⁻¹).
        let expected = 100e6 * libm::exp(-1.0) + 10e6 * (1.0 - libm::exp(-1.0));
        assert!((one.latency - expected).abs() < 1.0, "{}", one.latency);
        one.observe(11 * SECOND, 500e6, decay);
        assert_eq!(one.latency, 500e6);
        // Being looked at makes it cheaper with time, too.
        let cost = one.cost(21 * SECOND, decay);
        assert!((cost - 500e6 * libm::exp(-1.0)).abs() < 1.0, "{cost}");
    }

    #[test]
    fn an_unknown_one_is_tried_once_at_a_time() {
        let mut ewma = PeakEwma::new(2, 10 * SECOND, None);
        let beliefs = Beliefs::new(2);
        let first = ewma.choose(0, &mut draw(0), &beliefs).expect("both can be called");
        let second = ewma.choose(0, &mut draw(1), &beliefs).expect("both can be called");
        assert_ne!(first, second);
        ewma.end(first);
        ewma.took(50 * MILLISECOND, first, 50 * MILLISECOND);
        assert_eq!(ewma.choose(50 * MILLISECOND, &mut draw(2), &beliefs), Some(first));
        // Where they have an estimate from the start, the number under way decides.
        let mut ewma = PeakEwma::new(2, 10 * SECOND, Some(30 * MILLISECOND));
        let chosen: Vec<usize> = (0..10).filter_map(|nth| ewma.choose(0, &mut draw(nth), &beliefs)).collect();
        assert_eq!(chosen.iter().filter(|target| **target == 0).count(), 5, "{chosen:?}");
    }

    #[test]
    fn who_is_slow_gets_fewer_calls_and_who_cannot_be_called_none() {
        let mut ewma = PeakEwma::new(3, 10 * SECOND, None);
        let mut beliefs = Beliefs::new(3);
        beliefs.learn(2, sim_core::News::Down, &mut |_, _| {});
        let mut counts = [0; 3];
        for nth in 0..1_000 {
            let now = nth * MILLISECOND;
            let target = ewma.choose(now, &mut draw(nth), &beliefs).expect("two can be called");
            counts[target] += 1;
            ewma.end(target);
            ewma.took(now, target, if target == 0 { MILLISECOND } else { 50 * MILLISECOND });
        }
        assert!(counts[0] > 900 && counts[2] == 0, "{counts:?}");
        assert_eq!(PeakEwma::new(0, SECOND, None).choose(0, &mut draw(0), &Beliefs::new(0)), None);
    }
}

//! Balancing: which of several targets gets the next call.
//!
//! A [`Choosing`] is pure: it is told what begins and ends, asks whether a target is up, and draws from what it is
//! given. Its state belongs to one balancer, so several balancers side by side know nothing of each other's calls.

pub mod fewest;

use settings::Setting;
use sim_core::keys::AliasTable;
use sim_core::random::Draw;

use crate::policies::not_yet::NotYet;
use fewest::{Fewest, FewestByWeight};

/// How a target is chosen for each call.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum AlgorithmSettings {
    /// One after the other, in order.
    RoundRobin,
    /// One after the other, each as often as its weight says, spread evenly (nginx's smooth form: weights 5, 1, 1 give
    /// a a b a c a a).
    WeightedRoundRobin,
    /// At random, each with a probability in proportion to its weight.
    Random,
    /// The one with the fewest calls under way; the first of equals. With weights, the one with the largest weight ÷
    /// (calls + 1), as Envoy's weighted least request.
    LeastConnections,
    /// Of some drawn at random, the one with the fewest calls under way; the first drawn of equals (Mitzenmacher, *The
    /// Power of Two Choices*).
    PowerOfTwo {
        /// How many are drawn; Envoy's default is 2.
        #[setting(default = 2, range = "2..=64")]
        choices: u32,
    },
    /// By a moving average of latencies that remembers peaks.
    PeakEwma(NotYet),
    /// By the key's place on a ring.
    RingHash(NotYet),
    /// By the key, through a table that changes little.
    Maglev(NotYet),
    /// Those nearby first.
    Locality(NotYet),
}

impl AlgorithmSettings {
    /// Whether the weights of targets have an effect.
    pub fn uses_weights(&self) -> bool {
        match self {
            AlgorithmSettings::WeightedRoundRobin | AlgorithmSettings::Random | AlgorithmSettings::LeastConnections => {
                true
            }
            AlgorithmSettings::RoundRobin | AlgorithmSettings::PowerOfTwo { .. } => false,
            AlgorithmSettings::PeakEwma(never)
            | AlgorithmSettings::RingHash(never)
            | AlgorithmSettings::Maglev(never)
            | AlgorithmSettings::Locality(never) => match *never {},
        }
    }
}

/// What one balancer knows, by algorithm.
#[derive(Clone, Debug)]
enum Way {
    RoundRobin { next: usize },
    Weighted { current: Vec<f64> },
    Random { table: Option<AliasTable> },
    Fewest(Fewest),
    FewestByWeight(FewestByWeight),
    PowerOfTwo { choices: usize, loads: Vec<u32>, drawn: Vec<usize> },
}

/// Chooses among targets, which are numbered from 0.
#[derive(Clone, Debug)]
pub struct Choosing {
    weights: Vec<f64>,
    way: Way,
}

impl Choosing {
    /// For targets with these weights, with nothing under way.
    pub fn new(algorithm: &AlgorithmSettings, weights: Vec<f64>) -> Choosing {
        let count = weights.len();
        let even = weights.iter().all(|w| *w == weights[0]);
        let way = match algorithm {
            AlgorithmSettings::RoundRobin => Way::RoundRobin { next: 0 },
            AlgorithmSettings::WeightedRoundRobin => Way::Weighted { current: vec![0.0; count] },
            AlgorithmSettings::Random if even => Way::Random { table: None },
            AlgorithmSettings::Random => Way::Random { table: AliasTable::new(&weights).ok() },
            AlgorithmSettings::LeastConnections if even => Way::Fewest(Fewest::new(count)),
            AlgorithmSettings::LeastConnections => Way::FewestByWeight(FewestByWeight::new(&weights)),
            AlgorithmSettings::PowerOfTwo { choices } => {
                Way::PowerOfTwo { choices: *choices as usize, loads: vec![0; count], drawn: Vec::new() }
            }
            AlgorithmSettings::PeakEwma(never)
            | AlgorithmSettings::RingHash(never)
            | AlgorithmSettings::Maglev(never)
            | AlgorithmSettings::Locality(never) => match *never {},
        };
        Choosing { weights, way }
    }

    /// A target that is up in this `world`, or `None` where none is; a call to it begins. `draw` makes random numbers about
    /// the call, where they are needed.
    #[inline]
    pub fn choose<W>(
        &mut self,
        world: &mut W,
        is_up: impl Fn(&W, usize) -> bool + Copy,
        draw: impl FnOnce(&mut W) -> Draw,
    ) -> Option<usize> {
        match &mut self.way {
            Way::Fewest(fewest) => fewest.call(|target| is_up(world, target)),
            _ => self.choose_otherwise(world, is_up, draw),
        }
    }

    /// The algorithms that draw, go round or weigh.
    #[inline(never)]
    fn choose_otherwise<W>(
        &mut self,
        world: &mut W,
        is_up: impl Fn(&W, usize) -> bool + Copy,
        draw: impl FnOnce(&mut W) -> Draw,
    ) -> Option<usize> {
        let weights = &self.weights;
        let count = weights.len();
        match &mut self.way {
            Way::RoundRobin { next } => {
                for _ in 0..count {
                    let target = *next;
                    *next = if target + 1 == count { 0 } else { target + 1 };
                    if is_up(world, target) {
                        return Some(target);
                    }
                }
                None
            }
            Way::Weighted { current } => {
                let mut total = 0.0;
                let mut best: Option<usize> = None;
                for target in (0..count).filter(|t| weights[*t] > 0.0 && is_up(world, *t)) {
                    current[target] += weights[target];
                    total += weights[target];
                    if best.is_none_or(|b| current[target] > current[b]) {
                        best = Some(target);
                    }
                }
                let best = best?;
                current[best] -= total;
                Some(best)
            }
            Way::Random { table } => {
                let mut draw = draw(world);
                let target = match table {
                    Some(table) => table.sample(&mut draw),
                    None => draw.below(count as u64) as usize,
                };
                if is_up(world, target) {
                    return Some(target);
                }
                let share = |t: &usize| if is_up(world, *t) { weights[*t] } else { 0.0 };
                let total: f64 = (0..count).map(|t| share(&t)).sum();
                let mut left = draw.unit() * total;
                let mut last = None;
                for target in (0..count).filter(|t| share(t) > 0.0) {
                    last = Some(target);
                    left -= weights[target];
                    if left < 0.0 {
                        break;
                    }
                }
                last
            }
            Way::Fewest(fewest) => fewest.call(|target| is_up(world, target)),
            Way::FewestByWeight(fewest) => {
                let target = fewest.choose(|target| is_up(world, target))?;
                fewest.begin(target);
                Some(target)
            }
            Way::PowerOfTwo { choices, loads, drawn } => {
                let mut draw = draw(world);
                let target = if *choices == 2 && count > 2 {
                    let first = draw.below(count as u64) as usize;
                    let second = draw.below(count as u64 - 1) as usize;
                    let second = second + (second >= first) as usize;
                    if is_up(world, first) && is_up(world, second) {
                        Some(if loads[second] < loads[first] { second } else { first })
                    } else {
                        among_up(*choices, loads, drawn, &mut draw, count, |target| is_up(world, target))
                    }
                } else {
                    among_up(*choices, loads, drawn, &mut draw, count, |target| is_up(world, target))
                }?;
                loads[target] += 1;
                Some(target)
            }
        }
    }

    /// A call to a target has ended, or is no longer waited for.
    #[inline]
    pub fn end(&mut self, target: usize) {
        match &mut self.way {
            Way::Fewest(fewest) => fewest.end(target),
            _ => self.end_otherwise(target),
        }
    }

    #[inline(never)]
    fn end_otherwise(&mut self, target: usize) {
        match &mut self.way {
            Way::Fewest(fewest) => fewest.end(target),
            Way::FewestByWeight(fewest) => fewest.end(target),
            Way::PowerOfTwo { loads, .. } => loads[target] -= 1,
            Way::RoundRobin { .. } | Way::Weighted { .. } | Way::Random { .. } => {}
        }
    }
}

/// Draws so many of those that are up, without putting any back, and takes the one with the least load.
fn among_up(
    choices: usize,
    loads: &[u32],
    up: &mut Vec<usize>,
    draw: &mut Draw,
    count: usize,
    is_up: impl Fn(usize) -> bool,
) -> Option<usize> {
    up.clear();
    up.extend((0..count).filter(|t| is_up(*t)));
    let mut best: Option<usize> = None;
    for nth in 0..choices.min(up.len()) {
        let other = nth + draw.below((up.len() - nth) as u64) as usize;
        up.swap(nth, other);
        let target = up[nth];
        if best.is_none_or(|b| loads[target] < loads[b]) {
            best = Some(target);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Key;

    fn algorithm(text: &str) -> AlgorithmSettings {
        settings::notation::read(text).expect("an algorithm")
    }

    fn choosing(text: &str, weights: &[f64]) -> Choosing {
        Choosing::new(&algorithm(text), weights.to_vec())
    }

    fn draw(nth: u64) -> Draw {
        Key::root(1, 2, nth).draw(3, 0)
    }

    #[test]
    fn smooth_round_robin_spreads_five_one_one_as_nginx_does() {
        let mut choosing = choosing("weighted_round_robin", &[5.0, 1.0, 1.0]);
        let order: String = (0..14)
            .map(|n| ["a", "b", "c"][choosing.choose(&mut (), |_, _| true, |_| draw(n)).expect("all are up")])
            .collect();
        assert_eq!(order, "aabacaaaabacaa");
    }

    #[test]
    fn round_robin_goes_round_and_skips_what_is_down() {
        let mut choosing = choosing("round_robin", &[1.0; 3]);
        let mut next = |down: Option<usize>| choosing.choose(&mut (), |_, t| Some(t) != down, |_| draw(0));
        assert_eq!([next(None), next(None), next(None), next(None)], [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!([next(Some(1)), next(Some(1))], [Some(2), Some(0)]);
    }

    #[test]
    fn nothing_is_chosen_when_all_are_down() {
        for text in ["round_robin", "weighted_round_robin", "random", "least_connections", "power_of_two"] {
            for weights in [vec![1.0; 3], vec![1.0, 2.0, 3.0]] {
                let mut choosing = Choosing::new(&algorithm(text), weights);
                assert_eq!(choosing.choose(&mut (), |_, _| false, |_| draw(0)), None, "{text}");
                assert!(choosing.choose(&mut (), |_, t| t == 1, |_| draw(0)) == Some(1), "{text}");
            }
        }
    }

    #[test]
    fn random_follows_the_weights_of_those_that_are_up() {
        // 10,000 draws: a share of 1/4 has a standard deviation of 43; five of them fail once in two million.
        let mut choosing = choosing("random", &[1.0, 2.0, 3.0]);
        let mut counts = [0; 3];
        for n in 0..10_000 {
            counts[choosing.choose(&mut (), |_, t| t != 1, |_| draw(n)).expect("two are up")] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((counts[0] as f64 - 2_500.0).abs() < 5.0 * 43.3, "{counts:?}");
    }

    #[test]
    fn two_choices_are_two_different_targets() {
        // With two targets the lesser of both is always seen, so the loads never differ by more than one.
        for text in ["power_of_two", "{power_of_two: {choices: 3}}"] {
            let mut choosing = choosing(text, &[1.0; 3]);
            let mut loads = [0i32; 3];
            for n in 0..300 {
                let down = 2;
                loads[choosing.choose(&mut (), |_, t| t != down, |_| draw(n)).expect("two are up")] += 1;
                assert!((loads[0] - loads[1]).abs() <= 1);
            }
        }
    }

    #[test]
    fn two_choices_never_take_the_busiest() {
        let mut choosing = choosing("power_of_two", &[1.0; 5]);
        let mut loads = [0u32; 5];
        for n in 0..1_000 {
            let busiest = (0..5).filter(|t| loads[*t] == *loads.iter().max().expect("five")).collect::<Vec<_>>();
            let chosen = choosing.choose(&mut (), |_, _| true, |_| draw(n)).expect("all are up");
            assert!(busiest.len() > 1 || busiest[0] != chosen);
            loads[chosen] += 1;
            if n % 3 == 0 {
                let ends = (n % 5) as usize;
                if loads[ends] > 0 {
                    loads[ends] -= 1;
                    choosing.end(ends);
                }
            }
        }
    }

    #[test]
    fn a_target_of_twice_the_weight_gets_twice_the_calls() {
        let mut choosing = choosing("least_connections", &[1.0, 2.0]);
        let mut loads = [0; 2];
        for n in 0..30 {
            loads[choosing.choose(&mut (), |_, _| true, |_| draw(n)).expect("both are up")] += 1;
        }
        assert_eq!(loads, [10, 20]);
    }
}

//! Smooth weighted round robin, as nginx has it (`ngx_http_upstream_round_robin.c`), at a cost that hardly grows with the number
//! of targets.
//!
//! nginx adds to each target's *current weight* its weight, takes the first of those with the largest, and subtracts the sum
//! of all weights from that one. Here targets of the same weight are kept together: what they all get is counted once, and each
//! keeps by how much its own lags behind. So a choice costs as much as there are different weights, times O(log N). Who
//! cannot be called keeps its current weight until it can be.

use std::collections::BTreeSet;

/// How far a target's current weight lags behind what its class was given; ordered by that, then by number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Lag(f64, usize);

impl Eq for Lag {}

impl Ord for Lag {
    fn cmp(&self, other: &Lag) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

impl PartialOrd for Lag {
    fn partial_cmp(&self, other: &Lag) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Targets of the same weight.
#[derive(Clone, Debug)]
struct Class {
    weight: f64,
    /// What each of them was given so far.
    given: f64,
    /// Those that can be called.
    lags: BTreeSet<Lag>,
}

/// Targets that take turns by weight. Those of weight 0 are never chosen.
#[derive(Clone, Debug)]
pub struct Smooth {
    classes: Vec<Class>,
    class_of: Vec<usize>,
    /// The lag of each target that can be called; the current weight of one that cannot.
    own: Vec<f64>,
    /// The sum of the weights of those that can be called.
    total: f64,
}

impl Smooth {
    /// Targets of these weights, all of which can be called.
    pub fn new(weights: &[f64]) -> Smooth {
        let mut classes: Vec<Class> = Vec::new();
        let mut class_of = Vec::with_capacity(weights.len());
        for (target, weight) in weights.iter().enumerate() {
            let class = classes.iter().position(|class| class.weight == *weight).unwrap_or_else(|| {
                classes.push(Class { weight: *weight, given: 0.0, lags: BTreeSet::new() });
                classes.len() - 1
            });
            class_of.push(class);
            classes[class].lags.insert(Lag(0.0, target));
        }
        let mut smooth = Smooth { classes, class_of, own: vec![0.0; weights.len()], total: 0.0 };
        smooth.add_up();
        smooth
    }

    fn add_up(&mut self) {
        self.total = self.classes.iter().map(|class| class.weight * class.lags.len() as f64).sum();
    }

    /// A target can be called, or can no longer be.
    pub fn set_usable(&mut self, target: usize, usable: bool) {
        let class = &mut self.classes[self.class_of[target]];
        let own = &mut self.own[target];
        if usable {
            // Where it was, its current weight is that of before.
            *own = class.given - *own;
            class.lags.insert(Lag(*own, target));
        } else if class.lags.remove(&Lag(*own, target)) {
            *own = class.given - *own;
        }
        self.add_up();
    }

    /// The target whose turn it is.
    pub fn choose(&mut self) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        for class in self.classes.iter_mut().filter(|class| class.weight > 0.0) {
            class.given += class.weight;
            let Some(Lag(lag, target)) = class.lags.first() else { continue };
            let current = class.given - lag;
            if best.is_none_or(|(most, other)| current > most || current == most && *target < other) {
                best = Some((current, *target));
            }
        }
        let (_, target) = best?;
        let class = &mut self.classes[self.class_of[target]];
        class.lags.remove(&Lag(self.own[target], target));
        self.own[target] += self.total;
        class.lags.insert(Lag(self.own[target], target));
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    /// nginx's way, over all of them.
    fn by_nginx(weights: &[f64], current: &mut [f64], usable: &[bool]) -> Option<usize> {
        let (mut total, mut best) = (0.0, None);
        for target in (0..weights.len()).filter(|t| weights[*t] > 0.0 && usable[*t]) {
            current[target] += weights[target];
            total += weights[target];
            if best.is_none_or(|b: usize| current[target] > current[b]) {
                best = Some(target);
            }
        }
        current[best?] -= total;
        best
    }

    #[test]
    fn it_takes_turns_as_nginx_does() {
        for (count, of) in [(1, 1), (3, 3), (7, 2), (64, 5), (100, 5)] {
            let mut stream = Stream::named(9, "smooth");
            let weights: Vec<f64> = (0..count).map(|_| [5.0, 1.0, 2.0, 0.0, 3.0][stream.below(of) as usize]).collect();
            let mut smooth = Smooth::new(&weights);
            let (mut current, mut usable) = (vec![0.0; count], vec![true; count]);
            for step in 0..5_000 {
                if stream.below(20) == 0 {
                    let target = stream.below(count as u64) as usize;
                    usable[target] = !usable[target];
                    smooth.set_usable(target, usable[target]);
                }
                assert_eq!(smooth.choose(), by_nginx(&weights, &mut current, &usable), "{count}, step {step}");
            }
        }
    }
}

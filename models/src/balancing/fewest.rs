//! The target with the fewest calls under way, at a cost that hardly grows with the number of targets.
//!
//! Targets lie on levels, one for each number of calls; a level is a set of bits, so the first target of the lowest
//! level is found by looking at 64 targets at a time, and a call that begins or ends moves one bit. Targets that were
//! found to be down are set aside until they are seen to be up again. Targets of different weights are kept apart by weight,
//! so that a choice costs as much as there are different weights: one for each component behind a balancer.

/// Targets by their number of calls under way.
#[derive(Clone, Debug)]
pub struct Fewest {
    loads: Vec<u32>,
    is_aside: Vec<bool>,
    aside: Vec<u32>,
    words: usize,
    /// The bits of each level, one level after the other.
    bits: Vec<u64>,
    /// How many targets lie on each level.
    on_level: Vec<u32>,
    /// No level below it has a target.
    lowest: usize,
}

impl Fewest {
    /// So many targets with nothing under way.
    pub fn new(count: usize) -> Fewest {
        let words = count.div_ceil(64);
        let mut fewest = Fewest {
            loads: vec![0; count],
            is_aside: vec![false; count],
            aside: Vec::new(),
            words,
            bits: vec![0; words],
            on_level: vec![0],
            lowest: 0,
        };
        for target in 0..count {
            fewest.put(target);
        }
        fewest
    }

    /// The first of the targets with the fewest calls among those that are up.
    #[inline]
    pub fn choose(&mut self, is_up: impl Fn(usize) -> bool) -> Option<usize> {
        if !self.aside.is_empty() {
            self.bring_back(&is_up);
        }
        loop {
            let target = self.first()?;
            if is_up(target) {
                return Some(target);
            }
            self.take(target);
            self.is_aside[target] = true;
            self.aside.push(target as u32);
        }
    }

    /// Calls under way to a target.
    pub fn load(&self, target: usize) -> u32 {
        self.loads[target]
    }

    /// A call to a target begins.
    #[inline]
    pub fn begin(&mut self, target: usize) {
        self.change(target, 1);
    }

    /// A call to a target ends.
    #[inline]
    pub fn end(&mut self, target: usize) {
        self.change(target, -1);
    }

    #[inline]
    fn change(&mut self, target: usize, by: i32) {
        if self.is_aside[target] {
            self.loads[target] = self.loads[target].wrapping_add_signed(by);
            return;
        }
        self.take(target);
        self.loads[target] = self.loads[target].wrapping_add_signed(by);
        self.put(target);
    }

    fn bring_back(&mut self, is_up: &impl Fn(usize) -> bool) {
        let mut aside = std::mem::take(&mut self.aside);
        aside.retain(|target| {
            let target = *target as usize;
            if !is_up(target) {
                return true;
            }
            self.is_aside[target] = false;
            self.put(target);
            false
        });
        self.aside = aside;
    }

    /// The first target of the lowest level that has one.
    #[inline]
    fn first(&mut self) -> Option<usize> {
        while self.on_level[self.lowest] == 0 {
            if self.lowest + 1 == self.on_level.len() {
                return None;
            }
            self.lowest += 1;
        }
        let begin = self.lowest * self.words;
        let level = &self.bits[begin..begin + self.words];
        let (word, bits) = level.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    #[inline]
    fn put(&mut self, target: usize) {
        let level = self.loads[target] as usize;
        if level >= self.on_level.len() {
            self.on_level.resize(level + 1, 0);
            self.bits.resize((level + 1) * self.words, 0);
        }
        self.bits[level * self.words + target / 64] |= 1 << (target % 64);
        self.on_level[level] += 1;
        self.lowest = self.lowest.min(level);
    }

    #[inline]
    fn take(&mut self, target: usize) {
        let level = self.loads[target] as usize;
        self.bits[level * self.words + target / 64] &= !(1 << (target % 64));
        self.on_level[level] -= 1;
    }
}

/// Targets of the same weight.
#[derive(Clone, Debug)]
struct Class {
    weight: f64,
    /// Their numbers among all targets, in order.
    members: Vec<usize>,
    fewest: Fewest,
}

/// The target with the largest weight ÷ (calls under way + 1); the first of equals. Those of weight 0 are never chosen.
#[derive(Clone, Debug)]
pub struct FewestByWeight {
    classes: Vec<Class>,
    /// The class of each target and its number there.
    places: Vec<(usize, usize)>,
}

impl FewestByWeight {
    /// Targets of these weights with nothing under way.
    pub fn new(weights: &[f64]) -> FewestByWeight {
        let mut classes: Vec<Class> = Vec::new();
        let mut places = Vec::with_capacity(weights.len());
        for (target, weight) in weights.iter().enumerate() {
            let class = classes.iter().position(|c| c.weight == *weight).unwrap_or_else(|| {
                classes.push(Class { weight: *weight, members: Vec::new(), fewest: Fewest::new(0) });
                classes.len() - 1
            });
            places.push((class, classes[class].members.len()));
            classes[class].members.push(target);
        }
        for class in &mut classes {
            class.fewest = Fewest::new(class.members.len());
        }
        FewestByWeight { classes, places }
    }

    /// The target whose turn it is, among those that are up.
    pub fn choose(&mut self, is_up: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for Class { weight, members, fewest } in self.classes.iter_mut().filter(|c| c.weight > 0.0) {
            let Some(first) = fewest.choose(|member| is_up(members[member])) else { continue };
            let (target, score) = (members[first], *weight / (fewest.load(first) as f64 + 1.0));
            if best.is_none_or(|(other, most)| score > most || score == most && target < other) {
                best = Some((target, score));
            }
        }
        best.map(|(target, _)| target)
    }

    /// A call to a target begins.
    pub fn begin(&mut self, target: usize) {
        let (class, member) = self.places[target];
        self.classes[class].fewest.begin(member);
    }

    /// A call to a target ends.
    pub fn end(&mut self, target: usize) {
        let (class, member) = self.places[target];
        self.classes[class].fewest.end(member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    /// The obvious way: look at all.
    fn scan(loads: &[u32], up: &[bool]) -> Option<usize> {
        (0..loads.len()).filter(|t| up[*t]).min_by_key(|t| loads[*t])
    }

    #[test]
    fn it_agrees_with_looking_at_all_targets() {
        for count in [1, 2, 10, 63, 64, 65, 200] {
            let mut stream = Stream::named(7, "fewest");
            let mut fewest = Fewest::new(count);
            let mut loads = vec![0u32; count];
            let mut up = vec![true; count];
            for step in 0..4_000 {
                match stream.below(20) {
                    0 => {
                        let target = stream.below(count as u64) as usize;
                        up[target] = !up[target];
                    }
                    1..=9 => {
                        let target = stream.below(count as u64) as usize;
                        if loads[target] > 0 {
                            loads[target] -= 1;
                            fewest.end(target);
                        }
                    }
                    _ => {
                        let chosen = fewest.choose(|t| up[t]);
                        assert_eq!(chosen, scan(&loads, &up), "{count} targets, step {step}");
                        if let Some(chosen) = chosen {
                            loads[chosen] += 1;
                            fewest.begin(chosen);
                        }
                    }
                }
            }
        }
    }

    /// The obvious way: look at all.
    fn scan_by_weight(weights: &[f64], loads: &[u32], up: &[bool]) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for target in (0..loads.len()).filter(|t| weights[*t] > 0.0 && up[*t]) {
            let score = weights[target] / (loads[target] as f64 + 1.0);
            if best.is_none_or(|(_, most)| score > most) {
                best = Some((target, score));
            }
        }
        best.map(|(target, _)| target)
    }

    #[test]
    fn with_weights_it_agrees_with_looking_at_all_targets() {
        for (count, of) in [(1, 1), (7, 2), (64, 3), (100, 5), (30, 30)] {
            let mut stream = Stream::named(8, "by weight");
            // 0, 1, 2, 1/3 … : some scores are equal in different classes.
            let weights: Vec<f64> =
                (0..count).map(|_| [1.0, 2.0, 0.0, 1.0 / 3.0, 4.0][stream.below(of.min(5)) as usize]).collect();
            let mut fewest = FewestByWeight::new(&weights);
            let (mut loads, mut up) = (vec![0u32; count], vec![true; count]);
            for step in 0..4_000 {
                let target = stream.below(count as u64) as usize;
                match stream.below(20) {
                    0 => up[target] = !up[target],
                    1..=9 if loads[target] > 0 => {
                        loads[target] -= 1;
                        fewest.end(target);
                    }
                    _ => {
                        let chosen = fewest.choose(|t| up[t]);
                        assert_eq!(chosen, scan_by_weight(&weights, &loads, &up), "{count} targets, step {step}");
                        if let Some(chosen) = chosen {
                            loads[chosen] += 1;
                            fewest.begin(chosen);
                        }
                    }
                }
            }
        }
    }
}

//! The target with the fewest calls under way, at a cost that hardly grows with the number of targets.
//!
//! Targets lie on levels, one for each number of calls; a level is a set of bits, and the levels lie one behind the
//! other, so the first target of the lowest level is the first bit of all, found by looking at 64 targets at a time; a call
//! that begins or ends moves one bit. Targets that cannot be called are set aside, on no level. Targets of different weights
//! are kept apart by weight, so that a choice costs as much as there are different weights: one for each component behind a
//! balancer.

/// Targets by their number of calls under way.
#[derive(Clone, Debug)]
pub struct Fewest {
    /// The calls under way, by target.
    loads: Vec<u32>,
    /// The bits of each level, one level after the other.
    bits: Vec<u64>,
    /// A level has two to this power words.
    shift: u32,
    /// No word before it has a target.
    first: usize,
}

impl Fewest {
    /// So many targets with nothing under way.
    pub fn new(count: usize) -> Fewest {
        let shift = count.div_ceil(64).next_power_of_two().ilog2();
        let mut fewest = Fewest { loads: vec![0; count], bits: vec![0; 1 << shift], shift, first: 0 };
        for target in 0..count {
            fewest.put(target);
        }
        fewest
    }

    /// A target can be called, or can no longer be.
    pub fn set_usable(&mut self, target: usize, is_usable: bool) {
        match is_usable {
            true => self.put(target),
            false => {
                let (word, bit) = self.place(target);
                self.bits[word] &= !bit;
            }
        }
    }

    /// Calls under way to a target.
    pub fn load(&self, target: usize) -> u32 {
        self.loads[target]
    }

    /// A call begins to the first of the targets with the fewest calls among those that can be called.
    #[inline]
    pub fn call(&mut self) -> Option<usize> {
        let target = self.first()?;
        // Who is chosen lies in the first word that has a target.
        self.rise(target, self.first);
        Some(target)
    }

    /// A call to a target begins.
    #[inline]
    pub fn begin(&mut self, target: usize) {
        let (word, _) = self.place(target);
        self.rise(target, word);
    }

    /// A target that lies in this word, if it is not aside, gets another call.
    #[inline]
    fn rise(&mut self, target: usize, word: usize) {
        self.loads[target] += 1;
        let bit = 1 << (target % 64);
        let above = word + (1 << self.shift);
        if above >= self.bits.len() {
            self.add_level();
        }
        // Nothing moves of a target that is aside.
        let moves = self.bits[word] & bit;
        self.bits[word] ^= moves;
        self.bits[above] |= moves;
    }

    /// A call to a target ends.
    #[inline]
    pub fn end(&mut self, target: usize) {
        let (word, bit) = self.place(target);
        self.loads[target] -= 1;
        let below = word - (1 << self.shift);
        let moves = self.bits[word] & bit;
        self.bits[word] ^= moves;
        self.bits[below] |= moves;
        self.first = self.first.min(below);
    }

    /// Where a target lies, if it is not aside: the word and its bit.
    #[inline]
    fn place(&self, target: usize) -> (usize, u64) {
        (((self.loads[target] as usize) << self.shift) + target / 64, 1 << (target % 64))
    }

    /// The first target of the lowest level that has one: of those that can be called.
    #[inline]
    pub fn first(&mut self) -> Option<usize> {
        let mut word = self.first;
        while *self.bits.get(word)? == 0 {
            word += 1;
        }
        self.first = word;
        let within = word & ((1 << self.shift) - 1);
        Some(within * 64 + self.bits[word].trailing_zeros() as usize)
    }

    fn put(&mut self, target: usize) {
        let (word, bit) = self.place(target);
        while word >= self.bits.len() {
            self.add_level();
        }
        self.bits[word] |= bit;
        self.first = self.first.min(word);
    }

    #[cold]
    #[inline(never)]
    fn add_level(&mut self) {
        self.bits.resize(self.bits.len() + (1 << self.shift), 0);
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

    /// A target can be called, or can no longer be.
    pub fn set_usable(&mut self, target: usize, is_usable: bool) {
        let (class, member) = self.places[target];
        self.classes[class].fewest.set_usable(member, is_usable);
    }

    /// The target whose turn it is, among those that can be called.
    pub fn choose(&mut self) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for Class { weight, members, fewest } in self.classes.iter_mut().filter(|c| c.weight > 0.0) {
            let Some(first) = fewest.first() else { continue };
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
                        fewest.set_usable(target, up[target]);
                    }
                    1..=9 => {
                        let target = stream.below(count as u64) as usize;
                        if loads[target] > 0 {
                            loads[target] -= 1;
                            fewest.end(target);
                        }
                    }
                    _ => {
                        let chosen = fewest.first();
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
                    0 => {
                        up[target] = !up[target];
                        fewest.set_usable(target, up[target]);
                    }
                    1..=9 if loads[target] > 0 => {
                        loads[target] -= 1;
                        fewest.end(target);
                    }
                    _ => {
                        let chosen = fewest.choose();
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

//! The target with the fewest calls under way, at a cost that hardly grows with the number of targets.
//!
//! Targets lie on levels, one for each number of calls; a level is a set of bits, so the first target of the lowest
//! level is found by looking at 64 targets at a time, and a call that begins or ends moves one bit. Targets that were
//! found to be down are set aside until they are seen to be up again.

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
}

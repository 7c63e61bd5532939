//! A set of small numbers that can be counted through: the n-th of it, and the first from a number on.
//!
//! The numbers are bits of words, and how many a range of words has is kept in a Fenwick tree (Fenwick, *A New Data Structure for
//! Cumulative Frequency Tables*, 1994), so that every question costs O(log N).

/// A set of numbers below a bound.
#[derive(Clone, Debug)]
pub struct Ranks {
    words: Vec<u64>,
    /// Fenwick's tree over the counts of the words, from 1 on.
    tree: Vec<u32>,
    len: usize,
}

impl Ranks {
    /// All numbers below the bound.
    pub fn full(bound: usize) -> Ranks {
        let mut ranks = Ranks { words: vec![0; bound.div_ceil(64)], tree: vec![0; bound.div_ceil(64) + 1], len: 0 };
        for number in 0..bound {
            ranks.set(number, true);
        }
        ranks
    }

    /// How many numbers are in it.
    #[inline]
    pub fn count(&self) -> usize {
        self.len
    }

    /// Whether a number is in it.
    #[inline]
    pub fn contains(&self, number: usize) -> bool {
        self.words[number / 64] >> (number % 64) & 1 == 1
    }

    /// Puts a number in or takes it out; whether that changed anything.
    pub fn set(&mut self, number: usize, is_in: bool) -> bool {
        if self.contains(number) == is_in {
            return false;
        }
        self.words[number / 64] ^= 1 << (number % 64);
        self.len = if is_in { self.len + 1 } else { self.len - 1 };
        let mut at = number / 64 + 1;
        while at < self.tree.len() {
            self.tree[at] = if is_in { self.tree[at] + 1 } else { self.tree[at] - 1 };
            at += at & at.wrapping_neg();
        }
        true
    }

    /// Number `nth` of the set in ascending order, counted from 0; `None` if the set is smaller.
    pub fn nth(&self, nth: usize) -> Option<usize> {
        if nth >= self.len {
            return None;
        }
        let (mut left, mut word) = (nth as u32, 0);
        let mut step = self.tree.len().next_power_of_two() / 2;
        while step > 0 {
            let next = word + step;
            if next < self.tree.len() && self.tree[next] <= left {
                left -= self.tree[next];
                word = next;
            }
            step /= 2;
        }
        let mut bits = self.words[word];
        for _ in 0..left {
            bits &= bits - 1;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    /// The smallest number in the set that is not below this one.
    pub fn from(&self, number: usize) -> Option<usize> {
        let word = number / 64;
        let here = self.words.get(word)? & (u64::MAX << (number % 64));
        if here != 0 {
            return Some(word * 64 + here.trailing_zeros() as usize);
        }
        self.nth(self.before(word + 1))
    }

    /// How many numbers lie in the words before this one.
    fn before(&self, word: usize) -> usize {
        let (mut at, mut sum) = (word.min(self.tree.len() - 1), 0);
        while at > 0 {
            sum += self.tree[at] as usize;
            at &= at - 1;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    #[test]
    fn it_agrees_with_a_list_that_is_searched() {
        for bound in [1usize, 5, 63, 64, 65, 200, 1000] {
            let mut stream = Stream::named(3, "ranks");
            let (mut ranks, mut list) = (Ranks::full(bound), vec![true; bound]);
            for step in 0..3_000 {
                let number = stream.below(bound as u64) as usize;
                let is_in = stream.below(100) < if step / 500 % 2 == 0 { 20 } else { 70 };
                assert_eq!(ranks.set(number, is_in), list[number] != is_in);
                list[number] = is_in;
                let all: Vec<usize> = (0..bound).filter(|n| list[*n]).collect();
                let (nth, from) = (stream.below(bound as u64) as usize, stream.below(bound as u64 + 2) as usize);
                assert_eq!((ranks.count(), ranks.nth(nth)), (all.len(), all.get(nth).copied()), "{bound}, step {step}");
                assert_eq!(ranks.from(from), all.iter().copied().find(|n| *n >= from), "{bound}, step {step}");
            }
        }
    }
}

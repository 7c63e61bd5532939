//! Maglev's table: keys are spread evenly, and few of them move when targets come and go (Eisenbud and others, *Maglev: A Fast and
//! Reliable Software Network Load Balancer*, NSDI 2016, section 3.4).
//!
//! Every target has a permutation of the table's rows: from an offset on in steps of its own, both hashes of its name. Targets take turns, and
//! each takes the first row of its permutation that is free, until the table is full. So with equal weights the numbers of rows differ by
//! one at most. With weights a target's turn comes as often as its weight is of the largest, as in Envoy (`maglev_lb.cc`). Whenever other
//! targets can be called, the table is made anew, before the next choice.

use super::ring::{Bound, spot};

/// The table of one chooser.
#[derive(Clone, Debug)]
pub struct Maglev {
    weights: Vec<f64>,
    usable: Vec<bool>,
    /// Whose each row is; empty before it is made.
    rows: Vec<u32>,
    /// How many rows there are to be: a prime.
    size: usize,
    is_stale: bool,
    bound: Bound,
}

/// A row that is nobody's.
const NOBODY: u32 = u32::MAX;

/// Whether a number has no divisors but 1 and itself.
pub fn is_prime(number: u32) -> bool {
    number >= 2 && (2..).take_while(|by| by * by <= number).all(|by| !number.is_multiple_of(by))
}

/// Where a target's permutation of so many rows begins, and in which steps it goes on.
fn permutation(target: usize, size: usize) -> (usize, usize) {
    let name = target as u64 + 1;
    let (offset, skip) = (spot(name, 1 << 40), spot(name, 2 << 40));
    ((offset % size as u64) as usize, (skip % (size as u64 - 1)) as usize + 1)
}

/// The table of those targets whose weight is above 0. `permutation` is that of each.
fn table(weights: &[f64], size: usize, permutation: impl Fn(usize) -> (usize, usize)) -> Vec<u32> {
    struct Turn {
        target: u32,
        at: usize,
        skip: usize,
        weight: f64,
        due: f64,
    }
    let most = weights.iter().copied().fold(0.0, f64::max);
    let mut turns: Vec<Turn> = (0..weights.len())
        .filter(|target| weights[*target] > 0.0)
        .map(|target| {
            let (at, skip) = permutation(target);
            Turn { target: target as u32, at, skip, weight: weights[target] / most, due: 0.0 }
        })
        .collect();
    let mut rows = vec![NOBODY; size];
    let mut left = if turns.is_empty() { 0 } else { size };
    let mut round = 0.0;
    while left > 0 {
        round += 1.0;
        for turn in &mut turns {
            if left == 0 {
                break;
            }
            // Who has had its share of the rounds so far does not take part in this one.
            if round * turn.weight < turn.due {
                continue;
            }
            turn.due += 1.0;
            while rows[turn.at] != NOBODY {
                turn.at = (turn.at + turn.skip) % size;
            }
            rows[turn.at] = turn.target;
            left -= 1;
        }
    }
    rows
}

impl Maglev {
    /// For targets of these weights, all of which can be called.
    pub fn new(weights: &[f64], size: u32, max_load: Option<f64>) -> Maglev {
        Maglev {
            weights: weights.to_vec(),
            usable: vec![true; weights.len()],
            rows: Vec::new(),
            size: size as usize,
            is_stale: true,
            bound: Bound::new(max_load, weights.len()),
        }
    }

    /// A target can be called, or can no longer be.
    pub fn set_usable(&mut self, target: usize, is_usable: bool) {
        self.is_stale |= self.usable[target] != is_usable;
        self.usable[target] = is_usable;
    }

    #[cold]
    #[inline(never)]
    fn make(&mut self) {
        let weights: Vec<f64> =
            self.weights.iter().zip(&self.usable).map(|(weight, usable)| if *usable { *weight } else { 0.0 }).collect();
        self.rows = table(&weights, self.size, |target| permutation(target, self.size));
        self.is_stale = false;
    }

    /// Whose a key is, of so many that can be called; a call to it begins.
    pub fn choose(&mut self, key: u64, usable: usize) -> Option<usize> {
        if self.is_stale {
            self.make();
        }
        // With a bound, the key goes on to other rows until it finds somebody who may have it.
        for nth in 0..4 * self.size as u64 {
            let target = self.rows[(spot(key, nth) % self.size as u64) as usize];
            if target == NOBODY {
                return None;
            }
            if self.bound.allows(target as usize, usable) {
                self.bound.begin(target as usize);
                return Some(target as usize);
            }
        }
        let target =
            (0..self.weights.len()).find(|target| self.usable[*target] && self.bound.allows(*target, usable))?;
        self.bound.begin(target);
        Some(target)
    }

    /// A call to a target begins.
    pub fn begin(&mut self, target: usize) {
        self.bound.begin(target);
    }

    /// A call to a target has ended.
    pub fn end(&mut self, target: usize) {
        self.bound.end(target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the paper: three backends with the offsets and skips (3, 4), (0, 2) and (3, 1), before and after the second is removed.
    #[test]
    fn it_makes_the_table_of_the_paper() {
        let permutations = [(3, 4), (0, 2), (3, 1)];
        let before = table(&[1.0; 3], 7, |target| permutations[target]);
        assert_eq!(before, [1, 0, 1, 0, 2, 2, 0]);
        let after = table(&[1.0, 0.0, 1.0], 7, |target| permutations[target]);
        assert_eq!(after, [0, 0, 0, 0, 2, 2, 2]);
    }

    fn rows(rows: &[u32], targets: usize) -> Vec<usize> {
        (0..targets).map(|target| rows.iter().filter(|row| **row == target as u32).count()).collect()
    }

    #[test]
    fn rows_differ_by_one_at_most() {
        for targets in [1, 3, 10, 100, 1000] {
            let rows = rows(&table(&vec![1.0; targets], 65_537, |target| permutation(target, 65_537)), targets);
            assert!(rows.iter().max().expect("some") - rows.iter().min().expect("some") <= 1, "{targets}");
        }
    }

    #[test]
    fn rows_are_in_proportion_to_the_weights() {
        let rows = rows(&table(&[1.0, 2.0, 4.0, 0.0], 65_537, |target| permutation(target, 65_537)), 4);
        for (rows, weight) in rows.iter().zip([1.0, 2.0, 4.0, 0.0]) {
            assert!((*rows as f64 - 65_537.0 * weight / 7.0).abs() < 3.0, "{rows} of weight {weight}");
        }
    }

    /// Who leaves moves its own keys, and a few of the others' (the paper's section 5.3: some per cent with a table that is small
    /// for its backends, hardly any with a large one).
    #[test]
    fn who_leaves_moves_few_keys_of_others() {
        let (targets, size) = (100, 65_537);
        let before = table(&vec![1.0; targets], size, |target| permutation(target, size));
        let mut weights = vec![1.0; targets];
        weights[17] = 0.0;
        let after = table(&weights, size, |target| permutation(target, size));
        let moved = before.iter().zip(&after).filter(|(before, after)| **before != 17 && before != after).count();
        let share = moved as f64 / size as f64;
        assert!(share > 0.0 && share < 0.02, "{share}");
        assert!(after.iter().all(|row| *row != 17 && *row != NOBODY));
    }

    #[test]
    fn keys_follow_the_table_and_stay() {
        let mut maglev = Maglev::new(&[1.0; 5], 65_537, None);
        let mut counts = [0u64; 5];
        for key in 0..50_000 {
            counts[maglev.choose(key, 5).expect("all can be called")] += 1;
        }
        // A fifth of 50,000: a deviation of 89, and five of those.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 450), "{counts:?}");
        let of_one = maglev.choose(99, 5).expect("all can be called");
        maglev.set_usable(of_one, false);
        assert_ne!(maglev.choose(99, 4), Some(of_one));
        maglev.set_usable(of_one, true);
        assert_eq!(maglev.choose(99, 5), Some(of_one));
        (0..5).for_each(|target| maglev.set_usable(target, false));
        assert_eq!(maglev.choose(99, 0), None);
    }

    #[test]
    fn with_a_bound_a_hot_key_is_shared() {
        let mut maglev = Maglev::new(&[1.0; 8], 251, Some(1.25));
        let mut loads = [0u32; 8];
        for nth in 0..400u32 {
            loads[maglev.choose(7, 8).expect("all can be called")] += 1;
            let most = (1.25 * f64::from(nth + 1) / 8.0).ceil() as u32;
            assert!(loads.iter().all(|load| *load <= most), "{loads:?} after {nth}");
        }
    }

    #[test]
    fn primes_are_known() {
        assert!([2, 3, 5, 251, 65_537, 5_000_011].into_iter().all(is_prime));
        assert!([0, 1, 4, 65_536, 65_535].into_iter().all(|number| !is_prime(number)));
    }
}

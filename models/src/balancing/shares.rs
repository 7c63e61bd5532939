//! Drawing a number with a probability in proportion to its weight, where weights come and go.
//!
//! A tree in which every node has the sum of those below it. A change adds up the nodes above it anew, so that rounding does not
//! pile up; a change and a draw cost O(log N).

/// Numbers below a bound, with their weights.
#[derive(Clone, Debug)]
pub struct Shares {
    /// The sums: the root is 1, the children of n are 2n and 2n + 1, the leaves come last.
    sums: Vec<f64>,
    leaves: usize,
}

impl Shares {
    /// With these weights.
    pub fn new(weights: &[f64]) -> Shares {
        let leaves = weights.len().next_power_of_two().max(1);
        let mut shares = Shares { sums: vec![0.0; 2 * leaves], leaves };
        shares.sums[leaves..leaves + weights.len()].copy_from_slice(weights);
        for at in (1..leaves).rev() {
            shares.sums[at] = shares.sums[2 * at] + shares.sums[2 * at + 1];
        }
        shares
    }

    /// A number has another weight.
    pub fn set(&mut self, number: usize, weight: f64) {
        let mut at = self.leaves + number;
        self.sums[at] = weight;
        while at > 1 {
            at /= 2;
            self.sums[at] = self.sums[2 * at] + self.sums[2 * at + 1];
        }
    }

    /// The number at this share of the whole, from 0 to below 1; `None` where all weights are 0.
    pub fn at(&self, share: f64) -> Option<usize> {
        if self.sums[1] <= 0.0 {
            return None;
        }
        let (mut left, mut at) = (share * self.sums[1], 1);
        while at < self.leaves {
            let (one, other) = (self.sums[2 * at], self.sums[2 * at + 1]);
            // Rounding must not lead to where there is nothing.
            let goes_left = other <= 0.0 || one > 0.0 && left < one;
            left = if goes_left { left } else { left - one };
            at = 2 * at + usize::from(!goes_left);
        }
        Some(at - self.leaves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    #[test]
    fn it_agrees_with_adding_up() {
        for count in [1usize, 2, 7, 64, 100] {
            let mut stream = Stream::named(4, "shares");
            let mut weights: Vec<f64> = (0..count).map(|_| stream.below(4) as f64).collect();
            let mut shares = Shares::new(&weights);
            for _ in 0..2_000 {
                let number = stream.below(count as u64) as usize;
                weights[number] = stream.below(4) as f64;
                shares.set(number, weights[number]);
                let share = stream.unit();
                let mut left = share * weights.iter().sum::<f64>();
                // Whole weights add up exactly.
                let expected = weights.iter().position(|weight| {
                    left -= weight;
                    left < 0.0
                });
                assert_eq!(shares.at(share), expected);
            }
        }
    }
}

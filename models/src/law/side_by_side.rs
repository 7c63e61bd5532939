//! What is done side by side: when enough of it has succeeded, and when too much has failed.
//!
//! With branches that do not depend on each other, `need` of n have succeeded by t with the probability that a Poisson binomial
//! distribution gives to at least `need` of the F(t); and it has failed by t where more than n − `need` have failed by t. Both
//! cannot happen, so that neither needs to know about the other. For `need` = n of n alike the first is F(t)ⁿ: the mean of the
//! slowest of n exponentials is the mean of one times the harmonic number of n.

use super::{ATOM_MIN, Cell, Law};

/// Instants at which the laws of the branches are compared, at most.
const POINTS_MAX: usize = 600;
/// Groups of branches that begin at different times, at most; more are taken together.
const STARTS_MAX: usize = 48;

/// Branches that are alike.
#[derive(Clone, Debug)]
pub struct Branch {
    /// How long one takes that succeeds.
    pub done: Law,
    /// How long one takes that fails.
    pub failed: Law,
    /// How much later than the whole it begins.
    pub starts: f64,
    /// How many there are.
    pub count: u64,
}

/// How long it takes until `need` of the branches have succeeded, and until so many have failed that this cannot be any more.
pub fn side_by_side(branches: &[Branch], need: u64) -> (Law, Law) {
    let all: u64 = branches.iter().map(|branch| branch.count).sum();
    let need = need.clamp(1, all.max(1));
    let grouped;
    let branches = if branches.len() > STARTS_MAX {
        grouped = grouped_by_start(branches);
        &grouped
    } else {
        branches
    };
    let started = |branch: &Branch| {
        let start = Law::always(branch.starts);
        Branch { done: branch.done.then(&start), failed: branch.failed.then(&start), starts: 0.0, ..*branch }
    };
    let branches: &[Branch] = &branches.iter().map(started).collect::<Vec<Branch>>();
    if let [Branch { done, failed, count: 1, .. }] = branches {
        return (done.clone(), failed.clone());
    }
    let points = instants(branches);
    let done = law_of(&points, |at, inclusive| reached(branches, need, |b| share(&b.done, at, inclusive)));
    let failed = if branches.iter().all(|branch| branch.failed == Law::never()) {
        Law::never()
    } else {
        law_of(&points, |at, inclusive| reached(branches, all - need + 1, |b| share(&b.failed, at, inclusive)))
    };
    (done, failed)
}

/// The weight at or below a value, or only below it.
fn share(law: &Law, value: f64, inclusive: bool) -> f64 {
    let found = law.up_to(value);
    if inclusive {
        return found;
    }
    let at: f64 = law.cells().iter().filter(|cell| cell.width == 0.0 && cell.at == value).map(|cell| cell.weight).sum();
    found - at
}

/// How likely at least `need` of the branches are, each with its own probability.
fn reached(branches: &[Branch], need: u64, probability: impl Fn(&Branch) -> f64) -> f64 {
    let all: u64 = branches.iter().map(|branch| branch.count).sum();
    let power = |base: f64, count: u64| libm::pow(base.clamp(0.0, 1.0), count as f64);
    if need >= all {
        return branches.iter().map(|branch| power(probability(branch), branch.count)).product();
    }
    if need <= 1 {
        return 1.0 - branches.iter().map(|branch| power(1.0 - probability(branch), branch.count)).product::<f64>();
    }
    // counts[k]: how likely exactly k are; the last: `need` or more.
    let need = need as usize;
    let mut counts = vec![0.0; need + 1];
    counts[0] = 1.0;
    for branch in branches {
        let p = probability(branch).clamp(0.0, 1.0);
        for _ in 0..branch.count {
            counts[need] += counts[need - 1] * p;
            for k in (1..need).rev() {
                counts[k] = counts[k] * (1.0 - p) + counts[k - 1] * p;
            }
            counts[0] *= 1.0 - p;
        }
    }
    counts[need]
}

/// The law whose distribution function, at and just below these points, is this.
fn law_of(points: &[f64], reached: impl Fn(f64, bool) -> f64) -> Law {
    let mut cells = Vec::with_capacity(2 * points.len());
    let (mut before, mut from) = (0.0, points.first().copied().unwrap_or(0.0));
    for &at in points {
        let below = reached(at, false).max(before);
        cells.push(Cell { at: (from + at) / 2.0, width: at - from, weight: below - before });
        let reached = reached(at, true).max(below);
        cells.push(Cell { at, width: 0.0, weight: reached - below });
        (before, from) = (reached, at);
    }
    Law::from_cells(cells)
}

/// The ends of all cells; where these are too many, so many that the rest lies evenly between them, and every value that is
/// taken often.
fn instants(branches: &[Branch]) -> Vec<f64> {
    let mut points: Vec<(f64, bool)> = Vec::new();
    for branch in branches {
        for cell in branch.done.cells().iter().chain(branch.failed.cells()) {
            if cell.width == 0.0 {
                points.push((cell.at, cell.weight >= ATOM_MIN));
            } else {
                points.extend([(cell.low(), false), (cell.high(), false)]);
            }
        }
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    points.dedup_by(|next, kept| next.0 == kept.0);
    let every = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.iter().enumerate().filter(|(nth, (_, keep))| *keep || nth % every == 0 || *nth == last);
    kept.map(|(_, (at, _))| *at).collect()
}

/// Branches that begin at about the same time, taken as if they were alike.
fn grouped_by_start(branches: &[Branch]) -> Vec<Branch> {
    // The first and the last decide most often; they stay as they are.
    let (first, rest) = branches.split_at(1);
    let (middle, last) = rest.split_at(rest.len() - 1);
    let size = middle.len().div_ceil(STARTS_MAX);
    let group = |group: &[Branch]| {
        let count: u64 = group.iter().map(|branch| branch.count).sum();
        let of = |law: fn(&Branch) -> &Law| {
            group
                .iter()
                .fold(Law::never(), |all, branch| all.or(&law(branch).weighted(branch.count as f64 / count as f64)))
        };
        let starts = group.iter().map(|branch| branch.starts * branch.count as f64).sum::<f64>() / count as f64;
        Branch { done: of(|branch| &branch.done), failed: of(|branch| &branch.failed), starts, count }
    };
    [first, last].concat().into_iter().chain(middle.chunks(size).map(group)).collect()
}

#[cfg(test)]
mod tests {
    use sim_core::dist::Dist;

    use super::*;

    fn alike(law: &Law, count: u64) -> Branch {
        Branch { done: law.clone(), failed: Law::never(), starts: 0.0, count }
    }

    fn close(found: f64, expected: f64, share: f64) {
        assert!((found - expected).abs() <= share * expected, "{found} instead of {expected}");
    }

    /// The k-th of n exponentials takes the sum of 1/i for i from n − k + 1 to n.
    #[test]
    fn order_statistics_of_exponentials_are_harmonic_sums() {
        let one = Law::of(&Dist::exp(1.0).expect("a distribution"));
        let harmonic = |from: u64, to: u64| (from..=to).map(|i| 1.0 / i as f64).sum::<f64>();
        for (n, need) in [(2, 2), (3, 3), (3, 1), (5, 3), (100, 100), (100, 1), (20, 10), (1000, 1000)] {
            let (done, failed) = side_by_side(&[alike(&one, n)], need);
            close(done.mean(), harmonic(n - need + 1, n), 1e-2);
            close(done.weight(), 1.0, 1e-6);
            assert_eq!(failed, Law::never());
        }
    }

    #[test]
    fn constants_take_as_long_as_the_slowest_that_is_needed() {
        let branches: Vec<Branch> = [2.0, 5.0, 5.0, 1.0].iter().map(|s| alike(&Law::always(*s), 1)).collect();
        assert_eq!(side_by_side(&branches, 4).0, Law::always(5.0));
        assert_eq!(side_by_side(&branches, 1).0, Law::always(1.0));
        assert_eq!(side_by_side(&branches, 2).0, Law::always(2.0));
        let staggered: Vec<Branch> =
            (1..=1000).map(|n| Branch { starts: f64::from(n) * 0.02, ..alike(&Law::always(0.01), 1) }).collect();
        close(side_by_side(&staggered, 1000).0.mean(), 20.01, 1e-9);
    }

    /// Of two that fail half of the time after 1 and succeed after 2: both are needed, so that three in four fail.
    #[test]
    fn too_many_failures_end_it_at_once() {
        let half = |at: f64| Law::always(at).weighted(0.5);
        let branch = Branch { done: half(2.0), failed: half(1.0), starts: 0.0, count: 2 };
        let (done, failed) = side_by_side(std::slice::from_ref(&branch), 2);
        assert_eq!((done, failed), (Law::always(2.0).weighted(0.25), Law::always(1.0).weighted(0.75)));
        let (done, failed) = side_by_side(&[branch], 1);
        assert_eq!((done, failed), (Law::always(2.0).weighted(0.75), Law::always(1.0).weighted(0.25)));
    }
}

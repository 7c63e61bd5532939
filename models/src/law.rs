//! The law of a time (or of a count) that chance decides, as far as it can be known without drawing.
//!
//! A law is a list of cells: so much weight, spread evenly over a width around a value. A value that is always the same
//! is one cell of no width, so that whatever is made of constants alone is exact. Others are cut into cells that are finest in the
//! tails, where the longest of many and what exceeds a timeout are decided; each cell keeps its mean and variance whatever is
//! merged. The weights of a whole law add up to 1; of a part of one, such as the calls that fail, to the probability of that part.

mod of_dist;
mod side_by_side;

pub use side_by_side::{Branch, side_by_side};

/// Cells of a law that is not made of constants, at most.
const CELLS_MAX: usize = 200;
/// Cells lie evenly in ln(p / (1 − p)) between minus and plus this.
const LOGIT_MAX: f64 = 17.0;
/// What is always the same and has this share of the weight is never merged with anything.
const ATOM_MIN: f64 = 0.004;

/// So much weight, evenly spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    /// The middle.
    pub(crate) at: f64,
    /// How far it reaches in all.
    pub(crate) width: f64,
    /// How likely it is.
    pub(crate) weight: f64,
}

impl Cell {
    fn low(&self) -> f64 {
        self.at - self.width / 2.0
    }

    fn high(&self) -> f64 {
        self.at + self.width / 2.0
    }

    /// The weight at or below a value.
    fn up_to(&self, value: f64) -> f64 {
        if value >= self.high() {
            return self.weight;
        }
        if value < self.low() || self.width == 0.0 { 0.0 } else { self.weight * (value - self.low()) / self.width }
    }
}

/// The law of a value of at least 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Law {
    /// From the least to the greatest.
    cells: Vec<Cell>,
}

impl Law {
    /// What never happens.
    pub fn never() -> Law {
        Law::default()
    }

    /// Always this value.
    pub fn always(value: f64) -> Law {
        Law { cells: vec![Cell { at: value, width: 0.0, weight: 1.0 }] }
    }

    /// Anything between two values.
    pub fn between(low: f64, high: f64) -> Law {
        if high <= low {
            return Law::always(low);
        }
        // So many that what is made of them, cell by cell, keeps the form.
        const PARTS: u32 = 40;
        let width = (high - low) / f64::from(PARTS);
        let cell = |n: u32| Cell { at: low + (f64::from(n) + 0.5) * width, width, weight: 1.0 / f64::from(PARTS) };
        Law { cells: (0..PARTS).map(cell).collect() }
    }

    fn from_cells(mut cells: Vec<Cell>) -> Law {
        cells.retain(|cell| cell.weight > 0.0);
        cells.sort_by(|a, b| a.at.total_cmp(&b.at));
        cells.dedup_by(|next, kept| {
            let same = next.at == kept.at && next.width == kept.width;
            if same {
                kept.weight += next.weight;
            }
            same
        });
        let mut law = Law { cells };
        law.compress();
        law
    }

    /// Merges what lies close together, so that no law has more cells than it may. Means and variances stay.
    fn compress(&mut self) {
        if self.cells.len() <= CELLS_MAX {
            return;
        }
        let total = self.weight();
        let step = 2.0 * LOGIT_MAX / (CELLS_MAX as f64 * 0.8);
        let mut merged: Vec<Cell> = Vec::with_capacity(CELLS_MAX);
        let mut open: Option<(i64, Moments)> = None;
        let mut below = 0.0;
        for cell in &self.cells {
            let p = ((below + cell.weight / 2.0) / total).clamp(1e-12, 1.0 - 1e-12);
            below += cell.weight;
            let bin = (libm::log(p / (1.0 - p)).clamp(-LOGIT_MAX, LOGIT_MAX) / step).floor() as i64;
            let stands_alone = cell.width == 0.0 && cell.weight >= ATOM_MIN * total;
            match &mut open {
                Some((at, moments)) if *at == bin && !stands_alone => moments.add(cell),
                _ => {
                    merged.extend(open.take().map(|(_, moments)| moments.cell()));
                    if stands_alone {
                        merged.push(*cell);
                    } else {
                        open = Some((bin, Moments::of(cell)));
                    }
                }
            }
        }
        merged.extend(open.map(|(_, moments)| moments.cell()));
        merged.sort_by(|a, b| a.at.total_cmp(&b.at));
        self.cells = merged;
    }

    /// How likely it is at all.
    pub fn weight(&self) -> f64 {
        self.cells.iter().map(|cell| cell.weight).sum()
    }

    /// Weight × mean: what it adds to a mean of the whole.
    pub fn sum(&self) -> f64 {
        self.cells.iter().map(|cell| cell.weight * cell.at).sum()
    }

    /// The mean where it happens; 0 where it never does.
    pub fn mean(&self) -> f64 {
        let weight = self.weight();
        if weight > 0.0 { self.sum() / weight } else { 0.0 }
    }

    /// Weight × mean square.
    pub fn mean_square(&self) -> f64 {
        self.cells.iter().map(|cell| cell.weight * (cell.at * cell.at + cell.width * cell.width / 12.0)).sum()
    }

    /// The square of the coefficient of variation; 0 of what is always 0.
    pub fn scv(&self) -> f64 {
        let (weight, mean) = (self.weight(), self.mean());
        if mean <= 0.0 {
            return 0.0;
        }
        (self.mean_square() / weight / (mean * mean) - 1.0).max(0.0)
    }

    /// How likely a value above this is.
    pub fn beyond(&self, value: f64) -> f64 {
        self.cells.iter().map(|cell| cell.weight - cell.up_to(value)).sum()
    }

    /// How likely a value of at most this is.
    pub fn up_to(&self, value: f64) -> f64 {
        self.cells.iter().map(|cell| cell.up_to(value)).sum()
    }

    /// The least value that is exceeded with a probability of at most 1 − `probability` of the weight.
    pub fn quantile(&self, probability: f64) -> f64 {
        let mut left = probability * self.weight();
        for cell in &self.cells {
            if cell.weight >= left {
                return cell.low() + cell.width * left / cell.weight;
            }
            left -= cell.weight;
        }
        self.cells.last().map_or(0.0, Cell::high)
    }

    /// How likely it is less than what another law gives, where neither depends on the other; a tie does not count.
    pub fn before(&self, other: &Law) -> f64 {
        let less = |cell: &Cell| {
            let at = cell.at;
            let ties: f64 = self.cells.iter().filter(|c| c.width == 0.0 && c.at == at).map(|c| c.weight).sum();
            cell.weight * (self.up_to(at) - ties)
        };
        other.cells.iter().map(less).sum()
    }

    /// The values with their weights, as if each cell were its middle.
    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The same with so many times the weight.
    #[must_use]
    pub fn weighted(&self, factor: f64) -> Law {
        if factor <= 0.0 {
            return Law::never();
        }
        let cells = self.cells.iter().map(|cell| Cell { weight: cell.weight * factor, ..*cell });
        Law { cells: cells.collect() }
    }

    /// So many times as long.
    #[must_use]
    pub fn stretched(&self, factor: f64) -> Law {
        let stretched = |cell: &Cell| Cell { at: cell.at * factor, width: cell.width * factor, ..*cell };
        Law { cells: self.cells.iter().map(stretched).collect() }
    }

    /// One or the other: the weights add up.
    #[must_use]
    pub fn or(&self, other: &Law) -> Law {
        match (self.cells.is_empty(), other.cells.is_empty()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => Law::from_cells([self.cells.as_slice(), &other.cells].concat()),
        }
    }

    /// This and then the other, where neither depends on the other.
    #[must_use]
    pub fn then(&self, other: &Law) -> Law {
        let shifted = |law: &Law, by: &Cell| {
            let cells =
                law.cells.iter().map(|cell| Cell { at: cell.at + by.at, weight: cell.weight * by.weight, ..*cell });
            Law { cells: cells.collect() }
        };
        match (self.cells.as_slice(), other.cells.as_slice()) {
            ([], _) | (_, []) => Law::never(),
            ([only], _) if only.width == 0.0 => shifted(other, only),
            (_, [only]) if only.width == 0.0 => shifted(self, only),
            (left, right) => {
                let both = |a: &Cell, b: &Cell| Cell {
                    at: a.at + b.at,
                    width: libm::sqrt(a.width * a.width + b.width * b.width),
                    weight: a.weight * b.weight,
                };
                Law::from_cells(left.iter().flat_map(|a| right.iter().map(|b| both(a, b))).collect())
            }
        }
    }

    /// So many of it, one after the other.
    #[must_use]
    pub fn times(&self, count: u64) -> Law {
        let (mut all, mut power, mut rest) = (Law::always(0.0), self.clone(), count);
        while rest > 0 {
            if rest % 2 == 1 {
                all = all.then(&power);
            }
            rest /= 2;
            if rest > 0 {
                power = power.then(&power);
            }
        }
        all
    }

    /// What is at most this, and how likely more is.
    #[must_use]
    pub fn split(&self, limit: f64) -> (Law, f64) {
        let mut below = Vec::with_capacity(self.cells.len());
        for cell in &self.cells {
            let weight = cell.up_to(limit);
            if weight >= cell.weight {
                below.push(*cell);
            } else if weight > 0.0 {
                below.push(Cell { at: (cell.low() + limit) / 2.0, width: limit - cell.low(), weight });
            }
        }
        let below = Law::from_cells(below);
        let beyond = (self.weight() - below.weight()).max(0.0);
        (below, if beyond < 1e-15 { 0.0 } else { beyond })
    }
}

/// The weight, mean and square of several cells.
#[derive(Clone, Copy)]
struct Moments {
    weight: f64,
    sum: f64,
    squares: f64,
    /// The middle and width of all of them, where these are the same.
    same: Option<(f64, f64)>,
}

impl Moments {
    fn of(cell: &Cell) -> Moments {
        Moments {
            weight: cell.weight,
            sum: cell.weight * cell.at,
            squares: cell.weight * (cell.at * cell.at + cell.width * cell.width / 12.0),
            same: Some((cell.at, cell.width)),
        }
    }

    fn add(&mut self, cell: &Cell) {
        let other = Moments::of(cell);
        self.weight += other.weight;
        self.sum += other.sum;
        self.squares += other.squares;
        self.same = self.same.filter(|same| other.same == Some(*same));
    }

    fn cell(self) -> Cell {
        let at = self.sum / self.weight;
        if let Some((at, width)) = self.same {
            return Cell { at, width, weight: self.weight };
        }
        let variance = (self.squares / self.weight - at * at).max(0.0);
        Cell { at, width: libm::sqrt(12.0 * variance).min(2.0 * at), weight: self.weight }
    }
}

#[cfg(test)]
mod tests {
    use sim_core::dist::Dist;

    use super::*;

    fn law(dist: Result<Dist, sim_core::dist::DistError>) -> Law {
        Law::of(&dist.expect("a distribution"))
    }

    fn close(found: f64, expected: f64, share: f64) {
        assert!((found - expected).abs() <= share * expected.abs().max(1e-9), "{found} instead of {expected}");
    }

    #[test]
    fn constants_are_exact() {
        let two = Law::always(2.0).then(&Law::always(3.0));
        assert_eq!(two, Law::always(5.0));
        assert_eq!(Law::always(2.0).times(1000), Law::always(2000.0));
        let (below, beyond) = Law::always(2.0).split(2.0);
        assert_eq!((below, beyond), (Law::always(2.0), 0.0));
        assert_eq!(Law::always(2.0).split(1.999), (Law::never(), 1.0));
    }

    /// Every sort of distribution keeps its mean and, where it has one, its variance.
    #[test]
    fn means_and_variances_are_those_of_the_distribution() {
        let parts = vec![(90.0, Dist::constant(10.0).unwrap()), (10.0, Dist::exp(100.0).unwrap())];
        let all = [
            Dist::constant(3.0),
            Dist::exp(3.0),
            Dist::uniform(1.0, 3.0),
            Dist::normal(3.0, 1.0),
            Dist::normal(1.0, 2.0),
            Dist::lognormal(3.0, 1.5),
            Dist::lognormal_percentiles(80.0, 400.0),
            Dist::erlang(4, 3.0),
            Dist::gamma(3.0, 0.7),
            Dist::gamma(3.0, 1.8),
            Dist::weibull(3.0, 0.7),
            Dist::pareto(1.0, 2.5, None),
            Dist::pareto(1.0, 1.2, Some(1000.0)),
            Dist::hyperexp(3.0, 3.0),
            Dist::mixture(parts),
            Dist::shift(2.0, Dist::exp(3.0).unwrap()),
            Dist::empirical(vec![1.0, 2.0, 10.0], Some(vec![1.0, 2.0, 1.0])),
            Dist::geometric(4.0),
            Dist::poisson(0.3),
            Dist::poisson(20_000.0),
        ];
        for dist in all.into_iter().map(|dist| dist.expect("a distribution")) {
            let law = Law::of(&dist);
            close(law.weight(), 1.0, 1e-9);
            close(law.mean(), dist.mean(), 1e-6);
            // The tail of a Pareto distribution holds much of its variance, beyond what cells can.
            if let Some(cv) = dist.cv().filter(|_| dist.given() != Dist::pareto(1.0, 2.5, None).unwrap().given()) {
                close(1.0 + law.scv(), 1.0 + cv * cv, 0.01);
            }
        }
    }

    #[test]
    fn what_a_timeout_leaves_is_that_of_the_closed_form() {
        let (below, beyond) = law(Dist::exp(1.0)).split(0.7);
        close(beyond, libm::exp(-0.7), 2e-3);
        close(below.sum() + beyond * 0.7, 1.0 - libm::exp(-0.7), 2e-3);
    }

    #[test]
    fn sums_keep_means_variances_and_tails() {
        // Ten exponentials: Erlang.
        let ten = law(Dist::exp(1.0)).times(10);
        close(ten.mean(), 10.0, 1e-9);
        close(ten.scv(), 0.1, 0.01);
        let erlang: f64 = (0..10).map(|k| libm::pow(15.0, f64::from(k)) / libm::tgamma(f64::from(k) + 1.0)).sum();
        close(ten.beyond(15.0), erlang * libm::exp(-15.0), 0.02);
    }
}

//! What replicas and hosts cost.

use settings::Money;
use sim_core::figures::Set;
use sim_core::{Figure, Figures, Span};

/// Price an hour.
pub const COST: Figure =
    Figure::mean("cost", "Price of those that are there, an hour, time average. Only with `cost`.").kept();
/// Price of what was done.
pub const COST_PER_MILLION: Figure = Figure::mean(
    "cost_per_million",
    "Price for each million of calls answered ok, accepted or degraded; unknown without any. Only with `cost`.",
);

/// What those report that cost something and are called.
pub const FIGURES: Set = &[&COST, &COST_PER_MILLION];
/// What hosts report.
pub const FIGURES_OF_HOSTS: Set = &[&COST];

/// Parts of a unit of money in which prices are added up.
const PARTS: f64 = 1e9;
/// Nanoseconds in an hour.
const HOUR: u128 = 3_600_000_000_000;

/// Adds what they cost at this price that existed for so long together, in a span of time; and what that makes of so many calls.
pub fn figures(price: Money, existed: u128, span: Span, answered: Option<u64>, into: &mut Figures) {
    let spent = existed * (price.0 * PARTS) as u128;
    into.ratio(&COST, spent, u128::from(span) * PARTS as u128);
    if let Some(answered) = answered {
        into.ratio(&COST_PER_MILLION, spent / HOUR * 1_000_000, u128::from(answered) * PARTS as u128);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::figures::Value;

    fn quotient(figures: &Figures, figure: &Figure) -> f64 {
        match figures.get(figure) {
            Some(Value::Ratio { part, whole }) => *part as f64 / *whole as f64,
            other => panic!("{other:?}"),
        }
    }

    /// Two replicas for half an hour of an hour, at 0.40 an hour each, answer 800,000 calls: 0.40 in all.
    #[test]
    fn a_replica_costs_what_it_is_there_for() {
        let mut into = Figures::without_times();
        figures(Money(0.4), HOUR, HOUR as Span, Some(800_000), &mut into);
        assert!((quotient(&into, &COST) - 0.4).abs() < 1e-12);
        assert!((quotient(&into, &COST_PER_MILLION) - 0.5).abs() < 1e-12);
    }
}

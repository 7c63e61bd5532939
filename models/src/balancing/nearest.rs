//! The nearest first: calls stay with the targets of the shortest round trip as long as enough of those are well.
//!
//! Targets of one round trip are a level, as Envoy's priorities are (*Priority levels*, overprovisioning factor 1.4): a level has the health
//! min(1, factor · well ÷ there), the first gets a share of the calls equal to its health, each further one what is left, up to its own
//! health; where all together have less than 1, shares are in proportion. Within a level they take turns.

use sim_core::Span;
use sim_core::random::Draw;

use super::ranks::Ranks;

/// Targets of one round trip.
#[derive(Clone, Debug)]
struct Level {
    /// Their numbers, in order.
    members: Vec<usize>,
    /// Those that can be called, by their place among the members.
    usable: Ranks,
    /// How many the registry has.
    there: usize,
    next: usize,
}

impl Level {
    fn health(&self, factor: f64) -> f64 {
        if self.there == 0 { 0.0 } else { (factor * self.usable.count() as f64 / self.there as f64).min(1.0) }
    }

    fn choose(&mut self) -> Option<usize> {
        let at = self.usable.from(self.next).or_else(|| self.usable.from(0))?;
        self.next = at + 1;
        Some(self.members[at])
    }
}

/// Targets by distance.
#[derive(Clone, Debug)]
pub struct Nearest {
    factor: f64,
    levels: Vec<Level>,
    /// The level of each target and its place there.
    places: Vec<(usize, usize)>,
}

impl Nearest {
    /// For targets that are so far away, all of which can be called.
    pub fn new(distances: &[Span], factor: f64) -> Nearest {
        let mut sorted: Vec<Span> = distances.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut levels: Vec<Level> =
            sorted.iter().map(|_| Level { members: Vec::new(), usable: Ranks::full(0), there: 0, next: 0 }).collect();
        let mut places = Vec::with_capacity(distances.len());
        for (target, distance) in distances.iter().enumerate() {
            let level = sorted.partition_point(|other| other < distance);
            places.push((level, levels[level].members.len()));
            levels[level].members.push(target);
        }
        for level in &mut levels {
            level.there = level.members.len();
            level.usable = Ranks::full(level.there);
        }
        Nearest { factor, levels, places }
    }

    /// A target can be called, or can no longer be.
    pub fn set_usable(&mut self, target: usize, is_usable: bool) {
        let (level, place) = self.places[target];
        self.levels[level].usable.set(place, is_usable);
    }

    /// The registry has a target, or no longer has it.
    pub fn set_member(&mut self, target: usize, is_member: bool) {
        let there = &mut self.levels[self.places[target].0].there;
        *there = if is_member { *there + 1 } else { *there - 1 };
    }

    /// The share of the calls that each level gets; not all add up to 1 where none can be called.
    fn shares(&self) -> Vec<f64> {
        let mut left = 1.0;
        let shares: Vec<f64> = self
            .levels
            .iter()
            .map(|level| {
                let share = level.health(self.factor).min(left);
                left -= share;
                share
            })
            .collect();
        let all: f64 = shares.iter().sum();
        shares.into_iter().map(|share| if all > 0.0 { share / all } else { 0.0 }).collect()
    }

    /// Who is next; `draw` is only asked where the nearest do not get all.
    pub fn choose(&mut self, draw: impl FnOnce() -> Draw) -> Option<usize> {
        let shares = self.shares();
        let sole = shares.iter().position(|share| *share >= 1.0 - 1e-12);
        let level = match sole {
            Some(level) => level,
            None => {
                let mut left = draw().unit();
                let reached = shares.iter().position(|share| {
                    left -= share;
                    left < 0.0
                });
                reached.or_else(|| shares.iter().rposition(|share| *share > 0.0))?
            }
        };
        self.levels[level].choose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Key;

    fn draw(nth: u64) -> Draw {
        Key::root(1, 2, nth).draw(3, 0)
    }

    /// Two near ones, four far ones and one beyond.
    fn nearest() -> Nearest {
        Nearest::new(&[1, 1, 80, 80, 80, 80, 200], 1.4)
    }

    #[test]
    fn while_all_are_well_the_nearest_take_turns() {
        let mut nearest = nearest();
        let chosen: Vec<Option<usize>> = (0..4).map(|_| nearest.choose(|| unreachable!("nothing is drawn"))).collect();
        assert_eq!(chosen, [Some(0), Some(1), Some(0), Some(1)]);
    }

    #[test]
    fn what_the_nearest_cannot_take_goes_on() {
        let mut nearest = nearest();
        nearest.set_usable(0, false);
        // One of two: 70 % stay.
        assert_eq!(nearest.shares(), [0.7, 1.0 - 0.7, 0.0]);
        // 10,000 draws of a share of 0.7: a deviation of 46, and five of those.
        let near = (0..10_000).filter(|nth| nearest.choose(|| draw(*nth)) == Some(1)).count();
        assert!(near.abs_diff(7_000) < 230, "{near}");
        nearest.set_usable(1, false);
        assert_eq!(nearest.shares(), [0.0, 1.0, 0.0]);
        (2..5).for_each(|target| nearest.set_usable(target, false));
        // One of four, and one of one beyond.
        let shares = nearest.shares();
        assert!((shares[1] - 0.35).abs() < 1e-12 && (shares[2] - 0.65).abs() < 1e-12, "{shares:?}");
        nearest.set_usable(6, false);
        assert_eq!(nearest.shares(), [0.0, 1.0, 0.0]);
        nearest.set_usable(5, false);
        assert_eq!(nearest.choose(|| draw(0)), None);
    }

    #[test]
    fn who_has_left_is_not_missed() {
        let mut nearest = nearest();
        nearest.set_usable(0, false);
        nearest.set_member(0, false);
        assert_eq!(nearest.shares(), [1.0, 0.0, 0.0]);
        nearest.set_usable(0, true);
        nearest.set_member(0, true);
        assert_eq!(nearest.shares(), [1.0, 0.0, 0.0]);
    }
}

//! Earlier states of a run, few enough to fit in memory and close enough for a quick return to any instant.
//!
//! Checkpoints are densest, measured by work, around the instant being watched, and at most five times as far apart
//! elsewhere: if there are too many, the one is dropped whose absence costs least in proportion to its distance plus a
//! quarter of all the work so far. So going back to any instant costs at most a small share of the whole run (with `N`
//! checkpoints about `4 / N`). If memory is short, the cost is weighed against the bytes freed, so states with long queues
//! go first. The first checkpoint is never dropped, so that every instant can be reached.

/// A bounded collection of earlier states, ordered by instant.
#[derive(Clone, Debug)]
pub struct Checkpoints<T> {
    kept: Vec<Checkpoint<T>>,
    count_max: usize,
    bytes_max: u64,
}

/// One earlier state.
#[derive(Clone, Debug)]
pub struct Checkpoint<T> {
    /// The instant, ns.
    pub at_ns: i64,
    /// Number of events up to that instant.
    pub events: u64,
    /// Approximate memory, bytes; 0 if unknown.
    pub bytes: u64,
    /// The state.
    pub state: T,
}

impl<T> Checkpoints<T> {
    /// A collection that starts with the state at the beginning of the run. It keeps at most `count_max` (at least 3) states,
    /// of at most `bytes_max` bytes in total where sizes are known.
    pub fn new(first: Checkpoint<T>, count_max: usize, bytes_max: u64) -> Self {
        Checkpoints { kept: vec![first], count_max: count_max.max(3), bytes_max }
    }

    /// The newest state at or before an instant for which `fits` holds; the first state if there is none.
    pub fn before(&self, at_ns: i64, fits: impl Fn(&T) -> bool) -> &Checkpoint<T> {
        self.kept.iter().rev().find(|kept| kept.at_ns <= at_ns && fits(&kept.state)).unwrap_or(&self.kept[0])
    }

    /// True if a state at this amount of work would lie at least `spacing` events after the one before it, and at least half of
    /// that before the one after it.
    pub fn wants(&self, at_ns: i64, events: u64, spacing: u64) -> bool {
        let next = self.kept.partition_point(|kept| kept.at_ns <= at_ns);
        let far_from_previous = next == 0 || events >= self.kept[next - 1].events.saturating_add(spacing);
        let far_from_next = self.kept.get(next).is_none_or(|kept| kept.events >= events.saturating_add(spacing / 2));
        far_from_previous && far_from_next
    }

    /// Adds a state, and drops others if there are too many.
    pub fn keep(&mut self, checkpoint: Checkpoint<T>) {
        let watched = checkpoint.events;
        let place = self.kept.partition_point(|kept| kept.at_ns <= checkpoint.at_ns);
        self.kept.insert(place.max(1), checkpoint);
        while self.kept.len() > 3 {
            let is_too_large = self.bytes() > self.bytes_max;
            if !is_too_large && self.kept.len() <= self.count_max {
                break;
            }
            let price = |index: usize| {
                let freed = if is_too_large { self.kept[index].bytes.max(1) as f64 } else { 1.0 };
                self.loss(index, watched) / freed
            };
            let cheapest = (1..self.kept.len() - 1).min_by(|&left, &right| price(left).total_cmp(&price(right)));
            self.kept.remove(cheapest.unwrap_or(1));
        }
    }

    /// Drops every state after an instant, and those for which `stale` holds; never the first.
    pub fn forget(&mut self, after_ns: i64, stale: impl Fn(&T) -> bool) {
        let mut first = true;
        self.kept.retain(|kept| std::mem::take(&mut first) || (kept.at_ns <= after_ns && !stale(&kept.state)));
    }

    /// Changes every state.
    pub fn change(&mut self, change: impl Fn(&mut T)) {
        self.kept.iter_mut().for_each(|kept| change(&mut kept.state));
    }

    /// The instants of the states, ns, oldest first.
    pub fn instants(&self) -> Vec<i64> {
        self.kept.iter().map(|kept| kept.at_ns).collect()
    }

    /// The total size of all states, bytes.
    fn bytes(&self) -> u64 {
        self.kept.iter().map(|kept| kept.bytes).fold(0, u64::saturating_add)
    }

    /// The gap that dropping a state would leave, in proportion to its distance from the instant being watched.
    fn loss(&self, index: usize, watched: u64) -> f64 {
        let gap = self.kept[index + 1].events.saturating_sub(self.kept[index - 1].events) as f64;
        let distance = self.kept[index].events.abs_diff(watched) as f64;
        let everything = self.kept.last().map_or(0, |last| last.events) as f64;
        gap / (distance + everything / 4.0 + 1.0)
    }

    /// The largest amount of work between two neighbours, events: the maximum cost of going back, as far as checkpoints reach.
    pub fn widest_gap(&self) -> u64 {
        self.kept.windows(2).map(|pair| pair[1].events.saturating_sub(pair[0].events)).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: u64, count_max: usize) -> Checkpoints<u64> {
        let mut checkpoints =
            Checkpoints::new(Checkpoint { at_ns: 0, events: 0, bytes: 1, state: 0 }, count_max, u64::MAX);
        for number in 1..=count {
            let (at_ns, events) = (number as i64 * 10, number * 1000);
            assert!(checkpoints.wants(at_ns, events, 1000));
            checkpoints.keep(Checkpoint { at_ns, events, bytes: 1, state: number });
        }
        checkpoints
    }

    #[test]
    fn memory_stays_bounded_and_the_start_and_the_newest_stay() {
        let instants = filled(10_000, 32).instants();
        assert_eq!(instants.len(), 32);
        assert_eq!((instants[0], instants[31]), (0, 100_000));
        assert!(instants.is_sorted());
    }

    #[test]
    fn going_back_costs_a_small_share_of_the_run_however_long_it_is() {
        for (count, count_max) in [(100, 64), (1000, 64), (10_000, 64), (100_000, 64), (10_000, 16)] {
            let checkpoints = filled(count, count_max);
            let everything = checkpoints.kept.last().unwrap().events;
            let bound = 6 * everything / count_max as u64 + 2000;
            assert!(checkpoints.widest_gap() <= bound, "{} of {everything}", checkpoints.widest_gap());
            let last = checkpoints.kept.len() - 1;
            let newest = checkpoints.kept[last].events - checkpoints.kept[last - 1].events;
            assert!(newest <= checkpoints.widest_gap() / 2 + 1000, "it is denser where it is watched");
        }
    }

    #[test]
    fn bytes_bound_too() {
        let mut checkpoints = filled(10, 100);
        checkpoints.bytes_max = 4;
        checkpoints.keep(Checkpoint { at_ns: 2000, events: 20_000, bytes: 1, state: 0 });
        assert_eq!(checkpoints.instants().len(), 4);
    }

    #[test]
    fn where_memory_is_short_small_states_stay() {
        let mut checkpoints = filled(10, 100);
        checkpoints.bytes_max = 64;
        for number in 11..=20 {
            let (at_ns, events) = (number as i64 * 10, number * 1000);
            checkpoints.keep(Checkpoint { at_ns, events, bytes: 20, state: number });
        }
        let instants = checkpoints.instants();
        assert!((0..=10).all(|number| instants.contains(&(number * 10))), "{instants:?}");
        assert!(checkpoints.bytes() <= 64 && instants.last() == Some(&200), "{instants:?}");
    }

    #[test]
    fn the_newest_state_before_an_instant_is_found() {
        let checkpoints = filled(5, 10);
        assert_eq!(checkpoints.before(29, |_| true).at_ns, 20);
        assert_eq!(checkpoints.before(30, |_| true).at_ns, 30);
        assert_eq!(checkpoints.before(30, |&state| state < 2).at_ns, 10);
        assert_eq!(checkpoints.before(-5, |_| true).at_ns, 0, "before the start there is only the start");
    }

    #[test]
    fn a_thinned_stretch_is_filled_again_when_it_is_watched_again() {
        let mut checkpoints = filled(5, 10);
        checkpoints.forget(30, |&state| state == 2);
        assert_eq!(checkpoints.instants(), [0, 10, 30]);
        assert!(checkpoints.wants(20, 2000, 1000));
        assert!(!checkpoints.wants(20, 1500, 1000), "too close to the one before");
        checkpoints.forget(-1, |_| true);
        assert_eq!(checkpoints.instants(), [0], "the first is never forgotten");
    }
}

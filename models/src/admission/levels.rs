//! Admission levels: the least important calls are turned away while there is overload, as few of them as will do.
//!
//! Every call has a rank: its priority, and within that one of 128 places that its client is given by chance, anew each hour, so that
//! it is the same clients who are turned away for a while and not parts of everybody's work. Calls up to a level are admitted. At
//! the end of each window the level moves so that of calls such as have just come 5 % fewer would be admitted than were, or 1 %
//! of all that came more. (DAGOR: Zhou et al., *Overload Control for Scaling WeChat Microservices*, SoCC 2018, algorithm 1.) What could not
//! be admitted because too few calls had the right rank is carried over to the next window, and the most important rank that came
//! is always admitted: else a window of few calls could turn away all of them for ever.

use std::collections::BTreeMap;

use sim_core::time::SECOND;
use sim_core::{Span, Time};

/// How many places clients have within a priority.
const PLACES: u64 = 128;

/// For how long a client keeps its place.
const HOUR: Span = 3_600 * SECOND;

/// The rank of a call: the smaller, the more important.
pub fn rank(priority: u8, client: u64, now: Time) -> u32 {
    let place = mixed(client ^ mixed(now / HOUR)) % PLACES;
    u32::from(priority) * PLACES as u32 + place as u32
}

/// SplitMix64's finalizer (Steele, Lea and Flood, OOPSLA 2014).
fn mixed(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// The level up to which calls are admitted, and what has come in the present window.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// The last rank that is admitted; `None` for all.
    level: Option<u32>,
    arrived: BTreeMap<u32, u64>,
    all: u64,
    admitted: u64,
    /// Calls that were to be admitted in this window.
    target: f64,
}

impl Levels {
    /// Whether a call of a rank is admitted. It counts as one that has come.
    pub fn admits(&mut self, rank: u32) -> bool {
        *self.arrived.entry(rank).or_insert(0) += 1;
        self.all += 1;
        let admits = self.level.is_none_or(|level| rank <= level);
        self.admitted += u64::from(admits);
        admits
    }

    /// Calls that have come in this window.
    pub fn arrived(&self) -> u64 {
        self.all
    }

    /// Whether some calls would be turned away.
    pub fn sheds(&self) -> bool {
        self.level.is_some()
    }

    /// A window is over, in which there was overload or not: the level for the next one.
    pub fn end_window(&mut self, overload: bool, decrease: f64, increase: f64) {
        let (all, admitted) = (self.all as f64, self.admitted as f64);
        let expected = match overload {
            true => (1.0 - decrease) * admitted,
            false => admitted.max(self.target.min(all)) + increase * all,
        };
        self.target = expected;
        let arrived = std::mem::take(&mut self.arrived);
        (self.all, self.admitted) = (0, 0);
        if all == 0.0 {
            // Nobody has come who could have been turned away in vain.
            self.level = None;
            return;
        }
        if expected >= all {
            self.level = None;
            return;
        }
        let mut so_far = 0;
        let mut level = arrived.first_key_value().map_or(0, |(rank, _)| *rank);
        for (rank, count) in arrived {
            so_far += count;
            if so_far as f64 > expected {
                break;
            }
            level = rank;
        }
        self.level = Some(level);
    }

    /// As at the start.
    pub fn clear(&mut self) {
        *self = Levels::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten calls of each of ten ranks; how many of them are admitted.
    fn window(levels: &mut Levels) -> usize {
        (0..100).filter(|nth| levels.admits(nth % 10)).count()
    }

    /// Algorithm 1, line by line: `N_exp = (1 − α) N_adm` or `N_adm + β N`; the level is the last one at which the prefix sum of
    /// the histogram is not above that.
    #[test]
    fn the_level_moves_as_in_the_paper() {
        let mut levels = Levels::default();
        // (admitted in the window, overload, ranks admitted next). 95 is not reached by ten ranks: nine are left.
        for (admitted, overload, left) in [
            (100, true, Some(8)),
            // 90 × 0.95 = 85.5: eight ranks.
            (90, true, Some(7)),
            // 80 + 1: still eight.
            (80, false, Some(7)),
            (80, true, Some(6)),
        ] {
            assert_eq!(window(&mut levels), admitted);
            levels.end_window(overload, 0.05, 0.01);
            assert_eq!(levels.level, left);
        }
        // With many more ranks than calls in each, one in a hundred comes back at a time.
        let mut levels = Levels { level: Some(49), ..Levels::default() };
        for expected in [50, 51, 52, 53] {
            assert_eq!((0..100).filter(|nth| levels.admits(*nth)).count(), expected);
            levels.end_window(false, 0.05, 0.01);
        }
        levels.end_window(true, 0.05, 0.01);
        assert!(!levels.sheds(), "nobody came");
    }

    /// Six calls a window, each of a rank of its own: 1 % of them is far less than one, and adds up.
    #[test]
    fn a_few_calls_come_back_one_by_one() {
        let mut levels = Levels::default();
        (0..6).for_each(|rank| assert!(levels.admits(300 + rank)));
        for _ in 0..200 {
            levels.end_window(true, 0.05, 0.01);
            (0..6)
                .for_each(|rank| assert_eq!(levels.admits(300 + rank), rank == 0 || levels.level >= Some(300 + rank)));
        }
        assert_eq!(levels.level, Some(300));
        let mut windows = 0;
        while levels.sheds() {
            levels.end_window(false, 0.05, 0.01);
            (0..6).for_each(|rank| _ = levels.admits(300 + rank));
            windows += 1;
        }
        // From 1 of 6 to all of them by 0.06 a window.
        assert!((80..=86).contains(&windows), "{windows}");
    }

    #[test]
    fn the_most_important_rank_is_always_admitted() {
        let mut levels = Levels::default();
        for _ in 0..100 {
            (0..10).for_each(|_| assert!(levels.admits(0)));
            levels.end_window(true, 0.05, 0.01);
        }
        assert_eq!(levels.level, Some(0));
    }

    #[test]
    fn a_client_keeps_its_place_for_an_hour() {
        let at = |client, minutes: u64| rank(2, client, minutes * 60 * SECOND);
        assert!((0..1_000).all(|client| at(client, 0) == at(client, 59) && at(client, 0) / 128 == 2));
        let moved = (0..1_000).filter(|client| at(*client, 0) != at(*client, 60)).count();
        assert!(moved > 950, "{moved}");
        let mut places = [0; 128];
        (0..12_800_u64).for_each(|client| places[(rank(0, client, 0)) as usize] += 1);
        // 100 ± 10 each; seven standard deviations.
        assert!(places.iter().all(|count| (30..170).contains(count)), "{places:?}");
        assert!(rank(0, 7, 0) < rank(1, 8, 0));
    }
}

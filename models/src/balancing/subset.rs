//! Subsets: of many targets each instance of a balancer calls a few, always the same ones while nobody comes or goes.
//!
//! Which ones is Google's deterministic subsetting (*Site Reliability Engineering*, chapter 20): instances are taken in rounds of as many as
//! there are disjoint subsets; all instances of a round shuffle the targets in the same way and take one part each. So within a round
//! every target is called by one instance, but for those that are left over where the size is no divisor, and in another round by another.

use settings::Setting;
use sim_core::News;
use sim_core::random::Key;

/// How many targets an instance calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
#[setting(shorthand = "size")]
pub struct SubsetSettings {
    /// Targets that each instance calls. Where there are fewer than that, it calls all.
    #[setting(range = "1..=1000000")]
    pub size: u32,
}

/// Who chooses: one of several alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Key of its own draws.
    pub key: u64,
    /// Key of the draws that all of them share.
    pub shared: u64,
    /// Its number among them.
    pub number: u32,
}

/// Those of the targets that an instance calls, of these that are there.
fn subset(there: &[usize], size: usize, of: Instance) -> Vec<usize> {
    let count = there.len() / size.max(1);
    if count == 0 {
        return there.to_vec();
    }
    let (round, part) = (of.number as usize / count, of.number as usize % count);
    let mut shuffled = there.to_vec();
    let mut draw = Key::root(of.shared, 5, round as u64).draw(0, 0);
    for last in (1..shuffled.len()).rev() {
        shuffled.swap(last, draw.below(last as u64 + 1) as usize);
    }
    shuffled[part * size..(part + 1) * size].to_vec()
}

/// What one instance has of the registry.
#[derive(Clone, Debug)]
pub struct Subsetting {
    size: usize,
    of: Instance,
    /// Who is there, by the registry.
    registry: Vec<bool>,
    /// Who is called of those.
    used: Vec<bool>,
}

impl Subsetting {
    /// Of an instance, where these are there.
    pub fn new(settings: SubsetSettings, of: Instance, registry: &[bool]) -> Subsetting {
        let size = settings.size as usize;
        let mut subsetting = Subsetting { size, of, registry: registry.to_vec(), used: Vec::new() };
        subsetting.used = subsetting.choose();
        subsetting
    }

    /// Who is called.
    pub fn used(&self) -> &[bool] {
        &self.used
    }

    fn choose(&self) -> Vec<bool> {
        let there: Vec<usize> = (0..self.registry.len()).filter(|target| self.registry[*target]).collect();
        let mut used = vec![false; self.registry.len()];
        subset(&there, self.size, self.of).into_iter().for_each(|target| used[target] = true);
        used
    }

    /// The registry has a target from now on, or no longer has it. Who is called from now on, and who no longer is.
    pub fn learn(&mut self, target: u32, joins: bool) -> Vec<(u32, News)> {
        self.registry[target as usize] = joins;
        let used = self.choose();
        let before = std::mem::replace(&mut self.used, used);
        let changed = |(nth, (was, is)): (usize, (&bool, &bool))| match (was, is) {
            (true, false) => Some((nth as u32, News::Left)),
            (false, true) => Some((nth as u32, News::Joined)),
            // Another replica in the same place.
            (true, true) if nth as u32 == target && joins => Some((target, News::Joined)),
            (true, true) | (false, false) => None,
        };
        before.iter().zip(&self.used).enumerate().filter_map(changed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(number: u32) -> Instance {
        Instance { key: u64::from(number), shared: 77, number }
    }

    #[test]
    fn in_a_round_each_target_is_called_by_one_instance() {
        let there: Vec<usize> = (0..300).collect();
        for (size, count) in [(30, 10), (100, 3), (70, 4), (1, 300)] {
            for round in 0..3 {
                let mut calls = vec![0; 300];
                for part in 0..count {
                    let used = subset(&there, size, instance(round * count + part));
                    assert_eq!(used.len(), size);
                    used.into_iter().for_each(|target| calls[target] += 1);
                }
                let called = calls.iter().filter(|calls| **calls == 1).count();
                assert_eq!((called, calls.iter().sum::<usize>()), (size * count as usize, size * count as usize));
            }
            let other = subset(&there, size, instance(count));
            assert!(size == 1 || other != subset(&there, size, instance(0)), "rounds are shuffled anew");
        }
        assert_eq!(subset(&there[..5], 30, instance(9)), there[..5]);
    }

    #[test]
    fn who_comes_and_goes_changes_who_is_called() {
        let registry: Vec<bool> = (0..12).map(|target| target < 10).collect();
        let mut subsetting = Subsetting::new(SubsetSettings { size: 5 }, instance(1), &registry);
        let mut used = subsetting.used().to_vec();
        let count = |used: &[bool]| used.iter().filter(|used| **used).count();
        assert_eq!(count(&used), 5);
        for (target, joins) in [(3, false), (10, true), (3, true), (0, false), (0, true), (11, true), (5, false)] {
            for (target, news) in subsetting.learn(target, joins) {
                used[target as usize] = news == News::Joined;
            }
            assert_eq!(used, subsetting.used());
            assert!(count(&used) == 5 && (0..12).all(|nth| !used[nth] || subsetting.registry[nth]));
        }
        // A replica that is called is replaced in its place.
        let one = used.iter().position(|used| *used).expect("some are called") as u32;
        assert!(subsetting.learn(one, true).contains(&(one, News::Joined)));
    }
}

//! What one chooser takes to be true of its targets: which of them are there, and which are well.
//!
//! It knows what it has been told, which may be late or wrong, and nothing else. As long as it has been told nothing, every
//! target can be called, and nothing is kept. Whatever it has been told, a choice among N costs O(log N) at most.

use sim_core::News;

use super::ranks::Ranks;

/// What is believed of targets that are numbered from 0.
#[derive(Clone, Debug)]
pub struct Beliefs {
    count: usize,
    known: Option<Box<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    /// Those that the registry has.
    members: Vec<bool>,
    /// Those that are thought to be dead.
    dead: Vec<bool>,
    /// Those that can be called: members that are not dead.
    usable: Ranks,
}

impl Beliefs {
    /// `count` targets, all of which can be called.
    pub fn new(count: usize) -> Beliefs {
        Beliefs { count, known: None }
    }

    /// One target for each entry, which says whether it is there.
    pub fn of_members(members: Vec<bool>) -> Beliefs {
        let mut beliefs = Beliefs::new(members.len());
        for target in (0..members.len()).filter(|target| !members[*target]) {
            beliefs.learn(target, News::Left);
        }
        beliefs
    }

    /// How many targets there are, usable or not.
    pub fn targets(&self) -> usize {
        self.count
    }

    /// Whether every target can be called.
    #[inline]
    pub fn all_usable(&self) -> bool {
        self.known.as_ref().is_none_or(|known| known.usable.count() == self.count)
    }

    /// How many can be called.
    #[inline]
    pub fn usable(&self) -> usize {
        self.known.as_ref().map_or(self.count, |known| known.usable.count())
    }

    /// Whether a target can be called.
    #[inline]
    pub fn is_usable(&self, target: usize) -> bool {
        self.known.as_ref().is_none_or(|known| known.usable.contains(target))
    }

    /// Number `nth`, counted from 0, of the targets that can be called.
    #[inline]
    pub fn nth(&self, nth: usize) -> usize {
        self.known.as_ref().map_or(nth, |known| known.usable.nth(nth).expect("there are more targets than that"))
    }

    /// The first that can be called from this one on, or else the first of all.
    pub fn next(&self, from: usize) -> Option<usize> {
        match &self.known {
            None => (self.count > 0).then_some(if from < self.count { from } else { 0 }),
            Some(known) => known.usable.from(from).or_else(|| known.usable.from(0)),
        }
    }

    /// There is news of a target. Whether it can be called from now on, if that has changed.
    pub fn learn(&mut self, target: usize, news: News) -> Option<bool> {
        let count = self.count;
        let known = self.known.get_or_insert_with(|| {
            Box::new(Known { members: vec![true; count], dead: vec![false; count], usable: Ranks::full(count) })
        });
        match news {
            // Who joins is well: it has only just come up.
            News::Joined => (known.members[target], known.dead[target]) = (true, false),
            News::Left => known.members[target] = false,
            News::Down => known.dead[target] = true,
            News::Up => known.dead[target] = false,
        }
        let usable = known.members[target] && !known.dead[target];
        let has_changed = known.usable.set(target, usable);
        has_changed.then_some(usable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_dead_or_has_left_is_not_called() {
        let mut beliefs = Beliefs::new(4);
        assert!(beliefs.all_usable() && beliefs.next(3) == Some(3) && beliefs.nth(2) == 2);
        assert_eq!(beliefs.learn(1, News::Down), Some(false));
        assert_eq!(beliefs.learn(1, News::Left), None);
        assert_eq!(beliefs.learn(1, News::Up), None);
        assert_eq!(beliefs.learn(3, News::Left), Some(false));
        assert_eq!((beliefs.usable(), beliefs.next(1), beliefs.next(3)), (2, Some(2), Some(0)));
        assert_eq!((beliefs.nth(0), beliefs.nth(1)), (0, 2));
        assert_eq!(beliefs.learn(1, News::Joined), Some(true));
        assert!(!beliefs.all_usable() && beliefs.is_usable(1) && !beliefs.is_usable(3));
    }

    #[test]
    fn nobody_is_left_where_all_are_gone() {
        let mut beliefs = Beliefs::of_members(vec![true, false]);
        assert_eq!(beliefs.learn(0, News::Down), Some(false));
        assert_eq!((beliefs.usable(), beliefs.next(0)), (0, None));
        assert_eq!(Beliefs::new(0).next(0), None);
    }
}

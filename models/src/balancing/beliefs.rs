//! What one chooser takes to be true of its targets: which of them are there, and which are well.
//!
//! It knows what it has been told, which may be late or wrong, and nothing else. As long as it has been told nothing, every
//! target can be called, and nothing is kept. Whatever it has been told, a choice among N costs O(log N) at most.
//!
//! Where it is to panic, and too few of those that are there are thought to be well, it no longer believes that: all can be called.

use sim_core::News;

use super::ranks::Ranks;

/// What is believed of targets that are numbered from 0.
#[derive(Clone, Debug)]
pub struct Beliefs {
    count: usize,
    /// It panics where a smaller share of those that are there is well; 0 for never.
    panic_below: f64,
    known: Option<Box<Known>>,
}

/// What is known of one target.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The registry has it.
    is_member: bool,
    /// It is thought to be dead.
    is_dead: bool,
    /// It answered badly, and is not to be called for a while.
    is_ejected: bool,
}

impl State {
    fn is_well(self) -> bool {
        self.is_member && !self.is_dead && !self.is_ejected
    }
}

#[derive(Clone, Debug)]
struct Known {
    states: Vec<State>,
    /// How many the registry has, and how many of these are well.
    members: usize,
    well: usize,
    /// Whether all are called that are there, since too few of them are well.
    panics: bool,
    /// Those that can be called.
    usable: Ranks,
}

/// Told of each target that can be called from now on, or no longer can.
type Changed<'a> = &'a mut dyn FnMut(usize, bool);

impl Known {
    fn new(count: usize) -> Known {
        let state = State { is_member: true, is_dead: false, is_ejected: false };
        Known { states: vec![state; count], members: count, well: count, panics: false, usable: Ranks::full(count) }
    }

    /// Something becomes known of a target.
    fn note(&mut self, target: usize, panic_below: f64, change: impl FnOnce(&mut State), changed: Changed<'_>) {
        let state = &mut self.states[target];
        let before = *state;
        change(state);
        let after = *state;
        self.members = self.members + usize::from(after.is_member) - usize::from(before.is_member);
        self.well = self.well + usize::from(after.is_well()) - usize::from(before.is_well());
        let panics = panic_below > 0.0 && (self.well as f64) < panic_below * self.members as f64;
        if std::mem::replace(&mut self.panics, panics) != panics {
            (0..self.states.len()).for_each(|target| self.settle(target, changed));
        } else {
            self.settle(target, changed);
        }
    }

    /// Whether a target can be called follows from what is known.
    fn settle(&mut self, target: usize, changed: Changed<'_>) {
        let state = self.states[target];
        let usable = if self.panics { state.is_member } else { state.is_well() };
        if self.usable.set(target, usable) {
            changed(target, usable);
        }
    }
}

impl Beliefs {
    /// `count` targets, all of which can be called.
    pub fn new(count: usize) -> Beliefs {
        Beliefs { count, panic_below: 0.0, known: None }
    }

    /// One target for each entry, which says whether it is there.
    pub fn of_members(members: Vec<bool>) -> Beliefs {
        let mut beliefs = Beliefs::new(members.len());
        for target in (0..members.len()).filter(|target| !members[*target]) {
            beliefs.learn(target, News::Left, &mut |_, _| {});
        }
        beliefs
    }

    /// The same, that panic where a smaller share of those that are there is well.
    pub fn panicking_below(self, share: f64) -> Beliefs {
        Beliefs { panic_below: share, ..self }
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

    /// Whether the registry has a target.
    pub fn is_member(&self, target: usize) -> bool {
        self.known.as_ref().is_none_or(|known| known.states[target].is_member)
    }

    /// How many the registry has.
    pub fn members(&self) -> usize {
        self.known.as_ref().map_or(self.count, |known| known.members)
    }

    /// How many of those are thought to be well.
    pub fn well(&self) -> usize {
        self.known.as_ref().map_or(self.count, |known| known.well)
    }

    /// Whether all are called that are there, since too few of them are well.
    pub fn panics(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.panics)
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

    /// There is news of a target. `changed` is told of each that can be called from now on, or no longer can.
    pub fn learn(&mut self, target: usize, news: News, changed: Changed<'_>) {
        self.note(target, changed, |state| match news {
            // Who joins is well: it has only just come up.
            News::Joined => (state.is_member, state.is_dead, state.is_ejected) = (true, false, false),
            News::Left => state.is_member = false,
            News::Down => state.is_dead = true,
            News::Up => state.is_dead = false,
            News::Changed => {}
        });
    }

    /// A target is ejected for what it answered, or no longer is.
    pub fn eject(&mut self, target: usize, is_ejected: bool, changed: Changed<'_>) {
        self.note(target, changed, |state| state.is_ejected = is_ejected);
    }

    /// Whatever was found out about those that are there is forgotten.
    pub fn forget(&mut self) {
        let Some(known) = &self.known else { return };
        let is_member = |state: &State| state.is_member;
        let members = known.states.iter().map(is_member).collect();
        *self = Beliefs::of_members(members).panicking_below(self.panic_below);
    }

    fn note(&mut self, target: usize, changed: Changed<'_>, change: impl FnOnce(&mut State)) {
        let (count, panic_below) = (self.count, self.panic_below);
        let known = self.known.get_or_insert_with(|| Box::new(Known::new(count)));
        known.note(target, panic_below, change, changed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells something; what can be called from then on, and what no longer can.
    fn told(beliefs: &mut Beliefs, target: usize, news: News) -> Vec<(usize, bool)> {
        let mut changes = Vec::new();
        beliefs.learn(target, news, &mut |target, usable| changes.push((target, usable)));
        changes
    }

    #[test]
    fn who_is_dead_or_has_left_is_not_called() {
        let mut beliefs = Beliefs::new(4);
        assert!(beliefs.all_usable() && beliefs.next(3) == Some(3) && beliefs.nth(2) == 2);
        assert_eq!(told(&mut beliefs, 1, News::Down), [(1, false)]);
        assert_eq!(told(&mut beliefs, 1, News::Left), []);
        assert_eq!(told(&mut beliefs, 1, News::Up), []);
        assert_eq!(told(&mut beliefs, 3, News::Left), [(3, false)]);
        assert_eq!((beliefs.usable(), beliefs.next(1), beliefs.next(3)), (2, Some(2), Some(0)));
        assert_eq!((beliefs.nth(0), beliefs.nth(1)), (0, 2));
        assert_eq!(told(&mut beliefs, 1, News::Joined), [(1, true)]);
        assert!(!beliefs.all_usable() && beliefs.is_usable(1) && !beliefs.is_usable(3));
        assert_eq!((beliefs.members(), beliefs.well()), (3, 3));
    }

    #[test]
    fn nobody_is_left_where_all_are_gone() {
        let mut beliefs = Beliefs::of_members(vec![true, false]);
        assert_eq!(told(&mut beliefs, 0, News::Down), [(0, false)]);
        assert_eq!((beliefs.usable(), beliefs.next(0)), (0, None));
        assert_eq!(Beliefs::new(0).next(0), None);
    }

    #[test]
    fn who_panics_calls_all_that_are_there() {
        let mut beliefs = Beliefs::of_members(vec![true, true, true, true, false]).panicking_below(0.5);
        assert_eq!(told(&mut beliefs, 0, News::Down), [(0, false)]);
        let mut changes = Vec::new();
        beliefs.eject(1, true, &mut |target, usable| changes.push((target, usable)));
        assert_eq!((changes, beliefs.panics()), (vec![(1, false)], false), "half of them is not below half");
        assert_eq!(told(&mut beliefs, 2, News::Down), [(0, true), (1, true)]);
        assert!(beliefs.panics() && beliefs.usable() == 4 && beliefs.well() == 1);
        // One that has left counts no longer: one of three is well, then one of two, which is enough.
        assert_eq!(told(&mut beliefs, 0, News::Left), [(0, false)]);
        assert_eq!(told(&mut beliefs, 1, News::Left), [(1, false), (2, false)]);
        assert_eq!((beliefs.panics(), beliefs.usable()), (false, 1));
        beliefs.forget();
        assert_eq!((beliefs.members(), beliefs.well(), beliefs.usable(), beliefs.panics()), (2, 2, 2, false));
    }

    #[test]
    fn whether_it_is_ejected_and_whether_it_is_dead_are_two_things() {
        let mut beliefs = Beliefs::new(2);
        beliefs.eject(0, true, &mut |_, _| {});
        assert_eq!(told(&mut beliefs, 0, News::Down), []);
        assert_eq!(told(&mut beliefs, 0, News::Up), []);
        let mut changes = Vec::new();
        beliefs.eject(0, false, &mut |target, usable| changes.push((target, usable)));
        assert_eq!(changes, [(0, true)]);
    }
}

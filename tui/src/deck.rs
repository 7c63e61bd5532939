//! A run that can be played: forward, to any instant, back, with changes on the way, in one or two futures.
//!
//! A deck contains the current state (one simulation, or two after a branch), checkpoints of it, and a journal of the user's
//! changes for each future. Going back restores a checkpoint and runs forward, repeating the journal's changes at their
//! instants, so the same run is reproduced. A new change in the past drops the later changes of its future. The deck uses
//! no clock and no thread; [`crate::player`] adds both.

use crate::checkpoints::{Checkpoint, Checkpoints};
use crate::simulation::Simulation;

/// One of the futures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The initial run.
    #[default]
    Original,
    /// The branch, which exists after the fork.
    Branch,
}

impl Side {
    /// `A` or `B`.
    pub fn letter(self) -> &'static str {
        match self {
            Side::Original => "A",
            Side::Branch => "B",
        }
    }

    /// The other side.
    pub fn other(self) -> Side {
        match self {
            Side::Original => Side::Branch,
            Side::Branch => Side::Original,
        }
    }
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Sets a setting to another value.
    Set {
        /// The path of the setting.
        path: String,
        /// The value, as written in a scenario.
        value: String,
    },
    /// Injects a fault.
    Inject {
        /// The fault, as written in a scenario, without `at`.
        yaml: String,
    },
}

impl Doing {
    /// A short description.
    pub fn short(&self) -> String {
        let bare = |path: &str| {
            let sections = ["components.", "workloads.", "policies."];
            sections.iter().find_map(|section| path.strip_prefix(section)).unwrap_or(path).to_string()
        };
        match self {
            Doing::Set { path, value } => format!("{} = {value}", bare(path)),
            Doing::Inject { yaml } => {
                let yaml = yaml.trim();
                let inner = yaml.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(yaml);
                format!("↯ {}", inner.trim())
            }
        }
    }
}

impl std::fmt::Display for Doing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Doing::Set { path, value } => write!(formatter, "{path} = {value}"),
            Doing::Inject { yaml } => write!(formatter, "fault {yaml}"),
        }
    }
}

/// A change made by the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its time, ns.
    pub at_ns: i64,
    /// Its effect.
    pub doing: Doing,
}

/// The fork of the two futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fork {
    at_ns: i64,
    /// Number of the original's changes that the branch shares.
    shared_changes: usize,
}

/// The contents of a checkpoint.
#[derive(Clone)]
struct World<S> {
    original: S,
    branch: Option<S>,
    /// Number of changes of each journal that have been made.
    made: [usize; 2],
}

/// A run with its past.
pub struct Deck<S> {
    world: World<S>,
    checkpoints: Checkpoints<World<S>>,
    journals: [Vec<Change>; 2],
    fork: Option<Fork>,
    focus: Side,
}

impl<S: Simulation> Deck<S> {
    /// A deck at the start of a run that keeps at most this many checkpoints with at most this many bytes in total.
    pub fn new(simulation: S, checkpoints_max: usize, bytes_max: u64) -> Self {
        Deck::with_changes(simulation, Vec::new(), checkpoints_max, bytes_max)
    }

    /// The same with a journal of changes to make on the way.
    pub fn with_changes(simulation: S, changes: Vec<Change>, checkpoints_max: usize, bytes_max: u64) -> Self {
        let world = World { original: simulation, branch: None, made: [0, 0] };
        let first = checkpoint_of(&world);
        Deck {
            world,
            checkpoints: Checkpoints::new(first, checkpoints_max, bytes_max),
            journals: [changes, Vec::new()],
            fork: None,
            focus: Side::Original,
        }
    }

    /// The instant reached, ns.
    pub fn now_ns(&self) -> i64 {
        self.world.original.now_ns()
    }

    /// Total number of events of all running futures.
    pub fn events(&self) -> u64 {
        self.world.original.events() + self.world.branch.as_ref().map_or(0, Simulation::events)
    }

    /// The future that commands act on.
    pub fn focus(&self) -> Side {
        if self.world.branch.is_some() { self.focus } else { Side::Original }
    }

    /// One of the futures, if it exists at this instant.
    pub fn side(&self, side: Side) -> Option<&S> {
        match side {
            Side::Original => Some(&self.world.original),
            Side::Branch => self.world.branch.as_ref(),
        }
    }

    /// The future in focus.
    pub fn focused(&self) -> &S {
        self.side(self.focus()).unwrap_or(&self.world.original)
    }

    /// The instant of the fork, ns.
    pub fn fork_ns(&self) -> Option<i64> {
        self.fork.map(|fork| fork.at_ns)
    }

    /// Number of changes shared by the two futures: those made before the fork; 0 without one.
    pub fn shared_changes(&self) -> usize {
        self.fork.map_or(0, |fork| fork.shared_changes)
    }

    /// The user's changes of one future, in order, including those that still lie ahead.
    pub fn changes(&self, side: Side) -> Vec<Change> {
        match (side, self.fork) {
            (Side::Branch, Some(fork)) => {
                let shared = self.journals[0].iter().take(fork.shared_changes);
                shared.chain(&self.journals[1]).cloned().collect()
            }
            _ => self.journals[0].clone(),
        }
    }

    /// The largest amount of work between two checkpoints, events.
    pub fn widest_gap(&self) -> u64 {
        self.checkpoints.widest_gap()
    }

    /// The instants of the checkpoints, ns.
    pub fn checkpoint_instants(&self) -> Vec<i64> {
        self.checkpoints.instants()
    }

    /// Runs both futures to an instant, which must lie ahead, making the journal's changes on the way.
    pub fn run_until(&mut self, at_ns: i64) {
        let at_ns = at_ns.min(self.world.original.end_ns());
        loop {
            self.make_what_is_due();
            let now = self.now_ns();
            if now >= at_ns {
                return;
            }
            let next = self.next_mark().map_or(at_ns, |mark| mark.min(at_ns));
            self.world.original.run_until(next);
            if let Some(branch) = &mut self.world.branch {
                branch.run_until(next);
            }
            if self.now_ns() <= now {
                return; // The simulation has ended early.
            }
        }
    }

    /// Keeps a checkpoint here if the last one lies at least `spacing` events back. True if one was kept.
    pub fn keep_checkpoint(&mut self, spacing: u64) -> bool {
        let wanted = self.checkpoints.wants(self.now_ns(), self.world.original.events(), spacing.max(1));
        if wanted {
            self.checkpoints.keep(checkpoint_of(&self.world));
        }
        wanted
    }

    /// Goes back to the newest checkpoint before an instant, unless the current state is a better starting point.
    /// [`Deck::run_until`] does the rest.
    pub fn rewind_towards(&mut self, at_ns: i64) {
        let found = self.checkpoints.before(at_ns, |_| true);
        let now = self.world.original.now_ns();
        if now > at_ns || found.at_ns > now {
            self.world = found.state.clone();
            self.make_what_is_due();
        }
    }

    /// Makes a change now in the future in focus. Drops later changes of that future and returns their number.
    pub fn make(&mut self, doing: Doing) -> Result<usize, String> {
        self.make_what_is_due();
        let (side, now) = (self.focus(), self.now_ns());
        let simulation = match (side, &mut self.world.branch) {
            (Side::Branch, Some(branch)) => branch,
            _ => &mut self.world.original,
        };
        apply(simulation, &doing)?;
        let index = side as usize;
        let made = self.world.made[index];
        let dropped = self.journals[index].len() - made;
        self.journals[index].truncate(made);
        self.journals[index].push(Change { at_ns: now, doing });
        self.world.made[index] += 1;
        if let Some(fork) = &mut self.fork
            && self.world.branch.is_none()
        {
            fork.shared_changes = self.journals[0].len();
        }
        self.checkpoints.forget(now, |state| state.made[index] > made);
        Ok(dropped)
    }

    /// Undoes the newest change made in the future in focus. The state is then an earlier one; the caller must seek the
    /// previous instant again.
    pub fn take_back(&mut self) -> Result<Change, String> {
        let index = self.focus() as usize;
        let shared =
            if index == 0 && self.world.branch.is_some() { self.fork.map_or(0, |f| f.shared_changes) } else { 0 };
        let made = self.world.made[index];
        if made == 0 {
            return Err("nothing has been changed yet".into());
        }
        if made <= shared {
            return Err("that change was before the fork; keep one future first".into());
        }
        let change = self.journals[index][made - 1].clone();
        self.journals[index].truncate(made - 1);
        if let Some(fork) = &mut self.fork {
            fork.shared_changes = fork.shared_changes.min(self.journals[0].len());
        }
        self.checkpoints.forget(i64::MAX, |state| state.made[index] >= made);
        let at = change.at_ns;
        self.checkpoints.forget(at, |_| false);
        self.world = self.checkpoints.before(at, |state| state.made[index] < made).state.clone();
        self.make_what_is_due();
        Ok(change)
    }

    /// Starts a second future here, equal to the first so far, and focuses it.
    pub fn branch(&mut self) -> Result<(), String> {
        if self.fork.is_some() {
            return Err("there are already two futures; keep one of them first".into());
        }
        self.make_what_is_due();
        let at_ns = self.now_ns();
        self.fork = Some(Fork { at_ns, shared_changes: self.world.made[0] });
        self.journals[1].clear();
        self.world.branch = Some(self.world.original.clone());
        self.world.made[1] = 0;
        self.focus = Side::Branch;
        self.checkpoints.forget(at_ns, |_| false);
        Ok(())
    }

    /// Ends the branch; the given future continues alone, with its past.
    pub fn keep_only(&mut self, side: Side) -> Result<(), String> {
        let Some(fork) = self.fork.take() else { return Err("there is only one future".into()) };
        self.focus = Side::Original;
        if side == Side::Branch {
            self.journals[0].truncate(fork.shared_changes);
            let own = std::mem::take(&mut self.journals[1]);
            self.journals[0].extend(own);
            // A state of the original after the fork without the branch belongs to the dropped future.
            self.checkpoints.forget(i64::MAX, |state| state.branch.is_none() && state.made[0] > fork.shared_changes);
        }
        self.journals[1].clear();
        let become_single = |state: &mut World<S>| {
            if let Some(branch) = state.branch.take()
                && side == Side::Branch
            {
                state.original = branch;
                state.made[0] = fork.shared_changes + state.made[1];
            }
            state.made[1] = 0;
        };
        become_single(&mut self.world);
        self.checkpoints.change(become_single);
        Ok(())
    }

    /// Focuses a future: further commands act on it.
    pub fn focus_on(&mut self, side: Side) {
        self.focus = side;
    }

    /// Returns the future in focus.
    pub fn into_focused(self) -> S {
        match (self.focus(), self.world.branch) {
            (Side::Branch, Some(branch)) => branch,
            _ => self.world.original,
        }
    }

    /// The next instant at which a journal has a change or the fork is due.
    fn next_mark(&self) -> Option<i64> {
        let change = |index: usize| self.journals[index].get(self.world.made[index]).map(|change| change.at_ns);
        let ahead = if self.world.branch.is_none() { self.fork_ns() } else { change(1) };
        change(0).into_iter().chain(ahead).min()
    }

    /// Makes the changes that are due, in their order, and the fork in its place among them.
    fn make_what_is_due(&mut self) {
        let now = self.now_ns();
        loop {
            if let Some(fork) = self.fork
                && self.world.branch.is_none()
                && fork.at_ns <= now
                && self.world.made[0] >= fork.shared_changes
            {
                self.world.branch = Some(self.world.original.clone());
                self.world.made[1] = 0;
            }
            match self.journals[0].get(self.world.made[0]) {
                // A change that was possible once is possible again: the run repeats exactly.
                Some(change) if change.at_ns <= now => {
                    let _ = apply(&mut self.world.original, &change.doing);
                    self.world.made[0] += 1;
                }
                _ => break,
            }
        }
        if let Some(branch) = &mut self.world.branch {
            while let Some(change) = self.journals[1].get(self.world.made[1]).filter(|change| change.at_ns <= now) {
                let _ = apply(branch, &change.doing);
                self.world.made[1] += 1;
            }
        }
    }
}

fn apply<S: Simulation>(simulation: &mut S, doing: &Doing) -> Result<(), String> {
    match doing {
        Doing::Set { path, value } => simulation.set(path, value),
        Doing::Inject { yaml } => simulation.inject(yaml),
    }
}

fn checkpoint_of<S: Simulation>(world: &World<S>) -> Checkpoint<World<S>> {
    let bytes = |simulation: &S| simulation.clone_bytes().unwrap_or(0);
    Checkpoint {
        at_ns: world.original.now_ns(),
        events: world.original.events(),
        bytes: bytes(&world.original).saturating_add(world.branch.as_ref().map_or(0, bytes)),
        state: world.clone(),
    }
}

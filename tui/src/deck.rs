//! The run as something that is played: forward, to any instant, back, with changes on the way, in one or two futures.
//!
//! A deck holds the world as it stands (one simulation, or two after a branch), checkpoints of it, and a journal of the
//! user's changes for each future. Going back restores a checkpoint and runs forward, making the journal's changes again
//! at their instants, so what was seen once is seen again. A new change in the past drops the later ones of its future.
//! The deck knows no clock and no thread; [`crate::player`] adds both.

use crate::checkpoints::{Checkpoint, Checkpoints};
use crate::simulation::Simulation;

/// Which of the futures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The run that was begun.
    #[default]
    Original,
    /// The other one, since the branch.
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

    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::Original => Side::Branch,
            Side::Branch => Side::Original,
        }
    }
}

/// The effect of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Gives a setting another value.
    Set {
        /// The document's path.
        path: String,
        /// The value, as the scenario would write it.
        value: String,
    },
    /// Lets a fault strike.
    Inject {
        /// The fault, as the scenario would write it, without `at`.
        yaml: String,
    },
}

impl Doing {
    /// The same in as few words as still say what it is.
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

/// A change that the user made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When it was made, ns.
    pub at_ns: i64,
    /// What it does.
    pub doing: Doing,
}

/// Where a second future begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fork {
    at_ns: i64,
    /// How many of the original's changes the branch shares.
    shared_changes: usize,
}

/// Everything that a checkpoint has to hold.
#[derive(Clone)]
struct World<S> {
    original: S,
    branch: Option<S>,
    /// How many changes of each journal have been made.
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
    /// A deck at the start of a run that keeps at most this many checkpoints and this many bytes of them.
    pub fn new(simulation: S, checkpoints_max: usize, bytes_max: u64) -> Self {
        Deck::with_changes(simulation, Vec::new(), checkpoints_max, bytes_max)
    }

    /// The same with changes that are to be made on the way.
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

    /// Events of all futures that are being run.
    pub fn events(&self) -> u64 {
        self.world.original.events() + self.world.branch.as_ref().map_or(0, Simulation::events)
    }

    /// The future that commands act on.
    pub fn focus(&self) -> Side {
        if self.world.branch.is_some() { self.focus } else { Side::Original }
    }

    /// One of the futures, where it exists at this instant.
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

    /// Where the second future begins, ns.
    pub fn fork_ns(&self) -> Option<i64> {
        self.fork.map(|fork| fork.at_ns)
    }

    /// How many changes the two futures share: those made before the fork; 0 without one.
    pub fn shared_changes(&self) -> usize {
        self.fork.map_or(0, |fork| fork.shared_changes)
    }

    /// The user's changes of one future, in order; those that still lie ahead included.
    pub fn changes(&self, side: Side) -> Vec<Change> {
        match (side, self.fork) {
            (Side::Branch, Some(fork)) => {
                let shared = self.journals[0].iter().take(fork.shared_changes);
                shared.chain(&self.journals[1]).cloned().collect()
            }
            _ => self.journals[0].clone(),
        }
    }

    /// The most work between two checkpoints, events.
    pub fn widest_gap(&self) -> u64 {
        self.checkpoints.widest_gap()
    }

    /// The instants that can be returned to at once, ns.
    pub fn checkpoint_instants(&self) -> Vec<i64> {
        self.checkpoints.instants()
    }

    /// Runs on to an instant, which must lie ahead, in both futures, making the journal's changes on the way.
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

    /// Keeps a checkpoint here where the last one lies at least `spacing` events back. True where one was kept.
    pub fn keep_checkpoint(&mut self, spacing: u64) -> bool {
        let wanted = self.checkpoints.wants(self.now_ns(), self.world.original.events(), spacing.max(1));
        if wanted {
            self.checkpoints.keep(checkpoint_of(&self.world));
        }
        wanted
    }

    /// Goes back to the newest checkpoint before an instant, unless the world as it stands is a better place to run on
    /// from. [`Deck::run_until`] does the rest.
    pub fn rewind_towards(&mut self, at_ns: i64) {
        let found = self.checkpoints.before(at_ns, |_| true);
        let now = self.world.original.now_ns();
        if now > at_ns || found.at_ns > now {
            self.world = found.state.clone();
            self.make_what_is_due();
        }
    }

    /// Makes a change now in the future in focus. Later changes of that future are dropped; how many is returned.
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

    /// Takes back the newest change that has been made in the future in focus. The world is then an earlier one; the
    /// instant at which the user was has to be sought again.
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

    /// Begins a second future here, equal to the first so far, and focuses it.
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

    /// Ends the branch; the future that is named goes on alone, with its past.
    pub fn keep_only(&mut self, side: Side) -> Result<(), String> {
        let Some(fork) = self.fork.take() else { return Err("there is only one future".into()) };
        self.focus = Side::Original;
        if side == Side::Branch {
            self.journals[0].truncate(fork.shared_changes);
            let own = std::mem::take(&mut self.journals[1]);
            self.journals[0].extend(own);
            // A state of the original after the branch, without the branch, belongs to the future that is dropped.
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

    /// Lets commands act on a future from now on.
    pub fn focus_on(&mut self, side: Side) {
        self.focus = side;
    }

    /// Gives the future in focus away.
    pub fn into_focused(self) -> S {
        match (self.focus(), self.world.branch) {
            (Side::Branch, Some(branch)) => branch,
            _ => self.world.original,
        }
    }

    /// The next instant at which something of the journals has to be done.
    fn next_mark(&self) -> Option<i64> {
        let change = |index: usize| self.journals[index].get(self.world.made[index]).map(|change| change.at_ns);
        let ahead = if self.world.branch.is_none() { self.fork_ns() } else { change(1) };
        change(0).into_iter().chain(ahead).min()
    }

    /// Makes the changes of the journals whose instant has come, in their order, and the branch in its place among them.
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
                // A change that was possible once is possible again: the run repeats itself exactly.
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

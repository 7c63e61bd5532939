//! The interface between the screen and a simulation: a small trait, so that everything here can be tested with a fake.
//!
//! A simulation is a value: cloning it makes a checkpoint, restoring is dropping the newer value, and a branch is a clone
//! that gets a different future. Pausing, pacing, rewinding and watching only ever choose *when* [`Simulation::run_until`]
//! is called and with which instants; an implementation must give the same state however a span is cut up.

use lab::requests::Requests;
use lab::result::Snapshot;
use language::menu::FaultChoice;

/// A run that can be carried forward, looked at, changed and cloned.
pub trait Simulation: Clone + Send + 'static {
    /// Carries the run on to an instant (ns, 0 = end of the warm-up): everything strictly before it has happened.
    /// An instant that has passed, or one beyond the end, is clipped.
    fn run_until(&mut self, at_ns: i64);

    /// The instant reached, ns.
    fn now_ns(&self) -> i64;

    /// Where the run ends, ns.
    fn end_ns(&self) -> i64;

    /// Where the run begins, ns: minus the warm-up.
    fn start_ns(&self) -> i64;

    /// Width of a window of the time series, ns; at least 1.
    fn window_ns(&self) -> u64;

    /// Events gone through so far: the measure of work by which checkpoints are spaced.
    fn events(&self) -> u64;

    /// The run as it stands.
    fn snapshot(&self) -> Snapshot;

    /// Every setting of the scenario, in file order.
    fn knobs(&self) -> Vec<Knob>;

    /// Changes a live setting now. The error says what would have been right.
    fn set(&mut self, path: &str, value: &str) -> Result<(), String>;

    /// Lets a fault strike now, for example `{for: 20s, slow: {component: db, factor: 5}}`.
    fn inject(&mut self, fault_yaml: &str) -> Result<(), String>;

    /// The scenario's text with every change in it.
    fn export(&self) -> String;

    /// Notable events so far (breaker trips, ejections, scaling, out-of-memory kills, …), oldest
    /// first. Faults, crossings of thresholds and the user's changes are found without it.
    fn happenings(&self) -> Vec<Happening> {
        Vec::new()
    }

    /// Faults to choose from, each with a text to start from.
    fn faults_to_choose(&self) -> Vec<FaultChoice>;

    /// Requests that were followed from end to end; `None` where none are.
    fn requests(&self) -> Option<Requests> {
        None
    }

    /// About how much memory a clone takes, bytes; `None` where it is not known. Bounds the memory of checkpoints.
    fn clone_bytes(&self) -> Option<u64> {
        None
    }
}

/// A setting that the scenario has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knob {
    /// The document's own path, for example `components.db.connections`.
    pub path: String,
    /// The value in force, as the scenario would write it.
    pub value: String,
    /// True where it may change during a run.
    pub live: bool,
    /// What it is, in a sentence.
    pub doc: String,
    /// Unit, range and default in words.
    pub range: String,
}

/// Something that happened at an instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Happening {
    /// When, s (0 = end of the warm-up).
    pub at_s: f64,
    /// The component, workload or `FROM.LINK` that it concerns.
    pub target: String,
    /// What happened, in words.
    pub what: String,
    /// True where it makes things worse.
    pub bad: bool,
}

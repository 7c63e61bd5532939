//! The interface between the screen and a simulation: a small trait, so that everything here can be tested with a fake.
//!
//! A simulation is a value: a clone is a checkpoint, dropping the newer value restores it, and a branch is a clone with a
//! different future. Pausing, pacing, rewinding and watching only determine *when* [`Simulation::run_until`] is called and
//! with which instants; an implementation must reach the same state however a span is divided into calls.

use lab::requests::Requests;
use lab::result::Snapshot;
use language::menu::FaultChoice;

/// A run that can be continued, observed, changed and cloned.
pub trait Simulation: Clone + Send + 'static {
    /// Continues the run to an instant (ns, 0 = end of the warm-up): everything strictly before it has happened.
    /// Clamps an instant in the past or beyond the end.
    fn run_until(&mut self, at_ns: i64);

    /// The instant reached, ns.
    fn now_ns(&self) -> i64;

    /// The end of the run, ns.
    fn end_ns(&self) -> i64;

    /// The beginning of the run, ns: minus the warm-up.
    fn start_ns(&self) -> i64;

    /// Width of a window of the time series, ns; at least 1.
    fn window_ns(&self) -> u64;

    /// Number of events so far: the measure of work that determines the spacing of checkpoints.
    fn events(&self) -> u64;

    /// A snapshot of the run.
    fn snapshot(&self) -> Snapshot;

    /// Every setting of the scenario, in file order.
    fn knobs(&self) -> Vec<Knob>;

    /// Changes a live setting now. The error states what is valid.
    fn set(&mut self, path: &str, value: &str) -> Result<(), String>;

    /// Injects a fault now, for example `{for: 20s, slow: {component: db, factor: 5}}`.
    fn inject(&mut self, fault_yaml: &str) -> Result<(), String>;

    /// The scenario's text with all changes applied.
    fn export(&self) -> String;

    /// Notable events so far (breaker trips, ejections, scaling, out-of-memory kills, …), oldest first. Faults, threshold
    /// crossings and the user's changes are derived independently of this.
    fn happenings(&self) -> Vec<Happening> {
        Vec::new()
    }

    /// Faults to choose from, each with a text to start from.
    fn faults_to_choose(&self) -> Vec<FaultChoice>;

    /// Requests traced from end to end; `None` if there are none.
    fn requests(&self) -> Option<Requests> {
        None
    }

    /// Approximate memory of a clone, bytes; `None` if unknown. Limits the memory of checkpoints.
    fn clone_bytes(&self) -> Option<u64> {
        None
    }
}

/// A setting of the scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knob {
    /// Its path in the scenario, for example `components.db.connections`.
    pub path: String,
    /// The current value, as written in a scenario.
    pub value: String,
    /// Whether it may change during a run.
    pub live: bool,
    /// Its description, in a sentence.
    pub doc: String,
    /// Unit, range and default in words.
    pub range: String,
}

/// An event at an instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Happening {
    /// Time, s (0 = end of the warm-up).
    pub at_s: f64,
    /// The component, workload or `FROM.LINK` concerned.
    pub target: String,
    /// The event, in words.
    pub what: String,
    /// Whether it makes things worse.
    pub bad: bool,
}

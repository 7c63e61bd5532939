//! Adapts a [`Session`] to the screen: a simulation that can be continued, observed, changed and cloned.

use lab::Session;
use lab::requests::Requests;
use lab::result::Snapshot;
use language::knobs;
use language::menu::FaultChoice;
use tui::{Knob, Simulation};

/// Approximate size of a session without calls under way, bytes: histograms, nodes, names.
const BYTES_AT_REST: u64 = 1 << 18;

/// Number of events to simulate ahead in a run without a fixed end, to find out when it becomes idle.
const LOOK_AHEAD: u64 = 3_000_000;

/// A session in the form that the screen needs.
#[derive(Clone)]
pub(crate) struct Watched {
    session: Session,
    /// Faults that the user injected, with their instants.
    injected: Vec<(i64, String)>,
    failure: Option<String>,
    /// When a run without a fixed end becomes idle, as far as that is known, ns.
    rests_at: Option<i64>,
}

impl Watched {
    /// A run at its beginning, with tracing of requests.
    pub(crate) fn new(mut session: Session) -> Watched {
        session.trace_requests();
        let mut watched = Watched { session, injected: Vec::new(), failure: None, rests_at: None };
        watched.look_ahead();
        watched
    }

    /// The session.
    #[allow(dead_code, reason = "tests and benches look at it, the program does not")]
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Finds out when a run without a fixed end becomes idle.
    fn look_ahead(&mut self) {
        if !self.session.is_open_ended() {
            return;
        }
        let mut ahead = self.session.clone();
        // A failure ahead is reported when the run gets there.
        let _ = ahead.run_some(LOOK_AHEAD);
        self.rests_at = Some(ahead.now_ns());
    }
}

impl Simulation for Watched {
    fn run_until(&mut self, at_ns: i64) {
        if self.failure.is_some() {
            return;
        }
        if let Err(failure) = self.session.run_until(at_ns) {
            self.failure = Some(failure.to_string());
        }
    }

    fn now_ns(&self) -> i64 {
        // A run that has failed stays at its end.
        if self.failure.is_some() { self.end_ns() } else { self.session.now_ns() }
    }

    fn end_ns(&self) -> i64 {
        match self.rests_at {
            Some(_) if self.session.is_finished() => self.session.now_ns(),
            // The run is still not idle at the expected time: expect it one window later.
            Some(at) if at <= self.session.now_ns() => self.session.now_ns() + self.session.window_ns() as i64,
            Some(at) => at,
            None => self.session.end_ns(),
        }
    }

    fn start_ns(&self) -> i64 {
        self.session.start_ns()
    }

    fn window_ns(&self) -> u64 {
        self.session.window_ns()
    }

    fn events(&self) -> u64 {
        self.session.events()
    }

    fn snapshot(&self) -> Snapshot {
        self.session.snapshot()
    }

    fn knobs(&self) -> Vec<Knob> {
        knobs::all(self.session.loaded())
            .into_iter()
            .map(|k| Knob { path: k.path, value: k.value, live: k.live, doc: k.doc, range: k.range })
            .collect()
    }

    fn set(&mut self, path: &str, value: &str) -> Result<(), String> {
        self.session.set(path, value)?;
        self.look_ahead();
        Ok(())
    }

    fn inject(&mut self, fault_yaml: &str) -> Result<(), String> {
        self.session.inject(fault_yaml)?;
        self.injected.push((self.session.now_ns(), fault_yaml.to_string()));
        self.look_ahead();
        Ok(())
    }

    fn export(&self) -> String {
        self.session.exported(&self.injected)
    }

    fn faults_to_choose(&self) -> Vec<FaultChoice> {
        self.session.faults_to_choose()
    }

    fn requests(&self) -> Option<Requests> {
        self.session.requests()
    }

    fn clone_bytes(&self) -> Option<u64> {
        // Calls in the nodes (queues, tickets, accounts) take about as much memory as in the engine; measured with
        // `cargo bench -p cli --bench watching`.
        let under_way = 2 * self.session.engine().bytes_in_flight() as u64;
        Some(BYTES_AT_REST + under_way)
    }

    fn happenings(&self) -> Vec<tui::Happening> {
        let failure = self.failure.iter().map(|what| tui::Happening {
            at_s: self.session.now_ns() as f64 / 1e9,
            target: String::new(),
            what: what.clone(),
            bad: true,
        });
        failure.collect()
    }
}

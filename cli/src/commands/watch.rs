//! `watch`: the terminal UI over a run.
//!
//! The screen knows simulations only by a small trait; here a [`Session`] becomes one.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use lab::result::Snapshot;
use lab::{Session, knobs};
use tui::{Caption, Knob, Pace, Simulation};

use crate::input::{self, Failure, Scenario};

/// Watches a scenario in the terminal: pause, rewind, branch, change knobs, inject faults.
#[derive(Args, Debug)]
pub(crate) struct Watch {
    #[command(flatten)]
    scenario: Scenario,
    /// Simulated seconds in a second of real time; 0 for as fast as it goes.
    #[arg(long, default_value_t = 5.0)]
    speed: f64,
    /// Begin paused.
    #[arg(long)]
    paused: bool,
    /// Without the guided tour.
    #[arg(long)]
    no_tour: bool,
}

impl Watch {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            let message = "`watch` needs a terminal; `run` prints the report anywhere";
            return Err(Failure::Usage(message.into()));
        }
        let loaded = input::load(&self.scenario)?;
        let tour = self.scenario.file == "@retry-storm" && loaded.options == lab::Options::default() && !self.no_tour;
        let seed = loaded.scenario.seed;
        let session = Session::new(Arc::new(loaded), seed, None);
        let options = tui::Options {
            playing: !self.paused,
            pace: if self.speed > 0.0 { Pace::Times(self.speed) } else { Pace::FlatOut },
            captions: if tour { retry_storm_tour() } else { Vec::new() },
            ..tui::Options::default()
        };
        let ending = tui::watch(Watched { session, injected: Vec::new(), failure: None }, options)?;
        for path in &ending.written {
            eprintln!("wrote {}", path.display());
        }
        Ok(if ending.interrupted { ExitCode::from(130) } else { ExitCode::SUCCESS })
    }
}

/// A session as the screen sees it.
#[derive(Clone)]
struct Watched {
    session: Session,
    /// Faults that the user let strike, with their instants.
    injected: Vec<(i64, String)>,
    failure: Option<String>,
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
        // What cannot go on stands at its end.
        if self.failure.is_some() { self.session.end_ns() } else { self.session.now_ns() }
    }

    fn end_ns(&self) -> i64 {
        self.session.end_ns()
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
        self.session.set(path, value)
    }

    fn inject(&mut self, fault_yaml: &str) -> Result<(), String> {
        self.session.inject(fault_yaml)?;
        self.injected.push((self.session.now_ns(), fault_yaml.to_string()));
        Ok(())
    }

    fn export(&self) -> String {
        self.session.exported(&self.injected)
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

/// What to look at, and when.
fn retry_storm_tour() -> Vec<Caption> {
    let caption = |at_s: f64, text: &str| Caption { at_s, text: text.to_string() };
    vec![
        caption(
            -29.0,
            "600 requests a second; the database can serve 1000. All is well: watch the boxes and their queues.",
        ),
        caption(60.0, "The database becomes five times slower for twenty seconds. It can now serve 200 a second."),
        caption(63.0, "Clients give up after a second and try again: see ×2, then ×2.6 on the edge to the API."),
        caption(80.0, "The database is healthy again. The storm should be over now ..."),
        caption(
            110.0,
            "... but it is not: the API works through requests whose clients left long ago. Its work is wasted.",
        ),
        caption(
            200.0,
            "The database's own queue is nearly empty. The storm lives in the API's queue. Rewind with ← and branch with b.",
        ),
    ]
}

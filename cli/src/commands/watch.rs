//! `watch`: the terminal UI over a run.
//!
//! Files and built-in scenarios become what can be chosen; how a [`Session`] becomes something to watch stands in
//! [`crate::watched`].

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use clap::Args;
use lab::Session;
use language::diagnostics::Style;
use tui::{Caption, Choice, Opened, Pace, Simulation, Source, Stamp};

use crate::input::{self, Changes, Failure, INTERRUPTED};
use crate::watched::Watched;

/// Watches a scenario in the terminal: pause, rewind, branch, change knobs, inject faults.
#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// A scenario file, read again whenever it is saved, or `@name` for a built-in one; without it they are listed.
    file: Option<String>,
    #[command(flatten)]
    changes: Changes,
    /// Simulated seconds in a second of real time, 0 for as fast as it goes; such that it takes about a minute if not
    /// given.
    #[arg(long)]
    speed: Option<f64>,
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
        if let Some(file) = &self.file {
            self.check_command_line(file)?;
        }
        let options = tui::Options { paused: self.paused, ..tui::Options::default() };
        let scenarios = Scenarios::new(&self);
        let first = self.file.as_ref().map(|file| scenarios.index_of(file));
        let ending = tui::watch(scenarios, first, options)?;
        for path in &ending.written {
            eprintln!("wrote {}", path.display());
        }
        Ok(if ending.interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
    }

    /// What no save of the file can mend ends the program before the screen is taken: a file that is not there, and options
    /// that make a sound file wrong.
    fn check_command_line(&self, file: &str) -> Result<(), Failure> {
        let text = input::text(file)?;
        let Err(refused) = lab::load(&text, &self.changes.options()) else { return Ok(()) };
        let is_sound = lab::load(&text, &lab::Options::default()).is_ok();
        if is_sound { Err(Failure::Refused(Box::new(refused), self.changes.color)) } else { Ok(()) }
    }
}

/// One entry of the list.
struct Entry {
    choice: Choice,
    /// As on the command line.
    file: String,
    /// Whether the command line's changes are meant for it.
    is_changed: bool,
    has_tour: bool,
}

/// What can be watched: the file of the command line, the tour, and everything that is built in.
struct Scenarios {
    entries: Vec<Entry>,
    options: lab::Options,
    speed: Option<f64>,
}

/// The scenario that the tour goes through.
const TOURED: &str = "@retry-storm";

impl Scenarios {
    fn new(watch: &Watch) -> Scenarios {
        let options = watch.changes.options();
        let is_plain = options == lab::Options::default();
        let entry = |name: String, about: String, file: String| Entry {
            choice: Choice { name, about },
            is_changed: watch.file.as_ref().is_none_or(|given| *given == file),
            file,
            has_tour: false,
        };
        let mut entries = Vec::new();
        if let Some(file) = watch.file.as_ref().filter(|file| !file.starts_with('@')) {
            entries.push(entry(file.clone(), "the file of the command line".into(), file.clone()));
        }
        if is_plain && !watch.no_tour {
            let about = "A guided tour of a retry storm: six stops, from a healthy shop to an outage that outlives its cause. \
                         Space goes on, esc leaves the tour.";
            entries.push(Entry { has_tour: true, ..entry("a tour".into(), about.into(), TOURED.into()) });
        }
        entries.extend(language::builtin::SCENARIOS.iter().map(|(name, text)| {
            let file = format!("@{name}");
            entry(file.clone(), language::builtin::purpose(text), file)
        }));
        Scenarios { entries, options, speed: watch.speed }
    }

    /// The first entry of a file: of the toured scenario its tour.
    fn index_of(&self, file: &str) -> usize {
        self.entries.iter().position(|entry| entry.file == file).unwrap_or(0)
    }

    /// The pace at which a run takes about a minute, in round numbers.
    fn pace(&self, session: &Watched) -> Pace {
        let seconds = (session.end_ns() - session.start_ns()) as f64 / 1e9;
        match self.speed {
            Some(speed) if speed > 0.0 => Pace::Times(speed),
            Some(_) => Pace::FlatOut,
            None => Pace::Times(seconds / 60.0).slower(),
        }
    }
}

impl Source for Scenarios {
    type Simulation = Watched;

    fn choices(&self) -> Vec<Choice> {
        self.entries.iter().map(|entry| entry.choice.clone()).collect()
    }

    fn open(&mut self, choice: usize) -> Result<Opened<Watched>, String> {
        let Some(entry) = self.entries.get(choice) else { return Err("there is no such entry".into()) };
        let options = if entry.is_changed { self.options.clone() } else { lab::Options::default() };
        let text = input::text(&entry.file).map_err(|failure| failure.text(Style::Plain))?;
        let loaded = lab::load(&text, &options)
            .map_err(|refused| language::diagnostics::render(&refused.problems, &refused.sources, Style::Plain))?;
        let seed = loaded.scenario.seed;
        let simulation = Watched::new(Session::new(Arc::new(loaded), seed, None));
        let pace = self.pace(&simulation);
        Ok(Opened { simulation, pace, captions: if entry.has_tour { retry_storm_tour() } else { Vec::new() } })
    }

    fn stamp(&self, choice: usize) -> Option<Stamp> {
        let file = &self.entries.get(choice)?.file;
        let metadata = std::fs::metadata(Path::new(file)).ok().filter(|_| !file.starts_with('@'))?;
        let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some((changed.as_nanos(), metadata.len()))
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

//! `watch`: the terminal UI for a run.
//!
//! This module turns files and built-in scenarios into choices; [`crate::watched`] adapts a [`Session`] to the screen.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use clap::Args;
use lab::Session;
use language::diagnostics::Style;
use tui::{Caption, Choice, Opened, Pace, Simulation, Source, Stamp};

use crate::input::{self, Changes, Failure, INTERRUPTED};
use crate::watched::Watched;

/// Watches a scenario in a terminal UI: pause, rewind, branch, change settings, inject faults.
#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// A scenario file, reloaded whenever it is saved, or `@name` for a built-in one. Without it, a list to choose from.
    file: Option<String>,
    #[command(flatten)]
    changes: Changes,
    /// Simulated seconds per second of real time; 0 for as fast as possible. The default makes a run last about a minute.
    #[arg(long)]
    speed: Option<f64>,
    /// Start paused.
    #[arg(long)]
    paused: bool,
    /// Skip the guided tour: that of the built-in retry storm, or `NAME.tour.yaml` beside the file.
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
            input::tell(&format!("wrote {}", path.display()));
        }
        Ok(if ending.interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
    }

    /// Fails before the screen opens for problems that saving the file cannot fix: a missing file, and options that make a valid
    /// file invalid.
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
    /// The name as on the command line.
    file: String,
    /// Whether the changes of the command line apply to it.
    is_changed: bool,
    has_tour: bool,
}

/// Maximum size of a tour, which has a few lines; a larger file is not a tour.
const TOUR_BYTES_MAX: u64 = 1 << 20;

/// The choices: the file of the command line, the tour, and all built-in scenarios.
struct Scenarios {
    entries: Vec<Entry>,
    options: lab::Options,
    speed: Option<f64>,
}

/// The scenario of the tour.
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
            let given = entry(file.clone(), "the file given on the command line".into(), file.clone());
            entries.push(Entry { has_tour: is_plain && !watch.no_tour, ..given });
        }
        if is_plain && !watch.no_tour {
            let about = "A guided tour of a retry storm: seven stops, from a healthy shop to an outage that outlives its cause. \
                         Space continues, esc leaves the tour.";
            entries.push(Entry { has_tour: true, ..entry("a tour".into(), about.into(), TOURED.into()) });
        }
        entries.extend(language::builtin::SCENARIOS.iter().map(|(name, text)| {
            let file = format!("@{name}");
            entry(file.clone(), language::builtin::purpose(text), file)
        }));
        Scenarios { entries, options, speed: watch.speed }
    }

    /// Index of the first entry of a file; for the scenario of the tour, that is the tour.
    fn index_of(&self, file: &str) -> usize {
        self.entries.iter().position(|entry| entry.file == file).unwrap_or(0)
    }

    /// The pace at which a run takes about a minute, rounded.
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
        self.reopen(choice, &[])
    }

    fn reopen(&mut self, choice: usize, settings: &[(String, String)]) -> Result<Opened<Watched>, String> {
        let Some(entry) = self.entries.get(choice) else { return Err("there is no such entry".into()) };
        let mut options = if entry.is_changed { self.options.clone() } else { lab::Options::default() };
        options.overrides.extend(settings.iter().map(|(path, value)| format!("{path}={value}")));
        let text = input::text(&entry.file).map_err(|failure| failure.text(Style::Plain))?;
        let loaded = lab::load(&text, &options)
            .map_err(|refused| language::diagnostics::render(&refused.problems, &refused.sources, Style::Plain))?;
        let seed = loaded.scenario.seed;
        let simulation = Watched::new(Session::new(Arc::new(loaded), seed, None));
        let pace = self.pace(&simulation);
        let captions = match tour_of(&entry.file).filter(|_| entry.has_tour) {
            Some((name, text)) => captions(&name, &text?, &simulation)?,
            None => Vec::new(),
        };
        Ok(Opened { simulation, pace, captions })
    }

    fn stamp(&self, choice: usize) -> Option<Stamp> {
        let file = &self.entries.get(choice)?.file;
        let stamp = stamp_of(Path::new(file)).filter(|_| !file.starts_with('@'))?;
        // The tour belongs to the scenario: detect changes to it, too.
        let tour = stamp_of(&beside(file)).unwrap_or_default();
        Some((stamp.0.max(tour.0), stamp.1 + tour.1))
    }
}

fn stamp_of(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((changed.as_nanos(), metadata.len()))
}

/// The path of the tour of a scenario file: `shop.tour.yaml` beside `shop.yaml`.
fn beside(file: &str) -> PathBuf {
    Path::new(file).with_extension("tour.yaml")
}

/// The tour of a scenario, if it has one: its name and its text, or the error from reading it.
fn tour_of(file: &str) -> Option<(String, Result<Vec<u8>, String>)> {
    if let Some(name) = file.strip_prefix('@') {
        return language::builtin::tour(name).map(|text| (format!("@{name} (tour)"), Ok(text.into())));
    }
    let path = beside(file);
    let name = path.display().to_string();
    let text = path.is_file().then(|| language::reading::regular(&path, TOUR_BYTES_MAX))?;
    Some((name.clone(), text.map_err(|why| format!("error: cannot read {name}: {why}"))))
}

/// The captions of a tour for this run.
fn captions(name: &str, text: &[u8], run: &Watched) -> Result<Vec<Caption>, String> {
    let snapshot = run.snapshot();
    let is_figure = |name: &str| [name, &format!("{name}_s")].iter().any(|name| snapshot.series.column(name).is_some());
    let is_node = |name: &str| snapshot.topology.nodes.iter().any(|node| node.name == name);
    let stops = language::tour::read(name, text, is_figure, is_node)
        .map_err(|(problems, sources)| language::diagnostics::render(&problems, &sources, Style::Plain))?;
    let caption = |stop: language::tour::StopSettings| Caption {
        at_s: stop.at.0 as f64 / 1e9,
        text: stop.text.value,
        focus: stop.focus.map(|focus| focus.value),
    };
    Ok(stops.into_iter().map(caption).collect())
}

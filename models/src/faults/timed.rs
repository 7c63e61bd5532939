//! When faults strike and events are done: each of the times, in one list whose places are the numbers by which the director
//! knows them.

use settings::{Duration, Name, Path, Problem, Problems, SignedDuration, Spanned};
use sim_core::Span;

use super::{EventSettings, FaultSettings, What};

/// Whether something goes wrong or somebody does something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It stands under `faults`.
    Faults,
    /// It stands under `events`.
    Events,
}

impl Source {
    /// The section of the scenario.
    pub fn section(self) -> &'static str {
        match self {
            Source::Faults => "faults",
            Source::Events => "events",
        }
    }

    /// One of them.
    pub fn noun(self) -> &'static str {
        match self {
            Source::Faults => "fault",
            Source::Events => "event",
        }
    }
}

/// A fault or an event at one of its times.
#[derive(Clone, Debug)]
pub struct Timed<'a> {
    /// Which section it stands in …
    pub source: Source,
    /// … and its place there.
    pub place: usize,
    /// Which of its times this is, from 0.
    pub nth: u32,
    /// Name.
    pub name: Option<&'a Name>,
    /// When it begins, ns on the scenario's clock.
    pub at: i64,
    /// How long it lasts, if it ends.
    pub lasts: Option<Span>,
    /// The remark.
    pub note: Option<&'a str>,
    /// What it does.
    pub what: What<'a>,
    /// Where it is written.
    pub span: settings::Span,
    /// Its path.
    pub path: Path,
}

impl Timed<'_> {
    /// When it ends, ns, if it does.
    pub fn until(&self) -> Option<i64> {
        self.lasts.map(|lasts| self.at.saturating_add_unsigned(lasts))
    }
}

/// An entry of either section.
struct Entry<'a> {
    source: Source,
    place: usize,
    name: Option<&'a Name>,
    at: SignedDuration,
    lasts: Option<Duration>,
    every: Option<Duration>,
    times: Option<u32>,
    note: Option<&'a str>,
    what: What<'a>,
    span: settings::Span,
    path: &'a Path,
}

fn entries<'a>(
    faults: &'a [Spanned<FaultSettings>],
    events: &'a [Spanned<EventSettings>],
) -> impl Iterator<Item = Entry<'a>> {
    macro_rules! entry {
        ($source:ident, $settings:ident => $place:expr) => {
            Entry {
                source: Source::$source,
                place: $place,
                name: $settings.value.name.as_ref(),
                at: $settings.value.at,
                lasts: $settings.value.r#for,
                every: $settings.value.every,
                times: $settings.value.times,
                note: $settings.value.note.as_deref(),
                what: $settings.value.what.what(),
                span: $settings.span,
                path: &$settings.path,
            }
        };
    }
    let faults = faults.iter().enumerate().map(|(place, one)| entry!(Faults, one => place));
    faults.chain(events.iter().enumerate().map(|(place, one)| entry!(Events, one => place)))
}

/// The most times that all faults and events of a scenario have together.
const TIMES_MAX: usize = 100_000;

/// Every time of every fault, then of every event, in the order in which they are written.
pub fn timed<'a>(faults: &'a [Spanned<FaultSettings>], events: &'a [Spanned<EventSettings>]) -> Vec<Timed<'a>> {
    let mut all = Vec::new();
    for entry in entries(faults, events) {
        let (every, times) = entry.every.zip(entry.times).map_or((0, 1), |(every, times)| (every.0, times));
        all.extend((0..times).map(|nth| Timed {
            source: entry.source,
            place: entry.place,
            nth,
            name: entry.name,
            at: entry.at.0.saturating_add_unsigned(every.saturating_mul(u64::from(nth))),
            lasts: entry.lasts.map(|lasts| lasts.0),
            note: entry.note,
            what: entry.what,
            span: entry.span,
            path: entry.path.clone(),
        }));
        if all.len() > TIMES_MAX {
            break;
        }
    }
    all
}

/// What is wrong with the times of faults and events.
pub fn check(faults: &[Spanned<FaultSettings>], events: &[Spanned<EventSettings>], problems: &mut Problems) {
    let all: usize = entries(faults, events).map(|entry| entry.times.map_or(1, |times| times as usize)).sum();
    if all > TIMES_MAX {
        let message = format!("all faults and events together have {all} times; at most {TIMES_MAX} can be simulated");
        problems.push(Problem::error("too_many", settings::Span::NOWHERE, message).path(Path::of(&["faults"])));
    }
    for entry in entries(faults, events) {
        let mut found = Vec::new();
        let mut error = |code: &'static str, key: &str, message: String, help: &str| {
            found.push(Problem::error(code, entry.span, message).path(entry.path.join(key)).help(help));
        };
        match (entry.every, entry.times) {
            (Some(every), Some(_)) if every.0 == 0 => {
                let message = "`every` must be longer than nothing".to_string();
                error("out_of_range", "every", message, "write the time from one to the next: `every: 1m`");
            }
            (Some(_), None) => {
                let message = "`every` needs `times`".to_string();
                error("missing_key", "every", message, "write how often: `times: 5`");
            }
            (None, Some(_)) => {
                let message = "`times` needs `every`".to_string();
                error("missing_key", "times", message, "write the time from one to the next: `every: 1m`");
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        if entry.what.is_a_change() && entry.times.is_some() && entry.lasts.is_none() {
            let message = format!("this {} changes nothing after its first time: it never ends", entry.source.noun());
            error("no_effect", "times", message, "give it a `for`, or remove `every` and `times`");
        }
        found.into_iter().for_each(|problem| problems.push(problem));
        if entry.lasts.is_some_and(|lasts| lasts.0 == 0) && !entry.what.is_momentary() {
            let message = format!("this {} does nothing: it ends as it begins", entry.source.noun());
            let problem = Problem::warning("no_effect", entry.span, message).path(entry.path.join("for"));
            problems.push(problem.help("make `for` longer, or remove it if it is to stay"));
        }
    }
}

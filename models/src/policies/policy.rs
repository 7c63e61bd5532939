//! What every policy of a link has: settings, and what they mean for the link that has them.
//!
//! A policy is one file and one row of the table in [`super::link_settings`]. Nothing else lists policies: the settings of
//! a link, the order in which its policies are asked, the words of reports and the checks all come from the table.

use sim_core::figures::Set;
use sim_core::{Happens, Outcome, Span};

use super::flaw::Flaw;

/// How much of a link's machinery a call needs. The link takes the shortest way that all its settings allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Calls pass through: the link counts them and keeps nothing.
    Bare,
    /// A call has one attempt at a time, and nothing but its timeout and its retries is kept.
    Plain,
    /// A call asks one policy after the other.
    InOrder,
}

/// A policy as a reader of the scenario is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What its settings say.
    pub words: String,
    /// Whether it remembers something from one call to the next. That memory belongs to each calling replica.
    pub has_state: bool,
}

/// How many attempts a policy lets pass, as far as that is known without running.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Passes {
    /// So many a second, and what comes beyond ends so.
    Rate {
        /// Attempts a second.
        per_s: f64,
        /// So many that come at once pass, or wait, after a quiet time.
        at_once: f64,
        /// Whether an attempt that comes too early waits.
        waits: bool,
        /// How the others end.
        otherwise: Outcome,
    },
    /// So many at the same time.
    AtOnce {
        /// Places.
        places: u32,
        /// Whether an attempt waits for one.
        waits: bool,
        /// How those end that get none.
        otherwise: Outcome,
    },
    /// Not all, and how many depends on what they are about.
    Some,
}

/// What a policy may know of the others that are written beside it.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// The policies that are written, by name.
    pub written: &'a [&'static str],
    /// Whether connections stay open between calls.
    pub keeps_alive: bool,
}

impl Beside<'_> {
    /// Whether a policy is written.
    pub fn has(&self, name: &str) -> bool {
        self.written.contains(&name)
    }
}

/// A policy of links.
pub trait Policy {
    /// What a scenario says of it.
    type Settings;

    /// The figures that it reports.
    const FIGURES: Set = &[];

    /// The happenings it records with [`sim_core::Cx::happened`].
    const HAPPENS: &'static [&'static Happens] = &[];

    /// The shortest way that a call can take over a link with these settings.
    fn way(settings: &Self::Settings) -> Way {
        let _ = settings;
        Way::InOrder
    }

    /// The policy in a few words, its name included, for the edge of a diagram; `None` where there is nothing to say.
    fn brief(settings: &Self::Settings) -> Option<String>;

    /// What its settings say, for `explain`; `None` where there is nothing to say.
    fn described(settings: &Self::Settings) -> Option<Described>;

    /// The longest that it can hold up an attempt, beyond its timeout. For what is known without running.
    fn holds_up(settings: &Self::Settings) -> Span {
        let _ = settings;
        0
    }

    /// How many attempts of one caller it lets pass while the callee is well; `None` for all.
    fn passes(settings: &Self::Settings) -> Option<Passes> {
        let _ = settings;
        None
    }

    /// What is wrong with these settings where a caller makes so many attempts a second.
    fn flaws_at(settings: &Self::Settings, per_s: f64) -> Vec<Flaw> {
        let _ = (settings, per_s);
        Vec::new()
    }

    /// What is wrong with these settings.
    fn flaws(settings: &Self::Settings, beside: &Beside<'_>) -> Vec<Flaw> {
        let _ = (settings, beside);
        Vec::new()
    }
}

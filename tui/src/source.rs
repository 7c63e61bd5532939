//! Sources of simulations: the available choices, and opening one.

use crate::app::Caption;
use crate::player::Pace;
use crate::simulation::Simulation;

/// Something that can be watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Its name: `@retry-storm`, `shop.yaml`.
    pub name: String,
    /// What it shows, in one or two sentences.
    pub about: String,
}

/// A choice that can be simulated.
#[derive(Clone, Debug)]
pub struct Opened<S> {
    /// The run, at its beginning.
    pub simulation: S,
    /// The initial pace.
    pub pace: Pace,
    /// A guided tour: the run pauses at each instant and shows the caption. Escape ends the tour.
    pub captions: Vec<Caption>,
}

/// Identifies a version of a file: the time of its last change, ns, and its length, bytes.
pub type Stamp = (u128, u64);

/// The scenarios that can be watched.
pub trait Source {
    /// The simulations that choices open.
    type Simulation: Simulation;

    /// The choices, in display order.
    fn choices(&self) -> Vec<Choice>;

    /// Opens a choice (an index into [`Source::choices`]). The error describes the problems in plain text, in several lines.
    fn open(&mut self, choice: usize) -> Result<Opened<Self::Simulation>, String>;

    /// Opens a choice again from the beginning, with other values of settings, given as paths and values.
    ///
    /// # Errors
    /// As [`Source::open`].
    fn reopen(&mut self, choice: usize, settings: &[(String, String)]) -> Result<Opened<Self::Simulation>, String> {
        match settings {
            [] => self.open(choice),
            [(path, _), ..] => Err(format!("{path} cannot be changed here")),
        }
    }

    /// A stamp that changes whenever opening the choice again could give a different result; `None` if that never happens, or
    /// while it cannot be determined.
    fn stamp(&self, choice: usize) -> Option<Stamp> {
        let _ = choice;
        None
    }
}

/// Detects that a file has been saved: its stamp has changed and is the same in two consecutive checks, so that a file is
/// not read while it is being written.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    read: Option<Stamp>,
    seen: Option<Stamp>,
}

impl Watch {
    /// Starts with the version that has just been read.
    pub fn new(read: Option<Stamp>) -> Watch {
        Watch { read, seen: read }
    }

    /// Checks the file's stamp. True once for every new version, after it has settled.
    pub fn look(&mut self, now: Option<Stamp>) -> bool {
        // A missing file is probably being replaced.
        let Some(now) = now else { return false };
        let rests = self.seen == Some(now);
        self.seen = Some(now);
        let is_new = rests && self.read != Some(now);
        if is_new {
            self.read = Some(now);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_once_it_has_come_to_rest() {
        let mut watch = Watch::new(Some((1, 10)));
        let looks = [
            (Some((1, 10)), false),
            (Some((2, 0)), false),  // cut off, about to be written
            (Some((2, 14)), false), // written
            (Some((2, 14)), true),  // at rest
            (Some((2, 14)), false), // read once
            (None, false),          // away
            (Some((3, 9)), false),  // back, and other
            (Some((3, 9)), true),
        ];
        for (number, (stamp, is_new)) in looks.into_iter().enumerate() {
            assert_eq!(watch.look(stamp), is_new, "look {number}");
        }
    }

    #[test]
    fn what_has_no_stamp_is_never_read_again() {
        let mut watch = Watch::new(None);
        assert!((0..3).all(|_| !watch.look(None)));
    }
}

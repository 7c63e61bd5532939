//! Where simulations come from: what can be chosen, and what becomes of a choice.

use crate::app::Caption;
use crate::player::Pace;
use crate::simulation::Simulation;

/// Something that can be watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What it is called: `@retry-storm`, `shop.yaml`.
    pub name: String,
    /// What it shows, in a sentence or two.
    pub about: String,
}

/// A choice that can be simulated.
#[derive(Clone, Debug)]
pub struct Opened<S> {
    /// The run, at its beginning.
    pub simulation: S,
    /// The pace at the beginning.
    pub pace: Pace,
    /// A guided tour: at each instant the run pauses and the words are shown. Escape ends it.
    pub captions: Vec<Caption>,
}

/// Tells one state of a file from another: the instant of its last change, ns, and its length, bytes.
pub type Stamp = (u128, u64);

/// What can be watched.
pub trait Source {
    /// The simulation that a choice opens.
    type Simulation: Simulation;

    /// What can be chosen, in the order in which it is shown.
    fn choices(&self) -> Vec<Choice>;

    /// Reads a choice (an index into [`Source::choices`]). The error says where it is wrong, as plain text of several lines.
    fn open(&mut self, choice: usize) -> Result<Opened<Self::Simulation>, String>;

    /// Reads a choice again with other values of settings, as paths and values, from the beginning of the run on.
    ///
    /// # Errors
    /// As [`Source::open`].
    fn reopen(&mut self, choice: usize, settings: &[(String, String)]) -> Result<Opened<Self::Simulation>, String> {
        match settings {
            [] => self.open(choice),
            [(path, _), ..] => Err(format!("{path} cannot be changed here")),
        }
    }

    /// What is different as soon as opening it again could give something else; `None` where that never happens, and
    /// while it cannot be told.
    fn stamp(&self, choice: usize) -> Option<Stamp> {
        let _ = choice;
        None
    }
}

/// Notices that a file has been saved: its stamp is another one, and has been for two looks, so that a file is not read
/// while it is being written.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    read: Option<Stamp>,
    seen: Option<Stamp>,
}

impl Watch {
    /// Begins with the state that has just been read.
    pub fn new(read: Option<Stamp>) -> Watch {
        Watch { read, seen: read }
    }

    /// Looks again. True once for every new state that has come to rest.
    pub fn look(&mut self, now: Option<Stamp>) -> bool {
        // A file that is away for a moment is being replaced.
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

//! News about nodes, for the components that choose among them.
//!
//! A node that listens to a group gets news about the group's nodes ([`crate::Engine::listen`]). The conclusions it
//! draws are its own: no other component reads them, and they may be late or wrong.

/// A piece of news about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The node is ready to be called: the registry lists it.
    Joined,
    /// The node is about to leave or has left: the registry no longer lists it.
    Left,
    /// The node has died.
    Down,
    /// The node is up again.
    Up,
    /// It has died or come up, stands still or goes on: how it answers a probe may be another from now on.
    Changed,
}

/// The kinds of news that a listener receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// Joining and leaving.
    Members,
    /// Joining and leaving, and that something has changed that the listener finds out by asking the node.
    Changes,
    /// Joining and leaving, and dying and coming up again, at the instant it happens.
    All,
}

impl Hearing {
    /// Whether the listener receives this news.
    pub fn hears(self, news: News) -> bool {
        match news {
            News::Joined | News::Left => true,
            News::Down | News::Up => self == Hearing::All,
            News::Changed => self == Hearing::Changes,
        }
    }
}

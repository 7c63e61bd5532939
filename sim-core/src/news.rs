//! News: what those who choose among nodes can come to know of them.
//!
//! A node hears of those of a group when it listens to that group ([`crate::Engine::listen`]). What it makes of that is its own
//! belief: nobody else reads it, and it may be late or wrong.

/// Something that can be known of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It is there and ready to be called: a registry has it.
    Joined,
    /// It is about to leave, or has left: the registry no longer has it.
    Left,
    /// It has died.
    Down,
    /// It is up again.
    Up,
    /// It has died or come up, stands still or goes on: how it answers a probe may be another from now on.
    Changed,
}

/// Which news a listener hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// Of joining and leaving.
    Members,
    /// Of joining and leaving, and that something has changed of which whoever asks the node finds out in time.
    Changes,
    /// Of joining and leaving, and of dying and coming up again the instant it happens.
    All,
}

impl Hearing {
    /// Whether it hears of this.
    pub fn hears(self, news: News) -> bool {
        match news {
            News::Joined | News::Left => true,
            News::Down | News::Up => self == Hearing::All,
            News::Changed => self == Hearing::Changes,
        }
    }
}

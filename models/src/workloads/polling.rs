//! Clients who ask for the result: after `accepted` the same client asks for another operation with the same key, again and again,
//! until it is answered well once all is done that its request set off.

use std::collections::BTreeMap;

use settings::{Duration, DurationDist, Name, Setting, Spanned};
use sim_core::dist::Dist;
use sim_core::random::Key;
use sim_core::slab::Slab;
use sim_core::{Span, Time};

/// How clients poll for the result of a request.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct PollSettings {
    /// Operation of the polls.
    pub op: Spanned<Name>,
    /// Time from an answer to the next poll.
    pub every: DurationDist,
    /// Time from the `accepted` answer after which the client gives up. Never without it.
    #[setting(range = ">0s")]
    pub timeout: Option<Duration>,
}

/// The same, ready to be done.
#[derive(Clone, Debug)]
pub struct PollPlan {
    /// Row of the profile table.
    pub profile: u16,
    /// From an answer to the next time.
    pub every: Dist,
    /// After how long it gives up.
    pub timeout: Option<Span>,
}

/// A client whose request may have to be asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    /// Which sort of request.
    pub(super) sort: u16,
    /// The user who waits for it, where there is one, as bits.
    pub(super) user: Option<u64>,
    /// The key of the request.
    pub(super) key: Key,
    /// Which data it was about.
    pub(super) data_key: u64,
    /// Who it came from.
    pub(super) client: u64,
    /// When it should have been sent.
    pub(super) began: Time,
    /// All that it set off.
    pub(super) undertaking: u64,
    /// How often the client has asked.
    pub(super) polls: u32,
    /// Until when it asks.
    pub(super) until: Option<Time>,
    /// Whether all is done, and whether it failed.
    pub(super) settled: Option<bool>,
    /// Whether that was so when the client last asked.
    pub(super) knows: bool,
}

/// Everybody who may ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Polls {
    asking: Slab<Asking>,
    by_undertaking: BTreeMap<u64, u32>,
}

impl Polls {
    /// A request has been sent whose result may have to be asked for. Its number here.
    pub(super) fn add(&mut self, asking: Asking) -> u32 {
        let undertaking = asking.undertaking;
        let number = self.asking.insert(asking);
        self.by_undertaking.insert(undertaking, number);
        number
    }

    /// One of them.
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Asking> {
        self.asking.get_mut(number)
    }

    /// It is over.
    pub(super) fn remove(&mut self, number: u32) -> Option<Asking> {
        let asking = self.asking.remove(number)?;
        self.by_undertaking.remove(&asking.undertaking);
        Some(asking)
    }

    /// All is done that a request set off.
    pub(super) fn settle(&mut self, undertaking: u64, failed: bool) {
        let number = self.by_undertaking.get(&undertaking).copied();
        if let Some(asking) = number.and_then(|number| self.asking.get_mut(number)) {
            asking.settled = Some(failed);
        }
    }

    /// Who still waits for a result, with the sort of the request and when it should have been sent.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u16, Time)> {
        self.asking.iter().filter(|(_, asking)| asking.polls > 0).map(|(_, asking)| (asking.sort, asking.began))
    }
}

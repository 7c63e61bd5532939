//! Connections to a peer: whether one can be opened, whether one has been closed from the other side, and calls over one.
//!
//! Nobody is told that a peer has died: whoever opened a connection to it remembers under which epoch that was, and finds out
//! when it next uses the connection.

use super::{Cx, Event, Kind, Next, Word};
use crate::calendar::Class;
use crate::calls::{CallId, NodeId};
use crate::conditions::Death;

/// What becomes of an attempt to open a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It opens.
    Open,
    /// The host answers that nobody listens there, after a round trip.
    Refused,
    /// Nothing answers.
    Silent,
}

impl Cx<'_> {
    /// What becomes of an attempt to open a connection to a node over a path that begins now.
    pub fn reach(&self, node: NodeId, path: u16) -> Reach {
        let condition = &self.core.nodes[node.0 as usize].condition;
        if condition.is_silent() || self.core.ways.path(path).cuts > 0 {
            Reach::Silent
        } else if condition.is_up() {
            Reach::Open
        } else {
            Reach::Refused
        }
    }

    /// Which life of a node this is: every crash begins another.
    pub fn epoch(&self, node: NodeId) -> u16 {
        self.core.nodes[node.0 as usize].epoch
    }

    /// Whether a connection that was opened to a node under an epoch is known here to be closed: its process has died, and its
    /// host's word of that has come over the path. A host that dies sends no word.
    pub fn has_closed(&self, node: NodeId, epoch: u16, path: u16) -> bool {
        let now = self.core.nodes[node.0 as usize].epoch;
        if now == epoch {
            return false;
        }
        match self.core.crashed.get(&node) {
            // Several lives ago.
            _ if now != epoch.wrapping_add(1) => true,
            Some((at, Death::Process)) => {
                let path = self.core.ways.path(path);
                path.cuts == 0 && self.core.now >= at + path.back + path.added
            }
            Some((_, Death::Host)) | None => false,
        }
    }

    /// Sends a call, just made, over a connection that was opened under an epoch of its callee. If that has died since, the call
    /// is reset where it arrives.
    pub fn send_over(&mut self, call: CallId, epoch: u16) -> Next {
        let frame = self.core.calls.at(call.index);
        let node = frame.node;
        if self.core.nodes[node as usize].epoch == epoch {
            return Next::call(call);
        }
        let path = self.core.ways.path(frame.path);
        let (kind, delay) = match path.cuts {
            0 => (Kind::Deliver, path.there()),
            _ => (Kind::Again, crate::conditions::retransmission(0)),
        };
        let what = u8::from(matches!(kind, Kind::Again));
        let event = Event { kind, what, epoch, node, data: Word::of(call.to_bits()) };
        self.core.calendar.set(self.core.now + delay, Class::First, event);
        Next::WAIT
    }
}

//! Connections to a peer: whether one can be opened, whether the other side has closed one, and calls over one.
//!
//! Nodes are not notified of the death of a peer: the node that opened a connection remembers the peer's epoch, and
//! notices the change when it next uses the connection.

use super::{Aside, Core, Cx, Event, Kind, Next, Word};
use crate::baggage::NO_CONNECTION;
use crate::calendar::Class;
use crate::calls::{CallId, NodeId};
use crate::conditions::Death;
use crate::connections::Pin;

/// The result of an attempt to open a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The connection opens.
    Open,
    /// The host answers that no process is listening, after a round trip.
    Refused,
    /// No response.
    Silent,
}

impl Core {
    /// Closes a connection and notifies the nodes that pinned it and are still alive.
    pub(super) fn close_connection(&mut self, connection: u32) {
        for Pin { at: (at, epoch), number, .. } in self.connections.close(connection) {
            if self.nodes[at.0 as usize].epoch == epoch {
                self.asides.push_back(Aside::HangUp { at, number });
            }
        }
    }
}

impl Cx<'_> {
    /// Opens a connection that calls can name, if the model's calls carry connections.
    pub fn open_connection(&mut self) -> u32 {
        match self.core.calls.columns.carries_connections() {
            true => self.core.connections.open(self.node),
            false => NO_CONNECTION,
        }
    }

    /// Closes a connection.
    pub fn close_connection(&mut self, connection: u32) {
        if connection != NO_CONNECTION {
            self.core.close_connection(connection);
        }
    }

    /// Pins a connection at this node: its calls go on to `to`, which this node knows as `number`.
    pub fn pin(&mut self, connection: u32, to: NodeId, number: u32) {
        let (at, to) = ((self.node, self.epoch(self.node)), (to, self.epoch(to)));
        self.core.connections.pin(connection, Pin { at, to, number });
    }

    /// The target that this node pinned the connection to: its number at this node, and its epoch at that time.
    pub fn pinned(&self, connection: u32) -> Option<(u32, u16)> {
        let own = (self.node, self.epoch(self.node));
        let open = self.core.connections.get(connection)?;
        open.pins.iter().find(|pin| pin.at == own).map(|pin| (pin.number, pin.to.1))
    }

    /// Whether this node knows that a connection is closed because a node it was pinned to on the way has died.
    pub fn has_closed_behind(&self, connection: u32, path: u16) -> bool {
        let pins = self.core.connections.get(connection).map_or(&[][..], |open| &open.pins);
        pins.iter().any(|pin| self.has_closed(pin.to.0, pin.to.1, path))
    }

    /// The result of opening a connection to a node over a path now.
    pub fn reach(&self, node: NodeId, path: u16) -> Reach {
        let condition = &self.core.nodes[node.0 as usize].condition;
        if condition.is_silent() || self.core.ways.path(path).is_cut() {
            Reach::Silent
        } else if condition.is_up() {
            Reach::Open
        } else {
            Reach::Refused
        }
    }

    /// The same for an attempt that is made now: it finds no answer where the accept queue of the node is full.
    pub fn knock(&mut self, node: NodeId, path: u16) -> Reach {
        match self.reach(node, path) {
            Reach::Open if !self.core.sockets.knock(node) => Reach::Silent,
            reach => reach,
        }
    }

    /// So many connections wait until this node accepts them.
    pub fn set_accept_queue(&mut self, waiting: u64) {
        self.core.sockets.set_waiting(self.node, waiting);
    }

    /// The machine from which this node's replica opens connections, where its ports are counted.
    fn machine_with_ports(&self) -> Option<(u32, NodeId)> {
        if !self.core.sockets.is_limited() {
            return None;
        }
        let owner = NodeId(self.core.nodes[self.node.0 as usize].owner.0);
        self.core.cpus_of[owner.0 as usize].first().map(|cpu| (cpu.machine, owner))
    }

    /// Takes a port for a connection to a node; false where none is left.
    pub fn open_socket(&mut self, to: NodeId) -> bool {
        let now = self.core.now;
        self.machine_with_ports().is_none_or(|(machine, by)| self.core.sockets.open(now, machine, by, to))
    }

    /// Closes a connection to a node; the port is kept for a while where this side is the first to close.
    pub fn close_socket(&mut self, to: NodeId, is_first: bool) {
        let now = self.core.now;
        if let Some((machine, by)) = self.machine_with_ports() {
            self.core.sockets.close(now, machine, by, to, is_first);
        }
    }

    /// The epoch of a node, which changes with every crash.
    pub fn epoch(&self, node: NodeId) -> u16 {
        self.core.nodes[node.0 as usize].epoch
    }

    /// Whether this node knows that a connection opened under an epoch of `node` is closed: the process has died, and
    /// its host's notice has arrived over the path. A dead host sends no notice.
    pub fn has_closed(&self, node: NodeId, epoch: u16, path: u16) -> bool {
        let now = self.core.nodes[node.0 as usize].epoch;
        if now == epoch {
            return false;
        }
        match self.core.crashed.get(&node) {
            // At least two crashes ago.
            _ if now != epoch.wrapping_add(1) => true,
            Some((at, Death::Process)) => {
                let path = self.core.ways.path(path);
                !path.is_cut() && self.core.now >= at + path.back()
            }
            Some((_, Death::Host)) | None => false,
        }
    }

    /// Sends a newly made call over a connection that was opened under an epoch of its callee. If the callee has died
    /// since, the call is reset on arrival.
    pub fn send_over(&mut self, call: CallId, epoch: u16) -> Next {
        let frame = self.core.calls.at(call.index);
        let node = frame.node;
        if self.core.nodes[node as usize].epoch == epoch {
            return Next::call(call);
        }
        let path = self.core.ways.path(frame.path);
        let (kind, delay) = match path.is_cut() {
            false => (Kind::Deliver, path.there()),
            true => (Kind::Again, crate::conditions::retransmission(0)),
        };
        let what = u8::from(matches!(kind, Kind::Again));
        let event = Event { kind, what, epoch, node, data: Word::of(call.to_bits()) };
        self.core.calendar.set(self.core.now + delay, Class::First, event);
        Next::WAIT
    }
}

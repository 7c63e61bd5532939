//! Connections that a node between caller and callee tracks: once it has forwarded a call over a connection to a
//! target, later calls over the same connection go to the same target.

use crate::calls::NodeId;
use crate::slab::Slab;

/// The target to which a node forwards the calls of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pin {
    /// The forwarding node and its epoch.
    pub(crate) at: (NodeId, u16),
    /// The target and its epoch at that time.
    pub(crate) to: (NodeId, u16),
    /// The number by which the forwarding node knows the target.
    pub(crate) number: u32,
}

/// An open connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// The node that opened it.
    pub(crate) by: NodeId,
    pub(crate) pins: Vec<Pin>,
}

/// All open connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections {
    open: Slab<Connection>,
}

impl Connections {
    pub(crate) fn open(&mut self, by: NodeId) -> u32 {
        self.open.insert(Connection { by, pins: Vec::new() })
    }

    pub(crate) fn get(&self, connection: u32) -> Option<&Connection> {
        self.open.get(connection)
    }

    pub(crate) fn pin(&mut self, connection: u32, pin: Pin) {
        if let Some(open) = self.open.get_mut(connection) {
            open.pins.push(pin);
        }
    }

    /// Closes a connection and returns its pins.
    pub(crate) fn close(&mut self, connection: u32) -> Vec<Pin> {
        self.open.remove(connection).map_or_else(Vec::new, |open| open.pins)
    }

    /// The connections opened by nodes that satisfy `is_it`.
    pub(crate) fn opened_by(&self, is_it: impl Fn(NodeId) -> bool) -> Vec<u32> {
        self.open.iter().filter(|(_, open)| is_it(open.by)).map(|(connection, _)| connection).collect()
    }
}

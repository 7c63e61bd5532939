//! Connections that somebody between the caller and the callee follows: once a call over one has been sent on to a node, those
//! that come after it go there, too.

use crate::calls::NodeId;
use crate::slab::Slab;

/// Where a node sends what comes over a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pin {
    /// The node that does, and in which of its lives.
    pub(crate) at: (NodeId, u16),
    /// To whom, and in which of its lives that was.
    pub(crate) to: (NodeId, u16),
    /// What the node that pinned it calls that one.
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

    /// Closes one; where it was pinned.
    pub(crate) fn close(&mut self, connection: u32) -> Vec<Pin> {
        self.open.remove(connection).map_or_else(Vec::new, |open| open.pins)
    }

    /// Those that nodes opened for which this holds.
    pub(crate) fn opened_by(&self, is_it: impl Fn(NodeId) -> bool) -> Vec<u32> {
        self.open.iter().filter(|(_, open)| is_it(open.by)).map(|(connection, _)| connection).collect()
    }
}

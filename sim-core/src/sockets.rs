//! Sockets: the ports that machines have for connections which they open, and connections that wait to be accepted.
//!
//! A connection takes a port of the machine that opens it, one for each callee at a time. Whoever closes first keeps the port for a
//! while (*TIME_WAIT*), in case something of the connection is still under way: so a machine can open no more than ports ÷
//! TIME_WAIT new connections a second to one callee. A connection that a callee has not accepted yet waits in its accept queue;
//! where that is full, requests to connect are dropped, and repeated by the caller.

use std::collections::{BTreeMap, VecDeque};

use crate::calls::NodeId;
use crate::figures::{Figure, Figures, Set};
use crate::gauge::Gauge;
use crate::time::{Span, Time};

const ESTABLISHED: Figure = Figure::gauge(
    "sockets.established",
    "Open connections that replicas on the hosts have opened for one call each, time average. Only with `ephemeral_ports`.",
)
.kept();
const TIME_WAIT: Figure = Figure::gauge(
    "sockets.time_wait",
    "Ports that closed connections keep (TIME_WAIT), time average. Only with `ephemeral_ports`.",
)
.kept();
const EXHAUSTED: Figure = Figure::count(
    "ports_exhausted",
    "Connections that could not be opened for want of a port. Only with `ephemeral_ports`.",
);

/// What machines report of their ports.
pub const FIGURES_OF_MACHINES: Set = &[&ESTABLISHED, &TIME_WAIT, &EXHAUSTED];

const OVERFLOWS: Figure = Figure::count(
    "listen.overflows",
    "Requests to connect that were dropped because the accept queue was full; callers repeat them. Only with `listen`.",
);

/// What is reported of those who accept connections.
pub const FIGURES: Set = &[&OVERFLOWS];

/// The ports of a machine.
#[derive(Clone, Debug)]
struct Ports {
    count: u32,
    time_wait: Span,
    /// Ports in use, by callee: open, and kept.
    of: BTreeMap<NodeId, (u32, u32)>,
    /// Open connections by who has opened them, and to whom.
    open: BTreeMap<(NodeId, NodeId), u32>,
    /// Until when ports are kept, in order, and for which callee.
    kept: VecDeque<(Time, NodeId)>,
    established: Gauge,
    waiting: Gauge,
    exhausted: u64,
}

impl Ports {
    fn release(&mut self, now: Time) {
        while let Some((until, to)) = self.kept.front().copied().filter(|(until, _)| *until <= now) {
            self.kept.pop_front();
            self.waiting.down(until);
            if let Some((_, kept)) = self.of.get_mut(&to) {
                *kept -= 1;
            }
        }
    }

    fn open(&mut self, now: Time, by: NodeId, to: NodeId) -> bool {
        self.release(now);
        let (open, kept) = self.of.entry(to).or_default();
        if *open + *kept >= self.count {
            self.exhausted += 1;
            return false;
        }
        *open += 1;
        *self.open.entry((by, to)).or_default() += 1;
        self.established.up(now);
        true
    }

    fn close(&mut self, now: Time, by: NodeId, to: NodeId, is_kept: bool) {
        self.release(now);
        let Some(count) = self.open.get_mut(&(by, to)).filter(|count| **count > 0) else { return };
        *count -= 1;
        self.established.down(now);
        let (open, kept) = self.of.entry(to).or_default();
        *open -= 1;
        if is_kept && self.time_wait > 0 {
            *kept += 1;
            self.waiting.up(now);
            self.kept.push_back((now + self.time_wait, to));
        }
    }
}

/// Connections that wait to be accepted.
#[derive(Clone, Copy, Debug)]
struct Listener {
    backlog: u32,
    waiting: u64,
    overflows: u64,
}

/// The sockets of all machines and nodes.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    machines: BTreeMap<u32, Ports>,
    listeners: BTreeMap<NodeId, Listener>,
}

impl Sockets {
    /// A machine has so many ports for each callee, which closed connections keep for so long.
    pub fn limit_ports(&mut self, machine: u32, count: u32, time_wait: Span) {
        let (of, open, kept) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        let (established, waiting) = (Gauge::default(), Gauge::default());
        let ports = Ports { count, time_wait, of, open, kept, established, waiting, exhausted: 0 };
        self.machines.insert(machine, ports);
    }

    /// So many connections may wait until a node accepts them.
    pub fn listen(&mut self, node: NodeId, backlog: u32) {
        self.listeners.insert(node, Listener { backlog, waiting: 0, overflows: 0 });
    }

    pub(crate) fn is_limited(&self) -> bool {
        !self.machines.is_empty()
    }

    /// A node on a machine opens a connection; false where no port is left.
    pub(crate) fn open(&mut self, now: Time, machine: u32, by: NodeId, to: NodeId) -> bool {
        self.machines.get_mut(&machine).is_none_or(|ports| ports.open(now, by, to))
    }

    /// It closes one; the port is kept where it is the first to.
    pub(crate) fn close(&mut self, now: Time, machine: u32, by: NodeId, to: NodeId, is_first: bool) {
        if let Some(ports) = self.machines.get_mut(&machine) {
            ports.close(now, by, to, is_first);
        }
    }

    /// The system closes what a node had open that has died, and nobody waits for a connection to it any more.
    pub(crate) fn free(&mut self, now: Time, machine: Option<u32>, node: NodeId) {
        if let Some(listener) = self.listeners.get_mut(&node) {
            listener.waiting = 0;
        }
        let Some(ports) = machine.and_then(|machine| self.machines.get_mut(&machine)) else { return };
        let range = (node, NodeId(0))..=(node, NodeId(u32::MAX));
        let open: Vec<(NodeId, u32)> = ports.open.range(range).map(|((_, to), count)| (*to, *count)).collect();
        for (to, count) in open {
            (0..count).for_each(|_| ports.close(now, node, to, true));
        }
    }

    /// So many connections wait until a node accepts them.
    pub(crate) fn set_waiting(&mut self, node: NodeId, waiting: u64) {
        if let Some(listener) = self.listeners.get_mut(&node) {
            listener.waiting = waiting;
        }
    }

    /// Whether a request to connect to a node finds room; it is counted where not.
    pub(crate) fn knock(&mut self, node: NodeId) -> bool {
        let Some(listener) = self.listeners.get_mut(&node) else { return true };
        let has_room = listener.waiting < u64::from(listener.backlog);
        listener.overflows += u64::from(!has_room);
        has_room
    }

    pub(crate) fn begin_measuring(&mut self, now: Time) {
        for ports in self.machines.values_mut() {
            ports.release(now);
            ports.established.reset(now);
            ports.waiting.reset(now);
            ports.exhausted = 0;
        }
        self.listeners.values_mut().for_each(|listener| listener.overflows = 0);
    }

    pub(crate) fn figures_of_machine(&self, now: Time, machine: u32, figures: &mut Figures) {
        let Some(ports) = self.machines.get(&machine) else { return };
        figures.gauge(&ESTABLISHED, &ports.established, now);
        let mut waiting = ports.waiting.clone();
        ports.kept.iter().take_while(|(until, _)| *until <= now).for_each(|(until, _)| waiting.down(*until));
        figures.gauge(&TIME_WAIT, &waiting, now);
        figures.count(&EXHAUSTED, ports.exhausted);
    }

    pub(crate) fn figures_of_node(&self, node: NodeId, figures: &mut Figures) {
        if let Some(listener) = self.listeners.get(&node) {
            figures.count(&OVERFLOWS, listener.overflows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{MILLISECOND, SECOND};

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn sockets() -> Sockets {
        let mut sockets = Sockets::default();
        sockets.limit_ports(0, 28_232, 60 * SECOND);
        sockets
    }

    /// A connection a millisecond, closed at once: the ports are used up after 28.232 s, the first comes back after 60 s, and in the
    /// long run 28,232 in 60 s can be opened, 470.5 a second.
    #[test]
    fn ports_come_back_after_time_wait() {
        let mut sockets = sockets();
        let mut opened = Vec::new();
        for at in 0..180_000 {
            let now = at * MILLISECOND;
            if sockets.open(now, 0, A, B) {
                sockets.close(now, 0, A, B, true);
                opened.push(at);
            }
        }
        assert_eq!(opened[..28_232], (0..28_232).collect::<Vec<_>>());
        assert_eq!(opened[28_232], 60_000);
        assert_eq!(opened.len(), 3 * 28_232);
        // Others are reached all the same.
        assert!(sockets.open(180 * SECOND - 1, 0, A, NodeId(3)));
    }

    #[test]
    fn who_does_not_close_first_keeps_nothing_and_who_dies_closes_all() {
        let mut sockets = sockets();
        for _ in 0..28_232 {
            assert!(sockets.open(0, 0, A, B));
        }
        assert!(!sockets.open(0, 0, A, B));
        sockets.close(0, 0, A, B, false);
        assert!(sockets.open(0, 0, A, B));
        sockets.free(SECOND, Some(0), A);
        assert!(!sockets.open(SECOND, 0, A, B), "the system keeps them");
        assert!(sockets.open(61 * SECOND, 0, A, B));
    }

    #[test]
    fn a_full_accept_queue_drops_requests_to_connect() {
        let mut sockets = Sockets::default();
        sockets.listen(B, 2);
        for (waiting, has_room) in [(0, true), (1, true), (2, false), (3, false), (1, true)] {
            sockets.set_waiting(B, waiting);
            assert_eq!(sockets.knock(B), has_room);
        }
        assert!(sockets.knock(A), "where nobody says how many, all do");
    }
}

//! Conditions: the state that faults leave a node or a network path in.
//!
//! Only the verbs of the engine check them; components never do. Overlapping faults compose: factors multiply,
//! latencies add, and a node that was taken down twice must be brought up twice.

use crate::calendar::{Class, TimerId};
use crate::calls::CallId;
use crate::housekeeping::{Chore, ChoreId};
use crate::outcome::Outcome;
use crate::random::mix;
use crate::time::{MILLISECOND, SECOND, Span, Time};

/// The state of one node. Usually it is healthy, and the condition is one null pointer.
#[derive(Clone, Debug, Default)]
pub struct Condition(Option<Box<Afflictions>>);

/// The effects of active faults on a node.
#[derive(Clone, Debug)]
struct Afflictions {
    /// The number of reasons for which it is down.
    down: u32,
    /// How many of those reasons have also taken down its host.
    silent: u32,
    /// Factor applied to every working time.
    slowdown: f64,
    /// Added to every working time.
    added: Span,
    /// Shares of arriving calls that immediately get a fixed outcome; one entry per active fault.
    errors: Vec<(u32, f64, Outcome)>,
    paused: u32,
    stash: Vec<Stashed>,
}

/// The extent of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The process. Its host stays up and answers for it: open calls end with `reset`, new ones with `unavailable`.
    Process,
    /// The host and everything on it. Nothing answers.
    Host,
}

/// An event held back for a paused node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stashed {
    /// A call.
    Call(CallId),
    /// Work, with its remaining time.
    Work { id: TimerId, left: Span, event: u128 },
    /// A clock timer with its due time, which a pause does not postpone.
    Clock { id: TimerId, at: Time, class: Class, event: u128 },
    /// An answer, a cancellation, or a timer that was set during the pause.
    Event(u128),
    /// A chore that became due during the pause.
    Chore { id: ChoreId, chore: Chore },
    /// A change of settings.
    Change(u32),
}

impl Afflictions {
    const NONE: Afflictions =
        Afflictions { down: 0, silent: 0, slowdown: 1.0, added: 0, errors: Vec::new(), paused: 0, stash: Vec::new() };
}

impl Condition {
    #[inline]
    pub(crate) fn is_special(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the node accepts calls.
    #[inline]
    pub fn is_up(&self) -> bool {
        self.0.as_ref().is_none_or(|a| a.down == 0)
    }

    /// Whether the node is down together with its host: calls to it get no response at all.
    pub(crate) fn is_silent(&self) -> bool {
        self.0.as_ref().is_some_and(|a| a.silent > 0)
    }

    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        self.0.as_ref().is_some_and(|a| a.paused > 0)
    }

    #[inline]
    pub(crate) fn stretched(&self, span: Span) -> Span {
        let Some(a) = &self.0 else { return span };
        let stretched = if a.slowdown == 1.0 { span } else { (span as f64 * a.slowdown + 0.5) as Span };
        stretched.saturating_add(a.added)
    }

    /// Whether it is down for exactly one reason.
    pub(crate) fn is_down_once(&self) -> bool {
        self.0.as_ref().is_some_and(|a| a.down == 1)
    }

    /// The number of reasons for which its work is paused.
    pub(crate) fn pauses(&self) -> u32 {
        self.0.as_ref().map_or(0, |a| a.paused)
    }

    /// The factor by which working times are stretched.
    pub fn slowdown(&self) -> f64 {
        self.0.as_ref().map_or(1.0, |a| a.slowdown)
    }

    /// Multiplies the slowdown by a factor (or by its inverse, when the fault ends).
    pub fn multiply_slowdown(&mut self, factor: f64) {
        self.change(|a| {
            a.slowdown *= factor;
            // Inverse factors must cancel exactly, despite rounding.
            if (a.slowdown - 1.0).abs() < 1e-9 {
                a.slowdown = 1.0;
            }
        });
    }

    /// Adds a fault's latency to every working time.
    pub fn add_latency(&mut self, span: Span) {
        self.change(|a| a.added = a.added.saturating_add(span));
    }

    /// Removes the latency of a fault that ends.
    pub fn remove_latency(&mut self, span: Span) {
        self.change(|a| a.added = a.added.saturating_sub(span));
    }

    /// Makes fault number `fault` fail a share of the arriving calls.
    pub fn add_errors(&mut self, fault: u32, fraction: f64, outcome: Outcome) {
        self.change(|a| a.errors.push((fault, fraction, outcome)));
    }

    /// Removes the errors of a fault that ends.
    pub fn remove_errors(&mut self, fault: u32) {
        self.change(|a| a.errors.retain(|(f, _, _)| *f != fault));
    }

    /// The outcome with which an arriving call is rejected, if any; `key` selects the share of failing calls.
    pub(crate) fn refuses(&self, key: u64) -> Option<Outcome> {
        let a = self.0.as_ref()?;
        if a.down > 0 {
            return Some(Outcome::Unavailable);
        }
        a.errors.iter().find_map(|(fault, fraction, outcome)| {
            let unit = (mix(key.wrapping_add(*fault as u64 + 1)) >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
            (unit < *fraction).then_some(*outcome)
        })
    }

    /// Takes the node down. Returns true if it was up.
    pub(crate) fn take_down(&mut self, death: Death) -> bool {
        self.change(|a| {
            a.down += 1;
            a.silent += u32::from(death == Death::Host);
            a.down == 1
        })
    }

    /// Brings the node up. Returns true if it was down and is up now.
    pub(crate) fn bring_up(&mut self, death: Death) -> bool {
        self.change(|a| {
            let was_down = a.down > 0;
            a.down = a.down.saturating_sub(1);
            a.silent = a.silent.saturating_sub(u32::from(death == Death::Host));
            was_down && a.down == 0
        })
    }

    pub(crate) fn pause(&mut self) -> bool {
        self.change(|a| {
            a.paused += 1;
            a.paused == 1
        })
    }

    /// Ends one pause. Returns the held-back events if the node continues now.
    pub(crate) fn resume(&mut self) -> Option<Vec<Stashed>> {
        if !self.is_paused() {
            return None;
        }
        self.change(|a| {
            a.paused -= 1;
            (a.paused == 0).then(|| std::mem::take(&mut a.stash))
        })
    }

    /// Holds back an event for a paused node.
    #[cold]
    pub(crate) fn stash(&mut self, stashed: Stashed) {
        self.change(|a| a.stash.push(stashed));
    }

    /// Drops the held-back events after a crash and returns them.
    pub(crate) fn forget_stash(&mut self) -> Vec<Stashed> {
        self.change(|a| std::mem::take(&mut a.stash))
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut Afflictions) -> R) -> R {
        let a = self.0.get_or_insert_with(|| Box::new(Afflictions::NONE));
        let result = change(a);
        let nothing_is_left = a.down == 0
            && a.paused == 0
            && a.slowdown == 1.0
            && a.added == 0
            && a.errors.is_empty()
            && a.stash.is_empty();
        if nothing_is_left {
            self.0 = None;
        }
        result
    }
}

/// The network between the two ends of a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// From caller to callee.
    pub there: Span,
    /// From callee to caller.
    pub back: Span,
    /// Transfer time in nanoseconds per byte, per direction; 0 for unlimited bandwidth.
    pub nanoseconds_per_byte: f64,
    /// Bytes of headers in each segment of [`SEGMENT`] bytes.
    pub headers: u64,
    /// Share of packets lost in each direction.
    pub loss: f64,
    /// Latency added by faults in each direction.
    pub added: Span,
    /// Combined share lost through faults; maintained by [`Path::add_loss`] and [`Path::remove_loss`].
    pub added_loss: f64,
    /// The loss share of each active fault, by its number.
    pub losses: Vec<(u32, f64)>,
    /// The number of active cuts; above 0, no traffic gets through.
    pub cuts: u32,
}

/// A path, and whether it is trivial, so that calls and answers get through at once.
#[derive(Clone, Debug)]
struct Way {
    path: Path,
    is_nothing: bool,
}

impl Way {
    fn new(path: Path) -> Way {
        let mut way = Way { path, is_nothing: false };
        way.change(|_| {});
        way
    }

    fn change(&mut self, change: impl FnOnce(&mut Path)) {
        change(&mut self.path);
        let p = &self.path;
        self.is_nothing = p.there == 0 && p.back == 0 && p.added == 0 && p.cuts == 0 && p.is_constant();
    }
}

/// All paths, by row; the first one is trivial.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    rows: Vec<Way>,
    /// The number of nontrivial paths. While it is 0, no call needs to look up its path.
    something: usize,
}

impl Ways {
    pub(crate) fn new() -> Ways {
        Ways { rows: vec![Way::new(Path::default())], something: 0 }
    }

    /// Adds a path and returns its row.
    pub(crate) fn add(&mut self, path: Path) -> u16 {
        let way = Way::new(path);
        self.something += usize::from(!way.is_nothing);
        self.rows.push(way);
        (self.rows.len() - 1) as u16
    }

    pub(crate) fn path(&self, row: u16) -> &Path {
        &self.rows[row as usize].path
    }

    /// Whether calls and answers on this path arrive at the instant they are sent, without any loss.
    #[inline(always)]
    pub(crate) fn is_nothing(&self, row: u16) -> bool {
        self.something == 0 || self.rows[row as usize].is_nothing
    }

    pub(crate) fn change(&mut self, row: u16, change: impl FnOnce(&mut Path)) {
        let way = &mut self.rows[row as usize];
        self.something -= usize::from(!way.is_nothing);
        way.change(change);
        self.something += usize::from(!way.is_nothing);
    }
}

impl Default for Path {
    fn default() -> Self {
        Path {
            there: 0,
            back: 0,
            nanoseconds_per_byte: 0.0,
            headers: 0,
            loss: 0.0,
            added: 0,
            added_loss: 0.0,
            losses: Vec::new(),
            cuts: 0,
        }
    }
}

/// Payload of a TCP segment on Ethernet: 1,500 bytes without the headers of IP and TCP.
pub const SEGMENT: u64 = 1460;

/// Failed retransmissions after which the connection is given up (Linux's `tcp_retries2`).
pub const RETRANSMISSIONS: u32 = 15;

/// How long a sender waits before retransmission number `nth`, counted from 0, or before it gives up after the last
/// one: 200 ms at first, then twice as long each time, up to 120 s (Linux's `TCP_RTO_MIN` and `TCP_RTO_MAX`).
pub fn retransmission(nth: u32) -> Span {
    ((200 * MILLISECOND) << nth.min(RETRANSMISSIONS)).min(120 * SECOND)
}

/// Total wait, 924.6 s, after which an undeliverable message ends with `reset`.
pub(crate) fn given_up_after() -> Span {
    (0..=RETRANSMISSIONS).map(retransmission).sum()
}

impl Path {
    /// Makes fault number `fault` drop a share of the packets.
    pub fn add_loss(&mut self, fault: u32, share: f64) {
        self.losses.push((fault, share));
        self.settle();
    }

    /// Removes the loss of a fault that ends.
    pub fn remove_loss(&mut self, fault: u32) {
        self.losses.retain(|(f, _)| *f != fault);
        self.settle();
    }

    fn settle(&mut self) {
        self.added_loss = 1.0 - self.losses.iter().map(|(_, share)| 1.0 - share).product::<f64>();
    }

    pub(crate) fn there(&self) -> Span {
        self.there + self.added
    }

    pub(crate) fn back(&self) -> Span {
        self.back + self.added
    }

    /// Whether the path is cut or loses every packet.
    pub(crate) fn is_cut(&self) -> bool {
        self.cuts > 0 || self.loss >= 1.0 || self.added_loss >= 1.0
    }

    /// Round-trip time of a small message with this key to a node that answers at once; `None` if it is lost for good.
    pub fn round_trip(&self, key: u64) -> Option<Span> {
        let there = self.delay_there(0, key)?;
        Some(there.saturating_add(self.delay_back(mix(key))?))
    }

    /// Whether all calls take the same time on this path.
    pub(crate) fn is_constant(&self) -> bool {
        self.nanoseconds_per_byte == 0.0 && self.loss == 0.0 && self.added_loss == 0.0
    }

    /// Whether it takes larger calls longer.
    #[inline(always)]
    pub(crate) fn weighs(&self) -> bool {
        self.nanoseconds_per_byte != 0.0
    }

    /// Bytes that a call of this size takes, with the headers of its segments; it has one at least.
    fn on_the_wire(&self, size_bytes: u64) -> u64 {
        if self.headers == 0 {
            return size_bytes;
        }
        let segments = size_bytes.div_ceil(SEGMENT).max(1);
        size_bytes.saturating_add(segments.saturating_mul(self.headers))
    }

    /// Travel time of a call of this size; `None` if it never arrives.
    pub(crate) fn delay_there(&self, size_bytes: u64, key: u64) -> Option<Span> {
        let transfer = (self.on_the_wire(size_bytes) as f64 * self.nanoseconds_per_byte) as Span;
        self.with_losses(self.there + self.added + transfer, key ^ 0x7468_6572_6500)
    }

    /// Travel time of an answer; `None` if it never arrives.
    pub(crate) fn delay_back(&self, key: u64) -> Option<Span> {
        self.with_losses(self.back + self.added, key ^ 0x6261_636b_0000)
    }

    fn with_losses(&self, delay: Span, key: u64) -> Option<Span> {
        if self.cuts > 0 {
            return None;
        }
        let loss = 1.0 - (1.0 - self.loss) * (1.0 - self.added_loss);
        if loss == 0.0 {
            return Some(delay);
        }
        let mut key = key;
        let mut waited = 0;
        for n in 0..=RETRANSMISSIONS {
            key = mix(key.wrapping_add(0x9e37_79b9_7f4a_7c15));
            if (key >> 11) as f64 * (1.0 / (1u64 << 53) as f64) >= loss {
                return Some(delay + waited);
            }
            waited += retransmission(n);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_faults_compose_and_leave_nothing_behind() {
        let mut condition = Condition::default();
        condition.multiply_slowdown(5.0);
        condition.multiply_slowdown(3.0);
        assert_eq!(condition.stretched(10), 150);
        condition.multiply_slowdown(1.0 / 5.0);
        condition.multiply_slowdown(1.0 / 3.0);
        assert!(!condition.is_special());
        assert!(condition.take_down(Death::Process));
        assert!(!condition.is_silent());
        assert!(!condition.take_down(Death::Host));
        assert!(condition.is_silent());
        assert!(!condition.bring_up(Death::Host));
        assert!(!condition.is_silent());
        assert!(condition.bring_up(Death::Process));
        assert!(!condition.bring_up(Death::Process));
    }

    #[test]
    fn linux_gives_a_connection_up_after_924_6_seconds() {
        assert_eq!(given_up_after(), 924_600 * MILLISECOND);
    }

    #[test]
    fn losses_of_overlapping_faults_compose_and_leave_nothing_behind() {
        let mut path = Path::default();
        path.add_loss(1, 1.0);
        path.add_loss(2, 0.3);
        assert_eq!(path.delay_there(0, 7), None);
        path.remove_loss(1);
        assert!((path.added_loss - 0.3).abs() < 1e-12);
        path.add_loss(3, 0.5);
        assert!((path.added_loss - 0.65).abs() < 1e-12);
        path.remove_loss(2);
        path.remove_loss(3);
        assert_eq!(path, Path::default());
    }

    #[test]
    fn a_lost_packet_costs_200_ms_and_then_twice_that() {
        let path = Path { there: 1000, loss: 0.5, ..Path::default() };
        let mut seen = std::collections::BTreeMap::new();
        for key in 0..10_000 {
            *seen.entry(path.delay_there(0, mix(key)).map(|d| d / MILLISECOND)).or_insert(0) += 1;
        }
        let of = |ms| seen[&Some(ms)] as f64 / 10_000.0;
        // Within five standard errors of 1/2, 1/4, 1/8.
        assert!((of(0) - 0.5).abs() < 0.025);
        assert!((of(200) - 0.25).abs() < 0.022);
        assert!((of(600) - 0.125).abs() < 0.017);
    }
}

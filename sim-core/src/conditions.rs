//! Conditions: the state in which faults leave a node or a network path.
//!
//! The verbs of the engine consult them; components never do. Overlapping faults compose: factors multiply, latencies
//! add, a node that was taken down twice must be brought up twice.

use crate::calendar::{Class, TimerId};
use crate::calls::CallId;
use crate::housekeeping::{Chore, ChoreId};
use crate::outcome::Outcome;
use crate::random::mix;
use crate::time::{MILLISECOND, SECOND, Span, Time};

/// The state of one node. Nearly always nothing is the matter, and then it is one word.
#[derive(Clone, Debug, Default)]
pub struct Condition(Option<Box<Afflictions>>);

/// What is the matter with a node.
#[derive(Clone, Debug)]
struct Afflictions {
    /// For how many reasons it is down …
    down: u32,
    /// … and how many of these have taken its host with it.
    silent: u32,
    /// Working times are multiplied by this.
    slowdown: f64,
    /// Added to every working time.
    added: Span,
    /// Shares of arriving calls that are answered with an outcome at once; one entry an acting fault.
    errors: Vec<(u32, f64, Outcome)>,
    paused: u32,
    stash: Vec<Stashed>,
}

/// What dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The process. Its host lives on and answers for it: open calls end with `reset`, new ones with `unavailable`.
    Process,
    /// The host and all that runs there. Nobody answers.
    Host,
}

/// What came for a node whose work stands still.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stashed {
    /// A call.
    Call(CallId),
    /// Work, with what is left of it.
    Work { id: TimerId, left: Span, event: u128 },
    /// A timer of the clock, with when it goes off whatever the node does.
    Clock { id: TimerId, at: Time, class: Class, event: u128 },
    /// An answer, a cancellation, or a timer that was set meanwhile.
    Event(u128),
    /// A chore whose time came meanwhile.
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

    /// True where it can be called.
    #[inline]
    pub fn is_up(&self) -> bool {
        self.0.as_ref().is_none_or(|a| a.down == 0)
    }

    /// True where nobody is left to say that it is down: whatever is sent there is never heard of again.
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

    /// True where it is down for one reason only.
    pub(crate) fn is_down_once(&self) -> bool {
        self.0.as_ref().is_some_and(|a| a.down == 1)
    }

    /// For how many reasons its work stands still.
    pub(crate) fn pauses(&self) -> u32 {
        self.0.as_ref().map_or(0, |a| a.paused)
    }

    /// By how much working times are stretched.
    pub fn slowdown(&self) -> f64 {
        self.0.as_ref().map_or(1.0, |a| a.slowdown)
    }

    /// A fault makes it slower by a factor (or, undone, faster again).
    pub fn multiply_slowdown(&mut self, factor: f64) {
        self.change(|a| {
            a.slowdown *= factor;
            // Faults that undo each other must leave exactly nothing behind.
            if (a.slowdown - 1.0).abs() < 1e-9 {
                a.slowdown = 1.0;
            }
        });
    }

    /// A fault adds to every working time.
    pub fn add_latency(&mut self, span: Span) {
        self.change(|a| a.added = a.added.saturating_add(span));
    }

    /// That fault ends.
    pub fn remove_latency(&mut self, span: Span) {
        self.change(|a| a.added = a.added.saturating_sub(span));
    }

    /// Fault number `fault` makes a share of the arriving calls fail.
    pub fn add_errors(&mut self, fault: u32, fraction: f64, outcome: Outcome) {
        self.change(|a| a.errors.push((fault, fraction, outcome)));
    }

    /// That fault ends.
    pub fn remove_errors(&mut self, fault: u32) {
        self.change(|a| a.errors.retain(|(f, _, _)| *f != fault));
    }

    /// How an arriving call is refused, if it is; `key` decides for a share of them.
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

    /// True if it was up until now.
    pub(crate) fn take_down(&mut self, death: Death) -> bool {
        self.change(|a| {
            a.down += 1;
            a.silent += u32::from(death == Death::Host);
            a.down == 1
        })
    }

    /// True if it is up from now on.
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

    /// What came meanwhile, if it is to go on from now on.
    pub(crate) fn resume(&mut self) -> Option<Vec<Stashed>> {
        if !self.is_paused() {
            return None;
        }
        self.change(|a| {
            a.paused -= 1;
            (a.paused == 0).then(|| std::mem::take(&mut a.stash))
        })
    }

    /// Keeps what came for a node that stands still.
    #[cold]
    pub(crate) fn stash(&mut self, stashed: Stashed) {
        self.change(|a| a.stash.push(stashed));
    }

    /// The node has crashed: what came meanwhile is lost.
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
    /// Nanoseconds a byte takes, per direction; 0 for no limit.
    pub nanoseconds_per_byte: f64,
    /// Share of packets lost each way.
    pub loss: f64,
    /// Added each way by faults.
    pub added: Span,
    /// Share lost by faults, all together; kept by [`Path::add_loss`] and [`Path::remove_loss`].
    pub added_loss: f64,
    /// The share of each acting fault, by its number.
    pub losses: Vec<(u32, f64)>,
    /// Nothing gets through while above 0.
    pub cuts: u32,
}

/// A path, and whether there is nothing to it: then calls and answers get through at once.
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

/// All of them, by row; the first is no network at all.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    rows: Vec<Way>,
    /// How many of them are something: where none is, no call has to look at its own.
    something: usize,
}

impl Ways {
    pub(crate) fn new() -> Ways {
        Ways { rows: vec![Way::new(Path::default())], something: 0 }
    }

    /// One more; its row.
    pub(crate) fn add(&mut self, path: Path) -> u16 {
        let way = Way::new(path);
        self.something += usize::from(!way.is_nothing);
        self.rows.push(way);
        (self.rows.len() - 1) as u16
    }

    pub(crate) fn path(&self, row: u16) -> &Path {
        &self.rows[row as usize].path
    }

    /// True where a call arrives, and its answer, at the instant at which it is sent, and nothing can happen to it.
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
            loss: 0.0,
            added: 0,
            added_loss: 0.0,
            losses: Vec::new(),
            cuts: 0,
        }
    }
}

/// After so many retransmissions in vain the connection is given up (Linux's `tcp_retries2`).
pub const RETRANSMISSIONS: u32 = 15;

/// How long a sender waits for a sign of life before retransmission number `nth`, counted from 0, or before it gives up after
/// the last one: 200 ms at first and then twice as long each time, but no longer than 120 s (Linux's `TCP_RTO_MIN` and
/// `TCP_RTO_MAX`).
pub fn retransmission(nth: u32) -> Span {
    ((200 * MILLISECOND) << nth.min(RETRANSMISSIONS)).min(120 * SECOND)
}

/// After so long, 924.6 s, what never gets through ends with `reset`.
pub(crate) fn given_up_after() -> Span {
    (0..=RETRANSMISSIONS).map(retransmission).sum()
}

impl Path {
    /// Fault number `fault` makes a share of the packets get lost.
    pub fn add_loss(&mut self, fault: u32, share: f64) {
        self.losses.push((fault, share));
        self.settle();
    }

    /// That fault ends.
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

    /// Whether nothing gets through: it is cut, or every packet is lost.
    pub(crate) fn is_cut(&self) -> bool {
        self.cuts > 0 || self.loss >= 1.0 || self.added_loss >= 1.0
    }

    /// How long something short takes there and back that has this key, where whoever gets it answers at once; `None` where
    /// it is lost for good.
    pub fn round_trip(&self, key: u64) -> Option<Span> {
        let there = self.delay_there(0, key)?;
        Some(there.saturating_add(self.delay_back(mix(key))?))
    }

    /// True where every call takes the same time.
    pub fn is_constant(&self) -> bool {
        self.nanoseconds_per_byte == 0.0 && self.loss == 0.0 && self.added_loss == 0.0
    }

    /// How long a call of that size is under way; `None` where it is lost for good.
    pub(crate) fn delay_there(&self, size_bytes: u64, key: u64) -> Option<Span> {
        let transfer = (size_bytes as f64 * self.nanoseconds_per_byte) as Span;
        self.with_losses(self.there + self.added + transfer, key ^ 0x7468_6572_6500)
    }

    /// How long an answer is under way; `None` where it is lost for good.
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

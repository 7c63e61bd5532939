//! Chores ([`crate::housekeeping`]) as part of the event loop, and detection of the end of a run.

use super::{Component, Core, Cx, Engine, Event, Kind, Stuck, Word};
use crate::calendar::AlarmId;
use crate::conditions::Stashed;
use crate::housekeeping::{Chore, ChoreId, Housekeeping};
use crate::time::{Span, Time};
use crate::timer::Timer;

/// The chores of all nodes.
#[derive(Clone, Debug)]
pub(super) struct Chores {
    pub(super) pending: Housekeeping<Chore>,
    /// Goes off when the next chore is due. A run without chores has no such alarm.
    bell: Option<AlarmId>,
    /// Number of events so far without effect on the work: chores that moved no call, and transport of calls that nodes
    /// begin by themselves.
    without_effect: u64,
}

impl Chores {
    pub(super) fn new() -> Chores {
        Chores { pending: Housekeeping::new(), bell: None, without_effect: 0 }
    }
}

impl Cx<'_> {
    /// Sets a timer for a chore: periodic work besides serving calls, such as health checks. It goes off after `delay`,
    /// before all other events of that instant, and does not keep a run of finite work alive ([`Engine::next_event`]).
    /// It waits while the node is paused; a crash removes it.
    pub fn chore_after(&mut self, delay: Span, timer: Timer) -> ChoreId {
        self.set_chore(delay, timer, false)
    }

    /// The same for a chore that only communicates, through calls that this node begins by itself ([`Cx::begin`]), such
    /// as reconnecting to another node. Such communication alone does not keep a run of finite work alive; only its
    /// consequences do.
    pub fn chore_to_talk_after(&mut self, delay: Span, timer: Timer) -> ChoreId {
        self.set_chore(delay, timer, true)
    }

    fn set_chore(&mut self, delay: Span, timer: Timer, talks: bool) -> ChoreId {
        let at = self.core.now.saturating_add(delay);
        let id = self.core.chores.pending.set(at, Chore { node: self.node, timer, talks });
        self.core.set_bell();
        id
    }

    /// Cancels a chore; false if it has already run.
    pub fn cancel_chore(&mut self, chore: ChoreId) -> bool {
        let was_pending = self.core.chores.pending.cancel(chore);
        self.core.set_bell();
        was_pending
    }
}

impl Core {
    /// Sets the calendar alarm to the instant of the next chore.
    pub(super) fn set_bell(&mut self) {
        let Core { calendar, chores, now, .. } = self;
        match (chores.pending.next(), chores.bell) {
            (Some(at), bell) => {
                let ring = || Event { kind: Kind::Chore, what: 0, epoch: 0, node: 0, data: Word::of(0) };
                let bell = bell.unwrap_or_else(|| calendar.alarm(ring()));
                chores.bell = Some(bell);
                // A chore that was held back during a pause is overdue.
                calendar.set_alarm_ahead(bell, at.max(*now));
            }
            (None, Some(bell)) => {
                calendar.clear_alarm(bell);
            }
            (None, None) => {}
        }
    }

    /// Whether only chores are pending, and there is no work that they could unblock.
    fn is_at_rest(&mut self) -> bool {
        // With a single entry, the calendar holds only the chore alarm.
        if self.calendar.len() > 1 {
            return false;
        }
        let records_wait = self.records.open() > 0;
        if self.calls.open == 0 && !records_wait {
            return true;
        }
        let somebody_waits = records_wait || self.groups.iter().any(|group| group.in_flight.value() > 0);
        // Abandoned work also continues when its paused node resumes. Other open calls are tasks that stay open
        // forever.
        let somebody_stands_still = || self.nodes.iter().any(|node| node.condition.is_paused());
        if !somebody_waits && !somebody_stands_still() {
            return true;
        }
        let progress = self.progress();
        self.chores.pending.has_gone_round(progress)
    }

    /// Number of events, plus records stored or ended, minus chores that moved no call and pure communication.
    fn progress(&self) -> u64 {
        self.stretch.events() - self.chores.without_effect + self.records.settled()
    }

    /// Counts the current event as without effect if it belongs to a call that a node began by itself.
    pub(super) fn note_talk(&mut self, is_talk: bool) {
        self.chores.without_effect += u64::from(is_talk);
    }
}

impl<C: Component> Engine<C> {
    /// Runs the next chore, which is due.
    #[cold]
    pub(super) fn chore_due(&mut self) {
        let core = &mut self.core;
        let Some((id, chore)) = core.chores.pending.take() else { return };
        core.set_bell();
        let state = &mut core.nodes[chore.node.0 as usize];
        if state.condition.is_paused() {
            state.condition.stash(Stashed::Chore { id, chore });
        } else {
            let before = core.watch.patience;
            core.last_node = chore.node.0;
            let cx = &mut Cx { core, node: chore.node };
            let next = self.nodes[chore.node.0 as usize].on_timer(cx, chore.timer);
            self.go(next);
            // Each call or answer processed reduces the patience counter.
            if self.core.watch.patience != before && !chore.talks {
                return;
            }
        }
        self.core.chores.without_effect += 1;
    }

    /// When the next event is due; `None` once the run has come to rest.
    ///
    /// A run is at rest when only chores are pending and no open call could be unblocked by them: either no caller
    /// waits for an answer, no record waits and no node is paused, or the chores have gone round (all those pending
    /// have run, with all their consequences) without a call being made or answered.
    pub fn next_event(&mut self) -> Option<Time> {
        let at = self.core.calendar.peek_time()?;
        let chore = self.core.chores.pending.next().map(|chore| chore.max(self.core.now));
        if chore == Some(at) && self.core.is_at_rest() { None } else { Some(at) }
    }

    /// Runs until the run comes to rest ([`Engine::next_event`]), but not beyond `limit`. Returns whether it is at
    /// rest.
    pub fn run_until_idle(&mut self, limit: Time) -> Result<bool, Stuck> {
        loop {
            match self.next_event() {
                None => return Ok(true),
                Some(at) if at >= limit => return Ok(false),
                Some(at) => {
                    self.run_before(at.saturating_add(1), u64::MAX)?;
                }
            }
        }
    }

    /// A counter that increases with every event except chores that moved no call and pure communication, and with
    /// every record stored or ended. While it stays the same, the work makes no progress.
    pub fn progress(&self) -> u64 {
        self.core.progress()
    }
}

//! Chores ([`crate::housekeeping`]) among the events, and when a run has come to rest.

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
    /// Goes off at the instant of the next one. A run without chores has none.
    bell: Option<AlarmId>,
    /// Events so far of which nothing has become: chores that moved no call, and the way of calls that nodes begin by
    /// themselves.
    without_effect: u64,
}

impl Chores {
    pub(super) fn new() -> Chores {
        Chores { pending: Housekeeping::new(), bell: None, without_effect: 0 }
    }
}

impl Cx<'_> {
    /// Sets a timer for a chore: something that the node does by the clock beside its work, such as a look at the health of
    /// others. It goes off after so long, before everything else that happens at that instant, and does not keep a run
    /// of finite work going ([`Engine::next_event`]). While the node stands still it waits; a crash takes it away.
    pub fn chore_after(&mut self, delay: Span, timer: Timer) -> ChoreId {
        self.set_chore(delay, timer, false)
    }

    /// The same for a chore that only talks, by calls that this node begins by itself ([`Cx::begin`]): such as trying again to
    /// reach another node. What counts is what that leads to: a run of finite work does not go on for mere talk.
    pub fn chore_to_talk_after(&mut self, delay: Span, timer: Timer) -> ChoreId {
        self.set_chore(delay, timer, true)
    }

    fn set_chore(&mut self, delay: Span, timer: Timer, talks: bool) -> ChoreId {
        let at = self.core.now.saturating_add(delay);
        let id = self.core.chores.pending.set(at, Chore { node: self.node, timer, talks });
        self.core.set_bell();
        id
    }

    /// Takes a chore back; false if it is done.
    pub fn cancel_chore(&mut self, chore: ChoreId) -> bool {
        let was_pending = self.core.chores.pending.cancel(chore);
        self.core.set_bell();
        was_pending
    }
}

impl Core {
    /// Enters the instant of the next chore into the calendar of the work.
    pub(super) fn set_bell(&mut self) {
        let Core { calendar, chores, now, .. } = self;
        match (chores.pending.next(), chores.bell) {
            (Some(at), bell) => {
                let ring = || Event { kind: Kind::Chore, what: 0, epoch: 0, node: 0, data: Word::of(0) };
                let bell = bell.unwrap_or_else(|| calendar.alarm(ring()));
                chores.bell = Some(bell);
                // One that waited while its node stood still is overdue.
                calendar.set_alarm_ahead(bell, at.max(*now));
            }
            (None, Some(bell)) => {
                calendar.clear_alarm(bell);
            }
            (None, None) => {}
        }
    }

    /// Whether there is nothing but chores to come, and no work that they could let go on.
    fn is_at_rest(&mut self) -> bool {
        // With one entry, the calendar has nothing but the bell.
        if self.calendar.len() > 1 {
            return false;
        }
        let records_wait = self.records.open() > 0;
        if self.calls.open == 0 && !records_wait {
            return true;
        }
        let somebody_waits = records_wait || self.groups.iter().any(|group| group.in_flight.value() > 0);
        // Work for nobody goes on too when its node does. What else is open are tasks that stay for ever.
        let somebody_stands_still = || self.nodes.iter().any(|node| node.condition.is_paused());
        if !somebody_waits && !somebody_stands_still() {
            return true;
        }
        let progress = self.progress();
        self.chores.pending.has_gone_round(progress)
    }

    /// Events, and records that came or ended, but for chores that moved no call and for mere talk.
    fn progress(&self) -> u64 {
        self.stretch.events() - self.chores.without_effect + self.records.settled()
    }

    /// This event may be one of a call that a node has begun by itself.
    pub(super) fn note_talk(&mut self, is_talk: bool) {
        self.chores.without_effect += u64::from(is_talk);
    }
}

impl<C: Component> Engine<C> {
    /// Does the next chore, whose instant has come.
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
            // Every call and every answer that is followed takes some of it.
            if self.core.watch.patience != before && !chore.talks {
                return;
            }
        }
        self.core.chores.without_effect += 1;
    }

    /// When the next thing is due; `None` once the run has come to rest.
    ///
    /// It is at rest when nothing is pending but chores, and no call is open that they could let go on: either nobody waits
    /// for an answer, no record waits and no node stands still, or the chores have gone round (all that were pending are
    /// done, and all that these have led to) without a call being made or answered.
    pub fn next_event(&mut self) -> Option<Time> {
        let at = self.core.calendar.peek_time()?;
        let chore = self.core.chores.pending.next().map(|chore| chore.max(self.core.now));
        if chore == Some(at) && self.core.is_at_rest() { None } else { Some(at) }
    }

    /// Goes on until the run has come to rest ([`Engine::next_event`]), but not beyond `limit`. True if it has.
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

    /// A number that grows with every event but those chores that moved no call, and mere talk, and with every record that
    /// comes or ends: as long as it stays the same, nothing has become of the work.
    pub fn progress(&self) -> u64 {
        self.core.progress()
    }
}

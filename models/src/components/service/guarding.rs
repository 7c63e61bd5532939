//! Which calls the limits of a replica let in.
//!
//! A call that arrives passes the rate limit, then shedding, and then waits in the queue. The concurrency limit comes after
//! the queue: as places of the door where a task holds its worker until it ends, otherwise as a bound on the calls that have begun.

use sim_core::calendar::Class;
use sim_core::{CallId, Cx, Next, Outcome, Span, Timer};

use super::replica::{GUARDED, Service};
use crate::admission::shed::Caller;
use crate::policies::concurrency::Bulkhead;
use crate::policies::gate::{Asking, End, Gate, Permit, Verdict};

impl Service {
    /// A call that arrives is turned away, because too many come or for the sake of others.
    #[inline(never)]
    pub(super) fn turned_away(&mut self, cx: &mut Cx<'_>, call: CallId, priority: u8) -> Option<Next> {
        let now = cx.now();
        let (held, waiting) = (self.door.held(), self.door.line().len() as u64);
        let places = u64::from(self.places().unwrap_or(u32::MAX));
        let room = places.saturating_add(self.door.line().max().map_or(0, u64::from));
        let began = self.frees_while_waiting;
        let guard = self.guard.as_mut()?;
        let client = cx.client(call);
        if let Some(rate) = &mut guard.rate {
            let (group, node) = (cx.group_of(cx.node()), cx.node());
            if let Some(shared) = &mut guard.shared {
                let until = now.checked_sub(shared.sync);
                while let Some((next, posted)) = until.and_then(|until| cx.read_board(group, shared.read, until)) {
                    shared.read = next;
                    if posted.by != node || posted.at < shared.since {
                        rate.charge(posted.at, posted.about);
                    }
                }
            }
            let (op, key) = (cx.profile(call).op, cx.data_key(call));
            let mut who = Asking {
                id: call.index(),
                op,
                key,
                client,
                priority,
                is_retry: cx.is_retry(call),
                // A rate limit leaves nothing to chance.
                chance: &mut || 0.0,
            };
            if let Verdict::Refuse(refusal) = rate.ask(now, &mut who) {
                let microseconds = refusal.retry_after.div_ceil(1_000).min(Span::from(u32::MAX)) as u32;
                return Some(Next::reply(call, cx.answer(refusal.outcome).with_retry_after_us(microseconds)));
            }
            if let Some(shared) = guard.shared {
                cx.post_on_board(group, rate.counted_by(&who), shared.keeps);
            }
        }
        if let Some(shed) = &mut guard.shed {
            let client = if client == 0 { cx.key(call).bits() } else { client };
            let held = if began { guard.limit.as_ref().map_or(held, Bulkhead::held) } else { held };
            let admits = shed.admits(now, Caller { priority, client }, held + waiting, room);
            while let Some(what) = shed.told() {
                cx.happened(what);
            }
            if !admits {
                return Some(Next::reply(call, cx.answer(Outcome::Overload)));
            }
        }
        None
    }

    /// Calls that may be served at once where a task holds its worker to its end: as many as there are workers, and as the limit
    /// allows.
    pub(super) fn places(&self) -> Option<u32> {
        let workers = self.plan.terms.facts.workers;
        let limit = self.guard.as_ref().and_then(|guard| guard.limit());
        match (workers, limit) {
            (workers, None) => workers,
            (None, limit) => limit,
            (Some(workers), Some(limit)) => Some(if self.frees_while_waiting { workers } else { workers.min(limit) }),
        }
    }

    /// Whether the next call in line may begin as far as the limit goes.
    #[inline]
    pub(super) fn may_begin(&self) -> bool {
        self.guard.as_ref().is_none_or(|guard| guard.has_room())
    }

    /// A call begins, with a strand of its own.
    pub(super) fn guarded_begins(&mut self, cx: &mut Cx<'_>, index: u32, call: CallId) {
        let (now, since) = (cx.now(), cx.since(call));
        let Some(guard) = &mut self.guard else { return };
        if let Some(shed) = &mut guard.shed {
            shed.waited(now - since);
        }
        let Some(limit) = &mut guard.limit else { return };
        let permit = limit.hold(now);
        let at = index as usize;
        if guard.begun.len() <= at {
            guard.begun.resize(at + 1, (0, Permit::default()));
        }
        guard.begun[at] = (now, permit);
        self.settle_guard(cx);
    }

    /// The task of a strand is over, and has ended so.
    pub(super) fn guarded_ended(&mut self, cx: &mut Cx<'_>, index: u32, outcome: Outcome) {
        let now = cx.now();
        let Some(guard) = &mut self.guard else { return };
        let Some(limit) = &mut guard.limit else { return };
        let (passed, permit) = guard.begun[index as usize];
        let end = if outcome == Outcome::Cancelled { End::Dropped } else { End::Answered(outcome) };
        limit.ended(now, permit, passed, end);
        self.settle_guard(cx);
    }

    /// The limit does something by itself.
    pub(super) fn guard_is_due(&mut self, cx: &mut Cx<'_>) -> Next {
        let now = cx.now();
        if let Some(guard) = &mut self.guard {
            guard.due = None;
            guard.limit.iter_mut().for_each(|limit| limit.came_due(now));
        }
        self.settle_guard(cx);
        self.dispatch(cx);
        Next::WAIT
    }

    /// The limit may have changed: places, timer, and what it tells of.
    pub(super) fn settle_guard(&mut self, cx: &mut Cx<'_>) {
        let places = self.places();
        if self.door.places().capacity() != places {
            self.door.adopt(cx.now(), places, self.plan.terms.admission.max());
        }
        let Some(guard) = &mut self.guard else { return };
        let Some(limit) = &mut guard.limit else { return };
        while let Some(what) = limit.told() {
            cx.happened(what);
        }
        let at = limit.due().map(|at| at.max(cx.now()));
        if at == guard.due.map(|(at, _)| at) {
            return;
        }
        if let Some((_, timer)) = guard.due.take() {
            cx.cancel(timer);
        }
        if let Some(at) = at {
            let timer = Timer { what: GUARDED, data: 0 };
            guard.due = Some((at, cx.after(at - cx.now(), Class::GivingUp, timer)));
        }
    }
}

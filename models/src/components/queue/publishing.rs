//! How messages come into a queue: published, moved here from another one, or found again after a crash.

use std::collections::BTreeMap;

use sim_core::random::Key;
use sim_core::slots::Admission;
use sim_core::{CallId, Class, Cx, Ended, Next, NodeId, Outcome, RecordId, Timer};

use super::groups::{Entry, WINDOW};
use super::state::{FULL, Queue};
use super::{EXPIRES, PUBLISHED, PURPOSE_PUBLISH};
use crate::link::sample;

impl Queue {
    /// A call that publishes has come.
    pub(super) fn arrive(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let now = cx.now();
        if self.publish_rate.as_mut().is_some_and(|bucket| bucket.take(now).is_err()) {
            return Next::reply(call, cx.answer(Outcome::RateLimited));
        }
        match sample(&self.terms.publish.0, cx, call, PURPOSE_PUBLISH) {
            0 => self.publish(cx, call),
            takes => {
                cx.work(takes, Timer::of(PUBLISHED, call));
                Next::WAIT
            }
        }
    }

    /// A publish has been worked on: there is room for its message, or there is not.
    pub(super) fn publish(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if let (Some(window), Some(recent)) = (self.terms.dedup, &mut self.recent) {
            let key = key_of(&self.links, cx, call);
            if !recent.is_new(cx.now(), window, key.bits()) {
                self.counts.deduplicated += 1;
                return Next::reply(call, cx.answer(Outcome::Accepted));
            }
        }
        if self.terms.delay > 0 {
            let key = key_of(&self.links, cx, call);
            let record = cx.store(call, key);
            self.begin_delay(cx, record);
            self.settle(cx);
            return Next::reply(call, cx.answer(Outcome::Accepted));
        }
        let has_room = self.door.has_room();
        if !has_room && !std::mem::replace(&mut self.is_full, true) {
            cx.happened(&FULL);
        }
        if self.terms.drops_oldest && !has_room {
            self.drop_oldest(cx);
        }
        match self.door.enter(cx, call, cx.priority(call)) {
            Admission::Granted => {
                self.is_full &= !has_room;
                let then = self.keep(cx, call);
                self.settle(cx);
                then
            }
            Admission::Queued => Next::WAIT,
            Admission::Full => Next::reply(call, cx.answer(Outcome::Overload)),
        }
    }

    /// A message is stored that has room.
    pub(super) fn keep(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        let key = key_of(&self.links, cx, call);
        let record = cx.store(call, key);
        self.counts.published += 1;
        self.note_new(cx, record);
        Next::reply(call, cx.answer(Outcome::Accepted))
    }

    /// A message has come that can be received at once.
    fn note_new(&mut self, cx: &mut Cx<'_>, record: RecordId) {
        if self.groups.is_some() {
            self.join_group(cx, record);
            // While all messages are within the window, its edge moves with the last.
            if self.edge.is_none() && self.door.held() > WINDOW {
                self.edge = cx.record_before(record);
            }
        }
        self.watch_age(cx);
    }

    /// A message that waits stands in its group.
    pub(super) fn join_group(&mut self, cx: &Cx<'_>, record: RecordId) {
        let (of, number) = (self.group_of(cx, record), cx.record(record).map_or(0, |record| record.number));
        if let Some(groups) = &mut self.groups {
            groups.add(of, Entry { place: record.place(), number });
        }
    }

    fn begin_delay(&mut self, cx: &mut Cx<'_>, record: RecordId) {
        self.counts.published += 1;
        self.delayed.up(cx.now());
        self.first_delayed.get_or_insert(record);
        self.watch_age(cx);
    }

    /// The messages whose delay is over can be received.
    pub(super) fn mature(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        while let Some(record) = self.first_delayed {
            let stored = cx.record(record).map_or(0, |record| record.stored);
            if stored + self.terms.delay > now {
                break;
            }
            self.first_delayed = cx.record_after(record);
            self.delayed.down(now);
            self.door.take(now);
            self.note_new(cx, record);
        }
    }

    fn drop_oldest(&mut self, cx: &mut Cx<'_>) {
        if let Some(record) = cx.first_record() {
            self.leave(cx, record);
            cx.end_record(record, Ended::Dropped);
            self.counts.dropped += 1;
        }
    }

    /// A message that waits is about to go.
    pub(super) fn leave(&mut self, cx: &mut Cx<'_>, record: RecordId) {
        let now = cx.now();
        if self.is_delayed(cx, record) {
            if self.first_delayed == Some(record) {
                self.first_delayed = cx.record_after(record);
            }
            self.delayed.down(now);
            return;
        }
        self.leave_window(cx, record);
        if self.groups.is_some() {
            // Whatever goes without being received is the oldest of all, or has just been found to be the first of its group.
            let of = self.group_of(cx, record);
            if let Some(groups) = &mut self.groups {
                groups.take_first(of, false);
            }
        }
        self.door.give_back(now, now, None);
    }

    /// Whether a message that waits cannot be received yet.
    fn is_delayed(&self, cx: &Cx<'_>, record: RecordId) -> bool {
        let number = |record| cx.record(record).map_or(0, |record| record.number);
        self.first_delayed.is_some_and(|first| number(first) <= number(record))
    }

    /// A message is about to leave those that wait: the window of groups reaches one further, if it was in there.
    pub(super) fn leave_window(&mut self, cx: &Cx<'_>, record: RecordId) {
        let Some(edge) = self.edge else { return };
        let number = |record| cx.record(record).map_or(0, |record| record.number);
        if number(record) <= number(edge) {
            self.edge = cx.record_after(edge).filter(|next| self.first_delayed != Some(*next));
        }
    }

    /// A message waits again: the window of groups is pushed back, if it is in there.
    pub(super) fn come_back_to_window(&mut self, cx: &Cx<'_>, record: RecordId) {
        let number = |record| cx.record(record).map_or(0, |record| record.number);
        match self.edge {
            Some(edge) if number(record) < number(edge) => self.edge = cx.record_before(edge),
            Some(_) => {}
            None if self.groups.is_some() && self.door.held() > WINDOW => {
                let last = match self.first_delayed {
                    Some(first) => cx.record_before(first),
                    None => cx.last_record(),
                };
                self.edge = last.and_then(|last| cx.record_before(last));
            }
            None => {}
        }
    }

    /// Messages have been moved here, or the queue is up again: what waits that is not counted yet is.
    pub(super) fn count_in(&mut self, cx: &mut Cx<'_>) {
        let known = self.door.held() + self.delayed.value();
        let new = cx.records_waiting().saturating_sub(known);
        let mut at = cx.last_record();
        let mut records = Vec::new();
        for _ in 0..new {
            let Some(record) = at else { break };
            records.push(record);
            at = cx.record_before(record);
        }
        for record in records.into_iter().rev() {
            if self.terms.delay > 0 {
                self.begin_delay(cx, record);
            } else {
                self.counts.published += 1;
                self.door.take(cx.now());
                self.note_new(cx, record);
            }
        }
    }

    /// Messages are looked at again when the oldest has become too old.
    pub(super) fn watch_age(&mut self, cx: &mut Cx<'_>) {
        let (None, Some(retention)) = (self.expires, self.terms.retention) else { return };
        let Some(first) = cx.first_record().and_then(|record| cx.record(record)) else { return };
        let left = first.stored.saturating_add(retention).saturating_sub(cx.now());
        self.expires = Some(cx.chore_after(left, Timer { what: EXPIRES, data: 0 }));
    }

    /// Messages that have become too old are thrown away.
    pub(super) fn expire(&mut self, cx: &mut Cx<'_>) {
        self.expires = None;
        let Some(retention) = self.terms.retention else { return };
        while let Some(record) = cx.first_record() {
            let stored = cx.record(record).map_or(0, |record| record.stored);
            if stored.saturating_add(retention) > cx.now() {
                break;
            }
            self.leave(cx, record);
            cx.end_record(record, Ended::Expired);
            self.counts.expired += 1;
        }
        self.watch_age(cx);
    }

    /// When the next message matures.
    pub(super) fn set_alarms(&mut self, cx: &mut Cx<'_>) {
        let Some(mut alarms) = self.alarms else { return };
        if self.terms.delay > 0 {
            let first = self.first_delayed.and_then(|record| cx.record(record));
            alarms.matures.set(cx, first.map(|record| record.stored + self.terms.delay), Class::First);
        }
        if self.terms.visibility.is_some() {
            let next = self.leases.next(|lease| Queue::is_current(cx, lease));
            alarms.lapses.set(cx, next, Class::GivingUp);
        }
        self.alarms = Some(alarms);
    }
}

/// The key of a message: that of the first attempt of the logical call that publishes it, so that another attempt of the
/// same call makes the same message.
fn key_of(links: &BTreeMap<NodeId, u32>, cx: &Cx<'_>, call: CallId) -> Key {
    if cx.is_own_attempt(call) {
        return cx.key(call);
    }
    let asked = cx.caller(call).map(|link| (link, cx.callers_key(call))).or_else(|| cx.gave_up(call));
    let first = asked.and_then(|(link, key)| links.get(&link).map(|salt| key.child(*salt, 0)));
    first.unwrap_or_else(|| cx.key(call))
}

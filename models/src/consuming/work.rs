//! What a consumer does with the messages that it has got, one after the other, and what it says of each.

use std::collections::VecDeque;

use sim_core::random::hash;
use sim_core::{CallId, Cx, Next, Outcome, RecordId, Timer};

use super::talk::{Say, Word};
use super::{AckSettings, AtWork, BITS, Consumer, DELIVERY, EXTENDS, FailureSettings, Held, PAUSE, Rest, SAID};

/// The group of consumers that share the messages of a queue. There is one so far.
const GROUP: &str = "default";

impl Consumer {
    /// A message has come, and others together with it.
    pub(super) fn begin(&mut self, cx: &mut Cx<'_>, first: Held, left: VecDeque<Held>) -> Next {
        let rest = (!left.is_empty()).then(|| Box::new(Rest { left, ..Rest::default() }));
        let place = self.at_work.insert(AtWork {
            record: first.record,
            nth: first.nth,
            key: first.message.key,
            about: None,
            connection: self.connections,
            begun: cx.now(),
            extends: None,
            rest,
        });
        if let Some(after) = self.plan.extends_after {
            let chore = cx.chore_to_talk_after(after, Timer { what: EXTENDS, data: u64::from(place) });
            self.at_work.get_mut(place).into_iter().for_each(|at_work| at_work.extends = Some(chore));
        }
        self.take_on(cx, place, first)
    }

    /// Work on a message begins, or on the next that needs any.
    fn take_on(&mut self, cx: &mut Cx<'_>, place: u32, held: Held) -> Next {
        let Held { record, nth, message } = held;
        let about = self.plan.has_keys.then_some(message.baggage.data_key);
        let is_done = self.plan.is_idempotent && cx.is_done(self.plan.queue, record, message.key) != Some(false);
        let at_work = self.at_work.get_mut(place).expect("it was put there");
        (at_work.record, at_work.nth, at_work.begun) = (record, nth, cx.now());
        (at_work.key, at_work.about) = (message.key, about);
        if self.plan.ack == AckSettings::Before {
            self.say(cx, Say::Of(Word::Acknowledge, record, nth), SAID);
        }
        if is_done {
            self.counts.skipped += 1;
            return self.conclude(cx, place);
        }
        let key = message.key.child(hash(0, GROUP) as u32, nth);
        let delivery = cx.deliver(self.plan.replica, (record, message), key, self.plan.op, nth > 1);
        if nth > 1 && cx.is_done(self.plan.queue, record, message.key) == Some(true) {
            cx.in_vain(delivery);
        }
        if self.plan.ack == AckSettings::Before {
            cx.takes_part(delivery);
        }
        cx.set_note(delivery, DELIVERY | u64::from(place) << BITS);
        Next::call(delivery)
    }

    /// A delivery has ended.
    pub(super) fn ended(&mut self, cx: &mut Cx<'_>, delivery: CallId, outcome: Outcome) -> Next {
        let (place, has_begun) = ((cx.note(delivery) >> BITS) as u32, cx.ticket(delivery) != 0);
        if self.plan.ack == AckSettings::Before {
            cx.played(delivery, !outcome.is_good());
        }
        let at_work = self.at_work.get(place).expect("it was at work");
        let (record, key, about) = (at_work.record, at_work.key, at_work.about);
        let took_no_time = at_work.begun == cx.now();
        cx.delivered(record, delivery);
        if outcome.is_good() {
            let done = cx.done(delivery, self.plan.queue, record, key, about);
            // What has left the queue, but for being acknowledged before, has done so because somebody else is done with it.
            let is_gone = done.is_none() && self.plan.ack == AckSettings::After;
            self.counts.duplicates += u64::from(is_gone || done.is_some_and(|done| done.again));
            self.counts.out_of_order += u64::from(done.is_some_and(|done| done.overtaken));
            return self.conclude(cx, place);
        }
        if outcome == Outcome::Overload && !has_begun {
            self.pause(cx, PAUSE);
            return self.refuse(cx, place);
        }
        if took_no_time {
            self.pause(cx, PAUSE);
        }
        match self.plan.on_failure {
            FailureSettings::Requeue => self.fail(cx, place, Some(Word::Requeue)),
            FailureSettings::DeadLetter => self.fail(cx, place, Some(Word::GiveUp)),
            FailureSettings::Wait => self.fail(cx, place, None),
            FailureSettings::Skip => {
                cx.failed_for_good(record);
                self.conclude(cx, place)
            }
            FailureSettings::Retry(never) => match never {},
        }
    }

    /// Something is said of messages, if the queue still wants to hear it of them.
    fn say_of(&mut self, cx: &mut Cx<'_>, word: Word, connection: u64, records: &[(RecordId, u32)]) {
        if self.plan.ack == AckSettings::After && self.is_heard(connection) {
            for (record, nth) in records {
                self.say(cx, Say::Of(word, *record, *nth), SAID);
            }
        }
    }

    /// A message was not taken on, and neither will those be that came with it and are left.
    fn refuse(&mut self, cx: &mut Cx<'_>, place: u32) -> Next {
        let at_work = self.at_work.get_mut(place).expect("it was at work");
        let (connection, own) = (at_work.connection, (at_work.record, at_work.nth));
        let left = at_work.rest.iter_mut().flat_map(|rest| rest.left.drain(..));
        let refused: Vec<_> = std::iter::once(own).chain(left.map(|held| (held.record, held.nth))).collect();
        self.say_of(cx, Word::Refuse, connection, &refused);
        self.next(cx, place)
    }

    /// A message has failed: `word` is what is said of it, if anything.
    fn fail(&mut self, cx: &mut Cx<'_>, place: u32, word: Option<Word>) -> Next {
        let (is_ordered, fails_alone) = (self.plan.manner.is_ordered, self.plan.fails_partially);
        let at_work = self.at_work.get_mut(place).expect("it was at work");
        let (connection, about) = (at_work.connection, at_work.about.unwrap_or(0));
        let mut failed = vec![(at_work.record, at_work.nth)];
        match &mut at_work.rest {
            // None of what came together is acknowledged, whether or not it was done.
            Some(rest) if !fails_alone => {
                failed.append(&mut rest.done);
                failed.extend(rest.left.drain(..).map(|held| (held.record, held.nth)));
            }
            Some(rest) if is_ordered => rest.failed.push(about),
            Some(_) | None => {}
        }
        if let Some(word) = word {
            self.say_of(cx, word, connection, &failed);
        }
        self.next(cx, place)
    }

    /// A message is done.
    fn conclude(&mut self, cx: &mut Cx<'_>, place: u32) -> Next {
        let at_work = self.at_work.get_mut(place).expect("it was at work");
        let (own, connection) = ((at_work.record, at_work.nth), at_work.connection);
        match &mut at_work.rest {
            Some(rest) if self.plan.ack == AckSettings::After => rest.done.push(own),
            Some(_) => {}
            None => self.say_of(cx, Word::Acknowledge, connection, &[own]),
        }
        self.next(cx, place)
    }

    /// The next message of those that came together, or the end of them.
    fn next(&mut self, cx: &mut Cx<'_>, place: u32) -> Next {
        loop {
            let at_work = self.at_work.get_mut(place).expect("it was at work");
            let Some(rest) = &mut at_work.rest else { break };
            let Some(held) = rest.left.pop_front() else { break };
            // It must not overtake one that failed.
            if !rest.failed.contains(&held.message.baggage.data_key) {
                return self.take_on(cx, place, held);
            }
        }
        let AtWork { connection, extends, rest, .. } = self.at_work.remove(place).expect("it was at work");
        if let Some(chore) = extends {
            cx.cancel_chore(chore);
        }
        let done = rest.map_or_else(Vec::new, |rest| rest.done);
        if !done.is_empty() && self.is_heard(connection) {
            self.acknowledge_all(cx, done);
        }
        self.go_on(cx);
        Next::WAIT
    }

    /// Messages are still at work, and are to stay invisible.
    pub(super) fn extend(&mut self, cx: &mut Cx<'_>, place: u32) {
        let (Some(at_work), Some(after)) = (self.at_work.get(place), self.plan.extends_after) else { return };
        let rest = at_work.rest.as_deref();
        let left = rest.into_iter().flat_map(|rest| rest.left.iter().map(|held| (held.record, held.nth)));
        let done = rest.into_iter().flat_map(|rest| rest.done.iter().copied());
        let all: Vec<_> = std::iter::once((at_work.record, at_work.nth)).chain(left).chain(done).collect();
        self.say_of(cx, Word::Extend, 0, &all);
        let chore = cx.chore_to_talk_after(after, Timer { what: EXTENDS, data: u64::from(place) });
        self.at_work.get_mut(place).into_iter().for_each(|at_work| at_work.extends = Some(chore));
    }
}

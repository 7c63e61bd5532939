//! How messages go out of a queue to those who consume them, and come back where they are not acknowledged.

use sim_core::random::Key;
use sim_core::{Begin, Class, Cx, Ended, Next, NodeId, Order, Outcome, RecordId, Timer};

use super::state::{DEAD, IN_FLIGHT_FULL, LAPSED, Queue, Receive};
use super::{HANDED_OUT, PURPOSE_RECEIVE};
use crate::change_numbers::ARRIVED;
use crate::consuming::talk::Say;

impl Queue {
    /// Messages go to receives, and the room to publishes that wait for it, until there is nothing left to do.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        if !self.door.open() {
            return;
        }
        loop {
            if self.terms.pushes {
                self.push_out(cx);
            } else {
                self.hand_out(cx);
            }
            if !self.door.lets_in() {
                break;
            }
            let Some(next) = self.door.next(cx) else { continue };
            let then = self.keep(cx, next.call);
            cx.post(then);
        }
        self.door.shut();
        self.note_oldest(cx);
        self.set_alarms(cx);
    }

    /// Messages go to those who have asked for some.
    fn hand_out(&mut self, cx: &mut Cx<'_>) {
        while let Some(receive) = self.next_receive(cx) {
            if self.next_visible(cx).is_none() || self.is_held_back(cx) {
                self.standing.push_front(receive);
                return;
            }
            let Some(first) = self.next_to_hand_out(cx) else {
                self.standing.push_front(receive);
                continue;
            };
            let nth = self.lease(cx, first, receive.consumer);
            if receive.batch == 1 {
                if let Some(call) = receive.call {
                    cx.hand_out(call, first, nth);
                }
            } else {
                self.fill(cx, &receive, (first, nth));
            }
            let takes = self.takes(cx, first, nth);
            let Some(call) = receive.call else { continue };
            if takes == 0 {
                let answer = cx.answer(Outcome::Ok);
                cx.post(Next::reply(call, answer));
            } else {
                cx.work(takes, Timer::of(HANDED_OUT, call));
            }
        }
    }

    /// What comes with the first message that a receive gets.
    fn fill(&mut self, cx: &mut Cx<'_>, receive: &Receive, first: (RecordId, u32)) {
        // Most receives get one message only, for which no list is needed.
        let (mut last, mut handed) = (first, Vec::new());
        while handed.len() < receive.batch as usize && !self.is_in_flight_full(cx) {
            // More of the group of the last one come with it, since nobody else can have them.
            let next = match self.next_of_same_group(cx, last.0) {
                Some(next) => Some(next),
                None => self.next_to_hand_out(cx),
            };
            let Some(next) = next else { break };
            last = (next, self.lease(cx, next, receive.consumer));
            if handed.is_empty() {
                handed.push(first);
            }
            handed.push(last);
        }
        if let Some(call) = receive.call {
            match handed[..] {
                [] => cx.hand_out(call, first.0, first.1),
                _ => cx.enclose(call, 0, handed),
            }
        }
    }

    /// Messages are sent to those who take more, in turn.
    fn push_out(&mut self, cx: &mut Cx<'_>) {
        while let Some(consumer) = self.turns.front().copied() {
            if self.next_visible(cx).is_none() || self.is_held_back(cx) {
                return;
            }
            let Some(record) = self.next_to_hand_out(cx) else { return };
            self.turns.pop_front();
            let nth = self.lease(cx, record, consumer);
            let Some(connection) = self.connections.get_mut(&consumer) else { continue };
            connection.credit = connection.credit.map(|credit| credit - 1);
            if connection.credit != Some(0) {
                self.turns.push_back(consumer);
            }
            let path = cx.path_of(connection.call);
            let (ticket, memo) = Say::Message(record, nth).pack();
            let key = Key::from_bits(cx.record(record).map_or(0, |record| record.key)).child(PURPOSE_RECEIVE, nth);
            let call = cx.begin(Begin { to: consumer, path, key, ticket, memo });
            match self.takes(cx, record, nth) {
                0 => cx.post(Next::call(call)),
                takes => drop(cx.work(takes, Timer::of(HANDED_OUT, call))),
            }
        }
    }

    /// How long it takes until a message is on its way.
    fn takes(&self, cx: &Cx<'_>, record: RecordId, nth: u32) -> u64 {
        let key = Key::from_bits(cx.record(record).map_or(0, |record| record.key));
        self.terms.receive.0.sample_span(&mut key.draw(PURPOSE_RECEIVE, nth))
    }

    /// Who has asked longest of those who wait for messages.
    fn next_receive(&mut self, cx: &mut Cx<'_>) -> Option<Receive> {
        let now = cx.now();
        loop {
            let receive = self.standing.pop_front()?;
            let Some(waits) = receive.waits else { return Some(receive) };
            let stands = now < receive.since.saturating_add(waits);
            match receive.call {
                _ if stands => return Some(receive),
                // Who polls goes on doing so, which nobody needs to see as long as nothing has come in between.
                Some(call) if cx.is_within_reach(call) => return Some(receive),
                Some(call) => {
                    cx.enclose(call, 0, Vec::new());
                    let answer = cx.answer(Outcome::Ok);
                    cx.post(Next::reply(call, answer));
                }
                None => {}
            }
        }
    }

    /// Whether nothing may be handed out now, though there are messages and somebody wants them.
    fn is_held_back(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.is_in_flight_full(cx) {
            return true;
        }
        let now = cx.now();
        let Some(Err(wait)) = self.receive_rate.as_mut().map(|bucket| bucket.take(now)) else { return false };
        if let Some(mut alarms) = self.alarms {
            alarms.passes.set(cx, Some(now + wait), Class::First);
            self.alarms = Some(alarms);
        }
        true
    }

    fn is_in_flight_full(&mut self, cx: &mut Cx<'_>) -> bool {
        let is_full = self.unacknowledged.value() >= self.terms.in_flight_max;
        if is_full && !self.is_in_flight_full {
            cx.happened(&IN_FLIGHT_FULL);
        }
        self.is_in_flight_full = is_full;
        is_full
    }

    /// The first message that can be received.
    fn next_visible(&self, cx: &Cx<'_>) -> Option<RecordId> {
        if let Some(groups) = &self.groups {
            let edge = self.edge.and_then(|edge| cx.record(edge)).map(|edge| edge.number);
            return groups.first_free(edge).and_then(|(_, place)| cx.record_at(place));
        }
        cx.first_record().filter(|first| self.first_delayed != Some(*first))
    }

    /// The same; those that were received too often are given up on the way.
    fn next_to_hand_out(&mut self, cx: &mut Cx<'_>) -> Option<RecordId> {
        loop {
            let next = self.next_visible(cx)?;
            if !self.is_worn_out(cx, next) {
                return Some(next);
            }
            self.bury(cx, next);
        }
    }

    /// The next message of a group of which one is just being handed out.
    fn next_of_same_group(&mut self, cx: &mut Cx<'_>, record: RecordId) -> Option<RecordId> {
        self.groups.as_ref()?;
        let of = self.group_of(cx, record);
        loop {
            let next = self.groups.as_ref()?.first_of(of).and_then(|place| cx.record_at(place))?;
            let number = |record| cx.record(record).map(|record| record.number);
            let edge = self.edge.and_then(number);
            if edge.is_some_and(|edge| number(next).is_some_and(|number| number > edge)) {
                return None;
            }
            if !self.is_worn_out(cx, next) {
                return Some(next);
            }
            self.bury(cx, next);
        }
    }

    fn is_worn_out(&self, cx: &Cx<'_>, record: RecordId) -> bool {
        let receives = cx.record(record).map_or(0, |record| record.receives);
        self.terms.receives_max.is_some_and(|most| receives >= most)
    }

    /// A message that waits is handed out; the how-manieth time this is.
    fn lease(&mut self, cx: &mut Cx<'_>, record: RecordId, consumer: NodeId) -> u32 {
        let now = cx.now();
        self.leave_window(cx, record);
        if self.groups.is_some() {
            let of = self.group_of(cx, record);
            if let Some(groups) = &mut self.groups {
                groups.take_first(of, true);
            }
        }
        let stored = cx.record(record).map_or(now, |record| record.stored);
        let nth = cx.lease(record, consumer);
        self.door.give_back(now, now, None);
        self.unacknowledged.up(now);
        self.counts.receives += 1;
        self.counts.receives_max = self.counts.receives_max.max(nth);
        if nth == 1 {
            cx.measure().waited(stored, now - stored);
        } else {
            self.counts.redelivered += 1;
        }
        if let Some(visibility) = self.terms.visibility {
            self.leases.add(now + visibility, (record, nth));
        }
        nth
    }

    /// A message that was handed out is no longer its consumer's: it waits again, or is given up where it has come back too often.
    /// `counts` says whether having had it counts.
    pub(super) fn put_back(&mut self, cx: &mut Cx<'_>, record: RecordId, counts: bool) {
        if self.terms.connects && counts && self.is_worn_out(cx, record) {
            self.bury(cx, record);
            return;
        }
        let nth = cx.record(record).map_or(0, |record| record.receives);
        self.leases.end((record, nth));
        let now = cx.now();
        cx.put_back(record, counts);
        self.door.take(now);
        self.unacknowledged.down(now);
        self.come_back_to_window(cx, record);
        if self.groups.is_some() {
            let of = self.group_of(cx, record);
            self.join_group(cx, record);
            if let Some(groups) = &mut self.groups {
                groups.land(of);
            }
        }
        self.watch_age(cx);
    }

    /// A message goes, wherever it is.
    pub(super) fn take_away(&mut self, cx: &mut Cx<'_>, record: RecordId) {
        let Some(found) = cx.record(record) else { return };
        if found.holder.is_none() {
            self.leave(cx, record);
            return;
        }
        self.leases.end((record, found.receives));
        self.unacknowledged.down(cx.now());
        if self.groups.is_some() {
            let of = self.group_of(cx, record);
            if let Some(groups) = &mut self.groups {
                groups.land(of);
            }
        }
    }

    /// A message is given up.
    pub(super) fn bury(&mut self, cx: &mut Cx<'_>, record: RecordId) {
        self.take_away(cx, record);
        cx.happened(&DEAD);
        match self.dead_letter {
            Some(to) => {
                self.counts.dead_letters += 1;
                // A standard queue of SQS keeps the age of what it moves, and so its retention.
                let keeps_age = self.terms.visibility.is_some() && !self.terms.is_grouped;
                cx.move_record(record, to, keeps_age, Ended::Dead);
                cx.order(Order::Adopt(to, ARRIVED));
            }
            None => {
                self.counts.dropped += 1;
                cx.end_record(record, Ended::Dropped);
            }
        }
    }

    /// The messages whose consumers have not acknowledged them in time can be received again.
    pub(super) fn lapse(&mut self, cx: &mut Cx<'_>) {
        while let Some((record, _)) = self.leases.take(cx.now(), |lease| Queue::is_current(cx, lease)) {
            self.put_back(cx, record, true);
            cx.happened(&LAPSED);
        }
    }

    /// The messages that wait, or the first of them, go to another queue, where they count as new.
    pub(super) fn move_to(&mut self, cx: &mut Cx<'_>, to: NodeId, all: bool) {
        while let Some(record) = cx.first_record() {
            self.leave(cx, record);
            cx.move_record(record, to, false, Ended::Moved);
            self.counts.moved += 1;
            if !all {
                break;
            }
        }
        cx.order(Order::Adopt(to, ARRIVED));
    }

    /// All messages that wait are thrown away.
    pub(super) fn discard(&mut self, cx: &mut Cx<'_>) {
        while let Some(record) = cx.first_record() {
            self.leave(cx, record);
            cx.end_record(record, Ended::Dropped);
            self.counts.dropped += 1;
        }
    }
}

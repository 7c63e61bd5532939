//! What consumers say to a queue, and what becomes of what they had when their connection ends.

use sim_core::{CallId, Cx, Ended, Next, NodeId, Outcome, Record, RecordId};

use super::state::{Connection, Queue, Receive};
use crate::consuming::talk::{Say, Word};

impl Queue {
    /// A consumer says something.
    pub(super) fn hear(&mut self, cx: &mut Cx<'_>, call: CallId, say: Say) -> Next {
        let consumer = cx.beginner(call);
        match say {
            Say::Connect { number, prefetch } => {
                self.disconnect(cx, consumer);
                self.connections.insert(consumer, Connection { call, number, credit: prefetch });
                if self.terms.pushes {
                    self.turns.push_back(consumer);
                }
                self.settle(cx);
                Next::WAIT
            }
            Say::Receive(number) => {
                if self.connections.get(&consumer).is_none_or(|connection| connection.number != number) {
                    return Next::reply(call, cx.answer(Outcome::Reset));
                }
                self.standing.push_back(Receive { consumer, call: Some(call), since: cx.now(), waits: None, batch: 1 });
                self.settle(cx);
                Next::WAIT
            }
            Say::Poll { waits, batch } => {
                let receive = Receive { consumer, call: Some(call), since: cx.now(), waits: Some(waits), batch };
                self.standing.push_back(receive);
                self.settle(cx);
                Next::WAIT
            }
            Say::Of(word, record, nth) => {
                self.heed(cx, consumer, word, record, nth);
                self.settle(cx);
                Next::reply(call, cx.answer(Outcome::Ok))
            }
            Say::AcknowledgeAll => {
                for (record, nth) in cx.enclosed(call).to_vec() {
                    self.heed(cx, consumer, Word::Acknowledge, record, nth);
                }
                self.settle(cx);
                Next::reply(call, cx.answer(Outcome::Ok))
            }
            Say::Message(..) => unreachable!("a queue is sent no messages"),
        }
    }

    /// A consumer says what is to become of a message, if that is still for it to say.
    fn heed(&mut self, cx: &mut Cx<'_>, consumer: NodeId, word: Word, record: RecordId, nth: u32) {
        let Some(found) = cx.record(record) else { return };
        let Record { holder, receives, .. } = found;
        let is_theirs = holder == Some(consumer) && receives == nth;
        // A standard queue of SQS lets who received a message last delete it, whether or not it has become visible again.
        let keeps_receipts = self.terms.visibility.is_some() && !self.terms.is_grouped;
        let is_last = keeps_receipts && receives == nth;
        match word {
            Word::Acknowledge if is_theirs || is_last => {
                self.take_away(cx, record);
                cx.end_record(record, Ended::Acknowledged);
                self.counts.acknowledged += 1;
            }
            Word::Requeue if is_theirs => self.put_back(cx, record, true),
            Word::Refuse if is_theirs => self.put_back(cx, record, false),
            Word::GiveUp if is_theirs => self.bury(cx, record),
            Word::Extend if is_theirs => {
                if let Some(visibility) = self.terms.visibility {
                    self.leases.extend(cx.now() + visibility, (record, nth));
                }
                return;
            }
            Word::Acknowledge | Word::Requeue | Word::Refuse | Word::GiveUp | Word::Extend => return,
        }
        if is_theirs {
            self.restore_credit(consumer);
        }
    }

    /// A consumer that is sent messages has one less.
    fn restore_credit(&mut self, consumer: NodeId) {
        if !self.terms.pushes {
            return;
        }
        let Some(connection) = self.connections.get_mut(&consumer) else { return };
        let had_none = connection.credit == Some(0);
        connection.credit = connection.credit.map(|credit| credit + 1);
        if had_none {
            self.turns.push_back(consumer);
        }
    }

    /// A consumer's connection has ended, if it had one: its receives are void, and what it has not acknowledged waits again.
    pub(super) fn disconnect(&mut self, cx: &mut Cx<'_>, consumer: NodeId) {
        let Some(connection) = self.connections.remove(&consumer) else { return };
        let answer = cx.answer(Outcome::Reset);
        cx.post(Next::reply(connection.call, answer));
        self.turns.retain(|other| *other != consumer);
        self.standing.retain(|receive| {
            if let Some(call) = receive.call.filter(|_| receive.consumer == consumer) {
                cx.post(Next::reply(call, answer));
            }
            receive.consumer != consumer
        });
        for record in cx.leased_to(Some(consumer)) {
            self.put_back(cx, record, true);
        }
    }

    /// A consumer takes back what it has said.
    pub(super) fn take_back(&mut self, cx: &mut Cx<'_>, call: CallId, say: Say) -> Next {
        let consumer = cx.beginner(call);
        if let Say::Connect { .. } = say
            && self.connections.get(&consumer).is_some_and(|connection| connection.call == call)
        {
            self.disconnect(cx, consumer);
            self.settle(cx);
            return Next::WAIT;
        }
        if let Say::Poll { .. } = say {
            // Who polled is gone, and the queue does not know it: what it hands out to a poll that stands is on its way to nobody.
            let stands = self.standing.iter_mut().find(|receive| receive.call == Some(call));
            stands.into_iter().for_each(|receive| receive.call = None);
        }
        self.standing.retain(|receive| receive.call != Some(call));
        Next::reply(call, cx.answer(Outcome::Cancelled))
    }
}

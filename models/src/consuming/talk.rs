//! What a consumer and the component that it takes messages from say to each other, each in a call of its own.
//!
//! ```text
//!   consumer ── connect ─────▶ queue     stands as long as the connection does
//!            ── receive ─────▶           stands until there is a message, and is answered with it
//!            ── poll ────────▶           the same without a connection, for so long, and for up to so many
//!            ◀───── message ──           sent without having been asked for
//!            ── acknowledge ─▶           done with it, or with all that came with a poll
//!            ── requeue ─────▶           failed: it waits again, and was received
//!            ── refuse ──────▶           not taken on: it waits again as if it had not been received
//!            ── give up ─────▶           failed for good: it goes to the dead letters
//!            ── extend ──────▶           still at work on it
//! ```

use sim_core::{CallId, Cx, RecordId, Span};

/// Something said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// A connection begins, under a number that the consumer gives once.
    Connect {
        /// The number.
        number: u64,
        /// How many unacknowledged messages it takes, where it is sent messages and that is bounded.
        prefetch: Option<u32>,
    },
    /// The next message is wanted, over the connection of that number.
    Receive(u64),
    /// Messages are wanted.
    Poll {
        /// How long the poll stands where there are none.
        waits: Span,
        /// How many at most.
        batch: u32,
    },
    /// Here is one, for the how-manieth time.
    Message(RecordId, u32),
    /// About a message: which, and its how-manieth delivery.
    Of(Word, RecordId, u32),
    /// The messages that are enclosed are done.
    AcknowledgeAll,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is done.
    Acknowledge,
    /// It is to be delivered again.
    Requeue,
    /// It was not taken on.
    Refuse,
    /// It is not to be delivered again.
    GiveUp,
    /// It is still at work: nobody else is to have it yet.
    Extend,
}

// In the ticket of the call; 0 is that of any other call.
const CONNECT: u32 = 1;
const RECEIVE: u32 = 2;
const ACKNOWLEDGE: u32 = 3;
const REQUEUE: u32 = 4;
const REFUSE: u32 = 5;
const GIVE_UP: u32 = 6;
const EXTEND: u32 = 7;
const POLL: u32 = 8;
const MESSAGE: u32 = 9;
const BITS: u32 = 4;

/// The ticket of a call with which messages are enclosed that are done.
pub const ACKNOWLEDGE_ALL: u32 = 10;

/// Bits of a poll's memo that say how many messages are wanted.
const BATCH_BITS: u32 = 16;

impl Say {
    /// As ticket and memo of a call; what is enclosed is not in there.
    pub fn pack(self) -> (u32, u64) {
        match self {
            Say::Connect { number, prefetch } => (CONNECT, u64::from(prefetch.unwrap_or(0)) << 32 | number),
            Say::Receive(number) => (RECEIVE, number),
            Say::Poll { waits, batch } => (POLL, waits << BATCH_BITS | u64::from(batch)),
            Say::Message(record, nth) => (MESSAGE | nth << BITS, record.to_bits()),
            Say::AcknowledgeAll => (ACKNOWLEDGE_ALL, 0),
            Say::Of(word, record, nth) => {
                let word = match word {
                    Word::Acknowledge => ACKNOWLEDGE,
                    Word::Requeue => REQUEUE,
                    Word::Refuse => REFUSE,
                    Word::GiveUp => GIVE_UP,
                    Word::Extend => EXTEND,
                };
                (word | nth << BITS, record.to_bits())
            }
        }
    }

    /// What a call says; `None` where it is any other call.
    pub fn of(cx: &Cx<'_>, call: CallId) -> Option<Say> {
        Say::unpack(cx.ticket(call), cx.memo(call))
    }

    fn unpack(ticket: u32, memo: u64) -> Option<Say> {
        let (record, nth) = (RecordId::from_bits(memo), ticket >> BITS);
        let word = match ticket & ((1 << BITS) - 1) {
            CONNECT => {
                let prefetch = (memo >> 32) as u32;
                let number = memo & u64::from(u32::MAX);
                return Some(Say::Connect { number, prefetch: (prefetch > 0).then_some(prefetch) });
            }
            RECEIVE => return Some(Say::Receive(memo)),
            POLL => {
                let batch = memo as u32 & ((1 << BATCH_BITS) - 1);
                return Some(Say::Poll { waits: memo >> BATCH_BITS, batch });
            }
            MESSAGE => return Some(Say::Message(record, nth)),
            ACKNOWLEDGE_ALL => return Some(Say::AcknowledgeAll),
            ACKNOWLEDGE => Word::Acknowledge,
            REQUEUE => Word::Requeue,
            REFUSE => Word::Refuse,
            GIVE_UP => Word::GiveUp,
            EXTEND => Word::Extend,
            _ => return None,
        };
        Some(Say::Of(word, record, nth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_understood() {
        let record = RecordId::from_bits(7 << 32 | 3);
        let connect = [(0, None), (1, Some(1)), (u64::from(u32::MAX), Some(65_535))];
        let connect = connect.map(|(number, prefetch)| Say::Connect { number, prefetch });
        let polls = [(0, 1), (20_000_000_000, 10)].map(|(waits, batch)| Say::Poll { waits, batch });
        let said = [Say::Receive(u64::MAX), Say::Message(record, 3), Say::AcknowledgeAll];
        let words = [Word::Acknowledge, Word::Requeue, Word::Refuse, Word::GiveUp, Word::Extend];
        let words = words.map(|word| Say::Of(word, record, 1_000_000));
        for say in connect.into_iter().chain(polls).chain(said).chain(words) {
            let (ticket, memo) = say.pack();
            assert_eq!(Say::unpack(ticket, memo), Some(say));
        }
        assert_eq!(Say::unpack(0, 5), None, "any other call");
    }
}

//! What a consumer says to the component that it takes messages from, each in a call of its own.
//!
//! ```text
//!   consumer ── connect ─────▶ queue     stands as long as the connection does
//!            ── receive ─────▶           stands until there is a message, and is answered with it
//!            ── acknowledge ─▶           done with it
//!            ── requeue ─────▶           failed: it waits again, and was received
//!            ── refuse ──────▶           not taken on: it waits again as if it had not been received
//! ```

use sim_core::{CallId, Cx, RecordId};

/// Something said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// A connection begins, under a number that the consumer gives once.
    Connect(u64),
    /// The next message is wanted, over the connection of that number.
    Receive(u64),
    /// About a message: which, and its how-manieth delivery.
    Of(Word, RecordId, u32),
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
}

// In the ticket of the call; 0 is that of any other call.
const CONNECT: u32 = 1;
const RECEIVE: u32 = 2;
const ACKNOWLEDGE: u32 = 3;
const REQUEUE: u32 = 4;
const REFUSE: u32 = 5;
const BITS: u32 = 3;

impl Say {
    /// As ticket and memo of a call.
    pub fn pack(self) -> (u32, u64) {
        match self {
            Say::Connect(number) => (CONNECT, number),
            Say::Receive(number) => (RECEIVE, number),
            Say::Of(word, record, nth) => {
                let word = match word {
                    Word::Acknowledge => ACKNOWLEDGE,
                    Word::Requeue => REQUEUE,
                    Word::Refuse => REFUSE,
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
        let word = match ticket & ((1 << BITS) - 1) {
            CONNECT => return Some(Say::Connect(memo)),
            RECEIVE => return Some(Say::Receive(memo)),
            ACKNOWLEDGE => Word::Acknowledge,
            REQUEUE => Word::Requeue,
            REFUSE => Word::Refuse,
            _ => return None,
        };
        Some(Say::Of(word, RecordId::from_bits(memo), ticket >> BITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_understood() {
        let record = RecordId::from_bits(7 << 32 | 3);
        let said = [Say::Connect(0), Say::Receive(u64::MAX)];
        let words = [Word::Acknowledge, Word::Requeue, Word::Refuse].map(|word| Say::Of(word, record, 1_000_000));
        for say in said.into_iter().chain(words) {
            let (ticket, memo) = say.pack();
            assert_eq!(Say::unpack(ticket, memo), Some(say));
        }
        assert_eq!(Say::unpack(0, 5), None, "any other call");
    }
}

//! Outcomes of calls.
//!
//! The engine itself only needs to know whether an answer is good. The names are those of the scenario language, so
//! that each word means the same thing from the event to the report.

/// The outcome of a call, as seen by its caller or as answered by its callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// Success (HTTP 200).
    Ok,
    /// Accepted; the work continues (202).
    Accepted,
    /// A fallback answered.
    Degraded,
    /// Too many requests from this caller (429).
    RateLimited,
    /// The callee sheds load (503).
    Overload,
    /// Rejected, or no healthy target (502, 503, 504 from a gateway).
    Unavailable,
    /// The call failed (500).
    Error,
    /// An error of the caller (4xx); never retried.
    ClientError,
    /// The caller gave up waiting.
    Timeout,
    /// The connection broke.
    Reset,
    /// Rejected by the caller's own circuit breaker.
    BreakerOpen,
    /// No connection became free in time.
    PoolTimeout,
    /// The caller cancelled the call.
    Cancelled,
}

impl Outcome {
    /// Number of outcomes.
    pub const COUNT: usize = 13;
    /// All outcomes, in the order in which reports list them.
    pub const ALL: [Outcome; Self::COUNT] = [
        Outcome::Ok,
        Outcome::Accepted,
        Outcome::Degraded,
        Outcome::RateLimited,
        Outcome::Overload,
        Outcome::Unavailable,
        Outcome::Error,
        Outcome::ClientError,
        Outcome::Timeout,
        Outcome::Reset,
        Outcome::BreakerOpen,
        Outcome::PoolTimeout,
        Outcome::Cancelled,
    ];

    /// The name in the scenario language.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Accepted => "accepted",
            Outcome::Degraded => "degraded",
            Outcome::RateLimited => "rate_limited",
            Outcome::Overload => "overload",
            Outcome::Unavailable => "unavailable",
            Outcome::Error => "error",
            Outcome::ClientError => "client_error",
            Outcome::Timeout => "timeout",
            Outcome::Reset => "reset",
            Outcome::BreakerOpen => "breaker_open",
            Outcome::PoolTimeout => "pool_timeout",
            Outcome::Cancelled => "cancelled",
        }
    }

    /// The outcome with this name.
    pub fn from_name(name: &str) -> Option<Outcome> {
        Self::ALL.into_iter().find(|o| o.name() == name)
    }

    /// The outcome with this number, given in the low four bits.
    #[inline(always)]
    fn from_bits(bits: u64) -> Outcome {
        // The number of entries is a power of two, so that the lookup needs no bounds check.
        const BY_NUMBER: [Outcome; 16] = {
            let mut all = [Outcome::Cancelled; 16];
            let mut at = 0;
            while at < Outcome::COUNT {
                all[at] = Outcome::ALL[at];
                at += 1;
            }
            all
        };
        BY_NUMBER[(bits & 15) as usize]
    }

    /// Whether the answer counts as a success: ok, accepted, degraded.
    #[inline(always)]
    pub fn is_good(self) -> bool {
        self <= Outcome::Degraded
    }
}

/// The answer that travels from callee to caller. One word, so that it is passed between nodes in a register.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// From the lowest bit: 7 bits of outcome and the mark, 8 of cause, 16 of place, 32 of microseconds.
    bits: u64,
}

/// Ensures that the word of an answer is never 0.
const MARK: u64 = 0x80;

impl Answer {
    /// An answer whose cause is in `place`.
    #[inline(always)]
    pub fn new(outcome: Outcome, place: u16) -> Answer {
        let number = outcome as u64;
        Answer { bits: MARK | number | number << 8 | u64::from(place) << 16 }
    }

    /// The outcome of the call.
    #[inline(always)]
    pub fn outcome(self) -> Outcome {
        Outcome::from_bits(self.bits)
    }

    /// The first error; the outcome itself if the answer was not passed on.
    #[inline(always)]
    pub fn cause(self) -> Outcome {
        Outcome::from_bits(self.bits >> 8)
    }

    /// The group (component or link) where the first error occurred.
    #[inline(always)]
    pub fn place(self) -> u16 {
        (self.bits >> 16) as u16
    }

    /// Earliest time for another attempt, in microseconds from now; 0 if unspecified.
    #[inline(always)]
    pub fn retry_after_us(self) -> u32 {
        (self.bits >> 32) as u32
    }

    /// The same answer with another outcome, but the same cause.
    #[inline]
    pub fn passed_on(self, outcome: Outcome) -> Answer {
        Answer { bits: self.bits & !15 | outcome as u64 }
    }

    /// The same answer with an earliest time for another attempt, in microseconds from now.
    pub fn with_retry_after_us(self, microseconds: u32) -> Answer {
        Answer { bits: self.bits & u64::from(u32::MAX) | u64::from(microseconds) << 32 }
    }

    /// The answer as one nonzero number, for storage in the frame of its call.
    #[inline(always)]
    pub(crate) fn to_bits(self) -> u64 {
        self.bits
    }

    /// The reverse of [`Answer::to_bits`].
    #[inline(always)]
    pub(crate) fn from_bits(bits: u64) -> Answer {
        Answer { bits }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Answer");
        shown.field("outcome", &self.outcome()).field("cause", &self.cause());
        shown.field("place", &self.place()).field("retry_after_us", &self.retry_after_us()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_lead_back() {
        for (i, o) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(o as usize, i);
            assert_eq!(Outcome::from_name(o.name()), Some(o));
        }
        assert_eq!(Outcome::ALL.iter().filter(|o| o.is_good()).count(), 3);
    }

    #[test]
    fn an_answer_keeps_what_it_is_told() {
        for outcome in Outcome::ALL {
            for cause in Outcome::ALL {
                let answer = Answer::new(cause, u16::MAX).passed_on(outcome).with_retry_after_us(u32::MAX);
                assert_eq!((answer.outcome(), answer.cause()), (outcome, cause));
                assert_eq!((answer.place(), answer.retry_after_us()), (u16::MAX, u32::MAX));
                let plain = Answer::new(outcome, 0);
                assert_eq!(
                    (plain.outcome(), plain.cause(), plain.place(), plain.retry_after_us()),
                    (outcome, outcome, 0, 0)
                );
                assert!(plain.to_bits() != 0 && Answer::from_bits(plain.to_bits()) == plain);
            }
        }
    }
}

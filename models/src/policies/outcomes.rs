//! Outcomes as settings: which failures a policy counts, which answer a step gives.

use settings::Setting;
use sim_core::{Answer, Outcome};

/// How a call can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum OutcomeName {
    /// Answered as wished (HTTP 200).
    Ok,
    /// Accepted, the work goes on (202).
    Accepted,
    /// A fallback answered.
    Degraded,
    /// Too many requests of this caller (429).
    RateLimited,
    /// The callee sheds load (503).
    Overload,
    /// Refused, or no healthy target (502, 503, 504 of a gateway).
    Unavailable,
    /// It failed (500).
    Error,
    /// The caller's own mistake (4xx).
    ClientError,
    /// The caller gave up waiting.
    Timeout,
    /// The connection broke.
    Reset,
    /// The caller's own circuit breaker refused.
    BreakerOpen,
    /// No connection became free in time.
    PoolTimeout,
    /// The caller no longer wanted it and said so.
    Cancelled,
}

impl OutcomeName {
    /// The engine's form.
    pub fn outcome(self) -> Outcome {
        match self {
            OutcomeName::Ok => Outcome::Ok,
            OutcomeName::Accepted => Outcome::Accepted,
            OutcomeName::Degraded => Outcome::Degraded,
            OutcomeName::RateLimited => Outcome::RateLimited,
            OutcomeName::Overload => Outcome::Overload,
            OutcomeName::Unavailable => Outcome::Unavailable,
            OutcomeName::Error => Outcome::Error,
            OutcomeName::ClientError => Outcome::ClientError,
            OutcomeName::Timeout => Outcome::Timeout,
            OutcomeName::Reset => Outcome::Reset,
            OutcomeName::BreakerOpen => Outcome::BreakerOpen,
            OutcomeName::PoolTimeout => Outcome::PoolTimeout,
            OutcomeName::Cancelled => Outcome::Cancelled,
        }
    }
}

/// What whoever stands in front of something answers when its own link has ended a call so. That its link has given up, or has
/// refused the call, is no timeout, breaker or pool of its caller's: that one sees a gateway behind which nobody answers (502, 503,
/// 504). What was answered behind the link is passed on as it is.
pub fn passed_on_from_behind(answer: Answer) -> Answer {
    answer.passed_on(from_behind(answer.outcome()))
}

/// The same of the outcome alone.
pub fn from_behind(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Timeout | Outcome::BreakerOpen | Outcome::PoolTimeout => Outcome::Unavailable,
        Outcome::Ok
        | Outcome::Accepted
        | Outcome::Degraded
        | Outcome::RateLimited
        | Outcome::Overload
        | Outcome::Unavailable
        | Outcome::Error
        | Outcome::ClientError
        | Outcome::Reset
        | Outcome::Cancelled => outcome,
    }
}

/// A set of outcomes as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeSet(u16);

impl OutcomeSet {
    /// The set of these.
    pub fn of(names: &[OutcomeName]) -> OutcomeSet {
        OutcomeSet(names.iter().fold(0, |bits, name| bits | 1 << name.outcome() as u16))
    }

    /// Whether it is among them.
    #[inline]
    pub fn contains(self, outcome: Outcome) -> bool {
        self.0 >> (outcome as u16) & 1 == 1
    }
}

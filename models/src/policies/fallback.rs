//! Fallback: an answer in place of a failure.
//!
//! It stands outside of everything else: a call that has failed in spite of its retries, or because its breaker is open, is answered
//! with what the caller has at hand, a default or an old value. That answer is `degraded`: the request goes on as after a
//! success, and is counted apart from goodput. Each of the calls that share one falls back for itself. (resilience4j,
//! *Decorators.withFallback*; Hystrix, *getFallback*.) The answer may be that of another link, to a replica in another region or
//! to a simpler service: then it is `degraded` where that call ends well, and fails as that call fails.

use settings::values::Scalar;
use settings::{Duration, DurationDist, Name, Setting, Spanned};
use sim_core::figures::Set;
use sim_core::{Figure, Figures};

use super::flaw::Flaw;
use super::outcomes::{OutcomeName, OutcomeSet};
use super::policy::{Beside, Described, Policy, Way};

/// What a fallback answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum FallbackReply {
    /// A default or an old value: a success, counted apart from goodput.
    Degraded,
}

/// An answer in place of a failure.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "reply")]
pub struct FallbackSettings {
    /// Outcomes in whose place the fallback answers. `client_error` and `cancelled` cannot be listed.
    #[setting(default = "[timeout, unavailable, overload, rate_limited, reset, error, breaker_open, pool_timeout]")]
    pub when: Vec<OutcomeName>,
    /// What it answers.
    #[setting(default = "degraded")]
    pub reply: FallbackReply,
    /// How long it takes to answer, or to make the call. It holds nothing but the caller meanwhile.
    #[setting(default = "0s")]
    pub takes: DurationDist,
    /// Another link of the same component, whose answer is the fallback.
    pub call: Option<Spanned<Name>>,
}

const USED: Figure = Figure::count("fallback.used", "Calls answered by the fallback.");

/// Reports how often it answered.
pub fn figures(used: u64, figures: &mut Figures) {
    figures.count(&USED, used);
}

/// Answers in place of failures.
#[derive(Clone, Copy, Debug)]
pub struct Fallback;

impl FallbackSettings {
    /// The outcomes in whose place it answers.
    pub fn outcomes(&self) -> OutcomeSet {
        OutcomeSet::of(&self.when)
    }

    /// How long it takes in words; `None` where it takes no time.
    fn takes_in_words(&self) -> Option<String> {
        match self.takes.0.is_constant() {
            Some(0.0) => None,
            Some(span) => Some(Duration(span as u64).format()),
            None => Some("a time that is drawn".to_string()),
        }
    }
}

impl Policy for Fallback {
    const FIGURES: Set = &[&USED];
    type Settings = FallbackSettings;

    fn way(fallback: &FallbackSettings) -> Way {
        // A good answer of another link is no answer of this one.
        if fallback.call.is_some() { Way::InOrder } else { Way::Plain }
    }

    fn brief(_: &FallbackSettings) -> Option<String> {
        Some("fallback".into())
    }

    fn described(fallback: &FallbackSettings) -> Option<Described> {
        let FallbackReply::Degraded = fallback.reply;
        let takes = fallback.takes_in_words().map_or(String::new(), |takes| format!(" after {takes}"));
        let what =
            fallback.call.as_ref().map_or("degraded".to_string(), |link| format!("a call over {}", link.as_str()));
        Some(Described { words: format!("{what}{takes}"), has_state: false })
    }

    fn flaws(fallback: &FallbackSettings, _: &Beside<'_>) -> Vec<Flaw> {
        let flaw = |(nth, outcome): (usize, &OutcomeName)| {
            let message = match outcome {
                OutcomeName::Ok | OutcomeName::Accepted | OutcomeName::Degraded => {
                    format!("`{}` is not a failure: there is nothing to fall back from", outcome.outcome().name())
                }
                OutcomeName::ClientError => {
                    "a `client_error` is the caller's own mistake: no fallback answers it".into()
                }
                OutcomeName::Cancelled => "nobody waits for the answer of a `cancelled` call".into(),
                OutcomeName::RateLimited
                | OutcomeName::Overload
                | OutcomeName::Unavailable
                | OutcomeName::Error
                | OutcomeName::Timeout
                | OutcomeName::Reset
                | OutcomeName::BreakerOpen
                | OutcomeName::PoolTimeout => return None,
            };
            Some(Flaw { code: "no_effect", key: format!("when.{nth}"), message, help: "remove it".into() })
        };
        let mut flaws: Vec<Flaw> = fallback.when.iter().enumerate().filter_map(flaw).collect();
        if fallback.when.is_empty() {
            let message = "the fallback never answers: no outcome is listed".to_string();
            let help = "list the outcomes in whose place it answers".to_string();
            flaws.push(Flaw { code: "never_reached", key: "when".to_string(), message, help });
        }
        flaws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fallback(text: &str) -> FallbackSettings {
        settings::notation::read(text).expect(text)
    }

    #[test]
    fn it_answers_in_place_of_failures_only() {
        let all = fallback("degraded").outcomes();
        for outcome in sim_core::Outcome::ALL {
            use sim_core::Outcome::{Cancelled, ClientError};
            let is_failure = !outcome.is_good() && !matches!(outcome, ClientError | Cancelled);
            assert_eq!(all.contains(outcome), is_failure, "{outcome:?}");
        }
        let keys = |text: &str| -> Vec<String> {
            let beside = Beside { written: &[], keeps_alive: true };
            Fallback::flaws(&fallback(text), &beside).into_iter().map(|flaw| flaw.key).collect()
        };
        assert_eq!(keys("{when: [timeout, ok, client_error, cancelled]}"), ["when.1", "when.2", "when.3"]);
        assert_eq!(keys("{when: []}"), ["when"]);
        assert_eq!(keys("{when: [breaker_open], takes: {exp: 1ms}}"), [] as [&str; 0]);
    }

    #[test]
    fn it_says_what_it_answers() {
        let words = |text: &str| Fallback::described(&fallback(text)).map(|described| described.words);
        assert_eq!(words("degraded").as_deref(), Some("degraded"));
        assert_eq!(words("{takes: 2ms}").as_deref(), Some("degraded after 2ms"));
        assert_eq!(words("{takes: {exp: 2ms}}").as_deref(), Some("degraded after a time that is drawn"));
        assert_eq!(words("{call: far, takes: 2ms}").as_deref(), Some("a call over far after 2ms"));
    }
}

//! An external service: someone else's, of which only the outside is known.
//!
//! It answers after a latency, well or with an error, as many calls at once as come. What goes beyond its rate limit is
//! answered `rate_limited` at once, with the time after which to come again; what goes beyond the calls that it serves
//! at once is answered `overload`. It notices nothing of callers who give up.

use settings::{DurationDist, Fraction, Name, Setting, Spanned};
use sim_core::figures::Set;
use sim_core::line::{Discipline, Line};
use sim_core::slots::{self, Admission};
use sim_core::{Answer, CallId, Component, Cx, Figures, Next, Outcome, Span, Time, Timer};

use super::kind::{Checks, Kind};
use super::site::Site;
use crate::demand::{Demand, Limits, Outcomes, Surroundings, Waiting};
use crate::door::Door;
use crate::law::Law;
use crate::link::sample;
use crate::policies::gate::{Asking, Gate, Verdict};
use crate::policies::not_yet::NotYet;
use crate::policies::outcomes::OutcomeName;
use crate::policies::rate_limit::{self, LimitBy, RateLimit, RateLimitSettings};

/// How often it answers with an error.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "fraction")]
pub struct ErrorsSettings {
    /// Share of the calls.
    pub fraction: Fraction,
    /// Outcome returned instead of `ok`, after the same latency.
    #[setting(default = "error")]
    pub outcome: OutcomeName,
}

/// How many calls it serves at once.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(bare = "Number")]
pub enum ConcurrencySettings {
    /// Always as many.
    Number(u32),
    /// A fixed limit, from 1 to 10000000.
    Fixed(u32),
    /// More while it goes well, fewer when it does not.
    Aimd(NotYet),
    /// By how long calls wait, as TCP Vegas.
    Vegas(NotYet),
    /// By how times from call to answer change.
    Gradient(NotYet),
    /// The same against a long average.
    Gradient2(NotYet),
    /// Envoy's.
    EnvoyGradient(NotYet),
}

impl ConcurrencySettings {
    /// How many.
    fn most(&self) -> u32 {
        match self {
            ConcurrencySettings::Number(most) | ConcurrencySettings::Fixed(most) => *most,
            ConcurrencySettings::Aimd(never)
            | ConcurrencySettings::Vegas(never)
            | ConcurrencySettings::Gradient(never)
            | ConcurrencySettings::Gradient2(never)
            | ConcurrencySettings::EnvoyGradient(never) => match *never {},
        }
    }
}

/// A third-party service, given by its latency.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// From the arrival of a call to its answer.
    #[setting(live)]
    pub latency: DurationDist,
    /// Share of calls answered with an error. Defaults to none.
    #[setting(live)]
    pub errors: Option<ErrorsSettings>,
    /// Rate limit. All callers share one limiter, unless `by` gives one to each operation, key or client.
    pub rate_limit: Option<RateLimitSettings>,
    /// Calls served concurrently. Unlimited without it.
    #[setting(live)]
    pub concurrency: Option<ConcurrencySettings>,
    /// Region.
    pub region: Option<Spanned<Name>>,
}

impl Settings {
    /// Calls that it serves at once.
    fn most(&self) -> Option<u32> {
        self.concurrency.as_ref().map(ConcurrencySettings::most)
    }
}

const EXAMPLE: &str = "\
kind: external
latency: {lognormal: {p50: 80ms, p99: 400ms}}
errors: {fraction: 1%, outcome: error}
rate_limit: {token_bucket: {rate: 100/s, burst: 20}}
concurrency: 50
";

const ANSWER: u8 = 0;

const PURPOSE_LATENCY: u32 = 0x6c61;
const PURPOSE_ERROR: u32 = 0x6572;

/// The service.
#[derive(Clone, Debug)]
pub struct External {
    settings: Settings,
    changes: Vec<(u32, Settings)>,
    limit: Option<Box<RateLimit>>,
    /// Before the calls that it serves at once: nobody waits there.
    door: Door,
}

impl Kind for External {
    const NAME: &'static str = "external";
    const EXAMPLE: &'static str = EXAMPLE;
    const FIGURES: &'static [Set] = &[slots::FIGURES_OF_PLACES, rate_limit::FIGURES_OF_CALLEES];
    type Settings = Settings;

    fn region(settings: &Settings) -> Option<&Spanned<Name>> {
        settings.region.as_ref()
    }

    fn needs_keys(settings: &Settings) -> bool {
        settings.rate_limit.as_ref().is_some_and(|rate| rate.by == Some(LimitBy::Key))
    }

    fn goes_by_client(settings: &Settings) -> bool {
        settings.rate_limit.as_ref().is_some_and(|rate| rate.by == Some(LimitBy::Client))
    }

    fn limits(settings: &Settings) -> Limits {
        Limits {
            workers: settings.most().map(|most| ("calls at once", most)),
            rate_per_s: settings.rate_limit.as_ref().and_then(RateLimitSettings::rate_per_s),
            waiting: if settings.concurrency.is_some() { Waiting::UpTo(0) } else { Waiting::Never },
            ..Limits::default()
        }
    }

    fn demand(settings: &Settings, _op: &str, _around: &mut Surroundings<'_>) -> Demand {
        let held = Law::of_durations(&settings.latency.0);
        let (share, outcome) =
            settings.errors.as_ref().map_or((0.0, Outcome::Error), |e| (e.fraction.0, e.outcome.outcome()));
        let mut answer = Outcomes::ok(held.weighted(1.0 - share));
        answer.add(outcome, &held.weighted(share));
        Demand { held, answer, ..Demand::default() }
    }

    fn check(settings: &Settings, checks: &mut Checks<'_>) {
        if settings.most().is_some_and(|most| !(1..=10_000_000).contains(&most)) {
            let message = "`concurrency` must be at least 1 and at most 10000000";
            checks.error("out_of_range", checks.span(), "concurrency", message, None);
        }
        for flaw in settings.rate_limit.iter().flat_map(|rate| RateLimitSettings::flaws_of_delays(&rate.limit)) {
            let path = format!("rate_limit.{}", flaw.key);
            checks.error(flaw.code, checks.span(), &path, &flaw.message, Some(&flaw.help));
        }
    }

    fn build(settings: &Settings, _site: &mut Site<'_>) -> External {
        External {
            limit: settings.rate_limit.as_ref().map(|rate| Box::new(RateLimit::new(rate, 0))),
            door: Door::new(settings.most(), Line::new(Discipline::Fifo, Some(0))),
            settings: settings.clone(),
            changes: Vec::new(),
        }
    }

    fn prepare(&mut self, change: u32, settings: &Settings) {
        self.changes.push((change, settings.clone()));
    }
}

impl External {
    /// The rate limit rejects a call.
    fn turned_away(&mut self, cx: &mut Cx<'_>, call: CallId) -> Option<Next> {
        let limit = self.limit.as_mut()?;
        let mut who = Asking {
            id: call.index(),
            op: cx.profile(call).op,
            key: cx.data_key(call),
            client: cx.client(call),
            priority: cx.priority(call),
            is_retry: cx.is_retry(call),
            // A rate limit leaves nothing to chance.
            chance: &mut || 0.0,
        };
        let Verdict::Refuse(refusal) = limit.ask(cx.now(), &mut who) else { return None };
        let microseconds = refusal.retry_after.div_ceil(1_000).min(Span::from(u32::MAX)) as u32;
        Some(Next::reply(call, cx.answer(refusal.outcome).with_retry_after_us(microseconds)))
    }
}

impl Component for External {
    fn on_call(&mut self, cx: &mut Cx<'_>, call: CallId) -> Next {
        if let Some(refused) = self.turned_away(cx, call) {
            return refused;
        }
        if self.door.enter(cx, call, cx.priority(call)) != Admission::Granted {
            return Next::reply(call, cx.answer(Outcome::Overload));
        }
        self.door.note(cx, call);
        let latency = sample(&self.settings.latency.0, cx, call, PURPOSE_LATENCY);
        cx.work(latency, Timer::of(ANSWER, call));
        Next::WAIT
    }

    fn on_reply(&mut self, _cx: &mut Cx<'_>, _call: CallId, _child: CallId, _answer: Answer) -> Next {
        unreachable!("an external service calls nobody")
    }

    fn on_timer(&mut self, cx: &mut Cx<'_>, timer: Timer) -> Next {
        let call = timer.call();
        self.door.leave(cx, call);
        let outcome = match &self.settings.errors {
            Some(errors) if cx.draw(call, PURPOSE_ERROR).unit() < errors.fraction.0 => errors.outcome.outcome(),
            _ => Outcome::Ok,
        };
        Next::reply(call, cx.answer(outcome))
    }

    fn rebuild(&mut self, now: Time) {
        self.door.clear(now);
        self.limit.iter_mut().for_each(|limit| limit.rebuild(now));
    }

    fn begin_measuring(&mut self, now: Time) {
        self.door.begin_measuring(now);
        self.limit.iter_mut().for_each(|limit| limit.begin_measuring(now));
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        self.door.places().figures_of_places(now, figures);
        self.limit.iter().for_each(|limit| limit.figures(now, figures));
    }

    fn adopt(&mut self, cx: &mut Cx<'_>, change: u32) -> bool {
        let Some((_, settings)) = self.changes.iter().find(|(number, _)| *number == change) else { return false };
        self.settings = settings.clone();
        self.door.adopt(cx.now(), self.settings.most(), Some(0));
        match (&mut self.limit, &self.settings.rate_limit) {
            (Some(limit), Some(settings)) => limit.adopt(cx.now(), settings),
            (limit, settings) => *limit = settings.as_ref().map(|rate| Box::new(RateLimit::new(rate, cx.now()))),
        }
        true
    }
}

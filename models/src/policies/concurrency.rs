//! A bound on the attempts under way over a link: a bulkhead, or a limit that adapts.
//!
//! An attempt holds a place from the moment it is let pass until it ends. Where none is free it waits, first come first
//! served and at most `wait`, and is then refused with `overload`. (resilience4j, `SemaphoreBulkhead.java`: 25 calls at
//! once, no wait.) How many places there are is fixed, or learnt from how attempts end ([`super::limits`]). An attempt that ends well
//! is a sample of the time it took; one that the callee turns away, or that ends in `timeout`, `unavailable` or `reset`, is one that
//! was dropped; one that fails otherwise, is cancelled or is refused further in says nothing (the listener in Netflix's
//! `Limiter.java`: success, dropped, ignore). Envoy takes the time of every attempt that is answered or times out.

use std::collections::VecDeque;

use settings::values::Scalar;
use settings::{Duration, Setting};
use sim_core::figures::Set;
use sim_core::gauge::Gauge;
use sim_core::{Figure, Figures, Happens, Outcome, Span, Time};

use super::flaw::Flaw;
use super::gate::{Asking, End, Gate, Permit, Refusal, Verdict};
use super::limits::envoy_thresholds::{EnvoyThresholdsSettings, Fate};
use super::limits::window::{Window, WindowSettings};
use super::limits::{Adaptive, Chances, LimitSettings, Sample};
use super::outcomes::{OutcomeName, OutcomeSet};
use super::policy::{Beside, Described, Passes, Policy};

/// A bound on the attempts under way.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ConcurrencySettings {
    /// How the limit is set.
    #[setting(flatten)]
    pub limit: LimitSettings,
    /// Time that an attempt waits for a slot. The default is resilience4j's: it does not wait.
    #[setting(default = "0s", live)]
    pub wait: Duration,
    /// Shows a limit that adapts what became of all attempts of a while together. Without it, it adapts with each attempt.
    pub window: Option<WindowSettings>,
}

/// The bound on the attempts of one calling replica.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    /// What it is made of.
    settings: LimitSettings,
    limit: u32,
    /// What learns the limit, if anything does.
    adaptive: Option<Adaptive>,
    window: Option<Window>,
    chances: Chances,
    wait: Span,
    /// Places held.
    held: Gauge,
    /// Who waits, and since when.
    line: VecDeque<(u32, Time)>,
    waiting: Gauge,
    /// Tries whose wait was up at this instant or before are refused. Until all that ends at an instant has ended, a place may still
    /// become free for a waiter whose time is up at that instant.
    expired: Time,
    refused: u64,
    told: Option<&'static Happens>,
}

fn refusal() -> Refusal {
    Refusal { outcome: Outcome::Overload, retry_after: 0 }
}

const LIMIT: Figure = Figure::level("limit", "Attempts that may be in flight at once, over all callers.").kept();
const ACTIVE: Figure = Figure::gauge("concurrency.active", "Attempts in flight, time average.").sampled();
const WAITING: Figure = Figure::gauge("concurrency.waiting", "Attempts waiting for a slot, time average.").sampled();
const REFUSED: Figure = Figure::count("concurrency.refused", "Attempts rejected because too many were in flight.");

/// The figures of a limit before which nobody waits, since there is a queue.
pub const FIGURES_OF_CALLEES: Set = &[&LIMIT, &ACTIVE];

/// A limit that adapts has fallen to its minimum.
pub static LIMIT_LOWEST: Happens = Happens {
    name: "concurrency_limit_lowest",
    doc: "An adaptive concurrency limit has fallen to its minimum: attempts take longer or are dropped.",
};
/// A limit that adapts has reached its maximum.
pub static LIMIT_HIGHEST: Happens = Happens {
    name: "concurrency_limit_highest",
    doc: "An adaptive concurrency limit has reached its maximum: it does not protect the callee any more.",
};

impl Policy for Bulkhead {
    const FIGURES: Set = &[&LIMIT, &ACTIVE, &WAITING, &REFUSED];
    const HAPPENS: &'static [&'static Happens] = &[&LIMIT_LOWEST, &LIMIT_HIGHEST];
    type Settings = ConcurrencySettings;

    fn brief(settings: &ConcurrencySettings) -> Option<String> {
        Some(match settings.fixed() {
            Some(most) => format!("concurrency {most}"),
            None => format!("concurrency {}", settings.limit.word()),
        })
    }

    fn holds_up(settings: &ConcurrencySettings) -> Span {
        settings.wait.0
    }

    fn passes(settings: &ConcurrencySettings) -> Option<Passes> {
        let Some(places) = settings.fixed() else { return Some(Passes::Some) };
        let waits = settings.wait.0 > 0 || settings.thresholds().is_some_and(|thresholds| thresholds.pending > 0);
        Some(Passes::AtOnce { places, waits, otherwise: Outcome::Overload })
    }

    fn described(settings: &ConcurrencySettings) -> Option<Described> {
        let most = match (settings.fixed(), settings.limit.bounds()) {
            (None, Some((least, most))) => format!("{least} to {most} at once, by {}", settings.limit.word()),
            (fixed, _) => format!("{} at once", fixed.unwrap_or_default()),
        };
        let wait = match settings.thresholds() {
            Some(thresholds) => format!("{} may be pending", thresholds.pending),
            None if settings.wait.0 == 0 => "no wait".into(),
            None => format!("waits {}", settings.wait.format()),
        };
        Some(Described { words: format!("{most}, {wait}"), has_state: true })
    }

    fn flaws(settings: &ConcurrencySettings, _: &Beside<'_>) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut flaw = |code, key: &str, message: String, help: &str| {
            flaws.push(Flaw { code, key: key.to_string(), message, help: help.to_string() });
        };
        if let Some((key, message)) = settings.limit.flaw() {
            let key = format!("{}.{key}", settings.limit.word());
            flaw("out_of_range", &key, message, "write `min`, `initial` and `max` in this order, or leave them out");
        }
        if settings.window.is_some() && !settings.takes_window() {
            let message = format!("`{}` does not learn from single attempts", settings.limit.word());
            flaw("no_effect", "window", message, "remove it");
        }
        if settings.wait.0 > 0 && settings.thresholds().is_some() {
            let message = "pending requests wait as long as their callers do".to_string();
            flaw("no_effect", "wait", message, "remove it, and bound `envoy_thresholds.pending`");
        }
        flaws
    }
}

impl ConcurrencySettings {
    /// The bound, where it does not adapt.
    pub fn fixed(&self) -> Option<u32> {
        match &self.limit {
            LimitSettings::Fixed(most) => Some(*most),
            LimitSettings::EnvoyThresholds(thresholds) => Some(thresholds.most()),
            LimitSettings::Aimd(_)
            | LimitSettings::Vegas(_)
            | LimitSettings::Gradient(_)
            | LimitSettings::Gradient2(_)
            | LimitSettings::EnvoyGradient(_) => None,
        }
    }

    /// What is wrong with a limit of the calls that a callee serves.
    pub fn flaws_at_callee(&self) -> Vec<Flaw> {
        let beside = Beside { written: &[], keeps_alive: true };
        let mut flaws = Bulkhead::flaws(self, &beside);
        if self.wait.0 > 0 {
            flaws.push(Flaw {
                code: "no_effect",
                key: "wait".to_string(),
                message: "calls wait in `admission.queue`".to_string(),
                help: "remove it, and write `admission.queue.max_age`".to_string(),
            });
        }
        if self.thresholds().is_some() {
            flaws.push(Flaw {
                code: "no_effect",
                key: "envoy_thresholds".to_string(),
                message: "Envoy's thresholds are those of a caller".to_string(),
                help: "write `fixed`, or put them on the links that lead here".to_string(),
            });
        }
        flaws
    }

    fn thresholds(&self) -> Option<&EnvoyThresholdsSettings> {
        thresholds(&self.limit)
    }

    /// Whether a window can stand around it: Netflix's limits have one, Envoy's has its own.
    fn takes_window(&self) -> bool {
        match &self.limit {
            LimitSettings::Aimd(_)
            | LimitSettings::Vegas(_)
            | LimitSettings::Gradient(_)
            | LimitSettings::Gradient2(_) => true,
            LimitSettings::Fixed(_) | LimitSettings::EnvoyGradient(_) | LimitSettings::EnvoyThresholds(_) => false,
        }
    }
}

fn thresholds(limit: &LimitSettings) -> Option<&EnvoyThresholdsSettings> {
    match limit {
        LimitSettings::EnvoyThresholds(thresholds) => Some(thresholds),
        LimitSettings::Fixed(_)
        | LimitSettings::Aimd(_)
        | LimitSettings::Vegas(_)
        | LimitSettings::Gradient(_)
        | LimitSettings::Gradient2(_)
        | LimitSettings::EnvoyGradient(_) => None,
    }
}

/// How an attempt ended, as a limit that adapts is told: whether it was dropped; `None` where that says nothing.
fn is_drop(limit: &LimitSettings, end: End) -> Option<bool> {
    const DROPS: [OutcomeName; 5] = [
        OutcomeName::Timeout,
        OutcomeName::Overload,
        OutcomeName::RateLimited,
        OutcomeName::Unavailable,
        OutcomeName::Reset,
    ];
    match end {
        End::Refused(_) | End::Dropped => None,
        End::Answered(_) | End::GivenUp(_) if matches!(limit, LimitSettings::EnvoyGradient(_)) => Some(false),
        End::Answered(outcome) | End::GivenUp(outcome) if outcome.is_good() => Some(false),
        End::Answered(outcome) | End::GivenUp(outcome) => OutcomeSet::of(&DROPS).contains(outcome).then_some(true),
    }
}

impl Bulkhead {
    /// The limit as at the start of a run.
    fn begin(&mut self, now: Time) {
        self.adaptive = self.settings.adaptive(now, &mut self.chances);
        if let Some(adaptive) = &self.adaptive {
            self.limit = adaptive.limit();
        }
    }

    /// What is learnt has changed, perhaps.
    fn learn(&mut self) {
        let Some(adaptive) = &self.adaptive else { return };
        let before = std::mem::replace(&mut self.limit, adaptive.limit());
        let Some((least, most)) = self.settings.bounds().filter(|_| before != self.limit) else { return };
        if self.limit == least {
            self.told = Some(&LIMIT_LOWEST);
        } else if self.limit == most {
            self.told = Some(&LIMIT_HIGHEST);
        }
    }

    /// What becomes of an attempt that asks.
    fn fate(&self) -> Fate {
        if let Some(thresholds) = thresholds(&self.settings) {
            return thresholds.fate(self.held.value(), self.line.len() as u64);
        }
        if self.line.is_empty() && self.held.value() < u64::from(self.limit) {
            return Fate::Passes;
        }
        if self.wait == 0 { Fate::Overflows } else { Fate::Pends }
    }

    /// When the time of one is up who has waited since an instant; `None` where it waits as long as its caller does.
    fn expires(&self, since: Time) -> Option<Time> {
        thresholds(&self.settings).is_none().then(|| since.saturating_add(self.wait))
    }

    /// Reports [`FIGURES_OF_CALLEES`].
    pub fn figures_at_callee(&self, now: Time, figures: &mut Figures) {
        figures.level(&LIMIT, u64::from(self.limit));
        figures.gauge(&ACTIVE, &self.held, now);
    }

    /// How many attempts may be under way now.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// How many are.
    pub fn held(&self) -> u64 {
        self.held.value()
    }

    /// Whether another one may begin.
    pub fn has_room(&self) -> bool {
        self.held.value() < u64::from(self.limit)
    }

    /// One begins, whether there is room or not.
    pub fn hold(&mut self, now: Time) -> Permit {
        self.held.up(now);
        Permit(u32::try_from(self.held.value()).unwrap_or(u32::MAX))
    }
}

impl Gate for Bulkhead {
    type Settings = ConcurrencySettings;

    fn new(settings: &ConcurrencySettings, now: Time) -> Bulkhead {
        let mut gate = Bulkhead {
            settings: settings.limit.clone(),
            limit: settings.fixed().unwrap_or(1),
            adaptive: None,
            window: settings.window.as_ref().map(Window::new),
            chances: Chances::of(0),
            wait: settings.wait.0,
            held: Gauge::new(now, 0),
            line: VecDeque::new(),
            waiting: Gauge::new(now, 0),
            expired: 0,
            refused: 0,
            told: None,
        };
        gate.begin(now);
        gate
    }

    fn seed(&mut self, now: Time, key: u64) {
        self.chances = Chances::of(key);
        self.begin(now);
    }

    fn ask(&mut self, now: Time, who: &mut Asking<'_>) -> Verdict {
        match self.fate() {
            Fate::Passes => Verdict::Pass(self.hold(now)),
            Fate::Overflows => {
                self.refused += 1;
                Verdict::Refuse(refusal())
            }
            Fate::Pends => {
                self.line.push_back((who.id, now));
                self.waiting.up(now);
                Verdict::Wait
            }
        }
    }

    fn ended(&mut self, now: Time, permit: Permit, passed: Time, end: End) {
        self.held.down(now);
        let Some(adaptive) = &mut self.adaptive else { return };
        let Some(is_drop) = is_drop(&self.settings, end) else { return };
        let sample = Sample { began: passed, took: now - passed, in_flight: permit.0, is_drop };
        let shown = match &mut self.window {
            Some(window) => window.sampled(sample),
            None => Some(sample),
        };
        if let Some(sample) = shown {
            adaptive.sampled(sample, &mut self.chances);
            self.learn();
        }
    }

    fn leave(&mut self, now: Time, id: u32) {
        self.line.retain(|(waiting, _)| *waiting != id);
        self.waiting.set(now, self.line.len() as u64);
    }

    fn due(&self) -> Option<Time> {
        let expires = self.line.front().and_then(|(_, since)| self.expires(*since));
        let adapts = self.adaptive.as_ref().and_then(Adaptive::due);
        [expires, adapts].into_iter().flatten().min()
    }

    fn came_due(&mut self, now: Time) {
        self.expired = now;
        if let Some(adaptive) = self.adaptive.as_mut().filter(|adaptive| adaptive.due().is_some_and(|due| due <= now)) {
            adaptive.came_due(now, &mut self.chances);
            self.learn();
        }
    }

    fn next(&mut self, now: Time) -> Option<(u32, Result<Permit, Refusal>)> {
        let (id, since) = *self.line.front()?;
        if self.held.value() < u64::from(self.limit) {
            self.line.pop_front();
            self.waiting.down(now);
            return Some((id, Ok(self.hold(now))));
        }
        if self.expires(since).is_none_or(|expires| self.expired < expires) {
            return None;
        }
        self.line.pop_front();
        self.waiting.down(now);
        self.refused += 1;
        Some((id, Err(refusal())))
    }

    fn adopt(&mut self, now: Time, settings: &ConcurrencySettings) {
        self.wait = settings.wait.0;
        if settings.limit != self.settings {
            self.settings = settings.limit.clone();
            self.limit = settings.fixed().unwrap_or(1);
            self.begin(now);
        }
    }

    fn rebuild(&mut self, now: Time) {
        self.held.set(now, 0);
        self.line.clear();
        self.waiting.set(now, 0);
        self.window = self.window.take().map(Window::emptied);
        self.begin(now);
    }

    fn begin_measuring(&mut self, now: Time) {
        self.held.reset(now);
        self.waiting.reset(now);
        self.refused = 0;
    }

    fn figures(&self, now: Time, figures: &mut Figures) {
        figures.level(&LIMIT, u64::from(self.limit));
        figures.gauge(&ACTIVE, &self.held, now);
        figures.gauge(&WAITING, &self.waiting, now);
        figures.count(&REFUSED, self.refused);
    }

    fn told(&mut self) -> Option<&'static Happens> {
        self.told.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::random::Stream;

    fn settings(text: &str) -> ConcurrencySettings {
        settings::notation::read(text).expect("a limit")
    }

    fn ask(gate: &mut Bulkhead, now: Time, id: u32) -> Verdict {
        let mut who = Asking { id, op: 0, key: 0, client: 0, priority: 2, is_retry: false, chance: &mut || 0.5 };
        gate.ask(now, &mut who)
    }

    #[test]
    fn it_agrees_with_a_list_of_holders_and_waiters() {
        for (limit, wait) in [(1, 0), (3, 0), (1, 5), (3, 5), (2, 100)] {
            let settings = settings(&format!("{{fixed: {limit}, wait: {wait}ns}}"));
            let mut gate = Bulkhead::new(&settings, 0);
            let mut stream = Stream::named(7, "bulkhead");
            // The obvious way: who holds a place, who waits until when.
            let (mut holders, mut waiters, mut now): (usize, Vec<(u32, Time)>, Time) = (0, Vec::new(), 0);
            for id in 0..5_000 {
                now += stream.below(3);
                // Waiters whose time was up before this instant have been refused by then.
                while let Some(due) = gate.due().filter(|due| *due < now) {
                    gate.came_due(due);
                    let (refused, verdict) = gate.next(due).expect("it is due");
                    assert_eq!((refused, verdict), (waiters.remove(0).0, Err(refusal())));
                }
                match stream.below(5) {
                    0 | 1 => {
                        let verdict = ask(&mut gate, now, id);
                        if holders < limit && waiters.is_empty() {
                            holders += 1;
                            assert_eq!(verdict, Verdict::Pass(Permit(holders as u32)));
                        } else if wait == 0 {
                            assert_eq!(verdict, Verdict::Refuse(refusal()));
                        } else {
                            waiters.push((id, now + wait));
                            assert_eq!(verdict, Verdict::Wait);
                        }
                    }
                    2 if !waiters.is_empty() => {
                        let leaver = waiters.remove(stream.below(waiters.len() as u64) as usize);
                        gate.leave(now, leaver.0);
                    }
                    _ if holders > 0 => {
                        holders -= 1;
                        gate.ended(now, Permit::default(), 0, End::Dropped);
                    }
                    _ => {}
                }
                while holders < limit && !waiters.is_empty() {
                    holders += 1;
                    assert_eq!(gate.next(now), Some((waiters.remove(0).0, Ok(Permit(holders as u32)))));
                }
                assert_eq!(gate.next(now), None);
                assert_eq!(gate.due(), waiters.first().map(|(_, until)| *until));
            }
        }
    }

    /// What is learnt from which end; S is a sample, D a drop, - nothing.
    #[test]
    fn ends_are_samples_drops_or_nothing() {
        use Outcome::{ClientError, Degraded, Error, Ok, Overload, RateLimited, Reset, Timeout, Unavailable};
        let said = |text: &str| -> String {
            let limit = settings(text).limit;
            let answered = [Ok, Degraded, Overload, RateLimited, Unavailable, Reset, Error, ClientError];
            let ends = answered.map(End::Answered).into_iter().chain([End::GivenUp(Timeout)]);
            let ends = ends.chain([End::Refused(Outcome::PoolTimeout), End::Dropped]);
            ends.map(|end| is_drop(&limit, end).map_or('-', |drops| if drops { 'D' } else { 'S' })).collect()
        };
        assert_eq!(said("vegas"), "SSDDDD--D--");
        assert_eq!(said("aimd"), "SSDDDD--D--");
        assert_eq!(said("envoy_gradient"), "SSSSSSSSS--");
    }

    /// The whole of it with AIMD: the limit falls with drops, and those who wait are let on as it rises.
    #[test]
    fn a_limit_that_adapts_lets_more_or_fewer_pass() {
        let mut gate = Bulkhead::new(&settings("{aimd: {initial: 2, min: 1, max: 3}, wait: 1s}"), 0);
        let passes = |n| Verdict::Pass(Permit(n));
        assert_eq!(
            [ask(&mut gate, 0, 1), ask(&mut gate, 0, 2), ask(&mut gate, 0, 3)],
            [passes(1), passes(2), Verdict::Wait]
        );
        // One of two is half of the limit: it rises to 3, which is the most, and lets two more pass.
        gate.ended(10, Permit(1), 0, End::Answered(Outcome::Ok));
        assert_eq!((gate.limit, gate.told().map(|what| what.name)), (3, Some("concurrency_limit_highest")));
        assert_eq!(gate.next(10), Some((3, Ok(Permit(2)))));
        assert_eq!(ask(&mut gate, 10, 4), passes(3));
        // 3 × 0.9 and 2 × 0.9 are cut to 2 and 1.
        gate.ended(20, Permit(2), 0, End::Answered(Outcome::Overload));
        assert_eq!((gate.limit, gate.told()), (2, None));
        assert_eq!(ask(&mut gate, 20, 5), Verdict::Wait);
        gate.ended(30, Permit(2), 10, End::GivenUp(Outcome::Timeout));
        assert_eq!((gate.limit, gate.told().map(|what| what.name)), (1, Some("concurrency_limit_lowest")));
        assert_eq!(gate.next(30), None);
        gate.ended(40, Permit(3), 10, End::Dropped);
        assert_eq!(gate.next(40), Some((5, Ok(Permit(1)))));
        gate.rebuild(50);
        assert_eq!((gate.limit, gate.held.value(), gate.due()), (2, 0, None));
    }

    #[test]
    fn a_window_shows_the_limit_many_attempts_at_once() {
        let mut gate =
            Bulkhead::new(&settings("{aimd: {initial: 2, min: 1}, window: {samples: 3, min: 1ms, max: 1ms}}"), 0);
        let mut limits = Vec::new();
        for nth in 0..8 {
            let now = nth * 1_000_000;
            assert_eq!(ask(&mut gate, now, 1), Verdict::Pass(Permit(1)));
            let outcome = if nth == 5 { Outcome::Overload } else { Outcome::Ok };
            gate.ended(now + 400_000, Permit(1), now, End::Answered(outcome));
            limits.push(gate.limit);
        }
        // Windows of 1 ms with a sample each have too few.
        assert_eq!(limits, [2; 8]);
        for nth in 0..9 {
            let now = 20_000_000 + nth * 300_000;
            ask(&mut gate, now, 1);
            gate.ended(now + 100_000, Permit(1), now, End::Answered(Outcome::Ok));
            limits.push(gate.limit);
        }
        // Windows end with the first sample and with every fourth one behind it.
        assert_eq!(limits[8..], [2, 2, 2, 2, 3, 3, 3, 3, 3]);
    }

    /// Thresholds let as many pend as they say, for as long as it takes.
    #[test]
    fn pending_requests_wait_as_long_as_it_takes() {
        let mut gate = Bulkhead::new(&settings("{envoy_thresholds: {connections: 1, pending: 1}}"), 0);
        assert_eq!(
            [1, 2, 3].map(|id| ask(&mut gate, 0, id)),
            [Verdict::Pass(Permit(1)), Verdict::Wait, Verdict::Refuse(refusal())]
        );
        assert_eq!((gate.due(), gate.next(1_000_000_000_000)), (None, None));
        gate.ended(2_000_000_000_000, Permit(1), 0, End::Answered(Outcome::Ok));
        assert_eq!(gate.next(2_000_000_000_000), Some((2, Ok(Permit(1)))));
    }

    #[test]
    fn what_has_no_effect_is_wrong() {
        let flaws = |text: &str| -> Vec<String> {
            let beside = Beside { written: &[], keeps_alive: true };
            Bulkhead::flaws(&settings(text), &beside).into_iter().map(|flaw| flaw.key).collect()
        };
        assert_eq!(flaws("{vegas: {}, window: {}}"), [] as [&str; 0]);
        assert_eq!(flaws("{fixed: 3, window: {}}"), ["window"]);
        assert_eq!(flaws("{envoy_gradient: {}, window: {}}"), ["window"]);
        assert_eq!(flaws("{envoy_thresholds: {}, wait: 1s}"), ["wait"]);
        assert_eq!(flaws("{aimd: {min: 30}}"), ["aimd.initial"]);
        assert_eq!(flaws("{gradient2: {min: 300}}"), ["gradient2.min"]);
    }
}

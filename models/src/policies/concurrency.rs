//! A bound on the attempts under way over a link: a bulkhead.
//!
//! An attempt holds a place from the moment it is let pass until it ends. Where none is free it waits, first come first
//! served and at most `wait`, and is then refused with `overload`. (resilience4j, `SemaphoreBulkhead.java`: 25 calls at
//! once, no wait.)

use std::collections::VecDeque;

use settings::values::Scalar;
use settings::{Duration, Setting};
use sim_core::figures::Set;
use sim_core::gauge::Gauge;
use sim_core::{Figure, Figures, Outcome, Span, Time};

use super::gate::{Asking, End, Gate, Permit, Refusal, Verdict};
use super::not_yet::NotYet;
use super::policy::{Described, Passes, Policy};

/// How the limit is set.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum LimitSettings {
    /// A fixed number, from 1 to 10000000.
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
    /// Envoy's caps on connections and requests.
    EnvoyThresholds(NotYet),
}

/// A bound on the attempts under way.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct ConcurrencySettings {
    /// How the limit is set.
    #[setting(flatten)]
    pub limit: LimitSettings,
    /// Time that an attempt waits for a slot. The default is resilience4j's: it does not wait.
    #[setting(default = "0s", live)]
    pub wait: Duration,
}

/// A fixed bound.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    limit: u32,
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
}

fn refusal() -> Refusal {
    Refusal { outcome: Outcome::Overload, retry_after: 0 }
}

const LIMIT: Figure = Figure::level("limit", "Attempts that may be in flight at once, over all callers.");
const ACTIVE: Figure = Figure::gauge("concurrency.active", "Attempts in flight, time average.").sampled();
const WAITING: Figure = Figure::gauge("concurrency.waiting", "Attempts waiting for a slot, time average.").sampled();
const REFUSED: Figure = Figure::count("concurrency.refused", "Attempts rejected because too many were in flight.");

impl Policy for Bulkhead {
    const FIGURES: Set = &[&LIMIT, &ACTIVE, &WAITING, &REFUSED];
    type Settings = ConcurrencySettings;

    fn brief(settings: &ConcurrencySettings) -> Option<String> {
        Some(format!("concurrency {}", settings.most()))
    }

    fn holds_up(settings: &ConcurrencySettings) -> Span {
        settings.wait.0
    }

    fn passes(settings: &ConcurrencySettings) -> Option<Passes> {
        Some(Passes::AtOnce { places: settings.most(), waits: settings.wait.0 > 0, otherwise: Outcome::Overload })
    }

    fn described(settings: &ConcurrencySettings) -> Option<Described> {
        let wait = if settings.wait.0 == 0 { "no wait".into() } else { format!("waits {}", settings.wait.format()) };
        Some(Described { words: format!("{} at once, {wait}", settings.most()), has_state: true })
    }
}

impl ConcurrencySettings {
    /// The bound.
    pub fn most(&self) -> u32 {
        match &self.limit {
            LimitSettings::Fixed(most) => *most,
            LimitSettings::Aimd(never)
            | LimitSettings::Vegas(never)
            | LimitSettings::Gradient(never)
            | LimitSettings::Gradient2(never)
            | LimitSettings::EnvoyGradient(never)
            | LimitSettings::EnvoyThresholds(never) => match *never {},
        }
    }
}

impl Gate for Bulkhead {
    type Settings = ConcurrencySettings;

    fn new(settings: &ConcurrencySettings, now: Time) -> Bulkhead {
        Bulkhead {
            limit: settings.most(),
            wait: settings.wait.0,
            held: Gauge::new(now, 0),
            line: VecDeque::new(),
            waiting: Gauge::new(now, 0),
            expired: 0,
            refused: 0,
        }
    }

    fn ask(&mut self, now: Time, who: &mut Asking<'_>) -> Verdict {
        if self.line.is_empty() && self.held.value() < u64::from(self.limit) {
            self.held.up(now);
            return Verdict::Pass(Permit::default());
        }
        if self.wait == 0 {
            self.refused += 1;
            return Verdict::Refuse(refusal());
        }
        self.line.push_back((who.id, now));
        self.waiting.up(now);
        Verdict::Wait
    }

    fn ended(&mut self, now: Time, _: Permit, _: Time, _: End) {
        self.held.down(now);
    }

    fn leave(&mut self, now: Time, id: u32) {
        self.line.retain(|(waiting, _)| *waiting != id);
        self.waiting.set(now, self.line.len() as u64);
    }

    fn due(&self) -> Option<Time> {
        self.line.front().map(|(_, since)| since.saturating_add(self.wait))
    }

    fn came_due(&mut self, now: Time) {
        self.expired = now;
    }

    fn next(&mut self, now: Time) -> Option<(u32, Result<Permit, Refusal>)> {
        let (id, since) = *self.line.front()?;
        if self.held.value() < u64::from(self.limit) {
            self.line.pop_front();
            self.waiting.down(now);
            self.held.up(now);
            return Some((id, Ok(Permit::default())));
        }
        if self.expired < since.saturating_add(self.wait) {
            return None;
        }
        self.line.pop_front();
        self.waiting.down(now);
        self.refused += 1;
        Some((id, Err(refusal())))
    }

    fn adopt(&mut self, _: Time, settings: &ConcurrencySettings) {
        (self.limit, self.wait) = (settings.most(), settings.wait.0);
    }

    fn rebuild(&mut self, now: Time) {
        self.held.set(now, 0);
        self.line.clear();
        self.waiting.set(now, 0);
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
                            assert_eq!(verdict, Verdict::Pass(Permit::default()));
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
                    assert_eq!(gate.next(now), Some((waiters.remove(0).0, Ok(Permit::default()))));
                }
                assert_eq!(gate.next(now), None);
                assert_eq!(gate.due(), waiters.first().map(|(_, until)| *until));
            }
        }
    }
}

//! A bound on the attempts under way over a link: a bulkhead.
//!
//! An attempt holds a place from the moment it is let pass until it ends. Where none is free it waits, first come first
//! served and at most `wait`, and is then refused with `overload`. (resilience4j, `SemaphoreBulkhead.java`: 25 calls at
//! once, no wait.)

use std::collections::VecDeque;

use settings::values::Scalar;
use settings::{Duration, Setting};
use sim_core::gauge::Gauge;
use sim_core::{Figures, Merge, Outcome, Span, Time};

use super::gate::{Asking, End, Gate, Permit, Refusal, Verdict};
use super::not_yet::NotYet;
use super::policy::{Described, Policy};

/// How the bound is found.
#[derive(Clone, Debug, PartialEq, Setting)]
pub enum LimitSettings {
    /// It is given: at least 1, at most 10000000.
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
    /// How the bound is found.
    #[setting(flatten)]
    pub limit: LimitSettings,
    /// How long an attempt waits for a place. resilience4j's default is not at all.
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
    refused: u64,
}

fn refusal() -> Refusal {
    Refusal { outcome: Outcome::Overload, retry_after: 0 }
}

impl Policy for Bulkhead {
    type Settings = ConcurrencySettings;

    fn brief(settings: &ConcurrencySettings) -> Option<String> {
        Some(format!("concurrency {}", settings.most()))
    }

    fn described(settings: &ConcurrencySettings) -> Option<Described> {
        let wait = match settings.wait.0 {
            0 => "no wait".into(),
            _ => format!("waits {}", settings.wait.format()),
        };
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
        let held = Gauge::new(now, 0);
        Bulkhead { limit: settings.most(), wait: settings.wait.0, held, line: VecDeque::new(), refused: 0 }
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
        Verdict::Wait
    }

    fn ended(&mut self, now: Time, _: Permit, _: Time, _: End) {
        self.held.down(now);
    }

    fn leave(&mut self, _: Time, id: u32) {
        self.line.retain(|(waiting, _)| *waiting != id);
    }

    fn due(&self) -> Option<Time> {
        self.line.front().map(|(_, since)| since.saturating_add(self.wait))
    }

    fn next(&mut self, now: Time) -> Option<(u32, Result<Permit, Refusal>)> {
        let (id, since) = *self.line.front()?;
        if self.held.value() < u64::from(self.limit) {
            self.line.pop_front();
            self.held.up(now);
            return Some((id, Ok(Permit::default())));
        }
        if now < since.saturating_add(self.wait) {
            return None;
        }
        self.line.pop_front();
        self.refused += 1;
        Some((id, Err(refusal())))
    }

    fn adopt(&mut self, _: Time, settings: &ConcurrencySettings) {
        (self.limit, self.wait) = (settings.most(), settings.wait.0);
    }

    fn rebuild(&mut self, now: Time) {
        self.held.set(now, 0);
        self.line.clear();
    }

    fn begin_measuring(&mut self, now: Time) {
        self.held.reset(now);
        self.refused = 0;
    }

    fn figures(&self, _: Time, figures: &mut Figures) {
        figures.own.push(("limit", Merge::Sum, f64::from(self.limit)));
        figures.own.push(("limit_refused", Merge::Sum, self.refused as f64));
    }
}

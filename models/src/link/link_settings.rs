//! How a scenario says that one component calls another.

use settings::{Duration, Name, OneOrMany, Setting, Spanned};

use crate::policies::batch::BatchSettings;
use crate::policies::coalesce::CoalesceSettings;
use crate::policies::network::NetworkSettings;
use crate::policies::not_yet::NotYet;
use crate::policies::pool::PoolSettings;
use crate::policies::presets::OrPreset;
use crate::policies::retry::RetrySettings;

/// One target of a link, with its share of the calls.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "to")]
pub struct TargetSettings {
    /// The component that is called.
    pub to: Spanned<Name>,
    /// Its share, relative to the others'.
    #[setting(default = 1, range = "0..=1000000")]
    pub weight: f64,
}

/// What travels along a call beside the call itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setting)]
pub enum Propagated {
    /// The instant after which nobody wants the answer: expired work is dropped at dequeue and before each step.
    Deadline,
    /// Giving up: the callee is told to stop.
    Cancel,
}

/// How one component (or a workload) calls another.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "to")]
pub struct LinkSettings {
    /// Who is called: a name, a list of names, or a list of `{to, weight}`.
    pub to: OneOrMany<TargetSettings>,
    /// How long the caller waits for one attempt.
    #[setting(live)]
    pub timeout: Option<Duration>,
    /// Bounds everything: waits, attempts and back-offs together.
    #[setting(live)]
    pub total_timeout: Option<Duration>,
    /// Whether and how a failed attempt is made again.
    #[setting(live)]
    pub retry: Option<RetrySettings>,
    /// The connections that calls over this link share.
    pub pool: Option<OrPreset<PoolSettings>>,
    /// Identical calls under way share one.
    pub coalesce: Option<CoalesceSettings>,
    /// Many calls become one.
    pub batch: Option<BatchSettings>,
    /// What lies between.
    pub network: Option<NetworkSettings>,
    /// What travels along.
    #[setting(default = "[]")]
    pub propagate: Vec<Propagated>,
    /// A second copy after a delay.
    pub hedge: Option<NotYet>,
    /// Stop calling what fails.
    pub breaker: Option<NotYet>,
    /// A bound on the rate.
    pub rate_limit: Option<NotYet>,
    /// A bound on the calls under way.
    pub concurrency: Option<NotYet>,
    /// Client-side rejection by accept rate.
    pub throttle: Option<NotYet>,
    /// What answers instead.
    pub fallback: Option<NotYet>,
}

impl LinkSettings {
    /// A link with no policies.
    pub fn bare(to: OneOrMany<TargetSettings>) -> LinkSettings {
        LinkSettings {
            to,
            timeout: None,
            total_timeout: None,
            retry: None,
            pool: None,
            coalesce: None,
            batch: None,
            network: None,
            propagate: Vec::new(),
            hedge: None,
            breaker: None,
            rate_limit: None,
            concurrency: None,
            throttle: None,
            fallback: None,
        }
    }

    /// The policies that are written, by name; the network and what travels along are none.
    pub fn policies(&self) -> Vec<&'static str> {
        let written = [
            ("timeout", self.timeout.is_some()),
            ("total_timeout", self.total_timeout.is_some()),
            ("retry", self.retry.is_some()),
            ("pool", self.pool.is_some()),
            ("coalesce", self.coalesce.is_some()),
            ("batch", self.batch.is_some()),
        ];
        written.into_iter().filter(|(_, is_written)| *is_written).map(|(name, _)| name).collect()
    }

    /// Attempts that one call can make.
    pub fn max_attempts(&self) -> u32 {
        self.retry.as_ref().map_or(1, |r| r.max_attempts)
    }

    /// The policies in words, in the order in which they are asked.
    pub fn in_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let text = |d: &Duration| settings::values::Scalar::format(d);
        if let Some(total) = &self.total_timeout {
            words.push(format!("total_timeout {}", text(total)));
        }
        if self.coalesce.is_some() {
            words.push("coalesce".into());
        }
        if let Some(batch) = &self.batch {
            words.push(format!("batch {}/{}", batch.max, text(&batch.wait)));
        }
        if let Some(retry) = &self.retry {
            let budget = if retry.budget.is_some() { " (budget)" } else { "" };
            words.push(format!("retry ×{}{budget}", retry.max_attempts));
        }
        if let Some(pool) = &self.pool {
            words.push(format!("pool {}", pool.size));
        }
        if let Some(timeout) = &self.timeout {
            words.push(format!("timeout {}", text(timeout)));
        }
        if let Some(rtt) = self.network.as_ref().and_then(|n| n.rtt.as_ref()) {
            words.push(format!("network {}", text(rtt)));
        }
        words
    }
}

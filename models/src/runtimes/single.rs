//! One call per instance, as function platforms do it: a call takes an instance that is idle, the one that was last in use
//! first, or a new one is started for it (a *cold start*, which takes the service's `start_up`). Nobody waits in a
//! line: a call for which no instance may be started is refused with `rate_limited`.
//!
//! The defaults are those of AWS Lambda: 1,000 instances more every 10 s for each function, 1,000 in an account.

use settings::{Duration, Setting};
use sim_core::Span;

use super::{Facts, Holds, Instances, Runtime};

/// One call per instance.
#[derive(Clone, Debug, PartialEq, Setting)]
pub struct Settings {
    /// Time an idle instance is kept after its last call.
    #[setting(default = "10m")]
    pub keep: Duration,
    /// Instances that may start at once before `per_10s` applies. Default: `per_10s`.
    #[setting(range = "1..=10000000")]
    pub burst: Option<u32>,
    /// Instances that may start per 10 s after the burst.
    #[setting(default = 1000, range = "1..=10000000")]
    pub per_10s: u32,
    /// Maximum instances; further calls are `rate_limited`. On AWS the limit is shared by all functions of an account, here it
    /// belongs to this service.
    #[setting(default = 1000, range = "1..=10000000")]
    pub account: u32,
}

const TEN_SECONDS: Span = 10_000_000_000;

impl Runtime for Settings {
    fn facts(&self, _cores: Option<f64>) -> Facts {
        let Settings { keep, burst, per_10s, account } = self;
        let every = TEN_SECONDS / u64::from(*per_10s);
        let instances = Instances { keep: keep.0, burst: burst.unwrap_or(*per_10s), every: every.max(1) };
        Facts { instances: Some(instances), ..Facts::of("instances", Some(*account), Holds::Task) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_a_function_platform() {
        let facts = settings::notation::read::<Settings>("{}").expect("settings").facts(None);
        assert_eq!(facts.workers, Some(1000));
        assert_eq!(
            facts.instances,
            Some(Instances { keep: 600_000_000_000, burst: 1000, every: 10_000_000 }),
            "one every 10 ms after the first 1,000"
        );
    }
}

//! Hedging: another copy of an attempt that takes long.
//!
//! When an attempt has not been answered `delay` after it began, another copy of it is sent, and so on up to `max`
//! copies more. The first good answer ends the call, and the other copies are given up. An attempt has failed when all
//! its copies that were sent have; only then is it a matter for `retry`. Each copy asks the link's later policies for
//! itself and has a `timeout` of its own. (Dean and Barroso, *The Tail at Scale*, CACM 56(2), 2013.)

use settings::values::Scalar;
use settings::{Duration, Setting};
use sim_core::Span;

use super::policy::{Described, Policy};

/// Another copy of an attempt that takes long.
#[derive(Clone, Debug, PartialEq, Setting)]
#[setting(shorthand = "delay")]
pub struct HedgeSettings {
    /// Time without an answer before the next copy is sent, counted from the start of the attempt or of the previous
    /// copy. A high percentile of the latency is usual: at p95, one request in twenty is sent twice.
    #[setting(live)]
    pub delay: Duration,
    /// Additional copies of an attempt.
    #[setting(default = 1, range = "1..=100", live)]
    pub max: u32,
}

/// Sends another copy of an attempt that takes long.
#[derive(Clone, Copy, Debug)]
pub struct Hedge;

impl Policy for Hedge {
    type Settings = HedgeSettings;

    fn brief(hedge: &HedgeSettings) -> Option<String> {
        let copies = if hedge.max == 1 { String::new() } else { format!(" ×{}", hedge.max) };
        Some(format!("hedge {}{copies}", hedge.delay.format()))
    }

    fn holds_up(hedge: &HedgeSettings) -> Span {
        // The last copy begins so late, and has the whole timeout.
        hedge.delay.0.saturating_mul(Span::from(hedge.max))
    }

    fn described(hedge: &HedgeSettings) -> Option<Described> {
        let copies = if hedge.max == 1 { "a second copy".into() } else { format!("up to {} copies more", hedge.max) };
        Some(Described { words: format!("{copies} after {}", hedge.delay.format()), has_state: false })
    }
}

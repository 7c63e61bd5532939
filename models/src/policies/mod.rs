//! What a link can be told to do with its calls: one file a policy, pure structures without an engine.
//!
//! [`crate::link::Link`] asks them in the fixed order of the language, outermost first: total_timeout → coalesce →
//! batch → retry (asks its budget) → pool → timeout → network → target. A policy that is not written is absent.

pub mod backoff;
pub mod batch;
pub mod budget;
pub mod coalesce;
pub mod gate;
pub mod network;
pub mod not_yet;
pub mod outcomes;
pub mod pool;
pub mod presets;
pub mod rate_limit;
pub mod retry;

use sim_core::figures::Set;

/// The figures of links, by the setting of the policy that reports them.
pub const FIGURES: &[(&str, Set)] =
    &[("coalesce", coalesce::FIGURES), ("batch", batch::FIGURES), ("pool", pool::FIGURES)];

//! What a link can be told to do with its calls: one file a policy, pure structures without an engine.
//!
//! [`crate::link::Link`] asks them in the fixed order of the language, outermost first: total_timeout → coalesce →
//! batch → retry (asks its budget) → pool → timeout → network → target. A policy that is not written is absent.

pub mod backoff;
pub mod batch;
pub mod breaker;
pub mod budget;
pub mod coalesce;
pub mod flaw;
pub mod gate;
pub mod limiters;
pub mod network;
pub mod not_yet;
pub mod or_none;
pub mod outcomes;
pub mod pool;
pub mod presets;
pub mod rate_limit;
pub mod retry;
pub mod throttle;
pub mod windows;

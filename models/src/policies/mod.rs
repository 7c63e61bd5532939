//! What a link can be told to do with its calls: one file a policy, pure structures without an engine.
//!
//! The table of policies, in the order in which a call meets them, stands in [`link_settings`]. [`crate::link::Link`] asks
//! them. A policy that is not written is absent and costs nothing.

pub mod backoff;
pub mod batch;
pub mod breaker;
pub mod budgets;
pub mod coalesce;
pub mod concurrency;
pub mod fallback;
pub mod flaw;
pub mod gate;
pub mod hedge;
pub mod limiters;
pub mod limits;
pub mod link_settings;
pub mod network;
pub mod not_yet;
pub mod or_none;
pub mod outcomes;
pub mod policy;
pub mod pool;
pub mod presets;
pub mod rate_limit;
pub mod retry;
pub mod throttle;
pub mod timeout;
pub mod windows;

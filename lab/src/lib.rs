//! From checked scenarios to results.
//!
//! A scenario is checked against the metrics that it will have ([`load()`]), run in a [`session`], and converted to plain
//! data ([`result`]). Replications, comparisons, sweeps, searches and their statistics combine many sessions.

mod breakdown;
pub mod check;
pub mod compare;
pub mod figures;
pub mod file;
pub mod find;
pub mod happenings;
pub mod history;
mod intervals;
mod latency_all;
pub mod loading;
pub mod metrics;
pub mod objectives;
mod outcome;
pub mod recovery;
pub mod replicate;
pub mod requests;
pub mod result;
mod series;
pub mod session;
pub mod statistics;
pub mod sweep;
mod table;
pub mod trend;
mod trust;

pub use language::{Loaded, Options, Refused, Text};
pub use loading::load;
pub use session::{Failure, Latencies, Session};
pub use sim_core::histogram::Bucket as LatencyBucket;
